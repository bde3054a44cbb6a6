package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
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

// Watching is the name of what a stream of changes of keys begins with.
const Watching = "watching"

// Message is one server-sent event.
type Message struct {
	ID   string // "" for one after which a stream cannot be resumed
	Name string // "" for an event of the node, "snapshot" for where things stand, Told, Watching
	Data []byte // JSON; valid until the next
}

// Events gives what one connection to /v1/events brings, beginning after the event of that id. It ends with an
// error, always: a stream has no end by itself, but that of the context.
func (c *Client) Events(ctx context.Context, lastID string) iter.Seq2[Message, error] {
	return c.stream(ctx, "/v1/events", &lastID)
}

// stream gives what one connection to a stream brings behind the id, which goes on with what has come.
func (c *Client) stream(ctx context.Context, path string, lastID *string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		silence := time.AfterFunc(streamSilence, func() { cancel(errSilent) })
		defer silence.Stop()
		header := http.Header{"Accept": {"text/event-stream"}}
		if *lastID != "" {
			header.Set("Last-Event-ID", *lastID)
		}
		answer, err := c.send(ctx, 0, http.MethodGet, path, header, nil)
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
			is := next.take(lines.Bytes())
			if len(lines.Bytes()) == 0 && next.ID != "" {
				*lastID = next.ID
			}
			if !is {
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
	return c.follow(ctx, "/v1/events", lost)
}

// Watch follows the changes of keys with a prefix, from a revision on as a list of keys has it, "" for now. It begins
// with a message named Watching. Where changes were lost, as when the node was started again meanwhile, an event of
// kind hearsay.EventLagged comes in their place: what is then listed lacks none of them.
func (c *Client) Watch(ctx context.Context, prefix, after string, lost func(error)) iter.Seq2[Message, error] {
	query := url.Values{"prefix": {prefix}}
	if after != "" {
		query.Set("after", after)
	}
	return c.follow(ctx, "/v1/events?"+query.Encode(), lost)
}

func (c *Client) follow(ctx context.Context, path string, lost func(error)) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		lastID, wait, heard := "", resumeWait, false
		for ctx.Err() == nil {
			for s, err := range c.stream(ctx, path, &lastID) {
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
