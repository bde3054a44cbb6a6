package sim

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/store"
	"hearsay/testkit"
)

// socketBuffer is how many packets wait for a paused process; what comes
// beyond is lost (Linux: rmem_default holds about as many small datagrams).
const socketBuffer = 256

// condition is how a machine's process is.
type condition uint8

const (
	conditionAbsent condition = iota // not started yet
	conditionRunning
	conditionPaused
	conditionCrashed
	conditionLeft
)

var conditionWords = [...]string{"absent", "running", "paused", "crashed", "left"}

func (c condition) String() string { return conditionWords[c] }

// machine is a place where a node runs: an address, a disk and a process.
type machine struct {
	index         int32
	name          string
	called        string // by its node, if that has another's name
	moves         int    // to other addresses
	addr          netip.AddrPort
	condition     condition
	node          *node.Node     // nil unless running or paused
	id            hearsay.NodeID // of its present or last identity
	identity      int            // by number in the checker
	disks         int            // how many it has had: one identity each, or another's
	owner         int32          // the machine whose identity its disk has
	ownerDisk     int            // and which of its disks
	life          int32          // of the process; tells what is meant for an earlier one
	disk          *store.Memory
	saved         *store.Memory  // a copy of it that was put aside
	savedOf       int            // which of its disks that is of, by number
	copied        bool           // its disk is an older copy, and no node has started on it yet
	doomed        bool           // its process has stopped, and says why it must not start again with this disk
	recovers      bool           // its process, a seed's, starts only to begin its ledger anew
	list          int            // of seeds, by number: what its process, a peer's, has started with
	heeded        int            // the newest list with which it was started once more because it said so: see refuses
	away          bool           // its process has said that it ends, and is started again
	refuses       bool           // it says that seeds of the newest list are others than it has met
	contact       netip.AddrPort // that its process has looked up last
	lookedUp      time.Duration  // when that was
	twist         *twist         // never nil
	clock         localClock
	group         int32         // of a partition
	lossIn        float64       // of all that it receives
	lossOut       float64       // of all that it sends
	narrow        int           // bytes of the longest packet that gets to it and from it; 0: any does
	lossDatagrams float64       // of what goes by datagram, to it and from it
	lossStreams   float64       // of what goes by stream, to it and from it
	slow          time.Duration // each of its steps happens up to this late
	sync          time.Duration // its disk takes this long to sync, if not the world's longer
	fails         float64       // probability that a sync of its disk fails
	full          bool          // its disk has no room
	diskless      bool          // its disk has failed, and its process leaves

	tickAt  time.Duration    // when its tick is scheduled; noTick if it is not
	busy    time.Duration    // until then what comes waits its turn
	roused  bool             // its tick was due, and comes late
	inbox   []int32          // flights that came while it was paused
	commits []carrying       // waits for the disk
	waits   time.Time        // since when, by its clock
	reads   []core.OlderRead // under way, oldest first

	entropy entropy // of a seed

	losses, delays, holds, copies, streams, slows, resumes, syncs, torn rand.PCG
}

// noTick is a time before all others.
const noTick = time.Duration(-1)

// carrying is the durable part of one step's effects.
type carrying struct {
	flights []int32
	events  []hearsay.Event
}

func newMachine(seed uint64, index int) machine {
	number := uint64(index + 1)
	return machine{
		index: int32(index), name: "n" + strconv.Itoa(index+1), addr: addrOf(index), tickAt: noTick, twist: honest,
		losses:  draws(seed, purposeLoss, number),
		delays:  draws(seed, purposeDelay, number),
		copies:  draws(seed, purposeCopies, number),
		holds:   draws(seed, purposeHolds, number),
		streams: draws(seed, purposeStreams, number),
		slows:   draws(seed, purposeSlow, number),
		syncs:   draws(seed, purposeSyncs, number),
		resumes: draws(seed, purposeResume, number),
		torn:    draws(seed, purposeDisk, number),
	}
}

