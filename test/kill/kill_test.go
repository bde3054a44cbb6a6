// Package kill kills and stops real processes of networks that `hearsay up`
// runs, open ones and such with seeds, and measures how soon all others know.
//
// A kill is measured from the signal until every other node lists the victim
// suspect, and then dead; nobody else may be suspect for long. With seeds it
// must also be ruled so, in the ledger of each node, and nothing else be. The
// victim is started again by the command that `hearsay up` printed, and must be
// back with its identity, with seeds as a new stay. That takes minutes, so these
// tests run when HEARSAY_KILLS says how often; what becomes of a network whose
// seeds are killed takes seconds, and runs always.
package kill

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearsay/test/process"
)

const (
	variable = "HEARSAY_KILLS"

	// somebody else, anywhere: a machine may keep one from running, who then says that it lives
	othersSuspect = 3 * time.Second
	backWithin    = 30 * time.Second
	watchAtMost   = 40 * time.Second
	toldWithin    = 20 * time.Second // by `why`, after everybody lists the victim dead: what was signed is fetched
)

// promise is how soon a victim is dead everywhere.
type promise struct {
	median  time.Duration
	most    time.Duration
	percent int // of the kills take no longer than most
}

// manyKills is from how many on a percentage says something. The longest of a few
// may be one that the promise leaves out: then it takes twice as long at most.
const manyKills = 20

var (
	openPromise   = promise{median: 3 * time.Second, most: 5 * time.Second, percent: 99}
	seededPromise = promise{median: 4 * time.Second, most: 6 * time.Second, percent: 95}
)

// timesAsked is how often to kill; the test is skipped if nobody says.
func timesAsked(t *testing.T) int {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("takes minutes; set %s to a number, or make kills", variable)
	}
	times, err := strconv.Atoi(os.Getenv(variable))
	if err != nil || times < 1 {
		t.Fatalf("%s=%q: want a number, 1 or more", variable, os.Getenv(variable))
	}
	return times
}

func TestKillsAndStops(t *testing.T) {
	times := timesAsked(t)
	w := start(t, 0, peers)
	w.killAndStop(times, openPromise)
}

func TestKillsAndStopsWithSeeds(t *testing.T) {
	times := timesAsked(t)
	w := start(t, seeds, peers)
	w.killAndStop(times, seededPromise)
}

// killAndStop kills and stops peers in turn, and brings them back.
func (w *network) killAndStop(times int, p promise) {
	for _, way := range []struct {
		name   string
		signal syscall.Signal
		back   func(i int)
	}{
		{"kill -9", syscall.SIGKILL, func(i int) { w.startAgain(i) }},
		{"kill -STOP", syscall.SIGSTOP, func(i int) { w.signal(i, syscall.SIGCONT) }},
	} {
		var suspects, deaths, returns []time.Duration
		var slowest string
		for i := range times {
			victim := i % peers
			id, epoch := w.identity(victim), w.rosterNow(w.other(victim)).Epoch
			struck := time.Now()
			w.signal(victim, way.signal)
			suspect, dead := w.watch(victim, epoch)
			suspects, deaths = append(suspects, suspect), append(deaths, dead)
			story := w.wantStory(victim, w.teller(victim, i), epoch+1)
			if dead == slices.Max(deaths) {
				slowest = fmt.Sprintf("at %s, dead everywhere %v later:\n%s", struck.UTC().Format(time.StampMilli), dead, process.Tail(story))
			}
			began := time.Now()
			way.back(victim)
			w.until(w.nodes[victim].Name+" back everywhere", backWithin, func() string { return w.back(victim, epoch+2) })
			returns = append(returns, time.Since(began))
			if now := w.identity(victim); now != id {
				w.t.Errorf("%s came back as %s, was %s", w.nodes[victim].Name, now, id)
			}
		}
		w.judge(way.name, p, suspects, deaths, returns)
		w.t.Logf("the slowest %s was %s", way.name, slowest)
	}
}

// judge prints the figures and holds them to what is promised.
func (w *network) judge(name string, p promise, suspects, deaths, returns []time.Duration) {
	slices.Sort(suspects)
	slices.Sort(deaths)
	slices.Sort(returns)
	median, most := quantile(deaths, 50), quantile(deaths, p.percent)
	if len(deaths) < manyKills {
		p.most *= 2
	}
	w.t.Logf("%s, %d times: suspect everywhere: median %v, longest %v; dead everywhere: median %v, 95 %% %v, 99 %% %v, longest %v; back everywhere: median %v, longest %v",
		name, len(deaths), quantile(suspects, 50), quantile(suspects, 100), median, quantile(deaths, 95), quantile(deaths, 99), quantile(deaths, 100),
		quantile(returns, 50), quantile(returns, 100))
	if median > p.median || most > p.most {
		w.t.Errorf("%s: dead everywhere after %v, %d %% %v; want %v and %v", name, median, p.percent, most, p.median, p.most)
	}
}

