package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"hearsay"
	"hearsay/web"
)

// serve makes a client of a server that answers as answer does.
func serve(t *testing.T, answer http.HandlerFunc) *client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return newClient(server.URL)
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"a problem", 409, `{"title":"Conflict","status":409,"detail":"several members bear this name: 0a, 0b"}`, "several members bear this name: 0a, 0b"},
		{"a problem without detail", 503, `{"title":"Service Unavailable"}`, "service unavailable"},
		{"not a node", 404, `<html>`, "answered 404 Not Found; hint: is this a node of Hearsay?"},
		{"not JSON", 200, `<html>`, "understand the answer of http://"},
		{"other JSON", 200, `{"members":[{"state":"tired"}]}`, `state "tired": want one of`},
		{"a long problem", 500, strings.Repeat(" ", problemMax+1) + `{"title":"x"}`, "answered 500"},
		{"endless", 200, strings.Repeat(" ", answerMax+1), fmt.Sprintf("longer than %d bytes", answerMax)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.body)
			})
			_, err := getJSON[web.Members](t.Context(), c, "/v1/members")
			if err == nil || !strings.Contains(errorLine(err), tc.want) {
				t.Errorf("got error %v, want %q", err, tc.want)
			}
			if err != nil && strings.Contains(errorLine(err), "\n") {
				t.Errorf("the error has several lines: %q", errorLine(err))
			}
		})
	}
}

// A stream that breaks is resumed after its last event.
func TestFollowResumes(t *testing.T) {
	var asked []string // the Last-Event-IDs
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Last-Event-ID"))
		switch len(asked) {
		case 1:
			io.WriteString(w, "event: snapshot\ndata: {}\n\nid: 7\ndata: {\"a\":1}\n\n: heartbeat\n\nid: 8\ndata: {\"b\":2}\n\nid: 9\nda")
		case 2:
			w.WriteHeader(http.StatusBadGateway)
		default:
			io.WriteString(w, "id: 9\ndata: {\"c\":3}\n\n")
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	var losses int
	for s, err := range c.follow(ctx, func(error) { losses++ }) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %s", s.id, s.name, s.data))
		if s.id == "9" {
			cancel()
		}
	}
	if want := []string{" snapshot {}", `7  {"a":1}`, `8  {"b":2}`, `9  {"c":3}`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := []string{"", "8", "8"}; !slices.Equal(asked, want) {
		t.Errorf("asked for what comes after %q, want %q", asked, want)
	}
	if losses != 2 {
		t.Errorf("told of %d losses, want 2", losses)
	}
}

// Who cannot be reached at first is not waited for.
func TestFollowFailsAtOnce(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	var failed error
	for _, err := range c.follow(t.Context(), func(error) { t.Error("told of a loss") }) {
		failed = errors.Join(failed, err)
	}
	if failed == nil {
		t.Error("no error")
	}
}

func TestParseNode(t *testing.T) {
	for node, want := range map[string]string{
		"127.0.0.1:9001":         "http://127.0.0.1:9001",
		"http://[::1]:9001/":     "http://[::1]:9001",
		"https://there/under/it": "https://there/under/it",
		"9001":                   "http://127.0.0.1:9001",
		":9001":                  "http://127.0.0.1:9001",
		"http://:9001":           "http://127.0.0.1:9001",
		"there":                  "http://there",
		"ftp://there":            "",
		"http://":                "",
		"":                       "",
	} {
		got, err := parseNode(node)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", node, got, err, want)
		}
	}
}

// What does not speak HTTP, a node's own port say, is no --http address.
func TestNoHTTP(t *testing.T) {
	for name, says := range map[string]string{"nothing": "", "other words": "PONG\r\n\r\n"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				http.ReadRequest(bufio.NewReader(conn))
				io.WriteString(conn, says)
				conn.Close()
			}
		}()
		_, err = newClient("http://"+listener.Addr().String()).get(t.Context(), "/v1/self")
		if err == nil || !strings.Contains(errorLine(err), "; hint: this is no --http address") {
			t.Errorf("%s: %v", name, err)
		}
		listener.Close()
		<-done
	}
}

// A leave that the seeds have not ruled is no success.
func TestLeaveIsNotRuled(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"title":"Service Unavailable","status":503,"detail":%q}`, hearsay.ErrLeaveUnruled.Error())
	})
	var out, told strings.Builder
	if code := run([]string{"leave", "--node", c.base}, &out, &told); code != 1 || !strings.Contains(told.String(), hearsay.ErrLeaveUnruled.Error()) || out.Len() > 0 {
		t.Errorf("code %d, %q, %q", code, told.String(), out.String())
	}
}

// The command line tells all that the page does.
func TestStatusTellsEachTrouble(t *testing.T) {
	authority := hearsay.Authority{Seeded: true, Key: hearsay.PublicKey{1}, Why: "lists differ", Fork: &hearsay.Fork{Text: "two ledgers"}}
	stats := hearsay.Stats{Alive: 2, DeafFor: 12, Twin: netip.MustParseAddrPort("10.0.0.26:6001"), ClockOff: 4000, DiskBehind: 2}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"/v1/self": web.Self{}, "/v1/stats": stats, "/v1/authority": authority}[r.URL.Path])
	})
	var out, told strings.Builder
	if code := run([]string{"status", "--node", c.base}, &out, &told); code != 0 {
		t.Fatalf("code %d, %s", code, told.String())
	}
	for _, trouble := range hearsay.Troubles(&authority, &stats)[1:] { // the first is a line about the quorum, in its own words
		if !strings.Contains(out.String(), trouble) {
			t.Errorf("%q is not in\n%s", trouble, out.String())
		}
	}
}

// A name that does not resolve is perhaps none: what --node takes is said.
func TestNodeThatDoesNotResolve(t *testing.T) {
	err := newClient("http://nope").explain(&net.DNSError{Err: "no such host", Name: "nope", Server: "10.0.0.1:53"})
	if want := "ask http://nope: no such host; hint: --node takes a URL like http://127.0.0.1:9001, host:port, or a port of this machine"; errorLine(err) != want {
		t.Errorf("%q, want %q", errorLine(err), want)
	}
}
