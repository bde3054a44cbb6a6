package dialect

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hearsay"
)

var (
	peerA = netip.MustParseAddrPort("10.0.0.1:6001")
	peerB = netip.MustParseAddrPort("10.0.0.2:6002")
	seedA = netip.MustParseAddrPort("10.0.0.9:5001")
	noon  = time.UnixMicro(1_700_000_000_500_000)
)

// plainRequests are one of each kind as the older programs make them, and in
// the order of old_requests.jsonl.
func plainRequests() []Request {
	return []Request{
		&Register{Peer: peerA},
		&Vote{Matter: Registration, Proposal: "reg:10.0.0.1:6001", Peer: peerA, Proposer: seedA},
		&Commit{Matter: Registration, Proposal: "reg:10.0.0.1:6001", Committed: true, Peer: peerA, Source: seedA},
		&Commit{Matter: Registration, Proposal: "reg:10.0.0.1:6001", Peer: peerA, Source: seedA},
		&PeerList{Requester: peerA},
		&Hello{Peer: peerA, Degree: 3},
		&Gossip{Text: "1700000000:10.0.0.1:7", Origin: peerA.Addr(), Number: 7, Sender: peerB},
		&Suspect{Peer: peerA, Requester: peerB},
		&DeadReport{Peer: peerA, SelfIP: peerB.Addr(), Timestamp: 1700000000, Reporter: peerB},
		&Vote{Matter: Death, Proposal: "dead:10.0.0.1:6001", Peer: peerA, Proposer: seedA},
		&Commit{Matter: Death, Proposal: "dead:10.0.0.1:6001", Committed: true, Peer: peerA, Source: seedA},
	}
}

// factualRequests are what nodes of ours say.
func factualRequests() []Request {
	facts := []byte{0, 1, 0xfb, 0xff}
	return []Request{
		&Register{Peer: netip.MustParseAddrPort("[2001:db8::1]:6001"), Facts: facts},
		&Vote{Matter: Registration, Proposal: "reg:10.0.0.1:6001", Peer: peerA, Proposer: seedA, Facts: facts},
		&Commit{Matter: Death, Proposal: "dead:10.0.0.1:6001", Peer: peerA, Source: seedA, Facts: facts},
		&PeerList{Requester: peerA, Facts: facts},
		&Hello{Peer: peerA, Degree: 0, Facts: facts},
		&Gossip{Text: "any <text> & \"quotes\", äöü,\nlines\x00", Sender: peerB, Facts: facts},
		&Suspect{Peer: peerA, Requester: peerB, Facts: facts},
		&DeadReport{Peer: peerA, SelfIP: peerB.Addr(), Timestamp: 1700000000, Reporter: peerB, Facts: facts},
	}
}

// exchange is a reply and what it answers.
type exchange struct {
	to    Request
	reply Reply
}

// plainReplies are in the order of old_replies.jsonl.
func plainReplies() []exchange {
	register, report := &Register{Peer: peerA}, &DeadReport{Peer: peerA}
	return []exchange{
		{register, &Outcome{Peer: peerA, Success: true, YesVotes: 3, Quorum: 2}},
		{register, &Outcome{Peer: peerA, YesVotes: 1, Quorum: 2}},
		{register, &Outcome{Peer: peerA, Success: true, Already: true, Quorum: 2}},
		{&Vote{}, &Opinion{Proposal: "reg:10.0.0.1:6001", Vote: true, Voter: seedA}},
		{&Commit{}, &CommitAck{Ack: true}},
		{&PeerList{}, &Peers{Peers: []netip.AddrPort{peerA, peerB}, Seed: seedA}},
		{&Hello{}, &HelloAck{Accepted: true, Peer: peerB, Degree: 4}},
		{&Gossip{}, &GossipAck{Accepted: true}},
		{&Gossip{}, &GossipAck{Accepted: true, Duplicate: true}},
		{&Suspect{}, &SuspectAck{Suspect: peerA, Confirmer: peerB}},
		{report, &Outcome{Matter: Death, Peer: peerA, Success: true, YesVotes: 2, Quorum: 2}},
		{&Vote{Matter: Death}, &Opinion{Matter: Death, Proposal: "dead:10.0.0.1:6001", Voter: seedA}},
		{&Commit{Matter: Death}, &CommitAck{Matter: Death, Ack: true}},
	}
}

