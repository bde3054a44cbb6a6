package guest

import (
	"bytes"
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
)

// The limits of one look at what a guest has. All are guesses.
const (
	p4PushFor   = 5 * time.Second // of telling it of others, of taking what it has, and of telling it what it lacks
	p4TakeMost  = 4096            // keys that are new here, or have another value: the rest at later looks
	p4TakeBytes = 8 << 20         // of the values of these
)

// tellWaiting tells a guest the keys that wait for it, and reports whether it is reached.
func (p *P4) tellWaiting(ctx context.Context, id string, g *p4Guest, at netip.AddrPort) bool {
	p.mu.Lock()
	waiting := g.waiting
	g.waiting = make(map[string]struct{})
	p.mu.Unlock()
	keys := slices.Sorted(maps.Keys(waiting))
	for i, key := range keys {
		if p.tell(ctx, g, at, key, dialect.P4Hot) {
			continue
		}
		p.mu.Lock()
		for _, key := range keys[i:] {
			g.waiting[key] = struct{}{}
		}
		g.pingSoon()
		p.mu.Unlock()
		return false
	}
	return true
}

// tell tells a guest what a key is, unless it has that, and reports whether it is reached. What is hot, as it was just
// written, has one id whichever node of ours tells it, and guests pass it on; what is told again has a new one.
func (p *P4) tell(ctx context.Context, g *p4Guest, at netip.AddrPort, key string, excitement int) bool {
	stored, err := p.node.Get(key)
	if err != nil {
		return true // the node ends
	}
	value, is := stored.Value()
	text := []byte("null")
	if is {
		text = dialect.P4Value(value)
	}
	sum, self := p4Sum(text), p.self
	seen := []string{self}
	p.mu.Lock()
	has, known := g.has[key]
	for _, id := range slices.Sorted(maps.Keys(p.guests)) {
		if p.guests[id].State != hearsay.StateDead {
			seen = append(seen, id) // they are told, too
		}
	}
	p.mu.Unlock()
	if known && has == sum || !known && !is {
		return true
	}
	version := []byte(stored.Context)
	if !is || excitement != dialect.P4Hot {
		version = make([]byte, 16)
		cryptorand.Read(version)
	}
	now := time.Now()
	err = p.ask(ctx, p4TellLimit, at.String(), p4PathGossip, &dialect.P4Rumor{
		ID: dialect.P4RumorID(key, version), Data: dialect.P4Data{Operation: dialect.P4Update, Key: &key, Value: text},
		Timestamp: p4Time(now), Sender: self, Excitement: excitement, Propagation: 1, Seen: seen,
	}, nil)
	if err == nil {
		p.mu.Lock()
		g.has[key] = sum
		k := p.key(key)
		k.told = stored.Context
		k.holds(stored.Context, sum)
		k.gone = !is
		p.mu.Unlock()
	}
	return reached(err)
}

