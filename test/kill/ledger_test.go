package kill

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ledger is what a node tells of the rulings.
type ledger struct {
	Epoch   uint64   `json:"epoch"`
	Proven  uint64   `json:"proven"`
	Seats   []seat   `json:"seats"`
	Rulings []ruling `json:"rulings"`
}

type seat struct {
	Slot int    `json:"slot"`
	Key  string `json:"key"`
	Life string `json:"life"`
}

type ruling struct {
	Epoch   uint64   `json:"epoch"`
	Kind    string   `json:"kind"`
	Member  string   `json:"member"`
	Since   uint64   `json:"since"` // of the stay
	At      string   `json:"at"`
	Ballots []ballot `json:"ballots"`
}

type ballot struct {
	Slot      int    `json:"slot"`
	Verdict   string `json:"verdict"`
	Signature string `json:"signature"` // in what is saved
}

// ledger gives a node's rulings from an epoch on.
func (w *network) ledger(i int, from uint64) (l ledger) {
	w.t.Helper()
	if err := w.get(i, fmt.Sprintf("/v1/ledger?from=%d", from), &l); err != nil {
		w.t.Fatalf("ledger of %s: %v", w.nodes[i].Name, err)
	}
	return l
}

// wantRulings wants the rulings of a node from an epoch on to be these: of
// that kind about that member, and that stay unless it is 0. A quorum of ballots
// is the proof, but of a leave: its member signed that.
func (w *network) wantRulings(i int, from uint64, want ...ruling) {
	w.t.Helper()
	got := w.ledger(i, from).Rulings
	fits := len(got) == len(want)
	for k := 0; fits && k < len(want); k++ {
		yes := 0
		for _, b := range got[k].Ballots {
			if b.Verdict == "yes" {
				yes++
			}
		}
		fits = got[k].Epoch == from+uint64(k) && got[k].Kind == want[k].Kind && got[k].Member == want[k].Member &&
			(want[k].Since == 0 || got[k].Since == want[k].Since) && (yes >= seeds/2+1 || want[k].Kind == "leave")
	}
	if !fits {
		w.t.Errorf("%s has the rulings %+v from epoch %d on, want %+v", w.nodes[i].Name, got, from, want)
	}
}

// save writes a node's whole ledger to a file, as a user does, and wants it
// to hold. Its seats are those that the node tells of: the file of a seed has those of the founding.
func (w *network) save(i int) ledger {
	w.t.Helper()
	text := w.hearsay(0, i, "ledger", "--json")
	file := filepath.Join(w.t.TempDir(), "ledger.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	var l ledger
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		w.t.Fatalf("ledger of %s: %v", w.nodes[i].Name, err)
	}
	verified := w.command(0, "ledger", "verify", file)
	if last := fmt.Sprintf("prove it up to epoch %d", l.Epoch); !strings.Contains(verified, last) {
		w.t.Errorf("the ledger of %s: want %q, verify says:\n%s", w.nodes[i].Name, last, verified)
	}
	l.Seats = w.ledger(i, 1).Seats
	return l
}
