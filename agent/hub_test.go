package agent

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearsay"
)

func numbered(n int) *hearsay.Event {
	return &hearsay.Event{At: time.Unix(0, int64(n)), Kind: hearsay.EventRoundOpened, Count: n}
}

// counts gives the Counts of the events after number that are there, EventLagged
// as its negative.
func counts(h *hub, number uint64) (got []int) {
	for at := (place{number: number}); ; {
		next, e, _, ok := h.after(at)
		if !ok {
			return got
		}
		at = next
		if e.Kind == hearsay.EventLagged {
			e.Count = -e.Count
		}
		got = append(got, e.Count)
	}
}

func TestEventsComeBackWhole(t *testing.T) {
	full := hearsay.Event{
		At: time.Unix(12345, 678), Kind: hearsay.EventMemberDead,
		Subject: hearsay.NodeID{1}, Name: "a", By: hearsay.NodeID{2}, ByName: "b", State: hearsay.StateDead,
		Incarnation: 1 << 60, Addr: netip.MustParseAddrPort("[fe80::1%eth0]:7"), Round: 1 << 63, Verdict: hearsay.VerdictReachable,
		Count: 3, Heard: 2, Past: true, Before: true, CutOff: true, Took: time.Hour, Text: strings.Repeat("long ", 200), Evidence: &hearsay.Evidence{Round: 9},
		Rumor: &hearsay.Rumor{Hops: 2, Data: []byte("so they say")}, Rule: hearsay.RuleWatch, Case: 7, Epoch: 8, Outcome: hearsay.OutcomeWait, Reason: hearsay.ReasonBarred,
		Ballot: &hearsay.Ballot{Case: 7}, Ruling: &hearsay.Ruling{Epoch: 8},
	}
	h := newHub(time.Now())
	var want []hearsay.Event
	fields := reflect.TypeOf(full).NumField()
	for i := range fields { // each field alone, beside the two that are always there
		if reflect.TypeOf(full).Field(i).Name == "Change" {
			continue // of no event that the hub has
		}
		if reflect.ValueOf(full).Field(i).IsZero() {
			t.Errorf("the field %s is not tried", reflect.TypeOf(full).Field(i).Name)
		}
		e := hearsay.Event{At: full.At, Kind: full.Kind}
		reflect.ValueOf(&e).Elem().Field(i).Set(reflect.ValueOf(full).Field(i))
		want = append(want, e)
	}
	want = append(want, full)
	for i := range want {
		h.publish(&want[i])
	}
	var at place
	for i := range want {
		next, e, _, ok := h.after(at)
		if !ok || !reflect.DeepEqual(e, want[i]) {
			t.Errorf("event %d: %v\ngot  %+v\nwant %+v", i, ok, e, want[i])
		}
		at = next
	}
}

func TestHubKeepsTheNewest(t *testing.T) {
	h := newHub(time.Now())
	before := h.newest()
	if got := counts(h, 0); got != nil {
		t.Errorf("an empty hub gave %v", got)
	}
	for n := range 3 {
		h.publish(numbered(n + 1))
	}
	for after, want := range map[uint64]string{
		0:          "[1 2 3]",
		before:     "[1 2 3]",
		before + 1: "[2 3]",
		before + 3: "[]",
		before - 1: "[0 1 2 3]", // the number of an earlier life: something was missed, nobody knows how much
		before + 9: "[0 1 2 3]",
	} {
		if got := fmt.Sprint(counts(h, after)); got != want {
			t.Errorf("after %d: %s, want %s", int64(after-before), got, want)
		}
	}
	for n := 4; n <= hubEvents+10; n++ {
		h.publish(numbered(n))
	}
	for _, after := range []uint64{0, before, before + 4} {
		lost := 10 - int(max(after, before)-before)
		if got := counts(h, after); got[0] != -lost || got[1] != 11 || len(got) != 1+hubEvents {
			t.Errorf("after %d: %d, %d …, %d in all", int64(after-before), got[0], got[1], len(got))
		}
	}
}

func TestHubIsBounded(t *testing.T) {
	h := newHub(time.Now())
	e := hearsay.Event{Kind: hearsay.EventJoinFail, Text: strings.Repeat("x", hubBytes/4), Evidence: &hearsay.Evidence{}}
	for range 100 {
		h.publish(&e)
	}
	if len(h.bytes) > hubBytes || cap(h.bytes) > 4*hubBytes || len(h.evidence) != int(h.next-h.first) {
		t.Errorf("holds %d bytes of %d, %d evidence of %d events", len(h.bytes), cap(h.bytes), len(h.evidence), h.next-h.first)
	}
	e.Text = strings.Repeat("x", 2*hubBytes) // alone longer than all should be
	h.publish(&e)
	if h.next-h.first != 1 {
		t.Errorf("holds %d events beside one that is too long", h.next-h.first-1)
	}
}

// TestListeners: one who waits gets each event; one who is slow is told what
// it lost and holds up nobody; all end with the hub or with their context.
func TestListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(time.Now())
		quick, slow, cancelled := 0, "", 0
		start := h.newest()
		go func() {
			for range h.from(t.Context(), start) {
				quick++
			}
			quick = -quick
		}()
		go func() {
			for _, e := range h.from(t.Context(), start) {
				if e.Count == 1 {
					time.Sleep(time.Hour) // in the bubble, which costs nothing
				}
				if len(slow) < 20 {
					slow += fmt.Sprintf("%s %d, ", e.Kind, e.Count)
				}
			}
		}()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for range h.from(ctx, start) {
				cancelled++
			}
			cancelled = -cancelled
		}()
		for n := range hubEvents + 5 {
			h.publish(numbered(n + 1))
			synctest.Wait()
			if n == 9 {
				cancel()
				synctest.Wait()
			}
		}
		h.close()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if quick != -(hubEvents + 5) {
			t.Errorf("the quick one had %d", quick)
		}
		if !strings.HasPrefix(slow, "round-opened 1, lagged 4, ") {
			t.Errorf("the slow one had %s", slow)
		}
		if cancelled != -10 {
			t.Errorf("the cancelled one had %d", cancelled)
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	h := newHub(time.Now())
	e := hearsay.Event{
		At: time.Now(), Kind: hearsay.EventMemberJoined, Subject: hearsay.NodeID{1}, Name: "member-17",
		Addr: netip.MustParseAddrPort("10.0.0.1:7946"), Incarnation: 1 << 40,
	}
	b.ReportAllocs()
	for b.Loop() {
		h.publish(&e)
	}
	b.ReportMetric(float64(len(h.bytes))/float64(h.next-h.first), "B/event")
}
