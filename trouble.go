package hearsay

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// This file puts into words what an operator should see to at a node. The command line, the page and
// readiness all tell these.

// Troubles gives what an operator should see to at a node, the weightiest first: how it is with
// its seeds, where there are some, or with the others; and what its figures show.
func Troubles(a *Authority, s *Stats) (all []string) {
	add := func(text string) {
		if text != "" {
			all = append(all, text)
		}
	}
	last := ""
	if !a.Early {
		switch text := a.unready(); {
		case text != a.NoQuorum():
			add(text)
		case s.diskStands():
		case s.cutOff() || s.lacksQuorum(a):
			last = text
		default:
			add(text)
		}
		add(a.Why)
	}
	if a.Fork != nil && (a.Early || a.Fork.Text != a.Why) {
		add(a.Fork.Text)
	}
	switch text := a.LastQuorum(); {
	case s.AddressGone > 0: // the seeds answer to an address that is gone, and are well
	case s.cutOff():
		last = cmp.Or(last, text)
	default:
		add(text)
	}
	if !a.Seeded {
		add(s.Alone())
	}
	all = append(all, s.Troubles()...)
	add(last)
	return all
}

// unready says what it means that no quorum of seeds decides with this node; "" if one does, or
// nothing is known but why it is so.
func (a *Authority) unready() string {
	switch {
	case !a.Seeded || a.Ready || a.Waits:
		return ""
	case a.Apart && a.Epoch > 0:
		return ApartWords
	case a.Stalled: // Why says what that means
		return ""
	case !a.Key.IsZero() && a.Why != "":
		return "this seed takes no part now in what the seeds decide"
	}
	return a.NoQuorum()
}

// ApartWords says of a node what Authority.Apart means where it was let in.
const ApartWords = "this node is in by a ledger that is not the seeds': nobody follows it"

// NoQuorum says what it means that no quorum of seeds is heard.
func (a *Authority) NoQuorum() string {
	if a.Early {
		return fmt.Sprintf("no quorum of seeds is heard just now (%d of %d are needed): they may be starting, or electing one that leads", a.Quorum, len(a.Seeds))
	}
	return fmt.Sprintf("no quorum of seeds is heard (%d of %d): as far as this node knows, nobody is admitted or removed meanwhile", a.Quorum, len(a.Seeds))
}

