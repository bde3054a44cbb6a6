package main

// What is done with rumors: broadcast and sustained.

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	rumorSize   = 256                    // bytes of each
	warmUp      = 10                     // broadcasts before those that count
	broadcasts  = 50                     // that count
	lonely      = 3                      // of which each is left alone, and its packets counted
	lonelyFor   = 10 * time.Second       // so long: what follows a broadcast is over by then
	between     = 500 * time.Millisecond // two broadcasts, and up to twice that
	sustainFor  = 10 * time.Second
	sustainTick = 10 * time.Millisecond // a tick's worth is said at once
	sustainSize = 32                    // nodes
)

// audience counts who has heard what. The first eight bytes of a rumor are
// its number here, from 0.
type audience struct {
	members int
	said    []time.Time     // by number, before it is said
	heard   []atomic.Int32  // members that have
	latest  []atomic.Int64  // after said, in nanoseconds
	whole   atomic.Int64    // rumors that all have heard
	twice   atomic.Int64    // heard by one member again
	by      [][]atomic.Bool // member, number
	lagged  atomic.Int64    // events lost to who reads them
}

// audienceOf is of rumors for which there are so many numbers.
func audienceOf(members, rumors int) *audience {
	a := &audience{
		members: members, said: make([]time.Time, rumors), heard: make([]atomic.Int32, rumors),
		latest: make([]atomic.Int64, rumors), by: make([][]atomic.Bool, members),
	}
	for i := range a.by {
		a.by[i] = make([]atomic.Bool, rumors)
	}
	return a
}

// hears is called when a member hears a rumor.
func (a *audience) hears(member int, data []byte) {
	number := binary.BigEndian.Uint64(data)
	if a.by[member][number].Swap(true) {
		a.twice.Add(1)
		return
	}
	took := int64(time.Since(a.said[number]))
	for last := a.latest[number].Load(); took > last && !a.latest[number].CompareAndSwap(last, took); {
		last = a.latest[number].Load()
	}
	if a.heard[number].Add(1) == int32(a.members) {
		a.whole.Add(1)
	}
}

// took is how long a rumor was on its way to each node that has it, and whether these
// are all.
func (a *audience) took(number int) (time.Duration, bool) {
	return time.Duration(a.latest[number].Load()), a.heard[number].Load() == int32(a.members)
}

// say has a member say a rumor.
func (a *audience) say(m member, number int) error {
	data := make([]byte, rumorSize)
	binary.BigEndian.PutUint64(data, uint64(number))
	a.said[number] = time.Now()
	return m.say(data)
}

// wait waits until so many rumors have come to all, and reports whether they
// have by the deadline.
func (a *audience) wait(ctx context.Context, rumors int, deadline time.Time) bool {
	for a.whole.Load() < int64(rumors) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return false
		}
		time.Sleep(pollEvery)
	}
	return true
}

// listening starts a network whose members are heard by an audience.
func listening(ctx context.Context, o *options, system string, members, rumors int) (*network, *audience, error) {
	a := audienceOf(members, rumors)
	net := &network{start: starters[system], audience: a}
	err := net.fill(ctx, members, o.limit)
	return net, a, err
}

// broadcast has one member after the other say something, and measures how
// long it takes until all have heard it, and what that costs.
func broadcast(ctx context.Context, o *options, system string) ([]figure, error) {
	net, a, err := listening(ctx, o, system, o.nodes, warmUp+broadcasts+lonely)
	if err != nil {
		return nil, err
	}
	defer net.stop()
	pause(ctx, o.settle)
	idle := net.quiet(ctx, lonelyFor)
	f := figure{Name: "broadcast", What: "broadcast", System: system, Unit: "s", Nodes: o.nodes}
	var before traffic
	var began time.Time
	for number := range warmUp + broadcasts {
		if number == warmUp {
			before, began = net.sent(), time.Now()
		}
		if err := a.say(net.members[rand.IntN(o.nodes)], number); err != nil {
			return nil, err
		}
		known := a.wait(ctx, number+1, time.Now().Add(o.limit))
		if took, _ := a.took(number); number >= warmUp {
			f.took(took, known)
		}
		pause(ctx, between+rand.N(between))
	}
	series := o.each(net.sent().minus(before), idle, time.Since(began)) / broadcasts
	pause(ctx, lonelyFor)
	before, began = net.sent(), time.Now()
	for i := range lonely {
		if err := a.say(net.members[rand.IntN(o.nodes)], warmUp+broadcasts+i); err != nil {
			return nil, err
		}
		pause(ctx, lonelyFor)
	}
	alone := o.each(net.sent().minus(before), idle, time.Since(began)) / lonely
	return whole(
		ctx, f.median(),
		figure{Name: "broadcast", What: "broadcast packets", System: system, Value: series},
		figure{Name: "broadcast", What: "broadcast alone", System: system, Value: alone},
	)
}

