package dialect

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearsay"
)

// Limits of text. An earlier program takes what one receive of so many bytes has for one message.
const (
	TextReceived = 1 << 10 // bytes: a list of peers must not be longer
	TextMax      = 256     // bytes of any other message: the longest has some 130
	textNumbers  = 1 << 32 // of rumors, below which these are
)

// Spelling is one of the two in which a link is asked for.
type Spelling uint8

// The spellings.
const (
	SaysConnect    Spelling = iota // New Connect Request From:
	SaysConnection                 // New Connection Request From:
)

const (
	textConnect        = "New Connect Request From:"
	textConnection     = "New Connection Request From:"
	textConnected      = "New Connect Accepted"
	textConnectionMade = "New Connection Accepted"
	textLiveness       = "Liveness Request:"
	textAlive          = "Liveness Reply:"
	textDead           = "Dead Node:"
)

// word gives the word of the spelling among two.
func (s Spelling) word(connect, connection string) string {
	if s == SaysConnection {
		return connection
	}
	return connect
}

// Liveness asks whether a node lives. AppendAlive writes the answer, in which what was said comes back.
type Liveness struct {
	Stamp string // the time by the one that asks
	IP    string // its own
}

// Work is of Request.
func (*Liveness) Work() Work { return Little }

// form is one message: what it begins with, and the fields behind it, which colons part.
type form struct {
	begins string
	fields []field
	of     hearsay.Role // that is told it; 0: any
	read   func(fields []string) Request
}

// field reports whether a text is a whole field, and, if not, whether it may be the beginning of one.
type field func(text string) (whole, begins bool)

var (
	isRegister = []field{isIP, isPort}
	isLink     = []field{isIP, isPort}
	isLiveness = []field{isStamp, isIP}
	isRumor    = []field{isStamp, isIP, isPort, isGossip}
	isShort    = []field{isStamp, isIP, isNumber}
	isDeath    = []field{isIP, isPort, isStamp, isIP}
	isNamed    = []field{isIP, isStamp, isIP} // the short form of a death, which names an IP address only
)

// forms are all that a node may be told.
var forms = []form{
	{"", isRegister, hearsay.RoleSeed, func(f []string) Request { return &Register{Peer: textAddress(f[0], f[1])} }},
	{textConnect, isLink, hearsay.RolePeer, func(f []string) Request { return &Hello{Peer: textAddress(f[0], f[1]), Spelling: SaysConnect} }},
	{textConnection, isLink, hearsay.RolePeer, func(f []string) Request { return &Hello{Peer: textAddress(f[0], f[1]), Spelling: SaysConnection} }},
	{textLiveness, isLiveness, 0, func(f []string) Request { return &Liveness{Stamp: f[0], IP: f[1]} }},
	{"", isRumor, hearsay.RolePeer, func(f []string) Request {
		return &Gossip{Text: strings.Join(f, ":"), Origin: textAddress(f[1], f[2])}
	}},
	{"", isShort, hearsay.RolePeer, func(f []string) Request {
		return &Gossip{Text: strings.Join(f, ":"), Origin: textAddress(f[1], "0")}
	}},
	{textDead, isDeath, hearsay.RoleSeed, func(f []string) Request { return &DeadReport{Peer: textAddress(f[0], f[1])} }},
	{textDead, isNamed, hearsay.RoleSeed, func(f []string) Request { return &DeadReport{Peer: textAddress(f[0], "0")} }},
}

// textAddress gives the address of two fields that are whole; port 0 stands for none.
func textAddress(ip, port string) netip.AddrPort {
	addr, _ := textIP(ip)
	number, _ := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(addr, uint16(number))
}

// textIP reads an address without a colon.
func textIP(text string) (netip.Addr, bool) {
	ip, ok := parseIP(text)
	return ip, ok && ip.Is4() && !strings.Contains(text, ":")
}

const localhost = "localhost"

func isIP(text string) (whole, begins bool) {
	_, whole = textIP(text)
	const longest = len("255.255.255.255")
	return whole, len(text) <= longest && strings.Trim(text, "0123456789.") == "" || strings.HasPrefix(localhost, text)
}

func isPort(text string) (whole, begins bool) {
	return isCount(text, portMax), text == ""
}

// isNumber takes that of a rumor. Behind one that is too long may be a time that is not whole.
func isNumber(text string) (whole, begins bool) {
	const most = 20 // digits
	return isCount(text, textNumbers-1), len(text) <= most && strings.Trim(text, "0123456789") == "" && !strings.HasPrefix(text, "0")
}

