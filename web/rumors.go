package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hearsay"
)

// Limits of rumors over HTTP.
const (
	rumorsMax  = 1 << 14          // in one answer: as many as a node holds by default
	sayTimeout = 10 * time.Second // for what is said to be durable

	// A body holds the largest rumor in base64, and the object around it. A
	// text may take more room as JSON than in base64, where many of its
	// characters are escaped.
	sayBodyMax = (hearsay.MaxRumorData+2)/3*4 + 64
)

// sayTakes is what a rumor is said by.
const sayTakes = `"text", a string, or "data", bytes in base64`

// rumorToSay is the body of POST /v1/rumors.
type rumorToSay struct {
	Text *string `json:"text"`
	Data *string `json:"data"`
}

// postRumor says a rumor. The answer comes when it is durable, as far as the
// node keeps anything. A seed refuses it: nobody would hear it.
func (a *api) postRumor(w http.ResponseWriter, r *http.Request) *problem {
	text, p := bodyText(w, r, sayBodyMax)
	if p != nil {
		if p.status == http.StatusRequestEntityTooLarge {
			p.detail += "; a rumor carries 1 to 65536 bytes; what is long as JSON is short as \"data\", in base64"
		}
		return p
	}
	if a.backend.Self().Role == hearsay.RoleSeed {
		return &problem{http.StatusConflict, hearsay.ErrSeedMute.Error()}
	}
	if len(text) == 0 {
		return badRequest("the request has no body: want one JSON object with %s", sayTakes)
	}
	say, p := object[rumorToSay](text, sayTakes)
	if p != nil {
		return p
	}
	data, p := say.payload(text)
	if p != nil {
		return p
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), sayTimeout)
	defer cancel()
	id, err := a.backend.Broadcast(ctx, data)
	if err != nil {
		return problemOf(err)
	}
	return answer(w, http.StatusOK, Said{RumorID{hearsay.NodeID(id.Origin), id.Counter}})
}

// payload gives the bytes to say, given the body in which they came.
func (s *rumorToSay) payload(body []byte) (data []byte, p *problem) {
	switch {
	case s.Text != nil && s.Data != nil:
		return nil, badRequest(`"text" and "data": want one of them`)
	case s.Text != nil:
		if !Faithful(body, *s.Text) {
			return nil, badRequest(`"text": it is not Unicode: bytes that are no UTF-8, or half of a surrogate pair; say bytes as "data", in base64`)
		}
		data = []byte(*s.Text)
	case s.Data != nil:
		var err error
		if data, err = base64.StdEncoding.Strict().DecodeString(*s.Data); err != nil {
			return nil, badRequest(`"data": %v; want base64 (RFC 4648, section 4) with its padding`, err)
		}
	default:
		return nil, badRequest("nothing to say: want %s", sayTakes)
	}
	if err := hearsay.CheckRumorData(data); len(data) > 0 && errors.Is(err, hearsay.ErrRumorSize) {
		return nil, &problem{http.StatusRequestEntityTooLarge, err.Error()}
	} else if err != nil {
		return nil, badRequest("%v", err)
	}
	return data, nil
}

// Faithful reports whether a text is what stood in a body of JSON. The JSON decoder
// puts U+FFFD for what it cannot understand.
func Faithful(body []byte, text string) bool {
	const (
		replacement = string(utf8.RuneError)
		escaped     = `\ufffd`
	)
	if !utf8.Valid(body) {
		return false
	}
	meant := bytes.Count(body, []byte(replacement)) + strings.Count(strings.ToLower(string(body)), escaped)
	return strings.Count(text, replacement) <= meant
}

func (a *api) getRumors(w http.ResponseWriter, r *http.Request) *problem {
	if a.backend.Self().Role == hearsay.RoleSeed {
		return &problem{http.StatusConflict, hearsay.ErrSeedMute.Error()}
	}
	limit := rumorsMax
	if r.URL.Query().Has("limit") {
		var p *problem
		if limit, p = limitOf(r, rumorsMax); p != nil {
			return p
		}
	}
	l := beginList(w, noFields{}, "rumors")
	for e := range a.backend.EachRumor(limit) {
		if !addItem(l, RumorOf(&e)) {
			return nil
		}
	}
	endList(l, noFields{})
	return nil
}

// limitOf gives the limit that a query names.
func limitOf(r *http.Request, most int) (int, *problem) {
	values := r.URL.Query()["limit"]
	n, err := strconv.Atoi(strings.Join(values, ", "))
	if err != nil || n < 1 || n > most {
		return 0, badRequest("limit %q: want one number from 1 to %d", strings.Join(values, ", "), most)
	}
	return n, nil
}

// anyGuest is what a guest is called of which it is not known which it is.
const anyGuest = "a guest"

// RumorOf gives a rumor as the API tells it, of the event with which it came.
func RumorOf(e *hearsay.Event) Rumor {
	r := Rumor{
		RumorID: RumorID{e.Rumor.Origin(), e.Rumor.ID.Counter}, OriginName: e.Name,
		At: e.At, From: e.By, FromName: e.ByName, Hops: e.Count,
	}
	if !e.Rumor.Guest.IsZero() {
		r.Guest = &e.Rumor.Guest
	}
	if e.Rumor.Guest == hearsay.AnyGuest {
		r.OriginName = anyGuest
	}
	if utf8.Valid(e.Rumor.Data) {
		text := string(e.Rumor.Data)
		r.Text = &text
	} else {
		r.Data = e.Rumor.Data
	}
	return r
}

// getTopology gives the living, and the links between them. Both ends of a
// link are among the nodes, also if a member has come or gone meanwhile.
func (a *api) getTopology(w http.ResponseWriter, _ *http.Request) *problem {
	links := a.backend.Topology()
	living := make(map[hearsay.NodeID]bool)
	l := beginList(w, noFields{}, "nodes")
	for _, m := range a.backend.Members() {
		if !m.State.Living() {
			continue
		}
		living[m.ID] = true
		if !addItem(l, TopologyNode{m.ID, m.Name, m.Role, m.State}) {
			return nil
		}
	}
	nextList(l, "links")
	for _, link := range links {
		if living[link.A] && living[link.B] && !addItem(l, link) {
			return nil
		}
	}
	endList(l, noFields{})
	return nil
}
