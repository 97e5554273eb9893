//go:build linux

package integration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// unprivileged is a start as nobody, or as who runs the tests where that is not
// root. What it needs beyond that is a user namespace.
func unprivileged(t *testing.T, argv ...string) []string {
	t.Helper()
	for _, name := range []string{"user/max_user_namespaces", "kernel/unprivileged_userns_clone"} {
		if b, err := os.ReadFile("/proc/sys/" + name); err == nil && strings.TrimSpace(string(b)) == "0" {
			t.Skip("needs user namespaces: /proc/sys/" + name + " is 0")
		}
	}
	if os.Geteuid() != 0 {
		return argv
	}
	return with("groups= gid=65534 uid=65534", argv...)
}

// starts are those of root, and of a user without privilege, under which the daemon
// has a PID namespace.
func pidStarts(t *testing.T) map[string][]string {
	t.Helper()
	list := map[string][]string{"user": unprivileged(t, hardrun, "--private-pids")}
	if os.Geteuid() == 0 {
		list["root"] = []string{hardrun, "--private-pids"}
		list["root for nobody"] = []string{hardrun, "--private-pids", "--user=nobody", "--caps=none"}
		list["root with users"] = []string{hardrun, "--private-pids", "--private-users", "--user=nobody"}
		list["root with delegated users"] = []string{hardrun, "--private-pids", "--private-users", "--delegate-namespaces=pid mnt"}
		list["root with init"] = []string{hardrun, "--private-pids", "--init"}
	}
	return list
}

func command(argv []string, words ...string) []string {
	return append(append(slices.Clone(argv), "--"), words...)
}

