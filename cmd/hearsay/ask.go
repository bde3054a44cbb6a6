package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/client"
	"hearsay/web"
)

func newMembers() *cobra.Command {
	return askingCommand(&cobra.Command{
		Use:   "members",
		Short: "List the members, and those that were",
		Long: `List the members that a node knows, with state, incarnation and since when by
its clock. Members that died or left stay listed until they are forgotten.`,
		Args: noArguments,
	}, func(a *asking, _ []string) error { return show(a, "list members", a.Members, printMembers) })
}

func newWhy() *cobra.Command {
	return askingCommand(&cobra.Command{
		Use:   "why NAME",
		Short: "Tell why a member is held to be what it is",
		Long: `Tell the case of a member: which member missed it, what its observers saw in which round,
how the seeds voted and why, what followed from that, and when; and what would
have changed it. NAME is a name, an id, or the beginning of an id, three digits or
more. One still suspect has a case too, and so has one never in. Exit code 1 if
nobody of that name is known.`,
		Args: cobra.ExactArgs(1),
	}, func(a *asking, args []string) error {
		if err := hearsay.CheckName(args[0]); err != nil {
			return wrongUsage(a.Command, err)
		}
		what := "tell why of " + args[0]
		tell := func(ctx context.Context) (client.Answer[hearsay.CaseFile], error) { return a.Case(ctx, args[0]) }
		return showOr(a, what, tell, func(out io.Writer, file hearsay.CaseFile) error {
			if file.Member.ID.IsZero() {
				return fmt.Errorf("%s: %s", what, oneLine(file.Summary))
			}
			if !a.json {
				printCase(out, file)
			}
			return nil
		})
	})
}

// asks asks a node for something.
type asks[T any] = func(context.Context) (client.Answer[T], error)

// show asks and prints the answer: as it came with --json, else as print has it.
func show[T any](a *asking, what string, ask asks[T], print func(io.Writer, T)) error {
	return showOr(a, what, ask, func(out io.Writer, answer T) error {
		if !a.json {
			print(out, answer)
		}
		return nil
	})
}

// showOr asks and prints the answer, if that was asked for with --json; what
// else there is to do the caller does.
func showOr[T any](a *asking, what string, ask asks[T], print func(io.Writer, T) error) error {
	answer, err := ask(a.ctx)
	if err != nil {
		return saidOnce(what, err)
	}
	if a.json {
		if err := printJSON(a.OutOrStdout(), answer.JSON); err != nil {
			return err
		}
	}
	return print(a.OutOrStdout(), answer.Value)
}

// printJSON prints a JSON text as one line.
func printJSON(out io.Writer, text []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return fmt.Errorf("an answer that is no JSON: %w", err)
	}
	line.WriteByte('\n')
	_, err := out.Write(line.Bytes())
	return err
}

