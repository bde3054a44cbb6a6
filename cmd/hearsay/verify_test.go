package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// scribe writes a ledger as seeds would.
type scribe struct {
	network  hearsay.NetworkID
	seeds    []*hearsay.Identity
	founding []hearsay.Seat
	seats    []hearsay.Seat
	stays    []hearsay.Stay
	names    map[hearsay.Stay]string
	rulings  []hearsay.Ruling
	evidence map[hearsay.Epoch]*hearsay.Evidence
	last     hearsay.Hash
	late     int64 // milliseconds by which ballots say that they are later than they are
}

func identity(n byte) *hearsay.Identity { return hearsay.NewIdentity([32]byte{n}) }

func newScribe() *scribe {
	s := &scribe{network: hearsay.NetworkIDOf("scribes"), names: make(map[hearsay.Stay]string), evidence: make(map[hearsay.Epoch]*hearsay.Evidence)}
	for slot := range 3 {
		s.seeds = append(s.seeds, identity(byte(100+slot)))
		s.seats = append(s.seats, hearsay.Seat{Slot: uint8(slot), Key: s.seeds[slot].Public(), Life: hearsay.Life{byte(slot + 1)}})
	}
	s.founding = slices.Clone(s.seats)
	s.last = core.FoundingHash(s.network, s.founding)
	return s
}

// ledger is what is signed is about.
func (s *scribe) ledger() hearsay.LedgerID {
	began := core.FoundingHash(s.network, s.founding)
	for i := range s.rulings {
		if s.rulings[i].Kind == hearsay.RulingRecover {
			began = s.rulings[i].Hash(s.network)
		}
	}
	return hearsay.LedgerID{Network: s.network, Founding: began}
}

// rule gives a ruling its place, with the ballots of these seats.
func (s *scribe) rule(r hearsay.Ruling, slots ...int) {
	r.Epoch = hearsay.Epoch(len(s.rulings) + 1)
	r.Case = hearsay.CaseID(r.Epoch) * hearsay.CasesAnEntry
	r.At = 1_700_000_000_000 + int64(r.Epoch)
	stay := r.Stay
	if r.Kind == hearsay.RulingAdmit {
		r.Stay.Epoch = r.Epoch
		s.stays = append(s.stays, r.Stay)
		s.names[r.Stay] = r.Claim.Card.Name
	} else {
		s.stays = slices.DeleteFunc(s.stays, func(o hearsay.Stay) bool { return o == r.Stay })
	}
	for _, slot := range slots {
		b := hearsay.Ballot{Case: r.Case, About: r.About(s.network), Stay: stay, Slot: uint8(slot), Life: s.seats[slot].Life, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}, At: r.At + s.late}
		b.Sign(s.ledger(), s.seeds[slot])
		r.Ballots = append(r.Ballots, b)
	}
	r.Previous, r.Roster = s.last, s.roster()
	s.last = r.Hash(s.network)
	s.rulings = append(s.rulings, r)
}

func (s *scribe) roster() hearsay.Hash {
	var parts [core.RosterBuckets][]hearsay.Stay
	for _, stay := range s.stays {
		parts[stay.ID[0]] = append(parts[stay.ID[0]], stay)
	}
	var hashes [core.RosterBuckets]hearsay.Hash
	for i := range parts {
		slices.SortFunc(parts[i], func(a, b hearsay.Stay) int { return a.ID.Compare(b.ID) })
		hashes[i] = core.HashBucket(parts[i])
	}
	return core.HashRoster(s.network, &hashes)
}

