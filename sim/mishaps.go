package sim

import (
	"math/rand/v2"
	"time"

	"hearsay/internal/core"
)

// dials say in how many of so many drawn worlds each mishap is.
var dials = struct{ of, move, fill, damage, call, bar, remove, lose, tail, hostile, restore, clone, invent, crowd, split, recover, roam, streams, away, mute, narrow, streamless int }{
	of: 8, move: 2, fill: 2, damage: 1, call: 1, bar: 2, remove: 2, lose: 6, tail: 3, hostile: 2, restore: 2, clone: 2, invent: 2, crowd: 2, split: 1, recover: 2, roam: 2, streams: 2, away: 3, mute: 3, narrow: 2, streamless: 2,
}

// mishap gives the stream of one kind of mishaps, and whether the world has it:
// each has a stream of its own, so that one dial moves no other draw.
func (st *storm) mishap(kind uint64, weight int) (random *rand.Rand, has bool) {
	stream := draws(st.config.Seed, purposeMishap, kind)
	random = rand.New(&stream)
	return random, random.IntN(dials.of) < weight
}

// during draws a time within the storm.
func during(random *rand.Rand) time.Duration {
	return stormBegins + time.Duration(random.Int64N(int64(stormEnds-stormBegins)))
}

// doom draws two seeds whose disks an operator takes, one after the other, in some
// worlds; there no other disk of a seed is lost.
func (st *storm) doom() {
	random, has := st.mishap(1, dials.lose)
	if !has || st.frail == 0 || st.quorumLost {
		return
	}
	st.frail = 0
	order := random.Perm(st.config.Seeds)
	for i := range 2 {
		who := st.config.Nodes + 1 + order[i]
		at := stormBegins + time.Duration(random.Int64N(int64(10*time.Second))) + time.Duration(i)*20*time.Second
		st.plan(Action{At: at, Verb: Lose, Who: []int{who}})
	}
}

// loseQuorum has a quorum of the seeds lost for ever, in some worlds, and an operator begin anew
// from one that is left: one whose disk nothing else takes. There is time enough until the storm's
// end, and no seed comes late, is put back, or is down in the end.
func (st *storm) loseQuorum() {
	random, has := st.mishap(15, dials.recover)
	if !has || st.frail == 0 && st.config.Seeds != 2 {
		return
	}
	st.quorumLost = true
	left := st.config.Nodes + 1 + random.IntN(st.config.Seeds-st.frail)
	at := stormBegins + time.Duration(random.Int64N(int64(30*time.Second)))
	st.plan(Action{At: at, Verb: Recover, Who: []int{left}})
}

// relapse has a machine start with an older copy of its disk, in some worlds. If
// that is a seed, no other disk of a seed is lost, and no seed is down in the end:
// the ones that know what it has promised must be there sooner than it goes on
// without them. In some worlds the operator then empties its disk, as it says.
func (st *storm) relapse() {
	random, has := st.mishap(3, dials.restore)
	if !has {
		return
	}
	who := []int{1 + random.IntN(st.config.Nodes)}
	if st.frail > 0 && random.IntN(2) == 0 {
		st.frail = 0
		who[0] = st.config.Nodes + 1 + random.IntN(st.config.Seeds)
	}
	saved, restored := during(random), during(random)
	saved, restored = min(saved, restored), max(saved, restored)
	st.plan(Action{At: saved, Verb: Save, Who: who})
	st.plan(Action{At: restored, Verb: Restore, Who: who})
	if who[0] > st.config.Nodes && random.IntN(2) == 0 {
		st.plan(Action{At: min(stormEnds, restored+time.Duration(random.Int64N(int64(10*time.Second)))), Verb: Lose, Who: who})
	}
}

