// Package rumor is how a message reaches everybody: what is told to whom, how
// often, and how who was away catches up.
//
// A rumor is known by its origin and number. Every node keeps which it has ever
// seen, as a set of ranges, and so delivers each once; the recent ones it keeps
// whole, in one store with retention by count, bytes and age. Three strategies
// share the store and decide only who is told, and when:
//
//   - tree, the default, is Plumtree (Leitão, Pereira and Rodrigues, "Epidemic
//     Broadcast Trees", 2007): payloads over some links, names over the others;
//   - monger is rumor mongering (Demers and others, "Epidemic Algorithms for
//     Replicated Database Maintenance", 1987), to random members, until it cools;
//   - flood tells every link but the one that it came over.
//
// Below them lies one net, the comparing of what two neighbors have seen, a hash
// first. It is for what packets lost, and for who comes late, was cut off or was
// down.
//
// # The tree, and where it is not Plumtree
//
//   - Payloads of one step, and of 2 ms where a link is not quiet, share packets.
//     A packet prunes a link if half of what came in it came again.
//   - A graft for a payload that got lost does not change the tree. Plumtree makes
//     the link eager; then the next rumor comes twice, and prunes whichever link was
//     slower just then. Of a thousand nodes that lose 5 % of all packets, some were
//     50 hops away after half a minute. Here a link is grafted by who misses a dozen
//     rumors more than come in time, so that a part that is cut off for good is back.
//     When an eager link is gone, all others at its ends become eager, to be pruned
//     anew.
//   - Where packets get lost, a link is moved also to a way that is a little
//     shorter, if it is so for several rumors; see Rumors.shorten. Plumtree grafts
//     the new link and leaves it to a rumor that comes twice which one goes; here the
//     old one goes at once. Of the thousand nodes 99 % are so within 12 to
//     14 hops, and the last within 15 for most rumors, 21 for some.
//   - Who is named a rumor over a link that it holds for eager knows that a Graft
//     or a Prune was lost, and says it again, or does as the other does.
//   - Who had to ask for a rumor names it over all links at once, and says that it
//     had to: who lacks it, too, asks at once. So a repair takes the shortest ways,
//     every payload that is not lost comes once, and of those who lack a rumor one or
//     two wait for a timeout.
//   - What came by a repair, or has been on its way for longer than one would take,
//     neither prunes nor shortens anything.
//
// # What it costs
//
// In a settled tree a rumor takes n-1 payloads. Names would take a packet on
// each side of each other link, more than all payloads together; so what one has
// heard is named after 50 to 100 ms, in one packet, to one link in turn that has
// not named it first, and not at all by a node that has been told the name by
// another meanwhile. About half of all nodes so hear the name a second way. The
// others, if they lost the payload, get it when they compare, after seconds.
// Where payloads do get lost, which grafts show, every name goes over every link
// for ten seconds. With six links a node, a broadcast to 128 takes 1.9 packets a
// node, comparing included.
//
// Nothing is sent when there is nothing to say: two neighbors that have the same
// and know it are silent. After something was seen each pair compares once, when
// nothing new has come for two seconds: 38 bytes there, and 32 back. Where there
// is always something new, each node asks one neighbor every five seconds.
//
// # What goes where
//
// What relays others' rumors promises nothing durable, and goes to Now. What
// carries a rumor of this node's own goes to Send, and so after its record.
package rumor
