package agent

import (
	"fmt"
	"testing"

	"hearsay/quota"
)

func TestPlacesFitOpenFiles(t *testing.T) {
	for files, want := range map[int]int{0: placesLeast, 256: 32, 1024: 416, filesWanted - 2: streamsMax - 1, filesWanted: streamsMax, 1 << 30: streamsMax} {
		if got := placesWithin(files); got != want {
			t.Errorf("%d files: %d places, want %d", files, got, want)
		}
	}
}

// TestFewPlacesAreShared: where there are few places, strangers leave members theirs,
// and those leave the seats theirs.
func TestFewPlacesAreShared(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		c.most = placesWithin(256)
		for n := range 3 * c.most {
			c.halfOpen(fmt.Sprintf("192.0.%d.1:1", n))
			c.halfOpen(fmt.Sprintf("%s:%d", memberAddr.Addr(), n+1))
		}
		if all, strangers := len(c.open), c.held(quota.Stranger); all >= c.most || strangers > c.most/2 || strangers == 0 {
			t.Errorf("%d streams of %d are open, %d of them strangers'", all, c.most, strangers)
		}
		if !c.halfOpen(fmt.Sprintf("%s:1", seatAddr.Addr())) {
			t.Error("there is no place for a seat")
		}
	})
}
