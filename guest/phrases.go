package guest

import (
	"fmt"
	"net/netip"
	"unicode/utf8"

	"hearsay"
	"hearsay/dialect"
)

// Phrases say what happens in a network with seeds in the sentences of the
// older programs' logs, which people and scripts search for. Which event is
// which sentence stands in phrase. Only one goroutine uses it at a time.
type Phrases struct {
	own   hearsay.NodeID
	addr  netip.AddrPort // this node's
	role  hearsay.Role
	seeds int
	where func(hearsay.NodeID) netip.AddrPort // where a node is, or was last
	links func() int
	// the seeds are an earlier program's: what they say comes as notes
	abroad bool

	asked     map[hearsay.Round]hearsay.NodeID // the member that asked this observer
	cases     map[hearsay.CaseID]voting        // open
	condemned map[hearsay.NodeID]bool          // reported by this node
	admitted  map[hearsay.Epoch]int            // with this epoch this peer was, by so many seeds
}

// voting is an open case.
type voting struct {
	at  netip.AddrPort // the node that it is about
	yes int            // ballots
}

// phrasesHeld bounds each of the tables of phrases: what is forgotten is told
// in plainer words.
const phrasesHeld = 1024

// NewPhrases gives those of a node in a network of so many seeds. Where tells where a node is, or was last; links how
// many this one has. Both are called in the goroutine that writes the log.
func NewPhrases(role hearsay.Role, seeds int, own hearsay.NodeID, addr netip.AddrPort, where func(hearsay.NodeID) netip.AddrPort, links func() int) *Phrases {
	return &Phrases{
		own: own, addr: addr, role: role, seeds: seeds, where: where, links: links,
		asked: make(map[hearsay.Round]hearsay.NodeID), cases: make(map[hearsay.CaseID]voting), condemned: make(map[hearsay.NodeID]bool),
		admitted: make(map[hearsay.Epoch]int),
	}
}

// Phrased reports of the kinds of which some are phrases, though their lines are for
// debugging.
func Phrased(kind hearsay.EventKind) bool {
	switch kind {
	case hearsay.EventRumor, hearsay.EventLinked, hearsay.EventAsked, hearsay.EventExamined, hearsay.EventBallot:
		return true
	}
	return false
}

// Before gives the sentence that stands before that of an event, or "" if there
// is none. That a peer was let in is said once it is in by that: of what the
// ledger tells, it may be over by now. A seed says of a ruling what came of its own report, and then what was ruled.
func (p *Phrases) Before(e *hearsay.Event) string {
	switch {
	case p.role == hearsay.RoleSeed && p.reported(e):
		return fmt.Sprintf(dialect.PhraseReported, p.subject(e), len(e.Ruling.Ballots), p.seeds)
	case e.Kind != hearsay.EventJoined || p.role == hearsay.RoleSeed || p.abroad:
		return ""
	}
	seeds, known := p.admitted[e.Epoch]
	if !known {
		seeds = p.quorum() // at least: the ruling is older than what came of the ledger
	}
	clear(p.admitted)
	return fmt.Sprintf(dialect.PhraseQuorum, seeds)
}

// Phrase gives the sentence of an event, or "" if there is none. Of what was ruled Before this node started there is
// none: it does not happen now.
func (p *Phrases) Phrase(e *hearsay.Event) string {
	if e.Before {
		return ""
	}
	if text := p.ofAccuser(e); text != "" {
		return text
	}
	if p.role == hearsay.RoleSeed {
		return p.ofSeed(e)
	}
	return p.ofPeer(e)
}

// ofAccuser gives the sentence of an event on a node that accuses a member, a seed or a peer: all of them stand in some
// log for each removal.
func (p *Phrases) ofAccuser(e *hearsay.Event) string {
	switch e.Kind {
	case hearsay.EventUnreachable:
		return fmt.Sprintf(dialect.PhraseSuspicion, p.subject(e), 1+e.Count)
	case hearsay.EventCondemned:
		remember(p.condemned, e.Subject, true, phrasesHeld)
		v := e.Evidence
		agreed := v.Against() >= int(v.Needed)
		text := dialect.PhraseAgreed(p.subject(e), v.Against(), len(v.Statements), int(v.Needed), p.external(v), agreed)
		if !agreed {
			text += "; " + v.Title()
		}
		return text
	}
	return ""
}

func (p *Phrases) quorum() int { return hearsay.QuorumOf(p.seeds) }

// subject is where the event's subject is.
func (p *Phrases) subject(e *hearsay.Event) netip.AddrPort {
	if e.Addr.IsValid() {
		return e.Addr
	}
	return p.where(e.Subject)
}

// ofSeed gives the sentence of an event on a seed.
func (p *Phrases) ofSeed(e *hearsay.Event) string {
	switch e.Kind {
	case hearsay.EventCaseOpened:
		at := p.subject(e)
		switch {
		case e.Addr.IsValid(): // of an admission
			remember(p.cases, e.Case, voting{at: at}, phrasesHeld)
			return fmt.Sprintf(dialect.PhraseProposal, at)
		case e.Epoch > 0:
			remember(p.cases, e.Case, voting{at: at}, phrasesHeld)
			return fmt.Sprintf(dialect.PhraseReport, at, p.reporter(e))
		}
	case hearsay.EventBallot:
		c, known := p.cases[e.Case]
		if known && e.Ballot.Verdict == hearsay.BallotYes {
			c.yes++
			p.cases[e.Case] = c
		}
		if known && e.By == p.own {
			return dialect.PhraseVote(matter(e.Ballot.Stay.Epoch == 0), c.at, e.Ballot.Verdict == hearsay.BallotYes)
		}
	case hearsay.EventRuled:
		delete(p.cases, e.Case)
		return p.ruled(e)
	case hearsay.EventCaseAborted:
		c, known := p.cases[e.Case]
		delete(p.cases, e.Case)
		if known {
			return dialect.PhraseConsensus(matter(e.Epoch == 0), c.at, false, c.yes, p.quorum())
		}
	}
	return ""
}

