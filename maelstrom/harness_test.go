package maelstrom

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"hearsay"
)

// This file is a small Maelstrom: processes are sessions, time is virtual, and
// all chance comes from one seed.

// epoch is when the virtual time begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// workload is what is run, as `maelstrom test -w broadcast` does.
type workload struct {
	nodes    int
	rate     float64       // operations a second, half of them broadcasts and half reads
	limit    time.Duration // for so long
	recovery time.Duration // then this without faults and operations, before the final reads
	latency  func(*rand.Rand) time.Duration
	// whether a message that arrives is dropped; nil: none is. At counts from the first operation
	cut    func(at time.Duration, from, to int) bool
	seed   uint64
	config Config
}

// moment is something that happens at a time: a line arrives, or a tick is due.
type moment struct {
	at    time.Duration
	order int // of those at one time, the first made comes first
	to    int
	from  int
	line  []byte // nil: a tick
}

type moments []moment

func (q moments) Len() int { return len(q) }
func (q moments) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].at, q[j].at), cmp.Compare(q[i].order, q[j].order)) < 0
}
func (q moments) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *moments) Push(m any)   { *q = append(*q, m.(moment)) }
func (q *moments) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// read is what one read saw.
type read struct {
	asked time.Duration
	has   map[int]bool
}

// cluster is a run.
type cluster struct {
	t      *testing.T
	w      workload
	random *rand.Rand
	now    time.Duration
	begun  time.Duration // the first operation; zero: not yet
	queue  moments
	order  int
	ticks  []time.Duration // when each session's tick is queued
	nodes  []*Session
	names  []string

	answers []json.RawMessage // bodies to clients, since the last request
	between int               // messages between nodes
	ops     int
	acked   map[int]time.Duration // by value
	seenBy  map[int]int           // nodes that have the value
	seenAt  map[int]time.Duration // when the last of them got it
	known   []int                 // values that each node has
	reads   []read
	final   [][]int
}

func newCluster(t *testing.T, w workload) *cluster {
	c := &cluster{
		t: t, w: w, random: rand.New(rand.NewPCG(w.seed, 1)),
		acked: make(map[int]time.Duration), seenBy: make(map[int]int), seenAt: make(map[int]time.Duration),
		ticks: make([]time.Duration, w.nodes), known: make([]int, w.nodes),
	}
	for i := range w.nodes {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], w.seed)
		binary.BigEndian.PutUint64(seed[8:], uint64(i))
		c.nodes = append(c.nodes, New(w.config, hearsay.NewIdentity(seed), rand.New(rand.NewPCG(w.seed, uint64(i+2)))))
		c.names = append(c.names, "n"+strconv.Itoa(i))
	}
	return c
}

func (c *cluster) time() time.Time { return epoch.Add(c.now) }

// carry sees to what a session says, and to its next tick.
func (c *cluster) carry(from int, said []byte) {
	for line := range slices.Values(splitLines(said)) {
		var e envelope
		if err := json.Unmarshal(line, &e); err != nil || e.Src != c.names[from] {
			c.t.Fatalf("%s says %q: %v", c.names[from], line, err)
		}
		to := slices.Index(c.names, e.Dest)
		if to < 0 {
			c.answers = append(c.answers, e.Body)
			continue
		}
		c.between++
		c.push(moment{at: c.now + c.w.latency(c.random), from: from, to: to, line: slices.Clone(line)})
	}
	s := c.nodes[from]
	if n := len(s.broadcasts.has); n > c.known[from] {
		c.learn(s.broadcasts.array(), c.known[from])
		c.known[from] = n
	}
	if at, ok := s.Deadline(); ok {
		due := max(c.now, at.Sub(epoch))
		if c.ticks[from] <= c.now || due < c.ticks[from] {
			c.ticks[from] = due
			c.push(moment{at: due, to: from})
		}
	}
}

