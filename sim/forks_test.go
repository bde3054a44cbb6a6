package sim

import (
	"testing"
	"time"
)

// forking has s3 put back as it was, while s1, which knows what s3 has promised
// since, is down for longer than s3 waits for it.
const forking = `
at 10s save s3
at 15s kill s2
at 20s leave n6
at 40s kill s1
at 41s restore s3
at 42s restart s2
at 110s leave n5
at 130s restart s1`

// Two ledgers are found out when their seeds meet, and said.
func TestForksAreSaid(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 6, forking, withSeeds(3))
	w.RunUntil(100 * time.Second)
	began := w.runsUntil(t, time.Minute, "there are two", func() bool { return w.check.fork.epoch > 0 })
	said := w.runsUntil(t, time.Minute, "it is said", func() bool { return w.check.fork.said })
	t.Logf("two ledgers from epoch %d on, %v after the seed went on; said after %v", w.check.fork.epoch, began, said)
	if w.RunUntil(w.now + time.Minute); w.check.broken > 0 {
		t.Fatalf("%v", w.check.violations)
	}
}
