package detect

import (
	"slices"
	"time"

	"hearsay"
)

const (
	// maxAnswerers are the members that have answered last, of which relays are drawn. A guess: five times Config.Relays.
	maxAnswerers = 16

	// answererAge is how long a member that has answered counts as alive when relays are drawn. Guess: two laps of a small
	// network. When most members die, an older answer is most likely one of the dead.
	answererAge = 30 * time.Second
)

// answerers are the members that have answered this node lately.
type answerers struct {
	*shared
	latest []answerer // the newest last
}

// answerer is a member that has answered this node.
type answerer struct {
	seat int32
	at   time.Time // when it answered last
}

// add notes that a member has answered this node.
func (a *answerers) add(now time.Time, id hearsay.NodeID) {
	seat := a.directory.Seat(id)
	if seat == 0 {
		return
	}
	a.remove(seat)
	a.detector.indirects.remove(now, id, "it answers this node itself")
	if len(a.latest) >= maxAnswerers {
		a.latest = slices.Delete(a.latest, 0, 1)
	}
	a.latest = append(a.latest, answerer{seat, now})
}

// remove notes that a member has not answered.
func (a *answerers) remove(seat int32) {
	a.latest = slices.DeleteFunc(a.latest, func(one answerer) bool { return one.seat == seat })
}

// recent gives those that count as alive.
func (a *answerers) recent(now time.Time) []answerer {
	a.latest = slices.DeleteFunc(a.latest, func(one answerer) bool { return now.Sub(one.at) >= answererAge })
	return a.latest
}

// HeardSince reports whether any member has answered this node since a time.
func (a *answerers) HeardSince(since time.Time) bool {
	newest := len(a.latest) - 1
	return newest >= 0 && !a.latest[newest].at.Before(since)
}
