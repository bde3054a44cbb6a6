// Package abuse does to real processes what they must withstand: lines by
// hand, guests, forged packets, and thousands of forged messages a second.
//
// What takes seconds is always run. The load, and a seed with ten thousand
// peers, run when HEARSAY_ABUSE says how many peers are killed under load.
package abuse

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/agent"
	"hearsay/test/process"
)

const (
	variable       = "HEARSAY_ABUSE"
	seedsCount     = 3
	peersCount     = 5
	requestTimeout = 20 * time.Second
	pageBytes      = 16 << 20
)

var networkID = hearsay.NetworkIDOf(agent.DefaultNetwork)

type node = process.Node

type member struct {
	ID          hearsay.NodeID      `json:"id"`
	Name        string              `json:"name"`
	Addr        string              `json:"addr"`
	State       string              `json:"state"`
	Role        string              `json:"role"`
	Incarnation hearsay.Incarnation `json:"incarnation"`
}

// network is what `hearsay up` runs.
type network struct {
	t      *testing.T
	binary string
	data   string
	peers  []node
	seeds  []node
	client http.Client

	answers, late int // to requests of one at a time
}

// wholeKills is from how many kills on all forms are whole: as many as make abuse
// takes. With fewer the long ones are short, as CI has half an hour for all.
const wholeKills = 10

// whole reports whether tests that have a short form run as a whole.
func whole() bool {
	kills, err := strconv.Atoi(os.Getenv(variable))
	return err == nil && kills >= wholeKills
}

// besideOthers has a test that waits most of the time run at once with others like it. The long forms are for their
// figures, and run alone.
func besideOthers(t *testing.T) {
	t.Helper()
	if !whole() {
		t.Parallel()
	}
}

// testsAtOnce is how many of these run at once, if -parallel does not say it: more than one a processor, as they wait.
const testsAtOnce = "4"

func TestMain(m *testing.M) {
	flag.Set("test.parallel", testsAtOnce) // the command line, which is read later, counts
	process.Main(m)
}

// start runs three seeds and five peers, and learns where they are.
func start(t *testing.T) *network {
	t.Helper()
	w := &network{t: t, binary: process.Binary(t), data: t.TempDir()}
	w.client.Timeout = requestTimeout
	for _, n := range process.Up(t, w.data, seedsCount, peersCount) {
		if n.Role == "seed" {
			w.seeds = append(w.seeds, n)
		} else {
			w.peers = append(w.peers, n)
		}
	}
	return w
}

// get asks a node's page; false if it does not answer.
func (w *network) get(n node, path string, into any) bool {
	answer, err := w.client.Get("http://" + n.HTTP + path)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return json.NewDecoder(io.LimitReader(answer.Body, pageBytes)).Decode(into) == nil
}

// members asks a node for its roster, and as of which epoch it is.
func (w *network) members(n node) (listed []member, epoch hearsay.Epoch) {
	var answer struct {
		Epoch   hearsay.Epoch `json:"epoch"`
		Members []member      `json:"members"`
	}
	w.get(n, "/v1/members", &answer)
	return answer.Members, answer.Epoch
}

// stats gives a node's figures.
func (w *network) stats(n node) (s hearsay.Stats) {
	w.t.Helper()
	if !w.get(n, "/v1/stats", &s) {
		w.t.Fatalf("%s gives no figures", n.Name)
	}
	return s
}

// memory is the resident memory of a node's process, in bytes.
func (w *network) memory(n node) int {
	w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.PID))
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kilobytes, _ := strconv.Atoi(fields[1])
			return kilobytes << 10
		}
	}
	w.t.Fatalf("%s has no memory", n.Name)
	return 0
}

// all is every node, the peers first.
func (w *network) all() []node { return slices.Concat(w.peers, w.seeds) }

// agreed reports whether all nodes but one are at an epoch, with this many
// living.
func (w *network) agreed(epoch hearsay.Epoch, living int, but string) bool {
	for _, n := range w.all() {
		if n.Name == but {
			continue
		}
		listed, at := w.members(n)
		count := 0
		for _, m := range listed {
			if m.State == "alive" {
				count++
			}
		}
		if at != epoch || count != living {
			return false
		}
	}
	return true
}

func (w *network) until(what string, limit time.Duration, reached func() bool) time.Duration {
	w.t.Helper()
	return process.Until(w.t, what, limit, func() string {
		if !reached() {
			return "not yet"
		}
		return ""
	})
}
