package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"hearsay/internal/userfile"
	"hearsay/sim"
)

// mp1Log is the log that the earlier program writes, in the directory where it was started.
const mp1Log = "dbg.log"

func newSimMP1() *cobra.Command {
	run := sim.MP1{Seed: 1}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "mp1 CONF",
		Short: "Simulate a group of which some fail, and write an earlier program's dbg.log",
		Long: `Simulate 700 ticks of a group of which some fail, as an earlier program does, and
write its log, dbg.log, in this directory: which nodes each node has seen join
and be removed. The nodes are those that ship. CONF has four lines:

  MAX_NNB: 10           nodes, 2 to 1000; four start in each tick
  SINGLE_FAILURE: 1     in tick 100 one node fails; 0: half of them
  DROP_MSG: 0           1: packets get lost in ticks 50 to 299
  MSG_DROP_PROB: 0.1    each with this probability

It prints what the log comes to, and what the nodes have sent. The same
arguments write the same bytes.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := run.ReadMP1(args[0]); err != nil {
				return fmt.Errorf("read the configuration: %w", err)
			}
			if os.Getenv("GOMEMLIMIT") == "" {
				debug.SetMemoryLimit(simMemory)
			}
			result, err := writeMP1(&run)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(result)
			}
			return printMP1(cmd.OutOrStdout(), &result)
		},
	}
	flags := cmd.Flags()
	flags.TextVar(&run.Detector, "detector", run.Detector, "how members are watched: swim, heartbeat or neighbor")
	flags.Uint64Var(&run.Seed, "seed", run.Seed, "of all that is left to chance")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// writeMP1 runs it, with its log in a file.
func writeMP1(run *sim.MP1) (result sim.MP1Result, err error) {
	log, err := os.Create(mp1Log)
	if err != nil {
		return result, fmt.Errorf("write the log: %w", userfile.Error(mp1Log, err))
	}
	result, err = run.Run(log)
	return result, errors.Join(err, log.Close())
}

func printMP1(out io.Writer, r *sim.MP1Result) error {
	b := fmt.Appendf(nil, "%s, %s: see dbg.log\n", counted(r.Nodes, "node", "nodes"), r.Detector)
	b = fmt.Appendf(b, "%-24s %d of %d, of each other node by each that runs to the end\n", "joined", r.Joined, r.JoinedWant)
	b = fmt.Appendf(b, "%-24s %d, and %d of %d were seen to be removed\n", "failed", r.Failed, r.Removed, r.RemovedWant)
	if r.Removed > 0 {
		b = fmt.Appendf(b, "%-24s %d, %d and %d ticks later\n", "first, median and last", r.First, r.Median, r.Last)
	}
	b = fmt.Appendf(b, "%-24s %d\n", "removed and running", r.False)
	b = fmt.Appendf(b, "%-24s %d\n", "came back", r.Returned)
	b = fmt.Appendf(b, "%-24s %.2f of a node in a tick, %.0f bytes; of the one that sends most %.2f; at most %d of one in one tick\n", "messages", r.Messages, r.Bytes, r.Most, r.MostInTick)
	_, err := out.Write(b)
	return err
}
