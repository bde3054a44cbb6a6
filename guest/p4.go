package guest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
)

// The limits on guests of p4. All are guesses.
const (
	p4Most       = 256                    // guests
	p4MostOf     = 64                     // of these, of one IP address or IPv6 network
	p4Servers    = 2                      // of our nodes, that serve each guest
	p4Tick       = 200 * time.Millisecond // between two looks at what is to do
	p4ReadyAfter = 2 * time.Second        // of having all that others have of the store, until this node serves guests
	p4EqualEach  = 30 * time.Second       // between two times that it is noted that a guest has all
	p4EqualAfter = 2 * time.Minute        // after a change for which that is noted; and half of it clocks may differ
	p4SayEach    = time.Second / 100      // between two rumors from one IP address
	p4SayBurst   = 10 * time.Second       // of these at once
	p4RosterEach = time.Second            // and at our members
	p4PingEach   = 2 * time.Second        // between two pings of a guest
	p4DoubtEach  = time.Second            // and of one that is doubted
	p4Misses     = 2                      // pings without an answer, one after the other, until it is dead
	p4Indirect   = 3                      // others that are asked to ping it
	p4CheckFirst = 2 * time.Second        // from what was told, or was found different, to a look at what the guest has
	p4CheckMost  = time.Minute            // between two looks at one that stays different
	p4CheckCalm  = 30 * time.Second       // and at one that is equal
	p4Forget     = 24 * time.Hour         // after which a guest that is dead is none
	p4PlaceFor   = 24 * time.Hour         // for which a node's place counts, and is told again in a quarter of that
	p4SaidFor    = 10 * time.Minute       // for which a rumor of a guest goes round
	p4Keys       = 1 << 16                // keys of which is remembered what they were
	p4Past       = 16                     // values of each
	p4Waiting    = 4096                   // keys that wait to be told to a guest; more are found by a look at what it has
	p4WriteFor   = 10 * time.Second       // for a write to be durable
)

// P4Prefix begins the keys in which our nodes tell each other of p4: where they serve HTTP, which guests there are, and
// which of their rumors were heard. They come before almost all others.
const P4Prefix = "\x00hearsay/p4/"

// P4End comes behind all of these.
const P4End = P4Prefix + "~"

// P4IsReserved reports whether a key is one of these.
func P4IsReserved(key string) bool { return strings.HasPrefix(key, P4Prefix) }

const (
	p4PlacePrefix = P4Prefix + "node/"
	p4GuestPrefix = P4Prefix + "guest/"
	p4SaidPrefix  = P4Prefix + "said/"
)

// P4Node is the node that guests of p4 are let to.
type P4Node interface {
	Self() hearsay.Member
	Joined() bool
	Stats() hearsay.Stats
	Members() []hearsay.Member
	Get(key string) (hearsay.Stored, error)
	Keys(prefix, after string, limit int) ([]hearsay.KeyInfo, error)
	Write(ctx context.Context, writes ...hearsay.Write) (contexts [][]byte, err error)
	Revision() hearsay.Revision
	WatchAfter(ctx context.Context, prefix string, after hearsay.Revision, idle time.Duration) (iter.Seq2[hearsay.Revision, hearsay.Event], error)
}

// P4Place is where a node of ours serves HTTP, as its guests are told it.
type P4Place struct {
	Host string `json:"host"`
	Port uint16 `json:"port"`
}

// p4Record is what our nodes tell each other of a guest.
type p4Record struct {
	Addr  netip.AddrPort `json:"addr"` // of its HTTP
	State hearsay.State  `json:"state"`
	Since time.Time      `json:"since"`
	// when it had all that was here; zero: never
	Equal time.Time `json:"equal,omitzero"`
}

// p4Said is what they tell of a rumor that one of them has heard.
type p4Said struct {
	Key  string   `json:"key"`
	Sum  uint64   `json:"sum,string"` // of its value
	Seen []string `json:"seen"`       // nodes that have it
}

