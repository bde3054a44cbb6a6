package agent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/store"
)

// cutPower has a closed directory say that it was in use when its machine went down:
// wherever its place is written (see package store) it is of another start of the
// machine, and not closed.
func cutPower(t *testing.T, dir string) {
	t.Helper()
	const bucket, key, size, boot, closed = "identity", "place", 49, 24, 40
	file := filepath.Join(dir, "hearsay.db")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(value []byte) uint32 {
		return crc32.Checksum(append([]byte(bucket+key), value...), crc32.MakeTable(crc32.Castagnoli))
	}
	for at := bytes.Index(data, []byte(key)); at >= 0; {
		value, sealed := data[at+len(key):][:size], data[at+len(key)+size:][:4]
		if binary.BigEndian.Uint32(sealed) == sum(value) {
			value[boot] ^= 1
			value[closed] = 0
			binary.BigEndian.PutUint32(sealed, sum(value))
		}
		next := bytes.Index(data[at+1:], []byte(key))
		if next < 0 {
			break
		}
		at += 1 + next
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A seed that is not sure of its disk is not sure either when it is started again
// before the others have told it what it has signed. An operator's word ends that.
func TestDoubtOutlivesRestarts(t *testing.T) {
	dir := t.TempDir()
	start := func(newest bool) (doubt bool) {
		t.Helper()
		disk, err := store.Open(dir, "test")
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close() // as SIGTERM does; a kill -9 comes to the same
		records, err := disk.Load()
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			if err := disk.Persist([]core.Record{&core.SeedLife{Life: hearsay.Life{1}}}); err != nil {
				t.Fatal(err)
			}
		}
		a := &Agent{}
		a.cfg.Role, a.cfg.Newest = hearsay.RoleSeed, newest
		if err := a.takeUp(disk, records); err != nil {
			t.Fatal(err)
		}
		for _, record := range records {
			if life, is := record.(*core.SeedLife); is {
				return life.Doubt
			}
		}
		return false
	}
	if start(false); start(false) {
		t.Fatal("it doubts a disk that was closed and is where it was")
	}
	cutPower(t, dir)
	for n := range 3 {
		if !start(false) {
			t.Errorf("start %d after a power cut: it is sure of its disk", n+1)
		}
	}
	if start(true) || start(false) {
		t.Error("it doubts a disk that an operator has vouched for")
	}
}

// A directory that was used with a clock that was ahead says so in the log, and its node is in at once. One whose
// incarnation nobody believes does not start.
func TestIncarnationAheadOfTheClock(t *testing.T) {
	a := start(t, quick("a"))
	var log bytes.Buffer
	cfg := quick("b", addrOf(a))
	cfg.Data, cfg.Logger = t.TempDir(), slog.New(slog.NewTextHandler(&log, nil))
	ahead := hearsay.Incarnation(time.Now().Add(72 * time.Hour).UnixMilli())
	has := func(incarnation hearsay.Incarnation) {
		t.Helper()
		disk, err := store.Open(cfg.Data, cfg.Network)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(disk.Persist([]core.Record{&core.OwnIncarnation{Incarnation: incarnation}}), disk.Close()); err != nil {
			t.Fatal(err)
		}
	}
	has(ahead)
	b := start(t, cfg)
	awaitStates(t, a, "a alive, b alive")
	awaitStates(t, b, "a alive, b alive")
	if is := b.Self().Incarnation; is <= ahead {
		t.Errorf("its incarnation is %d, after %d", is, ahead)
	}
	b.Close()
	if text := "used with a clock that was ahead"; !strings.Contains(log.String(), text) {
		t.Errorf("its log does not say %q: %s", text, &log)
	}
	has(hearsay.MaxIncarnation)
	if _, err := Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "beyond what others believe: start with an empty directory") {
		t.Errorf("with the last incarnation: %v", err)
	}
}

// A peer that is started on a copy of its directory says so in its troubles and in why of itself for two minutes; one
// that is started where it was does not.
func TestCopyIsTold(t *testing.T) {
	a := start(t, quick("a"))
	cfg := quick("b", addrOf(a))
	cfg.Data = filepath.Join(t.TempDir(), "b")
	tells := func() bool {
		t.Helper()
		b := start(t, cfg)
		defer b.Close()
		stats := b.Stats()
		file, err := b.Why("b")
		if err != nil {
			t.Fatal(err)
		}
		const words = "on a data directory that is a copy, or was moved"
		told := strings.Contains(strings.Join(stats.Troubles(), "; "), words)
		if told != strings.Contains(file.Summary, words) {
			t.Errorf("its troubles are %q, and why of itself says %s", stats.Troubles(), file.Summary)
		}
		if told && (b.copiedFor(b.started.Add(copiedMost-time.Second)) == 0 || b.copiedFor(b.started.Add(copiedMost)) > 0) {
			t.Error("it is told for longer or shorter than two minutes")
		}
		return told
	}
	for range 2 { // with a new directory, and with the same again
		if tells() {
			t.Error("a directory is said to be a copy that is none")
		}
	}
	original := cfg.Data
	cfg.Data = original + "-copy"
	if err := os.CopyFS(cfg.Data, os.DirFS(original)); err != nil {
		t.Fatal(err)
	}
	if !tells() {
		t.Error("that it is a copy is not told")
	}
}
