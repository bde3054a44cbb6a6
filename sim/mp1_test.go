package sim

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mp1Scenarios are the three of the earlier program.
var mp1Scenarios = []struct {
	name         string
	single, drop bool
}{{"single", true, false}, {"multiple", false, false}, {"drop", true, true}}

// mp1Record is a record of the log.
var mp1Record = regexp.MustCompile(`^ (?:(\d+\.\d+\.\d+\.\d+:\d+) )?\[(\d+)\] (.*)$`)

var (
	mp1Joined  = regexp.MustCompile(`^Node (\d+\.\d+\.\d+\.\d+:0) joined at time (\d+)$`)
	mp1Removed = regexp.MustCompile(`^Node (\d+\.\d+\.\d+\.\d+:0) removed at time (\d+)$`)
)

// graded is what a log says, read as the earlier program's grader does: line by line.
type graded struct {
	joined, removed map[[2]string]int // by the node that logs, and the other
	failed          []string
	order           []string // of addresses, as they tried to join
}

func grade(t *testing.T, log []byte) graded {
	t.Helper()
	g := graded{joined: map[[2]string]int{}, removed: map[[2]string]int{}}
	lines := strings.Split(string(log), "\n")
	if len(lines) < 4 || lines[0] != "131" || lines[1] != "" || lines[2] != " [0] APP" {
		t.Fatalf("the log begins with %q", lines[:min(4, len(lines))])
	}
	tick := 0
	for i, line := range lines[2:] {
		record := mp1Record.FindStringSubmatch(line)
		if record == nil {
			t.Fatalf("line %d is no record: %q", i+3, line)
		}
		at, _ := strconv.Atoi(record[2])
		if at < tick || at > 699 {
			t.Fatalf("line %d goes from tick %d to %d", i+3, tick, at)
		}
		tick = at
		by, text := record[1], record[3]
		if by == "" && i > 0 {
			t.Fatalf("line %d has no address: %q", i+3, line)
		}
		joined, removed := mp1Joined.FindStringSubmatch(text), mp1Removed.FindStringSubmatch(text)
		switch {
		case joined != nil && joined[2] == record[2]:
			g.joined[[2]string{by, joined[1]}]++
		case removed != nil && removed[2] == record[2]:
			g.removed[[2]string{by, removed[1]}]++
		case text == "Node failed at time=100" || text == "Node failed at time = 100":
			g.failed = append(g.failed, by)
		case text == "Starting up group..." || text == "Trying to join...":
			g.order = append(g.order, by)
		case text == "APP" || text == "@@time=500":
		default:
			t.Fatalf("line %d says %q", i+3, text)
		}
	}
	return g
}

// check holds a log to what the earlier program's is graded by, and to more: nobody else is removed, also where packets
// are dropped, nobody returns, and all that run to the end know each other.
func (g *graded) check(nodes, failed int) (problem string) {
	survive := slices.DeleteFunc(slices.Clone(g.order), func(a string) bool { return slices.Contains(g.failed, a) })
	if len(g.failed) != failed || len(g.order)-failed != len(survive) && nodes <= 400 {
		return fmt.Sprintf("%d of %d have failed, want %d", len(g.failed), len(g.order), failed)
	}
	for _, by := range survive {
		for _, other := range g.order {
			pair := [2]string{by, other}
			hasFailed := slices.Contains(g.failed, other)
			switch {
			case by == other:
				if g.joined[pair]+g.removed[pair] > 0 {
					return by + " logs itself"
				}
			case g.joined[pair] != 1 && (nodes <= 100 || !hasFailed):
				return fmt.Sprintf("%s has logged %s as joined %d times", by, other, g.joined[pair])
			case hasFailed && g.removed[pair] != g.joined[pair]:
				return fmt.Sprintf("%s has logged %s, which failed, as removed %d times", by, other, g.removed[pair])
			case !hasFailed && g.removed[pair] != 0:
				return fmt.Sprintf("%s has logged %s, which runs, as removed", by, other)
			}
		}
	}
	return ""
}

func runMP1(t *testing.T, run *MP1) (graded, MP1Result) {
	t.Helper()
	var log bytes.Buffer
	result, err := run.Run(&log)
	if err != nil {
		t.Fatal(err)
	}
	return grade(t, log.Bytes()), result
}

// TestMP1 runs the three scenarios with each detector, and grades the logs.
func TestMP1(t *testing.T) {
	t.Parallel()
	seeds := 20
	if testing.Short() {
		seeds = 3
	}
	for _, kind := range Detectors {
		for _, s := range mp1Scenarios {
			t.Run(fmt.Sprintf("%v/%s", kind, s.name), func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(seeds) {
					run := &MP1{Nodes: 10, Single: s.single, Drop: s.drop, DropProb: 0.1, Detector: kind, Seed: seed + 1}
					failed := 5
					if s.single {
						failed = 1
					}
					g, r := runMP1(t, run)
					if problem := g.check(run.Nodes, failed); problem != "" {
						t.Errorf("seed %d: %s", run.Seed, problem)
					}
					want := MP1Result{Joined: r.JoinedWant, JoinedWant: (10 - failed) * (9 - failed), Removed: r.RemovedWant, RemovedWant: (10 - failed) * failed}
					if got := (MP1Result{Joined: r.Joined, JoinedWant: r.JoinedWant, Removed: r.Removed, RemovedWant: r.RemovedWant, False: r.False, Returned: r.Returned}); got != want {
						t.Errorf("seed %d: %+v", run.Seed, r)
					}
				}
			})
		}
	}
}

