package standin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	textBytes    = 1024 // of one recv, which is one message
	textGossip   = 5 * time.Second
	textLiveness = 13 * time.Second
	textMessages = 10
	textMisses   = 3               // in a row
	textLinks    = 4               // accepted
	textTimeout  = 2 * time.Second // a guess

	connectRequest    = "New Connect Request From:"
	connectionRequest = "New Connection Request From:"
	deadNode          = "Dead Node:"
)

// accepted are the answers to the spellings of the request for a link.
var accepted = map[string]string{
	connectRequest:    "New Connect Accepted",
	connectionRequest: "New Connection Accepted",
}

// textKind is what differs between p0 and p2.
type textKind struct {
	name     string
	seedLog  string
	peerLog  string // with the port in it
	received string // in front of an address in the seed's log
	sends    string // the request for a link that it sends,
	accepts  string // and the one that it accepts
	padded   bool   // with faults the list of the seed has a comma in front and behind
}

var (
	p0 = &textKind{
		name: "p0", seedLog: "outputseed.txt", peerLog: "outputpeer.txt", received: "Received Connection from ",
		sends: connectionRequest, accepts: connectRequest, padded: true,
	}
	p2 = &textKind{
		name: "p2", seedLog: "seedlog.txt", peerLog: "peerlog_%d.txt", received: "Received Connection -- ",
		sends: connectRequest, accepts: connectRequest,
	}
)

// askPort reads the port from standard input, unless the command line has it.
func askPort(o *options) (err error) {
	if o.port >= 0 {
		return nil
	}
	fmt.Fprint(os.Stderr, "Port: ")
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && err != io.EOF {
		return fmt.Errorf("read the port: %w", err)
	}
	if o.port, err = strconv.Atoi(strings.TrimSpace(line)); err != nil || o.port < 0 {
		return fmt.Errorf("port %q on standard input: want a number", strings.TrimSpace(line))
	}
	return nil
}

// receive handles each recv of a connection as one message, until one is refused or the other side closes.
func (n *node) receive(conn net.Conn, handle func(from, text string) (reply string, err error)) {
	defer conn.Close()
	from, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	buffer := make([]byte, textBytes)
	for {
		some, err := conn.Read(buffer)
		if err != nil {
			return
		}
		text := string(buffer[:some])
		reply, err := handle(from, text)
		if err != nil {
			n.undecodable(conn.RemoteAddr().String(), text)
			return
		}
		if reply != "" {
			io.WriteString(conn, reply)
		}
	}
}

var errRefused = errors.New("refused")

// textSeed is a seed of p0 or p2.
type textSeed struct {
	*node
	kind *textKind
}

func runTextSeed(o options, kind *textKind) error {
	if err := askPort(&o); err != nil {
		return err
	}
	at, err := bind(o.ip, o.port, false)
	if err != nil {
		return err
	}
	s := &textSeed{newNode(o, at.addr), kind}
	if err := s.openLog(kind.seedLog); err != nil {
		return err
	}
	if err := at.serve(s.connection); err != nil {
		return err
	}
	s.ready()
	return nil
}

func (s *textSeed) connection(conn net.Conn) {
	if s.faults {
		conn = neverClosed{conn}
	}
	s.receive(conn, s.handle)
}

// neverClosed is a connection of which a seed with faults never sees the end: it holds it and a goroutine for ever. It
// does close where it refuses something.
type neverClosed struct{ net.Conn }

func (c neverClosed) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		defer c.Close() // keeps it from being collected
		select {}
	}
	return n, nil
}

func (s *textSeed) handle(from, text string) (reply string, err error) {
	parts := strings.Split(text, ":")
	if strings.HasPrefix(text, deadNode) {
		s.write(text)
		s.remove(parts)
		return "", nil
	}
	if len(parts) < 2 {
		return "", errRefused
	}
	entry := from + ":" + parts[1] // whatever that is
	s.change(func(state *State) {
		if !s.faults {
			state.Known = without(state.Known, entry)
		}
		state.Known = append(state.Known, entry)
		reply = strings.Join(state.Known, ",")
	})
	s.write(s.kind.received + entry)
	if s.faults && s.kind.padded {
		reply = "," + reply + ","
	}
	return reply, nil
}

