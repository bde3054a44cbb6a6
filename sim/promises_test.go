package sim

import (
	"testing"
	"time"

	"hearsay"
)

// A promise that an answer to any seed keeps a member in is broken by its removal, if a seed had
// time to say so; not where the answer came too late, or something else was done meanwhile.
func TestPromiseOfAnAnswer(t *testing.T) {
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
		w.check.promises.open = append(w.check.promises.open, k)
		if test.answered > 0 {
			w.redeems(seed, &hearsay.Event{Kind: hearsay.EventExamined, Subject: peer.id, Verdict: hearsay.VerdictReachable})
		}
		w.now += test.answered
		if test.trouble {
			w.lastTrouble = w.now
		}
		w.redeems(seed, &hearsay.Event{Kind: hearsay.EventRuled, Subject: peer.id, Ruling: &hearsay.Ruling{Kind: hearsay.RulingRemove}})
		if w.check.broken != test.broken {
			t.Errorf("%s: %d violations, want %d: %v", what, w.check.broken, test.broken, w.check.violations)
		}
	}
}
