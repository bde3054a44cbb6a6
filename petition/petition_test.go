package petition

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

var epoch = time.Unix(1_700_000_000, 0)

// world is a node's petitions and what they send.
type world struct {
	*Petitions
	t     *testing.T
	now   time.Time
	out   core.Effects
	stats hearsay.Stats
}

func newWorld(t *testing.T, seeds int) *world {
	w := &world{t: t, now: epoch}
	var addrs []netip.AddrPort
	for i := range seeds {
		addrs = append(addrs, addr(i))
	}
	w.Petitions = New(DefaultConfig(), addrs, rand.New(rand.NewPCG(1, 2)), &w.stats, &w.out)
	return w
}

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 5001)
}

// sent gives who was sent something since the last call.
func (w *world) sent() (to []int) {
	for _, p := range w.out.Send {
		if !p.Stream {
			w.t.Errorf("%T does not go by stream", p.Body)
		}
		to = append(to, int(p.Addr.Addr().As4()[3])-1)
	}
	w.out.Reset()
	return to
}

// pass lets time pass to a deadline at most.
func (w *world) pass(d time.Duration) {
	for end := w.now.Add(d); ; {
		at := w.Deadline()
		if at.After(end) {
			w.now = end
			return
		}
		if at.After(w.now) {
			w.now = at
		}
		w.Tick(w.now)
		if at := w.Deadline(); !at.After(w.now) {
			w.t.Fatalf("due again at once, %v before now", w.now.Sub(at))
		}
	}
}

func (w *world) answer(i int, kind hearsay.RulingKind, code hearsay.OutcomeCode, stay hearsay.Stay) {
	if code == hearsay.OutcomeLost {
		w.NotReached(w.now, addr(i), "connection refused")
		return
	}
	p := core.Packet{Addr: addr(i), Stream: true}
	w.Outcome(w.now, &p, &hearsay.Outcome{Kind: kind, Code: code, Stay: stay, Text: "because"})
}

// As many seeds as are a quorum are asked at once, and one more as soon as one
// fails; then all again, later and later, for ever.
func TestRegister(t *testing.T) {
	w := newWorld(t, 5)
	w.Register(w.now)
	first := w.sent()
	if len(first) != 3 {
		t.Fatalf("asks %v at once, want 3 of 5", first)
	}
	w.answer(first[0], hearsay.RulingAdmit, hearsay.OutcomeLost, hearsay.Stay{})
	second := w.sent()
	if len(second) != 1 || slices.Contains(first, second[0]) {
		t.Fatalf("one was not reached: asks %v after %v", second, first)
	}
	w.pass(2 * time.Second) // nobody answers
	third := w.sent()
	if len(third) < 1 {
		t.Fatalf("asks %v when the time of %v and %v is over", third, first, second)
	}
	w.pass(10 * time.Second)
	fails := 0
	for _, e := range w.out.Events {
		if e.Kind == hearsay.EventJoinFail && strings.Contains(e.Text, "5 seeds") {
			fails++
		}
	}
	if asked := w.sent(); len(asked) < 5 || len(asked) > 30 || fails < 2 || fails > 1+len(asked)/5 {
		t.Errorf("asks %d times in ten seconds, and says %d times that none has admitted it", len(asked), fails)
	}
	w.Admitted()
	w.pass(time.Minute)
	if again := w.sent(); len(again) > 0 || w.Registering() {
		t.Errorf("is in, and asks %v", again)
	}
}

// What is told is what a seed has answered, whichever others were not reached before
// or after; and that only if none has answered.
func TestRegisterTellsWhatWasAnswered(t *testing.T) {
	w := newWorld(t, 3)
	w.Register(w.now)
	w.registration.began = w.now.Add(-failFor)
	for _, codes := range [][]hearsay.OutcomeCode{
		{hearsay.OutcomeLost, hearsay.OutcomeWait, hearsay.OutcomeLost},
		{hearsay.OutcomeLost, hearsay.OutcomeLost, hearsay.OutcomeLost},
		{hearsay.OutcomeWait, hearsay.OutcomeLost, hearsay.OutcomeLost},
	} {
		var answered, asked []int
		var told []hearsay.Event
		asked = w.sent()
		for i, code := range codes {
			if code == hearsay.OutcomeWait {
				answered = append(answered, asked[i])
			}
			w.answer(asked[i], hearsay.RulingAdmit, code, hearsay.Stay{})
			packets := slices.Clone(w.out.Send)
			for _, e := range w.out.Events {
				if e.Kind == hearsay.EventJoinFail {
					told = append(told, e)
				}
			}
			w.out.Reset()
			for _, p := range packets {
				asked = append(asked, int(p.Addr.Addr().As4()[3])-1)
			}
		}
		if len(told) != 1 || len(answered) > 0 && told[0].Addr != addr(answered[0]) || told[0].Addr == (netip.AddrPort{}) {
			t.Errorf("answered %v, in this order by %v: tells %+v", codes, asked, told)
		}
		for len(w.out.Send) == 0 {
			w.now = w.Deadline()
			w.Tick(w.now)
		}
		if len(w.out.Events) > 0 {
			t.Errorf("answered %v: tells later %+v", codes, w.out.Events)
		}
	}
}

