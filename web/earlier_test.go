package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"hearsay"
	"hearsay/web"
)

const sendsJSON = "Content-Type: application/json"

// post sends JSON and gives the answer's text, which has this status.
func (k *keeper) post(path, body string, status int) string {
	k.t.Helper()
	answer := k.send(http.MethodPost, path, body, sendsJSON)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		k.t.Errorf("POST %s %.80s: %d, want %d: %s (%v)", path, body, answer.StatusCode, status, text, err)
	}
	return string(text)
}

// earlierStatus is what the earlier program's test reads.
type earlierStatus struct {
	NodeID  string `json:"node_id"`
	Members map[string]struct {
		ID, Host string
		Port     int
		IsAlive  bool    `json:"is_alive"`
		LastSeen float64 `json:"last_seen"`
		Clock    map[string]int
	}
	QueueSize *int                       `json:"gossip_queue_size"`
	LocalData map[string]json.RawMessage `json:"local_data"`
	Stats     map[string]int
	Clock     map[string]int `json:"vector_clock"`
}

func (k *keeper) earlierStatus() (s earlierStatus, text string) {
	k.t.Helper()
	answer := k.send(http.MethodGet, "/api/status", "")
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(all, &s)
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		k.t.Fatalf("%d: %v: %s", answer.StatusCode, err, all)
	}
	return s, string(all)
}

// What the earlier program's clients write is what this node's store has, byte for byte, and the other way round.
func TestEarlierData(t *testing.T) {
	k := newKeeper(t)
	value := `{ "b":[1.50, 1e300,"\u00e9<"],"a":null }`
	if got := k.post("/api/add_data", `{"extra":1,"key":"one\"","value":`+value+`}`, 200); got != `{"status":"success","key":"one\"","value":`+value+"}\n" {
		t.Errorf("it answers %s", got)
	}
	k.post("/api/add_data", `{"key":"nothing","value":null}`, 200)
	for key, bytes := range map[string]string{"text": "plain <text>", "bytes": "\xff\x00"} {
		if err := k.node.Put(t.Context(), key, []byte(bytes), nil); err != nil {
			t.Fatal(err)
		}
	}
	if stored, err := k.node.Get(`one"`); err != nil || len(stored.Siblings) != 1 || string(stored.Siblings[0].Value) != value {
		t.Errorf("the store has %+v: %v", stored, err)
	}
	s, text := k.earlierStatus()
	if !strings.Contains(text, `"one\"":`+value) || len(s.LocalData) != 4 || string(s.LocalData["nothing"]) != "null" ||
		string(s.LocalData["text"]) != `"plain \u003ctext\u003e"` || string(s.LocalData["bytes"]) != `"/wA="` {
		t.Errorf("its data: %s", text)
	}
	me := s.Members[s.NodeID]
	_, port, _ := net.SplitHostPort(k.host)
	if s.NodeID != "ada" || len(s.Members) != 1 || me.ID != "ada" || me.Host != "localhost" || !me.IsAlive || me.LastSeen < 1e9 || port == "" || s.QueueSize == nil {
		t.Errorf("its members: %s", text)
	}
	if s.Clock["ada"] < 4 || len(s.Clock) != 1 || len(s.Stats) != 4 { // one more says where it serves
		t.Errorf("after four writes of its own its clock is %v; %v", s.Clock, s.Stats)
	}
	k.post("/api/gossip", `{"id":"f1","data":{"operation":"node_failed","node_id":"bob"},"sender_id":"bob"}`, 200)
	if got := k.post("/api/ping", "{}", 200); !strings.Contains(got, `"status":"alive","node_id":"ada","timestamp":`) {
		t.Errorf("a ping: %s", got)
	}
	k.post("/api/ping", "", 200)
	for target, want := range map[string]string{"ada": "true", "bob": "false"} {
		if got := k.post("/api/indirect_ping", `{"target":"`+target+`","requester":"x"}`, 200); got != `{"success":`+want+"}\n" {
			t.Errorf("whether %s answers: %s", target, got)
		}
	}
	k.post("/api/sync_members", `{"members":{"bob":{"id":"bob","host":"localhost","port":1,"is_alive":true,"last_seen":1.5,"vector_clock":{}}}}`, 200)
}