// Groups of other sizes. Where the introducer fails, those that come later find the others.
func TestMP1Sizes(t *testing.T) {
	t.Parallel()
	sizes := []int{2, 3, 5}
	if os.Getenv(largeVariable) != "" {
		sizes = append(sizes, 100)
	}
	for _, kind := range Detectors {
		for _, s := range mp1Scenarios {
			for _, nodes := range sizes {
				t.Run(fmt.Sprintf("%v/%s/%d", kind, s.name, nodes), func(t *testing.T) {
					run := &MP1{Nodes: nodes, Single: s.single, Drop: s.drop, DropProb: 0.1, Detector: kind, Seed: 3}
					failed := nodes / 2
					if s.single {
						failed = 1
					}
					g, r := runMP1(t, run)
					if problem := g.check(run.Nodes, failed); problem != "" {
						t.Error(problem)
					}
					t.Logf("%+v", r)
				})
			}
		}
	}
}

// The introducer fails in some runs, and the failure of it is seen as any other's.
func TestMP1IntroducerFails(t *testing.T) {
	t.Parallel()
	for _, kind := range Detectors {
		fails := 0
		for seed := uint64(1); fails < 2 && seed < 60; seed++ {
			run := &MP1{Nodes: 10, Single: true, Detector: kind, Seed: seed}
			g, _ := runMP1(t, run)
			if g.failed[0] == "1.0.0.0:0" {
				fails++
				if problem := g.check(run.Nodes, 1); problem != "" {
					t.Errorf("%v, seed %d: %s", kind, seed, problem)
				}
			}
		}
		if fails == 0 {
			t.Errorf("%v: the introducer fails in no run", kind)
		}
	}
}

func TestMP1Repeats(t *testing.T) {
	t.Parallel()
	logs := map[string]bool{}
	for _, seed := range []uint64{1, 1, 2} {
		var log bytes.Buffer
		run := MP1{Nodes: 10, Drop: true, DropProb: 0.2, Seed: seed}
		if _, err := run.Run(&log); err != nil {
			t.Fatal(err)
		}
		logs[log.String()] = true
	}
	if len(logs) != 2 {
		t.Errorf("%d logs of two seeds, one of them twice", len(logs))
	}
}

// However many packets are dropped, a run goes on to its end and its log is one.
func TestMP1DropsAll(t *testing.T) {
	t.Parallel()
	for _, kind := range Detectors {
		g, r := runMP1(t, &MP1{Nodes: 10, Single: true, Drop: true, DropProb: 1, Detector: kind, Seed: 1})
		for _, by := range g.order {
			if by != g.failed[0] && g.removed[[2]string{by, g.failed[0]}] == 0 {
				t.Errorf("%v: %s has not logged %s as removed: %+v", kind, by, g.failed[0], r)
			}
		}
		if r.Returned > 0 {
			t.Errorf("%v: %d returned", kind, r.Returned)
		}
	}
}

func TestMP1Configuration(t *testing.T) {
	const sound = "MAX_NNB: 10\nSINGLE_FAILURE: 1\nDROP_MSG: 0\nMSG_DROP_PROB: 0.1"
	for _, text := range []string{sound, sound + "\n\n", strings.ReplaceAll(sound, "\n", "\r\n"), strings.ReplaceAll(sound, ": ", ":\t ")} {
		run := MP1{}
		if err := run.parse("c", text); err != nil || run != (MP1{Nodes: 10, Single: true, DropProb: 0.1}) {
			t.Errorf("%q: %v, %+v", text, err, run)
		}
	}
	for text, want := range map[string]string{
		"":                                      `c: it ends before MAX_NNB; want MAX_NNB: 2 to 1000`,
		"MAX_NNB: 1":                            `c:1: "MAX_NNB: 1": want MAX_NNB: 2 to 1000`,
		"MAX_NNB: 1001":                         `c:1: "MAX_NNB: 1001": want MAX_NNB: 2 to 1000`,
		"MAX_NNB 10":                            `c:1: "MAX_NNB 10": want MAX_NNB: 2 to 1000`,
		"MAX_NNB: ten":                          `c:1: "MAX_NNB: ten": want MAX_NNB: 2 to 1000`,
		"MAX_NNB: 10\nDROP_MSG: 0":              `c:2: "DROP_MSG: 0": want SINGLE_FAILURE: 0 or 1`,
		"MAX_NNB: 10\nSINGLE_FAILURE: 2":        `c:2: "SINGLE_FAILURE: 2": want SINGLE_FAILURE: 0 or 1`,
		"MAX_NNB: 10\n\nSINGLE_FAILURE: 1":      `c: it ends before DROP_MSG; want DROP_MSG: 0 or 1`,
		strings.Replace(sound, "0.1", "2", 1):   `c:4: "MSG_DROP_PROB: 2": want MSG_DROP_PROB: a probability, 0 to 1`,
		strings.Replace(sound, "0.1", "NaN", 1): `c:4: "MSG_DROP_PROB: NaN": want MSG_DROP_PROB: a probability, 0 to 1`,
		sound + "\nmore":                        `c:5: "more": want nothing behind MSG_DROP_PROB`,
	} {
		run := MP1{}
		if err := run.parse("c", text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func BenchmarkMP1(b *testing.B) {
	for range b.N {
		run := MP1{Nodes: 100, Seed: 1}
		if _, err := run.Run(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
