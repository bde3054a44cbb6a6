package quorum

import (
	"maps"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// A rewriting is what a seed writes when the log of others takes the place of its own: it has led without
// a quorum, and has entries that were never committed.
type rewriting struct {
	w       *world
	m       *machine
	before  map[string]core.Record // its disk before
	records []core.Record          // in order
	logs    map[[3]uint64]bool     // an index, its term, and the term before it, as some seed had them in its log
}

// note takes in what logs there are.
func (r *rewriting) note() {
	for _, m := range r.w.Machines {
		if m.Q == nil || m.Q.replica == nil {
			continue
		}
		log := m.Q.replica.log
		for index := log.base + 1; index <= log.last(); index++ {
			term, _ := log.Term(index)
			previous, _ := log.Term(index - 1)
			r.logs[[3]uint64{index, term, previous}] = true
		}
	}
}

// rewritten has a leader be cut off with so many entries that are never committed, while the others rule, and
// then take over their log.
func rewritten(t *testing.T, seed uint64, alone, rules, snapshotEvery int) *rewriting {
	w := newWorld(t, 3, seed)
	w.cfg.SnapshotEvery = snapshotEvery
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	p := w.NewPerson()
	w.Must(10*time.Second, "one is in", func() bool { return w.In(p) && w.agree() })
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	r := &rewriting{w: w, m: w.Machines[slot], logs: make(map[[3]uint64]bool)}
	w.Stepped = func(*machine, *core.Effects) { r.note() }
	w.cutOff(slot)
	last := r.m.Q.replica.log.last()
	for n := range alone {
		w.Step(r.m, func() {
			r.m.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpLeave, Leave: core.Leave{Stay: hearsay.Stay{Epoch: hearsay.Epoch(n + 1)}}})
			r.m.Q.commits.flush(w.Now)
			r.m.Q.driver.work(w.Now)
		})
	}
	if has := r.m.Q.replica.log.last() - last; has < uint64(alone) {
		t.Fatalf("it has %d entries of its own, want %d", has, alone)
	}
	other := w.Machines[(slot+1)%3]
	for epoch := int(other.Q.Epoch()); int(other.Q.Epoch()) < epoch+rules; {
		now := other.Q.Epoch()
		w.NewPerson()
		w.Must(20*time.Second, "the others rule", func() bool { return other.Q.Epoch() > now })
	}
	w.Run(time.Second)
	r.before = maps.Clone(r.m.Disk.Durable)
	w.Stepped = func(m *machine, out *core.Effects) {
		r.note()
		if m == r.m {
			r.records = append(r.records, out.Persist...)
		}
	}
	w.Cut = nil
	w.Must(20*time.Second, "it has the log of the others", w.agree)
	w.Stepped = nil
	return r
}

// tornRecords is how many writes a crash takes apart in each way that there is.
const tornRecords = 8

// A crash may leave any part of what was written and not synced. What a seed starts with then is part of the
// ledger, no less of it than was durable; and its log is one that a leader had.
func TestTornRewriting(t *testing.T) {
	for name, c := range map[string]struct{ alone, rules, snapshotEvery int }{
		"a longer log":  {2, 3, 1000},
		"a shorter log": {20, 1, 1000},
		"a snapshot":    {6, 8, 5},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2) {
				r := rewritten(t, seed, c.alone, c.rules, c.snapshotEvery)
				durable := disk{Durable: r.before}
				for n := range r.records {
					least := r.start(t, &durable).Epoch()
					written := r.records[n:min(len(r.records), n+tornRecords)]
					for kept := range 1 << len(written) {
						torn := disk{Durable: maps.Clone(durable.Durable)}
						for i, record := range written {
							if kept>>i&1 != 0 {
								torn.Apply(record)
							}
						}
						r.check(t, r.start(t, &torn), least)
						if t.Failed() {
							t.Fatalf("seed %d: after %d of %d records, %b of the next", seed, n, len(r.records), kept)
						}
					}
					durable.Apply(r.records[n])
				}
			}
		})
	}
}