// split has a seed put back as it was before a ruling, in some worlds, while the
// only other one that knows of that is down, and one that does not is there: the two
// are a quorum, which could decide something else.
func (st *storm) split() {
	random, has := st.mishap(14, dials.split)
	if !has || st.frail == 0 || st.config.Seeds != 3 {
		return
	}
	st.frail = 0
	order, at := random.Perm(3), stormBegins+time.Duration(random.Int64N(int64(5*time.Second)))
	seed := func(i int) []int { return []int{st.config.Nodes + 1 + order[i]} }
	leaves := random.Perm(st.config.Nodes)[:2]
	for _, a := range []Action{
		{Verb: Save, Who: seed(0)},
		{At: 2 * time.Second, Verb: Kill, Who: seed(1)},
		{At: 5 * time.Second, Verb: Leave, Who: []int{leaves[0] + 1}},
		{At: 15 * time.Second, Verb: Kill, Who: seed(2)},
		{At: 15 * time.Second, Verb: Restore, Who: seed(0)},
		{At: 16 * time.Second, Verb: Restart, Who: seed(1)},
		{At: 18 * time.Second, Verb: Leave, Who: []int{leaves[1] + 1}},
		{At: 40 * time.Second, Verb: Restart, Who: seed(2)},
	} {
		a.At += at
		st.plan(a)
	}
}

// crowdAtOneAddress has many peers at one IP address ask to be in, in some worlds, of which the
// seeds let in a few. They come once the seeds have had time to agree on the limits.
func (st *storm) crowdAtOneAddress() {
	random, has := st.mishap(13, dials.crowd)
	if !has || st.config.Seeds == 0 || st.config.Nodes < 8 || st.config.Founders > 0 {
		return
	}
	st.config.Crowd = 3 + random.IntN(st.config.Nodes/2-2)
	st.config.Quorum.Limits.MembersOfSource = uint32(1 + random.IntN(2))
	for n := st.config.Nodes - st.config.Crowd + 1; n <= st.config.Nodes; n++ {
		st.plan(Action{At: stormBegins + limitsAgreed + time.Duration(random.Int64N(int64(20*time.Second))), Verb: Start, Who: []int{n}})
	}
}

// deafen has the datagrams of a machine lost from some time on, in some worlds without other loss, while
// streams go on. In half of these that is so for ever: it is a member like the others all the same.
func (st *storm) deafen() {
	random, has := st.mishap(20, dials.streams)
	if !has || st.config.Loss > 0 {
		return
	}
	st.config.Detect.StreamPing = true
	who, at := []int{1 + random.IntN(st.nodes)}, during(random)
	if random.IntN(3) == 0 {
		at = 0 // it comes so
	}
	st.plan(Action{At: at, Verb: LossDatagrams, Share: 1, Who: who})
	if random.IntN(2) == 0 {
		st.plan(Action{At: stormEnds, Verb: LossDatagrams, Who: who})
	}
}

// muffle has all that a machine sends, or all that is sent to it, lost for a while, in some worlds that are not mild.
func (st *storm) muffle() {
	random, has := st.mishap(22, dials.mute)
	if !has || st.bad == mild {
		return
	}
	who, verb := []int{1 + random.IntN(st.nodes)}, pick(random, LossOut, LossOut, LossIn)
	at := stormBegins + time.Duration(random.Int64N(int64(20*time.Second)))
	st.plan(Action{At: at, Verb: verb, Share: 1, Who: who})
	st.plan(Action{At: at + toldPeriods*st.config.Detect.Longest() + time.Duration(random.Int64N(int64(25*time.Second))), Verb: verb, Who: who})
}

// losePart has what is large, or all streams, to and from a machine lost, in some worlds.
func (st *storm) losePart() {
	one := func(random *rand.Rand) []int { return []int{1 + random.IntN(st.nodes)} }
	if random, has := st.mishap(23, dials.narrow); has {
		who := one(random)
		st.plan(Action{At: during(random), Verb: Narrow, Size: narrowLeast + random.IntN(core.MTU-2*narrowLeast), Who: who})
		st.plan(Action{At: stormEnds, Verb: Narrow, Who: who})
	}
	if random, has := st.mishap(24, dials.streamless); has {
		who := one(random)
		st.plan(Action{At: during(random), Verb: LossStreams, Share: 1, Who: who})
		st.plan(Action{At: stormEnds, Verb: LossStreams, Who: who})
	}
}