// That no seed admits it a node tells only after a while: while a network is founded all answer so.
func TestRegisterTellsNothingAtOnce(t *testing.T) {
	w := newWorld(t, 3)
	fails := func(during time.Duration) (fails int) {
		for end := w.now.Add(during); w.now.Before(end); {
			w.pass(100 * time.Millisecond)
			for _, e := range w.out.Events {
				if e.Kind == hearsay.EventJoinFail {
					fails++
				}
			}
			for _, seed := range w.sent() {
				w.answer(seed, hearsay.RulingAdmit, hearsay.OutcomeWait, hearsay.Stay{})
			}
		}
		return fails
	}
	w.Register(w.now)
	if early, late := fails(failFor), fails(10*time.Second); early > 0 || late == 0 {
		t.Errorf("tells %d times at once, and %d times later", early, late)
	}
}

// A seed that refuses ends the sweep; after a while this node asks again.
func TestRegisterRefused(t *testing.T) {
	w := newWorld(t, 3)
	w.Register(w.now)
	for _, i := range w.sent() {
		w.answer(i, hearsay.RulingAdmit, hearsay.OutcomeRefused, hearsay.Stay{})
	}
	w.pass(DefaultConfig().RefusedWait - time.Millisecond)
	if asked := w.sent(); len(asked) > 0 {
		t.Fatalf("refused, and asks %v at once", asked)
	}
	w.Tick(w.now.Add(time.Millisecond))
	if len(w.out.Events) != 1 || !strings.Contains(w.out.Events[0].Text, "because") {
		t.Errorf("the reason is not told: %v", w.out.Events)
	}
	if asked := w.sent(); len(asked) != 2 {
		t.Errorf("asks %v when a bar may have been lifted", asked)
	}
}

// Anybody who leaves and asks to be in again causes rulings. A peer that was refused asks again after one, as its bar
// may have been lifted, but once in RetryMax at most, however they come: all that are refused would ask after each.
func TestAttackRuledBeatsRefusedWait(t *testing.T) {
	cfg := DefaultConfig()
	for every := 100 * time.Millisecond; every < 12*time.Second; every += 190 * time.Millisecond {
		w := newWorld(t, 3)
		w.Register(w.now)
		var last time.Time
		sweeps, ruleAt := 0, w.now
		for end := w.now.Add(5 * time.Minute); w.now.Before(end); w.pass(10 * time.Millisecond) {
			if !w.now.Before(ruleAt) {
				ruleAt = ruleAt.Add(every)
				w.Ruled(w.now)
			}
			asked := w.sent()
			for _, i := range asked {
				w.answer(i, hearsay.RulingAdmit, hearsay.OutcomeRefused, hearsay.Stay{})
			}
			if len(asked) == 0 {
				continue
			}
			if took := w.now.Sub(last); sweeps > 0 && took < cfg.RetryMax {
				t.Fatalf("with a ruling each %v it was refused, and asks again after %v", every, took)
			}
			sweeps, last = sweeps+1, w.now
		}
		if least := int(5 * time.Minute / cfg.RefusedWait); sweeps < least || every > cfg.RetryMax && every < cfg.RefusedWait-time.Second && sweeps <= least+1 {
			t.Errorf("with a ruling each %v it asks %d times in five minutes", every, sweeps)
		}
	}
}

