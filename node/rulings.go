package node

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/internal/core"
	"hearsay/overlay"
	"hearsay/roster"
)

// This file makes the roster, and what this node asks of the seeds, follow the
// ledger.

// rulings carries out what the seeds have ruled.
type rulings struct {
	id       hearsay.NodeID
	seeded   *Seeded
	roster   *roster.Roster
	overlay  *overlay.Overlay
	evidence *evidenceFetcher
	requests *requests
	leaving  *leaving
	out      *core.Effects
	backs    []time.Time // since when a quorum was there that removed members: at most backsMost
}

// backsMost is how many times a node keeps at which a quorum of seeds was back. Guess: more outages than a story goes
// back.
const backsMost = 8

// noteBefore takes the mark Before from a ruling that says it was made in the life of this node, which began at a time:
// an authority that has just heard of a ledger takes all of it for older. A ruling of a time to come says nothing: the
// seeds' clocks are ahead of this one, and by so much it may be older.
func noteBefore(now time.Time, e *hearsay.Event, began time.Time) {
	if e.Before && e.Kind == hearsay.EventRuled {
		at := casebook.Moment(e.Ruling.At)
		e.Before = at.Before(began) || at.After(now)
	}
}

// before says of what has happened to a member since that it was ruled before this node started, but that it is in, if
// it is.
func (f *rulings) before(since int, r *hearsay.Ruling) {
	m, in := f.seeded.authority.Member(r.Stay.ID)
	if !in || m.Stay != r.Stay {
		f.ofMembers(since, func(e *hearsay.Event) { e.Before = true })
	}
}

// past says of what has happened to members since that an earlier life of this
// data directory has told of it.
func (f *rulings) past(since int) {
	f.ofMembers(since, func(e *hearsay.Event) { e.Past = true })
}

// ofMembers marks each event since of a member that came, moved or went.
func (f *rulings) ofMembers(since int, mark func(e *hearsay.Event)) {
	for i := since; i < len(f.out.Events); i++ {
		switch e := &f.out.Events[i]; e.Kind {
		case hearsay.EventMemberJoined, hearsay.EventMemberReturned, hearsay.EventMemberMoved, hearsay.EventMemberRemoved, hearsay.EventMemberLeft:
			mark(e)
		}
	}
}

// ruled makes the roster follow a ruling.
func (f *rulings) ruled(now time.Time, e *hearsay.Event) {
	s, r := f.seeded, e.Ruling
	if e.Past {
		defer f.past(len(f.out.Events))
	}
	if e.Before {
		defer f.before(len(f.out.Events), r)
	} else if s.petitions != nil {
		s.petitions.Ruled(now)
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		f.roster.Admit(now, &r.Claim)
	case hearsay.RulingRemove, hearsay.RulingLeave:
		by := hearsay.NodeID{}
		if e.Evidence != nil {
			by = e.Evidence.Accuser
		}
		if r.Kind == hearsay.RulingLeave {
			f.roster.Depart(now, r.Stay.ID)
		} else {
			f.roster.Expel(now, r.Stay.ID, by, e.Evidence)
		}
		f.noteBack(r)
		if s.follower != nil {
			f.evidence.want(now, r)
		}
		if s.petitions != nil {
			s.petitions.Over(r.Stay)
		}
		if r.Stay == s.stay && s.petitions != nil {
			s.ended = r.Epoch
			f.removed(now)
		}
	case hearsay.RulingSeat, hearsay.RulingRecover:
		f.expelStrangers(now, hearsay.RoleSeed) // the node that sat there before; of peers the rulings that follow tell
	}
	f.enter(now)
	if s.seat != nil {
		f.requests.giveAll(r.Stay, hearsay.Outcome{Code: hearsay.OutcomeDone, Yes: uint8(len(r.Ballots))})
	}
}

