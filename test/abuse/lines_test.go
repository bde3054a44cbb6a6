package abuse

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
)

// removedWithin is how soon a guest that is gone must be out: of the older
// peers' patience of 2 s, the trial, and room on a busy machine.
const removedWithin = 40 * time.Second

// TestLinesByHand speaks with seeds as people do with nc, and as the older
// peers do.
func TestLinesByHand(t *testing.T) {
	besideOthers(t)
	w := start(t)
	epoch := w.guestComesAndGoes(peersCount, "stops", func(g *guest) { g.stop() })
	epoch = w.guestComesAndGoes(epoch, "hangs", func(g *guest) { g.hangs.Store(true) })
	w.opinions()
	w.commits()
	w.reports()
	w.badLines()
	w.peerLines()
	w.wantInTime()
	if !w.agreed(epoch, seedsCount+peersCount, "") {
		for _, n := range w.all() {
			listed, at := w.members(n)
			t.Errorf("%s is at epoch %d, want %d: %+v", n.Name, at, epoch, listed)
		}
	}
}

// guestComesAndGoes has a guest registered, and then removed, since it does
// not answer any more.
func (w *network) guestComesAndGoes(epoch hearsay.Epoch, how string, end func(*guest)) hearsay.Epoch {
	t := w.t
	t.Helper()
	g := newGuest(t)
	first, asked := w.register(g)
	want(t, first, "REGISTER_COMMIT", map[string]any{"proposal_id": "reg:" + g.addr, "success": true})
	if asked == 1 && (!first.is("quorum", 2) || first.is("yes_votes", 0) || first.is("yes_votes", nil)) {
		t.Errorf("%v: want the votes", first)
	}
	w.until("in everywhere", removedWithin, func() bool { return w.agreed(epoch+1, seedsCount+peersCount+1, "") })
	w.wantListed(g, true)
	again := w.ask(w.seeds[1], "REGISTER_REQ", fields("peer", g.addr, nil))
	want(t, again, "REGISTER_COMMIT", map[string]any{"success": true})
	if _, votes := again.Payload["yes_votes"]; votes {
		t.Errorf("%v: registered twice", again)
	}
	lone := w.ask(w.seeds[0], "DEAD_REPORT", fields("dead", g.addr, nil))
	want(t, lone, "SEED_DEAD_COMMIT", map[string]any{"proposal_id": "dead:" + g.addr, "success": false})
	if g.asked.Load() == 0 {
		t.Error("nobody asked the guest whether it is there")
	}
	end(g)
	took := w.until("out everywhere", removedWithin, func() bool { return w.agreed(epoch+2, seedsCount+peersCount, "") })
	t.Logf("a guest that %s: out everywhere after %v", how, took.Round(time.Millisecond))
	w.wantListed(g, false)
	late := w.ask(w.seeds[2], "DEAD_REPORT", fields("dead", g.addr, map[string]any{"reporter": w.peers[0].Addr}))
	want(t, late, "SEED_DEAD_COMMIT", map[string]any{"success": true, "already": true})
	return epoch + 2
}

// register has a guest ask to be in, and ask again while it is told that this
// is being decided: how, is told only to those for which it is decided in the time of an
// answer.
func (w *network) register(g *guest) (a *answer, asked int) {
	w.t.Helper()
	for began := time.Now(); ; {
		a, asked = w.ask(w.seeds[0], "REGISTER_REQ", fields("peer", g.addr, nil)), asked+1
		why, _ := a.Payload["error"].(string)
		if waits := strings.Contains(why, "it is being decided") || strings.Contains(why, "no answer in time"); !waits || time.Since(began) > removedWithin {
			return a, asked
		}
	}
}

