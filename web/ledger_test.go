package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hearsay"
	"hearsay/web"
)

// council is what a village with seeds has of them.
type council struct {
	authority hearsay.Authority
	rulings   []hearsay.Ruling
	proof     hearsay.LedgerProof
	evidence  map[hearsay.Epoch]hearsay.Evidence
	bars      []hearsay.Bar
	asked     []string
	refuse    error
}

func (v *village) Epoch() hearsay.Epoch { return v.council.authority.Epoch }

func (v *village) Authority() hearsay.Authority { return v.council.authority }

func (v *village) Proof() hearsay.LedgerProof { return v.council.proof }

func (v *village) Ledger(after hearsay.Epoch, limit int) (found []hearsay.Ruling) {
	for _, r := range v.council.rulings {
		if r.Epoch > after && len(found) < limit {
			found = append(found, r)
		}
	}
	return found
}

func (v *village) Evidence(epoch hearsay.Epoch) (hearsay.Evidence, bool) {
	e, known := v.council.evidence[epoch]
	return e, known
}

func (v *village) Remove(ctx context.Context, name string) (hearsay.Outcome, error) {
	return hearsay.Outcome{
		Kind: hearsay.RulingRemove, Stay: hearsay.Stay{ID: v.members[1].ID, Epoch: 1}, Code: hearsay.OutcomeRefused, Yes: 0, Needed: 2, Text: "a seed reaches it",
	}, v.do(ctx, "remove "+name)
}

func (v *village) Bar(ctx context.Context, name, why string) error {
	return v.do(ctx, "bar "+name+": "+why)
}

func (v *village) Lift(ctx context.Context, name string) error { return v.do(ctx, "lift "+name) }

func (v *village) do(ctx context.Context, what string) error {
	if _, bounded := ctx.Deadline(); !bounded {
		return errors.New("asked without a limit of time")
	}
	v.council.asked = append(v.council.asked, what)
	return v.council.refuse
}

func (v *village) Barred() []hearsay.Bar { return v.council.bars }

func (v *village) Fresh(ctx context.Context, read func()) error {
	if err := v.do(ctx, "whether nothing is missing"); err != nil {
		return err
	}
	read()
	return nil
}

// newSeedVillage is a seed's village: bob was admitted, and removed.
func newSeedVillage() *village {
	v := newVillage()
	v.members[0].Role = hearsay.RoleSeed
	v.council.proof = hearsay.LedgerProof{Network: hearsay.NetworkIDOf("village"), Oldest: 1}
	for slot := range 3 {
		v.council.authority.Seeds = append(v.council.authority.Seeds, hearsay.SeedStatus{
			Addr: netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:5001", slot+1)), Slot: slot, Name: []string{"ada", "eve", ""}[slot], Met: slot < 2, ID: hearsay.PublicKey{byte(slot + 1)}.NodeID(),
		})
		v.council.proof.Seats = append(v.council.proof.Seats, hearsay.Seat{Slot: uint8(slot), Key: hearsay.PublicKey{byte(slot + 1)}, Life: hearsay.Life{byte(slot + 1)}})
	}
	v.council.proof.Founding = v.council.proof.Seats
	v.council.proof.Heads = []hearsay.Head{{Epoch: 2, Slot: 1}}
	bob := v.members[1]
	ballots := func(why hearsay.Why) []hearsay.Ballot {
		return []hearsay.Ballot{
			{Slot: 0, Life: hearsay.Life{1}, Verdict: hearsay.BallotYes, Why: why, At: 1000},
			{Slot: 2, Life: hearsay.Life{3}, Verdict: hearsay.BallotYes, Why: why, At: 2000},
		}
	}
	stay := hearsay.Stay{ID: bob.ID, Epoch: 1}
	claim := hearsay.Claim{Subject: bob.ID, State: hearsay.StateAlive, Incarnation: 9, Card: hearsay.Card{Key: hearsay.PublicKey{9}, Name: "bob", Addr: bob.Addr, Role: hearsay.RolePeer}}
	v.council.rulings = []hearsay.Ruling{
		{Epoch: 1, Kind: hearsay.RulingAdmit, Stay: stay, Key: claim.Card.Key, Claim: claim, Ballots: ballots(hearsay.Why{Reason: hearsay.ReasonAnswers, Addr: bob.Addr}), At: 2000},
		{Epoch: 2, Kind: hearsay.RulingRemove, Stay: stay, Rule: hearsay.RuleMajority, Ballots: ballots(hearsay.Why{Reason: hearsay.ReasonSilent, Addr: bob.Addr, Took: 1034}), Evidence: hearsay.Hash{5}, At: 3000},
	}
	v.council.evidence = map[hearsay.Epoch]hearsay.Evidence{2: {Subject: bob.ID, Rule: hearsay.RuleMajority, Observers: 4, Needed: 3}}
	v.council.authority.Seeded, v.council.authority.Ready, v.council.authority.Quorum = true, true, 2
	v.council.authority.Epoch, v.council.authority.Proven = 2, 2
	return v
}

