package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// small is an attack as the tests run it.
func small(name string) *Attack {
	a := DefaultAttack()
	a.Name, a.Nodes, a.Runs = name, 16, 1
	switch name {
	case "flood", "crowd":
		a.Nodes = 8 // its payloads take time, and a quarter of an hour does
	case "poison":
		a.Seed = 3 // of so few values none is lost in some worlds
	}
	return &a
}

// documented is what comes of each attack: whether it succeeds, and what else
// of it must be so. What a node claims to hold is checked in every run besides.
var documented = map[string]struct {
	succeeds bool
	figures  map[string][2]float64 // from, to
}{
	"lying-observer":      {false, map[string][2]float64{"members_wrongly_dead": {0, 0}, "wrong_suspicions_per_node_minute": {1, 1e9}, "truth_back_s": {0, 30}}},
	"f-of-k":              {true, map[string][2]float64{"f4_succeeded": {0, 0}, "f5_succeeded": {1, 1}, "succeeds_from_f": {5, 5}, "majority_longest_s": {0.0001, 2}}},
	"cover":               {true, map[string][2]float64{"f4_succeeded": {0, 0}, "f9_succeeded": {1, 1}, "below_majority_last_knows_s": {0.5, 30}}},
	"flapper":             {false, map[string][2]float64{"members_wrongly_dead": {0, 0}, "buried_share_of_silences": {0.5, 1}}},
	"slow":                {false, map[string][2]float64{"late300ms_burials": {0, 0}, "late4000ms_burials": {1, 30}, "late4000ms_others_dead": {0, 0}}},
	"replay":              {false, map[string][2]float64{"members_wrongly_dead": {0, 0}, "rumors_heard_twice": {0, 0}, "recorded_packets": {100, 1e9}}},
	"forged-incarnations": {false, map[string][2]float64{"members_wrongly_dead": {0, 0}, "incarnations_believed_ahead": {0, 0}, "dropped_bad_signature": {100, 1e9}, "dropped_far_future": {100, 1e9}}},
	"sybil":               {true, map[string][2]float64{"identities_made_up": {5, 5}, "truth_back_s": {0, 10}}},
	"crowd":               {false, map[string][2]float64{"in_from_one_address": {64, 64}, "rulings_a_minute_by_cycles": {4, 6 + crowdEdge/crowdCycles.Minutes()}, "newcomer_in_s": {0, 5}}},
	"lying-seat": {true, map[string][2]float64{
		"terms_undecided_s": {10, 30}, "terms_truth_back_s": {0, 20}, "entries_undecided_s": {0, 1}, "snapshots_undecided_s": {0, 1}, "heads_undecided_s": {0, 1}, "seats_undecided_s": {0, 1},
		"two_logs_seeds_stopped": {1, 1}, "two_logs_epochs_that_differ": {0, 0}, "two_half_logs_members_removed": {0, 0},
		"snapshot_of_now_seeds_stopped": {1, 1}, "snapshot_of_now_epochs_that_differ": {0, 0}, "snapshot_of_now_undecided_s": {0, 1},
	}},
	"eclipse":  {true, map[string][2]float64{"honest_members_known": {0, 0}, "joiner_known_to_nodes": {0, 0}, "second_contact_honest_members_known": {15, 15}}},
	"flood":    {true, map[string][2]float64{"others_lost_share": {0, 0}, "flood_told_share": {0.1, 0.9}, "others_missed_by_returner_share": {0.1, 1}, "others_missed_by_returner_share_without": {0, 0}}},
	"impostor": {true, map[string][2]float64{"believed_by_share": {0.9, 1}, "victims_rumors_lost_share": {0.1, 1}, "conflicts_noticed": {1, 1e9}}},
	"hush":     {false, map[string][2]float64{"said": {10, 1e9}, "deaf_to_share": {0, 0}, "lost_share_of_all": {0, 0}}},
	"poison":   {true, map[string][2]float64{"values_lost_share": {0, 0.01}, "writers_known": {100, 1024}, "bytes_per_node_s": {100, 40_000}}},
	"amplify":  {false, map[string][2]float64{"stranger_bytes_out_per_in": {0.1, 3}, "member_bytes_out_per_in": {0.1, 3}, "member_entries_none_caused": {0, 1}, "member_seen_nothing_caused": {0, 1}, "member_graft_caused": {0, 1}}},
	"reflect":  {false, map[string][2]float64{"bystander_bytes_per_byte": {0, reflectMost}}},
	"distract": {false, map[string][2]float64{"death_known_s": {1, 20}, "wrong_suspicions": {0, 0}}},
}

