package node

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/overlay"
	"hearsay/roster"
)

// Say tells everybody a message of this node's own. The data are copied; they
// are 1 to hearsay.MaxRumorData bytes, or the error says what is wrong; it is
// hearsay.ErrDiskBehind while the disk is too slow: see DiskWaits.
func (n *Node) Say(now time.Time, data []byte) (clock.Dot, *hearsay.Effects, error) {
	n.begin(now)
	if n.diskBehind() {
		return clock.Dot{}, n.settle(now), hearsay.ErrDiskBehind
	}
	id, err := n.rumors.Say(now, data)
	return id, n.settle(now), err
}

// RumorNames appends the names of the youngest rumors held, at most limit of
// them, the newest last.
func (n *Node) RumorNames(dst []clock.Dot, limit int) []clock.Dot {
	return n.rumors.Names(dst, limit)
}

// TakeRumors appends the first of the rumors named that are still held, each as
// the EventRumor with which it was delivered, until their data come to bytesMax or
// they are countMax, and gives the names that are left.
func (n *Node) TakeRumors(dst []hearsay.Event, names []clock.Dot, countMax, bytesMax int) (events []hearsay.Event, left []clock.Dot) {
	for size := 0; len(names) > 0 && len(dst) < countMax && size < bytesMax; names = names[1:] {
		if e, held := n.rumors.Delivered(names[0]); held {
			n.name(&e)
			dst = append(dst, e)
			size += len(e.Rumor.Data)
		}
	}
	return dst, names
}

// Delivered gives a rumor that is held, as Rumors does.
func (n *Node) Delivered(id clock.Dot) (e hearsay.Event, held bool) { return n.rumors.Delivered(id) }

// SeenRumors gives the names of all rumors that this node has ever seen, and
// the hash that rides on pings. They are read only, and valid until the next call.
func (n *Node) SeenRumors() (seen *clock.Context, hash uint64) {
	return n.rumors.Context(), n.rumors.Hash()
}

// Knows reports whether somebody is listed here, in whatever state: rumors of
// others are refused.
func (n *Node) Knows(id hearsay.NodeID) bool { return n.roster.Known(id) }

// Links gives this node's neighbors, ordered by NodeID; valid until the next
// call.
func (n *Node) Links() []hearsay.NodeID { return n.overlay.Links() }

// Chart gives what this node can tell of the links of all.
func (n *Node) Chart() overlay.Chart { return n.overlay.Chart(n.links) }

// receiveRumors routes what concerns rumors and links.
func (n *Node) receiveRumors(now time.Time, p *hearsay.Packet) {
	if n.seeded.seat != nil {
		n.drops[hearsay.DropMisdirected]++ // seeds carry none
		return
	}
	if !n.gossips(p.From) {
		n.drops[hearsay.DropStranger]++
		return
	}
	switch m := p.Body.(type) {
	case *hearsay.Rumors:
		n.askOrigins(now, p, m)
		n.rumors.Rumors(now, p, m)
	case *hearsay.IHave:
		n.rumors.IHave(now, p, m)
	case *hearsay.Graft:
		n.rumors.Graft(now, p, m)
	case *hearsay.Place:
		n.rumors.Place(now, p, m)
		n.overlay.Disown(now, p.From)
	case *hearsay.Heard:
		n.rumors.Heard(now, p, m)
	case *hearsay.Seen:
		n.rumors.Seen(now, p, m)
	case *hearsay.Hello:
		n.overlay.Hello(now, p, m)
	case *hearsay.HelloAck:
		n.overlay.HelloAck(now, p, m)
	case *hearsay.Unlink:
		n.overlay.Unlink(now, p, m)
	}
}

// askOrigins asks who passes on rumors of origins that are unknown here, or says
// that they are gone, who these are. Rosters compare the living only, so who starts
// after an origin has died or left may never hear of it, and its rumors are refused
// until then. A Seen needs no such question: what is in it, its sender tells, or
// says that it is gone.
func (n *Node) askOrigins(now time.Time, p *hearsay.Packet, m *hearsay.Rumors) {
	var strangers []hearsay.NodeID
	var last hearsay.NodeID // of most packets the origin is one
	look := func(id hearsay.NodeID) {
		if id == last || len(strangers) == roster.AskMost {
			return
		}
		if last = id; !n.known(id) && !slices.Contains(strangers, id) {
			strangers = append(strangers, id)
		}
	}
	for i := range m.Items {
		look(m.Items[i].Origin())
	}
	for i := range m.Missed {
		look(hearsay.NodeID(m.Missed[i].Origin))
	}
	if len(strangers) > 0 {
		n.roster.Ask(now, p, strangers)
	}
}
