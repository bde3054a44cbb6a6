package node_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/overlay"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
	"hearsay/wire"
)

// signer is a keyed hash in the place of Ed25519.
type signer struct{ key hearsay.PublicKey }

func (s signer) Public() hearsay.PublicKey { return s.key }

func (s signer) Sign(message []byte) hearsay.Signature {
	return hearsay.Signature(append(make([]byte, 32), hash(s.key, message)...))
}

func (s signer) Verify(key hearsay.PublicKey, message []byte, signature hearsay.Signature) bool {
	return [32]byte(signature[32:]) == [32]byte(hash(key, message))
}

func hash(key hearsay.PublicKey, message []byte) []byte {
	sum := sha256.Sum256(append(key[:], message...))
	return sum[:]
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// network is a handful of nodes whose packets arrive at once.
type network struct {
	t     testing.TB
	now   time.Time
	nodes []*node.Node
	down  map[int]bool
	cut   map[[2]int]bool // pairs, in either order, between which nothing goes
	// machines of which no stream gets anything through, to or from: behind loss that lasts for seconds
	stuck   map[int]bool
	closed  map[int]bool // machines to which nothing comes
	mute    map[int]bool // machines from which nothing goes out, and so no streams to them
	deaf    map[int]bool // machines to which no datagrams come
	unasked map[int]bool // machines to which no pings come
	events  []string
	hears   func(by int, e *hearsay.Event) // is told each event; nil: nobody is
	pings   map[[2]int]int                 // by who pings which other
	reports int                            // sent to seeds
	// of nodes with seeds that are made from now on: after so long they forget the dead; 0: as by default
	forget time.Duration
	told   []hearsay.Outcome // what goes to addresses of no node
	joined map[int]int       // by who has joined: how many are in, as it told last
}

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7000)
}

func newNetwork(t testing.TB, n int) *network {
	w := &network{t: t, now: start, down: map[int]bool{}, pings: map[[2]int]int{}}
	for i := range n {
		w.nodes = append(w.nodes, w.newNode(i))
	}
	for i := range n {
		w.carry(i, w.nodes[i].Tick(w.now))
		if i > 0 {
			w.carry(i, w.nodes[i].Contact(w.now, []netip.AddrPort{addr(0)}))
		}
	}
	return w
}

func (w *network) newNode(i int, records ...core.Record) *node.Node {
	return w.newNodeCalled(i, fmt.Sprintf("n%d", i), records...)
}

func (w *network) newNodeCalled(i int, name string, records ...core.Record) *node.Node {
	return w.newNodeAt(i, i, name, records...)
}

// newNodeAt makes a node with an identity by number, at the i-th address.
func (w *network) newNodeAt(i, identity int, name string, records ...core.Record) *node.Node {
	key := hearsay.PublicKey(sha256.Sum256([]byte{byte(identity)}))
	cfg := node.Config{
		Network: hearsay.NetworkIDOf("test"), Name: name, Addr: addr(i), Role: hearsay.RolePeer,
		Detect: detect.DefaultConfig(), Roster: roster.DefaultConfig(),
		Overlay: overlay.DefaultConfig(), Rumors: rumor.DefaultConfig(), Store: spread.DefaultConfig(),
	}
	return node.New(cfg, signer{key}, rand.New(rand.NewPCG(7, uint64(i))), records, w.now)
}

// sized is a packet with its size, as a driver gives it.
func sized(p *core.Packet) *core.Packet {
	p.Size = len(wire.AppendPacket(nil, hearsay.NetworkID{}, p))
	return p
}

