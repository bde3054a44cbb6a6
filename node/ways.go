package node

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/overlay"
	"hearsay/quota"
	"hearsay/roster"
)

// This file says to which members much is sent, of which the node finds out whether all that it sends gets there
// (detect/ways.go), and tells to which it does not.

// ways are what a node knows of what does not get through from it, though small datagrams do.
type ways struct {
	narrow  *detect.Ways // what is large
	streams *detect.Ways

	id      hearsay.NodeID
	roster  *roster.Roster
	detect  *detect.Detector
	overlay *overlay.Overlay
	seeded  *Seeded
	deaf    *deafness

	addresses *Addresses
}

// begin makes those of a node that has tested nobody.
func (w *ways) begin(cfg *detect.Config, members detect.Directory, out *core.Effects, now time.Time) {
	w.narrow = detect.NewNarrow(cfg, w.id, members, w.tested, out, now)
	w.streams = detect.NewStreamless(cfg, w.id, members, w.tested, out, now)
}

func (w *ways) tick(now time.Time) {
	if f := w.seeded.follower; f != nil {
		var room [hearsay.MaxSeeds]hearsay.Seat
		for _, seat := range w.seeded.authority.Seats(room[:0]) {
			if id := seat.Key.NodeID(); f.Mute(int(seat.Slot)) && w.roster.Trusted(id) && w.gets(id) {
				w.streams.TestSoon(now, id)
			}
		}
	}
	w.narrow.Tick(now)
	w.streams.Tick(now)
}

func (w *ways) deadline() time.Time { return when.Earlier(w.narrow.Deadline(), w.streams.Deadline()) }

// pause is told that this node was late.
func (w *ways) pause(now time.Time) {
	w.narrow.Pause(now)
	w.streams.Pause(now)
}

// pinged is told of a ping of a member, which may be part of a test of its own.
func (w *ways) pinged(now time.Time, p *core.Packet, m *core.Ping) {
	if detect.TestsBack(p, m) {
		w.narrow.TestSoon(now, p.From)
		w.streams.TestSoon(now, p.From)
	}
	if w.addresses.Sender(p).Class != quota.Stranger {
		w.narrow.Pinged(now, p, m)
		w.streams.Pinged(now, p, m)
	}
}

func (w *ways) ack(now time.Time, p *core.Packet, seq uint64) (asked bool) {
	return w.narrow.Ack(now, p, seq) || w.streams.Ack(now, p, seq)
}

// lost says what does not get to a member, and what that means where it is a seed; "" if all does.
func (w *ways) lost(id hearsay.NodeID) (what, note string) {
	var whats, notes []string
	if !lostSince(w.narrow, id).IsZero() {
		whats = append(whats, "large packets")
		notes = append(notes, "large packets do not get to it from here, though small ones do, and the log of the seeds has such")
	}
	if !lostSince(w.streams, id).IsZero() {
		whats = append(whats, "streams (TCP)")
		notes = append(notes, "streams (TCP) to it do not get through from here, though datagrams (UDP) do: nothing longer than a datagram gets to it, as entries of the log")
	}
	return strings.Join(whats, " and "), strings.Join(notes, "; ")
}

// seatTurns is how many tests lie between two of seeds, of a peer. A seed tests another seed every other time.
const seatTurns = 4

// tested gives the member that is tested in a turn: of a peer one that it is linked with, or a seed; of a seed
// another seed, or any.
func (w *ways) tested(turn int) (id hearsay.NodeID, ok bool) {
	every := seatTurns
	if w.seeded.seat != nil {
		every = 2
	}
	if w.seeded.authority != nil && turn%every == 0 {
		seats := w.seeded.authority.Seats(nil)
		for i := range seats {
			if s := &seats[(turn/every+i)%len(seats)]; !s.Key.IsZero() && s.Key.NodeID() != w.id {
				return s.Key.NodeID(), w.gets(s.Key.NodeID())
			}
		}
	}
	other := max(0, turn-(turn/every+1)) // tests so far of members that are no seeds
	if w.seeded.authority == nil {
		other = turn
	}
	if links := w.overlay.Links(); len(links) > 0 {
		id = links[other%len(links)]
	} else if others := w.roster.CountOthers(); others > 0 {
		id = w.roster.Other(other % others)
	}
	return id, w.gets(id)
}

// gets reports whether a member is listed, and datagrams get to it and to this node.
func (w *ways) gets(id hearsay.NodeID) bool {
	addr, listed := w.roster.Addr(id)
	return listed && !w.deaf.is && !w.detect.IsStreamed(addr)
}

// noteCause says of a quorum that is lost what does not get to the seeds, if that is known.
func (w *ways) noteCause(e *hearsay.Event) {
	if e.Kind != hearsay.EventQuorumLost {
		return
	}
	var lost, seats []string // what does not get through, and to which seeds that does not
	for _, s := range w.seeded.Authority().Seeds {
		what, _ := w.lost(s.ID)
		if what == "" || s.ID == w.id {
			continue
		}
		name := cmp.Or(s.Name, s.Addr.String())
		if i := slices.Index(lost, what); i >= 0 {
			seats[i] += ", " + name
			continue
		}
		lost, seats = append(lost, what), append(seats, name)
	}
	for i, what := range lost {
		lost[i] = what + " do not get from here to " + seats[i]
	}
	if len(lost) > 0 {
		e.Text = strings.Join(lost, ", ") + ", though small datagrams do"
	}
}

// stats puts in the figures to which members something does not get.
func (w *ways) stats(now time.Time, stats *hearsay.Stats) {
	stats.NarrowFor, stats.StreamsFail = lostFor(now, w.narrow), lostFor(now, w.streams)
	w.narrow.Each(func(id hearsay.NodeID, way detect.Way) {
		m, _ := w.roster.Member(id)
		stats.Narrow = append(stats.Narrow, hearsay.Narrow{ID: id, Name: m.Name, Addr: m.Addr, Since: way.Since, Passes: way.Passes, Lost: way.Lost})
	})
	w.streams.Each(func(id hearsay.NodeID, way detect.Way) {
		m, _ := w.roster.Member(id)
		stats.Streamless = append(stats.Streamless, hearsay.Indirect{ID: id, Name: m.Name, Addr: m.Addr, Since: way.Since})
	})
	in := func(of *[]hearsay.Indirect) func(hearsay.NodeID, time.Time) {
		return func(id hearsay.NodeID, since time.Time) {
			m, _ := w.roster.Member(id)
			*of = append(*of, hearsay.Indirect{ID: id, Name: m.Name, Addr: m.Addr, Since: since})
		}
	}
	w.narrow.EachIn(in(&stats.NoLargeIn))
	w.streams.EachIn(in(&stats.NoStreamsIn))
}

// lostSince is since when something does not get to a member, or from this node to any; zero: it does.
func lostSince(w *detect.Ways, id hearsay.NodeID) time.Time {
	since, own := w.Own()
	if own {
		return since
	}
	since = time.Time{}
	w.Each(func(one hearsay.NodeID, way detect.Way) {
		if one == id {
			since = way.Since
		}
	})
	return since
}

// lostFor is for how many seconds nothing of a kind has got from this node to others; 0: it does.
func lostFor(now time.Time, w *detect.Ways) float64 {
	if since, own := w.Own(); own {
		return now.Sub(since).Seconds()
	}
	return 0
}
