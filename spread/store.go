package spread

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/kv"
	"hearsay/quota"
)

// Limits, per node.
const (
	answerIn    = time.Second            // after which the answer of one that was asked is lost. A guess
	quiet       = 300 * time.Millisecond // since something new came: what is on its way is not asked for
	answerSoon  = 400 * time.Millisecond // after which another may be asked in its place. A guess
	askEvery    = 500 * time.Millisecond // between two exchanges
	AskMost     = 32 * time.Second       // and with one of which the last ones brought nothing
	vainMost    = 64                     // of these. More than a node has neighbors
	pingsFor    = 15 * time.Second       // after a change each ping carries the hash
	PingsEach   = 8                      // and else one of so many
	forgetting  = time.Minute            // between two looks for origins that are over, at most
	forgetLeast = time.Second            // and at least: a look goes through all origins
	metMost     = 1 << 10                // new neighbors that wait to be asked; the overlay has fewer
	busyMost    = 3                      // that are asked at once, one after the other, where each is busy. A guess
	// between two origins that others' words bring about: a packet in a member's name can, and a replica knows so
	// many. One that was set back needs one. A guess
	renewEvery = 20 * time.Second

	tripMost = time.Second // as which a longer round trip counts. A guess
)

// syncShares is how many messages of exchanges a node answers in a second: each costs half a millisecond, and one that
// catches up sends some 500 in a second. Strangers have no share.
var syncShares = &quota.Shares{
	quota.Member: {All: quota.PerSecond(600, 300), Each: quota.PerSecond(600, 300)},
}

// updateShares is how many KiB of updates a node takes in a second, one at least each.
var updateShares = &quota.Shares{
	quota.Member: {All: quota.PerSecond(64<<10, 32<<10), Each: quota.PerSecond(32<<10, 16<<10)},
}

// Config is the knobs.
type Config struct {
	Objects int           // values that this node takes on: keys, and each sibling once more
	Bytes   int           // of their keys and values
	Origins int           // lives of writers that are known at a time
	Drift   time.Duration // by which clocks of members differ at most
	Forget  time.Duration // after which a removed writer's clock entry goes, if no value of it is left
	Give    int           // bytes of one message of an exchange
	Push    int           // bytes of an update that is passed on; a longer one is named
	Part    int           // bytes of a part of what is too long for a message of an exchange

	// CompareEvery is how often a neighbor is asked for a while after a change, in turn, whatever pings say: for where
	// these are rare; default 0: never
	CompareEvery time.Duration
}

// DefaultConfig is for networks of some hundred members.
func DefaultConfig() Config {
	d := kv.DefaultConfig(clock.Origin{})
	return Config{Objects: d.MaxObjects, Bytes: d.MaxBytes, Origins: d.MaxOrigins, Drift: d.Drift, Forget: d.Forget, Give: 28 << 10, Push: 16 << 10, Part: d.Part}
}

// Directory is what the store knows of members.
type Directory struct {
	// Addr gives where a living member other than this node is reached.
	Addr func(hearsay.NodeID) (addr netip.AddrPort, ok bool)

	// Next gives the neighbors to which what is news goes on, but for the one that it came from.
	Next func(from hearsay.NodeID) []hearsay.NodeID

	// Sender tells whose share a packet uses.
	Sender func(*core.Packet) quota.Sender

	// RoundTrip is the mean round trip to members as measured; nil, or 0: not known.
	RoundTrip func() time.Duration

	// Writes reports whether a node may write, as it is in.
	Writes func(kv.Writer) bool

	// Secret decides which senders share a slot: see quota.New.
	Secret uint64
}

