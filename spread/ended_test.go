package spread

import (
	"fmt"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/kv"
)

// Watchers are told when the time of a value is over, once, and of many in parts.
func TestEndedIsTold(t *testing.T) {
	now := time.UnixMilli(1 << 40)
	out := new(core.Effects)
	directory := Directory{Next: func(hearsay.NodeID) []hearsay.NodeID { return nil }}
	s := New(DefaultConfig(), hearsay.NodeID{1}, directory, nil, new(hearsay.Stats), out, now)
	s.Watch()
	upto := now
	put := func(key string, ttl time.Duration) {
		t.Helper()
		if err := s.Put(now, kv.Write{Key: key, Value: []byte(key), TTL: ttl}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(want ...string) {
		t.Helper()
		var told []string
		for _, e := range out.Events {
			told = append(told, fmt.Sprintf("%s:%d", e.Change.Key, e.Change.Siblings))
		}
		if out.Events = nil; fmt.Sprint(told) != fmt.Sprint(want) {
			t.Errorf("told %v, want %v", told, want)
		}
	}
	pass := func(d time.Duration) {
		now = now.Add(d)
		s.Tick(now)
		upto = s.Ended(upto, now)
	}
	put("short", time.Second)
	put("long", time.Hour)
	put("replaced", time.Second)
	want("short:1", "long:1", "replaced:1")
	pass(999 * time.Millisecond)
	want()
	pass(time.Millisecond)
	want("replaced:0", "short:0")
	put("replaced", 0)
	want("replaced:1")
	pass(s.cfg.Drift) // it is gone
	want()
	if values, _ := s.Replica().Len(); values != 2 {
		t.Errorf("%d values are held", values)
	}
	for n := range 3000 {
		put(fmt.Sprintf("many/%04d", n), time.Duration(1+n/1000)*time.Second)
	}
	out.Events = nil
	now = now.Add(time.Minute - time.Second)
	for range 3 {
		upto = s.Ended(upto, now)
	}
	if told := len(out.Events); told != 3000 || !upto.Equal(now) {
		t.Errorf("told of %d, up to %v before now", told, now.Sub(upto))
	}
}
