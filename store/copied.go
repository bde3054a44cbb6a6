package store

import "hearsay"

// copySkip is how many numbers of rumors a peer passes over that starts on a
// copy: the original may have used them since. Others accept a million beyond the
// highest that they have seen (maxAhead of package rumor).
const copySkip = 1 << 18

// PassOver gives the records of a copy of a peer's disk as the peer may use them:
// it passes over the numbers that the original may have used for rumors since.
// The record that says so must be made durable first. Incarnations follow the clock.
func PassOver(records []hearsay.Record) (kept []hearsay.Record, skipped *hearsay.ReservedNumbers) {
	skipped = &hearsay.ReservedNumbers{Upto: copySkip}
	kept = make([]hearsay.Record, 0, len(records)+1)
	for _, record := range records {
		if reserved, is := record.(*hearsay.ReservedNumbers); is {
			skipped.Upto += reserved.Upto
			continue
		}
		kept = append(kept, record)
	}
	return append(kept, skipped), skipped
}

// Doubt has a seed's records say whether its disk may hold less than the seed has
// promised. It gives what must be made durable, or nil of a disk that no seed
// has used yet.
func Doubt(records []hearsay.Record, doubt bool) *hearsay.SeedLife {
	for _, record := range records {
		if life, is := record.(*hearsay.SeedLife); is {
			life.Doubt, life.Waited = doubt, 0
			return life
		}
	}
	return nil
}
