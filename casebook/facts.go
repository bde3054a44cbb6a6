package casebook

import (
	"net/netip"
	"time"

	"hearsay"
)

// Facts are what one node knows of a member, or of itself, at one moment. They are copies, and what they point to is
// never changed: they may be read beside the node's loop.
type Facts struct {
	Now    time.Time
	Teller hearsay.Member // the node that knows them
	Member hearsay.Member // the node that they are about
	Former string         // the name that was asked for, if Member has another now
	Bearer Bearer         // the last other node that had Member's name, and is out

	// Nobody has the name that was asked for: of Member that name is set, and of the rest only Seeded. NeedsDigits
	// is how many digits the beginning of an id needs, if the name may be one, and is shorter.
	Unknown     bool
	NeedsDigits int

	// Settings of the teller.
	ForgetAfter time.Duration // after it died or left a member is forgotten
	DeadHold    time.Duration // a member has so long to refute that it is dead
	RoundEvery  time.Duration // between two rounds of a suspicion
	Period      time.Duration // of the detector

	Way      Way                       // between the teller and the member
	Met      time.Time                 // when the teller first heard of the member
	Held     hearsay.State             // as which the teller lists it; 0: it does not
	Away     time.Time                 // until when it is away, as it has said; zero: it is not
	Events   []hearsay.Event           // what has happened to it, oldest first
	Evidence *hearsay.Evidence         // newest evidence against it, of an open network; nil: not here
	Suspect  Suspicion                 // if it is suspect
	Names    map[hearsay.NodeID]string // that the teller lists, of nodes named in events, evidence and seats

	Answered time.Time // when a member answered the teller last
	Blind    Blind
	Troubles []string // of the teller's whole process, in the driver's words, if the member is the teller

	Seeded *Seeded // nil: the network is open
}

// Blind is what keeps from the teller what happens elsewhere, and the time as of which it knows that. Zero times:
// nothing does.
type Blind struct {
	Unheard    time.Time // no packet of a member has come for long
	Unanswered time.Time // no member has answered for long
	Streamless time.Time // no stream, by which rulings come, gets out from the teller
	NoQuorum   time.Time // no quorum of seeds is heard, though one was
}

// CutOff reports whether the teller takes itself for cut off.
func (b *Blind) CutOff() bool { return !b.Unheard.IsZero() || !b.Unanswered.IsZero() }

// Bearer is a node that had a name before another one had it, as a peer that is started with an empty directory is
// another node. Zero: none is known.
type Bearer struct {
	ID    hearsay.NodeID
	Until time.Time     // it was out
	Epoch hearsay.Epoch // of the ruling that says so; 0: none is known, as in an open network
	State hearsay.State // dead or left
	More  int           // so many others had the name before it, that are known
}

// Way is what gets lost between the teller and a member that is well to others, as far as the teller knows. Zero times:
// nothing does.
type Way struct {
	Indirect   time.Time // since when it answers others, and not the teller
	Streamed   bool      // no datagrams get through, and all goes by stream
	Streamless time.Time // since when no stream gets to it, though datagrams do
	Narrow     time.Time // since when nothing large gets to it, though small packets do
}

// Cut reports whether something gets lost.
func (w *Way) Cut() bool { return *w != Way{} }

// Suspicion is what the observers of a suspect can do.
type Suspicion struct {
	Observers int
	Alive     int       // of them, as the teller lists them
	Majority  int       // of them
	RunsOut   time.Time // when it ends in any case, if no round decides, as its first accuser has it
	// likewise, as the teller has it that accuses it anew; else RunsOut
	OwnRunsOut time.Time
}

// Seeded is what a node knows of the seeds, and of what they have ruled about the member.
type Seeded struct {
	Seeds    []netip.AddrPort // the list of seeds, by slot
	Seats    []hearsay.Seat   // by slot; zero: not known
	Founding []hearsay.Seat   // who had the seats before all rulings, on a seed
	Seated   []hearsay.NodeID // nodes that have a seat now
	Listed   []hearsay.Member // seeds that the teller lists, former ones too

	Clocks []Clock // of the seeds, by slot
	// how far the teller's own clock is ahead of those of a quorum of seeds, or behind where it is negative; 0: it is
	// not, as far as is known
	ClockOff time.Duration

	Oldest, Epoch hearsay.Epoch     // the ledger in the teller's memory goes from the one to the other
	Rulings       []Ruling          // about the member, oldest first
	SeatRulings   []*hearsay.Ruling // about seats, oldest first

	Timing  Timing
	Ready   bool        // a quorum of seeds decides with this seed, or is heard by this peer
	Why     string      // what stands in the way, in the words of hearsay.Authority
	Since   time.Time   // when the quorum came together; zero: there is none
	Backs   []time.Time // likewise, of quorums that have removed members since
	Answers []Answer    // of the seeds to a peer that is not in, and asks to be

	AtSeed  bool // the teller is a seed
	Outside bool // it is a peer, and not in
	Leaves  bool // it has left
	Apart   bool // it follows a ledger that nobody else does

	Bar        *hearsay.Bar        // if the member is barred, and the teller is a seed
	Open       *Case               // against it, likewise
	Silence    *Silence            // of it to the teller's own probes, likewise
	Heard      time.Time           // it is a seed, and when the teller heard it last by stream; zero: not in this life
	Other      time.Time           // and Heard is zero: when something else has answered at its address last
	Silent     *hearsay.SeedStatus // it is a seed that is silent, as that says; nil: it is none, or not known to be
	Abstaining bool                // the teller cannot judge now, likewise
	Untaken    *hearsay.Untaken    // the report of the member, or of another, that no seed takes from this peer
}

// Clock is how a seed's clock differs now from those of a quorum of seeds or, where none are known to agree, from the
// teller's.
type Clock struct {
	Ahead    time.Duration // 0: it does not, as far as is known; negative: it is behind
	OfQuorum bool
}

// Ruling is one about the member, and its evidence: nil if it has none, or that is not here.
type Ruling struct {
	*hearsay.Ruling
	Brought *hearsay.Evidence
}

// Timing is what seeds wait for: see quorum.Config.
type Timing struct {
	Trial, ShortTrial, SilentFor, AdmitTimeout, ReportPause time.Duration

	Assumed bool // by a peer, which does not know what the seeds are set to
}

// Answer is a seed's newest answer to a peer that asks to be admitted.
type Answer struct {
	Name   string // of the seed; "": not known
	Addr   netip.AddrPort
	At     time.Time
	Since  time.Time           // it has answered the same
	Code   hearsay.OutcomeCode // 0: it did not answer in time
	Text   string              // why the peer is not in
	Reason hearsay.Reason      // of a refusal
}

// Case is one that is open about a removal.
type Case struct {
	ID      hearsay.CaseID
	Rule    hearsay.Rule
	Yes     int // ballots
	Needed  int
	Expires time.Time
}

// Silence is that of a member to a seed's own probes.
type Silence struct {
	Since time.Time
	After time.Duration // of silence the seed opens a case, from this time on:
	From  time.Time     // Since, or when the last case about it came to nothing, or a quorum of seeds was heard again
	Vain  bool          // it is the second of these
	// when it was suspect last since it is silent, as After is shorter while it is; zero: it was not, or is
	Freed time.Time
	By    time.Time // when that is over; zero: it decides nothing now
}
