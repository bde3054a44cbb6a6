package hearsay

// Limits on what one packet holds. Package wire drops what exceeds them, so
// protocols keep to them when they fill a packet.
const (
	MaxClaims       = 1024      // claims in a packet
	MaxEntries      = 8192      // items of Entries
	MaxWant         = 8192      // ids in Want
	MaxStatements   = 16        // statements in Evidence, one an observer: K is at most this
	MaxStreamPacket = 256 << 10 // bytes of a packet that goes by stream, its framing not counted
)
