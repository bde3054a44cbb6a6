// Package web shows one node over HTTP: JSON for programs, server-sent events
// to follow what happens, metrics for Prometheus, and a page for people.
//
// In most cases Server is what to use; Handler is for a program that mounts
// the API in a server of its own.
//
//	GET  /v1/self                  this node, and what an operator should see to at it
//	GET  /v1/members               the members that it lists; the dead too, until forgotten
//	GET  /v1/members/{name}/case   why a member is held to be what it is
//	POST /v1/members/{name}/remove  ask the seeds to remove a member
//	GET  /v1/authority             the seeds, and whether a quorum is heard
//	GET  /v1/ledger?from=&fresh=1  what they ruled, and what proves it
//	GET  /v1/bars?fresh=1          the nodes that they do not admit; seeds only
//	POST /v1/bars                  bar {"name":…,"why":…}; seeds only
//	DELETE /v1/bars/{name}         lift that; seeds only
//	GET  /v1/events                server-sent events, see events.go
//	GET  /v1/events?prefix=&after=  those of the store: changes of keys, see watch.go; peers only
//	GET  /v1/rumors?limit=         what it holds of what was said, newest last; peers only
//	POST /v1/rumors                say {"text":…} or {"data":…}, base64, to everybody; peers only
//	GET  /v1/kv?prefix=&after=&limit=  keys of the store; peers only, as what follows
//	GET  /v1/kv/{key}?siblings=1&wait=  the winner's bytes; all values as JSON; as soon as that is newer
//	PUT  /v1/kv/{key}?ttl=         the body becomes its value
//	DELETE /v1/kv/{key}            take its values away
//	GET  /v1/topology              the living, and the links between them
//	GET  /v1/stats                 its figures
//	POST /v1/leave                 leave in good order: 202
//	GET  /metrics                  its figures for Prometheus
//	GET  /healthz  /readyz         it serves; it has joined, and of a seed: a quorum is heard
//	GET  /                         the page
//	GET  /api/status  POST /api/…  those of an earlier program, see earlier.go
//
// With fresh=1, which seeds take, nothing is missing that was ruled before the
// question; if no quorum of them says so within two seconds, the answer is 503.
// Without it a seed gives what it has, which may be old if it is cut off.
//
// A request is refused (421) whose Host is neither an IP address, nor localhost, nor a
// name of this node, but for /metrics, /healthz and /readyz: a page of another site can
// have any other name resolve to this node's address.
//
// Every error is a problem document (RFC 9457). A request with a query
// parameter or a JSON field that means nothing here is refused rather than
// half understood.
package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/guest"
)

