package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"hearsay"
)

const (
	followEvery = 500 * time.Millisecond // a node that does not answer is followed anew
	viewEvery   = 200 * time.Millisecond // a node's members are asked for at most this often
	redrawEvery = time.Second            // the table shows how long ago something was
	toldMax     = 4096                   // things told that are remembered, so that none is told twice
)

// watch tells what happens in the network of one `up`: what the nodes say,
// each thing once, and which processes end.
type watch struct {
	network *network
	screen  *screen
	json    bool
	began   time.Time // what happened before is not told
	told    map[toldKey]bool
	views   []view // by node
	agreed  map[hearsay.NodeID]hearsay.State
}

// view is what one node says of all members.
type view struct {
	members []hearsay.Member
	fresh   bool // false once the node does not answer
}

// toldKey tells events apart that several nodes tell: each is told once.
type toldKey struct {
	kind        hearsay.EventKind
	subject     hearsay.NodeID
	incarnation hearsay.Incarnation
	epoch       hearsay.Epoch
	by          string // of what each node tells for itself
	at          int64
}

// heard is an event that a node told.
type heard struct {
	from  int // node
	event hearsay.Event
	text  []byte // the event as it came
}

// report is what a node answered when it was asked for its members.
type report struct {
	from int
	view view
}

func newWatch(n *network, o *upOptions, out io.Writer) *watch {
	return &watch{
		network: n, screen: newScreen(out, o.json), json: o.json, began: time.Now(),
		told: make(map[toldKey]bool), views: make([]view, len(n.nodes)), agreed: make(map[hearsay.NodeID]hearsay.State),
	}
}

// ready says where the nodes are and how to start each again.
func (w *watch) ready() {
	if w.json {
		type node struct {
			readyLine
			Event string `json:"event,omitempty"` // hides readyLine's
			Data  string `json:"data"`
			Start string `json:"start"` // the command line that starts it again
		}
		var nodes []node
		for _, p := range w.network.nodes {
			nodes = append(nodes, node{readyLine: p.said, Data: p.dir, Start: p.again})
		}
		w.screen.print(jsonLine(struct {
			Event string `json:"event"`
			Nodes []node `json:"nodes"`
		}{"ready", nodes}))
		return
	}
	var text strings.Builder
	table := newTable(&text)
	fmt.Fprintln(table, "NAME\tPAGE\tADDRESS\tPID")
	for _, p := range w.network.nodes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\n", p.name, pageURL(p.said.HTTP), p.said.Addr, p.said.PID)
	}
	table.Flush()
	if node := "http://" + w.network.nodes[0].said.HTTP; node != defaultNode {
		fmt.Fprintf(&text, "\nexport %s=%s   # so that the commands ask this network\n", nodeEnv, node)
	}
	text.WriteString("\nTry kill -9, or kill -STOP and kill -CONT, on a pid. What starts each again:\n")
	for _, p := range w.network.nodes {
		fmt.Fprintf(&text, "  %s\n", p.again)
	}
	if builtToRun(w.network.self) {
		text.WriteString("(hearsay is the program that `go install ./cmd/hearsay` makes; the one that runs here goes away with `go run`.)\n")
	}
	if w.network.reaper.Dir != "" {
		fmt.Fprintf(&text, "All their data is in %s and is removed at the end.\n", w.network.dir)
	}
	w.screen.print(text.String())
}

// run tells what happens until the context ends.
func (w *watch) run(ctx context.Context) {
	events := make(chan heard)
	reports := make(chan report)
	ended := make(chan int)
	for i, p := range w.network.nodes {
		go watchNode(ctx, i, p, events, reports)
		go func() {
			select {
			case <-p.ended:
				send(ctx, ended, i)
			case <-ctx.Done():
			}
		}()
	}
	redraw := time.NewTicker(redrawEvery)
	defer redraw.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			w.tell(&e)
		case r := <-reports:
			w.views[r.from] = r.view
			w.tellAgreed()
		case i := <-ended:
			w.views[i] = view{}
			w.tellEnded(w.network.nodes[i])
		case <-redraw.C:
		}
		if w.screen.live {
			w.screen.draw(w.table())
		}
	}
}

