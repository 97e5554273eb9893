//go:build linux

package integration

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The parent of --init forwards signals, and ends as the daemon ends.
func TestInitForwards(t *testing.T) {
	requireRoot(t)
	for _, more := range [][]string{nil, {"--user=nobody", "--caps=none"}} {
		file := directory(t, 0o777) + "/notes"
		d := program{argv: append(append([]string{hardrun, "--init"}, more...), "--", probe, "serve", file, "42")}.start(t)
		ready := strings.Fields(awaited(t, file, "ready"))
		parent := d.cmd.Process.Pid
		child, err := strconv.Atoi(ready[1])
		if err != nil || child == parent {
			t.Fatalf("%q, parent %d", ready, parent)
		}
		equal(t, "parent of the daemon", ready[2], itoa(parent))
		for name, s := range map[string]syscall.Signal{"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "INT": syscall.SIGINT} {
			d.signal(t, s)
			awaited(t, file, name)
		}
		// The parent is small: one thread, no capability but to signal, not dumpable.
		equal(t, "threads", status(t, parent, "Threads"), "1")
		for _, set := range []string{"CapInh", "CapAmb"} {
			equal(t, set, status(t, parent, set), none)
		}
		for _, set := range []string{"CapPrm", "CapEff"} {
			equal(t, set, status(t, parent, set), "0000000000000020")
		}
		small(t, parent)
		denied(t, runs(t, with("gid=65534 uid=65534", probe, "try", "ptrace", itoa(parent))...), "EPERM")
		d.signal(t, syscall.SIGTERM)
		equal(t, "status", d.end(t), 42)
		awaited(t, file, "TERM")
		equal(t, "signals", strings.Count(read(t, file), "\n"), 6) // with the line of the start: none came twice
	}
}

// small holds what a parent occupies, which has no Go runtime: memory of its own, and with
// the pages of the executable, which every start shares. How many of these are mapped beside
// one that is read is the kernel's choice: with 6.18, all of a large folio.
func small(t *testing.T, parent int) {
	t.Helper()
	for name, most := range map[string]int{"RssAnon": 128, "VmRSS": 1024} {
		if kib, err := strconv.Atoi(strings.TrimSuffix(status(t, parent, name), " kB")); err != nil || kib == 0 || kib > most {
			t.Errorf("the parent has %d KiB of %s, %v", kib, name, err)
		}
	}
}

func TestInitStatus(t *testing.T) {
	requireRoot(t)
	for _, n := range []string{"0", "1", "7", "203", "255"} {
		equal(t, n, itoa(run(t, "--init", "--", probe, "exit", n).code), n)
	}
	for n, want := range map[string]int{"15": 143, "9": 137, "1": 129, "6": 134, "34": 162} {
		r := run(t, "--init", "--", probe, "die", n)
		equal(t, "status after signal "+n, r.code, want)
		equal(t, "the parent itself was not killed", int(r.signal), 0)
	}
	// What fails in the child is the status of the whole, said once.
	refused(t, run(t, "--init", "--user=nosuch", "--", probe), 217, `unknown user "nosuch"`)
	refused(t, run(t, "--init", "--", "/nosuch"), 203, "/nosuch")
	refused(t, run(t, "--init", "--user="), 64, "--user")
}

// Orphans come to it and are reaped: as a subreaper, and as PID 1 of a container.
func TestInitReaps(t *testing.T) {
	requireRoot(t)
	type orphan struct {
		TakenBy int `json:"taken_by"`
		PPID    int
		Errno   string
	}
	o := decode[orphan](t, run(t, "--init", "--", probe, "orphan").stdout)
	equal(t, "taken by the parent", o.TakenBy, o.PPID)
	equal(t, "reaped", o.Errno, "ESRCH")
	space := []string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}
	for _, more := range [][]string{nil, {"--user=nobody", "--caps=none"}} {
		argv := append(append(append(space[:len(space):len(space)], hardrun, "--init"), more...), "--", probe)
		o = decode[orphan](t, runs(t, append(argv, "orphan")...).stdout)
		equal(t, "taken by PID 1", o.TakenBy, 1)
		equal(t, "reaped", o.Errno, "ESRCH")
		s := runs(t, argv...).state(t)
		equal(t, "parent", s.PPID, 1)
		equal(t, "status", runs(t, append(argv, "exit", "9")...).code, 9)
		equal(t, "signal", runs(t, append(argv, "die", "15")...).code, 143)
	}
	// Without --init the daemon itself is PID 1.
	equal(t, "PID", runs(t, append(space[:len(space):len(space)], hardrun, "--user=nobody", "--", probe)...).state(t).PID, 1)
}

// The parent's start is no way to start with less: the child is confined as
// without it.
func TestInitConfines(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	words := []string{"--user=nobody", "--caps=net_bind_service", "--no-new-privs", "--chroot=" + root, "--umask=077", "--limit-nofile=64", "--", "/probe"}
	want := run(t, words...).state(t)
	got := run(t, append([]string{"--init"}, words...)...).state(t)
	want.MountNS, got.MountNS = "", ""
	same(t, got, want)
	checkSets(t, got, sets{netBind, netBind, netBind, netBind, netBind})
}
