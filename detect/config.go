package detect

import "time"

// Config are the knobs of the detectors.
type Config struct {
	Period time.Duration // between two probes; default 1 s (SWIM, section 5)
	Relays int           // members asked to ping in our place; default 3 (SWIM, section 5)
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
		Relays:     3,
		TimeoutMin: 100 * time.Millisecond,
		TimeoutMax: 300 * time.Millisecond,
		StreamPing: true,
		HealthMax:  4,
		LateAfter:  300 * time.Millisecond,
	}
}
