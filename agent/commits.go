package agent

import (
	"net/netip"
	"sync"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/store"
)

// The limits on what waits in the commit queue. What a slow disk holds up beyond them
// is lost as on the network, or told to be lost. What is to be durable must not
// be lost: the node is told how much of it waits, and takes on less; see
// node.DiskWaits.
const (
	commitSendBytes = 1 << 20 // of packets
	commitEvents    = 4096
	commitChanges   = changesKept // of keys
)

// diskLookEvery is how often a node that has nothing to write looks whether its data directory
// is still there. A guess: sooner than most people start a second node that lost its own.
const diskLookEvery = 5 * time.Second

// fullEvery is how long a node whose disk is full waits until it tries again. A guess.
const fullEvery = 500 * time.Millisecond

// commitQueue carries out what may only be done after something is durable: Persist,
// then Send, then Events. It runs beside the loop, so that a slow disk does
// not look like death. What queues up while it is busy is carried out
// together, with one commit for all of it.
type commitQueue struct {
	commit func(*store.Batch) error // nil: nothing is kept
	send   func(outgoing)
	tell   func(*hearsay.Event)
	fail   func(error) // called once, when nothing can be made durable any more
	filled func(error) // called when the disk is full, and with nil when there is room again; nil: nobody is told

	changes *changes // handed out

	// look says what is wrong with the data directory, if something is; nil: there is none.
	look func() error

	mu         sync.Mutex
	waiting    work
	committing bool
	writes     int       // bytes of the records that are being committed
	writesFrom time.Time // since when the first of these waits
	waitsFrom  time.Time // since when the first of waiting waits
	broken     bool      // what waits, and what comes, is dropped until forget is called
	stopped    bool
	stopping   chan struct{} // closed with stopped
	gaveUp     chan struct{} // closed once nothing is waited for any more: see giveUp
	fullFrom   time.Time     // since when the disk is full; zero: it is not
	full       chan struct{} // closed while it is
	ready      chan struct{} // of capacity 1: there is work, or an end to it
	done       chan struct{}
}

// work is what waits, all of it encoded or copied: what the core gave is valid
// only until its next step.
type work struct {
	batch  store.Batch
	sends  []outgoing
	size   int // of sends, in bytes
	events []hearsay.Event
	lost   int // events for which there was no room
	after  []func()

	changes      []change
	changesBytes int
	changesLost  uint64 // number of the last for which there was no room; 0: there was
}

// outgoing is an encoded packet.
type outgoing struct {
	bytes   []byte
	to      netip.AddrPort
	stream  bool
	fresh   bool             // by a new one
	outcome *hearsay.Outcome // if it is one: a caller may wait for it
}

func newCommitQueue(commit func(*store.Batch) error, send func(outgoing), tell func(*hearsay.Event), fail func(error)) *commitQueue {
	return &commitQueue{
		commit: commit, send: send, tell: tell, fail: fail,
		ready: make(chan struct{}, 1), done: make(chan struct{}),
		stopping: make(chan struct{}), full: make(chan struct{}), gaveUp: make(chan struct{}),
	}
}

// persist queues records. It reports whether packets may be sent at once:
// nothing before them waits to be durable.
func (q *commitQueue) persist(records []core.Record) (clear bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.commit == nil {
		return true
	}
	if len(records) > 0 {
		if q.waiting.batch.Empty() {
			q.waitsFrom = time.Now()
		}
		q.waiting.batch.Add(records)
		q.wake()
	}
	return q.waiting.batch.Empty() && !q.committing
}

// forget drops what waits, and has the commit queue keep nothing from now on: what follows is carried out, and is never
// durable.
func (q *commitQueue) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting, q.commit, q.broken, q.committing, q.writes = work{}, nil, false, false, 0
}

// unwritten gives how many bytes of records are not durable yet, and since when the oldest waits.
func (q *commitQueue) unwritten() (bytes int, since time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.committing:
		since = q.writesFrom
	case !q.waiting.batch.Empty():
		since = q.waitsFrom
	}
	return q.writes + q.waiting.batch.Size(), since
}

// enqueue queues a packet, to be sent after what was persisted before it.
// It reports whether there was room.
func (q *commitQueue) enqueue(o outgoing) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting.size+len(o.bytes) > commitSendBytes {
		return false
	}
	q.waiting.sends = append(q.waiting.sends, o)
	q.waiting.size += len(o.bytes)
	q.wake()
	return true
}

