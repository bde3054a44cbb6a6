package sim

import (
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/wire"
)

// Outsiders reach the ports of members and know the network's name. They have
// no identity that anybody admitted, and may forge the address that they send
// from.

// question is something that an outsider asks.
type question struct {
	name   string
	body   hearsay.Message
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
	for i := range 1 << hearsay.MaxDigestBits {
		all = append(all, uint8(i))
	}
	var ids []hearsay.NodeID
	for _, member := range s.known(asked) {
		ids = append(ids, member.ID)
	}
	nobody := self.ID
	nobody[0] ^= 1
	return []question{
		{"ping", &hearsay.Ping{Seq: 1}, nil},
		{"ping_of_another", &hearsay.Ping{Seq: 1, Target: nobody}, nil},
		{"join_by_datagram", &hearsay.Join{}, nil},
		{"relay_request", &hearsay.RelayReq{Seq: 1, Target: one.ID}, nil},
		{"digest", &hearsay.Digest{Hashes: []uint64{1}}, nil},
		{"entries_none", &hearsay.Entries{Buckets: []uint8{0}}, nil},
		{"entries_narrow", &hearsay.Entries{Bits: hearsay.MaxDigestBits, Buckets: all[:4]}, nil},
		{"want_one", &hearsay.Want{IDs: ids[:1]}, nil},
		{"want_five", &hearsay.Want{IDs: ids[:5]}, nil},
		{"witness_request", &hearsay.WitnessReq{Subject: one.ID, Incarnation: one.Incarnation, Round: 1}, nil},
		{"evidence_request", &hearsay.EvidenceReq{Hash: proof}, nil},
		{"heard", &hearsay.Heard{Hash: 1}, nil},
		{"seen_nothing", &hearsay.Seen{Answer: true}, nil},
		{"graft", &hearsay.Graft{IDs: []clock.Dot{{Origin: hearsay.OriginOf(self.ID), Counter: 1}}}, nil},
		{"hello", &hearsay.Hello{}, nil},
		{"suspect_the_asked", &hearsay.News{}, []hearsay.Claim{{
			Subject: self.ID, State: hearsay.StateSuspect, Incarnation: self.Incarnation, By: one.ID,
		}}},
		{"dead_claim", &hearsay.News{}, []hearsay.Claim{{
			Subject: one.ID, State: hearsay.StateDead, Incarnation: one.Incarnation, By: self.ID, Evidence: hearsay.Hash{1},
		}}},
	}
}

// How often a question is asked, and how long its answers are awaited.
const (
	asks     = 20
	askEvery = 50 * time.Millisecond
	askWait  = 3 * time.Second
)

// reflectMost is how many bytes go to an address that is not proven, for each
// that came from there, where it is no attack (RFC 9000, section 8.1).
// strangerMost is what we claim of strangers: a node that is taken for another
// says who it is, with its signed card.
const (
	reflectMost  = 3
	strangerMost = 4
)

func layAmplify(t *trial) {
	bystander := t.attack.Nodes
	s := t.newSiege(1, []int{}, &twist{})
	got, byStream := 0, 0
	for i := range s.nodes {
		s.w.bend(i+1, &twist{steps: func(w *World, m *machine, e *hearsay.Effects) {
			s.look(w, m, e)
			for _, packets := range [][]hearsay.Packet{e.Now, e.Send} {
				for i := range packets {
					if packets[i].Addr != s.addr(bystander) {
						continue
					}
					if n := len(wire.AppendPacket(nil, w.id, &packets[i])); n > hearsay.MTU || packets[i].Stream {
						byStream += n
					} else {
						got += n
					}
				}
			}
		}})
	}
	var proof hearsay.Hash
	s.events = func(_ *machine, e *hearsay.Event) {
		if e.Kind == hearsay.EventMemberDead && e.Evidence != nil {
			proof = e.Evidence.Hash(s.w.id)
		}
	}
	s.run(6*time.Second, siegeStep, nil)
	s.run(2*time.Second, siegeStep, s.talk)
	s.w.Do(Action{Verb: Kill, Who: []int{s.nodes}}) // so that there is evidence
	s.run(siegeBegins-s.w.now, siegeStep, nil)
	asked := s.someone()
	worst := make(map[string]float64)
	stranger := newSigner(t.seed, firstPuppet, 1).Public().NodeID()
	for _, who := range []struct {
		name string
		id   hearsay.NodeID
	}{{"stranger", stranger}, {"member", s.w.machines[s.neighbor(asked)].id}} {
		for _, q := range s.questions(asked, proof) {
			got, byStream, s.injected = 0, 0, 0
			for range asks {
				p := hearsay.Packet{From: who.id, Addr: s.addr(asked), Body: q.body, Claims: q.claims}
				if request, ok := q.body.(*hearsay.WitnessReq); ok {
					fresh := *request
					fresh.Round = hearsay.Round(s.random.Uint64())
					p.Body = &fresh
				}
				s.injectPacket(bystander, &p)
				s.run(askEvery, askEvery, nil)
			}
			s.run(askWait, siegeStep, nil)
			factor := float64(got) / float64(s.injected)
			worst[who.name] = max(worst[who.name], factor)
			t.most(who.name+"_"+q.name, factor)
			if byStream > 0 {
				t.most(who.name+"_"+q.name+"_by_stream", float64(byStream)/float64(s.injected))
			}
		}
	}
	t.most("stranger_bytes_out_per_in", worst["stranger"])
	t.most("member_bytes_out_per_in", worst["member"])
	t.lawful(s)
	t.succeeded = max(worst["stranger"], worst["member"]) > reflectMost
	t.claim(worst["stranger"] <= strangerMost, "a stranger gets %s bytes sent elsewhere for each of its own", figure(worst["stranger"]))
}

// neighbor is an honest neighbor of a node.
func (s *siege) neighbor(i int) int {
	for _, id := range s.w.machines[i].node.Links() {
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
	t.claim(d.deaths == 0, "an outsider brought about the death of one who is well")
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
	d.events = func(_ *machine, e *hearsay.Event) {
		if e.Kind != hearsay.EventMemberDead || e.Subject != id {
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
			request := &hearsay.WitnessReq{
				Subject: s.w.machines[subject].id, Incarnation: s.incarnationOf(subject), Round: hearsay.Round(s.random.Uint64()),
			}
			s.inject(asker, s.w.machines[asker].id, s.addr(to), request)
		}
	}
}
