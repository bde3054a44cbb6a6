package sim

import (
	"fmt"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/follower"
	"hearsay/overlay"
	"hearsay/quorum"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
)

// MaxNodes bounds a world: what each node knows of each other grows with the
// square.
const MaxNodes = 10_000

// Config is one run. The same Config gives the same run.
type Config struct {
	Nodes    int // machines; default 32
	Seeds    int // machines besides, that are seeds; default 0: an open network
	Founders int // of the seeds, the first ones: an operator vouches that others have no ledger; default 0
	Hostile  int // of the nodes, from n2 on: they lie while a storm would last; default 0
	// of the machines, the last ones, and so seeds first: their nodes are of the version before, and drop the
	// packets of a kind that they do not know; default 0
	Before int
	// of the nodes, the last ones: they have one IP address, and with seeds may not all be in; default 0
	Crowd int
	Loss  float64       // probability that a packet is lost on its way, each direction for itself; default 0
	Delay time.Duration // a packet takes this long, and up to half as long again; default 500 µs (a LAN's)
	For   time.Duration // virtual time; default 60 s
	Seed  uint64        // of all that is left to chance; default 1
	// once all have had time to start, one of them, drawn, says a rumor this often, to the end; default 0:
	// nobody says any
	Chatter  time.Duration
	Abrupt   bool      // the run ends after For, whether all agree by then or not
	Trace    bool      // print every event of every node
	JSON     bool      // print JSON lines instead of text
	Scenario *Scenario // what happens to the machines; nil: the scenario that the seed draws, see Draw

	DiskDelay    time.Duration // a sync of a disk takes this long; default 0: none
	Plant        string        // name of a planted bug that some nodes have, see Plants; default none
	NoFalseDeath bool          // a death of one who was always there breaks a rule; otherwise it is counted
	Detect       detect.Config
	Roster       roster.Config
	Overlay      overlay.Config
	Rumors       rumor.Config
	Store        spread.Config
	Quorum       quorum.Config   // of each seed, but for who the seeds are
	Follower     follower.Config // of each peer of seeds, likewise
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		Nodes:   32,
		Delay:   500 * time.Microsecond,
		For:     time.Minute,
		Seed:    1,
		Detect:  detect.DefaultConfig(),
		Roster:  roster.DefaultConfig(),
		Overlay: overlay.DefaultConfig(),
		Rumors:  rumor.DefaultConfig(),
		Store:   spread.DefaultConfig(),
		Quorum:  quorum.DefaultConfig(), Follower: follower.DefaultConfig(),
	}
}

// Validate says what is wrong with the configuration, if anything.
func (c *Config) Validate() error {
	switch {
	case c.Nodes < 1 || c.Nodes > MaxNodes:
		return fmt.Errorf("nodes %d: want 1 to %d", c.Nodes, MaxNodes)
	case c.Seeds < 0 || c.Seeds > hearsay.MaxSeeds:
		return fmt.Errorf("seeds %d: want 0 to %d", c.Seeds, hearsay.MaxSeeds)
	case c.Founders < 0 || c.Founders > hearsay.MaxSeeds:
		return fmt.Errorf("found %d: want 0 to %d", c.Founders, hearsay.MaxSeeds)
	case c.Crowd < 0 || c.Crowd > 0 && (c.Crowd >= c.Nodes || c.Crowd > crowdMost || c.Seeds == 0):
		return fmt.Errorf("crowd %d: want fewer than there are nodes, at most %d, in a network with seeds", c.Crowd, crowdMost)
	case c.Before < 0 || c.Before > c.Nodes+c.Seeds:
		return fmt.Errorf("before %d: want 0 to as many as there are machines", c.Before)
	case c.Hostile < 0 || c.Hostile > 0 && (c.Hostile >= c.Nodes || c.Seeds == 0):
		return fmt.Errorf("hostile %d: want fewer than there are nodes, in a network with seeds", c.Hostile)
	case !(c.Loss >= 0 && c.Loss <= 1):
		return fmt.Errorf("loss %v: want a probability, 0 to 1", c.Loss)
	case c.Delay < 0:
		return fmt.Errorf("delay %v: want 0 or more", c.Delay)
	case c.DiskDelay < 0:
		return fmt.Errorf("disk delay %v: want 0 or more", c.DiskDelay)
	case c.Chatter != 0 && c.Chatter < time.Millisecond:
		return fmt.Errorf("chatter %v: want 0 for none, or 1ms or more", c.Chatter)
	case c.For <= 0:
		return fmt.Errorf("for %v: want more than 0", c.For)
	}
	_, err := plantNamed(c.Plant)
	return err
}
