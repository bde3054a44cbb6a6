package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/client"
	"hearsay/internal/userfile"
	"hearsay/nodelog"
	"hearsay/web"
)

const (
	// requests that are under way, each of one key: they share the node's writes to its disk
	kvAtOnce = 32
	// bytes of a line: each byte of a key may be escaped
	kvLineMax  = 6*hearsay.MaxKey + (hearsay.MaxValue+2)/3*4 + 1024
	kvTellEach = 100 * time.Millisecond // a terminal is told how far it is
)

// kvLine is one key in a file. More says that another line follows, so that a file that was cut off is known; a file
// that was written by hand need not say it.
type kvLine struct {
	Key     string     `json:"key"`
	Value   []byte     `json:"value"`
	Expires *time.Time `json:"expires,omitempty"`
	More    bool       `json:"more,omitempty"`

	number int // of the line
}

func newKV() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kv",
		Short: "Save keys of the store in a file, or write them from one",
		Args:  cobra.ArbitraryArgs, // so that an unknown command reaches RunE
		RunE:  group,
	}
	cmd.AddCommand(newKVExport(), newKVImport())
	return cmd
}

func newKVExport() *cobra.Command {
	var prefix string
	cmd := askingCommand(&cobra.Command{
		Use:   "export FILE",
		Short: "Save the keys of the store and their values in a file",
		Long: `Write all keys that a node holds, or those that begin with --prefix, and their values, to FILE, - for standard
output: one JSON object a line, {"key":…,"value":…}, values in base64, "expires" of those that end, and "more" where
another line follows. FILE is there once it is whole. Of a key with several values it has the winner. What is
written meanwhile may be in it, or not. Seeds hold no store: ask a peer. With --json, and a FILE, it prints how many
were saved.`,
		Args: oneFile,
	}, func(a *asking, args []string) error {
		if err := hearsay.CheckKey(prefix); prefix != "" && err != nil {
			return wrongUsage(a.Command, fmt.Errorf("--prefix %.64q: want the beginning of keys, up to 1024 bytes of UTF-8", prefix))
		}
		ctx, stop := untilInterrupted(a.Command)
		defer stop()
		if err := a.exportKeys(ctx, args[0], prefix); err != nil {
			return fmt.Errorf("kv export %w", err)
		}
		return nil
	})
	cmd.Flags().StringVar(&prefix, "prefix", "", "keys that begin so (default all)")
	return cmd
}

// exportKeys writes what is exported: to a file beside FILE, which takes its place at the end.
func (a *asking) exportKeys(ctx context.Context, path, prefix string) error {
	e := exporter{asking: a, told: newTold(a.ErrOrStderr())}
	info, err := os.Stat(path)
	switch plain := err != nil || info.Mode().IsRegular(); {
	case path == "-":
		out := a.OutOrStdout()
		if raw := nodelog.Terminal(out); !nodelog.IsTerminal(raw) {
			out = raw
		}
		err = e.write(ctx, out, prefix)
	case plain:
		var file *os.File
		file, err = os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: there is no such directory", path)
		}
		if err != nil {
			return userfile.Error(path, err)
		}
		defer os.Remove(file.Name())
		err = e.write(ctx, file, prefix)
		if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
			err = os.Rename(file.Name(), path)
		}
	default: // a pipe, or a device
		var file io.WriteCloser
		if file, err = userfile.Append(path); err != nil {
			return err
		}
		err = errors.Join(e.write(ctx, file, prefix), file.Close())
	}
	e.told.end()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if a.json && path != "-" { // on standard output is what is saved, which is JSON
		_, err = io.WriteString(a.OutOrStdout(), jsonLine(e.exported))
		return err
	}
	fmt.Fprintf(a.ErrOrStderr(), "saved %s\n", counted(e.Saved, "key", "keys"))
	if e.Several > 0 {
		fmt.Fprintf(a.ErrOrStderr(), "%s had several values: the winner is saved\n", counted(e.Several, "key", "keys"))
	}
	return nil
}

// exporter writes keys and values, a page of keys at a time.
type exporter struct {
	*asking
	told *told
	out  *bufio.Writer
	last *kvLine // the next one decides whether more follow
	exported
}

// exported is what has come of an export: keys, and of these those with several values, of which the winner is saved.
type exported struct {
	Saved   int `json:"saved"`
	Several int `json:"several"`
}

func (e *exporter) write(ctx context.Context, out io.Writer, prefix string) error {
	e.out = bufio.NewWriter(out)
	var page []string
	each := func(k *hearsay.KeyInfo) error {
		if page = append(page, k.Key); len(page) < 8*kvAtOnce {
			return nil
		}
		defer func() { page = page[:0] }()
		return e.page(ctx, page)
	}
	_, err := e.EachKey(ctx, prefix, each)
	if err == nil {
		err = e.page(ctx, page)
	}
	if err == nil && e.last != nil {
		err = e.line(e.last)
	}
	if err != nil {
		return err
	}
	return e.out.Flush()
}

