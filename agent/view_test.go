package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"hearsay"
)

// What is counted up at many places at once at one node is counted.
func TestUpdatesAtOnce(t *testing.T) {
	cfg := quick("a")
	cfg.Data = t.TempDir()
	a := start(t, cfg)
	count := View[int]{Agent: a, Codec: JSON[int](), Merge: Greatest[int]}
	const writers, each = 30, 10
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range each {
				if err := count.Update(patient(t), "n", func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	if n, is, err := count.Get("n"); n != writers*each || !is || err != nil {
		t.Errorf("counted %d, %v, %v", n, is, err)
	}
}

func TestUpdateFails(t *testing.T) {
	a := start(t, quick("a"))
	sour := errors.New("sour")
	if err := a.Update(patient(t), "k", func([][]byte) ([]byte, error) { return nil, sour }); !errors.Is(err, sour) {
		t.Errorf("a change that fails: %v", err)
	}
	tries := 0
	err := a.Update(patient(t), "k", func([][]byte) ([]byte, error) {
		tries++
		return nil, a.Put(t.Context(), "k", nil, nil)
	})
	if !errors.Is(err, hearsay.ErrKeyChanged) || tries != updateTries {
		t.Errorf("one that changes the key itself: %v after %d tries", err, tries)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = a.Update(ctx, "k", func([][]byte) ([]byte, error) {
		cancel()
		return nil, a.Put(t.Context(), "k", nil, nil)
	})
	if err == nil {
		t.Error("a caller that waits no more: no error")
	}
	if err := a.Update(patient(t), "", nil); !errors.Is(err, hearsay.ErrKey) {
		t.Errorf("no key: %v", err)
	}
	put(t, a, hearsay.Write{Key: "text", Value: []byte("{")})
	numbers := View[int]{Agent: a, Codec: JSON[int](), Merge: LastWriter[int]}
	if _, _, err := numbers.Get("text"); err == nil || !strings.Contains(err.Error(), `key "text" has a value of another form`) {
		t.Errorf("another form: %v", err)
	}
	if _, is, err := numbers.Get("none"); is || err != nil {
		t.Errorf("an absent key: %v, %v", is, err)
	}
}

func TestMerges(t *testing.T) {
	if got := LastWriter([]string{"b", "a"}); got != "b" {
		t.Errorf("the last writer wrote %s", got)
	}
	if got := Union([][]int{{3, 1}, nil, {1, 2, 2}}); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("the union is %v", got)
	}
	if got := Greatest([]uint64{3, 7, 5}); got != 7 {
		t.Errorf("the greatest is %d", got)
	}
}
