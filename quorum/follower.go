package quorum

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/quota"
)

// FollowerConfig is what a peer of a seeded network is told at its start.
type FollowerConfig struct {
	Network   hearsay.NetworkID
	Seeds     []ledger.Seed
	PollEvery time.Duration // between two questions whether there is anything new; default 2 s
	AskEvery  time.Duration // between two questions while something is known to be missing; default 500 ms
	Recall    time.Duration // what members said is told for so long, also if they are out by then; default 10 min (rumor.Config.KeepFor)
	Tail      int           // rulings kept for others, up to twice as many; default 128 (guess: what a neighbor may lack after a minute; who lacks more gets the roster)
}

// DefaultFollowerConfig gives the defaults, without a network and seeds.
func DefaultFollowerConfig() FollowerConfig {
	return FollowerConfig{PollEvery: 2 * time.Second, AskEvery: 500 * time.Millisecond, Recall: 10 * time.Minute, Tail: 128}
}

// Follower is the peers' half: it knows the seeds' keys, takes rulings in the
// order of epochs up to the newest head that a quorum of seats has signed, and
// passes them on. It is not safe for concurrent use: the node owns it. It
// appends to the node's Effects.
type Follower struct {
	cfg       FollowerConfig
	signer    hearsay.Signer
	random    *rand.Rand
	directory Directory
	drops     *hearsay.Drops
	out       *hearsay.Effects

	pins    [hearsay.MaxSeeds]hearsay.SeedPin
	lasting [hearsay.MaxSeeds]bool // configured, or of who had a ledger when it was met
	nonces  [hearsay.MaxSeeds]uint64
	config  hearsay.Hash // stands for this peer's list of seeds

	met        [hearsay.MaxSeeds]meeting      // in this life
	otherSince [hearsay.MaxSeeds]time.Time    // since when another key answers than is pinned
	naming     [hearsay.MaxSeeds]naming       // by slot: the lives that the seed there names in the seats
	told       [hearsay.MaxSeeds]hearsay.Hash // by slot: the founding that the seed there takes part in, as it said last

	doubts  doubts
	chain   ledger.Chain
	based   bool          // there is a ledger to go on from
	floor   hearsay.Epoch // proven in an earlier life: nothing older is believed
	stood   hearsay.Epoch // how far the ledger went as the first answers of this life said
	heardAt time.Time     // the first of them; zero: there was none
	members ledger.Members
	epoch   hearsay.Epoch   // proven, and told
	last    *hearsay.Ruling // that of this epoch; nil: there is none yet

	asked netip.AddrPort // whose answers go on the ledger here, also beyond what is proven yet
	trust time.Time      // and until when, unless something of it is proven

	askedAt [hearsay.MaxSeeds]time.Time // by slot: when the seed there was asked last for what comes next

	gathering gathering // a roster that is not proven yet
	rest      rest      // what is proven, and not applied yet
	past      past      // before a roster that came whole
	walk      walk      // after the epoch here, for who sits where

	tickAt, pollAt, askAt time.Time
	helloAt, pinnedAt     time.Time    // the next hello, and the next to a seed that is known
	doubtedAt             time.Time    // the next to those with which something is wrong
	proofAt               time.Time    // no seed is asked before for the proof that another has a new life
	lost                  int          // questions since the last answer
	seedTurn              int          // of the seeds, who was asked last because another did not answer
	turn                  int          // of the seeds that are known, who was asked last who it is
	strangeAt             time.Time    // no seed is asked before because of a stranger
	checks                *quota.Quota // signatures that are verified
	answers               answers      // to requests for the ledger
}

// Limits of a follower.
const (
	followerTick      = 100 * time.Millisecond
	maxRosterParts    = 1 << 8             // 131,072 members: twice what a roster lists (roster.maxMembers); of a short ledger fewer (rosterLeast)
	answersWithin     = 30 * time.Second   // a roster of a seed that was asked longer ago is not taken. Guess: as unprovenFor
	unprovenMost      = ledger.ChainLength // rulings of one who is asked: as many as another can give
	rosterPatience    = 5 * time.Second    // until a roster must be whole and proven
	unprovenFor       = 30 * time.Second   // until something must be proven of what one gives who is asked. Guess: a hundred long round trips
	helloPinnedEvery  = 10 * time.Second   // a seed that is known is asked again whether it still is
	helloUnknownEvery = time.Second
	renewedWithin     = 500 * time.Millisecond // all peers of a seed that was started again ask it within this time. Guess: a thousand are a twentieth of its time then
	strangeEvery      = 4 * time.Second        // at most one seed is asked because of strangers, on average. Guess: anybody may be one
)

