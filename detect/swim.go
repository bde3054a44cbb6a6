// Package detect decides which member to probe and says what was seen. It knows
// neither claims nor incarnations: that a member is unreachable is an event,
// and what follows from it is for others to decide.
package detect

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/quota"
)

// Directory tells of the living members other than this node. Each has a seat,
// a number that is its own for as long as it is on a detector's list: of many
// thousands of members a list of seats is short.
type Directory struct {
	Addr func(hearsay.NodeID) (addr netip.AddrPort, ok bool)                // where one is reached
	Seat func(hearsay.NodeID) int32                                         // also of one who has died in this step; 0: nobody
	At   func(seat int32) (id hearsay.NodeID, addr netip.AddrPort, ok bool) // who has a seat
	Mute func(hearsay.NodeID) bool                                          // who cannot be a relay; nil: everybody can

	// Suspect reports whether a member is a suspect, which its observers probe. Nil:
	// none is.
	Suspect func(hearsay.NodeID) bool

	// Away reports whether a member is passed over, as it has said that it is away. Nil:
	// none is.
	Away func(hearsay.NodeID) bool

	// Overdue gives a suspect about which nobody decides, to be probed now; see
	// suspectEach. Nil: there is none.
	Overdue func(now time.Time) (id hearsay.NodeID, ok bool)

	// Proven reports whether this node knows by other means that it sends and
	// receives, as a seed does whose quorum is heard: then the silence of relays
	// says nothing of itself. Nil: it never knows.
	Proven func() bool

	Sender func(*hearsay.Packet) quota.Sender // whose share of what is bounded a packet uses; nil: that of a stranger
	Secret uint64                             // spreads senders over what they share; see quota.New
}

// Limits per node.
const (
	maxRelayedEach  = 4    // pings under way in the place of one asker, who has one probe at a time
	maxExaminations = 64   // examinations under way
	maxProbes       = 1024 // the same, with those of Probe: as many as a quorum watches
	maxPast         = 256  // examinations remembered
	maxAnswerers    = 16   // members that have answered last, of which relays are drawn (guess: five times Config.Relays)
	maxRelays       = 16   // relays of one probe

	// suspectEach is how many probes are of members that are no suspects, for each
	// of a suspect. When most members have died the few that live are probed as often
	// as before. Guess: a suspect is told of its suspicion besides.
	suspectEach = 4

	// answererAge is how long a member that has answered counts as alive when
	// relays are drawn. Guess: two laps of a small network. When most members die,
	// an older answer is most likely one of the dead.
	answererAge = 30 * time.Second
)

// maxRelayed is how many pings are under way in others' place, for each class of
// those who ask. A guess: strangers have least, since few who have heard of a member
// are no members themselves; seats are few.
var maxRelayed = [...]int{quota.Stranger: 16, quota.Member: 36, quota.Seat: 12}

// answerer is a member that has answered this node.
type answerer struct {
	seat int32
	at   time.Time // when it answered last
}

// Swim is the detector of SWIM (Das, Gupta, Motivala 2002) with Lifeguard's
// local health (Dadgar, Phillips, Currey 2018). One member is probed a
// period, in the order of a shuffled list, so that each is probed once a lap.
type Swim struct {
	cfg       *Config // read only
	self      hearsay.NodeID
	directory Directory
	random    *rand.Rand
	out       *hearsay.Effects

	list      []int32 // seats, in the order of probing; shuffled after each lap
	peers     []peer  // by seat, ascending: what this node has found out itself, of those that it has probed
	next      int     // index into list
	trusted   int     // probes of members that are no suspects, since the last of any member
	nextProbe time.Time
	probe     probe // the one under way, if its phase says so
	last      probe // the one before: its ack may come late

	answerers    []answerer // the newest last
	relayed      []relayed
	examinations []examination
	past         []past // a ring: the newest is at pastNext-1
	pastNext     int

	paths     paths
	indirect  []indirect   // members that only relays reach
	askers    *quota.Quota // of pings by stream to those that ask to be in
	general   roundTrip    // over all members
	health    int          // 0 is well, HealthMax is worst
	lateUntil time.Time    // until then this node accuses nobody
	stats     Stats
}

