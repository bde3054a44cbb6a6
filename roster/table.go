package roster

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// member is what a roster keeps of one member besides its word. There are as many of these as the square of the
// network's size in a simulation, so it has no pointer and no gap: 12 bytes. What few have is in tables of its own; see
// members.held, members.met and addresses.kept.
type member struct {
	word      int32  // its number; 0: nobody is listed here
	sinceLow  uint32 // when it came into state, in milliseconds after table.zero
	told      int16  // how often its claim was told; -1: it is no news
	sinceHigh uint8  // 2^40 ms are 34 years
	state     hearsay.State
}

// table is the members that a roster lists, by the number of the subject.
type table struct {
	cards    *Cards
	zero     time.Time // before all that a member can be since
	pages    []*page
	count    int
	released []int32 // words of those taken off in this step: their numbers are in use until it ends
}

// page holds members whose numbers follow each other. It stays where it is, so that a member may be pointed to.
type page [pageSize]member

const pageSize = 32

// at gives the member with a number, or nil.
func (t *table) at(number int32) *member {
	if int(number/pageSize) < len(t.pages) {
		if p := t.pages[number/pageSize]; p != nil && p[number%pageSize].word != 0 {
			return &p[number%pageSize]
		}
	}
	return nil
}

// get gives the member, or nil.
func (t *table) get(id hearsay.NodeID) *member { return t.at(t.cards.find(id)) }

// put lists a node that is not listed.
func (t *table) put(id hearsay.NodeID, incarnation hearsay.Incarnation, card *hearsay.Card) *member {
	w := t.cards.hold(id, incarnation, card)
	number := t.cards.words[w].subject
	for int(number/pageSize) >= len(t.pages) {
		t.pages = append(t.pages, nil)
	}
	p := t.pages[number/pageSize]
	if p == nil {
		p = new(page)
		t.pages[number/pageSize] = p
	}
	m := &p[number%pageSize]
	*m = member{word: w, told: -1}
	t.count++
	return m
}

// renew lists a member by a newer word.
func (t *table) renew(m *member, incarnation hearsay.Incarnation, card *hearsay.Card) {
	old := m.word
	m.word = t.cards.hold(t.id(m), incarnation, card)
	t.cards.release(old)
}

// remove takes a member off the list. Its number remains its own until the step ends: others may not have heard yet.
func (t *table) remove(m *member) {
	t.released = append(t.released, m.word)
	*m = member{}
	t.count--
}

// begin ends what the last step left.
func (t *table) begin() {
	for _, w := range t.released {
		t.cards.release(w)
	}
	if len(t.released) > 0 {
		t.released = nil
	}
}

// word gives a member's word, until the next one is listed or renewed.
func (t *table) word(m *member) *word { return &t.cards.words[m.word] }

// number gives what a member is listed by.
func (t *table) number(m *member) int32 { return t.cards.words[m.word].subject }

func (t *table) id(m *member) hearsay.NodeID { return t.cards.subjects[t.number(m)].id }

func (t *table) card(m *member) hearsay.Card               { return t.word(m).card() }
func (t *table) addr(m *member) netip.AddrPort             { return t.word(m).addr() }
func (t *table) name(m *member) string                     { return t.word(m).name }
func (t *table) incarnation(m *member) hearsay.Incarnation { return t.word(m).incarnation }

// since is when a member came into its state, to the millisecond.
func (t *table) since(m *member) time.Time {
	return t.zero.Add(time.Duration(uint64(m.sinceHigh)<<32|uint64(m.sinceLow)) * time.Millisecond)
}

func (t *table) setSince(m *member, at time.Time) {
	const last = 1<<40 - 1
	since := uint64(min(max(0, at.Sub(t.zero)/time.Millisecond), last))
	m.sinceLow, m.sinceHigh = uint32(since), uint8(since>>32)
}

// list is members by number, in an order that only chance decides, unless it is said to be another.
type list []int32

func (l *list) add(number int32) { *l = append(grown(*l), number) }

// remove takes out a number that is there: the last takes its place.
func (l *list) remove(number int32) {
	last := len(*l) - 1
	(*l)[slices.Index(*l, number)] = (*l)[last]
	*l = (*l)[:last]
}

// removeInOrder does the same, and leaves the others in their order.
func (l *list) removeInOrder(number int32) {
	at := slices.Index(*l, number)
	*l = slices.Delete(*l, at, at+1)
}
