package follower

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"
)

// A peer whose list pins wrong keys, or names other seeds, says so; and no more
// when it follows.
func TestFollowerSaysWhyItDoesNotFollow(t *testing.T) {
	w := followed(t, 6, 2)
	right := w.cfg.Seeds
	wrong := slices.Clone(right)
	for slot := range wrong {
		wrong[slot].Key = newKeyed(uint64(70 + slot)).Public()
	}
	w.cfg.Seeds = wrong
	f := w.newFollower()
	w.Run(10 * time.Second)
	for slot := range wrong {
		want := ledger.OtherKey(seedAddr(slot), w.Machines[slot].Signer.Public(), wrong[slot].Key).Text
		if !strings.Contains(f.Why(), want) || f.Count(want) != 1 || f.Note(slot) != "has another key than the list pins" {
			t.Errorf("told %d times of slot %d, noted %q, %q", f.Count(want), slot, f.Note(slot), f.Why())
		}
	}
	w.cfg.Seeds = append([]ledger.Seed{{Addr: seedAddr(200)}, {Addr: seedAddr(201)}}, right...)
	f.Start()
	w.Run(10 * time.Second)
	want := "the seed at " + seedAddr(2).String() + " has another list of seeds than this node: want the same file everywhere"
	if !strings.Contains(f.Why(), want) || f.Count(want) != 1 || f.Note(4) != "has another list of seeds" {
		t.Errorf("told %d times, noted %q, %q", f.Count(want), f.Note(4), f.Why())
	}
	w.cfg.Seeds = append(slices.Clone(right[:2]), ledger.Seed{Addr: seedAddr(2)}, ledger.Seed{Addr: seedAddr(200)})
	f.Start()
	w.Must(10*time.Second, "a list that is nearly right will do", w.Follow)
	if !strings.Contains(f.Why(), "has another list of seeds than this node") || f.Note(0) != "has another list of seeds" || f.Apart() || !f.Met(0) {
		t.Errorf("it follows, and %q, noted %q", f.Why(), f.Note(0))
	}
	w.cfg.Seeds = right
	f.Start()
	w.Must(10*time.Second, "with the right list it follows", w.Follow)
	if f.Why() != "" || f.Count("") != 0 {
		t.Errorf("it follows, and %q, told %d", f.Why(), f.Count(""))
	}
}

// What is wrong with a seed ends some time after the last answer, and says when that was: a peer that follows the
// others does not tell of it for ever.
func TestMismatchOfASeedThatIsGoneEnds(t *testing.T) {
	w := followed(t, 25, 2)
	w.cfg.Seeds = slices.Clone(w.cfg.Seeds)
	w.cfg.Seeds[2].Key = newKeyed(77).Public()
	f := w.newFollower()
	w.Run(10 * time.Second)
	want := ledger.OtherKey(seedAddr(2), w.Machines[2].Signer.Public(), w.cfg.Seeds[2].Key).Text
	if f.Why() != want || f.Apart() {
		t.Fatalf("it says %q", f.Why())
	}
	w.Crash(w.Machines[2])
	w.Run(mismatchesFor / 2)
	if why := f.Why(); !strings.HasPrefix(why, want+"; nothing has answered there since 20") {
		t.Errorf("once it is gone it says %q", why)
	}
	w.Run(mismatchesFor)
	if f.Why() != "" || f.Apart() || f.Note(2) != NotAnswered && strings.Contains(f.Note(2), "key than") {
		t.Errorf("long after it is gone it says %q, and notes %q", f.Why(), f.Note(2))
	}
}

// What another than the seed of the ledger answers at its address does not count as heard from that seed: also where
// it says that it has another slot, which is no mismatch.
func TestAnswerOfAnotherIsNotHeardOfASeed(t *testing.T) {
	w := followed(t, 26, 2)
	f := w.newFollower()
	w.Run(10 * time.Second)
	if at, other := f.HeardAt(2); at.IsZero() || !f.Met(2) || !other.IsZero() {
		t.Fatal("the seed is not heard: the test shows nothing")
	}
	w.Crash(w.Machines[2])
	rogue := newKeyed(78)
	f.seats.nonces[2] = 99
	m := &core.SeatHello{Versions: f.cfg.Versions, Slot: 1, Key: rogue.Public(), Config: f.seats.config, Nonce: 99, Answer: true}
	m.Sign(f.cfg.Network, rogue)
	before := f.stats.Drops[hearsay.DropStranger]
	f.seats.seatHello(w.Now, quota.Sender{}, m)
	if f.stats.Drops[hearsay.DropStranger] != before+1 {
		t.Fatal("the answer was not looked at: the test shows nothing")
	}
	if at, other := f.HeardAt(2); !at.IsZero() || !other.Equal(w.Now) || f.Met(2) {
		t.Errorf("the seed was heard at %v, and it was another, at %v (now it is %v)", at, other, w.Now)
	}
}