func TestAttacksComeToWhatIsDocumented(t *testing.T) {
	t.Parallel()
	for _, kind := range Attacks() {
		want, listed := documented[kind.Name]
		if !listed {
			t.Errorf("%s: no outcome is documented", kind.Name)
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			if long := kind.Name == "f-of-k" || kind.Name == "crowd"; long && os.Getenv(largeVariable) == "" {
				t.Skipf("takes ten seconds; set %s", largeVariable)
			}
			report, err := small(kind.Name).Run(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if succeeded := report.Succeeded > 0; succeeded != want.succeeds {
				t.Errorf("succeeded: %v, want %v: %s", succeeded, want.succeeds, report.Outcome)
			}
			if report.ProtectedBy == "" || report.Outcome == "" {
				t.Errorf("says nothing: %+v", report)
			}
			for key, bounds := range want.figures {
				i := slices.IndexFunc(report.Figures, func(f Figure) bool { return f.Key == key })
				if i < 0 {
					t.Errorf("no figure %s", key)
				} else if v := report.Figures[i].Value; v < bounds[0] || v > bounds[1] {
					t.Errorf("%s is %v, want %v to %v", key, v, bounds[0], bounds[1])
				}
			}
		})
	}
	if len(documented) != len(Attacks()) {
		t.Errorf("%d outcomes are documented, of %d attacks", len(documented), len(Attacks()))
	}
}

// With seeds a liar that was let in still has some values of others lost, until writes are signed; it makes up no
// writers.
func TestPoisonWithSeeds(t *testing.T) {
	t.Parallel()
	a := small("poison")
	a.Seeds = 3
	report, err := a.Run(io.Discard) // fails where more is lost than is claimed
	if err != nil {
		t.Fatal(err)
	}
	if lost := report.Figures.Get("values_lost_share"); lost > 0.01 || report.Figures.Get("newcomers_refused_share") > 0 || report.Figures.Get("writers_known") > 200 {
		t.Errorf("it comes to %s", report.Outcome)
	}
}

// With seeds no lie of members puts out anybody who is well.
func TestAttacksOnMembersFailWithSeeds(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"lying-observer", "f-of-k", "flapper", "replay", "forged-incarnations", "sybil", "eclipse", "hush", "distract"} {
		t.Run(name, func(t *testing.T) {
			if long := name != "lying-observer" && name != "forged-incarnations" && name != "sybil"; long && os.Getenv(largeVariable) == "" {
				t.Skipf("takes seconds; set %s", largeVariable)
			}
			a := small(name)
			a.Seeds = 3
			report, err := a.Run(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if report.Succeeded > 0 || report.Figures.Get("members_wrongly_dead") > 0 || report.Seeds != 3 {
				t.Errorf("it succeeds: %s", report.Outcome)
			}
			if !strings.HasPrefix(report.ProtectedBy, seedsProtect) {
				t.Errorf("protected by %q", report.ProtectedBy)
			}
		})
	}
}

// With five observers instead of seven, three liars are a majority: what the
// report claims of seven does not hold, and it must say so.
func TestAttackFindsAProtectionThatDoesNotHold(t *testing.T) {
	t.Parallel()
	a := small("f-of-k")
	a.Nodes = 8
	a.weaken = func(c *Config) { c.Roster.Observers = 5 }
	report, err := a.Run(io.Discard)
	if !errors.Is(err, ErrUnsafe) {
		t.Fatalf("got %v, want %v", err, ErrUnsafe)
	}
	if len(report.Broken) != 1 {
		t.Errorf("broken: %q", report.Broken)
	}
}

