package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"hearsay"
	"hearsay/client"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/web"

	"github.com/spf13/cobra"
)

func newLedger() *cobra.Command {
	var from uint64
	var fresh bool
	cmd := askingCommand(&cobra.Command{
		Use:   "ledger",
		Short: "List what the seeds have ruled",
		Long: `List the rulings of the seeds, oldest first: nodes admitted, removed or left,
with the ballots that decided it. A seed has all of them, a peer the newest.

A node tells what it has, which may be old if it is cut off from the others.
With --fresh nothing is missing that was ruled before: a seed asks a quorum of
them first, and fails if that does not answer within two seconds.

With --json it prints all that proves them, too: "ledger --json > FILE" saves a
ledger that "ledger verify FILE" checks.`,
		Args: cobra.ArbitraryArgs, // so that an unknown command is told as one
	}, func(a *asking, args []string) error {
		if len(args) > 0 {
			return group(a.Command, args)
		}
		first := hearsay.Epoch(max(1, from))
		list := pageWriter(&ledgerTable{out: a.OutOrStdout(), progress: a.ErrOrStderr(), from: first})
		if a.json {
			list = &savedWriter{out: a.OutOrStdout()}
		}
		if err := eachPage(a.ctx, a.Client, first, fresh, list); err != nil {
			return fmt.Errorf("list the ledger: %w", err)
		}
		return nil
	})
	cmd.Flags().Uint64Var(&from, "from", 1, "the first epoch; 0 is 1, the founding")
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

// savedWriter writes a ledger as one JSON object, in the form in which it is saved: the rulings first, as
// what proves them is known at the end.
type savedWriter struct {
	out   io.Writer
	saver *ledger.Saver
	begun bool
}

func (s *savedWriter) page(l *web.Ledger) error {
	if s.saver == nil {
		s.saver = ledger.NewSaver(l.Network, l.Founding)
	}
	var text strings.Builder
	for i := range l.Rulings {
		told := &l.Rulings[i]
		r := core.NewCanonical(told.Canonical).Ruling()
		if r == nil || len(r.Ballots) != len(told.Ballots) {
			return fmt.Errorf("the ruling of epoch %d is not whole in what the node answers", told.Epoch)
		}
		saved := s.saver.Ruling(r, told.Evidence)
		saved.Member = told.Member
		for i := range saved.Ballots {
			saved.Ballots[i].Seed = told.Ballots[i].Seed
		}
		text.WriteString(s.begin())
		text.WriteString(strings.TrimSuffix(jsonLine(&saved), "\n"))
	}
	_, err := io.WriteString(s.out, text.String())
	return err
}

// begin gives what stands before the next ruling.
func (s *savedWriter) begin() string {
	if s.begun {
		return ","
	}
	s.begun = true
	return `{"rulings":[`
}

func (s *savedWriter) end(last *web.Ledger) error {
	head := s.saver.End(last.Seats, last.Heads)
	begin := ""
	if !s.begun {
		begin, head.Epoch = s.begin(), last.Epoch
	}
	_, err := io.WriteString(s.out, begin+"],"+strings.TrimPrefix(jsonLine(&head), "{"))
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
	return askingCommand(&cobra.Command{
		Use:   "remove NAME",
		Short: "Ask the seeds to remove a member; it stays if a seed can reach it",
		Long: `Ask the seeds to remove a member. Each of them probes it for four seconds, and it
stays if it answers any of them: so this removes a member that is gone and was not
reported. A living member is out only by its own leave; a bar keeps it out after
that.

NAME is a name, an id, or the beginning of an id. Exit code 1 if it stays in.`,
		Args: cobra.ExactArgs(1),
	}, func(a *asking, args []string) error {
		if err := hearsay.CheckName(args[0]); err != nil {
			return wrongUsage(a.Command, err)
		}
		remove := func(ctx context.Context) (client.Answer[web.Outcome], error) { return a.Remove(ctx, args[0]) }
		return showOr(a, "remove "+args[0], remove, func(out io.Writer, o web.Outcome) error {
			return tellOutcome(out, args[0], &o, a.json)
		})
	})
}

// tellOutcome tells what the seeds decided of a removal.
func tellOutcome(out io.Writer, name string, o *web.Outcome, asJSON bool) error {
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
	return hintedError{fmt.Errorf("remove %s: it stays in: %s", name, o.Text), fmt.Sprintf(`a member that answers a seed is not removed; "hearsay why %s" tells more`, name)}
}

// undecided says that the seeds have decided nothing, and what waits for that.
func undecided(name, why, hint string) error {
	return hintedError{fmt.Errorf("remove %s: it is not decided, and stays in meanwhile: %s", name, why), hint}
}

func newBar() *cobra.Command {
	var list, fresh bool
	var lift, why string
	cmd := askingCommand(&cobra.Command{
		Use:   "bar NAME | --list [--fresh] | --lift NAME",
		Short: "Keep a node out: the seeds do not admit it any more",
		Long: `Have the seeds refuse a node from now on, whatever it asks. That removes nobody:
a member stays in until it leaves or is removed. --list tells which nodes are barred,
with --fresh so that nothing is missing (see "ledger"), and --lift ends it. A node that is
barred already stays so for the reason given then; for another, lift it first.

NAME is a name, an id, or the beginning of an id; for a node that was never in, its
whole id. Ask a seed: name its --http address with --node.`,
		Args: cobra.MaximumNArgs(1),
	}, func(a *asking, args []string) error {
		asked := 0
		for _, given := range []bool{len(args) == 1, list, lift != ""} {
			if given {
				asked++
			}
		}
		name := lift
		if len(args) == 1 {
			name = args[0]
		}
		for _, wrong := range []struct {
			so  bool
			err error
		}{
			{asked != 1, errors.New("want one of NAME, --list and --lift NAME")},
			{fresh && !list, errors.New("--fresh goes with --list")},
			{a.Flags().Changed("why") && len(args) == 0, errors.New("--why goes with NAME, the node to bar")},
			{hearsay.CheckWhy(why) != nil, fmt.Errorf("--why: %w", hearsay.CheckWhy(why))},
			{!list && hearsay.CheckName(name) != nil, hearsay.CheckName(name)},
		} {
			if wrong.so {
				return wrongUsage(a.Command, wrong.err)
			}
		}
		switch {
		case list:
			return show(a, "list the bars", func(ctx context.Context) (client.Answer[web.Bars], error) { return a.Bars(ctx, fresh) }, printBars)
		case lift != "":
			return operate(a, "lift the bar of "+name, func(ctx context.Context) (client.Answer[web.Status], error) { return a.Lift(ctx, name) })
		}
		return operate(a, "bar "+name, func(ctx context.Context) (client.Answer[web.Status], error) { return a.Bar(ctx, name, why) })
	})
	cmd.Flags().BoolVar(&list, "list", false, "list the nodes that are barred")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "with --list: nothing may be missing")
	cmd.Flags().StringVar(&lift, "lift", "", "end the bar of `NAME`")
	cmd.Flags().StringVar(&why, "why", "", "the reason, which the node and `why` are told (default none)")
	return cmd
}

// operate has a seed do something, and says that it is done.
func operate(a *asking, what string, ask asks[web.Status]) error {
	return show(a, what, ask, func(out io.Writer, done web.Status) {
		words := "done"
		switch {
		case done.Status == "not barred":
			words = "it was not barred"
		case done.Status == "barred before" && done.Why == "":
			words = "it was barred already, for no reason given; that stands"
		case done.Status == "barred before":
			words = "it was barred already; the reason given then stands: " + oneLine(done.Why)
		}
		fmt.Fprintf(out, "%s: %s\n", what, words)
	})
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
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", b.ID, cmp.Or(oneLine(b.Name), "-"), when(b.At, now), cmp.Or(oneLine(b.Why), "-"))
	}
	table.Flush()
}
