package agent

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/dialect"
)

// echoMost is of how many rumors that came again from one node the log tells
// in a second. All are counted (hearsay.Stats.RumorDuplicates). A guess.
const echoMost = 100

// echo has the log tell of rumors that come again, as the older peers' logs do.
// There is no event of it: where rumors are flooded, most payloads come again,
// and would push all else out of the hub.
type echo struct {
	journal *journal
	limit   limiter
}

// newEcho gives nil where no log wants it.
func newEcho(j *journal) *echo {
	if j.phrases == nil || !j.logger.Enabled(context.Background(), slog.LevelInfo) {
		return nil
	}
	return &echo{j, newLimiter(echoMost)}
}

// hearAgain looks, before the node takes a packet, which of the rumors in it
// are here already. The log tells of them behind what was delivered before.
func (l *loop) hearAgain(now time.Time, m *hearsay.Rumors) {
	for i := range m.Items {
		e, held := l.node.Delivered(m.Items[i].ID)
		if !held || !bytes.Equal(e.Rumor.Data, m.Items[i].Data) || !l.echo.limit.allow(now, l.packet.Addr.Addr()) {
			continue
		}
		heard, from, addr, journal := e, l.packet.From, l.packet.Addr, l.echo.journal // kept for these only
		l.lane.afterwards(func() {
			journal.note(func(p *phrases) string { return p.again(&heard, from, addr) })
		})
	}
}

// again gives the sentence of a rumor that came again.
func (p *phrases) again(e *hearsay.Event, from hearsay.NodeID, addr netip.AddrPort) string {
	if at := p.where(from); at.IsValid() {
		addr = at
	}
	return dialect.PhraseDuplicate(p.said(e), addr)
}
