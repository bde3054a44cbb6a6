package wire

import (
	"encoding/binary"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// kind is the number of a message on the wire.
type kind byte

// The kinds. A number is never used again for another message.
const (
	kindPing kind = iota + 1
	kindAck
	kindNotMe
	kindRelayReq
	kindNack
	kindJoin
	kindRoster
	kindNews
	kindDigest
	kindEntries
	kindWant
	kindWitnessReq
	kindStatement
	kindEvidenceReq
	kindEvidence
	kindRumors
	kindIHave
	kindGraft
	kindPlace
	kindHeard
	kindSeen
	kindHello
	kindHelloAck
	kindUnlink
	kindDeaf
	kindAway
	kindUpdate
	kindSync
	kindFetch
	kindPart
	kindHeartbeat
)

// kindOf gives the number of a message; 0, which nobody knows, if it has none.
func kindOf(m core.Message) kind {
	switch m.(type) {
	case *core.Ping:
		return kindPing
	case *core.Ack:
		return kindAck
	case *core.NotMe:
		return kindNotMe
	case *core.RelayReq:
		return kindRelayReq
	case *core.Nack:
		return kindNack
	case *core.Join:
		return kindJoin
	case *core.Roster:
		return kindRoster
	case *core.News:
		return kindNews
	case *core.Digest:
		return kindDigest
	case *core.Entries:
		return kindEntries
	case *core.Want:
		return kindWant
	case *core.WitnessReq:
		return kindWitnessReq
	case *core.Statement:
		return kindStatement
	case *core.EvidenceReq:
		return kindEvidenceReq
	case *core.Evidence:
		return kindEvidence
	case *core.Rumors:
		return kindRumors
	case *core.IHave:
		return kindIHave
	case *core.Graft:
		return kindGraft
	case *core.Place:
		return kindPlace
	case *core.Heard:
		return kindHeard
	case *core.Seen:
		return kindSeen
	case *core.Hello:
		return kindHello
	case *core.HelloAck:
		return kindHelloAck
	case *core.Unlink:
		return kindUnlink
	case *core.Deaf:
		return kindDeaf
	case *core.Away:
		return kindAway
	case *core.Update:
		return kindUpdate
	case *core.Sync:
		return kindSync
	case *core.Fetch:
		return kindFetch
	case *core.Part:
		return kindPart
	case *core.Heartbeat:
		return kindHeartbeat
	}
	if k := kindOfPetition(m); k != 0 {
		return k
	}
	return kindOfSeeds(m)
}

// noBytes are what is added to a ping.
var noBytes [core.MTU]byte

func appendBody(dst []byte, m core.Message) []byte {
	switch m := m.(type) {
	case *core.Ping:
		dst = binary.BigEndian.AppendUint64(dst, m.Seq)
		dst = binary.BigEndian.AppendUint64(dst, m.Hash)
		dst = append(dst, m.Target[:core.PingTarget]...)
		if m.Rumors != 0 || m.Store != 0 || m.Extra > 0 {
			dst = binary.BigEndian.AppendUint64(dst, m.Rumors)
		}
		if m.Store != 0 {
			return binary.BigEndian.AppendUint64(dst, m.Store)
		}
		return append(dst, noBytes[:m.Extra]...)
	case *core.Ack:
		return binary.BigEndian.AppendUint64(dst, m.Seq)
	case *core.NotMe:
		return binary.BigEndian.AppendUint64(dst, m.Seq)
	case *core.RelayReq:
		dst = binary.BigEndian.AppendUint64(dst, m.Seq)
		return append(dst, m.Target[:]...)
	case *core.Nack:
		return binary.BigEndian.AppendUint64(dst, m.Seq)
	case *core.Join:
		if m.Target.IsZero() {
			return dst
		}
		return append(dst, m.Target[:]...)
	case *core.Roster:
		return appendBool(dst, m.More)
	case *core.Digest:
		return appendDigest(dst, m)
	case *core.Entries:
		return appendEntries(dst, m)
	case *core.Want:
		return appendWant(dst, m)
	case *core.WitnessReq:
		return appendRound(dst, m.Subject, m.Incarnation, m.Round)
	case *core.Statement:
		dst = appendRound(dst, m.Subject, m.Incarnation, m.Round)
		return appendAnswer(dst, &m.Statement)
	case *core.EvidenceReq:
		return append(dst, m.Hash[:]...)
	case *core.Evidence:
		return appendEvidence(dst, m.Evidence)
	case *core.Heartbeat:
		return appendHeartbeat(dst, m)
	case *core.Away:
		dst = binary.AppendUvarint(appendStay(dst, m.Stay), uint64(m.Incarnation))
		dst = append(dst, m.Signature[:]...)
		return binary.AppendUvarint(dst, uint64(m.Left.Milliseconds()))
	}
	if dst, ok := appendPetition(dst, m); ok {
		return dst
	}
	if dst, ok := appendSeeds(dst, m); ok {
		return dst
	}
	if dst, ok := appendStore(dst, m); ok {
		return dst
	}
	return appendRumors(dst, m)
}

// readBody gives the message in d's storage.
func (d *Decoder) readBody(r *reader, k kind) core.Message {
	switch k {
	case kindPing:
		readPing(r, &d.ping)
		return &d.ping
	case kindAck:
		d.ack.Seq = r.uint64()
		return &d.ack
	case kindNotMe:
		d.notMe.Seq = r.uint64()
		return &d.notMe
	case kindRelayReq:
		d.relayReq = core.RelayReq{Seq: r.uint64(), Target: r.id()}
		return &d.relayReq
	case kindNack:
		d.nack.Seq = r.uint64()
		return &d.nack
	case kindJoin:
		d.join = core.Join{}
		if r.left() >= len(d.join.Target) {
			d.join.Target = r.id()
		}
		return &d.join
	case kindRoster:
		d.roster.More = r.bool()
		return &d.roster
	case kindNews:
		return &d.news
	case kindDigest:
		readDigest(r, &d.digest)
		return &d.digest
	case kindEntries:
		d.quiet = 0
		readEntries(r, &d.entries)
		return &d.entries
	case kindWant:
		d.quiet = 0
		readWant(r, &d.want)
		return &d.want
	case kindWitnessReq:
		d.witnessReq.Subject, d.witnessReq.Incarnation, d.witnessReq.Round = readRound(r)
		return &d.witnessReq
	case kindStatement:
		d.statement.Subject, d.statement.Incarnation, d.statement.Round = readRound(r)
		readAnswer(r, &d.statement.Statement)
		return &d.statement
	case kindEvidenceReq:
		d.evidenceReq.Hash = r.hash()
		return &d.evidenceReq
	case kindEvidence:
		return d.evidenceOf(r)
	case kindHeartbeat:
		readHeartbeat(r, &d.heartbeat)
		return &d.heartbeat
	case kindAway:
		d.away = core.Away{Stay: readStay(r), Incarnation: hearsay.Incarnation(r.uvarint()), Signature: r.signature()}
		d.away.Left = time.Duration(min(r.uvarint(), uint64(core.AwayFor.Milliseconds()))) * time.Millisecond
		return &d.away
	}
	if m := readPetition(r, k); m != nil {
		return m
	}
	if m := readSeeds(r, k); m != nil {
		return m
	}
	if m := readStore(r, k); m != nil {
		return m
	}
	return d.readRumors(r, k)
}

func readPing(r *reader, m *core.Ping) {
	*m = core.Ping{Seq: r.uint64(), Hash: r.uint64()}
	copy(m.Target[:], r.take(core.PingTarget))
	if r.left() < 8 {
		return
	}
	m.Rumors = r.uint64()
	m.Extra = min(r.left(), len(noBytes)) // skipped; a stream may bring more
	if r.left() < 8 {
		return
	}
	if m.Store = r.uint64(); m.Store != 0 {
		m.Extra = 0
	}
}

func appendHeartbeat(dst []byte, m *core.Heartbeat) []byte {
	dst = binary.BigEndian.AppendUint32(dst, m.Own)
	dst = binary.AppendUvarint(dst, uint64(len(m.Beats)))
	for _, b := range m.Beats {
		dst = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, b.Key), b.Counter)
	}
	return dst
}

