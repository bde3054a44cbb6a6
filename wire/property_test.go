package wire

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"

	"pgregory.net/rapid"
)

// What is encoded is decoded to the same, whatever it is.
func TestPacketRoundTrip(t *testing.T) {
	d := NewDecoder(testNetwork)
	rapid.Check(t, func(t *rapid.T) {
		p := core.Packet{From: drawID(t), Body: drawBody(t), Claims: rapid.SliceOfN(rapid.Custom(drawClaim), 0, 12).Draw(t, "claims")}
		var got core.Packet
		if drop, ok := d.Decode(AppendPacket(nil, testNetwork, &p), &got); !ok {
			t.Fatalf("dropped: %s", drop)
		}
		if len(p.Claims) == 0 && len(got.Claims) == 0 {
			got.Claims = p.Claims // nil and empty mean the same
		}
		if !reflect.DeepEqual(got, p) {
			t.Fatalf("got %+v\nwant %+v", got, p)
		}
	})
}

// Protocols fill packets by WireSizeMax: it must hold for all claims, also
// for those that nobody should make.
func TestWireSizeMax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawClaim(t)
		if rapid.Bool().Draw(t, "wild") {
			c.State = hearsay.State(rapid.Byte().Draw(t, "wild state"))
			c.Card.Role = hearsay.Role(rapid.Byte().Draw(t, "wild role"))
			c.Age = time.Duration(rapid.Int64().Draw(t, "wild age"))
		}
		if n := len(appendClaim(nil, &c)); n > c.WireSizeMax() {
			t.Fatalf("%d bytes, more than %d: %+v", n, c.WireSizeMax(), c)
		}
	})
	largest := full(hearsay.StateDead, string(make([]byte, hearsay.MaxNameLen)), addr6)
	largest.Incarnation, largest.Age = 1<<64-1, maxAge
	if n := len(appendClaim(nil, &largest)); n > largest.WireSizeMax() || n < largest.WireSizeMax()-2 {
		t.Errorf("the largest claim takes %d bytes, WireSizeMax is %d", n, largest.WireSizeMax())
	}
}

func drawBody(t *rapid.T) core.Message {
	seq := rapid.Uint64().Draw(t, "seq")
	k := rapid.SampledFrom(allKinds()).Draw(t, "kind")
	switch k {
	case kindPing:
		return &core.Ping{Seq: seq, Target: targetOf(drawID(t)), Hash: rapid.Uint64().Draw(t, "hash"), Rumors: rapid.Uint64().Draw(t, "rumors"), Store: rapid.SampledFrom([]uint64{0, seq}).Draw(t, "store")}
	case kindAck:
		return &core.Ack{Seq: seq}
	case kindNotMe:
		return &core.NotMe{Seq: seq}
	case kindRelayReq:
		return &core.RelayReq{Seq: seq, Target: drawID(t)}
	case kindNack:
		return &core.Nack{Seq: seq}
	case kindJoin:
		return &core.Join{Target: rapid.SampledFrom([]hearsay.NodeID{{}, drawID(t)}).Draw(t, "target")}
	case kindRoster:
		return &core.Roster{More: rapid.Bool().Draw(t, "more")}
	case kindDigest:
		bits := rapid.Uint8Range(0, core.MaxDigestBits).Draw(t, "bits")
		return &core.Digest{Bits: bits, Hashes: rapid.SliceOfN(rapid.Uint64(), 1<<bits, 1<<bits).Draw(t, "hashes")}
	case kindEntries:
		return drawEntries(t)
	case kindWant:
		return &core.Want{IDs: rapid.SliceOfN(rapid.Custom(drawID), 1, 9).Draw(t, "ids")}
	case kindWitnessReq:
		return &core.WitnessReq{Subject: drawID(t), Incarnation: drawIncarnation(t), Round: hearsay.Round(seq)}
	case kindStatement:
		s := drawStatement(t)
		s.Subject, s.Incarnation, s.Round = drawID(t), drawIncarnation(t), hearsay.Round(seq)
		return &core.Statement{Statement: s}
	case kindEvidenceReq:
		return &core.EvidenceReq{Hash: drawHash(t)}
	case kindEvidence:
		return &core.Evidence{Evidence: drawEvidence(t)}
	case kindHeartbeat:
		beat := rapid.Custom(func(t *rapid.T) core.Beat {
			return core.Beat{Key: rapid.Uint32().Draw(t, "key"), Counter: rapid.Uint32().Draw(t, "counter")}
		})
		return &core.Heartbeat{Own: rapid.Uint32().Draw(t, "own"), Beats: rapid.SliceOfN(beat, 1, core.MaxBeats).Draw(t, "beats")}
	case kindAway:
		return &core.Away{Stay: hearsay.Stay{ID: drawID(t), Epoch: hearsay.Epoch(seq)}, Incarnation: drawIncarnation(t), Signature: drawSignature(t), Left: time.Duration(rapid.Int64Range(0, core.AwayFor.Milliseconds()).Draw(t, "left")) * time.Millisecond}
	}
	if m := drawStore(t, k); m != nil {
		return m
	}
	if m := drawPetition(t, k); m != nil {
		return m
	}
	if m := drawSeeds(t, k); m != nil {
		return m
	}
	return drawRumors(t, k)
}

