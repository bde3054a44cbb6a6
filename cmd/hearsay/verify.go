package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/seeds"
	"hearsay/web"
)

func newVerify() *cobra.Command {
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a saved ledger, without asking anybody",
		Long: `Check a ledger that "hearsay ledger --json" has saved; FILE - is standard input.
It asks nobody. What it proves:

  every ruling is what it was when it was ruled: its hash covers all of it and the
  ruling before, and heads that a quorum of seeds signed cover the last
  every admission, removal and change of a seat has the signed ballots of a
  quorum, about just that; every leave is signed by its member
  the rosters follow from the rulings, each stay begins once and ends once
  what the file says of a ruling in words is what was ruled: kind, member, times,
  rule, verdicts and reasons; its newest and its proven epoch are those of its
  rulings and heads

What it cannot prove by itself: that the keys are those of your seeds, since
an author of a made-up ledger makes up keys too. For that, give the seeds' list with
pinned keys (--config), or compare the keys that are printed. Nobody signs names
and addresses of seeds: they are the word of the node that saved the file, and
checked only to agree, each ballot's with the seat that has its key. What else
the file leaves open stands under "Not proven by this file": evidence or names
that it lacks, epochs that no quorum has signed yet.

Exit code 1 and the first wrong epoch, if something is wrong.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			saved, err := openSaved(cmd.InOrStdin(), args[0])
			if err != nil {
				return fmt.Errorf("verify %s: %w", args[0], err)
			}
			defer saved.close()
			a := newAudit(saved)
			if config != "" {
				list, err := seeds.Load(config)
				if err != nil {
					return fmt.Errorf("verify %s: read the seeds: %w", args[0], err)
				}
				a.pins = list.Seeds
			}
			if err := a.check(); err != nil {
				return fmt.Errorf("verify %s: %w", args[0], err)
			}
			if asJSON {
				_, err = io.WriteString(cmd.OutOrStdout(), jsonLine(a.found))
				return err
			}
			return a.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the seeds' list; keys that it pins must be the ledger's")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// findings are what a check came to.
type findings struct {
	OK          bool              `json:"ok"`
	Network     hearsay.NetworkID `json:"network"`
	From        hearsay.Epoch     `json:"from"`
	To          hearsay.Epoch     `json:"to"`
	Proven      hearsay.Epoch     `json:"proven"`    // heads of a quorum of seats cover the rulings up to this one
	Founding    bool              `json:"founding"`  // checked from the founding on
	Members     int               `json:"members"`   // after the last ruling; -1: not known, as the beginning is missing
	Ballots     int               `json:"ballots"`   // signatures of ballots that were checked
	Unchecked   int               `json:"unchecked"` // ballots of seats whose key at that time is not in the file
	Pinned      int               `json:"pinned"`    // seats whose key the seeds' list pins
	Seats       []web.Seat        `json:"seats"`
	Head        hearsay.Hash      `json:"head"` // the hash of the last ruling
	Evidence    int               `json:"evidence"`
	Recoveries  []hearsay.Epoch   `json:"recoveries"` // rulings by the word of one seed alone, after a quorum was lost for ever
	Incomplete  []string          `json:"incomplete"` // what could not be checked
	ByKind      map[string]int    `json:"by_kind"`
	signedHeads int               // of seats, that cover all up to Proven
}

// audit checks one saved ledger.
type audit struct {
	saved    *savedLedger
	pins     []seeds.Seed
	verifier *hearsay.Identity
	ledger   hearsay.LedgerID                                 // that signatures name; a zero founding: not known
	seats    []hearsay.Seat                                   // as of the ruling that is checked; a zero key: not known
	stays    [hearsay.RosterBuckets]map[hearsay.NodeID]member // by the first byte of their ids
	names    map[hearsay.Stay]string
	buckets  [hearsay.RosterBuckets]hearsay.Hash // of the stays, by the first byte of their ids
	signed   map[hearsay.Epoch]hearsay.Hash      // of the rulings that heads are of
	whole    bool                                // from the founding on: the roster is known
	lacking  lacking                             // removals whose evidence is not in the file
	nameless int                                 // departures of those whose admission is not in the file
	seedName map[hearsay.PublicKey]string        // what the file calls seeds that sit nowhere now
	found    findings
}

// member is who is in, as of the ruling that is checked.
type member struct {
	stay hearsay.Stay
	key  hearsay.PublicKey
}

func newAudit(saved *savedLedger) *audit {
	signed := make(map[hearsay.Epoch]hearsay.Hash)
	for i := range saved.Heads {
		signed[saved.Heads[i].Epoch] = hearsay.Hash{}
	}
	return &audit{
		signed: signed,
		saved:  saved, ledger: hearsay.LedgerID{Network: saved.Network}, verifier: hearsay.NewIdentity([32]byte{}), // it only verifies
		names: make(map[hearsay.Stay]string), seedName: make(map[hearsay.PublicKey]string),
		found: findings{Network: saved.Network, ByKind: make(map[string]int), Recoveries: []hearsay.Epoch{}, Incomplete: []string{}},
	}
}

// epochError says which epoch is wrong.
func epochError(epoch hearsay.Epoch, format string, args ...any) error {
	return fmt.Errorf("epoch %d is wrong: %w", epoch, fmt.Errorf(format, args...))
}

// check checks everything, and fails at the first epoch that is wrong.
func (a *audit) check() error {
	if err := a.begin(); err != nil {
		return err
	}
	want, previous := a.saved.first.Epoch, a.saved.first.Previous
	err := a.saved.rulings(func(saved *web.Ruling) error {
		r, err := a.decode(saved, want)
		if err == nil && r.Previous != previous {
			err = epochError(want, "it does not follow the ruling before it, whose hash is %s; it names %s", previous, r.Previous)
		}
		if err == nil {
			err = a.ruling(r, saved)
		}
		if err != nil {
			return err
		}
		previous = r.Hash(a.saved.Network)
		if _, is := a.signed[want]; is {
			a.signed[want] = previous
		}
		a.found.ByKind[r.Kind.String()]++
		want++
		return nil
	})
	if err != nil {
		return err
	}
	a.found.From, a.found.To, a.found.Head = a.saved.first.Epoch, want-1, previous
	if err := a.heads(); err != nil {
		return err
	}
	if err := a.figures(); err != nil {
		return err
	}
	return a.end()
}

// begin sees who sat where at first.
func (a *audit) begin() error {
	first := &a.saved.first
	now, err := seatsOf(a.saved.Seats)
	if err != nil {
		return fmt.Errorf("seats: %w", err)
	}
	founding, err := seatsOf(a.saved.Founding)
	if err != nil {
		return fmt.Errorf("founding: %w", err)
	}
	if len(now) == 0 || len(now) > hearsay.MaxSeeds {
		return fmt.Errorf("seats: %d of them; want 1 to %d", len(now), hearsay.MaxSeeds)
	}
	if len(founding) > 0 && first.Epoch == 1 {
		if hash := hearsay.FoundingHash(a.saved.Network, founding); hash != first.Previous {
			return epochError(1, "it does not follow the founding that the file tells of, whose hash is %s; it names %s", hash, first.Previous)
		}
		a.found.Founding, a.whole, a.seats, a.ledger.Founding = true, true, founding, first.Previous
		return nil
	}
	a.whole = first.Epoch == 1
	a.ledger.Founding = a.beginning(first.Epoch, first.Previous, founding)
	a.seats = now
	for _, seat := range a.saved.reseated { // who sat there before it changed hands is not in the file
		if int(seat.Slot) < len(a.seats) {
			a.seats[seat.Slot] = hearsay.Seat{Slot: seat.Slot}
		}
	}
	if first.Epoch == 1 {
		a.found.Incomplete = append(a.found.Incomplete, "who sat where at the founding is not in the file, as a seed saves it and a peer does not")
	} else {
		a.found.Incomplete = append(a.found.Incomplete, fmt.Sprintf("the rulings before epoch %d are not in the file: who was in then, and that it all began rightly, is taken on trust in the heads", first.Epoch))
	}
	return nil
}

// beginning gives the founding that the first signatures name. If the file begins
// later, its heads name it; but if the ledger was recovered within the file they name
// that, and a seed's file tells of the founding. Zero: it is not known.
func (a *audit) beginning(first hearsay.Epoch, previous hearsay.Hash, founding []hearsay.Seat) hearsay.Hash {
	switch {
	case first == 1:
		return previous
	case !a.saved.recovers && len(a.saved.Heads) > 0:
		return a.saved.Heads[0].Founding
	case len(founding) > 0:
		return hearsay.FoundingHash(a.saved.Network, founding)
	}
	a.found.Incomplete = append(a.found.Incomplete, "which founding the first rulings are of is not in the file: their signatures were not checked")
	return hearsay.Hash{}
}

func seatsOf(saved []web.Seat) ([]hearsay.Seat, error) {
	seats := make([]hearsay.Seat, len(saved))
	for i, s := range saved {
		seats[i].Slot = uint8(i)
		if s.Slot != i {
			return nil, fmt.Errorf("slot %d stands in the place of %d", s.Slot, i)
		}
		if s.Key == "" {
			continue
		}
		if n, err := hex.Decode(seats[i].Key[:], []byte(s.Key)); err != nil || n != len(seats[i].Key) || len(s.Key) != 2*n {
			return nil, fmt.Errorf("slot %d: %q is no key", i, s.Key)
		}
		if n, err := hex.Decode(seats[i].Life[:], []byte(s.Life)); err != nil || n != len(seats[i].Life) || len(s.Life) != 2*n {
			return nil, fmt.Errorf("slot %d: %q is no life", i, s.Life)
		}
	}
	return seats, nil
}

// decode takes the ruling that the words are about, and sees that they say
// what it says.
func (a *audit) decode(saved *web.Ruling, want hearsay.Epoch) (*hearsay.Ruling, error) {
	if saved.Epoch != want {
		return nil, epochError(want, "the ruling of epoch %d stands in its place", saved.Epoch)
	}
	reader := hearsay.NewCanonical(saved.Canonical)
	r := reader.Ruling()
	if r == nil || reader.Failed() || reader.Left() > 0 {
		return nil, epochError(want, "its canonical bytes are no ruling")
	}
	for _, claim := range []struct {
		what string
		ok   bool
	}{
		{"epoch", saved.Epoch == r.Epoch},
		{"kind", saved.Kind == r.Kind},
		{"id", saved.ID == r.Stay.ID},
		{"since", saved.Since == r.Stay.Epoch},
		{"case", saved.Case == r.Case},
		{"at", saved.At.UnixMilli() == r.At},
		{"rule", saved.Rule == "" && r.Kind != hearsay.RulingRemove || saved.Rule == r.Rule.String()},
		{"ballots", sameBallots(saved.Ballots, r.Ballots)},
		{"evidence_hash", saved.EvidenceHash == r.Evidence},
		{"evidence", saved.Evidence == nil || saved.Evidence.Hash(a.saved.Network) == r.Evidence},
		{"hash", saved.Hash == r.Hash(a.saved.Network)},
		{"previous", saved.Previous == r.Previous},
		{"addr", saved.Addr == "" && r.Kind != hearsay.RulingAdmit || saved.Addr == r.Claim.Card.Addr.String()},
		{"member", rightMember(saved.Member, r)},
	} {
		if !claim.ok {
			return nil, epochError(want, "its %q says something else than what was ruled", claim.what)
		}
	}
	return r, nil
}

// ruling checks that a ruling was decided as it must be, and what it changes.
func (a *audit) ruling(r *hearsay.Ruling, saved *web.Ruling) error {
	if err := a.seedNames(r, saved); err != nil {
		return err
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		if err := a.ballots(r, hearsay.Stay{ID: r.Stay.ID}); err != nil {
			return err
		}
		return a.admit(r)
	case hearsay.RulingRemove:
		if err := a.ballots(r, r.Stay); err != nil {
			return err
		}
		if saved.Evidence == nil && !r.Evidence.IsZero() {
			a.lacking.note(r.Epoch)
		}
		if err := a.evidence(r, saved.Evidence); err != nil {
			return err
		}
		return a.depart(r, saved)
	case hearsay.RulingLeave:
		leave := hearsay.Leave{Stay: r.Stay, Signature: r.Leave}
		if !a.ledger.Founding.IsZero() && !leave.Verify(a.ledger, a.verifier, r.Key) {
			return epochError(r.Epoch, "the leave is not signed by its member")
		}
		return a.depart(r, saved)
	case hearsay.RulingSeat:
		if len(r.Seats) != 1 || int(r.Seats[0].Slot) >= len(a.seats) {
			return epochError(r.Epoch, "it gives no seat that there is")
		}
		if err := a.ballots(r, hearsay.Stay{}); err != nil {
			return err
		}
		a.seats[r.Seats[0].Slot] = r.Seats[0]
	case hearsay.RulingRecover:
		if len(r.Seats) == 0 || len(r.Seats) > hearsay.MaxSeeds {
			return epochError(r.Epoch, "it names %d seats", len(r.Seats))
		}
		a.seats, a.ledger.Founding = slices.Clone(r.Seats), r.Hash(a.saved.Network)
		a.found.Recoveries = append(a.found.Recoveries, r.Epoch)
	}
	return a.roster(r)
}

// ballots checks that a quorum of the seats has signed a yes to just this.
func (a *audit) ballots(r *hearsay.Ruling, stay hearsay.Stay) error {
	about, needed := r.About(a.saved.Network), hearsay.QuorumOf(len(a.seats))
	var cast []uint8
	for i := range r.Ballots {
		b := &r.Ballots[i]
		switch {
		case int(b.Slot) >= len(a.seats):
			return epochError(r.Epoch, "a ballot of seat %d, which there is not", b.Slot)
		case slices.Contains(cast, b.Slot):
			return epochError(r.Epoch, "seat %d has cast two ballots", b.Slot)
		case b.Verdict != hearsay.BallotYes || b.Case != r.Case || b.Stay != stay || b.About != about:
			return epochError(r.Epoch, "the ballot of seat %d is about something else", b.Slot)
		}
		switch seat := a.seats[b.Slot]; {
		case seat.Key.IsZero() || a.ledger.Founding.IsZero():
			a.found.Unchecked++
		case !seat.Life.IsZero() && b.Life != seat.Life:
			return epochError(r.Epoch, "the ballot of seat %d is of another life than sits there", b.Slot)
		case !b.Verify(a.ledger, a.verifier, seat.Key):
			return epochError(r.Epoch, "the ballot of seat %d is not signed by its seed", b.Slot)
		default:
			a.found.Ballots++
		}
		cast = append(cast, b.Slot)
	}
	if len(cast) < needed {
		return epochError(r.Epoch, "%d ballots of %d seats; a quorum is %d", len(cast), len(a.seats), needed)
	}
	return nil
}

// admit begins a stay.
func (a *audit) admit(r *hearsay.Ruling) error {
	c := &r.Claim
	switch {
	case r.Stay.Epoch != r.Epoch || c.Subject != r.Stay.ID || c.Card.Key != r.Key:
		return epochError(r.Epoch, "the stay is not that of the member that it admits")
	case c.Card.Key.IsZero() && c.Subject != hearsay.GuestID(a.saved.Network, c.Card.Addr):
		return epochError(r.Epoch, "a guest under an identity that is not its address's")
	case !c.Card.Key.IsZero() && !c.Verify(a.saved.Network, a.verifier):
		return epochError(r.Epoch, "the claim is not signed by the member that it admits")
	}
	part := &a.stays[r.Stay.ID[0]]
	if _, in := (*part)[r.Stay.ID]; in {
		return epochError(r.Epoch, "it admits one who is in")
	}
	if *part == nil {
		*part = make(map[hearsay.NodeID]member)
	}
	(*part)[r.Stay.ID], a.names[r.Stay] = member{r.Stay, r.Key}, c.Card.Name
	a.found.Members++
	return a.roster(r)
}

// depart ends a stay.
func (a *audit) depart(r *hearsay.Ruling, saved *web.Ruling) error {
	m, in := a.stays[r.Stay.ID[0]][r.Stay.ID]
	if in && (m.stay != r.Stay || m.key != r.Key) || !in && a.whole {
		return epochError(r.Epoch, "it ends a stay that is not")
	}
	name, known := a.names[r.Stay]
	if !known {
		a.nameless++
	} else if saved.Member != name {
		return epochError(r.Epoch, "its \"member\" is called %q, and was admitted as %q", saved.Member, name)
	}
	delete(a.stays[r.Stay.ID[0]], r.Stay.ID)
	delete(a.names, r.Stay)
	a.found.Members--
	return a.roster(r)
}

// roster checks the hash of all stays after a ruling.
func (a *audit) roster(r *hearsay.Ruling) error {
	if !a.whole {
		return nil
	}
	at := r.Stay.ID[0]
	var stays []hearsay.Stay
	for _, m := range a.stays[at] {
		stays = append(stays, m.stay)
	}
	slices.SortFunc(stays, func(a, b hearsay.Stay) int { return a.ID.Compare(b.ID) })
	a.buckets[at] = hearsay.HashBucket(stays)
	if hash := hearsay.HashRoster(a.saved.Network, &a.buckets); hash != r.Roster {
		return epochError(r.Epoch, "the roster that follows from the rulings is not the one that it names")
	}
	return nil
}

// evidence checks what was reported, where the file has it: that it is by the
// rule of the ruling, and the statements of observers whose keys the ledger has
// told. How many observers there were, each seed has counted by its own roster.
func (a *audit) evidence(r *hearsay.Ruling, e *hearsay.Evidence) error {
	switch observed := r.Rule.Observed(); {
	case observed && r.Evidence.IsZero():
		return epochError(r.Epoch, "it removes by the rule %s, and names no evidence", r.Rule)
	case !observed && !r.Evidence.IsZero():
		return epochError(r.Epoch, "it removes by the rule %s, and names evidence", r.Rule)
	case e == nil:
		return nil
	case e.Subject != r.Stay.ID:
		return epochError(r.Epoch, "its evidence is about another")
	case e.Rule != r.Rule:
		return epochError(r.Epoch, "its evidence is by the rule %s, and it removes by %s", e.Rule, r.Rule)
	case e.Rule == hearsay.RuleMajority && e.Against() == 0:
		return epochError(r.Epoch, "it removes by a majority of observers, and none is against its member")
	case e.Rule == hearsay.RuleTimeout && e.Reachable() > 0: // how many are against it makes no difference
		return epochError(r.Epoch, "it removes because a suspicion ran out, and %d observers reached its member", e.Reachable())
	}
	for i := range e.Statements {
		s := &e.Statements[i]
		m, known := a.stays[s.Observer[0]][s.Observer]
		if !known || a.ledger.Founding.IsZero() {
			continue
		}
		if s.Subject != e.Subject || s.Incarnation != e.Incarnation || s.Round != e.Round || !s.Verify(a.ledger, a.verifier, m.key) {
			return epochError(r.Epoch, "a statement in its evidence is not what its observer %s signed", s.Observer.Short())
		}
	}
	a.found.Evidence++
	return nil
}

// heads checks that the seats of now have signed the ledger, and up to where a
// quorum of them has.
func (a *audit) heads() error {
	first := a.found.From
	newest := make([]hearsay.Epoch, len(a.seats))
	for i := range a.saved.Heads {
		h := &a.saved.Heads[i]
		if int(h.Slot) >= len(a.seats) {
			return fmt.Errorf("a head of seat %d, which there is not", h.Slot)
		}
		seat := a.seats[h.Slot]
		switch {
		case h.Epoch < first || seat.Key.IsZero():
			continue // of rulings that are not in the file
		case !h.Verify(a.saved.Network, a.verifier, seat.Key):
			return epochError(h.Epoch, "the head of seat %d is not signed by its seed", h.Slot)
		case h.Epoch > a.found.To:
			a.found.Incomplete = append(a.found.Incomplete, fmt.Sprintf("what was ruled up to epoch %d: seat %d has signed a head of it, and the file ends with epoch %d", h.Epoch, h.Slot, a.found.To))
			continue
		case h.Founding != a.ledger.Founding:
			return epochError(h.Epoch, "the head of seat %d is of another founding: %s", h.Slot, h.Founding)
		case h.Hash != a.signed[h.Epoch]:
			return epochError(h.Epoch, "the head of seat %d is of another ledger: it has signed the hash %s", h.Slot, h.Hash)
		}
		newest[h.Slot] = max(newest[h.Slot], h.Epoch)
	}
	slices.Sort(newest)
	slices.Reverse(newest)
	a.found.Proven = newest[hearsay.QuorumOf(len(newest))-1]
	for _, epoch := range newest {
		if epoch > 0 && epoch >= a.found.Proven {
			a.found.signedHeads++
		}
	}
	if a.found.Proven == 0 {
		return fmt.Errorf("no quorum of seeds has signed it: heads of %d of %d, and %d are needed", a.found.signedHeads, len(newest), hearsay.QuorumOf(len(newest)))
	}
	return nil
}

// end compares the keys with those that the user knows, and sums up.
func (a *audit) end() error {
	f := &a.found
	for i := range a.saved.Seats {
		if s := &a.saved.Seats[i]; a.seats[i].Key.IsZero() != (s.Key == "") || s.Key != "" && hex.EncodeToString(a.seats[i].Key[:]) != s.Key {
			return fmt.Errorf("seats: the key of seat %d is not the one that the rulings gave it", i)
		}
	}
	if a.pins != nil && len(a.pins) != len(a.seats) {
		return fmt.Errorf("the list has %d seeds, and the ledger %d", len(a.pins), len(a.seats))
	}
	for slot, pin := range a.pins {
		founded, _ := seatsOf(a.saved.Founding)
		switch {
		case pin.Key.IsZero():
		case pin.Key == a.seats[slot].Key, len(founded) > slot && pin.Key == founded[slot].Key:
			f.Pinned++ // a seat that changed hands since was given by a quorum
		default:
			return fmt.Errorf("the list pins another key for %s than sits in seat %d: this is not the ledger of these seeds", pin.Addr, slot)
		}
	}
	f.OK, f.Seats = true, a.saved.Seats
	f.Incomplete = append(f.Incomplete, a.unsigned()...)
	if !a.whole {
		f.Members = -1
	}
	if f.Unchecked > 0 {
		f.Incomplete = append(f.Incomplete, counted(f.Unchecked, "ballot is of a seat that has changed hands since, and its key of then is", "ballots are of seats that have changed hands since, and their keys of then are")+" not in the file")
	}
	if f.Proven < f.To {
		f.Incomplete = append(f.Incomplete, fmt.Sprintf("epochs %d to %d are not signed by a quorum of seats yet", f.Proven+1, f.To))
	}
	for _, epoch := range f.Recoveries {
		f.Incomplete = append(f.Incomplete, fmt.Sprintf("at epoch %d one seed began anew by its own word, because the quorum was lost", epoch))
	}
	if needed := hearsay.QuorumOf(len(a.seats)); f.Pinned < needed {
		f.Incomplete = append(f.Incomplete, "that these keys are your seeds': pin them as third column of a seeds' list and give that with --config, or compare them")
	}
	return nil
}

// print tells what a check came to.
func (a *audit) print(out io.Writer) error {
	f := &a.found
	fmt.Fprintf(out, "The ledger of network %s holds from epoch %d to %d", f.Network, f.From, f.To)
	for _, kind := range []hearsay.RulingKind{hearsay.RulingAdmit, hearsay.RulingRemove, hearsay.RulingLeave, hearsay.RulingSeat, hearsay.RulingRecover} {
		if n := f.ByKind[kind.String()]; n > 0 {
			fmt.Fprintf(out, ", %d %s", n, kind)
		}
	}
	fmt.Fprintf(out, ".\n%s checked; heads of %d of %d seats prove it up to epoch %d", counted(f.Ballots, "signed ballot was", "signed ballots were"), f.signedHeads, len(a.seats), f.Proven)
	if f.Members >= 0 {
		fmt.Fprintf(out, "; %s in at its end", counted(f.Members, "member is", "members are"))
	}
	fmt.Fprintf(out, ".\n\n")
	table := newTable(out)
	fmt.Fprintln(table, "SEAT\tKEY\tADDRESS\tNAME")
	for _, s := range f.Seats {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", s.Slot, orDash(s.Key), orDash(s.Addr), orDash(s.Name))
	}
	table.Flush()
	if len(f.Incomplete) > 0 {
		fmt.Fprintln(out, "\nNot proven by this file:")
		for _, text := range f.Incomplete {
			fmt.Fprintf(out, "  %s\n", text)
		}
	}
	return nil
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
