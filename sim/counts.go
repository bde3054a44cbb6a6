package sim

import "hearsay"

// Counts are the sums over a run. What nodes see is counted on every node that
// saw it: one death known to all of 100 nodes is 100 deaths.
type Counts struct {
	Packets     uint64 `json:"packets"` // datagrams sent
	Bytes       uint64 `json:"bytes"`   // in them, without IP and UDP headers
	Streams     uint64 `json:"streams"` // packets sent by stream
	StreamBytes uint64 `json:"stream_bytes"`
	Received    uint64 `json:"received"`    // packets, either way
	Lost        uint64 `json:"lost"`        // by the network, or at a machine that was down or full
	Unreachable uint64 `json:"unreachable"` // packets to an address of nobody
	Kills       uint64 `json:"kills"`
	Suspicions  uint64 `json:"suspicions"`
	Rounds      uint64 `json:"rounds"`
	Deaths      uint64 `json:"deaths"`
	Refutations uint64 `json:"refutations"`
	Events      uint64 `json:"events"`
}

// step counts what one step of one node tells.
func (c *Counts) step(e *hearsay.Effects) {
	c.Events += uint64(len(e.Events))
	for i := range e.Events {
		switch e.Events[i].Kind {
		case hearsay.EventMemberSuspected:
			c.Suspicions++
		case hearsay.EventRoundOpened:
			c.Rounds++
		case hearsay.EventMemberDead:
			c.Deaths++
		case hearsay.EventRefuted:
			c.Refutations++
		}
	}
}
