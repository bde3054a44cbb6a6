package guest

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
)

// What people search for in the older programs' logs is found in ours, and
// pings are not.
func TestPhrases(t *testing.T) {
	own, peer, other := hearsay.NodeID{1}, hearsay.NodeID{2}, hearsay.NodeID{3}
	at := map[hearsay.NodeID]netip.AddrPort{
		own: netip.MustParseAddrPort("10.0.0.1:1"), peer: netip.MustParseAddrPort("10.0.0.2:2"), other: netip.MustParseAddrPort("10.0.0.3:3"),
	}
	ballot := func(by hearsay.NodeID, epoch hearsay.Epoch, verdict hearsay.BallotVerdict) hearsay.Event {
		return hearsay.Event{Kind: hearsay.EventBallot, Subject: peer, By: by, Case: 5, Epoch: epoch, Ballot: &hearsay.Ballot{Stay: hearsay.Stay{ID: peer, Epoch: epoch}, Verdict: verdict}}
	}
	admitted := &hearsay.Ruling{Kind: hearsay.RulingAdmit, Ballots: make([]hearsay.Ballot, 2)}
	removed := &hearsay.Ruling{Kind: hearsay.RulingRemove, Ballots: make([]hearsay.Ballot, 2)}
	evidence := &hearsay.Evidence{Needed: 2, Observers: 3, Statements: []hearsay.Statement{
		{Observer: own, Verdict: hearsay.VerdictUnreachable}, {Observer: other, Verdict: hearsay.VerdictUnreachable}, {Verdict: hearsay.VerdictReachable},
	}}
	unanswered := &hearsay.Evidence{Rule: hearsay.RuleTimeout, Needed: 3, Observers: 5, Statements: []hearsay.Statement{{Observer: own, Verdict: hearsay.VerdictAbstains}}}
	rumor := func(of hearsay.NodeID, text string) hearsay.Event {
		by := other
		if of == own {
			by = own
		}
		return hearsay.Event{At: time.Unix(100, 0), Kind: hearsay.EventRumor, Subject: of, By: by, Rumor: &hearsay.Rumor{ID: clock.Dot{Counter: 7}, Data: []byte(text)}}
	}
	earlier := rumor(own, "100:10.0.0.1:1")
	earlier.Past = true
	of := make(map[hearsay.Role]*Phrases)
	for _, role := range []hearsay.Role{hearsay.RoleSeed, hearsay.RolePeer} {
		where := func(id hearsay.NodeID) netip.AddrPort { return at[id] }
		of[role] = NewPhrases(role, 3, own, at[own], where, func() int { return 4 })
	}
	for _, tc := range []struct {
		role  hearsay.Role
		event hearsay.Event
		want  string
	}{
		{hearsay.RoleSeed, hearsay.Event{Kind: hearsay.EventCaseOpened, Subject: peer, Addr: at[peer], Case: 5, Text: "admit"}, `Registration proposal received for 10.0.0.2:2; starting seed consensus`},
		{hearsay.RoleSeed, ballot(own, 0, hearsay.BallotYes), `Vote on registration proposal reg:10.0.0.2:2 for 10.0.0.2:2: vote=True`},
		{hearsay.RoleSeed, ballot(other, 0, hearsay.BallotYes), ``},
		{hearsay.RoleSeed, hearsay.Event{Kind: hearsay.EventCaseAborted, Subject: peer, Case: 5}, `Registration consensus ABORT for 10.0.0.2:2. yes_votes=2, quorum=2`},
		{hearsay.RoleSeed, hearsay.Event{Kind: hearsay.EventRuled, Subject: peer, Case: 5, Epoch: 4, Ruling: admitted}, `Registration consensus COMMIT for 10.0.0.2:2. yes_votes=2, quorum=2`},
		{hearsay.RoleSeed, hearsay.Event{Kind: hearsay.EventCaseOpened, Subject: peer, Case: 5, Epoch: 4, By: other, Text: "remove by majority"}, `Dead report received for 10.0.0.2:2 from 10.0.0.3:3; starting seed consensus`},
		{hearsay.RoleSeed, ballot(own, 4, hearsay.BallotNo), `Vote on dead-node proposal dead:10.0.0.2:2 for 10.0.0.2:2: vote=False`},
		{hearsay.RoleSeed, hearsay.Event{Kind: hearsay.EventCaseAborted, Subject: peer, Case: 5, Epoch: 4}, `Dead-node consensus ABORT for 10.0.0.2:2. yes_votes=0, quorum=2`},
		{hearsay.RoleSeed, hearsay.Event{Kind: hearsay.EventCaseOpened, Subject: peer, Case: 6, Epoch: 4, Text: "remove by trial"}, `Dead report received for 10.0.0.2:2 from 10.0.0.1:1; starting seed consensus`},
		{hearsay.RoleSeed, hearsay.Event{Kind: hearsay.EventRuled, Subject: peer, Case: 6, Ruling: removed}, `Dead-node consensus COMMIT for 10.0.0.2:2. yes_votes=2, quorum=2`},
		{hearsay.RoleSeed, hearsay.Event{Kind: hearsay.EventExamined, Subject: peer, Verdict: hearsay.VerdictReachable}, ``},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventSeedAnswered, Addr: at[other], Outcome: hearsay.OutcomeDone}, `Seed 10.0.0.3:3 register response: success=True`},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventSeedAnswered, Addr: at[other], Outcome: hearsay.OutcomeWait, Text: "no quorum"}, `Seed 10.0.0.3:3 register response: success=False`},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventSeedAnswered, Addr: at[other], Outcome: hearsay.OutcomeLost, Text: "connection refused"}, `Seed 10.0.0.3:3 registration failed: connection refused`},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventSeedAnswered, Addr: at[other], Text: "no answer in time"}, `Seed 10.0.0.3:3 registration failed: no answer in time`},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventJoinFail, Addr: at[other], Text: "barred"}, `Not admitted yet`},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventRuled, Subject: own, Ruling: admitted, Epoch: 4}, ``},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventJoined, Subject: own, Count: 5}, `Bootstrap complete: seeds=3, union_peers=5, neighbors=4`},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventLinked, Subject: peer}, `Connected neighbor: 10.0.0.2:2`},
		{hearsay.RolePeer, rumor(own, "100:10.0.0.1:1"), `Generated gossip: 100:10.0.0.1:1`},
		{hearsay.RolePeer, earlier, ``},
		{hearsay.RolePeer, rumor(peer, "hello"), `First-time gossip received: 100:10.0.0.2:7 | sender_ip=10.0.0.3`},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventAsked, Subject: peer, By: other, Round: 9}, ``},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventExamined, Subject: peer, Round: 9, Verdict: hearsay.VerdictUnreachable}, `Suspicion probe received for 10.0.0.2:2 from 10.0.0.3:3 -> alive=False`},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventUnreachable, Subject: peer, Count: 3}, `Neighbor suspicion triggered for 10.0.0.2:2 after 4 ping failures`},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventCondemned, Subject: peer, Evidence: evidence}, `Peer-level suspicion result for 10.0.0.2:2: dead_votes=2/3, majority=2, external_dead_votes=1, consensus=True`},
		{
			hearsay.RolePeer,
			hearsay.Event{Kind: hearsay.EventCondemned, Subject: peer, Evidence: unanswered},
			`Peer-level suspicion result for 10.0.0.2:2: dead_votes=0/1, majority=3, external_dead_votes=0, consensus=False; The suspicion of a member ran out: no observer said whether it reaches the member`,
		},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventRuled, Subject: peer, Ruling: removed}, `Confirmed dead-node report sent for 10.0.0.2:2. seed_accepts=2/3`},
		{hearsay.RolePeer, hearsay.Event{Kind: hearsay.EventRuled, Subject: peer, Ruling: removed}, `Dead-node consensus COMMIT for 10.0.0.2:2. yes_votes=2, quorum=2`},
	} {
		if got := of[tc.role].Phrase(&tc.event); got != tc.want {
			t.Errorf("%s, %s: %q, want %q", tc.role, tc.event.Kind, got, tc.want)
		}
	}
	// That it was let in is said when it is in: the ruling may be of a stay that is over.
	p := of[hearsay.RolePeer]
	p.Phrase(&hearsay.Event{Kind: hearsay.EventRuled, Subject: own, Ruling: admitted, Epoch: 4})
	if got := p.Before(&hearsay.Event{Kind: hearsay.EventRuled, Subject: own, Ruling: removed, Epoch: 5}); got != "" {
		t.Errorf("removed, and says %q", got)
	}
	if got, want := p.Before(&hearsay.Event{Kind: hearsay.EventJoined, Subject: own, Epoch: 4}), "Registration quorum achieved with 2 seeds"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
