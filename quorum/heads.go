package quorum

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/quota"
)

const (
	// announceTo is how many members a seed tells of new rulings; they tell
	// their neighbors. Guess: a few, should some of them be gone.
	announceTo = 8

	// announceWhole is how many rulings go along with the heads unasked: a
	// removal and a few more. When many join at once, each fetches them.
	announceWhole = 4

	// behindEvery is the time between two requests for what a quorum has signed, and the
	// log has not brought. Guess: a seed that lacks much gets the log sooner than it would ask twice.
	behindEvery = time.Second

	// fetchEvery is the time between two requests for what is missing. Guess:
	// some round trips.
	fetchEvery = 200 * time.Millisecond
)

// keys gives the keys of the seats, as they are known here.
func (q *Quorum) keys() []hearsay.PublicKey {
	keys := make([]hearsay.PublicKey, len(q.cfg.Seeds))
	for slot := range keys {
		keys[slot] = q.seats.known[slot].seat.Key
	}
	return keys
}

// keep gives a ruling its place in the ledger, on disk too.
func (q *Quorum) keep(r *hearsay.Ruling, evidence *hearsay.Evidence) {
	q.chain.Append(r, evidence)
	q.persist(&hearsay.KeptRuling{Ruling: r, Evidence: evidence})
}

// headDue reports whether there is a head to sign: only a seed that has its
// seat signs, and what it has applied.
func (q *Quorum) headDue() bool { return q.Seated() && !q.unsure() && q.state.Epoch > q.headOf }

// signHead signs the newest head and sends it to the other seeds.
func (q *Quorum) signHead(now time.Time) {
	q.headAt, q.headOf = now.Add(q.cfg.HeadEvery), q.state.Epoch
	h := hearsay.Head{Founding: q.state.Began, Epoch: q.state.Epoch, Hash: q.state.Head, Slot: uint8(q.cfg.Slot)}
	h.Sign(q.cfg.Network, q.plain)
	q.chain.Heads[q.cfg.Slot] = h
	q.persist(&hearsay.KeptHead{Head: h})
	for slot := range q.others() {
		q.send(q.cfg.Seeds[slot].Addr, &hearsay.Rulings{Heads: []hearsay.Head{h}})
	}
	q.prove(now)
}

// prove sees whether more is proven now, and announces it.
func (q *Quorum) prove(now time.Time) {
	for _, r := range q.chain.Overtaken(q.state.Epoch) {
		q.noteRival(now, &r)
	}
	proven := q.chain.Proven()
	if proven <= q.proven {
		return
	}
	before := q.proven
	q.proven = proven
	q.event(hearsay.Event{At: now, Kind: hearsay.EventHead, Epoch: proven, Count: q.Needed()})
	news := &hearsay.Rulings{Heads: q.chain.Newest()}
	if q.chain.Epoch()-before <= announceWhole {
		news.Items = q.chain.After(before, announceWhole)
	}
	for _, addr := range q.drawMembers(announceTo) {
		q.send(addr, news)
	}
}

