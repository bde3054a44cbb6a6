package web_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hearsay"
	"hearsay/clock"
	"hearsay/web"
)

const asJSON = "Content-Type: application/json"

// heard has the village hear what its member of that index said.
func (v *village) heard(from int, number uint64, data string, hops int) {
	m := v.members[from]
	v.rumors = append(v.rumors, hearsay.Event{
		At: at(len(v.rumors)), Kind: hearsay.EventRumor, Subject: m.ID, Name: m.Name, By: m.ID, ByName: m.Name, Count: hops,
		Rumor: &hearsay.Rumor{ID: clock.Dot{Origin: hearsay.OriginOf(m.ID), Counter: number}, Data: []byte(data)},
	})
}

func TestSay(t *testing.T) {
	largest := strings.Repeat("\xff\x00", hearsay.MaxRumorData/2)
	for body, want := range map[string]string{
		`{"text":"so they say"}`:            "so they say",
		`{"text":"\u00fc\ud83d\ude00\n"}`:   "ü😀\n",
		`{"text":"� \ufffd \uFFFD"}`:        "� � �", // meant so
		`{"data":"/wA="}`:                   "\xff\x00",
		`{"data":"aGk=","text":null}`:       "hi",
		"\n{ \"text\" : \" \" }\n":          " ",
		`{"data":"` + b64(largest) + `"}`:   largest,
		`{"text":"` + largestText() + `" }`: largestText(),
	} {
		v := newVillage()
		r := ask(handler(v), "POST", "/v1/rumors", body, asJSON)
		if text := read(t, r); r.StatusCode != 200 || text != `{"id":{"origin":"ad010000000000000000000000000000","n":1}}` {
			t.Errorf("%.40s: status %d: %s", body, r.StatusCode, text)
		}
		if len(v.said) != 1 || v.said[0] != want {
			t.Errorf("%.40s: said %.40q", body, v.said)
		}
	}
}

func b64(data string) string { return base64.StdEncoding.EncodeToString([]byte(data)) }

func largestText() string { return strings.Repeat("x", hearsay.MaxRumorData) }

// TestSayProblems: each answer says what would be right.
func TestSayProblems(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		header string
		status int
		detail string // a part of it
	}{
		"no body":             {"", asJSON, 400, `no body: want one JSON object with "text", a string, or "data"`},
		"neither":             {`{}`, asJSON, 400, `nothing to say: want "text", a string, or "data", bytes in base64`},
		"both":                {`{"text":"a","data":"YQ=="}`, asJSON, 400, `"text" and "data": want one of them`},
		"empty text":          {`{"text":""}`, asJSON, 400, "0 bytes: a rumor carries 1 to 65536 bytes"},
		"empty data":          {`{"data":""}`, asJSON, 400, "0 bytes: a rumor carries 1 to 65536 bytes"},
		"bad base64":          {`{"data":"!"}`, asJSON, 400, "illegal base64 data at input byte 0; want base64 (RFC 4648, section 4)"},
		"no padding":          {`{"data":"YQ"}`, asJSON, 400, "with its padding"},
		"base64url":           {`{"data":"_wA="}`, asJSON, 400, "want base64 (RFC 4648, section 4)"},
		"not UTF-8":           {"{\"text\":\"\xff\"}", asJSON, 400, "it is not Unicode"},
		"half a pair":         {`{"text":"\ud83d"}`, asJSON, 400, "half of a surrogate pair"},
		"a number":            {`{"text":5}`, asJSON, 400, `want one JSON object with "text", a string, or "data"`},
		"unknown field":       {`{"text":"a","to":"bob"}`, asJSON, 400, `unknown field "to"; want one JSON object with "text"`},
		"broken":              {`{"text":"a"`, asJSON, 400, "it ends too early"},
		"two":                 {`{"text":"a"}{"text":"b"}`, asJSON, 400, "goes on"},
		"a form":              {"text=a", "Content-Type: application/x-www-form-urlencoded", 415, "want application/json"},
		"foreign":             {`{"text":"a"}`, "Origin: https://evil.example", 403, "another site"},
		"text too long":       {`{"text":"` + largestText() + `x"}`, asJSON, 413, "65537 bytes: a rumor carries 1 to 65536 bytes"},
		"data too long":       {`{"data":"` + b64(largestText()+"x") + `"}`, asJSON, 413, "65537 bytes: a rumor carries 1 to 65536 bytes"},
		"body too long":       {`{"data":"` + strings.Repeat("A", 1<<20) + `"}`, asJSON, 413, "the body is longer than 87448 bytes; a rumor carries 1 to 65536 bytes"},
		"escapes too long":    {`{"text":"` + strings.Repeat(`\u0000`, hearsay.MaxRumorData) + `"}`, asJSON, 413, `is short as "data", in base64`},
		"the node is stopped": {`{"text":"stop"}`, asJSON, 503, "the agent has stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVillage()
			if strings.Contains(c.body, "stop") {
				v.sayBy = errors.New("broadcast: the agent has stopped")
			}
			r := ask(handler(v), "POST", "/v1/rumors", c.body, c.header)
			var got struct{ Detail string }
			if err := json.Unmarshal([]byte(read(t, r)), &got); err != nil || r.Header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("status %d, and not a problem document: %v", r.StatusCode, err)
			}
			if r.StatusCode != c.status || !strings.Contains(got.Detail, c.detail) {
				t.Errorf("status %d, want %d; detail %q\nwants %q", r.StatusCode, c.status, got.Detail, c.detail)
			}
			if len(v.said) != 0 {
				t.Errorf("said %.40q", v.said)
			}
		})
	}
}

