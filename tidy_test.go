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
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// This file holds the house to its plan: which package may import which, what a state
// machine must not do, and how long a function may be. Each rule has a proof
// that it bites.

// room is a package and what it may import besides the standard library.
// Both lists are exact: what is permitted is also used.
type room struct {
	dir    string
	layer  int    // imports point to lower layers only
	on     string // directories of the same layer that this one stands on
	ours   string // directories of this module
	theirs string // packages of other modules
	crypto string // of layers 0 to 2: packages of the standard library
	tests  string // directories of the same layer that only its tests stand on
}

// house is the whole module.
var house = []room{
	{dir: "clock", layer: 0},
	{dir: "ring", layer: 0},
	{dir: "quota", layer: 0},
	{dir: "internal/canonical", layer: 0},
	{dir: "internal/when", layer: 0},
	{dir: ".", layer: 0, on: "clock internal/canonical", ours: "clock internal/canonical", crypto: "crypto/ed25519 crypto/sha256"},
	{dir: "internal/core", layer: 0, on: ". clock internal/canonical", ours: ". clock internal/canonical", crypto: "crypto/sha256"},
	{dir: "testkit", layer: 0, on: ". internal/core", ours: ". internal/core", crypto: "crypto/sha256"},
	{dir: "roster", layer: 1, ours: ". internal/core internal/when quota ring"},
	{dir: "detect", layer: 1, ours: ". internal/core internal/when quota"},
	{dir: "casebook", layer: 1, ours: ". internal/when"},
	{dir: "overlay", layer: 1, ours: ". internal/core ring"},
	{dir: "spread", layer: 1, on: "kv", ours: ". clock internal/core internal/when kv quota"},
	{dir: "rumor", layer: 1, ours: ". clock internal/core internal/when quota"},
	{dir: "kv", layer: 1, ours: ". clock internal/canonical internal/core", crypto: "crypto/sha256", tests: "wire"},
	{dir: "ledger", layer: 1, ours: ". internal/canonical internal/core quota"},
	{
		dir: "quorum", layer: 1, on: "ledger", ours: ". internal/core internal/when ledger quota ring", tests: "follower quorum/quorumtest",
		theirs: "go.etcd.io/raft/v3 go.etcd.io/raft/v3/raftpb google.golang.org/protobuf/proto",
	},
	{dir: "quorum/quorumtest", layer: 1, on: "ledger", ours: ". internal/core ledger quota ring testkit"},
	{dir: "follower", layer: 1, on: "ledger", ours: ". internal/core ledger quota", tests: "quorum quorum/quorumtest"},
	{dir: "wire", layer: 1, ours: ". clock internal/core"},
	{dir: "petition", layer: 1, ours: ". internal/core internal/when"},
	{dir: "casefile", layer: 2, ours: ". casebook internal/when"},
	{dir: "node", layer: 2, tests: "casefile", ours: ". casebook clock detect follower internal/core internal/when kv ledger overlay petition quorum quota roster rumor spread wire"},
	{dir: "internal/userfile", layer: 3},
	{dir: "store", layer: 3, on: "internal/userfile", ours: ". internal/core internal/userfile wire", theirs: "go.etcd.io/bbolt go.etcd.io/bbolt/errors golang.org/x/sys/unix"},
	{dir: "dialect", layer: 3, ours: "."},
	{dir: "seeds", layer: 3, on: "internal/userfile", ours: ". internal/userfile"},
	{dir: "nodelog", layer: 3, on: "internal/userfile", ours: ". internal/userfile", theirs: "github.com/lmittmann/tint"},
	{dir: "guest", layer: 4, ours: ". dialect internal/core node quota wire"},
	{dir: "agent", layer: 4, on: "guest", ours: ". casebook casefile clock detect follower guest internal/core internal/userfile kv ledger node overlay petition quorum quota roster rumor spread store wire", theirs: "github.com/pelletier/go-toml/v2 golang.org/x/sys/unix"},
	{dir: "maelstrom", layer: 4, ours: ". detect internal/core node overlay roster rumor spread wire"},
	{dir: "sim", layer: 4, ours: ". casefile clock detect follower internal/core internal/userfile ledger node overlay petition quorum ring roster rumor spread store testkit wire"},
	{
		dir: "web", layer: 5, ours: ". clock dialect guest internal/core ledger",
		theirs: "github.com/prometheus/client_golang/prometheus github.com/prometheus/client_golang/prometheus/collectors github.com/prometheus/client_golang/prometheus/promhttp",
	},
	{dir: "client", layer: 5, on: "web", ours: ". web"},
	{dir: "cmd/hearsay", layer: 6, ours: ". agent client dialect internal/core internal/userfile ledger maelstrom nodelog seeds sim store web", theirs: "github.com/spf13/cobra github.com/spf13/pflag"},
	{dir: "test/process", layer: 5, ours: "."},
	{dir: "test/standin", layer: 5, on: "test/process", ours: "test/process"},
	{dir: "test/standin/cmd", layer: 6, ours: "test/standin"},
	{dir: "test/guests", layer: 6},
	{dir: "test/abuse", layer: 6},
	{dir: "test/cut", layer: 6},
	{dir: "test/guests", layer: 6},
	{dir: "test/joiner", layer: 6},
	{dir: "test/kill", layer: 6},
	{dir: "test/plants", layer: 6},
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
	methodsMost = 70      // of one type: past this it is several
	commentWide = 120     // columns of a line that has a comment; a tab is one
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
var rules = []func(*source) []string{checkImports, checkPure, checkNoSleep, checkFuncLines, checkCommentWidth, checkExported, checkWords}

func TestTidy(t *testing.T) {
	sources := parseHouse(t)
	for _, s := range sources {
		for _, rule := range rules {
			report(t, rule(s))
		}
	}
	report(t, checkHouse(sources))
	report(t, checkDocs(sources))
	report(t, checkLists(sources))
	report(t, checkMethods(sources))
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

// TestTheMapIsTrue holds the map to the code: what it names is there.
func TestTheMapIsTrue(t *testing.T) {
	text, err := os.ReadFile(theMap)
	if err != nil {
		t.Fatal(err)
	}
	report(t, checkMap(string(text), parseHouse(t)))
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
	return s.test() && (dir == s.room.dir || roomOf(dir).layer < s.room.layer || slices.Contains(strings.Fields(s.room.tests), dir))
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
			} else if ours {
				used[s.room.dir+" "+dir+" in tests"] = true
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
		for _, dir := range strings.Fields(r.tests) {
			if !used[r.dir+" "+dir+" in tests"] || roomOf(dir).layer != r.layer {
				complaints = append(complaints, fmt.Sprintf("house: tests of %s may import %s of the same layer, but do not", r.dir, dir))
			}
		}
		for _, dir := range strings.Fields(r.ours) {
			if lower := roomOf(dir).layer; lower < 0 || lower >= r.layer && (lower > r.layer || !slices.Contains(strings.Fields(r.on), dir)) {
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

// checkCommentWidth wants what explains to be read without scrolling: above a line that is long itself.
func checkCommentWidth(s *source) (complaints []string) {
	for _, group := range s.tree.Comments {
		for _, c := range group.List {
			from := s.set.Position(c.Pos())
			if strings.HasPrefix(c.Text, anyOrder) || strings.HasPrefix(c.Text, "/*") {
				continue
			}
			if wide := from.Column - 1 + utf8.RuneCountInString(c.Text); wide > commentWide {
				complaints = append(complaints, s.in(c, "a comment ends in column %d; the last is %d", wide, commentWide))
			}
		}
	}
	return complaints
}

// checkExported finds exported names that nothing explains. String and Error are known.
func checkExported(s *source) (complaints []string) {
	if s.test() {
		return nil
	}
	undocumented := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if name.IsExported() && !slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d != nil }) {
			complaints = append(complaints, s.in(name, "%s is exported, and has no comment", name.Name))
		}
	}
	for _, d := range s.tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if known := d.Name.Name == "String" || d.Name.Name == "Error"; !known && (d.Recv == nil || ast.IsExported(receiver(d))) {
				undocumented(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					undocumented(spec.Name, spec.Doc, spec.Comment, d.Doc)
				case *ast.ValueSpec:
					undocumented(spec.Names[0], spec.Doc, spec.Comment, d.Doc)
				}
			}
		}
	}
	return complaints
}