// learn notes the values of a node that it did not have before.
func (c *cluster) learn(array []byte, from int) {
	var all []int
	c.must(json.Unmarshal(array, &all))
	for _, value := range all[from:] {
		c.seenBy[value]++
		c.seenAt[value] = c.now
	}
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func splitLines(b []byte) (lines [][]byte) {
	for len(b) > 0 {
		end := slices.Index(b, '\n')
		lines = append(lines, b[:end])
		b = b[end+1:]
	}
	return lines
}

func (c *cluster) push(m moment) {
	c.order++
	m.order = c.order
	heap.Push(&c.queue, m)
}

// until runs what happens until then.
func (c *cluster) until(then time.Duration) {
	for len(c.queue) > 0 && c.queue[0].at <= then {
		m := heap.Pop(&c.queue).(moment)
		c.now = m.at
		switch {
		case m.line == nil:
			c.carry(m.to, c.nodes[m.to].Tick(c.time()))
		case c.w.cut != nil && c.begun > 0 && c.w.cut(c.now-c.begun, m.from, m.to):
		default:
			c.carry(m.to, c.nodes[m.to].Line(c.time(), m.line))
		}
	}
	c.now = then
}

// ask sends a request from a client and gives the body of the answer; nil if
// there is none yet.
func (c *cluster) ask(to int, body string) json.RawMessage {
	c.answers = nil
	line := fmt.Sprintf(`{"src":"c1","dest":%q,"body":%s}`, c.names[to], body)
	c.carry(to, c.nodes[to].Line(c.time(), []byte(line)))
	if len(c.answers) == 0 {
		return nil
	}
	return c.answers[0]
}

// read reads a node.
func (c *cluster) read(from int) []int {
	var got struct{ Messages []int }
	c.must(json.Unmarshal(c.ask(from, `{"type":"read","msg_id":3}`), &got))
	return got.Messages
}

// start starts all processes, and waits until all are ready.
func (c *cluster) start() {
	ids, err := json.Marshal(c.names)
	c.must(err)
	ready := 0
	for i, name := range c.names {
		c.ask(i, fmt.Sprintf(`{"type":"init","msg_id":1,"node_id":%q,"node_ids":%s}`, name, ids))
		ready += len(c.answers)
	}
	for c.answers = nil; ready < len(c.names); c.answers = nil {
		if c.now > 10*time.Second {
			c.t.Fatalf("after %v %d of %d have answered init", c.now, ready, len(c.names))
		}
		c.until(c.now + time.Millisecond)
		ready += len(c.answers)
	}
	for i := range c.names {
		c.ask(i, `{"type":"topology","msg_id":2,"topology":{"n0":["n1"]}}`)
	}
}

// run runs the workload.
func (c *cluster) run() *cluster {
	c.start()
	c.begun = c.now
	value := 0
	for {
		gap := time.Duration(c.random.Float64() * 2 / c.w.rate * float64(time.Second))
		if c.now+gap > c.begun+c.w.limit {
			break
		}
		c.until(c.now + gap)
		c.ops++
		if at := c.random.IntN(c.w.nodes); c.random.IntN(2) == 0 {
			has := make(map[int]bool)
			for _, v := range c.read(at) {
				has[v] = true
			}
			c.reads = append(c.reads, read{c.now, has})
		} else {
			c.ask(at, fmt.Sprintf(`{"type":"broadcast","msg_id":4,"message":%d}`, value))
			c.acked[value] = c.now
			value++
		}
	}
	c.until(c.begun + c.w.limit)
	c.w.cut = nil
	c.until(c.now + c.w.recovery)
	for i := range c.nodes {
		got := c.read(i)
		slices.Sort(got)
		c.final = append(c.final, got)
		c.ops++
	}
	return c
}

// lost counts the values that were acknowledged and that some final read lacks.
func (c *cluster) lost() (lost int) {
	for value := range c.acked {
		for _, final := range c.final {
			if _, found := slices.BinarySearch(final, value); !found {
				lost++
				break
			}
		}
	}
	return lost
}

// perOp is how many messages between nodes there were for each operation; those
// before the first, of which nodes join, and of the recovery are counted, too.
func (c *cluster) perOp() float64 { return float64(c.between) / float64(c.ops) }

// stable gives how long after its acknowledgment each value was in every node,
// and so in every read; ascending.
func (c *cluster) stable() (all []time.Duration) {
	for value, at := range c.acked {
		if c.seenBy[value] < c.w.nodes {
			c.t.Fatalf("%d has reached %d of %d", value, c.seenBy[value], c.w.nodes)
		}
		all = append(all, c.seenAt[value]-at)
	}
	slices.Sort(all)
	return all
}

// stableByReads gives the same as Maelstrom finds it (set-full of Jepsen): from
// when a value was known, by acknowledgment or by the first read that has it,
// until the last read that lacks it was asked for.
func (c *cluster) stableByReads() (all []time.Duration) {
	for value, at := range c.acked {
		latency := time.Duration(0)
		for _, r := range c.reads {
			if r.asked >= at && !r.has[value] {
				latency = r.asked - at
			}
		}
		all = append(all, latency)
	}
	slices.Sort(all)
	return all
}

func quantile(all []time.Duration, q float64) time.Duration {
	return all[int(q*float64(len(all)-1))]
}
