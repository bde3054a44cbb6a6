package agent

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/binary"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hearsay"
)

// Limits of the changes that are kept for those that watch keys.
const (
	changesKept  = 16 << 10 // the newest ones
	changesBytes = 16 << 20 // of keys, values and contexts, which the node mostly holds anyway
	changesTaken = 256      // that a watcher takes at a time
	takenBytes   = 32 << 10 // of these, or one: they stay in memory until it has read them

	changeRoom = 128 // bytes that a change takes besides these; a guess
)

// lostChanges says what a watcher is to do.
const lostChanges = "changes were lost, or are of another node or process; list the keys again"

// changes numbers changes of keys, keeps the newest, and hands them to those that watch. A number is given as the
// store makes the change, and the change is handed out once it is durable: so what is read of the store at a
// revision holds all changes up to that, and no other.
//
// A watcher is no more than a position, and is woken only for a key that it wants. One that falls behind what is
// kept is told so.
type changes struct {
	life uint64
	made atomic.Uint64 // number of the newest change of the store

	mu      sync.Mutex
	kept    []change
	first   uint64 // number of the oldest one kept
	next    uint64 // number of the next one that is handed out
	bytes   int    // of those kept
	waiting map[*watcher]struct{}
	closed  bool
}

// change is one, as the event that tells of it.
type change struct {
	number uint64
	at     time.Time
	change *hearsay.KeyChange
}

func (c *change) size() int {
	return changeRoom + len(c.change.Key) + len(c.change.Value) + len(c.change.Context)
}

// watcher is one's position.
type watcher struct {
	prefix string
	whole  bool // of one key, not of those that begin with it
	at     uint64
	woken  chan struct{}
}

func (w *watcher) wants(key string) bool {
	return key == w.prefix || !w.whole && strings.HasPrefix(key, w.prefix)
}

func newChanges() *changes {
	var life [8]byte
	cryptorand.Read(life[:])
	return &changes{life: binary.BigEndian.Uint64(life[:]), first: 1, next: 1, waiting: make(map[*watcher]struct{})}
}

// publish hands out a change. Those before it that were not handed out are lost.
func (c *changes) publish(e change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.number != c.next {
		c.lose(e.number - 1)
	}
	c.kept = append(c.kept, e)
	c.next++
	c.bytes += e.size()
	for len(c.kept) > changesKept || c.bytes > changesBytes && len(c.kept) > 1 {
		c.bytes -= c.kept[0].size()
		c.kept[0] = change{}
		c.kept = c.kept[1:]
		c.first++
	}
	for w := range c.waiting { // order does not matter: each is woken by itself
		if e.number > w.at && w.wants(e.change.Key) {
			w.at = e.number - 1 // of what came before it wanted nothing
			c.wake(w)
		}
	}
}

// lost says that the changes up to a number are not handed out.
func (c *changes) lost(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose(number)
}

func (c *changes) lose(number uint64) {
	c.kept, c.bytes = nil, 0
	c.first, c.next = number+1, number+1
	for w := range c.waiting {
		c.wake(w)
	}
}

func (c *changes) wake(w *watcher) {
	delete(c.waiting, w)
	close(w.woken)
}

// close ends all watching once it has come to the newest change.
func (c *changes) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for w := range c.waiting {
		w.at = max(w.at, c.next-1)
		c.wake(w)
	}
}

// take gives the next changes that a watcher wants, or says that some were lost. If there is nothing, wait is closed
// when there may be; if there will be nothing, it is nil.
func (c *changes) take(w *watcher) (taken []change, lagged bool, wait <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.at+1 < c.first || w.at > c.made.Load() {
		w.at = c.next - 1 // it reads the store anew, which is newer than all that is kept
		return nil, true, nil
	}
	for size := 0; w.at+1 < c.next && len(taken) < changesTaken && size < takenBytes; {
		w.at++
		if e := c.kept[w.at-c.first]; w.wants(e.change.Key) {
			taken = append(taken, e)
			size += e.size()
		}
	}
	if len(taken) > 0 || c.closed {
		return taken, false, nil
	}
	w.woken = make(chan struct{}) // all that there is was looked at
	c.waiting[w] = struct{}{}
	return nil, false, w.woken
}

