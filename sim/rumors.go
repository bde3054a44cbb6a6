package sim

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/rumor"
)

// gossip is the truth about rumors: what was said, and who has heard it. It
// belongs to the checker.
type gossip struct {
	check *checker
	keep  rumor.Config // how long rumors are to be had
	said  []saying     // in the order in which they were said
	byID  map[clock.Dot]int
	size  int    // of all payloads
	total Rumors // without what is told of each saying
}

// saying is one rumor, and which node said it.
type saying struct {
	id       clock.Dot
	identity int // whose
	at       time.Duration
	data     []byte
	sum      hearsay.Hash // of data, once it was asked for
	written  bool         // asked to be kept
	durable  bool         // a crash of its origin cannot take it, or others have it
	// its origin's disk was put back to before it: what the origin gets of it from others is not on its disk
	lost    bool
	expired bool // its origin's clock jumped, and calls it too old to be told
	// likewise soon after a start: the origin tells then that it is not to be had, also if others have it
	expiring   bool
	ahead      time.Duration // the origin's clock, of the world's, when it was said
	payloads   uint64
	duplicates uint64        // payloads that came to one who had it
	deliveries uint64        // to others than its origin, in each life once
	latest     time.Duration // delivery, after it was said, of those to lives that had begun before
	hops       int           // the most, of the same
}

// set is a set of sayings, by number.
type set []uint64

func (b set) has(i int) bool { return i>>6 < len(b) && b[i>>6]>>(i&63)&1 == 1 }

func (b *set) add(i int) {
	for i>>6 >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[i>>6] |= 1 << (i & 63)
}

// Rumors is what became of the rumors of a run. What nodes do is summed over
// all of them.
type Rumors struct {
	Said       int    `json:"said"`
	Deliveries uint64 `json:"deliveries"` // to others than the origin, once in each life of a process
	Payloads   uint64 `json:"payloads"`   // sent, also to who catches up
	Duplicates uint64 `json:"duplicates"` // of these, come to one who had it
	Names      uint64 `json:"names"`      // sent without a payload
	Grafts     uint64 `json:"grafts"`     // sent
	Places     uint64 `json:"places"`     // sent
	Compares   uint64 `json:"compares"`   // hashes sent to a neighbor
	// deliveries to who was not there, or not within reach, when it was told: got by comparing
	CaughtUp uint64 `json:"caught_up"`

	// Of all rumors but the first warmUp, unless there are no others.
	Ratio  float64 `json:"ratio"`    // payloads sent for each delivery
	Hops   int     `json:"hops"`     // the most, to who ran when it was said
	Latest float64 `json:"latest_s"` // delivery after it was said, the same
}

// lateMost is how long after it was pushed a rumor may still be on its way.
const lateMost = 2 * time.Second

// warmUp is how many rumors a tree has for settling.
const warmUp = 10

// rumors sums up.
func (g *gossip) rumors() Rumors {
	r := g.total
	r.Said = len(g.said)
	var latest time.Duration
	var payloads, deliveries uint64
	for i := range g.said {
		s := &g.said[i]
		r.Payloads += s.payloads
		r.Duplicates += s.duplicates
		r.Deliveries += s.deliveries
		if i >= warmUp || len(g.said) <= warmUp {
			r.Hops, latest = max(r.Hops, s.hops), max(latest, s.latest)
			payloads, deliveries = payloads+s.payloads, deliveries+s.deliveries
		}
	}
	r.Latest = latest.Seconds()
	if deliveries > 0 {
		r.Ratio = float64(payloads) / float64(deliveries)
	}
	return r
}

// String tells of one rumor as a person would.
func (s *saying) String() string {
	return fmt.Sprintf("%d heard it, the last after %s and %d hops; %d payloads, %d of them again",
		s.deliveries, short(s.latest), s.hops, s.payloads, s.duplicates)
}

// sumOf gives the hash of a payload. A large one that is as it was said is hashed
// once, not at each node that hears it.
func (g *gossip) sumOf(r *hearsay.Rumor) hearsay.Hash {
	const large = 1 << 10 // bytes, from which on it is felt
	number, known := g.byID[r.ID]
	if !known || len(r.Data) < large || !bytes.Equal(r.Data, g.said[number].data) {
		return sha256.Sum256(r.Data)
	}
	s := &g.said[number]
	if s.sum == (hearsay.Hash{}) {
		s.sum = sha256.Sum256(s.data)
	}
	return s.sum
}

