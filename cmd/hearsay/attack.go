package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hearsay/sim"
)

func newSimAttack() *cobra.Command {
	attack := sim.DefaultAttack()
	var list bool
	cmd := &cobra.Command{
		Use:   "attack NAME",
		Short: "Attack a simulated network, and say what protected it, or that nothing did",
		Long: `Attack a simulated network, in --runs worlds. The packets are real, the nodes
are those that ship; the attacker has an identity of its own, unless it is an
outsider, and follows the protocol where it does not lie. It prints what came of
it, and what protected, or what would be needed. The same arguments print the
same bytes. With --seeds the network has seeds besides, which are honest.

Exit code 3: a protection that is claimed did not hold.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if list {
				return noArguments(cmd, args)
			}
			if len(args) == 0 {
				return errors.New("no attack is named: want NAME, or --list, which says which there are")
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out := bufio.NewWriter(cmd.OutOrStdout())
			if list {
				return errors.Join(listAttacks(out, attack.JSON), out.Flush())
			}
			attack.Name = args[0]
			if err := attack.Validate(); err != nil {
				return wrongUsage(cmd, err)
			}
			attack.Progress = attackProgress(cmd.ErrOrStderr(), &attack)
			_, err := attack.Run(out)
			return simCode(errors.Join(err, out.Flush()))
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&list, "list", false, "print the attacks that there are, one a line")
	flags.IntVar(&attack.Nodes, "nodes", attack.Nodes, "members of the network, the liars among them")
	flags.IntVar(&attack.Seeds, "seeds", attack.Seeds, "seeds besides, which are honest; 0: an open network")
	flags.Float64Var(&attack.Share, "share", attack.Share, "of the members that lie; 0: as many as the attack takes")
	flags.Uint64Var(&attack.Seed, "seed", attack.Seed, "of the first world; each that follows has the next")
	flags.IntVar(&attack.Runs, "runs", attack.Runs, "worlds")
	flags.BoolVar(&attack.JSON, "json", false, "print JSON")
	return cmd
}

// attackProgress says how far an attack is, while it takes long.
func attackProgress(log io.Writer, attack *sim.Attack) func(done int) {
	told := time.Now()
	return func(done int) {
		if done < attack.Runs && time.Since(told) >= progressEvery {
			told = time.Now()
			fmt.Fprintf(log, "%s: %d of %d worlds\n", attack.Name, done, attack.Runs)
		}
	}
}

// listAttacks prints a name and a line each; as JSON, a line for each.
func listAttacks(out io.Writer, asJSON bool) (err error) {
	for _, kind := range sim.Attacks() {
		line := fmt.Sprintf("%-20s %s\n", kind.Name, kind.What)
		if asJSON {
			line = jsonLine(kind)
		}
		_, failed := io.WriteString(out, line)
		err = errors.Join(err, failed)
	}
	return err
}
