package quorum

import (
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/quota"
)

// Limits of what one seed holds besides the state that all have in common.
const (
	maxQueue   = 8192 // commands on their way into the log
	maxAsked   = 4096 // requests that the log has not answered yet
	maxWatched = 1024 // members under this seed's own watch
	maxLooking = 768  // of them, before none is added that nobody suspects
	maxPaused  = 1024 // stays whose reports wait
)

// Directory is what the rest of the node knows. A follower needs the last three.
type Directory struct {
	Addr        func(hearsay.NodeID) (netip.AddrPort, bool) // where a member is reached; nil: where it was admitted
	Incarnation func(hearsay.NodeID) hearsay.Incarnation    // of a member, as it is listed; nil: as the log has it
	Signed      func(hearsay.NodeID) hearsay.Incarnation    // the newest that the member has signed, though nobody may answer where it says that it is; nil: as listed

	Away func(hearsay.NodeID) (until time.Time, is bool) // whether a member has said that it is away, so that no case is opened about it, and until when; nil: none has

	Sender func(*hearsay.Packet) quota.Sender // whose share a packet uses of what this node does for others; nil: that of a stranger
	Secret uint64                             // decides which senders share a slot: see quota.New
	Links  func() []netip.AddrPort            // neighbors, which a follower passes news on to; of no use to a seed
	Alive  func(hearsay.NodeID) bool          // whether this node holds a seed for alive, of which a follower has no answer yet; nil: none
}

// Quorum is one seed's part in the authority. It is not safe for concurrent
// use: the node owns it. It appends to the node's Effects.
type Quorum struct {
	cfg       Config
	signer    *rememberer    // remembers what it has verified
	plain     hearsay.Signer // for what does not come again
	random    *rand.Rand
	directory Directory
	drops     *hearsay.Drops
	out       *hearsay.Effects

	life     hearsay.Life
	founding hearsay.Hash // that this life takes part in, for good; zero: in none yet
	foundAt  time.Time    // this seed founds with the seeds that it has met, unless something changes; zero: it does not
	saidAt   time.Time    // that it waits
	mayLag   bool         // the ledger came from disk, and nobody was asked yet what this life has signed
	stood    uint64       // the last index of the log that was decided before this life, or before this seed led; 0: not known yet, see catchUp
	doomed   string       // why it must stop; "": it need not
	seats    seats
	doubts   doubts
	clocks   clocks
	replica  *replica      // nil: this seed has no seat yet
	state    *ledger.State // nil: this seed has no snapshot yet
	chain    ledger.Chain
	quiet    bool // what is applied was applied in an earlier life

	suppliedAt time.Time // when this life first got entries from a leader; zero: it has not

	limitsAt time.Time // from when on it is told that others have other limits; zero: this seed was not ready yet

	tickAt  time.Time
	queue   []ledger.Command
	flushed time.Time
	flushAt time.Time // zero: nothing is queued

	trials  map[hearsay.CaseID]*trial
	watched map[hearsay.NodeID]*watch
	knocks  map[hearsay.NodeID]*knock  // those who ask to be in, and have not answered yet
	silent  []Silent                   // of them, those that did not
	probing int                        // probes under way
	first   []hearsay.NodeID           // watched, whose probes wait for room and go first, in order
	probes  []hearsay.NodeID           // the others whose probes wait for room, in order
	paused  map[hearsay.Stay]time.Time // until when reports without a majority wait
	weighed map[hearsay.Stay]time.Time // until when reports with evidence wait, too
	asked   []asked
	fresh   freshness

	lateness lateness
	progress progress
	faults   [hearsay.MaxSeeds]int // by slot: messages of the log that no correct seed sends

	headAt   time.Time // the next head may be signed
	headOf   hearsay.Epoch
	proven   hearsay.Epoch // as announced
	fetchAt  time.Time
	leader   uint64          // as told last
	lost     bool            // EventQuorumLost was the last word
	leaderAt time.Time       // when a leader was last known
	given    *hearsay.Ruling // the newest about a seat that is known
	walk     walk            // after the epoch here, for who sits where
	tendAt   time.Time
	budgets  budgets
	reading  reading
	doubtful doubtful

	hearing

	// When many are silent, this seed looks at all members.
	manyUnheard bool
	heardAgain  time.Time      // when one of them last answered after all, or its suspicion ended; zero: never
	looked      hearsay.NodeID // the last it has looked at
	lookedAt    time.Time
	lapAt       time.Time // when it began to look at the first

	heardMember time.Time // when a member has last answered one of this seed's own probes
}

