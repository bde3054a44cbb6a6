package sim

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/node"
	"hearsay/testkit"
)

// One of three seeds lies: somebody has its key and the life of its disk, and says besides what its
// node says whatever a seat can sign. A quorum of honest seeds is left.

const (
	seatJoiners   = 12 // peers that come while it lies
	seatJoinEvery = 2500 * time.Millisecond
	seatKill      = 5 * time.Second // after it has begun to lie, a peer is killed
	// without a ruling, while somebody waits: nothing is decided. Guess: ten times what an admission takes
	seatLate      = time.Second
	seatFrames    = 64 // frames of its own that are kept, to be changed
	seatSnapshots = 10 // entries between two snapshots
	seatNear      = 8  // entries that an index is put off by
)

// What the Raft library calls the messages that are made, by number.
const (
	raftPropose   = 2
	raftAppend    = 3
	raftVote      = 5
	raftSnapshot  = 7
	raftHeartbeat = 8
	raftKinds     = 16
)

// The commands of the log that are made, by number.
const (
	commandRemove = 2
	commandBallot = 4
	commandLeave  = 5
	commandExpire = 6
)

// seatLie is one kind of lies.
type seatLie struct {
	name string
	// honest seeds, and epochs on two of them, that may come of it
	stops, differs int
	leads          bool                                // the seed that leads lies; else any
	tells          func(l *lyingSeat)                  // at each step of the siege
	bends          func(l *lyingSeat, e *core.Effects) // each step of its node
}

var seatLies = []seatLie{
	{name: "none"},
	{name: "frames", tells: (*lyingSeat).tellFrames},
	{name: "terms", tells: (*lyingSeat).tellTerms},
	{name: "entries", tells: (*lyingSeat).tellEntries},
	{name: "snapshots", tells: (*lyingSeat).tellSnapshots},
	{name: "snapshot_of_now", stops: 1, tells: (*lyingSeat).tellSnapshotOfNow},
	{name: "heads", tells: (*lyingSeat).tellHeads},
	{name: "seats", tells: (*lyingSeat).tellSeats, bends: (*lyingSeat).bendHellos},
	{name: "two_logs", leads: true, stops: 1, bends: func(l *lyingSeat, e *core.Effects) { l.bendEntries(e, 1) }},
	{name: "two_half_logs", leads: true, stops: 1, differs: 1, bends: func(l *lyingSeat, e *core.Effects) { l.bendEntries(e, 2) }},
}

// lyingSeat is the seed, and what came of its lies.
type lyingSeat struct {
	*siege
	lie      *seatLie
	seat     int // its machine
	signer   *testkit.Signer
	sent     []core.Raft       // by its node, to other seeds
	snapshot *core.LogSnapshot // the first that a seed has kept with somebody in
	newest   *core.LogSnapshot // that its node has kept
	newestOf hearsay.Epoch

	snapshotSent bool
	ballots      []hearsay.Ballot // that its node has cast
	term         uint64           // the highest that it has claimed

	ruled     map[hearsay.Epoch]hearsay.Hash // by honest nodes
	differs   map[hearsay.Epoch]bool
	last      time.Duration   // when an honest seed has ruled
	asked     []time.Duration // when each peer that comes has asked
	waited    time.Duration   // the longest of those
	undecided time.Duration
	killed    int
	out       time.Duration // after it was killed
}

func layLyingSeat(t *trial) {
	for i := range seatLies {
		t.layLie(&seatLies[i])
	}
}

// layLie tells what comes of one kind of lies.
func (t *trial) layLie(lie *seatLie) {
	l := t.newLyingSeat(lie)
	l.run(siegeBegins, siegeStep, nil)
	l.choose()
	l.besiege(l.turn)
	l.w.Do(Action{Verb: Start, Who: []int{l.nodes + seatJoiners + 1}}) // the honest ones must go on
	truth := l.truce()
	l.settleAll()
	victims, stopped := 0, 0
	for i := range l.w.machines {
		switch {
		case l.victims[i]:
			victims++
		case l.w.isSeed(&l.w.machines[i]) && !l.present(i) && !l.lying[i]:
			stopped++
		}
	}
	t.most(lie.name+"_members_removed", float64(victims))
	t.most(lie.name+"_seeds_stopped", float64(stopped))
	t.most(lie.name+"_epochs_that_differ", float64(len(l.differs)))
	t.mean(lie.name+"_undecided_s", l.undecided.Seconds())
	t.most(lie.name+"_admission_s", l.waited.Seconds())
	t.most(lie.name+"_removal_s", l.out.Seconds())
	t.most(lie.name+"_truth_back_s", truth.Seconds())
	t.lawful(l.siege)
	t.succeeded = t.succeeded || stopped > 0 || len(l.differs) > 0 || l.undecided > 0
	t.claim(victims == 0, "%s: %d members that are well were removed", lie.name, victims)
	t.claim(stopped <= lie.stops, "%s: %d honest seeds stopped", lie.name, stopped)
	t.claim(len(l.differs) <= lie.differs, "%s: %d epochs differ", lie.name, len(l.differs))
	t.claim(truth < siegeTruce, "%s: a minute after the attack the truth is not back", lie.name)
}