// Backend is the node that is shown: a real one of package agent, or a
// simulated one.
type Backend interface {
	Self() hearsay.Member
	Started() time.Time
	Joined() bool
	Members() []hearsay.Member
	Stats() hearsay.Stats

	// Why tells the case of a member, given by name, NodeID or the beginning
	// of its NodeID. One never in has a case too; a name of several is an
	// error that wraps hearsay.ErrAmbiguous.
	Why(name string) (hearsay.CaseFile, error)

	// EventsAfter gives the events after the one of that number, as far as
	// they are kept, and then each as it happens, until the context or the
	// node ends; 0 stands for before the first. Numbers grow, also over the
	// lives of a node, and stay below 2^53. Where events were lost, or the
	// number is of another life, hearsay.EventLagged comes in their place.
	EventsAfter(ctx context.Context, after uint64) iter.Seq2[uint64, hearsay.Event]

	// Newest gives the number of the newest event, 0 if there was none.
	Newest() uint64

	// Broadcast tells everybody 1 to hearsay.MaxRumorData bytes, and returns
	// once that is durable.
	Broadcast(ctx context.Context, data []byte) (clock.Dot, error)

	// EachRumor gives the rumors held that came last, the newest last, each as
	// its hearsay.EventRumor. It holds a few of them at a time.
	EachRumor(limit int) iter.Seq[hearsay.Event]

	// Revision is how far the store's changes have come: what is read after it lacks
	// none of them. WatchAfter gives those after a revision, of keys with a prefix; of one that is not known,
	// hearsay.EventLagged, and those from then on. Where nothing comes for idle, an event of no kind
	// says up to which revision there was nothing.
	Revision() hearsay.Revision
	WatchAfter(ctx context.Context, prefix string, after hearsay.Revision, idle time.Duration) (iter.Seq2[hearsay.Revision, hearsay.Event], error)

	// Get gives what the node holds of a key, GetNewer as soon as that is newer than
	// a context, nil for that of no value, or with an error of ctx once that ends; Keys at most limit keys with a
	// prefix that come after one. Values are read only. Write does writes, all or
	// none, and returns once they are durable, with the context of each. At a seed
	// they are hearsay.ErrSeedStore.
	Get(key string) (hearsay.Stored, error)
	GetNewer(ctx context.Context, key string, context []byte) (hearsay.Stored, error)
	Keys(prefix, after string, limit int) ([]hearsay.KeyInfo, error)
	Write(ctx context.Context, writes ...hearsay.Write) (contexts [][]byte, err error)

	// Writers gives how far this node has seen the writes of each writer of the store.
	Writers() (map[string]uint64, error)

	// Topology gives the links between members as far as this node can tell,
	// each once: those that everybody computes, and its own.
	Topology() []hearsay.Link

	// Leave returns when the others were told.
	Leave(ctx context.Context) error

	// Epoch is the newest ruling that this node has applied, 0 in an open
	// network; Authority tells of the seeds.
	Epoch() hearsay.Epoch
	Authority() hearsay.Authority

	// Ledger gives at most limit rulings after an epoch, oldest first, as far as
	// the node has them; Evidence what was brought before the ruling of an
	// epoch; Proof what proves them.
	Ledger(after hearsay.Epoch, limit int) []hearsay.Ruling
	Evidence(epoch hearsay.Epoch) (hearsay.Evidence, bool)
	Proof() hearsay.LedgerProof

	// Remove, Bar and Lift are an operator's: the seeds decide. Names are as for
	// Why; of Bar and Lift also a whole NodeID. Barred is the nodes that they do not admit.
	Remove(ctx context.Context, name string) (hearsay.Outcome, error)
	Bar(ctx context.Context, name, why string) error
	Lift(ctx context.Context, name string) error
	Barred() []hearsay.Bar

	// Fresh has read called when nothing that the seeds have ruled before is
	// missing in what Ledger and Barred give, and returns when what read saw of
	// it is durable. It fails if no quorum of them says so. Only seeds can tell.
	Fresh(ctx context.Context, read func()) error
}

// Info is what the node itself does not know of the process that it lives in.
type Info struct {
	HTTP    string   // host:port at which this API is served
	Host    string   // the name of that host, if it was given by name
	Hosts   []string // other names by which it may be asked, as by those behind a proxy
	Version string

	Join []string     // URLs of nodes of an earlier program (p4) that this node is to join
	Log  *slog.Logger // of what happens with such; nil: none

	ConnsMax int           // connections at a time, if fewer than 1,024; zero: as many
	LogLost  func() uint64 // lines of the program's log that could not be written; nil: it does not count them
}

// Limits of the server.
const (
	headerTimeout  = 5 * time.Second  // to send the header of a request
	requestTimeout = 10 * time.Second // and the whole of it
	answerTimeout  = 30 * time.Second // from then to the end of an answer, or its first chunk: more than decideTimeout
	idleTimeout    = 2 * time.Minute
	headerLenMax   = 16 << 10         // bytes in the header of a request
	bodyLenMax     = 64 << 10         // bytes in the body of a request
	leaveTimeout   = 10 * time.Second // to tell the others
)

// Server makes a server of the API with limits on connections, and on slow and idle
// clients. Its Shutdown ends the streams of events, which by themselves never end.
// Before Serve the caller may set its Addr and ErrorLog.
func Server(b Backend, info Info) *http.Server {
	ctx, stop := context.WithCancel(context.Background())
	a := newAPI(b, info)
	a.p4 = p4Of(b, info)
	go a.p4.Run(ctx) // until the server is shut down, or the node ends
	server := &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerLenMax,
		BaseContext:       func(net.Listener) context.Context { return context.WithValue(ctx, lifeKey{}, ctx) },
	}
	(&conns{most: info.ConnsMax}).limit(server)
	server.RegisterOnShutdown(stop)
	return server
}

// lifeKey is where the context of a request has that of its server.
type lifeKey struct{}

// lifeOf gives the context of the server, for what goes on after a request; without one it never ends.
func lifeOf(ctx context.Context) context.Context {
	if life, is := ctx.Value(lifeKey{}).(context.Context); is {
		return life
	}
	return context.WithoutCancel(ctx)
}

