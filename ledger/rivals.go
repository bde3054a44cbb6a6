package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Rivals is the first proof of each seat, by slot. Head.Epoch 0: there is none.
type Rivals [hearsay.MaxSeeds]core.Rival

// has reports whether a proof is known already: its head, and that this is of another
// ledger than the one here, if the ledger has come as far.
func (r *Rivals) has(proof *core.Rival) bool {
	known := &r[proof.Head.Slot]
	return known.Head == proof.Head && (known.Own != (hearsay.Hash{}) || proof.Own == (hearsay.Hash{}))
}

// RivalOf reports what a head would prove against the ledger here, up to an epoch
// that is settled. Its signature is not checked yet. Before the founding is known
// nothing is proven: a seed that was recovered has signed epochs of two foundings.
func (c *Chain) RivalOf(h *hearsay.Head, settled hearsay.Epoch) (r core.Rival, is bool) {
	if int(h.Slot) >= c.seeds || h.Epoch == 0 || c.Founding.IsZero() || h.Founding != c.Founding {
		return r, false
	}
	var room [SignedMost]hearsay.Head
	for _, known := range c.Signed(room[:0], h.Slot) {
		if known.Epoch == h.Epoch && known.Hash != h.Hash {
			r.Twin = known
		}
	}
	own, known := c.HashAt(h.Epoch)
	if known && h.Epoch <= settled && own != h.Hash {
		r.Own = own
	} else if r.Twin.Epoch == 0 {
		return r, false
	}
	r.Epoch, r.Other, r.Head = h.Epoch, h.Hash, *h
	return r, true
}

// TakeRival keeps a proof, unless as much is known of its seat.
func (c *Chain) TakeRival(r *core.Rival) bool {
	known := &c.Rivals[r.Head.Slot]
	if known.Head.Epoch > 0 && (known.Own != (hearsay.Hash{}) || r.Own == (hearsay.Hash{})) {
		return false
	}
	if r.Twin.Epoch == 0 && r.Head == known.Head {
		r.Twin = known.Twin
	} else if r.Twin.Epoch == 0 && r.Head.Epoch == known.Head.Epoch {
		r.Twin = known.Head
	}
	*known = *r
	return true
}

// headCheck is what came of a head that somebody has sent.
type headCheck struct {
	Verified bool // it took a check of a signature
	Forged   bool
	News     bool        // it is taken, and the others need it, too
	Rival    *core.Rival // it proves this against the ledger here, which was not known
}

// Hear takes a head of another seat, and compares it with the ledger here, which is
// settled up to an epoch.
func (c *Chain) Hear(h *hearsay.Head, key hearsay.PublicKey, settled hearsay.Epoch) (got headCheck) {
	r, against := c.RivalOf(h, settled)
	if key.IsZero() || against && c.Rivals.has(&r) || !against && !c.wants(h) {
		return got
	}
	got.Verified, got.Forged = true, !h.Verify(c.network, c.signer, key)
	switch {
	case got.Forged:
	case against:
		got.Rival = new(r)
	default:
		got.News = c.takeHead(h)
	}
	return got
}

// Overtaken gives what heads prove that were signed of epochs beyond the ledger here,
// and to which it has come by now. The older ones of a seat have done their part then.
func (c *Chain) Overtaken(settled hearsay.Epoch) (found []core.Rival) {
	var room [SignedMost + 2]hearsay.Head
	for slot := range uint8(c.seeds) {
		of := &c.Rivals[slot]
		for _, h := range append(c.Signed(room[:0], slot), of.Head, of.Twin) {
			if r, is := c.RivalOf(&h, settled); is && r.Own != (hearsay.Hash{}) && of.Own == (hearsay.Hash{}) {
				found = append(found, r)
				break
			}
		}
		for i := range c.early[slot] {
			if c.early[slot][i].Epoch <= settled {
				c.early[slot][i] = hearsay.Head{}
			}
		}
	}
	return found
}

// against counts the seats that have signed another ledger or log than the one here.
func (c *Chain) against() (n int) {
	for slot := range c.seeds {
		if c.Rivals[slot].Own != (hearsay.Hash{}) || c.OtherLogs[slot] != "" {
			n++
		}
	}
	return n
}

// Forked reports whether a quorum of seats has signed another ledger or log.
func (c *Chain) Forked() bool { return c.against() >= hearsay.QuorumOf(c.seeds) }

