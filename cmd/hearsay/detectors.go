package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/spf13/cobra"

	"hearsay/sim"
)

// comparing is what the flags of sim detectors say.
type comparing struct {
	nodes []int
	loss  []float64
	kills int
	seed  uint64
	json  bool
}

func newSimDetectors() *cobra.Command {
	c := comparing{nodes: []int{16, 128, 1000}, loss: []float64{0, 0.05, 0.25}, kills: 100, seed: 1}
	cmd := &cobra.Command{
		Use:   "detectors",
		Short: "Compare the detectors: what they find, and what they cost",
		Long: `Compare swim, heartbeat and neighbor in open networks, and print a table in
Markdown. For half a minute nobody dies: what is sent then is counted. Then some
members are killed, one of 16 at most in a network, until --kills are in all:

  found           seconds until the first other holds a member dead that was
                  killed: the median, 99 %, and the longest
  accusations     of members that ran, a node and hour; and of these members
                  how many were held dead
  messages        a node and second while nobody dies, and bytes in them

The same arguments print the same bytes. The table of docs/detectors.md takes
some minutes on all cores.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cells := c.cells()
			for i := range cells {
				if err := cells[i].Validate(); err != nil {
					return wrongUsage(cmd, err)
				}
			}
			debug.SetMemoryLimit(simMemory)
			return c.print(cmd.OutOrStdout(), watchAll(cells))
		},
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&c.nodes, "nodes", c.nodes, "of the networks, as `A,B,...`")
	flags.Float64SliceVar(&c.loss, "loss", c.loss, "probabilities that a packet is lost, each direction for itself, as `A,B,...`")
	flags.IntVar(&c.kills, "kills", c.kills, "members that are killed for each line of the table")
	flags.Uint64Var(&c.seed, "seed", c.seed, "of all that is left to chance")
	flags.BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

// cells are the lines of the table.
func (c *comparing) cells() (cells []sim.Watching) {
	for _, nodes := range c.nodes {
		for _, loss := range c.loss {
			for _, kind := range sim.Detectors {
				cells = append(cells, sim.Watching{Detector: kind, Nodes: nodes, Loss: loss, Kills: c.kills, Seed: c.seed})
			}
		}
	}
	return cells
}

// watchAll measures on all cores.
func watchAll(cells []sim.Watching) []sim.Watched {
	lines := make([]sim.Watched, len(cells))
	next := make(chan int)
	var group sync.WaitGroup
	for range runtime.NumCPU() {
		group.Go(func() {
			for i := range next {
				line, err := cells[i].Run()
				if err != nil {
					panic(err) // they are valid
				}
				lines[i] = line
			}
		})
	}
	for i := range cells {
		next <- i
	}
	close(next)
	group.Wait()
	return lines
}

func (c *comparing) print(out io.Writer, lines []sim.Watched) error {
	if c.json {
		return json.NewEncoder(out).Encode(lines)
	}
	b := fmt.Appendf(nil, "| members | loss | detector | found: median | 99 %% | longest | false accusations | held dead | messages | bytes |\n")
	b = fmt.Appendf(b, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for i := range lines {
		l := &lines[i]
		longest := fmt.Sprintf("%.1f s", l.Longest)
		if l.Found < l.Killed {
			longest = fmt.Sprintf("%d of %d never", l.Killed-l.Found, l.Killed)
		}
		b = fmt.Appendf(b, "| %d | %s %% | %s | %.1f s | %.1f s | %s | %.3g | %d | %.2f | %.0f |\n",
			l.Nodes, strconv.FormatFloat(100*l.Loss, 'g', 4, 64), l.Detector, l.Median, l.Late, longest, l.False, l.Deaths, l.Messages, l.Bytes)
	}
	_, err := out.Write(b)
	return err
}
