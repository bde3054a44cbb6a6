package quorum

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"github.com/cockroachdb/datadriven"
)

// The stories in testdata/stories are worlds told from outside: each line is what the
// first seed to say it said. Run with -rewrite to tell them anew, and read
// them.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if s.world != nil {
				s.T = t
			}
			return s.carryOut(t, d)
		})
	})
}

type story struct {
	*world
	began time.Time
	said  map[string]bool
}

func (s *story) carryOut(t *testing.T, d *datadriven.TestData) string {
	if d.Cmd == "seeds" {
		n, seed := 0, 0
		d.ScanArgs(t, "n", &n)
		d.ScanArgs(t, "draw", &seed)
		s.world, s.said = newWorld(t, n, uint64(seed)), make(map[string]bool)
		s.log, s.began = &bytes.Buffer{}, s.Now
		s.Teller = s.line
		s.StartAll()
		s.Must(5*time.Second, "founded", s.agree)
		return s.told()
	}
	s.log.Reset()
	for _, line := range strings.Split(d.Input, "\n") {
		s.do(t, strings.Fields(line))
	}
	for _, arg := range d.CmdArgs {
		patience, err := time.ParseDuration(arg.Key)
		if err != nil {
			t.Fatal(err)
		}
		s.Run(patience)
	}
	return s.told()
}

func (s *story) told() string {
	if s.log.Len() == 0 {
		return "nothing is told\n"
	}
	return s.log.String()
}

// do carries out one line of a story.
func (s *story) do(t *testing.T, words []string) {
	if len(words) == 0 {
		return
	}
	n := -1
	if len(words) > 1 {
		n, _ = strconv.Atoi(strings.TrimLeft(words[1], "ps"))
	}
	switch words[0] {
	case "join":
		s.NewPerson()
	case "kill":
		s.People[n].Up = false
	case "restart":
		s.People[n].Up = true
	case "crash":
		s.Crash(s.Machines[n])
	case "start":
		s.Start(s.Machines[n])
	case "wipe":
		s.Wipe(s.Machines[n])
		s.Epochs[n] = 0
		s.Start(s.Machines[n])
	case "crash-leader":
		leader, _ := s.AnySeed().Q.Leader()
		s.Crash(s.Machines[leader])
		fmt.Fprintf(s.log, "%8.3f s%d led, and crashes\n", s.Now.Sub(s.began).Seconds(), leader)
	case "cut":
		s.Cut = func(from, to int) bool { return from == n || to == n }
	case "heal":
		s.Cut = nil
	case "report":
		m := s.Machines[0]
		s.Step(m, func() {
			a := m.Q.Report(s.Now, &Report{Stay: hearsay.Stay{ID: s.People[n].ID()}})
			fmt.Fprintf(s.log, "%8.3f answer: %d %s\n", s.Now.Sub(s.began).Seconds(), a.Code, a.Text)
		})
	case "leave":
		m := s.Machines[0]
		one, _ := m.Q.Member(s.People[n].ID())
		l := &core.Leave{Stay: one.Stay}
		l.Sign(m.Q.Ledger(), s.People[n].Key)
		s.People[n].Up = false
		s.Step(m, func() { m.Q.Leave(s.Now, l) })
	case "forge":
		s.forge(words[1], s.People[len(s.People)-1])
	default:
		t.Fatalf("no such thing: %v", words)
	}
}

