// Package guest serves nodes that speak an earlier program's protocol on the node's own port, beside its frames: it
// answers their lines of JSON and their text (Server), asks members that speak only those whether they live (Probes),
// tells them what is said and takes what they say (Links), and says in the node's log what happens in the sentences of
// the earlier programs' logs (Phrases, Duplicates). Which dialect a guest speaks is a value, core.Dialect, which its
// identity tells; what differs stands in text.go and tongue.go. Abroad is a peer's part in a network of an earlier
// program's seeds (foreignseeds.go, textseeds.go: what it asks them; unheard.go: what never answers;
// accusing.go: how it finds that one is dead, and its words). AskLanguage finds out what is spoken at an address.
// Package dialect has the bytes. Nodes of p4, which speak HTTP, are guests of another kind (P4): package web has what
// they ask.
package guest

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/quota"
)

// Host is what a driver lends: the node, and how it is reached from any goroutine.
type Host struct {
	Network hearsay.NetworkID
	Self    hearsay.NodeID
	Role    hearsay.Role
	Node    *node.Node // used in calls of Do only
	Logger  *slog.Logger

	// Do has a call made by the goroutine that owns the node, for what has come from an address. It reports whether
	// it will be made.
	Do       func(from netip.Addr, call func(now time.Time)) bool
	CarryOut func(*core.Effects) // what a step of the node asks for; in calls of Do

	// Await gives where the outcome comes that the node sends to an address, and what is called when nobody waits for
	// it any more.
	Await func(at netip.AddrPort) (outcome <-chan *hearsay.Outcome, done func())

	Ping   func(to netip.AddrPort, number uint64) // pings whatever node of ours is at an address, by datagram
	Tell   func(hearsay.Event)                    // tells the application of what is no event of the node
	Dial   func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	Sender func(netip.Addr) quota.Sender      // as which a source counts
	Turn   func(quota.Sender) (end func())    // waits for the turn of a sender: a line is taken apart at a time
	Busy   error                              // with which a connection cannot be read: too much is being received
	Drop   func(hearsay.Drop)                 // counts what is dropped
	Read   func(bytes int)                    // counts a line that came
	Wrote  func(bytes int)                    // and one that went
	Note   func(line func(p *Phrases) string) // has a line written to the log, behind the events that are there
}
