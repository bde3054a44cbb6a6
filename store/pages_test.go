package store

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/wire"
)

// bbolt would walk in a circle in these files, and take all memory there is.
func TestPageThatLeadsToItself(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	d := mustOpen(t, dir)
	nothing := []core.Record{ // makes two empty buckets, which lie beside their names
		&core.KeptRuling{Ruling: &hearsay.Ruling{Epoch: 1}, Dropped: true},
		&core.KeptEntry{Entry: core.LogEntry{Index: 1}, Dropped: true},
	}
	if err := d.Persist(nothing); err != nil {
		t.Fatal(err)
	}
	d.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	name, gap := []byte(wire.BucketLedger), make([]byte, bucketHeaderSize+8)
	// which leads to page 0: itself
	changed := bytes.ReplaceAll(whole, slices.Concat(name, gap, []byte{pageLeaf}), slices.Concat(name, gap, []byte{pageBranch}))
	if bytes.Equal(changed, whole) {
		t.Fatal("no empty bucket")
	}
	if err := os.WriteFile(path, changed, fileMode); err != nil {
		t.Fatal(err)
	}
	wantError(t, dir, errTornPage.Error())
}

func TestPageReachedTwice(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	d := mustOpen(t, dir)
	var records []core.Record
	for port := range uint16(1000) {
		records = append(records, contact(1+port, 1))
	}
	if err := d.Persist(records); err != nil {
		t.Fatal(err)
	}
	d.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const size = 4096
	branches := 0
	for id := 2; id < len(whole)/size; id++ {
		page := whole[id*size : (id+1)*size]
		if binary.NativeEndian.Uint64(page) != uint64(id) || binary.NativeEndian.Uint16(page[8:]) != pageBranch {
			continue
		}
		branches++
		second := page[pageHeaderSize+pageElementSize+8:]
		for _, lead := range []struct {
			to   uint64
			says error
		}{
			{uint64(id), errPageTwice},
			{binary.NativeEndian.Uint64(page[pageHeaderSize+8:]), errPageTwice},
			{0, errTornPage}, // a meta page
			{1 << 40, errTornPage},
		} {
			was := binary.NativeEndian.Uint64(second)
			binary.NativeEndian.PutUint64(second, lead.to)
			if err := os.WriteFile(path, whole, fileMode); err != nil {
				t.Fatal(err)
			}
			wantError(t, dir, lead.says.Error())
			binary.NativeEndian.PutUint64(second, was)
		}
	}
	if branches == 0 {
		t.Fatal("no page that leads to others")
	}
	if err := os.WriteFile(path, whole, fileMode); err != nil {
		t.Fatal(err)
	}
	if got, err := mustOpen(t, dir).Load(); err != nil || len(got) != len(records) {
		t.Errorf("loaded %d records, %v", len(got), err)
	}
}
