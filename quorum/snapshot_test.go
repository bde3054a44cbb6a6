package quorum

import (
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/ledger"
)

// forge makes another state of the one that a seat has, with a ledger that it has made up.
var forgeries = []struct {
	name string
	make func(s *ledger.State, thief hearsay.Seat)
}{
	{"a later epoch", func(s *ledger.State, _ hearsay.Seat) { s.Epoch, s.Head = 100, hearsay.Hash{0x66} }},
	{"members gone", func(s *ledger.State, _ hearsay.Seat) {
		for _, m := range s.Members.All(nil) {
			s.Drop(m.Stay, nil, true)
		}
	}},
	{"everybody removed", func(s *ledger.State, _ hearsay.Seat) {
		for _, m := range s.Members.All(nil) {
			s.Drop(m.Stay, nil, true)
			s.Rule(&hearsay.Ruling{Kind: hearsay.RulingRemove, Stay: m.Stay, Key: m.Claim.Card.Key})
		}
	}},
	{"seats taken", func(s *ledger.State, thief hearsay.Seat) {
		for i := range s.Seats {
			if i != int(thief.Slot) {
				s.Seats[i].Key, s.Seats[i].Life[0] = thief.Key, s.Seats[i].Life[0]^0x55
			}
		}
	}},
	{"an earlier epoch", func(s *ledger.State, _ hearsay.Seat) { *s = *ledger.NewState(s.Network, newKeyed(9), s.Founding) }},
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
		s := ledger.ReadSnapshot(testNetwork, thief.signer, thief.q.state.AppendSnapshot(nil))
		of.make(s, thief.q.seat())
		data := s.AppendSnapshot(nil)
		last := thief.q.replica.log.last()
		own := hearsay.Head{Founding: s.Began, Epoch: s.Epoch, Hash: s.Head, Slot: uint8(thief.slot)}
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
	member := s.Members.All(nil)[0]
	gone := hearsay.Stay{ID: hearsay.NodeID{1}, Epoch: 1}
	for name, spoil := range map[string]func(s *ledger.State){
		"a removal of nobody": func(s *ledger.State) {
			s.Cases = []*ledger.Case{{ID: 1, Opening: ledger.Command{Op: ledger.OpRemove, Stay: gone}}}
		},
		"an admission of one in": func(s *ledger.State) {
			s.Cases = []*ledger.Case{{ID: 1, Opening: ledger.Command{Op: ledger.OpAdmit, Claim: member.Claim}}}
		},
		"no such seat": func(s *ledger.State) {
			s.Cases = []*ledger.Case{{ID: 1, Opening: ledger.Command{Op: ledger.OpSeat, Seat: hearsay.Seat{Slot: 3}}}}
		},
		"two cases about one": func(s *ledger.State) {
			of := ledger.Command{Op: ledger.OpRemove, Stay: member.Stay}
			s.Cases = []*ledger.Case{{ID: 1, Opening: of}, {ID: 2, Opening: of}}
		},
		"bars out of order":  func(s *ledger.State) { s.Barred = []hearsay.Bar{{ID: gone.ID}, {ID: gone.ID}} },
		"a bar that steers":  func(s *ledger.State) { s.Barred = []hearsay.Bar{{ID: gone.ID, Why: "\x1b[2J"}} },
		"limits of nothing":  func(s *ledger.State) { s.Usage.Limits = hearsay.Limits{} },
		"more than is spent": func(s *ledger.State) { s.Usage.Network.Spent = s.Usage.Most() + 1 },
		"more than a source spends": func(s *ledger.State) {
			s.Usage.Sources = []ledger.Spending{{Source: netip.MustParseAddr("10.0.0.9"), Spent: s.Usage.MostOfSource() + 1}}
		},
		"the end of time":       func(s *ledger.State) { s.Usage.Now = ledger.TimeMost + 1 },
		"written in the future": func(s *ledger.State) { s.Usage.Wrote[1].Then = s.Usage.Now + 1 },
		"said at the end of time": func(s *ledger.State) {
			s.Usage.Words[1] = hearsay.LimitsWord{Slot: 1, Limits: hearsay.DefaultLimits(), At: ledger.TimeMost + 1}
		},
		"spent in the future": func(s *ledger.State) { s.Usage.Network.At = s.Usage.Now + 1 },
		"another roster":      func(s *ledger.State) { s.Members.Remove(member.Stay.ID) },
		"another head":        func(s *ledger.State) { s.Head[0]++ },
		"another epoch":       func(s *ledger.State) { s.Epoch++ },
	} {
		other := ledger.ReadSnapshot(testNetwork, signer, s.AppendSnapshot(nil))
		if other == nil {
			t.Fatal("a snapshot of a seed is none")
		}
		if spoil(other); ledger.ReadSnapshot(testNetwork, signer, other.AppendSnapshot(nil)) != nil {
			t.Errorf("%s: it is taken for a snapshot", name)
		}
	}
}

