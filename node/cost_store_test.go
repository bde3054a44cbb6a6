package node_test

import (
	"encoding/binary"
	"fmt"
	"slices"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/kv"
	"hearsay/spread"
)

// writes gives a record of new keys.
func (w *costWorld) writes(count, size int) []core.Object {
	origin, first := clock.Origin{0xc0, byte(w.random.Uint32()), byte(w.random.Uint32()), byte(w.random.Uint32())}, 1+w.random.Uint64N(1<<40)
	objects := make([]core.Object, count)
	for i := range objects {
		objects[i] = core.Object{
			Dot: clock.Dot{Origin: origin, Counter: first + uint64(i)}, Key: fmt.Sprintf("key %x %d", first, i), Value: make([]byte, size),
			Time: w.random.Uint64N(1 << 60), First: first, Last: first + uint64(count) - 1,
		}
	}
	return objects
}

// given is what a replica answers to one that holds nothing.
func (w *costWorld) given(count, size, most int) *core.Sync {
	var life [4]byte
	binary.BigEndian.PutUint32(life[:], w.random.Uint32())
	origin := kv.NewOrigin(hearsay.NodeID{0xc1}, clock.Origin{}, life)
	giver, _ := kv.New(kv.DefaultConfig(origin), kv.Saved{})
	for i := range count {
		if _, _, err := giver.Put(w.now, kv.Write{Key: fmt.Sprintf("%x %d", life, i), Value: make([]byte, size)}); err != nil {
			panic(err)
		}
	}
	return giver.Sync(w.now, &core.Sync{Asks: true}, most).Reply
}

// large is a replica that holds one long record, and what it announces of it to one that holds nothing.
func (w *costWorld) large(values int) (giver *kv.Replica, announced *core.Sync) {
	var life [4]byte
	binary.BigEndian.PutUint32(life[:], w.random.Uint32())
	giver, _ = kv.New(kv.DefaultConfig(kv.NewOrigin(hearsay.NodeID{0xc2}, clock.Origin{}, life)), kv.Saved{})
	writes := make([]kv.Write, values)
	for i := range writes {
		writes[i] = kv.Write{Key: fmt.Sprintf("%x %d", life, i), Value: make([]byte, hearsay.MaxValue/values)}
	}
	if _, _, err := giver.Put(w.now, writes...); err != nil {
		panic(err)
	}
	return giver, giver.Sync(w.now, &core.Sync{Asks: true}, 1).Reply
}

// lastPart has a node fetch a long record but for its last part, and gives that, and the question for it.
func (w *costWorld) lastPart(n *costNode, values int) (*core.Fetch, *core.Part) {
	giver, announced := w.large(values)
	empty, _ := kv.New(kv.DefaultConfig(clock.Origin{1}), kv.Saved{})
	g, _ := empty.Gather(announced)
	w.carry(n, w.give(n, w.crowd[0], true, announced))
	for {
		fetch := g.Fetch()
		part := giver.Part(fetch)
		if g.Add(part.Bytes); g.Whole() {
			return fetch, part
		}
		w.carry(n, w.give(n, w.crowd[0], true, part))
	}
}

// inTurn is a message with as many values as one may have, of two keys in turn, none of which has seen another. Each
// takes the place of one that is kept: twice the changes of other messages.
func (w *costWorld) inTurn() *core.Sync {
	objects := w.writes(core.MaxObjects, 1)
	m := &core.Sync{Asks: true, Live: []core.LiveRange{{SeenRange: core.SeenRange{
		Origin: objects[0].Dot.Origin, Range: clock.Range{Low: objects[0].Dot.Counter, High: objects[len(objects)-1].Dot.Counter},
	}}}}
	for i := range objects {
		o := &objects[i]
		o.Key, o.First, o.Last = fmt.Sprintf("in turn %d", i%2), o.Dot.Counter, o.Dot.Counter
		m.Live[0].Live = append(m.Live[0].Live, o.Dot.Counter)
	}
	m.Objects = objects
	return m
}

// apart is a message with every other number of an origin of which a node has seen as many as it may.
func (w *costWorld) apart(origin clock.Origin, first uint64) *core.Sync {
	m := &core.Sync{Asks: true}
	for n := range uint64(1000) {
		number := first + 2*n
		m.Live = append(m.Live, core.LiveRange{SeenRange: core.SeenRange{Origin: origin, Range: clock.Range{Low: number, High: number}}})
	}
	return m
}

// waits is an update that takes the place of much, of which the last is unseen.
func (w *costWorld) waits(origin clock.Origin) *core.Update {
	u := &core.Update{}
	for n := range uint64(core.MaxGone - 1) {
		u.Gone = append(u.Gone, clock.Dot{Origin: origin, Counter: n + 1})
	}
	u.Gone = append(u.Gone, clock.Dot{Origin: origin, Counter: 1<<30 + w.random.Uint64N(1<<30)})
	return u
}

