package node

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/follower"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// This file is what drivers read of a seeded network, and what an operator asks
// of a seed. Of an open network all of it is empty.

// Authority is the seeds' authority as this node sees it. Why a peer is not in Answers has.
func (s *Seeded) Authority() hearsay.Authority {
	if s.authority == nil {
		return hearsay.Authority{Leader: -1}
	}
	a := hearsay.Authority{Seeded: true, Leader: -1, Epoch: s.authority.Epoch(), Head: s.authority.Head(), Proven: s.authority.Epoch(), Fork: s.authority.Fork(), Early: s.early(*s.stepped)}
	alive := 0
	for slot, seed := range s.seeds() {
		status := s.seedStatus(slot, seed.Addr)
		if s.heardSeed(slot, status.State) {
			alive++
		}
		if _, note := s.ways.lost(status.ID); note != "" && status.ID != s.id {
			status.Note = strings.TrimPrefix(status.Note+"; "+note, "; ")
		}
		status.Silent = s.spare.silent[slot]
		a.Seeds = append(a.Seeds, status)
	}
	a.Quorum = hearsay.QuorumOf(len(a.Seeds))
	a.Ready = alive >= a.Quorum
	if s.seat != nil {
		a.Key, a.Limits = s.signer.Public(), s.seat.Limits()
		a.Ready, a.Proven, a.Why, a.Waits, a.Stalled = s.seat.Decides(), s.seat.Proven(), s.seat.Why(), s.seat.Waits(), s.seat.Stalled()
		if slot, ok := s.seat.Leader(); ok {
			a.Leader = slot
		}
		return a
	}
	a.Why, a.Apart, a.Ended, a.Leaves = s.follower.Why(), s.follower.Apart(), s.ended, s.roster.HasLeft() && s.mayBeIn()
	return a
}

// heardSeed reports whether a peer may count on a seed: the seed has answered it in this life,
// with the ledger that the peer follows, and is not suspect since.
func (s *Seeded) heardSeed(slot int, state hearsay.State) bool {
	if f := s.follower; f == nil || !f.Met(slot) {
		return false
	}
	return state == hearsay.StateAlive || state != hearsay.StateSuspect && s.hears(slot)
}

// noteQuorum has a peer that is in tell once that it hears no quorum of seeds, and once that it does again.
func (s *Seeded) noteQuorum(now time.Time, out *core.Effects) {
	if s.follower == nil || s.follower.Apart() {
		return
	}
	heard, needed := 0, hearsay.QuorumOf(len(s.seeds()))
	var room [hearsay.MaxSeeds]hearsay.Seat
	for _, seat := range s.authority.Seats(room[:0]) {
		if m, _ := s.roster.Member(seat.Key.NodeID()); s.heardSeed(int(seat.Slot), m.State) {
			heard++
		}
	}
	if heard >= needed {
		s.quorumGone = time.Time{}
	} else if s.quorumGone.IsZero() {
		s.quorumGone = now
	}
	if lost := heard < needed; lost != s.quorumLost && (!lost || s.stay.Epoch != 0 && !s.early(now)) {
		s.quorumLost = lost
		e := hearsay.Event{At: now, Kind: hearsay.EventQuorumBack, Subject: s.id, Count: needed}
		if lost {
			e.Kind = hearsay.EventQuorumLost
		}
		out.Events = append(out.Events, e)
	}
}

// seeds is the list of seeds.
func (s *Seeded) seeds() []ledger.Seed {
	if s.seat != nil {
		return s.cfg.Quorum.Seeds
	}
	return s.cfg.Follower.Seeds
}

func (s *Seeded) seedStatus(slot int, addr netip.AddrPort) hearsay.SeedStatus {
	status := hearsay.SeedStatus{Addr: addr, Slot: slot}
	if s.seat == nil {
		status.Note = s.follower.Note(slot)
		if a := &s.petitions.Answers()[slot]; status.Note == follower.NotAnswered && !a.At.IsZero() && a.Code != 0 && a.Code != hearsay.OutcomeLost {
			status.Note = "has answered, and not yet said of which ledger it is"
		}
	} else {
		var met hearsay.Seat
		status.Votes = s.seat.Votes(slot)
		if met, status.Note = s.seat.Note(*s.stepped, slot); !met.Key.IsZero() {
			status.Met, status.ID = true, met.Key.NodeID()
			if m, known := s.roster.Member(status.ID); known {
				status.Name = m.Name
			}
			return status
		}
	}
	seats := s.authority.Seats(nil)
	at := slices.IndexFunc(seats, func(s hearsay.Seat) bool { return int(s.Slot) == slot && !s.Key.IsZero() })
	if at < 0 {
		return status
	}
	status.Met, status.ID = true, seats[at].Key.NodeID()
	if m, known := s.roster.Member(status.ID); known {
		status.Name, status.State = m.Name, m.State
		if up := m.State == hearsay.StateAlive || m.State == hearsay.StateSuspect; up && status.Note == "" && m.Addr != addr {
			status.Note = fmt.Sprintf("runs at %v: the list of seeds here has another address for it", m.Addr)
		}
	}
	return status
}

