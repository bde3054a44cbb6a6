package node

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/follower"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/ledger"
	"hearsay/petition"
	"hearsay/quorum"
	"hearsay/quota"
	"hearsay/roster"
)

// This file joins the authority of a seeded network with the rest of a node. A
// seed takes part in it; a peer follows it, and asks it. An open network has none.

// authority is the ledger as a node has it: *quorum.Quorum or *follower.Follower.
type authority interface {
	Tick(now time.Time)
	Deadline() time.Time
	Receive(now time.Time, p *core.Packet) bool
	Member(id hearsay.NodeID) (ledger.Member, bool)
	Roster(dst []ledger.Member) []ledger.Member
	Seats(dst []hearsay.Seat) []hearsay.Seat
	Epoch() hearsay.Epoch
	Head() hearsay.Hash
	Ledger() hearsay.LedgerID
	Heads() []hearsay.Head
	Oldest() hearsay.Epoch
	Rulings(after hearsay.Epoch, n int) []*hearsay.Ruling
	Fork() *hearsay.Fork
}

// Seeded is a node's part in a seeded network, and what drivers read of it. Of an open network all of it is empty.
type Seeded struct {
	cfg     *Config
	id      hearsay.NodeID
	signer  hearsay.Signer
	roster  *roster.Roster
	ways    *ways
	stepped *time.Time // the node's last step

	authority  authority           // nil in an open network
	seat       *quorum.Quorum      // of a seed, else nil
	follower   *follower.Follower  // of a peer, else nil
	petitions  *petition.Petitions // of a peer, else nil
	seats      []hearsay.Seat      // as last looked at
	sitting    []hearsay.NodeID    // the nodes that sit in them
	unseated   []hearsay.NodeID    // the nodes that sat in them, and are listed yet
	stay       hearsay.Stay        // of this peer; epoch 0: it is not in
	founded    bool                // as far as seeds have told this peer
	quorumGone time.Time           // since when this peer hears no quorum of seeds; zero: it does
	quorumLost bool                // this peer has told that it hears none
	spare      spare
	earlyTill  time.Time      // until then what is not heard is no trouble: see earlyFor
	ended      hearsay.Epoch  // by which the last stay of this peer was over; 0: none is, in this life
	operator   []removalAsked // by operators here, lately, the longest ago first
	began      time.Time      // of this life
}

// earlyFor is how long after its start, after it was let in, and after it heard a quorum again a node may lack what it
// will hear. A guess: a network of empty directories is founded, and a seed that leads is replaced, in two seconds.
const earlyFor = 5 * time.Second

// noteFirst takes an event from which on more is to be heard, or that shows that the network is founded.
func (s *Seeded) noteFirst(now time.Time, e *hearsay.Event) {
	switch {
	case e.Kind == hearsay.EventJoined, e.Kind == hearsay.EventSeatTaken, e.Kind == hearsay.EventQuorumHeard, e.Kind == hearsay.EventQuorumBack:
		s.earlyTill = now.Add(earlyFor)
	case e.Kind == hearsay.EventSeedAnswered && (e.Outcome == hearsay.OutcomeDone || e.Outcome == hearsay.OutcomePending):
		s.follower.NoteFounded(e.Addr)
	}
}

// early reports whether what is not heard at a time may come yet.
func (s *Seeded) early(now time.Time) bool {
	return now.Before(s.earlyTill) || s.seat != nil && s.seat.Elects()
}

