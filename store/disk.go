package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"hearsay/internal/core"
	"hearsay/internal/userfile"
	"hearsay/wire"

	bolt "go.etcd.io/bbolt"
	boltErrors "go.etcd.io/bbolt/errors"
)

const (
	fileName = "hearsay.db"
	format   = "2"

	dirMode  = 0o700 // it holds a private key
	fileMode = 0o600

	// fillOfNumbered is how full a page is left when it is split, where keys
	// come in order and nothing is ever put in between. bbolt's own is half.
	fillOfNumbered = 0.95

	// lockTimeout is how long Open waits for another process to let go of the
	// file: long enough for one that is just ending, and no more.
	lockTimeout = 250 * time.Millisecond
)

// bucketWorded is where an earlier version keeps rulings, whose ballots give reasons in words.
const bucketWorded = "ledger"

// errWorded says of a file that it has such rulings.
var errWorded = errors.New("has the ledger of an earlier version of hearsay, with reasons in words: use that version; " +
	"or if a quorum of other seeds runs with this version, start this one with an empty data directory")

// bucketIdentity holds what belongs to the file, not to its records.
const bucketIdentity = "identity"

var (
	keyFormat  = []byte("format")
	keyNetwork = []byte("network")
	keySeed    = []byte("seed")
)

// firstBuckets are made with the file.
var firstBuckets = []wire.Bucket{wire.BucketSelf, wire.BucketContacts, wire.BucketEvidence, wire.BucketRumors}

// addedBuckets are missing in a file of an earlier version, or of a node of
// another role, until something is put into them.
var addedBuckets = []wire.Bucket{
	wire.BucketRumors,
	wire.BucketValues, wire.BucketSeen, wire.BucketOver,
	wire.BucketSeed, wire.BucketPins, wire.BucketLog, wire.BucketSnapshots, wire.BucketLedger, wire.BucketHeads, wire.BucketRivals,
}

var recordBuckets = slices.Concat(firstBuckets, addedBuckets[1:])

// Disk is a data directory in use. One process at a time has it open.
type Disk struct {
	path     string
	db       *bolt.DB
	file     *os.File    // as db has it
	opened   os.FileInfo // of path, when it was opened
	identity [32]byte
	origin   Origin
	adopted  bool // the file says where it is

	writing sync.Mutex // held while site, or what it says, changes
	site    site
}

// Open opens the data directory dir of a node of the network of this name,
// and makes both if there is none yet. A new identity is durable before Open
// returns. The error says what stands in the way: nothing that was there is
// changed then.
func Open(dir, network string) (*Disk, error) {
	path := filepath.Join(dir, fileName)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("data directory %w", userfile.Error(dir, err))
	}
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(dir, path, network)
	}
	if err != nil {
		return nil, fmt.Errorf("data directory %w", userfile.Error(dir, err))
	}
	// bbolt opened for writing would trust whatever it finds, and might write.
	found, err := inspect(path)
	if err != nil {
		return nil, openError(path, err)
	}
	if err := found.check(path, network); err != nil {
		return nil, err
	}
	db, file, err := openFile(path, false)
	if err != nil {
		return nil, openError(path, err)
	}
	opened, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(openError(path, err), db.Close())
	}
	d := &Disk{path: path, db: db, file: file, opened: opened, identity: found.seed, site: siteOf(path)}
	d.origin = found.site.origin(found.placed, &d.site)
	return d, nil
}

// Identity is the seed of the node's private key.
func (d *Disk) Identity() [32]byte { return d.identity }

// Load gives all records, ordered by bucket and key.
func (d *Disk) Load() ([]core.Record, error) {
	var records []core.Record
	err := guard(func() error {
		return d.db.View(func(tx *bolt.Tx) error {
			return eachRecord(tx, func(r core.Record) { records = append(records, r) })
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.path, err)
	}
	return records, nil
}

// Persist makes records durable: all of them, or none and an error.
func (d *Disk) Persist(records []core.Record) error {
	var b Batch
	b.Add(records)
	return d.Commit(&b)
}

// errGone says of a file in use that it was removed.
var errGone = errors.New("the file was removed while it was in use, and what this node has kept is lost: start it anew, with an empty data directory")

// ErrElsewhere says of a file in use that it is not where it was, but exists: another process may use it.
var ErrElsewhere = errors.New("the file was moved or replaced while it was in use: what this node has kept is lost unless the file is put back, which is safe only if nothing has used another one since; " +
	"or the node is started with the new place as its data directory. With the old one it starts anew")

// Commit makes what b holds durable: all of it, or nothing and an error. It fails also if
// nobody would find the file any more: what is acknowledged must be there after a restart.
func (d *Disk) Commit(b *Batch) error {
	if b.Empty() {
		return nil
	}
	err := d.update(func(tx *bolt.Tx) error {
		return b.each(func(c change, key, value []byte) error {
			bucket, err := bucketFor(tx, c.bucket)
			switch {
			case err != nil:
				return err
			case c.drop:
				return bucket.Delete(key)
			}
			return bucket.Put(key, value)
		})
	})
	if err == nil {
		err = d.inPlace()
	}
	if err != nil {
		return fmt.Errorf("write %s: %w%s", d.path, cause(err), cure(err))
	}
	return nil
}

// IsFull reports whether something could not be written as there is no room.
func IsFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// cure says what to do where a file cannot be written.
func cure(err error) string {
	switch {
	case errors.Is(err, errGone), errors.Is(err, ErrElsewhere):
		return "" // they say so
	case IsFull(err):
		return ": make room there; what was acknowledged is kept"
	}
	return ": see to that disk, and start the node again"
}

// Look fails as Commit would, and writes nothing.
func (d *Disk) Look() error {
	if err := d.inPlace(); err != nil {
		return fmt.Errorf("use %s: %w", d.path, cause(err))
	}
	return nil
}

// inPlace fails if the file is not where it was opened.
func (d *Disk) inPlace() error {
	now, err := os.Stat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, d.opened):
		if d.hasName() {
			return ErrElsewhere
		}
		return errGone
	case err != nil:
		return cause(err)
	}
	return nil
}

