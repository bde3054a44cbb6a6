package quorum

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// startListed starts a seed with a list of its own.
func (w *world) startListed(m *machine, seeds []ledger.Seed, slot int) {
	w.T.Helper()
	cfg := w.cfg
	cfg.Seeds, cfg.Slot = seeds, slot
	m.Out, m.Life = &core.Effects{}, m.Life+1
	q, err := New(cfg, m.Signer, rand.New(rand.NewPCG(uint64(slot), 2)), Directory{}, m.Disk.Load(), &m.Stats, m.Out, w.Now)
	if err != nil {
		w.T.Fatal(err)
	}
	m.Q = q
	w.Step(m, func() { q.Tick(w.Now) })
}

// tally counts what seeds tell, by kind and text.
func (w *world) tally() (count func(kind hearsay.EventKind, text string) int) {
	var told []hearsay.Event
	w.Teller = func(_ *machine, e hearsay.Event) { told = append(told, e) }
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
	w.Start(w.Machines[0])
	q := w.Machines[0].Q
	if want := "the network is not founded yet"; !q.Waits() || !strings.Contains(q.Why(), want) {
		t.Errorf("just started: waits %t, %q", q.Waits(), q.Why())
	}
	w.Run(foundAfter + time.Second)
	if want := "the network is not founded: 1 of 3 seeds were met, " + at(1) + " and " + at(2) + " are missing: start them"; q.Why() != want {
		t.Errorf("alone: %q", q.Why())
	}
	w.Start(w.Machines[1])
	w.Run(foundAfter + time.Second)
	want := "the network is not founded: 2 of 3 seeds were met, " + at(2) + " is missing: start it, or start this seed again with --found if that one has no ledger"
	if q.Why() != want || told(hearsay.EventSeatWaiting, want) != 2 {
		t.Errorf("two of three: %q, said %d times", q.Why(), told(hearsay.EventSeatWaiting, want))
	}
	for slot, want := range []string{"this seed", "met, without a ledger", "not met"} {
		if seat, note := q.Note(w.Now, slot); note != want || seat.Key.IsZero() != (slot == 2) {
			t.Errorf("slot %d: %q, key %v", slot, note, seat.Key)
		}
	}
	if n := told(hearsay.EventQuorumLost, ""); n != 0 {
		t.Errorf("%d times a quorum was lost that never was", n)
	}
	w.Start(w.Machines[2])
	w.Must(10*time.Second, "founded", w.agree)
	if _, note := q.Note(w.Now, 1); q.Waits() || q.Why() != "" || note != "" {
		t.Errorf("founded: waits %t, %q, %q", q.Waits(), q.Why(), note)
	}
	f := w.newFollower() // before anything is ruled
	w.Run(10 * time.Second)
	if why := f.Why(); why != "" {
		t.Errorf("founded, and nobody in yet: a peer says %q", why)
	}
}

// Seeds with other lists say of each other that they have.
func TestOtherLists(t *testing.T) {
	w := newWorld(t, 3, 3)
	told := w.tally()
	longer := append([]ledger.Seed{{Addr: seedAddr(200)}, {Addr: seedAddr(201)}}, w.cfg.Seeds...)
	w.Start(w.Machines[0])
	w.Start(w.Machines[1])
	w.startListed(w.Machines[2], longer, 4)
	w.Run(5 * time.Second)
	want := func(slot int) string {
		return "the seed at " + at(slot) + " has another list of seeds than this node: want the same file everywhere"
	}
	if why := w.Machines[0].Q.Why(); why != "the network is not founded: 2 of 3 seeds were met; "+want(2) {
		t.Errorf("of the right ones: %q", why)
	}
	if why := w.Machines[2].Q.Why(); !strings.Contains(why, want(0)) || !strings.Contains(why, want(1)) || !strings.Contains(why, at(200)+" and "+at(201)+" are missing") {
		t.Errorf("of the wrong one: %q", why)
	}
	if _, note := w.Machines[0].Q.Note(w.Now, 2); note != "has another list of seeds" {
		t.Errorf("noted %q", note)
	}
	w.Run(5 * time.Minute)
	if n := told(hearsay.EventSeedDiffers, want(2)); n != 2 {
		t.Errorf("told %d times by two", n)
	}
	w.Crash(w.Machines[2])
	w.Start(w.Machines[2])
	w.Must(10*time.Second, "with the right list it takes part", w.agree)
	if why := w.Machines[0].Q.Why(); why != "" {
		t.Errorf("all is well, and %q", why)
	}

	// One that comes to a network that is founded is told of, too.
	w.Wipe(w.Machines[1])
	w.startListed(w.Machines[1], longer, 3)
	w.Run(5 * time.Second)
	if _, note := w.Machines[0].Q.Note(w.Now, 1); note != "has another list of seeds" || told(hearsay.EventSeedDiffers, want(1)) < 2 {
		t.Errorf("noted %q, told %d times", note, told(hearsay.EventSeedDiffers, want(1)))
	}
}

