package agent

import (
	"context"
	"log/slog"
	"sync"

	"hearsay"
)

// journal writes a line for each event, as one more listener of the hub: a
// logger that blocks, as on a terminal that is stopped, holds up nobody. It
// has a goroutine only while there is something to write.
type journal struct {
	hub     *hub
	logger  *slog.Logger
	phrases *phrases // nil: of an open network
	writing sync.WaitGroup

	mu    sync.Mutex
	busy  bool
	at    place // behind the last event written, or being written
	notes []note
}

// note gives a line that is of no event; "" if there is nothing to say after
// all.
type note func(p *phrases) string

// notesMax is how many notes wait for a log that is slow; those beyond are
// left out.
const notesMax = 256

// note has a line written, after the events that are there.
func (j *journal) note(n note) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.notes) == notesMax || !j.logger.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	j.notes = append(j.notes, n)
	if !j.busy {
		j.busy = true
		j.writing.Go(j.write)
	}
}

// wake sees to it that what the hub has is written, to the event of that
// number and kind. One of which no line is wanted wakes nobody.
func (j *journal) wake(number uint64, kind hearsay.EventKind) {
	wanted := j.logger.Enabled(context.Background(), j.lineOf(kind).level)
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.busy:
	case !wanted:
		j.at = place{number: number} // all before were written
	default:
		j.busy = true
		j.writing.Go(j.write)
	}
}

func (j *journal) write() {
	for {
		e, n, ok := j.next()
		switch {
		case !ok:
			return
		case n == nil:
			logEvent(j.logger, j.phrases, &e)
		default:
			if text := n(j.phrases); text != "" {
				j.logger.Info(text)
			}
		}
	}
}

// next gives the next event to write or, if there is none, the next note.
// Whether there is one and whether somebody writes is decided in one, so that
// no event is passed over.
func (j *journal) next() (e hearsay.Event, n note, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.at, e, _, ok = j.hub.after(j.at); !ok && len(j.notes) > 0 {
		n, ok = j.notes[0], true
		j.notes = j.notes[1:]
	}
	j.busy = ok
	return e, n, ok
}

// line is how an event of one kind stands in the log.
type line struct {
	level slog.Level
	text  string
}

