package agent

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hearsay"
	"hearsay/detect"
	"hearsay/follower"
	"hearsay/guest"
	"hearsay/ledger"
	"hearsay/overlay"
	"hearsay/petition"
	"hearsay/quorum"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
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
// stands for its default; Detect, Roster, Overlay, Rumors, Store, Petition, Quorum and
// Follower are taken as a whole: either all of their fields are set, as by
// detect.DefaultConfig, or none.
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
	// anew. Default: none, the first of a network. An http:// URL is one of a node
	// of an earlier program (p4), which a program that serves this node over HTTP
	// joins: see package web. The agent itself does nothing with it.
	Join []string

	// Data is the directory that keeps identity, contacts, evidence, own rumors and the store.
	// Default: none; then nothing is kept, and each start is a new identity.
	Data string

	// HTTPHosts are names besides its host's by which a program that serves this node
	// over HTTP lets it be asked: see package web. The agent itself does nothing with
	// them. Default: none.
	HTTPHosts []string

	// Newest is an operator's word that Data is the newest copy there is of that
	// directory, and the only one in use: a seed that was moved starts with it.
	Newest bool

	// Role is what this node is for: a seed, or a peer. Default: a peer.
	Role hearsay.Role

	// Seeds are the seeds of the network, in an order that all nodes have in
	// common, as that of package seeds. Default: none, an open network.
	Seeds []ledger.Seed

	// Slot is the place of this seed in Seeds, from 0. A peer has none.
	Slot int

	Detect   detect.Config
	Roster   roster.Config
	Overlay  overlay.Config
	Rumors   rumor.Config
	Store    spread.Config
	Petition petition.Config // of a peer that has Seeds

	// Quorum and Follower are the knobs of a seed and of a peer that has Seeds.
	// What they say of the network, of seeds and slot is set from the above.
	Quorum   quorum.Config
	Follower follower.Config

	// Logger gets a line for each event. It may take its time, and may call the
	// agent, but not Close or Leave, which wait for it. Default: slog.Default().
	Logger *slog.Logger

	// TextLog gets the lines that one of two earlier programs wrote to its log, as TextStyle says, in a network with
	// seeds. It must not block. Default: nobody does.
	TextLog   io.Writer
	TextStyle TextStyle

	sockets *sockets // already bound; nil: as Bind says
}

// TextStyle is which of two earlier programs' logs Config.TextLog is like.
type TextStyle = guest.TextStyle

// The styles.
const (
	StyleP0 = guest.StyleP0
	StyleP2 = guest.StyleP2
)

// sockets are a port of this machine, UDP and TCP.
type sockets struct {
	conn     *net.UDPConn
	listener *net.TCPListener
}

