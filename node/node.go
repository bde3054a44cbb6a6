// Package node is one whole member: it routes input to the protocols and
// joins them in one place.
package node

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/detect"
	"hearsay/follower"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/overlay"
	"hearsay/petition"
	"hearsay/quorum"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
)

// Config is what a node is told at its start.
type Config struct {
	Network hearsay.NetworkID
	Name    string
	Addr    netip.AddrPort // where others reach it, UDP and TCP
	Role    hearsay.Role
	Cards   *roster.Cards // of all nodes in this process, if they are many; nil: of this one
	Detect  detect.Config
	Roster  roster.Config
	Overlay overlay.Config
	Rumors  rumor.Config
	Store   spread.Config

	// Of a seeded network. A peer is in one if its Follower has seeds.
	Quorum   quorum.Config   // of a seed
	Follower follower.Config // of a peer
	Petition petition.Config // of a peer
}

// Node is the state machine of one member. It is not safe for concurrent use:
// a driver owns it. What its methods return belongs to it and is valid until
// the next call.
type Node struct {
	cfg    Config
	id     hearsay.NodeID
	signer hearsay.Signer
	secret uint64 // spreads what is told apart by others' choice: see roster.NewCards and quota.New

	// The protocols.
	roster  *roster.Roster
	detect  *detect.Detector
	ways    ways
	overlay *overlay.Overlay
	rumors  *rumor.Rumors
	seeded  Seeded // the seat of a seed, or what a peer follows and asks

	// What joins them. Each part has the protocols that it needs, and settle.go brings it what is new.
	addresses Addresses
	gossip    Gossip
	watched   watched
	finder    finder
	rulings   rulings
	leaving   leaving
	evidence  evidenceFetcher // of a peer of a seeded network
	requests  requests        // of a seed
	deaf      deafness
	silent    silences // of others; see unheard.go
	standing  standing
	backlog   backlog
	lost      lostDisk
	outgoing  outgoing
	cases     casebook.Book

	// The steps.
	out      *core.Effects
	stats    hearsay.Stats // what is counted
	began    time.Time     // this life
	stepped  time.Time     // the last step
	deadline time.Time     // of the next, if dated: see Deadline
	dated    bool
	spoken   bool // the first step is over: what New wanted persisted is out
	awayTold int  // how many it has told that it is away itself
}

// New makes a node that has not yet spoken. Records are what earlier lives
// persisted, in any order. Its first Deadline is now: the first Tick persists
// the new incarnation.
func New(cfg Config, signer hearsay.Signer, random *rand.Rand, records []core.Record, now time.Time) *Node {
	n := build(cfg, signer, random, records, now)
	if len(cfg.Follower.Seeds) > 0 {
		n.followSeeds(random, records, now)
	}
	return n
}

// NewSeed makes a seed, likewise. Its configuration may be wrong, or not fit its
// records: then the error is one line for the user.
func NewSeed(cfg Config, signer hearsay.Signer, random *rand.Rand, records []core.Record, now time.Time) (*Node, error) {
	n := build(cfg, signer, random, records, now)
	if err := n.takeSeat(random, records, now); err != nil {
		return nil, err
	}
	return n, nil
}

