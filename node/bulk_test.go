package node_test

import (
	"net/netip"
	"runtime"
	"runtime/debug"
	"testing"

	"hearsay/ledger"
)

// TestBulkTakesManySteps: a peer that takes over a roster of hundreds, and one that
// lacks a thousand rulings which are proven all at once, do a part of it in each
// step, so that pings are answered between.
func TestBulkTakesManySteps(t *testing.T) {
	if testing.Short() {
		t.Skip("admits thousands")
	}
	const (
		missed       = 2 * costMembers
		verifiesMost = 4 + 2*testSeeds // claims, and heads
		ruledMost    = 32
	)
	w, seed, _ := newSeeded(t)
	var seeds []ledger.Seed
	for _, n := range w.order[:testSeeds] {
		seeds = append(seeds, ledger.Seed{Addr: n.addr})
	}
	late := w.addPeer(netip.MustParseAddrPort("10.0.0.10:7000"), seeds)
	w.until("let in", func() bool { return late.Joined() && late.Seeded().Epoch() == seed.Seeded().Epoch() })
	if s := late.Stats(); s.Alive < costMembers {
		t.Fatalf("it lists %d members", s.Alive)
	}
	if late.largest.verified > verifiesMost {
		t.Errorf("it verified %d signatures in one step of taking over a roster, may verify %d", late.largest.verified, verifiesMost)
	}
	late.cut, late.largest = true, load{}
	for end := seed.Seeded().Epoch() + missed; seed.Seeded().Epoch() < end; {
		w.comeAndGo(seed)
	}
	late.cut = false
	w.until("told", func() bool { return late.Seeded().Epoch() == seed.Seeded().Epoch() })
	if late.largest.ruled > ruledMost || late.largest.verified > verifiesMost {
		t.Errorf("it applied %d rulings and verified %d signatures in one step, may do %d and %d",
			late.largest.ruled, late.largest.verified, ruledMost, verifiesMost)
	}
	if late.largest.ruled < 2 {
		t.Error("rulings came one by one: the test shows nothing")
	}
}

// TestSeedTakesManySteps: seeds whose log commits at once what a hundred have asked for do a
// part of it in each step, so that pings are answered between.
func TestSeedTakesManySteps(t *testing.T) {
	if testing.Short() {
		t.Skip("admits thousands")
	}
	const (
		verifiesMost = 4 + 1 // ballots or leaves, and the message of the log that commits them
		ruledMost    = 4
	)
	w, seed, _ := newSeeded(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // what is measured is the steps'
	w.trusting = false
	for _, n := range w.order[:testSeeds] {
		n.largest, n.dearest = load{}, step{}
	}
	w.comeAndGo(seed)
	for _, n := range w.order[:testSeeds] {
		t.Logf("%v: %+v in one step; the dearest took %v (%s)", n.addr, n.largest, n.dearest.took, n.dearest.what)
		if n.largest.verified > verifiesMost || n.largest.ruled > ruledMost {
			t.Errorf("%v verified %d signatures and ruled %d times in one step, may do %d and %d",
				n.addr, n.largest.verified, n.largest.ruled, verifiesMost, ruledMost)
		}
	}
}