// says is told what a node has said, before the effects.
func (g *gossip) says(m *machine, id clock.Dot, data []byte, now time.Duration) {
	c := g.check
	if id.Origin != hearsay.OriginOf(m.id) {
		c.violate(now, m, RuleRumor, "says a rumor in the name of %s", c.name(hearsay.NodeID(id.Origin)))
	}
	this := saying{id: id, identity: m.identity, at: now, ahead: m.clock.shows(now) - now, data: data}
	number, taken := g.byID[id]
	switch {
	case !taken:
		g.byID[id] = len(g.said)
		g.said = append(g.said, this)
		g.size += len(data)
	case g.said[number].durable || c.views[m.index].heard.has(number):
		c.violate(now, m, RuleRumor, "gives the number %d to a second rumor", id.Counter)
	default:
		g.said[number] = this // the first was lost with an earlier life: nobody ever heard it
	}
}

// rejoining is how long a node that starts may take until others have compared
// with it what they have. Guess: some exchanges.
const rejoining = 30 * time.Second

// expire is told that a node starts: it lets go of what it said itself and its
// clock calls too old, at once or before others can have it.
func (g *gossip) expire(m *machine, number int, now time.Duration) {
	for i := range g.said {
		s := &g.said[i]
		if s.identity != number {
			continue
		}
		age := m.clock.shows(now) - (s.at + s.ahead)
		s.expired = s.expired || age >= g.keep.KeepFor
		s.expiring = s.expiring || !s.expired && age+rejoining >= g.keep.KeepFor
	}
}

// keeps is told that a node asks its disk to keep a rumor.
func (g *gossip) keeps(m *machine, record *core.KeptRumor) {
	if record.Rumor == nil {
		return
	}
	if i, known := g.byID[record.Rumor.ID]; known {
		one := &g.check.identities[m.identity]
		g.said[i].written = true
		one.keeping = append(one.keeping, i)
	}
}

// kept is told that what a node asked its disk to keep is durable.
func (g *gossip) kept(one *identity) {
	for _, i := range one.keeping {
		g.said[i].durable = true
	}
	one.keeping = one.keeping[:0]
}

// tells looks at what of rumors a node sends: now, or after what is to be
// durable is.
func (g *gossip) tells(m *machine, p *core.Packet, atOnce bool, now time.Duration) {
	switch body := p.Body.(type) {
	case *core.Rumors:
		for i := range body.Items {
			number, known := g.byID[body.Items[i].ID]
			if !known {
				g.check.violate(now, m, RuleRumor, "passes on rumor %d of %s, which never said it",
					body.Items[i].ID.Counter, g.check.name(body.Items[i].Origin()))
				continue
			}
			g.said[number].payloads++
			g.ownTold(m, &g.said[number], atOnce, now)
		}
	case *core.IHave:
		g.total.Names += uint64(len(body.IDs))
		for _, id := range body.IDs {
			if number, known := g.byID[id]; known {
				g.ownTold(m, &g.said[number], atOnce, now)
			}
		}
	case *core.Graft:
		g.total.Grafts++
	case *core.Place:
		g.total.Places++
	case *core.Heard:
		g.total.Compares++
	}
}

// ownTold checks that a node tells what it said itself only once a crash
// cannot take it.
func (g *gossip) ownTold(m *machine, s *saying, atOnce bool, now time.Duration) {
	if s.identity == m.identity && !s.durable && (atOnce || !s.written) {
		g.check.violate(now, m, RuleRumor, "tells its rumor %d before it is durable", s.id.Counter)
	}
}

// gets is told that payloads come to a node.
func (g *gossip) gets(m *machine, body *core.Rumors) {
	for i := range body.Items {
		number, known := g.byID[body.Items[i].ID]
		if !known {
			continue
		}
		s := &g.said[number]
		if g.check.views[m.index].heard.has(number) {
			s.duplicates++
		}
		s.durable = s.durable || s.identity == m.identity // others have what its own disk has lost
	}
}

// hears is told that a rumor is delivered.
func (g *gossip) hears(m *machine, e *hearsay.Event, now time.Duration) {
	c := g.check
	number, known := g.byID[e.Rumor.ID]
	if !known {
		c.violate(now, m, RuleRumor, "hears rumor %d of %s, which never said it", e.Rumor.ID.Counter, c.name(e.Rumor.Origin()))
		return
	}
	v := &c.views[m.index]
	s := &g.said[number]
	if c.ledger.seeds > 0 && e.By != m.id {
		g.among(m, e.By, now)
	}
	switch {
	case !bytes.Equal(e.Rumor.Data, s.data):
		c.violate(now, m, RuleRumor, "hears %.40q, and %s said %.40q", e.Rumor.Data, c.name(e.Rumor.Origin()), s.data)
	case v.heard.has(number):
		c.violate(now, m, RuleRumor, "hears rumor %d of %s twice", s.id.Counter, c.name(e.Rumor.Origin()))
	}
	v.heard.add(number)
	if m.identity == s.identity {
		s.durable = s.durable || v.began > s.at // it was on its disk, or others have it
		return
	}
	s.deliveries++
	if v.began > s.at || now-s.at > g.keep.PushFor+lateMost {
		g.total.CaughtUp++
	}
	if v.began < s.at {
		s.latest, s.hops = max(s.latest, now-s.at), max(s.hops, e.Count)
	}
}

