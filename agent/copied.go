package agent

import (
	"fmt"

	"hearsay"
	"hearsay/store"
)

// This file is about a data directory that is not where it was when it was used
// last: it is a copy, or was moved there. What it holds may be less than what was
// promised with it.

// takeUp looks where the data directory comes from. A peer may use any: it leaves out numbers and
// incarnations that it may have used since (packages rumor and roster).
func (a *Agent) takeUp(disk *store.Disk, records []hearsay.Record) error {
	doubt := func(yes bool) error {
		if life := store.Doubt(records, yes); life != nil {
			return disk.Persist([]hearsay.Record{life})
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
		if origin == store.OriginUnknown {
			if err := doubt(true); err != nil {
				return err
			}
		}
	case origin == store.OriginCopy:
		a.cfg.Logger.Warn("The data directory is a copy or was moved. If the original is still in use, start this node with an empty one", "data", a.cfg.Data)
	}
	return disk.Adopt()
}
