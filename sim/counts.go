package sim

import (
	"hearsay"
	"hearsay/internal/core"
)

// Counts are the sums over a run. What nodes see is counted on every node that
// saw it: one death known to all of 100 nodes is 100 deaths.
type Counts struct {
	Packets     uint64 `json:"packets"` // datagrams sent
	Bytes       uint64 `json:"bytes"`   // in them, without IP and UDP headers
	Streams     uint64 `json:"streams"` // packets sent by stream
	StreamBytes uint64 `json:"stream_bytes"`
	Received    uint64 `json:"received"`            // packets, either way
	Lost        uint64 `json:"lost"`                // by the network, or at a machine that was down or full
	Unreachable uint64 `json:"unreachable"`         // packets to an address of nobody
	Undialled   uint64 `json:"undialled,omitempty"` // packets by stream of seeds, to which they open none
	Refused     uint64 `json:"refused,omitempty"`   // connections, by a machine without a process
	Duplicated  uint64 `json:"duplicated"`          // datagrams
	HeldBack    uint64 `json:"held_back"`           // datagrams

	Kills      uint64 `json:"kills"`
	Restarts   uint64 `json:"restarts"` // of processes, with their disk or a fresh one
	Pauses     uint64 `json:"pauses"`
	Leaves     uint64 `json:"leaves"`
	Aways      uint64 `json:"aways,omitempty"` // processes that ended in good order, and did not leave
	Partitions uint64 `json:"partitions"`
	Cuts       uint64 `json:"cuts"`
	Slows      uint64 `json:"slows"` // of machines, as the following are
	Drifts     uint64 `json:"drifts"`
	Deaf       uint64 `json:"deaf,omitempty"`       // what comes to them is lost
	Mute       uint64 `json:"mute,omitempty"`       // what they send is lost
	Narrow     uint64 `json:"narrow,omitempty"`     // nothing large gets to them or from them
	Streamless uint64 `json:"streamless,omitempty"` // no stream gets to them or from them
	Streaming  uint64 `json:"streaming,omitempty"`  // they get no datagrams, and are reached by stream
	Lossy      uint64 `json:"lossy,omitempty"`      // some of what they send or receive is lost
	Jumps      uint64 `json:"jumps"`
	SlowDisks  uint64 `json:"slow_disks"`
	TornDisks  uint64 `json:"torn_disks"` // a process ended, and something written was lost
	DiskFails  uint64 `json:"disk_fails"` // syncs that failed

	Moves    uint64 `json:"moves,omitempty"`    // to other addresses
	Fills    uint64 `json:"fills,omitempty"`    // disks that had no room
	Damages  uint64 `json:"damages,omitempty"`  // bits of disks that flipped
	Restores uint64 `json:"restores,omitempty"` // of older copies of disks
	Dooms    uint64 `json:"dooms,omitempty"`    // seeds that stopped on an older copy
	Invented uint64 `json:"invented,omitempty"` // members, by strangers
	// peers that a seed turned away because of a limit, by each time it said so
	Capped      uint64 `json:"capped,omitempty"`
	Clones      uint64 `json:"clones,omitempty"`       // processes that started with a copy of another's disk
	TwinStops   uint64 `json:"twin_stops,omitempty"`   // peers that stopped because another process had their identity
	Clashes     uint64 `json:"clashes,omitempty"`      // names that two had
	Bars        uint64 `json:"bars,omitempty"`         // that seeds had
	Asked       uint64 `json:"asked,omitempty"`        // removals that an operator asked for
	Answered    uint64 `json:"answered,omitempty"`     // of these, the answers of seeds
	Losses      uint64 `json:"losses,omitempty"`       // disks that an operator took from a seed
	Recoveries  uint64 `json:"recoveries,omitempty"`   // of the ledger, from one seed's disk
	Emptied     uint64 `json:"emptied,omitempty"`      // disks of peers that did not follow a recovery
	Puts        uint64 `json:"puts,omitempty"`         // records that clients wrote to the store
	PutsRefused uint64 `json:"puts_refused,omitempty"` // likewise, that were not taken
	Batches     uint64 `json:"batches,omitempty"`      // of several keys
	Deletes     uint64 `json:"deletes,omitempty"`      // of keys
	Syncs       uint64 `json:"syncs,omitempty"`        // messages of exchanges that came to a node
	Repaired    uint64 `json:"repaired,omitempty"`     // values in them that the node had not seen
	Repeated    uint64 `json:"repeated,omitempty"`     // those that it had told that it has
	Crossed     uint64 `json:"crossed,omitempty"`      // and those that have come another way since it asked
	Lies        uint64 `json:"lies,omitempty"`         // of hostile members
	OldReads    uint64 `json:"old_reads,omitempty"`    // rulings read from disk that were not in memory any more

	Suspicions  uint64 `json:"suspicions"`
	Rounds      uint64 `json:"rounds"`
	Statements  uint64 `json:"statements"` // counted by an accuser
	Clearings   uint64 `json:"clearings"`  // enough observers reach the suspect
	Deaths      uint64 `json:"deaths"`
	Refutations uint64 `json:"refutations"`
	Returns     uint64 `json:"returns"` // who was dead, left or suspect is alive again
	Linkings    uint64 `json:"linkings"`

	// Of networks with seeds.
	Admissions uint64 `json:"admissions,omitempty"` // rulings, as the following are
	Removals   uint64 `json:"removals,omitempty"`
	Departures uint64 `json:"departures,omitempty"`
	SeatsGiven uint64 `json:"seats_given,omitempty"` // to a seed that had lost its disk
	Cases      uint64 `json:"cases,omitempty"`       // as seeds opened them
	Ballots    uint64 `json:"ballots,omitempty"`     // as seeds counted them
	Aborts     uint64 `json:"aborts,omitempty"`
	QuorumLost uint64 `json:"quorum_lost,omitempty"` // as seeds felt it
	Promises   uint64 `json:"promises,omitempty"`    // of case files, that came true
	Snapshots  uint64 `json:"snapshots,omitempty"`   // of seeds
	TakenWhole uint64 `json:"taken_whole,omitempty"` // rosters, instead of rulings

	Events uint64 `json:"events"`
}