// New makes a seed that has not yet spoken. Records are what earlier lives of
// its data directory persisted, in any order. The error is one line for the
// user: a list of seeds that cannot be, or another than the ledger's.
func New(cfg Config, signer hearsay.Signer, random *rand.Rand, directory Directory, records []hearsay.Record, drops *hearsay.Drops, out *hearsay.Effects, now time.Time) (*Quorum, error) {
	if err := cfg.check(signer.Public()); err != nil {
		return nil, err
	}
	q := &Quorum{
		cfg: cfg, plain: signer, signer: &rememberer{Signer: signer}, random: random, directory: directory, drops: drops, out: out, tickAt: now, leaderAt: now,
		budgets: newBudgets(directory.Secret), hearing: hearing{heardAt: make([]time.Time, len(cfg.Seeds))},
		trials: make(map[hearsay.CaseID]*trial), watched: make(map[hearsay.NodeID]*watch), knocks: make(map[hearsay.NodeID]*knock), paused: make(map[hearsay.Stay]time.Time), weighed: make(map[hearsay.Stay]time.Time),
	}
	q.chain = q.newChain()
	if err := q.load(now, records); err != nil {
		return nil, err
	}
	if own := &q.chain.Ahead[cfg.Slot]; own.Epoch > q.Epoch() {
		*own = hearsay.Head{} // a crash has left it, and torn away what it was signed for: nobody was told
	}
	q.stopIfForked()
	q.doubt(now)
	return q, nil
}

// Deadline is when Tick must be called next.
func (q *Quorum) Deadline() time.Time {
	at := q.tickAt
	if !q.flushAt.IsZero() && q.flushAt.Before(at) {
		at = q.flushAt
	}
	if q.headDue() && q.headAt.Before(at) {
		at = q.headAt
	}
	if restAt := q.restAt(); !restAt.IsZero() && restAt.Before(at) {
		at = restAt
	}
	if freshAt, wanted := q.freshAt(); wanted && freshAt.Before(at) {
		at = freshAt
	}
	return at
}

// Tick lets time pass.
func (q *Quorum) Tick(now time.Time) {
	if q.doomed != "" {
		q.tickAt, q.flushAt, q.headOf = now.Add(q.cfg.TickEvery), time.Time{}, q.Epoch() // until it is stopped
		return
	}
	if !now.Before(q.tickAt) {
		q.tickAt = now.Add(q.cfg.TickEvery) // after a pause no ticks are made up for
		q.noteHearing(now)
		q.heardAt[q.cfg.Slot] = now
		q.reading.expire(now)
		q.doubts.expire(now, heardFor)
		q.tickSeats(now)
		q.askOthers(now)
		if q.tickDoubt(now); q.unsure() {
			return
		}
		if q.replica != nil && !q.cfg.Recover {
			q.replica.node.Tick()
			q.work(now)
			q.tickLate(now)
			q.againFresh(now)
			q.tickOffers(now)
		}
		if q.state != nil && !q.cfg.Recover {
			q.tickTrials(now)
			q.tickKnocks(now)
			q.tickAsked(now)
			q.tickProgress(now)
			q.sayLimits(now)
			q.tickLeader(now)
			q.tickLedger(now)
			q.tickWalk(now)
			q.tickClocks(now)
		}
		q.noteLeader(now)
	}
	if q.tickFresh(now); q.unsure() {
		q.flushAt = time.Time{}
		return
	}
	q.tickRest(now)
	if !q.flushAt.IsZero() && !now.Before(q.flushAt) {
		q.flush(now)
	}
	if q.headDue() && !now.Before(q.headAt) {
		q.signHead(now)
	}
}

// Receive takes a packet that may be for the seeds' authority, and reports
// whether it was. It must have come by stream: what is answered with more than was asked
// must not go to an address that nobody has proven.
func (q *Quorum) Receive(now time.Time, p *hearsay.Packet) bool {
	switch m := p.Body.(type) {
	case *hearsay.SeatHello:
		q.seatHello(now, p, m)
	case *hearsay.Raft:
		q.raft(now, p, m)
	case *hearsay.LedgerReq:
		q.ledgerReq(now, p, m)
	case *hearsay.Rulings:
		q.rulings(now, p, m)
	case *hearsay.RosterPart:
		q.rosterPart(now, p, m)
	default:
		return false
	}
	return true
}

