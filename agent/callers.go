package agent

import (
	"net/netip"
	"sync"

	"hearsay"
)

// callers are those that wait for what comes of something that they have asked the seeds through this node: its
// Outcome goes to the address of a connection that speaks no frames, or to one where nobody is.
type callers struct {
	mu      sync.Mutex
	waiting map[netip.AddrPort]chan *hearsay.Outcome
}

func newCallers() *callers { return &callers{waiting: make(map[netip.AddrPort]chan *hearsay.Outcome)} }

// await gives what the outcome that goes to an address is sent to. Done is called when nobody waits for it any more.
func (c *callers) await(at netip.AddrPort) (answered <-chan *hearsay.Outcome, done func()) {
	own := make(chan *hearsay.Outcome, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[at] = own
	return own, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.waiting[at] == own { // else another connection from there waits since
			delete(c.waiting, at)
		}
	}
}

// deliver hands an outcome to what waits for it at an address. It reports whether something does.
func (c *callers) deliver(to netip.AddrPort, o *hearsay.Outcome) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting, ok := c.waiting[to]
	if ok {
		delete(c.waiting, to)
		waiting <- o // of capacity 1, and this is the one
	}
	return ok
}
