package sim

import (
	"fmt"
	"math/rand/v2"

	"hearsay/rumor"
)

// This file is rumor mongering in synchronous cycles, as in Demers and others 1987, "Epidemic Algorithms for
// Replicated Database Maintenance", section 1.4. Heat and Cooling are those of the live strategy
// (rumor.Monger); the cycles are not, and so the figures here are the paper's and not those of a live network:
//
//	here                                     live, and why
//	all sites act at once, once a cycle      each node has cycles of its own, while a rumor is hot there: nothing keeps
//	                                         clocks in step, and what is idle should be silent
//	who is told in cycle c tells in c+1      who is told tells in its own next cycle, so t_last is no number of cycles
//	two who tell a site in one cycle are     the first to arrive is, the second is answered that it was known: a node
//	both useful                              cannot know what else is under way
//	whether a contact was useful is known    what was known is answered, and silence counts as news: an answer that is
//	                                         lost keeps a rumor hot for longer, never shorter
//	a pull takes what is hot, and counts     a pull compares all that was seen, and cools nothing:
//	once a cycle for its source              it gets what is held, not only what is hot
//	partners are uniform among the others    partners are members held alive, and not the one that told it: it knows
//	a refused contact is not made            nobody refuses; what goes to one member in a cycle is bounded by bytes
//	who is left out stays without it         neighbors compare what they have seen, so that nobody is left out for good

// Limits of an Epidemic.
const (
	MaxSites        = 1_000_000 // per run
	MaxEpidemicRuns = 1_000_000
)

// Epidemic is one rumor at one site, told until nobody tells it any more, and
// that many times over.
//
// In every cycle a site calls a partner, uniform among the others: to push,
// those for which the rumor is hot, to pull, all. A contact carries the rumor
// from each side that may give it and has it hot, whether the other knows it
// or not. At the end of the cycle each site that gave it cools by one step:
// useful if any of those it gave it to did not know it before this cycle. That
// is one contact in a push, and in a pull all who pulled; a site that gave it
// to nobody, because nobody pulled or because it was refused, stays as it is.
type Epidemic struct {
	Sites   int // n
	Style   rumor.Style
	Cooling rumor.Cooling // with StopNone a run ends when all sites know
	// calls that a site accepts in a cycle, chosen at random, the others being lost; 0: any number
	Limit int
	Runs  int
	Seed  uint64 // run r is the same whatever Runs is
}

// Spread is what epidemics come to, as means over the runs.
type Spread struct {
	Susceptible float64 `json:"s"`      // share of the sites that never got the rumor
	Messages    float64 `json:"m"`      // that carried it, per site
	TimeAverage float64 `json:"t_ave"`  // cycles until a site got it, over those that did, the first one left out
	TimeLast    float64 `json:"t_last"` // cycles until the last one got it
}

// DefaultEpidemic gives the defaults; n is the paper's.
func DefaultEpidemic() Epidemic {
	return Epidemic{
		Sites:   1000,
		Cooling: rumor.Cooling{Stop: rumor.StopCounter, K: 3},
		Runs:    1000,
		Seed:    1,
	}
}

// Validate says what is wrong with the epidemic, if anything.
func (e *Epidemic) Validate() error {
	switch {
	case e.Sites < 2 || e.Sites > MaxSites:
		return fmt.Errorf("n %d: want 2 to %d", e.Sites, MaxSites)
	case e.Style > rumor.PushPull:
		return fmt.Errorf("style %v: want push, pull or pushpull", e.Style)
	case e.Limit < 0 || e.Limit > MaxSites:
		return fmt.Errorf("limit %d: want 1 to %d, or 0 for none", e.Limit, MaxSites)
	case e.Runs < 1 || e.Runs > MaxEpidemicRuns:
		return fmt.Errorf("runs %d: want 1 to %d", e.Runs, MaxEpidemicRuns)
	}
	return e.Cooling.Validate()
}

