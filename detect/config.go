package detect

import (
	"fmt"
	"time"
)

// Kind is how members are watched.
type Kind uint8

// The kinds.
const (
	KindSwim      Kind = iota // each pings all in turn, and asks relays
	KindHeartbeat             // each tells a few members what it has heard of all
	KindNeighbor              // each pings its links
	numKinds
)

// kinds are the detectors, by Kind.
var kinds = [numKinds]struct {
	word     string
	schedule func(*shared, time.Time) schedule
	longest  func(*Config) time.Duration                // see Config.Longest
	finds    func(c *Config, members int) time.Duration // see Config.Finds
	all      bool                                       // see Config.PingsAll
}{
	KindSwim:      {"swim", newSwim, (*Config).period, (*Config).findsByPeriod, true},
	KindHeartbeat: {"heartbeat", newHeartbeat, (*Config).period, (*Config).findsByCounters, true},
	KindNeighbor:  {"neighbor", newNeighbor, (*Config).interval, (*Config).findsByInterval, false},
}

func (c *Config) period() time.Duration { return c.Period }

func (c *Config) interval() time.Duration { return max(c.Interval, c.Period) }

// unprobed is in how many periods each member is probed by somebody: in each it is by one in the mean, so that one is
// left out for so long once in e^15 times.
const unprobed = 15

func (c *Config) findsByPeriod(int) time.Duration { return unprobed * c.Period }

func (c *Config) findsByInterval(int) time.Duration { return unprobed * c.interval() }

func (c *Config) findsByCounters(members int) time.Duration {
	return time.Duration(unprobed+max(c.FailAfter(members), heardMisses*members)) * c.Period
}

// String gives the kind's word.
func (k Kind) String() string {
	if k < numKinds {
		return kinds[k].word
	}
	return "unknown"
}

// MarshalText gives the form of String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes the form of String.
func (k *Kind) UnmarshalText(text []byte) error {
	for i := range kinds {
		if kinds[i].word == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("%q: want swim, heartbeat or neighbor", text)
}

// Config are the knobs of the detectors.
type Config struct {
	Kind   Kind          // default swim
	Period time.Duration // between two probes; default 1 s (SWIM, section 5)
	Relays int           // members asked to ping in our place; default 3 (SWIM, section 5)
	Fanout int           // of KindHeartbeat: members that are told each period; default 3 (a guess), at most MaxFanout
	// of KindNeighbor, between two pings of a link; default 13 s, as an earlier program has it
	Interval time.Duration
	// a direct ping waits at least this long; default 100 ms (guess: far over a LAN's round trip)
	TimeoutMin time.Duration
	// and at most this long, as for a member never measured; default 300 ms; must be at most Period/3
	TimeoutMax time.Duration
	StreamPing bool // ping by stream, beside the relays; default true
	// local health score at most; default 4 (Lifeguard, section IV.A, has 8: then it takes 44 s to trust oneself again)
	HealthMax int
	LateAfter time.Duration // a step this long after its deadline: this node was paused or starved; default 300 ms
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		Period:     time.Second,
		Fanout:     3,
		Interval:   13 * time.Second,
		Relays:     3,
		TimeoutMin: 100 * time.Millisecond,
		TimeoutMax: 300 * time.Millisecond,
		StreamPing: true,
		HealthMax:  4,
		LateAfter:  300 * time.Millisecond,
	}
}

// Longest is the time between two pings of a node that is well and has somebody to ping, at most.
func (c *Config) Longest() time.Duration { return kinds[c.Kind].longest(c) }

// PingsAll reports whether each node pings all others in turn, and not only some.
func (c *Config) PingsAll() bool { return kinds[c.Kind].all }

// Finds is how long after its death a member is unreachable for somebody at the latest, in a network of so many.
func (c *Config) Finds(members int) time.Duration { return kinds[c.Kind].finds(c, members) }
