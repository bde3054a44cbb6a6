package guest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearsay"
	"hearsay/dialect"
)

// fakeStore is a store and a roster, which several nodes share.
type fakeStore struct {
	mu      sync.Mutex
	members []hearsay.Member
	keys    map[string]hearsay.Stored
	changes []hearsay.KeyChange
	news    chan struct{} // closed at the next change
	number  uint64
	lacks   uint64
}

// reader is a node that has it.
type reader struct {
	*fakeStore
	name string
}

func newStore(names ...string) *fakeStore {
	s := &fakeStore{keys: make(map[string]hearsay.Stored), news: make(chan struct{})}
	for _, name := range names {
		s.members = append(s.members, hearsay.Member{Name: name, ID: hearsay.NodeID([]byte(fmt.Sprintf("%-16s", name))), Role: hearsay.RolePeer, State: hearsay.StateAlive})
	}
	return s
}

func (r reader) Self() hearsay.Member {
	return r.members[slices.IndexFunc(r.members, func(m hearsay.Member) bool { return m.Name == r.name })]
}

func (s *fakeStore) Joined() bool { return true }

func (s *fakeStore) Stats() (stats hearsay.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats.StoreLacks = s.lacks
	return stats
}

func (s *fakeStore) Members() []hearsay.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.members)
}

func (s *fakeStore) Get(key string) (hearsay.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := s.keys[key]
	stored.Key = key
	return stored, nil
}

func (s *fakeStore) Keys(prefix, after string, limit int) (keys []hearsay.KeyInfo, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		if strings.HasPrefix(key, prefix) && key > after && len(keys) < limit {
			keys = append(keys, hearsay.KeyInfo{Key: key})
		}
	}
	return keys, nil
}

// Write replaces what a context names: all versions up to a number. What is newer stays, behind it.
func (s *fakeStore) Write(_ context.Context, writes ...hearsay.Write) (contexts [][]byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range writes {
		if w.If == hearsay.IfAbsent && len(s.keys[w.Key].Siblings) > 0 {
			return nil, hearsay.ErrKeyExists
		}
	}
	for _, w := range writes {
		s.number++
		context := binary.BigEndian.AppendUint64(nil, s.number)
		stored := hearsay.Stored{Key: w.Key, Context: context}
		if !w.Delete {
			stored.Siblings = append(stored.Siblings, hearsay.Sibling{Value: w.Value, At: time.Now()})
		}
		if before := s.keys[w.Key]; w.Context != nil && !bytes.Equal(w.Context, before.Context) {
			stored.Siblings = append(stored.Siblings, before.Siblings...)
		}
		s.keys[w.Key] = stored
		if w.Delete {
			delete(s.keys, w.Key)
		}
		contexts = append(contexts, context)
		value, _ := stored.Value()
		s.changes = append(s.changes, hearsay.KeyChange{Key: w.Key, Value: value, Siblings: len(stored.Siblings), Context: context})
	}
	close(s.news)
	s.news = make(chan struct{})
	return contexts, nil
}

func (s *fakeStore) Revision() hearsay.Revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return hearsay.Revision{Number: uint64(len(s.changes))}
}

func (s *fakeStore) WatchAfter(ctx context.Context, prefix string, after hearsay.Revision, _ time.Duration) (iter.Seq2[hearsay.Revision, hearsay.Event], error) {
	return func(yield func(hearsay.Revision, hearsay.Event) bool) {
		for at := after.Number; ctx.Err() == nil; {
			s.mu.Lock()
			changes, news := s.changes[at:], s.news
			s.mu.Unlock()
			for _, c := range changes {
				at++
				if strings.HasPrefix(c.Key, prefix) && !yield(hearsay.Revision{Number: at}, hearsay.Event{Kind: hearsay.EventKeyChanged, Change: &c}) {
					return
				}
			}
			if len(changes) == 0 {
				select {
				case <-news:
				case <-ctx.Done():
				}
			}
		}
	}, nil
}

func (s *fakeStore) put(key, value string) {
	s.Write(context.Background(), hearsay.Write{Key: key, Value: []byte(value)})
}

func (s *fakeStore) value(key string) string {
	stored, _ := s.Get(key)
	value, _ := stored.Value()
	return string(value)
}

// nets is what there is at addresses, and what was asked there.
type nets struct {
	mu    sync.Mutex
	at    map[string]*old
	asked []string // "host:port path"
}

// old is a node of p4 that shows what it was told.
type old struct {
	dialect.P4Status
	Data     map[string]json.RawMessage
	gossip   []dialect.P4Rumor
	synced   int
	stubborn bool // it takes nothing
	deaf     map[string]bool
	slow     time.Duration // until the end of its status
	hangs    bool          // it answers no rumor
}

// slowBody is what comes late.
type slowBody struct {
	io.Reader
	after time.Duration
}

func (b *slowBody) Read(into []byte) (int, error) {
	if b.after > 0 {
		pass(b.after)
		b.after = 0
	}
	return b.Reader.Read(into)
}

func (b *slowBody) Close() error { return nil }

func newOld(name string) *old {
	return &old{P4Status: dialect.P4Status{NodeID: name, Members: map[string]dialect.P4Member{}}, Data: map[string]json.RawMessage{}}
}

var errNobody = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("nobody is there")}

