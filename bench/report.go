package main

// What was measured, and the table of it.

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// report is the outcome of one run.
type report struct {
	Go      string   `json:"go"`
	CPUs    int      `json:"cpus"`
	Window  float64  `json:"window_s"`
	Figures []figure `json:"figures"`
}

// figure is one thing measured of one system.
type figure struct {
	Name    string    `json:"name"` // the measurement that it belongs to
	What    string    `json:"what"`
	System  string    `json:"system"`
	Nodes   int       `json:"nodes,omitempty"`
	Value   float64   `json:"value"`
	Unit    string    `json:"unit,omitempty"`
	Over    bool      `json:"over,omitempty"`    // at least so much: the limit came first
	Samples []float64 `json:"samples,omitempty"` // of which Value is the median
}

// took adds a sample; if what was waited for did not happen, the time is a
// lower bound.
func (f *figure) took(d time.Duration, happened bool) {
	f.Samples = append(f.Samples, d.Seconds())
	f.Over = f.Over || !happened
}

// median gives the figure with the median of its samples.
func (f *figure) median() figure {
	sorted := slices.Sorted(slices.Values(f.Samples))
	middle := len(sorted) / 2
	f.Value = (sorted[middle] + sorted[(len(sorted)-1)/2]) / 2
	return *f
}

// percentile gives a sample that so great a share of all does not exceed.
func (f *figure) percentile(share float64) float64 {
	sorted := slices.Sorted(slices.Values(f.Samples))
	return sorted[int(math.Ceil(share*float64(len(sorted))))-1]
}

// row is a line of the table.
type row struct {
	name, what, label string
	goal              float64 // Hearsay must not have more than this,
	of                string  // times this system's figure if one is named
}

func rows(o *options) []row {
	return []row{
		{"cpu", "cpu", fmt.Sprintf("CPU a packet, %d nodes idle", o.nodes), 1.5, "echo"},
		{"cpu", "datagrams", "  datagrams a node and second", 0, ""},
		{"bytes", "bytes", fmt.Sprintf("bytes a node and second there, over %s", o.window), 1, "memberlist"},
		{"bytes", "datagram bytes", "  of these in datagrams", 0, ""},
		{"heap", "heap", "heap a node there", 64 << 10, ""},
		{"heap", "goroutines", "goroutines a node there", 4, ""},
		{"death", fmt.Sprintf("death %d", smallNetwork), fmt.Sprintf("death known to all of %d, median of %d", smallNetwork, o.repeat), 3, ""},
		{"death", fmt.Sprintf("death %d", o.nodes), fmt.Sprintf("death known to all of %d, median of %d", o.nodes, o.repeat), 3, ""},
		{"join", "join", fmt.Sprintf("one more known to all of %d, median of %d", o.nodes, o.repeat), 0.2, ""},
		{"storm", "storm", fmt.Sprintf("%d join at once", o.stormNodes), 20, ""},
		{"storm", "storm cpu", "  CPU time of all by then", 0, ""},
		{"storm", "storm share", "  known by then", 0, ""},
		{"broadcast", "broadcast", fmt.Sprintf("broadcast of %d B to all of %d, median of %d", rumorSize, o.nodes, broadcasts), 0.06, ""},
		{"broadcast", "broadcast packets", "  packets a node for each, idle subtracted", 2, ""},
		{"broadcast", "broadcast alone", fmt.Sprintf("  the same if none follows for %s", lonelyFor), 2, ""},
		{"sustained", "sustained rate", fmt.Sprintf("rumors heard by all of %d, %d a second offered for %s", sustainSize, o.rate, sustainFor), 0, ""},
		{"sustained", "sustained said", "  rate at which they were said", 0, ""},
		{"sustained", "sustained lost", "  deliveries that never came", 1e-12, ""},
		{"sustained", "sustained missed", "  of all, gone from everybody's memory, as the nodes counted", 0, ""},
		{"sustained", "sustained twice", "  deliveries that came again", 1e-12, ""},
		{"sustained", "sustained lagged", "  events lost to a slow reader", 0, ""},
		{"sustained", "sustained median", "  until heard by all, median", 0, ""},
		{"sustained", "sustained worst", "  and at worst", 0, ""},
		{"sustained", "sustained cpu", "  cores in use", 0, ""},
		{"sustained", "sustained packets", "  datagrams a delivery", 0, ""},
		{"sustained", "sustained troubles", "  suspicions and deaths", 1e-12, ""},
		{"keys", "keys bytes", fmt.Sprintf("bytes a node and second, %d nodes with %d keys of %d B, one put a second", o.keyNodes, o.keys, valueSize), 0.05, "memberlist"},
		{"keys", "keys datagram bytes", "  of these in datagrams", 0, ""},
		{"keys", "keys", "  until all have a put, median", 0, ""},
		{"keys", "keys late", "  and 99 % of them", 0, ""},
		{"keys", "keys garbage", "  allocated a node and second", 0, ""},
		{"keys", "keys cpu", "  cores in use", 0, ""},
	}
}

