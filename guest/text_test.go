package guest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
)

// steady has a connection of text stay open as long as a test takes.
var steady = lineTimes{request: time.Minute, answer: time.Minute, write: time.Minute, idle: time.Hour, admit: time.Minute}

// textBox is a box that takes part in conversations of text, with what it was asked, and a node that is always there.
func textBox(t *testing.T, role hearsay.Role, times lineTimes) (b *box, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	b = newBox(t, role, func(ctx context.Context, r dialect.Request, from asker) dialect.Reply {
		mu.Lock()
		all = append(all, fmt.Sprintf("%T", r))
		if g, is := r.(*dialect.Gossip); is {
			all[len(all)-1] = g.Text
		}
		mu.Unlock()
		if from.speaks != core.Text {
			t.Errorf("asked by dialect %s", from.speaks)
		}
		return knowing(ctx, r, from)
	}, times)
	return b, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string{}, all...)
	}
}

// says writes a segment, and reads an answer, if one is wanted.
func says(t *testing.T, conn net.Conn, text, want string) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("%q is answered %q, %v, want %q", text, got, err, want)
	}
}

// Several requests follow on one connection, each in a segment, in pieces, or several in one.
func TestTextConversation(t *testing.T) {
	b, asked := textBox(t, hearsay.RolePeer, steady)
	conn := b.connect(t)
	says(t, conn, "New Connect Request From:127.0.0.1:6001", "New Connect Accepted")
	says(t, conn, "New Connection Request From:127.0.0.1:6001", "New Connection Accepted")
	says(t, conn, "Liveness Req", "")
	says(t, conn, "uest:1.5:127.0.0.1", "Liveness Reply:1.5:127.0.0.1:127.0.0.1")
	var rumors []string
	for i := range 50 { // more than is read at once
		rumors = append(rumors, fmt.Sprintf("17%08d.5:127.0.0.1:6001:GOSSIP%d", i, i+1))
	}
	says(t, conn, strings.Join(rumors, ""), "")
	says(t, conn, "Liveness Request:2.5:127.0.0.1", "Liveness Reply:2.5:127.0.0.1:127.0.0.1")
	if got, want := strings.Join(asked(), " "), "*dialect.Hello *dialect.Hello "+strings.Join(rumors, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	fmt.Fprint(conn, "127.0.0.1:6001") // which is for a seed
	if rest, err := io.ReadAll(conn); len(rest) > 0 || err != nil {
		t.Errorf("answered %q, %v", rest, err)
	}
	b.close()
	if got := b.drops[hearsay.DropMalformed].Load(); got != 1 {
		t.Errorf("counted %d malformed", got)
	}
}

// A peer that registers is listed where its connection comes from, and last; a report is not answered.
func TestTextRegistration(t *testing.T) {
	b, asked := textBox(t, hearsay.RoleSeed, steady)
	conn := b.connect(t)
	says(t, conn, "10.9.8.7:6001", "10.2.0.1:7946,127.0.0.1:6001")
	says(t, conn, "Dead Node:127.0.0.1:6001:1.5:127.0.0.1", "")
	says(t, conn, "Liveness Request:1.5:127.0.0.1", "Liveness Reply:1.5:127.0.0.1:127.0.0.1")
	if got := strings.Join(asked(), " "); got != "*dialect.Register *dialect.PeerList *dialect.DeadReport" {
		t.Errorf("asked %s", got)
	}
}

// A peer that asks while it is being decided about has its list once it is in, and none if it is not let in.
func TestTextRegistrationPending(t *testing.T) {
	for _, success := range []bool{true, false} {
		var asked atomic.Int32
		b := newBox(t, hearsay.RoleSeed, func(ctx context.Context, r dialect.Request, from asker) dialect.Reply {
			register, is := r.(*dialect.Register)
			if !is {
				return knowing(ctx, r, from)
			}
			if asked.Add(1) < 3 {
				return &dialect.Outcome{Peer: register.Peer, Pending: true}
			}
			return &dialect.Outcome{Peer: register.Peer, Success: success}
		}, steady)
		want := ""
		if success {
			want = "10.2.0.1:7946,127.0.0.1:6001"
		}
		if got := typed(t, b, "127.0.0.1:6001", false); got != want || asked.Load() != 3 {
			t.Errorf("asked %d times, and answered %q, want %q", asked.Load(), got, want)
		}
		b.close()
	}
}

// A message that does not end, and a connection on which nothing is said, are given up after a while.
func TestTextGivenUp(t *testing.T) {
	for text, idle := range map[string]bool{"Liveness Request:1.5:127.0.0.1": true, "1.5:127.0.0.1:": false} {
		times := steady
		if times.request = hasty.request; idle {
			times.idle = hasty.request
		}
		b, _ := textBox(t, hearsay.RolePeer, times)
		typed(t, b, text, true)
		b.close()
		if slow := b.drops[hearsay.DropSlow].Load() == 1; slow == idle {
			t.Errorf("%q: counted as slow: %t", text, slow)
		}
	}
}

// What one source says by text is bounded as what it says by lines is: a flood is dropped, and others are served.
func TestTextFlood(t *testing.T) {
	b, asked := textBox(t, hearsay.RoleSeed, steady)
	conn := b.connect(t)
	const reports = 10 * casesBurst
	for range reports {
		says(t, conn, "Dead Node:127.0.0.1:6001:1.5:127.0.0.1", "")
	}
	says(t, conn, "Liveness Request:1.5:127.0.0.1", "Liveness Reply:1.5:127.0.0.1:127.0.0.1")
	conn.Close()
	b.close()
	taken, dropped := len(asked()), int(b.drops[hearsay.DropRate].Load())
	if taken > 5*casesBurst || taken+dropped != reports {
		t.Errorf("took %d reports, and dropped %d", taken, dropped)
	}
}

// A guest of text lives if it gives the right answer, and our side of that connection closes first.
func TestTextProbe(t *testing.T) {
	id := hearsay.NodeID{1}
	for answer, lives := range map[string]bool{
		"": false, "Liveness Reply:1.5:127.0.0.1:127.0.0.1": false, "New Connect Accepted": false, "right": true, strings.Repeat("x", 2*dialect.TextReceived): false,
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		first := false
		wait.Go(func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			asked := make([]byte, dialect.TextReceived)
			n, _ := conn.Read(asked)
			all, _, _ := dialect.ReadText(asked[:n], hearsay.RolePeer, false)
			if answer != "right" {
				io.WriteString(conn, answer)
				return
			}
			if r, is := all[0].(*dialect.Liveness); is {
				conn.Write(dialect.AppendAlive(nil, r, localhost))
			}
			_, err = conn.Read(asked)
			first = err == io.EOF
		})
		host := newHost(hearsay.RolePeer, localhost)
		g := NewProbes(host, memberAddr, nil)
		got := g.answers(id, listener.Addr().(*net.TCPAddr).AddrPort(), core.Text)(7)
		g.Close()
		listener.Close()
		wait.Wait()
		if (got != nil) != lives || first != lives {
			t.Errorf("%.40q: %+v, our side closes first: %t", answer, got, first)
		}
	}
}

