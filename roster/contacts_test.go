package roster_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// die has a member accused and dead by evidence, by the word of others.
func (b *bench) die(m *stranger) {
	by := b.others[len(b.others)-2]
	if by == m {
		by = b.others[len(b.others)-3]
	}
	b.hear(by, suspect(m, by))
	b.dead(m, by, b.evidence(m, hearsay.RuleMajority, all(hearsay.VerdictUnreachable)))
	b.want(m, hearsay.StateDead)
	b.others = slices.DeleteFunc(b.others, func(o *stranger) bool { return o == m })
}

// Many that come and die push nobody off the disk that was known for long, or that lives, and
// those known for long are tried as often as if the others were not there.
func TestShortLivedMembers(t *testing.T) {
	b := newBench(t, 6)
	disk := map[netip.AddrPort]*core.Contact{}
	apply(disk, b.out.Persist)
	keep := func(step func()) {
		step()
		apply(disk, b.out.Persist)
	}
	for _, m := range b.others {
		disk[m.addr] = &core.Contact{Addr: m.addr, ID: m.id()}
	}
	// the first of a network
	b.Join(b.now, &core.Packet{From: b.others[5].id(), Addr: b.others[5].addr, Stream: true})
	b.now = b.now.Add(2 * time.Minute)
	for i := range 300 {
		short := newStranger(100 + i)
		keep(func() { b.hear(short, short.word(hearsay.StateAlive)) })
		b.others = append(b.others, short)
		b.now = b.now.Add(2 * time.Second)
		keep(func() { b.die(short) })
	}
	if b.Count(hearsay.StateDead) < 250 || b.Lost() != 0 {
		t.Errorf("%d are lost of those that lived for two seconds", b.Lost())
	}
	long := slices.Clone(b.others[:2])
	for _, m := range long {
		keep(func() { b.die(m) })
	}
	if b.Lost() != len(long) {
		t.Errorf("%d are lost, want the %d that lived for minutes", b.Lost(), len(long))
	}
	late := []*stranger{newStranger(1000), newStranger(1001)}
	for _, m := range late {
		keep(func() { b.hear(m, m.word(hearsay.StateAlive)) })
	}
	for _, m := range slices.Concat(long, late, b.others) {
		if disk[m.addr] == nil {
			t.Errorf("the address of %s is not on disk", m.name)
		}
	}
	if len(disk) > 30 {
		t.Errorf("%d addresses are on disk, most of members that are dead", len(disk))
	}
	for _, m := range long {
		tried := 0
		for _, p := range b.pass(12 * time.Second).Now {
			if ping, is := p.Body.(*core.Ping); is && ping.Target == m.id() {
				tried++
			}
		}
		if tried < 2 {
			t.Errorf("%s was tried %d times in 12 s", m.name, tried)
		}
	}
}

// Addresses that are found later are tried next, however many others there are, and are not
// too many.
func TestContactsFoundLater(t *testing.T) {
	b := newBench(t, 3)
	// the first of a network
	b.Join(b.now, &core.Packet{From: b.others[0].id(), Addr: b.others[0].addr, Stream: true})
	addr := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 7946)
	}
	for i := range 300 {
		b.Contact(b.now, []netip.AddrPort{addr(i)})
	}
	b.pass(3 * time.Second)
	b.Contact(b.now, []netip.AddrPort{addr(300), addr(301)})
	var tried []netip.AddrPort
	for _, p := range b.pass(2*time.Second + 10*time.Millisecond).Now {
		if _, is := p.Body.(*core.Ping); is {
			tried = append(tried, p.Addr)
		}
	}
	if len(tried) < 2 || tried[0] != addr(300) || tried[1] != addr(301) {
		t.Errorf("tried %v, want those that were found last", tried)
	}
}

