package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
)

// say broadcasts a text, which must work.
func say(t *testing.T, a *Agent, text string) {
	t.Helper()
	if id, err := a.Broadcast(patient(t), []byte(text)); err != nil || hearsay.NodeID(id.Origin) != a.Self().ID || id.Counter == 0 {
		t.Fatalf("say %.20q: %v, %v", text, id, err)
	}
}

// told gives what a has, as "a: text", ordered; longer texts by their length.
func told(a *Agent) []string {
	var all []string
	for _, e := range a.Rumors(1 << 20) {
		text := string(e.Rumor.Data)
		if len(text) > 100 {
			text = fmt.Sprint(len(text), " bytes")
		}
		all = append(all, e.Name+": "+text)
	}
	slices.Sort(all)
	return all
}

func awaitTold(t *testing.T, a *Agent, want ...string) {
	t.Helper()
	await(t, a, strings.Join(want, ", "), func() bool { return slices.Equal(told(a), want) })
}

// delivered counts the events with which each rumor was told to the
// application.
func delivered(t *testing.T, a *Agent) map[string]int {
	t.Helper()
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	count := make(map[string]int)
	last := a.Newest()
	for number, e := range a.EventsAfter(ctx, 0) {
		if e.Kind == hearsay.EventRumor {
			count[fmt.Sprint(e.Rumor.ID)]++
		}
		if number >= last {
			break
		}
	}
	return count
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	a := start(t, quick("a"))
	b := start(t, quick("b", addrOf(a)))
	c := start(t, quick("c", addrOf(a)))
	all := []*Agent{a, b, c}
	for _, each := range all {
		awaitStates(t, each, "a alive, b alive, c alive")
	}
	for _, each := range all {
		say(t, each, "the same") // three rumors all the same
	}
	long := strings.Repeat("x", hearsay.MaxRumorData)
	say(t, b, long)
	for _, each := range all {
		awaitTold(t, each, "a: the same", "b: 65536 bytes", "b: the same", "c: the same")
	}
	d := start(t, quick("d", addrOf(b))) // has them, too, though it came late
	awaitTold(t, d, "a: the same", "b: 65536 bytes", "b: the same", "c: the same")

	for _, each := range append(all, d) {
		count := delivered(t, each)
		if len(count) != 4 {
			t.Errorf("%s was told of %v", each.cfg.Name, count)
		}
		for id, n := range count {
			if n != 1 {
				t.Errorf("%s was told %d times of %s", each.cfg.Name, n, id)
			}
		}
		for _, e := range each.Rumors(4) {
			own := e.Subject == each.Self().ID
			if own != (e.Count == 0) || own != (e.By == each.Self().ID) {
				t.Errorf("%s heard from %s what %s said, over %d hops", each.cfg.Name, e.ByName, e.Name, e.Count)
			}
		}
		if newest := each.Rumors(1); len(newest) != 1 || each.Rumors(0) != nil {
			t.Errorf("%s gave %v for the newest", each.cfg.Name, newest)
		}
	}
	if s := b.Stats(); s.RumorsSaid != 2 || s.RumorsDelivered != 4 || s.RumorsHeld != 4 || s.RumorsHeldBytes != 3*len("the same")+len(long) {
		t.Errorf("figures %+v", s)
	}
	await(t, b, "links as counted", func() bool { return b.Stats().Links == len(b.Links()) && len(b.Links()) > 0 })
}

// TestBroadcastAgain: what was said before a crash is told after it, under the
// number that it had; later numbers are new.
func TestBroadcastAgain(t *testing.T) {
	t.Parallel()
	cfg := quick("a")
	cfg.Data = t.TempDir()
	a := start(t, cfg)
	say(t, a, "before")
	before := a.Rumors(1)[0].Rumor.ID
	a.Close()

	a = start(t, cfg)
	b := start(t, quick("b", addrOf(a)))
	awaitTold(t, b, "a: before")
	if again := b.Rumors(1)[0].Rumor.ID; again != before {
		t.Errorf("came back as %v, was %v", again, before)
	}
	id, err := a.Broadcast(patient(t), []byte("after"))
	if err != nil || id.Origin != before.Origin || id.Counter <= before.Counter {
		t.Errorf("said as %v, %v, after %v", id, err, before)
	}
	awaitTold(t, b, "a: after", "a: before")
}

