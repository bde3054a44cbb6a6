package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
	"hearsay/wire"
)

// The limits on guests: members that speak only the older programs' lines.
const (
	// ProbesMax is how many guests are asked at a time; a ping to one more is lost. A guess.
	ProbesMax = 64

	guestPingsMax = 64      // pings that one question answers
	guestAddrsMax = 1 << 13 // addresses remembered at which a guest is or was

	// How long a question may take, from dialling to the reply.
	probeSeedTimeout = 1800 * time.Millisecond // of a seed, as the older seeds have it
	probePeerTimeout = 2 * time.Second         // of a peer, as the older peers have it
)

// Probes ask nodes that do not understand a ping a question that they do: a
// guest that answers it in time is alive, and one that merely accepts
// connections is not. The answer is handed to the node as that of all pings
// that it got meanwhile.
type Probes struct {
	host *Host
	own  netip.AddrPort
	hand func(*core.Packet)
	// gives the node of ours at an address, in the goroutine that owns the node
	ours func(netip.AddrPort) (hearsay.NodeID, bool)

	// Of the goroutine that owns the node: where guests are, or were until lately. They are sent
	// nothing of ours.
	addrs map[netip.AddrPort]struct{}

	ctx    context.Context // ends with close
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu     sync.Mutex
	asking map[hearsay.NodeID][]uint64 // by guest that is asked, the pings that wait for it
}

// NewProbes gives those of a node at an address; what answers a ping is handed to the node by hand, in any goroutine.
func NewProbes(h *Host, own netip.AddrPort, hand func(*core.Packet)) *Probes {
	g := &Probes{
		host: h, own: own, hand: hand,
		addrs: make(map[netip.AddrPort]struct{}), asking: make(map[hearsay.NodeID][]uint64),
	}
	g.ours = func(addr netip.AddrPort) (hearsay.NodeID, bool) { return h.Node.Addresses().KeyedAt(addr) }
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// Close gives up all questions, and returns when nothing runs any more.
func (g *Probes) Close() {
	g.cancel()
	g.wait.Wait()
}

// Takes reports whether a packet is to a guest, and sees to it. A ping to
// another identity is to a node that has come to a guest's address: it must answer before
// it is in.
func (g *Probes) Takes(p *core.Packet) bool {
	if ping, ok := p.Body.(*core.Ping); ok && !ping.Target.IsZero() {
		speaks := core.GuestDialect(g.host.Network, p.Addr, ping.Target)
		if speaks == 0 {
			return false
		}
		g.met(p.Addr)
		g.ask(p.Addr, ping, speaks)
		return true
	}
	_, guest := g.addrs[p.Addr]
	return guest
}

// met remembers that a guest is at an address.
func (g *Probes) met(addr netip.AddrPort) {
	if _, known := g.addrs[addr]; !known && len(g.addrs) >= guestAddrsMax {
		clear(g.addrs) // those that are still here are met again at the next ping
	}
	g.addrs[addr] = struct{}{}
}

// Note learns from what happened where guests are.
func (g *Probes) Note(e *hearsay.Event) {
	switch {
	case e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit && e.Ruling.Key.IsZero():
		g.met(e.Ruling.Claim.Card.Addr)
	case e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit:
		delete(g.addrs, e.Ruling.Claim.Card.Addr)
	case e.Kind == hearsay.EventMemberMoved:
		delete(g.addrs, e.Addr) // only a node that has a key can say so
	}
}

// ask asks a guest whether it answers, unless it is being asked. Where a node of ours is it is not: that would answer
// as it does.
func (g *Probes) ask(to netip.AddrPort, ping *core.Ping, speaks core.Dialect) {
	var other hearsay.NodeID
	if speaks == core.Text {
		other, _ = g.ours(to)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	id := ping.Target
	pings, asking := g.asking[id]
	if len(pings) >= guestPingsMax || !asking && len(g.asking) >= ProbesMax {
		return
	}
	g.asking[id] = append(pings, ping.Seq)
	if asking {
		return
	}
	g.wait.Go(func() {
		var answer func(seq uint64) *core.Packet
		if !other.IsZero() {
			answer = func(seq uint64) *core.Packet { return &core.Packet{From: other, Addr: to, Body: &core.NotMe{Seq: seq}} }
		} else {
			answer = g.answers(id, to, speaks)
		}
		g.mu.Lock()
		pings := g.asking[id]
		delete(g.asking, id)
		g.mu.Unlock()
		for _, seq := range pings {
			if p := answer(seq); p != nil {
				g.hand(p)
			}
		}
	})
}

// answers asks a guest whether it answers, and gives what answers a ping: its Ack if
// it does in time, whatever it says. But one that has facts is no guest: a
// node of ours has come to its address. Nil is silence.
func (g *Probes) answers(id hearsay.NodeID, to netip.AddrPort, speaks core.Dialect) func(seq uint64) *core.Packet {
	facts, err := g.exchange(to, speaks)
	return func(seq uint64) *core.Packet {
		switch {
		case err != nil:
			return nil
		case len(facts) == 0:
			return &core.Packet{From: id, Addr: to, Body: &core.Ack{Seq: seq}}
		}
		p := &core.Packet{}
		if _, ok := wire.NewDecoder(g.host.Network).Decode(facts, p); !ok {
			return nil // of another network, which has no members of this one
		}
		return &core.Packet{From: p.From, Addr: to, Body: &core.NotMe{Seq: seq}}
	}
}

// factsOf is what a node of ours says where it may be taken for a guest: that it is none. It is never taken for the
// answer to a ping, which has a number.
func factsOf(network hearsay.NetworkID, id hearsay.NodeID) []byte {
	return wire.AppendPacket(nil, network, &core.Packet{From: id, Body: &core.NotMe{}})
}

// timeout is how long a question may take.
func (g *Probes) timeout() time.Duration {
	if g.host.Role == hearsay.RoleSeed {
		return probeSeedTimeout
	}
	return probePeerTimeout
}

// exchange sends the question and gives what comes back.
func (g *Probes) exchange(to netip.AddrPort, speaks core.Dialect) (facts []byte, err error) {
	ctx, cancel := context.WithTimeout(g.ctx, g.timeout())
	defer cancel()
	if speaks == core.Text {
		return nil, g.host.isAlive(ctx, to)
	}
	return g.host.ask(ctx, to, dialect.AppendProbe(nil, g.own, time.Now()))
}

// ask sends a guest a line. Any answer that can be understood says that it is there, and may have facts of ours.
func (h *Host) ask(ctx context.Context, to netip.AddrPort, line []byte) (facts []byte, err error) {
	answer, err := h.call(ctx, to, line)
	if err != nil {
		return nil, err
	}
	return dialect.ReadProbed(answer)
}

// knows reports whether facts are those of a node of this network.
func (h *Host) knows(facts []byte) bool {
	_, ok := wire.NewDecoder(h.Network).Decode(facts, &core.Packet{})
	return ok && len(facts) > 0
}

// errNoConnection says that nothing accepts connections there, or not in time. A program that hangs is connected to by
// its kernel.
var errNoConnection = errors.New("no connection")

// call sends a line by a connection of its own, and gives the line that comes back.
func (h *Host) call(ctx context.Context, to netip.AddrPort, line []byte) (answer []byte, err error) {
	conn, err := h.Dial(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoConnection, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write(line); err != nil {
		return nil, err
	}
	return readLine(bufio.NewReader(conn), dialect.ReplyLineMax)
}