// newLyingSeat makes a world in which one seed, drawn, lies.
func (t *trial) newLyingSeat(lie *seatLie) *lyingSeat {
	l := &lyingSeat{lie: lie, ruled: make(map[hearsay.Epoch]hearsay.Hash), differs: make(map[hearsay.Epoch]bool), seat: -1, killed: -1}
	l.siege = t.newSiege(seatJoiners+1, []int{}, nil)
	for i := l.w.config.Nodes; i < len(l.w.machines); i++ {
		l.w.bend(i+1, &twist{steps: l.steps, takes: l.takes, configures: snapshotsOften})
	}
	l.events = l.notes
	return l
}

// snapshotsOften has a seed keep snapshots, so that there is one to lie with.
func snapshotsOften(_ *World, _ *machine, c *node.Config) { c.Quorum.SnapshotEvery = seatSnapshots }

// choose draws the seed that lies: the one that leads, or another.
func (l *lyingSeat) choose() {
	first := l.w.config.Nodes
	leader := l.w.machines[first].node.Seeded().Authority().Leader
	l.seat = first + leader
	if leads := l.lie.leads || l.random.IntN(2) == 0; leader < 0 || !leads {
		l.seat = first + (max(leader, 0)+1)%l.w.config.Seeds
	}
	l.lying[l.seat] = true
	l.w.machines[l.seat].twist.unjudged = true
	l.signer = l.identityOf(l.seat)
}

// takes keeps the node of the lying seed from hearing of its own lies: it would stop.
func (l *lyingSeat) takes(_ *World, m *machine, p *core.Packet) bool {
	_, heads := p.Body.(*core.Rulings)
	return !heads || int(m.index) != l.seat || !l.begun
}

// notes looks at what honest nodes tell of rulings.
func (l *lyingSeat) notes(m *machine, e *hearsay.Event) {
	if e.Kind != hearsay.EventRuled {
		return
	}
	hash := e.Ruling.Hash(l.w.id)
	if known, is := l.ruled[e.Epoch]; is && known != hash {
		l.differs[e.Epoch] = true
	} else {
		l.ruled[e.Epoch] = hash
	}
	if !l.w.isSeed(m) {
		return
	}
	l.last = l.w.now
	if l.killed >= 0 && l.out == 0 && e.Ruling.Kind == hearsay.RulingRemove && e.Subject == l.w.machines[l.killed].id {
		l.out = l.w.now - siegeBegins - seatKill
	}
}

// steps keeps what the node of the lying seed says, and bends it.
func (l *lyingSeat) steps(w *World, m *machine, e *core.Effects) {
	for _, r := range e.Persist {
		kept, is := r.(*core.KeptSnapshot)
		if !is || kept.Dropped || m.node == nil {
			continue
		}
		if l.snapshot == nil && m.node.Seeded().Epoch() > 0 {
			l.snapshot = kept.Snapshot
		}
		if int(m.index) == l.seat {
			l.newest, l.newestOf = kept.Snapshot, m.node.Seeded().Epoch()
		}
	}
	if int(m.index) != l.seat {
		l.look(w, m, e)
		return
	}
	for i := range e.Send {
		if f, is := e.Send[i].Body.(*core.Raft); is && f.Snapshot == nil {
			l.term = max(l.term, f.Term)
			if l.sent = append(l.sent, *f); len(l.sent) > seatFrames {
				l.sent = slices.Delete(l.sent, 0, 1)
			}
		}
	}
	for _, message := range w.check.views[m.index].cast {
		l.ballots = append(l.ballots, readCast(message))
	}
	if l.begun && l.lie.bends != nil {
		l.lie.bends(l, e)
	}
}

