package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"hearsay"
)

// This file runs drawn worlds one after the other, says what each came to, and
// sums up.

// Failure is how a world failed.
type Failure string

// The failures.
const (
	FailedNot      Failure = ""
	FailedSafety   Failure = "safety"   // a rule was broken
	FailedLiveness Failure = "liveness" // it did not converge in time
	FailedCrash    Failure = "crash"    // a panic, or its process was killed
)

// Outcome is what a world came to.
type Outcome struct {
	Seed     uint64       `json:"seed"`
	Failure  Failure      `json:"failure,omitempty"`
	Rule     string       `json:"rule,omitempty"` // that was broken first
	At       float64      `json:"at_s,omitzero"`  // when, since the world began
	Text     string       `json:"text,omitempty"`
	Unmet    string       `json:"unmet,omitempty"`   // which kind of demand
	Took     float64      `json:"converged_after_s"` // since the storm's end
	Hash     hearsay.Hash `json:"hash"`              // of the event log
	Demands  Demands      `json:"demands_s"`
	Coverage Coverage     `json:"coverage"`
	// the run as a scenario's file, as far as it fails in the same way with less
	Shortened string `json:"shortened,omitempty"`
}

// fails reports whether another run fails in the same way.
func (o *Outcome) fails(like *Outcome) bool {
	return o.Failure == like.Failure && o.Rule == like.Rule && o.Unmet == like.Unmet && o.Failure != FailedNot
}

// Repeats reports whether the world failed, and may be run again: one whose
// process was killed might run for ever.
func (o *Outcome) Repeats() bool {
	return o != nil && o.Failure != FailedNot && (o.Failure != FailedCrash || strings.HasPrefix(o.Text, panicked))
}

// panicked begins what is said of a world that panicked.
const panicked = "panic: "

// RunWorld runs a world to its end, and tells its story if it is to be traced.
// A panic is caught: its stack goes to log.
func RunWorld(config Config, out, log io.Writer) Outcome {
	o, _ := runWorld(config, out, log)
	return o
}

// runWorld tells besides how many packets were sent, by stream too: what the run cost.
func runWorld(config Config, out, log io.Writer) (o Outcome, packets uint64) {
	o.Seed = config.Seed
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(log, "seed %d: panic: %v\n%s", config.Seed, p, debug.Stack())
			o.Failure, o.Text = FailedCrash, fmt.Sprint(panicked, p)
		}
	}()
	r, err := Run(config, out)
	o.Hash, o.Coverage = r.Hash, coverageOf(&r)
	packets = r.Counts.Packets + r.Counts.Streams
	o.Took = max(0, r.Time-config.For.Seconds())
	if r.Demands != nil {
		o.Demands = *r.Demands
	}
	var unsettled *Unsettled
	var unmet *Unmet
	switch {
	case err == nil:
	case errors.Is(err, ErrUnsafe):
		first := &r.Violations[0]
		o.Failure, o.Rule, o.At, o.Text = FailedSafety, first.Rule.String(), first.At.Seconds(), first.String()
	case errors.As(err, &unmet):
		o.Failure, o.Rule, o.At, o.Text = FailedLiveness, RuleCore.String(), r.Time, err.Error()
		o.Unmet = unmet.Kind.String()
	case errors.As(err, &unsettled):
		o.Failure, o.Rule, o.At, o.Text = FailedLiveness, unsettled.Rule.String(), r.Time, err.Error()
	default:
		o.Failure, o.Text = FailedCrash, err.Error()
	}
	return o, packets
}