func costlyStore() []costly {
	const passed, passedBytes = 2 * small, core.MaxStreamPacket
	holdings := func(w *costWorld) (list []core.Holding) {
		for range 1024 {
			list = append(list, core.Holding{Origin: clock.Origin{byte(w.random.Uint32()), byte(w.random.Uint32()), 1}, Seen: []clock.Range{{Low: 1, High: 1 + w.random.Uint64N(1<<40)}}})
		}
		slices.SortFunc(list, func(a, b core.Holding) int { return a.Origin.Compare(b.Origin) })
		return slices.CompactFunc(list, func(a, b core.Holding) bool { return a.Origin == b.Origin })
	}
	fetches := make(map[*costNode]*core.Fetch)
	held, crowded := clock.Origin{0xc3, 1}, make(map[*costNode]bool)
	return []costly{
		{kind: "Sync", contents: "what is to be fetched", fills: true, packet: func(w *costWorld, _ *costNode) *core.Packet {
			_, announced := w.large(hearsay.MaxWrites)
			return &core.Packet{Body: announced}
		}, packets: small, bytes: core.MTU},
		{kind: "Fetch", contents: "of the longest value", before: func(w *costWorld, n *costNode) {
			if fetches[n] == nil {
				fetch, part := w.lastPart(n, 1)
				w.carry(n, w.give(n, w.crowd[0], true, part))
				fetches[n], fetch.Offset = fetch, 0
			}
		}, packet: func(_ *costWorld, n *costNode) *core.Packet {
			return &core.Packet{Body: fetches[n]}
		}, packets: small, bytes: core.MaxPart + core.MTU},
		{kind: "Part", contents: "the last of a value", fills: true, packet: func(w *costWorld, n *costNode) *core.Packet {
			_, part := w.lastPart(n, 1)
			return &core.Packet{Body: part}
		}, packets: passed, bytes: passedBytes},
		{kind: "Part", contents: "the last of many values", fills: true, packet: func(w *costWorld, n *costNode) *core.Packet {
			_, part := w.lastPart(n, hearsay.MaxWrites)
			return &core.Packet{Body: part}
		}, packets: passed, bytes: passedBytes},
		{kind: "Update", contents: "many keys", fills: true, packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Update{Objects: w.writes(hearsay.MaxWrites, 10)}}
		}, packets: passed, bytes: passedBytes},
		{kind: "Update", contents: "a long value", fills: true, packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Update{Objects: w.writes(1, 200<<10)}}
		}, packets: passed, bytes: passedBytes},
		{kind: "Sync", contents: "what is lacking", fills: true, packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: w.given(1000, 100, spread.DefaultConfig().Give)}
		}, packets: passed, bytes: passedBytes},
		{kind: "Sync", contents: "small values", fills: true, packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: w.given(10000, 1, spread.DefaultConfig().Give)}
		}, packets: passed, bytes: passedBytes},
		{kind: "Sync", contents: "a strange clock", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Sync{Asks: true, Clock: holdings(w)}}
		}, packets: passed, bytes: passedBytes},
		{kind: "Update", contents: "beside many that wait", fills: true, before: func(w *costWorld, n *costNode) {
			w.carry(n, w.give(n, w.crowd[0], true, &core.Sync{Live: []core.LiveRange{{SeenRange: core.SeenRange{Origin: held, Range: clock.Range{Low: 1, High: core.MaxGone}}}}}))
			for range 12 {
				w.carry(n, w.give(n, w.crowd[0], true, w.waits(held)))
			}
			w.carry(n, w.give(n, w.crowd[0], true, &core.Update{Objects: w.writes(1, 10)})) // each is looked up once
		}, packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Update{Objects: w.writes(1, 10)}}
		}, packets: passed, bytes: passedBytes},
		{kind: "Sync", contents: "two keys with many siblings in turn", fills: true, before: func(w *costWorld, n *costNode) {
			for i := 0; i < 10 && !crowded[n]; i++ {
				w.carry(n, w.give(n, w.crowd[0], true, w.inTurn()))
			}
			crowded[n] = true
		}, packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: w.inTurn()}
		}, packets: passed, bytes: passedBytes, step: 3 * costStep},
		{kind: "Sync", contents: "ranges of one with many gaps", fills: true, packet: func(w *costWorld, _ *costNode) *core.Packet {
			origin := clock.Origin{0xc4, byte(w.random.Uint32()), byte(w.random.Uint32())}
			return &core.Packet{Body: w.apart(origin, 1)}
		}, packets: passed, bytes: passedBytes},
	}
}
