package follower

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"
)

// madeUp is a roster of nobody, as of a ruling that nobody made: it agrees with itself.
func madeUp() *core.RosterPart {
	var none ledger.Members
	return &core.RosterPart{Ruling: &hearsay.Ruling{Epoch: 1 << 40, Kind: hearsay.RulingLeave, Roster: none.Hash(testNetwork)}, Parts: 1}
}

// push has somebody send a peer a roster that is made up, as often as that has room for one.
func (w *world) push(f *following, from netip.AddrPort, asked bool) {
	w.Flood(20*time.Millisecond, func() {
		if f.gathering.got == 0 && (!asked || f.asked == from) {
			f.Step(func() {
				f.Receive(w.Now, &core.Packet{Addr: from, Stream: true, Body: quorumtest.Reread(w.T, madeUp())})
			})
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
			if f.Links = nil; c.from == liar {
				f.Links = append(f.Links, liar)
			}
			for range 7 { // that are well
				o := w.newFollower()
				f.Links, o.Links = append(f.Links, o.Addr), []netip.AddrPort{f.Addr}
			}
			w.Must(5*time.Second, "all follow", w.Follow)
			w.push(f, c.from, c.asked)
			most, late := time.Duration(0), 0
			for range 40 {
				w.NewPerson()
				epoch := w.Machines[0].Q.Epoch()
				w.Must(20*time.Second, "one more is in", func() bool { return w.Machines[0].Q.Proven() > epoch })
				began := w.Now
				w.RunUntil(30*time.Second, func() bool { return f.Epoch() > epoch })
				if most = max(most, w.Now.Sub(began)); w.Now.Sub(began) > 5*time.Second {
					late++
				}
				w.Run(3 * time.Second)
			}
			if late > 0 {
				t.Errorf("%d of 40 rulings come later than 5 s, at most %v; it is at epoch %d of %d", late, most, f.Epoch(), w.Machines[0].Q.Epoch())
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
				w.Must(5*time.Second, "it follows", w.Follow)
			}
			f.Deaf = true
			for range 40 {
				w.NewPerson()
			}
			w.Must(20*time.Second, "more are in", func() bool { return w.Machines[0].Q.Epoch() == 43 && w.Agree() })
			w.truncate(40)
			w.push(f, seedAddr(2), false)
			w.Run(10 * time.Second)
			f.Deaf = false
			began := w.Now
			w.Must(20*time.Second, "it follows again", w.Follow)
			t.Logf("after %v", w.Now.Sub(began))
		})
	}
}
