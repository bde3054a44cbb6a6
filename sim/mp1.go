package sim

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
	"hearsay/internal/userfile"
)

// This file runs what an earlier program simulates, a group of which some fail, with the nodes that ship, and writes
// its log. What that says of members are the events of the nodes' rosters. The run is of ticks there:
//
//	here                                     there, and why
//	a tick is half a second                  no time at all. The slowest detector finds in 600 ticks each of half of
//	                                         1,000 nodes
//	a message takes 0.2 ticks                one: an answer comes within a tick, and no node has it pass for late
//	a packet that is dropped was a           likewise; streams do not lose what they carry, but are slower
//	datagram
//	a newcomer asks node 1, and the node     node 1 only: one that comes after that has failed finds the others, too
//	before it
//	a node that fails before its start       it starts, and does nothing
//	never starts

const (
	mp1Ticks    = 700
	mp1Tick     = 500 * time.Millisecond
	mp1Delay    = 100 * time.Millisecond
	mp1Drops    = 50 // when packets begin to be dropped
	mp1Fails    = 100
	mp1Mends    = 300  // when no more are dropped
	mp1NodesMax = 1000 // the earlier program's
	mp1FileMax  = 1 << 16
)

// MP1 is a run of the earlier program: its configuration, and what it had not.
type MP1 struct {
	Nodes    int
	Single   bool    // one node fails; else half of them
	Drop     bool    // packets are dropped for a while
	DropProb float64 // each with this probability
	Detector detect.Kind
	Seed     uint64
}

// ReadMP1 reads a configuration of the earlier program. Detector and seed it leaves alone.
func (c *MP1) ReadMP1(path string) error {
	text, err := userfile.Read(path, mp1FileMax)
	if err != nil {
		return fmt.Errorf("%w; want four lines, of which the first is MAX_NNB: 10", err)
	}
	return c.parse(path, string(text))
}

// parse reads a configuration: four lines, in this order, and nothing else but space.
func (c *MP1) parse(file, text string) error {
	flag := func(at *bool) func(string) error {
		return func(value string) error {
			if value != "0" && value != "1" {
				return strconv.ErrSyntax
			}
			*at = value == "1"
			return nil
		}
	}
	lines := []struct {
		name, want string
		take       func(string) error
	}{
		{"MAX_NNB", "2 to " + strconv.Itoa(mp1NodesMax), func(value string) (err error) {
			if c.Nodes, err = strconv.Atoi(value); err == nil && (c.Nodes < 2 || c.Nodes > mp1NodesMax) {
				err = strconv.ErrRange
			}
			return err
		}},
		{"SINGLE_FAILURE", "0 or 1", flag(&c.Single)},
		{"DROP_MSG", "0 or 1", flag(&c.Drop)},
		{"MSG_DROP_PROB", "a probability, 0 to 1", func(value string) (err error) {
			if c.DropProb, err = strconv.ParseFloat(value, 64); err == nil && !(c.DropProb >= 0 && c.DropProb <= 1) {
				err = strconv.ErrRange
			}
			return err
		}},
	}
	next := 0
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if next == len(lines) {
			return fmt.Errorf("%s:%d: %q: want nothing behind MSG_DROP_PROB", file, i+1, line)
		}
		l := &lines[next]
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) != l.name || l.take(strings.TrimSpace(value)) != nil {
			return fmt.Errorf("%s:%d: %q: want %s: %s", file, i+1, line, l.name, l.want)
		}
		next++
	}
	if next < len(lines) {
		return fmt.Errorf("%s: it ends before %s; want %[2]s: %s", file, lines[next].name, lines[next].want)
	}
	return nil
}

