package ledger

import "unicode/utf8"

// steering are the characters that move a terminal's cursor, turn text around or have
// no width: all controls, and formats as of Unicode 17 (Cc, Cf, Zl, Zp). The list is
// fixed, unlike the tables of a Go version: all seeds must judge a text alike.
var steering = [...]struct{ first, last rune }{
	{0, 0x1f},
	{0x7f, 0x9f},
	{0xad, 0xad},
	{0x600, 0x605},
	{0x61c, 0x61c},
	{0x6dd, 0x6dd},
	{0x70f, 0x70f},
	{0x890, 0x891},
	{0x8e2, 0x8e2},
	{0x180e, 0x180e},
	{0x200b, 0x200f},
	{0x2028, 0x202e},
	{0x2060, 0x206f},
	{0xfeff, 0xfeff},
	{0xfff9, 0xfffb},
	{0x110bd, 0x110bd},
	{0x110cd, 0x110cd},
	{0x13430, 0x1343f},
	{0x1bca0, 0x1bca3},
	{0x1d173, 0x1d17a},
	{0xe0000, 0xe00ff},
	{0xe01f0, 0xe0fff},
}

// steers reports whether a text has a character that does something else than be
// seen, or is no UTF-8. An operator's words for a bar must not: the log of seeds keeps them. It is less than
// hearsay.IsPlain forbids, and the same in every version.
func steers(text string) bool {
	for _, r := range text {
		for _, s := range steering {
			if r >= s.first && r <= s.last {
				return true
			}
		}
	}
	return !utf8.ValidString(text)
}
