package node_test

import (
	"syscall"
	"time"
	"unsafe"
)

// processorTime is what this thread has used of a processor: what else runs on
// the machine does not count.
func processorTime() time.Duration {
	const threadClock = 3 // CLOCK_THREAD_CPUTIME_ID, linux/time.h
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&t)), 0)
	return time.Duration(t.Nano())
}
