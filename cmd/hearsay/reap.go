package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hearsay/store"
)

// The reaper keeps the promise of `up` to leave nothing behind, whatever ends
// it, SIGKILL too.
//
//	up ---- starts ----> reap ---- starts ----> anchor
//	 |  holds a pipe to its stdin                 |  leads a process group
//	 |---- starts ----> nodes, all in that group -'
//
// When up is no more, the pipe ends: reap kills the group and removes the
// temporary directory, which it made itself, but for what somebody else uses of it. There is no list of processes
// that could lag behind: a node enters the group before it runs, and until
// then holds up's end of the pipe. Nor can the group's number have become
// another's: reap has not waited for its leader.
type reaping struct {
	Group int    `json:"group"`         // to be entered by all processes that are to be ended
	Dir   string `json:"dir,omitempty"` // to be removed; "" for none
}

const (
	removeTries = 50 // a process that was just killed may be making its last file
	removeEvery = 20 * time.Millisecond
)

func newReap() *cobra.Command {
	var temporary, anchor bool
	cmd := &cobra.Command{
		Use:    "reap",
		Short:  "End the nodes that `up` started when it is no more",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
			if anchor {
				_, err := io.Copy(io.Discard, os.Stdin)
				return err
			}
			return reap(os.Stdin, cmd.OutOrStdout(), temporary)
		},
	}
	cmd.Flags().BoolVar(&temporary, "temporary", false, "make a directory for the nodes, and remove it")
	cmd.Flags().BoolVar(&anchor, "anchor", false, "only lead the process group")
	return cmd
}

// reap says on out what it will end, and does so when leash ends.
func reap(leash io.Reader, out io.Writer, temporary bool) (err error) {
	var ends reaping
	if temporary {
		if ends.Dir, err = os.MkdirTemp("", "hearsay-"); err != nil {
			return fmt.Errorf("make a temporary directory: %w", err)
		}
		defer func() { err = errors.Join(err, removeUnused(ends.Dir)) }()
	}
	anchor, err := startAnchor()
	if err != nil {
		return fmt.Errorf("start the leader of a process group: %w", err)
	}
	ends.Group = anchor.Process.Pid
	if err := json.NewEncoder(out).Encode(ends); err == nil { // else up is gone already
		io.Copy(io.Discard, leash)
	}
	syscall.Kill(-ends.Group, syscall.SIGKILL)
	anchor.Wait() // killed, as it should be
	return nil
}

// startAnchor starts the leader of a new process group. It ends with this
// process, if not before.
func startAnchor() (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	anchor := exec.Command(self, "reap", "--anchor")
	anchor.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := anchor.StdinPipe(); err != nil {
		return nil, err
	}
	return anchor, anchor.Start()
}

// removeUnused removes the directory of a network. A node that was started again by hand
// goes on: what it works with stays.
func removeUnused(dir string) (err error) {
	var used []string
	for range removeTries {
		if used = usedIn(dir); len(used) == 0 {
			return remove(dir)
		}
		time.Sleep(removeEvery) // one that was just killed holds its lock until it is gone
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("remove the temporary directory: %w", err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != configFile && !slices.Contains(used, name) {
			err = errors.Join(err, remove(filepath.Join(dir, name)))
		}
	}
	return err
}

// usedIn gives the names of the nodes whose directories are in use.
func usedIn(dir string) (used []string) {
	entries, _ := os.ReadDir(dir) // of what cannot be read, remove tells
	for _, entry := range entries {
		if _, yes := store.InUse(filepath.Join(dir, entry.Name())); yes {
			used = append(used, entry.Name())
		}
	}
	return used
}

// remove removes a directory in which processes that were just killed worked.
func remove(dir string) error {
	var err error
	for range removeTries {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(removeEvery)
	}
	return fmt.Errorf("remove the temporary directory: %w", err)
}

// reaper is up's end of a reap process.
type reaper struct {
	reaping
	cmd   *exec.Cmd
	leash io.Closer
}

// startReaper starts the reap process. Whatever the caller starts after this
// in its group ends with the caller.
func startReaper(self string, temporary bool) (*reaper, error) {
	r := &reaper{cmd: exec.Command(self, "reap", fmt.Sprintf("--temporary=%t", temporary))}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what a terminal sends to up is not for it
	r.cmd.Stderr = os.Stderr
	leash, err := r.cmd.StdinPipe()
	r.leash = leash
	var out io.Reader
	if err == nil {
		out, err = r.cmd.StdoutPipe()
	}
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start the reaper: %w", err)
	}
	if err := json.NewDecoder(out).Decode(&r.reaping); err != nil {
		return nil, errors.Join(fmt.Errorf("hear from the reaper: %w", err), r.end())
	}
	return r, nil
}

// end has everything reaped, and returns when that is done.
func (r *reaper) end() error {
	r.leash.Close()
	if err := r.cmd.Wait(); err != nil {
		return fmt.Errorf("reap the nodes: %w", err)
	}
	return nil
}

// member gives the attributes of a process that shall be reaped.
func (r *reaper) member() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pgid: r.Group}
}