// P4 has nodes of p4 as guests: members of its own kind, of which the core knows nothing. All nodes of ours that hold
// the store and serve HTTP have the same list of them, which is in the store; two of ours serve each guest: they ping
// it, tell it what changes, and look from time to time at what it has, and what it believes of the others. What differs
// they tell it anew, or take from it. So whatever is lost on the way, and whichever of our nodes ends, is made good.
type P4 struct {
	node   P4Node
	self   string // its name
	place  P4Place
	join   []string
	log    *slog.Logger
	client *http.Client
	kick   chan struct{}
	work   sync.WaitGroup
	tries  chan struct{} // a place for each node that is asked whether it is one
	runs   atomic.Bool

	refused atomic.Uint64

	// of the goroutine of Run: our members, as of some time, and since when this node has the store
	seen       map[string]hearsay.Member
	seenAt     time.Time
	assignedAt time.Time
	readySince time.Time
	// of looks at what guests have: a place for each
	looks chan struct{}

	mu      sync.Mutex
	wanted  bool      // somebody speaks p4 here
	told    time.Time // this node's place was told
	guests  map[string]*p4Guest
	places  map[string]P4Place // of our nodes, by name
	keys    map[string]*p4Key
	uses    uint64    // of these
	changed time.Time // a key was
	stale   bool      // it is to be seen anew which nodes serve which guests
	living  string    // names of our members that are alive: at a change guests are looked at
	hinted  map[netip.Addr]time.Time
	paid    map[netip.Addr]time.Time // until then what came from an address is paid for: see p4SayEach
	hints   []p4Hint                 // nodes that guests have named
	joining []netip.Addr             // that are sent the members now
}

// p4Guest is a guest, and what this node knows of it if it serves it.
type p4Guest struct {
	p4Record
	serves  bool // this node does
	pinging bool // it is pinged
	busy    bool // it is told something, or looked at
	missed  int
	vouched bool // another guest has said that it lives, since it has answered last
	pinged  time.Time
	pingAt  time.Time
	looked  time.Time // what it has was looked at last
	lookAt  time.Time
	wait    time.Duration
	waiting map[string]struct{} // keys to tell
	has     map[string]uint64   // sums of the values that it has, as far as is known
	said    map[string]struct{} // keys of which it has said something since it began to be looked at
}

// p4Key is what is remembered of a key.
type p4Key struct {
	told hearsay.Context // the version that guests have; nil: it is not known
	at   string          // the version of which sum is
	sum  uint64          // of the winner
	past []uint64        // of values that it had
	gone bool            // it was deleted
	used uint64          // P4.uses at that time
}

// NewP4 gives those of a node that serves HTTP at a place, and is to join nodes of p4 at these URLs. With a zero place
// it takes what guests write, and no guests.
func NewP4(node P4Node, place P4Place, join []string, log *slog.Logger) *P4 {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &P4{
		node: node, self: node.Self().Name, place: place, join: join, log: log, client: newP4Client(),
		kick: make(chan struct{}, 1), tries: make(chan struct{}, p4Tries), looks: make(chan struct{}, p4Looks),
		guests: make(map[string]*p4Guest), places: make(map[string]P4Place), keys: make(map[string]*p4Key),
		paid: make(map[netip.Addr]time.Time), hinted: make(map[netip.Addr]time.Time),
	}
}

// Run serves guests until ctx or the node ends. A seed, which has no store, has none.
func (p *P4) Run(ctx context.Context) {
	if p.place.Port == 0 {
		p.untellPlace(ctx)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer p.work.Wait()
	defer cancel()
	p.runs.Store(true)
	defer p.runs.Store(false)
	p.work.Go(func() {
		defer cancel()
		p.follow(ctx)
	})
	for _, url := range p.join {
		p.work.Go(func() { p.enter(ctx, url) })
	}
	var tick <-chan time.Time
	for {
		if tick == nil && p.concerned() {
			ticker := time.NewTicker(p4Tick)
			defer ticker.Stop()
			tick = ticker.C
		}
		select {
		case <-tick:
			p.step(ctx, time.Now())
		case <-p.kick:
			p.step(ctx, time.Now())
		case <-ctx.Done():
			return
		}
	}
}

func (p *P4) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// concerned reports whether anybody speaks p4 in this network.
func (p *P4) concerned() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wanted || len(p.guests)+len(p.places) > 0
}

// openWait is how long the first that asks waits until our nodes have told each other where they serve HTTP.
const openWait = 500 * time.Millisecond

