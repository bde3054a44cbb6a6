package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// Limits of the ledger.
const (
	rulingsMax = 1000 // in one answer; Next says where it goes on
	rulingsLot = 100  // taken from a seed at a time, so that no more are in memory
	// tries to read what a peer has in memory, which may go meanwhile. A guess: it goes once in some hundred
	// rulings
	peerReads    = 3
	freshTimeout = 3 * time.Second // for a quorum of seeds to say that nothing is missing: a seed gives up after two
	// for the seeds to decide what an operator asks for: a case without evidence takes ten
	decideTimeout = 15 * time.Second
)

// Ledger is the answer of /v1/ledger: rulings in the order of their epochs, and what proves them. Package ledger has
// the form in which it is saved.
type Ledger struct {
	LedgerHead
	Rulings []Ruling `json:"rulings"`
}

// LedgerHead is what is said of a ledger besides its rulings.
type LedgerHead struct {
	// the newest that this node has; 0 in an open network, which has no ledger
	Epoch    hearsay.Epoch      `json:"epoch"`
	Proven   hearsay.Epoch      `json:"proven"`         // the newest that Heads prove, of a quorum of seats
	Network  hearsay.NetworkID  `json:"network"`        // hexadecimal
	Oldest   hearsay.Epoch      `json:"oldest"`         // of the rulings that this node has
	Quorum   int                `json:"quorum"`         // equal ballots, of the configured seeds
	Ready    bool               `json:"ready"`          // a quorum of seeds is heard; if not, rulings may be missing
	Next     hearsay.Epoch      `json:"next,omitempty"` // there are more rulings, from this epoch on
	Founding []ledger.SavedSeat `json:"founding,omitempty"`
	Seats    []ledger.SavedSeat `json:"seats"` // the life in each seat now
	Heads    []hearsay.Head     `json:"heads"` // the newest of each seat
}

// Ruling is one ruling: for people what was decided about which node, by which seeds; and Canonical,
// for machines, with all the rest.
type Ruling struct {
	Epoch     hearsay.Epoch      `json:"epoch"`
	Kind      hearsay.RulingKind `json:"kind"`
	Member    string             `json:"member"` // its name, or the beginning of its id; of a seat "seat N"
	ID        hearsay.NodeID     `json:"id,omitzero"`
	Since     hearsay.Epoch      `json:"since,omitzero"` // of the stay that it begins or ends
	At        time.Time          `json:"at"`
	Rule      string             `json:"rule,omitempty"` // remove
	Ballots   []Ballot           `json:"ballots"`
	Evidence  *hearsay.Evidence  `json:"evidence,omitempty"` // remove: what was reported, if this node has it
	Canonical []byte             `json:"canonical"`          // base64: what the ruling's hash covers
}

// Ballot is one that counted.
type Ballot struct {
	// the name or address of the seed whose it was, or KeyName
	Seed    string                `json:"seed"`
	Verdict hearsay.BallotVerdict `json:"verdict"`
	Reason  hearsay.Reason        `json:"reason,omitzero"`
	Why     string                `json:"why"` // in words
	At      time.Time             `json:"at"`
}

// Bars is the answer of GET /v1/bars.
type Bars struct {
	Bars []Bar `json:"bars"`
}

// Bar is a node that the seeds do not admit.
type Bar struct {
	ID   hearsay.NodeID `json:"id"`
	Name string         `json:"name,omitempty"` // if the seed has it in its roster or its ledger
	At   time.Time      `json:"at"`
	Why  string         `json:"why"`
}

// Barring is the body of POST /v1/bars.
type Barring struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// noFields is a JSON object without any.
type noFields struct{}

func (a *api) getAuthority(w http.ResponseWriter, _ *http.Request) *problem {
	authority := a.backend.Authority()
	if authority.Seeds == nil {
		authority.Seeds = []hearsay.SeedStatus{}
	}
	return answer(w, http.StatusOK, authority)
}

func (a *api) getLedger(w http.ResponseWriter, r *http.Request) *problem {
	from := hearsay.Epoch(1)
	if text := r.URL.Query().Get("from"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return badRequest("from=%q: want an epoch, a number from 1", text)
		}
		from = max(1, hearsay.Epoch(n))
	}
	var head LedgerHead
	var proof hearsay.LedgerProof
	if p := a.fresh(w, r, func() { head, proof = a.ledgerHead() }); p != nil {
		return p
	}
	return w.(*paced).large(&a.answers, r, func() *problem {
		read := a.lots(&head, &proof, &from)
		l := beginList(w, head, "rulings")
		endList(l, struct {
			Next hearsay.Epoch `json:"next,omitempty"`
		}{a.addRulings(l, &head, &proof, from, read)})
		return nil
	})
}

