package quorum

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// This file answers who asks for rulings that are not in memory any more. The
// driver reads them beside the loop, so that no question holds up a step.
//
//	peer                         seed                   driver
//	  |--- LedgerReq{Before} ---->|--- Effects.Read ----->|
//	  |<-------------- Rulings ---|<------- Older --------|   one for all who asked for the same meanwhile
//
// Anybody may ask: what comes proves itself. So each source has a share. Those
// at a seed's address have one of their own, as they may lack all of the ledger.

const (
	// readsMost bounds the reads under way, and seedReadsMost those of seeds
	// besides. A read takes about a millisecond.
	readsMost     = 4
	seedReadsMost = 4

	// askersMost bounds those who wait for one read. A guess.
	askersMost = 16

	// seedReadEvery is the time from one read for a seed to the next (for others ReadEvery): one
	// that lacks the ledger has a million rulings in two minutes. A guess.
	seedReadEvery = 20 * time.Millisecond

	// readersMost bounds the sources of no seed that have asked within
	// ReadEvery: about one core in ten is busy with all that is read then.
	readersMost = 20
)

// reading is what is being read from disk.
type reading struct {
	seed *Quorum

	under   []olderRead
	readers []reader // those who have asked lately
}

// olderRead is one read under way.
type olderRead struct {
	before hearsay.Epoch
	seed   bool // it was begun for a seed
	askers []asker
}

type asker struct {
	source netip.Addr
	addr   netip.AddrPort
}

type reader struct {
	source netip.Addr
	until  time.Time // it may ask again
}

// expire forgets those who may ask again.
func (r *reading) expire(now time.Time) {
	r.readers = slices.DeleteFunc(r.readers, func(one reader) bool { return !now.Before(one.until) })
}

// read has the rulings right before an epoch read for who has asked for them.
// Who asks for what is being read already gets it, too.
func (r *reading) read(now time.Time, p *core.Packet, before hearsay.Epoch) {
	r.expire(now)
	who := asker{core.Source(p.Addr.Addr()), p.Addr}
	seed := slices.ContainsFunc(r.seed.cfg.Seeds, func(s ledger.Seed) bool { return core.Source(s.Addr.Addr()) == who.source })
	at := slices.IndexFunc(r.under, func(one olderRead) bool { return one.before == before && len(one.askers) < askersMost })
	if !r.mayAsk(who.source, seed) || at < 0 && !r.mayBegin(seed) {
		r.seed.stats.Drops[hearsay.DropRate]++
		return
	}
	until := now.Add(ledger.ReadEvery)
	if seed {
		until = now.Add(seedReadEvery)
	}
	r.readers = append(r.readers, reader{who.source, until})
	if at >= 0 {
		r.under[at].askers = append(r.under[at].askers, who)
		return
	}
	r.under = append(r.under, olderRead{before, seed, []asker{who}})
	r.seed.out.Read = append(r.seed.out.Read, core.OlderRead{Before: before})
}

// mayAsk reports whether a source may ask now: it has not just done so, and one
// of no seed waits for nothing.
func (r *reading) mayAsk(source netip.Addr, seed bool) bool {
	waits := func(one olderRead) bool {
		return slices.ContainsFunc(one.askers, func(a asker) bool { return a.source == source })
	}
	if !seed && (len(r.readers) >= readersMost || slices.ContainsFunc(r.under, waits)) {
		return false
	}
	return !slices.ContainsFunc(r.readers, func(one reader) bool { return one.source == source })
}

// mayBegin reports whether there is room for one more read for a seed, or for
// another.
func (r *reading) mayBegin(seed bool) bool {
	begun := 0
	for i := range r.under {
		if r.under[i].seed == seed {
			begun++
		}
	}
	return seed && begun < seedReadsMost || !seed && begun < readsMost
}

// Older takes the rulings right before an epoch, read from disk, oldest first,
// and gives them to those who have asked.
func (q *Quorum) Older(before hearsay.Epoch, rulings []*hearsay.Ruling) {
	r := &q.reading
	at := slices.IndexFunc(r.under, func(one olderRead) bool { return one.before == before })
	if at < 0 {
		return // of an earlier founding
	}
	for _, who := range r.under[at].askers {
		q.send(who.addr, &core.Rulings{Items: rulings, Heads: q.chain.Newest()})
	}
	r.under = slices.Delete(r.under, at, at+1)
}
