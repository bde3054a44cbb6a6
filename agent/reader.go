package agent

import (
	"sync"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/store"
)

// reader reads the ledger on disk beside the loop, one thing after the other:
// questions for old rulings keep at most one core busy. The node bounds how
// many reads are under way.
type reader struct {
	disk  *store.Disk // nil without a data directory
	inbox *inbox
	turn  sync.Mutex
	reads sync.WaitGroup
}

func newReader(disk *store.Disk, inbox *inbox) *reader { return &reader{disk: disk, inbox: inbox} }

// read carries out a read, and has the loop give the node what has come of it.
func (r *reader) read(l *loop, asked core.OlderRead) {
	r.reads.Go(func() {
		var rulings []*hearsay.Ruling
		if r.disk != nil {
			r.turn.Lock()
			// what cannot be read is not there
			rulings, _ = r.disk.Before(asked.Before, core.MaxRulings, core.MaxOlderBytes)
			r.turn.Unlock()
		}
		r.inbox.put(func(now time.Time) { l.carryOut(l.node.Older(now, asked.Before, rulings)) })
	})
}
