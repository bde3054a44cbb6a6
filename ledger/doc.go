// Package ledger is what seeds have ruled, as data: who is in, who sits where, which cases are open, and the rulings with
// what proves them. It does nothing by itself and sends nothing; seeds and peers build on it, and so does all that reads or
// checks a ledger.
//
//	log.go       commands and entries: what the seeds' log says
//	apply.go     what a command does: a pure function of the state before it and the command
//	state.go     what the log comes to: members, seats, open cases, bars
//	members.go   the roster in the order of identities, and its hash
//	limits.go    how many may be in, and how fast a ledger grows
//	snapshot.go  the state as bytes, and back
//	chain.go     rulings in the order of epochs, and the heads that seats have signed
//	founding.go  which founding a ledger is of
//	rivals.go    heads of another ledger than the one here
//	seats.go     who sits where
//
// What an entry does is a pure function of the state before it: no clock, no probe, no list of observers. Time is what the
// entry says, a case ends by an entry, and whether evidence holds is what ballots say. So all seeds have the same roster at the
// same epoch, byte by byte, and a snapshot at any point with the rest of the log is the same, too. The one check in it is of
// signatures: no seed casts another's ballot, and nobody signs a member's leave.
package ledger
