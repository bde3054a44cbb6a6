// Package node is one whole member: it routes input to the protocols and
// joins them in one place.
package node

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/roster"
)

// Config is what a node is told at its start.
type Config struct {
	Network hearsay.NetworkID
	Name    string
	Addr    netip.AddrPort // where others reach it, UDP and TCP
	Role    hearsay.Role
	Detect  detect.Config
	Roster  roster.Config
}

// Node is the state machine of one member. It is not safe for concurrent use:
// a driver owns it. What its methods return belongs to it and is valid until
// the next call.
type Node struct{}

// New makes a node that has not yet spoken. Records are what earlier lives
// persisted, in any order. Its first Deadline is now: the first Tick persists
// the new incarnation.
func New(cfg Config, signer hearsay.Signer, random *rand.Rand, records []hearsay.Record, now time.Time) *Node {
	panic("not written")
}

// Receive takes a packet that came in.
func (n *Node) Receive(now time.Time, p *hearsay.Packet) *hearsay.Effects { panic("not written") }

// Tick lets time pass. It may be called at any time; it must be called at
// Deadline.
func (n *Node) Tick(now time.Time) *hearsay.Effects { panic("not written") }

// Deadline is when Tick must be called next.
func (n *Node) Deadline() time.Time { panic("not written") }

// Contact adds addresses at which members may be found. They are tried, with
// backoff, until one of them gives its roster, and again whenever this node
// is alone.
func (n *Node) Contact(now time.Time, addrs []netip.AddrPort) *hearsay.Effects {
	panic("not written")
}

// Leave signs this node's leave and tells it. The node has gone when Gone
// reports true; then a driver stops it.
func (n *Node) Leave(now time.Time) *hearsay.Effects { panic("not written") }

// Gone reports whether the node has left and told enough others, or found
// none to tell.
func (n *Node) Gone() bool { panic("not written") }

// Joined reports whether this node has the roster of a member, or has no
// contact to ask for one: the first of a network is in.
func (n *Node) Joined() bool { panic("not written") }

// Self is this node as it tells of itself.
func (n *Node) Self() hearsay.Member { panic("not written") }

// Members appends all members that the roster lists, this node included,
// ordered by name, then by NodeID.
func (n *Node) Members(dst []hearsay.Member) []hearsay.Member { panic("not written") }

// RosterHash is equal on two nodes whose living members and incarnations are.
func (n *Node) RosterHash() uint64 { panic("not written") }

// Why tells the case of a member, given by name, NodeID or the beginning of
// its NodeID. A name of nobody gives a case file that says so; a name of
// several is an error that lists them.
func (n *Node) Why(now time.Time, name string) (hearsay.CaseFile, error) { panic("not written") }

// Stats gives the core's figures.
func (n *Node) Stats() hearsay.Stats { panic("not written") }
