// Package client asks a node over HTTP for its members, cases, rumors and rulings, and follows what
// happens there.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hearsay/web"
)

const (
	answerTimeout = 10 * time.Second // for one whole answer, streams apart
	// for one on which seeds decide: more than the 15 s after which a node gives up itself
	decideTimeout = 20 * time.Second
	connsKept     = 32       // connections that wait for the next request
	answerMax     = 64 << 20 // bytes of one answer: 5,000 members take about 1.5 MB
	problemMax    = 64 << 10 // bytes of a problem document
)

// Client asks one node. It is safe for concurrent use.
type Client struct {
	base string // URL without a slash at its end
	http *http.Client
}

// New makes the client of the node at a URL as ParseNode gives it.
func New(base string) *Client {
	return &Client{base: base, http: &http.Client{Transport: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: answerTimeout}).DialContext,
		ResponseHeaderTimeout: decideTimeout,
		MaxIdleConnsPerHost:   connsKept,
	}}}
}

// Base is the URL of the node, without a slash at its end.
func (c *Client) Base() string { return c.base }

// Close closes the connections on which nothing is asked.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ParseNode takes http://host:port, and host:port for short. A port alone is one of 127.0.0.1. An example
// stands in the error.
func ParseNode(node, example string) (base string, err error) {
	full := node
	if _, notNumber := strconv.ParseUint(node, 10, 64); notNumber == nil {
		if port, err := strconv.ParseUint(node, 10, 16); err != nil || port == 0 {
			return "", fmt.Errorf("node %q: want a port from 1 to 65535 of this machine, host:port, or a URL like %s", node, example)
		}
		full = ":" + node
	}
	if !strings.Contains(node, "://") {
		full = "http://" + full
	}
	parsed, err := url.Parse(full)
	if err == nil && parsed.Hostname() == "" && parsed.Port() != "" {
		parsed.Host = net.JoinHostPort("127.0.0.1", parsed.Port())
	}
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return "", fmt.Errorf("node %q: want a URL like %s, host:port, or a port of this machine", node, example)
	}
	return strings.TrimSuffix(parsed.String(), "/"), nil
}

// Reason is why a node gave no answer that is of use.
type Reason uint8

// The reasons.
const (
	Failed        Reason = iota // none of those below
	Refused                     // nobody listens there
	Silent                      // no answer in time
	Unresolved                  // the host's name does not resolve
	NotHTTP                     // what answers does not speak HTTP
	NotHearsay                  // what answers is no node
	NotUnderstood               // the answer is none of a node of this version
)

// Error is why a node gave no answer that is of use. What a node itself says to a request that it does not
// carry out is a [Problem].
type Error struct {
	Reason Reason
	err    error
}

func (e *Error) Error() string { return e.err.Error() }

// Unwrap gives what came from below.
func (e *Error) Unwrap() error { return e.err }

// Problem is what a node says to a request that it does not carry out (RFC 9457).
type Problem struct {
	Status int    `json:"-"` // of HTTP
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return strings.ToLower(p.Title)
}

// get gives the body of the answer to GET path.
func (c *Client) get(ctx context.Context, path string) ([]byte, error) {
	return c.ask(ctx, answerTimeout, http.MethodGet, path, nil)
}

// ask gives the body of the answer to a request with a JSON text, nil for none.
func (c *Client) ask(ctx context.Context, patience time.Duration, method, path string, text []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := c.send(ctx, patience, method, path, nil, text)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, answerMax+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	if len(body) > answerMax {
		return nil, fmt.Errorf("the answer of %s is longer than %d bytes", c.base, answerMax)
	}
	return body, nil
}

// send sends one request, with a JSON text if there is one; an answer that is no success comes back as error.
func (c *Client) send(ctx context.Context, patience time.Duration, method, path string, header http.Header, text []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(text) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	for key, values := range header {
		request.Header[key] = values
	}
	began := time.Now()
	answer, err := c.http.Do(request)
	if err != nil {
		waited := max(time.Since(began).Round(time.Millisecond), time.Millisecond)
		return nil, c.explain(err, min(waited, cmp.Or(patience, decideTimeout)))
	}
	if answer.StatusCode/100 != 2 {
		defer answer.Body.Close()
		return nil, problemOf(answer)
	}
	return answer, nil
}

// explain says in words of the user why no answer came in the time that was waited. The caller's own deadline may
// have come long before the patience of this package was over.
func (c *Client) explain(err error, waited time.Duration) *Error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Refused, fmt.Errorf("no node answers at %s: connection refused", c.base)}
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return &Error{Silent, fmt.Errorf("no answer from %s within %v", c.base, waited)}
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		return &Error{Unresolved, fmt.Errorf("ask %s: %s", c.base, unknown.Err)} // not the server that it asked
	}
	if notHTTP(err) {
		return &Error{NotHTTP, fmt.Errorf("ask %s: %w", c.base, err)}
	}
	return &Error{Failed, fmt.Errorf("ask %s: %w", c.base, err)}
}

// notHTTP reports whether something answered that does not speak HTTP, as the ports at which nodes gossip do.
// Package net/http has no error of its own for what it cannot read.
func notHTTP(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		strings.Contains(err.Error(), "malformed HTTP") || strings.Contains(err.Error(), "HTTP response to HTTPS client")
}

// problemOf makes an error of a problem document.
func problemOf(answer *http.Response) error {
	p := Problem{Status: answer.StatusCode}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, problemMax))
	if json.Unmarshal(body, &p) != nil || p.Title == "" {
		return &Error{NotHearsay, fmt.Errorf("%s answered %s", answer.Request.URL, answer.Status)}
	}
	return &p
}

// Decode takes apart what came from the node as JSON.
func Decode[T any](c *Client, text []byte) (value T, err error) {
	if err := json.Unmarshal(text, &value); err != nil {
		return value, &Error{NotUnderstood, fmt.Errorf("understand the answer of %s: %s", c.base, web.JSONFault(err))}
	}
	return value, nil
}
