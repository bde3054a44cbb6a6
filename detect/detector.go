// Package detect decides which member to probe and says what was seen. It knows neither claims nor incarnations: that a
// member is unreachable is an event, and what follows from it is for others to decide.
package detect

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quota"
)

// Directory tells of the living members other than this node. Each has a seat, a number that is its own for as long as
// it is on a detector's list: of many thousands of members a list of seats is short.
type Directory struct {
	// Addr gives where a member is reached.
	Addr func(hearsay.NodeID) (addr netip.AddrPort, ok bool)

	// Seat gives the seat of a member, also of one that has died in this step; 0: it has none.
	Seat func(hearsay.NodeID) int32

	// At gives the member that has a seat.
	At func(seat int32) (id hearsay.NodeID, addr netip.AddrPort, ok bool)

	// Mute reports whether a member cannot be a relay. Nil: everybody can.
	Mute func(hearsay.NodeID) bool

	// Guest reports whether a member does not speak as we do. Nil: none does.
	Guest func(hearsay.NodeID) bool

	// Suspect reports whether a member is a suspect, which its observers probe. Nil: none is.
	Suspect func(hearsay.NodeID) bool

	// Away reports whether a member is passed over, as it has said that it is away. Nil: none is.
	Away func(hearsay.NodeID) bool

	// Overdue gives a suspect about which nobody decides, to be probed now; see suspectEach. Nil: there is none.
	Overdue func(now time.Time) (id hearsay.NodeID, ok bool)

	// Proven reports whether this node knows by other means that it sends and receives, as a seed does that hears a
	// quorum: then the silence of relays says nothing of itself. Nil: it never knows.
	Proven func() bool

	// Lacked gives a member that others have been found to lack, to be pinged now: where it has died they never list it,
	// and do not watch it. Nil: there is none.
	Lacked func(now time.Time) (id hearsay.NodeID, ok bool)

	// Watched appends the members that this node has to watch, ascending, where not each watches all. Nil: nobody.
	Watched func(ids []hearsay.NodeID) []hearsay.NodeID

	// Sender gives the sender for whose share of what is bounded a packet counts. Nil: a stranger.
	Sender func(*core.Packet) quota.Sender
	Secret uint64 // spreads senders over what they share; see quota.New
}

// passes reports whether a member is passed over.
func (d *Directory) passes(id hearsay.NodeID) bool { return d.Away != nil && d.Away(id) }

// suspects reports whether a member is a suspect.
func (d *Directory) suspects(id hearsay.NodeID) bool { return d.Suspect != nil && d.Suspect(id) }

// isGuest reports whether a member does not speak as we do.
func (d *Directory) isGuest(id hearsay.NodeID) bool { return d.Guest != nil && d.Guest(id) }

// mutes reports whether a member cannot be a relay.
func (d *Directory) mutes(id hearsay.NodeID) bool { return d.Mute != nil && d.Mute(id) }

// proves reports whether this node knows by other means that it is well.
func (d *Directory) proves() bool { return d.Proven != nil && d.Proven() }

// sender gives the sender for whose share a packet counts.
func (d *Directory) sender(p *core.Packet) quota.Sender {
	if d.Sender == nil {
		return quota.Sender{Addr: p.Addr}
	}
	return d.Sender(p)
}

// Detector watches the members of a network by one of the schedules (Config.Kind). What these have in common is here:
// probes, answers and their times, relays, examinations, and the local health of Lifeguard (Dadgar, Phillips, Currey
// 2018). Each part of it has one job and a file, and owns what nothing else needs. The parts are embedded, so that
// what they export is the Detector's; within this package a part is always named.
type Detector struct {
	shared

	list
	measurements
	answerers
	health
	probes
	relaying
	examinations
	indirects
	paths

	schedule schedule
}

// schedule is what detectors differ in: which member is pinged when, and from what one is held unreachable. What
// follows from that is the same for all: see EventUnreachable.
type schedule interface {
	// every is the time between two pings of a node that is well.
	every() time.Duration

	// pick gives the member that is pinged next.
	pick(now time.Time) (id hearsay.NodeID, addr netip.AddrPort, ok bool)

	// relays is how many members are asked to ping in this node's place.
	relays() int

	// silent reports whether a member is unreachable that has answered none of so many pings in a row.
	silent(id hearsay.NodeID, misses int) bool

	// enter and exit are told which members are on the list from now, and no more.
	enter(id hearsay.NodeID)
	exit(id hearsay.NodeID)

	// due gives when tick, which is for what is done besides, must be called next, at most at.
	due(at time.Time) time.Time
	tick(now time.Time)

	// pardon is told that this node was late: what it has not heard says nothing of others.
	pardon()

	// heartbeat takes the counters that a member tells.
	heartbeat(p *core.Packet, m *core.Heartbeat) (drop hearsay.Drop, ok bool)
}

// pings is what schedules have in common that do nothing but ping.
type pings struct{ *shared }

