package agent

import (
	"context"
	"net/netip"
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

// follow has the node move as its machine does, until ctx ends.
func (a *Agent) follow(ctx context.Context, m *moving) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(moveEvery):
		}
		if !m.look(ctx) {
			continue
		}
		addr := m.tells
		a.cfg.Logger.Warn("This machine has another address; others are told", "addr", addr.String())
		a.source.set(sourceOf(m.bound.Addr(), addr.Addr()))
		a.inbox.put(func(now time.Time) { a.loop.carryOut(a.loop.node.MoveTo(now, addr)) })
	}
}