// NewFollower makes a follower that knows what its records say: pins and
// heads.
func NewFollower(cfg FollowerConfig, signer hearsay.Signer, random *rand.Rand, directory Directory, records []hearsay.Record, drops *hearsay.Drops, out *hearsay.Effects, now time.Time) *Follower {
	f := &Follower{cfg: cfg, signer: signer, random: random, directory: directory, drops: drops, out: out, tickAt: now}
	f.checks, f.answers = quota.New(directory.Secret, followerCheckShares), newAnswers(directory.Secret)
	f.chain, f.config = ledger.NewChain(cfg.Network, signer, len(cfg.Seeds)), hashSeeds(cfg.Network, cfg.Seeds)
	for slot, s := range cfg.Seeds {
		f.pins[slot].Seat, f.lasting[slot] = hearsay.Seat{Slot: uint8(slot), Key: s.Key}, !s.Key.IsZero()
	}
	f.load(records)
	f.floor, f.turn = f.chain.Promised(), random.IntN(len(cfg.Seeds))
	f.seedTurn, f.walk.first = f.turn, f.turn
	return f
}

// load takes what is on disk: pins and heads. If the list of seeds has changed
// since, a pin goes to the slot of its address, and what the old list has promised
// counts no more.
func (f *Follower) load(records []hearsay.Record) {
	var pins []hearsay.SeedPin
	changed := false
	for _, record := range records {
		switch r := record.(type) {
		case *hearsay.SeedPin:
			if slot := int(r.Seat.Slot); !r.Seat.Key.IsZero() {
				pins = append(pins, *r)
				changed = changed || r.Addr.IsValid() && (slot >= len(f.cfg.Seeds) || f.cfg.Seeds[slot].Addr != r.Addr)
			}
		case *hearsay.KeptHead:
			if int(r.Head.Slot) < len(f.cfg.Seeds) {
				f.chain.Ahead[r.Head.Slot] = r.Head
			}
		case *hearsay.KeptRival:
			if int(r.Slot) < len(f.cfg.Seeds) {
				f.chain.Rivals[r.Slot] = r.Rival
			}
		}
	}
	for _, p := range pins {
		if slot := p.Seat.Slot; !changed && int(slot) < len(f.cfg.Seeds) && f.replaced(int(slot), &p) { // it says nothing of the ledger that the list is of
			f.out.Persist = append(append(f.out.Persist, f.chain.ForgetHeads(slot)...), &hearsay.KeptHead{Head: hearsay.Head{Slot: slot}})
		}
	}
	if f.chain.Begin(f.chain.KeptFounding()); changed {
		f.chain.Begin(hearsay.Hash{})
		for slot := range uint8(hearsay.MaxSeeds) {
			f.out.Persist = append(f.out.Persist, &hearsay.SeedPin{Seat: hearsay.Seat{Slot: slot}},
				&hearsay.KeptHead{Head: hearsay.Head{Slot: slot}}, &hearsay.KeptRival{Slot: slot, Dropped: true})
		}
	}
	for _, p := range pins {
		slot := int(p.Seat.Slot)
		if changed {
			slot = slices.IndexFunc(f.cfg.Seeds, func(s ledger.Seed) bool { return s.Addr == p.Addr })
		}
		if slot < 0 || slot >= len(f.cfg.Seeds) {
			continue
		}
		if f.replaced(slot, &p) {
			continue
		}
		p.Seat.Slot = uint8(slot)
		if f.pins[slot], f.lasting[slot] = p, true; changed || !p.Addr.IsValid() {
			f.pin(p)
		}
	}
}

// replaced reports whether the list has another key for a slot than was met there. A seat that
// a ruling has given counts more.
func (f *Follower) replaced(slot int, p *hearsay.SeedPin) bool {
	listed := f.cfg.Seeds[slot].Key
	return !listed.IsZero() && listed != p.Seat.Key && p.Since == 0
}