// A contact that is given again each time stays, besides a name that stands for other addresses each day.
func TestContactThatIsGivenAgainStays(t *testing.T) {
	b := newBench(t, 2)
	literal := netip.MustParseAddrPort("10.77.0.1:7946")
	b.Contact(b.now, []netip.AddrPort{literal})
	for n := range 300 { // the pods of some weeks
		b.Contact(b.now, []netip.AddrPort{literal, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 78, byte(n >> 8), byte(n)}), 7946)})
	}
	for _, m := range b.others {
		b.hear(m, m.word(hearsay.StateLeft)) // it is alone
	}
	tried := false
	all := b.pass(30 * time.Minute)
	for _, p := range append(all.Now, all.Send...) {
		tried = tried || p.Addr == literal
	}
	if !tried {
		t.Error("in half an hour alone, the contact that is written in its settings is never tried")
	}
}

// Where as many addresses are on disk as there may be, a living member takes the place of the dead one
// that was known for the shortest time, also if all of them were known for long. Where all live, it has none.
func TestLivingTakeThePlaceOfTheDead(t *testing.T) {
	b := newBench(t, 6)
	disk := map[netip.AddrPort]*core.Contact{}
	comes := func(n int) *stranger {
		m := newStranger(n)
		apply(disk, b.hear(m, m.word(hearsay.StateAlive)).Persist)
		b.others = append(b.others, m)
		return m
	}
	first := comes(100)
	for i := range 248 {
		comes(200 + i)
	}
	b.now = b.now.Add(time.Minute)
	later := comes(101)
	if disk[first.addr] == nil || disk[later.addr] == nil {
		t.Fatal("the addresses are not on disk")
	}
	b.now = b.now.Add(2 * time.Minute)
	without := comes(102)
	b.die(later)
	apply(disk, b.out.Persist)
	b.die(first)
	apply(disk, b.out.Persist)
	with := comes(103)
	for _, m := range []struct {
		*stranger
		what string
		want bool
	}{{first, "dead, and known for longer", true}, {later, "dead, and known for a shorter time", false}, {with, "came when one was dead", true}, {without, "came when all lived", false}} {
		if there := disk[m.addr] != nil; there != m.want {
			t.Errorf("%s: its address is on disk: %t, want %t", m.what, there, m.want)
		}
	}
}

// Of the forgotten one that was known for a short time makes room, and none that was known for long.
func TestForgottenMakeRoom(t *testing.T) {
	var records []core.Record
	disk := map[netip.AddrPort]*core.Contact{}
	for i := range 255 {
		o := newStranger(1000 + i)
		records = append(records, &core.Contact{Addr: o.addr, ID: o.id()})
	}
	apply(disk, records)
	b := newBenchOf(t, 6, newStranger(0), records...)
	long := b.others[0]
	b.now = b.now.Add(2 * time.Minute)
	short := newStranger(100)
	apply(disk, b.hear(short, short.word(hearsay.StateAlive)).Persist)
	b.others = append(b.others, short)
	for _, m := range []*stranger{short, long} {
		b.die(m)
		apply(disk, b.out.Persist)
		b.now = b.now.Add(25 * time.Hour)
		b.out.Reset()
		b.Tick(b.now)
		apply(disk, b.out.Persist)
	}
	if disk[short.addr] != nil || len(disk) < 255 {
		t.Errorf("that of one known for seconds is on disk: %t; of 255 that an earlier life has kept and one known for minutes %d are", disk[short.addr] != nil, len(disk))
	}
	for _, r := range records {
		if c := r.(*core.Contact); disk[c.Addr] == nil {
			t.Errorf("%v, which an earlier life has kept, has made room", c.Addr)
		}
	}
}

// A node that starts with many addresses of members tries all of them once before it waits longer between tries.
func TestManyContactsAreTriedSoon(t *testing.T) {
	var records []core.Record
	for i := range 40 {
		one := newStranger(200 + i)
		records = append(records, &core.Contact{Addr: one.addr, ID: one.id()})
	}
	b := newBenchOf(t, 0, newStranger(0), records...)
	tried := map[netip.AddrPort]bool{}
	for _, p := range b.pass(15 * time.Second).Send { // ten times four, about a second apart
		if _, is := p.Body.(*core.Join); is {
			tried[p.Addr] = true
		}
	}
	if len(tried) < len(records) {
		t.Errorf("%d of %d contacts were tried within 15 s", len(tried), len(records))
	}
}
