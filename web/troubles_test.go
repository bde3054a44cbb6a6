package web_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// sample is a node in one kind of trouble.
type sample struct {
	stats     hearsay.Stats
	authority hearsay.Authority
	joined    bool
	roles     []hearsay.Role // in which it can be; nil: in both
}

// samples has one of each kind of trouble, by its name in docs/troubles.md.
func samples() map[string]sample {
	peer, seed := []hearsay.Role{hearsay.RolePeer}, []hearsay.Role{hearsay.RoleSeed}
	seeded := hearsay.Authority{Seeded: true, Ready: true, Epoch: 3, Quorum: 2, Seeds: make([]hearsay.SeedStatus, 3)}
	lost := seeded
	lost.Ready = false
	apart := lost
	apart.Apart, apart.Why = true, "others decide"
	doubts := lost
	doubts.Key, doubts.Why = hearsay.PublicKey{1}, "it may be put back"
	forked, rival := seeded, seeded
	forked.Fork = &hearsay.Fork{Proven: true, Text: "the ledger has forked: of epoch 3"}
	rival.Fork = &hearsay.Fork{Text: "of epoch 3: a seed runs on an older copy of its data directory"}
	versions := seeded
	versions.Why = ledger.OtherVersion(netip.MustParseAddrPort("10.0.0.2:7946"), core.LogVersions{Log: 4, Snapshot: 8}, core.LogVersions{Log: 3, Snapshot: 7}, hearsay.RoleSeed).Text
	last := seeded
	last.Seeds = []hearsay.SeedStatus{{State: hearsay.StateAlive}, {State: hearsay.StateSuspect, Silent: time.Unix(9, 0)}, {State: hearsay.StateAlive}}
	bob := hearsay.Indirect{Name: "bob", Addr: netip.MustParseAddrPort("10.0.0.2:7946"), Since: time.Unix(0, 0)}
	shows := func(s hearsay.Stats) sample {
		s.Alive = 2
		return sample{stats: s, authority: seeded, joined: true}
	}
	all := map[string]sample{
		"no-quorum":   {stats: hearsay.Stats{Alive: 2}, authority: lost, joined: true},
		"apart":       {stats: hearsay.Stats{Alive: 2}, authority: apart, joined: true, roles: peer},
		"no-part":     {stats: hearsay.Stats{Alive: 2}, authority: doubts, joined: true, roles: seed},
		"fork":        {stats: hearsay.Stats{Alive: 2}, authority: forked, joined: true},
		"rival":       {stats: hearsay.Stats{Alive: 2}, authority: rival, joined: true},
		"versions":    {stats: hearsay.Stats{Alive: 2}, authority: versions, joined: true},
		"last-quorum": {stats: hearsay.Stats{Alive: 2}, authority: last, joined: true},
		"alone":       {stats: hearsay.Stats{Alive: 1, Dead: 2, Lost: 2}, joined: true, roles: peer},
		"disk":        shows(hearsay.Stats{DiskBehind: 2}),
		"address":     shows(hearsay.Stats{AddressGone: 2}),
		"unheard":     shows(hearsay.Stats{Unheard: 9}),
		"unanswered":  shows(hearsay.Stats{Unanswered: 12}),
		"unreached":   shows(hearsay.Stats{Unreached: 21}),
		"deaf":        shows(hearsay.Stats{DeafFor: 2}),
		"narrow":      shows(hearsay.Stats{NarrowFor: 9, Narrow: []hearsay.Narrow{{Name: "bob"}}}),
		"narrow-way":  shows(hearsay.Stats{Narrow: []hearsay.Narrow{{Name: "bob"}}}),
		"streams":     shows(hearsay.Stats{StreamsFail: 6}),
		"streams-way": shows(hearsay.Stats{Streamless: []hearsay.Indirect{bob}}),
		"narrow-in":   shows(hearsay.Stats{NoLargeIn: []hearsay.Indirect{bob}}),
		"streams-in":  shows(hearsay.Stats{NoStreamsIn: []hearsay.Indirect{bob}}),
		"indirect":    shows(hearsay.Stats{Indirect: []hearsay.Indirect{bob}}),
		"untaken":     shows(hearsay.Stats{Untaken: []hearsay.Untaken{{Name: "bob", Seed: bob.Addr}}}),
		"writers":     shows(hearsay.Stats{StoreRefuses: 9, StoreWriters: 1024, StoreLives: []hearsay.Lives{{ID: hearsay.NodeID{1}, Name: "bob", Count: 900}}}),
		"copied":      shows(hearsay.Stats{Copied: 2}),
		"overwritten": shows(hearsay.Stats{Overwritten: 2}),
		"twin":        shows(hearsay.Stats{Twin: bob.Addr}),
		"namesakes":   shows(hearsay.Stats{Namesakes: "2 living members are called bob"}),
		"clock":       shows(hearsay.Stats{ClockOff: 4000}),
	}
	clock := all["clock"]
	clock.roles = seed
	all["clock"] = clock
	return all
}