// LastQuorum says that just so many seeds are left as decide, and without which; "" if there are more, or fewer, or it
// is not known yet.
func (a *Authority) LastQuorum() string {
	if a.Early || !a.Ready {
		return ""
	}
	var silent, hints []string
	for i := range a.Seeds {
		s := &a.Seeds[i]
		if s.Silent.IsZero() {
			continue
		}
		how, hint := s.SilentWords()
		silent = append(silent, fmt.Sprintf("%s at %v, which %s", cmp.Or(s.Name, "the seed"), s.Addr, how))
		if !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	if len(silent) == 0 || len(a.Seeds)-len(silent) != a.Quorum {
		return ""
	}
	return fmt.Sprintf("just a quorum of seeds is left (%d of %d) without %s: if one more fails, nobody is admitted or removed; %s",
		a.Quorum, len(a.Seeds), strings.Join(silent, ", and "), strings.Join(hints, ", or "))
}

// SilentWords says of a seed that is silent how it is, and since when, and what to do. Why it is so only its log knows.
func (s *SeedStatus) SilentWords() (how, hint string) {
	how, hint = "has answered nobody", "see what its log says last, and start it again unless that says otherwise, or mend the way to it"
	if s.State == StateAlive {
		how, hint = "answers pings, and has not answered this seed, which leads,", "see to its disk, or let TCP and UDP through between the two, both ways"
	}
	return how + " since " + s.Silent.UTC().Format(time.RFC3339), hint
}

// Alone says of a node of an open network that it sees no other living member, and what became
// of the others; "" if it sees one, or has never seen any.
func (s *Stats) Alone() string {
	switch {
	case s.Alive+s.Suspect > 1:
	case s.Dead > 0:
		return fmt.Sprintf("alone: no other member is left, %d are dead, of them %d that were members for a minute or longer; it goes on looking for them", s.Dead, s.Lost)
	case s.Left > 0:
		return "alone: all others have left"
	}
	return ""
}

// trouble is a kind of trouble that a node's figures show.
type trouble struct {
	name string
	says func(s *Stats) string // "": it is not so
	// kinds of which this one is only what follows: where one of them is so, this one is not told
	causes []string
}

// troubles are all kinds, the weightiest first. docs/troubles.md says of each what it means, after how long it is
// told and what is to be done. Two that are so are both told, unless one is the cause of the other: where nothing comes
// no answer does; where no answer comes nobody can be known to reach this node, nor what gets through by datagram or by
// stream; to an address that is gone nobody can send; and where no datagram gets through no large one does.
var troubles = [...]trouble{
	{"disk", (*Stats).diskWords, nil},
	{"address", (*Stats).addressWords, nil},
	{"unheard", (*Stats).unheardWords, nil},
	{"unanswered", (*Stats).unansweredWords, []string{"unheard"}},
	{"unreached", (*Stats).unreachedWords, []string{"address", "unheard", "unanswered"}},
	{"deaf", (*Stats).deafWords, []string{"address", "unheard", "unanswered"}},
	{"narrow", (*Stats).narrowWords, []string{"unheard", "unanswered", "deaf"}},
	{"streams", (*Stats).streamsWords, []string{"unheard", "unanswered", "deaf"}},
	{"indirect", (*Stats).indirectWords, nil},
	{"narrow-way", (*Stats).narrowWayWords, nil},
	{"streams-way", (*Stats).streamsWayWords, nil},
	{"narrow-in", (*Stats).narrowInWords, []string{"narrow"}},
	{"streams-in", (*Stats).streamsInWords, []string{"streams"}},
	{"untaken", (*Stats).untakenWords, nil},
	{"writers", (*Stats).writersWords, nil},
	{"twin", (*Stats).twinWords, nil},
	{"copied", (*Stats).copiedWords, []string{"twin"}},
	{"overwritten", (*Stats).overwrittenWords, nil},
	{"namesakes", func(s *Stats) string { return s.Namesakes }, nil},
	{"clock", (*Stats).clockWords, nil},
}

// TroubleNames gives the name of each kind of trouble that a node's figures show, the weightiest first.
func TroubleNames() (names []string) {
	for i := range troubles {
		names = append(names, troubles[i].name)
	}
	return names
}

// Troubles gives what a node's figures show that an operator should see to, the weightiest first.
func (s *Stats) Troubles() (all []string) {
	var is []string
	for i := range troubles {
		t := &troubles[i]
		text := t.says(s)
		if text == "" {
			continue
		}
		if !slices.ContainsFunc(t.causes, func(cause string) bool { return slices.Contains(is, cause) }) {
			all = append(all, text)
		}
		is = append(is, t.name)
	}
	return all
}

// diskStands reports whether nothing becomes durable. What waits for that is neither asked nor answered, so that no
// quorum is heard, however well the seeds are.
func (s *Stats) diskStands() bool { return s.DiskFull > 0 || s.DiskBehind > 0 }

// cutOff reports whether nothing gets from others to this node, or from it to them, or no stream does, by which most
// goes that seeds say: no wonder that no quorum is heard.
func (s *Stats) cutOff() bool {
	return s.AddressGone > 0 || s.Unheard > 0 || s.Unanswered > 0 || s.StreamsFail > 0
}

// lacksQuorum reports whether not all gets from this node to so many seeds that the others are no quorum, or no answer
// of those comes: no wonder, likewise.
func (s *Stats) lacksQuorum(a *Authority) bool {
	rest := 0
	for i := range a.Seeds {
		is := func(one Indirect) bool { return one.ID == a.Seeds[i].ID }
		large := func(one Narrow) bool { return one.ID == a.Seeds[i].ID }
		if !slices.ContainsFunc(s.Streamless, is) && !slices.ContainsFunc(s.Indirect, is) && !slices.ContainsFunc(s.Narrow, large) {
			rest++
		}
	}
	return rest < a.Quorum
}

func (s *Stats) diskWords() string {
	switch {
	case s.DiskFull > 0:
		return "the disk is full: since " + s.since(s.DiskFull) + " nothing becomes durable, and nothing that must is taken on; make room for the data directory, and this node goes on by itself"
	case s.DiskBehind <= 0:
		return ""
	}
	return "the disk does not keep up: what must be durable waits for it, and since " + s.since(s.DiskBehind) + " nothing that adds to that is taken on"
}

// lasting says since when something is so that lasts for a number of seconds, if it is. That text stays the same while
// it lasts: readers compare texts.
func (s *Stats) lasting(seconds float64, format string) string {
	if seconds <= 0 {
		return ""
	}
	return fmt.Sprintf(format, s.since(seconds))
}

// since gives the time so many seconds before these figures were taken. Where a fault is found by probes, tests or
// looks that is when the first of them began that showed it: it may have begun after the one before. Floating point
// may put it a little earlier than it was told before.
func (s *Stats) since(seconds float64) string {
	ago := time.Duration(seconds * float64(time.Second))
	return s.At.Add(-ago).Round(time.Millisecond).UTC().Format(time.RFC3339)
}

func (s *Stats) addressWords() string {
	return s.lasting(s.AddressGone, "this machine has not had this node's own address since at least %s: others cannot reach it; give the address back, or start the node with another")
}

func (s *Stats) unheardWords() string {
	return s.lasting(s.Unheard, "this node has heard nobody since %s, though it lists others: it may be cut off, and may be held dead by them; see to its machine's network, and let UDP and TCP through to its port and from it")
}

func (s *Stats) unansweredWords() string {
	return s.lasting(s.Unanswered, "nobody has answered this node since %s, though packets of others come in: what it sends may not go out, and it may be held dead by them, or be removed; see to its machine's network, and let UDP and TCP through from its port")
}

func (s *Stats) unreachedWords() string {
	return s.lasting(s.Unreached, "nobody has reached this node since %s at the address that it tells others, though others answer it: they hold it for failed, or never listed it; start it with --advertise and an address at which they reach it")
}

func (s *Stats) deafWords() string {
	return s.lasting(s.DeafFor, "datagrams (UDP) have not got through between this node and others since at least %s, and streams (TCP) do: all goes by stream; let UDP through to this node's port, and from it")
}

func (s *Stats) streamsWords() string {
	return s.lasting(s.StreamsFail, "streams (TCP) have not got through from this node to others since at least %s, though datagrams (UDP) of theirs come in: what is longer than a datagram is lost, as are rumors over some 1,300 bytes, rosters and the log of seeds; let TCP through to this node's port, and from it")
}

// streamsWayWords says to which members no stream gets from a node, where that is not all.
func (s *Stats) streamsWayWords() string {
	if len(s.Streamless) == 0 || s.StreamsFail > 0 {
		return ""
	}
	return "streams (TCP) do not get from this node to " + named(s.Streamless) + ", though datagrams (UDP) do: what is longer than a datagram is lost; let TCP through to that node's port, and from this one"
}

// streamsInWords says from which members no stream gets to a node, as they say.
func (s *Stats) streamsInWords() string {
	if len(s.NoStreamsIn) == 0 {
		return ""
	}
	return "streams (TCP) do not get to this node from " + named(s.NoStreamsIn) + ", as they say, though datagrams (UDP) do: what is longer than a datagram is lost; let TCP through to this node's port, and from that one"
}

// narrowInWords says from which members nothing large gets to a node, as they say.
func (s *Stats) narrowInWords() string {
	if len(s.NoLargeIn) == 0 {
		return ""
	}
	return "large packets do not get to this node from " + named(s.NoLargeIn) + ", as they say, though small ones do: " + narrowHint
}

func (s *Stats) twinWords() string {
	if !s.Twin.IsValid() {
		return ""
	}
	return TwinWords(s.Twin)
}

func (s *Stats) copiedWords() string {
	return s.lasting(s.Copied, "this node runs since %s on a data directory that is a copy, or was moved, and may be older than the original: if that is in use elsewhere, start this node with an empty one")
}

func (s *Stats) overwrittenWords() string {
	return s.lasting(s.Overwritten, "this node runs since %s on a data directory that another program has changed since it was used last: it may have been written over with an older copy; this node leaves out what it may have said since")
}

func (s *Stats) clockWords() string {
	if s.ClockOff == 0 {
		return ""
	}
	return OwnClockWords(time.Duration(s.ClockOff * float64(time.Second)))
}

// indirectWords says which members do not answer a node itself, though they answer others.
func (s *Stats) indirectWords() string {
	if len(s.Indirect) == 0 {
		return ""
	}
	return "no answer comes to this node itself from " + named(s.Indirect) + ", though others reach it: the way between the two is cut; let UDP and TCP through both ways"
}

// narrowWords says of a node that nothing large gets from it to others.
func (s *Stats) narrowWords() string {
	passes, lost := 0, 0
	for _, m := range s.Narrow {
		if passes = max(passes, m.Passes); lost == 0 || m.Lost < lost {
			lost = m.Lost
		}
	}
	detail := fmt.Sprintf(" (%d bytes do, %d do not): ", passes, lost) + narrowHint
	return s.lasting(s.NarrowFor, "large packets have not got through from this node to others since at least %s, though small ones have"+detail)
}

// narrowWayWords says to which members nothing large gets from a node, where that is not all.
func (s *Stats) narrowWayWords() string {
	if len(s.Narrow) == 0 || s.NarrowFor > 0 {
		return ""
	}
	each := first(len(s.Narrow), func(i int) string {
		m := &s.Narrow[i]
		return fmt.Sprintf("%s at %v since at least %s (%d bytes do, %d do not)", m.Name, m.Addr, m.Since.UTC().Format(time.RFC3339), m.Passes, m.Lost)
	})
	return "large packets do not get from this node to " + each + ", though small ones do: " + narrowHint
}

// narrowHint says what follows from that, and what to do.
const narrowHint = "rumors, rosters and the log of seeds may be lost, by stream (TCP) too; have the network carry packets of 1,500 bytes, or say which are too large (ICMP), or set a smaller MTU on the machine's interface"

// named names some of such members.
func named(members []Indirect) string {
	return first(len(members), func(i int) string {
		m := &members[i]
		return fmt.Sprintf("%s at %v since at least %s", m.Name, m.Addr, m.Since.UTC().Format(time.RFC3339))
	})
}

// first gives some of so many, and how many more there are.
func first(count int, one func(i int) string) string {
	const named = 3
	var each []string
	for i := range min(count, named) {
		each = append(each, one(i))
	}
	if more := count - named; more > 0 {
		each = append(each, fmt.Sprintf("%d more", more))
	}
	return strings.Join(each, ", ")
}

// untakenWords says which reports no seed takes.
func (s *Stats) untakenWords() string {
	if len(s.Untaken) == 0 {
		return ""
	}
	names := first(len(s.Untaken), func(i int) string { return s.Untaken[i].Name })
	text := fmt.Sprintf("no seed has taken this node's report of %s since %s", names, s.Untaken[0].Words())
	if !s.Untaken[0].Waits {
		text += "; let TCP through to the seeds' ports, and see that they run"
	}
	return text
}

// Words says since when no seed takes a report, and why.
func (u *Untaken) Words() string {
	since, why := u.Since.UTC().Format(time.RFC3339), u.Why
	if why == "" {
		why = "nothing"
	}
	if u.Waits {
		return fmt.Sprintf("%s: the seed at %v answers %q", since, u.Seed, why)
	}
	return fmt.Sprintf("%s: the seed at %v cannot be asked (%s)", since, u.Seed, why)
}

// writersWords says that the store takes no new writers, and whose lives it knows instead.
func (s *Stats) writersWords() string {
	if s.StoreRefuses <= 0 {
		return ""
	}
	text := s.lasting(s.StoreRefuses, "the store takes no new writer since %s: ") +
		fmt.Sprintf("%d are known here, and store.writers allows no more; what others write may be missing here", s.StoreWriters)
	find := "find it and stop it"
	if s.Epoch > 0 {
		find = "find it, have it leave or removed, and bar it"
	}
	if len(s.StoreLives) == 0 {
		return text + ". No name has many of these; a member may have made up a few in each: " + find + "; or raise store.writers on all nodes"
	}
	return text + ". Of these are " + first(len(s.StoreLives), func(i int) string {
		l := &s.StoreLives[i]
		if l.ID.IsZero() {
			return fmt.Sprintf("%d of nodes that are no members", l.Count)
		}
		return fmt.Sprintf("%d in the name of %s (id %s)", l.Count, l.Name, l.ID.Short())
	}) + ", which a member may have made up: " + find + "; or raise store.writers on all nodes"
}

// TwinWords says of a node that another process has its identity.
func TwinWords(at netip.AddrPort) string {
	return fmt.Sprintf("another process runs with this identity at %v: this data directory is a copy, or that one's is; start one of the two with an empty directory", at)
}

// OwnClockWords says of a node how far its clock is ahead of the right time.
func OwnClockWords(ahead time.Duration) string {
	return fmt.Sprintf("this machine's clock is %s those of a quorum of seeds: set it right", ClockWords(ahead))
}

// ClockWords says how far a clock is ahead of, or behind, another, which is named after that.
func ClockWords(ahead time.Duration) string {
	const day = 24 * time.Hour
	off, side := ahead.Abs().Round(time.Minute).String(), "ahead of"
	if ahead.Abs() >= 2*day {
		off = fmt.Sprintf("%.3g days", float64(ahead.Abs())/float64(day))
	}
	if ahead < 0 {
		side = "behind"
	}
	return off + " " + side
}
