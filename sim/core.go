package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"hearsay"
	"hearsay/overlay"
	"hearsay/rumor"
)

// This file draws worlds in which most of a network is lost for ever, and the
// core that is left must go on: see demands.go for what it must do.

const (
	coreFrom   = 8 * time.Second  // machines have started, and seeds have founded
	coreWaits  = 12 * time.Second // the catastrophe begins up to so much later
	coreWaves  = 20 * time.Second // its waves come within this time
	coreAsks   = 30 * time.Second // what is demanded begins within this time of the first wave
	coreWithin = 10 * time.Second // and must be done so soon

	coreNodesMin = 5   // two that stay, one that is killed, one that comes, and one that is lost
	coreNodesMax = 400 // guess: such a world takes ten seconds of processor time
)

// The peers of a drawn core, by number: a world that is made shorter keeps the
// first ones.
const (
	coreFirst  = 1 // speaks
	coreSecond = 2 // hears
	coreVictim = 3 // is well, until it is killed
	coreFresh  = 4 // comes after the catastrophe
)

// loss is how a machine is lost for ever.
type loss uint8

const (
	lossDead loss = iota
	lossCut
	lossSlow
	lossPaused
	lossDeaf   // it sends, and hears nothing
	lossMute   // it hears, and nothing that it sends arrives
	lossLoss   // most of its packets are lost
	lossLeaves // it leaves in good order
	losses
)

// catastrophe draws what becomes of the machines that are no part of the core.
type catastrophe struct {
	storm
	doomed  []int
	kinds   []loss  // that happen in this world
	islands [][]int // of machines that are cut off, so far
	alone   bool    // each is cut off by itself
}

// drawCore draws a world with a core. With seeds 0 or less their number is drawn.
func drawCore(seed uint64, seeds int) Config {
	config := DefaultConfig()
	config.Seed, config.Abrupt = seed, true
	stream := draws(seed, purposeCore)
	random := rand.New(&stream)
	drawn := pick(random, 1, 3, 3, 3, 3, 3, 3, 5)
	config.drawSeeds(max(1, seeds))
	if seeds < 1 {
		config.Seeds = drawn
	}
	config.Nodes = coreNodesMin + random.IntN(16)
	switch random.IntN(40) {
	case 0:
		config.Nodes = 61 + random.IntN(coreNodesMax-60)
	case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
		config.Nodes = 20 + random.IntN(41)
	}
	config.Delay = pick(random, 500*time.Microsecond, 500*time.Microsecond, 5*time.Millisecond, 60*time.Millisecond)
	config.DiskDelay = pick(random, 0, 0, 3*time.Millisecond, 20*time.Millisecond)
	config.Loss = pick(random, 0, 0, 0, 0.01)
	config.Detect.StreamPing = random.IntN(4) > 0
	config.Overlay.Kind = pick(random, overlay.KindRing, overlay.KindRing, overlay.KindRandom, overlay.KindPowerLaw)
	config.Rumors.Strategy = pick(random, rumor.Tree, rumor.Tree, rumor.Tree, rumor.Flood)

	c := catastrophe{storm: storm{random: random, nodes: config.Nodes + config.Seeds, config: &config, s: &Scenario{}}}
	c.strike(c.choose())
	c.write()
	slices.SortStableFunc(c.s.Actions, byTime)
	config.Scenario = c.s
	return config
}

