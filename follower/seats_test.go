package follower

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
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
	}{"away": {false, 40, false}, "stopped": {true, 40, false}, "the newest in memory": {false, 2, false}, "one makes rulings up": {false, core.MaxRulings, true}} {
		t.Run(name, func(t *testing.T) {
			w := followed(t, 54, 3)
			f := w.newFollower()
			w.Must(5*time.Second, "it follows", w.Follow)
			f.Deaf = true
			for slot := range 3 {
				m := w.Machines[slot]
				w.Wipe(m)
				w.Epochs[slot] = 0
				w.Start(m)
				w.Must(20*time.Second, "it has its seat", w.Agree)
				last, more := w.Machines[0].Q.Epoch(), 40
				if c.lies {
					more = core.MaxRulings + 50 // each seat is in another part
				}
				if slot == 2 {
					more = c.after
				}
				for range more {
					w.NewPerson()
				}
				w.Must(40*time.Second, "more are in", func() bool { return w.Machines[0].Q.Epoch() >= last+hearsay.Epoch(more) && w.Agree() })
			}
			w.truncate(w.Machines[0].Q.Epoch() - 4)
			if c.stops {
				f.Start()
			}
			if c.lies {
				w.Flood(time.Millisecond, func() { w.mislead(f, 2) })
			}
			began := w.Now
			f.Deaf = false
			w.Must(time.Minute, "it follows again", w.Follow)
			t.Logf("after %v", w.Now.Sub(began))
			w.Run(2 * ledger.RecallEvery)
			if f.walk.Under() {
				t.Errorf("it goes on looking: %+v", f.walk)
			}
		})
	}
}

// mislead has a seed send what a follower looks through, made up.
func (w *world) mislead(f *following, slot int) {
	if !f.walk.Under() {
		return
	}
	var items []*hearsay.Ruling
	for e := max(f.walk.Next, f.walk.Before()-core.MaxRulings); e < f.walk.Before(); e++ {
		items = append(items, &hearsay.Ruling{Epoch: e, Kind: hearsay.RulingLeave})
	}
	f.Step(func() { f.Receive(w.Now, from(seedAddr(slot), &core.Rulings{Items: items})) })
}

// Nothing that is not a seed's, or not what was asked for, has a follower pass over
// rulings, and a walk that brings nothing ends.
func TestWalkIsNotLed(t *testing.T) {
	w := followed(t, 55, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	f.walk.Begin(f.epoch, f.epoch+600, 0)
	next := f.walk.Next
	var items []*hearsay.Ruling
	for i := range hearsay.Epoch(core.MaxRulings) {
		items = append(items, &hearsay.Ruling{Epoch: next + i, Kind: hearsay.RulingLeave})
	}
	f.Step(func() { f.Receive(w.Now, from(stranger, &core.Rulings{Items: items})) })
	for _, some := range [][]*hearsay.Ruling{items[1:100], items[:len(items)-1], append([]*hearsay.Ruling{items[0]}, items[2:]...), nil} {
		f.Step(func() { f.Receive(w.Now, from(seedAddr(0), &core.Rulings{Items: some})) })
	}
	if f.walk.Next != next {
		t.Errorf("it goes on at epoch %d, and has not seen that from %d on", f.walk.Next, next)
	}
	f.Step(func() { f.Receive(w.Now, from(seedAddr(0), &core.Rulings{Items: items})) })
	if f.walk.Next != next+core.MaxRulings {
		t.Errorf("it goes on at epoch %d, and has seen %d from %d on", f.walk.Next, core.MaxRulings, next)
	}
	w.Run(time.Minute)
	if f.walk.Under() {
		t.Error("it asks for ever for what nobody has")
	}
	w.NewPerson()
	w.Must(5*time.Second, "it follows still", w.Follow)
}

// What the former life of a seat has signed is not on the disk of a peer any more once another
// life has the seat: a later life of the peer would take it for the new one's.
func TestSignedByTheFormerSeatIsForgotten(t *testing.T) {
	w := followed(t, 55, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	lost, ruled := w.Machines[0], w.Machines[1].Q.Epoch()
	former := lost.Signer.Public()
	w.Must(5*time.Second, "its signature is known", func() bool { return f.chain.Heads[0].Epoch > 0 })
	w.Wipe(lost)
	w.Epochs[0] = 0
	w.Start(lost)
	w.Must(20*time.Second, "another has the seat", func() bool { return w.Machines[1].Q.Epoch() > ruled })
	w.Crash(lost) // so that it does not sign
	w.Must(20*time.Second, "the peer follows", func() bool { return f.Epoch() > ruled })
	w.Run(time.Second)
	f.Start()
	if key := f.seats.pins[0].Seat.Key; key == former || key.IsZero() {
		t.Fatal("it has not heard of the new seat: the test shows nothing")
	}
	for _, h := range f.chain.Newest() {
		if h.Slot == 0 && h.Verify(testNetwork, f.signer, former) {
			t.Errorf("it has a signature of the former one, of epoch %d", h.Epoch)
		}
	}
}
