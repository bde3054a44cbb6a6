package cut

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"hearsay/test/process"
)

// movedWithin is how long a peer may take to find out that nobody reaches it at its address, to take another,
// and to be in: it waits 10 s for anybody, looks each 5 s, and is asked once more by its contacts.
const movedWithin = 45 * time.Second

// TestBridgeFirst starts a peer while its machine has a bridge's address and a route over it, as of containers,
// and nothing else: it tells others that address, at which nobody reaches it. When the cable has its address
// the peer takes that one, and is in.
func TestBridgeFirst(t *testing.T) {
	if os.Getenv(variable) == "" {
		t.Skipf("needs root; set %s=1, or make cut", variable)
	}
	binary := process.Binary(t)
	halves := wire(t)
	here, there := halves[0], halves[1]
	here.start(t, binary, 0, here.ip)
	address := func(verb string) {
		process.Command(t, "ip", "-netns", there.namespace, "address", verb, there.ip+"/24", "dev", "cable")
	}
	address("delete")
	process.Command(t, "ip", "-netns", there.namespace, "link", "add", "bridge", "type", "bridge")
	process.Command(t, "ip", "-netns", there.namespace, "address", "add", bridgeIP+"/16", "dev", "bridge")
	process.Command(t, "ip", "-netns", there.namespace, "link", "set", "bridge", "up")
	process.Command(t, "ip", "-netns", there.namespace, "route", "add", "default", "dev", "bridge")

	n := node{name: "b-1", http: "127.0.0.1:9001"}
	args := []string{"netns", "exec", there.namespace, binary, "peer", "--name", n.name, "--port", "7001", "--http", n.http, "--join", here.ip + ":7001"}
	var output bytes.Buffer
	peer := exec.Command("ip", args...)
	peer.Stdout, peer.Stderr = &output, &output
	process.Start(t, peer, output.String)
	there.nodes = append(there.nodes, n)
	process.Until(t, "at the bridge's address", askTimeout, func() string {
		return there.listsAt(t, binary, n.name, bridgeIP)
	})

	address("add")
	took := until(t, binary, halves, movedWithin, alive)
	if missing := here.listsAt(t, binary, n.name, there.ip); missing != "" {
		t.Error(missing)
	}
	t.Logf("the peer is in %v after its cable has an address", took)
}

const bridgeIP = "172.30.0.1"

// listsAt says what the first node of a half lists otherwise than a member at an IP address.
func (h *half) listsAt(t *testing.T, binary, name, ip string) string {
	list := h.ask(t, binary, 0, "members")
	for line := range bytes.Lines([]byte(list)) {
		if fields := bytes.Fields(line); len(fields) > 0 && string(fields[0]) == name && bytes.Contains(line, []byte(" "+ip+":")) {
			return ""
		}
	}
	return fmt.Sprintf("%s is not at %s:\n%s", name, ip, list)
}
