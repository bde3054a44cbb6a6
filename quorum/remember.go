package quorum

import "hearsay"

// remembered is how many signatures a seed knows to be good without looking
// again: some thousand cases, 300 bytes each.
const remembered = 4096

// rememberer verifies a signature once: its own never, and what it has seen
// when it was asked for something not again when that becomes a case and an
// entry. It answers as the signer below it does.
type rememberer struct {
	hearsay.Signer
	good map[string]struct{} // key, signature, message
	old  map[string]struct{} // those from before the last time that good was full

	verified int // by the signer below, in all
}

func (r *rememberer) Sign(message []byte) hearsay.Signature {
	signature := r.Signer.Sign(message)
	r.keep(name(r.Public(), message, signature))
	return signature
}

func (r *rememberer) Verify(key hearsay.PublicKey, message []byte, signature hearsay.Signature) bool {
	what := name(key, message, signature)
	if _, ok := r.good[what]; ok {
		return true
	}
	if _, ok := r.old[what]; ok {
		return true
	}
	r.verified++
	if !r.Signer.Verify(key, message, signature) {
		return false
	}
	r.keep(what)
	return true
}

func (r *rememberer) keep(what string) {
	if len(r.good) >= remembered/2 || r.good == nil {
		r.good, r.old = make(map[string]struct{}), r.good
	}
	r.good[what] = struct{}{}
}

// name names a signature, its message and its key: the first two have a fixed
// length.
func name(key hearsay.PublicKey, message []byte, signature hearsay.Signature) string {
	b := make([]byte, 0, len(key)+len(signature)+len(message))
	b = append(append(b, key[:]...), signature[:]...)
	return string(append(b, message...))
}
