package main

import (
	"os/exec"
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
		{[]string{"hardrun", "-u", "x", "--", "bas"}, "bash", "--user="},
	} {
		got := complete(t, tt.words...)
		if !contains(got, tt.want) || contains(got, tt.not) {
			t.Errorf("%q: %q, want %q among them and not %q", tt.words, got, tt.want, tt.not)
		}
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
