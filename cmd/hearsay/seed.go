package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/agent"
	"hearsay/seeds"
	"hearsay/store"
)

func newSeed() *cobra.Command {
	o := &nodeOptions{role: hearsay.RoleSeed}
	cmd := &cobra.Command{
		Use:   "seed",
		Short: "Run one seed: with the others it admits and removes members",
		Long: `Run one seed of a network until it is interrupted. --config names all seeds of
the network, this one too, one "ip,port" a line, the same on all of them; a
quorum of them, floor(n/2)+1, lets peers in and out. A third column pins a seed's
public key. The own line is the one with --advertise, or else with --ip and --port.

A seed always keeps a data directory: the ledger, and what it has promised the
others. Without --data that is hearsay-seed-IP-PORT in the working directory. A
seed that starts with an empty one is another, and waits until a quorum of the
others gives it the seat.

A new network is founded when all seeds have been met and none has a ledger. Is
one of them not there yet, --found gives your word that seeds which do not answer
have no ledger: then a quorum is enough, and a seed that comes later gets its seat from
it. It waits some seconds for others, longer the later this seed stands in
--config, so that two seeds may be told. A seed that has a ledger founds nothing.
If your word was wrong, the seed with the old ledger takes no part, and says so.

A seed's data directory must not be put back from a backup, as it may be older
than what the seed has promised: one that is a copy is refused, but a file that
was written over in place is not always known for one. If you have moved the directory, and use it nowhere else, --this-is-the-newest gives your word for
that, once.

A flag goes before the environment (HEARSAY_NAME, HEARSAY_QUORUM_TRIAL, ...),
that before --settings, and that before the default.`,
		Args: cobra.ArbitraryArgs, // so that an unknown command reaches RunE
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			config, err := o.settle(cmd)
			if err != nil {
				return err
			}
			config.Quorum.Found, config.Newest = o.found, o.newest
			return runNode(cmd, o, config)
		},
	}
	o.addSeedFlags(cmd)
	cmd.Flags().BoolVar(&o.found, "found", false, "found the network with a quorum of the seeds: those that do not answer have no ledger")
	cmd.Flags().BoolVar(&o.newest, "this-is-the-newest", false, "the data directory was moved here: it is no older copy, and is used nowhere else")
	cmd.AddCommand(newRecover())
	return cmd
}

func (o *nodeOptions) addSeedFlags(cmd *cobra.Command) {
	o.addFlags(cmd)
	cmd.Flags().StringVar(&o.config, "config", "config.txt", "file that names all seeds, one \"ip,port\" a line")
}

// sit finds this seed's place in the list: by the address that it is told to advertise, or
// else by the one that it listens at.
func (o *nodeOptions) sit(config *agent.Config, list *seeds.List) error {
	own, err := o.ownAddr(config)
	if err != nil {
		return err
	}
	var local []netip.Addr
	if own.Addr().IsUnspecified() {
		addrs, err := net.InterfaceAddrs()
		if err != nil {
			return fmt.Errorf("find this machine's own addresses: %w", err)
		}
		for _, addr := range addrs {
			if prefix, err := netip.ParsePrefix(addr.String()); err == nil {
				local = append(local, prefix.Addr())
			}
		}
	}
	if config.Slot, err = list.Slot(own, local); err != nil {
		return hintedError{fmt.Errorf("read the seeds: %w", err), "give the address and port of its line with --ip and --port"}
	}
	listed := list.Seeds[config.Slot].Addr
	config.Advertise = listed.String()
	config.Name = cmp.Or(config.Name, nameBeside(list, listed))
	if config.Data == "" {
		config.Data = fmt.Sprintf("hearsay-seed-%s-%d", strings.ReplaceAll(listed.Addr().String(), ":", "."), listed.Port())
	}
	return nil
}

