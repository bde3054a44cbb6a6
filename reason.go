package hearsay

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"hearsay/internal/canonical"
)

// Reason is why a seed votes as it does, why a case ends without a ruling, or why a node is not admitted. Programs go
// by it, and people read Why.String. Its numbers are in logs and ledgers on disk, and never used again for another:
// a new one is added at the end, and ledger.LogVersion rises with it.
type Reason uint8

// The reasons, and what a Why has of each.
const (
	// Of a request that is refused.
	ReasonBarred    Reason = iota + 1 // by an operator, who can lift that
	ReasonElsewhere                   // it asks from another IP address than the one that it says is its own
	ReasonLimits                      // of the network: members, or admissions a minute

	// Of a ballot, by the seed's own probes.
	ReasonAnswers  // Addr: it answers there
	ReasonSilent   // Addr, Took: it has not answered there for so long
	ReasonNoAnswer // Addr: it does not answer there, and asks to be in
	ReasonCrowd    // Addr, Count: likewise, but so many ask to be in that the answer may have been lost

	// Of a ballot against an admission, or of one that is refused: its claim does not hold.
	ReasonSeedsAddr    // its address is a seed's
	ReasonBeyondClocks // no clock shows such an incarnation
	ReasonMalformed
	ReasonOthersID // a guest's identity is not that of its address
	ReasonUnsigned

	// Of a ballot against a removal: it must not be, or its evidence does not hold.
	ReasonAway        // Until: the member has said that its process is started again
	ReasonRefuted     // the member has refuted it
	ReasonOtherNode   // the evidence is about another
	ReasonNotYet      // of an incarnation that the member cannot have
	ReasonForged      // a statement that its observer did not sign
	ReasonReached     // an observer reaches it
	ReasonFewObserved // Count, Of, Needed: so many of so many observers are against it, and so many are needed

	// Of a ballot about a seat.
	ReasonSeatTaken
	ReasonPinned  // the list of seeds pins another key
	ReasonOldLife // the life that has the seat is well
	ReasonMet     // met at its address, without a ledger

	// Of the end of a case without a ruling; so is ReasonBarred.
	ReasonLate       // no decision in time
	ReasonOutweighed // a case that rests on a majority of observers takes its place
	ReasonOneReaches // a seed has voted no, and one is enough
	ReasonManyNo     // so many seeds have voted no that no quorum can vote yes
	ReasonLeft       // the member has left

	NumReasons
)

// What a Why has of a reason.
const (
	hasAddr = 1 << iota
	hasTook
	hasUntil
	hasCount
	hasShare // Of, Needed
)

// reasons is all that is fixed about a reason.
var reasons = [NumReasons]struct {
	word string
	has  int
	form string // for fillForm
}{
	ReasonBarred:       {"barred", 0, "barred"},
	ReasonElsewhere:    {"elsewhere", 0, "asks from another address than its own"},
	ReasonLimits:       {"limits", 0, "beyond the limits of the network"},
	ReasonAnswers:      {"answers", hasAddr, "it answers at {addr}"},
	ReasonSilent:       {"silent", hasAddr | hasTook, "no answer from {addr} for {took}"},
	ReasonNoAnswer:     {"no-answer", hasAddr, "it does not answer at {addr}"},
	ReasonCrowd:        {"crowd", hasAddr | hasCount, "busy: no answer came from {addr}, and {count} ask to be in at once, so that it may have been lost; it is asked when it asks again"},
	ReasonSeedsAddr:    {"address-of-seed", 0, "its address is a seed's"},
	ReasonBeyondClocks: {"beyond-clocks", 0, "its incarnation is beyond what any clock shows"},
	ReasonMalformed:    {"malformed", 0, "not well-formed"},
	ReasonOthersID:     {"identity-of-other", 0, "not its identity"},
	ReasonUnsigned:     {"unsigned", 0, "not signed by itself"},
	ReasonAway:         {"away", hasUntil, "it has said that its process is started again: it has until {until}"},
	ReasonRefuted:      {"refuted", 0, "it has refuted that"},
	ReasonOtherNode:    {"evidence-of-other", 0, "evidence about another"},
	ReasonNotYet:       {"incarnation-to-come", 0, "of an incarnation that it cannot have"},
	ReasonForged:       {"statement-forged", 0, "a statement that its observer did not sign"},
	ReasonReached:      {"reached", 0, "an observer reaches it"},
	ReasonFewObserved:  {"no-majority", hasCount | hasShare, "{count} of {of} observers against it, {needed} needed"},
	ReasonSeatTaken:    {"seat-taken", 0, "this seat is taken"},
	ReasonPinned:       {"pinned", 0, "the list of seeds pins another key"},
	ReasonOldLife:      {"old-life", 0, "its old life is well"},
	ReasonMet:          {"met", 0, "met at its address, without a ledger"},
	ReasonLate:         {"late", 0, "no decision in time"},
	ReasonOutweighed:   {"outweighed", 0, "a majority of its observers is against it now"},
	ReasonOneReaches:   {"seed-reaches", 0, "a seed reaches it"},
	ReasonManyNo:       {"many-no", 0, "too many seeds say no"},
	ReasonLeft:         {"left", 0, "it has left"},
}

