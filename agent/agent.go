package agent

import (
	"cmp"
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/casefile"
	"hearsay/guest"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/store"
	"hearsay/wire"
)

// errClosed is why a leave came to nothing.
var errClosed = errors.New("the agent was closed before it had left")

// errStopped is why a call to an agent that has stopped comes to nothing.
var errStopped = errors.New("the agent has stopped")

// Agent is a running member.
type Agent struct {
	cfg     Config
	started time.Time
	copied  bool // the data directory was a copy, or moved, when this agent was started
	// another program had changed it since it was used last
	overwritten bool

	callers   atomic.Uint32 // calls that have asked the seeds from within the process
	stopping  bool          // guarded by mu
	counters  counters
	conn      *net.UDPConn
	disk      *store.Disk // nil without a data directory
	hub       *hub
	changes   *changes
	inbox     *inbox
	journal   *journal
	commits   *commitQueue
	loop      *loop
	questions questions
	streams   *streams
	abroad    *abroad
	resolver  *resolver
	source    *outbound // from which this node sends
	address   ownAddress
	moving    *moving // nil: the address that others are told is configured

	idle chan struct{} // closed when the loop has ended
	left chan struct{} // closed when the node has left, or gone away, in good order
	done chan struct{} // closed when nothing runs any more

	mu  sync.Mutex
	err error // why it stopped by itself

	// retired guards the node once the loop has ended.
	retired sync.Mutex
}

// Start starts a member and returns when it listens; it joins on its own. The
// context bounds the start only: the agent runs until Close, Leave, or until
// it cannot go on, which Done and Err tell.
func Start(ctx context.Context, cfg Config) (*Agent, error) {
	a, err := prepare(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("start agent: %w", err)
	}
	a.run()
	return a, nil
}

// prepare makes an agent of which nothing runs yet.
func prepare(ctx context.Context, cfg Config) (a *Agent, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var join []address
	for _, text := range cfg.Join {
		if at, _ := parseJoin(text); !IsURL(text) { // Validate saw that it is well-formed
			join = append(join, at)
		}
	}
	conn, listener, addr, err := cfg.bind(ctx, cfg.towards(join))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
			listener.Close()
		}
	}()
	a = &Agent{
		cfg: cfg, started: time.Now(), conn: conn,
		idle: make(chan struct{}), left: make(chan struct{}), done: make(chan struct{}),
	}
	identity, records, err := a.open()
	if err != nil {
		return nil, err
	}
	if err := a.build(identity, records, addr, listener, join); err != nil {
		if a.disk != nil {
			err = errors.Join(err, a.disk.Close())
		}
		return nil, err
	}
	a.address.addr, a.address.has = addr, isOnMachine
	if bind, _ := parseBind(cfg.Bind); cfg.Role == hearsay.RolePeer && cfg.Advertise == "" && bind.ip.IsUnspecified() {
		ip, byRoute := routed(ctx, bind.ip, cfg.towards(join), nil)
		bound := netip.AddrPortFrom(bind.ip, addr.Port())
		a.moving = &moving{bound: bound, join: cfg.towards(join), period: cfg.Detect.Longest(), tells: addr, routed: byRoute && ip == addr.Addr()}
	}
	if contacts := literal(join); len(contacts) > 0 {
		a.inbox.put(func(now time.Time) { a.loop.carryOut(a.loop.node.Contact(now, contacts)) })
	}
	return a, nil
}

// bind listens where the configuration says, and gives the address at which
// others reach this node.
func (c *Config) bind(ctx context.Context, join []address) (conn *net.UDPConn, listener *net.TCPListener, addr netip.AddrPort, err error) {
	bind, _ := parseBind(c.Bind) // Validate saw that it is well-formed
	local := netip.AddrPortFrom(bind.ip, bind.port)
	if !bind.ip.IsValid() {
		found, err := bind.lookup(ctx, netip.IPv6Unspecified())
		if err != nil {
			return nil, nil, addr, fmt.Errorf("bind: %w", err)
		}
		local = found[0]
	}
	if c.sockets != nil {
		conn, listener = c.sockets.conn, c.sockets.listener
	} else if conn, listener, err = listenWithin(ctx, local, BindTimeout); err != nil {
		switch taken := errors.Is(err, syscall.EADDRINUSE); {
		case taken && c.Role == hearsay.RoleSeed:
			err = fmt.Errorf("%w; end it: the list of seeds has this address, and with another port all nodes need another list", err)
		case taken:
			err = fmt.Errorf("%w; choose another port", err)
		}
		return nil, nil, addr, err
	}
	bound := netip.AddrPortFrom(local.Addr(), uint16(listener.Addr().(*net.TCPAddr).Port))
	if addr, err = c.advertised(ctx, bound, join); err == nil {
		err = c.checkAmongSeeds(bound, addr)
	}
	if err != nil {
		conn.Close()
		listener.Close()
	}
	return conn, listener, addr, err
}

