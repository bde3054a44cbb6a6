package follower

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// A neighbor that gives a roster cannot put words into the mouths of others:
// of the claims in it only the stays are proven.
func TestRosterWithOthersClaimsIsNotTaken(t *testing.T) {
	spoil := map[string]func(c *hearsay.Claim){
		"elsewhere":  func(*hearsay.Claim) {},
		"as a guest": func(c *hearsay.Claim) { c.Card.Key, c.Card.Signature = hearsay.PublicKey{}, hearsay.Signature{} },
		"as another": func(c *hearsay.Claim) { c.Card.Key = newKeyed(4711).Public() },
	}
	for name, do := range spoil {
		w := followed(t, 41, 3)
		w.truncate(2)
		f := w.newFollower()
		f.Deaf = true
		q := w.Machines[0].Q
		parts := ledger.RosterParts(w.Random, q.Rulings(2, 1)[0], q.Heads(), q.Roster(nil))
		liar := &parts[0].Members[1].Claim
		liar.Incarnation, liar.Card.Addr = 1<<62, stranger
		do(liar)
		for slot, m := range w.Machines {
			f.seats.pins[slot].Seat = m.Q.Seats(nil)[slot]
		}
		f.chain.Begin(w.Ledger().Founding)
		f.asked = stranger
		f.Step(func() { f.Receive(w.Now, from(stranger, parts[0])) })
		w.Run(20 * ledger.RestEach)
		if refused := f.Drops[hearsay.DropBadSignature] + f.Drops[hearsay.DropUnproven]; refused != 1 {
			t.Errorf("%s: the roster was refused %d times", name, refused)
		}
		if m, in := f.Member(liar.Subject); in && m.Claim.Card.Addr == stranger {
			t.Errorf("%s: it believes that %v is at %v", name, liar.Subject, stranger)
		}
		f.Deaf = false
		w.Must(10*time.Second, "it follows the seeds", w.Follow)
	}
}
