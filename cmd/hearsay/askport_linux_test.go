package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"hearsay"
	"hearsay/agent"
)

// terminal gives both ends of a terminal.
func terminal(t *testing.T) (keyboard, line *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("there are no terminals: ", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	var number, lock int32
	for request, value := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &lock} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	if line, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { line.Close() })
	return keyboard, line
}

// Without --port a node asks for it at a terminal, and only there, unless its address is said in another way.
func TestAskPort(t *testing.T) {
	t.Setenv("TERM", "xterm")
	keyboard, line := terminal(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct {
		typed, bind string
		in          *os.File
		flags       []string
		want, err   string
	}{
		{typed: "6001\n", in: line, want: "6001"},
		{typed: " 6001 \n", in: line, want: "6001"},
		{typed: "\n", in: line, want: "7946"},
		{typed: "six\n", in: line, err: `port "six" on standard input: want a number up to 65535`},
		{typed: "65536\n", in: line, err: "--port 65536: want a port up to 65535, or 0"},
		{typed: "\x04", in: line, err: "no port on standard input; want --port"},
		{in: line, flags: []string{"--port", "6002"}, want: "6002"},
		{in: line, bind: "10.0.0.1:6003", want: "6003"},
		{in: null, want: "7946"},
	} {
		o := nodeOptions{role: hearsay.RolePeer}
		cmd := newPeerOf(&o)
		var asked bytes.Buffer
		cmd.SetIn(c.in)
		cmd.SetErr(&asked)
		if err := cmd.ParseFlags(c.flags); err != nil {
			t.Fatal(err)
		}
		if _, err := keyboard.WriteString(c.typed); err != nil {
			t.Fatal(err)
		}
		config := agent.DefaultConfig()
		if c.bind != "" {
			config.Bind = c.bind
		}
		err := o.askPort(cmd, &config)
		bind := ""
		if err == nil {
			bind, err = o.bind(cmd, config.Bind)
		}
		if c.err != "" && (err == nil || err.Error() != c.err) || c.err == "" && (err != nil || !strings.HasSuffix(bind, ":"+c.want)) {
			t.Errorf("%q with %q, %q: %s, %v", c.typed, c.flags, c.bind, bind, err)
		}
		if asks := asked.String() == "Port [7946]: "; asks != (c.typed != "") || !asks && asked.Len() > 0 {
			t.Errorf("%q with %q, %q: asked %q", c.typed, c.flags, c.bind, asked.String())
		}
	}
}
