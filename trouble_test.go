package hearsay

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Of seeds that are down it is told when those that are left are just a quorum: not before, and not once they are none.
func TestLastQuorumIsTold(t *testing.T) {
	for _, c := range []struct {
		seeds, down int
		told        bool
	}{{1, 0, false}, {2, 0, false}, {3, 0, false}, {3, 1, true}, {3, 2, false}, {4, 1, true}, {5, 1, false}, {5, 2, true}, {5, 3, false}} {
		a := Authority{Seeded: true, Quorum: QuorumOf(c.seeds), Seeds: make([]SeedStatus, c.seeds), Ready: c.seeds-c.down >= QuorumOf(c.seeds)}
		for i := range a.Seeds {
			a.Seeds[i].Name, a.Seeds[i].State = "seed-"+string(rune('a'+i)), StateAlive
			if i < c.down {
				a.Seeds[i].State, a.Seeds[i].Silent = StateSuspect, time.Unix(9, 0)
			}
		}
		text := strings.Join(Troubles(&a, &Stats{}), "\n")
		if told := strings.Contains(text, "just a quorum of seeds is left"); told != c.told || told && !strings.Contains(text, "without seed-a") {
			t.Errorf("%d of %d seeds down: %q", c.down, c.seeds, text)
		}
		for i := range a.Seeds {
			a.Seeds[i].Silent = time.Time{}
		}
		if text := a.LastQuorum(); text != "" {
			t.Errorf("of seeds that are suspect, and not known to be silent, a node says %q", text)
		}
	}
}

// A node whose disk stands still asks and answers nothing of what waits for that, so it hears no quorum, whatever the
// seeds do: the disk is told, and no seeds are blamed. Nor does one that is cut off, which is told first.
func TestNoQuorumIsToldAfterItsCause(t *testing.T) {
	lost := Authority{Seeded: true, Quorum: 2, Seeds: []SeedStatus{{ID: NodeID{1}}, {ID: NodeID{2}}, {ID: NodeID{3}}}}
	one, both := []Indirect{{ID: NodeID{1}}, {ID: NodeID{9}}}, []Indirect{{ID: NodeID{1}}, {ID: NodeID{3}}}
	spare := Authority{Seeded: true, Ready: true, Quorum: 2, Seeds: []SeedStatus{{}, {State: StateSuspect, Silent: time.Unix(9, 0)}, {}}}
	seat := lost
	seat.Key, seat.Why = PublicKey{1}, "it may be put back"
	for what, c := range map[string]struct {
		authority *Authority
		stats     Stats
		told      []string // the beginning of each
	}{
		"no quorum":                 {&lost, Stats{}, []string{"no quorum of seeds"}},
		"a full disk":               {&lost, Stats{DiskFull: 9}, []string{"the disk is full"}},
		"a disk behind":             {&lost, Stats{DiskBehind: 9}, []string{"the disk does not keep up"}},
		"cut off":                   {&lost, Stats{Unheard: 9, Copied: 2}, []string{"this node has heard nobody", "this node runs since", "no quorum of seeds"}},
		"no streams to one seed":    {&lost, Stats{Streamless: one}, []string{"no quorum of seeds", "streams (TCP) do not get"}},
		"no streams to two seeds":   {&lost, Stats{Streamless: both}, []string{"streams (TCP) do not get", "no quorum of seeds"}},
		"two seeds answer others":   {&lost, Stats{Indirect: both}, []string{"no answer comes", "no quorum of seeds"}},
		"nobody answers":            {&lost, Stats{Unanswered: 9}, []string{"nobody has answered", "no quorum of seeds"}},
		"no address":                {&lost, Stats{AddressGone: 9}, []string{"this machine has not had", "no quorum of seeds"}},
		"a silent seed":             {&spare, Stats{Copied: 2}, []string{"just a quorum of seeds is left", "this node runs since"}},
		"a silent seed, cut off":    {&spare, Stats{StreamsFail: 9}, []string{"streams (TCP)", "just a quorum of seeds is left"}},
		"a silent seed, no address": {&spare, Stats{AddressGone: 9}, []string{"this machine has not had"}},
		"cut off, and no part":      {&seat, Stats{Unheard: 9}, []string{"this seed takes no part", "it may be put back", "this node has heard nobody"}},
		"a full disk, and no part":  {&seat, Stats{DiskFull: 9}, []string{"this seed takes no part", "it may be put back", "the disk is full"}},
	} {
		got := Troubles(c.authority, &c.stats)
		if !slices.EqualFunc(got, c.told, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", what, got, c.told)
		}
	}
}

