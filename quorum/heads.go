package quorum

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"
)

const (
	// announceTo is how many members a seed tells of new rulings; they tell
	// their neighbors. Guess: a few, should some of them be gone.
	announceTo = 8

	// behindEvery is the time between two requests for what a quorum has signed, and the
	// log has not brought. Guess: a seed that lacks much gets the log sooner than it would ask twice.
	behindEvery = time.Second

	// fetchEvery is the time between two requests for what is missing. Guess:
	// some round trips.
	fetchEvery = 200 * time.Millisecond
)

// heads signs the newest head, takes those of others, and gives the ledger to all that ask.
type heads struct {
	seed *Quorum

	headAt  time.Time // the next head may be signed
	headOf  hearsay.Epoch
	proven  hearsay.Epoch // as announced
	fetchAt time.Time
	budgets budgets
	askers  []netip.AddrPort // members that have asked last, at most announceTo: they follow the ledger
}

// keys gives the keys of the seats, as they are known here.
func (hs *heads) keys() []hearsay.PublicKey {
	keys := make([]hearsay.PublicKey, len(hs.seed.cfg.Seeds))
	for slot := range keys {
		keys[slot] = hs.seed.seats.known[slot].seat.Key
	}
	return keys
}

// keep gives a ruling its place in the ledger, on disk too.
func (hs *heads) keep(r *hearsay.Ruling, evidence *hearsay.Evidence) {
	hs.seed.chain.Append(r, evidence)
	hs.seed.driver.persist(&core.KeptRuling{Ruling: r, Evidence: evidence})
}

// headDue reports whether there is a head to sign: only a seed that has its
// seat signs, and what it has applied.
func (hs *heads) headDue() bool {
	return hs.seed.Seated() && !hs.seed.diskCheck.unsure() && hs.seed.state.Epoch > hs.headOf
}

// signHead signs the newest head and sends it to the other seeds.
func (hs *heads) signHead(now time.Time) {
	hs.headAt, hs.headOf = now.Add(hs.seed.cfg.HeadEvery), hs.seed.state.Epoch
	h := hearsay.Head{Founding: hs.seed.state.Began, Epoch: hs.seed.state.Epoch, Hash: hs.seed.state.Head, Slot: uint8(hs.seed.cfg.Slot)}
	h.Sign(hs.seed.cfg.Network, hs.seed.plain)
	hs.seed.chain.Heads[hs.seed.cfg.Slot] = h
	hs.seed.driver.persist(&core.KeptHead{Head: h})
	for slot := range hs.seed.others() {
		hs.seed.send(hs.seed.cfg.Seeds[slot].Addr, &core.Rulings{Heads: []hearsay.Head{h}})
	}
	hs.prove(now)
}

// prove sees whether more is proven now, and announces it.
func (hs *heads) prove(now time.Time) {
	for _, r := range hs.seed.chain.Overtaken(hs.seed.state.Epoch) {
		hs.noteRival(now, &r)
	}
	proven := hs.seed.chain.Proven()
	if proven <= hs.proven {
		return
	}
	before := hs.proven
	hs.proven = proven
	hs.seed.event(hearsay.Event{At: now, Kind: hearsay.EventHead, Epoch: proven, Count: hs.seed.Needed()})
	news := &core.Rulings{Heads: hs.seed.chain.Newest()}
	if hs.seed.chain.Epoch()-before <= ledger.AnnounceWhole {
		news.Items = hs.seed.chain.After(before, ledger.AnnounceWhole)
	}
	to := hs.drawMembers(announceTo)
	for _, addr := range hs.askers {
		if !slices.Contains(to, addr) {
			to = append(to, addr)
		}
	}
	for _, addr := range to {
		hs.seed.send(addr, news)
	}
}

// noteAsker keeps where a member asks from.
func (hs *heads) noteAsker(from quota.Sender) {
	if from.Class != quota.Member || slices.Contains(hs.askers, from.Addr) {
		return
	}
	if len(hs.askers) == announceTo {
		hs.askers = slices.Delete(hs.askers, 0, 1)
	}
	hs.askers = append(hs.askers, from.Addr)
}

