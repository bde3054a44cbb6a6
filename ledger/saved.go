package ledger

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file is the form in which a ledger is saved, as JSON: one object, with the rulings in the order of their
// epochs. Each thing stands there once. What follows from the rest is not there: hashes of rulings, what a ballot is
// about, and, from the first ruling on, the hash of the roster after each, and the key and the life that sit in a
// seat. Only the names of members that go, and of seeds in ballots, are repeated for people; Verify holds them
// against the others.

// Saved is what is said of a ledger besides its rulings.
type Saved struct {
	Network  hearsay.NetworkID `json:"network"`
	Epoch    hearsay.Epoch     `json:"epoch"`              // of the last ruling
	Founding []SavedSeat       `json:"founding,omitempty"` // who sat where before epoch 1; a peer does not know
	// of the ruling before the first, if it does not follow from the founding
	Previous hearsay.Hash `json:"previous,omitzero"`
	// the founding or the recovery that the first signatures name, if it does not follow
	Began hearsay.Hash `json:"began,omitzero"`
	Seats []SavedSeat  `json:"seats"` // who sits where at the end
	Heads []SavedHead  `json:"heads"`
}

// SavedSeat is who sits in a slot.
type SavedSeat struct {
	Slot uint8             `json:"slot"`
	Addr string            `json:"addr,omitempty"` // the word of the node that saved it, as is the name
	Name string            `json:"name,omitempty"`
	Key  hearsay.PublicKey `json:"key,omitzero"` // of Seats only if it does not follow from the founding
	// not of Seats: what does not follow is nobody's word, and may be out of date
	Life hearsay.Life `json:"life,omitzero"`
}

// SavedHead is a head. Its founding is that of the ledger.
type SavedHead struct {
	Slot      uint8             `json:"slot"`
	Epoch     hearsay.Epoch     `json:"epoch"`
	Hash      hearsay.Hash      `json:"hash,omitzero"` // if the ruling is not in the file, or is another
	Signature hearsay.Signature `json:"signature"`
}

// SavedRuling is a ruling.
type SavedRuling struct {
	Epoch hearsay.Epoch      `json:"epoch"`
	Kind  hearsay.RulingKind `json:"kind"`
	// admit: the name in its claim; remove, leave: that name again; else SeatName or SeatsName
	Member string         `json:"member"`
	At     time.Time      `json:"at"`
	Case   hearsay.CaseID `json:"case"`
	// of a guest, which has no key; admit: unless it speaks lines of JSON
	ID          hearsay.NodeID      `json:"id,omitzero"`
	Key         hearsay.PublicKey   `json:"key,omitzero"`   // admit, remove, leave
	Since       hearsay.Epoch       `json:"since,omitzero"` // remove, leave: the epoch of the admission
	Addr        netip.AddrPort      `json:"addr,omitzero"`  // admit; so the next two
	Role        hearsay.Role        `json:"role,omitzero"`
	Incarnation hearsay.Incarnation `json:"incarnation,omitzero"`
	// the member's own: admit: of its claim; leave: of its leave
	Signature    hearsay.Signature `json:"signature,omitzero"`
	Rule         hearsay.Rule      `json:"rule,omitzero"` // remove
	Evidence     *SavedEvidence    `json:"evidence,omitempty"`
	EvidenceHash hearsay.Hash      `json:"evidence_hash,omitzero"` // if the evidence is not there
	Seats        []SavedSeat       `json:"seats,omitempty"`        // seat, recover
	Ballots      []SavedBallot     `json:"ballots"`
	// of all stays after it, if the file does not begin with epoch 1
	Roster hearsay.Hash `json:"roster,omitzero"`
	// base64: all of it, if JSON cannot say it: a time beyond the year 9999
	Canonical []byte `json:"canonical,omitempty"`
}

// SavedBallot is a ballot on the case of its ruling.
type SavedBallot struct {
	// whose it was: the name or address of the seed that sat there then, or KeyName
	Seed      string                `json:"seed"`
	Slot      uint8                 `json:"slot"`
	Life      hearsay.Life          `json:"life,omitzero"` // if it does not follow from the seats
	Verdict   hearsay.BallotVerdict `json:"verdict"`
	Why       hearsay.Why           `json:"why"`
	At        time.Time             `json:"at"`
	Signature hearsay.Signature     `json:"signature"`
}

// SavedEvidence is what was reported of the member of its ruling, by that rule.
type SavedEvidence struct {
	Incarnation hearsay.Incarnation `json:"incarnation"`
	Round       hearsay.Round       `json:"round"`
	Accuser     hearsay.NodeID      `json:"accuser"`
	Suspected   int64               `json:"suspected"` // Unix milliseconds, by the accuser's clock
	Condemned   int64               `json:"condemned"` // likewise
	Observers   uint8               `json:"observers"`
	Needed      uint8               `json:"needed"`
	Statements  []SavedStatement    `json:"statements"`
}

