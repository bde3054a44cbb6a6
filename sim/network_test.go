package sim

import (
	"math"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// newWires makes a world whose machines have just started, and do nothing that they had in mind: tests put
// packets on the wires between them, and look at what is scheduled.
func newWires(change func(*Config)) *World {
	config := DefaultConfig()
	config.Nodes = 4
	if change != nil {
		change(&config)
	}
	w := NewWorld(config, nil)
	for i := range w.machines {
		w.start(&w.machines[i], false)
	}
	w.queue = queue{}
	return w
}

// sendAt sends one ack from n1 to n2, and says when it arrives; 0 is never.
func (w *World) sendAt(now time.Duration, stream bool) (arrives time.Duration) {
	w.now = now
	w.network.send(&w.machines[0], &core.Packet{Addr: w.machines[1].addr, Stream: stream, Body: &core.Ack{Seq: 1}})
	if w.queue.empty() {
		return 0
	}
	due := w.queue.pop()
	if due.kind != momentArrival {
		w.queue.push(due)
		return 0
	}
	w.network.releaseFlight(due.which)
	return due.at
}

func TestDatagramsAreLostAndLate(t *testing.T) {
	const loss, sent = 0.25, 20_000
	w := newWires(func(c *Config) { c.Loss, c.Delay = loss, 10*time.Millisecond })
	arrived, total := 0, time.Duration(0)
	for i := range sent {
		now := time.Duration(i) * time.Second
		at := w.sendAt(now, false)
		if at == 0 {
			continue
		}
		took := at - now
		if took < 10*time.Millisecond || took >= 15*time.Millisecond {
			t.Fatalf("took %v, want 10 to 15 ms", took)
		}
		arrived, total = arrived+1, total+took
	}
	deviation := math.Sqrt(loss * (1 - loss) / sent)
	if got := 1 - float64(arrived)/sent; math.Abs(got-loss) > 4*deviation {
		t.Errorf("%.3f lost, want %v", got, loss)
	}
	if mean := total / time.Duration(arrived); mean < 12400*time.Microsecond || mean > 12600*time.Microsecond {
		t.Errorf("mean delay %v, want 12.5 ms", mean)
	}
	if int(w.counts.Lost)+arrived != sent || w.counts.Packets != sent {
		t.Errorf("counts: %d lost of %d", w.counts.Lost, w.counts.Packets)
	}
	if n := len(w.network.flights); n != 1 {
		t.Errorf("%d flights were made, one is enough", n)
	}
}

// More loss is the same draws held against another number: what is lost at
// 10 % is lost at 20 %, and what arrives arrives at the same time.
func TestFaultsChangeNoOtherDraw(t *testing.T) {
	little := newWires(func(c *Config) { c.Loss = 0.1 })
	much := newWires(func(c *Config) { c.Loss = 0.2 })
	arrived := 0
	for i := range 1000 {
		a, b := little.sendAt(time.Duration(i)*time.Second, false), much.sendAt(time.Duration(i)*time.Second, false)
		if b != 0 && a != b {
			t.Fatalf("packet %d arrives at %v with less loss, at %v with more", i, a, b)
		}
		if b != 0 {
			arrived++
		}
	}
	if arrived < 700 || arrived > 900 {
		t.Fatalf("%d of 1000 arrived", arrived)
	}
}

func TestDatagramsComeTwice(t *testing.T) {
	const share, sent = 0.25, 10_000
	w := newWires(nil)
	w.Do(Action{Verb: Duplicate, Share: share})
	twice := 0
	for i := range sent {
		w.sendAt(time.Duration(i)*time.Second, false)
		for !w.queue.empty() {
			twice++
			w.network.releaseFlight(w.queue.pop().which)
		}
	}
	if got := float64(twice) / sent; math.Abs(got-share) > 4*math.Sqrt(share*(1-share)/sent) {
		t.Errorf("%.3f come twice, want %v", got, share)
	}
	if w.counts.Packets != sent {
		t.Errorf("%d sent, and %d counted", sent, w.counts.Packets)
	}
}

func TestCutsAndPartitions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		do               Action
		datagram, stream bool // get through from n1 to n2
	}{
		{"nothing", Action{Verb: Heal}, true, true},
		{"partition between", Action{Verb: Partition, Groups: [][]int{{1, 3}, {2}}}, false, false},
		{"partition elsewhere", Action{Verb: Partition, Groups: [][]int{{1, 2}, {3}}}, true, true},
		{"partition of others", Action{Verb: Partition, Groups: [][]int{{3}, {4}}}, true, true},
		{"cut", Action{Verb: Cut, Groups: [][]int{{1}, {2}}}, false, false},
		{"cut of the way back", Action{Verb: Cut, Groups: [][]int{{2}, {1}}}, true, false},
		{"loss of the receiver", Action{Verb: Loss, Share: 1, Who: []int{2}}, false, false},
		{"loss of another", Action{Verb: Loss, Share: 1, Who: []int{3}}, true, true},
		{"loss of all", Action{Verb: Loss, Share: 1}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWires(nil)
			w.Do(test.do)
			if got := w.sendAt(time.Second, false) != 0; got != test.datagram {
				t.Errorf("datagram gets through: %v", got)
			}
			if got := w.sendAt(time.Second, true) != 0; got != test.stream {
				t.Errorf("stream gets through: %v", got)
			}
			w.Do(Action{Verb: Heal})
			w.Do(Action{Verb: Loss, Who: []int{1, 2, 3, 4}})
			w.Do(Action{Verb: Loss})
			if w.sendAt(2*time.Second, false) == 0 || w.sendAt(2*time.Second, true) == 0 {
				t.Error("nothing gets through although all is mended")
			}
		})
	}
}

