package web

import (
	"fmt"
	"slices"

	"hearsay"
)

// Standing is how it is with a node by its own word, and by the seeds' as far as it has heard of that.
type Standing uint8

// The standings. From StandingLeaving on those of a peer of a network with seeds.
const (
	StandingAlive   Standing = iota + 1
	StandingLeft             // by its own word
	StandingCutOff           // nobody answers it, or it hears nobody: it does not know what others hold of it
	StandingLeaving          // the seeds have not ruled yet that it has left
	StandingRemoved          // the seeds have removed it
	// the seeds have not admitted it, an earlier program's have not registered it, or it follows another ledger than
	// theirs
	StandingOutside
)

var standingWords = [...]string{
	StandingAlive: "alive", StandingLeft: "left", StandingCutOff: "cut-off",
	StandingLeaving: "leaving", StandingRemoved: "removed", StandingOutside: "outside",
}

// String gives the standing's word.
func (s Standing) String() string {
	if s == 0 || int(s) >= len(standingWords) {
		return fmt.Sprintf("unknown(%d)", uint8(s))
	}
	return standingWords[s]
}

// MarshalText gives the form of String.
func (s Standing) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the form of String.
func (s *Standing) UnmarshalText(text []byte) error {
	at := slices.Index(standingWords[:], string(text))
	if at < int(StandingAlive) {
		return fmt.Errorf("state %q of a node: want one of %q", text, standingWords[StandingAlive:])
	}
	*s = Standing(at)
	return nil
}

// standing is how it is with a node.
func standing(m *hearsay.Member, authority *hearsay.Authority, stats *hearsay.Stats, joined bool) Standing {
	left := m.State == hearsay.StateLeft
	switch {
	case authority.Leaves:
		return StandingLeaving
	case m.State == hearsay.StateAlive && (stats.Unheard > 0 || stats.Unanswered > 0):
		return StandingCutOff
	case left:
		return StandingLeft
	case !joined && authority.Foreign != "":
		return StandingOutside
	case joined, !authority.Seeded, m.Role == hearsay.RoleSeed:
		return StandingAlive
	case authority.Ended > 0 && !authority.Apart:
		return StandingRemoved
	}
	return StandingOutside
}
