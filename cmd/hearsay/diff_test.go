package main

import (
	"encoding/json"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// Two versions side by side; what one of them does not tell is a dash, and what
// is 0 in both is left out.
func TestDiffShowsBoth(t *testing.T) {
	var was, is outcome
	for text, o := range map[string]*outcome{
		`{"time_s": 41, "fates": [{"known_after_s": 2}, {"known_after_s": 3}, {}], "counts": {"packets": 2000, "bytes": 500}, "rumors": {"hops": 4, "ratio": 0}}`: &was,
		`{"time_s": 42, "counts": {"packets": 1500, "bytes": 500, "deaths": 3}, "rumors": {"hops": 4, "ratio": 0}, "unheard_of": 7}`:                              &is,
	} {
		if err := json.Unmarshal([]byte(text), o); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	c := comparison{name: "some", args: "--for 40s"}
	found := c.compare(was, is)
	if err := tellCompared(nil, table, found, false); err != nil {
		t.Fatal(err)
	}
	table.Flush()
	var got []string
	for line := range strings.Lines(b.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := "some base this change|hops 4 4|packets 2000 1500 -25.0 %|bytes 500 500|known to all, s 3 -|deaths - 3|agreed after, s 1 2 +100.0 %|"
	if strings.Join(got, "|") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "|"), want)
	}
	b.Reset()
	if err := tellCompared(&b, table, found, true); err != nil || !strings.HasPrefix(b.String(), `{"name":"some","args":"--for 40s","figures":[{"name":"hops","base":4,"this":4},`) ||
		!strings.Contains(b.String(), `{"name":"deaths","base":null,"this":3}`) {
		t.Errorf("as JSON: %v, %s", err, &b)
	}
}

// Each simulation is one that this version can run.
func TestComparisonsCanBeRun(t *testing.T) {
	for _, c := range comparisons {
		cmd := newSimRun()
		if err := cmd.ParseFlags(strings.Fields(c.args)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if length, err := cmd.Flags().GetDuration("for"); err != nil || length < time.Second {
			t.Errorf("%s: for %v", c.name, length)
		}
	}
}
