package main

// The measurements: what is done with a network, and which figures come of it.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"
)

// names are what can be asked for.
var names = []string{"cpu", "bytes", "heap", "death", "join", "storm", "broadcast", "sustained", "keys"}

// smallNetwork is the smaller network of death.
const smallNetwork = 32

// scene is one thing to do with a network of each system.
type scene struct {
	name     string // the measurement; of an idle network the first that was asked for
	systems  []string
	together bool // all systems at the same time
	measure  func(ctx context.Context, o *options, system string) ([]figure, error)
}

// whole gives figures unless ctx has ended meanwhile: then what was measured was cut short.
func whole(ctx context.Context, figures ...figure) ([]figure, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return figures, nil
}

// scenes gives what must be done for what was asked for.
func scenes(o *options) (all []*scene) {
	both := []string{"hearsay", "memberlist"}
	isIdle := func(name string) bool { return name == "cpu" || name == "bytes" || name == "heap" }
	if i := slices.IndexFunc(o.names, isIdle); i >= 0 {
		all = append(all, &scene{o.names[i], []string{"hearsay", "memberlist", "echo"}, true, idle})
	}
	for _, s := range []*scene{
		{"death", both, false, death},
		{"join", both, false, join},
		{"storm", both, false, storm},
		{"broadcast", both, false, broadcast},
		{"sustained", both, false, sustained},
		{"keys", both, false, keys},
	} {
		if slices.Contains(o.names, s.name) {
			all = append(all, s)
		}
	}
	return all
}

// profiled measures in this process, and writes a CPU profile if one is wanted.
func (s *scene) profiled(ctx context.Context, o *options, system string) ([]figure, error) {
	if o.cpuProfile == "" || s.together { // an idle network is profiled in its window only
		return s.measure(ctx, o, system)
	}
	end, err := profile(o, s.name, system)
	if err != nil {
		return nil, err
	}
	defer end()
	return s.measure(ctx, o, system)
}

// profile writes a CPU profile until the function that it gives is called.
func profile(o *options, name, system string) (end func(), err error) {
	file, err := os.Create(fmt.Sprintf("%s.%s.%s", o.cpuProfile, name, system))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		file.Close()
	}, nil
}

// idle looks at a network in which nothing happens.
func idle(ctx context.Context, o *options, system string) ([]figure, error) {
	before := heap()
	goroutines := runtime.NumGoroutine()
	var sent func() traffic
	if system == "echo" {
		pinging, end := context.WithCancel(ctx)
		e, err := startEcho(pinging, o.nodes)
		if err != nil {
			end()
			return nil, err
		}
		defer e.stop()
		defer end()
		sent = e.sent
	} else {
		net, err := newNetwork(ctx, system, o.nodes, o.limit)
		if err != nil {
			return nil, err
		}
		defer net.stop()
		sent = net.sent
	}
	if pause(ctx, o.settle); ctx.Err() != nil {
		return nil, ctx.Err()
	}
	each := float64(o.nodes)
	figures := []figure{
		{Name: "heap", What: "heap", System: system, Value: float64(heap()-before) / each, Unit: "B"},
		{Name: "heap", What: "goroutines", System: system, Value: float64(runtime.NumGoroutine()-goroutines) / each},
	}
	if o.memProfile != "" {
		if err := writeHeapProfile(o, system); err != nil {
			return figures, err
		}
	}
	took, flow, err := window(ctx, o, system, sent)
	if err != nil {
		return figures, err
	}
	seconds := o.window.Seconds()
	return append(figures,
		figure{Name: "cpu", What: "cpu", System: system, Value: took.Seconds() / float64(flow.datagrams), Unit: "s"},
		figure{Name: "cpu", What: "datagrams", System: system, Value: float64(flow.datagrams) / each / seconds, Unit: "/s"},
		figure{Name: "bytes", What: "bytes", System: system, Value: float64(flow.datagramBytes+flow.streamBytes) / each / seconds, Unit: "B/s"},
		figure{Name: "bytes", What: "datagram bytes", System: system, Value: float64(flow.datagramBytes) / each / seconds, Unit: "B/s"},
	), nil
}

