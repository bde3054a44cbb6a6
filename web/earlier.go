package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"hearsay"
)

// This file is the HTTP interface of an earlier program, so that its clients and its test ask this node as they asked
// that one. Its keys are those of the store. A value is any JSON that every reader takes, and is kept byte for byte;
// what others have written that is none is shown as a string, in base64 where it is no text.
//
//	GET  /api/status         what this node knows
//	POST /api/add_data       {"key","value"}: write
//	POST /api/gossip         {"id","data":{"key","value","operation":"update"},…}: write, once for each id
//	POST /api/ping           it lives
//	POST /api/join           {"node_id","host","port"}: the members are sent to that port, where it asks from
//	POST /api/sync_members   {"members"}: taken note of, as this network finds its members by itself
//	POST /api/indirect_ping  {"target"}: whether that member answers
//
// It takes fields that it does not know, as that one did. Its errors are {"status":"error","message"}.

// Limits of this interface.
const (
	earlierBodyMax  = hearsay.MaxValue + bodyLenMax
	earlierIDMax    = 128                    // bytes of the id of a message
	earlierIDsMax   = 4096                   // ids that are remembered. A guess: one a second for an hour
	earlierPage     = 256                    // keys that are asked for at once
	earlierJoinsMax = 8                      // nodes that are sent the members at a time
	earlierJoinsOf  = 4                      // of them at one address
	earlierJoinFor  = 10 * time.Second       // they listen only some time after they have asked
	earlierJoinWait = 500 * time.Millisecond // between two tries
	// how often one that does not take them is sent them. A guess: one that starts may not be ready once
	earlierJoinTries = 3
)

// earlier is what this interface remembers.
type earlier struct {
	mu    sync.Mutex
	taken map[string]bool // messages, by their ids
	ids   []string        // of these: a ring
	next  int             // in it
	joins []netip.Addr    // of the nodes that are sent the members now
}

// earlierRoutes are those of an earlier program.
func (a *api) earlierRoutes() []route {
	post := func(path string, answer func(http.ResponseWriter, *http.Request) *problem) route {
		return route{method: http.MethodPost, path: path, answer: asEarlier(answer), writes: &a.writes, body: earlierBodyMax}
	}
	return []route{
		{method: http.MethodGet, path: "/api/status", answer: asEarlier(a.earlierStatus), large: &a.answers},
		post("/api/add_data", a.earlierAdd),
		post("/api/gossip", a.earlierGossip),
		post("/api/ping", a.earlierPing),
		post("/api/join", a.earlierJoin),
		post("/api/sync_members", a.earlierSync),
		post("/api/indirect_ping", a.earlierProbe),
	}
}

// earlierResult is what a POST is answered, but for pings, probes and what was added.
type earlierResult struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

var earlierDone = earlierResult{Status: "success"}

// asEarlier tells a problem as that program did.
func asEarlier(handle func(http.ResponseWriter, *http.Request) *problem) func(http.ResponseWriter, *http.Request) *problem {
	return func(w http.ResponseWriter, r *http.Request) *problem {
		if p := handle(w, r); p != nil {
			return answer(w, p.status, earlierResult{Status: "error", Message: p.detail})
		}
		return nil
	}
}

// earlierBody reads the JSON object of a request. Fields that are not known are passed over.
func earlierBody[T any](w http.ResponseWriter, r *http.Request, takes string) (value T, p *problem) {
	text, p := bodyText(w, r, earlierBodyMax)
	if p != nil {
		return value, p
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return value, badRequest("the body: %s; want one JSON object with %s", JSONFault(err), takes)
	}
	if why := unreadable(text); why != "" {
		return value, badRequest("the body: %s; not every reader of /api/status takes it as it is", why)
	}
	return value, nil
}

// earlierMember is a member, as GET /api/status and POST /api/sync_members have it.
type earlierMember struct {
	ID          string            `json:"id"`
	Host        string            `json:"host"`
	Port        uint16            `json:"port"` // of HTTP at this node; of the protocol at others, as far as is known
	IsAlive     bool              `json:"is_alive"`
	LastSeen    float64           `json:"last_seen"` // seconds since 1970
	VectorClock map[string]uint64 `json:"vector_clock"`
}

