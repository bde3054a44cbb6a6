package agent

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/store"
)

// diary is a commit queue whose work is written down.
type diary struct {
	*commitQueue
	mu      sync.Mutex
	entries []string
	failed  error
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf(format, args...))
}

func newDiary(commit func(*store.Batch) error) *diary {
	d := new(diary)
	d.commitQueue = newCommitQueue(
		func(b *store.Batch) error {
			err := commit(b)
			d.write("commit %d", b.Size())
			return err
		},
		func(o outgoing) { d.write("send %.10s", o.bytes) },
		func(e *hearsay.Event) { d.write("tell %s %d", e.Kind, e.Count) },
		func(err error) { d.failed = err },
	)
	return d
}

func (d *diary) want(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if got := strings.Join(d.entries, "; "); got != strings.Join(want, "; ") {
		t.Errorf("got  %s\nwant %s", got, strings.Join(want, "; "))
	}
	d.entries = nil
}

func incarnation(n int) []core.Record {
	return []core.Record{&core.OwnIncarnation{Incarnation: hearsay.Incarnation(n)}}
}

const incarnationSize = len("incarnation") + 8 + 4 // key, value, checksum

func joined(n int) []hearsay.Event { return []hearsay.Event{{Kind: hearsay.EventJoined, Count: n}} }

func TestCommitQueueKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const commitTakes = time.Hour
		d := newDiary(func(*store.Batch) error { time.Sleep(commitTakes); return nil })
		go d.run()
		if !d.persist(nil) {
			t.Error("an empty commit queue is not clear")
		}
		if d.persist(incarnation(1)) {
			t.Error("clear while a record waits")
		}
		synctest.Wait()
		if d.persist(nil) {
			t.Error("clear while a record is being committed")
		}
		// While the disk is busy, all that comes is gathered.
		d.enqueue(outgoing{bytes: []byte("a")})
		d.report(joined(1))
		d.persist(incarnation(2))
		d.persist(incarnation(3))
		d.enqueue(outgoing{bytes: []byte("b")})
		d.report(joined(2))
		d.afterwards(func() { d.write("after") })
		synctest.Wait()
		d.want(t)
		time.Sleep(commitTakes)
		synctest.Wait()
		d.want(t, fmt.Sprintf("commit %d", incarnationSize))
		time.Sleep(commitTakes)
		synctest.Wait()
		d.want(t, fmt.Sprintf("commit %d", 2*incarnationSize), "send a", "send b", "tell joined 1", "tell joined 2", "after")
		if !d.persist(nil) {
			t.Error("not clear when all is done")
		}
		d.persist(incarnation(4))
		d.report(joined(3))
		d.stop()
		d.want(t, fmt.Sprintf("commit %d", incarnationSize), "tell joined 3")
	})
}

func TestCommitQueueStopsWhenTheDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("no space left")
		d := newDiary(func(*store.Batch) error { return broken })
		go d.run()
		d.enqueue(outgoing{bytes: []byte("a")})
		synctest.Wait()
		d.persist(incarnation(1))
		d.enqueue(outgoing{bytes: []byte("b")})
		d.report(joined(1))
		d.stop()
		if d.failed != broken {
			t.Errorf("failed by %v", d.failed)
		}
		d.want(t, "send a", fmt.Sprintf("commit %d", incarnationSize))
	})
}

