package standin

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const backlog = 128 // connections that wait to be accepted

// State is what a stand-in knows. With --state it is written to a file at each change.
type State struct {
	Addr      string                     `json:"addr"`                // where it listens
	Self      string                     `json:"self,omitempty"`      // p0-peer, p2-peer: the address it takes for its own
	Known     []string                   `json:"known"`               // peers of its list, p4: ids of members
	Gone      []string                   `json:"gone,omitempty"`      // of seeds: removed peers; p4: members held dead
	Neighbors []string                   `json:"neighbors,omitempty"` // peers only
	Rumors    []Rumor                    `json:"rumors,omitempty"`    // in the order of the first time
	Deaths    []string                   `json:"deaths,omitempty"`    // peers reported dead, in order
	Data      map[string]json.RawMessage `json:"data,omitempty"`      // p4: keys and values

	Undecodable int    `json:"undecodable"`         // messages that made no sense
	Senseless   string `json:"senseless,omitempty"` // the last of them, behind its sender's address
	LogLines    int    `json:"log_lines"`
}

// Rumor is a message that was said or heard.
type Rumor struct {
	Text   string   `json:"text"`
	Origin string   `json:"origin,omitempty"` // p1, if its sender told it; p4: the id of the sender
	Own    bool     `json:"own,omitempty"`    // it said this itself
	Count  int      `json:"count"`            // how often it was heard
	From   []string `json:"from,omitempty"`   // what sent it: p1: ip:port, p0 and p2: the remote IP, p4: ids

	ip     string // p1: origin_ip and msg_no of its message
	number int
}

// hear notes a rumor, and reports whether it is new. Rumors of one text are one, unless both tell their origins, and
// these differ.
func (s *State) hear(r Rumor, from string) (first bool) {
	for i := range s.Rumors {
		old := &s.Rumors[i]
		if old.Text != r.Text || old.Origin != r.Origin && old.Origin != "" && r.Origin != "" {
			continue
		}
		old.Count, old.From = old.Count+1, with(old.From, from)
		if old.Origin == "" {
			old.Origin = r.Origin
		}
		return false
	}
	r.Count, r.From = 1, []string{from}
	s.Rumors = append(s.Rumors, r)
	return true
}

// node is what all stand-ins have.
type node struct {
	options
	addr  string // where it listens, as it spells it
	label string // in front of a line of p1's log: "SEED ip:port"

	mu    sync.Mutex
	state State
	log   *os.File // nil: there is none
}

func newNode(o options, addr string) *node {
	return &node{options: o, addr: addr, state: State{Addr: addr}}
}

// openLog has the log appended to a file.
func (n *node) openLog(name string) (err error) {
	n.log, err = os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return err
}

// change changes the state, and writes it if somebody wants to see it.
func (n *node) change(f func(s *State)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(&n.state)
	n.save()
}

// save replaces the file of the state. A stand-in that cannot be looked into is of no use.
func (n *node) save() {
	if n.options.state == "" {
		return
	}
	text, err := json.Marshal(&n.state)
	if err == nil {
		err = os.WriteFile(n.options.state+".new", text, 0o644)
	}
	if err == nil {
		err = os.Rename(n.options.state+".new", n.options.state)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "write the state:", err)
		os.Exit(1)
	}
}

// read looks at the state.
func (n *node) read(f func(s *State)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(&n.state)
}

// neighbors gives those who are now, but one.
func (n *node) neighbors(but string) (others []string) {
	n.read(func(s *State) { others = without(s.Neighbors, but) })
	return others
}

// link makes a neighbor. One that came late is told the rumors so far, except with faults.
func (n *node) link(other string, tell func(other string, r Rumor)) {
	var rumors []Rumor
	n.change(func(s *State) {
		if !n.faults && !slices.Contains(s.Neighbors, other) {
			rumors = slices.Clone(s.Rumors)
		}
		s.Neighbors = with(s.Neighbors, other)
	})
	for _, r := range rumors {
		go tell(other, r)
	}
}

// write adds a line to the log.
func (n *node) write(line string) {
	n.change(func(s *State) {
		s.LogLines++
		if !n.json {
			fmt.Println(line)
		}
		if n.log != nil {
			fmt.Fprintln(n.log, line)
		}
	})
}

// ready tells that it listens, and has joined.
func (n *node) ready() {
	n.change(func(s *State) {
		if !n.json {
			fmt.Println("ready", s.Addr)
		} else {
			line, _ := json.Marshal(map[string]string{"event": "ready", "addr": s.Addr})
			fmt.Println(string(line))
		}
	})
}

