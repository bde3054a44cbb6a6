package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// lastQuorum is what a machine says of seeds without which just a quorum is left; "": nothing.
func (m *machine) lastQuorum() string {
	if m.condition != conditionRunning {
		return ""
	}
	all := troublesOf(m)
	if at := slices.IndexFunc(all, func(one string) bool { return strings.Contains(one, "just a quorum of seeds is left") }); at >= 0 {
		return all[at]
	}
	return ""
}

// tellsOfQuorums gathers, by machine, the events that say that just a quorum of seeds is left, or more again.
func tellsOfQuorums(w *World) map[string]string {
	told := make(map[string]string)
	for i := range w.machines {
		w.machines[i].twist = &twist{steps: func(_ *World, m *machine, e *core.Effects) {
			for i := range e.Events {
				if kind := e.Events[i].Kind; kind == hearsay.EventLastQuorum || kind == hearsay.EventQuorumSpare {
					told[m.name] += kind.String() + " "
				}
			}
		}}
	}
	return told
}

// A machine that is cut off, from all or from the seeds alone, blames no seed while it finds that out, nor do others.
func TestCutOffMachineBlamesNoSeed(t *testing.T) {
	t.Parallel()
	const begins = 30 * time.Second
	between := func(name, other string) string {
		return fmt.Sprintf("at %[1]v cut %[2]s -> %[3]s\nat %[1]v cut %[3]s -> %[2]s\n", begins, name, other)
	}
	for name, text := range map[string]string{
		"from all":       fmt.Sprintf("at %[1]v loss-in 1 n3\nat %[1]v loss-out 1 n3", begins),
		"sends nothing":  fmt.Sprintf("at %v loss-out 1 n3", begins),
		"hears nothing":  fmt.Sprintf("at %v loss-in 1 n3", begins),
		"from seeds":     between("n3", "s1") + between("n3", "s2") + between("n3", "s3"),
		"no streams":     fmt.Sprintf("at %v loss-streams 1 n3", begins),
		"from two seeds": between("n3", "s1") + between("n3", "s2"),
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(large(2, 6)) {
				w := newScenario(t, 8, text, func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
				for w.RunUntil(begins); w.now < begins+time.Minute; w.RunUntil(w.now + 100*time.Millisecond) {
					for i := range w.machines {
						if says := w.machines[i].lastQuorum(); says != "" {
							t.Fatalf("seed %d: %v after it began %s says: %s", seed, w.now-begins, w.machines[i].name, says)
						}
					}
				}
			}
		})
	}
}

// Where a seed is gone, or no streams get to it, each node that can know says within some seconds which it is, tells it
// once as an event, and so once that more than a quorum is left again.
func TestLastQuorumIsToldSoon(t *testing.T) {
	t.Parallel()
	const begins = 30 * time.Second
	leads := func(m *machine, w *World) bool { return int(m.index) == w.leader()-1 }
	for name, test := range map[string]struct {
		breaks, mends string
		within, ends  time.Duration
		says          string
		by            func(m *machine, w *World) bool
	}{
		"killed":              {"kill s2", "restart s2", 10 * time.Second, 20 * time.Second, "start it again", func(*machine, *World) bool { return true }},
		"no streams":          {"loss-streams 1 s2", "loss-streams 0 s2", 12 * time.Second, 40 * time.Second, "let TCP and UDP through", leads},
		"cut from seeds":      {"cut s2 -> s1\nat 30s cut s1 -> s2\nat 30s cut s2 -> s3\nat 30s cut s3 -> s2", "heal", 12 * time.Second, 20 * time.Second, "let TCP and UDP through", leads},
		"sends seeds nothing": {"cut s2 -> s1\nat 30s cut s2 -> s3", "heal", 12 * time.Second, 20 * time.Second, "let TCP and UDP through", leads},
		"hears no seeds":      {"cut s1 -> s2\nat 30s cut s3 -> s2", "heal", 12 * time.Second, 20 * time.Second, "let TCP and UDP through", leads},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(large(2, 6)) {
				const lasts = time.Minute
				w := newScenario(t, 8, fmt.Sprintf("at %v %s\nat %v %s", begins, test.breaks, begins+lasts, test.mends), func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
				told := tellsOfQuorums(w)
				w.RunUntil(begins)
				clear(told) // seeds that started late
				w.RunUntil(begins + test.within)
				says := func(want bool) {
					for i := range w.machines {
						m := &w.machines[i]
						text := m.lastQuorum()
						if !test.by(m, w) && text != "" {
							t.Errorf("seed %d: %v after it began %s, which cannot know it, says %q", seed, w.now-begins, m.name, text)
						}
						if m.name == "s2" || !test.by(m, w) {
							continue
						}
						if is := strings.Contains(text, "s2") && strings.Contains(text, test.says); is != want || !want && text != "" {
							t.Errorf("seed %d: %v after it began %s says %q", seed, w.now-begins, m.name, text)
						}
						file, err := m.why(w.timeOf(m), "s2")
						if why := file.Summary; err != nil || strings.Contains(why, test.says) != want {
							t.Errorf("seed %d: %v after it began %s says why: %s", seed, w.now-begins, m.name, why)
						}
						if wanted := map[bool]string{true: "last-quorum ", false: "last-quorum quorum-spare "}[want]; told[m.name] != wanted {
							t.Errorf("seed %d: %v after it began %s has told %q", seed, w.now-begins, m.name, told[m.name])
						}
					}
				}
				says(true)
				w.RunUntil(begins + lasts + test.ends)
				says(false)
			}
		})
	}
}