// Half of all lie together: a member that has a majority of honest observers stays
// alive, and that others do not is as documented.
func TestAttackByHalfOfAll(t *testing.T) {
	t.Parallel()
	a := small("lying-observer")
	a.Share = 0.5
	report, err := a.Run(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if report.Liars != 8 || report.Share != 0.5 || report.Succeeded != 1 {
		t.Errorf("%d liars, share %v, succeeded %v", report.Liars, report.Share, report.Succeeded)
	}
	if most := report.Figures.Get("lying_observers_of_one_most"); most < 5 {
		t.Errorf("%v observers of one lie, and one was buried", most)
	}
}

func TestAttackIsTheSameAgain(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{false, true} {
		var out [3]bytes.Buffer
		for i := range out {
			a := small("replay")
			a.JSON = asJSON
			if i == 2 {
				a.Seed++
			}
			if _, err := a.Run(&out[i]); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(out[0].Bytes(), out[1].Bytes()) {
			t.Errorf("the same attack printed\n%s\nand\n%s", &out[0], &out[1])
		}
		if bytes.Equal(out[0].Bytes(), out[2].Bytes()) {
			t.Errorf("another seed printed the same: %s", &out[0])
		}
	}
}

func TestAttackReportAsJSON(t *testing.T) {
	t.Parallel()
	a := small("eclipse")
	a.JSON = true
	var out bytes.Buffer
	if _, err := a.Run(&out); err != nil {
		t.Fatal(err)
	}
	var report struct {
		Name        string             `json:"name"`
		What        string             `json:"what"`
		Nodes       int                `json:"nodes"`
		Liars       int                `json:"liars"`
		Share       float64            `json:"share"`
		Seeds       int                `json:"seeds"`
		Runs        int                `json:"runs"`
		Succeeded   float64            `json:"succeeded"`
		Outcome     string             `json:"outcome"`
		ProtectedBy string             `json:"protected_by"`
		Figures     map[string]float64 `json:"figures"`
		Broken      []string           `json:"broken"`
	}
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil {
		t.Fatal(err)
	}
	if report.Name != "eclipse" || report.Nodes != 16 || report.Liars != 1 || report.Seeds != 0 || report.Runs != 1 || report.Succeeded != 1 || report.Figures["fakes_believed"] != 15 {
		t.Errorf("%+v", report)
	}
}

func TestAttackValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(*Attack)
		want   string
	}{
		{func(a *Attack) { a.Name = "siege" }, `attack "siege": want one of lying-observer, f-of-k, `},
		{func(a *Attack) { a.Nodes = 7 }, "nodes 7: want 8 to 512"},
		{func(a *Attack) { a.Nodes = 513 }, "nodes 513: want 8 to 512"},
		{func(a *Attack) { a.Seeds = 16 }, "seeds 16: want 0 to 15"},
		{func(a *Attack) { a.Runs = 0 }, "runs 0: want 1 to 1000"},
		{func(a *Attack) { a.Share = 0.95 }, "share 0.95: want more than 0, to 0.9"},
		{func(a *Attack) { a.Share = -1 }, "share -1: want more than 0, to 0.9"},
		{func(a *Attack) { a.Name, a.Share = "f-of-k", 0.2 }, "share 0.2: in f-of-k as many lie as the attack takes"},
	} {
		a := small("flapper")
		c.change(a)
		if err := a.Validate(); err == nil || len(err.Error()) < len(c.want) || err.Error()[:len(c.want)] != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if _, err := a.Run(io.Discard); err == nil {
			t.Errorf("%+v ran", a)
		}
	}
}

// Seeds that admit anybody are noticed: by the attack and by the checker.
func TestOpenDoorIsNoticed(t *testing.T) {
	t.Parallel()
	a := small("crowd")
	a.unlimited = true
	report, err := a.Run(io.Discard)
	if !errors.Is(err, ErrUnsafe) || report.Succeeded != 1 || report.Figures.Get("in_from_one_address") < 300 {
		t.Errorf("%v: %+v", err, report)
	}
	if len(report.Broken) == 0 || !strings.Contains(report.Broken[0], "rule "+RuleBounds.String()+" broken") {
		t.Errorf("the checker says %q", report.Broken)
	}
	t.Log(report.Outcome)
}
