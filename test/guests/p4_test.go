package guests

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearsay"
	"hearsay/test/process"
	"hearsay/test/standin"
)

// within is what a key takes at most from any node to all.
const within = 10 * time.Second

// cluster is nodes of ours and stand-ins of p4.
type cluster struct {
	*testing.T
	*network
	all   map[string]*standin.Process
	flags []string          // of the stand-ins
	at    map[string]string // where each serves HTTP, by name
	ends  map[string]func()
	runs  map[string]*process.Program
	addr  map[string]string // of ours, where it gossips
}

func newCluster(t *testing.T, flags ...string) *cluster {
	t.Helper()
	return &cluster{t, newNetwork(t, nil), map[string]*standin.Process{}, flags, map[string]string{}, map[string]func(){}, map[string]*process.Program{}, map[string]string{}}
}

// theirs starts a stand-in that joins others by their HTTP, at a port or at any.
func (c *cluster) theirs(name, port string, others ...string) {
	c.Helper()
	args := append(append([]string{"p4", speed}, c.flags...), name, port)
	for _, other := range others {
		args = append(args, c.at[other])
	}
	p := standin.Start(c.T, "", args...)
	c.at[name], c.ends[name], c.all[name], c.runs[name] = p.Addr, p.Kill, p, p.Program
}

// ours starts a node of ours that joins a stand-in, or a node of ours.
func (c *cluster) ours(name, http string, join ...string) {
	c.Helper()
	args := []string{process.Binary(c.T), "peer", "--ip", "127.0.0.1", "--port", "0", "--http", http, "--name", name, "--settings", c.file("quickly.toml"), "--json"}
	for _, other := range join {
		at := "http://" + c.at[other]
		if c.addr[other] != "" {
			at = c.addr[other]
		}
		args = append(args, "--join", at)
	}
	c.started(process.Run(c.T, c.file(name+".log"), args...))
}

// started takes a node of ours among the others.
func (c *cluster) started(p *process.Program) {
	name := p.Said.Name
	c.at[name], c.addr[name], c.runs[name] = p.Said.HTTP, p.Said.Addr, p
	c.ends[name] = func() { p.Cmd.Process.Kill(); <-p.Ended }
}

// kill ends a node without a word, and gives where it served.
func (c *cluster) kill(name string) (port string) {
	c.ends[name]()
	_, port, _ = strings.Cut(c.at[name], ":")
	delete(c.at, name)
	return port
}

type p4Status struct {
	NodeID  string `json:"node_id"`
	Members map[string]struct {
		Host  string
		Port  int
		Alive bool `json:"is_alive"`
	}
	Data map[string]json.RawMessage `json:"local_data"`
}

func (c *cluster) status(name string) (s p4Status, err error) {
	got, err := http.Get("http://" + c.at[name] + "/api/status")
	if err != nil {
		return s, err
	}
	defer got.Body.Close()
	return s, json.NewDecoder(got.Body).Decode(&s)
}

