package detect

import (
	"fmt"
	"time"
)

// Kind is how members are watched.
type Kind uint8

// The kinds.
const (
	KindSwim     Kind = iota // each pings all in turn, and asks relays
	KindNeighbor             // each pings its links
	numKinds
)

// kinds are the detectors, by Kind.
var kinds = [numKinds]struct {
	word     string
	schedule func(*shared) schedule
	// longest is between two pings of a node that has somebody to ping.
	longest func(*Config) time.Duration
	all     bool // each node pings all in turn
}{
	KindSwim:     {"swim", newSwim, func(c *Config) time.Duration { return c.Period }, true},
	KindNeighbor: {"neighbor", newNeighbor, func(c *Config) time.Duration { return max(c.Interval, c.Period) }, false},
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
	return fmt.Errorf("%q: want swim or neighbor", text)
}

// Config are the knobs of the detectors.
type Config struct {
	Kind   Kind          // default swim
	Period time.Duration // between two probes; default 1 s (SWIM, section 5)
	Relays int           // members asked to ping in our place; default 3 (SWIM, section 5)
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