// Store is one node's replica, and its part in making all equal. What it wants done goes to out.
type Store struct {
	cfg       Config
	self      hearsay.NodeID
	directory Directory
	stats     *hearsay.Stats
	out       *core.Effects

	replica  *kv.Replica
	origin   clock.Origin
	origins  uint64 // drawn
	reserved uint64 // numbers of the origin, up to here
	kept     bool   // KeptStore is on disk
	watched  bool   // each change is an event

	news     time.Time // when something last changed
	pings    uint8     // since one carried the hash
	from     hearsay.NodeID
	until    time.Time     // until then its answer is waited for
	asked    time.Time     // it was
	heard    bool          // it has answered
	gained   bool          // by the exchange under way
	fetches  int           // of one part, so far
	gathered *kv.Gathering // long values, so far; from comes first, and after it any that announces the same
	vain     []vain        // those that are asked again only later, the oldest first
	turn     int           // the place of the neighbor to be asked next, by CompareEvery
	turnAt   time.Time     // and when; zero: nothing has changed for a while
	askAt    time.Time     // not before
	lacks    []lack        // updates that wait for what they replace, one of each sender
	met      []hearsay.NodeID
	giving   []hearsay.NodeID // a share each of what is lacking: see share
	gave     hearsay.NodeID   // the last one whose share has come
	shared   bool             // that was done in the exchange under way
	linked   bool             // the one that is asked is a new neighbor: no other is in its place
	busy     []hearsay.NodeID // were asked, and wait for the answers of others
	forgetAt time.Time
	renewAt  time.Time // not before, because of what others say

	syncs, updates *quota.Quota
	refused        refused
}

// New makes the store of a node, of what earlier lives kept.
func New(cfg Config, self hearsay.NodeID, directory Directory,
	records []core.Record, stats *hearsay.Stats, out *core.Effects, now time.Time,
) *Store {
	s := &Store{
		cfg: cfg, self: self, directory: directory, stats: stats, out: out,
		forgetAt: now.Add(forgetting), news: now.Add(-pingsFor),
		syncs: quota.New(directory.Secret, syncShares), updates: quota.New(directory.Secret, updateShares),
	}
	saved, own := kv.Saved{Clock: &clock.Context{}}, (*core.KeptStore)(nil)
	for _, record := range records {
		switch r := record.(type) {
		case *core.KeptStore:
			own = r
		case *core.KeptObject:
			saved.Objects = append(saved.Objects, r.Object)
		case *core.KeptSeen:
			saved.Clock.AddRanges(r.Origin, r.Ranges)
		case *core.KeptOver:
			saved.Over = append(saved.Over, kv.Over{Origin: r.Origin, Since: time.UnixMilli(r.Since), Seen: r.Seen})
		}
	}
	skip := s.drawn("numbers", 0)
	if own == nil || own.Reserved > kv.MaxReserved {
		if own != nil {
			s.origin = own.Origin
		}
		s.origin, skip = s.newOrigin(), 0
	} else {
		s.origin, s.kept, saved.Reserved = own.Origin, true, own.Reserved
	}
	var change kv.Change
	s.replica, change = kv.New(s.config(skip), saved)
	if s.kept {
		s.persist(&change)
	} else {
		s.reserved = change.Reserved // with the first write
	}
	return s
}

func (s *Store) config(skip uint64) kv.Config {
	c := kv.DefaultConfig(s.origin)
	c.MaxObjects, c.MaxBytes, c.MaxOrigins, c.Drift = s.cfg.Objects, s.cfg.Bytes, s.cfg.Origins, s.cfg.Drift
	c.Forget, c.Skip, c.Writes = s.cfg.Forget, skip, s.directory.Writes
	if s.cfg.Part > 0 {
		c.Part = min(s.cfg.Part, core.MaxPart)
	}
	return c
}

// newOrigin draws an origin.
func (s *Store) newOrigin() clock.Origin {
	s.origins++
	var drawn [4]byte
	binary.BigEndian.PutUint32(drawn[:], uint32(s.drawn("origin", s.origins)))
	return kv.NewOrigin(s.self, s.origin, drawn)
}

// drawn draws a number. It follows from the node's secret, which it does not tell: so what else is drawn is the same
// with a store and without.
func (s *Store) drawn(what string, number uint64) uint64 {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], s.directory.Secret)
	binary.BigEndian.PutUint64(seed[8:], number)
	copy(seed[16:], what)
	return rand.NewChaCha8(seed).Uint64()
}

// trips is so many round trips, and least where they are short: on long ways what is under way would be asked for, and
// come twice.
func (s *Store) trips(least time.Duration, n int) time.Duration {
	if s.directory.RoundTrip == nil {
		return least
	}
	return max(least, time.Duration(n)*min(s.directory.RoundTrip(), tripMost))
}

