package node

import (
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
	"hearsay/overlay"
	"hearsay/quota"
	"hearsay/roster"
)

// This file has a node to which datagrams do not come (detect/paths.go) tell so to its links, and to
// each member that answers its probes, and has all packets go by stream that would be lost otherwise.

// deafness is whether datagrams come to a node.
type deafness struct {
	id        hearsay.NodeID
	roster    *roster.Roster
	detect    *detect.Detector
	overlay   *overlay.Overlay
	addresses *Addresses
	stats     *hearsay.Stats
	out       *core.Effects
	is        bool // no datagrams come
}

// note looks whether datagrams come to this node.
func (d *deafness) note(now time.Time) {
	_, deaf := d.detect.IsDeaf()
	if deaf == d.is {
		return
	}
	if d.is = deaf; !deaf {
		d.out.Events = append(d.out.Events, hearsay.Event{At: now, Kind: hearsay.EventHears, Subject: d.id})
		return
	}
	d.out.Events = append(d.out.Events, hearsay.Event{At: now, Kind: hearsay.EventDeaf, Subject: d.id})
	for _, id := range d.overlay.Links() {
		d.say(id)
	}
}

// say tells a member that this node wants everything by stream, if it does.
func (d *deafness) say(id hearsay.NodeID) {
	if addr, listed := d.roster.Addr(id); listed && d.is {
		d.out.Now = append(d.out.Now, core.Packet{Addr: addr, Stream: true, Body: &core.Deaf{}})
	}
}

// take takes such a word from a member, by stream, which proves the IP address.
func (d *deafness) take(p *core.Packet) {
	addr, listed := d.roster.Addr(p.From)
	switch {
	case !p.Stream:
		d.stats.Drops[hearsay.DropUnexpected]++
	case !listed || d.addresses.Sender(p).Class == quota.Stranger:
		d.stats.Drops[hearsay.DropStranger]++
	default:
		d.detect.Deaf(addr)
	}
}

// isDeaf reports whether no datagrams come to this node.
func (d *deafness) isDeaf() bool { return d.is }

// lasts is for how many seconds no datagrams have come to this node; 0: they do.
func (d *deafness) lasts(now time.Time) float64 {
	if since, deaf := d.detect.IsDeaf(); deaf {
		return now.Sub(since).Seconds()
	}
	return 0
}
