package detect

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// maxRelays are the relays of one probe.
const maxRelays = 16

// probes are this node's own: of one member at a time.
type probes struct {
	*shared
	next    time.Time // when the next begins
	current probe     // the one under way, if its phase says so
	last    probe     // the one before: its ack may come late
}

// phase is how far a probe has come.
type phase uint8

const (
	phaseIdle   phase = iota
	phaseDirect       // pinged, waiting
	phaseRelays       // asked others too, waiting
)

// probe is one probe of one member.
type probe struct {
	phase   phase
	target  hearsay.NodeID
	addr    netip.AddrPort
	seq     uint64
	began   time.Time
	timeout time.Duration // of the direct ping; the relays get twice as long
	ends    time.Time     // of the phase

	// The seats of the members that were asked to ping in this node's place; of one that has said that it is well, 0.
	relays [maxRelays]int32
	asked  int
	nacks  int

	streamed bool // its stream ping was answered by the target, and no datagram before
	heard    bool // a datagram was
}

// schedule draws when the next probe begins.
func (pr *probes) schedule(now time.Time) {
	pr.next = now.Add(time.Duration(pr.random.Int64N(int64(pr.cfg.Period))))
}

// due is when tick or begin must be called next.
func (pr *probes) due() time.Time {
	if pr.current.phase != phaseIdle {
		return when.Earlier(pr.next, pr.current.ends)
	}
	return pr.next
}

// begin pings the next of the list, if it is time.
func (pr *probes) begin(now time.Time) {
	if now.Before(pr.next) {
		return
	}
	health := &pr.detector.health
	period := pr.detector.schedule.every() * time.Duration(1+health.score)
	pr.next = pr.next.Add(period)
	if pr.next.Before(now) {
		pr.next = now.Add(period)
	}
	pr.judgePath()
	if pr.current.phase != phaseIdle {
		pr.end(now) // its time is over
	}
	target, addr, ok := pr.detector.schedule.pick(now)
	if !ok {
		health.improve() // no answer could show that it is well: a seed would let nobody in for ever
		return
	}
	timeout := pr.detector.measurements.patience(target) * time.Duration(1+health.score) // longer if this node is unwell
	pr.current = probe{
		phase: phaseDirect, target: target, addr: addr, seq: pr.seq(),
		began: now, timeout: timeout, ends: now.Add(timeout),
	}
	pr.stats.Probes++
	pr.out.Ping(addr, pr.current.seq, target)
}

// Pass has the probe of a member under way come to nothing: it is passed over from now.
func (pr *probes) Pass(id hearsay.NodeID) {
	if pr.current.target == id {
		pr.current.phase = phaseIdle
	}
}

// abandon has the probes under way come to nothing.
func (pr *probes) abandon() { pr.current.phase, pr.last = phaseIdle, probe{} }

// isUnderWay reports whether a number is that of the probe under way.
func (pr *probes) isUnderWay(seq uint64) bool {
	return pr.current.phase != phaseIdle && pr.current.seq == seq
}

// tick goes on to the relays, or gives the probe up, if the phase is over.
func (pr *probes) tick(now time.Time) {
	p := &pr.current
	if p.phase == phaseIdle || now.Before(p.ends) {
		return
	}
	if p.phase == phaseRelays {
		pr.end(now)
		return
	}
	p.phase, p.ends = phaseRelays, now.Add(2*p.timeout)
	pr.askRelays(now)
	if pr.cfg.StreamPing {
		// A path that loses datagrams may carry a stream (memberlist does so too).
		pr.out.PingByStream(p.addr, p.seq, p.target)
	}
}

// askRelays asks k others to ping the target (SWIM, section 3.1): of the members that have answered lately, at random.
// Where most members have just died, most draws from the whole list would be dead.
func (pr *probes) askRelays(now time.Time) {
	recent, seats := pr.detector.answerers.recent(now), pr.detector.list.seats
	most := min(pr.detector.schedule.relays(), maxRelays)
	first := 0
	if len(recent) > 0 {
		first = pr.random.IntN(len(recent))
	}
	for i := range recent {
		if pr.current.asked < most {
			pr.askRelay(recent[(first+i)%len(recent)].seat)
		}
	}
	if pr.current.asked == 0 { // nobody has answered lately: then of all
		for range 4 * most { // a bound on unlucky draws
			if pr.current.asked < min(most, len(seats)-1) {
				pr.askRelay(seats[pr.random.IntN(len(seats))])
			}
		}
	}
	pr.stats.RelayAsks += uint64(pr.current.asked)
}

