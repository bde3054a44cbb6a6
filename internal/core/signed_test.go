package core_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hearsay"
	"hearsay/internal/core"
)

// signedKind is a type of signed sentence: signed as about one ledger, and verified
// by somebody in another.
type signedKind struct {
	sign func(in hearsay.LedgerID, signer hearsay.Signer) (verify func(in hearsay.LedgerID) bool)

	// anyFounding says why the same sentence may count in every founding of a
	// network; "": it may not.
	anyFounding string
}

var signedKinds = map[string]signedKind{
	"Claim": {func(in hearsay.LedgerID, s hearsay.Signer) func(hearsay.LedgerID) bool {
		c := hearsay.Claim{State: hearsay.StateAlive, Incarnation: 7, Card: hearsay.Card{Name: "n1", Role: hearsay.RolePeer}}
		c.Sign(in.Network, s)
		return func(in hearsay.LedgerID) bool { return c.Verify(in.Network, s) }
	}, "only a newer incarnation of the same key takes its place, and only where that key answers"},
	"Statement": {func(in hearsay.LedgerID, s hearsay.Signer) func(hearsay.LedgerID) bool {
		m := hearsay.Statement{Subject: hearsay.NodeID{1}, Incarnation: 7, Round: 9, Verdict: hearsay.VerdictUnreachable, At: 11}
		m.Sign(in, s)
		return func(in hearsay.LedgerID) bool { return m.Verify(in, s, s.Public()) }
	}, ""},
	"Report": {func(in hearsay.LedgerID, s hearsay.Signer) func(hearsay.LedgerID) bool {
		m := core.Report{Stay: hearsay.Stay{ID: hearsay.NodeID{1}, Epoch: 3}}
		m.Sign(in, s)
		return func(in hearsay.LedgerID) bool { return m.Verify(in, s, s.Public()) }
	}, ""},
	"Leave": {func(in hearsay.LedgerID, s hearsay.Signer) func(hearsay.LedgerID) bool {
		m := core.Leave{Stay: hearsay.Stay{ID: s.Public().NodeID(), Epoch: 3}}
		m.Sign(in, s)
		return func(in hearsay.LedgerID) bool { return m.Verify(in, s, s.Public()) }
	}, ""},
	"Away": {func(in hearsay.LedgerID, s hearsay.Signer) func(hearsay.LedgerID) bool {
		m := core.Away{Stay: hearsay.Stay{ID: s.Public().NodeID(), Epoch: 3}, Incarnation: 7}
		m.Sign(in, s)
		return func(in hearsay.LedgerID) bool { return m.Verify(in, s, s.Public()) }
	}, ""},
	"Ballot": {func(in hearsay.LedgerID, s hearsay.Signer) func(hearsay.LedgerID) bool {
		m := hearsay.Ballot{Case: 5, Stay: hearsay.Stay{ID: hearsay.NodeID{1}, Epoch: 3}, Life: hearsay.Life{1}, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}}
		m.Sign(in, s)
		return func(in hearsay.LedgerID) bool { return m.Verify(in, s, s.Public()) }
	}, ""},
	"LimitsWord": {func(in hearsay.LedgerID, s hearsay.Signer) func(hearsay.LedgerID) bool {
		m := core.LimitsWord{Life: hearsay.Life{1}, Limits: hearsay.DefaultLimits(), At: 11}
		m.Sign(in, s)
		return func(in hearsay.LedgerID) bool { return m.Verify(in, s, s.Public()) }
	}, ""},
	"Head": {func(in hearsay.LedgerID, s hearsay.Signer) func(hearsay.LedgerID) bool {
		m := hearsay.Head{Founding: in.Founding, Epoch: 3, Hash: hearsay.Hash{5}}
		m.Sign(in.Network, s)
		return func(in hearsay.LedgerID) bool { m.Founding = in.Founding; return m.Verify(in.Network, s, s.Public()) }
	}, ""},
	"SeatHello": {func(in hearsay.LedgerID, s hearsay.Signer) func(hearsay.LedgerID) bool {
		m := core.SeatHello{Founding: in.Founding, Nonce: 5, Life: hearsay.Life{1}}
		m.Sign(in.Network, s)
		return func(in hearsay.LedgerID) bool { m.Founding = in.Founding; return m.Verify(in.Network, s) }
	}, ""},
	"Raft": {func(in hearsay.LedgerID, s hearsay.Signer) func(hearsay.LedgerID) bool {
		m := core.Raft{Founding: in.Founding, Term: 3, To: 1, From: 2}
		m.Sign(in.Network, s)
		return func(in hearsay.LedgerID) bool { m.Founding = in.Founding; return m.Verify(in.Network, s, s.Public()) }
	}, ""},
}

// What is signed in one world counts in no other of the same keys, numbers and words.
func TestSignedForOneWorld(t *testing.T) {
	network, signer := hearsay.NetworkIDOf("test"), hearsay.NewIdentity([32]byte{1})
	seats := []hearsay.Seat{{Key: signer.Public(), Life: hearsay.Life{1}}}
	first := hearsay.LedgerID{Network: network, Founding: core.FoundingHash(network, seats)}
	seats[0].Life[0]++
	worlds := map[string]hearsay.LedgerID{
		"founded anew by the same seeds": {Network: network, Founding: core.FoundingHash(network, seats)},
		"an open network of that name":   {Network: network},
		"a network of another name":      {Network: hearsay.NetworkIDOf("other"), Founding: first.Founding},
	}
	for name, kind := range signedKinds {
		verify := kind.sign(first, signer)
		if !verify(first) {
			t.Errorf("%s: what was signed does not verify", name)
		}
		for world, in := range worlds {
			harmless := kind.anyFounding != "" && in.Network == network
			if verify(in) != harmless {
				t.Errorf("%s: verifies in %s: %t; want %t", name, world, !harmless, harmless)
			}
		}
		verify = kind.sign(hearsay.LedgerID{Network: network}, signer)
		if verify(first) && kind.anyFounding == "" {
			t.Errorf("%s: what was signed in an open network verifies in a seeded one", name)
		}
	}
}

// The table above has all that is signed.
func TestEverySignedKindIsInTheTable(t *testing.T) {
	ours, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	vocabulary, err := filepath.Glob("../../*.go")
	if err != nil || len(vocabulary) == 0 {
		t.Fatal(vocabulary, err)
	}
	found := make(map[string]bool)
	for _, path := range slices.Concat(ours, vocabulary) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is || f.Recv == nil || f.Name.Name != "AppendSigned" && f.Name.Name != "Sign" {
				continue
			}
			if pointer, is := f.Recv.List[0].Type.(*ast.StarExpr); is {
				found[pointer.X.(*ast.Ident).Name] = true
			}
		}
	}
	delete(found, "Identity") // signs for all of them
	if got, want := slices.Sorted(maps.Keys(signedKinds)), slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
		t.Errorf("the table has %v; signed are %v", got, want)
	}
}
