package hearsay

import (
	"net/netip"
	"time"
)

// EventKind is what happened.
type EventKind uint8

// The kinds. Subject is the member it is about, By the one who did or said
// it; each says which further fields are set.
const (
	// This node itself.
	EventJoined   EventKind = iota + 1 // this node has the roster of a member: By, Count members
	EventJoinFail                      // a contact did not answer: Addr, Text
	EventRefuted                       // this node was claimed suspect or dead, and raised its Incarnation; State is what was claimed, By the accuser. State alive: a word of its own key that it does not know of was newer, and of Addr
	EventLate                          // this node was paused or starved; it accuses nobody for a while: Took
	EventAlone                         // no other member is left
	EventMeeting                       // Subject, not listed, answers at a configured contact, Addr: another network, or part of this one, of which all are taken in

	// Members.
	EventMemberJoined    // first heard of: Addr, Incarnation
	EventMemberReturned  // it was dead, left or suspect and is alive again: State is what it was, Incarnation
	EventMemberMoved     // a new address, signed by itself: Addr
	EventMemberSuspected // State suspect from now: By the accuser
	EventMemberDead      // found dead, without seeds: By who condemned it, Evidence
	EventMemberRemoved   // out by a ruling of the seeds: By who reported it, Evidence; it may live
	EventMemberLeft      // State left from now
	EventMemberForgotten // dropped from the roster
	EventNameConflict    // Subject and By are two living members of one name: Addr of Subject, Text says both ids and addresses

	// Decisions. They tell the story of a case.
	EventUnreachable  // this node's detector had no answer: Count relays asked, Took
	EventRelayed      // this node's detector had no answer, and By, a relay, says that the subject answers it
	EventRoundOpened  // this node asked the observers: Round, Count of them
	EventAsked        // this node, an observer, was asked to probe: By the accuser, Round, Addr of the subject
	EventExamined     // this node, an observer or a seed, has probed: Addr, Round, Verdict, Count pings sent, Took
	EventStatement    // a statement was counted: By the observer, Round, Verdict
	EventCleared      // enough observers reach it: Round, Count of them
	EventCondemned    // enough observers do not: Round, Evidence
	EventUndecided    // a round closed without a decision: Round, Count against
	EventClaimDelayed // a death is told first to its subject, who is no suspect here: By
	EventSuspectFreed // this node's own probe reached a suspect: the suspicion here ends

	// Rumors and links.
	EventRumor         // delivered: Subject its origin, By who passed it on, Count hops, Rumor
	EventRumorConflict // another payload under a number that is taken was kept out: Subject its origin, By who sent it, Text
	EventLinked        // Subject is a neighbor from now
	EventUnlinked      // and no longer

	// The stream of events.
	EventLagged // a subscriber fell behind: Count events were lost to it

	// Seeds, and what they decide.
	EventSeatFounded  // the network was founded: Count seeds, Text if there are more
	EventSeatWaiting  // this seed has no seat yet: Text says for which seeds it waits
	EventSeatTaken    // this seed has its seat
	EventQuorumLost   // no quorum of seeds is heard: nobody is admitted or removed meanwhile
	EventQuorumBack   // after that, one is: By the seed that leads
	EventQuorumHeard  // the first seed leads since this node's start, or another than before: By it
	EventProbeWanted  // this seed wants the subject probed now: Addr, Round
	EventCaseOpened   // Case, Addr or Epoch of the stay, By the reporter, Count ballots needed, Text what is wanted, Rule of a removal, Evidence
	EventCaseRefused  // what was asked opened no case, or a ballot did not count: Text
	EventBallot       // counted: Case, Ballot, By the seed
	EventRuled        // decided and durable on a quorum: Epoch, Ruling, Count ballots needed, Evidence
	EventCaseAborted  // ended without a ruling: Case, Text
	EventHead         // the ledger up to Epoch is proven by Count heads
	EventRosterProven // the roster as of Epoch was taken over whole: Count members
	EventResumed      // the ledger up to Epoch, of which an earlier life of this data directory has told, is taken over: Count members are in
	EventBarred       // Text
	EventLifted       // Text
	EventTurnedAway   // asked this seed to be admitted, and no case was opened: Addr, Incarnation, Text
	EventFresh        // the ledger up to Epoch has all that was ruled before the questions up to number Count; if that is not sure, Text says why. The driver answers who asked; no application is told
	EventSeedDiffers  // at a configured seed's address, Addr, By answers, and not as the list of seeds or its pin has it: Text says how, and what would be right
	EventLedgerForked // a seat, Subject at Addr, has signed another ledger, or log of the seeds, than the one here, as of Epoch: Count seats have; Text says which, and what would be right
	EventTwin         // another process runs with this node's identity, at Addr, as Count of its words have shown; Text says so, and what would be right
	EventLeaving      // this peer has asked the seeds to rule that it has left: it is in until they have
	EventLeaveFailed  // they have not in time, and this peer ends: Text
	EventDeaf         // datagrams do not come to this node, as several probes have shown: all goes by stream
	EventHears        // after that, they do
	EventUnheard      // this node lists living members, and has heard none for Took: it may be cut off
	EventHeard        // after that, it has heard one
	EventMemberAway   // the subject says that it is away and back soon: its silence is not held against it for Took. Incarnation
	EventMemberBack   // it is, with a new Incarnation
	EventAwayOver     // it is not, in that time: it is probed again. Incarnation
	EventClockOff     // the clock of a seed, Subject at Addr, differs: this seed's own from those of a quorum, or another's. Text says by how much, and what would be right
	EventLogStalled   // the log of the seeds takes nothing of what this seed asks of it, or lacks, though By leads: Took, Text says since when, and what would be right
	EventLogGoesOn    // after that, it does
	numEventKinds
)

