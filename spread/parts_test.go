package spread

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/kv"
	"hearsay/quota"
)

// largest is the largest value, of bytes that tell one version from another.
func largest(version byte) string {
	return strings.Repeat(string([]byte{'a' + version}), hearsay.MaxValue)
}

// all reports whether all that run have a value.
func (w *world) all(key, value string) func() bool {
	return func() bool {
		for i, m := range w.nodes {
			if !m.down && w.get(i, key) != value {
				return false
			}
		}
		return true
	}
}

// A large value is named, and fetched by each from one other, in parts between which other things can go.
func TestLargeValueIsFetched(t *testing.T) {
	for _, size := range []int{100 << 10, hearsay.MaxValue} {
		w := newWorld(t, 4)
		value := strings.Repeat("v", size)
		w.put(0, kv.Write{Key: "large", Value: []byte(value)})
		t.Logf("%d bytes: after %v", size, w.must(2*time.Second, "all have it", w.all("large", value)))
		w.run(time.Minute)
		if most := 3 * (size + size/16 + 2000); w.bytes > most {
			t.Errorf("%d bytes for a value of %d to three", w.bytes, size)
		}
		if w.long > 64<<10 {
			t.Errorf("a message of %d bytes", w.long)
		}
	}
}

// A record of several large values is whole everywhere, and one that comes later lacks none.
func TestLargeRecord(t *testing.T) {
	w := newWorld(t, 3)
	w.nodes[2].down = true
	var writes []kv.Write
	for n := range hearsay.MaxWrites {
		writes = append(writes, kv.Write{Key: fmt.Sprint("key ", n), Value: bytes.Repeat([]byte{byte(n)}, 4000)})
	}
	if err := w.nodes[0].Put(w.now, writes...); err != nil {
		t.Fatal(err)
	}
	w.carryOut(w.nodes[0])
	w.must(2*time.Second, "the other has it", w.agree)
	w.start(2)
	w.nodes[0].Linked(nodeID(2))
	w.must(2*time.Second, "the one that was down has it", w.agree)
	if values, _ := w.nodes[2].replica.Len(); values != len(writes) {
		t.Errorf("%d values", values)
	}
}

// Whatever is lost, comes twice or late: what is put together in the end is what was written.
func TestPartsLostAndReordered(t *testing.T) {
	w := newWorld(t, 5)
	w.streams = func(int, int, core.Message) (int, time.Duration) {
		if w.random.IntN(12) == 0 {
			return 0, 0
		}
		return 1 + w.random.IntN(6)/5, time.Duration(w.random.IntN(35)*w.random.IntN(35)) * time.Millisecond
	}
	for n := range 8 {
		w.put(n%5, kv.Write{Key: "large", Value: []byte(largest(byte(n)))})
		w.run(time.Duration(w.random.IntN(700)) * time.Millisecond)
	}
	t.Logf("all agree after %v", w.must(5*time.Minute, "all agree", w.agree))
	dropped := uint64(0)
	for i, m := range w.nodes {
		dropped += m.stats.Drops[hearsay.DropUnexpected]
		for _, o := range m.replica.Siblings(w.now, "large", nil) {
			if string(o.Value) != largest(o.Value[0]-'a') {
				t.Errorf("node %d has a value that nobody wrote", i)
			}
		}
	}
	if dropped == 0 {
		t.Error("no part came twice or too late: the test shows nothing")
	}
}

// Where the one that gives it dies half-way the rest comes from another.
func TestSenderDiesHalfWay(t *testing.T) {
	w := newWorld(t, 3)
	w.nodes[2].down = true
	w.put(0, kv.Write{Key: "large", Value: []byte(largest(1))})
	w.must(2*time.Second, "the other has it", w.agree)
	w.start(2)
	parts, giver := 0, -1
	w.streams = func(from, to int, m core.Message) (int, time.Duration) {
		if part, is := m.(*core.Part); is && to == 2 && len(part.Bytes) > 0 {
			if parts++; parts == 10 {
				giver = from
				w.nodes[from].down = true
				return 0, 0
			}
		}
		return 1, 0
	}
	before := w.bytes
	w.nodes[2].Pinged(w.now, nodeID(0), w.nodes[0].PingHash(w.now, false))
	w.carryOut(w.nodes[2])
	took := w.must(5*time.Second, "it has it from the other", w.all("large", largest(1)))
	if most := hearsay.MaxValue * 5 / 4; giver < 0 || w.bytes-before > most {
		t.Errorf("%d died; %d bytes for a value of %d", giver, w.bytes-before, hearsay.MaxValue)
	}
	t.Logf("node %d died; after %v, and %d bytes", giver, took, w.bytes-before)
}

