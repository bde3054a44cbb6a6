package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hearsay"
	"hearsay/client"
	"hearsay/web"
)

// The scripts wait for real processes most of the time: four times as many as there are cores run at
// once, unless -parallel says otherwise.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0)))
	testscript.Main(m, map[string]func(){"hearsay": main})
}

// TestScripts runs testdata/script: real processes on ports that the kernel chooses. Besides testscript's own
// commands there are
//
//	spawn NAME PROGRAM ARGS...    starts a process, its output in NAME.out and NAME.err
//	ready NAME                    waits for its first line; sets NAME_http, NAME_pid ..., or peer-1_http ... of `up`
//	await FILE REGEXP             waits until the file has a match
//	await-members URL alive=N ... waits until the node lists so many in each of these states
//	await-member URL NAME STATE   waits until the node lists the member in this state
//	await-epoch E N URL ...       waits until each of these nodes lists the same N living members, as of epoch E
//	await-why URL NAME REGEXP     waits until what the node tells of the member has a match
//	await-answer URL REGEXP          waits until what is at the URL has a match, whatever its status
//	free-port VAR                 gives a port that is free now
//	await-rumors URL N NAME=N ... waits until the node holds N different rumors, so many of each name; more is wrong
//	await-end NAME CODE           waits until the process has ended, with this exit code
//	await-gone PID|PATH ...       waits until no such process lives, no such file exists
//	signal SIGNAL PID|NAME        sends KILL, STOP, CONT, INT or TERM
//	occupy VAR                    listens on a port until the script ends
//	code N PROGRAM ARGS...        runs a command that must exit with this code
//
// Whatever a script has started ends with it, also when it fails.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Values[spawnedKey{}] = make(map[string]*spawned)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"spawn": spawn, "ready": awaitReady, "await": await, "await-members": awaitMembers, "await-member": awaitMember, "await-rumors": awaitRumors,
			"await-epoch": awaitEpoch, "await-why": awaitWhy, "await-answer": awaitAnswer, "free-port": freePort, "proxy": proxy,
			"await-end": awaitEnd, "await-gone": awaitGone, "signal": sendSignal, "occupy": occupy, "code": exitsWith,
		},
		Condition:          condition,
		RequireUniqueNames: true,
	})
}

// condition reports what a script asks of this machine: [ipv6], whether it has
// IPv6.
func condition(name string) (bool, error) {
	if name != "ipv6" {
		return false, fmt.Errorf("condition %q: want ipv6", name)
	}
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false, nil
	}
	return true, listener.Close()
}

const (
	awaitTimeout = 90 * time.Second
	askTimeout   = 10 * time.Second // of one request, of which more follow
	awaitEvery   = 20 * time.Millisecond
)

// until polls until done gives nil, and fails with its last error at the
// deadline.
func until(ts *testscript.TestScript, what string, done func() error) {
	deadline := time.NewTimer(awaitTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			ts.Fatalf("%s: not within %v: %v", what, awaitTimeout, err)
		}
	}
}

func want(ts *testscript.TestScript, neg, ok bool, usage string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

// spawned is a process that a script has started.
type spawned struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

type spawnedKey struct{}

func spawnedOf(ts *testscript.TestScript) map[string]*spawned {
	return ts.Value(spawnedKey{}).(map[string]*spawned)
}

func spawn(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) >= 2, "spawn NAME PROGRAM ARGS...")
	name := args[0]
	s := &spawned{cmd: exec.Command(args[1], args[2:]...), ended: make(chan struct{})}
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = append(os.Environ(), "PWD="+s.cmd.Dir)
	for _, key := range []string{"TMPDIR", "HOME", "WORK", "HEARSAY_NODE", "NO_COLOR"} {
		s.cmd.Env = append(s.cmd.Env, key+"="+ts.Getenv(key))
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	defer stdout.Close()
	stderr, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer stderr.Close()
	s.cmd.Stdout, s.cmd.Stderr = stdout, stderr
	ts.Check(s.cmd.Start())
	go func() {
		s.cmd.Wait()
		close(s.ended)
	}()
	ts.Defer(func() {
		s.cmd.Process.Kill()
		<-s.ended
	})
	spawnedOf(ts)[name] = s
}

