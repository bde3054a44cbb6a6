// Package seeds reads the file that names the seeds of a network, one a line:
//
//	# the seeds of our network
//	10.0.0.1,5001
//	10.0.0.2:5001
//	localhost,5003
//	::1,5004
//	[::1]:5005
//	10.0.0.6,5001,<public key, 64 hexadecimal digits>
//
// The third column pins a seed's key: as hexadecimal digits, since that is how
// keys are printed everywhere. Comments, blank lines, spaces, a header line
// (IP Address,Port), either kind of line end and none at the end of the last line
// are fine. Everything else is an error that names the file and the line.
//
// Hosts are IP addresses. The one name is localhost, for 127.0.0.1: other
// names are not looked up, because all nodes that read the file must read the same
// list in it.
package seeds

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"hearsay/internal/userfile"

	"hearsay"
)

// fileBytesMax bounds a file, comments included. A guess.
const fileBytesMax = 1 << 20

// wanted is what a line should look like.
const wanted = `want a line "ip,port" for each seed, like 10.0.0.1,5001`

// Seed is one seed of the list.
type Seed struct {
	Addr netip.AddrPort
	Key  hearsay.PublicKey // pinned; zero: whichever is met first
	Line int               // in the file
}

// List is the seeds that one file names.
//
// Its order, and so the slot of each, is that of their addresses: two files
// with the same seeds in another order say the same.
type List struct {
	File  string // as it was named
	Seeds []Seed // 1 to hearsay.MaxSeeds, ascending by Addr
}

// Load reads a file.
func Load(file string) (*List, error) {
	text, err := userfile.Read(file, fileBytesMax)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, wanted)
	}
	return Parse(file, text)
}

// Parse reads the text of a file; its name is for errors.
func Parse(file string, text []byte) (*List, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF")) // as some editors begin a file
	l := &List{File: file}
	number, first := 0, true
	for line := range strings.Lines(string(text)) {
		number++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		header := first && isHeader(line)
		if first = false; header {
			continue
		}
		seed, err := parseLine(line)
		if err == nil {
			seed.Line = number
			err = l.add(seed)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, number, err)
		}
	}
	if len(l.Seeds) == 0 {
		return nil, fmt.Errorf("%s: names no seed; %s", file, wanted)
	}
	return l, nil
}

// isHeader reports whether a line is what spreadsheets put first.
func isHeader(line string) bool {
	columns := strings.Split(strings.ToLower(line), ",")
	for i := range columns {
		columns[i] = strings.Join(strings.Fields(columns[i]), " ")
	}
	hosts := []string{"ip", "ip address", "address", "host"}
	return len(columns) >= 2 && slices.Contains(hosts, columns[0]) && columns[1] == "port"
}

// parseLine reads host and port, and perhaps a key.
func parseLine(line string) (seed Seed, err error) {
	columns := strings.Split(line, ",")
	for i := range columns {
		columns[i] = strings.TrimSpace(columns[i])
	}
	host, port, joined := splitHostPort(columns[0])
	if joined {
		columns = columns[1:]
	} else if len(columns) > 1 {
		host, port, columns = columns[0], columns[1], columns[2:]
	} else {
		return seed, fmt.Errorf("%s; %s", short(line), wanted)
	}
	ip, err := parseHost(host)
	if err != nil {
		return seed, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return seed, fmt.Errorf("port %s: want 1 to 65535", short(port))
	}
	seed.Addr = netip.AddrPortFrom(ip, uint16(number))
	switch {
	case len(columns) > 1:
		return seed, fmt.Errorf("%s: has %d columns too many; want ip, port and perhaps a key", short(line), len(columns)-1)
	case len(columns) == 1:
		seed.Key, err = parseKey(columns[0])
	}
	return seed, err
}

// splitHostPort splits host:port. What has colons and no brackets may be an
// IPv6 address alone: it is not split.
func splitHostPort(text string) (host, port string, ok bool) {
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 || strings.HasSuffix(text, "]") {
		return "", "", false
	}
	host, port = text[:colon], text[colon+1:]
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "", "", false
	}
	return strings.TrimSpace(host), strings.TrimSpace(port), true
}

