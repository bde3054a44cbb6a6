package hearsay_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file holds the house to its plan: which package may import which, what a state
// machine must not do, and how long a function may be. Each rule has a proof
// that it bites.

// room is a package and what it may import besides the standard library.
// Both lists are exact: what is permitted is also used.
type room struct {
	dir    string
	layer  int    // imports point to lower layers only
	on     string // a directory of the same layer that this one stands on
	ours   string // directories of this module
	theirs string // packages of other modules
	crypto string // of layers 0 to 2: packages of the standard library
}

// house is the whole module.
var house = []room{
	{dir: "clock", layer: 0},
	{dir: "ring", layer: 0},
	{dir: "quota", layer: 0},
	{dir: ".", layer: 0, on: "clock", ours: "clock", crypto: "crypto/ed25519 crypto/sha256"},
	{dir: "testkit", layer: 0, on: ".", ours: ".", crypto: "crypto/sha256"},
	{dir: "roster", layer: 1, ours: ". quota ring"},
	{dir: "detect", layer: 1, ours: ". quota"},
	{dir: "overlay", layer: 1, ours: ". ring"},
	{dir: "rumor", layer: 1, ours: ". clock quota"},
	{dir: "ledger", layer: 1, ours: "."},
	{
		dir: "quorum", layer: 1, on: "ledger", ours: ". ledger quota ring",
		theirs: "go.etcd.io/raft/v3 go.etcd.io/raft/v3/raftpb google.golang.org/protobuf/proto",
	},
	{dir: "wire", layer: 1, ours: ". clock"},
	{dir: "petition", layer: 1, ours: "."},
	{dir: "node", layer: 2, ours: ". clock detect ledger overlay petition quorum quota roster rumor wire"},
	{dir: "store", layer: 3, ours: ". wire", theirs: "go.etcd.io/bbolt go.etcd.io/bbolt/errors golang.org/x/sys/unix"},
	{dir: "dialect", layer: 3, ours: "."},
	{dir: "seeds", layer: 3, ours: "."},
	{dir: "agent", layer: 4, ours: ". clock detect dialect node ledger overlay petition quorum quota roster rumor store wire", theirs: "github.com/pelletier/go-toml/v2 github.com/pelletier/go-toml/v2/unstable golang.org/x/sys/unix"},
	{dir: "maelstrom", layer: 4, ours: ". detect node overlay roster rumor wire"},
	{dir: "sim", layer: 4, ours: ". clock detect node ledger overlay petition quorum ring roster rumor store testkit wire"},
	{
		dir: "web", layer: 5, ours: ". clock",
		theirs: "github.com/prometheus/client_golang/prometheus github.com/prometheus/client_golang/prometheus/collectors github.com/prometheus/client_golang/prometheus/promhttp",
	},
	{dir: "client", layer: 5, on: "web", ours: ". web"},
	{dir: "cmd/hearsay", layer: 6, ours: ". agent client dialect ledger maelstrom seeds sim web", theirs: "github.com/lmittmann/tint github.com/spf13/cobra github.com/spf13/pflag"},
	{dir: "test/process", layer: 5, ours: "."},
	{dir: "test/abuse", layer: 6},
	{dir: "test/cut", layer: 6},
	{dir: "test/kill", layer: 6},
}

// inTests is what tests may import besides: of other modules these, and of
// ours whatever lies lower.
var inTests = []string{
	"github.com/anishathalye/porcupine",
	"github.com/cockroachdb/datadriven",
	"github.com/prometheus/client_golang/prometheus/testutil/promlint",
	"github.com/rogpeppe/go-internal/testscript",
	"go.uber.org/goleak",
	"pgregory.net/rapid",
}

const (
	module      = "hearsay"
	purestLayer = 2 // up to this layer: state machines, where time and randomness are arguments
	funcLines   = 70
	fileBytes   = 1 << 20 // larger files are not text of ours
)

// impure are imports, with all below them, that a state machine has no use for.
var impure = []string{"sync", "net", "os", "log", "syscall", "runtime", "context", "math/rand", "crypto"}

// pure are exceptions from impure.
var pure = []string{"net/netip", "math/rand/v2", "runtime/debug"}

// clockReads are the functions of package time that read the clock or wait.
var clockReads = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// seeded are the names of math/rand/v2 that do not draw from the global source.
var seeded = []string{"Rand", "Source", "PCG", "ChaCha8", "Zipf", "New", "NewPCG", "NewChaCha8", "NewZipf"}