// Stats are a detector's figures.
type Stats struct{ Probes, ProbeFails, RelayAsks uint64 }

// peer is a member on the list that was probed.
type peer struct {
	seat   int32
	silent bool // its last probe failed: it is no use as a relay
	trip   roundTrip
}

// phase is how far a probe has come.
type phase uint8

const (
	phaseIdle   phase = iota
	phaseDirect       // pinged, waiting
	phaseRelays       // asked others too, waiting
)

// probe is one period's probe of one member.
type probe struct {
	phase   phase
	target  hearsay.NodeID
	addr    netip.AddrPort
	seq     uint64
	began   time.Time
	timeout time.Duration // of the direct ping; the relays get twice as long
	ends    time.Time     // of the phase
	relays  relays
	nacks   int

	streamed bool // its stream ping was answered by the target, and no datagram before
	heard    bool // a datagram was
}

// relays are the seats of the members that were asked to ping in this node's
// place; of one that has said that it is well, 0.
type relays struct {
	seats [maxRelays]int32
	asked int
}

// relayed is a ping under way in the place of asker.
type relayed struct {
	asker  hearsay.Packet // where to answer; its body is not kept
	from   quota.Sender
	askSeq uint64
	target hearsay.NodeID
	seq    uint64
	began  time.Time
	ends   time.Time
}

// NewSwim makes a detector that knows nobody. What it wants done goes to out.
func NewSwim(cfg *Config, self hearsay.NodeID, directory Directory, random *rand.Rand, out *hearsay.Effects, now time.Time) *Swim {
	return &Swim{
		cfg: cfg, self: self, directory: directory, random: random, out: out, askers: quota.New(directory.Secret, askerStreams),
		// Nodes started together must not probe in step.
		nextProbe: now.Add(time.Duration(random.Int64N(int64(cfg.Period)))),
	}
}

// Add puts a member at a random place of the list (SWIM, section 4.3).
func (s *Swim) Add(id hearsay.NodeID) {
	if len(s.list) == cap(s.list) { // it is one of a node's largest tables: no room for twice as many
		s.list = append(make([]int32, 0, len(s.list)+len(s.list)/8+4), s.list...)
	}
	s.list = append(s.list, s.directory.Seat(id))
	i, last := s.random.IntN(len(s.list)), len(s.list)-1
	s.list[i], s.list[last] = s.list[last], s.list[i]
}

// Remove takes a member off the list and forgets how it behaved.
func (s *Swim) Remove(id hearsay.NodeID) {
	seat := s.directory.Seat(id)
	i := slices.Index(s.list, seat)
	if i < 0 {
		return
	}
	s.list = slices.Delete(s.list, i, i+1)
	if at, found := s.search(seat); found {
		s.peers = slices.Delete(s.peers, at, at+1)
	}
	s.unanswered(seat)
	s.direct(seat)
	if i < s.next {
		s.next--
	}
	if s.probe.target == id {
		s.probe.phase = phaseIdle
	}
	for i := range s.past {
		if s.past[i].subject == id {
			s.past[i] = past{}
		}
	}
}

// search finds what is known of who has a seat, or where it belongs.
func (s *Swim) search(seat int32) (at int, found bool) {
	return slices.BinarySearchFunc(s.peers, seat, func(p peer, seat int32) int { return cmp.Compare(p.seat, seat) })
}

// peer gives what is known of a member, which is nothing yet if it was never
// probed; nil if it is not on the list. It is valid until the next call.
func (s *Swim) peer(id hearsay.NodeID) *peer {
	seat := s.directory.Seat(id)
	at, found := s.search(seat)
	if !found {
		if !slices.Contains(s.list, seat) {
			return nil
		}
		if len(s.peers) == cap(s.peers) {
			s.peers = append(make([]peer, 0, len(s.peers)+len(s.peers)/8+4), s.peers...)
		}
		s.peers = slices.Insert(s.peers, at, peer{seat: seat})
	}
	return &s.peers[at]
}

