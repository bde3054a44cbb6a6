package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearsay"
)

// fresh asks a seed until it is sure: on a busy machine the others may not answer in the two seconds that a user waits.
func fresh(t *testing.T, seed *Agent, read func()) (err error) {
	ctx := patient(t)
	for err = errNotInTime; ctx.Err() == nil && err != nil && strings.Contains(err.Error(), errNotInTime.Error()); {
		err = seed.Fresh(ctx, read)
	}
	return err
}

var errNotInTime = errors.New("no quorum of seeds has answered within 2s")

// A seed tells what nobody can have ruled since, as long as it hears the
// others.
func TestFresh(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 3)
	n.start("a")
	n.agree(1, "a")
	var asking sync.WaitGroup
	for _, seed := range n.seeds {
		for range 20 {
			asking.Go(func() {
				var epoch hearsay.Epoch
				if err := fresh(t, seed, func() { epoch = seed.Epoch() }); err != nil || epoch < 1 {
					t.Errorf("%s: epoch %d, %v", seed.cfg.Name, epoch, err)
				}
			})
		}
	}
	asking.Wait()
	read := func() { t.Error("it reads") }
	wantError(t, n.peers[0].Fresh(patient(t), read), "ask a seed")
	ended, end := context.WithCancel(patient(t))
	end()
	if err := n.seeds[0].Fresh(ended, func() {}); err != nil {
		wantError(t, err, "in time")
	}

	n.stopSeed(2)
	n.stopSeed(1)
	wantError(t, n.seeds[0].Fresh(patient(t), read), errNotInTime.Error())
	if n := len(n.seeds[0].questions.waiting); n > 0 {
		t.Errorf("%d wait still", n)
	}
	peer := n.peers[0].Self().Addr // asked for as an older peer does, its stay is not confirmed either
	await(t, n.seeds[0], "no quorum", func() bool { return !n.seeds[0].Authority().Ready })
	ask := fmt.Sprintf(`{"type":"REGISTER_REQ","payload":{"peer_ip":"%s","peer_port":%d}}`, peer.Addr(), peer.Port())
	wantLine(t, speak(t, peer.Addr().String(), n.seeds[0].Self().Addr, ask), `"success":false`, "no quorum of seeds is heard")

	n.seeds[0].Close()
	wantError(t, n.seeds[0].Fresh(patient(t), read), errStopped.Error())
}

// Questions have a limit, and who has gone makes room.
func TestQuestions(t *testing.T) {
	var q questions
	channels := make([]chan string, questionsMax)
	for i := range channels {
		channels[i] = make(chan string, 1)
		if !q.add(question{i + 1, channels[i]}) {
			t.Fatalf("no room for %d", i+1)
		}
	}
	if q.add(question{questionsMax + 1, nil}) {
		t.Error("there is no limit")
	}
	q.remove(channels[0])
	q.answer(&hearsay.Event{Kind: hearsay.EventFresh, Count: 3, Text: "why not"})
	if len(q.waiting) != questionsMax-3 || len(channels[0]) != 0 || <-channels[1] != "why not" || <-channels[2] != "why not" {
		t.Errorf("%d wait", len(q.waiting))
	}
}