// Replica is what the store holds, to be read.
func (s *Store) Replica() *kv.Replica { return s.replica }

// Watch has each change of a key be an event from now on.
func (s *Store) Watch() { s.watched = true }

// Put writes: see kv.Replica.Put.
func (s *Store) Put(now time.Time, writes ...kv.Write) error {
	update, change, err := s.replica.Put(now, writes...)
	if errors.Is(err, hearsay.ErrWriters) {
		s.refusedWriter(now)
	}
	if err != nil || update == nil {
		return err
	}
	s.stats.StoreWrites++
	s.changed(now, &change)
	s.pass(update, s.self)
	return nil
}

// Update takes what another has written, and passes it on.
func (s *Store) Update(now time.Time, p *core.Packet, m *core.Update) {
	if !s.takes(now, p, s.updates, 1+p.Size/(1<<10)) {
		return // an exchange brings it
	}
	result := s.replica.Update(now, m)
	s.took(now, &result)
	if result.Fresh {
		s.stats.StoreUpdates++
		s.pass(m, p.From)
	}
	switch {
	case !result.Ask:
	case result.Refused != kv.Taken:
		s.ask(now, p.From)
	default: // what it replaces may be under way
		s.lacking(now, p.From, m)
	}
}

// may reports whether a message of an exchange is taken.
func (s *Store) may(now time.Time, p *core.Packet) bool {
	if !p.Stream { // anybody could forge where that came from, and much may go back
		s.stats.Drops[hearsay.DropUnexpected]++
		return false
	}
	return s.takes(now, p, s.syncs, 1)
}

// takes reports whether what a packet says of the store is taken: within bounds, and of a member, from where that is
// listed. What a stranger says in a member's name would delete what all others have written.
func (s *Store) takes(now time.Time, p *core.Packet, of *quota.Quota, cost int) bool {
	switch sender := s.directory.Sender(p); {
	case sender.Class == quota.Stranger:
		s.stats.Drops[hearsay.DropStranger]++
		return false
	case !of.Take(now, sender, cost):
		s.stats.Drops[hearsay.DropRate]++
		return false
	}
	return true
}

// Sync takes a message of an exchange, and answers it. It reports whether it was one.
func (s *Store) Sync(now time.Time, p *core.Packet, m *core.Sync) bool {
	if !s.may(now, p) {
		return false
	}
	s.stats.StoreSyncs++
	only := m.Asks && len(m.Live)+len(m.Of) == 0 // it asks
	busy := now.Before(s.until) && p.From != s.from && !s.gives(p.From)
	switch {
	case m.Asks && len(m.Live) == 0 && (busy || only && s.gives(p.From)) && len(s.replica.Lacks(m.Clock)) > 0:
		// What lacks here would come from both.
		s.out.Send = append(s.out.Send, p.Reply(&core.Sync{}))
		return true
	case m.SaysNothing():
		s.putOff(now, p.From)
		return true
	case m.Parts != nil && s.gives(p.From): // it is fetched after what is short
		s.given(now, p.From, nil)
		return true
	case m.Parts != nil:
		s.announced(now, p, m, busy)
		return true
	}
	result := s.replica.Sync(now, m, s.cfg.Give)
	s.synced(now, p, m, &result)
	return true
}