// isSeedLife reports whether only a seed keeps such a record.
func isSeedLife(r core.Record) bool {
	_, is := r.(*core.SeedLife)
	return is
}

// checkData says that a data directory is not of this role: an identity is a
// seed's or a peer's. What a seed makes durable first has its life in it.
func (c *Config) checkData(records []core.Record) error {
	seeds := slices.ContainsFunc(records, isSeedLife)
	switch {
	case c.Role == hearsay.RolePeer && seeds:
		return fmt.Errorf("data directory %s: it is a seed's; a peer wants one of its own", c.Data)
	case c.Role == hearsay.RoleSeed && !seeds && len(records) > 0:
		return fmt.Errorf("data directory %s: it is a peer's; a seed wants one of its own", c.Data)
	}
	return nil
}

// open gives the identity, and what earlier lives persisted. Without a data
// directory both are new.
func (a *Agent) open() (*hearsay.Identity, []core.Record, error) {
	if a.cfg.Data == "" {
		var seed [32]byte
		cryptorand.Read(seed[:])
		return hearsay.NewIdentity(seed), nil, nil
	}
	disk, err := store.Open(a.cfg.Data, a.cfg.Network)
	if err != nil {
		return nil, nil, err
	}
	records, err := disk.Load()
	if err != nil {
		return nil, nil, errors.Join(err, disk.Close())
	}
	if err = errors.Join(a.cfg.checkData(records), a.cfg.checkIncarnation(records, a.started)); err == nil {
		err = a.takeUp(disk, records)
	}
	if err != nil {
		return nil, nil, errors.Join(err, disk.Close())
	}
	a.disk = disk
	return hearsay.NewIdentity(disk.Identity()), records, nil
}

// build joins the parts. The error is of a seed whose configuration does not
// fit what is in its data directory.
func (a *Agent) build(identity *hearsay.Identity, records []core.Record, addr netip.AddrPort, listener *net.TCPListener, join []address) error {
	local := listener.Addr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	a.source = newOutbound(sourceOf(local, addr.Addr()))
	network := hearsay.NetworkIDOf(a.cfg.Network)
	node, err := a.cfg.node(identity, records, addr, a.started)
	if err != nil {
		return err
	}

	a.hub, a.changes = newHub(a.started), newChanges()
	node.Gossip().WatchKeys()
	a.journal = &journal{hub: a.hub, logger: a.cfg.Logger, phrases: a.phrases(identity.Public().NodeID(), addr), self: identity.Public().NodeID()}
	if a.cfg.TextLog != nil && a.journal.phrases != nil {
		a.journal.lines, a.journal.text = a.cfg.TextLog, guest.NewTextLog(a.cfg.TextStyle, network, a.journal.phrases, peersOf(a))
	}
	a.inbox = &inbox{conn: a.conn}
	a.streams = newStreams(listener, a.source, &a.counters, a.inbox.deliver)
	for i := range a.cfg.Seeds {
		a.streams.seats = append(a.streams.seats, a.cfg.Seeds[i].Addr)
	}
	a.streams.languages = newLanguages(a.streams.seats, addr, func(seed netip.AddrPort, why error) {
		a.cfg.Logger.Warn("A seed is none of hearsay's", "addr", seed.String(), "why", why.Error())
	})
	files := openFiles()
	a.streams.most = placesWithin(files)
	warnOfFiles(a.cfg.Logger, files)
	var seats []netip.AddrPort
	for i := range a.cfg.Seeds {
		seats = append(seats, a.cfg.Seeds[i].Addr)
	}
	a.streams.known = newKnownSources(seats)
	a.resolver = newResolver(join, local)
	literals := literal(join)
	a.resolver.found = func(addrs []netip.AddrPort) {
		addrs = slices.Concat(addrs, literals) // these are never looked up, and stay contacts, too
		a.streams.known.contacts(addrs)
		a.inbox.put(func(now time.Time) { a.loop.carryOut(a.loop.node.Contact(now, addrs)) })
	}
	a.resolver.failed = func(name string, err error) {
		a.commits.report([]hearsay.Event{{At: time.Now(), Kind: hearsay.EventJoinFail, Text: fmt.Sprintf("look up %s: %v", name, err)}})
	}
	a.loop = &loop{
		network: network, decoder: wire.NewDecoder(network), datagrams: newDatagrams(a.conn, a.source, &a.counters),
		streams: a.streams, inbox: a.inbox, counters: &a.counters, resolver: a.resolver, questions: &a.questions,
		callers: newCallers(), gone: a.gone, diskTold: a.diskTold,
		failed: func(err error) { a.stop(fmt.Errorf("data directory %s: %w", a.cfg.Data, err)) },
		node:   node,
		reader: newReader(a.disk, a.inbox),
	}
	a.abroad = newAbroad(a, addr)
	a.serveGuests(network, addr)
	var commit func(*store.Batch) error
	if a.disk != nil {
		commit = a.disk.Commit
	}
	a.commits = newCommitQueue(commit, a.loop.send, a.tell, a.diskFails)
	a.commits.changes, a.loop.changes, a.commits.filled = a.changes, a.changes, a.cfg.diskFilled
	if a.disk != nil {
		a.commits.look = a.disk.Look
	}
	a.loop.commits = a.commits
	if a.cfg.Quorum.Found && node.Seeded().Founded() {
		a.cfg.Logger.Info("There is nothing to found: this seed has a ledger", "epoch", uint64(node.Seeded().Epoch()))
	}
	if !addr.Addr().IsLoopback() {
		a.cfg.Logger.Warn("This network has no key: it trusts all that reach this port", "network", a.cfg.Network, "addr", addr.String())
	}
	return nil
}