// build makes what all nodes have.
func build(cfg Config, signer hearsay.Signer, random *rand.Rand, records []core.Record, now time.Time) *Node {
	if !cfg.Detect.PingsAll() {
		cfg.Quorum.ProbePeriod = 0
	}
	n := &Node{cfg: cfg, id: signer.Public().NodeID(), signer: signer, out: &core.Effects{}, began: now, deadline: now, dated: true}
	n.silent = newSilences(cfg.Detect.Longest(), now)
	card := hearsay.Card{Name: cfg.Name, Addr: cfg.Addr, Role: cfg.Role}
	n.secret = random.Uint64() // drawn also if cards are handed in: the same draws follow, and so the same run
	if cfg.Cards == nil {
		cfg.Cards = roster.NewCards(n.secret)
	}
	n.roster = roster.New(&n.cfg.Roster, cfg.Network, card, cfg.Cards, signer, random, records, &n.stats, n.out, now)
	n.seeded = Seeded{cfg: &n.cfg, id: n.id, signer: signer, roster: n.roster, ways: &n.ways, stepped: &n.stepped}
	n.addresses = Addresses{cfg: &n.cfg, id: n.id, roster: n.roster, seeded: &n.seeded, silent: &n.silent}
	n.finder = finder{roster: n.roster, cases: &n.cases, seeded: &n.seeded}
	away := func(id hearsay.NodeID) bool {
		_, is := n.roster.IsAway(id)
		return is
	}
	members := detect.Directory{Addr: n.roster.Addr, Seat: n.roster.Seat, At: n.roster.At, Mute: n.roster.CannotRelay, Guest: n.roster.Guest, Away: away, Suspect: n.roster.Suspect, Overdue: n.roster.Overdue, Watched: n.watched.members, Lacked: n.roster.Lacked, Proven: n.seeded.hearsQuorum, Sender: n.addresses.Sender, Secret: n.secret}
	n.detect = detect.New(&n.cfg.Detect, n.id, members, random, &n.stats, n.out, now)
	others := overlay.Directory{Addr: n.roster.Addr, Count: n.roster.CountOthers, Other: n.roster.Other}
	n.overlay = overlay.New(cfg.Overlay, n.id, others, random, &n.stats, n.out, now)
	n.watched = watched{id: n.id, roster: n.roster, overlay: n.overlay, gossip: &n.gossip, seeded: &n.seeded}
	n.ways = ways{id: n.id, roster: n.roster, detect: n.detect, overlay: n.overlay, seeded: &n.seeded, deaf: &n.deaf, addresses: &n.addresses}
	n.ways.begin(&n.cfg.Detect, members, n.out, now)
	n.deaf = deafness{id: n.id, roster: n.roster, detect: n.detect, overlay: n.overlay, addresses: &n.addresses, stats: &n.stats, out: n.out}
	n.roster.TellOver(n.overlay.Links)
	n.roster.TellApart(n.addresses.Sender)
	n.roster.TellStreamed(n.detect.IsStreamed, n.deaf.isDeaf)
	n.roster.TellPeriod(cfg.Detect.Longest())
	if !cfg.Detect.PingsAll() {
		n.roster.BringWords()
	}
	n.leaving = leaving{id: n.id, signer: signer, seeded: &n.seeded, roster: n.roster, out: n.out}
	n.rulings = rulings{id: n.id, seeded: &n.seeded, roster: n.roster, overlay: n.overlay, evidence: &n.evidence, requests: &n.requests, leaving: &n.leaving, out: n.out}
	n.gossip = Gossip{roster: n.roster, seeded: &n.seeded, overlay: n.overlay, stats: &n.stats, out: n.out}
	directory := rumor.Directory{Addr: n.roster.Addr, Known: n.gossip.known, Guest: n.gossip.guest, Trusted: n.roster.Trusted, Draw: n.gossip.draw, Sender: n.addresses.Sender, Secret: n.secret}
	n.rumors = rumor.New(cfg.Rumors, n.id, directory, random, records, &n.stats, n.out, now)
	n.gossip.rumors = n.rumors
	if cfg.Role != hearsay.RoleSeed {
		replicas := spread.Directory{Addr: n.roster.Addr, Next: n.rumors.Next, Sender: n.addresses.Sender, RoundTrip: n.detect.RoundTrip, Writes: n.gossip.writes, Secret: n.secret}
		n.gossip.store = spread.New(cfg.Store, n.id, replicas, records, &n.stats, n.out, now)
		n.gossip.catchUp.begin(now)
	}
	n.outgoing = outgoing{network: cfg.Network, id: n.id, signer: signer, roster: n.roster, detect: n.detect, gossip: &n.gossip, seeded: &n.seeded, stats: &n.stats, rare: !cfg.Detect.PingsAll()}
	return n
}

