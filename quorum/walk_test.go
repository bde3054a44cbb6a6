package quorum

import (
	"strings"
	"testing"
	"time"

	"hearsay"
)

// A peer was away for longer than seeds have rulings in memory, and meanwhile all seats
// have changed one after the other: it finds out by the rulings on their disks, of which a
// message has eight here. So does one that was stopped meanwhile, which has no roster, and one
// that gets the newest seat from memory, before the older ones on which it rests. One seed that
// sends others than were ruled, sooner than all that are right, does not keep it from that.
func TestSeatsAreFoundOnDisk(t *testing.T) {
	for name, c := range map[string]struct {
		stops bool
		after int // rulings after the last seat's
		lies  bool
	}{"away": {false, 40, false}, "stopped": {true, 40, false}, "the newest in memory": {false, 2, false}, "one makes rulings up": {false, hearsay.MaxRulings, true}} {
		t.Run(name, func(t *testing.T) {
			w := followed(t, 54, 3)
			f := w.newFollower()
			w.must(5*time.Second, "it follows", w.follows)
			f.deaf = true
			for slot := range 3 {
				m := w.machines[slot]
				w.wipe(m)
				w.epochs[slot] = 0
				w.start(m)
				w.must(20*time.Second, "it has its seat", w.agree)
				last, more := w.machines[0].q.Epoch(), 40
				if c.lies {
					more = hearsay.MaxRulings + 50 // each seat is in another part
				}
				if slot == 2 {
					more = c.after
				}
				for range more {
					w.newPerson()
				}
				w.must(40*time.Second, "more are in", func() bool { return w.machines[0].q.Epoch() >= last+hearsay.Epoch(more) && w.agree() })
			}
			w.truncate(w.machines[0].q.Epoch() - 4)
			if c.stops {
				f.start()
			}
			if c.lies {
				w.flood(time.Millisecond, func() { w.mislead(f, 2) })
			}
			began := w.now
			f.deaf = false
			w.must(time.Minute, "it follows again", w.follows)
			t.Logf("after %v", w.now.Sub(began))
			w.run(2 * recallEvery)
			if f.walk.under() {
				t.Errorf("it goes on looking: %+v", f.walk)
			}
		})
	}
}

// mislead has a seed send what a follower looks through, made up.
func (w *world) mislead(f *following, slot int) {
	if !f.walk.under() {
		return
	}
	var items []*hearsay.Ruling
	for e := max(f.walk.next, f.walk.before()-hearsay.MaxRulings); e < f.walk.before(); e++ {
		items = append(items, &hearsay.Ruling{Epoch: e, Kind: hearsay.RulingLeave})
	}
	f.step(func() { f.Receive(w.now, from(seedAddr(slot), &hearsay.Rulings{Items: items})) })
}

// Nothing that is not a seed's, or not what was asked for, has a follower pass over
// rulings, and a walk that brings nothing ends.
func TestWalkIsNotLed(t *testing.T) {
	w := followed(t, 55, 3)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	f.walk.begin(f.epoch, f.epoch+600, 0)
	next := f.walk.next
	var items []*hearsay.Ruling
	for i := range hearsay.Epoch(hearsay.MaxRulings) {
		items = append(items, &hearsay.Ruling{Epoch: next + i, Kind: hearsay.RulingLeave})
	}
	f.step(func() { f.Receive(w.now, from(stranger, &hearsay.Rulings{Items: items})) })
	for _, some := range [][]*hearsay.Ruling{items[1:100], items[:len(items)-1], append([]*hearsay.Ruling{items[0]}, items[2:]...), nil} {
		f.step(func() { f.Receive(w.now, from(seedAddr(0), &hearsay.Rulings{Items: some})) })
	}
	if f.walk.next != next {
		t.Errorf("it goes on at epoch %d, and has not seen that from %d on", f.walk.next, next)
	}
	f.step(func() { f.Receive(w.now, from(seedAddr(0), &hearsay.Rulings{Items: items})) })
	if f.walk.next != next+hearsay.MaxRulings {
		t.Errorf("it goes on at epoch %d, and has seen %d from %d on", f.walk.next, hearsay.MaxRulings, next)
	}
	w.run(time.Minute)
	if f.walk.under() {
		t.Error("it asks for ever for what nobody has")
	}
	w.newPerson()
	w.must(5*time.Second, "it follows still", w.follows)
}

// A seed of five was away while two seats changed, and more was ruled than the others have in
// memory. The snapshot that it gets names seats that it does not know: it finds them in the rulings on
// the others' disks. As long as it cannot, it says so.
func TestSeedFindsSeatsOnDisk(t *testing.T) {
	w := newWorld(t, 5, 87)
	w.cfg.Tail, w.cfg.SnapshotEvery = 16, 20
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	w.newPerson()
	w.newPerson()
	w.must(10*time.Second, "two are in", func() bool { return w.agree() && w.machines[0].q.Epoch() == 2 })
	w.run(time.Second)
	away := w.machines[4]
	w.crash(away)
	for _, slot := range []int{3, 2} {
		m := w.machines[slot]
		w.wipe(m)
		w.run(3 * time.Second)
		w.start(m)
		w.must(time.Minute, "it has its seat", func() bool { return m.q.Seated() && m.q.Epoch() == w.machines[0].q.Epoch() && m.q.chain.Lowest == 1 })
		w.run(5 * time.Second)
	}
	for range 40 {
		w.newPerson()
	}
	w.must(30*time.Second, "all are in", func() bool { return w.machines[0].q.Epoch() == 44 })
	w.run(5 * time.Second)
	w.unread = true
	w.start(away)
	w.run(15 * time.Second)
	if away.q.Epoch() != 2 || away.q.Decides() || !strings.Contains(away.q.Why(), "behind the others") {
		t.Errorf("it is at epoch %d, decides %t, and says %q", away.q.Epoch(), away.q.Decides(), away.q.Why())
	}
	w.unread = false
	w.must(30*time.Second, "it comes back", func() bool { return away.q.Epoch() == w.machines[0].q.Epoch() && away.q.Decides() })
}
