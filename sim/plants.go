package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/testkit"
)

// Plant is a bug planted on purpose, to prove that a checker bites: a campaign
// with it must find it. It is what a machine does as seen from outside.
type Plant struct {
	Name string `json:"name"`
	What string `json:"what"` // it does
	Rule Rule   `json:"rule"` // that it breaks, first of all
	bend func(w *World)

	seeds int  // the network needs these
	core  bool // only worlds with a core find it
}

// Plants are all there are.
var Plants = []Plant{
	{"claims-too-soon", "sends what tells a new incarnation before that is on disk", RuleIncarnation, everywhere(&twist{steps: sendsAtOnce[*core.OwnIncarnation]}), 0, false},
	{"incarnation-lost", "starts again without its incarnation's record, and with its clock put back", RuleIncarnation, everywhere(&twist{loads: loseIncarnation}), 0, false},
	{"incarnation-falls", "holds a member at a lower incarnation than before", RuleIncarnation, everywhere(&twist{steps: tellsFall}), 0, false},
	{"deaf", "does not hear n2, which is well, for half a minute", RuleFalseDeath, deafToSecond, 0, false},
	{"word-of-mouth", "believes a death on a word, without evidence", RuleEvidence, everywhere(&twist{takes: noteWord, steps: believeWord}), 0, false},
	{"too-few", "buries with one statement less than it needs", RuleEvidence, everywhere(&twist{steps: eachEvent(fewerStatements)}), 0, false},
	{"made-up-statement", "signs that it does not reach a member that it reaches", RuleEvidence, everywhere(&twist{steps: signUnreachable}), 0, false},
	{"forged-statement", "counts a statement that its observer has not signed", RuleEvidence, everywhere(&twist{steps: eachEvent(forgeStatement)}), 0, false},
	{"two-faced", "says two things of one member in one round", RuleEvidence, everywhere(&twist{steps: sayBoth}), 0, false},
	{"hasty-verdict", "finds a member unreachable that has answered it", RuleEvidence, everywhere(&twist{steps: eachEvent(findUnreachable)}), 0, false},
	{"made-up-member", "holds a member that never was", RuleEvidence, everywhere(&twist{steps: eachEvent(inventMember)}), 0, false},
	{"returns", "holds a dead incarnation alive again", RuleReturn, everywhere(&twist{steps: tellsReturn}), 0, false},
	{"accuses-away", "holds one suspect that has just said that it is away", RuleAway, everywhere(&twist{steps: eachEvent(suspectAway)}), 0, false},
	{"away-again", "lets the word of a member that is away count once more when its time is over", RuleAway, everywhere(&twist{steps: eachEvent(holdAgain)}), 0, false},
	{"rumor-twice", "delivers a rumor twice", RuleRumor, everywhere(&twist{steps: deliverTwice}), 0, false},
	{"rumor-changed", "changes a rumor that it passes on", RuleRumor, everywhere(&twist{steps: changeRumors}), 0, false},
	{"rumor-made-up", "passes on what nobody has said", RuleRumor, everywhere(&twist{steps: inventRumors}), 0, false},
	{"rumor-too-soon", "sends its own rumor before that is on disk", RuleRumor, everywhere(&twist{steps: sendsAtOnce[*core.KeptRumor]}), 0, false},
	{"numbers-lost", "starts again as if nobody had used its identity before", RuleConverge, everywhere(&twist{loads: loseNumbers}), 0, false},
	{"no-catching-up", "takes no comparison of what was seen, and is asked for nothing", RuleConverge, everywhere(&twist{takes: ignoreComparing}), 0, false},
	{"gone-unheard", "takes nobody's word that a rumor is gone", RuleSeen, everywhere(&twist{takes: ignoreMissed}), 0, false},
	{"silent", "tells nothing of others", RuleConverge, everywhere(&twist{steps: tellNothing}), 0, false},
	{"datagrams-only", "sends no small packet by stream, but for pings and answers", RuleConverge, everywhere(&twist{steps: sendsDatagrams}), 0, false},
	{"many-links", "links with more than it may", RuleBounds, everywhere(&twist{configures: linkMany}), 0, false},
	{"hoard", "holds more rumors than it may", RuleBounds, everywhere(&twist{configures: hoard}), 0, false},
	{"burst", "sends thousands of packets in one step", RuleBounds, everywhere(&twist{steps: burst}), 0, false},
	{"hard-writing", "writes thousands of records in one step", RuleBounds, everywhere(&twist{steps: writeHard}), 0, false},
	{"heavy-ping", "sends pings that do not fit a datagram", RuleBounds, everywhere(&twist{steps: loadPings}), 0, false},
	{"garbled", "sends packets without their last byte", RuleDecode, everywhere(&twist{sends: shorten}), 0, false},
	{"garbled-twins", "sends packets without their last byte, once there is a copy of its disk", RuleDecode, everywhere(&twist{sends: shortenTwins}), 0, false},
	{"lists-unasked", "pings a member that was only named, for ever, though its address has not answered", RuleReflection, everywhere(&twist{takes: noteNamed, steps: pingNamed}), 0, false},
	{"unlisting", "takes no answer of n2 to a ping, and so does not list it", RuleListed, unlistsSecond, 0, false},
	{"quiet-when-cut", "says nothing of it when it is cut off", RuleTold, everywhere(&twist{figures: saysNothing}), 0, false},
	{"unlike-twins", "takes no claim that another process makes in its name", RuleTwins, everywhere(&twist{takes: ignoreTwin}), 0, false},
	{"unheard", "does not hear n2, which is well, and neither do the seeds", RuleFalseDeath, deafToSecond, 3, false},
	{"unruled", "lists a node that no ruling has admitted", RuleRoster, everywhere(&twist{steps: admitUnruled}), 3, false},
	{"let-go", "lists a member no more that no ruling has removed", RuleRoster, everywhere(&twist{shows: letGo}), 3, false},
	{"hears-outsiders", "takes rumors from a node that is not in", RuleRumor, everywhere(&twist{steps: eachEvent(hearOutsiders)}), 3, false},
	{"forged-leave", "lets a member leave that has not signed that", RuleRoster, everywhere(&twist{steps: eachEvent(forgeLeave)}), 3, false},
	{"two-rosters", "has another roster at an epoch than others", RuleRoster, everywhere(&twist{shows: otherRoster}), 3, false},
	{"resurrects", "lists a stay again that is over", RuleReturn, everywhere(&twist{shows: resurrect}), 3, false},
	{"same-stay", "admits into a stay that is not new", RuleReturn, everywhere(&twist{steps: eachEvent(sameStay)}), 3, false},
	{"forked", "applies another ruling than the one that was decided", RuleLedger, everywhere(&twist{steps: eachEvent(forkRuling)}), 3, false},
	{"uncapped", "lets in any number of peers at one address, as a seed", RuleBounds, everywhere(&twist{configures: admitAll}), 3, false},
	{"shuts-out", "admits no peer, as a seed, that shares its address with others", RuleConverge, everywhere(&twist{takes: refuseCrowds}), 3, false},
	{"outvoted", "rules with one ballot less than it needs", RuleBallots, everywhere(&twist{steps: eachEvent(fewerBallots)}), 3, false},
	{"stuffed", "counts a ballot that no seed has signed", RuleBallots, everywhere(&twist{steps: eachEvent(stuffBallots)}), 3, false},
	{"unproven", "removes without the evidence", RuleEvidence, everywhere(&twist{steps: eachEvent(dropEvidence)}), 3, false},
	{"quiet-forks", "goes on at once with an older disk, as a seed, and hears nothing of another ledger", RuleForks, everywhere(&twist{loads: neverUnsure, takes: ignoreFork}), 3, false},
	{"forks-by-itself", "applies another ruling than the one that was decided, as a peer, once a seed runs on an older disk", RuleLedger, everywhere(&twist{steps: eachEvent(forkPeers)}), 3, false},
	{"lax-after-forks", "goes on at once with an older disk, as a seed, and lists a member no more once two ledgers are told of", RuleRoster, everywhere(&twist{loads: neverUnsure, shows: letGoAfterFork}), 3, false},
	{"ledger-lost", "starts again without the newest of its log", RuleLedger, everywhere(&twist{loads: loseEntries}), 1, false},
	{"heads-too-soon", "signs the head of a ruling before that is on disk", RuleLedger, everywhere(&twist{steps: sendsHeads}), 3, false},
	{"cast-for-others", "counts a ballot that another has signed with the seed's key", RuleBallots, everywhere(&twist{steps: eachEvent(castForOthers)}), 3, false},
	{"hasty-ballots", "would remove a member after one probe without an answer", RuleBallots, everywhere(&twist{configures: probeOnce}), 3, false},
	{"short-trials", "would remove a member after two seconds without an answer where no majority of observers speaks", RuleBallots, everywhere(&twist{configures: tryShort}), 3, false},
	{"seldom-probes", "probes seldom, and takes the time between two probes for silence", RuleBallots, everywhere(&twist{configures: probeSeldom}), 3, false},
	{"deaf-ballots", "takes a member for silent, as a seed, while it hears no other seed itself", RuleBallots, everywhere(&twist{configures: electsSeldom}), 3, false},
	{"hasty-watch", "opens a case on a member that has missed one probe, whatever observers say", RuleBallots, everywhere(&twist{configures: watchOnce}), 3, false},
	{"hasty-again", "opens a case on a member that has missed one probe, if that was silent for long before it answered", RuleBallots, everywhere(&twist{steps: eachEvent(opensAgain)}), 3, false},
	{"old-seat", "takes part with the seat of the disk that it has lost", RuleBallots, everywhere(&twist{loads: keepLife, steps: noteLife}), 3, false},
	{"admits-barred", "admits a peer, as a seed, that an operator has barred", RuleRoster, everywhere(&twist{steps: barBefore}), 3, false},
	{"same-cases", "begins a ledger anew, as a seed, with the number of a case that was before", RuleLedger, everywhere(&twist{steps: eachEvent(sameCases)}), 3, false},
	{"lost-seats", "begins a ledger anew, as a seed, with the seeds in their seats whose disks are gone", RuleBallots, everywhere(&twist{steps: eachEvent(keepSeats)}), 3, false},
	{"slow-ballots", "votes for a removal only after nine seconds of probes without an answer, whatever the observers say", RuleCore, everywhere(&twist{configures: probeLong}), 3, true},
	{"refuses-joiners", "answers no registration, as a seed, for 15 s after a removal", RuleCore, everywhere(&twist{takes: refuseJoiners, steps: noteRemoval}), 3, true},
	{"early-promises", "tells in a case file ten seconds too early by when something comes", RulePromise, everywhere(&twist{tells: promiseEarly}), 3, false},
	{"values-lost", "starts again without one of the values that were on its disk", RuleWritten, everywhere(&twist{loads: loseValue}), 0, false},
	{"values-too-soon", "sends what it writes to the store before that is on disk", RuleWritten, everywhere(&twist{steps: sendsAtOnce[*core.KeptObject]}), 0, false},
	{"siblings-lost", "has a value that comes replace all that it holds of the key", RuleWritten, everywhere(&twist{takes: replaceAll}), 0, false},
	{"values-changed", "changes a value that it passes on", RuleValue, everywhere(&twist{steps: changeValues}), 0, false},
	{"parts-mixed", "puts a long value together with a part of another", RuleValue, everywhere(&twist{steps: mixParts}), 0, false},
	{"values-return", "holds a value again after it has let go of it", RuleDeleted, everywhere(&twist{steps: keepDeleted}), 0, false},
	{"half-batches", "takes the first value of a record of several for all of it", RuleBatch, everywhere(&twist{takes: halveBatches}), 0, false},
	{"no-exchanges", "takes no exchange of the store", RuleEqual, everywhere(&twist{takes: ignoreExchanges}), 0, false},
	{"new-writer", "starts again as a writer that never wrote before", RuleClock, everywhere(&twist{loads: loseWriter}), 0, false},
	{"gives-all", "gives all that it holds to one that asks for what it lacks", RuleTraffic, everywhere(&twist{takes: hideClock}), 0, false},
	{"stands-still", "has a deadline that is always now", RuleProgress, everywhere(&twist{deadline: alwaysDue}), 0, false},
}

