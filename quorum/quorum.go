package quorum

import (
	"iter"
	"math/rand/v2"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"
)

// Limits of what one seed holds besides the state that all have in common.
const (
	maxQueue   = 4096 // commands on their way into the log, of those that go first and of the rest
	maxAsked   = 4096 // requests that the log has not answered yet
	maxWatched = 1024 // members under this seed's own watch
	maxLooking = 768  // of them, before none is added that nobody suspects
	maxPaused  = 1024 // stays whose reports wait
)

// Directory is what the rest of the node knows.
type Directory struct {
	Addr        func(hearsay.NodeID) (netip.AddrPort, bool) // where a member is reached; nil: where it was admitted
	Incarnation func(hearsay.NodeID) hearsay.Incarnation    // of a member, as it is listed; nil: as the log has it
	// the newest that the member has signed, though nobody may answer where it says that it is; nil: as listed
	Signed func(hearsay.NodeID) hearsay.Incarnation

	// whether a member has said that it is away, so that no case is opened about it, and until when; nil: none
	// has
	Away func(hearsay.NodeID) (until time.Time, is bool)

	// whose share a packet uses of what this node does for others; nil: that of a stranger
	Sender func(*core.Packet) quota.Sender
	Secret uint64 // decides which senders share a slot: see quota.New
}

// Quorum is one seed's part in the authority. It is not safe for concurrent
// use: the node owns it. It appends to the node's Effects.
type Quorum struct {
	cfg       Config
	signer    *rememberer    // remembers what it has verified
	plain     hearsay.Signer // for what does not come again
	random    *rand.Rand
	directory Directory
	stats     *hearsay.Stats
	out       *core.Effects

	life     hearsay.Life
	founding hearsay.Hash  // that this life takes part in, for good; zero: in none yet
	replica  *replica      // nil: this seed has no seat yet
	state    *ledger.State // nil: this seed has no snapshot yet
	chain    ledger.Chain
	mayLag   bool   // the ledger came from disk, and nobody was asked yet what this life has signed
	mustStop string // why it must stop; "": it need not
	quiet    bool   // what is applied was applied in an earlier life

	mismatches ledger.Mismatches
	given      *hearsay.Ruling // the newest about a seat that is known
	walk       ledger.Walk     // after the epoch here, for who sits where

	tickAt   time.Time
	led      bool      // a quorum was heard in this life
	lost     bool      // EventQuorumLost was the last word
	leaderAt time.Time // when a leader was last known

	// Its jobs. Each has a file, owns what nothing else needs, and knows the seed that it is of.
	seats      seats
	founder    founder
	records    records
	diskCheck  diskCheck
	driver     driver
	offers     offers
	leadership leadership
	lateness   lateness
	hearing    hearing
	progress   progress
	heads      heads
	reading    reading
	fresh      freshness
	clocks     clocks
	requests   requests
	joiners    joiners
	returning  returning
	ballots    ballots
	watches    watches
	probers    probers
	commits    commitQueue
}

// New makes a seed that has not yet spoken. Records are what earlier lives of
// its data directory persisted, in any order. The error is one line for the
// user: a list of seeds that cannot be, or another than the ledger's.
func New(cfg Config, signer hearsay.Signer, random *rand.Rand, directory Directory, records []core.Record, stats *hearsay.Stats, out *core.Effects, now time.Time) (*Quorum, error) {
	if err := cfg.check(signer.Public()); err != nil {
		return nil, err
	}
	q := &Quorum{
		cfg: cfg, plain: signer, signer: &rememberer{Signer: signer}, random: random, directory: directory, stats: stats, out: out, tickAt: now, leaderAt: now,
	}
	q.seats.seed, q.founder.seed, q.records.seed, q.diskCheck.seed = q, q, q, q
	q.driver.seed, q.offers.seed, q.leadership.seed, q.lateness.seed = q, q, q, q
	q.progress.seed, q.reading.seed, q.fresh.seed, q.clocks.seed, q.requests.seed = q, q, q, q, q
	q.hearing = hearing{seed: q, heardAt: make([]time.Time, len(cfg.Seeds)), followedAt: make([]time.Time, len(cfg.Seeds))}
	q.heads = heads{seed: q, budgets: newBudgets(directory.Secret)}
	q.returning = returning{seed: q}
	q.joiners = joiners{seed: q, pending: make(map[hearsay.NodeID]*joiner)}
	q.ballots = ballots{seed: q, checks: make(map[hearsay.CaseID]*check), paused: make(map[hearsay.Stay]time.Time), weighed: make(map[hearsay.Stay]time.Time)}
	q.watches = watches{seed: q, watched: make(map[hearsay.NodeID]*watch)}
	q.probers.seed, q.commits.seed = q, q
	q.chain = q.newChain()
	if err := q.records.load(now, records); err != nil {
		return nil, err
	}
	if own := &q.chain.Ahead[cfg.Slot]; own.Epoch > q.Epoch() {
		*own = hearsay.Head{} // a crash has left it, and torn away what it was signed for: nobody was told
	}
	q.heads.stopIfForked()
	q.diskCheck.begin(now)
	return q, nil
}

