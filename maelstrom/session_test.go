package maelstrom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// alone is a session that is a cluster by itself.
func alone(t *testing.T) *Session {
	t.Helper()
	s := New(DefaultConfig(), hearsay.NewIdentity([32]byte{1}), rand.New(rand.NewPCG(1, 1)))
	said := line(s, `{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0"]}`)
	if want := `{"src":"n0","dest":"c1","body":{"type":"init_ok","in_reply_to":1}}`; said != want {
		t.Fatalf("init: got %s, want %s", said, want)
	}
	return s
}

// line has a client send a body, and gives what is said.
func line(s *Session, body string) string {
	return strings.TrimSuffix(string(s.Line(epoch, []byte(`{"id":7,"src":"c1","dest":"n0","body":`+body+`}`))), "\n")
}

// ask gives the body of the answer.
func ask(t *testing.T, s *Session, body string) string {
	t.Helper()
	var e envelope
	if said := line(s, body); json.Unmarshal([]byte(said), &e) != nil || e.Src != "n0" || e.Dest != "c1" {
		t.Fatalf("%s: got %q", body, said)
	}
	return string(e.Body)
}

func TestRequests(t *testing.T) {
	const readBroadcasts = `{"type":"read","msg_id":5}`
	for _, test := range []struct {
		name string
		asks []string // all but the last answered by ..._ok
		want string   // of the last
	}{
		{"echo", []string{`{"type":"echo","msg_id":5,"echo":{"a":[1, null]}}`}, `{"type":"echo_ok","in_reply_to":5,"echo":{"a":[1,null]}}`},
		{"topology", []string{`{"type":"topology","msg_id":5,"topology":{"n0":[]}}`}, `{"type":"topology_ok","in_reply_to":5}`},
		{"broadcast", []string{`{"type":"broadcast","msg_id":5,"message":1000}`}, `{"type":"broadcast_ok","in_reply_to":5}`},
		{"no broadcast yet", []string{`{"type":"topology","msg_id":1}`, readBroadcasts}, `{"type":"read_ok","in_reply_to":5,"messages":[]}`},
		{"values as given", []string{
			`{"type":"broadcast","msg_id":1,"message":9007199254740993}`,
			`{"type":"broadcast","msg_id":2,"message": 1.50 }`,
			`{"type":"broadcast","msg_id":3,"message":{"a": "b c"}}`,
			`{"type":"broadcast","msg_id":4,"message":null}`,
			readBroadcasts,
		}, `{"type":"read_ok","in_reply_to":5,"messages":[9007199254740993,1.50,{"a":"b c"},null]}`},
		{"twice is once", []string{
			`{"type":"broadcast","msg_id":1,"message":3}`, `{"type":"broadcast","msg_id":2,"message":3}`, readBroadcasts,
		}, `{"type":"read_ok","in_reply_to":5,"messages":[3]}`},
		{"a set", []string{
			`{"type":"add","msg_id":1,"element":3}`, `{"type":"add","msg_id":2,"element":-1}`, readBroadcasts,
		}, `{"type":"read_ok","in_reply_to":5,"value":[-1,3]}`},
		{"a set has each once", []string{
			`{"type":"add","msg_id":1,"element":{"a": 1}}`, `{"type":"add","msg_id":2,"element":{"a":1}}`, readBroadcasts,
		}, `{"type":"read_ok","in_reply_to":5,"value":[{"a":1}]}`},
		{"a counter", []string{
			`{"type":"add","msg_id":1,"delta":9223372036854775807}`, `{"type":"add","msg_id":2,"delta":3}`,
			`{"type":"add","msg_id":3,"delta":-1}`, readBroadcasts,
		}, `{"type":"read_ok","in_reply_to":5,"value":9223372036854775809}`},
		{"a counter of zero", []string{`{"type":"add","msg_id":1,"delta":0}`, readBroadcasts}, `{"type":"read_ok","in_reply_to":5,"value":0}`},
		{"a transaction sees itself", []string{
			`{"type":"txn","msg_id":1,"txn":[["w",1,8],["w","1",{"a": "b"}]]}`,
			`{"type":"txn","msg_id":5,"txn":[["r",1,null],["w",1,6],["r",1,null],["w",1,7],["r",1,null],["r","1",null],["r",2,null]]}`,
		}, `{"type":"txn_ok","in_reply_to":5,"txn":[["r",1,8],["w",1,6],["r",1,6],["w",1,7],["r",1,7],["r","1",{"a":"b"}],["r",2,null]]}`},
		{"a transaction without operations", []string{`{"type":"txn","msg_id":5,"txn":[]}`}, `{"type":"txn_ok","in_reply_to":5,"txn":[]}`},
		{"a set is none of the broadcasts", []string{
			`{"type":"add","msg_id":1,"element":3}`, `{"type":"broadcast","msg_id":2,"message":4}`, readBroadcasts,
		}, `{"type":"read_ok","in_reply_to":5,"messages":[4]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := alone(t)
			last := len(test.asks) - 1
			for _, body := range test.asks[:last] {
				if got := ask(t, s, body); !strings.Contains(got, `_ok"`) {
					t.Errorf("%s: got %s", body, got)
				}
			}
			if got := ask(t, s, test.asks[last]); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		body string
		code code
		text string
	}{
		{`{"type":"cas","msg_id":5}`, codeNotSupported, `"cas": want one of init,`},
		{`{"type":"read","msg_id":5,"key":3}`, codeNotSupported, "read: a key is for lin-kv"},
		{`{"type":"read","msg_id":5}`, codeUnavailable, "read: nothing was added yet"},
		{`{"type":"add","msg_id":5,"delta":null}`, codeMalformed, "add: delta: null: want an integer"},
		{`{"type":"add","msg_id":5,"delta":1.5}`, codeMalformed, "add: delta: 1.5: want an integer"},
		{`{"type":"add","msg_id":5,"element":"` + strings.Repeat("x", hearsay.MaxKey) + `"}`, codeMalformed, "of 1027 bytes: a key is 1 to 1024"},
		{`{"type":"txn","msg_id":5}`, codeMalformed, "txn: txn is missing"},
		{`{"type":"txn","msg_id":5,"txn":5}`, codeMalformed, "txn: json:"},
		{`{"type":"txn","msg_id":5,"txn":[["r",1]]}`, codeMalformed, "txn: operation 0: want"},
		{`{"type":"txn","msg_id":5,"txn":[[1,1,1]]}`, codeMalformed, "txn: operation 0: want"},
		{`{"type":"txn","msg_id":5,"txn":[["r",1,null],["append",1,2]]}`, codeNotSupported, `txn: operation 1: "append": want r or w`},
		{`{"type":"add","msg_id":5}`, codeMalformed, "add: element is missing"},
		{`{"type":"broadcast","msg_id":5}`, codeMalformed, "broadcast: message is missing"},
		{`{"type":"broadcast","msg_id":5,"message":"` + strings.Repeat("x", hearsay.MaxRumorData) + `"}`, codeMalformed, "broadcast: message: 65539 bytes"},
		{`{"type":"echo","msg_id":5}`, codeMalformed, "echo: echo is missing"},
		{`{"type":"init","msg_id":5,"node_id":"n0","node_ids":["n0"]}`, codeMalformed, "this node is n0 already"},
		{`{"type":"init","msg_id":5,"node_id":"n0","node_ids":"n0"}`, codeMalformed, "init: json:"},
	} {
		checkError(t, ask(t, alone(t), test.body), test.code, test.text)
	}
	s := alone(t)
	body := ask(t, s, `{"type":"txn","msg_id":5,"txn":[["w",1,2],["append",1,2]]}`)
	checkError(t, body, codeNotSupported, "want r or w")
	if got, want := ask(t, s, `{"type":"txn","msg_id":5,"txn":[["r",1,null]]}`), `{"type":"txn_ok","in_reply_to":5,"txn":[["r",1,null]]}`; got != want {
		t.Errorf("after one that was refused: got %s, want %s", got, want)
	}
}