// drawMembers draws addresses of at most n members.
func (hs *heads) drawMembers(n int) (addrs []netip.AddrPort) {
	all := &hs.seed.state.Members
	if all.Count == 0 {
		return nil
	}
	for range 4 * n {
		part := all.Parts[hs.seed.random.IntN(core.RosterBuckets)]
		for len(part) == 0 {
			part = all.Parts[hs.seed.random.IntN(core.RosterBuckets)]
		}
		m := &part[hs.seed.random.IntN(len(part))]
		if addr := m.Claim.Card.Addr; !m.Claim.Card.Key.IsZero() && !slices.Contains(addrs, addr) {
			if addrs = append(addrs, addr); len(addrs) == n {
				break
			}
		}
		if all.Count <= len(addrs) {
			break
		}
	}
	return addrs
}

// slotAt gives the slot of the seed that is configured at an address; -1: none is.
func (hs *heads) slotAt(addr netip.AddrPort) int {
	return slices.IndexFunc(hs.seed.cfg.Seeds, func(s ledger.Seed) bool { return s.Addr == addr })
}

// rulings takes heads of other seeds, and older rulings that this one lacks.
func (hs *heads) rulings(now time.Time, p *core.Packet, m *core.Rulings) {
	if hs.seed.offers.hearForOffers(now, p, m); hs.seed.mustStop != "" {
		return
	}
	if hs.seed.replica == nil {
		return
	}
	from := hs.seed.directory.sender(p)
	own := hs.takeHeads(now, from, m.Heads)
	if hs.seed.mustStop != "" {
		return
	}
	if hs.parted(now, m.Items); hs.seed.mustStop != "" {
		return
	}
	if hs.seed.progress.outrun(m.Items); hs.seed.mustStop != "" {
		return
	}
	if slot, is := hs.seed.diskCheck.isAnswer(p); is && own && (len(m.Items) == 0 || m.Items[0].Epoch == hs.seed.Epoch()+1) {
		hs.seed.diskCheck.answeredBy(slot)
	}
	if hs.seed.state == nil {
		return
	}
	if slot := hs.slotAt(p.Addr); slot >= 0 {
		// as this seed has asked for
		if hold := hs.seed.seats.takeSeats(now, from, m.Items); slot == hs.seed.walk.Slot {
			hs.seed.walk.Take(now, m.Items, hold)
		}
	}
	older := hs.seed.chain.Prepend(m.Items)
	for _, r := range older {
		hs.seed.driver.persist(&core.KeptRuling{Ruling: r})
		hs.fetchAt = now // and the next
	}
	hs.seed.seats.recall(older)
	hs.prove(now)
}

// rosterPart takes the heads of a roster, which answers an unsure seed whose ledger
// ends before what the other has in memory. The members come by the log.
func (hs *heads) rosterPart(now time.Time, p *core.Packet, m *core.RosterPart) {
	slot, is := hs.seed.diskCheck.isAnswer(p)
	if !is {
		hs.seed.stats.Drops[hearsay.DropUnexpected]++
		return
	}
	if own := hs.takeHeads(now, hs.seed.directory.sender(p), m.Heads); own && hs.seed.mustStop == "" {
		hs.seed.diskCheck.answeredBy(slot)
	}
}