// send sends a message by stream.
func (q *Quorum) send(addr netip.AddrPort, m hearsay.Message) {
	q.out.Send = append(q.out.Send, hearsay.Packet{Addr: addr, Stream: true, Body: m})
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

// propose has a command put into the log. It may get lost: what needs it
// proposes it again.
func (q *Quorum) propose(now time.Time, c ledger.Command) {
	if len(q.queue) >= maxQueue {
		q.drops[hearsay.DropTableFull]++
		return
	}
	c.At, c.Proposer = now.UnixMilli(), uint8(q.cfg.Slot)
	if c.Bars() && q.replica != nil {
		c.Seen = q.replica.log.applied
	}
	q.queue = append(q.queue, c)
	if q.flushAt.IsZero() {
		q.flushAt = now
		if next := q.flushed.Add(q.cfg.GatherEvery); next.After(now) {
			q.flushAt = next
		}
	}
}

// flush proposes what was gathered, as much as fits an entry. The rest waits for GatherEvery:
// the leader signs each entry for each of the other seeds, and that takes the longer the more it is.
func (q *Quorum) flush(now time.Time) {
	queue := q.queue
	q.queue, q.flushAt, q.flushed = nil, time.Time{}, now
	if q.replica == nil || q.replica.leader() == 0 || q.replica.leads() && q.replica.log.unsettled() {
		return
	}
	if !q.replica.leads() {
		queue = slices.DeleteFunc(queue, func(c ledger.Command) bool { return c.Op == ledger.OpExpire }) // it has led until now
	}
	if len(queue) == 0 {
		return
	}
	n, size := 0, 0
	for n < len(queue) && n < hearsay.CasesAnEntry {
		size += len(queue[n].Append(nil))
		if n > 0 && size > maxEntryBytes {
			break
		}
		n++
	}
	if err := q.replica.node.Propose(ledger.AppendEntry(nil, queue[:n])); err != nil {
		return // too much is unsettled, or the leader is gone
	}
	if q.queue = queue[n:]; len(q.queue) > 0 {
		q.flushAt = now.Add(q.cfg.GatherEvery)
	}
	q.work(now)
}

// noteLeader tells when the quorum is lost and when it is back: no leader for
// two elections' time.
func (q *Quorum) noteLeader(now time.Time) {
	leader := uint64(0)
	if q.replica != nil {
		leader = q.replica.follows()
	}
	if leader != 0 {
		if q.leaderAt = now; q.stood == 0 && q.replica.leads() {
			q.stood = q.replica.log.last()
		}
		if q.leader != leader || q.lost {
			e := hearsay.Event{At: now, Kind: hearsay.EventQuorumHeard, Count: hearsay.QuorumOf(len(q.cfg.Seeds))}
			if q.lost {
				e.Kind = hearsay.EventQuorumBack
			}
			if slot, ok := q.slotOf(leader); ok {
				e.By, e.Addr = q.seats.known[slot].seat.Key.NodeID(), q.cfg.Seeds[slot].Addr
			}
			q.event(e)
		}
		q.leader, q.lost, q.seats.why = leader, false, ""
		return
	}
	if q.Waits() {
		q.leaderAt = now // there is no quorum yet that could be lost
		return
	}
	if !q.lost && now.Sub(q.leaderAt) >= q.patience() {
		q.lost, q.leader = true, 0
		q.event(hearsay.Event{At: now, Kind: hearsay.EventQuorumLost, Count: hearsay.QuorumOf(len(q.cfg.Seeds))})
	}
}

// Ready reports whether a quorum of seeds is heard, this one among them: there
// is a leader, and this seed has a vote.
func (q *Quorum) Ready() bool {
	return q.doomed == "" && !q.lost && q.replica != nil && q.replica.follows() != 0
}

// Leader gives the slot of who leads, if somebody does.
func (q *Quorum) Leader() (slot int, ok bool) {
	if q.replica == nil || q.replica.leader() == 0 {
		return 0, false
	}
	return q.slotOf(q.replica.leader())
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
func (q *Quorum) Proven() hearsay.Epoch { return q.proven }

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
	if t := q.trials[open.ID]; t != nil {
		c.Expires = t.began.Add(q.timeout(open))
	}
	return c, true
}
