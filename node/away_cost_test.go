package node_test

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/wire"
)

// A packet that names a member that is away in many claims has less sent than it has itself, to the address of
// the member that it says it is from: nobody has proven that.
func TestClaimsOfOneThatIsAway(t *testing.T) {
	open, node := newOpen(t)
	seeded, seed, _ := newSeeded(t)
	for _, target := range []struct {
		name string
		w    *costWorld
		n    *costNode
	}{{"peer", open, node}, {"seed", seeded, seed}} {
		w, n := target.w, target.n
		for i, size := range []int{1330, 20 << 10} {
			m := w.crowd[5+i]
			w.run(costPause)
			word := &core.Away{Stay: hearsay.Stay{ID: m.id(), Epoch: m.stay.Epoch}, Incarnation: m.claim.Incarnation, Left: core.AwayFor}
			word.Sign(w.ledger(), m.key)
			w.carry(n, n.Receive(w.now, &core.Packet{From: m.id(), Addr: m.addr(), Body: word}))
			p := &core.Packet{Body: &core.News{}, From: w.crowd[9].id()}
			claim := hearsay.Claim{Subject: m.id(), State: hearsay.StateSuspect, Incarnation: m.claim.Incarnation, By: w.crowd[0].id()}
			for size -= claim.WireSizeMax(); size > 0 && len(p.Claims) < core.MaxClaims; size -= claim.WireSizeMax() {
				p.Claims = append(p.Claims, claim)
			}
			b := wire.AppendPacket(nil, costNetwork, p)
			packets, bytes := w.carry(n, w.take(n, w.crowd[9].addr(), len(b) > core.MTU, b))
			for k := 0; k < 100 && len(b) > core.MTU; k++ { // claims that wait
				w.now = w.now.Add(2 * time.Millisecond)
				more, long := w.carry(n, n.Tick(w.now))
				packets, bytes = packets+more, bytes+long
			}
			if packets == 0 || bytes > len(b)/2 {
				t.Errorf("%s: %d bytes with %d claims cause %d packets of %d bytes; want one at least, and half as many bytes", target.name, len(b), len(p.Claims), packets, bytes)
			}
		}
	}
}