// newAPI shares the connections among what is asked for.
func newAPI(b Backend, info Info) *api {
	a, share := &api{backend: b, info: info}, (&conns{most: info.ConnsMax}).share
	a.answers = gate{max: share(largeMax), ofSource: share(largeOfSource), patience: largeStall}
	a.streams = streams{most: share(streamsMax), ofSource: share(streamsOfSource)}
	a.watches = streams{most: share(watchesMax), ofSource: share(watchesOfSource), mostOfSource: share(watchesOfSource)}
	a.figures = gate{max: share(figuresMax), ofSource: share(figuresOf), patience: largeStall}
	a.quick = gate{max: share(quickMax), ofSource: share(quickOfSource), patience: largeStall}
	a.seeds = gate{max: share(seedsMax), ofSource: share(seedsOfSource), patience: bodiesStall, bytes: seedsMax * bodyLenMax, bytesOfSource: seedsOfSource * bodyLenMax}
	a.writes = gate{
		max: share(writesMax), ofSource: share(writesOfSource), patience: bodiesStall,
		bytes: bodiesBytes, bytesOfSource: bodiesBytesOfSource,
	}
	return a
}

// Handler serves the API and the page of one node. Nodes of an earlier program (p4) are served by the node's peers that
// have a Server.
func Handler(b Backend, info Info) http.Handler {
	a := newAPI(b, info)
	a.p4 = p4Of(b, info)
	return a.handler()
}

func p4Of(b Backend, info Info) *guest.P4 {
	return guest.NewP4(b, guest.P4PlaceOf(info.HTTP, b.Self().Addr.Addr()), info.Join, info.Log)
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	methods := make(map[string][]string) // by path
	for _, route := range slices.Concat(a.routes(), a.earlierRoutes(), pageRoutes()) {
		route.quick = &a.quick
		mux.Handle(route.method+" "+route.path, route)
		methods[route.path] = append(methods[route.path], route.method)
		if route.method == http.MethodGet {
			methods[route.path] = append(methods[route.path], http.MethodHead) // as the mux has it
		}
	}
	for path, allowed := range methods {
		mux.Handle(path, methodNotAllowed(allowed))
	}
	mux.HandleFunc("/", notFound)
	return withHeaders(a.refuseForeign(keysAsTheyAre(mux)))
}

// api answers for one node.
type api struct {
	backend  Backend
	info     Info
	answers  gate // of large answers
	figures  gate // of metrics
	quick    gate // of requests that are answered at once
	writes   gate
	seeds    gate // requests that wait for the seeds
	streams  streams
	watches  streams // of changes of keys
	seatKeys seatKeys
	p4       *guest.P4
}

// route is one thing that can be asked. Answer returns nil once it has
// written an answer, else what was wrong.
type route struct {
	method string
	path   string
	answer func(http.ResponseWriter, *http.Request) *problem
	takes  string // the query parameters, with spaces between them
	quick  *gate
	large  *gate // of an answer that may be large
	writes *gate // of a request that writes, or asks the seeds
	body   int64 // bytes that its body may have
}

func (a *api) routes() []route {
	small := func(path string, answer func(http.ResponseWriter, *http.Request) *problem) route {
		return route{method: http.MethodGet, path: path, answer: answer}
	}
	large := func(path, takes string, answer func(http.ResponseWriter, *http.Request) *problem) route {
		return route{method: http.MethodGet, path: path, takes: takes, answer: answer, large: &a.answers}
	}
	write := func(method, path string, answer func(http.ResponseWriter, *http.Request) *problem) route {
		return route{method: method, path: path, answer: answer, writes: &a.writes, body: bodyLenMax}
	}
	decide := func(method, path string, answer func(http.ResponseWriter, *http.Request) *problem) route {
		return route{method: method, path: path, answer: answer, writes: &a.seeds, body: bodyLenMax}
	}
	return []route{
		small("/v1/self", a.getSelf),
		large("/v1/members", "", a.getMembers),
		large("/v1/members/{name}/case", "", a.getCase),
		decide(http.MethodPost, "/v1/members/{name}/remove", a.postRemove),
		small("/v1/authority", a.getAuthority),
		// once it is fresh these two
		{method: http.MethodGet, path: "/v1/ledger", takes: "from fresh", answer: a.getLedger},
		// find a place by themselves
		{method: http.MethodGet, path: "/v1/bars", takes: "fresh", answer: a.getBars},
		decide(http.MethodPost, "/v1/bars", a.postBar),
		decide(http.MethodDelete, "/v1/bars/{name}", a.deleteBar),
		// its snapshot finds a place by itself
		{method: http.MethodGet, path: "/v1/events", takes: "prefix after", answer: a.getEvents},
		large("/v1/rumors", "limit", a.getRumors),
		{method: http.MethodPost, path: "/v1/rumors", answer: a.postRumor, writes: &a.writes, body: sayBodyMax},
		large("/v1/kv", "prefix after limit", a.getKeys),
		// it may wait before its answer finds a place
		{method: http.MethodGet, path: "/v1/kv/{key...}", takes: "siblings wait", answer: a.getKey},
		{method: http.MethodPut, path: "/v1/kv/{key...}", takes: "ttl", answer: a.putKey, writes: &a.writes, body: hearsay.MaxValue},
		write(http.MethodDelete, "/v1/kv/{key...}", a.deleteKey),
		large("/v1/topology", "", a.getTopology),
		small("/v1/stats", a.getStats),
		decide(http.MethodPost, "/v1/leave", a.postLeave),
		{method: http.MethodGet, path: "/metrics", answer: metrics(a.backend, a.info, a.p4), large: &a.figures},
		small("/healthz", a.getHealthz),
		small("/readyz", a.getReadyz),
	}
}