// SavedStatement is an observer's, in the round of its evidence.
type SavedStatement struct {
	Observer  hearsay.NodeID    `json:"observer"`
	Verdict   hearsay.Verdict   `json:"verdict"`
	At        int64             `json:"at"` // Unix milliseconds, by the observer's clock
	Signature hearsay.Signature `json:"signature"`
}

// SeatsName is what a ruling about all seats is about.
const SeatsName = "seats"

// SeatName is what a ruling about one seat is about.
func SeatName(slot uint8) string { return fmt.Sprintf("seat %d", slot) }

// KeyName names a seed of which only the key is known, by its beginning.
func KeyName(key hearsay.PublicKey) string { return "key " + key.Short() }

// UnmetName names a seed of a slot of which only the key is known that the list
// pins: it may be the one that sits there, or an earlier one.
func UnmetName(slot uint8) string { return fmt.Sprintf("a seed in slot %d", slot) }

// Saver puts a ledger into the form in which it is saved, ruling by ruling.
type Saver struct {
	network  hearsay.NetworkID
	founding []SavedSeat
	first    hearsay.Epoch // of the rulings; 0: there is none yet
	last     hearsay.Epoch
	previous hearsay.Hash // of the ruling before the first
	recovers bool         // the ledger begins anew by one of them
	// of the rulings, from the first on: seats sign these, and one may have signed another ledger, too
	hashes []hearsay.Hash
}

// NewSaver begins with who sat where at first, or nil if that is not known.
func NewSaver(network hearsay.NetworkID, founding []SavedSeat) *Saver {
	return &Saver{network: network, founding: founding}
}

// founded reports whether who sits where follows from the founding.
func (s *Saver) founded() bool { return s.first == 1 && len(s.founding) > 0 }

// Ruling gives the next ruling in that form, and what was reported before it, if that is known. The names are the
// caller's, but for that of a newcomer.
func (s *Saver) Ruling(r *hearsay.Ruling, e *hearsay.Evidence) SavedRuling {
	if s.first == 0 {
		s.first, s.previous = r.Epoch, r.Previous
	}
	s.last, s.recovers = r.Epoch, s.recovers || r.Kind == hearsay.RulingRecover
	s.hashes = append(s.hashes, r.Hash(s.network))
	saved := savedRuling(s.network, r)
	if !bytes.Equal(saved.ruling(s.network, r.Previous).AppendBinary(nil), r.AppendBinary(nil)) {
		saved.Canonical = r.AppendBinary(nil)
	}
	if s.first == 1 {
		saved.Roster = hearsay.Hash{}
	}
	for i := range saved.Ballots {
		if s.founded() {
			saved.Ballots[i].Life = hearsay.Life{}
		}
	}
	if e != nil && e.Hash(s.network) == r.Evidence {
		saved.takeEvidence(r, e, s.network)
	}
	return saved
}

// takeEvidence has evidence stand for its hash, unless it is not about the member of the ruling.
func (s *SavedRuling) takeEvidence(r *hearsay.Ruling, e *hearsay.Evidence, network hearsay.NetworkID) {
	saved := &SavedEvidence{
		Incarnation: e.Incarnation, Round: e.Round, Accuser: e.Accuser, Suspected: e.Suspected, Condemned: e.Condemned,
		Observers: e.Observers, Needed: e.Needed, Statements: []SavedStatement{},
	}
	for i := range e.Statements {
		st := &e.Statements[i]
		saved.Statements = append(saved.Statements, SavedStatement{st.Observer, st.Verdict, st.At, st.Signature})
	}
	if saved.of(r.Stay.ID, r.Rule).Hash(network) == r.Evidence {
		s.Evidence, s.EvidenceHash = saved, hearsay.Hash{}
	}
}

// of gives the evidence against a member, by a rule.
func (e *SavedEvidence) of(subject hearsay.NodeID, rule hearsay.Rule) *hearsay.Evidence {
	out := &hearsay.Evidence{
		Subject: subject, Incarnation: e.Incarnation, Round: e.Round, Rule: rule, Accuser: e.Accuser,
		Suspected: e.Suspected, Condemned: e.Condemned, Observers: e.Observers, Needed: e.Needed,
	}
	for _, st := range e.Statements {
		out.Statements = append(out.Statements, hearsay.Statement{
			Subject: subject, Incarnation: e.Incarnation, Round: e.Round, Observer: st.Observer, Verdict: st.Verdict, At: st.At, Signature: st.Signature,
		})
	}
	return out
}

// End gives what is said besides the rulings: who sits where now, and what seats have signed.
func (s *Saver) End(seats []SavedSeat, heads []hearsay.Head) Saved {
	end := Saved{Network: s.network, Epoch: s.last, Founding: s.founding, Seats: []SavedSeat{}, Heads: []SavedHead{}}
	for _, seat := range seats {
		if seat.Life = (hearsay.Life{}); s.founded() {
			seat.Key = hearsay.PublicKey{}
		}
		end.Seats = append(end.Seats, seat)
	}
	if !s.founded() {
		end.Previous = s.previous
	}
	if s.first > 1 && !s.recovers && len(heads) > 0 && core.FoundingHash(s.network, seatsOf(s.founding)) != heads[0].Founding {
		end.Began = heads[0].Founding
	}
	for _, h := range heads {
		if h.Epoch < s.first {
			continue // it says nothing of these rulings
		}
		saved := SavedHead{Slot: h.Slot, Epoch: h.Epoch, Signature: h.Signature}
		if h.Epoch > s.last || h.Hash != s.hashes[h.Epoch-s.first] {
			saved.Hash = h.Hash
		}
		end.Heads = append(end.Heads, saved)
	}
	return end
}

