// Package petition is what a peer asks of the seeds: to be in, that somebody
// unreachable be out, and that its own stay is over. It asks until the ledger
// says so, one seed or a few at a time, and another as soon as one fails.
package petition

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// Limits per node.
const maxReports = 64 // members that are being reported

// Config are the knobs of petitions.
type Config struct {
	// for one seed's answer; default 2 s (the old peers' timeout); must exceed Answer of the seeds
	Patience    time.Duration
	RetryMin    time.Duration // after no seed of all admitted this node; default 500 ms, doubled each time
	RetryMax    time.Duration // up to this; default 5 s
	RefusedWait time.Duration // after a seed refused; default 10 s: a bar may be lifted
	ReportEvery time.Duration // between two reports of one member that is not ruled yet; default 2 s
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		Patience:    2 * time.Second,
		RetryMin:    500 * time.Millisecond,
		RetryMax:    5 * time.Second,
		RefusedWait: 10 * time.Second,
		ReportEvery: 2 * time.Second,
	}
}

// Petitions are what one node asks. What it wants done goes to out.
type Petitions struct {
	cfg    Config
	seeds  []netip.AddrPort
	random *rand.Rand
	out    *core.Effects
	stats  *hearsay.Stats

	registration registration
	answers      []Answer // by seed
	reports      []*report
	noQuorum     bool      // every seed refused the last report: one report is sent per ReportEvery until one is accepted
	turn         int       // of the reports, when one is brought for all
	retryAt      time.Time // and not before
	questions    []question
	leave        *core.Leave
	leaveAt      time.Time
	leaveDone    []bool    // by seed: it has said that this node's stay is over
	ruledAt      time.Time // of the last ruling that was heard of
}

// failFor is for how long this node must have asked to be in when it tells that no seed admits it: while a network is
// founded all answer so. A guess.
const failFor = 3 * time.Second

// registration is asking for admission.
type registration struct {
	wanted    bool
	withdrawn bool  // it was wanted, and is not any more
	told      bool  // that this sweep has come to nothing, if it is to be told
	order     []int // seeds not asked yet in this sweep
	asked     []asked
	sweeps    int // that have admitted nobody
	began     time.Time
	sweptAt   time.Time // when the last sweep began
	nextAt    time.Time
	refused   bool // a seed has refused in it
	// why a seed did not admit, in this sweep: the last that answered, or, if none did, the last of all
	last  string
	of    netip.AddrPort
	heard bool // one answered
}

// failed notes why a seed did not admit. Who was not reached is not the reader's
// problem as long as another says what is.
func (g *registration) failed(of netip.AddrPort, why string, heard bool) {
	if heard || !g.heard {
		g.last, g.of, g.heard = why, of, heard
	}
}

// asked is a seed whose answer is awaited.
type asked struct {
	addr  netip.AddrPort
	until time.Time
}

// report is asking for a removal.
type report struct {
	stay     hearsay.Stay
	evidence *hearsay.Evidence
	seed     int // the last asked
	askedAt  time.Time
	askAt    time.Time
	open     bool            // the last asked has not answered
	lost     int             // seeds that did not take it, one after the other
	untaken  hearsay.Untaken // Since zero: the last asked has taken it, or none has answered yet
}

// never is later than any time that comes.
var never = time.Unix(1<<36, 0)

// New makes the petitions of a node that knows these seeds.
func New(cfg Config, seeds []netip.AddrPort, random *rand.Rand, stats *hearsay.Stats, out *core.Effects) *Petitions {
	t := &Petitions{cfg: cfg, seeds: seeds, random: random, stats: stats, out: out, leaveAt: never}
	t.answers = make([]Answer, len(seeds))
	t.forgetAnswers()
	return t
}

// Quorum is floor(n/2)+1 of the seeds: so many are asked at a time.
func (t *Petitions) Quorum() int { return hearsay.QuorumOf(len(t.seeds)) }

// Register asks for admission until Admitted.
func (t *Petitions) Register(now time.Time) {
	if t.registration.wanted {
		return
	}
	t.registration = registration{wanted: true, began: now, nextAt: now}
	if t.ruledAt.IsZero() {
		t.ruledAt = now
	}
	t.forgetAnswers()
	t.Tick(now)
}

// Admitted ends the registration.
func (t *Petitions) Admitted() { t.registration = registration{} }

