package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hearsay"
	"hearsay/clock"
	"hearsay/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eventsKept is how many events the backend of the tests keeps.
const eventsKept = 4

// village is a backend in memory.
type village struct {
	mu      sync.Mutex
	members []hearsay.Member // the first is the node itself
	started time.Time
	joined  bool
	stats   hearsay.Stats
	left    bool
	leaveBy error
	events  []hearsay.Event // all that ever happened; the last eventsKept are kept
	news    chan struct{}   // closed when something happens
	readers int
	rumors  []hearsay.Event
	said    []string // what was broadcast
	sayBy   error
	links   []hearsay.Link
	storeBy error // what the store says to everything
	council council
}

func newVillage() *village {
	ada, bob := hearsay.NodeID{0xad, 1}, hearsay.NodeID{0xb0, 2}
	return &village{
		members: []hearsay.Member{
			{ID: ada, Name: "ada", Addr: netip.MustParseAddrPort("10.0.0.1:7946"), Role: hearsay.RolePeer, State: hearsay.StateAlive, Incarnation: 7, Since: at(0)},
			{ID: bob, Name: "bob", Addr: netip.MustParseAddrPort("[fd00::2]:7946"), Role: hearsay.RolePeer, State: hearsay.StateDead, Incarnation: 9, Since: at(5)},
		},
		started: at(0), joined: true, news: make(chan struct{}),
	}
}

// at is a time n seconds into the tests' day.
func at(n int) time.Time { return time.Date(2026, 5, 1, 8, 0, n, 0, time.UTC) }

func (v *village) Self() hearsay.Member {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.members[0]
}

func (v *village) Started() time.Time { return v.started }

func (v *village) Joined() bool { return v.joined }

func (v *village) Members() []hearsay.Member {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]hearsay.Member(nil), v.members...)
}

func (v *village) Stats() hearsay.Stats { return v.stats }

func (v *village) Why(name string) (hearsay.CaseFile, error) {
	switch name {
	case "bob", v.members[1].ID.String():
		step := hearsay.Step{At: at(4), Kind: "unreachable", By: "ada", Text: "no ack"}
		return hearsay.CaseFile{Member: v.members[1], Verdict: "dead", Summary: "bob fell silent.", Steps: []hearsay.Step{step}}, nil
	case "asked":
		return hearsay.CaseFile{Member: hearsay.Member{ID: hearsay.NodeID{9}, Name: name}, Verdict: "unknown", Summary: name + " was never in."}, nil
	case "twin":
		return hearsay.CaseFile{}, fmt.Errorf("twin: %w: ad01, b002", hearsay.ErrAmbiguous)
	case "stopped":
		return hearsay.CaseFile{}, errors.New("the node has stopped")
	}
	return hearsay.CaseFile{Verdict: "unknown", Summary: name + " was never in."}, nil
}

func (v *village) Leave(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded {
		return errors.New("leave without a limit of time")
	}
	v.left = v.leaveBy == nil
	return v.leaveBy
}

func (v *village) Newest() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.events) == 0 {
		return 0
	}
	return lifeBase + uint64(len(v.events))
}

func (v *village) Broadcast(ctx context.Context, data []byte) (clock.Dot, error) {
	if _, bounded := ctx.Deadline(); !bounded || ctx.Err() != nil {
		return clock.Dot{}, errors.New("a broadcast without a limit of time, or without time")
	}
	if v.sayBy != nil {
		return clock.Dot{}, v.sayBy
	}
	v.said = append(v.said, string(data))
	return clock.Dot{Origin: hearsay.OriginOf(v.members[0].ID), Counter: uint64(len(v.said))}, nil
}

func (v *village) EachRumor(limit int) iter.Seq[hearsay.Event] {
	return slices.Values(v.rumors[max(0, len(v.rumors)-limit):])
}

func (v *village) Get(key string) (hearsay.Stored, error) { return hearsay.Stored{Key: key}, v.storeBy }

func (v *village) GetNewer(_ context.Context, key string, _ []byte) (hearsay.Stored, error) {
	return v.Get(key)
}

func (v *village) Keys(string, string, int) ([]hearsay.KeyInfo, error) { return nil, v.storeBy }

