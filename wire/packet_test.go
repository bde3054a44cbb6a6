package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"
	"unsafe"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// The budget of a node is one ping and one ack a second: every byte counts.
func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		body core.Message
		most int
	}{
		{&core.Ping{Seq: 1<<64 - 1, Target: idB, Hash: 1<<64 - 1}, 52},
		{&core.Ack{Seq: 1<<64 - 1}, 36},
	} {
		if n := len(AppendPacket(nil, testNetwork, &core.Packet{Body: tt.body})); n > tt.most {
			t.Errorf("%T takes %d bytes, more than %d", tt.body, n, tt.most)
		}
	}
}

// TestDrops has for each reason of the decoder the inputs that lead to it.
func TestDrops(t *testing.T) {
	ping := AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: &core.Ping{Seq: 1, Target: idB}})
	const kindAt, bodyAt = 26, 28
	set := func(at int, v byte) []byte {
		b := bytes.Clone(ping)
		b[at] = v
		return b
	}
	body := func(k kind, fields ...byte) []byte {
		return closeSized(append(append(ping[:kindAt:kindAt], byte(k), 0), fields...), kindAt+1, 1)
	}
	many := func(k kind, n uint64, before ...byte) []byte {
		return append(body(k, binary.AppendUvarint(before, n)...), 0)
	}
	reached := map[hearsay.Drop]bool{}
	for _, tt := range []struct {
		name   string
		packet []byte
		want   hearsay.Drop
	}{
		{"nothing", nil, hearsay.DropTruncated},
		{"too long", make([]byte, core.MaxStreamPacket+1), hearsay.DropOversized},
		{"another version", set(0, Version+1), hearsay.DropVersion},
		{"text", []byte("GET / HTTP/1.1\r\nHost: node\r\n\r\n"), hearsay.DropVersion},
		{"sealed", set(1, flagSealed), hearsay.DropSealed},
		{"an unknown flag", set(1, 1<<1), hearsay.DropMalformed},
		{"another network", set(2, ping[2]+1), hearsay.DropNetwork},
		{"kind 0", set(kindAt, 0), hearsay.DropUnknownKind},
		{"kind after the last", body(kindOutcome + 1), hearsay.DropUnknownKind},
		{"body longer than the packet", set(kindAt+1, 26), hearsay.DropTruncated},
		{"body shorter than its fields", body(kindPing, 1, 2, 3), hearsay.DropTruncated},
		{"number in too many bytes", body(kindWant, 0x80, 0x00), hearsay.DropMalformed},
		{"number over 64 bits", body(kindWant, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2), hearsay.DropMalformed},
		{"number without end", body(kindWant, 0x80), hearsay.DropTruncated},
		{"neither more nor not", body(kindRoster, 2), hearsay.DropMalformed},
		{"too many bits", body(kindDigest, core.MaxDigestBits+1), hearsay.DropMalformed},
		{"too few hashes", body(kindDigest, 1, 0, 0, 0, 0, 0, 0, 0, 0), hearsay.DropTruncated},
		{"bucket that is not there", body(kindEntries, 1, 1, 2, 0), hearsay.DropMalformed},
		{"buckets in disorder", body(kindEntries, 1, 2, 1, 0, 0), hearsay.DropMalformed},
		{"more buckets than there are", body(kindEntries, 1, 3, 0, 1, 2, 0), hearsay.DropOversized},
		{"too many items", many(kindEntries, core.MaxEntries+1, 0, 0), hearsay.DropOversized},
		{"too many counters", body(kindHeartbeat, 0, 0, 0, 1, core.MaxBeats&0x7f|0x80+1, core.MaxBeats>>7), hearsay.DropOversized},
		{"fewer counters than announced", body(kindHeartbeat, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0, 0, 0, 2), hearsay.DropTruncated},
		{"too many ids", many(kindWant, core.MaxWant+1), hearsay.DropOversized},
		{"fewer ids than announced", many(kindWant, core.MaxWant), hearsay.DropTruncated},
		{"no verdict", bodyOf(body, answer(idA, 0)), hearsay.DropMalformed},
		{"unknown verdict", bodyOf(body, answer(idA, hearsay.VerdictAbstains+1)), hearsay.DropMalformed},
		{"no rule", bodyOf(body, &core.Evidence{Evidence: evidenceBy(0, 1)}), hearsay.DropMalformed},
		{"unknown rule", bodyOf(body, &core.Evidence{Evidence: evidenceBy(hearsay.RuleTimeout+1, 1)}), hearsay.DropMalformed},
		{"too many statements", bodyOf(body, &core.Evidence{Evidence: evidenceBy(hearsay.RuleMajority, core.MaxStatements+1)}), hearsay.DropOversized},
		{"rumor without data", body(kindRumors, rumorFields(1, 0, 0)...), hearsay.DropTruncated},
		{"rumor of no guest", body(kindRumors, append(rumorFields(1, 0, 0), make([]byte, 16)...)...), hearsay.DropMalformed},
		{"rumor without number", body(kindRumors, rumorFields(0, 0, 1)...), hearsay.DropMalformed},
		{"rumor too old", body(kindRumors, rumorFields(1, uint64(maxAge/time.Millisecond)+1, 1)...), hearsay.DropMalformed},
		{"rumor too long", body(kindRumors, rumorFields(1, 0, hearsay.MaxRumorData+1)...), hearsay.DropOversized},
		{"rumor cut short", body(kindRumors, rumorFields(1, 0, 2)[:23]...), hearsay.DropTruncated},
		{"too many rumors", many(kindRumors, core.MaxRumors+1), hearsay.DropOversized},
		{"too many missed", many(kindRumors, core.MaxSeenRanges+1, 0), hearsay.DropOversized},
		{"too many names", many(kindIHave, core.MaxRumors+1), hearsay.DropOversized},
		{"fewer names than announced", many(kindIHave, core.MaxRumors), hearsay.DropTruncated},
		{"too many to graft", many(kindGraft, core.MaxRumors+1), hearsay.DropOversized},
		{"name without number", body(kindGraft, run(1, 0)...), hearsay.DropMalformed},
		{"empty run", body(kindIHave, run(0, 0)...), hearsay.DropMalformed},
		{"hops of fewer", bodyOf(body, &core.IHave{IDs: mostDots()[:2], Hops: []uint8{1}}), hearsay.DropMalformed},
		{"run longer than the list", body(kindIHave, run(2, 1, 1)...), hearsay.DropMalformed},
		{"too many ranges", many(kindSeen, core.MaxSeenRanges+1, 0), hearsay.DropOversized},
		{"range from 0", body(kindSeen, append([]byte{0}, run(1, 0, 1)...)...), hearsay.DropMalformed},
		{"range beyond 64 bits", body(kindSeen, append([]byte{0}, run(1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1)...)...), hearsay.DropMalformed},
		{"range upside down", bodyOf(body, &core.Seen{Ranges: []core.SeenRange{{Range: clock.Range{Low: 2, High: 1}}}}), hearsay.DropMalformed},
		{"ranges in disorder", bodyOf(body, &core.Seen{Ranges: []core.SeenRange{rangeOf(1, 5, 6), rangeOf(1, 1, 2)}}), hearsay.DropMalformed},
		{"ranges that overlap", bodyOf(body, &core.Rumors{Missed: []core.SeenRange{rangeOf(1, 1, 5), rangeOf(1, 5, 6)}}), hearsay.DropMalformed},
		{"origins in disorder", bodyOf(body, &core.Rumors{Missed: []core.SeenRange{rangeOf(2, 1, 5), rangeOf(1, 7, 8)}}), hearsay.DropMalformed},
		{"origin twice", body(kindSeen, append(append([]byte{0, 2}, make([]byte, 16)...), append([]byte{1, 5, 0}, append(make([]byte, 16), 1, 2, 0)...)...)...), hearsay.DropMalformed},
		{"part that is the whole", body(kindSeen, append([]byte{seenPart}, make([]byte, 33)...)...), hearsay.DropMalformed},
		{"unknown flag of seen", body(kindSeen, 4, 0), hearsay.DropMalformed},
		{"neither yes nor no", body(kindHelloAck, 2, 0), hearsay.DropMalformed},
		{"empty claim", append(bytes.Clone(ping), 0), hearsay.DropTruncated},
		{"claim longer than the packet", append(bytes.Clone(ping), 1), hearsay.DropTruncated},
		{"weak key", withClaim(func(c *hearsay.Claim) { c.Card.Key = hearsay.PublicKey{1} }), hearsay.DropMalformed},
		{"too many claims", appendClaims(ping, core.MaxClaims+1), hearsay.DropOversized},
	} {
		drop, ok := NewDecoder(testNetwork).Decode(tt.packet, &core.Packet{})
		if ok || drop != tt.want {
			t.Errorf("%s: got %s, %t, want %s", tt.name, drop, ok, tt.want)
		}
		reached[drop] = true
	}
	for _, drop := range decoderDrops {
		if !reached[drop] {
			t.Errorf("no input leads to %s", drop)
		}
	}
}

