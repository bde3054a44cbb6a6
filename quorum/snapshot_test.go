package quorum

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
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
		w.Run(time.Second)
		thief := w.Machines[2]
		epoch, head := w.Machines[0].Q.Epoch(), w.Machines[0].Q.Head()
		s := ledger.ReadSnapshot(testNetwork, thief.Signer, thief.Q.state.AppendSnapshot(nil))
		of.make(s, thief.Q.seat())
		data := s.AppendSnapshot(nil)
		last := thief.Q.replica.log.last()
		own := hearsay.Head{Founding: s.Began, Epoch: s.Epoch, Hash: s.Head, Slot: uint8(thief.Slot)}
		own.Sign(testNetwork, thief.Signer)
		for _, m := range w.Machines[:2] {
			term := m.Q.replica.node.BasicStatus().GetTerm() + 1
			f := core.Raft{
				Versions: ledger.Versions(), Slot: uint8(thief.Slot), Type: uint8(raftpb.MsgSnap), To: m.Q.replica.id, From: thief.Q.replica.id, Term: term, Founding: m.Q.founding,
				Snapshot: &core.LogSnapshot{Index: last + 1000, Term: term, Config: logConfig(thief.Q.replica.log.config), Size: uint32(len(data)), Data: data},
			}
			f.Sign(testNetwork, thief.Signer)
			w.Step(m, func() { m.Q.Receive(w.Now, from(seedAddr(thief.Slot), &f)) })
			w.Step(m, func() {
				m.Q.Receive(w.Now, from(seedAddr(thief.Slot), &core.Rulings{Heads: []hearsay.Head{own}}))
			})
		}
		w.Run(time.Second)
		for _, m := range w.Machines[:2] {
			if m.Q.MustStop() != "" || m.Q.Epoch() != epoch || m.Q.Head() != head || len(m.Q.Roster(nil)) != 3 {
				well = false
				t.Errorf("%s: seed %d has epoch %d with %d members, and says %q", of.name, m.Slot, m.Q.Epoch(), len(m.Q.Roster(nil)), m.Q.MustStop())
			}
		}
		if !well {
			continue
		}
		w.NewPerson()
		w.Must(20*time.Second, of.name+": they go on", func() bool {
			a, b := w.Machines[0].Q, w.Machines[1].Q
			return a.Epoch() == epoch+1 && b.Epoch() == a.Epoch() && a.Head() == b.Head()
		})
	}
}

