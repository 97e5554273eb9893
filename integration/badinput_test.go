//go:build linux

package integration

import (
	"os"
	"strings"
	"testing"
)

// Each with one clear line and a status of the manual, the daemon never started.
func TestBadInput(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	file := write(t, dir+"/file", "", 0o644)
	for _, name := range []string{"a", "b"} {
		if err := os.Symlink(map[string]string{"a": "b", "b": "a"}[name], dir+"/"+name); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		name  string
		words []string // behind hardrun
		code  int
		say   []string
	}{
		{"nothing", nil, 64, []string{"a command is missing"}},
		{"options alone", []string{"--user=nobody"}, 64, []string{"a command is missing"}},
		{"dashes alone", []string{"--"}, 64, []string{"a command is missing"}},
		{"empty command", []string{"--", ""}, 203, []string{"empty"}},
		{"unknown command", []string{"--", "nosuchcommand"}, 203, []string{"command not found: nosuchcommand"}},
		{"missing command", []string{"--", "/nosuch/command"}, 203, []string{"/nosuch/command", "no such file or directory"}},
		{"user of an unset variable", []string{"--user=", "--", probe}, 64, []string{"--user"}},
		{"property of an unset variable", []string{"-p", "User=", "--", probe}, 64, []string{"User="}},
		{"root of an unset variable", []string{"--chroot=", "--", probe}, 64, []string{"--chroot"}},
		{"caps of an unset variable", []string{"--caps=", "--", probe}, 64, []string{"--caps"}},
		{"filter with nothing to reset", []string{"-p", "SystemCallFilter=", "--", probe}, 64, []string{"SystemCallFilter="}},
		{"bounding set with nothing to reset", []string{"--capability-bounding-set=", "--", probe}, 64, []string{"--capability-bounding-set"}},
		{"unknown capability", []string{"--caps=net_bind", "--", probe}, 64, []string{"net_bind", "hint"}},
		{"unknown capability in a set", []string{"--capability-bounding-set=CAP_NET_BIND", "--", probe}, 64, []string{"CAP_NET_BIND", "hint"}},
		{"unknown limit", []string{"--limit-nofiles=5", "--", probe}, 64, []string{"--limit-nofiles", "hint: did you mean --limit-nofile?"}},
		{"unknown directive", []string{"-p", "NoNewPrivilege=yes", "--", probe}, 64, []string{"NoNewPrivilege", "hint: did you mean NoNewPrivileges=?"}},
		{"unknown option", []string{"--no-new-priv", "--", probe}, 64, []string{"--no-new-priv", "hint"}},
		{"case of a directive", []string{"-p", "nonewprivileges=yes", "--", probe}, 64, []string{"nonewprivileges"}},
		{"unknown value", []string{"--secure-bits=noboot", "--", probe}, 64, []string{"noboot"}},
		{"comment behind a value", []string{"-p", "NoNewPrivileges=yes # really", "--", probe}, 64, []string{"NoNewPrivileges="}},
		{"no boolean", []string{"--no-new-privs=maybe", "--", probe}, 64, []string{"maybe"}},
		{"soft above hard", []string{"--limit-nofile=5:4", "--", probe}, 64, []string{"--limit-nofile"}},
		{"no number", []string{"--limit-nproc=many", "--", probe}, 64, []string{"--limit-nproc"}},
		{"property without =", []string{"-p", "User", "--", probe}, 64, []string{"User"}},
		{"property without a name", []string{"-p", "=x", "--", probe}, 64, []string{"=x"}},
		{"option without its value", []string{"--user"}, 64, []string{"--user", "value is missing"}},
		{"option before another", []string{"--user", "--caps=none", "--", probe}, 64, []string{"--user", "value is missing"}},
		{"cage missing", []string{"--chroot=" + dir + "/nosuch", "--", "/probe"}, 210, []string{"RootDirectory=", "nosuch", "no such file or directory"}},
		{"cage a file", []string{"--chroot=" + file, "--", "/probe"}, 210, []string{"RootDirectory=", "not a directory"}},
		{"cage a symlink loop", []string{"--chroot=" + dir + "/a", "--", "/probe"}, 210, []string{"RootDirectory="}},
		{"cage relative", []string{"--chroot=cage", "--", "/probe"}, 64, []string{"--chroot", "not absolute"}},
		{"cage upwards", []string{"--chroot=/srv/../etc", "--", "/probe"}, 64, []string{"--chroot", ".."}},
		{"cage by a magic link", []string{"--chroot=/proc/self/root", "--", "/probe"}, 210, []string{"RootDirectory="}},
		{"value of a bare boolean", []string{"--protect-system", "strict", "x"}, 64, []string{"hint: did you mean --protect-system=strict?"}},
		{"value of another", []string{"--no-new-privs", "yes", "x"}, 64, []string{"hint: did you mean --no-new-privs=yes?"}},
		{"unit as a command", []string{"nginx.service"}, 64, []string{"hint: did you mean --unit nginx.service?"}},
		{"unit as a command of plan", []string{"plan", "nginx.service"}, 64, []string{"hint: did you mean --unit nginx.service?"}},
		{"plan without a command", []string{"plan"}, 64, []string{"plan"}},
		{"subcommand that is not built", []string{"learn", "x"}, 64, []string{"learn"}},
		{"waiver of nothing known", []string{"--waive=Everything", "--", probe}, 64, []string{"Everything"}},
		{"waiver of all", []string{"--waive=all", "--", probe}, 64, []string{"all"}},
		{"waiver of the user", []string{"--waive=User", "--", probe}, 64, []string{"User"}},
		{"waiver of the root", []string{"--waive=RootDirectory", "--", probe}, 64, []string{"RootDirectory"}},
		{"log to nowhere", []string{"--log=nowhere", "--", probe}, 64, []string{"--log"}},
		{"working directory missing", []string{"--working-directory=/nosuch", "--", probe}, 200, []string{"WorkingDirectory=", "/nosuch"}},
		{"home without a user", []string{"--working-directory=~", "--", probe}, 200, []string{"WorkingDirectory="}},
		{"environment without =", []string{"--env=NAME", "--", probe}, 64, []string{"--env"}},
		{"environment file missing", []string{"--environment-file=/nosuch", "--", probe}, 203, []string{"EnvironmentFile=", "/nosuch"}},
		{"PAM", []string{"--pam-name=login", "--", probe}, 78, []string{"PAMName="}},
		{"stream of no kind", []string{"--standard-output=paper", "--", probe}, 64, []string{"--standard-output"}},
	} {
		t.Run(x.name, func(t *testing.T) { refused(t, run(t, x.words...), x.code, x.say...) })
	}
	t.Run("no argv", func(t *testing.T) {
		// CVE-2021-4034. Linux since 5.18 gives such a program one empty word.
		r := runs(t, append([]string{probe, "with", "noargv", "--"}, hardrun)...)
		refused(t, r, 64)
	})
	t.Run("several at once", func(t *testing.T) {
		r := run(t, "--user=nosuch", "--group=nosuch", "--chroot="+dir+"/nosuch", "--startup-cpu-weight=5", "--", "/probe")
		if r.started() || r.code == 0 {
			t.Error("the daemon was started")
		}
		for _, w := range []string{"User=", "Group=", "RootDirectory=", "StartupCPUWeight="} {
			equal(t, w, strings.Count(r.stderr, "hardrun: "+w), 1)
		}
	})
}

