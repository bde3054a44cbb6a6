package hearsay

import (
	"encoding/binary"
	"fmt"
)

// Limits bounds what strangers can make of a network with seeds: an identity costs
// nothing, and each admission is a ruling that is kept for good. All seeds go by the
// same limits, which are part of what they agree on: those that a quorum of seats has
// said last (LimitsWord), and DefaultLimits before.
//
// Newcomers have the limits as they are. Members that were removed, and those that
// move, have as much again: nobody can take their places while they are out.
type Limits struct {
	Members         uint32 `json:"members"`           // that may be in
	MembersOfSource uint32 `json:"members_of_source"` // of them, by Source of their addresses; loopback is no source
	Admissions      uint32 `json:"admissions"`        // a minute, after the first Members
	// a minute and source, after the first MembersOfSource; a leave counts as one; of those that have left:
	// after twice as many
	SourceAdmissions uint32 `json:"source_admissions"`
}

// DefaultLimits are those of a network in which no seed was told others. All are
// guesses: 4,096 fill twice the roster that was measured, and a thousand that start at once
// find room; 64 are a rack behind one address, or one host with many small services;
// with two a minute each second a ledger grows by some kilobytes in that time.
func DefaultLimits() Limits {
	return Limits{Members: 4096, MembersOfSource: 64, Admissions: 120, SourceAdmissions: 6}
}

// MaxLimit bounds each of the limits.
const MaxLimit = 1 << 20

// How many admissions may be at once, in times of those a minute: what is spent must come
// back within quorum.maxPause, two hours, as no more time passes in a ledger in which
// nothing is written. Else refusals would last for ever.
const (
	MembersMost         = 60 // Members, in times Admissions
	MembersOfSourceMost = 30 // MembersOfSource, in times SourceAdmissions: a source may have spent twice as much
)

// Check says what is wrong with limits that an operator gave.
func (l Limits) Check() error {
	switch {
	case !l.Valid():
		return fmt.Errorf("limits: %+v: want each from 1 to %d", l, MaxLimit)
	case l.Members > MembersMost*l.Admissions:
		return fmt.Errorf("limits.members: %d: want at most %d, %d times limits.admissions, or that %d at least", l.Members, MembersMost*l.Admissions, MembersMost, (l.Members+MembersMost-1)/MembersMost)
	case l.MembersOfSource > MembersOfSourceMost*l.SourceAdmissions:
		return fmt.Errorf("limits.members_of_source: %d: want at most %d, %d times limits.source_admissions, or that %d at least",
			l.MembersOfSource, MembersOfSourceMost*l.SourceAdmissions, MembersOfSourceMost, (l.MembersOfSource+MembersOfSourceMost-1)/MembersOfSourceMost)
	}
	return nil
}

// Valid reports whether each limit is from 1 to MaxLimit.
func (l Limits) Valid() bool {
	for _, n := range [...]uint32{l.Members, l.MembersOfSource, l.Admissions, l.SourceAdmissions} {
		if n < 1 || n > MaxLimit {
			return false
		}
	}
	return true
}

// AppendBinary appends the canonical bytes.
func (l Limits) AppendBinary(dst []byte) []byte {
	for _, n := range [...]uint32{l.Members, l.MembersOfSource, l.Admissions, l.SourceAdmissions} {
		dst = binary.BigEndian.AppendUint32(dst, n)
	}
	return dst
}
