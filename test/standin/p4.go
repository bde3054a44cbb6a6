package standin

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	p4Gossip     = 2 * time.Second
	p4Ping       = 5 * time.Second
	p4PingLimit  = time.Second
	p4Timeout    = 5 * time.Second // of other requests, a guess
	p4Fanout     = 3
	p4Excitement = 10
	p4Cold       = 2  // a rumor that is no hotter is dropped
	p4Indirect   = 3  // others that are asked to ping, a guess
	p4Retries    = 50 // of the first sync_members
	p4Retry      = 100 * time.Millisecond
	p4Body       = 1 << 20 // bytes of a request or an answer
)

// p4Member is a member as the protocol tells it.
type p4Member struct {
	ID       string         `json:"id"`
	Host     string         `json:"host"`
	Port     int            `json:"port"`
	IsAlive  bool           `json:"is_alive"`
	LastSeen float64        `json:"last_seen"`
	Clock    map[string]int `json:"vector_clock"`
}

// p4Data is what a rumor says: a key's value, or that a node has failed.
type p4Data struct {
	Key       string          `json:"key,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
	Operation string          `json:"operation"`
	NodeID    string          `json:"node_id,omitempty"`
}

// p4Rumor is the body of a gossip request.
type p4Rumor struct {
	ID          string          `json:"id"`
	Data        json.RawMessage `json:"data"` // a p4Data, and maybe more, which is sent on
	Timestamp   float64         `json:"timestamp"`
	Sender      string          `json:"sender_id"`
	Excitement  int             `json:"excitement_level"`
	Propagation int             `json:"propagation_count"`
	Seen        []string        `json:"recipients_seen"`
}

func (n *p4Node) newRumor(data p4Data) p4Rumor {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // its value was parsed
	}
	return p4Rumor{ID: uuid(), Data: text, Timestamp: seconds(), Sender: n.id, Excitement: p4Excitement, Seen: []string{n.id}}
}

// p4Keys are all keys that a gossip request must have, and may have.
var p4Keys = []string{"data", "excitement_level", "id", "propagation_count", "recipients_seen", "sender_id", "timestamp"}

type p4Stats struct {
	Sent     int `json:"messages_sent"`
	Received int `json:"messages_received"`
	Rounds   int `json:"gossip_rounds"`
	Failed   int `json:"failed_pings"`
}

// p4Node is a node of p4. mu of node guards what is below it.
type p4Node struct {
	*node
	id     string
	client http.Client

	members map[string]p4Member // without itself
	queue   []p4Rumor           // those that are hot
	stats   p4Stats
	clock   map[string]int
	own     p4Member
}

func runP4(o options) error {
	if len(o.rest) < 2 {
		return errors.New("want a node id, a port, and addresses to join, each host:port")
	}
	if i := slices.IndexFunc(o.rest, func(s string) bool { return strings.HasPrefix(s, "-") }); i >= 0 {
		return fmt.Errorf("%s: want flags in front of the node id", o.rest[i])
	}
	port, err := strconv.Atoi(o.rest[1])
	if err != nil {
		return fmt.Errorf("port %q: want a number", o.rest[1])
	}
	at, err := bind(o.ip, port, true)
	if err != nil {
		return err
	}
	n := &p4Node{node: newNode(o, at.addr), id: o.rest[0], members: map[string]p4Member{}, clock: map[string]int{}}
	n.client.Transport = &http.Transport{DisableKeepAlives: true}
	n.own = p4Member{ID: n.id, Host: "localhost", Port: at.port, IsAlive: true, Clock: map[string]int{}}
	if o.ip != "127.0.0.1" {
		n.own.Host = o.ip
	}
	for _, other := range o.rest[2:] { // before it listens
		n.post(other, "join", map[string]any{"node_id": n.id, "host": n.own.Host, "port": at.port}, nil)
	}
	listener, err := at.listen()
	if err != nil {
		return err
	}
	go func() {
		fmt.Fprintln(os.Stderr, "serve:", http.Serve(listener, n.handler()))
		os.Exit(1)
	}()
	n.ready()
	go n.every(p4Gossip, n.round)
	n.every(p4Ping, n.pingAll)
	return nil
}

func (n *p4Node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!DOCTYPE html><title>%s</title><h1>%s</h1>", n.id, n.id)
	})
	mux.HandleFunc("GET /api/status", n.status)
	for name, serve := range map[string]func(body []byte) (answer any, err error){
		"add_data": n.addData, "gossip": n.gossip, "ping": n.pinged, "join": n.join, "sync_members": n.syncMembers, "indirect_ping": n.indirectPing,
	} {
		mux.HandleFunc("POST /api/"+name, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, p4Body))
			var answer any
			if err == nil {
				answer, err = serve(body)
			}
			n.reply(w, answer, err)
			if err != nil && !errors.Is(err, errSync) {
				n.undecodable(r.RemoteAddr, string(body))
			}
		})
	}
	return mux
}

// errSync is what a join says whose joiner does not take the members.
var errSync = errors.New("sync_members failed")

func (n *p4Node) reply(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		code := http.StatusBadRequest
		if errors.Is(err, errSync) {
			code = http.StatusInternalServerError
		}
		w.WriteHeader(code)
		answer = map[string]string{"status": "error", "message": err.Error()}
	}
	json.NewEncoder(w).Encode(answer)
}

var success = map[string]string{"status": "success"}

// note changes what is known, and shows it.
func (n *p4Node) note(f func(s *State)) {
	n.change(func(s *State) {
		f(s)
		s.Known, s.Gone = slices.Sorted(maps.Keys(n.members)), nil
		for _, id := range s.Known {
			if !n.members[id].IsAlive {
				s.Gone = append(s.Gone, id)
			}
		}
	})
}

// alive gives the members that are held alive, without one, in the random order of a map.
func (n *p4Node) alive(but string) (alive []p4Member) {
	n.read(func(*State) {
		for _, m := range n.members {
			if m.IsAlive && m.ID != but {
				alive = append(alive, m)
			}
		}
	})
	return alive
}

// post asks another node. An answer other than 200 is an error.
func (n *p4Node) post(to, what string, body, answer any) error {
	n.read(func(*State) { n.stats.Sent++ })
	limit := p4Timeout
	if what == "ping" {
		limit = p4PingLimit
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to+"/api/"+what, bytes.NewReader(text))
	if err != nil {
		return err
	}
	asked.Header.Set("Content-Type", "application/json")
	got, err := n.client.Do(asked)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	text, err = io.ReadAll(io.LimitReader(got.Body, p4Body))
	if err == nil && got.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", got.Status, text)
	}
	if err == nil && answer != nil {
		err = json.Unmarshal(text, answer)
	}
	return err
}

func (m *p4Member) addr() string { return endpoint(m.Host, m.Port) }

// all gives the members as the protocol has them, itself included.
func (n *p4Node) all() map[string]p4Member {
	all := maps.Clone(n.members)
	n.own.LastSeen, n.own.Clock = seconds(), maps.Clone(n.clock)
	all[n.id] = n.own
	return all
}

func (n *p4Node) status(w http.ResponseWriter, _ *http.Request) {
	var answer any
	n.read(func(s *State) {
		data := map[string]json.RawMessage{}
		maps.Copy(data, s.Data)
		answer = map[string]any{
			"node_id": n.id, "members": n.all(), "gossip_queue_size": len(n.queue), "local_data": data,
			"stats": n.stats, "vector_clock": maps.Clone(n.clock),
		}
	})
	n.reply(w, answer, nil)
}

func (n *p4Node) addData(body []byte) (any, error) {
	var asked struct {
		Key   *string
		Value json.RawMessage
	}
	if err := json.Unmarshal(body, &asked); err != nil || asked.Key == nil || asked.Value == nil {
		return nil, errors.New("want key and value")
	}
	n.start(p4Data{Key: *asked.Key, Value: asked.Value, Operation: "update"})
	return map[string]any{"status": "success", "key": asked.Key, "value": asked.Value}, nil
}

// start starts a rumor, and does here what it says.
func (n *p4Node) start(data p4Data) {
	r := n.newRumor(data)
	n.note(func(s *State) {
		n.clock[n.id]++
		s.Rumors = append(s.Rumors, Rumor{Own: true, Text: r.ID, Origin: n.id})
		n.apply(s, r, data)
	})
}

// apply does what a rumor says, and keeps it to send on. What arrives last wins.
func (n *p4Node) apply(s *State, r p4Rumor, data p4Data) {
	if data.Operation == "update" {
		if s.Data == nil {
			s.Data = map[string]json.RawMessage{}
		}
		s.Data[data.Key] = data.Value
	} else if m, known := n.members[data.NodeID]; known {
		m.IsAlive = false
		n.members[m.ID] = m
	}
	if r.Excitement > p4Cold {
		n.queue = append(n.queue, r)
	}
}

// parseRumor reads a gossip request: with all keys that it has, and no other.
func parseRumor(body []byte) (r p4Rumor, data p4Data, err error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(body, &keys); err != nil {
		return r, data, err
	}
	if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, p4Keys) {
		return r, data, fmt.Errorf("keys %q: want %q", got, p4Keys)
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, data, err
	}
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return r, data, err
	}
	known := data.Operation == "update" && data.Key != "" && data.Value != nil || data.Operation == "node_failed" && data.NodeID != ""
	if !known || r.ID == "" {
		return r, data, errors.New("want an id, and an update of a key or a failed node")
	}
	return r, data, nil
}

func (n *p4Node) gossip(body []byte) (any, error) {
	r, data, err := parseRumor(body)
	if err != nil {
		return nil, err
	}
	n.note(func(s *State) {
		n.stats.Received++
		if s.hear(Rumor{Text: r.ID, Origin: r.Sender}, r.Sender) {
			r.Seen = with(r.Seen, n.id)
			n.apply(s, r, data)
		}
	})
	return success, nil
}

func (n *p4Node) pinged(body []byte) (any, error) {
	n.read(func(*State) { n.stats.Received++ })
	return map[string]any{"status": "alive", "node_id": n.id, "timestamp": seconds()}, nil
}

func (n *p4Node) join(body []byte) (any, error) {
	var asked struct {
		NodeID string `json:"node_id"`
		Host   string `json:"host"`
		Port   int    `json:"port"`
	}
	if err := json.Unmarshal(body, &asked); err != nil || asked.NodeID == "" || asked.Host == "" || asked.Port < 1 {
		return nil, errors.New("want node_id, host and port")
	}
	m := p4Member{ID: asked.NodeID, Host: asked.Host, Port: asked.Port, IsAlive: true, LastSeen: seconds(), Clock: map[string]int{}}
	if n.faults { // it may be pinged before it listens, and so be dead for ever
		n.note(func(*State) { n.members[m.ID] = m })
	}
	if n.sync(m) == nil {
		n.welcome(m)
		return success, nil
	}
	if !n.faults {
		go func() {
			tick := time.NewTicker(p4Retry)
			defer tick.Stop()
			for range p4Retries {
				<-tick.C
				if n.sync(m) == nil {
					n.welcome(m)
					return
				}
			}
		}()
	}
	return nil, fmt.Errorf("%w: %s at %s", errSync, m.ID, m.addr())
}

// sync tells a member all members.
func (n *p4Node) sync(to p4Member) error {
	var members map[string]p4Member
	n.read(func(*State) { members = n.all() })
	return n.post(to.addr(), "sync_members", map[string]any{"members": members}, nil)
}

// welcome makes a member of a node that has taken the members, tells all, and tells the new one all keys, as rumors
// that are cold. Not with faults.
func (n *p4Node) welcome(m p4Member) {
	if n.faults {
		return
	}
	n.note(func(*State) { n.members[m.ID] = m })
	for _, other := range n.alive("") { // the new one, too: another may have come since it was synced
		go n.sync(other)
	}
	var data map[string]json.RawMessage
	n.read(func(s *State) { data = maps.Clone(s.Data) })
	for key, value := range data {
		r := n.newRumor(p4Data{Key: key, Value: value, Operation: "update"})
		r.Excitement, r.Propagation, r.Seen = p4Cold, 1, with(r.Seen, m.ID)
		n.post(m.addr(), "gossip", r, nil)
	}
}

func (n *p4Node) syncMembers(body []byte) (any, error) {
	var told struct{ Members map[string]p4Member }
	if err := json.Unmarshal(body, &told); err != nil || told.Members == nil {
		return nil, errors.New("want members")
	}
	n.note(func(*State) {
		n.stats.Received++
		for id, m := range told.Members {
			if id != n.id {
				n.members[id] = m
			}
		}
	})
	return success, nil
}

func (n *p4Node) indirectPing(body []byte) (any, error) {
	var asked struct{ Target, Requester string }
	if err := json.Unmarshal(body, &asked); err != nil || asked.Target == "" {
		return nil, errors.New("want target and requester")
	}
	var target p4Member
	known := false
	n.read(func(*State) { target, known = n.members[asked.Target] })
	return map[string]bool{"success": known && n.ping(target)}, nil
}

func (n *p4Node) ping(m p4Member) bool {
	var answer struct{ Status string }
	return n.post(m.addr(), "ping", map[string]string{"sender": n.id}, &answer) == nil && answer.Status == "alive"
}

// pingAll pings the members that are held alive; with faults one after the other.
func (n *p4Node) pingAll() (more bool) {
	var pings sync.WaitGroup
	for _, m := range n.alive("") {
		if n.faults {
			n.check(m)
			continue
		}
		pings.Go(func() { n.check(m) })
	}
	pings.Wait()
	return true
}

// check pings a member, and has others ping it if it does not answer. With faults it asks no others. One that is dead
// is dead for ever, unless somebody syncs it.
func (n *p4Node) check(m p4Member) {
	answered := n.ping(m)
	if !answered && !n.faults {
		others := n.alive(m.ID)
		for _, other := range others[:min(len(others), p4Indirect)] {
			var answer struct{ Success bool }
			if n.post(other.addr(), "indirect_ping", map[string]string{"target": m.ID, "requester": n.id}, &answer) == nil && answer.Success {
				answered = true
				break
			}
		}
	}
	if answered {
		n.read(func(*State) {
			if m, ok := n.members[m.ID]; ok {
				m.LastSeen = seconds()
				n.members[m.ID] = m
			}
		})
		return
	}
	n.note(func(s *State) {
		n.stats.Failed++
		s.Deaths = append(s.Deaths, m.ID)
	})
	n.start(p4Data{Operation: "node_failed", NodeID: m.ID})
}

// round sends each hot rumor to three members, and cools it.
func (n *p4Node) round() (more bool) {
	targets := n.alive("")
	targets = targets[:min(len(targets), p4Fanout)]
	var hot []p4Rumor
	n.read(func(*State) {
		n.stats.Rounds++
		for i := range n.queue {
			r := &n.queue[i]
			for _, m := range targets {
				r.Seen = with(r.Seen, m.ID)
			}
			r.Propagation++
			hot = append(hot, *r)
			cools := 1
			if 10*len(r.Seen) > 8*(len(n.members)+1) {
				cools = 3
			}
			r.Excitement -= cools
		}
		n.queue = slices.DeleteFunc(n.queue, func(r p4Rumor) bool { return r.Excitement <= p4Cold })
	})
	for _, m := range targets {
		go func() {
			for _, r := range hot {
				r.Sender = n.id
				n.post(m.addr(), "gossip", r, nil)
			}
		}()
	}
	return true
}

// uuid draws a random identifier, of version 4.
func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
