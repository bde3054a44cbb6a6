package node

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/follower"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/overlay"
	"hearsay/petition"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
)

// unsigned is the signer of one who is asked to sign nothing that matters.
type unsigned struct{}

func (unsigned) Public() hearsay.PublicKey            { return hearsay.PublicKey{7} }
func (unsigned) Sign([]byte) (none hearsay.Signature) { return none }
func (unsigned) Verify(hearsay.PublicKey, []byte, hearsay.Signature) bool {
	return true
}

// Guests speak another program's protocol: what they do not understand they are
// not asked, and that nothing comes back does not make this node doubt itself.
func TestGuestsAreNoRelays(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(i byte) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, i}), 7000) }
	cfg := Config{
		Network: hearsay.NetworkID{1}, Name: "n", Addr: at(1), Role: hearsay.RolePeer,
		Detect: detect.DefaultConfig(), Roster: roster.DefaultConfig(), Overlay: overlay.DefaultConfig(), Rumors: rumor.DefaultConfig(), Store: spread.DefaultConfig(),
		Follower: follower.DefaultConfig(), Petition: petition.DefaultConfig(),
	}
	cfg.Follower.Network, cfg.Follower.Seeds = cfg.Network, []ledger.Seed{{Addr: at(2)}}
	n := New(cfg, unsigned{}, rand.New(rand.NewPCG(1, 2)), nil, now)
	n.begin(now)
	for i := byte(10); i < 20; i++ {
		n.roster.Admit(now, &hearsay.Claim{
			Subject: core.GuestID(cfg.Network, at(i), core.Lines), State: hearsay.StateAlive, Incarnation: 1,
			Card: hearsay.Card{Name: fmt.Sprintf("guest%d", i), Addr: at(i), Role: hearsay.RolePeer},
		})
	}
	n.settle(now)
	unreachable := 0
	for end := now.Add(20 * time.Second); now.Before(end); now = n.Deadline() {
		out := n.Tick(now)
		for i := range out.Now {
			if _, asks := out.Now[i].Body.(*core.RelayReq); asks {
				t.Fatalf("%v is asked to be a relay", out.Now[i].Addr)
			}
		}
		for i := range out.Events {
			if out.Events[i].Kind == hearsay.EventUnreachable {
				unreachable++
			}
		}
	}
	if health := n.Stats().Health; unreachable < 10 || health > 0 {
		t.Errorf("%d of its probes failed, and its health is %d", unreachable, health)
	}
}
