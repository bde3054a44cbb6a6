package agent

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"hearsay"
)

// What a seed answers to a registration is logged when it changes, and again
// for the next registration; not each second that a node cannot follow.
func TestAnswersAreLoggedWhenTheyChange(t *testing.T) {
	var text bytes.Buffer
	c := newCourier(hearsay.NetworkID{}, nil, nil, slog.New(slog.NewTextHandler(&text, nil)))
	seed, other := netip.MustParseAddrPort("10.0.0.1:5001"), netip.MustParseAddrPort("10.0.0.2:5001")
	e := &errand{kind: hearsay.RulingAdmit}
	done, wait := &hearsay.Outcome{Code: hearsay.OutcomeDone}, &hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "no quorum"}
	for range 10 {
		c.log(seed, e, done)
		c.log(other, e, wait)
	}
	if n := strings.Count(text.String(), "\n"); n != 2 {
		t.Errorf("%d lines of the same two answers:\n%s", n, &text)
	}
	c.log(seed, e, wait)
	c.log(seed, e, done)
	c.registered()
	c.log(seed, e, done)
	if n := strings.Count(text.String(), "success=True"); n != 3 {
		t.Errorf("%d lines of success, want one for each change:\n%s", n, &text)
	}
}