// node makes the state machine: of a seed, or of a peer.
func (c *Config) node(identity *hearsay.Identity, records []core.Record, addr netip.AddrPort, now time.Time) (*node.Node, error) {
	var seed [32]byte
	cryptorand.Read(seed[:])
	random := rand.New(rand.NewChaCha8(seed))
	cfg := node.Config{
		Network: hearsay.NetworkIDOf(c.Network), Name: c.Name, Addr: addr, Role: c.Role,
		Detect: c.Detect, Roster: c.Roster, Overlay: c.Overlay, Rumors: c.Rumors, Store: c.Store,
		Quorum: c.Quorum, Follower: c.Follower, Petition: c.Petition,
	}
	if c.Role == hearsay.RoleSeed {
		n, err := node.NewSeed(cfg, identity, random, records, now)
		if err != nil && c.Data != "" {
			err = fmt.Errorf("data directory %s: %w", c.Data, err)
		}
		return n, err
	}
	return node.New(cfg, identity, random, records, now), nil
}

// tell tells the application of an event.
func (a *Agent) tell(e *hearsay.Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	a.abroad.name(e)
	a.journal.wake(a.hub.publish(e), e.Kind)
}

// run starts everything.
func (a *Agent) run() {
	go a.commits.run()
	a.streams.start()
	a.abroad.start()
	a.resolver.again()
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	if a.moving != nil || !a.address.addr.Addr().IsLoopback() {
		following.Go(func() { a.follow(ctx) })
	}
	go a.live(func() { cancel(); following.Wait() })
}

// live is the loop's life, and takes everything down after it.
func (a *Agent) live(unfollow func()) {
	a.stop(a.loop.run())
	unfollow()
	for _, in := range a.inbox.drain() {
		in.call(time.Now())
	}
	close(a.idle)
	a.resolver.close()
	a.abroad.close()
	a.commits.stop()
	if a.loop.guestLinks != nil {
		a.loop.guestLinks.Close()
	}
	if a.loop.guests != nil {
		a.loop.guests.Close()
	}
	a.streams.close()
	a.conn.Close()
	a.loop.reader.reads.Wait()
	if a.disk != nil {
		if err := a.disk.Close(); err != nil {
			a.cfg.Logger.Error("Could not close the data directory", "why", err)
		}
	}
	a.hub.close()
	a.changes.close()
	a.journal.writing.Wait()
	close(a.done)
}

// stop ends the loop, and with it everything. The first one says why.
func (a *Agent) stop(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.stopping {
		a.stopping, a.err = true, err
		a.inbox.close()
	}
}

