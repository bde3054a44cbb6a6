package casefile_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/casefile"
)

var now = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// facts are what n0, a seed of three, has of the peer n3, which is alive.
func facts(change ...func(*casebook.Facts)) *casebook.Facts {
	addr := func(i byte) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, i}), 7000) }
	f := &casebook.Facts{
		Now:    now,
		Teller: hearsay.Member{ID: hearsay.NodeID{1}, Name: "n0", Addr: addr(0), Role: hearsay.RoleSeed, State: hearsay.StateAlive},
		Member: hearsay.Member{ID: hearsay.NodeID{4}, Name: "n3", Addr: addr(3), Role: hearsay.RolePeer, State: hearsay.StateAlive, Since: now.Add(-time.Minute)},
		Held:   hearsay.StateAlive, Period: time.Second, RoundEvery: time.Second, ForgetAfter: time.Hour, Answered: now,
		Seeded: &casebook.Seeded{
			Seeds: []netip.AddrPort{addr(0), addr(1), addr(2)}, Ready: true, AtSeed: true, Oldest: 1, Epoch: 9,
			Timing: casebook.Timing{Trial: time.Second, ShortTrial: 4 * time.Second, SilentFor: 24 * time.Second, AdmitTimeout: 3 * time.Second, ReportPause: 20 * time.Second},
		},
	}
	for _, c := range change {
		c(f)
	}
	return f
}

func open(f *casebook.Facts) { f.Seeded = nil }

func suspect(f *casebook.Facts) {
	f.Member.State, f.Held, f.Member.Since = hearsay.StateSuspect, hearsay.StateSuspect, now.Add(-2*time.Second)
	f.Suspect = casebook.Suspicion{Observers: 3, Alive: 1, Majority: 2, RunsOut: now.Add(2 * time.Second), OwnRunsOut: now.Add(2 * time.Second)}
	f.Events = append(f.Events, hearsay.Event{At: f.Member.Since, Kind: hearsay.EventMemberSuspected, Subject: f.Member.ID, ByName: "n4"})
}

func itself(f *casebook.Facts) { f.Teller.Role, f.Member.ID = hearsay.RolePeer, f.Teller.ID }

func heardOfCopy(f *casebook.Facts) {
	f.Events = append(f.Events, hearsay.Event{
		At: now.Add(-2 * time.Minute), Kind: hearsay.EventRefuted, Subject: f.Member.ID, State: hearsay.StateAlive,
		Addr: netip.MustParseAddrPort("10.0.0.9:1"), Text: "a copy",
	})
}

func stranger(f *casebook.Facts) { f.Member.State, f.Held = 0, 0 }

// ruled has n3 ruled on in epoch 5, at an hour from now by the clock of n1, which has cast the last ballot.
func ruled(kind hearsay.RulingKind, clock casebook.Clock) func(*casebook.Facts) {
	return func(f *casebook.Facts) {
		key := hearsay.PublicKey{7}
		f.Names = map[hearsay.NodeID]string{key.NodeID(): "n1"}
		f.Seeded.Seats = []hearsay.Seat{{Slot: 0, Key: hearsay.PublicKey{6}, Life: hearsay.Life{1}}, {Slot: 1, Key: key, Life: hearsay.Life{2}}, {Slot: 2}}
		f.Seeded.Clocks = []casebook.Clock{{}, clock, {}}
		r := &hearsay.Ruling{Epoch: 5, Kind: kind, Stay: hearsay.Stay{ID: f.Member.ID, Epoch: 3}, Case: 7, At: now.Add(time.Hour).UnixMilli()}
		r.Ballots = []hearsay.Ballot{{Case: 7, Slot: 0, Life: hearsay.Life{1}, Verdict: hearsay.BallotYes}, {Case: 7, Slot: 1, Life: hearsay.Life{2}, Verdict: hearsay.BallotYes}}
		switch kind {
		case hearsay.RulingRemove:
			r.Rule, f.Member.State = hearsay.RuleTrial, hearsay.StateDead
		case hearsay.RulingLeave:
			r.Ballots, f.Member.State = nil, hearsay.StateLeft
		}
		f.Seeded.Rulings = []casebook.Ruling{{Ruling: r}}
	}
}

