package quorum

import (
	"fmt"
	"net/netip"

	"hearsay/internal/core"
	"hearsay/ledger"
)

// relisted keeps the list of now, and says why this seed cannot go on with it; nil: it can.
func (ss *seats) relisted(life *core.SeedLife) error {
	other := life.Config != ss.seed.cfg.hash()
	if other && !ss.seed.cfg.Recover {
		if err := ss.replaces(life.List); err != nil {
			return err
		}
	}
	if other || len(life.List) == 0 { // earlier versions did not keep it
		ss.seed.records.keepLife()
	}
	return nil
}

// replaces says why this seed cannot go on with another list than the one that its data directory
// belongs to; nil: it can. A seed may be replaced by one at another address, by a list that is
// edited and read by one seed after the other: that names fewer new addresses than are a quorum,
// and all others, this seed's own too, in their slots. Who sits in a slot stays a matter of
// rulings: the new one gets the seat as one does that has lost its disk.
func (ss *seats) replaces(old []netip.AddrPort) error {
	const otherwise = "use the old list, or begin anew with `hearsay seed recover`"
	now := ledger.Addrs(ss.seed.cfg.Seeds)
	switch {
	case len(old) == 0:
		return fmt.Errorf("seeds: the list is another than the one that this data directory belongs to: %s", otherwise)
	case len(now) != len(old):
		return fmt.Errorf("seeds: the list has %d seeds, and this data directory belongs to one of %d: %s", len(now), len(old), otherwise)
	}
	moved, other := 0, 0 // slots
	for slot := range now {
		if now[slot] == old[slot] {
			continue
		}
		other++
		for _, addr := range old {
			if addr == now[slot] {
				moved++
			}
		}
	}
	switch {
	case moved > 0:
		return fmt.Errorf("seeds: in the list, which is in the order of addresses, %d seeds have another place than in the one that this data directory belongs to: "+
			"a new address must come where that of the seed came which it replaces; want such a one, or %s", moved, otherwise)
	case len(now)-other < ss.seed.Needed():
		return fmt.Errorf("seeds: the list has %d other addresses than the one that this data directory belongs to, and so no quorum of its seeds: "+
			"replace one seed after the other, or %s", other, otherwise)
	}
	return nil
}
