package hearsay

import (
	"fmt"
	"net/netip"
	"time"
)

// EventKind is what happened.
type EventKind uint8

// The kinds. Subject is the member it is about, By the node that did or said it. Each says which further
// fields are set.
const (
	// This node itself.

	// This node has the roster of a member: By, Count members. With seeds: it is in by Epoch, Count peers that are.
	EventJoined   EventKind = iota + 1
	EventJoinFail           // a contact did not answer: Addr, Text
	// This node was claimed suspect or dead, and raised its Incarnation; State is what was claimed, By the
	// accuser. State alive: a word of its own key that it does not know of was newer, and of Addr.
	EventRefuted
	EventLate  // this node was paused or starved; it accuses nobody for a while: Took
	EventAlone // no other member is left
	// Subject, not listed, answers at a configured contact, Addr: another network, or part of this one, of which
	// all are taken in.
	EventMeeting

	// Members.
	EventMemberJoined // first heard of: Addr, Incarnation
	// It was dead, left or suspect and is alive again: State is what it was, Incarnation.
	EventMemberReturned
	EventMemberMoved     // a new address, signed by itself: Addr
	EventMemberSuspected // State suspect from now: By the accuser
	EventMemberDead      // found dead, without seeds: By the member that condemned it, Evidence
	EventMemberRemoved   // out by a ruling of the seeds: By its reporter, Evidence; it may live
	EventMemberLeft      // State left from now
	EventMemberForgotten // dropped from the roster
	// Subject and By are two living members of one name: Addr of Subject, Text says both ids and addresses.
	EventNameConflict

	// Decisions. They tell the story of a case.
	// This node's detector had no answer: Count relays asked, Heard of them have said that they have none, either; Took.
	EventUnreachable
	// This node's detector had no answer, and By, a relay, says that the subject answers it.
	EventRelayed
	EventRoundOpened // this node asked the observers: Round, Count of them
	// This node, an observer, was asked to probe: By the accuser, Round, Addr of the subject.
	EventAsked
	// This node, an observer or a seed, has probed: Addr, Round, Verdict, Count pings sent, Took. No application
	// of a seed is told.
	EventExamined
	EventStatement    // a statement was counted: By the observer, Round, Verdict
	EventCleared      // enough observers reach it: Round, Count of them
	EventCondemned    // enough observers do not: Round, Evidence
	EventUndecided    // a round closed without a decision: Round, Count against
	EventClaimDelayed // a death is told first to its subject, which is no suspect here: By
	EventSuspectFreed // this node's own probe reached a suspect: the suspicion here ends

	// Rumors and links.
	EventRumor // delivered: Subject its origin, By the node that passed it on, Count hops, Rumor
	// Another payload under a number that is taken was kept out: Subject its origin, By its sender, Text.
	EventRumorConflict
	EventLinked   // Subject is a neighbor from now
	EventUnlinked // and no longer

	// The store.
	EventKeyChanged // a key has other values here than before: Change
	// this node, which came in Took ago, holds what By holds of the store: Count values
	EventStoreCaughtUp

	// The stream of events.
	EventLagged // a subscriber fell behind: Count events were lost to it

	// Seeds, and what they decide.
	EventSeatFounded // the network was founded: Count seeds, Text if there are more
	EventSeatWaiting // this seed has no seat yet: Text says for which seeds it waits
	EventSeatTaken   // this seed has its seat
	// no quorum of seeds is heard: nobody is admitted or removed meanwhile. Text says why, if that is known; of a peer
	// Subject is the peer
	EventQuorumLost
	EventQuorumBack  // after that, one is: By the seed that leads; of a peer nobody
	EventQuorumHeard // a quorum is heard for the first time since this node's start: By the seed that leads
	// This seed wants the subject probed now: Addr, Round. No application is told.
	EventProbeWanted
	// Case, Addr or Epoch of the stay, By the reporter, or the node that an operator has asked, Count ballots needed,
	// Text what is wanted, Rule of a removal, Evidence.
	EventCaseOpened
	EventCaseRefused  // what was asked opened no case, or a ballot did not count: Text
	EventBallot       // counted: Case, Ballot, By the seed, Text its reason in words
	EventRuled        // decided and durable on a quorum: Epoch, Ruling, Count ballots needed, Evidence
	EventCaseAborted  // ended without a ruling: Case, Reason, Text
	EventHead         // the ledger up to Epoch is proven by Count heads
	EventRosterProven // the roster as of Epoch was taken over whole: Count members
	// The ledger up to Epoch, of which an earlier life of this data directory has told, is taken over: Count
	// members are in.
	EventResumed
	EventBarred // Text
	EventLifted // Text
	// Asked this seed to be admitted, and no case was opened: Addr, Incarnation, Text, Reason.
	EventTurnedAway
	// The ledger up to Epoch has all that was ruled before the questions up to number Count; if that is not sure,
	// Text says why. The driver answers the caller; no application is told.
	EventFresh
	// At a configured seed's address, Addr, By answers, and not as the list of seeds or its pin has it: Text says
	// how, and what would be right.
	EventSeedDiffers
	// A seat, Subject at Addr, has signed another ledger, or log of the seeds, than the one here, as of Epoch:
	// Count seats have; Text says which, and what would be right.
	EventLedgerForked
	// Another process runs with this node's identity, at Addr, as Count of its words have shown; Text says so, and
	// what would be right.
	EventTwin
	EventLeaving     // this peer has asked the seeds to rule that it has left: it is in until they have
	EventLeaveFailed // they have not in time, and this peer ends: Text
	// Datagrams do not come to this node, as several probes have shown: all goes by stream.
	EventDeaf
	EventHears   // after that, they do
	EventUnheard // this node lists living members, and has heard none for Took: it may be cut off
	// No living member has answered this node for Took, though it hears some: what it sends may not go out.
	EventUnanswered
	EventHeard // after one of these, it hears others, and they answer it
	// Nothing large gets from this node to the subject, at Addr, though small packets do, as several tests have shown; or,
	// if it is this node, to any other: Text.
	EventNarrow
	EventWide // that is over: Text says whether it does, or no datagram gets there at all
	// No stream (TCP) gets from this node to the subject, at Addr, though datagrams do, as several tests have shown; or,
	// if it is this node, to any other: Text.
	EventStreamsLost
	EventStreamsBack // that is over: Text
	// The subject says that it is away and back soon: its silence is not held against it for Took. Incarnation.
	EventMemberAway
	EventMemberBack // it is, with a new Incarnation
	EventAwayOver   // it is not, in that time: it is probed again. Incarnation
	// The clock of a seed, Subject at Addr, differs: this seed's own from those of a quorum, or another's. Text
	// says by how much, and what would be right.
	EventClockOff
	// The log of the seeds takes nothing of what this seed asks of it, or lacks, though By leads: Took, Text says
	// since when, and what would be right.
	EventLogStalled
	EventLogGoesOn // after that, it does
	// A seed, at Addr, answers this peer, which asks to be in, otherwise than before: Outcome, 0 if there was no
	// answer in time; Text.
	EventSeedAnswered
	// just so many seeds are left as decide: Count of them, Text says which are not, since when, and what would be right
	EventLastQuorum
	EventQuorumSpare // after that, more are there
	// Nothing comes to this node itself from the subject, at Addr, for Took, though others reach it.
	EventIndirect
	EventDirect // that is over: Text says whether it answers, or is no living member any more
	// The subject, at Addr, says that nothing large, or no stream, gets from it to this node, though other packets
	// do: Text.
	EventLostHere
	EventComesHere // that is over: Text
	EventNoPart    // this seed takes no part in what the seeds decide: Text says why
	EventTakesPart // after that, it does, or another trouble is told in its place
	EventApart     // this node is in by a ledger that is not the seeds': Text says which seeds are others
	EventApartOver // that is over
	// No seed takes this peer's report of the subject: Addr of the one that was asked last, Text says since when, and why.
	EventUntaken
	EventTaken // that is over for all of its reports
	// An operator has asked the seeds through this node that the subject be out: Epoch of the stay.
	EventRemovalAsked
	// New writers of the store are refused, as Count lives of writers are known, the most there may be: Text.
	EventWritersFull
	EventWritersRoom // that is over
	numEventKinds
)

