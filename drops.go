package hearsay

// Drop is a reason for which input from the network was dropped. Drops are
// counted, never answered.
type Drop uint8

// The reasons. The first group is seen before a packet is decoded, the second
// while decoding, the third by the protocols.
const (
	DropQueueFull    Drop = iota // the bounded queue of the loop was full
	DropRate                     // more in a time than its limit
	DropOversized                // longer than its limit
	DropSlow                     // a stream that did not move in time
	DropVersion                  // another version of the wire format, or of what seeds write
	DropNetwork                  // another network
	DropSealed                   // sealed, and this node has no key
	DropTruncated                // ends too early
	DropMalformed                // breaks the wire format
	DropUnknownKind              // a kind of message that this version does not know, or text of an earlier program
	DropOwn                      // claims to come from this node itself
	DropMisdirected              // meant for another node
	DropUnexpected               // answers nothing that was asked; replayed or too late
	DropStranger                 // from, or about, a node that is no member
	DropBadSignature             // not signed by its claimed sender
	// an incarnation beyond MaxIncarnation, or the number of a rumor far beyond those of its origin
	DropFarFuture
	DropUnproven  // a death whose evidence does not hold
	DropTableFull // no room in a bounded table
	DropEarly     // from, or about, a node that may be a member: this one is not in yet, and cannot know
	DropDoubtful  // a suspicion whose accuser is suspect itself
	NumDrops
)

var dropWords = [NumDrops]string{
	"queue-full", "rate", "oversized", "slow", "version", "network", "sealed", "truncated", "malformed",
	"unknown-kind", "own", "misdirected", "unexpected", "stranger", "bad-signature", "far-future", "unproven", "table-full", "early", "doubtful",
}

// String gives the reason's word.
func (d Drop) String() string { return word(dropWords[:], int(d)) }

// Drops counts dropped input by reason.
type Drops [NumDrops]uint64
