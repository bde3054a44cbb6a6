package node

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/quorum"
)

// This file is what drivers read of a seeded network, and what an operator asks
// of a seed. Of an open network all of it is empty.

// Authority is the seeds' authority as this node sees it.
func (n *Node) Authority() hearsay.Authority {
	s := &n.seeded
	if s.authority == nil {
		return hearsay.Authority{Leader: -1}
	}
	a := hearsay.Authority{Seeded: true, Leader: -1, Epoch: s.authority.Epoch(), Head: s.authority.Head(), Proven: s.authority.Epoch(), Fork: s.authority.Fork()}
	alive := 0
	for slot, seed := range n.configured() {
		status := n.seedStatus(slot, seed.Addr)
		if n.heardSeed(slot, &status) {
			alive++
		}
		a.Seeds = append(a.Seeds, status)
	}
	a.Quorum = hearsay.QuorumOf(len(a.Seeds))
	a.Ready = alive >= a.Quorum
	if s.seat != nil {
		a.Key, a.Limits = n.signer.Public(), s.seat.Limits()
		a.Ready, a.Proven, a.Why, a.Waits = s.seat.Decides(), s.seat.Proven(), s.seat.Why(), s.seat.Waits()
		if slot, ok := s.seat.Leader(); ok {
			a.Leader = slot
		}
		return a
	}
	a.Why, a.Apart = s.follower.Why(), s.follower.Apart()
	if s.stay.Epoch == 0 && !n.gone() {
		a.Why = strings.TrimPrefix(a.Why+"; "+n.admission(), "; ")
	}
	return a
}

// heardSeed reports whether a peer may count on a seed: the seed has answered it in this life,
// with the ledger that the peer follows, and is not suspect since.
func (n *Node) heardSeed(slot int, status *hearsay.SeedStatus) bool {
	if f := n.seeded.follower; f == nil || !f.Met(slot) {
		return false
	}
	return status.State == hearsay.StateAlive || status.State != hearsay.StateSuspect && n.hears(slot)
}

// configured is the list of seeds.
func (n *Node) configured() []ledger.Seed {
	if n.seeded.seat != nil {
		return n.cfg.Quorum.Seeds
	}
	return n.cfg.Follower.Seeds
}

func (n *Node) seedStatus(slot int, addr netip.AddrPort) hearsay.SeedStatus {
	status := hearsay.SeedStatus{Addr: addr, Slot: slot}
	if n.seeded.seat == nil {
		status.Note = n.seeded.follower.Note(slot)
		if a := &n.seeded.petitions.Answers()[slot]; status.Note == quorum.NotAnswered && !a.At.IsZero() && a.Code != 0 && a.Code != hearsay.OutcomeLost {
			status.Note = "has answered, and not yet said of which ledger it is"
		}
	} else {
		var met hearsay.Seat
		status.Votes = n.seeded.seat.Votes(slot)
		if met, status.Note = n.seeded.seat.Note(n.stepped, slot); !met.Key.IsZero() {
			status.Met, status.ID = true, met.Key.NodeID()
			if m, known := n.roster.Member(status.ID); known {
				status.Name = m.Name
			}
			return status
		}
	}
	seats := n.seeded.authority.Seats(nil)
	at := slices.IndexFunc(seats, func(s hearsay.Seat) bool { return int(s.Slot) == slot && !s.Key.IsZero() })
	if at < 0 {
		return status
	}
	status.Met, status.ID = true, seats[at].Key.NodeID()
	if m, known := n.roster.Member(status.ID); known {
		status.Name, status.State = m.Name, m.State
		if up := m.State == hearsay.StateAlive || m.State == hearsay.StateSuspect; up && status.Note == "" && m.Addr != addr {
			status.Note = fmt.Sprintf("runs at %v: the list of seeds here has another address for it", m.Addr)
		}
	}
	return status
}

// Ledger gives the rulings after an epoch that are in memory, oldest first, at
// most n. They are read only. A seed's older ones are on its disk.
func (n *Node) Ledger(after hearsay.Epoch, limit int) (rulings []*hearsay.Ruling) {
	for n.seeded.authority != nil && len(rulings) < limit {
		more := n.seeded.authority.Rulings(after, limit-len(rulings)) // as many as fit a message
		if len(more) == 0 {
			break
		}
		rulings = append(rulings, more...)
		after = more[len(more)-1].Epoch
	}
	return rulings
}

