package main

import (
	"strings"
	"testing"
)

func TestQuorumMeans(t *testing.T) {
	for n, want := range map[int]string{
		1: "One seed decides alone", 2: "only together", 3: "", 4: "Of 4 seeds 3 decide: 1 may fail, no more than of 3. Of 5, 2 may",
		5: "", 6: "Of 6 seeds 4 decide: 2 may fail, no more than of 5. Of 7, 3 may",
	} {
		if got := quorumMeans(n); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%d seeds: %q, want %q", n, got, want)
		}
	}
}
