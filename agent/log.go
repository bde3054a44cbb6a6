package agent

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"sync"

	"hearsay"
	"hearsay/guest"
)

// journal writes a line for each event, as one more listener of the hub: a
// logger that blocks, as on a terminal that is stopped, holds up nobody. It
// has a goroutine only while there is something to write.
type journal struct {
	hub     *hub
	logger  *slog.Logger
	phrases *guest.Phrases // nil: of an open network
	text    *guest.TextLog // nil: nobody wants it
	lines   io.Writer      // of text
	self    hearsay.NodeID
	writing sync.WaitGroup

	mu    sync.Mutex
	busy  bool
	at    place // behind the last event written, or being written
	notes []note
}

// note gives a line that is of no event; "" if there is nothing to say after
// all.
type note func(p *guest.Phrases) string

// notesMax is how many notes wait for a log that is slow; those beyond are
// left out.
const notesMax = 256

// note has a line written, after the events that are there.
func (j *journal) note(n note) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.notes) == notesMax || !j.logger.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	j.notes = append(j.notes, n)
	if !j.busy {
		j.busy = true
		j.writing.Go(j.write)
	}
}

// wake sees to it that what the hub has is written, to the event of that
// number and kind. One of which no line is wanted wakes nobody.
func (j *journal) wake(number uint64, kind hearsay.EventKind) {
	wanted := j.logger.Enabled(context.Background(), j.lineOf(kind).level)
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.busy:
	case !wanted:
		j.at = place{number: number} // all before were written
	default:
		j.busy = true
		j.writing.Go(j.write)
	}
}

func (j *journal) write() {
	for {
		e, n, ok := j.next()
		switch {
		case !ok:
			return
		case n == nil:
			logEvent(j.logger, j.phrases, j.self, &e)
			if j.text != nil {
				for _, line := range j.text.Lines(&e) {
					io.WriteString(j.lines, line+"\n")
				}
			}
		default:
			if text := n(j.phrases); text != "" {
				j.logger.Info(text)
			}
		}
	}
}

// next gives the next event to write or, if there is none, the next note.
// Whether there is one and whether somebody writes is decided in one, so that
// no event is passed over.
func (j *journal) next() (e hearsay.Event, n note, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.at, e, _, ok = j.hub.after(j.at); !ok && len(j.notes) > 0 {
		n, ok = j.notes[0], true
		j.notes = j.notes[1:]
	}
	j.busy = ok
	return e, n, ok
}

// line is how an event of one kind stands in the log.
type line struct {
	level slog.Level
	text  string
}

// lineOf says how an event of one kind stands in this log.
func (j *journal) lineOf(kind hearsay.EventKind) line {
	l := lineOf(kind)
	if j.phrases != nil && guest.Phrased(kind) {
		l.level = slog.LevelInfo
	}
	return l
}

func lineOf(kind hearsay.EventKind) line {
	return line{slog.Level(kind.Level()), cmp.Or(kind.Title(), kind.String())}
}

// logEvent writes the line of an event: text for a person, attributes for the
// facts.
func logEvent(logger *slog.Logger, p *guest.Phrases, self hearsay.NodeID, e *hearsay.Event) {
	l := lineOf(e.Kind)
	if e.Kind == hearsay.EventCondemned && e.Evidence != nil {
		l.text = e.Evidence.Title()
	}
	if e.Before {
		l = line{slog.LevelDebug, l.text + ", before this node started"}
	}
	switch {
	case e.CutOff:
		l.level = slog.LevelDebug // that it is cut off is told once
	case e.Kind == hearsay.EventMemberSuspected && e.By != self:
		l.level = slog.LevelInfo // the accuser's log warns; at the others a false one is refuted within moments
	}
	if p != nil {
		if text := p.Before(e); text != "" {
			logger.Info(text, "epoch", uint64(e.Epoch))
		}
		if text := p.Phrase(e); text != "" {
			l.level, l.text = max(l.level, slog.LevelInfo), text
		}
	}
	ctx := context.Background()
	if !logger.Enabled(ctx, l.level) {
		return
	}
	attrs := make([]slog.Attr, 0, 14)
	add := func(set bool, a slog.Attr) {
		if set {
			attrs = append(attrs, a)
		}
	}
	add(true, slog.String("event", e.Kind.String()))
	add(e.Name != "", slog.String("member", e.Name))
	add(!e.Subject.IsZero(), slog.String("id", e.Subject.Short()))
	by := nameOr(e.ByName, e.By)
	if e.Kind == hearsay.EventNameConflict {
		by = e.By.Short() // the two have one name
	}
	add(!e.By.IsZero(), slog.String("by", by))
	add(e.CutOff, slog.Bool("cut_off", true))
	add(e.State != 0, slog.String("state", e.State.String()))
	add(e.Incarnation != 0, slog.Uint64("incarnation", uint64(e.Incarnation)))
	add(e.Addr.IsValid(), slog.String("addr", e.Addr.String()))
	if e.Round != 0 {
		round, _ := e.Round.MarshalText() // never fails
		add(true, slog.String("round", string(round)))
	}
	add(e.Verdict != 0, slog.String("verdict", e.Verdict.String()))
	add(e.Count != 0, slog.Int("count", e.Count))
	add(e.Kind == hearsay.EventUnreachable, slog.Int("heard", e.Heard))
	add(e.Took != 0, slog.Duration("took", e.Took))
	if e.Rumor != nil { // not what it says: that may be long, and is for the application
		add(true, slog.Uint64("number", e.Rumor.ID.Counter))
		add(true, slog.Int("bytes", len(e.Rumor.Data)))
	}
	add(e.Outcome != 0, slog.String("outcome", e.Outcome.String()))
	add(e.Case != 0, slog.Uint64("case", uint64(e.Case)))
	add(e.Epoch != 0, slog.Uint64("epoch", uint64(e.Epoch)))
	if e.Ballot != nil {
		add(true, slog.String("ballot", e.Ballot.Verdict.String()))
	}
	add(e.Text != "", slog.String("why", e.Text))
	logger.LogAttrs(ctx, l.level, l.text, attrs...)
}

func nameOr(name string, id hearsay.NodeID) string {
	if name != "" {
		return name
	}
	return id.Short()
}
