package follower

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"
)

// crowded is a peer with a roster that somebody made up: its members' identities begin alike.
func crowded(t *testing.T, members int) (w *world, f *following, parts []*core.RosterPart) {
	w = followed(t, 101, 3)
	f = w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	f.Deaf = true
	r := &hearsay.Ruling{Epoch: 1 << 40, Kind: hearsay.RulingLeave}
	return w, f, ledger.RosterParts(w.Random, r, nil, quorumtest.GuestsAlike(members))
}

// gives has a peer take a roster from somebody.
func (w *world) gives(f *following, by netip.AddrPort, parts []*core.RosterPart) {
	for _, part := range parts {
		f.Step(func() { f.Receive(w.Now, from(by, part)) })
	}
}

// A step of a peer looks at few members of a roster that is not proven, whatever their identities
// are, and copies none.
func TestRosterThatIsMadeUpCostsLittleAStep(t *testing.T) {
	const members = 20_000
	w, f, parts := crowded(t, members)
	for slot := range f.cfg.Seeds { // so many may have been admitted
		f.chain.Ahead[slot].Epoch = members
	}
	f.asked = stranger
	w.gives(f, stranger, parts)
	seen := f.gathering.count
	var took []time.Duration
	for f.gathering.parts != nil {
		w.Now = w.Now.Add(ledger.RestEach)
		began := time.Now()
		f.Tick(w.Now)
		took = append(took, time.Since(began))
		g := &f.gathering
		if n := g.count - min(seen, g.count); n > ledger.JoinsAStep {
			t.Fatalf("a step looks at %d members, want at most %d", n, ledger.JoinsAStep)
		}
		if g.roster.Count > 0 {
			t.Fatalf("%d members of it are in a roster before it is proven", g.roster.Count)
		}
		seen = max(seen, g.count)
	}
	slices.Sort(took)
	t.Logf("the middle one of %d steps takes %v, the slowest %v", len(took), took[len(took)/2], took[len(took)-1])
	if seen+ledger.JoinsAStep < members || f.Drops[hearsay.DropUnproven] != 1 {
		t.Errorf("%d members were looked at, and %d rosters refused", seen, f.Drops[hearsay.DropUnproven])
	}
}

// A roster of more members than were ever admitted is not kept, not even its first part.
func TestRosterLargerThanTheLedgerIsNotKept(t *testing.T) {
	w, f, parts := crowded(t, rosterLeast+1)
	f.asked = stranger
	w.gives(f, stranger, parts)
	if f.gathering.parts != nil || f.Drops[hearsay.DropUnexpected] != uint64(len(parts)) {
		t.Errorf("%d of %d parts are kept of a roster of %d in epoch %d", f.gathering.got, len(parts), rosterLeast+1, f.Epoch())
	}
}

// A seed's roster is taken only if it was asked for.
func TestRosterOfASeedThatWasNotAsked(t *testing.T) {
	w, f, parts := crowded(t, 3)
	f.asked, f.askedAt = stranger, [hearsay.MaxSeeds]time.Time{}
	w.gives(f, seedAddr(1), parts)
	if f.gathering.parts != nil {
		t.Error("a roster that nobody has asked for is gathered")
	}
	f.request(w.Now, seedAddr(1), 0)
	w.gives(f, seedAddr(1), parts)
	if f.Drops[hearsay.DropUnproven] != 1 {
		t.Error("one that was asked for is not looked at")
	}
}

// A sender whose roster was not proven does not begin again at once; another does.
func TestUnprovenRosterHoldsOffItsSender(t *testing.T) {
	w, f, parts := crowded(t, 3)
	refused := func() uint64 { return f.Drops[hearsay.DropUnproven] }
	f.asked = stranger
	w.gives(f, stranger, parts)
	w.gives(f, stranger, parts)
	if refused() != 1 {
		t.Errorf("%d rosters of one sender were looked at, want 1", refused())
	}
	f.asked = seedAddr(1)
	w.gives(f, seedAddr(1), parts)
	if refused() != 2 {
		t.Errorf("another's was not looked at: %d", refused())
	}
	w.Now = w.Now.Add(unprovenRest)
	f.asked = stranger
	w.gives(f, stranger, parts)
	if refused() != 3 {
		t.Errorf("after %v it may not begin again: %d", unprovenRest, refused())
	}
}