// A report is repeated until it is settled, and goes to another seed at once when
// one is not reached; but not round and round.
func TestReport(t *testing.T) {
	w := newWorld(t, 3)
	stay := hearsay.Stay{ID: hearsay.NodeID{1}, Epoch: 4}
	w.Report(w.now, stay, nil)
	for range 3 {
		asked := w.sent()
		if len(asked) != 1 {
			t.Fatalf("asks %v", asked)
		}
		w.answer(asked[0], hearsay.RulingRemove, hearsay.OutcomeLost, stay)
	}
	if asked := w.sent(); len(asked) > 0 {
		t.Fatalf("none was reached, and it asks %v at once", asked)
	}
	w.pass(2 * time.Second)
	asked := w.sent()
	if len(asked) != 1 {
		t.Fatalf("asks %v after two seconds", asked)
	}
	w.answer(asked[0], hearsay.RulingRemove, hearsay.OutcomePending, stay)
	if again := w.sent(); len(again) > 0 {
		t.Fatalf("it is being decided, and it asks %v", again)
	}
	w.pass(2 * time.Second)
	if asked := w.sent(); len(asked) != 1 {
		t.Fatalf("not settled, and it asks %v", asked)
	}
	w.Settled(stay.ID)
	w.pass(time.Minute)
	if asked := w.sent(); len(asked) > 0 {
		t.Errorf("settled, and it asks %v", asked)
	}
}

// As long as no seed takes a report, one is brought for all, each in its turn; as
// soon as one is taken, all are brought.
func TestReportsWithoutAQuorum(t *testing.T) {
	w := newWorld(t, 3)
	stay := func(i int) hearsay.Stay { return hearsay.Stay{ID: hearsay.NodeID{byte(i), 1}, Epoch: 1} }
	for i := range maxReports {
		w.Report(w.now, stay(i), nil)
	}
	brought := make(map[hearsay.NodeID]int)
	refuse := func() {
		for len(w.out.Send) > 0 {
			packets := slices.Clone(w.out.Send)
			w.out.Reset()
			for _, p := range packets {
				m := p.Body.(*core.Report)
				brought[m.Stay.ID]++
				p := core.Packet{Addr: p.Addr, Stream: true}
				w.Outcome(w.now, &p, &hearsay.Outcome{Kind: hearsay.RulingRemove, Code: hearsay.OutcomeWait, Stay: m.Stay})
			}
		}
	}
	refuse()
	for id, n := range brought {
		if n != 3 {
			t.Errorf("%v was brought to %d of 3 seeds", id, n)
		}
	}
	clear(brought)
	for range maxReports {
		w.pass(w.cfg.ReportEvery)
		refuse()
	}
	for i := range maxReports {
		if n := brought[stay(i).ID]; n < 3 || n > 6 {
			t.Errorf("report %d was brought %d times in as many turns as there are reports, want about 3: to each seed once", i, n)
		}
	}
	w.Report(w.now, hearsay.Stay{ID: hearsay.NodeID{99, 9}, Epoch: 1}, nil) // no room
	w.Settled(stay(3).ID)
	w.Report(w.now, stay(70), nil)
	if n := len(w.sent()); n != 1 {
		t.Errorf("a new one is brought %d times at once, want once", n)
	}
	w.pass(w.cfg.ReportEvery)
	p := w.out.Send[0]
	w.sent()
	w.Outcome(w.now, &core.Packet{Addr: p.Addr, Stream: true}, &hearsay.Outcome{Kind: hearsay.RulingRemove, Code: hearsay.OutcomePending, Stay: p.Body.(*core.Report).Stay})
	w.Tick(w.now)
	if n := len(w.sent()); n != maxReports-1 {
		t.Errorf("one is taken, and %d of %d others are brought", n, maxReports-1)
	}
}