// turn has peers come, one go, and the seed lie, and adds up how long nothing is decided.
func (l *lyingSeat) turn() {
	since := l.w.now - siegeBegins
	if number := len(l.asked); number < seatJoiners && since >= time.Duration(number)*seatJoinEvery {
		l.asked = append(l.asked, l.w.now)
		l.w.Do(Action{Verb: Start, Who: []int{l.nodes + number + 1}})
	}
	if l.killed < 0 && since >= seatKill {
		l.killed = l.someone()
		l.w.Do(Action{Verb: Kill, Who: []int{l.killed + 1}})
	}
	oldest := time.Duration(0)
	for number, at := range l.asked {
		if waits := l.w.now - at; !l.w.core.ruledIn(l.w.machines[l.nodes+number].id) {
			oldest = max(oldest, waits)
		}
	}
	if l.waited = max(l.waited, oldest); oldest > seatLate && l.w.now-l.last > seatLate {
		l.undecided += siegeStep
	}
	if l.lie.tells != nil {
		l.lie.tells(l)
	}
}

// others gives the machines of the honest seeds.
func (l *lyingSeat) others() (seeds []int) {
	for i := l.w.config.Nodes; i < len(l.w.machines); i++ {
		if i != l.seat {
			seeds = append(seeds, i)
		}
	}
	return seeds
}

// seatOf is who sits where.
func (l *lyingSeat) seatOf(i int) hearsay.Seat {
	one := &l.w.check.identities[l.w.machines[i].identity]
	return hearsay.Seat{Slot: uint8(i - l.w.config.Nodes), Key: one.key, Life: one.life}
}

// say sends something in the seed's name, by stream.
func (l *lyingSeat) say(to int, body core.Message) {
	l.injectPacket(l.seat, &core.Packet{From: l.w.machines[l.seat].id, Addr: l.addr(to), Body: body, Stream: true})
}

// sayFrame signs a message of the log and sends it.
func (l *lyingSeat) sayFrame(to int, f *core.Raft) {
	f.Slot, f.From, f.To = l.seatOf(l.seat).Slot, l.seatOf(l.seat).RaftID(l.w.id), l.seatOf(to).RaftID(l.w.id)
	f.Versions, f.Founding = ledger.Versions(), l.w.check.ledger.id().Founding
	f.Sign(l.w.id, l.signer)
	l.say(to, f)
}

// near puts a number off by a little.
func (l *lyingSeat) near(n uint64) uint64 {
	return max(1, n+uint64(l.random.IntN(2*seatNear+1))) - min(n, seatNear)
}

// tellFrames tells of the log at other terms and indices, in no term that has not begun.
func (l *lyingSeat) tellFrames() {
	if len(l.sent) == 0 {
		return
	}
	for _, to := range l.others() {
		f := l.sent[l.random.IntN(len(l.sent))]
		other := l.sent[l.random.IntN(len(l.sent))]
		f.Index, f.Commit, f.LogTerm = l.near(f.Index), l.near(f.Commit), min(f.Term, l.near(f.LogTerm))
		if f.Entries = slices.Clone(other.Entries); l.random.IntN(2) == 0 {
			f.Type, f.Term = uint8(l.random.IntN(raftKinds)), max(1, l.term-uint64(l.random.IntN(2)))
		}
		for i := range f.Entries {
			f.Entries[i].Index, f.Entries[i].Term = f.Index+1+uint64(i), max(1, f.Term)
		}
		l.sayFrame(to, &f)
	}
}

// tellTerms leads in a new term, and stands for it, time and again.
func (l *lyingSeat) tellTerms() {
	if len(l.sent) == 0 {
		return
	}
	l.term++
	last := l.sent[len(l.sent)-1]
	for _, to := range l.others() {
		f := core.Raft{Type: raftHeartbeat, Term: l.term}
		if l.random.IntN(2) == 0 {
			f = core.Raft{Type: raftVote, Term: l.term, Index: last.Index + seatNear, LogTerm: l.term - 1}
		}
		l.sayFrame(to, &f)
	}
}

// command is one of an entry.
func (l *lyingSeat) command(operation byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint64([]byte{operation}, uint64(l.time().UnixMilli()))
	return append(append(b, l.seatOf(l.seat).Slot), body...)
}

