package ledger

import (
	"iter"
	"reflect"
	"slices"
	"strings"

	"hearsay"
	"hearsay/internal/core"
)

// Verified is what came of a check of a saved ledger.
type Verified struct {
	Network  hearsay.NetworkID `json:"network"`
	From     hearsay.Epoch     `json:"from"`
	To       hearsay.Epoch     `json:"to"`
	Proven   hearsay.Epoch     `json:"proven"`   // heads of a quorum of seats cover the rulings up to this one
	Signers  int               `json:"signers"`  // seats whose heads do
	Founding bool              `json:"founding"` // checked from the founding on
	// after the last ruling; -1: not known, as the beginning is missing
	Members   int          `json:"members"`
	Ballots   int          `json:"ballots"`   // signatures of ballots that were checked
	Unchecked int          `json:"unchecked"` // ballots of seats whose key at that time is not in the file
	Pinned    int          `json:"pinned"`    // seats whose key the seeds' list pins
	Seats     []SavedSeat  `json:"seats"`     // at the end
	Head      hearsay.Hash `json:"head"`      // the hash of the last ruling
	Evidence  int          `json:"evidence"`  // removals of which it was checked
	// rulings by the word of one seed alone, after a quorum was lost for ever
	Recoveries []hearsay.Epoch `json:"recoveries"`
	ByKind     map[string]int  `json:"by_kind"`
	Wrong      *Finding        `json:"-"` // the first thing that is wrong; nil: it holds
	Open       []Finding       `json:"-"` // what the file does not prove
}

// Verify checks a saved ledger: each ruling was decided as it must be and changes what it may, the heads of a quorum
// of seats are of these rulings, and the names in it agree. The rulings are gone through twice, as what proves them
// may stand behind them, and are not kept. Pins are the keys that the seats must have, by slot (zero: any), or nil.
// The signer only verifies. An error is one of reading.
func Verify(saved *Saved, rulings iter.Seq2[*SavedRuling, error], pins []hearsay.PublicKey, signer hearsay.Signer) (Verified, error) {
	a := &audit{
		saved: saved, signer: signer, in: hearsay.LedgerID{Network: saved.Network},
		signed: make(map[hearsay.Epoch]hearsay.Hash), seedName: make(map[hearsay.PublicKey]string),
		found: Verified{Network: saved.Network, Recoveries: []hearsay.Epoch{}, Members: -1, ByKind: make(map[string]int)},
	}
	for i := range saved.Heads {
		a.signed[saved.Heads[i].Epoch] = hearsay.Hash{}
	}
	if err := a.skim(rulings); err != nil {
		return a.found, err
	}
	wrong := a.begin()
	for s, err := range rulings {
		if err != nil {
			return a.found, err
		}
		if wrong == nil {
			wrong = a.ruling(s)
		}
		if wrong != nil {
			break
		}
	}
	for _, check := range []func() *Finding{a.heads, a.ends, func() *Finding { return a.pinned(pins) }} {
		if wrong == nil {
			wrong = check()
		}
	}
	if a.found.Wrong = wrong; wrong == nil {
		a.sumUp()
	}
	return a.found, nil
}

// lackingShown is how many epochs of removals without evidence are listed.
const lackingShown = 10

// audit checks one saved ledger.
type audit struct {
	saved    *Saved
	signer   hearsay.Signer
	in       hearsay.LedgerID               // that signatures name; a zero founding: not known
	whole    bool                           // from epoch 1 on: the roster is known
	seats    []hearsay.Seat                 // as of the ruling that is checked; a zero key: not known
	last     []hearsay.Seat                 // as of the last ruling
	reseated [hearsay.MaxSeeds]bool         // by slot: some ruling gives it
	recovers bool                           // the ledger begins anew by some ruling
	members  Members                        // whose admissions are in the file, as of the ruling that is checked
	previous hearsay.Hash                   // of the ruling before
	signed   map[hearsay.Epoch]hearsay.Hash // of the rulings that heads are of
	seedName map[hearsay.PublicKey]string   // what the file calls seeds that sit nowhere at its end
	nameless int                            // departures of those whose admission is not in the file
	lacking  []hearsay.Epoch                // the first removals whose evidence is not in the file
	lacks    int                            // how many there are
	odd      int                            // statements that their observers have not signed in this ledger
	found    Verified
}

