package abuse

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/test/process"
	"hearsay/wire"
)

// What is told once of made-up members at a bystander's address, and for how
// long that listens. Without a proof of addresses a bystander got 7.5 MB in a minute.
const (
	reflectBytes = 48 << 10
	reflectFor   = 15 * time.Second
	reflectShort = 5 * time.Second // besides others: the members are looked for in the first seconds
	reflectMost  = 3               // bytes for each
	reflectPeers = 8
	// Streams that each node opens to the bystander at most: an address that was only named is pinged once a second,
	// one time in three by stream, and a contact once in two seconds, one time in eight.
	reflectStreams = int(reflectFor/time.Second) / 3
)

// TestReflection tells the nodes of an open network of members at an address
// where nobody is one, and counts what comes there.
func TestReflection(t *testing.T) {
	besideOthers(t)
	nodes := process.Up(t, t.TempDir(), 0, reflectPeers)
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	at := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	streams := func() int { return 0 }
	if whole() {
		streams = countStreams(t, at)
	}
	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	sent, made := 0, 0
	for sent < reflectBytes {
		node := nodes[made/4%len(nodes)]
		// what a stranger sends counts only where it names the node
		p := core.Packet{Body: &core.Ping{Seq: 1, Target: node.ID}}
		for range 4 {
			claim := madeUp(made, at)
			p.From, p.Claims, made = claim.Subject, append(p.Claims, claim), made+1
		}
		b := wire.AppendPacket(nil, networkID, &p)
		to, err := netip.ParseAddrPort(node.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stranger.WriteToUDPAddrPort(b, to); err != nil {
			t.Fatal(err)
		}
		sent += len(b)
	}
	came, packets, listens := 0, 0, reflectFor
	if !whole() {
		listens = reflectShort
	}
	buffer := make([]byte, 2*core.MTU)
	sink.SetReadDeadline(time.Now().Add(listens))
	for {
		n, err := sink.Read(buffer)
		if err != nil {
			break // the time is over
		}
		came, packets = came+n, packets+1
	}
	t.Logf("%d bytes about %d made-up members: %d bytes in %d packets came to the bystander in %v", sent, made, came, packets, listens)
	if opened := streams(); whole() {
		t.Logf("%d streams were opened to the bystander by %d nodes", opened, reflectPeers)
		if opened == 0 || opened > reflectStreams*reflectPeers {
			t.Errorf("%d streams were opened to the bystander, want some, and at most %d", opened, reflectStreams*reflectPeers)
		}
	}
	if packets == 0 {
		t.Error("nothing came: nobody has looked whether the members are there")
	}
	if came > reflectMost*sent {
		t.Errorf("%.1f bytes came for each, want at most %d", float64(came)/float64(sent), reflectMost)
	}
}

// countStreams takes the streams to an address, and closes each. What it gives ends that, and counts them.
func countStreams(t *testing.T, at netip.AddrPort) func() int {
	t.Helper()
	sink, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	count := make(chan int, 1)
	go func() {
		opened := 0
		for {
			stream, err := sink.Accept()
			if err != nil {
				break // the listener is closed
			}
			stream.Close() // one that stays open is used again
			opened++
		}
		count <- opened
	}()
	closed := sync.OnceFunc(func() { sink.Close() })
	t.Cleanup(closed)
	return func() int {
		closed()
		return <-count
	}
}

// madeUp is a member that says that it is at an address.
func madeUp(n int, at netip.AddrPort) hearsay.Claim {
	identity := hearsay.NewIdentity([32]byte{byte(n), byte(n >> 8), 7})
	claim := hearsay.Claim{State: hearsay.StateAlive, Incarnation: hearsay.Incarnation(time.Now().UnixMilli())}
	claim.Card = hearsay.Card{Name: fmt.Sprintf("made-up-%d", n), Addr: at, Role: hearsay.RolePeer}
	claim.Sign(networkID, identity)
	return claim
}