// Where a node of ours has taken a guest's address, that is no guest, though it would answer.
func TestTextProbeOfOurs(t *testing.T) {
	ours, at := hearsay.NodeID{2}, netip.MustParseAddrPort("127.0.0.1:1")
	handed := make(chan *core.Packet, 1)
	host := newHost(hearsay.RolePeer, localhost)
	g := NewProbes(host, memberAddr, func(p *core.Packet) { handed <- p })
	defer g.Close()
	g.ours = func(addr netip.AddrPort) (hearsay.NodeID, bool) { return ours, addr == at }
	if !g.Takes(&core.Packet{Addr: at, Body: &core.Ping{Seq: 7, Target: core.GuestID(host.Network, at, core.Text)}}) {
		t.Fatal("it is sent a ping")
	}
	if p := <-handed; p.From != ours || !sameBody(p.Body, &core.NotMe{Seq: 7}) {
		t.Errorf("got %+v", p)
	}
}

// What guests of text are told of a rumor.
func TestTextOfRumor(t *testing.T) {
	host := newHost(hearsay.RolePeer, localhost)
	at := netip.MustParseAddrPort("10.0.0.1:6001")
	lines, text := core.GuestID(host.Network, at, core.Lines), core.GuestID(host.Network, at, core.Text)
	for _, c := range []struct {
		text  string
		guest hearsay.NodeID
		want  string
	}{
		{"1.5:10.0.0.1:6001:GOSSIP7", text, "1.5:10.0.0.1:6001:GOSSIP7"},
		{"1.5:10.0.0.1:7", text, "1.5:10.0.0.1:7"},
		{"1.5:10.0.0.1:6001:GOSSIP7", hearsay.AnyGuest, "1.5:10.0.0.1:6001:GOSSIP7"},
		{"1700000000:10.0.0.1:7", lines, "1700000000:10.0.0.1:6001:GOSSIP7"},
		{"1700000000:10.0.0.1:7", hearsay.NodeID{}, "1700000000:10.0.0.1:6001:GOSSIP7"},
		{"1.5:10.0.0.1:6001:GOSSIP7", hearsay.NodeID{}, "1.5:10.0.0.1:6001:GOSSIP7"},
		{"1.5:10.0.0.2:6001:GOSSIP7", hearsay.NodeID{}, "0.*:10.0.0.1:6001:GOSSIP3"},
		{"1700000000:10.0.0.2:7", hearsay.NodeID{}, "0.*:10.0.0.1:6001:GOSSIP3"},
		{"tea at five:\n", hearsay.NodeID{}, "0.*:10.0.0.1:6001:GOSSIP3"},
		{"tea at five", lines, "0.*:10.0.0.1:6001:GOSSIP1"},
	} {
		e := &hearsay.Event{Rumor: &hearsay.Rumor{Data: []byte(c.text), Guest: c.guest}}
		e.Rumor.ID.Counter = 3
		got := textOf(host.Network, e, at)
		stamp, rest, _ := strings.Cut(got, ":")
		if wild, want, _ := strings.Cut(c.want, ":"); got != c.want && (wild != "0.*" || rest != want || len(stamp) != len("0.123456789012")) || !dialect.IsLine(got) {
			t.Errorf("%q of %s is %q, want %q", c.text, c.guest, got, c.want)
		}
		e.Rumor.ID.Origin[0]++
		if again := textOf(host.Network, e, at); (again == got) != (!c.guest.IsZero() || !strings.HasPrefix(got, "0.")) {
			t.Errorf("%q of another life is %q, and was %q", c.text, again, got)
		}
	}
	for _, odd := range []string{"[2001:db8::1]:6001", ""} {
		origin, _ := netip.ParseAddrPort(odd)
		if got := textOf(host.Network, &hearsay.Event{Rumor: &hearsay.Rumor{Data: []byte("tea")}}, origin); !strings.Contains(got, ":0.0.0.0:") {
			t.Errorf("of %q: %q", odd, got)
		}
	}
}
