package quorum

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hearsay"
)

// doubts is what is wrong with those who answer at the seeds' configured
// addresses, by slot. Only an answer that repeats a nonce, which nobody else was
// told, gets something into it: strangers cannot.
type doubts [hearsay.MaxSeeds]doubt

type doubt struct {
	note  string // in some words; "": nothing is wrong
	text  string // and in a sentence, with what would be right
	at    time.Time
	apart bool // of a peer: what is there is not the seed of the ledger here, and has another one

	told   string // as it was told last; "": it was all right since
	toldAt time.Time
}

const (
	// doubtAgain is how long nothing more is told of one seed.
	doubtAgain = time.Minute

	// doubtAfter is how long a peer waits until it tells that a seed has another
	// key: the others may prove that the seat was given anew; and a seed until it tells
	// that another is of another founding: that may be given up. A guess: some round trips.
	doubtAfter = 2 * time.Second

	// doubtedEvery is between two questions to a seed with which something is wrong: several to one
	// heardFor, after which a seed forgets what is wrong with one that does not answer. A guess.
	doubtedEvery = 3 * time.Second

	// followerDoubtsFor is how long a peer keeps what is wrong with a seed that
	// does not answer any more: some questions, of which one goes to one of all
	// seeds (helloPinnedEvery).
	followerDoubtsFor = 2 * time.Minute
)

// otherList is the doubt about a seed whose list of seeds has another hash.
func otherList(addr netip.AddrPort) doubt {
	return doubt{note: "has another list of seeds", text: fmt.Sprintf("the seed at %v has another list of seeds than this node: want the same file everywhere", addr)}
}

// otherKey is the doubt about a seed that has another key than the list pins.
func otherKey(addr netip.AddrPort, has, pinned hearsay.PublicKey) doubt {
	return doubt{note: "has another key than the list pins", text: fmt.Sprintf("the seed at %v has key %x, and the list pins %x for it: "+
		"nothing it says is believed; correct the third column, or %v is not your seed", addr, has, pinned, addr)}
}

// anotherMet is the doubt about a seed that has another key than this node has
// met there, of which no proof has come.
func anotherMet(addr netip.AddrPort, has, met hearsay.PublicKey) doubt {
	return doubt{note: "has another key than was met", text: fmt.Sprintf("the seed at %v has key %x, and this node has met %x there: nothing it says is believed "+
		"until a quorum of the others gives it the seat; if the network was founded anew or recovered, start this node with an empty data directory", addr, has, met)}
}

// otherLedger is the doubt about a seed with the ledger of another founding.
func otherLedger(addr netip.AddrPort) doubt {
	return doubt{note: "has a ledger of another founding", text: fmt.Sprintf("the seed at %v has a ledger of another founding of this network than the one here, and takes no part: "+
		"to take part, it needs an empty data directory; if its ledger is the right one, start the others with empty ones, and see `hearsay seed recover`", addr)}
}

// raise keeps a doubt, and reports whether it should be told.
func (d *doubts) raise(now time.Time, slot int, of doubt) bool {
	old := &d[slot]
	old.note, old.text, old.apart, old.at = of.note, of.text, of.apart, now
	if old.told == of.text || !old.toldAt.IsZero() && now.Sub(old.toldAt) < doubtAgain {
		return false
	}
	old.told, old.toldAt = of.text, now
	return true
}

// settle ends the doubt about a slot.
func (d *doubts) settle(slot int) { d[slot] = doubt{toldAt: d[slot].toldAt} }

// expire ends the doubts about those who have not answered for so long. That the ledger
// here is not theirs stays so until they answer again.
func (d *doubts) expire(now time.Time, after time.Duration) {
	for slot := range d {
		if d[slot].note != "" && !d[slot].apart && now.Sub(d[slot].at) > after {
			d.settle(slot)
		}
	}
}

// any reports whether something is wrong with one of them.
func (d *doubts) any() bool {
	return slices.ContainsFunc(d[:], func(one doubt) bool { return one.note != "" })
}

// all gives all that is wrong, in sentences.
func (d *doubts) all() (texts []string) {
	for slot := range d {
		if d[slot].note != "" {
			texts = append(texts, d[slot].text)
		}
	}
	return texts
}

