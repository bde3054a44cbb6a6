package dialect

import (
	"bytes"
	"encoding/json"
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

// plainRequests are one of each kind, in the order of old_requests.jsonl, in which the older
// programs have written them.
func plainRequests() []Request {
	return []Request{
		&Register{Peer: peerA},
		&Vote{Matter: Registration, Proposal: "reg:10.0.0.1:6001", Peer: peerA},
		&Commit{Matter: Registration},
		&Commit{Matter: Registration},
		&PeerList{},
		&Hello{Peer: netip.MustParseAddrPort("10.0.0.1:6001"), Degree: 3},
		&Gossip{Text: "1700000000:10.0.0.1:7", Sender: netip.MustParseAddrPort("10.0.0.2:6002")},
		&Suspect{Peer: peerA, Requester: peerB},
		&DeadReport{Peer: peerA},
		&Vote{Matter: Death, Proposal: "dead:10.0.0.1:6001", Peer: peerA},
		&Commit{Matter: Death},
	}
}

// plainReplies are in the order of old_replies.jsonl.
func plainReplies() []Reply {
	return []Reply{
		&Outcome{Peer: peerA, Success: true, YesVotes: 3, Quorum: 2},
		&Outcome{Peer: peerA, YesVotes: 1, Quorum: 2},
		&Outcome{Peer: peerA, Success: true, Already: true, Quorum: 2},
		&Opinion{Proposal: "reg:10.0.0.1:6001", Vote: true, Voter: seedA},
		&CommitAck{Ack: true},
		&Peers{Peers: []netip.AddrPort{peerA, peerB}, Seed: seedA},
		&HelloAck{Accepted: true, Peer: peerB, Degree: 4},
		&GossipAck{Accepted: true},
		&GossipAck{Accepted: true, Duplicate: true},
		&SuspectAck{Suspect: peerA, Confirmer: peerB},
		&Outcome{Matter: Death, Peer: peerA, Success: true, YesVotes: 2, Quorum: 2},
		&Opinion{Matter: Death, Proposal: "dead:10.0.0.1:6001", Voter: seedA},
		&CommitAck{Matter: Death, Ack: true},
	}
}

// oddReplies are less common.
func oddReplies() []Reply {
	return []Reply{
		&Outcome{Peer: netip.MustParseAddrPort("[2001:db8::1]:6001"), Quorum: 2, Reason: "only 1 of 3 <seeds> & \"äöü\",\nlines\x00"},
		&Outcome{Matter: Death, Peer: peerA, Success: true, Already: true, Quorum: 2, Reason: "removed already"},
		&Outcome{Matter: Death, Peer: peerA, Success: true, Unknown: true, Quorum: 2},
		&Opinion{Proposal: "reg:10.0.0.1:6001", Voter: seedA},
		&CommitAck{Matter: Death, Reason: "not of this quorum"},
		&Peers{Seed: seedA},
		&HelloAck{Peer: peerB, Degree: 2, Reason: "no room"},
		&GossipAck{Reason: "empty_message"},
		&SuspectAck{Suspect: peerA, Alive: true, Confirmer: peerB},
		&SuspectAck{Suspect: peerA, Confirmer: peerB, Reason: "it is suspect"},
		&VoteAck{Registration}, &VoteAck{Death}, &Refusal{"why"}, &Failure{"why", nil}, &Failure{"why", []byte("facts")},
	}
}

// roleOf gives a node that answers a line.
func roleOf(line string) hearsay.Role {
	var of struct{ Type string }
	json.Unmarshal([]byte(line), &of)
	return messages[of.Type].of
}

func readFile(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// What the older programs write reads as it should.
func TestOldRequests(t *testing.T) {
	lines, want := readFile(t, "old_requests.jsonl"), plainRequests()
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d", len(lines), len(want))
	}
	for i, line := range lines {
		got, reply := ReadRequest([]byte(line), roleOf(line))
		if reply != nil || !reflect.DeepEqual(got, want[i]) {
			t.Errorf("%s: got %+v, reply %+v", line, got, reply)
		}
	}
}

// What we write says what the older programs write, field for field.
func TestOldReplies(t *testing.T) {
	type said struct {
		Type    string
		Payload map[string]any
	}
	lines, replies := readFile(t, "old_replies.jsonl"), plainReplies()
	if len(lines) != len(replies) {
		t.Fatalf("%d lines, want %d", len(lines), len(replies))
	}
	for i, line := range lines {
		var want, got said
		ours := AppendReply(nil, replies[i], noon)
		if err := errors.Join(json.Unmarshal([]byte(line), &want), json.Unmarshal(ours, &got)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %swant %s, %v", ours, line, err)
		}
	}
}

// What we write is as it was, byte for byte.
func TestOurLines(t *testing.T) {
	all := AppendProbe(nil, peerB, noon)
	if got, reply := ReadRequest(all, hearsay.RolePeer); got != nil || !reflect.DeepEqual(reply, &Failure{Reason: "Unsupported type: PEER_LIST_REQ"}) {
		t.Errorf("a peer is asked %+v, and answers %+v", got, reply)
	}
	replies := append(plainReplies(), oddReplies()...)
	for _, reply := range replies {
		line := AppendReply(nil, reply, noon)
		all = append(all, line...)
		want := []byte(nil)
		if failure, is := reply.(*Failure); is {
			want = failure.Facts
		}
		if got, err := ReadProbed(line); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %q, %v", line, got, err)
		}
	}
	if lines := bytes.Count(all, []byte("\n")); lines != 1+len(replies) {
		t.Errorf("%d lines", lines)
	}
	golden(t, "lines.jsonl", string(all))
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
		`{"type":"PEER_LIST_REQ","payload":{"requester":"::1:6001"}}`:                                                    &PeerList{},
		`{"type":"DEAD_REPORT","payload":{"dead_ip":"10.0.0.1","dead_port":6001}}`:                                       &DeadReport{Peer: peerA},
		`{"type":"SEED_DEAD_VOTE","payload":{"action":"REQUEST","dead_ip":"10.0.0.1","dead_port":6001}}`:                 &Vote{Matter: Death, Proposal: "dead:10.0.0.1:6001", Peer: peerA},
		`{"type":"REGISTER_COMMIT","payload":{"decision":"ABORT","peer_ip":"10.0.0.1","peer_port":6001}}`:                &Commit{},
		`{"type":"HELLO","payload":{"peer_ip":"10.0.0.1","peer_port":6001}}`:                                             &Hello{Peer: peerA},
		`{"type":"GOSSIP_MSG","payload":{"message":"hello: there"}}`:                                                     &Gossip{Text: "hello: there"},
		`{"type":"SUSPECT_REQ","payload":{"dead_ip":"10.0.0.1","dead_port":6001,"requester":""}}`:                        &Suspect{Peer: peerA},
		`{"type":"SUSPECT_REQ","payload":{"dead_ip":"10.0.0.1","dead_port":6001,"requester":"::1:6001"}}`:                &Suspect{Peer: peerA, Requester: netip.MustParseAddrPort("[::1]:6001")},
		`{"type":"SUSPECT_REQ","payload":{"dead_ip":"10.0.0.9","dead_ip":"10.0.0.1","dead_port":6001,"hearsay":"Zg=="}}`: &Suspect{Peer: peerA},
	} {
		got, reply := ReadRequest([]byte(line), roleOf(line))
		if reply != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, reply %+v", line, got, reply)
		}
	}
}

