package roster

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// evidence is what this node keeps of the deaths and removals that it has seen.
type evidence struct {
	*part
	kept []keptEvidence // oldest first; at most maxEvidence
}

// keptEvidence is evidence by its hash.
type keptEvidence struct {
	hash     hearsay.Hash
	evidence *hearsay.Evidence
}

// load takes evidence that an earlier life kept, in the order of decisions.
func (k *evidence) load(record *core.KeptEvidence) {
	one := keptEvidence{hash: record.Hash, evidence: record.Evidence}
	at, _ := slices.BinarySearchFunc(k.kept, one, func(a, b keptEvidence) int {
		return cmp.Or(cmp.Compare(a.evidence.Condemned, b.evidence.Condemned), bytes.Compare(a.hash[:], b.hash[:]))
	})
	k.kept = slices.Insert(k.kept, at, one)
}

// keep keeps the newest.
func (k *evidence) keep(hash hearsay.Hash, e *hearsay.Evidence) {
	if k.Evidence(hash) != nil {
		return
	}
	if len(k.kept) >= maxEvidence {
		k.out.Persist = append(k.out.Persist, &core.KeptEvidence{Hash: k.kept[0].hash})
		k.kept = slices.Delete(k.kept, 0, 1)
	}
	k.kept = append(k.kept, keptEvidence{hash: hash, evidence: e})
	k.out.Persist = append(k.out.Persist, &core.KeptEvidence{Hash: hash, Evidence: e})
}

// Evidence gives the evidence of this hash, or nil.
func (k *evidence) Evidence(hash hearsay.Hash) *hearsay.Evidence {
	for i := range k.kept {
		if k.kept[i].hash == hash {
			return k.kept[i].evidence
		}
	}
	return nil
}

// EvidenceOf gives the newest evidence against a member, or nil.
func (k *evidence) EvidenceOf(id hearsay.NodeID) *hearsay.Evidence {
	for _, kept := range slices.Backward(k.kept) {
		if kept.evidence.Subject == id {
			return kept.evidence
		}
	}
	return nil
}

// EvidenceReq answers a member that wants to count for itself.
func (k *evidence) EvidenceReq(now time.Time, p *core.Packet, m *core.EvidenceReq) {
	switch e := k.Evidence(m.Hash); {
	case !k.members.Known(p.From):
		k.out.stats.Drops[hearsay.DropStranger]++
	case e == nil:
		k.out.stats.Drops[hearsay.DropUnexpected]++
	case !k.roster.budgets.byStream(p):
	case k.roster.budgets.affordAnswer(now, p, priceEvidence):
		defer k.roster.budgets.answered(now, p, len(k.out.Send))
		k.out.Send = append(k.out.Send, p.Reply(&core.Evidence{Evidence: e}))
	}
}

// KeepEvidence keeps evidence that the caller has checked: the newest of all that is kept, and of its subject.
func (k *evidence) KeepEvidence(e *hearsay.Evidence) {
	own := ownCopy(e)
	k.keep(own.Hash(k.roster.network), own)
}

// ownCopy copies evidence that came with a packet, and belongs to it.
func ownCopy(e *hearsay.Evidence) *hearsay.Evidence {
	own := *e
	own.Statements = slices.Clone(e.Statements)
	return &own
}