// Receive takes a packet that came in.
func (n *Node) Receive(now time.Time, p *core.Packet) *core.Effects {
	n.begin(now)
	n.outgoing.replies.begin(p)
	if p.From == n.id {
		n.stats.Drops[hearsay.DropOwn]++
		if ping, ok := p.Body.(*core.Ping); ok {
			n.roster.MetSelf(ping.Seq)
		}
	} else {
		strangers := n.stats.Drops[hearsay.DropStranger]
		n.receive(now, p)
		if _, listed := n.roster.Addr(p.From); listed {
			// something comes; that this node is answered is another thing, also if this came by stream
			n.silent.heard.last = now
		}
		if s := &n.seeded; s.follower != nil && s.stay.Epoch == 0 {
			// it has no ledger yet to tell members by
			n.stats.Drops[hearsay.DropEarly] += n.stats.Drops[hearsay.DropStranger] - strangers
			n.stats.Drops[hearsay.DropStranger] = strangers
		}
	}
	return n.settle(now)
}

// Tick lets time pass. It may be called at any time; it must be called at
// Deadline.
func (n *Node) Tick(now time.Time) *core.Effects {
	n.begin(now)
	if !n.gone() {
		n.detect.Tick(now)
		n.ways.tick(now)
	}
	n.roster.Tick(now)
	n.overlay.Tick(now)
	n.rumors.Tick(now)
	n.gossip.tickStore(now)
	if n.seeded.authority != nil {
		n.tickSeeded(now)
	}
	return n.settle(now)
}

// Deadline is when Tick must be called next. It is found out when it is asked for: of many packets at once it would be
// half the time that each takes.
func (n *Node) Deadline() time.Time {
	if n.dated {
		return n.deadline
	}
	due := when.Earlier(n.roster.Deadline(), when.Earlier(n.overlay.Deadline(), n.rumors.Deadline()))
	if n.gossip.store != nil {
		due = when.Earlier(due, n.gossip.store.Deadline())
	}
	if n.seeded.authority != nil {
		due = when.Earlier(due, n.deadlineSeeded())
	}
	if at, waits := n.silent.due(); waits && n.expectsOthers() {
		due = when.Earlier(due, at)
	}
	if !n.gone() {
		due = when.Earlier(due, when.Earlier(n.detect.Deadline(), n.ways.deadline()))
	}
	if n.lost.is() {
		due = when.Earlier(due, n.lost.at.Add(lostDiskFor))
	}
	n.deadline, n.dated = due, true
	return due
}

// Contact adds addresses at which members may be found. They are tried, with
// backoff, until one of them gives its roster, and again whenever nobody
// living is there.
func (n *Node) Contact(now time.Time, addrs []netip.AddrPort) *core.Effects {
	n.begin(now)
	n.roster.Contact(now, addrs)
	return n.settle(now)
}

// Leave signs this node's leave and tells it. The node has gone when Gone
// reports true; then a driver stops it.
func (n *Node) Leave(now time.Time) *core.Effects {
	n.begin(now)
	if n.seeded.authority != nil {
		n.leaving.ask(now)
	}
	n.roster.Leave(now)
	return n.settle(now)
}

// Gone reports whether the node has left, or gone away, and told enough others, or found
// none to tell; in a seeded network also whether the seeds have ruled it. One that has lost its disk has
// gone after lostDiskFor in any case.
func (n *Node) Gone() bool { return n.roster.Gone() && !n.leaving.awaited() || n.lost.over(n.stepped) }

// Joined reports whether this node has the roster of a member, or has no
// contact to ask for one: the first of a network is in. In a seeded network a
// peer is in by the ledger; a seed is when it has its seat and hears a quorum.
func (n *Node) Joined() bool {
	switch s := &n.seeded; {
	case s.seat != nil:
		return s.seat.Decides()
	case s.authority != nil:
		return s.stay.Epoch != 0 && !s.follower.Apart()
	}
	return n.roster.Joined()
}

// Self is this node as it tells of itself.
func (n *Node) Self() hearsay.Member { return n.roster.Self() }

// MoveTo is told that this node is reached at another address from now on. A seed's is
// configured.
func (n *Node) MoveTo(now time.Time, addr netip.AddrPort) *core.Effects {
	n.begin(now)
	n.roster.MoveTo(now, addr)
	return n.settle(now)
}

// Seeded is this node's part in a seeded network.
func (n *Node) Seeded() *Seeded { return &n.seeded }

