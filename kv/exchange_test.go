package kv

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/wire"
)

const writers = 5

// filled gives a replica with so many keys that five origins wrote, and a copy of it under another origin.
func filled(t testing.TB, keys, valueSize int) (a, b *Replica) {
	t.Helper()
	saved := Saved{Clock: &clock.Context{}}
	now := uint64(start.UnixMilli()) << core.TimeBits
	value := make([]byte, valueSize)
	for i := range keys {
		d := clock.Dot{Origin: originOf(10 + i%writers), Counter: uint64(i/writers + 1)}
		saved.Clock.Add(d)
		saved.Objects = append(saved.Objects, &core.Object{
			Dot: d, Key: keyOf(i * 7919 % keys), Value: value, Time: now + uint64(i), First: d.Counter, Last: d.Counter,
		})
	}
	a, _ = New(DefaultConfig(originOf(1)), saved)
	b, _ = New(DefaultConfig(originOf(2)), saved)
	return a, b
}

// cost is what an exchange moves: bytes are those of its frames, as they go by stream.
type cost struct{ messages, bytes, objects int }

// onPing are the bytes of the hash that a ping has.
const onPing = 8

// take has one take a message, and fetch first what another announces in it.
func take(t failing, to, from *Replica, m *core.Sync, budget int) Result {
	t.Helper()
	if m.Parts == nil {
		return to.Sync(start, m, budget)
	}
	if g := gather(t, to, from, m); g != nil {
		return to.Gathered(start, g, budget)
	}
	return Result{}
}

// measure has one that saw another's hash exchange with it until nothing differs.
func measure(t testing.TB, from, to *Replica, budget int) (c cost) {
	t.Helper()
	c.bytes = onPing
	var frame []byte
	for from.Hash() != to.Hash() {
		for m := from.Ask(); m != nil; {
			c.messages++
			frame = wire.AppendFrame(frame[:0], hearsay.NetworkID{}, &core.Packet{Body: m})
			c.bytes += len(frame)
			if m.Size() > budget+(96<<10) && len(m.Objects) > 2 {
				t.Errorf("a message of %d bytes, of %d allowed for objects", m.Size(), budget)
			}
			for i := range m.Objects {
				c.objects += m.Objects[i].Size()
			}
			result := take(t, to, from, m, budget)
			if result.Refused != Taken || c.messages > 10_000 {
				t.Fatalf("refused %d after %d messages", result.Refused, c.messages)
			}
			m, from, to = result.Reply, to, from
		}
	}
	return c
}

// differ makes keys of a other than those of b: each is written again, deleted, or new.
func differ(t testing.TB, a *Replica, keys []int, kind string) {
	t.Helper()
	for i, n := range keys {
		w := Write{Key: keyOf(n), Value: make([]byte, 100)}
		w.Value[0] = 1
		switch {
		case kind == "deleted", kind == "mixed" && i%3 == 1:
			w = Write{Key: w.Key, Delete: true}
		case kind == "new", kind == "mixed" && i%3 == 0:
			w.Key = "new-" + w.Key
		}
		put(t, a, w)
	}
}

func keyOf(n int) string { return fmt.Sprintf("key-%08d", n) }

// kinds are the ways in which keys differ.
var kinds = []string{"written", "new", "deleted", "mixed"}

// Repair costs what differs, not what there is.
func TestRepairCostsWhatDiffers(t *testing.T) {
	keys := 100_000
	if testing.Short() {
		keys = 20_000
	}
	a, b := filled(t, keys, 100)
	random := rand.New(rand.NewPCG(1, 3)).Perm(keys) // each is made to differ once
	for _, kind := range kinds {
		// Of a thousand deletes one message names some hundred; so it takes a few exchanges.
		for _, c := range []struct{ d, bytes, messages int }{{0, 200, 0}, {1, 1000, 4}, {10, 4000, 6}, {1000, 0, 20}} {
			differ(t, a, random[:c.d], kind)
			random = random[c.d:]
			want := c.bytes
			if want == 0 {
				want = c.d * (100 + 12 + 16) * 7 / 2 // the objects, and 2.5 times as much besides
			}
			got := measure(t, b, a, 64<<10)
			t.Logf("%-8s %4d differ: %6d bytes, of which objects %6d, in %d messages", kind, c.d, got.bytes, got.objects, got.messages)
			if got.bytes >= want || got.messages > c.messages {
				t.Errorf("%s, %d differ: %d bytes in %d messages, want less than %d in %d", kind, c.d, got.bytes, got.messages, want, c.messages)
			}
		}
	}
}

