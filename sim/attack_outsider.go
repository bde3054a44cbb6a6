package sim

import (
	"encoding/binary"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/testkit"
	"hearsay/wire"
)

// Outsiders reach the ports of members and know the network's name. They have
// no identity that anybody admitted, and may forge the address that they send
// from.

// question is something that an outsider asks.
type question struct {
	name   string
	body   core.Message
	claims []hearsay.Claim
}

// questions are all that a node answers, to a member that is asked.
func (s *siege) questions(asked int, proof hearsay.Hash) []question {
	self := s.w.machines[asked].node.Self()
	other := s.someone()
	for other == asked {
		other = s.someone()
	}
	one := s.w.machines[other].node.Self()
	var all []uint8
	for i := range 1 << core.MaxDigestBits {
		all = append(all, uint8(i))
	}
	var ids []hearsay.NodeID
	for _, member := range s.known(asked) {
		ids = append(ids, member.ID)
	}
	nobody := self.ID
	nobody[0] ^= 1
	return []question{
		{"ping", &core.Ping{Seq: 1}, nil},
		{"ping_of_another", &core.Ping{Seq: 1, Target: nobody}, nil},
		{"join_by_datagram", &core.Join{}, nil},
		{"relay_request", &core.RelayReq{Seq: 1, Target: one.ID}, nil},
		{"digest", &core.Digest{Hashes: []uint64{1}}, nil},
		{"entries_none", &core.Entries{Buckets: []uint8{0}}, nil},
		{"entries_narrow", &core.Entries{Bits: core.MaxDigestBits, Buckets: all[:4]}, nil},
		{"want_one", &core.Want{IDs: ids[:1]}, nil},
		{"want_five", &core.Want{IDs: ids[:5]}, nil},
		{"witness_request", &core.WitnessReq{Subject: one.ID, Incarnation: one.Incarnation, Round: 1}, nil},
		{"evidence_request", &core.EvidenceReq{Hash: proof}, nil},
		{"heard", &core.Heard{Hash: 1}, nil},
		{"seen_nothing", &core.Seen{Answer: true}, nil},
		{"graft", &core.Graft{IDs: []clock.Dot{{Origin: hearsay.OriginOf(self.ID), Counter: s.lastOf(asked)}}}, nil},
		{"hello", &core.Hello{}, nil},
		{"suspect_the_asked", &core.News{}, []hearsay.Claim{{
			Subject: self.ID, State: hearsay.StateSuspect, Incarnation: self.Incarnation, By: one.ID,
		}}},
		{"dead_claim", &core.Ping{Seq: 1, Target: self.ID}, []hearsay.Claim{{
			Subject: one.ID, State: hearsay.StateDead, Incarnation: one.Incarnation, By: self.ID, Evidence: hearsay.Hash{1},
		}}},
	}
}

// lastOf is the number of the last rumor that a node said.
func (s *siege) lastOf(i int) (last uint64) {
	for _, one := range s.w.check.gossip.said {
		if int(s.w.check.identities[one.identity].machine) == i {
			last = one.id.Counter
		}
	}
	return last
}

// A question is asked for a minute, with stores full; its answers are awaited
// for some seconds more. Less would hide what a limit allows at once.
const (
	asks     = 1200
	askEvery = 50 * time.Millisecond
	askWait  = 3 * time.Second
	heldFull = 512 // rumors of 1 KiB in each store
)

// reflectMost is how many bytes go to an address that is not proven, for each
// that came from there, where it is no attack (RFC 9000, section 8.1).
const reflectMost = 3

// causedMost is how many all members send together for each: besides what goes back, now
// and then a check of where a member is, and a comparison.
const causedMost = reflectMost + 1

// reflection is a siege in which an outsider sends from a bystander's address.
type reflection struct {
	*siege
	bystander int
	got       int     // bytes that the bystander got by datagram
	byStream  int     // and that it would get if it took streams
	calm      float64 // bytes that all send while a question is asked, if nobody asks
}