var lines = map[hearsay.EventKind]line{
	hearsay.EventJoined:          {slog.LevelInfo, "Joined the network"},
	hearsay.EventJoinFail:        {slog.LevelWarn, "A contact did not answer"},
	hearsay.EventRefuted:         {slog.LevelWarn, "Refuted a claim about this node"},
	hearsay.EventLate:            {slog.LevelWarn, "This node was paused or starved; it accuses nobody for a while"},
	hearsay.EventAlone:           {slog.LevelWarn, "No other member is left"},
	hearsay.EventMeeting:         {slog.LevelInfo, "Met another network, or another part of this one, at a contact: they become one"},
	hearsay.EventMemberJoined:    {slog.LevelInfo, "A member joined"},
	hearsay.EventMemberReturned:  {slog.LevelInfo, "A member is alive again"},
	hearsay.EventMemberMoved:     {slog.LevelInfo, "A member has a new address"},
	hearsay.EventMemberSuspected: {slog.LevelWarn, "A member is suspect"},
	hearsay.EventMemberDead:      {slog.LevelWarn, "A member is dead"},
	hearsay.EventMemberRemoved:   {slog.LevelWarn, "A member was removed"},
	hearsay.EventMemberLeft:      {slog.LevelInfo, "A member left"},
	hearsay.EventMemberForgotten: {slog.LevelInfo, "A member was forgotten"},
	hearsay.EventNameConflict:    {slog.LevelError, "Two living members bear one name"},
	hearsay.EventRelayed:         {slog.LevelDebug, "A member did not answer, and answers others"},
	hearsay.EventUnreachable:     {slog.LevelInfo, "A member did not answer, nor did it answer others"},
	hearsay.EventRoundOpened:     {slog.LevelInfo, "Asked the observers of a member"},
	hearsay.EventAsked:           {slog.LevelDebug, "Asked to probe a member as its observer"},
	hearsay.EventExamined:        {slog.LevelDebug, "Probed a member as its observer"},
	hearsay.EventStatement:       {slog.LevelDebug, "Counted an observer's statement"},
	hearsay.EventCleared:         {slog.LevelInfo, "The observers reach the member"},
	hearsay.EventCondemned:       {slog.LevelWarn, "The observers do not reach the member"},
	hearsay.EventUndecided:       {slog.LevelInfo, "A round closed without a decision"},
	hearsay.EventClaimDelayed:    {slog.LevelInfo, "A death is told to its subject first"},
	hearsay.EventSuspectFreed:    {slog.LevelInfo, "A suspect answered this node"},
	hearsay.EventRumor:           {slog.LevelDebug, "Heard a rumor"},
	hearsay.EventRumorConflict:   {slog.LevelWarn, "Kept out another payload under a number that is taken"},
	hearsay.EventLinked:          {slog.LevelDebug, "A member is a neighbor"},
	hearsay.EventUnlinked:        {slog.LevelDebug, "A member is no neighbor any more"},
	hearsay.EventSeatFounded:     {slog.LevelInfo, "The network is founded"},
	hearsay.EventSeatWaiting:     {slog.LevelWarn, "This seed has no seat yet"},
	hearsay.EventSeatTaken:       {slog.LevelInfo, "This seed has its seat"},
	hearsay.EventQuorumLost:      {slog.LevelWarn, "No quorum of seeds is heard; as far as this node knows, nobody is admitted or removed meanwhile"},
	hearsay.EventQuorumBack:      {slog.LevelInfo, "A quorum of seeds is heard again"},
	hearsay.EventQuorumHeard:     {slog.LevelInfo, "A quorum of seeds is heard"},
	hearsay.EventProbeWanted:     {slog.LevelDebug, "Wants a node probed"},
	hearsay.EventCaseOpened:      {slog.LevelInfo, "A case was opened"},
	hearsay.EventCaseRefused:     {slog.LevelInfo, "No case was opened"},
	hearsay.EventBallot:          {slog.LevelDebug, "A ballot was counted"},
	hearsay.EventRuled:           {slog.LevelInfo, "The seeds have ruled"},
	hearsay.EventCaseAborted:     {slog.LevelInfo, "A case ended without a ruling"},
	hearsay.EventHead:            {slog.LevelDebug, "The ledger is proven"},
	hearsay.EventRosterProven:    {slog.LevelInfo, "Took over the roster"},
	hearsay.EventDeaf:            {slog.LevelWarn, "Datagrams (UDP) do not get through to or from this node; all goes by stream (TCP)"},
	hearsay.EventHears:           {slog.LevelInfo, "Datagrams (UDP) get through again"},
	hearsay.EventUnheard:         {slog.LevelError, "This node hears nobody, though it lists others; it may be cut off, and may be held dead by them"},
	hearsay.EventHeard:           {slog.LevelInfo, "This node hears others again"},
	hearsay.EventMemberAway:      {slog.LevelInfo, "A member ends and is started again, as it says; its silence is not held against it for a while"},
	hearsay.EventMemberBack:      {slog.LevelInfo, "A member is back"},
	hearsay.EventAwayOver:        {slog.LevelWarn, "A member is not back in time; it is probed again"},
	hearsay.EventResumed:         {slog.LevelInfo, "Took over what an earlier life was told; only what is new is told from here on"},
	hearsay.EventBarred:          {slog.LevelWarn, "A node was barred"},
	hearsay.EventLifted:          {slog.LevelInfo, "The bar of a node was lifted"},
	hearsay.EventTurnedAway:      {slog.LevelWarn, "A node was refused admission"},
	hearsay.EventSeedDiffers:     {slog.LevelWarn, "A seed is not as the list of seeds has it"},
	hearsay.EventClockOff:        {slog.LevelWarn, "The clock of a seed differs"},
	hearsay.EventLogStalled:      {slog.LevelError, "The log of the seeds does not go on"},
	hearsay.EventLogGoesOn:       {slog.LevelInfo, "The log of the seeds goes on"},
	hearsay.EventLedgerForked:    {slog.LevelError, "A seed has signed another ledger than the one here"},
	hearsay.EventLeaving:         {slog.LevelInfo, "Asks the seeds to rule that this node has left"},
	hearsay.EventLeaveFailed:     {slog.LevelError, "The leave failed"},
	hearsay.EventTwin:            {slog.LevelError, "Another process runs with this node's identity"},
	hearsay.EventLagged:          {slog.LevelError, "Events were lost here"},
}