// tellEntries proposes removals of members that are well, ballots in others' names, leaves that
// nobody has signed, and ends of cases.
func (l *lyingSeat) tellEntries() {
	var commands [][]byte
	victim := l.w.machines[l.someone()].id
	if last := l.w.check.ledger.last(victim); last != nil {
		stay := hearsay.Stay{ID: victim, Epoch: last.began}
		commands = append(commands,
			l.command(commandRemove, append(append(hearsay.AppendStay(nil, stay), byte(hearsay.RuleTrial)), l.w.machines[l.seat].id[:]...)),
			l.command(commandLeave, append(hearsay.AppendStay(nil, stay), make([]byte, len(hearsay.Signature{}))...)))
	}
	for _, b := range l.ballots[max(0, len(l.ballots)-seatNear):] {
		for _, to := range l.others() {
			b.Slot, b.Life, b.Verdict = l.seatOf(to).Slot, l.seatOf(to).Life, hearsay.BallotYes
			b.Sign(l.w.check.ledger.id(), l.signer)
			commands = append(commands, l.command(commandBallot, b.AppendBinary(nil)))
		}
		commands = append(commands, l.command(commandExpire, binary.BigEndian.AppendUint64(nil, uint64(b.Case))))
	}
	entry := binary.BigEndian.AppendUint16([]byte{ledger.LogVersion}, uint16(len(commands)))
	entry = append(entry, slices.Concat(commands...)...)
	for _, to := range l.others() {
		l.sayFrame(to, &core.Raft{Type: raftPropose, Entries: []core.LogEntry{{Data: entry}}})
	}
}

// tellSnapshots offers an old state as the newest, and others that are no states.
func (l *lyingSeat) tellSnapshots() {
	if l.snapshot == nil || len(l.sent) == 0 {
		return
	}
	for _, to := range l.others() {
		s := *l.snapshot
		s.Index, s.Term = l.sent[len(l.sent)-1].Index+uint64(l.random.IntN(1000)), l.term
		if s.Data = slices.Clone(s.Data); l.random.IntN(2) == 0 {
			s.Data[l.random.IntN(len(s.Data))] ^= 1 << l.random.IntN(8)
		}
		l.sayFrame(to, &core.Raft{Type: raftSnapshot, Term: l.term, Snapshot: &s})
	}
}

// tellSnapshotOfNow sends one honest seed, once, the ledger that this has itself, at a place in the log
// to which nobody has come.
func (l *lyingSeat) tellSnapshotOfNow() {
	if l.snapshotSent || l.newest == nil || l.newestOf != l.w.check.ledger.epoch() {
		return
	}
	s := *l.newest
	s.Index, s.Term = s.Index+1000, l.term+1
	l.sayFrame(l.others()[0], &core.Raft{Type: raftSnapshot, Term: s.Term, Snapshot: &s})
	l.snapshotSent = true
}

// tellHeads tells of rulings that never were: heads of epochs to come and of others that are
// past, and removals with ballots in others' names.
func (l *lyingSeat) tellHeads() {
	ledger, at := l.w.check.ledger.id(), l.w.check.ledger.epoch()
	victim := l.w.machines[l.someone()].id
	last := l.w.check.ledger.last(victim)
	if at == 0 || last == nil {
		return
	}
	made := &hearsay.Ruling{
		Epoch: at + 1, Kind: hearsay.RulingRemove, Stay: hearsay.Stay{ID: victim, Epoch: last.began}, Rule: hearsay.RuleTrial,
		Case: l.w.check.cases + hearsay.CasesAnEntry, At: l.time().UnixMilli(), Previous: l.w.check.ledger.rulings[at-1].hash,
	}
	for i := l.w.config.Nodes; i < len(l.w.machines); i++ {
		b := hearsay.Ballot{Case: made.Case, About: made.About(l.w.id), Stay: made.Stay, Slot: l.seatOf(i).Slot, Life: l.seatOf(i).Life, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}}
		b.Sign(ledger, l.signer)
		made.Ballots = append(made.Ballots, b)
	}
	body := &core.Rulings{Items: []*hearsay.Ruling{made}}
	for i := l.w.config.Nodes; i < len(l.w.machines); i++ {
		for _, h := range []hearsay.Head{{Epoch: at + 1, Hash: made.Hash(l.w.id)}, {Epoch: at, Hash: made.Hash(l.w.id)}} {
			h.Founding, h.Slot = ledger.Founding, l.seatOf(i).Slot
			h.Sign(l.w.id, l.signer)
			if body.Heads = append(body.Heads, h); i != l.seat && l.random.IntN(2) == 0 {
				body.Heads = body.Heads[:len(body.Heads)-1] // without: a head that is forged ends the message
			}
		}
	}
	for _, to := range append(l.others(), l.someone(), l.someone()) {
		l.say(to, body)
		l.say(to, &core.RosterPart{Ruling: made, Heads: body.Heads, Parts: 1})
	}
}

