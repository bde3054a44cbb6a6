package roster

import (
	"encoding/binary"
	"net/netip"

	"hearsay"
)

// Cards are the words of members about themselves, each kept once for all the rosters that hold it: a driver hands the
// same Cards to all nodes of its process. An agent has one node; of a simulated network of 10,000 each node holds the
// same 10,000 words, and then keeps twelve bytes of each member.
//
// Nobody learns anything by it: a roster finds those members only that it lists itself, and nothing that it does
// depends on the numbers that they bear here. A roster that is given up lets go of nothing that it held. Cards are not
// safe for concurrent use.
type Cards struct {
	secret   uint64 // odd, and nobody else's: where members stand cannot be chosen by choosing keys
	subjects []subject
	words    []word // 0 is no word
	noSubject,
	noWord int32 // the first of those that are unused; each names the next
	ids   slots // numbers of subjects
	names slots // numbers of words, of each name one: its head
}

// subject is a node of which there is a word. Its number stays the same as long as any roster lists it.
type subject struct {
	id    hearsay.NodeID
	first int32 // of its words, of which there are few: the rest follow by next
}

// word is what a subject has signed of itself: a card and the incarnation, in
// 160 bytes instead of 184. An agent has one of each member.
type word struct {
	key         hearsay.PublicKey
	signature   hearsay.Signature
	ip          [16]byte
	name        string
	incarnation hearsay.Incarnation
	port        uint16
	role        hearsay.Role

	subject int32
	next    int32 // of the same subject; of one that is unused: the next such
	holders int32 // rosters

	nextNamed, lastNamed int32 // of the same name, after this and before it; before the head there is none
}

func newWord(incarnation hearsay.Incarnation, card *hearsay.Card) word {
	return word{
		key: card.Key, signature: card.Signature, ip: card.Addr.Addr().As16(), port: card.Addr.Port(),
		name: card.Name, role: card.Role, incarnation: incarnation,
	}
}

func (w *word) card() hearsay.Card {
	return hearsay.Card{Key: w.key, Name: w.name, Addr: w.addr(), Role: w.role, Signature: w.signature}
}

// says reports whether two words of one subject are the same.
func (w *word) says(o *word) bool {
	return w.incarnation == o.incarnation && w.signature == o.signature && w.key == o.key &&
		w.ip == o.ip && w.port == o.port && w.role == o.role && w.name == o.name
}

// addr is where the subject is reached; on the wire there are no zones, and IPv4 is not wrapped.
func (w *word) addr() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(w.ip).Unmap(), w.port)
}

// NewCards makes cards for one process. An attacker that knows the secret can choose
// keys for which the search for a member takes long.
func NewCards(secret uint64) *Cards {
	return &Cards{secret: secret | 1, subjects: make([]subject, 1), words: make([]word, 1)}
}

// find gives the number of a subject; 0 is nobody.
func (c *Cards) find(id hearsay.NodeID) int32 {
	if c.ids.count == 0 {
		return 0
	}
	mask := len(c.ids.numbers) - 1
	for i := int(c.hashID(id)) & mask; ; i = (i + 1) & mask {
		if number := c.ids.numbers[i]; number == 0 || c.subjects[number].id == id {
			return number
		}
	}
}

// named gives a word with this name, from which all others of that name follow by nextNamed; 0 if there is none.
func (c *Cards) named(name string) int32 {
	if c.names.count == 0 {
		return 0
	}
	mask := len(c.names.numbers) - 1
	for i := int(c.hashName(name)) & mask; ; i = (i + 1) & mask {
		if w := c.names.numbers[i]; w == 0 || c.words[w].name == name {
			return w
		}
	}
}

// enlistName puts a word behind the head of its name, or makes it the head.
func (c *Cards) enlistName(w int32) {
	head := c.named(c.words[w].name)
	if head == 0 {
		c.names.put(w, c.hashNameOf)
		return
	}
	next := c.words[head].nextNamed
	c.words[w].lastNamed, c.words[w].nextNamed = head, next
	c.words[head].nextNamed, c.words[next].lastNamed = w, w // that of 0 means nothing
}

func (c *Cards) delistName(w int32) {
	gone := &c.words[w]
	switch {
	case gone.lastNamed != 0:
		c.words[gone.lastNamed].nextNamed, c.words[gone.nextNamed].lastNamed = gone.nextNamed, gone.lastNamed
	case gone.nextNamed != 0:
		c.names.replace(w, gone.nextNamed, c.hashNameOf)
		c.words[gone.nextNamed].lastNamed = 0
	default:
		c.names.remove(w, c.hashNameOf)
	}
}

