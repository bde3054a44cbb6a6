package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// questionsMax is how many may wait at a time to hear whether a seed's ledger
// is fresh. A guess: more than connections that a console and scripts hold.
const questionsMax = 1024

// questions are the callers that wait to hear whether the ledger is fresh.
type questions struct {
	mu      sync.Mutex
	waiting []question
}

// question has a number of the node's, and a channel of capacity 1 for why the
// ledger is not fresh, or "".
type question struct {
	number   int
	answered chan string
}

func (q *questions) add(one question) (room bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= questionsMax {
		return false
	}
	q.waiting = append(q.waiting, one)
	return true
}

// remove takes away a caller that waits no longer.
func (q *questions) remove(answered chan string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(one question) bool { return one.answered == answered })
}

// answer takes EventFresh, which answers all questions up to a number.
func (q *questions) answer(e *hearsay.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(one question) bool {
		if one.number > e.Count {
			return false
		}
		one.answered <- e.Text
		return true
	})
}

// Fresh has read called when nothing that the seeds have ruled before the call
// of Fresh is missing in this node's ledger, and returns when what read saw of
// it is durable. It fails, and does not call read, if no quorum of seeds says
// so within two seconds, or ctx ends. Only a seed can tell.
//
// What the ledger gives otherwise, as Ledger and Barred, is what the node has
// applied: on a seed that is cut off from the others it may be old.
func (a *Agent) Fresh(ctx context.Context, read func()) error {
	answered := make(chan string, 1)
	defer a.questions.remove(answered)
	var err error
	open := a.put(func(now time.Time) {
		var (
			number int
			fx     *core.Effects
		)
		if number, fx, err = a.loop.node.Fresh(now); err == nil && !a.questions.add(question{number, answered}) {
			err = fmt.Errorf("%d wait for an answer already, the most there may be; try again", questionsMax)
		}
		a.loop.carryOut(fx)
	})
	if !open {
		return a.ended()
	}
	if err != nil {
		return err
	}
	select {
	case why := <-answered:
		if why != "" {
			return errors.New(why)
		}
	case <-ctx.Done():
		return fmt.Errorf("no quorum of seeds has answered in time: %w", ctx.Err())
	case <-a.done:
		return a.ended()
	}
	read()
	durable := make(chan struct{})
	a.commits.afterwards(func() { close(durable) })
	select {
	case <-durable:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the disk has not answered in time: %w", ctx.Err())
	case <-a.done:
		return a.ended()
	}
}
