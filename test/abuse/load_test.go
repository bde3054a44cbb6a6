package abuse

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hearsay"
	"hearsay/test/process"
	"hearsay/wire"
)

const (
	perSecond  = 2000 // forged messages
	tick       = 5 * time.Millisecond
	underWay   = 6000 // exchanges at a time: an answer may take 1.8 s
	sources    = 64   // addresses besides 127.0.0.1
	linesShare = 8    // of ten; the rest goes by our own framing, half of it as datagrams
	warmUp     = 5 * time.Second

	stallMost     = 200 * time.Millisecond
	removedMedian = 5 * time.Second
	removedAtMost = 60 * time.Second
	joinedAtMost  = 60 * time.Second
	memoryMost    = 256 << 20 // of a seed, in bytes, under load
)

// load is forged messages at a steady rate, and what came of them.
type load struct {
	w       *network
	forgers chan *forger
	slots   chan struct{}
	wait    sync.WaitGroup
	end     chan struct{}

	sent, lines, answered, refused, broken, skipped atomic.Int64
	admitted                                        atomic.Int64

	mu      sync.Mutex
	longest answer          // that was waited for
	late    []time.Duration // that answers took which were not there in time

	stalled time.Duration // at most, that this process itself was kept from running
}

// startLoad sends forged messages until it is stopped.
func (w *network) startLoad() *load {
	l := &load{w: w, forgers: make(chan *forger, 8), slots: make(chan struct{}, underWay), end: make(chan struct{})}
	for i := range cap(l.forgers) {
		l.forgers <- w.newForger(uint64(i))
	}
	l.wait.Go(l.run)
	return l
}

func (l *load) stop() {
	close(l.end)
	l.wait.Wait()
}

func (l *load) run() {
	began := time.Now()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	due, last := 0, began
	for {
		select {
		case <-l.end:
			return
		case <-ticker.C:
		}
		now := time.Now()
		l.stalled, last = max(l.stalled, now.Sub(last)-tick), now
		for ; due < int(time.Since(began)*perSecond/time.Second); due++ {
			select {
			case l.slots <- struct{}{}:
				l.wait.Go(func() {
					l.one(due)
					<-l.slots
				})
			default:
				l.skipped.Add(1)
			}
		}
	}
}

// one sends one forged message to a seed, or, of our own framing, to anybody.
func (l *load) one(number int) {
	f := <-l.forgers
	from := home
	if number%2 == 0 {
		from = netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + f.random.IntN(sources))})
	}
	seed := l.w.seeds[f.random.IntN(len(l.w.seeds))]
	anybody := l.w.all()[f.random.IntN(seedsCount+peersCount)]
	byLine, datagram := f.random.IntN(10) < linesShare, f.random.IntN(2) == 0
	var message []byte
	switch {
	case byLine:
		message = f.line(from)
	case datagram:
		message = wire.AppendPacket(nil, networkID, f.packet(f.closed(from)))
	default:
		message = wire.AppendFrame(nil, networkID, f.packet(f.closed(from)))
	}
	l.forgers <- f
	switch {
	case byLine:
		l.lines.Add(1)
		l.judge(exchange(seed.Addr, from, message))
	case datagram:
		l.write("udp", anybody, from, message)
	default:
		l.write("tcp", anybody, from, message)
	}
	l.sent.Add(1)
}

// lateMost is how many answers may be late: none, unless the machine has so much
// else to do that this process itself is kept waiting; then one of a hundred. Who
// answers and who asks may each be kept waiting so long: that does not count.
func (l *load) lateMost() (late, most int) {
	if l.stalled < stallMost {
		return len(l.late), 0
	}
	for _, took := range l.late {
		if took > inTime+2*l.stalled {
			late++
		}
	}
	return late, int(l.lines.Load() / 100)
}

// judge counts what came back for a line.
func (l *load) judge(a *answer, err error) {
	if err != nil {
		l.broken.Add(1)
		return
	}
	l.answered.Add(1)
	if _, refused := a.Payload["error"]; refused {
		l.refused.Add(1)
	}
	if a.is("success", true) && !a.is("already", true) {
		l.admitted.Add(1)
	}
	l.mu.Lock()
	if a.took > l.longest.took {
		l.longest = *a
	}
	if a.took > inTime {
		l.late = append(l.late, a.took)
	}
	l.mu.Unlock()
}

