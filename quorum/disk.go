package quorum

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
)

// records is what this seed keeps on its disk, and finds there.
type records struct {
	seed *Quorum
}

// loaded is what a data directory holds for this package.
type loaded struct {
	life      *core.SeedLife
	hard      core.LogState
	entries   []*core.KeptEntry    // ascending by index
	snapshots []*core.KeptSnapshot // ascending by index
	rulings   []*core.KeptRuling   // ascending by epoch
	beyond    uint64               // a term that no log comes to; its records are left out. 0: there is none
}

func sort(q *Quorum, records []core.Record) (l loaded) {
	for _, record := range records {
		if term := termOf(record); term > termMost {
			l.beyond = term
			if state, is := record.(*core.LogState); is {
				l.hard.Commits = state.Commits
			}
			continue
		}
		switch r := record.(type) {
		case *core.SeedLife:
			l.life = r
		case *core.SeedPin:
			q.seats.place(q.cfg.Network, r.Seat, r.Since)
		case *core.LogState:
			l.hard = *r
		case *core.KeptEntry:
			l.entries = append(l.entries, r)
		case *core.KeptSnapshot:
			l.snapshots = append(l.snapshots, r)
		case *core.KeptRuling:
			l.rulings = append(l.rulings, r)
		case *core.KeptHead:
			q.chain.Ahead[r.Head.Slot] = r.Head
		case *core.KeptRival:
			q.chain.Rivals[r.Slot] = r.Rival
		}
	}
	slices.SortFunc(l.entries, func(a, b *core.KeptEntry) int { return cmp.Compare(a.Entry.Index, b.Entry.Index) })
	slices.SortFunc(l.snapshots, func(a, b *core.KeptSnapshot) int { return cmp.Compare(a.Snapshot.Index, b.Snapshot.Index) })
	slices.SortFunc(l.rulings, func(a, b *core.KeptRuling) int { return cmp.Compare(a.Ruling.Epoch, b.Ruling.Epoch) })
	return l
}

