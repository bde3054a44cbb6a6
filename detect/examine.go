package detect

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/quota"
)

// An examination is what an observer does in a round: pings of its own, now.
const (
	groupPings = 3 // pings whose loss together is one failed probe (25 % loss each way: 8 % of probes fail; 80 % one way: 51 %)
	groups     = 3 // probes in an examination
	allPings   = groupPings * groups

	// Of who asks to be in this node has measured nothing, and what it measured of
	// others says nothing of it: an answer may take 1.1 s, and the whole is over
	// before who asked must be told something (node.answerIn). Who does not answer
	// within a second is no use as a member either.
	askerWait = 220 * time.Millisecond

	// streamedPing is which of these pings goes by stream as well if none was answered, from 0: the
	// subject may get no datagrams. An answer of one that asks to be in may take 660 ms then, and a
	// member's counts for the next probe if it is late.
	streamedPing = 4

	// lateProbe is how long after a member's probe an answer to it still counts
	// for the next one, as it does for Swim's own (Swim.last): what was measured of
	// others says little of a member that was never measured.
	lateProbe = time.Second

	// The rule for those who are neither dead nor well (Rapid, section 4.1:
	// 40 % of the probes of a window failed; the window of rounds is ours).
	chronicRounds  = 3
	chronicWindow  = time.Minute
	chronicPercent = 40
)

// askerStreams are how many of those that ask to be in are pinged by stream. Where nobody is at the
// address that one has named, a stream is dialled for two seconds, and takes one of the places that strangers
// have (agent.streamsStrangers): at most an eighth of them, or a quarter where many ask. A guess.
var askerStreams = &quota.Shares{quota.Stranger: {All: quota.PerSecond(16, 32), Each: quota.PerSecond(2, 8)}}

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

// ExaminationMost is how long an examination takes at most: its pings, half a wait
// apart, and the wait for the last. A round that is not longer hears no observer
// who finds its subject unreachable.
func (c *Config) ExaminationMost() time.Duration {
	return (allPings-1)*(c.TimeoutMax/2) + c.TimeoutMax
}

// Examine begins an examination of the subject at its address. Its verdict
// follows as EventExamined, at once if this node is unwell, knows no address,
// or has its hands full.
func (s *Swim) Examine(now time.Time, subject hearsay.NodeID, addr netip.AddrPort, round hearsay.Round) {
	s.examine(now, &examination{subject: subject, addr: addr, round: round, began: now, wait: s.patience(subject)})
}

// Probe is an examination that ends with the first answer, and leaves nothing to
// be remembered, as a seed examines a member for itself. An answer that comes
// after the verdict counts for the next probe of the same member. A probe abstains
// if this node was late or has its hands full, and not because others are silent:
// that would keep the seeds from ruling just when most members have died.
func (s *Swim) Probe(now time.Time, subject hearsay.NodeID, addr netip.AddrPort, round hearsay.Round) {
	s.examine(now, &examination{subject: subject, addr: addr, round: round, began: now, wait: s.patience(subject), once: true, member: true})
}

// ProbeAsker examines in the same way one who asks to be in. It waits longer,
// and then it is over.
func (s *Swim) ProbeAsker(now time.Time, subject hearsay.NodeID, addr netip.AddrPort, round hearsay.Round) {
	s.examine(now, &examination{subject: subject, addr: addr, round: round, began: now, wait: askerWait, once: true})
}

func (s *Swim) examine(now time.Time, e *examination) {
	most := maxExaminations
	if e.once {
		most = maxProbes
	}
	if !e.addr.IsValid() || s.abstains(now, e) || len(s.examinations) >= most {
		s.say(now, e, hearsay.VerdictAbstains)
		return
	}
	e.seq = s.seq()
	e.next = now
	s.examinations = append(s.examinations, *e)
	s.tickExaminations(now)
}

// tickExaminations sends the next pings and ends what has had its time.
func (s *Swim) tickExaminations(now time.Time) {
	kept := s.examinations[:0]
	for i := range s.examinations {
		e := s.examinations[i]
		if now.Before(e.next) || !e.pinged() || !s.endExamination(now, &e) {
			kept = append(kept, e)
		}
	}
	s.examinations = kept
	for i := range s.examinations {
		e := &s.examinations[i]
		if now.Before(e.next) {
			continue
		}
		s.out.Ping(e.addr, e.seq+uint64(e.sent), e.subject)
		if e.sent == streamedPing && s.mayStream(now, e) {
			e.stream = true
			s.out.PingByStream(e.addr, e.seq+uint64(e.sent), e.subject)
		}
		e.sent++
		e.next = now.Add(e.wait / 2)
		if e.sent == allPings {
			e.next = now.Add(e.wait)
		}
	}
}