// run gives a list of one, with a run that says it has n elements.
func run(n byte, elements ...byte) []byte {
	return append(append(append([]byte{1}, make([]byte, 16)...), n), elements...)
}

// rumorFields gives the body of Rumors with one rumor.
func rumorFields(number, age uint64, size int) []byte {
	b := binary.AppendUvarint(run(1), number)
	b = append(binary.AppendUvarint(b, age), 0)
	b = append(binary.AppendUvarint(b, uint64(size)), make([]byte, size)...)
	return append(b, 0)
}

// decoderDrops are the reasons that Decode gives.
var decoderDrops = []hearsay.Drop{
	hearsay.DropOversized, hearsay.DropVersion, hearsay.DropNetwork, hearsay.DropSealed,
	hearsay.DropTruncated, hearsay.DropMalformed, hearsay.DropUnknownKind,
}

func bodyOf(packet func(kind, ...byte) []byte, m core.Message) []byte {
	return packet(kindOf(m), appendBody(nil, m)...)
}

func evidenceBy(rule hearsay.Rule, statements int) *hearsay.Evidence {
	e := sampleEvidence()
	e.Rule = rule
	e.Statements = make([]hearsay.Statement, statements)
	for i := range e.Statements {
		e.Statements[i] = answer(idA, hearsay.VerdictReachable).Statement
	}
	return e
}

