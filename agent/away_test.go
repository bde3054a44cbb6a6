package agent

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"hearsay"
)

// TestFirstWordCounts: a node that goes away does not leave, and one that leaves does not go away. The call
// that comes second says so, while that goes on and after it.
func TestFirstWordCounts(t *testing.T) {
	t.Parallel()
	a := start(t, quick("a"))
	b, c := start(t, quick("b", addrOf(a))), start(t, quick("c", addrOf(a)))
	awaitStates(t, a, "a alive, b alive, c alive")
	awaitStates(t, b, "a alive, b alive, c alive")
	b.ask(func(now time.Time) { b.loop.end(now, endsAway) })
	for range 2 {
		if err := b.Leave(patient(t)); !errors.Is(err, hearsay.ErrGoesAway) {
			t.Errorf("leave of one that goes away: %v", err)
		}
		if err := b.Away(patient(t)); err != nil {
			t.Errorf("away: %v", err)
		}
	}
	if m := a.Members()[1]; m.State != hearsay.StateAlive || m.AwayUntil.IsZero() {
		t.Errorf("after the leave that was refused: %+v", m)
	}
	c.ask(func(now time.Time) { c.loop.end(now, endsLeave) })
	for range 2 {
		if err := c.Away(patient(t)); !errors.Is(err, hearsay.ErrLeaves) {
			t.Errorf("away of one that leaves: %v", err)
		}
		if err := c.Leave(patient(t)); err != nil {
			t.Errorf("leave: %v", err)
		}
	}
	if err := errors.Join(b.Err(), c.Err()); err != nil {
		t.Error(err)
	}
}

// TestAwayUnheard: one that is in, and that nobody answers that it knows it to be away, says so. One that is
// not in, or alone, has nobody to tell. The log promises that it was never out only if somebody has answered.
func TestAwayUnheard(t *testing.T) {
	t.Parallel()
	goesAway := func(what string, cfg Config, ready func(b *Agent), want error, promised bool) {
		t.Helper()
		var log bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		b := start(t, cfg)
		ready(b)
		err := b.Away(patient(t))
		b.Close() // waits for the log
		if !errors.Is(err, want) || !errors.Is(b.Err(), want) || strings.Contains(log.String(), "never out") != promised {
			t.Errorf("%s: %v, ended by %v; want %v; log:\n%s", what, err, b.Err(), want, &log)
		}
	}
	a := start(t, quick("a"))
	heard := func(b *Agent) { awaitStates(t, b, "a alive, b alive") }
	goesAway("heard", quick("b", addrOf(a)), heard, nil, true)
	goesAway("alone", quick("b"), func(*Agent) {}, nil, false)
	lost := func(c *Agent) {
		await(t, c, "a member", func() bool { return len(c.Members()) > 1 })
		a.Close()
	}
	goesAway("unheard", quick("c", addrOf(a)), lost, hearsay.ErrAwayUnheard, false)

	n := newSeededNet(t, 3)
	n.stopSeed(2)
	n.stopSeed(1)
	goesAway("not in", n.peer("x"), func(*Agent) {}, nil, false)
}