// hold gives the number of a subject's word, which is kept until it is released as often as it was held.
func (c *Cards) hold(id hearsay.NodeID, incarnation hearsay.Incarnation, card *hearsay.Card) int32 {
	number := c.find(id)
	if number == 0 {
		number = c.newSubject(id)
	}
	signed := newWord(incarnation, card)
	for w := c.subjects[number].first; w != 0; w = c.words[w].next {
		if o := &c.words[w]; o.says(&signed) {
			o.holders++
			return w
		}
	}
	w := c.noWord
	if w == 0 {
		w = int32(len(c.words))
		c.words = append(grown(c.words), word{})
	} else {
		c.noWord = c.words[w].next
	}
	signed.subject, signed.next, signed.holders = number, c.subjects[number].first, 1
	c.words[w] = signed
	c.subjects[number].first = w
	c.enlistName(w)
	return w
}

func (c *Cards) newSubject(id hearsay.NodeID) int32 {
	number := c.noSubject
	if number == 0 {
		number = int32(len(c.subjects))
		c.subjects = append(grown(c.subjects), subject{})
	} else {
		c.noSubject = c.subjects[number].first
	}
	c.subjects[number] = subject{id: id}
	c.ids.put(number, c.hashIDOf)
	return number
}

// release lets go of a word. When nobody holds it any more its number is used
// again, and if it was the last of its subject so is that one's.
func (c *Cards) release(w int32) {
	gone := &c.words[w]
	if gone.holders--; gone.holders > 0 {
		return
	}
	number := gone.subject
	link := &c.subjects[number].first
	for *link != w {
		link = &c.words[*link].next
	}
	*link = gone.next
	c.delistName(w)
	*gone = word{next: c.noWord}
	c.noWord = w
	if s := &c.subjects[number]; s.first == 0 {
		c.ids.remove(number, c.hashIDOf)
		*s = subject{first: c.noSubject}
		c.noSubject = number
	}
}

func (c *Cards) hashIDOf(number int32) uint32 { return c.hashID(c.subjects[number].id) }

func (c *Cards) hashID(id hearsay.NodeID) uint32 {
	return uint32(binary.LittleEndian.Uint64(id[8:]) * c.secret >> 32)
}

func (c *Cards) hashNameOf(w int32) uint32 { return c.hashName(c.words[w].name) }

func (c *Cards) hashName(name string) uint32 {
	h := c.secret
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x9e3779b97f4a7c15 // golden ratio
		h ^= h >> 32
	}
	return uint32(h)
}

// grown makes room for one more, and for an eighth: these are a node's largest
// tables, and room for twice as many would be felt.
func grown[T any](list []T) []T {
	if len(list) < cap(list) {
		return list
	}
	return append(make([]T, 0, len(list)+len(list)/8+4), list...)
}

// slots finds numbers by a hash of what they stand for: a power of two of slots, at most three quarters of them taken.
// It takes a fraction of the memory of a map.
type slots struct {
	numbers []int32 // one stands in its slot, or in the next free one behind; 0: free
	count   int
}

// slotsMin is how many slots there are at least.
const slotsMin = 8

// put adds a number that is not there.
func (s *slots) put(number int32, hash func(int32) uint32) {
	if 4*(s.count+1) > 3*len(s.numbers) {
		old := s.numbers
		s.numbers = make([]int32, max(slotsMin, 2*len(old)))
		for _, o := range old {
			if o != 0 {
				s.place(o, hash)
			}
		}
	}
	s.place(number, hash)
	s.count++
}

// replace puts a number of the same hash in the slot of one that is there.
func (s *slots) replace(number, by int32, hash func(int32) uint32) {
	mask := len(s.numbers) - 1
	i := int(hash(number)) & mask
	for s.numbers[i] != number {
		i = (i + 1) & mask
	}
	s.numbers[i] = by
}

func (s *slots) place(number int32, hash func(int32) uint32) {
	mask := len(s.numbers) - 1
	i := int(hash(number)) & mask
	for s.numbers[i] != 0 {
		i = (i + 1) & mask
	}
	s.numbers[i] = number
}

// remove takes out a number that is there. Those behind it that stood further
// on because of it move up, so that every search still ends at a free slot.
func (s *slots) remove(number int32, hash func(int32) uint32) {
	mask := len(s.numbers) - 1
	free := int(hash(number)) & mask
	for s.numbers[free] != number {
		free = (free + 1) & mask
	}
	for i := (free + 1) & mask; s.numbers[i] != 0; i = (i + 1) & mask {
		if from := int(hash(s.numbers[i])) & mask; (i-from)&mask >= (i-free)&mask {
			s.numbers[free], free = s.numbers[i], i
		}
	}
	s.numbers[free] = 0
	s.count--
}
