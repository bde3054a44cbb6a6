package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Verb is what an action does.
type Verb uint8

// The verbs.
const (
	Start   Verb = iota + 1 // a machine's process runs for the first time
	Kill                    // it is gone at once, as by kill -9
	Restart                 // it runs again, with its disk or with a fresh one
	Pause                   // it stands still, as by kill -STOP
	Resume                  // it goes on, as by kill -CONT
	Leave                   // it leaves in good order
	// a peer's process ends in good order and does not leave, as it is to be started again
	Away
	Partition     // groups of machines do not reach each other
	Cut           // one way between two machines carries nothing
	Heal          // no groups and no cuts any more
	Loss          // of all packets, or of those that some machines send and receive
	LossIn        // of what some machines receive
	LossOut       // of what some machines send
	LossDatagrams // of the datagrams that some machines send and receive; streams go on
	LossStreams   // of what they send and receive by stream; datagrams go on
	// what is longer than so many bytes, and some machines send or receive, is lost; 0: nothing is
	Narrow
	Delay     // of all packets
	Duplicate // of all datagrams: some come twice
	Reorder   // of all datagrams: some are held back, far longer than the others take
	Slow      // of each step of some machines: it happens up to so late
	Drift     // of some machines' clocks: they go faster, or slower, by a share
	Jump      // of some machines' clocks, seen at the next start of the process
	Disk      // of each sync of some machines' disks: it takes so long
	Fail      // of some of the syncs: a peer leaves, a seed stops, and both may be started again
	Say       // a machine's application tells everybody a rumor
	Write     // a client writes to the store, at a machine, or reads: what is drawn
	Put       // a client gives keys a value, in the place of all that the machine holds of them
	Delete    // a client takes the values of keys away, likewise
	Move      // a machine's process runs again at another address, with its disk
	Roam      // a peer's machine gets another address while its process runs, which notices
	Fill      // a machine's disk fails: the next sync does, and a peer leaves, a seed stops
	Room      // it is not full any more
	// a bit of a peer's disk flips; its process, which cannot read it, starts again with an empty one
	Damage
	Save    // a copy of a machine's disk is put aside, as a backup would be
	Restore // its process runs again with the copy that was put aside last
	Call    // a machine's node starts under the name of another's from now on
	Clone   // a machine's process starts with a copy of another's disk: two with one identity
	// a stranger tells a machine of a member that is made up, at an address where nobody is
	Invent
	Bar    // an operator bars a peer
	Lift   // the bar ends
	Remove // an operator asks the seeds that a peer is removed; who answers them stays
	Lose   // a seed runs again with an empty disk, once all seeds have their seats
	// the disks of all seeds but one are lost for ever, once that one has a ledger, and an operator begins anew
	// from it
	Recover
	// some machines are well from now on, whatever becomes of others: none may be removed, and all are in
	// within a time
	Core
	WantIn    // a machine's process runs for the first time, and must be in within a time
	WantOut   // a machine is killed, and must be out within a time
	WantHeard // a machine says a rumor, which others must hear within a time
)

var verbWords = [...]string{
	Start: "start", Kill: "kill", Restart: "restart", Pause: "pause", Resume: "resume", Leave: "leave", Away: "away",
	Partition: "partition", Cut: "cut", Heal: "heal", Loss: "loss", LossIn: "loss-in", LossOut: "loss-out", LossDatagrams: "loss-datagrams", LossStreams: "loss-streams", Narrow: "narrow", Delay: "delay", Duplicate: "duplicate",
	Reorder: "reorder", Slow: "slow", Drift: "drift", Jump: "jump", Disk: "disk", Fail: "fail", Say: "say", Write: "write", Put: "put", Delete: "delete",
	Move: "move", Roam: "roam", Fill: "fill", Room: "room", Damage: "damage", Save: "save", Restore: "restore", Call: "call", Clone: "clone", Invent: "invent",
	Bar: "bar", Lift: "lift", Remove: "remove", Lose: "lose", Recover: "recover",
	Core: "core", WantIn: "want-in", WantOut: "want-out", WantHeard: "want-heard",
}