// TestStoreFull writes to a store without room.
func TestStoreFull(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Store.Objects = 1
	s := New(cfg, hearsay.NewIdentity([32]byte{1}), rand.New(rand.NewPCG(1, 1)))
	line(s, `{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0"]}`)
	checkError(t, ask(t, s, `{"type":"txn","msg_id":5,"txn":[["w",1,2],["w",2,2]]}`), codeAborted, "the store is full")
	if got, want := ask(t, s, `{"type":"txn","msg_id":5,"txn":[["r",1,null]]}`), `{"type":"txn_ok","in_reply_to":5,"txn":[["r",1,null]]}`; got != want {
		t.Errorf("after one that was refused: got %s, want %s", got, want)
	}
}

func checkError(t *testing.T, body string, code code, text string) {
	t.Helper()
	want := fmt.Sprintf(`{"type":"error","in_reply_to":5,"code":%d,"text":`, code)
	if !strings.HasPrefix(body, want) || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), text) {
		t.Errorf("got %s, want code %d and %q", body, code, text)
	}
}

func TestBeforeInit(t *testing.T) {
	for _, test := range []struct {
		body string
		code code
		text string
	}{
		{`{"type":"read","msg_id":5}`, codeUnavailable, "no init yet"},
		{`{"type":"init","msg_id":5}`, codeMalformed, `node_id "" is none of node_ids`},
		{`{"type":"init","msg_id":5,"node_id":"n0","node_ids":["n1"]}`, codeMalformed, `node_id "n0" is none of node_ids`},
		{`{"type":"init","msg_id":5,"node_id":"n0","node_ids":["n0","n0"]}`, codeMalformed, `"n0" is there twice`},
		{`{"type":"init","msg_id":5,"node_id":"n0","node_ids":["n0",""]}`, codeMalformed, "want 1 to 64 bytes"},
	} {
		s := New(DefaultConfig(), hearsay.NewIdentity([32]byte{1}), rand.New(rand.NewPCG(1, 1)))
		checkError(t, ask(t, s, test.body), test.code, test.text)
		if _, ok := s.Deadline(); ok {
			t.Errorf("%s: there is a deadline", test.body)
		}
	}
}

