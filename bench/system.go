package main

// What a system under test must offer, and networks of its members.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// member is one running node.
type member interface {
	name() string
	addr() string
	living() int            // members that it holds to be in, itself included
	lists(name string) bool // whether it holds this one to be in
	sent() traffic          // since its start
	say(data []byte) error  // a rumor, to all
	troubles() uint64       // how often it has held another suspect or dead
	load(all []pair) error  // keys that it has from its start
	put(p pair) error       // in the store
	holds() int             // keys in the store
	missed() uint64         // rumors that it knows it will never get: nobody holds them any more
	stop()                  // at once, as a crash would: nobody is told
}

// starter starts a member that listens at a free port of host, and joins by
// the members at the addresses given.
type starter func(name, host string, join []string, hearing hearing) (member, error)

// hearing is where rumors go that a member hears, its own too. Nobody listens
// where it is zero.
type hearing struct {
	hear func(data []byte)
	lag  func(lost int) // so many were lost within the member
	keys bool           // it holds keys, and hears of new values instead of rumors
}

var starters = map[string]starter{"hearsay": startHearsay, "memberlist": startMemberlist}

// traffic is what was sent.
type traffic struct {
	datagrams, datagramBytes, streamBytes uint64
}

func (t traffic) plus(o traffic) traffic {
	return traffic{t.datagrams + o.datagrams, t.datagramBytes + o.datagramBytes, t.streamBytes + o.streamBytes}
}

func (t traffic) minus(o traffic) traffic {
	return traffic{t.datagrams - o.datagrams, t.datagramBytes - o.datagramBytes, t.streamBytes - o.streamBytes}
}

// host gives an address of its own to each member ever started.
func host(number int) string { return fmt.Sprintf("127.0.%d.%d", 1+number/250, 1+number%250) }

// label names a member. memberlist sends two names with each ping, so that
// their length is in its figures: this is as short as host names are.
func label(number int) string { return fmt.Sprintf("node-%03d", number) }

// network is members of one system.
type network struct {
	start    starter
	members  []member
	started  int       // ever
	audience *audience // nil if nobody listens
	keys     bool      // what it hears are values of keys
}

// newNetwork starts n members that join by the first one, one by one, and
// waits until all know all.
func newNetwork(ctx context.Context, system string, n int, limit time.Duration) (*network, error) {
	net := &network{start: starters[system]}
	return net, net.fill(ctx, n, limit)
}

// fill starts the first size members, or stops those that it has started.
func (n *network) fill(ctx context.Context, size int, limit time.Duration) error {
	for range size {
		if _, err := n.grow(); err != nil {
			n.stop()
			return err
		}
	}
	if !n.await(ctx, time.Now().Add(limit), n.complete) {
		n.stop()
		return fmt.Errorf("%d members do not know each other after %s", size, limit)
	}
	return nil
}

// listener is where goes what the next member hears.
func (n *network) listener() hearing {
	if n.audience == nil {
		return hearing{}
	}
	number, hears := n.started, n.audience.hears
	if n.keys {
		hears = n.audience.sees
	}
	return hearing{
		hear: func(data []byte) { hears(number, data) },
		lag:  func(lost int) { n.audience.lagged.Add(int64(lost)) },
		keys: n.keys,
	}
}

// grow starts one more member.
func (n *network) grow() (member, error) {
	var join []string
	if len(n.members) > 0 {
		join = []string{n.members[rand.IntN(len(n.members))].addr()}
	}
	m, err := n.start(label(n.started), host(n.started), join, n.listener())
	if err != nil {
		return nil, err
	}
	n.started++
	n.members = append(n.members, m)
	return m, nil
}

// rush starts more members, all at once, that join by the first one.
func (n *network) rush(more int) error {
	join := []string{n.members[0].addr()}
	started, errs := make([]member, more), make([]error, more)
	var wait sync.WaitGroup
	for i := range more {
		number := n.started + i
		wait.Go(func() { started[i], errs[i] = n.start(label(number), host(number), join, hearing{}) })
	}
	wait.Wait()
	for i, m := range started {
		if errs[i] != nil {
			return errs[i]
		}
		n.members = append(n.members, m)
	}
	n.started += more
	return nil
}

// remove takes a random member out of the network, which still runs.
func (n *network) remove() member {
	i := rand.IntN(len(n.members))
	m := n.members[i]
	n.members = append(n.members[:i], n.members[i+1:]...)
	return m
}

// complete reports whether m knows as many members as there are.
func (n *network) complete(m member) bool { return m.living() == len(n.members) }

// pollEvery is how exactly times are measured.
const pollEvery = 2 * time.Millisecond

// await waits until something is true of all members, and reports whether that
// came before the deadline. It asks one member at a time until it is true of
// that one, so that asking costs little however many there are.
func (n *network) await(ctx context.Context, deadline time.Time, of func(member) bool) bool {
	for waited := true; waited; {
		waited = false
		for _, m := range n.members {
			for !of(m) {
				if ctx.Err() != nil || time.Now().After(deadline) {
					return false
				}
				waited = true
				time.Sleep(pollEvery)
			}
		}
	}
	return true
}

// answerTime is how long a busy member may take to say how many it knows.
const answerTime = 5 * time.Second

// share is how much of what all members should know they know. Who does not
// answer knows nothing.
func (n *network) share() float64 {
	answers := make(chan int, len(n.members))
	for _, m := range n.members {
		go func() { answers <- m.living() }()
	}
	known, late := 0, time.After(answerTime)
	for range n.members {
		select {
		case count := <-answers:
			known += count
		case <-late:
			return float64(known) / float64(len(n.members)*len(n.members))
		}
	}
	return float64(known) / float64(len(n.members)*len(n.members))
}

func (n *network) sent() (sum traffic) {
	for _, m := range n.members {
		sum = sum.plus(m.sent())
	}
	return sum
}

func (n *network) stop() {
	var wait sync.WaitGroup
	for _, m := range n.members {
		wait.Go(m.stop)
	}
	wait.Wait()
}
