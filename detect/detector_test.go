package detect_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
	"hearsay/quota"
	"hearsay/testkit"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func id(i int) hearsay.NodeID { return hearsay.NodeID{byte(i), byte(i >> 8), 7} }

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7946)
}

// world is a detector among members that answer or do not.
type world struct {
	t *testing.T
	*detect.Detector
	cfg    *detect.Config
	out    *core.Effects
	now    time.Time
	events []hearsay.Event
	stats  hearsay.Stats

	trip    time.Duration                     // of every packet, there and back
	direct  func(i int) bool                  // whether member i answers a ping
	relay   func(via, i int) (ack, well bool) // whether a relay reaches it, and answers at all
	doubt   int                               // a suspect, which is overdue if it was not probed since; 0: nobody is
	forever bool                              // it is overdue all the time
	away    int                               // a member that is passed over; 0: none is
	mute    func(i int) bool                  // which cannot be relays; nil: none
	seat    netip.AddrPort                    // of a configured seed; zero: there is none
	proven  bool                              // this node knows by other means that it is well
	later   testkit.Queue[core.Packet]
	pinged  []int            // in order
	streams int              // pings by stream
	beats   []core.Heartbeat // that it has told
	silent  bool             // these are not answered
}

func newWorld(t *testing.T, members int) *world { return newWorldOf(t, members, nil) }

// newWorldOf makes one with other settings, or another directory.
func newWorldOf(t *testing.T, members int, change func(*detect.Config, *detect.Directory)) *world {
	w := &world{t: t, out: &core.Effects{}, now: start, trip: 2 * time.Millisecond}
	w.direct = func(int) bool { return true }
	w.relay = func(int, int) (bool, bool) { return false, true }
	cfg := detect.DefaultConfig()
	cfg.StreamPing = false
	seat := func(who hearsay.NodeID) int32 { return int32(who[0]) | int32(who[1])<<8 }
	directory := detect.Directory{
		Addr: func(who hearsay.NodeID) (netip.AddrPort, bool) {
			return addr(int(seat(who))), int(seat(who)) <= members
		},
		Seat: seat,
		At: func(seat int32) (hearsay.NodeID, netip.AddrPort, bool) {
			return id(int(seat)), addr(int(seat)), int(seat) <= members
		},
		Suspect: func(who hearsay.NodeID) bool { return who == id(w.doubt) },
		Overdue: func(time.Time) (hearsay.NodeID, bool) {
			return id(w.doubt), w.doubt != 0 && (w.forever || !slices.Contains(w.pinged, w.doubt))
		},
		Away:   func(who hearsay.NodeID) bool { return w.away != 0 && who == id(w.away) },
		Mute:   func(who hearsay.NodeID) bool { return w.mute != nil && w.mute(int(seat(who))) },
		Proven: func() bool { return w.proven },
		Sender: func(p *core.Packet) quota.Sender {
			class := quota.Stranger
			switch {
			case p.Addr == w.seat:
				class = quota.Seat
			case int(seat(p.From)) <= members && p.Addr == addr(int(seat(p.From))):
				class = quota.Member
			}
			return quota.Sender{Class: class, Addr: p.Addr}
		},
	}
	if change != nil {
		change(&cfg, &directory)
	}
	w.cfg = &cfg
	w.Detector = detect.New(&cfg, id(0), directory, rand.New(rand.NewPCG(3, 4)), &w.stats, w.out, w.now)
	for i := range members {
		w.Add(id(i + 1))
	}
	return w
}

