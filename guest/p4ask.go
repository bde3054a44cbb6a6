package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
)

// The limits of what is asked over HTTP. All but p4PingLimit are guesses.
const (
	p4PingLimit   = time.Second // of a ping, as p4 has it
	p4ProbeLimit  = 3 * p4PingLimit / 2
	p4TellLimit   = 2 * time.Second
	p4LookLimit   = 10 * time.Second
	p4LookBegins  = p4TellLimit // for the begin of what is read then
	p4AnswerMost  = 64 << 10    // bytes of an answer
	p4StatusMost  = 8 << 20     // and of that of GET /api/status, beside what tells of our own keys
	p4StatusEach  = 4           // bytes there for each byte of a key or value of ours: \u and four digits are two bytes
	p4HeaderMost  = 16 << 10
	p4Joins       = 8                      // nodes that are sent the members at a time
	p4JoinsOf     = 4                      // of them at one address
	p4JoinFor     = 10 * time.Second       // they listen only some time after they have asked
	p4JoinWait    = 500 * time.Millisecond // between two tries
	p4JoinTries   = 3                      // of one that takes connections: one that starts may not be ready once
	p4OutliveFor  = 10 * time.Second       // for which one that joins waits for the end of another of its name
	p4Tries       = 16                     // nodes at a time that are asked whether they are what others say
	p4Looks       = 2                      // guests at a time whose GET /api/status is read: it may be long
	p4HintEach    = time.Second            // between two times that one address is believed to name others
	p4HintMost    = 16                     // that it names
	p4EnterFirst  = time.Second            // until a node is asked again to let this one join
	p4EnterMost   = 10 * time.Second
	p4PathPing    = "/api/ping"
	p4PathSync    = "/api/sync_members"
	p4PathGossip  = "/api/gossip"
	p4PathJoin    = "/api/join"
	p4PathStatus  = "/api/status"
	p4PathProbe   = "/api/indirect_ping"
	p4PathOfOurs  = "/v1/self"
	p4AliveStatus = "alive"
)

// newP4Client gives what asks guests: at the address that was found right and nowhere else.
func newP4Client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: p4HeaderMost, WriteBufferSize: 4 << 10, ReadBufferSize: 4 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answeredError is of a node that has answered otherwise than 200.
type answeredError struct{ status string }

func (e *answeredError) Error() string { return "it answers " + e.status }

// reached reports whether a node has answered, whatever.
func reached(err error) bool {
	_, is := errors.AsType[*answeredError](err)
	return err == nil || is
}

// ask sends a request to host:port, with a body unless that is nil, and reads the answer into a value unless that is.
func (p *P4) ask(ctx context.Context, limit time.Duration, to, path string, body, into any) error {
	return p.request(ctx, limit, to, path, body, func(answer io.Reader) error {
		if into == nil {
			return nil
		}
		text, err := io.ReadAll(io.LimitReader(answer, p4AnswerMost))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		return err
	})
}

