package kill

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearsay/test/process"
)

const (
	lostSoon     = 30 * time.Second // until nodes say that no quorum is heard
	decidedSoon  = 60 * time.Second // until what waited is decided, from when a quorum is there again
	seatedSoon   = 60 * time.Second // until a seed with an empty directory has its seat again
	heardSoon    = 20 * time.Second // a rumor
	nothingFor   = 6 * time.Second  // watched: a removal would be ruled in that time, see seededPromise
	fewPeers     = 3
	newcomer     = "newcomer"
	unheard      = "NOT HEARD: 2 of 3 seeds would decide; as far as this node knows, nobody is admitted or removed meanwhile"
	unheardShort = "no quorum of seeds is heard (2 of 3)"
)

// seedsOf gives the places of the seeds.
func (w *network) seedsOf() []int {
	var places []int
	for i, n := range w.nodes {
		if n.Role == "seed" {
			places = append(places, i)
		}
	}
	return places
}

// agree gives what is missing until all of these nodes are at this epoch, list
// the same living members in the same states, and those in want in these. Who
// is out stays listed only where it was known.
func (w *network) agree(places []int, epoch uint64, want map[string]string) string {
	var first []member
	for k, i := range places {
		r := w.roster(i)
		living := r.living()
		if k == 0 {
			first = living
		}
		if r.Epoch != epoch || !slices.Equal(living, first) {
			return fmt.Sprintf("%s is at epoch %d, want %d, and lists %v, %s lists %v", w.nodes[i].Name, r.Epoch, epoch, living, w.nodes[places[0]].Name, first)
		}
		for name, state := range want {
			if got := r.state(name); got != state {
				return fmt.Sprintf("%s lists %s as %q, want %q", w.nodes[i].Name, name, got, state)
			}
		}
	}
	return ""
}

// join starts one more peer, which is told of the seeds as all are.
func (w *network) join(name string) (p *process.Program, log string) {
	w.t.Helper()
	directory := filepath.Dir(w.nodes[0].Data)
	log = filepath.Join(directory, name+".log")
	return process.Run(w.t, log, w.binary, "peer", "--json", "--name", name, "--ip", "127.0.0.1", "--port", "0", "--http", "0",
		"--data", filepath.Join(directory, name), "--config", filepath.Join(directory, "config.txt")), log
}

// wantNoBlame wants a log to have no warning or error that names the address.
func (w *network) wantNoBlame(log, addr string) {
	w.t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		loud := strings.Contains(line, " WARN ") || strings.Contains(line, " ERROR ") || strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR")
		if loud && strings.Contains(line, addr) {
			w.t.Errorf("%s makes %s the reader's problem: %s", log, addr, line)
		}
	}
}

