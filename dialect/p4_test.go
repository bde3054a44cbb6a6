package dialect

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Old nodes refuse a rumor with any other key at its top level, and want all of these.
func TestP4RumorHasItsKeysOnly(t *testing.T) {
	key := "k"
	for _, r := range []P4Rumor{
		{ID: P4RumorID(key, nil), Data: P4Data{Operation: P4Update, Key: &key, Value: json.RawMessage("null")}, Seen: []string{"a"}},
		{ID: P4RumorID(key, nil), Data: P4Data{Operation: P4Failed, NodeID: "b"}, Seen: []string{}},
	} {
		text, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		var all, data map[string]json.RawMessage
		if json.Unmarshal(text, &all) != nil || json.Unmarshal(all["data"], &data) != nil {
			t.Fatalf("%s", text)
		}
		want := []string{"data", "excitement_level", "id", "propagation_count", "recipients_seen", "sender_id", "timestamp"}
		if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
			t.Errorf("%s has %q", text, got)
		}
		want = map[string][]string{P4Update: {"key", "operation", "value"}, P4Failed: {"node_id", "operation"}}[r.Data.Operation]
		if got := slices.Sorted(maps.Keys(data)); !slices.Equal(got, want) {
			t.Errorf("%s has %q in its data", text, got)
		}
	}
}

func TestP4RumorCheck(t *testing.T) {
	for text, want := range map[string]string{
		`{"id":"a","data":{"operation":"update","key":"k","value":null,"more":1},"more":1,"excitement_level":9.5}`: "",
		`{"id":"a","data":{"operation":"node_failed","node_id":"b"}}`:                                              "",
		`{"data":{"operation":"node_failed"}}`:                                                                     "id: want",
		`{"id":"a","data":{"operation":"delete"}}`:                                                                 "want update or node_failed",
		`{"id":"a","data":{"operation":"update","key":"k"}}`:                                                       `want "key" and "value"`,
	} {
		var r P4Rumor
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		if err := r.Check(); (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// One member that makes no sense does not spoil those beside it.
func TestP4Members(t *testing.T) {
	var told P4Members
	text := `{"members":{"a":{"id":"a","host":"localhost","port":9001,"is_alive":true,"last_seen":1e99,"vector_clock":{"a":-1.5}},` +
		`"b":{"id":"b","host":"h","port":70000},"c":null,"d":[],"e":{"id":7,"host":"h","port":9}},"more":1}`
	if err := json.Unmarshal([]byte(text), &told); err != nil || len(told.Members) != 5 {
		t.Fatal(told, err)
	}
	for id, m := range told.Members {
		if ok := m.Port != 0; ok != (id == "a") {
			t.Errorf("%s is %+v", id, m)
		}
	}
}

// One rumor of ours has one id on all our nodes, which is known when it comes back; another version has another.
func TestP4RumorID(t *testing.T) {
	id := P4RumorID("k", []byte("1"))
	if !P4IsOurs(id) || id != P4RumorID("k", []byte("1")) || id == P4RumorID("k", []byte("2")) || id == P4RumorID("k\x001", nil) || len(id) != 36 || id[14] != '8' {
		t.Error(id)
	}
	if P4IsOurs("6ba7b810-9dad-41d1-80b4-00c04fd430c8") {
		t.Error("one of theirs is taken for ours")
	}
}

// P4 reads a value and writes it in its own form: that is the same value.
func TestP4Canonical(t *testing.T) {
	for _, same := range [][]string{
		{`{"b":1.50, "a":"\u00e9"}`, `{"a": "é", "b": 1.5}`},
		{`1e3`, `1000`, `1000.0`, ` 1000 `},
		{`1e+300`, `1e300`},
		{`12345678901234567890`, ` 12345678901234567890`},
		{`[]`, `[ ]`},
		{`null`},
		{`"1000"`},
		{`[1,2]`},
		{`[2,1]`},
		{`12345678901234567891`},
		{`{}`},
		{`-0.5`},
		{`"\ud83d\ude00"`, `"😀"`},
	} {
		for _, text := range same {
			if got, want := string(P4Canonical([]byte(text))), string(P4Canonical([]byte(same[0]))); got != want {
				t.Errorf("%s is %s, and %s is %s", text, got, same[0], want)
			}
		}
	}
	seen := make(map[string]string)
	for _, text := range []string{`1`, `"1"`, `null`, `"null"`, `[1,2]`, `[2,1]`, `{}`, `[]`, `12345678901234567890`, `12345678901234567891`, `1.5`, `true`} {
		canonical := string(P4Canonical([]byte(text)))
		if other, is := seen[canonical]; is {
			t.Errorf("%s and %s are the same", text, other)
		}
		seen[canonical] = text
	}
}

func TestP4Value(t *testing.T) {
	for value, want := range map[string]string{
		`{"a": 1.50}`: `{"a": 1.50}`, "plain": `"plain"`, "\xff\x00": `"/wA="`, "": `""`, `"\ud800"`: `"\"\\ud800\""`,
	} {
		if got := string(P4Value([]byte(value))); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
}

// What a stranger sends has any depth and size: no step of what reads it may fail on that.
func FuzzP4Value(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"\u00e9",null]}`, "\xff", `"\ud800"`, `1e999`, "[[", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		shown := P4Value(value)
		if !json.Valid(shown) || P4Unreadable(shown) != "" {
			t.Fatalf("%q is shown as %q", value, shown)
		}
		if once := P4Canonical(shown); string(P4Canonical(once)) != string(once) {
			t.Fatalf("%q is %q, and that is %q", shown, once, P4Canonical(once))
		}
	})
}