// undecodable counts a message that makes no sense, and keeps the last one.
func (n *node) undecodable(from, text string) {
	n.change(func(s *State) { s.Undecodable, s.Senseless = s.Undecodable+1, from+": "+text })
}

// every does something in each period, for ever or until it says that it is done.
func (n *node) every(period time.Duration, do func() (more bool)) {
	for tick := time.NewTicker(n.period(period)); do(); <-tick.C {
	}
}

// dial connects from this stand-in's own address, as a program on a host of its own does.
func (n *node) dial(to string, timeout time.Duration) (net.Conn, error) {
	from := &net.TCPAddr{IP: net.ParseIP(n.ip)} // none for localhost
	conn, err := (&net.Dialer{Timeout: timeout, LocalAddr: from}).Dial("tcp4", to)
	if err == nil && timeout > 0 {
		err = conn.SetDeadline(time.Now().Add(timeout))
	}
	return conn, err
}

// bound is an address that is taken, and at which nobody listens yet.
type bound struct {
	file *os.File
	addr string // with the host as it was given
	port int
}

// bind takes an address. Without reuse it does not set SO_REUSEADDR: then an address whose old connections this side
// has closed cannot be taken for a minute.
func bind(host string, port int, reuse bool) (*bound, error) {
	ip, err := netip.ParseAddr(strings.Replace(host, "localhost", "127.0.0.1", 1))
	if err != nil || !ip.Is4() {
		return nil, fmt.Errorf("ip %q: want an IPv4 address or localhost", host)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	if reuse {
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: ip.As4()})
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("take %s:%d: %w", host, port, err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("ask for the port: %w", err)
	}
	port = name.(*syscall.SockaddrInet4).Port
	return &bound{file: file, addr: endpoint(host, port), port: port}, nil
}

// serve listens, and has each connection handled beside the others.
func (b *bound) serve(handle func(net.Conn)) error {
	listener, err := b.listen()
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				fmt.Fprintln(os.Stderr, "accept:", err)
				os.Exit(1)
			}
			go handle(conn)
		}
	}()
	return nil
}

func (b *bound) listen() (net.Listener, error) {
	defer b.file.Close() // the listener has its own
	if err := syscall.Listen(int(b.file.Fd()), backlog); err != nil {
		return nil, fmt.Errorf("listen at %s: %w", b.addr, err)
	}
	return net.FileListener(b.file)
}

// readConfig reads the seeds, one a line: ip and port with one of the separators between them.
func readConfig(file, separators string) (seeds []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		i := strings.IndexAny(line, separators)
		if i < 0 {
			return nil, fmt.Errorf("%s:%d: %q: want ip%sport", file, number, line, separators)
		}
		port, err := strconv.Atoi(strings.TrimSpace(line[i+1:]))
		if err != nil || port < 1 || port > math.MaxUint16 {
			return nil, fmt.Errorf("%s:%d: %q: want a port from 1 to 65535", file, number, line)
		}
		seeds = append(seeds, endpoint(strings.TrimSpace(line[:i]), port))
	}
	if len(seeds) == 0 {
		return nil, fmt.Errorf("%s: it lists no seed", file)
	}
	return seeds, lines.Err()
}

// quorumOf is how many of the seeds decide.
func quorumOf(seeds []string) int { return len(seeds)/2 + 1 }

// powerLaw draws a number of neighbors, 2 or more: k with a weight of k^-2.5 (the exponent is a guess).
func powerLaw(most int) int {
	if most <= 2 {
		return most
	}
	var sum float64
	for k := 2; k <= most; k++ {
		sum += math.Pow(float64(k), -2.5)
	}
	draw := rand.Float64() * sum
	for k := 2; k < most; k++ {
		if draw -= math.Pow(float64(k), -2.5); draw < 0 {
			return k
		}
	}
	return most
}

// pick draws some of a list.
func pick(list []string, some int) []string {
	list = slices.Clone(list)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:some]
}

// splitEndpoint takes apart what endpoint has made.
func splitEndpoint(addr string) (host string, port int) {
	host, digits, _ := net.SplitHostPort(addr)
	port, _ = strconv.Atoi(digits)
	return host, port
}

func endpoint(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// with gives a list that has an entry, once.
func with(list []string, entry string) []string {
	if slices.Contains(list, entry) {
		return list
	}
	return append(slices.Clone(list), entry)
}

// without gives a list that lacks an entry.
func without(list []string, entry string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(other string) bool { return other == entry })
}

// seconds is the time now as the earlier programs write it.
func seconds() float64 { return float64(time.Now().UnixMicro()) / 1e6 }
