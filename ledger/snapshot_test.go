package ledger

import (
	"net/netip"
	"strings"
	"testing"

	"hearsay"
	"hearsay/internal/core"
)

// Limits that are lowered leave nothing spent that nobody can have spent by them: a seed could
// not start again on the state.
func TestLoweredLimits(t *testing.T) {
	b := newBench(t, 3)
	source := netip.MustParseAddr("10.0.0.9")
	for range 5 * b.Usage.Limits.MembersOfSource {
		b.Usage.Spend(source, AnAdmission, AnAdmission)
	}
	lowered := hearsay.Limits{Members: 2, MembersOfSource: 1, Admissions: 1, SourceAdmissions: 1}
	for slot := range 2 {
		w := core.LimitsWord{Slot: uint8(slot), Life: b.Seats[slot].Life, Limits: lowered, At: 7}
		w.Sign(b.Ledger(), b.seeds[slot])
		b.do(Command{Op: OpLimits, Limits: w})
	}
	if own, all := b.Usage.SpentOf(source, 0), b.Usage.Network.spentAt(0, 1); b.Usage.Limits != lowered || own != mostSpend*AnAdmission || all != 2*shareMost*AnAdmission {
		t.Errorf("%d and %d are spent, and the limits are %+v", own, all, b.Usage.Limits)
	}
	if ReadSnapshot(testNetwork, b.seeds[0], b.AppendSnapshot(nil)) == nil {
		t.Error("the state's own snapshot is refused")
	}
}

// No part of a snapshot is longer than what bounds it, and not much shorter.
func TestPartsOfSnapshotsAreBounded(t *testing.T) {
	claim := hearsay.Claim{State: hearsay.StateAlive, Incarnation: 1}
	claim.Card = hearsay.Card{Name: strings.Repeat("n", hearsay.MaxNameLen), Addr: netip.MustParseAddrPort("[2001:db8::1]:65535"), Role: hearsay.RolePeer}
	claim.Sign(testNetwork, newKeyed(1))
	evidence := &hearsay.Evidence{Statements: make([]hearsay.Statement, core.MaxStatements)}
	why := strings.Repeat("w", hearsay.MaxWhyLen)
	size := func(add func(s *State)) int {
		s := NewState(testNetwork, newKeyed(1), nil)
		before := len(s.AppendSnapshot(nil))
		add(s)
		return len(s.AppendSnapshot(nil)) - before
	}
	open := func(ballots int) func(s *State) {
		return func(s *State) {
			c := &Case{Opening: Command{Op: OpRemove, Rule: hearsay.RuleMajority, Evidence: evidence, Claim: claim, Why: why}}
			for range ballots {
				c.Ballots = append(c.Ballots, hearsay.Ballot{Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonSilent, Addr: claim.Card.Addr, Took: 4000}})
			}
			s.Cases = append(s.Cases, c)
		}
	}
	for name, c := range map[string]struct{ most, got int }{
		"member":    {MemberBytes, size(func(s *State) { s.Members.Add(Member{Claim: claim}) })},
		"case":      {caseBytes, size(open(0))},
		"ballot":    {ballotBytes, size(open(1)) - size(open(0))},
		"bar":       {barBytes, size(func(s *State) { s.Barred = append(s.Barred, hearsay.Bar{Why: why}) })},
		"departure": {departureBytes, size(func(s *State) { s.Departed = append(s.Departed, departure{}) })},
		"source":    {sourceBytes, size(func(s *State) { s.Usage.Sources = append(s.Usage.Sources, Spending{Source: claim.Card.Addr.Addr()}) })},
	} {
		if c.got > c.most || 4*c.got < 3*c.most {
			t.Errorf("a %s has %d bytes, want %d at most, and not much less", name, c.got, c.most)
		}
	}
}