// A full disk is one that takes its time: all is carried out once there is room, in its order, and nothing before.
func TestCommitQueueWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, told := 0, ""
		d := newDiary(func(*store.Batch) error {
			if tries++; tries <= 3 {
				return fmt.Errorf("write: %w", syscall.ENOSPC)
			}
			return nil
		})
		d.filled = func(why error) { told += fmt.Sprint(why, ", ") }
		go d.run()
		d.persist(incarnation(1))
		d.enqueue(outgoing{bytes: []byte("a")})
		synctest.Wait()
		since, full := d.fullSince()
		if !since.Equal(time.Now()) {
			t.Errorf("full since %v", since)
		}
		<-full
		d.enqueue(outgoing{bytes: []byte("b")})
		d.report(joined(1))
		d.want(t, fmt.Sprintf("commit %d", incarnationSize))
		time.Sleep(4 * fullEvery)
		if since, _ := d.fullSince(); !since.IsZero() || tries != 4 || told != "write: no space left on device, <nil>, " {
			t.Errorf("full since %v, %d tries, told %s", since, tries, told)
		}
		d.stop()
		one := fmt.Sprintf("commit %d", incarnationSize)
		d.want(t, one, one, one, "send a", "send b", "tell joined 1")
		if d.failed != nil {
			t.Errorf("failed by %v", d.failed)
		}
	})
	synctest.Test(t, func(t *testing.T) { // and it ends while the disk is full
		d := newDiary(func(*store.Batch) error { return syscall.EDQUOT })
		go d.run()
		d.persist(incarnation(1))
		d.report(joined(1))
		synctest.Wait()
		d.stop()
		d.want(t, fmt.Sprintf("commit %d", incarnationSize))
		if d.failed != syscall.EDQUOT {
			t.Errorf("failed by %v", d.failed)
		}
	})
}

// What waited for a disk that has failed is never carried out, nor what comes until the commit queue is told to keep
// nothing: then all that comes is.
func TestCommitQueueForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(func(*store.Batch) error { time.Sleep(time.Second); return errors.New("no space left") })
		go d.run()
		d.persist(incarnation(1))
		d.enqueue(outgoing{bytes: []byte("a")})
		d.report(joined(1))
		time.Sleep(time.Minute)
		if d.persist(nil) {
			t.Error("clear though the disk has failed")
		}
		d.enqueue(outgoing{bytes: []byte("b")})
		d.afterwards(func() { d.write("after") })
		synctest.Wait()
		d.persist(incarnation(2))
		d.report(joined(2))
		d.forget()
		if !d.persist(nil) {
			t.Error("not clear though nothing is kept")
		}
		d.report(joined(3))
		d.afterwards(func() { d.write("after all") })
		d.stop()
		d.want(t, fmt.Sprintf("commit %d", incarnationSize), "tell joined 3", "after all")
	})
}

// TestCommitQueueLooks: a commit queue that has nothing to write notices that its directory is gone.
func TestCommitQueueLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(func(*store.Batch) error { return nil })
		var gone atomic.Bool
		d.look = func() error {
			if gone.Load() {
				return errors.New("it is gone")
			}
			return nil
		}
		go d.run()
		<-time.After(3 * diskLookEvery)
		if d.failed != nil {
			t.Errorf("stopped by %v", d.failed)
		}
		gone.Store(true)
		time.Sleep(diskLookEvery)
		synctest.Wait()
		d.stop()
		if d.failed == nil || d.failed.Error() != "it is gone" {
			t.Errorf("stopped by %v", d.failed)
		}
	})
}

func TestCommitQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(func(*store.Batch) error { time.Sleep(time.Hour); return nil })
		go d.run()
		d.persist(incarnation(1))
		synctest.Wait()

		packet := outgoing{bytes: make([]byte, 1<<10)}
		sent := 0
		for d.enqueue(packet) {
			sent++
		}
		if sent != commitSendBytes>>10 {
			t.Errorf("took %d packets of 1 KiB", sent)
		}
		for range commitEvents + 7 {
			d.report(joined(1))
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if last := d.entries[len(d.entries)-1]; last != "tell lagged 7" {
			t.Errorf("last entry %s", last)
		}
		if n, since := d.unwritten(); n != 0 || !since.IsZero() {
			t.Errorf("%d bytes wait though all was committed", n)
		}
		d.persist(incarnation(1)) // under way
		synctest.Wait()
		began := time.Now()
		time.Sleep(time.Second)
		d.persist(incarnation(2))
		d.persist(incarnation(3))
		if n, since := d.unwritten(); n != 3*incarnationSize || !since.Equal(began) {
			t.Errorf("%d bytes wait since %v, want %d since %v", n, since, 3*incarnationSize, began)
		}
		d.stop()
	})
}
