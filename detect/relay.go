package detect

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/quota"
)

// maxRelayedEach is how many pings are under way in the place of one asker, which has one probe at a time.
const maxRelayedEach = 4

// maxRelayed is how many pings are under way in others' place, for each class of askers. A guess: strangers have least,
// since few that have heard of a member are no members themselves; seats are few.
var maxRelayed = [...]int{quota.Stranger: 16, quota.Member: 36, quota.Seat: 12}

// relaying is what this node does as a relay of others' probes.
type relaying struct {
	*shared
	pings []relayed
}

// relayed is a ping under way in the place of asker.
type relayed struct {
	asker  core.Packet // where to answer; its body is not kept
	from   quota.Sender
	askSeq uint64
	target hearsay.NodeID
	seq    uint64
	began  time.Time
	ends   time.Time
}

// RelayReq pings a member in the asker's place. It reports false if the target is no living member, or the share of its
// sender is used up.
func (r *relaying) RelayReq(now time.Time, p *core.Packet, m *core.RelayReq) (drop hearsay.Drop, ok bool) {
	addr, known := r.directory.Addr(m.Target)
	if !known {
		// The asker has not heard of its death. Silence would cost it its trust in itself, and with it the right to condemn.
		r.nack(p, m.Seq)
		return hearsay.DropStranger, false
	}
	from := r.directory.sender(p)
	each, class := 0, 0
	for i := range r.pings {
		if r.pings[i].from == from {
			each++
		}
		if r.pings[i].from.Class == from.Class {
			class++
		}
	}
	switch {
	case each >= maxRelayedEach:
		return hearsay.DropRate, false
	case class >= maxRelayed[from.Class]:
		return hearsay.DropTableFull, false
	}
	ping := relayed{
		asker: core.Packet{Addr: p.Addr, Stream: p.Stream}, from: from, askSeq: m.Seq,
		target: m.Target, seq: r.seq(), began: now, ends: now.Add(r.detector.measurements.patience(m.Target)),
	}
	r.pings = append(r.pings, ping)
	r.out.Ping(addr, ping.seq, m.Target)
	return 0, true
}

// ack takes an answer, and passes it on to the asker.
func (r *relaying) ack(now time.Time, p *core.Packet, seq uint64) (ok bool) {
	i := slices.IndexFunc(r.pings, func(r relayed) bool { return r.seq == seq && r.target == p.From })
	if i < 0 {
		return false
	}
	ping := r.pings[i]
	r.pings = slices.Delete(r.pings, i, i+1)
	if !p.Stream {
		r.detector.measurements.measure(p.From, now.Sub(ping.began))
	}
	r.out.Ack(&ping.asker, ping.askSeq)
	return true
}

// notMe passes on that another identity answers at the target's address.
func (r *relaying) notMe(seq uint64) (ok bool) {
	i := slices.IndexFunc(r.pings, func(r relayed) bool { return r.seq == seq })
	if i < 0 {
		return false
	}
	ping := r.pings[i]
	r.pings = slices.Delete(r.pings, i, i+1)
	// As every NotMe it carries its sender's own claim; see Ping.
	r.out.Send = append(r.out.Send, ping.asker.Reply(&core.NotMe{Seq: ping.askSeq}))
	return true
}

// due gives when tick must be called next, at most at.
func (r *relaying) due(at time.Time) time.Time {
	for i := range r.pings {
		at = when.Earlier(at, r.pings[i].ends)
	}
	return at
}

// tick tells the askers of targets that did not answer.
func (r *relaying) tick(now time.Time) {
	r.pings = slices.DeleteFunc(r.pings, func(ping relayed) bool {
		if now.Before(ping.ends) {
			return false
		}
		r.nack(&ping.asker, ping.askSeq)
		return true
	})
}

// nack says that this node is well, and the target does not answer it.
func (r *relaying) nack(asker *core.Packet, seq uint64) {
	r.out.Now = append(r.out.Now, asker.Reply(&core.Nack{Seq: seq}))
}
