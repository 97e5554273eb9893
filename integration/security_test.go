//go:build linux

package integration

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// exampleUnit is the hardened unit of the examples.
const exampleUnit = "../examples/unbound-ephemeral/unbound.service"

// shownOn is what a program writes to a terminal of that many columns.
func shownOn(t *testing.T, columns uint16, env []string, argv ...string) string {
	t.Helper()
	master, slave := pty(t)
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	const end = "<the end>" // the slave stays open until the test ends
	var text strings.Builder
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for !strings.HasSuffix(text.String(), end) {
			n, err := master.Read(b)
			if err != nil {
				return
			}
			text.Write(b[:n])
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := program{argv: argv, env: append(env, smallEnv...)}.command(ctx)
	cmd.Stdout, cmd.Stderr = slave, slave
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Dir = dir
	if err := cmd.Run(); err != nil {
		t.Errorf("%q: %v", argv, err)
	}
	if _, err := slave.WriteString(end); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal("the terminal was not read to its end")
	}
	return strings.ReplaceAll(strings.TrimSuffix(text.String(), end), "\r\n", "\n")
}

// piped is a start of hardrun whose output goes into a pipe, in the directory of the tests.
func piped(t *testing.T, env []string, words ...string) result {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return program{argv: append([]string{hardrun}, words...), env: append(env, smallEnv...), dir: dir}.run(t)
}

// Colours are for a terminal, which is not dumb, and for who wants them.
func TestSecurityColours(t *testing.T) {
	for _, tt := range []struct {
		name   string
		env    []string
		colour bool
	}{
		{"a terminal", []string{"TERM=xterm-256color"}, true},
		{"NO_COLOR", []string{"TERM=xterm-256color", "NO_COLOR=1"}, false},
		{"NO_COLOR, empty", []string{"TERM=xterm-256color", "NO_COLOR="}, true},
		{"TERM=dumb", []string{"TERM=dumb"}, false},
		{"no TERM", nil, false},
	} {
		text := shownOn(t, 80, tt.env, hardrun, "security", exampleUnit)
		if has := strings.Contains(text, "\x1b["); has != tt.colour {
			t.Errorf("%s: colours: %v, want %v:\n%.400q", tt.name, has, tt.colour, text)
		}
		if !strings.Contains(text, "✗ ") || !strings.Contains(text, "1.1 OK 🙂") {
			t.Errorf("%s: marks or faces are not there:\n%.400q", tt.name, text)
		}
		if !tt.colour {
			for line := range strings.Lines(text) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
					t.Errorf("%s: a line of %d columns: %q", tt.name, n, line)
				}
			}
		}
	}
	for _, words := range [][]string{{"security", exampleUnit}, {"security", exampleUnit, exampleUnit}, {"inspect", itoa(os.Getpid())}, {"inspect", "--all"}, {"security", "--pid", itoa(os.Getpid())}} {
		r := piped(t, []string{"TERM=xterm-256color"}, words...)
		if r.code != 0 || strings.Contains(r.stdout+r.stderr, "\x1b") {
			t.Errorf("%q into a pipe: status %d, %.300q, stderr %q", words, r.code, r.stdout, r.stderr)
		}
	}
	if text := piped(t, []string{"LC_ALL=C"}, "security", exampleUnit).stdout; strings.ContainsAny(text, "✓✗→🙂") || !strings.Contains(text, "\n- ") || !strings.Contains(text, "-> Overall") {
		t.Errorf("LC_ALL=C: not ASCII:\n%.300s", text)
	}
}

// The unit of the mail has the score that its author was given.
func TestSecurityOfTheMail(t *testing.T) {
	var f struct {
		Unit     string
		Exposure json.Number
		Level    string
		Checks   []struct {
			ID       string
			Set      *bool
			Exposure *json.Number
		}
	}
	r := piped(t, nil, "security", "--json", exampleUnit)
	if err := json.Unmarshal([]byte(r.stdout), &f); err != nil || r.code != 0 {
		t.Fatalf("status %d, %v: %s", r.code, err, r.stderr)
	}
	equal(t, "unit", f.Unit, "unbound.service")
	equal(t, "exposure", f.Exposure.String(), "1.1")
	equal(t, "level", f.Level, "OK")
	equal(t, "rows", len(f.Checks), 81)
	equal(t, "the worst row", f.Checks[0].ID+f.Checks[0].Exposure.String(), "PrivateNetwork=0.5")
	for words, code := range map[string]int{"--threshold=11": 0, "--threshold=1.0": 1, "--threshold=10": 1, "--threshold=100": 0} {
		if r := piped(t, nil, "security", words, exampleUnit); r.code != code {
			t.Errorf("%s: status %d, want %d", words, r.code, code)
		}
	}
}

