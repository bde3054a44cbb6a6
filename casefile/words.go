package casefile

import (
	"fmt"
	"strings"
	"time"

	"hearsay"
	"hearsay/casebook"
)

// This file has the phrases of which sentences are made.

func (s *story) sinceWords(since time.Time) string {
	return fmt.Sprintf("%s (%s ago)", since.Format(time.RFC3339), s.Now.Sub(since).Round(time.Second))
}

// refutedWords tells the last claim about this node that it has refuted.
func (s *story) refutedWords(e *hearsay.Event) string {
	if e.State == hearsay.StateAlive {
		return fmt.Sprintf("It heard last at %s that it is at %v, by %s.", s.sinceWords(e.At), e.Addr, e.Text)
	}
	return fmt.Sprintf("It was claimed %s by %s, and refuted that, last at %s.", e.State, s.name(e.By), s.sinceWords(e.At))
}

// since is since when the member is in its state.
func (s *story) since() string { return s.sinceWords(s.Member.Since) }

// list writes "a, b and c".
func list(words []string, last string) string {
	switch n := len(words); n {
	case 0:
		return "nobody"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
	}
}

// join writes "a; b" of those that say something.
func join(parts ...string) string {
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	return strings.Join(said, "; ")
}

// exactly gives a time of Unix milliseconds to the millisecond.
func exactly(unixMilli int64) string { return casebook.Moment(unixMilli).Format("15:04:05.000Z") }

// capital begins a sentence.
func capital(words string) string { return strings.ToUpper(words[:1]) + words[1:] }

// number writes a count as a person does.
func number(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprint(n)
}

func wereWords(n int) string {
	if n == 1 {
		return "one was"
	}
	return fmt.Sprintf("%d were", n)
}

// someOf writes "one of a, b and c".
func someOf(n, all int, names string) string {
	switch {
	case all == 1:
		return names
	case n == all:
		return "all of " + names
	}
	return number(n) + " of " + names
}

// plural counts things.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func orNothing(why string) string {
	if why == "" {
		return "nothing was said"
	}
	return why
}

func caseWords(c hearsay.CaseID) string { return fmt.Sprintf("case %d", uint64(c)) }

// spent reports whether a member has signed the highest incarnation that is believed: it can refute nothing
// more, nor come back.
func spent(i hearsay.Incarnation) bool { return i >= hearsay.MaxIncarnation }

const spentWords = "it cannot come back with this identity, as its incarnation is the highest that is believed: it needs an empty data directory."
