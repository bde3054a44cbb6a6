package abuse

import (
	"crypto/ed25519"
	"encoding/hex"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/wire"
)

// forger makes what looks like the network's own packets, as far as anybody
// can who has listened: it knows who is in and under which numbers, and has keys
// of its own only.
type forger struct {
	random  *rand.Rand
	signer  *hearsay.Identity
	id      hearsay.NodeID
	members []member
	seeds   []node
	ledger  []*hearsay.Ruling // what was decided; its signatures can be replayed
	seats   []hearsay.Seat    // with their lives, of which the ledger tells
	config  hearsay.Hash
}

func (w *network) newForger(seed uint64) *forger {
	w.t.Helper()
	f := &forger{random: rand.New(rand.NewPCG(seed, 0)), seeds: w.seeds}
	f.signer = f.newKey()
	f.id = f.signer.Public().NodeID()
	f.members, _ = w.members(w.peers[0])
	var told struct {
		Founding []struct {
			Key  hearsay.PublicKey `json:"key"`
			Life string            `json:"life"`
		} `json:"founding"`
		Rulings []struct {
			Canonical []byte `json:"canonical"`
		} `json:"rulings"`
	}
	if !w.get(w.seeds[0], "/v1/ledger", &told) || len(told.Rulings) < peersCount {
		w.t.Fatalf("the seed tells %d rulings", len(told.Rulings))
	}
	for _, r := range told.Rulings {
		f.ledger = append(f.ledger, core.NewCanonical(r.Canonical).Ruling())
	}
	for slot, s := range told.Founding {
		seat := hearsay.Seat{Slot: uint8(slot), Key: s.Key}
		hex.Decode(seat.Life[:], []byte(s.Life))
		f.seats = append(f.seats, seat)
	}
	var addrs []netip.AddrPort
	for _, seed := range w.seeds {
		addrs = append(addrs, netip.MustParseAddrPort(seed.Addr))
	}
	f.config = core.HashSeeds(networkID, addrs)
	return f
}

func (f *forger) newKey() *hearsay.Identity {
	var seed [ed25519.SeedSize]byte
	for i := range seed {
		seed[i] = byte(f.random.Uint32())
	}
	return hearsay.NewIdentity(seed)
}

// victim draws a peer that is in.
func (f *forger) victim() (member, hearsay.Stay) {
	for {
		r := f.ledger[f.random.IntN(len(f.ledger))]
		for _, m := range f.members {
			if r.Kind == hearsay.RulingAdmit && m.ID == r.Stay.ID {
				return m, r.Stay
			}
		}
	}
}

// ledgerID is what is signed in the ledger is about.
func (f *forger) ledgerID() hearsay.LedgerID {
	return hearsay.LedgerID{Network: networkID, Founding: core.FoundingHash(networkID, f.seats[:])}
}

// evidence is of statements in the names of all others, with signatures that
// are the forger's.
func (f *forger) evidence(m member) *hearsay.Evidence {
	e := &hearsay.Evidence{
		Subject: m.ID, Incarnation: m.Incarnation, Round: hearsay.Round(f.random.Uint64()), Rule: hearsay.RuleMajority,
		Accuser: f.id, Suspected: time.Now().UnixMilli() - 2000, Condemned: time.Now().UnixMilli(), Observers: 4, Needed: 3,
	}
	for _, observer := range f.members {
		if observer.ID == m.ID || observer.Role == "seed" {
			continue
		}
		s := hearsay.Statement{
			Subject: m.ID, Incarnation: e.Incarnation, Round: e.Round, Observer: observer.ID,
			Verdict: hearsay.VerdictUnreachable, At: time.Now().UnixMilli(),
		}
		s.Sign(f.ledgerID(), f.signer)
		e.Statements = append(e.Statements, s)
	}
	return e
}

// claim is of a new key, or of a seed that the forger makes itself.
func (f *forger) claim(role hearsay.Role, addr netip.AddrPort) hearsay.Claim {
	key := f.newKey()
	c := hearsay.Claim{
		Subject: key.Public().NodeID(), State: hearsay.StateAlive, Incarnation: core.NextIncarnation(0, time.Now()),
		Card: hearsay.Card{Key: key.Public(), Name: "mallory", Addr: addr, Role: role},
	}
	c.Sign(networkID, key)
	return c
}

