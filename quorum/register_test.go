package quorum

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"

	"github.com/anishathalye/porcupine"
)

// To who asks freshly, one member of the ledger is a register: its stay, or 0
// while it is not in. This file has clients change and read some registers
// through random seeds while anything may fail, and has porcupine look for an
// order of what they did in which each answer is right and nothing comes before
// what had ended when it began.

// deed is what a client did to a register.
type deed struct {
	member  int
	what    deedKind
	claim   hearsay.Incarnation // of an admission
	stay    hearsay.Epoch       // of a removal: which
	began   time.Time
	ended   time.Time     // zero: nobody has learned what became of it, so that it may take effect at any time
	already bool          // it was so before
	got     hearsay.Epoch // of a read and an admission that have ended
}

type deedKind uint8

const (
	reads deedKind = iota
	admits
	removes
)

func (d *deed) String() string {
	end := "…"
	if !d.ended.IsZero() {
		end = fmt.Sprint(d.ended.UnixMilli() % 1e6)
	}
	words := [...]string{reads: "read", admits: fmt.Sprintf("admit by claim %d", d.claim%1e6), removes: fmt.Sprintf("remove %d", d.stay)}
	text := fmt.Sprintf("%d to %s ms: p%d: %s", d.began.UnixMilli()%1e6, end, d.member, words[d.what])
	switch {
	case d.ended.IsZero():
		return text
	case d.already:
		text += ": it was so before"
	}
	if d.what != removes {
		text += fmt.Sprintf(": %d", d.got)
	}
	return text
}

// register is what a member's entry is in some order of the deeds.
type register struct {
	in   bool
	stay hearsay.Epoch // 0: not known yet, as nobody has learned what became of the admission
	last hearsay.Epoch // the newest stay that is known
}

// after gives the register after a deed, and whether what it answered is right.
func (r register) after(d *deed) (register, bool) {
	unknown := d.ended.IsZero()
	switch d.what {
	case admits:
		switch {
		case unknown && !r.in:
			return register{in: true, last: r.last}, true
		case unknown:
			return r, true
		}
		return register{in: true, stay: d.got, last: d.got}, !r.in && d.got > r.last
	case removes:
		if r.in && r.stay == 0 && !unknown { // not the one that the client means: of that somebody has learned
			return r, d.stay <= r.last
		}
		if r.in && r.stay == d.stay {
			return register{last: r.last}, unknown || !d.already
		}
		return r, unknown || d.stay <= r.last
	}
	switch {
	case unknown:
		return r, true
	case d.got == 0:
		return r, !r.in
	}
	return r.being(d.got)
}

// being gives the register if somebody has seen in it this stay.
func (r register) being(stay hearsay.Epoch) (register, bool) {
	if r.in && r.stay == 0 && stay > r.last {
		return register{in: true, stay: stay, last: stay}, true
	}
	return r, r.in && r.stay == stay
}

// registers is the model.
var registers = porcupine.Model{
	Partition: func(all []porcupine.Operation) (parts [][]porcupine.Operation) {
		for _, o := range all {
			member := o.Input.(*deed).member
			for member >= len(parts) {
				parts = append(parts, nil)
			}
			parts[member] = append(parts[member], o)
		}
		return parts
	},
	Init: func() any { return register{} },
	Step: func(state, input, _ any) (bool, any) {
		r, right := state.(register).after(input.(*deed))
		return right, r
	},
}

// linearizable looks for an order.
func linearizable(deeds []*deed) porcupine.CheckResult {
	var all []porcupine.Operation
	for i, d := range deeds {
		o := porcupine.Operation{ClientId: i, Input: d, Call: d.began.UnixNano(), Return: math.MaxInt64}
		if !d.ended.IsZero() {
			o.Return = d.ended.UnixNano()
		}
		all = append(all, o)
	}
	return porcupine.CheckOperationsTimeout(registers, all, 20*time.Second)
}

// bug is one that is planted between the seeds and their clients.
type bug uint8

