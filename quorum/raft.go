package quorum

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Limits of the replicated log.
const (
	maxMessageBytes = 32 << 10 // of entries in a message: to sign it takes 0.2 ms
	maxInflight     = 64       // messages to a seed that has not answered
	// of entries in them: one step may sign all of them. Guess: 1 MB/s where a round trip takes a tenth of a
	// second
	maxInflightBytes = 128 << 10
	snapshotPart     = 128 << 10
	// of a message, at most: no seed sends a longer one, and the signature is of all of it
	verifiedBytes    = 160 << 10
	snapshotPatience = 2 * time.Second // a snapshot that has not been answered may be sent again. Guess

	// partPatience is how long the first parts of a snapshot are kept without one more: as a line
	// of some 50 kbit/s takes for a part. One snapshot a seat is kept at most. Guess.
	partPatience = 20 * time.Second
)

// driver has the library order the log, and applies it.
type driver struct {
	seed *Quorum

	// the last index of the log that was decided before this life, or before this seed led; 0: not known yet,
	// see catchUp
	stood      uint64
	suppliedAt time.Time             // when this life first got entries from a leader; zero: it has not
	faults     [hearsay.MaxSeeds]int // by slot: messages of the log that no correct seed sends
}

// replica is this seed's part in the replicated log: the Raft library, whose
// Ready becomes Effects.
type replica struct {
	node *raft.RawNode
	log  *storage
	id   uint64

	snapshots []uint64             // indices of those on disk, ascending
	taken     *ledger.State        // that of the snapshot that the library is given; nil: it is given none
	proven    *stored              // the newest of those that were taken of which heads prove the ledger; nil: none
	next      *stored              // a newer one, which they do not prove yet; nil: none
	since     int                  // entries applied since the last one
	sent      map[uint64]time.Time // snapshots sent and not answered, by Raft id

	incoming [hearsay.MaxSeeds]*core.Raft       // by slot of the sender: a snapshot of which parts are still to come
	partAt   [hearsay.MaxSeeds]time.Time        // by slot of the sender: when its last part came
	reading  [hearsay.MaxSeeds]*snapshotReading // by slot of the sender: a snapshot that is being read; nil: none
	offers   [hearsay.MaxSeeds]*offer           // by slot of the sender: a snapshot that is not proven yet; nil: none

	// So far this seed has told others in a term, since its start, that its log is as theirs. Of two that say
	// that they lead in it one lies; then the log here may be shorter than that.
	acked     [hearsay.MaxSeeds]uint64 // by slot
	ackedTerm uint64

	told  [hearsay.MaxSeeds]*core.Raft // by slot: by which the seed there has told the most of its log; nil: none
	askAt time.Time                    // no seed is asked before why it has another log

	applying applying
	bareAt   time.Time // when the last bare entry beyond unappliedMost was taken
}

func newReplica(cfg *Config, id uint64, log *storage) *replica {
	node, err := raft.NewRawNode(&raft.Config{
		ID:                        id,
		ElectionTick:              cfg.ElectionTicks,
		HeartbeatTick:             1,
		Storage:                   log,
		Applied:                   log.applied,
		MaxSizePerMsg:             maxMessageBytes,
		MaxCommittedSizePerReady:  math.MaxUint32,
		MaxUncommittedEntriesSize: unsettledMost,
		MaxInflightMsgs:           maxInflight,
		MaxInflightBytes:          maxInflightBytes,
		CheckQuorum:               true,
		PreVote:                   true,
		StepDownOnRemoval:         true,
		Logger:                    silent{},
	})
	if err != nil {
		panic(fmt.Sprintf("quorum: %v", err)) // the configuration is ours
	}
	return &replica{node: node, log: log, id: id, sent: make(map[uint64]time.Time)}
}

// leads reports whether this seed leads.
func (r *replica) leads() bool { return r.node.BasicStatus().RaftState == raft.StateLeader }

// leader gives the Raft id of who leads, or 0.
func (r *replica) leader() uint64 { return r.node.BasicStatus().Lead }

// follows gives the Raft id of who leads a quorum to which this seed belongs,
// or 0. One that has no vote yet hears a leader, but does not notice when that
// one is gone, since it takes no part in elections.
func (r *replica) follows() uint64 {
	if !r.votes(r.id) {
		return 0
	}
	return r.leader()
}

