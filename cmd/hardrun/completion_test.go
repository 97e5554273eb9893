package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/policy"
)

// complete asks bash to complete a line, as a person who presses the tab key.
func complete(t *testing.T, words ...string) []string {
	t.Helper()
	script := bashCompletion() + `
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
compopt() { :; }
_hardrun
printf '%s\n' "${COMPREPLY[@]}"
`
	out, err := exec.Command("bash", append([]string{"-c", script, "bash"}, words...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("bash: %v: %s", err, out)
	}
	return strings.Fields(string(out))
}

func TestBashCompletion(t *testing.T) {
	for _, tt := range []struct {
		words []string
		want  string // must be among the answers
		not   string // must not be
	}{
		{[]string{"hardrun", "--no-new"}, "--no-new-privileges", "--user="},
		{[]string{"hardrun", "--limit-nof"}, "--limit-nofile=", "--limit-as="},
		{[]string{"hardrun", "pl"}, "plan", "cage"},
		{[]string{"hardrun", "--keyring-mode", "=", "pr"}, "private", "shared"},
		{[]string{"hardrun", "--user", "=", "roo"}, "root", "nobody"},
		{[]string{"hardrun", "--protect-sys"}, "--protect-system=", "--protect-home="},
		{[]string{"hardrun", "--protect-sys"}, "--protect-system", "--protect-home"},
		{[]string{"hardrun", "--protect-system", "=", "st"}, "strict", "yes"},
		{[]string{"hardrun", "--protect-system", "="}, "yes", "read-only"},
		{[]string{"hardrun", "--no-new-privileges", "=", "n"}, "no", "yes"},
		{[]string{"hardrun", "--delegate-namespaces", "=", "m"}, "mnt", "net"},
		{[]string{"hardrun", "--drop-in", "=", "@n"}, "@network-service", "@strict"},
		{[]string{"hardrun", "-u", "x", "--", "bas"}, "bash", "--user="},
	} {
		got := complete(t, tt.words...)
		if !contains(got, tt.want) || contains(got, tt.not) {
			t.Errorf("%q: %q, want %q among them and not %q", tt.words, got, tt.want, tt.not)
		}
	}
}

// The names of the machine's units are offered, without the suffix.
func TestUnitCompletion(t *testing.T) {
	found, err := filepath.Glob("/usr/lib/systemd/system/*.service")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Skip("needs a unit in /usr/lib/systemd/system")
	}
	name := strings.TrimSuffix(filepath.Base(found[0]), ".service")
	got := complete(t, "hardrun", "--unit", "=", name[:1])
	if !contains(got, name) || contains(got, name+".service") {
		t.Errorf("%q, want %q among them", got, name)
	}
}

// Every option that is applied is offered by every script.
func TestCompletionIsComplete(t *testing.T) {
	scripts := map[string]string{"bash": bashCompletion(), "zsh": zshCompletion(), "fish": fishCompletion()}
	for _, d := range policy.Directives {
		if d.Support != policy.Applied || d.NoOption {
			continue
		}
		for shell, text := range scripts {
			want := "--" + d.Option
			if shell == "fish" {
				want = "-l " + d.Option + " "
			}
			if !strings.Contains(text, want) {
				t.Errorf("%s: %s is not offered", shell, want)
			}
		}
	}
}

// Every word that a value can be is offered by every script, also for what a bare
// option means yes for.
func TestCompletionWords(t *testing.T) {
	for option, want := range map[string][3]string{ // bash, zsh, fish
		"protect-system":      {"--protect-system) COMPREPLY=($(compgen -W 'yes no full strict' ", "'--protect-system=-[", "-f -a 'yes no full strict'"},
		"protect-home":        {"--protect-home) COMPREPLY=($(compgen -W 'yes no read-only tmpfs' ", "'--protect-home=-[", "-f -a 'yes no read-only tmpfs'"},
		"private-users":       {"--private-users) COMPREPLY=($(compgen -W 'yes no self identity full' ", "'--private-users=-[", "-f -a 'yes no self identity full'"},
		"private-devices":     {"--private-devices) COMPREPLY=($(compgen -W 'yes no' ", "'--private-devices=-[", "-f -a 'yes no'"},
		"proc-subset":         {"--proc-subset) COMPREPLY=($(compgen -W 'all pid' ", "'--proc-subset=[", "-x -a 'all pid'"},
		"no-new-privs":        {"--no-new-privs) COMPREPLY=($(compgen -W 'yes no' ", "'--no-new-privs=-[", "-f -a 'yes no'"},
		"inaccessible-paths":  {" --inaccessible-paths=", "'--inaccessible-paths=[", " -r"},
		"delegate-namespaces": {"--delegate-namespaces) COMPREPLY=($(compgen -W 'yes no cgroup ipc net mnt pid uts' ", "'--delegate-namespaces=-[", "-f -a 'yes no cgroup ipc net mnt pid uts'"},
	} {
		for i, text := range [...]string{bashCompletion(), zshCompletion(), fishCompletion()} {
			found := i == 0 && strings.Contains(text, want[i])
			for line := range strings.Lines(text) {
				of := i == 1 && strings.Contains(line, "--"+option+"=") || i == 2 && strings.Contains(line, "-l "+option+" ")
				found = found || of && strings.Contains(line, want[i])
			}
			if !found {
				t.Errorf("%s: %q is not in the script of %s", option, want[i], [...]string{"bash", "zsh", "fish"}[i])
			}
		}
	}
}

// What a bare option means yes for is told with the other words that it takes, and
// in one group: a view, or a namespace.
func TestHelpWords(t *testing.T) {
	for name, want := range map[string]string{
		"ProtectSystem":  "--protect-system[=BOOL|full|strict]",
		"PrivateUsers":   "--private-users[=BOOL|self|identity|full]",
		"PrivateDevices": "--private-devices ",
		"ProcSubset":     "--proc-subset=all|pid ",
	} {
		if line := optionLine(policy.Lookup(name)); !strings.Contains(line+" ", want) {
			t.Errorf("%s: %q, want %q in it", name, line, want)
		}
	}
	if text := directiveText(policy.Lookup("DelegateNamespaces")); !strings.Contains(text, "\nwords       yes, no, cgroup, ipc, net, mnt, pid, uts\n") {
		t.Errorf("the words of DelegateNamespaces= are not told:\n%s", text)
	}
	grouped := map[string]string{}
	for _, g := range helpGroups {
		for _, name := range g.names {
			if grouped[name] != "" {
				t.Errorf("%s is in two groups, %s and %s", name, grouped[name], g.title)
			}
			grouped[name] = g.title
		}
	}
	for _, d := range policy.Directives {
		if d.Support == policy.Applied && !d.NoOption && (d.Class == policy.ClassView || d.Class == policy.ClassShield) && grouped[d.Name] == "" {
			t.Errorf("%s changes what the daemon sees, and is not in a group of its own kind", d.Name)
		}
	}
}
