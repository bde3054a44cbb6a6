package spread

import (
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/kv"
)

// changed has a change be durable, and tells what it is.
func (s *Store) changed(now time.Time, change *kv.Change) {
	if change.Reserved == 0 && len(change.Live)+len(change.Gone)+len(change.Clock)+len(change.Over) == 0 {
		return
	}
	if len(change.Live)+len(change.Gone)+len(change.Clock) > 0 {
		s.news = now
		s.vain = slices.DeleteFunc(s.vain, func(v vain) bool { return !v.mute }) // they may differ otherwise now
		if s.cfg.CompareEvery > 0 && s.turnAt.IsZero() {
			s.turnAt = now.Add(s.cfg.CompareEvery)
		}
	}
	s.persist(change)
	if s.watched {
		s.tell(now, change)
	}
}

// changedBy has a change be durable, and passes on the updates that made it.
func (s *Store) changedBy(now time.Time, updates []*core.Update, change *kv.Change) {
	s.changed(now, change)
	for _, update := range updates {
		s.pass(update, s.self)
	}
}

// persist makes the records of a change.
func (s *Store) persist(change *kv.Change) {
	if change.Reserved > 0 {
		s.reserved = change.Reserved
	}
	if change.Reserved > 0 || !s.kept {
		s.keepOwn()
	}
	for _, o := range change.Gone {
		s.out.Persist = append(s.out.Persist, &core.KeptObject{Object: o, Gone: true})
	}
	for _, o := range change.Live {
		s.out.Persist = append(s.out.Persist, &core.KeptObject{Object: o})
	}
	for _, id := range change.Clock {
		s.out.Persist = append(s.out.Persist, &core.KeptSeen{Origin: id, Ranges: slices.Clone(s.replica.Seen().Of(id))})
	}
	for _, id := range change.Over {
		over, is := s.replica.Over(id)
		s.out.Persist = append(s.out.Persist, &core.KeptOver{Origin: id, Since: over.Since.UnixMilli(), Seen: over.Seen, Gone: !is})
	}
}

// keepOwn keeps what is known of this node's own writes.
func (s *Store) keepOwn() {
	s.kept = true
	s.out.Persist = append(s.out.Persist, &core.KeptStore{Origin: s.origin, Reserved: s.reserved})
}

// tell makes an event of each key that a change touches, as it is now.
func (s *Store) tell(now time.Time, change *kv.Change) {
	var keys []string
	for _, list := range [][]*core.Object{change.Live, change.Gone} {
		for _, o := range list {
			if o.Expires == 0 || o.Expires > now.UnixMilli() { // else that was told when its time was over: see Ended
				keys = append(keys, o.Key)
			}
		}
	}
	s.tellKeys(now, keys)
}

// Ended tells of the values whose time was over after one time and up to now, or as far as it gives.
func (s *Store) Ended(after, now time.Time) (upto time.Time) {
	var keys []string
	if s.watched {
		keys, upto = s.replica.Ended(after, now)
		s.tellKeys(now, keys)
		return upto
	}
	return now
}

func (s *Store) tellKeys(now time.Time, keys []string) {
	slices.SortFunc(keys, strings.Compare)
	for _, key := range slices.Compact(keys) {
		c := &hearsay.KeyChange{Key: key, Context: s.replica.Context(now, key)}
		if values := s.replica.Siblings(now, key, nil); len(values) > 0 {
			c.Value, c.Siblings = values[0].Value, len(values)
		}
		s.out.Events = append(s.out.Events, hearsay.Event{At: now, Kind: hearsay.EventKeyChanged, Text: key, Change: c})
	}
}