// TestUnanswered sends what deserves no answer, and sees it counted.
func TestUnanswered(t *testing.T) {
	for _, test := range []struct {
		line string
		drop hearsay.Drop
	}{
		{`no JSON`, hearsay.DropMalformed},
		{`{}`, hearsay.DropMalformed},
		{`{"src":"c1","dest":"n0","body":[]}`, hearsay.DropMalformed},
		{`{"src":"c1","dest":"n0","body":{"type":"read","msg_id":"one"}}`, hearsay.DropMalformed},
		{`{"src":"c1","dest":"n5","body":{"type":"read","msg_id":1}}`, hearsay.DropMisdirected},
		{`{"src":"c1","dest":"n0","body":{"type":"error","in_reply_to":1,"code":0}}`, hearsay.DropUnexpected},
		{`{"src":"c1","dest":"n0","body":{"type":"hearsay","datagrams":["AQ=="]}}`, hearsay.DropStranger},
		{`{"src":"n0","dest":"n0","body":{"type":"hearsay","datagrams":["AQ=="]}}`, hearsay.DropTruncated},
		{`{"src":"n0","dest":"n0","body":{"type":"hearsay","datagrams":"AQ=="}}`, hearsay.DropMalformed},
		{`{"src":"n0","dest":"n0","body":{"type":"hearsay","datagrams":["` + strings.Repeat("AAAA", core.MTU/3+1) + `"]}}`, hearsay.DropOversized},
		{`{"src":"n0","dest":"n0","body":{"type":"hearsay","streams":["Aw=="]}}`, hearsay.DropTruncated},
	} {
		s := alone(t)
		if said := s.Line(epoch, []byte(test.line)); len(said) > 0 {
			t.Errorf("%s: got %s", test.line, said)
		}
		if got := s.Stats().Drops[test.drop]; got != 1 {
			t.Errorf("%s: %d dropped as %v, want 1; all: %v", test.line, got, test.drop, s.Stats().Drops)
		}
	}
	if said := line(alone(t), `{"type":"broadcast","message":1}`); said != "" {
		t.Errorf("without a msg_id: got %s", said)
	}
}

