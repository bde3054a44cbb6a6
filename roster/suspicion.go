package roster

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// suspicions are the suspects of this node. Mostly somebody decides about them within moments, or they refute. But an
// accuser may free its suspect again for itself alone, by an answer, and its word may not have reached the suspect. Or
// the others have buried the suspect, and their evidence does not hold here, since this roster was another one when
// they counted. Nothing that anybody sends ends such a suspicion. So when it has lasted for as long as any may without
// a decision, this node decides itself: it tells the suspect, and probes it out of turn. An answer frees it, and a
// probe without an answer makes this node an accuser.
type suspicions struct {
	*part
	suspects list
	tellAt   time.Time // when one of them may have to be told; zero: there is none
}

// claimed takes another's suspicion.
func (su *suspicions) claimed(now time.Time, p *core.Packet, m *member, c *hearsay.Claim) {
	if su.roster.aways.holdsBack(now, p, m) {
		return
	}
	switch by := su.members.get(c.By); {
	case by == nil || !by.state.Living():
		su.out.stats.Drops[hearsay.DropStranger]++
		return
	case by.state == hearsay.StateSuspect:
		// A node that is cut off accuses all in turn, also before it knows that it is. Its suspect hears of it from the
		// accuser, and who has failed others find out by their own probes.
		su.out.stats.Drops[hearsay.DropDoubtful]++
		return
	}
	su.suspect(now, m, c.By)
}

// suspect counts an accuser. One whose suspicion ended here, because the
// member answered this node, does not count again for the same incarnation.
func (su *suspicions) suspect(now time.Time, m *member, by hearsay.NodeID) {
	if !m.state.Living() {
		return
	}
	h := su.members.heldOf(m)
	if h == nil {
		h = &held{}
		su.members.hold(m, h)
	}
	again := slices.Index(h.accusers, by)
	full := len(h.accusers) > su.cfg.Confirmations
	switch suspected := m.state == hearsay.StateSuspect; {
	case again >= 0 && (suspected || by != su.members.me()), full && suspected:
		su.roster.news.heardAgain(m)
		return
	case again >= 0:
		h.accusers = slices.Delete(h.accusers, again, again+1)
	case full:
		h.accusers = h.accusers[:0]
	}
	h.accusers = append(h.accusers, by)
	su.roster.news.tell(m)
	su.out.stats.ClaimsNew++
	if m.state == hearsay.StateSuspect {
		return
	}
	h.began, h.told, h.probed = now, now, now
	su.roster.setState(now, m, hearsay.StateSuspect)
	su.out.stats.Suspicions++
	su.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberSuspected, Subject: su.members.id(m), By: by, Incarnation: su.members.incarnation(m)})
}

// timeout is how long a suspicion lasts without a decision: between the maximum, for an accuser alone, and the minimum,
// when others confirm (Lifeguard, section IV.B). Where seeds decide, it is one time for all: its end removes nobody, it
// has each seed judge by its own probes, and those began with the suspicion.
func (su *suspicions) timeout(m *member) time.Duration {
	if su.members.seeded() {
		return su.cfg.SuspicionMin
	}
	shortest, longest := su.timeoutMin(), su.timeoutMax()
	confirmed := float64(max(0, len(su.members.heldOf(m).accusers)-1))
	share := min(1, math.Log(confirmed+1)/math.Log(float64(su.cfg.Confirmations)+1))
	return longest - time.Duration(share*float64(longest-shortest))
}

// Suspicion is how a suspicion stands, as one node knows it.
type Suspicion struct {
	Observers []hearsay.NodeID
	Majority  int       // of the observers
	RunsOut   time.Time // without a decision, of the first accuser; in an open network sooner if others confirm it
	// OwnRunsOut is RunsOut for this node's own newest accusation; equal to it if it has none.
	OwnRunsOut time.Time
}

