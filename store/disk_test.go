package store

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/wire"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustOpen(t *testing.T, dir string) *Disk {
	t.Helper()
	d, err := Open(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func contact(port uint16, by byte) *core.Contact {
	return &core.Contact{
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), port),
		ID:   hearsay.NodeID{by},
	}
}

func someRecords() []core.Record {
	evidence := &hearsay.Evidence{
		Subject: hearsay.NodeID{7}, Incarnation: 9, Round: 3, Rule: hearsay.RuleMajority, Accuser: hearsay.NodeID{8},
		Suspected: 1000, Condemned: 2000, Observers: 9, Needed: 5,
		Statements: []hearsay.Statement{{
			Subject: hearsay.NodeID{7}, Incarnation: 9, Round: 3,
			Observer: hearsay.NodeID{4}, Verdict: hearsay.VerdictUnreachable, At: 1500,
		}},
	}
	return []core.Record{
		&core.OwnIncarnation{Incarnation: 42},
		contact(7001, 1),
		contact(7002, 2),
		&core.KeptEvidence{Hash: evidence.Hash(hearsay.NetworkID{}), Evidence: evidence},
		&core.KeptRumor{Number: 6, Rumor: &hearsay.Rumor{
			ID: clock.Dot{Origin: clock.Origin{1}, Counter: 6}, Data: []byte("said before the crash"),
		}},
	}
}

// A file of a version that knew no rumors is as good as a new one.
func TestFileOfAnEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	d := mustOpen(t, dir)
	want := someRecords()
	if err := d.Persist(want[:len(want)-1]); err != nil {
		t.Fatal(err)
	}
	if err := d.db.Update(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(wire.BucketRumors)) }); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, dir)
	if got, err := d.Load(); err != nil || !reflect.DeepEqual(got, want[:len(want)-1]) {
		t.Fatalf("loaded %v, %v", got, err)
	}
	long := want[len(want)-1].(*core.KeptRumor)
	long.Rumor.Data = bytes.Repeat([]byte("long"), hearsay.MaxRumorData/4)
	if err := d.Persist([]core.Record{long}); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Load(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("loaded %v, %v", got, err)
	}
}

// What is kept of the key-value store outlives the process, too, and what is let go of does not.
func TestStoreOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	d := mustOpen(t, dir)
	origin := clock.Origin{1}
	object := func(n uint64) *core.Object {
		return &core.Object{Dot: clock.Dot{Origin: origin, Counter: n}, Key: "k", Value: []byte("v"), Time: 1 << 20, First: n, Last: n}
	}
	want := []core.Record{
		&core.KeptStore{Origin: origin, Reserved: 4096},
		&core.KeptObject{Object: object(2)},
		&core.KeptSeen{Origin: origin, Ranges: []clock.Range{{Low: 1, High: 2}}},
		&core.KeptOver{Origin: clock.Origin{2}, Since: 1000, Seen: []clock.Range{{Low: 1, High: 7}}},
	}
	err := errors.Join(
		d.Persist([]core.Record{&core.KeptObject{Object: object(1)}}), d.Persist(want),
		d.Persist([]core.Record{&core.KeptObject{Object: object(1), Gone: true}}), d.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, dir)
	if got, err := d.Load(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("loaded %v, %v", got, err)
	}
}

func TestRecordsOutliveTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "open")
	d := mustOpen(t, dir)
	if err := d.Persist(someRecords()); err != nil {
		t.Fatal(err)
	}
	gone := &core.Contact{Addr: contact(7001, 0).Addr, Dropped: true}
	if err := d.Persist([]core.Record{gone, &core.OwnIncarnation{Incarnation: 43}}); err != nil {
		t.Fatal(err)
	}
	identity := d.Identity()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	d = mustOpen(t, dir)
	if d.Identity() != identity || identity == [32]byte{} {
		t.Errorf("identity %x, was %x", d.Identity(), identity)
	}
	want := someRecords()
	want[0] = &core.OwnIncarnation{Incarnation: 43}
	want = append(want[:1], want[2:]...)
	got, err := d.Load()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("loaded %v, %v, want %v", got, err, want)
	}
}

