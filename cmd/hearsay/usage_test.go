package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// argsOf are the arguments without which a command takes no flags.
var argsOf = map[string][]string{
	"why": {"x"}, "remove": {"x"}, "say": {"x"}, "bar": {"x"},
	"ledger verify": {"x"}, "settings check": {"x"}, "sim attack": {"sybil"}, "sim diff": {"x", "y"},
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
		"sim campaign --runs": "", "sim campaign --workers": "",
		"sim attack --nodes": "", "sim attack --runs": "",
		"sim epidemic --n": "", "sim epidemic --k": "", "sim epidemic --runs": "",
	}
	plain := []string{"sim run --loss", "sim run --delay", "sim run --seed", "sim campaign --from", "sim attack --seed", "sim epidemic --seed"}
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
	for _, command := range []string{"why", "remove", "say", "bar", "ledger verify", "settings check", "sim attack", "sim diff", "help", "completion"} {
		var out, said bytes.Buffer
		line := append(strings.Fields(command), "")
		if code := run(line, &out, &said); code != exitUsage || out.Len() > 0 || !strings.HasPrefix(said.String(), "hearsay: "+command+": ") {
			t.Errorf("%q: exit code %d, printed %q and said %q", line, code, out.String(), said.String())
		}
	}
}
