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
//	add {element}         a rumor, too
//	read                  what was delivered here, in that order: {messages} of broadcasts, {value} of a set
//	echo {echo}           the same
//
// Values come back as they were given, byte by byte but for white space. The same value twice is one. Whatever
// else is asked gets error 10, not supported: so do counters, which a set of rumors is not. A request that
// makes no sense gets error 12, and one before init error 11.
//
// A read does not say what it is about, and Maelstrom refuses an answer with a field too many. So the answer
// is about what clients have last spoken of to this node, topology and broadcast, or add; else about what was
// delivered first; and else about a set, since the broadcast workload begins with a topology.
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
