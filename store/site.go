package store

import (
	"encoding/binary"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// keySite is where the file says where it is, so that a copy of it is known.
var keySite = []byte("place")

// site is where a file is, as the operating system tells: what a copy does not
// share with it. The zero value is not known.
//
//	inode 8 · born 8 · device 8 · boot 16 · closed 1 · wrote 8
type site struct {
	inode  uint64
	born   int64    // Unix nanoseconds; 0: the file system does not tell
	device uint64   // its number may be another after the machine's next start
	boot   [16]byte // of the machine; zero: not known
	closed bool     // and nothing was written since
	// Unix nanoseconds: of what the file says when its node last noted that it writes, and of where it is when anybody
	// has last changed it; 0: not known
	wrote int64
}

const (
	siteLen = 8 + 8 + 8 + 16 + 1 + 8
	// siteLenOnce is that of earlier versions, which do not say when they wrote.
	siteLenOnce = siteLen - 8

	// A node notes that it writes when it does, and has not for noteEvery. A change that comes touchedAfter after the last
	// note is another's. A guess: longer than a disk stalls.
	noteEvery    = 10 * time.Second
	touchedAfter = 40 * time.Second
)

func (p *site) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, p.inode)
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.born))
	dst = binary.BigEndian.AppendUint64(dst, p.device)
	dst = append(dst, p.boot[:]...)
	closed := byte(0)
	if p.closed {
		closed = 1
	}
	return binary.BigEndian.AppendUint64(append(dst, closed), uint64(p.wrote))
}

func readSite(b []byte) (p site, known bool) {
	if len(b) != siteLen && len(b) != siteLenOnce {
		return p, false
	}
	p.inode, p.born, p.device = binary.BigEndian.Uint64(b), int64(binary.BigEndian.Uint64(b[8:])), binary.BigEndian.Uint64(b[16:])
	copy(p.boot[:], b[24:])
	p.closed = b[40] == 1
	if len(b) == siteLen {
		p.wrote = int64(binary.BigEndian.Uint64(b[41:]))
	}
	return p, true
}

// copiedTo reports whether a file that says to be at p, and is now elsewhere, is
// a copy, or was moved to another file system, which is the same. A number of an
// inode is given again soon, but a copy is younger. What is not known says nothing.
func (p *site) copiedTo(now *site) bool {
	switch {
	case p.inode == 0 || now.inode == 0:
		return false
	case p.inode != now.inode:
		return true
	case p.born != 0 && now.born != 0:
		return p.born != now.born
	}
	return p.device != now.device && p.boot == now.boot
}

// touched reports whether a file that says to be at p has been changed since by another program than its node: it may
// have been written over, with an older copy of itself. That its mode or one of its names was changed looks the same.
func (p *site) touched(now *site) bool {
	return p.wrote != 0 && now.wrote != 0 && time.Duration(now.wrote-p.wrote) > touchedAfter
}

// Origin is what is known of where a data directory comes from.
type Origin uint8

// The origins.
const (
	OriginSame Origin = iota // it is where it was, and holds all that was ever written to it
	// it may have been put back as it was before: the machine was started anew meanwhile, or does not tell and
	// it was not closed
	OriginUnknown
	OriginCopy    // it is a copy
	OriginTouched // it is where it was, and another program has changed it since: it may be an older copy
)

// origin says what is known of a file that says to be at p. One that does not
// say it is new: files of earlier versions have another format, and are refused.
func (p *site) origin(known bool, now *site) Origin {
	switch {
	case !known:
		return OriginSame
	case p.copiedTo(now):
		return OriginCopy
	case p.touched(now):
		return OriginTouched
	case p.boot == now.boot && (p.closed || now.inode != 0 && now.boot != [16]byte{}):
		return OriginSame
	}
	return OriginUnknown
}

// Origin tells where the directory comes from. Until Adopt was called every
// later life hears the same.
func (d *Disk) Origin() Origin { return d.origin }

// Adopt keeps where the directory is now: from here on it is no copy.
func (d *Disk) Adopt() error {
	if err := d.keepSite(false); err != nil {
		return fmt.Errorf("write %s: %w", d.path, cause(err))
	}
	d.adopted = true
	return nil
}

func (d *Disk) keepSite(closed bool) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.site.closed, d.site.wrote = closed, time.Now().UnixNano()
	return guard(func() error { return d.db.Update(d.putSite) })
}

func (d *Disk) putSite(tx *bolt.Tx) error {
	return tx.Bucket([]byte(bucketIdentity)).Put(keySite, seal(bucketIdentity, keySite, d.site.append(nil)))
}

// update changes the file, and has it say that its node writes now, if it has not for a while. A change that fails, as
// where the disk is full, may change the file, too.
func (d *Disk) update(change func(tx *bolt.Tx) error) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	err := d.try(change)
	if IsFull(err) && d.notesAgain(time.Now()) {
		d.try(func(*bolt.Tx) error { return nil }) // there is often room for that in pages that are free
	}
	return err
}

func (d *Disk) try(change func(tx *bolt.Tx) error) error {
	wrote := d.site.wrote
	err := guard(func() error {
		return d.db.Update(func(tx *bolt.Tx) error {
			if now := time.Now(); d.notesAgain(now) {
				d.site.wrote = now.UnixNano()
				if err := d.putSite(tx); err != nil {
					return err
				}
			}
			return change(tx)
		})
	})
	if err != nil {
		d.site.wrote = wrote
	}
	return err
}

// notesAgain reports whether it is time for that.
func (d *Disk) notesAgain(now time.Time) bool {
	age := time.Duration(now.UnixNano() - d.site.wrote)
	return d.adopted && (age < 0 || age >= noteEvery)
}
