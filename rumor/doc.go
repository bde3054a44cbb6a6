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
// # What it costs
//
// In a settled tree a rumor takes n-1 payloads. Names would take a packet on
// each side of each other link, more than all payloads together; so what one has
// heard is named after 50 to 100 ms, in one packet, to one link in turn that has
// not named it first, and not at all by a node that has been told the name by
// another meanwhile. About half of all nodes so hear the name a second way. The
// others, if they lost the payload, get it when they compare, after seconds.
// Where grafts show that payloads do get lost, every name goes over every link.
//
// Nothing is sent when there is nothing to say: two neighbors that have the same
// and know it are silent. After something was seen, each pair compares once: 42
// bytes there, and 36 back.
//
// # What goes where
//
// What relays others' rumors promises nothing durable, and goes to Now. What
// carries a rumor of this node's own goes to Send, and so after its record.
package rumor
