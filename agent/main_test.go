package agent

import (
	"context"
	"flag"
	"runtime"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Agents wait most of the time, so more tests than one a core run at once.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))) // the command line, which is read later, counts
	goleak.VerifyTestMain(m)
}

const (
	// patience is how long a test waits for what must happen before it fails.
	patience  = time.Minute
	lookEvery = 50 * time.Millisecond // at what no event tells
)

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