// TestBatchesAreBounded sends one node so much at one time that a line would not
// be read.
func TestBatchesAreBounded(t *testing.T) {
	s := New(DefaultConfig(), hearsay.NewIdentity([32]byte{1}), rand.New(rand.NewPCG(1, 1)))
	line(s, `{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0","n1"]}`)
	const count = 6 * maxBatch / hearsay.MaxRumorData
	large := hearsay.Rumor{ID: clock.Dot{Counter: 1}, Data: make([]byte, hearsay.MaxRumorData)}
	for range count {
		s.send(epoch, &core.Packet{Addr: addrOf(1), Body: &core.Rumors{Items: []hearsay.Rumor{large}}})
	}
	sent := 0
	for l := range bytes.Lines(s.finish(epoch.Add(time.Second))) {
		var e envelope
		var p packets
		if json.Unmarshal(l, &e) != nil || json.Unmarshal(e.Body, &p) != nil || len(l) > maxLine/4 {
			t.Fatalf("a line of %d bytes: %.80s", len(l), l)
		}
		sent += len(p.Streams)
	}
	if sent != count {
		t.Errorf("%d of %d packets were sent", sent, count)
	}
}

// TestForeignPayload has a member of the network say what no session says.
func TestForeignPayload(t *testing.T) {
	for _, payload := range []string{"x", "b", "b{", "z1", "s1"} {
		s := alone(t)
		_, effects, err := s.node.Say(epoch, hearsay.NodeID{}, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		s.carryOut(epoch, effects)
		if n := len(s.broadcasts.has); n > 0 || s.drops[hearsay.DropMalformed] != 1 {
			t.Errorf("%q: %d values, %d dropped", payload, n, s.drops[hearsay.DropMalformed])
		}
	}
}

// TestUnready starts one node of two: it says that it is ready all the same.
func TestUnready(t *testing.T) {
	s := New(DefaultConfig(), hearsay.NewIdentity([32]byte{1}), rand.New(rand.NewPCG(1, 1)))
	if said := line(s, `{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0","n1"]}`); said != "" {
		t.Fatalf("at once: %s", said)
	}
	joins := 0
	for {
		at, ok := s.Deadline()
		if !ok || at.After(epoch.Add(10*time.Second)) {
			t.Fatal("no answer in 10 s")
		}
		said := string(s.Tick(at))
		if at.Before(epoch.Add(s.cfg.JoinAfter)) && said != "" {
			t.Errorf("after %v: %s", at.Sub(epoch), said)
		}
		joins += strings.Count(said, `"dest":"n1"`)
		if strings.Contains(said, "init_ok") {
			if took := at.Sub(epoch); took != s.cfg.ReadyWithin || joins < 2 {
				t.Errorf("after %v and %d tries to join", took, joins)
			}
			return
		}
	}
}

// Stats gives the core's figures, with the input that this driver dropped.
func (s *Session) Stats() hearsay.Stats {
	var stats hearsay.Stats
	if s.node != nil {
		stats = s.node.Stats()
	}
	for reason, n := range s.drops {
		stats.Drops[reason] += n
	}
	return stats
}
