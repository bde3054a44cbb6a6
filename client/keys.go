package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"hearsay"
	"hearsay/web"
)

// Written is what a write has left: the context with which it can be replaced.
type Written struct {
	Context string `json:"context"`
}

// Values gives what the node holds of a key. That it is absent is a [Problem] with status 404.
func (c *Client) Values(ctx context.Context, key string) (Answer[web.Values], error) {
	return get[web.Values](ctx, c, web.KeyPath(key)+"?siblings=1")
}

// AwaitValues is Values as soon as the key has some. If it has none for so long, the answer is that it is absent.
func (c *Client) AwaitValues(ctx context.Context, key string, wait time.Duration) (a Answer[web.Values], err error) {
	for until := time.Now().Add(wait); ; {
		left := max(time.Millisecond, min(time.Until(until), answerTimeout/2))
		a, err = get[web.Values](ctx, c, web.KeyPath(key)+"?siblings=1&wait="+left.Round(time.Millisecond).String())
		p, is := errors.AsType[*Problem](err)
		if !is || p.Status != http.StatusNotFound || !time.Now().Before(until) {
			return a, err
		}
	}
}

// Put gives a key a value, for ever if ttl is 0. It replaces what a context names, as the node gives it, and with ""
// all that the node holds.
func (c *Client) Put(ctx context.Context, key string, value []byte, replaces string, ttl time.Duration) (Answer[Written], error) {
	path := web.KeyPath(key)
	if ttl > 0 {
		path += "?ttl=" + ttl.String()
	}
	return c.write(ctx, http.MethodPut, path, replaces, value)
}

// Delete takes a key's values away: those that a context names, or all.
func (c *Client) Delete(ctx context.Context, key, replaces string) (Answer[Written], error) {
	return c.write(ctx, http.MethodDelete, web.KeyPath(key), replaces, nil)
}

// write asks for a write, whose answer is in its header.
func (c *Client) write(ctx context.Context, method, path, replaces string, value []byte) (a Answer[Written], err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if replaces != "" {
		header.Set(web.HeaderContext, replaces)
	}
	answer, err := c.send(ctx, answerTimeout, method, path, header, value)
	if err != nil {
		return a, err
	}
	answer.Body.Close()
	a.Value.Context = answer.Header.Get(web.HeaderContext)
	a.JSON = encode(a.Value)
	return a, nil
}

// Keys lists at most limit keys with a prefix that come after one; Next in it is where the next page begins, or "".
func (c *Client) Keys(ctx context.Context, prefix, after string, limit int) (Answer[web.Keys], error) {
	query := url.Values{"prefix": {prefix}, "after": {after}, "limit": {strconv.Itoa(limit)}}
	return get[web.Keys](ctx, c, "/v1/kv?"+query.Encode())
}

// EachKey hands over all keys with a prefix, page by page, and gives a revision: what is watched from it on misses no
// change that was not handed over.
func (c *Client) EachKey(ctx context.Context, prefix string, do func(*hearsay.KeyInfo) error) (from hearsay.Revision, err error) {
	for after := ""; ; {
		page, err := c.Keys(ctx, prefix, after, keysOfPage)
		if err != nil {
			return from, err
		}
		if after == "" {
			from = page.Value.Revision
		}
		for i := range page.Value.Keys {
			if err := do(&page.Value.Keys[i]); err != nil {
				return from, err
			}
		}
		if after = page.Value.Next; after == "" {
			return from, nil
		}
	}
}

// keysOfPage is how many keys are asked for at a time.
const keysOfPage = 1000
