package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearsay"
	"hearsay/web"
)

// client takes a stream of events. Its connection is slow while gate is
// taken, and broken when broken is set.
type client struct {
	header http.Header
	status int

	gate   chan struct{} // holds a token while the connection takes nothing
	mu     sync.Mutex
	text   strings.Builder
	broken bool
}

func (c *client) Header() http.Header { return c.header }

func (c *client) WriteHeader(status int) { c.status = status }

func (c *client) Write(text []byte) (int, error) {
	c.gate <- struct{}{}
	defer func() { <-c.gate }()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return 0, errors.New("broken pipe")
	}
	return c.text.Write(text)
}

func (c *client) Flush() {}

// take waits until nothing moves any more and gives what came since the last
// time, one line for each message: "snapshot of 2", "7 member-dead bob".
func (c *client) take(t *testing.T) []string {
	t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for message := range strings.SplitSeq(strings.TrimSuffix(c.text.String(), "\n\n"), "\n\n") {
		lines = append(lines, brief(t, message))
	}
	c.text.Reset()
	return lines
}

// brief says a message in one line, its id counted from lifeBase.
func brief(t *testing.T, message string) string {
	t.Helper()
	if message == "" || strings.HasPrefix(message, ":") {
		return message
	}
	head, data, ok := strings.Cut(message, "\ndata: ")
	if !ok || strings.Contains(data, "\n") {
		t.Fatalf("not a message of one head and one line of data: %q", message)
	}
	if head == "event: snapshot" {
		return "snapshot of " + strconv.Itoa(strings.Count(data, `"incarnation"`)-1) // its self has one too
	}
	id, err := strconv.ParseUint(strings.TrimPrefix(head, "id: "), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	_, kind, _ := strings.Cut(data, `"kind":"`)
	kind, _, _ = strings.Cut(kind, `"`)
	_, name, _ := strings.Cut(data, `"name":"`)
	name, _, _ = strings.Cut(name, `"`)
	return strings.TrimSpace(strconv.FormatUint(id-lifeBase, 10) + " " + kind + " " + name)
}

// open begins a stream. End it with the returned function, which gives false
// if it had ended by itself.
func open(t *testing.T, v *village, lastEventID string) (c *client, end func() bool) {
	t.Helper()
	c = &client{header: make(http.Header), gate: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequest("GET", "/v1/events", nil).WithContext(ctx)
	r.Host = "localhost"
	if lastEventID != "" {
		r.Header.Set("Last-Event-ID", lastEventID)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		handler(v).ServeHTTP(c, r)
	}()
	synctest.Wait()
	return c, func() bool {
		synctest.Wait()
		select {
		case <-done:
			cancel()
			return false
		default:
			cancel()
			<-done
			if v.readers != 0 {
				t.Errorf("%d readers of events are left", v.readers)
			}
			return true
		}
	}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestEventsBeginWithASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		v.happen(hearsay.EventMemberJoined, "bob")
		c, end := open(t, v, "")
		if c.status != 200 || c.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("status %d, %v", c.status, c.header)
		}
		expect(t, c.take(t), "snapshot of 2", "1 member-joined bob", ": told")
		v.happen(hearsay.EventMemberSuspected, "bob")
		expect(t, c.take(t), "2 member-suspected bob")
		if !end() {
			t.Error("the stream ended by itself")
		}
	})
}

func TestEventsBeforeASnapshotAreNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		for range eventsKept + 2 {
			v.happen(hearsay.EventLate, "")
		}
		c, end := open(t, v, "")
		expect(t, c.take(t), "snapshot of 2", "3 late", "4 late", "5 late", "6 late", ": told")
		end()
	})
}

func TestEventsResume(t *testing.T) {
	for name, test := range map[string]struct {
		last uint64 // id of the event that the client had
		want []string
	}{
		"nothing missed":  {lifeBase + 6, []string{": told"}},
		"some missed":     {lifeBase + 4, []string{"5 late", "6 late", ": told"}},
		"all kept missed": {lifeBase + 2, []string{"3 late", "4 late", "5 late", "6 late", ": told"}},
		"too many missed": {lifeBase + 1, []string{"2 lagged", "snapshot of 2", "3 late", "4 late", "5 late", "6 late", ": told"}},
		"another life":    {1 << 40, []string{"2 lagged", "snapshot of 2", "3 late", "4 late", "5 late", "6 late", ": told"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVillage()
				for range eventsKept + 2 {
					v.happen(hearsay.EventLate, "")
				}
				c, end := open(t, v, strconv.FormatUint(test.last, 10))
				expect(t, c.take(t), test.want...)
				v.happen(hearsay.EventMemberDead, "bob")
				expect(t, c.take(t), "7 member-dead bob")
				end()
			})
		})
	}
}

func TestEventsAfterFallingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		c, end := open(t, v, "")
		expect(t, c.take(t), "snapshot of 2", ": told")
		c.gate <- struct{}{}
		for range 10 { // two are on their way to the client when it falls behind
			v.happen(hearsay.EventLate, "")
			synctest.Wait()
		}
		<-c.gate
		expect(t, c.take(t),
			"1 late", "2 late", "6 lagged", "snapshot of 2", "7 late", "8 late", "9 late", "10 late")
		end()
	})
}

func TestEventsHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		c, end := open(t, v, "")
		c.take(t)
		begin := time.Now()
		beat := time.NewTimer(31 * time.Second)
		<-beat.C
		expect(t, c.take(t), ": heartbeat", ": heartbeat")
		if took := time.Since(begin); took != 31*time.Second {
			t.Errorf("took %v", took)
		}
		end()
	})
}

func TestEventsEndWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		c, end := open(t, v, "")
		c.mu.Lock()
		c.broken = true
		c.mu.Unlock()
		v.happen(hearsay.EventLate, "")
		if end() {
			t.Error("the stream went on to nobody")
		}
	})
}

func TestEventsOfHead(t *testing.T) {
	r := ask(handler(newVillage()), "HEAD", "/v1/events", "")
	if text := read(t, r); r.StatusCode != 200 || text != "" {
		t.Errorf("status %d, %q", r.StatusCode, text)
	}
}

// crowd opens streams of events from addresses, and tells which are still open.
type crowd struct {
	h    http.Handler
	wait sync.WaitGroup
	mu   sync.Mutex
	open map[string]int // by address
}

// from opens n streams of an address, and gives the last status.
func (c *crowd) from(ctx context.Context, addr string, n int) (status int) {
	for range n {
		r := httptest.NewRequest("GET", "/v1/events", nil).WithContext(ctx)
		r.RemoteAddr, r.Host = addr, "127.0.0.1"
		w := httptest.NewRecorder()
		c.mu.Lock()
		c.open[addr]++
		c.mu.Unlock()
		c.wait.Go(func() {
			c.h.ServeHTTP(w, r)
			c.mu.Lock()
			c.open[addr]--
			c.mu.Unlock()
		})
		synctest.Wait()
		status = w.Code
	}
	return status
}

func (c *crowd) want(t *testing.T, addr string, open int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[addr] != open {
		t.Errorf("%d streams of %s are open, want %d", c.open[addr], addr, open)
	}
}

func TestEventsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			bound                   = 64
			greedy, neighbor, other = "192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.3:1"
		)
		ctx, cancel := context.WithCancel(t.Context())
		c := &crowd{h: handler(newVillage()), open: make(map[string]int)}
		if c.from(ctx, greedy, bound); c.from(ctx, greedy, 1) != 200 {
			t.Error("a client is refused rather than given the place of the oldest of its own source")
		}
		c.want(t, greedy, bound)
		if c.from(ctx, other, 1) != 503 {
			t.Error("a source that has more than its share for a moment loses it at once")
		}
		later := time.NewTimer(11 * time.Second)
		<-later.C
		if c.from(ctx, other, 1) != 200 {
			t.Error("a source keeps more than its share for ever")
		}
		if c.from(ctx, neighbor, 20) != 200 {
			t.Error("another source is refused")
		}
		c.want(t, greedy, bound-17)
		c.want(t, neighbor, 16)
		c.want(t, other, 1)
		cancel()
		c.wait.Wait()
		if r := ask(c.h, "HEAD", "/v1/events", ""); r.StatusCode != 200 {
			t.Errorf("after all have gone: status %d", r.StatusCode)
		}
	})
}

// TestFullEventsLetOthersIn: sources that have no more than their share, and all
// places, give way to one that has none.
func TestFullEventsLetOthersIn(t *testing.T) {
	for _, sources := range []int{4, 64} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			c := &crowd{h: handler(newVillage()), open: make(map[string]int)}
			for n := range sources {
				c.from(ctx, fmt.Sprintf("192.0.2.%d:1", n), 64/sources)
			}
			const other = "[2001:db8::1]:1"
			if status := c.from(ctx, other, 1); status != 200 {
				t.Errorf("%d sources with %d streams each: status %d for another", sources, 64/sources, status)
			}
			c.want(t, other, 1)
			c.want(t, "192.0.2.0:1", 64/sources-1)
			cancel()
			c.wait.Wait()
		})
	}
}

// serve runs a server on a port from the kernel.
func serve(t *testing.T, b web.Backend) (server *http.Server, url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server = web.Server(b, web.Info{HTTP: listener.Addr().String()})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		server.Shutdown(now) // it ends what goes on after a request
		server.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return server, "http://" + listener.Addr().String()
}

func TestShutdownEndsStreams(t *testing.T) {
	v := newVillage()
	server, url := serve(t, v)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	r, err := client.Get(url + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	begin := make([]byte, len("event: snapshot"))
	if _, err := io.ReadFull(r.Body, begin); err != nil || string(begin) != "event: snapshot" {
		t.Fatalf("%q, %v", begin, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Errorf("the stream held up the shutdown: %v", err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Errorf("the stream did not end in good order: %v", err)
	}
}