// drain answers what was sent, and keeps the events.
func (w *world) drain() {
	for _, p := range w.out.Now {
		to := int(p.Addr.Addr().As4()[2])<<8 | int(p.Addr.Addr().As4()[3])
		answer := core.Packet{From: id(to), Addr: p.Addr}
		switch m := p.Body.(type) {
		case *core.Ping:
			if w.pinged = append(w.pinged, to); p.Stream {
				if w.streams++; !w.silent {
					answer.Stream, answer.Body = true, &core.Ack{Seq: m.Seq}
				}
			} else if w.direct(to) {
				answer.Body = &core.Ack{Seq: m.Seq}
			}
		case *core.Heartbeat:
			w.beats = append(w.beats, core.Heartbeat{Own: m.Own, Beats: slices.Clone(m.Beats)})
		case *core.RelayReq:
			if ack, well := w.relay(to, int(m.Target[0])); ack {
				answer.Body = &core.Ack{Seq: m.Seq}
			} else if well {
				answer.Body = &core.Nack{Seq: m.Seq}
			}
		}
		if answer.Body != nil {
			w.later.Put(w.now.Add(w.trip), answer)
		}
	}
	w.events = append(w.events, w.out.Events...)
	w.out.Reset()
}

func (w *world) run(d time.Duration) {
	w.drain()
	for end := w.now.Add(d); ; {
		next := w.Deadline()
		comes, p, deliver := w.later.Next()
		if deliver = deliver && !comes.After(next); deliver {
			next = comes
		}
		if next.After(end) {
			w.now = end
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		if !deliver {
			w.Tick(w.now)
		} else {
			w.later.Drop()
			switch m := p.Body.(type) {
			case *core.Ack:
				w.Ack(w.now, &p, m.Seq)
			case *core.Nack:
				w.Nack(w.now, p.From, m.Seq)
			}
		}
		w.drain()
	}
}

func (w *world) count(kind hearsay.EventKind) (n int, last hearsay.Event) {
	for _, e := range w.events {
		if e.Kind == kind {
			n, last = n+1, e
		}
	}
	return n, last
}

func TestEachIsProbedOnceALap(t *testing.T) {
	w := newWorld(t, 20)
	w.run(200 * time.Second)
	if n := len(w.pinged); n < 199 || n > 201 {
		t.Fatalf("%d pings in 200 periods", n)
	}
	for lap := range 9 {
		seen := map[int]bool{}
		for _, i := range w.pinged[lap*20 : lap*20+20] {
			seen[i] = true
		}
		if len(seen) != 20 {
			t.Errorf("lap %d: %d of 20 pinged", lap, len(seen))
		}
	}
	if n, e := w.count(hearsay.EventUnreachable); n > 0 {
		t.Errorf("accuses a member that answers: %+v", e)
	}
}

// Suspects are passed over in most periods; one about which nobody decides is probed in
// the next that is theirs, however many members there are.
func TestOverdueSuspectIsProbedBeforeItsTurn(t *testing.T) {
	w := newWorld(t, 200)
	w.run(3 * time.Second)
	for i := range 200 {
		if !slices.Contains(w.pinged, i+1) {
			w.doubt = i + 1
		}
	}
	w.run(6 * time.Second)
	if !slices.Contains(w.pinged, w.doubt) {
		t.Errorf("of 200 %v were probed within 9 s, and not the suspect %d", w.pinged, w.doubt)
	}
}

func TestSilentIsUnreachableSoon(t *testing.T) {
	w := newWorld(t, 5)
	w.run(5 * time.Second) // round trips are known
	w.direct = func(i int) bool { return i != 3 }
	w.run(6 * time.Second)
	n, e := w.count(hearsay.EventUnreachable)
	if n == 0 || e.Subject != id(3) || e.Count != 3 {
		t.Fatalf("%d times unreachable, last %+v", n, e)
	}
	if want := 300 * time.Millisecond; e.Took != want {
		t.Errorf("took %v, want %v: three times the shortest timeout", e.Took, want)
	}
	if w.Health() != 0 {
		t.Errorf("health %d, though every relay sent its nack", w.Health())
	}
}

// A probe that is under way when its member says that it is away finds nobody unreachable.
func TestPassEndsTheProbeUnderWay(t *testing.T) {
	w := newWorld(t, 5)
	w.direct = func(i int) bool { return i != 3 }
	for !slices.Contains(w.pinged, 3) {
		w.run(10 * time.Millisecond)
	}
	w.Pass(id(3))
	w.run(900 * time.Millisecond) // the next probe begins later
	if n, e := w.count(hearsay.EventUnreachable); n > 0 {
		t.Errorf("accuses one that is away: %+v", e)
	}
}

// A member that is away is no relay, whether any other has answered lately or none has.
func TestMemberThatIsAwayIsNoRelay(t *testing.T) {
	for name, answer := range map[string]bool{"all have answered": true, "none has answered": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 5)
			w.direct = func(int) bool { return answer }
			if answer {
				w.run(10 * time.Second)
			}
			asked := map[int]int{}
			w.relay = func(via, _ int) (bool, bool) {
				asked[via]++
				return false, answer
			}
			w.away = 3
			w.Pass(id(3))
			w.direct = func(i int) bool { return answer && i != 2 }
			w.run(40 * time.Second)
			if asked[3] > 0 || asked[1] == 0 {
				t.Errorf("asked as relays: %v", asked)
			}
		})
	}
}

