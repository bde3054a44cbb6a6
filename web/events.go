package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"hearsay"
)

// heartbeat is for both sides of a stream, and all between them, to see that the
// other is there.
const heartbeat = 15 * time.Second

// snapshotHead is the first thing in a stream, where the events begin, without its
// list of members.
type snapshotHead struct {
	Self      Self              `json:"self"`
	Epoch     hearsay.Epoch     `json:"epoch"`
	Authority hearsay.Authority `json:"authority"`
}

// getEvents streams what happens on the node.
//
//	event: snapshot
//	data: {"self":…,"epoch":0,"authority":…,"members":[…]}
//
//	id: 1848462971961347
//	data: {"at":…,"kind":"member-suspected",…}     first those still kept, then live
//
//	: told                                          by now, all that happened before the request
//
//	: heartbeat
//
// A client that was cut off comes back with Last-Event-ID, as a browser does
// by itself, and gets what it missed. Where that is no longer kept, or the id
// is of an earlier life of the node, or the client was too slow, it gets an
// event of kind "lagged" in its place, and a new snapshot.
//
// With a prefix it is changes of keys: see watchKeys.
func (a *api) getEvents(w http.ResponseWriter, r *http.Request) *problem {
	switch query := r.URL.Query(); {
	case query.Has("prefix"):
		return a.watchKeys(w, r)
	case query.Has("after"):
		return badRequest("after: want it with prefix, which may be empty; events of all kinds are resumed by Last-Event-ID")
	}
	after, resumed, p := resumeAfter(r.Header.Get("Last-Event-ID"))
	if p != nil {
		return p
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", eventStream)
		return nil
	}
	s, leave, p := a.open(&a.streams, w, r)
	if p != nil {
		return p
	}
	defer leave()
	s.upto = a.backend.Newest()
	if !resumed {
		if p := s.snapshot(); p != nil {
			return p
		}
	}
	s.begin()
	s.follow(after)
	return nil
}

// open finds a place for a stream, which the caller leaves at its end.
func (a *api) open(among *streams, w http.ResponseWriter, r *http.Request) (s *stream, leave func(), p *problem) {
	if fromElsewhere(r) {
		return nil, nil, &problem{http.StatusForbidden, "a stream, or a request that waits, for a page of another site: such a page cannot read what comes, and would keep the place from others"}
	}
	ctx, cancel := context.WithCancel(r.Context())
	out := w.(*paced)
	out.leaveQuick()
	place, entered := among.enter(sourceOf(r), func() {
		cancel()
		out.control.SetWriteDeadline(time.Now())
	})
	if !entered {
		cancel()
		w.Header().Set("Retry-After", "10")
		return nil, nil, &problem{http.StatusServiceUnavailable, among.full()}
	}
	out.stream = true
	out.conn.work(true)
	s = &stream{api: a, r: r, ctx: ctx, w: out}
	return s, func() {
		out.stream = false
		out.conn.work(false)
		among.leave(place)
		cancel()
	}, nil
}

const eventStream = "text/event-stream"

// resumeAfter gives the number of the event that a client had last.
func resumeAfter(lastEventID string) (after uint64, resumed bool, p *problem) {
	if lastEventID == "" {
		return 0, false, nil
	}
	after, err := strconv.ParseUint(lastEventID, 10, 64)
	if err != nil || after == 0 {
		return 0, false, badRequest("Last-Event-ID %q: want the id of an event, a number over 0", lastEventID)
	}
	return after, true, nil
}

// stream is one client's.
type stream struct {
	api   *api
	r     *http.Request
	ctx   context.Context // ends with the client, the server, or the place
	w     *paced
	begun bool // there is an answer
	gone  bool // the client takes no more
	fresh bool // nothing was written since a snapshot

	upto uint64 // the newest event when the stream began
	told bool   // that, and all before it, is written, and it was said so
}

// numbered is an event on its way from the node to the stream.
type numbered struct {
	number uint64
	event  hearsay.Event
}

// follow writes events until the client, the server or the node ends.
func (s *stream) follow(after uint64) {
	ctx, cancel := context.WithCancel(s.ctx)
	events := make(chan numbered)
	go func() {
		defer close(events)
		for number, event := range s.api.backend.EventsAfter(ctx, after) {
			select {
			case events <- numbered{number, event}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range events { // the node is not asked any more once this stream has returned
		}
	}()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	// The number of another life is beyond all of this one, or below them: then
	// there is something to tell.
	ok := !s.gone && (s.upto != 0 && s.upto != after || s.tellMark())
	for ok {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			ok = s.write(": heartbeat\n\n")
		case e, open := <-events:
			ok = open && s.event(e)
		}
	}
}

// event writes one event, and where some were lost a new snapshot. What was
// lost before a snapshot is no loss.
func (s *stream) event(e numbered) bool {
	lost := e.event.Kind == hearsay.EventLagged
	if lost && s.fresh {
		return true // an event that is kept follows
	}
	s.fresh = false
	if !writeNumbered(s, strconv.FormatUint(e.number, 10), "", e.event) || lost && (s.snapshot() != nil || s.gone) {
		return false // the client resumes
	}
	return s.told || e.number < s.upto || s.tellMark()
}

// writeNumbered writes one message of a stream, with an id, and what names its kind.
func writeNumbered[T any](s *stream, id, kind string, value T) bool {
	text, err := json.Marshal(value)
	if err != nil {
		s.w.log("An event cannot be written", err) // a node does not make such
		return false                               // the client resumes
	}
	line := fmt.Appendf(make([]byte, 0, len(text)+lineRoom), "id: %s\n%sdata: ", id, kind)
	return s.send(append(hearsay.AppendPlain(line, text), "\n\n"...))
}

// tellMark says that what happened before the stream began has been told.
// Clients that do not know it take it for the comment that it is.
func (s *stream) tellMark() bool {
	s.told = true
	return s.write(": told\n\n")
}

// begin begins the answer.
func (s *stream) begin() {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", eventStream)
		s.w.WriteHeader(http.StatusOK)
		s.w.control.SetReadDeadline(time.Time{}) // the server's limit is for requests that end; best effort
	}
}

// snapshot writes where things stand, which may be much: there may be no place for
// it.
func (s *stream) snapshot() *problem {
	return s.w.large(&s.api.answers, s.r, func() *problem {
		s.begin()
		list := s.api.members()
		l := beginObject(s.w, "event: snapshot\ndata: ", snapshotHead{s.api.self(), list.Epoch, s.api.backend.Authority()}, "members")
		for i := range list.Members {
			if !addItem(l, &list.Members[i]) {
				break
			}
		}
		endList(l, noFields{})
		s.fresh = true
		s.gone = l.gone || !s.write("\n")
		return nil
	})
}

// lineRoom is for what stands around an event, in bytes.
const lineRoom = 128

// write sends text at once, and reports whether the client took it.
func (s *stream) write(text string) bool { return s.send([]byte(text)) }

func (s *stream) send(text []byte) bool {
	if _, err := s.w.Write(text); err != nil {
		return false
	}
	return s.w.control.Flush() == nil
}
