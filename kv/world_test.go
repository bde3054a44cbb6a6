package kv

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

var start = time.UnixMilli(1_700_000_000_000)

func originOf(n int) clock.Origin {
	return NewOrigin(hearsay.NodeID{byte(n)}, clock.Origin{}, [4]byte{byte(n)})
}

// disk is what the transactions of a replica add up to.
type disk struct {
	origin   clock.Origin
	clock    clock.Context
	objects  map[clock.Dot]*core.Object
	reserved uint64
}

func (d *disk) keep(r *Replica, c *Change) {
	if d.objects == nil {
		d.objects = make(map[clock.Dot]*core.Object)
	}
	for _, o := range c.Gone {
		if d.objects[o.Dot] == nil {
			panic("what is gone was not live")
		}
		delete(d.objects, o.Dot)
	}
	for _, o := range c.Live {
		d.objects[o.Dot] = o
	}
	for _, origin := range c.Clock {
		d.clock.Forget(origin)
		d.clock.AddRanges(origin, r.Seen().Of(origin))
	}
	if c.Reserved > 0 {
		d.reserved = c.Reserved
	}
}

func (d *disk) saved() Saved {
	return Saved{Clock: &d.clock, Objects: slices.Collect(maps.Values(d.objects)), Reserved: d.reserved}
}

// member is one replica with its model and its disk, and the contexts that its clients have read.
type member struct {
	*Replica
	model    *model
	disk     disk
	contexts map[string][][]byte
}

type message struct {
	from, to int
	update   *core.Update
	sync     *core.Sync
}

// world is several replicas and what is on its way between them. Draw gives a number below n.
type world struct {
	draw     func(n int, what string) int
	now      time.Time
	members  []*member
	way      []message
	written  map[clock.Dot]*core.Object // every value that a client was told is written
	replaced map[clock.Dot]bool         // by a write or delete of which a client was told
	lost     map[clock.Dot]bool         // never durable
	lives    int
	part     int  // bytes of parts
	updates  bool // no exchanges: then a value never stands beside one that it has replaced
}

type failing interface {
	Helper()
	Fatalf(format string, args ...any)
}

func newWorld(draw func(n int, what string) int, n, part int) *world {
	w := &world{draw: draw, now: start, part: part, written: make(map[clock.Dot]*core.Object), replaced: make(map[clock.Dot]bool), lost: make(map[clock.Dot]bool)}
	for range n {
		w.join()
	}
	return w
}

func (w *world) config(origin clock.Origin) Config {
	cfg := DefaultConfig(origin)
	cfg.Drift, cfg.Reserve, cfg.Part = time.Second, 16, w.part
	return cfg
}

// join adds an empty replica.
func (w *world) join() {
	w.lives++
	m := &member{model: newModel(), contexts: make(map[string][][]byte)}
	m.disk.origin = originOf(w.lives)
	var change Change
	m.Replica, change = New(w.config(m.disk.origin), Saved{})
	m.disk.keep(m.Replica, &change)
	w.members = append(w.members, m)
}

// restart begins from disk.
func (w *world) restart(m *member) {
	saved := m.disk.saved()
	m.model.held = nil
	var change Change
	m.Replica, change = New(w.config(m.disk.origin), saved)
	m.disk.keep(m.Replica, &change)
}

func (w *world) key() string { return fmt.Sprintf("key-%d", w.draw(4, "key")) }

// write draws a write of a key at a member.
func (w *world) write(m *member, key string) Write {
	write := Write{Key: key}
	switch kind := w.draw(8, "kind"); {
	case kind == 0:
		write.Delete = true
	case kind == 1:
		write.TTL = time.Duration(1+w.draw(5, "ttl")) * time.Second
		fallthrough
	default:
		write.Value = fmt.Appendf(nil, "%d", len(w.written))
		if w.draw(8, "long") == 0 {
			write.Value = fmt.Appendf(write.Value, "%60d", len(w.written))
		}
	}
	if old := m.contexts[key]; len(old) > 0 && w.draw(3, "context") > 0 {
		write.Context = old[w.draw(len(old), "which")]
	}
	return write
}

