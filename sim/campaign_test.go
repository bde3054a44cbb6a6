package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// full is an outcome of a world in which everything happened.
func full(seed uint64) *Outcome {
	o := &Outcome{Seed: seed, Hash: hearsay.Hash{byte(seed)}}
	for i := range o.Coverage {
		o.Coverage[i] = 1
	}
	return o
}

func TestCampaignThatTestedNothing(t *testing.T) {
	for which := range coverage {
		c := Campaign{Seeds: SeedsDrawn, Core: coverage[which].in == coreWorld}
		for seed := range uint64(coverageRuns) {
			o := full(seed)
			o.Coverage[which] = 0
			c.Add(o)
		}
		err := c.Close()
		if !errors.Is(err, ErrUntested) || !strings.HasSuffix(err.Error(), "100 worlds without any "+coverage[which].what) {
			t.Errorf("%s: %v", coverage[which].what, err)
		}
		if !slices.Equal(c.Untested, []string{coverage[which].what}) {
			t.Errorf("%s: untested is %q", coverage[which].what, c.Untested)
		}
	}
	small := Campaign{}
	for seed := range uint64(coverageRuns - 1) {
		small.Add(&Outcome{Seed: seed})
	}
	if err := small.Close(); err != nil {
		t.Errorf("too few worlds to have everything: %v", err)
	}
}

func TestCampaignEndsAtTheFirstFailure(t *testing.T) {
	for failure, want := range map[Failure]error{FailedSafety: ErrUnsafe, FailedLiveness: ErrNotConverged, FailedCrash: ErrCrashed} {
		c := Campaign{From: 7, Plant: "returns"}
		bad := full(8)
		bad.Failure, bad.Text = failure, "it is bad"
		if !c.Add(full(7)) || c.Add(bad) {
			t.Fatal("does not end when it should")
		}
		const repeat = "hearsay sim campaign --from 8 --runs 1 --trace --plant returns"
		if err := c.Close(); !errors.Is(err, want) || !strings.Contains(err.Error(), repeat) {
			t.Errorf("%s: %v", failure, err)
		}
		var out bytes.Buffer
		if err := c.Print(&out); err != nil || !strings.Contains(out.String(), "seed 8 fails, "+string(failure)+": it is bad\nagain: "+repeat) {
			t.Errorf("%v, printed\n%s", err, &out)
		}
	}
}

// What a worker says of a world is read as it was meant.
func TestOutcomesReadBack(t *testing.T) {
	t.Parallel()
	o := RunWorld(drawWorld(3, SeedsDrawn), io.Discard, io.Discard)
	if o.Failure != FailedNot || o.Coverage[0] == 0 || o.Hash.IsZero() || o.Repeats() {
		t.Fatalf("%+v", o)
	}
	text, err := json.Marshal(&o)
	if err != nil {
		t.Fatal(err)
	}
	var read Outcome
	if err := json.Unmarshal(text, &read); err != nil || read != o {
		t.Fatalf("%v: %+v", err, read)
	}
}

// A panic is the failure of its world, told with its stack; and is made
// shorter like any other.
func TestPanicIsAFailure(t *testing.T) {
	t.Parallel()
	Plants = append(Plants, Plant{Name: "panics", bend: everywhere(&twist{steps: func(w *World, m *machine, _ *core.Effects) {
		if w.now > stormBegins && m.index == 1 {
			panic("it is too late")
		}
	}})})
	defer func() { Plants = Plants[:len(Plants)-1] }()
	config, err := Drawn{Plant: "panics"}.World(0)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o := RunWorld(config, io.Discard, &log)
	if o.Failure != FailedCrash || o.Text != "panic: it is too late" || !o.Repeats() || !strings.Contains(log.String(), "goroutine ") {
		t.Fatalf("%+v, log %s", o, &log)
	}
	less := Shorten(config, &o)
	if less.Nodes != 2 || len(less.Scenario.Actions) > 0 {
		t.Fatalf("shortened to\n%s", less.Text())
	}
}

// A world that ends sooner is one that can be written down and run: what would come after its end is left out.
func TestShortenedWorldsEndAfterTheirActions(t *testing.T) {
	t.Parallel()
	Plants = append(Plants, Plant{Name: "panics", bend: everywhere(&twist{steps: func(w *World, m *machine, _ *core.Effects) {
		panic("at once")
	}})})
	defer func() { Plants = Plants[:len(Plants)-1] }()
	config := DefaultConfig()
	config.Nodes, config.For, config.Plant = 3, time.Minute, "panics"
	config.Scenario = &Scenario{Actions: []Action{{At: 10 * time.Second, Verb: Kill, Who: []int{1}}, {At: 50 * time.Second, Verb: Kill, Who: []int{2}}}}
	o := RunWorld(config, io.Discard, io.Discard)
	s := &shortening{best: config, want: &o, tries: 2}
	if !s.sooner() || s.best.For >= config.For || len(s.best.Scenario.Actions) != 1 {
		t.Errorf("not sooner:\n%s", s.best.Text())
	}
	again := DefaultConfig()
	if err := ParseWorld("w", s.best.Text(), &again); err != nil {
		t.Error(err)
	}
}

// A world that is made shorter keeps what frees a machine of its bar: without that it fails
// in another way, which looks alike.
func TestShortenedWorldsFreeThoseThatTheyBar(t *testing.T) {
	config := DefaultConfig()
	config.Nodes, config.Seeds = 3, 3
	bar, lift := Action{Verb: Bar, Who: []int{2, 3}}, Action{Verb: Lift, Who: []int{2, 3}}
	config.Scenario = &Scenario{Actions: []Action{bar, lift}}
	s := &shortening{best: config, want: &Outcome{Failure: FailedSafety}, tries: 1}
	if s.try(s.with([]Action{bar})) || s.tries != 1 {
		t.Error("a world was run in which two are barred for good")
	}
	if s.try(s.with([]Action{lift})); s.tries != 0 {
		t.Error("a world without the bar was not run")
	}
}