// takeSeat makes this node a seed.
func (n *Node) takeSeat(random *rand.Rand, records []core.Record, now time.Time) error {
	directory := quorum.Directory{Addr: n.roster.Addr, Incarnation: n.seeded.incarnation, Signed: n.roster.Signed, Away: n.roster.IsAway, Sender: n.addresses.Sender, Secret: n.secret}
	seat, err := quorum.New(n.cfg.Quorum, n.signer, random, directory, records, &n.stats, n.out, now)
	if err != nil {
		return err
	}
	n.seeded.seat = seat
	n.requests = requests{
		network: n.cfg.Network, signer: n.signer, seat: seat, sender: n.addresses.Sender, cases: &n.cases, stats: &n.stats, out: n.out,
		asks: quota.New(n.secret, askShares),
	}
	n.follow(now, seat, n.cfg.Quorum.Seeds)
	if n.rulings.overtake(now, seat.Epoch()); seat.Epoch() > 0 {
		n.out.Events = append(n.out.Events, hearsay.Event{At: now, Kind: hearsay.EventResumed, Epoch: seat.Epoch(), Count: len(n.seeded.Stays(nil))})
	}
	return nil
}

// followSeeds makes this node a peer of a seeded network.
func (n *Node) followSeeds(random *rand.Rand, records []core.Record, now time.Time) {
	s := &n.seeded
	directory := follower.Directory{Incarnation: n.seeded.incarnation, Sender: n.addresses.Sender, Secret: n.secret, Links: n.gossip.neighbors, Alive: n.roster.Trusted}
	s.follower = follower.New(n.cfg.Follower, n.signer, random, directory, records, &n.stats, n.out, now)
	addrs := n.follow(now, s.follower, n.cfg.Follower.Seeds)
	n.evidence = evidenceFetcher{network: n.cfg.Network, id: n.id, seeds: n.cfg.Follower.Seeds, roster: n.roster, cases: &n.cases, out: n.out}
	s.petitions = petition.New(n.cfg.Petition, addrs, random, &n.stats, n.out)
}

// follow lets the roster list the members that the ledger has in, and look for the seeds.
func (n *Node) follow(now time.Time, by authority, seeds []ledger.Seed) (addrs []netip.AddrPort) {
	n.seeded.authority, n.seeded.began, n.seeded.earlyTill = by, now, now.Add(earlyFor)
	var behind func() bool
	if n.seeded.follower != nil {
		behind = n.seeded.follower.Behind
	}
	n.roster.Follow(n.seeded.roleOf, by.Ledger, behind)
	n.overlay.Withdraw(now)
	for i := range seeds {
		addrs = append(addrs, seeds[i].Addr)
	}
	n.roster.Contact(now, addrs)
	return addrs
}

// hearsQuorum reports whether this is a seed, and hears a quorum of seeds: then it
// sends and receives, however silent others are.
func (s *Seeded) hearsQuorum() bool { return s.seat != nil && s.seat.Ready() }

// told is the newest epoch of which an earlier life of a peer has told.
func (s *Seeded) told() hearsay.Epoch {
	if s.follower == nil {
		return 0 // a seed gets a roster whole because it was away: that is news
	}
	return s.follower.Told()
}

// incarnation is the newest that a member has signed, as far as this node knows.
func (s *Seeded) incarnation(id hearsay.NodeID) hearsay.Incarnation {
	m, _ := s.roster.Member(id)
	return m.Incarnation
}

// roleOf says as what a node is in, by the seats and the ledger.
func (s *Seeded) roleOf(id hearsay.NodeID) hearsay.Role {
	if s.isSeed(id) {
		return hearsay.RoleSeed
	}
	if _, in := s.authority.Member(id); in {
		return hearsay.RolePeer
	}
	return 0
}

// isSeed reports whether a node sits in a seat.
func (s *Seeded) isSeed(id hearsay.NodeID) bool {
	var room [hearsay.MaxSeeds]hearsay.Seat
	seats := s.authority.Seats(room[:0])
	// the node that sat in one stays known until another does: a seed whose founding came to nothing is still a seed
	for slot := range s.seats {
		if slot == len(seats) {
			seats = append(seats, s.seats[slot])
		} else if seats[slot].Key.IsZero() {
			seats[slot] = s.seats[slot]
		}
	}
	if !slices.Equal(seats, s.seats) {
		s.unseated = append(s.unseated, s.sitting...)
		s.seats, s.sitting = slices.Clone(seats), s.sitting[:0]
		for i := range seats {
			if !seats[i].Key.IsZero() {
				s.sitting = append(s.sitting, seats[i].Key.NodeID())
			}
		}
	}
	return slices.Contains(s.sitting, id)
}

