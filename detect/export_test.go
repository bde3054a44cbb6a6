package detect

// Measured counts the members of which something has been found out.
func (s *Swim) Measured() int { return len(s.peers) }

// Examinations counts those that still wait for something.
func (s *Swim) Examinations() int { return len(s.examinations) }

// SuspectEach is suspectEach.
const SuspectEach = suspectEach
