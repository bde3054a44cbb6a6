package agent

import (
	"crypto/ed25519"
	"crypto/rand"

	"hearsay"
)

// identity signs for this node, by Ed25519, and verifies for all.
type identity struct {
	private ed25519.PrivateKey
	public  hearsay.PublicKey
}

func newIdentity(seed [ed25519.SeedSize]byte) *identity {
	private := ed25519.NewKeyFromSeed(seed[:])
	return &identity{private, hearsay.PublicKey(private.Public().(ed25519.PublicKey))}
}

// freshIdentity is one that nobody had before.
func freshIdentity() *identity {
	var seed [ed25519.SeedSize]byte
	rand.Read(seed[:])
	return newIdentity(seed)
}

// Public gives the key by which others know this node.
func (i *identity) Public() hearsay.PublicKey { return i.public }

// Sign signs message as this node.
func (i *identity) Sign(message []byte) hearsay.Signature {
	return hearsay.Signature(ed25519.Sign(i.private, message))
}

// Verify reports whether the holder of key signed message.
func (i *identity) Verify(key hearsay.PublicKey, message []byte, signature hearsay.Signature) bool {
	return ed25519.Verify(key[:], message, signature[:])
}
