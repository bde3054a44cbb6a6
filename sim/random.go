package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"time"
)

// purpose is what a stream of random draws is for. Streams of different
// purposes never share a draw.
type purpose string

const (
	purposeNode      purpose = "node"      // of each life of a node: what the core draws itself
	purposeLoss      purpose = "loss"      // of each machine: which of its datagrams get lost
	purposeDelay     purpose = "delay"     // of each machine: how long they take
	purposeHolds     purpose = "holds"     // of each machine: which of them are held back, and how long
	purposeCopies    purpose = "copies"    // of each machine: which of them come twice
	purposeStreams   purpose = "streams"   // of each machine: what its streams lose
	purposeSlow      purpose = "slow"      // of each machine: how late its steps are
	purposeSyncs     purpose = "syncs"     // of each machine: which syncs of its disk fail
	purposeResume    purpose = "resume"    // of each machine: what it sees first after a pause
	purposeDisk      purpose = "disk"      // of each machine: which unsynced writes survive a crash
	purposeElections purpose = "elections" // of each seed: how long it waits for a leader
	purposeStarts    purpose = "starts"    // when machines start
	purposeKills     purpose = "kills"     // which machines are killed, and when, if no scenario says so
	purposeSpeakers  purpose = "speakers"  // who says something, where anyone may
	purposeClients   purpose = "clients"   // of the store: who writes what, where
	purposeWrites    purpose = "writes"    // how often clients write in a drawn world
	purposeWorld     purpose = "world"     // how bad a drawn world is, and its settings
	purposeSeeding   purpose = "seeding"   // how many seeds a drawn world has, and what becomes of their ledger
	purposeDawn      purpose = "dawn"      // which seeds come late, and who is told to found without them
	purposeDusk      purpose = "dusk"      // which seeds stay down in the end
	purposeCore      purpose = "core"      // of a world with a core: its settings, and what is lost
	purposeHostile   purpose = "hostile"   // of each hostile member: what it lies about
	purposeMishap    purpose = "mishap"    // what befalls disks and addresses in a drawn world, and what operators do
	purposeStorm     purpose = "storm"     // what fails in it, and when
	purposeAttack    purpose = "attack"    // of each siege: who lies, and what
	purposeMP1       purpose = "mp1"       // which nodes fail in a run of the earlier program
	purposeEpidemic  purpose = "epidemic"  // of each run of an epidemic: which site calls which other, and the coins
)

// draws gives the stream of a purpose: a PCG is small and fast, and there is
// one or more of them for each machine.
func draws(seed uint64, what purpose, numbers ...uint64) rand.PCG {
	b := append(make([]byte, 0, 64), "hearsay sim draws\x00"...)
	b = binary.BigEndian.AppendUint64(append(b, what...), seed)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sum := sha256.Sum256(b)
	return *rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16]))
}

// happens draws whether something of this probability happens. It takes one
// draw also when the answer is certain, so that the others stay as they are.
func happens(stream *rand.PCG, probability float64) bool {
	const unit = 1.0 / (1 << 53)
	return float64(stream.Uint64()>>11)*unit < probability
}

// upTo draws a duration from 0 up to, not including, limit, in one draw.
func upTo(stream *rand.PCG, limit time.Duration) time.Duration {
	high, _ := bits.Mul64(stream.Uint64(), uint64(max(0, limit)))
	return time.Duration(high)
}
