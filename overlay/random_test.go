package overlay

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"

	"pgregory.net/rapid"
)

// world is overlays that agree upon links and know each other, and the packets
// between them. Everything in it is drawn from one seed.
type world struct {
	t       fataler
	cfg     Config
	now     time.Time
	random  *rand.Rand
	links   testkit.Links
	nodes   map[hearsay.NodeID]*one // the living
	order   []hearsay.NodeID        // all there ever were
	flying  testkit.Queue[flight]
	story   []byte // a line for each packet and event
	packets int
}

// flight is a packet on its way.
type flight struct {
	from hearsay.NodeID
	to   hearsay.NodeID
	body core.Message
}

func newWorld(t fataler, cfg Config, seed uint64) *world {
	random := rand.New(rand.NewPCG(seed, 1))
	links := testkit.Links{Random: random, Slow: 50 * time.Millisecond}
	return &world{t: t, cfg: cfg, now: begin, random: random, links: links, nodes: map[hearsay.NodeID]*one{}}
}

// addrOf gives each member an address from which its id can be told.
func addrOf(number int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10}), uint16(number+1))
}

func (w *world) directory(id hearsay.NodeID) (netip.AddrPort, bool) {
	return addrOf(slices.Index(w.order, id)), true
}

// join starts a node that knows all the living, and tells them.
func (w *world) join() {
	id := idOf(len(w.order))
	w.order = append(w.order, id)
	w.enter(id)
}

// enter brings a member to life, without anything that it knew before.
func (w *world) enter(id hearsay.NodeID) {
	o := start(w.cfg, id, w.directory, w.random.Uint64())
	for _, other := range w.order {
		if there := w.nodes[other]; there != nil && other != id {
			there.Add(w.now, id)
			w.carryOut(there)
			o.Add(w.now, other)
		}
	}
	w.nodes[id] = &o
	w.carryOut(&o)
}

// die ends a node, and all others hear of it.
func (w *world) die(id hearsay.NodeID) {
	delete(w.nodes, id)
	w.each(func(o *one) {
		o.Remove(w.now, id)
		w.carryOut(o)
	})
}

// each goes over the living in the order in which they came.
func (w *world) each(do func(*one)) {
	for _, id := range w.order {
		if o := w.nodes[id]; o != nil {
			do(o)
		}
	}
}

// carryOut takes what a node wants done, and holds it to its bounds.
func (w *world) carryOut(o *one) {
	for _, p := range o.out.Now {
		w.packets++
		to := w.order[p.Addr.Port()-1]
		w.story = fmt.Appendf(w.story, "%v %s %T%v to %s\n", w.now.Sub(begin), o.self.Short(), p.Body, p.Body, to.Short())
		if takes, ok := w.links.Carry(0, 0); ok {
			w.flying.Put(w.now.Add(takes), flight{o.self, to, p.Body})
		}
	}
	for _, e := range o.out.Events {
		w.story = fmt.Appendf(w.story, "%v %s %s %s\n", w.now.Sub(begin), o.self.Short(), e.Kind, e.Subject.Short())
	}
	o.out.Reset()
	if len(o.Links()) > o.most() || len(o.drawn.links) > o.most() {
		w.t.Fatalf("%s has %d links, and %d drawn", o.self.Short(), len(o.Links()), len(o.drawn.links))
	}
}

