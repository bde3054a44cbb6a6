package roster

import (
	"time"

	"hearsay/internal/core"
	"hearsay/internal/when"
)

const (
	// of the detector without a ping from anybody: nobody lists this node. A guess: each is pinged once in one
	// in the mean, so that one that all list waits so long once in 22,000 (e^10; six hours, if one is a second)
	untoldPeriods = 10
	untoldLeast   = 10 * time.Second // and so long at least, however short they are. A guess
	// members that it asks then to list it, each time. A guess: one may have died
	untoldAsks = 2
)

// listed is whether others list this node: then they ping it.
type listed struct {
	*part
	period time.Duration // see TellPeriod
	pinged time.Time     // when a member pinged this node last
	asked  time.Time     // when this node last asked members to list it
}

// tick tells of this node again, if nobody has pinged it for long.
func (l *listed) tick(now time.Time) {
	if now.Before(l.due()) {
		return
	}
	l.asked = now
	l.roster.news.tell(l.members.self) // its own address may have been unreachable when it was told of
	if !l.members.seeded() {           // there a ruling lists it, with all
		l.ask(now)
	}
}

// ask asks some members to list this node. Its contact may have had none of the answers that would have
// listed it, and to all others it is a stranger, whose word counts only where it names the node that
// it is for (see Meant): so it goes with a ping. By stream, as what was lost were datagrams.
func (l *listed) ask(now time.Time) {
	for _, m := range l.members.draw(nil, untoldAsks) {
		ping := &core.Ping{Seq: l.random.Uint64() | 1, Target: l.members.id(m)}
		l.roster.contacts.await(asked{addr: l.members.addr(m), id: ping.Target, seq: ping.Seq, until: now.Add(answerTime)})
		p := core.Packet{Addr: l.members.addr(m), Stream: true, Body: ping}
		l.out.introduce(&p)
		l.out.Send = append(l.out.Send, p)
	}
}

// due is when this node tells of itself again, if nobody has pinged it until then.
func (l *listed) due() time.Time {
	untold := max(untoldPeriods*l.period, untoldLeast)
	if !l.roster.contacts.joined || len(l.members.living) == 0 || !l.members.self.state.Living() {
		return l.roster.forgetAt.Add(untold) // later than what is due in any case
	}
	return when.Later(l.pinged, l.asked).Add(untold)
}

// TellPeriod tells the roster how often each node probes another, and so how often each is pinged in the mean. Without
// it nobody waits longer for a ping than untoldLeast.
func (l *listed) TellPeriod(period time.Duration) { l.period = period }

// Unreached is for how long no member has pinged this node, since its start at most.
func (l *listed) Unreached(now time.Time) time.Duration {
	return now.Sub(when.Later(l.pinged, l.roster.started))
}
