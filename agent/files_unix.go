//go:build unix

package agent

import "syscall"

// openFiles gives how many files this process may have open. At the start Go has raised
// the soft limit to the hard one.
func openFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return filesWanted
	}
	return int(min(uint64(limit.Cur), 1<<30)) // there may be no limit
}
