package sim

import (
	"fmt"
	"io"
	"sync"
	"testing"
)

// A world with seeds comes to the same beside others as alone, also beside one that panics in a seed's step.
func TestSameBesideOthers(t *testing.T) {
	configs := []Config{drawWorld(1, 3), drawWorld(2, 5), drawWorld(3, 1), drawWorld(4, 3)}
	var alone []Outcome
	for _, config := range configs {
		o := RunWorld(config, io.Discard, io.Discard)
		if o.Failure == FailedCrash {
			t.Fatalf("seed %d: %s", o.Seed, o.Text)
		}
		alone = append(alone, o)
	}
	var group sync.WaitGroup
	for range 2 {
		for i, config := range configs {
			group.Go(func() {
				if o := RunWorld(config, io.Discard, io.Discard); fmt.Sprint(o) != fmt.Sprint(alone[i]) {
					t.Errorf("seed %d: came to\n%+v\nbeside others, and alone to\n%+v", o.Seed, o, alone[i])
				}
			})
		}
		group.Go(func() {
			defer func() { _ = recover() }()
			new(entropy).drawsFrom(func() { panic("a bug") })
		})
	}
	group.Wait()
}
