package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"hearsay"
	"hearsay/overlay"
	"hearsay/rumor"
)

// A drawn world has a minute in which anything may fail and nothing wrong may
// happen; then all is mended, and everything must converge.
const (
	stormBegins = 8 * time.Second // machines have started
	stormEnds   = 68 * time.Second
	backLeast   = 3 // machines that run again at the end, whatever became of the others
)

// badness is how bad a world is.
type badness uint8

const (
	mild badness = iota
	rough
	horrible
)

// storm draws what fails in a world.
type storm struct {
	random     *rand.Rand
	bad        badness
	nodes      int   // and seeds
	frail      int   // seeds, the last ones, whose disks may be lost
	down       []int // seeds that are down for good in the end
	quorumLost bool  // a quorum of the seeds is lost for ever
	config     *Config
	s          *Scenario
}

// SeedsDrawn is a number of seeds that says that it is drawn.
const SeedsDrawn = -1

// drawWorld draws a whole run of a network that has so many seeds: how bad the world is, its
// settings, and what fails when. The same seed gives the same run.
func drawWorld(seed uint64, seeds int) Config {
	config := DefaultConfig()
	config.Seed, config.For = seed, stormEnds
	config.drawSeeds(seeds)
	stream := draws(seed, purposeWorld)
	random := rand.New(&stream)
	bad := pick(random, mild, mild, mild, rough, rough, rough, rough, rough, horrible, horrible)
	config.Nodes = 2 + random.IntN(14)
	if random.IntN(8) == 0 {
		config.Nodes = 16 + random.IntN(33)
	}
	config.Delay = pick(random, 500*time.Microsecond, 5*time.Millisecond, 60*time.Millisecond)
	config.DiskDelay = pick(random, 0, 0, 3*time.Millisecond, 100*time.Millisecond)
	config.Detect.StreamPing = random.IntN(2) == 0
	config.Overlay.Kind = pick(random, overlay.KindRing, overlay.KindRing, overlay.KindRandom, overlay.KindPowerLaw)
	config.Rumors.Strategy = pick(random, rumor.Tree, rumor.Tree, rumor.Tree, rumor.Monger, rumor.Flood)
	config.Rumors.Style = pick(random, rumor.Push, rumor.Pull, rumor.PushPull)
	if random.IntN(4) == 0 {
		config.Rumors.KeepCount = 8 << random.IntN(5)
	}
	if random.IntN(4) == 0 {
		config.Rumors.KeepFor = 2 * time.Minute
	}
	config.Overlay.Links = pick(random, 6, 6, 6, 4, 8)
	switch bad {
	case mild:
		config.NoFalseDeath = true
	case rough:
		config.Loss = pick(random, 0, 0, 0.02, 0.1)
	case horrible:
		config.Loss = pick(random, 0.05, 0.1, 0.2, 0.3)
	}
	stream = draws(seed, purposeStorm)
	st := storm{random: rand.New(&stream), bad: bad, nodes: config.Nodes + config.Seeds, config: &config, s: &Scenario{}}
	if config.Seeds > 2 { // with fewer no quorum is left to give a seat anew
		st.frail = config.Seeds - hearsay.QuorumOf(config.Seeds)
	}
	st.dawn()
	st.dusk()
	st.split()
	st.relapse()
	st.loseQuorum()
	st.doom()
	st.talk()
	st.blow()
	st.fall()
	st.mishaps()
	st.write()
	st.mend()
	slices.SortStableFunc(st.s.Actions, byTime)
	config.Scenario = st.s
	return config
}