const (
	noBug        bug = iota
	bugStale         // a read is answered with what the seed has applied
	bugEarly         // a quorum is asked, and what was applied before it answers is told
	bugHasty         // who asks for a removal is told that it is done when it is not ruled yet
	bugAgain         // an admission is ruled again after the stay that it began is over
	bugForgetful     // a disk loses what it has said to have written
)

// deaf is for worlds with a bug, where the rules that are checked there are
// broken, too: what clients have seen must tell by itself.
type deaf struct{ testing.TB }

// broken is how a world with a bug ends early.
type broken struct{}

func (deaf) Errorf(string, ...any) {}
func (deaf) Failed() bool          { return false }
func (deaf) Fatalf(string, ...any) { panic(broken{}) }
func (deaf) Fatal(...any)          { panic(broken{}) }

// clients are some who do things to registers.
type clients struct {
	*historian
	bug     bug
	members []*person
	known   []hearsay.Epoch // the newest stay of each that anybody has learned of
	claims  []*hearsay.Claim
	deeds   []*deed
	seen    map[fresh][]hearsay.Epoch // what each register was when a question was answered
	waiting map[fresh]*deed           // reads
	ended   bool
}

// fresh names a question.
type fresh struct{ slot, life, number int }

const (
	clientsCount = 5
	membersCount = 3
	clientWaits  = 3 * time.Second // then it does something else
)

// registerWorld runs one world, and gives what clients did in it.
func registerWorld(t testing.TB, seed uint64, b bug) *clients {
	sizes := []int{3, 3, 5}
	h := &historian{world: newWorld(t, sizes[seed%uint64(len(sizes))], seed), counts: make(map[string]int)}
	c := &clients{historian: h, bug: b, seen: make(map[fresh][]hearsay.Epoch), waiting: make(map[fresh]*deed)}
	c.cfg.SnapshotEvery = 8 + c.Random.IntN(60)
	c.cfg.ShortTrial, c.cfg.ReportPause = time.Second, time.Second
	c.Loss = []float64{0, 0, 0.05, 0.2}[c.Random.IntN(4)]
	c.Slow = []time.Duration{2, 20, 100}[c.Random.IntN(3)] * time.Millisecond
	c.Syncs = []time.Duration{1, 10, 100}[c.Random.IntN(3)] * time.Millisecond
	c.StartAll()
	c.Must(time.Minute, "founded", c.agree)
	for n := range membersCount {
		p := &person{N: n, Key: newKeyed(uint64(100_000 + n)), Addr: quorumtest.PeerAddr(n), Up: true}
		c.People, c.members = append(c.People, p), append(c.members, p)
	}
	c.known, c.claims = make([]hearsay.Epoch, membersCount), make([]*hearsay.Claim, membersCount)
	c.Teller, c.Stepped = c.hears, c.sees
	for range clientsCount {
		c.After(c.UpTo(time.Second), c.act)
	}
	if b != noBug {
		c.T = deaf{t}
	}
	c.live()
	return c
}

// live lets a world go on to its end, which with a bug may come early.
func (c *clients) live() {
	defer func() {
		if cause := recover(); cause != nil && c.bug == noBug {
			panic(cause)
		}
	}()
	for range 12 {
		c.weather()
		c.Run(c.UpTo(2 * time.Second))
	}
	if c.bug == noBug {
		c.ended = true
		c.heal()
		c.Must(2*time.Minute, "one ledger", c.agree)
	}
}

