package agent

import (
	"fmt"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/store"
)

// This file is about a data directory that is not where it was when it was used
// last: it is a copy, or was moved there. What it holds may be less than what was
// promised with it.

// takeUp looks where the data directory comes from. A peer may use any: it leaves out numbers and
// incarnations that it may have used since (packages rumor and roster).
func (a *Agent) takeUp(disk *store.Disk, records []core.Record) error {
	doubt := func(yes bool) error {
		if life := store.Doubt(records, yes); life != nil {
			return disk.Persist([]core.Record{life})
		}
		return nil
	}
	switch origin := disk.Origin(); {
	case len(records) == 0:
	case a.cfg.Newest || a.cfg.Quorum.Recover:
		if err := doubt(false); err != nil {
			return err
		}
	case a.cfg.Role == hearsay.RoleSeed && origin == store.OriginCopy:
		return fmt.Errorf("data directory %s: this is a copy of a seed's data directory, and may be older than what that seed has promised: "+
			"start with an empty one, or with --this-is-the-newest if it was moved here and is used nowhere else", a.cfg.Data)
	case a.cfg.Role == hearsay.RoleSeed:
		if origin == store.OriginTouched {
			a.cfg.Logger.Warn(touchedWords+". This seed asks the others what it has signed since, and takes no part until it knows", "data", a.cfg.Data)
		}
		if origin != store.OriginSame {
			if err := doubt(true); err != nil {
				return err
			}
		}
	case origin == store.OriginTouched:
		a.overwritten = true
		a.cfg.Logger.Warn(touchedWords+". This node leaves out what it may have said since", "data", a.cfg.Data)
	case origin == store.OriginCopy:
		a.copied = true
		a.cfg.Logger.Warn("The data directory is a copy or was moved. If the original is still in use, start this node with an empty one", "data", a.cfg.Data)
	}
	return disk.Adopt()
}

// touchedWords say of a data directory that it may be an older one.
const touchedWords = "Another program has changed the data directory since this node used it last: it may have been written over with an older copy"

// copiedMost is for how long after its start an agent on a copy tells so: two processes with one identity that reach
// each other, or members in common, have heard of each other long before that, and one has stopped. A guess.
const copiedMost = 2 * time.Minute

// copiedFor is for how long this agent has run on a copy, while another process may use the original; else 0.
func (a *Agent) copiedFor(now time.Time) time.Duration { return toldFor(now.Sub(a.started), a.copied) }

// toldFor is for how long an agent has run, while what it has found at its start is told; else 0.
func toldFor(up time.Duration, is bool) time.Duration {
	if is && up < copiedMost {
		return max(up, time.Nanosecond)
	}
	return 0
}

// aheadMost is how far an incarnation may be ahead without a word in the log. Earlier versions refuse what is further.
const aheadMost = 24 * time.Hour

// checkIncarnation warns that a data directory was used with a clock that was ahead. Incarnations only grow, so it
// stays so; it harms nothing but where others are of an earlier version, or where it is beyond what any clock shows.
func (c *Config) checkIncarnation(records []core.Record, now time.Time) error {
	last := hearsay.Incarnation(0)
	for _, r := range records {
		if own, is := r.(*core.OwnIncarnation); is {
			last = own.Incarnation
		}
	}
	if last >= hearsay.MaxIncarnation {
		return fmt.Errorf("data directory %s: its incarnation %d is beyond what others believe: start with an empty directory", c.Data, last)
	}
	if until := time.UnixMilli(int64(last)); until.Sub(now) > aheadMost {
		right := "update them"
		if c.Role == hearsay.RolePeer { // a seed that loses its directory loses its seat
			right += ", or start this node with an empty directory"
		}
		c.Logger.Warn("This data directory was used with a clock that was ahead, or this machine's clock is behind. That harms nothing, but that nodes of earlier versions refuse "+
			"this one until a day before that time: "+right, "data", c.Data, "until", until.UTC().Format(time.RFC3339))
	}
	return nil
}
