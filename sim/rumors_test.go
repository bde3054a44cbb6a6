package sim

import (
	"testing"
	"time"
)

// A crash tears what was not synced: each write by itself may be there or not.
func TestNumbersAreNotUsedAgainAfterATornDisk(t *testing.T) {
	for seed := range uint64(32) {
		w := newScenario(t, 3, "at 10s say n1\nat 10050ms kill n1\nat 12s restart n1\nat 14s say n1", func(c *Config) {
			c.Seed, c.DiskDelay = seed, 100*time.Millisecond
		})
		w.RunUntil(20 * time.Second)
		w.convergesWithin(t, time.Minute)
	}
}