// tickSeeded lets time pass for the authority and the nodes that wait for it.
func (n *Node) tickSeeded(now time.Time) {
	s := &n.seeded
	s.authority.Tick(now)
	n.rulings.expelUnseated(now)
	if s.petitions != nil {
		n.rulings.enter(now)
		if s.stay.Epoch == 0 && !s.petitions.Registering() && !n.gone() {
			s.petitions.Register(now)
		}
		if founded := s.follower.Founded(); founded != s.founded {
			if s.founded = founded; founded {
				s.petitions.Ruled(now) // what the seeds have answered before is out of date
			}
		}
		s.petitions.Tick(now)
		s.noteQuorum(now, n.out)
	}
	s.noteSpare(now, n.out)
	n.noteStanding(now)
	n.evidence.fetch(now)
	if s.seat != nil {
		n.requests.turnAwaySilent(now)
		n.requests.tick(now)
	}
}

// deadlineSeeded is when tickSeeded must be called next.
func (n *Node) deadlineSeeded() time.Time {
	s := &n.seeded
	at := n.evidence.due(s.authority.Deadline())
	if s.petitions != nil {
		at = when.Earlier(at, s.petitions.Deadline())
	}
	return n.requests.due(at)
}

// receiveSeeded takes what concerns the ledger, and reports whether it did.
func (n *Node) receiveSeeded(now time.Time, p *core.Packet) bool {
	s := &n.seeded
	if s.authority == nil {
		return false
	}
	if s.seat != nil && n.backlog.behind(now) && writes(p) {
		n.stats.Drops[hearsay.DropQueueFull]++
		return true
	}
	switch m := p.Body.(type) {
	case *core.Register, *core.Report, *core.Depart:
		if s.seat == nil {
			n.stats.Drops[hearsay.DropUnexpected]++
			return true
		}
		n.requests.receive(now, p)
	case *core.Outcome:
		if s.petitions == nil {
			n.stats.Drops[hearsay.DropUnexpected]++
			return true
		}
		if s.petitions.Outcome(now, p, &m.Outcome) {
			n.roster.Rejoin(now) // it may have been in, and out, and not have heard of either
		}
	case *core.SeatHello, *core.LedgerReq, *core.Raft, *core.Rulings, *core.RosterPart:
		if !p.Stream && !quorum.ByDatagram(m) { // anybody could forge where a datagram came from
			n.stats.Drops[hearsay.DropUnexpected]++
			return true
		}
		return s.authority.Receive(now, p)
	default:
		return false
	}
	return true
}

// pinged has a seed count the members that probe it, and a peer find out about one that means it and is strange to it.
func (s *Seeded) pinged(now time.Time, from hearsay.NodeID, class quota.Class, strange bool) {
	switch {
	case s.seat != nil && class == quota.Member:
		s.seat.Pinged(from)
	case s.follower != nil && strange:
		s.follower.Strange(now)
	}
}

// Asker is what asks a node that a stay be over. Neither kind can sign.
type Asker uint8

// The askers. A seed that is asked by an operator answers for it with its own name, and so does a peer; a guest is
// nobody.
const (
	AskedByOperator Asker = iota + 1
	AskedByGuest          // or by anything else that speaks an earlier program's lines
)

// What operators ask here.
const (
	// How long a question counts as the same one, as a command asks again while it waits. A guess: a peer asks each of
	// hearsay.MaxSeeds silent seeds for two seconds before it answers.
	askedAgain = time.Minute
	maxAsked   = 16 // questions that are told apart; the one that was asked the longest ago makes room
)