// Whatever line comes back for a probe its sender lives; what is no line is no answer.
func TestBadReplies(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`{"type":"ERROR","payload":{"reason":"Unsupported type: PEER_LIST_REQ"}}`, ""},
		{`{"type":"ERROR","payload":{}}`, ""},
		{`{"type":"REGISTER_COMMIT","payload":{"success":false,"error":"bad"}}`, ""},
		{`{"type":"X","payload":{}}`, ""},
		{`{"type":"ERROR"}`, `reply to PEER_LIST_REQ: missing field "payload"`},
		{`{"type":"ERROR","payload":{"hearsay":"!"}}`, `field "hearsay": want base64`},
		{`HTTP/1.1 400 Bad Request`, `reply to PEER_LIST_REQ: bad JSON`},
		{strings.Repeat(" ", ReplyLineMax+1), `line longer than 1048576 bytes`},
	} {
		facts, err := ReadProbed([]byte(c.line))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || facts != nil {
			t.Errorf("%.80s: got %q, %v", c.line, facts, err)
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
	for _, origin := range []string{"10.0.0.1", "::1", "2001:db8::7"} {
		text := Text(at, netip.MustParseAddr(origin), 9)
		if want := "1700000000:" + origin + ":9"; text != want || !IsText(text) {
			t.Errorf("%s: want the text %s", text, want)
		}
	}
	for _, text := range []string{"", ":", "::", "1:2:3", "-1:10.0.0.1:1", "1:10.0.0.1:-1", "1.5:10.0.0.1:1", "1:10.0.0.1", "1:a:1"} {
		if IsText(text) {
			t.Errorf("%q is a text", text)
		}
	}
}

func TestCases(t *testing.T) {
	opens := 0
	for _, r := range plainRequests() {
		if r.Work() == Case {
			opens++
		}
	}
	if opens != 4 {
		t.Errorf("%d open cases, want a registration, two votes and a report", opens)
	}
}

// FuzzReadRequest: whatever comes, there is a request or a reply, and the reply is one line.
func FuzzReadRequest(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "old_requests.jsonl"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		f.Add(line, true)
		f.Add(line, false)
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
		}
	})
}

// FuzzReadProbed: what was read reads the same once more.
func FuzzReadProbed(f *testing.F) {
	for _, reply := range append(plainReplies(), oddReplies()...) {
		f.Add(AppendReply(nil, reply, noon))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		facts, err := ReadProbed(line)
		if err != nil {
			return
		}
		again, err := ReadProbed(AppendReply(nil, &Failure{Facts: facts}, noon))
		if err != nil || !bytes.Equal(again, facts) {
			t.Fatalf("%q reads as %q, %v", facts, again, err)
		}
	})
}