// request sends a request to host:port, with a body unless that is nil, and has the answer read.
func (p *P4) request(ctx context.Context, limit time.Duration, to, path string, body any, read func(answer io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	method, text := http.MethodGet, []byte(nil)
	if body != nil {
		method, text = http.MethodPost, jsonOf(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+to+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	begins := time.AfterFunc(limit, cancel)
	if body == nil {
		begins.Reset(min(limit, p4LookBegins))
	}
	got, err := p.client.Do(r)
	begins.Stop()
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return &answeredError{got.Status}
	}
	return read(got.Body)
}

// name gives the name that answers a ping at an address; "" if none does.
func (p *P4) name(ctx context.Context, to string) string {
	var answer dialect.P4Alive
	if p.ask(ctx, p4PingLimit, to, p4PathPing, dialect.P4Ping{Sender: p.self}, &answer) != nil || answer.Status != p4AliveStatus {
		return ""
	}
	return answer.NodeID
}

// ping pings a guest, and has others ping it if it does not answer for the first time. What comes of it all our nodes
// are told.
func (p *P4) ping(ctx context.Context, id string, g *p4Guest, at netip.AddrPort) {
	defer func() {
		p.mu.Lock()
		g.pinging = false
		p.mu.Unlock()
	}()
	began := time.Now()
	answers := p.name(ctx, at.String()) == id
	p.mu.Lock()
	before, first := g.State, g.missed == 0
	p.mu.Unlock()
	var others p4Vouched
	if !answers && before != hearsay.StateDead && first {
		others = p.others(ctx, id)
	}
	alive := answers || others == p4ByOurs
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	p.mu.Lock()
	g.pinged, g.pingAt = began, began.Add(p4PingEach)
	switch waits := others == p4ByGuest && !g.vouched; {
	case alive:
		g.missed, g.vouched = 0, false
	case waits:
		g.vouched = true
	default:
		g.missed++
	}
	r, missed := g.p4Record, g.missed
	p.mu.Unlock()
	state := before
	switch {
	case alive:
		state = hearsay.StateAlive
	case missed >= p4Misses:
		state = hearsay.StateDead
	case missed == 0: // a guest has vouched for it
	case before == hearsay.StateAlive:
		state = hearsay.StateSuspect
	}
	if state != r.State && r.Addr == at {
		r.State, r.Since = state, now.UTC()
		p.set(ctx, id, r)
	}
}

// p4Vouched is by which others a guest is reached.
type p4Vouched int

const (
	p4ByNone  p4Vouched = iota
	p4ByGuest           // which may lie: it is one more ping for that guest, until it answers again
	p4ByOurs
)

// others asks some others to ping a guest: nodes of ours, and guests.
func (p *P4) others(ctx context.Context, id string) (by p4Vouched) {
	self, ours := p.self, p.ours()
	asked := make(map[string]p4Vouched)
	p.mu.Lock()
	for name, at := range p.places { // in a random order
		if m := ours[name]; name != self && m.State == hearsay.StateAlive && len(asked) < p4Indirect-1 {
			asked[net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port)))] = p4ByOurs
		}
	}
	for other, g := range p.guests {
		if other != id && g.State == hearsay.StateAlive && len(asked) < p4Indirect {
			if to := g.Addr.String(); asked[to] == p4ByNone {
				asked[to] = p4ByGuest
			}
		}
	}
	p.mu.Unlock()
	answers := make(chan p4Vouched, len(asked))
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel() // the first of ours that reaches it is enough
	for to, vouches := range asked {
		asking.Go(func() {
			var answer dialect.P4Probed
			err := p.ask(ctx, p4ProbeLimit, to, p4PathProbe, dialect.P4Probe{Target: id, Requester: self}, &answer)
			if err != nil || !answer.Success {
				vouches = p4ByNone
			}
			answers <- vouches
		})
	}
	for range asked {
		if by = max(by, <-answers); by == p4ByOurs {
			break
		}
	}
	return by
}

// Probe reports whether a member answers, for another node that does not reach it: a guest if it answers now, one of
// ours if it is held alive.
func (p *P4) Probe(ctx context.Context, id string) bool {
	p.mu.Lock()
	g := p.guests[id]
	var at netip.AddrPort
	if g != nil {
		at = g.Addr
	}
	p.mu.Unlock()
	if g == nil {
		return p.ours()[id].State == hearsay.StateAlive
	}
	select {
	case p.tries <- struct{}{}:
		defer func() { <-p.tries }()
		return p.name(ctx, at.String()) == id
	default:
		return false
	}
}

