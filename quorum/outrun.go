package quorum

import (
	"fmt"

	"hearsay"
	"hearsay/ledger"
)

// This file is about a seed whose log is another than the one that a quorum of seats has
// decided by: who led has sent it other entries of the same places and terms. Raft takes its
// leader's word for that. Entries name no ruling, but rulings name the entry that has opened
// their case:
//
//	A, leads                         B                    C
//	  |--- entry 70: admit X ----------------------------->|
//	  |--- entry 70: nothing -------->|                    |
//	  |<-- ballots, and a ruling of case 70·k, epoch 12 -->|
//	  |                               |<-- Heads of A, C --|   a quorum has signed epoch 12, and B is at 11
//	  |                               |--- LedgerReq ----->|
//	  |                               |<-- Rulings --------|   of a case that B has come to, and does not have: B stops
//
// With what it has, B could rule something else by the ballots of others. It stops before.

// behind reports whether a quorum has signed more than the ledger here has.
func (p *progress) behind() bool { return p.seed.chain.Promised() > p.seed.state.Epoch }

// outrun has this seed stop if a quorum has signed the ruling that comes next here, and it
// is of a case that should be in the log here, and is not.
func (p *progress) outrun(items []*hearsay.Ruling) {
	if len(items) == 0 || p.seed.state == nil || p.seed.cfg.Recover || !p.behind() {
		return
	}
	next := items[0]
	if next.Epoch != p.seed.state.Epoch+1 || next.Previous != p.seed.state.Head {
		return
	}
	if next.Case.Index() > p.seed.replica.log.applied || p.seed.state.CaseOf(next.Case) != nil || !p.provesNext(items) {
		return
	}
	p.seed.mustStop = fmt.Sprintf("a quorum of seats has signed the ruling of epoch %d, of a case that entry %d of the log opens, and the log here has another entry there: "+
		"a seed that led has sent this one other entries than the others; see which one led, and whether its key is stolen; start this seed with an empty data directory",
		next.Epoch, next.Case.Index())
}

// provesNext reports whether a quorum of seats has signed rulings that follow here, or the
// first of them at least.
func (p *progress) provesNext(items []*hearsay.Ruling) bool {
	next := ledger.NewChain(p.seed.cfg.Network, p.seed.signer, len(p.seed.cfg.Seeds))
	next.Restart(p.seed.state.Epoch, p.seed.state.Head)
	for _, r := range items {
		if r.Epoch != next.Epoch()+1 || r.Previous != next.HeadHash() {
			break
		}
		next.Append(r, nil)
	}
	signed := 0
	var room [ledger.SignedMost]hearsay.Head
	for slot := range uint8(len(p.seed.cfg.Seeds)) {
		for _, h := range p.seed.chain.Signed(room[:0], slot) {
			if h.Epoch > p.seed.state.Epoch && next.Fits(&h) {
				signed++
				break
			}
		}
	}
	return signed >= p.seed.Needed()
}