// A report that each seed was asked to take, and none has, is told of after some seconds, with the last reason, until
// a seed takes it. Before that it is known that it was brought in vain.
func TestUntakenReports(t *testing.T) {
	for what, test := range map[string]struct {
		code  hearsay.OutcomeCode // 0: no answer
		told  bool
		waits bool
		why   string
	}{
		"no answer":   {0, true, false, noAnswer},
		"not reached": {hearsay.OutcomeLost, true, false, "because"},
		"no quorum":   {hearsay.OutcomeWait, true, true, "because"},
		"taken":       {code: hearsay.OutcomePending},
		"refused":     {code: hearsay.OutcomeRefused},
	} {
		w := newWorld(t, 3)
		stay := hearsay.Stay{ID: hearsay.NodeID{5}, Epoch: 3}
		answer := func(code hearsay.OutcomeCode) {
			for asked := w.sent(); len(asked) > 0 && code != 0; asked = w.sent() {
				if last := asked[len(asked)-1]; code == hearsay.OutcomeLost {
					w.NotReached(w.now, addr(last), "because")
				} else {
					w.answer(last, hearsay.RulingRemove, code, stay)
				}
			}
		}
		w.Report(w.now, stay, nil)
		if _, is := w.InVain(stay.ID); is {
			t.Errorf("%s: in vain at once", what)
		}
		for range 8 {
			answer(test.code)
			w.pass(time.Second)
			if all := w.Untaken(w.now); len(all) > 0 && w.now.Sub(epoch) < untakenFor {
				t.Errorf("%s: told after %v", what, w.now.Sub(epoch))
			}
		}
		all := w.Untaken(w.now)
		if told := len(all) == 1; told != test.told {
			t.Fatalf("%s: %+v", what, all)
		}
		for _, other := range []hearsay.NodeID{stay.ID, {6}} {
			if u, is := w.InVain(other); is != test.told || is && u != all[0] {
				t.Errorf("%s: in vain %t: %+v", what, is, u)
			}
		}
		if !test.told {
			continue
		}
		if u := &all[0]; u.ID != stay.ID || !u.Since.Equal(epoch) || u.Waits != test.waits || u.Why != test.why || !slices.Contains(w.seeds, u.Seed) {
			t.Errorf("%s: %+v", what, u)
		}
		w.pass(w.cfg.ReportEvery)
		answer(hearsay.OutcomePending)
		if all := w.Untaken(w.now); len(all) > 0 {
			t.Errorf("%s: taken, and %+v", what, all)
		}
		if _, is := w.InVain(stay.ID); is {
			t.Errorf("%s: taken, and in vain", what)
		}
	}
}

func TestReportsAreBounded(t *testing.T) {
	w := newWorld(t, 3)
	for i := range 2 * maxReports {
		w.Report(w.now, hearsay.Stay{ID: hearsay.NodeID{byte(i), 1}, Epoch: 1}, nil)
	}
	if len(w.reports) != maxReports || w.stats.Drops[hearsay.DropTableFull] != maxReports {
		t.Errorf("%d reports, %d dropped", len(w.reports), w.stats.Drops[hearsay.DropTableFull])
	}
}

// A roster that comes whole does not tell of each removal.
func TestPrunedReportsAreNotRepeated(t *testing.T) {
	w := newWorld(t, 3)
	for i := range maxReports {
		w.Report(w.now, hearsay.Stay{ID: hearsay.NodeID{byte(i)}, Epoch: 1}, nil)
	}
	w.Prune(func(s hearsay.Stay) bool { return s.ID == hearsay.NodeID{7} })
	w.sent()
	w.pass(w.cfg.ReportEvery)
	if n := len(w.sent()); n != 1 {
		t.Errorf("%d reports are repeated, want 1", n)
	}
}

func TestLeave(t *testing.T) {
	w := newWorld(t, 3)
	w.Leave(w.now, &core.Leave{})
	if asked := w.sent(); len(asked) != 3 {
		t.Fatalf("tells %v", asked)
	}
	w.pass(2 * time.Second)
	if asked := w.sent(); len(asked) != 3 {
		t.Fatalf("nobody has answered, and it tells %v", asked)
	}
	for range 2 {
		w.answer(1, hearsay.RulingLeave, hearsay.OutcomeDone, hearsay.Stay{})
	}
	w.pass(2 * time.Second)
	if asked := w.sent(); len(asked) != 3 || !w.Leaving() {
		t.Fatalf("one seed says that it is done, and it tells %v", asked)
	}
	w.answer(0, hearsay.RulingLeave, hearsay.OutcomeDone, hearsay.Stay{})
	w.pass(time.Minute)
	if asked := w.sent(); len(asked) > 0 || w.Leaving() {
		t.Errorf("a quorum says that it is done, and it tells %v", asked)
	}
}

// The ruling ends a leave, whatever seeds say.
func TestLeaveIsRuled(t *testing.T) {
	w := newWorld(t, 3)
	own := hearsay.Stay{ID: hearsay.NodeID{1}, Epoch: 3}
	w.Leave(w.now, &core.Leave{Stay: own})
	w.Settled(own.ID)
	w.Over(hearsay.Stay{ID: hearsay.NodeID{2}, Epoch: 3})
	w.Over(hearsay.Stay{ID: own.ID, Epoch: 2})
	if !w.Leaving() {
		t.Error("it is reachable, or another stay is over, and it leaves no more")
	}
	if w.Over(own); w.Leaving() {
		t.Error("its stay is over, and it leaves still")
	}
}

