package agent

import (
	"encoding/binary"
	"net/netip"
	"time"

	"hearsay"
)

// An event in the hub, which never leaves the process:
//
//	length    uvarint, of what follows
//	kind      1
//	at        varint, nanoseconds since the hub began
//	fields    uvarint, one bit for each field below that is not zero
//	each such field, in this order; names and text with their length before
//	them; an incarnation, which is about a time in Unix milliseconds, as a
//	varint of how much later than the hub that is; evidence, rumor, ballot
//	and ruling kept apart
const (
	fieldSubject = 1 << iota
	fieldName
	fieldBy
	fieldByName
	fieldState
	fieldIncarnation
	fieldAddr
	fieldRound
	fieldVerdict
	fieldRule
	fieldCount
	fieldHeard
	fieldTook
	fieldText
	fieldCase
	fieldEpoch
	fieldOutcome
	fieldReason
	fieldPast   // the field is all of it
	fieldBefore // likewise
	fieldCutOff
)

// appendEvent appends e, but for what it points to, with its length before it.
func appendEvent(dst []byte, began time.Time, e *hearsay.Event) []byte {
	var room [256]byte
	b := append(room[:0], byte(e.Kind))
	b = binary.AppendVarint(b, e.At.UnixNano()-began.UnixNano())
	b = binary.AppendUvarint(b, fieldsOf(e))
	if !e.Subject.IsZero() {
		b = append(b, e.Subject[:]...)
	}
	b = appendText(b, e.Name)
	if !e.By.IsZero() {
		b = append(b, e.By[:]...)
	}
	b = appendText(b, e.ByName)
	b = appendNumber(b, uint64(e.State))
	if e.Incarnation != 0 {
		b = binary.AppendVarint(b, int64(e.Incarnation)-began.UnixMilli())
	}
	if e.Addr.IsValid() {
		addr, _ := e.Addr.MarshalBinary() // never fails
		b = appendText(b, string(addr))
	}
	b = appendNumber(b, uint64(e.Round))
	b = appendNumber(b, uint64(e.Verdict))
	b = appendNumber(b, uint64(e.Rule))
	b = appendNumber(b, uint64(e.Count))
	b = appendNumber(b, uint64(e.Heard))
	b = appendNumber(b, uint64(e.Took))
	b = appendText(b, e.Text)
	b = appendNumber(b, uint64(e.Case))
	b = appendNumber(b, uint64(e.Epoch))
	b = appendNumber(b, uint64(e.Outcome))
	b = appendNumber(b, uint64(e.Reason))
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func fieldsOf(e *hearsay.Event) (fields uint64) {
	for i, set := range []bool{
		!e.Subject.IsZero(), e.Name != "", !e.By.IsZero(), e.ByName != "", e.State != 0, e.Incarnation != 0,
		e.Addr.IsValid(), e.Round != 0, e.Verdict != 0, e.Rule != 0, e.Count != 0, e.Heard != 0, e.Took != 0, e.Text != "",
		e.Case != 0, e.Epoch != 0, e.Outcome != 0, e.Reason != 0, e.Past, e.Before, e.CutOff,
	} {
		if set {
			fields |= 1 << i
		}
	}
	return fields
}

func appendText(b []byte, s string) []byte {
	if s == "" {
		return b
	}
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendNumber(b []byte, n uint64) []byte {
	if n == 0 {
		return b
	}
	return binary.AppendUvarint(b, n)
}

// skipEvent gives what follows the first event of b.
func skipEvent(b []byte) []byte {
	n, size := binary.Uvarint(b)
	return b[size+int(n):]
}

// decodeEvent gives the first event of b.
func decodeEvent(b []byte, began time.Time) (e hearsay.Event) {
	_, size := binary.Uvarint(b)
	r := eventReader{b: b[size:]}
	e.Kind = hearsay.EventKind(r.b[0])
	r.b = r.b[1:]
	at, size := binary.Varint(r.b)
	r.b = r.b[size:]
	e.At = time.Unix(0, began.UnixNano()+at)
	r.fields, size = binary.Uvarint(r.b)
	r.b = r.b[size:]
	e.Subject = r.id(fieldSubject)
	e.Name = r.text(fieldName)
	e.By = r.id(fieldBy)
	e.ByName = r.text(fieldByName)
	e.State = hearsay.State(r.number(fieldState))
	if r.fields&fieldIncarnation != 0 {
		later, size := binary.Varint(r.b)
		r.b = r.b[size:]
		e.Incarnation = hearsay.Incarnation(began.UnixMilli() + later)
	}
	if addr := r.text(fieldAddr); addr != "" {
		var a netip.AddrPort
		a.UnmarshalBinary([]byte(addr)) // appendEvent wrote it
		e.Addr = a
	}
	e.Round = hearsay.Round(r.number(fieldRound))
	e.Verdict = hearsay.Verdict(r.number(fieldVerdict))
	e.Rule = hearsay.Rule(r.number(fieldRule))
	e.Count = int(r.number(fieldCount))
	e.Heard = int(r.number(fieldHeard))
	e.Took = time.Duration(r.number(fieldTook))
	e.Text = r.text(fieldText)
	e.Case = hearsay.CaseID(r.number(fieldCase))
	e.Epoch = hearsay.Epoch(r.number(fieldEpoch))
	e.Outcome = hearsay.OutcomeCode(r.number(fieldOutcome))
	e.Reason = hearsay.Reason(r.number(fieldReason))
	e.Past = r.fields&fieldPast != 0
	e.Before = r.fields&fieldBefore != 0
	e.CutOff = r.fields&fieldCutOff != 0
	return e
}

// eventReader reads the fields that are there; the others are zero.
type eventReader struct {
	b      []byte
	fields uint64
}

func (r *eventReader) id(field uint64) (id hearsay.NodeID) {
	if r.fields&field != 0 {
		r.b = r.b[copy(id[:], r.b):]
	}
	return id
}

func (r *eventReader) number(field uint64) (n uint64) {
	if r.fields&field != 0 {
		var size int
		n, size = binary.Uvarint(r.b)
		r.b = r.b[size:]
	}
	return n
}

func (r *eventReader) text(field uint64) string {
	n := r.number(field)
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
