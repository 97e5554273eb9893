//go:build linux

package integration

import (
	"encoding/json"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
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

// notes are the ids in the plan that a start prints, and their classes.
func notes(t *testing.T, r result) map[string]string {
	t.Helper()
	var p struct{ Notes []struct{ ID, Class string } }
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil {
		t.Fatalf("%q: %v: %.300s %s", r.argv, err, r.stdout, r.stderr)
	}
	ids := map[string]string{}
	for _, n := range p.Notes {
		ids[n.ID] = n.Class
	}
	return ids
}

// A note of danger is true: where the plan has it, the daemon can do what it says, and where
// the plan has it not, the daemon cannot.
func TestNotesAreTrue(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o777)
	owned := write(t, dir+"/owned", "root's", 0o600)
	shown := write(t, dir+"/shown", "root's", 0o644)
	hidden := directory(t, 0o755)
	write(t, hidden+"/secret", "hidden", 0o644)
	mine := cage(t)
	if err := os.Chown(mine, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := os.Chmod(dir+"/socket", 0o666); err != nil {
		t.Fatal(err)
	}
	self := itoa(os.Getpid())
	const user = "--user=nobody"
	bounding, err := strconv.ParseUint(machine(t).Bnd, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		id        string
		with, not []string // options that have the note, and such as have not
		act       []string
		errno     []string // how the act fails without
	}{
		{"limit-void", []string{"--limit-nproc=1"}, []string{"--limit-nproc=1", user}, []string{"fork", "3"}, []string{"EAGAIN"}},
		{"limit-void", []string{user, "--caps=sys_resource", "--limit-nofile=50"}, []string{user, "--limit-nofile=50"}, []string{"setrlimit", "7", "60"}, []string{"EPERM"}},
		{"user-undone", []string{user, "--caps=setuid"}, []string{user, "--caps=net_raw"}, []string{"setuid0"}, []string{"EPERM"}},
		{"user-undone", []string{user, "--caps=setuid", "--private-users"}, []string{user, "--private-users"}, []string{"setuid0"}, []string{"EPERM"}},
		{"user-undone", []string{user, "--caps=dac_override", "--private-users"}, []string{user, "--private-users"}, []string{"open", owned, "rw"}, []string{"EACCES"}},
		{"user-undone", []string{user, "--caps=setgid"}, []string{user}, []string{"setgroups"}, []string{"EPERM"}},
		{"user-undone", []string{user, "--caps=dac_override"}, []string{user}, []string{"open", owned, "rw"}, []string{"EACCES"}},
		{"user-undone", []string{user, "--caps=dac_read_search"}, []string{user}, []string{"read", owned}, []string{"EACCES"}},
		{"user-undone", []string{user, "--caps=chown"}, []string{user}, []string{"chown", owned, "0"}, []string{"EPERM"}},
		{"user-undone", []string{user, "--caps=fowner"}, []string{user}, []string{"chmod", owned, "600"}, []string{"EPERM"}},
		{"group-root", []string{user, "--supplementary-groups=shadow"}, []string{user}, []string{"access", "/etc/shadow", "r"}, []string{"EACCES"}},
		{"proc-visible", []string{user, "--caps=sys_ptrace", "--protect-proc=invisible"}, []string{user, "--protect-proc=invisible"}, []string{"stat", "/proc/" + self}, []string{"ENOENT"}},
		{
			"ptrace-host",
			[]string{user, "--caps=sys_ptrace", "--inaccessible-paths=" + hidden},
			[]string{user, "--inaccessible-paths=" + hidden},
			[]string{"read", "/proc/" + self + "/root" + hidden + "/secret"},
			[]string{"EACCES"},
		},
		{
			"ptrace-host",
			[]string{user, "--caps=sys_ptrace", "--inaccessible-paths=" + hidden},
			[]string{user, "--caps=sys_ptrace", "--inaccessible-paths=" + hidden, "--private-pids"},
			[]string{"read", "/proc/" + self + "/root" + hidden + "/secret"},
			[]string{"ENOENT"},
		},
		{"root-files", []string{"--caps=none"}, []string{"--caps=none", "--protect-system=strict"}, []string{"chmod", shown, "644"}, []string{"EROFS"}},
		{"root-kept", []string{"--private-tmp=no"}, []string{"--caps=none"}, []string{"mount", "/mnt"}, []string{"EPERM"}},
		{"view-undone", []string{"--read-only-paths=" + hidden}, []string{"--read-only-paths=" + hidden, "--caps=none"}, []string{"umount", hidden}, []string{"EPERM"}},
		{"unix-reachable", []string{user, "--private-network"}, []string{user, "--private-network", "--restrict-address-families=AF_INET"}, []string{"unix-connect", dir + "/socket"}, []string{"errno 97"}}, // EAFNOSUPPORT
		{"write-exec-files", []string{"--memory-deny-write-execute"}, []string{user, "--caps=none"}, []string{"map-exec", probe}, nil},
	} {
		if slices.Contains(x.with, "--caps=sys_resource") && bounding>>24&1 == 0 {
			t.Log("without CAP_SYS_RESOURCE here: no limit is raised again")
			continue
		}
		words := append(slices.Clone(x.with), "--", probe)
		if class := notes(t, run(t, append([]string{"plan", "--json"}, words...)...))[x.id]; class == "" {
			t.Errorf("%q: no note %s", x.with, x.id)
		}
		allowed(t, run(t, append(append(words, "try"), x.act...)...))
		if x.errno == nil {
			continue
		}
		words = append(slices.Clone(x.not), "--", probe)
		if class := notes(t, run(t, append([]string{"plan", "--json"}, words...)...))[x.id]; class != "" {
			t.Errorf("%q: the note %s", x.not, x.id)
		}
		denied(t, run(t, append(append(words, "try"), x.act...)...), x.errno...)
	}

	// Settings that do less than it seems.
	has := func(id string, words ...string) {
		t.Helper()
		if notes(t, run(t, append([]string{"plan", "--json"}, words...)...))[id] == "" {
			t.Errorf("%q: no note %s", words, id)
		}
	}
	hasNot := func(id string, words ...string) {
		t.Helper()
		if notes(t, run(t, append([]string{"plan", "--json"}, words...)...))[id] != "" {
			t.Errorf("%q: the note %s", words, id)
		}
	}
	has("limit-fsize-zero", "--limit-fsize=0", "--", probe)
	equal(t, "LimitFSIZE=0", run(t, "--limit-fsize=0", "--", probe, "try", "write-file", dir+"/new", "1").signal, syscall.SIGXFSZ)
	has("root-writable", user, "--chroot="+mine, "--", "/probe")
	allowed(t, run(t, user, "--chroot="+mine, "--", "/probe", "try", "mkdir", "/etc"))
	other := cage(t)
	hasNot("root-writable", user, "--chroot="+other, "--", "/probe")
	denied(t, run(t, user, "--chroot="+other, "--", "/probe", "try", "mkdir", "/etc"), "EACCES")
	if denied(t, run(t, user, "--", probe, "try", "bind", "1"), "EACCES"); !t.Failed() {
		has("capability-inside", user, "--caps=net_bind_service", "--private-users", "--", probe)
		denied(t, run(t, user, "--caps=net_bind_service", "--private-users", "--", probe, "try", "bind", "1"), "EACCES")
		allowed(t, run(t, user, "--caps=net_bind_service", "--", probe, "try", "bind", "1"))
	}
	without := func(argv ...string) result { return runs(t, with("without=21", argv...)...) }
	if notes(t, without(hardrun, "plan", "--for=self", "--json", "--chroot="+other, "--", "/probe"))["chroot-escape"] == "" {
		t.Error("no note chroot-escape")
	}
	equal(t, "chroot(2)", without(hardrun, "--chroot="+other, "--", "/probe", "try", "chroot-escape", marker).act(t).Value, 1)
	hasNot("chroot-escape", "--chroot="+other, "--", "/probe")
	equal(t, "pivot_root(2)", run(t, "--chroot="+other, "--", "/probe", "try", "chroot-escape", marker).act(t).Value, 0)
}

// A command that is set-user-ID, set-group-ID or has file capabilities is not who it was to be.
func TestNotesOfTheCommand(t *testing.T) {
	requireRoot(t)
	setcap := requireProgram(t, "setcap", "libcap2-bin")
	dir := directory(t, 0o755)
	suid, sgid, capable := copied(t, probe, dir+"/suid", 0o4755), dir+"/sgid", copied(t, probe, dir+"/capable", 0o755)
	copied(t, probe, sgid, 0o755)
	if err := os.Chown(sgid, 0, 4); err != nil { // which clears the bit
		t.Fatal(err)
	}
	if err := os.Chmod(sgid, 0o755|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if r := runs(t, setcap, "cap_net_bind_service=ep", capable); r.code != 0 {
		t.Skip("no file capabilities here: " + r.stderr)
	}
	const user = "--user=nobody:nogroup"
	for _, x := range []struct {
		words   []string
		command string
		notes   []string
		euid    uint32
		egid    uint32
		prm     string
		amb     string
	}{
		{[]string{user}, suid, []string{"setid-command"}, 0, 65534, "", "0000000000000000"},
		{[]string{user, "--caps=chown"}, sgid, []string{"setid-command", "ambient-lost"}, 65534, 4, "0000000000000000", "0000000000000000"},
		{[]string{user, "--caps=chown net_bind_service"}, capable, []string{"file-capabilities", "ambient-lost"}, 65534, 65534, "0000000000000400", "0000000000000000"},
		{[]string{user, "--caps=chown", "--no-new-privs"}, suid, []string{"setid-void"}, 65534, 65534, "0000000000000001", "0000000000000001"},
		{[]string{user, "--caps=chown"}, probe, nil, 65534, 65534, "0000000000000001", "0000000000000001"},
		{[]string{user, "--private-users"}, suid, []string{"setid-command"}, 0, 65534, "", "0000000000000000"}, // root is in it
	} {
		words := append(x.words, "--", x.command)
		got := notes(t, run(t, append([]string{"plan", "--json"}, words...)...))
		for _, id := range []string{"setid-command", "file-capabilities", "ambient-lost", "setid-void"} {
			if (got[id] != "") != slices.Contains(x.notes, id) {
				t.Errorf("%q: %s: %q", words, id, got[id])
			}
		}
		s := run(t, words...).state(t)
		if s.UIDs[1] != x.euid || s.GIDs[1] != x.egid || s.Amb != x.amb || x.prm != "" && s.Prm != x.prm {
			t.Errorf("%q: uids %v, gids %v, permitted %s, ambient %s", words, s.UIDs, s.GIDs, s.Prm, s.Amb)
		}
	}
	if got := notes(t, run(t, "plan", "--json", user, "--caps=none", "--", capable)); got["file-capabilities"] == "" {
		t.Errorf("%v", got)
	}
	if r := run(t, user, "--caps=none", "--", capable); r.code != 203 || r.started() || !strings.Contains(r.stderr, "operation not permitted") {
		t.Errorf("status %d, %q", r.code, r.stderr)
	}
	// And by another command that the daemon starts.
	for _, x := range []struct {
		words []string
		euid  uint32
	}{{[]string{user, "--no-new-privs=no"}, 0}, {[]string{user, "--no-new-privs"}, 65534}} {
		got := notes(t, run(t, append(append([]string{"plan", "--json"}, x.words...), "--", probe)...))
		if (got["nnp-no"] != "") != (x.euid == 0) {
			t.Errorf("%q: nnp-no: %q", x.words, got["nnp-no"])
		}
		equal(t, "euid", run(t, append(x.words, "--", probe, "try", "exec", suid)...).state(t).UIDs[1], x.euid)
	}
}

// What the host has is reached by what is kept: its namespaces, its sockets, its files.
func TestNotesOfTheHost(t *testing.T) {
	requireRoot(t)
	nsenter := requireProgram(t, "nsenter", "util-linux")
	enter := []string{"--", nsenter, "--net=/proc/" + itoa(os.Getpid()) + "/ns/net", "readlink", "/proc/self/ns/net"}
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for caps, reached := range map[string]bool{"sys_admin sys_ptrace": true, "sys_admin": false} {
		words := append([]string{"--private-network", "--caps=" + caps}, enter...)
		if got := notes(t, run(t, append([]string{"plan", "--json"}, words...)...))["namespace-undone"]; (got != "") != reached {
			t.Errorf("%s: namespace-undone: %q", caps, got)
		}
		if r := run(t, words...); (strings.TrimSpace(r.stdout) == ours) != reached {
			t.Errorf("%s: %q, %q", caps, r.stdout, r.stderr)
		}
	}

	dir := directory(t, 0o755)
	l, err := net.Listen("unix", dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	for mode, reached := range map[os.FileMode]bool{0o666: true, 0o660: false} {
		if err := os.Chmod(dir+"/socket", mode); err != nil {
			t.Fatal(err)
		}
		docker := func(argv ...string) result {
			return runs(t, private("mount -t tmpfs -o mode=0755 run /run; touch /run/docker.sock; mount --bind "+dir+"/socket /run/docker.sock", argv...)...)
		}
		if got := notes(t, docker(hardrun, "plan", "--json", "--user=nobody", "--", probe))["host-socket"]; (got != "") != reached {
			t.Errorf("%o: host-socket: %q", mode, got)
		}
		if a := docker(hardrun, "--user=nobody", "--", probe, "try", "unix-connect", "/run/docker.sock").act(t); (a.Errno == "") != reached {
			t.Errorf("%o: %+v", mode, a)
		}
		if reached {
			words := []string{"--user=nobody", "--inaccessible-paths=/run/docker.sock", "--", probe}
			if got := notes(t, docker(append([]string{hardrun, "plan", "--json"}, words...)...))["host-socket"]; got != "" {
				t.Errorf("hidden: host-socket: %q", got)
			}
			denied(t, docker(append(append([]string{hardrun}, words...), "try", "unix-connect", "/run/docker.sock")...))
		}
	}
}

// open_by_handle_at(2) opens what the view hides.
func TestNoteHandleOpen(t *testing.T) {
	requireRoot(t)
	python := requireProgram(t, "python3", "python3")
	if strings.Contains(python, "/.pyenv/") { // a script, which a user cannot get at
		python = "/usr/bin/python3"
	}
	if !exists(python) {
		t.Skip("needs /usr/bin/python3")
	}
	dir := directory(t, 0o755)
	file := write(t, dir+"/secret", "hidden", 0o644)
	const handles = `import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
class Handle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]
h, m = Handle(128), ctypes.c_int()
if sys.argv[1] == "name":
    if libc.name_to_handle_at(-100, sys.argv[2].encode(), ctypes.byref(h), ctypes.byref(m), 0): sys.exit(os.strerror(ctypes.get_errno()))
    print(h.type, bytes(h.data[:h.size]).hex())
else:
    data = bytes.fromhex(sys.argv[4])
    h.size, h.type = len(data), int(sys.argv[3])
    ctypes.memmove(h.data, data, len(data))
    fd = libc.open_by_handle_at(os.open(sys.argv[2], os.O_RDONLY), ctypes.byref(h), os.O_RDONLY)
    if fd < 0: sys.exit(os.strerror(ctypes.get_errno()))
    print(os.read(fd, 100).decode())
`
	name := runs(t, python, "-c", handles, "name", file)
	f := strings.Fields(name.stdout)
	if len(f) != 2 {
		t.Skip("this file system has no handles: " + name.stderr)
	}
	open := []string{"--", python, "-c", handles, "open", base, f[0], f[1]}
	for caps, reached := range map[string]bool{"dac_read_search": true, "net_raw": false} {
		words := append([]string{"--user=nobody", "--caps=" + caps, "--inaccessible-paths=" + dir}, open...)
		if got := notes(t, run(t, append([]string{"plan", "--json"}, words...)...))["handle-open"]; (got != "") != reached {
			t.Errorf("%s: handle-open: %q", caps, got)
		}
		if r := run(t, words...); strings.Contains(r.stdout, "hidden") != reached {
			t.Errorf("%s: %q, %q", caps, r.stdout, r.stderr)
		}
	}
}

// plan --lint is for a build: one finding a line, by file and line, and a status.
func TestPlanLint(t *testing.T) {
	dir := directory(t, 0o755)
	unit := write(t, dir+"/some.service", "[Service]\nExecStart="+probe+"\nUser=nobody\nNoNewPrivileges=no\nEnvironment=A_TOKEN=x\nLimitFSIZE=0\nRestart=always\n", 0o644)
	for _, x := range []struct {
		words []string
		code  int
		out   string
	}{
		{[]string{"--lint"}, 0, "some.service:6: LimitFSIZE=0: the first write to a file is answered by SIGXFSZ, which kills [limit-fsize-zero]\n" +
			"some.service:4: NoNewPrivileges=no: by set-user-ID programs and file capabilities the daemon can get more than it starts with [nnp-no]\n" +
			"some.service:5: Environment=A_TOKEN=… looks like a secret: it stays readable where it was written, and every child inherits it; LoadCredential= is a file for the daemon's user alone [secret-environment]\n"},
		{[]string{"--lint=error", "--no-new-privs", "--allow-note=secret-environment"}, 1, "some.service:6: LimitFSIZE=0: the first write to a file is answered by SIGXFSZ, which kills [limit-fsize-zero]\n"},
		{[]string{"--lint=error", "--no-new-privs", "--allow-note=secret-environment", "--allow-note=limit-fsize-zero"}, 0, ""},
		{[]string{"--lint", "--no-new-privs", "--allow-note=secret-environment", "--limit-fsize=9", "--user=nosuch"}, 1, "--user: User=: unknown user \"nosuch\" in /etc/passwd [refused]\n"},
	} {
		r := run(t, append(append([]string{"plan"}, x.words...), "--unit="+unit)...)
		if r.code != x.code || x.out != "" && r.stdout != x.out && !strings.Contains(x.out, "nosuch") || strings.Contains(x.out, "nosuch") && !strings.HasPrefix(r.stdout, "--user: User=: ") {
			t.Errorf("%q: status %d\n%s%s\nwant %d\n%s", x.words, r.code, r.stdout, r.stderr, x.code, x.out)
		}
		if x.out == "" && r.stdout != "" {
			t.Errorf("%q: %s", x.words, r.stdout)
		}
	}
	r := run(t, "plan", "--lint", "--json", "--unit="+unit)
	p := decode[struct {
		Notes []struct{ ID, Class, Origin string }
	}](t, r.stdout)
	if len(p.Notes) != 3 || p.Notes[0].Origin != "some.service:6" || p.Notes[0].Class != "lint" {
		t.Errorf("%+v", p)
	}
	r = run(t, "plan", "--unit="+unit, "--allow-note=nnp-no")
	if strings.Contains(r.stdout, "[nnp-no]") || !strings.Contains(r.stdout, "[manager]") {
		t.Errorf("%s", r.stdout)
	}
}

// What doc/notes.md shows is what is printed.
func TestNotesConsole(t *testing.T) {
	n := 0
	for _, b := range readmeBlocks(read(t, "../doc/notes.md")) {
		command, shown, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(b.text, "\n"), "$ hardrun "), "\n")
		if b.language == "console" {
			n++
			if r := run(t, strings.Fields(command)...); !readmeMatches(readmeLines(shown), readmeLines(r.stdout)) {
				t.Errorf("printed\n%sand the page shows\n%s", r.stdout, shown)
			}
		}
	}
	equal(t, "commands", n, 1)
}

// At a terminal a plan has its width, and colours unless they are not wanted; in a pipe it has
// neither.
func TestPlanAtATerminal(t *testing.T) {
	words := []string{"plan", "--user=nobody", "--caps=none", "--protect-kernel-tunables", "--private-tmp", "--private-devices", "--system-call-filter=@system-service", "--", "/bin/true", "a", "long", "line", "of", "words", "that", "does", "not", "fit", "into", "eighty", "columns"}
	paint := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, width := range []int{80, 120} {
		for _, env := range []string{"TERM=xterm", "TERM=dumb", "TERM=xterm NO_COLOR=1"} {
			master, wait := onTerminal(t, "stty -opost rows 24 cols "+itoa(width)+"; env "+env+` "$@"; echo; echo the end`, append([]string{hardrun}, words...)...)
			var text strings.Builder
			buf := make([]byte, 4096)
			for !strings.Contains(text.String(), "\nthe end\n") {
				if err := master.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil && width < 0 {
					t.Fatal(err)
				}
				n, err := master.Read(buf)
				if err != nil {
					t.Fatalf("%v: %q", err, text.String())
				}
				text.Write(buf[:n])
			}
			wait()
			plain := paint.ReplaceAllString(text.String(), "")
			if (plain != text.String()) != (env == "TERM=xterm") {
				t.Errorf("%s: colours: %v", env, plain != text.String())
			}
			for line := range strings.Lines(plain) {
				if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > width || strings.Contains(line, "\x1b") {
					t.Errorf("%d columns: %q", width, line)
				}
			}
			for _, want := range []string{"/proc/acpi /proc/apm", "eighty", "columns", "\nmounts ", "nr_inodes=400k"} {
				if !strings.Contains(plain, want) {
					t.Errorf("%d columns: no %q in\n%s", width, want, plain)
				}
			}
		}
	}
	if r := run(t, words...); strings.Contains(r.stdout, "\x1b") || !strings.Contains(r.stdout, "read-only /proc/acpi  ") {
		t.Errorf("in a pipe:\n%s", r.stdout)
	}
}