// clumsy are words of comments and names that a plainer one can take the place of: a clause in the place of a noun, or
// a metaphor in that of the job.
var clumsy = regexp.MustCompile(`(?i)\b(whom|whoever|lanes?|tolls?|errands?|couriers?|shel(f|ves))\b`)

// humps are the words within a name.
var humps = regexp.MustCompile(`[A-Z]?[a-z]+`)

// checkWords finds clumsy words.
func checkWords(s *source) (complaints []string) {
	for _, group := range s.tree.Comments {
		if word := clumsy.FindString(group.Text()); word != "" {
			complaints = append(complaints, s.in(group, "a comment says %q", word))
		}
	}
	ast.Inspect(s.tree, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if word := clumsy.FindString(strings.Join(humps.FindAllString(id.Name, -1), " ")); word != "" {
				complaints = append(complaints, s.in(id, "the name %s has %q in it", id.Name, word))
			}
		}
		return true
	})
	return complaints
}

// checkMethods counts the methods of each type.
func checkMethods(sources []*source) (complaints []string) {
	counts := make(map[string]int)
	for _, s := range sources {
		if s.test() {
			continue
		}
		for _, d := range s.tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				counts[s.tree.Name.Name+"."+receiver(f)]++
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[name]; n > methodsMost {
			complaints = append(complaints, fmt.Sprintf("%s has %d methods, and may have %d: it is several types", name, n, methodsMost))
		}
	}
	return complaints
}

