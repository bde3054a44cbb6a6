package roster

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/quota"
)

// This file is what stands between hearing of an address and using it. A stranger
// that reaches a port may say that a thousand members are at a bystander's address;
// if they were listed, every node would probe them, have others probe them, and tell
// others. So an address is a hint until it has answered a number that this node
// has drawn. Until then its member is not listed: nobody is told of it, and all
// that goes there is a few pings, which are shorter than the word that named it.

// Limits of hints, per node.
const (
	maxHints         = 8192                   // of nodes that are not listed: as many as signatures are checked at once, the roster of a large network
	maxMoves         = maxHints / 4           // of listed members that have moved, apart from those. A guess
	hintTries        = 3                      // pings to one, and again only if its word comes again
	hintWait         = 500 * time.Millisecond // after the first; doubled each time. A guess: longer than most round trips
	hintAgain        = 5 * time.Second        // since the last of them: its word may have it pinged again
	hintKept         = time.Minute            // likewise: for so long an accuser may have it examined. A guess: longer than a suspicion
	hintStream       = time.Second            // between two pings by stream: anybody can name any address, and a stream to where nobody is has the kernel try for seconds. A guess
	hintStreamDeaf   = hintStream / 16        // likewise, of a node to which no datagrams get
	hintStreamsSaved = 32                     // and so many at once: a batch of a newcomer's roster
	hintBatch        = 64                     // pings at once, to all
	hintsEvery       = 10 * time.Millisecond  // between two batches
	untoldPeriods    = 10                     // of the detector without a ping from anybody: nobody lists this node. A guess: each is pinged once in one in the mean, so that one that all list waits so long once in 22,000 (e^10; six hours, if one is a second)
	untoldLeast      = 10 * time.Second       // and so long at least, however short they are. A guess
	untoldAsks       = 2                      // members that it asks then to list it, each time. A guess: one may have died
)

// hint is a member's own word of where it is, signed, which nobody there has
// answered for yet.
type hint struct {
	word  int32 // of Cards; it is held
	seq   uint64
	due   time.Time
	last  time.Time // when it was pinged
	heard int16     // how often the word came again meanwhile

	origin   origin
	silent   bool // it was pinged as often as it is
	examined bool // for an accuser
	over     bool // it was proven, replaced or given up
}

// origin says whose room a hint takes.
type origin struct {
	move bool  // of a listed member
	slot uint8 // see quota.Slot, of the source of the packet that brought its word
}

// hintCounts are how many hints there are, by slot.
type hintCounts struct {
	all    int
	bySlot [quota.Slots]int16
}

// hints are those of a node.
type hints struct {
	byID   map[hearsay.NodeID]*hint
	bySeq  map[uint64]*hint       // the same
	rounds [hintTries + 1][]*hint // by how often they were pinged, in the order of due; with those that are over and wait for their turn
	over   int                    // how many of those there are, at most
	counts *[2]hintCounts         // see counted
	nextAt time.Time              // no batch before this
	pinged time.Time              // when a member pinged this node last
	asked  time.Time              // when this node last asked members to list it

	streamAt  time.Time        // no ping by stream before this
	streamsTo []netip.AddrPort // where the last ones went, the newest last: hintStreamsSaved, as many as one step may have
}

// counted gives the counts of moves, or those of the other hints.
func (h *hints) counted(move bool) (counts *hintCounts, most int) {
	if h.counts == nil {
		h.counts = new([2]hintCounts)
	}
	if move {
		return &h.counts[1], maxMoves
	}
	return &h.counts[0], maxHints
}

// known gives the hint of a member, or nil.
func (h *hints) known(id hearsay.NodeID) *hint { return h.byID[id] }