func appendClaims(packet []byte, n int) []byte {
	packet = bytes.Clone(packet)
	for range n {
		packet = appendClaim(packet, &hearsay.Claim{Subject: idB, State: hearsay.StateAlive})
	}
	return packet
}

// A packet of up to the limits is taken.
func TestLimitsAreWithin(t *testing.T) {
	news := AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: &core.News{}})
	for name, p := range map[string]*core.Packet{
		"entries":    {Body: &core.Entries{Items: make([]core.Entry, core.MaxEntries)}},
		"want":       {Body: &core.Want{IDs: make([]hearsay.NodeID, core.MaxWant)}},
		"statements": {Body: &core.Evidence{Evidence: evidenceBy(hearsay.RuleTimeout, core.MaxStatements)}},
		"rumors":     {Body: &core.Rumors{Items: mostRumors(), Missed: mostRanges()}},
		"long rumor": {Body: &core.Rumors{Items: []hearsay.Rumor{{ID: clock.Dot{Counter: 1}, Data: make([]byte, hearsay.MaxRumorData)}}}},
		"names":      {Body: &core.IHave{IDs: mostDots()}},
		"seen":       {Body: &core.Seen{Ranges: mostRanges()}},
	} {
		checkDecodes(t, AppendPacket(nil, testNetwork, p), p)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	var p core.Packet
	drop, ok := NewDecoder(testNetwork).Decode(appendClaims(news, core.MaxClaims), &p)
	if !ok || len(p.Claims) != core.MaxClaims {
		t.Errorf("got %d claims, %s", len(p.Claims), drop)
	}
}

func mostRumors() []hearsay.Rumor {
	items := make([]hearsay.Rumor, core.MaxRumors)
	for i, dot := range mostDots() {
		items[i] = hearsay.Rumor{ID: dot, Data: []byte{1}}
	}
	return items
}

func rangeOf(origin byte, low, high uint64) core.SeenRange {
	return core.SeenRange{Origin: clock.Origin{origin}, Range: clock.Range{Low: low, High: high}}
}

// mostDots has no two neighbors of one origin.
func mostDots() []clock.Dot {
	dots := make([]clock.Dot, core.MaxRumors)
	for i := range dots {
		dots[i] = clock.Dot{Origin: clock.Origin{byte(i)}, Counter: 1}
	}
	return dots
}

func mostRanges() []core.SeenRange {
	ranges := make([]core.SeenRange, core.MaxSeenRanges)
	for i := range ranges {
		ranges[i] = core.SeenRange{Origin: clock.Origin{byte(i >> 8), byte(i)}, Range: clock.Range{Low: 1, High: 1<<64 - 1}}
	}
	return ranges
}

// Whatever is cut off a packet is missed, but for whole claims.
func TestEveryCutIsSeen(t *testing.T) {
	for _, s := range samples() {
		packet := AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: s.body, Claims: s.claims})
		whole := map[int]bool{}
		for i := range s.claims {
			whole[len(AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: s.body, Claims: s.claims[:i]}))] = true
		}
		for n := range packet {
			drop, ok := NewDecoder(testNetwork).Decode(packet[:n], &core.Packet{})
			if ok != whole[n] || !ok && drop != hearsay.DropTruncated {
				t.Errorf("%s: %d of %d bytes: %s, %t", s.name, n, len(packet), drop, ok)
			}
		}
	}
}