// String gives the verb's word.
func (v Verb) String() string { return verbWords[v] }

// MarshalText gives the form of String.
func (v Verb) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Action is one thing that happens to the machines or to the network.
type Action struct {
	At   time.Duration // since the world began
	Verb Verb
	// machines by number, from 1: of Start to Away, of Slow to Fail, and of Say to Delete; of Loss: whose, or none for
	// the network's; of LossIn to LossStreams: whose
	Who    []int
	Anyone bool          // of Say and Write: each time one of the running machines, drawn, instead of Who
	Times  int           // of Say and Write: 0 is 1
	Every  time.Duration // of Say and Write: from one time to the next
	// of Say, Write and Put: of what is told at least, in bytes; of Narrow: of the longest packet that gets through
	Size   int
	Keys   []string // of Put and Delete: one record
	Fresh  bool     // of Restart: with a new disk, and so as a new identity
	Groups [][]int  // of Partition; of Cut: from one machine to one other
	// of Loss to LossStreams, Duplicate, Reorder and Fail: probability; of Drift: what the clock gains, as a share
	Share float64
	// of Delay, Reorder, Slow, Jump and Disk; of Put: until it expires; of Core and what it must do: at most
	Delay  time.Duration
	Spread time.Duration // of Delay: from one packet to another; 0: half of it
}

// Scenario is what happens in a run.
type Scenario struct{ Actions []Action }

// crowd is how many machines there are to be named: n1 and so on, and s1 and so
// on for the seeds, which are numbered after the others: of eight, s1 is n9.
type crowd struct{ nodes, seeds int }

// ParseScenario reads a scenario for so many nodes, and seeds besides, one action
// a line:
//
//	# text after a # is for people
//	at 1s   start n9                  # others start by themselves in the first seconds
//	at 10s  kill n3 n5..n7
//	at 15s  restart n3                # with its disk; `restart n5 fresh` without
//	at 20s  partition n1..n4 | n5..n8 # who is not named is with the first group
//	at 40s  heal                      # partitions and cuts
//	at 41s  cut n1 -> n2              # this way only
//	at 45s  pause n4
//	at 50s  resume n4
//	at 51s  leave n6
//	at 51s  away n6                   # its process ends and says that it is back soon; `restart n6` is for later
//	at 52s  loss 0.2                  # or `loss 0.8 n3`: all that n3 sends and receives
//	at 52s  loss-in 0.8 n3            # what it receives only; `loss-out 0.8 n3`: what it sends
//	at 52s  loss-datagrams 1 n3       # what it sends and receives by datagram; streams go on
//	at 52s  loss-streams 1 n3         # what it sends and receives by stream; datagrams go on
//	at 52s  narrow 500 n3             # of what it sends and receives all that is longer is lost; `narrow 0 n3` ends it
//	at 53s  delay 20ms
//	at 53s  delay 20ms 100ms          # and up to 100 ms longer, instead of half of it
//	at 54s  duplicate 0.05            # of the datagrams
//	at 54s  reorder 0.02 2s           # of the datagrams: they come up to 2 s later
//	at 54s  slow 200ms n3             # each of its steps happens up to so late; `slow 0s n3` ends it
//	at 54s  drift 0.01 n3             # its clock gains a hundredth; -0.01 loses it
//	at 54s  jump -30m n3              # its clock goes back, which its process sees when it starts again
//	at 54s  disk 100ms n3             # each sync takes so long
//	at 54s  fail 0.1 n3               # of its syncs: a peer leaves, a seed stops
//	at 55s  say n3                    # a rumor; each machine that is named says one
//	at 56s  say anyone x20 every 1s   # one that is drawn, 20 times
//	at 57s  say n3 x5 every 10ms size 65536
//	at 57s  put n3 a b                # the keys a and b, in one record; `put n3 a ttl 20s size 2000`
//	at 57s  delete n3 a               # all that it holds of the key
//	at 57s  write anyone x20 every 1s # a client puts, deletes or reads something that is drawn
//	at 58s  move n3                   # its process runs again at another address, with its disk
//	at 58s  roam n3                   # it gets another address while its process runs
//	at 58s  fill n3                   # its disk fails: a peer leaves, a seed stops; `room n3` ends that
//	at 58s  damage n3                 # a bit of its disk flips; it starts again with an empty one
//	at 58s  save n3                   # a copy of its disk is put aside
//	at 58s  restore n3                # its process runs again with that copy
//	at 58s  call n3 n4                # from its next start on n3 has the name of n4
//	at 58s  clone n3 n8               # n8, which does not start before, starts with a copy of n3's disk
//	at 58s  invent n3                 # a stranger tells it of a member at an address where nobody is
//	at 59s  bar n3                    # by an operator, with seeds; `lift n3` ends it
//	at 59s  remove n3                 # an operator asks for it, with seeds; who answers them stays
//	at 59s  lose s1                   # it starts again with an empty disk, once all seeds have their seats
//	at 59s  recover s1                # the disks of all other seeds are gone: an operator begins anew from that of s1
//
// Lines with seeds may demand what a core must do in time, whatever becomes of
// the others:
//
//	at 20s  core 10s n1..n3 s1 s2     # they are well from now on: none is removed, and all are in 10 s later
//	at 25s  want-in 10s n4            # it starts, and is in by the ledger of a quorum 10 s later, and lists the core
//	at 26s  want-out 10s n3           # it is killed, and is out 10 s later
//	at 27s  want-heard 10s n1 n2 n4   # n1 says a rumor, and n2 and n4 have it 10 s later
//
// Lines may stand in any order; those of one time happen in the order of the
// lines. An error names file and line.
func ParseScenario(file, text string, nodes, seeds int) (*Scenario, error) {
	s := &Scenario{}
	for number, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		a, err := parseAction(words, crowd{nodes, seeds})
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, number+1, err)
		}
		s.Actions = append(s.Actions, a)
	}
	slices.SortStableFunc(s.Actions, byTime)
	return s, nil
}

