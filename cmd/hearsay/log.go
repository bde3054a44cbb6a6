package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/lmittmann/tint"

	"hearsay"
)

// logPlaces is where a node logs.
type logPlaces struct {
	people io.Writer // for people, as standard error is; nil for none
	lines  io.Writer // in the form of the programs of old, as their standard output was; nil for none
	file   string    // what --output says: a file to which the same is appended; "" for none
}

// nodeLog is the log of a node.
type nodeLog struct {
	*slog.Logger
	lines *lineLog
	file  *os.File // nil without --output
}

// openLog opens the log of a node with this role. Until named, it is of addr.
func openLog(places logPlaces, role hearsay.Role, addr string) (*nodeLog, error) {
	var handlers []slog.Handler
	if places.people != nil {
		handlers = append(handlers, newPeopleHandler(places.people))
	}
	lines := &lineLog{role: role, addr: addr}
	if places.lines != nil {
		lines.out = append(lines.out, places.lines)
	}
	var file *os.File
	if places.file != "" {
		var err error
		if file, err = os.OpenFile(places.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return nil, hintedError{fmt.Errorf("open --output: %w", err), "name a file in a directory that exists and can be written"}
		}
		lines.out = append(lines.out, file)
	}
	if len(lines.out) > 0 {
		handlers = append(handlers, &lineHandler{log: lines})
	}
	return &nodeLog{slog.New(slog.NewMultiHandler(handlers...)), lines, file}, nil
}

// newPeopleHandler logs for people, in colors on a terminal.
func newPeopleHandler(out io.Writer) slog.Handler {
	if isTerminal(out) {
		return plainHandler{tint.NewTextHandler(terminal(out), &tint.Options{TimeFormat: "15:04:05.000", NoColor: os.Getenv("NO_COLOR") != ""})}
	}
	return slog.NewTextHandler(out, nil)
}

// name tells the log the node's address, which the kernel may have chosen.
func (l *nodeLog) name(addr string) {
	l.lines.mu.Lock()
	defer l.lines.mu.Unlock()
	l.lines.addr = addr
}

// close closes the file of --output.
func (l *nodeLog) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// lineLog is the log lines of one node.
type lineLog struct {
	role hearsay.Role

	mu   sync.Mutex
	out  []io.Writer
	addr string
}

// write writes a line to all who want it, whatever became of the others.
func (l *lineLog) write(at time.Time, text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	role := strings.ToUpper(l.role.String())
	line := fmt.Appendf(nil, "[%s] [%s %s] %s\n", at.Format(time.DateTime), role, l.addr, text)
	var errs []error
	for _, out := range l.out {
		_, err := out.Write(line)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// lineHandler logs in the form of the programs that Hearsay takes the place
// of, so that what reads their logs reads ours:
//
//	[2026-01-31 15:04:05] [PEER 127.0.0.1:6001] text key=value
type lineHandler struct {
	log    *lineLog
	attrs  string // those of the logger, as they stand in the line
	prefix string // of later keys: the open groups, each with a dot
}

// Enabled reports whether a record of this level is logged.
func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

// Handle writes one line.
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString(inOneLine(r.Message))
	if r.Level >= slog.LevelWarn {
		line.WriteString(" level=" + r.Level.String())
	}
	line.WriteString(h.attrs)
	r.Attrs(func(attr slog.Attr) bool {
		appendAttr(&line, h.prefix, attr)
		return true
	})
	return h.log.write(r.Time, line.String())
}

// WithAttrs gives a handler that adds attrs to each line.
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	line := new(strings.Builder)
	line.WriteString(h.attrs)
	for _, attr := range attrs {
		appendAttr(line, h.prefix, attr)
	}
	return &lineHandler{h.log, line.String(), h.prefix}
}

// WithGroup gives a handler that puts name before each later key.
func (h *lineHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &lineHandler{h.log, h.attrs, h.prefix + name + "."}
}

// appendAttr appends " key=value"; of a group, one for each of its attributes.
func appendAttr(line *strings.Builder, prefix string, attr slog.Attr) {
	value := attr.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if attr.Key != "" {
			prefix += attr.Key + "."
		}
		for _, inner := range value.Group() {
			appendAttr(line, prefix, inner)
		}
		return
	}
	if attr.Equal(slog.Attr{}) {
		return
	}
	text := value.String()
	if text == "" || strings.ContainsAny(text, " =\"") || inOneLine(text) != text {
		text = plain(strconv.Quote(text))
	}
	line.WriteString(" " + prefix + attr.Key + "=" + text)
}

// inOneLine gives text as it can stand in a line: what others said must not
// look like a line of its own, or do something to a terminal.
func inOneLine(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || !hearsay.IsPlain(r) }) < 0 {
		return text
	}
	quoted := strconv.Quote(text)
	return plain(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)) // some characters without width are print
}