// find gives the figure of a system.
func (r *report) find(what, system string) (figure, bool) {
	i := slices.IndexFunc(r.Figures, func(f figure) bool { return f.What == what && f.System == system })
	if i < 0 {
		return figure{}, false
	}
	return r.Figures[i], true
}

func (r *report) print(w io.Writer, o *options) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\thearsay\tmemberlist\techo\tgoal\t\n")
	for _, line := range rows(o) {
		if !slices.Contains(o.names, line.name) {
			continue
		}
		fmt.Fprintf(table, "%s", line.label)
		for _, system := range []string{"hearsay", "memberlist", "echo"} {
			f, ok := r.find(line.what, system)
			fmt.Fprintf(table, "\t%s", f.text(ok))
		}
		fmt.Fprintf(table, "\t%s\n", r.verdict(line))
	}
	return table.Flush()
}

// text gives the figure with a unit that fits it.
func (f *figure) text(known bool) string {
	if !known {
		return "·"
	}
	over := ""
	if f.Over {
		over = "> "
	}
	switch {
	case f.What == "storm share":
		return fmt.Sprintf("%.0f %%", 100*f.Value)
	case f.Unit == "share":
		return fmt.Sprintf("%.3g %%", 100*f.Value)
	case f.Unit == "/s" && f.Value >= 1000:
		return fmt.Sprintf("%.0f /s", f.Value)
	case f.Unit == "s" && f.Value < 1e-3:
		return fmt.Sprintf("%s%.1f µs", over, f.Value*1e6)
	case f.Unit == "s" && f.Value < 1:
		return fmt.Sprintf("%s%.0f ms", over, f.Value*1e3)
	case f.Unit == "B/s" && f.Value >= 10_000:
		return fmt.Sprintf("%.1f kB/s", f.Value/1e3)
	case f.Unit == "B":
		return fmt.Sprintf("%.1f KiB", f.Value/(1<<10))
	case len(f.Samples) > 1:
		return fmt.Sprintf("%s%.2f s (%.2f to %.2f)", over, f.Value, slices.Min(f.Samples), slices.Max(f.Samples))
	}
	return fmt.Sprintf("%s%.2f %s", over, f.Value, f.Unit)
}

// verdict says what the goal is and whether it was reached.
func (r *report) verdict(line row) string {
	ours, ok := r.find(line.what, "hearsay")
	if line.goal == 0 || !ok {
		return ""
	}
	limit, text := line.goal, (&figure{Value: line.goal, Unit: ours.Unit}).text(true)
	if line.of != "" {
		theirs, ok := r.find(line.what, line.of)
		if !ok {
			return ""
		}
		limit *= theirs.Value
		text = fmt.Sprintf("%.3g × %s", line.goal, line.of)
	}
	met := "met"
	if ours.Over || ours.Value > limit || math.IsNaN(ours.Value) {
		met = "missed"
	}
	if line.of != "" {
		return fmt.Sprintf("≤ %s\t%s: %.2f", text, met, ours.Value/limit*line.goal)
	}
	return fmt.Sprintf("≤ %s\t%s", text, met)
}