func TestLedger(t *testing.T) {
	v := newSeedVillage()
	var l web.Ledger
	text := read(t, ask(handler(v), "GET", "/v1/ledger?from=1", ""))
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	if l.Epoch != 2 || l.Quorum != 2 || len(l.Rulings) != 2 || l.Next != 0 || len(l.Seats) != 3 || len(l.Heads) != 1 {
		t.Errorf("got %s", text)
	}
	for i, r := range l.Rulings {
		want := &v.council.rulings[i]
		if r.Member != "bob" || !bytes.Equal(r.Canonical, want.AppendBinary(nil)) || len(r.Ballots) != 2 {
			t.Errorf("ruling %d: %+v", i, r)
		}
		if r.Ballots[0].Seed != "ada" || r.Ballots[1].Seed != "10.0.0.3:5001" || r.Ballots[0].Verdict != hearsay.BallotYes {
			t.Errorf("ballots %+v", r.Ballots)
		}
	}
	for _, want := range []string{`"kind":"admit","member":"bob"`, `"kind":"remove"`, `"rule":"majority"`, `"evidence":{"subject":"b002`, `"reason":"silent","why":"no answer from `, ` for 1.034s"`, `"at":"1970-01-01T00:00:03Z"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if text := read(t, ask(handler(v), "GET", "/v1/ledger?from=2", "")); strings.Contains(text, `"admit"`) || !strings.Contains(text, `"remove"`) {
		t.Errorf("from 2: %s", text)
	}
	if r := ask(handler(v), "GET", "/v1/ledger?from=two", ""); r.StatusCode != 400 {
		t.Errorf("from=two: status %d", r.StatusCode)
	}
	if text := read(t, ask(handler(newVillage()), "GET", "/v1/ledger", "")); !strings.Contains(text, `"epoch":0,`) || !strings.Contains(text, `"rulings":[]`) {
		t.Errorf("an open network: %s", text)
	}
}

// A long ledger comes in pages.
func TestLedgerGoesOn(t *testing.T) {
	v := newSeedVillage()
	for v.council.authority.Epoch < 2500 {
		v.council.authority.Epoch++
		v.council.rulings = append(v.council.rulings, hearsay.Ruling{Epoch: v.council.authority.Epoch, Kind: hearsay.RulingLeave, Stay: hearsay.Stay{ID: v.members[1].ID, Epoch: 1}})
	}
	var seen hearsay.Epoch
	for from, pages := hearsay.Epoch(1), 0; from != 0; pages++ {
		var l web.Ledger
		if err := json.Unmarshal([]byte(read(t, ask(handler(v), "GET", fmt.Sprintf("/v1/ledger?from=%d", from), ""))), &l); err != nil || pages > 3 {
			t.Fatalf("page %d: %v", pages, err)
		}
		for _, r := range l.Rulings {
			if seen++; r.Epoch != seen {
				t.Fatalf("epoch %d, want %d", r.Epoch, seen)
			}
		}
		from = l.Next
	}
	if seen != 2500 {
		t.Errorf("%d rulings", seen)
	}
}

// A ledger of which the middle cannot be read is not taken for the whole.
func TestACutLedgerBreaksOff(t *testing.T) {
	v := newSeedVillage()
	v.council.authority.Epoch += 200
	_, base := serve(t, v)
	r, err := http.Get(base + "/v1/ledger")
	if err != nil {
		return // nothing has gone out yet
	}
	defer r.Body.Close()
	if text, err := io.ReadAll(r.Body); err == nil && r.StatusCode != 500 {
		t.Errorf("a ledger without its newest 200 rulings is whole: %s", text)
	}
}

// With fresh=1 a seed asks the others first, and gives nothing if they do not
// answer.
func TestFreshLedger(t *testing.T) {
	v := newSeedVillage()
	v.council.bars = []hearsay.Bar{{ID: v.members[1].ID, Name: "bob", At: 1000, Why: "too loud"}}
	paths := map[string]string{"/v1/ledger?from=2&fresh=1": `"kind":"remove"`, "/v1/bars?fresh=1": `"why":"too loud"`}
	for path, want := range paths {
		v.council.asked = nil
		if text := read(t, ask(handler(v), "GET", path, "")); !strings.Contains(text, want) || len(v.council.asked) != 1 {
			t.Errorf("%s: asked %q, got %s", path, v.council.asked, text)
		}
	}
	v.council.refuse = errors.New("no quorum of seeds has answered within 2s")
	for path, had := range paths {
		r := ask(handler(v), "GET", path, "")
		if text := read(t, r); r.StatusCode != 503 || strings.Contains(text, had) || !strings.Contains(text, "within 2s: rulings may be missing here") {
			t.Errorf("%s: %d %s", path, r.StatusCode, text)
		}
		if r := ask(handler(v), "GET", strings.ReplaceAll(path, "fresh=1", "fresh=0"), ""); r.StatusCode != 200 {
			t.Errorf("%s, not fresh: %d", path, r.StatusCode)
		}
		if r := ask(handler(v), "GET", strings.ReplaceAll(path, "fresh=1", "fresh=yes"), ""); r.StatusCode != 400 {
			t.Errorf("%s, fresh=yes: %d", path, r.StatusCode)
		}
	}
	v.members[0].Role = hearsay.RolePeer
	r := ask(handler(v), "GET", "/v1/ledger?fresh=1", "")
	if text := read(t, r); r.StatusCode != 409 || !strings.Contains(text, "ask a seed, ada") {
		t.Errorf("a peer: %d %s", r.StatusCode, text)
	}
	r = ask(handler(newVillage()), "GET", "/v1/ledger?fresh=1", "")
	if text := read(t, r); r.StatusCode != 409 || !strings.Contains(text, "no seeds") {
		t.Errorf("an open network: %d %s", r.StatusCode, text)
	}
}

// waits is a village whose seeds do not answer until released is closed.
type waits struct {
	*village
	entered, released chan struct{}
}

func (w *waits) Fresh(_ context.Context, read func()) error {
	w.entered <- struct{}{}
	<-w.released
	read()
	return nil
}

// Requests that wait for the seeds hold no place for large answers: others have theirs.
func TestFreshHoldsNoPlace(t *testing.T) {
	w := &waits{newSeedVillage(), make(chan struct{}, 2), make(chan struct{})}
	h := web.Handler(w, web.Info{ConnsMax: 64}) // one large answer at a time to one source
	var asked sync.WaitGroup
	defer asked.Wait()
	defer close(w.released)
	for _, path := range []string{"/v1/ledger?fresh=1", "/v1/bars?fresh=1"} {
		asked.Go(func() { ask(h, "GET", path, "") })
	}
	select {
	case <-w.entered:
	case <-time.After(5 * time.Second):
		t.Fatal("no request waits for the seeds")
	}
	if r := ask(h, "GET", "/v1/members", ""); r.StatusCode != 200 {
		t.Errorf("members: %d", r.StatusCode)
	}
}

func TestOperatorAsksTheSeeds(t *testing.T) {
	v := newSeedVillage()
	v.council.bars = []hearsay.Bar{{ID: v.members[1].ID, Name: "bob", At: 1000, Why: "too loud"}}
	for _, tc := range []struct{ method, path, body, want string }{
		{"POST", "/v1/members/bob/remove", "", `"code":"refused","yes":0,"needed":2,"text":"a seed reaches it"`},
		{"POST", "/v1/bars", `{"name":"bob","why":"loud"}`, `{"status":"barred before","why":"too loud"}`},
		{"DELETE", "/v1/bars/bob", "", `{"status":"not barred"}`},
		{"GET", "/v1/bars", "", `"name":"bob","at":"1970-01-01T00:00:01Z","why":"too loud"`},
	} {
		r := ask(handler(v), tc.method, tc.path, tc.body, "Content-Type: application/json")
		if text := read(t, r); r.StatusCode != 200 || !strings.Contains(text, tc.want) {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, r.StatusCode, text)
		}
	}
	v.members[1].AwayUntil = time.Unix(10, 0).UTC()
	if text := read(t, ask(handler(v), "POST", "/v1/members/bob/remove", "", "Content-Type: application/json")); !strings.Contains(text, `"away_until":"1970-01-01T00:00:10Z"`) {
		t.Errorf("remove of one that is away: %s", text)
	}
	if got := strings.Join(v.council.asked, "; "); got != "remove bob; bar bob: loud; lift bob; remove bob" {
		t.Errorf("the seeds were asked: %s", got)
	}
	v.council.refuse = fmt.Errorf("remove %q: %w", "zed", hearsay.ErrNotMember)
	for path, code := range map[string]int{"/v1/members/zed/remove": 404, "/v1/bars": 400} {
		if r := ask(handler(v), "POST", path, ""); r.StatusCode != code {
			t.Errorf("%s: status %d, want %d", path, r.StatusCode, code)
		}
	}
	v.council.refuse = fmt.Errorf("remove %q: %w", "ada", hearsay.ErrUndecidable)
	if r := ask(handler(v), "POST", "/v1/members/ada/remove", ""); r.StatusCode != 409 {
		t.Errorf("a seed is to be removed: status %d", r.StatusCode)
	}
	for role, want := range map[hearsay.Role]string{hearsay.RolePeer: "that of 10.0.0.3:5001, at the address of its page"} {
		v.members[0].Role = role
		if r := ask(handler(v), "POST", "/v1/bars", `{"name":"bob"}`, "Content-Type: application/json"); r.StatusCode != 409 || !strings.Contains(read(t, r), want) {
			t.Errorf("a %s bars: status %d", role, r.StatusCode)
		}
	}
	v.members[0].Role = hearsay.RoleSeed
	if r := ask(handler(v), "POST", "/v1/leave", ""); r.StatusCode != 409 || v.left {
		t.Errorf("a seed leaves: status %d", r.StatusCode)
	}
	if r := ask(handler(newVillage()), "GET", "/v1/bars", ""); r.StatusCode != 409 {
		t.Errorf("bars of an open network: status %d", r.StatusCode)
	}
}

// Each says whether a quorum is heard.
func TestQuorumIsTold(t *testing.T) {
	for _, tc := range []struct {
		role          hearsay.Role
		joined, ready bool
		code          int
		says          string
		metric        string
	}{
		{hearsay.RoleSeed, true, true, 200, `"joined"`, "hearsay_quorum 1"},
		{hearsay.RoleSeed, false, false, 503, "no quorum of seeds is heard (2 of 3)", "hearsay_quorum 0"},
		{hearsay.RolePeer, true, true, 200, `"joined"`, "hearsay_quorum 1"},
		{hearsay.RolePeer, true, false, 200, "no quorum of seeds is heard", "hearsay_quorum 0"},
		{hearsay.RolePeer, false, true, 503, "this node is not in: the seeds have not admitted it yet", "hearsay_quorum 1"},
	} {
		v := newSeedVillage()
		v.members[0].Role, v.joined, v.council.authority.Ready = tc.role, tc.joined, tc.ready
		r := ask(handler(v), "GET", "/readyz", "")
		if text := read(t, r); r.StatusCode != tc.code || !strings.Contains(text, tc.says) {
			t.Errorf("%+v: status %d, %s", tc, r.StatusCode, text)
		}
		if text := read(t, ask(handler(v), "GET", "/metrics", "")); !strings.Contains(text, "\n"+tc.metric+"\n") {
			t.Errorf("%+v: no %s", tc, tc.metric)
		}
		if text := read(t, ask(handler(v), "GET", "/v1/ledger", "")); !strings.Contains(text, fmt.Sprintf(`"ready":%t`, tc.ready)) {
			t.Errorf("%+v: ledger %s", tc, text)
		}
		if text := read(t, ask(handler(v), "GET", "/v1/authority", "")); !strings.Contains(text, fmt.Sprintf(`"ready":%t`, tc.ready)) {
			t.Errorf("%+v: authority %s", tc, text)
		}
	}
	if text := read(t, ask(handler(newVillage()), "GET", "/metrics", "")); strings.Contains(text, "hearsay_quorum ") {
		t.Error("an open network has no quorum to be heard")
	}
}

// A ballot is that of the seed which sat there then, whichever sits there now.
func TestBallotsOfOldSeats(t *testing.T) {
	v := newSeedVillage()
	c := &v.council
	old, next := c.proof.Seats[2], hearsay.Seat{Slot: 2, Key: hearsay.PublicKey{0xbe, 0x21}, Life: hearsay.Life{9}}
	c.proof.Founding = slices.Clone(c.proof.Seats)
	c.rulings = append(c.rulings,
		hearsay.Ruling{Epoch: 3, Kind: hearsay.RulingSeat, Seats: []hearsay.Seat{next}, Ballots: []hearsay.Ballot{{Slot: 0, Life: hearsay.Life{1}, Verdict: hearsay.BallotYes}}},
		hearsay.Ruling{Epoch: 4, Kind: hearsay.RulingLeave, Stay: hearsay.Stay{ID: v.members[1].ID, Epoch: 1}, Ballots: []hearsay.Ballot{{Slot: 2, Life: next.Life, Verdict: hearsay.BallotYes}}},
	)
	c.proof.Seats[2], c.authority.Epoch = next, 4
	c.authority.Seeds[2].Name, c.authority.Seeds[2].ID = "zed", next.Key.NodeID()
	ballots := func(from int) (seeds []string) {
		var l web.Ledger
		if err := json.Unmarshal([]byte(read(t, ask(handler(v), "GET", fmt.Sprintf("/v1/ledger?from=%d", from), ""))), &l); err != nil {
			t.Fatal(err)
		}
		for i := range l.Rulings {
			for _, b := range l.Rulings[i].Ballots {
				seeds = append(seeds, b.Seed)
			}
		}
		return seeds
	}
	expect := func(what string, from int, want ...string) {
		t.Helper()
		if got := ballots(from); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	expect("the founding names its key", 1, "ada", "key 03000000", "ada", "key 03000000", "ada", "zed")
	v.members = append(v.members, hearsay.Member{ID: old.Key.NodeID(), Name: "eli", State: hearsay.StateDead, Role: hearsay.RoleSeed})
	expect("it is listed still", 2, "ada", "eli", "ada", "zed")
	c.proof.Founding = nil
	expect("a peer does not know the founding", 2, "ada", "an earlier seed in slot 2", "ada", "zed")

	met := c.proof.Seats[2]
	c.proof.Seats[2].Life = hearsay.Life{}
	expect("its list pins a key that it has not met", 2, "ada", "a seed in slot 2", "ada", "zed")
	c.proof.Seats[2] = met

	// Another life later: who sat there between is known by the ruling.
	third := hearsay.Seat{Slot: 2, Key: hearsay.PublicKey{0xcc}, Life: hearsay.Life{10}}
	c.rulings = append(c.rulings, hearsay.Ruling{Epoch: 5, Kind: hearsay.RulingRecover, Seats: []hearsay.Seat{c.proof.Seats[0], c.proof.Seats[1], third}})
	c.proof.Seats[2], c.authority.Epoch, c.authority.Seeds[2] = third, 5, hearsay.SeedStatus{Slot: 2, Name: "zoe", ID: third.Key.NodeID()}
	expect("of a page that begins later", 4, "key be210000")
}

// What a ledger says to be proven is what its heads prove.
func TestLedgerProven(t *testing.T) {
	for heads, want := range map[string]hearsay.Epoch{"2 2 1": 2, "2 1 1": 1, "2 0 0": 0, "9 9 1": 0} {
		v := newSeedVillage()
		v.council.proof.Heads = nil
		for slot, text := range strings.Fields(heads) {
			epoch, _ := strconv.Atoi(text)
			v.council.proof.Heads = append(v.council.proof.Heads, hearsay.Head{Epoch: hearsay.Epoch(epoch), Slot: uint8(slot)})
		}
		var l web.Ledger
		if err := json.Unmarshal([]byte(read(t, ask(handler(v), "GET", "/v1/ledger", ""))), &l); err != nil || l.Proven != want {
			t.Errorf("heads %s: proven up to %d, want %d (%v)", heads, l.Proven, want, err)
		}
	}
}

// A node that knows of two ledgers is not ready, and says which seats have signed
// which; one seat alone does not make it so.
func TestReadyOfAFork(t *testing.T) {
	for _, proven := range []bool{false, true} {
		v := newSeedVillage()
		v.joined = true
		v.council.authority.Fork = &hearsay.Fork{Epoch: 7, Proven: proven, Text: "the ledger has forked"}
		r := ask(handler(v), "GET", "/readyz", "")
		if text := read(t, r); (r.StatusCode == 503 && strings.Contains(text, "the ledger has forked")) != proven {
			t.Errorf("proven %t: %d, %s", proven, r.StatusCode, text)
		}
		if text := read(t, ask(handler(v), "GET", "/v1/authority", "")); !strings.Contains(text, `"fork":{"epoch":7,`) {
			t.Errorf("authority: %s", text)
		}
	}
}

// forgetful is a peer whose memory of the oldest rulings goes while it is asked.
type forgetful struct {
	*village
	forgets int // so often
}

func (f *forgetful) Authority() hearsay.Authority {
	a := f.village.Authority()
	if f.forgets > 0 { // after the head, and before the rulings
		f.forgets--
		f.council.rulings = f.council.rulings[5:]
		f.council.proof.Oldest += 5
	}
	return a
}

func (f *forgetful) Ledger(after hearsay.Epoch, limit int) []hearsay.Ruling {
	if after+1 < f.council.proof.Oldest {
		return nil
	}
	return f.village.Ledger(after, limit)
}

// TestLedgerThatIsForgotten: what a peer forgets while it is asked is neither skipped nor
// does it break the answer off.
func TestLedgerThatIsForgotten(t *testing.T) {
	for forgets := range 3 {
		v := newSeedVillage()
		v.members[0].Role = hearsay.RolePeer
		v.council.rulings = nil
		for epoch := range hearsay.Epoch(300) {
			v.council.rulings = append(v.council.rulings, hearsay.Ruling{Epoch: epoch + 1, Kind: hearsay.RulingLeave, Stay: hearsay.Stay{ID: v.members[1].ID, Epoch: 1}})
		}
		v.council.authority.Epoch = 300
		var l web.Ledger
		text := read(t, ask(handlerOf(&forgetful{v, forgets}), "GET", "/v1/ledger?from=1", ""))
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("forgets %d times: %v in %d bytes", forgets, err, len(text))
		}
		if len(l.Rulings) != int(301-l.Oldest) || l.Next != 0 {
			t.Errorf("forgets %d times: %d rulings from epoch %d on", forgets, len(l.Rulings), l.Oldest)
		}
		for i := range l.Rulings {
			if l.Rulings[i].Epoch != l.Oldest+hearsay.Epoch(i) {
				t.Fatalf("forgets %d times: after %d rulings from epoch %d on comes epoch %d", forgets, i, l.Oldest, l.Rulings[i].Epoch)
			}
		}
	}
}

// counting counts the rulings that are taken from the node.
type counting struct {
	*village
	taken int
}

func (v *counting) Ledger(after hearsay.Epoch, limit int) []hearsay.Ruling {
	found := v.village.Ledger(after, limit)
	v.taken += len(found)
	return found
}

// TestRulingsAreLookedThroughOnce: to name the seeds of the last 1,000 rulings of 4,000, those
// before are looked through once, also where the ledger begins late, as a peer's that took
// over a roster whole.
func TestRulingsAreLookedThroughOnce(t *testing.T) {
	const oldest, count, asked = 501, 4000, 1000
	v := &counting{village: newSeedVillage()}
	v.members[0].Role = hearsay.RolePeer
	v.council.rulings = nil
	for n := range hearsay.Epoch(count) {
		v.council.rulings = append(v.council.rulings, hearsay.Ruling{Epoch: oldest + n, Kind: hearsay.RulingSeat, Seats: []hearsay.Seat{{Slot: 0, Key: hearsay.PublicKey{1}, Life: hearsay.Life{1}}}})
	}
	v.council.authority.Epoch, v.council.proof.Oldest = oldest+count-1, oldest
	h := handlerOf(v)
	for _, most := range []int{count + asked, 2 * asked} { // the first time, and again
		v.taken = 0
		read(t, ask(h, "GET", fmt.Sprintf("/v1/ledger?from=%d", oldest+count-asked), ""))
		if v.taken < asked || v.taken > most {
			t.Errorf("%d rulings were taken from the node, want %d at most", v.taken, most)
		}
	}
}

// TestReadyzOfSeeded: what is said first is what is so.
func TestReadyzOfSeeded(t *testing.T) {
	for _, c := range []struct {
		name   string
		role   hearsay.Role
		joined bool
		change func(a *hearsay.Authority)
		status int
		want   string
	}{
		{"a seed that is cut off", hearsay.RoleSeed, true, func(a *hearsay.Authority) { a.Ready = false }, 503, `"detail":"this node has heard nobody since`},
		{"a seed", hearsay.RoleSeed, true, func(*hearsay.Authority) {}, 200, `"status":"joined"}`},
		{"a seed that hears no quorum", hearsay.RoleSeed, false, func(a *hearsay.Authority) { a.Ready = false }, 503, `"detail":"no quorum of seeds is heard (2 of 3)`},
		{"a seed that is part of no network", hearsay.RoleSeed, false, func(a *hearsay.Authority) { a.Ready, a.Waits, a.Why = false, true, "not founded" }, 503, `"detail":"not founded"`},
		{"a seed whose log decides nothing", hearsay.RoleSeed, false, func(a *hearsay.Authority) { a.Ready, a.Why = false, "the log decides nothing" }, 503, `"detail":"the log decides nothing"`},
		{"a peer", hearsay.RolePeer, true, func(*hearsay.Authority) {}, 200, `{"status":"joined"}`},
		{"a peer that hears no quorum", hearsay.RolePeer, true, func(a *hearsay.Authority) { a.Ready = false }, 200, `"status":"joined; no quorum of seeds is heard (2 of 3)`},
		{"a peer that hears no quorum and knows why", hearsay.RolePeer, true, func(a *hearsay.Authority) { a.Ready, a.Why = false, "because" }, 200, `meanwhile; because"}`},
		{"a peer that hears just a quorum", hearsay.RolePeer, true, func(a *hearsay.Authority) {
			a.Seeds[0].State, a.Seeds[1].State, a.Seeds[2].State = hearsay.StateAlive, hearsay.StateAlive, hearsay.StateSuspect
			a.Seeds[2].Silent = time.Unix(9, 0)
		}, 200, `"status":"joined; just a quorum of seeds is left (2 of 3)`},
		{"a peer of which a seed differs", hearsay.RolePeer, true, func(a *hearsay.Authority) { a.Why = "the seed has another list" }, 200, `{"status":"joined; the seed has another list"}`},
		{"a peer of another ledger", hearsay.RolePeer, false, func(a *hearsay.Authority) {
			a.Epoch, a.Ready, a.Apart, a.Why = 2, false, true, "it is of another founding"
		}, 503, `"detail":"this node is in by a ledger that is not the seeds': nobody follows it; it is of another founding"`},
		{"a peer that leaves", hearsay.RolePeer, false, func(a *hearsay.Authority) { a.Leaves = true }, 503, `"detail":"this node leaves the network: it has asked the seeds to rule that, and ends"`},
		{"a peer that has left", hearsay.RolePeer, false, func(*hearsay.Authority) {}, 503, `"detail":"this node has left the network"`},
		{"a peer that is not in", hearsay.RolePeer, false, func(a *hearsay.Authority) { a.Why = "barred" }, 503, `"detail":"this node is not in: barred"`},
	} {
		v := newSeedVillage()
		v.members[0].Role, v.members[0].State, v.joined = c.role, hearsay.StateAlive, c.joined
		if c.name == "a peer that has left" || c.name == "a peer that leaves" {
			v.members[0].State = hearsay.StateLeft
		}
		if c.name == "a seed that is cut off" {
			v.stats.Unheard = 9
		}
		c.change(&v.council.authority)
		r := ask(handler(v), "GET", "/readyz", "")
		if got := read(t, r); r.StatusCode != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d %s\nwant %d %s", c.name, r.StatusCode, got, c.status, c.want)
		}
	}
}