// run lets time pass, from one thing that is due to the next.
func (w *world) run(until time.Time) {
	for steps := 0; ; steps++ {
		at, do := until, func() {}
		if lands, f, ok := w.flying.Next(); ok && lands.Before(at) {
			at, do = lands, func() { w.land(f) }
		}
		w.each(func(o *one) {
			if due := o.Deadline(); due.Before(at) {
				at, do = due, func() { o.Tick(w.now); w.carryOut(o) }
			}
		})
		if w.now = later(w.now, at); !at.Before(until) {
			return
		}
		if do(); steps > 1_000_000 {
			w.t.Fatalf("no end")
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *world) land(f flight) {
	w.flying.Drop()
	if o := w.nodes[f.to]; o != nil {
		p := &core.Packet{From: f.from, Body: f.body}
		switch m := f.body.(type) {
		case *core.Hello:
			o.Hello(w.now, p, m)
		case *core.HelloAck:
			o.HelloAck(w.now, p, m)
		case *core.Unlink:
			o.Unlink(w.now, p, m)
		}
		w.carryOut(o)
	}
}

// check expects a graph in order: symmetric, connected, and nobody with too
// few links.
func (w *world) check() {
	links := map[hearsay.NodeID][]hearsay.NodeID{}
	w.each(func(o *one) {
		links[o.self] = o.Links()
		if want := min(o.least(), len(w.nodes)-1); len(o.Links()) < want {
			w.t.Fatalf("%s has %d links, less than %d", o.self.Short(), len(o.Links()), want)
		}
	})
	if len(links) > 0 {
		checkGraph(w.t, links)
	}
}

// restless goes through comings, goings, restarts and false suspicions, with
// loss, and then lets the world calm down.
func restless(t fataler, cfg Config, seed uint64, steps int, loss float64) *world {
	w := newWorld(t, cfg, seed)
	w.links.Loss = loss
	for range steps {
		switch living := w.living(); w.random.IntN(6) {
		case 0:
			if len(living) > 2 {
				w.die(living[w.random.IntN(len(living))])
			}
		case 1:
			if len(living) > 0 { // restarts, and nobody notices but itself
				w.enter(living[w.random.IntN(len(living))])
			}
		case 2:
			if len(living) > 1 {
				w.suspect(living[w.random.IntN(len(living))], living[w.random.IntN(len(living))])
			}
		default:
			w.join()
		}
		w.run(w.now.Add(time.Duration(w.random.Int64N(int64(2 * time.Second)))))
	}
	w.links.Loss = 0
	w.each(func(o *one) {
		for _, id := range w.order {
			o.Trust(w.now, id)
		}
	})
	w.run(w.now.Add(time.Duration(4*cfg.Links) * confirmEvery))
	return w
}

func (w *world) living() (ids []hearsay.NodeID) {
	w.each(func(o *one) { ids = append(ids, o.self) })
	return ids
}

func (w *world) suspect(by, subject hearsay.NodeID) {
	o := w.nodes[by]
	o.Suspect(w.now, subject)
	w.carryOut(o)
}

func TestRandomConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		links := rapid.IntRange(LinksMin, 6).Draw(t, "links")
		loss := rapid.Float64Range(0, 0.4).Draw(t, "loss")
		steps := rapid.IntRange(1, 30).Draw(t, "steps")
		restless(t, Config{Kind: KindRandom, Links: links}, rapid.Uint64().Draw(t, "seed"), steps, loss).check()
	})
}

// The same seed makes the same packets and the same news.
func TestRandomIsDeterministic(t *testing.T) {
	cfg := Config{Kind: KindRandom, Links: 4}
	a, b, c := restless(t, cfg, 7, 40, 0.1), restless(t, cfg, 7, 40, 0.1), restless(t, cfg, 8, 40, 0.1)
	if string(a.story) != string(b.story) || len(a.story) < 1000 {
		t.Errorf("two stories of %d and %d bytes from one seed", len(a.story), len(b.story))
	}
	if string(a.story) == string(c.story) {
		t.Error("the seed does not matter")
	}
}

// Many that start at one time are linked within seconds, evenly, and then are
// quiet.
func TestRandomRush(t *testing.T) {
	w := newWorld(t, Config{Kind: KindRandom, Links: 4}, 1)
	for range 100 {
		w.join()
	}
	w.run(begin.Add(5 * time.Second))
	w.check()
	sum, most := 0, 0
	w.each(func(o *one) {
		sum += len(o.Links())
		most = max(most, len(o.Links()))
	})
	started := w.packets
	w.run(w.now.Add(time.Minute))
	perNode := float64(w.packets-started) / 100 / 60
	t.Logf("mean degree %.2f, most %d; %d packets to start, then %.2f a second and node", float64(sum)/100, most, started, perNode)
	if started > 100*12 || perNode > 0.25 || most > 8 {
		t.Errorf("%d packets to start, then %.2f a second and node, degree to %d", started, perNode, most)
	}
	w.check()
}

