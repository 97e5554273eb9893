//go:build linux

package integration

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func lifeInode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(path, ": ", err)
	}
	return st.Ino
}

func lifePut(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

// lifeProcs are the processes of a group and of those below it.
func lifeProcs(t *testing.T, dir string) (pids []string) {
	t.Helper()
	for _, d := range placeTree(t, dir) {
		text, err := os.ReadFile(d + "/cgroup.procs")
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
			t.Fatal(err)
		}
		pids = append(pids, strings.Fields(string(text))...)
	}
	return pids
}

// lifeEnd kills what is in a group at the end of a test.
func lifeEnd(t *testing.T, dir string) {
	t.Helper()
	t.Cleanup(func() {
		if exists(dir + "/cgroup.kill") {
			lifePut(t, dir+"/cgroup.kill", "1")
		}
	})
}

// Without a parent the group stays, and the next start makes it anew: nothing of what was
// set in it, attached to it or made below it is left.
func TestCGroupMadeAnew(t *testing.T) {
	dir := placeGroup(t)
	home := dir + "/web"
	equal(t, "status", program{argv: placeIn(dir, hardrun, "--cgroup=web", "--socket-bind-deny=tcp:54", "--", probe, "exit", "3")}.run(t).code, 3)
	before := lifeInode(t, home)
	mkdir(t, home+"/sub/below")
	lifePut(t, home+"/cgroup.max.depth", "7")
	lifePut(t, home+"/sub/cgroup.max.descendants", "5")
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	start := placeIn(dir, "unshare", "--net", "--", hardrun, "--cgroup=web", "--", probe, "ask")
	equal(t, "the program is gone", asked(t, program{argv: start}, "bind 54")[0].Errno, "")
	if lifeInode(t, home) == before {
		t.Error("the group is the old one")
	}
	equals(t, "groups", placeTree(t, home), []string{home})
	equal(t, "depth", read(t, home+"/cgroup.max.depth"), "max\n")
	var st unix.Stat_t
	if err := unix.Stat(home, &st); err != nil || st.Mode&0o777 != 0o711 {
		t.Errorf("mode %o, %v", st.Mode, err)
	}
}

// A group that hardrun has not made is never touched.
func TestCGroupForeign(t *testing.T) {
	dir := placeGroup(t)
	for _, x := range []struct{ name, option, want string }{
		{"web", "--cgroup=web", ""},
		{"hardrun-probe", "--device-policy=closed", "hardrun-probe-2"},
	} {
		home := mkdir(t, dir+"/"+x.name)
		mkdir(t, home+"/sub")
		lifePut(t, home+"/cgroup.max.depth", "7")
		before := lifeInode(t, home)
		r := program{argv: placeIn(dir, starting(x.option)...), stdin: "read\t/proc/self/cgroup\n"}.run(t)
		if x.want == "" {
			refused(t, r, 219, x.option[:8], "not hardrun's")
		} else if r.code != 0 || !strings.HasSuffix(placeSaid(t, decode[answer](t, r.stdout).Act), "/"+x.want) {
			t.Errorf("%s: status %d, %q, %q", x.option, r.code, r.stdout, r.stderr)
		}
		equal(t, x.name, lifeInode(t, home), before)
		equal(t, x.name+", depth", read(t, home+"/cgroup.max.depth"), "7\n")
		equals(t, x.name+", below", placeTree(t, home), []string{home, home + "/sub"})
	}
}

