package quorum

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
)

// founder founds the network, and begins anew where its quorum is lost for ever.
type founder struct {
	seed *Quorum

	foundAt time.Time // this seed founds with the seeds that it has met, unless something changes; zero: it does not
	saidAt  time.Time // that it waits
}

// found begins a log at an index with a state that this seed brings, and with
// the seats of that state as voters.
func (fd *founder) found(now time.Time, s *ledger.State, index, term uint64) {
	// a founding that it had taken part in before would be known to the seeds that it met
	fd.seed.state, fd.seed.diskCheck.told = s, false
	if s.Epoch == 0 {
		fd.seed.chain.Restart(0, s.Head)
	}
	fd.seed.chain.Begin(s.Began)
	config := &raftpb.ConfState{}
	var absent []string
	for slot, seat := range s.Seats {
		fd.seed.seats.place(fd.seed.cfg.Network, seat, 0)
		config.Voters = append(config.Voters, seat.RaftID(fd.seed.cfg.Network))
		if seat.Life.IsZero() {
			absent = append(absent, fd.seed.cfg.Seeds[slot].Addr.String())
		} else {
			fd.seed.driver.persist(&core.SeedPin{Seat: seat})
		}
	}
	fd.seed.records.takePart(s.Began)
	fd.seed.seats.why = ""
	log := fd.seed.records.emptyLog()
	log.restore(index, term, config)
	log.hard = &raftpb.HardState{Term: new(term), Vote: new(uint64(0)), Commit: new(index)}
	if fd.seed.replica != nil {
		log.commits = fd.seed.replica.log.commits // a crash may leave the old log, and of this one only the state
	}
	fd.seed.replica = newReplica(&fd.seed.cfg, fd.seed.seat().RaftID(fd.seed.cfg.Network), log)
	fd.seed.driver.persist(log.state())
	fd.seed.records.keepSnapshot()
	e := hearsay.Event{At: now, Kind: hearsay.EventSeatFounded, Subject: fd.seed.signer.Public().NodeID(), Count: len(s.Seats) - len(absent), Epoch: s.Epoch}
	if len(absent) > 0 {
		e.Text = "by an operator's word that no ledger is at " + strings.Join(absent, ", ")
	}
	fd.seed.event(e)
	for slot := range fd.seed.others() {
		fd.seed.seats.hello(now, slot) // it tells who sits where
	}
	_ = fd.seed.replica.node.Campaign() // refused only by who has no seat
	fd.seed.driver.work(now)
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
func (fd *founder) tryFound(now time.Time) {
	if fd.seed.state != nil || fd.seed.replica != nil || fd.seed.cfg.Recover {
		return
	}
	seats, met := fd.whoIsThere(now)
	switch why := fd.mayNotFound(now, met); {
	case why == "" && met == len(seats) && fd.seed.cfg.Slot == 0:
	case !fd.seed.cfg.Found:
		fd.missSome(now, met)
		return
	case why != "":
		fd.foundAt = time.Time{}
		fd.sayAgain(now, strings.Join(append([]string{why}, fd.seed.mismatches.All(now)...), "; "))
		return
	case fd.foundAt.IsZero():
		patience := foundAfter + time.Duration(fd.seed.cfg.Slot)*foundApart
		fd.foundAt = now.Add(patience)
		fd.sayAgain(now, fmt.Sprintf("%d of %d seeds were met, none has a ledger: it founds the network in %v, unless it hears of one", met, len(seats), patience))
		return
	case now.Before(fd.foundAt):
		return
	}
	fd.found(now, ledger.NewState(fd.seed.cfg.Network, fd.seed.signer, seats), ledger.FoundingIndex, ledger.FoundingTerm)
}

// missSome says, when that has lasted for a while, that not all have come, and
// what an operator can do.
func (fd *founder) missSome(now time.Time, met int) {
	switch why := fd.takenPart(now); {
	case why == "" && met == len(fd.seed.cfg.Seeds):
		fd.seed.seats.why = fmt.Sprintf("all %d seeds were met: the one at %v founds the network", met, fd.seed.cfg.Seeds[0].Addr)
	case !fd.lasting(now, missAfter):
	case why != "":
		fd.seed.seats.say(hearsay.Event{At: now, Text: why})
	default:
		fd.sayAgain(now, fd.seed.seats.notFounded(now, met))
	}
}

// lasting reports whether what a seed waits for before there is a ledger has
// lasted for so long, so that something should be said.
func (fd *founder) lasting(now time.Time, long time.Duration) bool {
	if fd.saidAt.IsZero() {
		fd.saidAt = now
	}
	return now.Sub(fd.saidAt) >= long
}

// takenPart says which seed takes part in a founding already, if one does that
// was met just now.
func (fd *founder) takenPart(now time.Time) string {
	if slot := fd.otherVersionHas(now); slot >= 0 {
		return fmt.Sprintf("the seed at %v has a ledger, and runs another version of hearsay", fd.seed.cfg.Seeds[slot].Addr)
	}
	for slot := range fd.seed.cfg.Seeds {
		switch h := &fd.seed.seats.heard[slot]; {
		case slot == fd.seed.cfg.Slot || !h.justNow(now):
		case h.founded:
			return fd.seed.seats.notNamed(now)
		case !h.founding.IsZero():
			return fmt.Sprintf("the seed at %v takes part in a founding already", fd.seed.cfg.Seeds[slot].Addr)
		}
	}
	return ""
}

// mayNotFound says why a network cannot be founded with so many seeds that have
// been met, this one among them, if so.
func (fd *founder) mayNotFound(now time.Time, met int) string {
	if why := fd.takenPart(now); why != "" {
		return why
	}
	needed := fd.seed.Needed()
	if len(fd.seed.cfg.Seeds) <= 2 {
		needed = len(fd.seed.cfg.Seeds) // afterwards nobody could be given a seat
	}
	if met < needed {
		return fmt.Sprintf("%d of %d seeds were met, %d are needed to found the network: start more of them", met, len(fd.seed.cfg.Seeds), needed)
	}
	return ""
}

// sayAgain says what a founding waits for, every now and then.
func (fd *founder) sayAgain(now time.Time, why string) {
	if now.Sub(fd.saidAt) >= foundSayEvery {
		fd.seed.seats.why = ""
	}
	if why != fd.seed.seats.why {
		fd.saidAt = now
		fd.seed.seats.say(hearsay.Event{At: now, Text: why})
	}
}

// whoIsThere gives the seats as they were met just now, and how many were.
func (fd *founder) whoIsThere(now time.Time) (seats []hearsay.Seat, met int) {
	seats = make([]hearsay.Seat, len(fd.seed.cfg.Seeds))
	for slot := range fd.seed.cfg.Seeds {
		seats[slot].Slot = uint8(slot)
		if h := &fd.seed.seats.heard[slot]; slot == fd.seed.cfg.Slot {
			seats[slot] = fd.seed.seat()
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
	if q.founder.beganAnew(now) {
		return fmt.Sprintf("the ledger has begun anew with epoch %d already, with the seeds that answer now", q.state.Epoch), nil
	}
	for slot := range q.cfg.Seeds {
		switch h := &q.seats.heard[slot]; {
		case slot == q.cfg.Slot:
		case q.seats.unlike[slot].justNow(now):
			return "", fmt.Errorf("recover: the seed at %v runs another version of hearsay: start it with this one, and an empty data directory", q.cfg.Seeds[slot].Addr)
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
	q.records.newLife()
	seats, _ := q.founder.whoIsThere(now)
	s := ledger.ReadSnapshot(q.cfg.Network, q.signer, old.AppendSnapshot(nil))
	for _, c := range s.Cases {
		s.GiveBack(c)
	}
	s.Cases, s.Seats = nil, seats
	s.Usage.Reseat(len(seats), q.cfg.Slot, now.UnixMilli())
	s.Derive()
	index := log.last() + recoverGap
	r := s.Rule(&hearsay.Ruling{Kind: hearsay.RulingRecover, Seats: seats, Case: hearsay.CaseID(index * hearsay.CasesAnEntry), At: now.UnixMilli()})
	q.ballots.forgetChecks()
	q.requests.asked = nil
	q.heads.keep(r, nil)
	q.seats.recall([]*hearsay.Ruling{r})
	q.cfg.Recover = false
	q.heads.forgetRivals()
	q.founder.found(now, s, index, log.hard.GetTerm()+1)
	e := ledger.Ruled(now, r, 0) // an operator's word: no ballots are needed
	e.Text = givenUp
	q.event(e)
	return givenUp, nil
}

// beganAnew reports whether the newest ruling is a recovery with just those in the seats that answer now, of which none
// takes part in anything else: it was ended before it could say so.
func (fd *founder) beganAnew(now time.Time) bool {
	newest := fd.seed.chain.Entry(fd.seed.state.Epoch)
	if newest == nil || newest.Ruling.Kind != hearsay.RulingRecover {
		return false
	}
	seats, met := fd.whoIsThere(now)
	for slot := range fd.seed.others() {
		if f := fd.seed.seats.heard[slot].founding; !f.IsZero() && f != fd.seed.founding {
			return false
		}
	}
	return met == len(seats) && slices.Equal(seats, fd.seed.state.Seats)
}

// unborn reports whether this life takes part in a founding of which nothing
// has come yet: it has confirmed nothing but the founding itself.
func (fd *founder) unborn() bool {
	switch {
	case fd.seed.replica == nil:
		return false
	case fd.seed.state == nil:
		return true
	}
	return fd.seed.state.Epoch == 0 && fd.seed.replica.log.last() == ledger.FoundingIndex
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
func (fd *founder) tryGiveUp(now time.Time) {
	if fd.seed.replica == nil || fd.seed.cfg.Recover || fd.seed.state != nil && fd.seed.replica.leader() != 0 {
		return
	}
	able, holders := fd.left(now)
	switch {
	case able >= fd.seed.Needed() && holders > 0:
		if fd.unborn() && fd.lasting(now, foundSayEvery) && fd.seed.seats.why == "" {
			fd.seed.seats.say(hearsay.Event{At: now, Text: "nothing has come yet of the founding that this seed takes part in, for want of a quorum of those who were there: " +
				"start them; if so many are lost for ever, start this seed with an empty data directory"})
		}
	case fd.unborn():
		fd.giveUp()
		fd.seed.seats.say(hearsay.Event{At: now, Text: "the founding that this seed took part in came to nothing; it has given that up, and begins as with an empty directory"})
	case fd.seed.seats.why == "":
		right := lastUsed("the others", "the data directories that they")
		if fd.seed.state.Epoch == 0 {
			right = "nothing was ruled yet: start this seed with an empty data directory"
		}
		fd.seed.seats.say(hearsay.Event{At: now, Text: fmt.Sprintf("at most %d of %d seeds have kept their part of this ledger, and %d are needed: %s", able, len(fd.seed.cfg.Seeds), fd.seed.Needed(), right)})
	}
}

// lastUsed is what is safe where no quorum can give a seat: a copy would have
// forgotten what was promised.
func lastUsed(seeds, directories string) string {
	return "start " + seeds + " with " + directories + " used last, not with a copy; if that is lost, see `hearsay seed recover`"
}

// left counts the seeds that may take part in this one's founding still, and who
// of them may have its beginning.
func (fd *founder) left(now time.Time) (able, holders int) {
	for slot := range fd.seed.cfg.Seeds {
		h, seat := &fd.seed.seats.heard[slot], fd.seed.seats.known[slot].seat
		switch {
		case slot == fd.seed.cfg.Slot:
			able++
			if fd.seed.state != nil {
				holders++
			}
		case seat.Life.IsZero(): // who has not come yet gets its seat by a ruling
		case !h.justNow(now):
			able++
			holders++ // for all that is known
		case h.founding == fd.seed.founding || h.seat == seat && h.founding.IsZero():
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
func (fd *founder) giveUp() {
	fd.seed.records.newLife()
	fd.seed.ballots.forgetChecks()
	fd.seed.heads.forgetRivals()
	fd.seed.state, fd.seed.replica, fd.seed.requests.asked, fd.seed.given, fd.foundAt = nil, nil, nil, nil, time.Time{}
	fd.seed.chain, fd.seed.reading = fd.seed.newChain(), reading{seed: fd.seed}
	fd.seed.seats, fd.seed.walk = seats{seed: fd.seed}, ledger.Walk{}
	fd.seed.heads.headOf, fd.seed.heads.proven = 0, 0
}

// otherFounding says that another network has been founded than the one whose
// ledger is here, if a seed says so: an operator vouched for who was not there.
func (fd *founder) otherFounding(now time.Time, m *core.SeatHello) {
	if !m.Founded || m.Founding.IsZero() || m.Founding == fd.seed.founding || fd.seed.seats.why != "" || fd.seed.Ready() || fd.unborn() {
		return
	}
	fd.seed.seats.wait(now, m, fmt.Sprintf("the seed at %v belongs to another founding of this network than the ledger here, which ends with epoch %d: "+
		"to take part, start this seed with an empty data directory; if this ledger is the right one, start the others with empty ones, and see `hearsay seed recover`",
		fd.seed.cfg.Seeds[m.Slot].Addr, fd.seed.state.Epoch))
}

// promised reports whether this life may have promised something in its
// founding, of which it has nothing: it was named, and has voted. If the vote is
// its own, it was its own founding, which a crash has torn away before anybody
// was told.
func (fd *founder) promised(l *loaded) bool {
	return !fd.seed.founding.IsZero() && l.hard.Term > 1 && l.hard.Vote != fd.seed.seat().RaftID(fd.seed.cfg.Network)
}

// leftBehind reports whether a state is of a founding that was given up: with
// nothing after it, and by another life. Later lives come by a ruling.
func (fd *founder) leftBehind(s *ledger.State, l *loaded) bool {
	return s.Epoch == 0 && len(l.run(ledger.FoundingIndex, ledger.FoundingTerm)) == 0 &&
		!slices.ContainsFunc(s.Founding, func(seat hearsay.Seat) bool { return seat.Life == fd.seed.life })
}

// sweepAll drops what is on disk of a log.
func (fd *founder) sweepAll(l *loaded) {
	for _, kept := range l.snapshots {
		fd.seed.driver.persist(&core.KeptSnapshot{Snapshot: &core.LogSnapshot{Index: kept.Snapshot.Index}, Dropped: true})
	}
	for _, kept := range l.entries {
		fd.seed.driver.persist(&core.KeptEntry{Entry: core.LogEntry{Index: kept.Entry.Index}, Dropped: true})
	}
}
