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
	var from asking
	cmd := &cobra.Command{
		Use:   "say TEXT",
		Short: "Tell everybody in the network",
		Long: `Tell everybody in the network, also those who come late or were cut off, within
retention. TEXT - is standard input: any bytes, told as they are, a newline at
their end too. At most 65536 bytes.

It prints the rumor's identity: who said it, and under which number. Seeds carry
no rumors: say it to a peer.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data := []byte(args[0])
			if args[0] == "-" {
				var err error
				if data, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), hearsay.MaxRumorData+1)); err != nil {
					return fmt.Errorf("say: read standard input: %w", err)
				}
			}
			if err := checkSaid(data); err != nil {
				return wrongUsage(cmd, err)
			}
			return say(cmd, &from, data)
		},
	}
	from.addFlags(cmd)
	return cmd
}

// checkSaid says what is wrong with what is to be said. Of what is too long
// only the beginning was read.
func checkSaid(data []byte) error {
	if len(data) > hearsay.MaxRumorData {
		return fmt.Errorf("more than %d bytes: %w", hearsay.MaxRumorData, hearsay.ErrRumorSize)
	}
	return hearsay.CheckRumorData(data)
}

func say(cmd *cobra.Command, from *asking, data []byte) error {
	c, err := from.client(cmd)
	if err != nil {
		return err
	}
	said, err := c.Say(cmd.Context(), data)
	if err != nil {
		return fmt.Errorf("say: %w", err)
	}
	out := cmd.OutOrStdout()
	if from.json {
		return printJSON(out, said.JSON)
	}
	_, err = fmt.Fprintf(out, "%s %d\n", said.Value.ID.Origin, said.Value.ID.Number)
	return err
}

func newRumors() *cobra.Command {
	var from asking
	var follow bool
	var limit int
	cmd := &cobra.Command{
		Use:   "rumors",
		Short: "Tell what was said, by whom, and over how many hops it came",
		Long: `Tell what was said and a node still holds, one rumor a line, oldest first: when
it came, who said it under which number, over how many hops, who passed it on,
and what it says. With --follow go on with each as it comes, also over breaks of
the connection, until interrupted.

What is not plain text is quoted. With --json it is one object, with --follow
one a line. Seeds carry no rumors: ask a peer.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("limit") && limit < 1 {
				return wrongUsage(cmd, fmt.Errorf("--limit %d: want 1 or more", limit))
			}
			c, err := from.client(cmd)
			if err != nil {
				return err
			}
			what := "list rumors"
			if follow {
				what = "follow rumors"
			}
			if err := refuseSeed(cmd.Context(), c); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			if !follow {
				list := func(c *client.Client, ctx context.Context) (client.Answer[web.Rumors], error) {
					return c.Rumors(ctx, limit)
				}
				return show(cmd, &from, what, list, printRumors)
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			f := rumorFollower{client: c, limit: limit, out: cmd.OutOrStdout(), json: from.json}
			if err := f.follow(ctx, cmd.ErrOrStderr()); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			return nil
		},
	}
	from.addFlags(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with each rumor as it comes")
	cmd.Flags().IntVar(&limit, "limit", 0, "the last so many (default all that the node holds)")
	return cmd
}

// refuseSeed fails if the node is a seed: its list of rumors is always empty.
func refuseSeed(ctx context.Context, c *client.Client) error {
	node, err := c.Self(ctx)
	if err == nil && node.Value.Role == hearsay.RoleSeed {
		return hearsay.ErrSeedMute
	}
	return err
}

func printRumors(out io.Writer, answer web.Rumors) {
	now := time.Now()
	table := newTable(out)
	for i := range answer.Rumors {
		fmt.Fprintln(table, strings.Join(rumorWords(&answer.Rumors[i], now), "\t"))
	}
	table.Flush()
}

// rumorWords tells a rumor: when, who, under which number, by which way, and
// what.
func rumorWords(r *web.Rumor, now time.Time) []string {
	way := "said here"
	if r.Hops > 0 {
		way = fmt.Sprintf("%d hops, from %s", r.Hops, nameOf(r.FromName, r.From))
		if r.Hops == 1 {
			way = "1 hop, from " + nameOf(r.FromName, r.From)
		}
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

// follow prints the rumors that are there, and then each that comes.
func (f *rumorFollower) follow(ctx context.Context, progress io.Writer) error {
	lost := func(err error) { fmt.Fprintf(progress, "lost %s (%v), trying again\n", f.client.Base(), err) }
	for s, err := range f.client.Follow(ctx, lost) {
		if err != nil {
			return err
		}
		if err := f.take(ctx, &s); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// take takes what the stream of events brings. What came before the stream is
// told by a list: it goes back further than the events that are kept. So is
// what came while events were lost.
func (f *rumorFollower) take(ctx context.Context, m *client.Message) error {
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

// printedMax is how many printed rumors are remembered: twice a list.
const printedMax = 1 << 15

// printedRumors remembers which rumors were printed last.
type printedRumors struct {
	ids   map[web.RumorID]bool
	order []web.RumorID // a circle once it is full
	next  int
}

// add reports whether the rumor is another than those remembered.
func (p *printedRumors) add(id web.RumorID) bool {
	if p.ids[id] {
		return false
	}
	if p.ids == nil {
		p.ids = make(map[web.RumorID]bool)
	}
	p.ids[id] = true
	if len(p.order) < printedMax {
		p.order = append(p.order, id)
		return true
	}
	delete(p.ids, p.order[p.next])
	p.order[p.next] = id
	p.next = (p.next + 1) % printedMax
	return true
}

func newTopology() *cobra.Command {
	var from asking
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Show which members pass rumors to each other",
		Long: `Show the links of the living members: which of them pass rumors and the
news of members to each other. Those on the rings every node computes for all, from its own list of
members; drawn ones (peer --overlay random) it knows of its own only.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd, &from, "show the topology", (*client.Client).Topology, printTopology)
		},
	}
	from.addFlags(cmd)
	return cmd
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
