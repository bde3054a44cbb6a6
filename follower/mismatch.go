package follower

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

const (
	// mismatchesFor is how long a peer keeps what is wrong with a seed that
	// does not answer any more: some questions, of which one goes to one of all
	// seeds (helloPinnedEvery).
	mismatchesFor = 2 * time.Minute
)

// anotherMet is the mismatch of a seed that has another key than this node has
// met there, of which no proof has come.
func anotherMet(addr netip.AddrPort, has, met hearsay.PublicKey) ledger.Mismatch {
	return ledger.Mismatch{Note: "has another key than was met", Text: fmt.Sprintf("the seed at %v has key %x, and this node has met %x there: nothing it says is believed "+
		"until a quorum of the others gives it the seat; if the network was founded anew or recovered, start this node with an empty data directory", addr, has, met)}
}

// compare tells whether the seed that has answered at a configured address is as
// this peer's list and the ledger have it.
func (ss *seats) compare(now time.Time, slot int, m *core.SeatHello) {
	addr, pinned := ss.peer.cfg.Seeds[slot].Addr, ss.pins[slot].Seat.Key
	own := int(m.Slot) == slot
	old := ss.met[slot]
	ss.met[slot] = meeting{at: now, since: now, founded: m.Founded, founding: !m.Founding.IsZero(), incarnation: ss.incarnation(m.Key)}
	ss.met[slot].aside = ss.met[slot].founding && !m.Founded && (ss.peer.epoch > 0 || ss.peer.chain.Heads[slot].Epoch > 0)
	if met := &ss.met[slot]; met.aside {
		if met.asideAt = old.asideAt; !old.aside {
			met.asideAt = now
		}
	}
	if of, differs := ss.another(slot, own, m); differs {
		if ss.otherSince[slot].IsZero() {
			ss.otherSince[slot] = now
		}
		// until then the others may prove that it is the seed of the ledger here
		lasts := now.Sub(ss.otherSince[slot]) >= ledger.MismatchAfter
		if ss.otherVersion(m) && !ss.pinsAnother(slot, m) { // a ledger that cannot be read may explain it
			of = ss.versions(slot, m)
		} else if !lasts {
			return
		}
		of.Apart = lasts && m.Founded
		ss.differs(now, slot, m.Key, of)
		return
	}
	ss.met[slot].own = own && pinned == m.Key
	if old.incarnation == ss.met[slot].incarnation && old.own && !old.aside {
		ss.met[slot].since = old.since
	}
	switch {
	case ss.otherVersion(m):
		ss.differs(now, slot, m.Key, ss.versions(slot, m))
	case m.Config != ss.config:
		ss.differs(now, slot, m.Key, ledger.OtherList(addr))
	default:
		ss.mismatches.Settle(slot)
	}
	ss.otherSince[slot] = time.Time{}
}

// another tells whether the seed that has answered is another than that of the ledger here, or has another ledger.
func (ss *seats) another(slot int, own bool, m *core.SeatHello) (of ledger.Mismatch, differs bool) {
	addr, pinned := ss.peer.cfg.Seeds[slot].Addr, ss.pins[slot].Seat.Key
	switch {
	case own && ss.lasting[slot] && pinned != m.Key && ss.peer.cfg.Seeds[slot].Key != pinned:
		return anotherMet(addr, m.Key, pinned), true
	case own && ss.lasting[slot] && pinned != m.Key:
		return ledger.OtherKey(addr, m.Key, pinned), true
	case own && ss.peer.based && m.Founded && m.Founding != ss.peer.Ledger().Founding:
		return ss.anotherFounding(slot), true
	}
	return of, false
}

// pinsAnother reports whether the list pins another key for a slot than the seed that has answered there has.
func (ss *seats) pinsAnother(slot int, m *core.SeatHello) bool {
	pinned := ss.peer.cfg.Seeds[slot].Key
	return !pinned.IsZero() && pinned != m.Key
}

// otherVersion reports whether a seed writes rulings in another version than this peer reads. What cannot be read is
// dropped and counted as it comes (hearsay.DropMalformed).
func (ss *seats) otherVersion(m *core.SeatHello) bool {
	return m.Versions.Log != ss.peer.cfg.Versions.Log
}

// versions is the mismatch of such a seed, or of what says that it is one.
func (ss *seats) versions(slot int, m *core.SeatHello) ledger.Mismatch {
	addr := ss.peer.cfg.Seeds[slot].Addr
	if ss.lasting[slot] && ss.pins[slot].Seat.Key != m.Key {
		return ledger.StrangeVersion(addr, m.Versions, ss.peer.cfg.Versions)
	}
	return ledger.OtherVersion(addr, m.Versions, ss.peer.cfg.Versions, hearsay.RolePeer)
}

