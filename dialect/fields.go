package dialect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// factsKey is the key under which our own facts ride in a payload.
const factsKey = "hearsay"

// presence says whether a field may be absent.
type presence uint8

const (
	required presence = iota
	optional
)

// fields are the members of a JSON object while they are read. The first
// problem is kept; what is read after it does not matter.
type fields struct {
	values map[string]json.RawMessage
	err    error
}

func (f *fields) fail(key, want string) {
	if f.err == nil {
		f.err = fmt.Errorf("field %q: %s", key, want)
	}
}

// raw gives the text of a field. null is as good as absent.
func (f *fields) raw(key string, p presence) (text []byte, there bool) {
	text, there = f.values[key]
	if there && string(text) != "null" {
		return text, true
	}
	if p == required && f.err == nil {
		f.err = fmt.Errorf("missing field %q", key)
	}
	return nil, false
}

// text reads a short string.
func (f *fields) text(key string, p presence) string {
	s := f.anyText(key, p)
	if len(s) > stringMax {
		f.fail(key, fmt.Sprintf("longer than %d bytes", stringMax))
		return ""
	}
	return s
}

// anyText reads a string of any length.
func (f *fields) anyText(key string, p presence) (s string) {
	if raw, there := f.raw(key, p); there && json.Unmarshal(raw, &s) != nil {
		f.fail(key, "want a string")
	}
	return s
}

// integer reads a number, also one in quotes or with a point and zeros.
func (f *fields) integer(key string, p presence, least, most int64) int64 {
	raw, there := f.raw(key, p)
	if !there {
		return 0
	}
	digits := string(bytes.Trim(raw, `"`))
	n, err := strconv.ParseInt(digits, 10, 64)
	if whole, zeros, found := strings.Cut(digits, "."); err != nil && found && strings.Trim(zeros, "0") == "" {
		n, err = strconv.ParseInt(whole, 10, 64)
	}
	if err != nil || n < least || n > most {
		f.fail(key, fmt.Sprintf("want an integer, %d to %d", least, most))
		return 0
	}
	return n
}

// endpoint reads an address from two fields.
func (f *fields) endpoint(ip, port string) netip.AddrPort {
	addr := f.ip(ip, required)
	return netip.AddrPortFrom(addr, uint16(f.integer(port, required, 1, portMax)))
}

// ip reads an IP address; absent it is not valid.
func (f *fields) ip(key string, p presence) netip.Addr {
	text := f.text(key, p)
	if text == "" && p == optional {
		return netip.Addr{}
	}
	addr, ok := parseIP(text)
	if !ok {
		f.fail(key, "want an IP address that others can reach, or localhost")
	}
	return addr
}

// address reads "ip:port"; absent it is not valid.
func (f *fields) address(key string, p presence) netip.AddrPort {
	text := f.text(key, p)
	if text == "" && p == optional {
		return netip.AddrPort{}
	}
	addr, ok := parseAddress(text)
	if !ok {
		f.fail(key, `want "ip:port"`)
	}
	return addr
}

// boolean reads true or false, which must be there.
func (f *fields) boolean(key string) (b bool) {
	if raw, there := f.raw(key, required); there && json.Unmarshal(raw, &b) != nil {
		f.fail(key, "want true or false")
	}
	return b
}

// texts reads a list of strings, which must be there.
func (f *fields) texts(key string) (list []string) {
	if raw, there := f.raw(key, required); there && json.Unmarshal(raw, &list) != nil {
		f.fail(key, "want a list of strings")
	}
	return list
}

// facts reads what is ours.
func (f *fields) facts() []byte {
	text := f.anyText(factsKey, optional)
	if text == "" {
		return nil
	}
	facts, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		f.fail(factsKey, "want base64")
	}
	return facts
}

const portMax = 65535

// parseIP reads an address to which one can connect.
func parseIP(text string) (netip.Addr, bool) {
	if strings.EqualFold(text, "localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	ip, err := netip.ParseAddr(text)
	ip = ip.Unmap()
	ok := err == nil && ip.Zone() == "" && !ip.IsUnspecified() && !ip.IsMulticast()
	return ip, ok
}

// parseAddress reads "ip:port", with or without brackets around IPv6.
func parseAddress(text string) (netip.AddrPort, bool) {
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return netip.AddrPort{}, false
	}
	host := text[:colon]
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	ip, ok := parseIP(host)
	port, err := strconv.ParseUint(text[colon+1:], 10, 16)
	return netip.AddrPortFrom(ip, uint16(port)), ok && err == nil && port > 0
}

// object is the members of a JSON object while they are written, in order.
type object struct{ b []byte }

// key begins a member; its value must follow.
func (o *object) key(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

func (o *object) text(key, value string) {
	o.key(key)
	o.b = appendText(o.b, value)
}

// textIf writes what is not empty.
func (o *object) textIf(key, value string) {
	if value != "" {
		o.text(key, value)
	}
}

func (o *object) integer(key string, value int64) {
	o.key(key)
	o.b = strconv.AppendInt(o.b, value, 10)
}

func (o *object) boolean(key string, value bool) {
	o.key(key)
	o.b = strconv.AppendBool(o.b, value)
}

// endpoint writes an address into two fields.
func (o *object) endpoint(ip, port string, addr netip.AddrPort) {
	o.text(ip, addr.Addr().String())
	o.integer(port, int64(addr.Port()))
}

// address writes "ip:port", if it is one.
func (o *object) address(key string, addr netip.AddrPort) {
	if addr.IsValid() {
		o.text(key, addr.String())
	}
}

func (o *object) texts(key string, values []string) {
	o.key(key)
	o.b = append(o.b, '[')
	for i, value := range values {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendText(o.b, value)
	}
	o.b = append(o.b, ']')
}

// facts writes what is ours.
func (o *object) facts(facts []byte) {
	if len(facts) > 0 {
		o.key(factsKey)
		o.b = append(o.b, '"')
		o.b = base64.StdEncoding.AppendEncode(o.b, facts)
		o.b = append(o.b, '"')
	}
}

// appendText appends a JSON string; < and > stay readable.
func appendText(dst []byte, text string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err) // a string always has a form
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
