package quorum

import (
	"cmp"
	"slices"

	"hearsay"
)

const (
	// chainLength is how many rulings are in memory by default, newest last:
	// about 16 MB with three seeds. Older ones are on disk.
	chainLength = 16 << 10

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
	signedMost = earlyMost + 2 // with the newest, and the newest of the ledger here
)

// link is a ruling, its hash, and what was reported before it.
type link struct {
	ruling   *hearsay.Ruling
	hash     hearsay.Hash
	evidence *hearsay.Evidence
	size     int // bytes of the ruling
}

// chain is the newest part of the ledger, and the newest head of each seat.
type chain struct {
	network hearsay.NetworkID
	signer  hearsay.Signer
	seeds   int
	most    int // rulings in memory

	base     hearsay.Epoch // the epoch before the first link
	baseHash hearsay.Hash
	links    []link

	// What is on disk: all from lowest on. The ruling before lowest has the
	// hash below.
	lowest hearsay.Epoch
	below  hearsay.Hash

	founding hearsay.Hash // that heads must name (LedgerID.Founding); zero: not known yet, and nothing is proven

	// The newest head of each seat whose ruling is here, the newest at all, and
	// older ones that the ledger here has not come to: it may be another than theirs.
	// Epoch 0: none.
	heads [hearsay.MaxSeeds]hearsay.Head
	ahead [hearsay.MaxSeeds]hearsay.Head
	early [hearsay.MaxSeeds][earlyMost]hearsay.Head

	rivals rivals
	others [hearsay.MaxSeeds]string // of the logs of these seats: why they are others than the one here; "": nothing is known
}

func newChain(network hearsay.NetworkID, signer hearsay.Signer, seeds int) chain {
	return chain{network: network, signer: signer, seeds: seeds, most: chainLength, lowest: 1}
}

// restart begins after an epoch whose hash is known.
func (c *chain) restart(epoch hearsay.Epoch, hash hearsay.Hash) {
	c.base, c.baseHash, c.links = epoch, hash, nil
	c.lowest, c.below = epoch+1, hash
}

// beside is a ledger that goes on from an epoch beyond the one here, as one sender has it,
// with all heads that are here: it waits until they prove it.
func (c *chain) beside(epoch hearsay.Epoch, hash, founding hearsay.Hash) chain {
	other := newChain(c.network, c.signer, c.seeds)
	other.restart(epoch, hash)
	other.begin(founding)
	var room [signedMost]hearsay.Head
	for slot := range uint8(c.seeds) {
		for _, h := range c.signed(room[:0], slot) {
			if h.Epoch > 0 && other.names(&h) {
				other.takeHead(&h)
			}
		}
	}
	return other
}

// goOn takes the rulings that follow, as far as they do: at most so many after an epoch.
func (c *chain) goOn(items []*hearsay.Ruling, after hearsay.Epoch, most int) {
	for _, r := range items {
		if r.Epoch == c.epoch()+1 && r.Previous == c.headHash() && r.Epoch <= after+hearsay.Epoch(most) {
			c.append(r, nil)
		}
	}
}

// begin has heads count that name this founding, and no others.
func (c *chain) begin(founding hearsay.Hash) {
	c.founding = founding
	for slot := range c.heads {
		if c.heads[slot].Founding != founding {
			c.heads[slot] = hearsay.Head{}
		}
		if c.ahead[slot].Founding != founding {
			c.ahead[slot] = hearsay.Head{}
		}
		for i := range c.early[slot] {
			if c.early[slot][i].Founding != founding {
				c.early[slot][i] = hearsay.Head{}
			}
		}
		if c.rivals[slot].Head.Founding != founding {
			c.rivals[slot] = hearsay.Rival{}
		}
	}
}

// names reports whether a head is of the founding here, or that is not known yet.
func (c *chain) names(h *hearsay.Head) bool { return c.founding.IsZero() || h.Founding == c.founding }

func (c *chain) epoch() hearsay.Epoch { return c.base + hearsay.Epoch(len(c.links)) }

func (c *chain) at(epoch hearsay.Epoch) *link {
	if epoch <= c.base || epoch > c.epoch() {
		return nil
	}
	return &c.links[epoch-c.base-1]
}