// receiver gives the name of the type whose method a function is.
func receiver(f *ast.FuncDecl) string {
	x := f.Recv.List[0].Type
	for {
		switch of := x.(type) {
		case *ast.StarExpr:
			x = of.X
		case *ast.IndexExpr:
			x = of.X
		case *ast.IndexListExpr:
			x = of.X
		case *ast.Ident:
			return of.Name
		default:
			return "?"
		}
	}
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

// listed finds a file in the list of files that a package's doc.go may have.
var listed = regexp.MustCompile(`(\w+\.go)\s`)

// checkLists finds lists of files that lack one of the package, or have another.
func checkLists(sources []*source) (complaints []string) {
	for _, s := range sources {
		if path.Base(s.path) != "doc.go" || s.tree.Doc == nil {
			continue
		}
		files := make(map[string]bool)
		for _, line := range s.tree.Doc.List {
			if strings.HasPrefix(line.Text, "//\t") {
				for _, m := range listed.FindAllStringSubmatch(line.Text, -1) {
					files[m[1]] = true
				}
			}
		}
		for _, other := range sources {
			name := path.Base(other.path)
			if len(files) == 0 || path.Dir(other.path) != path.Dir(s.path) || other.test() || name == "doc.go" {
				continue
			}
			if !files[name] {
				complaints = append(complaints, s.in(s.tree, "the list of files lacks %s", name))
			}
			files[name] = false
		}
		for name, isNotThere := range files {
			if isNotThere {
				complaints = append(complaints, s.in(s.tree, "the list of files has %s, which is not there", name))
			}
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

// The map of the house, and what it may have.
const (
	theMap   = "ARCHITECTURE.md"
	mapLines = 150
)

// named finds a file in the map, and behind it a function of that file.
var named = regexp.MustCompile("`([\\w/]+\\.go)`(?:\\s`(\\w+)`)?")

// checkMap finds what the map names and the house does not have, and lines that are too long or too many.
func checkMap(text string, sources []*source) (complaints []string) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > mapLines {
		complaints = append(complaints, fmt.Sprintf("%s has %d lines, and may have %d", theMap, len(lines), mapLines))
	}
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n > commentWide {
			complaints = append(complaints, fmt.Sprintf("%s:%d: the line has %d columns, and may have %d", theMap, i+1, n, commentWide))
		}
	}
	functions := make(map[string]bool) // "file name"; "file " for the file itself
	for _, s := range sources {
		functions[s.path+" "] = true
		for _, d := range s.tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				functions[s.path+" "+f.Name.Name] = true
			}
		}
	}
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		if !functions[m[1]+" "+m[2]] {
			complaints = append(complaints, strings.TrimSpace(fmt.Sprintf("%s names what is not there: %s %s", theMap, m[1], m[2])))
		}
	}
	return complaints
}