// report queues events, to be told after what was sent before them. The
// evidence in them must not change any more.
func (q *commitQueue) report(events []hearsay.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	room := max(0, min(len(events), commitEvents-len(q.waiting.events)))
	q.waiting.events = append(q.waiting.events, events[:room]...)
	q.waiting.lost += len(events) - room
	q.wake()
}

// changed queues a change of a key, to be handed out after what was persisted before it.
func (q *commitQueue) changed(e change) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := &q.waiting
	if w.changesLost > 0 || len(w.changes) == commitChanges || w.changesBytes > changesBytes {
		w.changesLost = e.number
		return
	}
	w.changes = append(w.changes, e)
	w.changesBytes += e.size()
	q.wake()
}

// afterwards calls do, in the commit queue, when all that was queued before is carried
// out.
func (q *commitQueue) afterwards(do func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting.after = append(q.waiting.after, do)
	q.wake()
}

// stop ends the commit queue after what is queued, and returns when it has ended.
func (q *commitQueue) stop() {
	q.mu.Lock()
	q.stopped = true
	close(q.stopping)
	q.wake()
	q.mu.Unlock()
	<-q.done
}

func (q *commitQueue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// breaks is called when something cannot be made durable. What was to follow it comes to nothing.
func (q *commitQueue) breaks(why error) {
	q.mu.Lock()
	if q.broken = true; !q.committing {
		q.committing, q.writesFrom = true, time.Now()
	}
	q.mu.Unlock()
	q.fail(why)
}

// run carries out until stop.
func (q *commitQueue) run() {
	defer close(q.done)
	var look <-chan time.Time
	if q.look != nil {
		ticker := time.NewTicker(diskLookEvery)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		select {
		case <-look:
			if err := q.look(); err != nil {
				look = nil
				q.breaks(err)
			}
			continue
		case <-q.ready:
		}
		var w work
		q.mu.Lock()
		w, q.waiting = q.waiting, work{}
		commit, broken, stopped := q.commit, q.broken, q.stopped
		if !broken {
			q.committing, q.writes, q.writesFrom = !w.batch.Empty(), w.batch.Size(), q.waitsFrom
		}
		q.mu.Unlock()
		if !broken && !w.batch.Empty() {
			if err := q.write(commit, &w.batch); err != nil {
				look, broken = nil, true
				q.breaks(err)
			}
		}
		if !broken {
			q.carryOut(&w)
		}
		if stopped {
			return
		}
	}
}

// write commits a batch. A full disk is a slow one: it tries until there is room, or the commit queue is to end.
// Nothing is carried out meanwhile, and the node takes on less.
func (q *commitQueue) write(commit func(*store.Batch) error, batch *store.Batch) error {
	for {
		err := commit(batch)
		isFull := store.IsFull(err)
		q.setFull(isFull, err)
		if !isFull {
			return err
		}
		select {
		case <-time.After(fullEvery):
		case <-q.stopping:
			return err
		case <-q.gaveUp:
			return err
		}
	}
}

// giveUp has a full disk be one that has failed, and reports whether it is full.
func (q *commitQueue) giveUp() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fullFrom.IsZero() {
		return false
	}
	select {
	case <-q.gaveUp:
	default:
		close(q.gaveUp)
	}
	return true
}

func (q *commitQueue) setFull(isFull bool, why error) {
	q.mu.Lock()
	was := !q.fullFrom.IsZero()
	switch {
	case isFull && !was:
		q.fullFrom = time.Now()
		close(q.full)
	case was && !isFull:
		q.fullFrom, q.full, why = time.Time{}, make(chan struct{}), nil
	}
	q.mu.Unlock()
	if was != isFull && q.filled != nil {
		q.filled(why)
	}
}

// fullSince is since when the disk is full, zero if it is not, and what is closed while it is.
func (q *commitQueue) fullSince() (since time.Time, full <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.fullFrom, q.full
}

// carryOut does what may be done now that the work's records are durable.
func (q *commitQueue) carryOut(w *work) {
	for _, o := range w.sends {
		q.send(o)
	}
	// Only now may the loop send past the commit queue: what it sends comes after.
	q.mu.Lock()
	q.committing, q.writes = false, 0
	q.mu.Unlock()
	for i := range w.events {
		q.tell(&w.events[i])
	}
	if w.lost > 0 {
		q.tell(&hearsay.Event{Kind: hearsay.EventLagged, Count: w.lost})
	}
	for _, e := range w.changes {
		q.changes.publish(e)
	}
	if w.changesLost > 0 {
		q.changes.lost(w.changesLost)
	}
	for _, do := range w.after {
		do()
	}
}