func TestRelayReachesForUs(t *testing.T) {
	w := newWorld(t, 5)
	w.direct = func(i int) bool { return i != 3 }
	w.relay = func(_, i int) (bool, bool) { return i == 3, true }
	w.run(20 * time.Second)
	if n, _ := w.count(hearsay.EventUnreachable); n != 0 {
		t.Errorf("unreachable %d times, though relays reach it", n)
	}
}

// A member that does not understand what a relay is asked is not asked: its silence would
// count against this node's own health.
func TestMuteMembersAreNoRelays(t *testing.T) {
	w := newWorld(t, 12)
	w.direct = func(i int) bool { return i != 1 }
	w.mute = func(i int) bool { return i > 3 }
	w.relay = func(via, _ int) (bool, bool) {
		if w.mute(via) {
			t.Errorf("member %d is asked to be a relay", via)
		}
		return false, true
	}
	w.run(time.Minute)
	if w.stats.RelayAsks == 0 {
		t.Error("nobody is asked: the test shows nothing")
	}
}

// A relay that answers shows that this node is well: those that do not are dead,
// and a node that is left when most of a network dies can say so.
func TestDeadRelaysCostNoHealth(t *testing.T) {
	w := newWorld(t, 12)
	w.direct = func(i int) bool { return i <= 2 }
	w.relay = func(via, _ int) (bool, bool) { return false, via <= 2 }
	for range 120 {
		if w.run(500 * time.Millisecond); w.now.Sub(start) > 30*time.Second && w.Unwell(w.now) {
			t.Fatalf("health %d after %v", w.Health(), w.now.Sub(start))
		}
	}
}

func TestSilentRelaysCostOwnHealth(t *testing.T) {
	w := newWorld(t, 5)
	w.direct = func(int) bool { return false }
	w.relay = func(int, int) (bool, bool) { return false, false }
	w.run(30 * time.Second)
	if w.Health() != 4 || !w.Unwell(w.now) {
		t.Errorf("health %d when nobody at all answers", w.Health())
	}
	w.Examine(w.now, id(1), addr(1), 5)
	w.drain()
	if _, e := w.count(hearsay.EventExamined); e.Verdict != hearsay.VerdictAbstains {
		t.Errorf("says %v when it is unwell itself", e.Verdict)
	}
}

// Where most members have just died, those are asked to be relays that have
// answered since.
func TestRelaysHaveAnsweredLately(t *testing.T) {
	w := newWorld(t, 40)
	w.run(40 * time.Second)
	w.direct = func(i int) bool { return i <= 3 }
	w.run(40 * time.Second) // each of the living has answered since
	alive, dead := 0, 0
	w.relay = func(via, _ int) (bool, bool) {
		if via <= 3 {
			alive++
			return false, true
		}
		dead++
		return false, false
	}
	w.run(2 * time.Minute)
	if alive < 20 || dead > alive/4 {
		t.Errorf("%d of those that live are asked, and %d of the dead", alive, dead)
	}
}

