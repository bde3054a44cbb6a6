package detect

// Measured counts the members of which something has been found out.
func (s *Swim) Measured() int { return len(s.measurements.list) }

// Examinations counts those that still wait for something.
func (s *Swim) Examinations() int { return len(s.examinations.list) }

// SuspectEach is suspectEach.
const SuspectEach = suspectEach

// Noted counts the members whose last probes only relays have answered.
func (s *Swim) Noted() int { return len(s.indirects.list) }
