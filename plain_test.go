package hearsay_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"hearsay"
)

// unplain are characters that must reach no terminal.
const unplain = "\x00\x07\b\r\x1b\x7f\u0080\u009b\u00ad\u061c\u115f\u200b\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e" +
	"\u2060\u2066\u2067\u2068\u2069\u3164\ufeff\ufff9\U000e0001\U000e0041\ue000"

func TestAppendPlain(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ascii\tand\nlines": "plain, ascii\tand\nlines",
		"größer 漢字\u3000 👋 é":      "größer 漢字\u3000 👋 é",
		"\x1b[2Jgone":              `\u001b[2Jgone`,
		"abc\u202ecba":             `abc\u202ecba`,
		"\U000e0041":               `\udb40\udc41`,
		"a\xffb\xc3":               "a\ufffdb\ufffd",
		"a\rb\x7f\u009b":           `a\u000db\u007f\u009b`,
	} {
		if got := string(hearsay.AppendPlain(nil, []byte(text))); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	for _, r := range unplain {
		if got := string(hearsay.AppendPlain(nil, []byte(string(r)))); hearsay.IsPlain(r) || strings.ContainsRune(got, r) {
			t.Errorf("%U is left as %q", r, got)
		}
	}
}

// What steers a terminal is never plain, and what an operator may give as a reason
// never steers one.
// FuzzAppendPlain wants output without anything that is not plain, and JSON to
// mean the same as before.
func FuzzAppendPlain(f *testing.F) {
	f.Add(unplain)
	f.Add("a\xff\xc3\u202e\U0001f600\n\t")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range string(hearsay.AppendPlain(nil, []byte(text))) {
			if !hearsay.IsPlain(r) && r != '\n' && r != '\t' && r != utf8.RuneError {
				t.Fatalf("%q leaves %U", text, r)
			}
		}
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		if err := json.Unmarshal(encoded, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(hearsay.AppendPlain(nil, encoded), &after); err != nil || after != before {
			t.Fatalf("%q as JSON means %q, and then %q (%v)", text, before, after, err)
		}
	})
}
