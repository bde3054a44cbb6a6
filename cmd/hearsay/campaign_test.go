package main

import (
	"os/exec"
	"strings"
	"testing"

	"hearsay/sim"
)

// A worker that dies over a world is told of with the world's seed.
func TestWorkerThatDies(t *testing.T) {
	for _, script := range []string{"exit 3", "read task; kill -9 $$", "read task; echo no answer; exit 1"} {
		w, err := start(exec.Command("sh", "-c", script))
		if err != nil {
			t.Fatal(err)
		}
		o, alive := w.ask(task{Seed: 17})
		if alive || o.Seed != 17 || o.Failure != sim.FailedCrash || !strings.HasPrefix(o.Text, "its process ended: ") {
			t.Errorf("%q: alive %v, %+v", script, alive, o)
		}
	}
}