// quantile gives the time that so many percent take at most, of times in
// ascending order.
func quantile(times []time.Duration, percent int) time.Duration {
	return times[max(0, (len(times)*percent+99)/100-1)].Round(time.Millisecond)
}

// seeded reports whether the network has seeds.
func (w *network) seeded() bool { return w.nodes[len(w.nodes)-1].Role == "seed" }

// other gives a node that is not this one.
func (w *network) other(i int) int { return (i + 1) % len(w.nodes) }

// teller gives a living node to ask about a victim, another one each time.
func (w *network) teller(victim, time int) int {
	return (victim + 1 + time%(len(w.nodes)-1)) % len(w.nodes)
}

// identity is the NodeID of a node, as another lists it.
func (w *network) identity(i int) string {
	w.t.Helper()
	for _, m := range w.rosterNow(w.other(i)).Members {
		if m.Name == w.nodes[i].Name && m.State == "alive" {
			return m.ID
		}
	}
	w.t.Fatalf("%s is not listed alive", w.nodes[i].Name)
	return ""
}

// back gives what is missing until every node lists all nodes alive, and with
// seeds the ledger of each ends with the victim's new stay.
func (w *network) back(victim int, epoch uint64) string {
	for i, n := range w.nodes {
		r := w.roster(i)
		if missing := lacks(&n, r, len(w.nodes)); missing != "" || !w.seeded() {
			if missing != "" {
				return missing
			}
			continue
		}
		if r.Epoch < epoch {
			return fmt.Sprintf("%s is at epoch %d, not %d", n.Name, r.Epoch, epoch)
		}
		w.wantRulings(i, epoch, ruling{Kind: "admit", Member: w.nodes[victim].Name, Since: epoch})
	}
	return ""
}

// lacks says what a roster lacks to list so many nodes, all of them alive.
func lacks(n *process.Node, r roster, nodes int) string {
	if len(r.Members) != nodes {
		return fmt.Sprintf("%s lists %d members", n.Name, len(r.Members))
	}
	for _, m := range r.Members {
		if m.State != "alive" {
			return fmt.Sprintf("%s lists %s as %s", n.Name, m.Name, m.State)
		}
	}
	return ""
}

// watch follows a victim until all others list it dead, and with seeds have
// the ruling of the epoch that follows. Nobody else may be suspect for long
// meanwhile.
func (w *network) watch(victim int, epoch uint64) (suspect, dead time.Duration) {
	w.t.Helper()
	began := time.Now()
	others := map[string]time.Time{}
	ruled := map[int]bool{}
	for time.Since(began) < watchAtMost {
		suspects, deaths := 0, 0
		for i, n := range w.nodes {
			if i == victim {
				continue
			}
			r := w.roster(i)
			state := w.states(r, n.Name, w.nodes[victim].Name, others)
			if state == "dead" && w.seeded() && !ruled[i] {
				w.wantRulings(i, epoch+1, ruling{Kind: "remove", Member: w.nodes[victim].Name})
				ruled[i] = true
			}
			if state == "dead" {
				deaths++
			}
			if state == "dead" || state == "suspect" {
				suspects++
			}
		}
		if suspects == len(w.nodes)-1 && suspect == 0 {
			suspect = time.Since(began)
		}
		if deaths == len(w.nodes)-1 {
			return suspect, time.Since(began)
		}
		process.Pause(askEvery)
	}
	w.t.Fatalf("%s is not dead everywhere after %v", w.nodes[victim].Name, watchAtMost)
	return 0, 0
}

// states gives how a node lists the victim. others has since when it has held
// others not to be alive.
func (w *network) states(r roster, holder, victim string, others map[string]time.Time) (state string) {
	for _, m := range r.Members {
		key := holder + " holds " + m.Name
		switch {
		case m.Name == victim:
			state = m.State
		case m.State == "alive":
			delete(others, key)
		case others[key].IsZero():
			others[key] = time.Now()
		case time.Since(others[key]) > othersSuspect:
			w.t.Errorf("%s %s for %v", key, m.State, time.Since(others[key]))
		}
	}
	return state
}

// wantStory asks why, and wants the whole story of the death, which it gives.
func (w *network) wantStory(victim, teller int, epoch uint64) (story string) {
	w.t.Helper()
	want := []string{"dead", "observer"}
	if w.seeded() {
		want = []string{
			fmt.Sprintf("by the ruling of epoch %d. ", epoch), " and asked its ", " observers; ", "Of the 3 seeds ", "What would change it",
			" statement ", "signed: unreachable", " case-opened ", " ballot ", " voted yes: no answer from " + w.nodes[victim].Addr, " ruled ",
		}
	}
	name := w.nodes[victim].Name
	w.until("told why "+name+" is out, by "+w.nodes[teller].Name, toldWithin, func() string {
		story = w.hearsay(0, teller, "why", name)
		for _, words := range want {
			if !strings.Contains(story, words) {
				return fmt.Sprintf("no %q in:\n%s", words, story)
			}
		}
		return ""
	})
	return story
}
