package testkit

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A queue gives times in order, and of one time what was put in first.
func TestQueueIsInOrder(t *testing.T) {
	type value struct{ second, put int }
	random := rand.New(rand.NewPCG(1, 1))
	for round := range 200 {
		var q Queue[value]
		var want []value
		for put := range round {
			v := value{random.IntN(10), put}
			q.Put(time.Unix(int64(v.second), 0), v)
			if want = append(want, v); random.IntN(3) == 0 {
				first := slices.MinFunc(want, func(a, b value) int { return a.second - b.second })
				if at, got, ok := q.Next(); !ok || got != first || at != time.Unix(int64(got.second), 0) {
					t.Fatalf("round %d: %v at %v, want %v", round, got, at, first)
				}
				q.Drop()
				want = slices.DeleteFunc(want, func(v value) bool { return v == first })
			}
		}
		slices.SortStableFunc(want, func(a, b value) int { return a.second - b.second })
		for _, v := range want {
			if _, got, ok := q.Next(); !ok || got != v {
				t.Fatalf("round %d: %v, want %v", round, got, v)
			}
			q.Drop()
		}
		if _, _, ok := q.Next(); ok {
			t.Fatal("it is not empty")
		}
	}
}

// Links lose as many as they are told to, carry nothing over a cut, and take less than Slow.
func TestLinks(t *testing.T) {
	l := Links{
		Random: rand.New(rand.NewPCG(1, 1)), Loss: 0.25, Slow: time.Second,
		Cut: func(from, to int) bool { return from == 1 || to == 1 },
	}
	came := 0
	for range 10_000 {
		takes, ok := l.Carry(2, 3)
		if takes < 0 || takes >= l.Slow {
			t.Fatalf("takes %v", takes)
		}
		if ok {
			came++
		}
		if _, ok := l.Carry(1, 3); ok {
			t.Fatal("passes a cut")
		}
	}
	if came < 7300 || came > 7700 {
		t.Errorf("%d of 10,000 come, want three quarters", came)
	}
}
