package quorum

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/ledger"
)

// found begins a log at an index with a state that this seed brings, and with
// the seats of that state as voters.
func (q *Quorum) found(now time.Time, s *ledger.State, index, term uint64) {
	q.state, q.doubtful.told = s, false // a founding that it had taken part in before would be known to the seeds that it met
	if s.Epoch == 0 {
		q.chain.Restart(0, s.Head)
	}
	q.chain.Begin(s.Began)
	config := &raftpb.ConfState{}
	var absent []string
	for slot, seat := range s.Seats {
		q.seats.sit(q.cfg.Network, seat, 0)
		config.Voters = append(config.Voters, seat.RaftID(q.cfg.Network))
		if seat.Life.IsZero() {
			absent = append(absent, q.cfg.Seeds[slot].Addr.String())
		} else {
			q.persist(&hearsay.SeedPin{Seat: seat})
		}
	}
	q.takePart(s.Began)
	q.seats.why = ""
	log := q.emptyLog()
	log.restore(index, term, config)
	log.hard = &raftpb.HardState{Term: new(term), Vote: new(uint64(0)), Commit: new(index)}
	if q.replica != nil {
		log.commits = q.replica.log.commits // a crash may leave the old log, and of this one only the state
	}
	q.replica = newReplica(&q.cfg, q.seat().RaftID(q.cfg.Network), log)
	q.persist(log.state())
	q.keepSnapshot()
	e := hearsay.Event{At: now, Kind: hearsay.EventSeatFounded, Subject: q.signer.Public().NodeID(), Count: len(s.Seats) - len(absent), Epoch: s.Epoch}
	if len(absent) > 0 {
		e.Text = "by an operator's word that no ledger is at " + strings.Join(absent, ", ")
	}
	q.event(e)
	for slot := range q.others() {
		q.hello(now, slot) // it tells who sits where
	}
	_ = q.replica.node.Campaign() // refused only by who has no seat
	q.work(now)
}

const (
	// foundAfter is how long a quorum must have been met before an operator's
	// word founds the network: others may just be starting. Who comes later costs
	// no more than a ruling that gives it its seat. A guess.
	foundAfter = 3 * time.Second

	// foundApart is how much later the next seed of the list does: by then it
	// has heard of the one before, and takes part in that founding. A guess: four
	// hellos.
	foundApart = 2 * time.Second

	// missAfter is how long a seed looks for the others until it says who is
	// missing: others may just be starting. A guess.
	missAfter = 3 * time.Second

	// foundSayEvery is how often is said what a founding waits for.
	foundSayEvery = 30 * time.Second
)

// tryFound founds the network if there is none: the first of the list does when
// all have said so; where an operator vouches for who does not answer, a quorum
// that has is enough. Any seed may be told that vouches: a life takes part in
// one founding only, and nobody in one counts for another, so two that are made
// at once cannot both get a quorum. Those of the same seats are one, word for
// word.
func (q *Quorum) tryFound(now time.Time) {
	if q.state != nil || q.replica != nil || q.cfg.Recover {
		return
	}
	seats, met := q.whoIsThere(now)
	switch why := q.mayNotFound(now, met); {
	case why == "" && met == len(seats) && q.cfg.Slot == 0:
	case !q.cfg.Found:
		q.missSome(now, met)
		return
	case why != "":
		q.foundAt = time.Time{}
		q.sayAgain(now, strings.Join(append([]string{why}, q.doubts.all()...), "; "))
		return
	case q.foundAt.IsZero():
		patience := foundAfter + time.Duration(q.cfg.Slot)*foundApart
		q.foundAt = now.Add(patience)
		q.sayAgain(now, fmt.Sprintf("%d of %d seeds were met, none has a ledger: it founds the network in %v, unless it hears of one", met, len(seats), patience))
		return
	case now.Before(q.foundAt):
		return
	}
	q.found(now, ledger.NewState(q.cfg.Network, q.signer, seats), ledger.FoundingIndex, ledger.FoundingTerm)
}

