package client

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"hearsay"
)

// Whatever may be said fits into the body that a node takes.
func TestSayBody(t *testing.T) {
	const bodyMax = 87448 // of package web
	for name, data := range map[string]string{
		"text":    "<so> & so \u2028 \"they\" say\n",
		"bytes":   "\xff\x00",
		"long":    strings.Repeat("x", hearsay.MaxRumorData),
		"zeros":   strings.Repeat("\x00", hearsay.MaxRumorData), // six characters each, as text
		"garbage": strings.Repeat("\xff", hearsay.MaxRumorData),
	} {
		body := saying([]byte(data))
		var got struct{ Text, Data string }
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		bytes, err := base64.StdEncoding.DecodeString(got.Data)
		if got.Text+string(bytes) != data || err != nil || len(body) > bodyMax {
			t.Errorf("%s: %.60s (%d bytes), %v", name, body, len(body), err)
		}
	}
	if got := string(saying([]byte("a & b"))); got != "{\"text\":\"a & b\"}\n" {
		t.Errorf("plain text: %s", got)
	}
}
