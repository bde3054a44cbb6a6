package ledger

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Mismatches is what is wrong with the nodes that answer at the seeds' configured
// addresses, by slot. Only an answer that repeats a nonce, which nobody else was
// told, gets something into it: strangers cannot.
type Mismatches [hearsay.MaxSeeds]Mismatch

// Mismatch is what is wrong with one of them.
type Mismatch struct {
	Note  string // in some words; "": nothing is wrong
	Text  string // and in a sentence, with what would be right
	at    time.Time
	Apart bool // of a peer: what is there is not the seed of the ledger here, and has another one

	told   string // as it was told last; "": it was all right since
	toldAt time.Time
}

const (
	// mismatchAgain is how long nothing more is told of one seed.
	mismatchAgain = time.Minute

	// MismatchAfter is how long a peer waits until it tells that a seed has another
	// key: the others may prove that the seat was given anew; and a seed until it tells
	// that another is of another founding: that may be given up. A guess: some round trips.
	MismatchAfter = 2 * time.Second

	// MismatchAskEvery is between two questions to a seed with which something is wrong: several in
	// the time after which a seed forgets what is wrong with one that does not answer (quorum.heardFor). A guess.
	MismatchAskEvery = 3 * time.Second

	// mismatchLate is how old an answer is when it is told that none has come since: several questions. A guess.
	mismatchLate = 5 * MismatchAskEvery
)

// OtherList is the mismatch of a seed whose list of seeds has another hash.
func OtherList(addr netip.AddrPort) Mismatch {
	return Mismatch{Note: "has another list of seeds", Text: fmt.Sprintf("the seed at %v has another list of seeds than this node: want the same file everywhere", addr)}
}

// OtherKey is the mismatch of a seed that has another key than the list pins.
func OtherKey(addr netip.AddrPort, has, pinned hearsay.PublicKey) Mismatch {
	return Mismatch{Note: "has another key than the list pins", Text: fmt.Sprintf("the seed at %v has key %x, and the list pins %x for it: "+
		"nothing it says is believed; correct the third column, or %v is not your seed", addr, has, pinned, addr)}
}

// OtherVersion is the mismatch of a seed that writes the log in other versions than a seed does, which takes no part
// with it, or than a peer reads. Own are that node's.
func OtherVersion(addr netip.AddrPort, its, own core.LogVersions, role hearsay.Role) Mismatch {
	follows := "neither takes part in what the other decides"
	if role != hearsay.RoleSeed {
		follows = "what this node cannot read of what it rules is dropped"
	}
	return Mismatch{
		Note: "runs another version of hearsay: " + VersionWords(its),
		Text: fmt.Sprintf("the seed at %v runs another version of hearsay than this node (%s there, %s here): %s; run the version of a quorum of the seeds on all nodes",
			addr, VersionWords(its), VersionWords(own), follows),
	}
}

// StrangeVersion is OtherVersion of what answers at a seed's address with another key than that of the seat: it may be
// the seed, started with an empty directory, or anything that says so.
func StrangeVersion(addr netip.AddrPort, its, own core.LogVersions) Mismatch {
	return Mismatch{
		Note: "has another key than that of its seat, and says that it runs another version of hearsay: " + VersionWords(its),
		Text: fmt.Sprintf("what answers at %v has another key than the seed that sits there, and says that it runs another version of hearsay than this node (%s there, %s here): "+
			"nothing it says is believed; if it is the seed, with an empty directory, run the version of a quorum of the seeds there", addr, VersionWords(its), VersionWords(own)),
	}
}

// VersionWords names versions of the log.
func VersionWords(v core.LogVersions) string {
	return fmt.Sprintf("log %d, snapshots %d", v.Log, v.Snapshot)
}

// Raise keeps a mismatch, and reports whether it should be told.
func (d *Mismatches) Raise(now time.Time, slot int, of Mismatch) bool {
	old := &d[slot]
	old.Note, old.Text, old.Apart, old.at = of.Note, of.Text, of.Apart, now
	if old.told == of.Text || !old.toldAt.IsZero() && now.Sub(old.toldAt) < mismatchAgain {
		return false
	}
	old.told, old.toldAt = of.Text, now
	return true
}

// Settle ends the mismatch of a slot.
func (d *Mismatches) Settle(slot int) { d[slot] = Mismatch{toldAt: d[slot].toldAt} }

// Expire ends the mismatch of a seed that has not answered for so long, and reports whether there was one.
func (d *Mismatches) Expire(now time.Time, slot int, after time.Duration) bool {
	expires := d[slot].Note != "" && now.Sub(d[slot].at) > after
	if expires {
		d.Settle(slot)
	}
	return expires
}

// Any reports whether something is wrong with one of them.
func (d *Mismatches) Any() bool {
	return slices.ContainsFunc(d[:], func(one Mismatch) bool { return one.Note != "" })
}

// All gives all that is wrong, in sentences, and of a seed that does not answer any more when it did last.
func (d *Mismatches) All(now time.Time) (texts []string) {
	for slot := range d {
		if m := &d[slot]; m.Note != "" {
			text := m.Text
			if now.Sub(m.at) >= mismatchLate {
				text += "; nothing has answered there since " + m.at.UTC().Format(time.RFC3339)
			}
			texts = append(texts, text)
		}
	}
	return texts
}

// AskedWith gives the slot to whose address a nonce went, or -1.
func AskedWith(nonces []uint64, nonce uint64) (slot int) {
	if nonce == 0 {
		return -1
	}
	return slices.Index(nonces, nonce)
}