// A link is drawn for one that is suspect, and kept for when it is not.
func TestRandomStandIn(t *testing.T) {
	w := newWorld(t, Config{Kind: KindRandom, Links: 4}, 3)
	for range 30 {
		w.join()
	}
	w.run(begin.Add(5 * time.Second))
	o := w.nodes[w.order[0]]
	gone := o.drawn.links[0]
	for _, id := range slices.Clone(o.Links()) {
		w.suspect(o.self, id)
	}
	w.run(w.now.Add(2 * time.Second))
	if o.Linked(gone) || len(o.Links()) < 4 {
		t.Errorf("links are %v with all of them suspect", o.Links())
	}
	for _, id := range w.order {
		o.Trust(w.now, id)
	}
	w.run(w.now.Add(time.Second))
	if !o.Linked(gone) {
		t.Errorf("%s did not come back: %v", gone.Short(), o.Links())
	}
	w.run(w.now.Add(2 * time.Minute))
	w.check()
}

// lonely is a random overlay among 200, which does not ask by itself now.
func lonely(t *testing.T) (o one, others []hearsay.NodeID) {
	t.Helper()
	ids := idsOf(200)
	o = start(Config{Kind: KindRandom, Links: 4}, ids[0], anywhere, 1)
	for _, id := range ids[1:] {
		o.Add(begin, id)
	}
	o.Tick(begin)
	for _, id := range ids[1:] {
		if !o.Linked(id) && id != o.drawn.asked {
			others = append(others, id)
		}
	}
	o.out.Reset()
	return o, others
}

func from(id hearsay.NodeID) *core.Packet { return &core.Packet{From: id} }

// However many ask, a node has at most twice its links, answers at a bounded
// rate, and says what it did not answer.
func TestHellosAreBounded(t *testing.T) {
	o, others := lonely(t)
	for range 10 {
		for _, id := range others {
			o.Hello(begin, from(id), &core.Hello{})
		}
	}
	asked := uint64(10 * len(others))
	if n := len(o.out.Now); n != helloBurst || o.stats.Drops[hearsay.DropRate] != asked-helloBurst {
		t.Errorf("%d answers, %d counted, of %d", n, o.stats.Drops[hearsay.DropRate], asked)
	}
	accepted := 0
	for _, p := range o.out.Now {
		if p.Body.(*core.HelloAck).Accepted {
			accepted++
		}
	}
	o.Tick(begin)
	if len(o.Links()) != 8 || accepted != 6 {
		t.Errorf("%d links, %d accepted", len(o.Links()), accepted)
	}
	o.out.Reset()
	for i := range 100 * 60 { // for a minute
		o.Hello(begin.Add(time.Duration(i)*10*time.Millisecond), from(others[i%len(others)]), &core.Hello{})
	}
	if n, most := len(o.out.Now), int(time.Minute/helloRefill); n > most || n < most-10 {
		t.Errorf("%d answers in a minute", n)
	}
	o.out.Reset()
	o.Hello(begin.Add(time.Hour), from(others[0]), &core.Hello{})
	if len(o.out.Now) != 1 {
		t.Error("no answer after an hour of silence")
	}
}

func TestStrangersGetNoAnswer(t *testing.T) {
	o, others := lonely(t)
	stranger := hearsay.NodeID{1}
	o.Hello(begin, from(stranger), &core.Hello{})
	o.Remove(begin, others[0])
	o.Hello(begin, from(others[0]), &core.Hello{})
	o.Hello(begin, from(o.self), &core.Hello{})
	if o.stats.Drops[hearsay.DropStranger] != 3 || len(o.out.Now) > 0 {
		t.Errorf("%d counted, %d answers", o.stats.Drops[hearsay.DropStranger], len(o.out.Now))
	}
	o.HelloAck(begin, from(stranger), &core.HelloAck{Accepted: true})
	o.HelloAck(begin, from(others[1]), &core.HelloAck{})
	o.Unlink(begin, from(stranger), &core.Unlink{})
	if o.stats.Drops[hearsay.DropUnexpected] != 3 || len(o.out.Now) > 0 {
		t.Errorf("%d counted, %d answers", o.stats.Drops[hearsay.DropUnexpected], len(o.out.Now))
	}
	o.Tick(begin)
	if o.Linked(stranger) || o.Linked(others[0]) {
		t.Error("linked with a stranger")
	}
}

