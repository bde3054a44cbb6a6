package sim

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"hearsay"
)

// eventLog is the log of all that nodes told and all that was done to them, in
// order. It is hashed, not kept; and written as a story if somebody reads it.
type eventLog struct {
	sum   hash.Hash
	line  []byte
	story io.Writer // nil: nobody
	json  bool      // as JSON lines instead of words
}

func newEventLog(story io.Writer, json bool) eventLog {
	return eventLog{sum: sha256.New(), story: story, json: json}
}

// seconds is how logs and stories show the time since the world began.
func seconds(d time.Duration) string { return fmt.Sprintf("%8.3fs", d.Seconds()) }

// act logs what is done to the world.
func (l *eventLog) act(now time.Duration, a *Action, nodes int) {
	line := a.named(nodes)
	fmt.Fprintf(l.sum, "%d world %s\n", now, line)
	switch {
	case l.story == nil:
	case l.json:
		l.writeJSON(told{T: now.Seconds(), World: line})
	default:
		fmt.Fprintf(l.story, "%s  --- %s\n", seconds(now), line)
	}
}

// isDull reports whether a story is better told without it: a join or a death
// moves many links, a seed signs a head after each ruling, and a person reading what members did gets lost in them.
func isDull(k hearsay.EventKind) bool {
	return k == hearsay.EventLinked || k == hearsay.EventUnlinked || k == hearsay.EventHead || k == hearsay.EventProbeWanted
}

// tell logs one event of one node. The story in words leaves out what is dull.
func (l *eventLog) tell(now time.Duration, m *machine, e *hearsay.Event, names *checker) {
	l.line = appendCanonical(l.line[:0], now, m, e, &names.gossip)
	l.sum.Write(l.line)
	switch {
	case l.story == nil:
	case l.json:
		l.writeJSON(told{T: now.Seconds(), Node: m.name, Event: e})
	case isDull(e.Kind):
	default:
		fmt.Fprintf(l.story, "%s  %-4s %s\n", seconds(now), names.name(m.id), words(m.id, e, names))
	}
}

// told is a line of the story in JSON: an event of a node, or an action.
type told struct {
	T     float64        `json:"t"` // seconds since the world began
	World string         `json:"world,omitempty"`
	Node  string         `json:"node,omitempty"`
	Event *hearsay.Event `json:"event,omitempty"`
}

func (l *eventLog) writeJSON(one told) {
	line, err := json.Marshal(one)
	if err != nil {
		panic("sim: an event that is not JSON: " + err.Error())
	}
	l.story.Write(append(line, '\n'))
}

// hashed is the SHA-256 of the log so far.
func (l *eventLog) hashed() hearsay.Hash { return hearsay.Hash(l.sum.Sum(nil)) }

// appendCanonical appends the line of the log that an event is: all its
// fields, in the order of the type, those that are not set left out.
//
//	12345678901 n3 member-dead at=… subject=<32 digits> name=n5 by=… evidence=<64 digits>
func appendCanonical(b []byte, now time.Duration, m *machine, e *hearsay.Event, said *gossip) []byte {
	b = strconv.AppendInt(b, int64(now), 10)
	b = append(append(b, ' '), m.name...)
	b = append(append(b, ' '), e.Kind.String()...)
	b = appendNumber(b, " at=", e.At.Sub(epoch).Nanoseconds())
	if !e.Subject.IsZero() {
		b = appendHex(b, " subject=", e.Subject[:])
		b = append(append(b, " name="...), e.Name...)
	}
	if !e.By.IsZero() {
		b = appendHex(b, " by=", e.By[:])
		b = append(append(b, " by_name="...), e.ByName...)
	}
	b = appendNumber(b, " state=", int64(e.State))
	b = appendNumber(b, " incarnation=", int64(e.Incarnation))
	if e.Addr.IsValid() {
		b = e.Addr.AppendTo(append(b, " addr="...))
	}
	b = appendNumber(b, " round=", int64(e.Round))
	b = appendNumber(b, " verdict=", int64(e.Verdict))
	b = appendNumber(b, " count=", int64(e.Count))
	b = appendNumber(b, " took=", int64(e.Took))
	if e.Text != "" {
		b = strconv.AppendQuote(append(b, " text="...), e.Text)
	}
	if e.Evidence != nil {
		sum := e.Evidence.Hash(hearsay.NetworkIDOf(networkName))
		b = appendHex(b, " evidence=", sum[:])
	}
	if e.Rumor != nil {
		b = appendRumor(b, e.Rumor, said)
	}
	b = appendNumber(b, " case=", int64(e.Case))
	b = appendNumber(b, " epoch=", int64(e.Epoch))
	if e.Ballot != nil {
		b = appendHex(b, " ballot=", e.Ballot.Signature[:])
	}
	if e.Ruling != nil {
		sum := e.Ruling.Hash(hearsay.NetworkIDOf(networkName))
		b = appendHex(b, " ruling=", sum[:])
	}
	return append(b, '\n')
}

