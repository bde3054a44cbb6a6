package quorum

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/ledger"
)

// loaded is what a data directory holds for this package.
type loaded struct {
	life      *hearsay.SeedLife
	hard      hearsay.LogState
	entries   []*hearsay.KeptEntry    // ascending by index
	snapshots []*hearsay.KeptSnapshot // ascending by index
	rulings   []*hearsay.KeptRuling   // ascending by epoch
	beyond    uint64                  // a term that no log comes to; its records are left out. 0: there is none
}

func sort(q *Quorum, records []hearsay.Record) (l loaded) {
	for _, record := range records {
		if term := termOf(record); term > termMost {
			l.beyond = term
			if state, is := record.(*hearsay.LogState); is {
				l.hard.Commits = state.Commits
			}
			continue
		}
		switch r := record.(type) {
		case *hearsay.SeedLife:
			l.life = r
		case *hearsay.SeedPin:
			q.seats.sit(q.cfg.Network, r.Seat, r.Since)
		case *hearsay.LogState:
			l.hard = *r
		case *hearsay.KeptEntry:
			l.entries = append(l.entries, r)
		case *hearsay.KeptSnapshot:
			l.snapshots = append(l.snapshots, r)
		case *hearsay.KeptRuling:
			l.rulings = append(l.rulings, r)
		case *hearsay.KeptHead:
			q.chain.Ahead[r.Head.Slot] = r.Head
		case *hearsay.KeptRival:
			q.chain.Rivals[r.Slot] = r.Rival
		}
	}
	slices.SortFunc(l.entries, func(a, b *hearsay.KeptEntry) int { return cmp.Compare(a.Entry.Index, b.Entry.Index) })
	slices.SortFunc(l.snapshots, func(a, b *hearsay.KeptSnapshot) int { return cmp.Compare(a.Snapshot.Index, b.Snapshot.Index) })
	slices.SortFunc(l.rulings, func(a, b *hearsay.KeptRuling) int { return cmp.Compare(a.Ruling.Epoch, b.Ruling.Epoch) })
	return l
}

// termOf gives the term of a record of the log, or 0.
func termOf(record hearsay.Record) uint64 {
	switch r := record.(type) {
	case *hearsay.LogState:
		return r.Term
	case *hearsay.KeptEntry:
		return r.Entry.Term
	case *hearsay.KeptSnapshot:
		return r.Snapshot.Term
	}
	return 0
}

// bare reports whether this life has taken part in nothing.
func (l *loaded) bare() bool {
	return l.life.Founding.IsZero() && len(l.snapshots) == 0 && len(l.entries) == 0 && len(l.rulings) == 0
}

// run gives the entries that follow an entry, and each other. One that was written when the entry before it was
// another is of another log: a crash may have kept it, and torn away what it followed or what took its place.
func (l *loaded) run(index, term uint64) []*hearsay.KeptEntry {
	at, _ := slices.BinarySearchFunc(l.entries, index+1, func(e *hearsay.KeptEntry, index uint64) int { return cmp.Compare(e.Entry.Index, index) })
	end := at
	for end < len(l.entries) && follows(l.entries[end], index, term) {
		index, term = l.entries[end].Entry.Index, l.entries[end].Entry.Term
		end++
	}
	return l.entries[at:end]
}

// follows reports whether an entry was written behind one of this index and term.
func follows(kept *hearsay.KeptEntry, index, term uint64) bool {
	return kept.Entry.Index == index+1 && kept.Entry.Term >= term && (kept.Before == term || kept.Before == 0)
}

// leadsTo reports whether the entries from one snapshot on come to what another was taken of.
func (l *loaded) leadsTo(from, to *hearsay.LogSnapshot) bool {
	run := l.run(from.Index, from.Term)
	at := to.Index - from.Index
	return at == 0 || at <= uint64(len(run)) && run[at-1].Entry.Term == to.Term
}

// choose gives the snapshot to begin with: the newest, or one before it from
// which entries lead up to it, if the ledger on disk is complete only as of
// that one, or heads prove only that one: it is what a seed is given that is behind.
// A crash may have torn apart what was not synced yet. One that cannot be read
// is an error: without it the seed would begin with less than it has promised, or with nothing.
func (l *loaded) choose(q *Quorum) (s *ledger.State, from *hearsay.LogSnapshot, err error) {
	var newest *hearsay.LogSnapshot
	whole := false
	for _, kept := range slices.Backward(l.snapshots) {
		candidate := ledger.ReadSnapshot(q.cfg.Network, q.signer, kept.Snapshot.Data)
		if candidate == nil {
			return nil, nil, otherVersion("state of the ledger", kept.Snapshot.Index)
		}
		complete := candidate.Epoch == 0 || slices.ContainsFunc(l.rulings, func(r *hearsay.KeptRuling) bool { return r.Ruling.Epoch == candidate.Epoch })
		if newest == nil {
			newest = kept.Snapshot
		} else if !l.leadsTo(kept.Snapshot, newest) {
			continue
		}
		proven := complete && q.provable(candidate)
		if !whole || proven {
			s, from, whole = candidate, kept.Snapshot, complete
		}
		if proven {
			break
		}
	}
	for _, kept := range l.entries {
		if !ofThisVersion(&kept.Entry) { // it would change nothing, where it has changed something before
			return nil, nil, otherVersion("log", kept.Entry.Index)
		}
	}
	return s, from, nil
}

