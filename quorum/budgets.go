package quorum

import (
	"time"

	"hearsay"
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

	// What answers requests for the ledger is bounded in bytes: a request has 48, its
	// answer up to 128 KiB, or a whole roster, which is given to its end once it was
	// begun. Each class has its own share. Strangers are newcomers, and have the
	// least: about 30 answers of 256 rulings (69 KiB). Members that start together
	// all need a roster. Guesses. A short answer counts as answerLeast bytes.
	strangersAnswerBytes = 2 << 20
	membersAnswerBytes   = 16 << 20
	seatsAnswerBytes     = 16 << 20
	answerLeast          = 8 << 10

	// checksASecond bounds the signatures of heads, and of rulings about seats, that
	// a seed verifies: a fifth of a processor.
	checksASecond = 3000

	// followerChecksASecond is the same for a peer, which depends on them: a third.
	followerChecksASecond = 5000

	// unlistedASecond bounds what is verified of messages of the log that come from
	// the address of no seed, in bytes: a tenth of a processor. Anybody can make
	// them up, and a signature is of all that they carry. A short one counts as
	// unlistedLeast bytes. A seed that has more addresses than the configured one may
	// have to do with that.
	unlistedASecond = 5 << 20
	unlistedLeast   = unlistedASecond / 1000
)

// Parts of the classes, in percent. A guess: strangers have most, since newcomers
// are strangers until they are listed, and many may come together.
const (
	strangersPart = 50
	membersPart   = 30
	seatsPart     = 20
)

// eachPart is as which part of a class's share one of its senders may use. What
// quota.Quota gives before it tells senders apart comes on top of that, so one
// sender alone has up to half of the share of its class. Seats are not told
// apart: they are few, and configured.
const eachPart = 4

// answers counts the bytes that answer requests for the ledger.
type answers struct{ bytes *quota.Quota }

func newAnswers(secret uint64) answers { return answers{quota.New(secret, answerShares)} }

// affords reports whether a sender may be answered. The answer is counted when its
// length is known: see sent.
func (a answers) affords(now time.Time, from quota.Sender) bool { return a.bytes.Take(now, from, 0) }

// sent counts an answer of so many bytes.
func (a answers) sent(now time.Time, from quota.Sender, n int) {
	a.bytes.Take(now, from, max(n, answerLeast))
}

// divided is what the classes may use in a second.
func divided(strangers, members, seats int) *quota.Shares {
	share := func(n, each int) quota.Share { return quota.Share{All: rate(n), Each: rate(n / each)} }
	return &quota.Shares{
		quota.Stranger: share(strangers, eachPart), quota.Member: share(members, eachPart), quota.Seat: share(seats, 1),
	}
}

// shares divides what a node does in a second.
func shares(perSecond int) *quota.Shares {
	return divided(perSecond*strangersPart/100, perSecond*membersPart/100, perSecond*seatsPart/100)
}

var (
	answerShares        = divided(strangersAnswerBytes, membersAnswerBytes, seatsAnswerBytes)
	helloShares         = shares(hellosASecond)
	checkShares         = shares(checksASecond)
	followerCheckShares = shares(followerChecksASecond)
	unlistedShares      = &quota.Shares{quota.Stranger: {All: rate(unlistedASecond), Each: rate(unlistedASecond / eachPart)}}
)

// rate is so many a second, and a tenth of it at once.
func rate(n int) quota.Rate { return quota.PerSecond(n, n/10) }

// budgets are what a seed does for others.
type budgets struct {
	hellos, checks *quota.Quota
	answers        answers
	unlisted       *quota.Quota // for strangers only: all others sit at a seed's address
}

func newBudgets(secret uint64) budgets {
	return budgets{
		hellos: quota.New(secret, helloShares), answers: newAnswers(secret),
		checks: quota.New(secret, checkShares), unlisted: quota.New(secret, unlistedShares),
	}
}

// sender tells whose share a packet uses.
func (d *Directory) sender(p *hearsay.Packet) quota.Sender {
	if d.Sender == nil {
		return quota.Sender{Addr: p.Addr}
	}
	return d.Sender(p)
}

// affordsCheck reports whether a sender may have this seed verify a signature.
// The check is counted when it is made: see checked.
func (q *Quorum) affordsCheck(now time.Time, from quota.Sender) bool {
	return q.budgets.checks.Take(now, from, 0)
}

// checked counts signatures that this seed has verified, or is about to.
func (q *Quorum) checked(now time.Time, from quota.Sender, n int) {
	q.budgets.checks.Take(now, from, n)
}