// Deadline is when Tick must be called next.
func (q *Quorum) Deadline() time.Time {
	at := q.tickAt
	if !q.commits.flushAt.IsZero() && q.commits.flushAt.Before(at) {
		at = q.commits.flushAt
	}
	if q.heads.headDue() && q.heads.headAt.Before(at) {
		at = q.heads.headAt
	}
	if restAt := q.driver.restAt(); !restAt.IsZero() && restAt.Before(at) {
		at = restAt
	}
	if freshAt, wanted := q.fresh.freshAt(); wanted && freshAt.Before(at) {
		at = freshAt
	}
	return at
}

// Tick lets time pass.
func (q *Quorum) Tick(now time.Time) {
	if q.mustStop != "" {
		q.tickAt, q.commits.flushAt, q.heads.headOf = now.Add(q.cfg.TickEvery), time.Time{}, q.Epoch() // until it is stopped
		return
	}
	if !now.Before(q.tickAt) {
		q.tickAt = now.Add(q.cfg.TickEvery) // after a pause no ticks are made up for
		q.hearing.noteHearing(now)
		q.hearing.heardAt[q.cfg.Slot] = now
		q.reading.expire(now)
		for slot := range q.others() {
			q.mismatches.Expire(now, slot, heardFor)
		}
		q.seats.tickSeats(now)
		q.hearing.askOthers(now)
		if q.diskCheck.tick(now); q.diskCheck.unsure() {
			return
		}
		if q.replica != nil && !q.cfg.Recover {
			q.replica.node.Tick()
			q.driver.work(now)
			q.lateness.tickLate(now)
			q.fresh.againFresh(now)
			q.offers.tickOffers(now)
		}
		if q.state != nil && !q.cfg.Recover {
			q.probers.tick(now)
			q.ballots.tickChecks(now)
			q.joiners.tick(now)
			q.returning.tick(now)
			q.requests.tickAsked(now)
			q.progress.tickProgress(now)
			q.requests.sayLimits(now)
			q.leadership.tickLeader(now)
			q.heads.tickLedger(now)
			q.seats.tickWalk(now)
			q.clocks.tickClocks(now)
		}
		q.noteLeader(now)
	}
	if q.fresh.tickFresh(now); q.diskCheck.unsure() {
		q.commits.flushAt = time.Time{}
		return
	}
	q.driver.tickRest(now)
	if !q.commits.flushAt.IsZero() && !now.Before(q.commits.flushAt) {
		q.commits.flush(now)
	}
	if q.heads.headDue() && !now.Before(q.heads.headAt) {
		q.heads.signHead(now)
	}
}

// Receive takes a packet that may be for the seeds' authority, and reports
// whether it was. It must have come by stream: what is answered with more than was asked
// must not go to an address that nobody has proven.
func (q *Quorum) Receive(now time.Time, p *core.Packet) bool {
	switch m := p.Body.(type) {
	case *core.SeatHello:
		q.seats.seatHello(now, p, m)
	case *core.Raft:
		q.driver.raft(now, p, m)
	case *core.LedgerReq:
		q.heads.ledgerReq(now, p, m)
	case *core.Rulings:
		q.heads.rulings(now, p, m)
	case *core.RosterPart:
		q.heads.rosterPart(now, p, m)
	default:
		return false
	}
	return true
}