// proxy serves what another address serves, and asks there by a name of its own, as
// a proxy does that is asked by that name. The script finds it in the variable.
func proxy(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 3, "proxy VARIABLE NAME HOST:PORT")
	variable, name, to := args[0], args[1], args[2]
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", to, name
	}}
	server := httptest.NewServer(forward)
	ts.Defer(server.Close)
	ts.Setenv(variable, server.URL)
}

func awaitReady(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1, "ready NAME")
	name := args[0]
	s := spawnedOf(ts)[name]
	var line struct {
		readyLine
		Nodes []struct {
			readyLine
			Data  string `json:"data"`
			Start string `json:"start"`
		} `json:"nodes"`
	}
	until(ts, name+" to be ready", func() error {
		text, err := os.ReadFile(ts.MkAbs(name + ".out"))
		ts.Check(err)
		first, _, whole := bytes.Cut(text, []byte("\n"))
		if whole {
			ts.Check(json.Unmarshal(first, &line))
			return nil
		}
		select {
		case <-s.ended:
			ts.Fatalf("%s ended: %v\n%s", name, s.cmd.ProcessState, ts.ReadFile(name+".err"))
		default:
		}
		return fmt.Errorf("it said %q", text)
	})
	if line.Event != "ready" {
		ts.Fatalf("%s said %q first, want ready", name, line.Event)
	}
	set := func(name string, r readyLine) {
		ts.Setenv(name+"_http", r.HTTP)
		ts.Setenv(name+"_addr", r.Addr)
		ts.Setenv(name+"_port", r.port())
		ts.Setenv(name+"_id", r.ID.String())
		ts.Setenv(name+"_pid", strconv.Itoa(r.PID))
	}
	set(name, line.readyLine)
	for i, node := range line.Nodes {
		name := fmt.Sprintf("p%d", i+1)
		set(name, node.readyLine)
		ts.Setenv(name+"_data", node.Data)
		ts.Setenv(name+"_start", node.Start)
	}
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 2, "await FILE REGEXP")
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	until(ts, args[0], func() error {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && !pattern.Match(text) {
			err = fmt.Errorf("no match of %q in:\n%s", args[1], text)
		}
		return err
	})
}

// membersOf asks a node for its members.
func membersOf(address string) (web.Members, error) {
	base, err := client.ParseNode(address, defaultNode)
	if err != nil {
		return web.Members{}, err
	}
	c := client.New(base)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	answer, err := c.Members(ctx)
	return answer.Value, err
}

func awaitMembers(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) >= 2, "await-members URL STATE=N ...")
	until(ts, strings.Join(args, " "), func() error {
		answer, err := membersOf(args[0])
		if err != nil {
			return err
		}
		count := make(map[string]int)
		for _, m := range answer.Members {
			count[m.State.String()]++
		}
		for _, arg := range args[1:] {
			state, number, _ := strings.Cut(arg, "=")
			n, err := strconv.Atoi(number)
			ts.Check(err)
			if count[state] != n {
				return fmt.Errorf("it lists %v", count)
			}
		}
		return nil
	})
}

func awaitMember(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 3, "await-member URL NAME STATE")
	until(ts, strings.Join(args, " "), func() error {
		answer, err := membersOf(args[0])
		for _, m := range answer.Members {
			if m.Name == args[1] && m.State.String() == args[2] {
				return nil
			}
		}
		return errors.Join(err, fmt.Errorf("it lists %v", answer.Members))
	})
}

func awaitRumors(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) >= 2, "await-rumors URL N NAME=N ...")
	base, err := client.ParseNode(args[0], defaultNode)
	ts.Check(err)
	until(ts, strings.Join(args, " "), func() error {
		c := client.New(base)
		defer c.Close()
		answer, err := c.Rumors(context.Background(), 0)
		if err != nil {
			return err
		}
		count, different := make(map[string]int), make(map[web.RumorID]bool)
		for _, r := range answer.Value.Rumors {
			if different[r.RumorID] {
				ts.Fatalf("%s holds %v twice", args[0], r.RumorID)
			}
			different[r.RumorID] = true
			count[r.OriginName]++
		}
		total, err := strconv.Atoi(args[1])
		ts.Check(err)
		if len(different) > total {
			ts.Fatalf("%s holds %d rumors, want %d", args[0], len(different), total)
		}
		for _, arg := range args[2:] {
			name, number, _ := strings.Cut(arg, "=")
			n, err := strconv.Atoi(number)
			ts.Check(err)
			if count[name] != n {
				return fmt.Errorf("it holds %v", count)
			}
		}
		if len(different) != total {
			return fmt.Errorf("it holds %d", len(different))
		}
		return nil
	})
}