// What a later version has added to bodies and claims is skipped.
func TestLaterVersion(t *testing.T) {
	for _, s := range samples() {
		want := &core.Packet{From: idA, Body: s.body, Claims: s.claims}
		if ping, is := s.body.(*core.Ping); is && ping.Rumors != 0 { // of a ping it is counted
			counted := *ping
			counted.Extra = len("more")
			want.Body = &counted
		}
		packet := AppendPacket(nil, testNetwork, &core.Packet{From: idA})[:26]
		packet = append(packet, byte(s.kind), 0)
		packet = closeSized(append(appendBody(packet, s.body), "more"...), 27, 1)
		for i := range s.claims {
			claim := reader{bytes: appendClaim(nil, &s.claims[i])}
			at := len(packet)
			packet = closeSized(append(append(append(packet, 0), claim.sized()...), "more"...), at, 1)
		}
		checkDecodes(t, packet, want)
	}
}

// A decoder stays small after it has decoded the largest packets.
func TestDecoderLetsGo(t *testing.T) {
	d := NewDecoder(testNetwork)
	var p core.Packet
	news := AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: &core.News{}})
	for _, packet := range [][]byte{
		appendClaims(news, core.MaxClaims),
		AppendPacket(nil, testNetwork, &core.Packet{Body: &core.Entries{Items: make([]core.Entry, core.MaxEntries)}}),
		AppendPacket(nil, testNetwork, &core.Packet{Body: &core.Want{IDs: make([]hearsay.NodeID, core.MaxWant)}}),
		news,
	} {
		if drop, ok := d.Decode(packet, &p); !ok {
			t.Fatal(drop)
		}
	}
	size := unsafe.Sizeof(*d) + memory(&core.Packet{Body: &d.entries}) + memory(&core.Packet{Body: &d.want}) +
		uintptr(cap(d.claims))*unsafe.Sizeof(hearsay.Claim{})
	if size > 8<<10 {
		t.Errorf("an idle decoder takes %d bytes", size)
	}
}

// The same of what comes with rumors, and all of it goes when none come.
func TestDecoderLetsGoOfRumors(t *testing.T) {
	d := NewDecoder(testNetwork)
	var p core.Packet
	size := func() uintptr {
		return memory(&core.Packet{Body: &core.Rumors{Items: d.items, Missed: d.ranges}}) + memory(&core.Packet{Body: &core.IHave{IDs: d.dots}}) +
			memory(&core.Packet{Body: &d.rumors}) + memory(&core.Packet{Body: &d.seen}) + memory(&core.Packet{Body: &d.iHave})
	}
	decode := func(m core.Message) {
		if drop, ok := d.Decode(AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: m}), &p); !ok {
			t.Fatal(drop)
		}
	}
	decode(&core.Rumors{Items: mostRumors(), Missed: mostRanges()})
	decode(&core.IHave{IDs: mostDots()})
	decode(&core.Seen{Ranges: mostRanges()})
	decode(&core.News{})
	if n := size(); n > 0 {
		t.Errorf("%d bytes after the largest packets", n)
	}
	decode(&core.Rumors{Items: mostRumors()[:keptItems], Missed: mostRanges()[:keptRanges]})
	decode(&core.IHave{IDs: mostDots()[:keptItems]})
	for range quietPackets {
		decode(&core.News{})
		if n := size(); n < 4<<10 || n > 12<<10 {
			t.Errorf("%d bytes after full datagrams", n)
		}
	}
	decode(&core.News{})
	if n := size(); n > 0 {
		t.Errorf("%d bytes after no rumors for long", n)
	}
}

// The data of a rumor are where they came in, and appending to them does not
// change what lies behind.
func TestRumorDataAreNotCopied(t *testing.T) {
	packet := AppendPacket(nil, testNetwork, &core.Packet{Body: &core.Rumors{Items: mostRumors()[:2]}})
	var p core.Packet
	if drop, ok := NewDecoder(testNetwork).Decode(packet, &p); !ok {
		t.Fatal(drop)
	}
	before := bytes.Clone(packet)
	items := p.Body.(*core.Rumors).Items
	_ = append(items[0].Data, 99)
	if !bytes.Equal(packet, before) {
		t.Error("appending to the data changed the packet")
	}
	items[0].Data[0]++
	if bytes.Equal(packet, before) {
		t.Error("the data were copied")
	}
}

