package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/web"
)

// watching is a stream of changes of keys.
type watching struct {
	t     *testing.T
	lines *bufio.Scanner
}

// watch opens a stream, with a Last-Event-ID or "".
func watch(t *testing.T, url, last string) watching {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil || answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("GET %s: %v, %+v", url, err, answer)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return watching{t, bufio.NewScanner(answer.Body)}
}

// next gives the next message's id, its kind and its data.
func (w watching) next() (id, kind, data string) {
	w.t.Helper()
	for w.lines.Scan() && w.lines.Text() != "" {
		switch field, value, _ := strings.Cut(w.lines.Text(), ": "); field {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			data = value
		}
	}
	if id == "" {
		w.t.Fatalf("no message: %v", w.lines.Err())
	}
	return id, kind, data
}

// changed checks the next message: a change of a key to a value, "" for a deletion.
func (w watching) changed(key, value string) (id string) {
	w.t.Helper()
	id, _, data := w.next()
	var e hearsay.Event
	if err := json.Unmarshal([]byte(data), &e); err != nil || e.Kind != hearsay.EventKeyChanged ||
		e.Change.Key != key || string(e.Change.Value) != value || (e.Change.Siblings == 0) != (value == "") {
		w.t.Fatalf("%v: %s, want key %s of %q", err, data, key, value)
	}
	return id
}

func TestWatchOverHTTP(t *testing.T) {
	k := newKeeper(t)
	a, url := k.node, "http://"+k.host
	k.ask(204, "PUT", "/v1/kv/tea/1", "one")
	var list web.Keys
	text, _ := k.ask(200, "GET", "/v1/kv?prefix=tea/", "")
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Keys) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	k.ask(204, "PUT", "/v1/kv/tea/2", "two")
	k.ask(204, "PUT", "/v1/kv/other", "of nobody's interest")

	// From the list's revision on: nothing that it has, all that it lacks.
	listed := watch(t, url+"/v1/events?prefix=tea/&after="+list.Revision.String(), "")
	if id, kind, data := listed.next(); kind != "watching" || id != list.Revision.String() || data != `{"prefix":"tea/","revision":"`+id+`"}` {
		t.Errorf("it begins with %s %s %s", id, kind, data)
	}
	last := listed.changed("tea/2", "two")
	now := watch(t, url+"/v1/events?prefix=", "")
	begins, _, _ := now.next()
	_, header := k.ask(204, "PUT", "/v1/kv/tea/1", "three")
	k.ask(204, "DELETE", "/v1/kv/tea/2", "")
	for _, w := range []watching{listed, now} {
		w.changed("tea/1", "three")
		w.changed("tea/2", "")
	}
	// Resumed: what came after, and no beginning; also behind a change of another key, and with after= beside it, as a
	// browser has it.
	again := watch(t, url+"/v1/events?prefix=tea/&after="+list.Revision.String(), last)
	_, _, data := again.next()
	if !strings.Contains(data, `"key":"tea/1","value":"dGhyZWU=","siblings":1,"context":"`+header.Get(web.HeaderContext)+`"`) {
		t.Errorf("resumed with %s", data)
	}
	again.changed("tea/2", "")
	again = watch(t, url+"/v1/events?prefix=tea/2", begins)
	again.changed("tea/2", "")

	// Of another node, or of a time to come: list again, and nothing is missed from then on.
	other := startAgent(t, "bob")
	if err := other.Put(t.Context(), "k", nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{other.Revision().String(), list.Revision.String() + "00"} {
		w := watch(t, url+"/v1/events?prefix=tea/", foreign)
		if id, _, data := w.next(); id != a.Revision().String() || !strings.Contains(data, `"kind":"lagged","text":"changes were lost`) {
			t.Errorf("after %s: %s %s", foreign, id, data)
		}
		k.ask(204, "PUT", "/v1/kv/tea/3", foreign)
		w.changed("tea/3", foreign)
	}
	if r := k.send("HEAD", "/v1/events?prefix=", ""); r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d", r.StatusCode)
	}
}

// Keys by which nodes tell each other of guests are watched only by name.
func TestWatchPassesOverKeysOfTheNodes(t *testing.T) {
	k := newKeeper(t)
	url := "http://" + k.host + "/v1/events?prefix="
	all, theirs := watch(t, url, ""), watch(t, url+"%00hearsay/p4/", "")
	all.next()
	theirs.next() // that they watch
	own := "\x00hearsay/p4/guest/x"
	for _, w := range []hearsay.Write{{Key: own, Value: []byte("{}")}, {Key: "k", Value: []byte("1")}} {
		if _, err := k.node.Write(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	all.changed("k", "1")
	theirs.changed(own, "{}")
}

func TestWatchProblems(t *testing.T) {
	k := newKeeper(t)
	for path, want := range map[string]string{
		"?prefix=a&prefix=b":     "prefix: want it once",
		"?prefix=&after=1":       `after "1": not a revision; give one as it was read: it stands in a list of keys`,
		"?prefix=&after=":        `after "": not a revision`,
		"?prefix=&after=0-1":     `after "0-1": not a revision`,
		"?after=00000000000000-": "after: want it with prefix",
		"?prefix=%FF":            "a key is 1 to 1024 bytes of UTF-8",
		"?prefix=a&limit=1":      `unknown query parameter "limit": GET /v1/events takes prefix and after`,
	} {
		if text, _ := k.ask(400, "GET", "/v1/events"+path, ""); !strings.Contains(text, strings.ReplaceAll(want, `"`, `\"`)) {
			t.Errorf("%s: %s", path, text)
		}
	}
	if text, _ := k.ask(400, "GET", "/v1/events?prefix=", "", "Last-Event-ID: 17"); !strings.Contains(text, `Last-Event-ID \"17\": not a revision`) {
		t.Errorf("an id of other events: %s", text)
	}
	v := newVillage()
	v.storeBy = hearsay.ErrSeedStore
	if r := ask(handler(v), "GET", "/v1/events?prefix=", ""); r.StatusCode != 409 {
		t.Errorf("at a seed: %d", r.StatusCode)
	}
}

// One source has so many streams of changes that it can still ask for something.
func TestWatchesOfOneSource(t *testing.T) {
	k := newKeeper(t)
	var streams []watching
	for range 112 {
		streams = append(streams, watch(t, "http://"+k.host+"/v1/events?prefix=", ""))
	}
	for range 100 {
		if text, header := k.ask(503, "GET", "/v1/events?prefix=", ""); !strings.Contains(text, "or 112 of one source") || header.Get("Retry-After") == "" {
			t.Fatalf("one more: %s, %v", text, header)
		}
		k.ask(503, "GET", "/v1/kv/k?wait=1m", "")
	}
	k.ask(204, "PUT", "/v1/kv/k", "v")
	for _, w := range streams {
		w.next()
		w.changed("k", "v")
	}
}