func (r *rewriting) start(t *testing.T, d *disk) *Quorum {
	t.Helper()
	cfg := r.w.cfg
	cfg.Slot = r.m.Slot
	q, err := New(cfg, r.m.Signer, r.w.Random, Directory{Sender: r.w.Sender}, d.Load(), &hearsay.Stats{}, &core.Effects{}, r.w.Now)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// check looks at a seed that was started.
func (r *rewriting) check(t *testing.T, q *Quorum, least hearsay.Epoch) {
	t.Helper()
	epoch := q.Epoch()
	if epoch < least {
		t.Errorf("it starts with epoch %d, and %d was durable", epoch, least)
	}
	if known := r.w.Hashes[epoch]; epoch > 0 && known != q.Head() {
		t.Errorf("it has another ledger at epoch %d", epoch)
	}
	log := q.replica.log
	for index := log.base + 1; index <= log.last(); index++ {
		term, _ := log.Term(index)
		if previous, _ := log.Term(index - 1); !r.logs[[3]uint64{index, term, previous}] {
			t.Errorf("entry %d of term %d follows one of term %d, as in no log", index, term, previous)
		}
	}
}

// A recovery that was ended before anybody heard of it can be asked for again: at once it is the same one, and
// where another seed has come with an empty directory meanwhile it is a new one, in which all take part.
func TestRecoveryAskedForAgain(t *testing.T) {
	for name, seeds := range map[string]int{"two seeds": 2, "a third has come anew": 3} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, seeds, 7)
			w.StartAll()
			w.NewPerson()
			left := w.Machines[0]
			w.Must(10*time.Second, "one is in", func() bool { return w.agree() && left.Q.Epoch() == 1 })
			w.Run(time.Second)
			w.Crash(left)
			w.People = nil
			for _, m := range w.Machines[1:] {
				w.Wipe(m)
				w.Epochs[m.Slot] = 0
				w.Start(m)
			}
			begin := func() {
				w.cfg.Recover = true
				w.Start(left)
				w.cfg.Recover = false
				w.Must(10*time.Second, "it begins anew", func() (done bool) {
					w.Step(left, func() {
						_, err := left.Q.Recover(w.Now)
						done = err == nil
					})
					return done
				})
			}
			begin()
			epoch := left.Q.Epoch()
			w.Cut = func(int, int) bool { return true }
			w.Must(time.Second, "that is on disk", func() bool { return len(left.Queue) == 0 })
			w.Run(w.Slow)
			w.Crash(left)
			w.Cut = nil
			if seeds == 3 {
				w.Wipe(w.Machines[2])
				w.After(3*time.Second, func() { w.Start(w.Machines[2]) })
			}
			begin()
			w.Must(time.Second, "that is on disk", func() bool { return len(left.Queue) == 0 })
			w.Crash(left)
			w.Start(left)
			w.Must(30*time.Second, "they agree", w.agree)
			if now := left.Q.Epoch(); seeds == 2 && now != epoch {
				t.Errorf("it has epoch %d, and had %d", now, epoch)
			}
		})
	}
}

// Two recoveries, of which the crash of each leaves any part on the disk: a seed never starts with the state of one
// and the ruling of the other.
func TestTornRecoveries(t *testing.T) {
	w := newWorld(t, 1, 3)
	w.StartAll()
	m := w.Machines[0]
	w.NewPerson()
	w.Must(10*time.Second, "one is in", func() bool { return w.agree() && m.Q.Epoch() == 1 })
	w.Run(time.Second)
	w.Crash(m)
	cfg := w.cfg
	cfg.Recover = true
	start := func(d *disk, out *core.Effects) *Quorum {
		q, err := New(cfg, m.Signer, w.Random, Directory{Sender: w.Sender}, d.Load(), &hearsay.Stats{}, out, w.Now)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	again := func(d *disk) (written []core.Record) {
		w.Now = w.Now.Add(time.Second)
		out := &core.Effects{}
		if _, err := start(d, out).Recover(w.Now); err != nil {
			t.Fatal(err)
		}
		return out.Persist
	}
	part := func(d *disk, written []core.Record, kept int) *disk {
		torn := &disk{Durable: maps.Clone(d.Durable)}
		for i, record := range written {
			if kept>>i&1 != 0 {
				torn.Apply(record)
			}
		}
		return torn
	}
	anew := 0
	for i, written := 0, again(&m.Disk); i < len(written); i++ {
		first := part(&m.Disk, written, 1<<i) // one write alone is left
		written := again(first)
		for kept := range 1 << len(written) {
			q := start(part(first, written, kept), &core.Effects{})
			newest := q.chain.Entry(q.Epoch())
			if newest == nil || newest.Ruling.Hash(cfg.Network) != q.Head() {
				t.Fatalf("its newest ruling is not that of epoch %d, which its state says", q.Epoch())
			}
			if newest.Ruling.Kind == hearsay.RulingRecover {
				anew++
			}
		}
	}
	if anew == 0 {
		t.Error("no recovery was left whole: the test shows nothing")
	}
}
