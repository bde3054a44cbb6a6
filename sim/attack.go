package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"hearsay"
)

// Limits of an Attack.
const (
	AttackNodesMin = 8   // members; fewer cannot tell a liar's share from a liar
	AttackNodesMax = 512 // guess: such a run takes a minute
	MaxAttackRuns  = 1000
	MaxAttackShare = 0.9 // somebody must be there to be lied to
)

// Attack is one attack, as often as it says: each run is a world of its own,
// in which real packets are made by machines that have an identity of their own
// and follow the protocol otherwise, or by an outsider who has none.
type Attack struct {
	Name  string  // see Attacks
	Nodes int     // members, those that lie among them; default 32
	Seeds int     // besides, that are honest; default 0: an open network
	Share float64 // of them that lie; default 0: as many as the attack takes by itself
	Seed  uint64  // of the first run; each that follows has the next; default 1
	Runs  int     // default 5
	JSON  bool    // print a line of JSON instead of text

	Progress func(done int) // is told how many runs are over, after each; nil: nobody is

	unlimited bool // tests let seeds admit anybody, to see that it is noticed

	weaken func(*Config) // tests change what nodes are told, to see that claims are checked; may be nil
}

// AttackKind is one of those that there are.
type AttackKind struct {
	Name string `json:"name"`
	What string `json:"what"` // the attacker does, in one line

	liars     int                          // by default: members that lie; 0: nobody in the network does
	adjusts   bool                         // Share may be given
	seeds     int                          // of the network; 0: it is an open one
	seat      bool                         // one of the seeds lies
	observers bool                         // liars are one after another 1, 2 … all observers of a member
	lay       func(t *trial)               // one run
	tell      func(r *AttackReport) string // the outcome in words
	protects  string                       // what did, where something does
	needs     string                       // what would be needed where nothing does
}

// Attacks gives all kinds, in the order in which they are listed.
func Attacks() []AttackKind { return slices.Clone(attackKinds) }

// DefaultAttack gives the defaults.
func DefaultAttack() Attack { return Attack{Nodes: 32, Seed: 1, Runs: 5} }

func (a *Attack) kind() (*AttackKind, error) {
	names := make([]string, len(attackKinds))
	for i := range attackKinds {
		if attackKinds[i].Name == a.Name {
			return &attackKinds[i], nil
		}
		names[i] = attackKinds[i].Name
	}
	return nil, fmt.Errorf("attack %q: want one of %s", a.Name, strings.Join(names, ", "))
}

// Validate says what is wrong with the attack, if anything.
func (a *Attack) Validate() error {
	kind, err := a.kind()
	switch {
	case err != nil:
		return err
	case a.Nodes < AttackNodesMin || a.Nodes > AttackNodesMax:
		return fmt.Errorf("nodes %d: want %d to %d", a.Nodes, AttackNodesMin, AttackNodesMax)
	case a.Seeds < 0 || a.Seeds > hearsay.MaxSeeds:
		return fmt.Errorf("seeds %d: want 0 to %d", a.Seeds, hearsay.MaxSeeds)
	case a.Runs < 1 || a.Runs > MaxAttackRuns:
		return fmt.Errorf("runs %d: want 1 to %d", a.Runs, MaxAttackRuns)
	case !(a.Share >= 0 && a.Share <= MaxAttackShare):
		return fmt.Errorf("share %v: want more than 0, to %v", a.Share, MaxAttackShare)
	case a.Share > 0 && !kind.adjusts:
		return fmt.Errorf("share %v: in %s as many lie as the attack takes", a.Share, kind.Name)
	}
	return nil
}

// seeds is how many there are: as many as the attack needs at least.
func (a *Attack) seeds(kind *AttackKind) int { return max(a.Seeds, kind.seeds) }

// observers is K.
func (a *Attack) observers() int { return min(DefaultConfig().Roster.Observers, a.Nodes-1) }

// liars is how many members lie, at most.
func (a *Attack) liars(kind *AttackKind) int {
	switch {
	case kind.observers:
		return a.observers()
	case a.Share == 0:
		return kind.liars
	}
	return max(1, int(math.Round(a.Share*float64(a.Nodes))))
}

// Figure is one measure of an attack.
type Figure struct {
	Key   string // stable; ends in its unit where it has one
	Value float64
	Most  bool // of all runs the largest; otherwise their mean
}

// Figures are all measures of an attack, in the order in which they are told.
type Figures []Figure

// Get gives a figure by its key; 0 if there is none.
func (f Figures) Get(key string) float64 {
	for i := range f {
		if f[i].Key == key {
			return f[i].Value
		}
	}
	return 0
}

// MarshalJSON gives an object of numbers.
func (f Figures) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i := range f {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "%q:%s", f[i].Key, figure(f[i].Value))
	}
	return append(b, '}'), nil
}

// figure gives a number with about four digits.
func figure(v float64) string {
	if math.Abs(v) >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}

func percent(share float64) string { return figure(100*share) + " %" }

// fill gives a text with its figures: {key} as they are, {key %} in percent.
func (r *AttackReport) fill(text string) string {
	filled := ""
	for {
		before, rest, found := strings.Cut(text, "{")
		if filled += before; !found {
			return filled
		}
		var key string
		key, text, _ = strings.Cut(rest, "}")
		if key, isShare := strings.CutSuffix(key, " %"); isShare {
			filled += percent(r.Figures.Get(key))
		} else {
			filled += figure(r.Figures.Get(key))
		}
	}
}

// seedsProtect is what protects a network with seeds besides.
const seedsProtect = "a quorum of seeds admits and removes, each by its own probes"

