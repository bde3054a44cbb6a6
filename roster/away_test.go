package roster_test

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// away is its own signed word that it is back soon.
func (s *stranger) away() *core.Away {
	m := &core.Away{Stay: hearsay.Stay{ID: s.id()}, Incarnation: s.incarnation, Left: core.AwayFor}
	m.Sign(hearsay.LedgerID{Network: network}, s)
	return m
}

// hearAway gives the roster such a word from somebody, and returns who is told it, by address.
func (b *bench) hearAway(from *stranger, word *core.Away) (told []string) {
	b.out.Reset()
	b.Begin()
	b.Away(b.now, &core.Packet{From: from.id(), Addr: from.addr, Body: word}, word)
	return b.awayTold()
}

func (b *bench) awayTold() []string { return toldAway(b.out) }

func toldAway(out *core.Effects) (told []string) {
	for _, p := range slices.Concat(out.Now, out.Send) {
		if _, is := p.Body.(*core.Away); is {
			told = append(told, p.Addr.String())
		}
	}
	return told
}

// A member that has said that it is away is suspected by nobody for ten seconds, and who accuses it is told
// its word. It counts once for an incarnation.
func TestAway(t *testing.T) {
	b := newBench(t, 4)
	x, accuser := b.others[0], b.others[1]
	b.hear(accuser, suspect(x, accuser))
	b.want(x, hearsay.StateSuspect)
	if told := b.hearAway(x, x.away()); len(told) < 2 || told[len(told)-1] != x.addr.String() {
		t.Errorf("told %v; want others, and then the member itself, which waits for that", told)
	}
	b.want(x, hearsay.StateAlive)
	if b.Trusted(x.id()) || !b.CannotRelay(x.id()) {
		t.Error("one that is away is trusted, or a relay")
	}
	if told := b.hearAway(accuser, x.away()); len(told) > 0 {
		t.Errorf("a word that is known was passed on to %v", told)
	}
	b.hear(accuser, suspect(x, accuser))
	if told := b.awayTold(); len(told) != 1 || told[0] != accuser.addr.String() {
		t.Errorf("told %v; want the accuser", told)
	}
	b.Unreachable(b.now, x.id())
	e := b.evidence(x, hearsay.RuleMajority, all(hearsay.VerdictUnreachable))
	b.hear(accuser, hearsay.Claim{Subject: x.id(), State: hearsay.StateDead, Incarnation: x.incarnation, By: accuser.id(), Evidence: e.Hash(network)})
	if told := b.awayTold(); len(told) != 1 || b.Pending() > 0 {
		t.Errorf("told %v, and %d deaths wait; want who says that it is dead, and none", told, b.Pending())
	}
	b.want(x, hearsay.StateAlive)
	until, is := b.IsAway(x.id())
	if m, _ := b.Member(x.id()); !is || !until.Equal(b.now.Add(core.AwayFor)) || !m.AwayUntil.Equal(until) {
		t.Errorf("away: %t, until %v, listed as until %v", is, until, m.AwayUntil)
	}
	b.pass(core.AwayFor + 20*time.Millisecond)
	b.hearAway(x, x.away())
	if m, _ := b.Member(x.id()); !m.AwayUntil.IsZero() {
		t.Errorf("the same word counts again, until %v", m.AwayUntil)
	}
	b.hear(accuser, suspect(x, accuser)) // also of who accused it before
	b.want(x, hearsay.StateSuspect)
	x.incarnation++
	b.hear(x, x.word(hearsay.StateAlive))
	b.hearAway(x, x.away())
	if _, is := b.IsAway(x.id()); !is {
		t.Error("the word of the next incarnation does not count")
	}
}