// What is only announced costs nothing.
func TestAnnouncedTakesNoRoom(t *testing.T) {
	d := NewDecoder(testNetwork)
	for _, m := range []core.Message{
		&core.Entries{Items: make([]core.Entry, core.MaxEntries)},
		&core.Want{IDs: make([]hearsay.NodeID, core.MaxWant)},
		&core.Evidence{Evidence: evidenceBy(hearsay.RuleMajority, core.MaxStatements)},
		&core.Rumors{Items: mostRumors()},
		&core.IHave{IDs: make([]clock.Dot, core.MaxRumors)},
		&core.Seen{Ranges: mostRanges()},
	} {
		r := reader{bytes: appendBody(nil, m)[:80]}
		body := d.readBody(&r, kindOf(m))
		if n := memory(&core.Packet{Body: body}); !r.failed || n > 0 {
			t.Errorf("%T: room for %d bytes", m, n)
		}
	}
}

// memory gives the bytes that the elements of p take.
func memory(p *core.Packet) uintptr {
	n := uintptr(cap(p.Claims)) * unsafe.Sizeof(hearsay.Claim{})
	switch m := p.Body.(type) {
	case *core.Digest:
		n += uintptr(cap(m.Hashes)) * 8
	case *core.Entries:
		n += uintptr(cap(m.Buckets)) + uintptr(cap(m.Items))*unsafe.Sizeof(core.Entry{})
	case *core.Want:
		n += uintptr(cap(m.IDs)) * unsafe.Sizeof(hearsay.NodeID{})
	case *core.Evidence:
		n += uintptr(cap(m.Statements)) * unsafe.Sizeof(hearsay.Statement{})
	case *core.Rumors:
		n += uintptr(cap(m.Items))*unsafe.Sizeof(hearsay.Rumor{}) + uintptr(cap(m.Missed))*unsafe.Sizeof(core.SeenRange{})
	case *core.IHave:
		n += uintptr(cap(m.IDs)) * unsafe.Sizeof(clock.Dot{})
	case *core.Graft:
		n += uintptr(cap(m.IDs)) * unsafe.Sizeof(clock.Dot{})
	case *core.Seen:
		n += uintptr(cap(m.Ranges)) * unsafe.Sizeof(core.SeenRange{})
	default:
		n += seedMemory(m)
	}
	return n
}

// Packets that come again and again cost no allocation, whatever they carry.
func TestSteadyPacketsAllocateNothing(t *testing.T) {
	packets := []*core.Packet{
		{Body: &core.News{}, Claims: fullClaims(8)},
		{Body: &core.News{}, Claims: slices.Repeat([]hearsay.Claim{{Subject: idB, State: hearsay.StateAlive}}, 72)},
	}
	for _, s := range samples() {
		if s.kind < kindUpdate { // what is of the store or the seeds may be kept
			packets = append(packets, &core.Packet{Body: s.body})
		}
	}
	d := NewDecoder(testNetwork)
	buf := make([]byte, 0, core.MTU)
	for _, sent := range packets {
		packet := AppendPacket(nil, testNetwork, sent)
		var p core.Packet
		n := testing.AllocsPerRun(10, func() {
			if drop, ok := d.Decode(packet, &p); !ok {
				t.Error(drop)
			}
			buf = AppendPacket(buf[:0], testNetwork, &p)
		})
		if n > 0 {
			t.Errorf("%T: %v allocations", sent.Body, n)
		}
	}
}

// withClaim gives a packet with one claim, changed.
func withClaim(change func(*hearsay.Claim)) []byte {
	claims := fullClaims(1)
	change(&claims[0])
	return AppendPacket(nil, testNetwork, &core.Packet{Body: &core.News{}, Claims: claims})
}

// A ping that is made long is as long as it says, and read as any other.
func TestLongPing(t *testing.T) {
	const plain = 61 // bytes of a ping with a hash of rumors, where its length takes two
	for _, size := range []int{400, core.MTU} {
		b := AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: &core.Ping{Seq: 7, Hash: 2, Extra: size - plain}})
		var p core.Packet
		if drop, ok := NewDecoder(testNetwork).Decode(b, &p); !ok || len(b) != size {
			t.Fatalf("%d bytes, want %d; drop %v", len(b), size, drop)
		}
		if ping := p.Body.(*core.Ping); ping.Seq != 7 || ping.Hash != 2 || ping.Rumors != 0 || ping.Extra != size-plain || len(p.Claims) > 0 {
			t.Errorf("read %+v", ping)
		}
	}
}