// source is one parsed file of Go.
type source struct {
	room room
	path string // within the module
	set  *token.FileSet
	tree *ast.File
}

func (s *source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// in tells a complaint with its place.
func (s *source) in(n ast.Node, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.path, s.set.Position(n.Pos()).Line, fmt.Sprintf(format, args...))
}

// rules are the checks of one file. Each returns complaints.
var rules = []func(*source) []string{checkImports, checkPure, checkNoSleep, checkFuncLines}

func TestTidy(t *testing.T) {
	sources := parseHouse(t)
	for _, s := range sources {
		for _, rule := range rules {
			report(t, rule(s))
		}
	}
	report(t, checkHouse(sources))
	report(t, checkDocs(sources))
}

// TestNoOrderOfMaps needs the types of expressions, and so the export data of
// what is imported.
func TestNoOrderOfMaps(t *testing.T) {
	packages := make(map[string][]*source)
	for _, s := range parseHouse(t) {
		if !s.test() && (s.room.layer <= purestLayer || s.room.dir == "sim") {
			packages[s.room.dir] = append(packages[s.room.dir], s)
		}
	}
	lookup := exportData(t)
	for _, p := range packages {
		complaints, err := checkMapRanges(p, lookup)
		if err != nil {
			t.Fatal(err)
		}
		report(t, complaints)
	}
}

