// Package ledger is what seeds have ruled, as data: who is in, who sits where, which cases are open, and the
// rulings with what proves them. It does nothing by itself and sends nothing; seeds and peers build on it, and
// so does all that reads or checks a ledger.
//
//	log.go       commands and entries: what the seeds' log says
//	apply.go     what a command does: a pure function of the state before it and the command
//	state.go     what the log comes to: members, seats, open cases, bars
//	members.go   the roster in the order of identities, and its hash
//	limits.go    how many may be in, and how fast a ledger grows
//	steers.go    which texts may not be in a ledger
//	snapshot.go  the state as bytes, and back
//	chain.go     rulings in the order of epochs, and the heads that seats have signed
//	founding.go  which founding a ledger is of
//	rivals.go    heads of another ledger than the one here
//	seats.go     who sits where
//	walk.go      finding that in old rulings
//	parts.go     a roster as messages
//	mismatch.go  what is wrong with nodes that answer as seeds
//	answers.go   how much is answered in a second
//	saved.go     a ledger that is saved, as JSON, and back
//	file.go      a saved ledger, read ruling by ruling
//	verify.go    the check of a saved ledger
//	finding.go   what that may find
//	clocks.go    clocks that are apart
//
// What an entry does is a pure function of the state before it: no clock, no probe, no list of observers. Time
// is what the entry says, a case ends by an entry, and whether evidence holds is what ballots say. So all
// seeds have the same roster at the same epoch, byte by byte, and a snapshot at any point with the rest of the
// log is the same, too. The one check in it is of signatures: no seed casts another's ballot, and nobody signs
// a member's leave.
package ledger
