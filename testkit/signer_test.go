package testkit

import (
	"testing"

	"hearsay"

	"pgregory.net/rapid"
)

var _ hearsay.Signer = (*Signer)(nil)

// Whatever bit of message or signature changes, or the key: it does not hold.
func TestSignerTellsForgeries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other := NewSigner(1, 1, 1), NewSigner(1, 2, 1)
		message := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "message")
		signature := one.Sign(message)
		if !other.Verify(one.Public(), message, signature) {
			t.Fatal("a true signature does not hold")
		}
		if one.Verify(other.Public(), message, signature) {
			t.Fatal("holds for another key")
		}
		bit := rapid.IntRange(0, 8*len(signature)-1).Draw(t, "bit of signature")
		forged := signature
		forged[bit/8] ^= 1 << (bit % 8)
		if one.Verify(one.Public(), message, forged) {
			t.Fatal("holds with another signature")
		}
		bit = rapid.IntRange(0, 8*len(message)-1).Draw(t, "bit of message")
		message[bit/8] ^= 1 << (bit % 8)
		if one.Verify(one.Public(), message, signature) {
			t.Fatal("holds for another message")
		}
		if one.Verify(one.Public(), append(message, 0), signature) {
			t.Fatal("holds for a longer message")
		}
	})
}

func TestIdentitiesDiffer(t *testing.T) {
	seen := make(map[hearsay.NodeID]bool)
	for seed := range uint64(3) {
		for machine := 1; machine <= 20; machine++ {
			for disk := 1; disk <= 3; disk++ {
				seen[NewSigner(seed, machine, disk).Public().NodeID()] = true
			}
		}
	}
	if want := 3 * 20 * 3; len(seen) != want {
		t.Fatalf("%d identities, want %d", len(seen), want)
	}
}

func BenchmarkVerify(b *testing.B) {
	s := NewSigner(1, 1, 1)
	message := make([]byte, 150) // about what a claim's signature covers
	signature := s.Sign(message)
	b.ReportAllocs()
	for b.Loop() {
		if !s.Verify(s.Public(), message, signature) {
			b.Fatal("does not hold")
		}
	}
}
