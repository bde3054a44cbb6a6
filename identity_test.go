package hearsay

import (
	"crypto/ed25519"
	"encoding/binary"
	"testing"
)

// No key at all, 32 zeros, is a point of Ed25519 with an order of four: without any
// secret every fourth message has a signature by it, of which the bytes are a one and
// zeros. Nobody has that key, and nobody signs with it.
func TestNobodySignsWithoutAKey(t *testing.T) {
	var (
		none   PublicKey
		forged = Signature{1}
		anyone = NewIdentity([ed25519.SeedSize]byte{1})
		found  = 0
	)
	for i := range uint32(64) {
		message := binary.BigEndian.AppendUint32(nil, i)
		if ed25519.Verify(none[:], message, forged[:]) {
			found++
		}
		if anyone.Verify(none, message, forged) {
			t.Errorf("message %d is signed by nobody", i)
		}
	}
	if found == 0 {
		t.Error("none can be forged: the test shows nothing")
	}
	message := []byte("signed")
	if !anyone.Verify(anyone.Public(), message, anyone.Sign(message)) {
		t.Error("what was signed does not hold")
	}
}