func (v *village) Revision() hearsay.Revision { return hearsay.Revision{} }

func (v *village) WatchAfter(context.Context, string, hearsay.Revision, time.Duration) (iter.Seq2[hearsay.Revision, hearsay.Event], error) {
	return func(func(hearsay.Revision, hearsay.Event) bool) {}, v.storeBy
}

func (v *village) Write(_ context.Context, writes ...hearsay.Write) ([][]byte, error) {
	return make([][]byte, len(writes)), v.storeBy
}

func (v *village) Writers() (map[string]uint64, error) { return nil, v.storeBy }

func (v *village) Topology() []hearsay.Link { return v.links }

// happen adds an event.
func (v *village) happen(kind hearsay.EventKind, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.events = append(v.events, hearsay.Event{At: at(len(v.events)), Kind: kind, Name: name})
	close(v.news)
	v.news = make(chan struct{})
}

// lifeBase is the number before the village's first event.
const lifeBase = 1 << 50

// next gives the event after the one of that number; where it was lost, what
// says so; or the channel that tells when there is one.
func (v *village) next(after uint64) (number uint64, e hearsay.Event, news <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if after == 0 {
		after = lifeBase
	}
	last := lifeBase + uint64(len(v.events))
	first := max(lifeBase, last-eventsKept) // the events after this number are kept
	switch {
	case after < first:
		return first, hearsay.Event{At: at(0), Kind: hearsay.EventLagged}, nil
	case after < last:
		return after + 1, v.events[after-lifeBase], nil
	default:
		return after, hearsay.Event{}, v.news
	}
}