// A message goes round for a while. It writes once, and nothing where the value is there already.
func TestEarlierGossipWritesOnce(t *testing.T) {
	k := newKeeper(t)
	message := func(id, value string) string {
		return `{"id":"` + id + `","data":{"key":"k","value":` + value + `,"operation":"update"},"timestamp":1.5,"sender_id":"bob","excitement_level":10,"propagation_count":1,"recipients_seen":["x"]}`
	}
	holds := func(want string) {
		t.Helper()
		if stored, err := k.node.Get("k"); err != nil || len(stored.Siblings) != 1 || string(stored.Siblings[0].Value) != want {
			t.Errorf("the store has %+v, want %s: %v", stored, want, err)
		}
	}
	k.post("/api/gossip", message("a", "1"), 200)
	holds("1")
	k.post("/api/add_data", `{"key":"k","value":2}`, 200)
	k.post("/api/gossip", message("a", "1"), 200)
	holds("2")
	before, err := k.node.Get("k")
	if err != nil {
		t.Fatal(err)
	}
	k.post("/api/gossip", message("b", "2"), 200)
	if after, err := k.node.Get("k"); err != nil || !bytes.Equal(before.Context, after.Context) {
		t.Errorf("a value that is there was written: %v", err)
	}
	k.post("/api/gossip", message("c", `"`+strings.Repeat("x", hearsay.MaxValue)+`"`), 413)
	k.post("/api/gossip", message("c", "3"), 200) // what could not be written has not come
	holds("3")
}

// What not every client of the earlier program reads is refused, and shown as text where others have written it.
func TestEarlierValuesAreReadable(t *testing.T) {
	k := newKeeper(t)
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, bad := range []struct{ value, why string }{
		{"\"\xff\xfe\"", "not UTF-8"},
		{strings.Repeat("9", 5000), "of 5000 characters: want one below 1.8e308, or a string"},
		{"-1e999", "number -1e999"},
		{deep(2000), "deeper than 100"},
		{`"\ud800"`, "half of a surrogate pair"},
		{`["\udc00\ud800"]`, "half of a surrogate pair"},
		{`"\ud800\u0041"`, "half of a surrogate pair"},
	} {
		for path, body := range map[string]string{
			"/api/add_data": `{"key":"bad","value":` + bad.value + "}",
			"/api/gossip":   `{"id":"x","data":{"operation":"update","key":"bad","value":` + bad.value + "}}",
		} {
			if text := k.post(path, body, 400); !strings.Contains(text, bad.why) {
				t.Errorf("%s %.40s: %s", path, bad.value, text)
			}
		}
		k.ask(204, "PUT", "/v1/kv/bad", bad.value)
		s, text := k.earlierStatus() // which decodes it
		var shown any
		if err := json.Unmarshal([]byte(text), &shown); err != nil {
			t.Errorf("status with %.40q: %v", bad.value, err)
		}
		want := bad.value
		if !utf8.ValidString(want) {
			want = base64.StdEncoding.EncodeToString([]byte(want))
		}
		var got string
		if json.Unmarshal(s.LocalData["bad"], &got) != nil || got != want {
			t.Errorf("%.40q is shown as %.60s", bad.value, s.LocalData["bad"])
		}
	}
	k.ask(204, "DELETE", "/v1/kv/bad", "")
	for key, value := range map[string]string{
		"lines": " \r\n{\r\n}\n", "controls": "\"\u009b31m\u202e\x7f\u2028\U0001f600\"", "pair": `"\ud83d\ude00\u0000\\ud800"`, "deep": deep(90),
		"long": `"` + strings.Repeat("ü\u009b", 5000) + `"`, "twice": `{"a":1,"a":2}`,
	} {
		k.post("/api/add_data", `{"key":"`+key+`\u202e","value":`+value+`}`, 200)
		s, text := k.earlierStatus()
		var want, got any
		if json.Unmarshal([]byte(value), &want) != nil || json.Unmarshal(s.LocalData[key+"\u202e"], &got) != nil || !reflect.DeepEqual(want, got) {
			t.Errorf("%s: %.100s", key, text)
		}
		if plain := hearsay.AppendPlain(nil, []byte(text)); string(plain) != text {
			t.Errorf("%s: not harmless on a terminal: %.100s", key, text)
		}
	}
}

