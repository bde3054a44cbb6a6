// Package testkit has what simulators and tests stand on: a queue of times, links that lose packets, a disk, and
// signers that cost little.
package testkit

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"hearsay"
)

// Signer signs with a keyed hash instead of Ed25519, which is a thousand times
// slower: verifying is signing again. Knowing the public key is enough to sign,
// but no simulated node does so for another.
type Signer struct{ public hearsay.PublicKey }

// NewSigner makes the signer of one identity of one machine: the same arguments give the same key.
func NewSigner(seed uint64, machine, identity int) *Signer {
	b := append(make([]byte, 0, 64), "hearsay sim key\x00"...)
	b = binary.BigEndian.AppendUint64(b, seed)
	b = binary.BigEndian.AppendUint64(b, uint64(machine))
	b = binary.BigEndian.AppendUint64(b, uint64(identity))
	return &Signer{public: sha256.Sum256(b)}
}

// Public implements hearsay.Signer.
func (s *Signer) Public() hearsay.PublicKey { return s.public }

// Sign implements hearsay.Signer.
func (s *Signer) Sign(message []byte) hearsay.Signature { return keyedHash(s.public, message) }

// Verify implements hearsay.Signer.
func (s *Signer) Verify(key hearsay.PublicKey, message []byte, signature hearsay.Signature) bool {
	return !key.IsZero() && keyedHash(key, message) == signature
}

// keyedHash folds the message word by word into two words of state, which
// begin as the key, and fills a signature from them.
func keyedHash(key hearsay.PublicKey, message []byte) (signature hearsay.Signature) {
	const odd = 0x9e3779b97f4a7c15 // golden ratio
	a := binary.LittleEndian.Uint64(key[0:]) ^ binary.LittleEndian.Uint64(key[16:])
	b := binary.LittleEndian.Uint64(key[8:]) ^ binary.LittleEndian.Uint64(key[24:])
	b ^= uint64(len(message))
	for ; len(message) >= 8; message = message[8:] {
		a, b = fold(a^binary.LittleEndian.Uint64(message), b+odd)
	}
	var last [8]byte
	copy(last[:], message)
	a, b = fold(a^binary.LittleEndian.Uint64(last[:]), b+odd)
	for i := 0; i < len(signature); i += 8 {
		a, b = fold(a+odd, b)
		binary.LittleEndian.PutUint64(signature[i:], a)
	}
	return signature
}

// fold mixes two words. Either half of a long product may be 0 for many
// inputs, so each is kept apart and stirred with what it came from.
func fold(a, b uint64) (uint64, uint64) {
	high, low := bits.Mul64(a|1, b|1)
	return high ^ low ^ a, bits.RotateLeft64(low, 29) + b
}
