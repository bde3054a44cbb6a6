package ledger

import "time"

const (
	// ClockApart is how far clocks may be apart that are right. A guess: those that are kept right are together within a
	// second.
	ClockApart = time.Minute

	// ClockAnswer is how long the answer may take by which a clock is compared: what took longer may have waited in a
	// process that was paused, and says nothing. A guess.
	ClockAnswer = 5 * time.Second
)

// ClocksAgree reports whether two clocks that are so far ahead of another show the same time.
func ClocksAgree(a, b time.Duration) bool { return (a - b).Abs() <= ClockApart }

// RightClock gives how far the first of the clocks is ahead on which so many agree. Not known: none do.
func RightClock(all []time.Duration, needed int) (ahead time.Duration, known bool) {
	for _, one := range all {
		agree := 0
		for _, other := range all {
			if ClocksAgree(one, other) {
				agree++
			}
		}
		if agree >= needed {
			return one, true
		}
	}
	return 0, false
}
