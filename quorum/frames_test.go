package quorum

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// forge gives a seed a message of the log that the seat in another slot has signed.
func (w *world) forge(m, by *machine, f core.Raft) {
	w.T.Helper()
	f.Versions = ledger.Versions()
	f.Slot, f.To, f.From, f.Founding = uint8(by.Slot), m.Q.replica.id, m.Q.seats.known[by.Slot].id, m.Q.founding
	f.Sign(testNetwork, by.Signer)
	w.Step(m, func() { m.Q.Receive(w.Now, from(seedAddr(by.Slot), quorumtest.Reread(w.T, &f))) })
}

// changing gives the data of an entry that changes the members of the log.
func changing(transition raftpb.ConfChangeTransition, changes ...*raftpb.ConfChangeSingle) []byte {
	data, err := proto.Marshal(&raftpb.ConfChangeV2{Transition: transition.Enum(), Changes: changes})
	if err != nil {
		panic(err)
	}
	return data
}

// frames gives messages that a seat may sign to do harm to a seed: each by name. The fields
// are as of that seed's log. Those of which fits is set are in the form of a correct one.
func frames(q *Quorum) map[string]core.Raft {
	log, status := q.replica.log, q.replica.node.BasicStatus()
	term, last := status.GetTerm(), log.last()
	lastTerm, _ := log.Term(last)
	voter := log.config.GetVoters()[0]
	entries := func(commit uint64, entries ...core.LogEntry) core.Raft {
		return core.Raft{Type: uint8(raftpb.MsgApp), Term: term + 1, Index: last, LogTerm: lastTerm, Commit: commit, Entries: entries}
	}
	change := func(kind raftpb.EntryType, data []byte) core.Raft {
		return entries(last+1, core.LogEntry{Index: last + 1, Term: term + 1, Type: uint8(kind), Data: data})
	}
	single := func(kind raftpb.ConfChangeType, id uint64) []byte {
		return changing(raftpb.ConfChangeTransitionAuto, single(kind, id)...)
	}
	snapshot := func(index uint64, config core.LogConfig) core.Raft {
		data := q.state.AppendSnapshot(nil)
		return core.Raft{Type: uint8(raftpb.MsgSnap), Term: term + 1, Snapshot: &core.LogSnapshot{
			Index: index, Term: term + 1, Config: config, Size: uint32(len(data)), Data: data,
		}}
	}
	return map[string]core.Raft{
		"the highest term":           {Type: uint8(raftpb.MsgHeartbeat), Term: math.MaxUint64},
		"a term that is too high":    {Type: uint8(raftpb.MsgHeartbeat), Term: termMost + 1},
		"a vote of the highest term": {Type: uint8(raftpb.MsgVote), Term: math.MaxUint64, Index: last + 5, LogTerm: term + 5, Context: []byte("CampaignTransfer")},
		"a term far ahead":           {Type: uint8(raftpb.MsgHeartbeat), Term: termMost},
		"a refusal from far ahead":   {Type: uint8(raftpb.MsgPreVoteResp), Term: termMost, Reject: true},
		"no term":                    {Type: uint8(raftpb.MsgVote), Index: last, LogTerm: term},
		"a heartbeat without a term": {Type: uint8(raftpb.MsgHeartbeat)},
		"a proposal of nothing":      {Type: uint8(raftpb.MsgProp)},
		"a proposal with a term":     {Type: uint8(raftpb.MsgProp), Term: term, Entries: []core.LogEntry{{Data: []byte{1}}}},
		"a proposal of junk":         {Type: uint8(raftpb.MsgProp), Entries: []core.LogEntry{{Data: []byte{255, 255}}}},
		"a proposed change":          {Type: uint8(raftpb.MsgProp), Entries: []core.LogEntry{{Type: uint8(raftpb.EntryConfChange), Data: []byte{255}}}},
		"a proposed change of today": {Type: uint8(raftpb.MsgProp), Entries: []core.LogEntry{{Type: uint8(raftpb.EntryConfChangeV2), Data: []byte{255}}}},
		"an unreadable change":       change(raftpb.EntryConfChangeV2, []byte{255, 255, 255}),
		"an old change":              change(raftpb.EntryConfChange, nil),
		"an unknown kind":            change(77, nil),
		"an unknown transition":      change(raftpb.EntryConfChangeV2, changing(9, &raftpb.ConfChangeSingle{})),
		"a joint change":             change(raftpb.EntryConfChangeV2, changing(raftpb.ConfChangeTransitionJointExplicit)),
		"an end of no joint change":  change(raftpb.EntryConfChangeV2, nil),
		"a voter less":               change(raftpb.EntryConfChangeV2, single(raftpb.ConfChangeRemoveNode, voter)),
		"a voter who learns":         change(raftpb.EntryConfChangeV2, single(raftpb.ConfChangeAddLearnerNode, voter)),
		"a stranger who learns":      change(raftpb.EntryConfChangeV2, single(raftpb.ConfChangeAddLearnerNode, 77)),
		"a stranger who votes":       change(raftpb.EntryConfChangeV2, single(raftpb.ConfChangeAddNode, 77)),
		"a commit beyond the log":    {Type: uint8(raftpb.MsgHeartbeat), Term: term + 1, Commit: last + 1000},
		"a gap":                      entries(last, core.LogEntry{Index: last + 7, Term: term + 1}, core.LogEntry{Index: 3, Term: 1}),
		"terms that fall":            entries(last, core.LogEntry{Index: last + 1, Term: term + 1}, core.LogEntry{Index: last + 2, Term: term}),
		"a term above the message's": entries(last, core.LogEntry{Index: last + 1, Term: termMost}),
		"entries before the first":   {Type: uint8(raftpb.MsgApp), Term: term + 1, Entries: []core.LogEntry{{Index: 1, Term: 1, Data: []byte{1}}}},
		"an entry of junk":           change(raftpb.EntryNormal, []byte{255, 255, 255}),
		"the last index":             {Type: uint8(raftpb.MsgApp), Term: term + 1, Index: math.MaxUint64, LogTerm: term, Entries: []core.LogEntry{{Term: term}}},
		"an acknowledgement":         {Type: uint8(raftpb.MsgAppResp), Term: term, Index: last + 1000},
		"a refusal of all":           {Type: uint8(raftpb.MsgAppResp), Term: term, Index: last, Reject: true},
		"a hint that is too high":    {Type: uint8(raftpb.MsgAppResp), Term: term, Index: last, LogTerm: term, RejectHint: math.MaxUint64, Reject: true},
		"no snapshot":                {Type: uint8(raftpb.MsgSnap), Term: term + 1},
		"a snapshot at the end":      snapshot(math.MaxUint64, logConfig(log.config)),
		"a snapshot without voters":  snapshot(last+1, core.LogConfig{Learners: log.config.GetVoters()}),
		"a snapshot of two kinds":    snapshot(last+1, core.LogConfig{Voters: log.config.GetVoters(), Learners: log.config.GetVoters()}),
		"a snapshot of nobody twice": snapshot(last+1, core.LogConfig{Voters: append([]uint64{0, 0}, log.config.GetVoters()...)}),
		"an order to stand":          {Type: uint8(raftpb.MsgTimeoutNow), Term: term},
		"an answer that nobody asks": {Type: uint8(raftpb.MsgReadIndexResp), Term: term, Index: math.MaxUint64, Entries: []core.LogEntry{{Data: make([]byte, freshNameBytes)}}},
		"all heartbeats heard":       {Type: uint8(raftpb.MsgHeartbeatResp), Term: term, Context: []byte{255, 255, 255, 255, 255, 255, 255, 255}},
	}
}