// isProven reports whether a word's address has answered this node, or a quorum
// of seeds: a ruling admits it, the member is listed there, or the word comes
// by a stream that this node has opened to that address. A seed's is configured. A member that
// has moved says so by a stream from there, which proves the IP address: it may get no datagrams. Its port
// has answered where it was.
func (r *Roster) isProven(p *hearsay.Packet, m *member, word *hearsay.Claim) bool {
	switch {
	case r.admits == word.Subject:
		return true
	case r.seeded() && word.Card.Role == hearsay.RoleSeed && slices.Contains(r.contacts.configured, word.Card.Addr):
		return true // who sits in a seat is listed for as long as it does, there or not
	case m != nil && m.state.Living() && r.addr(m) == word.Card.Addr:
		return true
	}
	if p.From != word.Subject {
		return false
	}
	moved := m != nil && m.state.Living() && p.Stream &&
		p.Addr.Addr() == word.Card.Addr.Addr() && r.addr(m).Port() == word.Card.Addr.Port() // a stream does not prove where it listens
	return moved || p.Addr == word.Card.Addr && r.Expects(p)
}

// hint keeps a word that was checked until its address has answered. It counts
// as pinged so often.
func (r *Roster) hint(now time.Time, word *hearsay.Claim, from origin, tries int) {
	h := &r.hints
	if old := h.known(word.Subject); old != nil {
		r.endHint(word.Subject, old)
	}
	if counts, most := h.counted(from.move); counts.all >= most && !r.hintYields(now, from) {
		r.drops[hearsay.DropTableFull]++
		return
	}
	counts, _ := h.counted(from.move)
	counts.all++
	counts.bySlot[from.slot]++
	one := &hint{origin: from, word: r.members.cards.hold(word.Subject, word.Incarnation, &word.Card), seq: r.random.Uint64() | 1, due: now}
	if h.byID == nil {
		h.byID, h.bySeq = make(map[hearsay.NodeID]*hint), make(map[uint64]*hint)
	}
	h.byID[word.Subject], h.bySeq[one.seq] = one, one
	h.rounds[tries] = append(h.rounds[tries], one)
}

// hintYields makes room for a hint from an origin: of the slot with the most
// hints of its kind the one that was pinged the longest ago gives way, if no
// answer to it is to be expected, or if that slot has two more than the newcomer's.
// The source that counts is the packet's: a stranger may name any address in a word.
func (r *Roster) hintYields(now time.Time, from origin) bool {
	counts, _ := r.hints.counted(from.move)
	crowd := origin{move: from.move, slot: from.slot}
	for slot, n := range counts.bySlot {
		if n > counts.bySlot[crowd.slot] {
			crowd.slot = uint8(slot)
		}
	}
	unfair := counts.bySlot[crowd.slot] > counts.bySlot[from.slot]+1
	for tries := hintTries; tries >= 0; tries-- {
		for _, one := range r.hints.rounds[tries] {
			if one.over || one.origin != crowd {
				continue
			}
			if !unfair && (!one.silent || now.Sub(one.last) < hintWait<<(hintTries-1)) {
				return false
			}
			r.endHint(r.hinted(one).Subject, one)
			return true
		}
	}
	return false
}

// hearHint notes that the word of a hint has come again, and has its address
// pinged again if that was long ago: others reach it, and give its word with each
// comparison.
func (r *Roster) hearHint(now time.Time, one *hint) {
	if one.heard < coldest {
		one.heard++
	}
	if one.silent && now.Sub(one.last) >= hintAgain {
		word := r.hinted(one)
		r.hint(now, &word, one.origin, 0)
	}
}

// remind has a hint pinged again whose member has pinged this node: it holds
// itself for listed, and nobody else may have its word any more. Once less, since
// such a ping is shorter than a word.
func (r *Roster) remind(now time.Time, id hearsay.NodeID) {
	if one := r.hints.known(id); one != nil && one.silent && now.Sub(one.last) >= hintAgain {
		word := r.hinted(one)
		r.hint(now, &word, one.origin, 1)
	}
}

// witnessHint has this node examine, as an observer, a member of which it has only
// a hint: its accuser may be the only one who has met it. Each telling of a word
// has its address examined once: word and request together are more than a third
// of all the pings that they cause.
func (r *Roster) witnessHint(now time.Time, asker *member, p *hearsay.Packet, request *hearsay.WitnessReq) {
	one := r.hints.known(request.Subject)
	if one == nil || r.hinted(one).Incarnation != request.Incarnation {
		r.drops[hearsay.DropStranger]++ // nothing to say of it, or not where it is now
		return
	}
	if one.examined && !slices.ContainsFunc(r.witnessed, func(w witness) bool { return w.request == *request }) {
		r.drops[hearsay.DropRate]++
		return
	}
	one.examined = r.witness(now, asker, r.hinted(one).Card.Addr, p, request) || one.examined
}

