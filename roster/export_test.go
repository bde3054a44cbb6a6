package roster

import (
	"encoding/binary"
	"slices"
	"time"

	"hearsay"
)

// SelfClaim is this node's own signed claim.
func (r *Roster) SelfClaim() hearsay.Claim { return r.members.claim(r.members.self, withCard) }

// Crowd lists n made-up members without asking for their word.
func (r *Roster) Crowd(n int, state hearsay.State) {
	for range n {
		var id hearsay.NodeID
		binary.LittleEndian.PutUint64(id[8:], r.random.Uint64())
		m := r.members.put(id, 1, &hearsay.Card{})
		m.state = state
		if state.Living() {
			r.members.living.add(r.members.number(m))
		} else {
			r.members.gone.add(r.members.number(m))
		}
	}
}

// AnswerHints has all answer whose addresses are hints.
func (r *Roster) AnswerHints(now time.Time) {
	for _, round := range r.hints.rounds {
		for _, one := range slices.Clone(round) {
			if !one.over {
				r.hints.ack(now, r.hints.word(one).Subject, one.seq)
			}
		}
	}
}

// Hints counts those whose addresses have not answered.
func (r *Roster) Hints() int { return len(r.hints.byID) }

// Remembered counts what is kept beside the lists, by numbers that others get
// once their members are forgotten.
func (r *Roster) Remembered() int { return len(r.members.held) + len(r.members.met) }

// Exhaust has no more claims taken in this step.
func (r *Roster) Exhaust() { r.budgets.work = workAStep }

// WaitingClaims counts the claims that wait for a step.
func (r *Roster) WaitingClaims() (n int) {
	for i := range r.queue.list {
		n += len(r.queue.list[i].packet.Claims)
	}
	return n
}

// Forget remembers a member as it does one that was forgotten.
func (r *Roster) Forget(now time.Time, c hearsay.Claim, left bool) {
	one := contact{addr: c.Card.Addr, id: c.Subject, incarnation: c.Incarnation}
	if left {
		r.addresses.left = append(r.addresses.left, one)
	} else {
		r.addresses.former = append(r.addresses.former, one)
	}
}

// HintsQueued counts what is kept of hints, also of those that are over.
func (r *Roster) HintsQueued() (n int) {
	for _, round := range r.hints.rounds {
		n += len(round)
	}
	return n
}

// Pending counts the deaths that were told and are not believed yet.
func (r *Roster) Pending() int { return len(r.deaths.pending) }
