package sim

import (
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/roster"
	"hearsay/wire"
)

// epoch is when every world begins.
var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

const (
	networkName = "sim"
	checkEvery  = time.Second // of virtual time: some rosters are walked
	checkNodes  = 32          // whose, at a time, in turn
)

// World is a simulated network of machines. It is not safe for concurrent use.
type World struct {
	config   Config
	id       hearsay.NetworkID
	now      time.Duration // since epoch
	queue    queue
	machines []machine
	network  network
	operator operator
	cards    *roster.Cards // of all nodes, as they hold the same members; nil: each has its own
	plan     []Action      // what is scheduled, by number

	decoder *wire.Decoder
	packet  core.Packet // the one being received

	check       *checker
	checkNext   int // machine whose roster is walked next
	members     []hearsay.Member
	stays       []hearsay.Stay
	log         eventLog
	counts      Counts
	fates       fates
	impact      *impact  // of a given scenario, if it touches anybody
	speakers    rand.PCG // who says something, where anyone may
	clients     clients  // of the store
	lastSaid    time.Duration
	lastWritten time.Duration // when a client last wrote; 0: none ever did
	halted      bool          // a node stands still, and time with it
	lastTrouble time.Duration // when the last action was carried out that members have to find out about
	core        demands       // that is well, and what it must do in time
	convergence convergence   // what must be so in the end
	inspection  inspection    // what must be so at any time
	promises    promises      // of case files, that are not judged yet

	lives    map[int32]*core.SeedLife                        // likewise, by machine
	removals []time.Duration                                 // likewise
	dropped  map[int32]*core.Object                          // likewise, by machine
	planted  []hearing                                       // by a plant
	namedTo  []named                                         // likewise
	watch    func(from *machine, p *core.Packet)             // tests look at what is sent
	reads    func(m *machine, shown time.Duration) time.Time // tests set wall clocks apart from monotonic ones
}

// NewWorld makes a world in which nothing runs yet. The story of its nodes is
// written to story, unless that is nil. The configuration must be valid; its
// Scenario is not planned, see Plan.
func NewWorld(config Config, story io.Writer) *World {
	w := &World{
		config: config,
		id:     hearsay.NetworkIDOf(networkName),
		network: network{
			loss: config.Loss, lossiest: config.Loss, delay: config.Delay, spread: config.Delay / 2,
			cuts: make(map[way]bool), connections: make(map[ends]*connection),
		},
	}
	w.network.world, w.operator.world, w.core.world, w.promises.world = w, w, w, w
	w.convergence.world, w.inspection.world = w, w
	w.decoder = wire.NewDecoder(w.id)
	w.cards = roster.NewCards(config.Seed)
	for i := range config.Nodes + config.Seeds {
		w.machines = append(w.machines, newMachine(config.Seed, i))
		if m := &w.machines[i]; w.isSeed(m) {
			m.name = "s" + strconv.Itoa(i-config.Nodes+1)
			m.entropy.stream = draws(config.Seed, purposeElections, uint64(i))
		}
	}
	for i := config.Nodes - config.Crowd; i < config.Nodes; i++ {
		w.machines[i].addr = crowdOf(config.Nodes-config.Crowd, i)
	}
	w.check = newChecker(w.id, config, len(w.machines))
	w.fates = newFates()
	w.speakers = draws(config.Seed, purposeSpeakers)
	w.clients = clients{world: w, draws: draws(config.Seed, purposeClients)}
	w.log = newEventLog(story, config.JSON)
	w.dropped = make(map[int32]*core.Object)
	w.queue.push(moment{at: checkEvery, kind: momentCheck})
	w.bendHostile()
	w.bendBefore()
	plant, err := plantNamed(config.Plant)
	if err != nil {
		panic("sim: " + err.Error()) // the configuration is valid
	}
	if plant != nil {
		plant.bend(w)
	}
	return w
}

// Now is how long the world has been going.
func (w *World) Now() time.Duration { return w.now }

// Plan schedules an action for its time, or for now if that has passed, and
// again as often as it says.
func (w *World) Plan(a Action) {
	w.plan = append(w.plan, a)
	w.core.counts(&a)
	for i := range max(1, a.Times) {
		at := max(w.now, a.At) + time.Duration(i)*a.Every
		w.queue.push(moment{at: at, kind: momentAct, which: int32(len(w.plan) - 1)})
	}
}

