package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"hearsay"
)

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:              "0s",
		999 * time.Millisecond:    "0s",
		59900 * time.Millisecond:  "59s",
		61 * time.Second:          "1m01s",
		time.Hour + 5*time.Minute: "1h05m",
		50 * time.Hour:            "2d02h",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

func TestClockTime(t *testing.T) {
	now := time.Date(2026, 1, 31, 17, 4, 5, 678e6, time.FixedZone("", 2*60*60))
	if got := clockTime(now.Add(-time.Minute), now); got != "15:03:05.678Z" {
		t.Errorf("today: %s", got)
	}
	if got := clockTime(now.AddDate(0, 0, -1), now); got != "2026-01-30 15:04:05Z" {
		t.Errorf("yesterday: %s", got)
	}
	if got := stamp(now); got != "2026-01-31 15:04:05.678Z" {
		t.Errorf("stamp: %s", got)
	}
	if got := when(time.Time{}, now); got != "never" {
		t.Errorf("never: %s", got)
	}
}

// What is printed as a command line is that for a shell.
func TestShellLine(t *testing.T) {
	for _, argument := range []string{"", "plain-1_2/3.4", "two words", "it's", `"$HOME" \ *`, "a\nb", "ü;&|"} {
		out, err := exec.Command("sh", "-c", shellLine([]string{"printf", "%s", argument})).Output()
		if err != nil || string(out) != argument {
			t.Errorf("%q came out as %q, %v", argument, out, err)
		}
	}
}

func TestEventLine(t *testing.T) {
	id := hearsay.NodeID{0xab, 0xcd}
	for want, event := range map[string]hearsay.Event{
		"alone":                                       {Kind: hearsay.EventAlone},
		"member-suspected b state=suspect by=a":       {Kind: hearsay.EventMemberSuspected, Subject: id, Name: "b", State: hearsay.StateSuspect, ByName: "a"},
		"member-left abcd0000 state=left":             {Kind: hearsay.EventMemberLeft, Subject: id, State: hearsay.StateLeft},
		"member-removed b (before this node started)": {Kind: hearsay.EventMemberRemoved, Subject: id, Name: "b", Before: true},
		`join-failed text="no route"`:                 {Kind: hearsay.EventJoinFail, Text: "no route"},
		"statement b by=a verdict=unreachable round=000000000000000f took=12ms": {
			Kind: hearsay.EventStatement, Name: "b", ByName: "a", Verdict: hearsay.VerdictUnreachable, Round: 15, Took: 12345678,
		},
	} {
		if got := eventLine(&event); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine("a:\n b\nc\td"); got != "a:  b; c d" || strings.Contains(got, "\n") {
		t.Errorf("got %q", got)
	}
}

// Each line of the figures is as their tags have it, whether there is something to tell or not.
func TestPrintStats(t *testing.T) {
	some := hearsay.Stats{
		Alive: 3, Away: 1, Dead: 2, Health: 2, Late: 1, RoundTrip: 0.0125, Probes: 9, ProbeFails: 2, RelayAsks: 6,
		PacketsIn: 5, BytesIn: 500, SendFails: 4, Streamless: make([]hearsay.Indirect, 2), Drops: hearsay.Drops{hearsay.DropRate: 4, hearsay.DropSlow: 1},
	}
	var none, out strings.Builder
	printStats(&none, &hearsay.Stats{})
	printStats(&out, &some)
	for _, line := range []string{
		"members\t3 alive (of them 1 away, as they are started again), 0 suspect, 2 dead, 0 left", "health\tunwell: its probes wait longer, by 2 times their time",
		"late\t1 since its start", "round trip\t12.5ms", "probes\t9, of them 2 without an answer; 6 asked of relays",
		"datagrams\t5 in (500 bytes), 0 out (0 bytes), 4 not sent", "datagram only\t2 of the members", "dropped\t4 rate, 1 slow",
		"members\t0 alive, 0 suspect, 0 dead, 0 left", "health\twell", "round trip\tnot measured yet", "dropped\tnothing",
	} {
		if !strings.Contains("\n"+none.String()+out.String(), "\n"+line) {
			t.Errorf("no line %q in\n%s%s", line, none.String(), out.String())
		}
	}
	if strings.Contains(none.String(), "late") || strings.Contains(none.String(), "only") || strings.Contains(none.String()+out.String(), "%!") {
		t.Errorf("got\n%s%s", none.String(), out.String())
	}
}