// exportData gives the compiler's export data of every package that ours
// import, from the build cache.
func exportData(t *testing.T) func(importPath string) (io.ReadCloser, error) {
	t.Helper()
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "./sim", "./node", "./clock", "./quorum/...")
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
		"goroutine":                     {"clock/x.go", "package clock\nfunc f() { go f() }", "x.go:2: a state machine starts a goroutine"},
		"select":                        {"ring/x.go", "package ring\nfunc f() { select {} }", "selects"},
		"channel":                       {"node/x.go", "package node\nvar c chan int", "has a channel"},
		"send":                          {"node/x.go", "package node\nfunc f() { c <- 1 }", "sends"},
		"receive":                       {"node/x.go", "package node\nfunc f() { <-c }", "receives"},
		"a long comment":                {"ring/x.go", "package ring\n// " + strings.Repeat("é", 118), "x.go:2: a comment ends in column 121"},
		"a comment of all columns":      {"ring/x.go", "package ring\n// " + strings.Repeat("é", 117), ""},
		"a comment behind a long line":  {"ring/x_test.go", "package ring\nvar a = " + strings.Repeat("1+", 50) + "1 // the sum of ones", "ends in column"},
		"a long line without a comment": {"ring/x.go", "package ring\nvar a = " + strings.Repeat("1+", 70) + "1", ""},
		"sync":                          {"roster/x.go", "package roster\nimport \"sync/atomic\"", "imports sync/atomic"},
		"net":                           {"wire/x.go", "package wire\nimport \"net\"", "imports net"},
		"os":                            {"detect/x.go", "package detect\nimport \"os\"", "imports os"},
		"slog":                          {"detect/x.go", "package detect\nimport \"log/slog\"", "imports log/slog"},
		"crypto/rand":                   {"x.go", "package hearsay\nimport \"crypto/rand\"", "imports crypto/rand"},
		"sha256 in a protocol":          {"roster/x.go", "package roster\nimport \"crypto/sha256\"", "imports crypto/sha256"},
		"clock read":                    {"node/x.go", "package node\nimport \"time\"\nvar t = time.Now()", "time.Now"},
		"clock read, renamed":           {"node/x.go", "package node\nimport t \"time\"\nvar f = t.AfterFunc", "time.AfterFunc"},
		"global random":                 {"node/x.go", "package node\nimport \"math/rand/v2\"\nvar n = rand.IntN(6)", "rand.IntN"},
		"old random":                    {"node/x.go", "package node\nimport \"math/rand\"\nvar n *rand.Rand", "imports math/rand"},
		"upward import":                 {"roster/x.go", "package roster\nimport \"hearsay/node\"", "roster may not import " + module + "/node"},
		"sideways import":               {"detect/x_test.go", "package detect\nimport \"hearsay/wire\"", "detect may not import " + module + "/wire"},
		"sideways import, not of tests": {"follower/x.go", "package follower\nimport \"hearsay/quorum\"", "follower may not import " + module + "/quorum"},
		"bbolt outside the store":       {"agent/x.go", "package agent\nimport \"go.etcd.io/bbolt\"", "agent may not import go.etcd.io/bbolt"},
		"rapid outside tests":           {"ring/x.go", "package ring\nimport \"pgregory.net/rapid\"", "may not import pgregory.net/rapid"},
		"template":                      {"web/x.go", "package web\nimport \"html/template\"", "dead code"},
		"new package":                   {"util/x.go", "package util", "util is not in the house"},
		"sleep in a test":               {"agent/x_test.go", "package agent\nimport \"time\"\nfunc f() { time.Sleep(1) }", "x_test.go:3: a test sleeps"},
		"long function":                 {"agent/x.go", "package agent\nfunc f() {" + strings.Repeat("\n", 70) + "}", "f has 71 lines"},

		"a name without a comment":     {"agent/x.go", "package agent\nfunc F() {}", "x.go:2: F is exported, and has no comment"},
		"a method without a comment":   {"agent/x.go", "package agent\nfunc (t *T[K]) F() {}", "F is exported"},
		"a constant without a comment": {"agent/x.go", "package agent\nconst (\n\t// A is one.\n\tA = 1\n\tB = 2\n)", "x.go:5: B is exported"},
		"a clause in place of a noun":  {"agent/x.go", "package agent\n\n// It asks whom it knows.", "x.go:3: a comment says \"whom\""},
		"a metaphor":                   {"agent/x.go", "package agent\nvar fastLane int", "x.go:2: the name fastLane has \"Lane\" in it"},

		"fine in exported names":  {"agent/x.go", "package agent\n\n// T is one.\ntype T int\n\nfunc (t T) String() string { return \"\" }\nfunc (t *hidden) F() {}\n\n// These are two.\nconst (\n\tA = 1\n\tB = 2 // another\n)", ""},
		"fine in words":           {"agent/x.go", "package agent\nvar planet, atoll int // a shelfmark", ""},
		"fine in a state machine": {"node/x.go", "package node\nimport (\"math/rand/v2\"; \"net/netip\"; \"time\"; \"hearsay/roster\")\nvar r = rand.New(rand.NewPCG(1, 2))\nvar d = time.Unix(0, 0)\nvar a netip.Addr", ""},
		"fine in the root":        {"x.go", "package hearsay\nimport \"crypto/sha256\"", ""},
		"fine in the agent":       {"agent/x.go", "package agent\nimport (\"sync\"; \"time\")\nfunc f() { go f(); <-time.After(1) }", ""},
		"fine in a test":          {"sim/x_test.go", "package sim\nimport (\"os\"; \"hearsay/clock\"; \"pgregory.net/rapid\")\nfunc f() { go f() }" + strings.Repeat("\n", 80), ""},
		"fine in tests of a kit":  {"follower/x_test.go", "package follower\nimport \"hearsay/quorum\"", ""},
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
		{room{dir: "cellar", layer: 1}, "there is no package in cellar"},
		{room{dir: "ring", layer: 0, theirs: "go.etcd.io/bbolt"}, "ring may import go.etcd.io/bbolt, but does not"},
		{room{dir: "ring", layer: 0, tests: "clock"}, "tests of ring may import clock of the same layer, but do not"},
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

