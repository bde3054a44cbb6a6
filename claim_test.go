package hearsay_test

import (
	"net/netip"
	"strings"
	"testing"

	"hearsay"
)

func TestSupersedes(t *testing.T) {
	const alive, suspect, dead, left = hearsay.StateAlive, hearsay.StateSuspect, hearsay.StateDead, hearsay.StateLeft
	claim := func(s hearsay.State, i hearsay.Incarnation) *hearsay.Claim {
		return &hearsay.Claim{State: s, Incarnation: i}
	}
	for _, c := range []struct {
		over, under *hearsay.Claim
		why         string
	}{
		{claim(suspect, 5), claim(alive, 5), "a suspicion holds until refuted"},
		{claim(dead, 5), claim(suspect, 5), "a death ends a suspicion"},
		{claim(left, 5), claim(dead, 5), "its own word is the last"},
		{claim(alive, 6), claim(suspect, 5), "a higher incarnation refutes"},
		{claim(alive, 6), claim(dead, 5), "also a death"},
		{claim(alive, 6), claim(left, 5), "and returns"},
		{claim(suspect, 6), claim(dead, 5), "it lived after that death"},
	} {
		if !c.over.Supersedes(c.under) || c.under.Supersedes(c.over) {
			t.Errorf("%v %d must win over %v %d: %s", c.over.State, c.over.Incarnation, c.under.State, c.under.Incarnation, c.why)
		}
	}
	if same := claim(suspect, 5); same.Supersedes(claim(suspect, 5)) {
		t.Error("a claim wins over itself")
	}
}

func TestSignedClaimIsOnlyItsSubjectsWord(t *testing.T) {
	network := hearsay.NetworkIDOf("test")
	ann, bob := hearsay.NewIdentity([32]byte{1}), hearsay.NewIdentity([32]byte{2})
	signed := hearsay.Claim{State: hearsay.StateAlive, Incarnation: 7, Card: hearsay.Card{
		Name: "ann", Addr: netip.MustParseAddrPort("10.0.0.1:7946"), Role: hearsay.RolePeer,
	}}
	signed.Sign(network, ann)
	if !signed.Verify(network, bob) {
		t.Fatal("what was signed does not verify")
	}
	for what, change := range map[string]func(*hearsay.Claim){
		"incarnation": func(c *hearsay.Claim) { c.Incarnation++ },
		"address":     func(c *hearsay.Claim) { c.Card.Addr = netip.MustParseAddrPort("10.0.0.2:7946") },
		"name":        func(c *hearsay.Claim) { c.Card.Name = "bob" },
		"role":        func(c *hearsay.Claim) { c.Card.Role = hearsay.RoleSeed },
		"leaving":     func(c *hearsay.Claim) { c.State = hearsay.StateLeft },
		"key":         func(c *hearsay.Claim) { c.Card.Key = bob.Public(); c.Subject = c.Card.Key.NodeID() },
		"subject":     func(c *hearsay.Claim) { c.Subject = bob.Public().NodeID() },
	} {
		changed := signed
		change(&changed)
		if changed.Verify(network, bob) {
			t.Errorf("verifies with another %s", what)
		}
	}
	if signed.Verify(hearsay.NetworkIDOf("other"), bob) {
		t.Error("verifies in another network")
	}
	suspect := signed
	suspect.State = hearsay.StateSuspect // said by others; the card stays the subject's
	if !suspect.Verify(network, bob) {
		t.Error("the card of a suspect does not verify")
	}
}

func TestStatementIsOnlyItsObserversWord(t *testing.T) {
	ledger := hearsay.LedgerID{Network: hearsay.NetworkIDOf("test")}
	ann, bob := hearsay.NewIdentity([32]byte{1}), hearsay.NewIdentity([32]byte{2})
	signed := hearsay.Statement{
		Subject: bob.Public().NodeID(), Incarnation: 7, Round: 9, Verdict: hearsay.VerdictReachable, At: 11,
	}
	signed.Sign(ledger, ann)
	if !signed.Verify(ledger, bob, ann.Public()) {
		t.Fatal("what was signed does not verify")
	}
	for what, change := range map[string]func(*hearsay.Statement){
		"subject":     func(s *hearsay.Statement) { s.Subject[0]++ },
		"incarnation": func(s *hearsay.Statement) { s.Incarnation++ },
		"round":       func(s *hearsay.Statement) { s.Round++ },
		"verdict":     func(s *hearsay.Statement) { s.Verdict = hearsay.VerdictUnreachable },
		"time":        func(s *hearsay.Statement) { s.At++ },
	} {
		changed := signed
		change(&changed)
		if changed.Verify(ledger, bob, ann.Public()) {
			t.Errorf("verifies with another %s", what)
		}
	}
	if signed.Verify(ledger, bob, bob.Public()) {
		t.Error("verifies as the word of another observer")
	}
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"n1", "ann.example", "größe", "a-b_c"} {
		if err := hearsay.CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a b", "a/b", "a\nb", "\x1b[31m", "\xff", string(make([]byte, 65)), ".", "..", "a\u202eb", "a\u200b", "\u3164", "\ufeffa", "a\u00ad", "\ufffd", "a\u3000b"} {
		if err := hearsay.CheckName(bad); err == nil || strings.ContainsAny(err.Error(), unplain) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCheckWhy(t *testing.T) {
	for _, good := range []string{"", "it is lent, until May", "größer als 漢字\u3000", strings.Repeat("x", hearsay.MaxWhyLen)} {
		if err := hearsay.CheckWhy(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"two\nlines", "a\tb", "\x1b[2J", "\u202e", "\xff", strings.Repeat("x", hearsay.MaxWhyLen+1)} {
		if err := hearsay.CheckWhy(bad); err == nil || strings.ContainsAny(err.Error(), unplain) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
