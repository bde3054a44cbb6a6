package main

import (
	"bytes"
	"strings"
	"testing"

	"hearsay/nodelog"
)

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
	if nodelog.Plain(text) != text {
		t.Errorf("%q", text)
	}
}
