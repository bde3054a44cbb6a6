package quorum

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// The versions that meet in these tests.
var (
	oldVersions = ledger.Versions()
	newVersions = core.LogVersions{Log: ledger.LogVersion + 1, Snapshot: ledger.SnapshotVersion + 2}
)

// startVersion starts a seed that runs a version of hearsay.
func (w *world) startVersion(m *machine, v core.LogVersions) {
	w.T.Helper()
	before := w.cfg.Versions
	w.cfg.Versions = v
	w.Start(m)
	w.cfg.Versions = before
}

// versionText is what a seed of one version says of that in a slot.
func versionText(slot int, its, own core.LogVersions) string {
	return fmt.Sprintf("the seed at %s runs another version of hearsay than this node (log %d, snapshots %d there, log %d, snapshots %d here): "+
		"neither takes part in what the other decides; run the version of a quorum of the seeds on all nodes", at(slot), its.Log, its.Snapshot, own.Log, own.Snapshot)
}

// strangeText is what it says of one that sits there, as it knows, with another key.
func strangeText(slot int, its, own core.LogVersions) string {
	return fmt.Sprintf("what answers at %s has another key than the seed that sits there, and says that it runs another version of hearsay than this node "+
		"(log %d, snapshots %d there, log %d, snapshots %d here): nothing it says is believed", at(slot), its.Log, its.Snapshot, own.Log, own.Snapshot)
}

// apart checks that seeds of two versions tell of each other, each once, and nothing that is not so. Seeds with empty
// directories, which are known by no key, are told of as such by the others.
func (w *world) apart(told func(hearsay.EventKind, string) int, versions [3]core.LogVersions, empty ...int) {
	w.T.Helper()
	textOf := func(of, by int) (text, noted string) {
		noted = "runs another version of hearsay: " + ledger.VersionWords(versions[of])
		if slices.Contains(empty, of) && !slices.Contains(empty, by) {
			return strangeText(of, versions[of], versions[by]), "has another key than that of its seat, and says that it " + noted
		}
		return versionText(of, versions[of], versions[by]), noted
	}
	for _, m := range w.Machines {
		why := m.Q.Why()
		for _, other := range w.Machines {
			text, noted := textOf(other.Slot, m.Slot)
			_, note := m.Q.Note(w.Now, other.Slot)
			want := versions[other.Slot] != versions[m.Slot]
			if strings.Contains(why, text) != want {
				w.T.Errorf("seed %d says of seed %d: %q", m.Slot, other.Slot, why)
			}
			if want && note != noted || strings.Contains(note, "stolen") {
				w.T.Errorf("seed %d notes of seed %d: %q, want %q", m.Slot, other.Slot, note, noted)
			}
		}
		if strings.Contains(why, "asked to give it the seat") || strings.Contains(why, "not founded") {
			w.T.Errorf("seed %d says %q", m.Slot, why)
		}
	}
	for from := range versions {
		for to := range versions {
			of := 0 // those that say it of this one in the same words
			for by := range versions {
				if versions[by] == versions[to] && slices.Contains(empty, by) == slices.Contains(empty, to) && by != from {
					of++
				}
			}
			text, _ := textOf(from, to)
			if n := told(hearsay.EventSeedDiffers, text); versions[from] != versions[to] && n != of {
				w.T.Errorf("that seed %d is of another version is told %d times by %d", from, n, of)
			}
		}
	}
}

// mixed is a network of three seeds that were started with one version, of which some went on with another.
type mixed struct {
	name     string
	at, then core.LogVersions
}

var upgrades = []mixed{{"newer among older", oldVersions, newVersions}, {"older among newer", newVersions, oldVersions}}

// start gives the network, with one peer.
func (c *mixed) start(t *testing.T, seed uint64) (w *world) {
	w = newWorld(t, 3, seed)
	w.cfg.Versions = c.at
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	p := w.NewPerson()
	w.Must(10*time.Second, "one is in", func() bool { return w.In(p) && w.agree() })
	return w
}

// A seed that runs another version than a quorum, with an empty directory, gets no seat and takes none. The others
// go on with the seat that was there, and it is let in once it runs their version.
func TestEmptySeedOfAnotherVersionGetsNoSeat(t *testing.T) {
	for _, c := range upgrades {
		t.Run(c.name, func(t *testing.T) {
			w := c.start(t, 130)
			told := w.tally()
			one, odd := w.Machines[0], w.Machines[2]
			seats, epoch := fmt.Sprint(one.Q.Seats(nil)), one.Q.Epoch()
			w.Wipe(odd)
			w.Epochs[odd.Slot] = 0
			w.startVersion(odd, c.then)
			w.Run(time.Minute)
			w.apart(told, [3]core.LogVersions{c.at, c.at, c.then}, 2)
			if now := fmt.Sprint(one.Q.Seats(nil)); now != seats || one.Q.Epoch() != epoch || odd.Q.Seated() || !odd.Q.Waits() {
				t.Errorf("it has a seat: %t, it waits: %t; epoch %d, and was %d", odd.Q.Seated(), odd.Q.Waits(), one.Q.Epoch(), epoch)
			}
			w.goOn("two of one version", odd)
			w.Crash(odd)
			w.startVersion(odd, c.at)
			w.Must(20*time.Second, "with their version it takes part", w.agree)
			if why := one.Q.Why(); why != "" {
				t.Errorf("all is well, and %q", why)
			}
		})
	}
}

