package node_test

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/wire"
)

// Whatever a datagram asks, in a member's name or a stranger's, at most three
// times its length goes back to where it says that it comes from.
func TestAnswersToDatagramsAreShort(t *testing.T) {
	w := newNetwork(t, 12)
	w.run(10 * time.Second)
	var ids []hearsay.NodeID
	for _, m := range w.nodes[0].Members(nil) {
		ids = append(ids, m.ID)
	}
	bystander := addr(99)
	for _, from := range []hearsay.NodeID{ids[1], {1, 2, 3}} {
		for _, body := range []core.Message{
			&core.Ping{Seq: 1}, &core.Ping{Seq: 1, Target: hearsay.NodeID{9}}, &core.Ping{Seq: 1, Target: w.nodes[0].Self().ID, Hash: 1, Rumors: 1},
			&core.Join{}, &core.RelayReq{Seq: 1, Target: ids[2]}, &core.Digest{Hashes: []uint64{1}}, &core.Entries{Buckets: []uint8{0}},
			&core.Want{IDs: ids[:5]}, &core.WitnessReq{Subject: ids[2], Round: 1}, &core.EvidenceReq{}, &core.Heard{Hash: 1},
			&core.Seen{Answer: true}, &core.Graft{}, &core.Hello{}, &core.Place{Number: 1},
		} {
			p := sized(&core.Packet{From: from, Addr: bystander, Body: body})
			out, back := w.nodes[0].Receive(w.now, p), 0
			for _, o := range slices.Concat(out.Now, out.Send) {
				switch {
				case !o.Addr.IsValid():
					t.Errorf("%T: an answer %T goes nowhere", body, o.Body)
				case o.Addr == bystander && o.Stream:
					t.Errorf("%T: %T goes by stream to who may not be there", body, o.Body)
				case o.Addr == bystander:
					back += len(wire.AppendPacket(nil, hearsay.NetworkID{}, &o))
				}
			}
			if back > 3*p.Size {
				t.Errorf("%T of %d bytes: %d go back", body, p.Size, back)
			}
			w.run(2 * time.Second)
		}
	}
}
