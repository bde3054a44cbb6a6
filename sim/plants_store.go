package sim

import (
	"slices"

	"hearsay/clock"
	"hearsay/internal/core"
)

// This file is the planted bugs of the store.

// ofStore reports whether a rule is about the store: only plants that break such a one need worlds in which clients
// write.
func (r Rule) ofStore() bool { return RuleWritten <= r && r <= RuleTraffic }

// loseValue has a disk without the last value that is on it.
func loseValue(_ *World, _ *machine, records []core.Record) []core.Record {
	for i, record := range slices.Backward(records) {
		if _, is := record.(*core.KeptObject); is {
			return slices.Delete(records, i, i+1)
		}
	}
	return records
}

// loseWriter has a disk without what its node keeps of its own writes.
func loseWriter(_ *World, _ *machine, records []core.Record) []core.Record {
	return slices.DeleteFunc(records, func(r core.Record) bool { _, is := r.(*core.KeptStore); return is })
}

func replaceAll(_ *World, m *machine, p *core.Packet) bool {
	body, is := p.Body.(*core.Update)
	if !is || len(body.Objects) != 1 || m.node.Gossip().Replica() == nil {
		return true
	}
	for _, o := range allOf(m) {
		if o.Key == body.Objects[0].Key && o.Dot != body.Objects[0].Dot && !slices.Contains(body.Gone, o.Dot) {
			body.Gone = append(body.Gone, o.Dot)
		}
	}
	slices.SortFunc(body.Gone, core.CompareDots)
	return true
}

func changeValues(_ *World, m *machine, e *core.Effects) {
	for i := range e.Now {
		if body, is := e.Now[i].Body.(*core.Update); is && len(body.Objects) > 0 {
			changed := *body
			changed.Objects = slices.Clone(body.Objects)
			changed.Objects[0].Value = append([]byte{'X'}, changed.Objects[0].Value...)
			e.Now[i].Body = &changed
		}
	}
}

// mixParts begins a value that came in parts with a part of the one that came so before.
func mixParts(w *World, m *machine, e *core.Effects) {
	for _, record := range e.Persist {
		kept, is := record.(*core.KeptObject)
		if part := w.config.Store.Part; is && !kept.Gone && len(kept.Object.Value) > part && kept.Object.Dot.Origin != w.check.written.stocks[m.index].origin {
			if before := w.dropped[m.index]; before != nil {
				kept.Object.Value = append(slices.Clone(before.Value[:part]), kept.Object.Value[part:]...)
			}
			w.dropped[m.index] = kept.Object
		}
	}
}

// keepDeleted puts a value that has gone beside the next one that comes.
func keepDeleted(w *World, m *machine, e *core.Effects) {
	for _, record := range e.Persist {
		kept, is := record.(*core.KeptObject)
		switch {
		case !is:
		case kept.Gone:
			w.dropped[m.index] = kept.Object
		case w.dropped[m.index] != nil && w.dropped[m.index].Key != kept.Object.Key:
			e.Persist = append(e.Persist, &core.KeptObject{Object: w.dropped[m.index]})
			delete(w.dropped, m.index)
			return
		}
	}
}

func halveBatches(_ *World, _ *machine, p *core.Packet) bool {
	if body, is := p.Body.(*core.Update); is && len(body.Objects) > 1 {
		body.Objects = body.Objects[:1]
		body.Objects[0].Last = body.Objects[0].First
	}
	return true
}

func ignoreExchanges(_ *World, _ *machine, p *core.Packet) bool {
	_, is := p.Body.(*core.Sync)
	return !is
}

// hideClock has one that asks look as if it had seen nothing, but for the first number of each writer.
func hideClock(_ *World, m *machine, p *core.Packet) bool {
	body, is := p.Body.(*core.Sync)
	if !is || !body.Asks || len(body.Live) > 0 {
		return true
	}
	for i := range body.Clock {
		first := body.Clock[i].Seen[0].Low
		body.Clock[i].Seen = []clock.Range{{Low: first, High: first}}
	}
	return true
}