func (v *village) EventsAfter(ctx context.Context, after uint64) iter.Seq2[uint64, hearsay.Event] {
	return func(yield func(uint64, hearsay.Event) bool) {
		v.mu.Lock()
		v.readers++
		v.mu.Unlock()
		defer func() {
			v.mu.Lock()
			v.readers--
			v.mu.Unlock()
		}()
		for {
			number, e, news := v.next(after)
			if news == nil {
				if after = number; !yield(number, e) {
					return
				}
				continue
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}
}

// served is the address at which the tests' API is said to be.
const served = "node.example:9001"

func handler(v *village) http.Handler { return handlerOf(v) }

func handlerOf(b web.Backend) http.Handler {
	return web.Handler(b, web.Info{HTTP: served, Host: "alias.example", Hosts: []string{"proxy.example"}, Version: "v0.1.0"})
}

// ask gives the answer to a request with headers "Name: value".
func ask(h http.Handler, method, target, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:9001"
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func read(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

func TestAnswers(t *testing.T) {
	const (
		ada   = `"ad010000000000000000000000000000"`
		bob   = `"b0020000000000000000000000000000"`
		bobAs = `{"id":` + bob + `,"name":"bob","addr":"[fd00::2]:7946","role":"peer","state":"dead","incarnation":9,"since":"2026-05-01T08:00:05Z","dialect":""}`
	)
	bobsCase := `{"member":` + bobAs + `,"verdict":"dead","summary":"bob fell silent.","steps":[{"at":"2026-05-01T08:00:04Z","kind":"unreachable","by":"ada","text":"no ack"}]}`
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/v1/self", 200, `{"id":` + ada + `,"name":"ada","role":"peer","addr":"10.0.0.1:7946","http":"node.example:9001","epoch":0,"incarnation":7,"state":"alive","started":"2026-05-01T08:00:00Z","version":"v0.1.0","troubles":[]}`},
		{"GET", "/v1/members", 200, `{"epoch":0,"members":[{"id":` + ada + `,"name":"ada","addr":"10.0.0.1:7946","role":"peer","state":"alive","incarnation":7,"since":"2026-05-01T08:00:00Z","dialect":""},` + bobAs + `]}`},
		{"GET", "/v1/members/bob/case", 200, bobsCase},
		{"GET", "/v1/members/b0020000000000000000000000000000/case", 200, bobsCase},
		{"GET", "/healthz", 200, `{"status":"alive"}`},
		{"GET", "/readyz", 200, `{"status":"joined"}`},
		{"POST", "/v1/leave", 202, `{"status":"left"}`},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			r := ask(handler(newVillage()), c.method, c.path, "")
			if got := read(t, r); r.StatusCode != c.status || got != c.want {
				t.Errorf("%d %s\nwant %d %s", r.StatusCode, got, c.status, c.want)
			}
			if kind := r.Header.Get("Content-Type"); kind != "application/json" {
				t.Errorf("Content-Type %q", kind)
			}
		})
	}
}

func TestEmptyListsAreLists(t *testing.T) {
	v := newVillage()
	got := read(t, ask(handler(v), "GET", "/v1/members/asked/case", ""))
	if !strings.Contains(got, `"steps":[]`) || !strings.Contains(got, `"verdict":"unknown"`) {
		t.Errorf("the case of one never in: %s", got)
	}
}

func TestStats(t *testing.T) {
	v := newVillage()
	v.stats.PacketsIn = 41
	v.stats.Drops[hearsay.DropBadSignature] = 3
	var got struct {
		PacketsIn uint64            `json:"packets_in"`
		Drops     map[string]uint64 `json:"drops"`
	}
	if err := json.Unmarshal([]byte(read(t, ask(handler(v), "GET", "/v1/stats", ""))), &got); err != nil {
		t.Fatal(err)
	}
	if got.PacketsIn != 41 || got.Drops["bad-signature"] != 3 || len(got.Drops) != int(hearsay.NumDrops) {
		t.Errorf("got %+v", got)
	}
}

func TestLeave(t *testing.T) {
	v := newVillage()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the client has gone; what it asked for is done all the same
	r := httptest.NewRequest("POST", "http://127.0.0.1/v1/leave", nil).WithContext(ctx)
	w := httptest.NewRecorder()
	if handler(v).ServeHTTP(w, r); w.Code != 202 || !v.left {
		t.Errorf("status %d, left %v", w.Code, v.left)
	}
}

// What is wrong with a node that is in, and can be reached, stands behind "joined".
func TestReadyWithTrouble(t *testing.T) {
	v := newVillage()
	v.stats = hearsay.Stats{Alive: 2, Twin: netip.MustParseAddrPort("10.0.0.26:6001")}
	r := ask(handler(v), "GET", "/readyz", "")
	if text := read(t, r); r.StatusCode != 200 || !strings.Contains(text, `"joined; another process runs with this identity at 10.0.0.26:6001: this data directory is a copy`) {
		t.Errorf("%d %s", r.StatusCode, text)
	}
	v.stats = hearsay.Stats{Alive: 2, StoreValues: 5, StoreCatchUp: 2, StoreLacks: 7}
	r = ask(handler(v), "GET", "/readyz", "")
	if text := read(t, r); r.StatusCode != 200 || text != `{"status":"joined; catches up with the store: 5 values are here, 7 writes are missing"}` {
		t.Errorf("%d %s", r.StatusCode, text)
	}
}

// What should be seen to at a node stands in what it says of itself, all of it, and where events begin.
func TestSelfTellsTroubles(t *testing.T) {
	twin := netip.MustParseAddrPort("10.0.0.26:6001")
	for name, c := range map[string]struct {
		stats     hearsay.Stats
		authority hearsay.Authority
		want      []string // the beginnings
	}{
		"well":  {hearsay.Stats{Alive: 2}, hearsay.Authority{}, nil},
		"alone": {hearsay.Stats{Alive: 1, Dead: 2, Lost: 2}, hearsay.Authority{}, []string{"alone: no other member is left"}},
		"several": {
			hearsay.Stats{Alive: 2, DeafFor: 12, Twin: twin, ClockOff: -4000, DiskBehind: 2},
			hearsay.Authority{},
			[]string{"the disk does not keep up", "datagrams (UDP) have not got through", "another process runs with this identity at 10.0.0.26:6001", "this machine's clock is 1h7m0s behind"},
		},
		"no quorum": {
			hearsay.Stats{Alive: 2},
			hearsay.Authority{Seeded: true, Quorum: 2, Seeds: make([]hearsay.SeedStatus, 3), Why: "lists differ", Fork: &hearsay.Fork{Text: "two ledgers"}},
			[]string{"no quorum of seeds is heard (2 of 3): as far as this node knows, nobody is admitted or removed", "lists differ", "two ledgers"},
		},
		"a seed in doubt": {
			hearsay.Stats{Alive: 2},
			hearsay.Authority{Seeded: true, Quorum: 2, Key: hearsay.PublicKey{1}, Why: "a copy"},
			[]string{"this seed takes no part now", "a copy"},
		},
		"a log that has stalled": {
			hearsay.Stats{Alive: 2},
			hearsay.Authority{Seeded: true, Quorum: 2, Key: hearsay.PublicKey{1}, Stalled: true, Why: "the log decides nothing"},
			[]string{"the log decides nothing"},
		},
		"reports in vain": {
			hearsay.Stats{Alive: 2, Untaken: []hearsay.Untaken{{Name: "p4", Seed: twin, Why: "i/o timeout"}, {Name: "p5"}, {Name: "p6"}, {Name: "p7"}}},
			hearsay.Authority{Seeded: true, Ready: true},
			[]string{`no seed has taken this node's report of p4, p5, p6, 1 more since 0001-01-01T00:00:00Z: the seed at 10.0.0.26:6001 cannot be asked (i/o timeout); let TCP`},
		},
		"reports that wait": {
			hearsay.Stats{Alive: 2, Untaken: []hearsay.Untaken{{Name: "p4", Seed: twin, Why: "no quorum", Waits: true}}},
			hearsay.Authority{Seeded: true, Ready: true},
			[]string{`no seed has taken this node's report of p4 since 0001-01-01T00:00:00Z: the seed at 10.0.0.26:6001 answers "no quorum"`},
		},
		"a quorum that differs": {hearsay.Stats{Alive: 2}, hearsay.Authority{Seeded: true, Ready: true, Why: "lists differ"}, []string{"lists differ"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVillage()
			v.stats, v.council.authority = c.stats, c.authority
			var self web.Self
			if err := json.Unmarshal([]byte(read(t, ask(handler(v), "GET", "/v1/self", ""))), &self); err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(self.Troubles, c.want, strings.HasPrefix) {
				t.Errorf("got %q, want %q", self.Troubles, c.want)
			}
		})
	}
}

// noon is when figures of a test were taken.
var noon = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// TestProblems asks wrongly. Each answer must say in its detail what would be
// right.
func TestProblems(t *testing.T) {
	const asJSON = "Content-Type: application/json"
	type headers []string
	for name, c := range map[string]struct {
		method, target, body string
		headers              headers
		change               func(*village)
		status               int
		detail               string // a part of it
	}{
		"no such path":       {method: "GET", target: "/v1/nothing", status: 404, detail: "nothing at /v1/nothing"},
		"no such file":       {method: "GET", target: "/page/index.html", status: 404, detail: "the page is /"},
		"write to a list":    {method: "POST", target: "/v1/members", status: 405, detail: "want GET, HEAD"},
		"write to the page":  {method: "PUT", target: "/", status: 405, detail: "want GET"},
		"read of a write":    {method: "GET", target: "/v1/leave", status: 405, detail: "want POST"},
		"unknown parameter":  {method: "GET", target: "/v1/members?state=dead", status: 400, detail: `unknown query parameter "state": GET /v1/members takes none`},
		"parameter of leave": {method: "POST", target: "/v1/leave?force=1", status: 400, detail: "takes none"},
		"bad query":          {method: "GET", target: "/v1/self?%zz", status: 400, detail: "%zz"},
		"name too long":      {method: "GET", target: "/v1/members/" + strings.Repeat("x", 65) + "/case", status: 400, detail: "it has 65 bytes; want at most 64"},
		"name with a slash":  {method: "GET", target: "/v1/members/a%2Fb/case", status: 400, detail: `'/' is not allowed`},
		"nobody's case":      {method: "GET", target: "/v1/members/nobody/case", status: 404, detail: "nobody was never in."},
		"ambiguous name":     {method: "GET", target: "/v1/members/twin/case", status: 409, detail: "several members bear this name: ad01, b002"},
		"node has stopped":   {method: "GET", target: "/v1/members/stopped/case", status: 503, detail: "the node has stopped"},
		"not joined": {
			method: "GET", target: "/readyz", status: 503, detail: "none of its contacts has answered",
			change: func(v *village) { v.joined = false },
		},
		"disk behind": {
			method: "GET", target: "/readyz", status: 503, detail: "the disk does not keep up: what must be durable waits for it, and since 2025-06-01T11:59:57Z nothing",
			change: func(v *village) { v.stats = hearsay.Stats{At: noon, DiskWaits: 5_000_000, DiskBehind: 2.5} },
		},
		"disk full": {
			method: "GET", target: "/readyz", status: 503, detail: "the disk is full: since 2025-06-01T11:59:57Z nothing becomes durable",
			change: func(v *village) { v.stats = hearsay.Stats{At: noon, DiskFull: 2.5, DiskBehind: 1} },
		},
		"no address": {
			method: "GET", target: "/readyz", status: 503, detail: "this machine has not had this node's own address since at least 2025-06-01T11:59:52Z: others",
			change: func(v *village) { v.joined, v.stats = false, hearsay.Stats{At: noon, AddressGone: 7.2} },
		},
		"hears nobody": {
			method: "GET", target: "/readyz", status: 503, detail: "this node has heard nobody since 2025-06-01T11:59:50Z, though it lists others: it may be cut off",
			change: func(v *village) { v.stats = hearsay.Stats{At: noon, Alive: 3, Unheard: 9.2} },
		},
		"nobody answers": {
			method: "GET", target: "/readyz", status: 503, detail: "nobody has answered this node since 2025-06-01T11:59:47Z, though packets of others come in",
			change: func(v *village) { v.stats = hearsay.Stats{At: noon, Suspect: 3, Unanswered: 12.2} },
		},
		"alone": {
			method: "GET", target: "/readyz", status: 503, detail: "this node is alone: no other member is left, 2 are dead",
			change: func(v *village) { v.stats = hearsay.Stats{Alive: 1, Dead: 2, Lost: 1} },
		},
		"leave fails": {
			method: "POST", target: "/v1/leave", status: 503, detail: "disk full",
			change: func(v *village) { v.leaveBy = errors.New("disk full") },
		},
		"leave of one that goes away": {
			method: "POST", target: "/v1/leave", status: 409, detail: "it stays in: start it again and have it leave then",
			change: func(v *village) { v.leaveBy = fmt.Errorf("leave: %w", hearsay.ErrGoesAway) },
		},
		"unknown field": {
			method: "POST", target: "/v1/leave", body: `{"force":true}`, headers: headers{asJSON},
			status: 400, detail: `unknown field "force"; want one JSON object with no fields`,
		},
		"no object":        {method: "POST", target: "/v1/leave", body: `[]`, headers: headers{asJSON}, status: 400, detail: "want one JSON object"},
		"broken JSON":      {method: "POST", target: "/v1/leave", body: `{`, headers: headers{asJSON}, status: 400, detail: "it ends too early"},
		"two objects":      {method: "POST", target: "/v1/leave", body: `{}{}`, headers: headers{asJSON}, status: 400, detail: "goes on"},
		"body of no type":  {method: "POST", target: "/v1/leave", body: `{}`, status: 415, detail: `Content-Type "": want application/json`},
		"body is a form":   {method: "POST", target: "/v1/leave", body: `a=b`, headers: headers{"Content-Type: application/x-www-form-urlencoded"}, status: 415, detail: "want application/json"},
		"body too long":    {method: "POST", target: "/v1/leave", body: strings.Repeat(" ", 1<<20), headers: headers{asJSON}, status: 413, detail: "longer than 65536 bytes"},
		"foreign origin":   {method: "POST", target: "/v1/leave", headers: headers{"Origin: https://evil.example"}, status: 403, detail: `Origin "https://evil.example"`},
		"foreign fetch":    {method: "POST", target: "/v1/leave", headers: headers{"Sec-Fetch-Site: cross-site"}, status: 403, detail: "another site"},
		"sandboxed frame":  {method: "POST", target: "/v1/leave", headers: headers{"Origin: null"}, status: 403, detail: `Origin "null"`},
		"rebound name":     {method: "POST", target: "/v1/leave", headers: headers{"Host: evil.example:9001", "Origin: http://evil.example:9001"}, status: 421, detail: `Host "evil.example:9001" is no name of this node: want an IP address, localhost, alias.example, node.example, proxy.example; start it with --http-host NAME`},
		"id of nothing":    {method: "GET", target: "/v1/events", headers: headers{"Last-Event-ID: 0"}, status: 400, detail: "a number over 0"},
		"no name":          {method: "POST", target: "/v1/leave", headers: headers{"Host: :9001"}, status: 421, detail: `Host ":9001"`},
		"nobody's id":      {method: "GET", target: "/v1/events", headers: headers{"Last-Event-ID: abc"}, status: 400, detail: "want the id of an event"},
		"nothing by write": {method: "DELETE", target: "/v1/nothing", status: 404, detail: "nothing at"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVillage()
			if c.change != nil {
				c.change(v)
			}
			r := ask(handler(v), c.method, c.target, c.body, c.headers...)
			var got struct {
				Type, Title, Detail string
				Status              int
			}
			if err := json.Unmarshal([]byte(read(t, r)), &got); err != nil {
				t.Fatalf("status %d, and not a problem document: %v", r.StatusCode, err)
			}
			if r.StatusCode != c.status || got.Status != c.status || got.Type != "about:blank" || got.Title != http.StatusText(c.status) {
				t.Errorf("status %d, document %+v, want %d", r.StatusCode, got, c.status)
			}
			if !strings.Contains(got.Detail, c.detail) {
				t.Errorf("detail %q\nwants %q", got.Detail, c.detail)
			}
			if kind := r.Header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("Content-Type %q", kind)
			}
			if allow := r.Header.Get("Allow"); (c.status == 405) != (allow != "") {
				t.Errorf("Allow %q with status %d", allow, c.status)
			}
			if v.left {
				t.Error("a refused leave left")
			}
		})
	}
}

