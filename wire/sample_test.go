package wire

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

var testNetwork = hearsay.NetworkIDOf("test")

// Names of the samples, easy to find in a dump.
var (
	idA = hearsay.NodeID(bytes.Repeat([]byte{0xaa}, 16))
	idB = hearsay.NodeID(bytes.Repeat([]byte{0xbb}, 16))

	pinged = targetOf(idB)
	idC    = hearsay.NodeID(bytes.Repeat([]byte{0xcc}, 16))

	originA, originB = clock.Origin(idA), clock.Origin(idB)

	addr4 = netip.MustParseAddrPort("192.0.2.7:7946")
	addr6 = netip.MustParseAddrPort("[2001:db8::7]:7946")
)

// sampleTime is an incarnation and a time in Unix milliseconds.
const sampleTime = 1_763_633_000_000

// targetOf is what a ping carries of a target's identity.
func targetOf(id hearsay.NodeID) (target hearsay.NodeID) {
	copy(target[:], id[:core.PingTarget])
	return target
}

// sample is a packet, its kind, and how long each of its fields is. The
// layout is written by hand, in the words of the package doc, so that it checks
// the encoder.
type sample struct {
	name, says   string
	kind         kind
	body         core.Message
	bodyLayout   string
	claims       []hearsay.Claim
	claimsLayout string
}

const answerLayout = "observer 16 · verdict 1 · at u · signature 64"