// hasName reports whether the file in use has a name anywhere.
func (d *Disk) hasName() bool {
	now, err := d.file.Stat()
	if err != nil {
		return true // as far as is known
	}
	stat, ok := now.Sys().(*syscall.Stat_t)
	return !ok || stat.Nlink > 0
}

// bucketFor gives the bucket, and makes it if an earlier version did not.
func bucketFor(tx *bolt.Tx, name wire.Bucket) (*bolt.Bucket, error) {
	bucket := tx.Bucket([]byte(name))
	if bucket == nil {
		var err error
		if bucket, err = tx.CreateBucket([]byte(name)); err != nil {
			return nil, err
		}
	}
	if name == wire.BucketLedger || name == wire.BucketLog {
		bucket.FillPercent = fillOfNumbered
	}
	return bucket, nil
}

// Close ends the use of the directory, after what is being committed.
func (d *Disk) Close() error {
	if d.adopted {
		if err := d.keepSite(true); err != nil {
			d.db.Close()
			return fmt.Errorf("close %s: %w", d.path, cause(err))
		}
	}
	if err := d.db.Close(); err != nil {
		return fmt.Errorf("close %s: %w", d.path, cause(err))
	}
	return nil
}

// create makes the file with a fresh identity under another name and links it
// to its own when it is whole: a crash leaves no half-made identity, and of
// two processes that begin at once one finds the file of the other.
func create(dir, path, network string) (err error) {
	made, err := os.CreateTemp(dir, fileName+".*.new")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(made.Name())) }()
	if err := made.Close(); err != nil {
		return err
	}
	db, err := open(made.Name(), false)
	if err != nil {
		return err
	}
	var seed [32]byte
	rand.Read(seed[:])
	// Two commits, so that both of bbolt's meta pages lead to the identity:
	// should one of them break later, the other still does.
	err = db.Update(func(tx *bolt.Tx) error { return writeIdentity(tx, network, seed) })
	if err == nil {
		err = db.Update(func(*bolt.Tx) error { return nil })
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Link(made.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func writeIdentity(tx *bolt.Tx, network string, seed [32]byte) error {
	b, err := tx.CreateBucket([]byte(bucketIdentity))
	if err != nil {
		return err
	}
	for _, kv := range [][2][]byte{{keyFormat, []byte(format)}, {keyNetwork, []byte(network)}, {keySeed, seed[:]}} {
		if err := b.Put(kv[0], seal(bucketIdentity, kv[0], kv[1])); err != nil {
			return err
		}
	}
	for _, name := range firstBuckets {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openError says of a file that cannot be used what it is and what to do.
func openError(path string, err error) error {
	switch {
	case errors.Is(err, boltErrors.ErrTimeout):
		return fmt.Errorf("%s is in use by another process: stop that one, or use another data directory", path)
	case errors.As(err, new(*fs.PathError)):
		return fmt.Errorf("open %s: %w", path, cause(err))
	case errors.Is(err, errWorded):
		return fmt.Errorf("%s %w", path, err)
	}
	return fmt.Errorf("%s is damaged and was left as it is (%w): move it away and start with an empty data directory: "+
		"a peer is a new member then, a seed gets its seat from a quorum of the others; never put a seed's back from a backup", path, err)
}

// cause is why a call on a file failed, without the file, which the caller
// names.
func cause(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	if link := (*os.LinkError)(nil); errors.As(err, &link) {
		return link.Err
	}
	return err
}

// open opens the file by bbolt. Should bbolt give up on the way by a panic,
// the file and with it the lock is let go.
func open(path string, readOnly bool) (db *bolt.DB, err error) {
	db, _, err = openFile(path, readOnly)
	return db, err
}

// openFile gives the file, too, which the database closes.
func openFile(path string, readOnly bool) (db *bolt.DB, file *os.File, err error) {
	options := &bolt.Options{
		Timeout:         lockTimeout,
		ReadOnly:        readOnly,
		PreLoadFreelist: true,
		NoStatistics:    true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	}
	err = guard(func() error {
		var err error
		db, err = bolt.Open(path, fileMode, options)
		return err
	})
	if broken := (*brokenError)(nil); errors.As(err, &broken) && file != nil {
		file.Close()
	}
	return db, file, err
}

// brokenError is bbolt's panic over a file that is not as it should be.
type brokenError struct{ reason any }

func (e *brokenError) Error() string {
	return "its pages do not hold together: " + strings.TrimPrefix(fmt.Sprint(e.reason), "assertion failed: ")
}

// guard turns a panic over a damaged file into an error, a fault at an
// address behind a truncated file's end too. It covers only do's own
// goroutine.
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if reason := recover(); reason != nil {
			err = &brokenError{reason}
		}
	}()
	return do()
}

// identity is what the file says of itself.
type identity struct {
	format, network string
	seed            [32]byte
	site            site
	placed          bool // the file says where it is
}

// check says why a node of this network cannot use the file, if it cannot.
func (i *identity) check(path, network string) error {
	if i.format != format {
		return fmt.Errorf("%s is of format %q, this program writes %q: use the program that made it", path, i.format, format)
	}
	if i.network != network {
		return fmt.Errorf("%s belongs to the network %q, not %q: name that network, or use another data directory", path, i.network, network)
	}
	return nil
}

// inspect reads the whole file, for reading only, and says what is wrong with
// it. A peer's file is small:
// some hundreds of addresses and deaths, and as many of its own rumors as are
// retained. A seed's holds its ledger: 10,000 rulings and as many entries of
// the log are 16 MiB, and read in 80 ms (BenchmarkOpenAndLoad).
func inspect(path string) (found identity, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return found, err
	}
	if !info.Mode().IsRegular() {
		return found, errors.New("not a regular file")
	}
	if info.Size() == 0 {
		return found, errors.New("empty") // bbolt would make a new one of it
	}
	file, err := os.Open(path)
	if err != nil {
		return found, err
	}
	defer file.Close()
	db, err := open(path, true)
	if err != nil {
		return found, err
	}
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) error {
			if info.Size() < tx.Size() {
				return fmt.Errorf("truncated: %d of %d bytes", info.Size(), tx.Size())
			}
			if err := inspectPages(tx, file); err != nil {
				return err
			}
			found, err = readIdentity(tx)
			if err != nil || found.format != format {
				return err // what is in another format is not ours to judge
			}
			return inspectRecords(tx)
		})
	})
	return found, errors.Join(err, db.Close())
}

