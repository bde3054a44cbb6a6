package kill

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"hearsay/test/process"
)

const (
	lateVariable  = "HEARSAY_LATE"           // how long to watch
	lateNamespace = "HEARSAY_LATE_NAMESPACE" // set for the part of the test that runs in the network

	late       = 300 * time.Millisecond // every packet of the late peer
	lateInside = "10.78.0.1"            // all but the late peer
	lateIP     = "10.78.0.2"
	lateForms  = time.Minute
	lateQueue  = 8192 // packets on their way; more are lost, as on a cable
	tunPacket  = 1 << 16
)

// TestLatePeer has a peer behind a cable on which everything takes long: a
// device in its network namespace and one in the others', and a process that
// carries packets from one to the other, late: both what it hears and what it
// says, so that an answer takes twice as long. It must be let in, and must stay as
// long as we watch. Then it is killed, and must go.
func TestLatePeer(t *testing.T) {
	if os.Getenv(lateVariable) == "" {
		t.Skipf("needs root; set %s to how long to watch, or make late", lateVariable)
	}
	watched, err := time.ParseDuration(os.Getenv(lateVariable))
	if err != nil || watched <= 0 {
		t.Fatalf("%s=%q: want a duration like 30s", lateVariable, os.Getenv(lateVariable))
	}
	if apart := os.Getenv(lateNamespace); apart != "" {
		seeLatePeer(t, apart, watched)
		return
	}
	if os.Geteuid() != 0 {
		t.Fatal("making network namespaces needs root")
	}
	inside := fmt.Sprintf("hearsay%din", os.Getpid())
	apart := fmt.Sprintf("hearsay%dapart", os.Getpid())
	for _, namespace := range []string{inside, apart} {
		process.Command(t, "ip", "netns", "add", namespace)
		t.Cleanup(func() { process.Command(t, "ip", "netns", "delete", namespace) })
		process.Command(t, "ip", "-netns", namespace, "link", "set", "lo", "up")
	}
	again := exec.Command("ip", "netns", "exec", inside, os.Args[0], "-test.run", "^TestLatePeer$", "-test.v")
	again.Env = append(os.Environ(), lateNamespace+"="+apart)
	again.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := again.CombinedOutput()
	t.Logf("in the network:\n%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// seeLatePeer runs a network of seeds and peers, one of them behind the cable.
func seeLatePeer(t *testing.T, apart string, watched time.Duration) {
	lay(t, apart)
	w := &network{t: t, binary: process.Binary(t)}
	w.client.Timeout = requestTimeout
	directory := t.TempDir()
	t.Cleanup(w.tellLogs)
	config := filepath.Join(directory, "config.txt")
	var list strings.Builder
	for i := range seeds {
		fmt.Fprintf(&list, "%s,%d\n", lateInside, 5001+i) // nobody else is in this namespace
	}
	if err := os.WriteFile(config, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(name, role, ip string, port int, first ...string) *process.Program {
		data := filepath.Join(directory, name)
		p := process.Run(t, data+".log", append(first, w.binary, role, "--json", "--name", name, "--ip", ip,
			"--port", fmt.Sprint(port), "--http", ip+":0", "--data", data, "--config", config)...)
		p.Said.Data = data
		w.nodes = append(w.nodes, p.Said)
		return p
	}
	for i := range peers - 1 {
		start(fmt.Sprintf("peer-%d", i+1), "peer", lateInside, 6001+i)
	}
	for i := range seeds {
		start(fmt.Sprintf("seed-%d", i+1), "seed", lateInside, 5001+i)
	}
	slow := start("late", "peer", lateIP, 6001, "ip", "netns", "exec", apart)
	theLate := len(w.nodes) - 1
	formed := w.until("one network", lateForms, func() string {
		for i, n := range w.nodes {
			if missing := lacks(&n, w.roster(i), len(w.nodes)); missing != "" {
				return missing
			}
		}
		return ""
	})
	began := time.Now()
	w.roster(theLate)
	if took := time.Since(began); took < 2*late {
		t.Errorf("the late peer answers in %v: it is not late", took)
	}
	suspected := w.stays(theLate, watched)
	t.Logf("a peer that answers %v late stayed for %v, and was suspected %d times", 2*late, watched, suspected)
	t.Logf("the network had formed in %v", formed)

	slow.Cmd.Process.Kill()
	all := make([]int, theLate)
	for i := range all {
		all[i] = i
	}
	took := w.until("out, since it is dead", watchAtMost, func() string { return w.agree(all, peers+1, map[string]string{"late": "dead"}) })
	t.Logf("and when it was killed, it was out in %v", took)
}

// stays watches that nobody is admitted or removed, and counts how often the
// late peer is held suspect.
func (w *network) stays(place int, watched time.Duration) (suspected int) {
	w.t.Helper()
	name, held := w.nodes[place].Name, false
	for began := time.Now(); time.Since(began) < watched; process.Pause(askEvery) {
		suspect := false
		for i, n := range w.nodes[:place] {
			r := w.rosterNow(i)
			if r.Epoch != peers {
				w.t.Fatalf("%s is at epoch %d after %v, want %d\n%s", n.Name, r.Epoch, time.Since(began), peers, w.hearsay(0, i, "why", name))
			}
			suspect = suspect || r.state(name) == "suspect"
		}
		if suspect && !held {
			suspected++
		}
		held = suspect
	}
	return suspected
}

// lay lays the cable: it carries packets from a device here to one in the
// other namespace and back, late.
func lay(t *testing.T, apart string) {
	t.Helper()
	here, there := openTun(t, "cable"), openTun(t, "far")
	process.Command(t, "ip", "link", "set", "far", "netns", apart)
	process.Command(t, "ip", "address", "add", lateInside+"/24", "dev", "cable")
	process.Command(t, "ip", "link", "set", "cable", "up")
	process.Command(t, "ip", "-netns", apart, "address", "add", lateIP+"/24", "dev", "far")
	process.Command(t, "ip", "-netns", apart, "link", "set", "far", "up")
	carry(t, here, there)
	carry(t, there, here)
}

// carry carries packets one way until a device is closed.
func carry(t *testing.T, from, to *os.File) {
	type carried struct {
		due    time.Time
		packet []byte
	}
	way, done := make(chan carried, lateQueue), make(chan struct{})
	go func() {
		defer close(way)
		buffer := make([]byte, tunPacket)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			select {
			case way <- carried{time.Now().Add(late), append([]byte(nil), buffer[:n]...)}:
			default: // the queue is full
			}
		}
	}()
	go func() {
		defer close(done)
		for c := range way {
			process.Pause(time.Until(c.due))
			to.Write(c.packet) // a device that is down loses it
		}
	}()
	t.Cleanup(func() {
		from.Close()
		<-done
	})
}

// openTun makes a device whose packets are read and written here.
func openTun(t *testing.T, name string) *os.File {
	t.Helper()
	const ( // linux/if_tun.h
		setInterface  = 0x400454ca // TUNSETIFF
		packets       = 0x0001     // IFF_TUN
		noInformation = 0x1000     // IFF_NO_PI
	)
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatalf("open /dev/net/tun: %v", err)
	}
	var request struct { // struct ifreq
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], name)
	request.flags = packets | noInformation
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), setInterface, uintptr(unsafe.Pointer(&request))); errno != 0 {
		syscall.Close(fd)
		t.Fatalf("make the device %s: %v", name, errno)
	}
	return os.NewFile(uintptr(fd), name)
}
