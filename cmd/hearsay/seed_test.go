package main

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"hearsay/agent"
	"hearsay/seeds"
)

// Which line is a seed's own, and what it is called.
func TestSit(t *testing.T) {
	machine, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	list := new(seeds.List)
	for _, addr := range []string{"10.0.0.1:5001", "10.0.0.2:5001", "10.0.0.2:5002"} {
		list.Seeds = append(list.Seeds, seeds.Seed{Addr: netip.MustParseAddrPort(addr)})
	}
	for _, one := range []struct {
		bind, advertise string
		slot            int
		name            string
	}{
		{"10.0.0.1:5001", "", 0, ""},
		{"10.0.0.2:5002", "", 2, machine + "-5002"},
		{"10.9.9.9:5001", "10.0.0.1:5001", 0, ""}, // as behind an address translation
		{"10.9.9.9:5002", "10.0.0.2", 2, machine + "-5002"},
		{"0.0.0.0:0", "10.0.0.2:5001", 1, machine + "-5001"},
	} {
		config := agent.Config{Bind: one.bind, Advertise: one.advertise}
		if err := new(nodeOptions).sit(&config, list); err != nil {
			t.Errorf("%v: %v", one, err)
			continue
		}
		if config.Slot != one.slot || config.Name != one.name || config.Advertise != list.Seeds[one.slot].Addr.String() {
			t.Errorf("%v: slot %d, name %q, advertises %s", one, config.Slot, config.Name, config.Advertise)
		}
	}
}

func TestQuorumMeans(t *testing.T) {
	for n, want := range map[int]string{
		1: "One seed decides alone", 2: "only together", 3: "", 4: "Of 4 seeds 3 decide: 1 may fail, no more than of 3. Of 5, 2 may",
		5: "", 6: "Of 6 seeds 4 decide: 2 may fail, no more than of 5. Of 7, 3 may",
	} {
		if got := quorumMeans(n); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%d seeds: %q, want %q", n, got, want)
		}
	}
}
