package ledger

import (
	"hearsay"
	"hearsay/testkit"
)

var testNetwork = hearsay.NetworkIDOf("test")

// newKeyed makes the signer of a number.
func newKeyed(n uint64) *testkit.Signer { return testkit.NewSigner(n, 0, 0) }
