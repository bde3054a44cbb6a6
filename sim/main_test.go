package sim

import (
	"os"
	"runtime/debug"
	"testing"
)

// Of tests that run at once, those with t.Parallel, all worlds but one at most must be without seeds, see steps.
// Small worlds leave much garbage and little that lives: to collect it a quarter as often takes
// a quarter less of the processor. Large ones would need the room.
func TestMain(m *testing.M) {
	if os.Getenv(largeVariable) == "" {
		debug.SetGCPercent(400)
	}
	os.Exit(m.Run())
}
