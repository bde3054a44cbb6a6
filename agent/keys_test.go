package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hearsay"
	"hearsay/store"
)

// put writes a key, which must work, and gives the context of that.
func put(t *testing.T, a *Agent, w hearsay.Write) []byte {
	t.Helper()
	contexts, err := a.Write(patient(t), w)
	if err != nil || len(contexts) != 1 {
		t.Fatalf("put %.64q: %v", w.Key, err)
	}
	return contexts[0]
}

// held gives the values of a key, the winner first.
func held(t *testing.T, a *Agent, key string) string {
	t.Helper()
	stored, err := a.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, s := range stored.Siblings {
		values = append(values, string(s.Value))
	}
	return strings.Join(values, " ")
}

func awaitHeld(t *testing.T, a *Agent, key, want string) {
	t.Helper()
	await(t, a, key+" is "+want, func() bool { return held(t, a, key) == want })
}

func TestStore(t *testing.T) {
	a := start(t, quick("a"))
	b := start(t, quick("b", addrOf(a)))
	for _, each := range []*Agent{a, b} {
		awaitStates(t, each, "a alive, b alive")
	}
	value := []byte("one")
	if err := a.Put(patient(t), "k", value, nil); err != nil {
		t.Fatal(err)
	}
	copy(value, "xxx") // it was copied
	awaitHeld(t, b, "k", "one")
	read, _ := b.Get("k")
	if got, is := read.Value(); !is || string(got) != "one" || time.Since(read.Siblings[0].At) > time.Minute {
		t.Errorf("b holds %+v", read)
	}
	// What b has read is replaced; a write with the same context again stays beside it.
	if err := b.Put(patient(t), "k", []byte("two"), read.Context); err != nil {
		t.Fatal(err)
	}
	awaitHeld(t, a, "k", "two")
	if err := a.Put(patient(t), "k", []byte("three"), read.Context); err != nil {
		t.Fatal(err)
	}
	awaitHeld(t, b, "k", "three two")
	// The context of a write just done at a is waited for at b.
	next := put(t, a, hearsay.Write{Key: "fresh", Value: []byte("1")})
	put(t, b, hearsay.Write{Key: "fresh", Value: []byte("2"), Context: next})
	awaitHeld(t, a, "fresh", "2")
	if err := b.Delete(patient(t), "k", nil); err != nil {
		t.Fatal(err)
	}
	awaitHeld(t, a, "k", "")
	largest := strings.Repeat("\x00\xff", hearsay.MaxValue/2)
	put(t, b, hearsay.Write{Key: "large", Value: []byte(largest)})
	awaitHeld(t, a, "large", largest)
	put(t, b, hearsay.Write{Key: "empty"})
	if got, _ := b.Get("empty"); len(got.Siblings) != 1 || len(got.Siblings[0].Value) != 0 {
		t.Errorf("an empty value: %+v", got)
	}
	put(t, a, hearsay.Write{Key: "short", Value: []byte("lived"), TTL: time.Millisecond})
	awaitHeld(t, a, "short", "")
}

// Several keys in one call are all there, or none.
func TestStoreRecord(t *testing.T) {
	a := start(t, quick("a"))
	var writes []hearsay.Write
	for n := range hearsay.MaxWrites {
		writes = append(writes, hearsay.Write{Key: fmt.Sprintf("list/%03d", n), Value: bytes.Repeat([]byte("v"), n)})
	}
	contexts, err := a.Write(patient(t), writes...)
	if err != nil || len(contexts) != len(writes) {
		t.Fatalf("%d contexts, %v", len(contexts), err)
	}
	more := []hearsay.Write{{Key: "list/9"}, {Key: "list/000", If: hearsay.IfAbsent}}
	if _, err := a.Write(patient(t), more...); !errors.Is(err, hearsay.ErrKeyExists) {
		t.Errorf("a record of which one key exists: %v", err)
	}
	put(t, a, hearsay.Write{Key: "list/7", Value: []byte("more")}) // more than are listed in one turn of the loop
	put(t, a, hearsay.Write{Key: "other"})
	list := func(prefix, after string, limit int) (names []string) {
		keys, err := a.Keys(prefix, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			names = append(names, fmt.Sprintf("%s:%d:%d", k.Key, k.Size, k.Siblings))
		}
		return names
	}
	if got := list("list/", "", 1000); len(got) != 257 || got[255] != "list/255:255:1" || got[256] != "list/7:4:1" {
		t.Errorf("listed are %d: %q", len(got), got[len(got)-1])
	}
	if got := list("", "list/255", 2); !slices.Equal(got, []string{"list/7:4:1", "other:0:1"}) {
		t.Errorf("after list/255: %v", got)
	}
	if got := list("list/00", "list/003", 3); !slices.Equal(got, []string{"list/004:4:1", "list/005:5:1", "list/006:6:1"}) {
		t.Errorf("after list/003: %v", got)
	}
}

