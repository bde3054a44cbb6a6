package dialect

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"hearsay"
)

// What a peer of ours asks reads as what an earlier program's peers ask.
func TestAsking(t *testing.T) {
	for _, c := range []struct {
		line []byte
		of   hearsay.Role
		want Request
	}{
		{AppendRegistration(nil, peerA, []byte("facts"), noon), hearsay.RoleSeed, &Register{peerA, []byte("facts")}},
		{AppendRegistration(nil, peerA, nil, noon), hearsay.RoleSeed, &Register{Peer: peerA}},
		{AppendPeerList(nil, peerA, noon), hearsay.RoleSeed, &PeerList{}},
		{AppendDeadReport(nil, peerB, peerA, noon), hearsay.RoleSeed, &DeadReport{peerB}},
		{AppendSuspect(nil, &Suspect{peerB, peerA}, noon), hearsay.RolePeer, &Suspect{peerB, peerA}},
	} {
		if got, reply := ReadRequest(c.line, c.of); reply != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, reply %+v", c.line, got, reply)
		}
	}
	report := string(AppendDeadReport(nil, peerB, peerA, noon))
	for _, part := range []string{`"self_ip":"10.0.0.1"`, `"timestamp":`, `"reporter":"10.0.0.1:6001"`} {
		if !strings.Contains(report, part) {
			t.Errorf("%s lacks %s", report, part)
		}
	}
}

func TestReadOutcome(t *testing.T) {
	for _, c := range []struct {
		line    string
		success bool
		why     string // or of the error
	}{
		{`{"type":"REGISTER_COMMIT","payload":{"proposal_id":"reg:10.0.0.1:6001","success":true,"quorum":2},"ts":1}`, true, ""},
		{`{"type":"REGISTER_COMMIT","payload":{"success":false,"yes_votes":1,"quorum":2},"ts":1}`, false, "1 of its seeds are for it, and 2 must be"},
		{`{"type":"REGISTER_COMMIT","payload":{"success":false,"error":"no such field"},"ts":1}`, false, "no such field"},
		{`{"type":"REGISTER_COMMIT","payload":{},"ts":1}`, false, `its answer makes no sense: missing field "success"`},
		{`{"type":"REGISTER_COMMIT","payload":{"success":"yes"},"ts":1}`, false, `its answer makes no sense: field "success": want true or false`},
		{`{"type":"ERROR","payload":{"reason":"Unsupported type: REGISTER_REQ"},"ts":1}`, false, "it answers ERROR, and not REGISTER_COMMIT: Unsupported type: REGISTER_REQ"},
		{`{"type":"ERROR","payload":{},"ts":1}`, false, "it answers ERROR, and not REGISTER_COMMIT"},
		{`HTTP/1.1 400 Bad Request`, false, "its answer is no line of JSON: bad JSON: invalid character 'H' looking for beginning of value"},
	} {
		success, why, err := ReadOutcome([]byte(c.line), Registration)
		if err != nil {
			why = err.Error()
		}
		if success != c.success || why != c.why {
			t.Errorf("%s: %v, %q", c.line, success, why)
		}
	}
}

func TestReadPeers(t *testing.T) {
	peers, bad, err := ReadPeers([]byte(`{"type":"PEER_LIST_RESP","payload":{"peers":["10.0.0.1:6001","localhost:6201","nobody","10.0.0.1:0"],"seed":"10.0.0.9:5001"},"ts":1}`))
	if want := []netip.AddrPort{peerA, netip.MustParseAddrPort("127.0.0.1:6201")}; err != nil || bad != 2 || !reflect.DeepEqual(peers, want) {
		t.Errorf("got %v, %d bad, %v", peers, bad, err)
	}
	many := `{"type":"PEER_LIST_RESP","payload":{"peers":[` + strings.Repeat(`"10.0.0.1:6001",`, PeersMost) + `"10.0.0.1:6001"]},"ts":1}`
	if peers, bad, err := ReadPeers([]byte(many)); len(peers) != PeersMost || bad != 1 || err != nil {
		t.Errorf("of too many %d, %d bad, %v", len(peers), bad, err)
	}
	for _, line := range []string{`{"type":"PEER_LIST_RESP","payload":{},"ts":1}`, `{"type":"PEER_LIST_RESP","payload":{"peers":"all"},"ts":1}`, `127.0.0.1:6001,`} {
		if _, _, err := ReadPeers([]byte(line)); err == nil {
			t.Errorf("%s is taken", line)
		}
	}
}

func TestReadSuspectAck(t *testing.T) {
	for line, want := range map[string]error{
		`{"type":"SUSPECT_ACK","payload":{"suspect":"10.0.0.2:6002","alive":true,"confirmer":"10.0.0.1:6001"},"ts":1}`: nil,
		`{"type":"ERROR","payload":{"reason":"no member at this address is known here"},"ts":1}`:                       ErrAbstains,
		`{"type":"SUSPECT_ACK","payload":{"suspect":"10.0.0.2:6002"},"ts":1}`:                                          ErrAbstains,
	} {
		if alive, err := ReadSuspectAck([]byte(line)); !errors.Is(err, want) || alive != (want == nil) {
			t.Errorf("%s: %v, %v", line, alive, err)
		}
	}
	accepted, err := ReadHelloAck([]byte(`{"type":"HELLO_ACK","payload":{"accepted":true,"peer_ip":"10.0.0.1","peer_port":6001,"degree":1},"ts":1}`))
	if !accepted || err != nil {
		t.Errorf("a link: %v, %v", accepted, err)
	}
}