// Open has our nodes tell each other where they serve HTTP: somebody speaks p4. The first one waits for it.
func (p *P4) Open(ctx context.Context) {
	p.mu.Lock()
	first := !p.wanted && p.runs.Load()
	p.wanted = true
	p.mu.Unlock()
	if !first {
		return
	}
	p.wake()
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	look := time.NewTicker(openWait / 20)
	defer look.Stop()
	for !p.complete() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// complete reports whether it is known of all our peers where they serve.
func (p *P4) complete() bool {
	members := p.node.Members()
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(members, func(m hearsay.Member) bool {
		_, known := p.places[m.Name]
		return m.Role == hearsay.RolePeer && m.State == hearsay.StateAlive && !known
	})
}

// ours gives our members by name; of several of one name one that lives.
func (p *P4) ours() map[string]hearsay.Member {
	ours := make(map[string]hearsay.Member)
	for _, m := range p.node.Members() {
		if other, is := ours[m.Name]; !is || !other.State.Living() {
			ours[m.Name] = m
		}
	}
	return ours
}

// Members gives the members as guests are told them: our nodes that serve HTTP and hold the store, as far as it is
// known where, and the guests.
func (p *P4) Members(clock map[string]uint64) map[string]dialect.P4Member {
	ours, now := p.ours(), time.Now()
	members := make(map[string]dialect.P4Member)
	add := func(id string, at P4Place, alive bool, since time.Time) {
		m := dialect.P4Member{ID: id, Host: at.Host, Port: at.Port, IsAlive: alive, LastSeen: p4Time(since), VectorClock: map[string]uint64{}}
		if alive {
			m.LastSeen = p4Time(now)
		}
		members[id] = m
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, at := range p.places {
		if m, listed := ours[name]; listed {
			add(name, at, m.State.Living(), m.Since)
		}
	}
	for id, g := range p.guests {
		add(id, P4Place{p4Host(g.Addr.Addr()), g.Addr.Port()}, g.State != hearsay.StateDead, g.Since)
	}
	add(p.self, p.place, true, now)
	me := members[p.self]
	me.VectorClock = clock
	members[p.self] = me
	return members
}

func p4Time(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

// Guests gives the guests as members, by name.
func (p *P4) Guests() (guests []hearsay.Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(p.guests)) {
		g := p.guests[id]
		guests = append(guests, hearsay.Member{
			ID: core.GuestID(hearsay.NetworkIDOf("p4 "+id), g.Addr, core.Lines), Name: id, Addr: g.Addr, Role: hearsay.RolePeer,
			State: g.State, Since: g.Since, Dialect: "p4",
		})
	}
	return guests
}

// Refuse counts what a guest has sent and was not taken.
func (p *P4) Refuse() { p.refused.Add(1) }

// Refused is how much of what guests sent was not taken.
func (p *P4) Refused() uint64 { return p.refused.Load() }

// step sees to what is due.
func (p *P4) step(ctx context.Context, now time.Time) {
	if !p.concerned() {
		return
	}
	if now.Sub(p.seenAt) >= p4RosterEach {
		p.seenAt, p.seen = now, p.ours()
		p.noteReady(now)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.assignedAt) >= p4RosterEach || p.stale {
		p.assign(ctx, now)
	}
	if now.Sub(p.told) >= p4PlaceFor/4 {
		p.told = now
		p.work.Go(func() { p.tellPlace(ctx) })
	}
	p.followHints(ctx)
	for id, g := range p.guests {
		at := g.Addr
		if g.serves && !g.pinging && !now.Before(g.pingAt) {
			g.pinging = true
			p.work.Go(func() { p.ping(ctx, id, g, at) })
		}
		if answers := g.State != hearsay.StateDead && g.missed == 0; g.serves && !g.busy && answers && (len(g.waiting) > 0 || !now.Before(g.lookAt)) {
			g.busy = true
			p.work.Go(func() { p.serve(ctx, id, g, at) })
		}
	}
}

// assign finds which guests this node serves. Its caller holds p.mu.
func (p *P4) assign(ctx context.Context, now time.Time) {
	p.assignedAt, p.stale = now, false
	ready := !p.readySince.IsZero() && now.Sub(p.readySince) >= p4ReadyAfter
	ours := p.seen
	var living []string
	for name, m := range ours {
		if m.State == hearsay.StateAlive {
			living = append(living, name)
		}
	}
	slices.Sort(living)
	if all := strings.Join(living, " "); all != p.living {
		p.living = all
		p.lookSoon(now)
	}
	for id, g := range p.guests {
		if m, is := ours[id]; is && m.State.Living() { // a node of ours has come under its name
			p.work.Go(func() { p.write(ctx, hearsay.Write{Key: p4GuestPrefix + id, Delete: true}) })
			delete(p.guests, id)
			continue
		}
		serves := ready && p.server(id, living)
		if serves && !g.serves {
			g.pingAt, g.lookAt, g.wait, g.missed, g.vouched = now, now, p4CheckFirst, 0, false
			g.waiting, g.has, g.said = make(map[string]struct{}), make(map[string]uint64), make(map[string]struct{})
		}
		g.serves = serves
	}
}

// noteReady notes since when this node has all that others have of the store: one that serves guests before that would
// tell them what is old. That is so once: later it gets what changes.
func (p *P4) noteReady(now time.Time) {
	if !p.readySince.IsZero() && now.Sub(p.readySince) >= p4ReadyAfter {
		return
	}
	if stats := p.node.Stats(); !p.node.Joined() || stats.StoreLacks > 0 {
		p.readySince = time.Time{}
	} else if p.readySince.IsZero() {
		p.readySince = now
	}
}

// server reports whether a node is one of those that serve a guest: the first two of the living in an order that is
// another for each guest.
func (p *P4) server(id string, living []string) bool {
	rank := func(name string) uint64 {
		h := fnv.New64a()
		h.Write([]byte(id + "\x00" + name))
		return h.Sum64()
	}
	before, own := 0, rank(p.self)
	for _, name := range living {
		if _, serves := p.places[name]; serves && name != p.self && rank(name) < own {
			before++
		}
	}
	return before < p4Servers
}

// serve tells a guest what waits for it, and looks at what it has, as far as that is due. It is pinged meanwhile.
func (p *P4) serve(ctx context.Context, id string, g *p4Guest, at netip.AddrPort) {
	defer func() {
		p.mu.Lock()
		g.busy = false
		p.mu.Unlock()
	}()
	if !p.tellWaiting(ctx, id, g, at) {
		return
	}
	p.mu.Lock()
	looks := !time.Now().Before(g.lookAt)
	p.mu.Unlock()
	if looks {
		p.look(ctx, id, g, at)
	}
}

// lookSoon has all guests looked at: what they should believe of others has changed. Its caller holds p.mu.
func (p *P4) lookSoon(now time.Time) {
	for _, g := range p.guests {
		g.soon(now, 0)
	}
}

// soon has a guest looked at in a while, unless it was just now, or is different whatever it is told.
func (g *p4Guest) soon(now time.Time, in time.Duration) {
	at := now.Add(in)
	if earliest := g.looked.Add(max(p4CheckFirst, g.wait/2)); at.Before(earliest) {
		at = earliest
	}
	if at.Before(g.lookAt) {
		g.lookAt = at
	}
}

// pingSoon has a guest that may be gone pinged, unless it was just now. One that has missed a ping is pinged in its
// time: the next that it misses is its end.
func (g *p4Guest) pingSoon() {
	if at := g.pinged.Add(p4DoubtEach); g.missed == 0 && at.Before(g.pingAt) {
		g.pingAt = at
	}
}

// tellPlace writes where this node serves.
func (p *P4) tellPlace(ctx context.Context) {
	if !p.write(ctx, hearsay.Write{Key: p4PlacePrefix + p.self, Value: jsonOf(p.place), TTL: p4PlaceFor}) {
		p.mu.Lock()
		p.told = time.Now().Add(p4WriteFor - p4PlaceFor/4) // soon again
		p.mu.Unlock()
	}
}

// untellPlace takes back where an earlier life of this node served.
func (p *P4) untellPlace(ctx context.Context) {
	key := p4PlacePrefix + p.self
	if stored, err := p.node.Get(key); err == nil && len(stored.Siblings) > 0 {
		p.write(ctx, hearsay.Write{Key: key, Delete: true})
	}
}

func jsonOf(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // none has what JSON does not know
	}
	return text
}

// write writes what our nodes are to know.
func (p *P4) write(ctx context.Context, writes ...hearsay.Write) bool {
	ctx, cancel := context.WithTimeout(ctx, p4WriteFor)
	defer cancel()
	_, err := p.node.Write(ctx, writes...)
	if err != nil && ctx.Err() == nil {
		p.log.Warn("Could not tell the other nodes of guests (p4)", "why", err)
	}
	return err == nil
}

// follow keeps up with the store until ctx or the node ends. As long as there are no guests it heeds only what is about
// guests.
func (p *P4) follow(ctx context.Context) {
	for {
		prefix, all := P4Prefix, p.hasGuests()
		if all {
			prefix = ""
		}
		changes, err := p.node.WatchAfter(ctx, prefix, p.node.Revision(), 0)
		if err != nil || !p.load() {
			return
		}
		p.wake()
		again := !all && p.hasGuests() // since it was loaded
		for _, e := range changes {
			if again = again || e.Kind == hearsay.EventLagged; again {
				break
			}
			p.note(e.Change)
			if again = !all && p.hasGuests(); again {
				break
			}
		}
		if !again {
			return
		}
	}
}

func (p *P4) hasGuests() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.guests) > 0
}

