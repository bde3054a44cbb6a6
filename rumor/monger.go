package rumor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// This file is rumor mongering (Demers and others 1987, section 1.4) without the world: which nodes tell which others,
// and by which rule a rumor cools, that is, stops being told. The live strategy and the synchronous simulation of the
// paper both step this rule and no other.

// Style is which node gives a hot rumor to the other at a contact.
type Style uint8

// The styles.
const (
	Push     Style = iota // a node that has a hot rumor calls another and gives it
	Pull                  // each node calls another and takes what is hot there
	PushPull              // both at once
)

// Stop is when a contact cools a rumor.
type Stop uint8

// The stops.
const (
	StopNone    Stop = iota // never
	StopCounter             // after K useless contacts in a row
	StopCoin                // after a useless contact with probability 1/K
)

var (
	styleNames = []string{Push: "push", Pull: "pull", PushPull: "pushpull"}
	stopNames  = []string{StopNone: "none", StopCounter: "counter", StopCoin: "coin"}
)

// Pushes reports whether a node that has a hot rumor calls others to give it.
func (s Style) Pushes() bool { return s != Pull }

// Pulls reports whether a node calls others to take what is hot there.
func (s Style) Pulls() bool { return s != Push }

func (s Style) String() string { return nameOf(styleNames, uint8(s)) }

// MarshalText gives the form of String.
func (s Style) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the form of String.
func (s *Style) UnmarshalText(text []byte) error {
	return parseName((*uint8)(s), styleNames, text)
}

func (s Stop) String() string { return nameOf(stopNames, uint8(s)) }

// MarshalText gives the form of String.
func (s Stop) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the form of String.
func (s *Stop) UnmarshalText(text []byte) error {
	return parseName((*uint8)(s), stopNames, text)
}

func nameOf(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

func parseName(value *uint8, names []string, text []byte) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		last := len(names) - 1
		return fmt.Errorf("%q: want %s or %s", text, strings.Join(names[:last], ", "), names[last])
	}
	*value = uint8(i)
	return nil
}

// MaxCoolingK bounds Cooling.K. Far smaller ones leave nobody out: with feedback and a counter, K = 5 misses one node
// in 800 (Demers 1987, table 1).
const MaxCoolingK = 1000

// Cooling is the rule by which a rumor cools on a node that tells it.
type Cooling struct {
	Feedback bool // the node told says whether it was news; without, cooling is blind: every contact counts as useless
	Stop     Stop
	K        int // 1 to MaxCoolingK; without meaning for StopNone
}

// Validate says what is wrong with the rule, if anything.
func (c Cooling) Validate() error {
	switch {
	case int(c.Stop) >= len(stopNames):
		return fmt.Errorf("stop %v: want %s", c.Stop, strings.Join(stopNames, ", "))
	case c.Stop != StopNone && (c.K < 1 || c.K > MaxCoolingK):
		return fmt.Errorf("k %d: want 1 to %d", c.K, MaxCoolingK)
	}
	return nil
}

// Heat is how eagerly one node tells one rumor. The zero value is cold: never heard of, or not told any more. Which of
// the two, the keeper of the rumor knows.
type Heat struct {
	hot     bool
	useless uint16 // contacts in a row, below K <= MaxCoolingK
}

// Kindle makes the rumor hot, as it is when it is news.
func (h *Heat) Kindle() { *h = Heat{hot: true} }

// Hot reports whether the rumor is still told.
func (h *Heat) Hot() bool { return h.hot }

// After counts that one contact at which the rumor was given is over, or one cycle of them where several may fall into
// one, as in a pull. It was useful if the node that was told did not know. It draws from random only to toss a coin. A
// cold rumor stays cold: answers may come late.
func (c Cooling) After(h *Heat, useful bool, random *rand.Rand) {
	switch {
	case !h.hot || c.Stop == StopNone:
	case useful && c.Feedback:
		h.useless = 0
	case c.Stop == StopCoin:
		h.hot = random.IntN(c.K) > 0
	default:
		h.useless++
		h.hot = int(h.useless) < c.K
	}
}