// votes reports whether a seat has a vote in the log, by its id there. As long as one
// takes the place of another, only those have that are in both.
func (r *replica) votes(id uint64) bool {
	voters, outgoing := r.log.config.GetVoters(), r.log.config.GetVotersOutgoing()
	return slices.Contains(voters, id) && (len(outgoing) == 0 || slices.Contains(outgoing, id))
}

// work carries out what the library has ready: it fills the Effects, and begins to
// apply what is committed. The library is told at once that this is done: whatever tells
// others of it comes after it in the Effects, and the rest is applied in any case.
func (d *driver) work(now time.Time) {
	r := d.seed.replica
	if r == nil {
		return
	}
	for r.node.HasReady() {
		ready := r.node.Ready()
		if !raft.IsEmptySnap(ready.Snapshot) {
			d.seed.records.restore(now, ready.Snapshot)
		}
		if len(ready.Entries) > 0 {
			d.persistEntries(ready.Entries)
		}
		if hard := ready.HardState; !raft.IsEmptyHardState(hard) {
			r.log.hard = hard
			d.persist(r.log.state())
		}
		for _, e := range ready.CommittedEntries {
			d.committed(now, e)
		}
		d.apply(now)
		for _, m := range ready.Messages {
			d.sendRaft(now, m)
		}
		for _, state := range ready.ReadStates {
			d.seed.fresh.confirmed(state.RequestCtx, state.Index)
		}
		r.node.Advance(ready)
	}
	d.apply(now)
	d.seed.fresh.freshIfApplied(now)
	d.seed.records.snapshotIfDue()
}

func (d *driver) persist(r core.Record) { d.seed.out.Persist = append(d.seed.out.Persist, r) }

func (d *driver) persistEntries(entries []*raftpb.Entry) {
	unused := d.seed.replica.log.append(entries)
	for _, e := range entries {
		d.persist(d.seed.replica.log.kept(e))
	}
	for i := range unused {
		d.persist(&core.KeptEntry{Entry: core.LogEntry{Index: d.seed.replica.log.last() + 1 + i}, Dropped: true})
	}
}

// reconfigure takes a change of who takes part in the log, if it fits the seats: the library
// goes on without one that it is not told of.
func (d *driver) reconfigure(e *raftpb.Entry) {
	r := d.seed.replica
	if change := readChange(e.GetData()); change != nil && changeFits(change, r.log.config, d.seed.leadership.wanted()) {
		r.log.config = r.node.ApplyConfChange(change)
		d.seed.leadership.tendAt = d.seed.tickAt // the next step
	}
}

// sendRaft signs a message and sends it after what must be durable is. One that the library
// passes on for another seed would not be taken: it is another's, by its own word.
func (d *driver) sendRaft(now time.Time, m *raftpb.Message) {
	slot, ok := d.seed.seats.slotOf(m.GetTo())
	end := core.LogPlace{Term: m.GetLogTerm(), Index: m.GetIndex()}
	if !ok || m.GetFrom() != d.seed.replica.id || d.seed.seats.unlike[slot].justNow(now) || d.seed.lateness.holdsBack(now, m) || d.seed.diskCheck.mayHaveForgotten(m.GetType(), m.GetTerm(), end) {
		if m.GetType() == raftpb.MsgSnap {
			d.seed.replica.node.ReportSnapshot(m.GetTo(), raft.SnapshotFailure)
		}
		return
	}
	f := &core.Raft{
		Slot: uint8(d.seed.cfg.Slot), Type: uint8(m.GetType()), To: m.GetTo(), From: m.GetFrom(), Term: m.GetTerm(), LogTerm: m.GetLogTerm(),
		Index: m.GetIndex(), Commit: m.GetCommit(), Vote: m.GetVote(), RejectHint: m.GetRejectHint(), Reject: m.GetReject(), Context: m.GetContext(),
	}
	for _, e := range m.GetEntries() {
		f.Entries = append(f.Entries, logEntry(e))
	}
	if m.GetType() != raftpb.MsgSnap {
		d.seed.replica.acknowledges(slot, f)
		d.sendFrame(slot, f)
		return
	}
	d.seed.replica.sent[m.GetTo()] = now
	data := m.GetSnapshot().GetData()
	meta := m.GetSnapshot().GetMetadata()
	for offset := 0; offset == 0 || offset < len(data); offset += snapshotPart {
		part := *f
		part.Snapshot = &core.LogSnapshot{
			Index: meta.GetIndex(), Term: meta.GetTerm(), Config: logConfig(meta.GetConfState()),
			Offset: uint32(offset), Size: uint32(len(data)), Data: data[offset:min(offset+snapshotPart, len(data))],
		}
		d.sendFrame(slot, &part)
	}
}

