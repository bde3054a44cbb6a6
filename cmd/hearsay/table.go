package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearsay"
	"hearsay/nodelog"
)

// tableRowsMax is how many members the table shows: one of more lines than
// the screen could not be redrawn in place.
const tableRowsMax = 16

// What a terminal understands (ECMA-48, and DEC private mode 7).
const (
	wrapOff   = "\x1b[?7l"
	wrapOn    = "\x1b[?7h"
	eraseDown = "\x1b[J"
	upLines   = "\x1b[%dA"
	colorOff  = "\x1b[0m"
)

var stateColors = map[hearsay.State]string{
	hearsay.StateSuspect: "\x1b[33m", hearsay.StateDead: "\x1b[31m", hearsay.StateLeft: "\x1b[2m",
}

// screen prints lines; on a terminal it keeps a table under them.
type screen struct {
	out    io.Writer
	live   bool // a table is kept
	colors bool
	table  string // as it stands under the lines, one member a line
}

func newScreen(out io.Writer, bare bool) *screen {
	live := !bare && nodelog.IsTerminal(out)
	return &screen{out: nodelog.Terminal(out), live: live, colors: live && os.Getenv("NO_COLOR") == ""}
}

// print prints text, which ends in a newline, above the table.
func (s *screen) print(text string) {
	io.WriteString(s.out, s.erase()+nodelog.Plain(text)+s.table)
}

// draw draws the table anew, if it is another than stands there. It is for a
// live screen.
func (s *screen) draw(lines []tableLine) {
	var table strings.Builder
	table.WriteString(wrapOff)
	for _, line := range lines {
		line.text = nodelog.InOneLine(line.text)
		if s.colors && line.color != "" {
			line.text = line.color + line.text + colorOff
		}
		table.WriteString(line.text + "\n")
	}
	table.WriteString(wrapOn)
	if table.String() != s.table {
		erase := s.erase()
		s.table = table.String()
		io.WriteString(s.out, erase+s.table)
	}
}

// erase gives what takes the table away.
func (s *screen) erase() string {
	if s.table == "" {
		return ""
	}
	return fmt.Sprintf(upLines, strings.Count(s.table, "\n")) + eraseDown
}

// tableLine is one line of the table, with the sequence that colors it.
type tableLine struct{ text, color string }

// row is what the nodes together say of one member.
type row struct {
	member hearsay.Member // in the state that most of the others say, as one of them says it
	said   int            // how many of the others say so
	asked  int            // how many others were asked and know the member
}

// rows gives what the nodes say of each member, by name. What a node says of
// itself does not count.
func (w *watch) rows() []row {
	byState := make(map[hearsay.NodeID]map[hearsay.State]*row)
	for i, v := range w.views {
		if !v.fresh {
			continue
		}
		for _, m := range v.members {
			if m.ID == w.network.nodes[i].said.ID {
				continue
			}
			if byState[m.ID] == nil {
				byState[m.ID] = make(map[hearsay.State]*row)
			}
			if byState[m.ID][m.State] == nil {
				byState[m.ID][m.State] = &row{member: m}
			}
			byState[m.ID][m.State].said++
		}
	}
	var rows []row
	for _, states := range byState {
		asked := 0
		for _, r := range states {
			asked += r.said
		}
		most := slices.MaxFunc(slices.Collect(maps.Values(states)), func(a, b *row) int {
			return cmp.Or(cmp.Compare(a.said, b.said), cmp.Compare(a.member.State, b.member.State))
		})
		most.asked = asked
		rows = append(rows, *most)
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(len(a.member.Name), len(b.member.Name)), // peer-2 before peer-10
			cmp.Compare(a.member.Name, b.member.Name), a.member.ID.Compare(b.member.ID))
	})
	return rows
}

// table gives the table of all members.
func (w *watch) table() []tableLine {
	processes := make(map[hearsay.NodeID]*process)
	for _, p := range w.network.nodes {
		processes[p.said.ID] = p
	}
	rows := w.rows()
	hidden := max(0, len(rows)-tableRowsMax)
	if hidden > 0 { // rather those that are alive
		slices.SortStableFunc(rows, func(a, b row) int { return -cmp.Compare(a.member.State, b.member.State) })
		rows = rows[:tableRowsMax]
	}
	var text strings.Builder
	table := newTable(&text)
	fmt.Fprintln(table, "NAME\tSTATE\tSAY\tSINCE\tPID\tPAGE")
	for _, r := range rows {
		pid, page := "-", "-" // of a member that is not ours
		if p := processes[r.member.ID]; p != nil {
			pid, page = strconv.Itoa(p.said.PID), pageURL(p.said.HTTP)
			if p.hasEnded() {
				pid = "ended"
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%d of %d\t%s\t%s\t%s\n", nameOf(r.member.Name, r.member.ID), standing(&r.member, time.Now()), r.said, r.asked, ago(time.Since(r.member.Since)), pid, page)
	}
	table.Flush()
	var lines []tableLine
	for i, line := range strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n") {
		color := ""
		if i > 0 {
			color = stateColors[rows[i-1].member.State]
		}
		lines = append(lines, tableLine{line, color})
	}
	if hidden > 0 {
		lines = append(lines, tableLine{fmt.Sprintf("and %d more", hidden), ""})
	}
	return lines
}