var eventWords = [numEventKinds]string{
	EventJoined: "joined", EventJoinFail: "join-failed", EventRefuted: "refuted", EventLate: "late", EventAlone: "alone", EventMeeting: "meeting",
	EventMemberJoined: "member-joined", EventMemberReturned: "member-returned", EventMemberMoved: "member-moved",
	EventMemberSuspected: "member-suspected", EventMemberDead: "member-dead",
	EventMemberRemoved: "member-removed", EventMemberLeft: "member-left",
	EventMemberForgotten: "member-forgotten", EventNameConflict: "name-conflict",
	EventUnreachable: "unreachable", EventRelayed: "relayed", EventRoundOpened: "round-opened", EventAsked: "asked", EventExamined: "examined",
	EventStatement: "statement", EventCleared: "cleared", EventCondemned: "condemned", EventUndecided: "undecided",
	EventClaimDelayed: "claim-delayed", EventSuspectFreed: "suspect-freed",
	EventRumor: "rumor", EventRumorConflict: "rumor-conflict", EventLinked: "linked", EventUnlinked: "unlinked", EventLagged: "lagged",
	EventSeatFounded: "seat-founded", EventSeatWaiting: "seat-waiting", EventSeatTaken: "seat-taken",
	EventQuorumLost: "quorum-lost", EventQuorumBack: "quorum-back", EventQuorumHeard: "quorum-heard", EventProbeWanted: "probe-wanted",
	EventCaseOpened: "case-opened", EventCaseRefused: "case-refused", EventBallot: "ballot", EventRuled: "ruled",
	EventCaseAborted: "case-aborted", EventHead: "head", EventRosterProven: "roster-proven", EventResumed: "resumed",
	EventBarred: "barred", EventLifted: "lifted", EventTurnedAway: "turned-away",
	EventFresh: "fresh", EventSeedDiffers: "seed-differs", EventLedgerForked: "ledger-forked",
	EventTwin: "twin", EventLeaving: "leaving", EventLeaveFailed: "leave-failed", EventDeaf: "deaf", EventHears: "hears",
	EventUnheard: "hears-nobody", EventHeard: "hears-others", EventClockOff: "clock-off",
	EventMemberAway: "member-away", EventMemberBack: "member-back", EventAwayOver: "away-over",
	EventLogStalled: "log-stalled", EventLogGoesOn: "log-goes-on",
}

// String gives the kind's word.
func (k EventKind) String() string { return word(eventWords[:], int(k)) }

// MarshalText gives the form of String.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes the form of String.
func (k *EventKind) UnmarshalText(text []byte) error {
	return parseWord("event", eventWords[:], text, (*uint8)(k))
}

// Event is something that happened on one node. News between the protocols
// and news to the application are the same events.
type Event struct {
	At          time.Time      `json:"at"` // by the clock of the node
	Kind        EventKind      `json:"kind"`
	Subject     NodeID         `json:"subject,omitzero"`
	Name        string         `json:"name,omitempty"` // the subject's
	By          NodeID         `json:"by,omitzero"`
	ByName      string         `json:"by_name,omitempty"`
	State       State          `json:"state,omitzero"`
	Incarnation Incarnation    `json:"incarnation,omitzero"`
	Addr        netip.AddrPort `json:"addr,omitzero"`
	Round       Round          `json:"round,omitzero"`
	Verdict     Verdict        `json:"verdict,omitzero"`
	Rule        Rule           `json:"rule,omitzero"` // of a case about a removal
	Count       int            `json:"count,omitzero"`
	Took        time.Duration  `json:"took,omitzero"` // nanoseconds
	Text        string         `json:"text,omitempty"`
	Evidence    *Evidence      `json:"evidence,omitempty"`
	Rumor       *Rumor         `json:"rumor,omitempty"` // its data is read only
	Case        CaseID         `json:"case,omitzero"`
	Epoch       Epoch          `json:"epoch,omitzero"`
	Ballot      *Ballot        `json:"ballot,omitempty"`
	Ruling      *Ruling        `json:"ruling,omitempty"` // read only
	Past        bool           `json:"past,omitempty"`   // an earlier life of this data directory has told of it. Of a rumor the application is told again, of all else not
	Before      bool           `json:"before,omitempty"` // the seeds had ruled it when this node, after its start, first heard how far their ledger goes
}
