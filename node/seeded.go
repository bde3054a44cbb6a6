package node

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/petition"
	"hearsay/quorum"
)

// This file joins the authority of a seeded network with the rest of a node. A
// seed takes part in it; a peer follows it, and asks it. An open network has none.

// authority is the ledger as a node has it: *quorum.Quorum or *quorum.Follower.
type authority interface {
	Tick(now time.Time)
	Deadline() time.Time
	Receive(now time.Time, p *hearsay.Packet) bool
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

// seeded is a node's part in a seeded network.
type seeded struct {
	authority authority           // nil in an open network
	seat      *quorum.Quorum      // of a seed, else nil
	follower  *quorum.Follower    // of a peer, else nil
	petitions *petition.Petitions // of a peer, else nil
	seats     []hearsay.Seat      // as last looked at
	seeds     []hearsay.NodeID    // who sit in them
	unseated  []hearsay.NodeID    // who sat in them, and are listed yet
	stay      hearsay.Stay        // of this peer; epoch 0: it is not in
	answers   answers             // of a seed
	elsewhere []whereabouts       // of a seed: at most one for each member
	leaveBy   time.Time           // of a peer that has left: then it waits no longer for the seeds
	leaveTold bool                // what came of that

	turned   int // who were turned away since then
	turnedAt time.Time
	wanted   []wantedEvidence // of a peer
	counts   counts
}

// takeSeat makes this node a seed.
func (n *Node) takeSeat(random *rand.Rand, records []hearsay.Record, now time.Time) error {
	seat, err := quorum.New(n.cfg.Quorum, n.signer, random, n.ledgerDirectory(), records, &n.drops, n.out, now)
	if err != nil {
		return err
	}
	n.seeded.seat = seat
	n.seeded.answers = answers{seat: seat, out: n.out}
	n.follow(now, seat, n.cfg.Quorum.Seeds)
	if n.overtake(now, seat.Epoch()); seat.Epoch() > 0 {
		n.out.Events = append(n.out.Events, hearsay.Event{At: now, Kind: hearsay.EventResumed, Epoch: seat.Epoch(), Count: len(n.Stays(nil))})
	}
	return nil
}

// followSeeds makes this node a peer of a seeded network.
func (n *Node) followSeeds(random *rand.Rand, records []hearsay.Record, now time.Time) {
	s, cfg := &n.seeded, n.cfg.Follower
	cfg.Recall = n.cfg.Rumors.KeepFor
	s.follower = quorum.NewFollower(cfg, n.signer, random, n.ledgerDirectory(), records, &n.drops, n.out, now)
	addrs := n.follow(now, s.follower, n.cfg.Follower.Seeds)
	s.petitions = petition.New(n.cfg.Petition, addrs, random, &n.drops, n.out)
}

// ledgerDirectory is what the authority may ask the rest of this node.
func (n *Node) ledgerDirectory() quorum.Directory {
	return quorum.Directory{Addr: n.roster.Addr, Incarnation: n.incarnation, Signed: n.roster.Signed, Away: n.roster.IsAway, Sender: n.Sender, Secret: n.secret, Links: n.neighbors, Alive: n.roster.Trusted}
}

// follow lets the roster list the members that the ledger has in, and look for the seeds.
func (n *Node) follow(now time.Time, by authority, seeds []ledger.Seed) (addrs []netip.AddrPort) {
	n.seeded.authority = by
	n.roster.Follow(n.roleOf, by.Ledger)
	n.overlay.Withdraw(now)
	for i := range seeds {
		addrs = append(addrs, seeds[i].Addr)
	}
	n.roster.Contact(now, addrs)
	return addrs
}

// hearsQuorum reports whether this is a seed, and hears a quorum of seeds: then it
// sends and receives, however silent others are.
func (n *Node) hearsQuorum() bool { return n.seeded.seat != nil && n.seeded.seat.Ready() }

// links reports whether a member has links and passes on rumors: seeds do not,
// and guests do not speak as we do.
func (n *Node) links(id hearsay.NodeID) bool {
	return n.seeded.authority == nil || !n.isSeed(id) && !n.roster.Guest(id)
}

// carries reports whether a member passes on rumors, and this node does once it
// is in.
func (n *Node) carries(id hearsay.NodeID) bool { return n.seeded.seat == nil && n.links(id) }

// gossips reports whether rumors and links are spoken of with another: in a
// seeded network both must be in by the ledger. Gossip makes no member, so also who
// was one, and that everybody still knows, is not heard. What it says it keeps,
// and its neighbors get it by comparing once it is let in.
func (n *Node) gossips(with hearsay.NodeID) bool {
	s := &n.seeded
	if s.authority == nil {
		return true
	}
	_, in := s.authority.Member(with)
	return in && s.stay.Epoch != 0
}

// drawMost is how often a member is drawn until it is none that carries no
// rumors.
const drawMost = 8

// told is the newest epoch of which an earlier life of a peer has told.
func (s *seeded) told() hearsay.Epoch {
	if s.follower == nil {
		return 0 // a seed gets a roster whole because it was away: that is news
	}
	return s.follower.Told()
}

// draw gives a random living member that passes on rumors, if there is one, and
// this node may.
func (n *Node) draw() (id hearsay.NodeID, ok bool) {
	if n.seeded.authority != nil && n.seeded.stay.Epoch == 0 {
		return id, false
	}
	for range drawMost {
		if id, ok = n.roster.Draw(); !ok || n.carries(id) {
			return id, ok
		}
	}
	return id, false
}

// incarnation is the newest that a member has signed, as far as this node knows.
func (n *Node) incarnation(id hearsay.NodeID) hearsay.Incarnation {
	m, _ := n.roster.Member(id)
	return m.Incarnation
}

// neighbors gives the addresses of this node's links or, as long as it is not in,
// of those that it would have: the ledger is for all.
func (n *Node) neighbors() (addrs []netip.AddrPort) {
	links := n.overlay.Links()
	if n.seeded.stay.Epoch == 0 {
		links = n.overlay.Around()
	}
	for _, id := range links {
		if addr, ok := n.roster.Addr(id); ok {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// known reports whether a node is a member in any state, or was one before this
// node's time: what it said may still be told.
func (n *Node) known(id hearsay.NodeID) bool {
	return n.roster.Known(id) || n.seeded.follower != nil && n.seeded.follower.Departed(id)
}

// roleOf says as what a node is in, by the seats and the ledger.
func (n *Node) roleOf(id hearsay.NodeID) hearsay.Role {
	if n.isSeed(id) {
		return hearsay.RoleSeed
	}
	if _, in := n.seeded.authority.Member(id); in {
		return hearsay.RolePeer
	}
	return 0
}

// isSeed reports whether a node sits in a seat.
func (n *Node) isSeed(id hearsay.NodeID) bool {
	s := &n.seeded
	var room [hearsay.MaxSeeds]hearsay.Seat
	seats := s.authority.Seats(room[:0])
	for slot := range s.seats { // who sat in one stays known until another does: a seed whose founding came to nothing is still a seed
		if slot == len(seats) {
			seats = append(seats, s.seats[slot])
		} else if seats[slot].Key.IsZero() {
			seats[slot] = s.seats[slot]
		}
	}
	if !slices.Equal(seats, s.seats) {
		s.unseated = append(s.unseated, s.seeds...)
		s.seats, s.seeds = slices.Clone(seats), s.seeds[:0]
		for i := range seats {
			if !seats[i].Key.IsZero() {
				s.seeds = append(s.seeds, seats[i].Key.NodeID())
			}
		}
	}
	return slices.Contains(s.seeds, id)
}

// tickSeeded lets time pass for the authority and those who wait for it.
func (n *Node) tickSeeded(now time.Time) {
	s := &n.seeded
	s.authority.Tick(now)
	n.expelUnseated(now)
	if s.petitions != nil {
		if s.stay.Epoch == 0 && !s.petitions.Registering() && !n.gone() {
			s.petitions.Register(now)
		}
		s.petitions.Tick(now)
	}
	n.fetchEvidence(now)
	if s.seat != nil {
		n.turnAwaySilent(now)
	}
	s.answers.tick(now)
}

// deadlineSeeded is when tickSeeded must be called next.
func (n *Node) deadlineSeeded() time.Time {
	s := &n.seeded
	at := n.evidenceDue(s.authority.Deadline())
	if s.petitions != nil {
		at = earlier(at, s.petitions.Deadline())
	}
	return s.answers.due(at)
}

// receiveSeeded takes what concerns the ledger, and reports whether it did.
func (n *Node) receiveSeeded(now time.Time, p *hearsay.Packet) bool {
	s := &n.seeded
	if s.authority == nil {
		return false
	}
	if n.defers(p) {
		return true
	}
	switch m := p.Body.(type) {
	case *hearsay.Register:
		n.register(now, p)
	case *hearsay.Report:
		if n.mayAsk(p) {
			s.answers.take(now, p, hearsay.RulingRemove, m.Stay, s.seat.Report(now, &quorum.Report{Stay: m.Stay, By: n.reporter(p.From, m), Evidence: m.Evidence}))
		}
	case *hearsay.Depart:
		if n.mayAsk(p) {
			s.answers.take(now, p, hearsay.RulingLeave, m.Leave.Stay, s.seat.Leave(now, &m.Leave))
		}
	case *hearsay.Outcome:
		if s.petitions == nil {
			n.drops[hearsay.DropUnexpected]++
			return true
		}
		if s.petitions.Outcome(now, p, m) {
			n.roster.Rejoin(now) // it may have been in, and out, and not have heard of either
		}
	case *hearsay.SeatHello, *hearsay.LedgerReq, *hearsay.Raft, *hearsay.Rulings, *hearsay.RosterPart:
		if !p.Stream && !quorum.ByDatagram(m) { // anybody could forge where a datagram came from
			n.drops[hearsay.DropUnexpected]++
			return true
		}
		return s.authority.Receive(now, p)
	default:
		return false
	}
	return true
}

// reporter gives who reports: a member that has signed that it does. Which others a
// packet names is not proven.
func (n *Node) reporter(from hearsay.NodeID, m *hearsay.Report) (by hearsay.NodeID) {
	if member, in := n.seeded.authority.Member(from); in && m.Verify(n.ledgerID(), n.signer, member.Claim.Card.Key) {
		return from
	}
	return by
}

// Petition gives what an operator asks the seeds of a stay through this node: a
// report without evidence, which this node signs.
func (n *Node) Petition(stay hearsay.Stay) *hearsay.Packet {
	p := &hearsay.Packet{Body: &hearsay.Report{Stay: stay}}
	n.dress(p)
	return p
}

// Proves reports whether a report brings what observers have signed, or is signed
// by a member itself.
func (n *Node) Proves(p *hearsay.Packet) bool {
	m := p.Body.(*hearsay.Report)
	return m.Evidence != nil || !n.reporter(p.From, m).IsZero()
}

// mayAsk reports whether this is a seed, and was asked by stream: anybody could
// forge where a datagram came from.
func (n *Node) mayAsk(p *hearsay.Packet) bool {
	if n.seeded.seat != nil && p.Stream {
		return true
	}
	n.drops[hearsay.DropUnexpected]++
	return false
}

// register takes a request for admission: of who is where it asks from.
func (n *Node) register(now time.Time, p *hearsay.Packet) {
	if !n.mayAsk(p) {
		return
	}
	if len(p.Claims) == 0 || p.Claims[0].Subject != p.From {
		n.drops[hearsay.DropMalformed]++
		return
	}
	claim := p.Claims[0]
	stay := hearsay.Stay{ID: p.From}
	answer := quorum.Answer{Code: quorum.AnswerRefused}
	if from, says := p.Addr.Addr().Unmap(), claim.Card.Addr.Addr().Unmap(); from != says {
		answer.Text = fmt.Sprintf("asks from %s and says that it is at %s", from, says)
	} else {
		answer = n.seeded.seat.Admit(now, &claim)
		n.tellBar(&answer, claim.Subject)
	}
	if answer.Code == quorum.AnswerRefused {
		n.turnAway(now, &claim, answer.Text)
	}
	n.seeded.answers.take(now, p, hearsay.RulingAdmit, stay, answer)
}

// turnAwaySilent tells those who asked to be in, and did not answer at their
// address, that it is so.
func (n *Node) turnAwaySilent(now time.Time) {
	silent := n.seeded.seat.Silent()
	for i := range silent {
		c := &silent[i].Claim
		if !silent[i].Yielded { // a crowd may have that so often that to tell of each would be work
			n.turnAway(now, c, silent[i].Why)
		}
		n.seeded.answers.giveAll(hearsay.Stay{ID: c.Subject}, hearsay.OutcomeWait, 0, silent[i].Why)
	}
}

// leaveSeeded tells the seeds that this node's stay is over.
func (n *Node) leaveSeeded(now time.Time) {
	s := &n.seeded
	if s.petitions == nil {
		return
	}
	s.leaveBy = now.Add(leavePatience)
	if s.stay.Epoch == 0 {
		s.petitions.Withdraw() // it may be let in all the same, and leaves then: see admitted
		return
	}
	leave := &hearsay.Leave{Stay: s.stay}
	leave.Sign(n.ledgerID(), n.signer)
	s.petitions.Leave(now, leave)
}

// leavePatience is how long a peer that has left waits for the seeds to say
// so. Without a quorum they cannot; then the others find out. A guess: some
// times the patience of a petition.
const leavePatience = 5 * time.Second

// mayBeIn reports whether this peer is in, or may be by what it has asked, though it has left:
// the seeds have not ruled that it is out.
func (n *Node) mayBeIn() bool {
	s := &n.seeded
	switch {
	case s.petitions == nil:
		return false
	case s.stay.Epoch == 0:
		return s.petitions.Pending(n.stepped)
	}
	return s.petitions.Leaving()
}

// awaitsLeave reports whether this peer has left, and the seeds may still rule it.
func (n *Node) awaitsLeave() bool { return n.mayBeIn() && n.stepped.Before(n.seeded.leaveBy) }

// Left reports of a node that has Gone whether it is out, as far as the seeds decide that.
func (n *Node) Left() bool { return !n.mayBeIn() }

// tellLeave tells once, of a peer that has left, what has come of that. It reports whether it does.
func (n *Node) tellLeave(now time.Time) bool {
	s := &n.seeded
	if s.petitions == nil || s.leaveTold || !n.gone() || n.awaitsLeave() {
		return false
	}
	s.leaveTold = true
	e := hearsay.Event{At: now, Kind: hearsay.EventMemberLeft, Subject: n.id, Incarnation: n.Self().Incarnation}
	if n.mayBeIn() {
		e.Kind, e.Text = hearsay.EventLeaveFailed, hearsay.ErrLeaveUnruled.Error()
	}
	n.out.Events = append(n.out.Events, e)
	return true
}

// ledgerID is what is signed here is about.
func (n *Node) ledgerID() hearsay.LedgerID {
	if n.seeded.authority == nil {
		return hearsay.LedgerID{Network: n.cfg.Network}
	}
	return n.seeded.authority.Ledger()
}

// Epoch is the number of the last ruling that this node has applied; 0 in an
// open network.
func (n *Node) Epoch() hearsay.Epoch {
	if n.seeded.authority == nil {
		return 0
	}
	return n.seeded.authority.Epoch()
}