func TestNoPathsOfAMachine(t *testing.T) {
	err := walk(func(name string, _ room) error {
		text, err := os.ReadFile(name)
		if err == nil {
			report(t, checkPaths(name, text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func report(t *testing.T, complaints []string) {
	t.Helper()
	for _, c := range complaints {
		t.Error(c)
	}
}

// walk visits every file of this module that is small enough to be text.
func walk(visit func(name string, r room) error) error {
	return filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".git" && !d.IsDir():
			return nil // of a second working tree
		case d.IsDir():
			if _, err := os.Stat(filepath.Join(name, "go.mod")); name != "." && err == nil {
				return filepath.SkipDir // a module of its own
			}
			if d.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		if info, err := d.Info(); err != nil || !info.Mode().IsRegular() || info.Size() > fileBytes {
			return err
		}
		return visit(filepath.ToSlash(name), roomOf(path.Dir(filepath.ToSlash(name))))
	})
}

// roomOf gives the room of a directory; one that is not in the house may
// import nothing.
func roomOf(dir string) room {
	for _, r := range house {
		if r.dir == dir {
			return r
		}
	}
	return room{dir: dir, layer: -1}
}

// parseHouse parses all that is Go in this module.
func parseHouse(t *testing.T) []*source {
	t.Helper()
	var sources []*source
	set := token.NewFileSet()
	err := walk(func(name string, r room) error {
		if path.Ext(name) != ".go" || strings.Contains(name, "testdata/") {
			return nil
		}
		s, err := parse(set, r, name, nil)
		sources = append(sources, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

func parse(set *token.FileSet, r room, name string, text any) (*source, error) {
	tree, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return &source{room: r, path: name, set: set, tree: tree}, err
}

// imported gives the paths that a file imports, by the name they have in it.
func (s *source) imported() map[string]*ast.ImportSpec {
	byName := make(map[string]*ast.ImportSpec)
	for _, spec := range s.tree.Imports {
		name := path.Base(strings.TrimSuffix(pathOf(spec), "/v2"))
		if spec.Name != nil {
			name = spec.Name.Name
		}
		byName[name] = spec
	}
	return byName
}

func pathOf(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic(err) // it was parsed
	}
	return p
}

// inside gives the directory of a package of this module.
func inside(importPath string) (dir string, ok bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// under reports whether a package is one of roots or lies below one.
func under(importPath string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return importPath == root || strings.HasPrefix(importPath, root+"/")
	})
}

func checkImports(s *source) (complaints []string) {
	if s.room.layer < 0 {
		return []string{s.in(s.tree, "%s is not in the house; give it a row in tidy_test.go", s.room.dir)}
	}
	for _, spec := range s.tree.Imports {
		p := pathOf(spec)
		dir, ours := inside(p)
		first, _, _ := strings.Cut(p, "/")
		switch {
		case strings.HasSuffix(p, "/template") && !strings.Contains(first, "."):
			complaints = append(complaints, s.in(spec, "imports %s, which switches off the linker's dead code elimination", p))
		case ours && !mayImport(s, dir):
			complaints = append(complaints, s.in(spec, "%s may not import %s; the house allows %q", s.room.dir, p, s.room.ours))
		case !ours && strings.Contains(first, ".") && !slices.Contains(strings.Fields(s.room.theirs), p) && !(s.test() && slices.Contains(inTests, p)):
			complaints = append(complaints, s.in(spec, "%s may not import %s; the house allows %q", s.room.dir, p, s.room.theirs))
		}
	}
	return complaints
}

func mayImport(s *source, dir string) bool {
	if slices.Contains(strings.Fields(s.room.ours), dir) {
		return true
	}
	return s.test() && (dir == s.room.dir || roomOf(dir).layer < s.room.layer)
}

// checkHouse finds what the house permits and nobody does, and what it should
// not permit.
func checkHouse(sources []*source) (complaints []string) {
	used := make(map[string]bool) // "room package"
	for _, s := range sources {
		used[s.room.dir] = true
		for _, spec := range s.tree.Imports {
			if dir, ours := inside(pathOf(spec)); ours && !s.test() {
				used[s.room.dir+" "+dir] = true
			} else if !s.test() {
				used[s.room.dir+" "+pathOf(spec)] = true
			}
		}
	}
	for _, r := range house {
		if !used[r.dir] {
			complaints = append(complaints, fmt.Sprintf("house: there is no package in %s", r.dir))
		}
		for _, p := range slices.Concat(strings.Fields(r.ours), strings.Fields(r.theirs), strings.Fields(r.crypto)) {
			if !used[r.dir+" "+p] {
				complaints = append(complaints, fmt.Sprintf("house: %s may import %s, but does not", r.dir, p))
			}
		}
		for _, dir := range strings.Fields(r.ours) {
			if lower := roomOf(dir).layer; lower < 0 || lower >= r.layer && (lower > r.layer || r.on != dir) {
				complaints = append(complaints, fmt.Sprintf("house: %s imports %s, which is not lower", r.dir, dir))
			}
		}
	}
	return complaints
}

// checkPure holds the state machines to having no input but their arguments
// and no output but what they return.
func checkPure(s *source) (complaints []string) {
	if s.test() || s.room.layer < 0 || s.room.layer > purestLayer {
		return nil
	}
	imports := s.imported()
	for _, spec := range s.tree.Imports {
		p := pathOf(spec)
		if under(p, impure) && !under(p, pure) && !slices.Contains(strings.Fields(s.room.crypto), p) {
			complaints = append(complaints, s.in(spec, "a state machine imports %s", p))
		}
	}
	ast.Inspect(s.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			complaints = append(complaints, s.in(n, "a state machine starts a goroutine"))
		case *ast.SelectStmt:
			complaints = append(complaints, s.in(n, "a state machine selects"))
		case *ast.ChanType:
			complaints = append(complaints, s.in(n, "a state machine has a channel"))
		case *ast.SendStmt:
			complaints = append(complaints, s.in(n, "a state machine sends on a channel"))
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				complaints = append(complaints, s.in(n, "a state machine receives from a channel"))
			}
		case *ast.SelectorExpr:
			p, name := selected(imports, n)
			if p == "time" && slices.Contains(clockReads, name) {
				complaints = append(complaints, s.in(n, "a state machine calls time.%s; time is an argument", name))
			}
			if p == "math/rand/v2" && !slices.Contains(seeded, name) {
				complaints = append(complaints, s.in(n, "a state machine calls rand.%s; randomness is an argument", name))
			}
		}
		return true
	})
	return complaints
}

// selected gives the package and the name of a selector like time.Now.
func selected(imports map[string]*ast.ImportSpec, n *ast.SelectorExpr) (importPath, name string) {
	if x, ok := n.X.(*ast.Ident); ok {
		if spec := imports[x.Name]; spec != nil {
			return pathOf(spec), n.Sel.Name
		}
	}
	return "", ""
}

// checkNoSleep lets a test sleep in the bubble of synctest.Test only, where
// time is not real.
func checkNoSleep(s *source) (complaints []string) {
	if !s.test() {
		return nil
	}
	imports := s.imported()
	ast.Inspect(s.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok {
				p, name := selected(imports, f)
				return p != "testing/synctest" || name != "Test"
			}
		case *ast.SelectorExpr:
			if p, name := selected(imports, n); p == "time" && name == "Sleep" {
				complaints = append(complaints, s.in(n, "a test sleeps; wait for what must happen, or use testing/synctest"))
			}
		}
		return true
	})
	return complaints
}

func checkFuncLines(s *source) (complaints []string) {
	if s.test() {
		return nil
	}
	for _, d := range s.tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; n > funcLines {
				complaints = append(complaints, s.in(f, "%s has %d lines; a function fits a screen: %d", f.Name.Name, n, funcLines))
			}
		}
	}
	return complaints
}