// hashAt gives the hash of the ledger up to an epoch, if it is known here.
func (c *chain) hashAt(epoch hearsay.Epoch) (hash hearsay.Hash, ok bool) {
	if epoch == c.base {
		return c.baseHash, true
	}
	if l := c.at(epoch); l != nil {
		return l.hash, true
	}
	return hash, false
}

func (c *chain) headHash() hearsay.Hash {
	hash, _ := c.hashAt(c.epoch())
	return hash
}

// append takes the next ruling. What heads of a quorum do not prove yet stays in memory for a while: heads of a
// ruling that has gone prove nothing any more, and so not the state that a seed behind is given.
func (c *chain) append(r *hearsay.Ruling, evidence *hearsay.Evidence) {
	if r.Epoch != c.epoch()+1 {
		panic("quorum: a ruling out of order")
	}
	c.links = append(c.links, c.link(r, evidence))
	slack := max(1, c.most/chainSlack)
	if len(c.links) < c.most+slack {
		return
	}
	if last := c.links[slack-1]; last.ruling.Epoch <= c.proven() || len(c.links) >= c.most+chainUnproven {
		c.base, c.baseHash = last.ruling.Epoch, last.hash
		c.links = slices.Clone(c.links[slack:])
	}
}

func (c *chain) link(r *hearsay.Ruling, evidence *hearsay.Evidence) link {
	return link{ruling: r, hash: r.Hash(c.network), evidence: evidence, size: len(r.AppendBinary(nil))}
}

// after gives at most n rulings after an epoch, as many as fit a message; none
// if they are not in memory.
func (c *chain) after(epoch hearsay.Epoch, n int) (found []*hearsay.Ruling) {
	if epoch < c.base {
		return nil
	}
	size := 0
	for e := epoch + 1; e <= c.epoch() && len(found) < n; e++ {
		l := c.at(e)
		if size += l.size; size > rulingsBytes && len(found) > 0 {
			break
		}
		found = append(found, l.ruling)
	}
	return found
}

// before gives rulings right before an epoch, as many as fit a message.
func (c *chain) before(epoch hearsay.Epoch) []*hearsay.Ruling {
	if epoch > c.epoch()+1 {
		return nil
	}
	size, first := 0, epoch
	for first > c.base+1 && epoch-first < hearsay.MaxRulings {
		if size += c.links[first-c.base-2].size; size > rulingsBytes && first < epoch {
			break
		}
		first--
	}
	if first == epoch {
		return nil
	}
	return c.after(first-1, int(epoch-first))
}

// load takes the rulings on disk that lead up to a state.
func (c *chain) load(s *state, kept []*hearsay.KeptRuling) {
	c.restart(s.epoch, s.head)
	var links []link
	want := s.head
	for _, k := range slices.Backward(kept) {
		if k.Ruling.Epoch >= c.lowest {
			continue // after the state: it is ruled again from the log
		}
		if k.Ruling.Epoch != c.lowest-1 || k.Ruling.Hash(c.network) != want {
			break // a gap, which others fill
		}
		links = append(links, c.link(k.Ruling, k.Evidence))
		want, c.lowest = k.Ruling.Previous, k.Ruling.Epoch
	}
	slices.Reverse(links)
	c.below = want
	if n := len(links); n > c.most {
		links = links[n-c.most:]
	}
	c.links = links
	c.base = s.epoch - hearsay.Epoch(len(links))
	if len(links) > 0 {
		c.baseHash = links[0].ruling.Previous
	}
}

// prepend takes rulings right before the lowest, checked backwards, and gives
// those that join.
func (c *chain) prepend(items []*hearsay.Ruling) (joined []*hearsay.Ruling) {
	for _, r := range slices.Backward(items) {
		if c.lowest <= 1 || r.Epoch != c.lowest-1 || r.Hash(c.network) != c.below {
			break
		}
		if c.lowest == c.base+1 && len(c.links) < c.most {
			c.links = slices.Insert(c.links, 0, c.link(r, nil))
			c.base, c.baseHash = r.Epoch-1, r.Previous
		}
		c.lowest, c.below = r.Epoch, r.Previous
		joined = append(joined, r)
	}
	return joined
}

// takeHead keeps a verified head that is newer than the one its seat has signed of the
// ledger here before. News is one that the others need, too.
func (c *chain) takeHead(h *hearsay.Head) (news bool) {
	older := *h
	if h.Epoch > c.ahead[h.Slot].Epoch {
		older, c.ahead[h.Slot], news = c.ahead[h.Slot], *h, true
	}
	if c.await(&older); c.fits(h) {
		c.vouch(h)
		news = true
	}
	return news
}

