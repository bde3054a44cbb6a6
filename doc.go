// Package hearsay is the vocabulary of Hearsay, a gossip network: the words
// in which its parts speak with each other, and no behaviour. Programs start
// with package agent; this package is what they get from it.
//
// # Words
//
// A node is a seed or a peer: seeds decide which nodes are in, peers carry rumors. A
// network has a name, whose hash is in every packet. An open network has no seeds; a
// seeded one has n configured seeds, of which a quorum, floor(n/2)+1, decides.
//
// Of members: the roster is which nodes are in. A claim is what is said of a
// member: alive, suspect, dead or left, with an incarnation, a number that only the
// member raises and never uses again. A probe is a ping with what follows if it is not
// answered: relays, which ping in its sender's place, and a ping by stream.
//
// Of failures: a suspicion is local, fast and reversible. Observers of a member are
// the K members that the roster assigns to watch it, so that no accuser chooses its own
// witnesses. In a round they are asked to probe it now; a statement is an observer's
// signed answer in one round, and evidence is the statements of one round.
//
// Of a seeded network: a stay is one membership of one node, from the epoch that
// admitted it; nothing said of an old stay counts for a new one. A report is evidence
// brought to the seeds. A case is an admission, a removal or a change of a seat while
// it is decided. A ballot is one seed's signed verdict on a case, after its own check.
// A ruling is what a quorum of equal ballots decides, or what a member says of itself
// as it leaves: it takes the next epoch. The
// ledger is the rulings in order, each with the hash of the one before; a head is a
// seed's signature on the ledger at an epoch, and heads of a quorum prove it. A seat
// is a seed's place in the configuration, and a life is one data directory in it.
//
// Of rumors: a rumor is a message to all peers, named by its origin and a number.
// The overlay is which members are neighbors; a link joins two of them.
//
// A guest is a member that speaks only an earlier program's protocol, a dialect.
//
// ARCHITECTURE.md tells a removal step by step; `hearsay why B` tells the one of B.
package hearsay
