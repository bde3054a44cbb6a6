package maelstrom

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	in, asks := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Run(DefaultConfig(), in, out) }()
	read := bufio.NewScanner(answers)
	for _, exchange := range [][2]string{
		{`{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0"]}`, `{"type":"init_ok","in_reply_to":1}`},
		{`{"type":"add","msg_id":2,"element":5}`, `{"type":"add_ok","in_reply_to":2}`},
		{`{"type":"read","msg_id":3}`, `{"type":"read_ok","in_reply_to":3,"value":[5]}`},
	} {
		if _, err := io.WriteString(asks, `{"src":"c1","dest":"n0","body":`+exchange[0]+"}\n"); err != nil {
			t.Fatal(err)
		}
		if want := `{"src":"n0","dest":"c1","body":` + exchange[1] + `}`; !read.Scan() || read.Text() != want {
			t.Errorf("got %s, want %s: %v", read.Text(), want, read.Err())
		}
	}
	asks.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// full is where nothing can be written.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("it is full") }

func TestRunFails(t *testing.T) {
	const init = `{"src":"c1","dest":"n0","body":{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0"]}}` + "\n"
	err := Run(DefaultConfig(), strings.NewReader(init), full{})
	if err == nil || err.Error() != "write: it is full" {
		t.Errorf("got %v", err)
	}
	err = Run(DefaultConfig(), strings.NewReader(strings.Repeat("x", maxLine+1)), io.Discard)
	if err == nil || err.Error() != "read: a line of more than 16777216 bytes" {
		t.Errorf("got %v", err)
	}
}