// A snapshot that apply could not have come to is none: it would stop a seed later.
func TestSnapshotThatCannotBe(t *testing.T) {
	w := followed(t, 51, 2)
	signer, s := w.Machines[0].Signer, w.Machines[0].Q.state
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
			s.Usage.Words[1] = core.LimitsWord{Slot: 1, Limits: hearsay.DefaultLimits(), At: ledger.TimeMost + 1}
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
func sameSnapshot(q *Quorum, index uint64, config core.LogConfig) core.Raft {
	term, data := q.replica.node.BasicStatus().GetTerm()+1, q.state.AppendSnapshot(nil)
	return core.Raft{Type: uint8(raftpb.MsgSnap), Term: term, Snapshot: &core.LogSnapshot{
		Index: index, Term: term, Config: config, Size: uint32(len(data)), Data: data,
	}}
}

// Heads prove the ledger of a snapshot, and no more. One seat that sends each other seed what
// that has itself, with something else changed, keeps nobody from deciding: not by an index
// that leaves the log no room, not by members of the log that are nobody, not by what is spent.
func TestSnapshotOfTheSameLedger(t *testing.T) {
	voters := func(m *machine) core.LogConfig { return logConfig(m.Q.replica.log.config) }
	spoilt := func(m *machine, spoil func(b *ledger.Usage)) core.Raft {
		s := ledger.ReadSnapshot(testNetwork, m.Signer, m.Q.state.AppendSnapshot(nil))
		spoil(&s.Usage)
		f := sameSnapshot(m.Q, m.Q.replica.log.last()+50, voters(m))
		f.Snapshot.Data = s.AppendSnapshot(nil)
		f.Snapshot.Size = uint32(len(f.Snapshot.Data))
		return f
	}
	for name, forged := range map[string]func(m, thief *machine) core.Raft{
		"at the last index": func(m, _ *machine) core.Raft { return sameSnapshot(m.Q, indexMost, voters(m)) },
		"with a voter that is nobody": func(m, thief *machine) core.Raft {
			return sameSnapshot(m.Q, m.Q.replica.log.last()+50, core.LogConfig{Voters: []uint64{m.Q.replica.id, thief.Q.replica.id, 77}})
		},
		"of a network that has spent all": func(m, _ *machine) core.Raft {
			return spoilt(m, func(b *ledger.Usage) { b.Network = ledger.Spending{Spent: 1 << 60, At: b.Now} })
		},
		"of the end of time": func(m, _ *machine) core.Raft {
			return spoilt(m, func(b *ledger.Usage) { b.Now = math.MaxInt64; b.Network = ledger.Spending{Spent: b.Most(), At: b.Now} })
		},
		"with limits that are said for ever": func(m, _ *machine) core.Raft {
			return spoilt(m, func(b *ledger.Usage) {
				b.Hold(hearsay.Limits{Members: 1, MembersOfSource: 1, Admissions: 1, SourceAdmissions: 1})
				for slot := range b.Words {
					b.Words[slot] = core.LimitsWord{Slot: uint8(slot), Life: m.Q.state.Seats[slot].Life, Limits: b.Limits, At: ledger.TimeMost}
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := followed(t, 81, 1)
			w.Run(time.Second)
			slot, _ := w.Machines[0].Q.Leader()
			leader, thief, third := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
			for _, m := range []*machine{leader, third} {
				w.forge(m, thief, forged(m, thief))
			}
			w.Crash(thief) // and from now on it says nothing
			w.Run(3 * time.Second)
			w.goOn(name, thief)
			for _, m := range []*machine{leader, third} {
				w.Crash(m)
				w.Start(m)
			}
			w.goOn(name+", after a start", thief)
		})
	}
}

// What a seat has said of limits for all time, with its own key, is what all seeds have. It keeps
// that seat's seed from no snapshot, and has it ask for nothing that cannot be.
func TestSnapshotWithLimitsSaidForEver(t *testing.T) {
	w := followed(t, 83, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	leader, victim := w.Machines[slot], w.Machines[(slot+1)%3]
	word := core.LimitsWord{Slot: uint8(victim.Slot), Life: victim.Q.life, Limits: hearsay.DefaultLimits(), At: ledger.TimeMost}
	word.Limits.Members = 7
	word.Sign(leader.Q.Ledger(), victim.Signer)
	entry := ledger.AppendEntry(nil, []ledger.Command{{Op: ledger.OpLimits, Limits: word}})
	w.forge(leader, victim, core.Raft{Type: uint8(raftpb.MsgProp), Entries: []core.LogEntry{{Data: entry}}})
	w.Must(time.Second, "it is said", func() bool { return victim.Q.state.Said(victim.Slot) == word.Limits })
	w.Run(time.Minute)
	index := leader.Q.replica.log.last() + 50
	w.forge(victim, leader, sameSnapshot(leader.Q, index, logConfig(leader.Q.replica.log.config)))
	w.Must(time.Second, "the snapshot is taken", func() bool { return victim.Q.replica.log.applied >= index })
	if n := len(victim.Q.requests.asked); n > 0 {
		t.Errorf("it asks for %d things", n)
	}
}

// A snapshot may say for all time what the coming life of a seat says of limits, which nobody can verify yet. Once
// the seat is given, only what that life has signed counts.
func TestLimitsOfAComingLife(t *testing.T) {
	w := followed(t, 83, 1)
	w.Run(time.Second)
	one := w.Machines[2]
	coming := one.Q.state.Seats[2]
	coming.Life = hearsay.Life{42}
	forged := core.LimitsWord{Slot: 2, Life: coming.Life, Limits: hearsay.Limits{Members: 1, MembersOfSource: 1, Admissions: 1, SourceAdmissions: 1}, At: ledger.TimeMost}
	s := ledger.ReadSnapshot(testNetwork, one.Signer, w.Machines[0].Q.state.AppendSnapshot(nil))
	s.Usage.Words[2] = forged
	c := &ledger.Case{ID: 1 << 20, Opening: ledger.Command{Op: ledger.OpSeat, Seat: coming}}
	s.Cases = append(s.Cases, c)
	for slot := range uint8(2) {
		c.Ballots = append(c.Ballots, hearsay.Ballot{Slot: slot, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}})
	}
	if s.Decide(c, w.Now.UnixMilli()); s.Seats[2] != coming {
		t.Fatalf("the seat has %+v", s.Seats[2])
	}
	own := core.LimitsWord{Slot: 2, Life: coming.Life, Limits: hearsay.DefaultLimits(), At: w.Now.UnixMilli()}
	own.Sign(s.Ledger(), one.Signer)
	if s.Limit(&ledger.Command{Op: ledger.OpLimits, Limits: own}); s.Usage.Words[2] != own {
		t.Errorf("the seat has signed %+v, and %+v counts", own, s.Usage.Words[2])
	}
}

// A snapshot whose claims are verified in several steps may stop being proven between two of
// them, when somebody else sits in a seat. Then it waits until that is known, and takes no steps.
func TestHalfVerifiedSnapshotWaits(t *testing.T) {
	w := followed(t, 82, 12)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	m, other := w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
	f := sameSnapshot(m.Q, m.Q.replica.log.last()+50, logConfig(m.Q.replica.log.config))
	m.Q.signer = &rememberer{Signer: m.Signer}
	w.forge(m, other, f)
	o := m.Q.replica.offers[other.Slot]
	if o == nil || o.verified.Part == core.RosterBuckets || o.restAt.IsZero() {
		t.Fatal("the claims of 12 members are verified in one step: the test shows nothing")
	}
	m.Q.seats.known[slot].seat.Life[0]++
	w.Now = o.restAt
	if m.Q.Tick(w.Now); !m.Q.Deadline().After(w.Now) {
		t.Error("another step is due at once, for ever")
	}
	m.Q.seats.known[slot].seat.Life[0]--
	m.Q.offers.tryOffer(w.Now, uint8(other.Slot))
	for range 3 {
		w.Now = w.Now.Add(ledger.RestEach)
		m.Q.Tick(w.Now)
	}
	if m.Q.replica.offers[other.Slot] != nil {
		t.Error("it is not gone on with")
	}
}

// A seed without a log is given one in which all vote that sit where they did at the founding.
func TestVotersOfNewSeed(t *testing.T) {
	w := followed(t, 51, 2)
	q, s := w.Machines[0].Q, w.Machines[0].Q.state
	ids := q.replica.log.config.GetVoters()
	q.replica.log.config = &raftpb.ConfState{}
	if !q.offers.sitsInLog(s, &raftpb.ConfState{Voters: ids}) || q.offers.sitsInLog(s, &raftpb.ConfState{Voters: []uint64{ids[0], ids[1], 77}}) {
		t.Error("all seats are as at the founding, and others vote")
	}
	s.Seats[2].Life[0]++ // its old life votes still
	if !q.offers.sitsInLog(s, &raftpb.ConfState{Voters: ids}) || q.offers.sitsInLog(s, &raftpb.ConfState{Voters: []uint64{ids[0], 77, ids[2]}}) {
		t.Error("one seat has changed, and another is nobody's")
	}
}

// Five seeds. One was away while another seat changed hands twice, and the second change is ruled,
// but not yet one of the log's members: the snapshot that brings it back has a voter that it does
// not know. One more that it does not know is nobody.
func TestSnapshotWithALifeInBetween(t *testing.T) {
	w := newWorld(t, 5, 51)
	w.StartAll()
	w.Must(10*time.Second, "founded", w.agree)
	q := w.Machines[1].Q
	s := ledger.ReadSnapshot(testNetwork, w.Machines[1].Signer, q.state.AppendSnapshot(nil))
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
	if !q.offers.sitsInLog(s, config) {
		t.Error("a snapshot of a log that honest seeds come to is refused")
	}
	voters[(at+1)%5] = life(3, 3).RaftID(testNetwork)
	if q.offers.sitsInLog(s, config) {
		t.Error("a snapshot is taken of which two voters are nobody, with one seat changed")
	}
}

// What would be larger than any snapshot is not waited for.
func TestSnapshotIsBounded(t *testing.T) {
	w := followed(t, 91, 1)
	m, thief := w.Machines[0], w.Machines[1]
	f := sameSnapshot(m.Q, m.Q.replica.log.last()+1, logConfig(m.Q.replica.log.config))
	f.Snapshot.Size = uint32(m.Q.offers.snapshotMost() + 1)
	if w.forge(m, thief, f); m.Q.replica.incoming[1] != nil || m.Drops[hearsay.DropOversized] != 1 {
		t.Error("it waits for the rest of a snapshot that is too large")
	}
}

// A snapshot that heads do not prove is let go, and has no bytes while it waits.
func TestOffersAreLetGo(t *testing.T) {
	w := followed(t, 91, 2)
	m, thief := w.Machines[0], w.Machines[1]
	s := ledger.ReadSnapshot(testNetwork, m.Signer, m.Q.state.AppendSnapshot(nil))
	s.Members.Remove(w.People[0].ID())
	s.Rule(&hearsay.Ruling{Kind: hearsay.RulingLeave, Stay: hearsay.Stay{ID: w.People[0].ID(), Epoch: 1}})
	f := sameSnapshot(m.Q, m.Q.replica.log.last()+1, logConfig(m.Q.replica.log.config))
	f.Snapshot.Data = s.AppendSnapshot(nil)
	f.Snapshot.Size = uint32(len(f.Snapshot.Data))
	if w.forge(m, thief, f); m.Q.replica.offers[1] == nil || m.Q.replica.offers[1].message.Snapshot.Data != nil {
		t.Fatal("the snapshot does not wait, or with its bytes")
	}
	w.Run(2 * offerPatience)
	if m.Q.replica.offers[1] != nil || m.Q.Epoch() != 2 {
		t.Errorf("it waits for ever; at epoch %d", m.Q.Epoch())
	}
}

// A snapshot whose claims are being verified is not begun anew with the next one that who leads sends.
func TestOfferIsVerifiedToItsEnd(t *testing.T) {
	w := followed(t, 92, 2)
	w.cfg.SnapshotEvery = 5
	for _, m := range w.Machines {
		m.Q.cfg.SnapshotEvery = 5
	}
	slot, _ := w.Machines[0].Q.Leader()
	leader, behind := w.Machines[slot], w.Machines[(slot+1)%3]
	w.Crash(behind)
	for range 60 {
		w.NewPerson()
	}
	w.Must(time.Minute, "all are in", func() bool { return leader.Q.Proven() == 62 })
	w.Run(time.Second)
	w.Start(behind)
	var o *offer
	w.Must(20*time.Second, "a snapshot is being verified", func() bool {
		o = behind.Q.replica.offers[slot]
		return o != nil && !o.restAt.IsZero()
	})
	again := sameSnapshot(leader.Q, leader.Q.replica.log.applied, logConfig(leader.Q.replica.log.config))
	again.Term = o.message.GetTerm()
	again.Snapshot.Term = again.Term
	if w.forge(behind, leader, again); behind.Q.replica.offers[slot] != o {
		t.Error("it is begun anew")
	}
	w.Must(5*time.Second, "it is back", w.agree)
}

// A seed that was away while bars were set and lifted, and is brought up by a snapshot, tells them: a command of an
// operator waits for that.
func TestSnapshotTellsBars(t *testing.T) {
	w := newWorld(t, 3, 52)
	w.cfg.SnapshotEvery = 5
	w.StartAll()
	w.Must(10*time.Second, "founded", w.agree)
	first, away := w.Machines[0], w.Machines[2]
	kept, lifted, set := hearsay.NodeID{1}, hearsay.NodeID{2}, hearsay.NodeID{3}
	w.Must(10*time.Second, "a quorum", func() bool { return first.Q.Ready() })
	w.Step(first, func() {
		first.Q.Bar(w.Now, kept, "it flaps")
		first.Q.Bar(w.Now, lifted, "it flaps")
	})
	w.Must(10*time.Second, "two are barred", func() bool { return len(away.Q.Barred(nil)) == 2 })
	last := away.Q.replica.log.last()
	w.cutOff(away.Slot)
	w.Must(20*time.Second, "a quorum of two", func() bool { return first.Q.Ready() && w.Machines[1].Q.Ready() })
	w.Step(first, func() {
		first.Q.Bar(w.Now, set, "it lies")
		first.Q.Lift(w.Now, lifted, "")
	})
	w.Must(10*time.Second, "others are barred", func() bool {
		bars := first.Q.Barred(nil)
		return len(bars) == 2 && bars[1].ID == set
	})
	for range 10 {
		w.NewPerson()
	}
	w.Must(30*time.Second, "a snapshot is needed", func() bool { return first.Q.replica.log.base > last && w.Machines[1].Q.replica.log.base > last })
	var told []string
	w.Teller = func(m *machine, e hearsay.Event) {
		if m == away && (e.Kind == hearsay.EventBarred || e.Kind == hearsay.EventLifted) {
			told = append(told, fmt.Sprintf("%s %d %q", e.Kind, e.Subject[0], e.Text))
		}
	}
	w.Cut = nil
	w.Must(30*time.Second, "it is brought up", w.agree)
	if want := []string{`lifted 2 ""`, `barred 3 "it lies"`}; !slices.Equal(told, want) {
		t.Errorf("it tells %q, want %q", told, want)
	}
}
