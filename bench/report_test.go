package main

import (
	"strings"
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	r := &report{Figures: []figure{
		{Name: "cpu", What: "cpu", System: "hearsay", Value: 3e-5, Unit: "s"},
		{Name: "cpu", What: "cpu", System: "echo", Value: 2e-5, Unit: "s"},
		{Name: "storm", What: "storm", System: "hearsay", Value: 21, Unit: "s"},
		{Name: "join", What: "join", System: "hearsay", Value: 0.1, Unit: "s", Over: true},
		{Name: "heap", What: "heap", System: "hearsay", Value: 60 << 10, Unit: "B"},
		{Name: "death", What: "death 32", System: "memberlist", Value: 8, Unit: "s"},
	}}
	for _, c := range []struct {
		row  row
		want string
	}{
		{row{what: "cpu", goal: 1.5, of: "echo"}, "≤ 1.5 × echo\tmet: 1.50"},
		{row{what: "cpu", goal: 1.4, of: "echo"}, "≤ 1.4 × echo\tmissed: 1.50"},
		{row{what: "cpu", goal: 1, of: "memberlist"}, ""},
		{row{what: "storm", goal: 20}, "≤ 20.00 s\tmissed"},
		{row{what: "join", goal: 0.2}, "≤ 200 ms\tmissed"}, // the limit came first
		{row{what: "heap", goal: 64 << 10}, "≤ 64.0 KiB\tmet"},
		{row{what: "death 32", goal: 3}, ""},
		{row{what: "heap"}, ""},
	} {
		if got := r.verdict(c.row); got != c.want {
			t.Errorf("%+v: %q, want %q", c.row, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	f := figure{Unit: "s"}
	for _, s := range []time.Duration{4, 1, 3} {
		f.took(s*time.Second, true)
	}
	if got := f.median().Value; got != 3 {
		t.Errorf("of three: %v", got)
	}
	f.took(2*time.Second, false)
	if got := f.median(); got.Value != 2.5 || !got.Over {
		t.Errorf("of four: %v, over %t", got.Value, got.Over)
	}
}

func TestPercentile(t *testing.T) {
	var f figure
	for i := range 200 {
		f.took(time.Duration(200-i)*time.Second, true)
	}
	for share, want := range map[float64]float64{0.99: 198, 0.5: 100, 1: 200, 0.001: 1} {
		if got := f.percentile(share); got != want {
			t.Errorf("%g of all take up to %g, want %g", share, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"death", "--repeat", "3", "join", "--json"})
	if err != nil || o.repeat != 3 || !o.json || strings.Join(o.names, " ") != "death join" {
		t.Errorf("got %+v, %v", o, err)
	}
	for _, bad := range [][]string{{"deaths"}, {"--nodes", "2"}, {"--repeat", "0"}, {"--window", "0s"}, {"--rate", "0"}, {"--keys", "0"}, {"--key-nodes", "2"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// Two of three members hear the first rumor, one of them twice; all hear the
// second.
func TestAudience(t *testing.T) {
	a := audienceOf(3, 2)
	said := [2][]byte{make([]byte, rumorSize), make([]byte, rumorSize)}
	said[1][7] = 1
	began := time.Now()
	a.said[0], a.said[1] = began, began
	for _, h := range []struct{ member, number int }{{0, 0}, {2, 0}, {2, 0}, {1, 1}, {0, 1}, {2, 1}} {
		a.hears(h.member, said[h.number])
	}
	if _, all := a.took(0); all {
		t.Error("the second member has heard the first rumor")
	}
	if took, all := a.took(1); !all || took <= 0 || took > time.Since(began) {
		t.Errorf("the second rumor took %s, to all: %t", took, all)
	}
	if a.whole.Load() != 1 || a.twice.Load() != 1 {
		t.Errorf("%d came to all, %d deliveries came again", a.whole.Load(), a.twice.Load())
	}
}

// A member of memberlist's takes another's state and broadcasts: what is later, once, and only as far as it is whole.
func TestKeyGossip(t *testing.T) {
	var heard []string
	of := func() *keyGossip {
		return &keyGossip{hear: func(value []byte) { heard = append(heard, string(value)) }, values: make(map[string]timed)}
	}
	a, b := of(), of()
	a.take("k", timed{2, []byte("new")}, false)
	a.take("l", timed{1, []byte("one")}, false)
	b.take("k", timed{1, []byte("old")}, false)
	state := a.LocalState(false)
	heard = nil
	b.MergeRemoteState(state, false)
	b.MergeRemoteState(state, false)
	b.NotifyMsg(appendPair(nil, "k", timed{1, []byte("late")}))
	b.NotifyMsg(appendPair(nil, "k", timed{3, []byte("last")}))
	for size := range len(state) {
		of().MergeRemoteState(state[:size], false)
	}
	if got := strings.Join(heard[:min(3, len(heard))], " "); got != "new one last" && got != "one new last" || b.holds() != 2 || string(b.values["k"].value) != "last" {
		t.Errorf("heard %q; k is %s", heard, b.values["k"].value)
	}
}