// MP1Result is what a run came to. Times are in ticks.
type MP1Result struct {
	Nodes    int    `json:"nodes"`
	Detector string `json:"detector"`
	Failed   int    `json:"failed"`
	// of each other node by each, of those that run to the end, and how many that would be
	Joined     int `json:"joined"`
	JoinedWant int `json:"joined_want"`
	// of each node that failed by each of those, if that had logged it as joined; likewise
	Removed     int     `json:"removed"`
	RemovedWant int     `json:"removed_want"`
	First       int     `json:"removed_first"`  // after the failure
	Median      int     `json:"removed_median"` // likewise
	Last        int     `json:"removed_last"`   // likewise
	False       int     `json:"removed_wrongly"`
	Returned    int     `json:"returned"`             // nodes that had failed and were removed, and were logged again
	Messages    float64 `json:"messages"`             // that a node sends in a tick, in the mean
	Bytes       float64 `json:"bytes"`                // in them
	Most        float64 `json:"messages_most"`        // likewise, of the node that sends most
	MostInTick  int     `json:"messages_most_a_tick"` // that a node has sent in one
}

// mp1Run is one run.
type mp1Run struct {
	*MP1
	world  *World
	log    *bufio.Writer
	failed []bool
	ran    []int // ticks, by node
	number map[hearsay.NodeID]int
	state  [][]mp1Seen // by observer, of each other
	took   []int       // from the failure to each removal
	sent   []int       // by node
	inTick []int       // likewise
	result MP1Result
}

// mp1Seen is what a node has logged of another.
type mp1Seen uint8

const (
	mp1Unseen mp1Seen = iota
	mp1In
	mp1Out
)

// Run runs it, and writes the log.
func (c *MP1) Run(log io.Writer) (MP1Result, error) {
	r := c.begin(log)
	for tick := range mp1Ticks {
		r.world.RunUntil(time.Duration(tick) * mp1Tick)
		r.act(tick)
		r.world.RunUntil(time.Duration(tick+1)*mp1Tick - 1)
		r.count()
	}
	r.sum()
	if err := r.log.Flush(); err != nil {
		return r.result, fmt.Errorf("write the log: %w", err)
	}
	return r.result, nil
}

// begin makes the world of a run, in which nothing runs yet.
func (c *MP1) begin(log io.Writer) *mp1Run {
	config := DefaultConfig()
	config.Nodes, config.Seed, config.For, config.Abrupt = c.Nodes, c.Seed, mp1Ticks*mp1Tick, true
	config.Detect.Kind = c.Detector
	r := &mp1Run{
		MP1: c, world: NewWorld(config, nil), log: bufio.NewWriter(log), failed: make([]bool, c.Nodes), ran: make([]int, c.Nodes),
		number: make(map[hearsay.NodeID]int), state: make([][]mp1Seen, c.Nodes), sent: make([]int, c.Nodes), inTick: make([]int, c.Nodes),
		result: MP1Result{Nodes: c.Nodes, Detector: c.Detector.String()},
	}
	r.world.Do(Action{Verb: Delay, Delay: mp1Delay, Spread: 1})
	fmt.Fprintf(r.log, "131\n")
	for i := range c.Nodes {
		r.state[i] = make([]mp1Seen, c.Nodes)
		r.world.bend(i+1, &twist{steps: func(w *World, m *machine, e *core.Effects) { r.step(m, e) }})
		if i == 0 {
			fmt.Fprintf(r.log, "\n [0] APP")
		} else {
			r.write(i, 0, "APP")
		}
	}
	return r
}

// mp1Addr is how the log names a node: its number from 1 in four bytes, the lowest first.
func mp1Addr(i int) string {
	id := uint32(i + 1)
	return fmt.Sprintf("%d.%d.%d.%d:0", id&255, id>>8&255, id>>16&255, id>>24)
}

func (r *mp1Run) write(i, tick int, text string) {
	fmt.Fprintf(r.log, "\n %s [%d] %s", mp1Addr(i), tick, text)
}

// act does what is due at the beginning of a tick.
func (r *mp1Run) act(tick int) {
	if tick == mp1Fails {
		r.fail(tick)
	}
	for i := range r.Nodes {
		if i/4 == tick && !r.failed[i] {
			r.start(i, tick)
		}
	}
	switch {
	case tick == mp1Drops && r.Drop:
		r.world.Do(Action{Verb: Loss, Share: r.DropProb})
	case tick == mp1Mends:
		r.world.Do(Action{Verb: Loss})
	case tick == 500 && !r.failed[0]:
		r.write(0, tick, "@@time=500")
	}
}