// wantListed checks that all seeds list the peers, and the guest or not.
func (w *network) wantListed(g *guest, in bool) {
	w.t.Helper()
	var addrs []string
	for _, p := range w.peers {
		addrs = append(addrs, p.Addr)
	}
	if in {
		addrs = append(addrs, g.addr)
	}
	slices.Sort(addrs)
	for _, seed := range w.seeds {
		a := w.ask(seed, "PEER_LIST_REQ", map[string]any{"requester": g.addr})
		want(w.t, a, "PEER_LIST_RESP", map[string]any{"peers": fmt.Sprint(addrs), "seed": seed.Addr})
	}
}

// opinions asks a seed what it thinks itself.
func (w *network) opinions() {
	ask := func(kind, prefix, addr string) *answer {
		return w.ask(w.seeds[0], kind, fields(prefix, addr, map[string]any{"action": "REQUEST", "proposal_id": "mine", "proposer": w.seeds[1].Addr}))
	}
	for _, one := range []struct {
		kind, prefix, addr string
		vote               bool
	}{
		{"REGISTER_VOTE", "peer", w.seeds[1].Addr, false}, // it is a seed's
		{"REGISTER_VOTE", "peer", w.peers[0].Addr, true},  // it is in
		{"SEED_DEAD_VOTE", "dead", w.peers[0].Addr, false},
		{"SEED_DEAD_VOTE", "dead", "127.0.0.1:1", true}, // nobody is in there
	} {
		want(w.t, ask(one.kind, one.prefix, one.addr), one.kind, map[string]any{
			"action": "RESPONSE", "proposal_id": "mine", "vote": one.vote, "voter": w.seeds[0].Addr,
		})
		answered := w.ask(w.seeds[0], one.kind, fields(one.prefix, one.addr, map[string]any{"action": "RESPONSE", "vote": true}))
		want(w.t, answered, one.kind, map[string]any{"vote": false, "ack_only": true})
	}
}

// commits tells a seed what others have not decided.
func (w *network) commits() {
	for kind, prefix := range map[string]string{"REGISTER_COMMIT": "peer", "SEED_DEAD_COMMIT": "dead"} {
		a := w.ask(w.seeds[0], kind, fields(prefix, w.peers[0].Addr, map[string]any{
			"proposal_id": "mine", "decision": "COMMIT", "source_seed": w.seeds[1].Addr, "ack_only": true,
		}))
		want(w.t, a, kind, map[string]any{"ack": false, "ack_only": true})
		if a.is("error", "") || a.is("error", nil) {
			w.t.Errorf("%v: want to be told why not", a)
		}
	}
}

// reports tells each seed that each peer is dead.
func (w *network) reports() {
	for _, seed := range w.seeds {
		for _, peer := range w.peers {
			a := w.ask(seed, "DEAD_REPORT", fields("dead", peer.Addr, map[string]any{
				"self_ip": "127.0.0.1", "timestamp": time.Now().Unix(), "reporter": w.peers[4].Addr,
			}))
			if a.is("success", true) || a.Type == "SEED_DEAD_COMMIT" && !a.is("success", false) {
				w.t.Errorf("a report about a peer that lives: %v", a)
			}
		}
	}
}