// endHint forgets a hint. In its round it stays until its turn, or until those that are
// over are more than the others.
func (r *Roster) endHint(id hearsay.NodeID, one *hint) {
	one.over = true
	r.hints.over++
	delete(r.hints.byID, id)
	delete(r.hints.bySeq, one.seq)
	counts, _ := r.hints.counted(one.origin.move)
	counts.all--
	counts.bySlot[one.origin.slot]--
	r.members.cards.release(one.word)
	switch h := &r.hints; {
	case len(h.byID) == 0:
		*h = hints{nextAt: h.nextAt, streamAt: h.streamAt, streamsTo: h.streamsTo, pinged: h.pinged, asked: h.asked} // there may have been many
	case h.over > max(len(h.byID), hintBatch):
		for tries := range h.rounds {
			h.rounds[tries] = slices.DeleteFunc(h.rounds[tries], func(o *hint) bool { return o.over })
		}
		h.over = 0
	}
}

// tickHints pings those whose turn it is, and gives up those that were pinged
// in vain.
func (r *Roster) tickHints(now time.Time) {
	h := &r.hints
	if !now.Before(r.untoldAt()) {
		h.asked = now
		r.tell(r.self)   // its own address may have been unreachable when it was told of
		if !r.seeded() { // there a ruling lists it, with all
			r.askToList(now)
		}
	}
	if now.Before(h.nextAt) {
		return
	}
	sent := 0
	for tries := hintTries; tries >= 0; tries-- {
		for len(h.rounds[tries]) > 0 && sent < hintBatch {
			one := h.rounds[tries][0]
			if !one.over && now.Before(one.due) {
				break
			}
			h.rounds[tries] = h.rounds[tries][1:]
			switch {
			case one.over:
				h.over--
			case tries == hintTries:
				r.endHint(r.hinted(one).Subject, one)
			default:
				r.pingHint(now, one, tries+1 == hintTries)
				one.last, one.due = now, now.Add(hintWait<<tries)
				if one.silent = tries+1 == hintTries; one.silent {
					one.due = now.Add(hintKept)
				}
				h.rounds[tries+1] = append(h.rounds[tries+1], one)
				sent++
			}
		}
	}
	if sent == hintBatch {
		h.nextAt = now.Add(hintsEvery)
	}
}

// pingHint pings the address of a hint. The last ping goes by stream, if none has lately: there may
// be a member that gets no datagrams. If it is one that gets none where it is listed, all do; and if this
// node gets none, it would list nobody else.
func (r *Roster) pingHint(now time.Time, one *hint, last bool) {
	word, every, saved := r.hinted(one), hintStream, time.Duration(0)
	if m := r.members.get(word.Subject); m != nil && r.streams != nil {
		last = last || r.streams(r.addr(m))
	}
	if r.deaf != nil && r.deaf() {
		last, every, saved = true, hintStreamDeaf, (hintStreamsSaved-1)*hintStreamDeaf
	}
	if h := &r.hints; last && !now.Add(saved).Before(h.streamAt) {
		h.streamAt = later(h.streamAt, now).Add(every)
		if len(h.streamsTo) >= hintStreamsSaved {
			h.streamsTo = slices.Delete(h.streamsTo, 0, 1)
		}
		h.streamsTo = append(h.streamsTo, word.Card.Addr)
		r.out.PingByStream(word.Card.Addr, one.seq, word.Subject)
	} else {
		r.out.Ping(word.Card.Addr, one.seq, word.Subject)
	}
}

// Tries reports whether one of the last pings by stream to where nodes only say that they are went to an address.
func (r *Roster) Tries(addr netip.AddrPort) bool { return slices.Contains(r.hints.streamsTo, addr) }

