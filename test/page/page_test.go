// Package page opens the page of a real node in headless Chromium. It is a
// module of its own, so that nobody who uses hearsay gets a browser's driver.
package page

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	wholeTest  = 4 * time.Minute
	pageWithin = time.Minute      // for what the page must come to show
	endTimeout = 30 * time.Second // for a network to end when told to
)

// hostile is the name of a member that would be bold if it were markup.
const hostile = "<b>&quot;mallory"

type node struct {
	Name, Addr, HTTP string
	PID              int
}

func TestPage(t *testing.T) {
	page := t // the newcomer stays until the whole test ends
	binary := filepath.Join(t.TempDir(), "hearsay")
	build := exec.Command("go", "build", "-o", binary, "./cmd/hearsay")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	nodes := up(t, binary, 0, 3)
	ctx, complaints := browser(t)
	victim := nodes[2]

	t.Run("lists members", func(t *testing.T) {
		do(t, ctx, chromedp.Navigate("http://"+nodes[0].HTTP+"/"))
		becomes(t, ctx, `$('link').textContent === 'live'`)
		becomes(t, ctx, `states() === 'peer-1 alive, peer-2 alive, peer-3 alive'`)
		becomes(t, ctx, `document.title === 'peer-1 · Hearsay'`)
		becomes(t, ctx, `[...document.querySelectorAll('#members tbody tr')].every(tr => tr.cells[2].textContent === 'peer')`)
		becomes(t, ctx, `!$('talk').hidden && $('seeds').hidden`)
	})
	t.Run("tells times in UTC", func(t *testing.T) {
		becomes(t, ctx, `[...document.querySelectorAll('#members time')].every(e => /^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\dZ$/.test(e.textContent))`)
	})
	t.Run("shows a newcomer's name as text", func(t *testing.T) {
		start(page, exec.Command(binary, "peer", "--name", hostile, "--ip", "127.0.0.1", "--port", "0", "--join", nodes[0].Addr))
		becomes(t, ctx, fmt.Sprintf(`states().startsWith(%q)`, hostile+" alive, peer-1 alive"))
		becomes(t, ctx, fmt.Sprintf(`$('events').textContent.includes(%q)`, hostile))
		becomes(t, ctx, `document.querySelector('b') === null`)
	})
	t.Run("hears what another says", func(t *testing.T) {
		say := exec.Command(binary, "say", "--node", nodes[1].HTTP, "<b>bold</b> words")
		if out, err := say.CombinedOutput(); err != nil {
			t.Fatalf("say: %v: %s", err, out)
		}
		becomes(t, ctx, `rumors()[0]?.includes('peer-2 <b>bold</b> words #') && rumors()[0].includes(', from ')`)
		becomes(t, ctx, `document.querySelector('b') === null && $('rumors-none').hidden`)
	})
	t.Run("says what is typed", func(t *testing.T) {
		do(t, ctx, chromedp.SendKeys(chromedp.CSS("#say-text"), "so they say"+kb.Enter))
		becomes(t, ctx, `rumors()[0].includes('peer-1 so they say #') && rumors()[0].includes('said here')`)
		becomes(t, ctx, `$('say-text').value === '' && $('say-status').textContent === ''`)
	})
	t.Run("follows a death live", func(t *testing.T) {
		if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		becomes(t, ctx, `states().endsWith('peer-3 dead')`)
		becomes(t, ctx, `$('events').textContent.includes('peer-3 · dead')`)
		becomes(t, ctx, `$('counts').textContent.includes('1 dead')`)
	})
	t.Run("tells the case by keyboard alone", func(t *testing.T) {
		do(t, ctx, chromedp.Evaluate[chromedp.Void]("{"+words+"buttonOf('peer-3').focus()}"), chromedp.KeyEvent(kb.Enter))
		becomes(t, ctx, `!$('case').hidden && document.activeElement === $('case')`)
		becomes(t, ctx, `$('case-title').textContent === 'Why peer-3 is dead' && $('case-summary').textContent.length > 20`)
		becomes(t, ctx, `$('case-steps').children.length >= 3`)
		becomes(t, ctx, `[...document.querySelectorAll('#case-steps time')].every(e => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/.test(e.textContent))`)
		becomes(t, ctx, `$('case-title').getBoundingClientRect().top >= 0 && $('case-title').getBoundingClientRect().bottom <= innerHeight`)
		becomes(t, ctx, `buttonOf('peer-3').getAttribute('aria-expanded') === 'true'`)
		do(t, ctx, chromedp.KeyEvent(kb.Escape))
		becomes(t, ctx, `$('case').hidden && document.activeElement === buttonOf('peer-3')`)
	})
	t.Run("tells the case by mouse", func(t *testing.T) {
		do(t, ctx, chromedp.Click(chromedp.CSS("#members tbody tr:last-child button")))
		becomes(t, ctx, `!$('case').hidden`)
		do(t, ctx, chromedp.Click(chromedp.CSS("#case-close")))
		becomes(t, ctx, `$('case').hidden`)
	})
	t.Run("is light and dark", func(t *testing.T) {
		for scheme, background := range map[string]string{"light": "rgb(251, 251, 249)", "dark": "rgb(20, 24, 26)"} {
			media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
				t.Fatal(err)
			}
			becomes(t, ctx, fmt.Sprintf(`getComputedStyle(document.body).backgroundColor === %q`, background))
		}
	})
	t.Run("shows troubles as they come and go", func(t *testing.T) {
		seeded := up(t, binary, 1, 1)
		do(t, ctx, chromedp.Navigate("http://"+seeded[0].HTTP+"/"))
		becomes(t, ctx, `document.title === 'peer-1 · Hearsay' && $('troubles').hidden`)
		for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
			if err := syscall.Kill(seeded[1].PID, signal); err != nil {
				t.Fatal(err)
			}
			if signal == syscall.SIGSTOP {
				becomes(t, ctx, `!$('troubles').hidden && $('troubles').children[0].textContent.startsWith('no quorum of seeds is heard (1 of 1)')`)
				becomes(t, ctx, `$('troubles').children[0]?.textContent.startsWith('this node has heard nobody since ')`)
				becomes(t, ctx, `$('troubles').children[1]?.textContent.startsWith('no quorum of seeds is heard (1 of 1)')`) // which follows
			}
		}
		becomes(t, ctx, `$('troubles').hidden`)
		do(t, ctx, chromedp.Navigate("about:blank"))
	})
	t.Run("has no place for rumors at a seed", func(t *testing.T) {
		seeded := up(t, binary, 1, 1)
		do(t, ctx, chromedp.Navigate("http://"+seeded[1].HTTP+"/"))
		becomes(t, ctx, `document.title === 'seed-1 · Hearsay' && $('talk').hidden && !$('seeds').hidden`)
		becomes(t, ctx, `rows.map(tr => tr.cells[2].textContent).join() === 'peer,seed'`)
		do(t, ctx, chromedp.Navigate("about:blank")) // before the seed ends: what the page asks of it then fails
	})
	if got := complaints(); len(got) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(got, "\n"))
	}
}

