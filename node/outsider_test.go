package node_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// With seeds, rumors and links are spoken of only with who is in by the ledger,
// however well it is known; the rumors of who is out still come by others.
func TestOutsidersAreStrangers(t *testing.T) {
	w := newSeededNetwork(t, 3)
	w.run(5 * time.Second)
	from, out := w.nodes[3].Self().ID, w.nodes[5].Self().ID
	w.down[5] = true
	w.run(20 * time.Second)
	if w.state(5, 4) != hearsay.StateDead {
		t.Fatalf("n4 holds n5 %s", w.state(5, 4))
	}
	rumor := hearsay.Rumor{ID: clock.Dot{Origin: hearsay.OriginOf(out), Counter: 1}, Hops: 1, Data: []byte("hello")}
	heard := func(by hearsay.NodeID, m core.Message) (strangers uint64, fx *core.Effects) {
		before := w.nodes[4].Stats().Drops[hearsay.DropStranger]
		fx = w.nodes[4].Receive(w.now, sized(&core.Packet{From: by, Addr: addr(5), Body: m}))
		return w.nodes[4].Stats().Drops[hearsay.DropStranger] - before, fx
	}
	for _, m := range []core.Message{
		&core.Rumors{Items: []hearsay.Rumor{rumor}}, &core.IHave{IDs: []clock.Dot{rumor.ID}}, &core.Graft{IDs: []clock.Dot{rumor.ID}},
		&core.Place{Number: 1}, &core.Heard{Hash: 1}, &core.Seen{Answer: true}, &core.Hello{}, &core.HelloAck{Accepted: true}, &core.Unlink{},
	} {
		strangers, fx := heard(out, m)
		if strangers != 1 || len(fx.Now)+len(fx.Send)+len(fx.Events) > 0 {
			t.Errorf("%T: %d dropped as of a stranger; sent %v %v, and told %v", m, strangers, fx.Now, fx.Send, fx.Events)
		}
	}
	strangers, fx := heard(from, &core.Rumors{Items: []hearsay.Rumor{rumor}})
	if strangers != 0 || len(fx.Events) != 1 || fx.Events[0].Kind != hearsay.EventRumor {
		t.Errorf("by a member: %d dropped, told %v", strangers, fx.Events)
	}
}

// A suspicion that comes from where none of the members is, in the name of one, is dropped and counted: nobody is told
// of it, and no more is sent than came. From where that member is it counts, and so does one of the node that gets it,
// which refutes it.
func TestSuspicionsOfStrangersAreDropped(t *testing.T) {
	for name, w := range map[string]*network{"open": newNetwork(t, 8), "seeded": newSeededNetwork(t, 5)} {
		w.run(10 * time.Second)
		for _, c := range []struct{ from, of, events int }{{99, 5, 0}, {3, 5, 1}, {99, 4, 1}} {
			for _, body := range []core.Message{&core.News{}, &core.Ping{Seq: 5, Hash: 1}, &core.WitnessReq{}} {
				by, of := w.nodes[3].Self().ID, w.nodes[c.of].Self()
				lie := hearsay.Claim{Subject: of.ID, State: hearsay.StateSuspect, Incarnation: of.Incarnation, By: by}
				p := sized(&core.Packet{From: by, Addr: addr(c.from), Body: body, Claims: []hearsay.Claim{lie}})
				before, out := w.nodes[4].Stats().Drops[hearsay.DropStranger], 0
				fx := w.nodes[4].Receive(w.now, p)
				for _, sent := range slices.Concat(fx.Now, fx.Send) {
					out += sized(&sent).Size
				}
				events := slices.DeleteFunc(slices.Clone(fx.Events), func(e hearsay.Event) bool {
					return e.Kind != hearsay.EventMemberSuspected && e.Kind != hearsay.EventRefuted
				})
				dropped := w.nodes[4].Stats().Drops[hearsay.DropStranger] - before
				if len(events) != c.events || c.events == 0 && (dropped == 0 || out > p.Size) {
					t.Errorf("%s: %T of n%d from %d: told %d times, dropped %d, %d bytes sent for %d", name, body, c.of, c.from, len(events), dropped, out, p.Size)
				}
				w.carry(4, fx)
				w.run(3 * time.Second) // it is refuted
			}
		}
	}
}