// carry delivers what a step sent, and what follows from it.
func (w *network) carry(from int, out *core.Effects) {
	type letter struct {
		to int
		p  core.Packet
	}
	var letters []letter
	for _, list := range [][]core.Packet{out.Now, out.Send} {
		for _, p := range list {
			bytes := p.Addr.Addr().As4()
			to := int(bytes[2])<<8 | int(bytes[3])
			p.Addr = addr(from)
			p.Claims = append([]hearsay.Claim(nil), p.Claims...)
			switch m := p.Body.(type) { // what a step hands out is void after the next
			case *core.Ping:
				c := *m
				p.Body = &c
				if m.Extra == 0 { // else it tests the way
					w.pings[[2]int{from, to}]++
				}
			case *core.Ack:
				c := *m
				p.Body = &c
			case *core.Report:
				w.reports++
			}
			letters = append(letters, letter{to, p})
		}
	}
	for _, e := range out.Events {
		if e.Kind == hearsay.EventJoined && w.joined != nil {
			w.joined[from] = e.Count
		}
		if w.hears != nil {
			w.hears(from, &e)
		}
		w.events = append(w.events, fmt.Sprintf("%8s n%d %s %s by %s", e.At.Sub(start).Round(time.Millisecond), from, e.Kind, e.Name, e.ByName))
	}
	for _, l := range letters {
		if _, asks := l.p.Body.(*core.Ping); asks && w.unasked[l.to] {
			continue
		}
		if m, is := l.p.Body.(*core.Outcome); is && l.to >= len(w.nodes) {
			w.told = append(w.told, m.Outcome)
		}
		if w.cut[[2]int{from, l.to}] || w.cut[[2]int{l.to, from}] || w.closed[l.to] || w.mute[from] || l.p.Stream && w.mute[l.to] || w.deaf[l.to] && !l.p.Stream {
			continue
		}
		if l.to < len(w.nodes) && !w.down[l.to] && !w.down[from] && !(l.p.Stream && (w.stuck[l.to] || w.stuck[from])) {
			w.carry(l.to, w.nodes[l.to].Receive(w.now, sized(&l.p)))
		}
	}
}

// run lets so much time pass.
func (w *network) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		next, who := end, -1
		for i, n := range w.nodes {
			if at := n.Deadline(); !w.down[i] && at.Before(next) {
				next, who = at, i
			}
		}
		if who < 0 {
			w.now = end
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		w.carry(who, w.nodes[who].Tick(w.now))
	}
}

func (w *network) state(of, by int) hearsay.State {
	for _, m := range w.nodes[by].Members(nil) {
		if m.Name == fmt.Sprintf("n%d", of) {
			return m.State
		}
	}
	return 0
}

func TestStory(t *testing.T) {
	w := newNetwork(t, 5)
	w.run(2 * time.Second)
	for by := range 5 {
		for of := range 5 {
			if s := w.state(of, by); s != hearsay.StateAlive {
				t.Fatalf("n%d has n%d as %s; events:\n%s", by, of, s, join(w.events))
			}
		}
	}
	w.down[3] = true
	w.run(5 * time.Second)
	for _, by := range []int{0, 1, 2, 4} {
		if s := w.state(3, by); s != hearsay.StateDead {
			t.Fatalf("n%d has n3 as %s; events:\n%s", by, s, join(w.events))
		}
	}
	w.down[3] = false // it was only cut off
	w.run(5 * time.Second)
	for by := range 5 {
		if s := w.state(3, by); s != hearsay.StateAlive {
			t.Fatalf("n%d has n3 as %s; events:\n%s", by, s, join(w.events))
		}
		if w.nodes[by].RosterHash() != w.nodes[0].RosterHash() {
			t.Fatalf("n%d has another roster than n0; events:\n%s", by, join(w.events))
		}
	}
	file, err := why(w.nodes[1], w.now, "n3")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(join(w.events))
	t.Log(file.Summary)
	for _, s := range file.Steps {
		t.Log(s.At.Sub(start).Round(time.Millisecond), s.Kind, s.By, s.Text, s.Detail)
	}
}

// A contact may be the node's own address under another name.
func TestOwnAddressIsNoContact(t *testing.T) {
	w := newNetwork(t, 2)
	w.run(time.Second)
	n, alias := w.nodes[0], netip.MustParseAddrPort("127.0.0.1:7000")
	tried := 0
	w.carry(0, n.Contact(w.now, []netip.AddrPort{alias}))
	for end := w.now.Add(20 * time.Second); w.now.Before(end); w.now = n.Deadline() {
		for _, p := range n.Tick(w.now).Now {
			if p.Addr != alias {
				continue
			}
			tried++
			ping := *p.Body.(*core.Ping)
			n.Receive(w.now, &core.Packet{From: p.From, Addr: addr(0), Body: &ping})
		}
	}
	if tried != 1 {
		t.Errorf("tried its own address %d times, want once", tried)
	}
}

