// Package core is what goes into the state machine of a node and comes out of it: packets with their messages,
// records for the disk, and Effects, which holds all that one step asks of its driver.
//
// All protocol code is a state machine without input or output: time and
// randomness come in as arguments, and what is to be done comes out as one
// struct, Effects. Two drivers run it: package agent with real sockets, clock
// and disk, and package sim with simulated ones. The one rule for drivers:
// Now goes out at once; then Persist, Send and Events are carried out in this
// order; if persisting fails, what was to follow is dropped, and node.LoseDisk says
// whether the process leaves first or stops at once.
//
// The package is internal: a program that uses the library meets the values of package hearsay.
//
//	effects.go     Effects, packets, the records of any node
//	message.go     messages between members
//	away.go        a member's word that its process is started again
//	petition.go    messages between a node and the seeds that it asks
//	seeds.go       messages of seeds, and the records of a seed and its followers
//	limitsword.go  a seat's word for the limits of the network
//	rival.go       what a seat has signed against the ledger here
//	kv.go          what replicas of the store tell each other
//	kvrecord.go    records of the store
//	rumor.go       records of rumors
//	identity.go    incarnations, identities of guests, the unit in which senders are counted
//	hashes.go      hashes of foundings, rosters and configurations
//	limits.go      how much one packet holds
//	canonical.go   reads the values that are signed, logged and kept
package core
