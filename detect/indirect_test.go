package detect_test

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"
)

// told gives since when each member is told to answer others only.
func told(w *world) map[int]time.Time {
	all := map[int]time.Time{}
	w.EachIndirect(w.now, func(id hearsay.NodeID, since time.Time) { all[int(id[0])|int(id[1])<<8] = since })
	return all
}

// A member that answers others only is told of soon after the first probe that has shown it, and no more soon
// after it answers, however many members there are: a lap of all takes minutes.
func TestIndirectIsToldSoonInLargeNetworks(t *testing.T) {
	for _, members := range []int{5, 60, 240} {
		w := newWorld(t, members)
		w.cfg.StreamPing, w.silent = true, true
		w.direct = func(i int) bool { return i != 3 }
		w.relay = func(_, i int) (ack, well bool) { return true, true }
		for w.run(time.Second); len(told(w)) == 0; w.run(time.Second) {
			if w.now.Sub(start) > time.Duration(3*members)*time.Second+time.Minute {
				t.Fatalf("%d members: it is not told", members)
			}
		}
		if took := w.now.Sub(told(w)[3]); took < 20*time.Second || took > 25*time.Second {
			t.Errorf("%d members: it is told %v after the first probe", members, took)
		}
		w.direct = func(int) bool { return true }
		w.run(8 * time.Second)
		if len(told(w)) > 0 {
			t.Errorf("%d members: it is told 8 s after it answers again", members)
		}
	}
}

// However many members answer others only, the pings a second that look for an answer are few; and none goes to
// a suspect or where streams alone answer.
func TestIndirectPingsAreBounded(t *testing.T) {
	w := newWorld(t, 60)
	w.cfg.StreamPing, w.silent = true, true
	w.relay = func(_, i int) (ack, well bool) { return true, true }
	w.direct = func(i int) bool { return i > 40 }
	w.run(3 * time.Minute)
	if n := len(told(w)); n != 16 {
		t.Errorf("%d are told, of 40", n)
	}
	pinged, streams := len(w.pinged), w.streams
	w.run(70 * time.Second)
	// 70 probes, of which two thirds go on by stream, and ten times at most 16 members, each by datagram and by stream.
	if n := len(w.pinged) - pinged; n > 70+70+320 {
		t.Errorf("%d pings in 70 s", n)
	}
	if n := w.streams - streams; n > 70+160 {
		t.Errorf("%d pings by stream in 70 s", n)
	}
	w.silent = false // streams get through
	w.run(8 * time.Second)
	if n := len(told(w)); n != 0 {
		t.Errorf("%d are told that answer by stream", n)
	}
}

// What is lost by chance is nothing to tell of.
func TestIndirectIsNotLoss(t *testing.T) {
	w := newWorld(t, 30)
	w.cfg.StreamPing = true
	w.relay = func(_, i int) (ack, well bool) { return true, true }
	lost := 0
	w.direct = func(int) bool { lost++; return lost%3 != 0 }
	for range 600 {
		if w.run(time.Second); len(told(w)) > 0 {
			t.Fatalf("after %v it is told of %v", w.now.Sub(start), told(w))
		}
	}
}

// A node that was paused does not count what it did not hear.
func TestIndirectOfAPausedNode(t *testing.T) {
	w := newWorld(t, 60)
	w.cfg.StreamPing, w.silent = true, true
	w.relay = func(_, i int) (ack, well bool) { return true, true }
	w.direct = func(i int) bool { return i != 3 }
	for w.run(time.Second); w.Noted() == 0; w.run(time.Second) {
	}
	for range 20 {
		w.now = w.now.Add(10 * time.Second)
		w.later = testkit.Queue[core.Packet]{}
		w.BecomeLate(w.now)
		w.run(time.Millisecond)
	}
	if len(told(w)) > 0 {
		t.Error("a node that was paused ten times tells of a member that it has pinged once between")
	}
}

// A suspect that does not answer for some seconds may not be there for others, either: it is told no more then, nor
// pinged besides its probes. One that is suspect for a moment is told on.
func TestIndirectIsNoSuspect(t *testing.T) {
	w := newWorld(t, 60)
	w.cfg.StreamPing, w.silent = true, true
	w.relay = func(_, i int) (ack, well bool) { return true, true }
	w.direct = func(i int) bool { return i != 3 }
	for w.run(time.Second); w.Noted() == 0; w.run(time.Second) {
	}
	w.run(25 * time.Second)
	if len(told(w)) != 1 {
		t.Fatal("it is not told")
	}
	w.relay = func(_, i int) (ack, well bool) { return false, true }
	w.doubt, w.pinged = 3, []int{3}
	w.run(2 * time.Second)
	if len(told(w)) != 1 {
		t.Error("one that is suspect for two seconds is told no more")
	}
	w.run(3 * time.Second)
	if len(told(w)) > 0 {
		t.Error("one that is suspect for five seconds is told to answer others")
	}
	w.run(60 * time.Second)
	if n := len(w.pinged); n > 1+66+3 { // one a period, and one by stream for each of at most three of the suspect
		t.Errorf("%d pings in 65 s", n)
	}
}

// One that takes the seat of a member that is gone, as numbers of members are used again, is not told to answer
// others only.
func TestIndirectIsOfNoOneThatTakesASeat(t *testing.T) {
	w := newWorld(t, 5)
	w.direct = func(i int) bool { return i != 3 }
	w.relay = func(_, i int) (ack, well bool) { return true, true }
	for w.run(time.Second); len(told(w)) == 0; w.run(time.Second) {
		if w.now.Sub(start) > 2*time.Minute {
			t.Fatal("it is not told: the test shows nothing")
		}
	}
	w.Remove(w.now, id(3))
	w.Add(id(3))
	if len(told(w)) > 0 {
		t.Error("it is told of one of which nothing is known")
	}
}
