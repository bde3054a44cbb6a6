package quorum

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"
	"hearsay/testkit"
)

// What the tests say of a world.
type (
	machine = quorumtest.Machine[*Quorum]
	person  = quorumtest.Person
	disk    = testkit.Disk
)

var (
	testNetwork = quorumtest.Network
	newKeyed    = quorumtest.NewKeyed
	seedAddr    = quorumtest.SeedAddr
	stranger    = quorumtest.Stranger
	from        = quorumtest.From
)

// world is quorumtest's, with what the tests of a seed know of it besides.
type world struct {
	*quorumtest.World[*Quorum]
	cfg Config
	log *bytes.Buffer // of the story, if there is one
}

func newWorld(t testing.TB, n int, seed uint64) *world {
	w := &world{World: quorumtest.New[*Quorum](t, n, seed), cfg: DefaultConfig()}
	w.cfg.ProbePeriod = 0 // nobody here probes but seeds
	w.cfg.Network = testNetwork
	for _, m := range w.Machines {
		w.cfg.Seeds = append(w.cfg.Seeds, ledger.Seed{Addr: m.Addr})
	}
	w.Driver = quorumtest.Driver[*Quorum]{
		Open: func(m *machine) (*Quorum, error) {
			cfg := w.cfg
			cfg.Slot = m.Slot
			return New(cfg, m.Signer, rand.New(rand.NewPCG(w.Random.Uint64(), 2)), Directory{Sender: w.Sender}, m.Disk.Load(), &m.Stats, m.Out, w.Now)
		},
		Admit: func(q *Quorum, now time.Time, c *hearsay.Claim) { q.Admit(now, c) },
		Report: func(q *Quorum, now time.Time, id, by hearsay.NodeID, e *hearsay.Evidence) {
			q.Report(now, &Report{Stay: hearsay.Stay{ID: id}, By: by, Evidence: e})
		},
		Probed: func(q *Quorum, now time.Time, e *hearsay.Event, found hearsay.Verdict, began time.Time) bool {
			return q.Probed(now, Probe{Subject: e.Subject, Addr: e.Addr, Verdict: found, Began: began})
		},
		Look: w.look,
		Tell: func(m *machine) string {
			if m.Q.state == nil {
				return ""
			}
			return fmt.Sprintf(", cases %d, applied %d, term %d", len(m.Q.state.Cases), m.Q.replica.log.applied, m.Q.replica.node.BasicStatus().GetTerm())
		},
	}
	return w
}

// look looks at a seed after a step.
func (w *world) look(m *machine) {
	q := m.Q
	if q.state == nil {
		if q.Seated() {
			w.T.Errorf("seed %d votes without a snapshot", m.Slot)
		}
		return
	}
	if log := q.replica.log; log.unappliedBefore(log.applied+1) != 0 {
		w.T.Errorf("seed %d counts %d bytes that are not applied, and there are %d", m.Slot, log.unapplied, log.unapplied-log.unappliedBefore(log.applied+1))
	}
	// A seed never goes back behind what it has told.
	if q.state.Epoch < w.Epochs[m.Slot] {
		w.T.Errorf("seed %d went back from epoch %d to %d", m.Slot, w.Epochs[m.Slot], q.state.Epoch)
	}
	if q.chain.Epoch() != q.state.Epoch || q.chain.HeadHash() != q.state.Head {
		w.T.Errorf("seed %d: the ledger ends at %d, the state is of %d", m.Slot, q.chain.Epoch(), q.state.Epoch)
	}
	// What is applied and not yet told may be lost with a crash of this seed:
	// only what is told must be the same everywhere.
	if hash := q.state.Members.Hash(testNetwork); q.chain.Entry(q.state.Epoch) != nil && q.chain.Entry(q.state.Epoch).Ruling.Roster != hash {
		w.T.Errorf("seed %d: the roster at epoch %d is not the ruling's", m.Slot, q.state.Epoch)
	}
}

// agree is quorumtest's, and no change of voters is under way.
func (w *world) agree() bool {
	if !w.Agree() {
		return false
	}
	for _, m := range w.Machines {
		if config := m.Q.replica.log.config; len(config.GetVoters()) != len(w.Machines) || len(config.GetVotersOutgoing()) > 0 {
			return false
		}
	}
	return true
}