// A file needs no root, and neither do options.
func TestSecurityWithoutRoot(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	file := write(t, dir+"/a.service", "[Service]\nExecStart=/bin/true\nUser=nobody\nPrivateTmp=yes\n", 0o644)
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	for _, words := range [][]string{{file}, {"--user=nobody", "--private-tmp"}} {
		argv := append([]string{hardrun, "security"}, words...)
		asRoot, asUser := runs(t, argv...), program{argv: argv, attr: nobody}.run(t)
		if asRoot.code != 0 || asUser.code != 0 || asUser.stdout != asRoot.stdout || asUser.stderr != "" {
			t.Errorf("%q: status %d as a user, %d as root; stderr %q", words, asUser.code, asRoot.code, asUser.stderr)
		}
	}
	other := program{argv: []string{probe, "serve", dir + "/notes", "0"}}.start(t)
	r := program{argv: []string{hardrun, "inspect", itoa(other.cmd.Process.Pid)}, attr: nobody}.run(t)
	if r.code != 0 || !strings.Contains(r.stdout, "unknown: ") {
		t.Errorf("inspect of a foreign process: status %d: %s%s", r.code, r.stdout, r.stderr)
	}
	r = program{argv: []string{hardrun, "security", "--pid", itoa(other.cmd.Process.Pid)}, attr: nobody}.run(t)
	if r.code != 0 || !strings.Contains(r.stdout, "of 81 rows cannot be known:\n") {
		t.Errorf("security of a foreign process: status %d: %s%s", r.code, r.stdout, r.stderr)
	}
	r = program{argv: []string{hardrun, "inspect", "--all"}, attr: nobody}.run(t)
	if r.code != 0 || !strings.Contains(r.stdout, "cannot be seen of ") {
		t.Errorf("inspect --all: status %d: %.500s%s", r.code, r.stdout, r.stderr)
	}
}

// confined starts a daemon through hardrun, and waits until it is there.
func confined(t *testing.T, words ...string) *daemon {
	t.Helper()
	notes := directory(t, 0o777) + "/notes"
	d := program{argv: append(append([]string{hardrun}, words...), "--", probe, "serve", notes, "0")}.start(t)
	eventually(t, "the daemon", func() bool { return exists(notes) })
	return d
}

// inspectForm is the form of inspect --json, as far as it is looked at here.
type inspectForm struct {
	PID     int
	Name    string
	Args    []string
	Threads []struct {
		Count, UID, GID int
		Groups          []int
		Caps            map[string]struct {
			Mask  string
			Names []string
		}
		NNP     bool `json:"no_new_privs"`
		Seccomp string
	}
	UMask    string
	Exposure json.Number
	Against  []struct{ Directive, Origin, State, Text string }
}