// termOf gives the term of a record of the log, or 0.
func termOf(record core.Record) uint64 {
	switch r := record.(type) {
	case *core.LogState:
		return r.Term
	case *core.KeptEntry:
		return r.Entry.Term
	case *core.KeptSnapshot:
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
func (l *loaded) run(index, term uint64) []*core.KeptEntry {
	at, _ := slices.BinarySearchFunc(l.entries, index+1, func(e *core.KeptEntry, index uint64) int { return cmp.Compare(e.Entry.Index, index) })
	end := at
	for end < len(l.entries) && follows(l.entries[end], index, term) {
		index, term = l.entries[end].Entry.Index, l.entries[end].Entry.Term
		end++
	}
	return l.entries[at:end]
}

// follows reports whether an entry was written behind one of this index and term.
func follows(kept *core.KeptEntry, index, term uint64) bool {
	return kept.Entry.Index == index+1 && kept.Entry.Term >= term && (kept.Before == term || kept.Before == 0)
}

// leadsTo reports whether the entries from one snapshot on come to what another was taken of.
func (l *loaded) leadsTo(from, to *core.LogSnapshot) bool {
	run := l.run(from.Index, from.Term)
	at := to.Index - from.Index
	return at == 0 || at <= uint64(len(run)) && run[at-1].Entry.Term == to.Term
}

// choose gives the snapshot to begin with: the newest, or one before it from
// which entries lead up to it, if the ledger on disk is complete only as of
// that one, or heads prove only that one: it is what a seed is given that is behind.
// A crash may have torn apart what was not synced yet: a recovery without its ruling never was. One that cannot be read
// is an error: without it the seed would begin with less than it has promised, or with nothing.
func (l *loaded) choose(q *Quorum) (s *ledger.State, from *core.LogSnapshot, err error) {
	var newest *core.LogSnapshot
	whole := false
	for at, kept := range slices.Backward(l.snapshots) {
		candidate := ledger.ReadSnapshot(q.cfg.Network, q.signer, kept.Snapshot.Data)
		if candidate == nil {
			return nil, nil, otherVersion("state of the ledger", kept.Snapshot.Index, kept.Snapshot.Data, ledger.SnapshotVersion)
		}
		complete := candidate.Epoch == 0 || slices.ContainsFunc(l.rulings, func(r *core.KeptRuling) bool {
			return r.Ruling.Epoch == candidate.Epoch && r.Ruling.Hash(q.cfg.Network) == candidate.Head
		})
		if !complete && at > 0 && candidate.Head == candidate.Began {
			continue // a recovery without its ruling: nothing of it has been sent
		}
		if newest == nil {
			newest = kept.Snapshot
		} else if !l.leadsTo(kept.Snapshot, newest) {
			continue
		}
		proven := complete && q.records.provable(candidate)
		if !whole || proven {
			s, from, whole = candidate, kept.Snapshot, complete
		}
		if proven {
			break
		}
	}
	for _, kept := range l.entries {
		if !ofThisVersion(&kept.Entry) { // it would change nothing, where it has changed something before
			return nil, nil, otherVersion("log", kept.Entry.Index, kept.Entry.Data, ledger.LogVersion)
		}
	}
	return s, from, nil
}

// provable reports whether there are heads of a quorum that are no older than a state.
func (d *records) provable(s *ledger.State) bool {
	heads := 0
	for slot := range d.seed.cfg.Seeds {
		if d.seed.chain.Ahead[slot].Epoch >= s.Epoch {
			heads++
		}
	}
	return heads >= d.seed.Needed() // of epoch 0 none is needed
}

// indices gives those of the snapshots.
func (l *loaded) indices() (indices []uint64) {
	for _, kept := range l.snapshots {
		indices = append(indices, kept.Snapshot.Index)
	}
	return indices
}

// otherVersion says that something on disk cannot be read: its checksum holds, so a program with
// other rules wrote it. Its first byte names its version.
func otherVersion(what string, index uint64, data []byte, reads byte) error {
	has := ""
	if len(data) > 0 && data[0] != reads {
		has = fmt.Sprintf(" (format %d, and this one reads %d)", data[0], reads)
	}
	return fmt.Errorf("seeds: the %s in this data directory cannot be read as of entry %d: another version of hearsay wrote it%s, so use that one; "+
		"or if a quorum of other seeds runs with this version, start this one with an empty data directory", what, index, has)
}

// load takes up what earlier lives of the process have left. What was applied
// then is applied again, quietly.
func (d *records) load(now time.Time, records []core.Record) error {
	l := sort(d.seed, records)
	if l.life == nil {
		d.newLife() // and what else is there belongs to a life that is lost
		return nil
	}
	if l.beyond > 0 && !d.seed.cfg.Recover {
		return fmt.Errorf("seeds: the log in this data directory is of term %d, and no log comes to more than %d: if other seeds run, "+
			"start this one with an empty data directory; if none does, keep it, and see `hearsay seed recover`", l.beyond, uint64(termMost))
	}
	d.seed.life, d.seed.founding = l.life.Life, l.life.Founding
	d.seed.diskCheck.told, d.seed.diskCheck.waited = l.life.Doubt, l.life.Waited
	// the list was wrong when it was first started, and nothing came of that
	if l.life.Config != d.seed.cfg.hash() && !d.seed.cfg.Recover && l.bare() {
		d.seed.seats = seats{seed: d.seed}
		d.newLife()
		return nil
	}
	if err := d.seed.seats.relisted(l.life); err != nil {
		return err
	}
	s, from, err := l.choose(d.seed)
	if err != nil {
		return err
	}
	log := d.emptyLog()
	log.hard = &raftpb.HardState{Term: new(l.hard.Term), Vote: new(l.hard.Vote), Commit: new(uint64(0))}
	if s != nil && d.seed.founder.leftBehind(s, &l) {
		d.seed.founder.sweepAll(&l)
		s = nil
	}
	if s == nil {
		if d.seed.founder.promised(&l) { // it had a seat, and has got nothing yet
			d.seed.chain.Begin(d.seed.founding)
			d.seed.replica = newReplica(&d.seed.cfg, d.seed.seat().RaftID(d.seed.cfg.Network), log)
		} else {
			d.seed.founding = hearsay.Hash{}
		}
		return nil
	}
	d.seed.state = s
	d.seed.founding = s.Began
	log.restore(from.Index, from.Term, raftConfig(&from.Config))
	run := l.run(from.Index, from.Term)
	for _, kept := range run {
		log.append([]*raftpb.Entry{raftEntry(&kept.Entry)})
	}
	settle(log, &l)
	d.seed.chain.Load(s, l.rulings)
	d.seed.chain.Begin(s.Began)
	for _, kept := range l.rulings {
		if kept.Ruling.Epoch >= d.seed.chain.Lowest && kept.Ruling.Epoch <= s.Epoch {
			d.seed.seats.recall([]*hearsay.Ruling{kept.Ruling})
		}
	}
	d.know(from.Index)
	d.sweep(&l, from.Index, uint64(len(run)))
	d.seed.quiet = true
	d.seed.replica = newReplica(&d.seed.cfg, d.seed.seat().RaftID(d.seed.cfg.Network), log)
	d.seed.replica.snapshots = l.indices()
	d.seed.offers.store(from.Index, from.Term, log.config, from.Data)
	for _, c := range d.seed.state.Cases {
		d.seed.ballots.begin(now, c)
	}
	d.seed.driver.work(now)
	d.seed.quiet, d.seed.mayLag = false, d.seed.state.Epoch > 0
	d.seed.heads.proven = d.seed.chain.Proven()
	return d.anothers()
}

// anothers says whose ledger this is, if another seed of the list sits in its
// seat with this key: two would be one.
func (d *records) anothers() error {
	for i := range d.seed.state.Seats {
		if d.seed.state.Seats[i].Key == d.seed.signer.Public() && i != d.seed.cfg.Slot && !d.seed.cfg.Recover {
			return fmt.Errorf("seeds: this data directory belongs to the seed at %v, not to the one at %v: use that address, or a directory of its own",
				d.seed.cfg.Seeds[i].Addr, d.seed.cfg.Seeds[d.seed.cfg.Slot].Addr)
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
		if index, known := log.committed(core.LogPlace{Term: kept.Snapshot.Term, Index: kept.Snapshot.Index}); known {
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
func (d *records) sweep(l *loaded, base, run uint64) {
	for _, kept := range l.entries {
		if index := kept.Entry.Index; index > base+run || len(l.snapshots) > 0 && index <= l.snapshots[0].Snapshot.Index {
			d.seed.driver.persist(&core.KeptEntry{Entry: core.LogEntry{Index: index}, Dropped: true})
		}
	}
}

// newLife draws a life and keeps it.
func (d *records) newLife() {
	for d.seed.life = (hearsay.Life{}); d.seed.life.IsZero(); {
		for i := range d.seed.life {
			d.seed.life[i] = byte(d.seed.random.Uint32())
		}
	}
	d.seed.founding, d.seed.diskCheck = hearsay.Hash{}, diskCheck{seed: d.seed} // nobody has promised anything with it
	d.keepLife()
}

// takePart keeps in which founding this life takes part, before it says or
// promises anything there. What others have said before does not count for it.
func (d *records) takePart(founding hearsay.Hash) {
	d.seed.founding, d.seed.founder.saidAt = founding, time.Time{}
	d.seed.seats.heard = [hearsay.MaxSeeds]heard{}
	d.seed.seats.early = d.seed.seats.nonces // what was asked before may be answered as of before
	d.keepLife()
}

func (d *records) keepLife() {
	life := &core.SeedLife{Life: d.seed.life, Config: d.seed.cfg.hash(), Founding: d.seed.founding, Doubt: !d.seed.diskCheck.until.IsZero() || d.seed.diskCheck.told, List: ledger.Addrs(d.seed.cfg.Seeds)}
	if life.Doubt {
		life.Waited = d.seed.diskCheck.waited
	}
	d.seed.driver.persist(life)
}

func (d *records) emptyLog() *storage {
	return &storage{hard: &raftpb.HardState{}, config: &raftpb.ConfState{}, snapshot: d.seed.offers.snapshot}
}

// know takes the seats from the state, but for those of which a newer ruling
// is known than the state's index.
func (d *records) know(index uint64) {
	for _, seat := range d.seed.state.Seats {
		if o := &d.seed.seats.known[seat.Slot]; o.seat != seat && (o.since == 0 || o.since.Index() <= index) {
			d.seed.seats.sit(seat, 0)
		}
	}
}

// restore takes the place of everything by a snapshot that the leader sent, and heads have
// proven (offers).
func (d *records) restore(now time.Time, snapshot *raftpb.Snapshot) {
	meta, log := snapshot.GetMetadata(), d.seed.replica.log
	old, bars := log.last(), []hearsay.Bar(nil)
	if d.seed.state != nil {
		bars = d.seed.state.Barred
	}
	d.seed.replica.applying = applying{}
	d.seed.state = d.seed.replica.taken
	log.restore(meta.GetIndex(), meta.GetTerm(), meta.GetConfState())
	for index := meta.GetIndex() + 1; index <= old; index++ {
		d.seed.driver.persist(&core.KeptEntry{Entry: core.LogEntry{Index: index}, Dropped: true})
	}
	d.seed.replica.proven, d.seed.replica.next = nil, nil
	d.keepSnapshot()
	d.know(meta.GetIndex())
	d.seed.chain.Restart(d.seed.state.Epoch, d.seed.state.Head)
	d.seed.chain.Begin(d.seed.state.Began)
	d.seed.ballots.forgetChecks()
	for _, c := range d.seed.state.Cases {
		d.seed.ballots.begin(now, c)
	}
	d.seed.event(hearsay.Event{At: now, Kind: hearsay.EventRosterProven, Epoch: d.seed.state.Epoch, Count: d.seed.state.Members.Count})
	d.seed.ballots.rebarred(now, bars)
}

// keepSnapshot keeps the state on disk. Entries go only when two snapshots lie
// behind them: the newest may be in the same write as this one, and a crash
// may take that apart.
func (d *records) keepSnapshot() {
	r, log := d.seed.replica, d.seed.replica.log
	term, _ := log.Term(log.applied)
	data := d.seed.state.AppendSnapshot(nil)
	d.seed.driver.persist(&core.KeptSnapshot{Snapshot: &core.LogSnapshot{
		Index: log.applied, Term: term, Config: logConfig(log.config), Size: uint32(len(data)), Data: data,
	}})
	r.since = 0
	r.snapshots = append(r.snapshots, log.applied)
	d.seed.offers.store(log.applied, term, log.config, data)
	if len(r.snapshots) < 2 {
		return
	}
	end := d.seed.offers.needless()
	d.seed.offers.dropSnapshots()
	if end > log.base {
		for index := log.base + 1; index <= end; index++ {
			d.seed.driver.persist(&core.KeptEntry{Entry: core.LogEntry{Index: index}, Dropped: true})
		}
		log.compact(end)
	}
}

func (d *records) snapshotIfDue() {
	r := d.seed.replica
	if d.seed.state == nil || r.log.applied <= r.log.base || r.log.partly || d.seed.quiet {
		return
	}
	if r.since >= d.seed.cfg.SnapshotEvery || r.log.bytes >= 2*d.seed.cfg.SnapshotBytes && r.since > 0 {
		d.keepSnapshot()
	}
}