// What is wrong is told as that program told it, and writes nothing.
func TestEarlierErrors(t *testing.T) {
	k := newKeeper(t)
	for _, bad := range []struct{ path, body string }{
		{"add_data", `{"key":"k"}`},
		{"add_data", `{"value":1}`},
		{"add_data", `{"key":1,"value":1}`},
		{"add_data", `{"key":"k","value":`},
		{"add_data", `[]`},
		{"add_data", `{"key":"","value":1}`},
		{"add_data", ""},
		{"add_data", `{"key":"k","value":1}x`},
		{"gossip", `{"data":{"key":"k","value":1,"operation":"update"}}`},
		{"gossip", `{"id":"a","data":{"key":"k","value":1,"operation":"drop"}}`},
		{"gossip", `{"id":"a","data":{"key":"k","operation":"update"}}`},
		{"gossip", `{"id":"` + strings.Repeat("x", 129) + `","data":{"operation":"node_failed"}}`},
		{"gossip", `{"id":"a"}`},
		{"join", `{"node_id":"x","host":"localhost"}`},
		{"join", `{"node_id":"x","host":"localhost","port":65536}`},
		{"sync_members", `{}`},
		{"sync_members", `{"members":[]}`},
		{"indirect_ping", `{}`},
	} {
		var wrong struct{ Status, Message string }
		if text := k.post("/api/"+bad.path, bad.body, 400); json.Unmarshal([]byte(text), &wrong) != nil || wrong.Status != "error" || wrong.Message == "" {
			t.Errorf("%s %.60s: %s", bad.path, bad.body, text)
		}
	}
	if s, _ := k.earlierStatus(); len(s.LocalData) != 0 {
		t.Errorf("it has written %v", s.LocalData)
	}
}

// A node that joins is sent the members, also if it listens only after it was answered; and only where it asks from.
func TestEarlierJoin(t *testing.T) {
	k := newKeeper(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	joiner := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got <- r.Method + " " + r.URL.Path + " " + string(text)
	}))
	joiner.Listener.Close()
	joiner.Listener = listener
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if text := k.post("/api/join", `{"node_id":"bob","host":"localhost","port":`+port+`}`, 200); text != `{"status":"success"}`+"\n" {
		t.Errorf("it answers %s", text)
	}
	joiner.Start()
	defer joiner.Close()
	select {
	case text := <-got:
		if !strings.HasPrefix(text, `POST /api/sync_members {"members":{"ada":{"id":"ada","host":"localhost","port":`) {
			t.Errorf("it was sent %s", text)
		}
	case <-time.After(10 * time.Second):
		t.Error("it was sent nothing")
	}
	if text := k.post("/api/join", `{"node_id":"bob","host":"192.0.2.7","port":`+port+`}`, 500); !strings.Contains(text, "and this is elsewhere") {
		t.Errorf("elsewhere: %s", text)
	}
}

