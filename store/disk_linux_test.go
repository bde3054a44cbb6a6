package store

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs do with the file permissions of a user who owns nothing, also
// when the test runs as root.
func asNobody(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		const nobody = 65534
		syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		do()
	}()
	<-done
}

func TestUnwritableDirectory(t *testing.T) {
	parent := t.TempDir()
	if err := os.Chmod(parent, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(parent, 0o755) })
	asNobody(func() {
		wantError(t, filepath.Join(parent, "new"), "permission denied")
		wantError(t, parent, "permission denied")
	})
}

func TestUnwritableDatabase(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir).Close()
	if err := os.Chmod(filepath.Join(dir, fileName), 0o444); err != nil {
		t.Fatal(err)
	}
	asNobody(func() { wantError(t, dir, "permission denied") })
}