func (c *cluster) post(name, path, body string) {
	c.Helper()
	got, err := http.Post("http://"+c.at[name]+path, "application/json", strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	defer got.Body.Close()
	if text, _ := io.ReadAll(got.Body); got.StatusCode != http.StatusOK {
		c.Fatalf("%s %s at %s: %d %s", path, body, name, got.StatusCode, text)
	}
}

// until waits until all nodes say what they should.
func (c *cluster) until(what string, limit time.Duration, lacks func(name string, s p4Status) string) {
	c.Helper()
	took := process.Until(c.T, what, limit, func() string {
		for _, name := range slices.Sorted(maps.Keys(c.at)) {
			s, err := c.status(name)
			if err != nil {
				return fmt.Sprintf("%s: %v", name, err)
			}
			if why := lacks(name, s); why != "" {
				return name + " " + why
			}
		}
		return ""
	})
	c.Logf("%s after %v", what, took.Round(time.Millisecond))
}

// agree waits until all nodes hold all that run for alive, at their ports, and these for dead.
func (c *cluster) agree(dead ...string) {
	c.Helper()
	c.until(fmt.Sprintf("all alive but %q", dead), soon, func(_ string, s p4Status) string {
		if len(s.Members) != len(c.at)+len(dead) {
			return fmt.Sprintf("lists %v", s.Members)
		}
		for id, at := range c.at {
			if m, known := s.Members[id]; !known || !m.Alive || m.Host != "localhost" || fmt.Sprintf("127.0.0.1:%d", m.Port) != strings.Replace(at, "localhost", "127.0.0.1", 1) {
				return fmt.Sprintf("has %s as %+v", id, m)
			}
		}
		for _, id := range dead {
			if m, known := s.Members[id]; known && m.Alive {
				return fmt.Sprintf("has %s alive", id)
			}
		}
		return ""
	})
}

// holds waits until all nodes have these values.
func (c *cluster) holds(what string, want map[string]string) {
	c.Helper()
	c.until(what, within, func(_ string, s p4Status) string {
		for key, value := range want {
			if got := string(s.Data[key]); got != value {
				return fmt.Sprintf("has %s=%s, not %s", key, got, value)
			}
		}
		return ""
	})
}

// Five nodes of p4, two of them ours: where each joins, what is written where and which ones end makes no difference.
func TestP4(t *testing.T) {
	for name, flags := range map[string][]string{"well": nil, "with faults": {"--faults"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, flags...)
			c.theirs("node_1", "0")
			c.post("node_1", "/api/add_data", `{"key":"old","value":{"of":"theirs"}}`)
			c.theirs("node_2", "0", "node_1")
			c.ours("ada", "0", "node_1")
			c.ours("bob", "0", "ada")
			c.theirs("node_3", "0", "bob")
			c.agree()
			want := map[string]string{"old": `{"of":"theirs"}`}
			for i, name := range []string{"node_1", "node_2", "node_3", "ada", "bob"} {
				key, value := "of "+name, fmt.Sprintf(`{"n":%d}`, i)
				c.post(name, "/api/add_data", fmt.Sprintf(`{"key":%q,"value":%s}`, key, value))
				want[key] = value
			}
			c.holds("all keys everywhere", want)

			ada, node2 := c.kill("ada"), c.kill("node_2")
			c.agree("ada", "node_2")
			c.post("node_3", "/api/add_data", `{"key":"meanwhile","value":1}`)
			want["meanwhile"] = "1"
			c.theirs("node_4", "0", "node_3")
			c.ours("cy", "0", "bob")
			c.agree("ada", "node_2")
			c.holds("what was said before at those that come late", want)

			c.theirs("node_2", node2, "node_1")
			c.ours("ada", ada, "bob")
			c.agree()
			c.post("bob", "/api/add_data", `{"key":"old","value":"of ours"}`)
			want["old"] = `"of ours"`
			c.holds("all keys at those that return", want)
			for i, name := range []string{"node_1", "ada", "node_4", "bob"} {
				c.post(name, "/api/add_data", fmt.Sprintf(`{"key":"same","value":%d}`, i))
			}
			c.until("one value", soon, func(_ string, s p4Status) string {
				first, err := c.status("ada")
				if err != nil || string(first.Data["same"]) != string(s.Data["same"]) || s.Data["same"] == nil {
					return fmt.Sprintf("has %s, ada %s, %v", s.Data["same"], first.Data["same"], err)
				}
				return ""
			})
		})
	}
}

// One that stands still is dead on all, and alive again on all once it goes on, with what was written meanwhile.
func TestP4StandsStill(t *testing.T) {
	for name, flags := range map[string][]string{"well": nil, "with faults": {"--faults"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, flags...)
			c.theirs("node_1", "0")
			c.ours("ada", "0", "node_1")
			c.ours("bob", "0", "ada")
			c.theirs("node_2", "0", "ada")
			c.theirs("node_3", "0", "node_1")
			c.agree()
			for i, still := range []string{"node_2", "ada"} {
				at := c.at[still]
				c.runs[still].Cmd.Process.Signal(syscall.SIGSTOP)
				delete(c.at, still)
				c.agree(still)
				c.post("bob", "/api/add_data", fmt.Sprintf(`{"key":"meanwhile","value":%d}`, i))
				c.runs[still].Cmd.Process.Signal(syscall.SIGCONT)
				c.at[still] = at
				c.agree()
				c.holds("what was written meanwhile", map[string]string{"meanwhile": fmt.Sprint(i)})
			}
		})
	}
}