// start runs a node on a machine that has none: with the disk that is there,
// or with a new one and so as somebody else.
func (w *World) start(m *machine, fresh bool) {
	if fresh || m.disk == nil {
		m.disk = new(store.Memory)
		m.disks++
		m.owner, m.ownerDisk = m.index, m.disks
	}
	records := w.load(m)
	m.list, m.refuses, m.away = w.operator.recovery.list, false, false
	m.life++
	m.condition = conditionRunning
	m.clock.starts(w.now)
	if m.life > 1 {
		w.counts.Restarts++
	}
	signer := testkit.NewSigner(w.config.Seed, int(m.owner)+1, m.ownerDisk)
	m.id = signer.Public().NodeID()
	m.identity = w.check.started(m, signer.Public(), w.now)
	w.fates.ended(m)
	random := draws(w.config.Seed, purposeNode, uint64(m.index)+1, uint64(m.life))
	config := node.Config{
		Network: w.id, Name: cmp.Or(m.called, m.name), Addr: m.addr, Role: hearsay.RolePeer, Cards: w.cards,
		Detect: w.config.Detect, Roster: w.config.Roster, Overlay: w.config.Overlay, Rumors: w.config.Rumors, Store: w.config.Store,
	}
	if w.config.Seeds > 0 {
		w.seatsIn(m, &config)
	}
	if m.twist.loads != nil {
		records = m.twist.loads(w, m, records)
	}
	if m.twist.configures != nil {
		m.twist.configures(w, m, &config)
	}
	w.check.written.loads(m, records, w.now)
	w.newNode(m, config, signer, rand.New(&random), records)
	if w.config.Seeds > 0 {
		w.check.loaded(m, records, m.node.Seeded().Epoch(), w.operator.untold(m), w.now)
	}
	w.advance(m, m.node.Tick)
	m.contact = netip.AddrPort{}
	if m.node != nil { // its disk has not failed already
		w.lookUp(m)
	}
}

// lookUp has a machine take the address of its contact, if it is another one than before: it is
// configured by name, and the contact may have moved.
func (w *World) lookUp(m *machine) {
	m.lookedUp = w.now
	if contact, known := w.contactOf(m); known && contact != m.contact {
		m.contact = contact
		w.advance(m, func(now time.Time) *core.Effects { return m.node.Contact(now, []netip.AddrPort{contact}) })
	}
}

// As the agent looks names up (agent/resolve.go).
const (
	lookUpEvery = 30 * time.Second
	lookUpAlone = 10 * time.Second // while it sees nobody
)

// lookUpAgain has machines look the addresses of their contacts up now and then.
func (w *World) lookUpAgain() {
	for i := range w.machines {
		m := &w.machines[i]
		if m.condition != conditionRunning {
			continue
		}
		every := lookUpEvery
		if m.node.Living() < 2 {
			every = lookUpAlone
		}
		if w.now-m.lookedUp >= every {
			w.lookUp(m)
		}
	}
}

// load reads a machine's disk, as the agent does.
func (w *World) load(m *machine) (records []core.Record) {
	records, err := m.disk.Load()
	if err != nil {
		panic("sim: " + m.name + ": its own disk cannot be read: " + err.Error())
	}
	if m.copied && w.isSeed(m) { // as where a snapshot of the machine was put back
		if err := m.disk.Persist([]core.Record{store.Doubt(records, true)}); err != nil {
			panic("sim: " + m.name + ": " + err.Error())
		}
	}
	m.copied, m.doomed = false, false
	return records
}

// contactOf is the address that a machine is configured with: n1's, but n1
// itself starts the network, and finds it again through n2.
func (w *World) contactOf(m *machine) (contact netip.AddrPort, known bool) {
	switch {
	case w.config.Seeds > 0:
		return netip.AddrPort{}, false // the seeds are configured
	case m.index > 0:
		return w.machines[0].addr, true
	case m.life > 1 && len(w.machines) > 1:
		return w.machines[1].addr, true
	}
	return netip.AddrPort{}, false
}

