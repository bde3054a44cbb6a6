package follower

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"
)

// Nor do they, or forged rulings about seats, keep peers from following.
func TestForgedProofsDoNotStopFollowers(t *testing.T) {
	w := followed(t, 32, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	forged := &hearsay.Ruling{Epoch: 1 << 40, Kind: hearsay.RulingSeat, Case: 1 << 40, Seats: []hearsay.Seat{{Slot: 1, Key: newKeyed(1).Public(), Life: hearsay.Life{1}}}}
	for slot := range uint8(hearsay.MaxSeeds) {
		b := hearsay.Ballot{Case: forged.Case, About: forged.About(testNetwork), Slot: slot % 3, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}}
		b.Sign(w.Ledger(), newKeyed(7777))
		forged.Ballots = append(forged.Ballots, b)
	}
	items := make([]*hearsay.Ruling, core.MaxRulings)
	for i := range items {
		items[i] = forged
	}
	w.Flood(time.Millisecond, func() {
		f.Step(func() {
			f.Receive(w.Now, from(stranger, &core.Rulings{Heads: w.ForgedHeads(3)}))
			f.Receive(w.Now, from(stranger, &core.Rulings{Items: items}))
		})
	})
	w.Run(time.Second)
	w.NewPerson()
	w.Must(4*time.Second, "it follows still", func() bool { return f.Epoch() == 4 })
}

// A stranger who talks does not become the only one who is asked, and does not
// keep a peer from asking.
func TestStrangersAreNotAsked(t *testing.T) {
	for _, every := range []time.Duration{7 * time.Millisecond, 900 * time.Millisecond} {
		w := followed(t, 33, 3)
		late := w.newFollower()
		w.Flood(every, func() { late.Step(func() { late.Receive(w.Now, from(stranger, &core.Rulings{})) }) })
		w.Must(5*time.Second, "a newcomer follows", w.Follow)
		w.NewPerson()
		w.Must(8*time.Second, "it follows a change that nobody tells it", func() bool { return late.Epoch() == 4 })
	}
}

// Parts of a roster that was not asked for do not stand in the way of one that
// was.
func TestStrangersRostersAreNotTaken(t *testing.T) {
	w := followed(t, 34, 3)
	w.truncate(2)
	f := w.newFollower()
	part := func(parts uint16) *core.RosterPart {
		return &core.RosterPart{Ruling: &hearsay.Ruling{Epoch: 9, Kind: hearsay.RulingAdmit}, Parts: parts}
	}
	w.Flood(10*time.Millisecond, func() {
		f.Step(func() { f.Receive(w.Now, from(stranger, part(2))) })
	})
	w.Must(4*time.Second, "it follows", w.Follow)
}

// A neighbor that goes on answering with what nobody has signed is not asked on
// for ever.
func TestSlowLiarIsLeft(t *testing.T) {
	w := followed(t, 35, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	f.Links, f.Deaf = []netip.AddrPort{stranger}, true
	for range 200 {
		w.NewPerson()
	}
	w.Must(20*time.Second, "more are in", func() bool { return w.Machines[0].Q.Epoch() == 203 && w.Agree() })
	f.Deaf, f.asked = false, stranger
	f.Step(func() { f.Receive(w.Now, from(stranger, &core.Rulings{Heads: w.Machines[0].Q.Heads()})) })
	w.Flood(400*time.Millisecond, func() {
		if f.asked == stranger {
			r := &hearsay.Ruling{Epoch: f.chain.Epoch() + 1, Kind: hearsay.RulingLeave, Previous: f.chain.HeadHash()}
			f.Step(func() { f.Receive(w.Now, from(stranger, &core.Rulings{Items: []*hearsay.Ruling{r}})) })
		}
	})
	w.Must(45*time.Second, "it follows again", w.Follow)
}

// A roster of which only a part gets through at a time comes whole in the end.
func TestLargeRosterComesInPieces(t *testing.T) {
	w := followed(t, 36, 1)
	for range 3 * core.MaxRosterMembers {
		w.NewPerson()
	}
	n := hearsay.Epoch(3*core.MaxRosterMembers + 1)
	w.Must(time.Minute, "all are in", func() bool { return w.Machines[0].Q.Epoch() == n && w.Agree() })
	f := w.newFollower()
	w.Must(5*time.Second, "it has met them", func() bool { return !f.seats.pins[0].Seat.Key.IsZero() && !f.seats.pins[1].Seat.Key.IsZero() })
	f.Deaf = true
	f.Start()
	f.chain.Begin(w.Ledger().Founding) // as their hellos say
	for range 10 {
		parts := ledger.RosterParts(w.Random, w.Machines[0].Q.Rulings(n-1, 1)[0], w.Machines[0].Q.Heads(), w.Machines[0].Q.Roster(nil))
		f.asked = seedAddr(0)
		for _, part := range parts[:2] {
			f.Step(func() { f.Receive(w.Now, from(seedAddr(0), quorumtest.Reread(t, part))) })
		}
	}
	if g := &f.gathering; g.count > ledger.JoinsAStep {
		t.Errorf("a step looks at %d members, want at most %d", g.count, ledger.JoinsAStep)
	}
	if !f.gathering.full() {
		t.Errorf("after ten times it has %d of %d parts", f.gathering.got, len(f.gathering.parts))
	}
	w.Must(2*time.Second, "all claims are verified", func() bool { return f.Epoch() == n })
}
