package node

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/overlay"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
)

// Say tells everybody a message of this node's own, or, if a guest is given, what that has said to it: then the name is
// zero if it was heard before. The data are copied; they
// are 1 to hearsay.MaxRumorData bytes, or the error says what is wrong; it is
// hearsay.ErrDiskBehind while the disk is too slow: see DiskWaits.
func (n *Node) Say(now time.Time, guest hearsay.NodeID, data []byte) (clock.Dot, *core.Effects, error) {
	n.begin(now)
	if n.backlog.behind(now) || n.lost.is() {
		return clock.Dot{}, n.settle(now), hearsay.ErrDiskBehind
	}
	id, err := n.rumors.Say(now, guest, data)
	return id, n.settle(now), err
}

// Gossip is a node's links and rumors, as far as both speak of members.
type Gossip struct {
	roster  *roster.Roster
	seeded  *Seeded
	overlay *overlay.Overlay
	rumors  *rumor.Rumors
	store   *spread.Store // nil: a seed has none
	stats   *hearsay.Stats
	catchUp catchUp
	// values whose time was over up to then are told
	endedUpto time.Time
	out       *core.Effects
	writers   writers // of the store
	abroad    bool    // see guest
}

// Names gives the names of the youngest rumors held, at most limit of
// them, the newest last.
func (g *Gossip) Names(limit int) []clock.Dot { return g.rumors.Names(limit) }

// Take gives the first of the rumors named that are still held, each as
// the EventRumor with which it was delivered, until their data come to bytesMax or
// they are countMax, and the names that are left.
func (g *Gossip) Take(names []clock.Dot, countMax, bytesMax int) (events []hearsay.Event, left []clock.Dot) {
	for size := 0; len(names) > 0 && len(events) < countMax && size < bytesMax; names = names[1:] {
		if e, held := g.rumors.Delivered(names[0]); held {
			nameMembers(g.roster, &e)
			events = append(events, e)
			size += len(e.Rumor.Data)
		}
	}
	return events, names
}

// Delivered gives a rumor that is held, as Take does.
func (g *Gossip) Delivered(id clock.Dot) (e hearsay.Event, held bool) { return g.rumors.Delivered(id) }

// Seen gives the names of all rumors that this node has ever seen, and
// the hash that rides on pings. They are read only, and valid until the next call.
func (g *Gossip) Seen() (seen *clock.Context, hash uint64) {
	return g.rumors.Context(), g.rumors.Hash()
}

// Knows reports whether a node is listed here, in whatever state: rumors of
// others are refused.
func (g *Gossip) Knows(id hearsay.NodeID) bool { return g.roster.Known(id) }

// Links gives this node's neighbors, ordered by NodeID; valid until the next
// call.
func (g *Gossip) Links() []hearsay.NodeID { return g.overlay.Links() }

// Chart gives what this node can tell of the links of all.
func (g *Gossip) Chart() overlay.Chart { return g.overlay.Chart(g.links) }

// receive routes what concerns rumors and links.
func (g *Gossip) receive(now time.Time, p *core.Packet) {
	if g.seeded.seat != nil {
		g.stats.Drops[hearsay.DropMisdirected]++ // seeds carry none
		return
	}
	if !g.speaksWith(p.From) {
		g.stats.Drops[hearsay.DropStranger]++
		return
	}
	switch m := p.Body.(type) {
	case *core.Rumors:
		g.askOrigins(now, p, m)
		g.rumors.Rumors(now, p, m)
	case *core.IHave:
		g.rumors.IHave(now, p, m)
	case *core.Graft:
		g.rumors.Graft(now, p, m)
	case *core.Place:
		g.rumors.Place(now, p, m)
		g.overlay.Disown(now, p.From)
	case *core.Heard:
		g.rumors.Heard(now, p, m)
	case *core.Seen:
		g.rumors.Seen(now, p, m)
	case *core.Update:
		g.store.Update(now, p, m)
	case *core.Sync:
		if g.store.Sync(now, p, m) {
			g.compared(now, p, m)
		}
	case *core.Fetch:
		g.store.Fetch(now, p, m)
	case *core.Part:
		if whole := g.store.Part(now, p, m); whole != nil {
			g.compared(now, p, whole)
		}
	case *core.Hello:
		g.overlay.Hello(now, p, m)
	case *core.HelloAck:
		g.overlay.HelloAck(now, p, m)
	case *core.Unlink:
		g.overlay.Unlink(now, p, m)
	}
}

// askOrigins asks the sender for the members whose rumors it passes on, or says to be
// gone, and that are unknown here. Rosters compare the living only, so a node that starts
// after an origin has died or left may never hear of it, and its rumors are refused
// until then. A Seen needs no such question: what is in it, its sender tells, or
// says that it is gone.
func (g *Gossip) askOrigins(now time.Time, p *core.Packet, m *core.Rumors) {
	var strangers []hearsay.NodeID
	var last hearsay.NodeID // of most packets the origin is one
	look := func(id hearsay.NodeID) {
		if id == last || len(strangers) == roster.AskMost {
			return
		}
		if last = id; !g.known(id) && !slices.Contains(strangers, id) {
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
		g.roster.Ask(now, p, strangers)
	}
}

// guest reports whether a node is a guest. Abroad, where an earlier program's seeds say which guests there are, the
// driver knows, and its word is all that there is: another member may know of one sooner.
func (g *Gossip) guest(id hearsay.NodeID) bool { return g.abroad || g.roster.Guest(id) }

// links reports whether a member has links and passes on rumors: seeds do not,
// and guests do not speak as we do.
func (g *Gossip) links(id hearsay.NodeID) bool {
	return g.seeded.authority == nil || !g.seeded.isSeed(id) && !g.roster.Guest(id)
}

// carries reports whether a member passes on rumors, and this node does once it
// is in.
func (g *Gossip) carries(id hearsay.NodeID) bool { return g.seeded.seat == nil && g.links(id) }

// speaksWith reports whether rumors and links are spoken of with another: in a
// seeded network both must be in by the ledger. Gossip makes no member, so a node that
// was one, and that everybody still knows, is not heard either. What it says it keeps,
// and its neighbors get it by comparing once it is let in.
func (g *Gossip) speaksWith(id hearsay.NodeID) bool {
	s := g.seeded
	if s.authority == nil {
		return true
	}
	_, in := s.authority.Member(id)
	return in && s.stay.Epoch != 0
}

// drawMost is how often a member is drawn until it is none that carries no
// rumors.
const drawMost = 8

// draw gives a random living member that passes on rumors, if there is one, and
// this node may.
func (g *Gossip) draw() (id hearsay.NodeID, ok bool) {
	if g.seeded.authority != nil && g.seeded.stay.Epoch == 0 {
		return id, false
	}
	for range drawMost {
		if id, ok = g.roster.Draw(); !ok || g.carries(id) {
			return id, ok
		}
	}
	return id, false
}

// neighbors gives the addresses of this node's links or, as long as it is not in,
// of those that it would have: the ledger is for all.
func (g *Gossip) neighbors() (addrs []netip.AddrPort) {
	links := g.overlay.Links()
	if g.seeded.stay.Epoch == 0 {
		links = g.overlay.Around()
	}
	for _, id := range links {
		if addr, ok := g.roster.Addr(id); ok {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// known reports whether a node is a member in any state, or was one before this
// node's time: what it said may still be told.
func (g *Gossip) known(id hearsay.NodeID) bool {
	return g.roster.Known(id) || g.seeded.follower != nil && g.seeded.follower.Departed(id)
}
