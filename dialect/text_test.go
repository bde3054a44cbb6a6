package dialect

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hearsay"
)

// textMessages are what the earlier programs say, one of each kind.
func textMessages() map[string]Request {
	ip := netip.AddrPortFrom(peerA.Addr(), 0)
	return map[string]Request{
		"10.0.0.1:6001":                                  &Register{Peer: peerA},
		"New Connect Request From:10.0.0.1:6001":         &Hello{Peer: peerA},
		"New Connection Request From:10.0.0.1:6001":      &Hello{Peer: peerA, Spelling: SaysConnection},
		"Liveness Request:1700000000.25:10.0.0.1":        &Liveness{Stamp: "1700000000.25", IP: "10.0.0.1"},
		"1700000000.25:10.0.0.1:6001:GOSSIP7":            &Gossip{Text: "1700000000.25:10.0.0.1:6001:GOSSIP7", Origin: peerA},
		"1700000000.25:10.0.0.1:7":                       &Gossip{Text: "1700000000.25:10.0.0.1:7", Origin: ip},
		"Dead Node:10.0.0.1:6001:1700000000.25:10.0.0.2": &DeadReport{Peer: peerA},
		"Dead Node:10.0.0.1:1700000000.25:10.0.0.2":      &DeadReport{Peer: ip},
	}
}

// textRole gives a node that is told a message.
func textRole(r Request) hearsay.Role {
	switch r.(type) {
	case *Register, *DeadReport:
		return hearsay.RoleSeed
	}
	return hearsay.RolePeer
}

// Each message reads as it should, to the nodes that are told it only; a part of it is not taken for one yet, unless
// that is a message itself; and with another one behind it both are read, or none.
func TestReadText(t *testing.T) {
	for text, want := range textMessages() {
		role := textRole(want)
		all, rest, err := ReadText([]byte(text), role, false)
		if err != nil || len(rest) > 0 || !reflect.DeepEqual(all, []Request{want}) {
			t.Errorf("%q: %+v, rest %q, %v", text, all, rest, err)
		}
		_, both := want.(*Liveness)
		if all, rest, err := ReadText([]byte(text), role, true); err != nil || len(all) > 0 || string(rest) != text {
			t.Errorf("%q, and more: %+v, rest %q, %v", text, all, rest, err)
		}
		if all, _, err := ReadText([]byte(text), hearsay.RolePeer+hearsay.RoleSeed-role, false); (err == nil) != both {
			t.Errorf("%q to the other: %+v, %v", text, all, err)
		}
		for i := range text {
			if all, rest, err := ReadText([]byte(text[:i]), role, false); err != nil || len(all) == 0 && string(rest) != text[:i] {
				t.Errorf("%q: %+v, rest %q, %v", text[:i], all, rest, err)
			}
		}
		for next, then := range textMessages() {
			if textRole(then) != role {
				continue
			}
			all, _, err := ReadText([]byte(text+next), role, false)
			if err == nil && !reflect.DeepEqual(all, []Request{want, then}) {
				t.Errorf("%q: %+v", text+next, all)
			}
			if _, register := then.(*Register); !register && err != nil {
				t.Errorf("%q: %v", text+next, err)
			}
		}
	}
}

