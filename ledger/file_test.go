package ledger

import (
	"errors"
	"strings"
	"testing"
)

// counted counts how much of a text is read.
type counted struct {
	*strings.Reader
	read int
}

func (c *counted) Read(b []byte) (n int, err error) {
	n, err = c.Reader.Read(b)
	c.read += n
	return n, err
}

// Of a file in which a part is longer than any ruling, or in which much stands beside the rulings, no more is read than
// such a part may have; a long one of short rulings is read.
func TestSavedFileIsReadInParts(t *testing.T) {
	long, ruling := strings.Repeat("x", 3*partMost), `{"epoch":1},`
	for name, c := range map[string]struct {
		text  string
		ends  error
		count int
	}{
		"a long field":       {`{"network":"` + long + `"}`, errPart, 0},
		"many fields":        {"{" + strings.Repeat(`"a`+long[:partMost/4]+`":1,`, 12) + `"z":1}`, errPart, 0},
		"a long ruling":      {`{"rulings":[` + ruling + `{"member":"` + long + `"}]}`, errPart, 1},
		"after the rulings":  {`{"rulings":[` + ruling[:len(ruling)-1] + `],"heads":"` + long + `"}`, errPart, 1},
		"blanks":             {`{"rulings":[` + strings.Repeat(" ", 3*partMost) + `]}`, errPart, 0},
		"many short rulings": {`{"rulings":[` + strings.Repeat(ruling, partMost/4) + `{"epoch":1}]}`, nil, partMost/4 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			file, count := &counted{Reader: strings.NewReader(c.text)}, 0
			var ends error
			for _, err := range (SavedFile{file}).Rulings() {
				if ends = err; err == nil {
					count++
				}
			}
			if !errors.Is(ends, c.ends) || count != c.count {
				t.Errorf("%d rulings, and %v; want %d, and %v", count, ends, c.count, c.ends)
			}
			if c.ends != nil && file.read > 2*partMost {
				t.Errorf("%d bytes are read", file.read)
			}
		})
	}
}
