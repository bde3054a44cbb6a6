package quorum

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// What removes a member goes into the log before admissions that were asked for earlier.
func TestRemovalsGoBeforeAdmissions(t *testing.T) {
	w := followed(t, 92, 3)
	lead := w.Machines[slices.IndexFunc(w.Machines, func(m *machine) bool { return m.Q.replica.leads() })]
	p := w.People[1]
	p.Covered = true
	member, _ := lead.Q.Member(p.ID())
	last := lead.Q.replica.log.last()
	w.Step(lead, func() {
		for n := range 3 * hearsay.CasesAnEntry {
			lead.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpAdmit, Claim: *knocker(n, 1)})
		}
		lead.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpRemove, Stay: member.Stay, Rule: hearsay.RuleTrial})
	})
	w.Must(time.Second, "the log has the first of it", func() bool { return lead.Q.replica.log.last() > last })
	e, _ := lead.Q.replica.log.Entries(last+1, last+2, 1<<20)
	if commands, ok := ledger.ReadEntry(e[0].GetData()); !ok || commands[0].Op != ledger.OpRemove || len(commands) < 2 {
		t.Errorf("the entry begins with %v, and has %d commands", commands[0].Op, len(commands))
	}
}

// What is proposed while no seed leads is not lost: it comes into the log with the next leader, and is not there twice.
func TestProposalsWaitForALeader(t *testing.T) {
	w := followed(t, 93, 3)
	m := w.Machines[0]
	w.Step(m, func() {
		m.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpBallot})
		r := m.Q.replica
		m.Q.replica = nil // as if none led
		m.Q.commits.flush(w.Now)
		m.Q.replica = r
	})
	if n := len(m.Q.commits.first); n != 1 || m.Q.commits.flushAt.IsZero() {
		t.Fatalf("%d wait", n)
	}
	w.Run(2 * m.Q.cfg.RetryEvery)
	if n := len(m.Q.commits.first); n != 0 {
		t.Errorf("%d wait after its owner has proposed it again", n)
	}
}

// Of a crowd only so many are being admitted at once, and all come in.
func TestAdmissionsAreSpaced(t *testing.T) {
	w := newWorld(t, 3, 94)
	w.cfg.Limits.MembersOfSource, w.cfg.Limits.SourceAdmissions = 4096, 4096
	w.StartAll()
	w.Must(10*time.Second, "the limits hold", func() bool { return w.agree() && w.Machines[0].Q.Limits() == w.cfg.Limits })
	most := 0
	w.Stepped = func(m *machine, _ *core.Effects) { most = max(most, len(m.Q.state.Admitting)) }
	var people []*person
	for range 3 * admissionsMost {
		people = append(people, w.NewPerson())
	}
	w.Must(30*time.Second, "all are in", func() bool { return !slices.ContainsFunc(people, func(p *person) bool { return !w.In(p) }) })
	if most < 32 || most > len(w.Machines)*admissionsMost {
		t.Errorf("%d were being admitted at once", most)
	}
}
