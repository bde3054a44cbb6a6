package rumor

import (
	"math/rand/v2"
	"testing"

	"hearsay"
	"hearsay/clock"
)

// A disk that a crash has torn may have kept a rumor and lost the reservation
// of its number.
func TestKeptRumorReservesItsNumber(t *testing.T) {
	self := hearsay.NodeID{1}
	kept := &hearsay.KeptRumor{Number: 7, Rumor: &hearsay.Rumor{ID: clock.Dot{Origin: hearsay.OriginOf(self), Counter: 7}, Data: []byte("before")}}
	r := New(DefaultConfig(), self, Directory{}, rand.New(rand.NewPCG(1, 1)), []hearsay.Record{kept}, &hearsay.Drops{}, &hearsay.Effects{}, epoch)
	id, err := r.Say(epoch, []byte("after"))
	if err != nil || id.Counter != 8 {
		t.Fatalf("number %d, error %v; want 8", id.Counter, err)
	}
}
