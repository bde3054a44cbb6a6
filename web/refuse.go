package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"hearsay"
	"hearsay/guest"
)

// problem is what was wrong with a request, as RFC 9457 has it told. The type
// stays about:blank: a problem here means what its status means, and its
// detail says what would be right.
type problem struct {
	status int
	detail string
}

func (p *problem) write(w http.ResponseWriter) {
	text, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(p.status), p.status, p.detail})
	if err != nil {
		panic(err) // three strings and a number
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.status)
	w.Write(hearsay.AppendPlain(nil, append(text, '\n'))) // the client may have gone
}

// unwritable is the problem of an answer that cannot be written as JSON, and logs it: a node does not make such.
func unwritable(w http.ResponseWriter, err error) *problem {
	if p, is := w.(*paced); is {
		p.log("An answer over HTTP cannot be written", err)
	}
	return &problem{http.StatusInternalServerError, "writing the answer as JSON: " + err.Error()}
}

func badRequest(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// problemOf translates what the node answered.
func problemOf(err error) *problem {
	for _, s := range statuses {
		if slices.ContainsFunc(s.errs, func(one error) bool { return errors.Is(err, one) }) {
			return &problem{s.status, err.Error()}
		}
	}
	return &problem{http.StatusServiceUnavailable, err.Error()} // it is stopping, or did not manage in time
}

// statuses are those of what a node refuses.
var statuses = []struct {
	status int
	errs   []error
}{
	{http.StatusBadRequest, []error{hearsay.ErrKey, hearsay.ErrWrite, hearsay.ErrContext, guest.ErrP4Reserved}},
	{http.StatusNotFound, []error{hearsay.ErrNotMember}},
	{http.StatusConflict, []error{
		hearsay.ErrAmbiguous, hearsay.ErrOut, hearsay.ErrUndecidable, hearsay.ErrSeedMute, hearsay.ErrGoesAway,
		hearsay.ErrSeedStore, hearsay.ErrUnseen, hearsay.ErrSiblings, hearsay.ErrWriters,
	}},
	{http.StatusPreconditionFailed, []error{hearsay.ErrKeyExists, hearsay.ErrKeyChanged}},
	{http.StatusRequestEntityTooLarge, []error{hearsay.ErrValueSize}},
	{http.StatusInsufficientStorage, []error{hearsay.ErrStoreFull, hearsay.ErrDiskFull}},
}

func notFound(w http.ResponseWriter, r *http.Request) {
	p := problem{http.StatusNotFound, fmt.Sprintf("there is nothing at %.100s; the API is under /v1/, the page is /", r.URL.Path)}
	p.write(w)
}

// methodNotAllowed answers at a path that knows only the allowed methods.
func methodNotAllowed(allowed []string) http.Handler {
	list := strings.Join(allowed, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", list)
		p := problem{http.StatusMethodNotAllowed, fmt.Sprintf("%.20s %.100s: want %s", r.Method, r.URL.Path, list)}
		p.write(w)
	})
}

// refuseParameters refuses every query parameter but those that the request
// takes, if it takes any: with spaces between them.
func refuseParameters(r *http.Request, takes string) *problem {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("the query %q: %v", r.URL.RawQuery, err)
	}
	for name := range query {
		if known := strings.Fields(takes); !slices.Contains(known, name) {
			return badRequest("unknown query parameter %q: %s %s takes %s", name, r.Method, r.URL.Path, cmp.Or(strings.Join(known, " and "), "none"))
		}
	}
	return nil
}

// body reads the JSON object that a request carries, if any. What it takes is
// told to clients that send something else.
func body[T any](w http.ResponseWriter, r *http.Request, takes string) (T, *problem) {
	text, p := bodyText(w, r, bodyLenMax)
	if p != nil || len(text) == 0 {
		var none T
		return none, p
	}
	return object[T](text, takes)
}

// bodyText reads the JSON text that a request carries, if any, of at most
// lenMax bytes.
func bodyText(w http.ResponseWriter, r *http.Request, lenMax int64) ([]byte, *problem) {
	text, p := bodyOf(w, r, lenMax)
	if p != nil || len(text) == 0 {
		return nil, p
	}
	kind := r.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
		return nil, &problem{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type %q: want application/json", kind)}
	}
	return text, nil
}