// appendRumor appends what a rumor is: its origin is the event's subject, its
// hops the count.
func appendRumor(b []byte, r *hearsay.Rumor, said *gossip) []byte {
	b = appendNumber(b, " n=", int64(r.ID.Counter))
	b = appendNumber(b, " age=", int64(r.Age))
	sum := said.sumOf(r)
	return appendHex(b, " data=", sum[:])
}

func appendNumber(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, name...), n, 10)
}

func appendHex(b []byte, name string, value []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, name...)
	for _, v := range value {
		b = append(b, digits[v>>4], digits[v&15])
	}
	return b
}

// words tells an event of a node as a person would.
func words(teller hearsay.NodeID, e *hearsay.Event, names *checker) string {
	subject, by := names.name(e.Subject), names.name(e.By)
	switch e.Kind {
	case hearsay.EventJoined:
		if e.By.IsZero() {
			return fmt.Sprintf("is in: its stay begins with epoch %d", e.Epoch)
		}
		return fmt.Sprintf("is in: has the roster of %s, %s", by, membersWords(e.Count))
	case hearsay.EventJoinFail:
		return fmt.Sprintf("could not join through %s: %s", e.Addr, e.Text)
	case hearsay.EventRefuted:
		return fmt.Sprintf("hears that it is %s (by %s) and refutes", e.State, by)
	case hearsay.EventLeaving:
		return "asks the seeds to rule that it has left"
	case hearsay.EventLeaveFailed:
		return "ends, and is in: " + e.Text
	case hearsay.EventTwin:
		return fmt.Sprintf("hears that another process has its identity, at %s", e.Addr)
	case hearsay.EventDeaf:
		return "gets no datagrams: all goes by stream"
	case hearsay.EventHears:
		return "gets datagrams again"
	case hearsay.EventUnheard:
		return fmt.Sprintf("has heard nobody for %s", short(e.Took))
	case hearsay.EventHeard:
		return "hears others again"
	case hearsay.EventMemberAway:
		return fmt.Sprintf("hears that %s is away, and holds nothing against it for %s", subject, short(e.Took))
	case hearsay.EventMemberBack:
		return fmt.Sprintf("hears that %s is back", subject)
	case hearsay.EventAwayOver:
		return fmt.Sprintf("sees that %s is not back in time", subject)
	case hearsay.EventLate:
		return fmt.Sprintf("finds itself late by %s", short(e.Took))
	case hearsay.EventAlone:
		return "is alone"
	case hearsay.EventMeeting:
		return fmt.Sprintf("meets %s at a contact", subject)
	case hearsay.EventMemberJoined:
		return fmt.Sprintf("hears of %s", subject)
	case hearsay.EventMemberReturned:
		return fmt.Sprintf("holds %s alive again, which was %s", subject, e.State)
	case hearsay.EventMemberMoved:
		return fmt.Sprintf("hears that %s is now at %s", subject, e.Addr)
	case hearsay.EventMemberSuspected:
		return fmt.Sprintf("holds %s suspect, accused by %s", subject, by)
	case hearsay.EventMemberDead:
		return fmt.Sprintf("holds %s dead%s", subject, because(e.Evidence))
	case hearsay.EventMemberRemoved:
		return fmt.Sprintf("no longer lists %s, which the seeds removed%s", subject, because(e.Evidence))
	case hearsay.EventMemberLeft:
		if e.Subject == teller {
			return "leaves"
		}
		return fmt.Sprintf("hears that %s has left", subject)
	case hearsay.EventMemberForgotten:
		return fmt.Sprintf("forgets %s", subject)
	case hearsay.EventRumor:
		if e.Subject == teller {
			return fmt.Sprintf("says its rumor %d: %.40q", e.Rumor.ID.Counter, e.Rumor.Data)
		}
		return fmt.Sprintf("hears rumor %d of %s from %s, over %d hops", e.Rumor.ID.Counter, subject, by, e.Count)
	case hearsay.EventNameConflict:
		return fmt.Sprintf("sees two members of one name: %s", e.Name)
	}
	return decision(e, subject, by, names)
}