// choose draws who is lost, and tells who is well.
func (c *catastrophe) choose() (at time.Duration) {
	at = coreFrom + time.Duration(c.random.Int64N(int64(coreWaits)))
	well := []int{coreFirst, coreSecond, coreVictim}
	for n := coreFresh + 1; n <= c.config.Nodes; n++ {
		if c.random.IntN(20) == 0 && n < c.config.Nodes {
			well = append(well, n)
			continue
		}
		c.doomed = append(c.doomed, n)
	}
	order := c.random.Perm(c.config.Seeds)
	lost := c.random.IntN(c.config.Seeds - hearsay.QuorumOf(c.config.Seeds) + 1)
	if c.random.IntN(3) > 0 {
		lost = c.config.Seeds - hearsay.QuorumOf(c.config.Seeds)
	}
	for i := range order {
		order[i] += c.config.Nodes + 1
	}
	c.doomed = append(c.doomed, order[:lost]...)
	well = append(well, order[lost:]...)
	slices.Sort(well)
	c.random.Shuffle(len(c.doomed), func(i, j int) { c.doomed[i], c.doomed[j] = c.doomed[j], c.doomed[i] })
	c.late(at)
	c.plan(Action{At: at, Verb: Core, Delay: coreWithin, Who: well})
	return at
}

// late has some of the lost start right before the catastrophe, in some worlds:
// some of them are not in yet.
func (c *catastrophe) late(at time.Duration) {
	if c.random.IntN(4) > 0 {
		return
	}
	for _, n := range c.doomed {
		if n <= c.config.Nodes && c.random.IntN(2) == 0 {
			c.plan(Action{At: at - time.Duration(c.random.Int64N(int64(2*time.Second))), Verb: Start, Who: []int{n}})
		}
	}
}

// strike has them lost, all at once or in waves, and demands what the core must
// do meanwhile and after it.
func (c *catastrophe) strike(at time.Duration) {
	first, all := at, c.random.Perm(int(losses))
	kinds := pick(c.random, 1, 1, 2, 3, int(losses))
	for _, kind := range all[:kinds] {
		c.kinds = append(c.kinds, loss(kind))
	}
	c.alone = c.random.IntN(3) == 0
	waves := pick(c.random, 1, 1, 2, 4)
	size := (len(c.doomed) + waves - 1) / waves
	for wave := range slices.Chunk(c.doomed, size) {
		c.wave(at, wave)
		at += time.Duration(c.random.Int64N(int64(coreWaves) / int64(waves)))
	}
	begins := func() time.Duration { return first + time.Duration(c.random.Int64N(int64(coreAsks))) }
	c.plan(Action{At: begins(), Verb: WantIn, Delay: coreWithin, Who: []int{coreFresh}})
	c.plan(Action{At: begins(), Verb: WantOut, Delay: coreWithin, Who: []int{coreVictim}})
	c.plan(Action{At: begins(), Verb: WantHeard, Delay: coreWithin, Who: []int{coreFirst, coreSecond, coreFresh}})
	c.config.For = first + coreAsks + 4*coreWithin
}

// wave has some machines lost, each in a way of its own.
func (c *catastrophe) wave(at time.Duration, who []int) {
	cut := false
	for _, n := range who {
		a := Action{At: at, Who: []int{n}}
		switch kind := c.kinds[c.random.IntN(len(c.kinds))]; {
		case kind == lossCut:
			cut = true
			if c.alone || len(c.islands) == 0 {
				c.islands = append(c.islands, nil)
			}
			last := len(c.islands) - 1
			c.islands[last] = append(c.islands[last], n)
			continue
		case kind == lossSlow:
			a.Verb, a.Delay = Slow, pick(c.random, 200*time.Millisecond, time.Second, 3*time.Second)
		case kind == lossPaused:
			a.Verb = Pause
		case kind == lossDeaf:
			a.Verb, a.Share = LossIn, 1
		case kind == lossMute:
			a.Verb, a.Share = LossOut, 1
		case kind == lossLoss:
			a.Verb, a.Share = Loss, float64(3+c.random.IntN(7))/10
		case kind == lossLeaves && n <= c.config.Nodes:
			a.Verb = Leave
		default:
			a.Verb = Kill
		}
		c.plan(a)
	}
	if !cut {
		return
	}
	// The first group has all that are not cut off: one of them stands for it.
	groups := [][]int{{coreFirst}}
	for _, island := range c.islands {
		group := slices.Clone(island)
		slices.Sort(group)
		groups = append(groups, group)
	}
	c.plan(Action{At: at, Verb: Partition, Groups: groups})
}