// among checks that a rumor goes from one member to another, by the ledger as who
// hears it has told it.
func (g *gossip) among(m *machine, by hearsay.NodeID, now time.Duration) {
	c := g.check
	l, at := c.followed(m), c.views[m.index].epoch
	if c.views[m.index].parted {
		return
	}
	if in, _ := l.in(by, at); !in {
		c.violate(now, m, RuleRumor, "hears a rumor from %s, which is not in at epoch %d", c.name(by), at)
	}
	if in, _ := l.in(m.id, at); !in {
		c.violate(now, m, RuleRumor, "hears a rumor from %s, and is not in itself at epoch %d", c.name(by), at)
	}
}

// owed is what every node must have heard by now: what was said within
// retention and is still to be had, on a node that runs or on the disk of one.
// Steady tells, by machine, who runs.
func (g *gossip) owed(now, grace time.Duration, steady []bool) (owed set) {
	// Where more was said than is kept, nodes let go of rumors as they came: old
	// ones that come late push out newer ones, and nothing is owed.
	if len(g.said) > g.keep.KeepCount || g.size > g.keep.KeepBytes {
		return nil
	}
	for i := len(g.said) - 1; i >= 0; i-- {
		s := &g.said[i]
		if now-s.at > g.keep.KeepFor-grace {
			break
		}
		one := &g.check.identities[s.identity]
		if one.twinned {
			continue // the first life of an identity takes what its twin has said for forged
		}
		had := s.durable && !s.lost && !s.expired && steady[one.machine] && one.running
		for machine := range g.check.views {
			had = had || steady[machine] && g.check.views[machine].heard.has(i)
		}
		if had && !s.expiring {
			owed.add(i)
		}
	}
	return owed
}

// lacks says which rumors a node should have heard and has not, if any.
func (g *gossip) lacks(m *machine, owed set) string {
	heard, missing, first := g.check.views[m.index].heard, 0, -1
	for i := range g.said {
		if owed.has(i) && !heard.has(i) {
			if missing++; first < 0 {
				first = i
			}
		}
	}
	if missing == 0 {
		return ""
	}
	s := &g.said[first]
	return fmt.Sprintf("has not heard %d rumors, first rumor %d of %s, said at %s",
		missing, s.id.Counter, g.check.identities[s.identity].name, seconds(s.at))
}

// say lets a machine's application say something, if its process can.
func (w *World) say(m *machine, size int) {
	if m.condition != conditionRunning || !w.convergence.steady(m) {
		return
	}
	data := fmt.Appendf(nil, "%s says %d", m.name, len(w.check.gossip.said)+1)
	for len(data) < size {
		data = append(data, '.')
	}
	id, effects, err := m.node.Say(w.timeOf(m), hearsay.NodeID{}, data)
	if errors.Is(err, hearsay.ErrDiskBehind) { // it was told so
		w.carryOut(m, effects)
		return
	}
	if err != nil {
		panic("sim: " + m.name + " cannot say it: " + err.Error())
	}
	w.check.gossip.says(m, id, data, w.now)
	w.carryOut(m, effects)
}

// someone draws one of the machines that run; nil if there is none.
func (w *World) someone(draws *rand.PCG) *machine {
	running := 0
	for i := range w.machines[:w.config.Nodes] {
		if w.convergence.steady(&w.machines[i]) {
			running++
		}
	}
	turn := int(upTo(draws, time.Duration(running)))
	for i := range w.machines[:w.config.Nodes] {
		if m := &w.machines[i]; w.convergence.steady(m) {
			if turn == 0 {
				return m
			}
			turn--
		}
	}
	return nil
}

// append appends the figures for people; nothing if no rumor was said.
func (r *Rumors) append(b []byte) []byte {
	if r.Said == 0 {
		return b
	}
	for _, line := range []struct {
		what string
		n    uint64
	}{
		{"rumors said", uint64(r.Said)},
		{"deliveries", r.Deliveries},
		{"payloads", r.Payloads},
		{"duplicates", r.Duplicates},
		{"names", r.Names},
		{"grafts", r.Grafts},
		{"places", r.Places},
		{"compares", r.Compares},
	} {
		b = fmt.Appendf(b, "%-18s %d\n", line.what, line.n)
	}
	of := ""
	if r.Said > warmUp {
		of = fmt.Sprintf(", of all rumors but the first %d", warmUp)
	}
	b = fmt.Appendf(b, "%-18s %.4f a delivery%s\n", "payloads", r.Ratio, of)
	return fmt.Appendf(b, "%-18s after %.3fs, and at most %d hops%s\n", "latest delivery", r.Latest, r.Hops, of)
}
