package main

import "testing"

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
