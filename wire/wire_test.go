package wire

import (
	"testing"

	"hearsay"
)

func TestSizes(t *testing.T) {
	p := hearsay.Packet{Body: &hearsay.Ping{Seq: 1<<14 - 1}}
	if n := len(AppendPacket(nil, hearsay.NetworkID{}, &p)); n > 54 {
		t.Errorf("a ping takes %d bytes", n)
	}
	p.Body = &hearsay.Ack{Seq: 1<<28 - 1}
	if n := len(AppendPacket(nil, hearsay.NetworkID{}, &p)); n > 32 {
		t.Errorf("an ack takes %d bytes", n)
	}
}
