package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
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
	// large answers, and changes with a long value, under way; each holds a chunk, an item, and a page or a copy of a
	// list: up to 1 MB, or a value that the store holds no more
	largeMax      = 32
	largeOfSource = 16 // of them to one source
	figuresMax    = 8  // of these, those for Prometheus have their own
	figuresOf     = 2
	// guess: so long a client may take no chunk while others wait for its place: 32 KB/s
	largeStall = time.Second
	// requests that write under way, and those that wait for the seeds; what waits for a place is not read
	writesMax      = 64
	writesOfSource = 24
	seedsMax       = 16
	seedsOfSource  = 8
	// requests that are answered at once, until the answer is written. A guess: many more than there are processors
	quickMax      = 64
	quickOfSource = 12
	// bytes of their bodies, which stay in memory until what they ask for is done. A guess: a few of the longest
	bodiesBytes         = 8 << 20
	bodiesBytesOfSource = 4 << 20
	bodiesStall         = 2 * time.Second // guess: so long one may take for a chunk while others wait: 32 KB/s

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
	max, ofSource        int
	bytes, bytesOfSource int           // that those inside may hold together; no place has more than the lesser
	patience             time.Duration // with a client that stands still

	mu      sync.Mutex
	open    []*place
	waiting []*waiter // the newest last
}