// goOn wants that the seeds but one are well, and that the network admits somebody.
func (w *world) goOn(what string, but *machine) {
	w.T.Helper()
	for _, m := range w.Machines {
		if m != but && m.Q.MustStop() != "" {
			w.T.Fatalf("%s: slot %d stops: %s", what, m.Slot, m.Q.MustStop())
		}
	}
	p := w.NewPerson()
	w.Must(30*time.Second, what+": somebody is admitted", func() bool { return w.In(p) })
}

// One key that signs whatever it likes stops no seed: not the leader, and no other, and
// they start again on what is on their disks.
func TestOneFrameStopsNobody(t *testing.T) {
	w := followed(t, 80, 1)
	for name := range frames(w.Machines[0].Q) {
		t.Run(name, func(t *testing.T) {
			w := followed(t, 81, 1)
			w.Run(time.Second)
			slot, _ := w.Machines[0].Q.Leader()
			leader, thief, third := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
			config := fmt.Sprint(leader.Q.replica.log.config)
			for _, m := range []*machine{leader, third} {
				w.forge(m, thief, frames(m.Q)[name])
			}
			w.Run(3 * time.Second)
			w.goOn(name, thief)
			if now := fmt.Sprint(leader.Q.replica.log.config); now != config {
				t.Errorf("the members of the log are %s, were %s", now, config)
			}
			for _, m := range []*machine{leader, third} {
				w.Crash(m)
				w.Start(m)
			}
			w.goOn(name+", after a start", thief)
		})
	}
}