// synced sees to what has come of a message of an exchange, whose values are here.
func (s *Store) synced(now time.Time, p *core.Packet, m *core.Sync, result *kv.Result) {
	s.took(now, result)
	gained := len(result.Change.Live)+len(result.Change.Gone)+len(result.Change.Clock) > 0
	asks := result.Reply != nil && result.Reply.Asks
	if len(m.Objects) > 0 && !gained && result.Reply != nil && len(result.Reply.Live)+len(result.Reply.Sums) == 0 && !s.gives(p.From) {
		return // both have asked at once, and the other answer has brought that: one of the two exchanges ends
	}
	switch {
	case s.gives(p.From) && now.Before(s.until):
		s.gained, s.until = s.gained || gained, now.Add(s.trips(answerIn, 4))
		switch {
		case len(m.Of) == 0: // it answers what was asked before that was shared out
			result.Reply = nil
		case !asks:
			s.given(now, p.From, m.Clock)
		}
	case p.From == s.from && now.Before(s.until):
		s.heard = true
		s.gained = s.gained || gained || result.Reply != nil && len(result.Reply.Live) > 0
		s.until, s.busy = now.Add(s.trips(answerIn, 4)), s.busy[:0]
		if result.Reply == nil {
			s.ended(now)
		}
	case asks && len(s.replica.Lacks(m.Clock)) > 0:
		s.from, s.until, s.heard, s.gained = p.From, now.Add(s.trips(answerIn, 4)), true, gained
	}
	if result.Reply != nil && asks && p.From == s.from && now.Before(s.until) {
		s.share(m, result.Reply)
	}
	if result.Reply != nil {
		s.out.Send = append(s.out.Send, p.Reply(result.Reply))
	}
	if slices.ContainsFunc(result.Change.Live, func(o *core.Object) bool { return o.Size() > s.cfg.Push }) {
		s.name(p.From)
	}
}

// putOff takes it that the one that was asked is busy: another is asked at once, or all later.
func (s *Store) putOff(now time.Time, from hearsay.NodeID) {
	if from != s.from && !s.gives(from) || !now.Before(s.until) {
		s.stats.Drops[hearsay.DropUnexpected]++
		return
	}
	s.stats.StoreBusy++
	s.heard = true
	if s.gives(from) {
		s.given(now, from, nil)
		return
	}
	s.until, s.busy = time.Time{}, append(s.busy, from)
	if s.linked || len(s.met) > 0 {
		return // those met are asked next; and one that is new is busy with what it lacks
	}
	for _, id := range s.directory.Next(s.self) {
		if len(s.busy) < busyMost && !slices.Contains(s.busy, id) && s.begin(now, id) {
			return
		}
	}
	s.gained = true // it brought nothing, and soon may
	s.ended(now)
}

// took sees to what has come of a message.
func (s *Store) took(now time.Time, result *kv.Result) {
	switch result.Refused {
	case kv.Taken, kv.Incomplete: // an exchange mends that
	case kv.Malformed:
		s.stats.Drops[hearsay.DropMalformed]++
	case kv.Full, kv.Gaps:
		s.stats.Drops[hearsay.DropTableFull]++
	case kv.Origins:
		s.stats.Drops[hearsay.DropTableFull]++
		s.refusedWriter(now)
	}
	s.changed(now, &result.Change)
	switch {
	case !result.Twin:
	case now.Before(s.renewAt):
		s.stats.Drops[hearsay.DropRate]++
	default:
		s.renewAt = now.Add(renewEvery)
		s.renew(now)
	}
}

// renew goes on under another origin: others know numbers of this one otherwise.
func (s *Store) renew(now time.Time) {
	origin := s.newOrigin()
	updates, change, err := s.replica.Renew(now, origin)
	if err != nil {
		s.stats.Drops[hearsay.DropTableFull]++
		s.refusedWriter(now)
		return
	}
	s.origin, s.reserved, s.kept = origin, 0, false
	s.changedBy(now, updates, &change)
}

// pass sends an update on. What others have not got by then they find by comparing.
func (s *Store) pass(update *core.Update, from hearsay.NodeID) {
	if update.Size() > s.cfg.Push {
		s.name(from)
		return
	}
	for _, id := range s.directory.Next(from) {
		addr, living := s.directory.Addr(id)
		switch {
		case !living:
		case from == s.self:
			s.out.Send = append(s.out.Send, core.Packet{Addr: addr, Body: update})
		default:
			s.out.Now = append(s.out.Now, core.Packet{Addr: addr, Body: update})
		}
	}
}

// name has the next neighbors ask for what is too long to be passed on.
func (s *Store) name(from hearsay.NodeID) {
	for _, id := range s.directory.Next(from) {
		if addr, living := s.directory.Addr(id); living {
			s.out.Send = append(s.out.Send, core.Packet{Addr: addr, Stream: true, Body: s.replica.Ask()})
		}
	}
}

