package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// written is the truth about the store: what clients have written, and what each disk has of it. It belongs to the
// checker. A value is written once, so that it tells by itself where it is from, under whatever dot it is found.
type written struct {
	check  *checker
	values []value
	byText map[string]int
	stocks []stock              // by machine
	lives  map[clock.Origin]int // processes that wrote under it
	wrote  map[writer]bool
	said   map[asking][]core.Holding // what a node has seen, as it last told another
	ahead  time.Duration             // the latest that any clock has shown
}

// writer is a process that wrote under an origin.
type writer struct {
	origin        clock.Origin
	machine, life int32
}

func (s *written) writesIn(w writer) {
	if !s.wrote[w] {
		s.wrote[w] = true
		s.lives[w.origin]++
	}
}

// value is one that a client has written.
type value struct {
	key, text string
	size      int       // in bytes
	identity  int       // of the node that took it
	dot       clock.Dot // under which it was written first
	last      uint64    // of its record
	first     uint64
	expires   int64 // Unix milliseconds; 0: never
	durable   bool  // on the disk of that node
	replaced  bool  // by a write that saw it
	again     bool  // its node has put it again, under another dot, as a twin of it wrote under the same origin
	refused   bool  // it was not written, as far as any client knows
}

// stock is what a machine's disk has of the store.
type stock struct {
	disk     int          // which of its disks
	origin   clock.Origin // under which its node writes; zero: none yet
	kept     clock.Origin // the one of these that no crash can take
	copied   bool         // what is on it is an older copy, or another's
	live     map[int]int  // values, and under how many dots each
	gone     map[int]bool // values that it has had live
	unsynced []int        // values of which a crash may undo what became of them
}

func newWritten(c *checker, machines int) written {
	return written{check: c, byText: make(map[string]int), stocks: make([]stock, machines), lives: make(map[clock.Origin]int), wrote: make(map[writer]bool), said: make(map[asking][]core.Holding)}
}

// text gives a value that no other is.
func (s *written) text(m *machine, size int) []byte {
	text := fmt.Appendf(nil, "w%d of %s", len(s.values)+1, m.name)
	s.values = append(s.values, value{text: string(text), refused: true, identity: m.identity})
	if len(text) < size {
		pad := "."
		if size > 8<<10 { // so that parts of two values are not the same
			pad = string(text)
		}
		text = append(text, strings.Repeat(pad, size/len(pad)+1)[:size-len(text)]...)
	}
	s.values[len(s.values)-1].size = len(text)
	s.byText[string(text)] = len(s.values) - 1
	return text
}

