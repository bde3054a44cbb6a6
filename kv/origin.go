package kv

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

const (
	nodeBytes    = 10             // of the NodeID in an origin
	forgetAfter  = 24 * time.Hour // without a live dot; StaleAfter must be less, by what an exchange takes
	maxForgotten = 4096           // origins that are remembered as forgotten
)

// StaleAfter is how long after its last complete exchange a replica has to call Return: others may have forgotten
// origins by then of which it still holds dots live.
const StaleAfter = 23 * time.Hour

// Life tells apart the lives of one node's data directories: drawn at random for each.
type Life [6]byte

// NewOrigin is the origin of what one life writes.
func NewOrigin(node hearsay.NodeID, life Life) (origin clock.Origin) {
	copy(origin[copy(origin[:], node[:nodeBytes]):], life[:])
	return origin
}

// isOf reports whether an origin is a life of a node.
func isOf(origin clock.Origin, node hearsay.NodeID) bool {
	return bytes.Equal(origin[:nodeBytes], node[:nodeBytes])
}

// Retirement is an origin that writes no more, as its node was removed.
type Retirement struct {
	Origin    clock.Origin
	Upto      uint64    // the greatest number seen of it, where it is forgotten
	Since     time.Time // it has had no live dot here; zero: it has some
	Forgotten bool      // it has no entry in the clock any more, and gets none
}

// Retired gives what is to be saved of retirements, after Retire, Forget and Return.
func (r *Replica) Retired() []Retirement { return slices.Clone(r.retired) }

// Retire notes that the origins of a node write no more: a ruling has removed it. Current is the one under which it
// writes if it is in again, else zero. The own origin is not retired: a node that was removed itself goes on under
// another first (Renew).
func (r *Replica) Retire(node hearsay.NodeID, current clock.Origin) {
	for _, o := range r.origins {
		if at, ok := r.retirement(o.id); !ok && isOf(o.id, node) && o.id != current && o.id != r.cfg.Origin {
			r.retired = slices.Insert(r.retired, at, Retirement{Origin: o.id})
		}
	}
}

// retirement is where the retirement of an origin is, or would be.
func (r *Replica) retirement(id clock.Origin) (at int, ok bool) {
	return slices.BinarySearchFunc(r.retired, id, func(r Retirement, id clock.Origin) int { return r.Origin.Compare(id) })
}

func (r *Replica) isForgotten(id clock.Origin) bool {
	at, ok := r.retirement(id)
	return ok && r.retired[at].Forgotten
}

// Forget drops retired origins that have had no live dot for 24 hours. By then each replica that has had a complete
// exchange within StaleAfter knows all their dots as gone, and no other may bring them back. To be called once in a
// while, such as each minute.
func (r *Replica) Forget(now time.Time) (change Change) {
	r.giveUpUnused(&change, now)
	for i := range r.retired {
		retired := &r.retired[i]
		switch o := r.of(retired.Origin); {
		case retired.Forgotten:
		case o != nil && len(o.live.blocks) > 0:
			retired.Since = time.Time{}
		case retired.Since.IsZero():
			retired.Since = now
		case now.Sub(retired.Since) >= forgetAfter:
			r.giveUp(&change, retired)
		}
	}
	r.boundForgotten()
	return change
}

// giveUpUnused declares those numbers gone that earlier processes reserved and nobody has seen. Before, one may hold
// what was written under them by a process that this directory knows nothing of, as it was set back (isTwin).
func (r *Replica) giveUpUnused(change *Change, now time.Time) {
	n := &r.numbers
	if n.since.IsZero() {
		n.since = now
	}
	if n.earlier > 0 && now.Sub(n.since) >= forgetAfter {
		r.see(change, r.cfg.Origin, clock.Range{Low: 1, High: n.earlier})
		n.earlier = 0
	}
}

// boundForgotten lets go of those that were forgotten first.
func (r *Replica) boundForgotten() {
	for len(r.retired) > maxForgotten {
		oldest := slices.MinFunc(r.retired, func(a, b Retirement) int {
			if a.Forgotten != b.Forgotten {
				return map[bool]int{true: -1, false: 1}[a.Forgotten]
			}
			return a.Since.Compare(b.Since)
		})
		at, _ := r.retirement(oldest.Origin)
		r.retired = slices.Delete(r.retired, at, at+1)
	}
}

