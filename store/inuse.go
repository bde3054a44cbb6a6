package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// locksFile lists which process holds which lock, where there is such a file (proc_locks(5)).
const locksFile = "/proc/locks"

// Exists reports whether a directory has a node's data in it.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, fileName))
	return !errors.Is(err, fs.ErrNotExist)
}

// InUse reports whether a process has a node's data directory open, and which one, if the
// operating system tells; else 0. A node locks its database as long as it runs.
func InUse(dir string) (pid int, used bool) {
	file, err := os.Open(filepath.Join(dir, fileName))
	if err != nil {
		return 0, false // there is none, or nobody can use it
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, false
	}
	if info, err := file.Stat(); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			locks, _ := os.ReadFile(locksFile) // without it nobody is named
			pid = holder(string(locks), stat.Ino)
		}
	}
	return pid, true
}

// holder gives the process that holds the lock of a file, by the lines of locksFile; 0 if it
// is not the only one of a file with this inode number.
//
//	1: FLOCK  ADVISORY  WRITE 2754 08:02:1311337 0 EOF
func holder(locks string, inode uint64) (pid int) {
	for line := range strings.Lines(locks) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "FLOCK" || !strings.HasSuffix(fields[5], ":"+strconv.FormatUint(inode, 10)) {
			continue
		}
		if pid != 0 {
			return 0
		}
		pid, _ = strconv.Atoi(fields[4])
	}
	return max(0, pid) // of another namespace of processes it is not known
}