// act counts what is done to the world, as far as it is done whatever state
// machines are in.
func (c *Counts) act(a *Action) {
	machines := uint64(len(a.Who))
	switch {
	case a.Verb == Partition:
		c.Partitions++
	case a.Verb == Cut:
		c.Cuts++
	case a.Verb == Slow && a.Delay > 0:
		c.Slows += machines
	case a.Verb == Drift && a.Share != 0:
		c.Drifts += machines
	case a.Verb == LossIn && a.Share == 1:
		c.Deaf += machines
	case a.Verb == LossOut && a.Share == 1:
		c.Mute += machines
	case a.Verb == LossDatagrams && a.Share > 0:
		c.Streaming += machines
	case a.Verb == LossStreams && a.Share > 0:
		c.Streamless += machines
	case a.Verb == Narrow && a.Size > 0:
		c.Narrow += machines
	case (a.Verb == Loss || a.Verb == LossIn || a.Verb == LossOut) && a.Share > 0:
		c.Lossy += machines
	case a.Verb == Jump:
		c.Jumps += machines
	case a.Verb == Disk && a.Delay > 0:
		c.SlowDisks += machines
	}
}

// step counts what one step of one node tells.
func (c *Counts) step(e *core.Effects) {
	c.Events += uint64(len(e.Events))
	for i := range e.Events {
		switch e.Events[i].Kind {
		case hearsay.EventMemberSuspected:
			c.Suspicions++
		case hearsay.EventRoundOpened:
			c.Rounds++
		case hearsay.EventStatement:
			c.Statements++
		case hearsay.EventCleared:
			c.Clearings++
		case hearsay.EventMemberReturned:
			c.Returns++
		case hearsay.EventLinked:
			c.Linkings++
		case hearsay.EventMemberDead, hearsay.EventMemberRemoved:
			c.Deaths++
		case hearsay.EventRefuted:
			c.Refutations++
		default:
			c.seeded(&e.Events[i])
		}
	}
	for _, record := range e.Persist {
		if s, is := record.(*core.KeptSnapshot); is && !s.Dropped {
			c.Snapshots++
		}
	}
}

// seeded counts what only networks with seeds have.
func (c *Counts) seeded(e *hearsay.Event) {
	switch e.Kind {
	case hearsay.EventCaseOpened:
		c.Cases++
	case hearsay.EventBallot:
		c.Ballots++
	case hearsay.EventCaseAborted:
		c.Aborts++
	case hearsay.EventQuorumLost:
		if e.Subject.IsZero() { // that of a peer is the peer
			c.QuorumLost++
		}
	case hearsay.EventRosterProven:
		c.TakenWhole++
	case hearsay.EventTurnedAway:
		if e.Reason == hearsay.ReasonLimits {
			c.Capped++
		}
	case hearsay.EventRuled:
		switch e.Ruling.Kind {
		case hearsay.RulingAdmit:
			c.Admissions++
		case hearsay.RulingRemove:
			c.Removals++
		case hearsay.RulingLeave:
			c.Departures++
		case hearsay.RulingSeat:
			c.SeatsGiven++
		}
	}
}