// TestWritesThatAreFine holds against a guard that refuses too much.
func TestWritesThatAreFine(t *testing.T) {
	for _, headers := range [][]string{
		{},
		{"Host: localhost:9001"},
		{"Host: [::1]:9001"},
		{"Host: 192.0.2.7"},
		{"Host: [::1]"},
		{"Host: " + served},
		{"Host: NODE.example"},
		{"Host: alias.example:80"},
		{"Host: localhost:9001", "Origin: http://localhost:9001"},
		{"Host: 127.0.0.1:9001", "Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1:9001"},
		{"Content-Type: application/json; charset=utf-8"},
	} {
		body := ""
		if len(headers) > 0 && strings.HasPrefix(headers[0], "Content-Type") {
			body = "{}"
		}
		if r := ask(handler(newVillage()), "POST", "/v1/leave", body, headers...); r.StatusCode != 202 {
			t.Errorf("%q: status %d: %s", headers, r.StatusCode, read(t, r))
		}
	}
}

// TestNamesOfTheNode holds the check of Host against names that a browser, a program,
// a proxy and an attacker use.
func TestNamesOfTheNode(t *testing.T) {
	for host, known := range map[string]bool{
		"127.0.0.1:9001": true, "192.0.2.7": true, "[::1]:9001": true, "[::1]": true, "[fe80::1%25eth0]:9001": true, "0.0.0.0:1": true,
		"localhost": true, "LOCALHOST:9001": true, "localhost.": true, "localhost.:9001": true, "node1.localhost:80": true,
		"node.example:9001": true, "Alias.Example.": true, "proxy.example": true, "PROXY.example:443": true,
		"": false, ":9001": false, "evil.example": false, "evil.example:9001": false, "proxy.example.evil.example": false, "xproxy.example": false,
		"localhost.evil.example": false, "127.0.0.1.evil.example": false, "xlocalhost": false, "proxy.example..": false, "2130706433": false, "example": false,
	} {
		for path, open := range map[string]bool{
			"/": false, "/page.js": false, "/v1/self": false, "/v1/members": false, "/v1/rumors": false, "/v1/ledger": false, "/v1/events": false,
			"/v1/members/bob/case": false, "/nothing": false, "/metrics": true, "/healthz": true, "/readyz": true,
		} {
			r := httptest.NewRequest("HEAD", path, nil)
			r.Host = host
			w := httptest.NewRecorder()
			handler(newVillage()).ServeHTTP(w, r)
			if refused := w.Code == http.StatusMisdirectedRequest; refused == (known || open) {
				t.Errorf("Host %q at %s: status %d", host, path, w.Code)
			}
		}
		for _, c := range []struct {
			origin, site string
			status       int
		}{
			{"", "", 202},
			{"http://" + host, "", 202},
			{"https://" + host, "same-origin", 202},
			{"http://evil.example", "", 403},
			{"http://evil.example", "cross-site", 403},
			{"http://" + host, "same-site", 403},
			{"null", "", 403},
		} {
			headers := []string{"Host: " + host, "Origin: " + c.origin, "Sec-Fetch-Site: " + c.site}
			if !known {
				c.status = http.StatusMisdirectedRequest
			}
			if strings.Contains(host, "%") || host == "" {
				continue // no origin has such a host
			}
			v := newVillage()
			if r := ask(handler(v), "POST", "/v1/leave", "", headers...); r.StatusCode != c.status || v.left != (c.status == 202) {
				t.Errorf("%q: status %d, left %v, want %d", headers, r.StatusCode, v.left, c.status)
			}
		}
	}
}

