package quorumtest

import (
	"testing"

	"hearsay/internal/core"
)

// Reread sends a message through its canonical bytes.
func Reread(t testing.TB, body core.Message) core.Message {
	var r *core.Canonical
	var back core.Message
	switch m := body.(type) {
	case *core.SeatHello:
		r = core.NewCanonical(m.AppendBinary(nil))
		back = r.SeatHello()
	case *core.Raft:
		r = core.NewCanonical(m.AppendBinary(nil))
		back = r.Raft()
	case *core.Rulings:
		r = core.NewCanonical(m.AppendBinary(nil))
		back = r.Rulings()
	case *core.LedgerReq:
		r = core.NewCanonical(m.AppendBinary(nil))
		back = r.LedgerReq()
	case *core.RosterPart:
		r = core.NewCanonical(m.AppendBinary(nil))
		back = r.RosterPart()
	default:
		t.Fatalf("sends %T", body)
	}
	if r.Failed() || r.Left() > 0 {
		t.Fatalf("not canonical: %+v", body)
	}
	return back
}
