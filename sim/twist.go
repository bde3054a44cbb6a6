package sim

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/node"
)

// twist stands between a node and its world, and makes the machine misbehave
// as seen from outside: the core knows nothing of it. Plants and attacks are
// made of it, and it is the only way to make a machine lie. Each field may be
// nil.
type twist struct {
	// unjudged: the checker does not hold this machine to the rules, as it lies
	// on purpose; what it makes honest ones do is held to them.
	unjudged bool

	// configures changes what the node is told at its start.
	configures func(w *World, m *machine, c *node.Config)

	// loads changes what the disk gives to the node at its start.
	loads func(w *World, m *machine, records []core.Record) []core.Record

	// takes sees each packet before the checker and the node do, and may change
	// it. If it reports false, neither ever does.
	takes func(w *World, m *machine, p *core.Packet) bool

	// steps sees the effects of each step of the node, those of its ticks too,
	// before they are checked and carried out, and may change them. A packet that
	// it adds goes out in the name of the node unless From says otherwise.
	steps func(w *World, m *machine, e *core.Effects)

	// shows sees what the node of a seeded network holds when the checker looks
	// at it, and may change what the checker sees.
	shows func(w *World, m *machine, shown *standing)

	// tells sees what the node tells of a case when the checker asks, and may change it.
	tells func(w *World, m *machine, file *hearsay.CaseFile)

	// figures sees the figures of the node when the checker looks at what it says of itself, and may change them.
	figures func(s *hearsay.Stats)

	// deadline changes when the node says that it is due.
	deadline func(w *World, m *machine, at time.Time) time.Time

	// sends sees each packet as the bytes that go out, and may change them.
	sends func(w *World, m *machine, f *flight)
}

// honest is the twist of machines that have none.
var honest = new(twist)

// bend gives a machine, by number, a twist. It must not have started.
func (w *World) bend(number int, t *twist) { w.machines[number-1].twist = t }
