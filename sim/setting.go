package sim

import (
	"encoding"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearsay/internal/userfile"

	"hearsay"
)

// setting is what a line `with NAME VALUE` of a scenario sets: all that a run
// depends on can stand in one file.
type setting struct {
	name string
	show func(*Config) string
	read func(*Config, string) error
}

// settings in the order in which they are written.
var settings = []setting{
	number("nodes", func(c *Config) *int { return &c.Nodes }),
	number("seeds", func(c *Config) *int { return &c.Seeds }),
	number("found", func(c *Config) *int { return &c.Founders }),
	{
		"seed",
		func(c *Config) string { return strconv.FormatUint(c.Seed, 10) },
		func(c *Config, value string) (err error) {
			if c.Seed, err = strconv.ParseUint(value, 10, 64); err != nil {
				return fmt.Errorf("seed %q: want a number", value)
			}
			return nil
		},
	},
	span("for", func(c *Config) *time.Duration { return &c.For }),
	{
		"loss",
		func(c *Config) string { return strconv.FormatFloat(c.Loss, 'g', -1, 64) },
		func(c *Config, value string) (err error) {
			c.Loss, err = parseShare(Loss, []string{value})
			return err
		},
	},
	span("delay", func(c *Config) *time.Duration { return &c.Delay }),
	span("disk", func(c *Config) *time.Duration { return &c.DiskDelay }),
	span("chatter", func(c *Config) *time.Duration { return &c.Chatter }),
	number("crowd", func(c *Config) *int { return &c.Crowd }),
	{
		"members-of-source",
		func(c *Config) string { return strconv.Itoa(int(c.Quorum.Limits.MembersOfSource)) },
		func(c *Config, value string) error {
			n, err := strconv.ParseUint(value, 10, 32)
			if c.Quorum.Limits.MembersOfSource = uint32(n); err != nil || !c.Quorum.Limits.Valid() {
				return fmt.Errorf("members-of-source %q: want 1 to %d", value, hearsay.MaxLimit)
			}
			return nil
		},
	},
	number("before", func(c *Config) *int { return &c.Before }),
	number("hostile", func(c *Config) *int { return &c.Hostile }),
	text("overlay", func(c *Config) word { return &c.Overlay.Kind }),
	number("links", func(c *Config) *int { return &c.Overlay.Links }),
	text("rumors", func(c *Config) word { return &c.Rumors.Strategy }),
	text("style", func(c *Config) word { return &c.Rumors.Style }),
	number("keep-count", func(c *Config) *int { return &c.Rumors.KeepCount }),
	span("keep-for", func(c *Config) *time.Duration { return &c.Rumors.KeepFor }),
	span("forget-writers", func(c *Config) *time.Duration { return &c.Store.Forget }),
	number("part", func(c *Config) *int { return &c.Store.Part }),
	span("forget-after", func(c *Config) *time.Duration { return &c.Roster.ForgetAfter }),
	number("snapshot-every", func(c *Config) *int { return &c.Quorum.SnapshotEvery }),
	number("kept-rulings", func(c *Config) *int { return &c.Quorum.Tail }),
	number("ledger-tail", func(c *Config) *int { return &c.Follower.Tail }),
	text("detector", func(c *Config) word { return &c.Detect.Kind }),
	span("interval", func(c *Config) *time.Duration { return &c.Detect.Interval }),
	onOff("stream-pings", func(c *Config) *bool { return &c.Detect.StreamPing }),
	onOff("abrupt", func(c *Config) *bool { return &c.Abrupt }),
	onOff("no-false-death", func(c *Config) *bool { return &c.NoFalseDeath }),
	{
		"plant",
		func(c *Config) string { return c.Plant },
		func(c *Config, value string) (err error) {
			c.Plant = value
			_, err = plantNamed(value)
			return err
		},
	},
}

// word is a value with a text form.
type word interface {
	encoding.TextMarshaler
	encoding.TextUnmarshaler
}

func number(name string, of func(*Config) *int) setting {
	return setting{
		name,
		func(c *Config) string { return strconv.Itoa(*of(c)) },
		func(c *Config, value string) (err error) {
			if *of(c), err = strconv.Atoi(value); err != nil || *of(c) < 1 {
				return fmt.Errorf("%s %q: want a number, 1 or more", name, value)
			}
			return nil
		},
	}
}