// fresh calls read: at once or, if the request says fresh=1, when nothing is
// missing here that the seeds have ruled before. That may take seconds, in which the request
// holds no place for a large answer.
func (a *api) fresh(w http.ResponseWriter, r *http.Request, read func()) *problem {
	switch text := r.URL.Query().Get("fresh"); text {
	case "", "0":
		read()
		return nil
	case "1":
	default:
		return badRequest("fresh=%q: want 1, or nothing", text)
	}
	switch authority := a.backend.Authority(); {
	case !authority.Seeded:
		return &problem{http.StatusConflict, "this network has no seeds, so it has no rulings and nothing can be fresh"}
	case a.backend.Self().Role != hearsay.RoleSeed:
		return &problem{http.StatusConflict, "this is a peer, and only seeds can tell whether nothing is missing: ask a seed, " + seedsOf(authority.Seeds) +
			`; without "fresh" this peer gives what it has`}
	}
	return w.(*paced).working(&a.seeds, r, bodyLenMax, func() *problem {
		ctx, cancel := context.WithTimeout(r.Context(), freshTimeout)
		defer cancel()
		if err := a.backend.Fresh(ctx, read); err != nil {
			return &problem{http.StatusServiceUnavailable, err.Error() + `: rulings may be missing here; without "fresh" this seed gives what it has`}
		}
		return nil
	})
}

// ledgerHead gives what is said of the ledger as it is now. What proves it is
// read before the epoch, so that it is about rulings that are there.
func (a *api) ledgerHead() (LedgerHead, hearsay.LedgerProof) {
	proof, authority := a.backend.Proof(), a.backend.Authority()
	if !authority.Seeded {
		return LedgerHead{Network: proof.Network, Seats: []ledger.SavedSeat{}, Heads: []hearsay.Head{}}, proof
	}
	h := LedgerHead{
		Epoch: authority.Epoch, Network: proof.Network, Oldest: proof.Oldest, Quorum: authority.Quorum, Ready: authority.Ready,
		Founding: seatsOf(proof.Founding, nil), Seats: seatsOf(proof.Seats, authority.Seeds), Heads: proof.Heads,
		Proven: provenBy(&proof, len(authority.Seeds), authority.Epoch),
	}
	if h.Heads == nil {
		h.Heads = []hearsay.Head{}
	}
	return h, proof
}

// reading gives the rulings from an epoch on, at most so many; none if they cannot be read.
type reading func(from hearsay.Epoch, most int) []hearsay.Ruling

// lots gives how the rulings of an answer are read. A seed has them on disk: they are taken a
// lot at a time. A peer keeps them in memory only, and forgets the oldest as new ones
// come: so they are taken at once, before anything is written of the answer, with the head
// that they belong to.
func (a *api) lots(head *LedgerHead, proof *hearsay.LedgerProof, from *hearsay.Epoch) reading {
	*from = max(*from, proof.Oldest, 1)
	if a.backend.Self().Role == hearsay.RoleSeed {
		return func(from hearsay.Epoch, most int) []hearsay.Ruling { return a.backend.Ledger(from-1, most) }
	}
	var all []hearsay.Ruling
	for range peerReads {
		if all = a.backend.Ledger(*from-1, rulingsMax); len(all) > 0 || *from > head.Epoch {
			break
		}
		*head, *proof = a.ledgerHead() // it has forgotten that epoch meanwhile
		*from = max(*from, proof.Oldest, 1)
	}
	first := *from
	return func(from hearsay.Epoch, most int) []hearsay.Ruling {
		rest := all[min(len(all), int(from-first)):]
		return rest[:min(len(rest), most)]
	}
}

// addRulings adds the rulings from an epoch on, up to the epoch of the head, as
// many as go in one answer, and gives the epoch from which there are more, if so.
func (a *api) addRulings(l *listWriter, head *LedgerHead, proof *hearsay.LedgerProof, from hearsay.Epoch, read reading) (next hearsay.Epoch) {
	if head.Epoch == 0 {
		return 0
	}
	words := a.words(a.backend.Authority().Seeds)
	for left := rulingsMax; from <= head.Epoch; {
		if left == 0 {
			return from
		}
		rulings := read(from, min(left, int(min(head.Epoch-from+1, rulingsLot))))
		if len(rulings) == 0 || rulings[0].Epoch != from {
			l.fail(&problem{http.StatusInternalServerError, "the disk does not give a ruling that is there"})
			return 0
		}
		words.seatKeys = a.seatKeys.upTo(a.backend, proof, from-1, rulings)
		for i := range rulings {
			if !addItem(l, a.ruling(&rulings[i], words)) {
				return 0
			}
		}
		left, from = left-len(rulings), rulings[len(rulings)-1].Epoch+1
	}
	return 0
}