// Withdraw asks for admission no more. What was asked may come to it yet: see Pending.
func (t *Petitions) Withdraw() {
	g := &t.registration
	g.withdrawn = g.wanted
	g.wanted, g.order = false, nil
}

// Pending reports whether what was asked, and withdrawn, may yet come to an admission: a seed has not
// answered, or has taken it up lately.
func (t *Petitions) Pending(now time.Time) bool {
	taken := func(a Answer) bool {
		return (a.Code == hearsay.OutcomePending || a.Code == hearsay.OutcomeDone) && now.Sub(a.At) < pendingFor
	}
	return t.registration.withdrawn && (len(t.registration.asked) > 0 || slices.ContainsFunc(t.answers, taken))
}

// pendingFor is how long a seed tries a node that it has taken up: quorum.DefaultConfig's AdmitTimeout,
// and some for the way.
const pendingFor = 6 * time.Second

// Registering reports whether this node asks for admission.
func (t *Petitions) Registering() bool { return t.registration.wanted }

// Report brings evidence against a stay to the seeds, until it is Settled.
// Newer evidence takes the place of older.
func (t *Petitions) Report(now time.Time, stay hearsay.Stay, evidence *hearsay.Evidence) {
	i := slices.IndexFunc(t.reports, func(r *report) bool { return r.stay == stay })
	if i >= 0 {
		t.reports[i].evidence = evidence
		return
	}
	if len(t.reports) >= maxReports {
		t.stats.Drops[hearsay.DropTableFull]++
		return
	}
	r := &report{stay: stay, evidence: evidence, seed: t.random.IntN(len(t.seeds))}
	t.reports = append(t.reports, r)
	t.askReport(now, r)
}

// Settled tells that a node is reachable again, or away: it is reported no more.
func (t *Petitions) Settled(id hearsay.NodeID) {
	t.reports = slices.DeleteFunc(t.reports, func(r *report) bool { return r.stay.ID == id })
}

// Over tells that a ruling has ended a stay: it is reported no more, and if it is this node's, its leave is over.
func (t *Petitions) Over(stay hearsay.Stay) {
	t.Settled(stay.ID)
	if t.leave != nil && t.leave.Stay == stay {
		t.leave, t.leaveAt = nil, never
	}
}

// Ruled tells that seeds have ruled just now. If none had for RetryMax a quorum may have been lost: registration asks
// at once, and reports that no seed took are brought. After each ruling of a crowd all would ask together. A node that
// was refused asks because its bar may have been lifted, once in RetryMax at most: anybody may cause rulings.
func (t *Petitions) Ruled(now time.Time) {
	back := now.Sub(t.ruledAt) >= t.cfg.RetryMax
	if t.ruledAt = now; !back {
		return
	}
	if g := &t.registration; g.wanted && g.sweeps > 0 {
		soonest := now.Add(time.Duration(t.random.Int64N(int64(t.cfg.RetryMin))))
		if again := g.sweptAt.Add(t.cfg.RetryMax); g.refused && again.After(soonest) {
			soonest = again
		}
		g.nextAt, g.sweeps = when.Earlier(g.nextAt, soonest), 1
	}
	if t.noQuorum {
		t.retryAt = now
		for _, r := range t.reports {
			r.askAt = now
		}
	}
}

// Prune ends the reports of stays that are over: a node that gets a whole roster is
// not told of each.
func (t *Petitions) Prune(in func(hearsay.Stay) bool) {
	t.reports = slices.DeleteFunc(t.reports, func(r *report) bool { return !in(r.stay) })
}

// Leave tells the seeds that this node's stay is over, until it is Over. Where this node does not hear the ruling,
// the word of a quorum of seeds ends it: that of one seed may be anybody's with its address.
func (t *Petitions) Leave(now time.Time, l *core.Leave) {
	t.registration, t.reports = registration{}, nil
	t.leave, t.leaveAt, t.leaveDone = l, now, make([]bool, len(t.seeds))
	t.Tick(now)
}

// Leaving reports whether it is not known yet that this node's stay is over.
func (t *Petitions) Leaving() bool { return t.leave != nil }

// Deadline is when Tick must be called next.
func (t *Petitions) Deadline() time.Time {
	at := t.leaveAt
	g := &t.registration
	if g.wanted && len(g.asked) == 0 {
		at = when.Earlier(at, g.nextAt)
	}
	for i := range g.asked {
		at = when.Earlier(at, g.asked[i].until)
	}
	for _, r := range t.reports {
		at = when.Earlier(at, r.askAt)
	}
	for i := range t.questions {
		at = when.Earlier(at, t.questions[i].until)
	}
	return at
}

