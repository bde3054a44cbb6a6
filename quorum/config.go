package quorum

import (
	"fmt"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// Config is what a seed is told at its start. The knobs of time are not the
// user's: DefaultConfig has them.
type Config struct {
	Network hearsay.NetworkID
	Seeds   []ledger.Seed // all seeds, this one too, in the order of the configuration
	Slot    int           // this seed's own place among them
	Recover bool          // the quorum is lost for ever: take no part, until Recover is called
	// an operator vouches that seeds which do not answer have no ledger: found the network with a quorum of
	// them
	Found bool

	// in which this seed says that it writes the log; it takes no part with seeds of others
	Versions core.LogVersions

	Limits hearsay.Limits // that this seed was told; those hold that a quorum of seeds was

	Observers int // K, as the roster has it; default 9

	TickEvery time.Duration // Raft's tick, and heartbeat; default 100 ms (etcd's default heartbeat)
	// without a heartbeat for so many to twice as many ticks a seed stands for election; default 10 (etcd's
	// default, 1 s)
	ElectionTicks int
	// what is proposed within this time goes into one entry; default 5 ms (guess: about a commit to a disk)
	GatherEvery time.Duration
	RetryEvery  time.Duration // what is not in the log yet is proposed again; default 500 ms
	ProbeEvery  time.Duration // between two probes of somebody a case is about; default 500 ms
	// between two probes of a member's detector; default 1 s, as detect.Config has it; 0: members need not probe
	ProbePeriod time.Duration
	HelloEvery  time.Duration // between two hellos to a seed that is not known yet; default 500 ms
	HeadEvery   time.Duration // at most one head signed in this time; default 50 ms
	// failed probes further apart, though there was room for one meanwhile, are not one silence; default 2.5 s
	// (guess); must exceed silentPeriod and ProbeEvery by two ticks, or nobody is ever silent
	GapMost time.Duration
	Trial   time.Duration // a member must not answer for so long, besides the evidence; default 1 s
	// the same, without the evidence of a majority; default 4 s, which is as long as a suspicion lasts at least
	ShortTrial time.Duration
	// a member that has not answered this seed for so long is brought before the seeds, whatever observers say,
	// a suspect after ShortTrial; default 24 s (ShortTrial, and the 20 s of ReportPause); must exceed
	// ShortTrial
	SilentFor    time.Duration
	AdmitTimeout time.Duration // an admission without a decision ends; default 5 s
	// a removal without a decision ends; default 10 s, and ShortTrial more for a short report
	RemoveTimeout time.Duration
	// after an abort, reports of that stay without the evidence of a majority wait; default 20 s (the old
	// seeds' own pause)
	ReportPause time.Duration
	// after an abort of a case that rested on a majority of observers, further evidence about that stay waits;
	// default 2 s (petition.Config.ReportEvery, and as between two rounds)
	EvidencePause time.Duration
	SnapshotEvery int // entries applied between two snapshots; default 4096
	SnapshotBytes int // or so many bytes of them; default 4 MiB
	// rulings kept in memory; older ones are read from disk; default 16,384 (about 16 MB with three seeds)
	Tail     int
	WatchFor time.Duration // a suspect that nobody reports is watched for so long; default 60 s
}

// DefaultConfig gives the defaults, without a network and seeds.
func DefaultConfig() Config {
	return Config{
		Versions:      ledger.Versions(),
		Limits:        hearsay.DefaultLimits(),
		Observers:     9,
		TickEvery:     100 * time.Millisecond,
		ElectionTicks: 10,
		GatherEvery:   5 * time.Millisecond,
		RetryEvery:    500 * time.Millisecond,
		ProbeEvery:    500 * time.Millisecond,
		ProbePeriod:   time.Second,
		GapMost:       2500 * time.Millisecond,
		HelloEvery:    500 * time.Millisecond,
		HeadEvery:     50 * time.Millisecond,
		Trial:         time.Second,
		ShortTrial:    4 * time.Second,
		SilentFor:     24 * time.Second,
		AdmitTimeout:  5 * time.Second,
		RemoveTimeout: 10 * time.Second,
		ReportPause:   20 * time.Second,
		EvidencePause: 2 * time.Second,
		SnapshotEvery: 4096,
		SnapshotBytes: 4 << 20,
		Tail:          ledger.ChainLength,
		WatchFor:      time.Minute,
	}
}

// hash stands for the list of seeds: a ledger belongs to one list.
func (c *Config) hash() hearsay.Hash { return ledger.HashSeeds(c.Network, c.Seeds) }

// check says what is wrong with the list of seeds.
func (c *Config) check(key hearsay.PublicKey) error {
	if err := c.Limits.Check(); err != nil {
		return err
	}
	if n := len(c.Seeds); n < 1 || n > hearsay.MaxSeeds {
		return fmt.Errorf("seeds: %d of them: want 1 to %d", n, hearsay.MaxSeeds)
	}
	if c.Slot < 0 || c.Slot >= len(c.Seeds) {
		return fmt.Errorf("seeds: this seed is none of them")
	}
	if pinned := c.Seeds[c.Slot].Key; !pinned.IsZero() && pinned != key {
		return fmt.Errorf("seeds: the list pins another key for %v than this data directory has: use the directory with that key; "+
			"if it is lost, take the key out of the list of every seed, and start each again: the others give this one its seat", c.Seeds[c.Slot].Addr)
	}
	for i := range c.Seeds {
		if key := c.Seeds[i].Key; !key.IsZero() && key.Weak() {
			return fmt.Errorf("seeds: the list pins a key for %v with which anybody could sign: want the key that this seed prints", c.Seeds[i].Addr)
		}
		for j := range i {
			if c.Seeds[i].Addr == c.Seeds[j].Addr {
				return fmt.Errorf("seeds: %v stands in the list twice", c.Seeds[i].Addr)
			}
		}
	}
	return nil
}
