package store

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"hearsay/internal/core"
)

// copyFile copies a closed database to a new file, or over one that is there.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(from, fileName))
	if err == nil {
		err = os.MkdirAll(to, dirMode)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(to, fileName), b, fileMode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantOrigin opens a directory and wants it to be known so.
func wantOrigin(t *testing.T, dir string, want Origin) *Disk {
	t.Helper()
	d := mustOpen(t, dir)
	if got := d.Origin(); got != want {
		t.Errorf("%s: origin %d, want %d", dir, got, want)
	}
	return d
}

// A copy is known, as often as it is opened, until it is adopted; also in the
// place of the original. What was killed is no copy, and what was never adopted
// is none either.
func TestCopyIsKnown(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	if siteOf(dir).inode == 0 {
		t.Skip("this system does not tell where a file is")
	}
	wantOrigin(t, dir, OriginSame).Close()
	d := wantOrigin(t, dir, OriginSame)
	if err := d.Adopt(); err != nil {
		t.Fatal(err)
	}
	copyFile(t, dir, other) // as it is while it is in use
	d.db.Close()            // as a crash
	wantOrigin(t, dir, OriginSame).Close()
	for range 2 {
		wantOrigin(t, other, OriginCopy).Close()
	}
	d = wantOrigin(t, other, OriginCopy)
	if err := d.Adopt(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	wantOrigin(t, other, OriginSame).Close()
	if err := os.Remove(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	copyFile(t, other, dir)
	wantOrigin(t, dir, OriginCopy).Close()
}

// A file that was written over in its place is known, until that is adopted; one that its node has written long after
// it was opened, and was killed, is not taken for one.
func TestOverwrittenFileIsKnown(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	if siteOf(dir).wrote == 0 {
		t.Skip("this system does not tell when a file was changed")
	}
	long := func(d *Disk) { // time passes
		d.site.wrote -= int64(2 * touchedAfter)
		if err := d.db.Update(d.putSite); err != nil {
			t.Fatal(err)
		}
	}
	d := mustOpen(t, dir)
	if err := d.Adopt(); err != nil {
		t.Fatal(err)
	}
	long(d)
	copyFile(t, dir, other) // an old copy
	if err := d.Persist([]core.Record{&core.Contact{Addr: netip.MustParseAddrPort("10.0.0.1:1")}}); err != nil {
		t.Fatal(err)
	}
	d.db.Close() // as a crash
	wantOrigin(t, dir, OriginSame).db.Close()
	copyFile(t, other, dir)
	for range 2 {
		d = wantOrigin(t, dir, OriginTouched)
		d.Close()
	}
	d = wantOrigin(t, dir, OriginTouched)
	if err := d.Adopt(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	wantOrigin(t, dir, OriginSame).Close()
}

// What a file says of its place, and where it is.
func TestOrigins(t *testing.T) {
	was := site{inode: 7, born: 100, device: 1, boot: [16]byte{1}}
	change := func(how func(*site)) site {
		s := was
		how(&s)
		return s
	}
	for name, c := range map[string]struct {
		was, now site
		want     Origin
	}{
		"the same":                            {was, was, OriginSame},
		"another inode":                       {was, change(func(s *site) { s.inode = 8 }), OriginCopy},
		"the inode was given again":           {was, change(func(s *site) { s.born = 101 }), OriginCopy},
		"another device":                      {change(func(s *site) { s.born = 0 }), change(func(s *site) { s.device = 2 }), OriginCopy},
		"devices were counted anew":           {was, change(func(s *site) { s.device = 2 }), OriginSame},
		"killed with the machine":             {was, change(func(s *site) { s.boot[0] = 2 }), OriginUnknown},
		"closed before the machine's end":     {change(func(s *site) { s.closed = true }), change(func(s *site) { s.boot[0] = 2 }), OriginUnknown},
		"killed, and no start is known":       {change(func(s *site) { s.boot = [16]byte{} }), change(func(s *site) { s.boot = [16]byte{} }), OriginUnknown},
		"no site is known, and it was closed": {site{closed: true}, site{}, OriginSame},
		"no site is known":                    {site{}, site{}, OriginUnknown},
		"written over":                        {change(func(s *site) { s.wrote = 1 }), change(func(s *site) { s.wrote = 60e9 }), OriginTouched},
		"written over, closed":                {change(func(s *site) { s.wrote, s.closed = 1, true }), change(func(s *site) { s.wrote = 60e9 }), OriginTouched},
		"written until now":                   {change(func(s *site) { s.wrote = 1 }), change(func(s *site) { s.wrote = 20e9 }), OriginSame},
		"not known when it was changed":       {change(func(s *site) { s.wrote = 1 }), was, OriginSame},
		"of a version that does not say when": {was, change(func(s *site) { s.wrote = 60e9 }), OriginSame},
		"it was moved here, closed":           {change(func(s *site) { s.closed = true }), change(func(s *site) { s.inode = 9 }), OriginCopy},
	} {
		if got := c.was.origin(true, &c.now); got != c.want {
			t.Errorf("%s: origin %d, want %d", name, got, c.want)
		}
		read, known := readSite(c.was.append(nil))
		if !known || read != c.was {
			t.Errorf("%s: read as %+v", name, read)
		}
	}
}
