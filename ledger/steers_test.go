package ledger

import (
	"testing"
	"unicode"

	"hearsay"
)

// Every control and format steers, and nothing that is plain.
func TestSteers(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		is := steers(string(r))
		if is && hearsay.IsPlain(r) {
			t.Errorf("%U steers, and is plain", r)
		}
		if !is && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			t.Errorf("%U is a control or a format, and does not steer", r)
		}
	}
	for text, want := range map[string]bool{
		"no answer from 10.0.0.1:7000 for 4s": false, "größer 漢字 👋": false, "": false,
		"a\x1b[2Jb": true, "a\nb": true, "abc\u202ecba": true, "a\xffb": true,
	} {
		if got := steers(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}
