package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearsay"
)

// make has the store make a change of a key.
func (c *changes) make(key string) change {
	return change{c.made.Add(1), time.Now(), &hearsay.KeyChange{Key: key, Siblings: 1}}
}

// watched notes what a watcher is told: "key@number", "lagged@number", and "@number" if it was idle.
type watched struct {
	mu   sync.Mutex
	told []string
	done bool
}

// take gives what was told since the last call.
func (w *watched) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := strings.Join(w.told, " ")
	w.told = nil
	return text
}

func (w *watched) run(ctx context.Context, c *changes, from watcher, idle time.Duration) {
	for number, e := range c.from(ctx, from, idle) {
		what := ""
		switch e.Kind {
		case hearsay.EventKeyChanged:
			what = e.Change.Key
		case hearsay.EventLagged:
			what = "lagged"
		}
		w.mu.Lock()
		w.told = append(w.told, fmt.Sprintf("%s@%d", what, number))
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
}

func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChanges()
		var all, some, one, future, ended watched
		ctx, cancel := context.WithCancel(t.Context())
		go all.run(t.Context(), c, watcher{}, 0)
		go some.run(t.Context(), c, watcher{prefix: "b"}, time.Minute)
		go one.run(t.Context(), c, watcher{prefix: "b", whole: true}, 0)
		go future.run(t.Context(), c, watcher{at: 1}, 0)
		go ended.run(ctx, c, watcher{}, time.Second)
		check := func(w *watched, want string) {
			t.Helper()
			synctest.Wait()
			if told := w.take(); told != want {
				t.Errorf("told %q, want %q", told, want)
			}
		}
		check(&future, "lagged@0") // of a number that was not reached, the past is not known
		for _, key := range []string{"a", "b", "c", "bb"} {
			c.publish(c.make(key))
			synctest.Wait()
		}
		cancel()
		check(&all, "a@1 b@2 c@3 bb@4")
		check(&some, "b@2 bb@4")
		check(&one, "b@2")
		check(&ended, "a@1 b@2 c@3 bb@4")
		c.mu.Lock()
		if len(c.waiting) != 4 {
			t.Errorf("%d wait", len(c.waiting))
		}
		c.mu.Unlock()
		// Made, and not handed out yet: an idle watcher is not told of it.
		late := c.make("late")
		time.Sleep(time.Minute)
		check(&some, "@4")
		c.publish(late)
		time.Sleep(time.Minute)
		check(&some, "@5")
		// What a watcher does not want does not make it lag.
		for range changesKept + 10 {
			c.publish(c.make("a"))
		}
		c.publish(c.make("b"))
		check(&one, fmt.Sprintf("b@%d", 5+changesKept+10+1))
		all.take()
		// Lost ones: all are told, as they may have been wanted.
		c.make("b")
		c.lost(c.make("b").number)
		check(&one, fmt.Sprintf("lagged@%d", c.made.Load()))
		c.make("b")
		c.publish(c.make("a"))
		check(&one, fmt.Sprintf("lagged@%d", c.made.Load()))
		synctest.Wait()
		all.take()
		c.close()
		check(&all, "")
		for _, w := range []*watched{&all, &some, &one, &future, &ended} {
			w.mu.Lock()
			if !w.done {
				t.Error("closed, and somebody watches")
			}
			w.mu.Unlock()
		}
	})
}

// A watcher that is slow loses what is no longer kept, and holds up nobody.
func TestSlowWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChanges()
		text := ""
		go func() {
			for number, e := range c.from(t.Context(), watcher{}, 0) {
				if text += fmt.Sprintf("%s@%d ", e.Kind, number); number == 1 {
					time.Sleep(time.Hour)
				}
			}
		}()
		for range changesKept + 2 {
			c.publish(c.make("k"))
			if c.next == 2 {
				synctest.Wait()
			}
		}
		time.Sleep(2 * time.Hour)
		c.publish(c.make("k"))
		synctest.Wait()
		if want := fmt.Sprintf("key-changed@1 lagged@%d key-changed@%d ", changesKept+2, changesKept+3); text != want {
			t.Errorf("told %q, want %q", text, want)
		}
		c.close()
		synctest.Wait()
	})
}

func TestChangesAreBounded(t *testing.T) {
	var c *changes
	long := make([]byte, hearsay.MaxValue)
	for name, change := range map[string]hearsay.KeyChange{
		"contexts": {Context: long}, "keys": {Key: string(long)}, "values": {Value: long},
	} {
		c = newChanges()
		for range 300 {
			e := c.make("")
			e.change = &change
			c.publish(e)
		}
		if c.bytes > changesBytes || len(c.kept) != changesBytes/(hearsay.MaxValue+changeRoom) || c.first != c.next-uint64(len(c.kept)) {
			t.Errorf("%s: %d changes of %d bytes are kept, from %d to %d", name, len(c.kept), c.bytes, c.first, c.next)
		}
	}
	taken, _, _ := c.take(&watcher{at: c.first - 1})
	if len(taken) != max(1, takenBytes/hearsay.MaxValue) {
		t.Errorf("%d values of %d bytes are taken at a time", len(taken), hearsay.MaxValue)
	}
}

