package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"
)

const (
	streamLineMax = 4 << 20          // bytes of one line of a stream: a snapshot of 5,000 members takes about 1.5 MB
	streamSilence = 40 * time.Second // a stream has a heartbeat every 15 s; after two that are missing it is given up
	resumeWait    = 500 * time.Millisecond
	resumeWaitMax = 5 * time.Second
)

// errSilent is why a stream ended that said nothing for streamSilence.
var errSilent = fmt.Errorf("nothing heard for %v", streamSilence)

// streamTold is the name of what a stream brings when all that happened before
// it has been told. It is a comment there, and is no event of the node.
const streamTold = "told"

// streamed is one server-sent event.
type streamed struct {
	id   string // "" for one that cannot be resumed after
	name string // "" for an event of the node, "snapshot" for where things stand, streamTold
	data []byte // JSON; valid until the next
}

// stream gives what one connection to /v1/events brings, beginning after the
// event of that id. It ends with an error, always: a stream has no end by
// itself, but that of the context.
func (c *client) stream(ctx context.Context, lastID string) iter.Seq2[streamed, error] {
	return func(yield func(streamed, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		silence := time.AfterFunc(streamSilence, func() { cancel(errSilent) })
		defer silence.Stop()
		header := http.Header{"Accept": {"text/event-stream"}}
		if lastID != "" {
			header.Set("Last-Event-ID", lastID)
		}
		answer, err := c.send(ctx, http.MethodGet, "/v1/events", header, nil)
		if err != nil {
			yield(streamed{}, err)
			return
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, streamLineMax)
		var next streamed
		for lines.Scan() {
			silence.Reset(streamSilence)
			if !next.take(lines.Bytes()) {
				continue
			}
			if !yield(next, nil) {
				return
			}
			next = streamed{}
		}
		yield(streamed{}, streamEnd(ctx, lines.Err()))
	}
}

// streamEnd says why a stream ended.
func streamEnd(ctx context.Context, err error) error {
	switch {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("read events: %w", err)
	}
	return errors.New("the node ended the stream of events")
}

// take adds a line of text/event-stream, and reports whether the event is
// whole.
func (s *streamed) take(line []byte) bool {
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "":
		if string(value) == streamTold {
			s.name = streamTold
		}
		return len(line) == 0 && (len(s.data) > 0 || s.name == streamTold) // else a comment: the heartbeat
	case "id":
		s.id = string(value)
	case "event":
		s.name = string(value)
	case "data":
		s.data = append(s.data, value...)
	}
	return false
}

// follow is stream over as many connections as it takes: it resumes where
// the one before broke off. It ends with the context, or when the first
// connection fails. Each break is told to lost.
func (c *client) follow(ctx context.Context, lost func(error)) iter.Seq2[streamed, error] {
	return func(yield func(streamed, error) bool) {
		lastID, wait, heard := "", resumeWait, false
		for ctx.Err() == nil {
			for s, err := range c.stream(ctx, lastID) {
				switch {
				case ctx.Err() != nil:
					return
				case err != nil && !heard:
					yield(streamed{}, err)
					return
				case err != nil:
					lost(err)
					continue // the stream has ended
				}
				heard, wait = true, resumeWait
				if s.id != "" {
					lastID = s.id
				}
				if !yield(s, nil) {
					return
				}
			}
			pause(ctx, wait)
			wait = min(2*wait, resumeWaitMax)
		}
	}
}

// pause waits, but not beyond the context.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