// enter has this node join the network of the node of p4 at a URL, and try until that lets it.
func (p *P4) enter(ctx context.Context, url string) {
	to := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/")
	for wait := p4EnterFirst; ; wait = min(2*wait, p4EnterMost) {
		err := p.tryEnter(ctx, to)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			p.log.Info("This node has joined a network of an earlier program (p4)", "at", url)
			return
		case errors.Is(err, errP4Ours):
			p.log.Error("Cannot join over HTTP: "+err.Error(), "at", url)
			return
		case wait == p4EnterFirst:
			p.log.Warn("Could not join a network of an earlier program (p4); it is tried again", "at", url, "why", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

var errP4Ours = errors.New("a node of hearsay is there, and no earlier program")

func (p *P4) tryEnter(ctx context.Context, to string) error {
	var self struct {
		ID   hearsay.NodeID `json:"id"`
		Addr string         `json:"addr"`
	}
	if p.ask(ctx, p4LookLimit, to, p4PathOfOurs, nil, &self) == nil && !self.ID.IsZero() {
		return fmt.Errorf("%w: join it at %s, without http", errP4Ours, self.Addr)
	}
	addr, err := lookUp(ctx, to)
	if err != nil {
		return err
	}
	if p.place.loopback() && !addr.Addr().IsLoopback() {
		return fmt.Errorf("%s does not reach this node, which serves HTTP at %s only: want --http with an address of this machine", addr, p.place.Host)
	}
	join := dialect.P4Join{NodeID: p.self, Host: p.place.Host, Port: p.place.Port}
	if err := p.ask(ctx, p4JoinFor, addr.String(), p4PathJoin, join, nil); err != nil {
		return fmt.Errorf("ask to join: %w", err)
	}
	name := p.name(ctx, addr.String())
	if name == "" {
		return errors.New("it answers no ping")
	}
	return p.register(ctx, name, addr)
}

// lookUp gives the address of host:port, which an operator has given.
func lookUp(ctx context.Context, to string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddrPort(to); err == nil {
		return addr, nil
	}
	host, port, err := net.SplitHostPort(to)
	if err != nil {
		return netip.AddrPort{}, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if i := slices.IndexFunc(ips, func(ip netip.Addr) bool { return ip.Unmap().Is4() }); i > 0 {
		ips[0] = ips[i] // p4 serves IPv4
	}
	return netip.AddrPortFrom(ips[0].Unmap(), uint16(number)), nil
}

// P4PlaceOf gives where a node that serves HTTP at host:port is, as guests are told it; ip is its own, for where HTTP
// is served at all addresses.
func P4PlaceOf(http string, ip netip.Addr) (at P4Place) {
	host, port, err := net.SplitHostPort(http)
	number, wrong := strconv.ParseUint(port, 10, 16)
	if err != nil || wrong != nil {
		return at
	}
	served, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return P4Place{host, uint16(number)}
	case served.IsUnspecified():
		served = ip
	}
	return P4Place{p4Host(served), uint16(number)}
}

// loopback reports whether only this machine reaches it.
func (at P4Place) loopback() bool {
	ip, err := netip.ParseAddr(at.Host)
	return at.Host == "localhost" || err == nil && ip.IsLoopback()
}

var ip4Loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// p4Host is how guests spell an IP address.
func p4Host(ip netip.Addr) string {
	if ip == ip4Loopback || ip == netip.IPv6Loopback() {
		return "localhost"
	}
	return ip.String()
}

// p4At gives the address that a node at an IP address means by a host and a port. No name is looked up, and nobody is
// sent to what only this machine reaches, but from this machine.
func p4At(host string, port uint16, from netip.Addr) (netip.AddrPort, error) {
	from = from.Unmap().WithZone("")
	ip, err := netip.ParseAddr(host)
	ip = ip.Unmap().WithZone("")
	switch {
	case port == 0:
		return netip.AddrPort{}, errors.New("port 0")
	case host == "localhost" && from.IsLoopback():
		ip = ip4Loopback
	case host == "localhost":
		ip = from
	case err != nil:
		return netip.AddrPort{}, fmt.Errorf("host %.64q: want an IP address, or localhost", host)
	case ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() || ip.IsLoopback() && !from.IsLoopback():
		return netip.AddrPort{}, fmt.Errorf("host %s: nobody else is reached there", ip)
	}
	return netip.AddrPortFrom(ip, port), nil
}

// register makes a guest of a node that has answered under its name.
func (p *P4) register(ctx context.Context, id string, at netip.AddrPort) error {
	if p.place.Port == 0 {
		return nil
	}
	if err := hearsay.CheckName(id); err != nil {
		return fmt.Errorf("%w: %w", ErrP4Refused, err)
	}
	if p.ours()[id].State.Living() {
		return fmt.Errorf("%w: %s is a node of hearsay in this network; want another name", ErrP4Refused, id)
	}
	p.mu.Lock()
	known, of, source := p.guests[id], 0, core.Source(at.Addr())
	for _, g := range p.guests {
		if core.Source(g.Addr.Addr()) == source {
			of++
		}
	}
	all := len(p.guests)
	full, room := known == nil && (all >= p4Most || of >= p4MostOf), ""
	if full {
		room = p.deadest(func(g *p4Guest) bool { return of < p4MostOf || core.Source(g.Addr.Addr()) == source })
	}
	var before p4Record
	if known != nil {
		before = known.p4Record
	}
	p.mu.Unlock()
	switch {
	case full && room == "":
		p.refused.Add(1)
		return fmt.Errorf("%w: there are %d guests, %d of them at its address, and none is dead to make room; want at most %d and %d", ErrP4Refused, all, of, p4Most, p4MostOf)
	case known != nil && before.Addr == at && before.State == hearsay.StateAlive:
		return nil
	case known != nil && before.Addr != at && before.State != hearsay.StateDead && !p.outlives(ctx, id, before.Addr):
		p.refused.Add(1)
		return fmt.Errorf("%w: %s is at %s, and is not dead there", ErrP4Refused, id, before.Addr)
	}
	r := p4Record{Addr: at, State: hearsay.StateAlive, Since: time.Now().UTC()}
	writes := []hearsay.Write{{Key: p4GuestPrefix + id, Value: jsonOf(r)}}
	if full {
		writes = append(writes, hearsay.Write{Key: p4GuestPrefix + room, Delete: true})
	}
	if !p.write(ctx, writes...) {
		return errors.New("could not tell the other nodes of it")
	}
	p.mu.Lock()
	p.wanted = true
	p.mu.Unlock()
	p.wake()
	return nil
}

// outlives waits until the guest of a name is dead at an address, unless it answers there. One that is slow for once
// keeps its name.
func (p *P4) outlives(ctx context.Context, id string, at netip.AddrPort) bool {
	if p.name(ctx, at.String()) == id {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, p4OutliveFor)
	defer cancel()
	look := time.NewTicker(p4Tick)
	defer look.Stop()
	for {
		p.mu.Lock()
		g := p.guests[id]
		dead := g == nil || g.State == hearsay.StateDead
		if !dead {
			g.pingSoon()
		}
		p.mu.Unlock()
		if dead {
			return true
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return false
		}
	}
}

// p4Hint is a node that a guest has named.
type p4Hint struct {
	id string
	at netip.AddrPort
}

// Consider has the nodes that a guest at an address names asked whether they are there; those that answer become
// guests. What anybody else says, or is said too often, it passes over.
func (p *P4) Consider(from netip.Addr, members map[string]dialect.P4Member) {
	from = from.Unmap()
	now := time.Now()
	p.mu.Lock()
	believed := now.Sub(p.hinted[from]) >= p4HintEach
	isGuest := false
	for _, g := range p.guests {
		isGuest = isGuest || g.Addr.Addr() == from
	}
	if isGuest && believed {
		if len(p.hinted) > p4Most {
			clear(p.hinted)
		}
		p.hinted[from] = now
	}
	p.mu.Unlock()
	if isGuest && believed {
		p.consider(from, members)
	}
}

// consider is Consider for what a guest was asked.
func (p *P4) consider(from netip.Addr, members map[string]dialect.P4Member) {
	ours := p.ours()
	p.mu.Lock()
	defer p.mu.Unlock()
	named := 0
	for id, m := range members { // in a random order: of many all get their turn, those too that it holds dead for ever
		at, err := p4At(m.Host, m.Port, from)
		g := p.guests[id]
		if err != nil || ours[id].State != 0 || at == p.own() || g != nil && (g.Addr == at || g.State != hearsay.StateDead) {
			continue
		}
		if named++; named > p4HintMost || len(p.hints) >= p4Most {
			p.refused.Add(1)
			break
		}
		p.hints = append(p.hints, p4Hint{id, at})
	}
	p.wake()
}

// followHints asks the nodes that were named, as far as there are places. Its caller holds p.mu.
func (p *P4) followHints(ctx context.Context) {
	for len(p.hints) > 0 {
		select {
		case p.tries <- struct{}{}:
		default:
			return
		}
		h := p.hints[0]
		p.hints = p.hints[1:]
		p.work.Go(func() {
			defer func() { <-p.tries }()
			if p.name(ctx, h.at.String()) != h.id {
				return
			}
			if err := p.register(ctx, h.id, h.at); err != nil {
				p.log.Debug("A node of p4 that another has named is no guest", "name", h.id, "why", err)
			}
		})
	}
}

// own is where this node serves HTTP itself, as an address.
func (p *P4) own() netip.AddrPort {
	at, _ := p4At(p.place.Host, p.place.Port, ip4Loopback)
	return at
}

// Join takes note of a node of p4 at an address that a source asks to join. The members are sent to it by welcome,
// which comes after the answer: it asks before it listens, and waits for the answer. ErrP4Busy and ErrP4Refused say why
// not.
func (p *P4) Join(j *dialect.P4Join, at netip.AddrPort, source netip.Addr) (welcome func(ctx context.Context, clock map[string]uint64), err error) {
	if err := hearsay.CheckName(j.NodeID); err != nil {
		return nil, fmt.Errorf("%w: node_id: %w", ErrP4Refused, err)
	}
	if p.ours()[j.NodeID].State.Living() {
		return nil, fmt.Errorf("%w: node_id %s is the name of a node of hearsay in this network; want another", ErrP4Refused, j.NodeID)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	of := 0
	for _, o := range p.joining {
		if o == source {
			of++
		}
	}
	if len(p.joining) >= p4Joins || of >= p4JoinsOf {
		return nil, fmt.Errorf("%w: %d, or %d at one address; try again in some seconds", ErrP4Busy, p4Joins, p4JoinsOf)
	}
	p.joining = append(p.joining, source)
	return func(ctx context.Context, clock map[string]uint64) {
		defer p.joined(source)
		if !p.send(ctx, at, clock) || p.name(ctx, at.String()) != j.NodeID {
			p.log.Warn("A node of p4 has asked to join, and does not answer as such", "name", j.NodeID, "addr", at.String())
		} else if err := p.register(ctx, j.NodeID, at); err != nil {
			p.log.Warn("A node of p4 that has joined is no guest", "name", j.NodeID, "why", err)
		}
	}, nil
}

// joined says that a node is sent the members no more.
func (p *P4) joined(source netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.Index(p.joining, source)
	p.joining = slices.Delete(p.joining, at, at+1)
}

// send sends the members until the node takes them, it has answered otherwise too often, its time is over or this node
// ends.
func (p *P4) send(ctx context.Context, to netip.AddrPort, clock map[string]uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, p4JoinFor)
	defer cancel()
	wait := time.NewTicker(p4JoinWait)
	defer wait.Stop()
	for tries := 0; tries < p4JoinTries; {
		err := p.ask(ctx, p4JoinFor, to.String(), p4PathSync, dialect.P4Members{Members: p.Members(clock)}, nil)
		if err == nil {
			return true
		}
		if failed, is := errors.AsType[*net.OpError](err); !is || failed.Op != "dial" { // else it does not listen yet
			tries++
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return false
		}
	}
	return false
}
