package kv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

func empty(n int) *Replica {
	r, _ := New(DefaultConfig(originOf(n)), Saved{})
	return r
}

// put writes at a replica, and gives the update.
func put(t testing.TB, r *Replica, writes ...Write) *core.Update {
	t.Helper()
	u, _, err := r.Put(start, writes...)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func get(r *Replica, key string) string {
	if o := r.Get(start, key); o != nil {
		return string(o.Value)
	}
	return "none"
}

func TestRefusedWrites(t *testing.T) {
	r := empty(1)
	put(t, r, Write{Key: "a", Value: []byte("1")})
	read := r.Context(start, "a")
	put(t, r, Write{Key: "a", Value: []byte("2")}, Write{Key: "b", Value: []byte("2")})
	other := empty(2)
	put(t, other, Write{Key: "a", Value: []byte("3")})
	long := strings.Repeat("k", hearsay.MaxKey+1)
	for name, c := range map[string]struct {
		writes []Write
		want   error
	}{
		"no write":               {nil, hearsay.ErrWrite},
		"too many":               {make([]Write, hearsay.MaxWrites+1), hearsay.ErrWrite},
		"no key":                 {[]Write{{}}, hearsay.ErrKey},
		"long key":               {[]Write{{Key: long}}, hearsay.ErrKey},
		"not UTF-8":              {[]Write{{Key: "\xff"}}, hearsay.ErrKey},
		"long value":             {[]Write{{Key: "a", Value: make([]byte, hearsay.MaxValue+1)}}, hearsay.ErrValueSize},
		"record too long":        {[]Write{{Key: "a", Value: make([]byte, hearsay.MaxValue)}, {Key: "b", Value: make([]byte, hearsay.MaxValue)}}, hearsay.ErrWrite},
		"TTL below a ms":         {[]Write{{Key: "a", TTL: time.Microsecond}}, hearsay.ErrWrite},
		"negative TTL":           {[]Write{{Key: "a", TTL: -time.Second}}, hearsay.ErrWrite},
		"delete with value":      {[]Write{{Key: "a", Value: []byte("1"), Delete: true}}, hearsay.ErrWrite},
		"delete what is absent":  {[]Write{{Key: "a", Delete: true, If: hearsay.IfAbsent}}, hearsay.ErrWrite},
		"compare with nothing":   {[]Write{{Key: "a", If: hearsay.IfUnchanged}}, hearsay.ErrWrite},
		"one key twice":          {[]Write{{Key: "a"}, {Key: "a"}}, hearsay.ErrWrite},
		"exists":                 {[]Write{{Key: "c"}, {Key: "a", If: hearsay.IfAbsent}}, hearsay.ErrKeyExists},
		"changed":                {[]Write{{Key: "c"}, {Key: "a", Context: read, If: hearsay.IfUnchanged}}, hearsay.ErrKeyChanged},
		"context of another key": {[]Write{{Key: "b", Context: read}}, hearsay.ErrContext},
		"unseen":                 {[]Write{{Key: "a", Context: other.Context(start, "a")}}, hearsay.ErrUnseen},
		"dot of another key":     {[]Write{{Key: "a", Context: appendContext(nil, "a", []clock.Dot{r.Get(start, "b").Dot})}}, hearsay.ErrContext},
	} {
		hash := r.Hash()
		u, change, err := r.Put(start, c.writes...)
		if !errors.Is(err, c.want) || u != nil || change.Live != nil || r.Hash() != hash {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if get(r, "a") != "2" || get(r, "c") != "none" {
		t.Errorf("a is %s, c is %s", get(r, "a"), get(r, "c"))
	}
	for _, key := range []string{"\x00", "a/b.c%d\n", strings.Repeat("k", hearsay.MaxKey)} {
		put(t, r, Write{Key: key}, Write{Key: "d" + key[:1], Value: make([]byte, hearsay.MaxValue)})
		if o := r.Get(start, key); o == nil || len(o.Value) != 0 {
			t.Errorf("%q: %v", key, o)
		}
	}
}

// A writer that goes on with the context of its last write replaces that, and nothing that it has not read.
func TestContextAfter(t *testing.T) {
	r := empty(1)
	first, second, gone := Write{Key: "a", Value: []byte("1")}, Write{Key: "a", Value: []byte("2")}, Write{Key: "a", Delete: true}
	put(t, r, first)
	first.Context = r.ContextAfter(&first)
	second.Context = appendContext(nil, "a", nil) // it has read nothing
	put(t, r, second)
	second.Context = r.ContextAfter(&second)
	second.Value = []byte("3")
	put(t, r, second)
	if got := values(r, "a"); got != "3 1" {
		t.Fatalf("the values are %s, want 3 1", got)
	}
	gone.Context = first.Context
	put(t, r, gone)
	gone.Context = r.ContextAfter(&gone)
	put(t, r, gone)
	if got := values(r, "a"); got != "3" {
		t.Fatalf("the values are %s, want 3", got)
	}
	gone.Context = nil
	put(t, r, gone)
	// the key is absent, as the delete has it
	put(t, r, Write{Key: "a", Context: r.ContextAfter(&gone), If: hearsay.IfUnchanged})
}

func values(r *Replica, key string) string {
	var all []string
	for _, o := range r.Siblings(start, key, nil) {
		all = append(all, string(o.Value))
	}
	return strings.Join(all, " ")
}

func TestConditions(t *testing.T) {
	r := empty(1)
	absent := r.Context(start, "a")
	put(t, r, Write{Key: "a", Value: []byte("1"), If: hearsay.IfUnchanged, Context: absent})
	one := r.Context(start, "a")
	put(t, r, Write{Key: "a", Value: []byte("2"), If: hearsay.IfUnchanged, Context: one})
	put(t, r, Write{Key: "a", Value: []byte("3"), Context: one}) // one was replaced: 3 is concurrent with 2
	if got := len(r.Siblings(start, "a", nil)); got != 2 {
		t.Fatalf("%d siblings, want 2", got)
	}
	if get(r, "a") != "3" {
		t.Errorf("the winner is %s, want 3", get(r, "a"))
	}
	put(t, r, Write{Key: "a", Value: []byte("4"), TTL: time.Second})
	if got := r.Siblings(start, "a", nil); len(got) != 1 || string(got[0].Value) != "4" {
		t.Fatalf("after a blind write: %v", got)
	}
	later := start.Add(time.Second)
	if r.Get(later, "a") != nil || len(r.List(later, "", "", 9)) != 0 {
		t.Errorf("a is shown after its time")
	}
	if u, _, err := r.Put(later, Write{Key: "a", Value: []byte("5"), If: hearsay.IfAbsent}); err != nil || len(u.Gone) != 1 {
		t.Errorf("what is hidden stands in the way: %v", err)
	}
	if u := put(t, r, Write{Key: "a", Delete: true}); len(u.Objects) != 0 || len(u.Gone) != 1 {
		t.Errorf("a delete is %+v", u)
	}
	if u := put(t, r, Write{Key: "a", Delete: true}); u != nil {
		t.Errorf("a delete of nothing is %+v", u)
	}
}

func TestSiblingsAreBounded(t *testing.T) {
	r := empty(1)
	absent := r.Context(start, "a")
	for range maxSiblings {
		put(t, r, Write{Key: "a", Context: absent})
	}
	if _, _, err := r.Put(start, Write{Key: "a", Context: absent}); !errors.Is(err, hearsay.ErrSiblings) {
		t.Errorf("one more: %v", err)
	}
	put(t, r, Write{Key: "a", Context: r.Context(start, "a")})
	if n := len(r.Siblings(start, "a", nil)); n != 1 {
		t.Errorf("%d siblings after a write with the context of all", n)
	}
}

func TestLimits(t *testing.T) {
	cfg := DefaultConfig(originOf(1))
	cfg.MaxObjects, cfg.MaxBytes, cfg.MaxOrigins = 8, 80, 2
	r, _ := New(cfg, Saved{})
	for i := range 8 {
		put(t, r, Write{Key: fmt.Sprint(i), Value: make([]byte, 9)})
	}
	if _, _, err := r.Put(start, Write{Key: "x"}); !errors.Is(err, hearsay.ErrStoreFull) {
		t.Errorf("a key too many: %v", err)
	}
	if _, _, err := r.Put(start, Write{Key: "7", Value: make([]byte, 10)}); !errors.Is(err, hearsay.ErrStoreFull) {
		t.Errorf("a byte too many: %v", err)
	}
	put(t, r, Write{Key: "7", Value: make([]byte, 9)}) // no more than before

	other := empty(2)
	u := put(t, other, Write{Key: "y"})
	if result := r.Update(start, u); result.Refused != Taken { // an eighth more
		t.Errorf("of others: refused %d", result.Refused)
	}
	if result := r.Update(start, put(t, other, Write{Key: "z"})); result.Refused != Full || r.Get(start, "z") != nil {
		t.Errorf("of others, too many: refused %d", result.Refused)
	}
	if result := r.Sync(start, other.Ask(), 1000); result.Reply == nil || len(result.Reply.Objects) == 0 {
		t.Errorf("a full replica gives nothing: %+v", result)
	}
	put(t, r, Write{Key: "1", Delete: true}, Write{Key: "2", Delete: true})
	third := empty(3)
	if result := r.Update(start, put(t, third, Write{Key: "z"})); result.Refused != Origins {
		t.Errorf("an origin too many: refused %d", result.Refused)
	}
	r.cfg.MaxOrigins = 1
	r.cfg.Origin = originOf(4)
	if _, _, err := r.Put(start, Write{Key: "z"}); !errors.Is(err, hearsay.ErrWriters) {
		t.Errorf("a write under an origin too many: %v", err)
	}
}

func TestList(t *testing.T) {
	r := empty(1)
	for i := range 300 {
		put(t, r, Write{Key: fmt.Sprintf("k/%03d", i), Value: []byte("1")})
		put(t, r, Write{Key: fmt.Sprintf("k/%03d", i), Value: []byte("2"), Context: appendContext(nil, fmt.Sprintf("k/%03d", i), nil)})
	}
	put(t, r, Write{Key: "a"}, Write{Key: "k"}, Write{Key: "k0"}, Write{Key: "z"})
	var got []string
	for after := ""; ; {
		page := r.List(start, "k/", after, 7)
		for _, o := range page {
			if string(o.Value) != "2" {
				t.Fatalf("%s: the winner is %s", o.Key, o.Value)
			}
			got = append(got, o.Key)
		}
		if len(page) < 7 {
			break
		}
		after = page[6].Key
	}
	if len(got) != 300 || !slices.IsSorted(got) || got[0] != "k/000" || got[299] != "k/299" {
		t.Errorf("%d keys: %v", len(got), got)
	}
	if list := r.List(start, "", "k/299", 9); len(list) != 2 || list[0].Key != "k0" {
		t.Errorf("after the last: %v", dotsOf(list))
	}
	if list := r.List(start, "y", "", 9); len(list) != 0 {
		t.Errorf("of a prefix that no key has: %v", dotsOf(list))
	}
}

// A node whose clock is behind writes after what it has read, all the same.
func TestHybridTime(t *testing.T) {
	ahead, behind := empty(1), empty(2)
	u, _, err := ahead.Put(start.Add(30*time.Second), Write{Key: "a", Value: []byte("1")})
	if err != nil {
		t.Fatal(err)
	}
	behind.Update(start, u)
	if other := put(t, behind, Write{Key: "z"}); other.Objects[0].Time <= u.Objects[0].Time {
		t.Errorf("time %d of another key, after %d was seen", other.Objects[0].Time, u.Objects[0].Time)
	}
	after := put(t, behind, Write{Key: "a", Value: []byte("2")})
	if after.Objects[0].Time <= u.Objects[0].Time {
		t.Errorf("time %d after %d", after.Objects[0].Time, u.Objects[0].Time)
	}
	forged := put(t, ahead, Write{Key: "b"})
	forged.Objects[0].Time = maxTime - 1
	behind.Update(start, forged)
	if u := put(t, behind, Write{Key: "c"}); u.Objects[0].Time > uint64(start.Add(time.Hour).UnixMilli())<<core.TimeBits {
		t.Errorf("a forged time is taken over: %d", u.Objects[0].Time)
	}
}

func TestContextGolden(t *testing.T) {
	dots := []clock.Dot{{Origin: clock.Origin{2}, Counter: 258}, {Origin: clock.Origin{1}, Counter: 1}}
	got := hex.EncodeToString(appendContext(nil, "key", dots))
	want := "01" + "658cc89d" + "01000000000000000000000000000000" + "0000000000000001" + "02000000000000000000000000000000" + "0000000000000102"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A context has one form, and whatever bytes come, nothing breaks.
func FuzzContext(f *testing.F) {
	f.Add([]byte{}, "key")
	f.Add(appendContext(nil, "key", nil), "key")
	f.Add(appendContext(nil, "key", []clock.Dot{{Counter: 1}, {Counter: 2}}), "key")
	f.Add(append(appendContext(nil, "key", []clock.Dot{{Counter: 1}}), 0), "key")
	f.Fuzz(func(t *testing.T, b []byte, key string) {
		dots, err := readContext(b, key)
		if err != nil {
			if !errors.Is(err, hearsay.ErrContext) {
				t.Fatal(err)
			}
			return
		}
		if again := appendContext(nil, key, dots); !bytes.Equal(again, b) {
			t.Fatalf("%x is read as %x", b, again)
		}
	})
}
