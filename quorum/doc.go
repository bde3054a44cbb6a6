// Package quorum is the seeds' authority over the roster of a seeded network:
// nobody is in without it, and it removes nobody on a word. A seed drives a
// [Quorum]; a peer follows what the seeds prove (package follower).
//
// # The exchange
//
//	peer                    leader                      other seeds
//	  |--- Admit, Report ----->|                             |   to any seed, which passes it on
//	  |<-- ping (Admit) -------|                             |   without an answer at its address, no case
//	  |                        |--- Raft: entry "case" ----->|   opened once for a stay, an address, a seat
//	  |<-- pings --------------|<----------------------------|   each seed for itself: its own probes, the key of
//	  |                        |                             |   the claim, the statements by its own roster
//	  |                        |<-- Raft: "ballot" ----------|   signed; repeated until it is an entry
//	  |                        |--- Raft: entry "ballots" -->|   floor(n/2)+1 equal ones: Ruling, the next epoch;
//	  |                        |                             |   not possible any more, or too late: an abort
//	  |                        |<-- Rulings{Head} ---------->|   signed by each seed, at most every 50 ms
//	  |<-- Rulings{Heads} -----|                             |   believed as far as heads of a quorum prove it
//	  |--- Rulings{Heads} ---> neighbors                     |   passed on, and asked for every 2 s (LedgerReq)
//
// # What is pure
//
// The Raft library makes entries durable and puts them in order; what an entry
// does is a pure function of the state before it, in package ledger: all seeds have the
// same roster at the same epoch, byte by byte.
//
// # Where to find what
//
// [Quorum] is what its node calls. Each of its jobs is a part of its own, with a file, its own state and a way back
// to the seed.
//
//	quorum.go    the seed as its node drives it         requests.go what is asked of it, and the answers
//	ballots.go   this seed's own verdicts               watches.go  its own probes, and how long one is silent
//	changes.go   events of what was applied             leading.go  what only the leader does
//	raft.go      the library's Ready becomes Effects    frames.go   which messages the library is given
//	storage.go   the log in memory                      disk.go     records: load, keep, compact
//	applying.go  entries, a part of them in a step      limits.go   which limits this seed was told
//	offers.go    snapshots that are not proven yet      giving.go   which snapshot a seed gets that is behind
//	hearing.go   when a quorum was heard                handover.go a leader that is late
//	stalled.go   a log that decides nothing             outrun.go   a log that is another than the others'
//	seats.go     the seats, and lives in them           founding.go founding, recovering
//	reseated.go  seats that changed meanwhile           budgets.go  what is done for others in a second
//	rivals.go    heads of another ledger                heads.go    signing and serving them
//	stale.go     a directory older than it promised     unsure.go   one that may be: ask the others first
//	mismatch.go  seeds with another list or key         fresh.go    whether a seed's ledger is the newest
//	joiners.go   nodes that ask to be in, before a case opinion.go  what is said without one
//	returning.go guests that were removed, and may live
//	clocks.go    seeds whose clocks differ              reading.go  rulings that are on disk only
//	remember.go  each signature is verified once        reads.go    what drivers read
//	probers.go   whether members probe each other       commits.go  what is on its way into the log
//	relisted.go  a list of seeds that has changed       unapplied.go entries that wait to be applied
//	log.go       what an entry may be                   config.go   knobs
//	versions.go  seeds that run other versions
//
// # Promises, and what they rest on
//
// Everything that the library wants sent goes out after everything that it
// wants kept, and the library is told that this is done before it is: nobody
// outside can tell, since whatever tells of it stands behind it in the Effects.
// A crash may tear apart what was not synced in any way. An entry is kept with the
// term of the one before it, and entries are used as far as each was written behind
// the one before. How far the log is committed is kept with the terms of the newest
// entries that are, and counts as far as it names an entry that is there. Entries go
// from disk only when two snapshots lie behind them.
//
// A seed's id in the log is made of its network, its slot and its life, and a
// life is drawn with the data directory. So a seed that has lost its disk is
// nobody to the others. It says so (SeatHello), they meet it at its configured
// address, a quorum of ballots gives it the seat (a ruling with an epoch of its
// own, because it has another key), and then it becomes a learner and by one joint change a
// voter. Meanwhile the others must not fail: during the joint change, which
// takes a round trip, both the old and the new seeds' quorums are needed.
//
// Messages of the log are signed one by one, since a packet's sender is only
// what it says: about 25 µs for each that is sent and 60 µs for each that comes
// in, against a commit to disk of some milliseconds. An idle seed of three
// sends and gets ten or twenty a second.
package quorum
