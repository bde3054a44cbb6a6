package wire

import (
	"slices"
	"strings"
	"testing"

	"hearsay"
	"hearsay/internal/core"

	"pgregory.net/rapid"
)

func petitionSamples() []sample {
	stay := hearsay.Stay{ID: idB, Epoch: 7}
	return []sample{
		{
			name: "register", kind: kindRegister, says: "let me in", body: &core.Register{},
			claims: []hearsay.Claim{full(hearsay.StateAlive, "a", addr4)}, claimsLayout: "# alive: length u · head 1 · subject 16 · incarnation u · " + cardLayout4 + " · name 1",
		},
		{
			name: "report", kind: kindReport, says: "B is gone, and two of three observers say so", body: &core.Report{Stay: stay, Evidence: sampleEvidence()},
			bodyLayout: stayLayout + " · with 1 · " +
				"subject 16 · incarnation u · round 8 · rule 1 · accuser 16 · suspected u · condemned u · observers 1 · needed 1 · statements u · " +
				answerLayout + " · " + answerLayout,
		},
		{
			name: "report-signed", kind: kindReport, says: "B is gone, and it is A who says so", body: &core.Report{Stay: stay, Signature: sampleSignature},
			bodyLayout: stayLayout + " · with 1 · signature 64",
		},
		{
			name: "report-bare", kind: kindReport, says: "B is gone; look for yourselves", body: &core.Report{Stay: stay},
			bodyLayout: stayLayout + " · with 1",
		},
		{
			name: "depart", kind: kindDepart, says: "my stay is over", body: &core.Depart{Leave: core.Leave{Stay: stay, Signature: sampleSignature}},
			bodyLayout: stayLayout + " · signature 64",
		},
		{
			name: "outcome", kind: kindOutcome, says: "B stays: one of three seeds is against it, two reach it",
			body:       &core.Outcome{Outcome: hearsay.Outcome{Kind: hearsay.RulingRemove, Stay: stay, Code: hearsay.OutcomeRefused, Yes: 1, Needed: 2, Text: "s2 reaches it"}},
			bodyLayout: "kind 1 · " + stayLayout + " · code 1 · yes 1 · needed 1 · length 1 · text 13",
		},
	}
}

func FuzzRegister(f *testing.F) { fuzzBody(f, kindRegister) }
func FuzzReport(f *testing.F)   { fuzzBody(f, kindReport) }
func FuzzDepart(f *testing.F)   { fuzzBody(f, kindDepart) }
func FuzzOutcome(f *testing.F)  { fuzzBody(f, kindOutcome) }

// drawPetition draws what is asked of seeds or their answer, or nil if k is
// another's.
func drawPetition(t *rapid.T, k kind) core.Message {
	stay := hearsay.Stay{ID: drawID(t), Epoch: hearsay.Epoch(rapid.Uint64().Draw(t, "epoch"))}
	switch k {
	case kindRegister:
		return &core.Register{}
	case kindReport:
		m := &core.Report{Stay: stay}
		if rapid.Bool().Draw(t, "with evidence") {
			m.Evidence = drawEvidence(t)
		}
		if rapid.Bool().Draw(t, "signed") {
			m.Signature = drawSignature(t)
		}
		return m
	case kindDepart:
		return &core.Depart{Leave: core.Leave{Stay: stay, Signature: drawSignature(t)}}
	case kindOutcome:
		return &core.Outcome{Outcome: hearsay.Outcome{
			Kind: hearsay.RulingKind(rapid.Uint8Range(1, 3).Draw(t, "kind of ruling")), Stay: stay, Code: hearsay.OutcomeCode(rapid.Uint8Range(1, 4).Draw(t, "code")),
			Yes: rapid.Byte().Draw(t, "yes"), Needed: rapid.Byte().Draw(t, "needed"), Text: rapid.StringMatching(`[ a-zA-Z0-9.äöü-]{0,99}`).Draw(t, "text"),
			Reason: hearsay.Reason(rapid.Uint8Range(0, 3).Draw(t, "reason")),
		}}
	}
	return nil
}