const gossipWord = "GOSSIP"

func isGossip(text string) (whole, begins bool) {
	number, is := strings.CutPrefix(text, gossipWord)
	if !is {
		return false, strings.HasPrefix(gossipWord, text)
	}
	return isNumber(number)
}

// isCount reports whether a text is a number from 1, as it is written shortest.
func isCount(text string, most uint64) bool {
	n, err := strconv.ParseUint(text, 10, 64)
	return err == nil && 0 < n && n <= most && text[0] != '0' && text[0] != '+'
}

// isStamp takes seconds as a decimal fraction.
func isStamp(text string) (whole, begins bool) {
	const most = 20 // digits of each part
	seconds, fraction, point := strings.Cut(text, ".")
	if len(seconds) > most || len(fraction) > most || strings.Trim(seconds+fraction, "0123456789") != "" {
		return false, false
	}
	return seconds != "" && (!point || fraction != ""), true
}

// match reports whether a text is a whole message of this form, or else may be the beginning of one.
func (m *form) match(text string) (parts []string, begins bool) {
	rest, is := strings.CutPrefix(text, m.begins)
	if !is {
		return nil, strings.HasPrefix(m.begins, text)
	}
	parts = strings.SplitN(rest, ":", len(m.fields)+1)
	if len(parts) > len(m.fields) {
		return nil, false
	}
	for i, part := range parts {
		whole, begins := m.fields[i](part)
		switch {
		case i < len(parts)-1 && !whole:
			return nil, false
		case i == len(m.fields)-1 && whole:
			return parts, false
		case i == len(parts)-1:
			return nil, whole || begins
		}
	}
	return nil, false
}

var (
	errTextControl   = errors.New("a byte that is no printable ASCII")
	errTextLong      = fmt.Errorf("longer than %d bytes", TextMax)
	errTextSenseless = errors.New("none of the messages of the protocol, or several that cannot be told apart")
)

// ReadText takes apart what has come of a connection to a node of this role: all messages in it that are whole. What is
// left may be the beginning of one more; one message may be the beginning of another, too, and is taken as it is, since
// the earlier programs send each in a segment of its own. If anything else is in it, nothing of it counts. Where a
// Register says that it is, is not where it is: its connection shows that. If more has come than is here, the last
// message may have been cut, and is left.
func ReadText(said []byte, role hearsay.Role, more bool) (all []Request, rest []byte, err error) {
	for _, c := range said {
		if c < ' ' || c > '~' {
			return nil, nil, errTextControl
		}
	}
	for len(said) > 0 {
		end := textEnd(said)
		if end > TextMax {
			return nil, nil, errTextLong
		}
		one, begins, err := readMessage(string(said[:end]), role)
		switch {
		case err != nil:
			return nil, nil, err
		case one != nil && more && end == len(said):
			return all, said, nil
		case one != nil:
			all = append(all, one)
		case begins && end == len(said):
			return all, said, nil
		default:
			return nil, nil, errTextSenseless
		}
		said = said[end:]
	}
	return all, nil, nil
}

// readMessage reads one message.
func readMessage(text string, role hearsay.Role) (one Request, begins bool, err error) {
	for i := range forms {
		parts, could := forms[i].match(text)
		if parts != nil {
			if of := forms[i].of; of != 0 && of != role {
				return nil, false, fmt.Errorf("a message for a %s", of)
			}
			return forms[i].read(parts), false, nil
		}
		begins = begins || could
	}
	return nil, begins, nil
}

// textEnd gives where the first message ends at the latest, because another begins: with one of the beginnings, or with
// a time behind a number. Times have ten digits before the point from 2001 to 2286, and no number of the protocol is
// followed by a point.
func textEnd(said []byte) int {
	const seconds = 10 // digits
	digits := 0
	for i, c := range said {
		if i > 0 && beginsMessage(said[i:]) {
			return i
		}
		switch {
		case '0' <= c && c <= '9':
			digits++
			continue
		case c == '.' && digits > seconds:
			return i - seconds
		}
		digits = 0
	}
	return len(said)
}

// beginsMessage reports whether a text begins as a message does that begins with a word.
func beginsMessage(text []byte) bool {
	if text[0] != 'N' && text[0] != 'L' && text[0] != 'D' { // of most bytes that is all
		return false
	}
	return slices.ContainsFunc(forms, func(m form) bool {
		return m.begins != "" && strings.HasPrefix(string(text[:min(len(text), len(m.begins))]), m.begins)
	})
}

