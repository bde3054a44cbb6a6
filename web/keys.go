package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearsay"
	"hearsay/guest"
)

// Limits of the store over HTTP.
const (
	keysDefault  = 1000 // keys of a list whose request names no limit
	keysMax      = 10000
	writeTimeout = 10 * time.Second // for what is written to be durable
	newerMax     = time.Minute      // to wait for a value
)

// The headers of the store.
const (
	HeaderContext  = "Hearsay-Context"  // what was read, or just written: see hearsay.Context
	HeaderSiblings = "Hearsay-Siblings" // how many values the key has
)

const kvPath = "/v1/kv/"

// KeyPath gives the path of a key: every character that means something in a path is escaped, dots too, as ".." does.
func KeyPath(key string) string {
	return kvPath + strings.ReplaceAll(url.PathEscape(key), ".", "%2E")
}

// keysAsTheyAre has the mux take what follows /v1/kv/ as one key, whatever slashes and dots are in it. It would
// redirect to another key.
func keysAsTheyAre(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.EscapedPath(), kvPath) {
			as, at := *r, *r.URL
			at.RawPath, as.URL = KeyPath(at.Path[len(kvPath):]), &at
			r = &as
		}
		mux.ServeHTTP(w, r)
	})
}

// setVersion says in which version a key is.
func setVersion(w http.ResponseWriter, context hearsay.Context) {
	w.Header().Set(HeaderContext, context.String())
	w.Header().Set("ETag", strconv.Quote(context.String()))
}

// getKey gives the winner's bytes as they are, or with siblings=1 all values as JSON. That a key is absent has a
// context, too: a write with it replaces nothing. With wait= it waits until the key is newer than a context or an
// ETag says, or without these until it has a value.
func (a *api) getKey(w http.ResponseWriter, r *http.Request) *problem {
	siblings, p := oneParameter(r, "siblings")
	if p != nil {
		return p
	}
	if siblings != "1" && r.URL.Query().Has("siblings") {
		return badRequest("siblings %q: want siblings=1, or none", siblings)
	}
	stored, same, p := a.stored(w, r)
	if p != nil {
		return p
	}
	setVersion(w, stored.Context)
	w.Header().Set(HeaderSiblings, strconv.Itoa(len(stored.Siblings)))
	value, is := stored.Value()
	switch {
	case same, is && matches(r.Header.Values("If-None-Match"), w.Header().Get("ETag")):
		w.WriteHeader(http.StatusNotModified)
		return nil
	case !is:
		return &problem{http.StatusNotFound, fmt.Sprintf("key %.64q has no value at this node", stored.Key)}
	}
	return w.(*paced).large(&a.answers, r, func() *problem {
		if siblings == "1" {
			l := beginList(w, valuesHead{stored.Key, stored.Context}, "siblings")
			for i := range stored.Siblings {
				one, value := stored.Siblings[i], []byte(nil)
				if len(one.Value) > pieceLen {
					value, one.Value = one.Value, hole
				}
				if !addFilled(l, &one, value) {
					return nil
				}
			}
			endList(l, noFields{})
			return nil
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(value)))
		w.WriteHeader(http.StatusOK)
		w.Write(value) // the client may have gone
		return nil
	})
}

