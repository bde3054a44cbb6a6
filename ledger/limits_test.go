package ledger

import (
	"math"
	"net/netip"
	"testing"

	"hearsay"
	"hearsay/internal/core"
)

// Time is measured by each proposer's own clock: one that jumps back stops nothing, and
// what one has counted is not counted again by others.
func TestTimeOfTheState(t *testing.T) {
	b := NewUsage(3)
	for _, step := range []struct {
		slot uint8
		at   int64
		want int64
	}{
		{0, 1_000_000, 0},
		{1, 5_000, 0}, // their clocks are apart
		{0, 1_000_100, 100},
		{1, 5_050, 100},
		{1, 5_150, 200},
		{0, 900_000, 200},
		{0, 900_050, 250}, // set back
		{2, 77, 250},
		{2, 1 << 60, 250 + maxPause.Milliseconds()}, // set ahead
		{1, 5_200, 250 + maxPause.Milliseconds()},
		{1, 5_300, 350 + maxPause.Milliseconds()},
		{9, 1, 350 + maxPause.Milliseconds()}, // no seat
	} {
		if b.pass(step.slot, step.at); b.Now != step.want {
			t.Errorf("after %d of seat %d it is %d, want %d", step.at, step.slot, b.Now, step.want)
		}
	}
}

// What one life has said of the future says nothing of the next life of its seat.
func TestNextLifeMaySayLimits(t *testing.T) {
	b := newBench(t, 3)
	few := hearsay.DefaultLimits()
	few.Members = 5
	say := func(slot int, l hearsay.Limits, at int64) {
		w := core.LimitsWord{Slot: uint8(slot), Life: b.Seats[slot].Life, Limits: l, At: at}
		w.Sign(b.Ledger(), b.seeds[slot])
		b.do(Command{Op: OpLimits, Limits: w})
	}
	say(0, few, TimeMost)
	say(0, hearsay.DefaultLimits(), 7) // is older
	if b.Said(0) != few {
		t.Fatalf("said %+v", b.Said(0))
	}
	b.Seats[0].Life = hearsay.Life{9}
	few.Members = 6
	say(0, few, 7)
	say(1, few, 7)
	if b.Said(0) != few || b.Usage.Limits != few {
		t.Errorf("said %+v, and %+v hold", b.Said(0), b.Usage.Limits)
	}
}

// All that may be spent comes back within the time that passes without any entry, whatever
// limits an operator may set: else refusals would last for ever. Others are refused, with
// what would be right.
func TestLimitsThatComeBack(t *testing.T) {
	slowest := hearsay.Limits{Members: 300, MembersOfSource: 90, Admissions: 5, SourceAdmissions: 3}
	if err := slowest.Check(); err != nil {
		t.Fatal(err)
	}
	b := NewUsage(1)
	b.Limits = slowest
	source := netip.MustParseAddr("203.0.113.7")
	b.Spend(source, math.MaxInt32, 2*AnAdmission*int64(slowest.Members))
	b.Wrote[0] = writing{1, b.Now}
	later := b.TimeBy(0, math.MaxInt64)
	if own, all := b.SpentOf(source, later), b.Network.spentAt(later, slowest.Admissions); own > 0 || all > 0 {
		t.Errorf("after the longest pause a source has spent %d, and all have %d", own, all)
	}
	for want, l := range map[string]hearsay.Limits{
		"limits.members: 301: want at most 300, 60 times limits.admissions, or that 6 at least":                {Members: 301, MembersOfSource: 90, Admissions: 5, SourceAdmissions: 3},
		"limits.members_of_source: 91: want at most 90, 30 times limits.source_admissions, or that 4 at least": {Members: 300, MembersOfSource: 91, Admissions: 5, SourceAdmissions: 3},
		"limits: {Members:300 MembersOfSource:0 Admissions:5 SourceAdmissions:3}: want each from 1 to 1048576": {Members: 300, Admissions: 5, SourceAdmissions: 3},
	} {
		if err := l.Check(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
