package petition

import (
	"net/netip"
	"time"

	"hearsay"
)

// Answer is what a seed has last answered when it was asked for admission.
type Answer struct {
	Seed   netip.AddrPort
	At     time.Time           // zero: it was not asked, or its answer is awaited yet
	Since  time.Time           // it has answered the same
	Code   hearsay.OutcomeCode // 0: it did not answer in time
	Text   string              // why it is not done
	Reason hearsay.Reason      // of a refusal
}

// Answers gives each seed's last answer since this node asks for admission, in
// the order of the configuration. It is read only, and as it is until the next
// step.
func (t *Petitions) Answers() []Answer { return t.answers }

// forgetAnswers begins anew: what was said before is about an earlier stay.
func (t *Petitions) forgetAnswers() {
	for i := range t.answers {
		t.answers[i] = Answer{Seed: t.seeds[i]}
	}
}

// noteAnswer keeps what a seed has said, also if that came late, and tells of it if it is another answer than before:
// a node that cannot follow the ledger asks again every second.
func (t *Petitions) noteAnswer(now time.Time, seed netip.AddrPort, said *hearsay.Outcome) {
	for i := range t.answers {
		a := &t.answers[i]
		if a.Seed != seed {
			continue
		}
		since := a.Since
		if a.At.IsZero() || a.Code != said.Code || a.Text != said.Text {
			since = now
			t.out.Events = append(t.out.Events, hearsay.Event{At: now, Kind: hearsay.EventSeedAnswered, Addr: seed, Outcome: said.Code, Text: said.Text})
		}
		*a = Answer{seed, now, since, said.Code, said.Text, said.Reason}
	}
}
