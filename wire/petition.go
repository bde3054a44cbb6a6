package wire

import (
	"encoding/binary"
	"strings"
	"unicode"

	"hearsay"
	"hearsay/internal/core"
)

// The kinds of what is asked of seeds.
const (
	kindRegister kind = iota + 40
	kindReport
	kindDepart
	kindOutcome
)

// kindOfPetition gives the number of a message, or 0.
func kindOfPetition(m core.Message) kind {
	switch m.(type) {
	case *core.Register:
		return kindRegister
	case *core.Report:
		return kindReport
	case *core.Depart:
		return kindDepart
	case *core.Outcome:
		return kindOutcome
	}
	return 0
}

// appendPetition writes what is asked of seeds, and their answer, if it is that.
func appendPetition(dst []byte, m core.Message) (after []byte, ok bool) {
	switch m := m.(type) {
	case *core.Register:
	case *core.Report:
		dst = appendReport(dst, m)
	case *core.Depart:
		dst = append(appendStay(dst, m.Leave.Stay), m.Leave.Signature[:]...)
	case *core.Outcome:
		dst = appendStay(append(dst, byte(m.Kind)), m.Stay)
		dst = append(dst, byte(m.Code), m.Yes, m.Needed)
		text := plain(m.Text)
		dst = append(append(dst, byte(len(text))), text...)
		if m.Reason != 0 {
			dst = append(dst, byte(m.Reason))
		}
	default:
		return dst, false
	}
	return dst, true
}

// readPetition reads what appendPetition wrote, or gives nil if it is none.
func readPetition(r *reader, k kind) core.Message {
	switch k {
	case kindRegister:
		return &core.Register{}
	case kindReport:
		return readReport(r)
	case kindDepart:
		return &core.Depart{Leave: core.Leave{Stay: readStay(r), Signature: r.signature()}}
	case kindOutcome:
		return &core.Outcome{Outcome: readOutcome(r)}
	}
	return nil
}

// What a report has with it.
const (
	reportEvidence = 1 << iota
	reportSignature
)

func appendReport(dst []byte, m *core.Report) []byte {
	with := byte(0)
	if m.Evidence != nil {
		with |= reportEvidence
	}
	if m.Signature != (hearsay.Signature{}) {
		with |= reportSignature
	}
	dst = append(appendStay(dst, m.Stay), with)
	if m.Evidence != nil {
		dst = appendEvidence(dst, m.Evidence)
	}
	if with&reportSignature != 0 {
		dst = append(dst, m.Signature[:]...)
	}
	return dst
}

func readReport(r *reader) *core.Report {
	m := &core.Report{Stay: readStay(r)}
	with := r.byte()
	if with >= reportSignature<<1 {
		r.fail(hearsay.DropMalformed)
	}
	if with&reportEvidence != 0 {
		m.Evidence = &hearsay.Evidence{}
		readEvidence(r, m.Evidence)
	}
	if with&reportSignature != 0 {
		m.Signature = r.signature()
	}
	return m
}

// readOutcome refuses what nobody sends: an answer to what cannot be asked, a
// code that only a driver gives, and text that is not plain.
func readOutcome(r *reader) hearsay.Outcome {
	m := hearsay.Outcome{Kind: hearsay.RulingKind(r.byte()), Stay: readStay(r), Code: hearsay.OutcomeCode(r.byte()), Yes: r.byte(), Needed: r.byte()}
	n := int(r.byte())
	switch {
	case n > hearsay.MaxWhyLen:
		r.fail(hearsay.DropOversized)
	case m.Kind < hearsay.RulingAdmit || m.Kind > hearsay.RulingLeave || m.Code < hearsay.OutcomePending || m.Code > hearsay.OutcomeWait:
		r.fail(hearsay.DropMalformed)
	}
	if m.Text = string(r.take(n)); m.Text != plain(m.Text) {
		r.fail(hearsay.DropMalformed)
	}
	if r.left() > 0 {
		if m.Reason = hearsay.Reason(r.byte()); m.Reason >= hearsay.NumReasons {
			m.Reason = 0 // one of a later version: the text says it
		}
	}
	return m
}

// plain gives the text as it may be sent: short, and nothing in it that would
// move a terminal's cursor.
func plain(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), hearsay.MaxWhyLen)], "")
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
}

func appendStay(dst []byte, s hearsay.Stay) []byte {
	return binary.BigEndian.AppendUint64(append(dst, s.ID[:]...), uint64(s.Epoch))
}

func readStay(r *reader) hearsay.Stay {
	return hearsay.Stay{ID: r.id(), Epoch: hearsay.Epoch(r.uint64())}
}
