package guests

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay/test/process"
	"hearsay/test/standin"
)

// A peer of ours whose configuration names an earlier program's seed, which is no quorum, does it no harm, and says
// what it is. At one that speaks text it registers, to see that it is one.
func TestOurPeerAtTheirSeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, speaks string
		questions    int // that it gets at most
	}{
		{"p0-seed", "the plain text of an earlier program (p0, p2)", 3},
		{"p2-seed", "the plain text of an earlier program (p0, p2)", 3},
		{"p1-seed", "an earlier program's lines of JSON (p1)", 1},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			at := standin.Addresses(4)
			w := newNetwork(t, at[:3])
			var seeds []*standin.Process
			for _, addr := range at[:1] { // no quorum
				seeds = append(seeds, w.standin(c.kind, addr, "--faults"))
			}
			before := seeds[0].State(t).LogLines
			began := time.Now()
			ours := w.run("peer", "ours", at[3])
			process.Until(t, "said what the seeds are", soon, func() string {
				status, err := exec.Command(process.Binary(t), "status", "--node", "http://"+ours.Said.HTTP).CombinedOutput()
				if err != nil || !bytes.Contains(status, []byte("TROUBLE")) || bytes.Count(status, []byte(c.speaks)) != 1 {
					return string(status)
				}
				return ""
			})
			process.Until(t, "it has failed to join", soon, func() string { return w.lacks("ours", "event=join-failed", c.speaks) })
			process.Pause(time.Until(began.Add(foreignFor)))
			for _, s := range seeds {
				state := s.State(t)
				others := slices.DeleteFunc(state.Known, func(known string) bool { return known == at[3] }) // which has registered
				if len(others) > 0 || state.Undecodable > c.questions || !strings.HasSuffix(state.Senseless, "hearsay?\n") || state.LogLines > before+1 {
					t.Errorf("%s lists %q, and has got %d messages that make no sense, the last %q", s.Addr, state.Known, state.Undecodable, state.Senseless)
				}
			}
		})
	}
}

// foreignFor is how long a peer of ours has met these seeds: it tries to join some times meanwhile.
const foreignFor = 3 * time.Second

// lacks gives which of some texts is not in the words of a node of ours.
func (w *network) lacks(name string, texts ...string) string {
	w.t.Helper()
	log := w.read(name + ".log")
	for _, text := range texts {
		if !strings.Contains(log, text) {
			return text
		}
	}
	return ""
}

func (w *network) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.file(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}
