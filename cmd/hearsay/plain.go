package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"unicode/utf8"

	"hearsay"
)

// plainWriter is around standard output and standard error: whatever a command
// writes, what came from others moves no cursor and turns no text around. Of control
// characters only newlines and tabs pass. What draws on a terminal writes to out, and
// makes the text of others plain itself: screen, and the log in colors.
type plainWriter struct {
	out io.Writer

	mu    sync.Mutex
	text  []byte // that is to be written, with
	begun []byte // the beginning of a character that a write broke off in
}

// Write is of io.Writer.
func (p *plainWriter) Write(text []byte) (int, error) {
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

// terminal gives what lies under a plainWriter, for what makes its text plain itself.
func terminal(out io.Writer) io.Writer {
	if plain, is := out.(*plainWriter); is {
		return plain.out
	}
	return out
}

// plain makes one line of text harmless on a terminal.
func plain(text string) string { return string(hearsay.AppendPlain(nil, []byte(text))) }

// plainHandler makes messages harmless for a handler that writes them as they are;
// attributes it quotes by itself, but for characters that are print and have no width.
type plainHandler struct{ slog.Handler }

// Handle is of slog.Handler.
func (h plainHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, inOneLine(r.Message), r.PC)
	r.Attrs(func(attr slog.Attr) bool {
		clean.AddAttrs(plainAttr(attr))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

// WithAttrs is of slog.Handler.
func (h plainHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, attr := range attrs {
		clean[i] = plainAttr(attr)
	}
	return plainHandler{h.Handler.WithAttrs(clean)}
}

// WithGroup is of slog.Handler.
func (h plainHandler) WithGroup(name string) slog.Handler {
	return plainHandler{h.Handler.WithGroup(name)}
}

// plainAttr has an attribute that is text without characters that do something.
func plainAttr(attr slog.Attr) slog.Attr {
	value := attr.Value.Resolve()
	if bytes, is := value.Any().([]byte); is {
		value = slog.StringValue(string(bytes))
	}
	switch value.Kind() {
	case slog.KindGroup:
		var inner []any
		for _, one := range value.Group() {
			inner = append(inner, plainAttr(one))
		}
		return slog.Group(attr.Key, inner...)
	case slog.KindString, slog.KindAny:
		if text := value.String(); plain(text) != text {
			return slog.String(attr.Key, plain(text))
		}
	}
	return slog.Attr{Key: attr.Key, Value: value}
}
