package node_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/casefile"
	"hearsay/detect"
	"hearsay/follower"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/node"
	"hearsay/overlay"
	"hearsay/petition"
	"hearsay/quorum"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
)

const testSeeds = 3

// newSeededNetwork makes three seeds, n0 to n2, and as many peers after them. Those that are
// down do not answer from the start.
func newSeededNetwork(t *testing.T, peers int, down ...int) *network {
	cryptotest.SetGlobalRandom(t, 1) // Raft draws its elections from it
	w := &network{t: t, now: start, down: map[int]bool{}, pings: map[[2]int]int{}}
	for _, i := range down {
		w.down[i] = true
	}
	for i := range testSeeds + peers {
		w.nodes = append(w.nodes, w.newSeededNode(i))
	}
	for i := range w.nodes {
		w.carry(i, w.nodes[i].Tick(w.now))
	}
	return w
}

func (w *network) newSeededNode(i int, records ...core.Record) *node.Node {
	return w.newSeededNodeAs(i, fmt.Sprintf("n%d", i), byte(i), records...)
}

// newSeededNodeAs makes one in the place of the i-th, of its own name and key.
func (w *network) newSeededNodeAs(i int, name string, secret byte, records ...core.Record) *node.Node {
	key := hearsay.PublicKey(sha256.Sum256([]byte{secret}))
	network := hearsay.NetworkIDOf("test")
	cfg := node.Config{
		Network: network, Name: name, Addr: addr(i), Role: hearsay.RolePeer,
		Detect: detect.DefaultConfig(), Roster: roster.DefaultConfig(),
		Overlay: overlay.DefaultConfig(), Rumors: rumor.DefaultConfig(), Store: spread.DefaultConfig(), Petition: petition.DefaultConfig(),
	}
	if w.forget > 0 {
		cfg.Roster.ForgetAfter = w.forget
	}
	var seeds []ledger.Seed
	for slot := range testSeeds {
		seeds = append(seeds, ledger.Seed{Addr: addr(slot)})
	}
	random := rand.New(rand.NewPCG(7, uint64(secret)))
	if i >= testSeeds {
		cfg.Follower = follower.DefaultConfig()
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

// why tells a case as a node has it.
func why(n *node.Node, now time.Time, name string) (file hearsay.CaseFile, err error) {
	facts, err := n.Facts(now, name)
	if err == nil {
		file = casefile.Tell(facts)
	}
	return file, err
}

// why tells the case of a node as another has it.
func (w *network) why(by int, name string) hearsay.CaseFile {
	w.t.Helper()
	file, err := why(w.nodes[by], w.now, name)
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

// authority is what a node says of the seeds.
func (w *network) authority(by int) hearsay.Authority {
	a := w.nodes[by].Seeded().Authority()
	casefile.AddAnswers(&a, w.nodes[by].Seeded().Answers())
	return a
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
func contains(t testing.TB, what, text string, wants ...string) {
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
		contains(t, "removed", file.Verdict+file.Summary, "dead", "is out since", "Of the 3 seeds 2", "by the ruling of epoch 6", "no answer from 10.0.0.7:7000", "2 were needed", "asks to be admitted again")
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

// Who was suspected and answered, who is barred, who is turned away, and which one
// nobody ever heard of.
func TestWhyTellsOfOthers(t *testing.T) {
	w := newSeededNetwork(t, 4)
	w.run(6 * time.Second)
	for by := range w.nodes {
		file := w.why(by, "nobody")
		contains(t, "never in", file.Verdict+file.Summary+file.Nearest, "unknown", "Nobody called nobody", "epoch 1 of 4", "2 of 3 seeds")
		if len(file.Steps) > 0 || file.Steps == nil {
			t.Errorf("steps of nobody: %v", file.Steps)
		}
	}
	contains(t, "a seed", w.why(3, "n1").Summary, "n1 is a seed", "member by configuration")

	// A lie: the accused refutes it.
	lie := hearsay.Claim{Subject: w.nodes[3].Self().ID, State: hearsay.StateSuspect, Incarnation: w.nodes[3].Self().Incarnation, By: w.nodes[4].Self().ID}
	w.carry(5, w.nodes[5].Receive(w.now, &core.Packet{From: w.nodes[4].Self().ID, Addr: addr(4), Body: &core.News{}, Claims: []hearsay.Claim{lie}}))
	file := w.why(5, "n3")
	w.run(3 * time.Second)
	file = w.why(5, "n3")
	contains(t, "refuted", file.Verdict+file.Summary, "alive", "is in since")
	if !inOrder(file, "ruled", "member-suspected", "member-returned") {
		t.Errorf("n5 tells %v", kinds(file))
	}
	contains(t, "the accused", w.why(3, "n3").Summary, "claimed suspect by n4, and refuted that, last at ", "s ago)")

	// Barred while it is in, it stays; once it has left it is not admitted.
	_, fx, err := w.nodes[0].Bar(w.now, "n6", "too loud")
	if err != nil {
		t.Fatal(err)
	}
	w.carry(0, fx)
	w.run(time.Second)
	contains(t, "barred, and in", w.why(1, "n6").Verdict+w.why(1, "n6").Summary, "alive", "It is barred since", "(too loud): once it is out it is not admitted again")
	stay, err := w.nodes[0].StayOf("n6")
	if err != nil {
		t.Fatal(err)
	}
	w.carry(6, w.nodes[6].Leave(w.now))
	w.run(3 * time.Second)
	file = w.why(4, "n6")
	contains(t, "left", file.Verdict+file.Summary+file.Nearest, "left", "by its own signed word", "the ruling of epoch 5", fmt.Sprintf("ended its stay since epoch %d", stay.Epoch))
	w.nodes[6] = w.newSeededNode(6, &core.OwnIncarnation{Incarnation: w.nodes[6].Self().Incarnation})
	w.carry(6, w.nodes[6].Tick(w.now))
	w.run(3 * time.Second)
	file = w.why(0, "n6")
	contains(t, "barred, and out", file.Summary, "It is barred since", "(too loud): it is not admitted again")
	if !inOrder(file, "ruled", "barred", "ruled", "turned-away") {
		t.Errorf("n0 tells %v", kinds(file))
	}

	w.run(12 * time.Second) // until it has asked again in vain
	file = w.why(6, "n6")
	contains(t, "itself", file.Summary+file.Nearest, "n6 is this node, and is not in", "to admit it: barred (too loud)", "hearsay bar --lift")
	if a := w.authority(6); !a.Ready || !strings.Contains(a.Why, "to admit it: barred (too loud)") {
		t.Errorf("n6 says of the seeds: heard %v, %s", a.Ready, a.Why)
	}
	if a := w.nodes[4].Seeded().Authority(); !a.Ready || a.Why != "" {
		t.Errorf("n4, who is in, says of the seeds: heard %v, %s", a.Ready, a.Why)
	}

	// One who is not where it says that it is.
	stranger := signer{hearsay.PublicKey{9}}
	claim := hearsay.Claim{State: hearsay.StateAlive, Incarnation: 1, Card: hearsay.Card{Name: "mask", Addr: addr(9), Role: hearsay.RolePeer}}
	claim.Sign(hearsay.NetworkIDOf("test"), stranger)
	for range 3 {
		w.carry(0, w.nodes[0].Receive(w.now, &core.Packet{From: claim.Subject, Addr: addr(8), Stream: true, Body: &core.Register{}, Claims: []hearsay.Claim{claim}}))
		w.run(time.Second)
	}
	file = w.why(0, "mask")
	contains(t, "turned away", file.Verdict+file.Summary+file.Nearest, "refused", "asks from 10.0.0.8 and says that it is at 10.0.0.9", "never in", "had it asked from")
	if len(file.Steps) != 1 {
		t.Errorf("three times the same is told in %d steps", len(file.Steps))
	}
	claim.Card.Name = "forged"
	w.carry(1, w.nodes[1].Receive(w.now, &core.Packet{From: claim.Subject, Addr: addr(8), Stream: true, Body: &core.Register{}, Claims: []hearsay.Claim{claim}}))
	if file := w.why(1, "forged"); file.Verdict != "unknown" {
		t.Errorf("an unsigned name is %s", file.Verdict)
	}
}

// Facts are the caller's: what a node learns later does not change them.
func TestFactsStay(t *testing.T) {
	w := newSeededNetwork(t, 4)
	w.run(6 * time.Second)
	claim := hearsay.Claim{State: hearsay.StateAlive, Incarnation: 1, Card: hearsay.Card{Name: "mask", Addr: addr(9), Role: hearsay.RolePeer}}
	claim.Sign(hearsay.NetworkIDOf("test"), signer{hearsay.PublicKey{9}})
	ask := func() {
		w.carry(0, w.nodes[0].Receive(w.now, &core.Packet{From: claim.Subject, Addr: addr(8), Stream: true, Body: &core.Register{}, Claims: []hearsay.Claim{claim}}))
	}
	ask()
	w.down[3] = true
	w.run(3 * time.Second)
	var told []*casebook.Facts
	var text []string
	for _, name := range []string{"mask", "n3", "n1", "nobody"} {
		facts, err := w.nodes[0].Facts(w.now, name)
		if err != nil {
			t.Fatal(err)
		}
		told, text = append(told, facts), append(text, asJSON(t, facts))
	}
	ask()
	w.run(10 * time.Second)
	for i, facts := range told {
		if now := asJSON(t, facts); now != text[i] {
			t.Errorf("facts of %s have changed:\n%s\n%s", facts.Member.Name, text[i], now)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// That a peer has left is said when the seeds have ruled it, and that they have not, when it
// waits no longer.
func TestLeaveIsToldWhenItIsRuled(t *testing.T) {
	w := newSeededNetwork(t, 3)
	w.run(6 * time.Second)
	own := func(i int) (kinds []string) {
		for _, e := range w.events {
			for _, kind := range []string{"leaving", "member-left", "leave-failed"} {
				if strings.Contains(e, fmt.Sprintf(" n%d %s n%d ", i, kind, i)) {
					kinds = append(kinds, kind)
				}
			}
		}
		return kinds
	}
	w.carry(3, w.nodes[3].Leave(w.now))
	w.run(time.Second)
	if got := own(3); !slices.Equal(got, []string{"leaving", "member-left"}) || !w.nodes[3].Left() || !w.nodes[3].Gone() {
		t.Errorf("with a quorum: %v, left %v", got, w.nodes[3].Left())
	}
	w.down[0], w.down[1] = true, true
	w.carry(4, w.nodes[4].Leave(w.now))
	w.run(4 * time.Second)
	if got := own(4); !slices.Equal(got, []string{"leaving"}) || w.nodes[4].Gone() {
		t.Errorf("while it waits for the seeds: %v", got)
	}
	w.run(2 * time.Second)
	if got := own(4); !slices.Equal(got, []string{"leaving", "leave-failed"}) || w.nodes[4].Left() || !w.nodes[4].Gone() {
		t.Errorf("without a quorum: %v, left %v", got, w.nodes[4].Left())
	}
}

// A bar is lifted by what the list of bars shows, and by a name that only one of those that are
// barred has, though others had it.
func TestLiftOfOneAmongSeveral(t *testing.T) {
	w := newSeededNetwork(t, 2)
	w.run(6 * time.Second)
	first := w.nodes[4].Self().ID
	do := func(ask func() (hearsay.NodeID, *core.Effects, error)) hearsay.NodeID {
		t.Helper()
		id, fx, err := ask()
		w.carry(0, fx)
		w.run(2 * time.Second)
		if err != nil {
			t.Error(err)
		}
		return id
	}
	bar := func(name string) {
		do(func() (hearsay.NodeID, *core.Effects, error) { return w.nodes[0].Bar(w.now, name, "") })
	}
	lift := func(name string, want hearsay.NodeID) {
		t.Helper()
		if id := do(func() (hearsay.NodeID, *core.Effects, error) { return w.nodes[0].Lift(w.now, name) }); id != want || len(w.nodes[0].Seeded().Barred()) != 0 {
			t.Errorf("by %q the bar of %s is lifted, want %s; barred: %v", name, id.Short(), want.Short(), w.nodes[0].Seeded().Barred())
		}
	}
	w.carry(4, w.nodes[4].Leave(w.now))
	w.run(2 * time.Second)
	w.nodes[4] = w.newSeededNodeAs(4, "n4", 77) // with an empty directory
	w.carry(4, w.nodes[4].Tick(w.now))
	w.run(6 * time.Second)
	second := w.nodes[4].Self().ID
	bar("n4")
	w.carry(4, w.nodes[4].Leave(w.now))
	w.run(2 * time.Second)
	if file := w.why(0, "n4"); file.Member.ID != second {
		t.Errorf("n4, of which one is barred, is %s, want %s", file.Member.ID.Short(), second.Short())
	}
	lift("n4", second)
	bar(first.String())
	lift("n4", first)
	stranger := hearsay.NodeID{0xab, 0xcd, 0xef, 1}
	bar(stranger.String())
	lift(stranger.String()[:4], stranger)
	bar(first.String())
	bar(second.String())
	if _, _, err := w.nodes[0].Lift(w.now, "n4"); !errors.Is(err, hearsay.ErrAmbiguous) || !strings.Contains(err.Error(), second.String()) {
		t.Errorf("both are barred: %v", err)
	}
}

// A member that is barred has its name still when it is in no roster any more.
func TestBarredByName(t *testing.T) {
	w := newSeededNetwork(t, 2)
	w.forget = time.Second
	for i := range w.nodes {
		w.nodes[i] = w.newSeededNode(i)
		w.carry(i, w.nodes[i].Tick(w.now))
	}
	w.run(6 * time.Second)
	gone := w.nodes[4].Self().ID
	w.carry(4, w.nodes[4].Leave(w.now))
	w.run(2 * time.Minute)
	for _, id := range []hearsay.NodeID{gone, {0xab, 0xcd}} {
		_, fx, err := w.nodes[0].Bar(w.now, id.String(), "")
		if err != nil {
			t.Fatal(err)
		}
		w.carry(0, fx)
	}
	w.run(2 * time.Second)
	if slices.ContainsFunc(w.nodes[0].Members(nil), func(m hearsay.Member) bool { return m.ID == gone }) {
		t.Error("the seed lists n4 still")
	}
	for _, b := range w.nodes[0].Seeded().BarredByName() {
		if want := map[hearsay.NodeID]string{gone: "n4"}[b.ID]; b.Name != want {
			t.Errorf("%s is barred under the name %q, want %q", b.ID.Short(), b.Name, want)
		}
	}
}

// Before the network is founded a peer says of each seed what has come of it.
func TestSeedsBeforeTheFounding(t *testing.T) {
	w := newSeededNetwork(t, 1, 2)
	w.run(6 * time.Second)
	a := w.authority(3)
	contains(t, "why", a.Why, "the network is not founded: 2 of 3 seeds answer", "do not admit it yet: the seed has no seat yet")
	for slot, want := range []string{"has answered: it has no seat yet", "has answered: it has no seat yet", "has not answered this node yet"} {
		if a.Seeds[slot].Note != want {
			t.Errorf("slot %d: %q, want %q", slot, a.Seeds[slot].Note, want)
		}
	}
	w.down[2] = false
	w.run(6 * time.Second)
	for _, s := range w.nodes[3].Seeded().Authority().Seeds {
		if s.Note != "" {
			t.Errorf("founded, and of slot %d: %q", s.Slot, s.Note)
		}
	}
}

// Who reports is told where it has signed that it does: a report may name
// anybody.
func TestWhyNamesWhoHasReported(t *testing.T) {
	w := newSeededNetwork(t, 4)
	w.run(6 * time.Second)
	reporter := signer{hearsay.PublicKey(sha256.Sum256([]byte{4}))}
	report := func(name string, sign func(*core.Report)) (by string) {
		stay, err := w.nodes[1].StayOf(name)
		if err != nil {
			t.Fatal(err)
		}
		m := &core.Report{Stay: stay}
		sign(m)
		w.carry(1, w.nodes[1].Receive(w.now, &core.Packet{From: reporter.Public().NodeID(), Addr: addr(9), Stream: true, Body: m}))
		w.run(time.Second)
		for _, s := range w.why(1, name).Steps {
			if s.Kind == hearsay.EventCaseOpened.String() && strings.Contains(s.Text, "reported") {
				by = s.By
			}
		}
		return by
	}
	proof := w.nodes[1].Seeded().Proof(false)
	ledger := hearsay.LedgerID{Network: proof.Network, Founding: proof.Heads[0].Founding}
	if by := report("n3", func(*core.Report) {}); by != "" {
		t.Errorf("what nobody has signed is told as reported by %q", by)
	}
	if by := report("n5", func(m *core.Report) { m.Sign(ledger, reporter) }); by != "n4" {
		t.Errorf("what n4 has signed is told as reported by %q", by)
	}
	signed := func(m *core.Report) { // for another
		other := core.Report{}
		other.Sign(ledger, reporter)
		m.Signature = other.Signature
	}
	if by := report("n6", signed); by != "" {
		t.Errorf("what n4 has signed of somebody else is told as reported by %q", by)
	}
	empty := func(m *core.Report) { // a suspicion that ran out, of which no observer said anything
		m.Evidence = &hearsay.Evidence{Subject: m.Stay.ID, Incarnation: hearsay.Incarnation(w.now.UnixMilli()), Rule: hearsay.RuleTimeout}
	}
	report("n6", empty)
	if file := w.why(1, "n6"); inOrder(file, "case-opened") {
		t.Errorf("evidence that anybody can make opens a case: %v", kinds(file))
	}
	if drops := w.nodes[1].Stats().Drops[hearsay.DropUnproven]; drops != 3 {
		t.Errorf("%d reports are counted as unproven, want 3", drops)
	}
	stay, err := w.nodes[1].StayOf("n3")
	if err != nil {
		t.Fatal(err)
	}
	w.carry(1, w.nodes[1].Ask(w.now, addr(9), stay, node.AskedByOperator)) // its word is the seed's that takes it
	w.run(time.Second)
	if file := w.why(1, "n3"); !inOrder(file, "case-opened") {
		t.Errorf("an operator's word opens no case: %v", kinds(file))
	}
}

// One who asks, and does not answer where it says that it is, has no case; who
// answers one seed only is not admitted; and one accused of silence that answers the seeds stays in.
func TestWhyTellsOfAborts(t *testing.T) {
	w := newSeededNetwork(t, 4)
	w.run(6 * time.Second)
	stranger := signer{hearsay.PublicKey{9}}
	claim := hearsay.Claim{State: hearsay.StateAlive, Incarnation: 1, Card: hearsay.Card{Name: "mute", Addr: addr(9), Role: hearsay.RolePeer}}
	claim.Sign(hearsay.NetworkIDOf("test"), stranger)
	ask := func() (seq uint64) {
		out := w.nodes[0].Receive(w.now, &core.Packet{From: claim.Subject, Addr: addr(9), Stream: true, Body: &core.Register{}, Claims: []hearsay.Claim{claim}})
		for i := range out.Now {
			if ping, ok := out.Now[i].Body.(*core.Ping); ok && out.Now[i].Addr == addr(9) {
				seq = ping.Seq
			}
		}
		w.carry(0, out)
		return seq
	}
	ask()
	w.run(3 * time.Second)
	file := w.why(0, "mute")
	contains(t, "silent", file.Verdict+file.Summary+file.Nearest, "refused", "No case was opened", "it does not answer at 10.0.0.9:7000")
	ack := &core.Ack{Seq: ask()}
	w.carry(0, w.nodes[0].Receive(w.now, &core.Packet{From: claim.Subject, Addr: addr(9), Body: ack}))
	w.run(100 * time.Millisecond)
	file = w.why(0, "mute")
	contains(t, "asking", file.Verdict+file.Summary+file.Nearest, "unknown", "the seeds are deciding", "2 of 3 seeds")
	w.run(10 * time.Second)
	file = w.why(0, "mute")
	contains(t, "aborted", file.Verdict+file.Summary+file.Nearest, "refused", "ended without a ruling", "had it answered 2 of 3 seeds")

	m, err := w.nodes[1].StayOf("n3")
	if err != nil {
		t.Fatal(err)
	}
	w.carry(1, w.nodes[1].Ask(w.now, addr(4), m, node.AskedByOperator))
	w.run(5 * time.Second)
	file = w.why(1, "n3")
	contains(t, "reported, and answering", file.Verdict+file.Summary+file.Nearest, "alive", "A case against it ended without a ruling: a seed reaches it", "had 2 of 3 seeds found it unreachable")
	if !inOrder(file, "ruled", "case-opened", "ballot", "case-aborted") {
		t.Errorf("n1 tells %v", kinds(file))
	}
}

// Ballots are told as those of the seed that sat there when they were cast.
func TestWhyNamesSeedsOfThen(t *testing.T) {
	w := newSeededNetwork(t, 3)
	w.run(6 * time.Second)
	voted := func(slot int) (peer string) {
		for i := testSeeds; i < len(w.nodes) && peer == ""; i++ {
			name := fmt.Sprintf("n%d", i)
			if strings.Contains(w.why(0, name).Summary, fmt.Sprintf("n%d (it answers", slot)) {
				peer = name
			}
		}
		return peer
	}
	slot := slices.IndexFunc([]int{1, 2}, func(slot int) bool { return voted(slot) != "" }) + 1
	peer := voted(slot)
	if peer == "" {
		t.Fatal("no seed but the first has a ballot that counted")
	}
	old := w.nodes[slot].Self().ID
	w.nodes[slot] = w.newSeededNodeAs(slot, "zed", 99) // it has lost its directory
	w.carry(slot, w.nodes[slot].Tick(w.now))
	w.run(10 * time.Second)
	if a := w.nodes[0].Seeded().Authority(); a.Seeds[slot].Name != "zed" {
		t.Fatalf("the seat is not given anew: %+v", a.Seeds)
	}
	for by := range w.nodes {
		file := w.why(by, peer)
		text := file.Summary + file.Nearest
		for _, s := range file.Steps {
			text += s.By + s.Text
		}
		if strings.Contains(text, "zed") {
			t.Errorf("n%d tells of a ballot of zed's: %s", by, text)
		}
		w.whyOfSeats(by, slot, old)
		if w.nodes[by].Self().Role == hearsay.RoleSeed && by != slot { // who knows the founding, and knew it by name
			contains(t, "a ballot", text, fmt.Sprintf("n%d voted yes", slot))
		}
	}
}

// whyOfSeats holds what a node tells of a seed that has lost its directory, and of the one
// that it was before.
func (w *network) whyOfSeats(by, slot int, old hearsay.NodeID) {
	ruled := fmt.Sprintf("The ruling of epoch 4 gave slot %d to zed (id %s) at 2026-01-01T00:00:", slot, w.nodes[slot].Self().ID.Short())
	file := w.why(by, "zed")
	contains(w.t, "a new seed", file.Verdict+file.Summary+file.Nearest, "alive", "zed is a seed", ruled, "in the place of ", "id "+old.Short(),
		"2 of 3 seeds voted for that", "(met at its address, without a ledger)", "2 were needed", "must be heard")
	if !inOrder(file, "ballot", "ballot", "ruled") {
		w.t.Errorf("n%d tells %v", by, kinds(file))
	}
	for _, id := range []string{old.String(), old.String()[:4]} {
		file = w.why(by, id)
		contains(w.t, "a former seed", file.Summary+file.Nearest, "id "+old.Short(), " was a seed, and has no seat now", ruled, "had it kept its data directory")
	}
}

// Without a quorum it is told that there is none, and no time is promised.
func TestWhyWithoutAQuorum(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(6 * time.Second)
	for _, i := range []int{1, 2, 3} { // two of the seeds, and a peer
		w.down[i] = true
	}
	w.run(14 * time.Second)
	for _, by := range []int{0, 4} {
		file := w.why(by, "n3")
		contains(t, "suspect", file.Verdict+file.Summary, "suspect", "Nothing is decided", "No quorum of seeds is heard here now", "2 of 3 are needed")
		contains(t, "suspect", file.Nearest, "When that is cannot be said while no quorum of seeds is heard.")
		if strings.Contains(file.Nearest, "by about") {
			t.Errorf("n%d promises a time: %s", by, file.Nearest)
		}
		for _, name := range []string{"n5", "nobody"} {
			contains(t, name, w.why(by, name).Summary, "What seeds have ruled since 2026-01-01T00:00:", fmt.Sprintf("if they have, may not be known here: n%d hears no quorum of them. ", by))
		}
	}
}

// While a quorum of seeds is only just back no time is promised of older suspicions: the seeds elect a leader first,
// and probe anew. Of a member that dies then, it is.
func TestWhyOfAQuorumThatIsBack(t *testing.T) {
	told, waits := 0, map[int]int{} // by who says that the removal waited
	for away := 4 * time.Second; away <= 12*time.Second; away += 800 * time.Millisecond {
		w := newSeededNetwork(t, 5)
		w.run(6 * time.Second)
		for _, i := range []int{1, 2, 3} {
			w.down[i] = true
		}
		w.run(away)
		w.down[1], w.down[2] = false, false
		back := w.now
		promises := map[string][]time.Time{}
		for i := range 250 {
			w.run(100 * time.Millisecond)
			w.down[5] = i >= 50
			for _, by := range []int{0, 4} {
				for _, name := range []string{"n3", "n5"} {
					for _, promised := range w.why(by, name).Promises {
						if promised.What == hearsay.PromiseRemoved {
							promises[name] = append(promises[name], promised.By)
						}
					}
				}
			}
		}
		for _, name := range []string{"n3", "n5"} {
			file := w.why(0, name)
			if file.Verdict != "dead" {
				t.Fatalf("away for %v: %s is not out: %s", away, name, file.Summary)
			}
			for _, by := range promises[name] {
				if name == "n3" || by.Add(time.Second).Before(file.Member.Since) {
					t.Fatalf("away for %v: it is promised that %s is removed by %v, and it is at %v; the seeds are back at %v", away, name, by, file.Member.Since, back)
				}
			}
		}
		for _, by := range []int{0, 4} {
			const waited = "hears a quorum of seeds since "
			file := w.why(by, "n3")
			if strings.Contains(file.Summary, waited) {
				waits[by]++
			} else if by == 0 && away >= 6*time.Second {
				t.Errorf("away for %v: n%d does not say that the removal waited: %s", away, by, file.Summary)
			}
			if file := w.why(by, "n5"); strings.Contains(file.Summary, waited) {
				t.Errorf("away for %v: n%d says that the removal waited: %s", away, by, file.Summary)
			}
		}
		told += len(promises["n5"])
	}
	if told == 0 || waits[4] < 3 { // a peer may hear of the ruling before it counts the seeds as back
		t.Errorf("%d promises; %v say that the removal waited", told, waits)
	}
}

// A node that hears nobody promises nothing: neither a peer nor a seed, from the first moment on.
func TestWhyOfANodeThatIsCutOff(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(6 * time.Second)
	w.cut = map[[2]int]bool{}
	for i := range w.nodes {
		w.cut[[2]int{0, i}], w.cut[[2]int{3, i}] = true, true
	}
	w.run(10 * time.Millisecond)
	suspects, cannot := 0, 0
	for range 250 {
		w.run(100 * time.Millisecond)
		for _, by := range []int{0, 3} {
			for _, name := range []string{"n4", "n5", "n6", "n7"} {
				file := w.why(by, name)
				if len(file.Promises) > 0 || strings.Contains(file.Nearest, "by about") || strings.Contains(file.Nearest, "before about") {
					t.Fatalf("n%d promises at %v of %s: %s", by, w.now, name, file.Nearest)
				}
				if file.Verdict == "suspect" {
					suspects++
				}
				if strings.Contains(file.Nearest, fmt.Sprintf("cannot be said as nobody has answered n%d since", by)) {
					cannot++
				}
			}
		}
	}
	if suspects == 0 || cannot == 0 {
		t.Errorf("%d suspects, and %d times it is told why nothing can be said", suspects, cannot)
	}
	for _, by := range []int{0, 3} {
		for _, name := range []string{"n1", "n4", "nobody"} {
			contains(t, name, w.why(by, name).Summary, "This is as of 2026-01-01T00:00:05Z (", fmt.Sprintf("): n%d has heard nobody since, and may be cut off. ", by))
		}
		if own := w.why(by, fmt.Sprintf("n%d", by)).Summary; strings.Contains(own, "as of") {
			t.Errorf("n%d tells of itself: %s", by, own)
		}
	}
	if other := w.why(5, "n4").Summary; strings.Contains(other, "as of") {
		t.Errorf("n5, which is well, tells: %s", other)
	}
}

// When hardly anybody is left who could say so, it is told who is, and what comes
// when; and afterwards by which rule it came.
func TestWhyTellsOfTimeouts(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(6 * time.Second)
	for i := 3; i <= 6; i++ {
		w.down[i] = true
	}
	w.run(4 * time.Second)
	const asked, others = "In its newest round this node asked 4, of which 1 answered: 0 reach it, 1 do not.", "This node has not asked them: others accuse it."
	asking := 0
	for _, by := range []int{0, 1, 2, 7} {
		file := w.why(by, "n3")
		contains(t, "suspect", file.Verdict+file.Summary, "suspect", "Of its 4 observers 1 is alive.", "Nothing is decided")
		switch {
		case strings.Contains(file.Summary, asked):
			asking++
		case strings.Contains(file.Summary, "asked 4, of which 0 answered"): // the round has just begun
		default:
			contains(t, "suspect", file.Summary, others)
		}
		contains(t, "suspect", file.Nearest, "3 of them would be needed, and 1 is alive", "suspicion runs out at about",
			"reported to the seeds with what statements there are", "2 of 3 seeds have had no answer from it for 4s", "none reaches it. That is by about", "a seed that it has not answered for 4s")
	}
	if asking == 0 {
		t.Error("nobody tells of a round")
	}
	w.run(20 * time.Second)
	for _, by := range []int{0, 7} {
		file := w.why(by, "n3")
		contains(t, "removed", file.Verdict+file.Summary, "dead", "is out since", "When its suspicion ran out, one of its 4 observers (n7) had found it unreachable, and none had reached it", "rule: timeout, with ",
			"Of the 3 seeds 2 found it unreachable", "for 4s")
		contains(t, "removed", file.Nearest, "any one seed: n", " before ", " or any other before ")
		if !inOrder(file, "ruled", "ballot", "ballot", "ruled") || !inOrder(file, "ruled", "case-opened") {
			t.Errorf("n%d tells %v", by, kinds(file))
		}
	}
	w.down[7] = true
	w.run(4 * time.Second)
	file := w.why(0, "n7")
	contains(t, "the last", file.Summary+file.Nearest, "It has no observers: no other peer is in.", "Nobody but the seeds can say that it is unreachable", "suspicion runs out")
	w.run(20 * time.Second)
	file = w.why(0, "n7")
	contains(t, "the last", file.Verdict+file.Summary, "dead", "it had no observers left to ask", "with 0 statements")
}

// A member that answers everybody but the seeds is suspect to nobody. Seeds say that they
// have no answer from it, and what follows when.
func TestWhyTellsOfSilenceToASeed(t *testing.T) {
	w := newSeededNetwork(t, 4)
	w.run(6 * time.Second)
	w.cut = map[[2]int]bool{}
	for slot := range testSeeds {
		w.cut[[2]int{slot, 3}] = true
	}
	cut := w.now
	w.run(16 * time.Second)
	const told = ", by about "
	var by time.Time // when a seed brings it before the others, as they tell
	for slot := range testSeeds {
		file := w.why(slot, "n3")
		contains(t, "silent", file.Verdict+file.Summary, "alive", "is in since", fmt.Sprintf("But n%d has had no answer from it to its own probes since", slot))
		contains(t, "silent", file.Nearest, fmt.Sprintf("If it goes on not answering n%d, that brings it before the other seeds after 24s", slot), told, "removed once 2 of 3 seeds have had no answer from it for 4s")
		if strings.Contains(file.Summary, "Nothing is held against it") {
			t.Errorf("n%d holds nothing against it: %s", slot, file.Summary)
		}
		_, rest, _ := strings.Cut(file.Nearest, told)
		at, err := time.Parse("15:04:05.000Z", rest[:min(len(rest), len("15:04:05.000Z"))])
		if at = at.AddDate(start.Year(), 0, 0); err != nil || at.Before(cut.Add(24*time.Second)) || at.After(cut.Add(36*time.Second)) {
			t.Fatalf("n%d promises %q: %v", slot, rest, err)
		}
		if by.IsZero() || at.Before(by) {
			by = at
		}
	}
	w.run(by.Sub(w.now))
	contains(t, "as promised", strings.Join(w.events, "\n"), "case-opened n3")
	w.run(4 * time.Second)
	contains(t, "removed", w.why(0, "n3").Summary, "is out since", "rule: watch")

	for slot := range testSeeds {
		w.cut[[2]int{slot, 4}] = true
	}
	w.run(10 * time.Second)
	w.cut[[2]int{0, 1}], w.cut[[2]int{0, 2}] = true, true
	w.run(6 * time.Second)
	file := w.why(0, "n4")
	contains(t, "without a quorum", file.Summary+file.Nearest, "But n0 has had no answer from it", "cannot be said while no quorum")
	if strings.Contains(file.Nearest, "by about") {
		t.Errorf("without a quorum a time is promised: %s", file.Nearest)
	}
}

// A seed that does not answer stays a seed: it is told that nobody reaches it, since when, and what ends that.
func TestWhyOfASilentSeed(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(6 * time.Second)
	w.down[1] = true
	w.run(10 * time.Second)
	pinged := 0
	for _, by := range []int{0, 3, 4} {
		file := w.why(by, "n1")
		contains(t, "a seed that is down", file.Summary+file.Nearest, "n1 is a seed, suspect since ", " got no answer from it", "as soon as it answers",
			fmt.Sprintf("By stream (TCP) n%d heard it last at 2026", by))
		if inOrder(file, "unreachable") {
			pinged++
			contains(t, "its own pings", file.Summary, fmt.Sprintf("n%d has had no answer to its own pings since ", by))
		}
	}
	if pinged == 0 {
		t.Error("none has pinged it: this shows nothing of pings")
	}
	w.down[1] = false
	w.run(10 * time.Second)
	file := w.why(4, "n1")
	if strings.Contains(file.Summary+file.Nearest, "no answer") || file.Verdict != "alive" {
		t.Errorf("a seed that is back: %s %s", file.Verdict, file.Summary)
	}
	contains(t, "a seed that was down", file.Summary, " It was suspect before, from ", ", and then it answered.")
	contains(t, "the seed itself", w.why(1, "n1").Summary, " It was paused or starved for ", ", and refuted that, last at ")
}

// While no seed takes a peer's report, as streams do not get through to them, the peer says so, and promises nothing.
func TestWhyWithoutStreams(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(6 * time.Second)
	w.stuck = map[int]bool{0: true, 1: true, 2: true}
	w.down[3] = true
	told, events := map[int]bool{}, map[int][]string{}
	w.hears = func(by int, e *hearsay.Event) {
		if e.Kind == hearsay.EventUntaken || e.Kind == hearsay.EventTaken {
			events[by] = append(events[by], e.Kind.String()+" "+e.Name)
		}
	}
	for range 400 {
		w.run(100 * time.Millisecond)
		for by := 4; by < 8; by++ {
			file, stats := w.why(by, "n3"), w.nodes[by].Stats()
			if says := strings.Contains(file.Summary, "No seed has taken this node's report of it since"); says {
				if len(file.Promises) > 0 || strings.Contains(file.Nearest, "by about") {
					t.Fatalf("n%d promises at %v: %s", by, w.now, file.Nearest)
				}
				contains(t, "untaken", file.Summary, "cannot be asked (no answer in time)")
			}
			for i := range stats.Untaken {
				if told[by] = true; stats.Untaken[i].Name != "n3" {
					t.Fatalf("n%d has %+v", by, stats.Untaken[i])
				}
				contains(t, "trouble", strings.Join(stats.Troubles(), "\n"), "no seed has taken this node's report of n3 since", "let TCP through")
			}
		}
	}
	if len(told) == 0 {
		t.Errorf("nobody says that no seed takes its report; events:\n%s", join(w.events))
	}
	w.stuck = nil
	w.run(10 * time.Second)
	for by := 4; by < 8; by++ {
		if stats := w.nodes[by].Stats(); len(stats.Untaken) > 0 {
			t.Errorf("n%d has %+v", by, stats.Untaken)
		}
		contains(t, "healed", w.why(by, "n3").Summary, "is out since")
		if all := strings.Join(events[by], ", "); told[by] && !strings.HasPrefix(all, "untaken n3, taken") || !told[by] && all != "" {
			t.Errorf("n%d has told as events: %s", by, all)
		}
	}
}

// A member that was removed because it was not back in time after it had said that it is started again: that is told,
// and not of one that was, or is away now.
func TestWhyOfOneThatWasAway(t *testing.T) {
	const told = "it had said that its process is started again, and was not back by"
	w := newSeededNetwork(t, 5)
	w.run(6 * time.Second)
	w.carry(3, w.nodes[3].Away(w.now))
	w.down[3] = true
	w.run(5 * time.Second)
	if file := w.why(4, "n3"); strings.Contains(file.Summary, told) {
		t.Errorf("away: %s", file.Summary)
	}
	w.run(core.AwayFor + 10*time.Second)
	w.down[5] = true
	w.run(20 * time.Second)
	for _, by := range []int{0, 1, 2, 4, 6, 7} {
		contains(t, "was away", w.why(by, "n3").Summary, "is out since", told)
		if file := w.why(by, "n5"); file.Verdict != "dead" || strings.Contains(file.Summary, told) {
			t.Errorf("was not away: %s", file.Summary)
		}
	}
}

// What is told of a pair between which the way is cut does not differ from what status says.
func TestWhyOfAPairThatIsCut(t *testing.T) {
	for what, w := range map[string]*network{"open": newNetwork(t, 6), "seeded": newSeededNetwork(t, 4)} {
		w.run(6 * time.Second)
		w.cut = map[[2]int]bool{{4, 5}: true}
		const told, nothing = "But no answer of it comes to n4 itself since", "held against it here"
		cut := 0
		for range 60 {
			w.run(time.Second)
			file := w.why(4, "n5")
			if is := len(w.nodes[4].Stats().Indirect) > 0; is != strings.Contains(file.Summary, told) {
				t.Fatalf("%s: indirect %t: %s", what, is, file.Summary)
			} else if is && strings.Contains(file.Summary, nothing) {
				t.Fatalf("%s: %s", what, file.Summary)
			} else if is {
				cut++
			}
		}
		if cut == 0 {
			t.Errorf("%s: it is never told", what)
		}
	}
}

// A peer that starts anew and reads the ledger from its beginning says how many peers are in now, and not as of its
// admission. Seeds are none.
func TestJoinedCountsAllThatAreIn(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(6 * time.Second)
	first := 3 // by the ledger
	for i := 4; i < 8; i++ {
		if w.stay(i) < w.stay(first) {
			first = i
		}
	}
	w.joined = map[int]int{}
	w.nodes[first] = w.newSeededNode(first)
	w.run(10 * time.Second)
	if peers := len(w.nodes) - testSeeds; w.joined[first] != peers {
		t.Errorf("n%d tells of %d peers, want %d; events:\n%s", first, w.joined[first], peers, join(w.events))
	}
}

// stay is the epoch from which a node is in.
func (w *network) stay(i int) hearsay.Epoch {
	stay, err := w.nodes[0].StayOf(fmt.Sprintf("n%d", i))
	if err != nil {
		w.t.Fatal(err)
	}
	return stay.Epoch
}

// A peer to which no streams of the seeds get through counts on none of them after a while, though datagrams do: it
// says that it hears no quorum, and which seeds do not answer, and promises nothing of one that dies then.
func TestSeedsThatDoNotAnswerByStream(t *testing.T) {
	for phase := time.Duration(0); phase < 10*time.Second; phase += 2 * time.Second {
		w := newSeededNetwork(t, 5)
		w.run(30*time.Second + phase)
		w.stuck = map[int]bool{0: true, 1: true, 2: true}
		w.run(22 * time.Second) // a turn of questions, a late answer, and the patience with the next seed
		w.down[3] = true
		for range 50 {
			w.run(200 * time.Millisecond)
			for by := 4; by < 8; by++ {
				a := w.nodes[by].Seeded().Authority()
				if a.Ready || !strings.Contains(a.Seeds[0].Note+a.Seeds[1].Note+a.Seeds[2].Note, "has not answered this node since") {
					t.Fatalf("n%d at %v: %+v", by, w.now, a)
				}
				if file := w.why(by, "n3"); len(file.Promises) > 0 || strings.Contains(file.Nearest, "by about") {
					t.Fatalf("n%d promises at %v: %s", by, w.now, file.Nearest)
				}
			}
		}
		w.stuck = nil
		w.run(4 * time.Second)
		for by := 4; by < 8; by++ {
			if a := w.nodes[by].Seeded().Authority(); !a.Ready {
				t.Errorf("n%d, healed: %+v", by, a)
			}
		}
	}
}

// One question or answer that is lost changes nothing: the seed is asked again.
func TestSeedsThatAnswerNowAndThen(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(30 * time.Second)
	for i := range 400 {
		w.stuck = nil
		if i%10 < 4 {
			w.stuck = map[int]bool{0: true, 1: true, 2: true}
		}
		w.run(300 * time.Millisecond)
		for by := 3; by < 8; by++ {
			for _, seed := range w.nodes[by].Seeded().Authority().Seeds {
				if seed.Note != "" {
					t.Fatalf("n%d at %v: %+v", by, w.now, seed)
				}
			}
		}
	}
}

// A peer that reads the ledger anew tells of no conflict with one of its own name that has left since; of one that is
// in at another address it does.
func TestNameOfOneThatHasLeft(t *testing.T) {
	for _, left := range []bool{true, false} {
		w := newSeededNetwork(t, 6)
		w.run(6 * time.Second)
		w.down[7] = true // n7
		w.run(15 * time.Second)
		w.nodes[8] = w.newSeededNodeAs(8, "n7", 99)
		w.run(5 * time.Second)
		if left {
			w.carry(8, w.nodes[8].Leave(w.now))
			w.run(5 * time.Second)
			w.down[8] = true
		}
		conflicts := 0
		w.hears = func(by int, e *hearsay.Event) {
			if by == 7 && e.Kind == hearsay.EventNameConflict {
				conflicts++
			}
		}
		w.nodes[7], w.down[7] = w.newSeededNode(7), false
		w.run(5 * time.Second)
		if (conflicts == 0) != left {
			t.Errorf("the other has left: %v, and the one that is back tells of %d conflicts; events:\n%s", left, conflicts, join(w.events))
		}
	}
}

// Of two nodes of one name that are both out, that of the last is told, which names the other.
func TestWhyOfTheLastBearer(t *testing.T) {
	w := newSeededNetwork(t, 6)
	w.run(6 * time.Second)
	first := w.nodes[7].Self().ID
	w.down[7] = true
	w.run(15 * time.Second)
	w.nodes[7], w.down[7] = w.newSeededNodeAs(7, "n7", 99), false
	w.run(6 * time.Second)
	w.down[7] = true
	w.run(15 * time.Second)
	for _, by := range []int{0, 3} {
		file := w.why(by, "n7")
		contains(t, "the last", file.Verdict+file.Summary, "dead", "Another node was called n7 until epoch", "its id is "+first.Short())
		if file.Member.ID != w.nodes[7].Self().ID {
			t.Errorf("n%d tells of %s, and n7 was %s last", by, file.Member.ID.Short(), w.nodes[7].Self().ID.Short())
		}
	}
}

// In a network without seeds, too, why calls its subject by its name in each step.
func TestWhyNamesItsSubject(t *testing.T) {
	w := newNetwork(t, 4)
	w.run(5 * time.Second)
	w.cut = map[[2]int]bool{{0, 1}: true, {1, 0}: true}
	w.run(time.Minute)
	file, id := w.why(0, "n1"), w.nodes[1].Self().ID.String()[:8]
	indirect := false
	for _, step := range file.Steps {
		indirect = indirect || step.Kind == hearsay.EventIndirect.String()
		if strings.Contains(step.Text, id) {
			t.Errorf("%s: %s", step.Kind, step.Text)
		}
	}
	if !indirect {
		t.Errorf("nothing tells of the cut: %+v", file.Steps)
	}
}
