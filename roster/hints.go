package roster

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/quota"
)

// This file is what stands between hearing of an address and using it. A stranger that reaches a port may say that a
// thousand members are at a bystander's address; if they were listed, every node would probe them, have others probe
// them, and tell others. So an address is a hint until it has answered a number that this node has drawn. Until then
// its member is not listed: nobody is told of it, and all that goes there is a few pings, which are shorter than the
// word that named it.

// Limits of hints, per node.
const (
	// of nodes that are not listed: as many as signatures are checked at once, the roster of a large network
	maxHints  = 8192
	maxMoves  = maxHints / 4 // of listed members that have moved, apart from those. A guess
	hintTries = 3            // pings to one, and again only if its word comes again
	// after the first; doubled each time. A guess: longer than most round trips
	hintWait  = 500 * time.Millisecond
	hintAgain = 5 * time.Second // since the last of them: its word may have it pinged again
	// likewise: for so long an accuser may have it examined. A guess: longer than a suspicion
	hintKept = time.Minute
	// between two pings by stream: anybody can name any address, and a stream to where nobody is has the kernel
	// try for seconds. A guess
	hintStream       = time.Second
	hintStreamOnly   = hintStream / 16       // likewise, of a node to which no datagrams get
	hintStreamsSaved = 32                    // and so many at once: a batch of a newcomer's roster
	hintBatch        = 64                    // pings at once, to all
	hintsEvery       = 10 * time.Millisecond // between two batches
)

// hint is a member's own word of where it is, signed, which nobody there has answered for yet.
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
	*part
	byID  map[hearsay.NodeID]*hint
	bySeq map[uint64]*hint // the same
	// by how often they were pinged, in the order of due; with those that are over and wait for their turn
	rounds [hintTries + 1][]*hint
	over   int            // how many of those there are, at most
	counts *[2]hintCounts // see counted
	nextAt time.Time      // no batch before this

	streamAt time.Time // no ping by stream before this
	// where the last ones went, the newest last: hintStreamsSaved, as many as one step may have
	streamsTo   []netip.AddrPort
	streams     func(netip.AddrPort) bool // see TellStreamed
	noDatagrams func() bool               // likewise
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

// isProven reports whether a word's address has answered this node, or a quorum of seeds: a ruling admits it, the
// member is listed there, or the word comes by a stream that this node has opened to that address. A seed's is
// configured. A member that has moved says so by a stream from there, which proves the IP address: it may get no
// datagrams. Its port has answered where it was.
func (h *hints) isProven(p *core.Packet, m *member, word *hearsay.Claim) bool {
	switch {
	case h.roster.admits == word.Subject:
		return true
	case h.members.seeded() && word.Card.Role == hearsay.RoleSeed && slices.Contains(h.roster.contacts.configured, word.Card.Addr):
		return true // a seed is listed for as long as it has its seat, there or not
	case m != nil && m.state.Living() && h.members.addr(m) == word.Card.Addr:
		return true
	}
	if p.From != word.Subject {
		return false
	}
	moved := m != nil && m.state.Living() && p.Stream &&
		// a stream does not prove where it listens
		p.Addr.Addr() == word.Card.Addr.Addr() && h.members.addr(m).Port() == word.Card.Addr.Port()
	return moved || p.Addr == word.Card.Addr && h.roster.contacts.Expects(p)
}

// add keeps a word that was checked until its address has answered. It counts as pinged so often.
func (h *hints) add(now time.Time, word *hearsay.Claim, from origin, tries int) {
	if old := h.known(word.Subject); old != nil {
		h.end(word.Subject, old)
	}
	if counts, most := h.counted(from.move); counts.all >= most && !h.makeRoom(now, from) {
		h.out.stats.Drops[hearsay.DropTableFull]++
		return
	}
	counts, _ := h.counted(from.move)
	counts.all++
	counts.bySlot[from.slot]++
	one := &hint{origin: from, word: h.members.cards.hold(word.Subject, word.Incarnation, &word.Card), seq: h.random.Uint64() | 1, due: now}
	if h.byID == nil {
		h.byID, h.bySeq = make(map[hearsay.NodeID]*hint), make(map[uint64]*hint)
	}
	h.byID[word.Subject], h.bySeq[one.seq] = one, one
	h.rounds[tries] = append(h.rounds[tries], one)
}

// makeRoom makes room for a hint from an origin: of the slot with the most hints of its kind the one that was pinged
// the longest ago gives way, if no answer to it is to be expected, or if that slot has two more than the newcomer's.
// The source that counts is the packet's: a stranger may name any address in a word.
func (h *hints) makeRoom(now time.Time, from origin) bool {
	counts, _ := h.counted(from.move)
	fullest := origin{move: from.move, slot: from.slot}
	for slot, n := range counts.bySlot {
		if n > counts.bySlot[fullest.slot] {
			fullest.slot = uint8(slot)
		}
	}
	unfair := counts.bySlot[fullest.slot] > counts.bySlot[from.slot]+1
	for tries := hintTries; tries >= 0; tries-- {
		for _, one := range h.rounds[tries] {
			if one.over || one.origin != fullest {
				continue
			}
			if !unfair && (!one.silent || now.Sub(one.last) < hintWait<<(hintTries-1)) {
				return false
			}
			h.end(h.word(one).Subject, one)
			return true
		}
	}
	return false
}

// heardAgain notes that the word of a hint has come again, and has its address pinged again if that was long ago:
// others reach it, and give its word with each comparison.
func (h *hints) heardAgain(now time.Time, one *hint) {
	if one.heard < toldMost {
		one.heard++
	}
	h.again(now, one, 0)
}

