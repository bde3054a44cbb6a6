package main

import (
	"os"

	"hearsay/client"

	"github.com/spf13/cobra"
)

const (
	defaultNode = "http://127.0.0.1:9001"
	nodeEnv     = "HEARSAY_NODE"
)

// asking is what every command takes that asks a node.
type asking struct {
	node string // URL; "" for the environment's, or the default
	json bool
}

// addFlags gives cmd the flags of asking.
func (a *asking) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.node, "node", "", "the node to ask, as URL, host:port or port of 127.0.0.1 (default $"+nodeEnv+" or "+defaultNode+")")
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON")
}

// client makes the client for the node that was named.
func (a *asking) client(cmd *cobra.Command) (*client.Client, error) {
	node := a.node
	if node == "" {
		node = os.Getenv(nodeEnv)
	}
	if node == "" {
		node = defaultNode
	}
	base, err := client.ParseNode(node, defaultNode)
	if err != nil {
		return nil, wrongUsage(cmd, err)
	}
	return client.New(base), nil
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
