package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// switchboard is what Maelstrom is between processes: it carries lines.
type switchboard struct {
	t       *testing.T
	inputs  map[string]io.WriteCloser
	answers chan string // lines to clients
	writing sync.Mutex  // one line at a time into a process
	readers sync.WaitGroup
}

// write gives a process a line. One that has ended does not take it.
func (s *switchboard) write(to, line string) {
	s.writing.Lock()
	defer s.writing.Unlock()
	io.WriteString(s.inputs[to], line+"\n")
}

// carry carries what a process says, until it ends.
func (s *switchboard) carry(out io.Reader) {
	defer s.readers.Done()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m struct{ Dest string }
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			s.t.Errorf("%q: %v", lines.Text(), err)
			continue
		}
		if s.inputs[m.Dest] != nil {
			s.write(m.Dest, lines.Text())
		} else {
			s.answers <- lines.Text()
		}
	}
}

// ask sends a request to a node. Its answer will be among the next ones.
func (s *switchboard) ask(to, body string) {
	s.write(to, fmt.Sprintf(`{"src":"c1","dest":%q,"body":%s}`, to, body))
}

// answer waits for an answer of this type.
func (s *switchboard) answer(kind string) (messages []int) {
	s.t.Helper()
	select {
	case line := <-s.answers:
		var m struct {
			Body struct {
				Type     string
				Messages []int
			}
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Body.Type != kind {
			s.t.Fatalf("want %s: got %s: %v", kind, line, err)
		}
		return m.Body.Messages
	case <-time.After(awaitTimeout):
		s.t.Fatalf("no %s within %v", kind, awaitTimeout)
		return nil
	}
}

// TestMaelstrom runs three processes as Maelstrom does, and sees what each was
// told in the reads of all.
func TestMaelstrom(t *testing.T) {
	s := &switchboard{t: t, inputs: make(map[string]io.WriteCloser), answers: make(chan string, 64)}
	names := []string{"n0", "n1", "n2"}
	var processes []*exec.Cmd
	var outputs []io.Reader
	for _, name := range names {
		process := exec.Command("hearsay", "maelstrom")
		in, err := process.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := process.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		s.inputs[name] = in
		outputs = append(outputs, out)
		processes = append(processes, process)
	}
	s.readers.Add(len(outputs))
	for _, out := range outputs {
		go s.carry(out)
	}
	defer func() {
		for _, in := range s.inputs {
			in.Close()
		}
		s.readers.Wait() // to their end
		for i, process := range processes {
			if err := process.Wait(); err != nil {
				t.Errorf("%s, whose input has ended: %v", names[i], err)
			}
		}
	}()

	for _, name := range names {
		s.ask(name, fmt.Sprintf(`{"type":"init","msg_id":1,"node_id":%q,"node_ids":["n0","n1","n2"]}`, name))
	}
	for range names {
		s.answer("init_ok")
	}
	for i, name := range names {
		s.ask(name, `{"type":"topology","msg_id":2,"topology":{"n0":["n1"],"n1":["n0","n2"],"n2":["n1"]}}`)
		s.answer("topology_ok")
		s.ask(name, fmt.Sprintf(`{"type":"broadcast","msg_id":3,"message":%d}`, 100+i))
		s.answer("broadcast_ok")
	}
	deadline := time.Now().Add(awaitTimeout)
	for _, name := range names {
		var got []int
		for !slices.Equal(got, []int{100, 101, 102}) {
			if time.Now().After(deadline) {
				t.Fatalf("%s has %v", name, got)
			}
			s.ask(name, `{"type":"read","msg_id":4}`)
			got = s.answer("read_ok")
			slices.Sort(got)
		}
	}
}
