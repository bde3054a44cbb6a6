package agent

import (
	"sync"

	"hearsay/quota"
)

// parsing has lines taken apart one at a time: many that wait for a processor would
// keep the loop waiting for its own turn. Those that wait have their turns as in the inbox:
// a flood of strangers' lines does not delay a member's.
type parsing struct {
	mu      sync.Mutex
	busy    bool
	waiting turns
}

// begin waits for the turn of a sender, and gives what ends it.
func (p *parsing) begin(sender quota.Sender) (end func()) {
	p.mu.Lock()
	if !p.busy {
		p.busy = true
		p.mu.Unlock()
		return p.end
	}
	turn := make(chan struct{})
	p.waiting.classes[sender.Class].add(sender.Addr.Addr(), input{taken: turn})
	p.mu.Unlock()
	<-turn
	return p.end
}

// end gives the turn to the next.
func (p *parsing) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	class, waits := p.waiting.next()
	if !waits {
		p.busy, p.waiting = false, turns{last: p.waiting.last} // and the room that a burst took
		return
	}
	p.waiting.take(class)
}
