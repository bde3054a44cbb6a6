package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"hearsay/detect"
	"hearsay/overlay"
	"hearsay/roster"
	"hearsay/rumor"
)

// The defaults of what is not a knob of a protocol.
const (
	DefaultPort    = 7946 // of Bind, and of addresses in Join that name none
	DefaultNetwork = "hearsay"
	DefaultBind    = "0.0.0.0:7946"
)

// maxNetworkLen is the longest name of a network, in bytes.
const maxNetworkLen = 64

// Config is what an agent is told at its start. The zero value of each field
// stands for its default; Detect, Roster, Overlay and Rumors are taken as a
// whole: either all of their fields are set, as by detect.DefaultConfig, or
// none.
type Config struct {
	// Name is what people call this member. Default: the host name.
	Name string

	// Network is which network this node belongs to; packets of others are
	// dropped. Default: DefaultNetwork.
	Network string

	// Bind is where to listen, UDP and TCP, as host:port; port 0 lets the
	// kernel choose. Default: DefaultBind, all IPv4 addresses. "[::]:7946" is
	// all addresses, IPv6 and IPv4.
	Bind string

	// Advertise is where others reach this node, as host or host:port.
	// Default: the bound address or, if that is all addresses, the one from
	// which this machine reaches others.
	Advertise string

	// Join is where members may be found: addresses or host names, with or
	// without a port. They are tried until one answers, host names looked up
	// anew. Default: none, the first of a network.
	Join []string

	// Data is the directory that keeps identity, contacts, evidence and own rumors.
	// Default: none; then nothing is kept, and each start is a new identity.
	Data string

	Detect  detect.Config
	Roster  roster.Config
	Overlay overlay.Config
	Rumors  rumor.Config

	// Logger gets a line for each event. It may take its time, and may call the
	// agent, but not Close or Leave, which wait for it. Default: slog.Default().
	Logger *slog.Logger
}

// DefaultConfig gives the defaults, but for the name, which is the host's.
func DefaultConfig() Config {
	return Config{
		Network: DefaultNetwork,
		Bind:    DefaultBind,
		Detect:  detect.DefaultConfig(),
		Roster:  roster.DefaultConfig(),
		Overlay: overlay.DefaultConfig(),
		Rumors:  rumor.DefaultConfig(),
	}
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	d := DefaultConfig()
	if c.Name == "" {
		c.Name, _ = os.Hostname() // Validate says that a name is missing
	}
	if c.Network == "" {
		c.Network = d.Network
	}
	if c.Bind == "" {
		c.Bind = d.Bind
	}
	if c.Detect == (detect.Config{}) {
		c.Detect = d.Detect
	}
	if c.Roster == (roster.Config{}) {
		c.Roster = d.Roster
	}
	if c.Overlay == (overlay.Config{}) {
		c.Overlay = d.Overlay
	}
	if c.Rumors == (rumor.Config{}) {
		c.Rumors = d.Rumors
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate says what is wrong with the configuration, if anything: which
// knob, what it is, and what would be right.
func (c *Config) Validate() error {
	full := c.withDefaults()
	if full.Name == "" {
		return errors.New("name: this host has none: say which this node is to have")
	}
	for _, k := range Knobs(&full) {
		if err := k.check(); err != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	return nil
}

func checkNetwork(name string) error {
	if len(name) > maxNetworkLen {
		return fmt.Errorf("%q: want at most %d bytes", name, maxNetworkLen)
	}
	return nil
}