// Addresses tells where members are, and which of them is at an address.
func (n *Node) Addresses() *Addresses { return &n.addresses }

// Gossip is this node's links and rumors.
func (n *Node) Gossip() *Gossip { return &n.gossip }

// Living counts the members that are alive or suspect, this one included.
func (n *Node) Living() int { return n.roster.Living() }

// Members appends all members that the roster lists, this node included,
// ordered by name, then by NodeID.
func (n *Node) Members(dst []hearsay.Member) []hearsay.Member {
	start, outside := len(dst), n.outside()
	dst = byName(n.roster, dst)
	for i := range dst[start:] {
		if m := &dst[start+i]; m.ID == n.id {
			m.Outside = outside
		}
	}
	return dst
}

// outside reports whether this node lives and is no member: the seeds have removed it, or not admitted it yet.
func (n *Node) outside() bool {
	return n.seeded.petitions != nil && !n.Joined() && !n.roster.HasLeft()
}

// byName appends all members that a roster lists, ordered by name, then by NodeID.
func byName(r *roster.Roster, dst []hearsay.Member) []hearsay.Member {
	start := len(dst)
	dst = r.All(dst)
	slices.SortFunc(dst[start:], func(a, b hearsay.Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.ID.Compare(b.ID))
	})
	return dst
}

// RosterHash is equal on two nodes whose living members and incarnations are.
func (n *Node) RosterHash() uint64 { return n.roster.Hash() }

// Stats gives the core's figures.
func (n *Node) Stats() hearsay.Stats {
	stats := n.stats
	stats.At = n.stepped
	stats.Alive, stats.Suspect = n.roster.Count(hearsay.StateAlive), n.roster.Count(hearsay.StateSuspect)
	if n.outside() {
		stats.Alive--
	}
	stats.Dead, stats.Left = n.roster.Count(hearsay.StateDead), n.roster.Count(hearsay.StateLeft)
	stats.Lost, stats.Away, stats.NewsWaiting = n.roster.Lost(), n.roster.AwayCount(), n.roster.Waiting()
	stats.Twin, stats.Namesakes = n.roster.Twin(n.stepped), n.roster.Namesakes()
	stats.Health, stats.RoundTrip, stats.Streamed = n.detect.Health(), n.detect.RoundTrip().Seconds(), n.detect.Streamed()
	stats.DiskWaits, stats.DiskBehind = n.backlog.bytes, n.DiskBehind().Seconds()
	stats.DeafFor, stats.Unreached = n.deaf.lasts(n.stepped), n.unreachedFor()
	stats.Unheard, stats.Unanswered = n.silent.heard.lasts(n.stepped), n.silent.answered.lasts(n.stepped)
	stats.RumorsHeld, stats.RumorsHeldBytes = n.rumors.Held()
	n.gossip.measureStore(&stats)
	stats.Links = len(n.overlay.Links())
	n.detect.EachIndirect(n.stepped, func(id hearsay.NodeID, since time.Time) {
		m, _ := n.roster.Member(id)
		stats.Indirect = append(stats.Indirect, hearsay.Indirect{ID: id, Name: m.Name, Addr: m.Addr, Since: since})
	})
	n.ways.stats(n.stepped, &stats)
	n.seeded.stats(&stats)
	stats.Untaken = n.untaken()
	return stats
}

// begin opens a step. A step long after its deadline means that this node was
// paused or starved: what it did not hear says nothing about others.
func (n *Node) begin(now time.Time) {
	if n.spoken {
		n.out.Reset()
	}
	n.outgoing.replies.begin(nil)
	n.roster.Begin()
	n.rumors.Begin()
	by := now.Sub(n.stepped)
	if by > n.cfg.Detect.LateAfter { // else it is not late: what was due before the last step was due at that
		by = min(by, now.Sub(n.Deadline()))
	}
	n.stepped = now
	if !n.backlog.behind(now) {
		n.backlog.keptUp = now
	}
	if by > n.cfg.Detect.LateAfter && n.spoken {
		n.stats.Late++
		n.detect.BecomeLate(now)
		n.ways.pause(now)
		n.roster.Postpone(now, by)
		n.silent.postpone(now, by)
		n.out.Events = append(n.out.Events, hearsay.Event{At: now, Kind: hearsay.EventLate, Subject: n.id, Took: by})
	}
	n.spoken = true
}