// missSome says, when that has lasted for a while, that not all have come, and
// what an operator can do.
func (q *Quorum) missSome(now time.Time, met int) {
	switch why := q.takenPart(now); {
	case why == "" && met == len(q.cfg.Seeds):
		q.seats.why = fmt.Sprintf("all %d seeds were met: the one at %v founds the network", met, q.cfg.Seeds[0].Addr)
	case !q.lasting(now, missAfter):
	case why != "":
		q.say(hearsay.Event{At: now, Text: why})
	default:
		q.sayAgain(now, q.notFounded(now, met))
	}
}

// lasting reports whether what a seed waits for before there is a ledger has
// lasted for so long, so that something should be said.
func (q *Quorum) lasting(now time.Time, long time.Duration) bool {
	if q.saidAt.IsZero() {
		q.saidAt = now
	}
	return now.Sub(q.saidAt) >= long
}

// takenPart says which seed takes part in a founding already, if one does that
// was met just now.
func (q *Quorum) takenPart(now time.Time) string {
	for slot := range q.cfg.Seeds {
		switch h := &q.seats.heard[slot]; {
		case slot == q.cfg.Slot || !h.justNow(now):
		case h.founded:
			return q.notNamed(now)
		case !h.founding.IsZero():
			return fmt.Sprintf("the seed at %v takes part in a founding already", q.cfg.Seeds[slot].Addr)
		}
	}
	return ""
}

// mayNotFound says why a network cannot be founded with so many seeds that have
// been met, this one among them, if so.
func (q *Quorum) mayNotFound(now time.Time, met int) string {
	if why := q.takenPart(now); why != "" {
		return why
	}
	needed := q.Needed()
	if len(q.cfg.Seeds) <= 2 {
		needed = len(q.cfg.Seeds) // afterwards nobody could be given a seat
	}
	if met < needed {
		return fmt.Sprintf("%d of %d seeds were met, %d are needed to found the network: start more of them", met, len(q.cfg.Seeds), needed)
	}
	return ""
}

// sayAgain says what a founding waits for, every now and then.
func (q *Quorum) sayAgain(now time.Time, why string) {
	if now.Sub(q.saidAt) >= foundSayEvery {
		q.seats.why = ""
	}
	if why != q.seats.why {
		q.saidAt = now
		q.say(hearsay.Event{At: now, Text: why})
	}
}

// whoIsThere gives the seats as they were met just now, and how many were.
func (q *Quorum) whoIsThere(now time.Time) (seats []hearsay.Seat, met int) {
	seats = make([]hearsay.Seat, len(q.cfg.Seeds))
	for slot := range q.cfg.Seeds {
		seats[slot].Slot = uint8(slot)
		if h := &q.seats.heard[slot]; slot == q.cfg.Slot {
			seats[slot] = q.seat()
			met++
		} else if h.justNow(now) {
			seats[slot] = h.seat
			met++
		}
	}
	return seats, met
}

// recoverGap is how far a recovered log begins behind the lost one, in
// entries, so that no case gets the id of one that others may have voted on.
const recoverGap = 1 << 20

