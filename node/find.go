package node

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/roster"
)

// This file looks up which node is meant by a name, a NodeID or the beginning of one.

const (
	idDigitsMin   = 3 // of an id's beginning. Guess: fewer are often several members'
	idDigitsShown = 8 // by NodeID.Short, in tables and logs
)

// begins reports whether an id begins so.
func begins(id hearsay.NodeID, digits string) bool {
	return len(digits) >= idDigitsMin && strings.HasPrefix(id.String(), strings.ToLower(digits))
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdefABCDEF") == "" }

// ambiguous says that several are called so.
func ambiguous(name string, found []hearsay.Member) error {
	listed := make([]string, len(found))
	for i, m := range found {
		listed[i] = fmt.Sprintf("%s with id %s (%s, %s)", m.Name, m.ID, m.Addr, m.State)
	}
	return fmt.Errorf("%q: %w: %s; give an id, or more of it", name, hearsay.ErrAmbiguous, strings.Join(listed, ", "))
}

// finder finds the node that is meant by a name.
type finder struct {
	roster *roster.Roster
	cases  *casebook.Book
	seeded *Seeded
}

// meant gives the nodes that may be meant: members, else others that are heard of.
func (f *finder) meant(name string) []hearsay.Member {
	found := f.find(name)
	var whole hearsay.NodeID
	if isID := whole.UnmarshalText([]byte(name)) == nil; len(found) == 0 || isID && found[0].ID != whole {
		if strangers := f.findStrangers(name); len(found) == 0 || len(strangers) > 0 {
			found = strangers // an id is meant before a name that looks like one
		}
	}
	return lastOf(found, name)
}

// lastOf gives of several nodes of one name that are all out the one that went last: the case of each names the one
// before. Where one is in, or an id may be meant, it gives all.
func lastOf(found []hearsay.Member, name string) []hearsay.Member {
	isIn := func(m hearsay.Member) bool {
		return m.Name != name || m.State != hearsay.StateDead && m.State != hearsay.StateLeft
	}
	if len(found) < 2 || slices.ContainsFunc(found, isIn) {
		return found
	}
	last := slices.MaxFunc(found, func(a, b hearsay.Member) int { return a.Since.Compare(b.Since) })
	if slices.ContainsFunc(found, func(m hearsay.Member) bool { return m.ID != last.ID && m.Since.Equal(last.Since) }) {
		return found
	}
	return []hearsay.Member{last}
}

// find looks a member up: by its NodeID; by name; else by the beginning of its
// NodeID. Of several with the name the only living one is meant, or the only barred one. A name may be
// made to look like an id: if it is as many digits as tables show, a member that has such
// an id may be meant, too.
func (f *finder) find(name string) []hearsay.Member {
	var named, living, numbered []hearsay.Member
	for _, m := range byName(f.roster, nil) {
		if m.ID.String() == name {
			return []hearsay.Member{m}
		}
		if m.Name == name {
			named = append(named, m)
			if m.State.Living() {
				living = append(living, m)
			}
		}
		if m.Name != name && begins(m.ID, name) {
			numbered = append(numbered, m)
		}
	}
	if len(living) == 1 {
		named = living
	} else if one := f.barredOf(named); len(living) == 0 && one >= 0 {
		named = named[one : one+1]
	}
	switch {
	case len(named) == 0:
		return numbered
	case len(name) >= idDigitsShown:
		return append(named, numbered...)
	}
	return named
}

// barredOf gives which of several is barred, as the only one; -1: none, or several, or this
// node does not know.
func (f *finder) barredOf(members []hearsay.Member) (at int) {
	at = -1
	for _, b := range f.seeded.Barred() {
		if i := slices.IndexFunc(members, func(m hearsay.Member) bool { return m.ID == b.ID }); i >= 0 && at >= 0 {
			return -1
		} else if i >= 0 {
			at = i
		}
	}
	return at
}

// findStrangers looks up a node that is in no roster: that has asked to be in,
// or was in as far as the ledger here goes back. In an open network there is none.
func (f *finder) findStrangers(name string) (found []hearsay.Member) {
	if f.seeded.authority == nil {
		return nil
	}
	is := func(id hearsay.NodeID, called string) bool {
		return called == name || begins(id, name)
	}
	add := func(m hearsay.Member) {
		if at := slices.IndexFunc(found, func(o hearsay.Member) bool { return o.ID == m.ID }); at < 0 {
			found = append(found, m)
		} else if m.Since.After(found[at].Since) {
			found[at] = m
		}
	}
	for r := range f.seeded.ledger() {
		if r.Kind == hearsay.RulingAdmit && is(r.Stay.ID, r.Claim.Card.Name) {
			add(r.Claim.Member(casebook.Moment(r.At)))
		}
	}
	for _, e := range f.cases.Find(is) {
		add(hearsay.Member{ID: e.Subject, Name: e.Name, Addr: e.Addr, Role: hearsay.RolePeer, Incarnation: e.Incarnation, Since: e.At})
	}
	for _, m := range f.findSeats(name) {
		add(m)
	}
	for _, b := range f.seeded.Barred() {
		if is(b.ID, "") {
			add(hearsay.Member{ID: b.ID, Name: f.roster.Name(b.ID), Role: hearsay.RolePeer, Since: casebook.Moment(b.At)})
		}
	}
	return found
}

// findSeats looks up nodes that had a seat by the ledger here, and are in no roster.
func (f *finder) findSeats(digits string) (found []hearsay.Member) {
	add := func(seats []hearsay.Seat, at time.Time) {
		for _, seat := range seats {
			id := seat.Key.NodeID()
			known := slices.ContainsFunc(found, func(m hearsay.Member) bool { return m.ID == id })
			if seat.Key.IsZero() || known || !begins(id, digits) || int(seat.Slot) >= len(f.seeded.seeds()) {
				continue
			}
			m := hearsay.Member{ID: id, Name: id.Short(), Addr: f.seeded.seeds()[seat.Slot].Addr, Role: hearsay.RoleSeed, State: hearsay.StateDead, Since: at}
			found = append(found, m)
		}
	}
	if seat := f.seeded.seat; seat != nil {
		add(seat.Founding(), time.Time{})
	}
	for r := range f.seeded.ledger() {
		add(r.Seats, casebook.Moment(r.At))
	}
	return found
}

// stayOf gives the stay of a member.
func (f *finder) stayOf(name string) (hearsay.Stay, error) {
	id, err := f.identify(name)
	if err != nil {
		return hearsay.Stay{}, err
	}
	m, in := f.seeded.authority.Member(id)
	switch {
	case in:
		return m.Stay, nil
	case f.seeded.isSeed(id):
		return hearsay.Stay{}, fmt.Errorf("%q is a seed, and in by the list of seeds: %w", name, hearsay.ErrUndecidable)
	}
	var last hearsay.Epoch
	for r := range f.seeded.ledger() {
		if r.Stay.ID == id && r.Kind != hearsay.RulingAdmit {
			last = r.Epoch
		}
	}
	if last > 0 {
		return hearsay.Stay{}, fmt.Errorf("%q: %w: by the ruling of epoch %d", name, hearsay.ErrOut, last)
	}
	return hearsay.Stay{}, fmt.Errorf("%q: %w", name, hearsay.ErrNotMember)
}

// identify gives the identity that is meant: a whole NodeID may be anybody's.
func (f *finder) identify(name string) (id hearsay.NodeID, err error) {
	if f.seeded.authority == nil {
		return id, fmt.Errorf("this network has no seeds: %w", hearsay.ErrUndecidable)
	}
	if id.UnmarshalText([]byte(name)) == nil {
		return id, nil
	}
	switch found := f.find(name); len(found) {
	case 0:
		return id, fmt.Errorf("%q: %w; a whole id may be of anybody", name, hearsay.ErrNotMember)
	case 1:
		return found[0].ID, nil
	default:
		return id, ambiguous(name, found)
	}
}

// identifyBarred gives the identity that is meant of those that are barred; of others if none is.
func (f *finder) identifyBarred(name string) (id hearsay.NodeID, err error) {
	var found []string
	for _, b := range f.seeded.BarredByName() {
		switch {
		case b.ID.String() == name:
			return b.ID, nil
		case b.Name == name || begins(b.ID, name):
			id, found = b.ID, append(found, fmt.Sprintf("%s with id %s", cmp.Or(b.Name, "one"), b.ID))
		}
	}
	switch len(found) {
	case 0:
		return f.identify(name)
	case 1:
		return id, nil
	}
	return id, fmt.Errorf("%q: %w, and are barred: %s; give an id, or more of it", name, hearsay.ErrAmbiguous, strings.Join(found, ", "))
}