// byTime orders actions by their time.
func byTime(a, b Action) int { return cmp.Compare(a.At, b.At) }

// parseAction reads one line, in words.
func parseAction(words []string, all crowd) (a Action, err error) {
	if words[0] != "at" || len(words) < 3 {
		return a, fmt.Errorf("%q: want `at TIME VERB …`, as in `at 10s kill n3`", strings.Join(words, " "))
	}
	if a.At, err = parseDuration(words[1]); err != nil {
		return a, err
	}
	verb := slices.Index(verbWords[:], words[2])
	if verb < int(Start) {
		return a, fmt.Errorf("verb %q: want one of %s", words[2], strings.Join(verbWords[Start:], ", "))
	}
	a.Verb = Verb(verb)
	return a, a.parse(words[3:], all)
}

// parse reads what follows the verb.
func (a *Action) parse(words []string, all crowd) (err error) {
	switch a.Verb {
	case Partition:
		a.Groups, err = parseGroups(words, "|", all)
	case Cut:
		if a.Groups, err = parseGroups(words, "->", all); err == nil && (len(a.Groups) != 2 || len(a.Groups[0]) != 1 || len(a.Groups[1]) != 1) {
			err = fmt.Errorf("cut %s: want one machine, an arrow, one machine, as in `cut n1 -> n2`", strings.Join(words, " "))
		}
	case Heal:
		if len(words) > 0 {
			err = fmt.Errorf("heal %s: want nothing after it", strings.Join(words, " "))
		}
	case Loss:
		if a.Share, err = parseShare(a.Verb, words); err == nil {
			a.Who, err = parseMachines(words[1:], all)
		}
	case Duplicate:
		if a.Share, err = parseShare(a.Verb, words); err == nil && len(words) > 1 {
			err = fmt.Errorf("duplicate %s: want nothing after the probability", strings.Join(words, " "))
		}
	case Say, Write:
		err = a.parseSay(words, all)
	case Put, Delete:
		err = a.parseKeys(words, all)
	case Delay:
		if len(words) < 1 || len(words) > 2 {
			return fmt.Errorf("delay: want one duration or two, as in `delay 20ms` or `delay 20ms 100ms`")
		}
		if a.Delay, err = parseDuration(words[0]); err == nil && len(words) > 1 {
			a.Spread, err = parseDuration(words[1])
		}
	case Reorder:
		if len(words) != 2 {
			return fmt.Errorf("reorder: want a probability and a duration, as in `reorder 0.02 2s`")
		}
		if a.Share, err = parseShare(a.Verb, words); err == nil {
			a.Delay, err = parseDuration(words[1])
		}
	default:
		err = a.parseMachineDial(words, all)
	}
	return err
}

