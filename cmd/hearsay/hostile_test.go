package main

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"hearsay"
	"hearsay/web"
)

// hostile is text that moves a cursor, sets a title, turns the order of letters
// around, ends a line or hides, and is no UTF-8 at its end.
const hostile = "\x1b[2J\x1b]0;owned\a\r\b\x7f\u0085\u009b31m\u00ad\u061c\u200b\u200e\u2028\u2029\u202eevil\u2066\u2069\u3164\ufeff\U000e0041\xff"

// stuff sets all strings in a value to text, makes one item of each list and what
// each pointer points to, and leaves alone what has words of its own.
func stuff(v reflect.Value, text string) {
	if at := v.Addr().Interface(); v.Kind() != reflect.Struct || v.Type().PkgPath() == "time" {
		if _, words := at.(encoding.TextUnmarshaler); words {
			return
		}
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				stuff(v.Field(i), text)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		stuff(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		stuff(v.Index(0), text)
	}
}

// stuffed is a value as JSON, with text in all its strings.
func stuffed[T any](t *testing.T, text string) []byte {
	var value T
	stuff(reflect.ValueOf(&value).Elem(), text)
	switch v := any(&value).(type) {
	case *web.Members:
		v.Members[0].ID[0] = 1
	case *web.Outcome:
		v.Kind = hearsay.RulingRemove
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(&value); err != nil {
		t.Fatalf("%T: %v", value, err)
	}
	return out.Bytes()
}

// villain answers everything that a node can be asked with text in every string.
func villain(t *testing.T, text string) *httptest.Server {
	mux := http.NewServeMux()
	give := func(path string, body []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(body)
		})
	}
	give("GET /v1/self", stuffed[web.Self](t, text))
	give("GET /v1/members", stuffed[web.Members](t, text))
	give("GET /v1/members/{name}/case", stuffed[hearsay.CaseFile](t, text))
	give("POST /v1/members/{name}/remove", stuffed[web.Outcome](t, text))
	give("GET /v1/authority", stuffed[hearsay.Authority](t, text))
	give("GET /v1/ledger", stuffed[web.Ledger](t, text))
	give("GET /v1/bars", stuffed[web.Bars](t, text))
	give("POST /v1/bars", stuffed[struct{ Status, Why string }](t, text))
	give("DELETE /v1/bars/{name}", stuffed[struct{ Status, Why string }](t, text))
	give("GET /v1/rumors", stuffed[web.Rumors](t, text))
	give("POST /v1/rumors", stuffed[web.Said](t, text))
	give("GET /v1/topology", stuffed[web.Topology](t, text))
	give("GET /v1/stats", stuffed[hearsay.Stats](t, text))
	give("POST /v1/leave", stuffed[struct{ Status string }](t, text))
	event := hearsay.Event{
		At: time.Unix(1e9, 0), Kind: hearsay.EventRumor, Name: text, ByName: text, Text: text, Ballot: &hearsay.Ballot{Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}},
		Rumor: &hearsay.Rumor{Data: []byte(text)},
	}
	line, err := json.Marshal(&event)
	if err != nil {
		t.Fatal(err)
	}
	give("GET /v1/events", fmt.Appendf(nil, "id: %s\ndata: %s\n\n: told\n\nevent: %s\ndata: %s\n\n", "1", line, "x\u202e", "x\u009b"))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// wantPlain wants output that does nothing to a terminal, and of --json lines of JSON.
func wantPlain(t *testing.T, args []string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(args, &stdout, &stderr)
	for name, text := range map[string]string{"output": stdout.String(), "error": stderr.String()} {
		if !utf8.ValidString(text) {
			t.Errorf("%q: %s is no UTF-8: %q", args, name, text)
		}
		for _, r := range text {
			if !hearsay.IsPlain(r) && r != '\n' && r != '\t' && r != utf8.RuneError {
				t.Errorf("%q: %s has %U: %q", args, name, r, text)
				break
			}
		}
	}
	if code != exitDone && strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("%q: an error of several lines: %q", args, stderr.String())
	}
	if args[len(args)-1] != "--json" || code != exitDone {
		return
	}
	for line := range strings.Lines(stdout.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("%q: no line of JSON: %q", args, line)
		}
	}
}