// acknowledges notes that a message tells a leader how far the log here is as its own.
func (r *replica) acknowledges(slot int, f *core.Raft) {
	if f.Type != uint8(raftpb.MsgAppResp) || f.Reject {
		return
	}
	if f.Term > r.ackedTerm {
		r.acked, r.ackedTerm = [hearsay.MaxSeeds]uint64{}, f.Term
	}
	r.acked[slot] = max(r.acked[slot], f.Index)
}

// dropParts lets go of snapshots of which no part has come for a while: the leader sends
// them again from the first.
func (r *replica) dropParts(now time.Time) {
	for slot := range r.incoming {
		if now.Sub(r.partAt[slot]) >= partPatience {
			r.incoming[slot] = nil
		}
	}
}

func (d *driver) sendFrame(slot int, f *core.Raft) {
	d.sign(f)
	d.seed.send(d.seed.cfg.Seeds[slot].Addr, f)
}

// sign makes a message this seed's word in its founding, and in its version.
func (d *driver) sign(f *core.Raft) {
	f.Versions, f.Founding = d.seed.cfg.Versions, d.seed.founding
	f.Sign(d.seed.cfg.Network, d.seed.plain)
}

// Raft takes a message of the replicated log: of a seat, signed by it, and for
// this seed's own life.
func (d *driver) raft(now time.Time, p *core.Packet, f *core.Raft) {
	switch {
	case int(f.Slot) == d.seed.cfg.Slot:
		d.seed.diskCheck.ownMessage(now, d.seed.directory.sender(p), f)
		return
	case int(f.Slot) >= len(d.seed.cfg.Seeds):
		d.seed.stats.Drops[hearsay.DropMalformed]++
		return
	case d.seed.cfg.Recover || d.seed.mustStop != "" || d.seed.diskCheck.unsure():
		d.seed.stats.Drops[hearsay.DropUnexpected]++
		return
	case d.seed.replica == nil:
		d.seed.seats.askSeat(now, int(f.Slot)) // it may know that this seed has a seat
		return
	case f.To != d.seed.replica.id:
		d.seed.stats.Drops[hearsay.DropMisdirected]++
		return
	}
	seat := d.seed.seats.known[f.Slot].seat
	if f.From != seat.RaftID(d.seed.cfg.Network) {
		d.seed.stats.Drops[hearsay.DropStranger]++
		for slot := range d.seed.others() {
			d.seed.seats.askSeat(now, slot) // it may have a new life, of which somebody has the proof
		}
		return
	}
	switch {
	case f.Room() > verifiedBytes, f.Snapshot != nil && int(f.Snapshot.Size) > d.seed.offers.snapshotMost():
		d.seed.stats.Drops[hearsay.DropOversized]++
		return
	case !d.mayVerify(now, p, f):
		d.seed.stats.Drops[hearsay.DropRate]++
		return
	}
	f.Founding = d.seed.founding
	if !f.Verify(d.seed.cfg.Network, d.seed.plain, seat.Key) {
		d.seed.stats.Drops[hearsay.DropBadSignature]++
		return
	}
	switch {
	case d.ofOtherVersion(now, f):
		return
	case !wellFormed(f):
		d.refuse(f)
		return
	}
	d.seed.hearing.hears(now, f)
	if why := d.seed.heads.contradicts(f); why != "" {
		d.seed.heads.noteOther(now, f.Slot, why)
		return
	}
	switch {
	case d.termTooFar(f):
		d.seed.stats.Drops[hearsay.DropUnexpected]++
		d.work(now)
		return
	case !d.mayTake(f):
		return
	}
	d.note(now, f)
	m := d.seed.replica.message(now, f)
	switch {
	case m != nil && m.GetSnapshot() != nil:
		d.seed.offers.offered(now, f.Slot, m)
	case m != nil && d.makeRoom(now, m):
		d.step(m)
		d.work(now)
	}
}

// note keeps what a message says that is taken, beside what the library makes of it.
func (d *driver) note(now time.Time, f *core.Raft) {
	d.catchUp(now, f)
	d.seed.lateness.notTaken(f)
	d.seed.replica.remember(f)
}

// catchesUpMost is for how long after the first entries from a leader more of them may have been decided before this
// life. A guess: a restart that lacks more is rare, and a leader that lies may say so for ever.
const catchesUpMost = 10 * time.Second

