package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"hearsay"
	"hearsay/agent"
	"hearsay/internal/userfile"
	"hearsay/seeds"
)

const (
	configFile = "config.txt"     // the seeds' list, in the network's directory
	seatsTries = 3                // to start all seeds, if a port that the kernel gave was taken meanwhile
	seatsWait  = 30 * time.Second // for the seeds to find each other
)

// startSeeds writes the seeds' list and starts all seeds, and returns when a
// quorum of them decides. What it has started it gives also with an error.
func (n *network) startSeeds(ctx context.Context, o *upOptions) (all []*process, err error) {
	for try := 1; ; try++ {
		ports, fixed, err := n.seedPorts(o)
		if err == nil && try == 1 {
			err = n.checkPorts(ctx, o, ports, fixed)
		}
		if err != nil || o.seeds == 0 {
			return all, err
		}
		started, err := n.startSeedsAt(ctx, o, ports)
		all = append(all, started...)
		if err == nil {
			return started, n.awaitQuorum(ctx, started)
		}
		if fixed || try == seatsTries || ctx.Err() != nil || !strings.Contains(err.Error(), "address already in use") {
			return all, err
		}
		for _, p := range started {
			p.kill()
			<-p.ended
		}
		os.Remove(n.config) // its ports are no good
	}
}

// seedPorts gives the ports of the seeds: those of an earlier run with the
// same data, since a ledger belongs to its list of seeds; else as the flags
// say; else such as are free now.
func (n *network) seedPorts(o *upOptions) (ports []int, fixed bool, err error) {
	if o.seeds == 0 {
		return nil, true, nil
	}
	n.config = filepath.Join(n.dir, configFile)
	list, err := seeds.Load(n.config)
	_, missing := os.Stat(n.config)
	switch {
	case err == nil:
		for _, seed := range list.Seeds {
			ports = append(ports, int(seed.Addr.Port()))
		}
		if len(ports) != o.seeds || o.seedPort > 0 && ports[0] != o.seedPort {
			return nil, true, hintedError{
				fmt.Errorf("start the seeds: %s names %d seeds from port %d on, and its ledger belongs to them", n.config, len(ports), ports[0]),
				fmt.Sprintf("--seeds %d --seed-port %d goes on with them; another --data begins anew", len(ports), ports[0]),
			}
		}
		return ports, true, nil
	case missing == nil:
		return nil, true, fmt.Errorf("start the seeds: %w", err)
	case o.seedPort > 0:
		for i := range o.seeds {
			ports = append(ports, o.seedPort+i)
		}
		return ports, true, nil
	}
	ports, err = n.ports.takeAll(o.seeds) // seed-1 is the first in the order of the list
	return ports, false, err
}

// checkPorts fails if a port that is named is taken, before any node is started: a seed on a free port between
// taken ones would be met by the nodes of the network that has those, and be given a seat there. Ports that the
// kernel chose are free.
func (n *network) checkPorts(ctx context.Context, o *upOptions, seedPorts []int, fixed bool) error {
	const hint = "end what listens there, or choose other ports: --port 0 --seed-port 0 --http 0 takes free ones"
	seedHint := hint
	if _, err := os.Stat(n.config); err == nil {
		seedHint = n.config + " names this port as a seed's: end what listens there, or begin anew with another --data"
	}
	for i := 0; i < len(seedPorts) && fixed; i++ {
		if err := agent.CheckBind(ctx, loopbackAddr, seedPorts[i]); err != nil {
			return hintedError{fmt.Errorf("start seed-%d: %w", i+1, err), seedHint}
		}
	}
	for i := 0; i < o.peers && o.port > 0; i++ {
		if err := agent.CheckBind(ctx, loopbackAddr, o.port+i); err != nil {
			return hintedError{fmt.Errorf("start peer-%d: %w", i+1, err), hint}
		}
	}
	for i := 0; i < o.peers+o.seeds && o.http > 0; i++ {
		page, err := listenHTTP(net.JoinHostPort(loopback, strconv.Itoa(o.http+i)))
		if err != nil {
			return hintedError{err, hint}
		}
		page.Close()
	}
	return nil
}

// startSeedsAt starts a seed at each of the ports.
func (n *network) startSeedsAt(ctx context.Context, o *upOptions, ports []int) (started []*process, err error) {
	var lines strings.Builder
	lines.WriteString("# The seeds of this network: ip,port. The same file is on all nodes.\n")
	for _, port := range ports {
		fmt.Fprintf(&lines, "%s,%d\n", loopback, port)
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, fmt.Errorf("start the seeds: make the network's directory %w", userfile.Error(n.dir, err))
	}
	if err := os.WriteFile(n.config, []byte(lines.String()), 0o600); err != nil {
		return nil, fmt.Errorf("start the seeds: write their list: %w", err)
	}
	for i, port := range ports {
		http, err := n.portOf(o.http, o.peers+i)
		if err != nil {
			return started, err
		}
		args := []string{"--ip", loopback, "--port", strconv.Itoa(port), "--http", http, "--config", n.config}
		args = append(args, n.httpHosts...)
		p, err := startProcess(n.self, hearsay.RoleSeed, "seed-"+strconv.Itoa(i+1), n.dir, args, n.reaper.member())
		if err != nil {
			return started, err
		}
		started = append(started, p)
	}
	for _, p := range started {
		if err := p.waitReady(ctx); err != nil {
			return started, err
		}
	}
	return started, nil
}

// awaitQuorum waits until every seed has its seat and hears a quorum.
func (n *network) awaitQuorum(ctx context.Context, started []*process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, seatsWait, fmt.Errorf("not within %v", seatsWait))
	defer cancel()
	for _, p := range started {
		if err := retry(ctx, p, func() error { return p.client.Ready(ctx) }); err != nil {
			return err
		}
	}
	return nil
}
