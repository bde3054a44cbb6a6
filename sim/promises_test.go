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
		trouble  bool // after the promise
		broken   int
	}{
		"it answered":                  {answered: 3 * time.Second, anySeed: true, broken: 1},
		"it did not":                   {anySeed: true},
		"too late":                     {answered: time.Second, anySeed: true},
		"it had voted":                 {answered: 3 * time.Second, anySeed: true, voted: true},
		"of a majority":                {answered: 3 * time.Second},
		"something was done meanwhile": {answered: 3 * time.Second, anySeed: true, trouble: true},
	} {
		config := DefaultConfig()
		config.Nodes, config.Seeds = 2, 3
		w := NewWorld(config, nil)
		w.Follow(&Scenario{})
		w.RunUntil(20 * time.Second)
		seed, peer := &w.machines[2], &w.machines[1]
		k := promised{
			Promise: hearsay.Promise{What: hearsay.PromiseDecided, AnySeed: test.anySeed}, subject: peer.id, silent: -1,
			teller: seed.index, life: seed.life, due: w.now + time.Minute, trouble: w.lastTrouble,
		}
		w.check.promises.open = append(w.check.promises.open, k)
		seedView := &w.check.views[seed.index]
		seedView.votes(&hearsay.Ballot{Stay: hearsay.Stay{ID: hearsay.NodeID{7}, Epoch: 1}}) // on another
		if test.voted {
			seedView.votes(&hearsay.Ballot{Stay: hearsay.Stay{ID: peer.id, Epoch: 1}})
		}
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
