package userfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Each path that is no file of the user's says what it is, and at once.
func TestWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.WriteFile(file, []byte("text"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir: "it is a directory; want a file", filepath.Join(dir, "none"): "there is no such file",
		filepath.Join(file, "x"): "it, or a part of its path, is not a directory; want one there",
		pipe:                     "nobody writes to this pipe; want a file, or a pipe that ends", "/dev/zero": "it is too long; want at most 100 bytes",
		filepath.Join(dir, strings.Repeat("n", 300)): "file name too long", filepath.Join(dir, "a\x00b"): "invalid argument",
	} {
		if text, err := Read(path, 100); err == nil || err.Error() != path+": "+want {
			t.Errorf("read %q and %v; want %q", text, err, path+": "+want)
		}
	}
	if _, err := Read(filepath.Join(dir, "none"), 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v: want fs.ErrNotExist in it", err)
	}
	for path, want := range map[string]string{
		dir: "it is a directory; want a file", pipe: "nobody reads from this pipe; want a file, or a pipe that is being read",
		filepath.Join(dir, "none", "x"): "there is no such directory",
	} {
		if _, err := Append(path); err == nil || err.Error() != path+": "+want {
			t.Errorf("opened to append: %v; want %q", err, path+": "+want)
		}
	}
}

// A pipe that is written to is as good as a file, as that of a shell's <(...).
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Append(path) // there is a reader now
	if err != nil {
		t.Fatal(err)
	}
	reader, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := out.WriteString("said"); err != nil {
		t.Fatal(err)
	}
	out.Close()
	writer.Close() // or it never ends
	if text, err := Read(path, 100); err != nil || string(text) != "said" {
		t.Errorf("read %q and %v", text, err)
	}
}
