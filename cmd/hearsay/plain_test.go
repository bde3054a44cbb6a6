package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/lmittmann/tint"

	"hearsay"
)

// TestPlainWriterInPieces writes text in pieces of every length: what comes out does not
// depend on them.
func TestPlainWriterInPieces(t *testing.T) {
	text := "größer 漢字 👋\n" + strings.TrimSuffix(hostile, "\xff") + "\tend"
	var whole bytes.Buffer
	io.WriteString(&plainWriter{out: &whole}, text)
	if want := string(hearsay.AppendPlain(nil, []byte(text))); whole.String() != want {
		t.Fatalf("got %q, want %q", whole.String(), want)
	}
	for length := 1; length < 9; length++ {
		var pieces bytes.Buffer
		out := &plainWriter{out: &pieces}
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
	log, err := openLog(logPlaces{people: &plainWriter{out: &people}, lines: &lines}, hearsay.RolePeer, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	inColors := slog.New(plainHandler{tint.NewTextHandler(&colors, &tint.Options{NoColor: true})})
	for _, logger := range []*slog.Logger{log.Logger, inColors} {
		logger.With("with", hostile, slog.Group("group", "inner", hostile)).WithGroup("in").
			Log(context.Background(), slog.LevelWarn, hostile, "text", hostile, "error", os.ErrNotExist, "bytes", []byte(hostile), "any", []string{hostile})
	}
	log.close()
	for name, text := range map[string]string{"for people": people.String(), "in lines": lines.String(), "in colors": colors.String()} {
		if strings.Count(text, "\n") != 1 || !strings.Contains(text, "owned") || !strings.Contains(text, "file does not exist") {
			t.Errorf("%s: not one line that says all: %q", name, text)
		}
		if plain(text) != text {
			t.Errorf("%s: %q", name, text)
		}
	}
}

// TestScreenIsPlain draws and prints what others said: the sequences are the screen's own.
func TestScreenIsPlain(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, live: true, colors: true}
	s.draw([]tableLine{{hostile + "\n", "\x1b[31m"}})
	s.print(hostile + "\n")
	text := out.String()
	for _, own := range []string{wrapOff, wrapOn, eraseDown, "\x1b[31m", colorOff, "\x1b[1A"} {
		text = strings.ReplaceAll(text, own, "")
	}
	if plain(text) != text {
		t.Errorf("%q", text)
	}
}