// TestStanding: what a peer's own word says of it is not all that the seeds have to say.
func TestStanding(t *testing.T) {
	for _, c := range []struct {
		role   hearsay.Role
		state  hearsay.State
		joined bool
		change func(a *hearsay.Authority)
		want   web.Standing
	}{
		{hearsay.RolePeer, hearsay.StateAlive, true, func(*hearsay.Authority) {}, web.StandingAlive},
		{hearsay.RolePeer, hearsay.StateLeft, true, func(a *hearsay.Authority) { a.Leaves = true }, web.StandingLeaving},
		{hearsay.RolePeer, hearsay.StateLeft, false, func(*hearsay.Authority) {}, web.StandingLeft},
		{hearsay.RolePeer, hearsay.StateAlive, false, func(*hearsay.Authority) {}, web.StandingOutside},
		{hearsay.RolePeer, hearsay.StateAlive, false, func(a *hearsay.Authority) { a.Ended = 7 }, web.StandingRemoved},
		{hearsay.RolePeer, hearsay.StateAlive, false, func(a *hearsay.Authority) { a.Ended, a.Apart = 7, true }, web.StandingOutside},
		{hearsay.RolePeer, hearsay.StateAlive, false, func(a *hearsay.Authority) { *a = hearsay.Authority{} }, web.StandingAlive},
		{hearsay.RoleSeed, hearsay.StateAlive, false, func(*hearsay.Authority) {}, web.StandingAlive},
		{hearsay.RolePeer, hearsay.StateAlive, true, func(*hearsay.Authority) {}, web.StandingCutOff},
		{hearsay.RoleSeed, hearsay.StateAlive, false, func(*hearsay.Authority) {}, web.StandingCutOff},
	} {
		v := newSeedVillage()
		v.members[0].Role, v.members[0].State, v.joined = c.role, c.state, c.joined
		c.change(&v.council.authority)
		if c.want == web.StandingCutOff {
			v.stats.Unanswered = 12
		}
		if got := read(t, ask(handler(v), "GET", "/v1/self", "")); !strings.Contains(got, `"state":"`+c.want.String()+`"`) {
			t.Errorf("%s, %s, joined %v: %s\nwant %s", c.role, c.state, c.joined, got, c.want)
		}
	}
}

// Each standing is written as the word that it is read from, and no other word is one.
func TestStandingsAreWords(t *testing.T) {
	for s := web.StandingAlive; s <= web.StandingOutside; s++ {
		text, _ := s.MarshalText()
		if back := web.Standing(0); back.UnmarshalText(text) != nil || back != s {
			t.Errorf("%s is read as %s", text, back)
		}
	}
	for _, text := range []string{"", "dead", "unknown(0)"} {
		if s := web.Standing(0); s.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is read as %s", text, s)
		}
	}
}
