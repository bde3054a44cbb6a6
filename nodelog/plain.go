// Package nodelog is the log of a node: for people, in colors at a terminal, and in lines as the programs wrote them
// that Hearsay takes the place of. Nothing in it waits for its readers, and what others have said does nothing
// to a terminal.
//
//	log.go    the places of a log, and its forms
//	queue.go  what waits to be written: lines are lost, counted and told of rather than waited for
//	plain.go  text that does nothing to a terminal
package nodelog

import (
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"hearsay"
)

// PlainWriter is around standard output and standard error: whatever a command
// writes, what came from others moves no cursor and turns no text around. Of control
// characters only newlines and tabs pass. What draws on a terminal writes to out, and
// makes the text of others plain itself: screen, and the log in colors.
type PlainWriter struct {
	out io.Writer

	mu    sync.Mutex
	text  []byte // that is to be written, with
	begun []byte // the beginning of a character that a write broke off in
}

// NewPlainWriter makes one before out.
func NewPlainWriter(out io.Writer) *PlainWriter { return &PlainWriter{out: out} }

// Write is of io.Writer.
func (p *PlainWriter) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = append(append(p.text[:0], p.begun...), text...)
	whole := len(p.text)
	for cut := 1; cut < utf8.UTFMax && cut <= len(p.text); cut++ {
		if last := p.text[len(p.text)-cut:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				whole -= cut
			}
			break
		}
	}
	p.begun = append(p.begun[:0], p.text[whole:]...)
	if _, err := p.out.Write(hearsay.AppendPlain(nil, p.text[:whole])); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Terminal gives what lies under a PlainWriter, for what makes its text plain itself.
func Terminal(out io.Writer) io.Writer {
	if plain, is := out.(*PlainWriter); is {
		return plain.out
	}
	return out
}

// Plain makes one line of text harmless on a terminal.
func Plain(text string) string { return string(hearsay.AppendPlain(nil, []byte(text))) }

// IsTerminal reports whether a person may be looking at what is written.
func IsTerminal(out io.Writer) bool {
	file, ok := Terminal(out).(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a character device too
	return err != nil || !os.SameFile(info, null)
}
