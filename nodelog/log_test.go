package nodelog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
			log, err := Open(Places{Lines: &out, File: path}, role, "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			log.Name("127.0.0.1:6001")
			tc.log(log.Logger)
			log.Close()
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
		log, err := Open(Places{People: &people, File: path}, hearsay.RolePeer, "a:1")
		if err != nil {
			t.Fatal(err)
		}
		log.Info("hello")
		log.Close()
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Count(text, []byte("] [PEER a:1] hello\n")) != 2 {
		t.Errorf("the file has %q, %v", text, err)
	}
	if got := people.String(); strings.Count(got, "msg=hello") != 2 || strings.Contains(got, "PEER") {
		t.Errorf("people were told %q", got)
	}
	log, err := Open(Places{Lines: &lines}, hearsay.RoleSeed, "b:2")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hello")
	if log.Close(); !strings.HasSuffix(lines.String(), "] [SEED b:2] hello\n") {
		t.Errorf("lines are %q", lines.String())
	}
	if _, err = Open(Places{File: filepath.Join(path, "under", "a", "file")}, hearsay.RolePeer, ""); err == nil {
		t.Error("a file was opened below a file")
	}
}

// place is one to which a log is written: gate lets one write through, and err is what it says.
type place struct {
	gate chan struct{}

	mu   sync.Mutex
	err  error
	text bytes.Buffer
}

func (p *place) Write(text []byte) (int, error) {
	<-p.gate
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	return p.text.Write(text)
}

// One place that fails, or whose reader stands still, keeps the lines from no other; what it
// has missed is counted, and said there as soon as that can be.
func TestLogGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	stdout := &place{gate: make(chan struct{}), err: errors.New("no room")}
	log, err := Open(Places{Lines: stdout, File: path}, hearsay.RoleSeed, "b:2")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("one")
	stdout.gate <- struct{}{} // is refused
	for range 2 * logWaitsMax / 64 {
		log.Info("a line of some sixty characters, of which more come than may wait")
	}
	lost := log.lost.Load()
	if lost < logWaitsMax/128 {
		t.Errorf("%d lines are lost", lost)
	}
	stdout.mu.Lock()
	stdout.err = nil
	stdout.mu.Unlock()
	close(stdout.gate)
	log.Close()
	if stdout.mu.Lock(); stdout.text.Len() > 2*logWaitsMax { // with what was being written
		t.Errorf("%d bytes waited", stdout.text.Len())
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "] one\n") {
		t.Errorf("the file has %q, %v", text[:min(len(text), 200)], err)
	}
}

func TestLogTellsWhatIsLost(t *testing.T) {
	out := &place{gate: make(chan struct{}, 1), err: errors.New("no room")}
	var lost atomic.Uint64
	told := make(chan uint64, 1)
	q := newQueue(out, &lost, func(lines uint64) { told <- lines })
	io.WriteString(q, "one\ntwo\n")
	out.gate <- struct{}{}
	for lost.Load() == 0 {
		runtime.Gosched()
	}
	out.mu.Lock()
	out.err = nil
	out.mu.Unlock()
	io.WriteString(q, "three\n")
	out.gate <- struct{}{}
	if n := <-told; n != 2 || out.text.String() != "three\n" {
		t.Errorf("told %d lost, written is %q", n, out.text.String())
	}
	q.end()
	<-q.done
}

// However many places stand still, the end of a node waits for its log once.
func TestEndWaitsOnceForItsLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stdout, stderr := &place{gate: make(chan struct{})}, &place{gate: make(chan struct{})}
		log, err := Open(Places{Lines: stdout, People: stderr}, hearsay.RoleSeed, "b:2")
		if err != nil {
			t.Fatal(err)
		}
		log.Info("one")
		began := time.Now()
		log.Close()
		if waited := time.Since(began); waited != logFlush {
			t.Errorf("it waits for %v, want %v", waited, logFlush)
		}
		close(stdout.gate)
		close(stderr.gate)
	})
}

// A log that was moved away goes on in a new file, when that is asked.
func TestLogIsOpenedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	log, err := Open(Places{File: path}, hearsay.RolePeer, "a:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	log.Reopen()
	log.Info("hello")
	log.Close()
	if text, err := os.ReadFile(path); err != nil || !strings.HasSuffix(string(text), "] hello\n") {
		t.Errorf("the file has %q, %v", text, err)
	}
}

// hostile is text that moves a cursor, sets a title, turns the order of letters
// around, ends a line or hides, and is no UTF-8 at its end.
const hostile = "\x1b[2J\x1b]0;owned\a\r\b\x7f\u0085\u009b31m\u00ad\u061c\u200b\u200e\u2028\u2029\u202eevil\u2066\u2069\u3164\ufeff\U000e0041\xff"

// TestPlainWriterInPieces writes text in pieces of every length: what comes out does not
// depend on them.
func TestPlainWriterInPieces(t *testing.T) {
	text := "größer 漢字 👋\n" + strings.TrimSuffix(hostile, "\xff") + "\tend"
	var whole bytes.Buffer
	io.WriteString(&PlainWriter{out: &whole}, text)
	if want := string(hearsay.AppendPlain(nil, []byte(text))); whole.String() != want {
		t.Fatalf("got %q, want %q", whole.String(), want)
	}
	for length := 1; length < 9; length++ {
		var pieces bytes.Buffer
		out := &PlainWriter{out: &pieces}
		for rest := text; rest != ""; {
			n := min(length, len(rest))
			if wrote, err := io.WriteString(out, rest[:n]); wrote != n || err != nil {
				t.Fatalf("%d of %d bytes, %v", wrote, n, err)
			}
			rest = rest[n:]
		}
		if pieces.String() != whole.String() {
			t.Errorf("in pieces of %d bytes: %q", length, pieces.String())
		}
	}
}

// TestPlainLogs logs what others said, in each form of a log.
func TestPlainLogs(t *testing.T) {
	var people, lines, colors bytes.Buffer
	log, err := Open(Places{People: &PlainWriter{out: &people}, Lines: &lines}, hearsay.RolePeer, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	inColors := slog.New(newColorHandler(&colors, true))
	for _, logger := range []*slog.Logger{log.Logger, inColors} {
		logger.With("with", hostile, slog.Group("group", "inner", hostile)).WithGroup("in").
			Log(context.Background(), slog.LevelWarn, hostile, "text", hostile, "error", os.ErrNotExist, "bytes", []byte(hostile), "any", []string{hostile})
	}
	log.Close()
	for name, text := range map[string]string{"for people": people.String(), "in lines": lines.String(), "in colors": colors.String()} {
		if strings.Count(text, "\n") != 1 || !strings.Contains(text, "owned") || !strings.Contains(text, "file does not exist") {
			t.Errorf("%s: not one line that says all: %q", name, text)
		}
		if Plain(text) != text {
			t.Errorf("%s: %q", name, text)
		}
	}
}
