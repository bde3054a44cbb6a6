package detect

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/quota"
)

// Limits of examinations.
const (
	maxExaminations = 64   // under way
	maxProbes       = 1024 // the same, with those of Probe: as many as a quorum watches
	maxPast         = 256  // remembered

	// pings whose loss together is one failed probe (25 % loss each way: 8 % of probes fail; 80 % one way: 51 %)
	groupPings = 3
	groups     = 3 // probes in an examination
	allPings   = groupPings * groups

	// A joiner has no round trip measured, and those of others say nothing of it. So its answer may take 1.1 s, and the
	// whole is over before it must be told something (node.answerIn). One that does not answer within a second is no use
	// as a member either.
	askerWait = 220 * time.Millisecond

	// streamedPing is which of these pings goes by stream as well if none was answered, from 0: the subject may get no
	// datagrams. An answer of one that asks to be in may take 660 ms then, and a member's counts for the next probe if it
	// is late.
	streamedPing = 4

	// lateProbe is how long after a member's probe an answer to it still counts for the next one, as it does for this
	// node's own (probes.last): what was measured of others says little of a member that was never measured.
	lateProbe = time.Second

	// The rule for members that are neither dead nor well (Rapid, section 4.1: 40 % of the probes of a window failed; the
	// window of rounds is ours).
	chronicRounds  = 3
	chronicWindow  = time.Minute
	chronicPercent = 40
)

// askerStreams are how many of those that ask to be in are pinged by stream. Where nobody is at the address that one
// has named, a stream is dialled for two seconds, and takes one of the places that strangers have
// (agent.streamsStrangers): at most an eighth of them, or a quarter where many ask. A guess.
var askerStreams = &quota.Shares{quota.Stranger: {All: quota.PerSecond(16, 32), Each: quota.PerSecond(2, 8)}}

// examinations are what this node does as an observer in a round: pings of its own, now.
type examinations struct {
	*shared
	list     []examination
	past     []past // a ring: the newest is at pastNext-1
	pastNext int
	askers   *quota.Quota // of pings by stream to those that ask to be in
}

// examination is the observer's own probing of one subject for one round.
type examination struct {
	subject hearsay.NodeID
	addr    netip.AddrPort
	round   hearsay.Round
	seq     uint64 // of the first ping; the others count on
	began   time.Time
	wait    time.Duration // for an answer; half of it lies between two pings
	next    time.Time     // the next ping, or the end
	sent    int
	acked   uint16 // bit i: ping i was answered
	stream  bool   // one went by stream as well
	said    bool   // the verdict is out; the rest is for the statistics, or the next probe
	once    bool   // the first answer ends it, and there are no statistics
	member  bool   // of these, one of which a late answer counts for the next
}

// past is one finished examination.
type past struct {
	subject hearsay.NodeID
	addr    netip.AddrPort
	at      time.Time
	failed  int // of its groups
}

// ExaminationMost is how long an examination takes at most: its pings, half a wait apart, and the wait for the last. A
// round that is not longer hears no observer that finds its subject unreachable.
func (c *Config) ExaminationMost() time.Duration {
	return (allPings-1)*(c.TimeoutMax/2) + c.TimeoutMax
}

// Examine begins an examination of the subject at its address. Its verdict follows as EventExamined, at once if this
// node is unwell, knows no address, or has its hands full.
func (ex *examinations) Examine(now time.Time, subject hearsay.NodeID, addr netip.AddrPort, round hearsay.Round) {
	ex.examine(now, &examination{subject: subject, addr: addr, round: round, began: now, wait: ex.detector.measurements.patience(subject)})
}

// Probe is an examination that ends with the first answer, and leaves nothing to be remembered, as a seed examines a
// member for itself. An answer that comes after the verdict counts for the next probe of the same member. A probe
// abstains if this node was late or has its hands full, and not because others are silent: that would keep the seeds
// from ruling just when most members have died.
func (ex *examinations) Probe(now time.Time, subject hearsay.NodeID, addr netip.AddrPort, round hearsay.Round) {
	ex.examine(now, &examination{subject: subject, addr: addr, round: round, began: now, wait: ex.detector.measurements.patience(subject), once: true, member: true})
}

// ProbeAsker examines a joiner in the same way. It waits longer, and then it is over.
func (ex *examinations) ProbeAsker(now time.Time, subject hearsay.NodeID, addr netip.AddrPort, round hearsay.Round) {
	ex.examine(now, &examination{subject: subject, addr: addr, round: round, began: now, wait: askerWait, once: true})
}

func (ex *examinations) examine(now time.Time, e *examination) {
	most := maxExaminations
	if e.once {
		most = maxProbes
	}
	if !e.addr.IsValid() || ex.abstains(now, e) || len(ex.list) >= most {
		ex.say(now, e, hearsay.VerdictAbstains)
		return
	}
	e.seq = ex.seq()
	e.next = now
	ex.list = append(ex.list, *e)
	ex.tick(now)
}

// tick sends the next pings and ends what has had its time.
func (ex *examinations) tick(now time.Time) {
	kept := ex.list[:0]
	for i := range ex.list {
		e := ex.list[i]
		if now.Before(e.next) || !e.pinged() || !ex.end(now, &e) {
			kept = append(kept, e)
		}
	}
	ex.list = kept
	for i := range ex.list {
		e := &ex.list[i]
		if now.Before(e.next) {
			continue
		}
		ex.out.Ping(e.addr, e.seq+uint64(e.sent), e.subject)
		if e.sent == streamedPing && ex.mayStream(now, e) {
			e.stream = true
			ex.out.PingByStream(e.addr, e.seq+uint64(e.sent), e.subject)
		}
		e.sent++
		e.next = now.Add(e.wait / 2)
		if e.sent == allPings {
			e.next = now.Add(e.wait)
		}
	}
}