// decision tells an event of a case.
func decision(e *hearsay.Event, subject, by string, names *checker) string {
	switch e.Kind {
	case hearsay.EventUnreachable:
		return fmt.Sprintf("cannot reach %s, neither itself nor through %d others, for %s", subject, e.Count, short(e.Took))
	case hearsay.EventRelayed:
		return fmt.Sprintf("gets no answer from %s, which %s says that it reaches", subject, by)
	case hearsay.EventRoundOpened:
		return fmt.Sprintf("asks the %d observers of %s", e.Count, subject)
	case hearsay.EventAsked:
		return fmt.Sprintf("is asked by %s to probe %s", by, subject)
	case hearsay.EventExamined:
		return fmt.Sprintf("has pinged %s %d times in %s: %s", subject, e.Count, short(e.Took), e.Verdict)
	case hearsay.EventStatement:
		return fmt.Sprintf("counts the statement of %s on %s: %s", by, subject, e.Verdict)
	case hearsay.EventCleared:
		return fmt.Sprintf("clears %s: %d observers reach it", subject, e.Count)
	case hearsay.EventCondemned:
		return fmt.Sprintf("condemns %s%s", subject, because(e.Evidence))
	case hearsay.EventUndecided:
		return fmt.Sprintf("comes to no decision on %s: %d against", subject, e.Count)
	case hearsay.EventClaimDelayed:
		return fmt.Sprintf("is told by %s that %s is dead, which answered lately: asks it first", by, subject)
	case hearsay.EventSuspectFreed:
		return fmt.Sprintf("has an answer of %s, and suspects it no more", subject)
	}
	return authority(e, subject, by, names)
}

// authority tells an event of a network with seeds.
func authority(e *hearsay.Event, subject, by string, names *checker) string {
	switch e.Kind {
	case hearsay.EventSeatFounded:
		if e.Text != "" {
			return fmt.Sprintf("founds the network with %d seeds, %s", e.Count, e.Text)
		}
		return fmt.Sprintf("founds the network: all %d seeds have come, and have no ledger", e.Count)
	case hearsay.EventSeatWaiting:
		if e.By.IsZero() {
			return "waits for its seat: " + e.Text
		}
		return fmt.Sprintf("waits for its seat (told by %s): %s", by, e.Text)
	case hearsay.EventSeedDiffers:
		return fmt.Sprintf("finds a seed that is not as listed: %s", e.Text)
	case hearsay.EventClockOff:
		return "finds a clock that differs: " + e.Text
	case hearsay.EventLogStalled:
		return "finds that the log does not go on: " + e.Text
	case hearsay.EventLogGoesOn:
		return "finds that the log goes on"
	case hearsay.EventLedgerForked:
		return fmt.Sprintf("finds another ledger, which %d seats have signed: %s", e.Count, e.Text)
	case hearsay.EventSeatTaken:
		return "has its seat"
	case hearsay.EventQuorumLost:
		return fmt.Sprintf("hears no quorum of seeds: %d are needed", e.Count)
	case hearsay.EventQuorumBack, hearsay.EventQuorumHeard:
		return fmt.Sprintf("hears a quorum of seeds, %s leads", by)
	case hearsay.EventProbeWanted:
		return fmt.Sprintf("probes %s", subject)
	case hearsay.EventCaseOpened:
		if !e.By.IsZero() {
			return fmt.Sprintf("opens a case on %s: %s, reported by %s%s; %d ballots needed", subject, e.Text, by, because(e.Evidence), e.Count)
		}
		return fmt.Sprintf("opens a case on %s: %s; %d ballots needed", subject, e.Text, e.Count)
	case hearsay.EventCaseRefused:
		return fmt.Sprintf("opens no case on %s: %s", subject, e.Text)
	case hearsay.EventBallot:
		return fmt.Sprintf("counts the ballot of %s on %s: %s, %s", by, subject, e.Ballot.Verdict, e.Ballot.Why)
	case hearsay.EventRuled:
		for i := range e.Ruling.Seats {
			subject = names.name(e.Ruling.Seats[i].Key.NodeID())
		}
		return fmt.Sprintf("has epoch %d: %s %s%s", e.Epoch, e.Text, subject, ballotsOf(e.Ruling))
	case hearsay.EventCaseAborted:
		return fmt.Sprintf("closes the case on %s: %s", subject, e.Text)
	case hearsay.EventHead:
		return fmt.Sprintf("has epoch %d proven by %d heads", e.Epoch, e.Count)
	case hearsay.EventResumed:
		return fmt.Sprintf("takes over what its earlier life was told, up to epoch %d: %s", e.Epoch, membersWords(e.Count))
	case hearsay.EventRosterProven:
		return fmt.Sprintf("takes over the roster of epoch %d whole: %s", e.Epoch, membersWords(e.Count))
	case hearsay.EventTurnedAway:
		return fmt.Sprintf("turns away %s: %s", subject, e.Text)
	}
	return fmt.Sprintf("%s %s %s", e.Kind, subject, e.Text)
}

// ballotsOf tells whose ballots decided.
func ballotsOf(r *hearsay.Ruling) (told string) {
	for i := range r.Ballots {
		if told += ", "; i == 0 {
			told = ", by "
		}
		told += fmt.Sprintf("s%d", r.Ballots[i].Slot+1)
	}
	return told
}

// because tells what evidence says.
func because(e *hearsay.Evidence) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf(": %d of %d observers do not reach it (%s)", e.Against(), e.Observers, e.Rule)
}

// short shows a span of time to the millisecond.
func short(d time.Duration) string { return d.Round(time.Millisecond).String() }

func membersWords(n int) string {
	if n == 1 {
		return "1 member"
	}
	return fmt.Sprintf("%d members", n)
}
