package sim

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// Seeds of drawn worlds that run by default; `make campaign` runs more.
const stormSeeds = 8

// stormsVariable, a range of seeds as in 1000-1999, has these run instead.
const stormsVariable = "HEARSAY_STORMS"

func TestStorms(t *testing.T) {
	t.Parallel()
	from, to := uint64(0), uint64(stormSeeds-1)
	if text := os.Getenv(stormsVariable); text != "" {
		if _, err := fmt.Sscanf(text, "%d-%d", &from, &to); err != nil {
			t.Fatal(err)
		}
	}
	longest := time.Duration(0)
	for seed := from; seed <= to; seed++ {
		config := drawWorld(seed, SeedsDrawn)
		w := NewWorld(config, nil)
		w.Follow(config.Scenario)
		w.RunUntil(stormEnds)
		w.convergence.settle()
		longest = max(longest, w.now-stormEnds)
		problem := w.convergence.disagreement()
		for i := range w.check.violations {
			t.Errorf("seed %d: %s", seed, &w.check.violations[i])
		}
		if problem != "" {
			t.Errorf("seed %d: not converged %v after the storm: %s", seed, w.now-stormEnds, problem)
		}
	}
	t.Logf("longest time to converge: %v", longest)
}

// keptSeeds are of worlds that broke a rule once: a removed node wrote again what others had deleted, a copy of a disk
// did, and a client wrote at a node whose disk failed in that (of gaps that a writer left tell 125 and 260); and a
// seed promised that a case is decided by a time that was over. Faults of the judge were 989; 8400268, as streams
// between the seeds stood still behind loss; 8500470, where answers came after they were given up; and 8900031, where
// a copy of a disk heard that a value is gone before the same under another number. At 8900896 three that had moved
// met one that had left and was back among others, and it took nothing of what they said; at 9100504 a node lost its
// datagrams while it was cut off, and was tried by datagram for ever; and at 8900429 and 8900674 the store moved four
// times what lacked. At 9400250 and 9500638 seeds refused for 24 s what was said against a member that had moved and
// died, as the log alone knew it by its new address. At 9600581 one held a member suspect for ever that was dead for
// all others, at an older incarnation; at 9800122, a fault of the judge, a promise rested on a seed just continued. At
// 10100860 a peer held the key of a seed for known that it had never met, and followed the ledger no more.
var keptSeeds = []uint64{
	4, 172, 358, 847, 989, 8400268, 8500470, 8900031, 8900896, 9100504, 8900429, 8900674, 9400250, 9500638, 9600581, 9800122,
	10100860,
}

func TestKeptSeeds(t *testing.T) {
	t.Parallel()
	for _, seed := range keptSeeds {
		if o := RunWorld(drawWorld(seed, SeedsDrawn), io.Discard, io.Discard); o.Failure != FailedNot {
			t.Errorf("seed %d: %s", seed, o.Text)
		}
	}
}

// A drawn world is written as it is read.
func TestWorldsReadBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		config := drawWorld(seed, SeedsDrawn)
		if err := config.Validate(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		text := config.Text()
		read := DefaultConfig()
		if err := ParseWorld("world", text, &read); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if again := read.Text(); again != text {
			t.Fatalf("seed %d: wrote\n%s\nand read\n%s", seed, text, again)
		}
	}
}

func TestWrongWorlds(t *testing.T) {
	for text, want := range map[string]string{
		"with nodes":                  "w:1: \"with nodes\": want `with NAME VALUE`, as in `with nodes 5`",
		"\nwith knots 5":              `w:2: setting "knots": want one of nodes, seeds, found, seed, for, `,
		"with nodes 0":                `w:1: nodes "0": want a number, 1 or more`,
		"with nodes 20000":            "w: nodes 20000: want 1 to 10000",
		"with seed -1":                `w:1: seed "-1": want a number`,
		"with loss 2":                 `w:1: loss "2": want a probability, 0 to 1`,
		"with delay 5":                `w:1: duration "5": want 0 or more with a unit`,
		"with overlay star":           `w:1: overlay "star": want ring`,
		"with stream-pings yes":       `w:1: stream-pings "yes": want on or off`,
		"with plant nosuch":           `w:1: plant "nosuch": want one of`,
		"with nodes 2\nat 1s kill n3": `w:2: machine "n3": want one of n1 to n2`,
		"with for 9s\nat 10s kill n3": "w: at 10s kill n3: the run ends at 9s: want --for 10s or more",
	} {
		config := DefaultConfig()
		err := ParseWorld("w", text, &config)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
	}
}
