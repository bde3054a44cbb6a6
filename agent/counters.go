package agent

import (
	"sync/atomic"

	"hearsay"
)

// counters are the figures of hearsay.Stats that the agent counts itself, in
// whichever goroutine something happens.
type counters struct {
	packetsIn, packetsOut atomic.Uint64
	bytesIn, bytesOut     atomic.Uint64
	streamsIn, streamsOut atomic.Uint64
	streamIn, streamOut   atomic.Uint64 // bytes
	sendFails             atomic.Uint64
	drops                 [hearsay.NumDrops]atomic.Uint64
}

func (c *counters) drop(reason hearsay.Drop) { c.drops[reason].Add(1) }

// read counts what has come by a stream.
func (c *counters) read(bytes int) {
	c.streamsIn.Add(1)
	c.streamIn.Add(uint64(bytes))
}

// wrote counts what has gone by a stream.
func (c *counters) wrote(bytes int) {
	c.streamsOut.Add(1)
	c.streamOut.Add(uint64(bytes))
}

// addTo adds the figures to what the core counted.
func (c *counters) addTo(s *hearsay.Stats) {
	s.PacketsIn += c.packetsIn.Load()
	s.PacketsOut += c.packetsOut.Load()
	s.BytesIn += c.bytesIn.Load()
	s.BytesOut += c.bytesOut.Load()
	s.StreamsIn += c.streamsIn.Load()
	s.StreamsOut += c.streamsOut.Load()
	s.StreamIn += c.streamIn.Load()
	s.StreamOut += c.streamOut.Load()
	s.SendFails += c.sendFails.Load()
	for reason := range c.drops {
		s.Drops[reason] += c.drops[reason].Load()
	}
}
