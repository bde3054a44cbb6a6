package wire

import (
	"bytes"
	"io"
	"reflect"
	"slices"
	"testing"

	"hearsay/internal/core"
)

// memoryPerByte bounds what one byte from the network may cost: a bare claim
// of 19 bytes becomes a hearsay.Claim, in storage that doubles.
const memoryPerByte = 32

func FuzzPing(f *testing.F)        { fuzzBody(f, kindPing) }
func FuzzAck(f *testing.F)         { fuzzBody(f, kindAck) }
func FuzzNotMe(f *testing.F)       { fuzzBody(f, kindNotMe) }
func FuzzRelayReq(f *testing.F)    { fuzzBody(f, kindRelayReq) }
func FuzzNack(f *testing.F)        { fuzzBody(f, kindNack) }
func FuzzJoin(f *testing.F)        { fuzzBody(f, kindJoin) }
func FuzzRoster(f *testing.F)      { fuzzBody(f, kindRoster) }
func FuzzNews(f *testing.F)        { fuzzBody(f, kindNews) }
func FuzzDigest(f *testing.F)      { fuzzBody(f, kindDigest) }
func FuzzEntries(f *testing.F)     { fuzzBody(f, kindEntries) }
func FuzzWant(f *testing.F)        { fuzzBody(f, kindWant) }
func FuzzWitnessReq(f *testing.F)  { fuzzBody(f, kindWitnessReq) }
func FuzzStatement(f *testing.F)   { fuzzBody(f, kindStatement) }
func FuzzEvidenceReq(f *testing.F) { fuzzBody(f, kindEvidenceReq) }
func FuzzEvidence(f *testing.F)    { fuzzBody(f, kindEvidence) }
func FuzzRumors(f *testing.F)      { fuzzBody(f, kindRumors) }
func FuzzIHave(f *testing.F)       { fuzzBody(f, kindIHave) }
func FuzzGraft(f *testing.F)       { fuzzBody(f, kindGraft) }
func FuzzPlace(f *testing.F)       { fuzzBody(f, kindPlace) }
func FuzzHeard(f *testing.F)       { fuzzBody(f, kindHeard) }
func FuzzSeen(f *testing.F)        { fuzzBody(f, kindSeen) }
func FuzzHello(f *testing.F)       { fuzzBody(f, kindHello) }
func FuzzHelloAck(f *testing.F)    { fuzzBody(f, kindHelloAck) }
func FuzzUnlink(f *testing.F)      { fuzzBody(f, kindUnlink) }
func FuzzDeaf(f *testing.F)        { fuzzBody(f, kindDeaf) }
func FuzzAway(f *testing.F)        { fuzzBody(f, kindAway) }
func FuzzUpdate(f *testing.F)      { fuzzBody(f, kindUpdate) }
func FuzzSync(f *testing.F)        { fuzzBody(f, kindSync) }
func FuzzFetch(f *testing.F)       { fuzzBody(f, kindFetch) }
func FuzzPart(f *testing.F)        { fuzzBody(f, kindPart) }
func FuzzHeartbeat(f *testing.F)   { fuzzBody(f, kindHeartbeat) }

// fuzzBody tries bodies of one kind, in a sound packet.
func fuzzBody(f *testing.F, k kind) {
	for _, s := range samples() {
		if s.kind == k {
			f.Add(appendBody(nil, s.body))
		}
	}
	envelope := AppendPacket(nil, testNetwork, &core.Packet{From: idA})[:26]
	f.Fuzz(func(t *testing.T, body []byte) {
		packet := append(append(bytes.Clone(envelope), byte(k), 0), body...)
		checkPacket(t, closeSized(packet, len(envelope)+1, 1))
	})
}

// FuzzClaims tries what may follow a body.
func FuzzClaims(f *testing.F) {
	news := AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: &core.News{}})
	for _, c := range sampleClaims() {
		f.Add(appendClaim(nil, &c))
	}
	f.Fuzz(func(t *testing.T, claims []byte) { checkPacket(t, append(bytes.Clone(news), claims...)) })
}