// Recover begins anew from this seed's ledger, alone, because the quorum is
// lost for ever: as the only seed of the list, or with others that have come
// with empty directories. The seed was made with Config.Recover. It says what
// is given up; that it has begun anew already, if so. Peers that know the other seeds' keys do not believe the ledger
// from here on before they are told the new ones.
func (q *Quorum) Recover(now time.Time) (givenUp string, err error) {
	if q.state == nil {
		return "", fmt.Errorf("recover: this seed has no ledger: run it where one is left")
	}
	if !q.cfg.Recover {
		return "", fmt.Errorf("recover: this seed was started to take part")
	}
	if q.beganAnew(now) {
		return fmt.Sprintf("the ledger has begun anew with epoch %d already, with the seeds that answer now", q.state.Epoch), nil
	}
	for slot := range q.cfg.Seeds {
		switch h := &q.seats.heard[slot]; {
		case slot == q.cfg.Slot:
		case !h.justNow(now):
			return "", fmt.Errorf("recover: the seed at %v does not answer: start it with an empty data directory, or take it out of the list of seeds", q.cfg.Seeds[slot].Addr)
		case !h.founded && !h.founding.IsZero():
			return "", fmt.Errorf("recover: the seed at %v takes part in a founding already, or in a recovery that was not seen to its end: "+
				"stop it, and start it with an empty data directory", q.cfg.Seeds[slot].Addr)
		case h.founded:
			return "", fmt.Errorf("recover: the seed at %v has a ledger: stop it, and start it with an empty data directory", q.cfg.Seeds[slot].Addr)
		}
	}
	old, log := q.state, q.replica.log
	givenUp = fmt.Sprintf("the ledger goes on from epoch %d by this seed's word alone: whatever the others decided after that is lost, "+
		"with %d open cases and %d log entries that were not settled here", old.Epoch, len(old.Cases), log.last()-log.applied)
	q.newLife()
	seats, _ := q.whoIsThere(now)
	s := ledger.ReadSnapshot(q.cfg.Network, q.signer, old.AppendSnapshot(nil))
	for _, c := range s.Cases {
		s.GiveBack(c)
	}
	s.Cases, s.Seats = nil, seats
	s.Usage.Reseat(len(seats), q.cfg.Slot, now.UnixMilli())
	s.Derive()
	index := log.last() + recoverGap
	r := s.Rule(&hearsay.Ruling{Kind: hearsay.RulingRecover, Seats: seats, Case: hearsay.CaseID(index * hearsay.CasesAnEntry), At: now.UnixMilli()})
	q.forgetTrials()
	q.asked = nil
	q.keep(r, nil)
	q.recall([]*hearsay.Ruling{r})
	q.cfg.Recover = false
	q.forgetRivals()
	q.found(now, s, index, log.hard.GetTerm()+1)
	q.event(hearsay.Event{At: now, Kind: hearsay.EventRuled, Epoch: r.Epoch, Case: r.Case, Ruling: r, Text: givenUp})
	return givenUp, nil
}

// beganAnew reports whether the newest ruling is a recovery with just those in the seats that answer now, of which none
// takes part in anything else: it was ended before it could say so.
func (q *Quorum) beganAnew(now time.Time) bool {
	newest := q.chain.Entry(q.state.Epoch)
	if newest == nil || newest.Ruling.Kind != hearsay.RulingRecover {
		return false
	}
	seats, met := q.whoIsThere(now)
	for slot := range q.others() {
		if f := q.seats.heard[slot].founding; !f.IsZero() && f != q.founding {
			return false
		}
	}
	return met == len(seats) && slices.Equal(seats, q.state.Seats)
}

// unborn reports whether this life takes part in a founding of which nothing
// has come yet: it has confirmed nothing but the founding itself.
func (q *Quorum) unborn() bool {
	switch {
	case q.replica == nil:
		return false
	case q.state == nil:
		return true
	}
	return q.state.Epoch == 0 && q.replica.log.last() == ledger.FoundingIndex
}

// tryGiveUp has a seed whose founding will come to nothing begin anew, as if its
// directory were empty: there were two at once, or who founded has lost its disk.
//
// That is safe whatever the others do. Who is unborn has confirmed no entry of
// the log, so no entry rests on it, and none ever will: its life is over. Should
// the founding come about after all, then by a quorum of lives each of which has
// confirmed an entry. Such a life is not unborn, so it is never given up, and it
// counts in no other founding. Any quorum of another founding has one of these
// slots in it, so there is none, short of lost disks.
//
// So what is decided here is only when to wait no longer: when too few are left
// who may take part, or nobody is who could have its beginning. Who cannot give up
// says that then.
func (q *Quorum) tryGiveUp(now time.Time) {
	if q.replica == nil || q.cfg.Recover || q.state != nil && q.replica.leader() != 0 {
		return
	}
	able, holders := q.left(now)
	switch {
	case able >= q.Needed() && holders > 0:
		if q.unborn() && q.lasting(now, foundSayEvery) && q.seats.why == "" {
			q.say(hearsay.Event{At: now, Text: "nothing has come yet of the founding that this seed takes part in, for want of a quorum of those who were there: " +
				"start them; if so many are lost for ever, start this seed with an empty data directory"})
		}
	case q.unborn():
		q.giveUp()
		q.say(hearsay.Event{At: now, Text: "the founding that this seed took part in came to nothing; it has given that up, and begins as with an empty directory"})
	case q.seats.why == "":
		right := lastUsed("the others", "the data directories that they")
		if q.state.Epoch == 0 {
			right = "nothing was ruled yet: start this seed with an empty data directory"
		}
		q.say(hearsay.Event{At: now, Text: fmt.Sprintf("at most %d of %d seeds have kept their part of this ledger, and %d are needed: %s", able, len(q.cfg.Seeds), q.Needed(), right)})
	}
}

