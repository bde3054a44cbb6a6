package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// argsOf are the arguments without which a command takes no flags.
var argsOf = map[string][]string{
	"why": {"x"}, "remove": {"x"}, "say": {"x"}, "bar": {"x"}, "put": {"x", "y"}, "get": {"x"}, "del": {"x"}, "watch": {"x"}, "kv export": {"-"}, "kv import": {"-"},
	"ledger verify": {"x"}, "settings check": {"x"}, "sim attack": {"sybil"}, "sim mp1": {"x"}, "sim diff": {"x", "y"},
}

// eachFlag gives each flag of each command that a user may give.
func eachFlag(t *testing.T, do func(t *testing.T, command string, f *pflag.Flag)) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		command := strings.TrimPrefix(cmd.CommandPath(), "hearsay ")
		if strings.HasPrefix(command, "completion") || cmd.Hidden {
			return
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				t.Run(command+" --"+f.Name, func(t *testing.T) { do(t, command, f) })
			}
		})
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}

// refused runs a command line that must be refused, and gives what is said.
func refused(t *testing.T, command string, args ...string) string {
	t.Helper()
	var out, said bytes.Buffer
	line := slices.Concat(strings.Fields(command), argsOf[command], args)
	if code := run(line, &out, &said); code != exitUsage || out.Len() > 0 {
		t.Errorf("%q: exit code %d, printed %q and said %q; want to be refused", line, code, out.String(), said.String())
	}
	return said.String()
}

// No flag takes nothing for something: it is a variable that was not set, mostly, and the command would do
// as if the flag was not there.
func TestEmptyFlags(t *testing.T) {
	takes := map[string]string{"bar --why": "default none"} // and what their help says of it
	eachFlag(t, func(t *testing.T, command string, f *pflag.Flag) {
		if says, is := takes[command+" --"+f.Name]; is {
			if !strings.Contains(f.Usage, says) {
				t.Errorf("the help %q does not say %q", f.Usage, says)
			}
			return
		}
		if said := refused(t, command, "--"+f.Name+"="); !strings.Contains(said, "--"+f.Name) || !strings.Contains(said, "want ") {
			t.Errorf("said %q; want the flag, and what would be right", said)
		}
	})
}

// Zero is refused with words, or the help of the flag says what it means. A zero that needs no explanation
// is one of a number that only names something, or of what there may be none of.
func TestZeroFlags(t *testing.T) {
	refuses := map[string]string{ // what else must be given
		"up --for": "", "up --peers": "", "up --chatter-count": "--chatter=5s", "peer --chatter-count": "--chatter=5s", "rumors --limit": "",
		"sim run --nodes": "", "sim run --for": "",
		"put --ttl": "", "get --wait": "", "status --wait": "", "sim campaign --runs": "", "sim campaign --workers": "",
		"sim attack --nodes": "", "sim attack --runs": "",
		"sim detectors --kills": "",
		"sim epidemic --n":      "", "sim epidemic --k": "", "sim epidemic --runs": "",
	}
	plain := []string{"sim run --loss", "sim run --delay", "sim run --seed", "sim campaign --from", "sim attack --seed", "sim epidemic --seed", "sim mp1 --seed", "sim detectors --seed"}
	eachFlag(t, func(t *testing.T, command string, f *pflag.Flag) {
		name := command + " --" + f.Name
		if !slices.Contains([]string{"int", "uint64", "float64", "duration"}, f.Value.Type()) || slices.Contains(plain, name) {
			return
		}
		more, is := refuses[name]
		if !is {
			if !strings.Contains(f.Usage, "0") || f.Name == "seed" {
				t.Errorf("the help %q does not say what 0 means", f.Usage)
			}
			return
		}
		args := []string{"--" + f.Name + "=0"}
		if more != "" {
			args = append(args, more)
		}
		if said := refused(t, command, args...); !strings.Contains(said, f.Name+" 0") || !strings.Contains(said, "want ") {
			t.Errorf("said %q; want the flag, and what would be right", said)
		}
	})
}

// Nor does an argument: it names nothing.
func TestEmptyArguments(t *testing.T) {
	for _, command := range []string{"why", "remove", "say", "bar", "get", "del", "kv export", "kv import", "ledger verify", "settings check", "sim attack", "sim mp1", "sim diff", "help", "completion"} {
		var out, said bytes.Buffer
		line := append(strings.Fields(command), "")
		if code := run(line, &out, &said); code != exitUsage || out.Len() > 0 || !strings.HasPrefix(said.String(), "hearsay: "+command+": ") {
			t.Errorf("%q: exit code %d, printed %q and said %q", line, code, out.String(), said.String())
		}
	}
}

// wrongFor are values that no flag of a type takes.
var wrongFor = map[string][]string{
	"int":      {"x", "1.5", "99999999999999999999", "5s"},
	"uint64":   {"x", "-1", "99999999999999999999"},
	"float64":  {"x", "5%"},
	"duration": {"x", "5", "5 minutes", "9999999h"},
	"bool":     {"x", "2"},
}

