package ledger

import (
	"testing"

	"hearsay"
	"hearsay/internal/core"
)

// The newest part of a long ledger is in memory, in order and whole.
func TestChainOfManyRulings(t *testing.T) {
	c := NewChain(testNetwork, newKeyed(1), 3)
	c.Restart(0, hearsay.Hash{9})
	for epoch := hearsay.Epoch(1); epoch <= ChainLength+3*ChainLength/chainSlack; epoch++ {
		c.Append(&hearsay.Ruling{Epoch: epoch, Kind: hearsay.RulingLeave, Previous: c.HeadHash()}, nil)
	}
	if n := len(c.Links); n < ChainLength || n >= ChainLength+ChainLength/chainSlack {
		t.Errorf("%d in memory", n)
	}
	first := c.Links[0].Ruling
	if hash, ok := c.HashAt(c.Base); !ok || first.Epoch != c.Base+1 || hash != first.Previous {
		t.Errorf("begins with %d after %d", first.Epoch, c.Base)
	}
	if c.After(c.Base-1, 5) != nil || len(c.After(c.Base, 5)) != 5 || c.Before(c.Base) != nil || len(c.Before(c.Base+3)) != 2 {
		t.Error("the edges are not where they should be")
	}
	if got := c.Before(c.Epoch() + 1); got[len(got)-1].Epoch != c.Epoch() || len(got) > core.MaxRulings {
		t.Errorf("%d before the end", len(got))
	}
	if c.Before(c.Epoch()+2) != nil {
		t.Error("there is something before what is not there")
	}
}

// What heads do not prove yet stays in memory, though not for ever.
func TestChainKeepsWhatIsNotProven(t *testing.T) {
	signers := []hearsay.Signer{newKeyed(1), newKeyed(2), newKeyed(3)}
	c := NewChain(testNetwork, signers[0], 3)
	c.Most = 2
	c.Restart(0, hearsay.Hash{9})
	c.Begin(hearsay.Hash{9})
	grow := func(to hearsay.Epoch) {
		for c.Epoch() < to {
			c.Append(&hearsay.Ruling{Epoch: c.Epoch() + 1, Kind: hearsay.RulingLeave, Previous: c.HeadHash()}, nil)
		}
	}
	sign := func(epoch hearsay.Epoch) {
		hash, _ := c.HashAt(epoch)
		for slot := range uint8(2) {
			h := hearsay.Head{Founding: hearsay.Hash{9}, Epoch: epoch, Hash: hash, Slot: slot}
			h.Sign(testNetwork, signers[slot])
			c.takeHead(&h)
		}
	}
	grow(20)
	if sign(7); c.Proven() != 7 {
		t.Fatalf("proven up to %d, want 7", c.Proven())
	}
	if grow(30); c.Proven() != 7 || c.Base > 7 {
		t.Errorf("proven up to %d, and in memory from %d on", c.Proven(), c.Base+1)
	}
	sign(30)
	if grow(40); len(c.Links) > 2+chainUnproven || c.Base < 7 {
		t.Errorf("%d are in memory, from %d on", len(c.Links), c.Base+1)
	}
	if grow(200); len(c.Links) > 2+chainUnproven {
		t.Errorf("%d are in memory", len(c.Links))
	}
}
