package node_test

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// forgetful is a network of n0, n1 and n2 in which n2 has left, and n0 started
// again and knows nobody of that name.
func forgetful(t *testing.T) (w *network, gone hearsay.NodeID) {
	t.Helper()
	w = newNetwork(t, 3)
	w.run(3 * time.Second)
	gone = w.nodes[2].Self().ID
	w.carry(2, w.nodes[2].Leave(w.now))
	w.run(time.Second)
	w.nodes[0] = w.newNode(0) // it meets n1, and n2 is not spoken of
	w.carry(0, w.nodes[0].Tick(w.now))
	misdirected := core.Packet{From: gone, Addr: addr(0), Stream: true, Body: &core.Ping{Seq: 1, Target: gone}}
	word := w.nodes[1].Receive(w.now, &misdirected).Send[0].Claims // it answers that it is n1
	w.carry(0, w.nodes[0].Receive(w.now, &core.Packet{
		From: w.nodes[1].Self().ID, Addr: addr(1), Body: &core.Ping{Seq: 1, Target: w.nodes[0].Self().ID}, Claims: word,
	}))
	w.carry(0, w.nodes[0].Tick(w.now)) // asks whether it is there, and is answered
	if w.state(2, 0) != 0 {
		t.Fatalf("n0 holds n2 %s already", w.state(2, 0))
	}
	return w, gone
}

// A rumor may outlive its origin: who starts again after that origin left knows
// nobody of that name, and would refuse the rumor for ever.
func TestAsksWhoTheOriginOfARumorIs(t *testing.T) {
	w, gone := forgetful(t)
	tell := func() *core.Effects {
		return w.nodes[0].Receive(w.now, &core.Packet{From: w.nodes[1].Self().ID, Addr: addr(1), Body: &core.Rumors{
			Items: []hearsay.Rumor{{ID: clock.Dot{Origin: hearsay.OriginOf(gone), Counter: 1}, Hops: 2, Data: []byte("hello")}},
		}})
	}
	w.carry(0, tell())
	if w.state(2, 0) != hearsay.StateLeft {
		t.Fatalf("n0 holds n2 %s", w.state(2, 0))
	}
	heard := tell()
	if !slices.ContainsFunc(heard.Events, func(e hearsay.Event) bool { return e.Kind == hearsay.EventRumor && e.Subject == gone }) {
		t.Fatal("n0 does not take the rumor")
	}
}

// So may the word that it is not to be had any more: refused, two neighbors
// would never agree on what they have seen.
func TestAsksWhoTheOriginOfWhatWasMissedIs(t *testing.T) {
	w, gone := forgetful(t)
	missed := core.SeenRange{Origin: hearsay.OriginOf(gone), Range: clock.Range{Low: 1, High: 9}}
	w.carry(0, w.nodes[0].Receive(w.now, &core.Packet{
		From: w.nodes[1].Self().ID, Addr: addr(1), Body: &core.Rumors{Missed: []core.SeenRange{missed}},
	}))
	if w.state(2, 0) != hearsay.StateLeft {
		t.Fatalf("n0 holds n2 %s", w.state(2, 0))
	}
}

// A node that names made-up origins is asked about few of them, and not often.
func TestAsksLittleAboutOrigins(t *testing.T) {
	w := newNetwork(t, 2)
	w.run(3 * time.Second)
	asked, packets := 0, 0
	for i := range 1000 {
		m := &core.Rumors{}
		for j := range 100 {
			origin := clock.Origin{byte(i), byte(i >> 8), byte(j), 1}
			m.Items = append(m.Items, hearsay.Rumor{ID: clock.Dot{Origin: origin, Counter: 1}, Data: []byte("hello")})
		}
		out := w.nodes[0].Receive(w.now, sized(&core.Packet{From: w.nodes[1].Self().ID, Addr: addr(1), Body: m}))
		for _, p := range slices.Concat(out.Now, out.Send) {
			if want, ok := p.Body.(*core.Want); ok {
				packets, asked = packets+1, asked+len(want.IDs)
			}
		}
	}
	if packets != 1 || asked == 0 || asked > 100 {
		t.Fatalf("asked in %d packets about %d", packets, asked)
	}
}
