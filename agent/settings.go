package agent

import (
	"bytes"
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
	"hearsay/internal/userfile"
	"hearsay/overlay"
)

// environmentPrefix begins the names of knobs in the environment.
const environmentPrefix = "HEARSAY_"

// maxSettingsSize is the largest settings file, in bytes.
const maxSettingsSize = 1 << 20

// Knob is one setting of an agent. The table of Knobs is the one place that
// knows them all: files, the environment, flags, checks and help are made from it.
type Knob struct {
	Name     string `json:"name"` // as in a file: detect.period
	Default  string `json:"default"`
	Unit     string `json:"unit"`          // duration, count, bool, text or list
	Min      string `json:"min,omitempty"` // "" if there is no bound
	Max      string `json:"max,omitempty"`
	Rule     string `json:"rule,omitempty"` // what it must be in relation to others
	Meaning  string `json:"meaning"`
	Empty    string `json:"empty,omitempty"`  // of a text: what is taken where it is empty
	Source   string `json:"source,omitempty"` // where the default is from
	Variable string `json:"environment"`      // its name in the environment

	Flag   string       `json:"flag,omitempty"`    // its flag, without dashes; "" if it has none
	FlagOf hearsay.Role `json:"flag_of,omitempty"` // the nodes that have the flag; 0: all

	get   func() string
	set   func(string) error
	holds func() error // bounds and form
	rule  func() bool
}

// Value gives what the knob is set to.
func (k *Knob) Value() string { return k.get() }

// Set sets the knob, by text as it stands in the environment. It says what is
// wrong with the text; whether the knobs fit each other, Validate says.
func (k *Knob) Set(text string) error {
	if err := k.set(text); err != nil {
		return err
	}
	return k.holds()
}

// check says what is wrong with what the knob is set to.
func (k *Knob) check() error {
	if err := k.holds(); err != nil {
		return err
	}
	if k.rule != nil && !k.rule() {
		return fmt.Errorf("%s: must be %s", k.get(), k.Rule)
	}
	return nil
}

// must adds a rule about the knob and others.
func (k Knob) must(be string, rule func() bool) Knob {
	k.Rule, k.rule = be, rule
	return k
}

// flag gives the knob a flag.
func (k Knob) flag(name string) Knob {
	k.Flag = name
	return k
}

// of says that only nodes of a role have the flag.
func (k Knob) of(role hearsay.Role) Knob {
	k.FlagOf = role
	return k
}

// Help is what is said of the knob's flag.
func (k *Knob) Help() string {
	help := k.Meaning
	if k.Unit == "list" {
		help += "; `A,B,...`, or repeated"
	}
	if initial := cmp.Or(k.Empty, k.Default); initial != "" {
		help += " (default " + initial + ")"
	}
	return help
}

// Knobs gives all knobs of cfg, in the order in which a person reads them.
func Knobs(cfg *Config) []Knob {
	d := DefaultConfig()
	knobs, defaults := knobsOf(cfg), knobsOf(&d)
	for i := range knobs {
		knobs[i].Default = defaults[i].Value()
		knobs[i].Variable = environmentPrefix + strings.ToUpper(strings.ReplaceAll(knobs[i].Name, ".", "_"))
	}
	return knobs
}

func knobsOf(c *Config) []Knob {
	return slices.Concat(nodeKnobs(c), detectKnobs(c), rosterKnobs(c), overlayKnobs(c), rumorKnobs(c), mongerKnobs(c), storeKnobs(c), quorumKnobs(c), followerKnobs(c))
}

func nodeKnobs(c *Config) []Knob {
	return []Knob{
		text("name", &c.Name, checkName, "what people call this node", "the host name", "").flag("name"),
		text("network", &c.Network, checkNetwork, "the network it belongs to; packets of others are dropped", DefaultNetwork, "").flag("network"),
		text("bind", &c.Bind, checkWith(parseBind), "where to listen, UDP and TCP; port 0 lets the kernel choose", "", "memberlist's port"),
		text("advertise", &c.Advertise, checkAdvertise, "where others reach this node, host or host:port", "where it listens, or the address towards others", "").flag("advertise"),
		list("join", &c.Join, checkWith(parseJoin), "where members of an open network may be found: addresses or host names, with a port or without; http://host:port is a node of an earlier program (p4)").
			flag("join").of(hearsay.RolePeer),
		list("http_host", &c.HTTPHosts, checkHTTPHost, "names besides its host's by which a node may be asked over HTTP, as by those behind a proxy").
			flag("http-host"),
		text("data", &c.Data, func(string) error { return nil }, "directory of identity, contacts, evidence, the store and a seed's ledger", "nothing is kept, and a seed takes hearsay-seed-IP-PORT", "").
			flag("data"),
	}
}

