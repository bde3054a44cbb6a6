package web

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Limits of streams of events that are open at a time.
const (
	streamsMax      = 64  // each costs a goroutine and a place among the node's subscribers
	streamsOfSource = 16  // that one source keeps while others want a place
	watchesMax      = 512 // of changes of keys, and requests that wait for one: a goroutine, and a map's entry
	watchesOfSource = 112 // at most, whether others want one or not: see connsOfSource

	// So long a source may have more than its share: pages that are loaded anew
	// open a stream before the earlier one is closed.
	overFor = 10 * time.Second
)

// streams are those that are open, the oldest first. One that loses its place to a
// newer one comes back with Last-Event-ID if its client is there, and misses nothing.
type streams struct {
	most         int // at a time
	ofSource     int // that one source keeps while others want a place
	mostOfSource int // that one source has at most; 0: as many as there are

	mu   sync.Mutex
	open []*streamPlace
	over map[netip.Addr]time.Time // sources with more than their share, since when
}

type streamPlace struct {
	source netip.Addr
	end    func()
}

// enter opens a stream, which end must end, also while the client is waited for. Where
// there is no room, a client takes the place of the oldest of its own source; one
// whose source has fewer than its share, that of the source with the most. One whose source has all that it may have
// gets none.
func (s *streams) enter(source netip.Addr, end func()) (*streamPlace, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mostOfSource > 0 && s.count(source) >= s.mostOfSource {
		return nil, false
	}
	if len(s.open) >= s.most {
		victim := s.victim(source, time.Now())
		if victim == nil {
			return nil, false
		}
		victim.end()
		s.remove(victim)
	}
	p := &streamPlace{source, end}
	s.open = append(s.open, p)
	if s.count(source) > s.ofSource {
		if s.over == nil {
			s.over = make(map[netip.Addr]time.Time)
		}
		if s.over[source].IsZero() {
			s.over[source] = time.Now()
		}
	}
	return p, true
}

// full says why there was no place.
func (s *streams) full() string {
	if s.mostOfSource == 0 {
		return fmt.Sprintf("%d streams of events are open, as many as one node serves", s.most)
	}
	return fmt.Sprintf("%d streams of changes and requests that wait are open, as many as one node serves, or %d of one source; close some, or ask another node",
		s.most, s.mostOfSource)
}

// victim gives the stream whose place a client of a source takes, nil for none.
func (s *streams) victim(source netip.Addr, now time.Time) *streamPlace {
	own := s.count(source)
	if own < s.ofSource {
		if p, most := s.crowd(now); p != nil && (own == 0 || most > own+1) {
			return p
		}
	}
	if own == 0 {
		return nil
	}
	return s.open[slices.IndexFunc(s.open, func(p *streamPlace) bool { return p.source == source })]
}

// crowd gives the oldest stream of the source that has the most, and how many those
// are. A source that has more than its share for a moment does not count.
func (s *streams) crowd(now time.Time) (oldest *streamPlace, most int) {
	for _, p := range s.open {
		if since, over := s.over[p.source]; over && now.Sub(since) < overFor {
			continue
		}
		if n := s.count(p.source); n > most {
			oldest, most = p, n
		}
	}
	return oldest, most
}

func (s *streams) count(source netip.Addr) (n int) {
	for _, p := range s.open {
		if p.source == source {
			n++
		}
	}
	return n
}

// leave gives the place back, unless another has it.
func (s *streams) leave(p *streamPlace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(p)
}

func (s *streams) remove(p *streamPlace) {
	s.open = slices.DeleteFunc(s.open, func(o *streamPlace) bool { return o == p })
	if s.count(p.source) <= s.ofSource {
		delete(s.over, p.source)
	}
}
