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

	"hearsay"
	"hearsay/guest"
)

// What was ruled before a node started, which reads of it in the ledger, is for debugging, and is not told as if it
// happened now.
func TestWhatWasRuledBeforeTheStart(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	where := func(hearsay.NodeID) (at netip.AddrPort) { return at }
	p := guest.NewPhrases(hearsay.RolePeer, 3, hearsay.NodeID{1}, netip.AddrPort{}, where, nil)
	then, now := hearsay.NodeID{2}, hearsay.NodeID{3}
	removed, admitted := &hearsay.Ruling{Kind: hearsay.RulingRemove}, &hearsay.Ruling{Kind: hearsay.RulingAdmit}
	for _, e := range []hearsay.Event{
		{Kind: hearsay.EventRuled, Subject: then, Name: "then", Ruling: admitted, Before: true},
		{Kind: hearsay.EventRuled, Subject: then, Name: "then", Ruling: removed, Before: true},
		{Kind: hearsay.EventMemberRemoved, Subject: then, Name: "then", Before: true},
		{Kind: hearsay.EventRuled, Subject: now, Name: "now", Ruling: removed},
		{Kind: hearsay.EventMemberRemoved, Subject: now, Name: "now"},
	} {
		logEvent(logger, p, hearsay.NodeID{}, &e)
	}
	for _, want := range []string{
		`level=DEBUG msg="The seeds have ruled, before this node started" event=ruled member=then`,
		`level=DEBUG msg="A member was removed, before this node started" event=member-removed member=then`,
		`event=ruled member=now`,
		`level=WARN msg="A member was removed" event=member-removed member=now`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in:\n%s", want, log.String())
		}
	}
	if n := strings.Count(log.String(), "consensus COMMIT"); n != 1 {
		t.Errorf("%d rulings are told as if they happened now:\n%s", n, log.String())
	}
}

// What a node says of others while it takes itself for cut off is no warning: that it is has been told. Nor is what
// another says, whose own log warns.
func TestAccusationsOfACutOffNodeAreNoWarnings(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	self, other := hearsay.NodeID{1}, hearsay.NodeID{2}
	for _, e := range []hearsay.Event{{By: self}, {By: self, CutOff: true}, {By: other}} {
		e.Kind, e.Name = hearsay.EventMemberSuspected, "bob"
		logEvent(logger, nil, self, &e)
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || strings.Count(text, "level=DEBUG") != 1 || strings.Count(text, "level=INFO") != 1 || strings.Count(text, "cut_off=true") != 1 {
		t.Errorf("the log has\n%s", text)
	}
}

// The log does not say that observers fail to reach a member of which none has said so, nor which
// of two members of one name is which by that name.
func TestLogSaysWhatIsSo(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logEvent(logger, nil, hearsay.NodeID{}, &hearsay.Event{Kind: hearsay.EventCondemned, Subject: hearsay.NodeID{2}, Evidence: &hearsay.Evidence{Rule: hearsay.RuleTimeout, Needed: 3}})
	logEvent(logger, nil, hearsay.NodeID{}, &hearsay.Event{Kind: hearsay.EventNameConflict, Subject: hearsay.NodeID{2}, Name: "twice", By: hearsay.NodeID{0xab}, ByName: "twice"})
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

// A removal of before the start is told without an incarnation, as the roster has that of now.
func TestRemovalBeforeTheStartHasNoIncarnation(t *testing.T) {
	for _, before := range []bool{false, true} {
		e := hearsay.Event{Kind: hearsay.EventMemberRemoved, Incarnation: 9, Before: before}
		if tellOfThen(&e); (e.Incarnation == 0) != before {
			t.Errorf("before the start %v: incarnation %d", before, e.Incarnation)
		}
	}
}