// A packager's mistake must not make root (threat A86).
func TestSetuidRefused(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	for name, mode := range map[string]uint32{"setuid": 0o4755, "setgid": 0o2755} {
		t.Run(name, func(t *testing.T) {
			copied(t, hardrun, dir+"/"+name, mode)
			// The bit works: another program with it has the id of root.
			copied(t, probe, dir+"/probe-"+name, mode)
			s := runs(t, with("gid=65534 uid=65534", dir+"/probe-"+name)...).state(t)
			if s.UIDs[1] != 0 && s.GIDs[1] != 0 {
				t.Fatal("the bit does not work here")
			}
			for _, words := range [][]string{{"--", probe}, {"--user=root", "--", probe}, {"plan", probe}, {"version"}} {
				refused(t, runs(t, with("gid=65534 uid=65534", append([]string{dir + "/" + name}, words...)...)...), 64, "setuid")
			}
		})
	}
	t.Run("file capabilities", func(t *testing.T) {
		setcap := requireProgram(t, "setcap", "libcap2-bin")
		file := copied(t, hardrun, dir+"/capable", 0o755)
		if r := runs(t, setcap, "cap_setuid+ep", file); r.code != 0 {
			t.Skip("needs a file system with file capabilities: " + r.stderr)
		}
		refused(t, runs(t, with("gid=65534 uid=65534", file, "--", probe)...), 64, "setuid")
	})
}

// Every directive that is known and not applied refuses by its name; those of a
// service manager are taken and change nothing. None is passed over in silence.
func TestNotApplied(t *testing.T) {
	list := run(t, "directives")
	if list.code != 0 {
		t.Fatal(list.stderr)
	}
	counts := map[string]int{}
	for l := range strings.Lines(list.stdout) {
		f := strings.Fields(l)
		if len(f) < 2 || !strings.HasSuffix(f[0], "=") {
			continue
		}
		name, kind := strings.TrimSuffix(f[0], "="), f[1]
		counts[kind]++
		switch kind {
		case "refused", "impossible":
			r := run(t, "-p", name+"=/some/thing", "--", probe)
			refused(t, r, 78, "hardrun: "+name+"=: ", "(-p)")
		case "noted":
			r := run(t, "-p", name+"=something", "--", probe)
			if r.code != 0 || !r.started() || r.stderr != "" {
				t.Errorf("%s=: status %d, %q", name, r.code, r.stderr)
			}
		case "applied":
		default:
			t.Errorf("%s= is %q", name, kind)
		}
	}
	t.Log(counts)
	for _, kind := range []string{"refused", "impossible", "noted", "applied"} {
		if counts[kind] < 5 {
			t.Errorf("%d directives are %s", counts[kind], kind)
		}
	}
}