func detectKnobs(c *Config) []Knob {
	d := &c.Detect
	return []Knob{
		choice("detect.kind", &d.Kind, "how members are watched: swim (each node pings all in turn, and asks relays), heartbeat (each tells some what it has heard of all) or neighbor (each pings its links)", "compared: docs/detectors.md").
			flag("detector"),
		count("detect.fanout", &d.Fanout, 1, detect.MaxFanout, "members told each period, with the detector heartbeat", "guess"),
		duration("detect.interval", &d.Interval, time.Second, time.Hour, "between two pings of a link, with the detector neighbor; any two pings of a node are three times detect.timeout_max apart", "an earlier program"),
		duration("detect.period", &d.Period, 10*time.Millisecond, time.Minute, "between two probes", "SWIM, section 5"),
		count("detect.relays", &d.Relays, 0, 16, "members asked to ping in our place", "SWIM, section 5"),
		duration("detect.timeout_min", &d.TimeoutMin, time.Millisecond, 10*time.Second, "a direct ping waits at least this long", "guess: far over a LAN's round trip").
			must("at most detect.timeout_max", func() bool { return d.TimeoutMin <= d.TimeoutMax }),
		duration("detect.timeout_max", &d.TimeoutMax, time.Millisecond, 30*time.Second, "and at most this long, as for a member never measured", "guess").
			must("at most a third of detect.period", func() bool { return 3*d.TimeoutMax <= d.Period }),
		boolean("detect.stream_ping", &d.StreamPing, "ping by stream, beside the relays", "memberlist"),
		count("detect.health_max", &d.HealthMax, 0, 64, "local health score at most; each point stretches timeouts by one", "Lifeguard, section IV.A"),
		duration("detect.late_after", &d.LateAfter, time.Millisecond, time.Minute, "a step this long after its deadline means that this node was paused or starved", "guess").
			must("at most detect.period", func() bool { return d.LateAfter <= d.Period }),
	}
}

func rosterKnobs(c *Config) []Knob {
	r := &c.Roster
	return []Knob{
		count("roster.observers", &r.Observers, 1, 16, "K: members that watch each member, of which K/2+1 condemn it", "Rapid: 10; odd, so that there is no tie"),
		duration("roster.suspicion_min", &r.SuspicionMin, 10*time.Millisecond, time.Hour, "a suspicion without a decision runs out after this, times max(1, log10 N)", "memberlist: 4 periods").
			must("at least roster.round_every", func() bool { return r.SuspicionMin >= r.RoundEvery }),
		count("roster.suspicion_max", &r.SuspicionMax, 1, 64, "without confirmation it takes this many times as long", "memberlist: 6"),
		count("roster.confirmations", &r.Confirmations, 0, 16, "independent accusers that bring it down to the minimum", "Lifeguard, section IV.B"),
		duration("roster.round_every", &r.RoundEvery, 10*time.Millisecond, time.Hour, "between the rounds of one case", "guess").
			must("more than five times detect.timeout_max, for which an observer looks", func() bool { return r.RoundEvery > c.Detect.ExaminationMost() }),
		duration("roster.news_every", &r.NewsEvery, time.Millisecond, time.Minute, "between two tellings of waiting news", "guess"),
		count("roster.fanout", &r.Fanout, 1, 64, "members told at a time", "memberlist: 3"),
		count("roster.retell", &r.Retell, 1, 64, "a claim is told this many × log2(N+1) times", "memberlist: 4 × log10"),
		duration("roster.dead_hold", &r.DeadHold, 0, time.Hour, "a death of a member that is no suspect here waits this long for its refutation", "a choice of ours"),
		duration("roster.forget_after", &r.ForgetAfter, time.Second, 30*24*time.Hour, "members that died or left are forgotten after this", "a choice of ours").
			must("more than roster.dead_hold", func() bool { return r.ForgetAfter > r.DeadHold }),
		duration("roster.contact_every", &r.ContactEvery, 10*time.Millisecond, time.Hour, "one dead or forgotten contact is tried this often", "a choice of ours"),
		duration("roster.join_backoff_min", &r.JoinBackoffMin, 10*time.Millisecond, time.Hour, "first wait before a join is tried again", "guess").
			must("at most roster.join_backoff_max", func() bool { return r.JoinBackoffMin <= r.JoinBackoffMax }),
		duration("roster.join_backoff_max", &r.JoinBackoffMax, 10*time.Millisecond, time.Hour, "longest wait", "guess"),
		duration("roster.exchange_every", &r.ExchangeEvery, 10*time.Millisecond, time.Hour, "at most one exchange of rosters is begun in this time", "guess"),
		duration("roster.exchange_quiet", &r.ExchangeQuiet, 0, time.Hour, "and only if the roster has been still for this long", "guess"),
	}
}