func wrong(epoch hearsay.Epoch, code Code, args ...any) *Finding { return &Finding{code, epoch, args} }

func (a *audit) open(code Code, args ...any) {
	a.found.Open = append(a.found.Open, Finding{Code: code, Args: args})
}

// skim notes of the rulings what must be known before they are checked.
func (a *audit) skim(rulings iter.Seq2[*SavedRuling, error]) error {
	for s, err := range rulings {
		if err != nil {
			return err
		}
		if a.found.From == 0 {
			a.found.From, a.whole = s.Epoch, s.Epoch == 1
			a.found.Founding = a.whole && len(a.saved.Founding) > 0
			a.last = seatsOf(a.saved.Seats)
			if a.found.Founding {
				a.last = seatsOf(a.saved.Founding)
			}
		}
		switch s.Kind {
		case hearsay.RulingSeat:
			a.reseat(s.Seats)
		case hearsay.RulingRecover:
			a.reseat(s.Seats)
			a.last, a.recovers = seatsOf(s.Seats), true
		}
	}
	return nil
}

func (a *audit) reseat(seats []SavedSeat) {
	for _, seat := range seatsOf(seats) {
		if int(seat.Slot) < min(len(a.last), len(a.reseated)) {
			a.last[seat.Slot], a.reseated[seat.Slot] = seat, true
		}
	}
}

// begin sees who sat where at first.
func (a *audit) begin() *Finding {
	if a.found.From == 0 {
		return wrong(0, Empty)
	}
	for _, list := range [][]SavedSeat{a.saved.Seats, a.saved.Founding} {
		for i := range list {
			if int(list[i].Slot) != i {
				return wrong(0, SeatsMisplaced, list[i].Slot, i)
			}
		}
	}
	if n := len(a.saved.Seats); n == 0 || n > hearsay.MaxSeeds || len(a.saved.Founding) > hearsay.MaxSeeds {
		return wrong(0, SeatsMany, max(n, len(a.saved.Founding)))
	}
	founding := hearsay.Hash{}
	if len(a.saved.Founding) > 0 {
		founding = core.FoundingHash(a.saved.Network, seatsOf(a.saved.Founding))
	}
	a.previous = a.saved.Previous
	if a.found.Founding {
		if !a.previous.IsZero() && a.previous != founding {
			return wrong(1, FoundingOther, founding, a.previous)
		}
		a.seats, a.previous, a.in.Founding = seatsOf(a.saved.Founding), founding, founding
		return nil
	}
	a.seats = seatsOf(a.saved.Seats)
	for slot := range a.seats {
		a.seats[slot].Life = hearsay.Life{}
		if a.reseated[slot] { // who sat there before it changed hands is not in the file
			a.seats[slot].Key = hearsay.PublicKey{}
		}
	}
	switch {
	case a.whole:
		a.in.Founding = a.previous
		a.open(FoundingMissing)
		return nil
	case !a.saved.Began.IsZero():
		a.in.Founding = a.saved.Began
	default:
		a.in.Founding = founding
	}
	if a.in.Founding.IsZero() {
		a.open(BeganMissing)
	}
	a.open(BeginningMissing, a.found.From)
	return nil
}

