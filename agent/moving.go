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

// look chooses anew, and reports whether that is another address. One that the machine still
// has stays, unless it was taken only because there was no route: the network may come up after
// the node.
func (m *moving) look(ctx context.Context) (changed bool) {
	has := isOnMachine(m.tells.Addr())
	ip, byRoute := routed(ctx, m.bound.Addr(), m.join)
	if has && (m.routed || !byRoute) {
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
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(moveEvery):
		}
		if a.moving != nil && a.moving.look(ctx) {
			addr := a.moving.tells
			a.home.addr = addr
			a.cfg.Logger.Warn("This machine has another address; others are told", "addr", addr.String())
			a.source.set(sourceOf(a.moving.bound.Addr(), addr.Addr()))
			a.inbox.put(func(now time.Time) { a.loop.carryOut(a.loop.node.MoveTo(now, addr)) })
		}
		switch {
		case !a.home.look(time.Now()):
		case a.home.goneFor(time.Now()) > 0:
			a.cfg.Logger.Warn("This machine does not have this node's address any more: others cannot reach it", "addr", a.home.addr.String())
		default:
			a.cfg.Logger.Info("This machine has this node's address again", "addr", a.home.addr.String())
		}
	}
}