// Deadline is when Tick must be called next.
func (s *Swim) Deadline() time.Time {
	at := s.nextProbe
	if s.probe.phase != phaseIdle {
		at = earlier(at, s.probe.ends)
	}
	for i := range s.relayed {
		at = earlier(at, s.relayed[i].ends)
	}
	for i := range s.examinations {
		at = earlier(at, s.examinations[i].next)
	}
	return at
}

// Tick lets time pass.
func (s *Swim) Tick(now time.Time) {
	if s.probe.phase != phaseIdle && !now.Before(s.probe.ends) {
		s.endPhase(now)
	}
	s.tickRelayed(now)
	s.tickExaminations(now)
	if !now.Before(s.nextProbe) {
		s.beginProbe(now)
	}
}

// BecomeLate is told when this node finds that it was paused or starved. What
// it did not hear meanwhile says nothing about others: probes under way are
// void, observers abstain, and for a period it accuses nobody.
func (s *Swim) BecomeLate(now time.Time) {
	s.worsen(1)
	s.probe.phase, s.last = phaseIdle, probe{}
	s.relayed = s.relayed[:0]
	s.lateUntil = now.Add(s.cfg.Period)
	s.abandonExaminations(now)
	s.nextProbe = now.Add(time.Duration(s.random.Int64N(int64(s.cfg.Period))))
}

// Unwell reports whether this node should doubt itself rather than others.
func (s *Swim) Unwell(now time.Time) bool {
	return s.late(now) || s.health > s.cfg.HealthMax/2
}

// Worsen lowers this node's trust in itself by one point (Lifeguard, table I).
func (s *Swim) Worsen() { s.worsen(1) }

// Doubt does the same because others doubt this node, but never so far that it
// is unwell: else a node that accuses everybody would silence all observers.
func (s *Swim) Doubt() {
	if s.health < s.cfg.HealthMax/2 {
		s.worsen(1)
	}
}

func (s *Swim) worsen(by int) { s.health = max(0, min(s.cfg.HealthMax, s.health+by)) }

// Health is the local health score: 0 is well.
func (s *Swim) Health() int { return s.health }

// RoundTrip is the smoothed round trip over all members.
func (s *Swim) RoundTrip() time.Duration { return s.general.mean() }

// Stats gives the figures since the start.
func (s *Swim) Stats() Stats { return s.stats }

// beginProbe pings the next of the list.
func (s *Swim) beginProbe(now time.Time) {
	period := s.cfg.Period * time.Duration(1+s.health)
	s.nextProbe = s.nextProbe.Add(period)
	if s.nextProbe.Before(now) {
		s.nextProbe = now.Add(period)
	}
	s.judgePath()
	if s.probe.phase != phaseIdle {
		s.endProbe(now) // its time is over
	}
	target, addr, ok := s.pick(now)
	if !ok {
		s.worsen(-1) // nobody is left whose answer could show that it is well: a seed would let nobody in for ever
		return
	}
	timeout := s.timeout(target)
	s.probe = probe{
		phase: phaseDirect, target: target, addr: addr, seq: s.seq(),
		began: now, timeout: timeout, ends: now.Add(timeout),
	}
	s.stats.Probes++
	s.out.Ping(addr, s.probe.seq, target)
}