// A seed that answers pings, and not the one that leads, may be one whose disk stands still: it is not only the way
// between the two that is to be looked at.
func TestASilentSeedThatAnswersPingsMayHaveASlowDisk(t *testing.T) {
	a := Authority{Seeded: true, Ready: true, Quorum: 2, Seeds: []SeedStatus{{State: StateAlive}, {State: StateAlive, Silent: time.Unix(9, 0)}, {State: StateAlive}}}
	if text := a.LastQuorum(); !strings.Contains(text, "see to its disk") {
		t.Errorf("a seed whose disk may stand still: %q", text)
	}
}

// Of two troubles that are so both are told, unless one is the cause of the other.
func TestTroublesThatAreSoAreTold(t *testing.T) {
	narrow := Stats{NarrowFor: 1, Narrow: []Narrow{{Name: "a", Passes: 400, Lost: 500}}}
	of := func(change func(*Stats)) *Stats {
		s := narrow
		change(&s)
		return &s
	}
	for what, c := range map[string]struct {
		stats *Stats
		told  []string // words of each
	}{
		"large packets and streams":   {of(func(s *Stats) { s.StreamsFail = 1 }), []string{"large packets", "streams (TCP) have not"}},
		"the address, and it is deaf": {&Stats{AddressGone: 1, DeafFor: 1}, []string{"this node's own address"}},
		"the address and all others":  {&Stats{AddressGone: 9, Unheard: 2, Unanswered: 1, Unreached: 1}, []string{"this node's own address", "has heard nobody"}},
		"the address and answers":     {&Stats{AddressGone: 9, Unanswered: 1}, []string{"this node's own address", "nobody has answered"}},
		"nothing comes":               {of(func(s *Stats) { s.Unheard, s.Unanswered, s.StreamsFail = 1, 1, 1 }), []string{"has heard nobody"}},
		"no answers":                  {of(func(s *Stats) { s.Unanswered, s.Unreached = 1, 1 }), []string{"nobody has answered"}},
		"no datagrams":                {of(func(s *Stats) { s.DeafFor = 1 }), []string{"datagrams (UDP) have not"}},
	} {
		got := c.stats.Troubles()
		ok := len(got) == len(c.told)
		for i := range c.told {
			ok = ok && strings.Contains(got[i], c.told[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", what, got, c.told)
		}
	}
	for i := range troubles {
		for _, cause := range troubles[i].causes {
			if at := slices.Index(TroubleNames(), cause); at < 0 || at >= i {
				t.Errorf("%s is said to follow from %s, which is not before it", troubles[i].name, cause)
			}
		}
	}
}

// A store that takes no new writers may be full of made-up ones, also where no name has many; only seeds can bar.
func TestWritersMayBeMadeUp(t *testing.T) {
	many := []Lives{{ID: NodeID{1}, Name: "bob", Count: 900}}
	for name, c := range map[string]struct {
		stats Stats
		says  string
	}{
		"a few in each name": {
			Stats{StoreRefuses: 9, StoreWriters: 1024},
			"a member may have made up a few in each: find it and stop it; or raise store.writers",
		},
		"many in one": {
			Stats{StoreRefuses: 9, StoreWriters: 1024, StoreLives: many},
			"900 in the name of bob (id 01000000), which a member may have made up: find it and stop it; or raise",
		},
		"with seeds": {
			Stats{StoreRefuses: 9, StoreWriters: 1024, StoreLives: many, Epoch: 3},
			"which a member may have made up: find it, have it leave or removed, and bar it; or raise",
		},
	} {
		if text := strings.Join(c.stats.Troubles(), "; "); !strings.Contains(text, c.says) {
			t.Errorf("%s: %q does not say %q", name, text, c.says)
		}
	}
}
