package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hearsay"
)

type oneField struct {
	Epoch int `json:"epoch"`
}

func TestListsAreJSON(t *testing.T) {
	for want, write := range map[string]func(l *httptest.ResponseRecorder){
		`{"epoch":3,"items":["a","b"]}`: func(w *httptest.ResponseRecorder) {
			l := beginList(w, oneField{3}, "items")
			addItem(l, "a")
			addItem(l, "b")
			endList(l, noFields{})
		},
		`{"items":[]}`: func(w *httptest.ResponseRecorder) { endList(beginList(w, noFields{}, "items"), noFields{}) },
		`{"items":["\u202e\u001b\u009b"],"epoch":4}`: func(w *httptest.ResponseRecorder) {
			l := beginList(w, noFields{}, "items")
			addItem(l, "\u202e\x1b\u009b")
			endList(l, oneField{4})
		},
	} {
		w := httptest.NewRecorder()
		write(w)
		if got := w.Body.String(); got != want+"\n" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// narrow is a client that goes after some bytes; it notes the longest write.
type narrow struct {
	*httptest.ResponseRecorder
	left, longest int
	keeps         bool
}

func (n *narrow) Write(text []byte) (int, error) {
	n.longest = max(n.longest, len(text))
	if n.left -= len(text); n.left < 0 {
		return 0, errors.New("gone")
	}
	if n.keeps {
		n.ResponseRecorder.Write(text)
	}
	return len(text), nil
}

func TestListsAreNotHeldWhole(t *testing.T) {
	w := &narrow{ResponseRecorder: httptest.NewRecorder(), left: 10 * chunkLen}
	l := beginList(w, noFields{}, "items")
	item, added := strings.Repeat("x", chunkLen/4), 0
	for addItem(l, item) {
		if added++; added > 100 {
			t.Fatal("a client that has gone is written to")
		}
	}
	if added < 4*9 || w.longest > 2*chunkLen || l.text.Cap() > 4*chunkLen {
		t.Errorf("%d items were taken, at most %d bytes at a time, and there is room for %d", added, w.longest, l.text.Cap())
	}
}

// A value is no more in memory as JSON than a list is, and is what it was.
func TestValuesAreNotHeldWhole(t *testing.T) {
	long := bytes.Repeat([]byte("value\xff"), hearsay.MaxValue/6)
	w := &narrow{ResponseRecorder: httptest.NewRecorder(), left: 3 * hearsay.MaxValue, keeps: true}
	l := beginList(w, oneField{3}, "items")
	addFilled(l, hearsay.KeyChange{Key: "k", Value: hole, Siblings: 1}, long)
	addFilled(l, hearsay.KeyChange{Key: "k", Value: hole, Siblings: 1}, long[1:])
	endList(l, noFields{})
	var got struct{ Items []hearsay.KeyChange }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Items) != 2 || got.Items[0].Siblings != 1 ||
		!bytes.Equal(got.Items[0].Value, long) || !bytes.Equal(got.Items[1].Value, long[1:]) {
		t.Errorf("%v: %.200s", err, w.Body)
	}
	if w.longest > 2*chunkLen || l.text.Cap() > 4*chunkLen {
		t.Errorf("at most %d bytes are written at a time, and there is room for %d", w.longest, l.text.Cap())
	}
}

func TestListsThatBreakAreSeenToBreak(t *testing.T) {
	w, said := httptest.NewRecorder(), new(bytes.Buffer)
	server := &http.Server{ErrorLog: log.New(said, "", 0)}
	r := httptest.NewRequest("GET", "/v1/items", nil)
	l := beginList(newPaced(w, r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, server))), noFields{}, "items")
	noJSON := func() {}
	if addItem(l, noJSON) || addItem(l, "more") {
		t.Error("it goes on")
	}
	endList(l, noFields{})
	if w.Code != 500 || !strings.HasPrefix(w.Body.String(), `{"type":"about:blank","title":"Internal Server Error","status":500`) ||
		!strings.HasPrefix(said.String(), `An answer over HTTP cannot be written: GET "/v1/items": json:`) {
		t.Errorf("before a chunk is written: %d %s; it logs %s", w.Code, w.Body, said)
	}
	defer func() {
		if recover() == nil {
			t.Error("an answer that broke off ended well")
		}
	}()
	l = beginList(httptest.NewRecorder(), noFields{}, "items")
	addItem(l, strings.Repeat("x", chunkLen))
	addItem(l, noJSON)
}
