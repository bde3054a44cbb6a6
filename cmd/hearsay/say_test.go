package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"hearsay/web"
)

func TestPlainText(t *testing.T) {
	for text, want := range map[string]string{
		"so they say":   "so they say",
		"Grüße 😀":       "Grüße 😀",
		"":              `""`,
		" ":             `" "`,
		"two\nlines":    `"two\nlines"`,
		"\x1b[2J":       `"\x1b[2J"`,
		`"quoted"`:      `"\"quoted\""`,
		"a\u202eb":      `"a\u202eb"`, // turns the line around
		"1:127.0.0.1:1": "1:127.0.0.1:1",
	} {
		if got := plainText(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestSaidWords(t *testing.T) {
	if got := saidWords([]byte("hi\n")); got != `"hi\n"` {
		t.Errorf("got %s", got)
	}
	if got, want := saidWords([]byte(strings.Repeat("x", 63)+"ü"+strings.Repeat("y", 99))), fmt.Sprintf(`"%s"... (164 bytes)`, strings.Repeat("x", 63)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := saidWords(make([]byte, 100)); !strings.HasSuffix(got, `"... (100 bytes)`) {
		t.Errorf("got %s", got)
	}
}

func TestPrintedRumors(t *testing.T) {
	var p printedRumors
	for n := range uint64(3 * printedMax) {
		if !p.add(web.RumorID{Number: n}) || n > 0 && p.add(web.RumorID{Number: n - 1}) {
			t.Fatalf("at %d", n)
		}
	}
	if n := len(p.newer) + len(p.older); n < printedMax || n > 2*printedMax {
		t.Errorf("remembers %d", n)
	}
}

// Who follows begins with a list, and makes up by a list for what was lost.
func TestFollowRumors(t *testing.T) {
	rumor := func(n int) string {
		return fmt.Sprintf(`{"origin":"%032x","n":%d,"origin_name":"a","at":"2026-05-01T08:00:00Z","text":"no. %[2]d","from":"%032[1]x","from_name":"a","hops":0}`, 1, n)
	}
	event := func(n int) string {
		return fmt.Sprintf("id: %d\ndata: {\"kind\":\"rumor\",\"subject\":\"%032x\",\"name\":\"a\",\"at\":\"2026-05-01T08:00:00Z\",\"rumor\":{\"origin\":\"%032[2]x\",\"n\":%[1]d,\"hops\":0,\"text\":\"no. %[1]d\"}}\n\n", n, 1)
	}
	const lagged = "id: 7\ndata: {\"kind\":\"lagged\",\"count\":3}\n\n"
	lists := []string{rumor(3) + "," + rumor(4), rumor(4) + "," + rumor(5) + "," + rumor(6) + "," + rumor(7)}
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/events" {
			io.WriteString(w, "event: snapshot\ndata: {}\n\n"+event(1)+event(3)+": told\n\n"+event(4)+event(5)+": heartbeat\n\n"+lagged+event(7)+event(8))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		asked = append(asked, r.URL.String())
		io.WriteString(w, `{"rumors":[`+lists[0]+`]}`)
		lists = lists[1:]
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out := &linesUntil{last: "no. 8", cancel: cancel}
	f := rumorFollower{client: c, limit: 2, out: out}
	a := &asking{Client: c, Command: &cobra.Command{}}
	a.SetContext(ctx)
	a.SetErr(io.Discard)
	if err := a.events(true, f.take); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(out.said, ", "), "no. 3, no. 4, no. 5, no. 6, no. 7, no. 8"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := strings.Join(asked, " "), "/v1/rumors?limit=2 /v1/rumors"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}

// linesUntil keeps the last column of each line, and cancels at the last.
type linesUntil struct {
	said   []string
	last   string
	cancel context.CancelFunc
}

func (l *linesUntil) Write(line []byte) (int, error) {
	columns := strings.Split(strings.TrimSpace(string(line)), "  ")
	l.said = append(l.said, columns[len(columns)-1])
	if columns[len(columns)-1] == l.last {
		l.cancel()
	}
	return len(line), nil
}