// place is one client's. All but the gate and the source is guarded by the gate.
type place struct {
	gate   *gate
	source netip.Addr
	size   int    // bytes that it holds, of those that the gate counts
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

// enter gives a place for a request that holds so many bytes, or false if none was to be had in time. With it the
// request's connection is at work. Stop must break a wait for the client; it is called under the gate's lock, before
// leave.
func (g *gate) enter(ctx context.Context, source netip.Addr, size int, stop func()) (*place, bool) {
	p := &place{gate: g, source: source, size: size, stop: stop, since: time.Now()}
	g.mu.Lock()
	if g.fits(p) {
		g.open = append(g.open, p)
		g.mu.Unlock()
		connectionOf(ctx).work(true)
		return p, true
	}
	w := &waiter{p, make(chan struct{})}
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	connectionOf(ctx).work(false)
	entered := g.wait(ctx, w)
	if entered {
		connectionOf(ctx).work(true)
	}
	return p, entered
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
			g.makeRoom(w.place)
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

// fits reports whether there is room for a request.
func (g *gate) fits(n *place) bool {
	bytes := n.size
	for _, p := range g.open {
		bytes += p.size
	}
	return len(g.open) < g.max && bytes <= g.bytes && !g.crowded(n)
}

// crowded reports whether the source of a request has all that one may have.
func (g *gate) crowded(n *place) bool {
	count, bytes := 1, n.size
	for _, p := range g.open {
		if p.source == n.source {
			count++
			bytes += p.size
		}
	}
	return count > g.ofSource || bytes > g.bytesOfSource
}

// makeRoom, which requests call that wait, takes the place of a client that has stood
// still for too long, or has had its place for too long: of the one that has taken
// least, and of one of the same source, if that has all its places.
func (g *gate) makeRoom(n *place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	crowded, now := g.crowded(n), time.Now()
	var victim *place
	for _, p := range g.open {
		switch {
		case p.lost:
			return // a place is about to be free
		case crowded && p.source != n.source:
		case p.still.IsZero() || now.Sub(p.still) < g.patience && now.Sub(p.since) < placeFor:
		case victim == nil || p.taken < victim.taken || p.taken == victim.taken && p.still.Before(victim.still):
			victim = p
		}
	}
	if victim != nil && !g.fits(n) {
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
		if w := g.waiting[i]; g.fits(w.place) {
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
	r       *http.Request
	control *http.ResponseController
	conn    *connection
	place   *place // nil for an answer that is small
	quick   *place // until it is written, of one that is small
	stream  bool   // it has a place among the streams
}

func newPaced(w http.ResponseWriter, r *http.Request) *paced {
	return &paced{ResponseWriter: w, r: r, control: http.NewResponseController(w), conn: connectionOf(r.Context())}
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
		wrote, wrong := p.writeChunk(chunk)
		n, err = n+wrote, wrong
	}
	return n, err
}

// log tells the server's log what went wrong with an answer.
func (p *paced) log(what string, err error) {
	to := log.Default()
	if server, is := p.r.Context().Value(http.ServerContextKey).(*http.Server); is && server.ErrorLog != nil {
		to = server.ErrorLog
	}
	to.Printf("%s: %s %.100q: %v", what, p.r.Method, p.r.URL.Path, err)
}

// writeChunk waits for the client.
func (p *paced) writeChunk(chunk []byte) (int, error) {
	p.leaveQuick()
	defer p.place.awaited()
	return p.ResponseWriter.Write(chunk)
}

// enter finds a place.
func (p *paced) enter(gate *gate, r *http.Request, size int64, stop func()) (*place, bool) {
	p.leaveQuick()
	return gate.enter(r.Context(), sourceOf(r), int(size), stop)
}

// leave gives a place back.
func (p *paced) leave(place *place) {
	p.place = nil
	p.conn.work(p.stream)
	place.leave()
}

// answer has a request answered at once, that is, until the answer is written or it finds another place.
func (p *paced) answer(gate *gate, r *http.Request, answer func() *problem) *problem {
	place, entered := p.enter(gate, r, 0, func() {})
	if !entered {
		return p.busy("this node is answering as many requests as it does at a time")
	}
	p.quick = place
	defer p.leaveQuick()
	return answer()
}

func (p *paced) leaveQuick() {
	if p.quick != nil {
		p.leave(p.quick)
		p.quick = nil
	}
}

// Unwrap is for http.ResponseController.
func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// large has an answer written that may be large, once there is a place for it.
func (p *paced) large(gate *gate, r *http.Request, write func() *problem) *problem {
	place, entered := p.enter(gate, r, 0, func() { p.control.SetWriteDeadline(time.Now()) })
	if !entered {
		return p.busy("this node is writing as many large answers as it does at a time")
	}
	defer p.leave(place)
	p.place = place
	return write()
}

// busy refuses a request for now.
func (p *paced) busy(why string) *problem {
	p.Header().Set("Retry-After", "1")
	return &problem{http.StatusServiceUnavailable, why + "; ask again"}
}

// working has a request answered that writes or waits for the seeds, once there is a place for it and its body, which
// is read before, but for what is longer than it may be: the connection is closed after the answer then.
func (p *paced) working(gate *gate, r *http.Request, bodyMost int64, answer func() *problem) *problem {
	size := bodyMost
	switch {
	case r.Body == nil, r.Body == http.NoBody:
		size = 0
	case r.ContentLength >= 0: // it says how long it is
		size = min(size, r.ContentLength)
	}
	place, entered := p.enter(gate, r, size, func() {
		p.control.SetReadDeadline(time.Now())
		p.control.SetWriteDeadline(time.Now())
	})
	if !entered {
		return p.busy("this node has as many requests that write, or wait for the seeds, or as much of their bodies, as it takes at a time")
	}
	defer p.leave(place)
	if size > 0 {
		r.Body = p.takeBody(place, r, bodyMost)
	}
	p.place = place
	return answer()
}

// takeBody reads the body of a request.
func (p *paced) takeBody(place *place, r *http.Request, bodyMost int64) *taken {
	text, all := new(bytes.Buffer), http.MaxBytesReader(p.ResponseWriter, r.Body, bodyMost)
	text.Grow(place.size + bytes.MinRead) // it asks for as much more before it sees the end
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
	return &taken{text, err}
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

// Close is of io.ReadCloser.
func (t *taken) Close() error { return nil }

// bodyBytes gives the body of a request, which is not to be longer than that.
func bodyBytes(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if t, is := r.Body.(*taken); is && int64(t.text.Len()) <= most {
		return t.text.Bytes(), t.err
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, most))
}