// A node that has other proof that it is well, as a seed has whose quorum is heard,
// is as well as ever when nobody else answers.
func TestProvenStaysWell(t *testing.T) {
	w := newWorld(t, 12)
	w.proven = true
	w.direct = func(int) bool { return false }
	w.relay = func(int, int) (bool, bool) { return false, false }
	w.run(time.Minute)
	if w.Health() != 0 {
		t.Errorf("health %d", w.Health())
	}
}

// A probe for a ballot abstains because this node was late, and not because others
// are silent.
func TestProbesAbstainOnlyWhenLate(t *testing.T) {
	w := newWorld(t, 5)
	w.direct = func(int) bool { return false }
	w.relay = func(int, int) (bool, bool) { return false, false }
	w.run(30 * time.Second)
	if !w.Unwell(w.now) {
		t.Fatal("it is well: the test shows nothing")
	}
	w.Probe(w.now, id(2), addr(2), 5)
	w.run(3 * time.Second)
	if _, e := w.count(hearsay.EventExamined); e.Round != 5 || e.Verdict != hearsay.VerdictUnreachable {
		t.Errorf("says %v", e.Verdict)
	}
	w.Probe(w.now, id(2), addr(2), 6)
	w.BecomeLate(w.now)
	w.Probe(w.now, id(2), addr(2), 7)
	w.drain()
	if n, e := w.count(hearsay.EventExamined); n != 3 || e.Round != 7 || e.Verdict != hearsay.VerdictAbstains {
		t.Errorf("%d verdicts, the last of round %d: %v", n, e.Round, e.Verdict)
	}
}

func TestLateAccusesNobody(t *testing.T) {
	w := newWorld(t, 5)
	w.direct = func(int) bool { return false }
	for range 20 {
		w.run(900 * time.Millisecond)
		w.BecomeLate(w.now) // before any probe has had its time
	}
	if n, _ := w.count(hearsay.EventUnreachable); n != 0 {
		t.Errorf("accuses %d times while it is late", n)
	}
}

func TestSlowMemberIsMeasuredAndStays(t *testing.T) {
	w := newWorld(t, 3)
	w.trip = 450 * time.Millisecond // over the longest direct timeout, within the probe
	w.run(60 * time.Second)
	if n, _ := w.count(hearsay.EventUnreachable); n != 0 {
		t.Errorf("unreachable %d times, though every ping is answered", n)
	}
	if got := w.RoundTrip(); got < 400*time.Millisecond || got > 500*time.Millisecond {
		t.Errorf("round trip %v, want about %v", got, w.trip)
	}
}

func TestForgedAnswersCountForNothing(t *testing.T) {
	w := newWorld(t, 3)
	w.direct = func(int) bool { return false }
	w.run(1100 * time.Millisecond)
	for seq := range uint64(1000) {
		if _, ok := w.Ack(w.now, &core.Packet{From: id(1), Addr: addr(1)}, seq); ok {
			t.Fatalf("an ack of %d was taken", seq)
		}
		if w.Nack(w.now, id(1), seq) || w.NotMe(w.now, seq) {
			t.Fatalf("a nack or not-me of %d was taken", seq)
		}
	}
}

// asked gives the last ping that went to a member.
func (w *world) asked(i int) (seq uint64) {
	for _, p := range w.out.Now {
		if m, ok := p.Body.(*core.Ping); ok && p.Addr == addr(i) {
			seq = m.Seq
		}
	}
	return seq
}

// The target of a ping knows its number, and so do the relays.
// A ping that has come in has the first bytes of its target's identity.
func TestPingsOfOthersAreNotAnswered(t *testing.T) {
	var w world
	w.out = &core.Effects{}
	cfg := detect.DefaultConfig()
	self := hearsay.NodeID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	w.Detector = detect.New(&cfg, self, detect.Directory{}, rand.New(rand.NewPCG(3, 4)), &w.stats, w.out, start)
	for _, c := range []struct {
		target hearsay.NodeID
		acks   bool
	}{
		{hearsay.NodeID{1, 2, 3, 4, 5, 6, 7, 8}, true},
		{hearsay.NodeID{}, true}, // any node that is there
		{hearsay.NodeID{1, 2, 3, 4, 5, 6, 7}, false},
		{hearsay.NodeID{1, 2, 3, 4, 5, 6, 7, 9}, false},
	} {
		w.out.Reset()
		w.Ping(&core.Packet{Addr: addr(1)}, &core.Ping{Seq: 7, Target: c.target})
		if acks, refuses := len(w.out.Now) == 1, len(w.out.Send) == 1; acks != c.acks || refuses == c.acks {
			t.Errorf("%v: answered %t, refused %t", c.target, acks, refuses)
		}
	}
}