func factualReplies() []exchange {
	facts := []byte("facts")
	register, report := &Register{Peer: peerA}, &DeadReport{Peer: peerA}
	return []exchange{
		{register, &Outcome{Peer: peerA, Success: true, YesVotes: 3, Quorum: 2, Facts: facts}},
		{register, &Outcome{Peer: peerA, Quorum: 2, Reason: "only 1 of 3 seeds answers", Facts: facts}},
		{report, &Outcome{Matter: Death, Peer: peerA, Success: true, Already: true, Quorum: 2, Reason: "removed already", Facts: facts}},
		{report, &Outcome{Matter: Death, Peer: peerA, Success: true, Unknown: true, Quorum: 2}},
		{&Vote{}, &Opinion{Proposal: "reg:10.0.0.1:6001", Voter: seedA, Facts: facts}},
		{&Commit{Matter: Death}, &CommitAck{Matter: Death, Reason: "not of this quorum", Facts: facts}},
		{&PeerList{}, &Peers{Peers: []netip.AddrPort{}, Seed: seedA, Facts: facts}},
		{&Hello{}, &HelloAck{Peer: peerB, Facts: facts}},
		{&Gossip{}, &GossipAck{Accepted: true, Facts: facts}},
		{&Gossip{}, &GossipAck{Reason: "empty_message"}},
		{&Suspect{}, &SuspectAck{Suspect: peerA, Alive: true, Confirmer: peerB, Facts: facts}},
		{&Hello{}, &HelloAck{Peer: peerB, Degree: 2, Reason: "no room"}},
		{&Suspect{}, &SuspectAck{Suspect: peerA, Confirmer: peerB, Reason: "it is suspect"}},
	}
}

func roleOf(r Request) hearsay.Role { return servedBy[r.kind()] }

func readFile(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// What the older programs write reads as it should.
func TestOldLines(t *testing.T) {
	lines, want := readFile(t, "old_requests.jsonl"), plainRequests()
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d", len(lines), len(want))
	}
	for i, line := range lines {
		got, reply := ReadRequest([]byte(line), roleOf(want[i]))
		if reply != nil || !reflect.DeepEqual(got, want[i]) {
			t.Errorf("%s: got %+v, reply %+v", line, got, reply)
		}
	}
	replies, exchanges := readFile(t, "old_replies.jsonl"), plainReplies()
	if len(replies) != len(exchanges) {
		t.Fatalf("%d lines, want %d", len(replies), len(exchanges))
	}
	for i, line := range replies {
		got, err := ReadReply([]byte(line+"\n"), exchanges[i].to)
		if err != nil || !reflect.DeepEqual(got, exchanges[i].reply) {
			t.Errorf("%s: got %+v, %v", line, got, err)
		}
	}
}

// What we write is as it was, byte for byte, and reads back.
func TestOurLines(t *testing.T) {
	var all bytes.Buffer
	for _, r := range append(plainRequests(), factualRequests()...) {
		line := AppendRequest(nil, r, noon)
		all.Write(line)
		if bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("\n")) {
			t.Errorf("not one line: %q", line)
		}
		got, reply := ReadRequest(line, roleOf(r))
		if reply != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s: got %+v, reply %+v", line, got, reply)
		}
		if string(FactsOf(got)) != string(FactsOf(r)) {
			t.Errorf("%s: facts %q", line, FactsOf(got))
		}
	}
	for _, e := range append(plainReplies(), factualReplies()...) {
		line := AppendReply(nil, e.reply, noon)
		all.Write(line)
		got, err := ReadReply(line, e.to)
		if err != nil || !reflect.DeepEqual(got, e.reply) {
			t.Errorf("%s: got %+v, %v", line, got, err)
		}
	}
	for _, reply := range []Reply{&VoteAck{Registration}, &VoteAck{Death}, &Refusal{"why"}, &Failure{"why"}} {
		all.Write(AppendReply(nil, reply, noon))
	}
	golden(t, "lines.jsonl", all.String())
}

