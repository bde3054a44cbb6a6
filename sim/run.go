package sim

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"hearsay"
)

// What a run may come to, besides its result.
var (
	ErrUnsafe       = errors.New("a safety rule was broken")
	ErrNotConverged = errors.New("the network did not converge")
)

// The scenario that a seed draws.
const (
	startsWithin = 5 * time.Second // all machines start in this time, or in a sixth of the run
	killsPer     = 100             // machines; one machine is killed, and one more for so many
	killsFrom    = 4               // machines; in smaller networks nobody is killed
)

// Result is what a run came to.
type Result struct {
	Nodes  int     `json:"nodes"`
	Loss   float64 `json:"loss"`
	Delay  float64 `json:"delay_s"`
	Seed   uint64  `json:"seed"`
	Time   float64 `json:"time_s"` // virtual, as long as it took to converge
	Faulty bool    `json:"faulty"` // a partition, a cut or the loss of a machine is still in place
	Fates  []Fate  `json:"fates"`
	Impact *Impact `json:"impact,omitempty"` // of a given scenario, if it names machines
	Counts Counts  `json:"counts"`
	Rumors Rumors  `json:"rumors"`
	// on every node that saw it: of members that were always there
	FalseDeaths int          `json:"false_deaths"`
	Running     int          `json:"running"`             // nodes at the end
	Converged   int          `json:"converged"`           // of these, that hold exactly the running ones alive
	Broken      int          `json:"broken"`              // violations of rules
	Violations  []Violation  `json:"violations"`          // the first of them
	Demands     *Demands     `json:"demands_s,omitempty"` // how long each kind took at most
	Hash        hearsay.Hash `json:"hash"`                // of the event log
}

// Run runs one simulated network and prints what happened: with Trace every
// event, and always what became of those that were killed or stopped, the
// counts, and the SHA-256 of the whole event log. The same configuration
// prints the same bytes.
//
// The run lasts as long as the configuration says, and then, with nothing
// more done to it, until the network has converged, at most settleTime after
// the last fault. A scenario that leaves a fault in place need not converge;
// nor need a run that is Abrupt, which ends at once.
//
// The error wraps ErrUnsafe or ErrNotConverged, or says what is wrong with the
// configuration.
func Run(config Config, out io.Writer) (Result, error) {
	if err := config.Validate(); err != nil {
		return Result{}, fmt.Errorf("sim: %w", err)
	}
	story := out
	if !config.Trace {
		story = nil
	}
	w := NewWorld(config, story)
	scenario := config.Scenario
	if scenario == nil {
		scenario = Draw(config)
	}
	w.Follow(scenario)
	w.chatter()
	w.attend()
	converges := config.Abrupt || w.core.unmet != nil || w.convergence.settle()
	w.core.closeDemands()
	if converges {
		w.inspection.savedLedgers()
		w.inspection.clocks()
	}
	r := w.Result()
	if err := r.print(out, config.JSON); err != nil {
		return r, fmt.Errorf("sim: printing the result: %w", err)
	}
	switch {
	case r.Broken > 0:
		return r, fmt.Errorf("sim: seed %d: %w: %s", r.Seed, ErrUnsafe, &r.Violations[0])
	case w.core.unmet != nil:
		return r, w.core.unmet
	case !converges:
		return r, w.convergence.unsettled()
	}
	return r, nil
}

// attend lets the run last as long as it should. An abrupt one is over once all is
// done that it demands.
func (w *World) attend() {
	if demands := w.core.left > 0; !demands || !w.config.Abrupt {
		w.RunUntil(w.config.For)
		return
	}
	for !w.halted && !w.core.done() && w.now < w.config.For {
		w.RunUntil(min(w.now+checkEvery, w.config.For))
	}
}

// Draw gives the scenario of a run that has none: in the first seconds all
// machines start, n1 first, and the others join through it; between a third
// and a half of the run, one machine is killed, and one more for every
// hundred.
func Draw(config Config) *Scenario {
	s := &Scenario{}
	if config.Nodes < killsFrom {
		return s
	}
	stream := draws(config.Seed, purposeKills)
	victims := rand.New(&stream).Perm(config.Nodes)[:1+config.Nodes/killsPer]
	for _, victim := range victims {
		at := (config.For/3 + upTo(&stream, config.For/6)).Truncate(time.Millisecond)
		s.Actions = append(s.Actions, Action{At: at, Verb: Kill, Who: []int{victim + 1}})
	}
	slices.SortStableFunc(s.Actions, byTime)
	return s
}