// wrongTexts are values that the flags of a name do not take.
var wrongTexts = map[string][]string{
	"name": {"a b", strings.Repeat("n", 70), "a\x01", "\xff", " "}, "network": {strings.Repeat("n", 70), "a\x01", "\xff", " "},
	"advertise": {"1.2.3", "1.2.3.4:99999", ":x", "a b", "0.0.0.0", " "}, "join": {"1.2.3", "[::1", "a b", " ", `a"b`},
	"http-host": {"a b", "a:1", " "}, "overlay": {"star", " "}, "nodes": {"x", " ", "1,"}, "loss": {"x", " ", "1,"}, "detector": {"star", " "}, "rumors": {"star", " "}, "style": {"star"}, "stop": {"star"}, "log-style": {"p3"}, "on-signal": {"star"}, "context": {"!", "AQ=="},
	"ip": {"1.2.3", "star", " "}, "http": {"1.2.3:80", "a b:80", "1.2.3.4:x", "99999", "-1", " "}, "node": {"http://", "ftp://x", "99999", " "},
	"prefix": {"\xff", strings.Repeat("p", 1025)}, "plant": {"x", " "}, "lift": {"a b", " "}, "why": {strings.Repeat("w", 1000), "a\x01"},
}

// raw are words of packages that a user does not know.
var raw = regexp.MustCompile(`strconv|time: |parse error|lookup \S+ on|listen tcp|fork/exec|mkdir|flag: `)

// fileFlags name files and directories.
var fileFlags = []string{"config", "settings", "output", "data", "scenario"}

// A value that a flag does not take is refused in words: the flag, the value, and what would be right.
func TestWrongFlags(t *testing.T) {
	eachFlag(t, func(t *testing.T, command string, f *pflag.Flag) {
		values := wrongFor[f.Value.Type()]
		if values == nil {
			values = wrongTexts[f.Name]
		}
		if slices.Contains(fileFlags, f.Name) {
			return // see TestWrongFiles
		}
		if len(values) == 0 {
			t.Fatalf("which values does it not take? add some of --%s to wrongTexts", f.Name)
		}
		for _, value := range values {
			said := refused(t, command, "--"+f.Name+"="+value)
			if !strings.Contains(said, f.Name) || !strings.Contains(said, "want ") || raw.MatchString(said) {
				t.Errorf("%q: said %q; want the flag, and what would be right", value, said)
			}
		}
	})
}

// A file that is none is said to be what it is, and at once; so is a directory.
func TestWrongFiles(t *testing.T) {
	dir := t.TempDir()
	list, text, pipe := filepath.Join(dir, "seeds"), filepath.Join(dir, "text"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(list, []byte("127.0.0.1,7\n"), 0o600), os.WriteFile(text, []byte("a\x00b\n"), 0o600), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	argsOf := maps.Clone(argsOf)
	argsOf["ledger verify"] = []string{text}
	more := map[string][]string{
		"peer": {"--ip=127.0.0.1", "--port=0"}, "seed": {"--config=" + list, "--ip=127.0.0.1", "--port=7"}, "seed recover": {"--config=" + list, "--ip=127.0.0.1", "--port=7"},
	}
	said := func(t *testing.T, path string, line []string) {
		var out, said bytes.Buffer
		if code := run(line, &out, &said); code != exitFailed || !strings.Contains(said.String(), strings.ReplaceAll(path, "\x00", `\x00`)) || raw.MatchString(said.String()) {
			t.Errorf("%q: exit code %d, said %q; want it to fail, and the path", line, code, said.String())
		} else if !strings.Contains(said.String(), "there is no such") && !strings.Contains(said.String(), "want ") && !strings.Contains(said.String(), "saves one") {
			t.Errorf("%q: said %q; want what would be right", line, said.String())
		}
	}
	files := []string{filepath.Join(text, "x"), text, pipe}
	eachFlag(t, func(t *testing.T, command string, f *pflag.Flag) {
		wrong := files
		switch f.Name {
		case "output":
			wrong = []string{dir, pipe, filepath.Join(text, "x"), filepath.Join(dir, "none", "x")} // any text is added to
		case "config", "settings", "scenario":
			wrong = append(files, dir, filepath.Join(dir, "none"), "/dev/zero")
		case "data":
		default:
			return
		}
		if f.Name == "output" && command == "seed recover" || command == "up" {
			return // it keeps no log; this starts processes, see usage.txt
		}
		for _, path := range wrong {
			said(t, path, slices.Concat(strings.Fields(command), argsOf[command], more[command], []string{"--" + f.Name + "=" + path}))
		}
	})
	for _, command := range []string{"settings check", "ledger verify", "kv import", "sim diff"} {
		for _, path := range append(files, dir, filepath.Join(dir, "none")) {
			said(t, path, append(strings.Fields(command), path))
		}
	}
}