func (pings) enter(hearsay.NodeID)       {}
func (pings) exit(hearsay.NodeID)        {}
func (pings) due(at time.Time) time.Time { return at }
func (pings) tick(time.Time)             {}
func (pings) pardon()                    {}
func (pings) heartbeat(*core.Packet, *core.Heartbeat) (hearsay.Drop, bool) {
	return hearsay.DropUnexpected, false
}

// shared is what all parts of a Detector have.
type shared struct {
	cfg       *Config // read only
	self      hearsay.NodeID
	directory Directory
	random    *rand.Rand
	stats     *hearsay.Stats
	out       *core.Effects
	detector  *Detector // for what another part does
}

// seq draws the number that proves that an answer answers: 64 bits, so that a stranger that never got the packet cannot
// try them all while a probe lasts.
func (s *shared) seq() uint64 { return s.random.Uint64() }

// New makes a detector that knows nobody. What it wants done goes to out.
func New(cfg *Config, self hearsay.NodeID, directory Directory, random *rand.Rand, stats *hearsay.Stats, out *core.Effects, now time.Time) *Detector {
	s := &Detector{shared: shared{cfg: cfg, self: self, directory: directory, random: random, stats: stats, out: out}}
	s.detector = s
	for _, p := range []**shared{
		&s.list.shared, &s.measurements.shared, &s.answerers.shared, &s.health.shared, &s.probes.shared, &s.relaying.shared,
		&s.examinations.shared, &s.indirects.shared, &s.paths.shared,
	} {
		*p = &s.shared
	}
	s.schedule = kinds[cfg.Kind].schedule(&s.shared, now)
	s.examinations.askers = quota.New(directory.Secret, askerStreams)
	s.probes.schedule(now) // nodes started together must not probe in step
	return s
}

// Add puts a member at a random place of the list (SWIM, section 4.3).
func (s *Detector) Add(id hearsay.NodeID) {
	s.list.add(id)
	s.schedule.enter(id)
}

// Remove takes a member off the list and forgets how it behaved.
func (s *Detector) Remove(now time.Time, id hearsay.NodeID) {
	seat := s.directory.Seat(id)
	if !s.list.remove(seat) {
		return
	}
	s.schedule.exit(id)
	s.measurements.remove(seat)
	s.answerers.remove(seat)
	s.indirects.remove(now, id, "it is no living member any more")
	s.probes.Pass(id)
	s.examinations.forget(id)
}

// Deadline is when Tick must be called next.
func (s *Detector) Deadline() time.Time {
	return s.schedule.due(s.indirects.due(s.examinations.due(s.relaying.due(s.probes.due()))))
}

// Tick lets time pass.
func (s *Detector) Tick(now time.Time) {
	s.probes.tick(now)
	s.relaying.tick(now)
	s.examinations.tick(now)
	s.indirects.tick(now)
	s.probes.begin(now)
	s.schedule.tick(now)
}

// BecomeLate is told when this node finds that it was paused or starved. What it did not hear meanwhile says nothing
// about others: probes under way are void, observers abstain, and for a period it accuses nobody.
func (s *Detector) BecomeLate(now time.Time) {
	s.health.Worsen()
	s.measurements.pardon()
	s.schedule.pardon()
	s.probes.abandon()
	s.relaying.pings = s.relaying.pings[:0]
	s.health.lateUntil = now.Add(s.cfg.Period)
	s.examinations.abandon(now)
	s.indirects.abandon()
	s.probes.schedule(now)
}

// Heartbeat takes the counters that a member tells. It reports false if it is none, or this node has another detector.
func (s *Detector) Heartbeat(p *core.Packet, m *core.Heartbeat) (drop hearsay.Drop, ok bool) {
	return s.schedule.heartbeat(p, m)
}

// Ping answers a ping that came in.
func (s *Detector) Ping(p *core.Packet, m *core.Ping) {
	if m.For(s.self) {
		s.out.Ack(p, m.Seq)
		return
	}
	// It carries this node's own claim, which must be durable before it is told.
	s.out.Send = append(s.out.Send, p.Reply(&core.NotMe{Seq: m.Seq}))
}

// Ack takes an answer. It returns the member that is now known to have answered this node itself, or zero; ok is false
// if nothing was asked.
func (s *Detector) Ack(now time.Time, p *core.Packet, seq uint64) (answered hearsay.NodeID, ok bool) {
	switch {
	case s.probes.isUnderWay(seq):
		return s.probes.ack(now, p)
	case s.probes.ackLate(now, p, seq):
	case s.relaying.ack(now, p, seq), s.examinations.ack(now, p, seq), s.indirects.ack(p, seq):
		if !p.Stream && !s.directory.isGuest(p.From) {
			s.paths.byDatagram(p.From, p.Addr)
		}
	default:
		return answered, false
	}
	s.answerers.add(now, p.From)
	return p.From, true
}

// NotMe takes the word of another identity at the address of a target: the target is not there, and waiting will not
// help.
func (s *Detector) NotMe(now time.Time, seq uint64) (ok bool) {
	if s.probes.isUnderWay(seq) {
		s.probes.fail(now, "another identity answers at its address")
		return true
	}
	return s.relaying.notMe(seq) || s.examinations.notMe(now, seq)
}
