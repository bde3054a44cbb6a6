package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hearsay"
)

// when says how long ago something was, and at what time: "12s ago, 15:04:05.000Z".
func when(at, now time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return ago(now.Sub(at)) + " ago, " + clockTime(at, now)
}

// ago gives a span as a person would say it, with two units at most.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(0, d); {
	case d < time.Second:
		return "0s"
	case d < time.Minute:
		return d.Truncate(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
}

// clockTime gives a time of this day to the millisecond, one of another day with its date. All
// times are in UTC, as in what nodes put into words: those of several machines are compared.
func clockTime(at, now time.Time) string {
	at, now = at.UTC(), now.UTC()
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04:05.000Z")
	}
	return at.Format("2006-01-02 15:04:05Z")
}

// stamp gives a time with its date, for what is kept: rulings, and cases.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.000Z") }

// pageURL is where a node's page is, given where it serves HTTP.
func pageURL(http string) string {
	if http == "" {
		return "none"
	}
	return "http://" + http + "/"
}

// standing tells in which state a member is, and whether it has said that it is back soon.
func standing(m *hearsay.Member, now time.Time) string {
	switch {
	case m.Outside:
		return m.State.String() + ", not in"
	case m.AwayUntil.IsZero():
		return m.State.String()
	}
	return m.State.String() + ", away until " + clockTime(m.AwayUntil, now)
}

// eventLine tells an event in one line, without its time.
func eventLine(e *hearsay.Event) string {
	var line strings.Builder
	line.WriteString(e.Kind.String())
	field := func(has bool, format string, value any) {
		if has {
			fmt.Fprintf(&line, " "+format, value)
		}
	}
	name, by := nameOf(e.Name, e.Subject), nameOf(e.ByName, e.By)
	field(name != "", "%s", name)
	field(e.State != 0, "state=%s", e.State)
	field(by != "", "by=%s", by)
	field(e.Verdict != 0, "verdict=%s", e.Verdict)
	field(e.Incarnation != 0, "incarnation=%d", e.Incarnation)
	field(e.Addr.IsValid(), "addr=%s", e.Addr)
	field(e.Round != 0, "round=%016x", uint64(e.Round))
	field(e.Epoch != 0, "epoch=%d", e.Epoch)
	if e.Ballot != nil {
		field(true, "ballot=%s", e.Ballot.Verdict)
	}
	if e.Ruling != nil {
		field(true, "ballots=%d", len(e.Ruling.Ballots))
	}
	field(e.Count != 0, "count=%d", e.Count)
	field(e.Kind == hearsay.EventUnreachable, "heard=%d", e.Heard)
	field(e.Kind == hearsay.EventMemberAway, "for=%s", e.Took)
	field(e.Kind != hearsay.EventMemberAway && e.Took != 0, "took=%s", e.Took.Round(time.Millisecond))
	if e.Evidence != nil {
		field(true, "against=%s", fmt.Sprintf("%d/%d", e.Evidence.Against(), e.Evidence.Observers))
	}
	if e.Rumor != nil {
		field(true, "number=%d", e.Rumor.ID.Counter)
		field(true, "says=%s", saidWords(e.Rumor.Data))
	}
	field(e.Text != "", "text=%q", e.Text)
	field(e.Before, "(%s)", "before this node started")
	field(e.CutOff && e.Kind != hearsay.EventRefuted, "(%s)", "while this node takes itself for cut off")
	field(e.CutOff && e.Kind == hearsay.EventRefuted, "(%s)", "whose accuser does not answer itself")
	return line.String()
}

// saidWords gives the beginning of what a rumor says, quoted.
func saidWords(data []byte) string {
	const shown = 64 // bytes
	if len(data) <= shown {
		return strconv.Quote(string(data))
	}
	cut := shown
	for cut > shown-utf8.UTFMax && !utf8.RuneStart(data[cut]) {
		cut--
	}
	return fmt.Sprintf("%q... (%d bytes)", data[:cut], len(data))
}

// nameOf gives a member's name, or the beginning of its id if that is all
// that is known. A node has only names that are plain, but whatever answers by HTTP may
// send any text: it is quoted if it would not look the same in a line of its own.
func nameOf(name string, id hearsay.NodeID) string {
	switch {
	case name != "":
		return plainText(name)
	case !id.IsZero():
		return id.Short()
	}
	return ""
}

// shellWord quotes an argument for a shell, if it needs that.
func shellWord(argument string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,=@%+[]", r)
	}
	if argument != "" && strings.IndexFunc(argument, func(r rune) bool { return !plain(r) }) < 0 {
		return argument
	}
	return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
}

// shellLine gives the command line that runs args.
func shellLine(args []string) string {
	words := make([]string, len(args))
	for i, argument := range args {
		words[i] = shellWord(argument)
	}
	return strings.Join(words, " ")
}

// counted tells a number of things.
func counted(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + several
}