// AttackReport is what an attack came to.
type AttackReport struct {
	Name        string  `json:"name"`
	What        string  `json:"what"`
	Nodes       int     `json:"nodes"`
	Liars       int     `json:"liars"`
	Share       float64 `json:"share"` // of the nodes
	Seeds       int     `json:"seeds"` // of the network
	Runs        int     `json:"runs"`
	Succeeded   float64 `json:"succeeded"` // share of the runs
	Outcome     string  `json:"outcome"`
	ProtectedBy string  `json:"protected_by"` // or what would be needed
	Figures     Figures `json:"figures"`
	// protections that did not hold, though they are claimed; the first of each run
	Broken []string `json:"broken"`

	sweeps bool // see AttackKind.observers
	seat   bool // see AttackKind.seat
}

// Run runs the attack and prints what came of it. The same Attack prints the
// same bytes. The error wraps ErrUnsafe if a protection that is claimed did not
// hold, or says what is wrong with the attack.
func (a *Attack) Run(out io.Writer) (*AttackReport, error) {
	if err := a.Validate(); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	kind, _ := a.kind()
	r := &AttackReport{
		Name: a.Name, What: kind.What, Nodes: a.Nodes, Liars: a.liars(kind), Seeds: a.seeds(kind), Runs: a.Runs, Broken: []string{}, sweeps: kind.observers, seat: kind.seat,
	}
	r.Share = math.Round(1000*float64(r.Liars)/float64(r.Nodes)) / 1000
	succeeded := 0
	for i := range a.Runs {
		t := &trial{attack: a, kind: kind, seed: a.Seed + uint64(i), liars: r.Liars}
		kind.lay(t)
		if t.succeeded {
			succeeded++
		}
		r.add(t, a.Runs)
		if a.Progress != nil {
			a.Progress(i + 1)
		}
	}
	r.Succeeded = float64(succeeded) / float64(a.Runs)
	r.Outcome, r.ProtectedBy = kind.tell(r), kind.protects
	switch {
	case a.Seeds > kind.seeds && succeeded == 0:
		r.ProtectedBy = strings.TrimSuffix(seedsProtect+"; "+kind.protects, "; ")
	case succeeded > 0 || kind.protects == "":
		r.ProtectedBy = strings.TrimPrefix(kind.protects+"; needed: "+kind.needs, "; ")
	}
	if err := r.print(out, a.JSON); err != nil {
		return r, fmt.Errorf("sim: printing the report: %w", err)
	}
	if len(r.Broken) > 0 {
		return r, fmt.Errorf("sim: attack %s: %w: %s", a.Name, ErrUnsafe, r.Broken[0])
	}
	return r, nil
}

// add adds the figures of one run out of so many, which all have the same.
func (r *AttackReport) add(t *trial, runs int) {
	if r.Figures == nil {
		for _, f := range t.figures {
			r.Figures = append(r.Figures, Figure{Key: f.Key, Most: f.Most})
		}
	}
	for i, f := range t.figures {
		if total := &r.Figures[i]; f.Most {
			total.Value = max(total.Value, f.Value)
		} else {
			total.Value += f.Value / float64(runs)
		}
	}
	if len(t.broken) > 0 {
		r.Broken = append(r.Broken, fmt.Sprintf("seed %d: %s", t.seed, t.broken[0]))
	}
}

// print prints the report: one line of JSON, or for people.
func (r *AttackReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	liars := fmt.Sprintf("an outsider, and none of %d members", r.Nodes)
	if r.Liars > 0 {
		liars = fmt.Sprintf("%d of %d members (%.3g %%)", r.Liars, r.Nodes, 100*r.Share)
	}
	if r.seat {
		liars = fmt.Sprintf("one of %d seeds, and none of %d members", r.Seeds, r.Nodes)
	} else if r.Seeds > 0 {
		liars += fmt.Sprintf(", and %d seeds that are honest", r.Seeds)
	}
	if r.sweeps {
		liars = "1, 2 … up to " + liars
	}
	b := fmt.Appendf(nil, "%s\n  what      %s\n  who       %s\n", r.Name, r.What, liars)
	b = fmt.Appendf(b, "  succeeds  in %.0f of %d worlds\n  outcome   %s\n", r.Succeeded*float64(r.Runs), r.Runs, r.Outcome)
	b = fmt.Appendf(b, "  because   %s\n", r.ProtectedBy)
	for _, f := range r.Figures {
		how := "mean"
		if f.Most {
			how = "most"
		}
		b = fmt.Appendf(b, "    %-34s %10s  %s\n", f.Key, figure(f.Value), how)
	}
	for _, broken := range r.Broken {
		b = fmt.Appendf(b, "  did not hold: %s\n", broken)
	}
	_, err := out.Write(b)
	return err
}

// trial is one run of an attack, of one or more worlds.
type trial struct {
	attack    *Attack
	kind      *AttackKind
	seed      uint64
	liars     int
	succeeded bool
	broken    []string
	figures   Figures
}

// claim says that a protection holds, or that it did not.
func (t *trial) claim(holds bool, format string, args ...any) {
	if !holds {
		t.broken = append(t.broken, fmt.Sprintf(format, args...))
	}
}

// mean tells a figure whose mean over the runs counts.
func (t *trial) mean(key string, value float64) {
	t.figures = append(t.figures, Figure{Key: key, Value: value})
}

// most tells a figure whose largest value counts.
func (t *trial) most(key string, value float64) {
	t.figures = append(t.figures, Figure{Key: key, Value: value, Most: true})
}
