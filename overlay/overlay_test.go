package overlay

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ring"

	"pgregory.net/rapid"
)

var begin = time.Unix(1_700_000_000, 0)

// idOf makes identities as the network's are: the beginning of a SHA-256.
func idOf(n int) hearsay.NodeID {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	sum := sha256.Sum256(b[:])
	return hearsay.NodeID(sum[:16])
}

func idsOf(n int) []hearsay.NodeID {
	ids := make([]hearsay.NodeID, n)
	for i := range ids {
		ids[i] = idOf(i)
	}
	return ids
}

// one is an overlay with what it writes to.
type one struct {
	*Overlay
	out    *core.Effects
	stats  *hearsay.Stats
	others *[]hearsay.NodeID // who lives, as a roster would have it; ascending
}

// start makes an overlay whose members are those that it has been told of.
func start(cfg Config, self hearsay.NodeID, addr func(hearsay.NodeID) (netip.AddrPort, bool), seed uint64) one {
	o := one{out: &core.Effects{}, stats: &hearsay.Stats{}, others: new([]hearsay.NodeID)}
	directory := Directory{
		Addr: func(id hearsay.NodeID) (netip.AddrPort, bool) {
			at, ok := addr(id)
			return at, ok && has(*o.others, id)
		},
		Count: func() int { return len(*o.others) },
		Other: func(i int) hearsay.NodeID { return (*o.others)[i] },
	}
	o.Overlay = New(cfg, self, directory, rand.New(rand.NewPCG(seed, binary.BigEndian.Uint64(self[:]))), o.stats, o.out, begin)
	return o
}

// Add is told to the roster first.
func (o one) Add(now time.Time, id hearsay.NodeID) {
	if at, found := search(*o.others, id); !found && id != o.self {
		*o.others = slices.Insert(*o.others, at, id)
	}
	o.Overlay.Add(now, id)
}

// Remove is told to the roster first.
func (o one) Remove(now time.Time, id hearsay.NodeID) {
	if at, found := search(*o.others, id); found {
		*o.others = slices.Delete(*o.others, at, at+1)
	}
	o.Overlay.Remove(now, id)
}

// anywhere is a directory in which everybody has the same address.
func anywhere(hearsay.NodeID) (netip.AddrPort, bool) {
	return netip.MustParseAddrPort("10.0.0.1:7946"), true
}

// computed gives what a ring overlay must come to: nothing but the list of
// members counts.
func computed(self hearsay.NodeID, trusted []hearsay.NodeID, links int) []hearsay.NodeID {
	var want []hearsay.NodeID
	for i := range links / 2 {
		if next, before, found := ring.Neighbors(i, self, ring.Of(trusted), nil); found {
			want = append(want, next, before)
		}
	}
	slices.SortFunc(want, hearsay.NodeID.Compare)
	return slices.Compact(want)
}

// churn draws comings and goings and tells everybody of them in an order of
// his own. It gives who is trusted in the end.
func churn(t *rapid.T, everybody []one, random *rand.Rand) []hearsay.NodeID {
	living, suspect := map[hearsay.NodeID]bool{}, map[hearsay.NodeID]bool{}
	for _, o := range everybody {
		if rapid.Bool().Draw(t, "there") {
			living[o.self] = true
		}
	}
	type change func(one)
	for step := range rapid.IntRange(1, 4).Draw(t, "steps") {
		var changes []change
		for _, o := range everybody {
			id := o.self
			if step == 0 && living[id] {
				changes = append(changes, func(o one) { o.Add(begin, id) })
				continue
			}
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				living[id] = true
				delete(suspect, id)
				changes = append(changes, func(o one) { o.Add(begin, id) })
			case 1:
				delete(living, id)
				delete(suspect, id)
				changes = append(changes, func(o one) { o.Remove(begin, id) })
			case 2:
				if living[id] {
					suspect[id] = true
				}
				changes = append(changes, func(o one) { o.Suspect(begin, id) })
			case 3:
				delete(suspect, id)
				changes = append(changes, func(o one) { o.Trust(begin, id) })
			}
		}
		for _, o := range everybody {
			random.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
			for _, c := range changes {
				c(o)
				if random.IntN(4) == 0 {
					o.Tick(begin)
				}
			}
			o.Tick(begin)
		}
	}
	var trusted []hearsay.NodeID
	for _, o := range everybody {
		if living[o.self] && !suspect[o.self] {
			trusted = append(trusted, o.self)
		}
	}
	return trusted
}