func TestRumors(t *testing.T) {
	v := newVillage()
	h := handler(v)
	if got := read(t, ask(h, "GET", "/v1/rumors", "")); got != `{"rumors":[]}` {
		t.Errorf("of none: %s", got)
	}
	v.heard(0, 1, "one", 0)
	v.heard(1, 1, "\xff", 3)
	const (
		one = `{"origin":"ad010000000000000000000000000000","n":1,"origin_name":"ada","at":"2026-05-01T08:00:00Z","text":"one","from":"ad010000000000000000000000000000","from_name":"ada","hops":0}`
		two = `{"origin":"b0020000000000000000000000000000","n":1,"origin_name":"bob","at":"2026-05-01T08:00:01Z","data":"/w==","from":"b0020000000000000000000000000000","from_name":"bob","hops":3}`
	)
	for query, want := range map[string]string{
		"":             one + "," + two,
		"?limit=1":     two,
		"?limit=16384": one + "," + two,
	} {
		r := ask(h, "GET", "/v1/rumors"+query, "")
		if got := read(t, r); r.StatusCode != 200 || got != `{"rumors":[`+want+`]}` {
			t.Errorf("%s: status %d: %s", query, r.StatusCode, got)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=-1", "?limit=16385", "?limit=", "?limit=x", "?limit=1&limit=2"} {
		r := ask(h, "GET", "/v1/rumors"+query, "")
		if got := read(t, r); r.StatusCode != 400 || !strings.Contains(got, "want one number from 1 to 16384") {
			t.Errorf("%s: status %d: %s", query, r.StatusCode, got)
		}
	}
	r := ask(h, "GET", "/v1/rumors?since=1", "")
	if got := read(t, r); r.StatusCode != 400 || !strings.Contains(got, "GET /v1/rumors takes limit") {
		t.Errorf("status %d: %s", r.StatusCode, got)
	}
	if r := ask(h, "POST", "/v1/rumors?limit=1", `{"text":"a"}`, asJSON); r.StatusCode != 400 || len(v.said) != 0 {
		t.Errorf("said with a limit: status %d", r.StatusCode)
	}
}

// TestRumorsComeBack: a client written in Go reads what is answered.
func TestRumorsComeBack(t *testing.T) {
	v := newVillage()
	v.heard(1, 7, "\x00\xff", 2)
	var got web.Rumors
	if err := json.Unmarshal([]byte(read(t, ask(handler(v), "GET", "/v1/rumors", ""))), &got); err != nil {
		t.Fatal(err)
	}
	r := got.Rumors[0]
	if r.Text != nil || string(r.Data) != "\x00\xff" || r.Origin != v.members[1].ID || r.Number != 7 || r.Hops != 2 || r.FromName != "bob" || !r.At.Equal(at(0)) {
		t.Errorf("got %+v", r)
	}
}

func TestTopology(t *testing.T) {
	v := newVillage()
	h := handler(v)
	// to bob, who has just died
	v.links = []hearsay.Link{hearsay.LinkOf(v.members[1].ID, v.members[0].ID, hearsay.LinkRandom)}
	const ada = `{"id":"ad010000000000000000000000000000","name":"ada","role":"peer","state":"alive"}`
	if got := read(t, ask(h, "GET", "/v1/topology", "")); got != `{"nodes":[`+ada+`],"links":[]}` {
		t.Errorf("got %s", got)
	}
	v.members[1].State = hearsay.StateSuspect
	want := fmt.Sprintf(`{"nodes":[%s,{"id":"%[2]s","name":"bob","role":"peer","state":"suspect"}],"links":[{"a":"%[3]s","b":"%[2]s","kind":"random"}]}`,
		ada, v.members[1].ID, v.members[0].ID)
	r := ask(h, "GET", "/v1/topology", "")
	if got := read(t, r); r.StatusCode != http.StatusOK || got != want {
		t.Errorf("status %d: got %s\nwant %s", r.StatusCode, got, want)
	}
}

// Seeds carry no rumors: what is said to one nobody would hear, and it has none to list.
func TestSeedSaysNothing(t *testing.T) {
	v := newSeedVillage()
	r := ask(handler(v), "POST", "/v1/rumors", `{"text":"tea"}`, asJSON)
	if text := read(t, r); r.StatusCode != http.StatusConflict || !strings.Contains(text, "this is a seed, and seeds carry no rumors; ask a peer") || len(v.said) > 0 {
		t.Errorf("status %d, %s, said %q", r.StatusCode, text, v.said)
	}
	if r := ask(handler(v), "POST", "/v1/rumors", `{"text":"tea"}`); r.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("without a Content-Type: status %d", r.StatusCode)
	}
	r = ask(handler(v), "GET", "/v1/rumors", "") // an empty list would look like a quiet network
	if text := read(t, r); r.StatusCode != http.StatusConflict || !strings.Contains(text, hearsay.ErrSeedMute.Error()) {
		t.Errorf("it lists: status %d, %s", r.StatusCode, text)
	}
}