// PingHash is the hash for the ping that goes out now; zero: none. Where pings are rare each has one.
func (s *Store) PingHash(now time.Time, rare bool) uint64 {
	hash := s.replica.Hash().Low
	if hash == 0 {
		return 0
	}
	if s.pings++; !rare && s.pings < PingsEach && now.Sub(s.news) > pingsFor {
		return 0
	}
	s.pings = 0
	return hash
}

// Pinged compares the hash in a ping with this node's.
func (s *Store) Pinged(now time.Time, from hearsay.NodeID, hash uint64) {
	if hash != 0 && hash != s.replica.Hash().Low && now.Sub(s.news) >= s.trips(quiet, 2) {
		s.ask(now, from)
	}
}

// Linked has a new neighbor asked, as it may hold what this node lacks, and answers now if it did not before. Where
// nothing is held here, a neighbor that holds something asks.
func (s *Store) Linked(id hearsay.NodeID) {
	if i := s.inVain(id); i >= 0 {
		s.vain = slices.Delete(s.vain, i, i+1)
	}
	if s.replica.Hash() != (core.Sum{}) && len(s.met) < metMost && !slices.Contains(s.met, id) {
		s.met = append(s.met, id)
	}
}

// begin asks a node, and reports whether it lives.
func (s *Store) begin(now time.Time, id hearsay.NodeID) bool {
	addr, living := s.directory.Addr(id)
	if living {
		s.from, s.until, s.asked, s.heard, s.gained, s.linked = id, now.Add(s.trips(answerIn, 4)), now, false, false, false
		s.stats.StoreAsks++
		s.out.Send = append(s.out.Send, core.Packet{Addr: addr, Stream: true, Body: s.replica.Ask()})
	}
	return living
}

// compare asks the neighbor whose turn it is, unless an exchange is under way. Its answer is not waited for: one that
// holds the same gives none, and a node that waits answers no question of others.
func (s *Store) compare(now time.Time) {
	if next := s.directory.Next(s.self); len(next) > 0 && !now.Before(s.until) {
		s.turn++
		if addr, living := s.directory.Addr(next[s.turn%len(next)]); living {
			s.stats.StoreAsks++
			s.out.Send = append(s.out.Send, core.Packet{Addr: addr, Stream: true, Body: s.replica.Ask()})
		}
	}
	if s.turnAt = now.Add(s.cfg.CompareEvery); s.turnAt.Sub(s.news) > pingsFor {
		s.turnAt = time.Time{}
	}
}

// Tick lets time pass.
func (s *Store) Tick(now time.Time) {
	if !s.until.IsZero() && !now.Before(s.until) && !s.fetchAgain(now) && !s.goOn(now) {
		s.ended(now)
	}
	if at := s.replica.NextExpiry(); !at.IsZero() && !now.Before(at) {
		change := s.replica.Expire(now)
		s.changed(now, &change)
	}
	if !now.Before(s.forgetAt) {
		if s.until.IsZero() {
			s.gathered = nil // nobody has announced it again
		}
		s.forgetAt = now.Add(max(forgetLeast, min(forgetting, s.cfg.Forget/8)))
		change := s.replica.Forget(now)
		s.changed(now, &change)
		s.lookForRoom(now)
	}
	if !s.turnAt.IsZero() && !now.Before(s.turnAt) {
		s.compare(now)
	}
	s.askLacking(now)
	for len(s.met) > 0 && s.mayAsk(now) {
		s.ask(now, s.met[0])
		s.met, s.linked = s.met[1:], true
	}
}

// Deadline is when Tick must be called next.
func (s *Store) Deadline() time.Time {
	at := s.forgetAt
	if next := s.replica.NextExpiry(); !next.IsZero() {
		at = when.Earlier(at, next)
	}
	if !s.turnAt.IsZero() {
		at = when.Earlier(at, s.turnAt)
	}
	for i := range s.lacks {
		at = when.Earlier(at, s.lacks[i].at)
	}
	switch {
	case !s.until.IsZero():
		at = when.Earlier(at, s.until)
		if len(s.met) > 0 && !s.heard {
			at = when.Earlier(at, s.asked.Add(s.trips(answerSoon, 2)))
		}
	case len(s.met) > 0:
		at = when.Earlier(at, s.askAt)
	}
	return at
}