// parseHost reads an address at which others can reach a seed.
func parseHost(host string) (ip netip.Addr, err error) {
	if strings.EqualFold(host, "localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	bare := host
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		bare = host[1 : len(host)-1]
	}
	ip, err = netip.ParseAddr(bare)
	if err != nil || bare != host && !ip.Is6() {
		return ip, fmt.Errorf("host %s: want an IP address, or localhost; an IPv6 address with its port is [::1]:5001 or ::1,5001", short(host))
	}
	if ip.Zone() != "" {
		return ip, fmt.Errorf("host %s: want an address without a zone, because a zone means something on one machine only", short(host))
	}
	ip = ip.Unmap()
	if ip.IsUnspecified() || ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return ip, fmt.Errorf("host %s: nobody can connect to it; want the address at which others reach this seed", short(host))
	}
	return ip, nil
}

func parseKey(text string) (key hearsay.PublicKey, err error) {
	if len(text) != 2*len(key) {
		return key, fmt.Errorf("key %s: want a public key of %d hexadecimal digits, or no third column", short(text), 2*len(key))
	}
	if _, err := hex.Decode(key[:], []byte(text)); err != nil {
		return key, fmt.Errorf("key %s: %w; want %d hexadecimal digits", short(text), err, 2*len(key))
	}
	if key.Weak() {
		return key, fmt.Errorf("key %s: is no key, as anybody could sign with it; leave the third column out to take the key that is met first", short(text))
	}
	return key, nil
}

// add puts a seed where it belongs, unless it is there.
func (l *List) add(seed Seed) error {
	at, found := slices.BinarySearchFunc(l.Seeds, seed, func(a, b Seed) int { return a.Addr.Compare(b.Addr) })
	if found {
		return fmt.Errorf("%s stands in line %d already; want each seed once", seed.Addr, l.Seeds[at].Line)
	}
	for _, other := range l.Seeds {
		if !seed.Key.IsZero() && other.Key == seed.Key {
			return fmt.Errorf("%s has the key of line %d; want a key of its own for each seed", seed.Addr, other.Line)
		}
	}
	if len(l.Seeds) == hearsay.MaxSeeds {
		return fmt.Errorf("one more than %d seeds; want an odd number, 3 or 5", hearsay.MaxSeeds)
	}
	l.Seeds = slices.Insert(l.Seeds, at, seed)
	return nil
}

// Slot gives the place in the list of the seed that listens at own. One that
// listens everywhere (0.0.0.0 or ::) is the one listed with its port and one
// of the addresses of this machine, local.
func (l *List) Slot(own netip.AddrPort, local []netip.Addr) (int, error) {
	own = unmap(own)
	var found []int
	for i, seed := range l.Seeds {
		there := seed.Addr.Addr()
		everywhere := own.Addr().IsUnspecified() && (own.Addr().Is6() || there.Is4())
		here := there.IsLoopback() || slices.ContainsFunc(local, func(a netip.Addr) bool { return a.Unmap().WithZone("") == there })
		if seed.Addr == own || everywhere && here && seed.Addr.Port() == own.Port() {
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return 0, fmt.Errorf("%s: names this machine with port %d in lines %d and %d; want one of these addresses as --ip",
			l.File, own.Port(), l.Seeds[found[0]].Line, l.Seeds[found[1]].Line)
	case own.Addr().IsUnspecified():
		return 0, fmt.Errorf("%s: names no address of this machine with port %d, but %s; want this seed's own line in the file of every seed",
			l.File, own.Port(), l)
	}
	return 0, fmt.Errorf("%s: does not name this seed's own address %s, but %s; want the line %s,%d in the file of every seed",
		l.File, own, l, own.Addr(), own.Port())
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// String gives the addresses, of a long list the first.
func (l *List) String() string {
	const shown = 5
	var b strings.Builder
	for i, seed := range l.Seeds {
		if i == shown {
			fmt.Fprintf(&b, " and %d more", len(l.Seeds)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(seed.Addr.String())
	}
	return b.String()
}

// short quotes text for an error, its beginning if it is long.
func short(text string) string {
	const shown = 72 // bytes: a key and a bit
	if len(text) > shown {
		return strconv.Quote(text[:shown]) + "…"
	}
	return strconv.Quote(text)
}
