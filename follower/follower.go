package follower

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"
)

// Config is what a peer of a seeded network is told at its start.
type Config struct {
	Network   hearsay.NetworkID
	Seeds     []ledger.Seed
	Versions  core.LogVersions // of the log, in which this peer reads rulings
	PollEvery time.Duration    // between two questions whether there is anything new; default 2 s
	AskEvery  time.Duration    // between two questions while something is known to be missing; default 500 ms
	// rulings kept for others, up to twice as many; default 128 (guess: what a neighbor may lack after a
	// minute; who lacks more gets the roster)
	Tail int
}

// DefaultConfig gives the defaults, without a network and seeds.
func DefaultConfig() Config {
	return Config{Versions: ledger.Versions(), PollEvery: 2 * time.Second, AskEvery: 500 * time.Millisecond, Tail: 128}
}

// Directory is what the rest of the node knows.
type Directory struct {
	// the newest that a seed has signed, as far as this node knows; nil: none
	Incarnation func(hearsay.NodeID) hearsay.Incarnation
	Sender      func(*core.Packet) quota.Sender // whose share a packet uses of what this node does for others
	Secret      uint64                          // decides which senders share a slot: see quota.New
	Links       func() []netip.AddrPort         // neighbors, which news is passed on to
	// whether this node holds a seed for alive that has not answered it yet; nil: none
	Alive func(hearsay.NodeID) bool
}

// Follower is the peers' half: it knows the seeds' keys, takes rulings in the
// order of epochs up to the newest head that a quorum of seats has signed, and
// passes them on. It is not safe for concurrent use: the node owns it. It
// appends to the node's Effects.
type Follower struct {
	cfg       Config
	signer    hearsay.Signer
	random    *rand.Rand
	directory Directory
	stats     *hearsay.Stats
	out       *core.Effects

	seats seats // what is known of the seeds

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

	gathering gathering   // a roster that is not proven yet
	rest      rest        // what is proven, and not applied yet
	past      past        // before a roster that came whole
	walk      ledger.Walk // after the epoch here, for who sits where

	tickAt, pollAt, askAt time.Time
	lost                  int            // questions since the last answer
	questions             uint           // so far, from a number drawn at the start on
	answered              time.Time      // when a seed last answered one; zero: none has
	seedTurn              int            // of the seeds, who was asked last because another did not answer
	strangeAt             time.Time      // no seed is asked before because of a stranger
	checks                *quota.Quota   // signatures that are verified
	answers               ledger.Answers // to requests for the ledger
}

// Limits of a follower.
const (
	tickEvery = 100 * time.Millisecond
	// 131,072 members: twice what a roster lists (roster.maxMembers); of a short ledger fewer (rosterLeast)
	maxRosterParts = 1 << 8
	// a roster of a seed that was asked longer ago is not taken. Guess: as unprovenFor
	answersWithin  = 30 * time.Second
	rosterPatience = 5 * time.Second // until a roster must be whole and proven
	// until something must be proven of what one gives who is asked. Guess: a hundred long round trips
	unprovenFor       = 30 * time.Second
	helloPinnedEvery  = 10 * time.Second // a seed that is known is asked again whether it still is
	helloUnknownEvery = time.Second
	// all peers of a seed that was started again ask it within this time. Guess: a thousand are a twentieth of
	// its time then
	renewedWithin = 500 * time.Millisecond
	// a seed is asked so often at once because it may have been started again
	startsMost = 2
	// and then once in this time: one that is accused all the time refutes as often. As helloPinnedEvery
	startsEvery = 10 * time.Second
	// of so many questions what comes next one goes to a seed. A guess
	seedEvery = 4
	// at most one seed is asked because of strangers, on average. Guess: anybody may be one
	strangeEvery = 4 * time.Second
)

// checksASecond bounds the signatures of heads, and of rulings about seats, that a peer verifies, which
// depends on them: a third of a processor, for all together, and a tenth of it at once.
const checksASecond = 5000

var checkShares = quota.Split(checksASecond)

