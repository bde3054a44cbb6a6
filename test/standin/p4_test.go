package standin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestGossipOfP4IsStrict(t *testing.T) {
	whole := `{"id":"a","data":{"key":"k","value":{"b": 1},"operation":"update","more":1},"timestamp":1.5,"sender_id":"n","excitement_level":9,"propagation_count":1,"recipients_seen":["n"]}`
	r, data, err := parseRumor([]byte(whole))
	if err != nil || string(data.Value) != `{"b": 1}` || !strings.Contains(string(r.Data), `"more":1`) {
		t.Errorf("value %s of %s, %v", data.Value, r.Data, err)
	}
	for was, is := range map[string]string{
		`{"id"`:                    `{"more":1,"id"`,
		`"timestamp":1.5,`:         ``,
		`"update"`:                 `"delete"`,
		`"excitement_level":9`:     `"excitement_level":"9"`,
		`"recipients_seen":["n"]`:  `"recipients_seen":["n"]}{`,
		`"key":"k",`:               ``,
		`"operation":"update"`:     `"operation":"node_failed"`,
		`"recipients_seen":["n"]}`: `"recipients_seen":["n"]`,
	} {
		if _, _, err := parseRumor([]byte(strings.Replace(whole, was, is, 1))); err == nil {
			t.Errorf("%s instead of %s is taken", is, was)
		}
	}
}

func TestP4Network(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, flags ...string) {
		faults := flags != nil
		w := &network{t: t}
		var first []string
		for i := range peersCount {
			args := append([]string{"p4", speed}, flags...)
			w.peers = append(w.peers, Start(t, "", append(append(args, fmt.Sprintf("node_%d", i+1), "0"), first...)...))
			first = []string{w.peers[0].Addr}
		}
		know := func(of []*Process, members int) {
			w.until("all know all", func() string {
				for _, p := range of {
					if s := p.State(t); len(s.Known) != members {
						return fmt.Sprintf("%s knows %q", p.Addr, s.Known)
					}
				}
				return ""
			})
		}
		adders := w.peers
		if faults { // joiners were told nothing, as they did not listen
			adders = w.peers[:1]
		}
		know(adders, peersCount-1)
		for i, p := range adders {
			value := fmt.Sprintf(`{"n": %d}`, i)
			if got := post(t, p.Addr, "add_data", fmt.Sprintf(`{"key":"k%d","value":%s,"more":1}`, i, value)); got != http.StatusOK {
				t.Errorf("add_data at %s: %d", p.Addr, got)
			}
		}
		w.until("the keys everywhere", func() string {
			gone := w.peers[0].State(t).Gone
			for i, p := range w.peers {
				if faults && slices.Contains(gone, fmt.Sprintf("node_%d", i+1)) {
					continue // it was pinged before it listened, and is dead for ever
				}
				if s := status(t, p.Addr); len(s.Data) != len(adders) || string(s.Data["k0"]) != `{"n":0}` {
					return fmt.Sprintf("%s has %q", p.Addr, s.Data)
				}
			}
			return ""
		})
		if got := post(t, w.peers[0].Addr, "gossip", `{"id":"a"}`); got != http.StatusBadRequest {
			t.Errorf("bad gossip: %d", got)
		}
		w.kill(peersCount - 1)
		w.until("seen dead", func() string {
			for _, p := range adders[:min(len(adders), len(w.peers))] {
				if s := status(t, p.Addr); s.Members["node_5"].IsAlive || len(s.Members) != peersCount {
					return fmt.Sprintf("%s has %v", p.Addr, s.Members)
				}
			}
			return ""
		})
	})
}

func post(t *testing.T, addr, what, body string) (code int) {
	t.Helper()
	got, err := http.Post("http://"+addr+"/api/"+what, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	return got.StatusCode
}

type p4Status struct {
	Members map[string]p4Member        `json:"members"`
	Data    map[string]json.RawMessage `json:"local_data"`
}

func status(t *testing.T, addr string) (s p4Status) {
	t.Helper()
	got, err := http.Get("http://" + addr + "/api/status")
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if err := json.NewDecoder(got.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}
