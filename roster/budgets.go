package roster

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quota"
)

// budgets are what this node does for others: signatures that it checks, examinations, and answers. Each sender and
// each class of senders has its share.
type budgets struct {
	*part
	spent    map[hearsay.NodeID]allowance
	sender   func(*core.Packet) quota.Sender // see TellApart
	verifies *quota.Quota                    // signatures
	examines *quota.Quota                    // examinations that others ask for
	answers  *quota.Quota                    // bytes of answers about the roster
	work     int                             // on claims in this step
}

// allowance is up to when a member has spent what it may, by runs. Few have lately, so it is no part of a member.
type allowance struct {
	answered time.Duration // of answers
	renewed  time.Duration // of newer words of its own
	away     time.Duration // of words that it is away
}

// Signatures of claims, at some 70 µs each: at once as many as a roster of thousands has, and then an eighth of a
// processor, for all classes of senders together, and where many bring them up to twice that (see quota.Share).
// Strangers may be newcomers, or members that this node has believed to be gone; they bring less at once. One sender
// has up to half of what its class has. Seats are few, and configured.
var verifyShares = &quota.Shares{
	quota.Stranger: {All: quota.PerSecond(800, 4096), Each: quota.PerSecond(200, 1024)},
	quota.Member:   {All: quota.PerSecond(800, 8192), Each: quota.PerSecond(200, 2048)},
	quota.Seat:     {All: quota.PerSecond(400, 8192), Each: quota.PerSecond(400, 8192)},
}

// Newer words of one member: each is told to everybody, and may be written to disk. An honest one refutes every
// refuteEvery; half of that, and some at once, leave room for words that took longer than those after them.
const (
	renewAtOnce = 8
	renewEach   = refuteEvery / 2
)

// awayEach is how often such a word of one member counts: two at once, and one a minute. A member that were
// held whenever it says so would never be found dead, be it alive or others that have words that it has signed
// in advance. A guess: what is restarted more often is not well.
const awayEach = time.Minute

// An examination that a stranger asks for has the node ping a member nine times. A stranger here is anybody whose
// packets come from where the roster does not have the member that they name: it may be that member behind an address
// translation, and asks again three times a second. So by chance one in so many of its requests is taken that what they
// cause is no more than three times what was sent, however fast they come.
const (
	// pings with what rides on them, acks and the statement, in all. As sim's attack "amplify" measures it
	examinationBytes = 1200
	// times as many bytes as a stranger sends may be so caused, in the mean: what is caused besides is up to once
	examinationTimes = 2
)

// examinationShares are the examinations that strangers ask for: few beside the 64 that may be under way, up to twice
// as many where many ask (see quota.Share). A member has a limit of its own; see examine.
var examinationShares = &quota.Shares{
	quota.Stranger: {All: quota.PerSecond(8, 16), Each: quota.PerSecond(4, 8)},
}

// What one member may have answered that costs more than the question: a whole roster a second, or four steps of an
// exchange (an honest member begins one in that time, of two steps), or fifty times evidence, and a hundred at once,
// when many have died. A newcomer that asks twice, because the first roster is slow, has what it needs.
const (
	priceRoster   = time.Second
	pricePart     = priceRoster / 4
	priceEvidence = priceRoster / 50
	pricesSaved   = 2 * priceRoster
)

// What all such answers take, in bytes: an identity costs its maker a signature, so what it may have answered bounds
// nothing for one source. At once it is as much as a network that starts together needs; where many ask, up to twice
// that (see quota.Share). A guess. Members that meet after a cut need whole rosters of each other.
var answerShares = &quota.Shares{
	quota.Stranger: {All: quota.PerSecond(4<<20, 32<<20), Each: quota.PerSecond(1<<20, 8<<20)},
	quota.Member:   {All: quota.PerSecond(16<<20, 64<<20), Each: quota.PerSecond(4<<20, 16<<20)},
	quota.Seat:     {All: quota.PerSecond(16<<20, 64<<20), Each: quota.PerSecond(16<<20, 64<<20)},
}

// About how many bytes parts of answers take.
const (
	bytesEntry     = 24  // an Entry: its identity and incarnation
	bytesID        = 16  // an identity
	bytesStatement = 128 // of evidence, with its signature
)

// use. Without one everybody is a stranger.
func (b *budgets) TellApart(sender func(*core.Packet) quota.Sender) { b.sender = sender }

// TellApart gives the roster a function that tells whose share a packet's claims

// senderOf tells whose share a packet's claims use. A node that this one has asked
// for a roster is as good as a seat: it knows nobody else yet.
func (b *budgets) senderOf(p *core.Packet) quota.Sender {
	switch {
	case b.roster.contacts.Expects(p):
		return quota.Sender{Class: quota.Seat, Addr: p.Addr}
	case b.sender == nil:
		return quota.Sender{Addr: p.Addr}
	}
	return b.sender(p)
}

