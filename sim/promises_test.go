package sim

import (
	"io"
	"strings"
	"testing"
	"time"

	"hearsay"
)

// A promise that an answer to any seed keeps a member in is broken by its removal, if a seed had
// time to say so; not where the answer came too late, or something else was done meanwhile.
func TestPromiseOfAnAnswer(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		answered time.Duration // before the ruling; 0: not at all
		anySeed  bool
		voted    bool // the seed, for the removal, before that
		again    bool // and was started again since
		trouble  bool // after the promise
		broken   int
	}{
		"it answered":                  {answered: 3 * time.Second, anySeed: true, broken: 1},
		"it did not":                   {anySeed: true},
		"too late":                     {answered: time.Second, anySeed: true},
		"it had voted":                 {answered: 3 * time.Second, anySeed: true, voted: true},
		"it had voted before a start":  {answered: 3 * time.Second, anySeed: true, voted: true, again: true},
		"of a majority":                {answered: 3 * time.Second},
		"something was done meanwhile": {answered: 3 * time.Second, anySeed: true, trouble: true},
	} {
		config := DefaultConfig()
		config.Nodes, config.Seeds = 2, 3
		w := NewWorld(config, nil)
		w.Follow(&Scenario{})
		w.RunUntil(20 * time.Second)
		seed, peer := &w.machines[2], &w.machines[1]
		votes := func(on hearsay.NodeID) {
			w.check.identities[seed.identity].votes(&hearsay.Ballot{Stay: hearsay.Stay{ID: on, Epoch: 1}})
		}
		votes(hearsay.NodeID{7})
		if test.voted {
			votes(peer.id)
		}
		if test.again {
			w.Do(Action{Verb: Kill, Who: []int{3}})
			w.Do(Action{Verb: Restart, Who: []int{3}})
			w.RunUntil(w.now + 10*time.Second)
		}
		k := promised{
			Promise: hearsay.Promise{What: hearsay.PromiseDecided, AnySeed: test.anySeed}, subject: peer.id, silent: -1,
			teller: seed.index, life: seed.life, due: w.now + time.Minute, trouble: w.lastTrouble,
		}
		w.promises.open = append(w.promises.open, k)
		if test.answered > 0 {
			w.promises.redeems(seed, &hearsay.Event{Kind: hearsay.EventExamined, Subject: peer.id, Verdict: hearsay.VerdictReachable})
		}
		w.now += test.answered
		if test.trouble {
			w.lastTrouble = w.now
		}
		w.promises.redeems(seed, &hearsay.Event{Kind: hearsay.EventRuled, Subject: peer.id, Ruling: &hearsay.Ruling{Kind: hearsay.RulingRemove}})
		if w.check.broken != test.broken {
			t.Errorf("%s: %d violations, want %d: %v", what, w.check.broken, test.broken, w.check.violations)
		}
	}
}

// A peer does not say by when a suspect is removed, where the seeds were started again after that time: they elect who
// leads, and probe anew. Nothing but their answers shows that they were.
func TestPeerCountsFromTheStartOfSeeds(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 4, `
		at 15s cut s1 -> s2
		at 15s cut s2 -> s1
		at 15s cut s1 -> s3
		at 15s cut s3 -> s1
		at 15s cut s2 -> s3
		at 15s cut s3 -> s2
		at 18s kill n2
		at 40s kill s1 s2 s3
		at 40.2s heal
		at 40.2s restart s1 s2 s3
	`, withSeeds(3))
	w.RunUntil(41500 * time.Millisecond)
	teller := &w.machines[0]
	file, err := teller.why(w.timeOf(teller), "n2")
	if err != nil {
		t.Fatal(err)
	}
	if want := "cannot be said yet, as a quorum of seeds is back since 00:00:40"; !strings.Contains(file.Nearest, want) {
		t.Errorf("%q: want %q in it", file.Nearest, want)
	}
}

