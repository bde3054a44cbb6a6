package nodelog

import (
	"bytes"
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

// Places is where a node logs.
type Places struct {
	People io.Writer // for people, as standard error is; nil for none
	Lines  io.Writer // in the form of the programs of old, as their standard output was; nil for none
	File   string    // what --output says: a file to which the same is appended; "" for none
	Raw    bool      // the file has the lines that are written to Log.Raw, and no others
}

// Log is the log of a node.
type Log struct {
	*slog.Logger
	Raw    io.Writer // of whole lines; nil where nobody wants them
	lines  *lineLog
	file   *outputFile // nil without --output
	queues []*lineQueue
	lost   atomic.Uint64 // lines that could not be written, of all places together
}

// Open opens the log of a node with this role. Until named, it is of addr.
func Open(places Places, role hearsay.Role, addr string) (*Log, error) {
	l := &Log{lines: &lineLog{role: role, addr: addr}}
	var handlers []slog.Handler
	if places.People != nil {
		handlers = append(handlers, newPeopleHandler(places.People, l.queue(places.People, "standard error")))
	}
	if places.Lines != nil {
		l.lines.out = append(l.lines.out, l.queue(places.Lines, "standard output"))
	}
	if places.File != "" {
		var err error
		if l.file, err = openOutput(places.File); err != nil {
			return nil, err
		}
		if queue := l.queue(l.file, places.File); places.Raw {
			l.Raw = queue
		} else {
			l.lines.out = append(l.lines.out, queue)
		}
	}
	if len(l.lines.out) > 0 {
		handlers = append(handlers, &lineHandler{l.lines, slog.NewTextHandler(&l.lines.text, nil)})
	}
	l.Logger = slog.New(slog.NewMultiHandler(handlers...))
	return l, nil
}

// queue gives what a node writes to instead of to a place: it makes text plain and never waits.
func (l *Log) queue(out io.Writer, name string) io.Writer {
	q := newQueue(Terminal(out), &l.lost, func(lines uint64) {
		l.Warn("Lines of this log were lost, as they could not be written", "to", name, "lines", lines)
	})
	l.queues = append(l.queues, q)
	return &PlainWriter{out: q}
}

// newPeopleHandler logs for people by way of a queue, in colors if they are at a terminal.
func newPeopleHandler(people, queue io.Writer) slog.Handler {
	if IsTerminal(people) {
		return newColorHandler(Terminal(queue), os.Getenv("NO_COLOR") != "")
	}
	return slog.NewTextHandler(queue, nil)
}

// newColorHandler logs to a terminal. It quotes attributes by itself, but for characters that are print and have no
// width, and writes messages as they are.
func newColorHandler(out io.Writer, bare bool) slog.Handler {
	return tint.NewTextHandler(out, &tint.Options{TimeFormat: "15:04:05.000", NoColor: bare, ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
		value := attr.Value.Resolve()
		text := value.String()
		if bytes, is := value.Any().([]byte); is {
			text = string(bytes)
		}
		switch {
		case attr.Key == slog.MessageKey && len(groups) == 0:
			return slog.String(attr.Key, InOneLine(text))
		case (value.Kind() == slog.KindString || value.Kind() == slog.KindAny) && Plain(text) != text:
			return slog.String(attr.Key, Plain(text))
		}
		return attr
	}})
}

// Lost counts the lines that could not be written.
func (l *Log) Lost() uint64 { return l.lost.Load() }

// Name tells the log the node's address, which the kernel may have chosen.
func (l *Log) Name(addr string) {
	l.lines.mu.Lock()
	defer l.lines.mu.Unlock()
	l.lines.addr = addr
}

// Close ends the log: what waits is written, if that can be done within logFlush.
func (l *Log) Close() {
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

// Reopen goes on in the file that --output names now.
func (l *Log) Reopen() {
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
	text bytes.Buffer // of the record that is being written, as slog.TextHandler has it
}

// lineHandler logs in the form of the programs that Hearsay takes the place
// of, so that what reads their logs reads ours:
//
//	[2026-01-31 15:04:05] [PEER 127.0.0.1:6001] text key=value
type lineHandler struct {
	log          *lineLog
	slog.Handler // writes level, message and attributes to the text of log
}

// Handle writes one line.
func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	l, at, message := h.log, r.Time, InOneLine(r.Message)
	r.Time, r.Message = time.Time{}, ""
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
	err := h.Handler.Handle(ctx, r)
	level, attrs, _ := strings.Cut(l.text.String(), ` msg=""`)
	if r.Level >= slog.LevelWarn {
		message += " " + level
	}
	line := fmt.Appendf(nil, "[%s] [%s %s] %s%s", at.Format(time.DateTime), strings.ToUpper(l.role.String()), l.addr, message, attrs)
	for _, out := range l.out {
		out.Write(line) // a queue, which never fails
	}
	return err
}

// WithAttrs gives a handler that adds attrs to each line.
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lineHandler{h.log, h.Handler.WithAttrs(attrs)}
}

// WithGroup gives a handler that puts name before each later key.
func (h *lineHandler) WithGroup(name string) slog.Handler {
	return &lineHandler{h.log, h.Handler.WithGroup(name)}
}

// InOneLine gives text as it can stand in a line: what others said must not
// look like a line of its own, or do something to a terminal.
func InOneLine(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || !hearsay.IsPlain(r) }) < 0 {
		return text
	}
	quoted := strconv.Quote(text)
	return Plain(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)) // some characters without width are print
}