func readIdentity(tx *bolt.Tx) (found identity, err error) {
	b := tx.Bucket([]byte(bucketIdentity))
	if b == nil {
		return found, errors.New("not a file of Hearsay")
	}
	get := func(key []byte) []byte {
		value, wrong := unseal(bucketIdentity, key, b.Get(key))
		err = errors.Join(err, wrong)
		return value
	}
	found.format, found.network = string(get(keyFormat)), string(get(keyNetwork))
	copy(found.seed[:], get(keySeed))
	if b.Get(keySite) != nil {
		found.site, found.placed = readSite(get(keySite))
	}
	return found, err
}

func inspectRecords(tx *bolt.Tx) error {
	if tx.Bucket([]byte(bucketWorded)) != nil {
		return errWorded
	}
	if err := eachRecord(tx, func(core.Record) {}); err != nil {
		return err
	}
	err := tx.ForEach(func(name []byte, _ *bolt.Bucket) error {
		if string(name) == bucketIdentity || slices.Contains(recordBuckets, wire.Bucket(name)) {
			return nil
		}
		return fmt.Errorf("bucket %q is unknown", name)
	})
	if err != nil {
		return err
	}
	// Last, because it reads in a goroutine of its own, where guard does not
	// reach: by now every page that it follows has been read once.
	var first error
	for err := range tx.Check() {
		if first == nil {
			first = err
		}
	}
	return first
}

// eachRecord hands over all records, ordered by bucket and key.
func eachRecord(tx *bolt.Tx, do func(core.Record)) error {
	for _, name := range recordBuckets {
		b := tx.Bucket([]byte(name))
		if b == nil && slices.Contains(addedBuckets, name) {
			continue
		}
		if b == nil {
			return fmt.Errorf("bucket %s is missing", name)
		}
		err := b.ForEach(func(key, sealed []byte) error {
			record, err := decode(name, key, sealed)
			if err == nil {
				do(record)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func decode(bucket wire.Bucket, key, sealed []byte) (core.Record, error) {
	value, err := unseal(string(bucket), key, sealed)
	if err != nil {
		return nil, err
	}
	return wire.DecodeRecord(bucket, key, value)
}
