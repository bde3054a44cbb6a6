package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/client"
	"hearsay/web"
)

func newLedger() *cobra.Command {
	var from asking
	var epoch uint64
	var fresh bool
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "List what the seeds have ruled",
		Long: `List the rulings of the seeds, oldest first: who was admitted, removed or left,
with the ballots that decided it. A seed has all of them, a peer the newest.

A node tells what it has, which may be old if it is cut off from the others.
With --fresh nothing is missing that was ruled before: a seed asks a quorum of
them first, and fails if that does not answer within two seconds.

With --json it prints all that proves them, too: "ledger --json > FILE" saves a
ledger that "ledger verify FILE" checks.`,
		Args: cobra.ArbitraryArgs, // so that an unknown command reaches RunE
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return group(cmd, args)
			}
			c, err := from.client(cmd)
			if err != nil {
				return err
			}
			list := pageWriter(&ledgerTable{out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr(), from: hearsay.Epoch(max(1, epoch))})
			if from.json {
				list = &savedWriter{out: cmd.OutOrStdout()}
			}
			if err := eachPage(cmd.Context(), c, hearsay.Epoch(max(1, epoch)), fresh, list); err != nil {
				return fmt.Errorf("list the ledger: %w", err)
			}
			return nil
		},
	}
	from.addFlags(cmd)
	cmd.Flags().Uint64Var(&epoch, "from", 1, "the first epoch; 0 is 1, the founding")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "nothing may be missing; of seeds only")
	cmd.AddCommand(newVerify())
	return cmd
}

// pageWriter writes a ledger that comes page by page.
type pageWriter interface {
	page(l *web.Ledger) error
	end(last *web.Ledger) error // what is said of the whole is what the last page says
}

// eachPage asks for the ledger from an epoch on, and writes it page by page:
// no more than one is in memory.
func eachPage(ctx context.Context, c *client.Client, from hearsay.Epoch, fresh bool, list pageWriter) error {
	for {
		answer, err := c.Ledger(ctx, from, fresh)
		if err != nil {
			return err
		}
		l := &answer.Value
		if err := list.page(l); err != nil {
			return err
		}
		if l.Next <= from {
			return list.end(l)
		}
		from = l.Next
	}
}

// savedWriter writes a ledger as one JSON object: the rulings first, as what
// proves them is known at the end.
type savedWriter struct {
	out     io.Writer
	rulings int
}

func (s *savedWriter) page(l *web.Ledger) error {
	var text strings.Builder
	for i := range l.Rulings {
		if s.rulings++; s.rulings == 1 {
			text.WriteString(`{"rulings":[`)
		} else {
			text.WriteByte(',')
		}
		text.WriteString(strings.TrimSuffix(jsonLine(&l.Rulings[i]), "\n"))
	}
	_, err := io.WriteString(s.out, text.String())
	return err
}

func (s *savedWriter) end(last *web.Ledger) error {
	begin := ""
	if s.rulings == 0 {
		begin = `{"rulings":[`
	}
	last.Next = 0
	_, err := io.WriteString(s.out, begin+"],"+strings.TrimPrefix(jsonLine(last.LedgerHead), "{"))
	return err
}

// ledgerTable writes a ledger as a table.
type ledgerTable struct {
	out, progress io.Writer
	from          hearsay.Epoch
	rulings       int
}