// gone reports whether this node has left: it answers still, and probes nobody.
func (n *Node) gone() bool { return n.roster.HasLeft() }

// pinged takes a ping. One with forged suspicions would have this node send more than came if rosters were compared.
func (n *Node) pinged(now time.Time, p *core.Packet, m *core.Ping, forged bool) {
	n.detect.Ping(p, m)
	if !forged {
		n.roster.Compare(now, p, m.Hash)
	}
	n.ways.pinged(now, p, m)
	n.seeded.pinged(now, p.From, n.addresses.Sender(p).Class, m.Names(n.id) && !n.roster.Known(p.From))
	if n.gossip.speaksWith(p.From) {
		n.rumors.Pinged(now, p, m.Rumors)
		n.gossip.pinged(now, p.From, m.Store)
	}
}

// receive routes a packet: its claims first, since what a body asks may rest
// on them; then its body.
func (n *Node) receive(now time.Time, p *core.Packet) {
	if _, isRoster := p.Body.(*core.Roster); isRoster && !n.roster.Expects(p) {
		n.stats.Drops[hearsay.DropUnexpected]++
		return
	}
	claims, body := n.roster.Meant(p)
	n.count(hearsay.DropStranger, body && (claims || len(p.Claims) == 0))
	if !body {
		return
	}
	forged := n.dropAccusations(p)
	taken := true // all claims; else they wait
	if _, asks := p.Body.(*core.Register); !asks && claims {
		taken = n.roster.Claims(now, p)
	}
	switch m := p.Body.(type) {
	case *core.Ping:
		n.pinged(now, p, m, forged)
	case *core.RelayReq:
		n.count(n.detect.RelayReq(now, p, m))
	case *core.Heartbeat:
		n.count(n.detect.Heartbeat(p, m))
	case *core.Nack:
		n.noteAnswer(now, n.detect.Nack(now, p.From, m.Seq))
	case *core.Ack:
		answered, asked := n.detect.Ack(now, p, m.Seq)
		n.roster.Answered(now, answered)
		if p.Stream {
			n.deaf.say(answered)
		}
		n.noteAnswer(now, asked || n.ways.ack(now, p, m.Seq) || n.roster.ContactAck(now, p, m.Seq))
	case *core.NotMe:
		n.noteAnswer(now, n.detect.NotMe(now, m.Seq) || n.roster.ContactNotMe(now, p, m.Seq))
	case *core.News: // its claims are all
	case *core.Join:
		n.roster.Join(now, p)
	case *core.Roster:
		if taken { // or it follows its claims
			n.roster.TakeRoster(now, p, m)
		}
	case *core.Digest:
		n.roster.Digest(now, p, m)
	case *core.Entries:
		n.roster.Entries(now, p, m)
	case *core.Want:
		n.roster.Want(now, p, m)
	case *core.WitnessReq:
		n.roster.WitnessReq(now, p, m)
	case *core.Statement:
		n.roster.Statement(now, &m.Statement)
	case *core.EvidenceReq:
		n.roster.EvidenceReq(now, p, m)
	case *core.Deaf:
		n.deaf.take(p)
	case *core.Away:
		n.takeAway(now, p, m)
	case *core.Evidence:
		if !n.evidence.take(m.Evidence) {
			n.roster.TakeEvidence(now, m.Evidence)
		}
	default:
		if !n.receiveSeeded(now, p) && !n.refuses(p) {
			n.gossip.receive(now, p)
		}
	}
}

// count counts input that was dropped.
func (n *Node) count(reason hearsay.Drop, ok bool) {
	if !ok {
		n.stats.Drops[reason]++
	}
}

// finish completes the packets of a step.
func (n *Node) finish() *core.Effects {
	n.lost.note(n.stepped, n.id, n.out)
	n.out.Now = n.outgoing.complete(n.stepped, n.out.Now)
	n.out.Send = n.outgoing.complete(n.stepped, n.out.Send)
	n.dated = false
	return n.out
}
