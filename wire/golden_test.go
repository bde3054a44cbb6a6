package wire

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"hearsay/internal/core"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files in testdata · read them afterwards")

// TestGolden holds the format to what was once agreed: a difference is a new
// version of the format, or a mistake.
func TestGolden(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			p := &core.Packet{From: idA, Body: s.body, Claims: s.claims}
			golden(t, s.name, s.says, layoutOf(s), AppendPacket(nil, testNetwork, p))
			checkDecodes(t, dehex(t, s.name), p)
		})
	}
	t.Run("frame", func(t *testing.T) {
		p := &core.Packet{From: idA, Body: &core.Join{}}
		golden(t, "frame", "a packet on a stream", "start 1 · length 3 · "+envelopeLayout, AppendFrame(nil, testNetwork, p))
	})
}

func TestGoldenRecords(t *testing.T) {
	for _, s := range sampleRecords() {
		t.Run(s.name, func(t *testing.T) {
			bucket, key, value, drop := AppendRecord(nil, nil, s.record)
			if drop {
				t.Fatal("a record to keep is dropped")
			}
			name := "record-" + s.name
			golden(t, name, "in bucket "+string(bucket)+", key and value", s.layout, append(key, value...))
			b := dehex(t, name)
			back, err := DecodeRecord(bucket, b[:len(key)], b[len(key):])
			if err != nil || !reflect.DeepEqual(back, s.record) {
				t.Errorf("got %+v, %v, want %+v", back, err, s.record)
			}
		})
	}
}

const envelopeLayout = "version 1 · flags 1 · network 8 · from 16 · kind 1 · length u"

func layoutOf(s sample) string {
	layout := envelopeLayout
	for _, more := range []string{s.bodyLayout, s.claimsLayout} {
		if more != "" {
			layout += " · " + more
		}
	}
	return layout
}

// golden compares with the file of this name, or rewrites it.
func golden(t *testing.T, name, says, layout string, b []byte) {
	t.Helper()
	got := fmt.Sprintf("# %s: %s\n%s", name, says, annotate(t, layout, b))
	if *rewrite {
		if err := os.WriteFile(goldenPath(name), []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenPath(name))
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("the format has changed · got\n%s\nwant\n%s", got, want)
	}
}

func goldenPath(name string) string { return filepath.Join("testdata", name+".txt") }

// annotate gives one line for each field of the layout, which must come out
// even. A field may have a heading, "# heading: field".
func annotate(t *testing.T, layout string, b []byte) string {
	t.Helper()
	var out strings.Builder
	for field := range strings.SplitSeq(layout, " · ") {
		if heading, rest, ok := strings.Cut(field, ": "); ok {
			fmt.Fprintln(&out, heading)
			field = rest
		}
		name, unit, _ := strings.Cut(field, " ")
		size, err := strconv.Atoi(unit)
		value := ""
		if unit == "u" {
			var v uint64
			if v, size = binary.Uvarint(b); size > 0 {
				value, err = fmt.Sprintf("  = %d", v), nil
			}
		}
		if err != nil || size > len(b) {
			t.Fatalf("%q: cannot be read from %x, after\n%s", field, b, out.String())
		}
		if name == "name" {
			value = fmt.Sprintf("  = %q", b[:size])
		}
		fmt.Fprintf(&out, "%-12s %x%s\n", name, b[:size], value)
		b = b[size:]
	}
	if len(b) > 0 {
		t.Fatalf("%d bytes %x are not in the layout, after\n%s", len(b), b, out.String())
	}
	return out.String()
}

// dehex gives the bytes of a golden file.
func dehex(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(goldenPath(name))
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		field := strings.Fields(line)
		if b, err = hex.AppendDecode(b, []byte(field[1])); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func checkDecodes(t *testing.T, b []byte, want *core.Packet) {
	t.Helper()
	var got core.Packet
	if drop, ok := NewDecoder(testNetwork).Decode(b, &got); !ok {
		t.Fatalf("dropped: %s", drop)
	}
	if !reflect.DeepEqual(&got, want) {
		t.Errorf("got %+v\nwant %+v", got, *want)
	}
}
