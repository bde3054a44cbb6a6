//go:build !linux

package node_test

import "time"

var processBegan = time.Now()

// processorTime is the time that has passed, where a thread's own is not known.
func processorTime() time.Duration { return time.Since(processBegan) }