// earlierMembers gives those that are listed and have not left, by name. Of several with one name one that lives is
// told.
func (a *api) earlierMembers(clock map[string]uint64) map[string]earlierMember {
	now, self := time.Now(), a.backend.Self()
	members := make(map[string]earlierMember)
	for _, m := range a.backend.Members() {
		alive := m.State == hearsay.StateAlive || m.State == hearsay.StateSuspect
		if m.State == hearsay.StateLeft || !alive && members[m.Name].IsAlive {
			continue
		}
		one := earlierMember{ID: m.Name, Host: earlierHost(m.Addr.Addr()), Port: m.Addr.Port(), IsAlive: alive, VectorClock: map[string]uint64{}}
		one.LastSeen = earlierTime(m.Since)
		if alive {
			one.LastSeen = earlierTime(now)
		}
		if m.ID == self.ID {
			one.VectorClock = clock
			if _, port, err := net.SplitHostPort(a.info.HTTP); err == nil {
				number, _ := strconv.ParseUint(port, 10, 16)
				one.Port = uint16(number)
			}
		}
		members[m.Name] = one
	}
	return members
}

func earlierTime(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

func earlierHost(ip netip.Addr) string {
	if ip.IsLoopback() {
		return "localhost"
	}
	return ip.String()
}

// earlierHead is what GET /api/status gives before the keys, earlierTail what comes behind them.
type earlierHead struct {
	NodeID    string                   `json:"node_id"`
	Members   map[string]earlierMember `json:"members"`
	QueueSize int                      `json:"gossip_queue_size"`
}

type earlierTail struct {
	Stats       earlierStats      `json:"stats"`
	VectorClock map[string]uint64 `json:"vector_clock"` // of each writer, how far its writes have come
}

type earlierStats struct {
	Sent     uint64 `json:"messages_sent"`
	Received uint64 `json:"messages_received"`
	Rounds   uint64 `json:"gossip_rounds"`
	Failed   uint64 `json:"failed_pings"`
}

// earlierStatus writes all keys, some at a time: values are not encoded anew, and so stay as they are.
func (a *api) earlierStatus(w http.ResponseWriter, _ *http.Request) *problem {
	clock, err := a.backend.Writers()
	if err != nil {
		return problemOf(err)
	}
	keys, err := a.backend.Keys("", "", earlierPage)
	if err != nil {
		return problemOf(err)
	}
	stats := a.backend.Stats()
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriter(w)
	writeOpen(out, earlierHead{a.backend.Self().Name, a.earlierMembers(clock), stats.NewsWaiting})
	out.WriteString(`,"local_data":{`)
	for first := true; len(keys) > 0; {
		for i := range keys {
			stored, err := a.backend.Get(keys[i].Key)
			value, is := stored.Value()
			if err != nil || !is {
				continue // deleted meanwhile
			}
			if !first {
				out.WriteByte(',')
			}
			first = false
			writeJSON(out, keys[i].Key)
			out.WriteByte(':')
			writeValue(out, value)
		}
		if out.Flush() != nil {
			return nil // the client has gone
		}
		if keys, err = a.backend.Keys("", keys[len(keys)-1].Key, earlierPage); err != nil {
			return nil // the node ends; what was written is no JSON, and says so
		}
	}
	out.WriteString(`},`)
	tail := jsonOf(earlierTail{earlierStats{stats.PacketsOut + stats.StreamsOut, stats.PacketsIn + stats.StreamsIn, stats.Probes, stats.ProbeFails}, clock})
	writePlain(out, append(tail[1:], '\n'))
	out.Flush() // the client may have gone
	return nil
}

func jsonOf(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // none has what JSON does not know
	}
	return text
}

// writeOpen writes an object without its last brace.
func writeOpen(out *bufio.Writer, value any) {
	text := jsonOf(value)
	writePlain(out, text[:len(text)-1])
}

const earlierAddTakes = `"key" and "value"`