// listed gives all keys and what they are.
func listed(t *testing.T, a *Agent) string {
	t.Helper()
	keys, err := a.Keys("", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(keys)
	return string(text)
}

// One that lists keys, and then watches, knows all that the store holds, also of what is written meanwhile, here and
// elsewhere.
func TestListThenWatch(t *testing.T) {
	a := start(t, quick("a"))
	b := start(t, quick("b", addrOf(a)))
	awaitStates(t, a, "a alive, b alive")
	enough := make(chan struct{})
	var writing sync.WaitGroup
	for i, at := range []*Agent{a, b} {
		writing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-enough:
					return
				default:
				}
				key := fmt.Sprintf("k/%d", n%10)
				w := hearsay.Write{Key: key, Value: fmt.Appendf(nil, "%d/%d", i, n), Delete: n%7 == 3}
				if w.Delete {
					w.Value = nil
				}
				if _, err := at.Write(t.Context(), w); err != nil {
					t.Error(err)
				}
			}
		})
	}
	await(t, a, "something is written", func() bool { return held(t, a, "k/5") != "" })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	changes, err := a.Watch(ctx, "k/")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]string)
	keys, _ := a.Keys("k/", "", 100)
	for _, k := range keys {
		known[k.Key] = k.Context.String()
	}
	go func() {
		writing.Wait()
		await(t, b, "b holds the same", func() bool { return listed(t, a) == listed(t, b) })
		if err := a.Put(t.Context(), "k/end", nil, nil); err != nil {
			t.Error(err)
		}
	}()
	told := 0
	for e := range changes {
		if e.Kind != hearsay.EventKeyChanged || e.Change.Key == "k/end" {
			break
		}
		if told++; told == 100 {
			close(enough)
		}
		if known[e.Change.Key] = e.Change.Context.String(); e.Change.Siblings == 0 {
			delete(known, e.Change.Key)
		}
	}
	if keys, _ = a.Keys("k/", "", 100); len(keys) != len(known)+1 {
		t.Errorf("%d keys are known, and held %d; %d changes were told", len(known), len(keys), told)
	}
	for _, k := range keys {
		if k.Key != "k/end" && known[k.Key] != k.Context.String() {
			t.Errorf("%s is known as %s, and is %s", k.Key, known[k.Key], k.Context)
		}
	}
}

// The end of a value is a change.
func TestWatchEnds(t *testing.T) {
	a := start(t, quick("a"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	changes, err := a.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	put(t, a, hearsay.Write{Key: "k", Value: []byte("v"), TTL: 200 * time.Millisecond})
	var told []int
	for e := range changes {
		if told = append(told, e.Change.Siblings); len(told) == 2 {
			break
		}
	}
	if !slices.Equal(told, []int{1, 0}) || held(t, a, "k") != "" {
		t.Errorf("told of values: %v", told)
	}
}

func TestWatchRefuses(t *testing.T) {
	a := start(t, quick("a"))
	if _, err := a.Watch(t.Context(), "\xff"); !errors.Is(err, hearsay.ErrKey) {
		t.Errorf("a prefix that no key has: %v", err)
	}
	now := a.Revision()
	for name, after := range map[string]hearsay.Revision{
		"of another life": {Life: now.Life + 1, Number: now.Number}, "none": {}, "of the future": {Life: now.Life, Number: now.Number + 9},
	} {
		numbered, err := a.WatchAfter(t.Context(), "", after, 0)
		if err != nil {
			t.Fatal(err)
		}
		for at, e := range numbered {
			if e.Kind != hearsay.EventLagged || at != now {
				t.Errorf("a revision %s: %s at %v", name, e.Kind, at)
			}
			break
		}
	}
}

// BenchmarkFanOut hands a change to a thousand watchers, of which all, ten or none want it.
func BenchmarkFanOut(b *testing.B) {
	const watchers = 1000
	for _, want := range []int{watchers, 10, 0} {
		b.Run(strconv.Itoa(want), func(b *testing.B) {
			c := newChanges()
			var told sync.WaitGroup
			var watching sync.WaitGroup
			for i := range watchers {
				w := watcher{prefix: "other/"}
				if i < want {
					w.prefix = "key/"
				}
				watching.Go(func() {
					for range c.from(b.Context(), w, 0) {
						told.Done()
					}
				})
			}
			for waiting := 0; waiting < watchers; runtime.Gosched() {
				c.mu.Lock()
				waiting = len(c.waiting)
				c.mu.Unlock()
			}
			b.ReportAllocs()
			for b.Loop() {
				told.Add(want)
				c.publish(c.make("key/1"))
				told.Wait()
			}
			c.close()
			watching.Wait()
		})
	}
}
