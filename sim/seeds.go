package sim

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/node"
	"hearsay/petition"
)

// This file is what a world has more if it has seeds: the last of its machines.

// entropy is what the Raft library draws from while a seed steps: it asks the
// operating system for the lengths of its elections.
type entropy struct{ stream rand.PCG }

// drawing is held while a seed of any world of the process takes a step: the reader that
// the Raft library draws from is the process's own, and replaced meanwhile. Nothing that a world
// comes to depends on when it gets this.
var drawing sync.Mutex

// drawsFrom takes a step of a seed. No step takes another.
func (e *entropy) drawsFrom(step func()) {
	drawing.Lock()
	system := cryptorand.Reader
	cryptorand.Reader = e
	defer func() { // after a panic, too, as a campaign goes on
		cryptorand.Reader = system
		drawing.Unlock()
	}()
	step()
}

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
func (w *World) seedsOf() (seeds []ledger.Seed) {
	for i := range w.config.Seeds {
		seeds = append(seeds, ledger.Seed{Addr: addrOf(w.config.Nodes + i)})
	}
	return seeds
}

// advance has a machine's node take a step, and carries out what that asks for.
func (w *World) advance(m *machine, step func(now time.Time) *core.Effects) {
	now := w.timeOf(m)
	if !w.isSeed(m) {
		w.carryOut(m, step(now))
		return
	}
	var e *core.Effects
	m.entropy.drawsFrom(func() { e = step(now) })
	w.carryOut(m, e)
}

// seatsIn says who the seeds are, and as what the machine takes part.
func (w *World) seatsIn(m *machine, config *node.Config) {
	config.Petition, config.Follower, config.Quorum = petition.DefaultConfig(), w.config.Follower, w.config.Quorum
	config.Follower.Network, config.Quorum.Network = w.id, w.id
	if w.isSeed(m) {
		config.Role = hearsay.RoleSeed
		config.Quorum.Seeds, config.Quorum.Slot = w.seedsOf(), int(m.index)-w.config.Nodes
		config.Quorum.Found, config.Quorum.Recover = config.Quorum.Slot < w.config.Founders, m.recovers
	} else {
		config.Follower.Seeds = w.seedsOf()
		for slot := range config.Follower.Seeds {
			config.Follower.Seeds[slot].Key = w.operator.recovery.keyOf(slot)
		}
	}
}

// newNode makes the node of a machine: a seed, a peer of seeds, or one of an
// open network.
func (w *World) newNode(m *machine, config node.Config, signer hearsay.Signer, random *rand.Rand, records []core.Record) {
	if !w.isSeed(m) {
		m.node = node.New(config, signer, random, records, w.timeOf(m))
		return
	}
	m.entropy.drawsFrom(func() {
		var err error
		if m.node, err = node.NewSeed(config, watchedSigner{signer, w.check, m}, random, records, w.timeOf(m)); err != nil {
			panic("sim: " + m.name + ": " + err.Error())
		}
	})
}

// watchedSigner signs for a seed, and has the checker see which ballots: what a seed
// has cast nobody else can tell.
type watchedSigner struct {
	hearsay.Signer
	check *checker
	m     *machine
}

// Sign implements hearsay.Signer.
func (n watchedSigner) Sign(message []byte) hearsay.Signature {
	n.check.ballots.signs(n.m, message)
	return n.Signer.Sign(message)
}

// checkLedger has the checker look at what a node has of the ledger, and at
// the members that it lists: w.members.
func (w *World) checkLedger(m *machine) {
	shown := standing{epoch: m.node.Seeded().Epoch(), members: w.members}
	if w.check.looks(m, shown.epoch) {
		shown.head, w.stays = m.node.Seeded().Authority().Head, m.node.Seeded().Stays(w.stays[:0])
		shown.stays = w.stays
	}
	if m.twist.shows != nil {
		m.twist.shows(w, m, &shown)
	}
	w.check.holdsLedger(m, &shown, w.now)
}

// hasQuorum reports whether enough seeds run to decide anything: seeds that have a vote,
// as one of them has it, and before there is a founding seeds that have a seat. Who was given a
// seat has no vote before it has caught up; should a seed be lost for ever meanwhile,
// nothing can be decided any more. That each gets its vote is part of converging: a seed
// is in when it decides.
func (c *convergence) hasQuorum() bool {
	w := c.world
	if w.config.Seeds == 0 {
		return true
	}
	seeds, running, founded, most := w.machines[w.config.Nodes:], 0, false, 0
	for i := range seeds {
		by := &seeds[i]
		if !c.sits(by) {
			continue
		}
		running++
		voters := 0
		for slot, seat := range by.node.Seeded().Authority().Seeds {
			// a vote that was not given by a ruling is that of a founder: one that has founded by itself meanwhile, and
			// given that up, has another life, and lost it
			_, given := w.check.ledger.votes.given[uint8(slot)]
			if seat.ID == seeds[slot].id && c.sits(&seeds[slot]) && (given && seat.Votes || c.hasFounded(by, slot)) {
				voters++
			}
		}
		founded, most = founded || by.node.Seeded().Founded(), max(most, voters)
	}
	if !founded {
		most = running
	}
	return most >= hearsay.QuorumOf(w.config.Seeds)
}

// sits reports whether a seed runs and has a seat.
func (c *convergence) sits(m *machine) bool {
	return m.condition == conditionRunning && (c.world.check.ballots.seated(m) || m.node.Seeded().Authority().Ready)
}

// hasFounded reports whether a seed was there when the ledger of another began, and has had its
// seat since: it has a vote, whatever the log of that one says.
func (c *convergence) hasFounded(by *machine, slot int) bool {
	w := c.world
	_, given := w.check.ledger.votes.given[uint8(slot)]
	life := w.check.identities[w.machines[w.config.Nodes+slot].identity].life
	return !given && !life.IsZero() && slices.ContainsFunc(by.node.Seeded().Proof(false).Founding, func(s hearsay.Seat) bool { return s.Life == life })
}

// offLedger says where a node's ledger is not that of the first one.
func (c *convergence) offLedger(m, first *machine) string {
	switch epoch, want, ruled := m.node.Seeded().Epoch(), first.node.Seeded().Epoch(), c.world.check.ledger.epoch(); {
	case !m.node.Joined():
		return "is not in"
	case epoch != want:
		return fmt.Sprintf("is at epoch %d, and %s is at %d", epoch, first.name, want)
	case epoch < ruled:
		return fmt.Sprintf("is at epoch %d, and %d are ruled", epoch, ruled)
	}
	return ""
}