func (n *nets) RoundTrip(r *http.Request) (*http.Response, error) {
	hangs := false
	n.read(func() { hangs = r.URL.Path == p4PathGossip && n.at[r.URL.Host] != nil && n.at[r.URL.Host].hangs })
	if hangs {
		<-r.Context().Done()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, r.URL.Host+" "+r.URL.Path)
	o := n.at[r.URL.Host]
	if o == nil {
		return nil, errNobody
	}
	if o.deaf[r.URL.Path] {
		return nil, context.DeadlineExceeded
	}
	w := httptest.NewRecorder()
	body, _ := io.ReadAll(r.Body)
	var answer any = map[string]string{"status": "success"}
	switch r.URL.Path {
	case p4PathPing:
		answer = dialect.P4Alive{Status: "alive", NodeID: o.NodeID}
	case p4PathStatus:
		answer = struct {
			dialect.P4Status
			Data map[string]json.RawMessage `json:"local_data"`
		}{o.P4Status, o.Data}
	case p4PathProbe:
		answer = dialect.P4Probed{Success: true}
	case p4PathSync:
		var told dialect.P4Members
		json.Unmarshal(body, &told)
		maps.Copy(o.Members, told.Members)
		o.synced++
	case p4PathGossip:
		type whole dialect.P4Rumor // with what is not needed of others
		var all whole
		json.Unmarshal(body, &all)
		told := dialect.P4Rumor(all)
		o.gossip = append(o.gossip, told)
		if told.Data.Operation == dialect.P4Failed {
			m := o.Members[told.Data.NodeID]
			m.IsAlive = false
			o.Members[told.Data.NodeID] = m
		} else if !o.stubborn {
			o.Data[*told.Data.Key] = told.Data.Value
		}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	json.NewEncoder(w).Encode(answer)
	result := w.Result()
	if r.URL.Path == p4PathStatus && o.slow > 0 {
		result.Body = &slowBody{result.Body, o.slow}
	}
	return result, nil
}

func (n *nets) set(at string, o *old) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at[at] = o
}

func (n *nets) read(do func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do()
}

func (n *nets) count(ends string) (times int) {
	n.read(func() {
		for _, asked := range n.asked {
			if strings.HasSuffix(asked, ends) {
				times++
			}
		}
	})
	return times
}

// p4World runs nodes of ours with a store in common, in a bubble, in which time passes where all wait.
func p4World(t *testing.T, names []string, do func(t *testing.T, s *fakeStore, n *nets, nodes []*P4)) {
	synctest.Test(t, func(t *testing.T) {
		s, n := newStore(names...), &nets{at: make(map[string]*old)}
		ctx, cancel := context.WithCancel(t.Context())
		var nodes []*P4
		var running sync.WaitGroup
		for i, name := range names {
			p := NewP4(reader{s, name}, P4Place{"localhost", uint16(9001 + i)}, nil, nil)
			p.client.Transport = n
			nodes = append(nodes, p)
			running.Go(func() { p.Run(ctx) })
		}
		synctest.Wait()
		do(t, s, n, nodes)
		cancel()
		running.Wait()
	})
}

// pass has time pass in the bubble.
func pass(d time.Duration) { <-time.After(d) }

const oldAt = "127.0.0.1:8001"

var theirIP = netip.MustParseAddr("127.0.0.1")

// join has a node of p4 come to the first of ours.
func join(t *testing.T, n *nets, p *P4, o *old, at string) {
	t.Helper()
	n.set(at, o)
	addr := netip.MustParseAddrPort(at)
	welcome, err := p.Join(&dialect.P4Join{NodeID: o.NodeID, Host: "localhost", Port: addr.Port()}, addr, addr.Addr())
	if err != nil {
		t.Fatal(err)
	}
	welcome(t.Context(), nil)
}

func state(p *P4, name string) hearsay.State {
	for _, m := range p.Guests() {
		if m.Name == name {
			return m.State
		}
	}
	return 0
}

// A guest that does not answer is dead after two pings, unless another reaches it, and alive again once it answers; it
// is then told all that it missed, and the others that it lives.
func TestP4DeadAndAlive(t *testing.T) {
	p4World(t, []string{"ada", "bob"}, func(t *testing.T, s *fakeStore, n *nets, nodes []*P4) {
		one, two := newOld("node_1"), newOld("node_2")
		join(t, n, nodes[0], one, oldAt)
		join(t, n, nodes[0], two, "127.0.0.1:8002")
		pass(10 * time.Second)
		n.read(func() {
			if !two.Members["node_1"].IsAlive || !two.Members["ada"].IsAlive || !two.Members["bob"].IsAlive || two.Members["bob"].Port != 9002 {
				t.Errorf("it believes %v", two.Members)
			}
			one.deaf = map[string]bool{p4PathPing: true}
			two.deaf = map[string]bool{p4PathProbe: true}
			for i := range nodes { // nodes of ours say that it answers
				n.at[fmt.Sprintf("localhost:%d", 9001+i)] = newOld("")
			}
		})
		pass(time.Minute)
		if got := state(nodes[0], "node_1"); got != hearsay.StateAlive {
			t.Errorf("it is %v though another of ours reaches it", got)
		}
		n.set(oldAt, nil)
		n.read(func() {
			for i := range nodes {
				delete(n.at, fmt.Sprintf("localhost:%d", 9001+i))
			}
		})
		pass(10 * time.Second)
		n.read(func() {
			if got := state(nodes[1], "node_1"); got != hearsay.StateDead || two.Members["node_1"].IsAlive {
				t.Errorf("it is %v, and node_2 believes %v", got, two.Members["node_1"])
			}
		})
		s.put("k", "1")
		pass(time.Hour)
		n.read(func() { one.deaf = nil })
		n.set(oldAt, one)
		pass(10 * time.Second)
		n.read(func() {
			if got := state(nodes[1], "node_1"); got != hearsay.StateAlive || !two.Members["node_1"].IsAlive || string(one.Data["k"]) != "1" {
				t.Errorf("it is %v, node_2 believes %v, and it has %s", got, two.Members["node_1"], one.Data)
			}
		})
	})
}

