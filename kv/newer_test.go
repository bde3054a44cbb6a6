package kv

import (
	"errors"
	"testing"
	"time"

	"hearsay"
)

func TestNewer(t *testing.T) {
	now := time.UnixMilli(1 << 40)
	one, _ := New(DefaultConfig(originOf(1)), Saved{})
	two, _ := New(DefaultConfig(originOf(2)), Saved{})
	newer := func(r *Replica, context []byte, want bool) {
		t.Helper()
		if got, err := r.Newer(now, "k", context); err != nil || got != want {
			t.Errorf("newer %v, %v", got, err)
		}
	}
	absent := one.Context(now, "k")
	newer(one, absent, false)
	write := func(w Write) []byte {
		t.Helper()
		update, _, err := one.Put(now, w)
		if err != nil {
			t.Fatal(err)
		}
		if update.Objects != nil {
			two.Update(now, update)
		}
		return one.Context(now, "k")
	}
	first := write(Write{Key: "k", Value: []byte("1")})
	newer(one, absent, true)
	newer(one, first, false)
	second := write(Write{Key: "k", Value: []byte("2")})
	newer(one, first, true)
	// Here only at one: at the other the key is older than what is known.
	third, _, err := one.Put(now, Write{Key: "k", Value: []byte("3")})
	if err != nil {
		t.Fatal(err)
	}
	newer(two, one.Context(now, "k"), false)
	two.Update(now, third)
	newer(two, second, true)
	newer(two, one.Context(now, "k"), false)
	write(Write{Key: "k", Delete: true})
	newer(one, second, true)
	newer(one, absent, false)
	if _, err := one.Newer(now, "other", first); !errors.Is(err, hearsay.ErrContext) {
		t.Errorf("a context of another key: %v", err)
	}
}
