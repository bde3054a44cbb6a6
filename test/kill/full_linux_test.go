package kill

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearsay/test/process"
)

const (
	smallDisk   = 4 << 20
	fullWithin  = 30 * time.Second
	fullFor     = 2 * time.Second // some tries
	largeValue  = 100 << 10
	againWithin = 30 * time.Second
)

// answered sends a request to a node, and gives the answer.
func (w *network) answered(i int, method, path string, body []byte) (status int, text string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.nodes[i].HTTP+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := w.client.Do(request)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer got.Body.Close()
	b, _ := io.ReadAll(got.Body)
	return got.StatusCode, string(b)
}

// The disk of a node gets full in the middle of a put: that is refused, and so is what follows; reads are answered, and
// the node says what is wrong, stays in, and goes on once there is room. What it has acknowledged it holds.
func TestFullDisk(t *testing.T) {
	briefly(t)
	const victim, other = 1, 0
	data := t.TempDir()
	disk := filepath.Join(data, "peer-2")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprint("size=", smallDisk)); errors.Is(err, syscall.EPERM) {
		t.Skip("this process may mount nothing")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	w := &network{t: t, binary: process.Binary(t)}
	w.client.Timeout = requestTimeout
	w.nodes = process.Up(t, data, 0, 3)
	t.Cleanup(func() { w.tellLogs(); w.client.CloseIdleConnections() })
	w.until("all in", startWithin, func() string { return lacks(&w.nodes[0], w.roster(0), len(w.nodes)) })

	if status, text := w.answered(victim, "PUT", "/v1/kv/small", []byte("kept")); status != 204 {
		t.Fatalf("put: %d %s", status, text)
	}
	var acknowledged []string
	var status, n int
	var text string
	var since time.Time // when the last one was refused; a try for which there was room after all ends that
	w.until("the disk full", fullWithin, func() string {
		n++
		key := fmt.Sprintf("large/%d", n)
		status, text = w.answered(victim, "PUT", "/v1/kv/"+key, bytes.Repeat([]byte{byte(n)}, largeValue))
		switch {
		case status == 204:
			acknowledged, since = append(acknowledged, key), time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > fullFor:
			return ""
		}
		return fmt.Sprintf("%d values were written, the next: %d %s", len(acknowledged), status, text)
	})
	refused := func(status int, text string) {
		t.Helper()
		if status != 507 || !strings.Contains(text, "the disk of this node's data directory is full; make room there, and try again") {
			t.Errorf("put: %d %s", status, text)
		}
	}
	refused(status, text)
	refused(w.answered(victim, "PUT", "/v1/kv/other", nil))
	refused(w.answered(victim, "DELETE", "/v1/kv/small", nil))
	if status, text := w.answered(victim, "GET", "/v1/kv/small", nil); status != 200 || text != "kept" {
		t.Errorf("get: %d %s", status, text)
	}
	if status, text := w.answered(victim, "GET", "/readyz", nil); status != 503 || !strings.Contains(text, "the disk is full: since ") {
		t.Errorf("readyz: %d %s", status, text)
	}
	if text := w.hearsay(0, victim, "status"); !strings.Contains(text, "the disk is full: since ") {
		t.Errorf("status: %s", text)
	}
	// What others write meanwhile ends it neither.
	for n := range 60 {
		if !w.put(other, fmt.Sprintf("elsewhere/%d", n)) {
			t.Fatal("the other node refuses a put")
		}
	}
	if state := w.roster(other).state("peer-2"); state != "alive" {
		t.Errorf("it is %s", state)
	}
	// There is room again: as when the disk is made larger.
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT, fmt.Sprint("size=", 10*smallDisk)); err != nil {
		t.Fatal(err)
	}
	w.until("it going on", againWithin, func() string {
		status, text := w.answered(victim, "GET", "/readyz", nil)
		if status == 200 {
			status, text = w.answered(victim, "PUT", "/v1/kv/after", []byte("room"))
		}
		if status/100 != 2 {
			return text
		}
		return ""
	})
	w.signal(victim, syscall.SIGKILL)
	w.startAgain(victim)
	acknowledged = append(acknowledged, "small", "after")
	w.until("it holding all", againWithin, func() string {
		keys, err := w.keys(victim)
		if err != nil {
			return err.Error()
		}
		for n := range 60 {
			if key := fmt.Sprintf("elsewhere/%d", n); !keys[key] {
				return "it lacks " + key
			}
		}
		for _, key := range acknowledged {
			if !keys[key] {
				return "it lacks " + key
			}
		}
		return ""
	})
	t.Logf("%d values of %d bytes were acknowledged", len(acknowledged), largeValue)
}