// drawSeeds draws how many there are, unless that is given, and how soon their
// ledger is no longer at hand.
func (c *Config) drawSeeds(given int) {
	stream := draws(c.Seed, purposeSeeding)
	random := rand.New(&stream)
	c.Seeds = pick(random, 0, 0, 0, 0, 1, 2, 3, 3, 3, 5)
	if given != SeedsDrawn {
		c.Seeds = given
	}
	snapshotEvery, tail := pick(random, c.Quorum.SnapshotEvery, 100, 20), pick(random, c.Follower.Tail, 16, 4)
	if c.Seeds > 0 {
		c.Quorum.SnapshotEvery, c.Follower.Tail = snapshotEvery, tail
	}
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

func (st *storm) plan(a Action) {
	a.At = a.At.Truncate(time.Millisecond)
	st.s.Actions = append(st.s.Actions, a)
}

// dawn has a seed come late, in some worlds, and others told to found without
// it. There no disk of a seed is lost: it could be the only other one that had
// the ledger, and the word that nobody has one would be false.
func (st *storm) dawn() {
	stream := draws(st.config.Seed, purposeDawn)
	random := rand.New(&stream)
	if st.config.Seeds < 3 || random.IntN(4) > 0 {
		return
	}
	st.frail, st.config.Founders = 0, random.IntN(st.config.Seeds+1)
	late := st.config.Nodes + 1 + random.IntN(st.config.Seeds)
	st.plan(Action{At: time.Duration(random.Int64N(int64(stormEnds / 2))), Verb: Start, Who: []int{late}})
}

// dusk has seeds down for good in the end, in some worlds: fewer than would stop
// the others, of those whose disks may be lost else. Perhaps nothing is founded by
// then, so all are told to found without them; and therefore no disk is lost.
func (st *storm) dusk() {
	stream := draws(st.config.Seed, purposeDusk)
	random := rand.New(&stream)
	if st.frail == 0 || random.IntN(4) > 0 {
		return
	}
	for n := range 1 + random.IntN(st.frail) {
		st.down = append(st.down, st.nodes-n)
	}
	st.frail, st.config.Founders = 0, st.config.Seeds
}

// talk has rumors said, or none.
func (st *storm) talk() {
	if every := pick(st.random, 0, 100*time.Millisecond, 700*time.Millisecond); every > 0 {
		st.plan(Action{At: stormBegins / 2, Verb: Say, Anyone: true, Times: int((stormEnds - stormBegins/2) / every), Every: every})
	}
	if st.random.IntN(2) == 0 {
		st.plan(Action{At: stormBegins, Verb: Say, Anyone: true, Times: 20, Every: 3 * time.Second, Size: 1 + st.random.IntN(hearsay.MaxRumorData)})
	}
}

// write has clients write to the store all the time. In some worlds those that write no more are soon forgotten, and in
// some what goes in parts is shorter.
func (st *storm) write() {
	stream := draws(st.config.Seed, purposeWrites)
	random := rand.New(&stream)
	if random.IntN(3) == 0 {
		st.config.Store.Forget = pick(random, 5*time.Second, 20*time.Second)
	}
	every := pick(random, 400*time.Millisecond, time.Second, 3*time.Second)
	if random.IntN(2) == 0 { // so that values need not be as long as they may
		st.config.Store.Part = 1 << (8 + random.IntN(5))
	}
	st.plan(Action{At: stormBegins / 2, Verb: Write, Anyone: true, Times: int((stormEnds - stormBegins/2) / every), Every: every})
}

// blow draws the faults of the whole storm: in a mild world a few, and none of
// the network.
func (st *storm) blow() {
	every := time.Duration(1+st.random.IntN(8)) * time.Second
	if st.bad == mild {
		every = 12 * time.Second
	}
	for at := stormBegins; at < stormEnds; at += time.Duration(1 + st.random.Int64N(int64(2*every))) {
		if st.bad == mild || st.random.IntN(2) == 0 {
			st.plan(st.machineFault(at))
		} else {
			st.plan(st.networkFault(at))
		}
	}
}

// victim draws a machine to which something happens: with seeds every other
// time one of them, as there are few.
func (st *storm) victim() int {
	if st.config.Seeds > 0 && st.random.IntN(2) == 0 {
		return st.config.Nodes + 1 + st.random.IntN(st.config.Seeds)
	}
	return 1 + st.random.IntN(st.nodes)
}

// fall draws the hour of the seeds: of so many that nothing can be decided, or
// of one who is to lose its disk.
func (st *storm) fall() {
	if st.config.Seeds == 0 {
		return
	}
	r, n := st.random, st.config.Seeds
	at := stormBegins + time.Duration(r.Int64N(int64(stormEnds-stormBegins)/2))
	until := at + time.Duration(r.Int64N(int64(stormEnds-stormBegins)/2))
	order := r.Perm(n)
	for i := range order {
		order[i] += st.config.Nodes + 1
	}
	lost := order[:n-hearsay.QuorumOf(n)+1] // without these there is no quorum
	switch r.IntN(5) {
	case 0:
		st.plan(Action{At: at, Verb: Kill, Who: order})
		st.plan(Action{At: until, Verb: Restart, Who: order})
	case 1:
		st.plan(Action{At: at, Verb: Kill, Who: lost})
		st.plan(Action{At: until, Verb: Restart, Who: lost})
	case 2:
		st.plan(Action{At: at, Verb: Pause, Who: lost})
		st.plan(Action{At: until, Verb: Resume, Who: lost})
	case 3:
		if st.frail > 0 {
			who := []int{st.nodes - r.IntN(st.frail)}
			st.plan(Action{At: at, Verb: Kill, Who: who})
			st.plan(Action{At: until, Verb: Restart, Who: who, Fresh: true})
		}
	}
}

// machineFault draws one that befalls a machine, or its end.
func (st *storm) machineFault(at time.Duration) Action {
	r, a := st.random, Action{At: at, Who: []int{st.victim()}}
	switch r.IntN(14) {
	case 0, 1:
		a.Verb = Kill
	case 2, 3, 4:
		lasts := a.Who[0] > st.config.Nodes && a.Who[0] <= st.nodes-st.frail
		a.Verb, a.Fresh = Restart, r.IntN(4) == 0 && !lasts
	case 5, 6:
		a.Verb = Pause
	case 7, 8:
		a.Verb = Resume
	case 9:
		if a.Verb = Leave; a.Who[0] > st.config.Nodes {
			a.Verb = Kill // seeds do not leave
		}
	case 10:
		a.Verb, a.Delay = Disk, pick(r, 0, 10*time.Millisecond, 200*time.Millisecond, time.Second)
	case 11:
		a.Verb, a.Share = Fail, pick(r, 0, 0.05, 0.5)
	case 12:
		if a.Verb, a.Delay = Jump, time.Duration(r.Int64N(int64(2*time.Hour)))-time.Hour; a.Delay.Abs() > 40*time.Minute {
			a.Delay *= 72 // days, as where somebody has set the date wrong
		}
	case 13:
		if a.Verb, a.Share = Drift, pick(r, 0, -0.02, 0.0001, 0.01, 0.05); st.bad != mild && r.IntN(2) == 0 {
			a.Verb, a.Share, a.Delay = Slow, 0, pick(r, 0, 20*time.Millisecond, 200*time.Millisecond, 2*time.Second)
		}
	}
	return a
}

// networkFault draws one of the network, or its end.
func (st *storm) networkFault(at time.Duration) Action {
	r, a := st.random, Action{At: at}
	order := r.Perm(st.nodes)
	for i := range order {
		order[i]++
	}
	switch r.IntN(9) {
	case 0, 1:
		split := 1 + r.IntN(st.nodes-1)
		slices.Sort(order[:split])
		slices.Sort(order[split:])
		a.Verb, a.Groups = Partition, [][]int{order[:split], order[split:]}
	case 2, 3:
		a.Verb = Heal
	case 4:
		a.Verb, a.Groups = Cut, [][]int{order[:1], order[1:2]}
	case 5:
		a.Verb, a.Who, a.Share = pick(r, Loss, LossIn, LossOut), order[:1], float64(r.IntN(10))/10
	case 6:
		a.Verb, a.Share = Duplicate, float64(r.IntN(6))/10
	case 7:
		a.Verb, a.Share, a.Delay = Reorder, pick(r, 0, 0.01, 0.1), pick(r, 100*time.Millisecond, time.Second, 10*time.Second)
	case 8:
		a.Verb, a.Delay = Delay, pick(r, time.Millisecond, 20*time.Millisecond, 150*time.Millisecond)
		a.Spread = time.Duration(r.Int64N(int64(2 * a.Delay)))
	}
	return a
}

// mend ends all faults but what any network has, and clocks that are not right.
func (st *storm) mend() {
	all := make([]int, st.nodes)
	for i := range all {
		all[i] = i + 1
	}
	// One who has lost everybody cannot tell that from being lost himself, and
	// who has only the address of a dead n1 finds nobody: some must be there.
	back := slices.Concat(all[:min(backLeast, st.config.Nodes)], all[st.config.Nodes:])
	if st.random.IntN(2) == 0 {
		back = all
	}
	if len(st.down) > 0 {
		st.plan(Action{At: stormEnds, Verb: Kill, Who: st.down})
		back = slices.DeleteFunc(slices.Clone(back), func(n int) bool { return slices.Contains(st.down, n) })
	}
	for _, a := range []Action{
		{Verb: Heal},
		{Verb: Loss, Share: min(st.config.Loss, 0.1)}, // with more there is always somebody suspect
		{Verb: Loss, Who: all},
		{Verb: Duplicate},
		{Verb: Reorder},
		{Verb: Delay, Delay: st.config.Delay},
		{Verb: Slow, Who: all},
		{Verb: Fail, Who: all},
		{Verb: Disk, Who: all},
		{Verb: Resume, Who: all},
		{Verb: Restart, Who: back},
	} {
		a.At = stormEnds
		st.plan(a)
	}
}
