package abuse

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/test/process"
	"hearsay/wire"
)

const (
	floodStreams = 8 // connections of the stranger at a time
	floodPings   = 300
	pingEvery    = 10 * time.Millisecond
	pingWait     = 3 * time.Second // then it counts as not answered
	// pingMost is how long an answer may take. On a machine with two processors this
	// test and eight nodes share them, so what this process was itself kept waiting
	// for may come on top, on the way there and back.
	pingMost = 100 * time.Millisecond
	// pingMostShort is the bound where other tests run beside this one: no more than
	// that no answer is lost, and that none waits for as long as a suspicion takes.
	pingMostShort = time.Second
)

var (
	floodFrom   = netip.MustParseAddr("127.0.66.6")       // a stranger's address
	floodRates  = []int{2 << 20, 10 << 20, 50 << 20}      // bytes a second
	unsignedBy  = hearsay.PublicKey{1, 2, 3}              // nobody's
	unsignedID  = unsignedBy.NodeID()                     // likewise
	floodRandom = rand.New(rand.NewPCG(7, 7))             // of what is made before a flood
	floodLine   = strings.Repeat(`"x":{},`, (64<<10)/7-9) // in a line of 64 KiB
)

// flood is what a stranger sends over and over.
type flood struct {
	name   string
	seed   bool // to a seed, else to a peer
	lines  bool // each on a connection of its own
	short  bool // also where other tests run
	frames func(w *network) [][]byte
}

// member draws one that is in: nobody proves who sends.
func (w *network) anyMember() hearsay.NodeID {
	listed, _ := w.members(w.peers[0])
	for _, m := range listed {
		if m.Role != "seed" && m.ID != w.peers[0].ID {
			return m.ID
		}
	}
	w.t.Fatal("there is no member")
	panic("not reached")
}

// framed gives frames whose bodies are made one after the other.
func framed(count int, body func(w *network, from hearsay.NodeID, i int) *core.Packet) func(w *network) [][]byte {
	return func(w *network) (frames [][]byte) {
		from := w.anyMember()
		for i := range count {
			p := body(w, from, i)
			p.From = from
			frames = append(frames, wire.AppendFrame(nil, networkID, p))
		}
		return frames
	}
}

// everyOther are ranges of every other number of one origin.
func everyOther(from hearsay.NodeID, start uint64) (list []core.SeenRange) {
	for i := range uint64(core.MaxSeenRanges) {
		list = append(list, core.SeenRange{Origin: hearsay.OriginOf(from), Range: clock.Range{Low: start + 2*i, High: start + 2*i}})
	}
	return list
}

func floods() []flood {
	return []flood{
		{name: "Rumors.Missed", short: true, frames: framed(8, func(_ *network, from hearsay.NodeID, i int) *core.Packet {
			return &core.Packet{Body: &core.Rumors{Missed: everyOther(from, uint64(1+i))}}
		})},
		{name: "Seen", frames: framed(8, func(_ *network, from hearsay.NodeID, i int) *core.Packet {
			return &core.Packet{Body: &core.Seen{Ranges: everyOther(from, uint64(1+i)), Answer: true}}
		})},
		{name: "Rumors.Items", frames: framed(200, func(_ *network, from hearsay.NodeID, i int) *core.Packet {
			m := &core.Rumors{}
			for n := range core.MaxRumors {
				m.Items = append(m.Items, hearsay.Rumor{ID: clock.Dot{Origin: hearsay.OriginOf(from), Counter: uint64(1000 + i*core.MaxRumors + n)}, Data: make([]byte, 100)})
			}
			return &core.Packet{Body: m}
		})},
		{name: "claims", short: true, frames: framed(4, unsignedClaims)},
		{name: "claims", seed: true, frames: framed(4, unsignedClaims)},
		{name: "LedgerReq", seed: true, frames: ledgerReqs},
		{name: "LedgerReq", frames: ledgerReqs},
		{name: "JSON lines", seed: true, lines: true, frames: jsonLines},
		{name: "JSON lines", lines: true, frames: jsonLines},
	}
}

// unsignedClaims are of one who does not exist, ever newer.
func unsignedClaims(_ *network, _ hearsay.NodeID, i int) *core.Packet {
	p := &core.Packet{Body: &core.News{}}
	for n := range core.MaxClaims {
		p.Claims = append(p.Claims, hearsay.Claim{
			Subject: unsignedID, State: hearsay.StateAlive, Incarnation: hearsay.Incarnation(time.Now().UnixMilli() + int64(i*core.MaxClaims+n)),
			Card: hearsay.Card{Key: unsignedBy, Name: "nobody", Addr: netip.AddrPortFrom(floodFrom, 1), Role: hearsay.RolePeer, Signature: hearsay.Signature{byte(floodRandom.Uint32())}},
		})
	}
	return p
}

func jsonLines(*network) [][]byte {
	return [][]byte{
		[]byte(`{"type":"SUSPECT_REQ","payload":{` + floodLine + `"z":0}}` + "\n"),
		[]byte(`{"type":"DEAD_REPORT","payload":{` + floodLine[:7<<10] + `"z":0}}` + "\n"),
	}
}

// ledgerReqs are many to a write: the sender must not be what is slow.
func ledgerReqs(w *network) [][]byte {
	one := framed(1, func(*network, hearsay.NodeID, int) *core.Packet {
		return &core.Packet{Body: &core.LedgerReq{}}
	})(w)
	return [][]byte{bytes.Repeat(one[0], 500)}
}

// flooding is a flood that goes on.
type flooding struct {
	wait sync.WaitGroup
	end  chan struct{}
	sent atomic.Int64 // bytes that the victim's machine has taken
}