// heads are of the newest epoch or the next, in the name of each seed.
func (f *forger) heads() (heads []hearsay.Head) {
	newest := f.ledger[len(f.ledger)-1]
	for slot := range uint8(seedsCount) {
		h := hearsay.Head{Founding: f.ledgerID().Founding, Epoch: newest.Epoch + 1, Hash: hearsay.Hash{1, byte(f.random.Uint32())}, Slot: slot}
		h.Sign(networkID, f.signer)
		heads = append(heads, h)
	}
	return heads
}

// ruling is the removal of a member, with ballots in the names of the seeds.
func (f *forger) ruling(stay hearsay.Stay) *hearsay.Ruling {
	newest := f.ledger[len(f.ledger)-1]
	r := &hearsay.Ruling{
		Epoch: newest.Epoch + 1, Kind: hearsay.RulingRemove, Stay: stay, Case: 1 << 20, Rule: hearsay.RuleTrial,
		At: time.Now().UnixMilli(), Previous: newest.Hash(networkID),
	}
	for slot := range uint8(seedsCount) {
		r.Ballots = append(r.Ballots, f.ballot(r, slot))
	}
	return r
}

func (f *forger) ballot(r *hearsay.Ruling, slot uint8) hearsay.Ballot {
	b := hearsay.Ballot{Case: r.Case, About: r.About(networkID), Stay: r.Stay, Slot: slot, Life: f.seats[slot].Life, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}, At: r.At}
	b.Sign(f.ledgerID(), f.signer)
	return b
}

// hello says that the forger sits in a seat.
func (f *forger) hello() *core.SeatHello {
	slot := uint8(f.random.IntN(seedsCount))
	seat := hearsay.Seat{Slot: slot, Key: f.signer.Public(), Life: hearsay.Life{1, byte(f.random.Uint32())}}
	given := &hearsay.Ruling{Epoch: 3, Kind: hearsay.RulingSeat, Seats: []hearsay.Seat{seat}, Case: 1 << 30}
	for slot := range uint8(seedsCount) {
		given.Ballots = append(given.Ballots, f.ballot(given, slot))
	}
	h := &core.SeatHello{
		Versions: ledger.Versions(),
		Slot:     slot, Life: seat.Life, Config: f.config, Nonce: f.random.Uint64(), Answer: f.random.IntN(2) == 0,
		Founded: true, Seats: []hearsay.Seat{seat, seat, seat}, Founding: f.ledgerID().Founding, Given: given,
	}
	h.Sign(networkID, f.signer)
	return h
}

// raft is a message of the replicated log in a seed's name: a leader's entries,
// a vote, a whole state.
func (f *forger) raft() *core.Raft {
	from, to := f.random.IntN(seedsCount), f.random.IntN(seedsCount)
	m := &core.Raft{
		Versions: ledger.Versions(),
		Slot:     uint8(from), Type: uint8(f.random.IntN(20)), To: f.seats[to].RaftID(networkID), From: f.seats[from].RaftID(networkID),
		Term: 1 << 20, LogTerm: 1 << 20, Index: uint64(f.random.IntN(100)), Commit: 1 << 20,
		Entries: []core.LogEntry{{Index: 40, Term: 1 << 20, Data: []byte("made up")}},
	}
	if f.random.IntN(2) == 0 {
		m.Snapshot = &core.LogSnapshot{Index: 1 << 20, Term: 1 << 20, Size: 1 << 27, Data: make([]byte, 512)}
	}
	m.Founding = f.ledgerID().Founding
	m.Sign(networkID, f.signer)
	return m
}

