package quorum

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"
)

// crowd is one of many who ask: the n-th stranger, each of a source of its own.
func crowd(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 16 + byte(n>>16), byte(n >> 8), byte(n)}), 9)
}

// Whatever strangers have a node do for them, members and seats have their own
// share of it left.
func TestStrangersLeaveOthersTheirShare(t *testing.T) {
	w := followed(t, 40, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.follows)
	head := w.ForgedHeads(3)[1]
	hello := func(slot uint8) *core.SeatHello {
		m := &core.SeatHello{Versions: ledger.Versions(), Slot: slot, Nonce: 1, Config: w.Machines[0].Q.cfg.hash()}
		m.Sign(testNetwork, newKeyed(7777))
		return m
	}
	for _, c := range []struct {
		what     string
		follower bool // the node is one, else a seed
		body     core.Message
	}{
		{"a hello", false, hello(core.NoSlot)},
		{"a request for the ledger", false, &core.LedgerReq{After: 2}},
		{"a head", false, &core.Rulings{Heads: []hearsay.Head{head}}},
		{"a request for the ledger", true, &core.LedgerReq{After: 2}},
		{"a head", true, &core.Rulings{Heads: []hearsay.Head{head}}},
	} {
		receive := func(from netip.AddrPort) (refused bool) {
			p, m := &core.Packet{From: hearsay.NodeID{3}, Addr: from, Stream: true, Body: c.body}, w.Machines[0]
			before := f.Drops[hearsay.DropRate] + m.Drops[hearsay.DropRate]
			if c.follower {
				f.Step(func() { f.Receive(w.Now, p) })
			} else {
				w.Step(m, func() { m.Q.Receive(w.Now, p) })
			}
			return f.Drops[hearsay.DropRate]+m.Drops[hearsay.DropRate] > before
		}
		served := 0
		for n := 0; n < 20_000 && !receive(crowd(n)); n++ {
			served++
		}
		if served == 0 || served == 20_000 {
			t.Errorf("%s: %d of strangers' were taken: the test shows nothing", c.what, served)
		}
		if receive(w.People[0].Addr) {
			t.Errorf("%s of a member is refused after %d of strangers", c.what, served)
		}
		if receive(seedAddr(1)) {
			t.Errorf("%s of a seed is refused after %d of strangers", c.what, served)
		}
	}
}

// Hundreds of strangers that ask for the ledger ten times a second cost a node as many
// bytes as strangers share, with what each slot of senders has of its own.
func TestAnswersToStrangersAreBounded(t *testing.T) {
	const seconds, askers = 5, 400
	w := followed(t, 41, 150)
	f := w.newFollower()
	w.Must(10*time.Second, "it follows", w.follows)
	request := &core.LedgerReq{After: 1}
	for name, receive := range map[string]func(p *core.Packet){
		"a seed": func(p *core.Packet) { w.Machines[0].Q.Receive(w.Now, p) },
		"a peer": func(p *core.Packet) { f.Receive(w.Now, p) },
	} {
		t.Run(name, func(t *testing.T) {
			out, sent, asked := w.Machines[0].Out, 0, 0
			if name == "a peer" {
				out = f.Out
			}
			for range 10 * seconds {
				w.Run(100 * time.Millisecond)
				for n := range askers {
					before := len(out.Send)
					receive(&core.Packet{From: hearsay.NodeID{3}, Addr: crowd(n), Stream: true, Body: request})
					for _, p := range out.Send[before:] {
						sent += len(p.Body.(interface{ AppendBinary([]byte) []byte }).AppendBinary(nil))
					}
					out.Send = out.Send[:before]
					asked += len(request.AppendBinary(nil))
				}
			}
			t.Logf("%d bytes a second for %d asked", sent/seconds, asked/seconds)
			if sent == 0 || sent > (2*seconds+1)*ledger.StrangersAnswerBytes+quota.Slots*40<<10 {
				t.Errorf("sent %d bytes in %d s, want at most %d a second", sent, seconds, ledger.StrangersAnswerBytes)
			}
		})
	}
}

// Eight strangers that send a seed hellos leave a newcomer so many answers that it
// can come in.
func TestNewcomersHelloIsAnswered(t *testing.T) {
	w := followed(t, 40, 3)
	m := w.Machines[0]
	hello := &core.SeatHello{Versions: ledger.Versions(), Slot: core.NoSlot, Nonce: 1, Config: m.Q.cfg.hash()}
	hello.Sign(testNetwork, newKeyed(7777))
	ask := func(n int) (answered bool) {
		before := m.Drops[hearsay.DropRate]
		w.Step(m, func() {
			m.Q.Receive(w.Now, &core.Packet{From: hearsay.NodeID{byte(n)}, Addr: crowd(n), Stream: true, Body: hello})
		})
		return m.Drops[hearsay.DropRate] == before
	}
	asked, answered, flood := 0, 0, 0
	for ms := range 20_000 {
		w.Run(time.Millisecond)
		for n := range 8 {
			if ms%4 == n%4 { // 250 a second each
				ask(n)
				flood++
			}
		}
		if ms%1000 == 999 { // as a peer does: see helloUnknownEvery
			asked++
			if ask(99) {
				answered++
			}
		}
	}
	if answered < asked/2 {
		t.Errorf("%d of %d hellos of a newcomer are answered, beside %d a second of eight others", answered, asked, flood/20)
	}
}