// Processes that are left in a group, or below it, keep it.
func TestCGroupOccupied(t *testing.T) {
	dir := placeGroup(t)
	lifeEnd(t, dir)
	leave := func(option string) {
		t.Helper()
		r := program{argv: placeIn(dir, hardrun, option, "--", "sh", "-c", "sleep 1000 >/dev/null 2>&1 & sleep 1000 >/dev/null 2>&1 & exit 0")}.run(t)
		equal(t, "status", r.code, 0)
	}
	leave("--cgroup=web")
	pids := lifeProcs(t, dir+"/web")
	equal(t, "processes", len(pids), 2)
	before := lifeInode(t, dir+"/web")
	r := program{argv: placeIn(dir, hardrun, "--cgroup=web", "--", probe)}.run(t)
	refused(t, r, 219, "--cgroup", "processes are left in it: PID "+strings.Join(pids, " "))
	// What is below it is looked for as well.
	mkdir(t, dir+"/web/sub")
	for _, pid := range pids {
		lifePut(t, dir+"/web/sub/cgroup.procs", pid)
	}
	r = program{argv: placeIn(dir, hardrun, "--cgroup=web", "--", probe)}.run(t)
	refused(t, r, 219, "--cgroup", "processes are left in it: those of the groups below it")
	equal(t, "the group", lifeInode(t, dir+"/web"), before)
	equals(t, "processes", lifeProcs(t, dir+"/web"), pids)
	lifePut(t, dir+"/web/cgroup.kill", "1")
	eventually(t, "an empty group", func() bool {
		return program{argv: placeIn(dir, hardrun, "--cgroup=web", "--", probe, "exit", "0")}.run(t).code == 0
	})
	// A group by default is the next one that is free, and the first is again when it is.
	leave("--device-policy=closed")
	for range 2 {
		r = program{argv: placeIn(dir, hardrun, "--device-policy=closed", "--", "sh", "-c", "cat /proc/self/cgroup")}.run(t)
		if path := placeSaid(t, r.stdout); !strings.HasSuffix(path, "/hardrun-sh-2") {
			t.Errorf("%q, %q", path, r.stderr)
		}
	}
	lifePut(t, dir+"/hardrun-sh/cgroup.kill", "1")
	eventually(t, "the first group again", func() bool {
		r = program{argv: placeIn(dir, hardrun, "--device-policy=closed", "--", "sh", "-c", "cat /proc/self/cgroup")}.run(t)
		return strings.HasSuffix(placeSaid(t, r.stdout), "/hardrun-sh")
	})
}

// stubborn is a daemon that forks twice: what it leaves ignores signals, has sessions of
// its own, and one of them hides in a group below.
const stubborn = `
	for i in 1 2; do
		setsid sh -c 'trap "" TERM INT HUP; (trap "" TERM INT HUP; setsid sleep 1000 & sleep 1000) & sleep 1000' >/dev/null 2>&1 &
	done
	while [ "$(cat $0/cgroup.procs 2>/dev/null | wc -l)" -lt 9 ]; do :; done
	exit 7`

// A parent that stays removes the group, and kills what is left where KillMode= says so.
func TestCGroupParent(t *testing.T) {
	dir := placeGroup(t)
	lifeEnd(t, dir)
	for _, x := range []struct {
		options string
		stays   bool
	}{
		{"--kill-mode=control-group", false},
		{"--kill-mode=mixed", false},
		{"--init --kill-mode=control-group", false},
		{"--private-pids", false}, // what is left ends with its process 1
		{"--private-pids --kill-mode=control-group", false},
		{"--init", true},
		{"--init --kill-mode=process", true},
		{"--init --kill-mode=none", true},
		{"--init --private-users", true},
		{"--init --user=nobody --caps=none", true},
		{"--kill-mode=mixed --user=nobody --caps=none --protect-system=strict --system-call-filter=@system-service", false},
	} {
		options := append(strings.Fields(x.options), "--cgroup=web", "--ip-address-deny=any", "--ip-address-allow=localhost")
		r := program{argv: placeIn(dir, slices.Concat([]string{hardrun}, options, []string{"--", probe, "exit", "9"})...)}.run(t)
		equal(t, x.options+": status", r.code, 9)
		equal(t, x.options+": said", r.stderr, "")
		equal(t, x.options+": the group stays", exists(dir+"/web"), false)
		if !strings.Contains(x.options, "--private-pids") { // process 1 of a namespace does not end by one that it raises
			equal(t, x.options+": a signal", program{argv: placeIn(dir, slices.Concat([]string{hardrun}, options, []string{"--", probe, "die", "15"})...)}.run(t).code, 143)
		}

		r = program{argv: placeIn(dir, slices.Concat([]string{hardrun}, options, []string{"--", "sh", "-c", stubborn, dir + "/web"})...)}.run(t)
		equal(t, x.options+": status", r.code, 7)
		equal(t, x.options+": the group stays", exists(dir+"/web"), x.stays)
		left := lifeProcs(t, dir)
		if x.stays {
			equal(t, x.options+": said", r.stderr, "hardrun: cgroup web: it stays, as processes or groups are left in it\n")
			if len(left) != 8 {
				t.Errorf("%s: left are %q, which shows that none was killed", x.options, left)
			}
			lifePut(t, dir+"/web/cgroup.kill", "1")
			placeGone(t, dir+"/web")
			continue
		}
		equal(t, x.options+": said", r.stderr, "")
		equals(t, x.options+": left", left, nil)
	}
	// A group that the daemon made below its own.
	for _, kill := range []string{"process", "control-group"} {
		r := program{argv: placeIn(dir, hardrun, "--init", "--cgroup=web", "--kill-mode="+kill, "--", "sh", "-euc",
			`mkdir $0/web/sub; sleep 1000 >/dev/null 2>&1 & echo $! >$0/web/sub/cgroup.procs; exit 5`, dir)}.run(t)
		equal(t, kill+": status", r.code, 5)
		equal(t, kill+": killed", len(lifeProcs(t, dir)) == 0, kill == "control-group")
		if kill == "control-group" {
			equal(t, kill+": said", r.stderr, "")
			equal(t, kill+": the group stays", exists(dir+"/web"), false)
			continue
		}
		equal(t, kill+": said", r.stderr, "hardrun: cgroup web: it stays, as processes or groups are left in it\n")
		lifePut(t, dir+"/web/cgroup.kill", "1")
		eventually(t, "the next start", func() bool {
			return program{argv: placeIn(dir, hardrun, "--cgroup=web", "--", probe, "exit", "0")}.run(t).code == 0
		})
		equals(t, kill+": groups", placeTree(t, dir+"/web"), []string{dir + "/web"})
	}
	refused(t, program{argv: placeIn(dir, hardrun, "--kill-mode=mixed", "--parent=never", "--", probe)}.run(t), 219, "KillMode=", "--parent=never")
	// The command is not there: the group that was made for it is not, either.
	refused(t, program{argv: placeIn(dir, hardrun, "--init", "--cgroup=fresh", "--", "/nosuch")}.run(t), 203, "/nosuch")
	equal(t, "a group without a daemon", exists(dir+"/fresh"), false)
}