func TestNobodyAnswersForAnother(t *testing.T) {
	w := newWorld(t, 1)
	w.Add(id(2))
	w.Remove(w.now, id(2)) // an answer of a member that is no target
	for w.asked(1) == 0 {
		w.now = w.Deadline()
		w.Tick(w.now)
	}
	seq := w.asked(1)
	if _, ok := w.Ack(w.now, &core.Packet{From: id(2), Addr: addr(2)}, seq); ok {
		t.Error("before relays were asked, another answered for the target")
	}
	w.out.Reset()
	for range 2 { // its time is over: relays, and they too
		w.now = w.Deadline()
		w.Tick(w.now)
	}
	if n := len(w.out.Events); n != 1 {
		t.Fatalf("%d events", n)
	}
	if _, ok := w.Ack(w.now, &core.Packet{From: id(2), Addr: addr(2)}, seq); ok {
		t.Error("another answered late for the target")
	}
	if who, ok := w.Ack(w.now, &core.Packet{From: id(1), Addr: addr(1)}, seq); !ok || who != id(1) {
		t.Error("a late answer of the target is not taken")
	}
	w.out.Reset()
	w.Examine(w.now, id(1), addr(1), 7)
	if _, ok := w.Ack(w.now, &core.Packet{From: id(2), Addr: addr(2)}, w.asked(1)); ok {
		t.Error("another answered for the subject of an examination")
	}
}

func TestExaminationsAreBounded(t *testing.T) {
	w := newWorld(t, 5)
	for round := range hearsay.Round(1000) {
		w.Examine(w.now, id(1), addr(1), round+1)
	}
	if n := len(w.out.Now); n > 64 {
		t.Errorf("%d examinations at once", n)
	}
	if n := len(w.out.Events); n < 900 {
		t.Errorf("%d abstentions: the accuser waits in vain", n)
	}
}

// A probe ends with the first answer: a thousand under way do not keep a node
// from one more examination once they are over, and say nothing of how somebody
// fares.
func TestProbes(t *testing.T) {
	w := newWorld(t, 5)
	w.run(5 * time.Second)
	pings := 0
	w.direct = func(int) bool { pings++; return pings%2 == 0 } // half get lost
	w.out.Reset()
	for round := range hearsay.Round(1000) {
		w.Probe(w.now, id(3), addr(3), round+1)
	}
	if n := len(w.out.Events); n > 0 {
		t.Fatalf("%d abstentions", n)
	}
	w.run(5 * time.Second)
	w.direct = func(int) bool { return true }
	w.Examine(w.now, id(3), addr(3), 5000)
	w.run(time.Second)
	reachable := 0
	for _, e := range w.events {
		if e.Kind == hearsay.EventExamined && e.Verdict == hearsay.VerdictReachable {
			reachable++
		}
	}
	if reachable < 900 || w.events[len(w.events)-1].Verdict == hearsay.VerdictUnreachable {
		t.Errorf("%d of 1000 found it reachable, and the examination after them %s", reachable, w.events[len(w.events)-1].Verdict)
	}
}

func TestChronicIsForgottenInAMinute(t *testing.T) {
	w := newWorld(t, 5)
	w.run(5 * time.Second)
	pings := 0
	w.direct = func(i int) bool {
		pings++
		return i != 3 || pings%7 == 0
	}
	for round := range 5 {
		w.Examine(w.now, id(3), addr(3), hearsay.Round(round+1))
		w.run(1200 * time.Millisecond)
	}
	w.direct = func(int) bool { return true }
	w.run(time.Minute)
	w.events = nil
	w.Examine(w.now, id(3), addr(3), 9)
	w.run(time.Second)
	if _, e := w.count(hearsay.EventExamined); e.Verdict != hearsay.VerdictReachable {
		t.Errorf("%v, a minute after the loss ended", e.Verdict)
	}
}