// peerLines speaks with a peer as the older peers do.
func (w *network) peerLines() {
	asked, other := w.peers[0], w.peers[1]
	var stats hearsay.Stats
	if stats = w.stats(asked); stats.Links == 0 {
		w.t.Errorf("%s has no links", asked.Name)
	}
	for _, one := range []struct {
		kind    string
		payload map[string]any
		reply   string
		want    map[string]any
	}{
		{"SUSPECT_REQ", fields("dead", other.Addr, map[string]any{"requester": other.Addr}), "SUSPECT_ACK", map[string]any{"suspect": other.Addr, "alive": true, "confirmer": asked.Addr}},
		{"SUSPECT_REQ", fields("dead", asked.Addr, nil), "SUSPECT_ACK", map[string]any{"suspect": asked.Addr, "alive": true, "confirmer": asked.Addr}},
		{"SUSPECT_REQ", fields("dead", w.seeds[0].Addr, nil), "SUSPECT_ACK", map[string]any{"alive": true}},
		{"SUSPECT_REQ", fields("dead", "127.0.0.1:1", nil), "ERROR", nil},
		{"SUSPECT_REQ", map[string]any{"dead_ip": "127.0.0.1"}, "ERROR", nil},
		{"HELLO", fields("peer", "127.0.0.1:1", map[string]any{"degree": 2}), "HELLO_ACK", map[string]any{"accepted": true, "degree": stats.Links}},
		{"GOSSIP_MSG", map[string]any{"message": "1:127.0.0.1:1"}, "GOSSIP_MSG", map[string]any{"accepted": false}},
		{"GOSSIP_MSG", map[string]any{"message": ""}, "GOSSIP_MSG", map[string]any{"accepted": false, "reason": "empty_message"}},
		{"REGISTER_REQ", fields("peer", other.Addr, nil), "ERROR", map[string]any{"reason": "Unsupported type: REGISTER_REQ"}},
		{"HELLO_WORLD", map[string]any{}, "ERROR", nil},
	} {
		a := w.ask(asked, one.kind, one.payload)
		want(w.t, a, one.reply, one.want)
		if why, _ := a.Payload["reason"].(string); one.reply == "ERROR" && why == "" {
			w.t.Errorf("%s: %v", one.kind, a)
		}
	}
	for _, text := range []string{"{]\n", `{"type":"SUSPECT_REQ","pay`, "{" + strings.Repeat("x", 2<<20)} {
		a, err := exchange(asked.Addr, home, []byte(text))
		if err != nil || a.Type != "ERROR" {
			w.t.Errorf("%.30q: %v, %v", text, a, err)
			continue
		}
		w.timed(fmt.Sprintf("%.30q", text), a)
	}
}

// badLines sends what is no request: each is answered in words, within bounds.
func (w *network) badLines() {
	long := strings.Repeat("a", 65<<10)
	for _, bad := range []struct{ name, text, kind string }{
		{"unknown type", `{"type":"HELLO_WORLD","payload":{}}` + "\n", "REGISTER_COMMIT"},
		{"bad JSON", `{"type":` + "\n", "REGISTER_COMMIT"},
		{"no payload", `{"type":"PEER_LIST_REQ"}` + "\n", "REGISTER_COMMIT"},
		{"a field that lacks", `{"type":"REGISTER_REQ","payload":{"peer_ip":"127.0.0.1"}}` + "\n", "REGISTER_COMMIT"},
		{"a port that is none", `{"type":"REGISTER_REQ","payload":{"peer_ip":"127.0.0.1","peer_port":70000}}` + "\n", "REGISTER_COMMIT"},
		{"nested", `{"type":"PEER_LIST_REQ","payload":` + strings.Repeat("[", 60000) + "\n", "REGISTER_COMMIT"},
		{"half a line", `{"type":"PEER_LIST_REQ","pay`, "REGISTER_COMMIT"},
		{"65 KiB", `{"type":"PEER_LIST_REQ","payload":{"requester":"` + long + `"}}` + "\n", "REGISTER_COMMIT"},
		{"endless", "{" + strings.Repeat(long, 32), "REGISTER_COMMIT"},
		{"a peer's type", `{"type":"HELLO","payload":{"peer_ip":"127.0.0.1","peer_port":1}}` + "\n", "ERROR"},
		{"a reply", `{"type":"PEER_LIST_RESP","payload":{"peers":[]}}` + "\n", "ERROR"},
	} {
		a, err := exchange(w.seeds[2].Addr, home, []byte(bad.text))
		if err != nil {
			w.t.Errorf("%s: %v", bad.name, err)
			continue
		}
		w.timed(bad.name, a)
		want(w.t, a, bad.kind, nil)
		said := "error"
		if bad.kind == "ERROR" {
			said = "reason"
		} else if !a.is("success", false) {
			w.t.Errorf("%s: %v", bad.name, a)
		}
		if why, _ := a.Payload[said].(string); why == "" || len(a.text) > 1<<10 {
			w.t.Errorf("%s: %v", bad.name, a)
		}
	}
}
