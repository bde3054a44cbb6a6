package hearsay_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"hearsay"
	"hearsay/internal/canonical"
)

// whys are one of each reason, with all that it has.
func whys() (all []hearsay.Why) {
	full := hearsay.Why{Addr: netip.MustParseAddrPort("10.0.0.3:7946"), Took: 1034, Until: 1_700_000_000_000, Count: 4, Of: 9, Needed: 5}
	for reason := hearsay.Reason(1); reason < hearsay.NumReasons; reason++ {
		full.Reason = reason
		why, _ := readWhy(full.AppendBinary(nil)) // without what this one does not have
		all = append(all, why)
	}
	return all
}

// readWhy reads a reason, and says how many bytes are left; fewer than 0: they are not a reason's.
func readWhy(b []byte) (why hearsay.Why, left int) {
	r := canonical.NewReader(b)
	if why.ReadBinary(&r); r.Failed() {
		return why, -1
	}
	return why, r.Left()
}

// Each reason has a word and a sentence of its own, and is the same again after its bytes, and after JSON.
func TestReasonsAreWrittenAndRead(t *testing.T) {
	words, sentences := make(map[string]bool), make(map[string]bool)
	for _, why := range whys() {
		word, sentence := why.Reason.String(), why.String()
		if words[word] || sentences[sentence] || strings.Contains(word, "unknown") || strings.ContainsAny(sentence, "{}[]") || sentence == "" {
			t.Errorf("reason %d is %q: %q", why.Reason, word, sentence)
		}
		words[word], sentences[sentence] = true, true
		b := why.AppendBinary(nil)
		if got, left := readWhy(append(b, 1, 2)); got != why || left != 2 {
			t.Errorf("%v: %x is %+v, and %d bytes are left", why, b, got, left)
		}
		for cut := range b {
			if got, left := readWhy(b[:cut]); got != (hearsay.Why{}) || left >= 0 {
				t.Errorf("%v: %d of %d bytes are read", why, cut, len(b))
			}
		}
		text, err := json.Marshal(why)
		var again hearsay.Why
		if err != nil || json.Unmarshal(text, &again) != nil || again != why {
			t.Errorf("%v: %s, %v, is %+v", why, text, err, again)
		}
	}
	for _, unknown := range []byte{0, byte(hearsay.NumReasons), 255} {
		if got, left := readWhy([]byte{unknown}); !got.IsZero() || left >= 0 {
			t.Errorf("%d is read as a reason", unknown)
		}
	}
}

// The numbers are on disk and in what seeds have signed: each stays with its word, and a new one is added at the end.
func TestReasonNumbersStay(t *testing.T) {
	golden := strings.Fields(`
		1 barred 2 elsewhere 3 limits
		4 answers 5 silent 6 no-answer 7 crowd
		8 address-of-seed 9 beyond-clocks 10 malformed 11 identity-of-other 12 unsigned
		13 away 14 refuted 15 evidence-of-other 16 incarnation-to-come 17 statement-forged 18 reached 19 no-majority
		20 seat-taken 21 pinned 22 old-life 23 met
		24 late 25 outweighed 26 seed-reaches 27 many-no 28 left`)
	var have []string
	for _, why := range whys() {
		have = append(have, fmt.Sprint(why.AppendBinary(nil)[0]), why.Reason.String())
	}
	if !slices.Equal(have, golden) {
		t.Errorf("the reasons are\n%v, want\n%v", have, golden)
	}
}

// What is no reason, or has something else than such a reason, is refused with what would be right.
func TestReasonsInJSONAreRefused(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`"it answers"`, `a reason in words, as earlier versions had it: want an object with a "reason"`},
		{`{}`, `no reason: want an object with a "reason"`},
		{`{"count":4}`, `no reason: want an object with a "reason"`},
		{`{"reason":"met","addr":"10.0.0.1:1"}`, `reason "met" has other fields: want reason`},
		{`{"reason":"answers"}`, `reason "answers" has other fields: want reason, addr`},
		{`{"reason":"answers","addr":"10.0.0.1:1","count":1}`, `reason "answers" has other fields: want reason, addr`},
		{`{"reason":"crowd","addr":"10.0.0.1:1","took_ms":1}`, `reason "crowd" has other fields: want reason, addr, count`},
		{`{"reason":"no-majority","took_ms":1}`, `reason "no-majority" has other fields: want reason, count, of, needed`},
		{`{"reason":"away","took_ms":1}`, `reason "away" has other fields: want reason, until`},
		{`{"reason":"silent","addr":"10.0.0.1:1","until":1}`, `reason "silent" has other fields: want reason, addr, took_ms`},
		{`{"reason":"answers","addr":"[::ffff:10.0.0.1]:7946"}`, `reason "answers" has address [::ffff:10.0.0.1]:7946: want one of a node, as 10.0.0.1:7946 or [fd00::1]:7946`},
		{`{"reason":"answers","addr":"[fe80::1%eth0]:7946"}`, `reason "answers" has address [fe80::1%eth0]:7946: want one of a node, as 10.0.0.1:7946 or [fd00::1]:7946`},
		{`{"reason":"silent","addr":"10.0.0.1:0","took_ms":1}`, `reason "silent" has address 10.0.0.1:0: want one of a node, as 10.0.0.1:7946 or [fd00::1]:7946`},
		{`{"reason":"silent","addr":"224.0.0.1:7946","took_ms":1000}`, `reason "silent" has address 224.0.0.1:7946: want one of a node, as 10.0.0.1:7946 or [fd00::1]:7946`},
	} {
		var why hearsay.Why
		if err := json.Unmarshal([]byte(test.text), &why); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.text, err, test.want)
		}
	}
}

// The sentences are the ones that people have read so far.
func TestReasonsInWords(t *testing.T) {
	addr := netip.MustParseAddrPort("10.0.0.3:7946")
	for _, test := range []struct {
		why  hearsay.Why
		want string
	}{
		{hearsay.Why{Reason: hearsay.ReasonBarred}, "barred"},
		{hearsay.Why{Reason: hearsay.ReasonAnswers, Addr: addr}, "it answers at 10.0.0.3:7946"},
		{hearsay.Why{Reason: hearsay.ReasonSilent, Addr: addr, Took: 4000}, "no answer from 10.0.0.3:7946 for 4s"},
		{hearsay.Why{Reason: hearsay.ReasonCrowd, Addr: addr, Count: 200}, "busy: no answer came from 10.0.0.3:7946, and 200 ask to be in at once, so that it may have been lost; it is asked when it asks again"},
		{hearsay.Why{Reason: hearsay.ReasonAway, Until: 1_700_000_000_000}, "it has said that its process is started again: it has until 22:13:20"},
		{hearsay.Why{Reason: hearsay.ReasonFewObserved, Count: 4, Of: 9, Needed: 5}, "4 of 9 observers against it, 5 needed"},
		{hearsay.Why{Reason: hearsay.ReasonLeft}, "it has left"},
	} {
		if said := test.why.String(); said != test.want {
			t.Errorf("%q, want %q", said, test.want)
		}
	}
}
