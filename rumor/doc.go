// Package rumor is how a message reaches everybody: what is told to which nodes, how often, and how a node that was
// away catches up.
//
// A rumor is known by its origin and number. Every node keeps which it has ever seen, as a set of ranges, and so
// delivers each once; the recent ones it keeps whole, in one store with retention by count, bytes and age. Three
// strategies share the store and decide only which nodes are told, and when:
//
//   - tree, the default, is Plumtree (Leitão, Pereira and Rodrigues, "Epidemic Broadcast Trees", 2007): payloads over
//     some links, names over the others;
//   - monger is rumor mongering (Demers and others, "Epidemic Algorithms for Replicated Database Maintenance", 1987),
//     to random members, until it cools;
//   - flood tells every link but the one that it came over.
//
// Below them lies one net, the comparing of what two nodes have seen, a hash first. It is for what packets lost, and
// for nodes that come late, were cut off or were down.
//
// # The tree, and where it is not Plumtree
//
// Plumtree learns its tree from payloads: a link over which one comes again is pruned. That is one tree for all
// origins, which they pull in different directions: where packets get lost it grew to 29 hops among a thousand nodes;
// and when several said much at the same time they pruned a ring of links in two places, and cut it. So
//
//   - the tree is agreed on beforehand: the root is the smallest NodeID that can be trusted; each node tells its
//     neighbors how far it is from it, and hangs on the nearest to it (core.Place; place.go). From anywhere to
//     anywhere it is at most twice the way from the root to the farthest. It changes when links do, and never by what
//     goes over it.
//   - A graft for a payload that got lost does not change the tree, as it does in Plumtree.
//   - Where two ends of a link hang on different roots, or one has not said where it stands, payloads go over it: so
//     while the tree changes, and where nodes do not agree on which nodes to trust, rumors come twice, and do not stop.
//   - Payloads of one step, and of 2 ms where a link is not quiet, share packets.
//   - A node that had to ask for a rumor names it over all links at once, and says that it had to: one that lacks it,
//     too, asks at once. So a repair takes the shortest ways, every payload that is not lost comes once, and of the
//     nodes that lack a rumor one or two wait for a timeout.
//
// A thousand nodes with six links, of whose packets 5 % get lost, have a rumor of anybody within 15 hops.
//
// # What it costs
//
// In a settled tree a rumor takes n-1 payloads. Names would take a packet on each side of each other link, more than
// all payloads together; so what one has heard is named after 50 to 100 ms, in one packet, to one link in turn that has
// not named it first, and not at all by a node that has been told the name by another meanwhile. About half of all
// nodes so hear the name a second way. The others, if they lost the payload, get it when they compare, after seconds.
// Where payloads do get lost, which grafts show, every name goes over every link for ten seconds. With six links a
// node, a broadcast to 128 takes 1.6 packets a node, those of an idle network subtracted (bench, broadcast).
//
// Nothing is sent when there is nothing to say. After something was seen, 8 bytes on each ping for 15 seconds tell
// whether anybody lacks it (compare.go). Where there is always something new, each node asks one neighbor every five
// seconds.
//
// # What goes where
//
// What relays others' rumors promises nothing durable, and goes to Now. What carries a rumor of this node's own goes to
// Send, and so after its record.
//
// # Where to find what
//
//	rumor.go     the parts, and how the node drives them   output.go   what a step hands out, and figures
//	intake.go    a rumor is said, or comes                 numbers.go  this node's own
//	seen.go      what was ever seen, as ranges             store.go    the recent ones, whole
//	links.go     the neighbors, at the rate of each        queue.go    what waits for one of them
//	place.go     the tree: its root, and where a node is   tree.go     what goes over it, and beside it
//	wanted.go    what was named and has not come           compare.go  when hashes are compared
//	exchange.go  what two nodes give each other            gone.go     what nobody holds any more
//	mongering.go mongering, live                           monger.go   the rule by which a rumor cools
//	config.go    knobs                                     guests.go   what was said by guests
package rumor