// Deadline is when Tick must be called next.
func (f *Follower) Deadline() time.Time {
	if at := f.rest.at; !at.IsZero() && at.Before(f.tickAt) {
		return at
	}
	return f.tickAt
}

// Epoch is the newest proven epoch.
func (f *Follower) Epoch() hearsay.Epoch { return f.epoch }

// Told is the newest epoch of which an earlier life has told.
func (f *Follower) Told() hearsay.Epoch { return f.floor }

// Head gives the hash of the ledger up to Epoch.
func (f *Follower) Head() hearsay.Hash {
	hash, _ := f.chain.HashAt(f.epoch)
	return hash
}

// Member gives one member by its identity.
func (f *Follower) Member(id hearsay.NodeID) (m ledger.Member, ok bool) {
	one := f.members.Get(id)
	if one == nil {
		return m, false
	}
	return *one, true
}

// Roster appends all members, ordered by NodeID, with claims that they have signed
// (but for guests, who sign nothing).
func (f *Follower) Roster(dst []ledger.Member) []ledger.Member { return f.members.All(dst) }

// Rulings gives the rulings after an epoch that are kept, at most n.
func (f *Follower) Rulings(after hearsay.Epoch, n int) []*hearsay.Ruling {
	return f.chain.After(after, n)
}

// Tick lets time pass.
func (f *Follower) Tick(now time.Time) {
	f.tickRest(now)
	if now.Before(f.tickAt) {
		return
	}
	f.tickAt = now.Add(followerTick)
	f.noteStarts(now)
	f.tickHellos(now)
	f.doubts.expire(now, followerDoubtsFor)
	f.keepPins()
	f.tickGathering(now)
	if f.chain.Forked() {
		return
	}
	f.tickPast(now)
	f.tickWalk(now)
	// When most of a network is lost, so are most neighbors: after one that has not
	// answered each seed is asked once, soon, and then there is no hurry. Nor is there while a
	// roster waits for its proof: others would give another.
	again := f.lost > 0 && f.lost <= len(f.cfg.Seeds)
	behind := (!f.based || f.chain.Promised() > f.epoch) && !f.gathering.whole() && !f.walk.under()
	if (behind || again) && !now.Before(f.askAt) || !now.Before(f.pollAt) {
		f.ask(now, f.someone())
	}
}

// tickHellos asks the seeds who they are: those who are known seldom, unless they
// may name others who are not and have not been heard to yet.
func (f *Follower) tickHellos(now time.Time) {
	if now.Before(f.helloAt) {
		return
	}
	asked := -1
	if !now.Before(f.pinnedAt) {
		f.pinnedAt = now.Add(helloPinnedEvery)
		f.turn = (f.turn + 1) % len(f.cfg.Seeds)
		asked = f.turn
	}
	f.helloAt = f.pinnedAt
	soon, missing := now.Add(f.about(helloUnknownEvery)), false
	askDoubted := f.doubts.any() && !now.Before(f.doubtedAt)
	if askDoubted {
		f.doubtedAt = now.Add(f.about(doubtedEvery))
	}
	if f.doubts.any() && f.doubtedAt.Before(f.helloAt) {
		f.helloAt = f.doubtedAt
	}
	for slot := range f.cfg.Seeds {
		missing = missing || !f.known(slot)
		if f.unmet(slot) || f.met[slot].again {
			f.helloAt = soon
		}
	}
	for slot := range f.cfg.Seeds {
		unknown := !f.known(slot) || !f.based || !f.otherSince[slot].IsZero() && f.doubts[slot].note == "" ||
			(f.unmet(slot) || f.met[slot].again) && f.directory.Alive != nil && f.directory.Alive(f.pins[slot].Seat.Key.NodeID())
		if unknown || missing && f.naming[slot].by != f.pins[slot].Seat.Key {
			f.helloAt = soon
			f.hello(slot)
		} else if slot == asked || askDoubted && f.doubts[slot].note != "" {
			f.hello(slot)
		}
	}
}