// drawMembers draws addresses of at most n members.
func (q *Quorum) drawMembers(n int) (addrs []netip.AddrPort) {
	all := &q.state.Members
	if all.Count == 0 {
		return nil
	}
	for range 4 * n {
		part := all.Parts[q.random.IntN(hearsay.RosterBuckets)]
		for len(part) == 0 {
			part = all.Parts[q.random.IntN(hearsay.RosterBuckets)]
		}
		m := &part[q.random.IntN(len(part))]
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
func (q *Quorum) slotAt(addr netip.AddrPort) int {
	return slices.IndexFunc(q.cfg.Seeds, func(s ledger.Seed) bool { return s.Addr == addr })
}

// rulings takes heads of other seeds, and older rulings that this one lacks.
func (q *Quorum) rulings(now time.Time, p *hearsay.Packet, m *hearsay.Rulings) {
	if q.hearForOffers(now, p, m); q.doomed != "" {
		return
	}
	if q.replica == nil {
		return
	}
	from := q.directory.sender(p)
	own := q.takeHeads(now, from, m.Heads)
	if q.doomed != "" {
		return
	}
	if q.parted(now, m.Items); q.doomed != "" {
		return
	}
	if q.outrun(m.Items); q.doomed != "" {
		return
	}
	if slot, is := q.answersDoubt(p); is && own && (len(m.Items) == 0 || m.Items[0].Epoch == q.Epoch()+1) {
		q.answeredBy(slot)
	}
	if q.state == nil {
		return
	}
	if slot := q.slotAt(p.Addr); slot >= 0 {
		if hold := q.takeSeats(now, from, m.Items); slot == q.walk.slot { // as this seed has asked for
			q.walk.take(now, m.Items, hold)
		}
	}
	older := q.chain.Prepend(m.Items)
	for _, r := range older {
		q.persist(&hearsay.KeptRuling{Ruling: r})
		q.fetchAt = now // and the next
	}
	q.recall(older)
	q.prove(now)
}

// rosterPart takes the heads of a roster, which answers an unsure seed whose ledger
// ends before what the other has in memory. The members come by the log.
func (q *Quorum) rosterPart(now time.Time, p *hearsay.Packet, m *hearsay.RosterPart) {
	slot, is := q.answersDoubt(p)
	if !is {
		q.drops[hearsay.DropUnexpected]++
		return
	}
	if own := q.takeHeads(now, q.directory.sender(p), m.Heads); own && q.doomed == "" {
		q.answeredBy(slot)
	}
}

// takeHeads takes heads of seats. It reports whether they tell what this seed has
// signed: its own head is among them and was looked at, or there are none, as
// nothing was ruled yet.
func (q *Quorum) takeHeads(now time.Time, from quota.Sender, heads []hearsay.Head) (own bool) {
	keys := q.keys()
	own = len(heads) == 0
	for i := range heads {
		h := &heads[i]
		if int(h.Slot) >= len(keys) {
			continue
		}
		if !q.chain.OfFounding(h) {
			q.drops[hearsay.DropStranger]++ // of another founding, or from before a recovery
			continue
		}
		if int(h.Slot) == q.cfg.Slot {
			affords := q.affordsCheck(now, from)
			if q.ownHead(now, from, h) {
				return false
			}
			own = affords
			continue
		}
		if !q.affordsCheck(now, from) {
			q.drops[hearsay.DropRate]++
			break
		}
		got := q.chain.Hear(h, keys[h.Slot], q.Epoch())
		if got.Verified {
			q.checked(now, from, 1)
		}
		if got.Forged {
			q.drops[hearsay.DropBadSignature]++
			break // a message costs its forger no less than this node
		}
		if got.News {
			q.persist(&hearsay.KeptHead{Head: *h})
		}
		if got.Rival != nil {
			if q.noteRival(now, got.Rival); q.doomed != "" {
				return false
			}
		}
	}
	return own
}

// tickLedger fetches from the other seeds what is missing here: older rulings,
// and heads that got lost.
func (q *Quorum) tickLedger(now time.Time) {
	q.remind(now)
	incomplete, behind := q.chain.Lowest > 1, q.behind()
	if !incomplete && !behind && q.proven >= q.state.Epoch || now.Before(q.fetchAt) || len(q.cfg.Seeds) < 2 {
		return
	}
	request := &hearsay.LedgerReq{After: q.state.Epoch}
	if incomplete && (!behind || q.random.IntN(2) == 0) {
		request = &hearsay.LedgerReq{Before: q.chain.Lowest}
	}
	if q.fetchAt = now.Add(fetchEvery); behind {
		q.fetchAt = now.Add(behindEvery) // mostly the log brings it
	}
	slot := q.random.IntN(len(q.cfg.Seeds) - 1)
	if slot >= q.cfg.Slot {
		slot++
	}
	q.send(q.cfg.Seeds[slot].Addr, request)
}

// ledgerReq gives what of the ledger is asked for: to anybody, since it proves
// itself.
func (q *Quorum) ledgerReq(now time.Time, p *hearsay.Packet, m *hearsay.LedgerReq) {
	whole := m.Before == 0 && (m.After < q.chain.Base || m.After == 0 && q.Epoch() > hearsay.MaxRulings)
	from := q.directory.sender(p)
	if q.state == nil || !q.budgets.answers.affords(now, from) {
		q.drops[hearsay.DropRate]++
		return
	}
	if shown := q.showOwn(p); shown > 0 {
		q.budgets.answers.sent(now, from, shown) // a stranger may use any name
	}
	answer := &hearsay.Rulings{Heads: q.chain.Newest()}
	switch {
	case whole:
		q.budgets.answers.sent(now, from, q.sendRoster(p))
		return
	case m.Before > 0:
		if answer.Items = q.chain.Before(m.Before); answer.Items == nil && m.Before > q.chain.Lowest && m.Before <= q.chain.Base+1 {
			q.budgets.answers.sent(now, from, hearsay.MaxOlderBytes) // at most
			q.read(now, p, m.Before)
			return
		}
	default:
		answer.Items = q.chain.After(m.After, hearsay.MaxRulings)
	}
	q.budgets.answers.sent(now, from, len(answer.AppendBinary(nil)))
	q.send(p.Addr, answer)
}

// sendRoster gives the whole roster to a node that is too far behind, and returns its
// length in bytes.
func (q *Quorum) sendRoster(p *hearsay.Packet) (size int) {
	parts := rosterParts(q.random, q.state.Last, q.chain.Newest(), q.state.Members.All(nil))
	for _, part := range parts {
		size += len(part.AppendBinary(nil))
		q.send(p.Addr, part)
	}
	return size
}

// rosterPartsOf counts the messages that a roster of so many members takes.
func rosterPartsOf(members int) int {
	return max(1, (members+hearsay.MaxRosterMembers-1)/hearsay.MaxRosterMembers)
}

// rosterParts cuts a roster as of a ruling into messages. They begin anywhere:
// where there is no room for all of them, other ones get there the next time.
func rosterParts(random *rand.Rand, r *hearsay.Ruling, heads []hearsay.Head, all []ledger.Member) (parts []*hearsay.RosterPart) {
	n, first := rosterPartsOf(len(all)), 0
	if n > 1 {
		first = random.IntN(n)
	}
	for i := range n {
		i = (first + i) % n
		part := &hearsay.RosterPart{Ruling: r, Heads: heads, Part: uint16(i), Parts: uint16(n)}
		for _, m := range all[i*len(all)/n : (i+1)*len(all)/n] {
			part.Members = append(part.Members, hearsay.RosterMember{Stay: m.Stay, Claim: m.Claim})
		}
		parts = append(parts, part)
	}
	return parts
}