// pick gives the next member of the list, which is shuffled when a lap ends: each
// that is no suspect is probed once a lap. Of n members on the list its probes are at most
// 2n-1 steps of the list apart (SWIM, section 4.3). A step is one period, but for every
// fifth, which is an overdue suspect's if there is one: so it is at most
// (2n-1) * (suspectEach+1) / suspectEach periods. Suspects are passed over in most
// periods if there is anybody else. In a large network a lap is long, and the suspects that
// are passed over wait for several: so a suspect about which nobody decides is probed
// before its turn comes.
func (s *Swim) pick(now time.Time) (hearsay.NodeID, netip.AddrPort, bool) {
	if id, again := s.paths.takeDoubted(); again {
		if addr, ok := s.directory.Addr(id); ok && !s.passes(id) {
			return id, addr, true
		}
	}
	if s.trusted < suspectEach {
		if id, addr, ok := s.pickNext(true); ok {
			s.trusted++
			return id, addr, true
		}
	}
	s.trusted = 0
	if s.directory.Overdue != nil {
		if id, overdue := s.directory.Overdue(now); overdue {
			addr, ok := s.directory.Addr(id)
			return id, addr, ok
		}
	}
	return s.pickNext(false)
}

// pickNext gives the next member of the list, or the next that is no suspect.
func (s *Swim) pickNext(trusted bool) (hearsay.NodeID, netip.AddrPort, bool) {
	for range s.list {
		if s.next >= len(s.list) {
			s.next = 0
			s.random.Shuffle(len(s.list), func(i, j int) { s.list[i], s.list[j] = s.list[j], s.list[i] })
		}
		seat := s.list[s.next]
		s.next++
		id, addr, ok := s.directory.At(seat)
		if ok && !s.passes(id) && !(trusted && s.directory.Suspect != nil && s.directory.Suspect(id)) {
			return id, addr, true
		}
	}
	return hearsay.NodeID{}, netip.AddrPort{}, false
}

// passes reports whether a member is passed over.
func (s *Swim) passes(id hearsay.NodeID) bool { return s.directory.Away != nil && s.directory.Away(id) }

// Pass has the probe of a member under way come to nothing: it is passed over from now.
func (s *Swim) Pass(id hearsay.NodeID) {
	if s.probe.target == id {
		s.probe.phase = phaseIdle
	}
	s.unanswered(s.directory.Seat(id))
}

// endPhase goes on to the relays, or gives the probe up.
func (s *Swim) endPhase(now time.Time) {
	if s.probe.phase == phaseRelays {
		s.endProbe(now)
		return
	}
	s.probe.phase = phaseRelays
	s.probe.ends = now.Add(2 * s.probe.timeout)
	s.askRelays(now)
	if s.cfg.StreamPing {
		// A path that loses datagrams may carry a stream (memberlist does so too).
		s.out.PingByStream(s.probe.addr, s.probe.seq, s.probe.target)
	}
}

// askRelays asks k others to ping the target (SWIM, section 3.1): of the members
// that have answered lately, at random. Where most members have just died, most
// draws from the whole list would be dead.
func (s *Swim) askRelays(now time.Time) {
	s.answerers = slices.DeleteFunc(s.answerers, func(a answerer) bool { return now.Sub(a.at) >= answererAge })
	most := min(s.cfg.Relays, maxRelays)
	first := 0
	if len(s.answerers) > 0 {
		first = s.random.IntN(len(s.answerers))
	}
	for i := range s.answerers {
		if s.probe.relays.asked < most {
			s.askRelay(s.answerers[(first+i)%len(s.answerers)].seat)
		}
	}
	if s.probe.relays.asked == 0 { // nobody has answered lately: then of all
		for range 4 * s.cfg.Relays { // a bound on unlucky draws
			if s.probe.relays.asked < min(most, len(s.list)-1) {
				s.askRelay(s.list[s.random.IntN(len(s.list))])
			}
		}
	}
	s.stats.RelayAsks += uint64(s.probe.relays.asked)
}

// askRelay asks one member to be a relay, unless it is no use as one.
func (s *Swim) askRelay(seat int32) {
	r := &s.probe.relays
	id, addr, ok := s.directory.At(seat)
	at, probed := s.search(seat)
	if !ok || probed && s.peers[at].silent || id == s.probe.target || slices.Contains(r.seats[:r.asked], seat) {
		return
	}
	if s.directory.Mute != nil && s.directory.Mute(id) {
		return
	}
	r.seats[r.asked] = seat
	r.asked++
	s.out.Now = append(s.out.Now, hearsay.Packet{
		Addr: addr, Body: &hearsay.RelayReq{Seq: s.probe.seq, Target: s.probe.target},
	})
}