// A member that was suspect, or left and came back, is on the list of probes once.
func TestEachIsProbedAsOften(t *testing.T) {
	w := newNetwork(t, 5)
	w.run(2 * time.Second)
	suspect, liar := w.nodes[1].Self(), w.nodes[4].Self().ID
	for range 5 {
		lie := hearsay.Claim{Subject: suspect.ID, State: hearsay.StateSuspect, Incarnation: w.nodes[1].Self().Incarnation, By: liar}
		w.carry(0, w.nodes[0].Receive(w.now, &core.Packet{From: liar, Addr: addr(4), Body: &core.News{}, Claims: []hearsay.Claim{lie}}))
		w.run(2 * time.Second)
	}
	for range 5 {
		w.carry(3, w.nodes[3].Leave(w.now))
		w.run(2 * time.Second)
		w.nodes[3] = w.newNode(3, &core.OwnIncarnation{Incarnation: w.nodes[3].Self().Incarnation})
		w.carry(3, w.nodes[3].Tick(w.now))
		w.carry(3, w.nodes[3].Contact(w.now, []netip.AddrPort{addr(0)}))
		w.run(2 * time.Second)
	}
	w.pings = map[[2]int]int{}
	w.run(80 * time.Second)
	for of := 1; of < 5; of++ {
		if n := w.pings[[2]int{0, of}]; n < 16 || n > 25 {
			t.Errorf("n0 pinged n%d %d times in 80 s, want about 20", of, n)
		}
	}
}

// Where a node says that it is it is pinged by stream at once if it is a member that gets no datagrams where it was, or
// if the node that hears of it gets none.
func TestHintsAreAskedByStream(t *testing.T) {
	const member, stranger = 1, 8
	for _, c := range []struct {
		who    byte
		lose   func(w *network)
		stream bool
	}{
		{member, func(*network) {}, false},
		{member, func(w *network) {
			w.nodes[0].Receive(w.now, &core.Packet{From: w.nodes[1].Self().ID, Addr: addr(1), Stream: true, Body: &core.Deaf{}})
		}, true},
		{stranger, func(*network) {}, false},
		{stranger, func(w *network) {
			w.deaf = map[int]bool{0: true}
			w.run(20 * time.Second)
		}, true},
	} {
		w := newNetwork(t, 5)
		w.run(5 * time.Second)
		c.lose(w)
		n := w.nodes[0]
		word := hearsay.Claim{State: hearsay.StateAlive, Incarnation: hearsay.Incarnation(w.now.UnixMilli()), Card: hearsay.Card{Name: "it", Addr: addr(9), Role: hearsay.RolePeer}}
		word.Sign(hearsay.NetworkIDOf("test"), signer{hearsay.PublicKey(sha256.Sum256([]byte{c.who}))})
		n.Receive(w.now, &core.Packet{From: w.nodes[2].Self().ID, Addr: addr(2), Stream: true, Body: &core.News{}, Claims: []hearsay.Claim{word}})
		pinged, stream := 0, false
		for _, p := range n.Tick(w.now).Now {
			if _, ping := p.Body.(*core.Ping); ping && p.Addr == addr(9) {
				pinged++
				stream = p.Stream
			}
		}
		if pinged != 1 || stream != c.stream {
			t.Errorf("%d: pinged %d times, by stream: %t, want %t", c.who, pinged, stream, c.stream)
		}
	}
}

func TestRosterOfNobodyAskedIsDropped(t *testing.T) {
	w := newNetwork(t, 2)
	w.run(time.Second)
	made := hearsay.Claim{State: hearsay.StateAlive, Incarnation: 1, Card: hearsay.Card{Name: "made", Addr: addr(9), Role: hearsay.RolePeer}}
	made.Sign(hearsay.NetworkIDOf("test"), signer{hearsay.PublicKey{9}})
	p := &core.Packet{From: made.Subject, Addr: addr(9), Stream: true, Body: &core.Roster{}, Claims: []hearsay.Claim{made}}
	w.nodes[0].Receive(w.now, p)
	if n := w.nodes[0].Stats().Drops[hearsay.DropUnexpected]; n != 1 || len(w.nodes[0].Members(nil)) != 2 {
		t.Errorf("%d dropped, %d members", n, len(w.nodes[0].Members(nil)))
	}
}