// That a seed of a founded network was started with another list is known for as long as it is so,
// to all seeds and peers, and for some seconds longer at most.
func TestAnotherListStaysKnown(t *testing.T) {
	const note = "has another list of seeds"
	w := followed(t, 9, 2)
	f := w.newFollower()
	w.Must(10*time.Second, "a peer follows", w.follows)
	w.Run(clockFirst + ledger.ClockAnswer) // they know the time of each other, and ask seldom
	wrong := slices.Clone(w.cfg.Seeds)
	wrong[2].Addr = seedAddr(200)
	w.Crash(w.Machines[1])
	w.startListed(w.Machines[1], wrong, 1)
	w.Run(clockEvery + ledger.MismatchAskEvery)
	lacks := 0 // seconds
	for range 180 {
		w.Run(time.Second)
		_, first := w.Machines[0].Q.Note(w.Now, 1)
		_, own := w.Machines[1].Q.Note(w.Now, 0)
		_, third := w.Machines[2].Q.Note(w.Now, 1)
		if first != note || own != note || third != note || f.Note(1) != note || !strings.Contains(w.Machines[1].Q.Why(), at(0)+" "+note) {
			lacks++
		}
	}
	if lacks > 0 {
		t.Errorf("for %d of 180 seconds not all say so", lacks)
	}
	w.Crash(w.Machines[1])
	w.Start(w.Machines[1])
	w.Run(3 * ledger.MismatchAskEvery)
	for slot := range w.Machines {
		if why := w.Machines[slot].Q.Why(); why != "" || f.Note(slot) != "" {
			t.Errorf("it has the right list again, and seed %d says %q, a peer %q", slot, why, f.Note(slot))
		}
	}
}

// Who is at no seed's address does not get a word into the log.
func TestStrangersListIsNotTold(t *testing.T) {
	w := followed(t, 4, 1)
	told := w.tally()
	m, stranger := w.Machines[0], newKeyed(666)
	for i := range 2000 {
		h := &core.SeatHello{Versions: ledger.Versions(), Slot: uint8(i % hearsay.MaxSeeds), Config: hearsay.Hash{1}, Nonce: uint64(i), Answer: i%2 == 0}
		h.Sign(testNetwork, stranger)
		p := core.Packet{Addr: w.People[0].Addr, Stream: true, Body: h}
		if i%3 == 0 {
			p.Addr = seedAddr(1)
		}
		w.Step(m, func() { m.Q.Receive(w.Now, &p) })
		w.Run(time.Millisecond)
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
	w.startListed(w.Machines[0], wrong, 0)
	w.Start(w.Machines[1])
	w.Start(w.Machines[2])
	w.Run(10 * time.Second)
	want := keyMismatch(1, w.Machines[1].Signer.Public(), wrong[1].Key)
	if n := told(hearsay.EventSeedDiffers, want); n != 1 || !strings.Contains(w.Machines[0].Q.Why(), want) {
		t.Errorf("told %d times, %q", n, w.Machines[0].Q.Why())
	}
}

func keyMismatch(slot int, has, pinned hearsay.PublicKey) string {
	return fmt.Sprintf("the seed at %s has key %x, and the list pins %x for it: nothing it says is believed; correct the third column, or %s is not your seed", at(slot), has, pinned, at(slot))
}
