package detect_test

import (
	"encoding/binary"
	"testing"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
)

// beats is a detector whose members tell counters: each one's own, and those of all that live.
type teller struct {
	*world
	members  int
	counters []uint32              // by member; of the detector's own 0
	dead     map[int]bool          // their counters stand still, and nobody tells them
	tells    func(*core.Heartbeat) // changes what is told
}

func newBeats(t *testing.T, members int) *teller {
	b := &teller{members: members, counters: make([]uint32, members+1), dead: map[int]bool{}}
	b.world = newWorldOf(t, members, func(cfg *detect.Config, _ *detect.Directory) { cfg.Kind = detect.KindHeartbeat })
	b.direct = func(i int) bool { return !b.dead[i] }
	for i := range b.counters {
		b.counters[i] = 1000
	}
	return b
}

func key(i int) uint32 {
	who := id(i)
	return binary.BigEndian.Uint32(who[:])
}

// periods lets some go by: in each, one of the living tells what all have.
func (b *teller) periods(n int) {
	for range n {
		from := 0
		m := core.Heartbeat{}
		for i := 1; i <= b.members; i++ {
			if b.dead[i] {
				continue
			}
			b.counters[i]++
			if from == 0 {
				from, m.Own = i, b.counters[i]
			} else if len(m.Beats) < core.MaxBeats {
				m.Beats = append(m.Beats, core.Beat{Key: key(i), Counter: b.counters[i]})
			}
		}
		if b.tells != nil {
			b.tells(&m)
		}
		if from != 0 {
			b.Heartbeat(&core.Packet{From: id(from), Addr: addr(from)}, &m)
		}
		b.beats = nil
		b.run(b.cfg.Period)
	}
}

func (b *teller) accused() map[int]int {
	by := map[int]int{}
	for _, e := range b.events {
		if e.Kind == hearsay.EventUnreachable {
			by[int(e.Subject[0])|int(e.Subject[1])<<8]++
		}
	}
	return by
}

func TestFailAfter(t *testing.T) {
	cfg := detect.DefaultConfig()
	for _, c := range []struct{ members, want int }{{0, 12}, {2, 12}, {3, 8}, {16, 11}, {128, 15}, {161, 15}, {162, 27}, {1000, 105}, {10_000, 1098}} {
		if got := cfg.FailAfter(c.members); got != c.want {
			t.Errorf("of %d members %d periods, want %d", c.members, got, c.want)
		}
	}
}

func TestHeartbeatAccusesOneThatStandsStill(t *testing.T) {
	b := newBeats(t, 9)
	b.periods(20)
	b.dead[4] = true
	longest := b.cfg.FailAfter(10)
	b.periods(longest - 2)
	if len(b.accused()) > 0 {
		t.Fatalf("accuses %v after %d periods", b.accused(), longest-2)
	}
	b.periods(3)
	if a := b.accused(); len(a) != 1 || a[4] != 1 {
		t.Fatalf("accuses %v after %d periods; want 4, once", a, longest+1)
	}
	if b.periods(6); b.accused()[4] < 2 {
		t.Error("does not accuse it again")
	}
}

// What others tell of a dead member is believed, and does not last: its own silence counts for more.
func TestLieDelaysAnAccusation(t *testing.T) {
	b := newBeats(t, 9)
	b.periods(20)
	b.dead[4] = true
	b.tells = func(m *core.Heartbeat) {
		b.counters[4]++
		m.Beats = append(m.Beats, core.Beat{Key: key(4), Counter: b.counters[4]})
	}
	const lap, misses = 9, 5
	b.periods((misses - 1) * lap)
	if a := b.accused(); len(a) > 0 {
		t.Fatalf("accuses %v, while others tell that it lives", a)
	}
	b.periods(2*lap + 2)
	if a := b.accused(); len(a) != 1 || a[4] == 0 {
		t.Errorf("accuses %v; want 4, which has missed five pings in a row", a)
	}
}

// A counter that was told too high accuses nobody, if its owner raises its own.
func TestOwnCounterIsRaisedAboveWhatIsHeard(t *testing.T) {
	b := newBeats(t, 3)
	b.periods(3)
	before := b.beats[0].Own
	b.tells = func(m *core.Heartbeat) {
		m.Beats = append(m.Beats, core.Beat{Key: key(0), Counter: before + 1<<20})
	}
	b.periods(1)
	b.tells = nil
	if b.periods(2); int32(b.beats[0].Own-(before+1<<20)) <= 0 {
		t.Errorf("own counter %d after %d, and %d was told of it", b.beats[0].Own, before, before+1<<20)
	}
}

// Counters go on around the end of 32 bits.
func TestCountersGoAround(t *testing.T) {
	b := newBeats(t, 4)
	for i := range b.counters {
		b.counters[i] = 1<<32 - 10
	}
	b.periods(60)
	if a := b.accused(); len(a) > 0 {
		t.Errorf("accuses %v", a)
	}
}