// DefaultConfig gives the defaults, but for the name, which is the host's.
func DefaultConfig() Config {
	return Config{
		Network: DefaultNetwork,
		Bind:    DefaultBind,
		Role:    hearsay.RolePeer,

		Detect:   detect.DefaultConfig(),
		Roster:   roster.DefaultConfig(),
		Overlay:  overlay.DefaultConfig(),
		Rumors:   rumor.DefaultConfig(),
		Store:    spread.DefaultConfig(),
		Petition: petition.DefaultConfig(),
		Quorum:   quorum.DefaultConfig(),
		Follower: follower.DefaultConfig(),
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
	c = c.withSlot()
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
	if c.Store == (spread.Config{}) {
		c.Store = d.Store
	}
	if c.Petition == (petition.Config{}) {
		c.Petition = d.Petition
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c.withSeeds(&d)
}

// withSlot is withDefaults for a seed: it is where the list says.
func (c Config) withSlot() Config {
	if c.Role != hearsay.RoleSeed || c.Slot < 0 || c.Slot >= len(c.Seeds) {
		return c
	}
	listed := c.Seeds[c.Slot].Addr.String()
	if c.Bind == "" {
		c.Bind = listed
	}
	if c.Advertise == "" {
		c.Advertise = listed
	}
	return c
}

// withSeeds is withDefaults for what a seeded network needs.
func (c Config) withSeeds(d *Config) Config {
	if c.Role == 0 {
		c.Role = d.Role
	}
	if c.Quorum.TickEvery == 0 {
		c.Quorum = d.Quorum
	}
	if c.Follower.PollEvery == 0 {
		c.Follower = d.Follower
	}
	network := hearsay.NetworkIDOf(c.Network)
	c.Quorum.Network, c.Quorum.Seeds, c.Quorum.Slot = network, c.Seeds, c.Slot
	c.Quorum.Observers, c.Quorum.ProbePeriod = c.Roster.Observers, c.Detect.Period
	c.Follower.Network, c.Follower.Seeds = network, c.Seeds
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
	return full.checkSeeds()
}

// towards gives the members to which this node's own address must lead.
func (c *Config) towards(join []address) []address {
	for i := range c.Seeds {
		addr := c.Seeds[i].Addr
		join = append(join, address{addr.Addr().String(), addr.Addr(), addr.Port()})
	}
	return join
}

// checkSeeds says what is wrong with the part in a seeded network.
func (c *Config) checkSeeds() error {
	seed := c.Role == hearsay.RoleSeed
	switch {
	case !seed && c.Role != hearsay.RolePeer:
		return fmt.Errorf("role: %s: want seed or peer", c.Role)
	case seed && len(c.Seeds) == 0:
		return errors.New("seeds: none: a seed must know all seeds of its network, itself too")
	case seed && (c.Slot < 0 || c.Slot >= len(c.Seeds)):
		return fmt.Errorf("slot: %d: want this seed's place among the %d seeds, 0 to %d", c.Slot, len(c.Seeds), len(c.Seeds)-1)
	case !seed && c.Slot != 0:
		return fmt.Errorf("slot: %d: only a seed has a slot; want 0", c.Slot)
	case seed && c.Data == "":
		return errors.New("data: a seed must have a data directory, because it keeps the ledger and what it has promised; say which one, as in data = \"/var/lib/hearsay\"")
	case seed && c.Advertise != c.Seeds[c.Slot].Addr.String():
		return fmt.Errorf("advertise: %s: the list of seeds says that this one is at %s; want that", c.Advertise, c.Seeds[c.Slot].Addr)
	case len(c.Seeds) > 0 && slices.ContainsFunc(c.Join, func(text string) bool { return !IsURL(text) }):
		return errors.New("join: a node of a network with seeds finds it by the list of seeds; want one of the two")
	case len(c.Seeds) > hearsay.MaxSeeds:
		return fmt.Errorf("seeds: %d of them: want at most %d", len(c.Seeds), hearsay.MaxSeeds)
	}
	for i := range c.Seeds {
		if addr := c.Seeds[i].Addr; !addr.IsValid() || addr.Port() == 0 || addr.Addr().IsUnspecified() {
			return fmt.Errorf("seeds: %s: want the address and port at which others reach this seed", addr)
		}
		for j := range i {
			if c.Seeds[i].Addr == c.Seeds[j].Addr {
				return fmt.Errorf("seeds: %s stands there twice", c.Seeds[i].Addr)
			}
		}
	}
	return nil
}

// checkAmongSeeds says that a peer cannot be where it is: at a seed's address,
// or where it reaches no quorum of them.
func (c *Config) checkAmongSeeds(bound, addr netip.AddrPort) error {
	if c.Role == hearsay.RoleSeed || len(c.Seeds) == 0 {
		return nil
	}
	reached := 0
	for i := range c.Seeds {
		seed := c.Seeds[i].Addr
		if seed == addr {
			return fmt.Errorf("bind %s: it is a seed's address by the list of seeds; a peer wants one of its own, or port 0", addr)
		}
		if sameFamily(bound.Addr(), seed.Addr()) {
			reached++
		}
	}
	if reached < hearsay.QuorumOf(len(c.Seeds)) {
		return fmt.Errorf("bind %s: %d of %d seeds have an address of its family, IPv4 or IPv6; want one at which a quorum of them is reached, or [::] for both",
			bound, reached, len(c.Seeds))
	}
	return nil
}

// checkHTTPHost says what is wrong with the name of a host.
func checkHTTPHost(name string) error {
	wrong := func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	if name == "" || len(name) > maxHostLen || name[0] == '.' || strings.IndexFunc(name, wrong) >= 0 {
		return fmt.Errorf("%q: want the name of a host, as in hearsay.example.org, without a port", name)
	}
	return nil
}

// checkName is hearsay.CheckName for a knob, whose name the caller puts before the error.
func checkName(name string) error {
	if err := hearsay.CheckName(name); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "name "))
	}
	return nil
}

func checkNetwork(name string) error {
	if len(name) > maxNetworkLen {
		return fmt.Errorf("%q...: it has %d bytes; want at most %d", name[:maxNetworkLen/2], len(name), maxNetworkLen)
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return !hearsay.IsPlain(r) }); i >= 0 || !utf8.ValidString(name) {
		return fmt.Errorf("%+q: want characters that can be seen", name)
	}
	return nil
}