// tellSeats says who sits where, and lies.
func (l *lyingSeat) tellSeats() {
	for _, to := range append(l.others(), l.someone(), l.someone()) {
		own := l.seatOf(l.seat)
		hello := &core.SeatHello{Versions: ledger.Versions(), Slot: own.Slot, Life: own.Life, Nonce: l.random.Uint64(), Answer: l.random.IntN(2) == 0, Founded: true}
		hello.Config, hello.Founding = l.config(), l.w.check.ledger.id().Founding
		l.bendHello(hello)
		l.say(to, hello)
	}
}

// config stands for the list of seeds.
func (l *lyingSeat) config() hearsay.Hash {
	var addrs []netip.AddrPort
	for _, s := range l.w.seedsOf() {
		addrs = append(addrs, s.Addr)
	}
	return core.HashSeeds(l.w.id, addrs)
}

// bendHellos has what its node says of the seats be lies, too.
func (l *lyingSeat) bendHellos(e *core.Effects) {
	for i := range e.Send {
		if hello, is := e.Send[i].Body.(*core.SeatHello); is && hello.Slot != core.NoSlot {
			l.bendHello(hello)
		}
	}
}

// bendHello names others in the seats, with a ruling by ballots that it has signed itself, or
// another founding, or that it runs another version.
func (l *lyingSeat) bendHello(hello *core.SeatHello) {
	hello.Seats = nil
	var ballots []hearsay.Ballot
	for i := l.w.config.Nodes; i < len(l.w.machines); i++ {
		seat := l.seatOf(i)
		if i != l.seat && l.random.IntN(2) == 0 {
			seat.Key, seat.Life = l.signer.Public(), hearsay.Life{1}
		}
		hello.Seats = append(hello.Seats, seat)
	}
	victim := l.others()[l.random.IntN(len(l.others()))]
	given := &hearsay.Ruling{
		Epoch: l.w.check.ledger.epoch() + 1, Kind: hearsay.RulingSeat, Case: l.w.check.cases + hearsay.CasesAnEntry,
		Seats: []hearsay.Seat{{Slot: l.seatOf(victim).Slot, Key: l.signer.Public(), Life: hearsay.Life{1}}},
	}
	for i := range hearsay.QuorumOf(l.w.config.Seeds) {
		b := hearsay.Ballot{Case: given.Case, About: given.About(l.w.id), Slot: uint8(i), Life: l.seatOf(l.w.config.Nodes + i).Life, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}}
		b.Sign(l.w.check.ledger.id(), l.signer)
		ballots = append(ballots, b)
	}
	given.Ballots, hello.Given = ballots, given
	if l.random.IntN(4) == 0 {
		hello.Founding = hearsay.Hash{1}
	}
	if l.random.IntN(4) == 0 {
		hello.Versions.Log++
	}
	hello.Sign(l.w.id, l.signer)
}

// bendEntries has it lead one honest seed by another log than the other, in one of so many entries.
func (l *lyingSeat) bendEntries(e *core.Effects, oneIn uint64) {
	second := l.seatOf(l.others()[1]).RaftID(l.w.id)
	for i := range e.Send {
		f, is := e.Send[i].Body.(*core.Raft)
		if !is || f.Type != raftAppend || f.To != second {
			continue
		}
		f.Entries = slices.Clone(f.Entries)
		for j := range f.Entries {
			if f.Entries[j].Type == 0 && f.Entries[j].Index%oneIn == 0 {
				f.Entries[j].Data = []byte{ledger.LogVersion, 0, 0}
			}
		}
		f.Sign(l.w.id, l.signer)
	}
}

// tellLyingSeat sums up. What is said without a figure is claimed in each run.
func tellLyingSeat(r *AttackReport) string {
	return r.fill("whatever it says of the log in the present term, of old snapshots, of rulings and of seats changes nothing: no member that is well is removed, no honest seed stops, no two have different rulings, " +
		"and newcomers are in as soon as without. By claiming the lead again and again it keeps the seeds from deciding anything for {terms_undecided_s} of 30 s, and for {terms_truth_back_s} s more. " +
		"As the leader it can send one honest seed other entries than the other: that one finds out and stops ({two_logs_seeds_stopped}), before it rules anything else ({two_logs_epochs_that_differ} epochs), " +
		"or with the first ruling that is another, if it was sent half of the entries ({two_half_logs_epochs_that_differ}); the others go on, and nobody is removed. " +
		"So it is with a snapshot of the ledger of now at a place in the log to which nobody has come ({snapshot_of_now_seeds_stopped}), which it can send without leading")
}