// Whatever the reason for an outcome holds, the asker gets the outcome, and a
// reason that can be shown.
func TestOutcomeTextIsPlain(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"grün":                         "grün",
		"a\nb\x1b[2J\u0085":            "a b [2J ",
		"cut \xff\xc3":                 "cut ",
		strings.Repeat("ü", 200):       strings.Repeat("ü", hearsay.MaxWhyLen/2),
		"x" + strings.Repeat("ü", 200): "x" + strings.Repeat("ü", hearsay.MaxWhyLen/2-1),
		strings.Repeat("\xff", 1000):   "",
		strings.Repeat("\u0085", 1000): strings.Repeat(" ", hearsay.MaxWhyLen/2),
	} {
		sent := &core.Outcome{Outcome: hearsay.Outcome{Kind: hearsay.RulingAdmit, Code: hearsay.OutcomeWait, Text: text}}
		got := *sent
		got.Text = want
		checkDecodes(t, AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: sent}), &core.Packet{From: idA, Body: &got})
	}
}

// A reason of a later version is one that this version does not tell apart.
func TestOutcomeOfALaterVersion(t *testing.T) {
	sent := &core.Outcome{Outcome: hearsay.Outcome{Kind: hearsay.RulingAdmit, Code: hearsay.OutcomeRefused, Text: "no", Reason: hearsay.NumReasons}}
	got := *sent
	got.Reason = 0
	checkDecodes(t, AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: sent}), &core.Packet{From: idA, Body: &got})
}

func TestPetitionDrops(t *testing.T) {
	outcome := func(change func(m *core.Outcome)) core.Message {
		m := &core.Outcome{Outcome: hearsay.Outcome{Kind: hearsay.RulingLeave, Code: hearsay.OutcomeDone, Text: "ok"}}
		change(m)
		return m
	}
	report := &core.Report{Evidence: evidenceBy(hearsay.RuleMajority, 1)}
	for _, tt := range []struct {
		name string
		k    kind
		body []byte
		want hearsay.Drop
	}{
		{"no kind of ruling", kindOutcome, appendBody(nil, outcome(func(m *core.Outcome) { m.Kind = 0 })), hearsay.DropMalformed},
		{"what nobody asks for", kindOutcome, appendBody(nil, outcome(func(m *core.Outcome) { m.Kind = hearsay.RulingSeat })), hearsay.DropMalformed},
		{"no code", kindOutcome, appendBody(nil, outcome(func(m *core.Outcome) { m.Code = 0 })), hearsay.DropMalformed},
		{"a driver's code", kindOutcome, appendBody(nil, outcome(func(m *core.Outcome) { m.Code = hearsay.OutcomeLost })), hearsay.DropMalformed},
		{"text that is not plain", kindOutcome, replaced(appendBody(nil, outcome(func(*core.Outcome) {})), "ok", "o\n"), hearsay.DropMalformed},
		{"text too long", kindOutcome, replaced(appendBody(nil, outcome(func(*core.Outcome) {})), "\x02ok", "\xf1"+strings.Repeat("k", 0xf1)), hearsay.DropOversized},
		{"text cut short", kindOutcome, replaced(appendBody(nil, outcome(func(*core.Outcome) {})), "ok", "o"), hearsay.DropTruncated},
		{"with what is not known", kindReport, append(make([]byte, 24), 4), hearsay.DropMalformed},
		{"signature cut short", kindReport, append(make([]byte, 24), 2, 1), hearsay.DropTruncated},
		{"evidence cut short", kindReport, appendBody(nil, report)[:100], hearsay.DropTruncated},
		{"too much evidence", kindReport, appendBody(nil, &core.Report{Evidence: evidenceBy(hearsay.RuleMajority, core.MaxStatements+1)}), hearsay.DropOversized},
		{"half a signature", kindDepart, make([]byte, 50), hearsay.DropTruncated},
	} {
		checkDrop(t, tt.name, tt.k, tt.body, tt.want)
	}
}

// checkDrop wants this body dropped, for this reason.
func checkDrop(t *testing.T, name string, k kind, body []byte, want hearsay.Drop) {
	t.Helper()
	r := reader{bytes: body}
	if NewDecoder(testNetwork).readBody(&r, k); !r.failed || r.drop != want {
		t.Errorf("%s: failed %t for %s, want %s", name, r.failed, r.drop, want)
	}
}

func replaced(b []byte, old, with string) []byte {
	return []byte(strings.Replace(string(b), old, with, 1))
}

// Numbers of kinds are on the wire: none may move.
func TestKindsOfSeedsStay(t *testing.T) {
	var got []kind
	for _, s := range slices.Concat(seedSamples(), petitionSamples()) {
		if !slices.Contains(got, s.kind) {
			got = append(got, s.kind)
		}
	}
	if want := []kind{32, 33, 34, 35, 36, 40, 41, 42, 43}; !slices.Equal(got, want) {
		t.Errorf("kinds %v, want %v", got, want)
	}
}