// quiet gives the datagrams a second of a network to which nothing happens.
func (n *network) quiet(ctx context.Context, d time.Duration) float64 {
	before, began := n.sent(), time.Now()
	pause(ctx, d)
	return float64(n.sent().minus(before).datagrams) / time.Since(began).Seconds()
}

// each gives the datagrams a node, those of an idle network subtracted.
func (o *options) each(sent traffic, idle float64, took time.Duration) float64 {
	return (float64(sent.datagrams) - idle*took.Seconds()) / float64(o.nodes)
}

// sustained has all members say much at the same time.
func sustained(ctx context.Context, o *options, system string) ([]figure, error) {
	total := int(float64(o.rate) * sustainFor.Seconds())
	net, a, err := listening(ctx, o, system, sustainSize, total)
	if err != nil {
		return nil, err
	}
	defer net.stop()
	pause(ctx, o.settle)
	troubles, before, used, began := net.troubles(), net.sent(), cpuTime(), time.Now()
	if err := net.sayAll(ctx, a, total); err != nil {
		return nil, err
	}
	said := time.Since(began)
	a.wait(ctx, total, time.Now().Add(o.limit))
	took, cpu, sent := time.Since(began), cpuTime()-used, net.sent().minus(before)
	var worst time.Duration
	delivered := 0
	latencies := make([]float64, 0, total)
	for number := range total {
		latest, _ := a.took(number)
		worst = max(worst, latest)
		latencies = append(latencies, latest.Seconds())
		delivered += int(a.heard[number].Load())
	}
	slices.Sort(latencies)
	of := func(what string, value float64, unit string) figure {
		return figure{Name: "sustained", What: what, System: system, Value: value, Unit: unit, Nodes: sustainSize}
	}
	deliveries := total * sustainSize
	lost := float64(deliveries-delivered) / float64(deliveries)
	missed := float64(sumOf(net.members, member.missed)) / float64(deliveries)
	return whole(
		ctx,
		of("sustained rate", float64(a.whole.Load())/max(took, sustainFor).Seconds(), "/s"),
		of("sustained said", float64(total)/said.Seconds(), "/s"),
		of("sustained lost", lost, "share"),
		of("sustained missed", missed, "share"),
		of("sustained twice", float64(a.twice.Load()), ""),
		of("sustained lagged", float64(a.lagged.Load()), ""),
		of("sustained median", latencies[len(latencies)/2], "s"),
		of("sustained worst", worst.Seconds(), "s"),
		of("sustained cpu", cpu.Seconds()/took.Seconds(), ""),
		of("sustained packets", float64(sent.datagrams)/float64(total)/sustainSize, ""),
		of("sustained troubles", float64(net.troubles()-troubles), ""),
	)
}

// sayAll says rumors at the rate of options, each member in turn.
func (n *network) sayAll(ctx context.Context, a *audience, total int) error {
	perTick := float64(total) / float64(sustainFor/sustainTick)
	errs := make([]error, len(n.members))
	var wait sync.WaitGroup
	began := time.Now()
	for i, m := range n.members {
		wait.Go(func() {
			next := i // this member's numbers: every so manieth
			for next < total && ctx.Err() == nil && errs[i] == nil {
				due := int(perTick * float64(time.Since(began)/sustainTick+1))
				for ; next < min(due, total) && errs[i] == nil; next += len(n.members) {
					errs[i] = a.say(m, next)
				}
				time.Sleep(sustainTick)
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("say: %w", err)
		}
	}
	return ctx.Err()
}

// troubles is how often one member has held another suspect or dead.
func (n *network) troubles() uint64 { return sumOf(n.members, member.troubles) }

// sumOf adds a figure of each member.
func sumOf(members []member, figure func(member) uint64) (sum uint64) {
	for _, m := range members {
		sum += figure(m)
	}
	return sum
}