const p4Page = 256 // keys that are listed at a time

// load reads what our nodes have told.
func (p *P4) load() bool {
	held := make(map[string]bool)
	for after := ""; ; {
		keys, err := p.node.Keys(P4Prefix, after, p4Page)
		if err != nil {
			return false
		}
		if len(keys) == 0 {
			break
		}
		after = keys[len(keys)-1].Key
		for _, k := range keys {
			held[k.Key] = true
			if strings.HasPrefix(k.Key, p4SaidPrefix) {
				continue
			}
			if stored, err := p.node.Get(k.Key); err == nil {
				value, _ := stored.Value()
				p.noteRecord(k.Key, value)
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.guests) == 0 {
		clear(p.keys) // nobody kept up with them
	}
	for id := range p.guests {
		if !held[p4GuestPrefix+id] {
			delete(p.guests, id)
		}
	}
	for name := range p.places {
		if !held[p4PlacePrefix+name] {
			delete(p.places, name)
		}
	}
	p.changed = time.Now() // as far as is known
	p.lookSoon(p.changed)
	return true
}

// note learns from a change of the store.
func (p *P4) note(c *hearsay.KeyChange) {
	if c == nil {
		return
	}
	if P4IsReserved(c.Key) {
		value := c.Value
		if c.Siblings == 0 {
			value = nil
		}
		p.noteRecord(c.Key, value)
		p.wake()
		return
	}
	sum := p4Null
	if c.Siblings > 0 {
		sum = p4Sum(dialect.P4Value(c.Value))
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = now
	k := p.key(c.Key)
	k.holds(c.Context, sum)
	k.gone = c.Siblings == 0
	tells := false
	for _, g := range p.guests {
		if !g.serves || g.State == hearsay.StateDead {
			continue
		}
		tells = true
		g.soon(now, p4CheckFirst)
		if g.has[c.Key] != sum && len(g.waiting) < p4Waiting {
			g.waiting[c.Key] = struct{}{}
		}
	}
	if !tells { // others do
		k.told = c.Context
	}
	p.wake()
}

// key gives what is remembered of a key. Its caller holds p.mu.
func (p *P4) key(key string) *p4Key {
	k := p.keys[key]
	if k == nil {
		if len(p.keys) >= p4Keys {
			p.forgetKeys()
		}
		k = &p4Key{}
		p.keys[key] = k
	}
	p.uses++
	k.used = p.uses
	return k
}

// forgetKeys forgets half of the keys: first those that are here, as the store knows them, then those that were
// deleted; of each the ones that were not asked for the longest. Its caller holds p.mu.
func (p *P4) forgetKeys() {
	keys := slices.SortedFunc(maps.Keys(p.keys), func(a, b string) int {
		one, two := p.keys[a], p.keys[b]
		if one.gone != two.gone {
			if two.gone {
				return -1
			}
			return 1
		}
		return cmp.Compare(one.used, two.used)
	})
	for _, key := range keys[:len(keys)/2] {
		delete(p.keys, key)
	}
}

// holds says which version of a key is here, and the sum of its winner.
func (k *p4Key) holds(context hearsay.Context, sum uint64) {
	k.at, k.sum = string(context), sum
	k.had(sum)
}

// had says that a key had a value.
func (k *p4Key) had(sum uint64) {
	if slices.Contains(k.past, sum) {
		return
	}
	if k.past = append(k.past, sum); len(k.past) > p4Past {
		k.past = k.past[1:]
	}
}

// p4Sum stands for a value, as JSON. It is not 0.
func p4Sum(value []byte) uint64 {
	h := fnv.New64a()
	h.Write(dialect.P4Canonical(value))
	return max(h.Sum64(), 1)
}

// p4Null is the sum of null, which a deleted key becomes at guests: they delete nothing.
var p4Null = p4Sum([]byte("null"))

// noteRecord learns what our nodes tell each other; no value: it is gone.
func (p *P4) noteRecord(key string, value []byte) {
	now := time.Now()
	if id, is := strings.CutPrefix(key, p4GuestPrefix); is {
		p.noteGuest(now, id, value)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stale = p.stale || strings.HasPrefix(key, p4PlacePrefix)
	if name, is := strings.CutPrefix(key, p4PlacePrefix); is {
		var at P4Place
		if value == nil || json.Unmarshal(value, &at) != nil || at.Port == 0 {
			delete(p.places, name)
			return
		}
		if p.places[name] != at {
			p.places[name] = at
			p.lookSoon(now)
		}
	}
	var said p4Said
	if strings.HasPrefix(key, p4SaidPrefix) && value != nil && json.Unmarshal(value, &said) == nil {
		p.key(said.Key).had(said.Sum)
		for _, id := range said.Seen {
			if g := p.guests[id]; g != nil && g.serves {
				g.has[said.Key] = said.Sum
				g.said[said.Key] = struct{}{}
				delete(g.waiting, said.Key)
			}
		}
	}
}

// noteGuest learns of a guest.
func (p *P4) noteGuest(now time.Time, id string, value []byte) {
	var r p4Record
	gone := value == nil || json.Unmarshal(value, &r) != nil || !r.Addr.IsValid() || hearsay.CheckName(id) != nil
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stale = true
	g := p.guests[id]
	switch {
	case gone:
		delete(p.guests, id)
		return
	case g == nil && len(p.guests) >= p4Most && !p.makeRoom(r.State):
		p.refused.Add(1)
		return
	case g == nil:
		g = &p4Guest{}
		p.guests[id] = g
		p.log.Info("A guest (p4) is in", "name", id, "addr", r.Addr.String(), "state", r.State.String())
		p.lookSoon(now)
	case g.State != r.State:
		if g.State == hearsay.StateDead || r.State == hearsay.StateDead {
			p.log.Info("A guest (p4) is "+r.State.String(), "name", id, "addr", r.Addr.String())
			p.lookSoon(now)
		}
		if g.State == hearsay.StateDead { // what it is told begins anew
			g.serves = false
		}
	}
	g.p4Record = r
}

// deadest gives the guest that is dead for the longest of some; "": none is. Its caller holds p.mu.
func (p *P4) deadest(among func(*p4Guest) bool) (id string) {
	for other, g := range p.guests {
		if g.State != hearsay.StateDead || !among(g) {
			continue
		}
		if id == "" || cmp.Or(g.Since.Compare(p.guests[id].Since), strings.Compare(other, id)) < 0 {
			id = other
		}
	}
	return id
}

// makeRoom forgets a guest that is dead for one that is not, and may be told of before the end of that. Its caller
// holds p.mu.
func (p *P4) makeRoom(state hearsay.State) bool {
	id := ""
	if state != hearsay.StateDead {
		id = p.deadest(func(*p4Guest) bool { return true })
	}
	delete(p.guests, id)
	return id != ""
}

// set has all our nodes know a guest's state.
func (p *P4) set(ctx context.Context, id string, r p4Record) bool {
	w := hearsay.Write{Key: p4GuestPrefix + id, Value: jsonOf(r)}
	if r.State == hearsay.StateDead {
		w.TTL = p4Forget
	}
	return p.write(ctx, w)
}

// Why says why a guest is held to be what it is; false: there is no guest of that name.
func (p *P4) Why(name string) (file hearsay.CaseFile, is bool) {
	guests := p.Guests()
	i := slices.IndexFunc(guests, func(m hearsay.Member) bool { return m.Name == name || m.ID.String() == name })
	if i < 0 {
		return file, false
	}
	m := guests[i]
	file = hearsay.CaseFile{Member: m, Verdict: m.State.String(), Steps: []hearsay.Step{}}
	told := map[hearsay.State]string{
		hearsay.StateAlive:   "It answers the pings of the peers that serve it.",
		hearsay.StateSuspect: "It has not answered the last ping of a peer that serves it; others are asked to ping it.",
		hearsay.StateDead:    "It has answered no ping, neither of peers that serve it nor of others that they asked. It is pinged on for a day, and is alive again once it answers.",
	}[m.State]
	file.Summary = fmt.Sprintf("%s is a node of an earlier program (p4), a guest at http://%s/, %s since %s. %s Seeds do not rule on such a guest: it is in while it answers.",
		m.Name, m.Addr, m.State, m.Since.UTC().Format(time.RFC3339), told)
	return file, true
}

// Errors of what nodes of p4 ask.
var (
	ErrP4Busy     = errors.New("as many nodes join as may at a time")
	ErrP4Refused  = errors.New("it cannot be a guest")
	ErrP4TooMuch  = errors.New("more rumors come from this address than are taken; what they say is taken later, from what nodes show")
	ErrP4Reserved = errors.New("keys that begin so are those of the nodes themselves")
)