// rest ends the waiting of a watcher, and says up to which number there was nothing that it wanted.
func (c *changes) rest(w *watcher) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, waits := c.waiting[w]; waits {
		delete(c.waiting, w)
		w.at = max(w.at, c.next-1)
	}
	return w.at
}

// from gives what a watcher wants, until ctx ends or no change can come: see Agent.WatchAfter.
func (c *changes) from(ctx context.Context, w watcher, idle time.Duration) iter.Seq2[uint64, hearsay.Event] {
	return func(yield func(uint64, hearsay.Event) bool) {
		w := w // an iterator may be used twice
		for ctx.Err() == nil {
			taken, lagged, wait := c.take(&w)
			for _, e := range taken {
				told := hearsay.Event{At: e.at, Kind: hearsay.EventKeyChanged, Change: e.change}
				if ctx.Err() != nil || !yield(e.number, told) {
					return
				}
			}
			more := true
			switch {
			case lagged:
				more = yield(w.at, hearsay.Event{At: time.Now(), Kind: hearsay.EventLagged, Text: lostChanges})
			case wait != nil && !comes(ctx, wait, idle):
				at := c.rest(&w)
				more = ctx.Err() == nil && yield(at, hearsay.Event{})
			case wait == nil:
				more = len(taken) > 0
			}
			if !more {
				return
			}
		}
	}
}

// comes reports whether something comes in time.
func comes(ctx context.Context, wait <-chan struct{}, idle time.Duration) bool {
	var enough <-chan time.Time
	if idle > 0 {
		timer := time.NewTimer(idle)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-wait:
		return true
	case <-ctx.Done():
	case <-enough:
	}
	return false
}

// Watch gives each change of a key that begins with a prefix, "" for all, from this call on, until ctx ends or the
// agent stops: events of kind EventKeyChanged, in order. So one that calls Watch, then lists or reads keys, and then
// begins to iterate misses nothing. A caller that falls behind the newest changes that are kept gets EventLagged in
// place of those that were lost to it, and reads anew what it needs: what is told after that is newer.
func (a *Agent) Watch(ctx context.Context, prefix string) (iter.Seq[hearsay.Event], error) {
	numbered, err := a.WatchAfter(ctx, prefix, a.Revision(), 0)
	if err != nil {
		return nil, err
	}
	return func(yield func(hearsay.Event) bool) {
		for _, e := range numbered {
			if !yield(e) {
				return
			}
		}
	}, nil
}

// Revision is how far the changes of the store have come: what is read after the call lacks none of them, and
// WatchAfter goes on from there.
func (a *Agent) Revision() hearsay.Revision {
	return hearsay.Revision{Life: a.changes.life, Number: a.changes.made.Load()}
}

// WatchAfter is Watch from a revision on, with that of each change. One that is not of this agent, or no longer kept,
// is answered with EventLagged. Where nothing comes for idle, an event of no kind says up to which revision there was
// nothing to tell; 0 is for ever.
func (a *Agent) WatchAfter(ctx context.Context, prefix string, after hearsay.Revision, idle time.Duration) (
	iter.Seq2[hearsay.Revision, hearsay.Event], error,
) {
	if a.cfg.Role == hearsay.RoleSeed {
		return nil, fmt.Errorf("watch: %w", hearsay.ErrSeedStore)
	}
	if err := hearsay.CheckKey(prefix); prefix != "" && err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	w := watcher{prefix: prefix, at: after.Number}
	if after.Life != a.changes.life {
		w.at = 1 << 63 // more than there ever are
	}
	return func(yield func(hearsay.Revision, hearsay.Event) bool) {
		for number, e := range a.changes.from(ctx, w, idle) {
			if !yield(hearsay.Revision{Life: a.changes.life, Number: number}, e) {
				return
			}
		}
	}, nil
}