// weather does one thing to the seeds.
func (c *clients) weather() {
	m := c.Machines[c.Random.IntN(len(c.Machines))]
	c.counts["weather"]++
	switch c.Random.IntN(11) {
	case 0, 1:
		if m.Q != nil {
			c.counts["crash"]++
			c.crash(m)
		}
	case 2:
		for _, o := range c.Machines {
			if slot, ok := leaderOf(o); ok && c.Machines[slot].Q != nil {
				c.counts["leader lost"]++
				c.crash(c.Machines[slot])
				return
			}
		}
	case 3, 4, 5:
		for _, o := range c.Machines {
			if o.Q == nil {
				c.Start(o)
			}
		}
	case 6, 7:
		c.counts["cut"]++
		alone, oneWay := c.Random.IntN(len(c.Machines)), c.Random.IntN(2) == 0
		if slot, ok := leaderOf(m); ok && c.Random.IntN(2) == 0 {
			alone = slot
		}
		c.Cut = func(from, to int) bool { return from == alone || to == alone && !oneWay }
		c.After(c.UpTo(8*time.Second), func() { c.Cut = nil })
	case 8:
		c.counts["partition"]++
		side := c.Random.Uint64()
		c.Cut = func(from, to int) bool { return side>>from&1 != side>>to&1 }
		c.After(c.UpTo(8*time.Second), func() { c.Cut = nil })
	case 9:
		c.counts["pause"]++
		m.WakeAt = c.Now.Add(c.UpTo(4 * time.Second))
	case 10:
		c.wipeOne(m)
	}
}

func leaderOf(m *machine) (slot int, ok bool) {
	if m.Q == nil {
		return 0, false
	}
	return m.Q.Leader()
}

// crash is as in any world, but for the disks that forget.
func (c *clients) crash(m *machine) {
	c.world.Crash(m)
	if c.bug == bugForgetful {
		forgetNewest(&m.Disk)
	}
}

// forgetNewest takes away the newest third of the log, and whatever says that
// it was there.
func forgetNewest(d *disk) {
	first, last := uint64(math.MaxUint64), uint64(0)
	for _, r := range d.Durable {
		if kept, is := r.(*core.KeptEntry); is {
			first, last = min(first, kept.Entry.Index), max(last, kept.Entry.Index)
		}
	}
	for _, r := range d.Load() {
		if kept, is := r.(*core.KeptEntry); is && kept.Entry.Index > first+(last-first)*2/3 {
			delete(d.Durable, fmt.Sprintf("entry %d", kept.Entry.Index))
		}
	}
}

// act has a client do something, and again when that has ended.
func (c *clients) act() {
	m := c.AnySeed()
	if c.ended {
		return
	}
	if m == nil || m.WakeAt.After(c.Now) || !m.Q.Seated() {
		c.After(c.UpTo(300*time.Millisecond), c.act)
		return
	}
	d := &deed{member: c.Random.IntN(membersCount), began: c.Now}
	switch c.Random.IntN(5) {
	case 0:
		c.admit(m, d)
	case 1:
		c.remove(m, d)
	default:
		c.read(m, d)
	}
	until := c.Now.Add(clientWaits)
	var next func()
	next = func() {
		if d.ended.IsZero() && c.Now.Before(until) {
			c.After(20*time.Millisecond, next)
			return
		}
		c.act()
	}
	c.After(20*time.Millisecond+c.UpTo(100*time.Millisecond), next)
}

// register gives what a seed has of each member.
func (c *clients) register(m *machine) (stays []hearsay.Epoch) {
	for _, p := range c.members {
		member, _ := m.Q.Member(p.ID())
		stays = append(stays, member.Stay.Epoch)
	}
	return stays
}

// read reads a register.
func (c *clients) read(m *machine, d *deed) {
	c.Step(m, func() {
		if c.bug == bugStale {
			c.replies(m, d)
			d.got = c.register(m)[d.member]
			return
		}
		number, why := m.Q.Fresh(c.Now)
		if why != "" {
			return
		}
		name := fresh{m.Slot, m.Life, number}
		c.waiting[name] = d
		if c.bug == bugEarly {
			c.seen[name] = c.register(m)
		}
	})
}

