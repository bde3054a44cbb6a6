package roster

import (
	"cmp"
	"slices"
	"time"

	"hearsay"
)

// forgetCheck is how often the gone are looked through for those that are to be forgotten.
const forgetCheck = time.Minute

// tickForget forgets the members that have been gone for ForgetAfter. Their addresses stay contacts.
func (r *Roster) tickForget(now time.Time) {
	r.budgets.forget(now)
	for i := 0; i < len(r.members.gone); {
		m := r.members.at(r.members.gone[i])
		if now.Sub(r.members.since(m)) < r.cfg.ForgetAfter {
			i++
			continue
		}
		r.forget(now, m)
	}
}

// roomMade bounds how many are forgotten at once when the table of members is
// full: looking for them takes longer the more there are.
const roomMade = 256

// makeRoom forgets the members that have been gone longest, a sixteenth of all.
func (r *Roster) makeRoom(now time.Time) {
	oldest := slices.SortedFunc(slices.Values(r.members.gone), func(i, j int32) int {
		a, b := r.members.at(i), r.members.at(j)
		return cmp.Or(r.members.since(a).Compare(r.members.since(b)), r.members.id(a).Compare(r.members.id(b)))
	})
	for _, number := range oldest[:min(len(oldest)/16+1, roomMade)] {
		r.forget(now, r.members.at(number))
	}
}

// forget takes a member off the list that is gone. Of a dead one its address remains, on disk too, and of one that
// left the incarnation that is over; the oldest makes room.
func (r *Roster) forget(now time.Time, m *member) {
	number, state := r.members.number(m), r.members.stateOf(m)
	r.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberForgotten, Subject: r.members.id(m), State: state})
	if m.told >= 0 {
		r.news.drop(m, number)
	}
	r.members.gone.remove(number)
	delete(r.members.held, number)
	r.addresses.remove(r.members.id(m))
	r.addresses.retire(m, state)
	delete(r.members.met, number)
	r.members.remove(m)
}
