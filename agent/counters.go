package agent

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

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

// limiter allows each source so much a second. Sources whose hashes agree
// share what is allowed, so that its size is bounded; an attacker cannot
// choose whom it shares with, because the seed is secret.
//
// While all together send less than one may, nobody is counted: an idle node
// holds no counts. So a source can have at most twice what is allowed, in any
// second.
type limiter struct {
	perSecond uint16
	seed      maphash.Seed
	second    int64  // Unix; the one that is counted
	all       uint32 // from all sources
	counts    []uint16
}

const limiterSlots = 256

func newLimiter(perSecond uint16) limiter {
	return limiter{perSecond: perSecond, seed: maphash.MakeSeed()}
}

// allow counts one more from source, and reports whether that is allowed.
func (l *limiter) allow(now time.Time, source netip.Addr) bool {
	if second := now.Unix(); second != l.second {
		l.second, l.all, l.counts = second, 0, nil
	}
	if l.all < uint32(l.perSecond) {
		l.all++
		return true
	}
	if l.counts == nil {
		l.counts = make([]uint16, limiterSlots)
	}
	count := &l.counts[l.slot(source)]
	if *count >= l.perSecond {
		return false
	}
	*count++
	return true
}

func (l *limiter) slot(source netip.Addr) uint64 {
	return maphash.Comparable(l.seed, hearsay.Source(source)) % limiterSlots
}
