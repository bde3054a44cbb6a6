package main

import (
	"bytes"
	"encoding/hex"
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
	"hearsay/web"
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
}

func identity(n byte) *hearsay.Identity { return hearsay.NewIdentity([32]byte{n}) }

func newScribe() *scribe {
	s := &scribe{network: hearsay.NetworkIDOf("scribes"), names: make(map[hearsay.Stay]string), evidence: make(map[hearsay.Epoch]*hearsay.Evidence)}
	for slot := range 3 {
		s.seeds = append(s.seeds, identity(byte(100+slot)))
		s.seats = append(s.seats, hearsay.Seat{Slot: uint8(slot), Key: s.seeds[slot].Public(), Life: hearsay.Life{byte(slot + 1)}})
	}
	s.founding = slices.Clone(s.seats)
	s.last = hearsay.FoundingHash(s.network, s.founding)
	return s
}

// ledger is what is signed is about.
func (s *scribe) ledger() hearsay.LedgerID {
	began := hearsay.FoundingHash(s.network, s.founding)
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
		b := hearsay.Ballot{Case: r.Case, About: r.About(s.network), Stay: stay, Slot: uint8(slot), Life: s.seats[slot].Life, Verdict: hearsay.BallotYes, Why: "seen", At: r.At}
		b.Sign(s.ledger(), s.seeds[slot])
		r.Ballots = append(r.Ballots, b)
	}
	r.Previous, r.Roster = s.last, s.roster()
	s.last = r.Hash(s.network)
	s.rulings = append(s.rulings, r)
}

func (s *scribe) roster() hearsay.Hash {
	var parts [hearsay.RosterBuckets][]hearsay.Stay
	for _, stay := range s.stays {
		parts[stay.ID[0]] = append(parts[stay.ID[0]], stay)
	}
	var hashes [hearsay.RosterBuckets]hearsay.Hash
	for i := range parts {
		slices.SortFunc(parts[i], func(a, b hearsay.Stay) int { return a.ID.Compare(b.ID) })
		hashes[i] = hearsay.HashBucket(parts[i])
	}
	return hearsay.HashRoster(s.network, &hashes)
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
	l := hearsay.Leave{Stay: s.stay(n)}
	l.Sign(s.ledger(), identity(n))
	s.rule(hearsay.Ruling{Kind: hearsay.RulingLeave, Stay: l.Stay, Key: identity(n).Public(), Leave: l.Signature})
}

// reseat gives a seat to a new life.
func (s *scribe) reseat(slot int, slots ...int) {
	next := hearsay.Seat{Slot: uint8(slot), Key: identity(200).Public(), Life: hearsay.Life{99}}
	s.rule(hearsay.Ruling{Kind: hearsay.RulingSeat, Seats: []hearsay.Seat{next}}, slots...)
	s.seats[slot], s.seeds[slot] = next, identity(200)
}

