package nodelog

import (
	"bytes"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"hearsay/internal/userfile"
)

// The limits of a log whose reader stands still.
const (
	logWaitsMax = 1 << 20 // bytes that wait. Guess: a node that has much to say fills it in minutes
	// that the end of a node waits for all places of its log; `up` kills after endTimeout
	logFlush = 500 * time.Millisecond
)

// lineQueue lies between a node and one of the places to which its log is written. A reader
// that stands still, one that is gone, and a full disk cost lines of the log, which are
// counted. The node never waits for them, and does not end.
type lineQueue struct {
	out  io.Writer
	lost *atomic.Uint64 // lines, of all places together
	gap  func(lines uint64)

	mu      sync.Mutex
	waiting []byte
	missed  uint64 // lines lost since the last that was written
	closed  bool

	wake chan struct{} // holds one
	done chan struct{} // closed when all is written after close
}

// newQueue starts a queue before out. Once lines can be written again after some were
// lost, gap is told how many.
func newQueue(out io.Writer, lost *atomic.Uint64, gap func(lines uint64)) *lineQueue {
	q := &lineQueue{out: out, lost: lost, gap: gap, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// Write is of io.Writer: whole lines. It never fails.
func (q *lineQueue) Write(text []byte) (int, error) {
	q.mu.Lock()
	if q.closed || len(q.waiting)+len(text) > logWaitsMax {
		q.lose(text)
	} else {
		q.waiting = append(q.waiting, text...)
	}
	q.mu.Unlock()
	q.rouse()
	return len(text), nil
}

// lose counts lines that are not written. The caller holds mu.
func (q *lineQueue) lose(text []byte) {
	lines := uint64(max(1, bytes.Count(text, []byte{'\n'})))
	q.missed += lines
	q.lost.Add(lines)
}

func (q *lineQueue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run writes what waits, until the queue is closed and empty.
func (q *lineQueue) run() {
	defer close(q.done)
	var text []byte
	torn := false // the last write broke off within a line
	for range q.wake {
		q.mu.Lock()
		text, q.waiting = q.waiting, text[:0]
		missed, closed := q.missed, q.closed
		q.mu.Unlock()
		if len(text) > 0 {
			if torn {
				text = append([]byte{'\n'}, text...)
			}
			n, err := q.out.Write(text)
			torn = (torn || n > 0) && n < len(text) && (n == 0 || text[n-1] != '\n')
			q.mu.Lock()
			if err != nil {
				q.lose(text[n:])
			} else {
				q.missed -= missed
			}
			q.mu.Unlock()
			if err == nil && missed > 0 && !closed {
				q.gap(missed)
			}
		}
		if closed {
			return
		}
	}
}

// end has the queue take no more.
func (q *lineQueue) end() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.rouse()
}

// outputFile is the file of --output.
type outputFile struct {
	path string

	mu   sync.Mutex
	file *os.File
}

func openOutput(path string) (*outputFile, error) {
	f := &outputFile{path: path}
	return f, f.reopen()
}

// reopen goes on in the file that the path names now: the one before may have been moved away.
func (f *outputFile) reopen() error {
	file, err := userfile.Append(f.path)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		f.file.Close()
	}
	f.file = file
	return nil
}

// Write is of io.Writer.
func (f *outputFile) Write(text []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(text)
}