// checkDocs finds packages that do not say what they are. One that has only
// tests says it in a test.
func checkDocs(sources []*source) (complaints []string) {
	code, documented := make(map[string]bool), make(map[string]bool)
	for _, s := range sources {
		if !s.test() {
			code[s.room.dir] = true
		}
	}
	for _, s := range sources {
		if s.tree.Doc != nil && (!s.test() || !code[s.room.dir]) {
			documented[s.room.dir] = true
		}
	}
	for _, s := range sources {
		if !documented[s.room.dir] {
			documented[s.room.dir] = true // say it once
			complaints = append(complaints, s.in(s.tree, "package %s has no doc comment", s.tree.Name.Name))
		}
	}
	return complaints
}

// home finds directories that exist on the machine of one person or program.
var home = regexp.MustCompile(`(^|[^\w.:/])/(home|Users|root|work|private)/[\w.]`)

func checkPaths(name string, text []byte) (complaints []string) {
	if bytes.IndexByte(text, 0) >= 0 {
		return nil // not text
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if home.Match(line) {
			complaints = append(complaints, fmt.Sprintf("%s:%d: a path of one machine: %s", name, i+1, bytes.TrimSpace(line)))
		}
	}
	return complaints
}

// exportData gives the compiler's export data of every package that ours
// import, from the build cache.
func exportData(t *testing.T) func(importPath string) (io.ReadCloser, error) {
	t.Helper()
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "./sim", "./node", "./clock", "./quorum")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal("go list -export:", err)
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		importPath, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[importPath] = file
	}
	return func(importPath string) (io.ReadCloser, error) { return os.Open(files[importPath]) }
}

// anyOrder is what a line says that ranges over a map and may.
const anyOrder = "// order does not matter: "

// checkMapRanges finds statements of one package that go over a map in its
// random order and do not say why they may.
func checkMapRanges(p []*source, lookup func(string) (io.ReadCloser, error)) (complaints []string, err error) {
	set := p[0].set
	var trees []*ast.File
	excused := make(map[string]bool) // "file:line"
	for _, s := range p {
		trees = append(trees, s.tree)
		for _, group := range s.tree.Comments {
			for _, c := range group.List {
				if at := set.Position(c.Pos()); strings.HasPrefix(c.Text, anyOrder) {
					excused[fmt.Sprintf("%s:%d", s.path, at.Line)] = true
				}
			}
		}
	}
	info := &types.Info{Types: make(map[ast.Expr]types.TypeAndValue)}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", lookup)}
	if _, err := config.Check(p[0].room.dir, set, trees, info); err != nil {
		return nil, err
	}
	for _, s := range p {
		imports := s.imported()
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if n, ok := n.(*ast.RangeStmt); ok && overMap(n.X, info, imports) && !excused[fmt.Sprintf("%s:%d", s.path, set.Position(n.Pos()).Line)] {
				complaints = append(complaints, s.in(n, "goes over a map in random order; sort its keys, or end the line with %swhy", anyOrder))
			}
			return true
		})
	}
	return complaints, nil
}

// overMap reports whether a range over x has the order of a map.
func overMap(x ast.Expr, info *types.Info, imports map[string]*ast.ImportSpec) bool {
	if t := info.TypeOf(x); t != nil {
		if _, ok := t.Underlying().(*types.Map); ok {
			return true
		}
	}
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	p, _ := selected(imports, selector)
	return p == "maps"
}

