package guest

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
	"hearsay/wire"
)

// What comes back for the question to a guest answers pings with its Ack, whatever it says; with
// a NotMe if a node of ours is there; and not at all if it is no reply of the older programs.
func TestProbeAnswers(t *testing.T) {
	network, id := hearsay.NetworkIDOf("a"), hearsay.NodeID{1}
	facts := func(of string) string {
		p := factsOf(hearsay.NetworkIDOf(of), hearsay.NodeID{2})
		return string(dialect.AppendReply(nil, &dialect.Failure{Reason: "Unsupported type: PEER_LIST_REQ", Facts: p}, time.Now()))
	}
	ack := core.Packet{From: id, Body: &core.Ack{Seq: 7}}
	for text, want := range map[string]*core.Packet{
		"":                                nil,
		"no\n":                            nil,
		`{"type":"ERROR"`:                 nil,
		strings.Repeat("{", 2<<20) + "\n": nil,
		`{"type":"ERROR"}`:                nil,
		`{"type":"X","payload":{}}`:       &ack,
		`{"type":"ERROR","payload":{"reason":"Unsupported type: PEER_LIST_REQ"}}`:       &ack,
		`{"type":"REGISTER_COMMIT","payload":{"success":false,"error":"Unknown type"}}`: &ack,
		facts("a"): {From: hearsay.NodeID{2}, Body: &core.NotMe{Seq: 7}},
		facts("b"): nil,
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		asked := ""
		wait.Go(func() {
			if conn, err := listener.Accept(); err == nil {
				asked, _ = bufio.NewReader(conn).ReadString('\n')
				io.WriteString(conn, text)
				conn.Close()
			}
		})
		addr := listener.Addr().(*net.TCPAddr).AddrPort()
		host := newHost(hearsay.RolePeer, localhost)
		host.Network = network
		g := NewProbes(host, memberAddr, nil)
		got := g.answers(id, addr, core.Lines)(7)
		g.Close()
		listener.Close()
		wait.Wait()
		if !strings.HasPrefix(asked, `{"type":"PEER_LIST_REQ","payload":{"requester":"10.2.0.1:7946"}`) {
			t.Errorf("asked %s", asked)
		}
		if (got == nil) != (want == nil) || got != nil && (got.From != want.From || got.Addr != addr || !sameBody(got.Body, want.Body)) {
			t.Errorf("%.60q: got %+v, want %+v", text, got, want)
		}
	}
}

func sameBody(a, b core.Message) bool {
	encode := func(m core.Message) string {
		return string(wire.AppendPacket(nil, hearsay.NetworkID{}, &core.Packet{Body: m}))
	}
	return encode(a) == encode(b)
}

// A guest that accepts a connection and says nothing is silent, and so is one that refuses it.
func TestProbeSilence(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	g := NewProbes(newHost(hearsay.RolePeer, localhost), memberAddr, nil)
	if got := g.answers(hearsay.NodeID{1}, netip.AddrPortFrom(localhost, 1), core.Lines)(7); got != nil {
		t.Errorf("of nobody: %+v", got)
	}
	time.AfterFunc(50*time.Millisecond, g.cancel)
	if got := g.answers(hearsay.NodeID{1}, silent.Addr().(*net.TCPAddr).AddrPort(), core.Lines)(7); got != nil {
		t.Errorf("of silence: %+v", got)
	}
	g.Close()
	for role, want := range map[hearsay.Role]time.Duration{hearsay.RoleSeed: 1800 * time.Millisecond, hearsay.RolePeer: 2 * time.Second} {
		if got := NewProbes(newHost(role, localhost), memberAddr, nil).timeout(); got != want {
			t.Errorf("%s: the timeout is %v", role, got)
		}
	}
}