func overlayKnobs(c *Config) []Knob {
	o := &c.Overlay
	return []Knob{
		choice("overlay.kind", &o.Kind, "which nodes link with each other: ring, random or powerlaw", "ring: computed, an expander; the others: agreed upon by HELLO").
			flag("overlay").of(hearsay.RolePeer),
		count("overlay.links", &o.Links, overlay.LinksMin, overlay.LinksMax, "neighbors of a node; a random overlay has up to twice as many, a power-law one up to four times", "measured: package overlay"),
	}
}

func rumorKnobs(c *Config) []Knob {
	r := &c.Rumors
	return []Knob{
		choice("rumors.strategy", &r.Strategy, "which members are told of a rumor: tree, monger or flood", "tree: Plumtree; monger: Demers 1987").
			flag("rumors").of(hearsay.RolePeer),
		count("rumors.keep_count", &r.KeepCount, 1, 1<<24, "rumors kept for nodes that come late", "guess"),
		count("rumors.keep_bytes", &r.KeepBytes, hearsay.MaxRumorData, 1<<34, "bytes of payload kept", "guess"),
		duration("rumors.keep_for", &r.KeepFor, time.Second, 30*24*time.Hour, "age in the network up to which a rumor is kept", "guess").
			must("more than rumors.push_for", func() bool { return r.KeepFor > r.PushFor }),
		duration("rumors.gather", &r.Gather, 0, time.Second, "what is told over a busy link waits this long for company", "guess"),
		duration("rumors.push_for", &r.PushFor, time.Millisecond, time.Hour, "age up to which a rumor is told; later it is left to comparing", "guess"),
		duration("rumors.announce_after", &r.AnnounceAfter, 0, time.Minute, "names go this much after the payload, and up to twice that", "guess: longer than a tree takes on a LAN"),
		duration("rumors.graft_after", &r.GraftAfter, time.Millisecond, time.Minute, "a node that was named a rumor waits this long for the payload", "guess: longer than a tree takes between continents"),
		duration("rumors.graft_again", &r.GraftAgain, time.Millisecond, time.Minute, "and this long for each node that it then asks", "guess: more than a round trip"),
		duration("rumors.compare_quiet", &r.CompareQuiet, 10*time.Millisecond, time.Hour, "neighbors compare when nothing new came for this long", "guess").
			must("at most rumors.compare_busy", func() bool { return r.CompareQuiet <= r.CompareBusy }),
		duration("rumors.compare_busy", &r.CompareBusy, 10*time.Millisecond, time.Hour, "and in any case after this", "guess"),
		duration("rumors.compare_every", &r.CompareEvery, 10*time.Millisecond, time.Hour, "between two neighbors compared with", "guess"),
	}
}

func storeKnobs(c *Config) []Knob {
	s := &c.Store
	return []Knob{
		count("store.values", &s.Objects, 1, 1<<26, "values that are taken on from this node's clients: keys, and each sibling once more; of others an eighth more", "guess"),
		count("store.bytes", &s.Bytes, hearsay.MaxRecord, 1<<36, "bytes of their keys and values", "guess"),
		count("store.writers", &s.Origins, 1, 1<<14, "lives of data directories of which writes are known", "guess"),
		duration("store.drift", &s.Drift, 0, 24*time.Hour, "clocks of members differ by at most this; a value is let go of so long after its end", "guess"),
		duration("store.forget", &s.Forget, time.Minute, 366*24*time.Hour, "from when a removed member has no value left in the store: for how long it counts as a writer", "guess"),
		count("store.message", &s.Give, 4<<10, 128<<10, "bytes of one message by which two nodes become equal; a longer value goes alone", "guess"),
		count("store.part", &s.Part, 4<<10, core.MaxPart, "bytes of a part of a value that is too long for a message; pings wait for one", "guess"),
		count("store.push", &s.Push, 1<<10, 64<<10, "bytes of a write that is passed on at once; the next nodes ask for a longer one", "guess"),
		duration("store.compare_every", &s.CompareEvery, 0, time.Hour, "after a change a neighbor is asked this often what it holds, for where pings are rarer than is well; 0: only pings tell", "pings are often enough by default").
			must("0, or at least 100 ms", func() bool { return s.CompareEvery == 0 || s.CompareEvery >= 100*time.Millisecond }),
	}
}