// One who accuses everybody, over and over, takes nobody's right to testify.
func TestAccuserSilencesNobody(t *testing.T) {
	w := newNetwork(t, 5)
	w.run(2 * time.Second)
	liar := w.nodes[4].Self().ID
	accuse := func(d time.Duration) {
		for end := w.now.Add(d); w.now.Before(end); w.run(50 * time.Millisecond) {
			for i, n := range w.nodes[:4] {
				lie := hearsay.Claim{Subject: n.Self().ID, State: hearsay.StateSuspect, Incarnation: n.Self().Incarnation, By: liar}
				if !w.down[i] {
					w.carry(i, n.Receive(w.now, &core.Packet{From: liar, Addr: addr(4), Body: &core.News{}, Claims: []hearsay.Claim{lie}}))
				}
			}
		}
	}
	accuse(5 * time.Second)
	if w.nodes[0].Stats().Refutations < 10 {
		t.Fatal("nothing was refuted")
	}
	w.down[3] = true
	accuse(10 * time.Second)
	for by := range 3 {
		if s := w.state(3, by); s != hearsay.StateDead {
			t.Errorf("n%d has n3 as %s, with health %d", by, s, w.nodes[by].Stats().Health)
		}
	}
}

// A member that signs a statement, or accuses, says when by its own clock.
func TestWhyTellsOfImpossibleTimes(t *testing.T) {
	file := whyForged(t, 1)
	if _, err := json.Marshal(file); err != nil {
		t.Error(err)
	}
}

// A member whose incarnation is the highest that is believed can refute nothing, and does not come back: no way is
// told that it does not have.
func TestWhyOfTheHighestIncarnation(t *testing.T) {
	last := &core.OwnIncarnation{Incarnation: hearsay.MaxIncarnation - 1}
	w := &network{t: t, now: start, down: map[int]bool{}, pings: map[[2]int]int{}}
	w.nodes = []*node.Node{w.newNode(0), w.newNode(1), w.newNode(2), w.newNode(3, last)}
	for i, n := range w.nodes {
		w.carry(i, n.Tick(w.now))
		w.carry(i, n.Contact(w.now, []netip.AddrPort{addr(0)}))
	}
	w.run(3 * time.Second)
	w.toldOfTheHighest(0, 3, "dead", 20*time.Second)

	w = newSeededNetwork(t, 4)
	w.nodes[6] = w.newSeededNode(6, last)
	w.carry(6, w.nodes[6].Tick(w.now))
	w.run(8 * time.Second)
	w.toldOfTheHighest(0, 6, "dead", 20*time.Second)
}

// toldOfTheHighest holds what a node tells of another that dies, while it is suspect and then.
func (w *network) toldOfTheHighest(by, of int, then string, within time.Duration) {
	name := fmt.Sprintf("n%d", of)
	if self := w.nodes[of].Self(); self.Incarnation != hearsay.MaxIncarnation {
		w.t.Fatalf("%s has incarnation %d", name, self.Incarnation)
	}
	w.down[of] = true
	suspect := false
	for end := w.now.Add(within); w.now.Before(end); w.run(100 * time.Millisecond) {
		file := w.why(by, name)
		if suspect = suspect || file.Verdict == "suspect"; file.Verdict == "suspect" && strings.Contains(file.Nearest, "refut") {
			w.t.Fatalf("suspect: %s", file.Nearest)
		}
	}
	file := w.why(by, name)
	contains(w.t, then, file.Verdict+file.Summary, then, "t cannot come back with this identity, as its incarnation is the highest that is believed")
	if strings.Contains(file.Summary+file.Nearest, "refuting") || strings.Contains(file.Summary, "by itself if it lives") || strings.Contains(file.Summary, "admitted again by itself") || !suspect {
		w.t.Errorf("%s: %s %s", then, file.Summary, file.Nearest)
	}
}

// Nobody signs that it has gathered evidence: who has signed nothing in it is
// named, and not more.
func TestWhyDoesNotBelieveTheAccusersName(t *testing.T) {
	for accuser, want := range map[int]string{1: "n1 got no answer", 3: "n3 (named by the evidence, without a signature of its own) got no answer", 0: "n0 (named by the evidence, without a signature of its own) got no answer"} {
		file := whyForged(t, accuser)
		contains(t, "summary", file.Summary, want)
		contains(t, "first step", file.Steps[0].Text, want)
		if by, name := file.Steps[0].By, fmt.Sprintf("n%d", accuser); by != name {
			t.Errorf("the first step is by %q, want the name %s alone", by, name)
		}
	}
}

