package agent

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/guest"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/wire"
)

// This file gives package guest what it needs of an agent.

// serveGuests adds what serves nodes that speak the earlier programs' protocols. An open network has no
// guests, and lines are answered all the same.
func (a *Agent) serveGuests(network hearsay.NetworkID, addr netip.AddrPort) {
	l, parsing := a.loop, new(parsing)
	self := l.node.Self().ID
	host := &guest.Host{
		Network: network, Self: self, Role: a.cfg.Role, Node: l.node, Logger: a.cfg.Logger,
		Do: l.putFor, CarryOut: l.carryOut, Await: l.callers.await,
		Dial: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return dialFrom(ctx, net.Dialer{}, a.source.now.Load().addr, to)
		},
		Sender: a.streams.known.sender, Turn: parsing.begin, Busy: errBudget, Drop: a.counters.drop,
		Ping: func(to netip.AddrPort, number uint64) {
			ping := &core.Packet{From: self, Addr: to, Body: &core.Ping{Seq: number}}
			l.datagrams.send(wire.AppendPacket(nil, network, ping), to)
		},
		Tell:  func(e hearsay.Event) { a.commits.report([]hearsay.Event{e}) },
		Read:  a.counters.read,
		Wrote: a.counters.wrote,
		Note:  func(line func(*guest.Phrases) string) { a.journal.note(line) },
	}
	l.host = host
	if a.cfg.Role == hearsay.RolePeer && len(a.cfg.Seeds) > 0 {
		l.guestLinks = guest.NewLinks(host, addr)
	}
	l.lines = guest.NewServer(host, l.guestLinks)
	a.streams.lines = l.lines
	if a.cfg.Role == hearsay.RolePeer && a.journal.phrases != nil && a.cfg.Logger.Enabled(context.Background(), slog.LevelInfo) {
		l.duplicates = guest.NewDuplicates(host)
	}
	if len(a.cfg.Seeds) > 0 {
		l.guests = guest.NewProbes(host, addr, l.hand)
		a.streams.refused = a.notReached
	}
}

// phrases gives those of this node's log; nil in an open network.
func (a *Agent) phrases(own hearsay.NodeID, addr netip.AddrPort) *guest.Phrases {
	if len(a.cfg.Seeds) == 0 {
		return nil
	}
	where := func(id hearsay.NodeID) (at netip.AddrPort) {
		if part := a.abroad.part.Load(); part != nil {
			if at, is := part.Guest(id); is {
				return at
			}
		}
		a.ask(func(time.Time) { at = a.loop.node.Addresses().Where(id) })
		return at
	}
	links := func() (n int) {
		a.ask(func(time.Time) { n = len(a.loop.node.Gossip().Links()) })
		return n
	}
	return guest.NewPhrases(a.cfg.Role, len(a.cfg.Seeds), own, addr, where, links)
}

// notReached tells the node of a peer that no stream to a seed could be opened. It is safe in any goroutine.
func (a *Agent) notReached(addr netip.AddrPort, why string) {
	if a.cfg.Role == hearsay.RolePeer && slices.ContainsFunc(a.cfg.Seeds, func(s ledger.Seed) bool { return s.Addr == addr }) {
		a.inbox.put(func(now time.Time) { a.loop.carryOut(a.loop.node.NotReached(now, addr, why)) })
	}
}

// peersOf gives what tells where all peers are that are in; it is for any goroutine but the loop's.
func peersOf(a *Agent) func() []netip.AddrPort {
	return func() (addrs []netip.AddrPort) {
		a.ask(func(time.Time) {
			for _, one := range a.loop.node.Addresses().Peers() {
				addrs = append(addrs, one.Addr)
			}
		})
		return addrs
	}
}
