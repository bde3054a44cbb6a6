package web_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// crowds are what many clients of one source may ask for, none of which reads much.
var crowds = map[string]func(k *keeper, unseen string, n int) string{
	"waits and streams": func(k *keeper, unseen string, n int) string {
		if n%4 == 0 {
			return k.request("GET", "/v1/events")
		}
		return k.request("GET", fmt.Sprintf("/v1/kv/none%d?wait=60s", n))
	},
	"watches": func(k *keeper, unseen string, _ int) string { return k.request("GET", "/v1/events?prefix=") },
	"small answers that are not read": func(k *keeper, unseen string, _ int) string {
		return strings.Repeat(k.request("GET", "/v1/stats"), 400)
	},
	"large answers that are not read": func(k *keeper, unseen string, _ int) string {
		return strings.Repeat(k.request("GET", "/v1/kv/long"), 8)
	},
	"bodies that do not come": func(k *keeper, unseen string, _ int) string {
		return k.request("PUT", "/v1/kv/k", "Content-Length: 1000") + "x"
	},
	"writes that wait": func(k *keeper, unseen string, _ int) string {
		return strings.Repeat(k.request("PUT", "/v1/kv/future", "Hearsay-Context: "+unseen, "Content-Length: 1")+"x", 20)
	},
}

// request is one as it goes over a connection.
func (k *keeper) request(method, path string, headers ...string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: " + k.host + "\r\n" + strings.Join(append(headers, "", ""), "\r\n")
}

// Nothing that one source asks for, however often, keeps it from being answered what is answered at once.
func TestNoSourceLocksItselfOut(t *testing.T) {
	for name, ask := range crowds {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t)
			k.ask(204, "PUT", "/v1/kv/long", strings.Repeat("x", 1<<20))
			other := startAgent(t, "bob")
			if err := other.Put(t.Context(), "future", nil, nil); err != nil {
				t.Fatal(err)
			}
			unseen, err := other.Get("future")
			if err != nil {
				t.Fatal(err)
			}
			for n := range 400 {
				conn, err := net.Dial("tcp", k.host)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.(*net.TCPConn).SetReadBuffer(4096)
				go io.WriteString(conn, ask(k, unseen.Context.String(), n)) // as much of it as is taken
			}
			for _, path := range []string{"/healthz", "/readyz", "/v1/self", "/v1/stats", "/metrics", "/healthz"} {
				if code, err := k.anew("GET", path, ""); err != nil || code != 200 {
					t.Errorf("%s: %d, %v", path, code, err)
				}
			}
			if code, err := k.anew("PUT", "/v1/kv/k", "v"); err != nil || code != 204 {
				t.Errorf("a write: %d, %v", code, err)
			}
		})
	}
}

// anew asks by a new connection.
func (k *keeper) anew(method, path, body string) (code int, err error) {
	ctx, cancel := context.WithTimeout(k.t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+k.host+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// A page of another site cannot read a stream, and holds none open.
func TestStreamsAreForThisSite(t *testing.T) {
	k := newKeeper(t)
	for _, path := range []string{"/v1/events", "/v1/events?prefix=", "/v1/kv/k?wait=1m"} {
		for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://a1.localhost:9001"} {
			if text, _ := k.ask(403, "GET", path, "", header); !strings.Contains(text, "another site") {
				t.Errorf("%s, %s: %s", path, header, text)
			}
		}
	}
	k.ask(404, "GET", "/v1/kv/k?wait=1ms", "", "Sec-Fetch-Site: same-origin", "Origin: http://"+k.host)
	k.ask(404, "GET", "/v1/kv/k", "", "Sec-Fetch-Site: cross-site") // it holds nothing
}
