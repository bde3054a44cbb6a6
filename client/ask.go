package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"hearsay"
	"hearsay/web"
)

// Answer is what a node has answered.
type Answer[T any] struct {
	Value T
	JSON  []byte // as it came
}

// answerOf takes apart what was asked for.
func answerOf[T any](c *Client, body []byte, err error) (a Answer[T], _ error) {
	if err != nil {
		return a, err
	}
	a.JSON = body
	a.Value, err = Decode[T](c, body)
	return a, err
}

// get asks for what can be read.
func get[T any](ctx context.Context, c *Client, path string) (Answer[T], error) {
	body, err := c.get(ctx, path)
	return answerOf[T](c, body, err)
}

// Self tells what the node is.
func (c *Client) Self(ctx context.Context) (Answer[web.Self], error) {
	return get[web.Self](ctx, c, "/v1/self")
}

// Members lists the members, and those that were until they are forgotten.
func (c *Client) Members(ctx context.Context) (Answer[web.Members], error) {
	return get[web.Members](ctx, c, "/v1/members")
}

// Case tells why a member is held to be what it is. A name is a name, an id, or the beginning of an id.
func (c *Client) Case(ctx context.Context, name string) (Answer[hearsay.CaseFile], error) {
	return get[hearsay.CaseFile](ctx, c, "/v1/members/"+url.PathEscape(name)+"/case")
}

// Authority tells of the seeds, as the node sees them.
func (c *Client) Authority(ctx context.Context) (Answer[hearsay.Authority], error) {
	return get[hearsay.Authority](ctx, c, "/v1/authority")
}

// Stats gives the node's figures.
func (c *Client) Stats(ctx context.Context) (Answer[hearsay.Stats], error) {
	return get[hearsay.Stats](ctx, c, "/v1/stats")
}

// Topology tells which members pass rumors to which.
func (c *Client) Topology(ctx context.Context) (Answer[web.Topology], error) {
	return get[web.Topology](ctx, c, "/v1/topology")
}

// Ready asks a node whether it is ready. A node that is not says why as a [Problem].
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.get(ctx, "/readyz")
	return err
}

// Rumors lists what was said and the node still holds, the newest last: at most the last so many; 0 for all.
func (c *Client) Rumors(ctx context.Context, limit int) (Answer[web.Rumors], error) {
	path := "/v1/rumors"
	if limit > 0 {
		path += "?limit=" + strconv.Itoa(limit)
	}
	return get[web.Rumors](ctx, c, path)
}

// Say tells everybody in the network.
func (c *Client) Say(ctx context.Context, data []byte) (Answer[web.Said], error) {
	body, err := c.ask(ctx, answerTimeout, http.MethodPost, "/v1/rumors", saying(data))
	return answerOf[web.Said](c, body, err)
}

// saying gives the request that says data: as text where that is no longer.
func saying(data []byte) []byte {
	asData := encode(struct {
		Data []byte `json:"data"`
	}{data})
	if !utf8.Valid(data) {
		return asData
	}
	if asText := encode(map[string]string{"text": string(data)}); len(asText) <= len(asData) {
		return asText
	}
	return asData
}

// encode gives JSON of bytes and strings.
func encode(value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return text.Bytes()
}

// Ledger gives a page of what the seeds have ruled, from an epoch on; Next in it is where the next one begins,
// or 0. If it is to be fresh, a seed asks a quorum first whether anything is missing.
func (c *Client) Ledger(ctx context.Context, from hearsay.Epoch, fresh bool) (Answer[web.Ledger], error) {
	path := "/v1/ledger?from=" + strconv.FormatUint(uint64(from), 10)
	if fresh {
		path += "&fresh=1"
	}
	return get[web.Ledger](ctx, c, path)
}

// Remove opens a case against a member, which the seeds decide.
func (c *Client) Remove(ctx context.Context, name string) (Answer[web.Outcome], error) {
	body, err := c.ask(ctx, decideTimeout, http.MethodPost, "/v1/members/"+url.PathEscape(name)+"/remove", nil)
	return answerOf[web.Outcome](c, body, err)
}

// Bars lists the nodes that the seeds do not admit; fresh as for Ledger.
func (c *Client) Bars(ctx context.Context, fresh bool) (Answer[web.Bars], error) {
	path := "/v1/bars"
	if fresh {
		path += "?fresh=1"
	}
	return get[web.Bars](ctx, c, path)
}

// Bar has the seeds admit a node no more.
func (c *Client) Bar(ctx context.Context, name, why string) (Answer[web.Status], error) {
	body, err := c.ask(ctx, decideTimeout, http.MethodPost, "/v1/bars", encode(web.Barring{Name: name, Why: why}))
	return answerOf[web.Status](c, body, err)
}

// Lift ends a bar.
func (c *Client) Lift(ctx context.Context, name string) (Answer[web.Status], error) {
	body, err := c.ask(ctx, decideTimeout, http.MethodDelete, "/v1/bars/"+url.PathEscape(name), nil)
	return answerOf[web.Status](c, body, err)
}

// Leave has the node leave its network.
func (c *Client) Leave(ctx context.Context) (Answer[web.Status], error) {
	body, err := c.ask(ctx, answerTimeout, http.MethodPost, "/v1/leave", nil)
	return answerOf[web.Status](c, body, err)
}
