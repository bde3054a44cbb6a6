package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/client"
	"hearsay/web"
)

func newSay() *cobra.Command {
	return askingCommand(&cobra.Command{
		Use:   "say TEXT",
		Short: "Broadcast a message to all peers",
		Long: `Tell all peers, also those that come late or were cut off, within
retention. TEXT - is standard input: any bytes, told as they are, a newline at
their end too. At most 65536 bytes.

It prints the rumor's identity: the node that said it, and its number. Seeds carry
no rumors: say it to a peer.`,
		Args: cobra.ExactArgs(1),
	}, func(a *asking, args []string) error {
		data := []byte(args[0])
		if args[0] == "-" {
			var err error
			if data, err = io.ReadAll(io.LimitReader(a.InOrStdin(), hearsay.MaxRumorData+1)); err != nil {
				return fmt.Errorf("say: read standard input: %w", err)
			}
		}
		if err := checkSaid(data); err != nil {
			return wrongUsage(a.Command, err)
		}
		say := func(ctx context.Context) (client.Answer[web.Said], error) { return a.Say(ctx, data) }
		return show(a, "say", say, func(out io.Writer, said web.Said) {
			fmt.Fprintf(out, "%s %d\n", said.ID.Origin, said.ID.Number)
		})
	})
}

// checkSaid says what is wrong with what is to be said. Of what is too long
// only the beginning was read.
func checkSaid(data []byte) error {
	if len(data) > hearsay.MaxRumorData {
		return fmt.Errorf("more than %d bytes: %w", hearsay.MaxRumorData, hearsay.ErrRumorSize)
	}
	return hearsay.CheckRumorData(data)
}