// What comes from where none of the members is, in the name of one, is not taken about the store: it would delete what
// others have written. From where that member is it counts.
func TestStoreOfStrangersIsDropped(t *testing.T) {
	for name, w := range map[string]*network{"open": newNetwork(t, 8), "seeded": newSeededNetwork(t, 5)} {
		w.run(10 * time.Second)
		n := w.nodes[4]
		fx, err := n.Put(w.now, hearsay.Write{Key: "k", Value: []byte("v")})
		if err != nil {
			t.Fatal(err)
		}
		w.carry(4, fx)
		w.run(10 * time.Second)
		held := n.Gossip().Replica().Digest()[0]
		gone := core.SeenRange{Origin: held.Origin, Range: held.Seen[0]}
		for _, stranger := range []bool{true, false} {
			from := addr(3)
			if stranger {
				from = addr(99)
			}
			for _, body := range []core.Message{
				&core.Update{Gone: []clock.Dot{{Origin: gone.Origin, Counter: gone.Low}}}, n.Gossip().Replica().Ask(),
				&core.Fetch{}, &core.Sync{Live: []core.LiveRange{{SeenRange: gone}}},
			} {
				before := n.Stats().Drops[hearsay.DropStranger]
				fx := n.Receive(w.now, sized(&core.Packet{From: w.nodes[3].Self().ID, Addr: from, Stream: true, Body: body}))
				if dropped := n.Stats().Drops[hearsay.DropStranger] - before; dropped > 0 != stranger || stranger && len(fx.Now)+len(fx.Send)+len(fx.Persist) > 0 {
					t.Errorf("%s: %T from %v: %d dropped; sent %v %v, kept %v", name, body, from, dropped, fx.Now, fx.Send, fx.Persist)
				}
			}
			if values := n.Gossip().Replica().Siblings(w.now, "k", nil); len(values) > 0 != stranger {
				t.Errorf("%s: %d values after what came from %v", name, len(values), from)
			}
		}
	}
}

// What is about the ledger counts only if it came by stream: a datagram may say that it comes from
// anywhere. So it is on a seed and on a peer.
func TestLedgerIsNotSpokenOfByDatagram(t *testing.T) {
	w := newSeededNetwork(t, 3)
	w.run(5 * time.Second)
	for _, m := range []core.Message{&core.SeatHello{}, &core.LedgerReq{After: 1}, &core.Raft{}, &core.Rulings{}, &core.RosterPart{Ruling: &hearsay.Ruling{}, Parts: 1}} {
		for i, n := range w.nodes[:5] {
			before := n.Stats().Drops[hearsay.DropUnexpected]
			fx := n.Receive(w.now, sized(&core.Packet{From: w.nodes[5].Self().ID, Addr: addr(5), Body: m}))
			if dropped := n.Stats().Drops[hearsay.DropUnexpected] - before; dropped != 1 || len(fx.Now)+len(fx.Send)+len(fx.Events) > 0 {
				t.Errorf("n%d: of %T %d dropped; sent %v %v, and told %v", i, m, dropped, fx.Now, fx.Send, fx.Events)
			}
		}
	}
}

// The links of all look the same wherever they are asked for: seeds have none.
func TestChartIsTheSameAtSeeds(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(8 * time.Second)
	chart := w.nodes[3].Gossip().Chart()
	want := chart.Links()
	if len(want) < 5 {
		t.Fatalf("n3 charts %d links", len(want))
	}
	for i := range w.nodes {
		chart := w.nodes[i].Gossip().Chart()
		got := chart.Links()
		same := len(got) == len(want)
		for j := range got {
			same = same && got[j] == want[j]
		}
		if !same {
			t.Errorf("n%d charts %d links, n3 %d", i, len(got), len(want))
		}
	}
}