func span(name string, of func(*Config) *time.Duration) setting {
	return setting{
		name,
		func(c *Config) string { return of(c).String() },
		func(c *Config, value string) (err error) {
			*of(c), err = parseDuration(value)
			return err
		},
	}
}

func text(name string, of func(*Config) word) setting {
	return setting{
		name,
		func(c *Config) string {
			b, err := of(c).MarshalText()
			if err != nil {
				panic("sim: setting " + name + ": " + err.Error())
			}
			return string(b)
		},
		func(c *Config, value string) error {
			if err := of(c).UnmarshalText([]byte(value)); err != nil {
				return fmt.Errorf("%s %w", name, err)
			}
			return nil
		},
	}
}

func onOff(name string, of func(*Config) *bool) setting {
	words := []string{"off", "on"}
	return setting{
		name,
		func(c *Config) string {
			if *of(c) {
				return words[1]
			}
			return words[0]
		},
		func(c *Config, value string) error {
			which := slices.Index(words, value)
			if which < 0 {
				return fmt.Errorf("%s %q: want on or off", name, value)
			}
			*of(c) = which == 1
			return nil
		},
	}
}

// worldBytesMax bounds the file of a scenario. Guess.
const worldBytesMax = 1 << 20

// ReadWorld reads a scenario from a file into the configuration, see
// ParseWorld.
func ReadWorld(path string, config *Config, keep ...string) error {
	text, err := userfile.Read(path, worldBytesMax)
	if err != nil {
		return fmt.Errorf("%w; want lines as in `at 10s kill n3`", err)
	}
	return ParseWorld(path, string(text), config, keep...)
}

// ParseWorld reads a scenario as ParseScenario does, and besides its lines the
// settings of the run:
//
//	with nodes 5
//	with seed 17
//	at 10s kill n3
//
// What no line sets stays as it is, and so do the settings that are to be kept,
// by name. An error names file and line.
func ParseWorld(file, text string, config *Config, keep ...string) error {
	lines := strings.Split(text, "\n")
	for number, line := range lines {
		line, _, _ := strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "with" {
			continue
		}
		lines[number] = ""
		if len(words) != 3 {
			return fmt.Errorf("%s:%d: %q: want `with NAME VALUE`, as in `with nodes 5`", file, number+1, strings.Join(words, " "))
		}
		which := slices.IndexFunc(settings, func(s setting) bool { return s.name == words[1] })
		if which < 0 {
			return fmt.Errorf("%s:%d: setting %q: want one of %s", file, number+1, words[1], settingNames())
		}
		if slices.Contains(keep, words[1]) {
			continue
		}
		if err := settings[which].read(config, words[2]); err != nil {
			return fmt.Errorf("%s:%d: %w", file, number+1, err)
		}
	}
	if err := config.Validate(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	scenario, err := ParseScenario(file, strings.Join(lines, "\n"), config.Nodes, config.Seeds)
	if err != nil {
		return err
	}
	for i := range scenario.Actions {
		if a := &scenario.Actions[i]; a.At > config.For {
			return fmt.Errorf("%s: at %v %s: the run ends at %v: want --for %v or more", file, a.At, a.named(config.Nodes), config.For, a.At)
		}
	}
	config.Scenario = scenario
	return nil
}

func settingNames() string {
	names := make([]string, 0, len(settings))
	for _, s := range settings {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// Text gives the run as ParseWorld reads it: the settings that are not the
// default, and the scenario.
func (c *Config) Text() string {
	var b strings.Builder
	usual := DefaultConfig()
	for _, s := range settings {
		if value := s.show(c); value != s.show(&usual) {
			fmt.Fprintf(&b, "with %s %s\n", s.name, value)
		}
	}
	if c.Scenario != nil {
		for i := range c.Scenario.Actions {
			a := &c.Scenario.Actions[i]
			fmt.Fprintf(&b, "at %s %s\n", a.At, a.named(c.Nodes))
		}
	}
	return b.String()
}
