package hearsay

import "crypto/ed25519"

// Identity signs by Ed25519 as one node, and verifies for all. It is the
// Signer of a real node.
type Identity struct {
	private ed25519.PrivateKey
	public  PublicKey
}

// NewIdentity makes the identity of this secret seed.
func NewIdentity(seed [ed25519.SeedSize]byte) *Identity {
	private := ed25519.NewKeyFromSeed(seed[:])
	return &Identity{private, PublicKey(private.Public().(ed25519.PublicKey))}
}

// Public gives the key by which others know this node.
func (i *Identity) Public() PublicKey { return i.public }

// Sign signs message as this node.
func (i *Identity) Sign(message []byte) Signature {
	return Signature(ed25519.Sign(i.private, message))
}

// Verify reports whether the holder of key signed message. The zero key, of a seat
// that is empty and of guests, has none; Ed25519 by itself takes it for one with which
// anybody can sign.
func (i *Identity) Verify(key PublicKey, message []byte, signature Signature) bool {
	return !key.IsZero() && ed25519.Verify(key[:], message, signature[:])
}
