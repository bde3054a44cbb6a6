package main

import (
	"encoding/json"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/agent"
	"hearsay/ledger"
	"hearsay/web"
)

// noJSON are the commands that print no JSON in this test, and why.
var noJSON = map[string]string{
	"up": "runs until it is interrupted: up.txt", "seed": "runs until it is ended: seeds.txt", "peer": "runs until it is ended: peer.txt",
	"seed recover": "prints no data", "settings check": "prints no data",
	"watch": "runs until it is interrupted: watch.txt", "sim diff": "takes another version: diff_test.go", "maelstrom": "speaks another program's protocol",
}

// jsonOf are command lines of all others, in the order in which they are run. "peer" and "seed": that node is asked.
var jsonOf = []struct{ node, line string }{
	{"peer", "put a b"},
	{"peer", "put c d"},
	{"peer", "get a"},
	{"peer", "get a --siblings"},
	{"peer", "keys"},
	{"peer", "kv export FILE"},
	{"peer", "kv export -"},
	{"peer", "kv import FILE"},
	{"peer", "del a"},
	{"peer", "say tea"},
	{"peer", "rumors"},
	{"peer", "topology"},
	{"peer", "members"},
	{"peer", "status"},
	{"seed", "status"},
	{"peer", "events"},
	{"peer", "why p1"},
	{"seed", "why s1"},
	{"seed", "ledger"},
	{"seed", "ledger --fresh"},
	{"peer", "ledger"},
	{"seed", "remove p1"},
	{"seed", "bar p1"},
	{"seed", "bar --list"},
	{"seed", "bar --lift p1"},
	{"", "ledger verify LEDGER"},
	{"", "settings"},
	{"", "version"},
	{"", "sim run --nodes 2 --for 1s"},
	{"", "sim campaign --list-plants"},
	{"", "sim attack --list"},
	{"", "sim attack sybil --nodes 8 --runs 1"},
	{"", "sim epidemic --n 50 --style push --stop coin --k 1 --runs 1"},
	{"", "sim mp1 CONF"},
	{"", "sim detectors --nodes 4 --loss 0 --kills 1"},
	{"peer", "leave"},
}

// Every command that prints data prints it as JSON with --json, and nothing else on standard output.
func TestAllPrintJSON(t *testing.T) {
	at := []ledger.Seed{{Addr: netip.MustParseAddrPort("127.0.78.2:5001")}}
	nodes := map[string]string{}
	for name, cfg := range map[string]agent.Config{
		"seed": {Name: "s1", Bind: at[0].Addr.String(), Role: hearsay.RoleSeed, Data: t.TempDir()},
		"peer": {Name: "p1", Bind: "127.0.78.3:6001", Role: hearsay.RolePeer},
	} {
		cfg.Network, cfg.Seeds = "json", at
		a, err := agent.Start(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		server := httptest.NewServer(web.Handler(a, web.Info{}))
		defer server.Close()
		nodes[name] = server.URL
	}
	var out, said strings.Builder
	if code := run([]string{"status", "--wait", "20s", "--node", nodes["peer"]}, &out, &said); code != 0 {
		t.Fatalf("the peer is not in: %s", &said)
	}
	saved := filepath.Join(t.TempDir(), "ledger")
	t.Chdir(t.TempDir()) // there sim mp1 writes its log
	conf := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, []byte("MAX_NNB: 2\nSINGLE_FAILURE: 1\nDROP_MSG: 0\nMSG_DROP_PROB: 0"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := strings.NewReplacer("CONF", conf, "FILE", filepath.Join(t.TempDir(), "keys"), "LEDGER", saved)
	tried := map[string]bool{}
	for _, c := range jsonOf {
		cmd, _, err := newRoot().Find(strings.Fields(c.line))
		if err != nil {
			t.Fatal(err)
		}
		tried[nameOfCommand(cmd)] = true
		t.Run(c.node+" "+c.line, func(t *testing.T) {
			printed := printsJSON(t, nodes[c.node], strings.Fields(files.Replace(c.line)))
			if c.line != "ledger" || c.node != "seed" {
				return
			}
			if err := os.WriteFile(saved, []byte(printed), 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		name := nameOfCommand(cmd)
		if cmd.Hidden || strings.HasPrefix(name, "completion") || name == "help" {
			return
		}
		if groups := []string{"hearsay", "sim", "kv"}; !slices.Contains(groups, name) && tried[name] == (noJSON[name] != "") {
			t.Errorf("%s: is it tried? %t. Why not? %q", name, tried[name], noJSON[name])
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}

func nameOfCommand(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), "hearsay ")
}

// printsJSON runs a command line with --json, and gives what it prints.
func printsJSON(t *testing.T, node string, line []string) string {
	t.Helper()
	line = append(line, "--json")
	if node != "" {
		line = append(line, "--node", node)
	}
	var out, said strings.Builder
	code := run(line, &out, &said)
	if refused := line[0] == "remove" && code == exitFailed; code != exitDone && !refused { // it is alive, and stays in
		t.Errorf("exit code %d, said %q", code, &said)
	}
	if out.Len() == 0 {
		t.Errorf("it prints nothing, and says %q", &said)
	}
	for text := range strings.Lines(out.String()) {
		if !json.Valid([]byte(text)) {
			t.Errorf("this is no JSON: %.200s", text)
		}
	}
	return out.String()
}