// Which bad input is answered how, by a peer and by a seed.
func TestBadRequests(t *testing.T) {
	const seed, peer = hearsay.RoleSeed, hearsay.RolePeer
	long := strings.Repeat("x", stringMax+1)
	for _, c := range []struct {
		line   string
		role   hearsay.Role
		answer string // payload, without the end
	}{
		{`{`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"bad JSON: unexpected end of JSON input"`},
		{`{`, peer, `ERROR","payload":{"reason":"bad JSON: unexpected end of JSON input"`},
		{``, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"bad JSON`},
		{`[]`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"bad JSON: want an object, not array"`},
		{`null`, peer, `ERROR","payload":{"reason":"missing field \"type\""`},
		{`{"type":"HELLO","payload":{}} {}`, peer, `ERROR","payload":{"reason":"bad JSON`},
		{`{"payload":{}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"missing field \"type\""`},
		{`{"Type":"HELLO","payload":{}}`, peer, `ERROR","payload":{"reason":"missing field \"type\""`},
		{`{"type":"REGISTER_REQ"}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"missing field \"payload\""`},
		{`{"type":"REGISTER_REQ","payload":null}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"missing field \"payload\""`},
		{`{"type":"REGISTER_REQ","payload":[]}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"payload\": want an object"`},
		{`{"type":7,"payload":{}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"type\": want a string"`},
		{`{"type":"` + long + `","payload":{}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"type\": longer than 256 bytes"`},
		{`{"type":"REGISTER_REQ","payload":{},"ts":"now"}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"ts\": want a number`},
		{`{"type":"FOO","payload":{}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"Unknown type: \"FOO\""`},
		{`{"type":"FOO","payload":{}}`, peer, `ERROR","payload":{"reason":"Unknown type: \"FOO\""`},
		{`{"type":"HELLO","payload":{}}`, seed, `ERROR","payload":{"reason":"Unsupported type: HELLO"`},
		{`{"type":"REGISTER_REQ","payload":{}}`, peer, `ERROR","payload":{"reason":"Unsupported type: REGISTER_REQ"`},
		{`{"type":"PEER_LIST_RESP","payload":{}}`, seed, `ERROR","payload":{"reason":"Unsupported type: PEER_LIST_RESP"`},
		{`{"type":"ERROR","payload":{}}`, peer, `ERROR","payload":{"reason":"Unsupported type: ERROR"`},

		{`{"type":"REGISTER_REQ","payload":{"peer_port":1}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"missing field \"peer_ip\""`},
		{`{"type":"REGISTER_REQ","payload":{"peer_ip":"10.0.0.1"}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"missing field \"peer_port\""`},
		{`{"type":"REGISTER_REQ","payload":{"peer_ip":"10.0.0.1","peer_port":0}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"peer_port\": want an integer, 1 to 65535"`},
		{`{"type":"REGISTER_REQ","payload":{"peer_ip":"10.0.0.1","peer_port":1e99}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"peer_port\": want an integer`},
		{`{"type":"REGISTER_REQ","payload":{"peer_ip":"10.0.0.1","peer_port":1.5}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"peer_port\": want an integer`},
		{`{"type":"REGISTER_REQ","payload":{"peer_ip":"a.example","peer_port":1}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"peer_ip\": want an IP address`},
		{`{"type":"REGISTER_REQ","payload":{"peer_ip":"0.0.0.0","peer_port":1}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"peer_ip\": want an IP address that others can reach`},
		{`{"type":"REGISTER_REQ","payload":{"peer_ip":"10.0.0.1","peer_port":1,"hearsay":"!"}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"hearsay\": want base64"`},
		{`{"type":"DEAD_REPORT","payload":{}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"missing field \"dead_ip\""`},
		{`{"type":"DEAD_REPORT","payload":{"dead_ip":"10.0.0.1","dead_port":1,"timestamp":-1}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"timestamp\": want an integer`},
		{`{"type":"PEER_LIST_REQ","payload":{"requester":"me"}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"requester\": want \"ip:port\""`},
		{`{"type":"REGISTER_VOTE","payload":{}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"missing field \"action\""`},
		{`{"type":"REGISTER_VOTE","payload":{"action":"SHOUT"}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"action\": want \"REQUEST\" or \"RESPONSE\""`},
		{`{"type":"REGISTER_VOTE","payload":{"action":"RESPONSE","vote":true}}`, seed, `REGISTER_VOTE","payload":{"vote":false,"ack_only":true`},
		{`{"type":"SEED_DEAD_VOTE","payload":{"action":"RESPONSE","vote":true}}`, seed, `SEED_DEAD_VOTE","payload":{"vote":false,"ack_only":true`},
		{`{"type":"SEED_DEAD_COMMIT","payload":{"dead_ip":"::1","dead_port":1,"decision":"MAYBE"}}`, seed, `REGISTER_COMMIT","payload":{"success":false,"error":"field \"decision\": want \"COMMIT\" or \"ABORT\""`},
		{`{"type":"HELLO","payload":{"peer_ip":"10.0.0.1","peer_port":1,"degree":-1}}`, peer, `ERROR","payload":{"reason":"field \"degree\": want an integer`},
		{`{"type":"GOSSIP_MSG","payload":{}}`, peer, `GOSSIP_MSG","payload":{"accepted":false,"reason":"empty_message"`},
		{`{"type":"GOSSIP_MSG","payload":{"message":""}}`, peer, `GOSSIP_MSG","payload":{"accepted":false,"reason":"empty_message"`},
		{`{"type":"GOSSIP_MSG","payload":{"message":7}}`, peer, `ERROR","payload":{"reason":"field \"message\": want a string"`},

		{`{"type":` + strings.Repeat("[", 100), seed, `REGISTER_COMMIT","payload":{"success":false,"error":"bad JSON: nested deeper than 16"`},
		{`{"type":"` + strings.Repeat("x", RequestLineMax), peer, `ERROR","payload":{"reason":"line longer than 8192 bytes"`},
	} {
		request, reply := ReadRequest([]byte(c.line), c.role)
		if request != nil || reply == nil {
			t.Errorf("%.80s: request %+v, reply %+v", c.line, request, reply)
			continue
		}
		got := string(AppendReply(nil, reply, noon))
		if !strings.HasPrefix(got, `{"type":"`+c.answer) {
			t.Errorf("%.80s of a %s: got %s, want %s", c.line, c.role, got, c.answer)
		}
	}
}

// What people and old programs may write is read in their sense.
func TestGenerous(t *testing.T) {
	for line, want := range map[string]Request{
		`{"type":"REGISTER_REQ","payload":{"peer_ip":"localhost","peer_port":"6001","more":{"of":["it"]}}}`:              &Register{Peer: netip.MustParseAddrPort("127.0.0.1:6001")},
		` {"ts":1,"payload":{"peer_port":6001.0,"peer_ip":"::ffff:10.0.0.1"},"type":"REGISTER_REQ"} `:                    &Register{Peer: peerA},
		`{"type":"PEER_LIST_REQ","payload":{},"more":1}`:                                                                 &PeerList{},
		`{"type":"PEER_LIST_REQ","payload":{"requester":null}}`:                                                          &PeerList{},
		`{"type":"PEER_LIST_REQ","payload":{"requester":"::1:6001"}}`:                                                    &PeerList{Requester: netip.MustParseAddrPort("[::1]:6001")},
		`{"type":"DEAD_REPORT","payload":{"dead_ip":"10.0.0.1","dead_port":6001}}`:                                       &DeadReport{Peer: peerA},
		`{"type":"SEED_DEAD_VOTE","payload":{"action":"REQUEST","dead_ip":"10.0.0.1","dead_port":6001}}`:                 &Vote{Matter: Death, Proposal: "dead:10.0.0.1:6001", Peer: peerA},
		`{"type":"REGISTER_COMMIT","payload":{"decision":"ABORT","peer_ip":"10.0.0.1","peer_port":6001}}`:                &Commit{Proposal: "reg:10.0.0.1:6001", Peer: peerA},
		`{"type":"HELLO","payload":{"peer_ip":"10.0.0.1","peer_port":6001}}`:                                             &Hello{Peer: peerA, Degree: 1},
		`{"type":"GOSSIP_MSG","payload":{"message":"1700000000:10.0.0.1:7"}}`:                                            &Gossip{Text: "1700000000:10.0.0.1:7", Origin: peerA.Addr(), Number: 7},
		`{"type":"GOSSIP_MSG","payload":{"message":"1:10.0.0.1:7","msg_no":8,"origin_ip":"10.0.0.2"}}`:                   &Gossip{Text: "1:10.0.0.1:7", Origin: peerB.Addr(), Number: 8},
		`{"type":"GOSSIP_MSG","payload":{"message":"hello: there"}}`:                                                     &Gossip{Text: "hello: there"},
		`{"type":"SUSPECT_REQ","payload":{"dead_ip":"10.0.0.1","dead_port":6001,"requester":""}}`:                        &Suspect{Peer: peerA},
		`{"type":"SUSPECT_REQ","payload":{"dead_ip":"10.0.0.9","dead_ip":"10.0.0.1","dead_port":6001,"hearsay":"Zg=="}}`: &Suspect{Peer: peerA, Facts: []byte("f")},
	} {
		got, reply := ReadRequest([]byte(line), roleOf(want))
		if reply != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, reply %+v", line, got, reply)
		}
	}
}

func TestBadReplies(t *testing.T) {
	for _, c := range []struct {
		line    string
		to      Request
		want    string
		refused bool
	}{
		{`{"type":"ERROR","payload":{"reason":"Unsupported type: HELLO"}}`, &Hello{}, `refused: "Unsupported type: HELLO"`, true},
		{`{"type":"ERROR","payload":{}}`, &Hello{}, `refused: ""`, true},
		{`{"type":"REGISTER_COMMIT","payload":{"success":false,"error":"bad"}}`, &PeerList{}, `refused: "bad"`, true},
		{`{"type":"REGISTER_COMMIT","payload":{"success":false,"error":"bad"}}`, &Register{}, `refused: "bad"`, true},
		{`{"type":"REGISTER_COMMIT","payload":{"success":false,"error":"bad"}}`, &Commit{}, `refused: "bad"`, true},
		{`{"type":"ERROR","payload":{"reason":"` + strings.Repeat("x", 1000) + `"}}`, &Hello{}, `xxx"…`, true},
		{`{"type":"HELLO_ACK","payload":{}}`, &Register{}, `reply to REGISTER_REQ: it is of type "HELLO_ACK", want REGISTER_COMMIT`, false},
		{`{"type":"REGISTER_COMMIT","payload":{}}`, &Register{}, `reply to REGISTER_REQ: missing field "success"`, false},
		{`{"type":"SUSPECT_ACK","payload":{"alive":"no"}}`, &Suspect{}, `field "alive": want true or false`, false},
		{`{"type":"PEER_LIST_RESP","payload":{}}`, &PeerList{}, `missing field "peers"`, false},
		{`{"type":"PEER_LIST_RESP","payload":{"peers":[1]}}`, &PeerList{}, `field "peers": want a list`, false},
		{`{"type":"PEER_LIST_RESP","payload":{"peers":["x"]}}`, &PeerList{}, `field "peers": "x": want "ip:port"`, false},
		{`HTTP/1.1 400 Bad Request`, &PeerList{}, `reply to PEER_LIST_REQ: bad JSON`, false},
		{strings.Repeat(" ", ReplyLineMax+1), &PeerList{}, `line longer than 1048576 bytes`, false},
	} {
		reply, err := ReadReply([]byte(c.line), c.to)
		_, refused := errors.AsType[*RefusedError](err)
		if err == nil || !strings.Contains(err.Error(), c.want) || refused != c.refused {
			t.Errorf("%.80s: got %+v, %v", c.line, reply, err)
		}
	}
}

// A list is sorted as text, whatever order it came in.
func TestPeersAreSorted(t *testing.T) {
	line := AppendReply(nil, &Peers{Peers: []netip.AddrPort{peerB, netip.MustParseAddrPort("10.0.0.10:1"), peerA}, Seed: seedA}, noon)
	if want := `"peers":["10.0.0.10:1","10.0.0.1:6001","10.0.0.2:6002"]`; !bytes.Contains(line, []byte(want)) {
		t.Errorf("got %s, want %s", line, want)
	}
}

func TestTexts(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	if got := DeathText(peerA, at, peerB.Addr()); got != "Dead Node:10.0.0.1:6001:1700000000:10.0.0.2" {
		t.Error(got)
	}
	for _, origin := range []string{"10.0.0.1", "::1", "2001:db8::7"} {
		text := Text(at, netip.MustParseAddr(origin), 9)
		when, ip, number, ok := ParseText(text)
		if !ok || !when.Equal(at) || ip.String() != origin || number != 9 {
			t.Errorf("%s: got %v %v %d %v", text, when, ip, number, ok)
		}
	}
	for _, text := range []string{"", ":", "::", "1:2:3", "-1:10.0.0.1:1", "1:10.0.0.1:-1", "1.5:10.0.0.1:1", "1:10.0.0.1", "1:a:1"} {
		if _, _, _, ok := ParseText(text); ok {
			t.Errorf("%q is a text", text)
		}
	}
}

func TestOpensCase(t *testing.T) {
	opens := 0
	for _, r := range plainRequests() {
		if OpensCase(r) {
			opens++
		}
	}
	if opens != 4 {
		t.Errorf("%d open cases, want a registration, two votes and a report", opens)
	}
}

// FuzzReadRequest: whatever comes, there is a request or a reply, both have a
// line, and what was read reads the same once more.
func FuzzReadRequest(f *testing.F) {
	for _, r := range append(plainRequests(), factualRequests()...) {
		f.Add(AppendRequest(nil, r, noon), true)
	}
	f.Fuzz(func(t *testing.T, line []byte, seed bool) {
		role := hearsay.RolePeer
		if seed {
			role = hearsay.RoleSeed
		}
		request, reply := ReadRequest(line, role)
		if (request == nil) == (reply == nil) {
			t.Fatalf("request %+v, reply %+v", request, reply)
		}
		if reply != nil {
			if answer := AppendReply(nil, reply, noon); len(answer) > 2*RequestLineMax || bytes.Count(answer, []byte("\n")) != 1 {
				t.Fatalf("answered with %q", answer)
			}
			return
		}
		again, reply := ReadRequest(AppendRequest(nil, request, noon), role)
		if reply != nil || !reflect.DeepEqual(again, request) {
			t.Fatalf("%+v reads as %+v, reply %+v", request, again, reply)
		}
	})
}

// FuzzReadReply is the same for what comes back.
func FuzzReadReply(f *testing.F) {
	requests := []Request{&Register{Peer: peerA}, &DeadReport{Peer: peerA}, &Vote{}, &Vote{Matter: Death}, &Commit{}, &Commit{Matter: Death}, &PeerList{}, &Hello{}, &Gossip{}, &Suspect{}}
	for _, e := range append(plainReplies(), factualReplies()...) {
		f.Add(AppendReply(nil, e.reply, noon), uint8(0))
	}
	f.Fuzz(func(t *testing.T, line []byte, n uint8) {
		to := requests[int(n)%len(requests)]
		reply, err := ReadReply(line, to)
		if err != nil {
			return
		}
		if peers, ok := reply.(*Peers); ok && len(peers.Peers) > 1 {
			return // comes back sorted
		}
		first := AppendReply(nil, reply, noon)
		again, err := ReadReply(first, to)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if second := AppendReply(nil, again, noon); !bytes.Equal(first, second) {
			t.Fatalf("%s reads as %s", first, second)
		}
	})
}
