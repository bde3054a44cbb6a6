package store

import (
	"slices"
	"testing"

	"hearsay"
	"hearsay/internal/core"
)

func TestRulings(t *testing.T) {
	disk, err := Open(t.TempDir(), "n")
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	var records []core.Record
	for _, epoch := range []hearsay.Epoch{1, 2, 3, 4, 300, 301} {
		records = append(records, &core.KeptRuling{Ruling: &hearsay.Ruling{Epoch: epoch, Kind: hearsay.RulingLeave}})
	}
	if err := disk.Persist(records); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after hearsay.Epoch
		limit int
		want  []hearsay.Epoch
	}{
		{0, 10, []hearsay.Epoch{1, 2, 3, 4}},
		{1, 2, []hearsay.Epoch{2, 3}},
		{4, 10, nil},
		{299, 10, []hearsay.Epoch{300, 301}},
		{301, 10, nil},
		{0, 0, nil},
	} {
		found, err := disk.Rulings(c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var epochs []hearsay.Epoch
		for _, kept := range found {
			epochs = append(epochs, kept.Ruling.Epoch)
		}
		if !slices.Equal(epochs, c.want) {
			t.Errorf("after %d, at most %d: %v, want %v", c.after, c.limit, epochs, c.want)
		}
	}
}
