package kv

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Limits of updates that wait for a dot that they replace.
const (
	maxHeld      = 256
	maxHeldBytes = 4 << 20
	// after which an exchange has brought what it says, or it names what is not written yet
	holdFor = 10 * time.Second
)

// heldUpdate is an update that is not taken yet.
type heldUpdate struct {
	*core.Update
	size  int
	until time.Time
	lacks int // the first of Gone that is unseen
}

// Refusal is why something that came was not taken. Each is to be counted.
type Refusal uint8

// The refusals.
const (
	Taken      Refusal = iota
	Malformed          // no replica sends that
	Full               // too many objects, or bytes
	Origins            // of an origin more than are allowed
	Gaps               // too many gaps in what was seen; an exchange fills them
	Incomplete         // objects lack, or a record is cut: the answer to what this replica has been before Renew
)

// Result is what has come of a message.
type Result struct {
	Change  Change
	Refused Refusal
	Fresh   bool       // of an update: it was not here yet; pass it on
	Ask     bool       // it names what is unseen here: begin an exchange with its sender, unless one is under way
	Twin    bool       // others know numbers of this replica's process otherwise than it does: Renew. Nothing was taken
	Reply   *core.Sync // to send back, or nil
}

// Update takes a record of another, or one that came back.
func (r *Replica) Update(now time.Time, u *core.Update) (result Result) {
	if !validUpdate(u) {
		return Result{Refused: Malformed}
	}
	if r.held.has(u) {
		return Result{}
	}
	if len(u.Objects) > 0 {
		r.reviveIf(&result.Change, u.Objects[0].Dot.Origin, []clock.Range{{Low: u.Objects[0].First, High: u.Objects[0].Last}})
	}
	unseen, twin := 0, false
	for i := range u.Objects {
		o := &u.Objects[i]
		if !r.has(o.Dot) {
			unseen++
		}
		twin = twin || r.isRewritten(o) || r.unwritten(o.Dot.Origin, clock.Range{Low: o.Dot.Counter, High: o.Dot.Counter})
	}
	missing, live := false, false
	for _, d := range u.Gone {
		missing = missing || !r.has(d)
		twin = twin || r.unwritten(d.Origin, clock.Range{Low: d.Counter, High: d.Counter})
		live = live || r.find(d) != nil
	}
	if twin {
		return Result{Twin: true}
	}
	if unseen > 0 {
		if result.Refused = r.refusal(u); result.Refused != Taken {
			result.Ask = result.Refused == Gaps
			return result
		}
	}
	result.Fresh = unseen > 0 || missing || live
	switch {
	case !result.Fresh && !r.rewritten(u):
		return result
	case missing:
		result.Ask = true
		r.held.add(now, u)
		return result
	}
	r.take(&result.Change, now, u)
	if len(r.held) > 0 {
		r.retry(&result.Change, now)
		result.Change.settle()
	}
	return result
}

// rewritten reports whether a dot of an update is live here with a lesser object.
func (r *Replica) rewritten(u *core.Update) bool {
	return slices.ContainsFunc(u.Objects, func(o core.Object) bool {
		had := r.find(o.Dot)
		return had != nil && less(had.hash, hashObject(&o))
	})
}

// validUpdate reports whether a record can be one.
func validUpdate(u *core.Update) bool {
	if len(u.Objects)+len(u.Gone) == 0 || len(u.Objects) > hearsay.MaxWrites || len(u.Gone) > core.MaxGone {
		return false
	}
	keys := make(map[string]bool, len(u.Objects))
	for i := range u.Objects {
		o, first := &u.Objects[i], &u.Objects[0]
		if !valid(o) || o.Dot.Origin != first.Dot.Origin || o.First != first.First || o.Dot.Counter != o.First+uint64(i) ||
			o.Last-o.First != uint64(len(u.Objects)-1) || keys[o.Key] {
			return false
		}
		keys[o.Key] = true
	}
	for i, d := range u.Gone {
		if d.Counter == 0 || d.Counter > maxNumber || i > 0 && core.CompareDots(u.Gone[i-1], d) >= 0 ||
			len(u.Objects) > 0 && d.Origin == u.Objects[0].Dot.Origin && d.Counter >= u.Objects[0].First {
			return false
		}
	}
	return true
}

