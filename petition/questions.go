package petition

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// maxQuestions is how many may be asked at a time. A guess: more than operators at one node.
const maxQuestions = 64

// noAnswer is what is told of a seed that has not answered in time.
const noAnswer = "no answer in time"

// question is what an operator asks through this node: that a stay be over. Another seed is asked until one of them
// knows.
type question struct {
	from  netip.AddrPort // where the answer goes
	stay  hearsay.Stay
	order []int           // seeds not asked yet
	seed  netip.AddrPort  // that is asked
	until time.Time       // it is waited for
	said  hearsay.Outcome // what the first that answered has said, or, if none did, why the first was not reached
}

// Ask asks the seeds, one after the other, that a stay be over, without evidence. What the first that knows answers, or
// else the first that answers, goes to an address by stream.
func (t *Petitions) Ask(now time.Time, from netip.AddrPort, stay hearsay.Stay) {
	q := question{from: from, stay: stay}
	if len(t.questions) >= maxQuestions {
		t.stats.Drops[hearsay.DropTableFull]++
		t.send(from, &core.Outcome{Outcome: hearsay.Outcome{Kind: hearsay.RulingRemove, Stay: stay, Code: hearsay.OutcomeWait, Text: "too much is asked at once; try again"}})
		return
	}
	q.order = t.random.Perm(len(t.seeds))
	t.questions = append(t.questions, q)
	t.askNext(now, len(t.questions)-1, &hearsay.Outcome{})
}

// askNext takes what a seed has said to a question, asks the next one if that does not know, and answers the question
// if it does, or there is no other.
func (t *Petitions) askNext(now time.Time, at int, said *hearsay.Outcome) {
	q := &t.questions[at]
	if q.said.Code == 0 || q.said.Code == hearsay.OutcomeLost && said.Code != hearsay.OutcomeLost {
		q.said = *said
	}
	switch knows := said.Code == hearsay.OutcomeDone || said.Code == hearsay.OutcomeRefused || said.Code == hearsay.OutcomePending; {
	case knows:
		q.said = *said
		fallthrough
	case len(q.order) == 0:
		t.send(q.from, &core.Outcome{Outcome: q.said})
		t.questions = slices.Delete(t.questions, at, at+1)
	default:
		q.seed, q.order, q.until = t.seeds[q.order[0]], q.order[1:], now.Add(t.cfg.Patience)
		t.send(q.seed, &core.Report{Stay: q.stay})
	}
}

// answerQuestions takes a seed's answer about a stay, and reports whether it was asked.
func (t *Petitions) answerQuestions(now time.Time, seed netip.AddrPort, m *hearsay.Outcome) (asked bool) {
	for i := len(t.questions) - 1; i >= 0; i-- {
		if q := &t.questions[i]; q.seed == seed && q.stay.ID == m.Stay.ID {
			t.askNext(now, i, m)
			asked = true
		}
	}
	return asked
}

// tickQuestions waits no longer for seeds that have not answered in time.
func (t *Petitions) tickQuestions(now time.Time) {
	for i := len(t.questions) - 1; i >= 0; i-- {
		if q := &t.questions[i]; !now.Before(q.until) {
			t.askNext(now, i, &hearsay.Outcome{Kind: hearsay.RulingRemove, Stay: q.stay, Code: hearsay.OutcomeLost, Text: noAnswer})
		}
	}
}
