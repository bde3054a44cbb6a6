package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearsay/sim"
)

func newSimEpidemic() *cobra.Command {
	epidemic := sim.DefaultEpidemic()
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "epidemic",
		Short: "Spread one rumor by mongering in synchronous cycles, many times over",
		Long: `Spread one rumor by mongering, as in Demers and others 1987: n sites act in
synchronous cycles; the rumor is at one site in cycle 0, and a site that gets
it in one cycle first acts in the next. Each calls a partner, uniform among the
others, until nobody tells the rumor any more. It prints the means of the runs:

  s       share of the sites that never got it
  m       messages that carried it, per site
  t_ave   cycles until a site got it
  t_last  cycles until the last site got it

The rule by which a rumor cools is that of the nodes that ship. They have no
cycles, though, and neighbors fill the gaps that mongering leaves: s is what
it leaves to them. The same arguments print the same figures.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := epidemic.Validate(); err != nil {
				return wrongUsage(cmd, err)
			}
			spread, err := epidemic.Run()
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(spread)
			}
			return printSpread(cmd.OutOrStdout(), spread)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&epidemic.Sites, "n", epidemic.Sites, "sites")
	flags.TextVar(&epidemic.Style, "style", epidemic.Style, "push: a site for which the rumor is hot calls and gives it; pull: all call and take it; pushpull: both")
	flags.BoolVar(&epidemic.Cooling.Feedback, "feedback", false, "only contacts with sites that knew count as useless; otherwise all do")
	flags.TextVar(&epidemic.Cooling.Stop, "stop", epidemic.Cooling.Stop, "counter: cools after k useless contacts in a row; coin: after one with probability 1/k; none: runs until all know")
	flags.IntVar(&epidemic.Cooling.K, "k", epidemic.Cooling.K, "of counter and coin")
	flags.IntVar(&epidemic.Limit, "limit", epidemic.Limit, "calls that a site accepts in a cycle; 0: any number")
	flags.IntVar(&epidemic.Runs, "runs", epidemic.Runs, "to take the means of")
	flags.Uint64Var(&epidemic.Seed, "seed", epidemic.Seed, "of all that is left to chance")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printSpread(out io.Writer, s sim.Spread) error {
	_, err := fmt.Fprintf(out, "s       %.4g\nm       %.4g\nt_ave   %.4g\nt_last  %.4g\n", s.Susceptible, s.Messages, s.TimeAverage, s.TimeLast)
	return err
}