func seatsOf(seats []hearsay.Seat, seeds []hearsay.SeedStatus) []ledger.SavedSeat {
	list := ledger.SaveSeats(seats)
	for i := range list {
		if s := &list[i]; int(s.Slot) < len(seeds) {
			s.Addr, s.Name = seeds[s.Slot].Addr.String(), seeds[s.Slot].Name
		}
	}
	return list
}

// ruling puts a ruling into its JSON form.
func (a *api) ruling(r *hearsay.Ruling, w *words) Ruling {
	out := Ruling{
		Epoch: r.Epoch, Kind: r.Kind, ID: r.Stay.ID, Since: r.Stay.Epoch, At: ledger.Moment(r.At), Ballots: []Ballot{},
		Canonical: r.AppendBinary(nil),
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		w.names[r.Stay.ID] = r.Claim.Card.Name
	case hearsay.RulingSeat, hearsay.RulingRecover:
		out.Member = ledger.SeatsName
		if r.Kind == hearsay.RulingSeat && len(r.Seats) > 0 {
			out.Member = ledger.SeatName(r.Seats[0].Slot)
		}
	case hearsay.RulingRemove:
		out.Rule = r.Rule.String()
		if !r.Evidence.IsZero() {
			if e, known := a.backend.Evidence(r.Epoch); known {
				out.Evidence = &e
			}
		}
	}
	if out.Member == "" {
		out.Member = a.nameIn(r, w)
	}
	for i := range r.Ballots {
		b := &r.Ballots[i]
		out.Ballots = append(out.Ballots, Ballot{w.seed(b), b.Verdict, b.Why.Reason, b.Why.String(), ledger.Moment(b.At)})
	}
	return out
}

// nameIn gives the name of the member that a ruling is about: as this node lists it, as
// the ruling that admitted it says, or the beginning of its id.
func (a *api) nameIn(r *hearsay.Ruling, w *words) string {
	if name := w.names[r.Stay.ID]; name != "" {
		return name
	}
	name := r.Stay.ID.Short()
	if r.Stay.Epoch > 0 {
		for _, admitted := range a.backend.Ledger(r.Stay.Epoch-1, 1) {
			if admitted.Stay == r.Stay && admitted.Kind == hearsay.RulingAdmit {
				name = admitted.Claim.Card.Name
			}
		}
	}
	w.names[r.Stay.ID] = name
	return name
}

// postRemove opens a case against a member. The seeds decide, each by its own
// probes: a member that answers them stays in.
func (a *api) postRemove(w http.ResponseWriter, r *http.Request) *problem {
	name := r.PathValue("name")
	if err := hearsay.CheckName(name); err != nil {
		return badRequest("%v", err)
	}
	if _, p := body[noFields](w, r, "no fields"); p != nil {
		return p
	}
	ctx, cancel := context.WithTimeout(r.Context(), decideTimeout)
	defer cancel()
	outcome, err := a.backend.Remove(ctx, name)
	if err != nil {
		return problemOf(err)
	}
	return answer(w, http.StatusOK, Outcome{
		Kind: outcome.Kind, ID: outcome.Stay.ID, Since: outcome.Stay.Epoch, Code: outcome.Code.String(),
		Yes: int(outcome.Yes), Needed: int(outcome.Needed), Text: outcome.Text, QuorumHeard: a.backend.Authority().Ready,
		AwayUntil: a.awayUntil(outcome.Stay.ID),
	})
}

// awayUntil gives until when a member has said that it is away; zero if it has not.
func (a *api) awayUntil(id hearsay.NodeID) time.Time {
	members := a.backend.Members()
	if i := slices.IndexFunc(members, func(m hearsay.Member) bool { return m.ID == id }); i >= 0 {
		return members[i].AwayUntil
	}
	return time.Time{}
}

