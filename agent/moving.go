package agent

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"
)

// moveEvery is how often a node that is bound to all addresses looks at whether its machine has
// the address that it tells others. A guess: others suspect it after some seconds.
const moveEvery = 5 * time.Second

// moving is the address that a node tells others, where it is the node that chooses it.
type moving struct {
	bound  netip.AddrPort
	join   []address
	tells  netip.AddrPort // what others are told
	routed bool           // by the route to others, and not because an interface has it
	lost   int            // looks, one after the other, that found neither the address nor a route
}

// lostMost is how many looks a node waits for a route before it takes the address of any
// interface: a link that goes and comes back takes its route with it. A guess.
const lostMost = 3

// unreachedMost is for how long nobody may have reached a node at its address before the one of the
// route to others counts for more. A guess: each member is pinged once a second in the mean.
const unreachedMost = 10 * time.Second

// look chooses anew, and reports whether that is another address. One that the machine still
// has stays, unless it was taken only because there was no route, or nobody reaches it: the network may
// come up after the node, and the machine may have had a route that leads nowhere.
func (m *moving) look(ctx context.Context, who lookout) (changed bool) {
	has := isOnMachine(m.tells.Addr())
	ip, byRoute := routed(ctx, m.bound.Addr(), m.join, who.others)
	if has && (m.routed && who.unreached < unreachedMost || !byRoute) {
		m.lost = 0
		return false
	}
	if m.lost++; !byRoute {
		if m.lost < lostMost {
			return false
		}
		var ok bool
		if ip, ok = interfaceAddr(m.bound.Addr()); !ok {
			return false
		}
	}
	m.routed, m.lost = byRoute, 0
	changed = ip != m.tells.Addr()
	m.tells = netip.AddrPortFrom(ip, m.bound.Port())
	return changed
}

// home is the address that others are told, and whether this machine has it.
type home struct {
	addr netip.AddrPort
	has  func(netip.Addr) bool
	gone atomic.Int64 // since when it has not, Unix nanoseconds; 0: it has
}

// isWatched reports whether an address may go, and was there: not one of another machine,
// which passes on what comes to it, nor of loopback.
func (h *home) isWatched() bool { return !h.addr.Addr().IsLoopback() && h.has(h.addr.Addr()) }

// look reports whether it is another way than at the last look.
func (h *home) look(now time.Time) (changed bool) {
	switch has := h.has(h.addr.Addr()); {
	case has == (h.gone.Load() == 0):
		return false
	case has:
		h.gone.Store(0)
	default:
		h.gone.Store(now.UnixNano())
	}
	return true
}

// goneFor is for how long the machine has not had the address.
func (h *home) goneFor(now time.Time) time.Duration {
	since := h.gone.Load()
	if since == 0 {
		return 0
	}
	return max(1, now.Sub(time.Unix(0, since)))
}

// follow has the node move as its machine does, if it chooses its address, and tells when the
// machine does not have it, until ctx ends.
func (a *Agent) follow(ctx context.Context) {
	watched := a.moving != nil || a.home.isWatched()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(moveEvery):
		}
		who := a.reached(ctx)
		a.tellStreams(who.streams)
		if a.tellUnreached(who.wrong); a.moving != nil && a.moving.look(ctx, who) {
			addr := a.moving.tells
			a.home.addr = addr
			a.cfg.Logger.Warn("This machine has another address; others are told", "addr", addr.String())
			a.source.set(sourceOf(a.moving.bound.Addr(), addr.Addr()))
			a.inbox.put(func(now time.Time) { a.loop.carryOut(a.loop.node.MoveTo(now, addr)) })
		}
		switch {
		case !watched || !a.home.look(time.Now()):
		case a.home.goneFor(time.Now()) > 0:
			a.cfg.Logger.Warn("This machine does not have this node's address any more: others cannot reach it", "addr", a.home.addr.String())
		default:
			a.cfg.Logger.Info("This machine has this node's address again", "addr", a.home.addr.String())
		}
	}
}

// towardsMost is towards how many contacts, and members, a node looks for its own address. A guess:
// mostly all are reached the same way.
const towardsMost = 4

// lookout is what a node knows of who reaches it.
type lookout struct {
	others    []netip.AddrPort // who is to
	unreached time.Duration    // for how long no member has
	wrong     bool             // nobody does, though others answer it
	streams   bool             // none gets through, though datagrams do
}

// reached asks the node who reaches it; it knows of nobody any more once ctx has ended.
func (a *Agent) reached(ctx context.Context) lookout {
	answer := make(chan lookout, 1)
	asked := a.inbox.put(func(now time.Time) {
		n := a.loop.node
		others := n.Towards(towardsMost)
		if from := a.streams.from.Load(); from != nil { // of a first member, which has no contacts
			others = append(others, *from)
		}
		stats := n.Stats()
		a.noteDials(&stats)
		answer <- lookout{others, n.Unreached(now), stats.Unreached > 0, stats.StreamsFail > 0}
	})
	if !asked {
		return lookout{}
	}
	select {
	case l := <-answer:
		return l
	case <-ctx.Done():
		return lookout{}
	}
}

// tellStreams logs once that no stream gets through, and once that they do again.
func (a *Agent) tellStreams(fail bool) {
	if fail == a.streamless {
		return
	}
	if a.streamless = fail; fail {
		a.cfg.Logger.Error("Streams (TCP) do not get through from this node to others, though datagrams (UDP) of theirs come in: what is longer than a datagram is lost", "addr", a.home.addr.String(), "hint", "let TCP through to this node's port, and from it")
	} else {
		a.cfg.Logger.Info("Streams (TCP) get through again, or none is tried", "addr", a.home.addr.String())
	}
}

// tellUnreached logs once that nobody reaches this node, and once that somebody does again.
func (a *Agent) tellUnreached(wrong bool) {
	if wrong == a.unreached {
		return
	}
	if a.unreached = wrong; wrong {
		a.cfg.Logger.Error("Nobody reaches this node at its address, though others answer it", "addr", a.home.addr.String(), "hint", "start it with --advertise and an address at which others reach it")
	} else {
		a.cfg.Logger.Info("Others reach this node again", "addr", a.home.addr.String())
	}
}
