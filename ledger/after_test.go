package ledger

import (
	"math"
	"testing"

	"hearsay"
	"hearsay/internal/core"
)

// A question for what comes after any epoch is answered: epochs on the wire are any number.
func TestAttackAskedForWhatComesAfterTheLastEpoch(t *testing.T) {
	signer := newKeyed(1)
	c := NewChain(hearsay.NetworkIDOf("test"), signer, 1)
	c.Append(&hearsay.Ruling{Epoch: 1, Kind: hearsay.RulingLeave}, nil)
	for _, after := range []hearsay.Epoch{2, math.MaxInt64, math.MaxUint64 - 1, math.MaxUint64} {
		if got := c.After(after, core.MaxRulings); got != nil {
			t.Errorf("after epoch %d: %d rulings", after, len(got))
		}
		c.Before(after)
		c.Entry(after)
		c.HashAt(after)
	}
}