// jumpMost is how far a clock may jump (guess: as far as a clock that somebody has set by hand, and what
// check_claims.go has room for).
const jumpMost = 72 * time.Hour

// narrowLeast is how many bytes a packet may always have: pings and their answers must get through with the claims that
// ride on them, or a machine is cut off. A guess.
const narrowLeast = 400

// parseMachineDial reads what is done to machines.
func (a *Action) parseMachineDial(words []string, all crowd) (err error) {
	example := "n3 n5..n7"
	switch last := len(words) - 1; {
	case a.Verb == Restart && last >= 0 && words[last] == "fresh":
		a.Fresh, words = true, words[:last]
	case a.Verb == Slow || a.Verb == Disk || a.Verb == Jump || a.Verb >= Core:
		if example = "50ms n3"; len(words) > 0 {
			back := a.Verb == Jump && strings.HasPrefix(words[0], "-")
			if a.Delay, err = parseDuration(strings.TrimPrefix(words[0], "-")); err != nil || !back && words[0][0] == '-' {
				return fmt.Errorf("%s %q: want a duration first, as in `%s %s`", a.Verb, words[0], a.Verb, example)
			}
			if back {
				a.Delay = -a.Delay
			}
			if a.Verb == Jump && a.Delay.Abs() > jumpMost {
				return fmt.Errorf("jump %q: want at most %v either way", words[0], jumpMost)
			}
			words = words[1:]
		}
	case a.Verb == Drift:
		if example = "0.01 n3"; len(words) > 0 {
			if a.Share, err = strconv.ParseFloat(words[0], 64); err != nil || !(a.Share >= -driftMost && a.Share <= driftMost) {
				return fmt.Errorf("drift %q: want what the clock gains, as a share, %v to %v", words[0], -driftMost, driftMost)
			}
			words = words[1:]
		}
	case a.Verb == Narrow:
		if example = "500 n3"; len(words) > 0 {
			if a.Size, err = strconv.Atoi(words[0]); err != nil || a.Size != 0 && (a.Size < narrowLeast || a.Size > core.MTU) {
				return fmt.Errorf("narrow %q: want how many bytes get through, %d to %d, or 0 for all", words[0], narrowLeast, core.MTU)
			}
			words = words[1:]
		}
	case a.Verb == Fail || a.Verb == LossIn || a.Verb == LossOut || a.Verb == LossDatagrams || a.Verb == LossStreams:
		example = "0.1 n3"
		if a.Share, err = parseShare(a.Verb, words); err != nil {
			return err
		}
		words = words[1:]
	}
	if len(words) == 0 {
		return fmt.Errorf("%s: want one machine or more, as in `%s %s`", a.Verb, a.Verb, example)
	}
	if a.Who, err = parseMachines(words, all); err == nil && a.Verb == WantHeard && len(a.Who) < 2 {
		err = fmt.Errorf("want-heard: want two machines or more, as in `want-heard 10s n1 n2`: the first speaks")
	}
	if err == nil && a.Verb == Call && len(a.Who) != 2 {
		err = fmt.Errorf("call: want two machines, as in `call n3 n4`: n3 is to have the name of n4")
	}
	if err == nil && a.Verb == Clone && (len(a.Who) != 2 || slices.Max(a.Who) > all.nodes) {
		err = fmt.Errorf("clone: want two peers, as in `clone n3 n8`: n8 starts with a copy of the disk of n3")
	}
	if err == nil && a.Verb == Recover && (len(a.Who) != 1 || a.Who[0] <= all.nodes) {
		err = fmt.Errorf("recover: want one seed, as in `recover s1`: the others lose their disks")
	}
	if err == nil && a.Verb >= Bar && all.seeds == 0 {
		err = fmt.Errorf("%s: want a network with seeds: `with seeds 3` or --seeds 3", a.Verb)
	}
	return err
}

