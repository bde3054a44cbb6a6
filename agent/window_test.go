package agent

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/wire"
)

// suspectLine asks a peer for its opinion of an address.
func suspectLine(ip string, port uint16) string {
	return fmt.Sprintf(`{"type":"SUSPECT_REQ","payload":{"dead_ip":"%s","dead_port":%d,"requester":"127.0.0.8:6001"},"ts":1.5}`, ip, port)
}

// logLines is a log that can be read while it is written.
type logLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), part)
}

// TestPeerAnswersLines: a peer says of others what it holds itself, declines
// what it does not do, and says so.
func TestPeerAnswersLines(t *testing.T) {
	t.Parallel()
	log := new(logLines)
	cfg := quick("a")
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	a := start(t, cfg)
	b := start(t, quick("b", addrOf(a)))
	awaitStates(t, a, "a alive, b alive")
	await(t, a, "a link", func() bool { return len(a.Links()) == 1 })
	own, other := a.Self().Addr, b.Self().Addr

	ack := fmt.Sprintf(`"type":"SUSPECT_ACK","payload":{"suspect":"%s","alive":true,"confirmer":"%s"}`, other, own)
	wantLine(t, speak(t, "127.0.0.8", own, suspectLine("127.0.0.1", other.Port())), ack)
	wantLine(t, speak(t, "127.0.0.8", own, suspectLine("127.0.0.1", own.Port())), `"alive":true`)
	wantLine(t, speak(t, "127.0.0.8", own, suspectLine("127.0.0.9", other.Port())), `"type":"ERROR"`, "no member at this address is known here")
	wantLine(t, speak(t, "127.0.0.8", own, `{"type":"HELLO","payload":{"peer_ip":"127.0.0.8","peer_port":6001,"degree":3},"ts":1}`),
		`"type":"HELLO_ACK"`, fmt.Sprintf(`"accepted":false,"peer_ip":"127.0.0.1","peer_port":%d,"degree":1,"reason":"`, own.Port()))
	wantLine(t, speak(t, "127.0.0.8", own, `{"type":"GOSSIP_MSG","payload":{"message":"1:127.0.0.8:1","origin_ip":"127.0.0.8","msg_no":1,"sender":"127.0.0.8:6001"},"ts":1}`),
		`"type":"GOSSIP_MSG"`, `"accepted":false,"reason":"`)
	wantLine(t, speak(t, "127.0.0.8", own, `{"type":"GOSSIP_MSG","payload":{"message":""},"ts":1}`), `"accepted":false,"reason":"empty_message"`)
	for request, reason := range map[string]string{
		`{"type":"SUSPECT_REQ"`:                                 "bad JSON",
		`{"type":"SUSPECT_REQ","payload":{"dead_port":1}}`:      "missing field",
		`{"type":"WHO","payload":{}}`:                           "Unknown type",
		`{"type":"REGISTER_REQ","payload":{"peer_ip":"1.2.3.4"`: "bad JSON",
		`{"type":"REGISTER_REQ","payload":{}}`:                  "Unsupported type: REGISTER_REQ",
	} {
		wantLine(t, speak(t, "127.0.0.8", own, request), `{"type":"ERROR","payload":{"reason":"`, reason)
	}
	if n := len(a.Members()); n != 2 {
		t.Errorf("%d members after the lines of a stranger", n)
	}

	b.Close()
	await(t, a, "b to be no more alive", func() bool {
		return strings.Contains(speak(t, "127.0.0.8", own, suspectLine("127.0.0.1", other.Port())), `"alive":false`)
	})
	a.Close() // waits for the log
	for _, want := range []string{
		fmt.Sprintf("Suspicion probe received for %s from 127.0.0.8:6001 -> alive=True", other),
		fmt.Sprintf("Suspicion probe received for %s from 127.0.0.8:6001 -> alive=False", other),
	} {
		if !log.has(want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if log.has("HELLO accepted") {
		t.Error("the log tells of a link that is none")
	}
}

// TestSuspectIsNotAlive: what a peer suspects itself, it does not vouch for.
func TestSuspectIsNotAlive(t *testing.T) {
	t.Parallel()
	cfg := quick("a")
	cfg.Roster.SuspicionMin = patience // so that it stays a suspect
	a := start(t, cfg)
	b := start(t, quick("b", addrOf(a)))
	awaitStates(t, a, "a alive, b alive")
	at := b.Self().Addr
	b.Close()
	awaitStates(t, a, "a alive, b suspect")
	wantLine(t, speak(t, "127.0.0.8", a.Self().Addr, suspectLine("127.0.0.1", at.Port())), `"alive":false`, "it does not answer this peer's own probes")
}

// TestOpinionsAreBounded: an opinion walks the roster, so that one source may
// not ask for any number.
func TestOpinionsAreBounded(t *testing.T) {
	t.Parallel()
	a := start(t, quick("a"))
	refused, began := 0, time.Now()
	const walksPerSecond = 200     // as package guest has it
	const may = 2 * walksPerSecond // the first before anybody is told apart
	const asks = 2 * may
	for range asks {
		if strings.Contains(speak(t, "127.0.0.8", a.Self().Addr, suspectLine("127.0.0.9", 1)), "try again") {
			refused++
		}
	}
	more := int(2*time.Since(began).Seconds()*walksPerSecond) + 1
	if refused < asks-may-more {
		t.Errorf("%d of %d were refused", refused, asks)
	}
	wantLine(t, speak(t, "127.0.0.7", a.Self().Addr, suspectLine("127.0.0.9", 1)), "is known here")
	if n := a.Stats().Drops[hearsay.DropRate]; n != uint64(refused) {
		t.Errorf("%d were refused, %d counted", refused, n)
	}
}

// TestDuplicatesInTheLog: a payload that comes a second time is told of, with
// the hash of the text that the log gave it first.
func TestDuplicatesInTheLog(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 1)
	log := new(logLines)
	cfg := n.peer("loud")
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	loud := start(t, cfg)
	n.peers = append(n.peers, loud)
	n.start("b")
	n.agree(2, "b loud")
	b := n.peers[1]
	id, err := b.Broadcast(t.Context(), []byte("5:10.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, loud, "the rumor", func() bool { return len(loud.Rumors(1)) == 1 })
	before := loud.Stats().RumorDuplicates
	payload := &core.Rumors{Items: []hearsay.Rumor{{ID: id, Data: []byte("5:10.0.0.1:1")}}}
	packet := wire.AppendPacket(nil, hearsay.NetworkIDOf(DefaultNetwork), &core.Packet{From: b.Self().ID, Body: payload})
	loud.ask(func(now time.Time) { loud.loop.receive(now, packet, b.Self().Addr, false) })
	if after := loud.Stats().RumorDuplicates; after <= before { // b may have told it again itself
		t.Fatalf("%d duplicates after %d", after, before)
	}
	loud.Close()              // waits for the log
	const hash = "713fdb94d1" // of printf 5:10.0.0.1:1 | sha256sum
	text := log.text.String()
	first := strings.Index(text, "First-time gossip received: 5:10.0.0.1:1")
	second := strings.Index(text, "Duplicate gossip ignored: hash="+hash+" sender="+addrOf(b))
	if first < 0 || second < first {
		t.Errorf("told first at %d, and again at %d:\n%s", first, second, text)
	}
}

// TestDuplicatesDoNotFillTheLog: each node that has a rumor can send it again and again,
// from any address.
func TestDuplicatesDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 1)
	log := new(logLines)
	cfg := n.peer("loud")
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	loud := start(t, cfg)
	n.peers = append(n.peers, loud)
	n.agree(1, "loud")
	id, err := loud.Broadcast(t.Context(), []byte("again"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, loud, "the rumor", func() bool { return len(loud.Rumors(1)) == 1 })
	payload := &core.Rumors{Items: []hearsay.Rumor{{ID: id, Data: []byte("again")}}}
	packet := wire.AppendPacket(nil, hearsay.NetworkIDOf(DefaultNetwork), &core.Packet{From: hearsay.NodeID{1}, Body: payload})
	const echoMost = 100 // a second, as package guest has it
	loud.ask(func(now time.Time) {
		for i := range 20 * echoMost {
			from := netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)})
			loud.loop.receive(now, packet, netip.AddrPortFrom(from, 1), false)
		}
	})
	loud.Close() // waits for the log
	if told := strings.Count(log.text.String(), "Duplicate gossip ignored"); told != echoMost {
		t.Errorf("the log tells of %d, want %d", told, echoMost)
	}
}