// provable reports whether there are heads of a quorum that are no older than a state.
func (q *Quorum) provable(s *ledger.State) bool {
	heads := 0
	for slot := range q.cfg.Seeds {
		if q.chain.Ahead[slot].Epoch >= s.Epoch {
			heads++
		}
	}
	return heads >= q.Needed() // of epoch 0 none is needed
}

// indices gives those of the snapshots.
func (l *loaded) indices() (indices []uint64) {
	for _, kept := range l.snapshots {
		indices = append(indices, kept.Snapshot.Index)
	}
	return indices
}

// otherVersion says that something on disk cannot be read: its checksum holds, so a program with
// other rules wrote it.
func otherVersion(what string, index uint64) error {
	return fmt.Errorf("seeds: the %s in this data directory cannot be read as of entry %d: another version of hearsay wrote it, so use that one; "+
		"or if a quorum of other seeds runs with this version, start this one with an empty data directory", what, index)
}

// load takes up what earlier lives of the process have left. What was applied
// then is applied again, quietly.
func (q *Quorum) load(now time.Time, records []hearsay.Record) error {
	l := sort(q, records)
	if l.life == nil {
		q.newLife() // and what else is there belongs to a life that is lost
		return nil
	}
	if l.beyond > 0 && !q.cfg.Recover {
		return fmt.Errorf("seeds: the log in this data directory is of term %d, and no log comes to more than %d: if other seeds run, "+
			"start this one with an empty data directory; if none does, keep it, and see `hearsay seed recover`", l.beyond, uint64(termMost))
	}
	q.life, q.founding = l.life.Life, l.life.Founding
	q.doubtful.told, q.doubtful.waited = l.life.Doubt, l.life.Waited
	if l.life.Config != q.cfg.hash() && !q.cfg.Recover && l.bare() { // the list was wrong when it was first started, and nothing came of that
		q.seats = seats{}
		q.newLife()
		return nil
	}
	if err := q.relisted(l.life); err != nil {
		return err
	}
	s, from, err := l.choose(q)
	if err != nil {
		return err
	}
	log := q.emptyLog()
	log.hard = &raftpb.HardState{Term: new(l.hard.Term), Vote: new(l.hard.Vote), Commit: new(uint64(0))}
	if s != nil && q.leftBehind(s, &l) {
		q.sweepAll(&l)
		s = nil
	}
	if s == nil {
		if q.promised(&l) { // it had a seat, and has got nothing yet
			q.chain.Begin(q.founding)
			q.replica = newReplica(&q.cfg, q.seat().RaftID(q.cfg.Network), log)
		} else {
			q.founding = hearsay.Hash{}
		}
		return nil
	}
	q.state = s
	q.founding = s.Began
	log.restore(from.Index, from.Term, raftConfig(&from.Config))
	run := l.run(from.Index, from.Term)
	for _, kept := range run {
		log.append([]*raftpb.Entry{raftEntry(&kept.Entry)})
	}
	settle(log, &l)
	q.chain.Load(s, l.rulings)
	q.chain.Begin(s.Began)
	for _, kept := range l.rulings {
		if kept.Ruling.Epoch >= q.chain.Lowest && kept.Ruling.Epoch <= s.Epoch {
			q.recall([]*hearsay.Ruling{kept.Ruling})
		}
	}
	q.know(from.Index)
	q.sweep(&l, from.Index, uint64(len(run)))
	q.quiet = true
	q.replica = newReplica(&q.cfg, q.seat().RaftID(q.cfg.Network), log)
	q.replica.snapshots = l.indices()
	q.store(from.Index, from.Term, log.config, from.Data)
	for _, c := range q.state.Cases {
		q.try(now, c)
	}
	q.work(now)
	q.quiet, q.mayLag = false, q.state.Epoch > 0
	q.proven = q.chain.Proven()
	return q.anothers()
}

// anothers says whose ledger this is, if another seed of the list sits in its
// seat with this key: two would be one.
func (q *Quorum) anothers() error {
	for i := range q.state.Seats {
		if q.state.Seats[i].Key == q.signer.Public() && i != q.cfg.Slot && !q.cfg.Recover {
			return fmt.Errorf("seeds: this data directory belongs to the seed at %v, not to the one at %v: use that address, or a directory of its own",
				q.cfg.Seeds[i].Addr, q.cfg.Seeds[q.cfg.Slot].Addr)
		}
	}
	return nil
}

