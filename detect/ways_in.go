package detect

import (
	"net/netip"
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

// askedBack is for how many periods the answer of one that is asked back is waited for. Then its next word is news. A
// guess.
const askedBack = 3

// wayIn is a member that says that something does not get from it to this node.
type wayIn struct {
	seat  int32
	since time.Time // when it said so first
	at    time.Time // and last
	seq   uint64    // of the ping that asks it back
	told  bool      // it has answered that
}

// Pinged takes a ping of a member, which may say that it does not get to this node, or show that it does, or ask back
// what this node has said.
func (w *Ways) Pinged(now time.Time, p *core.Packet, m *core.Ping) {
	switch small := !p.Stream && m.Extra == w.kind.told; {
	case small:
		w.sayIn(now, p.From, m.Seq)
	case !p.Stream && m.Extra == smallExtra:
		w.sayAgain(p.From, m.Seq)
	case w.kind.size == 0 && p.Stream, w.kind.size > 0 && !p.Stream && m.Extra == w.kind.size-smallPing:
		if i := w.findIn(p.From); i >= 0 {
			w.endIn(now, i, w.kind.backIn)
		}
	}
}

// sayAgain answers one that asks back, if it is so.
func (w *Ways) sayAgain(id hearsay.NodeID, seq uint64) {
	seat := w.members.Seat(id)
	i := slices.IndexFunc(w.failed, func(u Way) bool { return u.seat == seat })
	if addr, listed := w.members.Addr(id); i >= 0 && listed && !w.own && w.told(&w.failed[i]) {
		w.out.LongPing(addr, seq, id, w.kind.told)
	}
}

func (w *Ways) findIn(id hearsay.NodeID) int {
	seat := w.members.Seat(id)
	return slices.IndexFunc(w.in, func(i wayIn) bool { return i.seat == seat })
}

// sayIn notes that a member says so, under a number: that of the ping that has asked it back, or of a test of its own.
func (w *Ways) sayIn(now time.Time, id hearsay.NodeID, seq uint64) {
	addr, listed := w.members.Addr(id)
	i := w.findIn(id)
	switch {
	case !listed:
	case i < 0 && len(w.in) < waysMost:
		w.in = append(w.in, wayIn{seat: w.members.Seat(id)})
		w.askBack(now, len(w.in)-1, addr, id)
	case i < 0:
	case w.in[i].told:
		w.in[i].at = now
	case seq == w.in[i].seq:
		w.in[i].told, w.in[i].at = true, now
		w.out.Events = append(w.out.Events, hearsay.Event{At: now, Kind: hearsay.EventLostHere, Subject: id, Addr: addr, Text: w.kind.lostIn})
	case now.Sub(w.in[i].at) >= askedBack*w.cfg.Period:
		w.askBack(now, i, addr, id)
	}
}

func (w *Ways) askBack(now time.Time, i int, addr netip.AddrPort, id hearsay.NodeID) {
	one := &w.in[i]
	one.since, one.at, one.seq = now, now, w.seq()
	w.out.LongPing(addr, one.seq, id, smallExtra)
}

// endIn ends that.
func (w *Ways) endIn(now time.Time, i int, why string) {
	if id, addr, listed := w.members.At(w.in[i].seat); listed && w.in[i].told {
		w.out.Events = append(w.out.Events, hearsay.Event{At: now, Kind: hearsay.EventComesHere, Subject: id, Addr: addr, Text: why})
	}
	w.in = slices.Delete(w.in, i, i+1)
}

// tickIn lets go of those that have not said so for long, or did not answer when they were asked back.
func (w *Ways) tickIn(now time.Time) {
	for i := len(w.in) - 1; i >= 0; i-- {
		lasts := saidFor
		if !w.in[i].told {
			lasts = askedBack * w.cfg.Period
		}
		if now.Sub(w.in[i].at) >= lasts {
			w.endIn(now, i, saidNoMore)
		}
	}
}

// EachIn gives the members that say that it does not get from them to this node, and since when they do.
func (w *Ways) EachIn(yield func(id hearsay.NodeID, since time.Time)) {
	for _, i := range w.in {
		if id, _, listed := w.members.At(i.seat); listed && i.told {
			yield(id, i.since)
		}
	}
}