// Once seeds rule again after a while without a quorum, what waits for one is asked at once, and not after RetryMax;
// but not after each ruling of many.
func TestRulingEndsAWait(t *testing.T) {
	w := newWorld(t, 3)
	w.Register(w.now)
	for range 10 { // no seed decides
		for _, seed := range w.sent() {
			w.answer(seed, hearsay.RulingAdmit, hearsay.OutcomeWait, hearsay.Stay{})
		}
		w.pass(time.Second)
	}
	for _, seed := range w.sent() {
		w.answer(seed, hearsay.RulingAdmit, hearsay.OutcomeWait, hearsay.Stay{})
	}
	if wait := w.registration.nextAt.Sub(w.now); wait < time.Second {
		t.Fatalf("it asks again in %v: the test shows nothing", wait)
	}
	w.Ruled(w.now)
	w.pass(DefaultConfig().RetryMin)
	if asked := w.sent(); len(asked) != 2 {
		t.Errorf("seeds rule again, and it asks %v", asked)
	}
	for range 20 {
		for _, seed := range w.sent() {
			w.answer(seed, hearsay.RulingAdmit, hearsay.OutcomeWait, hearsay.Stay{})
		}
		w.pass(100 * time.Millisecond)
		w.Ruled(w.now)
	}
	if w.registration.sweeps > 4 {
		t.Errorf("it has asked all %d times in two seconds of rulings", w.registration.sweeps)
	}
}

// An answer counts only from a seed that was asked, and by stream.
func TestForgedOutcomes(t *testing.T) {
	w := newWorld(t, 3)
	w.Leave(w.now, &core.Leave{})
	m := &hearsay.Outcome{Kind: hearsay.RulingLeave, Code: hearsay.OutcomeDone}
	w.Outcome(w.now, &core.Packet{Addr: addr(1)}, m)
	w.Outcome(w.now, &core.Packet{Addr: addr(9), Stream: true}, m)
	w.answer(1, hearsay.RulingRemove, hearsay.OutcomeWait, hearsay.Stay{})
	if w.leave == nil || w.stats.Drops[hearsay.DropUnexpected] != 3 {
		t.Errorf("dropped %d, want 3", w.stats.Drops[hearsay.DropUnexpected])
	}
}

// What each seed answered last is kept, with when, until this node is in or asks
// anew.
func TestAnswersAreKept(t *testing.T) {
	w := newWorld(t, 3)
	w.Register(w.now)
	first := w.sent()
	w.pass(100 * time.Millisecond)
	w.answer(first[0], hearsay.RulingAdmit, hearsay.OutcomeRefused, hearsay.Stay{})
	refused := w.now
	w.pass(DefaultConfig().Patience)
	for i, a := range w.Answers() {
		switch {
		case a.Seed != addr(i):
			t.Errorf("the answer %d is of %v", i, a.Seed)
		case i == first[0] && (a.Code != hearsay.OutcomeRefused || a.Text != "because" || !a.At.Equal(refused)):
			t.Errorf("who refused: %+v", a)
		case i == first[1] && (a.Code != 0 || !a.At.After(refused)):
			t.Errorf("who is silent: %+v", a)
		case i != first[0] && i != first[1] && !a.At.IsZero():
			t.Errorf("who was not asked: %+v", a)
		}
	}
	w.Admitted()
	w.Register(w.now)
	if a := w.Answers()[first[0]]; !a.At.IsZero() {
		t.Errorf("anew: %+v", a)
	}
}

// What a seed answers to a registration is told when it changes, and again for the
// next registration; not each second that a node cannot follow.
func TestAnswersAreToldWhenTheyChange(t *testing.T) {
	w := newWorld(t, 3)
	w.Register(w.now)
	told := func() (answers []string) {
		for _, e := range w.out.Events {
			if e.Kind == hearsay.EventSeedAnswered {
				answers = append(answers, e.Outcome.String()+" "+e.Text)
			}
		}
		w.out.Reset()
		return answers
	}
	answer := func(code hearsay.OutcomeCode) {
		w.answer(0, hearsay.RulingAdmit, code, hearsay.Stay{})
		w.answer(1, hearsay.RulingAdmit, hearsay.OutcomeWait, hearsay.Stay{})
	}
	for range 10 {
		answer(hearsay.OutcomeDone)
	}
	if got := told(); len(got) != 2 {
		t.Errorf("told of the same two answers: %q", got)
	}
	answer(hearsay.OutcomeWait)
	answer(hearsay.OutcomeDone)
	w.Admitted()
	w.Register(w.now)
	answer(hearsay.OutcomeDone)
	if got := told(); !slices.Equal(got, []string{"wait because", "done because", "done because", "wait because"}) {
		t.Errorf("told %q", got)
	}
}