// askedWith gives the slot to whose address a nonce went, or -1.
func askedWith(nonces []uint64, nonce uint64) (slot int) {
	if nonce == 0 {
		return -1
	}
	return slices.Index(nonces, nonce)
}

// differs keeps what is wrong with the seed at a configured address, and tells
// it.
func (q *Quorum) differs(now time.Time, slot int, by hearsay.PublicKey, of doubt) {
	if q.doubts.raise(now, slot, of) {
		q.event(hearsay.Event{At: now, Kind: hearsay.EventSeedDiffers, By: by.NodeID(), Addr: q.cfg.Seeds[slot].Addr, Text: of.text})
	}
}

// elsewhereListed takes a hello of a seed that has another list. It may be one
// of this list all the same: then its answer says so.
func (q *Quorum) elsewhereListed(now time.Time, p *hearsay.Packet, m *hearsay.SeatHello) {
	q.drops[hearsay.DropStranger]++
	if m.Answer {
		if slot := askedWith(q.seats.nonces[:len(q.cfg.Seeds)], m.Nonce); slot >= 0 {
			q.seats.nonces[slot] = 0
			q.differs(now, slot, m.Key, otherList(q.cfg.Seeds[slot].Addr))
		}
		return
	}
	for slot := range q.others() { // its port is not that where it listens
		if q.cfg.Seeds[slot].Addr.Addr() == p.Addr.Addr().Unmap() {
			q.askSeat(now, slot)
		}
	}
}

// Waits reports whether this seed is part of no network yet: none is founded, it
// has no seat in one, or nothing has come yet of the founding that it takes part
// in. Why says for what it waits.
func (q *Quorum) Waits() bool {
	return q.replica == nil || q.unborn() && q.replica.leader() == 0
}

// Why says why this seed does not take part, as far as it knows; "" if nothing is known but
// that no quorum is heard. If it does take part, it says what is wrong with others.
func (q *Quorum) Why() string {
	switch {
	case q.Decides():
		return strings.Join(append(q.doubts.all(), q.wrongClocks()...), "; ")
	case q.Seated() && q.Ready():
		return q.whyStalled()
	case q.seats.why != "" || !q.Waits():
		return q.seats.why
	case q.replica != nil:
		return "the founding of the network has begun: a quorum of those who were there must take part in it"
	}
	return "the network is not founded yet: this seed looks for the others"
}

// Note says what is known of the seed in a slot, where that is not what the
// roster says: all, as long as this one waits, and what is wrong with it.
func (q *Quorum) Note(now time.Time, slot int) (seat hearsay.Seat, note string) {
	h := &q.seats.heard[slot]
	switch note = q.doubts[slot].note; {
	case note == "" && q.faults[slot] > 0:
		return seat, fmt.Sprintf("has sent %d messages of the log that no correct seed sends: its key may be stolen", q.faults[slot])
	case note == "" && q.state != nil && !q.Waits() && !q.state.Seats[slot].Life.IsZero() && !q.Votes(slot):
		return seat, "has its seat, and no vote yet: until it has, no other seed may be lost"
	case note == "" && !q.Waits():
		return seat, q.wrongClock(slot).note
	case note != "" || !q.Waits():
		return seat, note
	case slot == q.cfg.Slot:
		return q.seat(), "this seed"
	case !h.justNow(now):
		return seat, "not met"
	case h.founded:
		return h.seat, "met, with a ledger"
	}
	return h.seat, "met, without a ledger"
}

// notFounded says why the network is not founded: who is missing, or has
// another list, and what would help.
func (q *Quorum) notFounded(now time.Time, met int) string {
	var missing []string
	for slot := range q.others() {
		if !q.seats.heard[slot].justNow(now) && q.doubts[slot].note == "" {
			missing = append(missing, q.cfg.Seeds[slot].Addr.String())
		}
	}
	text := fmt.Sprintf("the network is not founded: %d of %d seeds were met", met, len(q.cfg.Seeds))
	if last := len(missing) - 1; last >= 0 {
		are, them, those, have := "is", "it", "that one", "has"
		if last > 0 {
			missing = []string{strings.Join(missing[:last], ", "), missing[last]}
			are, them, those, have = "are", "them", "those", "have"
		}
		text += fmt.Sprintf(", %s %s missing: start %s", strings.Join(missing, " and "), are, them)
		if q.mayNotFound(now, met) == "" {
			text += fmt.Sprintf(", or start this seed again with --found if %s %s no ledger", those, have)
		}
	}
	return strings.Join(append([]string{text}, q.doubts.all()...), "; ")
}

