package sim

import (
	"math"
	"testing"
	"time"

	"hearsay/internal/core"
)

// What SWIM promises (Das, Gupta, Motivala 2002, section 5), measured where
// nothing is lost. The time to the first ping of a crashed member is measured
// on living ones: until that ping nobody knows of the crash, so the schedule
// of pings is the same, and every member and every instant is a sample.
const (
	swimNodes   = 128
	swimWarm    = 30 * time.Second
	swimPeriods = 600 // observed: about 38,000 pings a hundred periods
)

// schedule is which machine pinged which other, and when.
type schedule struct {
	byTarget [][]time.Duration // when a machine was pinged
	byPinger [][]int32         // the machines that one pinged, one a period
	sent     int               // pings and acks
	received uint64
}

// observeSwim lets a network without loss go, and writes down its pings.
func observeSwim(t *testing.T, periods int) *schedule {
	t.Helper()
	w := newScenario(t, swimNodes, "", nil)
	w.RunUntil(swimWarm)
	w.convergesWithin(t, 0)
	s := &schedule{byTarget: make([][]time.Duration, swimNodes), byPinger: make([][]int32, swimNodes)}
	w.watch = func(from *machine, p *core.Packet) {
		switch m := p.Body.(type) {
		case *core.Ping:
			if s.sent++; m.Extra > 0 {
				return // it tests the way
			}
			to, _ := w.network.machineAt(p.Addr)
			s.byTarget[to] = append(s.byTarget[to], w.now)
			s.byPinger[from.index] = append(s.byPinger[from.index], to)
		case *core.Ack:
			s.sent++
		}
	}
	before := w.counts.Received
	w.RunUntil(swimWarm + time.Duration(periods)*w.config.Detect.Period)
	s.received = w.counts.Received - before
	if w.counts.Suspicions > 0 {
		t.Fatalf("%d suspicions without loss", w.counts.Suspicions)
	}
	return s
}

func TestSwimLoadAndFirstPing(t *testing.T) {
	t.Parallel()
	periods := swimPeriods
	s := observeSwim(t, periods)
	within := func(what string, got, want float64) {
		t.Helper()
		t.Logf("%s: %.4f", what, got)
		if math.Abs(got-want) > 0.02 {
			t.Errorf("%s: %.4f, want %.2f ± 0.02", what, got, want)
		}
	}
	memberPeriods := float64(swimNodes * periods)
	const tests = 2.0/60 + 2.0/10 // a ping and its ack: a long one in 60 periods, one by stream in 8 to 12
	within("pings and acks sent, per member and period", float64(s.sent)/memberPeriods, 2+tests)
	within("packets received, per member and period", float64(s.received)/memberPeriods, 2+tests)
	within("periods to the first ping, clocks not in step", s.firstPing(time.Second), 1)
	within("periods to the first ping, counted in lock-step", s.firstPingCounted(), 1.57)
}

// firstPing is the mean time, in periods, from any instant to the next ping of
// a member: over a gap of length g instants wait g/2 on average, and there are
// g of them.
func (s *schedule) firstPing(period time.Duration) float64 {
	waited, time := 0.0, 0.0
	for _, pings := range s.byTarget {
		for i := 1; i < len(pings); i++ {
			gap := (pings[i] - pings[i-1]).Seconds() / period.Seconds()
			waited += gap * gap / 2
			time += gap
		}
	}
	return waited / time
}

// firstPingCounted is the mean number of periods up to and with the first in
// which somebody pings a member, if all begin their periods together: the n-th
// ping of each is in the n-th period.
func (s *schedule) firstPingCounted() float64 {
	periods := math.MaxInt
	for _, targets := range s.byPinger {
		periods = min(periods, len(targets))
	}
	pinged := make([][]bool, len(s.byTarget))
	for i := range pinged {
		pinged[i] = make([]bool, periods)
	}
	for _, targets := range s.byPinger {
		for period, target := range targets[:periods] {
			pinged[target][period] = true
		}
	}
	sum, samples := 0, 0
	for _, in := range pinged {
		until := 0 // periods to the next ping; 0 while none is known, near the end
		for period := periods - 1; period >= 0; period-- {
			switch {
			case in[period]:
				until = 1
			case until > 0:
				until++
			default:
				continue
			}
			sum, samples = sum+until, samples+1
		}
	}
	return float64(sum) / float64(samples)
}