// Outcome is the answer of POST /v1/members/{name}/remove.
type Outcome struct {
	Kind  hearsay.RulingKind `json:"kind"`
	ID    hearsay.NodeID     `json:"id"`
	Since hearsay.Epoch      `json:"since,omitzero"` // of the stay
	// "done", "pending", "refused", "wait"; "lost": no seed was reached
	Code   string `json:"code"`
	Yes    int    `json:"yes"` // ballots that were counted
	Needed int    `json:"needed"`
	Text   string `json:"text,omitempty"` // why, if it is not done

	// QuorumHeard tells, as this node has it, whether a quorum of seeds decides
	// now. Without one nothing is decided: what is open waits.
	QuorumHeard bool `json:"quorum_heard"`

	// AwayUntil tells, likewise, until when the member is away, as it has said: until then the
	// seeds open no case.
	AwayUntil time.Time `json:"away_until,omitzero"`
}

func (a *api) getBars(w http.ResponseWriter, r *http.Request) *problem {
	if p := a.refusePeer(); p != nil {
		return p
	}
	var barred []hearsay.Bar
	if p := a.fresh(w, r, func() { barred = a.backend.Barred() }); p != nil {
		return p
	}
	return w.(*paced).large(&a.answers, r, func() *problem {
		list := Bars{Bars: []Bar{}}
		for _, b := range barred {
			list.Bars = append(list.Bars, Bar{ID: b.ID, Name: b.Name, At: ledger.Moment(b.At), Why: b.Why})
		}
		return answer(w, http.StatusOK, list)
	})
}

// refusePeer refuses what only seeds know.
func (a *api) refusePeer() *problem {
	authority := a.backend.Authority()
	switch {
	case !authority.Seeded:
		return &problem{http.StatusConflict, "this network has no seeds: any node may be in, and none can be barred"}
	case a.backend.Self().Role != hearsay.RoleSeed:
		return &problem{http.StatusConflict, "this is a peer, and the seeds keep the list of barred nodes: ask a seed, " + seedsOf(authority.Seeds)}
	}
	return nil
}

// seedsOf names the seeds. Where each serves HTTP this node does not know, and where it gossips no client can ask.
func seedsOf(seeds []hearsay.SeedStatus) string {
	text := ""
	for i := range seeds {
		if text != "" {
			text += " or "
		}
		text += cmp.Or(seeds[i].Name, "that of "+seeds[i].Addr.String())
	}
	return text + `, at the address of its page (its --http; "hearsay up" prints it)`
}

func (a *api) postBar(w http.ResponseWriter, r *http.Request) *problem {
	asked, p := body[Barring](w, r, `"name" and "why"`)
	if p != nil {
		return p
	}
	if err := hearsay.CheckName(asked.Name); err != nil {
		return badRequest("%v", err)
	}
	if err := hearsay.CheckWhy(asked.Why); err != nil {
		return badRequest("why: %v", err)
	}
	before := a.backend.Barred()
	done := func() Status {
		if grown := addedTo(before, a.backend.Barred()); grown {
			return Status{Status: "barred"}
		}
		known := Status{Status: "barred before"}
		for _, b := range before {
			if b.Name == asked.Name || strings.HasPrefix(b.ID.String(), strings.ToLower(asked.Name)) {
				known.Why = b.Why
			}
		}
		return known
	}
	return a.decided(w, r, done, func(ctx context.Context) error {
		return a.backend.Bar(ctx, asked.Name, asked.Why)
	})
}

func (a *api) deleteBar(w http.ResponseWriter, r *http.Request) *problem {
	name := r.PathValue("name")
	if err := hearsay.CheckName(name); err != nil {
		return badRequest("%v", err)
	}
	before := a.backend.Barred()
	done := func() Status {
		if shrunk := addedTo(a.backend.Barred(), before); shrunk {
			return Status{Status: "lifted"}
		}
		return Status{Status: "not barred"}
	}
	return a.decided(w, r, done, func(ctx context.Context) error { return a.backend.Lift(ctx, name) })
}

// addedTo reports whether a list of bars has some that another lacks.
func addedTo(lacks, has []hearsay.Bar) bool {
	return slices.ContainsFunc(has, func(b hearsay.Bar) bool {
		return !slices.ContainsFunc(lacks, func(o hearsay.Bar) bool { return o.ID == b.ID })
	})
}

// decided has the seeds decide something, and says when they have, what that
// has done.
func (a *api) decided(w http.ResponseWriter, r *http.Request, done func() Status, ask func(context.Context) error) *problem {
	if p := a.refusePeer(); p != nil {
		return p
	}
	ctx, cancel := context.WithTimeout(r.Context(), decideTimeout)
	defer cancel()
	if err := ask(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) && !a.backend.Authority().Ready {
			return &problem{http.StatusServiceUnavailable, err.Error() + "; no quorum of seeds is heard"}
		}
		return problemOf(err)
	}
	return answer(w, http.StatusOK, done())
}