// window gives the CPU time of this process, and what was sent, while it
// waits.
func window(ctx context.Context, o *options, system string, sent func() traffic) (took time.Duration, flow traffic, err error) {
	if o.cpuProfile != "" {
		end, err := profile(o, "idle", system)
		if err != nil {
			return 0, traffic{}, err
		}
		defer end()
	}
	start := sent()
	from := cpuTime()
	pause(ctx, o.window)
	return cpuTime() - from, sent().minus(start), ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// cpuTime is what this process has used so far, in user and in kernel mode.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // there is no reason for which it could fail
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// heap gives the bytes on the heap that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first freed into pools
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func writeHeapProfile(o *options, system string) error {
	file, err := os.Create(fmt.Sprintf("%s.idle.%s", o.memProfile, system))
	if err != nil {
		return err
	}
	defer file.Close()
	return pprof.Lookup("heap").WriteTo(file, 0)
}

// death stops members and measures how long it takes until nobody lists them.
func death(ctx context.Context, o *options, system string) (figures []figure, err error) {
	for _, size := range []int{smallNetwork, o.nodes} {
		net, err := newNetwork(ctx, system, size, o.limit)
		if err != nil {
			return figures, err
		}
		f := figure{Name: "death", What: fmt.Sprintf("death %d", size), System: system, Unit: "s", Nodes: size}
		for range o.repeat {
			pause(ctx, time.Second+rand.N(time.Second)) // at any time of a period
			victim := net.remove()
			began := time.Now()
			victim.stop()
			known := net.await(ctx, began.Add(o.limit), func(m member) bool { return !m.lists(victim.name()) })
			f.took(time.Since(began), known)
			if err := net.heal(ctx, o); err != nil {
				net.stop()
				return figures, err
			}
		}
		net.stop()
		figures = append(figures, f.median())
	}
	return figures, nil
}

// heal starts one member more, and waits until all know all.
func (n *network) heal(ctx context.Context, o *options) error {
	if _, err := n.grow(); err != nil {
		return err
	}
	if !n.await(ctx, time.Now().Add(o.limit), n.complete) {
		return fmt.Errorf("%d members do not know each other after %s", len(n.members), o.limit)
	}
	return nil
}

// join starts members one by one and measures how long it takes until
// everybody lists them. The network grows by one each time.
func join(ctx context.Context, o *options, system string) ([]figure, error) {
	net, err := newNetwork(ctx, system, o.nodes, o.limit)
	if err != nil {
		return nil, err
	}
	defer net.stop()
	f := figure{Name: "join", What: "join", System: system, Unit: "s", Nodes: o.nodes}
	for range o.repeat {
		pause(ctx, time.Second+rand.N(time.Second))
		began := time.Now()
		m, err := net.grow()
		if err != nil {
			return nil, err
		}
		known := net.await(ctx, began.Add(o.limit), func(o member) bool { return o.lists(m.name()) })
		f.took(time.Since(began), known)
		if !net.await(ctx, began.Add(o.limit), net.complete) {
			return nil, fmt.Errorf("%d members do not know each other after %s", len(net.members), o.limit)
		}
	}
	return whole(ctx, f.median())
}

// storm starts all members at once and measures how long it takes until all
// list all, and the CPU time of that, which tells more on a busy machine. It
// does not stop them: the process ends, and an orderly end of so many takes
// some minutes where they are still busy.
func storm(ctx context.Context, o *options, system string) ([]figure, error) {
	net := &network{start: starters[system]}
	began, used := time.Now(), cpuTime()
	if _, err := net.grow(); err != nil {
		return nil, err
	}
	if err := net.rush(o.stormNodes - 1); err != nil {
		return nil, err
	}
	known, all := false, make(chan bool, 1)
	go func() { all <- net.await(ctx, began.Add(o.limit), net.complete) }()
	select {
	case known = <-all:
	case <-time.After(time.Until(began.Add(o.limit))): // a member that is busy may not even answer
	}
	f := figure{Name: "storm", What: "storm", System: system, Unit: "s", Nodes: o.stormNodes}
	f.took(time.Since(began), known)
	figures := []figure{f.median(), {Name: "storm", What: "storm cpu", System: system, Value: (cpuTime() - used).Seconds(), Unit: "s"}}
	if !known {
		figures = append(figures, figure{Name: "storm", What: "storm share", System: system, Value: net.share()})
	}
	return whole(ctx, figures...)
}