// clientCommands are all that ask a node.
var clientCommands = [][]string{
	{"members"},
	{"status"},
	{"topology"},
	{"rumors"},
	{"events"},
	{"why", "bob"},
	{"leave"},
	{"say", "hello"},
	{"put", "k", "v"},
	{"get", "k", "--siblings"},
	{"del", "k"},
	{"keys"},
	{"ledger"},
	{"remove", "bob"},
	{"bar", "bob"},
	{"bar", "--list"},
	{"bar", "--lift", "bob"},
}

// askAll runs all client commands at a node.
func askAll(t *testing.T, node string) {
	t.Helper()
	for _, command := range clientCommands {
		wantPlain(t, append(command[:len(command):len(command)], "--node", node))
		wantPlain(t, append(command[:len(command):len(command)], "--node", node, "--json"))
	}
}

func TestHostileAnswers(t *testing.T) {
	askAll(t, villain(t, hostile).URL)
	const texts = 40
	random := rand.New(rand.NewPCG(1, 2))
	for range texts {
		var text []byte
		for range random.IntN(24) {
			switch random.IntN(4) {
			case 0:
				text = append(text, byte(random.Uint32())) // mostly no UTF-8
			case 1:
				text = utf8.AppendRune(text, rune(random.IntN(unicode.MaxRune+1)))
			case 2:
				text = utf8.AppendRune(text, rune(0x2000+random.IntN(0x70))) // what turns, hides and separates
			default:
				text = append(text, "\x1b[\"\\\n\t\r;{}<&%s"[random.IntN(14)])
			}
		}
		askAll(t, villain(t, string(text)).URL)
	}
}

// TestHostileProblems has all commands refused, or answered by what is no node.
func TestHostileProblems(t *testing.T) {
	document, err := json.Marshal(map[string]any{"type": "about:blank", "title": hostile, "status": 409, "detail": hostile})
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"problem": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			w.Write(document)
		},
		"nonsense": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, hostile)
		},
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, hostile) },
		"JSON by name": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "{\"members\": \"\u202e\", \"a\u009b\": 1}")
		},
		"spaced JSON": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{\r\n\"a\"\r:\t1}\r") },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/\u202e\u009b")
			w.WriteHeader(http.StatusFound)
		},
		"status": func(w http.ResponseWriter, _ *http.Request) {
			conn, out, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprint(out, "HTTP/1.1 500 \x1b[2J\u202e\u009b\r\n\r\n")
				out.Flush()
				conn.Close()
			}
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			conn, out, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprint(out, hostile)
				out.Flush()
				conn.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			askAll(t, server.URL)
		})
	}
}

// TestHostileWords says hostile things on the command line and in files.
func TestHostileWords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	for _, text := range []string{hostile, "[" + hostile + "]", "{\"" + hostile + "\":1}", "name = \"\u202e\"", "127.0.0.1,\u202e", "at 1s kill \u202e"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"settings", "check", file},
			{"ledger", "verify", file},
			{"peer", "--settings", file},
			{"peer", "--config", file},
			{"sim", "run", "--scenario", file},
			{text},
			{"help", text},
			{"why", text},
			{"remove", text},
			{"bar", text},
			{"bar", "bob", "--why", text},
			{"members", "--node", text},
			{"members", "--" + text},
			{"sim", "run", "--nodes", text},
			{"sim", "campaign", "--plant", text},
			{"sim", "attack", text},
			{"peer", "--name", text},
			{"peer", "--join", text},
			{"peer", "--ip", text},
			{"peer", "--http", text},
			{"peer", "--http-host", text},
			{"peer", "--overlay", text},
			{"peer", "--data", file + "/" + "\u202e"},
			{"peer", "--http", "off", "--output", "/\u202e/x"},
		} {
			wantPlain(t, args)
		}
	}
}

// TestLinesOfOthers: a node's answer has as many lines on the terminal as it has things to
// tell, whatever text is in it.
func TestLinesOfOthers(t *testing.T) {
	lines := func(node string, command []string) (n int, all string) {
		var stdout, stderr bytes.Buffer
		run(append(command[:len(command):len(command)], "--node", node), &stdout, &stderr)
		return strings.Count(stdout.String(), "\n"), stdout.String()
	}
	harmless, forged := villain(t, "one"), villain(t, "one\n12:00:00.000  bob  #1  said here  forged\r\n\t\u2028\u0085two")
	for _, command := range clientCommands {
		want, _ := lines(harmless.URL, command)
		if got, text := lines(forged.URL, command); got != want {
			t.Errorf("%q: %d lines, want %d: %q", command, got, want, text)
		}
	}
}