// coverage is what a campaign must have tested, to have tested anything.
var coverage = [...]struct {
	what string
	of   func(*Result) uint64

	seeds int  // of a network that can have it
	in    kind // of worlds
}{
	{"kills", func(r *Result) uint64 { return r.Counts.Kills }, 0, anyWorld},
	{"restarts", func(r *Result) uint64 { return r.Counts.Restarts }, 0, stormWorld},
	{"torn disks", func(r *Result) uint64 { return r.Counts.TornDisks }, 0, stormWorld},
	{"failed syncs", func(r *Result) uint64 { return r.Counts.DiskFails }, 0, stormWorld},
	{"slow disks", func(r *Result) uint64 { return r.Counts.SlowDisks }, 0, stormWorld},
	{"pauses", func(r *Result) uint64 { return r.Counts.Pauses }, 0, anyWorld},
	{"leaves", func(r *Result) uint64 { return r.Counts.Leaves }, 0, anyWorld},
	{"restarts in good order", func(r *Result) uint64 { return r.Counts.Aways }, 0, stormWorld},
	{"slow nodes", func(r *Result) uint64 { return r.Counts.Slows }, 0, anyWorld},
	{"drifting clocks", func(r *Result) uint64 { return r.Counts.Drifts }, 0, stormWorld},
	{"jumping clocks", func(r *Result) uint64 { return r.Counts.Jumps }, 0, stormWorld},
	{"partitions", func(r *Result) uint64 { return r.Counts.Partitions }, 0, anyWorld},
	{"cuts", func(r *Result) uint64 { return r.Counts.Cuts }, 0, stormWorld},
	{"lost packets", func(r *Result) uint64 { return r.Counts.Lost }, 0, anyWorld},
	{"duplicated datagrams", func(r *Result) uint64 { return r.Counts.Duplicated }, 0, stormWorld},
	{"held back datagrams", func(r *Result) uint64 { return r.Counts.HeldBack }, 0, stormWorld},
	{"suspicions", func(r *Result) uint64 { return r.Counts.Suspicions }, 0, anyWorld},
	{"rounds", func(r *Result) uint64 { return r.Counts.Rounds }, 0, anyWorld},
	{"statements", func(r *Result) uint64 { return r.Counts.Statements }, 0, anyWorld},
	{"clearings", func(r *Result) uint64 { return r.Counts.Clearings }, 0, stormWorld},
	{"refutations", func(r *Result) uint64 { return r.Counts.Refutations }, 0, anyWorld},
	{"deaths", func(r *Result) uint64 { return r.Counts.Deaths }, 0, anyWorld},
	{"returns", func(r *Result) uint64 { return r.Counts.Returns }, 0, stormWorld},
	{"links", func(r *Result) uint64 { return r.Counts.Linkings }, 0, anyWorld},
	{"rumors", func(r *Result) uint64 { return uint64(r.Rumors.Said) }, 0, anyWorld},
	{"deliveries", func(r *Result) uint64 { return r.Rumors.Deliveries }, 0, anyWorld},
	{"duplicate rumors", func(r *Result) uint64 { return r.Rumors.Duplicates }, 0, stormWorld},
	{"grafts", func(r *Result) uint64 { return r.Rumors.Grafts }, 0, stormWorld},
	{"comparisons", func(r *Result) uint64 { return r.Rumors.Compares }, 0, stormWorld},
	{"catch-ups", func(r *Result) uint64 { return r.Rumors.CaughtUp }, 0, stormWorld},
	{"admissions", func(r *Result) uint64 { return r.Counts.Admissions }, 1, anyWorld},
	{"removals", func(r *Result) uint64 { return r.Counts.Removals }, 1, anyWorld},
	{"departures", func(r *Result) uint64 { return r.Counts.Departures }, 1, anyWorld},
	{"seats given anew", func(r *Result) uint64 { return r.Counts.SeatsGiven }, 3, stormWorld},
	{"cases", func(r *Result) uint64 { return r.Counts.Cases }, 1, anyWorld},
	{"ballots", func(r *Result) uint64 { return r.Counts.Ballots }, 1, anyWorld},
	{"aborts", func(r *Result) uint64 { return r.Counts.Aborts }, 1, stormWorld},
	{"lost quorums", func(r *Result) uint64 { return r.Counts.QuorumLost }, 1, stormWorld},
	{"promises kept", func(r *Result) uint64 { return r.Counts.Promises }, 1, anyWorld},
	{"snapshots", func(r *Result) uint64 { return r.Counts.Snapshots }, 1, stormWorld},
	{"rosters taken whole", func(r *Result) uint64 { return r.Counts.TakenWhole }, 1, stormWorld},
	{"moves", func(r *Result) uint64 { return r.Counts.Moves }, 0, stormWorld},
	{"full disks", func(r *Result) uint64 { return r.Counts.Fills }, 0, stormWorld},
	{"damaged disks", func(r *Result) uint64 { return r.Counts.Damages }, 0, stormWorld},
	{"older disks", func(r *Result) uint64 { return r.Counts.Restores }, 0, stormWorld},
	{"seeds that stop on them", func(r *Result) uint64 { return r.Counts.Dooms }, 3, stormWorld},
	{"cloned disks", func(r *Result) uint64 { return r.Counts.Clones }, 0, stormWorld},
	{"twins that stop", func(r *Result) uint64 { return r.Counts.TwinStops }, 0, stormWorld},
	{"invented members", func(r *Result) uint64 { return r.Counts.Invented }, 0, stormWorld},
	{"name clashes", func(r *Result) uint64 { return r.Counts.Clashes }, 0, stormWorld},
	{"admissions over a limit", func(r *Result) uint64 { return r.Counts.Capped }, 1, stormWorld},
	{"bars", func(r *Result) uint64 { return r.Counts.Bars }, 1, stormWorld},
	{"asked removals", func(r *Result) uint64 { return r.Counts.Asked }, 1, stormWorld},
	{"answers to them", func(r *Result) uint64 { return r.Counts.Answered }, 1, stormWorld},
	{"refused connections", func(r *Result) uint64 { return r.Counts.Refused }, 1, stormWorld},
	{"second disks lost", func(r *Result) uint64 { return max(r.Counts.Losses, 1) - 1 }, 3, stormWorld},
	{"recoveries", func(r *Result) uint64 { return r.Counts.Recoveries }, 2, stormWorld},
	{"lies", func(r *Result) uint64 { return r.Counts.Lies }, 1, stormWorld},
	{"old rulings read", func(r *Result) uint64 { return r.Counts.OldReads }, 1, stormWorld},
	{"writes to the store", func(r *Result) uint64 { return r.Counts.Puts }, 0, stormWorld},
	{"records of several keys", func(r *Result) uint64 { return r.Counts.Batches }, 0, stormWorld},
	{"deleted keys", func(r *Result) uint64 { return r.Counts.Deletes }, 0, stormWorld},
	{"refused writes", func(r *Result) uint64 { return r.Counts.PutsRefused }, 0, stormWorld},
	{"values repaired", func(r *Result) uint64 { return r.Counts.Repaired }, 0, stormWorld},
	{"machines that hear nothing", func(r *Result) uint64 { return r.Counts.Deaf }, 0, coreWorld},
	{"machines that are not heard", func(r *Result) uint64 { return r.Counts.Mute }, 0, coreWorld},
	{"machines without datagrams", func(r *Result) uint64 { return r.Counts.Streaming }, 0, stormWorld},
	{"machines without streams", func(r *Result) uint64 { return r.Counts.Streamless }, 0, stormWorld},
	{"machines to which nothing large gets", func(r *Result) uint64 { return r.Counts.Narrow }, 0, stormWorld},
	{"machines behind loss", func(r *Result) uint64 { return r.Counts.Lossy }, 0, anyWorld},
}