// known reports whether the key and the life in a seat are known for good. A list
// of seeds pins keys alone.
func (f *Follower) known(slot int) bool { return f.lasting[slot] && !f.pins[slot].Seat.Life.IsZero() }

// listed reports whether a seat is of a key that the list of seeds pins, and its
// life is not known yet.
func (f *Follower) listed(seat hearsay.Seat) bool {
	return f.lasting[seat.Slot] && !f.known(int(seat.Slot)) && f.pins[seat.Slot].Seat.Key == seat.Key && !seat.Life.IsZero()
}

// Strange tells that somebody who is not in the ledger here takes this node for a
// member: the ledger has gone on, perhaps, and nobody here knows. Two that were
// let in first may have nobody but each other to ask.
func (f *Follower) Strange(now time.Time) {
	if behind := !f.based || f.chain.Promised() > f.epoch; !behind && !f.chain.Forked() && !now.Before(f.strangeAt) {
		f.strangeAt = now.Add(f.about(strangeEvery))
		f.ask(now, f.cfg.Seeds[f.random.IntN(len(f.cfg.Seeds))].Addr)
	}
}

// about draws a time from half of it to half as much again: those who have
// started together do not all ask together again.
func (f *Follower) about(d time.Duration) time.Duration {
	return d/2 + time.Duration(f.random.Int64N(max(1, int64(d))))
}

// someone draws which node to ask: a neighbor, or every fourth time a seed. Seeds have the
// rulings about seats, and what neighbors give may rest on them. If the last has not
// answered it is the seeds' turn.
func (f *Follower) someone() netip.AddrPort {
	switch again := f.lost > 0 && f.lost <= len(f.cfg.Seeds); {
	case again && f.lost == 1 && f.chain.Epoch() > f.epoch:
		return f.asked // it has given some, and has no more time for this peer, perhaps
	case again:
		f.seedTurn = (f.seedTurn + 1) % len(f.cfg.Seeds)
		return f.cfg.Seeds[f.seedTurn].Addr
	}
	links := f.directory.Links()
	if len(links) == 0 || !f.based || f.past.seatsWanted() || f.random.IntN(4) == 0 {
		return f.cfg.Seeds[f.random.IntN(len(f.cfg.Seeds))].Addr
	}
	return links[f.random.IntN(len(links))]
}

// ask asks for what comes next. What is proven comes last, by the heads of its
// end, and may be far: so one is asked on and on. Any other that is asked has to
// begin with what is proven.
func (f *Follower) ask(now time.Time, addr netip.AddrPort) {
	f.askAt, f.pollAt = now.Add(f.about(f.cfg.AskEvery)), now.Add(f.cfg.PollEvery)
	f.lost++
	if addr != f.asked {
		f.unproven()
		f.asked, f.trust = addr, now.Add(unprovenFor)
	}
	f.request(now, addr, f.chain.Epoch())
}

// request asks somebody for what comes after an epoch.
func (f *Follower) request(now time.Time, addr netip.AddrPort, after hearsay.Epoch) {
	if slot := f.seedAt(addr); slot >= 0 {
		f.askedAt[slot] = now
	}
	f.send(addr, &hearsay.LedgerReq{After: after})
}

// proven is the epoch up to which the ledger here is proven.
func (f *Follower) proven() hearsay.Epoch {
	if proven := f.chain.Proven(); proven > f.epoch && proven >= f.floor {
		return proven
	}
	return f.epoch
}

// unproven cuts off the ledger here what is not proven, and gives it.
func (f *Follower) unproven() (links []ledger.Entry) {
	proven := f.proven()
	links = slices.Clone(f.chain.Links[proven-f.chain.Base:])
	f.chain.Cut(proven)
	return links
}

func (f *Follower) send(addr netip.AddrPort, m hearsay.Message) {
	f.out.Send = append(f.out.Send, hearsay.Packet{Addr: addr, Stream: true, Body: m})
}

// hello asks a seed at its configured address who it is.
func (f *Follower) hello(slot int) {
	for f.nonces[slot] == 0 {
		f.nonces[slot] = f.random.Uint64()
	}
	m := &hearsay.SeatHello{Slot: hearsay.NoSlot, Nonce: f.nonces[slot]}
	m.Sign(f.cfg.Network, f.signer)
	f.send(f.cfg.Seeds[slot].Addr, m)
}