// whyForged is what n0 tells of the death of n3, with evidence by n1, n2 and n4
// that says that the accuser has gathered it, at impossible times.
func whyForged(t *testing.T, accuser int) hearsay.CaseFile {
	t.Helper()
	w := newNetwork(t, 5)
	w.run(2 * time.Second)
	w.down[3] = true
	var e hearsay.Evidence
	network, n := hearsay.NetworkIDOf("test"), w.nodes[0]
	e.Subject, e.Incarnation = w.nodes[3].Self().ID, w.nodes[3].Self().Incarnation
	e.Round, e.Rule, e.Accuser = 5, hearsay.RuleMajority, w.nodes[accuser].Self().ID
	e.Suspected, e.Condemned = math.MinInt64, math.MaxInt64
	for _, i := range []int{1, 2, 4} {
		s := hearsay.Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round, Verdict: hearsay.VerdictUnreachable, At: math.MaxInt64}
		s.Sign(hearsay.LedgerID{Network: network}, signer{hearsay.PublicKey(sha256.Sum256([]byte{byte(i)}))})
		e.Statements = append(e.Statements, s)
	}
	teller := w.nodes[1].Self().ID
	dead := hearsay.Claim{Subject: e.Subject, State: hearsay.StateDead, Incarnation: e.Incarnation, By: teller, Evidence: e.Hash(network)}
	n.Receive(w.now, &core.Packet{From: teller, Addr: addr(1), Body: &core.News{}, Claims: []hearsay.Claim{dead}})
	w.now = w.now.Add(2100 * time.Millisecond)
	n.Receive(w.now, &core.Packet{From: teller, Addr: addr(1), Body: &core.Evidence{Evidence: &e}})
	file, err := why(n, w.now, "n3")
	if err != nil || file.Verdict != "dead" {
		t.Fatalf("%s, %v", file.Verdict, err)
	}
	return file
}

func join(lines []string) string {
	out := ""
	for _, l := range lines {
		out += l + "\n"
	}
	return out
}

func BenchmarkReceivePing(b *testing.B) {
	w := newNetwork(b, 8)
	w.run(5 * time.Second)
	n := w.nodes[1]
	ping := &core.Ping{Seq: 7, Target: n.Self().ID, Hash: n.RosterHash()}
	p := sized(&core.Packet{From: w.nodes[2].Self().ID, Addr: addr(2), Body: ping})
	b.ReportAllocs()
	for b.Loop() {
		if out := n.Receive(w.now, p); len(out.Now) != 1 {
			b.Fatalf("%d packets", len(out.Now))
		}
	}
}

// A member is meant by its name, its id, or three digits or more of it. Who takes
// another's id for a name is not taken for that one.
func TestWhoIsMeant(t *testing.T) {
	w := newNetwork(t, 2)
	id := w.nodes[1].Self().ID.String()
	for i, digits := range []int{3, 8, 32} {
		w.nodes = append(w.nodes, w.newNodeCalled(2+i, id[:digits]))
		w.carry(2+i, w.nodes[2+i].Contact(w.now, []netip.AddrPort{addr(0)}))
	}
	w.run(2 * time.Second)
	for name, want := range map[string]int{
		// by name: the first of them alone
		"n1": 1, id[:3]: 2, id[:4]: 1, strings.ToUpper(id[:7]): 1, id[:9]: 1, id: 1, w.nodes[4].Self().ID.String(): 4,
	} {
		file, err := why(w.nodes[0], w.now, name)
		if err != nil || file.Member.ID != w.nodes[want].Self().ID {
			t.Errorf("%s means %s (%v), want node %d", name, file.Member.Name, err, want)
		}
	}
	_, err := why(w.nodes[0], w.now, id[:8])
	if want := "n1 with id " + id; !errors.Is(err, hearsay.ErrAmbiguous) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), id[:8]+" with id ") {
		t.Errorf("%s is a name, and what tables show of another's id: %v, want both listed, %q", id[:8], err, want)
	}
	if file, err := why(w.nodes[0], w.now, "f0"); err != nil || !file.Member.ID.IsZero() || !strings.Contains(file.Summary, "too short: 3 digits are needed") {
		t.Errorf("two digits mean %s, %s (%v)", file.Member.Name, file.Summary, err)
	}
}
