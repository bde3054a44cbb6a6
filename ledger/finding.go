package ledger

import "hearsay"

// Finding is one thing that a check of a saved ledger came to.
type Finding struct {
	Code  Code
	Epoch hearsay.Epoch // of the ruling that is wrong, if it is one
	Args  []any         // what the code says it takes, in order
}

// Code says what was found.
type Code uint8

// What is wrong with a ledger. The seat is a slot, the hash a hearsay.Hash.
const (
	Empty           Code = iota // there is no ruling
	SeatsMisplaced              // the list of seats: slot, place
	SeatsMany                   // how many seats there are
	FoundingOther               // the previous hash that the file names is not that of its founding: hash, hash
	Misplaced                   // another ruling stands in its place: epoch
	NotCanonical                // the canonical bytes are no ruling, or not one after that before
	NoRuling                    // the fields are of no kind of ruling, or none could have them
	Worded                      // the fields say something else than the canonical bytes
	Misnamed                    // member, what it should be
	BallotMisnamed              // seat, seed, what it should be
	BallotOfNoSeat              // seat
	BallotTwice                 // seat
	BallotOther                 // it is no yes to just this: seat
	BallotLife                  // it is of another life than sits there: seat
	BallotForged                // seat
	BallotsFew                  // ballots, seats, quorum
	StayOther                   // the stay is not that of the member that it admits
	GuestOther                  // a guest under an identity that is not its address's
	ClaimForged                 // of the member that it admits
	AlreadyIn                   // it admits a member that is in
	NoStay                      // it ends a stay that is not
	LeaveForged                 // the leave is not its member's
	NoSuchSeat                  // it gives no seat that there is
	SeatsRecovered              // a recovery with so many seats
	RosterOther                 // the roster is not the one that follows
	EvidenceNone                // there is none, and the rule wants some: rule
	EvidenceOdd                 // there is some, and the rule wants none: rule
	EvidenceOther               // it is not the one that was ruled on
	EvidenceFor                 // a majority of observers, and none is against
	EvidenceReached             // a suspicion ran out, and so many reached the member
	HeadOfNoSeat                // seat
	HeadForged                  // seat, the hash up to that epoch as it stands here
	NotProven                   // seats whose heads are of it, seats, quorum
	EpochOther                  // its newest epoch, that of its last ruling
	SeatOther                   // the key there is not the one that the rulings gave it: seat
	PinsMany                    // pins, seats
	PinOther                    // seat

	// What a ledger that holds does not prove.
	FoundingMissing  // who sat where at the founding
	BeginningMissing // the rulings before an epoch: epoch
	BeganMissing     // which founding the first signatures name
	HeadBeyond       // seat, epoch of its head, epoch of the last ruling
	HeadOther        // seat, epoch of its head
	SeedsNamed       // the names of seeds
	MembersNamed     // the names of members whose admission is not there: how many
	EvidenceMissing  // removals whose evidence is not there: how many, the first of their epochs
	StatementsOdd    // statements in evidence that their observers have not signed in this ledger: how many
	BallotsUnchecked // of seats whose key at that time is not there: how many
	NotProvenYet     // the last rulings: first epoch, last epoch
	Recovered        // by the word of one seed: epoch
	NotPinned        // that the keys are those of the seeds

	NumCodes
)
