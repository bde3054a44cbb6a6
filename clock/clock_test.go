package clock

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is the set of dots itself: the plainest thing that a Context can be
// compared with.
type model map[Dot]bool

// Few origins and few counters, so that ranges meet in all ways.
func drawDot(t *rapid.T) Dot {
	return Dot{Origin: Origin{rapid.Uint8Range(1, 3).Draw(t, "origin")}, Counter: rapid.Uint64Range(1, 16).Draw(t, "counter")}
}

func drawContext(t *rapid.T) *Context { c, _ := drawBoth(t); return c }

// drawBoth draws one set in both forms.
func drawBoth(t *rapid.T) (*Context, model) {
	c, m := &Context{}, model{}
	for _, d := range rapid.SliceOfN(rapid.Custom(drawDot), 0, 30).Draw(t, "dots") {
		c.Add(d)
		m[d] = true
	}
	return c, m
}

// check compares the two forms of a set, and c with its invariant.
func check(t *rapid.T, c *Context, m model) {
	t.Helper()
	got := model{}
	var last Range
	var lastOrigin Origin
	for origin, r := range c.Ranges() {
		if r.Low < 1 || r.High < r.Low {
			t.Fatalf("%v is no range", r)
		}
		if order := lastOrigin.Compare(origin); order > 0 || order == 0 && r.Low <= last.High+1 {
			t.Fatalf("%v of %s follows %v of %s", r, origin, last, lastOrigin)
		}
		for counter := r.Low; counter <= r.High; counter++ {
			got[Dot{origin, counter}] = true
		}
		last, lastOrigin = r, origin
	}
	if !maps.Equal(got, m) {
		t.Fatalf("got %v, want %v", got, m)
	}
	for origin, ranges := range c.seen {
		if len(ranges) == 0 {
			t.Fatalf("nothing was seen of %s, which has an entry", origin)
		}
	}
	if c.Len() != uint64(len(m)) {
		t.Fatalf("%d dots, want %d", c.Len(), len(m))
	}
}

// Whatever is done to a context, it stays the set that it says.
func TestContextIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, m := &Context{}, model{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				d := drawDot(t)
				if c.Add(d) == m[d] {
					t.Fatalf("%v: new is %t", d, m[d])
				}
				m[d] = true
			},
			"add a range": func(t *rapid.T) {
				d := drawDot(t)
				high := rapid.Uint64Range(d.Counter, 16).Draw(t, "high")
				c.AddRange(d.Origin, Range{d.Counter, high})
				for ; d.Counter <= high; d.Counter++ {
					m[d] = true
				}
			},
			"add ranges": func(t *rapid.T) {
				other, more := drawBoth(t)
				for _, origin := range other.Origins() {
					c.AddRanges(origin, other.Of(origin))
				}
				maps.Copy(m, more)
			},
			"merge": func(t *rapid.T) {
				other, more := drawBoth(t)
				c.Merge(other)
				check(t, other, more)
				maps.Copy(m, more)
			},
			"forget": func(t *rapid.T) {
				origin := drawDot(t).Origin
				c.Forget(origin)
				maps.DeleteFunc(m, func(d Dot, _ bool) bool { return d.Origin == origin })
			},
			"clone": func(t *rapid.T) {
				old := c
				c = c.Clone()
				old.AddRange(Origin{9}, Range{1, 1})
			},
			"": func(t *rapid.T) {
				check(t, c, m)
				d := drawDot(t)
				if c.Has(d) != m[d] {
					t.Fatalf("has %v: %t", d, c.Has(d))
				}
				var got []Range
				for _, origin := range c.Origins() {
					got = append(got, c.Of(origin)...)
				}
				if want := slices.Collect(ranges(c)); !slices.Equal(got, want) || c.NumRanges() != len(want) {
					t.Fatalf("%d ranges %v, want %v", c.NumRanges(), got, want)
				}
			},
		})
	})
}

func TestMergeIsAUnion(t *testing.T) {
	union := func(sets ...*Context) *Context {
		sum := &Context{}
		for _, set := range sets {
			sum.Merge(set)
		}
		return sum
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawContext(t), drawContext(t), drawContext(t)
		if !union(a, b).Equal(union(b, a)) {
			t.Fatal("not commutative")
		}
		if !union(union(a, b), c).Equal(union(a, union(b, c))) {
			t.Fatal("not associative")
		}
		if !union(a, b, b, a).Equal(union(a, b)) {
			t.Fatal("not idempotent")
		}
		before := a.Clone()
		if a.Merge(a); !a.Equal(before) {
			t.Fatal("merged with itself it is another")
		}
	})
}

func TestCoversIsInclusion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, inA := drawBoth(t)
		b, inB := drawBoth(t)
		if rapid.Bool().Draw(t, "merge") { // or hardly ever would one cover the other
			a.Merge(b)
			maps.Copy(inA, inB)
		}
		included := true
		for d := range inB {
			included = included && inA[d]
		}
		if a.Covers(b) != included {
			t.Fatalf("covers: %t, want %t", a.Covers(b), included)
		}
		if equal := a.Covers(b) && b.Covers(a); a.Equal(b) != equal || equal != maps.Equal(inA, inB) {
			t.Fatalf("equal: %t, want %t", a.Equal(b), equal)
		}
	})
}

func TestPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, m := drawBoth(t)
		d := drawDot(t)
		for d.Counter = 1; m[d]; d.Counter++ {
		}
		if got := c.Prefix(d.Origin); got != d.Counter-1 {
			t.Fatalf("got %d, want %d", got, d.Counter-1)
		}
	})
}

// Ranges at the ends of what a counter can be.
func TestEnds(t *testing.T) {
	const top = math.MaxUint64
	origin := Origin{1}
	for _, tt := range []struct {
		add, want []Range
		len       uint64
	}{
		{[]Range{{top, top}}, []Range{{top, top}}, 1},
		{[]Range{{top, top}, {1, 1}}, []Range{{1, 1}, {top, top}}, 2},
		{[]Range{{top, top}, {top - 1, top - 1}}, []Range{{top - 1, top}}, 2},
		{[]Range{{1, top}, {1, 1}, {top, top}}, []Range{{1, top}}, top},
		{[]Range{{1, 1}, {3, 3}, {5, 5}, {2, 4}}, []Range{{1, 5}}, 5},
	} {
		var c Context
		for _, r := range tt.add {
			c.AddRange(origin, r)
		}
		if got := slices.Collect(ranges(&c)); !slices.Equal(got, tt.want) || c.Len() != tt.len {
			t.Errorf("%v: got %v, %d dots, want %v, %d", tt.add, got, c.Len(), tt.want, tt.len)
		}
		if c.Has(Dot{origin, 0}) {
			t.Errorf("%v: has a dot that cannot be", tt.add)
		}
	}
	var forged Context
	forged.AddRange(Origin{1}, Range{1, top})
	forged.AddRange(Origin{2}, Range{1, top})
	if forged.Len() != top {
		t.Errorf("%d dots", forged.Len())
	}
}

// ranges gives the ranges of c without their origins.
func ranges(c *Context) func(yield func(Range) bool) {
	return func(yield func(Range) bool) {
		for _, r := range c.Ranges() {
			if !yield(r) {
				return
			}
		}
	}
}

func TestNoRange(t *testing.T) {
	for _, r := range []Range{{}, {0, 1}, {2, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v was added", r)
				}
			}()
			new(Context).AddRange(Origin{}, r)
		}()
	}
}

// A dot far away costs no more than one nearby, and hearing everything, in
// whatever order, ends in one range.
func TestRoom(t *testing.T) {
	var c Context
	for i := range uint64(1000) {
		c.Add(Dot{Origin{1}, 1 + i*(1<<50)})
	}
	if n := len(c.seen[Origin{1}]); n != 1000 {
		t.Errorf("1000 dots in %d ranges", n)
	}
	var all Context
	for i := range uint64(1000) {
		all.Add(Dot{Origin{1}, 1 + i*7%1000}) // 7 and 1000 have no common factor: each once
	}
	if got := slices.Collect(ranges(&all)); !slices.Equal(got, []Range{{1, 1000}}) {
		t.Errorf("got %v", got)
	}
}

func TestOriginsInOrder(t *testing.T) {
	var c Context
	for _, b := range []byte{7, 2, 255, 0, 9} {
		c.Add(Dot{Origin{b}, 1})
	}
	var got []Origin
	for origin := range c.Ranges() {
		got = append(got, origin)
	}
	if len(got) != 5 || !slices.IsSortedFunc(got, func(a, b Origin) int { return cmp.Compare(a[0], b[0]) }) {
		t.Errorf("got %v", got)
	}
}

func ExampleContext() {
	a, b := Origin{0xa}, Origin{0xb}
	var here, there Context
	here.AddRange(a, Range{1, 3})
	there.AddRange(a, Range{1, 2})
	there.Add(Dot{b, 2})
	fmt.Println(here.Covers(&there), there.Covers(&here), "concurrent")
	here.Merge(&there)
	fmt.Println(here.Covers(&there), here.Len(), "dots", here.Prefix(a), here.Prefix(b))
	// Output:
	// false false concurrent
	// true 4 dots 3 0
}

func BenchmarkAddInOrder(b *testing.B) {
	var c Context
	b.ReportAllocs()
	for counter := uint64(1); b.Loop(); counter++ {
		c.Add(Dot{Origin{1}, counter})
	}
}

// BenchmarkCovers asks what two replicas of 128 origins ask of each other
// when they have the same.
func BenchmarkCovers(b *testing.B) {
	var c Context
	for i := range 128 {
		c.AddRange(Origin{byte(i)}, Range{1, 1 << 20})
	}
	other := c.Clone()
	b.ReportAllocs()
	for b.Loop() {
		if !c.Covers(other) {
			b.Fatal("it does not")
		}
	}
}
