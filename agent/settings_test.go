package agent

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

func loaded(t *testing.T, document string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.toml")
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	err := LoadSettings(path, &cfg)
	return cfg, err
}

func TestSettingsFile(t *testing.T) {
	cfg, err := loaded(t, `
name = "a"           # a comment
join = [
	"10.0.0.1",      # the first
	"b.example:7000",
]
roster = { fanout = 4, news_every = "50ms" }

[detect]
period = "2s"
stream_ping = false
`)
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Name, want.Join = "a", []string{"10.0.0.1", "b.example:7000"}
	want.Roster.Fanout, want.Roster.NewsEvery = 4, 50*time.Millisecond
	want.Detect.Period, want.Detect.StreamPing = 2*time.Second, false
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
}

func TestSettingsErrors(t *testing.T) {
	for document, want := range map[string]string{
		"name = \"a\"\nnam = \"b\"":               "settings.toml:2:1: nam: there is no such knob; the nearest is name",
		"[detect]\n  perod = \"1s\"":              "settings.toml:2:3: detect.perod: there is no such knob; the nearest is detect.period",
		"[detekt]\n":                              "settings.toml:1:2: detekt: there is no such table",
		"[[detect]]\nperiod = \"1s\"":             "settings.toml:1:3: detect: want one table of knobs, [detect]",
		"name = \"a\"\ndetect = 5":                "settings.toml:2:1: detect: want one table of knobs, [detect]",
		"[detect]\n[roster]\n[other]\n":           "settings.toml:3:2: other: there is no such table",
		"[DETECT]\nperiod = \"1s\"":               "settings.toml:1:2: DETECT: there is no such table",
		"roster = { fanout = 4, relays = 1 }":     "settings.toml:1:24: roster.relays: there is no such knob",
		"\"detect.period\" = \"1s\"":              `settings.toml:1:1: "detect.period": there is no such knob`,
		"[detect]\nperiod = { a = 1 }":            "settings.toml:2:1: detect.period: want a duration",
		"rumors.fanout = 0\n[roster]\nfanout = 4": "settings.toml:1:1: rumors.fanout: 0: must be",
		"detect.period = 5":                       `settings.toml:1:1: detect.period: want a duration in quotes`,
		"detect.period = \"5\"":                   `settings.toml:1:1: detect.period: "5": want a duration`,
		"detect.period = \"1ms\"":                 `settings.toml:1:1: detect.period: 1ms: must be from 10ms to 1m0s`,
		"detect = { relays = \"3\" }":             `settings.toml:1:12: detect.relays: want a whole number`,
		"join = [\"10.0.0.1:99999\"]":             `settings.toml:1:1: join: "10.0.0.1:99999": want a port`,
		"join = [1]":                              `settings.toml:1:1: join: want a list`,
		"name = \"a\"\nname = \"b\"":              "settings.toml:2:1: ",
		"name = ":                                 "settings.toml:1:",
		"roster.fanout = 99999999999999999":       `roster.fanout`,
		"name = \"with space\"":                   `the character ' ' is not allowed`,
	} {
		if _, err := loaded(t, document); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", document, err, want)
		}
	}
	var cfg Config
	if err := LoadSettings(filepath.Join(t.TempDir(), "none"), &cfg); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	environment := map[string]string{"HEARSAY_DETECT_TIMEOUT_MIN": "50ms", "HEARSAY_JOIN": "a:1, b:2", "HEARSAY_NODE": "x"}
	lookup := func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}
	cfg := DefaultConfig()
	if err := LoadEnvironment(lookup, &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.Detect.TimeoutMin != 50*time.Millisecond || !reflect.DeepEqual(cfg.Join, []string{"a:1", "b:2"}) {
		t.Errorf("got %+v", cfg)
	}
	environment["HEARSAY_ROSTER_FANOUT"] = "many"
	err := LoadEnvironment(lookup, &cfg)
	if want := `$HEARSAY_ROSTER_FANOUT: roster.fanout: "many": want a whole number`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	for _, cfg := range []Config{{}, DefaultConfig()} {
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`name: "a/b": the character '/' is not allowed`:                                   func(c *Config) { c.Name = "a/b" },
		`network: "` + strings.Repeat("n", 32) + `"...: it has 65 bytes; want at most 64`: func(c *Config) { c.Network = strings.Repeat("n", 65) },
		`bind: "1.2.3.4:x": want a port`:                                                  func(c *Config) { c.Bind = "1.2.3.4:x" },
		`bind: "1.2.3.999:7": it is no IP address`:                                        func(c *Config) { c.Bind = "1.2.3.999:7" },
		`advertise: "0.0.0.0": want the address of one machine`:                           func(c *Config) { c.Advertise = "0.0.0.0" },
		`join: "10.0.0.1:0": nobody is reached at port 0`:                                 func(c *Config) { c.Join = []string{"10.0.0.1:0"} },
		`join: "a b": a host name has no ' '`:                                             func(c *Config) { c.Join = []string{"a b"} },
		`detect.timeout_max: 600ms: must be at most a third of detect`:                    func(c *Config) { c.Detect.TimeoutMax = 600 * time.Millisecond },
		`detect.timeout_min: 500ms: must be at most detect.timeout`:                       func(c *Config) { c.Detect.TimeoutMin = 500 * time.Millisecond },
		`detect.late_after: 2s: must be at most detect.period`:                            func(c *Config) { c.Detect.LateAfter = 2 * time.Second },
		`roster.suspicion_min: 1s: must be at least roster.round`:                         func(c *Config) { c.Roster.SuspicionMin = time.Second },
		`roster.round_every: 1.5s: must be more than five times d`:                        func(c *Config) { c.Roster.RoundEvery = 5 * c.Detect.TimeoutMax },
		`roster.observers: 0: must be from 1 to 16`:                                       func(c *Config) { c.Roster.Observers = 0 },
		`seeds: none: a seed must know all seeds`:                                         func(c *Config) { c.Role = hearsay.RoleSeed },
		`data: a seed must have a data directory`:                                         func(c *Config) { c.Role, c.Seeds = hearsay.RoleSeed, threeSeeds() },
		`slot: 3: want this seed's place among the 3 seeds, 0 to 2`:                       func(c *Config) { c.Role, c.Seeds, c.Slot = hearsay.RoleSeed, threeSeeds(), 3 },
		`slot: 1: only a seed has a slot`:                                                 func(c *Config) { c.Seeds, c.Slot = threeSeeds(), 1 },
		`join: a node of a network with seeds finds it by the list`:                       func(c *Config) { c.Seeds, c.Join = threeSeeds(), []string{"10.0.0.9"} },
		`seeds: 10.0.0.1:5001 stands there twice`:                                         func(c *Config) { c.Seeds = append(threeSeeds(), threeSeeds()...) },
		`advertise: 10.0.0.9:1: the list of seeds says that this one`: func(c *Config) {
			c.Role, c.Seeds, c.Data, c.Advertise = hearsay.RoleSeed, threeSeeds(), "d", "10.0.0.9:1"
		},
		`quorum.trial: 11s: must be at most quorum.short_trial`:     func(c *Config) { c.Quorum.Trial = 11 * time.Second },
		`roster.join_backoff_min: 20s: must be at most roster.join`: func(c *Config) { c.Roster.JoinBackoffMin = 20 * time.Second },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func threeSeeds() (list []ledger.Seed) {
	for i := range 3 {
		list = append(list, ledger.Seed{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i)}), 5001)})
	}
	return list
}