// Receive takes a packet that may be about the ledger, and reports whether it
// was. It must have come by stream.
func (f *Follower) Receive(now time.Time, p *hearsay.Packet) bool {
	switch m := p.Body.(type) {
	case *hearsay.SeatHello:
		f.seatHello(now, f.directory.sender(p), m)
	case *hearsay.Rulings:
		f.rulings(now, p, m)
	case *hearsay.RosterPart:
		f.rosterPart(now, p, m)
	case *hearsay.LedgerReq:
		f.ledgerReq(now, p, m)
	default:
		return false
	}
	return true
}

// seatHello pins the key of a seed that was met at its configured address for
// the first time. One that is pinned changes only by the ballots of a quorum. But
// a seed without a ledger may have no seat yet, and if it loses its disk before it
// gets one, or before anything was ruled, no ballots will tell of that: its pin
// lasts until its successor has a ledger, and is not kept.
func (f *Follower) seatHello(now time.Time, from quota.Sender, m *hearsay.SeatHello) {
	slot := askedWith(f.nonces[:len(f.cfg.Seeds)], m.Nonce)
	if !m.Answer || slot < 0 || !f.checks.Take(now, from, 1) {
		f.drops[hearsay.DropUnexpected]++
		return
	}
	if !m.Verify(f.cfg.Network, f.signer) {
		f.drops[hearsay.DropBadSignature]++
		return
	}
	f.nonces[slot] = 0
	if slot == int(m.Slot) {
		f.meet(now, from, m)
	} else {
		f.drops[hearsay.DropStranger]++ // by its list it sits elsewhere
	}
	f.compare(now, slot, m)
}

// meet takes what a seed has answered at its configured address.
func (f *Follower) meet(now time.Time, from quota.Sender, m *hearsay.SeatHello) {
	seat := hearsay.Seat{Slot: m.Slot, Key: m.Key, Life: m.Life}
	pin := hearsay.SeedPin{Seat: seat}
	if m.Given != nil {
		pin.Since = m.Given.Case // by then it had the seat: an older proof is out of date
	}
	switch lasting := f.lasting[m.Slot]; {
	case !lasting && m.Founded:
		f.pin(pin)
	case m.Founded && f.listed(seat):
		f.pin(hearsay.SeedPin{Seat: seat})
	case !lasting && f.pins[m.Slot].Seat.Key.IsZero():
		f.pins[m.Slot] = pin
	}
	f.believeSeat(now, from, m.Given, cmp.Or(f.chain.Founding, m.Founding))
	if f.pins[m.Slot].Seat.Key == m.Key {
		f.takeNames(m, pin.Since)
		f.takeFounding(now, m)
		return
	}
	f.past.reseated[m.Slot] = m.Founded
	if now.Before(f.proofAt) {
		return // another has a new life, too: each would have the other asked again
	}
	f.proofAt = now.Add(helloUnknownEvery)
	for slot := range f.cfg.Seeds { // it has a new life, of which the others have the proof
		if slot != int(m.Slot) {
			f.hello(slot)
		}
	}
}

// naming is the lives that a seed names in the seats, as of a case.
type naming struct {
	by    hearsay.PublicKey
	seats []hearsay.Seat
	since hearsay.CaseID
}

// takeNames takes the lives that a known seed names in the seats. A seed that does
// not answer here is pinned by the word of a quorum of the others: it may have
// been down since before this peer came, and is still one.
func (f *Follower) takeNames(m *hearsay.SeatHello, since hearsay.CaseID) {
	if !m.Founded || len(m.Seats) != len(f.cfg.Seeds) {
		return
	}
	f.naming[m.Slot] = naming{by: m.Key, seats: m.Seats, since: since}
	for slot, seat := range m.Seats {
		switch known := &f.pins[slot]; {
		case seat.Key.IsZero() || int(seat.Slot) != slot:
			continue
		case f.lasting[slot] && !f.listed(seat):
			if seat.Key != known.Seat.Key && since > known.Since {
				f.past.reseated[slot] = true // it may be gone itself: the ledger tells
			}
			continue
		}
		said, oldest := 0, since
		for by := range f.cfg.Seeds {
			n := &f.naming[by]
			if n.by == f.pins[by].Seat.Key && f.lasting[by] && len(n.seats) > slot && n.seats[slot] == seat {
				said, oldest = said+1, min(oldest, n.since)
			}
		}
		if said < hearsay.QuorumOf(len(f.cfg.Seeds)) {
			continue
		}
		if f.listed(seat) {
			oldest = 0 // the list counts as long as nothing else was ruled
		}
		f.pin(hearsay.SeedPin{Seat: seat, Since: oldest})
	}
}