// matches reports whether one of the ETags of an If-None-Match is this one (RFC 9110, section 13.1.2).
func matches(header []string, etag string) bool {
	for _, tag := range strings.Split(strings.Join(header, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

// stored gives what the node holds of the key that a request names. If it has waited in vain for more than the
// client has, that is the same.
func (a *api) stored(w http.ResponseWriter, r *http.Request) (stored hearsay.Stored, same bool, p *problem) {
	key, err := r.PathValue("key"), error(nil)
	if !r.URL.Query().Has("wait") {
		if stored, err = a.backend.Get(key); err != nil {
			p = problemOf(err)
		}
		return stored, false, p
	}
	text, p := oneParameter(r, "wait")
	if p != nil {
		return stored, false, p
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < time.Millisecond || wait > newerMax {
		return stored, false, badRequest("wait %.100q: want a duration from 1ms to %v, as in 30s", text, newerMax)
	}
	known, p := knownOf(r)
	if p != nil {
		return stored, false, p
	}
	s, leave, p := a.open(&a.watches, w, r)
	if p != nil {
		return stored, false, p
	}
	defer leave()
	s.w.control.SetReadDeadline(time.Time{}) // as for streams
	ctx, cancel := context.WithTimeout(s.ctx, wait)
	defer cancel()
	stored, err = a.backend.GetNewer(ctx, key, known)
	s.w.control.SetWriteDeadline(time.Now().Add(chunkTimeout)) // the server's began with the request
	switch {
	case err == nil:
		return stored, false, nil
	case ctx.Err() != nil:
		return stored, known != nil, nil
	}
	return stored, false, problemOf(err)
}

// knownOf gives the context of what a client has that waits for more; nil: nothing.
func knownOf(r *http.Request) (known hearsay.Context, p *problem) {
	contexts, tags := r.Header.Values(HeaderContext), r.Header.Values("If-None-Match")
	text := strings.Join(contexts, ",")
	switch {
	case len(contexts)+len(tags) > 1:
		return nil, badRequest("%s, If-None-Match: to wait for more, want one of them, once", HeaderContext)
	case len(contexts)+len(tags) == 0:
		return nil, nil
	case len(tags) > 0:
		if text, p = contextOf("If-None-Match", tags[0]); p != nil {
			return nil, p
		}
	}
	if err := known.UnmarshalText([]byte(text)); err != nil {
		return nil, problemOf(err)
	}
	return known, nil
}

// contextOf gives the context's text in an ETag.
func contextOf(name, etag string) (string, *problem) {
	text := strings.TrimSuffix(strings.TrimPrefix(etag, `"`), `"`)
	if strconv.Quote(text) != etag {
		return "", badRequest("%s %.100q: want one ETag, in its quotes, as it was read", name, etag)
	}
	return text, nil
}

// putKey writes the body as the key's value; deleteKey takes its values away. The answer comes when that is durable, as
// far as the node keeps anything, and names what was written: a write with its context replaces that and nothing else.
func (a *api) putKey(w http.ResponseWriter, r *http.Request) *problem {
	value, err := bodyBytes(w, r, hearsay.MaxValue)
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return &problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is too long: %v", hearsay.ErrValueSize)}
	}
	if err != nil {
		return badRequest("the body %s; nothing was written: send it whole", bodyFault(r, len(value), err))
	}
	write, p := writeOf(r)
	if p != nil {
		return p
	}
	write.Value = value
	ttl, p := oneParameter(r, "ttl")
	if p == nil && r.URL.Query().Has("ttl") {
		if write.TTL, err = time.ParseDuration(ttl); err != nil || write.TTL < time.Millisecond {
			p = badRequest("ttl %q: want a duration of a millisecond or more, as in 30s or 12h", ttl)
		}
	}
	if p != nil {
		return p
	}
	return a.write(w, r, write)
}

func (a *api) deleteKey(w http.ResponseWriter, r *http.Request) *problem {
	if n, err := io.Copy(io.Discard, r.Body); n > 0 || err != nil {
		return badRequest("a delete has no body")
	}
	write, p := writeOf(r)
	if p != nil {
		return p
	}
	write.Delete = true
	return a.write(w, r, write)
}

// write writes even if the client does not wait for the answer: it has sent the whole.
func (a *api) write(w http.ResponseWriter, r *http.Request, write hearsay.Write) *problem {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), writeTimeout)
	defer cancel()
	contexts, err := a.backend.Write(ctx, write)
	if err != nil {
		return problemOf(err)
	}
	setVersion(w, contexts[0])
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// writeOf gives the write that a request asks for, but for its value: its key, and what it may replace.
func writeOf(r *http.Request) (write hearsay.Write, p *problem) {
	write.Key = r.PathValue("key")
	if p := refuseReserved(write.Key); p != nil {
		return write, p
	}
	given := ""
	for _, name := range []string{HeaderContext, "If-Match", "If-None-Match"} {
		values := r.Header.Values(name)
		if len(values) == 0 {
			continue
		}
		if len(values) > 1 || given != "" {
			return write, badRequest("%s, If-Match and If-None-Match: want one of them, once", HeaderContext)
		}
		given = values[0]
		text := given
		switch name {
		case "If-None-Match":
			if write.If = hearsay.IfAbsent; given != "*" {
				return write, badRequest("If-None-Match %.100q: want *, which writes only where the key has no value", given)
			}
			continue
		case "If-Match":
			write.If = hearsay.IfUnchanged
			if text, p = contextOf(name, given); p != nil {
				return write, p
			}
		}
		if err := write.Context.UnmarshalText([]byte(text)); err != nil {
			return write, problemOf(err)
		}
	}
	return write, nil
}

// oneParameter gives a parameter that stands at most once in the query.
func oneParameter(r *http.Request, name string) (string, *problem) {
	values := r.URL.Query()[name]
	if len(values) > 1 {
		return "", badRequest("%s: want it once", name)
	}
	return strings.Join(values, ""), nil
}

// getKeys lists keys in the order of their bytes.
func (a *api) getKeys(w http.ResponseWriter, r *http.Request) *problem {
	prefix, p := oneParameter(r, "prefix")
	after, wrong := oneParameter(r, "after")
	limit := keysDefault
	if p == nil && wrong == nil && r.URL.Query().Has("limit") {
		limit, p = limitOf(r, keysMax)
	}
	if p != nil || wrong != nil {
		return cmp.Or(p, wrong)
	}
	head := keysHead{a.backend.Revision()} // before the list, which may be newer
	keys, err := a.keys(prefix, after, limit+1)
	if err != nil {
		return problemOf(err)
	}
	var tail keysTail
	if len(keys) > limit {
		keys = keys[:limit]
		tail.Next = keys[limit-1].Key
	}
	l := beginList(w, head, "keys")
	for i := range keys {
		if !addItem(l, &keys[i]) {
			return nil
		}
	}
	endList(l, tail)
	return nil
}

// keys gives keys without those of the nodes themselves, unless it is asked for these.
func (a *api) keys(prefix, after string, limit int) ([]hearsay.KeyInfo, error) {
	keys, err := a.backend.Keys(prefix, after, limit)
	of := slices.IndexFunc(keys, func(k hearsay.KeyInfo) bool { return guest.P4IsReserved(k.Key) })
	if err != nil || of < 0 || guest.P4IsReserved(prefix) {
		return keys, err
	}
	rest, err := a.backend.Keys(prefix, guest.P4End, limit-of)
	return append(keys[:of], rest...), err
}