// The next incarnation of a member ends it, and no other word than its own does anything.
func TestAwayIsOfOneIncarnation(t *testing.T) {
	b := newBench(t, 4)
	x, other := b.others[0], b.others[1]
	forged := x.away()
	forged.Signature[0] ^= 1
	b.hearAway(other, forged)
	b.wantDrop(hearsay.DropBadSignature, 1)
	stranger := newStranger(9)
	b.hearAway(stranger, x.away())
	b.hearAway(stranger, stranger.away())
	b.wantDrop(hearsay.DropStranger, 2)
	ahead := *x
	ahead.incarnation++
	b.hearAway(x, ahead.away())
	if _, is := b.IsAway(x.id()); is {
		t.Fatal("it is away by a word that does not count")
	}
	old := x.away()
	b.hearAway(other, old)
	if _, is := b.IsAway(x.id()); !is {
		t.Fatal("a word that another brings does not count")
	}
	x.incarnation++
	out := b.hear(x, x.word(hearsay.StateAlive))
	if _, is := b.IsAway(x.id()); is || len(out.Events) != 1 || out.Events[0].Kind != hearsay.EventMemberBack {
		t.Errorf("back: away is %t, events %v", is, out.Events)
	}
	b.hearAway(other, old)
	b.hear(other, suspect(x, other))
	b.want(x, hearsay.StateSuspect)
}

// A node that is away itself tells its neighbors until they have heard, and is gone; it refutes nothing any more.
func TestGoesAway(t *testing.T) {
	b := newBench(t, 2)
	b.out.Reset()
	b.GoAway(b.now, hearsay.Stay{ID: b.Self().ID})
	if told := b.awayTold(); len(told) != 2 || b.Gone() {
		t.Errorf("told %v, and gone: %t; want both others, and to wait", told, b.Gone())
	}
	own := *b.out.Send[0].Body.(*core.Away)
	was := b.Self().Incarnation
	b.hear(b.others[0], hearsay.Claim{Subject: b.Self().ID, State: hearsay.StateSuspect, Incarnation: was, By: b.others[0].id()})
	if b.Self().Incarnation != was {
		t.Error("it has refuted, which ends what it has said")
	}
	b.hearAway(b.others[0], &own)
	if told := len(toldAway(b.pass(150 * time.Millisecond))); told != 1 || b.Gone() {
		t.Errorf("told %d again, and gone: %t; want the one that has not answered", told, b.Gone())
	}
	b.hearAway(b.others[1], &own)
	if !b.Gone() {
		t.Error("all have heard it, and it is not gone")
	}
	silent := newBench(t, 1)
	silent.GoAway(silent.now, hearsay.Stay{ID: silent.Self().ID})
	if silent.pass(time.Second / 3); !silent.Gone() {
		t.Error("it waits for one that does not answer")
	}
}

// A member that says in each life that it is away is held twice at once, and then once a minute: it may be
// dead, and others say words that it has signed in advance.
func TestAwayIsNotForEver(t *testing.T) {
	b := newBench(t, 3)
	x := b.others[1]
	held := 0
	for range 30 {
		x.incarnation++
		b.hear(x, x.word(hearsay.StateAlive))
		b.hearAway(x, x.away())
		if _, is := b.IsAway(x.id()); is {
			held++
		}
		b.pass(9500 * time.Millisecond)
	}
	if held < 5 || held > 7 { // in 285 s
		t.Errorf("it was held %d times, want 2 and one a minute", held)
	}
}

// The time of a word goes on while it is passed on, and a word with too little time is made up for by another
// with more, but not beyond AwayFor.
func TestAwayLasts(t *testing.T) {
	b := newBench(t, 4)
	x, other := b.others[1], b.others[2]
	word := func(left time.Duration) *core.Away {
		w := x.away()
		w.Left = left
		return w
	}
	began := b.now
	for _, c := range []struct{ left, want time.Duration }{
		{0, 0},
		{time.Second, time.Second},
		{4 * time.Second, 4 * time.Second},
		{2 * time.Second, 4 * time.Second},
		{time.Hour, core.AwayFor},
	} {
		b.hearAway(other, word(c.left))
		until, is := b.IsAway(x.id())
		if is != (c.want > 0) || is && !until.Equal(began.Add(c.want)) {
			t.Errorf("after a word with %v left it is away: %t, for %v; want %v", c.left, is, until.Sub(began), c.want)
		}
	}
	b.pass(6 * time.Second)
	b.awayTold()
	b.hear(other, suspect(x, other))
	var left []time.Duration
	for _, p := range b.out.Now {
		if m, is := p.Body.(*core.Away); is {
			left = append(left, m.Left)
		}
	}
	if len(left) != 1 || left[0] != 4*time.Second {
		t.Errorf("who accuses it is told words with %v left, want one with 4s", left)
	}
}