// believeSeat pins who was given a seat by the ballots of a quorum of those
// who are pinned. It reports whether there is something that does not hold.
func (f *Follower) believeSeat(now time.Time, from quota.Sender, r *hearsay.Ruling, founding hearsay.Hash) (forged bool) {
	needed := hearsay.QuorumOf(len(f.cfg.Seeds))
	if r == nil || r.Kind != hearsay.RulingSeat || founding.IsZero() {
		return false
	}
	if len(r.Seats) == 1 && r.Case <= f.pins[r.Seats[0].Slot].Since {
		return false // it is known, or was once
	}
	if !f.checks.Take(now, from, needed) {
		f.drops[hearsay.DropRate]++
		return false
	}
	seat, ok := ledger.ProvenSeat(hearsay.LedgerID{Network: f.cfg.Network, Founding: founding}, f.signer, r, f.keys())
	if ok {
		f.pin(hearsay.SeedPin{Seat: seat, Since: r.Case})
	}
	return !ok
}

// keys gives the keys of the seats, as they are pinned here.
func (f *Follower) keys() []hearsay.PublicKey {
	keys := make([]hearsay.PublicKey, len(f.cfg.Seeds))
	for slot := range keys {
		keys[slot] = f.pins[slot].Seat.Key
	}
	return keys
}

// pinAll pins who was given a seat by a proven ruling, if nothing newer is known.
func (f *Follower) pinAll(r *hearsay.Ruling) {
	for _, seat := range r.Seats {
		if int(seat.Slot) < len(f.cfg.Seeds) && f.pins[seat.Slot].Since < r.Case {
			f.pin(hearsay.SeedPin{Seat: seat, Since: r.Case})
		}
	}
}

// keepPins keeps the keys of those who have signed heads of what is proven: they
// have their seats. If one is gone before it is asked again, it is known still.
func (f *Follower) keepPins() {
	for slot := range f.cfg.Seeds {
		if head := f.chain.Heads[slot].Epoch; !f.lasting[slot] && head > 0 && head <= f.epoch {
			f.pin(f.pins[slot])
		}
	}
}

func (f *Follower) pin(p hearsay.SeedPin) {
	if f.pins[p.Seat.Slot].Seat.Key != p.Seat.Key {
		f.met[p.Seat.Slot] = meeting{}
		f.out.Persist = append(f.out.Persist, f.chain.ForgetHeads(p.Seat.Slot)...)
		f.gathering.chain.ForgetHeads(p.Seat.Slot)
		f.told[p.Seat.Slot] = hearsay.Hash{}
	}
	p.Addr = f.cfg.Seeds[p.Seat.Slot].Addr
	f.pins[p.Seat.Slot], f.lasting[p.Seat.Slot], f.past.reseated[p.Seat.Slot] = p, true, false
	f.out.Persist = append(f.out.Persist, &p)
}

