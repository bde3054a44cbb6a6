package roster

import "time"

// Config are the knobs of membership.
type Config struct {
	Observers int // K: members that watch each member; default 9, with H = K/2+1
	// a suspicion without a decision runs out after this, times max(1, log10 N); default 4 s (memberlist: 4
	// periods). With seeds, exactly this
	SuspicionMin time.Duration
	SuspicionMax int // without confirmation it takes this many times as long; default 3 (memberlist: 6)
	// independent accusers that bring it down to the minimum; default 3 (Lifeguard, section IV.B)
	Confirmations int
	RoundEvery    time.Duration // between the rounds of one case; default 2 s
	NewsEvery     time.Duration // between two tellings of waiting news; default 40 ms
	Fanout        int           // members told at a time; default 3
	Retell        int           // a claim is told Retell × log2(N+1) times; default 2
	// a death of a member that is no suspect here waits this long for its refutation; default 2 s
	DeadHold     time.Duration
	ForgetAfter  time.Duration // dead members and those that left are forgotten after this; default 24 h
	ContactEvery time.Duration // one dead or forgotten contact is tried this often; default 2 s
	// first wait before a join is tried again, doubled each time that all contacts were tried; default 1 s
	// (guess: a busy contact needs that long for the rosters of hundreds)
	JoinBackoffMin time.Duration
	JoinBackoffMax time.Duration // longest; default 10 s
	ExchangeEvery  time.Duration // at most one exchange begun in this time; default 1 s
	ExchangeQuiet  time.Duration // and only if the roster has been still for this long; default 500 ms
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		Observers:      9,
		SuspicionMin:   4 * time.Second,
		SuspicionMax:   3,
		Confirmations:  3,
		RoundEvery:     2 * time.Second,
		NewsEvery:      40 * time.Millisecond,
		Fanout:         3,
		Retell:         2,
		DeadHold:       2 * time.Second,
		ForgetAfter:    24 * time.Hour,
		ContactEvery:   2 * time.Second,
		JoinBackoffMin: time.Second,
		JoinBackoffMax: 10 * time.Second,
		ExchangeEvery:  time.Second,
		ExchangeQuiet:  500 * time.Millisecond,
	}
}
