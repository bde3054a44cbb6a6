package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// What stands in a reason and is none of its fields is refused, as anywhere else in a saved ledger: the decoder's
// DisallowUnknownFields does not reach into Why.UnmarshalJSON.
func TestVerifyRefusesWhatNoReasonHas(t *testing.T) {
	text, err := json.Marshal(example().save(1, 0, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	const honest = `"why":{"reason":"met"}`
	if code, out, errs := verifyText(t, text); code != 0 || !strings.Contains(string(text), honest) {
		t.Fatalf("the honest one: code %d: %s%s", code, out, errs)
	}
	for _, why := range []string{
		`"why":{"reason":"met","text":"no answer from 10.0.0.3:7946 for 4s"}`,
		`"why":{"reason":"met","seed":"seed-9","verdict":"no"}`,
	} {
		if code, _, _ := verifyText(t, []byte(strings.Replace(string(text), honest, why, 1))); code != 1 {
			t.Errorf("%s: code %d", why, code)
		}
	}
}