func TestInspectCommand(t *testing.T) {
	requireRoot(t)
	d := confined(t, "--user=65534:65534", "--caps=net_bind_service", "--no-new-privs", "--umask=027", "--seccomp=~@mount")
	pid := itoa(d.cmd.Process.Pid)
	r := run(t, "inspect", "--json", pid)
	f := decode[inspectForm](t, r.stdout)
	if r.code != 0 || f.PID != d.cmd.Process.Pid || len(f.Threads) != 1 || f.UMask != "0027" || f.Exposure == "" {
		t.Fatalf("status %d: %s", r.code, r.stdout)
	}
	th := f.Threads[0]
	if th.UID != 65534 || th.GID != 65534 || th.Caps["ambient"].Mask != status(t, d.cmd.Process.Pid, "CapAmb") || len(th.Caps["ambient"].Names) != 1 || !th.NNP || th.Seccomp != "filter" {
		t.Errorf("got %+v", th)
	}
	r = run(t, "inspect", pid)
	for _, want := range []string{"process         probe[" + pid + "]", "  effective     " + status(t, d.cmd.Process.Pid, "CapEff") + "  net_bind_service\n", "  no_new_privs  set\n", "umask           0027\n", "  seccomp       1 filter\n", "exposure  "} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in\n%s", want, r.stdout)
		}
	}
	for _, flag := range []string{"--all", "--tree"} {
		found := ""
		for line := range strings.Lines(run(t, "inspect", flag).stdout) {
			if w := strings.Fields(line); w[0] == pid {
				found = strings.Join(w[2:5], " ") + " " + strings.Join(w[6:], " ")
			}
		}
		if !strings.HasPrefix(found, "probe yes yes ") || !strings.Contains(found, "net_bind_service") {
			t.Errorf("%s: got %q", flag, found)
		}
	}
	var list []inspectForm
	if err := json.Unmarshal([]byte(run(t, "inspect", "--all", "--json").stdout), &list); err != nil || len(list) < 2 {
		t.Errorf("--all --json: %d, %v", len(list), err)
	}
	if r := run(t, "security", "--pid", pid); r.code != 0 || !strings.Contains(r.stdout, "Overall exposure level for probe["+pid+"]: ") {
		t.Errorf("security --pid: status %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

func TestInspectAgainstCommand(t *testing.T) {
	requireRoot(t)
	options := []string{"--user=65534:65534", "--no-new-privs", "--umask=027"}
	d := confined(t, options...)
	pid := itoa(d.cmd.Process.Pid)
	if r := run(t, append([]string{"inspect", pid}, options...)...); r.code != 0 || !strings.Contains(r.stdout, "applied") {
		t.Errorf("against its own options: status %d: %s%s", r.code, r.stdout, r.stderr)
	}
	dir := directory(t, 0o755)
	file := write(t, dir+"/a.service", "[Service]\nExecStart="+probe+"\nUser=65534\nNoNewPrivileges=yes\nUMask=0077\n", 0o644)
	r := run(t, "inspect", pid, "--against", file)
	found := false
	for line := range strings.Lines(r.stdout) {
		w := strings.Fields(line)
		found = found || len(w) > 3 && (w[1] == "missing" || w[1] == "weaker") && w[2] == "UMask=" && w[3] == "a.service:5"
	}
	if r.code != 1 || !found {
		t.Errorf("against a unit: status %d: %s%s", r.code, r.stdout, r.stderr)
	}
	r = run(t, "inspect", "--json", pid, "--against="+file)
	f := decode[inspectForm](t, r.stdout)
	states := map[string]string{}
	for _, a := range f.Against {
		states[a.Directive] = a.State
	}
	if r.code != 1 || states["NoNewPrivileges"] != "applied" || states["UMask"] == "applied" || states["UMask"] == "" {
		t.Errorf("--json: status %d: %v", r.code, states)
	}
}

// Names and arguments of others reach no terminal as they are.
func TestInspectHostileNames(t *testing.T) {
	requireRoot(t)
	const name = "a\x1b]0;x\a\nfake\x9b"
	dir := directory(t, 0o777)
	d := program{argv: []string{copied(t, probe, dir+"/"+name, 0o755), "serve", dir + "/notes\x1b[2J", "0"}}.start(t)
	eventually(t, "the daemon", func() bool { return exists(dir + "/notes\x1b[2J") })
	pid := itoa(d.cmd.Process.Pid)
	for _, words := range [][]string{{"inspect", pid}, {"inspect", "--all"}, {"inspect", "--tree"}, {"security", "--pid", pid}, {"inspect", pid, "--user=root"}} {
		text := shownOn(t, 120, []string{"TERM=dumb"}, append([]string{"sh", "-c", `"$@" || test $? = 1`, "sh", hardrun}, words...)...)
		acts := func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 }
		if !utf8.ValidString(text) || strings.ContainsFunc(text, acts) || strings.Contains(text, "\nfake") {
			t.Errorf("%q: a name acts on the terminal:\n%.600q", words, text)
		}
		if !strings.Contains(text, "fake") {
			t.Errorf("%q: the process is not there:\n%.600q", words, text)
		}
	}
	f := decode[inspectForm](t, run(t, "inspect", "--json", pid).stdout)
	if !strings.HasPrefix(f.Name, "a\x1b]0;x\a\nfake") || len(f.Args) != 4 {
		t.Errorf("--json: name %q, arguments %q", f.Name, f.Args)
	}
}

func TestSecurityCommandStatus(t *testing.T) {
	dir := directory(t, 0o755)
	bare := write(t, dir+"/bare.service", "[Service]\nExecStart=/bin/true\n", 0o644)
	bad := write(t, dir+"/bad.service", "[Service]\nPrivateTmp=yes\n", 0o644)
	for _, tt := range []struct {
		words string
		code  int
		say   string
	}{
		{"security " + bare, 0, ""},
		{"security --threshold=9.3 " + bare, 1, ""},
		{"security " + bad, 78, "systemd would not load it"},
		{"security --threshold=1 " + bare + " " + bad, 78, "bad.service"},
		{"security nosuch-unit-anywhere", 78, "not found"},
		{"security", 64, "is missing"},
		{"security --threshold=11.0 " + bare, 64, "--threshold"},
		{"security --pid=4194305", 1, "no process 4194305"},
		{"security --pid=me", 64, "no process ID"},
		{"inspect", 64, "is missing"},
		{"inspect x", 64, "no process ID"},
		{"inspect 4194305", 1, "no process 4194305"},
		{"inspect --all 1", 64, "either"},
		{"inspect 1 --against", 64, "--against"},
		{"inspect 1 --against=" + bad + "x.service", 78, "no such file"},
		{"inspect --all --against=" + bare, 64, "--against"},
		{"inspect 1 --nosuch", 64, "unknown option"},
		{"inspect 1 -- x", 64, "a command is not taken"},
		{"inspect --json=systemd 1", 64, "--json"},
	} {
		r := run(t, strings.Fields(tt.words)...)
		if r.code != tt.code || !strings.Contains(r.stderr, tt.say) || tt.say == "" && r.stderr != "" {
			t.Errorf("%s: status %d, want %d; stderr %q", tt.words, r.code, tt.code, r.stderr)
		}
	}
}
