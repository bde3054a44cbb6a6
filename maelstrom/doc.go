// Package maelstrom runs a node as one process of Maelstrom, the workbench for distributed systems
// (github.com/jepsen-io/maelstrom): messages come as lines of JSON on standard input, and go as such on
// standard output. It is a driver of its own, beside package agent: the same core, another network.
//
// [Session] is the whole of it without input or output: lines in, lines out, and a deadline. [Run] gives it a
// clock and two streams.
//
// # What clients ask
//
//	init                  answered when this node has met all others, or after Config.ReadyWithin
//	topology              noted: reads are about broadcasts. Our own overlay decides which nodes link
//	broadcast {message}   a rumor
//	add {element}         a key of the store
//	add {delta}           this node's own key of the store, which has its sum; a delta may be negative
//	read                  of broadcasts: what was delivered here, in that order: {messages}. Of the store: {value},
//	                      all elements, or the sum of all keys' sums
//	txn {txn}             reads and writes of keys of the store: [["r", 1, null], ["w", 1, 6]]
//	echo {echo}           the same
//
// So the workloads are broadcast, g-set, g-counter, pn-counter, txn-rw-register and echo. Values come back as they were
// given, byte by byte but for white space. The same value twice is one.
//
// A transaction never waits for other nodes. Its reads are of one moment here, and see what it has written itself; its
// last writes of each key are one record of the store, which others have as a whole or not at all. Of concurrent ones
// the later by hybrid time wins, for all keys alike. So it is read committed, and total availability.
//
// # Errors
//
//	10   not supported: other requests, and other functions of a transaction than r and w
//	11   before init; and a read before anything was added
//	12   a request that makes no sense, or is longer than a rumor, a key, a value or a record may be
//	14   it was not done for another reason, as where the store is full
//
// Each request is done at once or not at all, so there is never error 13, which leaves that open. What is done would be
// durable after the step, if there were a disk.
//
// A read does not say what it is about, and Maelstrom refuses an answer with a field too many. So the answer
// is about what clients have last spoken of to this node, topology and broadcast, or add; else about broadcasts if one
// was delivered; else about what the store has. Where that is nothing, a set and a counter cannot be told apart.
//
// # Between nodes
//
// Packets from one node to another that go at about the same time are one message; Config.Gather and
// Config.Linger say what waits for what. They are those of package wire, in base64:
//
//	{"src":"n1","dest":"n2","body":{"type":"hearsay","datagrams":["AQDX…"],"streams":["AQDX…"]}}
//
// In a datagram goes what would go so elsewhere, and in a stream what is longer or would not be believed by
// datagram. A node has the address that its place in node_ids gives it: 10.0.0.0 for the first. Nothing is
// sent there; it stands for the node id.
//
// An identity is new with each process, since nothing is kept on disk, and the number of a rumor must never be
// used twice. So nobody knows anybody at init: each node joins through the addresses of others as it does
// elsewhere.
package maelstrom