// New makes a follower that knows what its records say: pins and
// heads.
func New(cfg Config, signer hearsay.Signer, random *rand.Rand, directory Directory, records []core.Record, stats *hearsay.Stats, out *core.Effects, now time.Time) *Follower {
	f := &Follower{cfg: cfg, signer: signer, random: random, directory: directory, stats: stats, out: out, tickAt: now}
	f.seats.peer, f.past.peer = f, f
	f.checks, f.answers = quota.New(directory.Secret, checkShares), ledger.NewAnswers(directory.Secret)
	f.chain, f.seats.config = ledger.NewChain(cfg.Network, signer, len(cfg.Seeds)), ledger.HashSeeds(cfg.Network, cfg.Seeds)
	for slot, s := range cfg.Seeds {
		f.seats.pins[slot].Seat, f.seats.lasting[slot] = hearsay.Seat{Slot: uint8(slot), Key: s.Key}, !s.Key.IsZero()
	}
	f.load(records)
	f.floor, f.seats.turn = f.chain.Promised(), random.IntN(len(cfg.Seeds))
	f.questions = f.random.UintN(seedEvery)
	f.seedTurn, f.walk.First = f.seats.turn, f.seats.turn
	return f
}

// load takes what is on disk: pins and heads. If the list of seeds has changed
// since, a pin goes to the slot of its address, and what the old list has promised
// counts no more.
func (f *Follower) load(records []core.Record) {
	var pins []core.SeedPin
	changed := false
	for _, record := range records {
		switch r := record.(type) {
		case *core.SeedPin:
			if slot := int(r.Seat.Slot); !r.Seat.Key.IsZero() {
				pins = append(pins, *r)
				changed = changed || r.Addr.IsValid() && (slot >= len(f.cfg.Seeds) || f.cfg.Seeds[slot].Addr != r.Addr)
			}
		case *core.KeptHead:
			if int(r.Head.Slot) < len(f.cfg.Seeds) {
				f.chain.Ahead[r.Head.Slot] = r.Head
			}
		case *core.KeptRival:
			if int(r.Slot) < len(f.cfg.Seeds) {
				f.chain.Rivals[r.Slot] = r.Rival
			}
		}
	}
	for _, p := range pins {
		// it says nothing of the ledger that the list is of
		if slot := p.Seat.Slot; !changed && int(slot) < len(f.cfg.Seeds) && f.seats.replaced(int(slot), &p) {
			f.out.Persist = append(f.out.Persist, f.chain.ForgetHeads(slot)...)
		}
	}
	if f.chain.Begin(f.chain.KeptFounding()); changed {
		f.chain.Begin(hearsay.Hash{})
		for slot := range uint8(hearsay.MaxSeeds) {
			f.out.Persist = append(f.out.Persist, &core.SeedPin{Seat: hearsay.Seat{Slot: slot}},
				&core.KeptHead{Head: hearsay.Head{Slot: slot}}, &core.KeptRival{Slot: slot, Dropped: true})
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
		if f.seats.replaced(slot, &p) {
			continue
		}
		p.Seat.Slot = uint8(slot)
		if f.seats.pins[slot], f.seats.lasting[slot] = p, true; changed || !p.Addr.IsValid() {
			f.seats.pin(p)
		}
	}
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

// AnsweredAt is when a seed has last answered what comes after the ledger here; zero: none has in this life.
func (f *Follower) AnsweredAt() time.Time { return f.answered }

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
	f.tickAt = now.Add(tickEvery)
	f.seats.noteStarts(now)
	f.seats.tickHellos(now)
	f.seats.expire(now)
	f.seats.keepPins()
	f.tickGathering(now)
	if f.chain.Forked() {
		return
	}
	f.past.tick(now)
	f.tickWalk(now)
	// When most of a network is lost, so are most neighbors: after one that has not
	// answered each seed is asked once, soon, and then there is no hurry. Nor is there while a
	// roster waits for its proof: others would give another.
	again := f.lost > 0 && f.lost <= len(f.cfg.Seeds)
	behind := (!f.based || f.chain.Promised() > f.epoch) && !f.gathering.whole() && !f.walk.Under()
	if (behind || again) && !now.Before(f.askAt) || !now.Before(f.pollAt) {
		f.ask(now, f.someone())
	}
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

// someone gives the node to ask: a neighbor that is drawn, or every fourth time a seed. Seeds have the
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
	if len(links) == 0 || !f.based || f.past.seatsWanted() || f.questions%seedEvery == 0 {
		return f.leastAsked()
	}
	return links[f.random.IntN(len(links))]
}

// leastAsked gives the seed that was asked longest ago for what comes next: so each to which no stream gets is found
// out soon.
func (f *Follower) leastAsked() netip.AddrPort {
	first := f.random.IntN(len(f.cfg.Seeds))
	least, since := -1, time.Time{}
	for i := range f.cfg.Seeds {
		slot := (first + i) % len(f.cfg.Seeds)
		if at := f.askedAt[slot]; least < 0 || at.Before(since) {
			least, since = slot, at
		}
	}
	return f.cfg.Seeds[least].Addr
}

// ask asks for what comes next. What is proven comes last, by the heads of its
// end, and may be far: so one is asked on and on. Any other that is asked has to
// begin with what is proven.
func (f *Follower) ask(now time.Time, addr netip.AddrPort) {
	f.askAt, f.pollAt = now.Add(f.about(f.cfg.AskEvery)), now.Add(f.cfg.PollEvery)
	if f.lost > 0 && f.seedAt(f.asked) >= 0 {
		f.Doubt(now) // it has answered no question of another kind: no stream may get to it
	}
	f.lost++
	f.questions++
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
	f.send(addr, &core.LedgerReq{After: after})
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

func (f *Follower) send(addr netip.AddrPort, m core.Message) {
	f.out.Send = append(f.out.Send, core.Packet{Addr: addr, Stream: true, Body: m})
}

// Receive takes a packet that may be about the ledger, and reports whether it
// was. It must have come by stream.
func (f *Follower) Receive(now time.Time, p *core.Packet) bool {
	switch m := p.Body.(type) {
	case *core.SeatHello:
		f.seats.seatHello(now, f.directory.Sender(p), m)
	case *core.Rulings:
		f.rulings(now, p, m)
	case *core.RosterPart:
		f.rosterPart(now, p, m)
	case *core.LedgerReq:
		f.ledgerReq(now, p, m)
	default:
		return false
	}
	return true
}

// rulings takes what comes after the ledger here, as far as heads prove it.
func (f *Follower) rulings(now time.Time, p *core.Packet, m *core.Rulings) {
	if p.Addr == f.asked {
		f.lost = 0
		if f.seedAt(p.Addr) >= 0 {
			f.answered = now
		}
	}
	if f.past.take(now, p.Addr, m.Items) {
		return
	}
	before, end, known := f.epoch, f.chain.Epoch(), f.chain.Promised()
	from := f.directory.Sender(p)
	var others []ledger.Entry // what another has answered, as far as it is not proven
	if p.Addr != f.asked {
		others = f.unproven()
	}
	joint := f.chain.Epoch()
	unheld := func(r *hearsay.Ruling) bool {
		return r.Epoch > f.epoch && f.seats.believeSeat(now, from, r, f.chain.Founding)
	}
	hold := !slices.ContainsFunc(m.Items, unheld)
	if p.Addr == f.cfg.Seeds[f.walk.Slot].Addr && f.walk.Take(now, m.Items, hold) {
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
	case beyond > ledger.UnprovenMost || f.chain.Epoch() >= promised || !now.Before(f.trust):
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

// Behind reports whether the ledger went further than it has come here when this life first heard of it. Of another
// founding nothing is waited for.
func (f *Follower) Behind() bool { return f.epoch < min(f.stood, f.chain.Promised()) }

func (f *Follower) takeHeads(now time.Time, from quota.Sender, heads []hearsay.Head) {
	for i := range heads {
		h := &heads[i]
		if int(h.Slot) >= len(f.cfg.Seeds) {
			continue
		}
		gathered := f.gathering.whole() && f.gathering.chain.OfFounding(h)
		if !f.chain.OfFounding(h) && !gathered {
			f.stats.Drops[hearsay.DropStranger]++
			continue
		}
		if !f.checks.Take(now, from, 0) {
			f.stats.Drops[hearsay.DropRate]++
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
			f.stats.Drops[hearsay.DropBadSignature]++
			return // a message costs its forger no less than this node
		}
	}
}

// takeHead takes a head for a ledger that is settled up to an epoch.
func (f *Follower) takeHead(now time.Time, from quota.Sender, h *hearsay.Head, c *ledger.Chain, settled hearsay.Epoch) (forged bool) {
	got := c.Hear(h, f.seats.pins[h.Slot].Seat.Key, settled)
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
		if f.chain.Epoch()-f.epoch >= ledger.UnprovenMost+core.MaxRulings {
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
			f.seats.pinAll(r)
		}
	}
	f.epoch, f.last = r.Epoch, r
	e := ledger.Ruled(now, r, hearsay.QuorumOf(len(f.cfg.Seeds)))
	e.Past, e.Before = r.Epoch <= f.floor, f.heardAt.IsZero() || r.Epoch <= f.stood
	f.out.Events = append(f.out.Events, e)
	return true
}

// keepHeads keeps the proof on disk, so that no later life goes back behind it.
func (f *Follower) keepHeads() {
	for slot := range f.cfg.Seeds {
		if h := f.chain.Heads[slot]; h.Epoch > 0 {
			f.out.Persist = append(f.out.Persist, &core.KeptHead{Head: h})
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
	news := &core.Rulings{Heads: f.chain.Newest()}
	if f.epoch-before <= ledger.AnnounceWhole {
		news.Items = f.chain.After(before, ledger.AnnounceWhole)
	}
	for _, addr := range f.directory.Links() {
		if addr != from {
			f.send(addr, news)
		}
	}
}

// ledgerReq gives what of the ledger is asked for.
func (f *Follower) ledgerReq(now time.Time, p *core.Packet, m *core.LedgerReq) {
	if f.last == nil || m.Before > 0 {
		f.stats.Drops[hearsay.DropUnexpected]++
		return
	}
	from := f.directory.Sender(p)
	if !f.answers.Affords(now, from) {
		f.stats.Drops[hearsay.DropRate]++
		return
	}
	if whole := m.After < f.chain.Base || m.After == 0 && f.epoch > core.MaxRulings; !whole {
		answer := &core.Rulings{Items: f.chain.After(m.After, core.MaxRulings), Heads: f.chain.Newest()}
		f.answers.Sent(now, from, len(answer.AppendBinary(nil)))
		f.send(p.Addr, answer)
		return
	}
	size := 0
	for _, part := range ledger.RosterParts(f.random, f.last, f.chain.Newest(), f.members.All(nil)) {
		size += len(part.AppendBinary(nil))
		f.send(p.Addr, part)
	}
	f.answers.Sent(now, from, size)
}

// Seats appends who sits in the seats, as far as this peer has met them.
func (f *Follower) Seats(dst []hearsay.Seat) []hearsay.Seat {
	for slot := range f.cfg.Seeds {
		dst = append(dst, f.seats.pins[slot].Seat)
	}
	return dst
}

// ProvenSeats is Seats as of this peer's epoch: a seat is believed by the ballots of the ruling that gives it, before
// the heads of a quorum prove that ruling.
func (f *Follower) ProvenSeats() []hearsay.Seat {
	seats := f.Seats(nil)
	for slot := range seats {
		if last := &f.seats.until[slot]; last.epoch > f.epoch {
			seats[slot] = last.seat
		}
	}
	return seats
}

// Oldest is the first epoch whose ruling is kept, if there is one.
func (f *Follower) Oldest() hearsay.Epoch { return f.chain.Base + 1 }

// Heads gives the newest head of each seat that is known, in the order of
// slots.
func (f *Follower) Heads() []hearsay.Head { return f.chain.Newest() }
