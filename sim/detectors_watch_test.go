package sim

import (
	"testing"

	"hearsay/detect"
)

// Each that was killed is found, none else is held dead, and the dearest is not the quickest.
func TestWatching(t *testing.T) {
	t.Parallel()
	lines := map[detect.Kind]Watched{}
	for _, kind := range Detectors {
		c := Watching{Detector: kind, Nodes: 16, Loss: 0.05, Kills: 6, Seed: 1}
		w, err := c.Run()
		if err != nil || w.Found != 6 || w.Killed != 6 || w.Deaths > 0 || w.Median <= 0 || w.Late < w.Median || w.Longest < w.Late || w.Messages <= 0 || w.Bytes <= 0 {
			t.Errorf("%v: %v, %+v", kind, err, w)
		}
		if again, _ := c.Run(); again != w {
			t.Errorf("%v: %+v, and again %+v", kind, w, again)
		}
		lines[kind] = w
	}
	swim, heartbeat, neighbor := lines[detect.KindSwim], lines[detect.KindHeartbeat], lines[detect.KindNeighbor]
	if !(swim.Median < heartbeat.Median && heartbeat.Median < neighbor.Median && neighbor.Bytes < swim.Bytes && swim.Bytes < heartbeat.Bytes) {
		t.Errorf("%+v", lines)
	}
	for _, wrong := range []Watching{{Nodes: 3, Kills: 1}, {Nodes: MaxNodes + 1, Kills: 1}, {Nodes: 16, Loss: 1, Kills: 1}, {Nodes: 16}} {
		if _, err := wrong.Run(); err == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}
