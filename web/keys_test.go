package web_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/agent"
	"hearsay/web"
)

// keeper is a real node behind its API, asked over real connections.
type keeper struct {
	t    *testing.T
	node *agent.Agent
	host string
	http *http.Client
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	a := startAgent(t, "ada")
	_, url := serve(t, a)
	k := &keeper{t, a, strings.TrimPrefix(url, "http://"), &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(k.http.CloseIdleConnections)
	return k
}

// send sends a request whose path and query stand in it as they are, and gives the answer.
func (k *keeper) send(method, path, body string, headers ...string) *http.Response {
	k.t.Helper()
	opaque, query, _ := strings.Cut(path, "?")
	r := &http.Request{
		Method: method, URL: &url.URL{Scheme: "http", Host: k.host, Opaque: opaque, RawQuery: query},
		Header: make(http.Header), Body: http.NoBody,
	}
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	answer, err := k.http.Do(r.WithContext(k.t.Context()))
	if err != nil {
		k.t.Fatalf("%s %.80s: %v", method, path, err)
	}
	return answer
}

// ask gives an answer that has this status.
func (k *keeper) ask(status int, method, path, body string, headers ...string) (text string, header http.Header) {
	k.t.Helper()
	r := k.send(method, path, body, headers...)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status {
		k.t.Fatalf("%s %.80s: status %d, want %d: %.300s", method, path, r.StatusCode, status, b)
	}
	if problem := r.Header.Get("Content-Type") == "application/problem+json"; problem != (status >= 400) {
		k.t.Fatalf("%s %.80s: a problem document: %v", method, path, problem)
	}
	return string(b), r.Header
}

// Any key and any value are taken and given byte for byte.
func TestKeysAreAsTheyAre(t *testing.T) {
	k := newKeeper(t)
	values := []string{"", "one", "\x00\xff\r\n", strings.Repeat("\xff\x00", hearsay.MaxValue/2)}
	keys := []string{
		"a", "a/b", "/", "//", "a//b", "..", "../a", "./b", "a/../b", ".", "%", "%2e", "%2F", "a b", "a+b", "a?b=c", "#", "ü", "\n", "\x00", "\x1b[2J",
		"a;b", "{key...}", `"`, strings.Repeat("k", hearsay.MaxKey),
	}
	for i, key := range keys {
		k.ask(204, "PUT", web.KeyPath(key), values[i%len(values)])
	}
	for i, key := range keys {
		got, header := k.ask(200, "GET", web.KeyPath(key), "")
		if got != values[i%len(values)] || header.Get("Content-Type") != "application/octet-stream" || header.Get(web.HeaderSiblings) != "1" {
			t.Errorf("%.20q: %d bytes, %v", key, len(got), header)
		}
	}
	for path, key := range map[string]string{"/v1/kv/a/b": "a/b", "/v1/kv/a//b": "a//b", "/v1/kv/a/../b": "a/../b", "/v1/kv/..": "..", "/v1/kv/a%2Fb": "a/b"} {
		if got, _ := k.ask(200, "GET", path+"?siblings=1", ""); !strings.HasPrefix(got, `{"key":"`+key+`","context":"`) {
			t.Errorf("%s: %s", path, got)
		}
	}
	var listed web.Keys
	text, _ := k.ask(200, "GET", "/v1/kv", "")
	if err := json.Unmarshal([]byte(text), &listed); err != nil || len(listed.Keys) != len(keys) || listed.Next != "" {
		t.Fatalf("%d keys are listed, next %q, %v", len(listed.Keys), listed.Next, err)
	}
	for _, key := range keys {
		k.ask(204, "DELETE", web.KeyPath(key), "")
		k.ask(404, "GET", web.KeyPath(key), "")
	}
}

// A write with a context replaces what was read, and nothing that was written since; conditions are kept.
func TestContexts(t *testing.T) {
	k := newKeeper(t)
	_, absent := k.ask(404, "GET", "/v1/kv/k", "")
	_, first := k.ask(204, "PUT", "/v1/kv/k", "1", "If-None-Match: *")
	context := web.HeaderContext + ": " + first.Get(web.HeaderContext)
	k.ask(412, "PUT", "/v1/kv/k", "2", "If-None-Match: *")
	k.ask(412, "PUT", "/v1/kv/k", "2", "If-Match: "+absent.Get("ETag"))
	for _, tags := range []string{first.Get("ETag"), "W/" + first.Get("ETag"), `"other", ` + first.Get("ETag"), "*"} {
		if _, header := k.ask(304, "GET", "/v1/kv/k", "", "If-None-Match: "+tags); header.Get("ETag") != first.Get("ETag") {
			t.Errorf("If-None-Match %s: %v", tags, header)
		}
	}
	k.ask(200, "GET", "/v1/kv/k", "", `If-None-Match: "other"`)
	k.ask(404, "GET", "/v1/kv/none", "", "If-None-Match: *")
	_, second := k.ask(204, "PUT", "/v1/kv/k", "2", "If-Match: "+first.Get("ETag"))
	k.ask(412, "DELETE", "/v1/kv/k", "", "If-Match: "+first.Get("ETag"))
	k.ask(204, "PUT", "/v1/kv/k", "3", context) // it has not read 2

	got, header := k.ask(200, "GET", "/v1/kv/k", "")
	if got != "3" || header.Get(web.HeaderSiblings) != "2" {
		t.Fatalf("the winner is %q of %s", got, header.Get(web.HeaderSiblings))
	}
	var all web.Values
	text, _ := k.ask(200, "GET", "/v1/kv/k?siblings=1", "")
	if err := json.Unmarshal([]byte(text), &all); err != nil || all.Context.String() != header.Get(web.HeaderContext) || len(all.Siblings) != 2 || string(all.Siblings[1].Value) != "2" {
		t.Fatalf("%v: %s", err, text)
	}
	k.ask(204, "DELETE", "/v1/kv/k", "", web.HeaderContext+": "+second.Get(web.HeaderContext))
	if got, header = k.ask(200, "GET", "/v1/kv/k", ""); got != "3" || header.Get(web.HeaderSiblings) != "1" {
		t.Errorf("left is %q of %s", got, header.Get(web.HeaderSiblings))
	}
	k.ask(204, "DELETE", "/v1/kv/k", "", "If-Match: "+header.Get("ETag"))
	k.ask(204, "PUT", "/v1/kv/k", "4", "If-Match: "+absent.Get("ETag"))
	k.ask(204, "PUT", "/v1/kv/short?ttl=1ms", "lives")
	for until := time.Now().Add(time.Minute); ; {
		if r := k.send("GET", "/v1/kv/short", ""); r.Body.Close() == nil && r.StatusCode == 404 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("a value with a TTL of 1ms is there for a minute")
		}
	}
}