// ruling checks the next ruling.
func (a *audit) ruling(s *SavedRuling) *Finding {
	want := a.found.From
	if a.found.To > 0 {
		want = a.found.To + 1
	}
	if s.Epoch != want {
		return wrong(want, Misplaced, s.Epoch)
	}
	r, f := a.read(s)
	if f == nil {
		f = a.seedNames(s)
	}
	if f == nil {
		f = a.decided(r, s)
	}
	if f != nil {
		return f
	}
	if a.whole {
		roster := a.members.Hash(a.saved.Network)
		if !r.Roster.IsZero() && r.Roster != roster {
			return wrong(r.Epoch, RosterOther)
		}
		r.Roster, a.found.Members = roster, a.members.Count
	}
	a.previous = r.Hash(a.saved.Network)
	if r.Kind == hearsay.RulingRecover {
		a.in.Founding = a.previous
	}
	if _, is := a.signed[want]; is {
		a.signed[want] = a.previous
	}
	a.found.ByKind[r.Kind.String()]++
	a.found.To, a.found.Head = want, a.previous
	return nil
}

// read gives the ruling that a saved one is. What its fields say is held to what a ruling may be as its bytes are.
func (a *audit) read(s *SavedRuling) (*hearsay.Ruling, *Finding) {
	text, failed := s.Canonical, NotCanonical
	if len(text) == 0 {
		text, failed = s.ruling(a.saved.Network, a.previous).AppendBinary(nil), NoRuling
	}
	reader := core.NewCanonical(text)
	r := reader.Ruling()
	switch {
	case r == nil || reader.Left() > 0 || r.Previous != a.previous:
		return nil, wrong(s.Epoch, failed)
	case len(s.Canonical) > 0 && !s.says(a.saved.Network, r):
		return nil, wrong(s.Epoch, Worded)
	}
	for i := range r.Ballots {
		if b := &r.Ballots[i]; b.Life.IsZero() && int(b.Slot) < len(a.seats) {
			b.Life = a.seats[b.Slot].Life
		}
	}
	if s.Evidence != nil && s.Evidence.of(r.Stay.ID, r.Rule).Hash(a.saved.Network) != r.Evidence || !s.EvidenceHash.IsZero() && s.EvidenceHash != r.Evidence {
		return nil, wrong(s.Epoch, EvidenceOther)
	}
	called := savedRuling(a.saved.Network, r).Member
	if called != "" && s.Member != called {
		return nil, wrong(s.Epoch, Misnamed, s.Member, called)
	}
	return r, nil
}

// says reports whether the fields are those of a ruling, as far as they are there.
func (s *SavedRuling) says(network hearsay.NetworkID, r *hearsay.Ruling) bool {
	words, given := savedRuling(network, r), *s
	given.Canonical, given.Evidence, given.EvidenceHash, given.Roster, words.EvidenceHash, words.Roster = nil, nil, hearsay.Hash{}, hearsay.Hash{}, hearsay.Hash{}, hearsay.Hash{}
	if words.Member == "" {
		words.Member = given.Member
	}
	if len(given.Ballots) != len(words.Ballots) {
		return false
	}
	given.Ballots = append([]SavedBallot{}, given.Ballots...)
	for i := range given.Ballots {
		words.Ballots[i].Seed = given.Ballots[i].Seed
		if given.Ballots[i].Life.IsZero() {
			words.Ballots[i].Life = hearsay.Life{}
		}
	}
	return reflect.DeepEqual(given, words)
}

