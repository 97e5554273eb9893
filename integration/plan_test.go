//go:build linux

package integration

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

type planned struct {
	For   string
	Steps []struct{ Stage, Step, Directive, Origin, Because, Mechanism string }
	Notes []struct{ ID, Text string }
}

// callsOf is what strace shows for a mechanism that plan prints, written out by
// hand. Calls that only look or open are not in it.
var callsOf = []struct {
	mechanism string // a regular expression
	calls     []string
}{
	{`^openat\("/dev/null"\), dup3\((\d)\)$`, []string{`^dup3\(\d+, $1, 0`}},
	{`^execve$`, nil}, // the environment, which the last call takes
	{`^unshare\(CLONE_NEWNS\), mount\("/", MS_REC\|MS_SLAVE\)$`, []string{`^unshare\(CLONE_NEWNS`, `^mount\("", "/", .*MS_REC\|MS_SLAVE`}},
	{`^open_tree\("(.*)", AT_RECURSIVE\), move_mount$`, []string{`^open_tree\(`, `^move_mount\(`}},
	{`^pivot_root\("\.", "\."\), umount2\("\.", MNT_DETACH\), chdir\("/"\)$`, []string{`^fchdir\(`, `^pivot_root\("\.", "\."`, `^umount2\("\.", MNT_DETACH`, `^chdir\("/"`}},
	{`^openat2\(`, nil},
	{`^fstat\(\d\)$`, nil},
	{`^close_range\(3, ~0, CLOSE_RANGE_CLOEXEC\)$`, []string{`^close_range\(3, .*CLOSE_RANGE_CLOEXEC`}},
	{`^prctl\(PR_SET_DUMPABLE, 0\)$`, []string{`^prctl\(PR_SET_DUMPABLE, (SUID_DUMP_DISABLE|0)`}},
	{`^write\(/proc/self/\w+, "(.*)"\)$`, []string{`^write\(\d+, "$1", `}},
	{`^sched_setscheduler$`, []string{`^sched_setscheduler\(0, `}},
	{`^setpriority\(PRIO_PROCESS, 0, (-?\d+)\)$`, []string{`^setpriority\(PRIO_PROCESS, 0, $1`}},
	{`^ioprio_set$`, []string{`^ioprio_set\(IOPRIO_WHO_PROCESS, 0, `}},
	{`^set_mempolicy$`, []string{`^set_mempolicy\(`}},
	{`^prctl\(PR_SET_MEMORY_MERGE\)$`, []string{`^prctl\((PR_SET_MEMORY_MERGE|0x43)`}},
	{`^prctl\((PR_SET_TIMERSLACK|PR_SET_THP_DISABLE)\)$`, []string{`^prctl\($1, `}},
	{`^prctl\(PR_SET_KEEPCAPS, (\d)\)$`, []string{`^prctl\(PR_SET_KEEPCAPS, $1`}},
	{`^prctl\(PR_SET_NO_NEW_PRIVS, 1\)$`, []string{`^prctl\(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0`}},
	{`^prctl\(PR_SET_SECUREBITS, 0x5\)$`, []string{`^prctl\(PR_SET_SECUREBITS, (SECBIT_NOROOT\|SECBIT_NO_SETUID_FIXUP|0x5)`}},
	{`^personality\(0x0\)$`, []string{`^personality\((PER_LINUX|0)`}},
	{`^umask\(0?(\d+)\)$`, []string{`^umask\($1`}},
	{`^setgroups\((\d+), \[(.*)\]\)$`, []string{`^setgroups\($1, \[$2\]`}},
	{`^setresgid\((.*)\)$`, []string{`^setresgid\($1`}},
	{`^setresuid\((.*)\)$`, []string{`^setresuid\($1`}},
	{`^prctl\(PR_CAPBSET_DROP\) × (\d+)$`, []string{`$1×^prctl\(PR_CAPBSET_DROP, `}},
	{`^capset$`, []string{`^capset\(`}},
	{`^prctl\(PR_CAP_AMBIENT, CLEAR_ALL\), RAISE × (\d+)$`, []string{`^prctl\(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL`, `$1×^prctl\(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE`}},
	{`^keyctl\(KEYCTL_JOIN_SESSION_KEYRING\)$`, []string{`^keyctl\(KEYCTL_JOIN_SESSION_KEYRING, NULL`}},
	{`^chdir\("(.*)"\)$`, []string{`^chdir\("$1"`}},
	{`^prlimit64\(0, (RLIMIT_\w+)\)$`, []string{`^prlimit64\(0, $1, \{`}},
	{`^sched_setaffinity$`, []string{`^sched_setaffinity\(0, `}},
	{`^rt_sigaction × 62, rt_sigprocmask$`, []string{`62×^rt_sigaction\(SIG`, `^rt_sigprocmask\(SIG_SETMASK, `}},
	{`^close\((\d)\)$`, []string{`^close\($1$`}},
	{`^execve\("(.*)"\)$`, []string{`^execve\("$1"`}},
}