// send sends a message by stream.
func (q *Quorum) send(addr netip.AddrPort, m core.Message) {
	q.out.Send = append(q.out.Send, core.Packet{Addr: addr, Stream: true, Body: m})
}

// others gives the slots of the other seeds.
func (q *Quorum) others() iter.Seq[int] {
	return func(yield func(int) bool) {
		for slot := range q.cfg.Seeds {
			if slot != q.cfg.Slot && !yield(slot) {
				return
			}
		}
	}
}

// event tells what happened, unless an earlier life has told it.
func (q *Quorum) event(e hearsay.Event) {
	if !q.quiet {
		q.out.Events = append(q.out.Events, e)
	}
}

// noteLeader tells when a quorum is first heard, when it is lost, as there was no leader for
// two elections' time, and when it is back. That another leads is not told.
func (q *Quorum) noteLeader(now time.Time) {
	if q.replica != nil && q.replica.follows() != 0 {
		if q.leaderAt = now; q.driver.stood == 0 && q.replica.leads() {
			q.driver.stood = q.replica.log.last()
		}
		if q.lost || !q.led {
			e := hearsay.Event{At: now, Kind: hearsay.EventQuorumHeard, Count: q.Needed()}
			if q.lost {
				e.Kind = hearsay.EventQuorumBack
			}
			e.By, e.Addr = q.leading()
			q.event(e)
		}
		q.led, q.lost, q.seats.why = true, false, ""
		return
	}
	if q.Waits() {
		q.leaderAt = now // there is no quorum yet that could be lost
		return
	}
	if !q.lost && now.Sub(q.leaderAt) >= q.hearing.patience() {
		q.lost = true
		q.event(hearsay.Event{At: now, Kind: hearsay.EventQuorumLost, Count: q.Needed()})
	}
}

// Ready reports whether a quorum of seeds is heard, this one among them: there
// is a leader, and this seed has a vote.
func (q *Quorum) Ready() bool {
	return q.mustStop == "" && !q.lost && q.replica != nil && q.replica.follows() != 0
}

// Elects reports whether no seed leads, and that is so for less time than an election may take. A seed that asks the
// others first what it has signed takes part in none.
func (q *Quorum) Elects() bool {
	return q.mustStop == "" && !q.lost && !q.Waits() && !q.diskCheck.unsure() && q.replica.follows() == 0
}

// Leader gives the slot of who leads, if somebody does.
func (q *Quorum) Leader() (slot int, ok bool) {
	if q.replica == nil || q.replica.leader() == 0 {
		return 0, false
	}
	return q.seats.slotOf(q.replica.leader())
}

// leading gives the seed that leads, and where it says that it is, if that is known: the list of seeds may
// name another in its place already.
func (q *Quorum) leading() (id hearsay.NodeID, addr netip.AddrPort) {
	slot, led := q.Leader()
	if !led {
		return id, addr
	}
	id = q.seats.known[slot].seat.Key.NodeID()
	if slot == q.cfg.Slot {
		addr = q.cfg.Seeds[slot].Addr
	} else if q.directory.Addr != nil {
		addr, _ = q.directory.Addr(id)
	}
	return id, addr
}

// Ledger is what is signed here is about.
func (q *Quorum) Ledger() hearsay.LedgerID {
	return hearsay.LedgerID{Network: q.cfg.Network, Founding: q.founding}
}

// Needed is how many equal ballots decide.
func (q *Quorum) Needed() int { return hearsay.QuorumOf(len(q.cfg.Seeds)) }

// Epoch is the number of the last ruling that this seed has applied.
func (q *Quorum) Epoch() hearsay.Epoch {
	if q.state == nil {
		return 0
	}
	return q.state.Epoch
}

// Proven is the newest epoch that heads of a quorum prove.
func (q *Quorum) Proven() hearsay.Epoch { return q.heads.proven }