// admit has a member ask for its admission, as peers do it: with one claim at
// one seed or two.
func (c *clients) admit(m *machine, d *deed) {
	p := c.members[d.member]
	if !p.Up {
		return
	}
	p.At = max(p.At+1, hearsay.Incarnation(c.Now.UnixMilli()))
	d.what, d.claim = admits, p.At
	claim := p.Claim()
	asked := false
	for _, o := range []*machine{m, c.AnySeed()} {
		if o.WakeAt.After(c.Now) || o.Q.state == nil {
			continue
		}
		c.Step(o, func() {
			switch o.Q.Admit(c.Now, claim).Code {
			case hearsay.OutcomeDone, hearsay.OutcomeRefused:
				// So it is as far as this seed has heard: the ledger will tell.
			default:
				asked = asked || o == m
			}
		})
		if !asked {
			break
		}
	}
	if asked {
		c.deeds = append(c.deeds, d)
	}
}

// remove ends the stay of a member that somebody has learned of: by its own
// word, or since it answers nobody for a while.
func (c *clients) remove(m *machine, d *deed) {
	p, stay := c.members[d.member], c.known[d.member]
	if stay == 0 || m.Q.state == nil {
		return
	}
	d.what, d.stay = removes, stay
	of := hearsay.Stay{ID: p.ID(), Epoch: stay}
	leaves := c.Random.IntN(3) > 0
	if !leaves {
		p.Up = false
		c.After(4*time.Second, func() { p.Up = true })
	}
	c.Step(m, func() {
		var a hearsay.Outcome
		if leaves {
			l := &core.Leave{Stay: of}
			l.Sign(m.Q.Ledger(), p.Key)
			a = m.Q.Leave(c.Now, l)
		} else {
			m.Q.Suspected(c.Now, p.ID())
			a = m.Q.Report(c.Now, &Report{Stay: of})
		}
		switch {
		case a.Code == hearsay.OutcomeDone:
			d.already = true
			c.replies(m, d)
		case a.Code == hearsay.OutcomePending && c.bug == bugHasty:
			c.replies(m, d)
		}
	})
	c.deeds = append(c.deeds, d)
}

// replies ends a deed when what the step of a seed rests on is durable.
func (c *clients) replies(m *machine, d *deed) {
	m.Q.event(hearsay.Event{At: c.Now, Kind: hearsay.EventTurnedAway, Count: len(c.deeds) + 1, Text: "reply"})
	c.waiting[fresh{m.Slot, -m.Life, len(c.deeds) + 1}] = d
	if d.what == reads {
		c.deeds = append(c.deeds, d)
	}
}

// sees looks at a seed after a step: what it has now is durable when the
// events of this step are told.
func (c *clients) sees(m *machine, out *core.Effects) {
	if c.bug == bugAgain && m.Q.state != nil {
		m.Q.state.Departed = nil // by which a claim is known to be over
	}
	for i := range out.Events {
		if e := &out.Events[i]; e.Kind == hearsay.EventFresh && e.Text == "" && c.bug != bugEarly {
			for name := range c.waiting { // order does not matter: each gets the same
				if name.slot == m.Slot && name.life == m.Life && name.number <= e.Count && c.seen[name] == nil {
					c.seen[name] = c.register(m)
				}
			}
		}
	}
}

// hears takes what a seed tells.
func (c *clients) hears(m *machine, e hearsay.Event) {
	switch e.Kind {
	case hearsay.EventFresh:
		c.answered(m, &e)
	case hearsay.EventTurnedAway:
		name := fresh{m.Slot, -m.Life, e.Count}
		if d := c.waiting[name]; d != nil {
			d.ended = c.Now
			delete(c.waiting, name)
		}
	case hearsay.EventRuled:
		c.learns(e.Ruling)
	}
}

// answered ends the reads up to a question.
func (c *clients) answered(m *machine, e *hearsay.Event) {
	var names []fresh
	for name := range c.waiting { // order does not matter: they are sorted
		if name.slot == m.Slot && name.life == m.Life && name.number <= e.Count {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b fresh) int { return cmp.Compare(a.number, b.number) })
	for _, name := range names {
		if d := c.waiting[name]; e.Text == "" {
			d.ended, d.got = c.Now, c.seen[name][d.member]
			c.known[d.member] = max(c.known[d.member], d.got)
			c.deeds = append(c.deeds, d)
			c.counts["read"]++
		} else {
			c.counts["read failed"]++
		}
		delete(c.waiting, name)
		delete(c.seen, name)
	}
}

