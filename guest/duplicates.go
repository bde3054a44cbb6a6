package guest

import (
	"bytes"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
)

// duplicatesMost is of how many rumors that came again the log tells in a second: of
// all nodes together, as each that has one can send it from any address. All are
// counted (hearsay.Stats.RumorDuplicates). A guess.
const duplicatesMost = 100

// Duplicates has the log tell of rumors that come again, as the older peers' logs do.
// There is no event of it: where rumors are flooded, most payloads come again,
// and would push all else out of the hub.
type Duplicates struct {
	host   *Host
	second int64 // Unix; the one that is counted
	told   int   // in it
}

// NewDuplicates gives what tells of them in a node's log.
func NewDuplicates(h *Host) *Duplicates { return &Duplicates{host: h} }

// allow counts one more, and reports whether the log has room for it.
func (d *Duplicates) allow(now time.Time) bool {
	if second := now.Unix(); second != d.second {
		d.second, d.told = second, 0
	}
	d.told++
	return d.told <= duplicatesMost
}

// Hear looks, before the node takes a packet, which of the rumors in it are here already. The log tells of them behind
// what was delivered before: that is when afterwards has its call made. It is called in the goroutine that owns the
// node.
func (d *Duplicates) Hear(now time.Time, p *core.Packet, m *core.Rumors, afterwards func(call func())) {
	for i := range m.Items {
		held, is := d.host.Node.Gossip().Delivered(m.Items[i].ID)
		if !is || !bytes.Equal(held.Rumor.Data, m.Items[i].Data) || !d.allow(now) {
			continue
		}
		heard, from, addr := held, p.From, p.Addr // kept for these only
		afterwards(func() {
			d.host.Note(func(p *Phrases) string { return p.again(&heard, from, addr) })
		})
	}
}

// again gives the sentence of a rumor that came again.
func (p *Phrases) again(e *hearsay.Event, from hearsay.NodeID, addr netip.AddrPort) string {
	if at := p.where(from); at.IsValid() {
		addr = at
	}
	return dialect.PhraseDuplicate(p.said(e), addr)
}