// broughtAfter has n3 accused by n4, by its clock so long after the seeds ruled.
func broughtAfter(by time.Duration) func(*casebook.Facts) {
	return func(f *casebook.Facts) {
		r := &f.Seeded.Rulings[0]
		f.Names[hearsay.NodeID{5}] = "n4"
		r.Rule = hearsay.RuleTimeout
		r.Brought = &hearsay.Evidence{Accuser: hearsay.NodeID{5}, Rule: r.Rule, Suspected: casebook.Moment(r.At).Add(by).UnixMilli()}
	}
}

// admitted is that n3 was let in, as a node sees it happen.
func admitted(epoch hearsay.Epoch) hearsay.Event {
	return hearsay.Event{At: now, Kind: hearsay.EventRuled, Epoch: epoch, Ruling: &hearsay.Ruling{Epoch: epoch, Kind: hearsay.RulingAdmit}}
}

// asked is that the case of n3 was opened in the name of a node without evidence; "": of none.
func asked(by string) hearsay.Event {
	e := hearsay.Event{At: now, Kind: hearsay.EventCaseOpened, Case: 7, Epoch: 3, ByName: by, Rule: hearsay.RuleTrial}
	switch by {
	case "n0":
		e.By = hearsay.NodeID{1}
	case "n9":
		e.By = hearsay.NodeID{9}
	}
	return e
}