// A machine to which nothing comes, or from which nothing goes out, promises nothing, and one that does breaks
// the rule.
func TestPromiseOfADeafNode(t *testing.T) {
	t.Parallel()
	for verb, promises := range map[Verb]bool{LossIn: true, LossOut: true, Loss: false} {
		config := DefaultConfig()
		config.Nodes, config.Seeds = 4, 3
		w := NewWorld(config, nil)
		w.Follow(&Scenario{})
		w.RunUntil(20 * time.Second)
		deaf := &w.machines[0]
		twisted := *deaf.twist
		twisted.tells = func(_ *World, _ *machine, file *hearsay.CaseFile) {
			if promises {
				file.Promises = append(file.Promises, hearsay.Promise{What: hearsay.PromiseRemoved})
			}
		}
		deaf.twist = &twisted
		w.Do(Action{Verb: verb, Share: 1, Who: []int{1}})
		w.RunUntil(w.now + 20*time.Second)
		if broken := w.check.broken > 0; broken != promises {
			t.Errorf("it promises: %t; %v", promises, w.check.violations)
		}
	}
}

// A peer that is cut off before it is in expects to hear nobody, and promises nothing all the same.
func TestNoPromiseOfOneThatIsNotIn(t *testing.T) {
	t.Parallel()
	config, err := Drawn{Core: true, Seeds: SeedsDrawn}.World(900097)
	if err != nil {
		t.Fatal(err)
	}
	if o := RunWorld(config, io.Discard, io.Discard); o.Failure != FailedNot {
		t.Errorf("%s: %s", o.Rule, o.Text)
	}
}

// A seed to which a peer alone is silent, as the way between the two is cut, brings it before the others by the time
// that it has promised, and then promises a later one, with its cause. Since when the peer is silent it says once.
func TestPromiseOfASeedBehindACut(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		w := newScenario(t, 4, "at 30s cut s1 -> n2\nat 30s cut n2 -> s1", func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
		promised, again := 0, 0
		w.RunUntil(30 * time.Second)
		for w.now < 150*time.Second {
			w.RunUntil(w.now + time.Second)
			teller := &w.machines[4]
			file, err := teller.why(w.timeOf(teller), "n2")
			if err != nil {
				t.Fatal(err)
			}
			if times := strings.Count(file.Summary, "since 00:") + strings.Count(file.Summary, "itself since"); times > 1 {
				t.Fatalf("seed %d: at %v: %s", seed, w.now, file.Summary)
			}
			for _, one := range file.Promises {
				if promised++; !one.Again.IsZero() {
					again++
				}
				if says := strings.Contains(file.Nearest, "The last case about it ended without a ruling"); says == one.Again.IsZero() {
					t.Fatalf("seed %d: at %v: %s", seed, w.now, file.Nearest)
				}
			}
		}
		if promised < 90 || again < 50 || w.counts.Promises == 0 {
			t.Errorf("seed %d: %d promises, %d of them anew; %d were kept", seed, promised, again, w.counts.Promises)
		}
	}
}

// A later time without a cause goes back on a promise.
func TestPromiseThatMovesHasACause(t *testing.T) {
	t.Parallel()
	for what, moved := range map[string]bool{"with its cause": false, "without": true} {
		w := newScenario(t, 4, "at 30s cut s1 -> n2\nat 30s cut n2 -> s1", withSeeds(3))
		if moved {
			w.machines[4].twist = &twist{tells: func(_ *World, _ *machine, file *hearsay.CaseFile) {
				for i := range file.Promises {
					file.Promises[i].Again = time.Time{}
				}
			}}
		}
		w.RunUntil(70 * time.Second)
		if broken := w.check.broken > 0; broken != moved {
			t.Errorf("%s: %v", what, w.check.violations)
		}
		w.check.violations = nil
	}
}

// A removal that is promised is void once a node is let in that observes the member; if the member has as many
// observers as there may be without it, the promise stays.
func TestPromiseIsVoidWithAnotherObserver(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	config.Nodes, config.Seeds = 16, 3
	w := NewWorld(config, nil)
	w.Follow(&Scenario{})
	w.RunUntil(20 * time.Second)
	seed, subject := &w.machines[16], w.machines[0].id
	observe := 0
	for i := range 16 {
		id := w.machines[i].id
		w.promises.open = []promised{{Promise: hearsay.Promise{What: hearsay.PromiseRemoved}, subject: subject, silent: 0, teller: 1}}
		w.promises.redeems(seed, &hearsay.Event{Kind: hearsay.EventRuled, Subject: id, Ruling: &hearsay.Ruling{Kind: hearsay.RulingAdmit}})
		if len(w.promises.open) == 0 {
			observe++
		}
	}
	if observe != config.Roster.Observers {
		t.Errorf("%d nodes of 16 void it, want the %d observers", observe, config.Roster.Observers)
	}
}
