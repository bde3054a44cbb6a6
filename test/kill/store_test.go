package kill

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	storeWriters = 32 // clients of the node that is killed, each with one write under way
	storeWrites  = 1500 * time.Millisecond
	storeAgree   = 30 * time.Second // a guess: until all hold the same
)

// written are the keys whose writes were acknowledged.
type written struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (a *written) add(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[key] = true
}

// put writes a key at a node, and reports whether that was acknowledged.
func (w *network) put(i int, key string) bool {
	request, err := http.NewRequest(http.MethodPut, "http://"+w.nodes[i].HTTP+"/v1/kv/"+key, strings.NewReader("a value of "+key))
	if err != nil {
		w.t.Error(err)
		return false
	}
	got, err := w.client.Do(request)
	if err != nil {
		return false // it was just killed
	}
	defer got.Body.Close()
	_, _ = io.Copy(io.Discard, got.Body)
	return got.StatusCode == http.StatusNoContent
}

// keys lists what a node holds.
func (w *network) keys(i int) (keys map[string]bool, err error) {
	keys = make(map[string]bool)
	for after := ""; ; {
		var page struct {
			Keys []struct {
				Key string `json:"key"`
			} `json:"keys"`
			Next string `json:"next"`
		}
		if err := w.get(i, "/v1/kv?limit=1000&after="+url.QueryEscape(after), &page); err != nil {
			return nil, err
		}
		for _, k := range page.Keys {
			keys[k.Key] = true
		}
		if after = page.Next; after == "" {
			return keys, nil
		}
	}
}

// A node is killed while clients write at it as fast as they can. What it has acknowledged, it and all others hold
// afterwards.
func TestAcknowledgedWritesOutliveKills(t *testing.T) {
	briefly(t)
	kills := 1
	if os.Getenv(variable) != "" {
		kills = 3
	}
	w := start(t, 0, 3)
	w.client.Transport = &http.Transport{MaxIdleConnsPerHost: storeWriters}
	w.until("all in", startWithin, func() string { return lacks(&w.nodes[0], w.roster(0), len(w.nodes)) })
	const victim = 1
	acknowledged := written{keys: make(map[string]bool)}
	for kill := range kills {
		over := time.Now().Add(storeWrites)
		var clients sync.WaitGroup
		for client := range storeWriters {
			clients.Go(func() {
				for n := 0; time.Now().Before(over); n++ {
					if key := fmt.Sprintf("%d/%d/%d", kill, client, n); w.put(victim, key) {
						acknowledged.add(key)
					}
				}
			})
		}
		w.until("clients writing", storeWrites, func() string {
			if time.Until(over) > storeWrites/3 {
				return "they have just begun"
			}
			return ""
		})
		w.signal(victim, syscall.SIGKILL)
		clients.Wait()
		w.startAgain(victim)
	}
	if len(acknowledged.keys) < 100*kills {
		t.Fatalf("%d writes were acknowledged: the test shows nothing", len(acknowledged.keys))
	}
	took := w.until("all holding what was acknowledged", storeAgree, func() string {
		for i := range w.nodes {
			keys, err := w.keys(i)
			if err != nil {
				return err.Error()
			}
			missing := 0
			for key := range acknowledged.keys {
				if !keys[key] {
					missing++
				}
			}
			if missing > 0 {
				return fmt.Sprintf("%s lacks %d of %d", w.nodes[i].Name, missing, len(acknowledged.keys))
			}
		}
		return ""
	})
	t.Logf("%d kills, %d writes acknowledged; all hold them after %v", kills, len(acknowledged.keys), took)
}