// plantNamed finds a plant; of no name, none.
func plantNamed(name string) (p *Plant, err error) {
	if name == "" {
		return nil, nil
	}
	which := slices.IndexFunc(Plants, func(p Plant) bool { return p.Name == name })
	if which < 0 {
		names := make([]string, 0, len(Plants))
		for i := range Plants {
			names = append(names, Plants[i].Name)
		}
		return nil, fmt.Errorf("plant %q: want one of %s", name, strings.Join(names, ", "))
	}
	return &Plants[which], nil
}

// everywhere gives all machines a twist.
func everywhere(t *twist) func(*World) {
	return func(w *World) {
		for number := range w.machines {
			w.bend(number+1, t)
		}
	}
}

// sendsAtOnce is Persist after Send, in steps that persist a record of this type.
func sendsAtOnce[R core.Record](_ *World, _ *machine, e *core.Effects) {
	if slices.ContainsFunc(e.Persist, func(r core.Record) bool { _, is := r.(R); return is }) {
		e.Now = append(e.Now, e.Send...)
		e.Send = nil
	}
}

// loseIncarnation makes a node count from where it did at its first start.
func loseIncarnation(w *World, m *machine, records []core.Record) []core.Record {
	m.clock = localClock{at: w.now}
	return slices.DeleteFunc(records, func(r core.Record) bool { _, is := r.(*core.OwnIncarnation); return is })
}