// A client waits for what is newer than what it has, from whichever node it has that.
func TestWaitForNewer(t *testing.T) {
	k := newKeeper(t)
	waits := func(headers ...string) <-chan *http.Response {
		answered := make(chan *http.Response, 1)
		go func() { answered <- k.send("GET", "/v1/kv/k?wait=1m", "", headers...) }()
		return answered
	}
	got := func(answered <-chan *http.Response, status int, body string) http.Header {
		t.Helper()
		r := <-answered
		defer r.Body.Close()
		if b, _ := io.ReadAll(r.Body); r.StatusCode != status || body != "" && string(b) != body {
			t.Errorf("status %d, want %d: %.300s", r.StatusCode, status, b)
		}
		return r.Header
	}
	answered := waits()
	k.ask(204, "PUT", "/v1/kv/other", "0")
	k.ask(204, "PUT", "/v1/kv/k", "1")
	first := got(answered, 200, "1")
	got(waitless(k, first), 304, "")
	answered = waits("If-None-Match: " + first.Get("ETag"))
	k.ask(204, "PUT", "/v1/kv/k", "2")
	second := got(answered, 200, "2")
	if got, _ := k.ask(200, "GET", "/v1/kv/k?wait=1m", "", web.HeaderContext+": "+first.Get(web.HeaderContext)); got != "2" {
		t.Errorf("of what is long gone: %s", got)
	}
	answered = waits(web.HeaderContext + ": " + second.Get(web.HeaderContext))
	k.ask(204, "DELETE", "/v1/kv/k", "")
	absent := got(answered, 404, "")
	got(waitless(k, absent), 304, "")

	// What was read at another node, and has not come here, is newer than what is here.
	_, third := k.ask(204, "PUT", "/v1/kv/k", "3")
	ahead := forged(t, third.Get(web.HeaderContext))
	k.ask(304, "GET", "/v1/kv/k?wait=1ms", "", web.HeaderContext+": "+ahead)
	// A value that ends is another without being written.
	_, short := k.ask(204, "PUT", "/v1/kv/k?ttl=100ms", "4")
	k.ask(404, "GET", "/v1/kv/k?wait=1m", "", "If-None-Match: "+short.Get("ETag"))
}

// waitless asks for what is newer, and does not wait long.
func waitless(k *keeper, header http.Header) <-chan *http.Response {
	answered := make(chan *http.Response, 1)
	answered <- k.send("GET", "/v1/kv/k?wait=1ms", "", "If-None-Match: "+header.Get("ETag"))
	return answered
}

