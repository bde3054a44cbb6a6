package petition

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
)

var epoch = time.Unix(1_700_000_000, 0)

// world is a node's petitions and what they send.
type world struct {
	*Petitions
	t     *testing.T
	now   time.Time
	out   hearsay.Effects
	drops hearsay.Drops
}

func newWorld(t *testing.T, seeds int) *world {
	w := &world{t: t, now: epoch}
	var addrs []netip.AddrPort
	for i := range seeds {
		addrs = append(addrs, addr(i))
	}
	w.Petitions = New(DefaultConfig(), addrs, rand.New(rand.NewPCG(1, 2)), &w.drops, &w.out)
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
	p := hearsay.Packet{Addr: addr(i), Stream: true}
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
	for _, codes := range [][]hearsay.OutcomeCode{
		{hearsay.OutcomeLost, hearsay.OutcomeWait, hearsay.OutcomeLost},
		{hearsay.OutcomeLost, hearsay.OutcomeLost, hearsay.OutcomeLost},
		{hearsay.OutcomeWait, hearsay.OutcomeLost, hearsay.OutcomeLost},
	} {
		var answered, asked []int
		asked = w.sent()
		for i, code := range codes {
			if code == hearsay.OutcomeWait {
				answered = append(answered, asked[i])
			}
			w.answer(asked[i], hearsay.RulingAdmit, code, hearsay.Stay{})
			packets := slices.Clone(w.out.Send)
			w.out.Reset()
			for _, p := range packets {
				asked = append(asked, int(p.Addr.Addr().As4()[3])-1)
			}
		}
		w.out.Reset()
		for len(w.out.Events) == 0 {
			w.now = w.Deadline()
			w.Tick(w.now)
		}
		if e := w.out.Events[0]; e.Kind != hearsay.EventJoinFail || len(answered) > 0 && e.Addr != addr(answered[0]) || e.Addr == (netip.AddrPort{}) {
			t.Errorf("answered %v, in this order by %v: tells of %v: %s", codes, asked, e.Addr, e.Text)
		}
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
				m := p.Body.(*hearsay.Report)
				brought[m.Stay.ID]++
				p := hearsay.Packet{Addr: p.Addr, Stream: true}
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
	w.Outcome(w.now, &hearsay.Packet{Addr: p.Addr, Stream: true}, &hearsay.Outcome{Kind: hearsay.RulingRemove, Code: hearsay.OutcomePending, Stay: p.Body.(*hearsay.Report).Stay})
	w.Tick(w.now)
	if n := len(w.sent()); n != maxReports-1 {
		t.Errorf("one is taken, and %d of %d others are brought", n, maxReports-1)
	}
}

func TestReportsAreBounded(t *testing.T) {
	w := newWorld(t, 3)
	for i := range 2 * maxReports {
		w.Report(w.now, hearsay.Stay{ID: hearsay.NodeID{byte(i), 1}, Epoch: 1}, nil)
	}
	if len(w.reports) != maxReports || w.drops[hearsay.DropTableFull] != maxReports {
		t.Errorf("%d reports, %d dropped", len(w.reports), w.drops[hearsay.DropTableFull])
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
	w.Leave(w.now, &hearsay.Leave{})
	if asked := w.sent(); len(asked) != 3 {
		t.Fatalf("tells %v", asked)
	}
	w.pass(2 * time.Second)
	if asked := w.sent(); len(asked) != 3 {
		t.Fatalf("nobody has answered, and it tells %v", asked)
	}
	w.answer(1, hearsay.RulingLeave, hearsay.OutcomeDone, hearsay.Stay{})
	w.pass(time.Minute)
	if asked := w.sent(); len(asked) > 0 {
		t.Errorf("it is done, and it tells %v", asked)
	}
}

// An answer counts only from a seed that was asked, and by stream.
func TestForgedOutcomes(t *testing.T) {
	w := newWorld(t, 3)
	w.Leave(w.now, &hearsay.Leave{})
	m := &hearsay.Outcome{Kind: hearsay.RulingLeave, Code: hearsay.OutcomeDone}
	w.Outcome(w.now, &hearsay.Packet{Addr: addr(1)}, m)
	w.Outcome(w.now, &hearsay.Packet{Addr: addr(9), Stream: true}, m)
	w.answer(1, hearsay.RulingRemove, hearsay.OutcomeLost, hearsay.Stay{})
	if w.leave == nil || w.drops[hearsay.DropUnexpected] != 3 {
		t.Errorf("dropped %d, want 3", w.drops[hearsay.DropUnexpected])
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
