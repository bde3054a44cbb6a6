package core

import "hearsay"

// Limits on what one packet holds. Package wire drops what exceeds them, so
// protocols keep to them when they fill a packet. They are such that no packet
// takes a node longer than a millisecond (measured in package node, with 500
// members, 3,000 rumors held and a ledger of 3,000 rulings).
const (
	MaxClaims     = 512  // claims in a packet
	MaxEntries    = 4096 // items of Entries
	MaxWant       = 4096 // ids in Want
	MaxStatements = 16   // statements in Evidence, one an observer: K is at most this
	MaxRumors     = 128  // items of Rumors, ids of IHave and of Graft
	// ranges of Seen, and of Missed in Rumors: at least those of any one origin (package rumor)
	MaxSeenRanges   = 2048
	MaxStreamPacket = 256 << 10 // bytes of a packet that goes by stream, its framing not counted
)

// Limits of the messages of the store (see kv.go).
const (
	MaxGone        = 4096                    // dots that an Update makes gone
	MaxClockRanges = 20 << 10                // of Clock
	MaxOf          = 64                      // ranges that are asked for
	MaxLiveRanges  = 4096                    // of Live; a replica gives half as many, and may then list as many
	MaxLive        = 1 << 15                 // numbers in Live; a replica lists half as many
	MaxSums        = 528                     // ranges of Sums: 512, and the 16 parts of one more
	MaxObjects     = 224 + hearsay.MaxWrites // of Sync: see package kv
	MaxBeside      = 1 << 14
	MaxPart        = 60 << 10 // bytes of Part: what else goes by the stream waits for one at most. A guess
)