// Status says of which seed such messages are.
func TestFaultsAreCounted(t *testing.T) {
	w := followed(t, 82, 1)
	m, thief := w.Machines[0], w.Machines[1]
	for range 2 {
		w.forge(m, thief, core.Raft{Type: uint8(raftpb.MsgProp)})
	}
	if _, note := m.Q.Note(w.Now, 1); !strings.HasPrefix(note, "has sent 2 messages of the log that no correct seed sends") || m.Drops[hearsay.DropMalformed] != 2 {
		t.Errorf("it says %q", note)
	}
	if _, note := m.Q.Note(w.Now, 2); note != "" {
		t.Errorf("of another it says %q", note)
	}
}

// A seed comes to a term that is far ahead of its own, as that of others that a liar has led
// there while it was away.
func TestFarTermIsReached(t *testing.T) {
	w := followed(t, 83, 1)
	away, thief := w.Machines[0], w.Machines[1]
	w.Run(time.Second)
	w.Wipe(away)
	for range 5 {
		w.forge(w.Machines[2], thief, core.Raft{Type: uint8(raftpb.MsgHeartbeat), Term: termMost})
		w.Run(time.Second)
	}
	if term := w.Machines[2].Q.replica.node.BasicStatus().GetTerm(); term < 5*termsAhead || term > 6*termsAhead {
		t.Fatalf("the term is %d", term)
	}
	w.Start(away)
	w.Must(30*time.Second, "it is back", func() bool { return w.agree() && away.Q.Ready() })
}

// A disk that has a term which no log comes to is said to be wrong, in a line. A recovery
// goes on without it.
func TestTermOnDisk(t *testing.T) {
	w := newWorld(t, 1, 84)
	w.StartAll()
	w.NewPerson()
	m := w.Machines[0]
	w.Must(5*time.Second, "one is in", func() bool { return w.agree() && m.Q.Epoch() == 1 })
	w.Run(time.Second)
	w.Crash(m)
	state := *m.Disk.Durable["state"].(*core.LogState)
	state.Term = math.MaxUint64
	m.Disk.Durable["state"] = &state
	cfg := w.cfg
	load := func() (*Quorum, error) {
		return New(cfg, m.Signer, w.Random, Directory{Sender: w.Sender}, m.Disk.Load(), &m.Stats, m.Out, w.Now)
	}
	if _, err := load(); err == nil || !strings.Contains(err.Error(), "is of term 18446744073709551615") || strings.Contains(err.Error(), "\n") {
		t.Errorf("it says %v", err)
	}
	cfg.Recover = true
	q, err := load()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Recover(w.Now); err != nil || q.Epoch() != 2 || !q.Ready() {
		t.Errorf("it is at epoch %d: %v", q.Epoch(), err)
	}
}

// fuzzed reads messages from bytes: of each number either what it is likely to matter at,
// or any.
type fuzzed struct{ data []byte }

func (z *fuzzed) byte() byte {
	if len(z.data) == 0 {
		return 0
	}
	b := z.data[0]
	z.data = z.data[1:]
	return b
}

func (z *fuzzed) number(near ...uint64) uint64 {
	switch b := int(z.byte()); {
	case b < 160:
		return near[b%len(near)]
	case b < 200:
		return near[b%len(near)] + uint64(int64(int8(z.byte())))
	}
	var all [8]byte
	z.data = z.data[copy(all[:], z.data):]
	return binary.BigEndian.Uint64(all[:])
}

func (z *fuzzed) bytes() []byte {
	n := min(int(z.byte()), len(z.data))
	data := z.data[:n]
	z.data = z.data[n:]
	return data
}