// What was told of a member before it went is no sign of life once it is back.
func TestOldCountersBringNobodyBack(t *testing.T) {
	b := newBeats(t, 9)
	b.periods(20)
	old := b.counters[4]
	b.dead[4] = true
	b.Remove(b.now, id(4))
	b.periods(3)
	b.Add(id(4))
	older := old - 20
	b.tells = func(m *core.Heartbeat) { // from lists that are ever less old
		older = min(older+1, old)
		m.Beats = append(m.Beats, core.Beat{Key: key(4), Counter: older})
	}
	b.periods(b.cfg.FailAfter(10) + 2)
	if a := b.accused(); a[4] == 0 {
		t.Errorf("accuses %v; 4 is back on the list, and its counter has not risen since", a)
	}
}

// Nor is one told that stands still.
func TestStillCountersAreNotTold(t *testing.T) {
	b := newBeats(t, 9)
	b.periods(20)
	b.dead[4] = true
	longest := b.cfg.FailAfter(10)
	tells := func() bool {
		b.periods(2)
		for _, m := range b.beats {
			for _, beat := range m.Beats {
				if beat.Key == key(4) {
					return true
				}
			}
		}
		return false
	}
	if !tells() {
		t.Error("is not told after a period")
	}
	if b.periods(longest + 2); tells() {
		t.Errorf("is told after %d periods", longest+4)
	}
}

// One that hears nobody accuses nobody by counters: it is rather this node.
func TestDeafNodeAccusesNobodyByCounters(t *testing.T) {
	b := newBeats(t, 9)
	b.periods(20)
	b.tells = func(m *core.Heartbeat) { *m = core.Heartbeat{} }
	b.periods(b.cfg.FailAfter(10) + 3)
	b.tells = nil
	b.periods(3)
	if a := b.accused(); len(a) > 0 {
		t.Errorf("accuses %v", a)
	}
}

func TestHeartbeatsOfStrangersAreDropped(t *testing.T) {
	b := newBeats(t, 3)
	if drop, ok := b.Heartbeat(&core.Packet{From: id(9), Addr: addr(9)}, &core.Heartbeat{}); ok || drop != hearsay.DropStranger {
		t.Errorf("a stranger's: %v, %t", drop, ok)
	}
	w := newWorld(t, 3)
	if drop, ok := w.Heartbeat(&core.Packet{From: id(1), Addr: addr(1)}, &core.Heartbeat{}); ok || drop != hearsay.DropUnexpected {
		t.Errorf("with swim: %v, %t", drop, ok)
	}
}

// Where not all counters fit a packet each gets its turn, and what is sent in a period is bounded.
func TestHeartbeatTellsAllInParts(t *testing.T) {
	const members = 2*core.MaxBeats + 30
	b := newBeats(t, members)
	b.members = core.MaxBeats // the others are told by another member
	b.periods(2)
	m := core.Heartbeat{}
	for i := core.MaxBeats + 1; i <= members; i++ {
		if m.Beats = append(m.Beats, core.Beat{Key: key(i), Counter: 5}); len(m.Beats) == core.MaxBeats || i == members {
			b.Heartbeat(&core.Packet{From: id(1), Addr: addr(1)}, &m)
			m.Beats = m.Beats[:0]
		}
	}
	seen := map[uint32]bool{}
	packets := 0
	for range 2 {
		b.periods(1)
		packets += len(b.beats)
		for _, one := range b.beats {
			if len(one.Beats) > core.MaxBeats {
				t.Errorf("%d counters in a packet", len(one.Beats))
			}
			for _, beat := range one.Beats {
				seen[beat.Key] = true
			}
		}
	}
	if packets != 2*b.cfg.Fanout || len(seen) != members {
		t.Errorf("%d packets in two periods, with %d counters; want %d, %d", packets, len(seen), 2*b.cfg.Fanout, members)
	}
}

func TestHeartbeatAllocatesNothing(t *testing.T) {
	b := newBeats(t, 100)
	b.periods(3)
	m := core.Heartbeat{Own: 5000}
	for i := range 100 {
		m.Beats = append(m.Beats, core.Beat{Key: key(i + 1)})
	}
	packet := core.Packet{From: id(3), Addr: addr(3)}
	answer := core.Packet{Body: &core.Ack{}}
	allocs := testing.AllocsPerRun(200, func() {
		m.Own++
		for i := range m.Beats {
			m.Beats[i].Counter = m.Own
		}
		b.Heartbeat(&packet, &m)
		b.now = b.Deadline()
		b.Tick(b.now)
		for _, p := range b.out.Now {
			if ping, is := p.Body.(*core.Ping); is {
				answer.From, answer.Addr = ping.Target, p.Addr
				b.Ack(b.now, &answer, ping.Seq)
			}
		}
		b.out.Reset()
	})
	if allocs > 0 {
		t.Errorf("%v allocations a step", allocs)
	}
}