// sameSnapshot is a snapshot of what a seed has itself, behind its log or with other members
// of that.
func sameSnapshot(q *Quorum, index uint64, config hearsay.LogConfig) hearsay.Raft {
	term, data := q.replica.node.BasicStatus().GetTerm()+1, q.state.AppendSnapshot(nil)
	return hearsay.Raft{Type: uint8(raftpb.MsgSnap), Term: term, Snapshot: &hearsay.LogSnapshot{
		Index: index, Term: term, Config: config, Size: uint32(len(data)), Data: data,
	}}
}

// Heads prove the ledger of a snapshot, and no more. One seat that sends each other seed what
// that has itself, with something else changed, keeps nobody from deciding: not by an index
// that leaves the log no room, not by members of the log that are nobody, not by what is spent.
func TestSnapshotOfTheSameLedger(t *testing.T) {
	voters := func(m *machine) hearsay.LogConfig { return logConfig(m.q.replica.log.config) }
	spoilt := func(m *machine, spoil func(b *ledger.Usage)) hearsay.Raft {
		s := ledger.ReadSnapshot(testNetwork, m.signer, m.q.state.AppendSnapshot(nil))
		spoil(&s.Usage)
		f := sameSnapshot(m.q, m.q.replica.log.last()+50, voters(m))
		f.Snapshot.Data = s.AppendSnapshot(nil)
		f.Snapshot.Size = uint32(len(f.Snapshot.Data))
		return f
	}
	for name, forged := range map[string]func(m, thief *machine) hearsay.Raft{
		"at the last index": func(m, _ *machine) hearsay.Raft { return sameSnapshot(m.q, indexMost, voters(m)) },
		"with a voter that is nobody": func(m, thief *machine) hearsay.Raft {
			return sameSnapshot(m.q, m.q.replica.log.last()+50, hearsay.LogConfig{Voters: []uint64{m.q.replica.id, thief.q.replica.id, 77}})
		},
		"of a network that has spent all": func(m, _ *machine) hearsay.Raft {
			return spoilt(m, func(b *ledger.Usage) { b.Network = ledger.Spending{Spent: 1 << 60, At: b.Now} })
		},
		"of the end of time": func(m, _ *machine) hearsay.Raft {
			return spoilt(m, func(b *ledger.Usage) { b.Now = math.MaxInt64; b.Network = ledger.Spending{Spent: b.Most(), At: b.Now} })
		},
		"with limits that are said for ever": func(m, _ *machine) hearsay.Raft {
			return spoilt(m, func(b *ledger.Usage) {
				b.Hold(hearsay.Limits{Members: 1, MembersOfSource: 1, Admissions: 1, SourceAdmissions: 1})
				for slot := range b.Words {
					b.Words[slot] = hearsay.LimitsWord{Slot: uint8(slot), Life: m.q.state.Seats[slot].Life, Limits: b.Limits, At: ledger.TimeMost}
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := followed(t, 81, 1)
			w.run(time.Second)
			slot, _ := w.machines[0].q.Leader()
			leader, thief, third := w.machines[slot], w.machines[(slot+1)%3], w.machines[(slot+2)%3]
			for _, m := range []*machine{leader, third} {
				w.forge(m, thief, forged(m, thief))
			}
			w.crash(thief) // and from now on it says nothing
			w.run(3 * time.Second)
			w.goOn(name, thief)
			for _, m := range []*machine{leader, third} {
				w.crash(m)
				w.start(m)
			}
			w.goOn(name+", after a start", thief)
		})
	}
}

// What a seat has said of limits for all time, with its own key, is what all seeds have. It keeps
// that seat's seed from no snapshot, and has it ask for nothing that cannot be.
func TestSnapshotWithLimitsSaidForEver(t *testing.T) {
	w := followed(t, 83, 1)
	w.run(time.Second)
	slot, _ := w.machines[0].q.Leader()
	leader, victim := w.machines[slot], w.machines[(slot+1)%3]
	word := hearsay.LimitsWord{Slot: uint8(victim.slot), Life: victim.q.life, Limits: hearsay.DefaultLimits(), At: ledger.TimeMost}
	word.Limits.Members = 7
	word.Sign(leader.q.Ledger(), victim.signer)
	entry := ledger.AppendEntry(nil, []ledger.Command{{Op: ledger.OpLimits, Limits: word}})
	w.forge(leader, victim, hearsay.Raft{Type: uint8(raftpb.MsgProp), Entries: []hearsay.LogEntry{{Data: entry}}})
	w.must(time.Second, "it is said", func() bool { return victim.q.state.Said(victim.slot) == word.Limits })
	w.run(time.Minute)
	index := leader.q.replica.log.last() + 50
	w.forge(victim, leader, sameSnapshot(leader.q, index, logConfig(leader.q.replica.log.config)))
	w.must(time.Second, "the snapshot is taken", func() bool { return victim.q.replica.log.applied >= index })
	if n := len(victim.q.asked); n > 0 {
		t.Errorf("it asks for %d things", n)
	}
}

// A snapshot may say for all time what the coming life of a seat says of limits, which nobody can verify yet. Once
// the seat is given, only what that life has signed counts.
func TestLimitsOfAComingLife(t *testing.T) {
	w := followed(t, 83, 1)
	w.run(time.Second)
	one := w.machines[2]
	coming := one.q.state.Seats[2]
	coming.Life = hearsay.Life{42}
	forged := hearsay.LimitsWord{Slot: 2, Life: coming.Life, Limits: hearsay.Limits{Members: 1, MembersOfSource: 1, Admissions: 1, SourceAdmissions: 1}, At: ledger.TimeMost}
	s := ledger.ReadSnapshot(testNetwork, one.signer, w.machines[0].q.state.AppendSnapshot(nil))
	s.Usage.Words[2] = forged
	c := &ledger.Case{ID: 1 << 20, Opening: ledger.Command{Op: ledger.OpSeat, Seat: coming}}
	s.Cases = append(s.Cases, c)
	for slot := range uint8(2) {
		c.Ballots = append(c.Ballots, hearsay.Ballot{Slot: slot, Verdict: hearsay.BallotYes})
	}
	if s.Decide(c, w.now.UnixMilli()); s.Seats[2] != coming {
		t.Fatalf("the seat has %+v", s.Seats[2])
	}
	own := hearsay.LimitsWord{Slot: 2, Life: coming.Life, Limits: hearsay.DefaultLimits(), At: w.now.UnixMilli()}
	own.Sign(s.Ledger(), one.signer)
	if s.Limit(&ledger.Command{Op: ledger.OpLimits, Limits: own}); s.Usage.Words[2] != own {
		t.Errorf("the seat has signed %+v, and %+v counts", own, s.Usage.Words[2])
	}
}

// A snapshot whose claims are verified in several steps may stop being proven between two of
// them, when somebody else sits in a seat. Then it waits until that is known, and takes no steps.
func TestHalfVerifiedSnapshotWaits(t *testing.T) {
	w := followed(t, 82, 12)
	w.run(time.Second)
	slot, _ := w.machines[0].q.Leader()
	m, other := w.machines[(slot+1)%3], w.machines[(slot+2)%3]
	f := sameSnapshot(m.q, m.q.replica.log.last()+50, logConfig(m.q.replica.log.config))
	m.q.signer = &rememberer{Signer: m.signer}
	w.forge(m, other, f)
	o := m.q.replica.offers[other.slot]
	if o == nil || o.verified.part == hearsay.RosterBuckets || o.restAt.IsZero() {
		t.Fatal("the claims of 12 members are verified in one step: the test shows nothing")
	}
	m.q.seats.known[slot].seat.Life[0]++
	w.now = o.restAt
	if m.q.Tick(w.now); !m.q.Deadline().After(w.now) {
		t.Error("another step is due at once, for ever")
	}
	m.q.seats.known[slot].seat.Life[0]--
	m.q.tryOffer(w.now, uint8(other.slot))
	for range 3 {
		w.now = w.now.Add(restEach)
		m.q.Tick(w.now)
	}
	if m.q.replica.offers[other.slot] != nil {
		t.Error("it is not gone on with")
	}
}

// A seed without a log is given one in which all vote that sit where they did at the founding.
func TestVotersOfNewSeed(t *testing.T) {
	w := followed(t, 51, 2)
	q, s := w.machines[0].q, w.machines[0].q.state
	ids := q.replica.log.config.GetVoters()
	q.replica.log.config = &raftpb.ConfState{}
	if !q.sitsInLog(s, &raftpb.ConfState{Voters: ids}) || q.sitsInLog(s, &raftpb.ConfState{Voters: []uint64{ids[0], ids[1], 77}}) {
		t.Error("all seats are as at the founding, and others vote")
	}
	s.Seats[2].Life[0]++ // its old life votes still
	if !q.sitsInLog(s, &raftpb.ConfState{Voters: ids}) || q.sitsInLog(s, &raftpb.ConfState{Voters: []uint64{ids[0], 77, ids[2]}}) {
		t.Error("one seat has changed, and another is nobody's")
	}
}

// Five seeds. One was away while another seat changed hands twice, and the second change is ruled,
// but not yet one of the log's members: the snapshot that brings it back has a voter that it does
// not know. One more that it does not know is nobody.
func TestSnapshotWithALifeInBetween(t *testing.T) {
	w := newWorld(t, 5, 51)
	w.startAll()
	w.must(10*time.Second, "founded", w.agree)
	q := w.machines[1].q
	s := ledger.ReadSnapshot(testNetwork, w.machines[1].signer, q.state.AppendSnapshot(nil))
	life := func(slot int, n byte) hearsay.Seat {
		seat := s.Seats[slot]
		seat.Life = hearsay.Life{n}
		return seat
	}
	between, now := life(2, 1), life(2, 2)
	voters := append([]uint64(nil), q.replica.log.config.GetVoters()...)
	at := slices.Index(voters, s.Seats[2].RaftID(testNetwork))
	voters[at] = between.RaftID(testNetwork)
	s.Seats[2] = now
	config := &raftpb.ConfState{Voters: voters, Learners: []uint64{now.RaftID(testNetwork)}}
	if !q.sitsInLog(s, config) {
		t.Error("a snapshot of a log that honest seeds come to is refused")
	}
	voters[(at+1)%5] = life(3, 3).RaftID(testNetwork)
	if q.sitsInLog(s, config) {
		t.Error("a snapshot is taken of which two voters are nobody, with one seat changed")
	}
}

// What would be larger than any snapshot is not waited for.
func TestSnapshotIsBounded(t *testing.T) {
	w := followed(t, 91, 1)
	m, thief := w.machines[0], w.machines[1]
	f := sameSnapshot(m.q, m.q.replica.log.last()+1, logConfig(m.q.replica.log.config))
	f.Snapshot.Size = uint32(m.q.snapshotMost() + 1)
	if w.forge(m, thief, f); m.q.replica.incoming[1] != nil || m.drops[hearsay.DropOversized] != 1 {
		t.Error("it waits for the rest of a snapshot that is too large")
	}
}

// A snapshot that heads do not prove is let go, and has no bytes while it waits.
func TestOffersAreLetGo(t *testing.T) {
	w := followed(t, 91, 2)
	m, thief := w.machines[0], w.machines[1]
	s := ledger.ReadSnapshot(testNetwork, m.signer, m.q.state.AppendSnapshot(nil))
	s.Members.Remove(w.people[0].id())
	s.Rule(&hearsay.Ruling{Kind: hearsay.RulingLeave, Stay: hearsay.Stay{ID: w.people[0].id(), Epoch: 1}})
	f := sameSnapshot(m.q, m.q.replica.log.last()+1, logConfig(m.q.replica.log.config))
	f.Snapshot.Data = s.AppendSnapshot(nil)
	f.Snapshot.Size = uint32(len(f.Snapshot.Data))
	if w.forge(m, thief, f); m.q.replica.offers[1] == nil || m.q.replica.offers[1].message.Snapshot.Data != nil {
		t.Fatal("the snapshot does not wait, or with its bytes")
	}
	w.run(2 * offerPatience)
	if m.q.replica.offers[1] != nil || m.q.Epoch() != 2 {
		t.Errorf("it waits for ever; at epoch %d", m.q.Epoch())
	}
}

// A snapshot whose claims are being verified is not begun anew with the next one that who leads sends.
func TestOfferIsVerifiedToItsEnd(t *testing.T) {
	w := followed(t, 92, 2)
	w.cfg.SnapshotEvery = 5
	for _, m := range w.machines {
		m.q.cfg.SnapshotEvery = 5
	}
	slot, _ := w.machines[0].q.Leader()
	leader, behind := w.machines[slot], w.machines[(slot+1)%3]
	w.crash(behind)
	for range 60 {
		w.newPerson()
	}
	w.must(time.Minute, "all are in", func() bool { return leader.q.Proven() == 62 })
	w.run(time.Second)
	w.start(behind)
	var o *offer
	w.must(20*time.Second, "a snapshot is being verified", func() bool {
		o = behind.q.replica.offers[slot]
		return o != nil && !o.restAt.IsZero()
	})
	again := sameSnapshot(leader.q, leader.q.replica.log.applied, logConfig(leader.q.replica.log.config))
	again.Term = o.message.GetTerm()
	again.Snapshot.Term = again.Term
	if w.forge(behind, leader, again); behind.q.replica.offers[slot] != o {
		t.Error("it is begun anew")
	}
	w.must(5*time.Second, "it is back", w.agree)
}
