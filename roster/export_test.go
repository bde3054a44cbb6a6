package roster

import (
	"encoding/binary"

	"hearsay"
)

// Crowd lists n made-up members without asking for their word.
func (r *Roster) Crowd(n int, state hearsay.State) {
	for range n {
		var id hearsay.NodeID
		binary.LittleEndian.PutUint64(id[8:], r.random.Uint64())
		m := r.members.put(id, 1, &hearsay.Card{})
		m.state = state
		if state.Living() {
			r.living.add(r.members.number(m))
		} else {
			r.gone.add(r.members.number(m))
		}
	}
}

// Remembered counts what is kept beside the lists, by numbers that others get
// once their members are forgotten.
func (r *Roster) Remembered() int { return len(r.held) + len(r.met) }