// noteBack keeps since when a quorum of seeds is there that has removed a member: the removal may have waited for it.
func (f *rulings) noteBack(r *hearsay.Ruling) {
	since, last := f.seeded.quorumSince(), len(f.backs)-1
	if since.IsZero() || since.After(casebook.Moment(r.At)) || last >= 0 && f.backs[last].Equal(since) {
		return
	}
	if last+1 >= backsMost {
		f.backs = slices.Delete(f.backs, 0, 1)
	}
	f.backs = append(f.backs, since)
}

// overtake makes the roster what the authority's is: there is a new one, whole. An
// earlier life has told which nodes were in by an epoch.
func (f *rulings) overtake(now time.Time, told hearsay.Epoch) {
	s := f.seeded
	if _, in := s.authority.Member(f.id); !in && s.stay.Epoch != 0 && s.petitions != nil {
		s.ended = s.authority.Epoch()
		f.removed(now)
	}
	f.enter(now)
	for _, m := range s.authority.Roster(nil) {
		since := len(f.out.Events)
		if f.roster.Admit(now, &m.Claim); m.Stay.Epoch <= told {
			f.past(since)
		}
	}
	f.expelStrangers(now, 0)
	if s.petitions != nil {
		s.petitions.Prune(func(stay hearsay.Stay) bool {
			m, in := s.authority.Member(stay.ID)
			return in && m.Stay == stay
		})
	}
}

// expelUnseated lists as dead the nodes that have lost their seats to others. A peer that was
// away learns that from a seed, and of no ruling.
func (f *rulings) expelUnseated(now time.Time) {
	s := f.seeded
	if s.isSeed(f.id); len(s.unseated) == 0 {
		return
	}
	for _, id := range s.unseated {
		if s.roleOf(id) == 0 {
			f.roster.Expel(now, id, hearsay.NodeID{}, nil)
		}
	}
	s.unseated = s.unseated[:0]
}

// expelStrangers lists as dead, of the nodes with a role, those that are in neither by the ledger nor by
// a seat. Role 0: of all.
func (f *rulings) expelStrangers(now time.Time, role hearsay.Role) {
	for _, m := range f.roster.All(nil) {
		if role != 0 && m.Role != role {
			continue
		}
		if m.State.Living() && m.ID != f.id && f.seeded.roleOf(m.ID) == 0 {
			f.roster.Expel(now, m.ID, hearsay.NodeID{}, nil)
		}
	}
}

// enter has this peer be in by the stay that the ledger gives it. While the ledger is known to go further than it has
// come here, the removal may be in what lacks.
func (f *rulings) enter(now time.Time) {
	if f.seeded.petitions == nil {
		return // a seed is in by its seat
	}
	own, in := f.seeded.authority.Member(f.id)
	if !in || own.Stay == f.seeded.stay || f.seeded.follower.Behind() {
		return
	}
	f.seeded.stay = own.Stay
	f.seeded.petitions.Admitted()
	if f.roster.HasLeft() { // before it heard that it is in
		f.leaving.ask(now)
		return
	}
	f.overlay.Enter(now)
	f.out.Events = append(f.out.Events, hearsay.Event{At: now, Kind: hearsay.EventJoined, Subject: f.id, Epoch: own.Stay.Epoch, Count: f.peersIn()})
}

// peersIn is how many peers are in, this one too, by all of the ledger that has come here: the roster of the node
// follows it ruling by ruling.
func (f *rulings) peersIn() int { return len(f.seeded.authority.Roster(nil)) }

// removed is told that this node's stay is over though it lives: it asks for a
// new one.
func (f *rulings) removed(now time.Time) {
	f.seeded.stay = hearsay.Stay{}
	f.overlay.Withdraw(now)
	if f.roster.HasLeft() {
		return
	}
	f.roster.Rejoin(now)
	f.seeded.petitions.Prune(func(hearsay.Stay) bool { return false }) // one that is out reports nobody
	f.seeded.petitions.Register(now)
}
