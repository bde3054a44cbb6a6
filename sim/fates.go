package sim

import (
	"encoding/json"
	"fmt"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Fate is what became of a machine that was killed, stopped or told to leave:
// how soon the others knew. Times are since it happened; 0 is never.
type Fate struct {
	Name      string
	Verb      Verb
	At        time.Duration // since the world began
	Suspected time.Duration // until the first other suspected it
	Found     time.Duration // until the first other held it dead, or left
	Known     time.Duration // until the last of Knowers did
	Knowers   int           // nodes that came to hold it so
}

// String tells it as a person would.
func (f *Fate) String() string {
	s := fmt.Sprintf("%s %s at %.3fs", f.Verb, f.Name, f.At.Seconds())
	if f.Suspected > 0 {
		s += fmt.Sprintf("; suspect after %s", short(f.Suspected))
	}
	if f.Knowers == 0 {
		return s
	}
	return s + fmt.Sprintf("; gone for the first after %s, for the last of %d after %s", short(f.Found), f.Knowers, short(f.Known))
}

// MarshalJSON gives the times in seconds.
func (f Fate) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name      string  `json:"name"`
		Verb      Verb    `json:"verb"`
		At        float64 `json:"at_s"`
		Suspected float64 `json:"suspected_after_s,omitzero"`
		Found     float64 `json:"found_after_s,omitzero"`
		Known     float64 `json:"known_after_s,omitzero"`
		Knowers   int     `json:"knowers"`
	}{f.Name, f.Verb, f.At.Seconds(), f.Suspected.Seconds(), f.Found.Seconds(), f.Known.Seconds(), f.Knowers})
}

// fates keeps them in the order in which they began.
type fates struct {
	all  []Fate
	last map[hearsay.NodeID]int // by subject, until it runs again
}

func newFates() fates { return fates{all: []Fate{}, last: make(map[hearsay.NodeID]int)} }

// began is told of a machine whose fate begins.
func (f *fates) began(m *machine, verb Verb, now time.Duration) {
	f.last[m.id] = len(f.all)
	f.all = append(f.all, Fate{Name: m.name, Verb: verb, At: now})
}

// ended is told of a machine that runs again: what comes now is another story.
func (f *fates) ended(m *machine) { delete(f.last, m.id) }

// stepped takes note of what one step of a node tells.
func (f *fates) stepped(e *core.Effects, now time.Duration) {
	for i := range e.Events {
		kind := e.Events[i].Kind
		switch kind {
		case hearsay.EventMemberSuspected, hearsay.EventMemberDead, hearsay.EventMemberRemoved, hearsay.EventMemberLeft:
		default:
			continue
		}
		at, known := f.last[e.Events[i].Subject]
		if !known {
			continue
		}
		one := &f.all[at]
		switch {
		case kind != hearsay.EventMemberSuspected:
			if one.Knowers++; one.Knowers == 1 {
				one.Found = now - one.At
			}
			one.Known = now - one.At
		case one.Suspected == 0:
			one.Suspected = now - one.At
		}
	}
}
