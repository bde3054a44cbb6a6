package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/nodelog"
)

// watching gives a watch of n processes that run, and what it prints.
func watching(n int) (*watch, *strings.Builder) {
	out := new(strings.Builder)
	net := &network{}
	for i := range n {
		p := &process{name: fmt.Sprintf("peer-%d", i+1), ended: make(chan struct{})}
		p.said = readyLine{Name: p.name, ID: hearsay.NodeID{byte(i + 1)}, HTTP: fmt.Sprintf("127.0.0.1:%d", 9001+i), PID: 101 + i}
		net.nodes = append(net.nodes, p)
	}
	w := newWatch(net, &upOptions{}, out)
	for i := range w.views {
		w.views[i].fresh = true
		for _, p := range net.nodes {
			w.views[i].members = append(w.views[i].members, hearsay.Member{
				ID: p.said.ID, Name: p.name, State: hearsay.StateAlive, Since: time.Now(),
			})
		}
	}
	return w, out
}

func TestRows(t *testing.T) {
	w, _ := watching(3)
	row := func() row { return w.rows()[2] }
	if r := row(); r.member.Name != "peer-3" || r.member.State != hearsay.StateAlive || r.said != 2 || r.asked != 2 {
		t.Errorf("all well: %+v", r)
	}
	w.views[2].members[2].State = hearsay.StateDead // its own word does not count
	if r := row(); r.member.State != hearsay.StateAlive {
		t.Errorf("its own word counted: %+v", r)
	}
	w.views[0].members[2].State = hearsay.StateSuspect // one of two: the worse is shown
	if r := row(); r.member.State != hearsay.StateSuspect || r.said != 1 || r.asked != 2 {
		t.Errorf("one of two suspects it: %+v", r)
	}
	w.views[1].fresh = false
	if r := row(); r.said != 1 || r.asked != 1 {
		t.Errorf("one does not answer: %+v", r)
	}
}

// What all agree about is told when it comes to be so, and once.
func TestTellAgreed(t *testing.T) {
	w, out := watching(3)
	w.tellAgreed()
	if out.String() != "" {
		t.Errorf("told at the beginning: %s", out)
	}
	w.views[0].members[2].State = hearsay.StateDead
	w.tellAgreed()
	if out.String() != "" {
		t.Errorf("told before all agreed: %s", out)
	}
	w.views[1].members[2].State = hearsay.StateDead
	w.tellAgreed()
	w.tellAgreed()
	if got := strings.Count(out.String(), "peer-3 is dead, say all others (2)\n"); got != 1 {
		t.Errorf("told %d times: %s", got, out)
	}
}

// An event is told once, whichever node tells it first; what is old, or not about
// members, is not.
func TestTellOnce(t *testing.T) {
	w, out := watching(2)
	e := hearsay.Event{At: w.began.Add(time.Second), Kind: hearsay.EventMemberDead, Subject: hearsay.NodeID{9}, Name: "x", Incarnation: 7}
	w.tell(&heard{from: 1, event: e})
	w.tell(&heard{from: 0, event: e})
	if got := out.String(); !strings.HasSuffix(got, " member-dead x incarnation=7 (told by peer-2)\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("told %q", got)
	}
	out.Reset()
	e.Kind = hearsay.EventExamined
	w.tell(&heard{event: e})
	e.Kind, e.At = hearsay.EventMemberLeft, w.began.Add(-time.Second)
	w.tell(&heard{event: e})
	if out.String() != "" {
		t.Errorf("told %q", out)
	}
}

func TestTable(t *testing.T) {
	w, _ := watching(2)
	close(w.network.nodes[1].ended)
	w.views[0].members[1].State = hearsay.StateDead
	w.views[1].fresh = false
	lines := w.table()
	if len(lines) != 2 || !strings.HasPrefix(lines[0].text, "NAME ") {
		t.Fatalf("got %q", lines)
	}
	if want := "peer-2  dead   1 of 1  0s     ended  http://127.0.0.1:9002/"; lines[1].text != want || lines[1].color != stateColors[hearsay.StateDead] {
		t.Errorf("got %q, want %q", lines[1], want)
	}

	w, _ = watching(tableRowsMax + 5)
	if lines := w.table(); len(lines) != tableRowsMax+2 || lines[tableRowsMax+1].text != "and 5 more" {
		t.Errorf("a long table ends in %q", lines[len(lines)-1])
	}
}

// The table stands under all lines, and is drawn only when it changes.
func TestScreen(t *testing.T) {
	out := new(strings.Builder)
	s := &screen{out: out, live: true}
	step := func(do func(), want string) {
		t.Helper()
		out.Reset()
		do()
		if out.String() != want {
			t.Errorf("wrote %q, want %q", out, want)
		}
	}
	table := wrapOff + "a\nb\n" + wrapOn
	lines := []tableLine{{"a", "red"}, {"b", ""}}
	step(func() { s.print("first\n") }, "first\n")
	step(func() { s.draw(lines) }, table)
	step(func() { s.draw(lines) }, "")
	step(func() { s.print("line\n") }, "\x1b[2A"+eraseDown+"line\n"+table)
	step(func() { s.draw(lines[:1]) }, "\x1b[2A"+eraseDown+wrapOff+"a\n"+wrapOn)
	s.colors = true
	step(func() { s.draw(lines[:1]) }, "\x1b[1A"+eraseDown+wrapOff+"reda"+colorOff+"\n"+wrapOn)
}

func TestIsTerminal(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, out := range []io.Writer{new(strings.Builder), null} {
		if nodelog.IsTerminal(out) {
			t.Errorf("%T is taken for a terminal", out)
		}
	}
}