// ask has do done by the goroutine that owns the node, and waits for it. After the end
// that is the caller: the agent still tells what it knew last.
func (a *Agent) ask(do func(now time.Time)) {
	answered := make(chan struct{})
	if a.inbox.put(func(now time.Time) { do(now); close(answered) }) {
		<-answered
		return
	}
	<-a.idle
	a.retired.Lock()
	defer a.retired.Unlock()
	do(time.Now())
}

// Self is this member as it tells of itself.
func (a *Agent) Self() (self hearsay.Member) {
	a.ask(func(time.Time) { self = a.loop.node.Self() })
	return self
}

// Started is when this agent was started.
func (a *Agent) Started() time.Time { return a.started }

// Joined reports whether this member has the roster of another one. The first
// member of a network, which has none to ask, is in at once.
func (a *Agent) Joined() (joined bool) {
	a.ask(func(time.Time) { joined = a.loop.node.Joined() })
	return joined && !a.resolver.empty() && a.abroad.joined()
}

// Members gives all members that the roster lists, this one included, in
// whatever state, ordered by name, then by NodeID.
func (a *Agent) Members() (members []hearsay.Member) {
	a.ask(func(time.Time) { members = a.loop.node.Members(nil) })
	if a.loop.guestLinks != nil {
		a.loop.guestLinks.Name(members)
	}
	return a.abroad.members(members)
}

// Stats gives the figures since the start.
func (a *Agent) Stats() (stats hearsay.Stats) {
	a.ask(func(time.Time) {
		stats = a.loop.node.Stats()
	})
	a.counters.addTo(&stats)
	a.abroad.addGuests(&stats)
	if !stats.At.IsZero() { // else the loop has ended
		stats.AddressGone = a.address.goneFor(stats.At).Seconds()
		stats.Copied, stats.Overwritten = a.copiedFor(stats.At).Seconds(), toldFor(stats.At.Sub(a.started), a.overwritten).Seconds()
		if since, _ := a.commits.fullSince(); !since.IsZero() {
			stats.DiskFull = max(stats.At.Sub(since), time.Nanosecond).Seconds()
		}
	}
	stats.Drops[hearsay.DropQueueFull] += a.loop.datagrams.overflow()
	return stats
}

// Why tells the case of a member, given by name, NodeID or the beginning of
// its NodeID: all that this member knows of why it is in the state it is in; of itself also its troubles.
// A name of nobody gives a case file that says so; of a name of several the
// error, hearsay.ErrAmbiguous, lists them.
func (a *Agent) Why(name string) (file hearsay.CaseFile, err error) {
	if file, is := a.abroad.why(name); is {
		return file, nil
	}
	var facts *casebook.Facts
	a.ask(func(now time.Time) { facts, err = a.loop.node.Facts(now, name) })
	if err != nil {
		return file, err
	}
	if facts.Member.ID == facts.Teller.ID {
		authority, stats := a.Authority(), a.Stats()
		facts.Troubles = slices.DeleteFunc(hearsay.Troubles(&authority, &stats), func(trouble string) bool {
			return trouble == authority.Why // its case says so
		})
	}
	file = casefile.Tell(facts)
	a.abroad.addLists(&file)
	return file, nil
}

// Events gives what happens from now on, until ctx ends or the agent stops.
// A caller that falls behind the newest few hundred events gets EventLagged in place of
// those that were lost to it; Members then says how things stand. With seeds, what
// an earlier life of the data directory was told is not told again, but summed up
// in EventResumed.
func (a *Agent) Events(ctx context.Context) iter.Seq[hearsay.Event] {
	numbered := a.hub.from(ctx, a.hub.newest())
	return func(yield func(hearsay.Event) bool) {
		for _, e := range numbered {
			if !yield(e) {
				return
			}
		}
	}
}

// gone ends the agent, whose node has left or gone away: nil, or what did not come of that.
func (a *Agent) gone(why error) {
	if why == nil {
		close(a.left)
	}
	a.stop(why)
}

