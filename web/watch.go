package web

import (
	"cmp"
	"fmt"
	"net/http"

	"hearsay"
	"hearsay/guest"
)

// watchBegins is the first thing in a stream of changes that is not resumed.
type watchBegins struct {
	Prefix   string           `json:"prefix"`
	Revision hearsay.Revision `json:"revision"`
}

// watchKeys streams the changes of keys with a prefix, "" for all.
//
//	id: 5f0c9a7be21d4483-17
//	event: watching
//	data: {"prefix":"tea/","revision":"5f0c9a7be21d4483-17"}
//
//	id: 5f0c9a7be21d4483-19
//	data: {"at":…,"kind":"key-changed","change":{"key":"tea/time","value":"YXQgZm91cg==","siblings":1,"context":…}}
//
//	id: 5f0c9a7be21d4483-42
//	: heartbeat                                        up to here nothing else has changed
//
// It begins behind the revision that stands in a list of keys (after=), so a client that lists first misses nothing.
// Without, it begins now. One that was cut off comes back with Last-Event-ID, as a browser does by itself, and gets
// what it missed. Where that is no longer kept, or is of another node, or of an earlier life of this one, or the
// client was too slow, it gets an event of kind "lagged": it must list again what it needs, and misses nothing after.
func (a *api) watchKeys(w http.ResponseWriter, r *http.Request) *problem {
	prefix, p := oneParameter(r, "prefix")
	after, resumed, wrong := a.watchedUpto(r)
	if p != nil || wrong != nil {
		return cmp.Or(p, wrong)
	}
	s, leave, p := a.open(&a.watches, w, r)
	if p != nil {
		return p
	}
	defer leave()
	changes, err := a.backend.WatchAfter(s.ctx, prefix, after, heartbeat)
	switch {
	case err != nil:
		return problemOf(err)
	case r.Method == http.MethodHead:
		w.Header().Set("Content-Type", eventStream)
		return nil
	}
	s.begin()
	if !resumed && !writeNumbered(s, after.String(), "event: watching\n", watchBegins{prefix, after}) {
		return nil
	}
	for at, e := range changes {
		took := true
		if e.Change != nil && guest.P4IsReserved(e.Change.Key) && !guest.P4IsReserved(prefix) {
			continue // of the nodes themselves
		}
		if e.Kind == 0 {
			took = s.write(fmt.Sprintf("id: %v\n: heartbeat\n\n", at))
		} else {
			took = s.change(at.String(), e)
		}
		if !took {
			break
		}
	}
	return nil
}

// change writes a change of a key. One with a long value waits until there is a place for a large answer: of the
// clients of all streams only so many are written to, and do not read.
func (s *stream) change(id string, e hearsay.Event) bool {
	if e.Change == nil || len(e.Change.Value) <= pieceLen {
		return writeNumbered(s, id, "", e)
	}
	change, took := *e.Change, false
	change.Value = hole
	value := e.Change.Value
	e.Change = &change
	return s.w.large(&s.api.answers, s.r, func() *problem {
		l := newList(s.w, "id: "+id+"\ndata: ")
		l.begun = true
		encode(l, e)
		l.fill(value)
		l.text.WriteString("\n\n")
		l.write()
		took = !l.gone && s.w.control.Flush() == nil
		return nil
	}) == nil && took
}

// watchedUpto gives the revision that a client has come to, and whether it had a stream before.
func (a *api) watchedUpto(r *http.Request) (after hearsay.Revision, resumed bool, p *problem) {
	after = a.backend.Revision()
	name := "after"
	text, p := oneParameter(r, name)
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		name, text, resumed = "Last-Event-ID", last, true
	}
	if p != nil || !resumed && !r.URL.Query().Has(name) {
		return after, false, p
	}
	if err := after.UnmarshalText([]byte(text)); err != nil {
		p = badRequest("%s %v: it stands in a list of keys, and is the id of each change", name, err)
	}
	return after, resumed, p
}
