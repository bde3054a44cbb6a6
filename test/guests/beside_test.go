package guests

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"hearsay"
	"hearsay/test/process"
	"hearsay/test/standin"
)

// beside is a network with seeds of ours and an earlier program's in one list.
func beside(t *testing.T, ours, theirs int) (w *network, foreign []*standin.Process) {
	t.Helper()
	at := standin.Addresses(ours + theirs)
	w = newNetwork(t, at)
	for _, addr := range at[ours:] {
		foreign = append(foreign, w.standin("p1-seed", addr))
	}
	for i, addr := range at[:ours] {
		var flags []string
		if i == 0 {
			flags = append(flags, "--found") // the others are never met
		}
		w.seeds = append(w.seeds, w.run("seed", fmt.Sprintf("s%d", i+1), addr, flags...))
	}
	return w, foreign
}

// Seeds of ours that are a quorum of the list decide alone. An earlier program's in it are voted for as they ask, and
// what they decide changes nothing here: each side finds out itself.
func TestOurSeedsBesideTheirs(t *testing.T) {
	t.Parallel()
	w, foreign := beside(t, 3, 2)
	at := standin.Addresses(2)
	ours := w.run("peer", "ours", at[0])
	w.until(w.seeds, at[0], "alive")
	theirs := w.standin("p1-peer", at[1]) // it has a quorum of all, with votes of ours
	all := append(slices.Clone(w.seeds), ours)
	w.until(all, theirs.Addr, "alive")
	lists := func(want ...string) string {
		for _, s := range foreign {
			if got := s.State(t).Known; !slices.Equal(got, want) {
				return fmt.Sprintf("%s lists %q", s.Addr, got)
			}
		}
		return ""
	}
	process.Until(t, "their seeds list theirs", soon, func() string { return lists(theirs.Addr) })
	host, port, _ := net.SplitHostPort(theirs.Addr)
	subject := fmt.Sprintf(`"%%s_ip":%q,"%%s_port":%s`, host, port)
	commit := func(kind, of, decision string) string {
		payload := fmt.Sprintf(subject, of, of)
		return say(t, w.seeds[1].Said.Addr, fmt.Sprintf(`{"type":%q,"payload":{"proposal_id":"x","decision":%q,"source_seed":%q,"ack_only":true,%s},"ts":1}`+"\n", kind, decision, foreign[0].Addr, payload))
	}
	vote := func(kind, of string) string {
		payload := fmt.Sprintf(subject, of, of)
		return say(t, w.seeds[1].Said.Addr, fmt.Sprintf(`{"type":%q,"payload":{"action":"REQUEST","proposal_id":"x","proposer":%q,%s},"ts":1}`+"\n", kind, foreign[0].Addr, payload))
	}
	for _, kind := range []string{"SEED_DEAD_COMMIT", "REGISTER_COMMIT"} {
		of := "peer"
		if kind == "SEED_DEAD_COMMIT" {
			of = "dead"
		}
		if got := commit(kind, of, "COMMIT"); !strings.Contains(got, `"ack":false`) || !strings.Contains(got, `"error":`) {
			t.Errorf("a decision of theirs is answered %s", got)
		}
	}
	if got := vote("SEED_DEAD_VOTE", "dead"); !strings.Contains(got, `"vote":false`) {
		t.Errorf("asked whether one is dead that lives: %s", got)
	}
	if got := vote("REGISTER_VOTE", "peer"); !strings.Contains(got, `"vote":true`) {
		t.Errorf("asked whether one may be in that is in: %s", got)
	}
	w.until(all, theirs.Addr, "alive")
	theirs.Kill()
	w.until(all, theirs.Addr, "dead")
	if got := vote("SEED_DEAD_VOTE", "dead"); !strings.Contains(got, `"vote":true`) {
		t.Errorf("asked whether one is dead that is: %s", got)
	}
	for _, s := range foreign {
		state := s.State(t)
		// each of ours asks it, and again after a while
		if state.Undecodable > 8 || state.Undecodable > 0 && !strings.HasSuffix(state.Senseless, "hearsay?\n") {
			t.Errorf("%s has got %d messages that make no sense, the last %q", s.Addr, state.Undecodable, state.Senseless)
		}
	}
}

// Seeds of ours that are no quorum of the list say what is in the way.
func TestTooFewOfOurSeeds(t *testing.T) {
	t.Parallel()
	w, _ := beside(t, 1, 2)
	process.Until(t, "said what is wrong", soon, func() string {
		var authority hearsay.Authority
		w.ask(w.seeds[0], "/v1/authority", &authority)
		if !strings.Contains(authority.Why, "1 others are left, and 2 must agree: give all nodes a list of which a quorum are Hearsay's") {
			return authority.Why
		}
		return ""
	})
}
