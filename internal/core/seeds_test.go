package core_test

import (
	"testing"

	"hearsay"
	"hearsay/internal/core"
)

// A hello may carry a ruling that this version cannot read, but no more bytes than it costs little to verify.
func TestUnreadRulingIsBounded(t *testing.T) {
	for size, dropped := range map[int]bool{1: false, core.MaxGiven: false, core.MaxGiven + 1: true, core.MaxStreamPacket: true} {
		m := core.SeatHello{Slot: 1, Nonce: 7, Unread: make([]byte, size)}
		c := core.NewCanonical(m.AppendBinary(nil))
		got := c.SeatHello()
		if c.Failed() != dropped || dropped && c.Drop() != hearsay.DropOversized || !dropped && len(got.Unread) != size {
			t.Errorf("%d bytes: failed %t, as %v; %d are read", size, c.Failed(), c.Drop(), len(got.Unread))
		}
	}
}
