package client

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

// Told is the name of what a stream brings when all that happened before it has been told. It is a comment
// there, and is no event of the node.
const Told = "told"

// Message is one server-sent event.
type Message struct {
	ID   string // "" for one after which a stream cannot be resumed
	Name string // "" for an event of the node, "snapshot" for where things stand, Told
	Data []byte // JSON; valid until the next
}

// Events gives what one connection to /v1/events brings, beginning after the event of that id. It ends with an
// error, always: a stream has no end by itself, but that of the context.
func (c *Client) Events(ctx context.Context, lastID string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		silence := time.AfterFunc(streamSilence, func() { cancel(errSilent) })
		defer silence.Stop()
		header := http.Header{"Accept": {"text/event-stream"}}
		if lastID != "" {
			header.Set("Last-Event-ID", lastID)
		}
		answer, err := c.send(ctx, 0, http.MethodGet, "/v1/events", header, nil)
		if err != nil {
			yield(Message{}, err)
			return
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, streamLineMax)
		var next Message
		for lines.Scan() {
			silence.Reset(streamSilence)
			if !next.take(lines.Bytes()) {
				continue
			}
			if !yield(next, nil) {
				return
			}
			next = Message{}
		}
		yield(Message{}, streamEnd(ctx, lines.Err()))
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
func (m *Message) take(line []byte) bool {
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "":
		if string(value) == Told {
			m.Name = Told
		}
		return len(line) == 0 && (len(m.Data) > 0 || m.Name == Told) // else a comment: the heartbeat
	case "id":
		m.ID = string(value)
	case "event":
		m.Name = string(value)
	case "data":
		m.Data = append(m.Data, value...)
	}
	return false
}

// Recent gives the events that the node keeps.
func (c *Client) Recent(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for m, err := range c.Events(ctx, "") {
			if m.Name == Told || !yield(m, err) {
				return
			}
		}
	}
}

// Follow is Events over as many connections as it takes: it resumes where the one before broke off. It ends
// with the context, or when the first connection fails. Each break is told to lost.
func (c *Client) Follow(ctx context.Context, lost func(error)) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		lastID, wait, heard := "", resumeWait, false
		for ctx.Err() == nil {
			for s, err := range c.Events(ctx, lastID) {
				switch {
				case ctx.Err() != nil:
					return
				case err != nil && !heard:
					yield(Message{}, err)
					return
				case err != nil:
					lost(err)
					continue // the stream has ended
				}
				heard, wait = true, resumeWait
				if s.ID != "" {
					lastID = s.ID
				}
				if !yield(s, nil) {
					return
				}
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
			wait = min(2*wait, resumeWaitMax)
		}
	}
}
