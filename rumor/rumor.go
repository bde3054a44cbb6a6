package rumor

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/quota"
)

// never is later than any time that comes.
var never = time.Unix(1<<36, 0)

// Directory is what this node knows of members.
type Directory struct {
	// Addr gives where a living member other than this node is reached.
	Addr func(hearsay.NodeID) (addr netip.AddrPort, ok bool)

	// Known reports whether a node is a member in any state. This node is.
	Known func(hearsay.NodeID) bool

	// Guest reports whether a member speaks only an earlier program's protocol; nil: none does.
	Guest func(hearsay.NodeID) bool

	// Trusted reports whether a node is a living member and no suspect.
	Trusted func(hearsay.NodeID) bool

	// Draw gives a living member other than this node, at random.
	Draw func() (id hearsay.NodeID, ok bool)

	// Sender tells whose share of what is given a packet uses. Nil: that of a stranger.
	Sender func(*core.Packet) quota.Sender

	// Secret decides which senders share a slot: see quota.New.
	Secret uint64
}

// sender tells whose share a packet uses.
func (d *Directory) sender(p *core.Packet) quota.Sender {
	if d.Sender == nil {
		return quota.Sender{Addr: p.Addr}
	}
	return d.Sender(p)
}

// Rumors is one node's part in telling them. What it wants done goes to out. Each part of it has one job and a file,
// and owns what nothing else needs. The parts are embedded, so that what they export is the Rumors'; within this
// package a part is always named.
type Rumors struct {
	shared

	seen
	numbers
	store
	intake
	links
	places
	tree
	wanted
	monger
	compare
	exchange
	gone
	guests
}

// shared is what all parts of a Rumors have.
type shared struct {
	cfg       Config
	self      hearsay.NodeID
	directory Directory
	random    *rand.Rand
	out       output
	rumors    *Rumors // for what another part does
}

// between draws a duration.
func (s *shared) between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.random.Int64N(int64(max(1, high-low))))
}

// stranger refuses packets of a node that is no member.
func (s *shared) stranger(p *core.Packet) bool {
	if s.directory.Known(p.From) {
		return false
	}
	s.out.stats.Drops[hearsay.DropStranger]++
	return true
}

// tell sends a member a message that promises nothing durable, and counts it.
func (s *shared) tell(id hearsay.NodeID, body core.Message, count *uint64) {
	if addr, living := s.directory.Addr(id); living {
		*count++
		s.out.send(false, core.Packet{Addr: addr, Body: body})
	}
}

// New makes the rumors of a node. Records are what earlier lives kept: what they said and is still held is told again,
// here and to nodes that lack it.
func New(cfg Config, self hearsay.NodeID, directory Directory, random *rand.Rand,
	records []core.Record, stats *hearsay.Stats, out *core.Effects, now time.Time,
) *Rumors {
	r := &Rumors{shared: shared{cfg: cfg, self: self, directory: directory, random: random, out: output{Effects: out, stats: stats}}}
	r.rumors = r
	for _, p := range []**shared{
		&r.seen.shared, &r.numbers.shared, &r.store.shared, &r.intake.shared, &r.links.shared, &r.places.shared, &r.tree.shared,
		&r.wanted.shared, &r.monger.shared, &r.compare.shared, &r.exchange.shared, &r.gone.shared, &r.guests.shared,
	} {
		*p = &r.shared
	}
	r.compare.at, r.compare.last = never, now
	r.exchange.gives, r.exchange.strangers = quota.New(directory.Secret, giveShares), quota.New(directory.Secret, seenShares)
	r.places.own.root = self
	r.tree.announceAt, r.monger.cycleAt, r.monger.pollAt = never, never, never
	if cfg.Strategy == Monger && cfg.Style.Pulls() {
		r.monger.pollAt = now.Add(r.between(0, cfg.Poll))
	}
	r.load(now, records)
	return r
}

// load takes what earlier lives kept.
func (r *Rumors) load(now time.Time, records []core.Record) {
	r.numbers.earlier = len(records) > 0
	var kept []*core.KeptRumor
	for _, record := range records {
		switch record := record.(type) {
		case *core.ReservedNumbers:
			r.numbers.last = max(r.numbers.last, record.Upto)
		case *core.KeptRumor:
			if record.Rumor != nil {
				kept = append(kept, record)
			}
		}
	}
	slices.SortFunc(kept, func(a, b *core.KeptRumor) int { return cmp.Compare(a.Number, b.Number) })
	for _, record := range kept {
		rumor := *record.Rumor
		// Others may have forgotten that they heard it, so it must not come back younger than it is.
		if rumor.Age = 0; record.Said > 0 {
			rumor.Age = max(0, now.Sub(time.UnixMilli(record.Said)))
		}
		if rumor.Origin() == r.self { // a torn disk may have kept it and not the reservation
			r.numbers.last = max(r.numbers.last, rumor.ID.Counter)
		}
		if rumor.Age >= r.cfg.KeepFor { // or the clock has jumped: others give it then, if they have it
			r.out.Persist = append(r.out.Persist, &core.KeptRumor{Number: record.Number})
			continue
		}
		r.intake.deliver(now, &entry{Rumor: rumor, origin: r.seen.of(rumor.ID.Origin), by: r.self, at: now, past: true})
	}
}

// Begin starts a step: what the last one handed out is void.
func (r *Rumors) Begin() { r.out.begin() }

// Tick lets time pass.
func (r *Rumors) Tick(now time.Time) {
	r.store.evict(now)
	switch r.cfg.Strategy {
	case Tree:
		r.tree.tick(now)
		r.wanted.askOverdue(now)
		r.places.tick(now)
	case Monger:
		r.monger.tick(now)
	}
	r.compare.tick(now)
	r.links.flush(now)
}

// Deadline is when Tick must be called next.
func (r *Rumors) Deadline() time.Time {
	at := when.Earlier(r.store.expiry(), r.compare.at)
	at = when.Earlier(at, when.Earlier(r.monger.cycleAt, r.monger.pollAt))
	at = when.Earlier(at, when.Earlier(r.tree.announceAt, r.wanted.due()))
	for _, l := range r.links.list {
		at = when.Earlier(at, when.Earlier(l.due, when.Earlier(l.sayAt, l.answerAt)))
	}
	return at
}

// Held gives how many rumors are held, and how many bytes of payload.
func (r *Rumors) Held() (count, bytes int) { return len(r.store.all()), r.store.bytes }

// uvarintLen is how many bytes a number takes in a packet.
func uvarintLen(n uint64) int { return (bits.Len64(n|1) + 6) / 7 }