// readiness is what /readyz answers a node in trouble, as docs/troubles.md has it.
func (s *sample) readiness(t *testing.T) string {
	status := map[hearsay.Role]int{}
	for _, role := range []hearsay.Role{hearsay.RolePeer, hearsay.RoleSeed} {
		if s.roles != nil && !slices.Contains(s.roles, role) {
			continue
		}
		v := newVillage()
		v.stats, v.council.authority, v.joined, v.members[0].Role = s.stats, s.authority, s.joined, role
		r := ask(handler(v), "GET", "/readyz", "")
		read(t, r)
		status[role] = r.StatusCode
	}
	peer, seed := status[hearsay.RolePeer], status[hearsay.RoleSeed]
	if peer == seed || peer == 0 || seed == 0 {
		return fmt.Sprint(max(peer, seed))
	}
	return fmt.Sprintf("peer %d, seed %d", peer, seed)
}

// rows gives the cells of each row of a table in a text, by the first cell, a word in backticks. Its header has
// this as its first cell.
func rows(t *testing.T, text, header string) map[string][]string {
	t.Helper()
	_, table, found := strings.Cut(text, "| "+header+" |")
	if !found {
		t.Fatalf("there is no table of %s", header)
	}
	all := map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if name, is := strings.CutPrefix(cells[0], "`"); is {
			all[strings.TrimSuffix(name, "`")] = cells
		} else if line == "\n" {
			break
		}
	}
	return all
}

// The page on troubles has each kind of them, what it says, and whether a node is ready with it; and no
// other. The words that are no troubles are kinds of events.
func TestTroublesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/troubles.md")
	if err != nil {
		t.Fatal(err)
	}
	all, told := samples(), rows(t, string(text), "trouble")
	for _, name := range hearsay.TroubleNames() {
		s, found := all[name]
		if !found {
			t.Errorf("%s: no sample of this trouble", name)
		}
		if got := s.stats.Troubles(); len(got) != 1 {
			t.Errorf("%s: the sample shows %q", name, got)
		}
	}
	for name, s := range all {
		cells, found := told[name]
		if !found || len(cells) != 6 {
			t.Errorf("docs/troubles.md has no whole row for %s: %q", name, cells)
			continue
		}
		says := strings.Join(hearsay.Troubles(&s.authority, &s.stats), "; ")
		if !strings.Contains(says, cells[1]) {
			t.Errorf("%s says %q, and docs/troubles.md that it says %q", name, says, cells[1])
		}
		if is := s.readiness(t); is != cells[4] {
			t.Errorf("%s: /readyz is %s, and docs/troubles.md says %s", name, is, cells[4])
		}
	}
	for name := range told {
		if _, found := all[name]; !found {
			t.Errorf("docs/troubles.md has %s, which is none", name)
		}
	}
	words := rows(t, string(text), "word")
	if len(words) == 0 {
		t.Error("docs/troubles.md tells no words")
	}
	for word := range words {
		if kind := new(hearsay.EventKind); kind.UnmarshalText([]byte(word)) != nil {
			t.Errorf("docs/troubles.md has %s, which is no event", word)
		}
	}
}
