package web

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"hearsay"
	"hearsay/ledger"
)

// This file names the seeds that cast ballots: those that had the seats then. A
// seat may have changed hands since.

// seatLife is one life in one slot. Ballots are of one.
type seatLife struct {
	slot uint8
	life hearsay.Life
}

// seatKeys are the keys of all lives that had seats as far as this node can tell, for
// as long as the API is served: so many as there were rulings about seats.
type seatKeys struct {
	mu     sync.Mutex
	keys   map[seatLife]hearsay.PublicKey
	unmet  []uint8       // slots of which only the key is known that the list pins
	looked hearsay.Epoch // the rulings up to this one were looked through
}

// upTo gives the keys of the seats for rulings that follow the epoch after. Rulings
// before them are looked through once.
func (s *seatKeys) upTo(backend Backend, proof *hearsay.LedgerProof, after hearsay.Epoch, rulings []hearsay.Ruling) *seatKeys {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = make(map[seatLife]hearsay.PublicKey)
	}
	s.sat(proof.Founding)
	s.sat(proof.Seats)
	s.unmet = s.unmet[:0]
	for _, seat := range proof.Seats {
		if !seat.Key.IsZero() && seat.Life.IsZero() {
			s.unmet = append(s.unmet, seat.Slot)
		}
	}
	s.looked = max(s.looked, proof.Oldest-min(proof.Oldest, 1)) // there are none before
	for from := s.looked; from < after; {
		older := backend.Ledger(from, int(min(rulingsMax, after-from)))
		if len(older) == 0 {
			break
		}
		from = s.look(older)
	}
	s.look(rulings)
	return s
}

// look takes the seats from rulings, and gives the epoch of the last.
func (s *seatKeys) look(rulings []hearsay.Ruling) (last hearsay.Epoch) {
	for i := range rulings {
		s.sat(rulings[i].Seats)
		last = rulings[i].Epoch
	}
	if len(rulings) > 0 && rulings[0].Epoch <= s.looked+1 {
		s.looked = max(s.looked, last)
	}
	return last
}

func (s *seatKeys) sat(seats []hearsay.Seat) {
	for _, seat := range seats {
		if !seat.Key.IsZero() {
			s.keys[seatLife{seat.Slot, seat.Life}] = seat.Key
		}
	}
}

// of gives the key of a ballot's seed or, if it is not known, what can be said.
func (s *seatKeys) of(b *hearsay.Ballot) (key hearsay.PublicKey, unknown string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, known := s.keys[seatLife{b.Slot, b.Life}]
	switch {
	case known:
		return key, ""
	case slices.Contains(s.unmet, b.Slot):
		return key, ledger.UnmetName(b.Slot)
	}
	return key, fmt.Sprintf("an earlier seed in slot %d", b.Slot)
}

// words are the names that an answer needs.
type words struct {
	names    map[hearsay.NodeID]string
	seeds    []hearsay.SeedStatus
	seatKeys *seatKeys
}

func (a *api) words(seeds []hearsay.SeedStatus) *words {
	w := &words{names: make(map[hearsay.NodeID]string), seeds: seeds}
	for _, m := range a.backend.Members() {
		w.names[m.ID] = m.Name
	}
	return w
}

// seed names the seed that cast a ballot: as it is called here, if it sits in a
// seat now by its address, else by its key.
func (w *words) seed(b *hearsay.Ballot) string {
	key, unknown := w.seatKeys.of(b)
	if unknown != "" {
		return unknown
	}
	id := key.NodeID()
	for i := range w.seeds {
		if w.seeds[i].ID == id {
			return cmp.Or(w.seeds[i].Name, w.seeds[i].Addr.String())
		}
	}
	return cmp.Or(w.names[id], ledger.KeyName(key))
}

// provenBy gives the epoch up to which heads of a quorum of seats prove rulings
// that end with an epoch.
func provenBy(proof *hearsay.LedgerProof, seeds int, end hearsay.Epoch) hearsay.Epoch {
	newest := make([]hearsay.Epoch, max(len(proof.Seats), seeds))
	for i := range proof.Heads {
		if h := &proof.Heads[i]; int(h.Slot) < len(proof.Seats) && !proof.Seats[h.Slot].Key.IsZero() && h.Epoch <= end {
			newest[h.Slot] = max(newest[h.Slot], h.Epoch)
		}
	}
	return ledger.ProvenBy(newest)
}
