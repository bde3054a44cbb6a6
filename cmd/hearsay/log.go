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
	"time"

	"github.com/lmittmann/tint"
)

// nodeLog is where a node logs: on standard error for people, and with
// --output appended to a file.
type nodeLog struct {
	*slog.Logger
	lines *lineFile // nil without --output
}

// openLog opens the log of a node. Until named, it is of addr.
func openLog(stderr io.Writer, output, addr string) (*nodeLog, error) {
	var people slog.Handler = slog.NewTextHandler(stderr, nil)
	if isTerminal(stderr) {
		people = tint.NewTextHandler(stderr, &tint.Options{TimeFormat: "15:04:05.000", NoColor: os.Getenv("NO_COLOR") != ""})
	}
	if output == "" {
		return &nodeLog{Logger: slog.New(people)}, nil
	}
	file, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, hintedError{fmt.Errorf("open --output: %w", err), "name a file in a directory that exists and can be written"}
	}
	lines := &lineFile{out: file, addr: addr}
	return &nodeLog{slog.New(slog.NewMultiHandler(people, &lineHandler{file: lines})), lines}, nil
}

// name tells the log the node's address, which the kernel may have chosen.
func (l *nodeLog) name(addr string) {
	if l.lines != nil {
		l.lines.mu.Lock()
		defer l.lines.mu.Unlock()
		l.lines.addr = addr
	}
}

// close closes the file of --output.
func (l *nodeLog) close() error {
	if l.lines == nil {
		return nil
	}
	return l.lines.out.Close()
}

// lineFile is a file of log lines of one node.
type lineFile struct {
	mu   sync.Mutex
	out  io.WriteCloser
	addr string
}

// lineHandler logs in the form of the programs that Hearsay takes the place
// of, so that what reads their logs reads ours:
//
//	[2026-01-31 15:04:05] [PEER 127.0.0.1:6001] text key=value
type lineHandler struct {
	file   *lineFile
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
	line.WriteString(r.Message)
	if r.Level >= slog.LevelWarn {
		line.WriteString(" level=" + r.Level.String())
	}
	line.WriteString(h.attrs)
	r.Attrs(func(attr slog.Attr) bool {
		appendAttr(&line, h.prefix, attr)
		return true
	})
	h.file.mu.Lock()
	defer h.file.mu.Unlock()
	_, err := fmt.Fprintf(h.file.out, "[%s] [PEER %s] %s\n", r.Time.Format(time.DateTime), h.file.addr, line.String())
	return err
}

// WithAttrs gives a handler that adds attrs to each line.
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	line := new(strings.Builder)
	line.WriteString(h.attrs)
	for _, attr := range attrs {
		appendAttr(line, h.prefix, attr)
	}
	return &lineHandler{h.file, line.String(), h.prefix}
}

// WithGroup gives a handler that puts name before each later key.
func (h *lineHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &lineHandler{h.file, h.attrs, h.prefix + name + "."}
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
	if text == "" || strings.ContainsAny(text, " =\"\n\r\t") {
		text = strconv.Quote(text)
	}
	line.WriteString(" " + prefix + attr.Key + "=" + text)
}
