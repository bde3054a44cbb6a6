package sim

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"hearsay"
	"hearsay/node"
	"hearsay/petition"
	"hearsay/quorum"
)

// This file is what a world has more if it has seeds: the last of its machines.

// entropy is what the Raft library draws from while a seed steps: it asks the
// operating system for the lengths of its elections. There is one world a
// process at a time, so that the reader can be replaced.
type entropy struct{ stream rand.PCG }

func (e *entropy) Read(b []byte) (int, error) {
	var word [8]byte
	for i := range b {
		if i%len(word) == 0 {
			binary.BigEndian.PutUint64(word[:], e.stream.Uint64())
		}
		b[i] = word[i%len(word)]
	}
	return len(b), nil
}

// isSeed reports whether a machine runs a seed.
func (w *World) isSeed(m *machine) bool { return int(m.index) >= w.config.Nodes }

// seedsOf gives the configured seeds.
func (w *World) seedsOf() (seeds []quorum.Seed) {
	for i := range w.config.Seeds {
		seeds = append(seeds, quorum.Seed{Addr: addrOf(w.config.Nodes + i)})
	}
	return seeds
}

// steps prepares the process for a step of a machine.
func (w *World) steps(m *machine) {
	if w.isSeed(m) {
		cryptorand.Reader = &m.entropy
	}
}

// newNode makes the node of a machine: a seed, a peer of seeds, or one of an
// open network.
func (w *World) newNode(m *machine, config node.Config, signer hearsay.Signer, random *rand.Rand, records []hearsay.Record) *node.Node {
	if w.config.Seeds > 0 {
		config.Petition = petition.DefaultConfig()
		config.Follower = quorum.DefaultFollowerConfig()
		config.Follower.Network, config.Follower.Seeds = w.id, w.seedsOf()
	}
	if !w.isSeed(m) {
		return node.New(config, signer, random, records, w.timeOf(m))
	}
	config.Role, config.Follower.Seeds = hearsay.RoleSeed, nil
	config.Quorum = quorum.DefaultConfig()
	config.Quorum.Network, config.Quorum.Seeds, config.Quorum.Slot = w.id, w.seedsOf(), int(m.index)-w.config.Nodes
	seed, err := node.NewSeed(config, signer, random, records, w.timeOf(m))
	if err != nil {
		panic("sim: " + m.name + ": " + err.Error())
	}
	return seed
}

// hasQuorum reports whether enough seeds run to decide anything.
func (w *World) hasQuorum() bool {
	running := 0
	for i := w.config.Nodes; i < len(w.machines); i++ {
		if w.machines[i].condition == conditionRunning {
			running++
		}
	}
	return w.config.Seeds == 0 || running >= hearsay.QuorumOf(w.config.Seeds)
}

// offLedger says where a node's ledger is not that of the first one.
func (w *World) offLedger(m, first *machine) string {
	switch epoch, want := m.node.Epoch(), first.node.Epoch(); {
	case !m.node.Joined():
		return "is not in"
	case epoch != want:
		return fmt.Sprintf("is at epoch %d, and %s is at %d", epoch, first.name, want)
	}
	return ""
}