// The parent gives up what it does not need to remove the group, and the daemon gets no
// descriptor of it.
func TestCGroupParentRights(t *testing.T) {
	dir := placeGroup(t)
	lifeEnd(t, dir)
	file := directory(t, 0o777) + "/notes"
	d := program{argv: placeIn(dir, hardrun, "--init", "--cgroup=web", "--kill-mode=mixed", "--user=nobody", "--caps=none", "--", probe, "serve", file, "0")}.start(t)
	child := strings.Fields(awaited(t, file, "ready"))[1]
	parent := d.cmd.Process.Pid
	for _, set := range []string{"CapPrm", "CapEff"} {
		equal(t, set, status(t, parent, set), "0000000000000020")
	}
	equal(t, "threads", status(t, parent, "Threads"), "1")
	equals(t, "processes", lifeProcs(t, dir+"/web"), []string{child})
	equals(t, "descriptors of the daemon", namesIn(t, "/proc/"+child+"/fd"), []string{"0", "1", "2", "3"}) // 3 is its own
	d.signal(t, syscall.SIGTERM)
	equal(t, "status", d.end(t), 0)
	equal(t, "the group stays", exists(dir+"/web"), false)
	// Killed, it takes the daemon with it, and cannot remove the group; the next start does.
	d = program{argv: placeIn(dir, hardrun, "--private-pids", "--cgroup=web", "--socket-bind-deny=any", "--", probe, "serve", file+"2", "0")}.start(t)
	awaited(t, file+"2", "ready")
	before := lifeInode(t, dir+"/web")
	d.signal(t, syscall.SIGKILL)
	equal(t, "status", d.end(t), 137)
	eventually(t, "the daemon ends with its parent", func() bool { return len(lifeProcs(t, dir)) == 0 })
	equal(t, "after it", placeOf(t, placeIn(dir, starting("--cgroup=web")...)...) != "", true)
	equal(t, "the same group", lifeInode(t, dir+"/web") == before, false)
}

// lifeTogether makes starts at once, and is what each printed and its status.
func lifeTogether(t *testing.T, n int, argv func(i int) []string) []result {
	t.Helper()
	results := make([]result, n)
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	for i := range n {
		wg.Go(func() {
			var out, errs bytes.Buffer
			cmd := program{argv: argv(i)}.command(ctx)
			cmd.Stdout, cmd.Stderr = &out, &errs
			cmd.WaitDelay = 60 * time.Second // so many take their time
			err := cmd.Run()
			var status *exec.ExitError
			if err != nil && !errors.As(err, &status) {
				t.Error(err)
			}
			results[i] = result{code: cmd.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String()}
		})
	}
	wg.Wait()
	return results
}

