package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// visitors enter a gate, and note in which order they got their places.
type visitors struct {
	gate gate
	wait sync.WaitGroup

	mu     sync.Mutex
	came   []string
	turned []string // away
	ended  []string // who lost a place
	places map[string]*place
}

// enter has one of some source enter, and wait if it must.
func (v *visitors) enter(ctx context.Context, name, source string) { v.bring(ctx, name, source, 0) }

// bring is enter with a body of that size.
func (v *visitors) bring(ctx context.Context, name, source string, size int) {
	v.wait.Go(func() {
		p, ok := v.gate.enter(ctx, netip.MustParseAddr(source), size, func() {
			v.mu.Lock()
			v.ended = append(v.ended, name)
			v.mu.Unlock()
		})
		v.mu.Lock()
		defer v.mu.Unlock()
		if !ok {
			v.turned = append(v.turned, name)
			return
		}
		v.came = append(v.came, name)
		v.places[name] = p
	})
	synctest.Wait()
}

func (v *visitors) want(t *testing.T, came, turned, ended []string) {
	t.Helper()
	synctest.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	if !slices.Equal(v.came, came) || !slices.Equal(v.turned, turned) || !slices.Equal(v.ended, ended) {
		t.Errorf("came %q, turned away %q, lost their places %q; want %q, %q, %q", v.came, v.turned, v.ended, came, turned, ended)
	}
}

func newVisitors() *visitors {
	return &visitors{gate: gate{max: 3, ofSource: 2, bytes: 30, bytesOfSource: 20, patience: time.Second}, places: make(map[string]*place)}
}

// pass lets the bubble's time go by.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

const (
	here  = "192.0.2.1"
	there = "2001:db8::1"
	far   = "192.0.2.3"
)

func TestGateIsForSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisitors()
		for _, one := range []string{"a", "b", "c"} {
			v.enter(t.Context(), one, here) // c is one too many of its source
		}
		v.enter(t.Context(), "d", there)
		v.enter(t.Context(), "e", there) // and e one too many in all
		v.want(t, []string{"a", "b", "d"}, nil, nil)
		v.places["a"].leave()
		v.want(t, []string{"a", "b", "d", "e"}, nil, nil) // the newest first
		v.places["d"].leave()
		v.want(t, []string{"a", "b", "d", "e", "c"}, nil, nil)
		v.enter(t.Context(), "f", far)
		pass(waitMost)
		v.want(t, []string{"a", "b", "d", "e", "c"}, []string{"f"}, nil) // nobody stands still
		v.wait.Wait()
	})
}

// Bodies have so many bytes together, and those of one source a part of them.
func TestGateCountsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisitors()
		v.gate.max, v.gate.ofSource = 10, 10
		v.bring(t.Context(), "a", here, 15)
		v.bring(t.Context(), "too much of one source", here, 6)
		v.bring(t.Context(), "none", here, 0)
		v.bring(t.Context(), "b", there, 10)
		v.bring(t.Context(), "too much of all", far, 6)
		v.bring(t.Context(), "c", far, 5)
		v.want(t, []string{"a", "none", "b", "c"}, nil, nil)
		v.places["c"].leave()
		v.want(t, []string{"a", "none", "b", "c"}, nil, nil)
		v.places["b"].leave()
		v.want(t, []string{"a", "none", "b", "c", "too much of all"}, nil, nil)
		v.places["a"].await(func() {}) // it is not sent on
		pass(time.Second + 2*lookEach)
		v.want(t, []string{"a", "none", "b", "c", "too much of all"}, nil, []string{"a"})
		v.places["a"].leave()
		v.want(t, []string{"a", "none", "b", "c", "too much of all", "too much of one source"}, nil, []string{"a"})
		v.wait.Wait()
	})
}

func TestGateLosesWhoStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisitors()
		v.enter(t.Context(), "still", here)
		v.enter(t.Context(), "moves", here)
		v.places["still"].await(func() {})
		pass(time.Minute)
		v.want(t, []string{"still", "moves"}, nil, nil) // nobody waits for its place
		for range 5 {
			v.places["moves"].await(func() {})
			pass(900 * time.Millisecond)
			v.places["moves"].awaited()
		}
		v.enter(t.Context(), "new", here)
		pass(2 * lookEach)
		v.want(t, []string{"still", "moves"}, nil, []string{"still"})
		if v.places["still"].await(func() { t.Error("it is waited for again") }) {
			t.Error("it does not hear that its place is lost")
		}
		v.places["still"].leave()
		v.want(t, []string{"still", "moves", "new"}, nil, []string{"still"})
		v.wait.Wait()
	})
}

func TestGateForgetsWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisitors()
		v.enter(t.Context(), "a", here)
		v.enter(t.Context(), "b", here)
		ctx, cancel := context.WithCancel(t.Context())
		v.enter(ctx, "c", here)
		cancel()
		v.want(t, []string{"a", "b"}, []string{"c"}, nil)
		if len(v.gate.waiting) != 0 {
			t.Error("it is still waited for")
		}
		v.places["a"].leave()
		v.places["b"].leave()
		if len(v.gate.open) != 0 {
			t.Error("a place is not given back")
		}
	})
}

// A body that loses its place half-way is not taken for whole.
func TestHalfABody(t *testing.T) {
	g := gate{max: 1, ofSource: 1, bytes: 1 << 20, bytesOfSource: 1 << 20, patience: time.Second}
	const size = 3 * chunkLen
	for _, lost := range []bool{false, true} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPut, "/", iotest.OneByteReader(readerFunc(func(into []byte) (int, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.open[0].lost = lost
			return len(into), nil
		})))
		r.Body = io.NopCloser(io.LimitReader(r.Body, size))
		var (
			text []byte
			err  error
		)
		if p := newPaced(w, r).working(&g, r, 1<<20, func() *problem {
			text, err = bodyBytes(w, r, size)
			return nil
		}); p != nil {
			t.Fatal(p)
		}
		if lost != errors.Is(err, os.ErrDeadlineExceeded) || !lost && len(text) != size {
			t.Errorf("lost %t: %d bytes, %v", lost, len(text), err)
		}
	}
}

type readerFunc func([]byte) (int, error)

// Read is of io.Reader.
func (f readerFunc) Read(into []byte) (int, error) { return f(into) }
