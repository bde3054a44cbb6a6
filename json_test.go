package hearsay_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"hearsay"
)

// What a node tells as JSON, a program in Go can read into the same types.
func TestJSONRoundTrip(t *testing.T) {
	var stats hearsay.Stats
	stats.Alive = 3
	for reason := range stats.Drops {
		stats.Drops[reason] = uint64(reason) + 1
	}
	roundTrip(t, stats)

	id := hearsay.NodeID{1, 2, 3}
	roundTrip(t, hearsay.Event{
		At: time.UnixMilli(1700000000123).UTC(), Kind: hearsay.EventMemberDead, Subject: id, Name: "b", By: id, ByName: "a",
		State: hearsay.StateDead, Incarnation: 1700000000000, Addr: netip.MustParseAddrPort("[::1]:7946"), Round: 1 << 63,
		Verdict: hearsay.VerdictUnreachable, Count: 2, Took: time.Second, Text: "text",
		Evidence: &hearsay.Evidence{
			Subject: id, Rule: hearsay.RuleMajority, Observers: 3, Needed: 2,
			Statements: []hearsay.Statement{{Subject: id, Observer: id, Verdict: hearsay.VerdictReachable, Signature: hearsay.Signature{9, 63: 7}}},
		},
	})
}

func roundTrip[T any](t *testing.T, value T) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var got T
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%T: %v in %s", value, err, text)
	}
	if !reflect.DeepEqual(got, value) {
		t.Errorf("%T came back as %+v, was %+v", value, got, value)
	}
}

func TestSignatureText(t *testing.T) {
	for _, text := range []string{"", "00", string(make([]byte, 128))} {
		if err := new(hearsay.Signature).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as a signature", text)
		}
	}
}