// A value that is replaced half-way is let go, and the newer one comes.
func TestReplacedHalfWay(t *testing.T) {
	w := newWorld(t, 2)
	parts := 0
	w.streams = func(from, to int, m core.Message) (int, time.Duration) {
		if _, is := m.(*core.Part); is {
			parts++
		}
		return 1, 5 * time.Millisecond
	}
	for version := range 4 {
		parts = 0
		w.put(0, kv.Write{Key: "large", Value: []byte(largest(byte(version)))})
		w.must(time.Second, "some parts have come", func() bool { return parts == 7 })
	}
	w.must(time.Second, "the last is here", w.all("large", largest(3)))
	if w.nodes[1].told["large"].Siblings != 1 {
		t.Errorf("%d values", w.nodes[1].told["large"].Siblings)
	}
}

// Two that announce large values at once: one is fetched, the other asked later, and no more than one is kept half.
func TestTwoAnnounceAtOnce(t *testing.T) {
	w := newWorld(t, 3)
	w.cut = func(int, int) bool { return true }
	w.put(0, kv.Write{Key: "a", Value: []byte(largest(1))})
	w.put(1, kv.Write{Key: "b", Value: []byte(largest(2))})
	w.cut = nil
	before := w.bytes
	for i := range 2 {
		w.nodes[i].name(nodeID(1 - i))
		w.carryOut(w.nodes[i])
	}
	t.Logf("after %v", w.must(10*time.Second, "all agree", w.agree))
	if most := 4 * hearsay.MaxValue * 5 / 4; w.bytes-before > most { // both to two
		t.Errorf("%d bytes", w.bytes-before)
	}
}

// What was not asked for is dropped and counted, and takes no memory; nor does what is announced and never comes.
func TestForgedParts(t *testing.T) {
	w := newWorld(t, 3)
	w.mute = true
	w.put(0, kv.Write{Key: "large", Value: []byte(largest(1))})
	w.nodes[1].down, w.nodes[2].down = true, true
	w.run(time.Second)
	w.nodes[1].down = false
	m, origin := w.nodes[1], w.nodes[0].origin
	say := func(from int, body core.Message) {
		m.out.Reset()
		p := &core.Packet{From: nodeID(from), Addr: nodeAddr(from), Stream: true, Body: body}
		switch body := body.(type) {
		case *core.Sync:
			m.Sync(w.now, p, body)
		case *core.Part:
			m.Part(w.now, p, body)
		}
	}
	announced := w.nodes[0].replica.Sync(w.now, m.replica.Ask(), 1000).Reply
	say(2, &core.Part{Bytes: []byte("a")})
	if m.stats.Drops[hearsay.DropUnexpected] != 1 {
		t.Error("a part of nothing is not counted")
	}
	say(0, announced)
	fetch := m.out.Send[0].Body.(*core.Fetch)
	part := w.nodes[0].replica.Part(fetch)
	say(2, part) // another sends it
	sender := m.directory.Sender
	m.directory.Sender = func(*core.Packet) quota.Sender { return quota.Sender{Class: quota.Stranger} }
	say(0, part)
	m.directory.Sender = sender
	say(0, &core.Part{Sum: part.Sum, Offset: 7, Bytes: part.Bytes})
	say(0, &core.Part{Sum: part.Sum, Bytes: make([]byte, core.MaxPart+1)})
	say(0, &core.Part{Sum: core.Sum{Low: 1}, Bytes: part.Bytes})
	if n := m.stats.Drops[hearsay.DropUnexpected]; n != 6 || len(m.out.Send) > 0 {
		t.Errorf("%d of 6 are dropped", n)
	}
	say(2, announced) // another announces while this one gives
	if m.stats.Drops[hearsay.DropTableFull] != 1 || len(m.out.Send) > 0 {
		t.Error("two are fetched from at once")
	}
	for offset := 0; offset < hearsay.MaxValue; offset += core.MaxPart { // the last one shows that it is no such value
		say(0, &core.Part{Sum: part.Sum, Offset: uint32(offset), Bytes: make([]byte, min(core.MaxPart, hearsay.MaxValue-offset))})
	}
	if m.stats.Drops[hearsay.DropMalformed] != 1 || m.gathered != nil || m.replica.Seen().Has(clock.Dot{Origin: origin, Counter: 1}) {
		t.Error("another value is taken than was announced")
	}
	forged := *announced
	forged.Parts = &core.Parts{Objects: announced.Parts.Objects, Sizes: []uint32{1 << 31}, Hashes: announced.Parts.Hashes}
	say(0, &forged)
	if m.stats.Drops[hearsay.DropMalformed] != 2 || m.gathered != nil {
		t.Error("a value of 2 GiB is announced, and asked for")
	}
	w.run(5 * time.Second)
	say(0, announced)
	say(0, part)
	if m.gathered == nil {
		t.Fatal("nothing is fetched")
	}
	if w.run(2 * forgetting); m.gathered != nil {
		t.Error("what never came is kept")
	}
}
