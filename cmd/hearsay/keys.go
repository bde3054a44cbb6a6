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
	"hearsay/nodelog"
	"hearsay/web"
)

func newPut() *cobra.Command {
	var replaces string
	var ttl time.Duration
	cmd := askingCommand(&cobra.Command{
		Use:   "put KEY VALUE",
		Short: "Give a key of the store a value",
		Long: `Write a value, which all peers will hold. VALUE - is standard input: any bytes, as they are, a newline at
their end too. At most 1048576 bytes.

It replaces all values of the key that the asked node holds; with --context, as "get --siblings" prints it,
those that were read, and leaves what others have written since beside it. It prints the context with which
what it wrote can be replaced. Seeds hold no store: ask a peer.`,
		Args: cobra.ExactArgs(2),
	}, func(a *asking, args []string) error {
		value := []byte(args[1])
		if args[1] == "-" {
			var err error
			if value, err = io.ReadAll(io.LimitReader(a.InOrStdin(), hearsay.MaxValue+1)); err != nil {
				return fmt.Errorf("put %s: read standard input: %w", plainText(args[0]), err)
			}
		}
		w := hearsay.Write{Key: args[0], Value: value, TTL: ttl}
		if a.Flags().Changed("ttl") && ttl < time.Millisecond {
			return wrongUsage(a.Command, fmt.Errorf("--ttl %v: want a millisecond or more", ttl))
		}
		return a.write(w, replaces, func(ctx context.Context) (client.Answer[client.Written], error) {
			return a.Put(ctx, args[0], value, replaces, ttl)
		})
	})
	contextFlag(cmd, &replaces)
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "how long the value is there (default for ever)")
	return cmd
}

func newDel() *cobra.Command {
	var replaces string
	cmd := askingCommand(&cobra.Command{
		Use:   "del KEY",
		Short: "Take a key out of the store",
		Long: `Take away all values of a key that the asked node holds, or with --context those that were read. What others
write at the same time stays. Seeds hold no store: ask a peer.`,
		Args: cobra.ExactArgs(1),
	}, func(a *asking, args []string) error {
		return a.write(hearsay.Write{Key: args[0], Delete: true}, replaces, func(ctx context.Context) (client.Answer[client.Written], error) {
			return a.Delete(ctx, args[0], replaces)
		})
	})
	contextFlag(cmd, &replaces)
	return cmd
}

func contextFlag(cmd *cobra.Command, replaces *string) {
	cmd.Flags().StringVar(replaces, "context", "", "what was read, and is replaced (default all that the node holds)")
}

// write checks a write, has it done, and prints the context of a put.
func (a *asking) write(w hearsay.Write, replaces string, ask asks[client.Written]) error {
	if replaces != "" {
		if err := new(hearsay.Context).UnmarshalText([]byte(replaces)); err != nil {
			return wrongUsage(a.Command, fmt.Errorf("--context %.100q: want what \"get --siblings\" prints of the key", replaces))
		}
	}
	if err := w.Check(); err != nil {
		return wrongUsage(a.Command, err)
	}
	return show(a, a.Name()+" "+plainText(w.Key), ask, func(out io.Writer, written client.Written) {
		if !w.Delete {
			fmt.Fprintln(out, written.Context)
		}
	})
}

func newGet() *cobra.Command {
	var siblings bool
	var wait time.Duration
	cmd := askingCommand(&cobra.Command{
		Use:   "get KEY",
		Short: "Print the value of a key of the store",
		Long: `Print the value of a key, byte for byte; at a terminal, what does something to it is escaped. Of
several, written at the same time on different nodes, it is the winner, the same everywhere.
With --siblings print all of them, one a line, quoted if they are no plain text, behind the context that names them:
"put --context" replaces these. Exit code 1 if the asked node holds no value; with --wait 1m if it holds none within a
minute.`,
		Args: cobra.ExactArgs(1),
	}, func(a *asking, args []string) error {
		if err := hearsay.CheckKey(args[0]); err != nil {
			return wrongUsage(a.Command, err)
		}
		if a.Flags().Changed("wait") && wait < time.Millisecond {
			return wrongUsage(a.Command, fmt.Errorf("--wait %v: want a millisecond or more", wait))
		}
		what := "get " + plainText(args[0])
		read := func(ctx context.Context) (client.Answer[web.Values], error) {
			if wait > 0 {
				return a.AwaitValues(ctx, args[0], wait)
			}
			return a.Values(ctx, args[0])
		}
		return showOr(a, what, read, func(out io.Writer, values web.Values) error {
			switch {
			case len(values.Siblings) == 0:
				return errors.New(what + ": an answer without a value")
			case a.json:
				return nil
			case siblings:
				printSiblings(out, &values)
				return nil
			}
			return printValue(out, values.Siblings[0].Value)
		})
	})
	cmd.Flags().BoolVar(&siblings, "siblings", false, "all values, with the context that names them")
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait so long for a value, if there is none")
	return cmd
}

// printValue prints bytes as they are, but to a terminal what is harmless there.
func printValue(out io.Writer, value []byte) error {
	if raw := nodelog.Terminal(out); !nodelog.IsTerminal(raw) {
		out = raw
	} else if !strings.HasSuffix(string(value), "\n") {
		value = append(value, '\n')
	}
	_, err := out.Write(value)
	return err
}

func printSiblings(out io.Writer, values *web.Values) {
	now := time.Now()
	fmt.Fprintln(out, "context "+values.Context.String())
	table := newTable(out)
	for _, s := range values.Siblings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", clockTime(s.At, now), s.Origin, plainText(string(s.Value)))
	}
	table.Flush()
}

func newKeys() *cobra.Command {
	return askingCommand(&cobra.Command{
		Use:   "keys [PREFIX]",
		Short: "List the keys of the store",
		Long: `List the keys that a node holds, those that begin with PREFIX, in the order of their bytes: bytes of the value,
values if there are several, when it was written, and the key, quoted if it is no plain text. With --json one
object a line.`,
		Args: cobra.MaximumNArgs(1),
	}, func(a *asking, args []string) error {
		now, out := time.Now(), a.OutOrStdout()
		_, err := a.EachKey(a.ctx, strings.Join(args, ""), func(k *hearsay.KeyInfo) error {
			line := jsonLine(k)
			if !a.json {
				count := ""
				if k.Siblings > 1 {
					count = strconv.Itoa(k.Siblings) + " values"
				}
				line = fmt.Sprintf("%8d  %-9s  %s  %s\n", k.Size, count, clockTime(k.At, now), plainText(k.Key))
			}
			_, err := io.WriteString(out, line)
			return err
		})
		if err != nil {
			return saidOnce("list keys", err)
		}
		return nil
	})
}
