package dialect

import "testing"

// What a connection is shows as soon as its bytes can tell, and not before.
func TestReadOpening(t *testing.T) {
	for said, want := range map[string]Opening{
		"": 0, " ": 0, "1": 0, "127.0.0.1": 0, "hearsay?": 0, "GET / HTTP/1.1\r": 0,
		"{": OpensLine, " \t{\"a\":1": OpensLine, `["a:1"]`: OpensLine, `"a:1`: OpensLine, "\n": OpensLine, "\x16\x03:": OpensLine, "\xc3\xa4:": OpensLine,
		"hello?\n": OpensLine, "GET / HTTP/1.1\r\nHost: x\r\n": OpensLine,
		"hearsay?\n": OpensQuestion, "hearsay?\r\n": OpensQuestion, "hearsay?\nx": OpensQuestion, "hearsay? \n": OpensLine,
		"127.0.0.1:": OpensText, "127.0.0.1:6001": OpensText, "127.0.0.1:6001\n": OpensText, "New Connect Request From:": OpensText,
		"Liveness Request:1.5:127.0.0.1": OpensText, "Dead Node:127.0.0.1:6001:1.5:127.0.0.1": OpensText, "1.5:127.0.0.1:1": OpensText,
		"hearsay?:\n": OpensText,
	} {
		if got := ReadOpening([]byte(said)); got != want {
			t.Errorf("%q opens %d, want %d", said, got, want)
		}
	}
}
