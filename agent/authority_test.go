package agent

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
)

// wantError checks that an error says what was wrong.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// TestOperator: the seeds decide what an operator asks for.
func TestOperator(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 3)
	withData := n.peer("b")
	withData.Data = filepath.Join(n.data, "b")
	withData.Petition.RefusedWait = 200 * time.Millisecond
	n.start("a")
	b := start(t, withData)
	n.peers = append(n.peers, b)
	n.agree(2, "a b")
	id := b.Self().ID

	for _, at := range []*Agent{n.seeds[0], n.peers[0]} {
		got, err := at.Remove(patient(t), "b")
		if err != nil || got.Code != hearsay.OutcomeWait || got.Stay.ID != id || got.Text == "" {
			t.Errorf("%s: %+v, %v; want that who answers stays", at.cfg.Name, got, err)
		}
	}
	await(t, n.seeds[0], "another seed", func() bool {
		return slices.ContainsFunc(n.seeds[0].Members(), func(m hearsay.Member) bool { return m.Name == "s2" })
	})
	_, err := n.seeds[0].Remove(patient(t), "s2")
	wantError(t, err, `remove: "s2" is a seed`)
	_, err = n.peers[0].Remove(patient(t), "nobody")
	wantError(t, err, `remove: "nobody": no member bears this name`)
	wantError(t, n.peers[0].Bar(patient(t), "b", "why not"), "ask a seed")

	if err := n.seeds[0].Bar(patient(t), "b", "it misbehaves"); err != nil {
		t.Fatal(err)
	}
	for _, s := range n.seeds {
		await(t, s, "the bar", func() bool { return len(s.Barred()) == 1 })
		if bar := s.Barred()[0]; bar.ID != id || bar.Why != "it misbehaves" || bar.At == 0 {
			t.Errorf("%s: %+v", s.cfg.Name, bar)
		}
	}
	if err := b.Leave(patient(t)); err != nil {
		t.Error(err)
	}
	n.peers = n.peers[:1]
	n.agree(3, "a")
	for _, each := range n.all() {
		if r := each.Ledger(2, 10); len(r) != 1 || r[0].Kind != hearsay.RulingLeave || r[0].Stay.ID != id {
			t.Errorf("%s: %+v, want that b has left", each.cfg.Name, r)
		}
	}
	_, err = n.seeds[0].Remove(patient(t), "b")
	wantError(t, err, `remove: "b": it is out already: by the ruling of epoch 3`)

	b = start(t, withData)
	hears(t, b, "that it is barred", func(e *hearsay.Event) bool {
		return e.Kind == hearsay.EventJoinFail && strings.Contains(e.Text, "barred")
	})
	if err := n.seeds[1].Lift(patient(t), id.String()); err != nil {
		t.Fatal(err)
	}
	n.peers = append(n.peers, b)
	n.agree(4, "a b")
}

// TestRecover: when all other seeds are gone for good, the last one begins
// anew.
func TestRecover(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 2)
	n.start("a")
	n.agree(1, "a")
	cfg := n.seed(0)
	n.seeds[0].Close()
	n.seeds[1].Close()

	empty := cfg
	empty.Data, empty.Seeds = t.TempDir(), n.list[:1]
	_, err := Recover(t.Context(), empty)
	wantError(t, err, "this seed has no ledger")

	cfg.Seeds = n.list[:1]
	_, err = Start(t.Context(), cfg)
	wantError(t, err, "data directory "+cfg.Data+": seeds: the list has 1 seeds, and this data directory belongs to one of 2")
	givenUp, err := Recover(t.Context(), cfg)
	if err != nil || !strings.Contains(givenUp, "epoch 1") {
		t.Fatalf("%q, %v", givenUp, err)
	}
	seed := start(t, cfg)
	await(t, seed, "a quorum of one", seed.Joined)
	rulings := seed.Ledger(0, 10)
	if len(rulings) != 2 || rulings[1].Kind != hearsay.RulingRecover {
		t.Errorf("the ledger: %+v", rulings)
	}
	// What was ruled before is told by the quorum of then.
	if file, err := seed.Why("a"); err != nil || !strings.Contains(file.Summary, "2 of the seeds of that time admitted it") || !strings.Contains(file.Summary, "; 2 were needed") {
		t.Errorf("why a: %v, %s", err, file.Summary)
	}
	n.list, n.seeds, n.peers = cfg.Seeds, []*Agent{seed}, nil
	n.start("b")
	await(t, seed, "b", func() bool { return strings.Contains(living(seed), "b") })
}

// TestOpenNetwork: without seeds there is no authority.
func TestOpenNetwork(t *testing.T) {
	a := start(t, quick("a"))
	if got := a.Authority(); got.Seeded || got.Ready || a.Epoch() != 0 || len(a.Ledger(0, 10)) != 0 || a.Barred() != nil {
		t.Errorf("got %+v", got)
	}
	_, err := a.Remove(patient(t), "a")
	wantError(t, err, "this network has no seeds")
	wantError(t, a.Bar(patient(t), "a", ""), "this network has no seeds")
	wantError(t, a.Lift(patient(t), "a"), "this network has no seeds")
}

// TestRecoverWithOthers: the last seed that has the ledger begins anew with one
// that has lost its directory.
func TestRecoverWithOthers(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 2)
	n.start("a")
	n.agree(1, "a")
	n.peers[0].Close()
	for _, s := range n.seeds {
		s.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := Recover(ctx, n.seed(1))
	wantError(t, err, "does not answer: start it with an empty data directory")

	wiped := n.seed(0)
	wiped.Data = t.TempDir()
	n.seeds = []*Agent{start(t, wiped)}
	if _, err := Recover(patient(t), n.seed(1)); err != nil {
		t.Fatal(err)
	}
	n.startSeed(1)
	n.peers = nil
	for _, s := range n.seeds {
		await(t, s, "a quorum", s.Joined)
	}
	n.start("b")
	for _, s := range n.seeds {
		await(t, s, "b", func() bool { return strings.Contains(living(s), "b") && s.Epoch() == n.seeds[0].Epoch() })
	}
}

// TestLiftAtAnotherSeed: a bar that one seed has is lifted by another at once, though that one
// may not have heard of it yet.
func TestLiftAtAnotherSeed(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 3)
	n.start("a")
	n.agree(1, "a")
	const rounds = 30
	for round := range rounds {
		first, second := n.seeds[round%3], n.seeds[(round+1)%3]
		if err := first.Bar(patient(t), "a", "it misbehaves"); err != nil {
			t.Fatal(err)
		}
		if err := second.Lift(patient(t), "a"); err != nil {
			t.Fatal(err)
		}
		for _, s := range n.seeds {
			if err := fresh(t, s, func() {}); err != nil {
				t.Fatal(err)
			}
			if barred := s.Barred(); len(barred) > 0 {
				t.Fatalf("round %d: %s has %+v after the bar was lifted", round, s.cfg.Name, barred)
			}
		}
	}
}