func layAmplify(t *trial) {
	r := &reflection{bystander: t.attack.Nodes}
	r.siege = t.newSiege(1, []int{}, &twist{})
	for i := range r.nodes {
		r.w.bend(i+1, &twist{steps: r.count})
	}
	asked, proof := r.prepare()
	worst := make(map[string]float64)
	stranger := testkit.NewSigner(t.seed, firstPuppet, 1).Public().NodeID()
	for _, who := range []struct {
		name string
		id   hearsay.NodeID
	}{{"stranger", stranger}, {"member", r.w.machines[r.neighbor(asked)].id}} {
		for _, q := range r.questions(asked, proof) {
			caused := r.ask(asked, who.id, &q)
			sent := float64(r.injected)
			factor := float64(r.got) / sent
			worst[who.name] = max(worst[who.name], factor)
			worst[who.name+" caused"] = max(worst[who.name+" caused"], caused/sent)
			t.most(who.name+"_"+q.name, factor)
			t.most(who.name+"_"+q.name+"_caused", caused/sent)
			t.most(who.name+"_"+q.name+"_by_stream", float64(r.byStream)/sent)
		}
	}
	t.most("stranger_bytes_out_per_in", worst["stranger"])
	t.most("stranger_bytes_caused_per_in", worst["stranger caused"])
	t.most("member_bytes_out_per_in", worst["member"])
	t.most("member_bytes_caused_per_in", worst["member caused"])
	t.lawful(r.siege)
	t.succeeded = max(worst["stranger"], worst["member"]) > reflectMost
	t.claim(!t.succeeded, "an outsider gets %s bytes sent elsewhere for each of its own", figure(max(worst["stranger"], worst["member"])))
	caused := max(worst["stranger caused"], worst["member caused"])
	t.claim(caused <= causedMost, "an outsider causes %s bytes for each of its own", figure(caused))
}

// count is the twist of honest machines: it adds up what goes to the bystander.
func (r *reflection) count(w *World, m *machine, e *core.Effects) {
	r.look(w, m, e)
	for _, packets := range [][]core.Packet{e.Now, e.Send} {
		for i := range packets {
			if packets[i].Addr != r.addr(r.bystander) {
				continue
			}
			if n := len(wire.AppendPacket(nil, w.id, &packets[i])); n > core.MTU || packets[i].Stream {
				r.byStream += n
			} else {
				r.got += n
			}
		}
	}
}

// prepare lets members have something to tell: rumors, and the evidence of a
// death. It draws who is asked.
func (r *reflection) prepare() (asked int, proof hearsay.Hash) {
	r.events = func(_ *machine, e *hearsay.Event) {
		if buries(e) && e.Evidence != nil {
			proof = e.Evidence.Hash(r.w.id)
		}
	}
	r.run(6*time.Second, siegeStep, nil)
	r.run(2*time.Second, siegeStep, r.talk)
	for range heldFull {
		r.w.say(&r.w.machines[r.someone()], 1<<10)
		r.run(siegeStep/50, siegeStep/50, nil)
	}
	asked = r.someone()
	r.w.say(&r.w.machines[asked], 1<<10)
	for dies := range r.nodes {
		if dies != asked && r.w.machines[dies].id != r.w.machines[r.neighbor(asked)].id {
			r.w.Do(Action{Verb: Kill, Who: []int{dies + 1}})
			break
		}
	}
	r.run(siegeBegins, siegeStep, nil)
	before := r.traffic()
	r.run(asks*askEvery+askWait, siegeStep, nil)
	r.calm = r.traffic() - before
	return asked, proof
}

// ask asks a question many times, and gives how many bytes all sent for it.
func (r *reflection) ask(asked int, from hearsay.NodeID, q *question) (caused float64) {
	r.got, r.byStream, r.injected = 0, 0, 0
	before := r.traffic()
	for range asks {
		p := core.Packet{From: from, Addr: r.addr(asked), Body: q.body, Claims: q.claims}
		if request, ok := q.body.(*core.WitnessReq); ok {
			fresh := *request
			fresh.Round = hearsay.Round(r.random.Uint64())
			p.Body = &fresh
		}
		if len(q.claims) > 0 && q.claims[0].State == hearsay.StateDead {
			// Its subject refutes it once: what a refutation causes is not what this attack is about.
			death := q.claims[0]
			binary.LittleEndian.PutUint64(death.Evidence[:], r.random.Uint64())
			p.From, p.Claims = r.vary(from), []hearsay.Claim{death}
		}
		r.injectPacket(r.bystander, &p)
		r.run(askEvery, askEvery, nil)
	}
	r.run(askWait, siegeStep, nil)
	return max(0, r.traffic()-before-r.calm)
}

// vary gives another sender of the same kind: a member, or a stranger.
func (r *reflection) vary(from hearsay.NodeID) hearsay.NodeID {
	if r.honestAt(from) >= 0 {
		return r.w.machines[r.someone()].id
	}
	binary.LittleEndian.PutUint64(from[:], r.random.Uint64())
	return from
}

// neighbor is an honest neighbor of a node.
func (s *siege) neighbor(i int) int {
	for _, id := range s.w.machines[i].node.Gossip().Links() {
		if j := s.honestAt(id); j >= 0 {
			return j
		}
	}
	panic("sim: a node without a neighbor")
}

// An outsider's requests a second, to each observer of a member that is to die,
// and how long before.
const (
	distractRate  = 400
	distractAhead = 2 * time.Second
)

func layDistract(t *trial) {
	calm := t.distract(false)
	d := t.distract(true)
	t.most("death_found_s", d.first.Seconds())
	t.most("death_known_s", d.last.Seconds())
	t.most("death_known_s_without", calm.last.Seconds())
	t.mean("requests_per_observer_s", distractRate)
	t.mean("wrong_suspicions", float64(d.suspicions))
	t.lawful(d.siege)
	t.succeeded = d.knowers < d.nodes-1
	t.claim(!t.succeeded || t.attack.Nodes > distractSafe, "a death was not known to all after %s", knownWithin)
	t.claim(d.deaths == 0, "an outsider brought about the death of one that is well")
}

// distractSafe is how many members a network may have in which requests in all
// their names leave observers time: each may ask 16 in 2 s, and an observer has
// 64 examinations under way, of half a second or more.
const distractSafe = 32

// distraction is a siege in which a member dies.
type distraction struct {
	*siege
	knowers     int
	first, last time.Duration // another held it dead, after it died
}

// distract kills a member, while an outsider keeps its observers busy or does
// not.
func (t *trial) distract(under bool) *distraction {
	d := &distraction{siege: t.newSiege(0, []int{}, &twist{})}
	d.run(siegeBegins, siegeStep, nil)
	victim := d.someone()
	id := d.w.machines[victim].id
	observers := t.observersOf(victim)
	d.events = func(m *machine, e *hearsay.Event) {
		if !buries(e) || d.w.isSeed(m) || e.Subject != id {
			return
		}
		d.last = d.w.now - siegeBegins - distractAhead
		if d.knowers++; d.knowers == 1 {
			d.first = d.last
		}
	}
	disturb := func() {
		if under {
			d.disturb(observers)
		}
	}
	d.run(distractAhead, siegeStep, disturb)
	d.w.Do(Action{Verb: Kill, Who: []int{victim + 1}})
	for d.knowers < d.nodes-1 && d.w.now < siegeBegins+distractAhead+knownWithin {
		d.run(siegeStep, siegeStep, disturb)
	}
	d.settleAll()
	return d
}

// disturb sends the requests of one step: about anybody, in anybody's name.
func (s *siege) disturb(observers []int) {
	for _, to := range observers {
		for range distractRate * int(siegeStep) / int(time.Second) {
			subject, asker := s.someone(), s.someone()
			request := &core.WitnessReq{
				Subject: s.w.machines[subject].id, Incarnation: s.incarnationOf(subject), Round: hearsay.Round(s.random.Uint64()),
			}
			s.inject(asker, s.w.machines[asker].id, s.addr(to), request)
		}
	}
}