// A node of that program that joins is a guest: it is listed, and why it is what it is is told. Keys by which nodes
// tell each other of it cannot be written by clients, and are listed only where they are asked for.
func TestEarlierGuest(t *testing.T) {
	k := newKeeper(t)
	joiner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/ping":
			io.WriteString(w, `{"status":"alive","node_id":"bob","timestamp":1.5}`)
		case "/api/status":
			io.WriteString(w, `{"node_id":"bob","members":{},"local_data":{"theirs":[1]}}`)
		}
	}))
	defer joiner.Close()
	_, port, _ := net.SplitHostPort(joiner.Listener.Addr().String())
	k.post("/api/join", `{"node_id":"bob","host":"localhost","port":`+port+`}`, 200)
	until := func(what string, is func() bool) {
		t.Helper()
		enough := time.After(10 * time.Second)
		look := time.NewTicker(20 * time.Millisecond)
		defer look.Stop()
		for !is() {
			select {
			case <-look.C:
			case <-enough:
				t.Fatal(what)
			}
		}
	}
	until("what it has is not taken", func() bool { s, _ := k.earlierStatus(); return string(s.LocalData["theirs"]) == "[1]" })
	text, _ := k.ask(200, "GET", "/v1/members", "")
	var all struct{ Members []hearsay.Member }
	if json.Unmarshal([]byte(text), &all) != nil || len(all.Members) != 2 || all.Members[1].Name != "bob" || all.Members[1].Dialect != "p4" || all.Members[1].State != hearsay.StateAlive {
		t.Errorf("the members: %s", text)
	}
	for _, name := range []string{"bob", all.Members[1].ID.String()} {
		if text, _ := k.ask(200, "GET", "/v1/members/"+name+"/case", ""); !strings.Contains(text, "earlier program (p4)") || !strings.Contains(text, `"verdict":"alive"`) {
			t.Errorf("why: %s", text)
		}
	}
	reserved := "\x00hearsay/p4/guest/eve"
	k.ask(400, "PUT", web.KeyPath(reserved), `{"addr":"10.0.0.1:22"}`)
	k.ask(400, "DELETE", web.KeyPath(reserved), "")
	body, _ := json.Marshal(map[string]any{"key": reserved, "value": 1})
	k.post("/api/add_data", string(body), 400)
	k.post("/api/gossip", `{"id":"e","data":{"operation":"update","key":"\u0000hearsay/p4/guest/eve","value":1}}`, 400)
	k.ask(204, "PUT", web.KeyPath("\x00"), "")
	for query, want := range map[string]int{"": 2, "?limit=1": 1, "?after=%00&limit=1": 1, "?prefix=%00hearsay/p4/guest/": 1} {
		var listed web.Keys
		text, _ := k.ask(200, "GET", "/v1/kv"+query, "")
		if err := json.Unmarshal([]byte(text), &listed); err != nil || len(listed.Keys) != want {
			t.Errorf("%s: %s", query, text)
		}
	}
	text, _ = k.ask(200, "GET", "/metrics", "")
	if !strings.Contains(text, "hearsay_p4_guests 1\n") || !strings.Contains(text, "hearsay_p4_refused_total 2\n") {
		t.Errorf("its figures: %s", text)
	}
}

// Old clients name no type of what they send; a page of another site, which can do as much without being asked first,
// says where it is from.
func TestEarlierContentType(t *testing.T) {
	k := newKeeper(t)
	for headers, want := range map[string]int{
		"": 200, "Content-Type: application/json": 200, "Content-Type: text/plain": 415, "Origin: http://" + k.host: 415,
		"Sec-Fetch-Site: same-origin": 415, "Origin: http://elsewhere.example": 403, "Sec-Fetch-Site: cross-site": 403,
	} {
		var given []string
		if headers != "" {
			given = []string{headers}
		}
		answer := k.send(http.MethodPost, "/api/add_data", `{"key":"k","value":1}`, given...)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%q: %d, want %d", headers, answer.StatusCode, want)
		}
	}
}

// lookups counts the names whose address was asked for, of all tests of this package: none needs one.
var lookups atomic.Int32

func init() {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		lookups.Add(1)
		return nil, errors.New("no names here")
	}}
}

// Any client may name any host: no name is looked up for it, and one source does not keep others from joining.
func TestEarlierJoinsOfOneSource(t *testing.T) {
	k := newKeeper(t)
	before := lookups.Load()
	defer func() {
		if n := lookups.Load() - before; n > 0 {
			t.Errorf("%d names were looked up", n)
		}
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	join := func(host string, status int) {
		t.Helper()
		k.post("/api/join", `{"node_id":"bob","host":"`+host+`","port":`+port+`}`, status)
	}
	for _, host := range []string{"bob.example", "localhost", "127.0.0.1", "127.0.0.9"} {
		join(host, 200)
	}
	join("127.0.0.1", 503)
	join("192.0.2.7", 500)
	k.http.CloseIdleConnections()
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	k.http.Transport = &http.Transport{DialContext: from.DialContext}
	join("bob.example", 200)
}
