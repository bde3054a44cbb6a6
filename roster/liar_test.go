package roster_test

import (
	"testing"
	"time"

	"hearsay"
)

// What one member may send, and what must not come of it.

func deadClaim(of, by *stranger, e *hearsay.Evidence) hearsay.Claim {
	return hearsay.Claim{Subject: of.id(), State: hearsay.StateDead, Incarnation: of.incarnation, By: by.id(), Evidence: e.Hash(network)}
}

func TestTimeoutRuleNeedsAnOldSuspicionHere(t *testing.T) {
	b := newBench(t, 12)
	m, liar := b.others[0], b.others[1]
	short := b.evidence(m, hearsay.RuleTimeout, first(2, hearsay.VerdictUnreachable))
	b.hear(liar, suspect(m, liar))
	b.dead(m, liar, short)
	b.want(m, hearsay.StateSuspect) // no suspicion runs out at once
	b.pass(4 * time.Second)
	b.want(m, hearsay.StateSuspect)
	b.pass(time.Second)
	b.want(m, hearsay.StateDead)
}

func TestTimeoutRuleBuriesNobodyWhoIsNoSuspectHere(t *testing.T) {
	b := newBench(t, 12)
	m, liar := b.others[0], b.others[1]
	short := b.evidence(m, hearsay.RuleTimeout, first(2, hearsay.VerdictUnreachable))
	b.hear(liar, deadClaim(m, liar, short))
	b.pass(2100 * time.Millisecond)
	b.out.Reset()
	b.TakeEvidence(b.now, short)
	b.pass(6 * time.Second)
	b.want(m, hearsay.StateAlive)
}

func TestEvidenceIsOfWhomItIsClaimed(t *testing.T) {
	b := newBench(t, 12)
	m, other, liar := b.others[0], b.others[1], b.others[2]
	b.hear(liar, suspect(other, liar))
	e := b.evidence(m, hearsay.RuleMajority, all(hearsay.VerdictUnreachable))
	b.hear(liar, deadClaim(other, liar, e))
	b.out.Reset()
	b.TakeEvidence(b.now, e)
	b.want(m, hearsay.StateAlive) // it was not told first
	b.want(other, hearsay.StateSuspect)
}