// pingAgain has a hint pinged again whose member has pinged this node: it holds itself for listed, and nobody else may
// have its word any more. Once less, since such a ping is shorter than a word.
func (h *hints) pingAgain(now time.Time, id hearsay.NodeID) {
	if one := h.known(id); one != nil {
		h.again(now, one, 1)
	}
}

// again has a hint pinged again, as one that was pinged so often, if its last ping was hintAgain ago.
func (h *hints) again(now time.Time, one *hint, tries int) {
	if one.silent && now.Sub(one.last) >= hintAgain {
		word := h.word(one)
		h.add(now, &word, one.origin, tries)
	}
}

// end forgets a hint. In its round it stays until its turn, or until those that are over are more than the others.
func (h *hints) end(id hearsay.NodeID, one *hint) {
	one.over = true
	h.over++
	delete(h.byID, id)
	delete(h.bySeq, one.seq)
	counts, _ := h.counted(one.origin.move)
	counts.all--
	counts.bySlot[one.origin.slot]--
	h.members.cards.release(one.word)
	switch {
	case len(h.byID) == 0:
		h.byID, h.bySeq, h.over, h.counts = nil, nil, 0, nil // there may have been many
		h.rounds = [hintTries + 1][]*hint{}
	case h.over > max(len(h.byID), hintBatch):
		for tries := range h.rounds {
			h.rounds[tries] = slices.DeleteFunc(h.rounds[tries], func(o *hint) bool { return o.over })
		}
		h.over = 0
	}
}

// tick pings the hints that are due, and gives up those that have not answered.
func (h *hints) tick(now time.Time) {
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
				h.end(h.word(one).Subject, one)
			default:
				h.ping(now, one, tries+1 == hintTries)
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

// ping pings the address of a hint. The last ping goes by stream, if none has lately: there may
// be a member that gets no datagrams. If it is one that gets none where it is listed, all do; and if this
// node gets none, it would list nobody else.
func (h *hints) ping(now time.Time, one *hint, last bool) {
	word, every, saved := h.word(one), hintStream, time.Duration(0)
	if m := h.members.get(word.Subject); m != nil && h.streams != nil {
		last = last || h.streams(h.members.addr(m))
	}
	if h.noDatagrams != nil && h.noDatagrams() {
		last, every, saved = true, hintStreamOnly, (hintStreamsSaved-1)*hintStreamOnly
	}
	if last && !now.Add(saved).Before(h.streamAt) {
		h.streamAt = when.Later(h.streamAt, now).Add(every)
		if len(h.streamsTo) >= hintStreamsSaved {
			h.streamsTo = slices.Delete(h.streamsTo, 0, 1)
		}
		h.streamsTo = append(h.streamsTo, word.Card.Addr)
		h.out.PingByStream(word.Card.Addr, one.seq, word.Subject)
	} else {
		h.out.Ping(word.Card.Addr, one.seq, word.Subject)
	}
}

// Tries reports whether one of the last pings by stream to where nodes only say that they are went to an address.
func (h *hints) Tries(addr netip.AddrPort) bool { return slices.Contains(h.streamsTo, addr) }

// due is when tick must be called next, if at all before at.
func (h *hints) due(at time.Time) time.Time {
	for _, round := range h.rounds {
		if len(round) > 0 {
			at = when.Earlier(at, when.Later(round[0].due, h.nextAt))
		}
	}
	return at
}

// word gives the word of a hint.
func (h *hints) word(one *hint) hearsay.Claim {
	cards := h.members.cards
	w := &cards.words[one.word]
	return hearsay.Claim{Subject: cards.subjects[w.subject].id, State: hearsay.StateAlive, Incarnation: w.incarnation, Card: w.card()}
}

// ack takes the answer of an address that was a hint: its member is listed from now, or is at its new address.
func (h *hints) ack(now time.Time, from hearsay.NodeID, seq uint64) bool {
	one := h.known(from)
	if one == nil || one.seq != seq {
		return false
	}
	word := h.word(one)
	h.end(from, one)
	m := h.members.get(from)
	if m != nil {
		if current := h.members.claim(m, bare); !word.Supersedes(&current) {
			return true
		}
	}
	if h.members.seeded() && word.Card.Role != h.members.role(from) {
		h.out.stats.Drops[hearsay.DropStranger]++ // it is in no more
		return true
	}
	h.out.stats.ClaimsNew++
	if m == nil {
		m = h.roster.add(now, &word, &word)
	} else {
		h.roster.renew(now, m, &word)
	}
	for range one.heard {
		h.roster.news.heardAgain(m)
	}
	return true
}

// Signed gives the newest incarnation that a member has signed in a word of an address that has
// not answered this node yet; 0: none is kept.
func (h *hints) Signed(id hearsay.NodeID) hearsay.Incarnation {
	if one := h.known(id); one != nil {
		return h.word(one).Incarnation
	}
	return 0
}

// notMe takes the word of another identity at the address of a hint. It is pinged no more, and is kept as one that is
// silent: an accuser may need a statement of this node on its member, and of one without a hint it makes none.
func (h *hints) notMe(now time.Time, addr netip.AddrPort, seq uint64) bool {
	one := h.bySeq[seq]
	if one == nil {
		return false
	}
	word := h.word(one)
	if word.Card.Addr != addr {
		return false
	}
	h.add(now, &word, one.origin, hintTries)
	silent := h.known(word.Subject)
	silent.last, silent.due, silent.silent, silent.examined = now, now.Add(hintKept), true, one.examined
	return true
}

// TellStreamed gives the roster two functions: which members' addresses are reached by stream only, and
// whether no datagrams get to this node at all. Without them all are reached by datagram.
func (h *hints) TellStreamed(streams func(netip.AddrPort) bool, noDatagrams func() bool) {
	h.streams, h.noDatagrams = streams, noDatagrams
}