func (z *fuzzed) frame(q *Quorum) (f core.Raft) {
	log, status := q.replica.log, q.replica.node.BasicStatus()
	term, last := status.GetTerm(), log.last()
	lastTerm, _ := log.Term(last)
	f.Type = z.byte() % uint8(len(raftpb.MessageType_name)+1)
	f.Term = z.number(term, term+1, 0, math.MaxUint64)
	f.Index, f.LogTerm, f.Commit = z.number(last, 0, last+1), z.number(lastTerm, 0, term), z.number(last, last+1, 0)
	f.RejectHint, f.Reject, f.Vote = z.number(0, last), z.byte()%2 == 1, z.number(0)
	for i := range uint64(z.byte() % 4) {
		f.Entries = append(f.Entries, core.LogEntry{
			Index: z.number(last+1+i, last+2+i), Term: z.number(term+1, term), Type: z.byte() % 4, Data: z.bytes(),
		})
	}
	f.Context = z.bytes()
	if z.byte()%4 == 1 {
		ids := log.config.GetVoters()
		data := z.bytes()
		f.Snapshot = &core.LogSnapshot{Index: z.number(last+1, last), Term: z.number(term, term+1), Size: uint32(len(data)), Data: data}
		f.Snapshot.Config.Voters = ids[:min(len(ids), int(z.byte()))]
		f.Snapshot.Config.Learners = ids[:min(len(ids), int(z.byte()))]
	}
	return f
}

// own is a snapshot of what a seed has itself, with something else changed than the ledger: at
// another place in the log, with other members of that, at another time, or with more spent than
// can be. What the log can come to is that seat's word, and is left as it is.
func (z *fuzzed) own(m, thief *machine) core.Raft {
	s, log := ledger.ReadSnapshot(testNetwork, m.Signer, m.Q.state.AppendSnapshot(nil)), m.Q.replica.log
	index := z.number(log.last()+50, log.last(), log.last()+1, indexMost, s.Place()+placeAhead, s.Place()+placeAhead+1)
	config := logConfig(log.config)
	config.Voters = slices.Clone(config.Voters)
	for i := range config.Voters {
		config.Voters[i] = z.number(config.Voters[i], thief.Q.replica.id, 77)
	}
	for range z.byte() % 3 {
		config.Learners = append(config.Learners, z.number(77, 78))
	}
	b := &s.Usage
	if spent := int64(z.number(uint64(b.Network.Spent), 1<<60)); spent < 0 || spent > b.Most() {
		b.Network = ledger.Spending{Spent: spent, At: b.Now}
	}
	b.Now = int64(z.number(uint64(b.Now), math.MaxInt64, ledger.TimeMost))
	for slot := range b.Words {
		if at := int64(z.number(0, ledger.TimeMost, ledger.TimeMost/2+1)); at > 0 {
			b.Words[slot] = core.LimitsWord{Slot: uint8(slot), Life: s.Seats[slot].Life, Limits: b.Limits, At: at}
		}
	}
	f := sameSnapshot(m.Q, index, config)
	f.Snapshot.Data = s.AppendSnapshot(nil)
	f.Snapshot.Size = uint32(len(f.Snapshot.Data))
	return f
}

// Whatever one seat signs: no seed panics, none but itself stops, and the network goes on. It
// sends one or two messages, either the same to both others, or each a snapshot of its own. Entries of one
// place that differ are left out: a seat that says that it leads can have those decided.
func FuzzRaftFrame(f *testing.F) {
	const prop, app, beat, ack = uint8(raftpb.MsgProp), uint8(raftpb.MsgApp), uint8(raftpb.MsgHeartbeat), uint8(raftpb.MsgAppResp)
	change := changing(raftpb.ConfChangeTransitionAuto, single(raftpb.ConfChangeRemoveNode, 77)...)
	f.Add([]byte{beat, 3})                                                        // the highest term
	f.Add([]byte{prop, 2, 1, 1})                                                  // a proposal of nothing
	f.Add([]byte{app, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 2, 3, 255, 255, 255})         // a change that cannot be read
	f.Add([]byte{beat, 1, 1, 1, 160, 100})                                        // a commit beyond the log
	f.Add([]byte{app, 1, 0, 0, 0, 0, 0, 0, 2, 160, 6, 0, 0, 0, 160, 200, 160, 0}) // a gap
	// an acknowledgement of what is not there
	f.Add([]byte{ack, 0, 160, 100})
	f.Add(append([]byte{app, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 2, byte(len(change))}, change...))
	f.Add([]byte{255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3})          // the last index
	f.Add([]byte{255, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2}) // voters that are nobody, each other ones
	f.Add([]byte{255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0})                // all is spent, at one of them
	f.Add([]byte{255, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1})                // the end of time
	f.Add([]byte{255, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0})                // its own limits said for all time, at one of them
	f.Fuzz(func(t *testing.T, data []byte) {
		w := followed(t, 90, 1)
		w.Run(time.Second)
		slot, _ := w.Machines[0].Q.Leader()
		leader, thief, third := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
		z := fuzzed{data}
		for round := 0; round < 2 && len(z.data) > 0; round++ {
			var frame core.Raft
			own := z.data[0] == 255
			if own {
				z.byte()
			} else {
				frame = z.frame(leader.Q)
			}
			for _, m := range []*machine{leader, third} {
				if own {
					frame = z.own(m, thief)
				}
				w.forge(m, thief, frame)
			}
			w.Run(time.Second)
		}
		w.goOn("then", thief)
	})
}