// meeting is what has come last from the configured address of a seed.
type meeting struct {
	at       time.Time // zero: nothing
	founded  bool      // it has a ledger in which something was ruled
	founding bool      // it takes part in a founding, whether something was ruled or not
	own      bool      // it is the seed that the ledger here has in its seat
	// it takes no part in what is ruled, as it says: something was, and it counts on nothing that it has
	aside   bool
	asideAt time.Time // since when it says so

	since       time.Time           // it answers so, in the process that runs there now
	incarnation hearsay.Incarnation // of that, as far as was known here
	renewed     bool                // a newer one is known since: it is asked by a new stream
	again       bool                // a newer one is known since, or it is late: it is asked anew
	asked       time.Time           // since when an answer is waited for; zero: none is
	mute        bool                // for helloPatience
}

const (
	// helloLate is how long an answer may take, until a seed is asked again, and helloPatience until it is none of
	// those that this peer has met: streams do not get through to it, though datagrams may. Guesses: behind loss it
	// takes some seconds to connect, and of several questions one is answered.
	helloLate     = time.Second
	helloPatience = 4 * time.Second

	// doubtEvery is the least time between two rounds in which all are asked because one did not answer a ping. A guess:
	// where a tenth of all packets is lost each way pings of seeds get lost more often.
	doubtEvery = 5 * time.Second
)

// metFor is how long an answer tells that a seed is there, while the network is not
// founded: some questions (helloUnknownEvery).
const metFor = 5 * time.Second

// unmet reports whether nothing has come yet, in this life, of the seed that sits in a slot, and
// nothing else speaks in its place.
func (ss *seats) unmet(slot int) bool { return !ss.peer.Met(slot) && ss.mismatches[slot].Note == "" }

// Met reports whether the seed that sits in a slot has answered this peer at its configured
// address, in this life, and takes part with a ledger: it said so, or has signed the one here since.
func (f *Follower) Met(slot int) bool {
	m := &f.seats.met[slot]
	return m.own && !m.aside && !m.mute && (m.founded || f.chain.Heads[slot].Epoch > 0)
}

// HeardAt is when the seed of a slot has last answered from its configured address. If something else has answered
// there since, that is zero, and other is when that did last; both are zero if nothing has.
func (f *Follower) HeardAt(slot int) (seed, other time.Time) {
	m := &f.seats.met[slot]
	if m.own {
		return m.at, other
	}
	return seed, m.at
}

// Founded reports whether a seed has said that the network is founded, or is being.
func (f *Follower) Founded() bool {
	for slot := range f.cfg.Seeds {
		if m := &f.seats.met[slot]; m.founded || m.founding {
			return true
		}
	}
	return false
}

// MetSince is since when a seed that is Met has answered without a new incarnation: what its
// process knows of others may be no older than that.
func (f *Follower) MetSince(slot int) time.Time { return f.seats.met[slot].since }

// incarnation is the newest that a seed has signed, as far as this node knows.
func (ss *seats) incarnation(key hearsay.PublicKey) hearsay.Incarnation {
	if ss.peer.directory.Incarnation == nil {
		return 0
	}
	return ss.peer.directory.Incarnation(key.NodeID())
}

// noteStarts has seeds asked again that seem to have been started again: such a one may be on an
// older disk, and take no part. A refutation looks the same, and costs a question: startsMost of them at once, then
// one in startsEvery.
func (ss *seats) noteStarts(now time.Time) {
	for slot := range ss.peer.cfg.Seeds {
		m := &ss.met[slot]
		ss.noteLate(now, m)
		newest := ss.incarnation(ss.pins[slot].Seat.Key)
		if m.incarnation == 0 { // it was not listed yet when it answered
			m.incarnation = newest
		}
		used := ss.startsUsed[slot]
		if used.Before(now) {
			used = now
		}
		if !m.own || m.again || newest <= m.incarnation || used.Sub(now) > (startsMost-1)*startsEvery {
			continue
		}
		m.again, m.renewed, ss.startsUsed[slot] = true, true, used.Add(startsEvery)
		if at := now.Add(time.Duration(ss.peer.random.Int64N(int64(renewedWithin)))); at.Before(ss.helloAt) {
			ss.helloAt = at
		}
	}
}

// Mute reports whether the seed that sits in a slot has not answered what this peer asked it for so long that no stream
// may get through between the two. Whether it answers pings is another matter.
func (f *Follower) Mute(slot int) bool { return f.seats.met[slot].own && f.seats.met[slot].mute }

// noteLate has a seed asked again that has not answered, and the others, too: streams may not get through to any.
func (ss *seats) noteLate(now time.Time, m *meeting) {
	if m.asked.IsZero() || !m.own {
		return
	}
	waited := now.Sub(m.asked)
	if m.mute = waited >= helloPatience; waited >= helloLate && !m.again {
		ss.doubt(now)
	}
}

// Doubt is told that a seed has not answered this node, though others say that it is there: all are asked, as the way
// to each may be cut.
func (f *Follower) Doubt(now time.Time) {
	if now.Sub(f.seats.doubtedAt) >= doubtEvery {
		f.seats.doubtedAt = now
		f.seats.doubt(now)
	}
}

// doubt has all seeds asked now that are known to be there.
func (ss *seats) doubt(now time.Time) {
	ss.helloAt = now
	for slot := range ss.peer.cfg.Seeds {
		m := &ss.met[slot]
		m.again = m.again || m.own
	}
}

