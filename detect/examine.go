package detect

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// An examination is what an observer does in a round: pings of its own, now.
const (
	groupPings = 3 // pings whose loss together is one failed probe (25 % loss each way: 8 % of probes fail; 80 % one way: 51 %)
	groups     = 3 // probes in an examination
	allPings   = groupPings * groups

	// The rule for those who are neither dead nor well (Rapid, section 4.1:
	// 40 % of the probes of a window failed; the window of rounds is ours).
	chronicRounds  = 3
	chronicWindow  = time.Minute
	chronicPercent = 40
)

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
	said    bool   // the verdict is out; the rest is for the statistics
	once    bool   // there are none: the first answer ends it
}

// past is one finished examination.
type past struct {
	subject hearsay.NodeID
	at      time.Time
	failed  int // of its groups
}

// Examine begins an examination of the subject at its address. Its verdict
// follows as EventExamined, at once if this node is unwell, knows no address,
// or has its hands full.
func (s *Swim) Examine(now time.Time, subject hearsay.NodeID, addr netip.AddrPort, round hearsay.Round) {
	s.examine(now, &examination{subject: subject, addr: addr, round: round, began: now})
}

// Probe is an examination that ends with the first answer, and leaves nothing to
// be remembered: of who is asked for by many, as a seed asks for all who join.
func (s *Swim) Probe(now time.Time, subject hearsay.NodeID, addr netip.AddrPort, round hearsay.Round) {
	s.examine(now, &examination{subject: subject, addr: addr, round: round, began: now, once: true})
}

func (s *Swim) examine(now time.Time, e *examination) {
	most := maxExaminations
	if e.once {
		most = maxProbes
	}
	if !e.addr.IsValid() || s.Unwell(now) || len(s.examinations) >= most {
		s.say(now, e, hearsay.VerdictAbstains)
		return
	}
	e.seq = s.seq()
	e.wait = s.patience(e.subject)
	e.next = now
	s.examinations = append(s.examinations, *e)
	s.tickExaminations(now)
}

// tickExaminations sends the next pings and ends what has had its time.
func (s *Swim) tickExaminations(now time.Time) {
	s.examinations = slices.DeleteFunc(s.examinations, func(e examination) bool {
		return !now.Before(e.next) && e.sent == allPings && s.endExamination(now, &e)
	})
	for i := range s.examinations {
		e := &s.examinations[i]
		if now.Before(e.next) {
			continue
		}
		s.out.Ping(e.addr, e.seq+uint64(e.sent), e.subject)
		e.sent++
		e.next = now.Add(e.wait / 2)
		if e.sent == allPings {
			e.next = now.Add(e.wait)
		}
	}
}

// endExamination says the verdict, if it is not out yet, and remembers how
// many probes failed. It returns true.
func (s *Swim) endExamination(now time.Time, e *examination) bool {
	failed := 0
	for g := range groups {
		if e.acked>>(g*groupPings)&(1<<groupPings-1) == 0 {
			failed++
		}
	}
	if !e.said {
		verdict := hearsay.VerdictUnreachable
		if s.Unwell(now) {
			verdict = hearsay.VerdictAbstains
		}
		s.say(now, e, verdict)
	}
	if e.once {
		return true
	}
	p := past{subject: e.subject, at: now, failed: failed}
	if len(s.past) < maxPast {
		s.past = append(s.past, p)
	} else {
		s.past[s.pastNext%maxPast] = p
	}
	s.pastNext++
	return true
}

// examinationAck takes an answer to one of the pings.
func (s *Swim) examinationAck(now time.Time, from hearsay.NodeID, seq uint64) bool {
	for i := range s.examinations {
		e := &s.examinations[i]
		n := seq - e.seq
		if e.subject != from || n >= uint64(e.sent) {
			continue
		}
		e.acked |= 1 << n
		if !e.said {
			verdict := hearsay.VerdictReachable
			if !e.once && s.chronic(now, e.subject) {
				verdict = hearsay.VerdictUnreachable
			}
			s.say(now, e, verdict)
		}
		if e.once {
			s.examinations = slices.Delete(s.examinations, i, i+1)
		}
		return true
	}
	return false
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
// outage, and whoever is back from one is well.
func (s *Swim) chronic(now time.Time, subject hearsay.NodeID) bool {
	rounds, failed := 0, 0
	for i := range s.past {
		if p := &s.past[i]; p.subject == subject && p.failed < groups && now.Sub(p.at) < chronicWindow {
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