// One that says that it leads, and takes back what it was acknowledged in the same term, does not
// stop a seed with that seed's own acknowledgement.
func TestLeaderTakesBack(t *testing.T) {
	w := followed(t, 84, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	leader, thief, third := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
	for _, m := range []*machine{leader, third} {
		log := m.Q.replica.log
		last, term := log.last(), m.Q.replica.node.BasicStatus().GetTerm()+1
		before, _ := log.Term(last)
		given := core.Raft{Type: uint8(raftpb.MsgApp), Term: term, Index: last, LogTerm: before, Commit: last}
		for i := range uint64(3) {
			given.Entries = append(given.Entries, core.LogEntry{Index: last + 1 + i, Term: before})
		}
		var acked *core.Raft
		w.Stepped = func(of *machine, out *core.Effects) {
			for _, sent := range out.Send {
				if f, is := sent.Body.(*core.Raft); is && of == m && f.Type == uint8(raftpb.MsgAppResp) && !f.Reject && f.Index == last+3 {
					acked = quorumtest.Reread(t, f).(*core.Raft)
				}
			}
		}
		w.forge(m, thief, given)
		if w.Stepped = nil; acked == nil {
			t.Fatal("it acknowledges nothing")
		}
		given.Entries = []core.LogEntry{{Index: last + 1, Term: term}}
		w.forge(m, thief, given)
		w.Step(m, func() { m.Q.Receive(w.Now, from(seedAddr(thief.Slot), acked)) })
		if fork := m.Q.Fork(); log.last() != last+1 || fork != nil || m.Q.MustStop() != "" {
			t.Errorf("slot %d: the log ends with %d, it knows %+v, and says %q", m.Slot, log.last(), fork, m.Q.MustStop())
		}
	}
	w.goOn("an acknowledgement that was taken back", thief)
}

// A seat that does not lead ends no case for lack of time, and has no other seed stand for
// election.
func TestOnlyTheLeaderEndsCases(t *testing.T) {
	w := followed(t, 90, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	leader, thief, third := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
	term := leader.Q.replica.node.BasicStatus().GetTerm()
	w.Flood(5*time.Millisecond, func() {
		w.forge(third, thief, core.Raft{Type: uint8(raftpb.MsgTimeoutNow), Term: third.Q.replica.node.BasicStatus().GetTerm()})
		for _, c := range leader.Q.state.Cases {
			data := ledger.AppendEntry(nil, []ledger.Command{{Op: ledger.OpExpire, At: w.Now.UnixMilli(), Proposer: uint8(slot), CaseID: c.ID}})
			w.forge(leader, thief, core.Raft{Type: uint8(raftpb.MsgProp), Entries: []core.LogEntry{{Data: data}}})
		}
	})
	p := w.NewPerson()
	w.Must(10*time.Second, "somebody is admitted", func() bool { return w.In(p) })
	if now := leader.Q.replica.node.BasicStatus().GetTerm(); w.Aborts > 0 || now != term {
		t.Errorf("%d cases were ended, and the term is %d, was %d", w.Aborts, now, term)
	}
}

// Of a snapshot of which no more comes nothing is kept.
func TestPartsAreLetGo(t *testing.T) {
	w := followed(t, 91, 1)
	m, thief := w.Machines[0], w.Machines[1]
	f := sameSnapshot(m.Q, m.Q.replica.log.last()+1, logConfig(m.Q.replica.log.config))
	f.Snapshot.Size++
	if w.forge(m, thief, f); m.Q.replica.incoming[1] == nil {
		t.Fatal("a part of a snapshot is not kept")
	}
	w.Run(partPatience / 2)
	if m.Q.replica.incoming[1] == nil {
		t.Error("a slow line never brings a snapshot whole")
	}
	w.Run(partPatience)
	if m.Q.replica.incoming[1] != nil {
		t.Error("it waits for the rest for ever")
	}
}

// A seed that leads and lies hands over, and tells the third one, before the new leader does, an
// entry of the term that ends. That blames nobody, and what the third one has acknowledged by that
// stops it neither.
func TestLiarHandsOver(t *testing.T) {
	w := followed(t, 81, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	liar, honest, victim := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
	log := victim.Q.replica.log
	term, last := victim.Q.replica.node.BasicStatus().GetTerm(), log.last()
	lastTerm, _ := log.Term(last)
	var acked *core.Raft
	w.Stepped = func(m *machine, out *core.Effects) {
		for i := range out.Send {
			if f, is := out.Send[i].Body.(*core.Raft); is && m == victim && f.Type == uint8(raftpb.MsgAppResp) && !f.Reject && f.Index == last+5 {
				acked = quorumtest.Reread(t, f).(*core.Raft)
			}
		}
	}
	w.forge(honest, liar, core.Raft{Type: uint8(raftpb.MsgTimeoutNow), Term: term})
	var entries []core.LogEntry
	for i := range uint64(5) {
		entries = append(entries, core.LogEntry{Index: last + 1 + i, Term: term, Data: ledger.AppendEntry(nil, nil)})
	}
	w.forge(victim, liar, core.Raft{Type: uint8(raftpb.MsgApp), Term: term + 1, Index: last, LogTerm: lastTerm, Commit: last, Entries: entries})
	w.Run(2 * time.Second)
	w.Stepped = nil
	if acked == nil || !honest.Q.replica.leads() {
		t.Fatal("the honest seed does not lead, or the other has acknowledged nothing")
	}
	w.Step(victim, func() { victim.Q.Receive(w.Now, from(seedAddr(liar.Slot), acked)) })
	p := w.NewPerson()
	w.Must(20*time.Second, "the two that are honest go on", func() bool { return w.In(p) && victim.Q.Epoch() == honest.Q.Epoch() })
	w.forge(victim, liar, core.Raft{Type: uint8(raftpb.MsgHeartbeat), Term: victim.Q.replica.node.BasicStatus().GetTerm(), Commit: log.last() + 1000})
	if why := victim.Q.MustStop(); why != "" {
		t.Errorf("the third one stops: %s", why)
	}
}

// A seed that knows that a quorum has signed more than it has is stopped by no ruling that one
// seat has made up.
func TestRulingOfOneSeatStopsNobody(t *testing.T) {
	w := followed(t, 81, 3)
	w.Run(time.Second)
	m, liar, other := w.Machines[0], w.Machines[1], w.Machines[2]
	made := &hearsay.Ruling{Epoch: m.Q.state.Epoch + 1, Kind: hearsay.RulingLeave, Previous: m.Q.state.Head, Case: hearsay.CaseID(2 * hearsay.CasesAnEntry)}
	head := func(by *machine, hash hearsay.Hash) hearsay.Head {
		h := hearsay.Head{Founding: m.Q.founding, Epoch: made.Epoch, Hash: hash, Slot: uint8(by.Slot)}
		h.Sign(testNetwork, by.Signer)
		return h
	}
	w.Step(m, func() {
		m.Q.Receive(w.Now, from(seedAddr(liar.Slot), &core.Rulings{
			Heads: []hearsay.Head{head(other, hearsay.Hash{1}), head(liar, made.Hash(testNetwork))}, Items: []*hearsay.Ruling{made},
		}))
	})
	if !m.Q.progress.behind() {
		t.Fatal("it is not behind")
	}
	if why := m.Q.MustStop(); why != "" {
		t.Errorf("it stops: %s", why)
	}
}
