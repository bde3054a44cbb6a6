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
		fmt.Fprintf(l.story, "%s  %-4s %s\n", seconds(now), names.name(m.id), e.Story(m.id, names.name))
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

// short shows a span of time to the millisecond.
func short(d time.Duration) string { return d.Round(time.Millisecond).String() }