// runs is how long this node has been running, and so much more that all was saved up
// when it started. It follows the monotonic clock: the wall clock may be set back.
func (b *budgets) runs(now time.Time) time.Duration { return now.Sub(b.roster.started) + pricesSaved }

// spend moves the time up to which an allowance is spent on by the price of one use. So much may be used at once, and
// is saved up. While that time lies ahead, nothing more is allowed.
func (b *budgets) spend(spent time.Duration, now time.Time, price, saved time.Duration) time.Duration {
	return max(spent, b.runs(now)-saved) + price
}

// forget forgets members that have saved up all that they can.
func (b *budgets) forget(now time.Time) {
	for id, spent := range b.spent { // order does not matter: each is judged for itself
		if max(spent.answered, spent.renewed, spent.away) < b.runs(now)-pricesSaved {
			delete(b.spent, id)
		}
	}
}

// affordVerify spends the price of one signature, if there is time for it. Else a node that sends claims of made-up
// members could keep this node from answering pings.
func (b *budgets) affordVerify(now time.Time, p *core.Packet) bool {
	return b.verifies.Take(now, b.senderOf(p), 1)
}

// affords reports whether this node may look at a word closer: what it does not
// look at now, an exchange will bring again, or a newer one.
func (b *budgets) affords(now time.Time, p *core.Packet, word *hearsay.Claim, m *member) bool {
	if m != nil && word.Incarnation > b.members.incarnation(m) && b.spent[b.members.id(m)].renewed > b.runs(now) {
		return false
	}
	return b.affordVerify(now, p)
}

// spendRenewal spends the price of a newer word of a member.
func (b *budgets) spendRenewal(now time.Time, m *member) {
	spent := b.spent[b.members.id(m)]
	spent.renewed = b.spend(spent.renewed, now, renewEach, renewAtOnce*renewEach)
	b.spent[b.members.id(m)] = spent
}

// affordsAway reports whether a member's word that it is away is not one too many, and may be looked at closer.
func (b *budgets) affordsAway(now time.Time, p *core.Packet, m *member) bool {
	return b.spent[b.members.id(m)].away <= b.runs(now)+awayEach && b.affordVerify(now, p)
}

// spendAway spends the price of such a word.
func (b *budgets) spendAway(now time.Time, m *member) {
	spent := b.spent[b.members.id(m)]
	spent.away = b.spend(spent.away, now, awayEach, 0)
	b.spent[b.members.id(m)] = spent
}

// affordExamination reports whether a request is one that may have this node examine its subject.
func (b *budgets) affordExamination(now time.Time, p *core.Packet, from quota.Sender) bool {
	return from.Class != quota.Stranger ||
		b.random.IntN(examinationBytes) < examinationTimes*p.Size && b.examines.Take(now, from, 1)
}

// byStream reports whether a packet came by stream, and counts if it did not.
func (b *budgets) byStream(p *core.Packet) bool {
	if !p.Stream {
		b.out.stats.Drops[hearsay.DropUnexpected]++
	}
	return p.Stream
}

// affordAnswer spends the price of an answer to a member, or to a node with a hint that asks by stream.
// Strangers get none. The bytes are counted when the answer is made: see answered.
func (b *budgets) affordAnswer(now time.Time, p *core.Packet, price time.Duration) bool {
	spent := b.spent[p.From]
	switch {
	case !b.members.Known(p.From) && b.roster.hints.known(p.From) == nil:
		b.out.stats.Drops[hearsay.DropStranger]++
		return false
	case spent.answered > b.runs(now), !b.answers.Take(now, b.senderOf(p), 0):
		b.out.stats.Drops[hearsay.DropRate]++
		return false
	}
	spent.answered = b.spend(spent.answered, now, price, pricesSaved)
	b.spent[p.From] = spent
	return true
}

// answered counts the bytes of an answer that was afforded: of all that this step sends from
// the n-th packet on. They are counted at once, as a share that is used up counts no more.
func (b *budgets) answered(now time.Time, p *core.Packet, n int) {
	bytes := 0
	for _, answer := range b.out.Send[n:] {
		switch m := answer.Body.(type) {
		case *core.Entries:
			bytes += len(m.Items) * bytesEntry
		case *core.Want:
			bytes += len(m.IDs) * bytesID
		case *core.Evidence:
			bytes += len(m.Statements) * bytesStatement
		}
		for i := range answer.Claims {
			bytes += answer.Claims[i].WireSizeMax()
		}
	}
	b.answers.Take(now, b.senderOf(p), bytes)
}