// kind is of worlds.
type kind uint8

const (
	anyWorld   kind = iota
	stormWorld      // has a storm, then all is mended, and it must converge
	coreWorld       // has a core that must go on whatever becomes of the others
)

// happensIn reports whether it must have happened in worlds of a campaign.
func (k kind) happensIn(core bool) bool { return k == anyWorld || (k == coreWorld) == core }

// Coverage is how often each thing happened that is to be tested.
type Coverage [len(coverage)]uint64

func coverageOf(r *Result) (c Coverage) {
	for i := range coverage {
		c[i] = coverage[i].of(r)
	}
	return c
}

// MarshalJSON gives an object of counts.
func (c Coverage) MarshalJSON() ([]byte, error) {
	counts := make(map[string]uint64, len(c))
	for i := range c {
		counts[coverage[i].what] = c[i]
	}
	return json.Marshal(counts)
}

// UnmarshalJSON takes the form of MarshalJSON.
func (c *Coverage) UnmarshalJSON(text []byte) error {
	var counts map[string]uint64
	if err := json.Unmarshal(text, &counts); err != nil {
		return err
	}
	for i := range c {
		c[i] = counts[coverage[i].what]
	}
	return nil
}

// coverageRuns is from how many worlds on a campaign must have had everything:
// the rarest, a torn disk, is in every eighth (counted).
const coverageRuns = 100

// Campaign is what a number of worlds came to. The same seeds give the same,
// whatever runs them.
type Campaign struct {
	From     uint64       `json:"from"`
	Runs     int          `json:"runs"` // that count: up to the first that failed
	Plant    string       `json:"plant,omitempty"`
	Seeds    int          `json:"seeds,omitempty"`
	Core     bool         `json:"core,omitempty"` // see Drawn
	Failed   *Outcome     `json:"failed,omitempty"`
	Repeat   string       `json:"repeat,omitempty"` // the command that runs it again
	Slowest  float64      `json:"converged_after_most_s"`
	Coverage Coverage     `json:"coverage"`
	Untested []string     `json:"untested,omitempty"` // what never happened, and should have
	Took     []Latency    `json:"took,omitempty"`     // how long what a core must do took
	Hash     hearsay.Hash `json:"hash"`               // over the hashes of all runs, in order

	latencies latencies
}

// ErrUntested says that a campaign found nothing because nothing happened.
var ErrUntested = errors.New("the campaign has not tested what it should")

// ErrCrashed says that a world's process did not come to its end.
var ErrCrashed = errors.New("the world crashed")