// answered notes that a member has answered this node.
func (s *Swim) answered(now time.Time, id hearsay.NodeID) {
	seat := s.directory.Seat(id)
	if seat == 0 {
		return
	}
	s.unanswered(seat)
	s.direct(seat)
	if len(s.answerers) >= maxAnswerers {
		s.answerers = slices.Delete(s.answerers, 0, 1)
	}
	s.answerers = append(s.answerers, answerer{seat, now})
}

// unanswered notes that a member has not answered.
func (s *Swim) unanswered(seat int32) {
	s.answerers = slices.DeleteFunc(s.answerers, func(a answerer) bool { return a.seat == seat })
}

// endProbe concludes that nothing came back. Relays that are well would have
// sent a nack (Lifeguard, section IV.A). If none has, this node doubts itself,
// unless it has other proof that it is well, or anybody has answered it since; if
// some have, those that have not may be dead, and it learns nothing of itself; if
// all have, it is well: when most of a network has died, the few who are left must
// come to trust themselves, or they would abstain for ever.
func (s *Swim) endProbe(now time.Time) {
	asked := s.probe.relays.asked
	switch {
	case asked == 0:
	case s.probe.nacks == asked:
		s.worsen(-1)
	case s.probe.nacks == 0 && !s.HeardSince(s.probe.began) && !s.proven():
		s.worsen(1)
	}
	for _, seat := range s.probe.relays.seats[:asked] {
		if seat != 0 {
			s.unanswered(seat) // it is drawn again once it has answered
		}
	}
	s.fail(now, "")
}

// HeardSince reports whether any member has answered this node since a time.
func (s *Swim) HeardSince(since time.Time) bool {
	newest := len(s.answerers) - 1
	return newest >= 0 && !s.answerers[newest].at.Before(since)
}

func (s *Swim) proven() bool { return s.directory.Proven != nil && s.directory.Proven() }

// fail ends the probe and says that its target is unreachable.
func (s *Swim) fail(now time.Time, why string) {
	s.last, s.probe.phase = s.probe, phaseIdle
	s.stats.ProbeFails++
	s.setSilent(s.last.target, true)
	if now.Before(s.lateUntil) {
		return
	}
	s.out.Events = append(s.out.Events, hearsay.Event{
		At: now, Kind: hearsay.EventUnreachable, Subject: s.last.target,
		Count: s.last.relays.asked, Took: now.Sub(s.last.began), Text: why,
	})
}

// Ping answers a ping that came in.
func (s *Swim) Ping(p *hearsay.Packet, m *hearsay.Ping) {
	if m.For(s.self) {
		s.out.Ack(p, m.Seq)
		return
	}
	// It carries this node's own claim, which must be durable before it is told.
	s.out.Send = append(s.out.Send, p.Reply(&hearsay.NotMe{Seq: m.Seq}))
}