// Whatever has come and gone, and in whatever order each one heard of it:
// links are what can be computed from who is trusted; so they are symmetric
// and bounded, and the graph is connected.
func TestRingProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Kind: KindRing, Links: rapid.IntRange(LinksMin, 8).Draw(t, "links")}
		var everybody []one
		for _, id := range idsOf(rapid.IntRange(1, 24).Draw(t, "n")) {
			everybody = append(everybody, start(cfg, id, anywhere, 1))
		}
		trusted := churn(t, everybody, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0)))
		graph := map[hearsay.NodeID][]hearsay.NodeID{}
		for _, o := range everybody {
			if want := computed(o.self, trusted, cfg.Links); !slices.Equal(o.Links(), want) {
				t.Fatalf("links of %s are %v, want %v", o.self.Short(), o.Links(), want)
			}
			if len(o.Links()) > cfg.Links {
				t.Fatalf("%d links, more than %d", len(o.Links()), cfg.Links)
			}
			if told := toldOf(o.out.Events); !slices.Equal(told, o.Links()) {
				t.Fatalf("told of %v, links are %v", told, o.Links())
			}
			if slices.Contains(trusted, o.self) {
				graph[o.self] = o.Links()
			}
		}
		checkGraph(t, graph)
	})
}

// fataler is a test or a property.
type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// checkGraph expects links to be symmetric, and to reach everybody.
func checkGraph(t fataler, graph map[hearsay.NodeID][]hearsay.NodeID) {
	t.Helper()
	reached := map[hearsay.NodeID]bool{}
	var walk func(hearsay.NodeID)
	walk = func(id hearsay.NodeID) {
		if reached[id] {
			return
		}
		reached[id] = true
		for _, to := range graph[id] {
			if !slices.Contains(graph[to], id) {
				t.Fatalf("%s has a link with %s, which has none with it", id.Short(), to.Short())
			}
			walk(to)
		}
	}
	for id := range graph {
		walk(id)
		break
	}
	if len(reached) != len(graph) {
		t.Fatalf("%d of %d are reached", len(reached), len(graph))
	}
}

// toldOf gives the links that the events tell of, and nil where they are
// inconsistent: linked twice, or unlinked before.
func toldOf(events []hearsay.Event) []hearsay.NodeID {
	told := []hearsay.NodeID{}
	for _, e := range events {
		at, found := search(told, e.Subject)
		switch {
		case e.Kind == hearsay.EventLinked && !found:
			told = slices.Insert(told, at, e.Subject)
		case e.Kind == hearsay.EventUnlinked && found:
			told = slices.Delete(told, at, at+1)
		default:
			return nil
		}
	}
	if len(told) == 0 {
		return nil
	}
	return told
}

func TestSuspectIsPassedOverAndComesBack(t *testing.T) {
	ids := idsOf(20)
	o := start(DefaultConfig(), ids[0], anywhere, 1)
	for _, id := range ids[1:] {
		o.Add(begin, id)
	}
	o.Tick(begin)
	before := slices.Clone(o.Links())
	o.out.Reset()

	o.Suspect(begin, before[0])
	if at := o.Deadline(); at.After(begin) {
		t.Fatalf("the change is told at %v", at)
	}
	o.Tick(begin)
	if o.Linked(before[0]) || len(o.Links()) != len(before) {
		t.Errorf("links are %v with %s suspect, were %v", o.Links(), before[0].Short(), before)
	}
	if len(o.out.Events) != 2 || o.out.Events[0].Kind != hearsay.EventUnlinked || o.out.Events[0].Subject != before[0] ||
		o.out.Events[1].Kind != hearsay.EventLinked {
		t.Errorf("told %+v", o.out.Events)
	}
	o.Trust(begin, before[0])
	o.Tick(begin)
	if !slices.Equal(o.Links(), before) {
		t.Errorf("links are %v, were %v", o.Links(), before)
	}

	o.Suspect(begin, before[1])
	o.Add(begin, before[1]) // it is heard of again
	o.Suspect(begin, before[2])
	o.Remove(begin, before[2])
	o.Trust(begin, before[2]) // too late
	o.Suspect(begin, idOf(99))
	o.Trust(begin, idOf(99)) // nobody knows it
	o.Tick(begin)
	if !o.Linked(before[1]) || o.Linked(before[2]) || o.Linked(idOf(99)) {
		t.Errorf("links are %v", o.Links())
	}
}