// Tick lets time pass.
func (t *Petitions) Tick(now time.Time) {
	t.dropLate(now)
	if t.registration.wanted {
		t.tickRegistration(now)
	}
	t.tickReports(now)
	t.tickQuestions(now)
	if !now.Before(t.leaveAt) {
		t.leaveAt = now.Add(t.cfg.Patience)
		for _, addr := range t.seeds {
			t.send(addr, &core.Depart{Leave: *t.leave})
		}
	}
}

// dropLate waits no longer for seeds that have not answered in time.
func (t *Petitions) dropLate(now time.Time) {
	g := &t.registration
	for i := len(g.asked) - 1; i >= 0; i-- {
		if !now.Before(g.asked[i].until) {
			g.failed(g.asked[i].addr, noAnswer, false)
			t.noteAnswer(now, g.asked[i].addr, &hearsay.Outcome{Text: noAnswer})
			g.asked = slices.Delete(g.asked, i, i+1)
		}
	}
}

// tickRegistration keeps as many seeds asked as are a quorum, each once in a
// sweep, in random order.
func (t *Petitions) tickRegistration(now time.Time) {
	g := &t.registration
	if len(g.order) == 0 && len(g.asked) == 0 {
		t.tellSweep(now)
		if now.Before(g.nextAt) {
			return
		}
		g.order, g.heard, g.told = t.random.Perm(len(t.seeds)), false, false
		g.sweptAt, g.refused = now, false
		g.nextAt = now.Add(min(t.cfg.RetryMin<<min(g.sweeps, 16), t.cfg.RetryMax))
		g.sweeps++
	}
	for len(g.order) > 0 && len(g.asked) < t.Quorum() {
		addr := t.seeds[g.order[0]]
		g.order = g.order[1:]
		g.asked = append(g.asked, asked{addr, now.Add(t.cfg.Patience)})
		t.send(addr, &core.Register{})
	}
}

// tellSweep tells once that no seed of a sweep has admitted this node: when the last has answered, as it may be in soon
// after.
func (t *Petitions) tellSweep(now time.Time) {
	g := &t.registration
	if g.told || g.sweeps == 0 || g.last == "" || now.Sub(g.began) < failFor {
		return
	}
	g.told = true
	t.out.Events = append(t.out.Events, hearsay.Event{
		At: now, Kind: hearsay.EventJoinFail, Addr: g.of, Count: g.sweeps,
		Text: fmt.Sprintf("none of %d seeds has admitted this node: %s", len(t.seeds), g.last),
	})
}

// tickReports brings reports that are not settled, again and again. As long as no
// seed takes any, one of them is brought for all, in turn: when a quorum is lost,
// each of many nodes may hold many, and only one seed may be left to hear them.
func (t *Petitions) tickReports(now time.Time) {
	first := t.turn
	for i := range t.reports {
		at := (first + i) % len(t.reports)
		switch r := t.reports[at]; {
		case now.Before(r.askAt):
		case t.noQuorum && now.Before(t.retryAt):
			r.askAt = t.retryAt
		default:
			if r.open {
				t.failed(r, noAnswer, false)
			}
			t.turn, t.retryAt = at+1, now.Add(t.cfg.ReportEvery)
			t.askReport(now, r)
		}
	}
}

// failed notes that the last seed that was asked did not take a report, and
// reports whether there is another to ask.
func (t *Petitions) failed(r *report, why string, waits bool) (more bool) {
	r.open = false
	u := &r.untaken
	if u.Since.IsZero() {
		u.ID, u.Since = r.stay.ID, r.askedAt
	}
	if waits || !u.Waits { // that one answers says more than that another does not
		u.Seed, u.Why, u.Waits = t.seeds[r.seed], why, waits
	}
	if r.lost++; r.lost < len(t.seeds) {
		return true
	}
	r.lost, t.noQuorum = 0, true
	return false
}

// refused brings a report that the last seed did not take to the next, at once, unless all have been asked.
func (t *Petitions) refused(now time.Time, r *report, why string, waits bool) {
	if t.failed(r, why, waits) {
		t.askReport(now, r)
	}
}

// taken is told that a seed decides: all that waits is brought at once.
func (t *Petitions) taken(now time.Time, r *report) {
	r.open, r.lost, r.untaken = false, 0, hearsay.Untaken{}
	for _, other := range t.reports {
		if t.noQuorum && other != r {
			other.askAt = now
		}
	}
	t.noQuorum = false
}