// Add takes in the next outcome, in order of seeds. It reports whether the
// campaign goes on.
func (c *Campaign) Add(o *Outcome) bool {
	c.Runs++
	c.Slowest = max(c.Slowest, o.Took)
	c.Hash = chained(c.Hash, o.Hash)
	for i := range o.Coverage {
		c.Coverage[i] += o.Coverage[i]
	}
	c.latencies.add(&o.Demands)
	if o.Failure == FailedNot {
		return true
	}
	c.Failed = o
	c.Repeat = fmt.Sprintf("hearsay sim campaign --from %d --runs 1 --trace", o.Seed)
	if c.Core {
		c.Repeat += " --core"
	}
	if c.Plant != "" {
		c.Repeat += " --plant " + c.Plant
	}
	if c.Seeds != SeedsDrawn && (c.Plant == "" || c.Seeds > 0) {
		c.Repeat += fmt.Sprint(" --seeds ", c.Seeds)
	}
	return false
}

// Close is told that no more outcomes come, and says what is wrong, if
// anything: with an error that wraps ErrUnsafe, ErrNotConverged, ErrUnmet,
// ErrCrashed or ErrUntested.
func (c *Campaign) Close() error {
	c.Took = c.latencies.all()
	if o := c.Failed; o != nil {
		kind := ErrCrashed
		switch o.Failure {
		case FailedSafety:
			kind = ErrUnsafe
		case FailedLiveness:
			kind = ErrNotConverged
			if o.Rule == RuleCore.String() {
				kind = ErrUnmet
			}
		}
		return fmt.Errorf("seed %d: %w; repeat it with `%s`", o.Seed, kind, c.Repeat)
	}
	if c.Runs < coverageRuns {
		return nil
	}
	for i, n := range c.Coverage {
		if able := c.Seeds == SeedsDrawn || c.Seeds >= coverage[i].seeds; n == 0 && able && coverage[i].in.happensIn(c.Core) {
			c.Untested = append(c.Untested, coverage[i].what)
		}
	}
	if len(c.Untested) > 0 {
		return fmt.Errorf("%w: %d worlds without any %s", ErrUntested, c.Runs, strings.Join(c.Untested, ", "))
	}
	return nil
}

// Print prints the campaign for people.
func (c *Campaign) Print(out io.Writer) error {
	b := fmt.Appendf(nil, "%d worlds, seeds %d to %d\n", c.Runs, c.From, c.From+uint64(max(1, c.Runs))-1)
	for i, n := range c.Coverage {
		if coverage[i].in.happensIn(c.Core) {
			b = fmt.Appendf(b, "%-22s %d\n", coverage[i].what, n)
		}
	}
	for _, s := range c.Took {
		b = fmt.Appendf(b, "%s\n", &s)
	}
	if !c.Core {
		b = fmt.Appendf(b, "%-22s %.3fs after the storm\n", "latest to converge", c.Slowest)
	}
	b = fmt.Appendf(b, "%-22s %s\n", "log", c.Hash)
	switch {
	case c.Failed == nil && c.Core:
		b = append(b, "all kept the rules, and each core did all in time\n"...)
	case c.Failed == nil:
		b = append(b, "all kept the rules, and converged\n"...)
	}
	if o := c.Failed; o != nil {
		b = fmt.Appendf(b, "\nseed %d fails, %s: %s\nagain: %s\n", o.Seed, o.Failure, o.Text, c.Repeat)
		if o.Shortened != "" {
			b = fmt.Appendf(b, "shortened, for hearsay sim run --scenario FILE:\n\n%s", o.Shortened)
		}
	}
	_, err := out.Write(b)
	return err
}

// Drawn is how the worlds of a campaign are drawn.
type Drawn struct {
	Plant string // name of a planted bug; default none
	Core  bool   // worlds with a core that must go on whatever becomes of the others, instead of a storm
	// of each network; 0: open ones; SeedsDrawn: as each seed draws. A plant has as many as it needs, at least
	Seeds int
}

// World draws the world of a seed.
func (d Drawn) World(seed uint64) (Config, error) {
	plant, err := plantNamed(d.Plant)
	if err != nil {
		return Config{}, err
	}
	if plant != nil {
		d.Seeds, d.Core = max(d.Seeds, plant.seeds), d.Core || plant.core
	}
	config := Config{}
	switch {
	case !d.Core:
		config = drawWorld(seed, d.Seeds)
	case d.Seeds == 0 && plant == nil:
		return config, errors.New("seeds 0: a core has seeds: want 1 or more, or -1 for as each world draws")
	default:
		config = drawCore(seed, d.Seeds)
	}
	if plant != nil && !plant.Rule.ofStore() {
		config.Scenario.Actions = slices.DeleteFunc(config.Scenario.Actions, func(a Action) bool { return a.Verb == Write })
	}
	config.Plant = d.Plant
	return config, config.Validate()
}