// reporter is where the node is that has reported a death, or this one: an operator's report and a guest's name none.
func (p *Phrases) reporter(e *hearsay.Event) netip.AddrPort {
	if !e.By.IsZero() && e.By != p.own {
		return p.where(e.By)
	}
	return p.addr
}

func matter(admission bool) dialect.Matter {
	if admission {
		return dialect.Registration
	}
	return dialect.Death
}

// ruled gives the sentence of a ruling; of a leave and of seats there is none.
func (p *Phrases) ruled(e *hearsay.Event) string {
	switch e.Ruling.Kind {
	case hearsay.RulingAdmit, hearsay.RulingRemove:
		admission := e.Ruling.Kind == hearsay.RulingAdmit
		return dialect.PhraseConsensus(matter(admission), p.subject(e), true, len(e.Ruling.Ballots), p.quorum())
	}
	return ""
}

// remember sets a value in a table of at most so many.
func remember[K comparable, V any](table map[K]V, key K, value V, most int) {
	if _, known := table[key]; !known && len(table) >= most {
		clear(table)
	}
	table[key] = value
}

// ofPeer gives the sentence of an event on a peer.
func (p *Phrases) ofPeer(e *hearsay.Event) string {
	switch e.Kind {
	case hearsay.EventSeedAnswered:
		if e.Outcome == 0 || e.Outcome == hearsay.OutcomeLost {
			return fmt.Sprintf(dialect.PhraseSeedFailed, e.Addr, e.Text)
		}
		return dialect.PhraseSeedAnswer(e.Addr, e.Outcome == hearsay.OutcomeDone)
	case hearsay.EventJoinFail: // what each seed said stands in the log already
		return "Not admitted yet"
	case hearsay.EventJoined:
		if p.abroad {
			return "" // it is in with others of ours, and not by the seeds
		}
		return fmt.Sprintf(dialect.PhraseBootstrap, p.seeds, e.Count, p.links())
	case hearsay.EventLinked:
		return fmt.Sprintf(dialect.PhraseConnected, p.subject(e))
	case hearsay.EventRumor:
		if at := p.where(e.Subject); !e.Rumor.Guest.IsZero() && e.By == p.own && at.IsValid() { // it has said it to this node
			return fmt.Sprintf(dialect.PhraseFirstTime, p.said(e), at.Addr())
		}
		if e.Subject == p.own && (e.Past || e.By != p.own) { // it was generated in an earlier life
			return ""
		}
		if e.Subject == p.own {
			return fmt.Sprintf(dialect.PhraseGenerated, p.said(e))
		}
		return fmt.Sprintf(dialect.PhraseFirstTime, p.said(e), p.where(e.By).Addr())
	case hearsay.EventAsked:
		remember(p.asked, e.Round, e.By, phrasesHeld)
	case hearsay.EventExamined:
		by := p.asked[e.Round]
		delete(p.asked, e.Round)
		if at := p.where(by); at.IsValid() && by != p.own {
			return dialect.PhraseProbe(p.subject(e), at, e.Verdict == hearsay.VerdictReachable)
		}
	case hearsay.EventRuled:
		switch {
		case e.Ruling.Kind == hearsay.RulingAdmit && e.Subject == p.own:
			remember(p.admitted, e.Epoch, len(e.Ruling.Ballots), phrasesHeld)
			return ""
		case p.reported(e):
			return fmt.Sprintf(dialect.PhraseReported, p.subject(e), len(e.Ruling.Ballots), p.seeds)
		}
		return p.ruled(e)
	}
	return ""
}

// reported reports, once, whether an event is the removal of a member that this node has reported.
func (p *Phrases) reported(e *hearsay.Event) bool {
	if e.Kind != hearsay.EventRuled || e.Before || e.Ruling.Kind != hearsay.RulingRemove || !p.condemned[e.Subject] {
		return false
	}
	delete(p.condemned, e.Subject)
	return true
}

// external counts the statements of others against a member.
func (p *Phrases) external(v *hearsay.Evidence) (others int) {
	for i := range v.Statements {
		if s := &v.Statements[i]; s.Verdict == hearsay.VerdictUnreachable && s.Observer != p.own {
			others++
		}
	}
	return others
}

// said gives a rumor as the older programs have them: by its own text if it is
// one of theirs, else by when and where it began, and its number.
func (p *Phrases) said(e *hearsay.Event) string {
	const most = 64 // bytes
	if len(e.Rumor.Data) <= most && utf8.Valid(e.Rumor.Data) {
		if text := string(e.Rumor.Data); dialect.IsText(text) || dialect.IsLine(text) {
			return text
		}
	}
	return dialect.Text(e.At.Add(-e.Rumor.Age), p.where(e.Subject).Addr(), int64(e.Rumor.ID.Counter))
}
