package spread

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/kv"
)

// A write is everywhere at once, and is told of; a delete, too.
func TestWriteReachesAll(t *testing.T) {
	w := newWorld(t, 8)
	w.put(2, kv.Write{Key: "a", Value: []byte("one")})
	w.run(50 * time.Millisecond)
	for i, m := range w.nodes {
		if got := w.get(i, "a"); got != "one" || string(m.told["a"].Value) != "one" {
			t.Errorf("node %d has %q, and told %v", i, got, m.told["a"])
		}
	}
	w.put(5, kv.Write{Key: "a", Delete: true})
	w.run(50 * time.Millisecond)
	for i, m := range w.nodes {
		if got := w.get(i, "a"); got != "" || m.told["a"].Siblings != 0 {
			t.Errorf("node %d still has %q, and told %v", i, got, m.told["a"])
		}
	}
	if before := w.bytes; true {
		w.run(time.Minute)
		if w.bytes != before {
			t.Errorf("a network at rest sent %d bytes", w.bytes-before)
		}
	}
}

// What was lost on the way is found by the hashes in pings.
func TestWhatIsLostIsFound(t *testing.T) {
	w := newWorld(t, 8)
	w.loss = 0.5
	for n := range 100 {
		w.put(n%8, kv.Write{Key: fmt.Sprint("key ", n), Value: []byte("value")})
		w.run(10 * time.Millisecond)
	}
	if w.agree() {
		t.Fatal("nothing was lost: the test shows nothing")
	}
	t.Logf("all agree after %v", w.must(15*time.Second, "all agree", w.agree))
	if values, _ := w.nodes[0].replica.Len(); values != 100 {
		t.Errorf("%d values, want 100", values)
	}
}

// What was lost is found without pings, too, and then nothing is sent any more.
func TestComparesWithoutPings(t *testing.T) {
	w := newWorld(t, 8)
	w.mute = true
	for _, m := range w.nodes {
		m.cfg.CompareEvery = time.Second
	}
	w.cut = func(from, to int) bool { return (from < 4) != (to < 4) }
	for n := range 100 {
		w.put(n%8, kv.Write{Key: fmt.Sprint("key ", n), Value: []byte("value")})
		w.run(100 * time.Millisecond)
	}
	w.cut = nil
	t.Logf("all agree after %v", w.must(5*time.Second, "all agree", w.agree))
	w.run(pingsFor + 5*time.Second)
	if before := w.bytes; true {
		w.run(time.Minute)
		if w.bytes != before {
			t.Errorf("a network at rest sent %d bytes", w.bytes-before)
		}
	}
}

// Both sides of a cut write; afterwards all have both values, and the same winner.
func TestBothSidesOfACutAreKept(t *testing.T) {
	w := newWorld(t, 6)
	w.put(0, kv.Write{Key: "k", Value: []byte("before")})
	w.run(time.Second)
	w.cut = func(from, to int) bool { return (from < 3) != (to < 3) }
	w.put(1, kv.Write{Key: "k", Value: []byte("left")})
	w.put(4, kv.Write{Key: "k", Value: []byte("right")})
	w.run(time.Minute)
	w.cut = nil
	t.Logf("all agree after %v", w.must(20*time.Second, "all agree", w.agree))
	for i, m := range w.nodes {
		if values := m.replica.Siblings(w.now, "k", nil); len(values) != 2 || w.get(i, "k") != w.get(0, "k") {
			t.Errorf("node %d has %d values, the winner %q", i, len(values), w.get(i, "k"))
		}
	}
	context := w.nodes[2].replica.Context(w.now, "k")
	w.put(2, kv.Write{Key: "k", Value: []byte("merged"), Context: context})
	w.run(time.Second)
	for i, m := range w.nodes {
		if values := m.replica.Siblings(w.now, "k", nil); len(values) != 1 || w.get(i, "k") != "merged" {
			t.Errorf("node %d has %d values, the winner %q", i, len(values), w.get(i, "k"))
		}
	}
}