func loseNumbers(*World, *machine, []core.Record) []core.Record { return nil }

// eachEvent changes events one by one: those that are added come at the end.
func eachEvent(change func(w *World, m *machine, e *hearsay.Event) []hearsay.Event) func(*World, *machine, *core.Effects) {
	return func(w *World, m *machine, e *core.Effects) {
		for i := range e.Events {
			e.Events = append(e.Events, change(w, m, &e.Events[i])...)
		}
	}
}

// tellsFall has a member return at the incarnation before the one it has.
func tellsFall(_ *World, _ *machine, e *core.Effects) {
	for i := range e.Events {
		if one := &e.Events[i]; one.Kind == hearsay.EventMemberReturned && one.Incarnation > 0 {
			again := *one
			again.Incarnation--
			e.Events = append(e.Events, again)
			return
		}
	}
}

// tellsReturn has the dead return as they were.
func tellsReturn(_ *World, _ *machine, e *core.Effects) {
	for i := range e.Events {
		if one := e.Events[i]; one.Kind == hearsay.EventMemberDead && one.Evidence != nil {
			one.Kind, one.Incarnation = hearsay.EventMemberReturned, one.Evidence.Incarnation
			e.Events = append(e.Events, one)
			return
		}
	}
}

// When n2 is not heard by those who do not hear it.
const (
	deafFrom = stormBegins + 20*time.Second
	deafTo   = stormEnds - 10*time.Second
)