// reasonWords are the words of the reasons.
var reasonWords = func() (words []string) {
	for i := range reasons {
		words = append(words, reasons[i].word)
	}
	return words
}()

// String gives the reason's word.
func (r Reason) String() string { return word(reasonWords, int(r)) }

// MarshalText gives the form of String.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText takes the form of String.
func (r *Reason) UnmarshalText(text []byte) error {
	return parseWord("reason", reasonWords, text, (*uint8)(r))
}

// Why is a reason, and what is particular about it: what the reason does not have is zero.
type Why struct {
	Reason Reason         `json:"reason"`
	Addr   netip.AddrPort `json:"addr,omitzero"`
	Took   int64          `json:"took_ms,omitzero"` // milliseconds
	Until  int64          `json:"until,omitzero"`   // Unix milliseconds
	Count  int64          `json:"count,omitzero"`
	Of     int64          `json:"of,omitzero"`
	Needed int64          `json:"needed,omitzero"`
}

// IsZero reports whether there is no reason.
func (w Why) IsZero() bool { return w == Why{} }

// String says it to people.
func (w Why) String() string {
	if w.Reason == 0 || w.Reason >= NumReasons {
		return w.Reason.String()
	}
	return fillForm(reasons[w.Reason].form, func(field string) string {
		switch field {
		case "addr":
			return w.Addr.String()
		case "took":
			return (time.Duration(w.Took) * time.Millisecond).String()
		case "until":
			return time.UnixMilli(w.Until).UTC().Format(time.TimeOnly)
		case "count":
			return strconv.FormatInt(w.Count, 10)
		case "of":
			return strconv.FormatInt(w.Of, 10)
		}
		return strconv.FormatInt(w.Needed, 10)
	})
}

// fields are the names in JSON of what a Why of this reason has.
func (r Reason) fields() string {
	names := "reason"
	for _, one := range [...]struct {
		has   int
		names string
	}{{hasAddr, ", addr"}, {hasTook, ", took_ms"}, {hasUntil, ", until"}, {hasCount, ", count"}, {hasShare, ", of, needed"}} {
		if reasons[r].has&one.has != 0 {
			names += one.names
		}
	}
	return names
}

// numbers are those that a reason has, in the order of their canonical bytes.
func (w *Why) numbers() (of []*int64) {
	has := reasons[w.Reason].has
	for _, one := range [...]struct {
		has    int
		number *int64
	}{{hasTook, &w.Took}, {hasUntil, &w.Until}, {hasCount, &w.Count}, {hasShare, &w.Of}, {hasShare, &w.Needed}} {
		if has&one.has != 0 {
			of = append(of, one.number)
		}
	}
	return of
}

// AppendBinary appends the canonical bytes:
//
//	reason 1 · address 18, if it has one · 8 for each number that it has
func (w Why) AppendBinary(dst []byte) []byte {
	if w.Reason >= NumReasons {
		return append(dst, 0)
	}
	if dst = append(dst, byte(w.Reason)); reasons[w.Reason].has&hasAddr != 0 {
		dst = canonical.AppendAddr(dst, w.Addr)
	}
	for _, number := range w.numbers() {
		dst = binary.BigEndian.AppendUint64(dst, uint64(*number))
	}
	return dst
}

// ReadBinary takes the canonical bytes of a reason off r. If they are not, w is zero.
func (w *Why) ReadBinary(r *canonical.Reader) {
	*w = Why{Reason: Reason(r.Byte())}
	if w.Reason == 0 || w.Reason >= NumReasons {
		r.Fail()
		*w = Why{}
		return
	}
	if reasons[w.Reason].has&hasAddr != 0 {
		w.Addr = r.Addr()
	}
	for _, number := range w.numbers() {
		*number = int64(r.Uint64())
	}
	if r.Failed() {
		*w = Why{}
	}
}

// UnmarshalJSON takes a reason, and what that has.
func (w *Why) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return errors.New("a reason in words, as earlier versions had it: want an object with a \"reason\"")
	}
	type plain Why
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields() // the caller's decoder does not say whether it does
	*w = Why{}
	if err := strict.Decode((*plain)(w)); err != nil {
		return err
	}
	if string(data) == "null" {
		return nil // as if it were not there
	}
	if w.Reason == 0 {
		return errors.New("no reason: want an object with a \"reason\"")
	}
	if reasons[w.Reason].has&hasAddr != 0 && w.Addr.IsValid() {
		// nobody can be reached at it, or it has no such bytes
		if r := canonical.NewReader(canonical.AppendAddr(nil, w.Addr)); r.Addr() != w.Addr || r.Failed() {
			return fmt.Errorf("reason %q has address %v: want one of a node, as 10.0.0.1:7946 or [fd00::1]:7946", w.Reason, w.Addr)
		}
	}
	var same Why
	r := canonical.NewReader(w.AppendBinary(nil))
	if same.ReadBinary(&r); same != *w {
		return fmt.Errorf("reason %q has other fields: want %s", w.Reason, w.Reason.fields())
	}
	return nil
}
