package maelstrom

import (
	"time"

	"hearsay/detect"
	"hearsay/overlay"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
)

// Config are the knobs of a session.
type Config struct {
	// JoinAfter is how long after init a node first speaks to others. Maelstrom
	// starts all processes at one time, and no longer listens to one that sends to
	// another that it has not started yet; default 500 ms (guess).
	JoinAfter time.Duration

	// SettleFor is how long after it has met all others, and nothing has changed
	// in its links, a node answers init; default 2 s (guess: some round trips and
	// Linger).
	SettleFor time.Duration

	// ReadyWithin is how long after init it answers in any case; default 8 s.
	// Maelstrom waits 10 s.
	ReadyWithin time.Duration

	// Gather is how long after a message to a node the next one waits for company;
	// default 60 ms, of which a broadcast meets one, in a star. At 50 values a second
	// it makes 7 messages an operation of 15.
	Gather time.Duration

	// Linger is how long what is in no hurry waits for company: names, news, places
	// in the tree and comparisons; default 200 ms.
	Linger time.Duration

	Detect  detect.Config
	Roster  roster.Config
	Overlay overlay.Config
	Rumors  rumor.Config
	Store   spread.Config
}

// DefaultConfig gives the defaults: those of the core, but for what Maelstrom
// asks for. It counts messages, whatever is in them, and it takes 100 ms for
// each where a LAN takes less than one. TestBroadcast and its neighbors have the
// figures.
func DefaultConfig() Config {
	c := Config{
		JoinAfter:   500 * time.Millisecond,
		SettleFor:   2 * time.Second,
		ReadyWithin: 8 * time.Second,
		Gather:      60 * time.Millisecond,
		Linger:      200 * time.Millisecond,
		Detect:      detect.DefaultConfig(),
		Roster:      roster.DefaultConfig(),
		Overlay:     overlay.DefaultConfig(),
		Rumors:      rumor.DefaultConfig(),
		Store:       spread.DefaultConfig(),
	}

	// A probe is two messages. No process of Maelstrom dies, and its partitions are
	// over in about ten seconds: to find half of the nodes dead and take them back
	// costs more than it saves. With halves cut apart, a second between probes, as
	// elsewhere, makes 19 messages an operation of 14.
	c.Detect.Period = 30 * time.Second
	c.Detect.TimeoutMin = 500 * time.Millisecond // there and back are 200 ms, and more where --latency says so
	c.Detect.TimeoutMax = time.Second
	c.Roster.RoundEvery = 6 * time.Second // an observer takes five of TimeoutMax, and an answer its way

	// A claim is told again if it has not come back by the next telling, so this
	// must exceed a round trip.
	c.Roster.NewsEvery = 300 * time.Millisecond

	// Each hop is 100 ms. Up to 33 nodes link with all others, so the tree is a star,
	// and a broadcast takes two hops; with the six links of a ring, up to seven.
	// Links are agreed upon where there and back take less than 500 ms; elsewhere
	// only those remain that are computed, and a broadcast takes many hops.
	c.Overlay.Kind = overlay.KindRandom
	c.Overlay.Links = overlay.LinksMax

	// Names must come after the payload, which may take a second, and what is
	// asked for takes a round trip, with Linger at each end.
	c.Rumors.AnnounceAfter = 2 * time.Second
	c.Rumors.GraftAfter = 600 * time.Millisecond
	c.Rumors.GraftAgain = 700 * time.Millisecond

	// One that a partition has left alone may hear only so what it lacks.
	c.Rumors.CompareBusy = 2 * time.Second

	// Pings, of which stores compare elsewhere, are too rare here: final reads come
	// ten seconds after a partition.
	c.Store.CompareEvery = time.Second
	return c
}