// packet draws one of all that is forged by our own framing.
func (f *forger) packet(addr netip.AddrPort) *core.Packet {
	m, stay := f.victim()
	p := &core.Packet{From: f.id}
	if f.random.IntN(2) == 0 {
		p.From = f.members[f.random.IntN(len(f.members))].ID // nobody proves who sends
	}
	const kinds = 14
	switch f.random.IntN(kinds) {
	case 0:
		leave := core.Leave{Stay: stay}
		leave.Sign(f.ledgerID(), f.signer)
		p.Body = &core.Depart{Leave: leave}
	case 1:
		p.Body = &core.Report{Stay: stay, Evidence: f.evidence(m)}
	case 2:
		p.Body = &core.Report{Stay: stay}
	case 3:
		c := f.claim(hearsay.RolePeer, addr)
		p.From, p.Body, p.Claims = c.Subject, &core.Register{}, []hearsay.Claim{c}
	case 4:
		p.Body = f.raft()
	case 5:
		p.Body = f.hello()
	case 6:
		r := f.ruling(stay)
		p.Body = &core.Rulings{Items: []*hearsay.Ruling{r}, Heads: f.heads()}
	case 7:
		p.Body = &core.RosterPart{Ruling: f.ruling(stay), Heads: f.heads(), Parts: 1}
	case 8:
		seed := f.claim(hearsay.RoleSeed, addr)
		p.From, p.Body, p.Claims = seed.Subject, &core.News{}, []hearsay.Claim{seed}
	case 9:
		dead := hearsay.Claim{Subject: m.ID, State: hearsay.StateDead, Incarnation: m.Incarnation, By: f.id, Evidence: hearsay.Hash{9}}
		p.Body, p.Claims = &core.News{}, []hearsay.Claim{dead}
	case 10:
		p.Body = &core.Evidence{Evidence: f.evidence(m)}
	case 11: // what was decided once, sent again as what is new
		p.Body = &core.Rulings{Items: []*hearsay.Ruling{f.ledger[f.random.IntN(len(f.ledger))]}}
	case 12:
		old := f.ledger[f.random.IntN(len(f.ledger))]
		p.From, p.Body, p.Claims = old.Stay.ID, &core.Register{}, []hearsay.Claim{old.Claim}
	case 13:
		s := f.evidence(m).Statements[0]
		p.Body = &core.Statement{Statement: s}
	}
	return p
}

// closed is an address at which nobody is.
func (f *forger) closed(ip netip.Addr) netip.AddrPort {
	return netip.AddrPortFrom(ip, uint16(1+f.random.IntN(1000)))
}

// TestForgedPackets sends every node what the network's own packets look like.
// It changes nothing, and is counted.
func TestForgedPackets(t *testing.T) {
	besideOthers(t)
	w := start(t)
	f := w.newForger(1)
	before := make(map[string]hearsay.Stats)
	for _, n := range w.all() {
		before[n.Name] = w.stats(n)
	}
	const each = 300 // to each node, each way
	for _, n := range w.all() {
		w.byStream(n, f, each)
		w.byDatagram(n, f, each)
	}
	w.until("done with the cases that were opened", removedWithin, func() bool {
		return !slices.ContainsFunc(w.seeds, func(n node) bool { return w.stats(n).CasesOpen > 0 })
	})
	w.until("as it was", removedWithin, func() bool { return w.agreed(peersCount, seedsCount+peersCount, "") })
	for _, n := range w.all() {
		s, old := w.stats(n), before[n.Name]
		dropped := uint64(0)
		for reason := range s.Drops {
			dropped += s.Drops[reason] - old.Drops[reason]
		}
		if dropped < each {
			t.Errorf("%s dropped only %d of %d: %v", n.Name, dropped, 2*each, s.Drops)
		}
		if s.Removals != old.Removals || s.Departures != old.Departures || s.Admissions != old.Admissions || s.SeatRulings != old.SeatRulings {
			t.Errorf("%s has applied a ruling: %+v", n.Name, s)
		}
	}
	for _, seed := range w.seeds {
		s := w.stats(seed)
		for _, reason := range []hearsay.Drop{hearsay.DropUnexpected, hearsay.DropBadSignature, hearsay.DropStranger, hearsay.DropMalformed} {
			if s.Drops[reason] == before[seed.Name].Drops[reason] {
				t.Errorf("%s dropped nothing as %v: the test shows less than it should: %v", seed.Name, reason, s.Drops)
			}
		}
	}
}

// byStream sends forged packets as frames, over one connection.
func (w *network) byStream(n node, f *forger, count int) {
	w.t.Helper()
	conn, err := net.Dial("tcp", n.Addr)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	go func() {
		var hole [4096]byte
		for {
			if _, err := conn.Read(hole[:]); err != nil {
				return
			}
		}
	}()
	for range count {
		if _, err := conn.Write(wire.AppendFrame(nil, networkID, f.packet(f.closed(home)))); err != nil {
			w.t.Fatalf("%s closed the stream: %v", n.Name, err)
		}
	}
	conn.(*net.TCPConn).CloseWrite()
}

// byDatagram sends forged packets as datagrams.
func (w *network) byDatagram(n node, f *forger, count int) {
	w.t.Helper()
	conn, err := net.Dial("udp", n.Addr)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	for range count {
		conn.Write(wire.AppendPacket(nil, networkID, f.packet(f.closed(home))))
	}
}