// FuzzPacket tries whole packets.
func FuzzPacket(f *testing.F) {
	for _, s := range samples() {
		f.Add(AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: s.body, Claims: s.claims}))
	}
	f.Fuzz(checkPacket)
}

// checkPacket holds Decode to its contract: it drops for a reason of its own,
// or what it gives means the same when it is encoded and decoded again, and
// has not cost more than the packet is worth.
func checkPacket(t *testing.T, packet []byte) {
	var p, again core.Packet
	drop, ok := NewDecoder(testNetwork).Decode(packet, &p)
	if !ok {
		if !slices.Contains(decoderDrops, drop) {
			t.Fatalf("dropped: %s", drop)
		}
		return
	}
	if n := memory(&p); n > uintptr(memoryPerByte*len(packet)) {
		t.Fatalf("%d bytes became %d", len(packet), n)
	}
	for i := range p.Claims {
		c := &p.Claims[i]
		if n := len(appendClaim(nil, c)); n > c.WireSizeMax() {
			t.Fatalf("%d bytes, more than %d: %+v", n, c.WireSizeMax(), c)
		}
	}
	encoded := AppendPacket(nil, testNetwork, &p)
	if len(encoded) > len(packet) {
		t.Fatalf("%d bytes became %d", len(packet), len(encoded))
	}
	if drop, ok := NewDecoder(testNetwork).Decode(encoded, &again); !ok {
		t.Fatalf("dropped what was encoded: %s", drop)
	}
	if !reflect.DeepEqual(p, again) {
		t.Fatalf("%+v became %+v", p, again)
	}
}

// FuzzFrames reads whole streams.
func FuzzFrames(f *testing.F) {
	join := AppendFrame(nil, testNetwork, &core.Packet{From: idA, Body: &core.Join{}})
	f.Add(join)
	f.Add(append(bytes.Clone(join), join...))
	f.Add([]byte{FrameStart, 0, 0, 0, FrameStart, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, stream []byte) {
		checkStream(t, bytes.NewReader(stream), stream)
	})
}

// checkStream reads frames until the end or the first that is broken; what
// was read, framed again, is the beginning of the stream.
func checkStream(t *testing.T, r io.Reader, stream []byte) {
	var buf, read []byte
	for {
		packet, err := ReadFrame(r, buf)
		if err != nil {
			_, broken := err.(*FrameError)
			if err == io.EOF && len(read) == len(stream) || broken && len(read) < len(stream) {
				return
			}
			t.Fatalf("after %d of %d bytes: %v", len(read), len(stream), err)
		}
		if len(packet) > core.MaxStreamPacket || cap(packet) > 4*max(readChunk, len(stream)) {
			t.Fatalf("room for %d bytes, out of %d", cap(packet), len(stream))
		}
		n := len(packet)
		read = append(append(read, FrameStart, byte(n>>16), byte(n>>8), byte(n)), packet...)
		if !bytes.HasPrefix(stream, read) {
			t.Fatalf("%x is not the beginning of %x", read, stream)
		}
		buf = packet
	}
}

// FuzzRecords tries what a disk may hold.
func FuzzRecords(f *testing.F) {
	buckets := []Bucket{
		BucketSelf, BucketContacts, BucketEvidence, BucketRumors,
		BucketSeed, BucketPins, BucketLog, BucketSnapshots, BucketLedger, BucketHeads,
	}
	for _, s := range sampleRecords() {
		bucket, key, value, _ := AppendRecord(nil, nil, s.record)
		f.Add(slices.Index(buckets, bucket), key, value)
	}
	f.Fuzz(func(t *testing.T, bucket int, key, value []byte) {
		from := buckets[uint(bucket)%uint(len(buckets))]
		record, err := DecodeRecord(from, key, value)
		if err != nil {
			return
		}
		to, key, value, drop := AppendRecord(nil, nil, record)
		again, err := DecodeRecord(to, key, value)
		if to != from || drop || err != nil || !reflect.DeepEqual(record, again) {
			t.Fatalf("%+v became %+v, %v", record, again, err)
		}
	})
}
