package web

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"

	"hearsay"
	"hearsay/dialect"
)

// This file is about writing values as JSON that every reader of an earlier program's clients takes.

const pieceLen = 3 << 10 // bytes of a value that are made JSON at a time; base64 has no rest of it

// writeValue writes a value as JSON that every reader takes: itself if it is such, else its text as a string or, where
// it is no text, that of its base64.
func writeValue(out *bufio.Writer, value []byte) {
	switch {
	case json.Valid(value) && dialect.P4Unreadable(value) == "":
		writePlain(out, value)
		return
	case utf8.Valid(value):
		out.WriteByte('"')
		for piece := range pieces(value) {
			text := jsonOf(string(piece))
			out.Write(hearsay.AppendPlain(nil, text[1:len(text)-1]))
		}
	default:
		out.WriteByte('"')
		to := base64.NewEncoder(base64.StdEncoding, out)
		to.Write(value)
		to.Close()
	}
	out.WriteByte('"')
}

// writePlain writes JSON so that it is harmless on a terminal, and says the same.
func writePlain(out *bufio.Writer, text []byte) {
	for piece := range pieces(text) {
		for line := range bytes.SplitAfterSeq(piece, []byte("\r")) { // which stands between values only
			body, ends := bytes.CutSuffix(line, []byte("\r"))
			out.Write(hearsay.AppendPlain(nil, body))
			if ends {
				out.WriteByte('\n')
			}
		}
	}
}

// pieces gives parts of a text, none of which ends within a character.
func pieces(text []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(text) > 0 {
			n := min(len(text), pieceLen)
			for n < len(text) && !utf8.RuneStart(text[n]) {
				n--
			}
			if !yield(text[:n]) {
				return
			}
			text = text[n:]
		}
	}
}

func writeJSON(out *bufio.Writer, value any) { writePlain(out, jsonOf(value)) }
