package hearsay_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
)

// What a node says over HTTP, a client written in Go reads back.
func TestJSONComesBack(t *testing.T) {
	id := hearsay.NewIdentity([32]byte{3}).Public().NodeID()
	event := hearsay.Event{
		At: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Kind: hearsay.EventMemberDead, Subject: id, Name: "n1", By: id,
		State: hearsay.StateDead, Incarnation: 7, Addr: netip.MustParseAddrPort("[::1]:7"), Round: 1<<63 + 1,
		Verdict: hearsay.VerdictAbstains, Count: 3, Took: time.Second, Text: "so",
		Evidence: &hearsay.Evidence{
			Subject: id, Incarnation: 7, Round: 9, Rule: hearsay.RuleTimeout, Accuser: id, Suspected: 1, Condemned: 2, Observers: 4, Needed: 3,
			Statements: []hearsay.Statement{{Subject: id, Round: 9, Observer: id, Verdict: hearsay.VerdictUnreachable, At: 5, Signature: hearsay.Signature{1, 2}}},
		},
	}
	comesBack(t, &event, &hearsay.Event{})
	comesBack(t, &hearsay.Rumor{ID: clock.Dot{Origin: hearsay.OriginOf(id), Counter: 9}, Hops: 3, Age: time.Second, Data: []byte("so they say")}, &hearsay.Rumor{})
	comesBack(t, &hearsay.Rumor{ID: clock.Dot{Origin: hearsay.OriginOf(id), Counter: 9}, Data: []byte{0xff, 0}}, &hearsay.Rumor{})
	comesBack(t, &hearsay.Stats{Alive: 2, Probes: 1 << 40, RoundTrip: 0.25, Drops: hearsay.Drops{hearsay.DropRate: 4, hearsay.DropTableFull: 1}}, &hearsay.Stats{})
	comesBack(t, &hearsay.CaseFile{
		Member: hearsay.Member{ID: id, Name: "n1", Addr: event.Addr, Role: hearsay.RolePeer, State: hearsay.StateDead, Incarnation: 7, Since: event.At},
		Steps:  []hearsay.Step{{At: event.At, Kind: "dead", By: "n2", Text: "so", Detail: "more"}},
	}, &hearsay.CaseFile{})
}

// A network's id is digits, as all ids are; what was saved as numbers is read,
// too.
func TestNetworkIDInJSON(t *testing.T) {
	id := hearsay.NetworkIDOf("hearsay")
	comesBack(t, &id, new(hearsay.NetworkID))
	text, err := json.Marshal(id)
	if want := `"` + id.String() + `"`; err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	numbers, err := json.Marshal([8]byte(id))
	if err != nil {
		t.Fatal(err)
	}
	var read hearsay.NetworkID
	if err := json.Unmarshal(numbers, &read); err != nil || read != id {
		t.Errorf("%s reads as %s, %v", numbers, read, err)
	}
	for _, wrong := range []string{`"7f05"`, `"xxxxxxxxxxxxxxxx"`, `[1,2]`, `[1,2,3,4,5,6,7,256]`, `7`, `{}`, `[1,2,3,4,5,6,7,"8"]`} {
		if err := json.Unmarshal([]byte(wrong), &read); err == nil {
			t.Errorf("%s reads as %s", wrong, read)
		}
	}
}

func comesBack(t *testing.T, value, empty any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, empty); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if !reflect.DeepEqual(value, empty) {
		t.Errorf("%s\ncame back as\n%+v", text, empty)
	}
}
