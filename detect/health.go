package detect

import "time"

// health is how well this node holds itself to be (Lifeguard, section IV.A), from 0 to Config.HealthMax, the worst.
type health struct {
	*shared
	score     int
	lateUntil time.Time // until then this node accuses nobody
}

// isLate reports whether this node was paused or starved a moment ago.
func (h *health) isLate(now time.Time) bool { return now.Before(h.lateUntil) }

// Unwell reports whether this node should doubt itself rather than others.
func (h *health) Unwell(now time.Time) bool { return h.isLate(now) || h.score > h.cfg.HealthMax/2 }

// Worsen lowers this node's trust in itself by one point (Lifeguard, table I).
func (h *health) Worsen() { h.score = min(h.cfg.HealthMax, h.score+1) }

// improve raises it by one point.
func (h *health) improve() { h.score = max(0, h.score-1) }

// Doubt lowers it because others doubt this node, but never so far that it is unwell: else a node that accuses
// everybody would silence all observers.
func (h *health) Doubt() {
	if h.score < h.cfg.HealthMax/2 {
		h.Worsen()
	}
}

// Health is the local health score: 0 is well.
func (h *health) Health() int { return h.score }
