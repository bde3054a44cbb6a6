package sim

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/wire"
)

// What an outsider sends once, and how long what comes of it is watched: two
// minutes, of which the second shows whether it grows or ends.
const (
	reflectBytes = 48 << 10
	reflectWatch = time.Minute
	reflectEach  = 4 // claims in one packet: about as many as fit a datagram
)

// mirror is a siege in which members are told of others who are said to be at
// a bystander's address. Nobody answers there.
type mirror struct {
	puppets
	got int // bytes that went to the bystander, by stream too
}

// count is the twist of honest machines: it adds up what goes to the bystander.
func (r *mirror) count(w *World, m *machine, e *core.Effects) {
	r.look(w, m, e)
	for _, packets := range [][]core.Packet{e.Now, e.Send} {
		for i := range packets {
			if packets[i].Addr == r.addr(r.at) {
				r.got += len(wire.AppendPacket(nil, w.id, &packets[i]))
			}
		}
	}
}

// layReflect has an outsider tell members once of identities that it has made
// up, all of them at a bystander's address, and seeds that they want to be in.
func layReflect(t *trial) {
	r := &mirror{}
	r.siege = t.newSiege(2, []int{}, &twist{})
	r.at, r.invents = t.attack.Nodes, true
	for i := range r.w.machines {
		if i < r.nodes || r.w.isSeed(&r.w.machines[i]) {
			r.w.bend(i+1, &twist{steps: r.count})
		}
	}
	outsider := t.attack.Nodes + 1
	r.run(siegeBegins, siegeStep, nil)
	before := r.traffic()
	r.run(reflectWatch, siegeStep, nil)
	calm := r.traffic() - before
	before = r.traffic()
	for r.injected < reflectBytes {
		r.tellOfSome(outsider)
		r.askSeeds(outsider)
	}
	sent := float64(r.injected)
	r.run(reflectWatch, siegeStep, nil)
	first := r.got
	caused := max(0, r.traffic()-before-calm)
	r.run(reflectWatch, siegeStep, nil)
	t.mean("identities_made_up", float64(len(r.puppets.all)))
	t.mean("outsider_bytes", sent)
	t.most("bystander_bytes_first_minute", float64(first))
	t.most("bystander_bytes_second_minute", float64(r.got-first))
	t.most("bystander_bytes_per_byte", float64(r.got)/sent)
	t.most("bytes_caused_per_byte", caused/sent)
	t.lawful(r.siege)
	t.succeeded = r.got > reflectMost*int(sent)
	t.claim(!t.succeeded, "a bystander got %s bytes for each that an outsider sent", figure(float64(r.got)/sent))
}

// tellOfSome tells a member of some identities at the bystander's address.
func (r *mirror) tellOfSome(outsider int) {
	var claims []hearsay.Claim
	for range reflectEach {
		claims = append(claims, r.another().claim)
	}
	to := &r.w.machines[r.someone()]
	r.inject(outsider, r.puppets.all[0].id, to.addr, naming(to), claims...)
}

// askSeeds asks each seed, if there are any, to let one more in that is said to be
// there.
func (r *mirror) askSeeds(outsider int) {
	for i := range r.w.machines {
		if r.w.isSeed(&r.w.machines[i]) {
			one := r.another()
			r.injectPacket(outsider, &core.Packet{
				From: one.id, Addr: r.addr(i), Stream: true, Body: &core.Register{}, Claims: []hearsay.Claim{one.claim},
			})
		}
	}
}

// another makes one more up.
func (r *mirror) another() puppet {
	one := r.invent(len(r.puppets.all))
	r.puppets.all = append(r.puppets.all, one)
	return one
}

func tellReflect(r *AttackReport) string {
	return r.fill("of {outsider_bytes} bytes about {identities_made_up} made-up members at its address a bystander gets {bystander_bytes_first_minute} in the first minute, {bystander_bytes_second_minute} in the second: {bystander_bytes_per_byte} for each; members send {bytes_caused_per_byte} for each, in all, in a minute")
}
