package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/web"
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
	seeds int
	peers int
	http  int // first port of the pages; 0 for any
	port  int // first port of the nodes; 0 for any
	data  string
	span  time.Duration // 0 for until interrupted
	json  bool

	chatter chatter
}

func newUp() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run a whole network on this machine",
		Long: `Run a whole network on this machine, each node a process of its own, so that
"kill -9" and "kill -STOP" are real. It says where each node's page is and how
to start each again, and tells what happens until it is interrupted or --for is
over; then it ends all its processes, and without --data removes what they kept.
A node that you started again yourself is yours: it goes on.

With --json it prints a line {"event":"ready","nodes":[...]} once all nodes list
all others, and then one for each process that has "ended", each event of a
member that a node has "told", and each state of a member that all others have
"agreed" about.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
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
	flags.IntVar(&o.seeds, "seeds", 0, "seeds; this version builds open networks only: 0")
	flags.IntVar(&o.peers, "peers", 5, "peers")
	flags.IntVar(&o.http, "http", 9001, "port of the first peer's page, the others' follow; 0 lets the kernel choose")
	flags.IntVar(&o.port, "port", 6001, "port of the first peer, the others' follow; 0 lets the kernel choose")
	flags.StringVar(&o.data, "data", "", "keep each node's data in DIR/<name> (default a temporary directory)")
	flags.DurationVar(&o.span, "for", 0, "end after this long (default when interrupted)")
	o.chatter.addFlags(cmd, "each peer")
	flags.BoolVar(&o.json, "json", false, "print JSON, a line for each thing that happens")
	return cmd
}

func (o *upOptions) check() error {
	last := o.peers - 1 // added to the first port
	switch {
	case o.seeds != 0:
		return fmt.Errorf("--seeds %d: this version builds open networks only; want 0", o.seeds)
	case o.peers < 1 || o.peers > peersMax:
		return fmt.Errorf("--peers %d: want 1 to %d", o.peers, peersMax)
	case o.http < 0 || o.http+last > portMax:
		return fmt.Errorf("--http %d: want 0, or a port with room for %d peers up to %d", o.http, o.peers, portMax)
	case o.port < 0 || o.port+last > portMax:
		return fmt.Errorf("--port %d: want 0, or a port with room for %d peers up to %d", o.port, o.peers, portMax)
	case o.http > 0 && o.port > 0 && o.http <= o.port+last && o.port <= o.http+last:
		return fmt.Errorf("--http %d and --port %d: %d peers would share ports", o.http, o.port, o.peers)
	case o.span < 0:
		return fmt.Errorf("--for %v: want a positive duration", o.span)
	}
	return o.chatter.check()
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
	n := &network{self: self, dir: dir, reaper: reaper}
	if o.data == "" {
		n.dir = reaper.Dir
	}
	defer func() { err = errors.Join(err, n.end()) }()
	if err := n.start(ctx, o); err != nil {
		if ctx.Err() != nil {
			return nil // it was told to end before it was up
		}
		return err
	}
	w := newWatch(n, o, out)
	w.ready()
	w.run(ctx)
	fmt.Fprintf(progress, "ending %d processes\n", n.living())
	return nil
}

// network is the nodes that one `up` runs.
type network struct {
	self   string // the program's own file
	dir    string // of the nodes' directories
	reaper *reaper
	nodes  []*process // in order of their names
}

// start starts all nodes, and returns when each lists all others. The first
// is the one that the others join by.
func (n *network) start(ctx context.Context, o *upOptions) error {
	for i := range o.peers {
		args := []string{"--ip", loopback, "--port", portOf(o.port, i), "--http", portOf(o.http, i)}
		args = append(args, o.chatter.args()...)
		if i > 0 {
			args = append(args, "--join", n.nodes[0].said.Addr)
		}
		p, err := startProcess(n.self, "peer-"+strconv.Itoa(i+1), n.dir, args, n.reaper.member())
		if err != nil {
			return err
		}
		n.nodes = append(n.nodes, p)
		if i == 0 { // the others need its address
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

// portOf gives the port of the i-th node as a flag.
func portOf(first, i int) string {
	if first == 0 {
		return "0"
	}
	return strconv.Itoa(first + i)
}

// againLine gives the command line that starts the i-th node again: at its
// address, with its data, joining by others than itself.
func (n *network) againLine(i int) string {
	const contacts = 2 // others to join by: one may be the next that is killed
	p := n.nodes[i]
	args := []string{n.self, "peer", "--name", p.name, "--ip", p.said.ip(), "--port", p.said.port(), "--data", p.dir}
	args = append(args, "--http", p.said.HTTP)
	for next := 1; next <= contacts && next < len(n.nodes); next++ {
		args = append(args, "--join", n.nodes[(i+next)%len(n.nodes)].said.Addr)
	}
	return shellLine(args)
}

// form waits until every node lists all nodes as alive.
func (n *network) form(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, formTimeout, fmt.Errorf("not within %v", formTimeout))
	defer cancel()
	for _, p := range n.nodes {
		for {
			missing, err := n.missing(ctx, p)
			if err == nil && missing == "" {
				break
			}
			select {
			case <-p.ended:
				return fmt.Errorf("form the network: %s ended: %s", p.name, p.lastWords())
			case <-ctx.Done():
				return fmt.Errorf("form the network: %s does not list %s as alive: %w", p.name, missing, context.Cause(ctx))
			case <-time.After(formEvery):
			}
		}
	}
	return nil
}

// missing gives the name of a node that p does not list as alive, if any.
func (n *network) missing(ctx context.Context, p *process) (string, error) {
	answer, err := getJSON[web.Members](ctx, p.client, "/v1/members")
	if err != nil {
		return p.name, err
	}
	alive := make(map[hearsay.NodeID]bool)
	for _, m := range answer.Members {
		alive[m.ID] = m.State == hearsay.StateAlive
	}
	for _, other := range n.nodes {
		if !alive[other.said.ID] {
			return other.name, nil
		}
	}
	return "", nil
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

// end ends all processes: in good order if they manage in time.
func (n *network) end() error {
	for _, p := range n.nodes {
		p.terminate()
	}
	timeout := time.After(endTimeout)
	for _, p := range n.nodes {
		select {
		case <-p.ended:
			continue
		case <-timeout:
		}
		break
	}
	for _, p := range n.nodes {
		p.kill()
	}
	err := n.reaper.end()
	for _, p := range n.nodes {
		<-p.ended
	}
	return err
}