// askToList asks some members to list this node. Its contact may have had none of the answers that would have
// listed it, and to all others it is a stranger, whose word counts only where it names the node that
// it is for (see Meant): so it goes with a ping. By stream, as what was lost were datagrams.
func (r *Roster) askToList(now time.Time) {
	r.targets = r.draw(r.targets[:0], untoldAsks)
	for _, m := range r.targets {
		ping := &hearsay.Ping{Seq: r.random.Uint64() | 1, Target: r.id(m)}
		r.contacts.await(asked{addr: r.addr(m), id: ping.Target, seq: ping.Seq, until: now.Add(answerTime)})
		p := hearsay.Packet{Addr: r.addr(m), Stream: true, Body: ping}
		r.Introduce(&p)
		r.out.Send = append(r.out.Send, p)
	}
}

// untoldAt is when this node tells of itself again, if nobody has pinged it until
// then.
func (r *Roster) untoldAt() time.Time {
	untold := max(untoldPeriods*r.period, untoldLeast)
	if !r.contacts.joined || len(r.living) == 0 || !r.self.state.Living() {
		return r.forgetAt.Add(untold) // later than what is due in any case
	}
	return later(r.hints.pinged, r.hints.asked).Add(untold)
}

// TellPeriod tells the roster how often each node probes another, and so how often each is pinged in the mean. Without
// it nobody waits longer for a ping than untoldLeast.
func (r *Roster) TellPeriod(period time.Duration) { r.period = period }

// Unreached is for how long no member has pinged this node, since its start at most.
func (r *Roster) Unreached(now time.Time) time.Duration {
	return now.Sub(later(r.hints.pinged, r.started))
}

// Towards gives some of the addresses that must reach this node: contacts, and members.
func (r *Roster) Towards(most int) []netip.AddrPort {
	addrs := slices.Clone(r.contacts.configured[:min(most, len(r.contacts.configured))])
	for _, number := range r.living[:min(most, len(r.living))] {
		addrs = append(addrs, r.addr(r.members.at(number)))
	}
	return addrs
}

// hintsDue is when tickHints must be called next, if at all before at.
func (r *Roster) hintsDue(at time.Time) time.Time {
	at = earlier(at, r.untoldAt())
	for _, round := range r.hints.rounds {
		if len(round) > 0 {
			at = earlier(at, later(round[0].due, r.hints.nextAt))
		}
	}
	return at
}

// hinted gives the word of a hint.
func (r *Roster) hinted(one *hint) hearsay.Claim {
	cards := r.members.cards
	w := &cards.words[one.word]
	return hearsay.Claim{Subject: cards.subjects[w.subject].id, State: hearsay.StateAlive, Incarnation: w.incarnation, Card: w.card()}
}

// hintAck takes the answer of an address that was a hint: its member is listed
// from now, or is at its new address.
func (r *Roster) hintAck(now time.Time, from hearsay.NodeID, seq uint64) bool {
	one := r.hints.known(from)
	if one == nil || one.seq != seq {
		return false
	}
	word := r.hinted(one)
	r.endHint(from, one)
	m := r.members.get(from)
	if m != nil {
		if current := r.claim(m, bare); !word.Supersedes(&current) {
			return true
		}
	}
	if r.seeded() && word.Card.Role != r.role(from) {
		r.drops[hearsay.DropStranger]++ // it is in no more
		return true
	}
	r.stats.ClaimsNew++
	if m == nil {
		m = r.add(now, &word, &word)
	} else {
		r.renew(now, m, &word)
	}
	for range one.heard {
		r.news.heardAgain(m)
	}
	return true
}

// Signed gives the newest incarnation that a member has signed in a word of an address that has
// not answered this node yet; 0: none is kept.
func (r *Roster) Signed(id hearsay.NodeID) hearsay.Incarnation {
	if one := r.hints.known(id); one != nil {
		return r.hinted(one).Incarnation
	}
	return 0
}

// hintNotMe takes the word of another identity at the address of a hint.
func (r *Roster) hintNotMe(addr netip.AddrPort, seq uint64) bool {
	one := r.hints.bySeq[seq]
	if one == nil {
		return false
	}
	word := r.hinted(one)
	if word.Card.Addr != addr {
		return false
	}
	r.endHint(word.Subject, one)
	return true
}