// ServeHTTP answers a request, or says what was wrong with it.
func (t route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := newPaced(w, r)
	answer := func() *problem { return t.answer(out, r) }
	p := refuseParameters(r, t.takes)
	switch {
	case p != nil:
	case t.writes != nil:
		p = out.working(t.writes, r, t.body, answer)
	case t.large != nil:
		p = out.large(t.large, r, answer)
	default:
		p = out.answer(t.quick, r, answer)
	}
	if p != nil {
		p.write(out)
	}
}

// withHeaders says to browsers what they must not do with any answer: guess
// its type, load anything from elsewhere, show it in a frame, keep it.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (a *api) self() Self {
	m, authority, stats := a.backend.Self(), a.backend.Authority(), a.backend.Stats()
	self := Self{
		ID: m.ID, Name: m.Name, Role: m.Role, Addr: m.Addr.String(), HTTP: a.info.HTTP, Epoch: a.backend.Epoch(),
		Incarnation: m.Incarnation, State: standing(&m, &authority, &stats, a.backend.Joined()), Started: a.backend.Started(), Version: a.info.Version,
		Troubles: hearsay.Troubles(&authority, &stats),
	}
	if self.Troubles == nil {
		self.Troubles = []string{} // in JSON an empty list, not null
	}
	return self
}

func (a *api) members() Members {
	epoch := a.backend.Epoch()                                 // before the list, which may be newer
	list := append([]hearsay.Member{}, a.backend.Members()...) // in JSON an empty list is not null
	if guests := a.p4.Guests(); len(guests) > 0 {
		list = append(list, guests...)
		slices.SortStableFunc(list, func(a, b hearsay.Member) int { return cmp.Compare(a.Name, b.Name) })
	}
	return Members{Epoch: epoch, Members: list}
}

func (a *api) getSelf(w http.ResponseWriter, _ *http.Request) *problem {
	return answer(w, http.StatusOK, a.self())
}

func (a *api) getMembers(w http.ResponseWriter, _ *http.Request) *problem {
	all := a.members()
	l := beginList(w, membersHead{all.Epoch}, "members")
	for i := range all.Members {
		if !addItem(l, &all.Members[i]) {
			return nil
		}
	}
	endList(l, noFields{})
	return nil
}

func (a *api) getCase(w http.ResponseWriter, r *http.Request) *problem {
	name := r.PathValue("name")
	if err := hearsay.CheckName(name); err != nil {
		return badRequest("%v", err)
	}
	file, err := a.backend.Why(name)
	if err != nil {
		return problemOf(err)
	}
	if file.Member.ID.IsZero() {
		if of, is := a.p4.Why(name); is {
			file = of
		}
	}
	if file.Member.ID.IsZero() && len(file.Steps) == 0 {
		return &problem{http.StatusNotFound, file.Summary}
	}
	if file.Steps == nil {
		file.Steps = []hearsay.Step{}
	}
	return answer(w, http.StatusOK, file)
}

func (a *api) getStats(w http.ResponseWriter, _ *http.Request) *problem {
	return answer(w, http.StatusOK, a.backend.Stats())
}

// postLeave leaves even if the client does not wait for the answer: it was
// asked for.
func (a *api) postLeave(w http.ResponseWriter, r *http.Request) *problem {
	if _, p := body[struct{}](w, r, "no fields"); p != nil {
		return p
	}
	if a.backend.Self().Role == hearsay.RoleSeed {
		return &problem{http.StatusConflict, "this is a seed: it is one by the list of seeds, and cannot leave; stop its process instead"}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), leaveTimeout)
	defer cancel()
	if err := a.backend.Leave(ctx); err != nil {
		return problemOf(err)
	}
	return answer(w, http.StatusAccepted, Status{Status: "left"})
}

