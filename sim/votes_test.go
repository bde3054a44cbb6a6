package sim

import (
	"testing"
	"time"

	"hearsay"
)

// foundedByTwo gives a network that two of three seeds have founded, and in which they have
// just given the third its seat. The ways are long and the disks slow, so that it votes a
// second or two later only.
func foundedByTwo(t *testing.T) *World {
	w := newScenario(t, 2, "at 0s start s1 s3\nat 4s start s2", func(c *Config) {
		founders(3, 3)(c)
		c.Delay, c.DiskDelay = 60*time.Millisecond, 100*time.Millisecond
	})
	w.RunUntil(4 * time.Second)
	w.runsUntil(t, 10*time.Second, "s2 has its seat", func() bool { return w.ruled(hearsay.RulingSeat) == 1 })
	return w
}

// votes reports whether a seed has a vote, as the first seed has it.
func (w *World) votes(slot int) bool {
	return w.machines[w.config.Nodes].node.Seeded().Authority().Seeds[slot].Votes
}

// A quorum is one of seeds that vote. If one of two founders is lost for ever before the third
// has a vote, nothing can be decided any more; once it has, all goes on.
func TestLostBeforeAnotherVotes(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		w := foundedByTwo(t)
		if late {
			took := w.runsUntil(t, 5*time.Second, "s2 votes", func() bool { return w.votes(1) })
			t.Logf("it votes %v after it has its seat", took)
		}
		w.Do(Action{Verb: Kill, Who: []int{5}})
		w.RunUntil(w.now + 10*time.Second)
		if w.convergence.hasQuorum() != late || !w.convergence.settle() || w.convergence.Converged() != late {
			t.Errorf("lost after it votes: %t; a quorum: %t; %s", late, w.convergence.hasQuorum(), w.convergence.disagreement())
		}
	}
}
