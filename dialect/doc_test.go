package dialect

import (
	"os"
	"strings"
	"testing"
)

// The table of the package's comment has a row for each request, and no other.
func TestTableHasEveryRequest(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); strings.HasPrefix(line, "//\t") && len(words) > 3 && (words[2] == "seed" || words[2] == "peer") {
			rows[words[1]] = words[2]
		}
	}
	for kind, by := range servedBy {
		if by == 0 {
			continue // a reply
		}
		if rows[kind] != by.String() {
			t.Errorf("%s: a row of %q, want one of %q", kind, rows[kind], by)
		}
		delete(rows, kind)
	}
	if len(rows) > 0 {
		t.Errorf("rows of no request: %v", rows)
	}
}