// catchUp notes how far the log was decided before this life: as far as it goes here once a message says that no more
// is. What one seat says is beyond that may be anything.
func (d *driver) catchUp(now time.Time, f *core.Raft) {
	if d.stood > 0 || f.Type != uint8(raftpb.MsgApp) {
		return
	}
	if d.suppliedAt.IsZero() {
		d.suppliedAt = now
	}
	if have := d.seed.replica.log.hard.GetCommit(); f.Commit <= have || now.Sub(d.suppliedAt) >= catchesUpMost {
		d.stood = have
	}
}

// mayVerify reports whether a message of the log is verified: any from the
// address of a seed, for which a connection is needed; of the others, and of what comes as a
// datagram, as many as there is time for.
func (d *driver) mayVerify(now time.Time, p *core.Packet, f *core.Raft) bool {
	if p.Stream && slices.ContainsFunc(d.seed.cfg.Seeds, func(s ledger.Seed) bool { return s.Addr.Addr() == p.Addr.Addr().Unmap() }) {
		return true
	}
	from := quota.Sender{Addr: netip.AddrPortFrom(core.Source(p.Addr.Addr()), 0)}
	return d.seed.heads.budgets.unlisted.Take(now, from, max(f.Room(), unlistedLeast))
}

// step gives the library a message. What it refuses is a message that came too
// late; there is nothing to do about it.
func (d *driver) step(m *raftpb.Message) {
	if err := d.seed.replica.node.Step(m); err != nil {
		d.seed.stats.Drops[hearsay.DropUnexpected]++
	}
}

// message gives the library's form of a message; nil if it is a part of a
// snapshot, and others are missing.
func (r *replica) message(now time.Time, f *core.Raft) *raftpb.Message {
	m := &raftpb.Message{
		Type: raftpb.MessageType(f.Type).Enum(), To: new(f.To), From: new(f.From), Term: new(f.Term), LogTerm: new(f.LogTerm), Index: new(f.Index),
		Commit: new(f.Commit), Vote: new(f.Vote), RejectHint: new(f.RejectHint), Reject: new(f.Reject), Context: f.Context,
	}
	for i := range f.Entries {
		m.Entries = append(m.Entries, raftEntry(&f.Entries[i]))
	}
	switch {
	case m.GetType() != raftpb.MsgSnap:
		return m
	case f.Snapshot == nil || !r.gather(now, f):
		return nil
	}
	whole := r.incoming[f.Slot].Snapshot
	r.incoming[f.Slot] = nil
	m.Snapshot = &raftpb.Snapshot{
		Data:     whole.Data,
		Metadata: &raftpb.SnapshotMetadata{Index: new(whole.Index), Term: new(whole.Term), ConfState: raftConfig(&whole.Config)},
	}
	return m
}

// gather joins the parts of a snapshot, which come in order or not at all.
func (r *replica) gather(now time.Time, f *core.Raft) (whole bool) {
	part := f.Snapshot
	r.partAt[f.Slot] = now
	if part.Offset == 0 {
		first := *f
		first.Snapshot = new(*part)
		first.Snapshot.Data = append(make([]byte, 0, part.Size), part.Data...)
		r.incoming[f.Slot] = &first
		return uint32(len(part.Data)) == part.Size
	}
	of := r.incoming[f.Slot]
	if of == nil || of.From != f.From || of.Term != f.Term || of.Snapshot.Index != part.Index || of.Snapshot.Size != part.Size ||
		uint32(len(of.Snapshot.Data)) != part.Offset {
		return false // the leader sends it again
	}
	of.Snapshot.Data = append(of.Snapshot.Data, part.Data...)
	return uint32(len(of.Snapshot.Data)) == part.Size
}

// silent keeps the library from writing logs of its own.
type silent struct{}

func (silent) Debug(...any)            {}
func (silent) Debugf(string, ...any)   {}
func (silent) Error(...any)            {}
func (silent) Errorf(string, ...any)   {}
func (silent) Info(...any)             {}
func (silent) Infof(string, ...any)    {}
func (silent) Warning(...any)          {}
func (silent) Warningf(string, ...any) {}
func (silent) Fatal(v ...any)          { panic(fmt.Sprint(v...)) }
func (silent) Fatalf(f string, v ...any) {
	panic(fmt.Sprintf(f, v...))
}
func (silent) Panic(v ...any)            { panic(fmt.Sprint(v...)) }
func (silent) Panicf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }
