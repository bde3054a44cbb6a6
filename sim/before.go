package sim

import (
	"hearsay/internal/core"
)

// This file has some nodes of a world be of the version before: they drop packets of a kind that they do not
// know, as package wire does.

// bendBefore makes nodes be of the version before.
func (w *World) bendBefore() {
	for i := range w.machines {
		if m := &w.machines[i]; w.isBefore(m) && m.twist == honest {
			w.bend(i+1, &twist{takes: dropsUnknown})
		}
	}
}

// isBefore reports whether a machine's node is of the version before. What it promises may be delayed by those
// that know more.
func (w *World) isBefore(m *machine) bool { return int(m.index) >= len(w.machines)-w.config.Before }

// dropsUnknown drops a packet of a kind that the version before does not know.
func dropsUnknown(_ *World, _ *machine, p *core.Packet) bool {
	_, is := p.Body.(*core.Away)
	return !is
}