// absent has peers be away for a restart, in some worlds: most are back, some in time, and some are not. In some
// of these not all nodes know what that is.
func (st *storm) absent() {
	random, has := st.mishap(21, dials.away)
	if !has {
		return
	}
	for range 1 + random.IntN(4) {
		who, at := []int{1 + random.IntN(st.config.Nodes)}, during(random)
		st.plan(Action{At: at, Verb: Away, Who: who})
		if random.IntN(4) > 0 {
			st.plan(Action{At: min(stormEnds, at+time.Duration(random.Int64N(int64(3*core.AwayFor/2)))), Verb: Restart, Who: who})
		}
	}
	if random.IntN(3) == 0 {
		st.config.Before = 1 + random.IntN(st.nodes)
	}
}

// mishaps draws what befalls disks and addresses, and what operators do.
func (st *storm) mishaps() {
	peer := func(random *rand.Rand) []int { return []int{1 + random.IntN(st.config.Nodes)} }
	if random, has := st.mishap(2, dials.move); has {
		for range 1 + random.IntN(3) {
			st.plan(Action{At: during(random), Verb: Move, Who: peer(random)})
		}
	}
	if random, has := st.mishap(16, dials.roam); has {
		for range 1 + random.IntN(3) {
			st.plan(Action{At: during(random), Verb: Roam, Who: peer(random)})
		}
	}
	st.deafen()
	st.absent()
	st.muffle()
	st.losePart()
	if random, has := st.mishap(10, dials.fill); has {
		who := []int{1 + random.IntN(st.nodes)}
		st.plan(Action{At: during(random), Verb: Fill, Who: who})
		st.plan(Action{At: stormEnds, Verb: Room, Who: who})
	}
	if random, has := st.mishap(4, dials.damage); has {
		st.plan(Action{At: during(random), Verb: Damage, Who: peer(random)})
	}
	if random, has := st.mishap(5, dials.call); has && st.config.Nodes > 1 {
		pair, at := random.Perm(st.config.Nodes)[:2], during(random)
		st.plan(Action{At: at, Verb: Call, Who: []int{pair[0] + 1, pair[1] + 1}})
		st.plan(Action{At: at, Verb: Kill, Who: []int{pair[0] + 1}})
		st.plan(Action{At: min(stormEnds, at+time.Duration(random.Int64N(int64(5*time.Second)))), Verb: Restart, Who: []int{pair[0] + 1}})
	}
	st.crowdAtOneAddress()
	if random, has := st.mishap(11, dials.clone); has && st.config.Crowd == 0 && st.config.Nodes > 4 {
		last := st.config.Nodes // which does not start before; hostile members are the first ones
		st.plan(Action{At: during(random), Verb: Clone, Who: []int{1 + last/2 + random.IntN(last-1-last/2), last}})
	}
	if random, has := st.mishap(12, dials.invent); has {
		for range 1 + random.IntN(4) {
			st.plan(Action{At: during(random), Verb: Invent, Who: peer(random)})
		}
	}
	if st.config.Seeds == 0 {
		return
	}
	if random, has := st.mishap(6, dials.bar); has {
		who, at := peer(random), during(random)
		st.plan(Action{At: at, Verb: Bar, Who: who})
		if random.IntN(2) == 0 { // barred and out, it asks in vain
			st.plan(Action{At: min(stormEnds, at+time.Second), Verb: Leave, Who: who})
			st.plan(Action{At: min(stormEnds, at+5*time.Second), Verb: Restart, Who: who})
		}
		st.plan(Action{At: min(stormEnds, at+time.Duration(random.Int64N(int64(time.Minute)))), Verb: Lift, Who: who})
	}
	if random, has := st.mishap(7, dials.remove); has {
		who, at := peer(random), during(random)
		if random.IntN(2) == 0 {
			st.plan(Action{At: at, Verb: Kill, Who: who})
		}
		st.plan(Action{At: at, Verb: Remove, Who: who})
	}
	if random, has := st.mishap(9, dials.hostile); has && st.config.Nodes > 4 {
		st.config.Hostile = 1 + random.IntN(st.config.Nodes/4)
	}
	if random, has := st.mishap(8, dials.tail); has {
		st.config.Quorum.Tail = 1 << random.IntN(5)
	}
}