// numbers gives the values behind objects.
func (s *written) numbers(objects []*core.Object) (numbers []int) {
	for _, o := range objects {
		if n, known := s.byText[string(o.Value)]; known {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// live gives the values of a key that a node holds, also those whose time is over.
func (s *written) live(m *machine, key string) []int { return s.shown(m, key, time.Time{}) }

// shown gives those that clients read.
func (s *written) shown(m *machine, key string, now time.Time) []int {
	return s.numbers(m.node.Gossip().Replica().Siblings(now, key, nil))
}

// writes is told what a node has written, before the effects. Replaced are the values that each write takes the place
// of. It gives that in words.
func (s *written) writes(m *machine, writes []hearsay.Write, replaced [][]int, e *core.Effects, now time.Duration) string {
	var words []string
	for i := range writes {
		w := &writes[i]
		if !w.Delete {
			v := &s.values[s.byText[string(w.Value)]]
			v.key, v.refused = w.Key, false
			words = append(words, "puts "+w.Key+" "+v.text)
		} else {
			words = append(words, "deletes "+w.Key)
		}
		for _, n := range replaced[i] {
			s.values[n].replaced = true
			words = append(words, "not "+s.values[n].text)
		}
	}
	for _, record := range e.Persist {
		if kept, is := record.(*core.KeptObject); is && !kept.Gone {
			o := kept.Object
			v := &s.values[s.byText[string(o.Value)]]
			v.dot, v.first, v.last, v.expires = o.Dot, o.First, o.Last, o.Expires
		}
	}
	return strings.Join(words, ", ")
}

// loads is told what the disk gives to a node that starts.
func (s *written) loads(m *machine, records []core.Record, now time.Duration) {
	s.passes(m, now)
	stock := &s.stocks[m.index]
	if stock.disk != m.disks {
		*stock = s.empty(m)
	}
	live, copied := make(map[int]int), stock.copied
	stock.origin = stock.kept // any later one was of no write that was told
	for _, record := range records {
		if own, is := record.(*core.KeptStore); is {
			stock.origin, stock.kept = own.Origin, own.Origin
		}
		kept, is := record.(*core.KeptObject)
		if !is {
			continue
		}
		n, known := s.byText[string(kept.Object.Value)]
		if !known {
			continue // that was told when it was kept
		}
		live[n]++
		if stock.gone[n] && !slices.Contains(stock.unsynced, n) && !s.check.identities[s.values[n].identity].twinned {
			s.check.violate(now, m, RuleDeleted, "starts with %s, which it has let go of", s.values[n].text)
		}
	}
	for n := range s.values { // not in the order of a map
		if stock.live[n] > 0 && live[n] == 0 && !copied && !slices.Contains(stock.unsynced, n) {
			s.check.violate(now, m, RuleWritten, "starts without %s, which was on its disk", s.values[n].text)
		}
	}
	for _, n := range stock.unsynced {
		delete(stock.gone, n)
	}
	stock.live, stock.unsynced, stock.copied = live, nil, false
}

func (s *written) empty(m *machine) stock {
	return stock{disk: m.disks, live: make(map[int]int), gone: make(map[int]bool)}
}

// copied is told that a machine starts with a copy of a disk: an older one of its own, or another's.
func (s *written) copied(m *machine) {
	s.stocks[m.index] = s.empty(m)
	s.stocks[m.index].copied = true
}

// passes notes how late it is by the clock of a machine.
func (s *written) passes(m *machine, now time.Duration) { s.ahead = max(s.ahead, m.clock.shows(now)) }

// over reports whether the time of a value is over, by any clock.
func (s *written) over(v *value) bool {
	return v.expires != 0 && v.expires <= epoch.Add(s.ahead).UnixMilli()
}

// stepped looks at what a step changes in the store of a node.
func (s *written) stepped(m *machine, e *core.Effects, now time.Duration) {
	stock, before := &s.stocks[m.index], make(map[int]int)
	excused := make(map[int]bool) // what was put again may go under the number that it had first
	var touched []int
	for _, record := range e.Persist {
		if own, is := record.(*core.KeptStore); is {
			s.writesAs(m, own.Origin, now)
		}
		kept, is := record.(*core.KeptObject)
		if !is {
			continue
		}
		n, known := s.byText[string(kept.Object.Value)]
		if !known || s.values[n].refused {
			s.check.violate(now, m, RuleValue, "holds %.40q of key %q, which nobody has written", kept.Object.Value, kept.Object.Key)
			continue
		}
		if !slices.Contains(touched, n) {
			touched = append(touched, n)
			before[n] = stock.live[n]
		}
		if kept.Gone {
			stock.live[n]--
			excused[n] = s.values[n].again && kept.Object.Dot == s.values[n].dot
			continue
		}
		stock.live[n]++
		if kept.Object.Dot.Origin == stock.origin {
			s.writesIn(writer{stock.origin, m.index, m.life})
			twinned := s.check.identities[m.identity].twinned || s.check.identities[m.identity].old
			s.values[n].again = s.values[n].again || twinned && kept.Object.Dot != s.values[n].dot
		}
		s.arrives(m, &s.values[n], kept.Object, now)
	}
	if len(touched) > 0 {
		s.passes(m, now)
	}
	for _, n := range touched {
		v := &s.values[n]
		switch after := stock.live[n]; {
		case before[n] > 0 && after == 0:
			if stock.gone[n] = true; !v.replaced && !excused[n] && !s.over(v) {
				s.check.violate(now, m, RuleWritten, "lets go of %s, which nobody has replaced", v.text)
			}
		case s.check.identities[v.identity].twinned: // it may put again what another has deleted: see kv.Replica.Renew
		case before[n] == 0 && after > 0 && stock.gone[n]:
			s.check.violate(now, m, RuleDeleted, "holds %s again, which it has let go of", v.text)
		}
	}
	stock.unsynced = append(stock.unsynced, touched...)
	s.tells(m, e, now)
	s.asked(m, e)
}

// arrives looks at a value that a node holds from now on.
func (s *written) arrives(m *machine, v *value, o *core.Object, now time.Duration) {
	switch {
	case o.Key != v.key || o.Expires != v.expires:
		s.check.violate(now, m, RuleValue, "holds %s under key %q until %d, and it was written under %q until %d", v.text, o.Key, o.Expires, v.key, v.expires)
	case o.Dot == v.dot && (o.First != v.first || o.Last != v.last):
		s.check.violate(now, m, RuleBatch, "holds %s as one of the numbers %d to %d, and its record is %d to %d", v.text, o.First, o.Last, v.first, v.last)
	case o.First < o.Last && !clock.Cover(m.node.Gossip().Replica().Seen().Of(o.Dot.Origin), []clock.Range{{Low: o.First, High: o.Last}}):
		s.check.violate(now, m, RuleBatch, "holds %s, and not all of its record", v.text)
	}
}

// tells looks at the values that a step sends: now, or after what is to be durable is.
func (s *written) tells(m *machine, e *core.Effects, now time.Duration) {
	for _, packets := range [][]core.Packet{e.Now, e.Send} {
		for i := range packets {
			for _, o := range objectsIn(&packets[i]) {
				n, known := s.byText[string(o.Value)]
				if !known || s.values[n].refused {
					s.check.violate(now, m, RuleValue, "passes on %.40q of key %q, which nobody has written", o.Value, o.Key)
				}
			}
		}
	}
	for i := range e.Now {
		for _, o := range objectsIn(&e.Now[i]) {
			if n, known := s.byText[string(o.Value)]; known && s.values[n].identity == m.identity && !s.values[n].durable {
				s.check.violate(now, m, RuleWritten, "tells of %s before it is durable", s.values[n].text)
			}
		}
	}
}

// synced is told that all that a node wrote is durable.
func (s *written) synced(m *machine) {
	stock := &s.stocks[m.index]
	for _, n := range stock.unsynced {
		if v := &s.values[n]; v.identity == m.identity && stock.live[n] > 0 {
			v.durable = true
		}
	}
	stock.unsynced, stock.kept = stock.unsynced[:0], stock.origin
}
