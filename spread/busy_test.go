package spread

import (
	"fmt"
	"testing"
	"time"

	"hearsay/internal/core"
	"hearsay/kv"
)

// filled is a world in which all but the last node, which is new, hold some keys.
func filled(t *testing.T, n, keys int) *world {
	w := newWorld(t, n)
	w.nodes[n-1].down = true
	for k := range keys {
		w.put(k%(n-1), kv.Write{Key: fmt.Sprint("key ", k), Value: make([]byte, 100)})
		if k%100 == 0 {
			w.run(10 * time.Millisecond)
		}
	}
	w.must(10*time.Second, "the others agree", w.agree)
	w.run(pingsFor + time.Second)
	w.nodes[n-1].disk.Durable = nil
	w.start(n - 1)
	return w
}

// own has a node write what no other gets.
func (w *world) own(i int) {
	w.cut = func(int, int) bool { return true }
	w.put(i, kv.Write{Key: "own"})
	w.run(quiet)
	w.cut = nil
}

// One that asks a node which waits for another's answer, and lacks something itself, is told so, and asks its next
// neighbor at once; also half-way. One that lacks nothing answers.
func TestBusyIsTold(t *testing.T) {
	for _, c := range []struct {
		lacks bool
		after int // messages
		want  uint64
	}{{true, 0, 1}, {false, 0, 0}, {false, 3, 0}} {
		w := filled(t, 3, 3000)
		if c.lacks {
			w.own(2)
		}
		joiner, served := w.nodes[2], 0
		w.streams = func(from, to int, m core.Message) (int, time.Duration) {
			if sync, is := m.(*core.Sync); is && from == 2 && sync.Asks {
				if served++; served == c.after+1 { // the one that is asked waits for one that has nothing to say
					w.nodes[to].ask(w.now, nodeID(1-to))
				}
			}
			return 1, 0
		}
		joiner.Pinged(w.now, nodeID(0), w.nodes[0].replica.Hash().Low)
		w.carryOut(joiner)
		took := w.must(time.Minute, "it has all", func() bool {
			values, _ := joiner.replica.Len()
			return values >= 3000
		})
		if took > 600*time.Millisecond {
			t.Errorf("%+v: it has all after %v", c, took)
		}
		if joiner.stats.StoreBusy != c.want {
			t.Errorf("%+v: told %d times", c, joiner.stats.StoreBusy)
		}
	}
}

// Where all are busy each is asked once, and again after a while; an answer that nobody waits for changes nothing.
func TestAllBusy(t *testing.T) {
	w := filled(t, 3, 100)
	w.own(2)
	w.mute = true
	joiner := w.nodes[2]
	for i := range 2 {
		w.nodes[i].from, w.nodes[i].until = nodeID(1-i), w.now.Add(2*time.Second)
	}
	before := w.bytes
	joiner.Pinged(w.now, nodeID(0), 1)
	w.carryOut(joiner)
	w.run(100 * time.Millisecond)
	if joiner.stats.StoreAsks != 2 || joiner.stats.StoreBusy != 2 || w.bytes-before > 400 {
		t.Errorf("asked %d times, told %d times, %d bytes", joiner.stats.StoreAsks, joiner.stats.StoreBusy, w.bytes-before)
	}
	joiner.Sync(w.now, &core.Packet{From: nodeID(0), Addr: nodeAddr(0), Stream: true}, &core.Sync{})
	if joiner.stats.StoreBusy != 2 {
		t.Error("told again, and had not asked")
	}
	w.mute = false
	w.must(10*time.Second, "it has all", w.agree)
}