// put writes some keys at a member, as one record; or crashes before it is durable.
func (w *world) put(t failing, m *member) {
	t.Helper()
	var writes []Write
	for range 1 + max(0, w.draw(6, "keys")-3) {
		if key := w.key(); !slices.ContainsFunc(writes, func(o Write) bool { return o.Key == key }) {
			writes = append(writes, w.write(m, key))
		}
	}
	before := make(map[string][]*core.Object)
	for _, write := range writes {
		for _, o := range m.all(write.Key) {
			before[write.Key] = append(before[write.Key], &o.Object)
		}
	}
	u, change, err := m.Put(w.now, writes...)
	switch {
	case errors.Is(err, hearsay.ErrUnseen) || errors.Is(err, hearsay.ErrSiblings):
		if d := m.model.differs(m.Replica); d != "" {
			t.Fatalf("after a refusal: %s", d)
		}
		return
	case err != nil:
		t.Fatalf("put %v: %v", writes, err)
	case u == nil:
		return
	}
	if w.draw(12, "crash") == 0 {
		for i := range u.Objects {
			w.lost[u.Objects[i].Dot] = true
		}
		m.contexts[writes[0].Key] = append(m.contexts[writes[0].Key], m.Context(w.now, writes[0].Key))
		w.restart(m)
		return
	}
	for i := range u.Objects {
		if o := &u.Objects[i]; w.lost[o.Dot] || w.written[o.Dot] != nil {
			t.Fatalf("%v is used again", o.Dot)
		}
		w.written[u.Objects[i].Dot] = &u.Objects[i]
	}
	for _, d := range u.Gone {
		w.replaced[d] = true
	}
	m.disk.keep(m.Replica, &change)
	m.model.step(w.now, u, nil)
	w.wrote(t, m, writes, before, u)
	w.send(m, u)
}

// wrote checks what a put leaves: its own value, and what it did not replace.
func (w *world) wrote(t failing, m *member, writes []Write, before map[string][]*core.Object, u *core.Update) {
	t.Helper()
	for _, write := range writes {
		var want, got []clock.Dot
		for _, o := range before[write.Key] {
			named := true
			if write.Context != nil {
				dots, err := readContext(write.Context, write.Key)
				named = err == nil && slices.Contains(dots, o.Dot)
			}
			if !named {
				want = append(want, o.Dot)
			}
		}
		for i := range u.Objects {
			if u.Objects[i].Key == write.Key {
				want = append(want, u.Objects[i].Dot)
			}
		}
		for _, o := range m.all(write.Key) {
			got = append(got, o.Dot)
		}
		slices.SortFunc(want, core.CompareDots)
		slices.SortFunc(got, core.CompareDots)
		if !slices.Equal(got, want) {
			t.Fatalf("%v leaves %v, want %v", write, got, want)
		}
	}
}

// send puts an update on its way to all others, some of them twice, or never.
func (w *world) send(from *member, u *core.Update) {
	for to, m := range w.members {
		if m == from {
			continue
		}
		for range w.draw(3, "copies") {
			w.way = append(w.way, message{from: slices.Index(w.members, from), to: to, update: u})
		}
	}
}

// deliver gives one message that is on its way to its receiver.
func (w *world) deliver(t failing, at int) {
	t.Helper()
	msg := w.way[at]
	w.way = slices.Delete(w.way, at, at+1)
	m := w.members[msg.to]
	var result Result
	if msg.update != nil {
		result = m.Update(w.now, msg.update)
		if held := len(m.held) > 0; result.Ask && !held {
			t.Fatalf("asks, and holds nothing")
		}
	} else if msg.sync.Parts == nil {
		result = m.Sync(w.now, msg.sync, 1+w.draw(200, "budget"))
	} else if g := gather(t, m.Replica, w.members[msg.from].Replica, msg.sync); g != nil {
		result = m.Gathered(w.now, g, 1+w.draw(200, "budget"))
		msg.sync = g.Message()
	} else {
		return
	}
	if result.Refused != Taken || result.Twin {
		t.Fatalf("refused %d, twin %t: %+v", result.Refused, result.Twin, msg)
	}
	m.model.step(w.now, msg.update, msg.sync)
	m.disk.keep(m.Replica, &result.Change)
	w.check(t, m)
	if result.Reply != nil {
		if lie := m.model.lies(result.Reply); lie != "" {
			t.Fatalf("a lie: %s", lie)
		}
		w.way = append(w.way, message{from: msg.to, to: msg.from, sync: result.Reply})
	}
}

