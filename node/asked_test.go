package node_test

import (
	"testing"
	"time"

	"hearsay"
)

// A word without evidence opens a case, and what the observers have signed opens another in its place. What asked
// first is not told that nothing comes of it: the other case removes the member.
func TestAskedThatAnotherCaseDecides(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(8 * time.Second)
	const dead = testSeeds + 1
	stay, err := w.nodes[1].StayOf(w.nodes[dead].Self().Name)
	if err != nil {
		t.Fatal(err)
	}
	w.down[dead] = true
	w.run(300 * time.Millisecond)
	w.carry(1, w.nodes[1].Ask(w.now, addr(100), stay))
	w.run(5 * time.Second)
	file := w.why(1, w.nodes[dead].Self().Name)
	if !inOrder(file, "case-opened", "case-aborted", "case-opened", "ruled") {
		t.Fatalf("no case has taken the place of another, so this shows nothing: %v", kinds(file))
	}
	if len(w.told) != 1 || w.told[0].Code != hearsay.OutcomePending && w.told[0].Code != hearsay.OutcomeDone {
		t.Errorf("told %+v", w.told)
	}
}
