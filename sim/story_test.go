package sim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"

	"github.com/cockroachdb/datadriven"
)

// The stories are small networks told event by event. After a change on
// purpose rewrite them with `go test ./sim -run Stories -rewrite`, and read
// them: each must still make sense to a person.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			config, from, packets := DefaultConfig(), time.Duration(0), false
			config.Nodes = 3
			for _, arg := range d.CmdArgs {
				var err error
				switch value := arg.Vals[0]; arg.Key {
				case "nodes":
					config.Nodes, err = strconv.Atoi(value)
				case "seeds":
					config.Seeds, err = strconv.Atoi(value)
				case "seed":
					config.Seed, err = strconv.ParseUint(value, 10, 64)
				case "for":
					config.For, err = time.ParseDuration(value)
				case "packets": // those about rumors are told, too
					packets = value == "rumors"
				case "from":
					from, err = time.ParseDuration(value)
				default:
					err = errors.New("no such argument")
				}
				if err != nil {
					d.Fatalf(t, "%s: %v", arg.Key, err)
				}
			}
			return storyOf(t, config, path, d.Input, from, packets)
		})
	})
}

// storyOf runs a scenario and gives its story from a time on, and at the end
// what became of rumors and who agrees.
func storyOf(t *testing.T, config Config, path, script string, from time.Duration, packets bool) string {
	scenario, err := ParseScenario(path, script, config.Nodes, config.Seeds)
	if err != nil {
		t.Fatal(err)
	}
	var story strings.Builder
	w := NewWorld(config, &story)
	w.Follow(scenario)
	if packets {
		w.watch = func(m *machine, p *core.Packet) {
			if told := w.aboutRumors(p); told != "" {
				to, _ := w.network.machineAt(p.Addr)
				fmt.Fprintf(&story, "%s  %-4s → %s: %s\n", seconds(w.now), m.name, w.machines[to].name, told)
			}
		}
	}
	w.RunUntil(from)
	story.Reset() // what came before is another story
	w.RunUntil(config.For)
	r := w.Result()
	for i := range r.Violations {
		t.Error(&r.Violations[i])
	}
	for i := range w.check.gossip.said {
		s := &w.check.gossip.said[i]
		fmt.Fprintf(&story, "%s  rumor %d of %s: %s\n", seconds(w.now), s.id.Counter, w.check.identities[s.identity].name, s)
	}
	fmt.Fprintf(&story, "%s  %d of %d agree\n", seconds(w.now), r.Converged, r.Running)
	return story.String()
}

// aboutRumors tells a packet as a person would, if it is about rumors.
func (w *World) aboutRumors(p *core.Packet) string {
	name := func(id clock.Dot) string {
		return fmt.Sprintf(" rumor %d of %s", id.Counter, w.check.name(hearsay.NodeID(id.Origin)))
	}
	var b strings.Builder
	switch m := p.Body.(type) {
	case *core.Rumors:
		if b.WriteString("tells"); len(m.Items) == 0 {
			b.WriteString(" that it has seen the same")
		}
		for i := range m.Items {
			b.WriteString(name(m.Items[i].ID))
		}
	case *core.IHave:
		b.WriteString("has")
		for _, id := range m.IDs {
			b.WriteString(name(id))
		}
	case *core.Graft:
		b.WriteString("grafts")
		for _, id := range m.IDs {
			b.WriteString(name(id))
		}
	case *core.Place:
		fmt.Fprintf(&b, "stands %d from %s", m.Hops, w.check.name(m.Root))
		if m.Parent {
			b.WriteString(", below it")
		}
	case *core.Heard:
		b.WriteString("compares what it has seen")
	case *core.Seen:
		fmt.Fprintf(&b, "has seen %d ranges", len(m.Ranges))
	}
	return b.String()
}
