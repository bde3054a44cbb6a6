package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"hearsay"
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
	below  int // lines of the table that stand
}

func newScreen(out io.Writer, plain bool) *screen {
	live := !plain && isTerminal(out)
	return &screen{out: out, live: live, colors: live && os.Getenv("NO_COLOR") == ""}
}

// isTerminal reports whether a person may be looking at what is written.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a character device too
	return err != nil || !os.SameFile(info, null)
}

// print prints text, which ends in a newline, above the table.
func (s *screen) print(text string) {
	io.WriteString(s.out, s.erase()+text)
}

// draw draws the table anew. table gives it as lines, each with its color.
func (s *screen) draw(table func() (lines, colors []string)) {
	if !s.live {
		return
	}
	lines, colors := table()
	var text strings.Builder
	text.WriteString(s.erase())
	text.WriteString(wrapOff)
	for i, line := range lines {
		if s.colors && colors[i] != "" {
			line = colors[i] + line + colorOff
		}
		text.WriteString(line + "\n")
	}
	text.WriteString(wrapOn)
	s.below = len(lines)
	io.WriteString(s.out, text.String())
}

// erase gives what takes the table away.
func (s *screen) erase() string {
	if s.below == 0 {
		return ""
	}
	erase := fmt.Sprintf(upLines, s.below) + eraseDown
	s.below = 0
	return erase
}

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

// table gives the table as lines, each with its color.
func (w *watch) table() (lines, colors []string) {
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
	colors = append(colors, "")
	for _, r := range rows {
		pid, page := "-", "-"
		if p := processes[r.member.ID]; p != nil {
			pid, page = fmt.Sprint(p.said.PID), pageURL(p.said.HTTP)
			if p.hasEnded() {
				pid = "ended" // one started again by hand is not ours
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%d of %d\t%s\t%s\t%s\n", r.member.Name, r.member.State, r.said, r.asked, ago(time.Since(r.member.Since)), pid, page)
		colors = append(colors, stateColors[r.member.State])
	}
	table.Flush()
	if hidden > 0 {
		fmt.Fprintf(&text, "and %d more\n", hidden)
		colors = append(colors, "")
	}
	return strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n"), colors
}
