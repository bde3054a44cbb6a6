package agent

import (
	"net/netip"
	"sync"
	"time"

	"hearsay"
	"hearsay/store"
)

// The limits on what waits in the lane. What a slow disk holds up beyond them
// is lost as on the network, or told to be lost. What is to be durable must not
// be lost: the node is told how much of it waits, and takes on less; see
// node.DiskWaits.
const (
	laneSendBytes = 1 << 20 // of packets
	laneEvents    = 4096
)

// diskLookEvery is how often a node that has nothing to write looks whether its data directory
// is still there. A guess: sooner than most people start a second node that lost its own.
const diskLookEvery = 5 * time.Second

// lane carries out what may only be done after something is durable: Persist,
// then Send, then Events. It runs beside the loop, so that a slow disk does
// not look like death. What queues up while it is busy is carried out
// together, with one commit for all of it.
type lane struct {
	commit func(*store.Batch) error // nil: nothing is kept
	send   func(outgoing)
	tell   func(*hearsay.Event)
	fail   func(error) // stops the agent

	// look says what is wrong with the data directory, if something is; nil: there is none.
	look func() error

	mu         sync.Mutex
	waiting    work
	committing bool
	writes     int       // bytes of the records that are being committed
	writesFrom time.Time // since when the first of these waits
	waitsFrom  time.Time // since when the first of waiting waits
	stopped    bool
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
}

// outgoing is an encoded packet.
type outgoing struct {
	bytes  []byte
	to     netip.AddrPort
	stream bool
	errand *errand // if it goes as one; nil: as bytes
	answer *answer // if somebody may wait for it at the desk
}

func newLane(commit func(*store.Batch) error, send func(outgoing), tell func(*hearsay.Event), fail func(error)) *lane {
	return &lane{
		commit: commit, send: send, tell: tell, fail: fail,
		ready: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// persist queues records. It reports whether packets may be sent at once:
// nothing before them waits to be durable.
func (l *lane) persist(records []hearsay.Record) (clear bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.commit == nil {
		return true
	}
	if len(records) > 0 {
		if l.waiting.batch.Empty() {
			l.waitsFrom = time.Now()
		}
		l.waiting.batch.Add(records)
		l.wake()
	}
	return l.waiting.batch.Empty() && !l.committing
}

// unwritten gives how many bytes of records are not durable yet, and since when the oldest waits.
func (l *lane) unwritten() (bytes int, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.committing:
		since = l.writesFrom
	case !l.waiting.batch.Empty():
		since = l.waitsFrom
	}
	return l.writes + l.waiting.batch.Size(), since
}

// enqueue queues a packet, to be sent after what was persisted before it.
// It reports whether there was room.
func (l *lane) enqueue(o outgoing) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting.size+len(o.bytes) > laneSendBytes {
		return false
	}
	l.waiting.sends = append(l.waiting.sends, o)
	l.waiting.size += len(o.bytes)
	l.wake()
	return true
}

// report queues events, to be told after what was sent before them. The
// evidence in them must not change any more.
func (l *lane) report(events []hearsay.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	room := max(0, min(len(events), laneEvents-len(l.waiting.events)))
	l.waiting.events = append(l.waiting.events, events[:room]...)
	l.waiting.lost += len(events) - room
	l.wake()
}

// afterwards calls do, in the lane, when all that was queued before is carried
// out.
func (l *lane) afterwards(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting.after = append(l.waiting.after, do)
	l.wake()
}

// stop ends the lane after what is queued, and returns when it has ended.
func (l *lane) stop() {
	l.mu.Lock()
	l.stopped = true
	l.wake()
	l.mu.Unlock()
	<-l.done
}

func (l *lane) wake() {
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// run carries out until stop, or until something cannot be made durable.
func (l *lane) run() {
	defer close(l.done)
	var look <-chan time.Time
	if l.look != nil {
		ticker := time.NewTicker(diskLookEvery)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		select {
		case <-look:
			if err := l.look(); err != nil {
				l.fail(err)
				return
			}
			continue
		case <-l.ready:
		}
		var w work
		l.mu.Lock()
		w, l.waiting = l.waiting, work{}
		l.committing, l.writes, l.writesFrom = !w.batch.Empty(), w.batch.Size(), l.waitsFrom
		stopped := l.stopped
		l.mu.Unlock()
		if !w.batch.Empty() {
			if err := l.commit(&w.batch); err != nil {
				l.fail(err)
				return
			}
		}
		l.carryOut(&w)
		if stopped {
			return
		}
	}
}

// carryOut does what may be done now that the work's records are durable.
func (l *lane) carryOut(w *work) {
	for _, o := range w.sends {
		l.send(o)
	}
	// Only now may the loop send past the lane: what it sends comes after.
	l.mu.Lock()
	l.committing, l.writes = false, 0
	l.mu.Unlock()
	for i := range w.events {
		l.tell(&w.events[i])
	}
	if w.lost > 0 {
		l.tell(&hearsay.Event{Kind: hearsay.EventLagged, Count: w.lost})
	}
	for _, do := range w.after {
		do()
	}
}
