package agent

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearsay"
	"hearsay/guest"
	"hearsay/internal/core"
	"hearsay/quota"
)

// Frames and lines come to one port.
func TestLinesBesideFrames(t *testing.T) {
	b := newQuietBox(t)
	b.lines = guest.NewServer(&guest.Host{
		Role: hearsay.RoleSeed, Sender: b.known.sender, Turn: new(parsing).begin, Busy: errBudget, Drop: b.counters.drop, Read: b.counters.read, Wrote: b.counters.wrote,
	}, nil)
	b.start()
	t.Cleanup(b.close)
	a := newBox(t)
	ping := frame(&core.Ping{Seq: 1})
	a.send(b.addr, ping)
	if got := b.receive(t); !bytes.Equal(got.packet, payload(t, ping)) {
		t.Errorf("got %x", got.packet)
	}
	commit := `{"type":"REGISTER_COMMIT","payload":{"decision":"ABORT","peer_ip":"127.0.0.1","peer_port":1}}`
	wantLine(t, speak(t, "127.0.0.1", b.addr, commit), `"REGISTER_COMMIT"`, `"ack":false`)
	a.send(b.addr, ping)
	b.receive(t)
	asking, err := net.Dial("tcp", b.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer asking.Close()
	asking.SetDeadline(time.Now().Add(patience))
	if speaks, err := guest.AskLanguage(asking, patience); speaks != guest.Ours {
		t.Errorf("it speaks %d, %v", speaks, err)
	}
	asking.Write(ping) // over the same connection
	if got := b.receive(t); !bytes.Equal(got.packet, payload(t, ping)) {
		t.Errorf("got %x after the question", got.packet)
	}
	stranger := a.connect(t)
	io.WriteString(stranger, `{"type":`) // nobody there speaks lines
	wantClosed(t, stranger)
	if n := a.counters.counted().Drops[hearsay.DropMalformed]; n != 1 {
		t.Errorf("counted %d", n)
	}
}

// TestClassesOfLinesTakeTurns: a flood of strangers' lines does not delay those of a member
// and of a seat: each is taken apart within a few turns.
func TestClassesOfLinesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const crowdOfLines = 256 // as many as strangers may have at a time
		var p parsing
		var order []quota.Class
		p.begin(quota.Sender{}) // one is being taken apart
		come := func(class quota.Class, n byte) {
			go func() {
				p.begin(quota.Sender{Class: class, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(class), 0, n}), 0)})
				order = append(order, class)
				p.end()
			}()
			synctest.Wait()
		}
		for n := range byte(crowdOfLines - 1) {
			come(quota.Stranger, n)
		}
		come(quota.Member, 1)
		come(quota.Seat, 1)
		p.end()
		synctest.Wait()
		for _, class := range []quota.Class{quota.Member, quota.Seat} {
			if at := slices.Index(order, class); at < 0 || at > int(quota.Seat)+1 {
				t.Errorf("a line of class %d had to wait for %d of %d others", class, at, len(order)-1)
			}
		}
		if len(order) != crowdOfLines+1 || p.busy {
			t.Errorf("%d lines were taken apart, and one is under way: %t", len(order), p.busy)
		}
	})
}