func mongerKnobs(c *Config) []Knob {
	r := &c.Rumors
	return []Knob{
		choice("rumors.style", &r.Style, "of monger: push, pull or pushpull", "Demers 1987"),
		boolean("rumors.feedback", &r.Cooling.Feedback, "of monger: interest cools only when the node told knew it already", "Demers 1987"),
		choice("rumors.stop", &r.Cooling.Stop, "of monger: cooled by counter, coin or none", "Demers 1987"),
		count("rumors.k", &r.Cooling.K, 0, 64, "of monger: useless contacts until cold, or one in so many", "Demers 1987, table 1"),
		count("rumors.fanout", &r.Fanout, 1, 64, "of monger: members told in a cycle", "Demers 1987"),
		count("rumors.limit", &r.Limit, 0, 1<<16, "of monger: members from which rumors are taken in a cycle; 0: any number", "Demers 1987, section 1.4"),
		duration("rumors.cycle", &r.Cycle, time.Millisecond, time.Minute, "of monger: between two tellings", "guess"),
		duration("rumors.poll", &r.Poll, 10*time.Millisecond, time.Hour, "of monger with pulls: between two of them", "guess"),
	}
}

// wordy is a setting that is one of a few words.
type wordy interface {
	fmt.Stringer
	encoding.TextUnmarshaler
}

// choice is a knob that is one of a few words.
func choice(name string, at wordy, meaning, source string) Knob {
	return Knob{
		Name: name, Unit: "word", Meaning: meaning, Source: source,
		get:   at.String,
		set:   func(s string) error { return at.UnmarshalText([]byte(s)) },
		holds: func() error { return nil },
	}
}

// text is a knob whose empty value stands for something.
func text(name string, at *string, check func(string) error, meaning, empty, source string) Knob {
	return Knob{
		Name: name, Unit: "text", Meaning: meaning, Empty: empty, Source: source,
		get: func() string { return *at },
		set: func(s string) error { *at = s; return nil },
		holds: func() error {
			if *at == "" {
				return nil
			}
			return check(*at)
		},
	}
}

