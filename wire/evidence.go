package wire

import (
	"encoding/binary"

	"hearsay"
	"hearsay/internal/core"
)

// appendRound writes what a witness is asked: about which member, in which round.
func appendRound(dst []byte, subject hearsay.NodeID, incarnation hearsay.Incarnation, round hearsay.Round) []byte {
	dst = append(dst, subject[:]...)
	dst = binary.AppendUvarint(dst, uint64(incarnation))
	return binary.BigEndian.AppendUint64(dst, uint64(round))
}

func readRound(r *reader) (hearsay.NodeID, hearsay.Incarnation, hearsay.Round) {
	return r.id(), hearsay.Incarnation(r.uvarint()), hearsay.Round(r.uint64())
}

// appendAnswer writes what an observer adds to the question.
func appendAnswer(dst []byte, s *hearsay.Statement) []byte {
	dst = append(dst, s.Observer[:]...)
	dst = append(dst, byte(s.Verdict))
	dst = binary.AppendUvarint(dst, uint64(s.At))
	return append(dst, s.Signature[:]...)
}

func readAnswer(r *reader, s *hearsay.Statement) {
	s.Observer = r.id()
	s.Verdict = hearsay.Verdict(r.byte())
	if s.Verdict < hearsay.VerdictReachable || s.Verdict > hearsay.VerdictAbstains {
		r.fail(hearsay.DropMalformed)
	}
	s.At = int64(r.uvarint())
	s.Signature = r.signature()
}

func appendEvidence(dst []byte, e *hearsay.Evidence) []byte {
	dst = appendRound(dst, e.Subject, e.Incarnation, e.Round)
	dst = append(dst, byte(e.Rule))
	dst = append(dst, e.Accuser[:]...)
	dst = binary.AppendUvarint(dst, uint64(e.Suspected))
	dst = binary.AppendUvarint(dst, uint64(e.Condemned))
	dst = append(dst, e.Observers, e.Needed)
	dst = binary.AppendUvarint(dst, uint64(len(e.Statements)))
	for i := range e.Statements {
		dst = appendAnswer(dst, &e.Statements[i])
	}
	return dst
}

func readEvidence(r *reader, e *hearsay.Evidence) {
	const answerSizeMin = 16 + 1 + 1 + 64
	e.Subject, e.Incarnation, e.Round = readRound(r)
	e.Rule = hearsay.Rule(r.byte())
	if e.Rule < hearsay.RuleMajority || e.Rule > hearsay.RuleTimeout {
		r.fail(hearsay.DropMalformed)
	}
	e.Accuser = r.id()
	e.Suspected, e.Condemned = int64(r.uvarint()), int64(r.uvarint())
	e.Observers, e.Needed = r.byte(), r.byte()
	e.Statements = resize(e.Statements, r.count(core.MaxStatements, answerSizeMin))
	for i := range e.Statements {
		s := &e.Statements[i]
		s.Subject, s.Incarnation, s.Round = e.Subject, e.Incarnation, e.Round
		readAnswer(r, s)
	}
}

// evidenceOf reads evidence into d's storage.
func (d *Decoder) evidenceOf(r *reader) *core.Evidence {
	if d.evidence.Evidence == nil {
		d.evidence.Evidence = &hearsay.Evidence{}
	}
	readEvidence(r, d.evidence.Evidence)
	return &d.evidence
}