// learns takes a ruling, which says what became of who asked for it.
func (c *clients) learns(r *hearsay.Ruling) {
	member := slices.IndexFunc(c.members, func(p *person) bool { return p.ID() == r.Stay.ID })
	if member < 0 {
		return
	}
	for _, d := range c.deeds {
		switch {
		case d.member != member || !d.ended.IsZero():
		case d.what == admits && r.Kind == hearsay.RulingAdmit && d.claim == r.Claim.Incarnation:
			d.ended, d.already, d.got = c.Now, false, r.Stay.Epoch
			c.counts["admit"]++
		case d.what == removes && r.Kind != hearsay.RulingAdmit && d.stay == r.Stay.Epoch:
			d.ended, d.already = c.Now, false
			c.counts["remove"]++
		}
	}
	if c.known[member] = max(c.known[member], r.Stay.Epoch); r.Kind == hearsay.RulingAdmit {
		c.claims[member] = &r.Claim
	} else if claim := c.claims[member]; claim != nil && c.bug == bugAgain {
		c.claims[member] = nil
		c.again(claim)
	}
}

// again has an old admission ruled once more.
func (c *clients) again(claim *hearsay.Claim) {
	c.After(c.UpTo(time.Second), func() {
		if m := c.AnySeed(); m != nil && m.Q.state != nil {
			c.Step(m, func() { m.Q.requests.ask(c.Now, claim.Subject, ledger.Command{Op: ledger.OpAdmit, Claim: *claim}) })
		}
	})
}

// tell gives the deeds of who has an answer that is not right.
func (c *clients) tell() string {
	slices.SortStableFunc(c.deeds, func(a, b *deed) int { return a.began.Compare(b.began) })
	var text strings.Builder
	for member := range c.members {
		var own []*deed
		for _, d := range c.deeds {
			if d.member == member {
				own = append(own, d)
			}
		}
		if linearizable(own) != porcupine.Ok {
			for _, d := range own {
				fmt.Fprintln(&text, d)
			}
		}
	}
	return text.String()
}

// Whatever fails, there is an order in which clients' answers are right. With
// HEARSAY_LARGE it is looked for in 2,000 worlds, which takes a minute.
func TestLedgerIsARegister(t *testing.T) {
	worlds := 30
	if os.Getenv("HEARSAY_LARGE") != "" {
		worlds = 2000
	}
	total := make(map[string]int)
	for seed := range uint64(worlds) {
		c := registerWorld(t, seed, noBug)
		if got := linearizable(c.deeds); got != porcupine.Ok {
			t.Fatalf("seed %d: %s\n%s", seed, got, c.tell())
		}
		for what, n := range c.counts {
			total[what] += n
		}
		for _, d := range c.deeds {
			if d.ended.IsZero() {
				total["never learned"]++
			}
		}
	}
	for _, what := range []string{"read", "read failed", "admit", "remove", "never learned", "crash", "leader lost", "cut", "partition", "pause", "wipe"} {
		if total[what] == 0 {
			t.Errorf("no %s in %d worlds", what, worlds)
		}
	}
	t.Log(total)
}

// A check that cannot bite proves nothing.
func TestRegisterFindsBugs(t *testing.T) {
	for name, b := range map[string]struct {
		bug  bug
		from uint64 // the first world
	}{
		"stale": {bugStale, 0}, "early": {bugEarly, 0}, "hasty": {bugHasty, 0}, "again": {bugAgain, 0},
		"forgetful": {bugForgetful, 800}, // it shows in one of some hundreds
	} {
		t.Run(name, func(t *testing.T) {
			const worlds = 600
			for seed := range uint64(worlds) {
				c := registerWorld(t, b.from+seed, b.bug)
				if got := linearizable(c.deeds); got == porcupine.Illegal {
					t.Logf("found in world %d from %d on:\n%s", seed+1, b.from, c.tell())
					return
				}
			}
			t.Errorf("not found in %d worlds from %d on", worlds, b.from)
		})
	}
}
