package node

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file has a peer whose disk has failed leave, so that the others need not find out that it is gone. Nothing
// more becomes durable: what would have to be is not sent, nor told, and is not acknowledged. A leave promises
// nothing, but the incarnation for which it is signed must be durable: the next life may use it otherwise.

// lostDiskFor is how long such a peer has at most to leave: the others find a dead one in about that time. A guess.
const lostDiskFor = 3 * time.Second

// raisedBefore is how long before the oldest record that was lost an incarnation was raised that is surely durable: a
// driver notes the time of a record a moment after the step that it is of. A guess: longer than any step takes.
const raisedBefore = time.Second

// lostDisk is what has become of a node's disk.
type lostDisk struct {
	at     time.Time // when it failed; zero: it has not
	raised time.Time // when this node raised its incarnation last
}

func (d *lostDisk) is() bool { return !d.at.IsZero() }

// over reports whether the node has had its time to leave.
func (d *lostDisk) over(now time.Time) bool { return d.is() && !now.Before(d.at.Add(lostDiskFor)) }

// note looks at what a step wants durable, and takes out of the step what must be durable first, where nothing
// will be. Of events only those of the leave are told: any other may rest on one that was not.
func (d *lostDisk) note(now time.Time, self hearsay.NodeID, out *core.Effects) {
	for _, r := range out.Persist {
		if _, raised := r.(*core.OwnIncarnation); raised {
			d.raised = now
		}
	}
	if !d.is() {
		return
	}
	if len(out.Persist) > 0 {
		out.Persist, out.Send, out.Events = out.Persist[:0], out.Send[:0], out.Events[:0]
	}
	out.Events = slices.DeleteFunc(out.Events, func(e hearsay.Event) bool {
		leaves := e.Kind == hearsay.EventMemberLeft && e.Subject == self
		return !leaves && e.Kind != hearsay.EventLeaving && e.Kind != hearsay.EventLeaveFailed
	})
}

// LoseDisk is told that records could not be made durable, of which the oldest has waited since a time. A peer leaves
// then, and its driver carries out its steps until it has Gone; what it was given to carry out before, and has not,
// it drops. If leaves is false the process must stop at once: that of a seed, which is one by configuration; of a
// node that is ending already, and has told so; and of one whose incarnation may be among what is lost.
func (n *Node) LoseDisk(now, since time.Time) (fx *core.Effects, leaves bool) {
	if n.seeded.seat != nil || n.gone() || n.awayTold > 0 || !n.lost.raised.Before(since.Add(-raisedBefore)) {
		return nil, false
	}
	n.lost.at = now
	return n.Leave(now), true
}