func TestPage(t *testing.T) {
	h := handler(newVillage())
	for path, kind := range map[string]string{
		"/": "text/html", "/page.js": "text/javascript", "/style.css": "text/css", "/icon.svg": "image/svg+xml",
	} {
		r := ask(h, "GET", path, "")
		media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if text := read(t, r); r.StatusCode != 200 || media != kind || text == "" {
			t.Errorf("%s: status %d, %s, %d bytes", path, r.StatusCode, media, len(text))
		}
		if again := ask(h, "GET", path, "", "If-None-Match: "+r.Header.Get("ETag")); again.StatusCode != 304 {
			t.Errorf("%s: status %d with its own ETag", path, again.StatusCode)
		}
		if policy := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: Content-Security-Policy %q", path, policy)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: may be sniffed", path)
		}
	}
}

// TestAnswersArePlain asks with, and for, text that does something to a terminal.
func TestAnswersArePlain(t *testing.T) {
	const bad = "\x1b\x7f\u009b\u202e\u2066\u200b\u2028\u3164"
	v := newVillage()
	v.members[1].Name = bad
	v.happen(hearsay.EventMemberDead, bad)
	v.rumors = []hearsay.Event{{Kind: hearsay.EventRumor, Name: bad, Rumor: &hearsay.Rumor{Data: []byte(bad)}}}
	escaped := url.PathEscape(bad)
	for _, path := range []string{"/v1/members", "/v1/topology", "/v1/rumors", "/" + escaped, "/v1/members/" + escaped + "/case", "/v1/self?" + escaped, "/v1/ledger?from=" + escaped} {
		text := read(t, ask(handler(v), "GET", path, "", "Last-Event-ID: "+bad))
		if plain := string(hearsay.AppendPlain(nil, []byte(text))); plain != text || text == "" {
			t.Errorf("%s: %q", path, text)
		}
	}
	for _, headers := range [][]string{{"Host: " + bad}, {"Origin: " + bad}, {"Content-Type: " + bad}, {"Content-Type: application/json"}} {
		text := read(t, ask(handler(v), "POST", "/v1/rumors", `{"`+bad+`":1}`, headers...))
		if plain := string(hearsay.AppendPlain(nil, []byte(text))); plain != text || !strings.Contains(text, "about:blank") {
			t.Errorf("%q: %q", headers, text)
		}
	}
}

// TestPageIsText: what a member says of itself never becomes markup.
func TestPageIsText(t *testing.T) {
	script := read(t, ask(handler(newVillage()), "GET", "/page.js", ""))
	for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "://"} {
		if strings.Contains(script, bad) {
			t.Errorf("page.js has %s", bad)
		}
	}
}