// wants reports whether a head may be news: its signature is worth a check.
func (c *chain) wants(h *hearsay.Head) bool {
	return h.Epoch > c.heads[h.Slot].Epoch && c.names(h) && *h != c.ahead[h.Slot] && !slices.Contains(c.early[h.Slot][:], *h)
}

// signed appends the heads of a seat that are kept here, at most signedMost.
func (c *chain) signed(dst []hearsay.Head, slot uint8) []hearsay.Head {
	return append(append(dst, c.heads[slot], c.ahead[slot]), c.early[slot][:]...)
}

// await keeps a head that is not of the ledger here, as far as that is known. Where
// there is no room the newest gives way: the ledger comes to it last.
func (c *chain) await(h *hearsay.Head) {
	if h.Epoch == 0 || c.fits(h) {
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
func (c *chain) vouch(h *hearsay.Head) {
	before := c.heads[h.Slot]
	c.heads[h.Slot] = *h
	c.await(&before) // the ruling may have gone that it was of: see cut
}

// fits reports whether a head is of the ledger here.
func (c *chain) fits(h *hearsay.Head) bool {
	hash, ok := c.hashAt(h.Epoch)
	return h.Epoch > 0 && ok && hash == h.Hash
}

// proven is the newest epoch that heads of a quorum of seats vouch for. A head
// vouches for every epoch up to its own, if the ledger here has its hash.
func (c *chain) proven() hearsay.Epoch {
	if c.founding.IsZero() {
		return 0
	}
	var epochs []hearsay.Epoch
	for slot := range c.seeds {
		if ahead := &c.ahead[slot]; ahead.Epoch > c.heads[slot].Epoch && c.fits(ahead) {
			c.vouch(ahead)
		}
		if h := &c.heads[slot]; c.fits(h) {
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

// newest gives the heads that are there.
func (c *chain) newest() (heads []hearsay.Head) {
	for slot := range c.seeds {
		if c.heads[slot].Epoch > 0 {
			heads = append(heads, c.heads[slot])
		}
		if r := &c.rivals[slot]; r.Head.Epoch > 0 { // all must know that there is another ledger
			heads = append(heads, r.Head)
		} else if c.ahead[slot].Epoch > c.heads[slot].Epoch {
			heads = append(heads, c.ahead[slot])
		}
	}
	return heads
}

// promised is what heads of a quorum are known to vouch for, whether their
// rulings are here or not.
func (c *chain) promised() hearsay.Epoch {
	epochs := make([]hearsay.Epoch, 0, c.seeds)
	for slot := range c.seeds {
		epochs = append(epochs, max(c.heads[slot].Epoch, c.ahead[slot].Epoch))
	}
	slices.SortFunc(epochs, func(a, b hearsay.Epoch) int { return cmp.Compare(b, a) })
	return epochs[hearsay.QuorumOf(c.seeds)-1]
}

// holds reports whether of these heads those of a quorum were taken, or newer ones; or there are
// none, as nothing was ruled.
func (c *chain) holds(heads []hearsay.Head) bool {
	taken := 0
	for i := range heads {
		if h := &heads[i]; int(h.Slot) < c.seeds && max(c.heads[h.Slot].Epoch, c.ahead[h.Slot].Epoch) >= h.Epoch {
			taken++
		}
	}
	return len(heads) == 0 || taken >= hearsay.QuorumOf(c.seeds)
}

// forgetHeads drops what a seat has signed: another life has it now. It gives the
// record that drops what it has signed against the ledger here, if it has and
// that is no fork; else nothing.
func (c *chain) forgetHeads(slot uint8) (gone []hearsay.Record) {
	c.heads[slot], c.ahead[slot], c.early[slot] = hearsay.Head{}, hearsay.Head{}, [earlyMost]hearsay.Head{}
	if c.forked() {
		return nil
	}
	c.others[slot] = ""
	if c.rivals[slot].Head.Epoch > 0 {
		c.rivals[slot] = hearsay.Rival{}
		gone = append(gone, &hearsay.KeptRival{Slot: slot, Dropped: true})
	}
	return gone
}

// cut drops the rulings after an epoch.
func (c *chain) cut(epoch hearsay.Epoch) { c.links = c.links[:epoch-c.base] }