func drawRumors(t *rapid.T, k kind) core.Message {
	switch k {
	case kindRumors:
		return &core.Rumors{
			Items:  rapid.SliceOfN(rapid.Custom(drawRumor), 1, 9).Draw(t, "items"),
			Missed: drawRanges(t),
		}
	case kindIHave:
		m := &core.IHave{IDs: rapid.SliceOfN(rapid.Custom(drawDot), 1, 9).Draw(t, "ids"), Late: rapid.Bool().Draw(t, "late")}
		if rapid.Bool().Draw(t, "with hops") {
			m.Hops = rapid.SliceOfN(rapid.Uint8(), len(m.IDs), len(m.IDs)).Draw(t, "hops")
		}
		return m
	case kindGraft:
		return &core.Graft{IDs: rapid.SliceOfN(rapid.Custom(drawDot), 1, 9).Draw(t, "ids")}
	case kindPlace:
		return &core.Place{
			Root: drawID(t), Hops: rapid.Byte().Draw(t, "hops"), Parent: rapid.Bool().Draw(t, "parent"),
			Answer: rapid.Bool().Draw(t, "answer"), Number: rapid.Uint32().Draw(t, "number"), Heard: rapid.Uint32().Draw(t, "heard"),
		}
	case kindHeard:
		return &core.Heard{Hash: rapid.Uint64().Draw(t, "hash")}
	case kindSeen:
		return &core.Seen{
			Ranges: drawRanges(t),
			Of:     core.Span{From: drawOrigin(t), To: drawOrigin(t)},
			Answer: rapid.Bool().Draw(t, "answer"),
		}
	case kindHello:
		return &core.Hello{Degree: rapid.Byte().Draw(t, "degree")}
	case kindHelloAck:
		return &core.HelloAck{Accepted: rapid.Bool().Draw(t, "accepted"), Degree: rapid.Byte().Draw(t, "degree")}
	case kindUnlink:
		return &core.Unlink{}
	case kindDeaf:
		return &core.Deaf{}
	}
	return &core.News{}
}

func allKinds() []kind {
	var all []kind
	for k := kindPing; k <= kindHeartbeat; k++ {
		all = append(all, k)
	}
	for k := kindSeatHello; k <= kindRosterPart; k++ {
		all = append(all, k)
	}
	for k := kindRegister; k <= kindOutcome; k++ {
		all = append(all, k)
	}
	return all
}

func drawEntries(t *rapid.T) *core.Entries {
	m := &core.Entries{Bits: rapid.Uint8Range(0, core.MaxDigestBits).Draw(t, "bits")}
	for bucket := range 1 << m.Bits {
		if bucket == 0 || rapid.Bool().Draw(t, "open") {
			m.Buckets = append(m.Buckets, uint8(bucket))
		}
	}
	for range rapid.IntRange(1, 5).Draw(t, "items") {
		m.Items = append(m.Items, core.Entry{ID: drawID(t), Incarnation: drawIncarnation(t)})
	}
	return m
}

// drawStatement draws an answer, without the question.
func drawStatement(t *rapid.T) hearsay.Statement {
	return hearsay.Statement{
		Observer:  drawID(t),
		Verdict:   hearsay.Verdict(rapid.Uint8Range(1, 3).Draw(t, "verdict")),
		At:        rapid.Int64().Draw(t, "at"),
		Signature: drawSignature(t),
	}
}

