package detect

// Measured counts the members of whom something has been found out.
func (s *Swim) Measured() int { return len(s.peers) }
