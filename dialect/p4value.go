package dialect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// This file is about which JSON every reader of p4's clients takes, and about values as such.

// p4Depth is how many lists and objects a value may stand in: Python's reader ends at some 1,000. A guess.
const p4Depth = 100

// P4Unreadable says why not every reader takes a text that is JSON by its grammar, "" if all do.
func P4Unreadable(text []byte) string {
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
				if depth++; depth > p4Depth {
					return fmt.Sprintf("it is nested deeper than %d lists and objects: want it flatter", p4Depth)
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

// P4Value gives a value of the store as JSON that every reader takes: itself if it is such, else its text as a string
// or, where it is no text, that of its base64.
func P4Value(value []byte) []byte {
	switch {
	case json.Valid(value) && P4Unreadable(value) == "":
		return value
	case utf8.Valid(value):
		return quoted(string(value))
	}
	return quoted(base64.StdEncoding.EncodeToString(value))
}

func quoted(text string) []byte {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string
	}
	return b
}

// P4Canonical gives a readable value in the one form of all that mean the same: p4 writes anew what it has read.
func P4Canonical(text []byte) []byte {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return text
	}
	b, err := json.Marshal(plainNumbers(value))
	if err != nil {
		return text
	}
	return b
}

const wholeMost = 1 << 53 // up to which a float64 is any whole number

func plainNumbers(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plainNumbers(v[key])
		}
	case json.Number:
		f, err := v.Float64()
		digits := strings.Trim(string(v), "-0123456789") == ""
		switch whole := f == math.Trunc(f); {
		case err != nil, digits && math.Abs(f) >= wholeMost:
			return v
		case whole && math.Abs(f) < wholeMost:
			return int64(f)
		}
		return f
	}
	return value
}