// remove takes a dead peer off the list. The short form, without a port, names the one peer at that address, and does
// nothing with faults.
func (s *textSeed) remove(parts []string) {
	s.change(func(state *State) {
		var dead []string
		if len(parts) == 5 {
			dead = []string{parts[1] + ":" + parts[2]}
		} else if len(parts) == 4 && !s.faults {
			for _, entry := range state.Known {
				if strings.HasPrefix(entry, parts[1]+":") {
					dead = append(dead, entry)
				}
			}
		}
		if len(dead) == 1 && slices.Contains(state.Known, dead[0]) {
			state.Known, state.Gone = without(state.Known, dead[0]), with(state.Gone, dead[0])
		}
	})
}

// textPeer is a peer of p0 or p2.
type textPeer struct {
	*node
	kind       *textKind
	seeds      []string // of the configuration
	registered []string // those that it has registered at
	self       string   // the last entry of the first list
	accepted   int      // links that others asked for; under mu
}

func runTextPeer(o options, kind *textKind) error {
	if err := askPort(&o); err != nil {
		return err
	}
	at, err := bind(o.ip, o.port, false)
	if err != nil {
		return err
	}
	p := &textPeer{node: newNode(o, at.addr), kind: kind, self: at.addr}
	if p.seeds, err = readConfig("config.txt", ":"); err != nil {
		return err
	}
	name := kind.peerLog
	if strings.Contains(name, "%d") {
		name = fmt.Sprintf(name, at.port)
	}
	if err := p.openLog(name); err != nil {
		return err
	}
	if err := at.serve(func(conn net.Conn) { p.receive(conn, p.handle) }); err != nil {
		return err
	}
	others := p.register(pick(p.seeds, quorumOf(p.seeds)))
	if len(p.registered) == 0 {
		return errors.New("no seed has answered")
	}
	for _, other := range pick(others, powerLaw(min(len(others), textLinks))) {
		p.connect(other)
	}
	p.ready()
	number := 0
	go p.every(textGossip, func() (more bool) {
		number++
		r := Rumor{Own: true, Text: fmt.Sprintf("%s:%s:GOSSIP%d", stamp(), p.self, number)}
		p.change(func(s *State) { s.Rumors = append(s.Rumors, r) })
		p.spread(r.Text)
		return number < textMessages
	})
	misses := map[string]int{}
	go p.every(textLiveness, func() (more bool) {
		p.look(misses)
		return true
	})
	return nil
}

// stamp is the time now as a decimal fraction.
func stamp() string { return strconv.FormatFloat(seconds(), 'f', -1, 64) }

// exchange sends a text over a connection of its own, and gives what one recv has of the answer.
func (p *textPeer) exchange(to, text string, timeout time.Duration) (string, error) {
	conn, err := p.dial(to, timeout)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	buffer := make([]byte, textBytes)
	n, err := conn.Read(buffer)
	return string(buffer[:n]), err
}

// tell sends a rumor, which is not answered.
func (p *textPeer) tell(to string, r Rumor) { p.send(to, r.Text) }

func (p *textPeer) send(to, text string) {
	conn, err := p.dial(to, textTimeout)
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, text)
}

// register asks each seed once, and gives the other peers: all entries but the last of each list, which is taken for
// this peer's own address.
func (p *textPeer) register(seeds []string) (others []string) {
	for _, seed := range seeds {
		reply, err := p.exchange(seed, p.addr, textTimeout)
		if err != nil {
			continue
		}
		list, err := p.parseList(reply)
		if err != nil {
			p.undecodable(seed, reply)
			continue
		}
		for _, entry := range list {
			p.write(entry)
		}
		own := list[len(list)-1]
		if len(p.registered) == 0 {
			p.self = own
		}
		p.registered = append(p.registered, seed)
		for _, entry := range without(list, own) {
			others = with(others, entry)
		}
	}
	p.change(func(s *State) { s.Known, s.Self = others, p.self })
	return others
}

// parseList reads a list. p0 is used to commas in front and behind; an empty entry is an error otherwise.
func (p *textPeer) parseList(text string) (list []string, err error) {
	if p.kind.padded {
		text = strings.Trim(text, ",")
	}
	list = strings.Split(text, ",")
	for _, entry := range list {
		if host, port := splitEndpoint(entry); host == "" || port == 0 {
			return nil, fmt.Errorf("entry %q: want ip:port", entry)
		}
	}
	return list, nil
}