func awaitEpoch(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) >= 3, "await-epoch E N URL ...")
	epoch, err := strconv.ParseUint(args[0], 10, 64)
	ts.Check(err)
	living, err := strconv.Atoi(args[1])
	ts.Check(err)
	until(ts, strings.Join(args, " "), func() error {
		var first []string
		for i, node := range args[2:] {
			answer, err := membersOf(node)
			if err != nil {
				return err
			}
			var list []string
			for _, m := range answer.Members {
				if m.State.Living() {
					list = append(list, m.ID.String()+" "+m.State.String())
				}
			}
			if i == 0 {
				first = list
			}
			if answer.Epoch != hearsay.Epoch(epoch) || len(list) != living || !slices.Equal(list, first) {
				return fmt.Errorf("%s lists %v as of epoch %d", node, list, answer.Epoch)
			}
		}
		return nil
	})
}

func awaitWhy(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 3, "await-why URL NAME REGEXP")
	awaitAnswer(ts, neg, []string{args[0] + "/v1/members/" + args[1] + "/case", args[2]})
}

func awaitAnswer(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 2, "await-answer URL REGEXP")
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	base, err := client.ParseNode(args[0], defaultNode)
	ts.Check(err)
	client := &http.Client{Transport: &http.Transport{}, Timeout: askTimeout}
	defer client.CloseIdleConnections()
	until(ts, args[0], func() error {
		answer, err := client.Get(base)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && !pattern.Match(text) {
			err = fmt.Errorf("no match of %q in:\n%s", args[1], text)
		}
		return err
	})
}

func freePort(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1, "free-port VAR")
	var r reservation
	ts.Defer(r.close)
	port, err := r.take()
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(port))
}

func awaitEnd(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 2, "await-end NAME CODE")
	s := spawnedOf(ts)[args[0]]
	select {
	case <-s.ended:
	case <-time.After(awaitTimeout):
		ts.Fatalf("%s has not ended within %v", args[0], awaitTimeout)
	}
	if got := strconv.Itoa(s.cmd.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("%s ended with %v, want exit code %s\n%s", args[0], s.cmd.ProcessState, args[1], ts.ReadFile(args[0]+".err"))
	}
}

func awaitGone(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) > 0, "await-gone PID|PATH ...")
	for _, arg := range args {
		until(ts, arg+" to be gone", func() error {
			if pid, err := strconv.Atoi(arg); err == nil {
				return gone(pid)
			}
			if _, err := os.Lstat(ts.MkAbs(arg)); !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("it exists: %v", err)
			}
			return nil
		})
	}
}

// gone gives an error if the process lives. One that has ended and that
// nobody has waited for does not, once its last thread has ended: until then it has its
// ports.
func gone(pid int) error {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if _, after, ok := strings.Cut(string(stat), ") "); ok && strings.HasPrefix(after, "Z") && len(threads) <= 1 {
		return nil
	}
	return fmt.Errorf("process %d lives: %s", pid, stat)
}

func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{
		"KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT, "INT": syscall.SIGINT, "TERM": syscall.SIGTERM,
	}
	want(ts, neg, len(args) == 2 && signals[args[0]] != 0, "signal KILL|STOP|CONT|INT|TERM PID|NAME")
	pid, err := strconv.Atoi(args[1])
	if s := spawnedOf(ts)[args[1]]; s != nil {
		pid, err = s.cmd.Process.Pid, nil
	}
	ts.Check(err)
	ts.Check(syscall.Kill(pid, signals[args[0]]))
}

func occupy(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1, "occupy VAR")
	listener, err := net.Listen("tcp", loopback+":0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	ts.Setenv(args[0], strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
}

func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) >= 2, "code N PROGRAM ARGS...")
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