// The levels of events, as log/slog counts.
const (
	debug   = -4
	info    = 0
	warning = 4
	failure = 8
)

// eventKinds is all that is fixed about a kind. A new kind is added here and above, and nowhere else.
var eventKinds = [numEventKinds]struct {
	word  string // in JSON, and for people
	level int
	title string // for a log, where the fields stand beside it
	story string // what the node that tells it does, for Event.Story
	own   string // likewise, where the subject is that node; "": as any other
}{
	EventJoined:          {"joined", info, "Joined the network", "is in[: has the roster of {by}, {members}][: its stay begins with epoch {stay}]", ""},
	EventJoinFail:        {"join-failed", warning, "A contact did not answer", "could not join through {addr}: {text}", ""},
	EventRefuted:         {"refuted", warning, "Refuted a claim about this node", "hears that it is {state} (by {by}) and refutes", ""},
	EventLate:            {"late", warning, "This node was paused or starved; it accuses nobody for a while", "finds itself late by {took}", ""},
	EventAlone:           {"alone", warning, "No other member is left", "is alone", ""},
	EventMeeting:         {"meeting", info, "Met another network, or another part of this one, at a contact: they become one", "meets {subject} at a contact", ""},
	EventMemberJoined:    {"member-joined", info, "A member joined", "hears of {subject}", ""},
	EventMemberReturned:  {"member-returned", info, "A member is alive again", "holds {subject} alive again, which was {state}", ""},
	EventMemberMoved:     {"member-moved", info, "A member has a new address", "hears that {subject} is now at {addr}", ""},
	EventMemberSuspected: {"member-suspected", warning, "A member is suspect", "holds {subject} suspect, accused by {by}", ""},
	EventMemberDead:      {"member-dead", warning, "A member is dead", "holds {subject} dead[: {evidence}]", ""},
	EventMemberRemoved:   {"member-removed", warning, "A member was removed", "no longer lists {subject}, which the seeds removed[: {evidence}]", ""},
	EventMemberLeft:      {"member-left", info, "A member left", "hears that {subject} has left", "leaves"},
	EventMemberForgotten: {"member-forgotten", info, "A member was forgotten", "forgets {subject}", ""},
	EventNameConflict:    {"name-conflict", failure, "Two living members bear one name", "sees two members of one name: {name}", ""},
	EventUnreachable:     {"unreachable", info, "A member did not answer", "has no answer of {subject} for {took}; {relays}", ""},
	EventRelayed:         {"relayed", debug, "A member did not answer, and answers others", "gets no answer from {subject}, which {by} says that it reaches", ""},
	EventRoundOpened:     {"round-opened", info, "Asked the observers of a member", "asks the {count} observers of {subject}", ""},
	EventAsked:           {"asked", debug, "Asked to probe a member as its observer", "is asked by {by} to probe {subject}", ""},
	EventExamined:        {"examined", debug, "Probed a member as its observer", "has pinged {subject} {count} times in {took}: {verdict}", ""},
	EventStatement:       {"statement", debug, "Counted an observer's statement", "counts the statement of {by} on {subject}: {verdict}", ""},
	EventCleared:         {"cleared", info, "The observers reach the member", "clears {subject}: {count} observers reach it", ""},
	EventCondemned:       {"condemned", warning, "The observers do not reach the member", "condemns {subject}[: {evidence}]", ""},
	EventUndecided:       {"undecided", info, "A round closed without a decision", "comes to no decision on {subject}: {count} against", ""},
	EventClaimDelayed:    {"claim-delayed", info, "A death is told to its subject first", "is told by {by} that {subject} is dead, which answered lately: asks it first", ""},
	EventSuspectFreed:    {"suspect-freed", info, "A suspect answered this node", "has an answer of {subject}, and suspects it no more", ""},
	EventRumor:           {"rumor", debug, "Heard a rumor", "hears rumor {number} of {subject} from {by}, over {count} hops", "says its rumor {number}: {data}"},
	EventRumorConflict:   {"rumor-conflict", warning, "Kept out another payload under a number that is taken", "keeps out another payload of {subject} under a number that is taken, from {by}", ""},
	EventLinked:          {"linked", debug, "A member is a neighbor", "links with {subject}", ""},
	EventKeyChanged:      {"key-changed", debug, "A key has another value", "has another value of key {text}", ""},
	EventStoreCaughtUp:   {"store-caught-up", info, "Holds what another member holds of the store", "holds what {by} holds of the store: {count} values", ""},
	EventUnlinked:        {"unlinked", debug, "A member is no neighbor any more", "links no longer with {subject}", ""},
	EventLagged:          {"lagged", failure, "Events were lost here", "lost {count} events", ""},
	EventSeatFounded:     {"seat-founded", info, "The network is founded", "founds the network with {count} seeds[, {text}]", ""},
	EventSeatWaiting:     {"seat-waiting", warning, "This seed has no seat yet", "waits for its seat[ (told by {by})]: {text}", ""},
	EventSeatTaken:       {"seat-taken", info, "This seed has its seat", "has its seat", ""},
	EventQuorumLost:      {"quorum-lost", warning, "No quorum of seeds is heard; as far as this node knows, nobody is admitted or removed meanwhile", "hears no quorum of seeds: {count} are needed[: {text}]", ""},
	EventQuorumBack:      {"quorum-back", info, "A quorum of seeds is heard again", "hears a quorum of seeds[, {by} leads]", ""},
	EventQuorumHeard:     {"quorum-heard", info, "A quorum of seeds is heard", "hears a quorum of seeds, {by} leads", ""},
	EventProbeWanted:     {"probe-wanted", debug, "Wants a node probed", "probes {subject}", ""},
	EventCaseOpened:      {"case-opened", info, "A case was opened", "opens a case on {subject}: {text}[, reported by {by}][: {evidence}]; {count} ballots needed", ""},
	EventCaseRefused:     {"case-refused", info, "No case was opened", "opens no case on {subject}: {text}", ""},
	EventBallot:          {"ballot", debug, "A ballot was counted", "counts the ballot of {by} on {subject}: {ballot}, {text}", ""},
	EventRuled:           {"ruled", info, "The seeds have ruled", "has epoch {epoch}: {text} {subject}[, by {ballots}]", ""},
	EventCaseAborted:     {"case-aborted", info, "A case ended without a ruling", "closes the case on {subject}: {text}", ""},
	EventHead:            {"head", debug, "The ledger is proven", "has epoch {epoch} proven by {count} heads", ""},
	EventRosterProven:    {"roster-proven", info, "Took over the roster", "takes over the roster of epoch {epoch} whole: {members}", ""},
	EventResumed:         {"resumed", info, "Took over what an earlier life was told; only what is new is told from here on", "takes over what its earlier life was told, up to epoch {epoch}: {members}", ""},
	EventBarred:          {"barred", warning, "A node was barred", "has it that {subject} is barred[: {text}]", ""},
	EventLifted:          {"lifted", info, "The bar of a node was lifted", "has it that the bar of {subject} is lifted[: {text}]", ""},
	EventTurnedAway:      {"turned-away", warning, "A node was refused admission", "turns away {subject}: {text}", ""},
	EventFresh:           {word: "fresh"},
	EventSeedDiffers:     {"seed-differs", warning, "A seed is not as the list of seeds has it", "finds a seed that is not as listed: {text}", ""},
	EventLedgerForked:    {"ledger-forked", failure, "A seed has signed another ledger than the one here", "finds another ledger, which {count} seats have signed: {text}", ""},
	EventTwin:            {"twin", failure, "Another process runs with this node's identity", "hears that another process has its identity, at {addr}", ""},
	EventLeaving:         {"leaving", info, "Asks the seeds to rule that this node has left", "asks the seeds to rule that it has left", ""},
	EventLeaveFailed:     {"leave-failed", failure, "The leave failed", "ends, and is in: {text}", ""},
	EventDeaf:            {"deaf", warning, "Datagrams (UDP) do not get through to or from this node; all goes by stream (TCP)", "gets no datagrams: all goes by stream", ""},
	EventHears:           {"hears", info, "Datagrams (UDP) get through again", "gets datagrams again", ""},
	EventUnheard:         {"hears-nobody", failure, "This node hears nobody, though it lists others; it may be cut off, and may be held dead by them", "has heard nobody for {took}", ""},
	EventUnanswered:      {"unanswered", failure, "Nobody answers this node, though it hears others; what it sends may not go out, and it may be held dead by them", "has had no answer of anybody for {took}", ""},
	EventHeard:           {"hears-others", info, "This node hears others again", "hears others again", ""},
	EventNarrow:          {"narrow", warning, "Nothing large gets through, though small packets do: rumors, rosters and the log of seeds may be lost", "finds that nothing large gets to {subject}", "finds that nothing large gets from it to others"},
	EventWide:            {"wide", info, "It is no longer so that nothing large gets through", "no longer finds that nothing large gets to {subject}[: {text}]", "no longer finds that nothing large gets from it to others[: {text}]"},
	EventStreamsLost:     {"streams-lost", warning, "No stream (TCP) gets through, though datagrams (UDP) do: what is longer than a datagram is lost", "finds that no stream gets to {subject}", "finds that no stream gets from it to others"},
	EventStreamsBack:     {"streams-back", info, "It is no longer so that no stream (TCP) gets through", "no longer finds that no stream gets to {subject}[: {text}]", "no longer finds that no stream gets from it to others[: {text}]"},
	EventMemberAway:      {"member-away", info, "A member ends and is started again, as it says; its silence is not held against it for a while", "hears that {subject} is away, and holds nothing against it for {took}", ""},
	EventMemberBack:      {"member-back", info, "A member is back", "hears that {subject} is back", ""},
	EventAwayOver:        {"away-over", warning, "A member is not back in time; it is probed again", "sees that {subject} is not back in time", ""},
	EventClockOff:        {"clock-off", warning, "A clock differs from those of the seeds", "finds a clock that differs: {text}", ""},
	EventLogStalled:      {"log-stalled", failure, "The log of the seeds does not go on", "finds that the log does not go on: {text}", ""},
	EventLogGoesOn:       {"log-goes-on", info, "The log of the seeds goes on", "finds that the log goes on", ""},
	EventSeedAnswered:    {"seed-answered", info, "A seed has answered whether it lets this node in", "asks the seed at {addr} to be let in[: {outcome}][: {text}]", ""},
	EventLastQuorum:      {"last-quorum", warning, "Just a quorum of seeds is left; if one more fails, nobody is admitted or removed", "finds that {text}", ""},
	EventQuorumSpare:     {"quorum-spare", info, "More than just a quorum of seeds is left again", "finds that more than just a quorum of seeds is left again", ""},
	EventIndirect:        {"indirect", warning, "No answer comes to this node itself from a member, though others reach it", "has had no answer from {subject} itself for {took}, which others reach", ""},
	EventDirect:          {"direct", info, "It is no longer so that a member answers others only", "no longer finds that {subject} answers others only[: {text}]", ""},
	EventLostHere:        {"lost-here", warning, "A member says that not all that it sends gets to this node", "is told by {subject}: {text}", ""},
	EventNoPart:          {"no-part", failure, "This seed takes no part now in what the seeds decide", "takes no part in what the seeds decide: {text}", ""},
	EventTakesPart:       {"takes-part", info, "It is no longer so that this seed takes no part in what the seeds decide", "no longer finds that it takes no part in what the seeds decide", ""},
	EventApart:           {"apart", failure, "This node is in by a ledger that is not the seeds': nobody follows it", "finds that it is in by a ledger that is not the seeds'[: {text}]", ""},
	EventApartOver:       {"apart-over", info, "It is no longer so that this node is in by a ledger that is not the seeds'", "no longer finds that its ledger is not the seeds'", ""},
	EventUntaken:         {"untaken", warning, "No seed takes this node's report of a member", "finds that no seed takes its report of {subject} since {text}", ""},
	EventTaken:           {"taken", info, "It is no longer so that no seed takes this node's reports", "no longer finds that no seed takes its reports", ""},
	EventRemovalAsked:    {"removal-asked", warning, "An operator asks the seeds to remove a member", "is asked by an operator to have {subject} removed", ""},
	EventWritersFull:     {"writers-full", warning, "New writers of the store are refused: as many are known as may be", "takes no new writer of the store: {count} are known", ""},
	EventWritersRoom:     {"writers-room", info, "It is no longer so that new writers of the store are refused", "takes new writers of the store again", ""},
	EventComesHere:       {"comes-here", info, "It is no longer so that not all that a member sends gets to this node", "finds of {subject}: {text}", ""},
}

