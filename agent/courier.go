package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/wire"
)

// errandsMax is how many errands are under way or wait at a time. A node has
// one registration, with at most all seeds asked, and some tens of reports.
const errandsMax = 4 * asksMax

// errand is what the node asks of a seed, as a line with its packet among the
// facts.
type errand struct {
	request dialect.Request
	kind    hearsay.RulingKind
	stay    hearsay.Stay
}

// courier runs the errands of a node, and brings back what became of each: it
// is handed to the node as if it had come by stream from the seed.
type courier struct {
	network hearsay.NetworkID
	asker   *asker
	hand    func(*hearsay.Packet)
	logger  *slog.Logger

	ctx    context.Context // ends with close
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu    sync.Mutex
	under int                       // errands under way
	said  map[netip.AddrPort]string // by seed: its answer to the registration under way, as it was logged last
}

func newCourier(network hearsay.NetworkID, asker *asker, hand func(*hearsay.Packet), logger *slog.Logger) *courier {
	c := &courier{network: network, asker: asker, hand: hand, logger: logger, said: make(map[netip.AddrPort]string)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// close gives up all errands, and returns when nothing runs any more.
func (c *courier) close() {
	c.cancel()
	c.wait.Wait()
}

// send runs an errand. It is safe in any goroutine.
func (c *courier) send(to netip.AddrPort, e *errand) {
	if !c.enter() {
		c.bringBack(to, &hearsay.Outcome{Kind: e.kind, Stay: e.stay, Code: hearsay.OutcomeLost, Text: "too much is asked at once"})
		return
	}
	c.wait.Go(func() {
		outcome := c.run(c.ctx, to, e)
		c.leave()
		if c.ctx.Err() == nil {
			c.log(to, e, outcome)
			c.bringBack(to, outcome)
		}
	})
}

func (c *courier) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.under >= errandsMax {
		return false
	}
	c.under++
	return true
}

func (c *courier) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under--
}

func (c *courier) bringBack(from netip.AddrPort, outcome *hearsay.Outcome) {
	c.hand(&hearsay.Packet{Addr: from, Stream: true, Body: outcome})
}

// run asks a seed, and says what became of it, whatever that is.
func (c *courier) run(ctx context.Context, to netip.AddrPort, e *errand) *hearsay.Outcome {
	outcome := &hearsay.Outcome{Kind: e.kind, Stay: e.stay}
	reply, err := c.asker.ask(ctx, to, e.request)
	if refused := (*dialect.RefusedError)(nil); errors.As(err, &refused) {
		outcome.Code, outcome.Text = hearsay.OutcomeWait, clip(refused.Reason)
		return outcome
	}
	if err != nil {
		outcome.Code, outcome.Text = hearsay.OutcomeLost, clip(err.Error())
		return outcome
	}
	words := reply.(*dialect.Outcome) // what comes back for both kinds of requests
	if own, ok := c.read(words.Facts); ok && own.Kind == e.kind && own.Stay.ID == e.stay.ID {
		return &own
	}
	outcome.Yes, outcome.Needed, outcome.Text = uint8(words.YesVotes), uint8(words.Quorum), clip(words.Reason)
	if outcome.Code = hearsay.OutcomeWait; words.Success {
		outcome.Code = hearsay.OutcomeDone
	}
	return outcome
}

// read gives the outcome among the facts of a reply, if it is there.
func (c *courier) read(facts []byte) (hearsay.Outcome, bool) {
	var p hearsay.Packet
	if len(facts) == 0 {
		return hearsay.Outcome{}, false
	}
	if _, ok := wire.NewDecoder(c.network).Decode(facts, &p); !ok {
		return hearsay.Outcome{}, false
	}
	outcome, ok := p.Body.(*hearsay.Outcome)
	if !ok {
		return hearsay.Outcome{}, false
	}
	return *outcome, true
}

// clip shortens what others said to what an outcome holds.
func clip(text string) string { return text[:min(len(text), hearsay.MaxWhyLen)] }

// registered ends a registration: what comes of the next is logged anew.
func (c *courier) registered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.said)
}

// isNews reports whether a seed's answer to a registration is another than its
// last. Who cannot follow the ledger asks again every second.
func (c *courier) isNews(seed netip.AddrPort, o *hearsay.Outcome) bool {
	answer := o.Code.String() + " " + o.Text
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.said[seed]
	c.said[seed] = answer
	return answer != old
}

// log says of a registration what a seed answered, as the older peers do, if
// that is news.
func (c *courier) log(seed netip.AddrPort, e *errand, o *hearsay.Outcome) {
	switch {
	case e.kind != hearsay.RulingAdmit || !c.isNews(seed, o):
	case o.Code == hearsay.OutcomeLost:
		c.logger.Info(dialect.PhraseSeedFailed(seed, o.Text), "then", "other seeds are asked")
	case o.Code == hearsay.OutcomeDone:
		c.logger.Info(dialect.PhraseSeedAnswer(seed, true))
	default:
		c.logger.Info(dialect.PhraseSeedAnswer(seed, false), "outcome", o.Code.String(), "why", o.Text)
	}
}

// errand gives what a packet asks of a seed as an errand; nil if it asks
// nothing, or of what cannot be said in a line.
func (l *loop) errand(p *hearsay.Packet) *errand {
	own := l.node.Self()
	switch m := p.Body.(type) {
	case *hearsay.Register:
		facts := wire.AppendPacket(nil, l.network, p)
		return &errand{&dialect.Register{Peer: own.Addr, Facts: facts}, hearsay.RulingAdmit, hearsay.Stay{ID: own.ID}}
	case *hearsay.Report:
		addr, in := l.node.AddrOf(m.Stay.ID)
		if !in {
			return nil
		}
		facts := wire.AppendPacket(nil, l.network, p)
		return &errand{&dialect.DeadReport{
			Peer: addr, SelfIP: own.Addr.Addr(), Timestamp: time.Now().Unix(), Reporter: own.Addr, Facts: facts,
		}, hearsay.RulingRemove, m.Stay}
	}
	return nil
}