// refusal says whether there is room for an update.
func (r *Replica) refusal(u *core.Update) Refusal {
	id, bytes := u.Objects[0].Dot.Origin, 0
	for i := range u.Objects {
		bytes += costOf(&u.Objects[i])
	}
	record := []clock.Range{{Low: u.Objects[0].First, High: u.Objects[0].Last}}
	switch {
	case r.of(id) == nil && len(r.origins) >= r.cfg.MaxOrigins:
		return Origins
	case !r.room(len(u.Objects), bytes):
		return Full
	case !r.fitsGaps(id, record, maxGaps):
		return Gaps
	}
	return Taken
}

// fitsGaps reports whether ranges of an origin lead to no more gaps than are kept.
func (r *Replica) fitsGaps(id clock.Origin, ranges []clock.Range, most int) bool {
	had := r.clock.Of(id)
	if len(ranges) == 1 && len(had) < most && r.clock.NumRanges() < maxAllGaps {
		return true
	}
	size := clock.UnionSize(had, ranges)
	return size <= max(len(had), fewGaps) || size <= most && r.clock.NumRanges()+size-len(had) <= maxAllGaps
}

// take takes a record of which all that it replaces is seen.
func (r *Replica) take(change *Change, now time.Time, u *core.Update) {
	for _, d := range u.Gone {
		if o := r.find(d); o != nil {
			r.drop(change, o)
		}
	}
	for i := range u.Objects {
		r.merge(change, now, &u.Objects[i], hashObject(&u.Objects[i]))
		r.bound(change, u.Objects[i].Key)
	}
}

// heldUpdates are those that wait, the oldest first.
type heldUpdates []heldUpdate

// add keeps an update until what it replaces is seen. The oldest make room: exchanges bring what they said.
func (h *heldUpdates) add(now time.Time, u *core.Update) {
	all := append(*h, heldUpdate{Update: u, size: u.Size(), until: now.Add(holdFor)})
	bytes := 0
	for i := len(all) - 1; i >= 0; i-- {
		if bytes += all[i].size; bytes > maxHeldBytes || len(all)-i > maxHeld {
			all = slices.Delete(all, 0, i+1)
			break
		}
	}
	*h = all
}

// Waits reports whether an update waits for what it replaces: that is on another way, or was lost.
func (r *Replica) Waits(u *core.Update) bool {
	return slices.ContainsFunc(r.held, func(h heldUpdate) bool { return h.Update == u })
}

// has reports whether an update waits already.
func (h heldUpdates) has(u *core.Update) bool {
	size := u.Size()
	return slices.ContainsFunc(h, func(h heldUpdate) bool {
		if len(h.Objects) != len(u.Objects) || len(h.Gone) != len(u.Gone) || h.size != size {
			return false
		}
		same := len(u.Objects) == 0 || h.Objects[0].Dot == u.Objects[0].Dot && hashObject(&h.Objects[0]) == hashObject(&u.Objects[0])
		return same && slices.Equal(h.Gone, u.Gone)
	})
}

// retry takes the updates that waited for what has been seen now. What was seen stays so: each dot is looked up once.
func (r *Replica) retry(change *Change, now time.Time) {
	for more := true; more; {
		more = false
		for i := range r.held {
			for h := &r.held[i]; h.lacks < len(h.Gone) && r.has(h.Gone[h.lacks]); {
				h.lacks++
			}
		}
		r.held = slices.DeleteFunc(r.held, func(h heldUpdate) bool {
			if now.After(h.until) {
				return true
			}
			if h.lacks < len(h.Gone) {
				return false
			}
			if len(h.Objects) == 0 || r.refusal(h.Update) == Taken {
				r.take(change, now, h.Update)
			}
			more = true
			return true
		})
	}
}