// A seed that has its seat, and is started with another version on the same directory, exchanges no message of the log
// with the others: it does not count for them, nor they for it.
func TestSeatedSeedOfAnotherVersionDoesNotCount(t *testing.T) {
	for _, c := range upgrades {
		t.Run(c.name, func(t *testing.T) {
			w := c.start(t, 131)
			told := w.tally()
			slot, _ := w.Machines[0].Q.Leader()
			odd, others := w.Machines[slot], []*machine{w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]}
			versions := [3]core.LogVersions{c.at, c.at, c.at}
			versions[slot] = c.then
			w.Crash(odd)
			w.startVersion(odd, c.then)
			last, term := odd.Q.replica.log.last(), odd.Q.replica.node.BasicStatus().GetTerm()
			w.goOn("two of one version", odd)
			w.Run(time.Minute)
			w.apart(told, versions)
			if log := odd.Q.replica.log; log.last() != last || odd.Q.Ready() || odd.Q.replica.leads() {
				t.Errorf("its log went from entry %d to %d, ready %t, leads %t", last, log.last(), odd.Q.Ready(), odd.Q.replica.leads())
			}
			if now := odd.Q.replica.node.BasicStatus().GetTerm(); now != term {
				t.Errorf("its term went from %d to %d", term, now)
			}
			w.Crash(others[1])
			before := others[0].Q.Epoch()
			w.NewPerson()
			w.Run(20 * time.Second)
			if others[0].Q.Epoch() != before || others[0].Q.Ready() {
				t.Errorf("one of three rules: epoch %d, ready %t", others[0].Q.Epoch(), others[0].Q.Ready())
			}
			w.Crash(odd)
			w.startVersion(odd, c.at)
			w.startVersion(others[1], c.at)
			w.Must(20*time.Second, "with one version all take part", w.agree)
			w.goOn("all of one version", nil)
		})
	}
}

// Where a quorum runs another version on the same directories, it goes on, and the one that is left does not.
func TestQuorumOfAnotherVersionGoesOn(t *testing.T) {
	for _, c := range upgrades {
		t.Run(c.name, func(t *testing.T) {
			w := c.start(t, 132)
			told := w.tally()
			for _, m := range w.Machines[1:] {
				w.Crash(m)
			}
			for _, m := range w.Machines[1:] {
				w.startVersion(m, c.then)
			}
			left := w.Machines[0].Q.Epoch()
			w.goOn("the two", w.Machines[0])
			w.Run(10 * time.Second)
			w.apart(told, [3]core.LogVersions{c.at, c.then, c.then})
			if q := w.Machines[0].Q; q.Epoch() != left || q.Ready() {
				t.Errorf("the one that is left rules: epoch %d, and was %d", q.Epoch(), left)
			}
			w.Crash(w.Machines[0])
			w.startVersion(w.Machines[0], c.then)
			w.Must(20*time.Second, "it takes part with their version", w.agree)
		})
	}
}

// Two seeds of another version with empty directories found no other network beside the ledger of the third, whatever
// they were told.
func TestSeedsOfAnotherVersionFoundNothing(t *testing.T) {
	for _, c := range upgrades {
		t.Run(c.name, func(t *testing.T) {
			w := c.start(t, 133)
			told := w.tally()
			for _, m := range w.Machines[1:] {
				w.Wipe(m)
				w.Epochs[m.Slot] = 0
			}
			w.cfg.Found = true
			for _, m := range w.Machines[1:] {
				w.startVersion(m, c.then)
			}
			w.cfg.Found = false
			w.Run(time.Minute)
			w.apart(told, [3]core.LogVersions{c.at, c.then, c.then}, 1, 2)
			for _, m := range w.Machines[1:] {
				if m.Q.replica != nil {
					t.Errorf("seed %d has founded", m.Slot)
				}
			}
		})
	}
}