// TestKnobsAreWhole: every field of the configuration that is a number has a
// knob, each knob its words, and setting it to its own value changes nothing.
func TestKnobsAreWhole(t *testing.T) {
	cfg := DefaultConfig()
	knobs := Knobs(&cfg)
	// Without the logger, the log like an earlier program's and its style, bound sockets, role, seeds, slot, HTTP hosts
	// and an operator's word; and without what a seed is told of the network and of its operator, and a peer of the
	// network and the seeds; nor the versions of both.
	fields := reflect.TypeOf(cfg).NumField() - 9 - 7 - 3
	for _, part := range []any{cfg.Detect, cfg.Roster, cfg.Overlay, cfg.Rumors, cfg.Rumors.Cooling, cfg.Store, cfg.Quorum, cfg.Quorum.Limits, cfg.Follower, cfg.Petition} {
		fields += reflect.TypeOf(part).NumField() - 1 // its fields instead of itself
	}
	if len(knobs) != fields {
		t.Errorf("%d knobs of %d fields", len(knobs), fields)
	}
	seen := make(map[string]bool)
	for _, k := range knobs {
		if k.Name == "" || k.Meaning == "" || wanted[k.Unit] == "" || seen[k.Name] {
			t.Errorf("incomplete or twice: %+v", k)
		}
		seen[k.Name] = true
		if err := k.Set(k.Default); err != nil {
			t.Errorf("the default: %v", err)
		}
	}
	if !reflect.DeepEqual(cfg, DefaultConfig()) {
		t.Errorf("after setting all to their defaults: %+v", cfg)
	}
}

// A variable that looks like a setting and is none is found, and what others set is not.
func TestUnknownVariables(t *testing.T) {
	for variable, want := range map[string]string{
		"HEARSAY_DETECT_PEROID=1s":   "HEARSAY_DETECT_PERIOD",
		"HEARSAY_detect_period=1s":   "HEARSAY_DETECT_PERIOD",
		"HEARSAY_NAM=":               "HEARSAY_NAME",
		"HEARSAY_NODES=9001":         "HEARSAY_NODE",
		"HEARSAY_PORT=0":             "HEARSAY_NODE",
		"HEARSAY_JOIN_PORT=7946":     "HEARSAY_JOIN",
		"HEARSAY_QUORUM_TRIALS=1s":   "HEARSAY_QUORUM_TRIAL",
		"HEARSAY_DETECT_PERIOD=1s":   "",
		"HEARSAY_NODE=9001":          "",
		"HEARSAY=1":                  "",
		"hearsay_detect_peroid=1s":   "",
		"NOT_HEARSAY_DETECT_PEROID=": "",

		"HEARSAY_SERVICE_HOST=10.0.0.1":            "",
		"HEARSAY_SERVICE_PORT=7946":                "",
		"HEARSAY_SERVICE_PORT_GOSSIP=7946":         "",
		"HEARSAY_PORT=tcp://10.0.0.1:7946":         "",
		"HEARSAY_PORT_7946_TCP=tcp://10.0.0.1:1":   "",
		"HEARSAY_PORT_7946_UDP_PROTO=udp":          "",
		"HEARSAY_SEED_0_PORT_5001_TCP_ADDR=::1":    "",
		"HEARSAY_SEED_0_SERVICE_HOST=10.96.0.1":    "",
		"HEARSAY_SEED_0_PORT=tcp://10.96.0.1:5001": "",
	} {
		got := UnknownVariables([]string{"PATH=/bin", variable, "HOME=/"}, "HEARSAY_NODE")
		name, _, _ := strings.Cut(variable, "=")
		if want == "" && got != nil || want != "" && (len(got) != 1 || got[0] != UnknownVariable{name, want}) {
			t.Errorf("%s: %v, want %q", variable, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"period", "peroid", 2}, {"abc", "abc", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// A file without an end is not read to its end.
func TestSettingsWithoutEnd(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("no such device here")
	}
	wantError(t, LoadSettings("/dev/zero", &Config{}), "want at most")
}
