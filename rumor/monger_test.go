package rumor

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestCooling(t *testing.T) {
	const useful, useless = '+', '-'
	for _, tc := range []struct {
		name     string
		cooling  Cooling
		contacts string
		hotFor   int // contacts
	}{
		{"the Kth useless one", Cooling{true, StopCounter, 3}, "---", 3},
		{"at once", Cooling{true, StopCounter, 1}, "-", 1},
		{"useful ones never", Cooling{true, StopCounter, 1}, "++++++++", 8 + 1},
		{"a useful one resets", Cooling{true, StopCounter, 3}, "--+--+---", 9},
		{"blind counts every one", Cooling{false, StopCounter, 3}, "+++", 3},
		{"a coin of one side", Cooling{true, StopCoin, 1}, "++-", 3},
		{"a blind coin of one side", Cooling{false, StopCoin, 1}, "+", 1},
		{"never", Cooling{true, StopNone, 0}, "--------", 8 + 1},
		{"never, blind", Cooling{false, StopNone, 1}, "--------", 8 + 1},
	} {
		var h Heat
		if h.Hot() {
			t.Fatal("hot before it was heard of")
		}
		h.Kindle()
		random := rand.New(rand.NewPCG(1, 2))
		for i, contact := range tc.contacts {
			if !h.Hot() {
				t.Fatalf("%s: cold after %d contacts, want %d", tc.name, i, tc.hotFor)
			}
			tc.cooling.After(&h, contact == useful, random)
			if i+1 == tc.hotFor && h.Hot() {
				t.Errorf("%s: hot after %d contacts", tc.name, i+1)
			}
		}
		if tc.hotFor > len(tc.contacts) && !h.Hot() {
			t.Errorf("%s: cold after %d contacts", tc.name, len(tc.contacts))
		}
	}
}

func TestColdStaysCold(t *testing.T) {
	for _, stop := range []Stop{StopNone, StopCounter, StopCoin} {
		for _, useful := range []bool{true, false} {
			c := Cooling{Feedback: true, Stop: stop, K: 3}
			var h Heat
			c.After(&h, useful, nil) // a nil source: nothing may be drawn
			if h != (Heat{}) {
				t.Errorf("%v: an answer (useful: %v) made %+v of what was never hot", stop, useful, h)
			}
		}
	}
	c := Cooling{Feedback: true, Stop: StopCounter, K: 1}
	var h Heat
	h.Kindle()
	c.After(&h, false, nil)
	c.After(&h, true, nil)
	if h.Hot() {
		t.Error("a late answer kindled what was cold")
	}
	h.Kindle()
	if !h.Hot() {
		t.Error("what is kindled again is not hot")
	}
}

// A coin of K sides lets a rumor live for K useless contacts in the mean.
func TestCoin(t *testing.T) {
	const rumors = 40_000
	random := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{1, 2, 5} {
		c := Cooling{Feedback: true, Stop: StopCoin, K: k}
		contacts := 0
		for range rumors {
			var h Heat
			for h.Kindle(); h.Hot(); contacts++ {
				c.After(&h, false, random)
			}
		}
		mean := float64(contacts) / rumors
		deviation := math.Sqrt(float64(k*(k-1)) / rumors) // of the mean of a geometric distribution
		if math.Abs(mean-float64(k)) > 5*deviation {
			t.Errorf("k %d: %.3f contacts, want %d", k, mean, k)
		}
	}
}

func TestCoolingValidate(t *testing.T) {
	for _, tc := range []struct {
		cooling Cooling
		want    string
	}{
		{Cooling{true, StopCounter, 1}, ""},
		{Cooling{false, StopCoin, MaxCoolingK}, ""},
		{Cooling{false, StopNone, 0}, ""},
		{Cooling{true, StopCounter, 0}, "k 0: want 1 to 1000"},
		{Cooling{true, StopCoin, MaxCoolingK + 1}, "k 1001: want 1 to 1000"},
		{Cooling{true, 9, 1}, "stop unknown(9): want none, counter, coin"},
	} {
		err := tc.cooling.Validate()
		if got := errorText(err); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.cooling, got, tc.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestMongerNames(t *testing.T) {
	for _, want := range []Style{Push, Pull, PushPull} {
		text, _ := want.MarshalText()
		got := Style(99)
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	for _, want := range []Stop{StopNone, StopCounter, StopCoin} {
		text, _ := want.MarshalText()
		got := Stop(99)
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	style, stop := Pull, StopCoin
	if got := errorText(style.UnmarshalText([]byte("shove"))); got != `"shove": want push, pull or pushpull` || style != Pull {
		t.Errorf("%q, and the style became %v", got, style)
	}
	if got := errorText(stop.UnmarshalText(nil)); got != `"": want none, counter or coin` || stop != StopCoin {
		t.Errorf("%q, and the stop became %v", got, stop)
	}
}