// What one guest writes the others are told, and not the guest itself. What is here it is told, and what it has is
// taken.
func TestP4Tells(t *testing.T) {
	p4World(t, []string{"ada", "bob", "cy"}, func(t *testing.T, s *fakeStore, n *nets, nodes []*P4) {
		s.put("ours", `{"a": 1.50}`)
		s.put("text", "no JSON")
		s.put("gone", "1")
		one, two := newOld("node_1"), newOld("node_2")
		one.Data["theirs"] = json.RawMessage("2")
		join(t, n, nodes[0], one, oldAt)
		join(t, n, nodes[0], two, "127.0.0.1:8002")
		pass(20 * time.Second)
		for i, o := range []*old{one, two} {
			n.read(func() {
				if string(o.Data["ours"]) != `{"a":1.50}` || string(o.Data["text"]) != `"no JSON"` || string(o.Data["theirs"]) != "2" {
					t.Errorf("%d has %s", i, o.Data)
				}
				o.gossip = nil
			})
		}
		if got := s.value("theirs"); got != "2" {
			t.Errorf("of theirs the store has %q", got)
		}
		key := "k"
		rumor := &dialect.P4Rumor{ID: "u1", Data: dialect.P4Data{Operation: dialect.P4Update, Key: &key, Value: json.RawMessage("3")}, Sender: "node_1"}
		n.read(func() { one.Data["k"] = json.RawMessage("3") })
		for _, p := range nodes { // it goes round
			if err := p.Hear(t.Context(), rumor, theirIP); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		n.read(func() {
			if len(one.gossip) > 0 || string(two.Data["k"]) != "3" {
				t.Errorf("the first is told %v, the second has %s", one.gossip, two.Data)
			}
			ids := make(map[string]bool)
			for _, r := range two.gossip {
				ids[r.ID] = true
				if !dialect.P4IsOurs(r.ID) || r.Excitement != dialect.P4Hot || r.Propagation < 1 || !slices.Contains(r.Seen, r.Sender) || !slices.Contains(r.Seen, "node_2") {
					t.Errorf("it is told %+v", r)
				}
			}
			if len(ids) != 1 {
				t.Errorf("one write is rumors %v", ids)
			}
		})
		s.Write(t.Context(), hearsay.Write{Key: "gone", Delete: true})
		pass(time.Minute)
		n.read(func() {
			if string(one.Data["gone"]) != "null" || s.value("gone") != "" {
				t.Errorf("what was deleted is %s there, and %q here", one.Data["gone"], s.value("gone"))
			}
		})
	})
}

// A rumor that comes late, and to another node, does not undo what was written since. A write takes the place of what
// guests were told, and of nothing else.
func TestP4HearsOnce(t *testing.T) {
	p4World(t, []string{"ada", "bob"}, func(t *testing.T, s *fakeStore, n *nets, nodes []*P4) {
		join(t, n, nodes[0], newOld("node_1"), oldAt)
		key := "k"
		hear := func(p *P4, id, value string) {
			t.Helper()
			data := dialect.P4Data{Operation: dialect.P4Update, Key: &key, Value: json.RawMessage(value)}
			if err := p.Hear(t.Context(), &dialect.P4Rumor{ID: id, Data: data, Sender: "node_1"}, theirIP); err != nil {
				t.Fatal(err)
			}
		}
		hear(nodes[0], "u1", "1")
		pass(10 * time.Second)
		s.put("k", "2")
		pass(10 * time.Second)
		hear(nodes[1], "u1", "1")
		hear(nodes[1], dialect.P4RumorID("k", nil), "1") // ours, which has come back
		if got := s.value("k"); got != "2" {
			t.Errorf("after an old rumor the store has %s", got)
		}
		hear(nodes[1], "u2", "3")
		stored, _ := s.Get("k")
		if s.value("k") != "3" || len(stored.Siblings) != 1 {
			t.Errorf("what replaces what was told leaves %+v", stored)
		}
		s.put("k", "4") // nobody was told
		hear(nodes[0], "u3", "5")
		if stored, _ := s.Get("k"); len(stored.Siblings) != 2 {
			t.Errorf("of two that were written at the same time there is %+v", stored)
		}
		if err := nodes[0].Hear(t.Context(), &dialect.P4Rumor{ID: "u4", Data: dialect.P4Data{Operation: dialect.P4Update, Key: new(P4Prefix + "guest/x"), Value: json.RawMessage("1")}}, theirIP); !errors.Is(err, ErrP4Reserved) {
			t.Errorf("a key of the nodes themselves: %v", err)
		}
	})
}

// A node that comes back without memory takes what guests have written meanwhile, and tells them what was written here
// since they were equal; and it does neither before it has all that others have.
func TestP4AfterTheEnd(t *testing.T) {
	p4World(t, nil, func(t *testing.T, s *fakeStore, n *nets, _ []*P4) {
		s.members = newStore("ada").members
		run := func() (p *P4, end func()) {
			ctx, cancel := context.WithCancel(t.Context())
			p = NewP4(reader{s, "ada"}, P4Place{"localhost", 9001}, nil, nil)
			p.client.Transport = n
			ended := make(chan struct{})
			go func() { p.Run(ctx); close(ended) }()
			synctest.Wait()
			return p, func() { cancel(); <-ended }
		}
		first, end := run()
		o := newOld("node_1")
		join(t, n, first, o, oldAt)
		for _, key := range []string{"theirs", "ours", "both"} {
			s.put(key, "1")
		}
		pass(5 * time.Minute)
		end()
		s.lacks = 1
		n.read(func() {
			o.gossip = nil
			o.Data["theirs"], o.Data["both"] = json.RawMessage("2"), json.RawMessage("2")
		})
		s.put("ours", "3")
		s.put("both", "3")
		_, end = run()
		defer end()
		pass(time.Minute)
		n.read(func() {
			if len(o.gossip) > 0 || s.value("theirs") != "1" {
				t.Errorf("it lacks some of the store, and tells %v", o.gossip)
			}
		})
		s.mu.Lock()
		s.lacks = 0
		s.mu.Unlock()
		pass(time.Minute)
		n.read(func() {
			for key, want := range map[string]string{"theirs": "2", "ours": "3", "both": "3"} {
				if string(o.Data[key]) != want || s.value(key) != want {
					t.Errorf("%s is %s there and %s here, want %s", key, o.Data[key], s.value(key), want)
				}
			}
		})
	})
}

// One address says so much, and no more.
func TestP4Flood(t *testing.T) {
	p4World(t, []string{"ada"}, func(t *testing.T, s *fakeStore, _ *nets, nodes []*P4) {
		refused := 0
		for i := range 2000 {
			key := fmt.Sprint(i)
			r := &dialect.P4Rumor{ID: key, Data: dialect.P4Data{Operation: dialect.P4Update, Key: &key, Value: json.RawMessage("1")}, Seen: []string{strings.Repeat("x", 1<<20)}}
			if err := nodes[0].Hear(t.Context(), r, theirIP); errors.Is(err, ErrP4TooMuch) {
				refused++
			}
		}
		if taken := 2000 - refused; taken > int(p4SayBurst/p4SayEach)+1 || refused == 0 {
			t.Errorf("%d of 2000 are taken at once", taken)
		}
		if err := nodes[0].Hear(t.Context(), &dialect.P4Rumor{ID: "0", Data: dialect.P4Data{Operation: dialect.P4Update, Key: new("0"), Value: json.RawMessage("1")}}, theirIP); err != nil {
			t.Errorf("one that was heard: %v", err)
		}
		keys, _ := s.Keys(p4SaidPrefix, "", 10)
		if value := s.value(keys[0].Key); len(value) > 200 {
			t.Errorf("of a rumor is remembered %.100s", value)
		}
	})
}

// Others may say as often as they will that a guest is dead: it is pinged now and then, and is dead no sooner. What
// they say is paid for.
func TestP4DoubtFlood(t *testing.T) {
	p4World(t, []string{"ada"}, func(t *testing.T, _ *fakeStore, n *nets, nodes []*P4) {
		join(t, n, nodes[0], newOld("node_1"), oldAt)
		pass(5 * time.Second)
		number, refused := 0, 0
		flood := func(d time.Duration) {
			for until := time.Now().Add(d); time.Now().Before(until); pass(time.Millisecond) {
				number++
				r := &dialect.P4Rumor{ID: fmt.Sprint(number), Data: dialect.P4Data{Operation: dialect.P4Failed, NodeID: "node_1"}}
				if errors.Is(nodes[0].Hear(t.Context(), r, theirIP), ErrP4TooMuch) {
					refused++
				}
			}
		}
		before := n.count(oldAt + " " + p4PathPing)
		flood(10 * time.Second)
		if got := n.count(oldAt+" "+p4PathPing) - before; got > 11 {
			t.Errorf("it is pinged %d times in 10 s", got)
		}
		if refused == 0 {
			t.Errorf("%d doubts in 10 s are all heard", number)
		}
		n.set(oldAt, nil)
		flood(p4PingEach - 100*time.Millisecond)
		if got := state(nodes[0], "node_1"); got == hearsay.StateDead {
			t.Error("a guest that starts anew is dead at once")
		}
		pass(2 * p4PingEach)
		if got := state(nodes[0], "node_1"); got != hearsay.StateDead {
			t.Errorf("one that has gone is %v", got)
		}
	})
}

// A name is not taken over from a guest that is slow for once, but from one that is dead: one that joins waits for it.
func TestP4TakesOver(t *testing.T) {
	p4World(t, []string{"ada", "bob"}, func(t *testing.T, _ *fakeStore, n *nets, nodes []*P4) {
		first := newOld("node_1")
		join(t, n, nodes[0], first, oldAt)
		pass(5 * time.Second)
		n.read(func() { first.deaf = map[string]bool{p4PathPing: true} })
		go func() {
			pass(1500 * time.Millisecond)
			n.read(func() { first.deaf = nil })
		}()
		join(t, n, nodes[0], newOld("node_1"), "127.0.0.2:8001")
		pass(20 * time.Second)
		if at := nodes[1].Guests()[0].Addr.String(); at != oldAt {
			t.Errorf("after a pause of 1.5 s the guest is at %s", at)
		}
		n.set(oldAt, nil) // it starts anew elsewhere
		join(t, n, nodes[0], newOld("node_1"), "127.0.0.1:8011")
		pass(time.Second)
		if at := nodes[1].Guests()[0].Addr.String(); at != "127.0.0.1:8011" {
			t.Errorf("one that has moved is at %s", at)
		}
	})
}

// Guests that are dead make room, those first that have been so longest.
func TestP4DeadMakeRoom(t *testing.T) {
	p4World(t, []string{"ada", "bob"}, func(t *testing.T, _ *fakeStore, n *nets, nodes []*P4) {
		for i := range p4Most {
			o := newOld("node_" + strconv.Itoa(i))
			o.deaf = map[string]bool{p4PathProbe: true}
			join(t, n, nodes[0], o, fmt.Sprintf("127.0.%d.1:%d", i/p4MostOf, 8001+i))
			synctest.Wait()
		}
		join(t, n, nodes[0], newOld("late"), "127.1.0.1:8001")
		synctest.Wait()
		if guests := nodes[1].Guests(); len(guests) != p4Most || state(nodes[1], "late") != 0 {
			t.Fatalf("%d guests, the late one is %v", len(guests), state(nodes[1], "late"))
		}
		pass(5 * time.Second)
		n.set("127.0.0.1:8008", nil) // node_7
		pass(20 * time.Second)
		n.set("127.0.0.1:8004", nil) // node_3, later
		n.set("127.0.1.1:8101", nil)
		pass(20 * time.Second)
		join(t, n, nodes[0], newOld("late"), "127.1.0.1:8001")
		synctest.Wait()
		join(t, n, nodes[1], newOld("later"), "127.0.1.1:9000") // where are as many as may be
		pass(5 * time.Second)
		for i, p := range nodes {
			for name, want := range map[string]hearsay.State{"late": hearsay.StateAlive, "later": hearsay.StateAlive, "node_7": 0, "node_100": 0, "node_3": hearsay.StateDead} {
				if got := state(p, name); got != want {
					t.Errorf("at %d %s is %v, want %v", i, name, got, want)
				}
			}
		}
	})
}

// One network has so many guests, from whichever of its addresses.
func TestP4LimitOfNetwork(t *testing.T) {
	p4World(t, []string{"ada"}, func(t *testing.T, _ *fakeStore, n *nets, nodes []*P4) {
		for i := range p4MostOf + 3 {
			join(t, n, nodes[0], newOld("node_"+strconv.Itoa(i)), fmt.Sprintf("[2001:db8::%x]:8001", i+1))
			synctest.Wait()
		}
		if got := len(nodes[0].Guests()); got != p4MostOf {
			t.Errorf("%d guests of one /64", got)
		}
	})
}

// That a guest says that it reaches another is one more ping for that, and no more.
func TestP4GuestVouches(t *testing.T) {
	p4World(t, []string{"ada"}, func(t *testing.T, _ *fakeStore, n *nets, nodes []*P4) {
		join(t, n, nodes[0], newOld("node_1"), oldAt)
		join(t, n, nodes[0], newOld("liar"), "127.0.0.1:8002") // it reaches all
		pass(5 * time.Second)
		n.set(oldAt, nil)
		n.read(func() { n.asked = nil })
		for pings := 0; pings < p4Misses; pings = n.count(oldAt + " " + p4PathPing) {
			pass(p4Tick)
		}
		pass(p4Tick)
		if got := state(nodes[0], "node_1"); got == hearsay.StateDead {
			t.Error("the word of a guest is nothing")
		}
		pass(2 * p4PingEach)
		if got := state(nodes[0], "node_1"); got != hearsay.StateDead {
			t.Errorf("one that has gone is %v on the word of a guest", got)
		}
	})
}

// A key that was deleted here stays so, however many others are written: what a guest shows of it is old.
func TestP4RemembersDeletedKeys(t *testing.T) {
	p4World(t, []string{"ada"}, func(t *testing.T, s *fakeStore, n *nets, nodes []*P4) {
		o := newOld("node_1")
		join(t, n, nodes[0], o, oldAt)
		pass(5 * time.Second)
		s.put("gone", "1")
		pass(time.Second)
		s.Write(t.Context(), hearsay.Write{Key: "gone", Delete: true})
		pass(time.Second)
		n.read(func() { n.at = map[string]*old{} })
		for i := range p4Keys + 100 {
			nodes[0].note(&hearsay.KeyChange{Key: fmt.Sprint(i), Value: []byte("1"), Siblings: 1, Context: []byte("c")})
		}
		nodes[0].mu.Lock()
		k, remembered := nodes[0].keys["gone"], len(nodes[0].keys)
		nodes[0].mu.Unlock()
		if k == nil || len(k.past) == 0 || remembered > p4Keys {
			t.Fatalf("of what was deleted is remembered %v, beside %d keys", k, remembered)
		}
		o.Data = map[string]json.RawMessage{"gone": json.RawMessage("1")}
		n.set(oldAt, o)
		pass(time.Minute)
		n.read(func() {
			if s.value("gone") != "" || string(o.Data["gone"]) != "null" {
				t.Errorf("what was deleted is %q here and %s there", s.value("gone"), o.Data["gone"])
			}
		})
		for i := range 2 * p4Keys { // of many that are deleted those are remembered that were so last
			nodes[0].note(&hearsay.KeyChange{Key: fmt.Sprint("d", i), Context: []byte("c")})
		}
		nodes[0].mu.Lock()
		defer nodes[0].mu.Unlock()
		for i := 2*p4Keys - p4Keys/3; i < 2*p4Keys; i++ {
			if nodes[0].keys[fmt.Sprint("d", i)] == nil {
				t.Fatalf("%d of %d is forgotten", i, 2*p4Keys)
			}
		}
		if len(nodes[0].keys) > p4Keys {
			t.Errorf("%d keys are remembered", len(nodes[0].keys))
		}
	})
}

// One that believes that many dead live, and takes no word of it, does not keep others from being looked at.
func TestP4BelievesInTheDead(t *testing.T) {
	p4World(t, []string{"ada"}, func(t *testing.T, s *fakeStore, n *nets, nodes []*P4) {
		shows := dialect.P4Status{Members: make(map[string]dialect.P4Member)}
		for i := range p4MostOf {
			id := fmt.Sprint("node_", i)
			shows.Members[id] = dialect.P4Member{ID: id, IsAlive: true}
			s.put(p4GuestPrefix+id, string(jsonOf(p4Record{Addr: netip.AddrPortFrom(theirIP, uint16(9100+i)), State: hearsay.StateDead})))
		}
		o := newOld("liar")
		o.hangs = true
		n.set(oldAt, o)
		pass(time.Second)
		began := time.Now()
		nodes[0].believes(t.Context(), "liar", netip.MustParseAddrPort(oldAt), &shows)
		if took := time.Since(began); took > p4PushFor || took < p4TellLimit {
			t.Errorf("it is told for %v", took)
		}
	})
}

// What a guest shows is taken as fast as what it says, the rest later, and is not held meanwhile. It is pinged on.
func TestP4ShowsMuch(t *testing.T) {
	p4World(t, []string{"ada"}, func(t *testing.T, s *fakeStore, n *nets, nodes []*P4) {
		const all = p4TakeMost + 100
		o := newOld("node_1")
		for i := range all {
			o.Data[fmt.Sprint(i)] = json.RawMessage("1")
		}
		join(t, n, nodes[0], o, oldAt)
		held := func() (keys int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for key := range s.keys {
				if !P4IsReserved(key) {
					keys++
				}
			}
			return keys
		}
		for seconds := 1; seconds <= 60; seconds++ {
			pass(time.Second)
			if got, most := held(), int((p4SayBurst+time.Duration(seconds+1)*time.Second)/p4SayEach); got > most {
				t.Fatalf("%d keys are taken in %d s, at most %d are paid for", got, seconds, most)
			}
			nodes[0].mu.Lock()
			if has, keys := len(nodes[0].guests["node_1"].has), len(nodes[0].keys); has+keys > 2*all {
				t.Fatalf("%d and %d are remembered", has, keys)
			}
			nodes[0].mu.Unlock()
		}
		pass(10 * time.Second)
		if got := held(); got != all {
			t.Errorf("of %d keys %d are taken in the end", all, got)
		}
	})
}

// What is longer than a status of a network like ours is not read on, and what came before counts. It is no reason to
// tell a guest what it may have.
func TestP4ShowsTooMuch(t *testing.T) {
	p4World(t, []string{"ada"}, func(t *testing.T, s *fakeStore, n *nets, nodes []*P4) {
		s.put("z", "2")
		o := newOld("node_1")
		for i := range 12 {
			o.Data[fmt.Sprintf("k%02d", i)] = json.RawMessage(strconv.Quote(strings.Repeat("x", 1<<20-2)))
		}
		o.Data["z"] = json.RawMessage("2")
		join(t, n, nodes[0], o, oldAt)
		pass(4 * time.Second)
		if s.value("k00") == "" || s.value("k09") != "" {
			t.Errorf("of the first there are %d bytes, of the tenth %d", len(s.value("k00")), len(s.value("k09")))
		}
		n.read(func() {
			if len(o.gossip) > 0 {
				t.Errorf("it is told %d", len(o.gossip))
			}
		})
	})
}

// A guest that is long to tell what it has is pinged meanwhile.
func TestP4PingsMeanwhile(t *testing.T) {
	p4World(t, []string{"ada"}, func(t *testing.T, s *fakeStore, n *nets, nodes []*P4) {
		o := newOld("node_1")
		o.slow = 9 * time.Second
		join(t, n, nodes[0], o, oldAt)
		pass(4 * time.Second)
		before := n.count(oldAt + " " + p4PathPing)
		pass(6 * time.Second)
		if got := n.count(oldAt+" "+p4PathPing) - before; got < 2 {
			t.Errorf("it is pinged %d times in 6 s", got)
		}
	})
}

// A guest that never takes what it is told is told it more and more seldom, and one that is as it should be is left
// alone.
func TestP4GivesWay(t *testing.T) {
	p4World(t, []string{"ada", "bob"}, func(t *testing.T, s *fakeStore, n *nets, nodes []*P4) {
		calm, stubborn := newOld("node_1"), newOld("node_2")
		stubborn.stubborn, stubborn.Data["k"] = true, json.RawMessage("1")
		s.put("k", "2")
		join(t, n, nodes[0], calm, oldAt)
		join(t, n, nodes[0], stubborn, "127.0.0.1:8002")
		pass(time.Minute)
		n.read(func() { n.asked, calm.synced, calm.gossip, stubborn.gossip = nil, 0, nil, nil })
		pass(time.Hour)
		n.read(func() {
			if calm.synced > 0 || len(calm.gossip) > 0 {
				t.Errorf("the calm one is synced %d times, and told %v", calm.synced, calm.gossip)
			}
			if most := 2 * 62; len(stubborn.gossip) > most || len(stubborn.gossip) < most/2 { // two nodes, each once a minute
				t.Errorf("the stubborn one is told %d times in an hour", len(stubborn.gossip))
			}
		})
		if got, most := n.count(oldAt+" "+p4PathStatus), 2*3600/30+2; got > most {
			t.Errorf("the calm one is looked at %d times in an hour, at most %d are needed", got, most)
		}
	})
}

// A guest names a thousand others: they are asked whether they are there, some at a time, and those that are not, or
// are others, are no guests. A stranger names nobody.
func TestP4InventedNodes(t *testing.T) {
	p4World(t, []string{"ada"}, func(t *testing.T, _ *fakeStore, n *nets, nodes []*P4) {
		invented := make(map[string]dialect.P4Member)
		for i := range 1000 {
			id := fmt.Sprintf("fake_%d", i)
			invented[id] = dialect.P4Member{ID: id, Host: "localhost", Port: uint16(20000 + i), IsAlive: true}
		}
		n.set("127.0.0.1:20007", newOld("another"))
		from := netip.MustParseAddr("127.0.0.1")
		nodes[0].Consider(from, invented)
		pass(time.Minute)
		n.read(func() {
			if len(n.asked) > 0 {
				t.Errorf("on a stranger's word it asks %v", n.asked)
			}
		})
		liar := newOld("node_1")
		liar.Members = invented
		join(t, n, nodes[0], liar, oldAt)
		n.set("127.0.0.1:20500", newOld("fake_500"))
		for range 100 {
			nodes[0].Consider(from, invented)
			pass(100 * time.Millisecond)
		}
		pings := 0
		n.read(func() {
			for _, asked := range n.asked {
				if strings.HasPrefix(asked, "127.0.0.1:20") && strings.HasSuffix(asked, p4PathPing) {
					pings++
				} else if strings.HasPrefix(asked, "127.0.0.1:20") && !strings.HasPrefix(asked, "127.0.0.1:20500") {
					t.Errorf("one that is no guest is asked %s", asked)
				}
			}
		})
		if pings < p4HintMost || pings > 20*p4HintMost {
			t.Errorf("in 10 s %d nodes are asked on one guest's word", pings)
		}
		for hours := 0; hours < 24 && len(nodes[0].Guests()) < 2; hours++ {
			pass(time.Hour) // at each look some others
		}
		if guests := nodes[0].Guests(); len(guests) != 2 || guests[0].Name != "fake_500" {
			t.Errorf("guests: %v", guests)
		}
	})
}

// One IP address has at most so many guests, and a name that answers where it is has no other place.
func TestP4Limits(t *testing.T) {
	p4World(t, []string{"ada", "bob"}, func(t *testing.T, _ *fakeStore, n *nets, nodes []*P4) {
		for i := range p4MostOf + 3 {
			join(t, n, nodes[0], newOld("node_"+strconv.Itoa(i)), fmt.Sprintf("127.0.0.1:%d", 8001+i))
			synctest.Wait()
		}
		join(t, n, nodes[0], newOld("node_0"), "127.0.0.2:8001")
		join(t, n, nodes[0], newOld("other"), "127.0.0.2:8002")
		synctest.Wait()
		guests := nodes[1].Guests()
		if len(guests) != p4MostOf+1 || guests[0].Name != "node_0" || guests[0].Addr != netip.MustParseAddrPort(oldAt) {
			t.Errorf("%d guests, the first %v", len(guests), guests[0])
		}
		for name, id := range map[string]string{"ours": "bob", "no name": "a b"} {
			if _, err := nodes[0].Join(&dialect.P4Join{NodeID: id}, netip.MustParseAddrPort(oldAt), netip.IPv6Loopback()); !errors.Is(err, ErrP4Refused) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if nodes[0].Refused() == 0 {
			t.Error("nothing is counted")
		}
	})
}

// Two of ours serve each guest; where one of them ends another takes its place.
func TestP4Servers(t *testing.T) {
	p4World(t, []string{"ada", "bob", "cy", "dan"}, func(t *testing.T, s *fakeStore, n *nets, nodes []*P4) {
		join(t, n, nodes[0], newOld("node_1"), oldAt)
		servers := func() (names []string) {
			pass(5 * time.Second)
			for _, p := range nodes {
				p.mu.Lock()
				if g := p.guests["node_1"]; g != nil && g.serves {
					names = append(names, p.node.Self().Name)
				}
				p.mu.Unlock()
			}
			return names
		}
		first := servers()
		if len(first) != p4Servers {
			t.Fatalf("it is served by %v", first)
		}
		s.mu.Lock()
		for i := range s.members {
			if s.members[i].Name == first[0] {
				s.members[i].State = hearsay.StateDead
			}
		}
		s.mu.Unlock()
		second := servers()
		second = slices.DeleteFunc(second, func(name string) bool { return name == first[0] })
		if len(second) != p4Servers || !slices.Contains(second, first[1]) {
			t.Errorf("without %s it is served by %v", first[0], second)
		}
	})
}

// A node that joins and does not take the members is not sent them for ever, and what it answers is not read for long.
func TestP4JoinerThatDoesNotTakeTheMembers(t *testing.T) {
	for name, answer := range map[string]func(net.Conn) int64{
		"refuses": func(conn net.Conn) int64 {
			n, _ := io.WriteString(conn, "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n")
			return int64(n)
		},
		"sends elsewhere": func(conn net.Conn) int64 {
			n, _ := fmt.Fprintf(conn, "HTTP/1.1 307 x\r\nLocation: http://%s/api/other\r\nContent-Length: 0\r\n\r\n", conn.LocalAddr())
			return int64(n)
		},
		"long header": func(conn net.Conn) int64 { // as much of it as is taken
			n, _ := io.WriteString(conn, "HTTP/1.1 200 x\r\nX: ")
			more, _ := io.Copy(conn, bytes.NewReader(bytes.Repeat([]byte("a"), 32<<20)))
			return int64(n) + more
		},
		"long body": func(conn net.Conn) int64 {
			n, _ := io.WriteString(conn, "HTTP/1.1 500 x\r\n\r\n")
			more, _ := io.Copy(conn, bytes.NewReader(bytes.Repeat([]byte("a"), 32<<20)))
			return int64(n) + more
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			taken := make(chan int64, 100)
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						close(taken)
						return
					}
					if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
						if r.URL.Path != p4PathSync {
							t.Errorf("it is asked %s", r.URL.Path)
						}
						taken <- answer(conn)
					}
					conn.Close()
				}
			}()
			began := time.Now()
			p := NewP4(reader{newStore("ada"), "ada"}, P4Place{"localhost", 9001}, nil, nil)
			if p.send(t.Context(), netip.MustParseAddrPort(listener.Addr().String()), nil) {
				t.Error("it is held to have them")
			}
			listener.Close()
			times, most := 0, int64(0)
			for n := range taken {
				times, most = times+1, max(most, n)
			}
			if times != p4JoinTries || most > 8<<20 || time.Since(began) > p4JoinFor {
				t.Errorf("it was asked %d times, and of one answer %d bytes were taken", times, most)
			}
		})
	}
}