// Suspicion tells of the suspicion of a suspect.
func (su *suspicions) Suspicion(id hearsay.NodeID) (s Suspicion, ok bool) {
	m := su.members.get(id)
	if m == nil || m.state != hearsay.StateSuspect {
		return s, false
	}
	s.Observers = su.members.observers(nil, id)
	s.Majority = majority(len(s.Observers))
	s.RunsOut = su.members.heldOf(m).began.Add(su.timeout(m))
	s.OwnRunsOut = s.RunsOut
	if a := su.roster.accusations.of(m); a != nil {
		s.OwnRunsOut = a.began.Add(su.timeout(m))
	}
	return s, true
}

// StateAt gives the state of the member at an address; 0: nobody is listed there. Of two identities at one address the
// one that is alive counts, or else a suspect; one that is away is alive. own is of a suspect: it has not answered this
// node's own probe; else only others say that it is silent.
func (su *suspicions) StateAt(addr netip.AddrPort) (state hearsay.State, own bool) {
	ms := su.members
	if ms.addr(ms.self) == addr {
		state = ms.self.state
	}
	for _, list := range []list{ms.living, ms.gone} {
		for _, number := range list {
			switch m := ms.at(number); {
			case ms.addr(m) != addr || state.Living() && !m.state.Living():
			case m.state == hearsay.StateAlive || ms.isAway(m):
				return hearsay.StateAlive, false
			default:
				state = m.state
				own = own || state == hearsay.StateSuspect && su.ownProbeFailed(m)
			}
		}
	}
	return state, own
}

func (su *suspicions) ownProbeFailed(m *member) bool {
	return su.roster.accusations.of(m) != nil || slices.Contains(su.members.heldOf(m).accusers, su.members.me())
}

// timeoutMax is how long a suspicion lasts at most, if no round decides: nobody confirms it.
func (su *suspicions) timeoutMax() time.Duration {
	return su.timeoutMin() * time.Duration(su.cfg.SuspicionMax)
}

// timeoutMin is how long a suspicion lasts at least, if no round decides.
func (su *suspicions) timeoutMin() time.Duration {
	return time.Duration(float64(su.cfg.SuspicionMin) * max(1, math.Log10(float64(su.members.Living()))))
}

// tick tells suspects about which nothing was decided for as long as any
// suspicion lasts: one that lives refutes. It is told again after as long.
func (su *suspicions) tick(now time.Time) {
	if su.tellAt.IsZero() || now.Before(su.tellAt) {
		return
	}
	longest := su.timeoutMax()
	su.tellAt = now.Add(longest)
	for _, number := range su.suspects {
		m := su.members.at(number)
		h := su.members.heldOf(m)
		if now.Sub(h.told) >= longest {
			h.told = now
			su.out.sendClaim(su.members.addr(m), m)
		}
		su.tellAt = when.Earlier(su.tellAt, h.told.Add(longest))
	}
}

// Overdue gives the suspect that is to be probed now, out of turn, and reports false if there is none: of those about
// which nothing was decided for as long as any suspicion lasts, the one that was not probed so for the longest. A seed
// stays suspect for as long as it is silent: that is decided.
func (su *suspicions) Overdue(now time.Time) (hearsay.NodeID, bool) {
	longest := su.timeoutMax()
	var overdue *member
	since := now.Add(-longest)
	for _, number := range su.suspects {
		m := su.members.at(number)
		probed := su.members.heldOf(m).probed
		if probed.After(since) || su.members.seeded() && su.members.isSeed(m) {
			continue
		}
		if overdue == nil || probed.Before(since) {
			overdue, since = m, probed
		}
	}
	if overdue == nil {
		return hearsay.NodeID{}, false
	}
	su.members.heldOf(overdue).probed = now
	return su.members.id(overdue), true
}

// follow is told that a member goes from one state to another.
func (su *suspicions) follow(now time.Time, m *member, was hearsay.State) {
	if was == hearsay.StateSuspect {
		if su.suspects.remove(su.members.number(m)); len(su.suspects) == 0 {
			su.tellAt = time.Time{}
		}
	}
	if m.state == hearsay.StateSuspect {
		if len(su.suspects) == 0 {
			su.tellAt = now.Add(su.timeoutMax())
		}
		su.suspects.add(su.members.number(m))
	}
}