// askRelay asks one member to be a relay, unless it is no use as one.
func (pr *probes) askRelay(seat int32) {
	p := &pr.current
	id, addr, ok := pr.directory.At(seat)
	if !ok || pr.directory.passes(id) || pr.detector.measurements.isSilent(seat) || id == p.target || slices.Contains(p.relays[:p.asked], seat) ||
		pr.directory.mutes(id) {
		return
	}
	p.relays[p.asked] = seat
	p.asked++
	pr.out.Now = append(pr.out.Now, core.Packet{Addr: addr, Body: &core.RelayReq{Seq: p.seq, Target: p.target}})
}

// end concludes that nothing came back. Relays that are well would have sent a nack (Lifeguard, section IV.A). If none
// has, this node doubts itself, unless it has other proof that it is well, or anybody has answered it since; if some
// have, those that have not may be dead, and it learns nothing of itself; if all have, it is well: when most of a
// network has died, the few that are left must come to trust themselves, or they would abstain for ever.
func (pr *probes) end(now time.Time) {
	p := &pr.current
	switch {
	case p.asked == 0:
	case p.nacks == p.asked:
		pr.detector.health.improve()
	case p.nacks == 0 && !pr.detector.answerers.HeardSince(p.began) && !pr.directory.proves():
		pr.detector.health.Worsen()
	}
	for _, seat := range p.relays[:p.asked] {
		if seat != 0 {
			pr.detector.answerers.remove(seat) // it is drawn again once it has answered
		}
	}
	pr.fail(now, "")
}

// fail ends the probe, and says that its target is unreachable if it is.
func (pr *probes) fail(now time.Time, why string) {
	pr.last, pr.current.phase = pr.current, phaseIdle
	pr.stats.ProbeFails++
	misses := pr.detector.measurements.miss(pr.last.target)
	if pr.detector.health.isLate(now) || !pr.detector.schedule.silent(pr.last.target, misses) {
		return
	}
	pr.out.Events = append(pr.out.Events, hearsay.Event{
		At: now, Kind: hearsay.EventUnreachable, Subject: pr.last.target,
		Count: pr.last.asked, Heard: pr.last.nacks, Took: now.Sub(pr.last.began), Text: why,
	})
}

// ack takes an answer to the probe under way; see Detector.Ack.
func (pr *probes) ack(now time.Time, p *core.Packet) (answered hearsay.NodeID, ok bool) {
	target := pr.current.target
	if p.From != target && pr.current.phase != phaseRelays {
		return answered, false
	}
	pr.detector.health.improve()
	pr.detector.measurements.answered(target)
	pr.last, pr.current.phase = pr.current, phaseIdle
	pr.detector.answerers.add(now, p.From)
	if p.From != target { // a relay reached it
		pr.detector.indirects.add(now, target, pr.last.began)
		pr.out.Events = append(pr.out.Events, hearsay.Event{At: now, Kind: hearsay.EventRelayed, Subject: target, By: p.From})
		return answered, true
	}
	pr.answered(now, p)
	return p.From, true
}

// ackLate takes an answer of the target of the last probe. It is late, but the target lives.
func (pr *probes) ackLate(now time.Time, p *core.Packet, seq uint64) (ok bool) {
	if pr.last.seq != seq || pr.last.target != p.From || pr.last.began.IsZero() {
		return false
	}
	if pr.answered(now, p); !p.Stream {
		pr.last = probe{}
	}
	return true
}

// answered learns from the answer of the last probe's own target. That of its stream ping may be followed by one of its
// datagram, or of some more: then the first was lost by chance.
func (pr *probes) answered(now time.Time, p *core.Packet) {
	l := &pr.last
	if !p.Stream {
		l.heard = true
		pr.detector.measurements.measure(p.From, now.Sub(l.began))
		if !pr.directory.isGuest(p.From) {
			pr.detector.paths.byDatagram(p.From, l.addr)
		}
	} else if !l.streamed && !l.heard {
		l.streamed = true
		for range morePings {
			pr.out.Ping(l.addr, l.seq, l.target)
		}
	}
}

// judgePath says of the last probe, a period later, if its target has answered by stream only. A guest has nothing but
// streams, and says nothing of datagrams.
func (pr *probes) judgePath() {
	if l := &pr.last; l.streamed && !l.heard && !pr.directory.isGuest(l.target) {
		l.streamed, l.heard = false, true
		pr.detector.paths.byStream(l.target, l.addr, l.began, len(pr.detector.list.seats), pr.detector.list.elsewhere)
	}
}

// Nack takes a relay's word that it is well and the target did not answer it.
func (pr *probes) Nack(now time.Time, from hearsay.NodeID, seq uint64) (ok bool) {
	p := &pr.current
	if p.phase != phaseRelays || p.seq != seq {
		return false
	}
	i := slices.Index(p.relays[:p.asked], pr.directory.Seat(from))
	if i < 0 || p.relays[i] == 0 {
		return false // it was not asked, or has said so
	}
	p.relays[i] = 0
	p.nacks++
	pr.detector.answerers.add(now, from)
	return true
}
