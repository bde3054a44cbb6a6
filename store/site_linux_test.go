package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"hearsay"
	"hearsay/internal/core"
)

// A node goes on for long where its disk is full, and each of its tries changes the file: it is not taken for one that
// another program has changed.
func TestFullDiskIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); errors.Is(err, syscall.EPERM) {
		t.Skip("this process may mount nothing")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	d := mustOpen(t, dir)
	if err := d.Adopt(); err != nil {
		t.Fatal(err)
	}
	d.site.wrote -= int64(2 * touchedAfter) // time passes
	if err := d.db.Update(d.putSite); err != nil {
		t.Fatal(err)
	}
	rest, err := os.Create(filepath.Join(dir, "rest"))
	for block := make([]byte, 4<<10); err == nil; {
		_, err = rest.Write(block)
	}
	rest.Close()
	for try := range 3 {
		large := &core.KeptRumor{Number: 1, Rumor: &hearsay.Rumor{Data: make([]byte, 100<<10)}}
		if err := d.Persist([]core.Record{large}); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("try %d: %v", try, err)
		}
	}
	d.db.Close() // as a crash
	if err := os.Remove(rest.Name()); err != nil {
		t.Fatal(err)
	}
	wantOrigin(t, dir, OriginSame).Close()
}