func readHeartbeat(r *reader, m *core.Heartbeat) {
	const beatSize = 4 + 4
	m.Own = r.uint32()
	m.Beats = resize(m.Beats, r.count(core.MaxBeats, beatSize))
	for i := range m.Beats {
		m.Beats[i] = core.Beat{Key: r.uint32(), Counter: r.uint32()}
	}
}

func appendDigest(dst []byte, m *core.Digest) []byte {
	dst = append(dst, m.Bits)
	for _, hash := range m.Hashes {
		dst = binary.BigEndian.AppendUint64(dst, hash)
	}
	return dst
}

func readDigest(r *reader, m *core.Digest) {
	m.Bits = readBits(r)
	m.Hashes = resize(m.Hashes, 1<<m.Bits)
	for i := range m.Hashes {
		m.Hashes[i] = r.uint64()
	}
}

func readBits(r *reader) uint8 {
	bits := r.byte()
	if bits > core.MaxDigestBits {
		r.fail(hearsay.DropMalformed)
		return 0
	}
	return bits
}

func appendEntries(dst []byte, m *core.Entries) []byte {
	dst = append(dst, m.Bits)
	dst = binary.AppendUvarint(dst, uint64(len(m.Buckets)))
	dst = append(dst, m.Buckets...)
	dst = binary.AppendUvarint(dst, uint64(len(m.Items)))
	for i := range m.Items {
		dst = append(dst, m.Items[i].ID[:]...)
		dst = binary.AppendUvarint(dst, uint64(m.Items[i].Incarnation))
	}
	return dst
}

func readEntries(r *reader, m *core.Entries) {
	const itemSizeMin = 16 + 1
	m.Bits = readBits(r)
	m.Buckets = resize(m.Buckets, r.count(1<<m.Bits, 1))
	copy(m.Buckets, r.take(len(m.Buckets)))
	for i, bucket := range m.Buckets {
		if bucket >= 1<<m.Bits || i > 0 && bucket <= m.Buckets[i-1] {
			r.fail(hearsay.DropMalformed)
		}
	}
	m.Items = resize(m.Items, r.count(core.MaxEntries, itemSizeMin))
	for i := range m.Items {
		m.Items[i] = core.Entry{ID: r.id(), Incarnation: hearsay.Incarnation(r.uvarint())}
	}
}

func appendWant(dst []byte, m *core.Want) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(m.IDs)))
	for i := range m.IDs {
		dst = append(dst, m.IDs[i][:]...)
	}
	return dst
}

func readWant(r *reader, m *core.Want) {
	m.IDs = resize(m.IDs, r.count(core.MaxWant, 16))
	for i := range m.IDs {
		m.IDs[i] = r.id()
	}
}
