package quorum

import (
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
)

// forge makes another state of the one that a seat has, with a ledger that it has made up.
var forgeries = []struct {
	name string
	make func(s *state, thief hearsay.Seat)
}{
	{"a later epoch", func(s *state, _ hearsay.Seat) { s.epoch, s.head = 100, hearsay.Hash{0x66} }},
	{"members gone", func(s *state, _ hearsay.Seat) {
		for _, m := range s.members.all(nil) {
			s.drop(m.Stay, nil, true)
		}
	}},
	{"everybody removed", func(s *state, _ hearsay.Seat) {
		for _, m := range s.members.all(nil) {
			s.drop(m.Stay, nil, true)
			s.rule(&hearsay.Ruling{Kind: hearsay.RulingRemove, Stay: m.Stay, Key: m.Claim.Card.Key})
		}
	}},
	{"seats taken", func(s *state, thief hearsay.Seat) {
		for i := range s.seats {
			if i != int(thief.Slot) {
				s.seats[i].Key, s.seats[i].Life[0] = thief.Key, s.seats[i].Life[0]^0x55
			}
		}
	}},
	{"an earlier epoch", func(s *state, _ hearsay.Seat) { *s = *newState(s.network, newKeyed(9), s.founding) }},
}

// One seat whose key lies sends what the log has come to, by its word. It removes nobody,
// and gives no seat: heads of a quorum prove a ledger.
func TestForgedSnapshot(t *testing.T) {
	for i, of := range forgeries {
		well := true
		w := followed(t, 43+uint64(i), 3)
		w.run(time.Second)
		thief := w.machines[2]
		epoch, head := w.machines[0].q.Epoch(), w.machines[0].q.Head()
		s := readSnapshot(testNetwork, thief.signer, thief.q.state.appendSnapshot(nil))
		of.make(s, thief.q.seat())
		data := s.appendSnapshot(nil)
		last := thief.q.replica.log.last()
		own := hearsay.Head{Founding: s.began, Epoch: s.epoch, Hash: s.head, Slot: uint8(thief.slot)}
		own.Sign(testNetwork, thief.signer)
		for _, m := range w.machines[:2] {
			term := m.q.replica.node.BasicStatus().GetTerm() + 1
			f := hearsay.Raft{
				Slot: uint8(thief.slot), Type: uint8(raftpb.MsgSnap), To: m.q.replica.id, From: thief.q.replica.id, Term: term, Founding: m.q.founding,
				Snapshot: &hearsay.LogSnapshot{Index: last + 1000, Term: term, Config: logConfig(thief.q.replica.log.config), Size: uint32(len(data)), Data: data},
			}
			f.Sign(testNetwork, thief.signer)
			w.step(m, func() { m.q.Receive(w.now, from(seedAddr(thief.slot), &f)) })
			w.step(m, func() {
				m.q.Receive(w.now, from(seedAddr(thief.slot), &hearsay.Rulings{Heads: []hearsay.Head{own}}))
			})
		}
		w.run(time.Second)
		for _, m := range w.machines[:2] {
			if m.q.Doomed() != "" || m.q.Epoch() != epoch || m.q.Head() != head || len(m.q.Roster(nil)) != 3 {
				well = false
				t.Errorf("%s: seed %d has epoch %d with %d members, and says %q", of.name, m.slot, m.q.Epoch(), len(m.q.Roster(nil)), m.q.Doomed())
			}
		}
		if !well {
			continue
		}
		w.newPerson()
		w.must(20*time.Second, of.name+": they go on", func() bool {
			a, b := w.machines[0].q, w.machines[1].q
			return a.Epoch() == epoch+1 && b.Epoch() == a.Epoch() && a.Head() == b.Head()
		})
	}
}

// A snapshot that apply could not have come to is none: it would stop a seed later.
func TestSnapshotThatCannotBe(t *testing.T) {
	w := followed(t, 51, 2)
	signer, s := w.machines[0].signer, w.machines[0].q.state
	member := s.members.all(nil)[0]
	gone := hearsay.Stay{ID: hearsay.NodeID{1}, Epoch: 1}
	for name, spoil := range map[string]func(s *state){
		"a removal of nobody":    func(s *state) { s.cases = []*openCase{{id: 1, opening: command{op: opRemove, stay: gone}}} },
		"an admission of one in": func(s *state) { s.cases = []*openCase{{id: 1, opening: command{op: opAdmit, claim: member.Claim}}} },
		"no such seat": func(s *state) {
			s.cases = []*openCase{{id: 1, opening: command{op: opSeat, seat: hearsay.Seat{Slot: 3}}}}
		},
		"two cases about one": func(s *state) {
			of := command{op: opRemove, stay: member.Stay}
			s.cases = []*openCase{{id: 1, opening: of}, {id: 2, opening: of}}
		},
		"bars out of order":   func(s *state) { s.barred = []hearsay.Bar{{ID: gone.ID}, {ID: gone.ID}} },
		"a bar that steers":   func(s *state) { s.barred = []hearsay.Bar{{ID: gone.ID, Why: "\x1b[2J"}} },
		"limits of nothing":   func(s *state) { s.bounds.limits = hearsay.Limits{} },
		"spent in the future": func(s *state) { s.bounds.network.at = s.bounds.now + 1 },
		"another roster":      func(s *state) { s.members.remove(member.Stay.ID) },
		"another head":        func(s *state) { s.head[0]++ },
		"another epoch":       func(s *state) { s.epoch++ },
	} {
		other := readSnapshot(testNetwork, signer, s.appendSnapshot(nil))
		if other == nil {
			t.Fatal("a snapshot of a seed is none")
		}
		if spoil(other); readSnapshot(testNetwork, signer, other.appendSnapshot(nil)) != nil {
			t.Errorf("%s: it is taken for a snapshot", name)
		}
	}
}