// Ack takes an answer. It returns the member that is now known to have
// answered this node itself, or zero; ok is false if nothing was asked.
func (s *Swim) Ack(now time.Time, p *hearsay.Packet, seq uint64) (answered hearsay.NodeID, ok bool) {
	if pr := &s.probe; pr.phase != phaseIdle && pr.seq == seq {
		if p.From != pr.target && pr.phase != phaseRelays {
			return answered, false
		}
		s.worsen(-1)
		s.setSilent(pr.target, false)
		s.last, pr.phase = *pr, phaseIdle
		s.answered(now, p.From)
		if p.From != pr.target { // a relay reached it
			s.byRelay(pr.target, s.last.began)
			s.out.Events = append(s.out.Events, hearsay.Event{At: now, Kind: hearsay.EventRelayed, Subject: pr.target, By: p.From})
			return answered, true
		}
		s.answersProbe(now, p, &s.last)
		return p.From, true
	}
	if s.last.seq == seq && s.last.target == p.From && !s.last.began.IsZero() {
		if s.answersProbe(now, p, &s.last); !p.Stream { // late, but it lives
			s.last = probe{}
		}
		s.answered(now, p.From)
		return p.From, true
	}
	if i := s.relayedIndex(seq, p.From); i >= 0 {
		r := s.relayed[i]
		s.relayed = slices.Delete(s.relayed, i, i+1)
		if !p.Stream {
			s.measure(p.From, now.Sub(r.began))
			s.paths.byDatagram(p.From, p.Addr)
		}
		s.answered(now, p.From)
		s.out.Ack(&r.asker, r.askSeq)
		return p.From, true
	}
	if s.examinationAck(now, p, seq) {
		if !p.Stream {
			s.paths.byDatagram(p.From, p.Addr)
		}
		s.answered(now, p.From)
		return p.From, true
	}
	return answered, false
}

// answersProbe learns from the answer of a probe's own target. That of its stream ping may be
// followed by one of its datagram, or of some more: then the first was lost by chance.
func (s *Swim) answersProbe(now time.Time, p *hearsay.Packet, pr *probe) {
	if !p.Stream {
		pr.heard = true
		s.measure(p.From, now.Sub(pr.began))
		s.paths.byDatagram(p.From, pr.addr)
	} else if !pr.streamed && !pr.heard {
		pr.streamed = true
		for range morePings {
			s.out.Ping(pr.addr, pr.seq, pr.target)
		}
	}
}

// judgePath says of the last probe, a period later, if its target has answered by stream only.
func (s *Swim) judgePath() {
	if pr := &s.last; pr.streamed && !pr.heard {
		pr.streamed, pr.heard = false, true
		s.paths.byStream(pr.target, pr.addr, pr.began, len(s.list), s.elsewhere)
	}
}

// Nack takes a relay's word that it is well and the target did not answer it.
func (s *Swim) Nack(now time.Time, from hearsay.NodeID, seq uint64) (ok bool) {
	r := &s.probe.relays
	if s.probe.phase != phaseRelays || s.probe.seq != seq {
		return false
	}
	i := slices.Index(r.seats[:r.asked], s.directory.Seat(from))
	if i < 0 || r.seats[i] == 0 {
		return false // it was not asked, or has said so
	}
	r.seats[i] = 0
	s.probe.nacks++
	s.answered(now, from)
	return true
}

// NotMe takes the word of another identity at the address of a target: who
// was meant is not there, and waiting will not help.
func (s *Swim) NotMe(now time.Time, seq uint64) (ok bool) {
	if s.probe.phase != phaseIdle && s.probe.seq == seq {
		s.fail(now, "another identity answers at its address")
		return true
	}
	for i := range s.relayed {
		if r := s.relayed[i]; r.seq == seq {
			s.relayed = slices.Delete(s.relayed, i, i+1)
			// As every NotMe it carries its sender's own claim; see Ping.
			s.out.Send = append(s.out.Send, r.asker.Reply(&hearsay.NotMe{Seq: r.askSeq}))
			return true
		}
	}
	return s.examinationNotMe(now, seq)
}

// RelayReq pings a member in the asker's place. It reports false if the
// target is no living member, or the share of its sender is used up.
func (s *Swim) RelayReq(now time.Time, p *hearsay.Packet, m *hearsay.RelayReq) (drop hearsay.Drop, ok bool) {
	addr, known := s.directory.Addr(m.Target)
	if !known {
		// Who asks has not heard of its death. Silence would cost the asker its
		// trust in itself, and with it the right to condemn.
		s.nack(p, m.Seq)
		return hearsay.DropStranger, false
	}
	from := s.sender(p)
	each, class := 0, 0
	for i := range s.relayed {
		if s.relayed[i].from == from {
			each++
		}
		if s.relayed[i].from.Class == from.Class {
			class++
		}
	}
	switch {
	case each >= maxRelayedEach:
		return hearsay.DropRate, false
	case class >= maxRelayed[from.Class]:
		return hearsay.DropTableFull, false
	}
	r := relayed{
		asker: hearsay.Packet{Addr: p.Addr, Stream: p.Stream}, from: from, askSeq: m.Seq,
		target: m.Target, seq: s.seq(), began: now, ends: now.Add(s.patience(m.Target)),
	}
	s.relayed = append(s.relayed, r)
	s.out.Ping(addr, r.seq, m.Target)
	return 0, true
}