// mayStream reports whether an examination pings by stream, too: if nothing was answered, and not where all goes by
// stream. Only a joiner is pinged so at an address that was only named.
func (ex *examinations) mayStream(now time.Time, e *examination) bool {
	if ping := &ex.out.Now[len(ex.out.Now)-1]; !ex.cfg.StreamPing || e.acked != 0 || ex.detector.paths.Streams(ping) {
		return false
	}
	if addr, listed := ex.directory.Addr(e.subject); listed || !e.once {
		return listed && addr == e.addr
	}
	return ex.askers.Take(now, ex.directory.sender(&core.Packet{From: e.subject, Addr: e.addr}), 1)
}

// abstains reports whether this node may not say that a subject is unreachable.
func (ex *examinations) abstains(now time.Time, e *examination) bool {
	if e.once {
		return ex.detector.health.isLate(now)
	}
	return ex.detector.health.Unwell(now)
}

// pinged reports whether no more pings are to be sent.
func (e *examination) pinged() bool { return e.sent == allPings || e.once && e.said }

// end says the verdict, if it is not out yet, and remembers how many probes failed. It reports whether nothing is
// awaited any more.
func (ex *examinations) end(now time.Time, e *examination) (over bool) {
	said := e.said
	if !said {
		verdict := hearsay.VerdictUnreachable
		if ex.abstains(now, e) {
			verdict = hearsay.VerdictAbstains
		}
		ex.say(now, e, verdict)
	}
	if e.once {
		e.next = now.Add(lateProbe)
		return said || !e.member
	}
	failed := 0
	for g := range groups {
		if e.acked>>(g*groupPings)&(1<<groupPings-1) == 0 {
			failed++
		}
	}
	p := past{subject: e.subject, addr: e.addr, at: now, failed: failed}
	if len(ex.past) < maxPast {
		ex.past = append(ex.past, p)
	} else {
		ex.past[ex.pastNext%maxPast] = p
	}
	ex.pastNext++
	return true
}

// ack takes an answer to one of the pings. The one that went by stream as well says that the subject lives, and nothing
// of how many datagrams get lost.
func (ex *examinations) ack(now time.Time, p *core.Packet, seq uint64) bool {
	for i := range ex.list {
		e := &ex.list[i]
		n := seq - e.seq
		if e.subject != p.From || n >= uint64(e.sent) {
			continue
		}
		if !p.Stream || !e.stream {
			e.acked |= 1 << n
		}
		if e.once {
			ex.probeAck(now, i)
			return true
		}
		if !e.said {
			verdict := hearsay.VerdictReachable
			if ex.chronic(now, e) {
				verdict = hearsay.VerdictUnreachable
			}
			ex.say(now, e, verdict)
		}
		return true
	}
	return false
}

// probeAck takes an answer to the i-th examination, which is a probe: for that or, if it is too late, for the next of
// the same member at the same address.
func (ex *examinations) probeAck(now time.Time, i int) {
	answered := ex.list[i]
	for ; i < len(ex.list); i++ {
		e := &ex.list[i]
		if !e.once || e.said || e.subject != answered.subject || e.addr != answered.addr {
			continue
		}
		told := *e
		told.began = answered.began // what was answered went out then
		ex.say(now, &told, hearsay.VerdictReachable)
		if e.seq == answered.seq {
			ex.list = slices.Delete(ex.list, i, i+1)
			return
		}
		e.said, e.next = true, now.Add(lateProbe) // its own answers will be late, too
		return
	}
}

// notMe ends an examination: its subject is no longer there.
func (ex *examinations) notMe(now time.Time, seq uint64) bool {
	for i := range ex.list {
		e := &ex.list[i]
		if seq-e.seq < uint64(e.sent) {
			if !e.said {
				ex.say(now, e, hearsay.VerdictUnreachable)
			}
			ex.list = slices.Delete(ex.list, i, i+1)
			return true
		}
	}
	return false
}

// forget drops what was remembered of a member.
func (ex *examinations) forget(id hearsay.NodeID) {
	for i := range ex.past {
		if ex.past[i].subject == id {
			ex.past[i] = past{}
		}
	}
}

// due gives when tick must be called next, at most at.
func (ex *examinations) due(at time.Time) time.Time {
	for i := range ex.list {
		at = when.Earlier(at, ex.list[i].next)
	}
	return at
}

// abandon abstains from all that are under way.
func (ex *examinations) abandon(now time.Time) {
	for i := range ex.list {
		if e := &ex.list[i]; !e.said {
			ex.say(now, e, hearsay.VerdictAbstains)
		}
	}
	ex.list = ex.list[:0]
}

// chronic reports whether many probes of the subject's last rounds failed, though some did not: behind heavy loss a
// member would be accused and cleared for ever. A round in which all failed does not count: it tells of an outage, and
// a node that is back from one is well. What failed at another address says nothing of the one where the subject is
// now.
func (ex *examinations) chronic(now time.Time, e *examination) bool {
	rounds, failed := 0, 0
	for i := range ex.past {
		if p := &ex.past[i]; p.subject == e.subject && p.addr == e.addr && p.failed < groups && now.Sub(p.at) < chronicWindow {
			rounds++
			failed += p.failed
		}
	}
	return rounds >= chronicRounds && failed*100 >= chronicPercent*rounds*groups
}

// say tells the verdict.
func (ex *examinations) say(now time.Time, e *examination, verdict hearsay.Verdict) {
	e.said = true
	ex.out.Events = append(ex.out.Events, hearsay.Event{
		At: now, Kind: hearsay.EventExamined, Subject: e.subject, Addr: e.addr, Round: e.round,
		Verdict: verdict, Count: e.sent, Took: now.Sub(e.began),
	})
}
