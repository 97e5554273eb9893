package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/policy"
)

// settings is what a command line asks for, as Name=value.
func settings(in *invocation) []string {
	var out []string
	for _, s := range in.policy.Settings() {
		out = append(out, s.Directive.ConfigName()+"="+s.Value)
	}
	for _, a := range in.policy.NotApplied {
		out = append(out, "not applied "+a.Directive.ConfigName()+"="+a.Value)
	}
	return out
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		line    string
		want    string // settings behind ";", or empty
		command string
	}{
		{"daemon -f", "", "daemon -f"},
		{"-- daemon -f", "", "daemon -f"},
		{"-- --user=x", "", "--user=x"},
		{"-u www daemon", "User=www", "daemon"},
		{"--user www daemon", "User=www", "daemon"},
		{"--user=www -- -daemon", "User=www", "-daemon"},
		{"-user=www daemon", "User=www", "daemon"},
		{"--User=www daemon", "User=www", "daemon"},
		{"-p User=www daemon", "User=www", "daemon"},
		{"--property=User=www daemon", "User=www", "daemon"},
		{"--property User=www daemon", "User=www", "daemon"},
		{"--no-new-privileges daemon yes", "NoNewPrivileges=yes", "daemon yes"},
		{"--no-new-privs=no daemon", "NoNewPrivileges=no", "daemon"},
		{"--NoNewPrivileges=yes daemon", "NoNewPrivileges=yes", "daemon"},
		{"--nice -5 daemon", "Nice=-5", "daemon"},
		{"--user=a --user=b daemon", "User=b", "daemon"},
		{"--caps=none --caps=chown,kill daemon", "X-Hardrun-Caps=cap_chown cap_kill", "daemon"},
		{"--env=A=b=c daemon", "Environment=A=b=c", "daemon"},
		{"--umask 027 daemon", "UMask=0027", "daemon"},
		{"--private-network daemon", "PrivateNetwork=yes", "daemon"},
		{"--user=x plan", "User=x", "plan"}, // a subcommand word behind an option is a program
		{"- x", "", "- x"},
		{"--user=www", "User=www", ""},
	} {
		in, err := parse(strings.Fields(tt.line), nil)
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
			continue
		}
		if got := strings.ToLower(strings.Join(settings(in), ";")); got != strings.ToLower(tt.want) {
			t.Errorf("%q asks for %q, want %q", tt.line, got, tt.want)
		}
		if got := strings.Join(in.command, " "); got != tt.command {
			t.Errorf("%q runs %q, want %q", tt.line, got, tt.command)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		line []string
		want string
		hint string
	}{
		{[]string{"--protct-system", "x"}, "unknown option --protct-system", "did you mean --protect-system?"},
		{[]string{"--no-new-privileges", "yes", "x"}, "a value is given by \"=\"", "--no-new-privileges=yes"},
		{[]string{"--protect-system", "strict", "x"}, "a value is given by \"=\"", "--protect-system=strict"},
		{[]string{"-uwww", "x"}, "unknown option -uwww", "did you mean -u www?"},
		{[]string{"--user"}, "--user: a value is missing", ""},
		{[]string{"--user", "--caps=none", "x"}, "--user: a value is missing", "given by \"=\""},
		{[]string{"--user=", "x"}, "an empty value is refused", ""},
		{[]string{"-u", "", "x"}, "an empty value is refused", ""},
		{[]string{"--caps=", "x"}, "an empty value is refused", ""},
		{[]string{"--chroot=", "x"}, "an empty value is refused", ""},
		{[]string{"--group=", "x"}, "an empty value is refused", ""},
		{[]string{"--environment=", "x"}, "nothing was set before it", ""},
		{[]string{"-p", "User", "x"}, "is no Name=value", ""},
		{[]string{"-p", "Usr=x", "x"}, "unknown directive", "did you mean User=?"},
		{[]string{"--user=a\x00b", "x"}, "NUL", ""},
		{[]string{"x", "a\x00b"}, "NUL", ""},
		{[]string{"nginx.service"}, "a unit file is no command", "--unit nginx.service"},
		{[]string{"--unit", "no-such-unit"}, "no-such-unit.service: ", ""},
		{[]string{"--unit", "a", "--unit", "b"}, "one unit is taken", ""},
		{[]string{"--drop-in=@network-servic", "x"}, "unknown profile", "@network-service"},
		{[]string{"-p", "X-Hardrun-DropIn=@network-servic", "x"}, "unknown profile", "@network-service"},
		{[]string{"-p", "X-Hardrun-Unit=no-such-unit"}, "no-such-unit.service: ", ""},
		{[]string{"-p", "X-Hardrun-Strict", "x"}, "is no Name=value", ""},
	} {
		in, err := parse(tt.line, nil)
		if err == nil {
			t.Errorf("%q was taken: %v", tt.line, settings(in))
			continue
		}
		var hint string
		switch e := err.(type) {
		case *usageError:
			hint = e.hint
		case *policy.Error:
			hint = e.Hint
		}
		if !strings.Contains(err.Error(), tt.want) || !strings.Contains(hint, tt.hint) {
			t.Errorf("%q: %q, hint %q; want %q, %q", tt.line, err, hint, tt.want, tt.hint)
		}
	}
}

// The words are reserved from the start, and only as the first argument.
func TestSubcommandWords(t *testing.T) {
	want := strings.Fields("plan security inspect cage directives syscalls completion version help learn convert")
	for _, w := range want {
		if !isSubcommand(w) {
			t.Errorf("%s is no subcommand", w)
		}
	}
	if len(commands()) != len(want) {
		t.Errorf("%d words, want %d", len(commands()), len(want))
	}
	for _, w := range []string{"", "--", "--plan", "Plan", "plans"} {
		if isSubcommand(w) {
			t.Errorf("%q is a subcommand", w)
		}
	}
}

// Every group of help names options that are there.
func TestHelpGroups(t *testing.T) {
	for _, g := range helpGroups {
		for _, name := range g.names {
			d := policy.Lookup(name)
			if d == nil {
				d = policy.Lookup("X-Hardrun-" + name)
			}
			if d == nil || d.Support != policy.Applied || d.NoOption {
				t.Errorf("%s: %s is no option that is applied", g.title, name)
			}
		}
	}
}

// FuzzParse: whatever is typed, options and command together are the line.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"-u www\n--\nx", "--caps\nnone\nx", "-p\nNice=3\nx\n-y", "--nice=\nx", "-\n-", "--no-new-privs\nno"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		args := strings.Split(s, "\n")
		in, err := parse(args, nil)
		if err != nil || in.help {
			return
		}
		if !slices.Equal(append(slices.Clone(in.options), in.command...), args) {
			t.Fatalf("%q: options %q and command %q are not the line", args, in.options, in.command)
		}
	})
}
