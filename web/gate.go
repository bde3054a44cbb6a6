package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"hearsay/internal/core"
)

// Limits of what takes memory while a client is slow.
const (
	// large answers under way; each holds a chunk, an item, and a page or a copy of a list: up to 1 MB, or where values
	// are as long as they may be 3 MB
	largeMax      = 32
	largeOfSource = 16 // of them to one source
	// guess: so long a client may take no chunk while others wait for its place: 32 KB/s
	largeStall  = time.Second
	bodiesMax   = 32              // bodies being read; each holds what has come of it, and as much again
	bodiesOf    = 16              // of them of one source
	bodiesStall = 2 * time.Second // guess: so long one may take for a chunk while others wait: 32 KB/s

	bodyMost = max(sayBodyMax, earlierBodyMax) // bytes of the longest

	placeFor = 10 * time.Second // guess: so long a client keeps its place while others wait for it
	// for a place; then 503. As many clients as one source may connect, and do not read, pass by in this time
	waitMost = 8 * time.Second
	lookEach = 100 * time.Millisecond // while waiting, whether a place can be had
)

// gate bounds what goes on at a time, in all and by source. What finds no place
// waits, and the newest is served first: of a crowd whose clients have gone, the
// last to come may still be there. While one waits, a client that stands
// still loses its place.
type gate struct {
	max, ofSource int
	patience      time.Duration // with a client that stands still

	mu      sync.Mutex
	open    []*place
	waiting []*waiter // the newest last
}

// place is one client's. All but the gate and the source is guarded by the gate.
type place struct {
	gate   *gate
	source netip.Addr
	stop   func() // breaks what the client is waited for
	since  time.Time
	still  time.Time // since when the client is waited for; zero if it is not
	taken  int       // how often it has done its part
	lost   bool
}

type waiter struct {
	*place
	granted chan struct{}
}

// enter gives a place, or false if none was to be had in time. Stop must break a
// wait for the client; it is called under the gate's lock, before leave.
func (g *gate) enter(ctx context.Context, source netip.Addr, stop func()) (*place, bool) {
	p := &place{gate: g, source: source, stop: stop, since: time.Now()}
	g.mu.Lock()
	if g.fits(source) {
		g.open = append(g.open, p)
		g.mu.Unlock()
		return p, true
	}
	w := &waiter{p, make(chan struct{})}
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	idle := connectionOf(ctx)
	idle.work(false)
	defer idle.work(true)
	return p, g.wait(ctx, w)
}

// wait reports whether a place was granted.
func (g *gate) wait(ctx context.Context, w *waiter) bool {
	look, enough := time.NewTicker(lookEach), time.NewTimer(waitMost)
	defer look.Stop()
	defer enough.Stop()
	for {
		select {
		case <-w.granted:
			return true
		case <-look.C:
			g.makeRoom(w.source)
			continue
		case <-enough.C:
		case <-ctx.Done():
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		before := len(g.waiting)
		g.waiting = slices.DeleteFunc(g.waiting, func(o *waiter) bool { return o == w })
		return len(g.waiting) == before // granted meanwhile
	}
}

// fits reports whether there is a place for a source.
func (g *gate) fits(source netip.Addr) bool {
	return len(g.open) < g.max && g.count(source) < g.ofSource
}

func (g *gate) count(source netip.Addr) (n int) {
	for _, p := range g.open {
		if p.source == source {
			n++
		}
	}
	return n
}

// makeRoom, which requests call that wait, takes the place of a client that has stood
// still for too long, or has had its place for too long: of the one that has taken
// least, and of one of the same source, if that has all its places.
func (g *gate) makeRoom(source netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	crowded, now := g.count(source) >= g.ofSource, time.Now()
	var victim *place
	for _, p := range g.open {
		switch {
		case p.lost:
			return // a place is about to be free
		case crowded && p.source != source:
		case p.still.IsZero() || now.Sub(p.still) < g.patience && now.Sub(p.since) < placeFor:
		case victim == nil || p.taken < victim.taken || p.taken == victim.taken && p.still.Before(victim.still):
			victim = p
		}
	}
	if victim != nil && !g.fits(source) {
		victim.lost = true
		victim.stop()
	}
}

// leave gives the place back.
func (p *place) leave() {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = slices.DeleteFunc(g.open, func(o *place) bool { return o == p })
	for i := len(g.waiting) - 1; i >= 0; i-- {
		if w := g.waiting[i]; g.fits(w.source) {
			w.since = time.Now()
			g.open = append(g.open, w.place)
			g.waiting = slices.Delete(g.waiting, i, i+1)
			close(w.granted)
		}
	}
}

// await says that the client is waited for from now on, after ready, or reports
// that the place is lost. A nil place is one that is never lost.
func (p *place) await(ready func()) bool {
	if p == nil {
		ready()
		return true
	}
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if p.lost {
		return false
	}
	ready()
	p.still = time.Now()
	return true
}

// awaited says that the client has done its part.
func (p *place) awaited() {
	if p != nil {
		p.gate.mu.Lock()
		p.still = time.Time{}
		p.taken++
		p.gate.mu.Unlock()
	}
}

// sourceOf gives the source of a request; that of all behind a proxy is the proxy.
func sourceOf(r *http.Request) netip.Addr {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a server of the caller's own that has no addresses
	}
	return core.Source(addr.Addr())
}