// SaveSeats gives seats in the form in which they are saved.
func SaveSeats(seats []hearsay.Seat) (saved []SavedSeat) {
	for _, seat := range seats {
		saved = append(saved, SavedSeat{Slot: seat.Slot, Key: seat.Key, Life: seat.Life})
	}
	return saved
}

// seatsOf gives the seats that were saved.
func seatsOf(saved []SavedSeat) (seats []hearsay.Seat) {
	for _, s := range saved {
		seats = append(seats, hearsay.Seat{Slot: s.Slot, Key: s.Key, Life: s.Life})
	}
	return seats
}

// savedRuling puts all of a ruling into fields, as far as JSON can say it.
func savedRuling(network hearsay.NetworkID, r *hearsay.Ruling) SavedRuling {
	s := SavedRuling{
		Epoch: r.Epoch, Kind: r.Kind, Key: r.Key, Since: r.Stay.Epoch, At: Moment(r.At), Case: r.Case, Rule: r.Rule,
		EvidenceHash: r.Evidence, Seats: SaveSeats(r.Seats), Ballots: []SavedBallot{}, Roster: r.Roster,
	}
	if r.Key.IsZero() {
		s.ID = r.Stay.ID
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		c := &r.Claim
		if s.Since = 0; s.ID == core.GuestID(network, c.Card.Addr, core.Lines) {
			s.ID = hearsay.NodeID{}
		}
		s.Member, s.Addr, s.Role, s.Incarnation, s.Signature = c.Card.Name, c.Card.Addr, c.Card.Role, c.Incarnation, c.Card.Signature
	case hearsay.RulingLeave:
		s.Signature = r.Leave
	case hearsay.RulingSeat:
		if len(r.Seats) > 0 {
			s.Member = SeatName(r.Seats[0].Slot)
		}
	case hearsay.RulingRecover:
		s.Member = SeatsName
	}
	for i := range r.Ballots {
		b := &r.Ballots[i]
		s.Ballots = append(s.Ballots, SavedBallot{
			Slot: b.Slot, Life: b.Life, Verdict: b.Verdict, Why: b.Why, At: Moment(b.At), Signature: b.Signature,
		})
	}
	return s
}

// ruling gives the ruling that the fields say, but for what follows from others: that is as they have it.
func (s *SavedRuling) ruling(network hearsay.NetworkID, previous hearsay.Hash) *hearsay.Ruling {
	r := &hearsay.Ruling{
		Epoch: s.Epoch, Kind: s.Kind, Stay: hearsay.Stay{ID: s.ID, Epoch: s.Since}, Key: s.Key, Case: s.Case, Rule: s.Rule,
		Evidence: s.EvidenceHash, At: s.At.UnixMilli(), Previous: previous, Roster: s.Roster, Seats: seatsOf(s.Seats),
	}
	if !s.Key.IsZero() {
		r.Stay.ID = s.Key.NodeID()
	}
	ballotsOf := hearsay.Stay{}
	switch s.Kind {
	case hearsay.RulingAdmit:
		if s.Key.IsZero() && s.ID.IsZero() {
			r.Stay.ID = core.GuestID(network, s.Addr, core.Lines)
		}
		r.Stay.Epoch = s.Epoch
		r.Claim = hearsay.Claim{
			Subject: r.Stay.ID, State: hearsay.StateAlive, Incarnation: s.Incarnation,
			Card: hearsay.Card{Key: s.Key, Name: s.Member, Addr: s.Addr, Role: s.Role, Signature: s.Signature},
		}
		ballotsOf = hearsay.Stay{ID: r.Stay.ID}
	case hearsay.RulingRemove:
		ballotsOf = r.Stay
	case hearsay.RulingLeave:
		r.Leave = s.Signature
	}
	if s.Evidence != nil {
		r.Evidence = s.Evidence.of(r.Stay.ID, s.Rule).Hash(network)
	}
	about := r.About(network)
	for _, b := range s.Ballots {
		r.Ballots = append(r.Ballots, hearsay.Ballot{
			Case: s.Case, About: about, Stay: ballotsOf, Slot: b.Slot, Life: b.Life, Verdict: b.Verdict, Why: b.Why, At: b.At.UnixMilli(), Signature: b.Signature,
		})
	}
	return r
}

// Moment is Unix milliseconds by a seed's clock, held within the years that RFC 3339 and so JSON can write.
func Moment(unixMilli int64) time.Time {
	const last = 253_402_300_799_999 // the end of the year 9999
	return time.UnixMilli(min(max(0, unixMilli), last)).UTC()
}
