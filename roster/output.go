package roster

import (
	"net/netip"

	"hearsay"
	"hearsay/internal/core"
)

// output is what a step hands out, and what is counted.
type output struct {
	*core.Effects
	members *members
	claims  []hearsay.Claim // storage of one step's packets
	stats   *hearsay.Stats
}

// begin makes the storage of the last step free.
func (o *output) begin() {
	if o.claims = o.claims[:0]; cap(o.claims) > keptClaims {
		o.claims = nil // a roster for a newcomer; most steps have a few, or none
	}
}

// words gives as many claims with cards as one packet by stream holds. A
// suspicion is not passed on so: it travels as news, or not at all.
func (o *output) words(members []int32) []hearsay.Claim {
	start, room := len(o.claims), chunkRoom
	for _, number := range members {
		c := o.members.claim(o.members.at(number), withCard)
		if c.State == hearsay.StateSuspect {
			c.State, c.By = hearsay.StateAlive, hearsay.NodeID{}
		}
		if room -= c.WireSizeMax(); room < 0 {
			break
		}
		o.claims = append(o.claims, c)
	}
	o.stats.ClaimsOut += uint64(len(o.claims) - start)
	return o.claims[start:len(o.claims):len(o.claims)]
}

// introduce puts this node's own claim on a packet.
func (o *output) introduce(p *core.Packet) { o.attach(p, o.members.claim(o.members.self, withCard)) }

// attach puts a claim on a packet.
func (o *output) attach(p *core.Packet, c hearsay.Claim) {
	start := len(o.claims)
	o.claims = append(append(o.claims, p.Claims...), c)
	p.Claims = o.claims[start:len(o.claims):len(o.claims)]
}

// sendClaim sends one the claim about a member.
func (o *output) sendClaim(addr netip.AddrPort, m *member) { o.send(addr, o.members.claim(m, bare)) }

// answerWith answers a packet with the claim about a member.
func (o *output) answerWith(p *core.Packet, m *member) {
	o.sendClaim(p.Addr, m)
	last := &o.Send[len(o.Send)-1]
	last.Stream, last.Answer = p.Stream, true
}

func (o *output) send(addr netip.AddrPort, c hearsay.Claim) {
	start := len(o.claims)
	o.claims = append(o.claims, c)
	o.News(addr, o.claims[start:len(o.claims):len(o.claims)])
	o.stats.ClaimsOut++
}

func (o *output) event(e hearsay.Event) {
	if m := o.members.get(e.Subject); m != nil {
		e.Name = o.members.name(m)
	}
	if m := o.members.get(e.By); m != nil {
		e.ByName = o.members.name(m)
	}
	o.Events = append(o.Events, e)
}
