package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	lines  *lineLog
	file   *outputFile // nil without --output
	queues []*logQueue
	lost   atomic.Uint64 // lines that could not be written, of all places together
}

// openLog opens the log of a node with this role. Until named, it is of addr.
func openLog(places logPlaces, role hearsay.Role, addr string) (*nodeLog, error) {
	l := &nodeLog{lines: &lineLog{role: role, addr: addr}}
	var handlers []slog.Handler
	if places.people != nil {
		handlers = append(handlers, newPeopleHandler(places.people, l.queue(places.people, "standard error")))
	}
	if places.lines != nil {
		l.lines.out = append(l.lines.out, l.queue(places.lines, "standard output"))
	}
	if places.file != "" {
		var err error
		if l.file, err = openOutput(places.file); err != nil {
			return nil, hintedError{fmt.Errorf("open --output: %w", err), "name a file in a directory that exists and can be written"}
		}
		l.lines.out = append(l.lines.out, l.queue(l.file, places.file))
	}
	if len(l.lines.out) > 0 {
		handlers = append(handlers, &lineHandler{log: l.lines})
	}
	l.Logger = slog.New(slog.NewMultiHandler(handlers...))
	return l, nil
}

// queue gives what a node writes to instead of to a place: it makes text plain and never waits.
func (l *nodeLog) queue(out io.Writer, name string) io.Writer {
	q := newLogQueue(terminal(out), &l.lost, func(lines uint64) {
		l.Warn("Lines of this log were lost, as they could not be written", "to", name, "lines", lines)
	})
	l.queues = append(l.queues, q)
	return &plainWriter{out: q}
}

// newPeopleHandler logs for people by way of a queue, in colors if they are at a terminal.
func newPeopleHandler(people, queue io.Writer) slog.Handler {
	if isTerminal(people) {
		return plainHandler{tint.NewTextHandler(terminal(queue), &tint.Options{TimeFormat: "15:04:05.000", NoColor: os.Getenv("NO_COLOR") != ""})}
	}
	return slog.NewTextHandler(queue, nil)
}

// name tells the log the node's address, which the kernel may have chosen.
func (l *nodeLog) name(addr string) {
	l.lines.mu.Lock()
	defer l.lines.mu.Unlock()
	l.lines.addr = addr
}

// close ends the log: what waits is written, if that can be done within logFlush.
func (l *nodeLog) close() {
	for _, q := range l.queues {
		q.end()
	}
	late := time.After(logFlush)
	for _, q := range l.queues {
		select {
		case <-q.done:
		case <-late:
			return
		}
	}
}

// reopen goes on in the file that --output names now.
func (l *nodeLog) reopen() {
	if l.file == nil {
		l.Info("SIGHUP: without --output there is no file to open again")
	} else if err := l.file.reopen(); err != nil {
		l.Warn("SIGHUP: the log goes on in the file that was open", "error", err)
	} else {
		l.Info("SIGHUP: the log goes on in this file", "file", l.file.path)
	}
}

// lineLog is the log lines of one node.
type lineLog struct {
	role hearsay.Role

	mu   sync.Mutex
	out  []io.Writer
	addr string
}

// write writes a line to all places.
func (l *lineLog) write(at time.Time, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	role := strings.ToUpper(l.role.String())
	line := fmt.Appendf(nil, "[%s] [%s %s] %s\n", at.Format(time.DateTime), role, l.addr, text)
	for _, out := range l.out {
		out.Write(line) // a queue, which never fails
	}
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
	h.log.write(r.Time, line.String())
	return nil
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