// What is no message is refused, and nothing of what stands before it counts.
func TestReadTextRefuses(t *testing.T) {
	for _, text := range []string{
		"10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:06001", "10.0.0.1:+6001", "10.0.0.1:-1", "10.0.0.1:6001 ", "10.0.0.1:6001\n", "10.0.0.1:6001\r\n",
		" 10.0.0.1:6001", "10.0.0.256:6001", "10.0.0:6001", "0.0.0.0:6001", "224.0.0.1:6001", "::1:6001", "[::1]:6001", "host:6001", ":6001",
		"10.0.0.1:6001,10.0.0.2:6001", "10.0.0.1:6001:", "10.0.0.1:6001:7", "10.0.0.1:\xff", "10.0.0.1:\x00", "1O.0.0.1:6001",
		"GET http://10.0.0.1:6001/", "GET / HTTP/1.1\r\nHost: 10.0.0.1:6001\r\n\r\n", `{"type":"HELLO"}`, `10.0.0.1:"REGISTER_REQ"`, "hearsay?", "ERROR:1",
		"New Connect Request From:10.0.0.1:0", "New Connect Request From: 10.0.0.1:6001", "New Connect Request from:10.0.0.1:6001",
		"New Connections Request From:10.0.0.1:6001", "New Connect Accepted", "New Connect Request From:10.0.0.1:6001:1",
		"Liveness Request:now:10.0.0.1", "Liveness Request:-1:10.0.0.1", "Liveness Request:1e9:10.0.0.1", "Liveness Request:.5:10.0.0.1",
		"Liveness Request:1.5:10.0.0.1:6001", "Liveness Reply:1.5:10.0.0.1:10.0.0.2", "Liveness Request:1..5:10.0.0.1",
		"1.5:10.0.0.1:6001:GOSSIP0", "1.5:10.0.0.1:6001:GOSSIP-1", "1.5:10.0.0.1:6001:GOSSIP123456789012345678901", "1.5:10.0.0.1:6001:gossip1", "1.5:10.0.0.1:6001:GOSSIP1:",
		"1.5:10.0.0.1:0:GOSSIP1", "1.5:10.0.0.1:0", "nan:10.0.0.1:6001:GOSSIP1", "1.5:10.0.0.1:6001:1", "1.5:10.0.0.1:6001:GOSSIP1 and more",
		"Dead Node:10.0.0.1:6001:1.5:10.0.0.2:1", "Dead Node:10.0.0.1:0:1.5:10.0.0.2", "Dead Node:10.0.0.1:now:10.0.0.2", "Dead Node::6001:1.5:10.0.0.2",
		"123456789012345678901.5:10.0.0.1:6001:GOSSIP1", strings.Repeat("1", 4<<10), "1." + strings.Repeat("1", 4<<10), "10.0.0.1:" + strings.Repeat("6", TextMax),
		"10.0.0.1:600110.0.0.2:6002", "1.5:10.0.0.1:6001:GOSSIP12.5:10.0.0.1:6001:GOSSIP2", "Dead Node:10.0.0.1:6001:1.5:10.0.0.210.0.0.3:6003",
	} {
		for _, role := range []hearsay.Role{hearsay.RolePeer, hearsay.RoleSeed} {
			if all, _, err := ReadText([]byte(text), role, false); err == nil || len(all) > 0 {
				t.Errorf("%q to a %s: %+v, %v", text, role, all, err)
			}
			before := "Liveness Request:1.5:10.0.0.1"
			if all, _, err := ReadText([]byte(before+"New Connect Request To:1"+text), role, false); err == nil || len(all) > 0 {
				t.Errorf("behind another, %q to a %s: %+v, %v", text, role, all, err)
			}
		}
	}
}

// Rumors in one segment, as a system may send what was written at once, are told apart by their times.
func TestReadTextOfOneSegment(t *testing.T) {
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("17%08d.%d:10.0.0.%d:600%d:GOSSIP%d", i*5_000_000, i, i+1, i%10, i+1), fmt.Sprintf("17%08d:10.0.0.%d:%d", i, i+1, i+1))
	}
	said := strings.Join(slices.DeleteFunc(want, func(s string) bool { return !strings.Contains(s, "GOSSIP") }), "")
	var got strings.Builder
	for step := range len(said) {
		all, rest, err := ReadText([]byte(said[:step]), hearsay.RolePeer, false)
		if err != nil {
			t.Fatalf("%q: %v", said[:step], err)
		}
		got.Reset()
		for _, one := range all {
			got.WriteString(one.(*Gossip).Text)
		}
		if got.String()+string(rest) != said[:step] {
			t.Fatalf("%q is taken for %q", said[:step], got.String())
		}
	}
	all, rest, err := ReadText([]byte(said), hearsay.RolePeer, false)
	if err != nil || len(rest) > 0 || len(all) != 20 {
		t.Errorf("%d rumors, rest %q, %v", len(all), rest, err)
	}
}