// Fork sums up what is known of another ledger; nil: nothing.
func (c *Chain) Fork(seeds []Seed) *hearsay.Fork {
	f := &hearsay.Fork{Ours: []int{}, Theirs: []int{}, Twice: []int{}, Proven: c.Forked()}
	for slot := range c.seeds {
		r := &c.Rivals[slot]
		if r.Head.Epoch > 0 || c.OtherLogs[slot] != "" {
			f.Theirs = append(f.Theirs, slot)
		}
		if r.Head.Epoch == 0 {
			continue
		}
		if r.Twin.Epoch > 0 {
			f.Twice = append(f.Twice, slot)
		}
		if older := r.Own != (hearsay.Hash{}) && (f.Own == hearsay.Hash{} || r.Epoch < f.Epoch); older || f.Epoch == 0 {
			f.Epoch, f.Own, f.Other = r.Epoch, r.Own, r.Other
		}
	}
	if len(f.Theirs) == 0 {
		return nil
	}
	for slot := range c.seeds {
		h, twin := &c.Heads[slot], &c.Rivals[slot].Twin
		if f.Epoch > 0 && (h.Epoch >= f.Epoch && c.Fits(h) || twin.Epoch == f.Epoch && twin.Hash == f.Own) {
			f.Ours = append(f.Ours, slot)
		}
	}
	f.Text = c.sentence(f, seeds)
	return f
}

// oneOfTwo is what an operator does about a contradiction that no quorum of seats
// vouches for. No directory is given up for it.
const oneOfTwo = "a seed runs on an older copy of its data directory, or its key is not its own; " +
	"compare what `hearsay status` says on all seeds, and delete nothing before it is clear which seed it is"

// ForkEvent tells that a seat has signed another ledger or log.
func (c *Chain) ForkEvent(now time.Time, epoch hearsay.Epoch, slot uint8, keys []hearsay.PublicKey, seeds []Seed) hearsay.Event {
	return hearsay.Event{
		At: now, Kind: hearsay.EventLedgerForked, Subject: keys[slot].NodeID(), Addr: seeds[slot].Addr, Epoch: epoch, Count: c.against(), Text: c.Fork(seeds).Text,
	}
}

// sentence says what a fork is, and what would be right.
func (c *Chain) sentence(f *hearsay.Fork, seeds []Seed) string {
	var said []string
	named := func(slots []int) string {
		var names []string
		for _, slot := range slots {
			names = append(names, seeds[slot].Addr.String())
		}
		if len(names) == 0 {
			return "no seed that is known"
		}
		return strings.Join(names, ", ")
	}
	theirs := named(slices.DeleteFunc(slices.Clone(f.Theirs), func(slot int) bool { return c.Rivals[slot].Head.Epoch == 0 }))
	switch {
	case f.Epoch == 0:
	case f.Own == hearsay.Hash{}:
		said = append(said, fmt.Sprintf("of epoch %d, which the ledger here has not come to, hash %s and another were signed by %s", f.Epoch, ShortHash(f.Other), theirs))
	default:
		said = append(said, fmt.Sprintf("of epoch %d hash %s was signed by %s, and hash %s, which this node has, by %s",
			f.Epoch, ShortHash(f.Other), theirs, ShortHash(f.Own), named(f.Ours)))
	}
	for _, slot := range f.Theirs {
		if c.OtherLogs[slot] != "" {
			said = append(said, c.OtherLogs[slot])
		}
	}
	switch what := strings.Join(said, "; "); {
	case !f.Proven:
		return what + ": " + oneOfTwo
	case f.Epoch == 0:
		return "a quorum of seats has another log than this seed, which takes no part: " + what + ". Decide which is right: if it is theirs, " +
			"start this seed with an empty directory; if it is the one here, see `hearsay seed recover`"
	default:
		return "the ledger has forked: " + what + ". This node follows neither. Decide which is right, keep one seed that has it (hearsay seed recover), " +
			"and start all other nodes with empty directories"
	}
}

// ShortHash is the beginning of a hash, for people: nobody finds two alike by chance.
func ShortHash(h hearsay.Hash) string { return h.String()[:16] }

// Parted gives what heads prove that are of rulings which do not follow from the
// ledger here: they are of another, from the epoch before the first on.
func (c *Chain) Parted(items []*hearsay.Ruling, settled hearsay.Epoch) (found []core.Rival) {
	if len(items) == 0 || items[0].Epoch <= 1 || items[0].Epoch-1 > settled {
		return nil
	}
	at := items[0].Epoch - 1
	own, known := c.HashAt(at)
	signed := slices.ContainsFunc(c.Ahead[:c.seeds], func(h hearsay.Head) bool { return h.Epoch > at && h.Epoch <= at+hearsay.Epoch(len(items)) })
	if !known || !signed || own == items[0].Previous {
		return nil
	}
	other := NewChain(c.network, c.signer, c.seeds)
	other.Restart(at, items[0].Previous)
	for _, r := range items {
		if r.Epoch != other.Epoch()+1 || r.Previous != other.HeadHash() {
			break
		}
		other.Append(r, nil)
	}
	for slot := range c.seeds {
		if h := &c.Ahead[slot]; h.Epoch > at && other.Fits(h) {
			found = append(found, core.Rival{Epoch: at, Own: own, Other: items[0].Previous, Head: *h})
		}
	}
	return found
}