// What is told follows from the facts, whatever the words in them are.
func TestTell(t *testing.T) {
	removed := hearsay.PromiseRemoved
	for name, c := range map[string]struct {
		facts    *casebook.Facts
		verdict  string
		says     []string
		not      string
		promised []hearsay.PromiseKind
	}{
		"unknown": {
			facts(open, func(f *casebook.Facts) { f.Unknown, f.NeedsDigits, f.Member = true, 3, hearsay.Member{Name: "f0"} }),
			"unknown",
			[]string{"Nobody called f0 has been heard of", "3 digits are needed"},
			"", nil,
		},
		"unknown to a seed": {
			facts(func(f *casebook.Facts) { f.Unknown, f.Member = true, hearsay.Member{Name: "x"} }),
			"unknown",
			[]string{"epoch 1 of 9", "2 of 3 seeds"},
			"digits", nil,
		},
		"alive": {facts(open), "alive", []string{"nothing has been held against it here"}, " But ", nil},
		"of another name now": {
			facts(open, func(f *casebook.Facts) { f.Former = "old" }),
			"alive",
			[]string{"old is called n3 now. n3 is alive"},
			"", nil,
		},
		"itself, with troubles": {
			facts(open, func(f *casebook.Facts) { f.Member, f.Troubles = f.Teller, []string{"one", "two"} }),
			"alive",
			[]string{" But one; two."},
			"", nil,
		},
		"itself, after a copy": {
			facts(itself, heardOfCopy), "alive", []string{"It is this node. It heard last at 2025-06-01T11:58:00Z (2m0s ago) that it is at 10.0.0.9:1, by a copy."}, "", nil,
		},
		"itself, after a copy, open": {
			facts(open, itself, heardOfCopy), "alive", []string{"is this node. It heard last at 2025-06-01T11:58:00Z (2m0s ago) that it is at 10.0.0.9:1, by a copy."}, "", nil,
		},
		"away": {
			facts(open, func(f *casebook.Facts) { f.Away = now.Add(10 * time.Second) }),
			"alive",
			[]string{"is not probed until 12:00:10.000Z (in 10s)"},
			"", nil,
		},
		"a seed, by one that has lost its seat": {
			facts(func(f *casebook.Facts) {
				f.Member.Role, f.Seeded.Ready, f.Seeded.Why = hearsay.RoleSeed, false, "a quorum has given this seat to another life"
			}),
			"alive",
			[]string{"n0, which tells this, takes no part itself: a quorum has given this seat to another life."},
			"Of the seeds", nil,
		},
		"a seed that was never heard": {
			facts(suspect, func(f *casebook.Facts) { f.Member.Role = hearsay.RoleSeed }),
			"suspect",
			[]string{"By stream (TCP) n0 has not heard it since n0 itself was started."},
			"something else", nil,
		},
		"a seed at whose address something else answers": {
			facts(suspect, func(f *casebook.Facts) { f.Member.Role, f.Seeded.Other = hearsay.RoleSeed, now.Add(-time.Second) }),
			"suspect",
			[]string{"By stream (TCP) something else has answered n0 at its address, last at 2025-06-01T11:59:59Z (1s ago): not the seed"},
			"has not heard", nil,
		},
		"a seed that answers pings alone": {
			facts(func(f *casebook.Facts) {
				f.Member.Role, f.Seeded.Silent = hearsay.RoleSeed, &hearsay.SeedStatus{State: hearsay.StateAlive, Silent: now}
			}),
			"alive",
			[]string{"It answers pings, and has not answered this seed, which leads, since 2025-06-01T12:00:00Z: see to its disk, or let TCP and UDP through"},
			"start it again", nil,
		},
		"answers others only": {
			facts(func(f *casebook.Facts) { f.Way.Indirect = now.Add(-time.Minute) }),
			"alive",
			[]string{"no answer of it comes to n0 itself"},
			"Nothing is held against it", nil,
		},
		"by stream only": {
			facts(open, func(f *casebook.Facts) { f.Way.Streamed = true }),
			"alive",
			[]string{"datagrams (UDP) do not get through between it and n0"},
			"nothing has been held against it", nil,
		},
		"not by stream, and nothing large": {
			facts(func(f *casebook.Facts) { f.Way.Streamless, f.Way.Narrow = now.Add(-time.Minute), now.Add(-time.Second) }),
			"alive",
			[]string{"streams (TCP) do not get to it from n0 since at least 2025-06-01T11:59:00Z (1m0s ago)", "large packets do not get to it from n0 since at least"},
			"Nothing is held against it", nil,
		},
		"suspect, open": {
			facts(suspect, open), "suspect", []string{"n4 got no answer from it", "Nothing is decided"}, "", nil,
		},
		"suspect": {
			facts(suspect), "suspect",
			[]string{"Of its 3 observers 1 is alive. This node has not asked them", "2 of them would be needed, and 1 is alive", "That is by about 12:00:07.000Z", "for 4s each"},
			"cannot be said",
			[]hearsay.PromiseKind{removed},
		},
		"suspect, by a peer": {
			facts(suspect, func(f *casebook.Facts) { f.Seeded.AtSeed, f.Seeded.Timing.Assumed = false, true }),
			"suspect",
			[]string{"for 4s by default each"},
			"",
			[]hearsay.PromiseKind{removed},
		},
		"suspect, and an observer reaches it": {
			facts(suspect, func(f *casebook.Facts) {
				f.Events = append(f.Events, hearsay.Event{Kind: hearsay.EventRoundOpened, Round: 1, Count: 3}, hearsay.Event{Kind: hearsay.EventStatement, Round: 1, Verdict: hearsay.VerdictReachable})
			}),
			"suspect",
			[]string{"asked 3, of which 1 answered: 1 reach it, 0 do not", "while an observer reaches it, that brings it before no seed"},
			"by about 12:00:07", nil,
		},
		"suspect, after a case that came to nothing": {
			facts(suspect, func(f *casebook.Facts) {
				f.Events = append(f.Events, hearsay.Event{At: now, Kind: hearsay.EventCaseAborted, Epoch: 3})
			}),
			"suspect",
			[]string{"such a report waits until 12:00:20.000Z", "That is by about 12:00:24.000Z"},
			"",
			[]hearsay.PromiseKind{removed},
		},
		"suspect, no quorum": {
			facts(suspect, func(f *casebook.Facts) { f.Seeded.Ready, f.Seeded.Why = false, "two are down" }),
			"suspect",
			[]string{"cannot be said while no quorum of seeds is heard", "2 of 3 are needed (two are down)"},
			"That is by", nil,
		},
		"suspect, quorum just back": {
			facts(suspect, func(f *casebook.Facts) { f.Seeded.Since = now.Add(-time.Second) }),
			"suspect",
			[]string{"cannot be said yet, as a quorum of seeds is back since 11:59:59.000Z only"},
			"That is by", nil,
		},
		"suspect, and no answers come": {
			facts(suspect, func(f *casebook.Facts) { f.Answered = now.Add(-4 * time.Second) }),
			"suspect",
			[]string{"as nobody has answered n0 since 11:59:56.000Z"},
			"That is by", nil,
		},
		"suspect for a moment": {
			facts(suspect, func(f *casebook.Facts) {
				f.Member.Since, f.Answered = now.Add(-500*time.Millisecond), now.Add(-700*time.Millisecond)
			}),
			"suspect",
			[]string{"cannot be said yet, as it has not answered since 11:59:59.500Z only"},
			"nobody has answered", nil,
		},
		"suspect, and no seed takes the report": {
			facts(suspect, func(f *casebook.Facts) {
				f.Seeded.Untaken = &hearsay.Untaken{ID: f.Member.ID, Name: "n3", Since: now}
			}),
			"suspect",
			[]string{"No seed has taken this node's report of it since", "cannot be said as no seed takes this node's reports", "If no stream gets through"},
			"That is by", nil,
		},
		"suspect, and no seed takes the report of another": {
			facts(suspect, func(f *casebook.Facts) {
				f.Seeded.Untaken = &hearsay.Untaken{ID: hearsay.NodeID{9}, Name: "n9", Since: now}
			}),
			"suspect",
			[]string{"cannot be said as no seed takes this node's reports"},
			"n9", nil,
		},
		"suspect, no quorum, and a seed says so of the report": {
			facts(suspect, func(f *casebook.Facts) {
				f.Seeded.Ready, f.Seeded.Abstaining = false, true
				f.Seeded.Untaken = &hearsay.Untaken{ID: f.Member.ID, Name: "n3", Since: now, Waits: true}
			}),
			"suspect",
			[]string{"this seed abstains, as it hears no quorum of seeds"},
			"No seed has taken", nil,
		},
		"suspect, and the seed cannot judge": {
			facts(suspect, func(f *casebook.Facts) { f.Seeded.Abstaining = true }),
			"suspect",
			[]string{"this seed abstains: it was late, or has too much to do"},
			"hears no quorum",
			[]hearsay.PromiseKind{removed},
		},
		"a case of a majority is open": {
			facts(suspect, func(f *casebook.Facts) {
				f.Seeded.Open = &casebook.Case{ID: 7, Rule: hearsay.RuleMajority, Yes: 1, Needed: 2, Expires: now.Add(time.Second)}
			}),
			"suspect",
			[]string{"A case is open (case 7): 1 of 3 seeds", "answers 2 of 2 other seeds before about 12:00:01.000Z", "once 1 more"},
			"",
			[]hearsay.PromiseKind{hearsay.PromiseDecided},
		},
		"a case is open whose time is over": {
			facts(suspect, func(f *casebook.Facts) {
				f.Seeded.Open = &casebook.Case{ID: 7, Rule: hearsay.RuleMajority, Yes: 1, Needed: 2, Expires: now.Add(-time.Second)}
			}),
			"suspect",
			[]string{"answers 2 of 2 other seeds; it is removed once 1 more", "The time of the case was over at about 11:59:59.000Z"},
			"before about", nil,
		},
		"another case is open": {
			facts(suspect, func(f *casebook.Facts) {
				f.Seeded.Open = &casebook.Case{ID: 7, Rule: hearsay.RuleTimeout, Needed: 2, Expires: now.Add(time.Second)}
			}),
			"suspect",
			[]string{"answers any one seed before"},
			"",
			[]hearsay.PromiseKind{hearsay.PromiseDecided},
		},
		"silent to a seed": {
			facts(func(f *casebook.Facts) {
				f.Seeded.Silence = &casebook.Silence{Since: now.Add(-time.Second), After: 24 * time.Second, By: now.Add(23 * time.Second)}
			}),
			"alive",
			[]string{"no answer from it to its own probes since 11:59:59.000Z (1s ago)", "after 24s, by about 12:00:23.000Z", "for 4s each"},
			"Nothing is held against it",
			[]hearsay.PromiseKind{hearsay.PromiseBrought},
		},
		"silent to a seed that decides nothing": {
			facts(func(f *casebook.Facts) { f.Seeded.Silence = &casebook.Silence{Since: now, After: time.Second} }),
			"alive",
			[]string{"cannot be said while no quorum of them decides"},
			"by about", nil,
		},
		"barred, and in": {
			facts(func(f *casebook.Facts) { f.Seeded.Bar = &hearsay.Bar{Why: "loud"} }),
			"alive",
			[]string{"(loud): once it is out it is not admitted again"},
			"", nil,
		},
		"barred, and never in": {
			facts(stranger, func(f *casebook.Facts) { f.Seeded.Bar = &hearsay.Bar{} }),
			"barred",
			[]string{"(nothing was said): the seeds do not admit it, whatever it asks"},
			"not admitted again", nil,
		},
		"refused, as it is elsewhere": {
			facts(stranger, func(f *casebook.Facts) {
				f.Events = []hearsay.Event{{At: now, Kind: hearsay.EventTurnedAway, Text: "no", Reason: hearsay.ReasonElsewhere}}
			}),
			"refused",
			[]string{"was refused at 2025-06-01T12:00:00Z (0s ago): no.", "had it asked from the address that it says is its own, 10.0.0.3"},
			"", nil,
		},
		"refused, in words that sound like a bar": {
			facts(stranger, func(f *casebook.Facts) {
				f.Events = []hearsay.Event{{At: now, Kind: hearsay.EventTurnedAway, Text: "barred by a firewall"}}
			}),
			"refused",
			[]string{"but for this: barred by a firewall"},
			"--lift", nil,
		},
		"admitted by a clock that is wrong": {
			facts(ruled(hearsay.RulingAdmit, casebook.Clock{Ahead: time.Hour, OfQuorum: true})),
			"alive",
			[]string{"n3 is in since 2025-06-01T13:00:00Z (by the clock of n1, which is 1h0m0s ahead of those of a quorum of seeds now), from epoch 5"},
			"ago)", nil,
		},
		"removed by a clock that is wrong": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{Ahead: -5 * time.Minute})),
			"dead",
			[]string{"n3 is out since 2025-06-01T13:00:00Z (by the clock of n1, which is 5m0s behind that of n0 now), by the ruling of epoch 5"},
			"it took", nil,
		},
		"left by a clock that may be wrong": {
			facts(ruled(hearsay.RulingLeave, casebook.Clock{Ahead: time.Hour, OfQuorum: true})),
			"left",
			[]string{"at 2025-06-01T13:00:00Z (by the clock of one of the seeds, of which that at 10.0.0.1:7000 is 1h0m0s ahead of those of a quorum of seeds now): the ruling"},
			"ago)", nil,
		},
		"removed, by a teller whose clock is behind": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{}), func(f *casebook.Facts) {
				f.Seeded.ClockOff = -time.Hour
				f.Events = []hearsay.Event{{At: now.Add(-5 * time.Second), Kind: hearsay.EventMemberSuspected, Subject: f.Member.ID, ByName: "n4"}}
			}),
			"dead",
			[]string{"n3 is out since 2025-06-01T13:00:00Z (the clock of n0, which tells this, is 1h0m0s behind those of a quorum of seeds now), by the ruling of epoch 5"},
			"it took", nil,
		},
		"removed, by a teller whose clock is ahead": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{}), broughtAfter(-5*time.Second), func(f *casebook.Facts) { f.Seeded.ClockOff = 2 * time.Hour }),
			"dead",
			[]string{"(the clock of n0, which tells this, is 2h0m0s ahead of those of a quorum of seeds now), by the ruling of epoch 5"},
			"it took", nil,
		},
		"removed, accused by a clock that is ahead": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{}), broughtAfter(time.Hour)),
			"dead",
			[]string{"n3 is out since"},
			"it took", nil,
		},
		"removed, accused by another clock": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{}), broughtAfter(-5*time.Second)),
			"dead",
			[]string{"From the suspicion that was reported, by the clock of n4, to the ruling it took 5s"},
			"", nil,
		},
		"removed, accused by a clock that is behind": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{}), broughtAfter(-time.Hour), func(f *casebook.Facts) {
				f.Events = []hearsay.Event{{At: now.Add(time.Hour - 5*time.Second), Kind: hearsay.EventMemberSuspected, Subject: f.Member.ID, ByName: "n4"}}
			}),
			"dead",
			[]string{"From the suspicion to the ruling it took 5s"},
			"", nil,
		},
		"dead, accused by another clock": {
			facts(open, func(f *casebook.Facts) {
				f.Member.State, f.Names = hearsay.StateDead, map[hearsay.NodeID]string{{5}: "n4"}
				f.Evidence = &hearsay.Evidence{Accuser: hearsay.NodeID{5}, Rule: hearsay.RuleTimeout, Suspected: now.Add(time.Hour).UnixMilli(), Condemned: now.Add(time.Hour + 3*time.Second).UnixMilli()}
				f.Events = []hearsay.Event{
					{At: now.Add(-64 * time.Second), Kind: hearsay.EventMemberSuspected, Subject: f.Member.ID, ByName: "n4"},
					{At: f.Member.Since, Kind: hearsay.EventMemberDead, Subject: f.Member.ID},
				}
			}),
			"dead",
			[]string{"From the suspicion to the decision it took 4s."},
			"", nil,
		},
		"cleared after an admission by a clock that is ahead": {
			facts(ruled(hearsay.RulingAdmit, casebook.Clock{Ahead: time.Hour, OfQuorum: true}), func(f *casebook.Facts) {
				f.Events = []hearsay.Event{admitted(5), {At: now, Kind: hearsay.EventCleared, Count: 2, Round: 1}}
			}),
			"alive",
			[]string{"It was suspected, and cleared: 2 of its observers reached it."},
			"Nothing is held against it", nil,
		},
		"a case of the stay came to nothing": {
			facts(ruled(hearsay.RulingAdmit, casebook.Clock{Ahead: time.Hour, OfQuorum: true}), func(f *casebook.Facts) {
				f.Events = []hearsay.Event{{At: now, Kind: hearsay.EventCaseAborted, Epoch: 5, Text: "it answered"}}
			}),
			"alive",
			[]string{"A case against it ended without a ruling: it answered."},
			"Nothing is held against it", nil,
		},
		"cleared in an earlier stay, and admitted by a clock that is behind": {
			facts(ruled(hearsay.RulingAdmit, casebook.Clock{}), func(f *casebook.Facts) {
				f.Seeded.Rulings[0].At = now.Add(-time.Hour).UnixMilli()
				f.Events = []hearsay.Event{{At: now.Add(-time.Second), Kind: hearsay.EventCleared, Count: 2, Round: 1}, admitted(5)}
			}),
			"alive",
			[]string{"Nothing is held against it"},
			"cleared", nil,
		},
		"a case of an earlier stay, or of an admission, came to nothing": {
			facts(ruled(hearsay.RulingAdmit, casebook.Clock{}), func(f *casebook.Facts) {
				f.Seeded.Rulings[0].At = now.Add(-time.Hour).UnixMilli()
				f.Events = []hearsay.Event{{At: now, Kind: hearsay.EventCaseAborted, Epoch: 3}, {At: now, Kind: hearsay.EventCaseAborted}}
			}),
			"alive",
			[]string{"Nothing is held against it"},
			"A case against it", nil,
		},
		"removed as asked, and nobody knows where": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{})),
			"dead",
			[]string{"reported without evidence, by a node that is not known here, as a ruling does not name it, so only"},
			"by the clock", nil,
		},
		"removed as the log has a node ask": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{}), func(f *casebook.Facts) {
				f.Events = []hearsay.Event{asked("n9")}
			}),
			"dead",
			[]string{"reported without evidence, by n9, as the seeds' log says (an operator may have asked there), so only"},
			"had asked", nil,
		},
		"removed as the log has nobody ask": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{}), func(f *casebook.Facts) {
				f.Events = []hearsay.Event{asked("")}
			}),
			"dead",
			[]string{"by a node that the seeds' log does not name: one of an earlier program, or asked by way of a seed of an earlier version, so only"},
			"had asked", nil,
		},
		"removed as an operator asked here": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{}), func(f *casebook.Facts) {
				f.Events = []hearsay.Event{{At: now, Kind: hearsay.EventRemovalAsked, Epoch: 3}, asked("n0")}
			}),
			"dead",
			[]string{"reported without evidence, by an operator at n0, so only"},
			"had asked", nil,
		},
		"removed by other means, as the log has a node ask": {
			facts(ruled(hearsay.RulingRemove, casebook.Clock{}), broughtAfter(-time.Second), func(f *casebook.Facts) {
				f.Seeded.Rulings[0].Rule, f.Seeded.Rulings[0].Case = hearsay.RuleMajority, 8
				f.Events = []hearsay.Event{asked("n9")}
			}),
			"dead",
			[]string{"By the seeds' log n9 had asked for that, too (an operator may have asked there). "},
			"An operator had", nil,
		},
		"never in": {facts(stranger), "unknown", []string{"was heard of, and has never been in"}, "", nil},
		"not in itself": {
			facts(func(f *casebook.Facts) {
				f.Teller, f.Seeded.AtSeed, f.Seeded.Outside = f.Member, false, true
				f.Seeded.Answers = []casebook.Answer{{Name: "n0", At: now, Since: now.Add(-time.Minute), Code: hearsay.OutcomeWait, Text: "soon"}, {Addr: f.Member.Addr, At: now, Since: now.Add(-time.Second), Code: hearsay.OutcomeWait, Text: "soon"}, {}}
			}),
			"unknown",
			[]string{"n3 is this node, and is not in", "n0 and the seed at 10.0.0.3:7000 do not admit it yet: soon (since 11:59:00Z)", "once it reaches 2 of the 3 seeds"},
			"", nil,
		},
		"barred itself": {
			facts(func(f *casebook.Facts) {
				f.Teller, f.Seeded.AtSeed, f.Seeded.Outside = f.Member, false, true
				f.Seeded.Answers = []casebook.Answer{{Name: "n0", At: now, Code: hearsay.OutcomeRefused, Text: "no", Reason: hearsay.ReasonBarred}}
			}),
			"unknown",
			[]string{"n0 refuses to admit it: no", "hearsay bar --lift"},
			"", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := casefile.Tell(c.facts)
			text := file.Summary + " " + file.Nearest
			if file.Verdict != c.verdict {
				t.Errorf("verdict %s, want %s", file.Verdict, c.verdict)
			}
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not say %q", text, want)
				}
			}
			if c.not != "" && strings.Contains(text, c.not) {
				t.Errorf("%q says %q", text, c.not)
			}
			var promised []hearsay.PromiseKind
			for _, p := range file.Promises {
				promised = append(promised, p.What)
			}
			if !slices.Equal(promised, c.promised) {
				t.Errorf("promises %v, want %v", promised, c.promised)
			}
		})
	}
}