// Ledger gives the rulings after an epoch that are in memory, oldest first, at
// most limit. They are read only. A seed's older ones are on its disk.
func (s *Seeded) Ledger(after hearsay.Epoch, limit int) (rulings []*hearsay.Ruling) {
	for s.authority != nil && len(rulings) < limit {
		more := s.authority.Rulings(after, limit-len(rulings)) // as many as fit a message
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
func (n *Node) Older(now time.Time, before hearsay.Epoch, rulings []*hearsay.Ruling) *core.Effects {
	n.begin(now)
	if n.seeded.seat != nil {
		n.seeded.seat.Older(before, rulings)
	}
	return n.settle(now)
}

// Evidence gives what was brought before the ruling of an epoch, if this node
// has it, or nil. It is read only.
func (s *Seeded) Evidence(epoch hearsay.Epoch) *hearsay.Evidence {
	if s.seat != nil {
		return s.seat.EvidenceOf(epoch)
	}
	if epoch == 0 {
		return nil
	}
	for _, r := range s.Ledger(epoch-1, 1) {
		if r.Epoch == epoch && !r.Evidence.IsZero() {
			return s.roster.Evidence(r.Evidence)
		}
	}
	return nil
}

// Stays appends the stays of all who are in by the ledger, ordered by NodeID.
func (s *Seeded) Stays(dst []hearsay.Stay) []hearsay.Stay {
	if s.authority == nil {
		return dst
	}
	for _, m := range s.authority.Roster(nil) {
		dst = append(dst, m.Stay)
	}
	return dst
}

// StayOf gives the stay of a member, which is given as to Facts.
func (n *Node) StayOf(name string) (hearsay.Stay, error) { return n.finder.stayOf(name) }

// Bar asks that a node is admitted no more. It is given as to Facts, or by its
// whole NodeID. What becomes of it EventBarred tells.
func (n *Node) Bar(now time.Time, name, why string) (hearsay.NodeID, *core.Effects, error) {
	return n.bar(now, name, n.finder.identify, func(id hearsay.NodeID) hearsay.Outcome { return n.seeded.seat.Bar(now, id, why) })
}

// Lift asks that a bar ends: of those that are barred one is meant first. What becomes of it
// EventLifted tells.
func (n *Node) Lift(now time.Time, name string) (hearsay.NodeID, *core.Effects, error) {
	return n.bar(now, name, n.finder.identifyBarred, func(id hearsay.NodeID) hearsay.Outcome { return n.seeded.seat.Lift(now, id, "by an operator") })
}

func (n *Node) bar(now time.Time, name string, identify func(string) (hearsay.NodeID, error), ask func(hearsay.NodeID) hearsay.Outcome) (hearsay.NodeID, *core.Effects, error) {
	n.begin(now)
	id, err := identify(name)
	switch {
	case err != nil:
	case n.seeded.seat == nil:
		err = fmt.Errorf("this is a peer, and seeds keep the list of who is barred: ask a seed")
	case n.seeded.isSeed(id):
		err = fmt.Errorf("%q is a seed, and in by the list of seeds: %w", name, hearsay.ErrUndecidable)
	default:
		if a := ask(id); a.Code == hearsay.OutcomeRefused || a.Code == hearsay.OutcomeWait {
			err = fmt.Errorf("%s", a.Text)
		}
	}
	return id, n.settle(now), err
}

// Barred gives who is admitted no more, as a seed has it.
func (s *Seeded) Barred() []hearsay.Bar {
	if s.seat == nil {
		return nil
	}
	return s.seat.Barred(nil)
}

// BarredByName is Barred with names. Those that are barred may be in no roster any more: then the
// ledger has their names, as far as it is in memory.
func (s *Seeded) BarredByName() []hearsay.Bar {
	barred := s.Barred()
	if len(barred) == 0 {
		return nil
	}
	names := make(map[hearsay.NodeID]string)
	for r := range s.ledger() {
		if r.Kind == hearsay.RulingAdmit {
			names[r.Stay.ID] = r.Claim.Card.Name
		}
	}
	for i := range barred {
		b := &barred[i]
		b.Name = names[b.ID]
		if m, listed := s.roster.Member(b.ID); listed {
			b.Name = m.Name
		}
	}
	return barred
}

// Barring reports whether a bar of a node, or its end, is on its way into the log of the
// seeds.
func (s *Seeded) Barring(id hearsay.NodeID) bool {
	return s.seat != nil && s.seat.Barring(id)
}

// Fresh asks whether all that the seeds have ruled before now is in this seed's
// ledger. It gives the number of the question; EventFresh answers it.
func (n *Node) Fresh(now time.Time) (number int, fx *core.Effects, err error) {
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
func (s *Seeded) Founded() bool { return s.seat != nil && len(s.seat.Founding()) > 0 }

// MustStop says why this node must stop, or "": a seed whose data directory is
// older than what it has promised, and any node that is not the only one of its
// identity.
func (n *Node) MustStop() string {
	if n.seeded.seat != nil {
		if why := n.seeded.seat.MustStop(); why != "" {
			return why
		}
	}
	return n.roster.MustStop()
}

// Recover begins anew from this seed's ledger; see quorum.Quorum.Recover.
func (n *Node) Recover(now time.Time) (givenUp string, fx *core.Effects, err error) {
	n.begin(now)
	if n.seeded.seat == nil {
		return "", n.settle(now), fmt.Errorf("recover: this is no seed")
	}
	givenUp, err = n.seeded.seat.Recover(now)
	return givenUp, n.settle(now), err
}

// ledger gives the rulings that this node has in memory, oldest first.
func (s *Seeded) ledger() func(yield func(*hearsay.Ruling) bool) {
	const page = 1024 // rulings
	return func(yield func(*hearsay.Ruling) bool) {
		a := s.authority
		for after := a.Oldest() - 1; ; {
			items := a.Rulings(after, page)
			if len(items) == 0 {
				return
			}
			for _, r := range items {
				if !yield(r) {
					return
				}
				after = r.Epoch
			}
		}
	}
}