func deafToSecond(w *World) {
	for i := range w.machines {
		if second := &w.machines[min(1, len(w.machines)-1)]; i != 1 {
			w.bend(i+1, &twist{takes: func(w *World, _ *machine, p *core.Packet) bool {
				return w.now < deafFrom || w.now >= deafTo || p.From != second.id
			}})
		}
	}
}

// unlistsSecond has n2 answer all others in vain.
func unlistsSecond(w *World) {
	second := &w.machines[min(1, len(w.machines)-1)]
	for i := range w.machines {
		w.bend(i+1, &twist{takes: func(_ *World, _ *machine, p *core.Packet) bool {
			_, answers := p.Body.(*core.Ack)
			return !answers || p.From != second.id
		}})
	}
}

// hearing is what one machine was told, that a member is dead.
type hearing struct {
	to      int32
	subject hearsay.NodeID
}

// noteWord keeps which members a packet says to be dead, and believeWord believes it.
func noteWord(w *World, m *machine, p *core.Packet) bool {
	for i := range p.Claims {
		if p.Claims[i].State == hearsay.StateDead && p.Claims[i].Subject != m.id {
			w.planted = append(w.planted, hearing{m.index, p.Claims[i].Subject})
		}
	}
	return true
}

func believeWord(w *World, m *machine, e *core.Effects) {
	for _, told := range w.planted {
		if told.to == m.index {
			e.Events = append(e.Events, hearsay.Event{Kind: hearsay.EventMemberDead, Subject: told.subject, At: w.timeOf(m)})
		}
	}
	w.planted = slices.DeleteFunc(w.planted, func(told hearing) bool { return told.to == m.index })
}

func fewerStatements(_ *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventMemberDead && e.Evidence != nil && e.Evidence.Rule == hearsay.RuleMajority {
		fewer := *e.Evidence
		fewer.Statements = nil
		for i := range e.Evidence.Statements {
			if s := &e.Evidence.Statements[i]; s.Verdict != hearsay.VerdictUnreachable || fewer.Against() < int(fewer.Needed)-1 {
				fewer.Statements = append(fewer.Statements, *s)
			}
		}
		e.Evidence = &fewer
	}
	return nil
}