// Of many starts at once none shares a group with another.
func TestCGroupTogether(t *testing.T) {
	dir := placeGroup(t)
	alone := directory(t, 0o755)
	// Each has its group's name for itself while it is there.
	script := `g=$(tail -n 1 /proc/self/cgroup); mkdir "$0/${g##*/}" && sleep 0.3 && rmdir "$0/${g##*/}" && echo "$g"`
	for round := range 2 {
		const n = 100
		seen := map[string]bool{}
		for _, r := range lifeTogether(t, n, func(int) []string {
			return placeIn(dir, hardrun, "--socket-bind-deny=tcp:54", "--", "sh", "-c", script, alone)
		}) {
			if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "/hardrun-sh") {
				t.Errorf("round %d: status %d, %q, %q", round, r.code, r.stdout, r.stderr)
			}
			seen[r.stdout] = true
		}
		if len(seen) < 5 { // else they were not there together
			t.Errorf("%d starts at once had %d groups", n, len(seen))
		}
	}
	// Daemons that end at once: each start finds groups that others have just left, and makes
	// anew what they remove. One that took another's would find its program there.
	for _, r := range lifeTogether(t, 8, func(int) []string {
		return placeIn(dir, "sh", "-euc", `for i in $(seq 100); do "$0" --device-policy=closed -- "$1" exit 0; done`, hardrun, probe)
	}) {
		if r.code != 0 || r.stderr != "" {
			t.Errorf("daemons that end at once: status %d, %q", r.code, r.stderr)
		}
	}
	// With a name of its own one is started at a time, and the others are refused.
	const n = 50
	won := 0
	for _, r := range lifeTogether(t, n, func(int) []string {
		return placeIn(dir, hardrun, "--cgroup=one", "--", "sh", "-c", `mkdir $0/one && sleep 0.3 && rmdir $0/one && tail -n 1 /proc/self/cgroup`, alone)
	}) {
		switch {
		case r.code == 0 && strings.HasSuffix(r.stdout, "/one\n"):
			won++
		case r.code == 219 && r.stdout == "" && (strings.Contains(r.stderr, "another start has it") || strings.Contains(r.stderr, "processes are left in it") || strings.Contains(r.stderr, "all the time")):
		default:
			t.Errorf("status %d, %q, %q", r.code, r.stdout, r.stderr)
		}
	}
	if won == 0 {
		t.Error("nobody was started")
	}
	t.Logf("%d of %d were started, one after another", won, n)
}

// Whoever may only look at a group cannot lock it, and so keep hardrun from it.
func TestCGroupLock(t *testing.T) {
	dir := placeGroup(t)
	equal(t, "status", program{argv: placeIn(dir, hardrun, "--cgroup=web", "--", probe, "exit", "0")}.run(t).code, 0)
	lock := []string{requireProgram(t, "flock", "util-linux"), "--nonblock", dir + "/web"}
	equal(t, "root", runs(t, append(lock, "true")...).code, 0)
	other := runs(t, asUser(attackerID, append(lock, "true")...)...)
	if other.code == 0 || !strings.Contains(other.stderr, "Permission denied") {
		t.Errorf("another user: %d, %q", other.code, other.stderr)
	}
	// Locked by root, it is another's.
	equal(t, "not locked", program{argv: placeIn(dir, hardrun, "--cgroup=web", "--", probe, "exit", "0")}.run(t).code, 0)
	r := runs(t, append(lock, placeIn(dir, hardrun, "--cgroup=web", "--", probe)...)...)
	refused(t, r, 219, "another start has it")
}