// Run lets the epidemics go. The same Epidemic gives the same figures. The
// error says what is wrong with it.
func (e *Epidemic) Run() (Spread, error) {
	if err := e.Validate(); err != nil {
		return Spread{}, fmt.Errorf("sim: %w", err)
	}
	o := newOutbreak(*e)
	var sum Spread
	for run := range e.Runs {
		o.run(run)
		got := float64(o.informed - 1)
		sum.Susceptible += float64(e.Sites - o.informed)
		sum.Messages += float64(o.messages)
		// got > 0: the first call at which the rumor is given is to one who lacks it
		sum.TimeAverage += float64(o.receipts) / got
		sum.TimeLast += float64(o.last)
	}
	runs, sites := float64(e.Runs), float64(e.Sites)
	return Spread{
		Susceptible: sum.Susceptible / runs / sites,
		Messages:    sum.Messages / runs / sites,
		TimeAverage: sum.TimeAverage / runs,
		TimeLast:    sum.TimeLast / runs,
	}, nil
}

// outbreak is one run of an epidemic, and its storage.
type outbreak struct {
	Epidemic
	random *rand.Rand

	sites   []site
	hot     []int32 // sites for which the rumor is hot
	news    []int32 // sites that got it in this cycle
	callers []int32 // all sites, in the order in which they call

	cycle    int32
	informed int
	messages int
	receipts int // sum of the cycles of all receipts
	last     int32
}

// site is what one site knows.
type site struct {
	heat     rumor.Heat
	told     bool // in this cycle or before
	knows    bool // since before this cycle
	gave     bool // in this cycle
	useful   bool // in this cycle, to one at least
	accepted int32
}

func newOutbreak(e Epidemic) *outbreak {
	o := &outbreak{Epidemic: e, sites: make([]site, e.Sites), callers: make([]int32, e.Sites)}
	for i := range o.callers {
		o.callers[i] = int32(i)
	}
	return o
}

// run lets one rumor go from one site, which knows it in cycle 0. The sites
// are alike, so it is always the same one.
func (o *outbreak) run(number int) {
	source := draws(o.Seed, purposeEpidemic, uint64(number))
	o.random = rand.New(&source)
	clear(o.sites)
	o.cycle, o.informed, o.messages, o.receipts, o.last = 0, 1, 0, 0, 0
	o.sites[0].knows = true
	o.sites[0].heat.Kindle()
	o.hot = append(o.hot[:0], 0)
	for len(o.hot) > 0 && (o.Cooling.Stop != rumor.StopNone || o.informed < o.Sites) {
		o.step()
	}
}

// step is one cycle.
func (o *outbreak) step() {
	o.cycle++
	callers := o.hot
	if o.Style.Pulls() {
		callers = o.callers
	}
	if o.Limit > 0 {
		// Who calls first is accepted, so the order is drawn anew.
		o.random.Shuffle(len(callers), func(i, j int) { callers[i], callers[j] = callers[j], callers[i] })
		for i := range o.sites {
			o.sites[i].accepted = 0
		}
	}
	for _, caller := range callers {
		partner := o.random.Int32N(int32(o.Sites) - 1)
		if partner >= caller {
			partner++
		}
		o.contact(caller, partner)
	}
	o.cool()
	o.learn()
}

// contact is one call.
func (o *outbreak) contact(caller, partner int32) {
	from, to := &o.sites[caller], &o.sites[partner]
	if o.Limit > 0 {
		if int(to.accepted) == o.Limit {
			return
		}
		to.accepted++
	}
	if o.Style.Pushes() && from.heat.Hot() {
		o.give(from, to, partner)
	}
	if o.Style.Pulls() && to.heat.Hot() {
		o.give(to, from, caller)
	}
}

// give is one message that carries the rumor; number is that of the site it
// goes to.
func (o *outbreak) give(from, to *site, number int32) {
	o.messages++
	from.gave = true
	if to.knows {
		return
	}
	from.useful = true
	if !to.told {
		to.told = true
		o.news = append(o.news, number)
	}
}

// cool ends the cycle for those that had the rumor hot in it.
func (o *outbreak) cool() {
	still := o.hot[:0]
	for _, i := range o.hot {
		s := &o.sites[i]
		if s.gave {
			o.Cooling.After(&s.heat, s.useful, o.random)
			s.gave, s.useful = false, false
		}
		if s.heat.Hot() {
			still = append(still, i)
		}
	}
	o.hot = still
}

// learn ends the cycle for those that were told in it: they tell from the next
// one on.
func (o *outbreak) learn() {
	for _, i := range o.news {
		s := &o.sites[i]
		s.knows = true
		s.heat.Kindle()
	}
	if len(o.news) > 0 {
		o.last = o.cycle
	}
	o.informed += len(o.news)
	o.receipts += len(o.news) * int(o.cycle)
	o.hot = append(o.hot, o.news...)
	o.news = o.news[:0]
}
