// Package hearsay is the vocabulary of Hearsay, a gossip network: the words
// in which its parts speak with each other, and no behaviour. Programs start
// with package agent; this package is what they get from it.
//
// # Effects
//
// All protocol code is a state machine without input or output: time and
// randomness come in as arguments, and what is to be done comes out as one
// struct, Effects. Two drivers run it: package agent with real sockets, clock
// and disk, and package sim with simulated ones. The one rule for drivers:
// Now goes out at once; then Persist, Send and Events are carried out in this
// order; if persisting fails, stop.
//
// # The story of a removal
//
// In an open network, where death is decided among peers:
//
//	A         pings B: no ack; relays through k others: no ack  → EventUnreachable{B}
//	          claim suspect(B) to all; WitnessReq to B's K observers; B is told first
//	observer  its own pings of B, now                           → Statement{B, unreachable}, signed
//	B         if it lives: hears that it is suspect             → incarnation+1, signed claim alive(B)
//	A         H of K against B in one round                     → EventCondemned{B, evidence}
//	          claim dead(B) with the hash of its evidence
//	all       fetch the evidence, count for themselves          → EventMemberDead{B, evidence}
//	anyone    `hearsay why B` tells this story
//
// # Words
//
// A claim is what is said of a member, with an incarnation that only the
// member raises. A suspicion is local, fast and reversible; a death needs
// observers: K distinct members that the roster itself assigns to watch a
// subject, so that nobody chooses his own witnesses. A statement is an
// observer's signed answer in one round, and evidence is the statements of
// one round.
package hearsay
