package detect

// Measured counts the members of which something has been found out.
func (s *Detector) Measured() int { return len(s.measurements.list) }

// Examinations counts those that still wait for something.
func (s *Detector) Examinations() int { return len(s.examinations.list) }

// SuspectEach is suspectEach.
const SuspectEach = suspectEach

// Noted counts the members whose last probes only relays have answered.
func (s *Detector) Noted() int { return len(s.indirects.list) }