func lineOf(kind hearsay.EventKind) line {
	if l, ok := lines[kind]; ok {
		return l
	}
	return line{slog.LevelInfo, kind.String()}
}

// logEvent writes the line of an event: text for a person, attributes for the
// facts.
func logEvent(logger *slog.Logger, p *phrases, e *hearsay.Event) {
	l := lineOf(e.Kind)
	if e.Kind == hearsay.EventCondemned && e.Evidence != nil {
		l.text = condemnedText(e.Evidence)
	}
	if removedBefore(e) {
		l = line{slog.LevelInfo, "A member was removed before this node started"}
	}
	if p != nil {
		if text := p.before(e); text != "" {
			logger.Info(text, "epoch", uint64(e.Epoch))
		}
		if text := p.phrase(e); text != "" {
			l.level, l.text = max(l.level, slog.LevelInfo), text
		}
	}
	ctx := context.Background()
	if !logger.Enabled(ctx, l.level) {
		return
	}
	attrs := make([]slog.Attr, 0, 14)
	add := func(set bool, a slog.Attr) {
		if set {
			attrs = append(attrs, a)
		}
	}
	add(true, slog.String("event", e.Kind.String()))
	add(e.Name != "", slog.String("member", e.Name))
	add(!e.Subject.IsZero(), slog.String("id", e.Subject.Short()))
	by := nameOr(e.ByName, e.By)
	if e.Kind == hearsay.EventNameConflict {
		by = e.By.Short() // the two have one name
	}
	add(!e.By.IsZero(), slog.String("by", by))
	add(e.State != 0, slog.String("state", e.State.String()))
	add(e.Incarnation != 0, slog.Uint64("incarnation", uint64(e.Incarnation)))
	add(e.Addr.IsValid(), slog.String("addr", e.Addr.String()))
	if e.Round != 0 {
		round, _ := e.Round.MarshalText() // never fails
		add(true, slog.String("round", string(round)))
	}
	add(e.Verdict != 0, slog.String("verdict", e.Verdict.String()))
	add(e.Count != 0, slog.Int("count", e.Count))
	add(e.Took != 0, slog.Duration("took", e.Took))
	if e.Rumor != nil { // not what it says: that may be long, and is for the application
		add(true, slog.Uint64("number", e.Rumor.ID.Counter))
		add(true, slog.Int("bytes", len(e.Rumor.Data)))
	}
	add(e.Case != 0, slog.Uint64("case", uint64(e.Case)))
	add(e.Epoch != 0, slog.Uint64("epoch", uint64(e.Epoch)))
	if e.Ballot != nil {
		add(true, slog.String("ballot", e.Ballot.Verdict.String()))
		add(true, slog.String("saw", e.Ballot.Why))
	}
	add(e.Text != "", slog.String("why", e.Text))
	logger.LogAttrs(ctx, l.level, l.text, attrs...)
}

// removedBefore reports whether an event tells of a removal that the seeds had ruled before this
// node, after its start, heard how far their ledger goes.
func removedBefore(e *hearsay.Event) bool {
	return e.Before && (e.Kind == hearsay.EventMemberRemoved || e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingRemove)
}

// condemnedText says what evidence against a member rests on.
func condemnedText(v *hearsay.Evidence) string {
	switch {
	case v.Against() >= int(v.Needed):
		return lines[hearsay.EventCondemned].text
	case v.Against() > 0:
		return "The suspicion of a member ran out: the observers that said whether they reach it do not"
	}
	return "The suspicion of a member ran out: no observer said whether it reaches the member"
}

func nameOr(name string, id hearsay.NodeID) string {
	if name != "" {
		return name
	}
	return id.Short()
}
