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

// Limits of streams of events.
const (
	streamsMax    = 64               // open at once; each costs a goroutine and a place among the node's subscribers
	streamTimeout = 10 * time.Second // for one write; a client that takes longer is let go and may resume
	heartbeat     = 15 * time.Second // so that both sides and all between them see that the other is there
)

// snapshot is the first thing in a stream: where the events begin.
type snapshot struct {
	Self      Self              `json:"self"`
	Epoch     hearsay.Epoch     `json:"epoch"`
	Authority hearsay.Authority `json:"authority"`
	Members   []hearsay.Member  `json:"members"`
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
func (a *api) getEvents(w http.ResponseWriter, r *http.Request) *problem {
	after, resumed, p := resumeAfter(r.Header.Get("Last-Event-ID"))
	if p != nil {
		return p
	}
	select {
	case a.streams <- struct{}{}:
		defer func() { <-a.streams }()
	default:
		w.Header().Set("Retry-After", "10")
		return &problem{http.StatusServiceUnavailable, fmt.Sprintf("%d streams of events are open, as many as one node serves", streamsMax)}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	s := &stream{api: a, w: w, control: http.NewResponseController(w)}
	s.upto = a.backend.Newest()
	s.control.SetReadDeadline(time.Time{}) // the server's limit is for requests that end; best effort
	if resumed || s.snapshot() {
		s.follow(r.Context(), after)
	}
	return nil
}

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
	api     *api
	w       http.ResponseWriter
	control *http.ResponseController
	fresh   bool // nothing was written since a snapshot

	upto uint64 // the newest event when the stream began
	told bool   // that, and all before it, is written, and it was said so
}

// numbered is an event on its way from the node to the stream.
type numbered struct {
	number uint64
	event  hearsay.Event
}

// follow writes events until the client, the server or the node ends.
func (s *stream) follow(ctx context.Context, after uint64) {
	ctx, cancel := context.WithCancel(ctx)
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
	ok := s.upto != 0 && s.upto != after || s.tellMark()
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
	text, err := json.Marshal(e.event)
	if err != nil {
		return false // the client resumes; a node does not make such events
	}
	s.fresh = false
	if !s.write(fmt.Sprintf("id: %d\ndata: %s\n\n", e.number, text)) || lost && !s.snapshot() {
		return false
	}
	return s.told || e.number < s.upto || s.tellMark()
}

// tellMark says that what happened before the stream began has been told.
// Clients that do not know it take it for the comment that it is.
func (s *stream) tellMark() bool {
	s.told = true
	return s.write(": told\n\n")
}

// snapshot writes where things stand.
func (s *stream) snapshot() bool {
	list := s.api.members()
	text, err := json.Marshal(snapshot{s.api.self(), list.Epoch, s.api.backend.Authority(), list.Members})
	if err != nil {
		return false
	}
	s.fresh = true
	return s.write(fmt.Sprintf("event: snapshot\ndata: %s\n\n", text))
}

// write sends text at once, and reports whether the client took it.
func (s *stream) write(text string) bool {
	s.control.SetWriteDeadline(time.Now().Add(streamTimeout)) // where the server can
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.control.Flush() == nil
}