// gather has a replica fetch what another announces; nil if it wants it not, or the other does not hold it any more.
func gather(t failing, r, from *Replica, m *core.Sync) *Gathering {
	t.Helper()
	g, refused := r.Gather(m)
	if refused != Taken {
		t.Fatalf("refused %d: %+v", refused, m.Parts)
	}
	for g != nil && !g.Whole() {
		p := from.Part(g.Fetch())
		switch {
		case !g.Fits(p):
			t.Fatalf("a part that does not fit: %d bytes at %d", len(p.Bytes), p.Offset)
		case len(p.Bytes) == 0:
			return nil
		case !g.Add(p.Bytes):
			t.Fatalf("not what was announced")
		}
	}
	return g
}

// ask begins an exchange between two, about all, or about a part of what the one lacks.
func (w *world) ask(from, to int) {
	m, other := w.members[from], w.members[to]
	var of []core.SeenRange
	if lacks := m.Lacks(other.Digest()); len(lacks) > 0 && w.draw(3, "part") == 0 {
		of = lacks[:1]
		of[0].High = of[0].Low + uint64(w.draw(int(of[0].High-of[0].Low+1), "high"))
	}
	w.way = append(w.way, message{from: from, to: to, sync: m.Ask(of...)})
}

// step does one thing at random.
func (w *world) step(t failing) {
	t.Helper()
	m := w.members[w.draw(len(w.members), "member")]
	switch what := w.draw(24, "what"); {
	case what < 6:
		w.put(t, m)
	case what < 8:
		key := w.key()
		m.contexts[key] = append(m.contexts[key], m.Context(w.now, key))
	case what < 18:
		if len(w.way) > 0 {
			w.deliver(t, w.draw(len(w.way), "message"))
		}
	case what < 21:
		if to := w.draw(len(w.members), "to"); w.members[to] != m && !w.updates {
			w.ask(slices.Index(w.members, m), to)
		}
	case what == 21:
		w.now = w.now.Add(time.Duration(w.draw(3000, "ms")) * time.Millisecond)
		change := m.Expire(w.now)
		m.disk.keep(m.Replica, &change)
		m.model.expire(w.now, m.cfg.Drift)
	case what == 22 && w.draw(4, "restart") == 0:
		w.restart(m)
	case what == 23 && len(w.members) < 6 && !w.updates:
		w.join()
	}
	w.check(t, m)
}

// check holds a replica to its model, and the model to what must always be so.
func (w *world) check(t failing, m *member) {
	t.Helper()
	if d := m.model.differs(m.Replica); d != "" {
		t.Fatalf("%v: %s", m.cfg.Origin, d)
	}
	if c := m.model.cut(); c != "" {
		t.Fatalf("%v: %s", m.cfg.Origin, c)
	}
	for d, o := range m.model.dots {
		if o != nil && (w.written[d] == nil || string(w.written[d].Value) != string(o.Value)) {
			t.Fatalf("%v: nobody wrote %v", m.cfg.Origin, o)
		}
	}
}

// heal has all exchange with all until nothing differs, and checks that nothing is lost and nothing came back.
func (w *world) heal(t failing) {
	t.Helper()
	w.way = nil
	for round := 0; ; round++ {
		if round > 2*len(w.members) {
			t.Fatalf("they differ after %d rounds", round)
		}
		equal := true
		for i := range w.members {
			for j := range w.members {
				if w.members[i].Hash() != w.members[j].Hash() {
					equal = false
					w.exchange(t, i, j)
				}
			}
		}
		if equal {
			break
		}
	}
	first := w.members[0].model
	for d := range first.dots {
		if o := w.written[d]; o == nil != (first.dots[d] == nil) && !w.replaced[d] && o != nil && o.Expires == 0 {
			t.Fatalf("%v was written, and is gone", o)
		}
	}
	for d, o := range w.written {
		live, seen := first.dots[d]
		switch {
		case !seen:
			t.Fatalf("%v was written, and is unseen", o)
		case w.replaced[d] && live != nil:
			t.Fatalf("%v was replaced, and is live", o)
		case !w.replaced[d] && live == nil && (o.Expires == 0 || w.now.Before(time.UnixMilli(o.Expires))):
			t.Fatalf("%v was written, and is gone", o)
		}
	}
}

