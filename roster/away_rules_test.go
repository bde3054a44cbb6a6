package roster_test

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// An observer that has found a member unreachable, and has heard before it says so that the member is away, abstains.
func TestObserverAbstainsOfOneThatIsAway(t *testing.T) {
	b := newBench(t, 4)
	x, asker := b.others[0], b.others[1]
	const round = 7
	if b.ask(asker, request(x, round)); len(b.out.Events) != 1 || b.out.Events[0].Kind != hearsay.EventAsked {
		t.Fatalf("asked: %v", b.out.Events)
	}
	b.hearAway(x, x.away())
	b.out.Reset()
	b.Begin()
	b.Examined(b.now, x.id(), round, hearsay.VerdictUnreachable)
	if len(b.out.Now) != 1 {
		t.Fatalf("answers with %v", b.out.Now)
	}
	if s, is := b.out.Now[0].Body.(*core.Statement); !is || s.Verdict != hearsay.VerdictAbstains {
		t.Errorf("it says %+v", b.out.Now[0].Body)
	}
}

// A death that waits for its evidence is dropped when its subject says that it is away: the evidence that
// comes later buries nobody.
func TestAwayDropsADeathThatWaits(t *testing.T) {
	b := newBench(t, 4)
	x, accuser := b.others[0], b.others[1]
	e := b.evidence(x, hearsay.RuleMajority, all(hearsay.VerdictUnreachable))
	b.hear(accuser, hearsay.Claim{Subject: x.id(), State: hearsay.StateDead, Incarnation: x.incarnation, By: accuser.id(), Evidence: e.Hash(network)})
	if b.Pending() != 1 {
		t.Fatalf("%d deaths wait", b.Pending())
	}
	b.hearAway(x, x.away())
	if b.Pending() != 0 {
		t.Error("the death waits on")
	}
	b.TakeEvidence(b.now, e)
	b.pass(4 * time.Second)
	b.want(x, hearsay.StateAlive)
}