// Of a seed that did not answer the one that leads, and then ends, it is said since when it has answered nobody, that
// its log says why, and nothing of the way to it.
func TestASeedThatEndsIsSilentSinceThen(t *testing.T) {
	t.Parallel()
	const begins, ends = 30 * time.Second, 60 * time.Second
	for seed := range uint64(large(2, 6)) {
		w := newScenario(t, 8, fmt.Sprintf("at %v loss-streams 1 s2\nat %v kill s2\nat %v loss-streams 0 s2", begins, ends, ends), func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
		for w.RunUntil(ends + 8*time.Second); w.now < ends+time.Minute; w.RunUntil(w.now + time.Second) {
			for i := range w.machines {
				m := &w.machines[i]
				if m.condition != conditionRunning {
					continue
				}
				a := m.node.Seeded().Authority()
				s2 := &a.Seeds[1]
				if since := w.timeOf(m).Add(ends - w.now); s2.Silent.Before(since) || strings.Contains(s2.Note, "streams (TCP) may not") {
					t.Errorf("seed %d: after %v %s has s2 silent since %v: %s", seed, w.now-ends, m.name, s2.Silent, s2.Note)
				}
				if text := m.lastQuorum(); !strings.Contains(text, "see what its log says last, and start it again unless that says otherwise") {
					t.Errorf("seed %d: after %v %s says %q", seed, w.now-ends, m.name, text)
				}
			}
		}
	}
}

// The seed that leads says of one that answers pings that just a quorum is left. When another leads, neither that nor
// the first says that more is, as it is not so; and once the seed is heard the one that leads says that.
func TestANewLeadIsNoSpareSeed(t *testing.T) {
	t.Parallel()
	const begins, again, heals = 30 * time.Second, 63 * time.Second, 100 * time.Second
	changed := 0
	for _, fault := range []string{"loss-in", "loss-out"} {
		for short := range 3 {
			ends := again + time.Duration(10+3*short)*100*time.Millisecond
			w := newScenario(t, 8, fmt.Sprintf("at %v loss-streams 1 s2\nat %v %s 1 s1\nat %v %s 0 s1\nat %v loss-streams 0 s2", begins, again, fault, ends, fault, heals), withSeeds(3))
			told := tellsOfQuorums(w)
			w.RunUntil(begins)
			clear(told)
			w.RunUntil(again)
			was := w.leader()
			w.RunUntil(heals)
			for name, one := range told {
				if strings.Contains(one, "quorum-spare") {
					t.Errorf("%s until %v: %s tells %s", fault, ends, name, one)
				}
			}
			if w.leader() != was {
				changed++
			}
			w.RunUntil(heals + 40*time.Second)
			if name := w.machines[w.leader()-1].name; told[name] != "last-quorum quorum-spare " {
				t.Errorf("%s until %v: %s, which leads, tells %q", fault, ends, name, told[name])
			}
		}
	}
	if changed == 0 {
		t.Error("the same seed leads always")
	}
}