// A new network is not founded by seeds of two versions, and they say why.
func TestSeedsOfTwoVersionsDoNotFound(t *testing.T) {
	w := newWorld(t, 3, 134)
	w.Start(w.Machines[0])
	w.Start(w.Machines[1])
	w.startVersion(w.Machines[2], newVersions)
	w.Run(10 * time.Second)
	want := "the network is not founded: 2 of 3 seeds were met; " + versionText(2, newVersions, oldVersions)
	if why := w.Machines[0].Q.Why(); why != want || w.Machines[0].Q.replica != nil {
		t.Errorf("founded %t: %q", w.Machines[0].Q.replica != nil, why)
	}
	if why := w.Machines[2].Q.Why(); !strings.Contains(why, versionText(0, oldVersions, newVersions)) || !strings.Contains(why, versionText(1, oldVersions, newVersions)) {
		t.Errorf("the other one: %q", why)
	}
	w.Crash(w.Machines[2])
	w.Start(w.Machines[2])
	w.Must(10*time.Second, "founded with one version", w.agree)
}

// A peer of another version says so of each seed, follows what it can read, and says nothing else of them.
func TestPeerOfAnotherVersion(t *testing.T) {
	w := followed(t, 135, 2)
	peer := w.newFollowerOf(newVersions)
	w.Must(10*time.Second, "it follows", w.follows)
	w.Run(10 * time.Second)
	for slot := range w.Machines {
		text := strings.Replace(versionText(slot, oldVersions, newVersions), "neither takes part in what the other decides", "what this node cannot read of what it rules is dropped", 1)
		if note := peer.Note(slot); peer.Count(text) != 1 || !strings.Contains(peer.Why(), text) || note != "runs another version of hearsay: "+ledger.VersionWords(oldVersions) {
			t.Errorf("of seed %d it says %q, %q, and told it %d times", slot, note, peer.Why(), peer.Count(text))
		}
	}
	pinned := w.newFollowerOf(oldVersions)
	w.Must(10*time.Second, "it follows", w.follows)
	w.Run(time.Second)
	odd := w.Machines[0] // one of its own version comes, and gets no seat
	w.Wipe(odd)
	w.Epochs[odd.Slot] = 0
	w.startVersion(odd, newVersions)
	same := w.newFollowerOf(oldVersions)
	for _, f := range []*following{peer, pinned, same, w.newFollowerOf(newVersions)} {
		w.Must(20*time.Second, "it follows the quorum", func() bool { return f.Epoch() == w.Machines[1].Q.Epoch() })
		w.Run(20 * time.Second)
		if f.Met(0) || !f.Met(1) || !f.Met(2) {
			t.Errorf("it has met %t, %t, %t", f.Met(0), f.Met(1), f.Met(2))
		}
	}
	for _, f := range []*following{same, pinned} {
		if why := f.Why(); !strings.Contains(why, at(0)+" has another key than the seed that sits there, and says that it runs another version") || strings.Contains(why, at(1)) || strings.Contains(why, "empty data directory") {
			t.Errorf("a peer of the right version says %q", why)
		}
	}
}

// Nothing is believed of a node that has another key than the list pins, nor of which version it is.
func TestVersionOfAnotherKeyIsNotBelieved(t *testing.T) {
	w := newWorld(t, 3, 137)
	list := slices.Clone(w.cfg.Seeds)
	list[1].Key = newKeyed(77).Public()
	w.startListed(w.Machines[0], list, 0)
	w.startVersion(w.Machines[1], newVersions)
	w.Run(10 * time.Second)
	if why, want := w.Machines[0].Q.Why(), keyMismatch(1, w.Machines[1].Signer.Public(), list[1].Key); !strings.Contains(why, want) || strings.Contains(why, "version") {
		t.Errorf("it says %q, want %q", why, want)
	}
}

// A hello with a ruling that cannot be read tells which version its sender is of, and one of this version is dropped.
func TestUnreadableRulingInHello(t *testing.T) {
	w := followed(t, 136, 1)
	one, two := w.Machines[0], w.Machines[1]
	for _, v := range []core.LogVersions{oldVersions, newVersions} {
		w.Step(one, func() { one.Q.seats.hello(w.Now, 1) })
		h := &core.SeatHello{Versions: v, Slot: 1, Config: w.cfg.hash(), Nonce: one.Q.seats.nonces[1], Answer: true, Unread: []byte("of another version")}
		h.Sign(testNetwork, two.Signer)
		before := one.Drops[hearsay.DropMalformed]
		w.Step(one, func() { one.Q.Receive(w.Now, from(seedAddr(1), h)) })
		_, note := one.Q.Note(w.Now, 1)
		if same := v == oldVersions; (one.Drops[hearsay.DropMalformed] > before) != same || (note == "") != same {
			t.Errorf("%v: %d are dropped, noted %q", v, one.Drops[hearsay.DropMalformed]-before, note)
		}
	}
}
