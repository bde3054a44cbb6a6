package roster

import (
	"encoding/binary"

	"hearsay"
)

// Crowd lists n made-up members without asking for their word.
func (r *Roster) Crowd(n int, state hearsay.State) {
	for range n {
		m := &member{state: state, incarnation: 1, told: -1}
		binary.LittleEndian.PutUint64(m.id[8:], r.random.Uint64())
		r.members.put(m)
		if state.Living() {
			r.enlist(&r.living, m)
		} else {
			r.enlist(&r.gone, m)
		}
	}
}
