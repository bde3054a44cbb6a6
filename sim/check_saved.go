package sim

import (
	"iter"
	"slices"

	"hearsay"
	"hearsay/ledger"
)

// This file holds nodes to what they give of their ledgers: one that is saved can be checked offline, as
// "hearsay ledger verify" does.

// savedLedgers checks the ledger that each running node would have saved now.
func (in *inspection) savedLedgers() {
	w := in.world
	for i := range w.machines {
		m := &w.machines[i]
		if m.condition != conditionRunning || w.config.Seeds == 0 || m.node.Seeded().Epoch() == 0 || m.node.Seeded().Authority().Proven != m.node.Seeded().Epoch() {
			continue // what is not signed yet proves nothing
		}
		saved, rulings := saveLedger(m)
		if n := len(rulings); n == 0 || rulings[n-1].Epoch != m.node.Seeded().Epoch() {
			continue // a peer that took a roster over whole, or is about to take what it has been given
		}
		if slices.ContainsFunc(m.node.Seeded().Proof(false).Heads, func(h hearsay.Head) bool { return h.Epoch > m.node.Seeded().Epoch() }) {
			// a seat's newest signature is of a ruling that has yet to come here, and stands for no earlier one
			continue
		}
		found, _ := ledger.Verify(&saved, all(rulings), nil, &w.check.verifier)
		if wrong := found.Wrong; wrong != nil {
			w.check.violate(w.now, m, RuleLedger, "its ledger does not hold when it is saved: finding %d of epoch %d, %v", wrong.Code, wrong.Epoch, wrong.Args)
		} else if found.Proven != m.node.Seeded().Epoch() {
			w.check.violate(w.now, m, RuleLedger, "its saved ledger is proven up to epoch %d of %d", found.Proven, m.node.Seeded().Epoch())
		}
	}
}

// saveLedger gives what a node has in memory of its ledger, in the form in which it is saved. Nodes call each other
// by what they have heard; here only the ledger's own names are.
func saveLedger(m *machine) (ledger.Saved, []ledger.SavedRuling) {
	proof := m.node.Seeded().Proof(false)
	saver := ledger.NewSaver(proof.Network, ledger.SaveSeats(proof.Founding))
	names := make(map[hearsay.Stay]string)
	var rulings []ledger.SavedRuling
	for _, r := range m.node.Seeded().Ledger(proof.Oldest-min(proof.Oldest, 1), int(m.node.Seeded().Epoch())) {
		saved := saver.Ruling(r, m.node.Seeded().Evidence(r.Epoch))
		if r.Kind == hearsay.RulingAdmit {
			names[r.Stay] = saved.Member
		} else if name := names[r.Stay]; name != "" {
			saved.Member = name
		}
		for i := range saved.Ballots {
			saved.Ballots[i].Seed = ledger.UnmetName(saved.Ballots[i].Slot)
		}
		rulings = append(rulings, saved)
	}
	return saver.End(ledger.SaveSeats(proof.Seats), proof.Heads), rulings
}

// all gives saved rulings one by one.
func all(rulings []ledger.SavedRuling) iter.Seq2[*ledger.SavedRuling, error] {
	return func(yield func(*ledger.SavedRuling, error) bool) {
		for i := range rulings {
			if !yield(&rulings[i], nil) {
				return
			}
		}
	}
}