// RunUntil lets the world go on until this time since it began.
func (w *World) RunUntil(end time.Duration) {
	for !w.halted && !w.queue.empty() && w.queue.soonest().at <= end {
		due := w.queue.pop()
		w.now = due.at
		w.step(&due)
		if w.config.Plant != "" && w.check.broken > 0 {
			w.halted = true // it is found
		}
	}
	w.now = max(w.now, end)
}

// step carries out what is due.
func (w *World) step(due *moment) {
	m := &w.machines[due.machine]
	switch due.kind {
	case momentTick:
		w.tick(m, due)
	case momentArrival:
		w.arrive(due.which)
	case momentTurn:
		w.turn(m, due.which)
	case momentRefused:
		w.network.refused(m, &w.machines[due.which])
	case momentSynced:
		if m.node != nil && due.which == m.life {
			w.synced(m)
		}
	case momentRead:
		if m.node != nil && due.which == m.life {
			w.read(m)
		}
	case momentAct:
		w.Do(w.plan[due.which])
	case momentDemand:
		w.core.meet()
	case momentCheck:
		w.checkRosters()
		w.inspection.checkTwins()
		w.inspection.checkListed()
		w.inspection.checkTold()
		w.inspection.checkForks()
		w.promises.askWhy()
		w.operator.askSeeds()
		w.operator.heedsPeers()
		w.lookUpAgain()
		w.queue.push(moment{at: w.now + checkEvery, kind: momentCheck})
	}
}

// checkRosters has the checker walk the rosters of some machines.
func (w *World) checkRosters() {
	for range min(checkNodes, len(w.machines)) {
		m := &w.machines[w.checkNext]
		w.checkNext = (w.checkNext + 1) % len(w.machines)
		if m.node == nil {
			continue
		}
		w.members = m.node.Members(w.members[:0])
		w.check.roster(m, w.members, len(m.node.Gossip().Links()), m.node.Stats(), w.now)
		if w.config.Seeds > 0 {
			w.checkLedger(m)
		}
	}
}

// Do carries out an action now, whatever its time. What makes no sense, as
// killing a machine that does not run, does nothing.
func (w *World) Do(a Action) {
	w.log.act(w.now, &a, w.config.Nodes)
	w.counts.act(&a)
	switch a.Verb {
	case Partition, Cut, Heal, Loss, LossIn, LossOut, LossDatagrams, LossStreams, Narrow, Duplicate, Delay, Reorder:
		w.disturb(&a)
	case Say:
		w.lastSaid = w.now
		if m := w.someone(&w.speakers); a.Anyone && m != nil {
			w.say(m, a.Size)
		}
		for _, number := range a.Who {
			w.say(&w.machines[number-1], a.Size)
		}
		return // that is no trouble
	case Write, Put, Delete:
		if m := w.someone(&w.clients.draws); a.Anyone && m != nil {
			w.clients.writes(m, &a)
		}
		for _, number := range a.Who {
			w.clients.writes(&w.machines[number-1], &a)
		}
		return // that is no trouble
	case Call:
		w.operator.rename(&a)
	case Clone:
		w.clone(&a)
	case Invent:
		for _, number := range a.Who {
			w.invent(&w.machines[number-1])
		}
		return // nobody need find out
	case Core, WantIn, WantOut, WantHeard:
		w.core.want(&a)
	default:
		for _, number := range a.Who {
			w.doTo(&w.machines[number-1], &a)
		}
	}
	switch a.Verb {
	case Partition, Cut, Heal, Loss, LossIn, LossOut, LossDatagrams, LossStreams, Narrow, Delay, Duplicate, Reorder, Slow, Drift, Fail, Fill, Room:
		w.check.disturbed(w.now, w.whole())
	}
	if a.Verb != Start && a.Verb != Core && a.Verb != WantHeard && a.Verb != Call {
		w.lastTrouble = w.now
	}
}