func (s *scribe) admit(n byte, slots ...int) {
	c := hearsay.Claim{State: hearsay.StateAlive, Incarnation: 5, Card: hearsay.Card{Name: fmt.Sprintf("peer-%d", n), Addr: netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:6001", n)), Role: hearsay.RolePeer}}
	c.Sign(s.network, identity(n))
	s.rule(hearsay.Ruling{Kind: hearsay.RulingAdmit, Stay: hearsay.Stay{ID: c.Subject}, Key: c.Card.Key, Claim: c}, slots...)
}

func (s *scribe) stay(n byte) hearsay.Stay {
	id := identity(n).Public().NodeID()
	return s.stays[slices.IndexFunc(s.stays, func(o hearsay.Stay) bool { return o.ID == id })]
}

func (s *scribe) remove(n byte, slots ...int) {
	e := &hearsay.Evidence{Subject: s.stay(n).ID, Incarnation: 5, Round: 7, Rule: hearsay.RuleMajority, Observers: 2, Needed: 2}
	for _, observer := range []byte{1, 2} {
		st := hearsay.Statement{Subject: e.Subject, Incarnation: 5, Round: 7, Verdict: hearsay.VerdictUnreachable, At: 9}
		st.Sign(s.ledger(), identity(observer))
		e.Statements = append(e.Statements, st)
	}
	s.evidence[hearsay.Epoch(len(s.rulings)+1)] = e
	s.rule(hearsay.Ruling{Kind: hearsay.RulingRemove, Stay: s.stay(n), Key: identity(n).Public(), Rule: hearsay.RuleMajority, Evidence: e.Hash(s.network)}, slots...)
}

// removeBy removes by a rule, with the verdicts of observers 2 and 3.
func (s *scribe) removeBy(n byte, rule hearsay.Rule, verdicts ...hearsay.Verdict) {
	e := &hearsay.Evidence{Subject: s.stay(n).ID, Incarnation: 5, Round: 7, Rule: rule, Observers: 2, Needed: 2}
	for i, verdict := range verdicts {
		st := hearsay.Statement{Subject: e.Subject, Incarnation: 5, Round: 7, Verdict: verdict, At: 9}
		st.Sign(s.ledger(), identity(byte(i+2)))
		e.Statements = append(e.Statements, st)
	}
	s.evidence[hearsay.Epoch(len(s.rulings)+1)] = e
	s.rule(hearsay.Ruling{Kind: hearsay.RulingRemove, Stay: s.stay(n), Key: identity(n).Public(), Rule: rule, Evidence: e.Hash(s.network)}, 0, 2)
}

func (s *scribe) leave(n byte) {
	l := core.Leave{Stay: s.stay(n)}
	l.Sign(s.ledger(), identity(n))
	s.rule(hearsay.Ruling{Kind: hearsay.RulingLeave, Stay: l.Stay, Key: identity(n).Public(), Leave: l.Signature})
}

// reseat gives a seat to a new life.
func (s *scribe) reseat(slot int, slots ...int) {
	next := hearsay.Seat{Slot: uint8(slot), Key: identity(200).Public(), Life: hearsay.Life{99}}
	s.rule(hearsay.Ruling{Kind: hearsay.RulingSeat, Seats: []hearsay.Seat{next}}, slots...)
	s.seats[slot], s.seeds[slot] = next, identity(200)
}

// savedLedger is a saved ledger, whole.
type savedLedger struct {
	ledger.Saved
	Rulings []ledger.SavedRuling `json:"rulings"`
}

// save gives the ledger from an epoch on, in the form in which it is saved: by a seed, which knows the founding, or
// by a peer.
func (s *scribe) save(from int, heads ...int) *savedLedger {
	return s.saveAs(ledger.SaveSeats(s.founding), from, heads...)
}

func (s *scribe) saveAs(founding []ledger.SavedSeat, from int, heads ...int) *savedLedger {
	l, saver := &savedLedger{}, ledger.NewSaver(s.network, founding)
	for i := from - 1; i < len(s.rulings); i++ {
		r := &s.rulings[i]
		saved := saver.Ruling(r, s.evidence[r.Epoch])
		if name := s.names[r.Stay]; name != "" {
			saved.Member = name
		}
		l.Rulings = append(l.Rulings, saved)
	}
	var signed []hearsay.Head
	for _, slot := range heads {
		h := hearsay.Head{Founding: s.ledger().Founding, Epoch: s.rulings[len(s.rulings)-1].Epoch, Hash: s.last, Slot: uint8(slot)}
		h.Sign(s.network, s.seeds[slot])
		signed = append(signed, h)
	}
	l.Saved = saver.End(ledger.SaveSeats(s.seats), signed)
	return l
}

// example is a ledger with all that can be in one.
func example() *scribe {
	s := newScribe()
	s.admit(1, 0, 1)
	s.admit(2, 1, 2)
	s.admit(3, 0, 1, 2)
	s.remove(3, 2, 0)
	s.reseat(1, 0, 2)
	s.admit(3, 1, 2)
	s.leave(2)
	return s
}

// verify runs the command on a saved ledger.
func verify(t *testing.T, l *savedLedger, flags ...string) (code int, out, errs string) {
	t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	return verifyText(t, text, flags...)
}

func verifyText(t *testing.T, text []byte, flags ...string) (code int, out, errs string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ledger.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code = run(append([]string{"ledger", "verify", file}, flags...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// What can be read only once, as <(…) of a shell, can be checked, too.
func TestVerifyPipe(t *testing.T) {
	text, err := json.Marshal(example().save(1, 0, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	go func() {
		_, _ = in.Write(text)
		in.Close()
	}()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"ledger", "verify", fmt.Sprintf("/dev/fd/%d", out.Fd())}, &stdout, &stderr); code != 0 {
		t.Errorf("code %d: %s", code, stderr.String())
	}
}

func TestVerifyHolds(t *testing.T) {
	s := example()
	code, out, errs := verify(t, s.save(1, 0, 1, 2))
	if code != 0 {
		t.Fatal(errs)
	}
	for _, want := range []string{"from epoch 1 to 7, 4 admit, 1 remove, 1 leave, 1 seat", "13 signed ballots", "heads of 3 of 3 seats prove it up to epoch 7", "2 members are in", "that these keys are your seeds'"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	// The end of it, as a peer has it.
	l := s.saveAs(nil, 6, 0, 2)
	if code, out, errs = verify(t, l); code != 0 || !strings.Contains(out, "the rulings before epoch 6 are not in the file") {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	// All of it, but without the founding: a seat has changed hands since.
	l = s.saveAs(nil, 1, 0, 1, 2)
	if code, out, errs = verify(t, l); code != 0 || !strings.Contains(out, "3 ballots of seats that have changed hands") {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	// Keys that the user knows.
	config := filepath.Join(t.TempDir(), "config.txt")
	pin := func(keys ...hearsay.PublicKey) {
		var lines string
		for i, key := range keys {
			lines += fmt.Sprintf("10.0.1.%d,5001,%x\n", i+1, key)
		}
		if err := os.WriteFile(config, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pin(s.seats[0].Key, s.seats[1].Key, s.seats[2].Key)
	if code, out, errs = verify(t, s.save(1, 0, 1, 2), "--config", config); code != 0 || strings.Contains(out, "Not proven") {
		t.Errorf("pinned: code %d: %s%s", code, out, errs)
	}
	pin(s.seats[0].Key, s.founding[1].Key, s.seats[2].Key)
	if code, _, errs = verify(t, s.save(1, 0, 1, 2), "--config", config); code != 0 {
		t.Errorf("pinned at the founding: %s", errs)
	}
	pin(s.seats[0].Key, s.seats[1].Key, identity(9).Public())
	if code, _, errs = verify(t, s.save(1, 0, 1, 2), "--config", config); code != 1 || !strings.Contains(errs, "not the ledger of these seeds") {
		t.Errorf("another key: code %d, %s", code, errs)
	}
}

// When a suspicion ran out, as many statements hold as there were: a quorum of
// seeds has tried for itself.
func TestVerifyTimeouts(t *testing.T) {
	for _, verdicts := range [][]hearsay.Verdict{nil, {hearsay.VerdictUnreachable}, {hearsay.VerdictAbstains}, {hearsay.VerdictUnreachable, hearsay.VerdictUnreachable}} {
		s := example()
		s.removeBy(1, hearsay.RuleTimeout, verdicts...)
		if code, out, errs := verify(t, s.save(1, 0, 2)); code != 0 || !strings.Contains(out, "2 remove") {
			t.Errorf("%v: code %d, %s%s", verdicts, code, out, errs)
		}
	}
}

// Whatever is changed, the first wrong epoch is told.
func TestVerifyFails(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(s *scribe, l *savedLedger)
		want  string
	}{
		"a ballot's signature": {func(_ *scribe, l *savedLedger) { l.Rulings[2].Ballots[0].Signature[9] ^= 1 }, "epoch 3 is wrong: the ballot of seat 0 is not signed"},
		"cut":                  {func(_ *scribe, l *savedLedger) { l.Rulings[2].Canonical = []byte("cut") }, "epoch 3 is wrong: its canonical bytes"},
		"another's bytes":      {func(s *scribe, l *savedLedger) { l.Rulings[2].Canonical = s.rulings[3].AppendBinary(nil) }, "epoch 3 is wrong: its canonical bytes"},
		"words: why, of bytes": {func(s *scribe, l *savedLedger) {
			l.Rulings[3].Canonical, l.Rulings[3].Ballots[0].Why.Reason = s.rulings[3].AppendBinary(nil), hearsay.ReasonRefuted
		}, "epoch 4 is wrong: its fields say something else"},
		"a ruling is missing": {func(_ *scribe, l *savedLedger) { l.Rulings = slices.Delete(l.Rulings, 3, 4) }, "epoch 4 is wrong: the ruling of epoch 5"},
		"kind":                {func(_ *scribe, l *savedLedger) { l.Rulings[3].Kind = hearsay.RulingLeave }, "epoch 4 is wrong: "},
		"why":                 {func(_ *scribe, l *savedLedger) { l.Rulings[3].Ballots[0].Why.Reason = hearsay.ReasonRefuted }, "epoch 4 is wrong: the ballot of seat 2"},
		"name":                {func(_ *scribe, l *savedLedger) { l.Rulings[3].Member = "peer-1" }, `epoch 4 is wrong: its "member" is called "peer-1", and that is "peer-3"`},
		"name of a newcomer":  {func(_ *scribe, l *savedLedger) { l.Rulings[0].Member = "peer-9" }, "epoch 1 is wrong: the ballot of seat 0"},
		"when":                {func(_ *scribe, l *savedLedger) { l.Rulings[0].At = l.Rulings[0].At.Add(time.Second) }, "epoch 7 is wrong: the head of seat 0 is not signed by its seed: not for these rulings"},
		"evidence":            {func(_ *scribe, l *savedLedger) { l.Rulings[3].Evidence.Observers = 9 }, "epoch 4 is wrong: the ballot of seat 2"},
		"another's evidence":  {func(_ *scribe, l *savedLedger) { l.Rulings[3].EvidenceHash = hearsay.Hash{1} }, "epoch 4 is wrong: its evidence"},
		"another founding":    {func(_ *scribe, l *savedLedger) { l.Founding[0].Key[0] ^= 1 }, "epoch 1 is wrong: the ballot of seat 0"},
		"two foundings":       {func(_ *scribe, l *savedLedger) { l.Previous = hearsay.Hash{1} }, "epoch 1 is wrong: it does not follow the founding"},
		"another network":     {func(_ *scribe, l *savedLedger) { l.Network[0] ^= 1 }, "epoch 1 is wrong"},
		"too few heads":       {func(_ *scribe, l *savedLedger) { l.Heads = l.Heads[:1] }, "no quorum of seeds has signed it"},
		"a forged head":       {func(_ *scribe, l *savedLedger) { l.Heads[0].Signature[0] ^= 1 }, "epoch 7 is wrong: the head of seat 0 is not signed"},
		"other seats":         {func(_ *scribe, l *savedLedger) { l.Seats[1].Key[0] = 0xab }, "the key of seat 1 is not the one that the rulings gave it"},
		"another life":        {func(_ *scribe, l *savedLedger) { l.Rulings[5].Ballots[0].Life = hearsay.Life{1} }, "epoch 6 is wrong: the ballot of seat 1 is of another life"},
		"more seats":          {func(_ *scribe, l *savedLedger) { l.Seats = append(l.Seats, ledger.SavedSeat{Slot: 3}) }, "seats: 4 of them"},
		"seats in disorder":   {func(_ *scribe, l *savedLedger) { l.Seats[1].Slot = 2 }, "seats: slot 2 stands in the place of 1"},
		"when voted":          {func(_ *scribe, l *savedLedger) { l.Rulings[0].Ballots[0].At = time.Time{} }, "epoch 1 is wrong: the ballot of seat 0"},
		"words: seat":         {func(_ *scribe, l *savedLedger) { l.Rulings[4].Member = "seat 2" }, `epoch 5 is wrong: its "member" is called "seat 2", and that is "seat 1"`},
		"another stay":        {func(_ *scribe, l *savedLedger) { l.Rulings[6].Since = 3 }, "epoch 7 is wrong: the leave is not signed"},
		"where":               {func(_ *scribe, l *savedLedger) { l.Rulings[0].Addr = netip.MustParseAddrPort("10.0.0.9:6001") }, "epoch 1 is wrong: the ballot"},
		"the newest epoch":    {func(_ *scribe, l *savedLedger) { l.Epoch = 9 }, "its newest epoch is 9, and its rulings end with epoch 7"},
		"another roster":      {func(_ *scribe, l *savedLedger) { l.Rulings[1].Roster = hearsay.Hash{1} }, "epoch 2 is wrong: the roster"},
		"no rulings":          {func(_ *scribe, l *savedLedger) { l.Rulings = []ledger.SavedRuling{} }, "there is no ruling in it"},
		"a seat beyond all": {func(_ *scribe, l *savedLedger) {
			for len(l.Founding) < 200 {
				l.Founding = append(l.Founding, ledger.SavedSeat{Slot: uint8(len(l.Founding))})
			}
			l.Rulings[4].Seats[0].Slot = 150
		}, "seats: 200 of them"},
	} {
		s := example()
		l := s.save(1, 0, 1, 2)
		tc.spoil(s, l)
		if code, _, errs := verify(t, l); code != 1 || !strings.Contains(errs, tc.want) || strings.Count(errs, "\n") != 1 || strings.Contains(errs, "%!") {
			t.Errorf("%s: code %d, %q, want %q", name, code, errs, tc.want)
		}
	}
	// What seeds would not do, rightly chained and signed.
	for name, tc := range map[string]struct {
		write func(s *scribe)
		want  string
	}{
		"too few ballots":  {func(s *scribe) { s.admit(4, 0) }, "epoch 8 is wrong: 1 ballots of 3 seats; a quorum is 2"},
		"one ballot twice": {func(s *scribe) { s.admit(4, 0, 0) }, "epoch 8 is wrong: seat 0 has cast two ballots"},
		"admitted twice":   {func(s *scribe) { s.admit(1, 0, 1) }, "epoch 8 is wrong: it admits a member that is in"},
		"another's ballot": {func(s *scribe) { s.seeds[0] = identity(77); s.admit(4, 0, 1) }, "epoch 8 is wrong: the ballot of seat 0 is not signed"},
		"the old life":     {func(s *scribe) { s.seats[1] = s.founding[1]; s.seeds[1] = identity(101); s.admit(4, 0, 1) }, "epoch 8 is wrong: the ballot of seat 1 is not signed"},
		"a stay again": {func(s *scribe) {
			s.rule(hearsay.Ruling{Kind: hearsay.RulingRemove, Stay: hearsay.Stay{ID: identity(3).Public().NodeID(), Epoch: 3}}, 0, 2)
		}, "epoch 8 is wrong: it ends a stay that is not"},
		"nobody is against it": {func(s *scribe) { s.removeBy(1, hearsay.RuleMajority, hearsay.VerdictAbstains) }, "epoch 8 is wrong: it removes by a majority of observers, and none is against"},
		"an observer reached it": {func(s *scribe) {
			s.removeBy(1, hearsay.RuleTimeout, hearsay.VerdictUnreachable, hearsay.VerdictReachable)
		}, "epoch 8 is wrong: it removes because a suspicion ran out, and 1 observers reached"},
		"without evidence": {func(s *scribe) {
			s.rule(hearsay.Ruling{Kind: hearsay.RulingRemove, Stay: s.stay(1), Key: identity(1).Public(), Rule: hearsay.RuleTimeout}, 0, 2)
		}, "epoch 8 is wrong: it removes by the rule timeout, and names no evidence"},
		"a forged leave": {func(s *scribe) {
			s.rule(hearsay.Ruling{Kind: hearsay.RulingLeave, Stay: s.stay(1), Key: identity(1).Public()})
		}, "epoch 8 is wrong: the leave is not signed"},
		"another roster": {func(s *scribe) { s.stays = s.stays[:1]; s.admit(4, 0, 2) }, "epoch 8 is wrong: the head of seat 0 is not signed by its seed: not for these"},
	} {
		s := example()
		tc.write(s)
		if code, _, errs := verify(t, s.save(1, 0, 2)); code != 1 || !strings.Contains(errs, tc.want) {
			t.Errorf("%s: code %d, %q, want %q", name, code, errs, tc.want)
		}
	}
}

// A ruling that nobody has signed, at the end of the file, is of some kind at least.
func TestVerifyRulingOfNoKind(t *testing.T) {
	l := example().save(1, 0, 1, 2)
	l.Rulings, l.Epoch = append(l.Rulings, ledger.SavedRuling{Epoch: l.Epoch + 1}), l.Epoch+1
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	without := bytes.Replace(text, []byte(`"kind":"unknown(0)",`), nil, 1)
	if code, _, errs := verifyText(t, without); len(without) == len(text) || code != 1 || !strings.Contains(errs, "epoch 8 is wrong: its fields are no ruling") {
		t.Errorf("code %d, %q", code, errs)
	}
}

// A reporter may add statements of others, which no seed counts: they do not make the ledger wrong, and
// make no majority.
func TestVerifyOddStatements(t *testing.T) {
	for _, good := range []int{0, 1} {
		s := example()
		e := &hearsay.Evidence{Subject: s.stay(1).ID, Incarnation: 5, Round: 7, Rule: hearsay.RuleMajority, Observers: 2, Needed: 1}
		for i := range good + 1 {
			st := hearsay.Statement{Subject: e.Subject, Incarnation: 5, Round: 7, Verdict: hearsay.VerdictUnreachable, At: 9}
			st.Sign(s.ledger(), identity(3))
			if i == 0 {
				st.Signature[0] ^= 1
			}
			e.Statements = append(e.Statements, st)
		}
		s.evidence[hearsay.Epoch(len(s.rulings)+1)] = e
		s.rule(hearsay.Ruling{Kind: hearsay.RulingRemove, Stay: s.stay(1), Key: identity(1).Public(), Rule: e.Rule, Evidence: e.Hash(s.network)}, 0, 2)
		code, out, errs := verify(t, s.save(1, 0, 2))
		if good == 0 && (code != 1 || !strings.Contains(errs, "epoch 8 is wrong: it removes by a majority of observers, and none is against")) {
			t.Errorf("no statement is signed: code %d, %s", code, errs)
		}
		if good > 0 && (code != 0 || !strings.Contains(out, "\n  1 statements in evidence, which their observers have not signed")) {
			t.Errorf("one is signed: code %d, %s%s", code, out, errs)
		}
	}
}

// A seed may say in a ballot what JSON cannot: the ledger holds all the same.
func TestVerifyWhatJSONCannotSay(t *testing.T) {
	s := example()
	s.admit(4, 0, 1)
	s.late = 1 << 62
	s.remove(4, 1, 2)
	s.late = -1 << 62
	s.admit(5, 0, 1)
	s.late = 0
	s.admit(6, 0, 1)
	l := s.save(1, 0, 1, 2)
	for i, r := range l.Rulings {
		if whole := len(r.Canonical) > 0; whole != (r.Epoch == 9 || r.Epoch == 10) {
			t.Errorf("ruling %d has its canonical bytes: %t", i+1, whole)
		}
	}
	if code, out, errs := verify(t, l); code != 0 || !strings.Contains(out, "holds from epoch 1 to 11") {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	l.Rulings[8].Ballots[0].Why.Reason = hearsay.ReasonRefuted
	if code, _, errs := verify(t, l); code != 1 || !strings.Contains(errs, "epoch 9 is wrong: its fields say something else") {
		t.Errorf("code %d: %s", code, errs)
	}
}

// A ledger as it was saved once, with all things twice, is refused with what is right.
func TestVerifyOlderForm(t *testing.T) {
	for text, want := range map[string]string{
		`{"rulings":[{"epoch":1,"hash":"00"}]}`: `it is no saved ledger: unknown field "hash"; hint: "hearsay ledger --json > FILE" of this version`,
		`{"rulings":[{"epoch":1}],"proven":1}`:  `it is no saved ledger: unknown field "proven"; hint: `,
		`{"rulings":[{"epoch":"1"}]}`:           `it is no saved ledger: "epoch" is a JSON string; hint: `,
		`{"rulings":[],"rulings":[]}`:           `it has two lists of "rulings"; hint: `,
		`{"rulings":{}}`:                        `want "rulings" that are a list, and there is {; hint: `,
		`{"rulings":[`:                          `it is no saved ledger: `,

		// with reasons in words, or with what none has
		`{"rulings":[{"ballots":[{"why":"it answers at 10.0.0.1:1"}]}]}`:           `it is no saved ledger: a reason in words, as earlier versions had it`,
		`{"rulings":[{"ballots":[{"why":{"reason":"whim"}}]}]}`:                    `it is no saved ledger: reason "whim": want one of `,
		`{"rulings":[{"ballots":[{"why":{"reason":"met","addr":"10.0.0.1:1"}}]}]}`: `reason "met" has other fields: want reason; `,
		`{"rulings":[{"ballots":[{"why":{"reason":"answers"}}]}]}`:                 `reason "answers" has other fields: want reason, addr; `,
		`{"epoch":1,"epoch":2,"rulings":[{"epoch":1}]}`:                            `it has "epoch" twice; hint: `,
	} {
		if code, _, errs := verifyText(t, []byte(text)); code != 1 || !strings.Contains(errs, want) {
			t.Errorf("%s: code %d, %s", text, code, errs)
		}
	}
}

// Each finding has its words, which take what it says that it takes.
func TestFindingsHaveWords(t *testing.T) {
	for code, words := range findingWords {
		if words == "" {
			t.Errorf("finding %d has no words", code)
		}
	}
}

// named has the seeds of an example bear names, and the one whose seat is
// another's now the name that a node gives it.
func named(s *scribe, l *savedLedger, old string) {
	for slot := range l.Seats {
		l.Seats[slot].Name, l.Seats[slot].Addr = fmt.Sprintf("seed-%d", slot+1), fmt.Sprintf("10.0.1.%d:5001", slot+1)
	}
	for i := range l.Rulings {
		for j := range l.Rulings[i].Ballots {
			b := &l.Rulings[i].Ballots[j]
			if b.Seed = l.Seats[b.Slot].Name; b.Slot == 1 && l.Rulings[i].Epoch <= 5 {
				b.Seed = old
			}
		}
	}
}

// Nobody signs the names and addresses of seeds: they are told as what they
// are, after the keys, and must agree within the file.
func TestVerifyNames(t *testing.T) {
	s := example()
	key := fmt.Sprintf("key %x", s.founding[1].Key[:4])
	for name, tc := range map[string]struct {
		old   string
		spoil func(l *savedLedger)
		want  string // "": it holds
	}{
		"a key for a name":          {key, func(*savedLedger) {}, ""},
		"a name of then":            {"eve", func(*savedLedger) {}, ""},
		"an address for a name":     {"eve", func(l *savedLedger) { l.Rulings[0].Ballots[0].Seed = l.Seats[0].Addr }, ""},
		"a seed that was not met":   {"eve", func(l *savedLedger) { l.Rulings[0].Ballots[0].Seed = "a seed in slot 0" }, ""},
		"another's ballot":          {"eve", func(l *savedLedger) { l.Rulings[0].Ballots[0].Seed = "seed-3" }, `epoch 1 is wrong: the ballot of seat 0 is called "seed-3"'s, and the seed with its key is called "seed-1"`},
		"of the new one":            {"eve", func(l *savedLedger) { l.Rulings[5].Ballots[0].Seed = "eve" }, "epoch 6 is wrong: the ballot of seat 1"},
		"two names of one old seed": {"eve", func(l *savedLedger) { l.Rulings[1].Ballots[0].Seed = "zed" }, "epoch 2 is wrong: the ballot of seat 1"},
		"another old key":           {key, func(l *savedLedger) { l.Rulings[1].Ballots[0].Seed = "key 00000000" }, "epoch 2 is wrong: the ballot of seat 1"},
	} {
		l := s.save(1, 0, 1, 2)
		named(s, l, tc.old)
		tc.spoil(l)
		code, out, errs := verify(t, l)
		if tc.want != "" && (code != 1 || !strings.Contains(errs, tc.want)) || tc.want == "" && code != 0 {
			t.Errorf("%s: code %d, %s; want %q", name, code, errs, tc.want)
		}
		if tc.want == "" && (!strings.Contains(out, "SEAT  KEY") || !strings.Contains(out, "\n  the names and addresses of seeds: ")) {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}

// What is missing is told, and what does not belong to it is refused.
func TestVerifyWhatLacks(t *testing.T) {
	s := example()
	l := s.save(1, 0, 1, 2)
	l.Rulings[3].Evidence, l.Rulings[3].EvidenceHash = nil, s.rulings[3].Evidence
	if code, out, errs := verify(t, l); code != 0 || !strings.Contains(out, "\n  what was reported before removals, as it is not in the file: of 1, the first of epochs [4]") {
		t.Errorf("no evidence: code %d, %s%s", code, out, errs)
	}
	if code, out, errs := verify(t, s.save(4, 0, 1, 2)); code != 0 || !strings.Contains(out, "the names of 2 members that left or were removed") {
		t.Errorf("no admissions: code %d, %s%s", code, out, errs)
	}
	text, err := json.Marshal(s.save(1, 0, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errs := verifyText(t, append(text, ` {"epoch":9}`...)); code != 1 || !strings.Contains(errs, "it goes on after the ledger") {
		t.Errorf("two ledgers: code %d, %s", code, errs)
	}
	if code, _, errs := verifyText(t, []byte(`[1]`)); code != 1 || !strings.Contains(errs, "it is no saved ledger: want one JSON object, and there is [; hint: ") {
		t.Errorf("a list: code %d, %s", code, errs)
	}
	beyond := hearsay.Head{Founding: s.ledger().Founding, Epoch: 8, Hash: hearsay.Hash{1}, Slot: 1}
	beyond.Sign(s.network, s.seeds[1])
	l = s.save(1, 0, 1, 2)
	l.Heads[1] = ledger.SavedHead{Slot: 1, Epoch: 8, Hash: beyond.Hash, Signature: beyond.Signature}
	code, out, errs := verify(t, l)
	for _, want := range []string{"heads of 2 of 3 seats prove it up to epoch 7", "\n  what was ruled later: seat 1 has signed a head of epoch 8, and the file ends with epoch 7\n"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("a head of a later epoch: code %d, %s%s; want %q", code, out, errs, want)
		}
	}
	l.Heads[1].Signature[0] ^= 1
	if code, _, errs = verify(t, l); code != 1 || !strings.Contains(errs, "epoch 8 is wrong: the head of seat 1 is not signed by its seed") {
		t.Errorf("a forged head of a later epoch: code %d, %s", code, errs)
	}
	if code, _, errs := verifyText(t, append(text, " \n"...)); code != 0 {
		t.Errorf("a newline: code %d, %s", code, errs)
	}
}