// One that other machines do not reach says so in place of joining nodes of other machines.
func TestP4JoinFromLoopback(t *testing.T) {
	n := &nets{at: map[string]*old{"10.0.0.1:9001": newOld("node_1")}}
	p := NewP4(reader{newStore("ada"), "ada"}, P4Place{"localhost", 9001}, nil, nil)
	p.client.Transport = n
	if err := p.tryEnter(t.Context(), "10.0.0.1:9001"); err == nil || !strings.Contains(err.Error(), "want --http with an address") {
		t.Error(err)
	}
	if n.count(p4PathJoin) > 0 {
		t.Error("it has asked")
	}
}

func TestP4At(t *testing.T) {
	for _, c := range []struct{ host, from, want string }{
		{"localhost", "127.0.0.1", "127.0.0.1:9"},
		{"localhost", "10.0.0.1", "10.0.0.1:9"},
		{"127.0.0.3", "127.0.0.1", "127.0.0.3:9"},
		{"10.0.0.2", "10.0.0.1", "10.0.0.2:9"},
		{"::ffff:10.0.0.2", "::ffff:10.0.0.1", "10.0.0.2:9"},
		{"127.0.0.1", "10.0.0.1", ""},
		{"::1", "10.0.0.1", ""},
		{"169.254.169.254", "10.0.0.1", ""},
		{"0.0.0.0", "127.0.0.1", ""},
		{"224.0.0.1", "127.0.0.1", ""},
		{"example.org", "127.0.0.1", ""},
		{"", "127.0.0.1", ""},
	} {
		at, err := p4At(c.host, 9, netip.MustParseAddr(c.from))
		if got := at.String(); c.want == "" && err == nil || c.want != "" && got != c.want {
			t.Errorf("%s from %s is %s, %v, want %q", c.host, c.from, got, err, c.want)
		}
	}
	if _, err := p4At("localhost", 0, netip.MustParseAddr("127.0.0.1")); err == nil {
		t.Error("port 0 is taken")
	}
}

func TestP4PlaceOf(t *testing.T) {
	own := netip.MustParseAddr("10.0.0.7")
	for http, want := range map[string]P4Place{
		"127.0.0.1:9001": {"localhost", 9001}, "[::1]:9001": {"localhost", 9001}, "127.0.0.2:9001": {"127.0.0.2", 9001},
		"0.0.0.0:9001": {"10.0.0.7", 9001}, "[::]:9001": {"10.0.0.7", 9001}, "node.example:9001": {"node.example", 9001}, "": {},
	} {
		if got := P4PlaceOf(http, own); got != want {
			t.Errorf("%q is %v, want %v", http, got, want)
		}
	}
}