// rulings takes what comes after the ledger here, as far as heads prove it.
func (f *Follower) rulings(now time.Time, p *hearsay.Packet, m *hearsay.Rulings) {
	if p.Addr == f.asked {
		f.lost = 0
	}
	if f.takePast(now, p.Addr, m.Items) {
		return
	}
	before, end, known := f.epoch, f.chain.Epoch(), f.chain.Promised()
	from := f.directory.sender(p)
	var others []ledger.Entry // what another has answered, as far as it is not proven
	if p.Addr != f.asked {
		others = f.unproven()
	}
	joint := f.chain.Epoch()
	unheld := func(r *hearsay.Ruling) bool {
		return r.Epoch > f.epoch && f.believeSeat(now, from, r, f.chain.Founding)
	}
	hold := !slices.ContainsFunc(m.Items, unheld)
	if p.Addr == f.cfg.Seeds[f.walk.slot].Addr && f.walk.take(now, m.Items, hold) {
		f.ask(now, p.Addr)
	}
	f.extend(m.Items)
	f.goOnGathered(now, p, m.Items)
	f.begin()
	f.takeHeads(now, from, m.Heads)
	f.hearStand(now, p.Addr == f.asked && f.chain.Holds(m.Heads))
	if f.parted(now, m.Items); f.chain.Forked() {
		return
	}
	f.advance(now, p.Addr)
	if f.epoch > before {
		f.trust = now.Add(unprovenFor)
	}
	promised := f.chain.Promised()
	switch beyond := f.chain.Epoch() - f.proven(); {
	case p.Addr != f.asked:
		if f.unproven(); f.chain.Epoch() == joint {
			f.chain.Links = append(f.chain.Links, others...)
		}
	case beyond > unprovenMost || f.chain.Epoch() >= promised || !now.Before(f.trust):
		f.unproven() // its end is not what a quorum has signed
	}
	if promised <= f.proven() && f.based {
		return
	}
	// Who talks but has nothing to show for it is not asked.
	if f.epoch > before || f.chain.Epoch() > end || promised > known && !now.Before(f.askAt) {
		f.ask(now, p.Addr) // it has more
	}
}

// standsAfter is for how long after the first answer others may say that the ledger goes further: the
// one that gave it may have been behind itself. A guess: several questions.
const standsAfter = 2 * time.Second

// hearStand keeps how far the ledger went when this life first heard of it, by an answer to its own
// question or what came shortly after it.
func (f *Follower) hearStand(now time.Time, answer bool) {
	if f.heardAt.IsZero() && answer {
		f.heardAt = now
	}
	if !f.heardAt.IsZero() && now.Sub(f.heardAt) <= standsAfter {
		f.stood = max(f.stood, f.epoch, f.chain.Promised())
	}
}

func (f *Follower) takeHeads(now time.Time, from quota.Sender, heads []hearsay.Head) {
	for i := range heads {
		h := &heads[i]
		if int(h.Slot) >= len(f.cfg.Seeds) {
			continue
		}
		gathered := f.gathering.whole() && f.gathering.chain.OfFounding(h)
		if !f.chain.OfFounding(h) && !gathered {
			f.drops[hearsay.DropStranger]++
			continue
		}
		if !f.checks.Take(now, from, 0) {
			f.drops[hearsay.DropRate]++
			return
		}
		forged := false
		if f.chain.OfFounding(h) {
			forged = f.takeHead(now, from, h, &f.chain, f.epoch)
		}
		if gathered && !forged {
			forged = f.takeHead(now, from, h, &f.gathering.chain, 0)
		}
		if forged && !f.past.reseated[h.Slot] { // else by who sits there now, perhaps
			f.drops[hearsay.DropBadSignature]++
			return // a message costs its forger no less than this node
		}
	}
}

// takeHead takes a head for a ledger that is settled up to an epoch.
func (f *Follower) takeHead(now time.Time, from quota.Sender, h *hearsay.Head, c *ledger.Chain, settled hearsay.Epoch) (forged bool) {
	got := c.Hear(h, f.pins[h.Slot].Seat.Key, settled)
	if got.Verified {
		f.checks.Take(now, from, 1)
	}
	if got.Rival != nil && c == &f.chain {
		f.noteRival(now, got.Rival)
	}
	return got.Forged
}

// extend joins rulings to the ledger here, for the heads to prove.
func (f *Follower) extend(items []*hearsay.Ruling) {
	for _, r := range items {
		if f.chain.Epoch()-f.epoch >= unprovenMost+hearsay.MaxRulings {
			return // it is asked for again when those before it are applied
		}
		if !f.based && f.chain.Epoch() == 0 && len(f.chain.Links) == 0 && r.Epoch == 1 {
			f.chain.Restart(0, r.Previous) // what was before is the founding
		}
		if r.Epoch == f.chain.Epoch()+1 && r.Previous == f.chain.HeadHash() {
			f.chain.Append(r, nil)
		}
	}
}