// chatter plans what Config.Chatter asks for.
func (w *World) chatter() {
	from := min(startsWithin, w.config.For/6)
	if w.config.Chatter > 0 && from < w.config.For {
		w.Plan(Action{At: from, Verb: Say, Anyone: true, Every: w.config.Chatter, Times: int((w.config.For-from-1)/w.config.Chatter) + 1})
	}
}

// Follow plans a scenario, and the start of every machine that it does not
// start itself.
func (w *World) Follow(s *Scenario) {
	if w.config.Scenario != nil {
		w.impact = newImpact(s, len(w.machines))
	}
	started := make([]bool, len(w.machines))
	for _, a := range s.Actions {
		if a.Verb == Clone {
			started[a.Who[1]-1] = true
		}
		if a.Verb != Start && a.Verb != WantIn {
			continue
		}
		for _, number := range a.Who {
			started[number-1] = true
		}
	}
	stream := draws(w.config.Seed, purposeStarts)
	for i := range w.machines {
		at := upTo(&stream, min(startsWithin, w.config.For/6)).Truncate(time.Millisecond)
		if i == 0 {
			at = 0
		}
		if !started[i] {
			w.Plan(Action{At: at, Verb: Start, Who: []int{i + 1}})
		}
	}
	for _, a := range s.Actions {
		w.Plan(a)
	}
}

// Result is what the run has come to.
func (w *World) Result() Result {
	r := Result{
		Nodes: len(w.machines), Loss: w.config.Loss, Delay: w.config.Delay.Seconds(), Seed: w.config.Seed,
		Time: w.now.Seconds(), Faulty: !w.whole(), Fates: w.fates.all, Counts: w.counts, Rumors: w.check.gossip.rumors(),
		FalseDeaths: w.check.falseDeaths, Broken: w.check.broken, Violations: w.check.violations, Hash: w.log.hashed(),
	}
	if w.core.well != nil {
		r.Demands = &w.core.took
	}
	if w.impact != nil {
		r.Impact = w.impact.result()
	}
	w.convergence.agreement(func(_ *machine, problem string) bool {
		r.Running++
		if problem == "" {
			r.Converged++
		}
		return true
	})
	return r
}

// print prints the result: one line of JSON, or for people.
func (r *Result) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	nodes := "nodes"
	if r.Nodes == 1 {
		nodes = "node"
	}
	b := fmt.Appendf(nil, "%d %s, loss %g, delay %v, seed %d\n", r.Nodes, nodes, r.Loss, time.Duration(r.Delay*float64(time.Second)), r.Seed)
	for i := range r.Fates {
		b = fmt.Appendf(b, "%s\n", &r.Fates[i])
	}
	for i := range r.Violations {
		b = fmt.Appendf(b, "%s\n", &r.Violations[i])
	}
	for _, line := range []struct {
		what string
		n    uint64
	}{
		{"packets", r.Counts.Packets},
		{"bytes", r.Counts.Bytes},
		{"packets by stream", r.Counts.Streams},
		{"bytes by stream", r.Counts.StreamBytes},
		{"lost", r.Counts.Lost},
		{"events", r.Counts.Events},
		{"kills", r.Counts.Kills},
		{"suspicions", r.Counts.Suspicions},
		{"rounds", r.Counts.Rounds},
		{"deaths", r.Counts.Deaths},
		{"false deaths", uint64(r.FalseDeaths)},
		{"refutations", r.Counts.Refutations},
		{"rules broken", uint64(r.Broken)},
	} {
		b = fmt.Appendf(b, "%-18s %d\n", line.what, line.n)
	}
	if r.Impact != nil {
		b = r.Impact.append(b)
	}
	b = r.Rumors.append(b)
	b = fmt.Appendf(b, "%-18s %d of %d at %.3fs\n", "converged members", r.Converged, r.Running, r.Time)
	if r.Faulty {
		b = append(b, "the scenario ends with a fault in place\n"...)
	}
	b = fmt.Appendf(b, "%-18s %s\n", "log", r.Hash)
	_, err := out.Write(b)
	return err
}

// chained is a hash over one more.
func chained(sum, next hearsay.Hash) hearsay.Hash {
	return sha256.Sum256(append(sum[:], next[:]...))
}
