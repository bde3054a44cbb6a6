package abuse

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"hearsay"
	"hearsay/test/process"
)

// TestReadersOfLogs: a node whose log goes into a pipe that nobody reads any more, or whose
// reader is gone, goes on, counts the lines that are lost, and ends in good order.
func TestReadersOfLogs(t *testing.T) {
	for _, gone := range []bool{true, false} {
		t.Run(fmt.Sprintf("gone=%t", gone), func(t *testing.T) {
			besideOthers(t)
			dir := t.TempDir()
			pipe := filepath.Join(dir, "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			first := process.Run(t, pipe, process.Binary(t), "peer", "--json", "--ip", "127.0.0.1", "--port", "0", "--name", "first", "--http", "0")
			if gone {
				reader.Close()
			} else {
				fillPipe(t, pipe)
			}
			process.Run(t, filepath.Join(dir, "second.log"), process.Binary(t), "peer", "--json", "--ip", "127.0.0.1", "--port", "0", "--name", "second", "--http", "off",
				"--join", first.Said.Addr).Cmd.Process.Signal(syscall.SIGTERM)
			w := &network{t: t}
			w.client.Timeout = requestTimeout
			process.Until(t, "without the second", requestTimeout, func() string {
				var s hearsay.Stats
				if !w.get(first.Said, "/v1/stats", &s) || s.Left != 1 {
					return fmt.Sprintf("%+v", s)
				}
				return ""
			})
			if gone {
				process.Until(t, "lines are lost", requestTimeout, func() string {
					first.Cmd.Process.Signal(syscall.SIGHUP) // of which it logs a line
					return lostLines(t, w, first.Said)
				})
			}
			first.End(t)
		})
	}
}

// fillPipe fills a pipe.
func fillPipe(t *testing.T, path string) {
	t.Helper()
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	for err == nil {
		_, err = syscall.Write(fd, []byte(strings.Repeat("x", 128)))
	}
}

// lostLines says what is wrong if a node says that it has lost no lines of its log.
func lostLines(t *testing.T, w *network, n node) string {
	t.Helper()
	answer, err := w.client.Get("http://" + n.HTTP + "/metrics")
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !regexp.MustCompile(`(?m)^hearsay_log_lines_lost_total [1-9]`).Match(text) {
		return fmt.Sprintf("no lost lines in %d bytes of metrics: %v", len(text), err)
	}
	return ""
}
