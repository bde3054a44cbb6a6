package main

import (
	"testing"
)

func TestHTTPAddr(t *testing.T) {
	for flag, want := range map[string]string{
		"":               "",
		"off":            "",
		"0":              "127.0.0.1:0",
		"9001":           "127.0.0.1:9001",
		":9001":          "127.0.0.1:9001",
		"0.0.0.0:9001":   "0.0.0.0:9001",
		"[::1]:0":        "[::1]:0",
		"localhost:9001": "localhost:9001",
	} {
		if got, err := httpAddr(flag); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", flag, got, err, want)
		}
	}
	for _, flag := range []string{"on", "65536", "-1", "localhost", "::1", "host:", "1.2.3.4:http", "[::1]"} {
		if got, err := httpAddr(flag); err == nil {
			t.Errorf("%q was taken as %q", flag, got)
		}
	}
}

func TestBind(t *testing.T) {
	for _, tc := range []struct {
		bind  string
		flags []string
		want  string
	}{
		{"0.0.0.0:7946", nil, "0.0.0.0:7946"},
		{"0.0.0.0:7946", []string{"--ip", "::1"}, "[::1]:7946"},
		{"0.0.0.0:7946", []string{"--port", "0"}, "0.0.0.0:0"},
		{"10.0.0.1", []string{"--port", "1"}, "10.0.0.1:1"},
		{"[fd00::1]", nil, "[fd00::1]:7946"},
		{":1", []string{"--ip", "10.0.0.1"}, "10.0.0.1:1"},
	} {
		var o nodeOptions
		cmd := newPeerOf(&o)
		if err := cmd.ParseFlags(tc.flags); err != nil {
			t.Fatal(err)
		}
		if got, err := o.bind(cmd, tc.bind); err != nil || got != tc.want {
			t.Errorf("%s with %v: got %q, %v, want %s", tc.bind, tc.flags, got, err, tc.want)
		}
	}
}

// A program that `go run` has built is gone when that ends: it is not what starts a node again.
func TestProgramName(t *testing.T) {
	for self, want := range map[string]string{
		"/usr/local/bin/hearsay":            "/usr/local/bin/hearsay",
		"/tmp/go-build123/b001/exe/hearsay": "hearsay",
		"/srv/go-build/hearsay":             "/srv/go-build/hearsay",
	} {
		if got := programName(self); got != want {
			t.Errorf("%s: %s", self, got)
		}
	}
}
