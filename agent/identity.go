package agent

import (
	"crypto/rand"

	"hearsay"
)

// freshIdentity is one that nobody had before.
func freshIdentity() *hearsay.Identity {
	var seed [32]byte
	rand.Read(seed[:])
	return hearsay.NewIdentity(seed)
}