// One that joins fetches all from several at once, nothing twice; where a message gets lost, it asks again; and in the
// end it is equal.
func TestJoinFromSeveral(t *testing.T) {
	a, b := filled(t, 20_000, 100)
	put(t, a, Write{Key: "one"}, Write{Key: "two"}, Write{Key: "three"})
	measure(t, b, a, 64<<10)
	joiner := empty(3)
	const part = 500 // numbers a part, so that the parts are cut within a record too
	var parts []core.SeenRange
	for _, lacks := range joiner.Lacks(a.Digest()) {
		for low := lacks.Low; low <= lacks.High; low += part {
			parts = append(parts, core.SeenRange{Origin: lacks.Origin, Range: clock.Range{Low: low, High: min(lacks.High, low+part-1)}})
		}
	}
	given, random := 0, rand.New(rand.NewPCG(1, 1))
	for i, of := range parts {
		from := [...]*Replica{a, b}[i%2]
		for m := joiner.Ask(of); m != nil; {
			reply := from.Sync(start, m, 8<<10).Reply
			if random.IntN(10) == 0 { // lost
				m = joiner.Ask(of)
				continue
			}
			if m = nil; reply != nil {
				given += len(reply.Objects)
				m = joiner.Sync(start, reply, 8<<10).Reply
			}
		}
	}
	if len(joiner.Lacks(a.Digest())) > 0 || given != 20_003 || joiner.Hash() != a.Hash() {
		t.Errorf("%d objects were given for 20003; it lacks %v", given, joiner.Lacks(a.Digest()))
	}
}

// A record that is larger than what a message may have goes alone, and one that is longer than a part in parts.
func TestLargerThanTheBudget(t *testing.T) {
	a, b := empty(1), empty(2)
	put(t, a, Write{Key: "large", Value: make([]byte, hearsay.MaxValue)})
	put(t, a, Write{Key: "small"})
	put(t, a, Write{Key: "one", Value: make([]byte, 20<<10)}, Write{Key: "two", Value: make([]byte, 20<<10)})
	if c := measure(t, b, a, 1000); c.messages != 6 {
		t.Errorf("%d messages, want 3 of each", c.messages)
	}
	var most []Write
	for n := range hearsay.MaxWrites {
		most = append(most, Write{Key: fmt.Sprintf("%0*d", hearsay.MaxRecordKeys/hearsay.MaxWrites, n)})
	}
	most[0].Value = make([]byte, hearsay.MaxRecord-hearsay.MaxRecordKeys-1000)
	most[7].Value = make([]byte, 1000)
	put(t, a, most...)
	if c := measure(t, b, a, 1000); c.messages != 2 || c.bytes > 2*hearsay.MaxRecordKeys {
		t.Errorf("%d messages of %d bytes", c.messages, c.bytes)
	}
}

// What lacks is more ranges than a message has, and the last that it has is the beginning of a record: that is not cut.
func TestManyRanges(t *testing.T) {
	a, saved := empty(1), Saved{Clock: &clock.Context{}}
	const singles = 2 * (core.MaxLiveRanges/2 - 1)
	for number := uint64(1); number <= singles; number++ {
		put(t, a, Write{Key: "a"})
		if number%2 == 0 {
			saved.Clock.Add(clock.Dot{Origin: originOf(1), Counter: number})
		}
	}
	put(t, a, Write{Key: "a", Delete: true})
	put(t, a, Write{Key: "b"}, Write{Key: "c"}, Write{Key: "d"})
	saved.Clock.Add(clock.Dot{Origin: originOf(1), Counter: singles + 2})
	b, _ := New(DefaultConfig(originOf(2)), saved)
	m := a.Sync(start, b.Ask(), 64<<10).Reply
	if n := len(m.Live); n < core.MaxLiveRanges/2 || n > core.MaxLiveRanges/2+hearsay.MaxWrites {
		t.Errorf("%d ranges in a message", n)
	}
	measure(t, b, a, 64<<10)
}