// samples has one packet of each kind; the claims of all sorts ride on News.
func samples() []sample {
	return slices.Concat(seedSamples(), petitionSamples(), storeSamples(), []sample{
		{name: "ping", kind: kindPing, says: "is B there?", body: &core.Ping{Seq: 300, Target: pinged, Hash: 0x0123456789abcdef}, bodyLayout: "seq 8 · hash 8 · target 8"},
		{
			name: "ping-rumors", kind: kindPing, says: "the same, and what rumors I have seen, in a word",
			body: &core.Ping{Seq: 300, Target: pinged, Hash: 0x0123456789abcdef, Rumors: 0xfedcba9876543210}, bodyLayout: "seq 8 · hash 8 · target 8 · rumors 8",
		},
		{
			name: "ping-store", kind: kindPing, says: "the same, and what my store is",
			body:       &core.Ping{Seq: 300, Target: pinged, Hash: 0x0123456789abcdef, Store: 0x0f1e2d3c4b5a6978},
			bodyLayout: "seq 8 · hash 8 · target 8 · rumors 8 · store 8",
		},
		{name: "ack", kind: kindAck, says: "yes", body: &core.Ack{Seq: 300}, bodyLayout: "seq 8"},
		{name: "not-me", kind: kindNotMe, says: "there is somebody else here", body: &core.NotMe{Seq: 5}, bodyLayout: "seq 8"},
		{name: "relay-req", kind: kindRelayReq, says: "ping B for me", body: &core.RelayReq{Seq: 301, Target: idB}, bodyLayout: "seq 8 · target 16"},
		{name: "nack", kind: kindNack, says: "B did not answer me in time", body: &core.Nack{Seq: 301}, bodyLayout: "seq 8"},
		{
			name: "join", kind: kindJoin, says: "the first word to a member", body: &core.Join{},
			claims: []hearsay.Claim{full(hearsay.StateAlive, "a", addr4)}, claimsLayout: "# alive: length u · head 1 · subject 16 · incarnation u · " + cardLayout4 + " · name 1",
		},
		{name: "join-one", kind: kindJoin, says: "the same to one who was there before", body: &core.Join{Target: idB}, bodyLayout: "target 16"},
		{name: "roster", kind: kindRoster, says: "some members, more to come", body: &core.Roster{More: true}, bodyLayout: "more 1"},
		{name: "news", kind: kindNews, says: "one claim of each sort", body: &core.News{}, claims: sampleClaims(), claimsLayout: sampleClaimsLayout},
		{
			name: "digest", kind: kindDigest, says: "four buckets", body: &core.Digest{Bits: 2, Hashes: []uint64{0, 1, 1 << 63, 3}},
			bodyLayout: "bits 1 · hash-0 8 · hash-1 8 · hash-2 8 · hash-3 8",
		},
		{
			name: "entries", kind: kindEntries, says: "two of the four buckets, opened",
			body:       &core.Entries{Bits: 2, Buckets: []uint8{0, 3}, Items: []core.Entry{{ID: idA, Incarnation: sampleTime}, {ID: idB, Incarnation: 1}}},
			bodyLayout: "bits 1 · buckets u · bucket 1 · bucket 1 · items u · id 16 · incarnation u · id 16 · incarnation u",
		},
		{name: "want", kind: kindWant, says: "who are B and C?", body: &core.Want{IDs: []hearsay.NodeID{idB, idC}}, bodyLayout: "ids u · id 16 · id 16"},
		{
			name: "witness-req", kind: kindWitnessReq, says: "probe B now", body: &core.WitnessReq{Subject: idB, Incarnation: sampleTime, Round: 0xfeedface},
			bodyLayout: "subject 16 · incarnation u · round 8",
		},
		{
			name: "statement", kind: kindStatement, says: "B did not answer", body: answer(idA, hearsay.VerdictUnreachable),
			bodyLayout: "subject 16 · incarnation u · round 8 · " + answerLayout,
		},
		{name: "evidence-req", kind: kindEvidenceReq, says: "why should I believe that?", body: &core.EvidenceReq{Hash: hearsay.Hash{31: 9}}, bodyLayout: "hash 32"},
		{
			name: "evidence", kind: kindEvidence, says: "two of three observers are against B", body: &core.Evidence{Evidence: sampleEvidence()},
			bodyLayout: "subject 16 · incarnation u · round 8 · rule 1 · accuser 16 · suspected u · condemned u · observers 1 · needed 1 · statements u · " +
				answerLayout + " · " + answerLayout,
		},
		{
			name: "rumors", kind: kindRumors, says: "three rumors of two origins; and there were more of A that are gone",
			body: &core.Rumors{
				Items: []hearsay.Rumor{
					{ID: clock.Dot{Origin: originA, Counter: 300}, Age: 1500 * time.Millisecond, Hops: 3, Data: []byte("hello")},
					{ID: clock.Dot{Origin: originA, Counter: 301}, Data: []byte{0xff}},
					{ID: clock.Dot{Origin: originB, Counter: 1}, Age: 5 * time.Millisecond, Hops: 255, Data: []byte("hello")},
				},
				Missed: []core.SeenRange{{Origin: originA, Range: clock.Range{Low: 1, High: 299}}},
			},
			bodyLayout: "rumors u · origin 16 · run u · " +
				"number u · age u · hops 1 · length u · data 5 · number u · age u · hops 1 · length u · data 1 · " +
				"origin 16 · run u · number u · age u · hops 1 · length u · data 5 · " +
				"missed u · origin 16 · run u · low u · beyond u",
		},
		{
			name: "i-have", kind: kindIHave, says: "three rumors of two origins, should they be lacking",
			body:       &core.IHave{IDs: []clock.Dot{{Origin: originA, Counter: 1}, {Origin: originA, Counter: 300}, {Origin: originB, Counter: 7}}, Hops: []uint8{0, 1, 255}, Late: true},
			bodyLayout: "ids u · origin 16 · run u · number u · number u · origin 16 · run u · number u · late 1 · hops u · hop 1 · hop 1 · hop 1",
		},
		{
			name: "graft", kind: kindGraft, says: "that one is lacking", body: &core.Graft{IDs: []clock.Dot{{Origin: originA, Counter: 300}}},
			bodyLayout: "ids u · origin 16 · run u · number u",
		},
		{
			name: "place", kind: kindPlace, says: "two hops from the root, below the receiver",
			body:       &core.Place{Root: hearsay.NodeID(originA), Hops: 2, Parent: true, Number: 7, Heard: 1 << 31},
			bodyLayout: "root 16 · hops 1 · flags 1 · number 4 · heard 4",
		},
		{name: "heard", kind: kindHeard, says: "all that was heard, in a word", body: &core.Heard{Hash: 0x0123456789abcdef}, bodyLayout: "hash 8"},
		{
			name: "seen", kind: kindSeen, says: "all of A but one, and one of B; what has the other?",
			body: &core.Seen{
				Answer: true,
				Ranges: []core.SeenRange{
					{Origin: originA, Range: clock.Range{Low: 1, High: 299}},
					{Origin: originA, Range: clock.Range{Low: 301, High: 1000}},
					{Origin: originB, Range: clock.Range{Low: 1<<64 - 1, High: 1<<64 - 1}},
				},
			},
			bodyLayout: "flags 1 · ranges u · origin 16 · run u · low u · beyond u · low u · beyond u · origin 16 · run u · low u · beyond u",
		},
		{
			name: "seen-part", kind: kindSeen, says: "of the origins from A on, below B: one rumor",
			body: &core.Seen{
				Of:     core.Span{From: originA, To: originB},
				Ranges: []core.SeenRange{{Origin: originA, Range: clock.Range{Low: 7, High: 7}}},
			},
			bodyLayout: "flags 1 · from 16 · to 16 · ranges u · origin 16 · run u · low u · beyond u",
		},
		{name: "hello", kind: kindHello, says: "shall we be neighbors? I have 3", body: &core.Hello{Degree: 3}, bodyLayout: "degree 1"},
		{name: "hello-ack", kind: kindHelloAck, says: "yes; now I have 5", body: &core.HelloAck{Accepted: true, Degree: 5}, bodyLayout: "accepted 1 · degree 1"},
		{name: "unlink", kind: kindUnlink, says: "neighbors no more", body: &core.Unlink{}},
		{name: "deaf", kind: kindDeaf, says: "datagrams do not come here", body: &core.Deaf{}},
		{
			name: "heartbeat", kind: kindHeartbeat, says: "my counter is at 5; those of two others",
			body:       &core.Heartbeat{Own: 5, Beats: []core.Beat{{Key: 0x0a0b0c0d, Counter: 7}, {Key: 0xfffefdfc, Counter: 1 << 31}}},
			bodyLayout: "own 4 · count u · key 4 · counter 4 · key 4 · counter 4",
		},
		{
			name: "away", kind: kindAway, says: "A is back soon",
			body:       &core.Away{Stay: hearsay.Stay{ID: idA, Epoch: 7}, Incarnation: sampleTime, Signature: hearsay.Signature{0x51, 63: 0x52}, Left: 9 * time.Second},
			bodyLayout: "id 16 · epoch 8 · incarnation u · signature 64 · left u",
		},
	})
}