// What is wrong with a body is said without types of this program.
func TestBodiesOfOtherTypes(t *testing.T) {
	for body, want := range map[string]string{
		`[1]`:        "the body: it is a JSON array; want one JSON object with",
		`{"text":1}`: `the body: \"text\" is a JSON number; want one JSON object with`,
		`"tea"`:      "the body: it is a JSON string; want",
	} {
		r := ask(handler(newVillage()), "POST", "/v1/rumors", body, asJSON)
		if text := read(t, r); r.StatusCode != 400 || !strings.Contains(text, want) || strings.Contains(text, "Go ") {
			t.Errorf("%s: status %d, %s", body, r.StatusCode, text)
		}
	}
}

// What a guest has said has the name of the node that passes it on as its identity, and the guest's beside it.
func TestRumorsOfGuests(t *testing.T) {
	for guest, want := range map[hearsay.NodeID]string{{7}: "10.0.0.8:6099", hearsay.AnyGuest: "a guest"} {
		v := newVillage()
		v.heard(1, 3, "tea", 1)
		e := &v.rumors[0]
		e.Rumor.Guest, e.Subject, e.Name = guest, guest, "10.0.0.8:6099"
		if r := web.RumorOf(e); r.Guest == nil || *r.Guest != guest || r.OriginName != want || r.Origin != v.members[1].ID {
			t.Errorf("of %v: %+v, want the name %q", guest, r, want)
		}
	}
}
