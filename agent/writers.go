package agent

import (
	"time"

	"hearsay/kv"
)

// writerDigits is how many hexadecimal digits of a NodeID an origin of the store has.
const writerDigits = 2 * len(kv.Writer{})

// Writers gives how far this node has seen the writes of each writer of the store: the highest number, added up over
// the lives of its data directory. A writer is called by its name if it is a member, else by the first 20 hexadecimal
// digits of its NodeID.
func (a *Agent) Writers() (map[string]uint64, error) {
	seen := make(map[string]uint64) // by these digits
	err := a.replica(func(r *kv.Replica, _ time.Time) {
		for _, origin := range r.Seen().Origins() {
			ranges := r.Seen().Of(origin)
			seen[origin.String()[:writerDigits]] += ranges[len(ranges)-1].High
		}
	})
	if err != nil {
		return nil, err
	}
	writers := make(map[string]uint64)
	for _, m := range a.Members() {
		digits := m.ID.String()[:writerDigits]
		if number, writes := seen[digits]; writes {
			writers[m.Name] += number // several members may have one name
			delete(seen, digits)
		}
	}
	for digits, number := range seen {
		writers[digits] += number
	}
	return writers, nil
}
