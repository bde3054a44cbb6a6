package spread

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/kv"
	"hearsay/quota"
)

// This file fetches what is too long for a message of an exchange, a part at a time: one record at a time in all, so
// that what has come of it takes no more memory than that, whatever others announce. What the one that announced it
// does not send in time is asked of the next one that announces the same, from where it ended.

// fetchesMost is how often a part is asked for of one node. A guess: a stream that broke is opened again at the second
const fetchesMost = 3

// announced begins to fetch what a message announces, unless something is fetched from another.
func (s *Store) announced(now time.Time, p *core.Packet, m *core.Sync, busy bool) {
	if busy && s.gathered != nil {
		s.stats.Drops[hearsay.DropTableFull]++ // it is asked later
		return
	}
	g, refused := s.replica.Gather(m)
	s.took(now, &kv.Result{Refused: refused})
	switch {
	case g == nil && p.From == s.from:
		s.ended(now)
		return
	case g == nil:
		return
	case s.gathered == nil || !s.gathered.Follow(g):
		s.gathered = g
	}
	s.from, s.gained = p.From, true
	s.fetch(now, p)
}

// fetch asks for the next part.
func (s *Store) fetch(now time.Time, p *core.Packet) {
	s.until, s.fetches = now.Add(s.trips(answerIn, 4)), 1
	s.out.Send = append(s.out.Send, p.Reply(s.gathered.Fetch()))
}

// fetchAgain asks again for a part that has not come in time, and reports whether it does.
func (s *Store) fetchAgain(now time.Time) bool {
	addr, living := s.directory.Addr(s.from)
	if s.gathered == nil || s.fetches >= fetchesMost || !living {
		return false
	}
	s.until, s.fetches = now.Add(s.trips(answerIn, 4)), s.fetches+1
	s.out.Send = append(s.out.Send, core.Packet{Addr: addr, Stream: true, Body: s.gathered.Fetch()})
	return true
}

// Fetch answers a question for a part.
func (s *Store) Fetch(now time.Time, p *core.Packet, f *core.Fetch) {
	if s.may(now, p) {
		s.out.Send = append(s.out.Send, p.Reply(s.replica.Part(f)))
	}
}

// Part takes a part that was asked for. With the last one it gives the message that announced the values, which is
// taken now.
func (s *Store) Part(now time.Time, p *core.Packet, part *core.Part) *core.Sync {
	g := s.gathered
	stranger := s.directory.Sender(p).Class == quota.Stranger
	if g == nil || p.From != s.from || stranger || !p.Stream || !now.Before(s.until) || !g.Fits(part) {
		s.stats.Drops[hearsay.DropUnexpected]++
		return nil
	}
	switch {
	case len(part.Bytes) == 0: // it was replaced meanwhile: perhaps there is a newer one
		s.gathered, s.until = nil, now.Add(s.trips(answerIn, 4))
		s.out.Send = append(s.out.Send, p.Reply(s.replica.Ask(g.Message().Of...)))
	case !g.Add(part.Bytes):
		s.stats.Drops[hearsay.DropMalformed]++
		s.gathered, s.gained = nil, false
		s.ended(now)
	case !g.Whole():
		s.fetch(now, p)
	default:
		s.gathered, s.until = nil, now.Add(s.trips(answerIn, 4))
		result := s.replica.Gathered(now, g, s.cfg.Give)
		s.synced(now, p, g.Message(), &result)
		return g.Message()
	}
	return nil
}
