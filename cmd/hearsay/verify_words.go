package main

import (
	"fmt"
	"strconv"
	"strings"

	"hearsay"
	"hearsay/web"
)

// This file checks what a saved ledger says for people, and says what of that
// nobody has signed.

// sameBallots reports whether words about ballots are theirs, names apart.
func sameBallots(words []web.Ballot, ballots []hearsay.Ballot) bool {
	same := len(words) == len(ballots)
	for i := 0; same && i < len(words); i++ {
		w, b := &words[i], &ballots[i]
		same = w.Slot == int(b.Slot) && w.Verdict == b.Verdict && w.Why == b.Why && w.At.UnixMilli() == b.At
	}
	return same
}

// rightMember reports whether a ruling is about what it is called, as far as
// that stands in the ruling itself.
func rightMember(called string, r *hearsay.Ruling) bool {
	switch r.Kind {
	case hearsay.RulingAdmit:
		return called == r.Claim.Card.Name
	case hearsay.RulingSeat:
		return len(r.Seats) > 0 && called == web.SeatName(r.Seats[0].Slot)
	case hearsay.RulingRecover:
		return called == web.SeatsName
	}
	return true // by the ruling that admitted it
}

// seedNames sees that ballots are called by the name or the address of the seat
// that has their key now; those of a key that sits nowhere any more by that key,
// or all by one name.
func (a *audit) seedNames(r *hearsay.Ruling, saved *web.Ruling) error {
	for i := range saved.Ballots {
		b := &saved.Ballots[i]
		if b.Slot >= len(a.seats) || a.seats[b.Slot].Key.IsZero() {
			continue // there is nothing to compare with
		}
		if b.Seed == web.UnmetName(uint8(b.Slot)) {
			continue // it claims nothing
		}
		key := a.seats[b.Slot].Key
		called, known := a.calledNow(key)
		switch {
		case known && (b.Seed == called.Name || b.Seed == called.Addr):
			continue
		case known:
			return epochError(r.Epoch, "the ballot of seat %d is called %q's, and the seed with its key is called %q", b.Slot, b.Seed, called.Name)
		case b.Seed == web.KeyName(key):
			continue
		}
		before, met := a.seedName[key]
		if met && before != b.Seed || strings.HasPrefix(b.Seed, "key ") {
			return epochError(r.Epoch, "the ballot of seat %d is called %q's, and its key is that of %q", b.Slot, b.Seed, orKey(before, key))
		}
		a.seedName[key] = b.Seed
	}
	return nil
}

func orKey(name string, key hearsay.PublicKey) string {
	if name == "" {
		return web.KeyName(key)
	}
	return name
}

// calledNow gives the seat that a key has now.
func (a *audit) calledNow(key hearsay.PublicKey) (*web.Seat, bool) {
	text := fmt.Sprintf("%x", key[:])
	for i := range a.saved.Seats {
		if a.saved.Seats[i].Key == text {
			return &a.saved.Seats[i], true
		}
	}
	return nil, false
}

// figures sees that the file's own figures are those of its rulings and heads.
func (a *audit) figures() error {
	saved, f := a.saved, &a.found
	switch quorum := hearsay.QuorumOf(len(a.seats)); {
	case saved.Epoch != f.To:
		return fmt.Errorf("its newest epoch is %d, and its rulings end with epoch %d", saved.Epoch, f.To)
	case saved.Proven != f.Proven:
		return fmt.Errorf("it is said to be proven up to epoch %d, and heads of a quorum prove it up to epoch %d", saved.Proven, f.Proven)
	case saved.Quorum != quorum:
		return fmt.Errorf("its quorum is %d; of %d seats it is %d", saved.Quorum, len(a.seats), quorum)
	}
	return nil
}

// unsigned says what stands in the file, or should, and nobody has signed.
func (a *audit) unsigned() (open []string) {
	called := false
	for _, name := range a.seedName {
		called = called || name != ""
	}
	for i := range a.saved.Seats {
		called = called || a.saved.Seats[i].Name != "" || a.saved.Seats[i].Addr != ""
	}
	if called {
		open = append(open, "the names and addresses of seeds: nobody signs them, they are the word of the node that saved the file")
	}
	if a.nameless > 0 {
		open = append(open, fmt.Sprintf("the names of %d who left or were removed: the rulings that admitted them are not in the file", a.nameless))
	}
	switch n := a.lacking.count; {
	case n == 1:
		open = append(open, fmt.Sprintf("what was reported before the removal of epoch %s: it is not in the file", a.lacking.words()))
	case n > 1:
		open = append(open, fmt.Sprintf("what was reported before %d removals: it is not in the file, of epochs %s", n, a.lacking.words()))
	}
	return open
}

// lacking counts removals whose evidence lacks, and keeps the epochs of the
// first of them.
type lacking struct {
	epochs []string
	count  int
}

// lackingShown is how many epochs are listed.
const lackingShown = 10

func (l *lacking) note(epoch hearsay.Epoch) {
	if l.count++; l.count <= lackingShown {
		l.epochs = append(l.epochs, strconv.FormatUint(uint64(epoch), 10))
	}
}

func (l *lacking) words() string {
	text := strings.Join(l.epochs, ", ")
	if l.count > lackingShown {
		text += ", ..."
	}
	return text
}
