package quorum

import (
	"encoding/binary"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
)

// operation is what a command asks for.
type operation uint8

// The operations. Their numbers are in logs on disk, and never used again for
// another.
const (
	opAdmit  operation = iota + 1 // opens a case: claim
	opRemove                      // opens a case: stay, rule, by, evidence if the rule is majority or timeout
	opSeat                        // opens a case: seat
	opBallot                      // ballot
	opLeave                       // leave
	opExpire                      // case: it ends without a ruling
	opBar                         // id, seen, why: nobody admits it from now
	opLift                        // id, seen, why: the bar ends
	opMove                        // claim: a member's signed word where it is now
	opLimits                      // limits: a seat's signed word which limits it was told
)

// command is one change that an entry of the log asks for. An entry is a
// version byte, the number of commands in two bytes, and the commands:
//
//	operation 1 · at 8 · proposer 1 · what the operation names, in canonical bytes
type command struct {
	op       operation
	at       int64 // Unix milliseconds, by the clock of the seed that proposed it
	proposer uint8 // its slot: what it says of itself, for the record only
	claim    hearsay.Claim
	stay     hearsay.Stay
	rule     hearsay.Rule
	by       hearsay.NodeID
	evidence *hearsay.Evidence
	seat     hearsay.Seat
	ballot   hearsay.Ballot
	leave    hearsay.Leave
	limits   hearsay.LimitsWord
	caseID   hearsay.CaseID
	id       hearsay.NodeID
	seen     uint64 // the entry that the proposer had applied: an older word about bars does not undo a newer one
	why      string
}

const (
	// logVersion is of what readCommand reads. It rises with each change of that: seeds that read the
	// same entry differently come to different ledgers.
	logVersion = 2

	// maxEntryBytes bounds an entry: some 60 ballots. A step of the leader signs it for each of
	// the other seeds, at some 4 µs a KiB.
	maxEntryBytes = 16 << 10
)

// appendEntry writes what one entry holds.
func appendEntry(dst []byte, commands []command) []byte {
	dst = append(dst, logVersion)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(commands)))
	for i := range commands {
		dst = commands[i].append(dst)
	}
	return dst
}

// ofThisVersion reports whether an entry is one that this version may have written, by its first
// byte. An entry of a leader that has just been elected is empty.
func ofThisVersion(e *hearsay.LogEntry) bool {
	return e.Type != uint8(raftpb.EntryNormal) || len(e.Data) == 0 || e.Data[0] == logVersion
}

// readEntry reads what appendEntry wrote. Not ok is an entry that no seed of
// ours wrote: it changes nothing, on every seed alike.
func readEntry(data []byte) (commands []command, ok bool) {
	r := hearsay.NewCanonical(data)
	if r.Byte() != logVersion {
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

func (c *command) append(dst []byte) []byte {
	dst = append(dst, byte(c.op))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.at))
	dst = append(dst, c.proposer)
	switch c.op {
	case opAdmit, opMove:
		return c.claim.AppendBinary(dst)
	case opRemove:
		dst = hearsay.AppendStay(dst, c.stay)
		dst = append(append(dst, byte(c.rule)), c.by[:]...)
		if c.rule.Observed() {
			dst = c.evidence.AppendBinary(dst)
		}
	case opSeat:
		return hearsay.AppendSeats(dst, []hearsay.Seat{c.seat})
	case opBallot:
		return c.ballot.AppendBinary(dst)
	case opLeave:
		return append(hearsay.AppendStay(dst, c.leave.Stay), c.leave.Signature[:]...)
	case opExpire:
		return binary.BigEndian.AppendUint64(dst, uint64(c.caseID))
	case opLimits:
		return c.limits.AppendBinary(dst)
	case opBar, opLift:
		return hearsay.AppendText(binary.BigEndian.AppendUint64(append(dst, c.id[:]...), c.seen), c.why)
	}
	return dst
}

func readCommand(r *hearsay.Canonical) command {
	c := command{op: operation(r.Byte()), at: int64(r.Uint64()), proposer: r.Byte()}
	switch c.op {
	case opAdmit, opMove:
		c.claim = r.Claim()
	case opRemove:
		c.stay, c.rule, c.by = r.Stay(), hearsay.Rule(r.Byte()), r.NodeID()
		switch {
		case c.rule.Observed():
			c.evidence = r.Evidence()
		case c.rule != hearsay.RuleTrial && c.rule != hearsay.RuleWatch:
			r.Fail()
		}
	case opSeat:
		if seats := r.Seats(); len(seats) == 1 {
			c.seat = seats[0]
		} else {
			r.Fail()
		}
	case opBallot:
		c.ballot = r.Ballot()
	case opLeave:
		c.leave = hearsay.Leave{Stay: r.Stay(), Signature: r.Signature()}
	case opExpire:
		c.caseID = hearsay.CaseID(r.Uint64())
	case opLimits:
		c.limits = r.LimitsWord()
	case opBar, opLift:
		c.id, c.seen, c.why = r.NodeID(), r.Uint64(), r.Text()
	default:
		r.Fail()
	}
	return c
}
