package spread

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/quota"
)

// longWay is a store whose members are 200 ms away, and to which they have sent updates.
type longWay struct {
	*Store
	now   time.Time
	out   *core.Effects
	asked map[byte]int
}

func newLongWay(trip time.Duration) *longWay {
	w := &longWay{now: time.UnixMilli(1 << 40), out: new(core.Effects), asked: make(map[byte]int)}
	w.Store = New(DefaultConfig(), hearsay.NodeID{1}, Directory{
		Addr: func(id hearsay.NodeID) (netip.AddrPort, bool) {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, id[0]}), 1), true
		},
		Next:      func(hearsay.NodeID) []hearsay.NodeID { return nil },
		Sender:    func(p *core.Packet) quota.Sender { return quota.Sender{Class: quota.Member, Addr: p.Addr} },
		RoundTrip: func() time.Duration { return trip },
	}, nil, new(hearsay.Stats), w.out, w.now)
	return w
}

// updates has a member send what takes the place of a write that is not here.
func (w *longWay) updates(from byte, number uint64) {
	dot := clock.Dot{Origin: clock.Origin{from}, Counter: number}
	w.Update(w.now, &core.Packet{From: hearsay.NodeID{from}, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, from}), 1)}, &core.Update{
		Objects: []core.Object{{Dot: dot, First: number, Last: number, Key: "k", Value: []byte{1}, Time: 1}},
		Gone:    []clock.Dot{{Origin: clock.Origin{from, 1}, Counter: number}},
	})
}

func (w *longWay) pass(d time.Duration) {
	const step = 10 * time.Millisecond
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(step)
		w.Tick(w.now)
		for _, p := range w.out.Send {
			w.asked[p.Addr.Addr().As4()[3]]++
		}
		w.out.Send = nil
	}
}

// What is on its way is not asked for: two round trips long, and at once where there are none.
func TestWhatIsOnItsWayIsNotAskedFor(t *testing.T) {
	for trip, before := range map[time.Duration]int{0: 1, 400 * time.Millisecond: 0} {
		w := newLongWay(trip)
		w.updates(10, 1)
		if w.pass(700 * time.Millisecond); w.asked[10] != before {
			t.Errorf("%v: asked %d times after 0.7 s, want %d", trip, w.asked[10], before)
		}
		if w.pass(200 * time.Millisecond); w.asked[10] == 0 {
			t.Errorf("%v: never asked", trip)
		}
		asked := w.asked[20]
		w.Pinged(w.now, hearsay.NodeID{20}, 7) // the update is news of some time ago, and none came since
		if w.pass(20 * time.Millisecond); trip > 0 && w.asked[20] != asked {
			t.Errorf("%v: two are asked at once", trip)
		}
	}
}

// A member that makes up what its updates take the place of keeps no other from being asked.
func TestOneThatMakesUpGapsIsOneOfMany(t *testing.T) {
	w := newLongWay(100 * time.Millisecond)
	for n := range uint64(1000) {
		w.updates(10, n+1)
		if n%20 == 0 {
			w.updates(20, n+1)
		}
		w.pass(10 * time.Millisecond)
	}
	if w.asked[20] < 2 || w.asked[10] > 3*w.asked[20] {
		t.Errorf("the liar was asked %d times in 10 s, the other %d times", w.asked[10], w.asked[20])
	}
}