func TestUnwellAbstainsAtTheEnd(t *testing.T) {
	w := newWorld(t, 5)
	w.direct = func(int) bool { return false }
	w.Examine(w.now, id(3), addr(3), 9)
	for range 3 {
		w.Worsen() // while it examines, it finds that it is unwell itself
	}
	w.run(2 * time.Second)
	if _, e := w.count(hearsay.EventExamined); e.Verdict != hearsay.VerdictAbstains {
		t.Errorf("says %v", e.Verdict)
	}
}

// A seed that gets the seat of a removed member is not taken for it.
func TestRemovedIsForgotten(t *testing.T) {
	w := newWorld(t, 4)
	w.run(10 * time.Second)
	if n := w.Measured(); n != 4 {
		t.Fatalf("%d members were measured, want 4", n)
	}
	for i := range 4 {
		w.Remove(w.now, id(i+1))
	}
	if n := w.Measured(); n != 0 {
		t.Errorf("%d members are remembered", n)
	}
}

func TestRemovedIsNotAccused(t *testing.T) {
	w := newWorld(t, 1)
	for w.asked(1) == 0 {
		w.now = w.Deadline()
		w.Tick(w.now)
	}
	w.out.Reset()
	w.Remove(w.now, id(1)) // dead by the word of others, while it was pinged
	w.run(3 * time.Second)
	if n, _ := w.count(hearsay.EventUnreachable); n != 0 {
		t.Error("accuses a member that is not on its list")
	}
}

func TestExaminationVerdicts(t *testing.T) {
	w := newWorld(t, 5)
	lost := 0
	for name, c := range map[string]struct {
		direct func(int) bool
		want   hearsay.Verdict
	}{
		"answers":              {func(int) bool { return true }, hearsay.VerdictReachable},
		"silent":               {func(i int) bool { return i != 3 }, hearsay.VerdictUnreachable},
		"answers one of eight": {func(i int) bool { lost++; return i != 3 || lost%8 == 0 }, hearsay.VerdictReachable},
	} {
		w.Remove(w.now, id(3)) // and with it what it did before
		w.Add(id(3))
		w.run(3 * time.Second)
		w.direct, w.events = c.direct, nil
		w.Examine(w.now, id(3), addr(3), 9)
		w.run(1500 * time.Millisecond)
		if _, e := w.count(hearsay.EventExamined); e.Verdict != c.want || e.Round != 9 || e.Subject != id(3) {
			t.Errorf("%s: %+v, want %v", name, e, c.want)
		}
		w.direct = func(int) bool { return true }
	}
}

func TestChronicIsUnreachable(t *testing.T) {
	w := newWorld(t, 5)
	w.run(5 * time.Second)
	pings := 0
	w.direct = func(i int) bool {
		if i != 3 {
			return true
		}
		pings++
		return pings%7 == 0 // one answer in seven: of three probes about two fail
	}
	verdicts := ""
	for round := range 5 {
		w.events = nil
		w.Examine(w.now, id(3), addr(3), hearsay.Round(round+1))
		w.run(1200 * time.Millisecond)
		_, e := w.count(hearsay.EventExamined)
		verdicts += " " + e.Verdict.String()
	}
	if want := " reachable reachable reachable unreachable unreachable"; verdicts != want {
		t.Errorf("verdicts%s, want%s", verdicts, want)
	}
}