// diskFails is told that nothing can be made durable any more. A peer leaves, and then the agent stops; another one
// stops at once, and so does one whose data directory is elsewhere: whatever uses it there has its identity, and
// stays.
func (a *Agent) diskFails(why error) {
	elsewhere := errors.Is(why, store.ErrElsewhere)
	asked := a.inbox.put(func(now time.Time) {
		if elsewhere || !a.loop.loseDisk(now, why) {
			a.stop(why)
			return
		}
		a.cfg.Logger.Error("The data directory fails: this node leaves, and ends", "data", a.cfg.Data, "why", why)
	})
	if !asked {
		a.stop(why)
	}
}

// diskFilled logs that the disk is full, which is why, and with nil that there is room.
func (c *Config) diskFilled(why error) {
	if why != nil {
		c.Logger.Error("The disk is full; nothing is taken on that must become durable until there is room", "data", c.Data, "why", why)
	} else {
		c.Logger.Info("There is room on the disk again", "data", c.Data)
	}
}

// diskTold logs that the disk does not keep up, and that it does again.
func (a *Agent) diskTold(behind bool, bytes int) {
	if behind {
		a.cfg.Logger.Error("The disk does not keep up; nothing is taken on that must become durable", "data", a.cfg.Data, "bytes", bytes)
	} else {
		a.cfg.Logger.Info("The disk keeps up again", "data", a.cfg.Data)
	}
}

// EventsAfter is Events with the events' numbers, beginning behind the one of
// the given number; 0 begins with the oldest that is kept. Numbers only grow,
// also over restarts: one of an earlier life of this node is answered with
// EventLagged.
func (a *Agent) EventsAfter(ctx context.Context, number uint64) iter.Seq2[uint64, hearsay.Event] {
	return a.hub.from(ctx, number)
}

// Newest gives the number of the newest event, 0 if there was none yet: a caller that has
// read up to it has had all that happened before.
func (a *Agent) Newest() uint64 { return a.hub.last() }

// Leave leaves the network in good order: it tells the others, and returns
// when enough of them have heard it, or when ctx ends; then the agent goes on
// leaving until Close. After a leave the agent has stopped. In a network with
// seeds they must rule it: without a quorum of them it returns hearsay.ErrLeaveUnruled after
// five seconds, and the node is in until it is found gone and removed. After Away
// it returns hearsay.ErrGoesAway at once: the node stays in.
func (a *Agent) Leave(ctx context.Context) error {
	if err := a.depart(ctx, endsLeave, hearsay.ErrGoesAway); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}

// Away ends the agent in good order and does not leave: it tells the others that it is started again with the
// same Data within ten seconds (core.AwayFor), in which nobody that has heard it holds its silence against
// it. It returns when all that it tells have answered that they have, or after a third of a second; then the
// agent has stopped. If none of them has answered it returns hearsay.ErrAwayUnheard. One that is not started
// again is found dead after the ten seconds. There is nobody to tell for a node that is not in, for one that
// has never met another, and for a seed, which is one by configuration. After Leave it returns
// hearsay.ErrLeaves at once, and the leave goes on.
func (a *Agent) Away(ctx context.Context) error {
	if err := a.depart(ctx, endsAway, hearsay.ErrLeaves); err != nil {
		return fmt.Errorf("go away: %w", err)
	}
	var told, answered int
	a.ask(func(time.Time) { told, answered = a.loop.node.AwayAnswers() })
	if answered > 0 {
		a.cfg.Logger.Info(fmt.Sprintf("The others know that this node is back soon: started again within %v it was never out", core.AwayFor),
			"told", told, "answered", answered)
	}
	return nil
}

// depart has the node end by telling the others why, and waits for it. If it was told before to end the other
// way, that is the given error.
func (a *Agent) depart(ctx context.Context, how ending, other error) error {
	if how != endsLeave || !a.commits.giveUp() { // else it leaves as one whose disk has failed
		var does ending
		a.ask(func(now time.Time) { does = a.loop.end(now, how) })
		if does != how {
			return other
		}
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-a.left:
		return nil
	default:
	}
	return cmp.Or(a.Err(), errClosed)
}

// Close stops at once, as a crash would: the others find out by themselves, unless it is started again with
// the same Data within a second. A program that restarts in good order calls Away.
// It returns when nothing of the agent runs any more. It may be called more
// than once.
func (a *Agent) Close() error {
	a.stop(nil)
	<-a.done
	return nil
}

// Done is closed when the agent has stopped, for whatever reason.
func (a *Agent) Done() <-chan struct{} { return a.done }

// Err says why the agent stopped by itself: nil while it runs, after Close, and after a Leave
// or an Away that came about.
func (a *Agent) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}
