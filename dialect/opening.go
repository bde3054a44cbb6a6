package dialect

import "bytes"

// Opening is what the first bytes of a connection show that it is.
type Opening uint8

// The openings.
const (
	OpensLine     Opening = iota + 1 // a line of JSON, or one that is meant to be read as one
	OpensQuestion                    // Question
	OpensText                        // text of an earlier program
)

// A node that knows an address, and not what is there, asks once, and speaks only as is answered there. Question has
// no colon: the text seeds of earlier programs register nobody for it, and close. Those that speak lines answer that
// it is no JSON. Only a node of ours says Answer.
const (
	Question = "hearsay?\n"
	Answer   = "hearsay!\n"
)

// ReadOpening tells by what has come of a connection what it is; 0 if more must come. Two earlier programs speak text
// without an end, of which each message has a colon. They take any answer for a list of peers, so they get none. What a
// person types has an end, and mostly no colon.
func ReadOpening(said []byte) Opening {
	said = bytes.TrimLeft(said, " \t")
	if len(said) == 0 {
		return 0
	}
	text, _, whole := bytes.Cut(said, []byte("\n"))
	switch first := said[0]; {
	case first < ' ' || first > '~', bytes.IndexByte([]byte(`{["`), first) >= 0:
		return OpensLine
	case whole && string(bytes.TrimRight(text, "\r")) == Question[:len(Question)-1]:
		return OpensQuestion
	case bytes.IndexByte(text, ':') >= 0:
		return OpensText
	case whole:
		return OpensLine
	}
	return 0
}
