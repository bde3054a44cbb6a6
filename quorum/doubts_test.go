package quorum

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// startListed starts a seed with a list of its own.
func (w *world) startListed(m *machine, seeds []ledger.Seed, slot int) {
	w.t.Helper()
	cfg := w.cfg
	cfg.Seeds, cfg.Slot = seeds, slot
	m.out, m.life = &hearsay.Effects{}, m.life+1
	q, err := New(cfg, m.signer, rand.New(rand.NewPCG(uint64(slot), 2)), Directory{}, m.disk.load(), &m.drops, m.out, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	m.q = q
	w.step(m, func() { q.Tick(w.now) })
}

// tally counts what seeds tell, by kind and text.
func (w *world) tally() (count func(kind hearsay.EventKind, text string) int) {
	var told []hearsay.Event
	w.teller = func(_ *machine, e hearsay.Event) { told = append(told, e) }
	return func(kind hearsay.EventKind, text string) (n int) {
		for _, e := range told {
			if e.Kind == kind && strings.Contains(e.Text, text) {
				n++
			}
		}
		return n
	}
}

func at(slot int) string { return seedAddr(slot).String() }

// That a network is not founded is said soon, with what lacks; not that no
// quorum is heard of a network that there is none of.
func TestUnfoundedSaysSo(t *testing.T) {
	w := newWorld(t, 3, 2)
	told := w.tally()
	w.start(w.machines[0])
	q := w.machines[0].q
	if want := "the network is not founded yet"; !q.Waits() || !strings.Contains(q.Why(), want) {
		t.Errorf("just started: waits %t, %q", q.Waits(), q.Why())
	}
	w.run(foundAfter + time.Second)
	if want := "the network is not founded: 1 of 3 seeds were met, " + at(1) + " and " + at(2) + " are missing: start them"; q.Why() != want {
		t.Errorf("alone: %q", q.Why())
	}
	w.start(w.machines[1])
	w.run(foundAfter + time.Second)
	want := "the network is not founded: 2 of 3 seeds were met, " + at(2) + " is missing: start it, or start this seed again with --found if that one has no ledger"
	if q.Why() != want || told(hearsay.EventSeatWaiting, want) != 2 {
		t.Errorf("two of three: %q, said %d times", q.Why(), told(hearsay.EventSeatWaiting, want))
	}
	for slot, want := range []string{"this seed", "met, without a ledger", "not met"} {
		if seat, note := q.Note(w.now, slot); note != want || seat.Key.IsZero() != (slot == 2) {
			t.Errorf("slot %d: %q, key %v", slot, note, seat.Key)
		}
	}
	if n := told(hearsay.EventQuorumLost, ""); n != 0 {
		t.Errorf("%d times a quorum was lost that never was", n)
	}
	w.start(w.machines[2])
	w.must(10*time.Second, "founded", w.agree)
	if _, note := q.Note(w.now, 1); q.Waits() || q.Why() != "" || note != "" {
		t.Errorf("founded: waits %t, %q, %q", q.Waits(), q.Why(), note)
	}
	f := w.newFollower() // before anything is ruled
	w.run(10 * time.Second)
	if why := f.Why(); why != "" {
		t.Errorf("founded, and nobody in yet: a peer says %q", why)
	}
}

// Seeds with other lists say of each other that they have.
func TestOtherLists(t *testing.T) {
	w := newWorld(t, 3, 3)
	told := w.tally()
	longer := append([]ledger.Seed{{Addr: seedAddr(200)}, {Addr: seedAddr(201)}}, w.cfg.Seeds...)
	w.start(w.machines[0])
	w.start(w.machines[1])
	w.startListed(w.machines[2], longer, 4)
	w.run(5 * time.Second)
	want := func(slot int) string {
		return "the seed at " + at(slot) + " has another list of seeds than this node: want the same file everywhere"
	}
	if why := w.machines[0].q.Why(); why != "the network is not founded: 2 of 3 seeds were met; "+want(2) {
		t.Errorf("of the right ones: %q", why)
	}
	if why := w.machines[2].q.Why(); !strings.Contains(why, want(0)) || !strings.Contains(why, want(1)) || !strings.Contains(why, at(200)+" and "+at(201)+" are missing") {
		t.Errorf("of the wrong one: %q", why)
	}
	if _, note := w.machines[0].q.Note(w.now, 2); note != "has another list of seeds" {
		t.Errorf("noted %q", note)
	}
	w.run(5 * time.Minute)
	if n := told(hearsay.EventSeedDiffers, want(2)); n != 2 {
		t.Errorf("told %d times by two", n)
	}
	w.crash(w.machines[2])
	w.start(w.machines[2])
	w.must(10*time.Second, "with the right list it takes part", w.agree)
	if why := w.machines[0].q.Why(); why != "" {
		t.Errorf("all is well, and %q", why)
	}

	// One that comes to a network that is founded is told of, too.
	w.wipe(w.machines[1])
	w.startListed(w.machines[1], longer, 3)
	w.run(5 * time.Second)
	if _, note := w.machines[0].q.Note(w.now, 1); note != "has another list of seeds" || told(hearsay.EventSeedDiffers, want(1)) < 2 {
		t.Errorf("noted %q, told %d times", note, told(hearsay.EventSeedDiffers, want(1)))
	}
}

// That a seed of a founded network was started with another list is known for as long as it is so,
// to all seeds and peers, and for some seconds longer at most.
func TestAnotherListStaysKnown(t *testing.T) {
	const note = "has another list of seeds"
	w := followed(t, 9, 2)
	f := w.newFollower()
	w.must(10*time.Second, "a peer follows", w.follows)
	w.run(clockFirst + clockAnswer) // they know the time of each other, and ask seldom
	wrong := slices.Clone(w.cfg.Seeds)
	wrong[2].Addr = seedAddr(200)
	w.crash(w.machines[1])
	w.startListed(w.machines[1], wrong, 1)
	w.run(clockEvery + doubtedEvery)
	lacks := 0 // seconds
	for range 180 {
		w.run(time.Second)
		_, first := w.machines[0].q.Note(w.now, 1)
		_, own := w.machines[1].q.Note(w.now, 0)
		_, third := w.machines[2].q.Note(w.now, 1)
		if first != note || own != note || third != note || f.Note(1) != note || !strings.Contains(w.machines[1].q.Why(), at(0)+" "+note) {
			lacks++
		}
	}
	if lacks > 0 {
		t.Errorf("for %d of 180 seconds not all say so", lacks)
	}
	w.crash(w.machines[1])
	w.start(w.machines[1])
	w.run(3 * doubtedEvery)
	for slot := range w.machines {
		if why := w.machines[slot].q.Why(); why != "" || f.Note(slot) != "" {
			t.Errorf("it has the right list again, and seed %d says %q, a peer %q", slot, why, f.Note(slot))
		}
	}
}

// Who is at no seed's address does not get a word into the log.
func TestStrangersListIsNotTold(t *testing.T) {
	w := followed(t, 4, 1)
	told := w.tally()
	m, stranger := w.machines[0], newKeyed(666)
	for i := range 2000 {
		h := &hearsay.SeatHello{Slot: uint8(i % hearsay.MaxSeeds), Config: hearsay.Hash{1}, Nonce: uint64(i), Answer: i%2 == 0}
		h.Sign(testNetwork, stranger)
		p := hearsay.Packet{Addr: w.people[0].addr, Stream: true, Body: h}
		if i%3 == 0 {
			p.Addr = seedAddr(1)
		}
		w.step(m, func() { m.q.Receive(w.now, &p) })
		w.run(time.Millisecond)
	}
	if n := told(hearsay.EventSeedDiffers, ""); n != 0 {
		t.Errorf("a stranger has %d lines written", n)
	}
}

// A seed that has another key than the list pins is not believed, and said so.
func TestPinnedOtherKey(t *testing.T) {
	w := newWorld(t, 3, 5)
	told := w.tally()
	wrong := slices.Clone(w.cfg.Seeds)
	wrong[1].Key = newKeyed(77).Public()
	w.startListed(w.machines[0], wrong, 0)
	w.start(w.machines[1])
	w.start(w.machines[2])
	w.run(10 * time.Second)
	want := keyDoubt(1, w.machines[1].signer.Public(), wrong[1].Key)
	if n := told(hearsay.EventSeedDiffers, want); n != 1 || !strings.Contains(w.machines[0].q.Why(), want) {
		t.Errorf("told %d times, %q", n, w.machines[0].q.Why())
	}
}

func keyDoubt(slot int, has, pinned hearsay.PublicKey) string {
	return fmt.Sprintf("the seed at %s has key %x, and the list pins %x for it: nothing it says is believed; correct the third column, or %s is not your seed", at(slot), has, pinned, at(slot))
}

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
	w.run(10 * time.Second)
	for slot := range wrong {
		want := keyDoubt(slot, w.machines[slot].signer.Public(), wrong[slot].Key)
		if !strings.Contains(f.Why(), want) || f.count(want) != 1 || f.Note(slot) != "has another key than the list pins" {
			t.Errorf("told %d times of slot %d, noted %q, %q", f.count(want), slot, f.Note(slot), f.Why())
		}
	}
	w.cfg.Seeds = append([]ledger.Seed{{Addr: seedAddr(200)}, {Addr: seedAddr(201)}}, right...)
	f.start()
	w.run(10 * time.Second)
	want := "the seed at " + at(2) + " has another list of seeds than this node: want the same file everywhere"
	if !strings.Contains(f.Why(), want) || f.count(want) != 1 || f.Note(4) != "has another list of seeds" {
		t.Errorf("told %d times, noted %q, %q", f.count(want), f.Note(4), f.Why())
	}
	w.cfg.Seeds = append(slices.Clone(right[:2]), ledger.Seed{Addr: seedAddr(2)}, ledger.Seed{Addr: seedAddr(200)})
	f.start()
	w.must(10*time.Second, "a list that is nearly right will do", w.follows)
	if !strings.Contains(f.Why(), "has another list of seeds than this node") || f.Note(0) != "has another list of seeds" || f.Apart() || !f.Met(0) {
		t.Errorf("it follows, and %q, noted %q", f.Why(), f.Note(0))
	}
	w.cfg.Seeds = right
	f.start()
	w.must(10*time.Second, "with the right list it follows", w.follows)
	if f.Why() != "" || f.count("") != 0 {
		t.Errorf("it follows, and %q, told %d", f.Why(), f.count(""))
	}
}

// count counts what the follower has told of seeds that are not as listed.
func (f *following) count(text string) (n int) {
	for _, e := range f.told {
		if e.Kind == hearsay.EventSeedDiffers && strings.Contains(e.Text, text) {
			n++
		}
	}
	return n
}
