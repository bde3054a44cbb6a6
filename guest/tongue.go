package guest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
)

// This file is what differs between the dialects in what guests are told.

// told is a rumor as it is told to guests of each dialect. It is made once, however many there are.
type told struct {
	gossip *dialect.Gossip
	origin netip.AddrPort // the guest that has said it, if one has
	line   string         // of text

	encoded [core.Text + 1][]byte
}

// as gives the message for guests of a dialect.
func (t *told) as(speaks core.Dialect) []byte {
	switch {
	case t.encoded[speaks] != nil:
	case speaks == core.Text:
		t.encoded[speaks] = []byte(t.line)
	default:
		t.encoded[speaks] = dialect.AppendGossip(nil, t.gossip, time.Now())
	}
	return t.encoded[speaks]
}

// tell makes of a rumor what guests are told.
func (l *Links) tell(e *hearsay.Event) *told {
	r := &dialect.Gossip{Text: string(e.Rumor.Data), Origin: l.where(e.Subject), Number: int64(e.Rumor.ID.Counter), Sender: l.self}
	t := &told{gossip: r, line: textOf(l.host.Network, e, r.Origin)}
	if !e.Rumor.Guest.IsZero() {
		t.origin = r.Origin
		number := strings.TrimPrefix(r.Text[strings.LastIndexByte(r.Text, ':')+1:], "GOSSIP")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			r.Number = n
		}
	} else {
		if len(r.Text) > textMost || !utf8.ValidString(r.Text) {
			r.Text = dialect.Text(time.Unix(int64(lifeOf(e)%standInTimes), 0), r.Origin.Addr(), r.Number)
		}
		l.remember(r.Text)
	}
	if t.line != string(e.Rumor.Data) {
		l.remember(t.line)
	}
	return t
}

// standInTimes is how many times may stand in a message that stands for another: seconds since 1970, long ago.
const standInTimes = 1_000_000_000

// lifeOf gives a number for the life of a rumor's origin, of which a time is made where a text of an earlier program
// must have one. It is the same at each node that tells the rumor, as a true time is not: a guest that hears it of two
// would take it for two rumors.
func lifeOf(e *hearsay.Event) uint64 {
	sum := sha256.Sum256(e.Rumor.ID.Origin[:])
	return binary.BigEndian.Uint64(sum[:])
}

// textOf gives a rumor as guests of text are told it. They pass on nothing but lines of their own form, and know a
// rumor by its whole line: so it must be the same whichever node of ours tells it, and no node but the origin knows
// when it was said. What guests of text have said stays as it is. A text that has a time and a number, as chatter of
// ours and of peers that speak lines of JSON has, is a line with these. For any other stands a line with its number,
// and a time near zero, as it is none: a fraction that tells lives of the origin apart.
func textOf(network hearsay.NetworkID, e *hearsay.Event, origin netip.AddrPort) string {
	text, guest := string(e.Rumor.Data), e.Rumor.Guest
	ofText := guest == hearsay.AnyGuest || !guest.IsZero() && core.GuestDialect(network, origin, guest) != core.Lines
	if ofText && dialect.IsLine(text) {
		return text
	}
	if !origin.Addr().Is4() || origin.Port() == 0 {
		origin = netip.AddrPortFrom(netip.IPv4Unspecified(), max(1, origin.Port())) // text has no other addresses
	}
	if guest.IsZero() && dialect.LineOrigin(text) == origin {
		return text
	}
	if dialect.OriginIn(text) == origin.Addr() && dialect.IsLine(text) {
		number, _ := strconv.ParseUint(text[strings.LastIndexByte(text, ':')+1:], 10, 64)
		return dialect.Line(text[:strings.IndexByte(text, ':')], origin, number)
	}
	life, number := lifeOf(e), e.Rumor.ID.Counter
	if !guest.IsZero() { // any of several nodes may have passed it on
		sum := sha256.Sum256(append(guest[:], text...))
		life, number = binary.BigEndian.Uint64(sum[:]), 1
	}
	const digits = 1_000_000_000_000
	return dialect.Line(fmt.Sprintf("0.%012d", life%digits), origin, number)
}

// heardText is what a message of text says of its sender: its connection comes from the sender's IP address, and a
// rumor names its origin. What ours have said, and guests that speak lines, comes back in that form.
func (l *Links) heardText(now time.Time, r *dialect.Gossip, from asker) dialect.Reply {
	there := l.guestsAt(from.Addr(), core.Text)
	switch {
	case l.isOurs(r.Origin) || l.speaks(r.Origin) == core.Lines || l.isOurText(r.Text):
		return &dialect.GossipAck{Accepted: true, Duplicate: true}
	case r.Origin.Addr() == from.Addr() && r.Origin.Port() != 0:
		r.Sender = r.Origin // if another guest at that IP address passes it on it is of that origin all the same
		return l.heard(now, r, core.Text)
	case len(there) == 0:
		l.host.Drop(hearsay.DropStranger)
		return &dialect.GossipAck{Reason: "no member is at its sender's IP address"}
	case !l.pays(now, there[0]):
		return &dialect.GossipAck{Reason: "guests at that IP address say too much; try again"}
	case r.Origin.Addr() == from.Addr() && len(there) == 1:
		r.Origin, r.Sender = there[0], there[0] // the short form has no port
		return l.take(now, r)
	}
	return l.relay(now, r)
}

// askLink asks a guest for a link, and gives the spelling that it takes. Each of text takes one; one that has enough
// links takes none.
func (l *Links) askLink(addr netip.AddrPort, speaks core.Dialect, known dialect.Spelling, degree int) (takes dialect.Spelling, err error) {
	if speaks == core.Lines {
		return 0, l.exchange(addr, speaks, dialect.AppendHello(nil, &dialect.Hello{Peer: l.self, Degree: degree}, time.Now()))
	}
	for _, spelling := range []dialect.Spelling{known, dialect.SaysConnect + dialect.SaysConnection - known} {
		ctx, cancel, opened := l.connection()
		if opened != nil {
			return known, opened
		}
		err = l.host.askText(ctx, addr, func(netip.Addr) []byte { return dialect.AppendLink(nil, spelling, l.self) },
			func(answer, _ []byte) bool { return dialect.IsLinked(answer, spelling) })
		cancel()
		if err == nil {
			return spelling, nil
		}
	}
	return known, err
}

// exchange sends a guest a message, and says whether that has come through: one that speaks lines answers.
func (l *Links) exchange(to netip.AddrPort, speaks core.Dialect, message []byte) error {
	ctx, cancel, err := l.connection()
	if err != nil {
		return err
	}
	defer cancel()
	if speaks == core.Text {
		return l.host.askText(ctx, to, func(netip.Addr) []byte { return message }, nil)
	}
	_, err = l.host.ask(ctx, to, message)
	return err
}

// connection waits until there may be one more connection to a guest, and gives the time that it may take. Its caller
// calls end after it.
func (l *Links) connection() (ctx context.Context, end func(), err error) {
	select {
	case l.open <- struct{}{}:
	case <-l.ctx.Done():
		return nil, nil, l.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(l.ctx, tellTimeout)
	return ctx, func() { cancel(); <-l.open }, nil
}