func list(name string, at *[]string, check func(string) error, meaning string) Knob {
	return Knob{
		Name: name, Unit: "list", Meaning: meaning,
		get: func() string { return strings.Join(*at, ",") },
		set: func(s string) error {
			*at = nil
			for item := range strings.SplitSeq(s, ",") {
				if item = strings.TrimSpace(item); item != "" {
					*at = append(*at, item)
				}
			}
			return nil
		},
		holds: func() error {
			for _, item := range *at {
				if err := check(item); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func boolean(name string, at *bool, meaning, source string) Knob {
	return Knob{
		Name: name, Unit: "bool", Meaning: meaning, Source: source,
		get: func() string { return strconv.FormatBool(*at) },
		set: func(s string) error {
			if s != "true" && s != "false" {
				return fmt.Errorf("%q: want true or false", s)
			}
			*at = s == "true"
			return nil
		},
		holds: func() error { return nil },
	}
}

func count(name string, at *int, least, most int, meaning, source string) Knob {
	return Knob{
		Name: name, Unit: "count", Meaning: meaning, Source: source,
		Min: strconv.Itoa(least), Max: strconv.Itoa(most),
		get: func() string { return strconv.Itoa(*at) },
		set: func(s string) (err error) {
			if *at, err = strconv.Atoi(s); err != nil {
				return fmt.Errorf("%q: want a whole number", s)
			}
			return nil
		},
		holds: within(at, least, most),
	}
}

// limit is a knob of what all seeds agree on.
func limit(name string, at *uint32, meaning, source string) Knob {
	return Knob{
		Name: name, Unit: "count", Meaning: meaning, Source: source,
		Min: "1", Max: strconv.Itoa(hearsay.MaxLimit),
		get: func() string { return strconv.FormatUint(uint64(*at), 10) },
		set: func(s string) error {
			n, err := strconv.ParseUint(s, 10, 32)
			if err != nil {
				return fmt.Errorf("%q: want a whole number", s)
			}
			*at = uint32(n)
			return nil
		},
		holds: within(at, 1, hearsay.MaxLimit),
	}
}

func duration(name string, at *time.Duration, least, most time.Duration, meaning, source string) Knob {
	return Knob{
		Name: name, Unit: "duration", Meaning: meaning, Source: source,
		Min: least.String(), Max: most.String(),
		get: func() string { return at.String() },
		set: func(s string) (err error) {
			if *at, err = time.ParseDuration(s); err != nil {
				return fmt.Errorf("%q: want a duration, as in 1.5s or 200ms", s)
			}
			return nil
		},
		holds: within(at, least, most),
	}
}

func within[T cmp.Ordered](at *T, least, most T) func() error {
	return func() error {
		if *at < least || *at > most {
			return fmt.Errorf("%v: must be from %v to %v", *at, least, most)
		}
		return nil
	}
}

func checkWith(parse func(string) (address, error)) func(string) error {
	return func(s string) error {
		_, err := parse(s)
		return err
	}
}

func checkAdvertise(s string) error {
	a, err := parseAddress(s, DefaultPort) // Start takes the bound port where none is named
	if err != nil {
		return err
	}
	return a.reachable(s)
}

// LoadEnvironment sets the knobs of cfg that the environment names, such as
// HEARSAY_DETECT_PERIOD; lookup is os.LookupEnv, or a test's.
func LoadEnvironment(lookup func(string) (string, bool), cfg *Config) error {
	for _, k := range Knobs(cfg) {
		value, ok := lookup(k.Variable)
		if !ok {
			continue
		}
		if err := k.Set(value); err != nil {
			return fmt.Errorf("$%s: %s: %w", k.Variable, k.Name, err)
		}
	}
	return nil
}

// UnknownVariable is a variable of the environment whose name begins as those of knobs do,
// and that is none.
type UnknownVariable struct {
	Name    string
	Nearest string // the one that is called most like it
}

// UnknownVariables gives them, in the order of the environment, which is as os.Environ gives
// it: the setting that one stands for would be missing without a word. Others are those that the
// program takes besides. What a cluster sets by itself for a service called hearsay is let pass.
func UnknownVariables(environment []string, others ...string) (unknown []UnknownVariable) {
	var cfg Config
	known := slices.Clone(others)
	for _, k := range Knobs(&cfg) {
		known = append(known, k.Variable)
	}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, environmentPrefix) && !slices.Contains(known, name) && !ofService(name, value) {
			unknown = append(unknown, UnknownVariable{name, nearest(strings.ToUpper(name), known)})
		}
	}
	return unknown
}

// serviceVariables are the ends of the names of variables that Kubernetes and Docker set in
// each container for each service that they know: for a service called hearsay, or
// hearsay-seed, they begin as ours do (kubernetes.io, "Accessing the Service").
var serviceVariables = regexp.MustCompile(`_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)

// ofService reports whether a variable is one of those.
func ofService(name, value string) bool {
	return serviceVariables.MatchString(name) || strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}

// nearest gives the name that differs least from one that is unknown, by Levenshtein's
// distance.
func nearest(unknown string, known []string) string {
	return slices.MinFunc(known, func(a, b string) int { return cmp.Compare(distance(unknown, a), distance(unknown, b)) })
}

// distance is how many characters must be put in, taken out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // of the part of a before i
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := before
			if a[i] != b[j] {
				changed++
			}
			before = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// LoadSettings sets the knobs of cfg that the TOML file at path names. An
// error names the line and column: of what is no TOML, of a key that is no
// knob, of a value that its knob cannot have.
func LoadSettings(path string, cfg *Config) error {
	document, err := userfile.Read(path, maxSettingsSize)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if err := readSettings(document, cfg); err != nil {
		return fmt.Errorf("settings: %s:%w", path, err)
	}
	return nil
}

// readSettings is LoadSettings for a document in memory; its errors begin
// with line:column.
func readSettings(document []byte, cfg *Config) error {
	var whole map[string]any
	if err := toml.Unmarshal(document, &whole); err != nil {
		return fmt.Errorf("%s: %s; want lines as in detect.period = \"1s\"", positionOf(err), strings.TrimPrefix(err.Error(), "toml: "))
	}
	knobs := Knobs(cfg)
	given := make(map[string]any)
	flatten(given, "", whole, knobs)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if err := assign(knobs, name, given[name]); err != nil {
			return fmt.Errorf("%s: %s: %w", placeOf(document, name, knobs), name, err)
		}
	}
	return nil
}

// flatten gives the values of a table by the whole names of their keys; a table that has no knobs
// is a value, too.
func flatten(given map[string]any, prefix string, table map[string]any, knobs []Knob) {
	for key, value := range table {
		if strings.Contains(key, ".") {
			key = strconv.Quote(key) // it is one key, and no knob's
		}
		name := prefix + key
		if within, isTable := value.(map[string]any); isTable && hasKnobs(knobs, name) {
			flatten(given, name+".", within, knobs)
			continue
		}
		given[name] = value
	}
}

// hasKnobs reports whether a table has knobs.
func hasKnobs(knobs []Knob, table string) bool {
	return slices.ContainsFunc(knobs, func(k Knob) bool { return strings.HasPrefix(k.Name, table+".") })
}

// assign sets a knob to a value of TOML.
func assign(knobs []Knob, name string, value any) error {
	i := slices.IndexFunc(knobs, func(k Knob) bool { return k.Name == name })
	if _, isTable := value.(map[string]any); i < 0 && isTable {
		return errors.New("there is no such table of knobs")
	}
	if i < 0 && hasKnobs(knobs, name) {
		return fmt.Errorf("want one table of knobs, [%s]", name)
	}
	if i < 0 {
		names := make([]string, len(knobs))
		for i := range knobs {
			names[i] = knobs[i].Name
		}
		return fmt.Errorf("there is no such knob; the nearest is %s", nearest(name, names))
	}
	k := &knobs[i]
	text, ok := textOf(k.Unit, value)
	if !ok {
		return fmt.Errorf("want %s", wanted[k.Unit])
	}
	return k.Set(text)
}

// wanted says, by unit, which TOML a knob takes.
var wanted = map[string]string{
	"text":     `text in quotes`,
	"list":     `a list of texts, as in ["10.0.0.1:7946"]`,
	"bool":     `true or false`,
	"count":    `a whole number`,
	"duration": `a duration in quotes, as in "1.5s"`,
	"word":     `a word in quotes`,
}

// textOf gives a value of TOML as Set takes it, if it is of the unit's type.
func textOf(unit string, value any) (text string, ok bool) {
	switch v := value.(type) {
	case string:
		return v, unit == "text" || unit == "duration" || unit == "word"
	case int64:
		return strconv.FormatInt(v, 10), unit == "count"
	case bool:
		return strconv.FormatBool(v), unit == "bool"
	case []any:
		items := make([]string, len(v))
		for i := range v {
			if items[i], ok = v[i].(string); !ok || strings.Contains(items[i], ",") {
				return "", false
			}
		}
		return strings.Join(items, ","), unit == "list"
	}
	return "", false
}

// placeOf gives the line and column of a key. The strict decoder tells where the keys are that have no field, so the
// document is read into a struct without a field for this one.
func placeOf(document []byte, name string, knobs []Knob) string {
	var top []reflect.StructField
	tables := make(map[string][]reflect.StructField)
	for i := range knobs {
		table, key, nested := strings.Cut(knobs[i].Name, ".")
		switch {
		case strings.EqualFold(knobs[i].Name, name), strings.EqualFold(table, name):
			// the decoder finds fields whatever the case
		case nested:
			tables[table] = append(tables[table], fieldOf(key, reflect.TypeFor[any]()))
		default:
			top = append(top, fieldOf(table, reflect.TypeFor[any]()))
		}
	}
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		top = append(top, fieldOf(table, reflect.StructOf(tables[table])))
	}
	err := toml.NewDecoder(bytes.NewReader(document)).DisallowUnknownFields().Decode(reflect.New(reflect.StructOf(top)).Interface())
	missing, is := errors.AsType[*toml.StrictMissingError](err)
	if !is {
		return positionOf(err)
	}
	for i := range missing.Errors { // the key of one in an inline table lacks the name of that
		if key := strings.Join(missing.Errors[i].Key(), "."); name == key || strings.HasSuffix(name, "."+key) {
			return positionOf(&missing.Errors[i])
		}
	}
	return positionOf(&missing.Errors[0])
}

// positionOf is line:column of what a decoder does not take.
func positionOf(err error) string {
	line, column := 1, 1
	if wrong, is := errors.AsType[*toml.DecodeError](err); is {
		line, column = wrong.Position()
	}
	return fmt.Sprintf("%d:%d", line, column)
}

// fieldOf is a field of a struct that takes a key.
func fieldOf(key string, kind reflect.Type) reflect.StructField {
	return reflect.StructField{Name: strings.ToUpper(key), Type: kind, Tag: reflect.StructTag(`toml:"` + key + `"`)}
}