// What failed where a member was before says nothing of where it is now.
func TestChronicIsOfOneAddress(t *testing.T) {
	w := newWorld(t, 5)
	w.run(5 * time.Second)
	pings := 0
	w.direct = func(i int) bool {
		pings++
		return i != 3 || pings%7 == 0
	}
	for round := range 5 {
		w.Examine(w.now, id(3), addr(3), hearsay.Round(round+1))
		w.run(1200 * time.Millisecond)
	}
	w.direct, w.events = func(int) bool { return true }, nil
	w.Examine(w.now, id(3), netip.AddrPortFrom(addr(3).Addr(), addr(3).Port()+1), 9)
	w.run(time.Second)
	if _, e := w.count(hearsay.EventExamined); e.Verdict != hearsay.VerdictReachable {
		t.Errorf("%v, as it answers where it has moved to", e.Verdict)
	}
}

func TestBackFromAnOutageIsReachable(t *testing.T) {
	w := newWorld(t, 5)
	w.run(5 * time.Second)
	w.direct = func(i int) bool { return i != 3 }
	for round := range 4 {
		w.Examine(w.now, id(3), addr(3), hearsay.Round(round+1))
		w.run(1500 * time.Millisecond)
	}
	w.direct = func(int) bool { return true }
	w.events = nil
	w.Examine(w.now, id(3), addr(3), 9)
	w.run(time.Second)
	if _, e := w.count(hearsay.EventExamined); e.Verdict != hearsay.VerdictReachable {
		t.Errorf("%v, though it answers every ping", e.Verdict)
	}
}

func TestRelaysAreBounded(t *testing.T) {
	w := newWorld(t, 5)
	taken := func(asker int) (n int) {
		for i := range 100 {
			if _, ok := w.RelayReq(w.now, &core.Packet{From: id(asker), Addr: addr(asker)}, &core.RelayReq{Seq: uint64(i), Target: id(2)}); ok {
				n++
			}
		}
		return n
	}
	if n := taken(1); n < 1 || n > 8 {
		t.Errorf("pings %d times at once in the place of one asker", n)
	}
	if taken(3) < 1 {
		t.Error("one asker leaves nothing for another")
	}
	all := 0
	for asker := range 100 {
		all += taken(4 + asker)
	}
	if all > 64 {
		t.Errorf("pings %d times at once in others' place", all)
	}
	if drop, ok := w.RelayReq(w.now, &core.Packet{From: id(1), Addr: addr(1)}, &core.RelayReq{Seq: 1, Target: id(99)}); ok || drop != hearsay.DropStranger {
		t.Error("pings a stranger in another's place")
	}
}

// However many strangers ask, this node pings in the place of members and of seats
// as well.
func TestStrangersLeaveRelaysForOthers(t *testing.T) {
	w := newWorld(t, 5)
	asks := func(asker int, at netip.AddrPort) bool {
		_, ok := w.RelayReq(w.now, &core.Packet{From: id(asker), Addr: at, Stream: true}, &core.RelayReq{Seq: 1, Target: id(2)})
		return ok
	}
	served := 0
	for n := 0; n < 100 && asks(1, addr(1000+n)); n++ {
		served++
	}
	if served == 0 || served == 100 {
		t.Errorf("%d of strangers are served: the test shows nothing", served)
	}
	if !asks(3, addr(3)) {
		t.Errorf("a member is refused after %d strangers", served)
	}
	if w.seat = addr(4); !asks(4, w.seat) {
		t.Errorf("a seat is refused after %d strangers", served)
	}
}

// What comes by stream, or after a pause, took as long as that did.
func TestRoundTripIsOfDatagramsWithoutAPause(t *testing.T) {
	for name, late := range map[string]func(w *world) *core.Packet{
		"by stream": func(*world) *core.Packet { return &core.Packet{From: id(1), Addr: addr(1), Stream: true} },
		"after a pause": func(w *world) *core.Packet {
			w.BecomeLate(w.now)
			return &core.Packet{From: id(1), Addr: addr(1)}
		},
	} {
		w := newWorld(t, 1)
		for w.asked(1) == 0 {
			w.now = w.Deadline()
			w.Tick(w.now)
		}
		seq := w.asked(1)
		w.Ack(w.now.Add(2*time.Millisecond), &core.Packet{From: id(1), Addr: addr(1)}, seq)
		before := w.RoundTrip()
		w.now = w.now.Add(900 * time.Millisecond)
		w.Ack(w.now, late(w), seq)
		if got := w.RoundTrip(); got != before {
			t.Errorf("%s: a second answer made the round trip %v of %v", name, got, before)
		}
	}
}