// TestTidyBites feeds each rule what it must refuse, and what it must not.
func TestTidyBites(t *testing.T) {
	var names []string
	for name, c := range map[string]struct {
		path, text string
		want       string // a part of the one complaint; "" for none
	}{
		"goroutine":               {"clock/x.go", "package clock\nfunc f() { go f() }", "x.go:2: a state machine starts a goroutine"},
		"select":                  {"ring/x.go", "package ring\nfunc f() { select {} }", "selects"},
		"channel":                 {"node/x.go", "package node\nvar c chan int", "has a channel"},
		"send":                    {"node/x.go", "package node\nfunc f() { c <- 1 }", "sends"},
		"receive":                 {"node/x.go", "package node\nfunc f() { <-c }", "receives"},
		"sync":                    {"roster/x.go", "package roster\nimport \"sync/atomic\"", "imports sync/atomic"},
		"net":                     {"wire/x.go", "package wire\nimport \"net\"", "imports net"},
		"os":                      {"detect/x.go", "package detect\nimport \"os\"", "imports os"},
		"slog":                    {"detect/x.go", "package detect\nimport \"log/slog\"", "imports log/slog"},
		"crypto/rand":             {"x.go", "package hearsay\nimport \"crypto/rand\"", "imports crypto/rand"},
		"sha256 in a protocol":    {"roster/x.go", "package roster\nimport \"crypto/sha256\"", "imports crypto/sha256"},
		"clock read":              {"node/x.go", "package node\nimport \"time\"\nvar t = time.Now()", "time.Now"},
		"clock read, renamed":     {"node/x.go", "package node\nimport t \"time\"\nvar f = t.AfterFunc", "time.AfterFunc"},
		"global random":           {"node/x.go", "package node\nimport \"math/rand/v2\"\nvar n = rand.IntN(6)", "rand.IntN"},
		"old random":              {"node/x.go", "package node\nimport \"math/rand\"\nvar n *rand.Rand", "imports math/rand"},
		"upward import":           {"roster/x.go", "package roster\nimport \"hearsay/node\"", "roster may not import " + module + "/node"},
		"sideways import":         {"detect/x_test.go", "package detect\nimport \"hearsay/wire\"", "detect may not import " + module + "/wire"},
		"bbolt outside the store": {"agent/x.go", "package agent\nimport \"go.etcd.io/bbolt\"", "agent may not import go.etcd.io/bbolt"},
		"rapid outside tests":     {"ring/x.go", "package ring\nimport \"pgregory.net/rapid\"", "may not import pgregory.net/rapid"},
		"template":                {"web/x.go", "package web\nimport \"html/template\"", "dead code"},
		"new package":             {"util/x.go", "package util", "util is not in the house"},
		"sleep in a test":         {"agent/x_test.go", "package agent\nimport \"time\"\nfunc f() { time.Sleep(1) }", "x_test.go:3: a test sleeps"},
		"long function":           {"agent/x.go", "package agent\nfunc f() {" + strings.Repeat("\n", 70) + "}", "f has 71 lines"},

		"fine in a state machine": {"node/x.go", "package node\nimport (\"math/rand/v2\"; \"net/netip\"; \"time\"; \"hearsay/roster\")\nvar r = rand.New(rand.NewPCG(1, 2))\nvar d = time.Unix(0, 0)\nvar a netip.Addr", ""},
		"fine in the root":        {"x.go", "package hearsay\nimport \"crypto/sha256\"", ""},
		"fine in the agent":       {"agent/x.go", "package agent\nimport (\"sync\"; \"time\")\nfunc f() { go f(); <-time.After(1) }", ""},
		"fine in a test":          {"sim/x_test.go", "package sim\nimport (\"os\"; \"hearsay/clock\"; \"pgregory.net/rapid\")\nfunc f() { go f() }" + strings.Repeat("\n", 80), ""},
		"fine in a bubble":        {"agent/x_test.go", "package agent\nimport (\"testing/synctest\"; \"time\")\nfunc f() { synctest.Test(nil, func() { time.Sleep(1) }) }", ""},
		"fine in length":          {"agent/x.go", "package agent\nfunc f() {" + strings.Repeat("\n", 69) + "}", ""},
	} {
		s, err := parse(token.NewFileSet(), roomOf(path.Dir(c.path)), c.path, c.text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, rule := range rules {
			got = append(got, rule(s)...)
		}
		bites(t, name, got, c.want)
		names = append(names, name)
	}
	if len(names) == 0 {
		t.Fatal("nothing was fed")
	}
}

// bites expects the one complaint, or none.
func bites(t *testing.T, name string, got []string, want string) {
	t.Helper()
	if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0], want)) {
		t.Errorf("%s: complaints %q, want one with %q", name, got, want)
	}
}