// removalAsked is a removal for which an operator has asked, and when last.
type removalAsked struct {
	stay hearsay.Stay
	at   time.Time
}

// noteOperator tells once that an operator has asked here for a removal.
func (s *Seeded) noteOperator(now time.Time, stay hearsay.Stay, out *core.Effects) {
	s.operator = slices.DeleteFunc(s.operator, func(r removalAsked) bool { return now.Sub(r.at) >= askedAgain })
	if at := slices.IndexFunc(s.operator, func(r removalAsked) bool { return r.stay == stay }); at >= 0 {
		s.operator = slices.Delete(s.operator, at, at+1)
	} else {
		out.Events = append(out.Events, hearsay.Event{At: now, Kind: hearsay.EventRemovalAsked, Subject: stay.ID, Epoch: stay.Epoch})
	}
	if len(s.operator) >= maxAsked {
		s.operator = slices.Delete(s.operator, 0, 1)
	}
	s.operator = append(s.operator, removalAsked{stay, now})
}

// Ask asks the seeds that a stay be over, without evidence. What comes of it is an Outcome that goes by stream to the
// address from which that is asked.
func (n *Node) Ask(now time.Time, from netip.AddrPort, stay hearsay.Stay, by Asker) *core.Effects {
	n.begin(now)
	report := quorum.Report{Stay: stay}
	if by == AskedByOperator {
		report.By = n.id
		n.seeded.noteOperator(now, stay, n.out)
	}
	switch s := &n.seeded; {
	case s.petitions != nil:
		s.petitions.Ask(now, from, stay)
	case n.backlog.behind(now):
		n.stats.Drops[hearsay.DropQueueFull]++
		n.requests.answer(now, from, hearsay.RulingRemove, stay, hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "the disk of this seed does not keep up"})
	default:
		n.requests.answer(now, from, hearsay.RulingRemove, stay, s.seat.Report(now, &report))
	}
	return n.settle(now)
}

// NotReached is told by the driver of a peer that no stream to a seed could be opened, and why.
func (n *Node) NotReached(now time.Time, seed netip.AddrPort, why string) *core.Effects {
	n.begin(now)
	if n.seeded.petitions != nil {
		n.seeded.petitions.NotReached(now, seed, why)
	}
	return n.settle(now)
}

// ledgerID is what is signed here is about.
func (s *Seeded) ledgerID() hearsay.LedgerID {
	if s.authority == nil {
		return hearsay.LedgerID{Network: s.cfg.Network}
	}
	return s.authority.Ledger()
}

// Epoch is the number of the last ruling that this node has applied; 0 in an
// open network.
func (s *Seeded) Epoch() hearsay.Epoch {
	if s.authority == nil {
		return 0
	}
	return s.authority.Epoch()
}

// stayOf gives the present stay of a member; of nobody: none.
func (s *Seeded) stayOf(id hearsay.NodeID) hearsay.Stay {
	if s.authority == nil {
		return hearsay.Stay{ID: id}
	}
	m, _ := s.authority.Member(id)
	return m.Stay
}

// quorumSince is since when a quorum of seeds is there: as a seed hears it, or as a peer lists them.
func (s *Seeded) quorumSince() time.Time {
	if s.seat != nil {
		return s.seat.HeardSince()
	}
	var since []time.Time
	var room [hearsay.MaxSeeds]hearsay.Seat
	for slot, seat := range s.authority.Seats(room[:0]) {
		if m, listed := s.roster.Member(seat.Key.NodeID()); listed && m.State == hearsay.StateAlive && s.follower.Met(slot) {
			since = append(since, when.Later(m.Since, s.follower.MetSince(slot)))
		}
	}
	slices.SortFunc(since, time.Time.Compare)
	if needed := hearsay.QuorumOf(len(s.seeds())); needed <= len(since) {
		return since[needed-1]
	}
	return time.Time{}
}