// Older takes the rulings right before an epoch that a seed has read from its
// disk, oldest first: it has asked for them (Effects.Read).
func (n *Node) Older(now time.Time, before hearsay.Epoch, rulings []*hearsay.Ruling) *hearsay.Effects {
	n.begin(now)
	if n.seeded.seat != nil {
		n.seeded.seat.Older(before, rulings)
	}
	return n.settle(now)
}

// Evidence gives what was brought before the ruling of an epoch, if this node
// has it, or nil. It is read only.
func (n *Node) Evidence(epoch hearsay.Epoch) *hearsay.Evidence {
	s := &n.seeded
	if s.seat != nil {
		return s.seat.EvidenceOf(epoch)
	}
	if epoch == 0 {
		return nil
	}
	for _, r := range n.Ledger(epoch-1, 1) {
		if r.Epoch == epoch && !r.Evidence.IsZero() {
			return n.roster.Evidence(r.Evidence)
		}
	}
	return nil
}

// Stays appends the stays of all who are in by the ledger, ordered by NodeID.
func (n *Node) Stays(dst []hearsay.Stay) []hearsay.Stay {
	if n.seeded.authority == nil {
		return dst
	}
	for _, m := range n.seeded.authority.Roster(nil) {
		dst = append(dst, m.Stay)
	}
	return dst
}

// MemberAt gives who is in, by the ledger, at an address.
func (n *Node) MemberAt(addr netip.AddrPort) (m ledger.Member, ok bool) {
	s := &n.seeded
	if s.seat != nil { // it is asked for every packet by stream that wants a connection
		return n.memberAt(addr)
	}
	if s.authority == nil {
		return m, false
	}
	for _, m := range s.authority.Roster(nil) {
		if n.reached(&m) == addr {
			return m, true
		}
	}
	return ledger.Member{}, false
}

// memberAt is MemberAt of a seed: it does not walk the roster.
func (n *Node) memberAt(addr netip.AddrPort) (m ledger.Member, ok bool) {
	s := &n.seeded
	var room [4]hearsay.NodeID
	found := s.seat.At(room[:0], addr)
	for i := range s.elsewhere {
		if s.elsewhere[i].addr == addr {
			found = append(found, s.elsewhere[i].id)
		}
	}
	slices.SortFunc(found, hearsay.NodeID.Compare)
	for _, id := range found {
		if m, ok = s.seat.Member(id); ok && n.reached(&m) == addr {
			return m, true
		}
	}
	return ledger.Member{}, false
}

// whereabouts is a member that is elsewhere than the log knows.
type whereabouts struct {
	id   hearsay.NodeID
	addr netip.AddrPort
}

// noteWhere keeps for a seed where a member is by its own newest word, if the
// log does not know that yet.
func (n *Node) noteWhere(e *hearsay.Event) {
	s, id := &n.seeded, e.Subject
	switch e.Kind {
	case hearsay.EventMemberJoined, hearsay.EventMemberReturned, hearsay.EventMemberMoved,
		hearsay.EventMemberLeft, hearsay.EventMemberDead, hearsay.EventMemberRemoved:
	default:
		return
	}
	if s.seat == nil {
		return
	}
	s.elsewhere = slices.DeleteFunc(s.elsewhere, func(w whereabouts) bool { return w.id == id })
	m, in := s.seat.Member(id)
	if addr, known := n.roster.Addr(id); in && known && addr != m.Claim.Card.Addr {
		s.elsewhere = append(s.elsewhere, whereabouts{id, addr})
	}
}

// Peers gives the addresses of all who are in by the ledger: no seeds.
func (n *Node) Peers() (addrs []netip.AddrPort) {
	if n.seeded.authority == nil {
		return nil
	}
	for _, m := range n.seeded.authority.Roster(nil) {
		addrs = append(addrs, n.reached(&m))
	}
	return addrs
}

