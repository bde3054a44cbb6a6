package agent

import "testing"

// TestGuestIsUpgraded: where an older peer was, one of ours starts. It is in, as
// itself, and the guest that is not there any more is out.
func TestGuestIsUpgraded(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 3)
	n.start("a", "b")
	n.agree(2, "a b")
	p := newOldPeer(t)
	line, _ := insist(t, "127.0.0.9", n.list[1].Addr, registration(p))
	wantLine(t, line, `"success":true`)
	n.agree(3, p.addr.String()+" a b")
	p.listener.Close()
	p.wait.Wait()
	cfg := n.peer("c")
	cfg.Bind = p.addr.String()
	n.peers = append(n.peers, start(t, cfg))
	n.agree(5, "a b c")
}