func (a *api) earlierAdd(w http.ResponseWriter, r *http.Request) *problem {
	add, p := earlierBody[struct {
		Key   *string         `json:"key"`
		Value json.RawMessage `json:"value"`
	}](w, r, earlierAddTakes)
	if p != nil {
		return p
	}
	if add.Key == nil || add.Value == nil {
		return badRequest("the body: want one JSON object with %s", earlierAddTakes)
	}
	if p := a.earlierWrite(r, *add.Key, add.Value); p != nil {
		return p
	}
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriter(w)
	out.WriteString(`{"status":"success","key":`)
	writeJSON(out, *add.Key)
	out.WriteString(`,"value":`)
	writePlain(out, add.Value)
	out.WriteString("}\n")
	out.Flush() // the client may have gone
	return nil
}

// earlierWrite replaces what the key has here, even if the client does not wait for the answer.
func (a *api) earlierWrite(r *http.Request, key string, value []byte) *problem {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), writeTimeout)
	defer cancel()
	if _, err := a.backend.Write(ctx, hearsay.Write{Key: key, Value: value}); err != nil {
		return problemOf(err)
	}
	return nil
}

const earlierGossipTakes = `"id" and "data" of an operation, "update" with "key" and "value", or "node_failed"`

// earlierGossip takes a message that goes round among nodes of that program: each of them sends it, and again for
// some time. What it wrote must not take the place of what was written since.
func (a *api) earlierGossip(w http.ResponseWriter, r *http.Request) *problem {
	m, p := earlierBody[struct {
		ID   string `json:"id"`
		Data struct {
			Operation string          `json:"operation"`
			Key       *string         `json:"key"`
			Value     json.RawMessage `json:"value"`
		} `json:"data"`
	}](w, r, earlierGossipTakes)
	if p != nil {
		return p
	}
	switch {
	case m.ID == "" || len(m.ID) > earlierIDMax:
		return badRequest("id: want 1 to %d bytes", earlierIDMax)
	case m.Data.Operation == "node_failed": // this network finds that out by itself
	case m.Data.Operation != "update":
		return badRequest("data.operation %.64q: want update or node_failed", m.Data.Operation)
	case m.Data.Key == nil || m.Data.Value == nil:
		return badRequest("data: want %s", earlierAddTakes)
	case a.earlier.first(m.ID):
		if p := a.earlierWriteOther(r, *m.Data.Key, m.Data.Value); p != nil {
			a.earlier.forget(m.ID)
			return p
		}
	}
	return answer(w, http.StatusOK, earlierDone)
}

// earlierWriteOther writes a value that is not there already.
func (a *api) earlierWriteOther(r *http.Request, key string, value []byte) *problem {
	stored, err := a.backend.Get(key)
	if err != nil {
		return problemOf(err)
	}
	if has, is := stored.Value(); is && bytes.Equal(has, value) {
		return nil
	}
	return a.earlierWrite(r, key, value)
}

// first reports whether a message has not come before, and remembers it.
func (e *earlier) first(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.taken[id] {
		return false
	}
	if e.taken == nil {
		e.taken, e.ids = make(map[string]bool), make([]string, earlierIDsMax)
	}
	delete(e.taken, e.ids[e.next])
	e.taken[id], e.ids[e.next] = true, id
	e.next = (e.next + 1) % len(e.ids)
	return true
}

// forget has a message be as one that has not come: it could not be written.
func (e *earlier) forget(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.taken, id)
}

func (a *api) earlierPing(w http.ResponseWriter, _ *http.Request) *problem {
	return answer(w, http.StatusOK, struct {
		Status string  `json:"status"`
		NodeID string  `json:"node_id"`
		Time   float64 `json:"timestamp"`
	}{"alive", a.backend.Self().Name, earlierTime(time.Now())})
}

func (a *api) earlierProbe(w http.ResponseWriter, r *http.Request) *problem {
	ask, p := earlierBody[struct {
		Target string `json:"target"`
	}](w, r, `"target", the id of a member`)
	if p != nil {
		return p
	}
	if ask.Target == "" {
		return badRequest(`the body: want one JSON object with "target", the id of a member`)
	}
	success := false
	for _, m := range a.backend.Members() {
		success = success || m.Name == ask.Target && m.State == hearsay.StateAlive
	}
	return answer(w, http.StatusOK, struct {
		Success bool `json:"success"`
	}{success})
}