func forgeStatement(_ *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventMemberDead && e.Evidence != nil && len(e.Evidence.Statements) > 0 {
		forged := *e.Evidence
		forged.Statements = slices.Clone(forged.Statements)
		forged.Statements[0].At++
		e.Evidence = &forged
	}
	return nil
}

func sayBoth(_ *World, _ *machine, e *core.Effects) {
	for i := range e.Events {
		if one := e.Events[i]; one.Kind == hearsay.EventExamined && one.Verdict == hearsay.VerdictUnreachable {
			one.Verdict = hearsay.VerdictReachable
			e.Events = append(e.Events, one)
			return
		}
	}
}

// forkPeers has every other peer apply a ruling that no seed has decided, once a seed
// runs on an older disk.
func forkPeers(w *World, m *machine, e *hearsay.Event) []hearsay.Event {
	old := func(one identity) bool { return one.old && int(one.machine) >= w.config.Nodes }
	if !w.isSeed(m) && slices.ContainsFunc(w.check.identities, old) {
		return forkRuling(w, m, e)
	}
	return nil
}

// forkRuling has a ruling differ from what the same machine's neighbors apply.
func forkRuling(_ *World, m *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventRuled && m.index%2 == 1 {
		other := *e.Ruling
		other.At++
		e.Ruling = &other
	}
	return nil
}

func fewerBallots(_ *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventRuled && len(e.Ruling.Ballots) > 0 {
		fewer := *e.Ruling
		fewer.Ballots = fewer.Ballots[:len(fewer.Ballots)-1]
		e.Ruling = &fewer
	}
	return nil
}

func stuffBallots(_ *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventRuled && len(e.Ruling.Ballots) > 0 {
		stuffed := *e.Ruling
		stuffed.Ballots = slices.Clone(stuffed.Ballots)
		stuffed.Ballots[0].Signature[0] ^= 1
		e.Ruling = &stuffed
	}
	return nil
}

func findUnreachable(_ *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventExamined && e.Verdict == hearsay.VerdictReachable {
		e.Verdict = hearsay.VerdictUnreachable
	}
	return nil
}

// signUnreachable signs again what an observer says.
func signUnreachable(w *World, m *machine, e *core.Effects) {
	for _, packets := range [][]core.Packet{e.Now, e.Send} {
		for i := range packets {
			if s, is := packets[i].Body.(*core.Statement); is && s.Observer == m.id {
				made := *s
				made.Verdict = hearsay.VerdictUnreachable
				made.Sign(w.check.ledger.id(), testkit.NewSigner(w.config.Seed, int(m.index)+1, m.disks))
				packets[i].Body = &made
			}
		}
	}
}

func suspectAway(_ *World, m *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventMemberAway {
		return []hearsay.Event{{Kind: hearsay.EventMemberSuspected, At: e.At, Subject: e.Subject, By: m.id, Incarnation: e.Incarnation}}
	}
	return nil
}

func holdAgain(_ *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventAwayOver {
		return []hearsay.Event{{Kind: hearsay.EventMemberAway, At: e.At, Subject: e.Subject, Incarnation: e.Incarnation, Took: core.AwayFor}}
	}
	return nil
}

func inventMember(_ *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventMemberSuspected {
		return []hearsay.Event{{Kind: hearsay.EventMemberJoined, At: e.At, Subject: hearsay.NodeID{1}, Incarnation: 1}}
	}
	return nil
}

func deliverTwice(_ *World, m *machine, e *core.Effects) {
	for i := range e.Events {
		if one := e.Events[i]; one.Kind == hearsay.EventRumor && one.Subject != m.id {
			e.Events = append(e.Events, one)
			return
		}
	}
}

func changeRumors(_ *World, m *machine, e *core.Effects) {
	for _, packets := range [][]core.Packet{e.Now, e.Send} {
		for i := range packets {
			body, is := packets[i].Body.(*core.Rumors)
			if !is {
				continue
			}
			changed := *body
			changed.Items = slices.Clone(body.Items)
			for i := range changed.Items {
				if one := &changed.Items[i]; one.Origin() != m.id {
					one.Data = append([]byte{'X'}, one.Data[1:]...)
				}
			}
			packets[i].Body = &changed
		}
	}
}

func inventRumors(_ *World, _ *machine, e *core.Effects) {
	for _, packets := range [][]core.Packet{e.Now, e.Send} {
		for i := range packets {
			if body, is := packets[i].Body.(*core.Rumors); is && len(body.Items) > 0 {
				more := *body
				more.Items = slices.Clone(body.Items)
				more.Items[0].ID.Counter += 1_000_000
				packets[i].Body = &more
			}
		}
	}
}