// decided checks that a ruling was decided as it must be, and what it changes.
func (a *audit) decided(r *hearsay.Ruling, s *SavedRuling) *Finding {
	switch r.Kind {
	case hearsay.RulingAdmit:
		if f := a.ballots(r, hearsay.Stay{ID: r.Stay.ID}); f != nil {
			return f
		}
		return a.admit(r)
	case hearsay.RulingRemove:
		if f := a.ballots(r, r.Stay); f != nil {
			return f
		}
		if f := a.evidence(r, s.Evidence); f != nil {
			return f
		}
		return a.depart(r, s)
	case hearsay.RulingLeave:
		leave := core.Leave{Stay: r.Stay, Signature: r.Leave}
		if !a.in.Founding.IsZero() && !leave.Verify(a.in, a.signer, r.Key) {
			return wrong(r.Epoch, LeaveForged)
		}
		return a.depart(r, s)
	case hearsay.RulingSeat:
		if len(r.Seats) != 1 || int(r.Seats[0].Slot) >= len(a.seats) {
			return wrong(r.Epoch, NoSuchSeat)
		}
		if f := a.ballots(r, hearsay.Stay{}); f != nil {
			return f
		}
		a.seats[r.Seats[0].Slot] = r.Seats[0]
	case hearsay.RulingRecover:
		if len(r.Seats) == 0 || len(r.Seats) > hearsay.MaxSeeds {
			return wrong(r.Epoch, SeatsRecovered, len(r.Seats))
		}
		for i := range r.Seats {
			if int(r.Seats[i].Slot) != i {
				return wrong(r.Epoch, SeatsMisplaced, r.Seats[i].Slot, i)
			}
		}
		a.seats = slices.Clone(r.Seats)
		a.found.Recoveries = append(a.found.Recoveries, r.Epoch)
	}
	return nil
}

// ballots checks that a quorum of the seats has signed a yes to just this.
func (a *audit) ballots(r *hearsay.Ruling, stay hearsay.Stay) *Finding {
	about, needed := r.About(a.saved.Network), hearsay.QuorumOf(len(a.seats))
	var cast []uint8
	for i := range r.Ballots {
		b := &r.Ballots[i]
		switch {
		case int(b.Slot) >= len(a.seats):
			return wrong(r.Epoch, BallotOfNoSeat, b.Slot)
		case slices.Contains(cast, b.Slot):
			return wrong(r.Epoch, BallotTwice, b.Slot)
		case b.Verdict != hearsay.BallotYes || b.Case != r.Case || b.Stay != stay || b.About != about:
			return wrong(r.Epoch, BallotOther, b.Slot)
		}
		switch seat := a.seats[b.Slot]; {
		case seat.Key.IsZero() || a.in.Founding.IsZero():
			a.found.Unchecked++
		case !seat.Life.IsZero() && b.Life != seat.Life:
			return wrong(r.Epoch, BallotLife, b.Slot)
		case !b.Verify(a.in, a.signer, seat.Key):
			return wrong(r.Epoch, BallotForged, b.Slot)
		default:
			a.found.Ballots++
		}
		cast = append(cast, b.Slot)
	}
	if len(cast) < needed {
		return wrong(r.Epoch, BallotsFew, len(cast), len(a.seats), needed)
	}
	return nil
}

// admit begins a stay.
func (a *audit) admit(r *hearsay.Ruling) *Finding {
	switch c := &r.Claim; {
	case r.Stay.Epoch != r.Epoch || c.Subject != r.Stay.ID || c.Card.Key != r.Key:
		return wrong(r.Epoch, StayOther)
	case c.Card.Key.IsZero() && core.GuestDialect(a.saved.Network, c.Card.Addr, c.Subject) == 0:
		return wrong(r.Epoch, GuestOther)
	case !c.Card.Key.IsZero() && !c.Verify(a.saved.Network, a.signer):
		return wrong(r.Epoch, ClaimForged)
	case a.members.Get(r.Stay.ID) != nil:
		return wrong(r.Epoch, AlreadyIn)
	}
	a.members.Add(Member{r.Stay, r.Claim})
	return nil
}

// depart ends a stay.
func (a *audit) depart(r *hearsay.Ruling, s *SavedRuling) *Finding {
	m := a.members.Get(r.Stay.ID)
	switch {
	case m == nil && a.whole, m != nil && (m.Stay != r.Stay || m.Claim.Card.Key != r.Key):
		return wrong(r.Epoch, NoStay)
	case m == nil:
		a.nameless++
		return nil
	case s.Member != m.Claim.Card.Name:
		return wrong(r.Epoch, Misnamed, s.Member, m.Claim.Card.Name)
	}
	a.members.Remove(r.Stay.ID)
	return nil
}