// One that was down catches up, also where it lacks much more than one message carries; with what it had on disk.
func TestRestartCatchesUp(t *testing.T) {
	w := newWorld(t, 4)
	w.put(3, kv.Write{Key: "own", Value: []byte("mine")})
	w.run(time.Second)
	w.nodes[3].down = true
	for n := range 5000 {
		w.put(n%3, kv.Write{Key: fmt.Sprint("key ", n), Value: []byte(strings.Repeat("v", 100))})
		w.run(10 * time.Millisecond)
	}
	w.put(0, kv.Write{Key: "own", Delete: true})
	w.run(time.Second)
	w.start(3)
	if w.get(3, "own") != "mine" {
		t.Fatal("it has lost what it wrote")
	}
	w.nodes[3].Linked(nodeID(0)) // both ask at once
	w.nodes[0].Linked(nodeID(3))
	before := w.bytes
	took, data := w.must(10*time.Second, "all agree", w.agree), 5000*110
	if moved := w.bytes - before; moved > data*13/10 {
		t.Errorf("%d bytes were moved for %d", moved, data)
	}
	t.Logf("after %v: %d bytes for %d", took, w.bytes-before, data)
	if w.get(3, "own") != "" {
		t.Error("what was deleted is back")
	}
	w.put(3, kv.Write{Key: "again", Value: []byte("mine")})
	w.run(time.Second)
	if w.get(1, "again") != "mine" {
		t.Error("what it writes in its next life is heard by nobody")
	}
}

// A directory that was set back goes on under another origin, and nothing is lost: neither what it wrote before, nor
// what it writes then.
func TestOlderCopyGoesOn(t *testing.T) {
	w := newWorld(t, 4)
	w.put(0, kv.Write{Key: "a", Value: []byte("first")})
	w.run(time.Second)
	copied := make(map[string]bool)
	old := w.nodes[0].disk.Load()
	for n := range 10 {
		w.put(0, kv.Write{Key: fmt.Sprint("later ", n), Value: []byte("value")})
	}
	w.run(time.Second)
	w.nodes[0].down = true
	w.nodes[0].disk.Durable = nil
	w.nodes[0].disk.Sync(old)
	w.start(0)
	w.put(0, kv.Write{Key: "new", Value: []byte("value")})
	w.run(20 * time.Second)
	if !w.agree() {
		t.Fatal("they do not agree")
	}
	for n := range 10 {
		copied[fmt.Sprint("later ", n)] = true
	}
	copied["a"], copied["new"] = true, true
	for i := range w.nodes {
		for key := range copied {
			if w.get(i, key) == "" {
				t.Errorf("node %d lacks %q", i, key)
			}
		}
	}
}

// One that says again and again that a node has written what it has not has it go on under one more origin, and not
// under one for each word.
func TestForgedTwinsAreBounded(t *testing.T) {
	w := newWorld(t, 3)
	w.put(0, kv.Write{Key: "a", Value: []byte("one")})
	w.run(time.Second)
	m := w.nodes[0]
	for n := range uint64(100) {
		own := m.origin
		forged := &core.Update{Gone: []clock.Dot{{Origin: own, Counter: 1_000_000 + n}}}
		m.Update(w.now, &core.Packet{From: nodeID(1), Addr: nodeAddr(1), Stream: true, Size: 60, Body: forged}, forged)
		w.carryOut(m)
	}
	w.run(time.Minute)
	if origins := len(m.replica.Seen().Origins()); origins > 2 || m.stats.Drops[hearsay.DropRate] == 0 {
		t.Errorf("%d origins, %v", origins, m.stats.Drops)
	}
	if w.get(0, "a") != "one" || w.get(2, "a") != "one" {
		t.Error("what was written is lost")
	}
}

// Also where a driver sets no knob each deadline is one to come, once its time has come.
func TestDeadlinesAreToCome(t *testing.T) {
	now := time.UnixMilli(1e12)
	s := New(Config{}, hearsay.NodeID{1}, Directory{}, nil, &hearsay.Stats{}, &core.Effects{}, now)
	for range 100 {
		now = s.Deadline()
		if s.Tick(now); !s.Deadline().After(now) {
			t.Fatalf("at %v its deadline is %v", now, s.Deadline())
		}
	}
}