// Many live dots, so that ranges are halved and indexes split and merge, beside the model.
func TestManyDots(t *testing.T) {
	for seed := range uint64(2) {
		random := rand.New(rand.NewPCG(seed, 4))
		a, b := empty(1), empty(2)
		of := map[*Replica]*model{a: newModel(), b: newModel()}
		step := func(r *Replica, u *core.Update, s *core.Sync) {
			of[r].step(start, u, s)
			if d := of[r].differs(r); d != "" {
				t.Fatalf("seed %d: %s", seed, d)
			}
		}
		both := func() {
			from, to := a, b
			for m := from.Ask(); m != nil; {
				result := to.Sync(start, m, 16<<10)
				step(to, nil, m)
				if m = result.Reply; m != nil {
					if lie := of[to].lies(m); lie != "" {
						t.Fatalf("seed %d: %s", seed, lie)
					}
				}
				from, to = to, from
			}
			if a.Hash() != b.Hash() {
				t.Fatalf("seed %d: they differ", seed)
			}
		}
		for range 2 {
			for _, r := range []*Replica{a, b} {
				for range 200 {
					writes := make([]Write, 0, 8)
					for _, n := range random.Perm(2000)[:1+random.IntN(8)] {
						writes = append(writes, Write{Key: fmt.Sprint(n), Value: []byte{byte(random.Int())}})
					}
					u := put(t, r, writes...)
					of[r].step(start, u, nil)
				}
			}
			both()
			for _, r := range []*Replica{a, b} {
				few := random.IntN(2) * 280
				for _, o := range r.List(start, "", "", 3000) {
					if random.IntN(300) >= few && random.IntN(2) == 0 {
						u := put(t, r, Write{Key: o.Key, Delete: true})
						of[r].step(start, u, nil)
					}
				}
			}
			both()
		}
	}
}

// Whatever is told, nothing breaks, and the indexes and sums stay what the objects are. The seeds are messages of real
// exchanges, with parts exchanged at random.
func TestHostileMessages(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 200
	}
	for seed := range n {
		random := rand.New(rand.NewPCG(uint64(seed), 5))
		a, b := empty(1), empty(2)
		for range 30 {
			r := [...]*Replica{a, b}[random.IntN(2)]
			put(t, r, Write{Key: fmt.Sprint(random.IntN(20))}, Write{Key: "and", Delete: random.IntN(2) == 0})
		}
		for m := b.Ask(); m != nil; {
			mutate(random, reflect.ValueOf(m).Elem())
			reply := a.Sync(start, m, 100).Reply
			consistent(t, a)
			if m = nil; reply != nil {
				mutate(random, reflect.ValueOf(reply).Elem())
				m = b.Sync(start, reply, 100).Reply
				consistent(t, b)
			}
			if random.IntN(20) == 0 {
				m = nil
			}
		}
		u := put(t, a, Write{Key: "last"})
		u.Gone = append(u.Gone, clock.Dot{Origin: originOf(2), Counter: 1})
		mutate(random, reflect.ValueOf(u).Elem())
		b.Update(start, u)
		consistent(t, b)
	}
}

// mutate changes some of the numbers in a value, and cuts, repeats and exchanges elements of lists.
func mutate(random *rand.Rand, v reflect.Value) {
	edges := [...]uint64{0, 1, 2, maxNumber, maxNumber + 1, 1<<64 - 1}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			mutate(random, v.Field(i))
		}
	case reflect.Array:
		if random.IntN(40) == 0 && v.Type() == reflect.TypeFor[clock.Origin]() {
			v.Set(reflect.ValueOf(originOf(random.IntN(4))))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(list, v)
		v.Set(list)
		for i := range v.Len() {
			mutate(random, v.Index(i))
		}
		if v.Len() == 0 || random.IntN(15) > 0 {
			return
		}
		switch at := random.IntN(v.Len()); random.IntN(3) {
		case 0:
			v.Set(v.Slice(0, at))
		case 1:
			v.Set(reflect.Append(v, v.Index(at)))
		case 2:
			v.Index(0).Set(v.Index(at))
		}
	case reflect.Uint64:
		if random.IntN(30) == 0 {
			v.SetUint([...]uint64{edges[random.IntN(len(edges))], v.Uint() + 1, v.Uint() - 1}[random.IntN(3)])
		}
	case reflect.Bool:
		v.SetBool(v.Bool() != (random.IntN(20) == 0))
	}
}

