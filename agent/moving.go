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
}

// look chooses anew, and reports whether that is another address. One that the machine still
// has stays, unless it was taken only because there was no route: the network may come up after
// the node.
func (m *moving) look(ctx context.Context) (changed bool) {
	has := isOnMachine(m.tells.Addr())
	ip, byRoute := routed(ctx, m.bound.Addr(), m.join)
	if has && (m.routed || !byRoute) {
		return false
	}
	if !byRoute {
		var ok bool
		if ip, ok = interfaceAddr(m.bound.Addr()); !ok {
			return false
		}
	}
	m.routed = byRoute
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
