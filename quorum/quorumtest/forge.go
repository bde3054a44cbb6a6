package quorumtest

import (
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"
)

// Stranger is nobody's address, and where forged messages come from.
var Stranger = netip.MustParseAddrPort("10.9.9.9:999")

// From is a packet from an address, by stream.
func From(addr netip.AddrPort, body core.Message) *core.Packet {
	return &core.Packet{From: hearsay.NodeID{3}, Addr: addr, Stream: true, Body: body}
}

// ForgedHeads is as many heads as fit a message, of epochs to come, signed by
// somebody else.
func (w *World[Q]) ForgedHeads(seeds int) (heads []hearsay.Head) {
	for i := range core.MaxHeads {
		h := hearsay.Head{Founding: w.Ledger().Founding, Epoch: hearsay.Epoch(1<<40 + i), Slot: uint8(i % seeds)}
		h.Sign(Network, NewKeyed(7777))
		heads = append(heads, h)
	}
	return heads
}

// Flood has a stranger send something every so often, until the test ends.
func (w *World[Q]) Flood(every time.Duration, send func()) {
	send()
	w.After(every, func() { w.Flood(every, send) })
}

// Refound wipes the seeds' disks, and starts them again with the same keys.
func (w *World[Q]) Refound() {
	for _, m := range w.Machines {
		w.Crash(m)
		m.Disk = testkit.Disk{}
	}
	clear(w.Epochs)
	clear(w.Rulings)
	clear(w.Hashes)
	clear(w.Over)
	w.StartAll()
}