// children are the processes whose parent is pid.
func children(t *testing.T, pid int) []int {
	t.Helper()
	var list []int
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	for _, s := range strings.Fields(string(text)) {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

// daemonOf is the one child of a parent that waits, once it is the program.
func daemonOf(t *testing.T, parent int, comm string) (pid int) {
	t.Helper()
	eventually(t, comm, func() bool {
		list := children(t, parent)
		if len(list) != 1 {
			return false
		}
		pid = list[0]
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return err == nil && strings.TrimSpace(string(name)) == comm
	})
	return pid
}

// ended tells whether a process is no more: it is gone, or waits to be reaped.
func ended(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

// The daemon is the first process of its namespace, sees no other, has one thread,
// and the variable of the second start is not in its environment.
func TestPIDNamespace(t *testing.T) {
	if s := machine(t); s.PID == 1 {
		t.Fatal("the probe is PID 1 without a PID namespace")
	}
	for name, start := range pidStarts(t) {
		s := runs(t, command(start, probe)...).state(t)
		equal(t, name+": PID", s.PID, 1)
		equal(t, name+": parent", s.PPID, 0)
		equal(t, name+": threads", len(s.Threads), 1)
		if text := strings.Join(s.Env, "\n"); strings.Contains(text, "HARDRUN") || !strings.Contains(text, smallEnv[0]) {
			t.Errorf("%s: environment %q", name, text)
		}
		r := runs(t, command(start, "/bin/sh", "-c", "cd /proc && echo [0-9]*")...)
		equal(t, name+": processes", r.stdout, "1\n")
		for _, n := range []int{0, 1, 9, 255} {
			equal(t, name+": status", runs(t, command(start, probe, "exit", itoa(n))...).code, n)
		}
	}
}

// The parent is small, and can do nothing but signal.
func TestPIDNamespaceParent(t *testing.T) {
	for name, start := range pidStarts(t) {
		file := directory(t, 0o777) + "/notes"
		d := program{argv: command(start, probe, "serve", file, "42")}.start(t)
		ready := strings.Fields(awaited(t, file, "ready"))
		equals(t, name+": the daemon and its parent", ready[1:], []string{"1", "0"})
		parent := d.cmd.Process.Pid
		child := daemonOf(t, parent, "probe")
		equal(t, name+": name", strings.TrimSpace(read(t, fmt.Sprintf("/proc/%d/comm", parent))), "hardrun")
		equal(t, name+": threads", status(t, parent, "Threads"), "1")
		for _, set := range []string{"CapInh", "CapAmb"} {
			equal(t, name+": "+set, status(t, parent, set), none)
		}
		for _, set := range []string{"CapPrm", "CapEff"} {
			equal(t, name+": "+set, status(t, parent, set), "0000000000000020")
		}
		small(t, parent)
		if os.Geteuid() == 0 {
			denied(t, runs(t, with("gid=65534 uid=65534", probe, "try", "ptrace", itoa(parent))...), "EPERM")
			// Beyond the standard ones, it has the status text of the daemon.
			list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", parent))
			if err != nil {
				t.Fatal(err)
			}
			var open []string
			for _, e := range list {
				open = append(open, e.Name())
			}
			equals(t, name+": the first descriptors", open[:min(3, len(open))], []string{"0", "1", "2"})
			equal(t, name+": descriptors", len(open), 4)
			target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", parent, open[len(open)-1]))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, name+": the last descriptor", target, fmt.Sprintf("/proc/%d/status", child))
		}
		for name, s := range map[string]syscall.Signal{"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "INT": syscall.SIGINT} {
			d.signal(t, s)
			awaited(t, file, name)
		}
		d.signal(t, syscall.SIGTERM)
		equal(t, name+": status", d.end(t), 42)
		equal(t, name+": signals", strings.Count(read(t, file), "\n"), 6) // with the line of the start: none came twice
		if !ended(child) {
			t.Errorf("%s: the daemon goes on without its parent", name)
		}
	}
}

// What ends any process ends the daemon, though the kernel spares the first process
// of a namespace that does nothing about a signal, pid_namespaces(7).
func TestPIDNamespaceSignals(t *testing.T) {
	sleep := requireProgram(t, "sleep", "coreutils")
	for name, start := range pidStarts(t) {
		for _, s := range []syscall.Signal{1, 2, 3, 6, 10, 11, 13, 14, 15, 30, 34, 64} {
			d := program{argv: command(start, sleep, "infinity")}.start(t)
			child := daemonOf(t, d.cmd.Process.Pid, "sleep")
			if name == "root" {
				// The kernel by itself throws it away.
				if err := syscall.Kill(child, s); err != nil {
					t.Fatal(err)
				}
				equal(t, "pending", status(t, child, "ShdPnd"), none)
				if ended(child) {
					t.Errorf("signal %d ended the first process of a namespace: there is nothing to test", s)
				}
			}
			d.signal(t, s)
			equal(t, fmt.Sprintf("%s: status after signal %d", name, s), d.end(t), 128+int(s))
			equal(t, "the parent itself was killed", d.cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled(), false)
			if !ended(child) {
				t.Errorf("%s: the daemon goes on", name)
			}
		}
	}
}

// What the daemon ignores or blocks does not end it, nor what ends no process.
func TestPIDNamespaceSpares(t *testing.T) {
	sleep := requireProgram(t, "sleep", "coreutils")
	for name, start := range pidStarts(t) {
		for prepare, signals := range map[string][]syscall.Signal{
			"ignore=15": {15},
			"block=15":  {15},
			"umask=22":  {17, 18, 20, 21, 22, 23, 28}, // CHLD, CONT, TSTP, TTIN, TTOU, URG, WINCH
		} {
			d := program{argv: command(start, probe, "with", prepare, "--", sleep, "infinity")}.start(t)
			child := daemonOf(t, d.cmd.Process.Pid, "sleep")
			for _, s := range signals {
				d.signal(t, s)
			}
			if prepare == "block=15" {
				eventually(t, "SIGTERM is forwarded", func() bool { return status(t, child, "ShdPnd") == "0000000000004000" })
			}
			d.signal(t, 63) // a signal of a higher number is taken later
			equal(t, name+": "+prepare, d.end(t), 128+63)
		}
	}
}

// A signal that comes while all are blocked, as in a launch, is not lost: it ends
// the daemon as soon as it is blocked no more.
func TestPIDNamespaceBlocked(t *testing.T) {
	perl := requireProgram(t, "perl", "perl-base")
	const script = `use POSIX; my $dir = shift; my $set = POSIX::SigSet->new(SIGTERM, SIGINT); sigprocmask(SIG_BLOCK, $set);
open my $f, ">", "$dir/ready" or die; select undef, undef, undef, 0.001 until -e "$dir/go"; sigprocmask(SIG_UNBLOCK, $set); sleep 1000 while 1`
	for name, start := range pidStarts(t) {
		dir := directory(t, 0o777)
		d := program{argv: command(start, perl, "-e", script, dir)}.start(t)
		eventually(t, "ready", func() bool { return exists(dir + "/ready") })
		child := daemonOf(t, d.cmd.Process.Pid, "perl")
		d.signal(t, syscall.SIGTERM)
		eventually(t, "SIGTERM is forwarded", func() bool { return status(t, child, "ShdPnd") == "0000000000004000" })
		write(t, dir+"/go", "", 0o666)
		equal(t, name, d.end(t), 128+15)
	}
}

// Who kills the parent, kills the daemon, in a PID namespace and without.
func TestPIDNamespaceParentKilled(t *testing.T) {
	starts := pidStarts(t)
	starts["init"] = []string{hardrun, "--init"}
	if os.Geteuid() == 0 {
		starts["init as another user"] = []string{hardrun, "--init", "--user=nobody", "--caps=none"}
	}
	for name, start := range starts {
		file := directory(t, 0o777) + "/notes"
		d := program{argv: command(start, probe, "serve", file, "0")}.start(t)
		awaited(t, file, "ready")
		child := daemonOf(t, d.cmd.Process.Pid, "probe")
		d.signal(t, syscall.SIGKILL)
		equal(t, "status", d.end(t), 128+9)
		eventually(t, name+": the daemon ends", func() bool { return ended(child) })
	}
}

// A key of the terminal ends the daemon, whatever the kernel spares.
func TestPIDNamespaceTyped(t *testing.T) {
	sleep := requireProgram(t, "sleep", "coreutils")
	argv := []string{hardrun, "--private-pids", "--", sleep, "infinity"}
	if os.Geteuid() != 0 {
		argv = unprivileged(t, argv...)
	}
	for _, argv := range [][]string{argv, {hardrun, "--init", "--", sleep, "infinity"}} {
		dir := directory(t, 0o777)
		master, wait := onTerminal(t, `dir=$1; shift; trap : INT; echo $$ >$dir/pid; "$@"; echo $? >$dir/status`, append([]string{dir}, argv...)...)
		shell := 0
		eventually(t, "the shell", func() bool {
			text, err := os.ReadFile(dir + "/pid")
			if err == nil {
				shell, err = strconv.Atoi(strings.TrimSpace(string(text)))
			}
			return err == nil
		})
		parent := daemonOf(t, shell, "hardrun")
		daemonOf(t, parent, "sleep")
		if _, err := master.WriteString("\x03"); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, strings.Join(argv, " "), read(t, dir+"/status"), "130\n")
	}
}

// LISTEN_PID= that names the first start names the daemon, sd_listen_fds(3).
func TestPIDNamespaceListen(t *testing.T) {
	requireRoot(t)
	for _, words := range [][]string{{"--private-pids"}, {"--private-pids", "--private-users"}, {"--private-users"}, {"--init", "--private-users"}} {
		argv := append(append([]string{hardrun}, words...), "--", probe)
		s := runs(t, with("open=3:/etc/hostname listen env=LISTEN_FDS=1", argv...)...).state(t)
		pid, n := s.getenv("LISTEN_PID")
		equal(t, fmt.Sprint(words, " LISTEN_PID"), pid, itoa(s.PID))
		equal(t, "times", n, 1)
		equals(t, "open", s.openFDs(), []int{0, 1, 2, 3})
	}
}
