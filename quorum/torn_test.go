package quorum

import (
	"maps"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// A rewriting is what a seed writes when the log of others takes the place of its own: it has led without
// a quorum, and has entries that were never committed.
type rewriting struct {
	w       *world
	m       *machine
	before  map[string]hearsay.Record // its disk before
	records []hearsay.Record          // in order
	logs    map[[3]uint64]bool        // an index, its term, and the term before it, as some seed had them in its log
}

// note takes in what logs there are.
func (r *rewriting) note() {
	for _, m := range r.w.machines {
		if m.q == nil || m.q.replica == nil {
			continue
		}
		log := m.q.replica.log
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
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	p := w.newPerson()
	w.must(10*time.Second, "one is in", func() bool { return w.in(p) && w.agree() })
	w.run(time.Second)
	slot, _ := w.machines[0].q.Leader()
	r := &rewriting{w: w, m: w.machines[slot], logs: make(map[[3]uint64]bool)}
	w.stepped = func(*machine, *hearsay.Effects) { r.note() }
	w.cutOff(slot)
	last := r.m.q.replica.log.last()
	for n := range alone {
		w.step(r.m, func() {
			r.m.q.propose(w.now, ledger.Command{Op: ledger.OpLeave, Leave: hearsay.Leave{Stay: hearsay.Stay{Epoch: hearsay.Epoch(n + 1)}}})
			r.m.q.flush(w.now)
			r.m.q.work(w.now)
		})
	}
	if has := r.m.q.replica.log.last() - last; has < uint64(alone) {
		t.Fatalf("it has %d entries of its own, want %d", has, alone)
	}
	other := w.machines[(slot+1)%3]
	for epoch := int(other.q.Epoch()); int(other.q.Epoch()) < epoch+rules; {
		now := other.q.Epoch()
		w.newPerson()
		w.must(20*time.Second, "the others rule", func() bool { return other.q.Epoch() > now })
	}
	w.run(time.Second)
	r.before = maps.Clone(r.m.disk.durable)
	w.stepped = func(m *machine, out *hearsay.Effects) {
		r.note()
		if m == r.m {
			r.records = append(r.records, out.Persist...)
		}
	}
	w.cut = nil
	w.must(20*time.Second, "it has the log of the others", w.agree)
	w.stepped = nil
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
				durable := disk{durable: r.before}
				for n := range r.records {
					least := r.start(t, &durable).Epoch()
					written := r.records[n:min(len(r.records), n+tornRecords)]
					for kept := range 1 << len(written) {
						torn := disk{durable: maps.Clone(durable.durable)}
						for i, record := range written {
							if kept>>i&1 != 0 {
								torn.apply(record)
							}
						}
						r.check(t, r.start(t, &torn), least)
						if t.Failed() {
							t.Fatalf("seed %d: after %d of %d records, %b of the next", seed, n, len(r.records), kept)
						}
					}
					durable.apply(r.records[n])
				}
			}
		})
	}
}

func (r *rewriting) start(t *testing.T, d *disk) *Quorum {
	t.Helper()
	cfg := r.w.cfg
	cfg.Slot = r.m.slot
	q, err := New(cfg, r.m.signer, r.w.random, Directory{Sender: r.w.sender}, d.load(), &hearsay.Drops{}, &hearsay.Effects{}, r.w.now)
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
	if known := r.w.hashes[epoch]; epoch > 0 && known != q.Head() {
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
			w.startAll()
			w.newPerson()
			left := w.machines[0]
			w.must(10*time.Second, "one is in", func() bool { return w.agree() && left.q.Epoch() == 1 })
			w.run(time.Second)
			w.crash(left)
			w.people = nil
			for _, m := range w.machines[1:] {
				w.wipe(m)
				w.epochs[m.slot] = 0
				w.start(m)
			}
			begin := func() {
				w.cfg.Recover = true
				w.start(left)
				w.cfg.Recover = false
				w.must(10*time.Second, "it begins anew", func() (done bool) {
					w.step(left, func() {
						_, err := left.q.Recover(w.now)
						done = err == nil
					})
					return done
				})
			}
			begin()
			epoch := left.q.Epoch()
			w.cut = func(int, int) bool { return true }
			w.must(time.Second, "that is on disk", func() bool { return len(left.lane) == 0 })
			w.run(w.slow)
			w.crash(left)
			w.cut = nil
			if seeds == 3 {
				w.wipe(w.machines[2])
				w.after(3*time.Second, func() { w.start(w.machines[2]) })
			}
			begin()
			w.must(time.Second, "that is on disk", func() bool { return len(left.lane) == 0 })
			w.crash(left)
			w.start(left)
			w.must(30*time.Second, "they agree", w.agree)
			if now := left.q.Epoch(); seeds == 2 && now != epoch {
				t.Errorf("it has epoch %d, and had %d", now, epoch)
			}
		})
	}
}