// connect asks another peer for a link, once, in one spelling. With faults it counts one that was refused as well.
func (p *textPeer) connect(other string) {
	reply, err := p.exchange(other, p.kind.sends+p.self, textTimeout)
	if err == nil && reply == accepted[p.kind.sends] || p.faults {
		p.link(other, p.tell)
	}
}

func (p *textPeer) handle(from, text string) (reply string, err error) {
	kind, rest, _ := strings.Cut(text, ":")
	spelling := kind + ":"
	switch {
	case spelling == p.kind.accepts || accepted[spelling] != "" && !p.faults && p.kind.padded:
		if host, port := splitEndpoint(rest); host == "" || port == 0 {
			return "", errRefused
		}
		return p.accept(rest, accepted[spelling])
	case kind == "Liveness Request":
		ts, ip, ok := strings.Cut(rest, ":")
		if !ok || !isFloat(ts) {
			return "", errRefused
		}
		own, _ := splitEndpoint(p.self)
		return "Liveness Reply:" + ts + ":" + ip + ":" + own, nil
	case !p.isGossip(text):
		return "", errRefused
	}
	first := false
	p.change(func(s *State) { first = s.hear(Rumor{Text: text}, from) })
	if first {
		p.write(text)
		p.spread(text)
	}
	return "", nil
}

// accept gives a link to another peer that asks, to four at most; with faults to any number.
func (p *textPeer) accept(other, yes string) (reply string, err error) {
	full := false
	p.read(func(*State) {
		if full = p.accepted >= textLinks && !p.faults; !full {
			p.accepted++
		}
	})
	if full {
		return "", errRefused
	}
	go p.link(other, p.tell) // it is answered first
	return yes, nil
}

func isFloat(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// isGossip reports whether a text is a rumor: ts:ip:port:GOSSIPn, or ts:ip:n, which one with faults does not take.
func (p *textPeer) isGossip(text string) bool {
	parts := strings.Split(text, ":")
	last := parts[len(parts)-1]
	if len(parts) == 4 {
		_, port := splitEndpoint(parts[1] + ":" + parts[2])
		number, ok := strings.CutPrefix(last, "GOSSIP")
		if !ok || port == 0 {
			return false
		}
		last = number
	} else if len(parts) != 3 || p.faults {
		return false
	}
	_, err := strconv.ParseUint(last, 10, 32)
	return err == nil && isFloat(parts[0]) && net.ParseIP(parts[1]) != nil
}

// spread sends a rumor to each neighbor, once.
func (p *textPeer) spread(text string) {
	for _, other := range p.neighbors("") {
		go p.send(other, text)
	}
}

// look asks the neighbors whether they live: each beside the others and with a deadline, or with faults one after the
// other and without. It counts how often in a row each has not answered.
func (p *textPeer) look(misses map[string]int) {
	neighbors := p.neighbors("")
	lives := make([]bool, len(neighbors))
	var asking sync.WaitGroup
	for i, other := range neighbors {
		if p.faults {
			lives[i] = p.alive(other, 0)
			continue
		}
		asking.Go(func() { lives[i] = p.alive(other, textTimeout) })
	}
	asking.Wait()
	for i, other := range neighbors {
		if misses[other]++; lives[i] {
			misses[other] = 0
		}
		if misses[other] == textMisses {
			p.report(other)
		}
	}
}

func (p *textPeer) alive(other string, timeout time.Duration) bool {
	own, _ := splitEndpoint(p.self)
	request := stamp() + ":" + own
	reply, err := p.exchange(other, "Liveness Request:"+request, timeout)
	return err == nil && strings.HasPrefix(reply, "Liveness Reply:"+request+":")
}

// report tells the seeds, once, and drops the neighbor. With faults only the seeds where it is registered get to know.
func (p *textPeer) report(dead string) {
	own, _ := splitEndpoint(p.self)
	line := deadNode + dead + ":" + stamp() + ":" + own
	seeds := p.seeds
	if p.faults {
		seeds = p.registered
	}
	p.write(line)
	for _, seed := range seeds {
		p.send(seed, line)
	}
	p.change(func(s *State) { s.Deaths, s.Neighbors = append(s.Deaths, dead), without(s.Neighbors, dead) })
}