// settle makes what was promised fit what is there. Only what was never synced
// can be missing, so nobody was told of it. What is committed begins with what was so before: what is committed is not
// replaced, so a crash takes that away neither from the log nor from what is known of its terms.
// What a snapshot is of was committed, too.
func settle(log *storage, l *loaded) {
	commit, commits := log.base, l.hard.Commits
	for i, place := range slices.Backward(commits) {
		if index, known := log.committed(place); known {
			commit, log.commits = index, slices.Clone(commits[:i])
			break
		}
	}
	for _, kept := range l.snapshots {
		if index, known := log.committed(hearsay.LogPlace{Term: kept.Snapshot.Term, Index: kept.Snapshot.Index}); known {
			commit = max(commit, index)
		}
	}
	log.commit(commit)
	log.hard.Commit = &commit
	if term, err := log.Term(log.last()); err == nil && term > log.hard.GetTerm() {
		log.hard.Term, log.hard.Vote = &term, new(uint64(0))
	}
}

// sweep drops from disk the entries that are of no use any more.
func (q *Quorum) sweep(l *loaded, base, run uint64) {
	for _, kept := range l.entries {
		if index := kept.Entry.Index; index > base+run || len(l.snapshots) > 0 && index <= l.snapshots[0].Snapshot.Index {
			q.persist(&hearsay.KeptEntry{Entry: hearsay.LogEntry{Index: index}, Dropped: true})
		}
	}
}

// newLife draws a life and keeps it.
func (q *Quorum) newLife() {
	for q.life = (hearsay.Life{}); q.life.IsZero(); {
		for i := range q.life {
			q.life[i] = byte(q.random.Uint32())
		}
	}
	q.founding, q.doubtful = hearsay.Hash{}, doubtful{} // nobody has promised anything with it
	q.keepLife()
}

// takePart keeps in which founding this life takes part, before it says or
// promises anything there. What others have said before does not count for it.
func (q *Quorum) takePart(founding hearsay.Hash) {
	q.founding, q.saidAt = founding, time.Time{}
	q.seats.heard = [hearsay.MaxSeeds]heard{}
	q.seats.early = q.seats.nonces // what was asked before may be answered as of before
	q.keepLife()
}

func (q *Quorum) keepLife() {
	life := &hearsay.SeedLife{Life: q.life, Config: q.cfg.hash(), Founding: q.founding, Doubt: !q.doubtful.until.IsZero() || q.doubtful.told, List: q.cfg.addrs()}
	if life.Doubt {
		life.Waited = q.doubtful.waited
	}
	q.persist(life)
}

func (q *Quorum) emptyLog() *storage {
	return &storage{hard: &raftpb.HardState{}, config: &raftpb.ConfState{}, snapshot: q.snapshot}
}

// know takes the seats from the state, but for those of which a newer ruling
// is known than the state's index.
func (q *Quorum) know(index uint64) {
	for _, seat := range q.state.Seats {
		if o := &q.seats.known[seat.Slot]; o.seat != seat && (o.since == 0 || o.since.Index() <= index) {
			q.sit(seat, 0)
		}
	}
}

// restore takes the place of everything by a snapshot that the leader sent, and heads have
// proven (offers).
func (q *Quorum) restore(now time.Time, snapshot *raftpb.Snapshot) {
	meta, log := snapshot.GetMetadata(), q.replica.log
	old := log.last()
	q.replica.applying = applying{}
	q.state = q.replica.taken
	log.restore(meta.GetIndex(), meta.GetTerm(), meta.GetConfState())
	for index := meta.GetIndex() + 1; index <= old; index++ {
		q.persist(&hearsay.KeptEntry{Entry: hearsay.LogEntry{Index: index}, Dropped: true})
	}
	q.replica.proven, q.replica.next = nil, nil
	q.keepSnapshot()
	q.know(meta.GetIndex())
	q.chain.Restart(q.state.Epoch, q.state.Head)
	q.chain.Begin(q.state.Began)
	q.forgetTrials()
	for _, c := range q.state.Cases {
		q.try(now, c)
	}
	q.event(hearsay.Event{At: now, Kind: hearsay.EventRosterProven, Epoch: q.state.Epoch, Count: q.state.Members.Count})
}

// keepSnapshot keeps the state on disk. Entries go only when two snapshots lie
// behind them: the newest may be in the same write as this one, and a crash
// may take that apart.
func (q *Quorum) keepSnapshot() {
	r, log := q.replica, q.replica.log
	term, _ := log.Term(log.applied)
	data := q.state.AppendSnapshot(nil)
	q.persist(&hearsay.KeptSnapshot{Snapshot: &hearsay.LogSnapshot{
		Index: log.applied, Term: term, Config: logConfig(log.config), Size: uint32(len(data)), Data: data,
	}})
	r.since = 0
	r.snapshots = append(r.snapshots, log.applied)
	q.store(log.applied, term, log.config, data)
	if len(r.snapshots) < 2 {
		return
	}
	end := q.needless()
	q.dropSnapshots()
	if end > log.base {
		for index := log.base + 1; index <= end; index++ {
			q.persist(&hearsay.KeptEntry{Entry: hearsay.LogEntry{Index: index}, Dropped: true})
		}
		log.compact(end)
	}
}

func (q *Quorum) snapshotIfDue() {
	r := q.replica
	if q.state == nil || r.log.applied <= r.log.base || r.log.partly || q.quiet {
		return
	}
	if r.since >= q.cfg.SnapshotEvery || r.log.bytes >= 2*q.cfg.SnapshotBytes && r.since > 0 {
		q.keepSnapshot()
	}
}
