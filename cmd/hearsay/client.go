package main

import (
	"cmp"
	"context"
	"os"

	"hearsay/client"

	"github.com/spf13/cobra"
)

const (
	defaultNode = "http://127.0.0.1:9001"
	nodeEnv     = "HEARSAY_NODE"
)

// asking is a command that asks a node.
type asking struct {
	*client.Client
	*cobra.Command
	ctx  context.Context
	json bool
}

// askingCommand makes of cmd one that asks the node that is named by flag, environment or default.
func askingCommand(cmd *cobra.Command, run func(a *asking, args []string) error) *cobra.Command {
	a := &asking{Command: cmd}
	var node string
	cmd.Flags().StringVar(&node, "node", "", "the node to ask, as URL, host:port or port of 127.0.0.1 (default $"+nodeEnv+" or "+defaultNode+")")
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		base, err := client.ParseNode(cmp.Or(node, os.Getenv(nodeEnv), defaultNode), defaultNode)
		if err != nil {
			return wrongUsage(cmd, err)
		}
		a.Client, a.ctx = client.New(base), cmd.Context()
		return run(a, args)
	}
	return cmd
}

// hints are what a user can do where a node gives no answer that is of use.
var hints = map[client.Reason]string{
	client.Refused:       `start a network with "hearsay up", or name a node with --node`,
	client.Silent:        "the process may be stopped or starved",
	client.Unresolved:    "--node takes a URL like " + defaultNode + ", host:port, or a port of this machine",
	client.NotHTTP:       `this is no --http address: --node wants the one at which the node serves its page, "up" prints it as PAGE`,
	client.NotHearsay:    "is this a node of Hearsay?",
	client.NotUnderstood: "is this a node of Hearsay, of this version?",
}