// TestSeedsLost kills one seed of three, another, and starts both again. The
// command line's own scripts do so in short.
func TestSeedsLost(t *testing.T) {
	timesAsked(t)
	w := start(t, seeds, fewPeers)
	all := w.seedsOf()
	one, two, three := all[0], all[1], all[2]
	victim := fewPeers - 1

	// One is dead: joins and removals go on, and nobody is bothered.
	w.signal(three, syscall.SIGKILL)
	joined, log := w.join(newcomer)
	living := []int{0, 1, victim, one, two}
	w.until("in with a seed dead", decidedSoon, func() string { return w.agree(living, 4, map[string]string{newcomer: "alive"}) })
	w.wantNoBlame(log, w.nodes[three].Addr)
	w.signal(victim, syscall.SIGKILL)
	living = []int{0, 1, one, two}
	removed := w.until("out with a seed dead", decidedSoon, func() string {
		return w.agree(living, 5, map[string]string{w.nodes[victim].Name: "dead", newcomer: "alive"})
	})
	t.Logf("with one of %d seeds dead, %s was removed in %v", seeds, w.nodes[victim].Name, removed)
	w.wantStory(victim, two, 5)
	joined.End(w.t) // it leaves
	w.until("gone with a seed dead", decidedSoon, func() string { return w.agree(living, 6, map[string]string{newcomer: "left"}) })
	w.wantRulings(0, 4, ruling{Kind: "admit", Member: newcomer}, ruling{Kind: "remove", Member: w.nodes[victim].Name}, ruling{Kind: "leave", Member: newcomer})
	again := w.startAgain(victim)
	w.until("back with a seed dead", decidedSoon, func() string {
		return w.agree([]int{0, 1, victim, one, two}, 7, map[string]string{w.nodes[victim].Name: "alive"})
	})

	// Two are dead: nobody is admitted or removed, and all say so.
	w.signal(two, syscall.SIGKILL)
	w.wantUnheard([]int{0, 1, victim, one})
	again.Cmd.Process.Kill()
	joined, log = w.join(newcomer)
	w.until("suspect", lostSoon, func() string {
		if got := w.roster(0).state(w.nodes[victim].Name); got != "suspect" {
			return w.nodes[victim].Name + " is " + got
		}
		return ""
	})
	w.hearsay(0, 0, "say", "we go on")
	w.until("told to all", heardSoon, func() string { return w.heard(1, "we go on") })
	for began := time.Now(); time.Since(began) < nothingFor; process.Pause(askEvery) {
		for _, i := range []int{0, 1, one} {
			if r := w.rosterNow(i); r.Epoch != 7 || r.state(newcomer) != "left" || r.state(w.nodes[victim].Name) == "dead" {
				t.Fatalf("%s decided something without a quorum: %+v", w.nodes[i].Name, r)
			}
		}
	}

	w.wantNoBlame(log, w.nodes[two].Addr) // later it is up, and its answer may be told with its address

	// They come back: what waited is decided.
	w.startAgain(two)
	w.startAgain(three)
	decided := w.until("decided what waited", decidedSoon, func() string {
		return w.agree([]int{0, 1, one, two, three}, 9, map[string]string{w.nodes[victim].Name: "dead", newcomer: "alive"})
	})
	t.Logf("what waited was decided %v after two of %d seeds were started again", decided, seeds)
	for _, i := range []int{0, one, two, three} {
		if got := w.rosterNow(i).Epoch; got != 9 {
			t.Errorf("%s is at epoch %d, want 9: one removed, one admitted", w.nodes[i].Name, got)
		}
		w.until("heard again by "+w.nodes[i].Name, lostSoon, func() string {
			if status := w.hearsay(0, i, "status"); strings.Contains(status, "NOT HEARD") {
				return status
			}
			return ""
		})
		w.save(i)
	}
	joined.End(w.t)
}

// heard gives what is missing until a node holds a rumor with this text.
func (w *network) heard(i int, text string) string {
	var held struct {
		Rumors []struct {
			Text string `json:"text"`
		} `json:"rumors"`
	}
	if err := w.get(i, "/v1/rumors", &held); err != nil {
		return err.Error()
	}
	for _, r := range held.Rumors {
		if r.Text == text {
			return ""
		}
	}
	return fmt.Sprintf("%s holds %+v", w.nodes[i].Name, held.Rumors)
}

// wantUnheard wants these nodes to say soon that no quorum is heard: a seed is
// not ready then, a peer is, and both say so.
func (w *network) wantUnheard(places []int) {
	w.t.Helper()
	for _, i := range places {
		w.until("unheard by "+w.nodes[i].Name, lostSoon, func() string {
			status, ready := w.hearsay(0, i, "status"), w.ready(i)
			code := "200 "
			if w.nodes[i].Role == "seed" {
				code = "503 "
			}
			if !strings.Contains(status, unheard) || !strings.HasPrefix(ready, code) || !strings.Contains(ready, unheardShort) {
				return status + ready
			}
			return ""
		})
	}
}

// briefly is for tests of a few seconds, of which most is waiting.
func briefly(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes, which no race detector sees")
	}
	t.Parallel()
}

