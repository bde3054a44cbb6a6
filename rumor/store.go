package rumor

import (
	"cmp"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// entry is a rumor that is held, or was. What it points to is read only: the application has it, too.
type entry struct {
	hearsay.Rumor // with age and hops as it came here
	origin        *origin
	by            hearsay.NodeID // the node that passed it on; this node itself, if it said it
	at            time.Time      // when it came
	known         uint64         // links whose other end has it: it sent or named it, or was sent it; see link.bit
	asked         uint64         // links over which it was asked for; a repair says nothing about the tree
	// links over which this node has named it, and whose other end has not asked for it since
	offered   uint64
	offeredAt time.Time // the last of these times
	named     bool      // another has named it to this node
	conflict  bool      // another payload came under its name
	evicted   bool
	past      bool // an earlier life has said and told it
	again     bool // what it says was delivered already, as that of a guest: it is passed on, and told to nobody here

	heat     Heat // of the monger strategy, with what its contacts of this cycle came to
	contacts int
	useless  int
}

// age is the time that a rumor has spent in the network.
func (e *entry) age(now time.Time) time.Duration { return e.Age + now.Sub(e.at) }

// store holds the recent rumors, each payload once.
type store struct {
	*shared
	byID  map[clock.Dot]*entry
	order []*entry // by birth, the oldest first, from first
	first int
	bytes int // of payload
}

// birth is when a rumor was said, by this node's clock and its age when it came.
func (e *entry) birth() time.Time { return e.at.Add(-e.Age) }

// all are the rumors held, the oldest first.
func (s *store) all() []*entry { return s.order[s.first:] }

func (s *store) add(e *entry) {
	if s.byID == nil {
		s.byID = make(map[clock.Dot]*entry)
	}
	s.byID[e.ID] = e
	at := len(s.order) // mostly: what comes late is older
	if at > s.first && e.birth().Before(s.order[at-1].birth()) {
		i, _ := slices.BinarySearchFunc(s.all(), e.birth(), func(held *entry, birth time.Time) int {
			return cmp.Or(held.birth().Compare(birth), -1) // those of the same time stay in their order
		})
		at = s.first + i
	}
	s.order = slices.Insert(s.order, at, e)
	s.bytes += len(e.Data)
}

// compactFrom is how many places of gone rumors the order may have, beside as many as it holds.
const compactFrom = 64

// drop lets go of the oldest.
func (s *store) drop() *entry {
	e := s.order[s.first]
	s.order[s.first] = nil
	s.first++
	e.evicted = true
	s.bytes -= len(e.Data)
	delete(s.byID, e.ID)
	switch {
	case s.first == len(s.order):
		s.order, s.first, s.byID = nil, 0, nil
	case s.first > compactFrom && s.first > len(s.order)/2:
		kept := copy(s.order, s.order[s.first:])
		clear(s.order[kept:])
		s.order, s.first = s.order[:kept], 0
	}
	return e
}

// evict keeps to the limits: the oldest goes, also if it came last, as others may still be told of what is younger.
func (s *store) evict(now time.Time) {
	for held := s.all(); len(held) > 0; held = s.all() {
		if len(held) <= s.cfg.KeepCount && s.bytes <= s.cfg.KeepBytes && held[0].age(now) < s.cfg.KeepFor {
			return
		}
		if e := s.drop(); e.by == s.self {
			s.out.Persist = append(s.out.Persist, &core.KeptRumor{Number: e.ID.Counter})
		}
	}
}

// expiry is when the next rumor will be too old; never if none is held.
func (s *store) expiry() time.Time {
	if len(s.all()) == 0 {
		return never
	}
	oldest := s.all()[0]
	return oldest.at.Add(s.cfg.KeepFor - oldest.Age)
}

// Names gives the names of the youngest rumors held, at most limit of them, the newest last.
func (s *store) Names(limit int) (names []clock.Dot) {
	held := s.all()
	for i := len(held) - 1; i >= 0 && len(names) < limit; i-- {
		if !held[i].again {
			names = append(names, held[i].ID)
		}
	}
	slices.Reverse(names)
	return names
}

// Delivered gives a rumor that is held as the event with which it was delivered.
func (s *store) Delivered(id clock.Dot) (e hearsay.Event, held bool) {
	if entry := s.byID[id]; entry != nil {
		return entry.event(), true
	}
	return e, false
}

// event tells that a rumor was delivered, as its guest's if that has said it. One that an earlier life has said came
// when it was said.
func (e *entry) event() hearsay.Event {
	at := e.at
	if e.past {
		at = e.birth()
	}
	speaker := e.Guest
	if speaker.IsZero() {
		speaker = e.Origin()
	}
	return hearsay.Event{
		At: at, Kind: hearsay.EventRumor, Subject: speaker, By: e.by, Count: int(e.Hops), Rumor: &e.Rumor, Past: e.past,
	}
}

// told is a rumor as it is passed on.
func (e *entry) told(now time.Time) hearsay.Rumor {
	rumor := e.Rumor
	rumor.Age = e.age(now)
	if rumor.Hops < maxHops {
		rumor.Hops++
	}
	return rumor
}

// maxHops is where the count of hops stays.
const maxHops = 255

// isRepair reports whether a rumor came here other than at once along the tree: then its way says nothing about the
// tree.
func (e *entry) isRepair(after time.Duration) bool { return e.asked != 0 || e.Age >= after }
