package main

import (
	"errors"
	"fmt"
	"testing"

	"hearsay/sim"
)

func TestSimCodes(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{fmt.Errorf("seed 7: %w", sim.ErrUnsafe), exitRuleBroken},
		{fmt.Errorf("seed 7: %w", sim.ErrNotConverged), exitNotConverged},
		{errors.New("disk full"), exitFailed},
	} {
		err := simCode(tc.err)
		if got := exitCode(err); got != tc.want {
			t.Errorf("%v: exit code %d, want %d", tc.err, got, tc.want)
		}
		if got := errorLine(err); got != tc.err.Error() {
			t.Errorf("%v is told as %q", tc.err, got)
		}
	}
	if simCode(nil) != nil {
		t.Error("no error became one")
	}
}
