package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/agent"
	"hearsay/web"
)

var _ web.Backend = (*agent.Agent)(nil)

// startAgent starts a real node on a port from the kernel.
func startAgent(t *testing.T, name string, join ...string) *agent.Agent {
	t.Helper()
	a, err := agent.Start(t.Context(), agent.Config{Name: name, Bind: "127.0.0.1:0", Join: join, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// TestTwoRealNodes follows the stream of one while the other joins, says
// something, and leaves by its own API.
func TestTwoRealNodes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ada := startAgent(t, "ada")
	_, adaURL := serve(t, ada)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	send := func(method, url, body string) *http.Response {
		r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	stream := send("GET", adaURL+"/v1/events", "")
	defer stream.Body.Close()
	events := bufio.NewScanner(stream.Body)

	bob := startAgent(t, "bob", ada.Self().Addr.String())
	_, bobURL := serve(t, bob)
	waitFor(t, events, hearsay.EventMemberJoined)
	list := send("GET", adaURL+"/v1/members", "")
	defer list.Body.Close()
	var got struct{ Members []hearsay.Member }
	if err := json.NewDecoder(list.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Members) != 2 || got.Members[1].ID != bob.Self().ID {
		t.Errorf("ada lists %+v", got.Members)
	}

	say := send("POST", bobURL+"/v1/rumors", `{"text":"so they say"}`)
	defer say.Body.Close()
	if text := read(t, say); say.StatusCode != http.StatusOK || !strings.HasPrefix(text, `{"id":{"origin":"`+bob.Self().ID.String()) {
		t.Errorf("say: status %d: %s", say.StatusCode, text)
	}
	waitFor(t, events, hearsay.EventRumor)
	heard := send("GET", adaURL+"/v1/rumors", "")
	defer heard.Body.Close()
	if text := read(t, heard); !strings.Contains(text, `"origin_name":"bob"`) || !strings.Contains(text, `"text":"so they say"`) || !strings.Contains(text, `"hops":1`) {
		t.Errorf("ada heard %s", text)
	}
	topology := send("GET", adaURL+"/v1/topology", "")
	defer topology.Body.Close()
	if text := read(t, topology); !strings.Contains(text, `"kind":"ring"`) {
		t.Errorf("ada shows %s", text)
	}

	leave := send("POST", bobURL+"/v1/leave", "")
	defer leave.Body.Close()
	if text := read(t, leave); leave.StatusCode != http.StatusAccepted {
		t.Errorf("leave: status %d: %s", leave.StatusCode, text)
	}
	waitFor(t, events, hearsay.EventMemberLeft)
}

// waitFor reads a stream until there is an event of that kind.
func waitFor(t *testing.T, events *bufio.Scanner, kind hearsay.EventKind) {
	t.Helper()
	for events.Scan() {
		if strings.Contains(events.Text(), `"kind":"`+kind.String()+`"`) {
			return
		}
	}
	t.Fatalf("the stream ended without an event of kind %s: %v", kind, events.Err())
}