// A seed that is not reached is passed over at once, whatever it was asked.
func TestNotReached(t *testing.T) {
	w := newWorld(t, 3)
	stay := hearsay.Stay{ID: hearsay.NodeID{1}, Epoch: 4}
	w.Report(w.now, stay, nil)
	first := w.sent()
	w.NotReached(w.now, addr((first[0]+1)%3), "connection refused")
	if asked := w.sent(); len(asked) > 0 {
		t.Fatalf("another than was asked is not reached, and it asks %v", asked)
	}
	w.NotReached(w.now, addr(first[0]), "connection refused")
	if asked := w.sent(); len(asked) != 1 || asked[0] == first[0] {
		t.Errorf("asks %v after %v", asked, first)
	}
}

// What an operator asks is asked of one seed after the other, until one knows; what is told is what that said, or else
// what the first that answered said, or why the first was not reached.
func TestAsk(t *testing.T) {
	stay, caller := hearsay.Stay{ID: hearsay.NodeID{1}, Epoch: 4}, netip.AddrPortFrom(netip.IPv6Unspecified(), 7)
	const done, refused, pending, wait, lost = hearsay.OutcomeDone, hearsay.OutcomeRefused, hearsay.OutcomePending, hearsay.OutcomeWait, hearsay.OutcomeLost
	for _, c := range []struct {
		say  []hearsay.OutcomeCode // 0: nothing
		want hearsay.OutcomeCode
		text string
	}{
		{[]hearsay.OutcomeCode{done}, done, "because"},
		{[]hearsay.OutcomeCode{wait, pending}, pending, "because"},
		{[]hearsay.OutcomeCode{lost, wait, refused}, refused, "because"},
		{[]hearsay.OutcomeCode{lost, wait, lost}, wait, "because"},
		{[]hearsay.OutcomeCode{lost, lost, 0}, lost, "connection refused"},
		{[]hearsay.OutcomeCode{0, 0, 0}, lost, noAnswer},
	} {
		w := newWorld(t, 3)
		w.Ask(w.now, caller, stay)
		for i, code := range c.say {
			if len(w.out.Send) != 1 {
				t.Fatalf("%v: sends %d packets after %d answers", c.say, len(w.out.Send), i)
			}
			to := w.sent()[0]
			if code == 0 {
				w.pass(w.cfg.Patience)
			} else {
				w.answer(to, hearsay.RulingRemove, code, stay)
			}
		}
		if len(w.out.Send) != 1 || w.out.Send[0].Addr != caller || len(w.questions) > 0 {
			t.Fatalf("%v: sends %+v, %d are open", c.say, w.out.Send, len(w.questions))
		}
		if m := w.out.Send[0].Body.(*core.Outcome); m.Kind != hearsay.RulingRemove || m.Stay != stay || m.Code != c.want || m.Text != c.text {
			t.Errorf("%v: told %+v, want %s: %s", c.say, m, c.want, c.text)
		}
	}
}

// So many are asked at a time, and each is answered in the end.
func TestQuestionsAreBounded(t *testing.T) {
	w := newWorld(t, 3)
	answers := 0
	count := func() {
		for _, p := range w.out.Send {
			if _, is := p.Body.(*core.Outcome); is {
				answers++
			}
		}
		w.out.Reset()
	}
	for i := range 2 * maxQuestions {
		w.Ask(w.now, netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(i)), hearsay.Stay{ID: hearsay.NodeID{byte(i)}, Epoch: 1})
	}
	count()
	if len(w.questions) != maxQuestions || answers != maxQuestions || w.stats.Drops[hearsay.DropTableFull] != maxQuestions {
		t.Errorf("%d are open, %d answered, %d counted", len(w.questions), answers, w.stats.Drops[hearsay.DropTableFull])
	}
	w.pass(3 * w.cfg.Patience)
	if count(); len(w.questions) != 0 || answers != 2*maxQuestions {
		t.Errorf("%d are open, %d answered", len(w.questions), answers)
	}
}
