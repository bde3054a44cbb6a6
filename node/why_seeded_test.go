package node_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/node"
	"hearsay/overlay"
	"hearsay/petition"
	"hearsay/quorum"
	"hearsay/roster"
	"hearsay/rumor"
)

const testSeeds = 3

// newSeededNetwork makes three seeds, n0 to n2, and as many peers after them.
func newSeededNetwork(t *testing.T, peers int) *network {
	cryptotest.SetGlobalRandom(t, 1) // Raft draws its elections from it
	w := &network{t: t, now: start, down: map[int]bool{}, pings: map[[2]int]int{}}
	for i := range testSeeds + peers {
		w.nodes = append(w.nodes, w.newSeededNode(i))
	}
	for i := range w.nodes {
		w.carry(i, w.nodes[i].Tick(w.now))
	}
	return w
}

func (w *network) newSeededNode(i int, records ...hearsay.Record) *node.Node {
	key := hearsay.PublicKey(sha256.Sum256([]byte{byte(i)}))
	network := hearsay.NetworkIDOf("test")
	cfg := node.Config{
		Network: network, Name: fmt.Sprintf("n%d", i), Addr: addr(i), Role: hearsay.RolePeer,
		Detect: detect.DefaultConfig(), Roster: roster.DefaultConfig(),
		Overlay: overlay.DefaultConfig(), Rumors: rumor.DefaultConfig(), Petition: petition.DefaultConfig(),
	}
	var seeds []quorum.Seed
	for slot := range testSeeds {
		seeds = append(seeds, quorum.Seed{Addr: addr(slot)})
	}
	random := rand.New(rand.NewPCG(7, uint64(i)))
	if i >= testSeeds {
		cfg.Follower = quorum.DefaultFollowerConfig()
		cfg.Follower.Network, cfg.Follower.Seeds = network, seeds
		return node.New(cfg, signer{key}, random, records, w.now)
	}
	cfg.Role, cfg.Quorum = hearsay.RoleSeed, quorum.DefaultConfig()
	cfg.Quorum.Network, cfg.Quorum.Seeds, cfg.Quorum.Slot = network, seeds, i
	n, err := node.NewSeed(cfg, signer{key}, random, records, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// why tells the case of a node as another has it.
func (w *network) why(by int, name string) hearsay.CaseFile {
	w.t.Helper()
	file, err := w.nodes[by].Why(w.now, name)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := json.Marshal(file); err != nil {
		w.t.Error(err)
	}
	if testing.Verbose() {
		w.t.Logf("%s as n%d tells it: %s\n%s\nnearest: %s", name, by, file.Verdict, file.Summary, file.Nearest)
		for _, s := range file.Steps {
			w.t.Logf("%10s %-16s %-8s %s [%s]", s.At.Sub(start).Round(time.Millisecond), s.Kind, s.By, s.Text, s.Detail)
		}
	}
	if !slices.IsSortedFunc(file.Steps, func(a, b hearsay.Step) int { return a.At.Compare(b.At) }) {
		w.t.Errorf("the steps of %s are out of order as n%d tells them", name, by)
	}
	return file
}

// kinds gives the kinds of the steps, each once, in the order of their first.
func kinds(file hearsay.CaseFile) (list []string) {
	for _, s := range file.Steps {
		if !slices.Contains(list, s.Kind) {
			list = append(list, s.Kind)
		}
	}
	return list
}

// contains reports whether a text says all of this.
func contains(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s: %q does not say %q", what, text, want)
		}
	}
}

// inOrder reports whether steps of these kinds come in this order, others
// between them.
func inOrder(file hearsay.CaseFile, wants ...string) bool {
	for _, s := range file.Steps {
		if len(wants) > 0 && s.Kind == wants[0] {
			wants = wants[1:]
		}
	}
	return len(wants) == 0
}

// From the first probe that failed to the ruling, and to the next admission:
// seeds and peers tell it.
func TestWhyTellsOfRulings(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(6 * time.Second)
	for by := range w.nodes {
		if n := len(w.nodes[by].Members(nil)); n != 8 {
			t.Fatalf("n%d lists %d members; events:\n%s", by, n, join(w.events))
		}
	}
	for _, by := range []int{0, 4} {
		file := w.why(by, "n7")
		contains(t, "admitted", file.Verdict+file.Summary, "alive", "is in since", "of 3 seeds admitted it", "it answers at 10.0.0.7:7000", "2 were needed", "Nothing is held against it")
		contains(t, "admitted", file.Nearest, "would not have been admitted", "2 of 3 seeds")
		if !inOrder(file, "ballot", "ballot", "ruled") {
			t.Errorf("n%d tells %v", by, kinds(file))
		}
	}
	w.down[7] = true
	w.run(8 * time.Second)
	for _, by := range []int{0, 1, 2, 3, 4, 5, 6} {
		file := w.why(by, "n7")
		contains(t, "removed", file.Verdict+file.Summary, "dead", "is out since", "by the ruling of epoch 6", "no answer from 10.0.0.7:7000", "of the 3 seeds", "2 were needed", "asks to be admitted again")
		contains(t, "removed", file.Nearest, "would have stayed in", "answering", "before", "refuting")
		if !inOrder(file, "ruled", "unreachable", "statement", "case-opened", "ballot", "ballot", "ruled") {
			t.Errorf("n%d tells %v", by, kinds(file))
		}
	}
	w.down[7] = false
	w.run(12 * time.Second)
	for _, by := range []int{0, 4} {
		file := w.why(by, "n7")
		contains(t, "readmitted", file.Verdict+file.Summary, "alive", "from epoch 7", "It was in before", "with epoch 6")
	}
}