// forge has somebody send or write what is not so.
func (s *story) forge(what string, about *person) {
	m := s.Machines[0]
	member, _ := m.Q.Member(about.ID())
	say := func(c hearsay.Outcome) {
		fmt.Fprintf(s.log, "%8.3f answer: %d %s\n", s.Now.Sub(s.began).Seconds(), c.Code, c.Text)
	}
	switch what {
	case "statements": // one observer signs for all
		e := s.Evidence(m, about, hearsay.VerdictUnreachable)
		for i := range e.Statements {
			e.Statements[i].Signature = hearsay.Signature{1}
		}
		s.Step(m, func() { say(m.Q.Report(s.Now, &Report{Stay: member.Stay, Evidence: e})) })
	case "leave":
		l := &core.Leave{Stay: member.Stay}
		l.Sign(m.Q.Ledger(), s.People[0].Key)
		s.Step(m, func() { say(m.Q.Leave(s.Now, l)) })
	case "claim":
		c := about.Claim()
		c.Incarnation++
		s.Step(m, func() { say(m.Q.Admit(s.Now, c)) })
		c.Subject = hearsay.NodeID{5}
		s.Step(m, func() { say(m.Q.Admit(s.Now, c)) })
	case "ballots": // a seed writes ballots of others into the log
		s.Step(m, func() {
			for _, c := range m.Q.state.Cases {
				for slot := range s.Machines {
					b := hearsay.Ballot{Case: c.ID, About: c.About, Stay: c.Stay(), Slot: uint8(slot), Life: m.Q.state.Seats[slot].Life, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}}
					b.Sign(m.Q.Ledger(), s.People[0].Key)
					m.Q.commits.propose(s.Now, ledger.Command{Op: ledger.OpBallot, Ballot: b})
				}
			}
		})
		s.Run(200 * time.Millisecond)
		fmt.Fprintf(s.log, "%8.3f dropped: %d bad signatures\n", s.Now.Sub(s.began).Seconds(), m.Drops[hearsay.DropBadSignature])
	case "raft": // a stranger speaks as a seed
		f := &core.Raft{Versions: ledger.Versions(), Slot: 1, Type: 3, To: m.Q.replica.id, From: m.Q.seats.known[1].id, Term: 1000, Founding: m.Q.founding}
		f.Sign(testNetwork, s.People[0].Key)
		s.Step(m, func() { m.Q.Receive(s.Now, &core.Packet{Body: f}) })
		fmt.Fprintf(s.log, "%8.3f dropped: %d bad signatures, term %d\n", s.Now.Sub(s.began).Seconds(), m.Drops[hearsay.DropBadSignature], m.Q.replica.node.BasicStatus().GetTerm())
	}
}

// line tells an event, if no seed has told it before.
func (s *story) line(m *machine, e hearsay.Event) {
	text := s.text(e)
	if text == "" || s.said[text] {
		return
	}
	switch e.Kind {
	case hearsay.EventQuorumLost, hearsay.EventQuorumBack, hearsay.EventQuorumHeard, hearsay.EventSeatTaken, hearsay.EventSeatWaiting:
		text = fmt.Sprintf("s%d: %s", m.Slot, text)
	default:
		s.said[text] = true
	}
	fmt.Fprintf(s.log, "%8.3f %s\n", s.Now.Sub(s.began).Seconds(), text)
}

func (s *story) text(e hearsay.Event) string {
	who := s.who(e.Subject)
	switch e.Kind {
	case hearsay.EventProbeWanted, hearsay.EventHead:
		return ""
	case hearsay.EventCaseOpened:
		text := fmt.Sprintf("case %d: %s %s, %d ballots needed", e.Case.Index(), e.Text, who, e.Count)
		if e.Evidence != nil {
			text += fmt.Sprintf(", %d of %d observers against it", e.Evidence.Against(), e.Evidence.Observers)
		}
		return text
	case hearsay.EventBallot:
		return fmt.Sprintf("case %d: %s says %v: %s", e.Case.Index(), s.who(e.By), e.Ballot.Verdict, e.Ballot.Why)
	case hearsay.EventRuled:
		var by []string
		for _, b := range e.Ruling.Ballots {
			by = append(by, fmt.Sprintf("s%d", b.Slot))
		}
		return fmt.Sprintf("epoch %d: %s %s, by %s", e.Epoch, e.Text, who, strings.Join(by, " "))
	case hearsay.EventCaseAborted:
		return fmt.Sprintf("case %d ends without a ruling: %s", e.Case.Index(), e.Text)
	case hearsay.EventCaseRefused:
		return fmt.Sprintf("no case about %s: %s", who, e.Text)
	case hearsay.EventQuorumBack, hearsay.EventQuorumHeard:
		return fmt.Sprintf("hears a quorum, %s leads", s.who(e.By))
	case hearsay.EventQuorumLost:
		return fmt.Sprintf("no quorum of %d", e.Count)
	case hearsay.EventSeatFounded:
		return fmt.Sprintf("founded by %s with %d seeds", who, e.Count)
	case hearsay.EventSeatTaken:
		return "takes its seat"
	case hearsay.EventSeatWaiting:
		return "waits for its seat: " + e.Text
	case hearsay.EventRosterProven:
		return fmt.Sprintf("a seed takes over epoch %d whole, %d members", e.Epoch, e.Count)
	}
	return e.Kind.String() + " " + e.Text
}

func (s *story) who(id hearsay.NodeID) string {
	for _, m := range s.Machines {
		if m.Signer.Public().NodeID() == id {
			return fmt.Sprintf("s%d", m.Slot)
		}
	}
	if at := slices.IndexFunc(s.People, func(p *person) bool { return p.ID() == id }); at >= 0 {
		return fmt.Sprintf("p%d", at)
	}
	return "somebody else"
}