// page writes some keys with their values. One that was deleted meanwhile is left out.
func (e *exporter) page(ctx context.Context, keys []string) error {
	values := make([]*web.Values, len(keys))
	err := atOnce(len(keys), func(i int) error {
		answer, err := e.Values(ctx, keys[i])
		if problem, is := errors.AsType[*client.Problem](err); is && problem.Status == http.StatusNotFound {
			return nil
		}
		values[i] = &answer.Value
		return err
	})
	for _, v := range values {
		if err != nil {
			return err
		}
		if v == nil || len(v.Siblings) == 0 {
			continue
		}
		if e.last != nil {
			e.last.More = true
			err = e.line(e.last)
		}
		if len(v.Siblings) > 1 {
			e.Several++
		}
		e.Saved++
		e.last = &kvLine{Key: v.Key, Value: v.Siblings[0].Value, Expires: v.Siblings[0].Expires}
	}
	e.told.tell("%s", counted(e.Saved, "key", "keys"))
	return err
}

func (e *exporter) line(l *kvLine) error {
	_, err := e.out.WriteString(jsonLine(l))
	return err
}

// atOnce does n things, some of them at a time, and gives an error of one that failed.
func atOnce(n int, do func(i int) error) error {
	var doing sync.WaitGroup
	errs := make([]error, n)
	next := make(chan int)
	for range min(n, kvAtOnce) {
		doing.Go(func() {
			for i := range next {
				errs[i] = do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	doing.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// told is how far something is, at a terminal.
type told struct {
	out  io.Writer // nil: it is none
	last time.Time
	long int // of what stands there
}

func newTold(out io.Writer) *told {
	if !nodelog.IsTerminal(out) {
		return &told{}
	}
	return &told{out: nodelog.Terminal(out)}
}

func (t *told) tell(format string, args ...any) {
	if t.out == nil || time.Since(t.last) < kvTellEach {
		return
	}
	t.last = time.Now()
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(t.out, "\r%-*s", t.long, text)
	t.long = len(text)
}

func (t *told) end() {
	if t.long > 0 {
		fmt.Fprintf(t.out, "\r%*s\r", t.long, "")
	}
}

func newKVImport() *cobra.Command {
	return askingCommand(&cobra.Command{
		Use:   "import FILE",
		Short: "Write the keys and values of a file to the store",
		Long: `Write the keys and values of FILE, - for standard input, as "kv export" writes them. Each replaces what the asked
node holds of its key; one that is so already is left as it is, so to import again what was cut short is
safe. Other keys stay. All lines are checked first: nothing is written if one is wrong. Values whose time has passed are left
out. Seeds hold no store: ask a peer.`,
		Args: oneFile,
	}, func(a *asking, args []string) error {
		ctx, stop := untilInterrupted(a.Command)
		defer stop()
		file, closes, err := openSaved(a.InOrStdin(), args[0])
		if err != nil {
			return fmt.Errorf("kv import %s: %w", args[0], err)
		}
		defer closes()
		i := importer{asking: a, told: newTold(a.ErrOrStderr()), path: args[0]}
		for _, pass := range []func(context.Context, io.Reader) error{i.check, i.run} {
			if _, err = file.Seek(0, io.SeekStart); err == nil {
				err = pass(ctx, file)
			}
			if err != nil {
				break
			}
		}
		i.told.end()
		if err != nil {
			return fmt.Errorf("kv import %w", err)
		}
		if a.json {
			_, err = io.WriteString(a.OutOrStdout(), jsonLine(i.imported))
			return err
		}
		fmt.Fprintf(a.ErrOrStderr(), "%s written, %d were so already, %d had expired\n", counted(i.Written, "key", "keys"), i.Same, i.Expired)
		return nil
	})
}

// importer writes the lines of a file.
type importer struct {
	*asking
	told *told
	path string
	all  int // lines
	imported
}

// imported is what has come of an import.
type imported struct {
	Written int `json:"written"`
	Same    int `json:"same"`
	Expired int `json:"expired"`
}

// check says which line is wrong, if one is.
func (i *importer) check(_ context.Context, file io.Reader) error {
	var last kvLine
	err := i.each(file, func(l *kvLine) error {
		i.all, last = l.number, *l
		return nil
	})
	if err == nil && last.More {
		err = i.wrong(i.all, "it says that more follow, and is the last: the file was cut off; export it again, or leave out \"more\"")
	}
	if err != nil {
		return fmt.Errorf("%w; nothing was written", err)
	}
	return nil
}

func (i *importer) wrong(number int, format string, args ...any) error {
	return fmt.Errorf("%s: line %d: %s", i.path, number, fmt.Sprintf(format, args...))
}

// each hands over the lines of a file.
func (i *importer) each(file io.Reader, do func(l *kvLine) error) error {
	in, number := bufio.NewReaderSize(file, 64<<10), 0
	for {
		number++
		text, err := readLine(in)
		switch {
		case errors.Is(err, io.EOF) && len(text) == 0:
			return nil
		case errors.Is(err, errLongLine):
			return i.wrong(number, "it is longer than %d bytes; want a key of at most %d bytes, and a value of at most %d", kvLineMax, hearsay.MaxKey, hearsay.MaxValue)
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("%s: line %d: %w", i.path, number, err)
		case len(bytes.TrimSpace(text)) == 0:
			continue
		}
		l, wrong := parseKVLine(text)
		if wrong != "" && err != nil { // there is no newline behind it
			wrong += "; the file may have been cut off here"
		}
		if wrong != "" {
			return i.wrong(number, "%s", wrong)
		}
		l.number = number
		if err := do(l); err != nil {
			return err
		}
	}
}

var errLongLine = errors.New("a line is too long")

// readLine gives a line with what ends it.
func readLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if line = append(line, part...); len(line) > kvLineMax {
			return nil, errLongLine
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// parseKVLine takes a line apart, or says what is wrong with it.
func parseKVLine(text []byte) (l *kvLine, wrong string) {
	const takes = `want {"key":"…","value":"…"}, the value in base64`
	var got struct {
		Key     *string    `json:"key"`
		Value   *string    `json:"value"`
		Expires *time.Time `json:"expires"`
		More    bool       `json:"more"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&got)
	if err == nil && decoder.More() {
		err = errors.New("it goes on after its JSON object")
	}
	switch {
	case err != nil:
		return nil, web.JSONFault(err) + "; " + takes
	case got.Key == nil, got.Value == nil:
		return nil, "it has no \"key\", or no \"value\"; " + takes
	case !utf8.Valid(text) || !web.Faithful(text, *got.Key):
		return nil, "its key is no Unicode; want UTF-8"
	}
	l = &kvLine{Key: *got.Key, Expires: got.Expires, More: got.More}
	if l.Value, err = base64.StdEncoding.Strict().DecodeString(*got.Value); err != nil {
		return nil, fmt.Sprintf("\"value\": %v; want base64 (RFC 4648, section 4) with its padding", err)
	}
	if err := (&hearsay.Write{Key: l.Key, Value: l.Value}).Check(); err != nil {
		return nil, err.Error()
	}
	return l, ""
}

// run writes the lines, some at a time.
func (i *importer) run(ctx context.Context, file io.Reader) error {
	var page []*kvLine
	done := 0
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		err := i.page(ctx, page)
		done += len(page)
		const width = 30
		at := width * page[len(page)-1].number / i.all
		i.told.tell("[%-*s] %d of %s", width, strings.Repeat("=", at), done, counted(i.all, "line", "lines"))
		page = page[:0]
		return err
	}
	err := i.each(file, func(l *kvLine) error {
		if page = append(page, l); len(page) < 8*kvAtOnce {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return fmt.Errorf("%s: %w; %s written, the rest was not: import it again, what is so already is left as it is", i.path, err, counted(i.Written, "key", "keys"))
	}
	return nil
}

// page writes some lines. Of several of one key the last counts.
func (i *importer) page(ctx context.Context, lines []*kvLine) error {
	last := make(map[string]int)
	for n, l := range lines {
		last[l.Key] = n
	}
	results := make([]func(*imported), len(lines))
	err := atOnce(len(lines), func(n int) (err error) {
		if last[lines[n].Key] == n {
			results[n], err = i.put(ctx, lines[n])
		}
		return err
	})
	for _, counts := range results {
		if counts != nil {
			counts(&i.imported)
		}
	}
	return err
}

// put writes a line, unless the node holds just that, and gives what counts it.
func (i *importer) put(ctx context.Context, l *kvLine) (counts func(*imported), err error) {
	var ttl time.Duration
	if l.Expires != nil {
		if ttl = time.Until(*l.Expires).Round(time.Millisecond); ttl < time.Millisecond {
			return func(n *imported) { n.Expired++ }, nil
		}
	}
	held, err := i.Values(ctx, l.Key)
	problem, refused := errors.AsType[*client.Problem](err)
	switch absent := refused && problem.Status == http.StatusNotFound; {
	case err != nil && !absent:
		return nil, l.failed(err)
	case !absent && len(held.Value.Siblings) == 1 && l.sameAs(&held.Value.Siblings[0]):
		return func(n *imported) { n.Same++ }, nil
	}
	if _, err := i.Put(ctx, l.Key, l.Value, "", ttl); err != nil {
		return nil, l.failed(err)
	}
	return func(n *imported) { n.Written++ }, nil
}

func (l *kvLine) failed(err error) error {
	return fmt.Errorf("line %d: key %s: %w", l.number, plainText(l.Key), err)
}

// sameAs reports whether a value is what a line says. A time that was written as a TTL is so to a second.
func (l *kvLine) sameAs(s *hearsay.Sibling) bool {
	if (l.Expires == nil) != (s.Expires == nil) || !bytes.Equal(l.Value, s.Value) {
		return false
	}
	return l.Expires == nil || l.Expires.Sub(*s.Expires).Abs() < time.Second
}