func TestTidyBitesThePlan(t *testing.T) {
	sources := parseHouse(t)
	whole := house
	defer func() { house = whole }()
	for _, c := range []struct {
		row  room
		want string
	}{
		{room{dir: "kv", layer: 1}, "there is no package in kv"},
		{room{dir: "ring", layer: 0, theirs: "go.etcd.io/bbolt"}, "ring may import go.etcd.io/bbolt, but does not"},
		{room{dir: "node", layer: 1, ours: "roster"}, "node imports roster, which is not lower"},
		{room{dir: "node", layer: 1, on: "detect", ours: "roster"}, "node imports roster, which is not lower"},
		{room{dir: "node", layer: 0, on: "roster", ours: "roster"}, "node imports roster, which is not lower"},
	} {
		house = append(slices.Clone(whole), c.row)
		bites(t, c.want, slices.DeleteFunc(checkHouse(sources), func(s string) bool {
			return slices.Contains(wholeComplaints(sources, whole), s)
		}), c.want)
	}
}

// wholeComplaints is what the house as it is earns: TestTidy tells of it.
func wholeComplaints(sources []*source, whole []room) []string {
	changed := house
	defer func() { house = changed }()
	house = whole
	return checkHouse(sources)
}

func TestTidyBitesDocs(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"none":            {map[string]string{"ring/a.go": "package ring"}, "package ring has no doc comment"},
		"only in a test":  {map[string]string{"ring/a.go": "package ring", "ring/a_test.go": "// Package ring is.\npackage ring"}, "no doc comment"},
		"one of two":      {map[string]string{"ring/a.go": "package ring", "ring/b.go": "// Package ring is.\npackage ring"}, ""},
		"nothing but one": {map[string]string{"test/cut/a_test.go": "// Package cut is.\npackage cut"}, ""},
	} {
		var sources []*source
		for file, text := range c.files {
			s, err := parse(token.NewFileSet(), roomOf(path.Dir(file)), file, text)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, s)
		}
		bites(t, name, checkDocs(sources), c.want)
	}
}

func TestTidyBitesMapRanges(t *testing.T) {
	lookup := exportData(t)
	for name, c := range map[string]struct{ text, want string }{
		"a map":      {"func f(m map[int]int) {\n\tfor range m {\n\t}\n}", "x.go:4: goes over a map"},
		"a type":     {"type set map[int]bool\nfunc f(m set) {\n\tfor range m {\n\t}\n}", "goes over a map"},
		"keys":       {"func f(m map[int]int) {\n\tfor range maps.Keys(m) {\n\t}\n}", "goes over a map"},
		"no reason":  {"func f(m map[int]int) {\n\tfor range m { // order does not matter\n\t}\n}", "goes over a map"},
		"reason":     {"func f(m map[int]int) {\n\tfor range m { // order does not matter: counting\n\t}\n}", ""},
		"sorted":     {"func f(m map[int]int) {\n\tfor range slices.Sorted(maps.Keys(m)) {\n\t}\n}", ""},
		"not a map":  {"func f(m []int) {\n\tfor range m {\n\t}\n}", ""},
		"an integer": {"func f(m int) {\n\tfor range m {\n\t}\n}", ""},
	} {
		text := "package clock; import (\"maps\"; \"slices\"); var _, _ = maps.Keys[map[int]int], slices.Sorted[int]\n\n" + c.text
		s, err := parse(token.NewFileSet(), roomOf("clock"), "clock/x.go", text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := checkMapRanges([]*source{s}, lookup)
		if err != nil {
			t.Fatal(err)
		}
		bites(t, name, got, c.want)
	}
}

func TestTidyBitesPaths(t *testing.T) {
	slash := "/"
	for text, want := range map[string]string{
		"see " + slash + "home/ada/notes":          "a path of one machine",
		"cd " + slash + "work/main":                "a path of one machine",
		`data = "` + slash + `Users/ada/x"`:        "a path of one machine",
		"https://example.org" + slash + "home/x":   "",
		"/var/lib/hearsay, /etc/hearsay, ./home/x": "",
		"the binary\x00" + slash + "root/x":        "",
	} {
		bites(t, text, checkPaths("x", []byte(text)), want)
	}
}