// chunkTimeout is for a client to take one chunk of an answer.
const chunkTimeout = 10 * time.Second

// paced writes an answer in chunks. A client that takes none for chunkTimeout, or
// for less where others wait for its place, is let go.
type paced struct {
	http.ResponseWriter
	control *http.ResponseController
	place   *place // nil for an answer that is small
}

// errLetGo is why an answer broke off.
var errLetGo = errors.New("the client was too slow while others waited")

// Write is of io.Writer.
func (p *paced) Write(text []byte) (n int, err error) {
	for n < len(text) && err == nil {
		chunk := text[n:min(len(text), n+chunkLen)]
		if !p.place.await(func() { p.control.SetWriteDeadline(time.Now().Add(chunkTimeout)) }) { // where the server can
			return n, errLetGo
		}
		var wrote int
		wrote, err = p.ResponseWriter.Write(chunk)
		p.place.awaited()
		n += wrote
	}
	return n, err
}

// Unwrap is for http.ResponseController.
func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// large has an answer written that may be large, once there is a place for it.
func (p *paced) large(gate *gate, r *http.Request, write func() *problem) *problem {
	place, entered := gate.enter(r.Context(), sourceOf(r), func() { p.control.SetWriteDeadline(time.Now()) })
	if !entered {
		return p.busy("this node is writing as many large answers as it does at a time")
	}
	defer place.leave()
	p.place = place
	defer func() { p.place = nil }()
	return write()
}

// busy refuses a request for now.
func (p *paced) busy(why string) *problem {
	p.Header().Set("Retry-After", "1")
	return &problem{http.StatusServiceUnavailable, why + "; ask again"}
}

// takeBody reads the body of a request, as much as any may have, once there is a place
// for it. What is longer is not read, and the connection is closed after the answer.
func (p *paced) takeBody(gate *gate, r *http.Request) *problem {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	place, entered := gate.enter(r.Context(), sourceOf(r), func() { p.control.SetReadDeadline(time.Now()) })
	if !entered {
		return p.busy("this node is reading as many bodies of requests as it does at a time")
	}
	defer place.leave()
	text, all := new(bytes.Buffer), http.MaxBytesReader(p.ResponseWriter, r.Body, bodyMost)
	var err error
	for err == nil {
		if !place.await(func() {}) {
			err = os.ErrDeadlineExceeded // as where it is lost within a chunk
			break
		}
		_, err = io.CopyN(text, all, chunkLen)
		place.awaited()
	}
	if err == io.EOF {
		err = nil
	}
	connectionOf(r.Context()).work(true)
	r.Body = io.NopCloser(&taken{text, err})
	return nil
}

// taken is a body that was read, and the error at its end, nil for none.
type taken struct {
	text *bytes.Buffer
	err  error
}

// Read is of io.Reader.
func (t *taken) Read(into []byte) (int, error) {
	if t.text.Len() == 0 && t.err != nil {
		return 0, t.err
	}
	return t.text.Read(into)
}