// compare tells whether the seed that has answered at a configured address is as
// this peer's list and the ledger have it.
func (f *Follower) compare(now time.Time, slot int, m *hearsay.SeatHello) {
	addr, pinned := f.cfg.Seeds[slot].Addr, f.pins[slot].Seat.Key
	own := int(m.Slot) == slot
	old := f.met[slot]
	f.met[slot] = meeting{at: now, since: now, founded: m.Founded, founding: !m.Founding.IsZero(), incarnation: f.incarnation(m.Key)}
	f.met[slot].aside = f.met[slot].founding && !m.Founded && (f.epoch > 0 || f.chain.Heads[slot].Epoch > 0)
	switch {
	case own && f.lasting[slot] && pinned != m.Key:
		of := otherKey(addr, m.Key, pinned)
		if f.cfg.Seeds[slot].Key != pinned {
			of = anotherMet(addr, m.Key, pinned)
		}
		f.differsForLong(now, slot, m.Key, of)
		return
	case own && f.based && m.Founded && m.Founding != f.Ledger().Founding:
		f.differsForLong(now, slot, m.Key, f.anotherFounding(slot))
		return
	}
	f.met[slot].own = own && pinned == m.Key
	if old.incarnation == f.met[slot].incarnation && old.own && !old.aside {
		f.met[slot].since = old.since
	}
	if m.Config != f.config {
		f.differs(now, slot, m.Key, otherList(addr))
	} else {
		f.doubts.settle(slot)
	}
	f.otherSince[slot] = time.Time{}
}

// differsForLong is differs once a seed that is not the one of the ledger here has answered
// for a while: until then the others may prove that it is.
func (f *Follower) differsForLong(now time.Time, slot int, by hearsay.PublicKey, of doubt) {
	if f.otherSince[slot].IsZero() {
		f.otherSince[slot] = now
	}
	if now.Sub(f.otherSince[slot]) >= doubtAfter {
		of.apart = f.met[slot].founded
		f.differs(now, slot, by, of)
	}
}

// meeting is what has come last from the configured address of a seed.
type meeting struct {
	at       time.Time // zero: nothing
	founded  bool      // it has a ledger in which something was ruled
	founding bool      // it takes part in a founding, whether something was ruled or not
	own      bool      // it is the seed that the ledger here has in its seat
	aside    bool      // it takes no part in what is ruled, as it says: something was, and it counts on nothing that it has

	since       time.Time           // it answers so, in the process that runs there now
	incarnation hearsay.Incarnation // of that, as far as was known here
	again       bool                // a newer one is known since: what its process knows is to be asked anew
}

// metFor is how long an answer tells that a seed is there, while the network is not
// founded: some questions (helloUnknownEvery).
const metFor = 5 * time.Second

// unmet reports whether nothing has come yet, in this life, of the seed that sits in a slot, and
// nothing else speaks in its place.
func (f *Follower) unmet(slot int) bool { return !f.Met(slot) && f.doubts[slot].note == "" }

// Met reports whether the seed that sits in a slot has answered this peer at its configured
// address, in this life, and takes part with a ledger: it said so, or has signed the one here since.
func (f *Follower) Met(slot int) bool {
	m := &f.met[slot]
	return m.own && !m.aside && (m.founded || f.chain.Heads[slot].Epoch > 0)
}

// MetSince is since when a seed that is Met has answered without a new incarnation: what its
// process knows of others may be no older than that.
func (f *Follower) MetSince(slot int) time.Time { return f.met[slot].since }

// incarnation is the newest that a seed has signed, as far as this node knows.
func (f *Follower) incarnation(key hearsay.PublicKey) hearsay.Incarnation {
	if f.directory.Incarnation == nil {
		return 0
	}
	return f.directory.Incarnation(key.NodeID())
}

