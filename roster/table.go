package roster

import (
	"encoding/binary"

	"hearsay"
)

// table finds members by NodeID: a power of two of slots, at most three
// quarters of them taken. It takes a third of the memory of a map, and is much
// of what an idle node holds.
type table struct {
	secret uint64    // odd, and nobody else's: where members stand cannot be chosen by choosing keys
	slots  []*member // a member stands in its slot, or in the next free one behind
	count  int
}

// slotsMin is how many slots there are at least.
const slotsMin = 8

// slot is where a search for the identity begins.
func (t *table) slot(id hearsay.NodeID) int {
	return int(binary.LittleEndian.Uint64(id[8:])*t.secret>>32) & (len(t.slots) - 1)
}

// get gives the member, or nil.
func (t *table) get(id hearsay.NodeID) *member {
	if t.count == 0 {
		return nil
	}
	for i := t.slot(id); t.slots[i] != nil; i = (i + 1) & (len(t.slots) - 1) {
		if t.slots[i].id == id {
			return t.slots[i]
		}
	}
	return nil
}

// put adds a member that is not there.
func (t *table) put(m *member) {
	if 4*(t.count+1) > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]*member, max(slotsMin, 2*len(old)))
		for _, o := range old {
			if o != nil {
				t.place(o)
			}
		}
	}
	t.place(m)
	t.count++
}

func (t *table) place(m *member) {
	i := t.slot(m.id)
	for t.slots[i] != nil {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = m
}

// remove takes a member out, if it is there. Those behind it that stood
// further on because of it move up, so that every search still ends at a free
// slot.
func (t *table) remove(id hearsay.NodeID) {
	if t.get(id) == nil {
		return
	}
	mask := len(t.slots) - 1
	free := t.slot(id)
	for t.slots[free].id != id {
		free = (free + 1) & mask
	}
	for i := (free + 1) & mask; t.slots[i] != nil; i = (i + 1) & mask {
		if from := t.slot(t.slots[i].id); (i-from)&mask >= (i-free)&mask {
			t.slots[free], free = t.slots[i], i
		}
	}
	t.slots[free] = nil
	t.count--
}