func TestStreamsKeepOrderAndComeLater(t *testing.T) {
	w := newWires(func(c *Config) { c.Loss, c.Delay = 0.2, time.Millisecond })
	last, late, given, sent := time.Duration(0), 0, 0, 2000
	for i := range sent {
		now := time.Duration(i) * 10 * time.Millisecond
		at := w.sendAt(now, true)
		switch {
		case at == 0:
			given++
			last = 0
		case at < last:
			t.Fatalf("packet %d arrives at %v, the one before it at %v", i, at, last)
		case at-now > segmentRetry:
			late++
			last = at
		default:
			last = at
		}
	}
	if late == 0 {
		t.Error("20 % loss makes no stream late")
	}
	if given > sent/100 {
		t.Errorf("%d of %d were given up", given, sent)
	}
	if lost := w.counts.Lost; int(lost) != given {
		t.Errorf("%d counted as lost, %d given up", lost, given)
	}
}

func TestStreamNeedsAHandshake(t *testing.T) {
	w := newWires(func(c *Config) { c.Delay = 10 * time.Millisecond })
	took := func(now time.Duration) time.Duration { return w.sendAt(now, true) - now }
	if first := took(time.Second); first < 30*time.Millisecond {
		t.Errorf("first packet took %v, want three ways", first)
	}
	if second := took(2 * time.Second); second >= 15*time.Millisecond {
		t.Errorf("second packet took %v, want one way", second)
	}
	if idle := took(2*time.Second + connectionIdle + 1); idle < 30*time.Millisecond {
		t.Errorf("packet after a long silence took %v, want three ways", idle)
	}
	w.machines[1].life++
	if restarted := took(8 * time.Second); restarted < 30*time.Millisecond {
		t.Errorf("packet to the next life took %v, want three ways", restarted)
	}
	w.machines[1].node = nil
	if w.sendAt(9*time.Second, true) != 0 {
		t.Error("a stream to a crashed process gets through")
	}
	if !w.queue.empty() {
		t.Error("is told that another peer refuses a connection: the core makes nothing of that")
	}
	w.config.Nodes = 1 // and n2 is a seed
	w.sendAt(9*time.Second, true)
	if told := w.queue.pop(); told.kind != momentRefused || told.machine != 0 || told.which != 1 || told.at != 9*time.Second+20*time.Millisecond {
		t.Errorf("told so by %+v, want n1 by n2 after two ways", told)
	}
}

func TestLargePacketsGoByStream(t *testing.T) {
	w := newWires(nil)
	large := &core.Packet{Addr: w.machines[1].addr, Body: &core.Want{IDs: make([]hearsay.NodeID, core.MTU/16)}}
	w.network.send(&w.machines[0], large)
	if w.counts.Streams != 1 || w.counts.Packets != 0 {
		t.Fatalf("%d by stream, %d by datagram", w.counts.Streams, w.counts.Packets)
	}
	f := &w.network.flights[w.queue.pop().which]
	var p core.Packet
	if drop, ok := w.decoder.Decode(w.network.unframe(f.bytes), &p); !ok {
		t.Fatalf("cannot be read: %s", drop)
	}
	if want, ok := p.Body.(*core.Want); !ok || len(want.IDs) != core.MTU/16 || p.From != w.machines[0].id {
		t.Fatalf("came as %+v", p.Body)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	config.Nodes = 300
	w := NewWorld(config, nil)
	for i := range w.machines {
		if got, found := w.network.machineAt(w.machines[i].addr); !found || int(got) != i {
			t.Fatalf("%s is machine %d, want %d", w.machines[i].addr, got, i)
		}
	}
	if _, found := w.network.machineAt(addrOf(300)); found {
		t.Error("an address of nobody is somebody's")
	}
}

func BenchmarkDispatch(b *testing.B) {
	w := newWires(nil)
	p := &core.Packet{Addr: w.machines[1].addr, Body: &core.Ack{Seq: 1}}
	b.ReportAllocs()
	for b.Loop() {
		w.network.send(&w.machines[0], p)
		w.network.releaseFlight(w.queue.pop().which)
	}
}
