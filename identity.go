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

// Verify reports whether the holder of key signed message. Nobody has signed with
// the zero key, of a seat that is empty and of guests, or with another weak one.
func (i *Identity) Verify(key PublicKey, message []byte, signature Signature) bool {
	return !key.Weak() && ed25519.Verify(key[:], message, signature[:])
}

// smallOrder are the points of Ed25519 whose order divides 8, without the bit for the
// sign of x: in all their encodings, also those that are not canonical (p is 2^255-19;
// "Taming the many EdDSAs", Chalkias and others 2020, table 1; libsodium's
// ge25519_has_small_order has the same list). The first is the zero key.
var smallOrder = [...]PublicKey{
	{},  // y = 0, of order 4
	{1}, // y = 1, of order 1
	{ // y of order 8
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{ // the other y of order 8
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
	nearP(0xec), // y = p-1, of order 2
	nearP(0xed), // y = p, which is 0
	nearP(0xee), // y = p+1, which is 1
}

// nearP encodes a number near p by its lowest byte.
func nearP(lowest byte) (k PublicKey) {
	for i := range k {
		k[i] = 0xff
	}
	k[0], k[len(k)-1] = lowest, 0x7f
	return k
}

// Weak reports whether the key is a point of small order: without any secret
// everybody can sign with it.
func (k PublicKey) Weak() bool {
	k[len(k)-1] &= 0x7f
	for i := range smallOrder {
		if k == smallOrder[i] {
			return true
		}
	}
	return false
}