// noteStarts has seeds asked again that seem to have been started again: such a one may be on an
// older disk, and take no part. (A refutation looks the same, and costs a question.)
func (f *Follower) noteStarts(now time.Time) {
	for slot := range f.cfg.Seeds {
		m := &f.met[slot]
		newest := f.incarnation(f.pins[slot].Seat.Key)
		if m.incarnation == 0 { // it was not listed yet when it answered
			m.incarnation = newest
		}
		if !m.own || m.again || newest <= m.incarnation {
			continue
		}
		m.again = true
		if at := now.Add(time.Duration(f.random.Int64N(int64(renewedWithin)))); at.Before(f.helloAt) {
			f.helloAt = at
		}
	}
}

// Apart reports whether so many seeds are others than those of the ledger here, and have a ledger
// of their own, that they and this peer have no quorum in common: whatever they rule, it
// follows nothing any more. Seeds that have lost their ledger are no others in this
// sense: there is no quorum then, and the ledger here is the last.
func (f *Follower) Apart() bool {
	apart := 0
	for slot := range f.cfg.Seeds {
		if f.doubts[slot].apart || !f.otherSince[slot].IsZero() && f.met[slot].founded {
			apart++
		}
	}
	return len(f.cfg.Seeds)-apart < hearsay.QuorumOf(len(f.cfg.Seeds))
}

// notFounded says that the network has no ledger yet, as far as seeds have answered; "" if it
// has, or if none has answered.
func (f *Follower) notFounded() string {
	met, missing := 0, []string(nil)
	for slot := range f.cfg.Seeds {
		switch m := &f.met[slot]; {
		case m.founded, m.founding:
			return ""
		case !m.at.IsZero() && f.tickAt.Sub(m.at) < metFor:
			met++
		default:
			missing = append(missing, f.cfg.Seeds[slot].Addr.String())
		}
	}
	if f.based || met == 0 {
		return ""
	}
	text := fmt.Sprintf("the network is not founded: %d of %d seeds answer, and none of them has a ledger", met, len(f.cfg.Seeds))
	if len(missing) > 0 {
		text += "; not heard: " + strings.Join(missing, ", ")
	}
	return text
}

// differs keeps what is wrong with the seed at a configured address, and tells
// it.
func (f *Follower) differs(now time.Time, slot int, by hearsay.PublicKey, of doubt) {
	if f.doubts.raise(now, slot, of) {
		f.out.Events = append(f.out.Events, hearsay.Event{
			At: now, Kind: hearsay.EventSeedDiffers, By: by.NodeID(), Addr: f.cfg.Seeds[slot].Addr, Text: of.text,
		})
	}
}

// Why says what is wrong with the seeds as this peer meets them, and so why it may not
// follow their ledger; "" if nothing is known to be.
func (f *Follower) Why() string {
	if fork := f.Fork(); fork != nil && fork.Proven {
		return fork.Text
	}
	texts := f.doubts.all()
	for slot := range f.cfg.Seeds {
		if m := &f.met[slot]; m.own && m.aside && f.doubts[slot].note == "" {
			texts = append(texts, fmt.Sprintf("the seed at %v %s", f.cfg.Seeds[slot].Addr, asideNote))
		}
	}
	if text := f.notFounded(); text != "" {
		texts = append(texts, text)
	} else if len(texts) == 0 && f.Apart() {
		texts = append(texts, "seeds answer that are not those of the ledger here: the others are asked whether their seats were given anew")
	}
	return strings.Join(texts, "; ")
}

// asideNote is what Note says of a seed that says that it takes no part.
const asideNote = "takes no part: it lacks what was ruled, or waits for what the other seeds know, as its data directory may be older than what it has signed"

// NotAnswered is what Note says of a seed of which nothing has come in this life.
const NotAnswered = "has not answered this node yet"

// Note says what is wrong with the seed in a slot, or what it lacks; "" if nothing is.
func (f *Follower) Note(slot int) string {
	switch m := &f.met[slot]; {
	case f.doubts[slot].note != "":
		return f.doubts[slot].note
	case f.Met(slot):
		return ""
	case m.own && m.aside:
		return asideNote
	case m.at.IsZero():
		return NotAnswered
	case m.founded:
		return "has answered, with another key or seat than was met: the others are asked whether it was given that"
	case m.founding:
		return "has answered; nothing was ruled yet that it knows of"
	}
	return "has answered: it has no seat yet"
}