// sender tells whose share a packet uses.
func (s *Swim) sender(p *hearsay.Packet) quota.Sender {
	if s.directory.Sender == nil {
		return quota.Sender{Addr: p.Addr}
	}
	return s.directory.Sender(p)
}

func (s *Swim) relayedIndex(seq uint64, from hearsay.NodeID) int {
	return slices.IndexFunc(s.relayed, func(r relayed) bool { return r.seq == seq && r.target == from })
}

// tickRelayed tells the askers whose targets did not answer.
func (s *Swim) tickRelayed(now time.Time) {
	s.relayed = slices.DeleteFunc(s.relayed, func(r relayed) bool {
		if now.Before(r.ends) {
			return false
		}
		s.nack(&r.asker, r.askSeq)
		return true
	})
}

// nack says that this node is well, and the target does not answer it.
func (s *Swim) nack(asker *hearsay.Packet, seq uint64) {
	s.out.Now = append(s.out.Now, asker.Reply(&hearsay.Nack{Seq: seq}))
}

// seq draws the number that proves that an answer answers: 64 bits, so that a
// stranger who never got the packet cannot try them all while a probe lasts.
func (s *Swim) seq() uint64 { return s.random.Uint64() }

// timeout is how long a direct ping of the member waits: longer if this node
// is unwell.
func (s *Swim) timeout(id hearsay.NodeID) time.Duration {
	return s.patience(id) * time.Duration(1+s.health)
}

// patience is how long the member may take to answer. What this node does for
// others takes only that long, however unwell it is: they wait for it.
func (s *Swim) patience(id hearsay.NodeID) time.Duration {
	trip := s.general
	if at, probed := s.search(s.directory.Seat(id)); probed && s.peers[at].trip.known() {
		trip = s.peers[at].trip
	}
	wait := s.cfg.TimeoutMax
	if trip.known() {
		wait = min(max(trip.timeout(), s.cfg.TimeoutMin), s.cfg.TimeoutMax)
	}
	return wait
}

// measure learns from one round trip.
func (s *Swim) measure(id hearsay.NodeID, took time.Duration) {
	s.general.learn(took)
	if p := s.peer(id); p != nil {
		p.trip.learn(took)
		p.silent = false
	}
}

func (s *Swim) setSilent(id hearsay.NodeID, silent bool) {
	if p := s.peer(id); p != nil {
		p.silent = silent
	}
	if silent {
		s.unanswered(s.directory.Seat(id))
	}
}

// roundTrip is a smoothed round trip and its mean deviation, in microseconds,
// as TCP keeps them (RFC 6298, section 2).
type roundTrip struct{ smoothed, deviation uint32 }

func (r *roundTrip) known() bool { return r.smoothed > 0 }

func (r *roundTrip) mean() time.Duration { return time.Duration(r.smoothed) * time.Microsecond }

func (r *roundTrip) timeout() time.Duration {
	return time.Duration(r.smoothed+4*r.deviation) * time.Microsecond
}

func (r *roundTrip) learn(took time.Duration) {
	const longest = time.Minute
	sample := uint32(max(1, min(took, longest)/time.Microsecond))
	if !r.known() {
		r.smoothed, r.deviation = sample, sample/2
		return
	}
	off := max(sample, r.smoothed) - min(sample, r.smoothed)
	r.deviation = (3*r.deviation + off) / 4
	r.smoothed = max(1, (7*r.smoothed+sample)/8)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
