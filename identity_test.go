package hearsay

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// weakKeys are all encodings of all points whose order divides 8: eight that are
// canonical, and six that are not (Chalkias and others 2020, table 1).
var weakKeys = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",

	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// A key of small order needs no secret: among some messages there is one that is
// signed by a one and zeros, as Ed25519 by itself has it. Nobody signs with those.
func TestNobodySignsWithAWeakKey(t *testing.T) {
	anyone := NewIdentity([ed25519.SeedSize]byte{1})
	for _, text := range weakKeys {
		var weak PublicKey
		if err := weak.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if !weak.Weak() {
			t.Errorf("%s is not taken for weak", text)
		}
		forged, found := Signature{1}, 0 // R is the neutral point, S is zero
		for i := range uint32(256) {
			message := binary.BigEndian.AppendUint32(nil, i)
			if ed25519.Verify(weak[:], message, forged[:]) {
				found++
			}
			if anyone.Verify(weak, message, forged) {
				t.Fatalf("%s: message %d is signed by nobody", text, i)
			}
		}
		if found == 0 {
			t.Errorf("%s: no message can be forged: the test shows nothing", text)
		}
	}
}

// Keys that are no points of small order hold, also those that are near one.
func TestOtherKeysAreNotWeak(t *testing.T) {
	message := []byte("signed")
	for i := range byte(32) {
		one := NewIdentity([ed25519.SeedSize]byte{i})
		if one.Public().Weak() || !one.Verify(one.Public(), message, one.Sign(message)) {
			t.Errorf("key %d does not sign", i)
		}
	}
	for _, text := range weakKeys {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		near := PublicKey(b)
		near[9] ^= 4
		if near.Weak() {
			t.Errorf("%x is taken for weak", near)
		}
	}
}