// evidence checks what was reported, where the file has it: that it is enough by the rule of the ruling. How many
// observers there were, and which, each seed has counted by its own roster. It passes over statements of others,
// whatever is wrong with them: the reporter may add some. So a statement that is not signed is told of, and counts
// for nothing here.
func (a *audit) evidence(r *hearsay.Ruling, saved *SavedEvidence) *Finding {
	switch observed := r.Rule.Observed(); {
	case observed && r.Evidence.IsZero():
		return wrong(r.Epoch, EvidenceNone, r.Rule)
	case !observed && !r.Evidence.IsZero():
		return wrong(r.Epoch, EvidenceOdd, r.Rule)
	case !observed:
		return nil
	case saved == nil:
		if a.lacks++; a.lacks <= lackingShown {
			a.lacking = append(a.lacking, r.Epoch)
		}
		return nil
	}
	e := saved.of(r.Stay.ID, r.Rule)
	against := e.Against()
	for i := range e.Statements {
		st := &e.Statements[i]
		if m := a.members.Get(st.Observer); m != nil && !a.in.Founding.IsZero() && !st.Verify(a.in, a.signer, m.Claim.Card.Key) {
			if a.odd++; st.Verdict == hearsay.VerdictUnreachable {
				against--
			}
		}
	}
	switch {
	case e.Rule == hearsay.RuleMajority && against == 0:
		return wrong(r.Epoch, EvidenceFor)
	case e.Rule == hearsay.RuleTimeout && e.Reachable() > 0: // how many are against it makes no difference
		return wrong(r.Epoch, EvidenceReached, e.Reachable())
	}
	a.found.Evidence++
	return nil
}

// seedNames sees that ballots are called by the name or the address of the seat
// that has their key at the end; those of a key that sits nowhere then by that key,
// or all by one name.
func (a *audit) seedNames(s *SavedRuling) *Finding {
	for i := range s.Ballots {
		b := &s.Ballots[i]
		if int(b.Slot) >= len(a.seats) || a.seats[b.Slot].Key.IsZero() || b.Seed == UnmetName(b.Slot) {
			continue // there is nothing to compare, or it claims nothing
		}
		key := a.seats[b.Slot].Key
		if at := slices.IndexFunc(a.last, func(seat hearsay.Seat) bool { return seat.Key == key }); at >= 0 && at < len(a.saved.Seats) {
			if called := &a.saved.Seats[at]; b.Seed != called.Name && b.Seed != called.Addr {
				return wrong(s.Epoch, BallotMisnamed, b.Slot, b.Seed, called.Name)
			}
			continue
		}
		if b.Seed == KeyName(key) {
			continue
		}
		before, met := a.seedName[key]
		if met && before != b.Seed || strings.HasPrefix(b.Seed, "key ") {
			if before == "" {
				before = KeyName(key)
			}
			return wrong(s.Epoch, BallotMisnamed, b.Slot, b.Seed, before)
		}
		a.seedName[key] = b.Seed
	}
	return nil
}

