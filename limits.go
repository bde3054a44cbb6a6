package hearsay

// Limits on what one packet holds. Package wire drops what exceeds them, so
// protocols keep to them when they fill a packet.
const (
	MaxClaims       = 1024      // claims in a packet
	MaxEntries      = 8192      // items of Entries
	MaxWant         = 8192      // ids in Want
	MaxStatements   = 16        // statements in Evidence, one an observer: K is at most this
	MaxRumors       = 1024      // items of Rumors, ids of IHave and of Graft
	MaxSeenRanges   = 4096      // ranges of Seen, and of Missed in Rumors: at least those of any one origin
	MaxStreamPacket = 256 << 10 // bytes of a packet that goes by stream, its framing not counted
)