func TestBroadcastRefused(t *testing.T) {
	a := start(t, quick("a"))
	for _, size := range []int{0, hearsay.MaxRumorData + 1} {
		_, err := a.Broadcast(patient(t), make([]byte, size))
		if !errors.Is(err, hearsay.ErrRumorSize) || !strings.Contains(err.Error(), fmt.Sprintf("broadcast: %d bytes: ", size)) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	data := []byte("mine")
	if _, err := a.Broadcast(patient(t), data); err != nil {
		t.Error(err)
	}
	copy(data, "ours")
	if got := a.Rumors(1); !bytes.Equal(got[0].Rumor.Data, []byte("mine")) {
		t.Errorf("it holds %q: what was said belongs to the caller", got[0].Rumor.Data)
	}
	a.Close()
	if _, err := a.Broadcast(patient(t), data); !errors.Is(err, errStopped) {
		t.Errorf("after Close: %v", err)
	}
}

func TestTopology(t *testing.T) {
	a := start(t, quick("a"))
	if got := a.Topology(); len(got) != 0 {
		t.Errorf("alone: %v", got)
	}
	b := start(t, quick("b", addrOf(a)))
	await(t, a, "the link", func() bool { return len(a.Links()) == 1 })
	await(t, b, "the link", func() bool { return len(b.Links()) == 1 })
	want := hearsay.LinkOf(a.Self().ID, b.Self().ID, hearsay.LinkRing)
	for _, each := range []*Agent{a, b} {
		if got := each.Topology(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %v", each.cfg.Name, got, want)
		}
	}
}

// TestHubLetsRumorsGo: it does not hold more payloads than it may.
func TestHubLetsRumorsGo(t *testing.T) {
	h := newHub(time.Now())
	rumor := hearsay.Rumor{Data: make([]byte, hearsay.MaxRumorData)}
	for range 2 * hubPayload / len(rumor.Data) {
		h.publish(&hearsay.Event{Kind: hearsay.EventRumor, Rumor: &rumor})
	}
	kept := hubPayload / len(rumor.Data)
	if len(h.rumors) != kept || h.payload != hubPayload || h.next-h.first != uint64(kept) {
		t.Errorf("holds %d rumors of %d bytes in %d events, want %d", len(h.rumors), h.payload, h.next-h.first, kept)
	}
	for range hubEvents {
		h.publish(numbered(1))
	}
	if len(h.rumors) != 0 || h.payload != 0 {
		t.Errorf("holds %d rumors of %d bytes that were lost", len(h.rumors), h.payload)
	}
}

// TestLogPassesRumorsOver: many rumors flood no log, and what follows them is
// in it.
func TestLogPassesRumorsOver(t *testing.T) {
	var text bytes.Buffer
	h := newHub(time.Now())
	j := &journal{hub: h, logger: slog.New(slog.NewTextHandler(&text, nil))}
	tell := func(e hearsay.Event) { j.wake(h.publish(&e), e.Kind) }
	tell(hearsay.Event{Kind: hearsay.EventAlone})
	j.writing.Wait()
	for range 2 * hubEvents {
		tell(hearsay.Event{Kind: hearsay.EventRumor, Rumor: &hearsay.Rumor{Data: []byte("x")}})
	}
	tell(hearsay.Event{Kind: hearsay.EventMemberJoined, Name: "b"})
	j.writing.Wait()
	if got := text.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "member=b") {
		t.Errorf("the log: %s", got)
	}

	text.Reset()
	j.logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tell(hearsay.Event{Kind: hearsay.EventRumor, Name: "b", Rumor: &hearsay.Rumor{Data: []byte("secret")}})
	j.writing.Wait()
	if got := text.String(); !strings.Contains(got, "member=b number=0 bytes=6") || strings.Contains(got, "secret") {
		t.Errorf("the log, for debugging: %s", got)
	}
}
