package kv

import (
	"bytes"
	"testing"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// announced gives what one announces of its only record to another.
func announced(t *testing.T, to, from *Replica) *core.Sync {
	t.Helper()
	m := from.Sync(start, to.Ask(), 1000).Reply
	if m == nil || m.Parts == nil || len(m.Objects) > 0 {
		t.Fatalf("it announces nothing: %+v", m)
	}
	return m
}

// large gives a replica with a record of two large values and an empty one between.
func large(t *testing.T, first byte) *Replica {
	r := empty(1)
	put(t, r, Write{Key: "a", Value: bytes.Repeat([]byte{first}, 100<<10)}, Write{Key: "b"}, Write{Key: "c", Value: bytes.Repeat([]byte{3}, 90<<10)})
	return r
}

// Parts that come twice, late or not at all change nothing; and the rest may come from another that holds the same.
func TestPartsAreTakenInOrder(t *testing.T) {
	a, b := large(t, 1), empty(2)
	m := announced(t, b, a)
	g, _ := b.Gather(m)
	first := a.Part(g.Fetch())
	if !g.Fits(first) || !g.Add(first.Bytes) || g.Whole() {
		t.Fatal("the first part is not taken")
	}
	second := a.Part(g.Fetch())
	for name, p := range map[string]*core.Part{
		"twice": first, "of another": {Sum: core.Sum{Low: 1}, Offset: second.Offset, Bytes: second.Bytes},
		"late":     {Sum: second.Sum, Offset: second.Offset + 1, Bytes: second.Bytes},
		"too long": {Sum: second.Sum, Offset: second.Offset, Bytes: make([]byte, core.MaxPart+1)},
	} {
		if g.Fits(p) {
			t.Errorf("%s: it is taken", name)
		}
	}
	other := empty(3)
	if result := other.Gathered(start, gather(t, other, a, announced(t, other, a)), 1000); result.Refused != Taken {
		t.Fatalf("refused %d", result.Refused)
	}
	again, _ := b.Gather(announced(t, b, other))
	if !g.Follow(again) {
		t.Fatal("the same record is not the same")
	}
	moved := 0
	for !g.Whole() {
		p := other.Part(g.Fetch())
		if moved += len(p.Bytes); !g.Fits(p) || !g.Add(p.Bytes) {
			t.Fatal("a part is not taken")
		}
	}
	if want := 190<<10 - core.MaxPart; moved != want {
		t.Errorf("%d bytes came from the other, want %d", moved, want)
	}
	if result := b.Gathered(start, g, 1000); result.Refused != Taken || b.Hash() != a.Hash() {
		t.Errorf("refused %d; equal: %t", result.Refused, b.Hash() == a.Hash())
	}
	if value := get(b, "c"); value != string(bytes.Repeat([]byte{3}, 90<<10)) {
		t.Errorf("%d bytes, and not those that were written", len(value))
	}
}

// A version that is replaced half-way is not given on, and a part of another version is not taken for one of this.
func TestPartsOfAnotherVersion(t *testing.T) {
	a, b := large(t, 1), empty(2)
	g, _ := b.Gather(announced(t, b, a))
	g.Add(a.Part(g.Fetch()).Bytes)
	put(t, a, Write{Key: "a", Value: bytes.Repeat([]byte{2}, 100<<10)})
	if p := a.Part(g.Fetch()); !g.Fits(p) || len(p.Bytes) > 0 {
		t.Errorf("%d bytes of what is replaced", len(p.Bytes))
	}
	h, _ := b.Gather(announced(t, b, a))
	if g.Follow(h) || h.Follow(g) {
		t.Error("two versions are the same")
	}
	p := a.Part(h.Fetch())
	p.Sum = g.fetch.Sum
	p.Offset = uint32(len(g.values))
	if g.Fits(p) && g.Add(p.Bytes) {
		t.Error("a part of another version is taken")
	}
	b.Gathered(start, gather(t, b, a, announced(t, b, a)), 1000)
	measure(t, b, a, 1000)
	if b.Hash() != a.Hash() {
		t.Error("they are not equal")
	}
}

// What is announced and cannot be is refused before anything is fetched; nor is anything that is here.
func TestForgedAnnouncements(t *testing.T) {
	a, b := large(t, 1), empty(2)
	for name, forge := range map[string]func(*core.Sync){
		"more than a value":   func(m *core.Sync) { m.Parts.Sizes[0] = hearsay.MaxValue + 1 },
		"more than a record":  func(m *core.Sync) { m.Parts.Sizes[0], m.Parts.Sizes[2] = hearsay.MaxValue, 17<<10 },
		"nothing to fetch":    func(m *core.Sync) { clear(m.Parts.Sizes) },
		"none":                func(m *core.Sync) { m.Parts = &core.Parts{} },
		"of two records":      func(m *core.Sync) { m.Parts.Objects[2].First, m.Parts.Objects[2].Last = 3, 3 },
		"with a value":        func(m *core.Sync) { m.Parts.Objects[0].Value = []byte("a") },
		"with other objects":  func(m *core.Sync) { m.Objects = m.Parts.Objects[:1] },
		"not of its ranges":   func(m *core.Sync) { m.Live[0].Live = m.Live[0].Live[1:] },
		"no clock":            func(m *core.Sync) { m.Asks = false },
		"an empty value else": func(m *core.Sync) { m.Parts.Sizes[0] = 0 },
	} {
		m := announced(t, b, a)
		forge(m)
		if g, refused := b.Gather(m); g != nil || refused != Malformed {
			t.Errorf("%s: refused %d", name, refused)
		}
		if result := b.Sync(start, m, 1000); result.Refused != Malformed {
			t.Errorf("%s: taken at once: %d", name, result.Refused)
		}
	}
	small := DefaultConfig(originOf(3))
	small.MaxBytes = 160 << 10
	c, _ := New(small, Saved{})
	if g, refused := c.Gather(announced(t, c, a)); g != nil || refused != Full {
		t.Errorf("beyond what it may hold: refused %d", refused)
	}
	m := announced(t, b, a)
	b.Gathered(start, gather(t, b, a, m), 1000)
	if g, refused := b.Gather(m); g != nil || refused != Taken {
		t.Errorf("what is here is fetched again: refused %d", refused)
	}
	if p := a.Part(&core.Fetch{Origin: originOf(1), Numbers: []uint64{1}, Sum: core.Sum{Low: 7}}); len(p.Bytes) > 0 {
		t.Error("a value is given for the sum of another")
	}
	if p := a.Part(&core.Fetch{Origin: clock.Origin{9}, Numbers: []uint64{1}}); len(p.Bytes) > 0 {
		t.Error("what is not held is given")
	}
}

// What was only announced takes no memory.
func TestAnnouncedTakesNoMemory(t *testing.T) {
	a, b := empty(1), empty(2)
	put(t, a, Write{Key: "a", Value: make([]byte, hearsay.MaxValue)})
	g, _ := b.Gather(announced(t, b, a))
	for most := 0; !g.Whole(); {
		if had := cap(g.values); had > most {
			t.Fatalf("room for %d bytes after %d", had, len(g.values))
		}
		p := a.Part(g.Fetch())
		g.Add(p.Bytes)
		most = max(2*len(g.values), hearsay.MaxValue/8) + 16<<10
	}
	if cap(g.values) > hearsay.MaxValue+16<<10 {
		t.Errorf("room for %d bytes", cap(g.values))
	}
}
