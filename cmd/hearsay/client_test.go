package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"hearsay"
	"hearsay/client"
	"hearsay/web"
)

// serve makes a client of a server that answers as answer does.
func serve(t *testing.T, answer http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return client.New(server.URL)
}

// A leave that the seeds have not ruled is no success.
func TestLeaveIsNotRuled(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"title":"Service Unavailable","status":503,"detail":%q}`, hearsay.ErrLeaveUnruled.Error())
	})
	var out, told strings.Builder
	if code := run([]string{"leave", "--node", c.Base()}, &out, &told); code != 1 || !strings.Contains(told.String(), hearsay.ErrLeaveUnruled.Error()) || out.Len() > 0 {
		t.Errorf("code %d, %q, %q", code, told.String(), out.String())
	}
}

// The command line tells all that the page does.
func TestStatusTellsEachTrouble(t *testing.T) {
	authority := hearsay.Authority{Seeded: true, Key: hearsay.PublicKey{1}, Why: "lists differ", Fork: &hearsay.Fork{Text: "two ledgers"}}
	stats := hearsay.Stats{Alive: 2, DeafFor: 12, Twin: netip.MustParseAddrPort("10.0.0.26:6001"), ClockOff: 4000, DiskBehind: 2}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"/v1/self": web.Self{State: web.StandingAlive}, "/v1/stats": stats, "/v1/authority": authority}[r.URL.Path])
	})
	var out, told strings.Builder
	if code := run([]string{"status", "--node", c.Base()}, &out, &told); code != 0 {
		t.Fatalf("code %d, %s", code, told.String())
	}
	// the first is a line about the quorum, in its own words
	for _, trouble := range hearsay.Troubles(&authority, &stats)[1:] {
		if !strings.Contains(out.String(), trouble) {
			t.Errorf("%q is not in\n%s", trouble, out.String())
		}
	}
}

// Of a seed that takes part in a log that has stalled it is not said that it takes no part.
func TestStatusTellsOfALogThatHasStalled(t *testing.T) {
	for _, stalled := range []bool{false, true} {
		var out strings.Builder
		printAuthority(&out, &hearsay.Authority{Seeded: true, Key: hearsay.PublicKey{1}, Stalled: stalled, Why: "something", Quorum: 2, Seeds: make([]hearsay.SeedStatus, 3)})
		if strings.Contains(out.String(), "STALLED: 2 of 3 seeds") != stalled || strings.Contains(out.String(), "NO PART") == stalled {
			t.Errorf("stalled %t: %s", stalled, out.String())
		}
	}
}

// What can be done where no answer comes is said, of each reason.
func TestAnswersHaveHints(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]*client.Client{
		`; hint: start a network with "hearsay up", or name a node with --node`: client.New(gone.URL),
		"; hint: is this a node of Hearsay?":                                    serve(t, http.NotFound),
		"; hint: is this a node of Hearsay, of this version?":                   serve(t, func(http.ResponseWriter, *http.Request) {}),
	} {
		if _, err := c.Self(t.Context()); err == nil || !strings.HasSuffix(errorLine(fmt.Errorf("ask: %w", err)), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}