// Delegate= gives the group to the daemon's user, and not what is above it.
func TestCGroupDelegate(t *testing.T) {
	dir := placeGroup(t)
	home := dir + "/web"
	options := []string{"--cgroup=web", "--user=nobody", "--caps=none"}
	c := converse(t, placeIn(dir, starting(append(options, "--delegate=yes")...)...)...)
	c.expect(t, "mkdir "+home+"/sub", "")
	c.expect(t, "put "+home+"/sub/cgroup.procs 0", "")
	equal(t, "moved", strings.HasSuffix(placeSaid(t, c.expect(t, "read /proc/self/cgroup", "").Act), "/web/sub"), true)
	c.expect(t, "mkdir "+home+"/sub/below", "")
	c.expect(t, "put "+home+"/cgroup.procs 0", "")
	c.expect(t, "put "+home+"/cgroup.subtree_control +nosuch", "EINVAL")
	c.expect(t, "put "+dir+"/cgroup.procs 0", "EACCES")
	c.expect(t, "put "+group.Dir+"/tests/cgroup.procs 0", "EACCES")
	c.expect(t, "mkdir "+dir+"/other", "EACCES")
	// What is set in the group is root's.
	c.expect(t, "put "+home+"/cgroup.max.depth 5", "EACCES")
	c.expect(t, "put "+home+"/cgroup.max.descendants 5", "EACCES")
	c.expect(t, "put "+home+"/cgroup.freeze 0", "EACCES")
	c.expect(t, "rmdir "+home, "EACCES")

	// Without it none of this is.
	a := asked(t, program{argv: placeIn(dir, starting("--cgroup=plain", "--user=nobody", "--caps=none")...)}, "mkdir "+dir+"/plain/sub", "put "+dir+"/plain/cgroup.procs 0")
	equal(t, "not delegated", a[0].Errno+" "+a[1].Errno, "EACCES EACCES")

	// Into a group below.
	sub := placeOf(t, placeIn(dir, starting("--cgroup=split", "--user=nobody", "--caps=none", "--delegate=yes", "--delegate-subgroup=main")...)...)
	equal(t, "subgroup", strings.HasSuffix(sub, "/split/main"), true)
	a = asked(t, program{argv: placeIn(dir, starting("--cgroup=split", "--user=nobody", "--caps=none", "--delegate=yes", "--delegate-subgroup=main")...)},
		"mkdir "+dir+"/split/other", "put "+dir+"/split/other/cgroup.procs 0", "put "+dir+"/cgroup.procs 0", "put "+dir+"/split/main/cgroup.procs 0")
	equal(t, "answers", a[0].Errno+","+a[1].Errno+","+a[2].Errno+","+a[3].Errno, ",,EACCES,")
	// A parent sweeps nothing: groups that the daemon made are left to the next start.
	r := program{argv: placeIn(dir, hardrun, "--init", "--cgroup=split", "--user=nobody", "--caps=none", "--delegate=yes", "--delegate-subgroup=main", "--", probe, "exit", "4")}.run(t)
	equal(t, "status", r.code, 4)
	if exists(dir+"/split") != (r.stderr != "") {
		t.Errorf("the group is there: %v, said was %q", exists(dir+"/split"), r.stderr)
	}
	// Confined all the same, and for those below.
	a = asked(t, program{argv: placeIn(dir, starting("--cgroup=tight", "--user=nobody", "--caps=none", "--delegate=yes", "--device-policy=strict", "--device-allow=/dev/null rw")...)},
		"open /dev/zero r", "open /dev/null r", "mkdir "+dir+"/tight/sub", "put "+dir+"/tight/sub/cgroup.procs 0", "open /dev/zero r")
	equal(t, "answers", a[0].Errno+","+a[1].Errno+","+a[2].Errno+","+a[3].Errno+","+a[4].Errno, "EPERM,,,,EPERM")
	for option, word := range map[string]string{"--delegate=nosuch": "nosuch", "--delegate-subgroup=a/b": "a/b", "--delegate-subgroup=..": ".."} {
		refused(t, program{argv: placeIn(dir, hardrun, "--delegate=yes", option, "--", probe)}.run(t), 64, word)
	}
}

type killPoint struct {
	name string
	n    int // the how many-th of its name, of its thread
}

// lifePoints are the calls of a trace from the one that makes the group on, but for those
// of the runtime.
func lifePoints(text string) (points []killPoint) {
	count := map[string]int{}
	begun := false
	for _, c := range wholeTrace(text) {
		count[c.pid+" "+c.name]++
		begun = begun || c.name == "mkdirat"
		p := killPoint{c.name, count[c.pid+" "+c.name]}
		if begun && !slices.Contains([]string{"futex", "madvise", "mmap", "munmap", "mprotect", "nanosleep", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "clone", "clone3", "execve", "getpid", "gettid", "exit", "exit_group", "wait4"}, c.name) && !slices.Contains(points, p) {
			points = append(points, p)
		}
	}
	return points
}

// What was waived when the group could not be made is left out behind a second start, too;
// what was not ends the first one.
func TestCGroupWaivedWithParent(t *testing.T) {
	dir := placeGroup(t)
	lifeEnd(t, dir)
	strace := requireProgram(t, "strace", "strace")
	for _, parent := range []string{"--init", "--private-pids", "--kill-mode=mixed --waive=KillMode"} {
		start := func(more ...string) result {
			argv := []string{strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=mkdirat", "-e", "inject=mkdirat:error=EPERM:when=1", hardrun}
			argv = append(append(argv, strings.Fields(parent)...), append(more, "--device-policy=closed", "--", "sh", "-c", "tail -n 1 /proc/self/cgroup; exit 3")...)
			return program{argv: placeIn(dir, argv...)}.run(t)
		}
		r := start("--waive=DevicePolicy")
		equal(t, parent+": status", r.code, 3)
		equal(t, parent+": a group of its own", strings.Contains(r.stdout, "/hardrun-sh"), false)
		equal(t, parent+": said", strings.Count(r.stderr, "waived") == 1 && strings.Contains(r.stderr, "mkdirat: operation not permitted"), true)
		refused(t, start(), 219, "DevicePolicy=", "mkdirat: operation not permitted")
	}
}
