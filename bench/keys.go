package main

// What is done with a store of keys that all members hold: keys.

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"
)

const (
	valueSize = 100         // bytes
	putEvery  = time.Second // by any member
)

// pair is a key with its value. The first eight bytes of a value are the number of its put, from 0; the others are
// drawn, as memberlist compresses what it sends.
type pair struct {
	key   string
	value []byte
}

func pairOf(key int, put uint64) pair {
	p := pair{fmt.Sprintf("key-%08d", key), binary.BigEndian.AppendUint64(nil, put)}
	for len(p.value) < valueSize {
		p.value = append(p.value, byte(rand.Uint32()))
	}
	return p
}

// loaded is the number of values that were there before the first put.
const loaded = math.MaxUint64

// sees is called when a member sees a new value of a key.
func (a *audience) sees(member int, value []byte) {
	if len(value) == valueSize && binary.BigEndian.Uint64(value) != loaded {
		a.hears(member, value)
	}
}

// holding starts a network whose members all hold the keys: the first has them, and each other fetches them when it
// joins, before the next one joins by it.
func holding(ctx context.Context, o *options, system string, puts int) (*network, error) {
	net := &network{start: starters[system], audience: audienceOf(o.keyNodes, puts), keys: true}
	all := make([]pair, o.keys)
	for i := range all {
		all[i] = pairOf(i, loaded)
	}
	for range o.keyNodes {
		m, err := net.grow()
		if err == nil && len(net.members) == 1 {
			err = m.load(all)
		}
		if err == nil && !net.await(ctx, time.Now().Add(o.limit), func(m member) bool { return m.holds() == o.keys }) {
			err = fmt.Errorf("%d members do not hold %d keys after %s", len(net.members), o.keys, o.limit)
		}
		if err != nil {
			net.stop()
			return nil, err
		}
	}
	return net, nil
}

// keys has any member put a key once a second, and looks at what that and the keeping of the others costs, and how long
// it takes until all members have each put. Members of memberlist's exchange their state first 60 to 90 s after their
// start, and then, where there are 64, every 60 s: a window of whole minutes has them all if it begins 55 s after that.
func keys(ctx context.Context, o *options, system string) ([]figure, error) {
	puts := max(1, int(o.window/putEvery))
	net, err := holding(ctx, o, system, puts)
	if err != nil {
		return nil, err
	}
	defer net.stop()
	pause(ctx, o.settle)
	a := net.audience
	before, garbage, used, began := net.sent(), allocated(), cpuTime(), time.Now()
	for number := range puts {
		pause(ctx, time.Until(began.Add(time.Duration(number)*putEvery)))
		p := pairOf(rand.IntN(o.keys), uint64(number))
		a.said[number] = time.Now()
		if err := net.members[rand.IntN(o.keyNodes)].put(p); err != nil {
			return nil, fmt.Errorf("put: %w", err)
		}
	}
	pause(ctx, time.Until(began.Add(time.Duration(puts)*putEvery)))
	sent, garbage, cpu := net.sent().minus(before), allocated()-garbage, cpuTime()-used
	took := time.Since(began).Seconds()
	f := figure{Name: "keys", What: "keys", System: system, Unit: "s", Nodes: o.keyNodes}
	a.wait(ctx, puts, time.Now().Add(o.limit))
	for number := range puts {
		latest, known := a.took(number)
		if !known {
			latest = time.Since(a.said[number])
		}
		f.took(latest, known)
	}
	each := float64(o.keyNodes) * took
	of := func(what string, value float64, unit string) figure {
		return figure{Name: "keys", What: what, System: system, Nodes: o.keyNodes, Value: value, Unit: unit}
	}
	late := of("keys late", f.percentile(0.99), "s")
	late.Over = f.Over
	return whole(
		ctx,
		of("keys bytes", float64(sent.datagramBytes+sent.streamBytes)/each, "B/s"),
		of("keys datagram bytes", float64(sent.datagramBytes)/each, "B/s"),
		f.median(),
		late,
		of("keys garbage", float64(garbage)/each, "B/s"),
		of("keys cpu", cpu.Seconds()/took, ""),
	)
}

// allocated is what was allocated on the heap so far, in bytes.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}