// AppendRegister appends the request of a peer at an address to be let in.
func AppendRegister(dst []byte, peer netip.AddrPort) []byte { return peer.AppendTo(dst) }

// AppendLink appends the request of a peer for a link.
func AppendLink(dst []byte, spelling Spelling, peer netip.AddrPort) []byte {
	return peer.AppendTo(append(dst, spelling.word(textConnect, textConnection)...))
}

// AppendLinked appends that a link is accepted, in the spelling in which it was asked for. A refusal has no form.
func AppendLinked(dst []byte, spelling Spelling) []byte {
	return append(dst, spelling.word(textConnected, textConnectionMade)...)
}

// IsLinked reports whether an answer accepts a link.
func IsLinked(answer []byte, spelling Spelling) bool {
	return string(answer) == spelling.word(textConnected, textConnectionMade)
}

// AppendLiveness appends the question of a node at an address whether another lives.
func AppendLiveness(dst []byte, own netip.Addr, now time.Time) []byte {
	return own.AppendTo(append(appendStamp(append(dst, textLiveness...), now), ':'))
}

// AppendAlive appends the answer of a node at an address that lives.
func AppendAlive(dst []byte, r *Liveness, own netip.Addr) []byte {
	dst = append(append(append(append(dst, textAlive...), r.Stamp...), ':'), r.IP...)
	return own.AppendTo(append(dst, ':'))
}

// IsAlive reports whether an answer is the one to a question that AppendLiveness has written.
func IsAlive(answer, question []byte) bool {
	asked, is := strings.CutPrefix(string(question), textLiveness)
	own, answers := strings.CutPrefix(string(answer), textAlive+asked+":")
	_, ok := textIP(own)
	return is && answers && ok
}

// AppendDeath appends the report of a node at an address that a peer is dead.
func AppendDeath(dst []byte, dead netip.AddrPort, reporter netip.Addr, now time.Time) []byte {
	dst = append(dead.AppendTo(append(dst, textDead...)), ':')
	return reporter.AppendTo(append(appendStamp(dst, now), ':'))
}

func appendStamp(dst []byte, now time.Time) []byte {
	const microseconds = 6 // digits
	return strconv.AppendFloat(dst, float64(now.UnixMicro())/1e6, 'f', microseconds, 64)
}

// AppendList appends the answer to a peer that is in: as many of the others as a list has room for, each once, and its
// own address last, which the earlier programs take for their own.
func AppendList(dst []byte, others []netip.AddrPort, own netip.AddrPort) []byte {
	begin, last := len(dst), own.AppendTo([]byte{','})
	listed := map[netip.AddrPort]bool{own: true}
	for _, one := range others {
		entry := one.AppendTo([]byte{','})
		switch {
		case listed[one] || !one.Addr().Is4():
		case len(dst)-begin+len(entry)+len(last) > TextReceived+1: // of which the first comma goes
			continue // a shorter one may fit
		default:
			listed[one] = true
			dst = append(dst, entry...)
		}
	}
	dst = append(dst, last...)
	return slices.Delete(dst, begin, begin+1)
}

// ReadList reads a list, with a comma around it or without: its last entry is the address of the peer that has asked.
func ReadList(text []byte) (all []netip.AddrPort, err error) {
	for i, entry := range strings.Split(strings.Trim(string(text), ","), ",") {
		ip, port, _ := strings.Cut(entry, ":")
		_, ok := textIP(ip)
		if number, _ := isPort(port); !ok || !number {
			return nil, fmt.Errorf("entry %d of the list, %.40q: want ip:port", i+1, entry)
		}
		all = append(all, textAddress(ip, port))
	}
	return all, nil
}

// Line is a rumor as one of text.
func Line(stamp string, origin netip.AddrPort, number uint64) string {
	return stamp + ":" + origin.String() + ":" + gossipWord + strconv.FormatUint(number, 10)
}

// IsLine reports whether a text is a rumor of text, in either form.
func IsLine(text string) bool { return LineOrigin(text).IsValid() }

// LineOrigin gives the origin of a rumor of text, with port 0 if that is not in it; not valid: it is none.
func LineOrigin(text string) (origin netip.AddrPort) {
	if len(text) > TextMax {
		return origin
	}
	one, _, _ := readMessage(text, hearsay.RolePeer)
	if r, is := one.(*Gossip); is {
		return r.Origin
	}
	return origin
}
