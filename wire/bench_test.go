package wire

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// fullClaims gives n signed claims as news of a join carries them. The
// signatures are only bytes here.
func fullClaims(n int) []hearsay.Claim {
	claims := make([]hearsay.Claim, n)
	for i := range claims {
		c := &claims[i]
		c.State = hearsay.StateAlive
		c.Incarnation = 1_763_633_000_000
		c.Card.Key[0], c.Card.Key[1] = 2, byte(i)
		c.Subject = c.Card.Key.NodeID()
		c.Card.Name = fmt.Sprintf("web-%d.example", i)
		c.Card.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 7946)
		c.Card.Role = hearsay.RolePeer
		for j := range c.Card.Signature {
			c.Card.Signature[j] = byte(i + j)
		}
	}
	return claims
}

// benchmarkPacket decodes p's bytes and encodes what came out.
func benchmarkPacket(b *testing.B, p *core.Packet) {
	packet := AppendPacket(nil, hearsay.NetworkID{}, p)
	d := NewDecoder(hearsay.NetworkID{})
	var decoded core.Packet
	buf := make([]byte, 0, core.MTU)
	b.ReportAllocs()
	for b.Loop() {
		if drop, ok := d.Decode(packet, &decoded); !ok {
			b.Fatal(drop)
		}
		buf = AppendPacket(buf[:0], hearsay.NetworkID{}, &decoded)
	}
	b.ReportMetric(float64(len(packet)), "B/packet")
	if len(buf) != len(packet) {
		b.Fatalf("%d bytes became %d", len(packet), len(buf))
	}
}

func BenchmarkPacket8Claims(b *testing.B) {
	benchmarkPacket(b, &core.Packet{Body: &core.News{}, Claims: fullClaims(8)})
}

func BenchmarkPing(b *testing.B) {
	benchmarkPacket(b, &core.Packet{Body: &core.Ping{Seq: 1000, Target: hearsay.NodeID{1}, Hash: 2}})
}

func BenchmarkRumor256(b *testing.B) {
	benchmarkPacket(b, &core.Packet{Body: &core.Rumors{Items: []hearsay.Rumor{{
		ID: clock.Dot{Origin: originA, Counter: 1000}, Age: 20 * time.Millisecond, Hops: 3, Data: make([]byte, 256),
	}}}})
}

func BenchmarkAck(b *testing.B) {
	benchmarkPacket(b, &core.Packet{Body: &core.Ack{Seq: 1000}})
}