// No step is told by its code alone: whatever a node keeps of a member has a sentence.
func TestEachStepHasText(t *testing.T) {
	ballot := &hearsay.Ballot{Verdict: hearsay.BallotYes}
	for kind := hearsay.EventJoined; !strings.HasPrefix(kind.String(), "unknown"); kind++ {
		e := hearsay.Event{
			At: now, Kind: kind, Subject: hearsay.NodeID{4}, ByName: "n4", Count: 2, Took: time.Second, Epoch: 3, Ballot: ballot,
			Evidence: &hearsay.Evidence{}, Ruling: &hearsay.Ruling{Kind: hearsay.RulingRemove}, Rumor: &hearsay.Rumor{},
		}
		var book casebook.Book
		if book.Note(e); len(book.All(e.Subject)) == 0 {
			continue
		}
		for _, of := range []func(*casebook.Facts){func(*casebook.Facts) {}, open} {
			file := casefile.Tell(facts(of, func(f *casebook.Facts) { f.Events = []hearsay.Event{e} }))
			for _, step := range file.Steps {
				if step.Text == "" || step.Text == step.Kind {
					t.Errorf("a step of kind %s has the text %q", step.Kind, step.Text)
				}
			}
		}
	}
}

// The row of a case that is made up of its ballots has their time, and says by which clock that is.
func TestMadeUpCaseIsDated(t *testing.T) {
	wrong := ruled(hearsay.RulingRemove, casebook.Clock{})
	file := casefile.Tell(facts(wrong, func(f *casebook.Facts) { f.Seeded.Clocks[0] = casebook.Clock{Ahead: time.Hour, OfQuorum: true} }))
	at := slices.IndexFunc(file.Steps, func(s hearsay.Step) bool { return s.Kind == hearsay.EventCaseOpened.String() })
	if at < 0 || !strings.Contains(file.Steps[at].Detail, "before the first ballot; by the clock of") {
		t.Errorf("the case is told at %d of %+v", at, file.Steps)
	}
}