func expected(t *testing.T, mechanism string) []string {
	t.Helper()
	var list []string
	for _, m := range callsOf {
		re := regexp.MustCompile(m.mechanism)
		at := re.FindStringSubmatchIndex(mechanism)
		if at == nil {
			continue
		}
		for _, c := range m.calls {
			c = string(re.ExpandString(nil, regexp.MustCompile(`\$(\d)`).ReplaceAllString(c, `$${${1}}`), mechanism, at))
			times := 1
			if n, rest, ok := strings.Cut(c, "×"); ok {
				times, _ = strconv.Atoi(n)
				c = rest
			}
			for range times {
				list = append(list, c)
			}
		}
		return list
	}
	t.Fatalf("no system calls are known for %q", mechanism)
	return nil
}

var changes = regexp.MustCompile(`^(prctl\((PR_SET_|PR_CAPBSET_DROP|PR_CAP_AMBIENT, PR_CAP_AMBIENT_(RAISE|CLEAR|LOWER)|0x43)` +
	`|prlimit64\(\d+, \w+, [^N]|setrlimit\(|write\(|rt_sigaction\(\w+, [^N]|rt_sigprocmask\(SIG_SETMASK, [^N]|umask|personality\([^0]?[^x]*[^f]$` +
	`|keyctl\(KEYCTL_(JOIN|LINK)|sched_set|close_range|execve|dup3|close\([012]$)`)

// setting are the calls of the leader that change something, from the first that
// hardrun makes after the start of the Go runtime: before it come the pinning to
// one CPU and the soft limits of the runtime, which the last steps undo.
func setting(t *testing.T, tr trace) []string {
	t.Helper()
	var list []string
	leader := tr.calls[0].pid
	begun, rows, umask := false, false, false
	for _, c := range tr.calls {
		text := c.name + "(" + c.args
		if c.pid != leader {
			if changing[c.name] {
				t.Errorf("another thread called %s", text)
			}
			continue
		}
		begun = begun || strings.HasPrefix(text, `openat(AT_FDCWD, "/proc", `)
		switch {
		case !begun, strings.HasPrefix(c.name, "rt_sig") && !rows, c.name == "dup3" && c.answer != "0" && c.answer != "1" && c.answer != "2":
			continue
		case c.name == "personality" && strings.HasPrefix(c.args, "0xffffffff"):
			continue
		case c.name == "umask" && umask: // the read-back is the same call again
			continue
		case c.name == "keyctl" && !strings.HasPrefix(c.args, "KEYCTL_JOIN") && !strings.HasPrefix(c.args, "KEYCTL_LINK"):
			continue
		case changing[c.name] && c.name != "personality" || changes.MatchString(text) || c.name == "personality":
			list = append(list, text)
		}
		umask = umask || c.name == "umask"
		rows = rows || strings.HasPrefix(text, "prctl(PR_SET_DUMPABLE")
	}
	return list
}

// What plan prints for a user is what strace shows root executing: the same
// steps, in the same order, nothing more and nothing less.
func TestPlanIsTheTruth(t *testing.T) {
	requireRoot(t)
	requireProgram(t, "strace", "strace")
	root := cage(t)
	for _, x := range []struct {
		name    string
		words   []string
		command string
	}{
		{"identity", []string{"--user=nobody", "--caps=none", "--no-new-privs"}, probe},
		{"identity, chroot, limits", []string{"--user=nobody:nogroup", "--caps=net_bind_service", "--chroot=" + root, "--limit-nofile=100", "--limit-core=0", "--limit-nproc=5:9"}, "/probe"},
		{"everything", []string{
			"--user=bin", "--caps=net_bind_service setpcap", "--chroot=" + root, "--umask=027", "--nice=1", "--oom-score-adjust=5",
			"--cpu-scheduling-policy=batch", "--cpu-affinity=0", "--io-scheduling-class=idle", "--timer-slack-nsec=1ms", "--memory-ksm", "--memory-thp=disable",
			"--numa-policy=local", "--personality=x86-64", "--coredump-filter=0x3", "--keyring-mode=private", "--secure-bits=noroot no-setuid-fixup", "--no-new-privs",
			"--limit-nofile=100", "--limit-as=1G", "--limit-fsize=0", "--ignore-sigpipe", "--working-directory=/", "--standard-input=null", "--standard-error=null", "--env=A=b",
		}, "/probe"},
	} {
		t.Run(x.name, func(t *testing.T) {
			words := append(x.words, "--", x.command)
			r := runs(t, with("gid=65534 uid=65534", append([]string{hardrun, "plan", "--json"}, words...)...)...)
			if r.code != 0 {
				t.Fatalf("status %d, %q", r.code, r.stderr)
			}
			p := decode[planned](t, r.stdout)
			equal(t, "for", p.For, "root")
			if again := run(t, append([]string{"plan", "--json"}, words...)...); again.stdout != r.stdout {
				t.Errorf("root's plan differs from a user's:\n%s\n%s", again.stdout, r.stdout)
			}
			var want []string
			for _, s := range p.Steps {
				want = append(want, expected(t, s.Mechanism)...)
				// Who asked for it, or why it is there: all but what every start does.
				own := s.Stage == "command" || s.Stage == "descriptors" || s.Stage == "exec" || s.Stage == "signals"
				if s.Directive == "" && s.Because == "" && !own || s.Directive != "" && s.Origin == "" {
					t.Errorf("a step without origin: %+v", s)
				}
			}
			tr := traced(t, "", append([]string{hardrun}, words...)...)
			if tr.code != 0 || tr.stderr != "" {
				t.Errorf("status %d, stderr %q", tr.code, tr.stderr)
			}
			got := setting(t, tr)
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || !regexp.MustCompile(want[i]).MatchString(got[i]) {
					t.Fatalf("call %d: strace has %q, plan says %q", i, got[min(i, len(got)):min(i+3, len(got))], want[min(i, len(want)):min(i+3, len(want))])
				}
			}
		})
	}
}

