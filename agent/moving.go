package agent

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"
)

// moveEvery is how often a node that is bound to all addresses looks at whether its machine has
// the address that it tells others. A guess: others suspect it after some seconds.
const moveEvery = 5 * time.Second

// backEvery is how often a node that has lost its address looks whether the machine has it again. The trouble ends so
// much later than that at most. A guess: a look costs some 50 µs.
const backEvery = 500 * time.Millisecond

// moving is the address that a node tells others, where it is the node that chooses it.
type moving struct {
	bound  netip.AddrPort
	join   []address
	period time.Duration  // of the detector
	tells  netip.AddrPort // what others are told
	routed bool           // by the route to others, and not because an interface has it
	lost   int            // looks, one after the other, that found neither the address nor a route
}

// lostMost is how many looks a node waits for a route before it takes the address of any
// interface: a link that goes and comes back takes its route with it. A guess.
const lostMost = 3

// Where no member has reached a node at its address for so many periods of the detector, and so long at least, the
// address of the route to others counts for more. A guess: each member is pinged once in a period in the mean, so
// that one that all reach waits so long once in 22,000 (e^10).
const (
	unreachedPeriods = 10
	unreachedLeast   = 10 * time.Second
)

// unreachedMost is for how long this node waits to be reached at its address.
func (m *moving) unreachedMost() time.Duration { return max(unreachedLeast, unreachedPeriods*m.period) }

// look chooses anew, and reports whether that is another address. One that the machine still
// has stays, unless it was taken only because there was no route, or no member reaches it: the network may
// come up after the node, and the machine may have had a route that leads nowhere.
func (m *moving) look(ctx context.Context, how reachability) (changed bool) {
	has := isOnMachine(m.tells.Addr())
	ip, byRoute := routed(ctx, m.bound.Addr(), m.join, how.others)
	if has && (m.routed && how.unreached < m.unreachedMost() || !byRoute) {
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

// ownAddress is the address that others are told, and whether this machine has it.
type ownAddress struct {
	addr netip.AddrPort
	has  func(netip.Addr) bool
	gone atomic.Int64 // since when it has not, Unix nanoseconds; 0: it has

	unreached bool // it was logged that nobody reaches it; of the goroutine that looks
}

// isWatched reports whether an address may go, and was there: not one of another machine,
// which passes on what comes to it, nor of loopback.
func (h *ownAddress) isWatched() bool { return !h.addr.Addr().IsLoopback() && h.has(h.addr.Addr()) }

// look reports whether it is another way than at the last look.
func (h *ownAddress) look(now time.Time) (changed bool) {
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

// goneFor is for how long the machine has not had the address, as far as looks have shown; 0: it has. A node's figures
// may be a little older than the look that finds it gone.
func (h *ownAddress) goneFor(now time.Time) time.Duration {
	since := h.gone.Load()
	if since == 0 {
		return 0
	}
	return max(time.Millisecond, now.Sub(time.Unix(0, since)))
}

// lookAfter is the time to the next look.
func (h *ownAddress) lookAfter(now time.Time) time.Duration {
	if h.goneFor(now) > 0 {
		return backEvery
	}
	return moveEvery
}

// lookAndTell looks, and logs that the machine does not have this node's address, and that it has it again. It reports
// whether it has not had it since the last look: then it is no wonder that others do not reach this node.
func (h *ownAddress) lookAndTell(logger *slog.Logger) (wasGone bool) {
	changed := h.look(time.Now())
	gone := h.goneFor(time.Now()) > 0
	switch {
	case changed && gone:
		logger.Warn("This machine does not have this node's address any more: others cannot reach it", "addr", h.addr.String())
	case changed:
		logger.Info("This machine has this node's address again", "addr", h.addr.String())
	}
	return changed || gone
}

// tellUnreached logs once that no member reaches this node, and once that one does again.
func (h *ownAddress) tellUnreached(logger *slog.Logger, wrong bool) {
	if wrong == h.unreached {
		return
	}
	if h.unreached = wrong; wrong {
		logger.Error("Nobody reaches this node at its address, though others answer it", "addr", h.addr.String(), "hint", "start it with --advertise and an address at which others reach it")
	} else {
		logger.Info("Others reach this node again", "addr", h.addr.String())
	}
}

// follow has the node move as its machine does, if it chooses its address, and tells when the
// machine does not have it, until ctx ends.
func (a *Agent) follow(ctx context.Context) {
	watched := a.moving != nil || a.address.isWatched()
	for next := time.Now().Add(moveEvery); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(a.address.lookAfter(time.Now())):
		}
		if now := time.Now(); !now.Before(next) {
			next = now.Add(moveEvery)
			a.move(ctx)
		}
		if watched && a.address.lookAndTell(a.cfg.Logger) {
			a.inbox.put(func(now time.Time) { a.loop.node.Addresses().Gone(now) })
		}
	}
}

// move tells whether others reach this node, and has it move where its machine has.
func (a *Agent) move(ctx context.Context) {
	how := a.reached(ctx)
	if a.address.tellUnreached(a.cfg.Logger, how.wrong); a.moving == nil || !a.moving.look(ctx, how) {
		return
	}
	addr := a.moving.tells
	a.address.addr = addr
	a.cfg.Logger.Warn("This machine has another address; others are told", "addr", addr.String())
	a.source.set(sourceOf(a.moving.bound.Addr(), addr.Addr()))
	a.inbox.put(func(now time.Time) { a.loop.carryOut(a.loop.node.MoveTo(now, addr)) })
}

// towardsMost is towards how many contacts, and members, a node looks for its own address. A guess:
// mostly all are reached the same way.
const towardsMost = 4

// reachability is what a node knows of how members reach it.
type reachability struct {
	others    []netip.AddrPort // towards which its own address is looked for
	unreached time.Duration    // for how long no member has reached it
	wrong     bool             // none reaches it, though others answer it
}

// reached asks the node how members reach it. Once ctx has ended the answer is empty.
func (a *Agent) reached(ctx context.Context) reachability {
	answer := make(chan reachability, 1)
	asked := a.inbox.put(func(now time.Time) {
		n := a.loop.node
		others := n.Addresses().Towards(towardsMost)
		if from := a.streams.from.Load(); from != nil { // of a first member, which has no contacts
			others = append(others, *from)
		}
		answer <- reachability{others, n.Addresses().Unreached(now), n.Stats().Unreached > 0}
	})
	if !asked {
		return reachability{}
	}
	select {
	case l := <-answer:
		return l
	case <-ctx.Done():
		return reachability{}
	}
}