// All that comes within one step is one piece of news.
func TestNewsOfOneStep(t *testing.T) {
	o := start(DefaultConfig(), idOf(0), anywhere, 1)
	for i := range 200 {
		o.Add(begin, idOf(i)) // itself too
	}
	o.Tick(begin)
	want := DefaultConfig().Links
	if len(o.out.Events) != want || len(o.Links()) != want {
		t.Errorf("%d events, %d links", len(o.out.Events), len(o.Links()))
	}
	if at := o.Deadline(); !at.After(begin.Add(24 * time.Hour)) {
		t.Errorf("due again at %v, with nothing to do", at)
	}
	gone := o.Links()[0]
	o.Remove(begin, gone)
	o.Add(begin, gone)
	o.Tick(begin)
	if len(o.out.Events) != want {
		t.Errorf("one that came back within the step made news: %+v", o.out.Events[want:])
	}
}

func TestKindWords(t *testing.T) {
	for _, k := range []Kind{KindRing, KindRandom, KindPowerLaw} {
		text, _ := k.MarshalText()
		back := Kind(9)
		if err := back.UnmarshalText(text); err != nil || back != k {
			t.Errorf("%s became %s, %v", k, back, err)
		}
	}
	if err := new(Kind).UnmarshalText([]byte("star")); err == nil || err.Error() != `"star": want ring, random or powerlaw` {
		t.Errorf("got %v", err)
	}
}

func TestLinksAreWithinBounds(t *testing.T) {
	ids := idsOf(500)
	for links, want := range map[int]int{-1: LinksMin, 0: LinksMin, 3: 2, 6: 6, 1000: LinksMax} {
		o := start(Config{Links: links}, ids[0], anywhere, 1)
		for _, id := range ids {
			o.Add(begin, id)
		}
		o.Tick(begin)
		if !slices.Equal(o.Links(), computed(ids[0], ids, want)) {
			t.Errorf("%d asked: %d links", links, len(o.Links()))
		}
	}
}

// Nothing is allocated while members come and go, but for the largest table.
func TestChurnAllocatesNothing(t *testing.T) {
	ids := idsOf(100)
	o := start(DefaultConfig(), ids[0], anywhere, 1)
	for _, id := range ids[1:] {
		o.Add(begin, id)
	}
	o.Tick(begin)
	n := testing.AllocsPerRun(100, func() {
		o.out.Events = o.out.Events[:0]
		for _, id := range ids[1:20] {
			o.Suspect(begin, id)
			o.Remove(begin, id)
			o.Tick(begin)
			o.Add(begin, id)
			o.Tick(begin)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkJoinOf1000(b *testing.B) {
	ids := idsOf(1000)
	b.ReportAllocs()
	for b.Loop() {
		o := start(DefaultConfig(), ids[0], anywhere, 1)
		for _, id := range ids[1:] {
			o.Add(begin, id)
		}
		o.Tick(begin)
	}
}

// One of 1000 that is no neighbor goes and comes; and one that is.
func BenchmarkChurn(b *testing.B) {
	ids := idsOf(1000)
	o := start(DefaultConfig(), ids[0], anywhere, 1)
	for _, id := range ids[1:] {
		o.Add(begin, id)
	}
	o.Tick(begin)
	stranger := slices.IndexFunc(ids, func(id hearsay.NodeID) bool { return id != o.self && !o.Linked(id) })
	for name, id := range map[string]hearsay.NodeID{"other": ids[stranger], "neighbor": o.Links()[0]} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				o.out.Events = o.out.Events[:0]
				o.Remove(begin, id)
				o.Tick(begin)
				o.Add(begin, id)
				o.Tick(begin)
			}
		})
	}
}
