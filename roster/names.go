package roster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
)

// sharedMax is how many names of several living members are kept. A guess: one would do for an operator.
const sharedMax = 8

// Where a ledger is read, what it says of a member's end may come later, in the same step or in one of the next: a
// conflict is looked for after that.
const (
	checksMost  = 64                     // members wait for it. A guess, as sharedMax
	checksEvery = 100 * time.Millisecond // while the ledger is not read to its end. A guess
)

// names are those that several living members bear.
type names struct {
	members *members
	out     *output
	shared  []string // that several have borne, oldest first; at most sharedMax

	behind  func() bool      // in a seeded network: whether more of the ledger is known to come; nil: it never is
	checks  []hearsay.NodeID // members that wait for it, at most checksMost
	checkAt time.Time        // when they are looked at; zero: none waits
}

// check notices two living members of one name, in a seeded network soon.
func (n *names) check(now time.Time, m *member) {
	switch id := n.members.id(m); {
	case !n.members.seeded():
		n.judge(now, m)
	case len(n.checks) < checksMost && !slices.Contains(n.checks, id):
		n.checks = append(n.checks, id)
		n.checkAt = now
	}
}

// tick looks at the members that wait, once the ledger is read as far as it is known to go.
func (n *names) tick(now time.Time) {
	switch {
	case n.checkAt.IsZero() || now.Before(n.checkAt):
		return
	case n.behind != nil && n.behind():
		n.checkAt = now.Add(checksEvery)
		return
	}
	for _, id := range n.checks {
		if m := n.members.get(id); m != nil && m.state.Living() {
			n.judge(now, m)
		}
	}
	n.checks, n.checkAt = n.checks[:0], time.Time{}
}

// judge tells of two living members of one name. One that takes over the
// address of another is its successor and no conflict.
func (n *names) judge(now time.Time, m *member) {
	other := n.members.self
	if name := n.members.name(m); name != n.members.name(other) {
		if other = n.namesake(m, name); other == nil {
			return
		}
	}
	if n.members.addr(other) != n.members.addr(m) {
		name := n.members.name(m)
		n.out.event(hearsay.Event{
			At: now, Kind: hearsay.EventNameConflict, Subject: n.members.id(m), By: n.members.id(other), Addr: n.members.addr(m), Text: n.describe(name, []*member{other, m}),
		})
		if !slices.Contains(n.shared, name) {
			if len(n.shared) == sharedMax {
				n.shared = slices.Delete(n.shared, 0, 1)
			}
			n.shared = append(n.shared, name)
		}
	}
}

// Namesakes says which living members, at several addresses, bear one name; "": none do.
func (n *names) Namesakes() string {
	cards := n.members.cards
	var texts []string
	for _, name := range n.shared {
		var bearers []*member
		apart := false
		for w := cards.named(name); w != 0; w = cards.words[w].nextNamed {
			if m := n.members.at(cards.words[w].subject); m != nil && m.word == w && m.state.Living() {
				bearers = append(bearers, m)
				apart = apart || n.members.addr(m) != n.members.addr(bearers[0])
			}
		}
		if apart {
			texts = append(texts, n.describe(name, bearers))
		}
	}
	return strings.Join(texts, "; ")
}

// describe says which members bear one name, and what would be right.
func (n *names) describe(name string, bearers []*member) string {
	slices.SortFunc(bearers, func(a, b *member) int { return n.members.id(a).Compare(n.members.id(b)) })
	var each []string
	for _, m := range bearers[:min(len(bearers), sharedMax)] {
		each = append(each, fmt.Sprintf("%s at %v", n.members.id(m).Short(), n.members.addr(m)))
	}
	return fmt.Sprintf("%d living members are called %s: %s; start all but one with another --name", len(bearers), name, strings.Join(each, ", "))
}

// namesake gives another living member of this name, or nil: of several the
// first of the list. Mostly there is none, and then the list is not looked at.
func (n *names) namesake(of *member, name string) *member {
	cards := n.members.cards
	for w := cards.named(name); w != 0; w = cards.words[w].nextNamed {
		if m := n.members.at(cards.words[w].subject); m == nil || m.word != w || m == of || !m.state.Living() {
			continue
		}
		i := slices.IndexFunc(n.members.living, func(number int32) bool {
			m := n.members.at(number)
			return m != of && n.members.name(m) == name
		})
		if i < 0 {
			return nil // it is this node
		}
		return n.members.at(n.members.living[i])
	}
	return nil
}
