package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hearsay/sim"
)

func newSim() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Simulate networks: the code that ships, in a made-up world",
		Args:  cobra.ArbitraryArgs, // so that an unknown command reaches RunE
		RunE:  group,
	}
	cmd.AddCommand(newSimRun(), newSimCampaign(), newSimDiff(), newSimEpidemic(), newSimAttack(), newSimDetectors(), newSimMP1())
	return cmd
}

// simRunLong has the lines that a scenario may have.
const simRunLong = `Run one simulated network: what happens is drawn from --seed, or told by
--scenario. It prints what became of those that were killed, counts, and a hash
of the whole event log; the same arguments print the same bytes.

A scenario has one action a line:

  at 1s   start n9                   others start by themselves in the first seconds
  at 10s  kill n3 n5..n7             at once, as by kill -9; also pause, resume, leave
  at 15s  restart n3                 with its disk; with a new one: restart n3 fresh
  at 20s  partition n1..n4 | n5..n8  a node that is not named is with the first group
  at 41s  cut n1 -> n2               this way only
  at 45s  heal                       partitions and cuts
  at 52s  loss 0.2                   of all packets; of those of n3: loss 0.8 n3
  at 52s  loss-in 0.8 n3             of what it receives only; loss-out 0.8 n3: what it sends
  at 52s  loss-datagrams 1 n3        of those of n3; streams go on
  at 52s  loss-streams 1 n3          of what goes by stream; datagrams go on
  at 52s  narrow 500 n3              what is longer is lost on its ways; narrow 0 n3
  at 53s  delay 20ms 100ms           and up to 100 ms longer
  at 54s  duplicate 0.05             of the datagrams
  at 54s  reorder 0.02 2s            of the datagrams: they come up to 2 s later
  at 54s  slow 200ms n3              each of its steps happens up to so late
  at 54s  drift 0.01 n3              its clock gains a hundredth
  at 54s  jump -30m n3               its clock goes back, seen at its next start
  at 54s  disk 100ms n3              each sync takes so long
  at 54s  fail 0.1 n3                of its syncs: a peer leaves, a seed stops
  at 56s  say anyone x20 every 1s    a rumor; or: say n3
  at 57s  move n3                    it runs again at another address
  at 57s  roam n3                    it gets another address while its process runs
  at 57s  fill n3                    its disk fails: a peer leaves, a seed stops; room n3
  at 57s  damage n3                  a bit of its disk flips; it begins anew
  at 57s  save n3                    a copy of its disk is put aside
  at 57s  restore n3                 it runs again with that copy
  at 57s  call n3 n4                 from its next start on n3 has the name of n4
  at 58s  clone n3 n8                n8 starts with a copy of the disk of n3, and not before
  at 58s  invent n3                  a stranger tells it of a member at an address where nobody is
  at 58s  bar n3                     by an operator, with seeds; lift n3 ends it
  at 58s  remove n3                  asked for by an operator
  at 58s  lose s1                    it loses its disk, once all have their seats
  at 58s  recover s1                 all other seeds lose theirs: an operator begins anew from s1
  at 60s  core 10s n1..n3 s1 s2      they are well, and none is removed; with seeds
  at 61s  want-in 10s n4             it starts, and must be in within 10 s
  at 62s  want-out 10s n3            it is killed, and must be out
  at 63s  want-heard 10s n1 n2 n4    n1 says a rumor, and the others must hear it

and may set what flags do, and more, in lines like "with nodes 5".

Exit code 3: a safety rule was broken. 4: the network did not converge,
or did not do in time what was demanded.`

func newSimRun() *cobra.Command {
	config := sim.DefaultConfig()
	var scenario string
	var cost bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run one simulated network and print what happened",
		Long:  simRunLong,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.Validate(); err != nil {
				return wrongUsage(cmd, err)
			}
			if scenario != "" {
				var said []string // a flag outdoes a line
				cmd.Flags().Visit(func(f *pflag.Flag) { said = append(said, f.Name) })
				if err := sim.ReadWorld(scenario, &config, said...); err != nil {
					return fmt.Errorf("read the scenario: %w", err)
				}
			}
			return runSim(cmd, config, cost)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&config.Nodes, "nodes", config.Nodes, "machines, each with a node")
	flags.IntVar(&config.Seeds, "seeds", config.Seeds, "machines besides that are seeds; 0: an open network")
	flags.Float64Var(&config.Loss, "loss", config.Loss, "probability that a packet is lost, each direction for itself")
	flags.DurationVar(&config.Delay, "delay", config.Delay, "a packet takes this long, and up to half as long again")
	flags.DurationVar(&config.For, "for", config.For, "virtual time")
	flags.Uint64Var(&config.Seed, "seed", config.Seed, "of all that is left to chance")
	flags.DurationVar(&config.Chatter, "chatter", config.Chatter, "a rumor is said this often, each time by a node that is drawn; 0s: none")
	flags.TextVar(&config.Detect.Kind, "detector", config.Detect.Kind, "how members are watched: swim, heartbeat or neighbor")
	flags.TextVar(&config.Overlay.Kind, "overlay", config.Overlay.Kind, "which nodes link with each other: ring, random or powerlaw")
	flags.TextVar(&config.Rumors.Strategy, "rumors", config.Rumors.Strategy, "how they spread: tree, monger or flood")
	flags.StringVar(&scenario, "scenario", "", "file that tells what happens, instead of the seed, and with which settings")
	flags.BoolVar(&config.Abrupt, "abrupt", false, "end after --for, whether all agree by then or not")
	flags.BoolVar(&cost, "cost", false, "say on standard error how much time and memory the run took")
	flags.BoolVar(&config.Trace, "trace", false, "print every event of every node")
	flags.BoolVar(&config.JSON, "json", false, "print JSON")
	return cmd
}

// simMemory is how much memory a run takes before it would rather collect
// garbage more often: 10,000 nodes hold each other in less than 4 GB.
const simMemory = 3400 << 20

// runSim runs one simulated network.
func runSim(cmd *cobra.Command, config sim.Config, cost bool) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(simMemory)
	}
	began := time.Now()
	out := bufio.NewWriter(cmd.OutOrStdout())
	result, err := sim.Run(config, out)
	if took := time.Since(began); cost && result.Time > 0 {
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		nodeSeconds := float64(config.Nodes) * result.Time
		fmt.Fprintf(cmd.ErrOrStderr(), "%v for %s and %gs: %.1f µs a node and second; %d MB from the system, %.1f KB a node\n",
			took.Round(time.Millisecond), counted(config.Nodes, "node", "nodes"), result.Time, float64(took.Microseconds())/nodeSeconds,
			memory.Sys>>20, float64(memory.Sys)/1024/float64(config.Nodes))
	}
	return simCode(errors.Join(err, out.Flush()))
}

// simCode gives an error of a run the exit code of what it says.
func simCode(err error) error {
	switch {
	case errors.Is(err, sim.ErrUnsafe):
		return codedError{err, exitRuleBroken}
	case errors.Is(err, sim.ErrNotConverged), errors.Is(err, sim.ErrUnmet):
		return codedError{err, exitNotConverged}
	}
	return err
}
