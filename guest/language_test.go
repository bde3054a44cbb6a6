package guest

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"hearsay/dialect"
)

// What is answered to the question tells what is there, and nothing but the question is said.
func TestAskLanguage(t *testing.T) {
	const lines = `{"type":"REGISTER_COMMIT","payload":{"success":false,"error":"bad JSON"},"ts":1.5}` + "\n"
	for answer, want := range map[string]struct {
		speaks Language
		why    string
	}{
		dialect.Answer:                 {Ours, ""},
		lines:                          {Lines, ""},
		`{"type":"E","payload":{}}`:    {Lines, ""},
		"":                             {Text, ""},
		"HTTP/1.1 400 Bad Request\r\n": {0, `no seed of hearsay: it answers "HTTP/1.1 "`},
		"{}\n":                         {0, `no seed of hearsay: it answers "{}\n"`},
	} {
		ours, theirs := net.Pipe()
		asked := make(chan string, 1)
		go func() {
			said := make([]byte, len(dialect.Question))
			io.ReadFull(theirs, said)
			asked <- string(said)
			io.WriteString(theirs, answer)
			theirs.Close()
		}()
		speaks, err := AskLanguage(ours, patience)
		if speaks != want.speaks || (err == nil) != (want.why == "") || err != nil && !strings.Contains(err.Error(), want.why) {
			t.Errorf("%q: %d, %v, want %d, %s", answer, speaks, err, want.speaks, want.why)
		}
		if got := <-asked; got != dialect.Question {
			t.Errorf("asked %q", got)
		}
		ours.Close()
	}
	for _, l := range []Language{Lines, Text} {
		if err := l.ForeignError(); !strings.Contains(err.Error(), languageWords[l]) {
			t.Error(err)
		}
	}
}

// One that accepts a connection and says nothing is none of them.
func TestAskLanguageOfSilence(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	defer ours.Close()
	go io.Copy(io.Discard, theirs)
	if speaks, err := AskLanguage(ours, 10*time.Millisecond); speaks != 0 || err == nil {
		t.Errorf("%d, %v", speaks, err)
	}
}