// up starts a network and gives its nodes, the peers first, once all are in.
func up(t *testing.T, binary string, seeds, peers int) []node {
	t.Helper()
	network := exec.Command(binary, "up", "--seeds", fmt.Sprint(seeds), "--peers", fmt.Sprint(peers), "--json", "--port", "0", "--seed-port", "0", "--http", "0", "--data", t.TempDir())
	stdout, err := network.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, network)
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatal("hearsay up: ", err)
	}
	var ready struct {
		Event string
		Nodes []node
	}
	if err := json.Unmarshal(line, &ready); err != nil || ready.Event != "ready" || len(ready.Nodes) != seeds+peers {
		t.Fatalf("hearsay up: first line %s, %v", line, err)
	}
	return ready.Nodes
}

// start runs a process until the test ends.
func start(t *testing.T, process *exec.Cmd) {
	t.Helper()
	var output bytes.Buffer
	process.Stderr = &output
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(endTimeout, func() { process.Process.Kill() })
		process.Wait()
		if !kill.Stop() {
			t.Errorf("%s did not end within %v of SIGTERM", process, endTimeout)
		}
		if t.Failed() {
			t.Logf("%s\n%s", process, output.String())
		}
	})
}

// browser starts Chromium. Whatever it complains of is kept: errors of
// scripts, refusals of the content security policy, files not found.
func browser(t *testing.T) (ctx context.Context, complaints func() []string) {
	t.Helper()
	// Its processes may write there for a moment after the one that we end, which
	// a directory of the test itself would make a failure.
	profile, err := os.MkdirTemp("", "hearsay-page")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(profile) })
	options := []chromedp.ExecAllocatorOption{
		chromedp.NoFirstRun,
		chromedp.Headless,
		chromedp.NoSandbox, // CI is root in a machine of its own
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(profile),
		chromedp.WSURLReadTimeout(pageWithin),
	}
	limited, cancel := context.WithTimeout(context.Background(), wholeTest)
	t.Cleanup(cancel)
	allocator, cancelAllocator := chromedp.NewExecAllocator(limited, options...)
	t.Cleanup(cancelAllocator)
	ctx, cancelBrowser := chromedp.NewContext(allocator)
	t.Cleanup(cancelBrowser)
	t.Cleanup(func() { chromedp.Cancel(ctx) }) // waits for the process to end
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("start chromium: ", err)
	}
	var (
		mu  sync.Mutex
		all []string
	)
	messages := chromedp.Console(ctx)
	go func() {
		for message, err := range messages {
			if err != nil {
				return // the browser ends
			}
			mu.Lock()
			all = append(all, fmt.Sprint(message))
			mu.Unlock()
		}
	}()
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, pageWithin)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// words are what the conditions of the tests are said in.
const words = `
	const $ = id => document.getElementById(id)
	const rows = [...document.querySelectorAll('#members tbody tr')]
	const states = () => rows.map(tr => tr.cells[0].textContent + ' ' + tr.cells[1].textContent).join(', ')
	const rumors = () => [...$('rumors').children].map(li => li.textContent)
	const buttonOf = name => rows.map(tr => tr.cells[0].firstChild).find(b => b.textContent === name)
`

// becomes waits until a condition holds on the page.
func becomes(t *testing.T, ctx context.Context, condition string) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, pageWithin)
	defer cancel()
	_, err := chromedp.Run(limited, chromedp.PollFunction[bool]("() => {"+words+"return "+condition+"}"))
	if err != nil {
		text, _ := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
		t.Fatalf("never so: %s: %v\nthe page:\n%s", condition, err, text)
	}
}