// verdicts gives what examinations came to, in order.
func (w *world) verdicts() (all []hearsay.Event) {
	for _, e := range w.events {
		if e.Kind == hearsay.EventExamined {
			all = append(all, e)
		}
	}
	return all
}

// Where all others answer at once, a joiner may take a second. That it answers nothing is known while the node that
// asks still waits.
func TestAskersMayBeLate(t *testing.T) {
	w := newWorld(t, 5)
	w.run(10 * time.Second)
	w.trip = time.Second
	w.ProbeAsker(w.now, id(3), addr(3), 1)
	w.run(2 * time.Second)
	if all := w.verdicts(); len(all) != 1 || all[0].Verdict != hearsay.VerdictReachable || all[0].Took != w.trip {
		t.Errorf("one that answers after a second: %+v", all)
	}
	w.events, w.direct = nil, func(int) bool { return false }
	w.ProbeAsker(w.now, id(3), addr(3), 2)
	w.run(2 * time.Second)
	if all := w.verdicts(); len(all) != 1 || all[0].Verdict != hearsay.VerdictUnreachable || all[0].Took > 1200*time.Millisecond {
		t.Errorf("one that answers nothing: %+v", all)
	}
}

// What answers a probe of a member after its end counts for the next, with the
// time at which its ping went out; and nothing counts for a probe elsewhere.
func TestLateAnswerCountsForTheNextProbe(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		w := newWorld(t, 5)
		w.run(10 * time.Second)
		w.trip, w.events = 600*time.Millisecond, nil
		w.Probe(w.now, id(3), addr(3), 1)
		w.run(550 * time.Millisecond)
		at := addr(3)
		if elsewhere {
			at = addr(4)
		}
		w.Probe(w.now, id(3), at, 2)
		w.run(300 * time.Millisecond)
		all := w.verdicts()
		if len(all) == 0 || all[0].Round != 1 || all[0].Verdict != hearsay.VerdictUnreachable {
			t.Fatalf("the first probe: %+v", all)
		}
		if elsewhere && len(all) == 1 {
			continue
		}
		if len(all) != 2 || all[1].Round != 2 || all[1].Verdict != hearsay.VerdictReachable || all[1].Took != w.trip {
			t.Errorf("the second probe, elsewhere %v: %+v", elsewhere, all)
		}
	}
}

// Answers that come late go on and on, and nothing of them stays.
func TestLateProbesEnd(t *testing.T) {
	w := newWorld(t, 5)
	w.run(10 * time.Second)
	w.trip, w.events = 700*time.Millisecond, nil
	for round := range hearsay.Round(20) {
		w.Probe(w.now, id(3), addr(3), round)
		w.run(500 * time.Millisecond)
	}
	for _, e := range w.verdicts() {
		if e.Took > 1500*time.Millisecond {
			t.Errorf("a probe of %v", e.Took)
		}
	}
	w.run(5 * time.Second)
	if n := w.Examinations(); n > 0 {
		t.Errorf("%d probes are under way", n)
	}
}

// Each member that is no suspect is probed within the periods that pick promises, though a
// suspect is overdue all the time.
func TestProbesOfOneAreSoFarApart(t *testing.T) {
	const members, laps = 20, 400
	w := newWorld(t, members)
	w.doubt, w.forever = members, true
	w.run(laps * members * time.Second)
	last, most := map[int]int{}, 0
	for period, i := range w.pinged {
		if at, before := last[i]; before && i != w.doubt {
			most = max(most, period-at)
		}
		last[i] = period
	}
	bound := (2*members - 1) * (detect.SuspectEach + 1) / detect.SuspectEach
	if most > bound || most <= 2*members-1 {
		t.Errorf("probes of one member are up to %d periods apart, want more than %d and at most %d", most, 2*members-1, bound)
	}
}