// ownAddr gives the address at which the list is to name this seed.
func (o *nodeOptions) ownAddr(config *agent.Config) (own netip.AddrPort, err error) {
	host, port, err := net.SplitHostPort(config.Bind) // well-formed: bind made it
	if err != nil {
		return own, fmt.Errorf("find this seed's own line: %w", err)
	}
	if config.Advertise == "" {
		if own, err = netip.ParseAddrPort(net.JoinHostPort(host, port)); err != nil || own.Port() == 0 {
			return own, hintedError{fmt.Errorf("find this seed's own line in %s: it listens at %s", o.config, config.Bind), "give the address and port of its line with --ip and --port"}
		}
		return own, nil
	}
	if own, err = netip.ParseAddrPort(config.Advertise); err == nil {
		return own, nil
	}
	if own, err = netip.ParseAddrPort(net.JoinHostPort(strings.Trim(config.Advertise, "[]"), port)); err != nil {
		return own, fmt.Errorf("advertise %q: want the address of this seed's line in %s, as IP or IP:port", config.Advertise, o.config)
	}
	return own, nil
}

// nameBeside gives the name of a node at an address that was given none, if the list has a seed beside it, at its IP
// address: they would all bear their machine's name. Else it is "".
func nameBeside(list *seeds.List, own netip.AddrPort) string {
	beside := slices.ContainsFunc(list.Seeds, func(s seeds.Seed) bool { return s.Addr != own && s.Addr.Addr() == own.Addr() })
	machine, err := os.Hostname()
	name := fmt.Sprintf("%s-%d", machine, own.Port())
	if err != nil || !beside || own.Port() == 0 || hearsay.CheckName(name) != nil {
		return ""
	}
	return name
}

// quorumMeans says what is to be known of so many seeds; nothing of an odd number.
func quorumMeans(n int) string {
	switch quorum := hearsay.QuorumOf(n); {
	case n == 1:
		return "One seed decides alone: nobody checks what it says, and while it is down nobody is admitted or removed. Three allow for one to fail"
	case n == 2:
		return "Two seeds decide only together: while one is down nobody is admitted or removed, and the other cannot give its seat to a new one " +
			"(hearsay seed recover begins anew). Three allow for one to fail"
	case n%2 == 0:
		return fmt.Sprintf("Of %d seeds %d decide: %d may fail, no more than of %d. Of %d, %d may", n, quorum, n-quorum, n-1, n+1, n-quorum+1)
	}
	return ""
}

func newRecover() *cobra.Command {
	o := &nodeOptions{role: hearsay.RoleSeed}
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Begin anew from one seed's ledger: a quorum is lost for ever",
		Long: `Begin anew from the ledger in this seed's data directory, when so many seeds are
lost for ever that there will be no quorum again. The seed must be stopped, and
--config must name the seeds of from now on: this one alone, or with others, which
must run meanwhile, each with an empty data directory. --ip and --port say which of
the list this one is.

This gives up what the seeds stand for: that a quorum decides. What the lost seeds
have ruled after this ledger's last epoch is gone, and every peer has to take the
new seats on this seed's word; one that keeps data and has met another seed at an
address of the list does so only if the list has the new key in its third column;
else, or where the seat had changed hands before, it is started with an empty data
directory. If any of the lost seeds may ever come back, do not do it: start them
instead.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := o.settle(cmd)
			if err != nil {
				return err
			}
			if !store.Exists(config.Data) { // which would be made
				return hintedError{fmt.Errorf("%s: there is no ledger of a seed in it", config.Data), "run it where one is left, with --data"}
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			config.Logger = slog.New(slog.DiscardHandler)
			givenUp, err := agent.Recover(ctx, config)
			if err != nil {
				return fmt.Errorf("%s: %w", config.Data, err)
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "RECOVERED BY ONE SEED'S WORD, NOT BY A QUORUM: %s.\n"+
				"Start it now with the same --config and --data. Give all peers the same --config, too. "+
				"One that keeps data and has met another seed at an address of the list may not follow it, and logs that: then start it with an empty data directory.\n", givenUp)
			return err
		},
	}
	o.addSeedFlags(cmd)
	return cmd
}