// consistent compares a replica with what follows from its clock and its objects.
func consistent(t testing.TB, r *Replica) {
	t.Helper()
	m := newModel()
	var live []*core.Object
	r.keys.from(keyPlace{}, func(o *object) bool { live = append(live, &o.Object); return true })
	for _, o := range live {
		m.dots[o.Dot] = o
	}
	var seen core.Sum
	for origin, rng := range r.clock.Ranges() {
		seen = seen.Add(hashRange(origin, rng))
		for _, o := range r.liveIn(core.SeenRange{Origin: origin, Range: rng}) {
			delete(m.dots, o.Dot)
		}
	}
	if len(m.dots) > 0 || seen != r.seenSum {
		t.Fatalf("live and not seen are %v; sum %v, want %v", slices.Collect(maps.Keys(m.dots)), r.seenSum, seen)
	}
	fresh, _ := New(r.cfg, Saved{Clock: r.Seen(), Objects: live})
	if fresh.Hash() != r.Hash() || fresh.objects != r.objects || fresh.bytes != r.bytes {
		t.Fatalf("hash %v, %d objects, %d bytes; want %v, %d, %d", r.Hash(), r.objects, r.bytes, fresh.Hash(), fresh.objects, fresh.bytes)
	}
	for _, o := range live {
		for number := o.First; number <= o.Last; number++ {
			if !r.clock.Has(clock.Dot{Origin: o.Dot.Origin, Counter: number}) {
				t.Fatalf("record %d to %d is cut at %d", o.First, o.Last, number)
			}
		}
	}
}

// What waits for a dot that never comes is bounded, and goes.
func TestHeldIsBounded(t *testing.T) {
	r := empty(1)
	for i := range maxHeld + 50 {
		u := &core.Update{Gone: []clock.Dot{{Origin: originOf(2), Counter: uint64(i + 1)}}}
		if result := r.Update(start, u); !result.Ask || !result.Fresh {
			t.Fatalf("update %d: %+v", i, result)
		}
		if result := r.Update(start, u); result.Fresh {
			t.Fatalf("update %d is passed on twice", i)
		}
	}
	if len(r.held) != maxHeld {
		t.Errorf("%d are held", len(r.held))
	}
	r.Update(start.Add(holdFor+time.Second), put(t, empty(3), Write{Key: "a"}))
	if len(r.held) != 0 || get(r, "a") == "none" {
		t.Errorf("%d are held after %v", len(r.held), holdFor)
	}
}

// An origin with gaps without end, as a liar makes, does not grow the clock, and exchanges go on.
func TestGapsAreBounded(t *testing.T) {
	r := empty(1)
	refused := 0
	for i := range uint64(2 * maxGaps) {
		number := 2*i + 2
		u := &core.Update{Objects: []core.Object{{Dot: clock.Dot{Origin: originOf(2), Counter: number}, Key: "a", First: number, Last: number}}}
		if result := r.Update(start, u); result.Refused == Gaps && result.Ask {
			refused++
		}
	}
	if got := r.Seen().NumRanges(); got > maxGaps || refused < maxGaps-1 {
		t.Errorf("%d ranges, %d refused", got, refused)
	}
	other := empty(2)
	for i := range 3 * maxGaps {
		put(t, other, Write{Key: fmt.Sprint(i % 7)})
	}
	measure(t, r, other, 4<<10)
}

// An exchange of two that know as many writers as they may, and not the same, ends: neither takes anything of what has
// a writer more, and says nothing to that.
func TestExchangeOfFullReplicasEnds(t *testing.T) {
	a, b := empty(1), empty(2)
	put(t, a, Write{Key: "k", Value: []byte("a")})
	put(t, b, Write{Key: "k", Value: []byte("b")})
	converge(t, start, a, b)
	a.cfg.MaxOrigins, b.cfg.MaxOrigins = 3, 3
	a.Update(start, put(t, empty(3), Write{Key: "more", Value: []byte("v")}))
	b.Update(start, put(t, empty(4), Write{Key: "more", Value: []byte("v")}))
	put(t, a, Write{Key: "k", Value: []byte("new")})
	messages := 0
	for m, from, to := a.Ask(), a, b; m != nil; messages++ {
		if messages > 20 {
			t.Fatalf("no end: %+v", m)
		}
		m, from, to = to.Sync(start, m, 64<<10).Reply, to, from
	}
}
