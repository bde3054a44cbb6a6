package ledger

import (
	"cmp"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

const (
	// ChainLength is how many rulings are in memory by default, newest last:
	// about 16 MB with three seeds. Older ones are on disk.
	ChainLength = 16 << 10

	// UnprovenMost is how many rulings are taken of one that is asked before they are proven: as many as
	// another can give.
	UnprovenMost = ChainLength

	// AnnounceWhole is how many rulings go along with the heads unasked: a
	// removal and a few more. When many join at once, each fetches them.
	AnnounceWhole = 4

	// chainSlack is the part of them by which there may be more, so that not
	// each ruling moves all others.
	chainSlack = 16

	// rulingsBytes bounds what one message carries of the ledger.
	rulingsBytes = 128 << 10

	// chainUnproven is how many more there may be while heads of a quorum do not prove those that would
	// go. A guess: as many as some batches of the log rule.
	chainUnproven = 32

	// earlyMost is how many heads of one seat are kept for when the ledger here has
	// come to their epochs. A guess: a node that lags hears some, one after another.
	earlyMost  = 4
	SignedMost = earlyMost + 2 // with the newest, and the newest of the ledger here
)

// Entry is a ruling, its hash, and what was reported before it.
type Entry struct {
	Ruling   *hearsay.Ruling
	Hash     hearsay.Hash
	Evidence *hearsay.Evidence
	size     int // bytes of the ruling
}

// Chain is the newest part of the ledger, and the newest head of each seat.
type Chain struct {
	network hearsay.NetworkID
	signer  hearsay.Signer
	seeds   int
	Most    int // rulings in memory

	Base     hearsay.Epoch // the epoch before the first link
	BaseHash hearsay.Hash
	Links    []Entry

	// What is on disk: all from lowest on. The ruling before lowest has the
	// hash below.
	Lowest hearsay.Epoch
	below  hearsay.Hash

	Founding hearsay.Hash // that heads must name (LedgerID.Founding); zero: not known yet, and nothing is proven

	// The newest head of each seat whose ruling is here, the newest at all, and
	// older ones that the ledger here has not come to: it may be another than theirs.
	// Epoch 0: none.
	Heads [hearsay.MaxSeeds]hearsay.Head
	Ahead [hearsay.MaxSeeds]hearsay.Head
	early [hearsay.MaxSeeds][earlyMost]hearsay.Head

	Rivals Rivals
	// of the logs of these seats: why they are others than the one here; "": nothing is known
	OtherLogs [hearsay.MaxSeeds]string
}

// NewChain makes a chain without rulings, of a network with so many seeds.
func NewChain(network hearsay.NetworkID, signer hearsay.Signer, seeds int) Chain {
	return Chain{network: network, signer: signer, seeds: seeds, Most: ChainLength, Lowest: 1}
}

// Restart begins after an epoch whose hash is known.
func (c *Chain) Restart(epoch hearsay.Epoch, hash hearsay.Hash) {
	c.Base, c.BaseHash, c.Links = epoch, hash, nil
	c.Lowest, c.below = epoch+1, hash
}

// Beside is a ledger that goes on from an epoch beyond the one here, as one sender has it,
// with all heads that are here: it waits until they prove it.
func (c *Chain) Beside(epoch hearsay.Epoch, hash, founding hearsay.Hash) Chain {
	other := NewChain(c.network, c.signer, c.seeds)
	other.Restart(epoch, hash)
	other.Begin(founding)
	var room [SignedMost]hearsay.Head
	for slot := range uint8(c.seeds) {
		for _, h := range c.Signed(room[:0], slot) {
			if h.Epoch > 0 && other.OfFounding(&h) {
				other.takeHead(&h)
			}
		}
	}
	return other
}

// GoOn takes the rulings that follow, as far as they do: at most UnprovenMost after an epoch.
func (c *Chain) GoOn(items []*hearsay.Ruling, after hearsay.Epoch) {
	for _, r := range items {
		if r.Epoch == c.Epoch()+1 && r.Previous == c.HeadHash() && r.Epoch <= after+UnprovenMost {
			c.Append(r, nil)
		}
	}
}

// Begin has heads count that name this founding, and no others.
func (c *Chain) Begin(founding hearsay.Hash) {
	c.Founding = founding
	for slot := range c.Heads {
		if c.Heads[slot].Founding != founding {
			c.Heads[slot] = hearsay.Head{}
		}
		if c.Ahead[slot].Founding != founding {
			c.Ahead[slot] = hearsay.Head{}
		}
		for i := range c.early[slot] {
			if c.early[slot][i].Founding != founding {
				c.early[slot][i] = hearsay.Head{}
			}
		}
		if c.Rivals[slot].Head.Founding != founding {
			c.Rivals[slot] = core.Rival{}
		}
	}
}

// OfFounding reports whether a head is of the founding here, or that is not known yet.
func (c *Chain) OfFounding(h *hearsay.Head) bool {
	return c.Founding.IsZero() || h.Founding == c.Founding
}

// Epoch is that of the newest ruling.
func (c *Chain) Epoch() hearsay.Epoch { return c.Base + hearsay.Epoch(len(c.Links)) }

// Entry gives the ruling of an epoch with what is kept beside it; nil if it is not in memory.
func (c *Chain) Entry(epoch hearsay.Epoch) *Entry {
	if epoch <= c.Base || epoch > c.Epoch() {
		return nil
	}
	return &c.Links[epoch-c.Base-1]
}

// HashAt gives the hash of the ledger up to an epoch, if it is known here.
func (c *Chain) HashAt(epoch hearsay.Epoch) (hash hearsay.Hash, ok bool) {
	if epoch == c.Base {
		return c.BaseHash, true
	}
	if l := c.Entry(epoch); l != nil {
		return l.Hash, true
	}
	return hash, false
}

// HeadHash is the hash of the ledger up to its newest ruling.
func (c *Chain) HeadHash() hearsay.Hash {
	hash, _ := c.HashAt(c.Epoch())
	return hash
}

// Append takes the next ruling. What heads of a quorum do not prove yet stays in memory for a while: heads of a
// ruling that has gone prove nothing any more, and so not the state that a seed behind is given.
func (c *Chain) Append(r *hearsay.Ruling, evidence *hearsay.Evidence) {
	if r.Epoch != c.Epoch()+1 {
		panic("ledger: a ruling out of order")
	}
	c.Links = append(c.Links, c.link(r, evidence))
	slack := max(1, c.Most/chainSlack)
	if len(c.Links) < c.Most+slack {
		return
	}
	if last := c.Links[slack-1]; last.Ruling.Epoch <= c.Proven() || len(c.Links) >= c.Most+chainUnproven {
		c.Base, c.BaseHash = last.Ruling.Epoch, last.Hash
		c.Links = slices.Clone(c.Links[slack:])
	}
}

func (c *Chain) link(r *hearsay.Ruling, evidence *hearsay.Evidence) Entry {
	return Entry{Ruling: r, Hash: r.Hash(c.network), Evidence: evidence, size: len(r.AppendBinary(nil))}
}

// After gives at most n rulings after an epoch, as many as fit a message; none
// if they are not in memory.
func (c *Chain) After(epoch hearsay.Epoch, n int) (found []*hearsay.Ruling) {
	if epoch < c.Base || epoch >= c.Epoch() { // the greatest number has none after it
		return nil
	}
	size := 0
	for e := epoch + 1; e <= c.Epoch() && len(found) < n; e++ {
		l := c.Entry(e)
		if size += l.size; size > rulingsBytes && len(found) > 0 {
			break
		}
		found = append(found, l.Ruling)
	}
	return found
}

// Before gives rulings right before an epoch, as many as fit a message.
func (c *Chain) Before(epoch hearsay.Epoch) []*hearsay.Ruling {
	if epoch > c.Epoch()+1 {
		return nil
	}
	size, first := 0, epoch
	for first > c.Base+1 && epoch-first < core.MaxRulings {
		if size += c.Links[first-c.Base-2].size; size > rulingsBytes && first < epoch {
			break
		}
		first--
	}
	if first == epoch {
		return nil
	}
	return c.After(first-1, int(epoch-first))
}

// Load takes the rulings on disk that lead up to a state.
func (c *Chain) Load(s *State, kept []*core.KeptRuling) {
	c.Restart(s.Epoch, s.Head)
	var links []Entry
	want := s.Head
	for _, k := range slices.Backward(kept) {
		if k.Ruling.Epoch >= c.Lowest {
			continue // after the state: it is ruled again from the log
		}
		if k.Ruling.Epoch != c.Lowest-1 || k.Ruling.Hash(c.network) != want {
			break // a gap, which others fill
		}
		links = append(links, c.link(k.Ruling, k.Evidence))
		want, c.Lowest = k.Ruling.Previous, k.Ruling.Epoch
	}
	slices.Reverse(links)
	c.below = want
	if n := len(links); n > c.Most {
		links = links[n-c.Most:]
	}
	c.Links = links
	c.Base = s.Epoch - hearsay.Epoch(len(links))
	if len(links) > 0 {
		c.BaseHash = links[0].Ruling.Previous
	}
}

// Prepend takes rulings right before the lowest, checked backwards, and gives
// those that join.
func (c *Chain) Prepend(items []*hearsay.Ruling) (joined []*hearsay.Ruling) {
	for _, r := range slices.Backward(items) {
		if c.Lowest <= 1 || r.Epoch != c.Lowest-1 || r.Hash(c.network) != c.below {
			break
		}
		if c.Lowest == c.Base+1 && len(c.Links) < c.Most {
			c.Links = slices.Insert(c.Links, 0, c.link(r, nil))
			c.Base, c.BaseHash = r.Epoch-1, r.Previous
		}
		c.Lowest, c.below = r.Epoch, r.Previous
		joined = append(joined, r)
	}
	return joined
}

// takeHead keeps a verified head that is newer than the one its seat has signed of the
// ledger here before. News is one that the others need, too.
func (c *Chain) takeHead(h *hearsay.Head) (news bool) {
	older := *h
	if h.Epoch > c.Ahead[h.Slot].Epoch {
		older, c.Ahead[h.Slot], news = c.Ahead[h.Slot], *h, true
	}
	if c.await(&older); c.Fits(h) {
		c.vouch(h)
		news = true
	}
	return news
}

// wants reports whether a head may be news: its signature is worth a check.
func (c *Chain) wants(h *hearsay.Head) bool {
	return h.Epoch > c.Heads[h.Slot].Epoch && c.OfFounding(h) && *h != c.Ahead[h.Slot] && !slices.Contains(c.early[h.Slot][:], *h)
}

// Signed appends the heads of a seat that are kept here, at most signedMost.
func (c *Chain) Signed(dst []hearsay.Head, slot uint8) []hearsay.Head {
	return append(append(dst, c.Heads[slot], c.Ahead[slot]), c.early[slot][:]...)
}

// await keeps a head that is not of the ledger here, as far as that is known. Where
// there is no room the newest gives way: the ledger comes to it last.
func (c *Chain) await(h *hearsay.Head) {
	if h.Epoch == 0 || c.Fits(h) {
		return
	}
	last := &c.early[h.Slot][0]
	for i := range c.early[h.Slot] {
		switch e := &c.early[h.Slot][i]; {
		case e.Epoch == 0:
			*e = *h
			return
		case e.Epoch > last.Epoch:
			last = e
		}
	}
	if h.Epoch < last.Epoch {
		*last = *h
	}
}

// vouch has a head stand for the ledger here.
func (c *Chain) vouch(h *hearsay.Head) {
	before := c.Heads[h.Slot]
	c.Heads[h.Slot] = *h
	c.await(&before) // the ruling may have gone that it was of: see cut
}

// Fits reports whether a head is of the ledger here.
func (c *Chain) Fits(h *hearsay.Head) bool {
	hash, ok := c.HashAt(h.Epoch)
	return h.Epoch > 0 && ok && hash == h.Hash
}

// Proven is the newest epoch that heads of a quorum of seats vouch for. A head
// vouches for every epoch up to its own, if the ledger here has its hash.
func (c *Chain) Proven() hearsay.Epoch {
	if c.Founding.IsZero() {
		return 0
	}
	var epochs []hearsay.Epoch
	for slot := range c.seeds {
		if ahead := &c.Ahead[slot]; ahead.Epoch > c.Heads[slot].Epoch && c.Fits(ahead) {
			c.vouch(ahead)
		}
		if h := &c.Heads[slot]; c.Fits(h) {
			epochs = append(epochs, h.Epoch)
		}
	}
	need := hearsay.QuorumOf(c.seeds)
	if len(epochs) < need {
		return 0
	}
	slices.SortFunc(epochs, func(a, b hearsay.Epoch) int { return cmp.Compare(b, a) })
	return epochs[need-1]
}

// Newest gives the heads that are there.
func (c *Chain) Newest() (heads []hearsay.Head) {
	for slot := range c.seeds {
		if c.Heads[slot].Epoch > 0 {
			heads = append(heads, c.Heads[slot])
		}
		if r := &c.Rivals[slot]; r.Head.Epoch > 0 { // all must know that there is another ledger
			heads = append(heads, r.Head)
		} else if c.Ahead[slot].Epoch > c.Heads[slot].Epoch {
			heads = append(heads, c.Ahead[slot])
		}
	}
	return heads
}

// Promised is what heads of a quorum are known to vouch for, whether their
// rulings are here or not.
func (c *Chain) Promised() hearsay.Epoch {
	epochs := make([]hearsay.Epoch, 0, c.seeds)
	for slot := range c.seeds {
		epochs = append(epochs, max(c.Heads[slot].Epoch, c.Ahead[slot].Epoch))
	}
	slices.SortFunc(epochs, func(a, b hearsay.Epoch) int { return cmp.Compare(b, a) })
	return epochs[hearsay.QuorumOf(c.seeds)-1]
}

// Holds reports whether of these heads those of a quorum were taken, or newer ones; or there are
// none, as nothing was ruled.
func (c *Chain) Holds(heads []hearsay.Head) bool {
	taken := 0
	for i := range heads {
		if h := &heads[i]; int(h.Slot) < c.seeds && max(c.Heads[h.Slot].Epoch, c.Ahead[h.Slot].Epoch) >= h.Epoch {
			taken++
		}
	}
	return len(heads) == 0 || taken >= hearsay.QuorumOf(c.seeds)
}

// ForgetHeads drops what a seat has signed: another life has it now. It gives the records that drop it on
// disk, where a later life of this node would take it for what the new one has signed; what was signed against the
// ledger here stays if that is a fork.
func (c *Chain) ForgetHeads(slot uint8) (gone []core.Record) {
	c.Heads[slot], c.Ahead[slot], c.early[slot] = hearsay.Head{}, hearsay.Head{}, [earlyMost]hearsay.Head{}
	gone = append(gone, &core.KeptHead{Head: hearsay.Head{Slot: slot}})
	if c.Forked() {
		return gone
	}
	c.OtherLogs[slot] = ""
	if c.Rivals[slot].Head.Epoch > 0 {
		c.Rivals[slot] = core.Rival{}
		gone = append(gone, &core.KeptRival{Slot: slot, Dropped: true})
	}
	return gone
}

// Cut drops the rulings after an epoch.
func (c *Chain) Cut(epoch hearsay.Epoch) { c.Links = c.Links[:epoch-c.Base] }

// Ruled tells of a ruling: the event that a seed and a peer have of it alike. Count is how many ballots were needed; a
// ruling about a seat is about the seed that has the seat from then on.
func Ruled(now time.Time, r *hearsay.Ruling, needed int) hearsay.Event {
	e := hearsay.Event{
		At: now, Kind: hearsay.EventRuled, Subject: r.Stay.ID, Epoch: r.Epoch, Case: r.Case, Ruling: r, Count: needed, Text: r.Kind.String(),
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		e.State, e.Name, e.Addr, e.Incarnation = hearsay.StateAlive, r.Claim.Card.Name, r.Claim.Card.Addr, r.Claim.Incarnation
	case hearsay.RulingRemove:
		e.State = hearsay.StateDead
	case hearsay.RulingLeave:
		e.State = hearsay.StateLeft
	case hearsay.RulingSeat:
		if len(r.Seats) > 0 { // else a quorum of seats has signed nonsense
			e.Subject = r.Seats[0].Key.NodeID()
		}
	}
	return e
}
