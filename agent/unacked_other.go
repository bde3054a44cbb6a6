//go:build !linux

package agent

import "syscall"

// boundUnacked leaves it to the kernel how long it tries: Linux alone can be told.
func boundUnacked(_, _ string, _ syscall.RawConn) error { return nil }