// Who speaks as a neighbor does and is none is told so, but not without end; who
// is one, or may be one soon, is not.
func TestDisown(t *testing.T) {
	o, others := lonely(t)
	o.Disown(begin, others[0])
	if len(o.out.Now) != 1 {
		t.Fatalf("%d packets, want one", len(o.out.Now))
	}
	if _, ok := o.out.Now[0].Body.(*core.Unlink); !ok {
		t.Errorf("sent %T", o.out.Now[0].Body)
	}
	for range 10 * helloBurst {
		o.Disown(begin, others[0])
	}
	if n := len(o.out.Now); n > helloBurst {
		t.Errorf("%d packets", n)
	}
	o, others = lonely(t)
	o.ask(begin, others[0])
	o.Suspect(begin, others[1])
	before := len(o.out.Now)
	o.Disown(begin, others[0])
	o.Disown(begin, others[1])
	o.Disown(begin, hearsay.NodeID{0: 77})
	if n := len(o.out.Now) - before; n > 0 {
		t.Errorf("%d packets to who was asked, to a suspect, and to a stranger", n)
	}
}

// An ack that nobody waited for makes no link; who sent it is told so.
func TestUnaskedAck(t *testing.T) {
	o, others := lonely(t)
	o.HelloAck(begin, from(others[0]), &core.HelloAck{Accepted: true})
	o.Tick(begin)
	if len(o.out.Now) != 1 || o.Linked(others[0]) {
		t.Fatalf("%d packets, links %v", len(o.out.Now), o.Links())
	}
	if _, ok := o.out.Now[0].Body.(*core.Unlink); !ok {
		t.Errorf("sent %T", o.out.Now[0].Body)
	}
	for range 10 * helloBurst {
		o.HelloAck(begin, from(others[0]), &core.HelloAck{Accepted: true})
	}
	if len(o.out.Now) > helloBurst {
		t.Errorf("%d packets", len(o.out.Now))
	}
}

// One that does not answer in time is told that there is no link, in case that
// it believes so, and another is asked.
func TestUnansweredHello(t *testing.T) {
	o, _ := lonely(t)
	silent := o.drawn.asked
	if silent.IsZero() {
		t.Fatal("nobody was asked")
	}
	o.Tick(begin.Add(helloWait - 1))
	if len(o.out.Now) > 0 {
		t.Fatalf("%d packets before the time", len(o.out.Now))
	}
	o.Tick(begin.Add(helloWait))
	o.Tick(o.Deadline())
	if len(o.out.Now) != 2 {
		t.Fatalf("%d packets, want an Unlink and a Hello", len(o.out.Now))
	}
	if _, ok := o.out.Now[0].Body.(*core.Unlink); !ok || o.drawn.asked == silent || o.Linked(silent) {
		t.Errorf("sent %T; asked is %s, after %s", o.out.Now[0].Body, o.drawn.asked.Short(), silent.Short())
	}
}

// One that accepts when there is no room any more is told so.
func TestNoRoomAnyMore(t *testing.T) {
	o, others := lonely(t)
	late := o.drawn.asked
	for _, id := range others[:10] {
		o.Hello(begin, from(id), &core.Hello{})
	}
	o.out.Reset()
	o.HelloAck(begin, from(late), &core.HelloAck{Accepted: true})
	o.Tick(begin)
	if len(o.out.Now) != 1 || o.Linked(late) {
		t.Fatalf("%d packets; links %v", len(o.out.Now), o.Links())
	}
	if _, ok := o.out.Now[0].Body.(*core.Unlink); !ok {
		t.Errorf("sent %T", o.out.Now[0].Body)
	}
}

// Nobody can talk a node out of its links on ring 0.
func TestRingLinksCannotBeEnded(t *testing.T) {
	o, _ := lonely(t)
	before := slices.Clone(o.Links())
	if len(before) != 2 {
		t.Fatalf("links are %v", before)
	}
	for _, id := range before {
		o.Hello(begin, from(id), &core.Hello{})
		o.Unlink(begin, from(id), &core.Unlink{})
	}
	o.Tick(begin)
	if !slices.Equal(o.Links(), before) {
		t.Errorf("links are %v, were %v", o.Links(), before)
	}
}

