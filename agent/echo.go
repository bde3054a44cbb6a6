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

// echoMost is of how many rumors that came again the log tells in a second: of
// all nodes together, as each that has one can send it from any address. All are
// counted (hearsay.Stats.RumorDuplicates). A guess.
const echoMost = 100

// echo has the log tell of rumors that come again, as the older peers' logs do.
// There is no event of it: where rumors are flooded, most payloads come again,
// and would push all else out of the hub.
type echo struct {
	journal *journal
	second  int64 // Unix; the one that is counted
	told    int   // in it
}

// newEcho gives nil where no log wants it.
func newEcho(j *journal) *echo {
	if j.phrases == nil || !j.logger.Enabled(context.Background(), slog.LevelInfo) {
		return nil
	}
	return &echo{journal: j}
}

// allow counts one more, and reports whether the log has room for it.
func (e *echo) allow(now time.Time) bool {
	if second := now.Unix(); second != e.second {
		e.second, e.told = second, 0
	}
	e.told++
	return e.told <= echoMost
}

// hearAgain looks, before the node takes a packet, which of the rumors in it
// are here already. The log tells of them behind what was delivered before.
func (l *loop) hearAgain(now time.Time, m *hearsay.Rumors) {
	for i := range m.Items {
		e, held := l.node.Delivered(m.Items[i].ID)
		if !held || !bytes.Equal(e.Rumor.Data, m.Items[i].Data) || !l.echo.allow(now) {
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
