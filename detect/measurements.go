package detect

import (
	"cmp"
	"math"
	"slices"
	"time"

	"hearsay"
)

// measurements are what this node has found out itself of the members that it has probed.
type measurements struct {
	*shared
	list    []measurement // by seat, ascending
	general roundTrip     // over all members
}

// measurement is of a member on the list that was probed.
type measurement struct {
	seat   int32
	misses uint8 // probes in a row, the last ones, that failed: it is no use as a relay
	trip   roundTrip
}

// search finds what is known of the member that has a seat, or where it belongs.
func (ms *measurements) search(seat int32) (at int, found bool) {
	return slices.BinarySearchFunc(ms.list, seat, func(m measurement, seat int32) int { return cmp.Compare(m.seat, seat) })
}

// of gives what is known of a member, which is nothing yet if it was never probed; nil if it is not on the list. It is
// valid until the next call.
func (ms *measurements) of(id hearsay.NodeID) *measurement {
	seat := ms.directory.Seat(id)
	at, found := ms.search(seat)
	if !found {
		if !slices.Contains(ms.detector.list.seats, seat) {
			return nil
		}
		ms.list = slices.Insert(grown(ms.list), at, measurement{seat: seat})
	}
	return &ms.list[at]
}

func (ms *measurements) remove(seat int32) {
	if at, found := ms.search(seat); found {
		ms.list = slices.Delete(ms.list, at, at+1)
	}
}

// isSilent reports whether the last probe of a member failed.
func (ms *measurements) isSilent(seat int32) bool {
	at, probed := ms.search(seat)
	return probed && ms.list[at].misses > 0
}

// miss notes that a probe of a member has failed, and gives how many in a row have.
func (ms *measurements) miss(id hearsay.NodeID) (misses int) {
	misses = 1
	if one := ms.of(id); one != nil {
		one.misses = min(one.misses, math.MaxUint8-1) + 1
		misses = int(one.misses)
	}
	ms.detector.answerers.remove(ms.directory.Seat(id))
	return misses
}

// answered notes that a probe of a member has not failed.
func (ms *measurements) answered(id hearsay.NodeID) {
	if one := ms.of(id); one != nil {
		one.misses = 0
	}
}

// pardon has failed probes count for one at most: this node was late, and may have missed the answers.
func (ms *measurements) pardon() {
	for i := range ms.list {
		ms.list[i].misses = min(ms.list[i].misses, 1)
	}
}

// patience is how long a member may take to answer. What this node does for others takes only that long, however unwell
// it is: they wait for it.
func (ms *measurements) patience(id hearsay.NodeID) time.Duration {
	trip := ms.general
	if at, probed := ms.search(ms.directory.Seat(id)); probed && ms.list[at].trip.known() {
		trip = ms.list[at].trip
	}
	wait := ms.cfg.TimeoutMax
	if trip.known() {
		wait = min(max(trip.timeout(), ms.cfg.TimeoutMin), ms.cfg.TimeoutMax)
	}
	return wait
}

// measure learns from one round trip.
func (ms *measurements) measure(id hearsay.NodeID, took time.Duration) {
	ms.general.learn(took)
	if one := ms.of(id); one != nil {
		one.trip.learn(took)
		one.misses = 0
	}
}

// RoundTrip is the smoothed round trip over all members.
func (ms *measurements) RoundTrip() time.Duration { return ms.general.mean() }

// roundTrip is a smoothed round trip and its mean deviation, in microseconds, as TCP keeps them (RFC 6298, section 2).
type roundTrip struct{ smoothed, deviation uint32 }

func (r *roundTrip) known() bool { return r.smoothed > 0 }

func (r *roundTrip) mean() time.Duration { return time.Duration(r.smoothed) * time.Microsecond }

func (r *roundTrip) timeout() time.Duration {
	return time.Duration(r.smoothed+4*r.deviation) * time.Microsecond
}

func (r *roundTrip) learn(took time.Duration) {
	const longest = time.Minute
	sample := uint32(max(1, min(took, longest)/time.Microsecond))
	if !r.known() {
		r.smoothed, r.deviation = sample, sample/2
		return
	}
	off := max(sample, r.smoothed) - min(sample, r.smoothed)
	r.deviation = (3*r.deviation + off) / 4
	r.smoothed = max(1, (7*r.smoothed+sample)/8)
}