// Head gives the hash of the ledger up to Epoch.
func (q *Quorum) Head() hearsay.Hash {
	if q.state == nil {
		return hearsay.Hash{}
	}
	return q.state.Head
}

// Roster appends all members, ordered by NodeID.
func (q *Quorum) Roster(dst []ledger.Member) []ledger.Member {
	if q.state == nil {
		return dst
	}
	return q.state.Members.All(dst)
}

// Member gives one member by its identity.
func (q *Quorum) Member(id hearsay.NodeID) (m ledger.Member, ok bool) {
	if q.state == nil {
		return m, false
	}
	one := q.state.Members.Get(id)
	if one == nil {
		return m, false
	}
	return *one, true
}

// At appends who is in at an address by the newest claim in the log, ordered as
// they came.
func (q *Quorum) At(dst []hearsay.NodeID, addr netip.AddrPort) []hearsay.NodeID {
	if q.state == nil {
		return dst
	}
	return append(dst, q.state.At[addr]...)
}

// Barred appends who is refused, ordered by NodeID.
func (q *Quorum) Barred(dst []hearsay.Bar) []hearsay.Bar {
	if q.state == nil {
		return dst
	}
	return append(dst, q.state.Barred...)
}

// Rulings gives the rulings after an epoch that are in memory, oldest first,
// at most n. They are read only. Older ones are on disk.
func (q *Quorum) Rulings(after hearsay.Epoch, n int) []*hearsay.Ruling {
	return q.chain.After(after, n)
}

// EvidenceOf gives what was reported before the ruling of an epoch, or nil.
func (q *Quorum) EvidenceOf(epoch hearsay.Epoch) *hearsay.Evidence {
	if link := q.chain.Entry(epoch); link != nil {
		return link.Evidence
	}
	return nil
}

// Seats appends who sits in the seats.
func (q *Quorum) Seats(dst []hearsay.Seat) []hearsay.Seat {
	if q.state == nil {
		return dst
	}
	return append(dst, q.state.Seats...)
}

// Seated reports whether this seed has its seat: it votes.
func (q *Quorum) Seated() bool {
	return q.state != nil && !q.cfg.Recover && q.state.Seats[q.cfg.Slot] == q.seat()
}

// Votes reports whether the seed in a slot has a vote in the log, as far as that is known
// here. One that was given its seat has none before it has caught up, and until then a
// quorum is one of those that were there before.
func (q *Quorum) Votes(slot int) bool {
	if q.state == nil || q.replica == nil || q.state.Seats[slot].Life.IsZero() {
		return false
	}
	return q.replica.votes(q.state.Seats[slot].RaftID(q.cfg.Network))
}

// seat is what this seed says of itself.
func (q *Quorum) seat() hearsay.Seat {
	return hearsay.Seat{Slot: uint8(q.cfg.Slot), Key: q.signer.Public(), Life: q.life}
}

// Case describes an open case.
type Case struct {
	ID       hearsay.CaseID
	Kind     hearsay.RulingKind
	Stay     hearsay.Stay
	Rule     hearsay.Rule
	Needed   int
	Ballots  []hearsay.Ballot // read only
	Evidence *hearsay.Evidence
	Expires  time.Time // if this seed leads on; else about then
}

// Case gives the open case about a node, if there is one.
func (q *Quorum) Case(id hearsay.NodeID) (c Case, ok bool) {
	if q.state == nil {
		return c, false
	}
	open := q.state.Removing[id]
	if open == nil {
		open = q.state.Admitting[id]
	}
	if open == nil {
		return c, false
	}
	c = Case{
		ID: open.ID, Kind: open.Kind(), Stay: open.Stay(), Rule: open.Opening.Rule, Needed: q.Needed(),
		Ballots: open.Ballots, Evidence: open.Opening.Evidence,
	}
	if t := q.ballots.checks[open.ID]; t != nil {
		c.Expires = t.began.Add(q.leadership.timeout(open))
	}
	return c, true
}

// newChain makes a ledger with nothing in it.
func (q *Quorum) newChain() ledger.Chain {
	c := ledger.NewChain(q.cfg.Network, q.plain, len(q.cfg.Seeds))
	c.Most = q.cfg.Tail
	return c
}
