package quorum

import (
	"time"

	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"
)

// This file bounds what others can have a node do for the ledger in a second.
// Each class of senders has its own share, so strangers that use up theirs leave
// members and seats what they need. The shares add up to what the loop can spare.

// What a node does in a second, for all together, and a tenth of it at once; where many
// senders ask for more, up to twice that (see quota.Share).
const (
	// hellosASecond bounds the hellos that are answered: verifying and signing
	// take about 100 microseconds each, so a tenth of a processor. A thousand peers
	// that start together have met all seeds in some seconds.
	hellosASecond = 1000

	// checksASecond bounds the signatures of heads, and of rulings about seats, that
	// a seed verifies: a fifth of a processor.
	checksASecond = 3000

	// unlistedASecond bounds what is verified of messages of the log that come from
	// the address of no seed, in bytes: a tenth of a processor. Anybody can make
	// them up, and a signature is of all that they carry. A short one counts as
	// unlistedLeast bytes. A seed that has more addresses than the configured one may
	// have to do with that.
	unlistedASecond = 5 << 20
	unlistedLeast   = unlistedASecond / 1000
)

var (
	helloShares    = quota.Split(hellosASecond)
	checkShares    = quota.Split(checksASecond)
	unlistedShares = &quota.Shares{quota.Stranger: {All: quota.Tenth(unlistedASecond), Each: quota.Tenth(unlistedASecond / quota.EachPart)}}
)

// budgets are what a seed does for others.
type budgets struct {
	hellos, checks *quota.Quota
	answers        ledger.Answers
	unlisted       *quota.Quota // for strangers only: all others sit at a seed's address
}

func newBudgets(secret uint64) budgets {
	return budgets{
		hellos: quota.New(secret, helloShares), answers: ledger.NewAnswers(secret),
		checks: quota.New(secret, checkShares), unlisted: quota.New(secret, unlistedShares),
	}
}

// sender tells whose share a packet uses.
func (d *Directory) sender(p *core.Packet) quota.Sender {
	if d.Sender == nil {
		return quota.Sender{Addr: p.Addr}
	}
	return d.Sender(p)
}

// affordsCheck reports whether a sender may have this seed verify a signature.
// The check is counted when it is made: see checked.
func (hs *heads) affordsCheck(now time.Time, from quota.Sender) bool {
	return hs.budgets.checks.Take(now, from, 0)
}

// checked counts signatures that this seed has verified, or is about to.
func (hs *heads) checked(now time.Time, from quota.Sender, n int) {
	hs.budgets.checks.Take(now, from, n)
}
