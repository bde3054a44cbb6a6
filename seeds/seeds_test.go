package seeds

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hearsay"
)

const key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func TestSpellings(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want string // as String gives it, with * for a pinned key
	}{
		"comma":               {"127.0.0.1,5001\n127.0.0.1,5002\n", "127.0.0.1:5001 127.0.0.1:5002"},
		"colon":               {"127.0.0.1:5001\n", "127.0.0.1:5001"},
		"no newline":          {"127.0.0.1,5001\n127.0.0.1,5002", "127.0.0.1:5001 127.0.0.1:5002"},
		"carriage returns":    {"127.0.0.1,5001\r\n127.0.0.1:5002\r\n", "127.0.0.1:5001 127.0.0.1:5002"},
		"header":              {"IP Address,Port\n10.0.0.1,5001\n", "10.0.0.1:5001"},
		"header under words":  {"# seeds\n\n ip  address , PORT , Key\n10.0.0.1,5001\n", "10.0.0.1:5001"},
		"comments and blanks": {"# one\n\n  \t\n10.0.0.1,5001 # the first\n#10.0.0.2,5001\n", "10.0.0.1:5001"},
		"spaces":              {"  10.0.0.1 ,  5001\t\n 10.0.0.2 : 5001 \n", "10.0.0.1:5001 10.0.0.2:5001"},
		"localhost":           {"localhost,5001\nLOCALHOST:5002\n", "127.0.0.1:5001 127.0.0.1:5002"},
		"ipv6":                {"::1,5001\n[::1]:5002\n[::1],5003\n", "[::1]:5001 [::1]:5002 [::1]:5003"},
		"ipv4 within ipv6":    {"::ffff:10.0.0.1,5001\n", "10.0.0.1:5001"},
		"pinned":              {"10.0.0.1,5001," + key + "\n10.0.0.2:5001, " + strings.ToUpper(key[2:]) + "AB\n10.0.0.3,1\n", "10.0.0.1:5001* 10.0.0.2:5001* 10.0.0.3:1"},
		"order does not count": {
			"10.0.0.2,5001\n10.0.0.1,5002\n10.0.0.1,5001\n", "10.0.0.1:5001 10.0.0.1:5002 10.0.0.2:5001",
		},
		"mark of an editor": {"\uFEFF10.0.0.1,5001\n", "10.0.0.1:5001"},
	} {
		list, err := Parse("config.txt", []byte(tc.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, seed := range list.Seeds {
			pin := ""
			if !seed.Key.IsZero() {
				pin = "*"
			}
			got = append(got, seed.Addr.String()+pin)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	many := new(strings.Builder)
	for i := range hearsay.MaxSeeds + 1 {
		fmt.Fprintf(many, "10.0.0.%d,5001\n", i+1)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"empty":             {"", `c.txt: names no seed; want a line "ip,port" for each seed, like 10.0.0.1,5001`},
		"only comments":     {"# none\n\nIP Address,Port\n", `c.txt: names no seed; want a line "ip,port"`},
		"no port":           {"10.0.0.1\n", `c.txt:1: "10.0.0.1"; want a line "ip,port"`},
		"blank for a comma": {"10.0.0.1 5001\n", `c.txt:1: "10.0.0.1 5001"; want a line "ip,port"`},
		"port not a number": {"# x\n10.0.0.1,http\n", `c.txt:2: port "http": want 1 to 65535`},
		"port 0":            {"10.0.0.1:0\n", `c.txt:1: port "0": want 1 to 65535`},
		"port too large":    {"10.0.0.1,5001\n10.0.0.2,65536\n", `c.txt:2: port "65536": want 1 to 65535`},
		"negative port":     {"10.0.0.1,-1\n", `port "-1": want 1 to 65535`},
		"empty port":        {"10.0.0.1,\n", `port "": want 1 to 65535`},
		"empty host":        {",5001\n", `host "": want an IP address`},
		"a name":            {"seed.example.org,5001\n", `c.txt:1: host "seed.example.org": want an IP address, or localhost`},
		"ipv4 in brackets":  {"[10.0.0.1]:5001\n", `host "[10.0.0.1]": want an IP address`},
		"bare ipv6":         {"::1:5001\n", `c.txt:1: "::1:5001"; want a line "ip,port"`},
		"zone":              {"fe80::1%eth0,5001\n", "want an address without a zone"},
		"everywhere":        {"0.0.0.0,5001\n", `host "0.0.0.0": nobody can connect to it`},
		"everywhere, ipv6":  {"[::]:5001\n", "nobody can connect to it"},
		"broadcast":         {"255.255.255.255:5001\n", "nobody can connect to it"},
		"doubled":           {"10.0.0.1,5001\n\n10.0.0.1:5001\n", "c.txt:3: 10.0.0.1:5001 stands in line 1 already; want each seed once"},
		"doubled by name":   {"localhost,5001\n127.0.0.1,5001\n", "c.txt:2: 127.0.0.1:5001 stands in line 1 already"},
		"doubled key":       {"10.0.0.1,5001," + key + "\n10.0.0.2,5001," + key, "c.txt:2: 10.0.0.2:5001 has the key of line 1; want a key of its own"},
		"short key":         {"10.0.0.1,5001,abcd\n", `c.txt:1: key "abcd": want a public key of 64 hexadecimal digits, or no third column`},
		"empty key":         {"10.0.0.1,5001,\n", `key "": want a public key`},
		"no hex":            {"10.0.0.1,5001," + "x" + key[1:], "want 64 hexadecimal digits"},
		"key of zeros":      {"10.0.0.1,5001," + strings.Repeat("0", 64), "is no key, as anybody could sign with it; leave the third column out"},
		"key of order two":  {"10.0.0.1,5001,ec" + strings.Repeat("f", 60) + "7f", "is no key, as anybody could sign with it; leave the third column out"},
		"four columns":      {"10.0.0.1,5001," + key + ",x\n", "has 1 columns too many"},
		"header later":      {"10.0.0.1,5001\nIP Address,Port\n", `c.txt:2: host "IP Address": want an IP address`},
		"control bytes":     {"10.0.0.1\x00\x1b[2J,5001\n", `c.txt:1: host "10.0.0.1\x00\x1b[2J": want`},
		"too many":          {many.String(), "c.txt:16: one more than 15 seeds"},
		"a long line":       {strings.Repeat("x", 5000), "…; want a line"},
	} {
		_, err := Parse("c.txt", []byte(tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", name, err, tc.want)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || len(err.Error()) > 300) {
			t.Errorf("%s: not one line: %q", name, err)
		}
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.txt")
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), file+": there is no such file; want a line") {
		t.Errorf("missing: %v", err)
	}
	if _, err := Load(filepath.Dir(file)); err == nil {
		t.Error("a directory was read")
	}
	if err := os.WriteFile(file, bytes.Repeat([]byte("#"), fileBytesMax+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "want at most 1048576 bytes") {
		t.Errorf("an endless file: %v", err)
	}
	if err := os.WriteFile(file, []byte("10.0.0.2,5001\nlocalhost,5002"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := list.String(); got != "10.0.0.2:5001, 127.0.0.1:5002" || list.Seeds[0].Line != 1 {
		t.Errorf("got %s, of lines %d and %d", got, list.Seeds[0].Line, list.Seeds[1].Line)
	}
}

func TestSlot(t *testing.T) {
	list, err := Parse("c.txt", []byte("10.0.0.3,5001\n10.0.0.2,5001\nlocalhost,5001\n::1,5002\n10.0.0.9,5009"))
	if err != nil {
		t.Fatal(err)
	}
	local := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::ffff:10.0.0.9"), netip.MustParseAddr("fe80::1%x")}
	for own, want := range map[string]string{
		"10.0.0.2:5001":          "0",
		"10.0.0.3:5001":          "1",
		"[::ffff:10.0.0.3]:5001": "1",
		"10.0.0.9:5009":          "2",
		"127.0.0.1:5001":         "3",
		"[::1]:5002":             "4",
		"0.0.0.0:5001":           "3", // of the three with this port only this is here
		"0.0.0.0:5009":           "2",
		"[::]:5009":              "2",
		"[::]:5002":              "4",
		"0.0.0.0:5002":           "c.txt: names no address of this machine with port 5002, but 10.0.0.2:5001, ",
		"10.0.0.2:5002":          "c.txt: does not name this seed's own address 10.0.0.2:5002, but 10.0.0.2:5001, 10.0.0.3:5001, 10.0.0.9:5009, 127.0.0.1:5001, [::1]:5002; want the line 10.0.0.2,5002 in the file of every seed",
		"127.0.0.2:5001":         "want the line 127.0.0.2,5001",
	} {
		slot, err := list.Slot(netip.MustParseAddrPort(own), local)
		got := fmt.Sprint(slot)
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%s: got %s, want %s", own, got, want)
		}
	}
	twice, err := Parse("c.txt", []byte("127.0.0.1,5001\n10.0.0.9,5001"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = twice.Slot(netip.MustParseAddrPort("0.0.0.0:5001"), local)
	if err == nil || !strings.Contains(err.Error(), "in lines 2 and 1; want one of these addresses as --ip") {
		t.Errorf("two lines for one machine: %v", err)
	}
}

// FuzzParse: whatever is read is in order, and reads the same once more.
func FuzzParse(f *testing.F) {
	f.Add([]byte("IP Address,Port\n127.0.0.1,5001\r\n[::1]:5002 # x\nlocalhost:5003," + key))
	f.Add([]byte("\uFEFF\n::ffff:1.2.3.4,1,,\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := Parse("c", text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("not one line: %q", err)
			}
			return
		}
		again := new(strings.Builder)
		for i, seed := range list.Seeds {
			if i > 0 && list.Seeds[i-1].Addr.Compare(seed.Addr) >= 0 {
				t.Fatalf("not ascending: %s", list)
			}
			if slot, err := list.Slot(seed.Addr, nil); err != nil || slot != i {
				t.Fatalf("%s has the slot %d, %v", seed.Addr, slot, err)
			}
			fmt.Fprintf(again, "%s,%d", seed.Addr.Addr(), seed.Addr.Port())
			if !seed.Key.IsZero() {
				fmt.Fprintf(again, ",%x", seed.Key[:])
			}
			again.WriteByte('\n')
		}
		twin, err := Parse("c", []byte(again.String()))
		if err != nil || !slices.EqualFunc(list.Seeds, twin.Seeds, func(a, b Seed) bool { return a.Addr == b.Addr && a.Key == b.Key }) {
			t.Fatalf("%q reads as %v, %v", again, twin, err)
		}
	})
}