// save gives the ledger from an epoch on, in the form of the API.
func (s *scribe) save(from int, heads ...int) *web.Ledger {
	seats := func(list []hearsay.Seat) (saved []web.Seat) {
		for _, seat := range list {
			saved = append(saved, web.Seat{Slot: int(seat.Slot), Key: hex.EncodeToString(seat.Key[:]), Life: hex.EncodeToString(seat.Life[:])})
		}
		return saved
	}
	l := &web.Ledger{LedgerHead: web.LedgerHead{Epoch: hearsay.Epoch(len(s.rulings)), Network: s.network, Quorum: 2, Founding: seats(s.founding), Seats: seats(s.seats)}}
	if len(heads) >= l.Quorum {
		l.Proven = l.Epoch
	}
	for i := from - 1; i < len(s.rulings); i++ {
		r := &s.rulings[i]
		saved := web.Ruling{
			Epoch: r.Epoch, Kind: r.Kind, Member: s.names[r.Stay], ID: r.Stay.ID, Since: r.Stay.Epoch, At: time.UnixMilli(r.At).UTC(), Case: r.Case,
			EvidenceHash: r.Evidence, Evidence: s.evidence[r.Epoch], Hash: r.Hash(s.network), Previous: r.Previous, Canonical: r.AppendBinary(nil),
		}
		if r.Kind == hearsay.RulingAdmit {
			saved.Addr = r.Claim.Card.Addr.String()
		}
		switch r.Kind {
		case hearsay.RulingRemove:
			saved.Rule = r.Rule.String()
		case hearsay.RulingSeat:
			saved.Member = fmt.Sprintf("seat %d", r.Seats[0].Slot)
		}
		for _, b := range r.Ballots {
			saved.Ballots = append(saved.Ballots, web.Ballot{Slot: int(b.Slot), Verdict: b.Verdict, Why: b.Why, At: time.UnixMilli(b.At).UTC()})
		}
		l.Rulings = append(l.Rulings, saved)
	}
	for _, slot := range heads {
		h := hearsay.Head{Founding: s.ledger().Founding, Epoch: l.Epoch, Hash: s.last, Slot: uint8(slot)}
		h.Sign(s.network, s.seeds[slot])
		l.Heads = append(l.Heads, h)
	}
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
func verify(t *testing.T, l *web.Ledger, flags ...string) (code int, out, errs string) {
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

// Ledgers were saved with the network's id as a list of numbers, once.
func TestVerifyOlderForm(t *testing.T) {
	l := example().save(1, 0, 1, 2)
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := json.Marshal([8]byte(l.Network))
	if err != nil {
		t.Fatal(err)
	}
	digits := []byte(`"network":"` + l.Network.String() + `"`)
	if !bytes.Contains(text, digits) {
		t.Fatalf("no %s in %.200s", digits, text)
	}
	older := bytes.Replace(text, digits, append([]byte(`"network":`), numbers...), 1)
	if code, out, errs := verifyText(t, older); code != 0 {
		t.Errorf("exit code %d: %s%s", code, out, errs)
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
	l := s.save(6, 0, 2)
	l.Founding = nil
	if code, out, errs = verify(t, l); code != 0 || !strings.Contains(out, "the rulings before epoch 6 are not in the file") {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	// All of it, but without the founding: a seat has changed hands since.
	l = s.save(1, 0, 1, 2)
	l.Founding = nil
	if code, out, errs = verify(t, l); code != 0 || !strings.Contains(out, "ballots are of seats that have changed hands") {
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
		spoil func(s *scribe, l *web.Ledger)
		want  string
	}{
		"a byte":              {func(_ *scribe, l *web.Ledger) { l.Rulings[2].Canonical[60] ^= 1 }, "epoch 3 is wrong"},
		"cut":                 {func(_ *scribe, l *web.Ledger) { l.Rulings[2].Canonical = l.Rulings[2].Canonical[:50] }, "epoch 3 is wrong: its canonical bytes"},
		"a ruling is missing": {func(_ *scribe, l *web.Ledger) { l.Rulings = slices.Delete(l.Rulings, 3, 4) }, "epoch 4 is wrong: the ruling of epoch 5"},
		"words: kind":         {func(_ *scribe, l *web.Ledger) { l.Rulings[3].Kind = hearsay.RulingLeave }, `epoch 4 is wrong: its "kind"`},
		"words: why":          {func(_ *scribe, l *web.Ledger) { l.Rulings[3].Ballots[0].Why = "bribed" }, `epoch 4 is wrong: its "ballots"`},
		"words: name":         {func(_ *scribe, l *web.Ledger) { l.Rulings[3].Member = "peer-1" }, `epoch 4 is wrong: its "member"`},
		"words: admitted":     {func(_ *scribe, l *web.Ledger) { l.Rulings[0].Member = "peer-9" }, `epoch 1 is wrong: its "member"`},
		"words: when":         {func(_ *scribe, l *web.Ledger) { l.Rulings[0].At = l.Rulings[0].At.Add(time.Second) }, `epoch 1 is wrong: its "at"`},
		"evidence":            {func(_ *scribe, l *web.Ledger) { l.Rulings[3].Evidence.Observers = 9 }, `epoch 4 is wrong: its "evidence"`},
		"another founding":    {func(_ *scribe, l *web.Ledger) { l.Founding[0].Key = strings.Repeat("ab", 32) }, "epoch 1 is wrong: it does not follow the founding"},
		"another network":     {func(_ *scribe, l *web.Ledger) { l.Network[0] ^= 1 }, "epoch 1 is wrong"},
		"too few heads":       {func(_ *scribe, l *web.Ledger) { l.Heads = l.Heads[:1] }, "no quorum of seeds has signed it"},
		"a forged head":       {func(_ *scribe, l *web.Ledger) { l.Heads[0].Signature[0] ^= 1 }, "epoch 7 is wrong: the head of seat 0 is not signed"},
		"other seats":         {func(_ *scribe, l *web.Ledger) { l.Seats[1].Key = strings.Repeat("ab", 32) }, "the key of seat 1 is not the one that the rulings gave it"},
		"words: when voted":   {func(_ *scribe, l *web.Ledger) { l.Rulings[0].Ballots[0].At = time.Time{} }, `epoch 1 is wrong: its "ballots"`},
		"words: seat":         {func(_ *scribe, l *web.Ledger) { l.Rulings[4].Member = "seat 2" }, `epoch 5 is wrong: its "member"`},
		"words: where":        {func(_ *scribe, l *web.Ledger) { l.Rulings[3].Addr = "10.0.0.9:6001" }, `epoch 4 is wrong: its "addr"`},
		"the newest epoch":    {func(_ *scribe, l *web.Ledger) { l.Epoch = 9 }, "its newest epoch is 9, and its rulings end with epoch 7"},
		"more is proven":      {func(_ *scribe, l *web.Ledger) { l.Proven = 9 }, "it is said to be proven up to epoch 9, and heads of a quorum prove it up to epoch 7"},
		"less is proven":      {func(_ *scribe, l *web.Ledger) { l.Proven = 1 }, "it is said to be proven up to epoch 1"},
		"another quorum":      {func(_ *scribe, l *web.Ledger) { l.Quorum = 1 }, "its quorum is 1; of 3 seats it is 2"},
		"no rulings":          {func(_ *scribe, l *web.Ledger) { l.Rulings = nil }, "there is no ruling in it"},
	} {
		s := example()
		l := s.save(1, 0, 1, 2)
		tc.spoil(s, l)
		if code, _, errs := verify(t, l); code != 1 || !strings.Contains(errs, tc.want) || strings.Count(errs, "\n") != 1 {
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
		"admitted twice":   {func(s *scribe) { s.admit(1, 0, 1) }, "epoch 8 is wrong: it admits one who is in"},
		"another's ballot": {func(s *scribe) { s.seeds[0] = identity(77); s.admit(4, 0, 1) }, "epoch 8 is wrong: the ballot of seat 0 is not signed"},
		"the old life":     {func(s *scribe) { s.seats[1] = s.founding[1]; s.seeds[1] = identity(101); s.admit(4, 0, 1) }, "epoch 8 is wrong: the ballot of seat 1 is of another life"},
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
		"another roster": {func(s *scribe) { s.stays = s.stays[:1]; s.admit(4, 0, 2) }, "epoch 8 is wrong: the roster"},
	} {
		s := example()
		tc.write(s)
		if code, _, errs := verify(t, s.save(1, 0, 2)); code != 1 || !strings.Contains(errs, tc.want) {
			t.Errorf("%s: code %d, %q, want %q", name, code, errs, tc.want)
		}
	}
}

// named has the seeds of an example bear names, and the one whose seat is
// another's now the name that a node gives it.
func named(s *scribe, l *web.Ledger, old string) {
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
		spoil func(l *web.Ledger)
		want  string // "": it holds
	}{
		"a key for a name":          {key, func(*web.Ledger) {}, ""},
		"a name of then":            {"eve", func(*web.Ledger) {}, ""},
		"an address for a name":     {"eve", func(l *web.Ledger) { l.Rulings[0].Ballots[0].Seed = l.Seats[0].Addr }, ""},
		"a seed that was not met":   {"eve", func(l *web.Ledger) { l.Rulings[0].Ballots[0].Seed = "a seed in slot 0" }, ""},
		"another's ballot":          {"eve", func(l *web.Ledger) { l.Rulings[0].Ballots[0].Seed = "seed-3" }, `epoch 1 is wrong: the ballot of seat 0 is called "seed-3"'s, and the seed with its key is called "seed-1"`},
		"of the new one":            {"eve", func(l *web.Ledger) { l.Rulings[5].Ballots[0].Seed = "eve" }, "epoch 6 is wrong: the ballot of seat 1"},
		"two names of one old seed": {"eve", func(l *web.Ledger) { l.Rulings[1].Ballots[0].Seed = "zed" }, "epoch 2 is wrong: the ballot of seat 1"},
		"another old key":           {key, func(l *web.Ledger) { l.Rulings[1].Ballots[0].Seed = "key 00000000" }, "epoch 2 is wrong: the ballot of seat 1"},
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
	l.Rulings[3].Evidence = nil
	if code, out, errs := verify(t, l); code != 0 || !strings.Contains(out, "\n  what was reported before the removal of epoch 4: it is not in the file") {
		t.Errorf("no evidence: code %d, %s%s", code, out, errs)
	}
	if code, out, errs := verify(t, s.save(4, 0, 1, 2)); code != 0 || !strings.Contains(out, "the names of 2 who left or were removed") {
		t.Errorf("no admissions: code %d, %s%s", code, out, errs)
	}
	text, err := json.Marshal(s.save(1, 0, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errs := verifyText(t, append(text, ` {"epoch":9}`...)); code != 1 || !strings.Contains(errs, "it goes on after the ledger") {
		t.Errorf("two ledgers: code %d, %s", code, errs)
	}
	if code, _, errs := verifyText(t, []byte(`[1]`)); code != 1 || !strings.Contains(errs, "it is no saved ledger: it is a JSON array; hint: ") {
		t.Errorf("a list: code %d, %s", code, errs)
	}
	beyond := hearsay.Head{Founding: s.ledger().Founding, Epoch: 8, Hash: hearsay.Hash{1}, Slot: 1}
	beyond.Sign(s.network, s.seeds[1])
	l = s.save(1, 0, 1, 2)
	l.Heads[1] = beyond
	code, out, errs := verify(t, l)
	for _, want := range []string{"heads of 2 of 3 seats prove it up to epoch 7", "\n  what was ruled up to epoch 8: seat 1 has signed a head of it, and the file ends with epoch 7\n"} {
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
