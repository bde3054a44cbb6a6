package agent

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A node that could open no stream to some members in a row, or to all, which are alive, says that streams
// do not get through; and not where one could be opened since, or where those have died.
func TestStreamsThatDoNotGetThrough(t *testing.T) {
	now := time.Now()
	refused := errors.New("timed out")
	at := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 7946)
	}
	for name, c := range map[string]struct {
		tried   []int // members, by number; negative: a stream was opened; from 100 on: it has opened one
		dead    int   // of the members, the first ones
		all     int   // members
		waited  time.Duration
		members int
		failing bool
	}{
		"three in a row":     {[]int{1, 2, 3}, 0, 9, 30 * time.Second, 3, true},
		"one, often":         {[]int{1, 1, 1}, 0, 9, 30 * time.Second, 1, false},
		"all there are":      {[]int{1, 2}, 0, 2, 30 * time.Second, 2, true},
		"the only one":       {[]int{1}, 0, 1, 30 * time.Second, 1, true},
		"one was opened":     {[]int{1, 2, 3, -4}, 0, 9, 30 * time.Second, 3, false},
		"and then no others": {[]int{1, -4, 2, 3, 1}, 0, 9, 30 * time.Second, 3, true},
		"opened again":       {[]int{1, 2, 3, -3, -2, -1}, 0, 9, 30 * time.Second, 0, false},
		"one opens one":      {[]int{1, 2, 3, 103}, 0, 9, 9 * time.Second, 2, false},
		"another opens one":  {[]int{1, 2, 3, 104}, 0, 9, 30 * time.Second, 3, true},
		"they died":          {[]int{1, 2, 3}, 3, 9, 30 * time.Second, 0, false},
		"two of many":        {[]int{1, 2}, 0, 9, 30 * time.Second, 2, true},
		"two, for a moment":  {[]int{1, 2}, 0, 9, 8 * time.Second, 2, false},
		"two, and another":   {[]int{-3, 1, 2, -3}, 0, 9, 30 * time.Second, 2, false},
		"just now":           {[]int{1, 2, 3}, 0, 9, time.Second, 3, false},
		"long ago":           {[]int{1, 2, 3}, 0, 9, time.Hour, 0, false},
		"none is left":       {[]int{1}, 1, 1, 30 * time.Second, 0, false},
	} {
		var d dials
		for i, n := range c.tried {
			switch when := now.Add(time.Duration(i) * time.Millisecond); {
			case n < 0:
				d.note(when, at(-n), nil)
			case n >= 100:
				d.heard(when, at(n-100).Addr())
			default:
				d.note(when, at(n), refused)
			}
		}
		var alive []bool
		for i := range d.failed {
			n := int(d.failed[i].to.Addr().As4()[3])
			alive = append(alive, n > c.dead)
		}
		if members, failing := d.tell(now.Add(c.waited), alive, c.all-c.dead); members != c.members || failing > 0 != c.failing {
			t.Errorf("%s: no stream to %d members, for %v", name, members, failing)
		}
	}
	told := 0
	var blocked dials // only what it opens itself: one of nine is tried each second, and each opens one now and then
	for second := range 60 {
		when := now.Add(time.Duration(second) * time.Second)
		blocked.note(when, at(1+second%9), refused)
		if second%2 == 0 {
			blocked.heard(when, at(1+second/2%9).Addr())
		}
		alive := slices.Repeat([]bool{true}, len(blocked.failed))
		if _, failing := blocked.tell(when, alive, 9); failing > 0 {
			told++
		}
	}
	if told < 30 {
		t.Errorf("others open streams, and none that this node opens gets through: told in %d of 60 s", told)
	}
	var d dials
	for i := range 1000 {
		d.note(now, netip.AddrPortFrom(at(1).Addr(), uint16(i)), refused)
	}
	if len(d.failed) > undialledMost {
		t.Errorf("keeps %d addresses", len(d.failed))
	}
}