func (t *ledgerTable) page(l *web.Ledger) error {
	table := newTable(t.out)
	for i := range l.Rulings {
		r := &l.Rulings[i]
		if t.rulings++; t.rulings == 1 {
			if r.Epoch > t.from {
				fmt.Fprintf(t.progress, "the rulings before epoch %d are not kept here; a seed has them\n", r.Epoch)
			}
			fmt.Fprintln(table, "EPOCH\tRULING\tMEMBER\tSTAY\tAT\tBY")
		}
		stay := "-"
		if r.Since > 0 {
			stay = strconv.FormatUint(uint64(r.Since), 10)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", r.Epoch, r.Kind, r.Member, stay, stamp(r.At), decidedBy(r))
	}
	return table.Flush()
}

func (t *ledgerTable) end(last *web.Ledger) error {
	if last.Quorum > 0 && !last.Ready {
		fmt.Fprintln(t.progress, "this node hears no quorum of seeds: what they may have ruled since is missing here")
	}
	switch {
	case last.Quorum == 0:
		fmt.Fprintln(t.progress, "this network has no seeds: nobody rules, and there is no ledger")
	case t.rulings == 0:
		fmt.Fprintf(t.progress, "there is no ruling from epoch %d on; the newest is of epoch %d\n", t.from, last.Epoch)
	}
	return nil
}

// decidedBy says whose ballots decided a ruling.
func decidedBy(r *web.Ruling) string {
	switch r.Kind {
	case hearsay.RulingLeave:
		return "its own word"
	case hearsay.RulingRecover:
		return "one seed alone: the quorum was lost"
	}
	words := ""
	for i := range r.Ballots {
		b := &r.Ballots[i]
		if i > 0 {
			words += "; "
		}
		words += b.Seed + ": " + oneLine(b.Why)
	}
	return words
}

func newRemove() *cobra.Command {
	var from asking
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Have the seeds decide whether a member is out",
		Long: `Open a case against a member, as an operator. The seeds decide it, each by its
own probes over four seconds: a member that answers any of them stays in. So this
removes one that is gone and was not reported. Nothing puts out a living one but its
own leave; a bar keeps it out after that.

NAME is a name, an id, or the beginning of an id. Exit code 1 if it stays in.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := checkedClient(cmd, &from, args[0])
			if err != nil {
				return err
			}
			outcome, err := c.Remove(cmd.Context(), args[0])
			if err != nil {
				return saidOnce("remove "+args[0], err)
			}
			return tellOutcome(cmd.OutOrStdout(), args[0], &outcome, from.json)
		},
	}
	from.addFlags(cmd)
	return cmd
}

// tellOutcome tells what the seeds decided of a removal.
func tellOutcome(out io.Writer, name string, answer *client.Answer[web.Outcome], asJSON bool) error {
	o := &answer.Value
	if asJSON {
		if err := printJSON(out, answer.JSON); err != nil {
			return err
		}
	}
	switch o.Code {
	case hearsay.OutcomeDone.String():
		if !asJSON {
			fmt.Fprintf(out, "%s is out: the seeds removed it\n", name)
		}
		return nil
	case hearsay.OutcomePending.String():
		if !o.QuorumHeard {
			return undecided(name, "the case is open, and no quorum of seeds is heard", "it is decided when enough seeds run again")
		}
		return hintedError{fmt.Errorf("remove %s: the seeds have not decided yet", name), fmt.Sprintf(`"hearsay why %s" tells how the case stands`, name)}
	case hearsay.OutcomeLost.String():
		return undecided(name, "no seed was reached: "+o.Text, "no case was opened; ask again when the seeds run")
	}
	if !o.QuorumHeard {
		return undecided(name, o.Text, "no case was opened; ask again when enough seeds run. Members that the peers have found gone they report until then, without being asked")
	}
	if !o.AwayUntil.IsZero() {
		return hintedError{fmt.Errorf("remove %s: it stays in: %s", name, o.Text), fmt.Sprintf(
			"it is away until %s, and need not be removed: if it is not back by then, the others find it gone and the seeds remove it some seconds later; one that is back is out by its own leave",
			clockTime(o.AwayUntil, time.Now()))}
	}
	return hintedError{fmt.Errorf("remove %s: it stays in: %s", name, o.Text), fmt.Sprintf(`who answers a seed is not removed; "hearsay why %s" tells more`, name)}
}

// undecided says that the seeds have decided nothing, and what waits for that.
func undecided(name, why, hint string) error {
	return hintedError{fmt.Errorf("remove %s: it is not decided, and stays in meanwhile: %s", name, why), hint}
}

// checkedClient makes the client of a command about a member.
func checkedClient(cmd *cobra.Command, from *asking, name string) (*client.Client, error) {
	if err := hearsay.CheckName(name); err != nil {
		return nil, wrongUsage(cmd, err)
	}
	return from.client(cmd)
}

func newBar() *cobra.Command {
	var from asking
	var list, fresh bool
	var lift, why string
	cmd := &cobra.Command{
		Use:   "bar NAME | --list [--fresh] | --lift NAME",
		Short: "Keep a node out: the seeds do not admit it any more",
		Long: `Have the seeds refuse a node from now on, whatever it asks. That removes nobody:
who is in stays in until it leaves or is removed. --list tells who is barred, with
--fresh so that nothing is missing (see "ledger"), and --lift ends it. Who is
barred already stays so for the reason given then; for another, lift it first.

NAME is a name, an id, or the beginning of an id; for one who was never in, its
whole id. Ask a seed: name its --http address with --node.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked := 0
			for _, given := range []bool{len(args) == 1, list, lift != ""} {
				if given {
					asked++
				}
			}
			if asked != 1 {
				return wrongUsage(cmd, errors.New("want one of NAME, --list and --lift NAME"))
			}
			switch {
			case fresh && !list:
				return wrongUsage(cmd, errors.New("--fresh goes with --list"))
			case cmd.Flags().Changed("why") && len(args) == 0:
				return wrongUsage(cmd, errors.New("--why goes with NAME, the node to bar"))
			case hearsay.CheckWhy(why) != nil:
				return wrongUsage(cmd, fmt.Errorf("--why: %w", hearsay.CheckWhy(why)))
			case list:
				bars := func(c *client.Client, ctx context.Context) (client.Answer[web.Bars], error) {
					return c.Bars(ctx, fresh)
				}
				return show(cmd, &from, "list who is barred", bars, printBars)
			case lift != "":
				return operate(cmd, &from, lift, "lift the bar of "+lift, func(c *client.Client, ctx context.Context) (client.Answer[web.Status], error) {
					return c.Lift(ctx, lift)
				})
			}
			return operate(cmd, &from, args[0], "bar "+args[0], func(c *client.Client, ctx context.Context) (client.Answer[web.Status], error) {
				return c.Bar(ctx, args[0], why)
			})
		},
	}
	from.addFlags(cmd)
	cmd.Flags().BoolVar(&list, "list", false, "list who is barred")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "with --list: nothing may be missing")
	cmd.Flags().StringVar(&lift, "lift", "", "end the bar of `NAME`")
	cmd.Flags().StringVar(&why, "why", "", "the reason, for those who ask (default none)")
	return cmd
}