func answer(observer hearsay.NodeID, verdict hearsay.Verdict) *core.Statement {
	return &core.Statement{Statement: hearsay.Statement{
		Subject: idB, Incarnation: sampleTime, Round: 0xfeedface, Observer: observer, Verdict: verdict,
		At: sampleTime + 60_000, Signature: hearsay.Signature(bytes.Repeat([]byte{0x51}, 64)),
	}}
}

func sampleEvidence() *hearsay.Evidence {
	return &hearsay.Evidence{
		Subject: idB, Incarnation: sampleTime, Round: 0xfeedface, Rule: hearsay.RuleMajority, Accuser: idA,
		Suspected: sampleTime + 59_000, Condemned: sampleTime + 61_000, Observers: 3, Needed: 2,
		Statements: []hearsay.Statement{answer(idA, hearsay.VerdictUnreachable).Statement, answer(idC, hearsay.VerdictUnreachable).Statement},
	}
}

// The cards of full, before the name.
const (
	cardLayout4 = "key 32 · signature 64 · ip-length 1 · ip 4 · port 2 · name-length 1"
	cardLayout6 = "key 32 · signature 64 · ip-length 1 · ip 16 · port 2 · name-length 1"
)

// full gives a claim with a card; the key and signature are only bytes.
func full(state hearsay.State, name string, addr netip.AddrPort) hearsay.Claim {
	return hearsay.Claim{
		Subject: idA, State: state, Incarnation: sampleTime,
		Card: hearsay.Card{
			Key: hearsay.PublicKey(bytes.Repeat([]byte{0x4b}, 32)), Name: name, Addr: addr, Role: hearsay.RolePeer,
			Signature: hearsay.Signature(bytes.Repeat([]byte{0x51}, 64)),
		},
	}
}

func sampleClaims() []hearsay.Claim {
	alive := full(hearsay.StateAlive, "grün", addr4)
	seed := full(hearsay.StateAlive, "s1", addr6)
	seed.Card.Role = hearsay.RoleSeed
	left := full(hearsay.StateLeft, "bye", addr4)
	left.Age = 10 * time.Second
	return []hearsay.Claim{
		alive, seed, left,
		{Subject: idB, State: hearsay.StateAlive, Incarnation: 1},
		{Subject: idB, State: hearsay.StateSuspect, Incarnation: sampleTime, By: idC},
		{Subject: idB, State: hearsay.StateDead, Incarnation: sampleTime, By: idC, Evidence: hearsay.Hash{0: 0xe0, 31: 0x0e}, Age: 5 * time.Minute},
	}
}

const sampleClaimsLayout = "# alive: length u · head 1 · subject 16 · incarnation u · " + cardLayout4 + " · name 5 · " +
	"# alive, a seed on IPv6: length u · head 1 · subject 16 · incarnation u · " + cardLayout6 + " · name 2 · " +
	"# left: length u · head 1 · subject 16 · incarnation u · age u · " + cardLayout4 + " · name 3 · " +
	"# alive, bare: length u · head 1 · subject 16 · incarnation u · " +
	"# suspect, bare: length u · head 1 · subject 16 · incarnation u · by 16 · " +
	"# dead, bare: length u · head 1 · subject 16 · incarnation u · by 16 · evidence 32 · age u"
