package guests

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"hearsay/test/process"
	"hearsay/test/standin"
)

// With no other flags than p1 has, its manual's searches find what they are to find: what peers say by themselves, and
// each sentence of a removal in some log, whichever node accuses. Several are on one machine, and each has a name of
// its own.
func TestEarlierFlags(t *testing.T) {
	t.Parallel()
	addrs := standin.Addresses(7)
	w := newNetwork(t, addrs[:3])
	run := func(role, addr string, more ...string) *process.Program {
		host, port, _ := net.SplitHostPort(addr)
		args := []string{process.Binary(t), role, "--ip", host, "--port", port, "--config", w.file("config.txt"), "--output", w.file(addr + ".txt")}
		return process.Run(t, w.file(addr+".err"), append(args, more...)...)
	}
	lacks := func(logs []string, sentences ...string) string {
		for _, sentence := range sentences {
			found := false
			for _, addr := range logs {
				text, _ := os.ReadFile(w.file(addr + ".txt")) // it may not be there yet
				found = found || strings.Contains(string(text), sentence)
			}
			if !found {
				return fmt.Sprintf("%q is in the log of none of %v", sentence, logs)
			}
		}
		return ""
	}
	for _, addr := range addrs[:3] {
		run("seed", addr, "--data", w.file(addr))
	}
	peers := make(map[string]*process.Program)
	for _, addr := range addrs[3:] {
		peers[addr] = run("peer", addr)
	}
	for addr := range peers {
		process.Until(t, addr+" is in, and chatters", soon, func() string {
			return lacks([]string{addr}, "Registration quorum", "Bootstrap complete", "Generated gossip", "First-time gossip received")
		})
	}
	for _, addr := range addrs[3:5] {
		peers[addr].Cmd.Process.Kill()
		process.Until(t, addr+" is removed", soon, func() string {
			for _, seed := range addrs[:3] {
				if missing := lacks([]string{seed}, "Dead-node consensus COMMIT for "+addr); missing != "" {
					return missing
				}
			}
			return lacks(addrs, "Neighbor suspicion triggered for "+addr+" after", "Suspicion probe received for "+addr+" from",
				"Peer-level suspicion result for "+addr+":", "Confirmed dead-node report sent for "+addr+".",
				"Dead report received for "+addr+" from", "Vote on dead-node proposal dead:"+addr+" for "+addr+": vote=True")
		})
	}
	for _, addr := range addrs {
		if lacks([]string{addr}, "bear one name") == "" {
			t.Errorf("%s has met two of one name", addr)
		}
	}
}