// flood sends frames to a node at a rate, over several connections, until it is
// stopped. What the node does not take in time is not sent.
func (w *network) flood(to node, f *flood, rate int) *flooding {
	l := &flooding{end: make(chan struct{})}
	frames := f.frames(w)
	for range floodStreams {
		l.wait.Go(func() {
			for l.connection(to, f, frames, rate/floodStreams) {
			}
		})
	}
	return l
}

// connection sends over one connection until it ends, and reports whether another
// one is wanted.
func (l *flooding) connection(to node, f *flood, frames [][]byte, rate int) (again bool) {
	dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: floodFrom.AsSlice()}}
	conn, err := dialer.Dial("tcp", to.Addr)
	if err != nil {
		return l.pause(pingEvery)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetLinger(0)
	l.wait.Go(func() {
		var hole [64 << 10]byte
		for {
			if _, err := conn.Read(hole[:]); err != nil {
				return
			}
		}
	})
	began, sent := time.Now(), 0
	for i := 0; ; i++ {
		frame := frames[i%len(frames)]
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := conn.Write(frame)
		sent += n
		l.sent.Add(int64(n))
		if due := time.Duration(sent) * time.Second / time.Duration(rate); !l.pause(due - time.Since(began)) {
			return false
		}
		if err != nil || f.lines {
			return true
		}
	}
}

// pause waits, and reports whether the flood goes on.
func (l *flooding) pause(d time.Duration) bool {
	select {
	case <-l.end:
		return false
	default:
	}
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.end:
		return false
	case <-timer.C:
		return true
	}
}

func (l *flooding) stop() {
	close(l.end)
	l.wait.Wait()
}

// pinged is what came of some pings.
type pinged struct {
	answered int
	slowest  time.Duration
	stalled  time.Duration // at most, that this process itself was kept from running
}

// pings pings a node so often, one after the other.
func (w *network) pings(to node, count int) (p pinged) {
	w.t.Helper()
	conn, err := net.Dial("udp", to.Addr)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	decoder := wire.NewDecoder(networkID)
	var room [core.MTU]byte
	for seq := range uint64(count) {
		before := time.Now()
		process.Pause(pingEvery)
		began := time.Now()
		p.stalled = max(p.stalled, began.Sub(before)-pingEvery)
		conn.Write(wire.AppendPacket(nil, networkID, &core.Packet{From: hearsay.NodeID{1}, Body: &core.Ping{Seq: 1 + seq, Target: to.ID}}))
		conn.SetReadDeadline(began.Add(pingWait))
		for {
			n, err := conn.Read(room[:])
			if err != nil {
				break
			}
			var packet core.Packet
			if _, ok := decoder.Decode(room[:n], &packet); !ok {
				continue
			}
			if ack, ok := packet.Body.(*core.Ack); ok && ack.Seq == 1+seq {
				p.answered++
				p.slowest = max(p.slowest, time.Since(began))
				break
			}
		}
	}
	return p
}

// TestFloodsByStream floods a node with what is dear to take, over connections of
// a stranger, while it has one processor. It answers all pings, in time, and
// nobody suspects it.
func TestFloodsByStream(t *testing.T) {
	whole := whole()
	t.Setenv("GOMAXPROCS", "1") // of the nodes: this process has read it already
	w := start(t)
	count, most, rates := floodPings, pingMost, floodRates
	if !whole {
		count, most, rates = floodPings/3, pingMostShort, floodRates[1:2]
	}
	_, epoch := w.members(w.peers[0])
	for _, f := range floods() {
		if !whole && !f.short {
			continue
		}
		victim := w.peers[0]
		if f.seed {
			victim = w.seeds[0]
		}
		for _, rate := range rates {
			t.Run(fmt.Sprintf("%s to a %s at %d MB a second", f.name, victim.Role, rate>>20), func(t *testing.T) {
				before, used := w.stats(victim).Refutations, w.processorTime(victim)
				began := time.Now()
				l := w.flood(victim, &f, rate)
				p := w.pings(victim, count)
				l.stop()
				took := time.Since(began)
				t.Logf("%d of %d pings answered, the slowest after %v (this process was kept waiting for up to %v); %.1f MB a second were taken, for %.0f %% of a processor",
					p.answered, count, p.slowest.Round(100*time.Microsecond), p.stalled.Round(100*time.Microsecond), float64(l.sent.Load())/took.Seconds()/(1<<20),
					100*(w.processorTime(victim)-used).Seconds()/took.Seconds())
				if p.answered < count {
					t.Errorf("%d pings were not answered", count-p.answered)
				}
				if p.slowest > most+2*p.stalled {
					t.Errorf("the slowest answer took %v", p.slowest)
				}
				// Each suspicion is told to its subject, which refutes it. On a machine that
				// keeps this process waiting for so long, others wait for answers in vain, too.
				if n := w.stats(victim).Refutations - before; n > 0 && p.stalled < stallMost {
					t.Errorf("it was suspected %d times", n)
				}
			})
		}
	}
	if !w.agreed(epoch, seedsCount+peersCount, "") {
		w.until("as it was", removedWithin, func() bool { return w.agreed(epoch, seedsCount+peersCount, "") })
	}
	if memory := slices.Max(w.seedsMemory()); memory > memoryMost {
		t.Errorf("a seed holds %d bytes", memory)
	}
}

// processorTime is what a node's process has used of processors.
func (w *network) processorTime(n node) time.Duration {
	w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.PID))
	if err != nil {
		w.t.Fatal(err)
	}
	const user, system, tick = 11, 12, 10 * time.Millisecond // places behind the name; USER_HZ
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	var ticks, more int
	fmt.Sscan(fields[user], &ticks)
	fmt.Sscan(fields[system], &more)
	return time.Duration(ticks+more) * tick
}