func TestIdentitiesDiffer(t *testing.T) {
	a, b := mustOpen(t, t.TempDir()), mustOpen(t, t.TempDir())
	if a.Identity() == b.Identity() {
		t.Error("two directories of one identity")
	}
}

func TestOpenKeepsTheKeyToItself(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	mustOpen(t, dir)
	for path, want := range map[string]os.FileMode{dir: dirMode, filepath.Join(dir, fileName): fileMode} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestLockedByAnother(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir)
	wantError(t, dir, "in use by another process")
}

func TestClosedDiskRefuses(t *testing.T) {
	d := mustOpen(t, t.TempDir())
	d.Close()
	if err := d.Persist(someRecords()); err == nil {
		t.Error("a closed disk took records")
	}
	if _, err := d.Load(); err == nil {
		t.Error("a closed disk gave records")
	}
}

func TestAnotherNetwork(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir).Close()
	_, err := Open(dir, "other")
	if err == nil || !strings.Contains(err.Error(), `belongs to the network "test", not "other"`) {
		t.Errorf("got %v", err)
	}
}

// wantError opens dir and wants an error with this text.
func wantError(t *testing.T, dir, text string) {
	t.Helper()
	d, err := Open(dir, "test")
	if err == nil {
		d.Close()
		t.Fatalf("opened; want an error with %q", text)
	}
	if !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %q, want %q and the directory", err, text)
	}
}

// edit changes the closed database of dir by bbolt itself.
func edit(t *testing.T, dir string, change func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, fileName), fileMode, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(change); err != nil {
		t.Fatal(err)
	}
}

// A seed's directory of a version that had reasons in words is not damaged, and is left as it is.
func TestEarlierLedger(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir).Close()
	edit(t, dir, func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte(bucketWorded))
		return err
	})
	wantError(t, dir, "has the ledger of an earlier version of hearsay, with reasons in words: use that version")
}

func TestAnotherFormat(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir).Close()
	edit(t, dir, func(tx *bolt.Tx) error {
		if err := tx.DeleteBucket([]byte("contacts")); err != nil {
			return err
		}
		return tx.Bucket([]byte(bucketIdentity)).Put(keyFormat, seal(bucketIdentity, keyFormat, []byte("1")))
	})
	wantError(t, dir, `is of format "1", this program writes "2"`)
}

func TestForeignDatabase(t *testing.T) {
	dir := t.TempDir()
	edit(t, dir, func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte("somebody else's"))
		return err
	})
	wantError(t, dir, "not a file of Hearsay")
}

// TestDamage damages the file in every way that comes to mind, and wants an
// error that says so, and the file as it was.
func TestDamage(t *testing.T) {
	const page = 4096
	flip := func(at ...int) func([]byte) []byte {
		return func(b []byte) []byte {
			for _, at := range at {
				b[at] ^= 0x10
			}
			return b
		}
	}
	find := func(text string) func([]byte) []byte {
		return func(b []byte) []byte {
			for at := 0; ; {
				i := bytes.Index(b[at:], []byte(text))
				if i < 0 {
					return b
				}
				at += i + len(text)
				b[at-1] ^= 0x01
			}
		}
	}
	for name, damage := range map[string]func([]byte) []byte{
		"emptied":         func(b []byte) []byte { return b[:0] },
		"a few bytes":     func(b []byte) []byte { return b[:100] },
		"half a page":     func(b []byte) []byte { return b[:page/2] },
		"two pages":       func(b []byte) []byte { return b[:2*page] },
		"three pages":     func(b []byte) []byte { return b[:3*page] },
		"half":            func(b []byte) []byte { return b[:len(b)/2] },
		"both magics":     flip(16, page+16),
		"both versions":   flip(20, page+20),
		"both checksums":  flip(16+56, page+16+56),
		"both roots":      flip(16+16, page+16+16),
		"zeros":           func(b []byte) []byte { return make([]byte, len(b)) },
		"text":            func(b []byte) []byte { return bytes.Repeat([]byte("not a database\n"), 1000) },
		"a bucket's name": find("contacts"),
		"a key":           find("incarnation"),
		"the network":     find("test"),
	} {
		t.Run(name, func(t *testing.T) {
			damaged(t, damage, "move it away and start with an empty data directory: a peer is a new member then, a seed gets its seat from a quorum of the others; never put a seed's back from a backup")
		})
	}
}

