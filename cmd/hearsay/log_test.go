package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestOutputLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	stderr, err := os.Create(filepath.Join(t.TempDir(), "err.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	for _, tc := range []struct {
		log  func(*slog.Logger)
		want string
	}{
		{func(l *slog.Logger) { l.Info("Joined.") }, `Joined\.`},
		{func(l *slog.Logger) { l.Info("saw", "member", "b", "text", "two words") }, `saw member=b text="two words"`},
		{func(l *slog.Logger) { l.Warn("late", "took", 3) }, `late level=WARN took=3`},
		{func(l *slog.Logger) { l.With("a", 1).WithGroup("g").With("b", 2).Info("x", "c", 3) }, `x a=1 g\.b=2 g\.c=3`},
		{func(l *slog.Logger) { l.Info("x", slog.Group("g", "a", ""), slog.Attr{}) }, `x g\.a=""`},
		{func(l *slog.Logger) { l.Debug("never") }, ``},
	} {
		log, err := openLog(stderr, path, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		log.name("127.0.0.1:6001")
		tc.log(log.Logger)
		if err := log.close(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := `^$`
		if tc.want != "" {
			want = `^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[PEER 127\.0\.0\.1:6001\] ` + tc.want + `\n$`
		}
		if !regexp.MustCompile(want).Match(got) {
			t.Errorf("logged %q, want %s", got, want)
		}
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
}