// operate has a seed do something, and says that it is done.
func operate(cmd *cobra.Command, from *asking, name, what string, ask asks[web.Status]) error {
	c, err := checkedClient(cmd, from, name)
	if err != nil {
		return err
	}
	answer, err := ask(c, cmd.Context())
	if err != nil {
		return saidOnce(what, err)
	}
	if from.json {
		return printJSON(cmd.OutOrStdout(), answer.JSON)
	}
	words := "done"
	switch done := &answer.Value; {
	case done.Status == "not barred":
		words = "it was not barred"
	case done.Status == "barred before" && done.Why == "":
		words = "it was barred already, for no reason given; that stands"
	case done.Status == "barred before":
		words = "it was barred already; the reason given then stands: " + oneLine(done.Why)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", what, words)
	return err
}

// saidOnce says what failed, unless the node has said so itself: of which member, or as
// the beginning of a sentence that names it.
func saidOnce(what string, err error) error {
	verb, _, _ := strings.Cut(what, " ")
	if strings.HasPrefix(err.Error(), what+": ") || strings.HasPrefix(err.Error(), verb+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

func printBars(out io.Writer, answer web.Bars) {
	now := time.Now()
	table := newTable(out)
	fmt.Fprintln(table, "ID\tNAME\tSINCE\tWHY")
	for _, b := range answer.Bars {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", b.ID, orDash(oneLine(b.Name)), when(b.At, now), orDash(oneLine(b.Why)))
	}
	table.Flush()
}
