package web

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"hearsay"
)

// This file is about which JSON every reader of an earlier program's clients takes, and about writing values as such.

// earlierDepth is how many lists and objects a value may stand in: Python's reader ends at some 1,000. A guess.
const earlierDepth = 100

// unreadable says why not every reader takes a text that is JSON by its grammar, "" if all do.
func unreadable(text []byte) string {
	if !utf8.Valid(text) {
		return `it is not UTF-8: want \u00ff for a character, and bytes as base64`
	}
	depth := 0
	for i := 0; i < len(text); {
		rest := text[i:]
		switch c := rest[0]; {
		case c == '"':
			size, paired := stringLen(rest)
			if !paired {
				return `half of a surrogate pair stands in a string: want both, as in \ud83d\ude00`
			}
			i += size
		case c == '-' || c >= '0' && c <= '9':
			size := numberLen(rest)
			if _, err := strconv.ParseFloat(string(rest[:size]), 64); err != nil {
				return fmt.Sprintf("number %.20s of %d characters: want one below 1.8e308, or a string", rest[:size], size)
			}
			i += size
		default:
			switch i++; c {
			case '[', '{':
				if depth++; depth > earlierDepth {
					return fmt.Sprintf("it is nested deeper than %d lists and objects: want it flatter", earlierDepth)
				}
			case ']', '}':
				depth--
			}
		}
	}
	return ""
}

func numberLen(text []byte) int {
	if rest := bytes.TrimLeft(text, "+-.0123456789eE"); len(rest) > 0 {
		return len(text) - len(rest)
	}
	return len(text)
}

// stringLen gives how long the string at the begin of a JSON text is, with its quotes, and whether each half of a
// surrogate pair in it has its other half.
func stringLen(text []byte) (size int, paired bool) {
	const escapeLen = len(`\uXXXX`)
	paired = true
	for i := 1; ; {
		switch {
		case text[i] == '"':
			return i + 1, paired
		case text[i] != '\\':
			i++
		case text[i+1] != 'u':
			i += 2
		default:
			r := escaped(text[i:])
			i += escapeLen
			if !utf16.IsSurrogate(r) {
				continue
			}
			if !bytes.HasPrefix(text[i:], []byte(`\u`)) || utf16.DecodeRune(r, escaped(text[i:])) == utf8.RuneError {
				paired = false
				continue
			}
			i += escapeLen
		}
	}
}

// escaped gives the number in an escape at the begin of a JSON text.
func escaped(text []byte) rune {
	r, _ := strconv.ParseUint(string(text[2:6]), 16, 16) // the grammar was checked
	return rune(r)
}

const pieceLen = 3 << 10 // bytes of a value that are made JSON at a time; base64 has no rest of it

// writeValue writes a value as JSON that every reader takes: itself if it is such, else its text as a string or, where
// it is no text, that of its base64.
func writeValue(out *bufio.Writer, value []byte) {
	switch {
	case json.Valid(value) && unreadable(value) == "":
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