func (l *load) write(network string, to node, from netip.Addr, message []byte) {
	dialer := net.Dialer{Timeout: patience}
	if dialer.LocalAddr = net.Addr(&net.UDPAddr{IP: from.AsSlice()}); network == "tcp" {
		dialer.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	conn, err := dialer.Dial(network, to.Addr)
	if err != nil {
		l.broken.Add(1)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write(message)
	if stream, ok := conn.(*net.TCPConn); ok {
		stream.CloseWrite()
		io.Copy(io.Discard, io.LimitReader(conn, 1<<20)) // so that closing destroys nothing
	}
}

// line draws a forged line: reports, registrations of made-up peers, votes, and commits.
func (f *forger) line(from netip.Addr) []byte {
	m, _ := f.victim()
	const kinds = 10
	switch f.random.IntN(kinds) {
	case 0, 1, 2, 3:
		return line("DEAD_REPORT", fields("dead", m.Addr, map[string]any{"reporter": f.members[0].Addr}))
	case 4, 5, 6, 7:
		return line("REGISTER_REQ", fields("peer", f.closed(from).String(), nil))
	case 8:
		return line("SEED_DEAD_VOTE", fields("dead", m.Addr, map[string]any{"action": "REQUEST", "proposal_id": "x", "proposer": f.seedsAddr()}))
	}
	return line("SEED_DEAD_COMMIT", fields("dead", m.Addr, map[string]any{"proposal_id": "x", "decision": "COMMIT", "source_seed": f.seedsAddr()}))
}

func (f *forger) seedsAddr() string { return f.seeds[f.random.IntN(len(f.seeds))].Addr }

// TestUnderLoad kills peers while thousands of forged messages a second come
// in, and has them back, and another one join.
func TestUnderLoad(t *testing.T) {
	kills, err := strconv.Atoi(os.Getenv(variable))
	if os.Getenv(variable) == "" {
		t.Skipf("takes minutes; set %s to a number of kills, or make abuse", variable)
	}
	if err != nil || kills < 1 {
		t.Fatalf("%s=%q: want a number, 1 or more", variable, os.Getenv(variable))
	}
	w := start(t)
	_, epoch := w.members(w.seeds[0])
	calm := w.seedsMemory()
	l := w.startLoad()
	began := time.Now()
	process.Pause(warmUp)
	var removals, returns []time.Duration
	for i := range kills {
		victim := &w.peers[i%peersCount]
		syscall.Kill(victim.PID, syscall.SIGKILL)
		removals = append(removals, w.until(victim.Name+" removed everywhere", removedAtMost, func() bool {
			return w.agreed(epoch+1, seedsCount+peersCount-1, victim.Name)
		}))
		victim.Again(w.t)
		returns = append(returns, w.until(victim.Name+" back everywhere", joinedAtMost, func() bool {
			return w.agreed(epoch+2, seedsCount+peersCount, "")
		}))
		epoch += 2
		t.Logf("%s removed after %v, back after %v; seeds hold %v", victim.Name, removals[i].Round(time.Millisecond), returns[i].Round(time.Millisecond), megabytes(w.seedsMemory()))
	}
	joined := w.newcomer(epoch + 1)
	took := time.Since(began)
	l.stop()
	loaded := w.seedsMemory()
	slices.Sort(removals)
	slices.Sort(returns)
	t.Logf("%d sent in %v (%.0f a second, %d more could not be): %d lines, %d answered, %d of them refused, %d late, longest %v; %d broke; this process was kept waiting for up to %v",
		l.sent.Load(), took.Round(time.Second), float64(l.sent.Load())/took.Seconds(), l.skipped.Load(), l.lines.Load(), l.answered.Load(), l.refused.Load(), len(l.late), &l.longest, l.broken.Load(), l.stalled)
	middle := (kills - 1) / 2 // of two the shorter, as the longest of them is no median
	t.Logf("%d kills: removed everywhere: median %v, longest %v; back everywhere: median %v, longest %v; a new peer in everywhere after %v; memory of the seeds before %v, after %v",
		kills, removals[middle], removals[kills-1], returns[middle], returns[kills-1], joined, megabytes(calm), megabytes(loaded))
	if removals[middle] > removedMedian {
		t.Errorf("median removal %v, want %v", removals[middle], removedMedian)
	}
	if late, most := l.lateMost(); late > most {
		t.Errorf("%d answers were late, of %d; want %d at most; the longest: %v", late, l.lines.Load(), most, &l.longest)
	}
	if most := slices.Max(loaded); most > memoryMost {
		t.Errorf("a seed holds %d bytes, want at most %d", most, memoryMost)
	}
	w.until("calm, with the ledger grown by what is real only", removedAtMost, func() bool { return w.agreed(epoch+1, seedsCount+peersCount+1, "") })
	for _, seed := range w.seeds {
		s := w.stats(seed)
		t.Logf("%s: %d cases opened, %d aborted, %d turned away; dropped %v", seed.Name, s.CasesOpened, s.CasesAborted, s.TurnedAway, s.Drops)
	}
}

// newcomer starts one more peer, and waits until it is in everywhere.
func (w *network) newcomer(epoch hearsay.Epoch) time.Duration {
	w.t.Helper()
	data := filepath.Join(w.data, "newcomer")
	process.Run(w.t, data+".log", w.binary, "peer", "--name", "newcomer", "--ip", home.String(), "--port", "0", "--http", "0",
		"--data", data, "--config", filepath.Join(w.data, "config.txt"))
	return w.until("a new peer in everywhere", joinedAtMost, func() bool { return w.agreed(epoch, seedsCount+peersCount+1, "") })
}

func (w *network) seedsMemory() (bytes []int) {
	w.t.Helper()
	for _, seed := range w.seeds {
		bytes = append(bytes, w.memory(seed))
	}
	return bytes
}

func megabytes(bytes []int) (text []string) {
	for _, n := range bytes {
		text = append(text, fmt.Sprintf("%.0f MB", float64(n)/(1<<20)))
	}
	return text
}