// end takes the process away, with all that it had not carried out.
func (w *World) end(m *machine, as condition) {
	w.dropCommits(m)
	for _, f := range m.inbox {
		w.network.releaseFlight(f)
	}
	m.inbox, m.reads, m.diskless = nil, nil, false
	if m.disk.Crash(rand.New(&m.torn)) > 0 {
		w.counts.TornDisks++
	}
	m.node, m.condition, m.tickAt, m.roused, m.busy = nil, as, noTick, false, 0
	w.check.stopped(m, w.now)
	w.twinCarriesOn(m)
}

// goAway has a machine's process end and say that it is started again.
func (w *World) goAway(m *machine) {
	w.fates.began(m, Away, w.now)
	w.check.goesAway(m)
	w.counts.Aways++
	m.away = true
	w.advance(m, m.node.Away)
}

// endGone ends the process of a node that has told the others why it ends.
func (w *World) endGone(m *machine) {
	switch {
	case m.diskless:
		w.lastTrouble = w.now
		fallthrough
	case m.away: // its stay goes on
		w.end(m, conditionCrashed)
		return
	}
	w.end(m, conditionLeft)
}

// resume lets a paused process go on: late for its deadline, and with what its
// socket kept. Which of the two it sees first is left to chance, as it is to a
// real one.
func (w *World) resume(m *machine) {
	m.condition = conditionRunning
	w.check.resumed(m, w.now)
	w.fates.ended(m)
	waiting := m.inbox
	m.inbox = nil
	tickFirst := happens(&m.resumes, 0.5)
	if tickFirst {
		w.advance(m, m.node.Tick)
	}
	for _, number := range waiting {
		w.take(m, number)
	}
	if !tickFirst && m.node != nil {
		w.advance(m, m.node.Tick)
	}
}

// arrive brings a flight to its machine, which may be slow to look at it. What
// came first is looked at first.
func (w *World) arrive(number int32) {
	f := &w.network.flights[number]
	m := &w.machines[f.to]
	switch {
	case m.node == nil, f.stream && (f.life != m.life || !w.network.carries(f.from, f.to)):
		w.lose(number)
	case m.slow > 0 || m.busy > w.now:
		f.life = m.life
		m.busy = max(m.busy, w.now+upTo(&m.slows, m.slow))
		w.queue.push(moment{at: m.busy, kind: momentTurn, machine: m.index, which: number})
	default:
		w.hand(m, number)
	}
}

// turn is the time at which a slow machine looks at a flight.
func (w *World) turn(m *machine, number int32) {
	if m.node == nil || w.network.flights[number].life != m.life {
		w.lose(number)
		return
	}
	w.hand(m, number)
}

// hand gives a flight to a machine's process, or to its socket if that stands
// still.
func (w *World) hand(m *machine, number int32) {
	switch {
	case m.condition == conditionPaused && len(m.inbox) >= socketBuffer:
		w.lose(number)
	case m.condition == conditionPaused:
		m.inbox = append(m.inbox, number)
	default:
		w.take(m, number)
	}
}

func (w *World) lose(number int32) {
	w.counts.Lost++
	w.network.releaseFlight(number)
}

// take decodes a flight and hands the packet to the machine's node.
func (w *World) take(m *machine, number int32) {
	defer w.network.releaseFlight(number)
	if m.node == nil {
		return // it left while this waited
	}
	f := &w.network.flights[number]
	b := f.bytes
	if f.stream {
		b = w.network.unframe(b)
	}
	p := &w.packet
	*p = core.Packet{Addr: w.machines[f.from].addr, Stream: f.stream, Size: len(b)}
	if drop, ok := w.decoder.Decode(b, p); !ok {
		w.check.undecodable(&w.machines[f.from], drop, f, w.now)
		return
	}
	w.counts.Received++
	if m.twist.takes != nil && !m.twist.takes(w, m, p) {
		return
	}
	w.check.received(m, p, w.now)
	w.exchanges(m, p)
	w.advance(m, func(now time.Time) *core.Effects { return m.node.Receive(now, p) })
}

