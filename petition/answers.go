package petition

import (
	"net/netip"
	"time"

	"hearsay"
)

// Answer is what a seed has last answered when it was asked for admission.
type Answer struct {
	Seed netip.AddrPort
	At   time.Time           // zero: it was not asked, or its answer is awaited yet
	Code hearsay.OutcomeCode // 0: it did not answer in time
	Text string
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

// noteAnswer keeps what a seed has said, also if that came late.
func (t *Petitions) noteAnswer(now time.Time, seed netip.AddrPort, code hearsay.OutcomeCode, text string) {
	for i := range t.answers {
		if t.answers[i].Seed == seed {
			t.answers[i].At, t.answers[i].Code, t.answers[i].Text = now, code, text
		}
	}
}
