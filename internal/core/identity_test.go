package core_test

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

func TestNextIncarnationOnlyGrows(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	if got := core.NextIncarnation(0, now); got != hearsay.Incarnation(now.UnixMilli()) {
		t.Errorf("the first is %d, want the time in milliseconds", got)
	}
	last := hearsay.Incarnation(now.UnixMilli()) + 1000 // the clock went back
	if got := core.NextIncarnation(last, now); got != last+1 {
		t.Errorf("after %d comes %d", last, got)
	}
}