// timesMost is how often one line may have something said.
const timesMost = 1_000_000

// parseSay reads who says something, and how often.
func (a *Action) parseSay(words []string, all crowd) (err error) {
	who := slices.IndexFunc(words, func(word string) bool { return word == "every" || word == "size" || strings.HasPrefix(word, "x") })
	if who < 0 {
		who = len(words)
	}
	if a.Anyone = slices.Equal(words[:who], []string{"anyone"}); !a.Anyone {
		if a.Who, err = parseMachines(words[:who], all); err != nil {
			return err
		}
	}
	if who == 0 {
		return fmt.Errorf("%s: want one machine or more, or anyone, as in `%s n3 x5 every 1s`", a.Verb, a.Verb)
	}
	for words = words[who:]; len(words) > 0; words = words[1:] {
		if times, ok := strings.CutPrefix(words[0], "x"); ok {
			if a.Times, err = strconv.Atoi(times); err != nil || a.Times < 1 || a.Times > timesMost {
				return fmt.Errorf("%s %q: want x and how often, 1 to %d, as in x5", a.Verb, words[0], timesMost)
			}
			continue
		}
		if len(words) == 1 && (words[0] == "every" || words[0] == "size") {
			return fmt.Errorf("%s: want a value after %q, as in `every 1s` or `size 2000`", a.Verb, words[0])
		}
		switch words[0] {
		case "every":
			a.Every, err = parseDuration(words[1])
		case "size":
			if a.Size, err = strconv.Atoi(words[1]); err != nil || a.Size < 1 || a.Size > hearsay.MaxRumorData {
				err = fmt.Errorf("%s size %q: want 1 to %d bytes", a.Verb, words[1], hearsay.MaxRumorData)
			}
		default:
			err = fmt.Errorf("%s %q: want x5, `every 1s` or `size 2000`", a.Verb, words[0])
		}
		if err != nil {
			return err
		}
		words = words[1:]
	}
	if (a.Times > 1) != (a.Every > 0) {
		return fmt.Errorf("%s: want both how often and in which time, as in `x5 every 1s`", a.Verb)
	}
	return nil
}

func parseDuration(word string) (time.Duration, error) {
	d, err := time.ParseDuration(word)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("duration %q: want 0 or more with a unit, as in 1.5s", word)
	}
	return d, nil
}

// parseShare reads the probability that stands first.
func parseShare(verb Verb, words []string) (share float64, err error) {
	if len(words) == 0 {
		return 0, fmt.Errorf("%s: want a probability, as in `%s 0.2`", verb, verb)
	}
	share, err = strconv.ParseFloat(words[0], 64)
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("%s %q: want a probability, 0 to 1", verb, words[0])
	}
	return share, nil
}

// parseGroups reads machines in groups with a separator between them.
func parseGroups(words []string, separator string, all crowd) (groups [][]int, err error) {
	var named []int
	for len(words) > 0 {
		n := slices.Index(words, separator)
		if n < 0 {
			n = len(words)
		}
		group, err := parseMachines(words[:n], all)
		if err != nil {
			return nil, err
		}
		for _, number := range group {
			if slices.Contains(named, number) {
				return nil, fmt.Errorf("n%d is named twice", number)
			}
		}
		named = append(named, group...)
		groups = append(groups, group)
		words = words[min(n+1, len(words)):]
	}
	if len(groups) < 2 || slices.ContainsFunc(groups, func(g []int) bool { return len(g) == 0 }) {
		return nil, fmt.Errorf("want groups of machines with %q between them, as in `n1..n4 %s n5..n8`", separator, separator)
	}
	return groups, nil
}