// apply carries out a proven ruling. Not ok is one that does not fit the
// roster: a quorum of seats has signed nonsense, and this peer stays where it
// is.
func (f *Follower) apply(now time.Time, r *hearsay.Ruling) (ok bool) {
	switch r.Kind {
	case hearsay.RulingAdmit:
		if f.members.Get(r.Stay.ID) != nil || r.Claim.Subject != r.Stay.ID {
			return false
		}
		f.members.Add(ledger.Member{Stay: r.Stay, Claim: r.Claim})
		delete(f.past.departed, r.Stay.ID)
	case hearsay.RulingRemove, hearsay.RulingLeave:
		if !f.members.Has(r.Stay) {
			return false
		}
		f.members.Remove(r.Stay.ID)
	case hearsay.RulingSeat, hearsay.RulingRecover:
		if r.Epoch >= f.chain.BeganAt() {
			f.pinAll(r)
		}
	}
	f.epoch, f.last = r.Epoch, r
	e := hearsay.Event{
		At: now, Kind: hearsay.EventRuled, Subject: r.Stay.ID, Epoch: r.Epoch, Case: r.Case, Ruling: r,
		Count: hearsay.QuorumOf(len(f.cfg.Seeds)), Text: r.Kind.String(), Past: r.Epoch <= f.floor, Before: f.heardAt.IsZero() || r.Epoch <= f.stood,
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		e.State, e.Name, e.Addr, e.Incarnation = hearsay.StateAlive, r.Claim.Card.Name, r.Claim.Card.Addr, r.Claim.Incarnation
	case hearsay.RulingRemove:
		e.State = hearsay.StateDead
	case hearsay.RulingLeave:
		e.State = hearsay.StateLeft
	}
	f.out.Events = append(f.out.Events, e)
	return true
}

// keepHeads keeps the proof on disk, so that no later life goes back behind it.
func (f *Follower) keepHeads() {
	for slot := range f.cfg.Seeds {
		if h := f.chain.Heads[slot]; h.Epoch > 0 {
			f.out.Persist = append(f.out.Persist, &hearsay.KeptHead{Head: h})
		}
	}
}

// trim keeps a tail.
func (f *Follower) trim() {
	n := int(f.epoch - f.chain.Base)
	if cut := n - f.cfg.Tail; cut >= f.cfg.Tail {
		last := f.chain.Links[cut-1]
		f.chain.Base, f.chain.BaseHash = last.Ruling.Epoch, last.Hash
		f.chain.Links = slices.Clone(f.chain.Links[cut:])
	}
}

// announce tells the neighbors what is new.
func (f *Follower) announce(before hearsay.Epoch, from netip.AddrPort) {
	news := &hearsay.Rulings{Heads: f.chain.Newest()}
	if f.epoch-before <= announceWhole {
		news.Items = f.chain.After(before, announceWhole)
	}
	for _, addr := range f.directory.Links() {
		if addr != from {
			f.send(addr, news)
		}
	}
}

// ledgerReq gives what of the ledger is asked for.
func (f *Follower) ledgerReq(now time.Time, p *hearsay.Packet, m *hearsay.LedgerReq) {
	if f.last == nil || m.Before > 0 {
		f.drops[hearsay.DropUnexpected]++
		return
	}
	from := f.directory.sender(p)
	if !f.answers.affords(now, from) {
		f.drops[hearsay.DropRate]++
		return
	}
	if whole := m.After < f.chain.Base || m.After == 0 && f.epoch > hearsay.MaxRulings; !whole {
		answer := &hearsay.Rulings{Items: f.chain.After(m.After, hearsay.MaxRulings), Heads: f.chain.Newest()}
		f.answers.sent(now, from, len(answer.AppendBinary(nil)))
		f.send(p.Addr, answer)
		return
	}
	size := 0
	for _, part := range rosterParts(f.random, f.last, f.chain.Newest(), f.members.All(nil)) {
		size += len(part.AppendBinary(nil))
		f.send(p.Addr, part)
	}
	f.answers.sent(now, from, size)
}

// Seats appends who sits in the seats, as far as this peer has met them.
func (f *Follower) Seats(dst []hearsay.Seat) []hearsay.Seat {
	for slot := range f.cfg.Seeds {
		dst = append(dst, f.pins[slot].Seat)
	}
	return dst
}
