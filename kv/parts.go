package kv

import (
	"crypto/sha256"
	"hash"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// part announces an object of a record that is too long for a message: without its value.
func (a *answer) part(o *object) {
	p, without := a.reply.Parts, o.Object
	without.Value = nil
	p.Objects = append(p.Objects, without)
	p.Sizes = append(p.Sizes, uint32(len(o.Value)))
	p.Hashes = append(p.Hashes, o.hash)
}

// Part answers a question for values, or says that not all of them are here any more.
func (r *Replica) Part(f *core.Fetch) *core.Part {
	p := &core.Part{Sum: f.Sum, Offset: f.Offset}
	sum, from := core.Sum{}, uint64(f.Offset)
	var given []byte
	for _, number := range f.Numbers {
		o := r.find(clock.Dot{Origin: f.Origin, Counter: number})
		if o == nil {
			return p
		}
		sum = sum.Add(o.hash)
		size := uint64(len(o.Value))
		if from < size && len(given) < r.cfg.Part {
			given = append(given, o.Value[from:min(size, from+uint64(r.cfg.Part-len(given)))]...)
		}
		from -= min(from, size)
	}
	if sum == f.Sum {
		p.Bytes = given
	}
	return p
}

// Gathering is the values of a record that is too long for a message, as far as they have come.
type Gathering struct {
	m      core.Sync // which announced it; as if it had the objects, but for the values that lack
	fetch  core.Fetch
	sizes  []uint32
	hashes []core.Sum
	total  int
	values []byte    // so far, one after the other
	at     int       // the object whose value comes next
	done   int       // bytes of the values before it
	digest hash.Hash // of its value so far: to hash a long one at once would take a millisecond
}

// Gather begins to fetch the values that a message announces; nil if none is taken: they are here, or there is no room.
func (r *Replica) Gather(m *core.Sync) (*Gathering, Refusal) {
	p := m.Parts
	g := &Gathering{m: *m, sizes: p.Sizes, hashes: p.Hashes, digest: sha256.New()}
	g.m.Parts, g.m.Objects = nil, slices.Clone(p.Objects)
	if !wellFormedParts(m) || !wellFormed(&g.m) {
		return nil, Malformed
	}
	wanted, cost := false, 0
	g.fetch.Origin = p.Objects[0].Dot.Origin
	for i := range p.Objects {
		o := &p.Objects[i]
		g.fetch.Numbers = append(g.fetch.Numbers, o.Dot.Counter)
		g.fetch.Sum = g.fetch.Sum.Add(p.Hashes[i])
		g.total += int(p.Sizes[i])
		cost += costOf(o)
		had := r.find(o.Dot)
		wanted = wanted || !r.has(o.Dot) || had != nil && less(had.hash, p.Hashes[i])
	}
	switch {
	case !wanted:
		return nil, Taken
	case !r.room(len(p.Objects), cost+g.total):
		return nil, Full
	case r.of(g.fetch.Origin) == nil && len(r.origins) >= r.cfg.MaxOrigins:
		return nil, Origins
	}
	if !g.pass() {
		return nil, Malformed
	}
	return g, Taken
}

// wellFormedParts reports whether what a message announces can be a record that is too long for one.
func wellFormedParts(m *core.Sync) bool {
	p, cost, values := m.Parts, 0, 0
	if len(p.Objects) == 0 || len(m.Objects) > 0 {
		return false
	}
	first := &p.Objects[0]
	for i := range p.Objects {
		o := &p.Objects[i]
		if o.Dot.Origin != first.Dot.Origin || o.First != first.First || o.Last != first.Last || len(o.Value) > 0 || p.Sizes[i] > hearsay.MaxValue {
			return false
		}
		values += int(p.Sizes[i])
		cost += costOf(o) + int(p.Sizes[i])
	}
	return 0 < values && cost <= hearsay.MaxRecord
}

// Gathered takes a record once it is whole, and answers the message that announced it: see Sync.
func (r *Replica) Gathered(now time.Time, g *Gathering, budget int) Result {
	return r.sync(now, &g.m, g.hashes, budget)
}

// Message is the one that announced it, with the values that are here.
func (g *Gathering) Message() *core.Sync { return &g.m }

// Fetch asks for what comes next.
func (g *Gathering) Fetch() *core.Fetch {
	f := g.fetch
	f.Offset = uint32(len(g.values))
	return &f
}

// Follow goes on with the same record as it is announced anew, perhaps by another, and reports whether it is the same.
func (g *Gathering) Follow(other *Gathering) bool {
	same := func(a, b core.Object) bool {
		return a.Dot == b.Dot && a.Key == b.Key && a.Time == b.Time && a.Expires == b.Expires && a.First == b.First && a.Last == b.Last
	}
	if !slices.Equal(g.sizes, other.sizes) || !slices.Equal(g.hashes, other.hashes) || !slices.EqualFunc(g.m.Objects, other.m.Objects, same) {
		return false
	}
	objects := g.m.Objects
	g.m = other.m
	g.m.Objects = objects
	return true
}

// Whole reports whether all is there: Gathered takes it.
func (g *Gathering) Whole() bool { return g.at == len(g.sizes) }

// Fits reports whether a part is the one that comes next. One without bytes is: it ends the gathering.
func (g *Gathering) Fits(p *core.Part) bool {
	return p.Sum == g.fetch.Sum && int(p.Offset) == len(g.values) && len(p.Bytes) <= min(core.MaxPart, g.total-len(g.values))
}

// Add takes the part that comes next, and reports whether the values are still what was announced.
func (g *Gathering) Add(b []byte) bool {
	// it grows with what has come, never with what was only announced
	if have := len(g.values); have+len(b) > cap(g.values) {
		g.values = append(make([]byte, 0, min(g.total, have+max(len(b), have))), g.values...)
	}
	for len(b) > 0 {
		n := min(len(b), g.done+int(g.sizes[g.at])-len(g.values))
		g.digest.Write(b[:n])
		g.values, b = append(g.values, b[:n]...), b[n:]
		if !g.pass() {
			return false
		}
	}
	return true
}

// pass goes past the values that are whole, and reports whether each is the one that was announced.
func (g *Gathering) pass() bool {
	for g.at < len(g.sizes) && len(g.values) == g.done+int(g.sizes[g.at]) {
		o := &g.m.Objects[g.at]
		o.Value = g.values[g.done:len(g.values):len(g.values)]
		if len(g.sizes) > 1 {
			o.Value = append([]byte{}, o.Value...) // it outlives others of its record
		}
		if hashWith(o, [sha256.Size]byte(g.digest.Sum(nil))) != g.hashes[g.at] {
			return false
		}
		g.digest.Reset()
		g.done, g.at = len(g.values), g.at+1
	}
	return true
}
