package agent

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/ledger"
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
	of := make(map[hearsay.Role]*phrases)
	for _, role := range []hearsay.Role{hearsay.RoleSeed, hearsay.RolePeer} {
		p := newPhrases(&Config{Role: role, Seeds: make([]ledger.Seed, 3)}, own, at[own])
		p.where = func(id hearsay.NodeID) netip.AddrPort { return at[id] }
		p.links = func() int { return 4 }
		of[role] = p
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
		if got := of[tc.role].phrase(&tc.event); got != tc.want {
			t.Errorf("%s, %s: %q, want %q", tc.role, tc.event.Kind, got, tc.want)
		}
	}
	// That it was let in is said when it is in: the ruling may be of a stay that is over.
	p := of[hearsay.RolePeer]
	p.phrase(&hearsay.Event{Kind: hearsay.EventRuled, Subject: own, Ruling: admitted, Epoch: 4})
	if got := p.before(&hearsay.Event{Kind: hearsay.EventRuled, Subject: own, Ruling: removed, Epoch: 5}); got != "" {
		t.Errorf("removed, and says %q", got)
	}
	if got, want := p.before(&hearsay.Event{Kind: hearsay.EventJoined, Subject: own, Epoch: 4}), "Registration quorum achieved with 2 seeds"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A removal that the seeds had ruled before a node started, which reads of it in the ledger, is no
// warning, and is not told as if it happened now: whatever clocks show.
func TestPastRemovalsAreNoWarnings(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	p := newPhrases(&Config{Role: hearsay.RolePeer, Seeds: make([]ledger.Seed, 3)}, hearsay.NodeID{1}, netip.AddrPort{})
	p.where = func(hearsay.NodeID) (at netip.AddrPort) { return at }
	then, now := hearsay.NodeID{2}, hearsay.NodeID{3}
	removed := &hearsay.Ruling{Kind: hearsay.RulingRemove}
	for _, e := range []hearsay.Event{
		{Kind: hearsay.EventRuled, Subject: then, Name: "then", Ruling: removed, Before: true},
		{Kind: hearsay.EventMemberRemoved, Subject: then, Name: "then", Before: true},
		{Kind: hearsay.EventRuled, Subject: now, Name: "now", Ruling: removed},
		{Kind: hearsay.EventMemberRemoved, Subject: now, Name: "now"},
	} {
		logEvent(logger, p, &e)
	}
	for _, want := range []string{
		`level=INFO msg="A member was removed before this node started" event=ruled member=then`,
		`level=INFO msg="A member was removed before this node started" event=member-removed member=then`,
		`event=ruled member=now`,
		`level=WARN msg="A member was removed" event=member-removed member=now`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in:\n%s", want, log.String())
		}
	}
	if n := strings.Count(log.String(), "Dead-node consensus COMMIT"); n != 1 {
		t.Errorf("%d removals are told as if they happened now:\n%s", n, log.String())
	}
}

// The log does not say that observers fail to reach a member of which none has said so, nor which
// of two members of one name is which by that name.
func TestLogSaysWhatIsSo(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logEvent(logger, nil, &hearsay.Event{Kind: hearsay.EventCondemned, Subject: hearsay.NodeID{2}, Evidence: &hearsay.Evidence{Rule: hearsay.RuleTimeout, Needed: 3}})
	logEvent(logger, nil, &hearsay.Event{Kind: hearsay.EventNameConflict, Subject: hearsay.NodeID{2}, Name: "twice", By: hearsay.NodeID{0xab}, ByName: "twice"})
	for _, want := range []string{`msg="The suspicion of a member ran out: no observer said whether it reaches the member"`, "member=twice id=02000000 by=ab000000"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in:\n%s", want, log.String())
		}
	}
}

// A network of real nodes says what its manual tells people to search for.
func TestPhrasesOfANetwork(t *testing.T) {
	n := newSeededNet(t, 3)
	var log bytes.Buffer
	cfg := n.peer("loud")
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Data = filepath.Join(n.data, "loud")
	loud := start(t, cfg)
	n.peers = append(n.peers, loud)
	n.start("b")
	await(t, loud, "to be in, with b", func() bool { return loud.Joined() && loud.Epoch() == 2 })
	if _, err := loud.Broadcast(t.Context(), []byte("5:10.0.0.1:1")); err != nil {
		t.Fatal(err)
	}
	if err := n.peers[1].Leave(patient(t)); err != nil {
		t.Fatal(err)
	}
	await(t, loud, "to be in alone", func() bool { return loud.Epoch() == 3 })
	if err := loud.Close(); err != nil { // waits for the log
		t.Fatal(err)
	}
	text := log.String()
	for _, want := range []string{`Registration quorum`, `Bootstrap complete`, `Generated gossip: 5:10\.0\.0\.1:1`} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no %s in:\n%s", want, text)
		}
	}
	if strings.Contains(strings.ToLower(text), "msg=ping") {
		t.Errorf("pings are logged:\n%s", text)
	}

	// Started again, it is in by the same stay: that is said once. Of what it was told
	// before its end it says only that it has taken it over; of what came since all.
	n.start("c")
	log.Reset()
	loud = start(t, cfg)
	await(t, loud, "to be in again, with c", func() bool { return loud.Joined() && loud.Epoch() == 4 && living(loud) == "c loud" })
	var told []string
	for _, e := range loud.EventsAfter(patient(t), 0) {
		if told = append(told, fmt.Sprintf("%s %s %d", e.Kind, e.Name, e.Epoch)); e.Kind == hearsay.EventMemberJoined && e.Name == "c" {
			break
		}
	}
	if err := loud.Close(); err != nil {
		t.Fatal(err)
	}
	text = log.String()
	for what, want := range map[string]int{
		`Registration quorum`: 1, `Bootstrap complete`: 1, `Generated gossip`: 0, `event=(member-joined|member-left|ruled) member=b`: 0, `event=ruled.* epoch=[123]\b`: 0,
		`event=resumed count=1 epoch=3`: 1, `event=ruled member=c .*epoch=4`: 1, `event=member-joined member=c`: 1,
	} {
		if got := len(regexp.MustCompile(what).FindAllString(text, -1)); got != want {
			t.Errorf("started again it says %d times %s, want %d:\n%s", got, what, want, text)
		}
	}
	for what, want := range map[string]int{"resumed  3": 1, "ruled c 4": 1, "ruled b 2": 0, "ruled b 3": 0, "member-left b 0": 0, "member-joined b 0": 0, "rumor loud 0": 1} {
		if got := len(slices.DeleteFunc(slices.Clone(told), func(e string) bool { return e != what })); got != want {
			t.Errorf("the application is told %d times %q, want %d: %q", got, what, want, told)
		}
	}
}
