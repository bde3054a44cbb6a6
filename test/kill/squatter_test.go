package kill

import (
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearsay/test/process"
)

// squatFor is how long the other process listens: seeds and peers have dialled it by then.
const squatFor = 8 * time.Second

// squat listens at the address of a node that does not run, reads what comes and answers nothing. Then it listens no
// more, and holds what it has accepted until the test ends.
func squat(t *testing.T, addr string) (held int) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var accepting, reading sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			held++
			mu.Unlock()
			t.Cleanup(func() { conn.Close() })
			reading.Go(func() { io.Copy(io.Discard, conn) })
		}
	})
	process.Pause(squatFor)
	listener.Close()
	accepting.Wait()
	mu.Lock()
	defer mu.Unlock()
	return held
}

// A process that has listened at the address of a seed while that was stopped holds the streams that others have
// dialled to it: a seed that is started there with an empty directory gets its seat all the same, and is heard.
func TestSeedIsHeardAfterAnotherHasListenedThere(t *testing.T) {
	briefly(t)
	w := start(t, 3, fewPeers)
	seeds := w.seedsOf()
	stopped := seeds[1]
	w.signal(stopped, syscall.SIGKILL)
	process.Until(t, "the seed is gone", lostSoon, func() string { return w.ready(stopped) })
	held := squat(t, w.nodes[stopped].Addr)
	if held == 0 {
		t.Fatal("nobody has dialled what listens there, so this shows nothing")
	}
	if err := os.RemoveAll(w.nodes[stopped].Data); err != nil {
		t.Fatal(err)
	}
	w.startAgain(stopped)
	took := w.until("the seed has its seat", squatterOver, func() string {
		if ready := w.ready(stopped); !strings.HasPrefix(ready, "200") {
			return ready
		}
		return ""
	})
	t.Logf("%d streams are held, and the seed is ready %v after it answered", held, took)
}

// squatterOver is until such a seed is ready: some questions, of which one goes by a new stream.
const squatterOver = 15 * time.Second