// start starts a node. It knows of node 1, and of the one before it.
func (r *mp1Run) start(i, tick int) {
	if i == 0 {
		r.write(i, tick, "Starting up group...")
	} else {
		r.write(i, tick, "Trying to join...")
	}
	w := r.world
	m := &w.machines[i]
	w.Do(Action{At: w.now, Verb: Start, Who: []int{i + 1}})
	r.number[m.id] = i
	if i > 1 {
		before := w.machines[i-1].addr
		w.advance(m, func(now time.Time) *core.Effects { return m.node.Contact(now, []netip.AddrPort{before}) })
	}
}

// fail has one node fail, or half of all, which stand in a row.
func (r *mp1Run) fail(tick int) {
	stream := draws(r.Seed, purposeMP1)
	drawn := rand.New(&stream).IntN(r.Nodes)
	from, to, text := drawn, drawn+1, "Node failed at time=100"
	if !r.Single {
		from, text = drawn/2, "Node failed at time = 100"
		to = from + r.Nodes/2
	}
	for i := from; i < to; i++ {
		r.failed[i] = true
		r.result.Failed++
		r.write(i, tick, text)
		r.world.Do(Action{At: r.world.now, Verb: Kill, Who: []int{i + 1}})
	}
}

// step logs what a node tells of its roster, and counts what it sends.
func (r *mp1Run) step(m *machine, e *core.Effects) {
	observer, tick := int(m.index), int(r.world.now/mp1Tick)
	r.inTick[observer] += len(e.Now) + len(e.Send)
	for i := range e.Events {
		other, known := r.number[e.Events[i].Subject]
		if !known || other == observer {
			continue
		}
		seen := &r.state[observer][other]
		switch e.Events[i].Kind {
		case hearsay.EventMemberJoined, hearsay.EventMemberReturned:
			if *seen == mp1Out && r.failed[other] {
				r.result.Returned++
			}
			if *seen != mp1In {
				*seen = mp1In
				r.write(observer, tick, fmt.Sprintf("Node %s joined at time %d", mp1Addr(other), tick))
			}
		case hearsay.EventMemberDead:
			if *seen != mp1In {
				continue
			}
			*seen = mp1Out
			r.write(observer, tick, fmt.Sprintf("Node %s removed at time %d", mp1Addr(other), tick))
			if r.failed[other] {
				r.took = append(r.took, tick-mp1Fails)
			} else {
				r.result.False++
			}
		}
	}
}

// count closes a tick.
func (r *mp1Run) count() {
	for i := range r.inTick {
		if r.world.machines[i].node != nil {
			r.ran[i]++
		}
		r.sent[i] += r.inTick[i]
		r.result.MostInTick = max(r.result.MostInTick, r.inTick[i])
	}
	clear(r.inTick)
}

// sum says what the run has come to.
func (r *mp1Run) sum() {
	ticks, sent := 0, 0
	for i := range r.Nodes {
		ticks, sent = ticks+r.ran[i], sent+r.sent[i]
		if r.failed[i] {
			continue
		}
		r.result.Most = max(r.result.Most, float64(r.sent[i])/float64(r.ran[i]))
		for j, seen := range r.state[i] {
			switch {
			case i == j:
			case !r.failed[j]:
				r.result.JoinedWant++
				if seen != mp1Unseen {
					r.result.Joined++
				}
			case seen != mp1Unseen:
				r.result.RemovedWant++
				if seen == mp1Out {
					r.result.Removed++
				}
			}
		}
	}
	c := &r.world.counts
	r.result.Messages = float64(sent) / float64(ticks)
	r.result.Bytes = float64(c.Bytes+c.StreamBytes) / float64(ticks)
	if len(r.took) > 0 {
		// they are in the order of time
		r.result.First, r.result.Median, r.result.Last = r.took[0], r.took[len(r.took)/2], r.took[len(r.took)-1]
	}
}