// disturb carries out an action on the network.
func (w *World) disturb(a *Action) {
	switch a.Verb {
	case Partition:
		w.partition(a.Groups)
	case Cut:
		w.network.cuts[way{int32(a.Groups[0][0]) - 1, int32(a.Groups[1][0]) - 1}] = true
	case Heal:
		w.heal()
	case Loss, LossIn, LossOut:
		w.setLoss(a)
	case LossDatagrams:
		for _, number := range a.Who {
			w.machines[number-1].lossDatagrams = a.Share
		}
	case LossStreams:
		for _, number := range a.Who {
			w.machines[number-1].lossStreams = a.Share
		}
	case Narrow:
		for _, number := range a.Who {
			w.machines[number-1].narrow = a.Size
		}
	case Duplicate:
		w.network.duplicate = a.Share
	case Reorder:
		w.network.reorder, w.network.holdBack = a.Share, a.Delay
	case Delay:
		w.network.delay, w.network.spread = a.Delay, a.Spread
		if a.Spread == 0 {
			w.network.spread = a.Delay / 2
		}
		w.network.longest = max(w.network.longest, w.network.delay+w.network.spread)
	}
}

// doTo carries out an action on one machine.
func (w *World) doTo(m *machine, a *Action) {
	switch {
	case a.Verb == Start && m.condition == conditionAbsent,
		a.Verb == Restart && (m.condition == conditionCrashed || m.condition == conditionLeft):
		w.start(m, a.Fresh || m.doomed && !w.isSeed(m)) // as its last words say
	case a.Verb == Kill && m.node != nil:
		w.fates.began(m, a.Verb, w.now)
		w.end(m, conditionCrashed)
		w.counts.Kills++
	case a.Verb == Pause && m.condition == conditionRunning:
		w.fates.began(m, a.Verb, w.now)
		m.condition = conditionPaused
		w.check.paused(m, w.now)
		w.twinCarriesOn(m)
		w.counts.Pauses++
	case a.Verb == Resume && m.condition == conditionPaused:
		w.resume(m)
	case a.Verb == Leave && m.condition == conditionRunning:
		w.fates.began(m, a.Verb, w.now)
		w.check.leaves(m)
		w.advance(m, m.node.Leave)
		w.counts.Leaves++
	case a.Verb == Away && m.condition == conditionRunning && !w.isSeed(m):
		w.goAway(m)
	case a.Verb == Slow:
		m.slow = a.Delay
	case a.Verb == Drift:
		m.clock.sets(w.now, a.Share)
		if m.condition == conditionRunning && !m.roused {
			w.tickAt(m, max(w.now, w.due(m)))
		}
	case a.Verb == Jump:
		m.clock.jumps(w.now, a.Delay)
	case a.Verb == Disk:
		m.sync = a.Delay
	case a.Verb == Fail:
		m.fails = a.Share
	default:
		w.operator.operate(m, a)
	}
}

// partition puts machines into groups that do not reach each other. Who is not
// named is with the first group.
func (w *World) partition(groups [][]int) {
	for i := range w.machines {
		w.machines[i].group = 0
	}
	for group, members := range groups {
		for _, number := range members {
			w.machines[number-1].group = int32(group)
		}
	}
}

// heal mends every way: no groups, no cuts. Loss stays.
func (w *World) heal() {
	w.partition(nil)
	clear(w.network.cuts)
}

// setLoss sets the loss of the network, or of what some machines send or
// receive.
func (w *World) setLoss(a *Action) {
	w.network.lossiest = max(w.network.lossiest, a.Share)
	if len(a.Who) == 0 {
		w.network.loss = a.Share
	}
	for _, number := range a.Who {
		m := &w.machines[number-1]
		if a.Verb != LossOut {
			m.lossIn = a.Share
		}
		if a.Verb != LossIn {
			m.lossOut = a.Share
		}
	}
}

// whole reports whether every machine can reach every other, as well as any and
// in time, and keeps what it writes.
func (w *World) whole() bool { return len(w.network.cuts) == 0 && w.sound() }

// sound reports whether that is so but for ways that are cut.
func (w *World) sound() bool {
	for i := range w.machines {
		if m := &w.machines[i]; m.group != w.machines[0].group || max(m.lossIn, m.lossOut) > w.network.loss || m.lossStreams > 0 || m.narrow > 0 || m.slow > 0 || m.fails > 0 || m.full {
			return false
		}
	}
	return true
}

// tell is what the application gets to know.
func (w *World) tell(m *machine, events []hearsay.Event) {
	for i := range events {
		if events[i].Kind == hearsay.EventSeedDiffers {
			w.operator.differs(m, &events[i])
		}
		w.promises.redeems(m, &events[i])
		w.log.tell(w.now, m, &events[i], w.check)
	}
}