// carryOut does what a step of m's node asks for, by the one rule: Now at
// once, then Persist, Send and Events in this order. If the disk is slow, the
// latter wait in the queue of the machine while the node goes on.
func (w *World) carryOut(m *machine, e *core.Effects) {
	if m.twist.steps != nil {
		m.twist.steps(w, m, e)
	}
	w.check.stepped(m, e, w.now)
	w.fates.stepped(e, w.now)
	if w.impact != nil {
		w.impact.stepped(w, m, e)
	}
	w.counts.step(e)
	for _, read := range e.Read {
		m.reads = append(m.reads, read)
		w.queue.push(moment{at: w.now + w.syncTime(m), kind: momentRead, machine: m.index, which: m.life})
	}
	for i := range e.Now {
		w.network.send(m, &e.Now[i])
	}
	if len(m.commits) > 0 || len(e.Persist) > 0 && w.syncTime(m) > 0 {
		w.enterCommits(m, e)
	} else {
		if len(e.Persist) > 0 {
			m.disk.Write(e.Persist)
			if !w.syncs(m) {
				return
			}
		}
		w.check.follows(m, w.now)
		for i := range e.Send {
			w.network.send(m, &e.Send[i])
		}
		w.tell(m, e.Events)
	}
	switch {
	case m.node.MustStop() != "":
		w.stops(m)
		return
	case m.node.Gone() && len(m.commits) == 0:
		w.endGone(m)
		return
	}
	w.schedule(m)
}

// stops ends a process that says that it must not go on with its disk.
func (w *World) stops(m *machine) {
	switch {
	case !w.isSeed(m):
		w.counts.TwinStops++
		w.check.stopsAsTwin(m, w.now)
	case w.check.fork.epoch > 0 && m.node.Seeded().Authority().Fork != nil: // EventLedgerForked has said so
		w.counts.Dooms++
	case !w.check.identities[m.identity].old:
		w.check.violate(w.now, m, RuleLedger, "stops: its data directory is broken: %s", m.node.MustStop())
		fallthrough
	default:
		w.counts.Dooms++
	}
	w.end(m, conditionCrashed)
	m.doomed = true
	w.lastTrouble = w.now
}

// syncTime is how long a machine's disk takes.
func (w *World) syncTime(m *machine) time.Duration { return max(w.config.DiskDelay, m.sync) }

// syncs makes durable what a machine's disk was given. If that fails, a peer's process
// leaves, and a seed's stops, by the one rule, and syncs reports false.
func (w *World) syncs(m *machine) bool {
	if happens(&m.syncs, m.fails) || m.full {
		w.counts.DiskFails++
		w.fates.began(m, Fail, w.now)
		w.lastTrouble = w.now
		w.loseDisk(m)
		return false
	}
	m.disk.Sync()
	w.check.synced(m)
	return true
}

// loseDisk has a process leave without its disk, or stop. What waited for the disk comes to nothing.
func (w *World) loseDisk(m *machine) {
	since := w.timeOf(m)
	if len(m.commits) > 0 {
		since = m.waits
	}
	e, leaves := m.node.LoseDisk(w.timeOf(m), since)
	if !leaves {
		w.end(m, conditionCrashed)
		return
	}
	w.dropCommits(m)
	m.diskless = true
	w.check.losesDisk(m, w.now)
	w.carryOut(m, e)
}

// dropCommits drops what waits for a machine's disk.
func (w *World) dropCommits(m *machine) {
	for _, c := range m.commits {
		for _, f := range c.flights {
			w.network.releaseFlight(f)
		}
	}
	m.commits = nil
}

