package guest

import (
	"net/netip"

	"hearsay"
	"hearsay/dialect"
)

// TextStyle is which of the two earlier programs that speak text a log is written like.
type TextStyle uint8

// The styles. A seed's log differs in one word.
const (
	StyleP0 TextStyle = iota + 1
	StyleP2
)

// TextLog gives what happens in a network with seeds as the lines of the logs of the earlier programs that speak text,
// which scripts read: of a seed the peers that came in and the deaths that were reported, of a peer the list that it
// was given, each rumor that it has heard, and the deaths that it has reported. Only one goroutine uses it at a time.
type TextLog struct {
	style   TextStyle
	network hearsay.NetworkID
	phrases *Phrases
	peers   func() []netip.AddrPort // all that are in; called in the goroutine that writes the log
}

// NewTextLog gives that of a node, which has phrases, too.
func NewTextLog(style TextStyle, network hearsay.NetworkID, p *Phrases, peers func() []netip.AddrPort) *TextLog {
	return &TextLog{style, network, p, peers}
}

// Lines gives the lines of an event; mostly none.
func (t *TextLog) Lines(e *hearsay.Event) (lines []string) {
	p := t.phrases
	seed := p.role == hearsay.RoleSeed
	switch {
	case e.Before:
	case seed && e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit:
		words := "Received Connection -- "
		if t.style == StyleP0 {
			words = "Received Connection from "
		}
		return []string{words + p.subject(e).String()}
	case seed && e.Kind == hearsay.EventCaseOpened && !e.Addr.IsValid() && e.Epoch > 0:
		return []string{t.death(e, p.reporter(e))}
	case seed:
	case e.Kind == hearsay.EventJoined:
		for _, peer := range t.peers() {
			if peer != p.addr {
				lines = append(lines, peer.String())
			}
		}
		return append(lines, p.addr.String())
	case e.Kind == hearsay.EventRumor && e.Subject != p.own:
		return []string{textOf(t.network, e, p.where(e.Subject))}
	case e.Kind == hearsay.EventCondemned:
		return []string{t.death(e, p.addr)}
	}
	return nil
}

// death gives the line of a death that was reported.
func (t *TextLog) death(e *hearsay.Event, by netip.AddrPort) string {
	return string(dialect.AppendDeath(nil, t.phrases.subject(e), by.Addr(), e.At))
}