func (a *api) getHealthz(w http.ResponseWriter, _ *http.Request) *problem {
	return answer(w, http.StatusOK, Status{Status: "alive"})
}

// getReadyz says whether this node is in: a peer by the word of the others, or
// of the seeds; a seed if it has its seat and hears a quorum. A peer stays
// ready when the quorum is lost: all goes on but admission and removal. In an open network
// one that has lost all others is not, unless they have left, or were members for less than a
// minute: so a stranger cannot make a lone node unready by coming and dying. Nor is one whose disk is
// full or behind, or whose machine does not have its address any more, one that hears nobody, or that nobody answers.
func (a *api) getReadyz(w http.ResponseWriter, _ *http.Request) *problem {
	authority := a.backend.Authority()
	joined := a.backend.Joined()
	stats := a.backend.Stats()
	alone, troubles := stats.Alone(), strings.Join(stats.Troubles(), "; ")
	switch seed := a.backend.Self().Role == hearsay.RoleSeed; {
	case authority.Leaves:
		return &problem{http.StatusServiceUnavailable, "this node leaves the network: it has asked the seeds to rule that, and ends"}
	case a.backend.Self().State == hearsay.StateLeft:
		return &problem{http.StatusServiceUnavailable, "this node has left the network"}
	case stats.DiskFull > 0, stats.DiskBehind > 0, stats.AddressGone > 0, stats.Unreached > 0:
		return &problem{http.StatusServiceUnavailable, troubles}
	case authority.Fork != nil && authority.Fork.Proven:
		return &problem{http.StatusServiceUnavailable, authority.Fork.Text}
	case seed && !(joined && authority.Ready):
		why := []string{cmp.Or(authority.Why, noQuorum(&authority))}
		if all := hearsay.Troubles(&authority, &stats); authority.Why == "" && !authority.Early && len(all) > 0 {
			why = all
		} else if troubles != "" {
			why = append(why, troubles)
		}
		return &problem{http.StatusServiceUnavailable, strings.Join(why, "; ")}
	case stats.Unheard > 0, stats.Unanswered > 0:
		return &problem{http.StatusServiceUnavailable, troubles}
	case authority.Apart && authority.Epoch > 0:
		return &problem{http.StatusServiceUnavailable, hearsay.ApartWords + "; " + authority.Why}
	case !joined && authority.Foreign != "":
		return &problem{http.StatusServiceUnavailable, "this node is not in: " + cmp.Or(authority.Why, "its seeds have not registered it yet")}
	case !joined && authority.Seeded:
		return &problem{http.StatusServiceUnavailable, "this node is not in: " + cmp.Or(authority.Why, "the seeds have not admitted it yet")}
	case !joined:
		return &problem{http.StatusServiceUnavailable, "this node has not joined its network yet: none of its contacts has answered"}
	case !authority.Seeded && alone != "" && stats.Lost > 0:
		return &problem{http.StatusServiceUnavailable, "this node is " + alone}
	}
	words := []string{"joined"}
	switch {
	case !authority.Seeded && alone != "":
		words = append(words, alone)
	case authority.Seeded && !authority.Ready && !authority.Early:
		words = append(words, noQuorum(&authority))
	case authority.Why != "" && !authority.Early:
		words = append(words, authority.Why)
	}
	for _, text := range []string{authority.LastQuorum(), troubles, catchUpWords(&stats)} {
		if text != "" {
			words = append(words, text)
		}
	}
	return answer(w, http.StatusOK, Status{Status: strings.Join(words, "; ")})
}

// catchUpWords says how far the store is of a node that has come in. It is ready all the same: any member can say that
// there are writes which nobody has.
func catchUpWords(s *hearsay.Stats) string {
	if s.StoreLacks == 0 {
		return ""
	}
	return fmt.Sprintf("catches up with the store: %d values are here, %d writes are missing", s.StoreValues, s.StoreLacks)
}

// noQuorum says what it means that no quorum of seeds is heard, and why it is so
// if that is known.
func noQuorum(authority *hearsay.Authority) string {
	text := authority.NoQuorum()
	if authority.Why != "" {
		text += "; " + authority.Why
	}
	return text
}

// answer writes value as JSON.
func answer[T any](w http.ResponseWriter, code int, value T) *problem {
	text, err := json.Marshal(value)
	if err != nil {
		return unwritable(w, err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(hearsay.AppendPlain(nil, append(text, '\n'))) // the client may have gone
	return nil
}

// host gives the host of host:port, or all of it where there is no port.
func host(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}