// plan does nothing: no call that changes anything, and no root needed.
func TestPlanChangesNothing(t *testing.T) {
	root := cage(t)
	tr := traced(t, "", hardrun, "plan", "--user=nobody", "--caps=none", "--chroot="+root, "--umask=0", "--nice=1", "--standard-output=file:"+root+"/log", "--no-new-privs", "--", "/probe")
	if tr.code != 0 || exists(root+"/log") {
		t.Errorf("status %d, %q", tr.code, tr.stderr)
	}
	for _, c := range tr.calls {
		if changing[c.name] {
			t.Errorf("%s(%s)", c.name, c.args)
		}
	}
	if !strings.HasPrefix(tr.stdout, "plan for root with every capability") {
		t.Errorf("%.200q", tr.stdout)
	}
}

// What cannot be had is in the plan, with its status; notes have stable names.
func TestPlanRefusalsAndNotes(t *testing.T) {
	r := run(t, "plan", "--json", "--user=nosuch", "--startup-cpu-weight=5", "--", probe)
	equal(t, "status", r.code, 1)
	var p struct {
		Refused []struct {
			Directive, Origin, Text string
			Status                  int
			Waivable                bool
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, f := range p.Refused {
		got[f.Directive+f.Origin] = f.Status
	}
	equal(t, "User=", got["User=--user"], 217)
	equal(t, "StartupCPUWeight=", got["StartupCPUWeight=--startup-cpu-weight"], 78)
	for _, x := range []struct {
		words []string
		note  string
	}{
		{[]string{"--caps=net_bind_service"}, "root-without-dac"},
		{[]string{"--secure-bits=keep-caps"}, "keep-caps"},
		{[]string{"--limit-nproc=5"}, "limit-void"},
		{[]string{"--limit-fsize=0"}, "limit-fsize-zero"},
		{[]string{"--no-new-privs"}, "inherited"},
		{[]string{"--group=nogroup"}, "groups-dropped"},
		{[]string{"--ambient-capabilities=CAP_CHOWN"}, "ambient-root"},
		{[]string{"--apparmor-profile=-x"}, "lsm-absent"},
		{[]string{"-p", "Restart=always"}, "manager"},
	} {
		found := false
		for _, n := range decode[planned](t, run(t, append(append([]string{"plan", "--json"}, x.words...), "--", probe)...).stdout).Notes {
			found = found || n.ID == x.note && n.Text != ""
		}
		if !found {
			t.Errorf("%q: no note %s", x.words, x.note)
		}
	}
}

// The plan is the same whatever stands in the environment that a runtime or a
// loader would listen to.
func TestPlanIsDeterministic(t *testing.T) {
	requireRoot(t)
	requireProgram(t, "strace", "strace")
	words := []string{hardrun, "--user=nobody", "--caps=net_bind_service", "--chroot=" + cage(t), "--no-new-privs", "--limit-nofile=64", "--", "/probe"}
	// Numbers of descriptors and addresses are no part of it.
	numbers := regexp.MustCompile(`0x[0-9a-f]+|\b\d+, "/|^(fchdir|open_tree|move_mount|dup3|write)\(\d+`)
	list := func(tr trace) string {
		calls := setting(t, tr)
		for i := range calls {
			calls[i] = numbers.ReplaceAllString(calls[i], "#")
			if strings.HasPrefix(calls[i], "execve(") {
				calls[i] = "execve"
			}
		}
		return strings.Join(calls, "\n")
	}
	want := list(traced(t, "", words...))
	for _, env := range []string{
		"env=LD_PRELOAD=/x env=LD_LIBRARY_PATH=/x env=GODEBUG=http2debug=2 env=GOTRACEBACK=crash env=GOMAXPROCS=0 env=GOGC=1 env=SSL_CERT_FILE=/x",
		"env=GOMAXPROCS=256 env=GOGC=off env=GOMEMLIMIT=1MiB env=LANG=tr_TR.UTF-8 env=TMPDIR=/nonexistent",
	} {
		// -E of strace sets it for hardrun alone.
		tr := traced(t, strings.ReplaceAll(env, "env=", "-E "), words...)
		if got := list(tr); got != want {
			t.Errorf("%s: another plan:\n%s\nwant\n%s", env, got, want)
		}
	}
}