// A ring overlay has the links that it has, and says so to who asks.
func TestRingAnswersHello(t *testing.T) {
	ids := idsOf(50)
	o := start(DefaultConfig(), ids[0], anywhere, 1)
	for _, id := range ids[1:] {
		o.Add(begin, id)
	}
	o.Tick(begin)
	before := slices.Clone(o.Links())
	for i, id := range ids[1:] {
		now := begin.Add(time.Duration(i) * time.Second)
		o.Hello(now, from(id), &core.Hello{})
		o.Unlink(now, from(id), &core.Unlink{})
		o.HelloAck(now, from(id), &core.HelloAck{Accepted: true})
	}
	o.Tick(begin)
	accepted := 0
	for _, p := range o.out.Now {
		if m, ok := p.Body.(*core.HelloAck); ok && m.Accepted {
			accepted++
		}
	}
	if !slices.Equal(o.Links(), before) || accepted != len(before) {
		t.Errorf("links are %v, were %v; %d accepted", o.Links(), before, accepted)
	}
}

// Where nobody has room a node asks ever less often.
func TestRefusalsBackOff(t *testing.T) {
	o, _ := lonely(t)
	asks, now := 0, begin
	refuse := func() {
		if asked := o.drawn.asked; !asked.IsZero() {
			asks++
			o.HelloAck(now, from(asked), &core.HelloAck{Degree: 8})
		}
	}
	refuse()
	for now.Before(begin.Add(5 * time.Minute)) {
		now = o.Deadline()
		o.Tick(now)
		refuse()
	}
	if asks < 30 || asks > 45 {
		t.Errorf("%d asks in 5 minutes", asks)
	}
	o.Add(now, idOf(1000)) // somebody new
	o.Tick(now)
	if wait := o.Deadline().Sub(now); wait > helloMin {
		t.Errorf("asks again only after %v, though there is somebody new", wait)
	}
}

// If the answer to a Hello is lost, and the word that it came too late, one end
// believes that there is a link. It asks soon, not in its turn, and asks again.
func TestLostAnswer(t *testing.T) {
	w := newWorld(t, Config{Kind: KindRandom, Links: 4}, 1)
	for range 12 {
		w.join()
	}
	w.run(begin.Add(10 * time.Second))
	w.check()
	asker := w.nodes[w.order[0]]
	accepts := w.nodes[w.order[slices.IndexFunc(w.order, func(id hearsay.NodeID) bool { return id != asker.self && !asker.Linked(id) })]]
	accepts.Hello(w.now, from(asker.self), &core.Hello{})
	accepts.out.Reset() // its answer is lost
	accepts.Tick(w.now)
	if w.carryOut(accepts); !accepts.Linked(asker.self) || asker.Linked(accepts.self) {
		t.Fatal("the link is not known at one end alone")
	}
	w.links.Loss = 1
	w.run(w.now.Add(3 * doubtEvery))
	w.links.Loss = 0
	w.run(w.now.Add(3 * doubtEvery))
	w.check()
	if n := len(accepts.drawn.doubts) + len(asker.drawn.doubts); n > 0 {
		t.Errorf("%d links are doubted still", n)
	}
}

// Who was held dead asks after all its links, one at a time.
func TestDoubtAfterDeath(t *testing.T) {
	w := newWorld(t, Config{Kind: KindRandom, Links: 4}, 2)
	for range 12 {
		w.join()
	}
	w.run(begin.Add(10 * time.Second))
	back := w.nodes[w.order[3]]
	w.each(func(o *one) {
		if o != back {
			o.Remove(w.now, back.self)
			o.Add(w.now, back.self)
			w.carryOut(o)
		}
	})
	back.Doubt(w.now)
	links := time.Duration(len(back.drawn.links))
	w.run(w.now.Add((links + 1) * doubtEvery))
	w.check()
	if len(back.drawn.doubts) > 0 {
		t.Errorf("%d links are doubted still", len(back.drawn.doubts))
	}
}

// A suspect that asks for a link is not asked after it: another that uses its name, or
// that of a guest, which nobody links with, would have it asked for ever.
func TestSuspectIsNotDoubted(t *testing.T) {
	o, others := lonely(t)
	suspect := others[0]
	o.Suspect(begin, suspect)
	o.Hello(begin, from(suspect), &core.Hello{})
	o.out.Reset()
	for at := begin; at.Before(begin.Add(confirmEvery / 2)); at = o.Deadline() {
		o.Tick(at)
		for _, p := range o.out.Now {
			if _, asks := p.Body.(*core.Hello); asks && o.drawn.asked == suspect {
				t.Fatalf("asked after %v", at.Sub(begin))
			}
		}
		o.out.Reset()
	}
	if len(o.drawn.doubts) > 0 {
		t.Errorf("%d links are doubted", len(o.drawn.doubts))
	}
}