// exchange has two exchange until none of them has anything to say.
func (w *world) exchange(t failing, from, to int) {
	t.Helper()
	w.way = []message{{from: from, to: to, sync: w.members[from].Ask()}}
	for n := 0; len(w.way) > 0; n++ {
		if n > 400 {
			t.Fatalf("an exchange without end: %+v", w.way[0].sync)
		}
		w.deliver(t, 0)
	}
}

func history(t failing, draw func(n int, what string) int, steps int) {
	t.Helper()
	w := newWorld(draw, 3, 20+draw(200, "part"))
	for range steps {
		w.step(t)
	}
	w.heal(t)
}

// Whatever is written, sent, cut, lost and repeated, by those who were always there, who join and who come back: each
// replica is what its model is, and in the end all are the same.
func TestHistories(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	for seed := range n {
		random := rand.New(rand.NewPCG(uint64(seed), 1))
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			history(t, func(n int, _ string) int { return random.IntN(n) }, 60)
		})
	}
}

// The same with draws that shrink.
func TestHistoriesDrawn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history(t, func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }, 40)
	})
}

// Every update given to each in any order, some twice, leads to the same, without any exchange; and no value ever
// stands beside one that it has replaced.
func TestAnyOrderOfUpdates(t *testing.T) {
	n := 500
	if testing.Short() {
		n = 50
	}
	for seed := range n {
		random := rand.New(rand.NewPCG(uint64(seed), 2))
		draw := func(n int, what string) int {
			switch what {
			case "copies":
				return min(n-1, 1+random.IntN(n))
			case "crash", "restart": // what lies in their gaps is told by exchanges only
				return n - 1
			case "ms": // or what is held would be dropped
				return random.IntN(100)
			}
			return random.IntN(n)
		}
		w := newWorld(draw, 4, core.MaxPart)
		w.updates = true
		replaces := make(map[clock.Dot][]clock.Dot)
		for range 80 {
			w.step(t)
			for _, msg := range w.way {
				for i := range msg.update.Objects {
					replaces[msg.update.Objects[i].Dot] = msg.update.Gone
				}
			}
			w.noneBesideItsSuccessor(t, replaces)
		}
		for len(w.way) > 0 {
			w.deliver(t, random.IntN(len(w.way)))
			w.noneBesideItsSuccessor(t, replaces)
		}
		w.now = w.now.Add(time.Hour)
		for _, m := range w.members {
			m.Expire(w.now)
			m.model.expire(w.now, m.cfg.Drift)
			if m.Hash() != w.members[0].Hash() || len(m.held) > 0 {
				t.Fatalf("seed %d: they differ; %d updates are held", seed, len(m.held))
			}
		}
		w.heal(t)
	}
}

func (w *world) noneBesideItsSuccessor(t failing, replaces map[clock.Dot][]clock.Dot) {
	t.Helper()
	for _, m := range w.members {
		for d, o := range m.model.dots {
			if o == nil {
				continue
			}
			for _, old := range replaces[d] {
				if m.model.dots[old] != nil {
					t.Fatalf("%v stands beside %v, which has replaced it", m.model.dots[old], o)
				}
			}
		}
	}
}

// Merging is a join: of two states, of three, and with itself.
func TestMergeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }, 3, core.MaxPart)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			w.step(t)
		}
		merge := func(list ...*Replica) core.Sum {
			sum, _ := New(w.config(originOf(99)), Saved{})
			for _, r := range list {
				reply := r.Sync(w.now, empty(98).Ask(), 1<<30).Reply
				if reply == nil {
					continue // it is empty
				}
				if result := sum.Sync(w.now, reply, 1); result.Refused != Taken {
					t.Fatalf("refused %d", result.Refused)
				}
			}
			return sum.Hash()
		}
		a, b, c := w.members[0].Replica, w.members[1].Replica, w.members[2].Replica
		bc, _ := New(w.config(originOf(97)), Saved{})
		for _, r := range []*Replica{b, c} {
			if reply := r.Sync(w.now, empty(98).Ask(), 1<<30).Reply; reply != nil {
				bc.Sync(w.now, reply, 1)
			}
		}
		switch {
		case merge(a) != a.Hash():
			t.Fatal("a copy is another")
		case merge(a, b) != merge(b, a):
			t.Fatal("not commutative")
		case merge(a, b, c) != merge(a, bc):
			t.Fatal("not associative")
		case merge(a, a) != a.Hash() || merge(a, b, a, b) != merge(a, b):
			t.Fatal("not idempotent")
		}
	})
}