func TestTidyBitesLists(t *testing.T) {
	for list, want := range map[string]string{
		"//\ta.go x  b.go y\n":             "",
		"//\ta.go x\n":                     "lacks b.go",
		"//\ta.go x  b.go y\n//\tc.go z\n": "has c.go",
		"// see a.go\n":                    "",
	} {
		set := token.NewFileSet()
		var sources []*source
		for name, text := range map[string]string{"x/doc.go": "// Package x is.\n//\n" + list + "package x", "x/a.go": "package x", "x/b.go": "package x", "x/b_test.go": "package x"} {
			s, err := parse(set, room{dir: "x"}, name, text)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, s)
		}
		bites(t, list, checkLists(sources), want)
	}
}

func TestTidyBitesMethods(t *testing.T) {
	for name, c := range map[string]struct {
		methods int
		want    string
	}{
		"as many as may be": {70, ""},
		"one more":          {71, "ring.T has 71 methods, and may have 70"},
	} {
		text := "package ring\ntype T[K any] struct{}\n"
		for i := range c.methods {
			text += fmt.Sprintf("func (t *T[K]) m%d() {}\n", i)
		}
		s, err := parse(token.NewFileSet(), roomOf("ring"), "ring/a.go", text)
		if err != nil {
			t.Fatal(err)
		}
		bites(t, name, checkMethods([]*source{s}), c.want)
	}
}

func TestTidyBitesTheMap(t *testing.T) {
	s, err := parse(token.NewFileSet(), roomOf("ring"), "ring/a.go", "package ring\nfunc (t *T) there() {}")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"`ring/a.go`":                      "",
		"`ring/a.go` `there`":              "",
		"`ring/a.go`\n`there`":             "",
		"`ring/a.go` and `gone`":           "",
		"`ring/b.go`":                      "names what is not there: ring/b.go",
		"`ring/a.go` `gone`":               "names what is not there: ring/a.go gone",
		strings.Repeat("é", commentWide):   "",
		strings.Repeat("é", commentWide+1): "the line has 121 columns",
		strings.Repeat("\n", mapLines):     "",
		strings.Repeat("\n", mapLines+1):   "has 151 lines, and may have 150",
	} {
		bites(t, text, checkMap(text, []*source{s}), want)
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