// lastUsed is what is safe where no quorum can give a seat: a copy would have
// forgotten what was promised.
func lastUsed(seeds, directories string) string {
	return "start " + seeds + " with " + directories + " used last, not with a copy; if that is lost, see `hearsay seed recover`"
}

// left counts the seeds that may take part in this one's founding still, and who
// of them may have its beginning.
func (q *Quorum) left(now time.Time) (able, holders int) {
	for slot := range q.cfg.Seeds {
		h, seat := &q.seats.heard[slot], q.seats.known[slot].seat
		switch {
		case slot == q.cfg.Slot:
			able++
			if q.state != nil {
				holders++
			}
		case seat.Life.IsZero(): // who has not come yet gets its seat by a ruling
		case !h.justNow(now):
			able++
			holders++ // for all that is known
		case h.founding == q.founding || h.seat == seat && h.founding.IsZero():
			able++
			if h.founded {
				holders++
			}
		}
	}
	return able, holders
}

// giveUp begins a new life with nothing, by one record: should a crash lose that,
// the old life is back with all that it has promised. What else there is of it
// goes when the new one takes part in something (named). By then the new life is on
// disk, as seeds count only that have answered it.
func (q *Quorum) giveUp() {
	q.newLife()
	q.forgetTrials()
	q.forgetRivals()
	q.state, q.replica, q.asked, q.given, q.foundAt = nil, nil, nil, nil, time.Time{}
	q.chain, q.reading = q.newChain(), reading{}
	q.seats, q.walk = seats{}, walk{}
	q.headOf, q.proven = 0, 0
}

// otherFounding says that another network has been founded than the one whose
// ledger is here, if a seed says so: an operator vouched for who was not there.
func (q *Quorum) otherFounding(now time.Time, m *hearsay.SeatHello) {
	if !m.Founded || m.Founding.IsZero() || m.Founding == q.founding || q.seats.why != "" || q.Ready() || q.unborn() {
		return
	}
	q.wait(now, m, fmt.Sprintf("the seed at %v belongs to another founding of this network than the ledger here, which ends with epoch %d: "+
		"to take part, start this seed with an empty data directory; if this ledger is the right one, start the others with empty ones, and see `hearsay seed recover`",
		q.cfg.Seeds[m.Slot].Addr, q.state.Epoch))
}

// promised reports whether this life may have promised something in its
// founding, of which it has nothing: it was named, and has voted. If the vote is
// its own, it was its own founding, which a crash has torn away before anybody
// was told.
func (q *Quorum) promised(l *loaded) bool {
	return !q.founding.IsZero() && l.hard.Term > 1 && l.hard.Vote != q.seat().RaftID(q.cfg.Network)
}

// leftBehind reports whether a state is of a founding that was given up: with
// nothing after it, and by another life. Later lives come by a ruling.
func (q *Quorum) leftBehind(s *ledger.State, l *loaded) bool {
	return s.Epoch == 0 && len(l.run(ledger.FoundingIndex, ledger.FoundingTerm)) == 0 &&
		!slices.ContainsFunc(s.Founding, func(seat hearsay.Seat) bool { return seat.Life == q.life })
}

// sweepAll drops what is on disk of a log.
func (q *Quorum) sweepAll(l *loaded) {
	for _, kept := range l.snapshots {
		q.persist(&hearsay.KeptSnapshot{Snapshot: &hearsay.LogSnapshot{Index: kept.Snapshot.Index}, Dropped: true})
	}
	for _, kept := range l.entries {
		q.persist(&hearsay.KeptEntry{Entry: hearsay.LogEntry{Index: kept.Entry.Index}, Dropped: true})
	}
}
