package store

import (
	"hearsay/internal/core"
)

// Doubt has a seed's records say whether its disk may hold less than the seed has
// promised. It gives what must be made durable, or nil of a disk that no seed
// has used yet.
func Doubt(records []core.Record, doubt bool) *core.SeedLife {
	for _, record := range records {
		if life, is := record.(*core.SeedLife); is {
			life.Doubt, life.Waited = doubt, 0
			return life
		}
	}
	return nil
}
