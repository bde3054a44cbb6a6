package agent

import (
	"log/slog"
	"net/netip"
	"unicode/utf8"

	"hearsay"
	"hearsay/dialect"
)

// phrases says what happens in a network with seeds in the sentences of the
// older programs' logs, which people and scripts search for. Which event is
// which sentence stands in phrase. Only one goroutine uses it at a time.
type phrases struct {
	own   hearsay.NodeID
	addr  netip.AddrPort // this node's
	role  hearsay.Role
	seeds int
	where func(hearsay.NodeID) netip.AddrPort // where a node is, or was last
	links func() int

	asked     map[hearsay.Round]hearsay.NodeID // who asked this observer
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

// newPhrases gives the phrases of a node, or nil for one of an open network.
func newPhrases(c *Config, own hearsay.NodeID, addr netip.AddrPort) *phrases {
	if len(c.Seeds) == 0 {
		return nil
	}
	return &phrases{
		own: own, addr: addr, role: c.Role, seeds: len(c.Seeds),
		asked: make(map[hearsay.Round]hearsay.NodeID), cases: make(map[hearsay.CaseID]voting), condemned: make(map[hearsay.NodeID]bool),
		admitted: make(map[hearsay.Epoch]int),
	}
}

// phrased are the kinds of which some are phrases, though their lines are for
// debugging.
func phrased(kind hearsay.EventKind) bool {
	switch kind {
	case hearsay.EventRumor, hearsay.EventLinked, hearsay.EventAsked, hearsay.EventExamined, hearsay.EventBallot:
		return true
	}
	return false
}

// before gives the sentence that stands before that of an event, or "" if there
// is none. That a peer was let in is said once it is in by that: of what the
// ledger tells, it may be over by now.
func (p *phrases) before(e *hearsay.Event) string {
	if e.Kind != hearsay.EventJoined || p.role == hearsay.RoleSeed {
		return ""
	}
	seeds, known := p.admitted[e.Epoch]
	if !known {
		seeds = p.quorum() // at least: the ruling is older than what came of the ledger
	}
	clear(p.admitted)
	return dialect.PhraseQuorum(seeds)
}

// phrase gives the sentence of an event, or "" if there is none. Of a removal that the seeds had ruled
// before this node heard of it there is none: it does not happen now.
func (p *phrases) phrase(e *hearsay.Event) string {
	if removedBefore(e) {
		return ""
	}
	if p.role == hearsay.RoleSeed {
		return p.ofSeed(e)
	}
	return p.ofPeer(e)
}

func (p *phrases) quorum() int { return hearsay.QuorumOf(p.seeds) }

// subject is where the event's subject is.
func (p *phrases) subject(e *hearsay.Event) netip.AddrPort {
	if e.Addr.IsValid() {
		return e.Addr
	}
	return p.where(e.Subject)
}

// ofSeed gives the sentence of an event on a seed.
func (p *phrases) ofSeed(e *hearsay.Event) string {
	switch e.Kind {
	case hearsay.EventCaseOpened:
		at := p.subject(e)
		switch {
		case e.Text == hearsay.RulingAdmit.String():
			remember(p.cases, e.Case, voting{at: at}, phrasesHeld)
			return dialect.PhraseProposal(at)
		case e.Epoch > 0:
			remember(p.cases, e.Case, voting{at: at}, phrasesHeld)
			by := p.addr // of an operator's, or of one who did not say who reports
			if !e.By.IsZero() {
				by = p.where(e.By)
			}
			return dialect.PhraseReport(at, by)
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

func matter(admission bool) dialect.Matter {
	if admission {
		return dialect.Registration
	}
	return dialect.Death
}

// ruled gives the sentence of a ruling; of a leave and of seats there is none.
func (p *phrases) ruled(e *hearsay.Event) string {
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
func (p *phrases) ofPeer(e *hearsay.Event) string {
	switch e.Kind {
	case hearsay.EventJoinFail: // what each seed said stands in the log already
		return "Not admitted yet"
	case hearsay.EventJoined:
		return dialect.PhraseBootstrap(p.seeds, e.Count, p.links())
	case hearsay.EventLinked:
		return dialect.PhraseConnected(p.subject(e))
	case hearsay.EventRumor:
		if e.Subject == p.own && (e.Past || e.By != p.own) { // it was generated in an earlier life
			return ""
		}
		if e.Subject == p.own {
			return dialect.PhraseGenerated(p.said(e))
		}
		return dialect.PhraseFirstTime(p.said(e), p.where(e.By).Addr())
	case hearsay.EventUnreachable:
		return dialect.PhraseSuspicion(p.subject(e), 1+e.Count)
	case hearsay.EventAsked:
		remember(p.asked, e.Round, e.By, phrasesHeld)
	case hearsay.EventExamined:
		by := p.asked[e.Round]
		delete(p.asked, e.Round)
		if at := p.where(by); at.IsValid() && by != p.own {
			return dialect.PhraseProbe(p.subject(e), at, e.Verdict == hearsay.VerdictReachable)
		}
	case hearsay.EventCondemned:
		remember(p.condemned, e.Subject, true, phrasesHeld)
		v := e.Evidence
		agreed := v.Against() >= int(v.Needed)
		text := dialect.PhraseAgreed(p.subject(e), v.Against(), len(v.Statements), int(v.Needed), p.external(v), agreed)
		if !agreed {
			text += "; " + condemnedText(v)
		}
		return text
	case hearsay.EventRuled:
		switch {
		case e.Ruling.Kind == hearsay.RulingAdmit && e.Subject == p.own:
			remember(p.admitted, e.Epoch, len(e.Ruling.Ballots), phrasesHeld)
			return ""
		case e.Ruling.Kind == hearsay.RulingRemove && p.condemned[e.Subject]:
			delete(p.condemned, e.Subject)
			return dialect.PhraseReported(p.subject(e), len(e.Ruling.Ballots), p.seeds)
		}
		return p.ruled(e)
	}
	return ""
}

// external counts the statements of others against a member.
func (p *phrases) external(v *hearsay.Evidence) (others int) {
	for i := range v.Statements {
		if s := &v.Statements[i]; s.Verdict == hearsay.VerdictUnreachable && s.Observer != p.own {
			others++
		}
	}
	return others
}

// said gives a rumor as the older programs have them: by its own text if it is
// one of theirs, else by when and where it began, and its number.
func (p *phrases) said(e *hearsay.Event) string {
	const most = 64 // bytes
	if len(e.Rumor.Data) <= most && utf8.Valid(e.Rumor.Data) {
		if text := string(e.Rumor.Data); isText(text) {
			return text
		}
	}
	return dialect.Text(e.At.Add(-e.Rumor.Age), p.where(e.Subject).Addr(), int64(e.Rumor.ID.Counter))
}

func isText(text string) bool {
	_, _, _, ok := dialect.ParseText(text)
	return ok
}

// lineOf says how an event of one kind stands in the log.
func (j *journal) lineOf(kind hearsay.EventKind) line {
	l := lineOf(kind)
	if j.phrases != nil && phrased(kind) {
		l.level = slog.LevelInfo
	}
	return l
}
