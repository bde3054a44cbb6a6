package node

import (
	"testing"
	"time"

	"hearsay"
)

// Whether a ruling is older than a node's life is judged by two clocks: the seeds', and its own. Where its own is slow
// what is old is not told as news; where it is fast, what is new may be told as old for as long.
func TestRuledBeforeTheStartByOtherClocks(t *testing.T) {
	began := time.Unix(1000, 0)
	now := began.Add(time.Second)
	for _, test := range []struct {
		ahead time.Duration // of the seeds' clocks
		ruled time.Duration // by a right clock, after the start
		want  bool
	}{
		{0, -time.Millisecond, true},
		{0, time.Millisecond, false},
		{time.Minute, -time.Second, true},
		{time.Minute, -58 * time.Second, true},
		{time.Minute, -2 * time.Minute, true},
		{-time.Minute, -time.Second, true},
	} {
		e := &hearsay.Event{Kind: hearsay.EventRuled, Before: true, Ruling: &hearsay.Ruling{At: began.Add(test.ahead + test.ruled).UnixMilli()}}
		if noteBefore(now, e, began); e.Before != test.want {
			t.Errorf("ruled %s after the start, by clocks that are %s ahead: before it %v", test.ruled, test.ahead, e.Before)
		}
	}
}
