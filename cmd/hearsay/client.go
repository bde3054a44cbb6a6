package main

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

	"github.com/spf13/cobra"

	"hearsay/web"
)

const (
	defaultNode = "http://127.0.0.1:9001"
	nodeEnv     = "HEARSAY_NODE"

	answerTimeout = 10 * time.Second // for one whole answer, streams apart
	answerMax     = 64 << 20         // bytes of one answer: 5,000 members take about 1.5 MB
	problemMax    = 64 << 10         // bytes of a problem document
)

// asking is what every command takes that asks a node.
type asking struct {
	node string // URL; "" for the environment's, or the default
	json bool
}

// addFlags gives cmd the flags of asking.
func (a *asking) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.node, "node", "", "the node to ask, as URL, host:port or port of 127.0.0.1 (default $"+nodeEnv+" or "+defaultNode+")")
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON")
}

// client makes the client for the node that was named.
func (a *asking) client(cmd *cobra.Command) (*client, error) {
	node := a.node
	if node == "" {
		node = os.Getenv(nodeEnv)
	}
	if node == "" {
		node = defaultNode
	}
	base, err := parseNode(node)
	if err != nil {
		return nil, wrongUsage(cmd, err)
	}
	return newClient(base), nil
}

// parseNode takes http://host:port, and host:port for short. A port alone is one
// of 127.0.0.1, as for --http.
func parseNode(node string) (string, error) {
	full := node
	if _, notNumber := strconv.ParseUint(node, 10, 64); notNumber == nil {
		if port, err := strconv.ParseUint(node, 10, 16); err != nil || port == 0 {
			return "", fmt.Errorf("node %q: want a port from 1 to 65535 of this machine, host:port, or a URL like %s", node, defaultNode)
		}
		full = ":" + node
	}
	if !strings.Contains(node, "://") {
		full = "http://" + full
	}
	base, err := url.Parse(full)
	if err == nil && base.Hostname() == "" && base.Port() != "" {
		base.Host = net.JoinHostPort("127.0.0.1", base.Port())
	}
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return "", fmt.Errorf("node %q: want a URL like %s, host:port, or a port of this machine", node, defaultNode)
	}
	return strings.TrimSuffix(base.String(), "/"), nil
}

// client asks one node over HTTP.
type client struct {
	base     string // URL without a slash at its end
	http     *http.Client
	patience time.Duration // for one whole answer, streams apart; 0 for answerTimeout
}

func newClient(base string) *client {
	return &client{base: base, http: &http.Client{Transport: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: answerTimeout}).DialContext,
		ResponseHeaderTimeout: max(answerTimeout, decideTimeout),
	}}}
}

// get gives the body of the answer to GET path.
func (c *client) get(ctx context.Context, path string) ([]byte, error) {
	return c.ask(ctx, http.MethodGet, path, nil)
}

// post gives the body of the answer to POST path with a JSON text, nil for
// none.
func (c *client) post(ctx context.Context, path string, text []byte) ([]byte, error) {
	return c.ask(ctx, http.MethodPost, path, text)
}

// ask gives the body of the answer to a request.
func (c *client) ask(ctx context.Context, method, path string, text []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.patience, answerTimeout))
	defer cancel()
	answer, err := c.send(ctx, method, path, nil, text)
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

// send sends one request, with a JSON text if there is one; an answer that is
// no success comes back as error.
func (c *client) send(ctx context.Context, method, path string, header http.Header, text []byte) (*http.Response, error) {
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
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.explain(err)
	}
	if answer.StatusCode/100 != 2 {
		defer answer.Body.Close()
		return nil, problem(answer)
	}
	return answer, nil
}

// explain says in words of the user why no answer came.
func (c *client) explain(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return hintedError{
			fmt.Errorf("no node answers at %s: connection refused", c.base),
			`start a network with "hearsay up", or name a node with --node`,
		}
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return hintedError{
			fmt.Errorf("no answer from %s within %v", c.base, cmp.Or(c.patience, answerTimeout)),
			"the process may be stopped or starved",
		}
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		return hintedError{ // without whom it asked
			fmt.Errorf("ask %s: %s", c.base, unknown.Err),
			"--node takes a URL like " + defaultNode + ", host:port, or a port of this machine",
		}
	}
	if noHTTP(err) {
		return hintedError{
			fmt.Errorf("ask %s: %w", c.base, err),
			`this is no --http address: --node wants the one at which the node serves its page, "up" prints it as PAGE`,
		}
	}
	return fmt.Errorf("ask %s: %w", c.base, err)
}

// noHTTP reports whether something answered that does not speak HTTP, as the
// ports at which nodes gossip do. Package net/http has no error of its own for
// what it cannot read.
func noHTTP(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		strings.Contains(err.Error(), "malformed HTTP") || strings.Contains(err.Error(), "HTTP response to HTTPS client")
}

// problem makes an error of a problem document (RFC 9457).
func problem(answer *http.Response) error {
	var document struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, problemMax))
	if json.Unmarshal(body, &document) != nil || document.Title == "" {
		return hintedError{
			fmt.Errorf("%s answered %s", answer.Request.URL, answer.Status),
			"is this a node of Hearsay?",
		}
	}
	if document.Detail != "" {
		return errors.New(document.Detail)
	}
	return errors.New(strings.ToLower(document.Title))
}

// getJSON asks for path and decodes the answer.
func getJSON[T any](ctx context.Context, c *client, path string) (T, error) {
	body, err := c.get(ctx, path)
	if err != nil {
		var none T
		return none, err
	}
	return decode[T](c, body)
}

// decode takes apart an answer of c.
func decode[T any](c *client, body []byte) (T, error) {
	var value T
	if err := json.Unmarshal(body, &value); err != nil {
		return value, hintedError{
			fmt.Errorf("understand the answer of %s: %s", c.base, web.JSONFault(err)),
			"is this a node of Hearsay, of this version?",
		}
	}
	return value, nil
}
