package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/agent"
	"hearsay/store"
)

const (
	peersMax     = 256              // nodes on one machine: a process each
	startTimeout = 20 * time.Second // for one process to say that it is ready
	formTimeout  = 60 * time.Second // for all nodes to list all others
	formEvery    = 50 * time.Millisecond
	endTimeout   = 2 * time.Second // for processes to end in good order
	portMax      = 65535
	loopback     = "127.0.0.1"
)

// upOptions are the flags of `up`.
type upOptions struct {
	seeds    int // 0: an open network
	peers    int
	http     int // first port of the pages, the peers' and then the seeds'; 0 for any
	port     int // first port of the peers; 0 for any
	seedPort int // first port of the seeds; 0 for any
	data     string
	span     time.Duration // 0 for until interrupted
	json     bool

	httpHosts []string // flags of each node
	chatter   chatter
}

func newUp() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run a whole network on this machine",
		Long: `Run a whole network on this machine, each node a process of its own, so that
"kill -9" and "kill -STOP" are real: seeds, a quorum of which admits and removes,
and peers. With --seeds 0 it is an open network, in which peers decide. It says where each node's page is and how
to start each again, and tells what happens until it is interrupted or --for is
over; then it ends all its processes, and without --data removes what they kept.
A node that you started again yourself is yours: it goes on, its data stays, and
the last line says so with its pid.

With --json it prints a line {"event":"ready","nodes":[...]} once all nodes list
all others, and then one for each process that has "ended", each event of a
member that a node has "told", and each state of a member that all others have
"agreed" about.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd); err != nil {
				return wrongUsage(cmd, err)
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			if o.span > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, o.span)
				defer cancel()
			}
			return runNetwork(ctx, &o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.seeds, "seeds", 3, "seeds; 0 for an open network")
	flags.IntVar(&o.peers, "peers", 5, "peers")
	flags.IntVar(&o.http, "http", 9001, "port of the first peer's page, the others' and the seeds' follow; 0 lets the kernel choose")
	addKnobs(cmd, ofHTTPHosts)
	flags.IntVar(&o.port, "port", 6001, "port of the first peer, the others' follow; 0 lets the kernel choose")
	flags.IntVar(&o.seedPort, "seed-port", 5001, "port of the first seed, the others' follow; 0 lets the kernel choose")
	flags.StringVar(&o.data, "data", "", "keep each node's data in DIR/<name> (default a temporary directory)")
	flags.DurationVar(&o.span, "for", 0, "end after this long (default when interrupted)")
	o.chatter.addFlags(cmd, "each peer")
	flags.BoolVar(&o.json, "json", false, "print JSON, a line for each thing that happens")
	return cmd
}

// ofHTTPHosts tells the knob of a node that `up` has a flag for, too.
func ofHTTPHosts(k *agent.Knob) bool { return k.Name == "http_host" }

func (o *upOptions) check(cmd *cobra.Command) error {
	switch {
	case o.seeds < 0 || o.seeds > hearsay.MaxSeeds:
		return fmt.Errorf("--seeds %d: want 1 to %d, or 0 for an open network", o.seeds, hearsay.MaxSeeds)
	case o.peers < 1 || o.peers > peersMax:
		return fmt.Errorf("--peers %d: want 1 to %d", o.peers, peersMax)
	case o.span <= 0 && cmd.Flags().Changed("for"):
		return fmt.Errorf("--for %v: want more than 0s; without --for it runs until it is interrupted", o.span)
	}
	ranges := []portRange{{"--http", o.http, o.peers + o.seeds}, {"--port", o.port, o.peers}, {"--seed-port", o.seedPort, o.seeds}}
	for i, r := range ranges {
		if r.first < 0 || r.count > 0 && r.first+r.count-1 > portMax {
			return fmt.Errorf("%s %d: want 0, or a port with room for %s up to %d", r.flag, r.first, counted(r.count, "node", "nodes"), portMax)
		}
		for _, other := range ranges[:i] {
			if r.meets(&other) {
				return fmt.Errorf("%s %d and %s %d: %d and %s would share ports", other.flag, other.first, r.flag, r.first, other.count, counted(r.count, "node", "nodes"))
			}
		}
	}
	nodes := agent.DefaultConfig()
	if err := takeKnobs(cmd, &nodes, ofHTTPHosts); err != nil {
		return err
	}
	if len(nodes.HTTPHosts) > 0 {
		o.httpHosts = []string{"--http-host", strings.Join(nodes.HTTPHosts, ",")}
	}
	return o.chatter.check(cmd)
}

// portRange is the ports that a flag asks for.
type portRange struct {
	flag  string
	first int // 0: the kernel chooses
	count int
}

func (r *portRange) meets(o *portRange) bool {
	return r.first > 0 && o.first > 0 && r.count > 0 && o.count > 0 && r.first < o.first+o.count && o.first < r.first+r.count
}

// runNetwork runs a network until the context ends.
func runNetwork(ctx context.Context, o *upOptions, out, progress io.Writer) (err error) {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program's own file: %w", err)
	}
	dir, err := filepath.Abs(o.data)
	if err != nil {
		return fmt.Errorf("find --data %s: %w", o.data, err)
	}
	reaper, err := startReaper(self, o.data == "")
	if err != nil {
		return err
	}
	n := &network{self: self, dir: dir, reaper: reaper, httpHosts: o.httpHosts}
	if o.data == "" {
		n.dir = reaper.Dir
	}
	defer func() {
		err = errors.Join(err, n.end())
		n.tellUsed(progress)
	}()
	if err := n.start(ctx, o); err != nil {
		if ctx.Err() != nil {
			return nil // it was told to end before it was up
		}
		return err
	}
	w := newWatch(n, o, out)
	w.ready()
	w.run(ctx)
	fmt.Fprintf(progress, "ending %s\n", counted(n.living(), "process", "processes"))
	return nil
}

// network is the nodes that one `up` runs.
type network struct {
	self   string // the program's own file
	dir    string // of the nodes' directories
	config string // the seeds' list; "" in an open network
	reaper *reaper
	ports  reservation

	httpHosts []string   // flags of each node
	nodes     []*process // the peers in order of their names, then the seeds
}

// start starts all nodes, and returns when each lists all others. Seeds come
// first, so that peers find them deciding. Of an open network the first is the
// one that the others join by.
func (n *network) start(ctx context.Context, o *upOptions) error {
	seeds, err := n.startSeeds(ctx, o)
	n.nodes = seeds
	if err != nil {
		return err
	}
	var peers []*process
	for i := range o.peers {
		port, err := n.portOf(o.port, i)
		if err != nil {
			return err
		}
		http, err := n.portOf(o.http, i)
		if err != nil {
			return err
		}
		args := append([]string{"--ip", loopback, "--port", port, "--http", http}, n.httpHosts...)
		args = append(args, o.chatter.args()...)
		switch {
		case n.config != "":
			args = append(args, "--config", n.config)
		case i > 0:
			args = append(args, "--join", peers[0].said.Addr)
		}
		p, err := startProcess(n.self, hearsay.RolePeer, "peer-"+strconv.Itoa(i+1), n.dir, args, n.reaper.member())
		if err != nil {
			return err
		}
		peers = append(peers, p)
		n.nodes = slices.Concat(peers, seeds) // ended in any case
		if i == 0 && n.config == "" {         // the others need its address
			if err := p.waitReady(ctx); err != nil {
				return err
			}
		}
	}
	for _, p := range n.nodes {
		if err := p.waitReady(ctx); err != nil {
			return err
		}
	}
	for i := range n.nodes {
		n.nodes[i].again = n.againLine(i)
	}
	return n.form(ctx)
}

// portOf gives the port of the i-th node as a flag: from the first on, or one
// that is free.
func (n *network) portOf(first, i int) (string, error) {
	if first > 0 {
		return strconv.Itoa(first + i), nil
	}
	port, err := n.ports.take()
	return strconv.Itoa(port), err
}

// againLine gives the command line that starts the i-th node again: at its
// address, with its data, by the list of seeds, or joining by others than
// itself.
func (n *network) againLine(i int) string {
	const contacts = 2 // others to join by: one may be the next that is killed
	p := n.nodes[i]
	args := []string{programName(n.self), p.role.String(), "--name", p.name, "--ip", p.said.ip(), "--port", p.said.port(), "--data", p.dir}
	args = append(append(args, "--http", p.said.HTTP), n.httpHosts...)
	if n.config != "" {
		return shellLine(append(args, "--config", n.config))
	}
	for next := 1; next <= contacts && next < len(n.nodes); next++ {
		args = append(args, "--join", n.nodes[(i+next)%len(n.nodes)].said.Addr)
	}
	return shellLine(args)
}

// programName gives what starts the program again later: its file, unless `go run` has built that and
// removes it at the end.
func programName(self string) string {
	if builtToRun(self) {
		return "hearsay"
	}
	return self
}

// builtToRun reports whether `go run` has built a program: into a directory of that kind of name.
func builtToRun(self string) bool {
	return strings.Contains(filepath.ToSlash(self), "/go-build") && strings.Contains(filepath.ToSlash(self), "/exe/")
}

// form waits until every node lists all nodes as alive, as of one epoch.
func (n *network) form(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, formTimeout, fmt.Errorf("not within %v", formTimeout))
	defer cancel()
	for {
		epochs := make(map[hearsay.Epoch]bool)
		for _, p := range n.nodes {
			at := hearsay.Epoch(0)
			err := retry(ctx, p, func() (err error) {
				at, err = n.lists(ctx, p)
				return err
			})
			if err != nil {
				return err
			}
			epochs[at] = true
		}
		if len(epochs) == 1 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("form the network: not all nodes are at one epoch: %w", context.Cause(ctx))
		case <-time.After(formEvery):
		}
	}
}

// retry tries something about a process of a network that forms until it can be done.
func retry(ctx context.Context, p *process, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("form the network: %s ended: %s", p.name, p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("form the network: %s: %w: %w", p.name, err, context.Cause(ctx))
		case <-time.After(formEvery):
		}
	}
}

// lists gives the epoch of a node's list, if that has all nodes as alive.
func (n *network) lists(ctx context.Context, p *process) (hearsay.Epoch, error) {
	answer, err := p.client.Members(ctx)
	if err != nil {
		return 0, err
	}
	alive := make(map[hearsay.NodeID]bool)
	for _, m := range answer.Value.Members {
		alive[m.ID] = m.State == hearsay.StateAlive
	}
	for _, other := range n.nodes {
		if !alive[other.said.ID] {
			return 0, fmt.Errorf("it does not list %s as alive", other.name)
		}
	}
	return answer.Value.Epoch, nil
}

// living counts the processes that have not ended.
func (n *network) living() int {
	count := 0
	for _, p := range n.nodes {
		if !p.hasEnded() {
			count++
		}
	}
	return count
}

// end ends all processes: in good order if they manage in time. Peers come
// first, since it is seeds that they tell that they leave.
func (n *network) end() error {
	for _, role := range []hearsay.Role{hearsay.RolePeer, hearsay.RoleSeed} {
		n.endAll(role)
	}
	n.ports.close()
	err := n.reaper.end()
	for _, p := range n.nodes {
		<-p.ended
	}
	return err
}

// tellUsed tells which nodes run on, because somebody has started them again by hand.
func (n *network) tellUsed(progress io.Writer) {
	for _, p := range n.nodes {
		if pid, used := store.InUse(p.dir); used {
			process := "another process"
			if pid > 0 {
				process = fmt.Sprintf("process %d", pid)
			}
			fmt.Fprintf(progress, "%s goes on as %s, which was started again by hand; its data stays in %s\n", p.name, process, p.dir)
		}
	}
}

// endAll ends all nodes of a role.
func (n *network) endAll(role hearsay.Role) {
	late, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	nodes := slices.DeleteFunc(slices.Clone(n.nodes), func(p *process) bool { return p.role != role })
	for _, p := range nodes {
		p.terminate()
	}
	for _, p := range nodes {
		select {
		case <-p.ended:
		case <-late.Done():
			p.kill()
		}
	}
}