// TestAllSeedsKilled kills all seeds at once: started again, they have the
// same ledger, and go on with it.
func TestAllSeedsKilled(t *testing.T) {
	briefly(t)
	w := start(t, seeds, fewPeers)
	before := w.save(w.seedsOf()[0])
	for _, i := range w.seedsOf() {
		w.signal(i, syscall.SIGKILL)
	}
	for _, i := range w.seedsOf() {
		w.startAgain(i)
	}
	began := time.Now()
	for _, i := range w.seedsOf() {
		w.until("ready again", decidedSoon, func() string {
			if ready := w.ready(i); !strings.HasPrefix(ready, "200 ") {
				return w.nodes[i].Name + ": " + ready
			}
			return ""
		})
	}
	t.Logf("all %d seeds were killed, and decide again after %v", seeds, time.Since(began))
	for i, n := range w.nodes {
		if after := w.save(i); !reflect.DeepEqual(after.Rulings, before.Rulings) || !reflect.DeepEqual(after.Seats, before.Seats) {
			t.Errorf("%s has another ledger than before:\n%+v\n%+v", n.Name, after, before)
		}
	}
	all := []int{1, 2, 3, 4, 5}
	w.signal(0, syscall.SIGKILL)
	w.until("out, as before", decidedSoon, func() string { return w.agree(all, before.Epoch+1, map[string]string{w.nodes[0].Name: "dead"}) })
	w.startAgain(0)
	w.until("in again", decidedSoon, func() string {
		return w.agree(append(all, 0), before.Epoch+2, map[string]string{w.nodes[0].Name: "alive"})
	})
}

// TestSeedBeginsAnew removes one seed's directory: it gets its seat back under
// a new life, and a removal is then ruled with its ballot.
func TestSeedBeginsAnew(t *testing.T) {
	briefly(t)
	w := start(t, seeds, fewPeers)
	all := w.seedsOf()
	other, wiped := all[1], all[2]
	slot := len(all) - 1 // seeds are named in the order of their list
	before := w.save(wiped)
	w.signal(wiped, syscall.SIGKILL)
	if err := os.RemoveAll(w.nodes[wiped].Data); err != nil {
		t.Fatal(err)
	}
	w.startAgain(wiped)
	took := w.until("seated again", seatedSoon, func() string {
		for i, n := range w.nodes {
			if n.Name != w.nodes[wiped].Name && w.roster(i).Epoch != before.Epoch+1 {
				return fmt.Sprintf("%s is at epoch %d", n.Name, w.roster(i).Epoch)
			}
		}
		if ready := w.ready(wiped); !strings.HasPrefix(ready, "200 ") {
			return w.nodes[wiped].Name + ": " + ready
		}
		if l := w.ledger(wiped, 1); len(l.Rulings) <= len(before.Rulings) { // it fetches what came before it
			return fmt.Sprintf("%s has %d rulings", w.nodes[wiped].Name, len(l.Rulings))
		}
		return ""
	})
	t.Logf("a seed whose directory was removed has its seat again after %v", took)
	after := w.save(wiped)
	if after.Seats[slot].Life == before.Seats[slot].Life || after.Seats[slot].Key == before.Seats[slot].Key {
		t.Errorf("the seat is as it was: %+v", after.Seats)
	}
	if last := after.Rulings[len(after.Rulings)-1]; last.Kind != "seat" || !reflect.DeepEqual(after.Rulings[:len(after.Rulings)-1], before.Rulings) {
		t.Errorf("the ledger was %+v and is %+v", before.Rulings, after.Rulings)
	}

	// Without another seed it takes this one to rule.
	w.signal(other, syscall.SIGKILL)
	w.signal(0, syscall.SIGKILL)
	living := []int{1, 2, all[0], wiped}
	w.until("out by the new seed's ballot", decidedSoon, func() string {
		return w.agree(living, before.Epoch+2, map[string]string{w.nodes[0].Name: "dead"})
	})
	for _, i := range living {
		l := w.save(i)
		last := l.Rulings[len(l.Rulings)-1]
		if last.Kind != "remove" || len(last.Ballots) != 2 || last.Ballots[0].Slot+last.Ballots[1].Slot != slot {
			t.Errorf("%s: the last ruling is %+v, want a removal by the seeds of places 0 and %d", w.nodes[i].Name, last, slot)
		}
	}
}
