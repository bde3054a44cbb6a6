package dialect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hearsay"
)

// filled repeats a part between a head and a tail, as often as it fits a request.
func filled(head string, part func(i int) string, tail string) []byte {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; ; i++ {
		next := part(i)
		if b.Len()+len(next)+len(tail) >= RequestLineMax {
			break
		}
		b.WriteString(next)
	}
	return []byte(b.String() + tail + "\n")
}

// TestEveryLineIsCheap takes apart the longest lines, of what takes the longest.
func TestEveryLineIsCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("measures: not beside the race detector")
	}
	const most, runs, tries = time.Millisecond, 100, 10
	same := func(part string) func(int) string { return func(int) string { return part } }
	number := func(format string) func(int) string { return func(i int) string { return fmt.Sprintf(format, i) } }
	for name, line := range map[string][]byte{
		"many fields":       filled(`{"type":"HELLO","payload":{`, number(`"%d":1,`), `"z":0}}`),
		"many outer fields": filled(`{"type":"HELLO",`, number(`"%d":1,`), `"payload":{}}`),
		"same field":        filled(`{"type":"HELLO","payload":{`, same(`"":{},`), `"z":0}}`),
		"numbers":           filled(`{"type":"HELLO","payload":{"a":[`, same(`1e9,`), `0]}}`),
		"nested":            filled(`{"type":"HELLO","payload":{"a":[`, same(`[[[[[[[[[[]]]]]]]]]],`), `0]}}`),
		"escapes":           filled(`{"type":"GOSSIP_MSG","payload":{"message":"`, same(`\u00e9`), `"}}`),
		"escaped type":      filled(`{"type":"`, same(`\u0041`), `","payload":{}}`),
		"spaces":            filled(`{"type":"HELLO","payload":{`, same(` `), `}}`),
	} {
		for _, role := range []hearsay.Role{hearsay.RolePeer, hearsay.RoleSeed} {
			// The quickest says what it takes, as other processes only add to it.
			quickest := time.Hour
			for run := 0; run < runs || run < tries*runs && quickest > most; run++ {
				began := time.Now()
				ReadRequest(line, role)
				quickest = min(quickest, time.Since(began))
			}
			if t.Logf("%s, %d bytes: %v", name, len(line), quickest); quickest > most {
				t.Errorf("%s, %d bytes: %v", name, len(line), quickest)
			}
		}
	}
}

// TestTextIsCheap takes apart as much text as a connection may hold at a time, of what takes the longest.
func TestTextIsCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("measures: not beside the race detector")
	}
	const most, runs, tries, held = time.Millisecond, 100, 10, 4 << 10
	for _, part := range []string{
		"1", "1.", ":", "N", "New Connection Request From:", "Dead Node:", "Liveness Request:1.5:10.0.0.1", "1700000000.5:10.0.0.1:6001:GOSSIP1", "10.0.0.1:6001",
	} {
		text := []byte(strings.Repeat(part, held/len(part)))
		quickest := time.Hour
		for run := 0; run < runs || run < tries*runs && quickest > most; run++ {
			began := time.Now()
			ReadText(text, hearsay.RolePeer, false)
			quickest = min(quickest, time.Since(began))
		}
		if t.Logf("%q: %v", part, quickest); quickest > most {
			t.Errorf("%q, %d bytes: %v", part, len(text), quickest)
		}
	}
}