// watchNode follows one node: its events, and after each what it says of all
// members.
func watchNode(ctx context.Context, i int, p *process, events chan<- heard, reports chan<- report) {
	changed := make(chan struct{}, 1) // something happened since the members were asked for
	change := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	go func() {
		for {
			select {
			case <-changed:
				answer, err := p.client.Members(ctx)
				send(ctx, reports, report{i, view{answer.Value.Members, err == nil}})
				pause(ctx, viewEvery)
			case <-ctx.Done():
				return
			}
		}
	}()
	change()
	for ctx.Err() == nil { // the node may not answer at all at first
		for s, err := range p.client.Follow(ctx, func(error) { change() }) {
			var event hearsay.Event
			if err != nil || s.Name != "" || json.Unmarshal(s.Data, &event) != nil {
				change()
				continue
			}
			switch event.Kind {
			case hearsay.EventRumor, hearsay.EventLinked, hearsay.EventUnlinked:
				continue // frequent, and of no member's state
			}
			change()
			send(ctx, events, heard{i, event, s.Data})
		}
		pause(ctx, followEvery)
	}
}

// pause waits, but not beyond the context.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// send sends, but not beyond the context.
func send[T any](ctx context.Context, to chan<- T, value T) {
	select {
	case to <- value:
	case <-ctx.Done():
	}
}

// tell tells an event that is about members, once.
func (w *watch) tell(h *heard) {
	switch h.event.Kind {
	case hearsay.EventMemberJoined, hearsay.EventMemberReturned, hearsay.EventMemberMoved, hearsay.EventMemberSuspected,
		hearsay.EventMemberDead, hearsay.EventMemberRemoved, hearsay.EventMemberLeft, hearsay.EventLeaveFailed, hearsay.EventNameConflict,
		hearsay.EventRuled, hearsay.EventCaseAborted, hearsay.EventBarred, hearsay.EventLifted, hearsay.EventQuorumLost, hearsay.EventQuorumBack, hearsay.EventQuorumHeard,
		hearsay.EventLastQuorum, hearsay.EventQuorumSpare:
	default:
		return
	}
	key := toldKey{kind: h.event.Kind, subject: h.event.Subject, incarnation: h.event.Incarnation, epoch: h.event.Epoch}
	switch h.event.Kind {
	case hearsay.EventQuorumLost, hearsay.EventQuorumBack, hearsay.EventQuorumHeard, hearsay.EventLastQuorum, hearsay.EventQuorumSpare:
		// of itself, each time
		key.by, key.at = w.network.nodes[h.from].name, h.event.At.UnixNano()
	}
	if h.event.At.Before(w.began) || w.told[key] {
		return
	}
	if len(w.told) >= toldMax {
		clear(w.told)
	}
	w.told[key] = true
	by := w.network.nodes[h.from].name
	w.say(h.event.At, struct {
		Event string          `json:"event"`
		By    string          `json:"by"`
		Told  json.RawMessage `json:"told"`
	}{"told", by, h.text}, "%s (told by %s)", eventLine(&h.event), by)
}

// tellAgreed tells of members that all others have come to agree about.
func (w *watch) tellAgreed() {
	for _, row := range w.rows() {
		if row.said < row.asked || row.asked == 0 || w.agreed[row.member.ID] == row.member.State {
			continue
		}
		before := w.agreed[row.member.ID]
		w.agreed[row.member.ID] = row.member.State
		if before == 0 && row.member.State == hearsay.StateAlive {
			continue // so it was from the beginning
		}
		w.say(time.Now(), struct {
			Event string        `json:"event"`
			Name  string        `json:"name"`
			State hearsay.State `json:"state"`
			By    int           `json:"by"`
		}{"agreed", row.member.Name, row.member.State, row.said}, "%s is %s, say all others (%d)", nameOf(row.member.Name, row.member.ID), row.member.State, row.said)
	}
}

// tellEnded tells that a process has ended, and what starts it again.
func (w *watch) tellEnded(p *process) {
	w.say(time.Now(), struct {
		Event string `json:"event"`
		Name  string `json:"name"`
		PID   int    `json:"pid"`
		How   string `json:"how"`
		Start string `json:"start"`
	}{"ended", p.name, p.said.PID, p.how(), p.again}, "%s (pid %d) ended: %s; what starts it again:\n  %s", p.name, p.said.PID, p.how(), p.again)
}

// say prints something that happened: as JSON, or in words.
func (w *watch) say(at time.Time, line any, format string, args ...any) {
	if w.json {
		w.screen.print(jsonLine(line))
		return
	}
	w.screen.print(clockTime(at, time.Now()) + " " + fmt.Sprintf(format, args...) + "\n")
}

// jsonLine gives a value that this program made as a line of JSON.
func jsonLine[T any](value T) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // words and numbers
	}
	return string(text) + "\n"
}