// reached is where a member is: by its newest word or, if there is none, where
// it was admitted.
func (n *Node) reached(m *ledger.Member) netip.AddrPort {
	if addr, ok := n.roster.Addr(m.Stay.ID); ok {
		return addr
	}
	if m.Stay.ID == n.id {
		return n.cfg.Addr
	}
	return m.Claim.Card.Addr
}

// AddrOf gives where a member by the ledger is.
func (n *Node) AddrOf(id hearsay.NodeID) (addr netip.AddrPort, ok bool) {
	if n.seeded.authority == nil {
		return addr, false
	}
	m, ok := n.seeded.authority.Member(id)
	return n.reached(&m), ok
}

// StayOf gives the stay of a member, which is given as to Why.
func (n *Node) StayOf(name string) (hearsay.Stay, error) {
	id, err := n.identify(name)
	if err != nil {
		return hearsay.Stay{}, err
	}
	m, in := n.seeded.authority.Member(id)
	switch {
	case in:
		return m.Stay, nil
	case n.isSeed(id):
		return hearsay.Stay{}, fmt.Errorf("%q is a seed, and in by the list of seeds: %w", name, hearsay.ErrUndecidable)
	}
	var last hearsay.Epoch
	for r := range n.ledger() {
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
func (n *Node) identify(name string) (id hearsay.NodeID, err error) {
	if n.seeded.authority == nil {
		return id, fmt.Errorf("this network has no seeds: %w", hearsay.ErrUndecidable)
	}
	if id.UnmarshalText([]byte(name)) == nil {
		return id, nil
	}
	switch found := n.find(name); len(found) {
	case 0:
		return id, fmt.Errorf("%q: %w; a whole id may be of anybody", name, hearsay.ErrNotMember)
	case 1:
		return found[0].ID, nil
	}
	_, err = n.Why(time.Time{}, name) // lists them
	return id, err
}

// identifyBarred gives the identity that is meant of those that are barred; of others if none is.
func (n *Node) identifyBarred(name string) (id hearsay.NodeID, err error) {
	var found []string
	for _, b := range n.BarredByName() {
		switch {
		case b.ID.String() == name:
			return b.ID, nil
		case b.Name == name || begins(b.ID, name):
			id, found = b.ID, append(found, fmt.Sprintf("%s with id %s", cmp.Or(b.Name, "one"), b.ID))
		}
	}
	switch len(found) {
	case 0:
		return n.identify(name)
	case 1:
		return id, nil
	}
	return id, fmt.Errorf("%q: %w, and are barred: %s; give an id, or more of it", name, hearsay.ErrAmbiguous, strings.Join(found, ", "))
}

// Bar asks that a node is admitted no more. It is given as to Why, or by its
// whole NodeID. What becomes of it EventBarred tells.
func (n *Node) Bar(now time.Time, name, why string) (hearsay.NodeID, *hearsay.Effects, error) {
	return n.bar(now, name, n.identify, func(id hearsay.NodeID) quorum.Answer { return n.seeded.seat.Bar(now, id, why) })
}

// Lift asks that a bar ends: of those that are barred one is meant first. What becomes of it
// EventLifted tells.
func (n *Node) Lift(now time.Time, name string) (hearsay.NodeID, *hearsay.Effects, error) {
	return n.bar(now, name, n.identifyBarred, func(id hearsay.NodeID) quorum.Answer { return n.seeded.seat.Lift(now, id, "by an operator") })
}

func (n *Node) bar(now time.Time, name string, identify func(string) (hearsay.NodeID, error), ask func(hearsay.NodeID) quorum.Answer) (hearsay.NodeID, *hearsay.Effects, error) {
	n.begin(now)
	id, err := identify(name)
	switch {
	case err != nil:
	case n.seeded.seat == nil:
		err = fmt.Errorf("this is a peer, and seeds keep the list of who is barred: ask a seed")
	case n.isSeed(id):
		err = fmt.Errorf("%q is a seed, and in by the list of seeds: %w", name, hearsay.ErrUndecidable)
	default:
		if a := ask(id); a.Code == quorum.AnswerRefused || a.Code == quorum.AnswerWait {
			err = fmt.Errorf("%s", a.Text)
		}
	}
	return id, n.settle(now), err
}

// Barred gives who is admitted no more, as a seed has it.
func (n *Node) Barred() []hearsay.Bar {
	if n.seeded.seat == nil {
		return nil
	}
	return n.seeded.seat.Barred(nil)
}

// BarredByName is Barred with names. Those that are barred may be in no roster any more: then the
// ledger has their names, as far as it is in memory.
func (n *Node) BarredByName() []hearsay.Bar {
	barred := n.Barred()
	if len(barred) == 0 {
		return nil
	}
	names := make(map[hearsay.NodeID]string)
	for r := range n.ledger() {
		if r.Kind == hearsay.RulingAdmit {
			names[r.Stay.ID] = r.Claim.Card.Name
		}
	}
	for i := range barred {
		b := &barred[i]
		b.Name = names[b.ID]
		if m, listed := n.roster.Member(b.ID); listed {
			b.Name = m.Name
		}
	}
	return barred
}

// Barring reports whether a bar of a node, or its end, is on its way into the log of the
// seeds.
func (n *Node) Barring(id hearsay.NodeID) bool {
	return n.seeded.seat != nil && n.seeded.seat.Barring(id)
}

// Fresh asks whether all that the seeds have ruled before now is in this seed's
// ledger. It gives the number of the question; EventFresh answers it.
func (n *Node) Fresh(now time.Time) (number int, fx *hearsay.Effects, err error) {
	n.begin(now)
	if n.seeded.seat == nil {
		return 0, n.settle(now), fmt.Errorf("this is no seed, and only seeds can tell whether their ledger is fresh: ask a seed")
	}
	number, why := n.seeded.seat.Fresh(now)
	if why != "" {
		err = errors.New(why)
	}
	return number, n.settle(now), err
}

// Founded reports whether a seed has a ledger.
func (n *Node) Founded() bool { return n.seeded.seat != nil && len(n.seeded.seat.Founding()) > 0 }

// Doomed says why this node must stop, or "": a seed whose data directory is
// older than what it has promised, and any node that is not the only one of its
// identity.
func (n *Node) Doomed() string {
	if n.seeded.seat != nil {
		if why := n.seeded.seat.Doomed(); why != "" {
			return why
		}
	}
	return n.roster.Doomed()
}

// Recover begins anew from this seed's ledger; see quorum.Quorum.Recover.
func (n *Node) Recover(now time.Time) (givenUp string, fx *hearsay.Effects, err error) {
	n.begin(now)
	if n.seeded.seat == nil {
		return "", n.settle(now), fmt.Errorf("recover: this is no seed")
	}
	givenUp, err = n.seeded.seat.Recover(now)
	return givenUp, n.settle(now), err
}

// Welcome reports whether a seed, asked for its own opinion, has nothing
// against an admission: the claim is well-formed, not barred, and nobody else
// is in at its address.
func (n *Node) Welcome(c *hearsay.Claim) bool {
	if n.seeded.seat == nil {
		return false
	}
	at, in := n.MemberAt(c.Card.Addr)
	return n.seeded.seat.Objection(c) == "" && (!in || at.Stay.ID == c.Subject)
}

// Acquainted reports whether a seed has to do with an address: a seed's, a
// member's, also where it only says that it is and is asked just now, or that of a node that asks to be in.
func (n *Node) Acquainted(addr netip.AddrPort) bool {
	for _, seed := range n.configured() {
		if seed.Addr == addr {
			return true
		}
	}
	if _, in := n.MemberAt(addr); in || n.seeded.seat == nil {
		return in
	}
	return n.roster.Tries(addr) || n.seeded.seat.Admitting(addr)
}

// MayDial reports whether a packet may go to an address over a connection that is yet to be opened: a
// seed connects to nobody that only a stranger has named to it.
func (n *Node) MayDial(addr netip.AddrPort) bool {
	return n.seeded.seat == nil || n.Acquainted(addr)
}

// Unheard reports whether a seed, asked for its own opinion, holds that nobody
// is at an address: nobody is in there, or the seed's own probes fail now.
func (n *Node) Unheard(addr netip.AddrPort) bool {
	m, in := n.MemberAt(addr)
	return !in || n.seeded.seat != nil && n.seeded.seat.Failing(m.Stay.ID)
}