// giveUp forgets a retired origin.
func (r *Replica) giveUp(change *Change, retired *Retirement) {
	if seen := r.clock.Of(retired.Origin); len(seen) > 0 {
		retired.Upto = seen[len(seen)-1].High
	}
	r.forget(change, retired.Origin)
	retired.Forgotten = true
}

// forget drops an origin without a live dot from the clock.
func (r *Replica) forget(change *Change, id clock.Origin) {
	at, ok := r.place(id)
	if !ok {
		return
	}
	for _, seen := range r.clock.Of(id) {
		r.seenSum = r.seenSum.Sub(hashRange(id, seen))
	}
	r.clock.Forget(id)
	r.origins = slices.Delete(r.origins, at, at+1)
	change.Clock = append(change.Clock, id)
}

// Return has a replica whose last complete exchange is older than StaleAfter agree with the others on retired origins,
// before its first exchange: those that are not in the digest of another were forgotten by it, and so all their dots
// are gone. Rulings must be known here (Retire). If the own origin was retired, too, Renew comes first.
func (r *Replica) Return(theirs []core.Holding) (change Change) {
	for i := range r.retired {
		retired := &r.retired[i]
		o := r.of(retired.Origin)
		if o == nil || holding(theirs, o.id) != nil {
			continue
		}
		for _, object := range o.live.between(1, maxNumber) {
			r.drop(&change, object)
		}
		r.giveUp(&change, retired)
	}
	r.boundForgotten()
	return change
}

// Renew goes on under another origin, and writes again what this replica wrote above a number and holds live: under the
// old dots others may have something else, or nothing. So here they become unseen; where others do have them, the value
// stands twice until its key is written. Of a Twin that number is Confirmed; of a node that was removed, too, unless
// others know of a greater one. The origin is durable with the Change; the updates are passed on.
func (r *Replica) Renew(now time.Time, origin clock.Origin, above uint64) (updates []*core.Update, change Change, err error) {
	if len(r.origins) >= r.cfg.MaxOrigins {
		return nil, change, fmt.Errorf("%d of %d: %w", len(r.origins), r.cfg.MaxOrigins, hearsay.ErrWriters)
	}
	again := r.unsee(&change, above)
	r.cfg.Origin, r.numbers = origin, numbers{}
	for len(again) > 0 {
		n := 1
		for n < len(again) && again[n].First == again[0].First {
			n++
		}
		objects := make([]core.Object, n)
		for i, o := range again[:n] {
			objects[i] = core.Object{Key: o.Key, Value: o.Value, Expires: o.Expires}
		}
		update, one := r.write(now, objects, nil)
		updates = append(updates, update)
		change.Live, change.Reserved = append(change.Live, one.Live...), cmp.Or(one.Reserved, change.Reserved)
		again = again[n:]
	}
	if len(updates) > 0 {
		change.Clock = append(change.Clock, origin)
	}
	return updates, change, nil
}

// unsee makes the own dots above a number unseen, and gives those that were live.
func (r *Replica) unsee(change *Change, above uint64) (live []*object) {
	id := r.cfg.Origin
	o := r.of(id)
	if o == nil {
		return nil
	}
	live = o.live.between(above+1, maxNumber)
	for _, object := range live {
		r.drop(change, object)
	}
	seen := r.clock.Of(id)
	r.forget(change, id)
	if kept := clock.Without(seen, []clock.Range{{Low: above + 1, High: maxNumber}}); len(kept) > 0 {
		at, _ := r.place(id)
		r.origins = slices.Insert(r.origins, at, o)
		r.clock.AddRanges(id, kept)
		for _, k := range kept {
			r.seenSum = r.seenSum.Add(hashRange(id, k))
		}
	}
	return live
}

// Confirmed is the last own number that another had seen at a complete exchange. It is saved when Result.Equal is set,
// once in a while: what is lost of it is written again without need.
func (r *Replica) Confirmed() uint64 { return r.numbers.confirmed }