// heads checks that the seats of the end have signed the ledger, and up to where a
// quorum of them has.
func (a *audit) heads() *Finding {
	newest := make([]hearsay.Epoch, len(a.seats))
	for i := range a.saved.Heads {
		h := &a.saved.Heads[i]
		if int(h.Slot) >= len(a.seats) {
			return wrong(0, HeadOfNoSeat, h.Slot)
		}
		key := a.seats[h.Slot].Key
		if h.Epoch < a.found.From || key.IsZero() {
			continue // of rulings that are not in the file
		}
		hash := h.Hash
		if h.Epoch <= a.found.To {
			hash = a.signed[h.Epoch]
		}
		other := !h.Hash.IsZero() && h.Hash != hash
		if other {
			hash = h.Hash
		}
		full := hearsay.Head{Founding: a.in.Founding, Epoch: h.Epoch, Hash: hash, Slot: h.Slot, Signature: h.Signature}
		switch {
		case !full.Verify(a.saved.Network, a.signer, key):
			return wrong(h.Epoch, HeadForged, h.Slot, hash)
		case other: // it proves something of that seat, and nothing of these rulings
			a.open(HeadOther, h.Slot, h.Epoch)
		case h.Epoch > a.found.To:
			a.open(HeadBeyond, h.Slot, h.Epoch, a.found.To)
		default:
			newest[h.Slot] = max(newest[h.Slot], h.Epoch)
		}
	}
	a.found.Proven = ProvenBy(newest)
	for _, epoch := range newest {
		if epoch > 0 && epoch >= a.found.Proven {
			a.found.Signers++
		}
	}
	if a.found.Proven == 0 {
		return wrong(0, NotProven, a.found.Signers, len(newest), hearsay.QuorumOf(len(newest)))
	}
	return nil
}

// ProvenBy gives the epoch up to which a quorum of seats has signed a ledger, given up to which each has. It sorts
// them.
func ProvenBy(newest []hearsay.Epoch) hearsay.Epoch {
	if len(newest) == 0 {
		return 0
	}
	slices.Sort(newest)
	return newest[len(newest)-hearsay.QuorumOf(len(newest))]
}

// ends sees that what the file says of its end is what the rulings came to.
func (a *audit) ends() *Finding {
	if a.saved.Epoch != a.found.To {
		return wrong(0, EpochOther, a.saved.Epoch, a.found.To)
	}
	if len(a.saved.Seats) != len(a.seats) {
		return wrong(0, SeatsMany, len(a.saved.Seats))
	}
	for i, s := range a.saved.Seats {
		seat := &a.seats[i]
		if s.Key != seat.Key && !(a.found.Founding && s.Key.IsZero()) || s.Life != seat.Life && !s.Life.IsZero() {
			return wrong(0, SeatOther, i)
		}
		s.Key, s.Life = seat.Key, seat.Life
		a.found.Seats = append(a.found.Seats, s)
	}
	return nil
}

// pinned compares the keys with those that the user knows.
func (a *audit) pinned(pins []hearsay.PublicKey) *Finding {
	if pins != nil && len(pins) != len(a.seats) {
		return wrong(0, PinsMany, len(pins), len(a.seats))
	}
	for slot, pin := range pins {
		switch {
		case pin.IsZero():
		case pin == a.seats[slot].Key, slot < len(a.saved.Founding) && pin == a.saved.Founding[slot].Key:
			a.found.Pinned++ // a seat that changed hands since was given by a quorum
		default:
			return wrong(0, PinOther, slot)
		}
	}
	return nil
}

// sumUp says what the file leaves open.
func (a *audit) sumUp() {
	named := false
	for _, name := range a.seedName { // order does not matter: any will do
		named = named || name != ""
	}
	for i := range a.saved.Seats {
		named = named || a.saved.Seats[i].Name != "" || a.saved.Seats[i].Addr != ""
	}
	f := &a.found
	for _, one := range []struct {
		so   bool
		code Code
		args []any
	}{
		{named, SeedsNamed, nil},
		{a.nameless > 0, MembersNamed, []any{a.nameless}},
		{a.lacks > 0, EvidenceMissing, []any{a.lacks, a.lacking}},
		{a.odd > 0, StatementsOdd, []any{a.odd}},
		{f.Unchecked > 0, BallotsUnchecked, []any{f.Unchecked}},
		{f.Proven < f.To, NotProvenYet, []any{f.Proven + 1, f.To}},
	} {
		if one.so {
			a.open(one.code, one.args...)
		}
	}
	for _, epoch := range f.Recoveries {
		a.open(Recovered, epoch)
	}
	if f.Pinned < hearsay.QuorumOf(len(a.seats)) {
		a.open(NotPinned)
	}
}
