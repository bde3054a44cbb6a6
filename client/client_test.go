package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// serve makes a client of a server that answers as answer does.
func serve(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return New(server.URL)
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		reason Reason
		want   string
	}{
		{"a problem", 409, `{"title":"Conflict","status":409,"detail":"several members bear this name: 0a, 0b"}`, Failed, "several members bear this name: 0a, 0b"},
		{"a problem without detail", 503, `{"title":"Service Unavailable"}`, Failed, "service unavailable"},
		{"not a node", 404, `<html>`, NotHearsay, "answered 404 Not Found"},
		{"not JSON", 200, `<html>`, NotUnderstood, "understand the answer of http://"},
		{"other JSON", 200, `{"members":[{"state":"tired"}]}`, NotUnderstood, `state "tired": want one of`},
		{"a long problem", 500, strings.Repeat(" ", problemMax+1) + `{"title":"x"}`, NotHearsay, "answered 500"},
		{"endless", 200, strings.Repeat(" ", answerMax+1), Failed, fmt.Sprintf("longer than %d bytes", answerMax)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.body)
			})
			_, err := c.Members(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got error %v, want one line with %q", err, tc.want)
			}
			if got := reasonOf(err); got != tc.reason {
				t.Errorf("the reason is %d, want %d", got, tc.reason)
			}
			if problem, is := errors.AsType[*Problem](err); is && problem.Status != tc.status {
				t.Errorf("the status is %d, want %d", problem.Status, tc.status)
			}
		})
	}
}

// reasonOf gives the reason of an error; Failed of one that has none.
func reasonOf(err error) Reason {
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed.Reason
	}
	return Failed
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
	for s, err := range c.Follow(ctx, func(error) { losses++ }) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %s", s.ID, s.Name, s.Data))
		if s.ID == "9" {
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

// What an id alone says, where nothing happened, is resumed from, too.
func TestWatchResumesWhereItWasIdle(t *testing.T) {
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI()+" "+r.Header.Get("Last-Event-ID"))
		if len(asked) == 1 {
			io.WriteString(w, "id: a-7\nevent: watching\ndata: {}\n\nid: a-9\n: heartbeat\n\nid: a-1")
			return
		}
		io.WriteString(w, "id: a-12\ndata: {}\n\n")
	})
	for m, err := range c.Watch(t.Context(), "a b/", "a-7", func(error) {}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.ID == "a-12" {
			break
		}
	}
	if want := []string{"/v1/events?after=a-7&prefix=a+b%2F ", "/v1/events?after=a-7&prefix=a+b%2F a-9"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// Who cannot be reached at first is not waited for.
func TestFollowFailsAtOnce(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	var failed error
	for _, err := range c.Follow(t.Context(), func(error) { t.Error("told of a loss") }) {
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
		got, err := ParseNode(node, "http://127.0.0.1:9001")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", node, got, err, want)
		}
	}
}

// What does not speak HTTP, a node's own port say, is told apart.
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
		_, err = New("http://" + listener.Addr().String()).Self(t.Context())
		if reasonOf(err) != NotHTTP {
			t.Errorf("%s: %v", name, err)
		}
		listener.Close()
		<-done
	}
}

// The caller's own deadline comes before the patience of this package: what is told is how long was really waited.
func TestDeadlineOfTheCaller(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // which accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = New("http://" + listener.Addr().String()).Self(ctx)
	if reasonOf(err) != Silent || strings.Contains(err.Error(), answerTimeout.String()) {
		t.Errorf("%v; the deadline was 20ms", err)
	}
}

// A name that does not resolve is told without the server that was asked.
func TestNodeThatDoesNotResolve(t *testing.T) {
	err := New("http://nope").explain(&net.DNSError{Err: "no such host", Name: "nope", Server: "10.0.0.1:53"}, answerTimeout)
	if want := "ask http://nope: no such host"; err.Error() != want || err.Reason != Unresolved {
		t.Errorf("%q, reason %d, want %q", err, err.Reason, want)
	}
}