// askReport brings a report to the next seed.
func (t *Petitions) askReport(now time.Time, r *report) {
	r.open = true
	r.seed = (r.seed + 1) % len(t.seeds)
	r.askedAt, r.askAt = now, now.Add(t.cfg.ReportEvery)
	t.send(t.seeds[r.seed], &core.Report{Stay: r.stay, Evidence: r.evidence})
}

func (t *Petitions) send(addr netip.AddrPort, body core.Message) {
	t.out.Send = append(t.out.Send, core.Packet{Addr: addr, Stream: true, Body: body})
}

// Outcome takes a seed's answer. What is done the ledger proves, and not this;
// it only says which seed to ask next, and when. It reports whether admission was
// refused: the next claim should be a newer one.
func (t *Petitions) Outcome(now time.Time, p *core.Packet, m *hearsay.Outcome) (refused bool) {
	if !p.Stream || !slices.Contains(t.seeds, p.Addr) {
		t.stats.Drops[hearsay.DropUnexpected]++
		return false
	}
	switch m.Kind {
	case hearsay.RulingAdmit:
		return t.registered(now, p.Addr, m)
	case hearsay.RulingRemove:
		asked := t.answerQuestions(now, p.Addr, m)
		i := slices.IndexFunc(t.reports, func(r *report) bool { return r.stay.ID == m.Stay.ID && t.seeds[r.seed] == p.Addr })
		switch {
		case i >= 0 && m.Code != hearsay.OutcomeWait:
			t.taken(now, t.reports[i])
		case i >= 0:
			t.refused(now, t.reports[i], m.Text, true)
		case !asked:
			t.stats.Drops[hearsay.DropUnexpected]++
		}
	case hearsay.RulingLeave:
		if t.leave == nil || m.Code != hearsay.OutcomeDone || m.Stay != t.leave.Stay {
			break
		}
		t.leaveDone[slices.Index(t.seeds, p.Addr)] = true
		done := 0
		for _, said := range t.leaveDone {
			if said {
				done++
			}
		}
		if done >= t.Quorum() {
			t.leave, t.leaveAt = nil, never
		}
	}
	return false
}

// NotReached is told that no stream to an address could be opened, and why: what a seed there was asked it has not
// heard.
func (t *Petitions) NotReached(now time.Time, seed netip.AddrPort, why string) {
	if slices.ContainsFunc(t.registration.asked, func(a asked) bool { return a.addr == seed }) {
		t.registered(now, seed, &hearsay.Outcome{Code: hearsay.OutcomeLost, Text: why})
	}
	for _, r := range t.reports {
		if r.open && t.seeds[r.seed] == seed {
			t.refused(now, r, why, false)
		}
	}
	for i := len(t.questions) - 1; i >= 0; i-- {
		if q := &t.questions[i]; q.seed == seed {
			t.askNext(now, i, &hearsay.Outcome{Kind: hearsay.RulingRemove, Stay: q.stay, Code: hearsay.OutcomeLost, Text: why})
		}
	}
}

// registered takes the answer to a registration, and reports whether that is
// refused.
func (t *Petitions) registered(now time.Time, from netip.AddrPort, m *hearsay.Outcome) (refused bool) {
	g := &t.registration
	t.noteAnswer(now, from, m)
	i := slices.IndexFunc(g.asked, func(a asked) bool { return a.addr == from })
	if i < 0 {
		return false // answered late, or the registration is over
	}
	g.asked = slices.Delete(g.asked, i, i+1)
	g.failed(from, m.Text, m.Code != hearsay.OutcomeLost)
	switch m.Code {
	case hearsay.OutcomeRefused:
		g.order, g.refused, g.nextAt = nil, true, now.Add(t.cfg.RefusedWait)
	case hearsay.OutcomeDone, hearsay.OutcomePending:
		// The ledger will tell, or the next sweep asks again.
		g.order, g.last = nil, ""
		wait := t.cfg.RetryMin
		if m.Code == hearsay.OutcomeDone {
			wait = t.cfg.Patience // it is ruled, and on its way
		}
		if soonest := now.Add(wait); g.nextAt.Before(soonest) {
			g.nextAt = soonest
		}
	}
	if g.wanted {
		t.tickRegistration(now)
	}
	return m.Code == hearsay.OutcomeRefused
}