// Who was removed is told as asking again, but for seeds who know that it is
// barred.
func TestWhyOfRemovedAndBarred(t *testing.T) {
	w := newSeededNetwork(t, 3)
	w.run(5 * time.Second)
	w.down[5] = true
	w.run(20 * time.Second)
	contains(t, "removed", w.why(0, "n5").Summary, "if it lives, it asks to be admitted again by itself.")
	contains(t, "removed, at a peer", w.why(4, "n5").Summary, "if it lives, it asks to be admitted again by itself, unless it is barred, which only seeds know.")
	_, fx, err := w.nodes[0].Bar(w.now, "n5", "too loud")
	if err != nil {
		t.Fatal(err)
	}
	w.carry(0, fx)
	w.run(time.Second)
	contains(t, "barred", w.why(0, "n5").Summary, "if it lives, it asks to be admitted again by itself, and is refused: it is barred since", "(too loud)")
}

// A suspicion that lasts, as nobody can decide, is told from its first step,
// however many rounds follow; and so is how long it took.
func TestWhyOfALongSuspicion(t *testing.T) {
	w := newSeededNetwork(t, 4)
	w.run(5 * time.Second)
	w.down[0], w.down[1], w.down[6] = true, true, true
	w.run(200 * time.Second)
	file := w.why(3, "n6")
	contains(t, "suspect", file.Summary, "n6 is suspect since", " got no answer from it.")
	if strings.Contains(file.Summary, ":  got") || !inOrder(file, "member-suspected", "statement", "round-opened") {
		t.Errorf("n3 tells %v: %s", kinds(file), file.Summary)
	}
	folded := slices.IndexFunc(file.Steps, func(s hearsay.Step) bool { return strings.Contains(s.Text, "more rounds like that until 00:") })
	if folded < 0 || folded > 20 || len(file.Steps) > 70 {
		t.Errorf("%d steps, and at %d what became of the rounds between", len(file.Steps), folded)
	}
	w.down[0], w.down[1] = false, false
	w.run(40 * time.Second)
	for _, by := range []int{2, 3, 4, 5} {
		// and not from when the seeds came back
		contains(t, w.nodes[by].Self().Name, w.why(by, "n6").Summary, "From the suspicion to the ruling it took 3m")
	}
}

// When a suspicion runs out does not change while it lasts, also where the suspect is accused anew: at a seed that
// hears no quorum, which probes it on and on.
func TestWhyTellsOneEndOfASuspicion(t *testing.T) {
	ends := regexp.MustCompile(`suspicion (?:runs|has run) out at about (\S+Z):`)
	for _, peers := range []int{1, 4} {
		w := newSeededNetwork(t, peers)
		w.run(5 * time.Second)
		gone := 2 + peers
		w.down[0], w.down[1], w.down[gone] = true, true, true
		w.run(3 * time.Second)
		first := ""
		for range 60 {
			file := w.why(2, w.nodes[gone].Self().Name)
			told := ends.FindStringSubmatch(file.Nearest)
			if told == nil {
				t.Fatalf("%d peers: %s", peers, file.Nearest)
			}
			if first == "" {
				first = told[1]
			}
			if told[1] != first {
				t.Fatalf("%d peers: at %v it runs out at %s, and before at %s", peers, w.now.UTC().Format(time.TimeOnly), told[1], first)
			}
			w.run(time.Second)
		}
	}
}

// Where all is well nothing is dropped as misdirected, and as of strangers only what newcomers
// ask of a node before it has the ruling that admits them: an operator who sees such drops grow
// looks for somebody who does not belong there.
func TestHealthyNetworkDropsNothing(t *testing.T) {
	w := newSeededNetwork(t, 6)
	w.run(10 * time.Second)
	if _, fx, err := w.nodes[4].Say(w.now, hearsay.NodeID{}, []byte("hello")); err != nil {
		t.Fatal(err)
	} else {
		w.carry(4, fx)
	}
	w.run(10 * time.Second)
	const early = 2 * 2 // two newcomers: the question, and the word with it
	for _, n := range w.nodes {
		drops := n.Stats().Drops
		if drops[hearsay.DropMisdirected] > 0 || drops[hearsay.DropStranger] > early {
			t.Errorf("%s: %d misdirected, %d of strangers", n.Self().Name, drops[hearsay.DropMisdirected], drops[hearsay.DropStranger])
		}
	}
}