// All write the same keys at the same time: in the end all show the same, and nobody says any more.
func TestP4WritesAtTheSameTime(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.theirs("node_1", "0")
	c.theirs("node_2", "0", "node_1")
	c.ours("ada", "0", "node_1")
	c.ours("bob", "0", "ada")
	c.ours("cy", "0", "ada")
	c.agree()
	var writing sync.WaitGroup
	for name, at := range c.at {
		writing.Go(func() {
			for i := range 60 {
				body := fmt.Sprintf(`{"key":"k%d","value":{"at":%q,"i":%d}}`, i%7, name, i)
				got, err := http.Post("http://"+at+"/api/add_data", "application/json", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				got.Body.Close()
			}
		})
	}
	writing.Wait()
	c.until("all are equal", soon, func(_ string, s p4Status) string {
		first, err := c.status("ada")
		if err != nil || len(first.Data) != 7 || !reflect.DeepEqual(first.Data, s.Data) {
			return fmt.Sprintf("has %s, ada %s, %v", s.Data, first.Data, err)
		}
		return ""
	})
	heard := func() (n int) {
		for _, p := range c.all {
			for _, r := range p.State(t).Rumors {
				n += r.Count
			}
		}
		return n
	}
	process.Until(t, "they are quiet", soon, func() string {
		before := heard()
		process.Pause(3 * time.Second)
		if after := heard(); after != before {
			return fmt.Sprintf("%d rumors came in 3 s", after-before)
		}
		return ""
	})
	for name, p := range c.all {
		if s := p.State(t); s.Undecodable > 0 {
			t.Errorf("%s got %d messages that make no sense, the last %q", name, s.Undecodable, s.Senseless)
		}
	}
}

// A network of theirs becomes one of ours with seeds, node by node, as docs/migrate.md has it: each peer takes the name
// and the port of a node that has ended, and no key is lost.
func TestP4Migration(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	seed := standin.Addresses(1)
	c.config = seed[0] + "\n"
	c.write("config.txt", c.config)
	c.runSeeds()
	c.theirs("node_1", "0")
	c.theirs("node_2", "0", "node_1")
	c.theirs("node_3", "0", "node_1")
	want := map[string]string{}
	add := func(at string) {
		t.Helper()
		key := fmt.Sprintf("k%d", len(want))
		c.post(at, "/api/add_data", fmt.Sprintf(`{"key":%q,"value":[%d]}`, key, len(want)))
		want[key] = fmt.Sprintf("[%d]", len(want))
	}
	peer := func(name, at string, join ...string) {
		t.Helper()
		args := []string{process.Binary(t), "peer", "--ip", "127.0.0.1", "--port", "0", "--config", c.file("config.txt"), "--http", at, "--name", name, "--settings", c.file("quickly.toml"), "--json"}
		c.started(process.Run(t, c.file(name+".log"), append(args, join...)...))
	}
	add("node_2")
	peer("ada", "0", "--join", "http://"+c.at["node_1"])
	c.agree()
	add("ada")
	c.holds("what was there before is everywhere", want)
	for i, name := range []string{"node_1", "node_2", "node_3"} {
		port := c.kill(name)
		c.agree([]string{name}...)
		peer(name, port)
		c.agree()
		add(name)
		add([]string{"node_3", "ada", "ada"}[i])
		c.holds("all keys at a peer in the place of "+name, want)
	}
	var all struct{ Members []hearsay.Member }
	c.ask(c.seeds[0], "/v1/members", &all)
	if len(all.Members) != 5 {
		t.Errorf("the seed lists %v", all.Members)
	}
}

// What asks a node of ours first is told where the others serve HTTP.
func TestP4StatusOfOurs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.ours("ada", "0")
	for _, name := range []string{"bob", "cy"} {
		c.ours(name, "0", "ada")
	}
	process.Until(t, "they know each other", soon, func() string {
		got, err := http.Get("http://" + c.at["cy"] + "/v1/members")
		if err != nil {
			return err.Error()
		}
		defer got.Body.Close()
		var all struct{ Members []hearsay.Member }
		if json.NewDecoder(got.Body).Decode(&all); len(all.Members) != 3 {
			return fmt.Sprintf("cy lists %v", all.Members)
		}
		return ""
	})
	first, err := c.status("cy")
	if err != nil || len(first.Members) != 3 {
		t.Errorf("the first is told %v, %v", first.Members, err)
	}
	c.agree()
}