// mayStream reports whether an examination pings by stream, too: if nothing was answered, and not where all
// goes by stream. Nobody else than who asks to be in is pinged so at an address that was only named.
func (s *Swim) mayStream(now time.Time, e *examination) bool {
	if ping := &s.out.Now[len(s.out.Now)-1]; !s.cfg.StreamPing || e.acked != 0 || s.Streams(ping) {
		return false
	}
	if addr, listed := s.directory.Addr(e.subject); listed || !e.once {
		return listed && addr == e.addr
	}
	return s.askers.Take(now, s.sender(&hearsay.Packet{From: e.subject, Addr: e.addr}), 1)
}

// abstains reports whether this node may not say that a subject is unreachable.
func (s *Swim) abstains(now time.Time, e *examination) bool {
	if e.once {
		return s.late(now)
	}
	return s.Unwell(now)
}

// late reports whether this node was paused or starved a moment ago.
func (s *Swim) late(now time.Time) bool { return now.Before(s.lateUntil) }

// pinged reports whether no more pings are to be sent.
func (e *examination) pinged() bool { return e.sent == allPings || e.once && e.said }

// endExamination says the verdict, if it is not out yet, and remembers how
// many probes failed. It reports whether nothing is awaited any more.
func (s *Swim) endExamination(now time.Time, e *examination) (over bool) {
	said := e.said
	if !said {
		verdict := hearsay.VerdictUnreachable
		if s.abstains(now, e) {
			verdict = hearsay.VerdictAbstains
		}
		s.say(now, e, verdict)
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
	if len(s.past) < maxPast {
		s.past = append(s.past, p)
	} else {
		s.past[s.pastNext%maxPast] = p
	}
	s.pastNext++
	return true
}

// examinationAck takes an answer to one of the pings. The one that went by stream as well says that the
// subject lives, and nothing of how many datagrams get lost.
func (s *Swim) examinationAck(now time.Time, p *hearsay.Packet, seq uint64) bool {
	for i := range s.examinations {
		e := &s.examinations[i]
		n := seq - e.seq
		if e.subject != p.From || n >= uint64(e.sent) {
			continue
		}
		if !p.Stream || !e.stream {
			e.acked |= 1 << n
		}
		if e.once {
			s.probeAck(now, i)
			return true
		}
		if !e.said {
			verdict := hearsay.VerdictReachable
			if s.chronic(now, e) {
				verdict = hearsay.VerdictUnreachable
			}
			s.say(now, e, verdict)
		}
		return true
	}
	return false
}

// probeAck takes an answer to the i-th examination, which is a probe: for that
// or, if it is too late, for the next of the same member at the same address.
func (s *Swim) probeAck(now time.Time, i int) {
	answered := s.examinations[i]
	for ; i < len(s.examinations); i++ {
		e := &s.examinations[i]
		if !e.once || e.said || e.subject != answered.subject || e.addr != answered.addr {
			continue
		}
		told := *e
		told.began = answered.began // what was answered went out then
		s.say(now, &told, hearsay.VerdictReachable)
		if e.seq == answered.seq {
			s.examinations = slices.Delete(s.examinations, i, i+1)
			return
		}
		e.said, e.next = true, now.Add(lateProbe) // its own answers will be late, too
		return
	}
}

// examinationNotMe ends an examination whose subject is no longer there.
func (s *Swim) examinationNotMe(now time.Time, seq uint64) bool {
	for i := range s.examinations {
		e := &s.examinations[i]
		if seq-e.seq < uint64(e.sent) {
			if !e.said {
				s.say(now, e, hearsay.VerdictUnreachable)
			}
			s.examinations = slices.Delete(s.examinations, i, i+1)
			return true
		}
	}
	return false
}

// abandonExaminations abstains from all that are under way.
func (s *Swim) abandonExaminations(now time.Time) {
	for i := range s.examinations {
		if e := &s.examinations[i]; !e.said {
			s.say(now, e, hearsay.VerdictAbstains)
		}
	}
	s.examinations = s.examinations[:0]
}

// chronic reports whether many probes of the subject's last rounds failed,
// though some did not: behind heavy loss a member would be accused and
// cleared for ever. A round in which all failed does not count: it tells of an
// outage, and a node that is back from one is well. What failed at another address
// says nothing of the one where the subject is now.
func (s *Swim) chronic(now time.Time, e *examination) bool {
	rounds, failed := 0, 0
	for i := range s.past {
		if p := &s.past[i]; p.subject == e.subject && p.addr == e.addr && p.failed < groups && now.Sub(p.at) < chronicWindow {
			rounds++
			failed += p.failed
		}
	}
	return rounds >= chronicRounds && failed*100 >= chronicPercent*rounds*groups
}

// say tells the verdict.
func (s *Swim) say(now time.Time, e *examination, verdict hearsay.Verdict) {
	e.said = true
	s.out.Events = append(s.out.Events, hearsay.Event{
		At: now, Kind: hearsay.EventExamined, Subject: e.subject, Addr: e.addr, Round: e.round,
		Verdict: verdict, Count: e.sent, Took: now.Sub(e.began),
	})
}
