package rumor

import "time"

// Strategy is which nodes are told of a rumor, and when.
type Strategy uint8

// The strategies.
const (
	Tree   Strategy = iota // payloads along a tree, names beside it
	Monger                 // to random members, until it cools
	Flood                  // over every link but the one that it came over
)

var strategyNames = []string{Tree: "tree", Monger: "monger", Flood: "flood"}

func (s Strategy) String() string { return nameOf(strategyNames, uint8(s)) }

// MarshalText gives the form of String.
func (s Strategy) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the form of String.
func (s *Strategy) UnmarshalText(text []byte) error {
	return parseName((*uint8)(s), strategyNames, text)
}

// Config are the knobs of rumors.
type Config struct {
	Strategy Strategy

	// Retention: a rumor is kept until one of the three is exceeded. A node that comes back later than that does not get
	// it any more.
	KeepCount int           // rumors; default 16,384
	KeepBytes int           // of payload; default 16 MiB; must be at least hearsay.MaxRumorData
	KeepFor   time.Duration // age in the network; default 10 min; must be larger than PushFor

	// what is told over a link that is not quiet waits this long for company, or until a packet is full; default 2 ms
	// (guess: some hops of it are not felt)
	Gather time.Duration
	// age up to which a rumor is told by the strategy; an older one is left to comparing, as its way here says that many
	// are in want of it; default 2 s (guess); must exceed what telling everybody takes
	PushFor time.Duration

	// names go this much after the payload, and up to twice that; default 50 ms (guess: longer than a tree takes on a LAN,
	// so that a node that is named a rumor has it)
	AnnounceAfter time.Duration
	// a node that was named a rumor waits this long for the payload, and up to twice that, so that of those that lack it a
	// few ask and give it to the others; default 150 ms (guess: longer than a tree takes between continents)
	GraftAfter time.Duration
	// and then this long for each node that it asks; default 100 ms; must exceed a round trip
	GraftAgain time.Duration

	// where a ping shows that not all have seen the same, neighbors compare when nothing new came for this long, and up to
	// CompareEvery more; default 2 s
	CompareQuiet time.Duration
	CompareBusy  time.Duration // and where there is always something new after this; default 5 s
	CompareEvery time.Duration // between two neighbors compared with; default 1 s

	Style Style // of Monger; default Push: comparing is its pull
	// of Monger; default feedback and a counter of 3: 1 % are left to comparing (Demers 1987, table 1)
	Cooling Cooling
	Fanout  int // of Monger: members told in a cycle; default 1, as in the paper
	// of Monger: members from which a node takes rumors in a cycle, the others being refused (Demers 1987, section 1.4:
	// connection limit); 0 = any number, the default
	Limit int
	Cycle time.Duration // of Monger; default 20 ms (guess); should exceed a round trip
	Poll  time.Duration // of Monger with pulls: between two of them; default 1 s
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		Strategy:      Tree,
		KeepCount:     16384,
		KeepBytes:     16 << 20,
		KeepFor:       10 * time.Minute,
		Gather:        2 * time.Millisecond,
		PushFor:       2 * time.Second,
		AnnounceAfter: 50 * time.Millisecond,
		GraftAfter:    150 * time.Millisecond,
		GraftAgain:    100 * time.Millisecond,
		CompareQuiet:  2 * time.Second,
		CompareBusy:   5 * time.Second,
		CompareEvery:  time.Second,
		Style:         Push,
		Cooling:       Cooling{Feedback: true, Stop: StopCounter, K: 3},
		Fanout:        1,
		Cycle:         20 * time.Millisecond,
		Poll:          time.Second,
	}
}
