package quorum

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
)

// One seat that says of the log what is not so cannot have later rulings told as old.
func TestOneSeatMakesNoRulingOld(t *testing.T) {
	w := followed(t, 31, 4)
	before := make(map[hearsay.Epoch]bool)
	w.Teller = func(m *machine, e hearsay.Event) {
		if m == w.Machines[2] && e.Kind == hearsay.EventRuled {
			before[e.Epoch] = e.Before
		}
	}
	w.Crash(w.Machines[2])
	w.Start(w.Machines[2])
	liar, m := w.Machines[0], w.Machines[2]
	w.Step(m, func() {
		f := &core.Raft{
			Versions: ledger.Versions(), Slot: 0, From: liar.Q.replica.id, To: m.Q.replica.id, Type: uint8(raftpb.MsgApp), Term: liar.Q.replica.log.hard.GetTerm(),
			Index: m.Q.replica.log.last(), Commit: 1 << 40, Founding: liar.Q.founding,
		}
		f.LogTerm, _ = m.Q.replica.log.Term(f.Index)
		f.Sign(liar.Q.cfg.Network, liar.Q.plain)
		m.Q.Receive(w.Now, &core.Packet{Addr: seedAddr(0), Stream: true, Body: f})
	})
	w.Must(20*time.Second, "they follow", w.agree)
	w.Run(catchesUpMost)
	w.People[3].Up = false
	told := func() bool { _, is := before[5]; return is }
	w.Must(40*time.Second, "one is removed, and the seed tells of it", told)
	if before[5] {
		t.Error("what was ruled after its start is told as old")
	}
}
