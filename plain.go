package hearsay

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// IsPlain reports whether a terminal and a reader take a character for what it
// is: a letter, mark, number, sign or space. Not plain are controls, with which
// text moves the cursor or sets a title; format characters, with which it is
// shown in another order than it has (U+202E and its like); line and paragraph
// separators; and characters without width, which make two names look like one.
func IsPlain(r rune) bool {
	if r >= ' ' && r <= '~' {
		return true
	}
	return unicode.IsGraphic(r) && r != utf8.RuneError && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// AppendPlain appends text with each character that is not plain as \uXXXX, above
// U+FFFF as two such (a surrogate pair). Newlines and tabs stay. Bytes that are no
// UTF-8 become U+FFFD. So text is harmless on a terminal, and JSON stays JSON that
// says the same: encoding/json leaves only line ends and tabs outside of strings.
func AppendPlain(dst, text []byte) []byte {
	const first = 0x10000 // the first character of a surrogate pair
	for len(text) > 0 {
		if c := text[0]; c < utf8.RuneSelf {
			if c >= ' ' && c <= '~' || c == '\n' || c == '\t' {
				dst = append(dst, c)
			} else {
				dst = fmt.Appendf(dst, `\u%04x`, c)
			}
			text = text[1:]
			continue
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError || IsPlain(r):
			dst = utf8.AppendRune(dst, r)
		case r < first:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, 0xd800+(r-first)>>10, 0xdc00+(r-first)&0x3ff)
		}
		text = text[size:]
	}
	return dst
}

// quotePlain quotes text as %q does, which takes some characters without width for
// printable.
func quotePlain(text string) string { return string(AppendPlain(nil, strconv.AppendQuote(nil, text))) }
