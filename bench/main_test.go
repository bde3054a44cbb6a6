package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asBench has the test binary be bench itself, also where bench starts itself.
const asBench = "BENCH_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asBench) != "" {
		main()
		return
	}
	m.Run()
}

// A scene that fails takes no figures of the others with it, nor its own that were whole.
func TestFailuresLeaveTheRest(t *testing.T) {
	for what, c := range map[string]struct {
		second error
		told   string
		names  string
	}{
		"failed":      {errors.New("no room"), "join: no room", "death join storm"},
		"interrupted": {context.Canceled, "join: interrupted", "death join"},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		gives := func(name string, err error) *scene {
			return &scene{name: name, systems: []string{"hearsay"}, measure: func(context.Context, *options, string) ([]figure, error) {
				if err == context.Canceled {
					interrupt()
				}
				return []figure{{Name: name}}, err
			}}
		}
		var out bytes.Buffer
		err := run(ctx, &options{system: "hearsay", json: true}, []*scene{gives("death", nil), gives("join", c.second), gives("storm", nil)}, &out)
		interrupt()
		var measured report
		if err := json.Unmarshal(out.Bytes(), &measured); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range measured.Figures {
			names = append(names, f.Name)
		}
		if got := strings.Join(names, " "); got != c.names || err == nil || err.Error() != c.told {
			t.Errorf("%s: printed %s, want %s; %v", what, got, c.names, err)
		}
	}
}

// However bench ends, the processes that measure end with it; if it can, it prints what was measured.
func TestNothingIsLeft(t *testing.T) {
	for _, with := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL} {
		profiles := filepath.Join(t.TempDir(), "heap")
		command := exec.CommandContext(t.Context(), os.Args[0], "heap", "--nodes", "3", "--settle", "0s", "--window", "1h", "--memprofile", profiles)
		command.Env = append(os.Environ(), asBench+"=1")
		var out bytes.Buffer
		command.Stdout = &out
		reads, writes, err := os.Pipe() // all of them have its end
		if err != nil {
			t.Fatal(err)
		}
		command.Stderr = writes
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		writes.Close()
		measuring := func() bool {
			files, _ := filepath.Glob(profiles + ".idle.*")
			return len(files) == 3
		}
		for look := time.NewTicker(10 * time.Millisecond); !measuring(); {
			select {
			case <-look.C:
			case <-t.Context().Done():
			}
		}
		command.Process.Signal(with)
		told, err := io.ReadAll(reads) // until the last of them is gone
		if err != nil {
			t.Fatal(err)
		}
		reads.Close()
		failed := command.Wait()
		if failed == nil || with != syscall.SIGKILL && !strings.Contains(string(told), "heap: interrupted") {
			t.Errorf("%v: ends with %v and says %s", with, failed, told)
		}
		if lines := strings.Count(out.String(), "heap a node there"); with != syscall.SIGKILL && (lines != 1 || strings.Contains(out.String(), "heap a node there   ·")) {
			t.Errorf("%v: printed %s", with, &out)
		}
	}
}
