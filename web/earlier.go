package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/guest"
)

// This file is the HTTP interface of an earlier program (p4), so that its clients and its test ask this node as they
// asked that one, and its nodes are guests (guest.P4). Its keys are those of the store. A value is any JSON that every
// reader takes, and is kept byte for byte; what others have written that is none is shown as a string, in base64 where
// it is no text.
//
//	GET  /api/status         what this node knows
//	POST /api/add_data       {"key","value"}: write
//	POST /api/gossip         {"id","data":{"key","value","operation":"update"},…}: write, once for each id
//	POST /api/ping           it lives
//	POST /api/join           {"node_id","host","port"}: the members are sent to that port, where it asks from
//	POST /api/sync_members   {"members"}: of a guest; those that answer become guests
//	POST /api/indirect_ping  {"target"}: whether that member answers
//
// It takes fields that it does not know, as that one did. Its errors are {"status":"error","message"}.

// earlierBodyMax is how many bytes a body may have.
const earlierBodyMax = hearsay.MaxValue + bodyLenMax

const earlierPage = 256 // keys that are asked for at once

// earlierRoutes are those of an earlier program.
func (a *api) earlierRoutes() []route {
	post := func(path string, answer func(http.ResponseWriter, *http.Request) *problem) route {
		return route{method: http.MethodPost, path: path, answer: a.asEarlier(answer), writes: &a.writes, body: earlierBodyMax}
	}
	return []route{
		{method: http.MethodGet, path: "/api/status", answer: a.asEarlier(a.earlierStatus), large: &a.answers},
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

// asEarlier tells a problem as that program did, and counts what is senseless.
func (a *api) asEarlier(handle func(http.ResponseWriter, *http.Request) *problem) func(http.ResponseWriter, *http.Request) *problem {
	return func(w http.ResponseWriter, r *http.Request) *problem {
		if p := handle(w, r); p != nil {
			if p.status == http.StatusBadRequest {
				a.p4.Refuse()
			}
			return answer(w, p.status, earlierResult{Status: "error", Message: p.detail})
		}
		return nil
	}
}

// earlierBody reads the JSON object of a request. Fields that are not known are passed over.
func earlierBody[T any](w http.ResponseWriter, r *http.Request, takes string) (value T, p *problem) {
	read := bodyText
	if len(r.Header.Values("Content-Type")) == 0 && !ofBrowser(r) { // old clients name none
		read = bodyOf
	}
	text, p := read(w, r, earlierBodyMax)
	if p != nil {
		return value, p
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return value, badRequest("the body: %s; want one JSON object with %s", JSONFault(err), takes)
	}
	if why := dialect.P4Unreadable(text); why != "" {
		return value, badRequest("the body: %s; not every reader of /api/status takes it as it is", why)
	}
	return value, nil
}

// ofBrowser reports whether a request is one of a page: what a page of another site may send without being asked first
// has no Content-Type of JSON.
func ofBrowser(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

// earlierHead is what GET /api/status gives before the keys, earlierTail what comes behind them.
type earlierHead struct {
	NodeID    string                      `json:"node_id"`
	Members   map[string]dialect.P4Member `json:"members"`
	QueueSize int                         `json:"gossip_queue_size"`
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
func (a *api) earlierStatus(w http.ResponseWriter, r *http.Request) *problem {
	clock, err := a.backend.Writers()
	if err != nil {
		return problemOf(err)
	}
	keys, err := a.keys("", "", earlierPage)
	if err != nil {
		return problemOf(err)
	}
	a.p4.Open(r.Context())
	stats := a.backend.Stats()
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriter(w)
	writeOpen(out, earlierHead{a.backend.Self().Name, a.p4.Members(clock), stats.NewsWaiting})
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
		if keys, err = a.keys("", keys[len(keys)-1].Key, earlierPage); err != nil {
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
	if p := refuseReserved(*add.Key); p != nil {
		return p
	}
	// what the key has here is replaced, even if the client does not wait for the answer
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), writeTimeout)
	defer cancel()
	if _, err := a.backend.Write(ctx, hearsay.Write{Key: *add.Key, Value: add.Value}); err != nil {
		return problemOf(err)
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

// earlierGossip takes a message that goes round among nodes of that program: each of them sends it, and again for
// some time. What it wrote must not take the place of what was written since.
func (a *api) earlierGossip(w http.ResponseWriter, r *http.Request) *problem {
	m, p := earlierBody[dialect.P4Rumor](w, r, dialect.P4RumorTakes)
	if p != nil {
		return p
	}
	if err := m.Check(); err != nil {
		return badRequest("%v", err)
	}
	if err := a.p4.Hear(context.WithoutCancel(r.Context()), &m, sourceOf(r)); err != nil {
		return problemOf(err)
	}
	return answer(w, http.StatusOK, earlierDone)
}

func (a *api) earlierPing(w http.ResponseWriter, _ *http.Request) *problem {
	return answer(w, http.StatusOK, dialect.P4Alive{Status: "alive", NodeID: a.backend.Self().Name, Time: float64(time.Now().UnixMicro()) / 1e6})
}

func (a *api) earlierProbe(w http.ResponseWriter, r *http.Request) *problem {
	ask, p := earlierBody[dialect.P4Probe](w, r, `"target", the id of a member`)
	if p != nil {
		return p
	}
	if ask.Target == "" {
		return badRequest(`the body: want one JSON object with "target", the id of a member`)
	}
	return answer(w, http.StatusOK, dialect.P4Probed{Success: a.p4.Probe(r.Context(), ask.Target)})
}

func (a *api) earlierSync(w http.ResponseWriter, r *http.Request) *problem {
	const takes = `"members": an object of members by their id`
	sync, p := earlierBody[dialect.P4Members](w, r, takes)
	if p == nil && sync.Members == nil {
		p = badRequest("the body: want one JSON object with %s", takes)
	}
	if p != nil {
		return p
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		a.p4.Consider(from.Addr(), sync.Members)
	}
	return answer(w, http.StatusOK, earlierDone)
}

// earlierJoin sends the members to a node of that program. It asks before it listens, and waits for the answer: so the
// answer goes first.
func (a *api) earlierJoin(w http.ResponseWriter, r *http.Request) *problem {
	const takes = `"node_id", "host" and "port", at which it serves`
	join, p := earlierBody[dialect.P4Join](w, r, takes)
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
	clock, err := a.backend.Writers()
	if err != nil {
		return problemOf(err)
	}
	welcome, err := a.p4.Join(&join, to, sourceOf(r))
	if errors.Is(err, guest.ErrP4Busy) {
		w.Header().Set("Retry-After", "10")
		return &problem{http.StatusServiceUnavailable, err.Error()}
	}
	if err != nil {
		return badRequest("%v", err)
	}
	text := append(jsonOf(earlierDone), '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Header().Set("Connection", "close") // what it asks next does not wait
	w.Write(text)                         // it may have gone, and listens all the same
	http.NewResponseController(w).Flush()
	welcome(lifeOf(r.Context()), clock)
	return nil
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

// refuseReserved refuses to write a key of which the nodes themselves tell each other things: what guests are where.
func refuseReserved(key string) *problem {
	if guest.P4IsReserved(key) {
		return badRequest("key %.64q: %v", key, guest.ErrP4Reserved)
	}
	return nil
}