// look looks at what a guest has and believes, and makes good what differs: it is told anew, or what it has is taken.
// One that stays different is looked at more and more seldom.
func (p *P4) look(ctx context.Context, id string, g *p4Guest, at netip.AddrPort) {
	select {
	case p.looks <- struct{}{}:
		defer func() { <-p.looks }()
	default:
		return // at the next tick
	}
	began := time.Now()
	p.mu.Lock()
	g.looked, g.lookAt = began, began.Add(p4CheckMost)
	clear(g.said)
	p.mu.Unlock()
	shown, s, err := p.show(ctx, at)
	differs, took := err != nil || s.NodeID != id, 0
	if !differs {
		p.consider(at.Addr(), s.Members)
		believes := p.believes(ctx, id, at, &s)
		var equal bool
		equal, took = p.equal(ctx, id, g, at, shown)
		if differs = !equal || !believes; equal {
			p.noteEqual(ctx, id, g, began)
		}
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !reached(err) {
		g.pingSoon()
	}
	next := now.Add(p4CheckCalm)
	if took > 0 { // what is taken at once is so much
		g.wait = min(g.wait, p4SayBurst)
	}
	if !differs {
		g.wait = p4CheckFirst
	} else {
		next = now.Add(g.wait)
		g.wait = min(2*g.wait, p4CheckMost)
	}
	if next.Before(g.lookAt) {
		g.lookAt = next
	}
}

// noteEqual has our nodes know since when a guest had all that is here: what it has otherwise of a key that was not
// written here since, it has written itself, also while all of ours were down.
func (p *P4) noteEqual(ctx context.Context, id string, g *p4Guest, since time.Time) {
	p.mu.Lock()
	r := g.p4Record
	due := r.State == hearsay.StateAlive && since.Sub(r.Equal) >= p4EqualEach && r.Equal.Before(p.changed.Add(p4EqualAfter))
	p.mu.Unlock()
	if r.Equal = since.UTC(); due {
		p.set(ctx, id, r)
	}
}

// believes reports whether a guest believes of all others what is so. Else it is told: deaths by rumors, the rest by
// all members.
func (p *P4) believes(ctx context.Context, id string, at netip.AddrPort, s *dialect.P4Status) bool {
	ctx, cancel := context.WithTimeout(ctx, p4PushFor)
	defer cancel()
	members, self := p.Members(map[string]uint64{}), p.self
	right, synced := true, true
	for _, other := range slices.Sorted(maps.Keys(members)) {
		m := members[other]
		theirs, known := s.Members[other]
		switch {
		case other == id:
		case m.IsAlive && (!known || !theirs.IsAlive || theirs.Port != m.Port):
			synced = false
		case !m.IsAlive && known && theirs.IsAlive:
			right = false
			unique := make([]byte, 16)
			cryptorand.Read(unique)
			p.ask(ctx, p4TellLimit, at.String(), p4PathGossip, &dialect.P4Rumor{
				ID: dialect.P4RumorID(other, unique), Data: dialect.P4Data{Operation: dialect.P4Failed, NodeID: other},
				Timestamp: p4Time(time.Now()), Sender: self, Excitement: dialect.P4Cold, Propagation: 1, Seen: []string{self, id},
			}, nil) // if it fails the next look shows it
		}
	}
	if !synced {
		p.ask(ctx, p4TellLimit, at.String(), p4PathSync, dialect.P4Members{Members: members}, nil)
	}
	return right && synced
}

// p4Shown is what a guest has shown of its keys.
type p4Shown struct {
	from    netip.Addr
	sums    map[string]uint64
	values  map[string][]byte // of those that are otherwise than here
	bytes   int               // of these
	strange int               // keys that never were here
	cut     bool              // it has shown more than is read
	more    bool              // or than is kept
}

// show reads what a guest has. Of many keys that never were here only some are kept: they are taken, and then come the
// next.
func (p *P4) show(ctx context.Context, at netip.AddrPort) (shown *p4Shown, s dialect.P4Status, err error) {
	shown = &p4Shown{from: at.Addr(), sums: make(map[string]uint64), values: make(map[string][]byte)}
	most := int64(p4StatusMost + p4StatusEach*p.node.Stats().StoreBytes)
	err = p.request(ctx, p4LookLimit, at.String(), p4PathStatus, nil, func(answer io.Reader) (err error) {
		limited := io.LimitedReader{R: answer, N: most}
		s, err = dialect.P4ReadStatus(&limited, func(key string, value []byte) { p.showKey(shown, key, value) })
		if shown.cut = err != nil && limited.N == 0; shown.cut {
			err = nil
		}
		return err
	})
	return shown, s, err
}

// showKey takes note of a key that a guest has shown.
func (p *P4) showKey(shown *p4Shown, key string, value []byte) {
	if hearsay.CheckKey(key) != nil || P4IsReserved(key) || len(value) > hearsay.MaxValue || dialect.P4Unreadable(value) != "" {
		p.refused.Add(1)
		return
	}
	stored, err := p.node.Get(key)
	if err != nil {
		return // the node ends
	}
	own, known := p.sumOf(&stored)
	if !known && shown.strange >= p4TakeMost {
		shown.more = true
		return
	}
	sum := p4Sum(value)
	if !known {
		shown.strange++
	}
	shown.sums[key] = sum
	if sum == own {
		return
	}
	if len(shown.values) >= p4TakeMost || shown.bytes+len(value) > p4TakeBytes {
		shown.more = true
		return
	}
	shown.bytes += len(value)
	shown.values[key] = bytes.Clone(value)
}

// sumOf gives the sum of the value that a key has here, and whether it is known that it ever had one.
func (p *P4) sumOf(stored *hearsay.Stored) (sum uint64, known bool) {
	value, is := stored.Value()
	p.mu.Lock()
	k, known := p.keys[stored.Key]
	cached := known && k.at == string(stored.Context)
	if cached {
		sum = k.sum
	}
	p.mu.Unlock()
	switch {
	case !is:
		return p4Null, known
	case !cached:
		sum = p4Sum(dialect.P4Value(value))
	}
	return sum, true
}

// equal reports whether a guest has what is here, and how many of its keys were taken. What it lacks, or has otherwise,
// it is told, but for a value that was never here: that it has written, and it is taken, as fast as rumors are. Of a
// key that it had otherwise before it is one of several that were written at the same time.
func (p *P4) equal(ctx context.Context, id string, g *p4Guest, at netip.AddrPort, shown *p4Shown) (equal bool, took int) {
	sums := shown.sums
	p.mu.Lock()
	before, said := g.has, maps.Clone(g.said)
	for key := range said { // it has said more since it was asked
		sums[key] = before[key]
	}
	g.has = maps.Clone(sums)
	p.mu.Unlock()
	var tells []string
	until := time.Now().Add(p4PushFor)
	taking, stop := context.WithDeadline(ctx, until)
	defer stop()
	equal = !shown.more && !shown.cut
	for key := range sums {
		if _, newer := said[key]; newer {
			continue
		}
		verdict := p4Later
		if time.Now().Before(until) {
			verdict = p.compare(taking, id, g, key, shown, before)
		}
		switch verdict {
		case p4Tell:
			tells = append(tells, key)
		case p4Took:
			took++
			equal = false // it may have lost: the next look shows it
		case p4Spent, p4Later:
			equal = false
			p.mu.Lock()
			if g.has[key] = before[key]; before[key] == 0 { // it is new at the next look, too
				delete(g.has, key)
			}
			p.mu.Unlock()
			if verdict == p4Spent {
				stop()
			}
		case p4Same:
		}
	}
	for after := ""; !shown.cut; {
		keys, err := p.node.Keys("", after, p4Page)
		if err != nil || len(keys) == 0 {
			break
		}
		for i := range keys {
			if after = keys[i].Key; sums[after] == 0 && !P4IsReserved(after) {
				tells = append(tells, after)
			}
		}
	}
	slices.Sort(tells)
	until = time.Now().Add(p4PushFor)
	for _, key := range tells {
		if time.Now().After(until) || !p.tell(ctx, g, at, key, dialect.P4Cold) {
			break
		}
	}
	return equal && len(tells) == 0, took
}

// p4Verdict is what a key that a guest has shown comes to.
type p4Verdict int

const (
	p4Same  p4Verdict = iota
	p4Tell            // it has something old
	p4Took            // it had something new
	p4Later           // it has, and that is taken later
	p4Spent           // and so is the rest
)

// compare compares a key that a guest has shown with ours: it may be taken.
func (p *P4) compare(ctx context.Context, id string, g *p4Guest, key string, shown *p4Shown, before map[string]uint64) p4Verdict {
	stored, err := p.node.Get(key)
	if err != nil {
		return p4Same // the node ends
	}
	own, _ := p.sumOf(&stored)
	sum, value := shown.sums[key], shown.values[key]
	is := len(stored.Siblings) > 0
	p.mu.Lock()
	k := p.keys[key]
	if is {
		k = p.key(key)
		k.holds(stored.Context, own)
		k.gone = false
	}
	if sum == own {
		if is {
			k.told = stored.Context
		}
		p.mu.Unlock()
		return p4Same
	}
	was := before[key]
	changed := was != 0 && was != sum // since it was looked at, or else since it was equal
	if was == 0 && is {
		changed = stored.Siblings[0].At.Add(p4EqualAfter / 2).Before(g.Equal)
	}
	fresh := k == nil || !is && len(k.past) == 0 || changed && !slices.Contains(k.past, sum)
	var told hearsay.Context
	if k != nil {
		told = k.told
	}
	if k != nil && !fresh {
		k.had(sum) // if it is shown again it is no new write
	}
	p.mu.Unlock()
	if !fresh {
		return p4Tell
	}
	if value == nil || ctx.Err() != nil {
		return p4Later
	}
	if !p.pays(time.Now(), shown.from) {
		return p4Spent
	}
	w := hearsay.Write{Key: key, Value: value, Context: told}
	if !is {
		w.Context, w.If = nil, hearsay.IfAbsent
	}
	if p.put(ctx, dialect.P4RumorID(id+"\x00"+key, value), w, sum, []string{id}) != nil {
		return p4Later
	}
	return p4Took
}

// Hear takes a rumor of a guest that has come from an address, once in the whole network. What is written blindly there
// takes the place of what guests were told last.
func (p *P4) Hear(ctx context.Context, r *dialect.P4Rumor, from netip.Addr) error {
	if dialect.P4IsOurs(r.ID) {
		return nil
	}
	if r.Data.Operation == dialect.P4Failed {
		if !p.pays(time.Now(), from) {
			return ErrP4TooMuch
		}
		p.doubt(r.Data.NodeID)
		return nil
	}
	key := *r.Data.Key
	if P4IsReserved(key) {
		return fmt.Errorf("key %q: %w", key, ErrP4Reserved)
	}
	if before, err := p.node.Get(p4SaidPrefix + r.ID); err != nil || len(before.Siblings) > 0 {
		return err
	}
	if !p.pays(time.Now(), from) {
		return ErrP4TooMuch
	}
	sum := p4Sum(r.Data.Value)
	w := hearsay.Write{Key: key, Value: r.Data.Value}
	var seen []string
	p.mu.Lock()
	if k := p.keys[key]; k != nil && len(p.guests) > 0 {
		w.Context = k.told
	}
	for _, id := range append(r.Seen, r.Sender) {
		if p.guests[id] != nil && !slices.Contains(seen, id) {
			seen = append(seen, id)
		}
	}
	p.mu.Unlock()
	return p.put(ctx, r.ID, w, sum, seen)
}

// pays reports whether one more rumor is taken from an address.
func (p *P4) pays(now time.Time, from netip.Addr) bool {
	from = core.Source(from)
	p.mu.Lock()
	defer p.mu.Unlock()
	until := p.paid[from]
	if earliest := now.Add(-p4SayBurst); until.Before(earliest) {
		until = earliest
	}
	if until.After(now) {
		p.refused.Add(1)
		return false
	}
	if len(p.paid) > p4Most {
		clear(p.paid)
	}
	p.paid[from] = until.Add(p4SayEach)
	return true
}

// put writes a value of a guest, unless it is there, and that it was heard.
func (p *P4) put(ctx context.Context, rumor string, w hearsay.Write, sum uint64, seen []string) error {
	stored, err := p.node.Get(w.Key)
	if err != nil {
		return err
	}
	said := hearsay.Write{
		Key: p4SaidPrefix + rumor, Value: jsonOf(p4Said{Key: w.Key, Sum: sum, Seen: seen}), TTL: p4SaidFor, If: hearsay.IfAbsent,
	}
	ctx, cancel := context.WithTimeout(ctx, p4WriteFor)
	defer cancel()
	if value, is := stored.Value(); is && p4Sum(dialect.P4Value(value)) == sum {
		_, err := p.node.Write(ctx, said)
		return heard(err)
	}
	contexts, err := p.node.Write(ctx, said, w)
	if errors.Is(err, hearsay.ErrUnseen) || errors.Is(err, hearsay.ErrSiblings) {
		w.Context = nil
		contexts, err = p.node.Write(ctx, said, w)
	}
	if err == nil {
		p.mu.Lock()
		p.key(w.Key).told = contexts[1]
		p.mu.Unlock()
	}
	return heard(err)
}

// heard takes it for well that another node of ours has been faster.
func heard(err error) error {
	if errors.Is(err, hearsay.ErrKeyExists) {
		return nil
	}
	return err
}

// doubt has a member that another holds dead looked after: a guest is pinged, and of others all are told anew.
func (p *P4) doubt(id string) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	g, at := p.guests[id], p.places[id]
	if g != nil {
		g.pingSoon()
	} else if at.Port == 0 {
		return // no member
	}
	p.lookSoon(now)
	p.wake()
}
