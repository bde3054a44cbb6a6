package detect

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file has a node know that others do not get to it what they send: a firewall that drops what comes in, and lets
// out all, shows only there. A member that tells it of this node says so by the small ping of each further test.

// saidFor is for how long that holds without another word, where its end is not seen: a member that tells it of
// waysMost tests each of them in half that time.
const saidFor = 2 * time.Minute

// wayIn is a member that says that something does not get from it to this node.
type wayIn struct {
	seat  int32
	since time.Time // when it said so first
	at    time.Time // and last
}

// Pinged takes a ping of a member, which may say that it does not get to this node, or show that it does.
func (w *Ways) Pinged(now time.Time, p *core.Packet, m *core.Ping) {
	switch small := !p.Stream && m.Extra == w.kind.told; {
	case small:
		w.sayIn(now, p.From)
	case w.kind.size == 0 && p.Stream, w.kind.size > 0 && !p.Stream && m.Extra == w.kind.size-smallPing:
		if i := w.findIn(p.From); i >= 0 {
			w.endIn(now, i, w.kind.backIn)
		}
	}
}

func (w *Ways) findIn(id hearsay.NodeID) int {
	seat := w.members.Seat(id)
	return slices.IndexFunc(w.in, func(i wayIn) bool { return i.seat == seat })
}

// sayIn notes that a member says so.
func (w *Ways) sayIn(now time.Time, id hearsay.NodeID) {
	if i := w.findIn(id); i >= 0 {
		w.in[i].at = now
		return
	}
	addr, listed := w.members.Addr(id)
	if !listed || len(w.in) >= waysMost {
		return
	}
	w.in = append(w.in, wayIn{seat: w.members.Seat(id), since: now, at: now})
	w.out.Events = append(w.out.Events, hearsay.Event{At: now, Kind: hearsay.EventLostHere, Subject: id, Addr: addr, Text: w.kind.lostIn})
}

// endIn ends that.
func (w *Ways) endIn(now time.Time, i int, why string) {
	if id, addr, listed := w.members.At(w.in[i].seat); listed {
		w.out.Events = append(w.out.Events, hearsay.Event{At: now, Kind: hearsay.EventComesHere, Subject: id, Addr: addr, Text: why})
	}
	w.in = slices.Delete(w.in, i, i+1)
}

// tickIn lets go of those that have not said so for long.
func (w *Ways) tickIn(now time.Time) {
	for i := len(w.in) - 1; i >= 0; i-- {
		if now.Sub(w.in[i].at) >= saidFor {
			w.endIn(now, i, saidNoMore)
		}
	}
}

// EachIn gives the members that say that it does not get from them to this node, and since when they do.
func (w *Ways) EachIn(yield func(id hearsay.NodeID, since time.Time)) {
	for _, i := range w.in {
		if id, _, listed := w.members.At(i.seat); listed {
			yield(id, i.since)
		}
	}
}