// takeHeads takes heads of seats. It reports whether they tell what this seed has
// signed: its own head is among them and was looked at, or there are none, as
// nothing was ruled yet.
func (hs *heads) takeHeads(now time.Time, from quota.Sender, heads []hearsay.Head) (own bool) {
	keys := hs.keys()
	own = len(heads) == 0
	for i := range heads {
		h := &heads[i]
		if int(h.Slot) >= len(keys) {
			continue
		}
		if !hs.seed.chain.OfFounding(h) {
			hs.seed.stats.Drops[hearsay.DropStranger]++ // of another founding, or from before a recovery
			continue
		}
		if int(h.Slot) == hs.seed.cfg.Slot {
			affords := hs.affordsCheck(now, from)
			if hs.seed.diskCheck.ownHead(now, from, h) {
				return false
			}
			own = affords
			continue
		}
		if !hs.affordsCheck(now, from) {
			hs.seed.stats.Drops[hearsay.DropRate]++
			break
		}
		got := hs.seed.chain.Hear(h, keys[h.Slot], hs.seed.Epoch())
		if got.Verified {
			hs.checked(now, from, 1)
		}
		if got.Forged {
			hs.seed.stats.Drops[hearsay.DropBadSignature]++
			break // a message costs its forger no less than this node
		}
		if got.News {
			hs.seed.driver.persist(&core.KeptHead{Head: *h})
		}
		if got.Rival != nil {
			if hs.noteRival(now, got.Rival); hs.seed.mustStop != "" {
				return false
			}
		}
	}
	return own
}

// tickLedger fetches from the other seeds what is missing here: older rulings,
// and heads that got lost.
func (hs *heads) tickLedger(now time.Time) {
	hs.seed.diskCheck.remind(now)
	incomplete, behind := hs.seed.chain.Lowest > 1, hs.seed.progress.behind()
	if !incomplete && !behind && hs.proven >= hs.seed.state.Epoch || now.Before(hs.fetchAt) || len(hs.seed.cfg.Seeds) < 2 {
		return
	}
	request := &core.LedgerReq{After: hs.seed.state.Epoch}
	if incomplete && (!behind || hs.seed.random.IntN(2) == 0) {
		request = &core.LedgerReq{Before: hs.seed.chain.Lowest}
	}
	if hs.fetchAt = now.Add(fetchEvery); behind {
		hs.fetchAt = now.Add(behindEvery) // mostly the log brings it
	}
	slot := hs.seed.random.IntN(len(hs.seed.cfg.Seeds) - 1)
	if slot >= hs.seed.cfg.Slot {
		slot++
	}
	hs.seed.send(hs.seed.cfg.Seeds[slot].Addr, request)
}

// ledgerReq gives what of the ledger is asked for: to anybody, since it proves
// itself.
func (hs *heads) ledgerReq(now time.Time, p *core.Packet, m *core.LedgerReq) {
	whole := m.Before == 0 && (m.After < hs.seed.chain.Base || m.After == 0 && hs.seed.Epoch() > core.MaxRulings)
	from := hs.seed.directory.sender(p)
	if hs.seed.state == nil || !hs.budgets.answers.Affords(now, from) {
		hs.seed.stats.Drops[hearsay.DropRate]++
		return
	}
	hs.noteAsker(from)
	if shown := hs.seed.diskCheck.showOwn(p); shown > 0 {
		hs.budgets.answers.Sent(now, from, shown) // a stranger may use any name
	}
	answer := &core.Rulings{Heads: hs.seed.chain.Newest()}
	switch {
	case whole:
		hs.budgets.answers.Sent(now, from, hs.sendRoster(p))
		return
	case m.Before > 0:
		if answer.Items = hs.seed.chain.Before(m.Before); answer.Items == nil && m.Before > hs.seed.chain.Lowest && m.Before <= hs.seed.chain.Base+1 {
			hs.budgets.answers.Sent(now, from, core.MaxOlderBytes) // at most
			hs.seed.reading.read(now, p, m.Before)
			return
		}
	default:
		answer.Items = hs.seed.chain.After(m.After, core.MaxRulings)
	}
	hs.budgets.answers.Sent(now, from, len(answer.AppendBinary(nil)))
	hs.seed.send(p.Addr, answer)
}

// sendRoster gives the whole roster to a node that is too far behind, and returns its
// length in bytes.
func (hs *heads) sendRoster(p *core.Packet) (size int) {
	parts := ledger.RosterParts(hs.seed.random, hs.seed.state.Last, hs.seed.chain.Newest(), hs.seed.state.Members.All(nil))
	for _, part := range parts {
		size += len(part.AppendBinary(nil))
		hs.seed.send(p.Addr, part)
	}
	return size
}