// What was acknowledged is there after the next start, and what was deleted is not.
func TestStoreAgain(t *testing.T) {
	cfg := quick("a")
	cfg.Data = t.TempDir()
	a := start(t, cfg)
	put(t, a, hearsay.Write{Key: "kept", Value: []byte("1")})
	read := put(t, a, hearsay.Write{Key: "gone", Value: []byte("2")})
	put(t, a, hearsay.Write{Key: "gone", Delete: true, Context: read})
	a.Close()
	if got := held(t, a, "kept"); got != "1" {
		t.Errorf("after its end: %q", got)
	}
	if err := a.Put(patient(t), "late", nil, nil); !errors.Is(err, errStopped) {
		t.Errorf("put at one that has ended: %v", err)
	}
	a = start(t, cfg)
	if kept, gone := held(t, a, "kept"), held(t, a, "gone"); kept != "1" || gone != "" {
		t.Errorf("kept %q, gone %q", kept, gone)
	}
}

func TestStoreRefuses(t *testing.T) {
	a := start(t, quick("a"))
	other := start(t, quick("other"))
	foreign := put(t, other, hearsay.Write{Key: "k", Value: []byte("1")})
	first := put(t, a, hearsay.Write{Key: "k", Value: []byte("1")})
	put(t, a, hearsay.Write{Key: "k", Value: []byte("2")})
	for name, c := range map[string]struct {
		write hearsay.Write
		want  error
	}{
		"no key":         {hearsay.Write{}, hearsay.ErrKey},
		"too long":       {hearsay.Write{Key: "k", Value: make([]byte, hearsay.MaxValue+1)}, hearsay.ErrValueSize},
		"no context":     {hearsay.Write{Key: "k", Context: []byte{}}, hearsay.ErrContext},
		"exists":         {hearsay.Write{Key: "k", If: hearsay.IfAbsent}, hearsay.ErrKeyExists},
		"changed":        {hearsay.Write{Key: "k", If: hearsay.IfUnchanged, Context: first}, hearsay.ErrKeyChanged},
		"of another key": {hearsay.Write{Key: "l", Context: first}, hearsay.ErrContext},
		"bad TTL":        {hearsay.Write{Key: "k", TTL: -1}, hearsay.ErrWrite},
	} {
		if _, err := a.Write(patient(t), c.write); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	before := time.Now()
	if err := a.Put(patient(t), "k", nil, foreign); !errors.Is(err, hearsay.ErrUnseen) || time.Since(before) < unseenFor {
		t.Errorf("a context of another network, after %v: %v", time.Since(before), err)
	}
	hasty, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Put(hasty, "k", nil, foreign); err == nil {
		t.Error("without time: no error")
	}
	if got := held(t, a, "k"); got != "2" {
		t.Errorf("k is %q", got)
	}
	if _, err := a.Get("\xff"); !errors.Is(err, hearsay.ErrKey) {
		t.Errorf("get: %v", err)
	}
}

// One that waits for what is newer is woken by a change of that key, by the end of a value, by its context, and by
// the agent's end.
func TestGetNewer(t *testing.T) {
	a := start(t, quick("a"))
	type answer struct {
		stored hearsay.Stored
		err    error
	}
	waits := func(ctx context.Context, known []byte) <-chan answer {
		answered := make(chan answer)
		go func() {
			stored, err := a.GetNewer(ctx, "k", known)
			answered <- answer{stored, err}
		}()
		await(t, a, "one waits", func() bool {
			a.changes.mu.Lock()
			defer a.changes.mu.Unlock()
			return len(a.changes.waiting) == 1
		})
		return answered
	}
	want := func(got answer, values int, err error) {
		t.Helper()
		if len(got.stored.Siblings) != values || !errors.Is(got.err, err) {
			t.Errorf("%d values, %v; want %d, %v", len(got.stored.Siblings), got.err, values, err)
		}
	}
	answered := waits(patient(t), nil)
	put(t, a, hearsay.Write{Key: "kk", Value: []byte("another")})
	first := put(t, a, hearsay.Write{Key: "k", Value: []byte("1"), TTL: time.Minute})
	want(<-answered, 1, nil)
	answered = waits(patient(t), first)
	short := put(t, a, hearsay.Write{Key: "k", Value: []byte("2"), TTL: 300 * time.Millisecond})
	want(<-answered, 1, nil)
	want(<-waits(patient(t), short), 0, nil)
	ctx, cancel := context.WithCancel(t.Context())
	answered = waits(ctx, nil)
	cancel()
	want(<-answered, 0, context.Canceled)
	answered = waits(patient(t), nil)
	a.Close()
	want(<-answered, 0, errStopped)
	if len(a.changes.waiting) != 0 {
		t.Error("somebody waits at the end")
	}
}

// One whose disk is full refuses what must be durable, gives what it holds, and leaves when it is told to.
func TestLeaveWithAFullDisk(t *testing.T) {
	t.Parallel()
	a := start(t, quick("a"))
	cfg := quick("b", addrOf(a))
	cfg.Data = t.TempDir()
	b, err := prepare(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var full atomic.Bool
	commit := b.commits.commit
	b.commits.commit = func(batch *store.Batch) error {
		if full.Load() {
			return fmt.Errorf("write: %w", syscall.ENOSPC)
		}
		return commit(batch)
	}
	b.run()
	t.Cleanup(func() { b.Close() })
	awaitStates(t, a, "a alive, b alive")
	put(t, b, hearsay.Write{Key: "k", Value: []byte("kept")})
	await(t, b, "its incarnation is surely durable", func() bool { return time.Since(b.Started()) > 1500*time.Millisecond })
	full.Store(true)
	for range 2 { // in the middle, and while it is full
		if err := b.Put(patient(t), "k", []byte("lost"), nil); !errors.Is(err, hearsay.ErrDiskFull) {
			t.Errorf("put: %v", err)
		}
	}
	if s := b.Stats(); s.DiskFull <= 0 || len(s.Troubles()) == 0 {
		t.Errorf("full for %v s: %v", s.DiskFull, s.Troubles())
	}
	full.Store(false)
	awaitHeld(t, a, "k", "lost") // once there is room
	full.Store(true)
	if err := b.Put(patient(t), "k", nil, nil); !errors.Is(err, hearsay.ErrDiskFull) {
		t.Errorf("put: %v", err)
	}
	if err := b.Leave(patient(t)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("leave: %v", err)
	}
	awaitStates(t, a, "a alive, b left")
}

// BenchmarkPut has writers put 100 bytes, each waiting for one put before the next: kept in memory, or synced to disk.
func BenchmarkPut(b *testing.B) {
	for _, at := range []string{"memory", "disk"} {
		for _, writers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", at, writers), func(b *testing.B) {
				cfg := quick("a")
				if at == "disk" {
					cfg.Data = b.TempDir()
				}
				a, err := Start(b.Context(), cfg)
				if err != nil {
					b.Fatal(err)
				}
				defer a.Close()
				value := make([]byte, 100)
				var puts atomic.Int64
				var wait sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				for range writers {
					wait.Go(func() {
						for n := puts.Add(1); n <= int64(b.N); n = puts.Add(1) {
							if err := a.Put(b.Context(), fmt.Sprint("key-", n%10_000), value, nil); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wait.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
			})
		}
	}
}