// bodyOf reads what a request carries, if anything, of at most lenMax bytes.
func bodyOf(w http.ResponseWriter, r *http.Request, lenMax int64) ([]byte, *problem) {
	text, err := bodyBytes(w, r, lenMax)
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return nil, &problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", tooLong.Limit)}
	}
	if err != nil {
		return nil, badRequest("the body %s; send it whole", bodyFault(r, len(text), err))
	}
	return text, nil
}

// bodyFault says what is wrong with a body of which so many bytes came.
func bodyFault(r *http.Request, came int, err error) string {
	announced := ""
	if r.ContentLength >= 0 {
		announced = fmt.Sprintf(", of %d that Content-Length says", r.ContentLength)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("did not come in time: only %d bytes%s", came, announced)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Sprintf("is cut off after %d bytes%s", came, announced)
	}
	return fmt.Sprintf("cannot be read after %d bytes: %v", came, err)
}

// object decodes the text of one JSON object.
func object[T any](text []byte, takes string) (T, *problem) {
	var value T
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		return value, badRequest("the body: %s; want one JSON object with %s", JSONFault(err), takes)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return value, badRequest("the body goes on after its JSON object")
	}
	return value, nil
}

// JSONFault says what a decoder found wrong with a JSON text, without speaking
// of types of this program.
func JSONFault(err error) string {
	wrong, is := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	case !is:
		return strings.TrimPrefix(err.Error(), "json: ")
	case wrong.Field == "":
		return "it is a JSON " + wrong.Value
	}
	return fmt.Sprintf("%q is a JSON %s", wrong.Field, wrong.Value)
}

// byAnyName are the paths at which a node answers under any name, as those that
// watch it use: they tell figures, and nothing can be written there.
var byAnyName = []string{"/metrics", "/healthz", "/readyz"}

// origins knows writes of pages of other sites.
var origins = http.NewCrossOriginProtection()

// fromElsewhere reports whether any request is one of a page of another site, as far as its browser says so.
func fromElsewhere(r *http.Request) bool {
	as := *r
	as.Method = http.MethodPost
	return origins.Check(&as) != nil
}

// refuseForeign keeps pages of other sites from reading and writing through the
// browser of a person who can reach this API. A page of another origin may not
// read what it asks for here, and when it writes it is known by its Origin or
// Sec-Fetch-Site. One that had its own name resolve to this address (DNS rebinding)
// has the right origin but a name that is not this node's.
func (a *api) refuseForeign(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !a.knownAs(host(r.Host)) && !slices.Contains(byAnyName, r.URL.Path):
			p := problem{http.StatusMisdirectedRequest, fmt.Sprintf("Host %.100q is no name of this node: want an IP address, %s; "+
				"start it with --http-host NAME (or $HEARSAY_HTTP_HOST, or http_host in its settings) if it is to have another name, too",
				r.Host, strings.Join(a.names(), ", "))}
			p.write(w)
		case origins.Check(r) != nil: // of reads it has nothing to say
			p := problem{http.StatusForbidden, fmt.Sprintf("a write from another site (Origin %.100q): only this node's own page and programs outside of a browser may write", r.Header.Get("Origin"))}
			p.write(w)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// names are those that this node has been given.
func (a *api) names() []string {
	names := []string{"localhost"}
	for _, name := range append([]string{a.info.Host, host(a.info.HTTP)}, a.info.Hosts...) {
		name = bare(name)
		if _, err := netip.ParseAddr(name); err != nil && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// bare gives a host name as it is compared: in small letters, without the dot at the
// end that an absolute name may have.
func bare(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// knownAs reports whether a name cannot have been chosen by another site: it is an
// address, one that browsers themselves resolve to loopback (RFC 6761, section 6.3),
// or given to this node.
func (a *api) knownAs(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	name = bare(name)
	return strings.HasSuffix(name, ".localhost") || slices.Contains(a.names(), name)
}