// What we write is as it was, byte for byte, and reads as what was meant.
func TestOurText(t *testing.T) {
	liveness := AppendLiveness(nil, peerB.Addr(), noon)
	asked, _, err := ReadText(liveness, hearsay.RoleSeed, false)
	if err != nil || len(asked) != 1 {
		t.Fatalf("%q: %v", liveness, err)
	}
	alive := AppendAlive(nil, asked[0].(*Liveness), peerA.Addr())
	if !IsAlive(alive, liveness) || IsAlive(alive[:len(alive)-len("10.0.0.1")], liveness) || IsAlive(alive, AppendLiveness(nil, peerA.Addr(), noon)) {
		t.Errorf("%q answers %q", alive, liveness)
	}
	lines := []string{
		string(AppendRegister(nil, peerA)),
		string(AppendLink(nil, SaysConnect, peerA)), string(AppendLinked(nil, SaysConnect)),
		string(AppendLink(nil, SaysConnection, peerA)), string(AppendLinked(nil, SaysConnection)),
		string(liveness), string(alive), Line("1700000000.25", peerA, 7), string(AppendDeath(nil, peerA, peerB.Addr(), noon)),
		string(AppendList(nil, nil, peerA)),
		string(AppendList(nil, []netip.AddrPort{peerB, peerA, peerB, netip.MustParseAddrPort("[2001:db8::1]:6001"), seedA}, peerA)),
	}
	for _, spelling := range []Spelling{SaysConnect, SaysConnection} {
		other := SaysConnect + SaysConnection - spelling
		if answer := AppendLinked(nil, spelling); !IsLinked(answer, spelling) || IsLinked(answer, other) {
			t.Errorf("%q is taken for what it is not", answer)
		}
		all, _, err := ReadText(AppendLink(nil, spelling, peerA), hearsay.RolePeer, false)
		if err != nil || !reflect.DeepEqual(all, []Request{&Hello{Peer: peerA, Spelling: spelling}}) {
			t.Errorf("a link reads as %+v, %v", all, err)
		}
	}
	for text, want := range map[string]bool{lines[7]: true, "1700000000:10.0.0.1:7": true, "tea at five": false, "10.0.0.1:6001": false, "": false, lines[7] + lines[7]: false} {
		if IsLine(text) != want {
			t.Errorf("%q is a rumor: %t", text, !want)
		}
	}
	golden(t, "text.txt", strings.Join(lines, "\n")+"\n")
}

// A list has room in what an earlier program receives at once, whatever it has, and its own address is the last.
func TestAppendList(t *testing.T) {
	var peers []netip.AddrPort
	for i := range 500 {
		peers = append(peers, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 200, 100, byte(i % 250)}), uint16(i*100+1)))
		list := AppendList([]byte("x"), peers, peerA)[1:]
		got, err := ReadList(list)
		if err != nil || got[len(got)-1] != peerA || len(list) > TextReceived {
			t.Fatalf("of %d: %d bytes, %d entries, %v", len(peers), len(list), len(got), err)
		}
		if whole := len(got) == len(peers)+1; !whole && len(list) < TextReceived-len(",255.255.255.255:65535") {
			t.Fatalf("of %d: %d entries in %d bytes", len(peers), len(got), len(list))
		}
	}
	for _, text := range []string{"", ",", "10.0.0.1", "10.0.0.1:6001,,10.0.0.2:6002", "10.0.0.1:6001,10.0.0.2:0", `10.0.0.1:"REGISTER_REQ"`, "10.0.0.1:6001, 10.0.0.2:6002"} {
		if got, err := ReadList([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	if got, err := ReadList([]byte(",10.0.0.1:6001,10.0.0.2:6002,")); err != nil || !slices.Equal(got, []netip.AddrPort{peerA, peerB}) {
		t.Errorf("with commas around it: %v, %v", got, err)
	}
}

// FuzzReadText feeds arbitrary bytes: what is taken is a part of what came, and reads again as the same.
func FuzzReadText(f *testing.F) {
	for text, r := range textMessages() {
		f.Add([]byte(text), textRole(r) == hearsay.RoleSeed)
		f.Add([]byte(text+text), textRole(r) == hearsay.RoleSeed)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "text.txt"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, true)
	f.Fuzz(func(t *testing.T, said []byte, seed bool) {
		role := hearsay.RolePeer
		if seed {
			role = hearsay.RoleSeed
		}
		all, rest, err := ReadText(said, role, false)
		if err != nil && (len(all) > 0 || len(rest) > 0) || len(rest) > TextMax || !strings.HasSuffix(string(said), string(rest)) {
			t.Fatalf("%d requests, rest %q, %v", len(all), rest, err)
		}
		if err != nil {
			return
		}
		again, none, err := ReadText(said[:len(said)-len(rest)], role, false)
		if err != nil || len(none) > 0 || !reflect.DeepEqual(again, all) {
			t.Fatalf("%q reads as %+v, and again as %+v, rest %q, %v", said, all, again, none, err)
		}
		for _, one := range all {
			if gossip, is := one.(*Gossip); is && !IsLine(gossip.Text) {
				t.Fatalf("%q is taken, and is no rumor", gossip.Text)
			}
		}
	})
}
