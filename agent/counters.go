package agent

import (
	"reflect"
	"sync"

	"hearsay"
)

// counters are the figures that the agent counts itself, in whichever goroutine
// something happens.
type counters struct {
	mu    sync.Mutex
	stats hearsay.Stats // no more than what is counted
}

// count has something counted. add must do no more than that.
func (c *counters) count(add func(s *hearsay.Stats)) {
	c.mu.Lock()
	add(&c.stats)
	c.mu.Unlock()
}

// counted gives what was counted so far.
func (c *counters) counted() hearsay.Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

func (c *counters) drop(reason hearsay.Drop) { c.count(func(s *hearsay.Stats) { s.Drops[reason]++ }) }

// unsent counts packets that could not be sent.
func (c *counters) unsent(packets int) {
	c.count(func(s *hearsay.Stats) { s.SendFails += uint64(packets) })
}

// read counts what has come by a stream.
func (c *counters) read(bytes int) {
	c.count(func(s *hearsay.Stats) { s.StreamsIn++; s.StreamIn += uint64(bytes) })
}

// wrote counts what has gone by a stream.
func (c *counters) wrote(bytes int) {
	c.count(func(s *hearsay.Stats) { s.StreamsOut++; s.StreamOut += uint64(bytes) })
}

// addTo adds the figures to what the core counted.
func (c *counters) addTo(s *hearsay.Stats) {
	counted := c.counted()
	from, to := reflect.ValueOf(&counted).Elem(), reflect.ValueOf(s).Elem()
	for i := range from.NumField() {
		if from.Field(i).CanUint() {
			to.Field(i).SetUint(to.Field(i).Uint() + from.Field(i).Uint())
		}
	}
	for reason, n := range counted.Drops {
		s.Drops[reason] += n
	}
}