// damaged makes a database, damages it, opens it, and gives what Open says.
func damaged(t *testing.T, damage func([]byte) []byte, want string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	d := mustOpen(t, dir)
	if err := d.Persist(someRecords()); err != nil {
		t.Fatal(err)
	}
	d.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hurt := damage(bytes.Clone(whole))
	if bytes.Equal(hurt, whole) {
		t.Fatal("the damage changed nothing")
	}
	if err := os.WriteFile(path, hurt, fileMode); err != nil {
		t.Fatal(err)
	}
	wantError(t, dir, want)
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, hurt) {
		t.Errorf("the file was changed (%v)", err)
	}
}

// TestEveryByte flips each byte of the file in turn: Open must give an error
// or what was persisted, and must never panic.
func TestEveryByte(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	d := mustOpen(t, dir)
	if err := d.Persist(someRecords()); err != nil {
		t.Fatal(err)
	}
	identity := d.Identity()
	d.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := range whole {
		if whole[at] == 0 && at%16 != 0 {
			continue // most of the file is unused
		}
		whole[at] ^= 0x81
		if err := os.WriteFile(path, whole, fileMode); err != nil {
			t.Fatal(err)
		}
		whole[at] ^= 0x81
		found, err := inspect(path)
		if err != nil {
			refused++
			continue
		}
		if found.format == format && (found.network != "test" || found.seed != identity) {
			t.Fatalf("byte %d: opened as another's: %+v", at, found)
		}
	}
	if refused == 0 {
		t.Error("no flipped byte was noticed")
	}
	t.Logf("%d flips refused", refused)
}

// TestOneTornMeta: a crash while the meta page of a commit is written must
// not cost the commits before it.
func TestOneTornMeta(t *testing.T) {
	const page = 4096
	for meta := range 2 {
		dir := t.TempDir()
		d := mustOpen(t, dir)
		identity := d.Identity()
		d.Close()
		path := filepath.Join(dir, fileName)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		whole[meta*page+16+20] ^= 0xff
		if err := os.WriteFile(path, whole, fileMode); err != nil {
			t.Fatal(err)
		}
		d, err = Open(dir, "test")
		if err != nil {
			t.Fatalf("meta %d: %v", meta, err)
		}
		if d.Identity() != identity {
			t.Errorf("meta %d: another identity", meta)
		}
		d.Close()
	}
}

// A damaged name of a bucket must not pass for a bucket that is not there yet.
func TestUnknownBucket(t *testing.T) {
	damaged(t, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(wire.BucketRumors), []byte("rumorz")) }, `bucket "rumorz" is unknown`)
}

func TestDirectoryIsAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, dir, "not a directory")
}

func TestDatabaseIsADirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, fileName), 0o700); err != nil {
		t.Fatal(err)
	}
	wantError(t, dir, "not a regular file")
}

// TestFileGoneInUse: what would be gone after a restart is not acknowledged.
func TestFileGoneInUse(t *testing.T) {
	for name, test := range map[string]struct {
		lose func(dir string) error
		want error
	}{
		"removed": {os.RemoveAll, errGone},
		"moved":   {func(dir string) error { return os.Rename(dir, dir+"-elsewhere") }, ErrElsewhere},
		"replaced": {func(dir string) error {
			path := filepath.Join(dir, fileName)
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, []byte("another"), fileMode))
		}, ErrElsewhere},
		"written anew": {func(dir string) error {
			path := filepath.Join(dir, fileName)
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("another"), fileMode))
		}, errGone},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			d, err := Open(dir, "n")
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			self := []core.Record{&core.OwnIncarnation{Incarnation: 1}}
			if err := errors.Join(d.Persist(self), d.Look()); err != nil {
				t.Fatal(err)
			}
			if err := test.lose(dir); err != nil {
				t.Fatal(err)
			}
			if err := d.Look(); !errors.Is(err, test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("a look at the directory gives %v", err)
			}
			if err := d.Persist(self); !errors.Is(err, test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("it is acknowledged with %v", err)
			}
		})
	}
}
