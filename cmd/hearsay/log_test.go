package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hearsay"
)

func TestLogLines(t *testing.T) {
	for _, tc := range []struct {
		log  func(*slog.Logger)
		want string
	}{
		{func(l *slog.Logger) { l.Info("Joined.") }, `Joined\.`},
		{func(l *slog.Logger) { l.Info("Vote: vote=True") }, `Vote: vote=True`},
		{func(l *slog.Logger) { l.Info("saw", "member", "b", "text", "two words") }, `saw member=b text="two words"`},
		{func(l *slog.Logger) { l.Warn("late", "took", 3) }, `late level=WARN took=3`},
		{func(l *slog.Logger) { l.With("a", 1).WithGroup("g").With("b", 2).Info("x", "c", 3) }, `x a=1 g\.b=2 g\.c=3`},
		{func(l *slog.Logger) { l.Info("x", slog.Group("g", "a", ""), slog.Attr{}) }, `x g\.a=""`},
		{func(l *slog.Logger) { l.Info("said \"a\"\n[2026] [SEED x] \x1b[2Jb\xff", "c", "d\ne\x00") }, `said "a"\\n\[2026\] \[SEED x\] \\x1b\[2Jb\\xff c="d\\ne\\x00"`},
		{func(l *slog.Logger) { l.Info("grüße") }, `grüße`},
		{func(l *slog.Logger) { l.Debug("never") }, ``},
	} {
		for _, role := range []hearsay.Role{hearsay.RolePeer, hearsay.RoleSeed} {
			var out bytes.Buffer
			path := filepath.Join(t.TempDir(), "out.txt")
			log, err := openLog(logPlaces{lines: &out, file: path}, role, "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			log.name("127.0.0.1:6001")
			tc.log(log.Logger)
			if err := log.close(); err != nil {
				t.Fatal(err)
			}
			appended, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := `^$`
			if tc.want != "" {
				want = `^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[` + strings.ToUpper(role.String()) + ` 127\.0\.0\.1:6001\] ` + tc.want + `\n$`
			}
			if !regexp.MustCompile(want).Match(out.Bytes()) {
				t.Errorf("logged %q, want %s", out.Bytes(), want)
			}
			if !bytes.Equal(appended, out.Bytes()) {
				t.Errorf("appended %q to the file", appended)
			}
		}
	}
}

// Where each thing goes that a node logs.
func TestLogPlaces(t *testing.T) {
	var people, lines bytes.Buffer
	path := filepath.Join(t.TempDir(), "out.txt")
	for range 2 { // what was there stays
		log, err := openLog(logPlaces{people: &people, file: path}, hearsay.RolePeer, "a:1")
		if err != nil {
			t.Fatal(err)
		}
		log.Info("hello")
		if err := log.close(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Count(text, []byte("] [PEER a:1] hello\n")) != 2 {
		t.Errorf("the file has %q, %v", text, err)
	}
	if got := people.String(); strings.Count(got, "msg=hello") != 2 || strings.Contains(got, "PEER") {
		t.Errorf("people were told %q", got)
	}
	log, err := openLog(logPlaces{lines: &lines}, hearsay.RoleSeed, "b:2")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hello")
	if err := log.close(); err != nil || !strings.HasSuffix(lines.String(), "] [SEED b:2] hello\n") {
		t.Errorf("lines are %q, %v", lines.String(), err)
	}
	_, err = openLog(logPlaces{file: filepath.Join(path, "under", "a", "file")}, hearsay.RolePeer, "")
	if err == nil || !strings.Contains(errorLine(err), "open --output: ") || !strings.Contains(errorLine(err), "hint: name a file") {
		t.Errorf("got %v", err)
	}
}

// failing is a place that has no room.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no room") }

// One place that fails keeps the lines from no other.
func TestLogGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	log, err := openLog(logPlaces{lines: failing{}, file: path}, hearsay.RoleSeed, "b:2")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hello")
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.HasSuffix(string(text), "hello\n") {
		t.Errorf("the file has %q, %v", text, err)
	}
}