func ignoreComparing(_ *World, _ *machine, p *core.Packet) bool {
	switch p.Body.(type) {
	case *core.Heard, *core.Seen, *core.Graft:
		return false
	}
	return true
}

func ignoreMissed(_ *World, _ *machine, p *core.Packet) bool {
	body, is := p.Body.(*core.Rumors)
	if !is || len(body.Missed) == 0 {
		return true
	}
	body.Missed = nil
	return len(body.Items) > 0 // an empty one says something else
}

// noteNamed keeps which addresses that never spoke a node was told of, and pingNamed
// pings them in each step.
func noteNamed(w *World, m *machine, p *core.Packet) bool {
	for i := range p.Claims {
		if addr := p.Claims[i].Card.Addr; w.check.mentions.named[addr] > 0 {
			w.namedTo = append(w.namedTo, named{m.index, p.Claims[i].Subject, addr})
		}
	}
	return true
}

func pingNamed(w *World, m *machine, e *core.Effects) {
	for _, n := range w.namedTo {
		if n.to == m.index {
			e.Now = append(e.Now, core.Packet{Addr: n.addr, Body: &core.Ping{Seq: 1, Target: n.subject}})
		}
	}
}

// named is what one machine was told of an address.
type named struct {
	to      int32
	subject hearsay.NodeID
	addr    netip.AddrPort
}

// ignoreTwin takes out what is said of a node at another address than its own.
func ignoreTwin(_ *World, m *machine, p *core.Packet) bool {
	p.Claims = slices.DeleteFunc(p.Claims, func(c hearsay.Claim) bool {
		return c.Subject == m.id && c.State == hearsay.StateAlive && c.Card.Addr != m.addr
	})
	return true
}

func tellNothing(_ *World, m *machine, e *core.Effects) {
	for _, packets := range [][]core.Packet{e.Now, e.Send} {
		for i := range packets {
			packets[i].Claims = slices.DeleteFunc(slices.Clone(packets[i].Claims), func(c hearsay.Claim) bool { return c.Subject != m.id })
		}
	}
}

// sendsDatagrams has a node send datagrams also to members to which they do not come.
func sendsDatagrams(_ *World, _ *machine, e *core.Effects) {
	for _, packets := range [][]core.Packet{e.Now, e.Send} {
		for i := range packets {
			switch packets[i].Body.(type) {
			case *core.News, *core.Hello, *core.HelloAck, *core.Place, *core.IHave, *core.Graft, *core.Heard, *core.Rumors:
				packets[i].Stream = false // what does not fit goes by stream all the same
			}
		}
	}
}

func linkMany(_ *World, _ *machine, c *node.Config) { c.Overlay.Links *= 5 }

func hoard(_ *World, _ *machine, c *node.Config) { c.Rumors.KeepCount *= 100 }

func burst(w *World, _ *machine, e *core.Effects) {
	if len(e.Persist) > 0 && w.check.broken == 0 { // once will do
		for len(e.Send) > 0 && len(e.Send) <= packetsPerStep {
			e.Send = append(e.Send, e.Send...)
		}
	}
}

func writeHard(w *World, _ *machine, e *core.Effects) {
	for len(e.Persist) > 0 && len(e.Persist) <= recordsPerStep && w.check.broken == 0 {
		e.Persist = append(e.Persist, e.Persist...)
	}
}

// loadPings has pings carry the same claims over and over.
func loadPings(_ *World, _ *machine, e *core.Effects) {
	for i := range e.Now {
		if p := &e.Now[i]; len(p.Claims) > 0 && !p.Stream {
			if _, is := p.Body.(*core.Ping); is {
				for len(p.Claims) < core.MaxClaims/2 {
					p.Claims = slices.Concat(p.Claims, p.Claims)
				}
			}
		}
	}
}

func shorten(_ *World, _ *machine, f *flight) { f.bytes = f.bytes[:len(f.bytes)-1] }

func shortenTwins(w *World, m *machine, f *flight) {
	if w.check.identities[m.identity].twinned {
		shorten(w, m, f)
	}
}

// alwaysDue stands still once the network has settled.
func alwaysDue(w *World, m *machine, at time.Time) time.Time {
	if w.now > stormBegins {
		return w.timeOf(m)
	}
	return at
}