// Apart reports whether so many seeds are others than those of the ledger here, and have a ledger
// of their own, that they and this peer have no quorum in common: whatever they rule, it
// follows nothing any more. Seeds that have lost their ledger are no others in this
// sense: there is no quorum then, and the ledger here is the last.
func (f *Follower) Apart() bool {
	apart := 0
	for slot := range f.cfg.Seeds {
		if f.seats.mismatches[slot].Apart || !f.seats.otherSince[slot].IsZero() && f.seats.met[slot].founded {
			apart++
		}
	}
	return len(f.cfg.Seeds)-apart < hearsay.QuorumOf(len(f.cfg.Seeds))
}

// notFounded says that the network has no ledger yet, as far as seeds have answered; "" if it
// has, or if none has answered.
func (ss *seats) notFounded() string {
	met, missing := 0, []string(nil)
	for slot := range ss.peer.cfg.Seeds {
		switch m := &ss.met[slot]; {
		case m.founded, m.founding:
			return ""
		case !m.at.IsZero() && ss.peer.tickAt.Sub(m.at) < metFor:
			met++
		default:
			missing = append(missing, ss.peer.cfg.Seeds[slot].Addr.String())
		}
	}
	if ss.peer.based || met == 0 {
		return ""
	}
	text := fmt.Sprintf("the network is not founded: %d of %d seeds answer, and none of them has a ledger", met, len(ss.peer.cfg.Seeds))
	if len(missing) > 0 {
		text += "; not heard: " + strings.Join(missing, ", ")
	}
	return text
}

// expire ends what is wrong with seeds that do not answer any more. That the ledger here is not that of so many seeds
// that it is followed no more stays so until they answer.
func (ss *seats) expire(now time.Time) {
	if ss.peer.Apart() {
		return
	}
	for slot := range ss.peer.cfg.Seeds {
		if ss.mismatches.Expire(now, slot, mismatchesFor) {
			ss.otherSince[slot] = time.Time{}
		}
	}
}

// differs keeps what is wrong with the seed at a configured address, and tells
// it.
func (ss *seats) differs(now time.Time, slot int, by hearsay.PublicKey, of ledger.Mismatch) {
	if ss.mismatches.Raise(now, slot, of) {
		ss.peer.out.Events = append(ss.peer.out.Events, hearsay.Event{
			At: now, Kind: hearsay.EventSeedDiffers, By: by.NodeID(), Addr: ss.peer.cfg.Seeds[slot].Addr, Text: of.Text,
		})
	}
}

// Why says what is wrong with the seeds as this peer meets them, and so why it may not
// follow their ledger; "" if nothing is known to be.
func (f *Follower) Why() string {
	if fork := f.Fork(); fork != nil && fork.Proven {
		return fork.Text
	}
	texts := f.seats.mismatches.All(f.tickAt)
	for slot := range f.cfg.Seeds {
		if m := &f.seats.met[slot]; m.own && m.aside && f.tickAt.Sub(m.asideAt) >= asideFor && f.seats.mismatches[slot].Note == "" {
			texts = append(texts, fmt.Sprintf("the seed at %v %s", f.cfg.Seeds[slot].Addr, asideNote))
		}
	}
	if text := f.seats.notFounded(); text != "" {
		texts = append(texts, text)
	} else if len(texts) == 0 && f.Apart() {
		texts = append(texts, "seeds answer that are not those of the ledger here: the others are asked whether their seats were given anew")
	}
	return strings.Join(texts, "; ")
}

// asideFor is for how long a seed has said that it takes no part when that is told as wrong: one that starts says so
// until it has heard of the others. A guess.
const asideFor = 5 * time.Second

// NoteFounded is told that the seed at a configured address decides, or has decided, on this peer: there is a network.
func (f *Follower) NoteFounded(seed netip.AddrPort) {
	for slot := range f.cfg.Seeds {
		if f.cfg.Seeds[slot].Addr == seed {
			f.seats.met[slot].founding = true
		}
	}
}

// asideNote is what Note says of a seed that says that it takes no part.
const asideNote = "takes no part now: it lacks what was ruled, or asks the other seeds first what it has signed before"

// NotAnswered is what Note says of a seed of which nothing has come in this life.
const NotAnswered = "has not answered this node yet"

// Note says what is wrong with the seed in a slot, or what it lacks; "" if nothing is.
func (f *Follower) Note(slot int) string {
	switch m := &f.seats.met[slot]; {
	case f.seats.mismatches[slot].Note != "":
		return f.seats.mismatches[slot].Note
	case f.Met(slot):
		return ""
	case m.own && m.aside:
		return asideNote
	case m.at.IsZero():
		return NotAnswered
	case m.own && m.mute:
		text := "has not answered this node since " + m.asked.UTC().Format(time.RFC3339)
		if f.seats.answersPings(slot) {
			text += ": streams (TCP) may not get through to it"
		}
		return text
	case m.founded:
		return "has answered, with another key or seat than was met: the others are asked whether it was given that"
	case m.founding:
		return "has answered; nothing was ruled yet that it knows of"
	}
	return "has answered: it has no seat yet"
}
