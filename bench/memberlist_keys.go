package main

// A store of keys as programs build it on memberlist: each put is a broadcast, and the whole of the store is the state
// that two members exchange now and then.

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// keyGossip is a delegate that holds keys. The latest value of a key wins.
type keyGossip struct {
	teller
	hear   func(value []byte)
	mu     sync.Mutex
	values map[string]timed
}

// timed is a value with the time of its put, in nanoseconds.
type timed struct {
	at    uint64
	value []byte
}

// put takes a value of this member's own, and queues it.
func (g *keyGossip) put(p pair) {
	g.take(p.key, timed{uint64(time.Now().UnixNano()), p.value}, true)
}

// take takes a value that is later, and has it broadcast if it should be told.
func (g *keyGossip) take(key string, v timed, tell bool) {
	g.mu.Lock()
	fresh := g.values[key].at < v.at
	if fresh {
		g.values[key] = v
	}
	g.mu.Unlock()
	if !fresh {
		return
	}
	g.hear(v.value)
	if tell {
		g.tell(keyBroadcast{key, appendPair(nil, key, v)})
	}
}

func (g *keyGossip) holds() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.values)
}

// NotifyMsg is called with a broadcast of another member. Its bytes are used again, so the key and value are copied.
func (g *keyGossip) NotifyMsg(b []byte) {
	if key, v, _, ok := cutPair(b); ok {
		g.take(key, v, true)
	}
}

// LocalState gives all keys.
func (g *keyGossip) LocalState(bool) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	size := 0
	for key, v := range g.values {
		size += 8 + 2*binary.MaxVarintLen16 + len(key) + len(v.value)
	}
	all := make([]byte, 0, size)
	for key, v := range g.values {
		all = appendPair(all, key, v)
	}
	return all
}

// MergeRemoteState takes what is later of another's keys. It tells nobody: the others exchange their state, too.
func (g *keyGossip) MergeRemoteState(b []byte, _ bool) {
	for len(b) > 0 {
		key, v, rest, ok := cutPair(b)
		if !ok {
			return
		}
		g.take(key, v, false)
		b = rest
	}
}

func appendPair(b []byte, key string, v timed) []byte {
	b = binary.BigEndian.AppendUint64(b, v.at)
	b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	return append(binary.AppendUvarint(b, uint64(len(v.value))), v.value...)
}

// cutPair takes the first pair off b, and copies it.
func cutPair(b []byte) (key string, v timed, rest []byte, ok bool) {
	if len(b) < 8 {
		return "", timed{}, nil, false
	}
	v.at, rest = binary.BigEndian.Uint64(b), b[8:]
	var parts [2]string
	for i := range parts {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return "", timed{}, nil, false
		}
		parts[i], rest = string(rest[n:n+int(size)]), rest[n+int(size):]
	}
	v.value = []byte(parts[1])
	return parts[0], v, rest, true
}

// keyBroadcast makes those of the same key void that are still in the queue.
type keyBroadcast struct {
	key     string
	message []byte
}

func (k keyBroadcast) Name() string                          { return k.key }
func (k keyBroadcast) Invalidates(memberlist.Broadcast) bool { return false } // Name is for that
func (k keyBroadcast) Message() []byte                       { return k.message }
func (k keyBroadcast) Finished()                             {}