// enterCommits writes the records, which the disk has only once it has synced,
// and copies what is to follow them: effects are valid until the next step.
func (w *World) enterCommits(m *machine, e *core.Effects) {
	c := carrying{events: slices.Clone(e.Events)}
	for i := range c.events {
		if evidence := c.events[i].Evidence; evidence != nil {
			copied := *evidence
			copied.Statements = slices.Clone(evidence.Statements)
			c.events[i].Evidence = &copied
		}
	}
	for i := range e.Send {
		if f, ok := w.network.encode(m, &e.Send[i]); ok {
			c.flights = append(c.flights, f)
		}
	}
	m.disk.Write(e.Persist)
	m.commits = append(m.commits, c)
	if len(m.commits) == 1 {
		m.waits = w.timeOf(m)
		w.queue.push(moment{at: w.now + w.syncTime(m), kind: momentSynced, machine: m.index, which: m.life})
	}
	m.node.DiskWaits(m.disk.Waits(), m.waits)
}

// read gives a node what it has asked for of the ledger on its disk. A paused
// process gets it when it goes on.
func (w *World) read(m *machine) {
	if m.condition == conditionPaused {
		w.queue.push(moment{at: w.now + checkEvery, kind: momentRead, machine: m.index, which: m.life})
		return
	}
	asked := m.reads[0]
	m.reads = m.reads[1:]
	rulings, err := m.disk.Before(asked.Before, core.MaxRulings, core.MaxOlderBytes)
	if err != nil {
		panic("sim: " + m.name + ": its own disk cannot be read: " + err.Error())
	}
	w.counts.OldReads += uint64(len(rulings))
	w.advance(m, func(now time.Time) *core.Effects { return m.node.Older(now, asked.Before, rulings) })
}

// synced empties the queue: one sync is for all that was written.
func (w *World) synced(m *machine) {
	if m.diskless || !w.syncs(m) {
		return
	}
	m.node.DiskWaits(m.disk.Waits(), m.waits)
	w.check.follows(m, w.now)
	waiting := m.commits
	m.commits = nil
	for _, c := range waiting {
		for _, f := range c.flights {
			w.network.dispatch(f)
		}
		w.tell(m, c.events)
	}
	if m.node.Gone() {
		w.endGone(m)
	}
}

// due is the time of the world at which a machine's node must be called.
func (w *World) due(m *machine) time.Duration {
	at := m.node.Deadline()
	if m.twist.deadline != nil {
		at = m.twist.deadline(w, m, at)
	}
	return m.clock.reaches(at.Sub(epoch))
}

// schedule sees to it that the node is called at its deadline. A tick that is
// scheduled earlier stays: it will find that it is too early.
func (w *World) schedule(m *machine) {
	at := max(w.now, w.due(m))
	if m.roused || m.tickAt != noTick && m.tickAt <= at {
		return
	}
	w.tickAt(m, at)
}

func (w *World) tickAt(m *machine, at time.Duration) {
	m.tickAt = at
	w.queue.push(moment{at: at, kind: momentTick, machine: m.index, which: m.life})
}

// tick lets a node's time pass, if this is still the tick that it waits for. A
// slow machine has something else to do first.
func (w *World) tick(m *machine, due *moment) {
	if m.node == nil || due.which != m.life || due.at != m.tickAt {
		return
	}
	m.tickAt = noTick
	late := m.roused
	m.roused = false
	switch {
	case m.condition == conditionPaused: // resume will tick
	case w.due(m) > w.now:
		w.schedule(m)
	case m.slow > 0 && !late:
		m.roused = true
		m.busy = max(m.busy, w.now+upTo(&m.slows, m.slow))
		w.tickAt(m, m.busy)
	default:
		if !w.check.ticked(m, w.now) {
			w.halted = true
			return
		}
		w.advance(m, m.node.Tick)
	}
}
