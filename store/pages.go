package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"
)

// What a page of bbolt's begins with, in the machine's own byte order: its
// number 8, its kind 2, how many elements 2, how many pages more it takes 4.
// An element of a branch is: position 4, key 4, page 8. One of a leaf is:
// kind 4, position 4, key 4, value 4; the value of a bucket begins with its
// first page 8 and a sequence 8, and without a first page it holds one.
const (
	pageHeaderSize   = 16
	pageElementSize  = 16
	bucketHeaderSize = 16

	pageBranch    = 1
	pageLeaf      = 2
	elementBucket = 1
)

var (
	errTornPage  = errors.New("a page that is torn")
	errPageTwice = errors.New("a page that is reached twice")
)

// pages walks the tree of a file before bbolt does: bbolt would follow a page
// that leads back to itself for ever, and remember each of its steps.
type pages struct {
	file    io.ReaderAt
	size    int    // bytes a page
	end     uint64 // the number after the last page
	reached map[uint64]bool
}

// inspectPages reads every page that the root leads to, and says if one is
// torn or reached twice.
func inspectPages(tx *bolt.Tx, file io.ReaderAt) error {
	size := tx.DB().Info().PageSize
	p := pages{file: file, size: size, end: uint64(tx.Size()) / uint64(size), reached: make(map[uint64]bool)}
	return p.walk(uint64(tx.Cursor().Bucket().Root()))
}

func (p *pages) walk(id uint64) error {
	if id >= p.end {
		return fmt.Errorf("page %d: %w", id, errTornPage)
	}
	var header [pageHeaderSize]byte
	if _, err := p.file.ReadAt(header[:], int64(id)*int64(p.size)); err != nil {
		return err
	}
	more := uint64(binary.NativeEndian.Uint32(header[12:]))
	if binary.NativeEndian.Uint64(header[:]) != id || more >= p.end-id {
		return fmt.Errorf("page %d: %w", id, errTornPage)
	}
	for at := id; at <= id+more; at++ {
		if p.reached[at] {
			return fmt.Errorf("page %d: %w", at, errPageTwice)
		}
		p.reached[at] = true
	}
	page := make([]byte, (1+more)*uint64(p.size))
	if _, err := p.file.ReadAt(page, int64(id)*int64(p.size)); err != nil {
		return err
	}
	var err error
	switch binary.NativeEndian.Uint16(page[8:]) {
	case pageBranch:
		err = p.branch(page)
	case pageLeaf:
		err = p.leaf(page)
	default:
		err = errTornPage
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// elements gives how many there are, or none and an error if they do not fit
// the page.
func elements(page []byte) (int, error) {
	n := int(binary.NativeEndian.Uint16(page[10:]))
	if n > (len(page)-pageHeaderSize)/pageElementSize {
		return 0, errTornPage
	}
	return n, nil
}

func (p *pages) branch(page []byte) error {
	n, err := elements(page)
	if err == nil && n == 0 {
		err = errTornPage
	}
	for i := 0; i < n && err == nil; i++ {
		element := page[pageHeaderSize+i*pageElementSize:]
		at, key := binary.NativeEndian.Uint32(element), binary.NativeEndian.Uint32(element[4:])
		if uint64(at)+uint64(key) > uint64(len(element)) {
			return errTornPage
		}
		err = p.walk(binary.NativeEndian.Uint64(element[8:]))
	}
	return err
}

func (p *pages) leaf(page []byte) error {
	n, err := elements(page)
	for i := 0; i < n && err == nil; i++ {
		element := page[pageHeaderSize+i*pageElementSize:]
		at, key, value := uint64(binary.NativeEndian.Uint32(element[4:])), uint64(binary.NativeEndian.Uint32(element[8:])), uint64(binary.NativeEndian.Uint32(element[12:]))
		if at+key+value > uint64(len(element)) {
			return errTornPage
		}
		if binary.NativeEndian.Uint32(element)&elementBucket != 0 {
			err = p.bucket(element[at+key:][:value])
		}
	}
	return err
}

// bucket goes on in a bucket: elsewhere in the file, or in the value itself,
// whose page is a leaf.
func (p *pages) bucket(value []byte) error {
	if len(value) < bucketHeaderSize {
		return errTornPage
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return p.walk(root)
	}
	page := value[bucketHeaderSize:]
	if len(page) < pageHeaderSize || binary.NativeEndian.Uint16(page[8:]) != pageLeaf {
		return errTornPage
	}
	return p.leaf(page)
}