// parseMachines reads names like n3, and ranges of them like n5..n7.
func parseMachines(words []string, all crowd) (numbers []int, err error) {
	for _, word := range words {
		first, last, isRange := strings.Cut(word, "..")
		if !isRange {
			last = first
		}
		from, err := parseMachine(first, all)
		if err != nil {
			return nil, err
		}
		to, err := parseMachine(last, all)
		if err != nil {
			return nil, err
		}
		if from > to {
			return nil, fmt.Errorf("range %q: want the lower number first", word)
		}
		for n := from; n <= to; n++ {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

func parseMachine(name string, all crowd) (number int, err error) {
	most, before := all.nodes+all.seeds, 0
	digits, ok := strings.CutPrefix(name, "n")
	if !ok {
		digits, ok = strings.CutPrefix(name, "s")
		most, before = all.seeds, all.nodes
	}
	if number, err = strconv.Atoi(digits); !ok || err != nil || number < 1 || number > most {
		want := fmt.Sprintf("one of n1 to n%d", all.nodes)
		if all.seeds > 0 {
			want += fmt.Sprintf(", or of s1 to s%d", all.seeds)
		}
		return 0, fmt.Errorf("machine %q: want %s", name, want)
	}
	return before + number, nil
}

// String gives the action as a line of a scenario, without its time. Seeds are
// numbered after the others.
func (a *Action) String() string { return a.named(MaxNodes) }

// named gives the same, and calls seeds by their names: the machines after so
// many.
func (a *Action) named(nodes int) string {
	words := []string{a.Verb.String()}
	switch a.Verb {
	case Partition, Cut:
		separator := "|"
		if a.Verb == Cut {
			separator = "->"
		}
		for i, group := range a.Groups {
			if i > 0 {
				words = append(words, separator)
			}
			words = appendMachines(words, group, nodes)
		}
	case Loss, LossIn, LossOut, LossDatagrams, LossStreams, Duplicate, Drift, Fail:
		words = appendMachines(append(words, strconv.FormatFloat(a.Share, 'g', -1, 64)), a.Who, nodes)
	case Narrow:
		words = appendMachines(append(words, strconv.Itoa(a.Size)), a.Who, nodes)
	case Delay:
		if words = append(words, a.Delay.String()); a.Spread > 0 {
			words = append(words, a.Spread.String())
		}
	case Reorder:
		words = append(words, strconv.FormatFloat(a.Share, 'g', -1, 64), a.Delay.String())
	case Slow, Jump, Disk, Core, WantIn, WantOut, WantHeard:
		words = appendMachines(append(words, a.Delay.String()), a.Who, nodes)
	case Say, Write:
		words = a.appendSay(words, nodes)
	case Put, Delete:
		words = a.appendKeys(appendMachines(words, a.Who, nodes))
	default:
		words = appendMachines(words, a.Who, nodes)
	}
	if a.Fresh {
		words = append(words, "fresh")
	}
	return strings.Join(words, " ")
}

func (a *Action) appendSay(words []string, nodes int) []string {
	if a.Anyone {
		words = append(words, "anyone")
	}
	words = appendMachines(words, a.Who, nodes)
	if a.Times > 1 {
		words = append(words, fmt.Sprintf("x%d", a.Times), "every", a.Every.String())
	}
	if a.Size > 0 {
		words = append(words, "size", strconv.Itoa(a.Size))
	}
	return words
}

// appendMachines appends their names, those that follow each other as a range:
// from the number after nodes on they are seeds.
func appendMachines(words []string, numbers []int, nodes int) []string {
	name := func(number int) string {
		if number > nodes {
			return fmt.Sprintf("s%d", number-nodes)
		}
		return fmt.Sprintf("n%d", number)
	}
	for i := 0; i < len(numbers); {
		last := i
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 && numbers[last] != nodes {
			last++
		}
		word := name(numbers[i])
		if last > i {
			word += ".." + name(numbers[last])
		}
		words = append(words, word)
		i = last + 1
	}
	return words
}
