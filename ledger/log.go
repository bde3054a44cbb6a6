package ledger

import (
	"encoding/binary"

	"hearsay"
	"hearsay/internal/canonical"
	"hearsay/internal/core"
)

// Operation is what a command asks for.
type Operation uint8

// The operations. Their numbers are in logs on disk, and never used again for
// another.
const (
	OpAdmit  Operation = iota + 1 // opens a case: claim
	OpRemove                      // opens a case: stay, rule, by, evidence if the rule is majority or timeout
	OpSeat                        // opens a case: seat
	OpBallot                      // ballot
	OpLeave                       // leave
	OpExpire                      // case: it ends without a ruling
	OpBar                         // id, seen, why: nobody admits it from now
	OpLift                        // id, seen, why: the bar ends
	OpMove                        // claim: a member's signed word where it is now
	OpLimits                      // limits: a seat's signed word which limits it was told
)

// Command is one change that an entry of the log asks for. An entry is a
// version byte, the number of commands in two bytes, and the commands:
//
//	operation 1 · at 8 · proposer 1 · what the operation names, in canonical bytes
type Command struct {
	Op       Operation
	At       int64 // Unix milliseconds, by the clock of the seed that proposed it
	Proposer uint8 // its slot: what it says of itself, for the record only
	Claim    hearsay.Claim
	Stay     hearsay.Stay
	Rule     hearsay.Rule
	By       hearsay.NodeID
	Evidence *hearsay.Evidence
	Seat     hearsay.Seat
	Ballot   hearsay.Ballot
	Leave    core.Leave
	Limits   core.LimitsWord
	CaseID   hearsay.CaseID
	ID       hearsay.NodeID
	Seen     uint64 // the entry that the proposer had applied: an older word about bars does not undo a newer one
	Why      string
}

const (
	// LogVersion is of what readCommand reads. It rises with each change of that: seeds that read the
	// same entry differently come to different ledgers.
	LogVersion = 3
)

// Versions is what this program reads and writes.
func Versions() core.LogVersions {
	return core.LogVersions{Log: LogVersion, Snapshot: SnapshotVersion}
}

// AppendEntry writes what one entry holds.
func AppendEntry(dst []byte, commands []Command) []byte {
	dst = append(dst, LogVersion)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(commands)))
	for i := range commands {
		dst = commands[i].Append(dst)
	}
	return dst
}

// ReadEntry reads what appendEntry wrote. Not ok is an entry that no seed of
// ours wrote: it changes nothing, on every seed alike.
func ReadEntry(data []byte) (commands []Command, ok bool) {
	r := core.NewCanonical(data)
	if r.Byte() != LogVersion {
		return nil, false
	}
	n := int(r.Byte())<<8 | int(r.Byte())
	if n > hearsay.CasesAnEntry {
		return nil, false
	}
	for range n {
		commands = append(commands, readCommand(r))
		if r.Failed() {
			return nil, false
		}
	}
	if r.Left() > 0 || r.Failed() {
		return nil, false
	}
	return commands, true
}

// Append appends the canonical bytes.
func (c *Command) Append(dst []byte) []byte {
	dst = append(dst, byte(c.Op))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.At))
	dst = append(dst, c.Proposer)
	switch c.Op {
	case OpAdmit, OpMove:
		return c.Claim.AppendBinary(dst)
	case OpRemove:
		dst = hearsay.AppendStay(dst, c.Stay)
		dst = append(append(dst, byte(c.Rule)), c.By[:]...)
		if c.Rule.Observed() {
			dst = c.Evidence.AppendBinary(dst)
		}
	case OpSeat:
		return hearsay.AppendSeats(dst, []hearsay.Seat{c.Seat})
	case OpBallot:
		return c.Ballot.AppendBinary(dst)
	case OpLeave:
		return append(hearsay.AppendStay(dst, c.Leave.Stay), c.Leave.Signature[:]...)
	case OpExpire:
		return binary.BigEndian.AppendUint64(dst, uint64(c.CaseID))
	case OpLimits:
		return c.Limits.AppendBinary(dst)
	case OpBar, OpLift:
		return canonical.AppendText(binary.BigEndian.AppendUint64(append(dst, c.ID[:]...), c.Seen), c.Why)
	}
	return dst
}

func readCommand(r *core.Canonical) Command {
	c := Command{Op: Operation(r.Byte()), At: int64(r.Uint64()), Proposer: r.Byte()}
	switch c.Op {
	case OpAdmit, OpMove:
		c.Claim = r.Claim()
	case OpRemove:
		c.Stay, c.Rule, c.By = r.Stay(), hearsay.Rule(r.Byte()), r.NodeID()
		switch {
		case c.Rule.Observed():
			c.Evidence = r.Evidence()
		case c.Rule != hearsay.RuleTrial && c.Rule != hearsay.RuleWatch:
			r.Fail()
		}
	case OpSeat:
		if seats := r.Seats(); len(seats) == 1 {
			c.Seat = seats[0]
		} else {
			r.Fail()
		}
	case OpBallot:
		c.Ballot = r.Ballot()
	case OpLeave:
		c.Leave = core.Leave{Stay: r.Stay(), Signature: r.Signature()}
	case OpExpire:
		c.CaseID = hearsay.CaseID(r.Uint64())
	case OpLimits:
		c.Limits = r.LimitsWord()
	case OpBar, OpLift:
		c.ID, c.Seen, c.Why = r.NodeID(), r.Uint64(), r.Text()
	default:
		r.Fail()
	}
	return c
}

// CaseIDAt is the id of a case that a command of an entry opens.
func CaseIDAt(index uint64, at int) hearsay.CaseID {
	return hearsay.CaseID(index*hearsay.CasesAnEntry + uint64(at))
}

// Bars reports whether a command sets a bar, or ends one.
func (c *Command) Bars() bool { return c.Op == OpBar || c.Op == OpLift }