// String gives the kind's word.
func (k EventKind) String() string {
	if int(k) < len(eventKinds) && eventKinds[k].word != "" {
		return eventKinds[k].word
	}
	return fmt.Sprintf("unknown(%d)", k)
}

// Title is what stands in a log for events of this kind, beside their fields; "" of a kind that no
// application is told, or that there is not.
func (k EventKind) Title() string {
	if int(k) >= len(eventKinds) {
		return ""
	}
	return eventKinds[k].title
}

// Level is how weighty events of this kind are, as log/slog counts; that of info if there is no such kind.
func (k EventKind) Level() int {
	if int(k) >= len(eventKinds) {
		return info
	}
	return eventKinds[k].level
}

// MarshalText gives the form of String.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes the form of String.
func (k *EventKind) UnmarshalText(text []byte) error {
	words := make([]string, numEventKinds)
	for kind := range words {
		words[kind] = eventKinds[kind].word
	}
	return parseWord("event", words, text, (*uint8)(k))
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
	Heard       int            `json:"heard,omitzero"`
	Took        time.Duration  `json:"took,omitzero"` // nanoseconds
	Text        string         `json:"text,omitempty"`
	Evidence    *Evidence      `json:"evidence,omitempty"`
	Change      *KeyChange     `json:"change,omitempty"`
	Rumor       *Rumor         `json:"rumor,omitempty"` // its data is read only
	Case        CaseID         `json:"case,omitzero"`
	Epoch       Epoch          `json:"epoch,omitzero"`
	Outcome     OutcomeCode    `json:"outcome,omitzero"`
	Reason      Reason         `json:"reason,omitzero"` // Text says it in words
	Ballot      *Ballot        `json:"ballot,omitempty"`
	Ruling      *Ruling        `json:"ruling,omitempty"` // read only
	// an earlier life of this data directory has told of it. Of a rumor the application is told again, of all
	// else not
	Past bool `json:"past,omitempty"`
	// the seeds had ruled it when this node first heard how far their ledger goes, and before this node's start, as the
	// ruling says
	Before bool `json:"before,omitempty"`
	// this node took itself for cut off when it accused the subject, or the accuser that it refuted was not alive here:
	// that says little of the subject
	CutOff bool `json:"cut_off,omitempty"`
}
