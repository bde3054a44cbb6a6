package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hearsay"
	"hearsay/agent"
	"hearsay/dialect"
	"hearsay/ledger"
	"hearsay/nodelog"
	"hearsay/seeds"
	"hearsay/web"
)

const (
	// to tell the others; the seeds have five seconds of it to rule that it has left
	leaveTimeout = 6 * time.Second
	// to tell the others; the node waits a third of a second for their answers, and a disk may be slow
	stayTimeout  = 2 * time.Second
	closeTimeout = 250 * time.Millisecond // for requests that are being answered
)

// nodeOptions are the flags of `peer` and `seed` that are not knobs of the agent.
type nodeOptions struct {
	role     hearsay.Role
	ip       string
	port     int
	config   string // the seeds' list
	output   string
	logStyle logStyle
	http     string
	settings string
	json     bool
	said     bool     // that the node can be asked
	found    bool     // of a seed
	newest   bool     // likewise
	onSignal onSignal // of a peer
	chatter  chatter
}

func newPeer() *cobra.Command { return newPeerOf(&nodeOptions{role: hearsay.RolePeer}) }

func newPeerOf(o *nodeOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "peer",
		Short: "Run one node",
		Long: `Run one node until it is interrupted or told to leave; then it leaves in good
order, and a second signal ends it at once. With --config it is a peer of the
network whose seeds the file names: a quorum of them lets it in. With --join it
enters the open network of the node that is there; with neither it is the first of an
open network. With --join http://HOST:PORT and --http it joins nodes of an earlier
program (p4) that are there.

With --on-signal stay a signal ends the process and does not have it leave: it
tells the others that it is back soon, and for ten seconds nobody that has heard
it holds its silence against it; the log warns if none has answered. Started again
by then, as by "systemctl restart", it was never out, and the seeds have nothing to
rule. One that does not come back is found gone after that, and removed;
"hearsay leave" says that at once.

A flag goes before the environment (HEARSAY_NAME, HEARSAY_DETECT_PERIOD, ...),
that before --settings, and that before the default.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := o.settle(cmd)
			if err != nil {
				return err
			}
			return runNode(cmd, o, config)
		},
	}
	o.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "file that names the seeds, one \"ip,port\" a line (default an open network)")
	flags.TextVar(&o.onSignal, "on-signal", signalLeave, "`leave|stay` when SIGINT or SIGTERM ends it; one that stays is to be started again within ten seconds, with the same --data")
	o.chatter.addFlags(cmd, "the node")
	return cmd
}

// takes reports whether a node has a flag for a knob.
func (o *nodeOptions) takes(k *agent.Knob) bool {
	return k.Flag != "" && (k.FlagOf == 0 || k.FlagOf == o.role)
}

// addKnobs adds the flags of some knobs.
func addKnobs(cmd *cobra.Command, which func(*agent.Knob) bool) {
	for _, k := range agent.Knobs(&agent.Config{}) {
		switch {
		case !which(&k):
		case k.Unit == "list":
			cmd.Flags().StringSlice(k.Flag, nil, k.Help())
		default:
			cmd.Flags().String(k.Flag, "", k.Help())
		}
	}
}

// takeKnobs sets those of some knobs whose flags are given.
func takeKnobs(cmd *cobra.Command, config *agent.Config, which func(*agent.Knob) bool) error {
	for _, k := range agent.Knobs(config) {
		if !which(&k) || !cmd.Flags().Changed(k.Flag) {
			continue
		}
		value := cmd.Flags().Lookup(k.Flag).Value
		text := value.String()
		if list, is := value.(pflag.SliceValue); is {
			text = strings.Join(list.GetSlice(), ",")
		}
		if err := k.Set(text); err != nil {
			return fmt.Errorf("--%s: %w", k.Flag, err)
		}
	}
	return nil
}

// addFlags adds the flags that all nodes take.
func (o *nodeOptions) addFlags(cmd *cobra.Command) {
	addKnobs(cmd, o.takes)
	flags := cmd.Flags()
	flags.StringVar(&o.ip, "ip", "", "address to listen on, UDP and TCP (default all IPv4 addresses)")
	flags.IntVar(&o.port, "port", agent.DefaultPort, "port to listen on; 0 lets the kernel choose")
	flags.StringVar(&o.output, "output", "", "append the log to this file too")
	flags.TextVar(&o.logStyle, "log-style", styleP1, "`p0|p1|p2`: have that file be like the log of that earlier program, and have its name if --output gives none")
	flags.StringVar(&o.http, "http", "off", "where to serve the page and the API: host:port, or a port of "+loopback+", 0 for any, or off")
	flags.StringVar(&o.settings, "settings", "", "TOML file of knobs; see \"hearsay settings\"")
	flags.BoolVar(&o.json, "json", false, "once the node can be asked, say on standard output where, as JSON")
}

// settle gives the agent's configuration: flag over environment over file
// over default.
func (o *nodeOptions) settle(cmd *cobra.Command) (agent.Config, error) {
	config := agent.DefaultConfig()
	if o.settings != "" {
		if err := loadSettings(o.settings, &config); err != nil {
			return config, fmt.Errorf("read %w", err)
		}
	}
	err := agent.LoadEnvironment(os.LookupEnv, &config)
	if err == nil {
		err = config.Validate()
	}
	if err != nil {
		return config, fmt.Errorf("read the environment: %w", err)
	}
	if err := takeKnobs(cmd, &config, o.takes); err != nil {
		return config, wrongUsage(cmd, err)
	}
	if err := o.checkPeer(cmd, &config); err != nil {
		return config, wrongUsage(cmd, err)
	}
	if err := o.askPort(cmd, &config); err != nil {
		return config, err
	}
	if config.Bind, err = o.bind(cmd, config.Bind); err != nil {
		return config, wrongUsage(cmd, err)
	}
	if o.http, err = httpAddr(o.http); err != nil {
		return config, wrongUsage(cmd, err)
	}
	if err := o.follow(cmd, &config); err != nil {
		return config, err
	}
	if err := o.style(cmd, &config); err != nil {
		return config, wrongUsage(cmd, err)
	}
	if urls := urlsOf(&config); len(urls) > 0 && o.http == "" {
		return config, wrongUsage(cmd, fmt.Errorf("--join %s: want --http, too, as in --http 9001: nodes of that program reach this one over HTTP", urls[0]))
	}
	if err := config.Validate(); err != nil {
		return config, wrongUsage(cmd, err)
	}
	return config, nil
}

// urlsOf gives what is to be joined over HTTP.
func urlsOf(config *agent.Config) []string {
	return slices.DeleteFunc(slices.Clone(config.Join), func(text string) bool { return !agent.IsURL(text) })
}

// checkPeer says what is wrong with the flags that only a peer has.
func (o *nodeOptions) checkPeer(cmd *cobra.Command, config *agent.Config) error {
	if o.role == hearsay.RoleSeed {
		return nil
	}
	if o.onSignal == signalStay && config.Data == "" {
		return errors.New("--on-signal stay: want --data, too: without it nothing is kept, and it would come back as another")
	}
	return o.chatter.check(cmd)
}

// parseIP reads an IP address; localhost is the one that it is on all machines.
func parseIP(text string) (netip.Addr, error) {
	if text == "localhost" {
		return netip.ParseAddr(loopback)
	}
	return netip.ParseAddr(text)
}

// bind gives where to listen: what the flags say of it, and for the rest what
// bind says.
func (o *nodeOptions) bind(cmd *cobra.Command, bind string) (string, error) {
	host, port, err := net.SplitHostPort(bind)
	if err != nil { // a host alone
		host, port = strings.Trim(bind, "[]"), strconv.Itoa(agent.DefaultPort)
	}
	if cmd.Flags().Changed("ip") {
		ip, err := parseIP(o.ip)
		if err != nil {
			return "", fmt.Errorf("--ip %q: want an IP address of this machine", o.ip)
		}
		host = ip.String()
	}
	if cmd.Flags().Changed("port") {
		if o.port < 0 || o.port > portMax {
			return "", fmt.Errorf("--port %d: want a port up to %d, or 0", o.port, portMax)
		}
		port = strconv.Itoa(o.port)
	}
	return net.JoinHostPort(host, port), nil
}

// httpAddr gives where to serve HTTP as host:port; "" is nowhere. A port
// alone is of the loopback interface: what is open to others, one has to say.
func httpAddr(flag string) (string, error) {
	if flag == "" || flag == "off" {
		return "", nil
	}
	host, port := loopback, strings.TrimPrefix(flag, ":")
	if h, p, err := net.SplitHostPort(flag); err == nil && h != "" {
		host, port = h, p
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if _, no := netip.ParseAddr(host); no != nil && err == nil {
		err = agent.CheckHost(host)
	}
	if err != nil {
		return "", fmt.Errorf("--http %q: want host:port, a port up to %d, or off", flag, portMax)
	}
	return net.JoinHostPort(host, strconv.FormatUint(number, 10)), nil
}

// follow takes the seeds' list.
func (o *nodeOptions) follow(cmd *cobra.Command, config *agent.Config) error {
	config.Role = o.role
	if o.config == "" {
		return nil
	}
	if len(config.Join) > len(urlsOf(config)) {
		return wrongUsage(cmd, errors.New("--config and --join: a node of a network with seeds finds it by the seeds; want one of the two"))
	}
	list, err := seeds.Load(o.config)
	if err != nil {
		return fmt.Errorf("read the seeds: %w", err)
	}
	for _, seed := range list.Seeds {
		config.Seeds = append(config.Seeds, ledger.Seed{Addr: seed.Addr, Key: seed.Key})
	}
	if o.role == hearsay.RoleSeed {
		return o.sit(config, list)
	}
	if ip, err := parseIP(o.ip); err == nil && config.Name == "" {
		config.Name = nameBeside(list, netip.AddrPortFrom(ip, uint16(o.port)))
	}
	o.chatter.likeEarlier(cmd)
	return nil
}

// onSignal is what a peer does when a signal ends it.
type onSignal uint8

const (
	signalLeave onSignal = iota // it leaves in good order
	signalStay                  // it ends, tells that it is back soon, and is in still if it is
)

var signalWords = [...]string{signalLeave: "leave", signalStay: "stay"}

// MarshalText gives the word.
func (s onSignal) MarshalText() ([]byte, error) { return []byte(signalWords[s]), nil }

// UnmarshalText takes the word.
func (s *onSignal) UnmarshalText(text []byte) error {
	i := slices.Index(signalWords[:], string(text))
	if i < 0 {
		return errors.New("want leave or stay")
	}
	*s = onSignal(i)
	return nil
}

// seedGCPercent is how much garbage a seed may hold beside what is alive. To
// read a ledger of thousands takes several times what is left of it, and a
// seed has little to do afterwards, so that Go's own 100 would stay for long.
const seedGCPercent = 50

// runNode runs a node until it is interrupted, has left, or fails.
func runNode(cmd *cobra.Command, o *nodeOptions, config agent.Config) (err error) {
	atTerminal := nodelog.IsTerminal(cmd.ErrOrStderr()) // which sends SIGHUP when it is closed
	ctx, stop := untilSignal(cmd, atTerminal)
	defer stop()
	log, err := nodelog.Open(o.places(cmd), o.role, config.Bind)
	if err != nil {
		return hintedError{fmt.Errorf("open --output %w", err), "name a file in a directory that exists and can be written"}
	}
	defer log.Close()
	defer func() { o.ends(cmd, log, err) }()
	signal.Ignore(syscall.SIGPIPE) // readers of the log come and go
	if !atTerminal {
		defer onHangUp(log.Reopen)()
	}
	config.Logger, config.TextLog, config.TextStyle = log.Logger, log.Raw, o.logStyle.text()

	warnOfVariables(log.Logger, os.Environ())
	o.greet(log, &config)
	if _, set := os.LookupEnv("GOGC"); !set && o.role == hearsay.RoleSeed {
		debug.SetGCPercent(seedGCPercent)
	}
	for {
		err := o.runAgent(ctx, stop, cmd, log, &config)
		if !errors.Is(err, agent.ErrSeedsBack) || ctx.Err() != nil {
			return err
		}
		lost := "nothing: it is in the data directory"
		if config.Data == "" {
			lost = "all that no other node has: there is no data directory"
		}
		log.Warn("The seeds are hearsay's: this node, which had joined an earlier program's at their addresses, starts anew to join them", "lost", lost)
	}
}

// runAgent runs a node until it stops. Its addresses are then those of the next.
func (o *nodeOptions) runAgent(ctx context.Context, stop func(), cmd *cobra.Command, log *nodelog.Log, config *agent.Config) (err error) {
	listener, err := listenHTTP(o.http)
	if err != nil {
		return err
	}
	if listener != nil {
		defer listener.Close() // unless the server has done so
	}
	node, err := agent.Start(ctx, *config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	ready := readyLineOf(node, listener)
	log.Name(ready.Addr)
	if listener != nil {
		host, _, _ := net.SplitHostPort(o.http) // well-formed: it listens
		machine, _ := os.Hostname()             // without one it is asked by its other names
		server := web.Server(node, web.Info{
			HTTP: ready.HTTP, Host: host, Hosts: append(config.HTTPHosts, machine), Version: version(), ConnsMax: node.HTTPConnsMax(), LogLost: log.Lost,
			Join: urlsOf(config), Log: log.Logger,
		})
		server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
		go server.Serve(listener) // ends with the server
		defer shutdown(server)
	}
	o.listening(log, config, ready)
	o.announce(log, node, listener)
	if o.json && !o.said {
		io.WriteString(cmd.OutOrStdout(), jsonLine(ready)) // its reader may have gone
	}
	o.said = true
	talked := make(chan struct{})
	talking, hush := context.WithCancel(ctx)
	go func() {
		defer close(talked)
		o.chatter.run(talking, node, log.Logger)
	}()
	defer func() { hush(); <-talked }() // before the log is closed
	select {
	case <-node.Done():
		o.keepPlaces(config, ready)
		return node.Err() // nil: it was told to leave
	case <-ctx.Done():
	}
	stop() // a second signal ends the process at once
	return o.interrupted(log, node)
}

// keepPlaces has the next node of this process listen where this one did, if the kernel has chosen the ports.
func (o *nodeOptions) keepPlaces(config *agent.Config, ready readyLine) {
	config.Bind, o.http = withPort(config.Bind, ready.Addr), withPort(o.http, ready.HTTP)
}

// withPort gives an address with the port of another, if it has none of its own.
func withPort(addr, other string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port != "0" {
		return addr
	}
	_, port, _ = net.SplitHostPort(other) // well-formed: it was listened at
	return net.JoinHostPort(host, port)
}

// interrupted ends a node as a signal has asked.
func (o *nodeOptions) interrupted(log *nodelog.Log, node *agent.Agent) error {
	switch {
	case o.role == hearsay.RoleSeed: // it is one by the list of seeds, also while it is down
		log.Info("Stopping, as a signal has asked; a seed does not leave, and the others go on if they are a quorum")
		return nil
	case o.onSignal == signalStay:
		return stay(log, node)
	}
	return leave(node)
}

// stay ends a node that is to be started again: it tells the others, and does not leave, unless it was told to before.
func stay(log *nodelog.Log, node *agent.Agent) error {
	log.Info("Stopping, as a signal has asked, without a leave")
	ctx, cancel := context.WithTimeout(context.Background(), stayTimeout)
	defer cancel()
	switch err := node.Away(ctx); {
	case errors.Is(err, hearsay.ErrLeaves):
		log.Info("It leaves all the same: it was told to before the signal")
		return leave(node)
	case err != nil:
		log.Warn("It is not sure that the others know that this node is back soon", "why", err)
	}
	return nil
}

// ends says in the log why a node ends, if there is a reason: a reader may have nothing else. Where
// the log is on standard error only, the command's last line says it there.
func (o *nodeOptions) ends(cmd *cobra.Command, log *nodelog.Log, why error) {
	if why != nil && (o.output != "" || o.places(cmd).Lines != nil) {
		log.Error("The node ends: " + errorLine(why))
	}
}

// onHangUp has SIGHUP call do, until it is undone.
func onHangUp(do func()) (undo func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for range signals {
			do()
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
}

// places says where the node logs: the standard output of seeds and of their peers
// was their log in the programs of old.
func (o *nodeOptions) places(cmd *cobra.Command) nodelog.Places {
	if o.config != "" && !o.json {
		return nodelog.Places{Lines: cmd.OutOrStdout(), File: o.output, Raw: o.logStyle != styleP1}
	}
	return nodelog.Places{People: cmd.ErrOrStderr(), File: o.output, Raw: o.logStyle != styleP1}
}

// greet is the first that the log of a node of a network with seeds says.
func (o *nodeOptions) greet(log *nodelog.Log, config *agent.Config) {
	n := len(config.Seeds)
	switch {
	case n == 0:
	case o.role == hearsay.RoleSeed:
		log.Name(config.Seeds[config.Slot].Addr.String())
		log.Info(fmt.Sprintf(dialect.PhraseSeedBoot, n, hearsay.QuorumOf(n)), "data", config.Data)
		if meaning := quorumMeans(n); meaning != "" {
			log.Warn(meaning)
		}
	default:
		log.Info(fmt.Sprintf(dialect.PhrasePeerBoot, n, hearsay.QuorumOf(n)))
	}
}

// listening says that the node can be asked, and where.
func (o *nodeOptions) listening(log *nodelog.Log, config *agent.Config, ready readyLine) {
	switch {
	case o.role == hearsay.RoleSeed:
		log.Info(dialect.PhraseSeedListening)
	case len(config.Seeds) > 0:
		log.Info(dialect.PhrasePeerListening)
	}
	log.Info("Ready", "name", ready.Name, "id", ready.ID, "addr", ready.Addr, "page", pageURL(ready.HTTP))
}

// announce says what an operator should know of a node: by which key it can be
// pinned, if it is a seed, and which programs may give it orders.
func (o *nodeOptions) announce(log *nodelog.Log, node *agent.Agent, listener net.Listener) {
	if key := node.Authority().Key; !key.IsZero() {
		log.Info("This seed's public key; a third column of the seeds' list pins it", "key", fmt.Sprintf("%x", key[:]))
	}
	if listener == nil {
		return
	}
	if addr, is := listener.Addr().(*net.TCPAddr); !is || !addr.IP.IsLoopback() {
		log.Warn("HTTP has no authentication: all that reach it can say rumors, have this node leave and ask for removals; keep it on loopback",
			"http", listener.Addr().String())
	}
}

// leave leaves the network in good order, if that can be done in time.
func leave(node *agent.Agent) error {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	return node.Leave(ctx)
}

// bindEvery is the time between two tries for a port that is taken.
const bindEvery = 10 * time.Millisecond

// listenHTTP listens for HTTP at addr, if that is not "".
func listenHTTP(addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", addr)
	for end := time.Now().Add(agent.BindTimeout); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(end); {
		time.Sleep(bindEvery)
		listener, err = net.Listen("tcp", addr)
	}
	if err != nil {
		if failed, ok := errors.AsType[*os.SyscallError](err); ok {
			err = failed.Err // without what was tried, which is said here
		}
		if failed, ok := errors.AsType[*net.DNSError](err); ok {
			err = agent.LookupError(failed.Name, failed)
		}
		err = fmt.Errorf("serve HTTP at %s: %w", addr, err)
		if errors.Is(err, syscall.EADDRINUSE) {
			err = hintedError{err, "another process listens there; end it, or choose another port with --http, or 0"}
		}
		return nil, err
	}
	return listener, nil
}

func readyLineOf(node *agent.Agent, listener net.Listener) readyLine {
	self := node.Self()
	line := readyLine{Event: "ready", Name: self.Name, ID: self.ID, Role: self.Role, Addr: self.Addr.String(), PID: os.Getpid()}
	if listener != nil {
		line.HTTP = listener.Addr().String()
	}
	return line
}

// shutdown ends the server: streams at once, other requests when they are
// answered.
func shutdown(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
}
