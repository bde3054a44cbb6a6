package hearsay

import (
	"fmt"
	"net/netip"
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
	add(a.unready())
	add(a.Why)
	if a.Fork != nil && a.Fork.Text != a.Why {
		add(a.Fork.Text)
	}
	if !a.Seeded {
		add(s.Alone())
	}
	return append(all, s.Troubles()...)
}

// unready says what it means that no quorum of seeds decides with this node; "" if one does, or
// nothing is known but why it is so.
func (a *Authority) unready() string {
	switch {
	case !a.Seeded || a.Ready || a.Waits:
		return ""
	case a.Apart && a.Epoch > 0:
		return ApartWords
	case !a.Key.IsZero() && a.Why != "":
		return "this seed takes no part now in what the seeds decide"
	}
	return a.NoQuorum()
}

// ApartWords says of a node what Authority.Apart means where it was let in.
const ApartWords = "this node is in by a ledger that is not the seeds': nobody follows it"

// NoQuorum says what it means that no quorum of seeds is heard.
func (a *Authority) NoQuorum() string {
	return fmt.Sprintf("no quorum of seeds is heard (%d of %d): as far as this node knows, nobody is admitted or removed meanwhile", a.Quorum, len(a.Seeds))
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

// Troubles gives what a node's figures show that an operator should see to, the weightiest first.
func (s *Stats) Troubles() (all []string) {
	if s.DiskBehind > 0 {
		all = append(all, fmt.Sprintf("the disk does not keep up: %d bytes wait to be durable, and for %.1f s nothing that adds to them is taken on", s.DiskWaits, s.DiskBehind))
	}
	if text := s.Unconnected(); text != "" {
		all = append(all, text)
	}
	if len(s.Indirect) > 0 {
		all = append(all, s.indirectWords())
	}
	if s.Twin.IsValid() {
		all = append(all, TwinWords(s.Twin))
	}
	if s.Namesakes != "" {
		all = append(all, s.Namesakes)
	}
	if s.ClockOff != 0 {
		all = append(all, OwnClockWords(time.Duration(s.ClockOff*float64(time.Second))))
	}
	return all
}

// Unconnected says what is wrong between a node and the others, of which the first that is so
// explains the rest; "" if nothing is known to be.
func (s *Stats) Unconnected() string {
	switch {
	case s.AddressGone > 0:
		return fmt.Sprintf("this machine has not had this node's own address for %.0f s: others cannot reach it; give the address back, or start the node with another", s.AddressGone)
	case s.Unheard > 0:
		return fmt.Sprintf("this node has heard nobody for %.0f s, though it lists others: it may be cut off, and may be held dead by them; see to its machine's network, and let UDP and TCP through to its port and from it", s.Unheard)
	case s.Unreached > 0:
		return fmt.Sprintf("nobody has reached this node for %.0f s at the address that it tells others, though others answer it: they hold it for failed, or never listed it; start it with --advertise and an address at which they reach it", s.Unreached)
	case s.DeafFor > 0:
		return fmt.Sprintf("datagrams (UDP) have not got through between this node and others for %.0f s, and streams (TCP) do: all goes by stream; let UDP through to this node's port, and from it", s.DeafFor)
	case s.StreamsFail > 0:
		return fmt.Sprintf("streams (TCP) have not got through from this node to others for %.0f s, though datagrams (UDP) of theirs come in: what is longer than a datagram is lost, as are rumors over some 1,300 bytes, rosters and the log of seeds; let TCP through to this node's port, and from it", s.StreamsFail)
	}
	return ""
}

// indirectWords says which members do not answer a node itself, though they answer others.
func (s *Stats) indirectWords() string {
	const named = 3
	var each []string
	for i := range s.Indirect[:min(len(s.Indirect), named)] {
		m := &s.Indirect[i]
		each = append(each, fmt.Sprintf("%s at %v since %s", m.Name, m.Addr, m.Since.UTC().Format(time.RFC3339)))
	}
	if more := len(s.Indirect) - named; more > 0 {
		each = append(each, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("no answer comes to this node itself from %s, though others reach it: the way between the two is cut; let UDP and TCP through both ways", strings.Join(each, ", "))
}

// TwinWords says of a node that another process has its identity.
func TwinWords(at netip.AddrPort) string {
	return fmt.Sprintf("another process runs with this identity at %v: this data directory is a copy, or that one's is; start one of the two with an empty directory", at)
}

// OwnClockWords says of a seed how far its clock is ahead of the right time.
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