func TestListOfKeys(t *testing.T) {
	k := newKeeper(t)
	for n := range 5 {
		k.ask(204, "PUT", fmt.Sprintf("/v1/kv/list/%d", n), strings.Repeat("v", n))
	}
	k.ask(204, "PUT", "/v1/kv/other", "")
	for query, want := range map[string]string{
		"?prefix=list/&limit=2":               "list/0 0, list/1 1; list/1",
		"?prefix=list/&after=list/2&limit=2":  "list/3 3, list/4 4; ",
		"?prefix=list%2F&after=list/4":        "; ",
		"?after=list/3":                       "list/4 4, other 0; ",
		"?prefix=none":                        "; ",
		"?prefix=list/&after=list/1&limit=01": "list/2 2; list/2",
	} {
		var got web.Keys
		text, _ := k.ask(200, "GET", "/v1/kv"+query, "")
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Keys == nil {
			t.Fatalf("%s: %s", query, text)
		}
		var all []string
		for _, each := range got.Keys {
			all = append(all, fmt.Sprint(each.Key, " ", each.Size))
		}
		if text := strings.Join(all, ", ") + "; " + got.Next; text != want {
			t.Errorf("%s: %s, want %s", query, text, want)
		}
	}
}

// Each answer says what would be right, and nothing is written.
func TestStoreProblems(t *testing.T) {
	k := newKeeper(t)
	_, header := k.ask(204, "PUT", "/v1/kv/k", "kept")
	context := header.Get(web.HeaderContext)
	for name, c := range map[string]struct {
		method, path, body, header string
		status                     int
		detail                     string
	}{
		"no key":                 {"PUT", "/v1/kv/", "", "", 400, "a key is 1 to 1024 bytes of UTF-8"},
		"no key to get":          {"GET", "/v1/kv/", "", "", 400, "a key is 1 to 1024 bytes of UTF-8"},
		"long key":               {"PUT", "/v1/kv/" + strings.Repeat("k", 1025), "", "", 400, "of 1025 bytes: a key is 1 to 1024 bytes"},
		"not UTF-8":              {"PUT", "/v1/kv/%FF", "", "", 400, "UTF-8"},
		"too long":               {"PUT", "/v1/kv/k", strings.Repeat("v", hearsay.MaxValue+1), "", 413, "a value has at most 1048576 bytes"},
		"far too long":           {"PUT", "/v1/kv/k", strings.Repeat("v", 4<<20), "", 413, "a value has at most 1048576 bytes"},
		"bad context":            {"PUT", "/v1/kv/k", "v", web.HeaderContext + ": !", 400, "give one that was read with it"},
		"empty context":          {"PUT", "/v1/kv/k", "v", web.HeaderContext + ": ", 400, "give one that was read with it"},
		"padded context":         {"PUT", "/v1/kv/k", "v", web.HeaderContext + ": AQ==", 400, "give one that was read with it"},
		"context of another key": {"PUT", "/v1/kv/l", "v", web.HeaderContext + ": " + context, 400, "of another key"},
		"forged context":         {"PUT", "/v1/kv/k", "v", web.HeaderContext + ": " + forged(t, context), 409, "has not seen"},
		"weak ETag":              {"PUT", "/v1/kv/k", "v", `If-Match: W/"` + context + `"`, 400, "want one ETag, in its quotes"},
		"any ETag":               {"PUT", "/v1/kv/k", "v", "If-Match: *", 400, "want one ETag, in its quotes"},
		"two ETags":              {"PUT", "/v1/kv/k", "v", `If-Match: "a", "b"`, 400, "want one ETag"},
		"none match an ETag":     {"PUT", "/v1/kv/k", "v", `If-None-Match: "a"`, 400, "want *"},
		"delete if absent":       {"DELETE", "/v1/kv/k", "", "If-None-Match: *", 400, "nothing to compare with, or to delete"},
		"delete with body":       {"DELETE", "/v1/kv/k", "v", "", 400, "a delete has no body"},
		"ttl no duration":        {"PUT", "/v1/kv/k?ttl=5", "v", "", 400, `ttl "5": want a duration`},
		"ttl empty":              {"PUT", "/v1/kv/k?ttl=", "v", "", 400, "want a duration"},
		"ttl negative":           {"PUT", "/v1/kv/k?ttl=-1s", "v", "", 400, "want a duration of a millisecond or more"},
		"ttl twice":              {"PUT", "/v1/kv/k?ttl=1s&ttl=2s", "v", "", 400, "want it once"},
		"ttl of a get":           {"GET", "/v1/kv/k?ttl=1s", "", "", 400, "unknown query parameter"},
		"siblings":               {"GET", "/v1/kv/k?siblings=2", "", "", 400, "want siblings=1"},
		"wait no duration":       {"GET", "/v1/kv/k?wait=5", "", "", 400, `wait "5": want a duration from 1ms to 1m0s, as in 30s`},
		"wait too long":          {"GET", "/v1/kv/k?wait=61s", "", "", 400, "want a duration from 1ms to 1m0s"},
		"wait for a weak ETag":   {"GET", "/v1/kv/k?wait=1s", "", `If-None-Match: W/"` + context + `"`, 400, "want one ETag, in its quotes"},
		"wait for no context":    {"GET", "/v1/kv/k?wait=1s", "", web.HeaderContext + ": ", 400, "give one that was read with it"},
		"wait for another key":   {"GET", "/v1/kv/l?wait=1s", "", web.HeaderContext + ": " + context, 400, "of another key"},
		"wait of a write":        {"PUT", "/v1/kv/k?wait=1s", "v", "", 400, "unknown query parameter"},
		"limit":                  {"GET", "/v1/kv?limit=0", "", "", 400, "want one number from 1 to 10000"},
		"foreign":                {"PUT", "/v1/kv/k", "v", "Origin: https://evil.example", 403, "another site"},
		"a method":               {"POST", "/v1/kv/k", "v", "", 405, "want GET, HEAD, PUT, DELETE"},
	} {
		headers := []string{c.header}
		if c.header == "" {
			headers = nil
		}
		var got struct{ Detail string }
		text, _ := k.ask(c.status, c.method, c.path, c.body, headers...)
		if err := json.Unmarshal([]byte(text), &got); err != nil || !strings.Contains(got.Detail, c.detail) {
			t.Errorf("%s: %s, want %s", name, text, c.detail)
		}
		if text, header := k.ask(200, "GET", "/v1/kv/k", ""); text != "kept" || header.Get(web.HeaderSiblings) != "1" {
			t.Fatalf("%s: the value is %.20q", name, text)
		}
	}
	if text, _ := k.ask(200, "GET", "/v1/kv", ""); strings.Count(text, `"key"`) != 1 {
		t.Errorf("the keys are %s", text)
	}
}

