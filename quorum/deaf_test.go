package quorum

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// madeUp is a roster of nobody, as of a ruling that nobody made: it agrees with itself.
func madeUp() *hearsay.RosterPart {
	var none ledger.Members
	return &hearsay.RosterPart{Ruling: &hearsay.Ruling{Epoch: 1 << 40, Kind: hearsay.RulingLeave, Roster: none.Hash(testNetwork)}, Parts: 1}
}

// push has somebody send a peer a roster that is made up, as often as that has room for one.
func (w *world) push(f *following, from netip.AddrPort, asked bool) {
	w.flood(20*time.Millisecond, func() {
		if f.gathering.got == 0 && (!asked || f.asked == from) {
			f.step(func() { f.Receive(w.now, &hearsay.Packet{Addr: from, Stream: true, Body: reread(w.t, madeUp())}) })
		}
	})
}

// One who makes up rosters, a seat whose key lies or one neighbor of eight, makes no peer deaf:
// it follows the others' rulings as before.
func TestRostersThatAreMadeUpMakeNobodyDeaf(t *testing.T) {
	liar := netip.MustParseAddrPort("10.3.0.1:6000")
	for name, c := range map[string]struct {
		from  netip.AddrPort
		asked bool // it sends one only where it was asked
	}{"a seat": {from: seedAddr(2)}, "a neighbor": {from: liar, asked: true}} {
		t.Run(name, func(t *testing.T) {
			w := followed(t, 89, 3)
			f := w.newFollower()
			if f.links = nil; c.from == liar {
				f.links = append(f.links, liar)
			}
			for range 7 { // that are well
				o := w.newFollower()
				f.links, o.links = append(f.links, o.addr), []netip.AddrPort{f.addr}
			}
			w.must(5*time.Second, "all follow", w.follows)
			w.push(f, c.from, c.asked)
			most, late := time.Duration(0), 0
			for range 40 {
				w.newPerson()
				epoch := w.machines[0].q.Epoch()
				w.must(20*time.Second, "one more is in", func() bool { return w.machines[0].q.Proven() > epoch })
				began := w.now
				w.runUntil(30*time.Second, func() bool { return f.Epoch() > epoch })
				if most = max(most, w.now.Sub(began)); w.now.Sub(began) > 5*time.Second {
					late++
				}
				w.run(3 * time.Second)
			}
			if late > 0 {
				t.Errorf("%d of 40 rulings come later than 5 s, at most %v; it is at epoch %d of %d", late, most, f.Epoch(), w.machines[0].q.Epoch())
			}
		})
	}
}

// Nor does a seat that sends them without a pause keep a peer from the roster that it lacks.
func TestRostersThatAreMadeUpGiveWay(t *testing.T) {
	for name, away := range map[string]bool{"a newcomer": false, "away": true} {
		t.Run(name, func(t *testing.T) {
			w := followed(t, 92, 3)
			f := w.newFollower()
			if away {
				w.must(5*time.Second, "it follows", w.follows)
			}
			f.deaf = true
			for range 40 {
				w.newPerson()
			}
			w.must(20*time.Second, "more are in", func() bool { return w.machines[0].q.Epoch() == 43 && w.agree() })
			w.truncate(40)
			w.push(f, seedAddr(2), false)
			w.run(10 * time.Second)
			f.deaf = false
			began := w.now
			w.must(20*time.Second, "it follows again", w.follows)
			t.Logf("after %v", w.now.Sub(began))
		})
	}
}
