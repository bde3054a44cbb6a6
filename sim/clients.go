package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file is the clients of the store: what they read at one node they replace at another.

const (
	clientsDrawn = 4 // of a drawn world: what one of them has read, another has not
	keysDrawn    = 6 // so few that writers meet
)

// clients write what an action Write leaves to be drawn, and remember what they have read.
type clients struct {
	world *World
	draws rand.PCG
	read  [clientsDrawn][keysDrawn]readKey
}

// readKey is what a client has read of a key: a context, and the values that it names.
type readKey struct {
	context []byte
	values  []int
}

// refusals of a write that a client has to live with.
var refusals = [...]error{
	hearsay.ErrDiskBehind, hearsay.ErrUnseen, hearsay.ErrKeyExists, hearsay.ErrKeyChanged, hearsay.ErrSiblings,
	hearsay.ErrStoreFull, hearsay.ErrWriters,
}

// key is the name of a key of drawn worlds.
func keyNamed(number int) string { return "k" + strconv.Itoa(number) }

// here reads a key at a node.
func (c *clients) here(m *machine, key string) readKey {
	return readKey{m.node.Gossip().Replica().Context(c.world.timeOf(m), key), c.world.check.written.shown(m, key, c.world.timeOf(m))}
}

// act has a client do something at a node: it reads a key, or writes one or several.
func (c *clients) act(m *machine, size int) {
	if !c.serves(m) {
		return
	}
	r := rand.New(&c.draws)
	one, key, kind := r.IntN(clientsDrawn), r.IntN(keysDrawn), r.IntN(10)
	if kind == 0 {
		c.read[one][key] = c.here(m, keyNamed(key))
		return
	}
	keys := []int{key}
	if kind == 1 {
		keys = r.Perm(keysDrawn)[:2+r.IntN(3)]
	}
	var writes []hearsay.Write
	var replaced [][]int
	for _, key := range keys {
		write, values := c.draw(r, m, one, key, max(size, drawnSize(r)))
		writes, replaced = append(writes, write), append(replaced, values)
	}
	if !c.world.put(m, writes, replaced) || m.node == nil { // its disk has failed
		return
	}
	for i, key := range keys {
		c.read[one][key] = readKey{}
		if r.IntN(2) == 0 && !writes[i].Delete { // it goes on with what it has written, unread
			context := m.node.Gossip().Replica().ContextAfter(&writes[i])
			c.read[one][key] = readKey{context, []int{c.world.check.written.byText[string(writes[i].Value)]}}
		}
	}
}

// drawnSize is of a value: most are small, some are longer than what is passed on whole, and a few go in parts.
func drawnSize(r *rand.Rand) int {
	if r.IntN(20) > 0 {
		return r.IntN(64)
	}
	if size := r.IntN(24 << 10); size > 1<<10 {
		return size
	}
	return 3*core.MaxPart + r.IntN(core.MaxPart)
}

// draw draws one write, and the values that it replaces.
func (c *clients) draw(r *rand.Rand, m *machine, one, key, size int) (write hearsay.Write, values []int) {
	write.Key = keyNamed(key)
	write.Delete = r.IntN(4) == 0
	switch r.IntN(3) {
	case 0:
		values = c.world.check.written.live(m, write.Key)
	default:
		read := c.read[one][key]
		if read.context == nil {
			read = c.here(m, write.Key)
		}
		write.Context, values = read.context, read.values
		if r.IntN(8) == 0 {
			write.If = hearsay.IfUnchanged
		}
	}
	if write.Delete {
		return write, values
	}
	if write.Context == nil && r.IntN(8) == 0 {
		write.If = hearsay.IfAbsent
	}
	if r.IntN(6) == 0 {
		write.TTL = pick(r, 2*time.Second, 20*time.Second, time.Hour)
	}
	write.Value = c.world.check.written.text(m, size)
	return write, values
}

// serves reports whether a node takes writes.
func (c *clients) serves(m *machine) bool {
	return m.condition == conditionRunning && c.world.convergence.steady(m) && !c.world.isSeed(m)
}

