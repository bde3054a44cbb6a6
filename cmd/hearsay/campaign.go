package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hearsay/sim"
)

const (
	campaignRuns  = 200             // worlds, unless told otherwise
	worldPatience = 5 * time.Minute // a world that takes longer is given up (guess: a thousand times what one takes)
	progressEvery = time.Second     // on standard error
	aheadMost     = 64              // worlds a worker runs before those with lower seeds are done
)

// campaign is what the flags say.
type campaign struct {
	from    uint64
	runs    int
	draw    sim.Drawn
	list    bool
	json    bool
	trace   bool
	workers int
	work    bool // this process runs worlds for another
}

func newSimCampaign() *cobra.Command {
	c := campaign{runs: campaignRuns, workers: runtime.NumCPU()}
	cmd := &cobra.Command{
		Use:   "campaign",
		Short: "Run many drawn worlds, and find the seed that breaks a rule",
		Long: `Run many worlds, each drawn from its seed: how bad it is, its settings, and what
fails when. A world is safety first: for a minute anything may fail and nothing
wrong may happen. Then all is mended, and it must converge in time.

The worlds run in processes of their own, on all cores; the same seeds print
the same bytes however many there are. The first seed that fails ends the
campaign: it is printed with the command that repeats it, and the world made
shorter as far as it still fails, for "sim run --scenario".

With --core nothing is mended: a quorum of seeds and two peers or a few more are
well, all others are dead, cut off, slow, deaf or mute for ever, and the core
must let in a fresh peer, remove one that is killed and tell a rumor, within
10 s each.

With --plant every node has a bug that is planted on purpose, and the campaign
must find it. A campaign of 100 worlds or more that lacks what it is to test
(kills, cuts, rounds, catch-ups ...) fails as well.

Exit code 3: a safety rule was broken. 4: a network did not converge,
or a core did not do in time what it must. 1: a
world crashed, or something was not tested.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case c.list:
				return listPlants(cmd.OutOrStdout(), c.json)
			case c.runs < 1:
				return wrongUsage(cmd, fmt.Errorf("runs %d: want 1 or more", c.runs))
			case c.workers < 1:
				return wrongUsage(cmd, fmt.Errorf("workers %d: want 1 or more", c.workers))
			case c.trace && c.runs != 1:
				return wrongUsage(cmd, errors.New("a story is told of one world: want --runs 1 with --trace"))
			}
			if _, err := c.draw.World(c.from); err != nil {
				return wrongUsage(cmd, err)
			}
			switch {
			case c.work:
				return c.serve(cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			case c.trace:
				return c.tell(cmd.OutOrStdout())
			}
			return c.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&c.from, "from", c.from, "first seed")
	flags.IntVar(&c.runs, "runs", c.runs, "worlds, one a seed")
	flags.StringVar(&c.draw.Plant, "plant", "", "give every node the planted bug of this name")
	flags.BoolVar(&c.draw.Core, "core", false, "worlds of which only a core is left: a quorum of seeds and few peers")
	flags.IntVar(&c.draw.Seeds, "seeds", sim.SeedsDrawn, "seeds of each network; 0: it is open; -1: as each world draws")
	flags.BoolVar(&c.list, "list-plants", false, "print the names of the planted bugs, one a line")
	flags.BoolVar(&c.json, "json", false, "print JSON")
	flags.BoolVar(&c.trace, "trace", false, "tell the story of the world, with --runs 1")
	flags.IntVar(&c.workers, "workers", c.workers, "processes")
	flags.BoolVar(&c.work, "work", false, "run the worlds whose seeds come on standard input")
	if err := flags.MarkHidden("work"); err != nil {
		panic(err) // there is such a flag
	}
	return cmd
}

// listPlants prints one name a line; as JSON also what each does and breaks.
func listPlants(out io.Writer, asJSON bool) error {
	text := ""
	for i := range sim.Plants {
		text += sim.Plants[i].Name + "\n"
	}
	if asJSON {
		text = jsonLine(sim.Plants)
	}
	_, err := io.WriteString(out, text)
	return err
}

// tell runs one world and tells its story.
func (c *campaign) tell(out io.Writer) error {
	config, err := c.draw.World(c.from)
	if err != nil {
		return err
	}
	config.Trace, config.JSON = true, c.json
	w := bufio.NewWriter(out)
	_, err = sim.Run(config, w)
	return simCode(errors.Join(err, w.Flush()))
}

// task is what a worker is asked, as a line of JSON: to run a world, and if it
// is known to fail, to make it shorter.
type task struct {
	Seed   uint64       `json:"seed"`
	Failed *sim.Outcome `json:"failed,omitempty"`
}

// serve answers each task with a line of JSON. This process dies if a world
// makes it.
func (c *campaign) serve(in io.Reader, out, log io.Writer) error {
	tasks, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var t task
		if err := tasks.Decode(&t); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read a task: %w", err)
		}
		config, err := c.draw.World(t.Seed)
		if err != nil {
			return err
		}
		var o sim.Outcome
		if t.Failed == nil {
			o = sim.RunWorld(config, io.Discard, log)
		} else {
			o = *t.Failed
			less := sim.Shorten(config, t.Failed)
			o.Shortened = less.Text()
		}
		if err := answers.Encode(&o); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

// worker is a process that runs worlds.
type worker struct {
	cmd     *exec.Cmd
	tasks   io.WriteCloser
	answers *json.Decoder
	log     lastWords
}

// startWorker starts one.
func (c *campaign) startWorker() (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	args := []string{"sim", "campaign", "--work", "--seeds", strconv.Itoa(c.draw.Seeds), "--core=" + strconv.FormatBool(c.draw.Core)}
	if c.draw.Plant != "" {
		args = append(args, "--plant", c.draw.Plant)
	}
	return start(exec.Command(self, args...))
}

// start makes a worker of a command that has not started.
func start(cmd *exec.Cmd) (w *worker, err error) {
	w = &worker{cmd: cmd}
	w.cmd.Stderr = &w.log
	if w.tasks, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.answers = json.NewDecoder(out)
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	return w, nil
}

// ask has a worker do a task. A worker that dies over it, or takes too long, is
// of no use any more.
func (w *worker) ask(t task) (o sim.Outcome, alive bool) {
	patience := time.AfterFunc(worldPatience, func() { w.cmd.Process.Kill() })
	defer patience.Stop()
	if err := json.NewEncoder(w.tasks).Encode(t); err == nil {
		if err := w.answers.Decode(&o); err == nil {
			return o, true
		}
	}
	w.tasks.Close()
	err := w.cmd.Wait()
	return sim.Outcome{Seed: t.Seed, Failure: sim.FailedCrash, Text: fmt.Sprintf("its process ended: %v", err)}, false
}

// end ends a worker that has nothing to do any more.
func (w *worker) end() {
	w.tasks.Close()
	w.cmd.Wait()
}

// lastWords keeps the last of what is written to it.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

func (t *lastWords) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if extra := len(t.text) - lastWordsMax; extra > 0 {
		t.text = t.text[extra:]
	}
	return len(b), nil
}

// take gives what was kept, and forgets it.
func (t *lastWords) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := string(t.text)
	t.text = nil
	return text
}

// answer is what came of a seed, and what its process wrote beside.
type answer struct {
	outcome sim.Outcome
	log     string
	err     error // no process could be started
}

// run runs the campaign and prints what it came to.
func (c *campaign) run(cmd *cobra.Command) error {
	progress := cmd.ErrOrStderr()
	result := sim.Campaign{From: c.from, Plant: c.draw.Plant, Seeds: c.draw.Seeds, Core: c.draw.Core}
	if err := c.gather(&result, progress); err != nil {
		return err
	}
	if result.Failed.Repeats() {
		c.shorten(result.Failed, progress)
	}
	failed := result.Close()
	out := bufio.NewWriter(cmd.OutOrStdout())
	var err error
	if c.json {
		err = json.NewEncoder(out).Encode(&result)
	} else {
		err = result.Print(out)
	}
	return simCode(errors.Join(failed, err, out.Flush()))
}

// gather has the worlds run, and takes what they came to in order of seeds, up
// to the first that fails.
func (c *campaign) gather(result *sim.Campaign, progress io.Writer) error {
	answers := make(chan answer)
	seeds := make(chan uint64)
	done := make(chan struct{})
	var workers sync.WaitGroup
	for range min(c.workers, c.runs) {
		workers.Go(func() { c.employ(seeds, answers, done) })
	}
	defer workers.Wait()
	defer close(done)
	waiting := make(map[uint64]answer)
	began, told := time.Now(), time.Now()
	next, end := c.from, c.from+uint64(c.runs)
	for taken := c.from; taken < end; {
		give := seeds
		if next == end || next-taken >= uint64(aheadMost*c.workers) {
			give = nil
		}
		select {
		case give <- next:
			next++
		case a := <-answers:
			if a.err != nil {
				return a.err
			}
			waiting[a.outcome.Seed] = a
		}
		for {
			a, ready := waiting[taken]
			if !ready {
				break
			}
			delete(waiting, taken)
			taken++
			io.WriteString(progress, a.log)
			if !result.Add(&a.outcome) {
				return nil
			}
		}
		if time.Since(told) >= progressEvery {
			told = time.Now()
			fmt.Fprintf(progress, "%d of %d worlds, %.0f s\n", result.Runs, c.runs, time.Since(began).Seconds())
		}
	}
	return nil
}

// employ has a process run worlds, and another if that dies.
func (c *campaign) employ(seeds <-chan uint64, answers chan<- answer, done <-chan struct{}) {
	var w *worker
	defer func() {
		if w != nil {
			w.end()
		}
	}()
	for {
		var a answer
		select {
		case <-done:
			return
		case seed := <-seeds:
			if w == nil {
				w, a.err = c.startWorker()
			}
			if a.err == nil {
				alive := false
				a.outcome, alive = w.ask(task{Seed: seed})
				if a.log = w.log.take(); !alive {
					w = nil
				}
			}
		}
		select {
		case answers <- a:
		case <-done:
			return
		}
	}
}

// shorten has a process make a failing world shorter.
func (c *campaign) shorten(o *sim.Outcome, progress io.Writer) {
	fmt.Fprintf(progress, "seed %d fails (%s): making it shorter\n", o.Seed, strings.TrimSpace(string(o.Failure)+" "+o.Rule))
	w, err := c.startWorker()
	if err != nil {
		fmt.Fprintln(progress, "cannot make it shorter:", err)
		return
	}
	less, alive := w.ask(task{Seed: o.Seed, Failed: o})
	if !alive {
		fmt.Fprintln(progress, "cannot make it shorter:", less.Text)
		return
	}
	w.end()
	o.Shortened = less.Shortened
}
