package agent

import (
	"testing"

	"hearsay"
)

// A caller that connects again from the same port, before its first request is given up, gets the answer to the second.
func TestConnectionsFromOnePort(t *testing.T) {
	c := newCallers()
	first, giveUp := c.await(memberAddr)
	second, done := c.await(memberAddr)
	giveUp()
	outcome := &hearsay.Outcome{Code: hearsay.OutcomeDone}
	if !c.deliver(memberAddr, outcome) {
		t.Fatal("nobody waits for the answer any more")
	}
	if got := <-second; got != outcome || len(first) > 0 {
		t.Errorf("the second request got %v, and the first an answer to it", got)
	}
	done()
	if c.deliver(memberAddr, outcome) || len(c.waiting) > 0 {
		t.Error("the answer is taken though nobody waits for it")
	}
}
