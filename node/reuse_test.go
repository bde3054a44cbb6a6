package node_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// twoNetworks are two of one name: n0 to n2, and n3 to n5.
func twoNetworks(t *testing.T) *network {
	w := newNetwork(t, 0)
	for i := range 6 {
		w.nodes = append(w.nodes, w.newNode(i))
	}
	for i := range w.nodes {
		w.carry(i, w.nodes[i].Tick(w.now))
		if first := i / 3 * 3; i != first {
			w.contact(i, first)
		}
	}
	w.run(2 * time.Second)
	return w
}

// contact has a node join where another is.
func (w *network) contact(i, at int) {
	w.carry(i, w.nodes[i].Contact(w.now, []netip.AddrPort{addr(at)}))
}

// replace puts a node with another identity at the address of the i-th.
func (w *network) replace(i int, join ...int) {
	w.nodes[i], w.down[i] = w.newNodeAt(i, 100+i, "another"), false
	w.carry(i, w.nodes[i].Tick(w.now))
	for _, at := range join {
		w.contact(i, at)
	}
}

// lists names the living members that the i-th node lists.
func (w *network) lists(i int) string {
	var names []string
	for _, m := range w.nodes[i].Members(nil) {
		if m.State.Living() {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// The address of a dead member is given to a member of another network of the same name, before
// the death is known or after: they stay two networks.
func TestAddressGivenToAnotherNetwork(t *testing.T) {
	for _, after := range []time.Duration{0, 10 * time.Second} {
		w := twoNetworks(t)
		w.down[2] = true
		w.run(after)
		speaker := w.nodes[1]
		w.replace(2, 3)
		if _, fx, err := speaker.Say(w.now, hearsay.NodeID{}, []byte("of the first network")); err != nil {
			t.Fatal(err)
		} else {
			w.carry(1, fx)
		}
		w.run(2 * time.Minute)
		for i, want := range []string{"n0 n1", "n0 n1", "another n3 n4 n5", "another n3 n4 n5", "another n3 n4 n5", "another n3 n4 n5"} {
			if got := w.lists(i); got != want {
				t.Errorf("after %v: n%d lists %s, want %s", after, i, got, want)
			}
		}
		if heard := w.nodes[2].Stats().RumorsDelivered; heard != 0 {
			t.Errorf("after %v: the new node heard %d rumors of the first network", after, heard)
		}
	}
}

// A node that starts again with its data finds the members that it knew, and asks nobody else who has
// one's address now.
func TestKeptContactIsOneIdentity(t *testing.T) {
	w := twoNetworks(t)
	var kept []core.Record
	for _, i := range []int{1, 2} {
		kept = append(kept, &core.Contact{Addr: addr(i), ID: w.nodes[i].Self().ID})
	}
	w.down[2] = true
	w.run(10 * time.Second)
	w.replace(2, 3)
	w.run(2 * time.Second)
	w.nodes[0] = w.newNode(0, append(kept, &core.OwnIncarnation{Incarnation: w.nodes[0].Self().Incarnation})...)
	w.carry(0, w.nodes[0].Tick(w.now))
	w.run(2 * time.Minute)
	for i, want := range []string{"n0 n1", "n0 n1", "another n3 n4 n5", "another n3 n4 n5"} {
		if got := w.lists(i); got != want {
			t.Errorf("n%d lists %s, want %s", i, got, want)
		}
	}
}

// The first of a network is there again with an empty disk, and was told of nobody: the others
// find it where they are configured to.
func TestFirstOfANetworkIsFoundAgain(t *testing.T) {
	w := twoNetworks(t)
	w.down[0] = true
	w.run(10 * time.Second)
	w.replace(0)
	w.run(10 * time.Second)
	for i := range 3 {
		if got := w.lists(i); got != "another n1 n2" {
			t.Errorf("n%d lists %s", i, got)
		}
	}
}

// Two networks become one on purpose, and that is told.
func TestNetworksMeetOnPurpose(t *testing.T) {
	w := twoNetworks(t)
	w.contact(1, 4)
	w.run(20 * time.Second)
	for i := range 6 {
		if got := w.lists(i); got != "n0 n1 n2 n3 n4 n5" {
			t.Errorf("n%d lists %s", i, got)
		}
	}
	if told := strings.Count(strings.Join(w.events, "\n"), " n1 "+hearsay.EventMeeting.String()+" "); told != 1 {
		t.Errorf("n1 told %d times that it met another network, want once:\n%s", told, join(w.events))
	}
}

// A member that the others have lost, as where they go on with older disks, lists them and is pinged by nobody: it asks
// them to list it.
func TestUnlistedIsFoundAgain(t *testing.T) {
	w := twoNetworks(t)
	for i := range 2 {
		w.nodes[i] = w.newNode(i)
		w.carry(i, w.nodes[i].Tick(w.now))
	}
	w.contact(1, 0)
	w.run(time.Minute)
	for i := range 3 {
		if got := w.lists(i); got != "n0 n1 n2" {
			t.Errorf("n%d lists %s", i, got)
		}
	}
}

// So are several who list each other, and are pinged by each other.
func TestUnlistedAreFoundAgain(t *testing.T) {
	w := twoNetworks(t)
	w.contact(3, 0)
	w.run(10 * time.Second)
	for i := range 3 {
		w.nodes[i] = w.newNode(i)
		w.carry(i, w.nodes[i].Tick(w.now))
	}
	w.contact(1, 0)
	w.contact(2, 0)
	w.run(time.Minute)
	for i := range 6 {
		if got := w.lists(i); got != "n0 n1 n2 n3 n4 n5" {
			t.Errorf("n%d lists %s", i, got)
		}
	}
}

// A newcomer that leaves at once may be heard to leave before it is heard to come: its Join, which comes later, is
// of an older incarnation, and it is not found dead.
func TestLeaveOvertakesJoin(t *testing.T) {
	w := newNetwork(t, 1)
	young := w.newNode(1)
	young.Tick(w.now)
	var join core.Packet
	young.Contact(w.now, []netip.AddrPort{addr(0)})
	for _, p := range young.Tick(w.now).Send {
		if _, is := p.Body.(*core.Join); is {
			join = p
			join.Claims = slices.Clone(p.Claims)
		}
	}
	left := young.Leave(w.now)
	told := slices.Concat(left.Now, left.Send)
	if join.Body == nil || len(told) == 0 {
		t.Fatalf("join %v, told %v", join, told)
	}
	for _, p := range append(told, join) {
		p.Addr = addr(1)
		w.nodes[0].Receive(w.now, sized(&p))
	}
	w.run(time.Minute)
	if s := w.state(1, 0); s != hearsay.StateLeft {
		t.Errorf("n0 holds it %s, want left", s)
	}
}
