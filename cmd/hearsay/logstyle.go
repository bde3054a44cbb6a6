package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/agent"
	"hearsay/nodelog"
)

// logStyle is which earlier program's log the file of --output is like.
type logStyle uint8

const (
	styleP1 logStyle = iota // all that happens, behind a time and a name
	styleP0                 // what that program wrote, and nothing else
	styleP2                 // likewise
)

var styleWords = [...]string{styleP1: "p1", styleP0: "p0", styleP2: "p2"}

// MarshalText gives the word.
func (s logStyle) MarshalText() ([]byte, error) { return []byte(styleWords[s]), nil }

// UnmarshalText takes the word.
func (s *logStyle) UnmarshalText(text []byte) error {
	i := slices.Index(styleWords[:], string(text))
	if i < 0 {
		return errors.New("want p0, p1 or p2")
	}
	*s = logStyle(i)
	return nil
}

// file gives the name that the log of a node at a port had in that program.
func (s logStyle) file(role hearsay.Role, port string) string {
	seed := role == hearsay.RoleSeed
	switch {
	case s == styleP0 && seed:
		return "outputseed.txt"
	case s == styleP0:
		return "outputpeer.txt"
	case s == styleP2 && seed:
		return "seedlog.txt"
	case s == styleP2:
		return "peerlog_" + port + ".txt"
	}
	return "outputfile.txt"
}

// text gives the same to the agent; 0: it writes no such log.
func (s logStyle) text() agent.TextStyle {
	switch s {
	case styleP0:
		return agent.StyleP0
	case styleP2:
		return agent.StyleP2
	}
	return 0
}

// style settles the file of the log, if its style is said.
func (o *nodeOptions) style(cmd *cobra.Command, config *agent.Config) error {
	if !cmd.Flags().Changed("log-style") {
		return nil
	}
	if len(config.Seeds) == 0 && o.logStyle != styleP1 {
		return fmt.Errorf("--log-style %s: want --config, too: that program has networks with seeds only", styleWords[o.logStyle])
	}
	if o.output != "" {
		return nil
	}
	_, port, _ := net.SplitHostPort(config.Bind) // well-formed: bind made it
	if o.output = o.logStyle.file(o.role, port); o.logStyle == styleP2 && o.role == hearsay.RolePeer && port == "0" {
		return errors.New("--log-style p2: want --output, or --port, which is in the name of the file")
	}
	return nil
}

// askPort asks at a terminal for the port that nothing else says: two of the earlier programs did so.
func (o *nodeOptions) askPort(cmd *cobra.Command, config *agent.Config) error {
	in, is := cmd.InOrStdin().(*os.File)
	if !is || !nodelog.IsTerminal(in) || cmd.Flags().Changed("port") || config.Bind != agent.DefaultConfig().Bind {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Port [%d]: ", agent.DefaultPort)
	line, err := bufio.NewReader(in).ReadString('\n')
	port := strings.TrimSpace(line)
	switch {
	case port == "" && errors.Is(err, io.EOF):
		return errors.New("no port on standard input; want --port")
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("read the port on standard input: %w", err)
	case port == "":
		return nil
	case cmd.Flags().Set("port", port) != nil:
		return fmt.Errorf("port %q on standard input: want a number up to %d", port, portMax)
	}
	return nil
}