func newRumors() *cobra.Command {
	var follow bool
	var limit int
	cmd := askingCommand(&cobra.Command{
		Use:   "rumors",
		Short: "List what was said, with origin and hops",
		Long: `List the rumors that a node still holds, one a line, oldest first: when it came,
its origin and number, over how many hops and from which node, and what it says. With --follow go on with each as it comes, also over breaks of
the connection, until interrupted.

What is not plain text is quoted. With --json it is one object, with --follow
one a line. Seeds carry no rumors: ask a peer.`,
		Args: noArguments,
	}, func(a *asking, _ []string) error {
		if a.Flags().Changed("limit") && limit < 1 {
			return wrongUsage(a.Command, fmt.Errorf("--limit %d: want 1 or more", limit))
		}
		what := "list rumors"
		if follow {
			what = "follow rumors"
		}
		if !follow {
			list := func(ctx context.Context) (client.Answer[web.Rumors], error) { return a.Rumors(ctx, limit) }
			return show(a, what, list, printRumors)
		}
		f := rumorFollower{client: a.Client, limit: limit, out: a.OutOrStdout(), json: a.json}
		if err := a.events(true, f.take); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with each rumor as it comes")
	cmd.Flags().IntVar(&limit, "limit", 0, "the last so many (default all that the node holds)")
	return cmd
}

func printRumors(out io.Writer, answer web.Rumors) {
	now := time.Now()
	table := newTable(out)
	for i := range answer.Rumors {
		fmt.Fprintln(table, strings.Join(rumorWords(&answer.Rumors[i], now), "\t"))
	}
	table.Flush()
}

// rumorWords tells a rumor: when, its origin and number, by which way, and
// what.
func rumorWords(r *web.Rumor, now time.Time) []string {
	way := "said here"
	if r.Hops > 0 {
		way = counted(int(r.Hops), "hop", "hops") + ", from " + nameOf(r.FromName, r.From)
	}
	text := saidWords(r.Data) // the bytes are in --json
	if r.Text != nil {
		text = plainText(*r.Text)
	}
	return []string{clockTime(r.At, now), nameOf(r.OriginName, r.Origin), "#" + strconv.FormatUint(r.Number, 10), way, text}
}

// plainText gives text as it is, or quoted if it would not look the same in a
// line of its own: what others say has no business with the terminal.
func plainText(text string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	if text == "" || text != strings.TrimSpace(text) || strings.IndexFunc(text, odd) >= 0 || text[0] == '"' {
		return strconv.Quote(text)
	}
	return text
}

// rumorFollower prints rumors, each once, as they come.
type rumorFollower struct {
	client  *client.Client
	limit   int // of the list to begin with
	out     io.Writer
	json    bool
	begun   bool
	printed printedRumors
}

// take takes what the stream of events brings. What came before the stream is
// told by a list: it goes back further than the events that are kept. So is
// what came while events were lost.
func (f *rumorFollower) take(ctx context.Context, m client.Message) error {
	if m.Name == client.Told {
		if f.begun {
			return nil // resumed
		}
		f.begun = true
		return f.list(ctx, f.limit)
	}
	if m.Name != "" || !f.begun {
		return nil
	}
	event, err := client.Decode[hearsay.Event](f.client, m.Data)
	if err != nil {
		return err
	}
	switch {
	case event.Kind == hearsay.EventLagged:
		return f.list(ctx, 0)
	case event.Kind == hearsay.EventRumor && event.Rumor != nil:
		r := web.RumorOf(&event)
		return f.print(&r)
	}
	return nil
}

// list prints the rumors of a list that were not printed yet.
func (f *rumorFollower) list(ctx context.Context, limit int) error {
	answer, err := f.client.Rumors(ctx, limit)
	if err != nil {
		return err
	}
	for i := range answer.Value.Rumors {
		if err := f.print(&answer.Value.Rumors[i]); err != nil {
			return err
		}
	}
	return nil
}

func (f *rumorFollower) print(r *web.Rumor) error {
	if !f.printed.add(r.RumorID) {
		return nil
	}
	line := strings.Join(rumorWords(r, time.Now()), "  ") + "\n"
	if f.json {
		line = jsonLine(r)
	}
	_, err := io.WriteString(f.out, line)
	return err
}

// printedMax is how many printed rumors are remembered at least: twice a list.
const printedMax = 1 << 15

// printedRumors remembers which rumors were printed last.
type printedRumors struct{ newer, older map[web.RumorID]bool }

// add reports whether the rumor is another than those remembered.
func (p *printedRumors) add(id web.RumorID) bool {
	if p.newer[id] || p.older[id] {
		return false
	}
	if p.newer == nil || len(p.newer) == printedMax {
		p.newer, p.older = make(map[web.RumorID]bool), p.newer
	}
	p.newer[id] = true
	return true
}

func newTopology() *cobra.Command {
	return askingCommand(&cobra.Command{
		Use:   "topology",
		Short: "Show which members pass rumors to each other",
		Long: `Show the links of the living members: which of them pass rumors and the
news of members to each other. Those on the rings every node computes for all, from its own list of
members; drawn ones (peer --overlay random) it knows of its own only.`,
		Args: noArguments,
	}, func(a *asking, _ []string) error { return show(a, "show the topology", a.Topology, printTopology) })
}

func printTopology(out io.Writer, answer web.Topology) {
	names := make(map[hearsay.NodeID]string)
	for _, n := range answer.Nodes {
		names[n.ID] = n.Name
	}
	neighbors := make(map[hearsay.NodeID][]string)
	meets := func(at, other hearsay.NodeID, kind hearsay.LinkKind) {
		word := nameOf(names[other], other)
		if kind != hearsay.LinkRing {
			word += " (" + kind.String() + ")"
		}
		neighbors[at] = append(neighbors[at], word)
	}
	for _, l := range answer.Links {
		meets(l.A, l.B, l.Kind)
		meets(l.B, l.A, l.Kind)
	}
	table := newTable(out)
	fmt.Fprintln(table, "NAME\tSTATE\tLINKS\tWITH")
	for _, n := range answer.Nodes {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", nameOf(n.Name, n.ID), n.State, len(neighbors[n.ID]), strings.Join(neighbors[n.ID], ", "))
	}
	table.Flush()
}