// forged gives a context that names a write which does not exist.
func forged(t *testing.T, context string) string {
	t.Helper()
	var c hearsay.Context
	if err := c.UnmarshalText([]byte(context)); err != nil {
		t.Fatal(err)
	}
	c[len(c)-2]++
	return c.String()
}

// What the node answers has its status.
func TestStoreStatuses(t *testing.T) {
	for status, errs := range map[int][]error{
		409: {hearsay.ErrSeedStore, hearsay.ErrUnseen, hearsay.ErrSiblings, hearsay.ErrWriters},
		412: {hearsay.ErrKeyExists, hearsay.ErrKeyChanged},
		503: {hearsay.ErrDiskBehind, errors.New("the agent has stopped")},
		507: {hearsay.ErrStoreFull, hearsay.ErrDiskFull},
	} {
		for _, err := range errs {
			v := newVillage()
			v.storeBy = fmt.Errorf("write: %w", err)
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				if r := ask(handler(v), method, "/v1/kv/k", ""); r.StatusCode != status || !strings.Contains(read(t, r), err.Error()) {
					t.Errorf("%s, %v: status %d, want %d", method, err, r.StatusCode, status)
				}
			}
			if r := ask(handler(v), "GET", "/v1/kv", ""); r.StatusCode != status {
				t.Errorf("list, %v: status %d, want %d", err, r.StatusCode, status)
			}
		}
	}
}

// A body that is cut off, or shorter than was said, is not written.
func TestCutBodies(t *testing.T) {
	k := newKeeper(t)
	says := map[string]string{ // where the server itself does not refuse it
		"cut off": "the body is cut off after 4 bytes, of 10 that Content-Length says; nothing was written: send it whole", "cut chunk": "the body is cut off after 4 bytes; nothing",
	}
	for name, request := range map[string]string{
		"cut off":     "PUT /v1/kv/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nhalf",
		"cut chunk":   "PUT /v1/kv/k HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf",
		"no last one": "PUT /v1/kv/k HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"no number":   "PUT /v1/kv/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -4\r\n\r\nhalf",
	} {
		conn, err := net.Dial("tcp", k.host)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, request)
		conn.(*net.TCPConn).CloseWrite()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text := read(t, answer); answer.StatusCode != 400 || !strings.Contains(text, says[name]) {
			t.Errorf("%s: status %d: %s", name, answer.StatusCode, text)
		}
		conn.Close()
		if got, err := k.node.Get("k"); err != nil || len(got.Siblings) != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
