package store

import "testing"

// A directory is in use as long as a node has it open, and its holder is named where the system tells.
func TestInUse(t *testing.T) {
	dir := t.TempDir()
	if _, used := InUse(dir); used || Exists(dir) {
		t.Errorf("empty: in use %t, exists %t", used, Exists(dir))
	}
	disk, err := Open(dir, "n")
	if err != nil {
		t.Fatal(err)
	}
	if _, used := InUse(dir); !used || !Exists(dir) {
		t.Errorf("open: in use %t, exists %t", used, Exists(dir))
	}
	disk.Close()
	if _, used := InUse(dir); used || !Exists(dir) {
		t.Errorf("closed: in use %t, exists %t", used, Exists(dir))
	}
}

func TestHolder(t *testing.T) {
	const lines = "1: FLOCK  ADVISORY  WRITE 2754 08:02:1311337 0 EOF\n2: POSIX  ADVISORY  WRITE 9 08:02:5 0 EOF\n3: FLOCK  ADVISORY  WRITE 7 08:02:6 0 EOF\n4: FLOCK  ADVISORY  WRITE 8 08:03:6 0 EOF\n"
	for inode, want := range map[uint64]int{1311337: 2754, 5: 0, 6: 0, 337: 0} {
		if pid := holder(lines, inode); pid != want {
			t.Errorf("inode %d: process %d, want %d", inode, pid, want)
		}
	}
}