// writes carries out an action on the store: what is drawn, or on keys that it names.
func (c *clients) writes(m *machine, a *Action) {
	if a.Verb == Write {
		c.act(m, a.Size)
		return
	}
	if !c.serves(m) {
		return
	}
	var writes []hearsay.Write
	var replaced [][]int
	for _, key := range a.Keys {
		write := hearsay.Write{Key: key, Delete: a.Verb == Delete, TTL: a.Delay}
		if a.Verb == Put {
			write.Value = c.world.check.written.text(m, a.Size)
		}
		writes, replaced = append(writes, write), append(replaced, c.world.check.written.live(m, key))
	}
	c.world.put(m, writes, replaced)
}

// put has a node write, and reports whether it did. Replaced are the values that each write takes the place of.
func (w *World) put(m *machine, writes []hearsay.Write, replaced [][]int) (done bool) {
	w.lastWritten = w.now
	effects, err := m.node.Put(w.timeOf(m), writes...)
	for i := range refusals {
		if errors.Is(err, refusals[i]) {
			w.counts.PutsRefused++
			w.carryOut(m, effects)
			return false
		}
	}
	if err != nil {
		panic("sim: " + m.name + " cannot write it: " + err.Error())
	}
	w.counts.Puts++
	if len(writes) > 1 {
		w.counts.Batches++
	}
	for i := range writes {
		if writes[i].Delete {
			w.counts.Deletes++
		}
	}
	w.log.wrote(w.now, m, w.check.written.writes(m, writes, replaced, effects, w.now))
	w.carryOut(m, effects)
	return true
}

// wrote logs what a client has written.
func (l *eventLog) wrote(now time.Duration, m *machine, what string) {
	fmt.Fprintf(l.sum, "%d %s %s\n", now, m.name, what)
	switch {
	case l.story == nil:
	case l.json:
		l.writeJSON(told{T: now.Seconds(), Node: m.name, World: what})
	default:
		fmt.Fprintf(l.story, "%s  %-4s %s\n", seconds(now), m.name, what)
	}
}

// parseKeys reads a machine and keys.
func (a *Action) parseKeys(words []string, all crowd) (err error) {
	if len(words) < 2 {
		return fmt.Errorf("%s: want a peer and keys, as in `%s n3 a b`", a.Verb, a.Verb)
	}
	if a.Who, err = parseMachines(words[:1], all); err != nil {
		return err
	}
	words = words[1:]
	for len(words) > 0 && words[0] != "ttl" && words[0] != "size" {
		if err := hearsay.CheckKey(words[0]); err != nil {
			return err
		}
		a.Keys, words = append(a.Keys, words[0]), words[1:]
	}
	for ; len(words) > 1 && a.Verb == Put; words = words[2:] {
		switch words[0] {
		case "ttl":
			a.Delay, err = parseDuration(words[1])
		case "size":
			if a.Size, err = strconv.Atoi(words[1]); err != nil || a.Size < 1 || a.Size > hearsay.MaxValue {
				err = fmt.Errorf("put size %q: want 1 to %d bytes", words[1], hearsay.MaxValue)
			}
		}
		if err != nil {
			return err
		}
	}
	if len(words) > 0 {
		return fmt.Errorf("%s %q: want keys, and of put `ttl 20s` or `size 2000` after them", a.Verb, strings.Join(words, " "))
	}
	return nil
}

func (a *Action) appendKeys(words []string) []string {
	words = append(words, a.Keys...)
	if a.Delay > 0 {
		words = append(words, "ttl", a.Delay.String())
	}
	if a.Size > 0 {
		words = append(words, "size", strconv.Itoa(a.Size))
	}
	return words
}

// objectsIn gives the objects of the store that a packet carries.
func objectsIn(p *core.Packet) []core.Object {
	switch body := p.Body.(type) {
	case *core.Update:
		return body.Objects
	case *core.Sync:
		return body.Objects
	}
	return nil
}