func (a *api) earlierSync(w http.ResponseWriter, r *http.Request) *problem {
	const takes = `"members": an object of members by their id`
	sync, p := earlierBody[struct {
		Members map[string]struct {
			ID string `json:"id"`
		} `json:"members"`
	}](w, r, takes)
	if p == nil && sync.Members == nil {
		p = badRequest("the body: want one JSON object with %s", takes)
	}
	if p != nil {
		return p
	}
	return answer(w, http.StatusOK, earlierDone)
}

// earlierJoin sends the members to a node of that program. It asks before it listens, and waits for the answer: so the
// answer goes first.
func (a *api) earlierJoin(w http.ResponseWriter, r *http.Request) *problem {
	const takes = `"node_id", "host" and "port", at which it serves`
	join, p := earlierBody[struct {
		NodeID string `json:"node_id"`
		Host   string `json:"host"`
		Port   uint16 `json:"port"`
	}](w, r, takes)
	if p == nil && (join.NodeID == "" || join.Host == "" || join.Port == 0) {
		p = badRequest("the body: want one JSON object with %s", takes)
	}
	if p != nil {
		return p
	}
	to, p := callerAt(r, join.Host, join.Port)
	if p != nil {
		return p
	}
	source := sourceOf(r)
	if !a.earlier.join(source) {
		w.Header().Set("Retry-After", "10")
		return &problem{http.StatusServiceUnavailable, fmt.Sprintf("%d nodes join at once already, or %d at one address: try again in some seconds", earlierJoinsMax, earlierJoinsOf)}
	}
	defer a.earlier.joined(source)
	clock, err := a.backend.Writers()
	if err != nil {
		return problemOf(err)
	}
	members := jsonOf(struct {
		Members map[string]earlierMember `json:"members"`
	}{a.earlierMembers(clock)})
	text := append(jsonOf(earlierDone), '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Header().Set("Connection", "close") // what it asks next does not wait
	w.Write(text)                         // it may have gone, and listens all the same
	http.NewResponseController(w).Flush()
	sendMembers(lifeOf(r.Context()), to, members)
	return nil
}

// join counts a node that is sent the members. It reports false if they are too many.
func (e *earlier) join(source netip.Addr) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	of := 0
	for _, o := range e.joins {
		if o == source {
			of++
		}
	}
	if len(e.joins) >= earlierJoinsMax || of >= earlierJoinsOf {
		return false
	}
	e.joins = append(e.joins, source)
	return true
}

// joined says that a node is sent the members no more.
func (e *earlier) joined(source netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := slices.Index(e.joins, source)
	e.joins = slices.Delete(e.joins, at, at+1)
}

// callerAt gives the address of a node that asks. It is the one that it asks from, or anybody could have this node send
// to anywhere; so a name needs not be looked up.
func callerAt(r *http.Request, host string, port uint16) (netip.AddrPort, *problem) {
	asks, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.AddrPort{}, &problem{http.StatusInternalServerError, "the address that asks is not known"}
	}
	from := asks.Addr().Unmap()
	ip, err := netip.ParseAddr(host)
	switch ip = ip.Unmap(); {
	case err != nil, ip == from:
		return netip.AddrPortFrom(from, port), nil
	case ip.IsLoopback() && from.IsLoopback():
		return netip.AddrPortFrom(ip.WithZone(""), port), nil
	}
	return netip.AddrPort{}, &problem{http.StatusInternalServerError, fmt.Sprintf("host %.64q: a node is sent the members where it asks from, %v, and this is elsewhere", host, from)}
}

// sendMembers tries until the node takes them, it has answered otherwise too often, its time is over or this node ends.
func sendMembers(ctx context.Context, to netip.AddrPort, members []byte) {
	ctx, cancel := context.WithTimeout(ctx, earlierJoinFor)
	defer cancel()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: headerLenMax, WriteBufferSize: 4 << 10, ReadBufferSize: 4 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	wait := time.NewTicker(earlierJoinWait)
	defer wait.Stop()
	for tries := 0; tries < earlierJoinTries; {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.String()+"/api/sync_members", bytes.NewReader(members))
		if err != nil {
			return
		}
		r.Header.Set("Content-Type", "application/json")
		got, err := client.Do(r)
		if failed, is := errors.AsType[*net.OpError](err); !is || failed.Op != "dial" { // else it does not listen yet
			tries++
		}
		if err == nil {
			got.Body.Close() // what it says is not needed
			if got.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
	}
}