func drawEvidence(t *rapid.T) *hearsay.Evidence {
	e := &hearsay.Evidence{
		Subject: drawID(t), Incarnation: drawIncarnation(t), Round: hearsay.Round(rapid.Uint64().Draw(t, "round")),
		Rule:    hearsay.Rule(rapid.Uint8Range(1, 2).Draw(t, "rule")),
		Accuser: drawID(t), Suspected: rapid.Int64().Draw(t, "suspected"), Condemned: rapid.Int64().Draw(t, "condemned"),
		Observers: rapid.Byte().Draw(t, "observers"), Needed: rapid.Byte().Draw(t, "needed"),
		Statements: rapid.SliceOfN(rapid.Custom(drawStatement), 1, core.MaxStatements).Draw(t, "statements"),
	}
	for i := range e.Statements {
		s := &e.Statements[i]
		s.Subject, s.Incarnation, s.Round = e.Subject, e.Incarnation, e.Round
	}
	return e
}

func drawClaim(t *rapid.T) hearsay.Claim {
	c := hearsay.Claim{Subject: drawID(t), State: hearsay.State(rapid.Uint8Range(1, 4).Draw(t, "state")), Incarnation: drawIncarnation(t)}
	if c.State == hearsay.StateSuspect || c.State == hearsay.StateDead {
		c.By = drawID(t)
	}
	if c.State == hearsay.StateDead {
		c.Evidence = drawHash(t)
	}
	if c.State == hearsay.StateDead || c.State == hearsay.StateLeft {
		c.Age = time.Second * time.Duration(rapid.Int64Range(0, int64(maxAge/time.Second)).Draw(t, "age"))
	}
	if rapid.Bool().Draw(t, "bare") {
		return c
	}
	c.Card = hearsay.Card{
		Key:       hearsay.PublicKey(drawBytes(t, "key", 32)),
		Name:      rapid.StringMatching(`[a-zA-Z0-9äöü-][a-zA-Z0-9.äöü-]{0,31}`).Draw(t, "name"),
		Addr:      drawAddr(t),
		Role:      hearsay.Role(rapid.Uint8Range(1, 2).Draw(t, "role")),
		Signature: drawSignature(t),
	}
	c.Card.Key[5] |= 1 // a key of zeros is no key, nor is a one and zeros
	return c
}

// drawOrigin draws one of few, so that there are runs.
func drawOrigin(t *rapid.T) clock.Origin {
	return clock.Origin{rapid.Byte().Draw(t, "origin") % 3}
}

func drawDot(t *rapid.T) clock.Dot {
	return clock.Dot{Origin: drawOrigin(t), Counter: rapid.Uint64Min(1).Draw(t, "number")}
}

// drawRanges draws ranges as they must be: ascending, by origin and then by number.
func drawRanges(t *rapid.T) (list []core.SeenRange) {
	var set clock.Context
	for range rapid.IntRange(1, 9).Draw(t, "ranges") {
		low := rapid.Uint64Min(1).Draw(t, "low")
		set.AddRange(drawOrigin(t), clock.Range{Low: low, High: rapid.Uint64Min(low).Draw(t, "high")})
	}
	for origin, r := range set.Ranges() {
		list = append(list, core.SeenRange{Origin: origin, Range: r})
	}
	return list
}

func drawRumor(t *rapid.T) hearsay.Rumor {
	age := rapid.Int64Range(0, int64(maxAge/time.Millisecond)).Draw(t, "age")
	return hearsay.Rumor{
		Guest: rapid.SampledFrom([]hearsay.NodeID{{}, idA, hearsay.AnyGuest}).Draw(t, "guest"),
		ID:    drawDot(t), Age: time.Duration(age) * time.Millisecond, Hops: rapid.Byte().Draw(t, "hops"),
		Data: rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "data"),
	}
}

func drawAddr(t *rapid.T) netip.AddrPort {
	size := rapid.SampledFrom([]int{4, 16}).Draw(t, "ip length")
	b := drawBytes(t, "ip", size)
	b[0] = 10 // neither unspecified nor multicast
	ip, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip, rapid.Uint16Min(1).Draw(t, "port"))
}

func drawIncarnation(t *rapid.T) hearsay.Incarnation {
	return hearsay.Incarnation(rapid.Uint64().Draw(t, "incarnation"))
}

func drawID(t *rapid.T) hearsay.NodeID { return hearsay.NodeID(drawBytes(t, "id", 16)) }
func drawHash(t *rapid.T) hearsay.Hash { return hearsay.Hash(drawBytes(t, "hash", 32)) }
func drawSignature(t *rapid.T) hearsay.Signature {
	return hearsay.Signature(drawBytes(t, "signature", 64))
}

func drawBytes(t *rapid.T, label string, n int) []byte {
	return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, label)
}