func printMembers(out io.Writer, answer web.Members) {
	now := time.Now()
	if answer.Epoch > 0 {
		fmt.Fprintf(out, "epoch %d\n", answer.Epoch)
	}
	table := newTable(out)
	fmt.Fprintln(table, "NAME\tSTATE\tROLE\tSINCE\tADDRESS\tINCARNATION\tID")
	for _, m := range answer.Members {
		role := m.Role.String()
		if m.Dialect != "" {
			role = fmt.Sprintf("%s, guest (%s)", role, oneLine(m.Dialect))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", nameOf(m.Name, m.ID), standing(&m, now), role, when(m.Since, now), m.Addr, m.Incarnation, m.ID.Short())
	}
	table.Flush()
}

func printCase(out io.Writer, file hearsay.CaseFile) {
	fmt.Fprintln(out, cmp.Or(file.Summary, file.Verdict))
	if file.Nearest != "" {
		fmt.Fprintln(out, "\nWhat would change it: "+file.Nearest)
	}
	if len(file.Steps) == 0 {
		return
	}
	fmt.Fprintln(out)
	table := newTable(out)
	for _, step := range file.Steps {
		text := oneLine(step.Text)
		if step.Detail != "" {
			text += " (" + oneLine(step.Detail) + ")"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", stamp(step.At), step.Kind, step.By, text)
	}
	table.Flush()
}

func newStatus() *cobra.Command {
	var wait time.Duration
	cmd := askingCommand(&cobra.Command{
		Use:   "status",
		Short: "Show one node and its figures",
		Long: `Show one node, what it tells of itself and its figures. With --wait 1m wait until it is in and holds what the
others hold of the store, and show it then; exit code 1 if that is not so within a minute.`,
		Args: noArguments,
	}, func(a *asking, args []string) error {
		switch {
		case !a.Flags().Changed("wait"):
		case wait < time.Millisecond:
			return wrongUsage(a.Command, fmt.Errorf("--wait %v: want a millisecond or more", wait))
		default:
			ctx, stop := untilInterrupted(a.Command)
			defer stop()
			if err := a.awaitReady(ctx, wait); err != nil {
				return fmt.Errorf("wait for the node: %w", err)
			}
		}
		return printStatus(a, args)
	})
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait so long for the node to be in, and to have caught up")
	return cmd
}

// awaitReady waits until the node is ready, and has caught up with the store of others.
func (a *asking) awaitReady(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	told := newTold(a.ErrOrStderr())
	defer told.end()
	for missing := error(nil); ; pause(ctx, readyEvery) {
		now := a.Ready(ctx)
		var figures client.Answer[hearsay.Stats]
		if now == nil {
			figures, now = a.Stats(ctx)
		}
		if s := &figures.Value; now == nil && s.StoreCatchUp > 0 {
			now = fmt.Errorf("it catches up with the store: %d values are here, %d writes are missing", s.StoreValues, s.StoreLacks)
		}
		switch {
		case now == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("not within %v: %w", wait, cmp.Or(missing, now))
		}
		missing = now
		told.tell("%s", oneLine(missing.Error()))
	}
}

// readyEvery is between two looks whether a node is ready. A guess.
const readyEvery = 200 * time.Millisecond

func printStatus(a *asking, _ []string) error {
	node, err := a.Self(a.ctx)
	var figures client.Answer[hearsay.Stats]
	var seeds client.Answer[hearsay.Authority]
	if err == nil {
		figures, err = a.Stats(a.ctx)
	}
	if err == nil {
		seeds, err = a.Authority(a.ctx)
	}
	if err != nil {
		return fmt.Errorf("show the status: %w", err)
	}
	out := a.OutOrStdout()
	if a.json {
		return printJSON(out, fmt.Appendf(nil, "{\"self\":%s,\"authority\":%s,\"stats\":%s}", node.JSON, seeds.JSON, figures.JSON))
	}
	authority, stats := &seeds.Value, &figures.Value
	table := newTable(out)
	printSelf(table, &node.Value)
	printAuthority(table, authority)
	for _, trouble := range hearsay.Troubles(authority, stats) {
		if trouble != authority.Why && (authority.Fork == nil || trouble != authority.Fork.Text) { // these have their lines
			fmt.Fprintf(table, "TROUBLE\t%s\n", oneLine(trouble))
		}
	}
	printStats(table, stats)
	return table.Flush()
}

func printSelf(table io.Writer, n *web.Self) {
	fmt.Fprintf(table, "name\t%s\n", nameOf(n.Name, n.ID))
	fmt.Fprintf(table, "id\t%s\n", n.ID)
	fmt.Fprintf(table, "role\t%s\n", n.Role)
	fmt.Fprintf(table, "state\t%s, incarnation %d\n", n.State, n.Incarnation)
	fmt.Fprintf(table, "address\t%s\n", oneLine(n.Addr))
	fmt.Fprintf(table, "page\t%s\n", oneLine(pageURL(n.HTTP)))
	fmt.Fprintf(table, "started\t%s\n", when(n.Started, time.Now()))
	fmt.Fprintf(table, "version\t%s\n", oneLine(n.Version))
}

// printAuthority tells of the seeds, if there are some.
func printAuthority(table io.Writer, a *hearsay.Authority) {
	if a.Foreign != "" {
		printForeign(table, a)
	}
	if !a.Seeded {
		return
	}
	if !a.Key.IsZero() {
		fmt.Fprintf(table, "public key\t%x\n", a.Key[:])
	}
	fmt.Fprintf(table, "epoch\t%d, proven up to %d\n", a.Epoch, a.Proven)
	switch seed := !a.Key.IsZero(); {
	case a.Waits:
		fmt.Fprintf(table, "quorum\tnone yet: this seed is part of no network; %d of %d seeds will decide\n", a.Quorum, len(a.Seeds))
	case a.Ready:
		fmt.Fprintf(table, "quorum\theard: %d of %d seeds decide\n", a.Quorum, len(a.Seeds))
	case a.Apart && a.Epoch > 0:
		fmt.Fprintf(table, "quorum\tof ANOTHER LEDGER: this node is in by one that is not the seeds', and nobody follows it\n")
	case a.Stalled:
		fmt.Fprintf(table, "quorum\tSTALLED: %d of %d seeds decide, and decide nothing now of what they are asked\n", a.Quorum, len(a.Seeds))
	case a.Early:
		fmt.Fprintf(table, "quorum\tnot heard just now: %d of %d seeds decide; they may be starting, or electing one that leads\n", a.Quorum, len(a.Seeds))
	case seed && a.Why != "":
		fmt.Fprintf(table, "quorum\tof %d of %d seeds, in which this seed takes NO PART now\n", a.Quorum, len(a.Seeds))
	default:
		fmt.Fprintf(table, "quorum\tNOT HEARD: %d of %d seeds would decide; as far as this node knows, nobody is admitted or removed meanwhile\n", a.Quorum, len(a.Seeds))
	}
	if l := a.Limits; l != (hearsay.Limits{}) {
		fmt.Fprintf(table, "limits\t%d members, %d from one source; then %d admissions a minute, %d from one source\n",
			l.Members, l.MembersOfSource, l.Admissions, l.SourceAdmissions)
	}
	if a.Why != "" {
		fmt.Fprintf(table, "why\t%s\n", oneLine(a.Why))
	}
	if f := a.Fork; f != nil && f.Text != a.Why {
		fmt.Fprintf(table, "OTHER LEDGER\t%s\n", f.Text)
	}
	for i := range a.Seeds {
		s := &a.Seeds[i]
		fmt.Fprintf(table, "slot %d\t%s at %s, %s\n", s.Slot, cmp.Or(nameOf(s.Name, hearsay.NodeID{}), "?"), s.Addr, seedWords(s, a.Leader == s.Slot))
	}
}

// printForeign tells of seeds that are an earlier program's.
func printForeign(table io.Writer, a *hearsay.Authority) {
	fmt.Fprintf(table, "seeds\tof an earlier program (%s): their lists, which nobody has signed, say which nodes are in\n", a.Foreign)
	switch {
	case a.Ready:
		fmt.Fprintf(table, "quorum\theard: %d of %d seeds decide\n", a.Quorum, len(a.Seeds))
	case a.Early:
		fmt.Fprintf(table, "quorum\tnot heard just now: %d of %d seeds decide\n", a.Quorum, len(a.Seeds))
	default:
		fmt.Fprintf(table, "quorum\tNOT HEARD: %d of %d seeds would decide\n", a.Quorum, len(a.Seeds))
	}
	if a.Why != "" {
		fmt.Fprintf(table, "why\t%s\n", oneLine(a.Why))
	}
	for i := range a.Seeds {
		fmt.Fprintf(table, "slot %d\t%s, %s\n", a.Seeds[i].Slot, a.Seeds[i].Addr, oneLine(a.Seeds[i].Note))
	}
}

// seedWords says how it is with a seed.
func seedWords(s *hearsay.SeedStatus, leads bool) string {
	var words []string
	if s.Met && s.State != 0 {
		words = append(words, s.State.String())
	}
	if leads {
		words = append(words, "leads")
	}
	if s.Note != "" {
		words = append(words, oneLine(s.Note))
	}
	switch {
	case len(words) > 0:
		return strings.Join(words, ", ")
	case s.Met:
		return "met"
	}
	return "not met yet"
}

// printStats prints the lines of which the tags of hearsay.Stats tell.
func printStats(table io.Writer, s *hearsay.Stats) {
	var names []string
	lines := make(map[string]string)
	stats := reflect.ValueOf(s).Elem()
	for i := range stats.NumField() {
		figure, tag := stats.Field(i), stats.Type().Field(i).Tag
		name, words, _ := strings.Cut(tag.Get("status"), "=")
		zero, has := tag.Lookup("zero")
		switch {
		case words == "":
			continue // it is in no line
		case has && figure.IsZero():
			words = zero
		case figure.CanFloat(): // seconds
			words = fmt.Sprintf(words, time.Duration(figure.Float()*float64(time.Second)).Round(time.Microsecond))
		case figure.Kind() == reflect.Slice:
			words = fmt.Sprintf(words, figure.Len())
		default:
			words = fmt.Sprintf(words, figure)
		}
		if words != "" && lines[name] == "" {
			names = append(names, name)
		}
		lines[name] += words
	}
	for _, name := range names {
		fmt.Fprintf(table, "%s\t%s\n", name, lines[name])
	}
}

func newLeave() *cobra.Command {
	return askingCommand(&cobra.Command{
		Use:   "leave",
		Short: "Have a node leave its network in good order",
		Long: `Have a node leave its network in good order: the others are told, and list it
as left rather than dead. Its process ends.

Where there are seeds, a quorum of them must rule that it has left. If none has
done so within five seconds the process ends all the same, and this command and
the process fail with exit code 1; the node is in then until the others find it
gone and the seeds remove it.`,
		Args: noArguments,
	}, func(a *asking, _ []string) error {
		return show(a, "leave", a.Leave, func(io.Writer, web.Status) {
			fmt.Fprintf(a.ErrOrStderr(), "the node at %s has left\n", a.Base())
		})
	})
}

func newTable(out io.Writer) *tabwriter.Writer {
	const columnGap = 2 // blanks between columns
	return tabwriter.NewWriter(out, 0, 0, columnGap, ' ', 0)
}
