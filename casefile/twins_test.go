package casefile

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
)

// Only moves back to an address that was left count as those of two processes, and only while they follow each other.
func TestReturns(t *testing.T) {
	a, b, c, d := "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"
	for name, test := range map[string]struct {
		moves  []string
		every  time.Duration
		count  int
		places []string
	}{
		"none":                     {nil, time.Second, 0, nil},
		"onward":                   {[]string{a, b, c, d}, time.Second, 0, nil},
		"back once":                {[]string{a, b, a}, time.Second, 1, []string{a}},
		"back once, and onward":    {[]string{a, b, a, c, d}, time.Second, 1, []string{a}},
		"two":                      {[]string{b, a, b, a, b}, 2 * time.Second, 3, []string{b, a}},
		"between two networks":     {[]string{b, a, b, a, b}, time.Minute, 1, []string{b}},
		"one address told again":   {[]string{a, a, a}, time.Second, 0, nil},
		"two, after many networks": {[]string{a, b, c, d, c, d}, time.Second, 2, []string{c, d}},
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Unix(1_700_000_000, 0)
			last := at
			var events []hearsay.Event
			for _, to := range test.moves {
				e := hearsay.Event{At: at, Kind: hearsay.EventMemberMoved, Addr: netip.MustParseAddrPort(to)}
				events = append(events, e, hearsay.Event{At: at, Kind: hearsay.EventRefuted})
				last, at = at, at.Add(test.every)
			}
			count, until, places := returns(events, twinReturnsFor)
			if count != test.count || !slices.Equal(places, test.places) {
				t.Errorf("%d times, to %v; want %d, to %v", count, places, test.count, test.places)
			}
			if name == "two" && !until.Equal(last) {
				t.Errorf("until %v, want %v", until, last)
			}
		})
	}
}
